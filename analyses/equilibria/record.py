"""What a search for fixed and slow points found: `FixedPoints`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

#: Kinds in the order of lists and legends.
KINDS = ("stable", "centre", "neutral", "saddle", "source", "slow")


class Modes(NamedTuple):
    """Eigenvalues and eigenvectors at a point, the fastest growing first.

    Attributes
    ----------
    eigenvalues : ndarray of complex, (n,)
        In 1/s for a flow, factors of one step for a map.
    right : ndarray of complex, (n, n)
        Columns: the directions that grow so. Of length 1.
    left : ndarray of complex, (n, n)
        Rows: what of a state excites each, ``left @ right = 1``. NaN if there is no basis of
        eigenvectors.
    """

    eigenvalues: np.ndarray
    right: np.ndarray
    left: np.ndarray


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """Points at which a system rests, or nearly so, with the evidence.

    Attributes
    ----------
    x : ndarray, (point, state)
        Stable points first, then by their number of unstable directions; slow ones last.
    kind : tuple of str, (point,)
        ``"stable"``, ``"saddle"`` or ``"source"`` (unstable in all directions); ``"centre"`` or
        ``"neutral"`` where nothing grows and a pair of eigenvalues, or one, does not decay;
        ``"slow"`` for a minimum of q that is no fixed point.
    n_unstable : ndarray of int, (point,)
        Number of eigenvalues that grow: the index of a saddle.
    q : ndarray, (point,)
        ``|F|**2 / 2`` with F = dx/dt, for a map F = f(x) - x, of free states.
    eigenvalues : ndarray of complex, (point, free)
        Of `jacobian`, the fastest growing first.
    jacobian : ndarray, (point, free, free)
        Of the flow, or of a step of the map.
    singularity : ndarray, (point,)
        Smallest singular value of the Jacobian of F over the largest, states divided by `scale`.
        Near 0 a point is about to vanish in a fold, or part of a continuum.
    n_starts : ndarray of int, (point,)
        How many starts ended at each.
    verdict : str
        ``"fixed points"``, ``"a continuum of fixed points"``, ``"only slow points"`` or
        ``"no fixed point found"``. Points of a continuum are samples of it.
    continuum_dimension : int
        Of the continuum at the points that lie in one; 0 without.
    starts : ndarray, (start, state)
        The starts that were given or drawn, and after them `n_followed` states of the flow.
    n_followed : int
    start_point : ndarray of int, (start,)
        The point where each start ended, -1 for those that found none.
    outcome : tuple of str, (start,)
        ``"converged"``, or why not, see `failures`.
    iterations : ndarray of int, (start,)
        Jacobians that were evaluated.
    state_names : tuple of str
    free : ndarray of int, (free,)
        The states that could move; the others are held.
    is_map : bool
        Whether stability is that of a map.
    dt : float or None
        Step of Euler's method, where that is the map.
    q_tol, q_max : float
        What a fixed point had to be below, and what a slow one had to.
    merge : float
    scale : ndarray, (free,)
        Size of each state, the unit of `merge`.
    """

    x: np.ndarray
    kind: tuple[str, ...]
    n_unstable: np.ndarray
    q: np.ndarray
    eigenvalues: np.ndarray
    jacobian: np.ndarray
    singularity: np.ndarray
    n_starts: np.ndarray
    verdict: str
    continuum_dimension: int
    starts: np.ndarray
    n_followed: int
    start_point: np.ndarray
    outcome: tuple[str, ...]
    iterations: np.ndarray
    state_names: tuple[str, ...]
    free: np.ndarray
    is_map: bool
    dt: float | None
    q_tol: float
    q_max: float
    merge: float
    scale: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    @property
    def counts(self) -> dict[str, int]:
        """Number of points of each kind."""
        return {kind: n for kind in KINDS if (n := self.kind.count(kind))}

    @property
    def failures(self) -> dict[str, int]:
        """Number of starts that found no point, by reason.

        ``"minimum of q"``
            The search ended where q is lowest and not 0.
        ``"not a fixed point"``
            q fell below `q_tol`, but there is no zero of F: a slow point.
        ``"out of iterations"``, ``"diverged"``
            As they say.
        ``"outlier"``
            It found a point too far from all starts.
        """
        return {k: n for k, n in Counter(self.outcome).items() if k != "converged"}

    def select(self, *kinds: str) -> FixedPoints:
        """The points of these kinds only; starts that ended at others have `start_point` -1."""
        for kind in kinds:
            if kind not in KINDS:
                raise ValueError(f"`kinds` must be of {', '.join(KINDS)}; got {kind!r}")
        rows = np.array([k for k, kind in enumerate(self.kind) if kind in kinds], int)
        number = np.full(len(self) + 1, -1)
        number[rows] = np.arange(rows.size)
        of_points = {
            f.name: getattr(self, f.name)[rows]
            for f in fields(self)
            if f.name in ("x", "n_unstable", "q", "eigenvalues", "jacobian", "singularity",
                          "n_starts")
        }  # fmt: skip
        kept = tuple(self.kind[k] for k in rows)
        return replace(self, kind=kept, start_point=number[self.start_point], **of_points)

    def modes(self, point: int) -> Modes:
        """Eigenmodes at one point, in the free states."""
        values, right = np.linalg.eig(self.jacobian[point])
        order = growth_order(values, self.is_map)
        values, right = values[order], right[:, order]
        try:
            left = np.linalg.inv(right)
        except np.linalg.LinAlgError:
            left = np.full_like(right, np.nan)
        return Modes(values.astype(complex), right.astype(complex), left.astype(complex))

    def named(self, point: int) -> dict[str, np.ndarray]:
        """One point by names of states, ``{"E.x": (unit,)}``."""
        found: dict[str, list[float]] = {}
        for name, value in zip(self.state_names, self.x[point], strict=True):
            found.setdefault(name.partition("[")[0], []).append(value)
        return {name: np.array(values) for name, values in found.items()}

    def __repr__(self) -> str:
        kinds = ", ".join(f"{n} {kind}" for kind, n in self.counts.items())
        reached = sum(o == "converged" for o in self.outcome)
        lines = [f"<FixedPoints: {self.verdict}" + (f" ({kinds})" if kinds else "")]
        lines += [f"  {reached} of {len(self.outcome)} starts converged"]
        lines += [f"  {n} starts: {reason}" for reason, n in self.failures.items()]
        growth = "largest factor" if self.is_map else "fastest growth"
        for k in range(min(len(self), 12)):
            top = self.eigenvalues[k, 0]
            shown = f"{top.real:.4g}" + (f" {top.imag:+.4g}i" if abs(top.imag) > 0 else "")
            index = f", {self.n_unstable[k]} unstable" if self.kind[k] == "saddle" else ""
            lines.append(
                f"  [{k}] {self.kind[k]}{index}, {growth} {shown}, q = {self.q[k]:.1e}, "
                f"{self.n_starts[k]} starts"
            )
        if len(self) > 12:
            lines.append(f"  ... {len(self) - 12} more")
        return "\n".join(lines) + ">"


def growth_order(eigenvalues: np.ndarray, is_map: bool) -> np.ndarray:
    """Order from the fastest growing, along the last axis; conjugates with positive part first."""
    growth = np.abs(eigenvalues) if is_map else eigenvalues.real
    digits = np.round(growth, 12)  # conjugate pairs stay together
    return np.lexsort((-eigenvalues.imag, -np.abs(eigenvalues.imag), -digits), axis=-1)
