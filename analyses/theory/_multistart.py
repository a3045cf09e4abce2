"""All solutions of a self-consistency ``x = G(x)``: many starts, and the evidence for "all"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Eigenvalue of the Jacobian, in size, below which a solution counts as degenerate.
_DEGENERATE = 1e-6
#: Times the bound of all solutions; the function is not asked for beyond.
_FAR = 3.0
#: Distance, relative to the box, below which two solutions are one; the same for degenerate ones,
#: near which Newton's method stops early.
_SAME, _SAME_DEGENERATE = 1e-6, 1e-2


@dataclass(frozen=True, eq=False)
class Solutions:
    """Distinct solutions of ``x = G(x)``.

    Attributes
    ----------
    points : ndarray, (point, n)
    residual : ndarray, (point,)
        Largest component of ``G(x) - x``.
    jacobians : ndarray, (point, n, n)
        Of G.
    hits : ndarray, (point,)
        Number of starts that led there.
    n_starts, n_failed : int
        Starts, and those that led to no solution.
    index_sum : int
        Sum of ``sign det(1 - G')``: 1 if none is missing (see the notes).
    is_degenerate : ndarray, (point,)
        Whether ``1 - G'`` is singular there: at a bifurcation, or on a continuum of solutions.

    Notes
    -----
    Where G is bounded the field ``G(x) - x`` points inwards on a large sphere, and by the theorem
    of Poincare and Hopf the indices of all its zeros, if none is degenerate, sum to 1. Solutions
    that are missing give themselves away unless they are a pair of opposite sign.
    """

    points: np.ndarray
    residual: np.ndarray
    jacobians: np.ndarray
    hits: np.ndarray
    n_starts: int
    n_failed: int
    index_sum: int
    is_degenerate: np.ndarray

    @property
    def is_complete(self) -> bool:
        return bool(self.index_sum == 1 and not self.is_degenerate.any())


def starts_in_box(low, high, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """Starts spread evenly over a box, half of them drawn towards its middle, and the middle."""
    from scipy.stats import qmc

    low, high = np.asarray(low, float), np.asarray(high, float)
    unit = 2 * qmc.LatinHypercube(low.size, rng=rng).random(n_starts - 1) - 1
    unit[::2] *= rng.random(((n_starts) // 2, 1)) ** 2  # small solutions near the onset
    middle, half = (low + high) / 2, (high - low) / 2
    return np.concatenate([middle[None], middle + half * unit])


def all_solutions(
    function: Callable[[np.ndarray], np.ndarray],
    jacobian: Callable[[np.ndarray], np.ndarray],
    starts: np.ndarray,
    scale: np.ndarray,
    tolerance: float = 1e-10,
    allowed: Callable[[np.ndarray], bool] = lambda x: True,
) -> Solutions:
    """Solve ``x = G(x)`` from each start; `scale` (n,) bounds the size of every solution."""
    from scipy.optimize import root

    n = starts.shape[1]
    unit = np.asarray(scale, float)

    def inside(y):  # steps may lead anywhere, and there are no solutions outside
        return np.clip(np.nan_to_num(y), -_FAR, _FAR) * unit

    def residual(y):
        return function(inside(y)) / unit - y

    def slope(y):
        return jacobian(inside(y)) * unit / unit[:, None] - np.eye(n)

    found, n_failed = [], 0
    with np.errstate(all="ignore"):
        for start in starts / unit:
            for method in ("hybr", "lm"):  # the second where the first gets stuck
                y = root(residual, start, jac=slope, tol=1e-13, method=method).x
                size = np.max(np.abs(residual(y)))
                if size < tolerance:
                    break
            if np.all(np.isfinite(y)) and size < tolerance and allowed(y * unit):
                found.append(y)
            else:
                n_failed += 1
    points, hits = _distinct(np.array(found).reshape(-1, n), slope)
    jacobians = np.array([jacobian(y * unit) for y in points]).reshape(-1, n, n)
    left = np.array([np.max(np.abs(residual(y) * unit)) for y in points])
    degenerate = np.array([_is_degenerate(slope(y)) for y in points], bool)
    signs = [np.linalg.slogdet(np.eye(n) - J)[0] for J in jacobians]
    return Solutions(points * unit, left, jacobians, hits, len(starts), n_failed,
                     int(np.sum(signs)), degenerate)  # fmt: skip


def _is_degenerate(slope: np.ndarray) -> bool:
    return bool(np.min(np.abs(np.linalg.eigvals(slope))) < _DEGENERATE)


def _distinct(points: np.ndarray, slope) -> tuple[np.ndarray, np.ndarray]:
    """One point of each solution, ordered by the first coordinate, and how often it was found."""
    kept: list[np.ndarray] = []
    radius: list[float] = []
    hits: list[int] = []
    for y in points:
        near = [np.max(np.abs(y - other)) < r for other, r in zip(kept, radius, strict=True)]
        if any(near):
            hits[int(np.argmax(near))] += 1
            continue
        kept.append(y)
        radius.append(_SAME_DEGENERATE if _is_degenerate(slope(y)) else _SAME)
        hits.append(1)
    if not kept:
        return points.reshape(0, points.shape[1]), np.zeros(0, int)
    order = np.lexsort(np.round(np.array(kept), 9).T[::-1])
    return np.array(kept)[order], np.array(hits)[order]
