r"""Where eigenvalues may go, and how far activity may grow before it decays: pseudospectra.

The eps-pseudospectrum of A is where the smallest singular value of ``z - A`` is below eps: all
places to which a change of A of norm eps can move an eigenvalue. Of a normal matrix these are
discs of radius eps around the eigenvalues; far from normality they are much larger (Trefethen and
Embree 2005). How far they reach over the border of stability bounds transient growth from below, by
Kreiss's constant,

.. math:: \max_t |e^{A t}| \ge K = \sup_{\mathrm{Re} z > 0} \mathrm{Re} z / s_{min}(z - A),

and for a map ``max |A**k| >= sup (|z| - 1)/s_min(z - A)`` outside the unit circle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count, real_numbers
from neurodyn.analyses.linear._linearised import local_system

if TYPE_CHECKING:
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

#: Up to so many states all singular values are computed, which is as fast.
_SMALL = 24
#: Inverse Lanczos iteration ends when the singular value changes by less, relative to it.
_TOLERANCE = 1e-7
#: It is looked at after so many steps: rarely, as the looking costs more than many steps.
_LOOKS = (2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 28, 36, 46, 60)
#: So many points take their steps together; unknowns are eliminated in blocks of so many.
_CHUNK, _BLOCK = 1024, 16
#: Start of the search for Kreiss's constant: real and imaginary parts.
_KREISS_GRID = (24, 33)
#: Every so many rows of it come first: others that cannot be larger are then left out.
_EVERY = 4
#: Points along each side of the grids that then close in on the peak, and how many there are.
_CLIMB_GRID, _CLIMBS = 7, 16


@dataclass(frozen=True, eq=False)
class Pseudospectrum:
    """The smallest singular value of ``z - A`` on a grid of the complex plane.

    Attributes
    ----------
    real : ndarray, (real,)
        Of the grid, 1/s; of a map without a unit.
    imaginary : ndarray, (imaginary,)
    smallest_singular_value : ndarray, (imaginary, real)
        Its contour at eps is the border of the eps-pseudospectrum.
    eigenvalues : ndarray of complex, (n,)
    kreiss : float
        A lower bound of Kreiss's constant: the largest value that was found. Infinite if A is
        unstable; 1 if nothing grows.
    kreiss_at : complex
        Where; infinite for 1, which is reached there.
    resolution : float
        Singular values below this are rounding: machine precision times the norm of A.
    is_map : bool
    """

    real: np.ndarray = field(repr=False)
    imaginary: np.ndarray = field(repr=False)
    smallest_singular_value: np.ndarray = field(repr=False)
    eigenvalues: np.ndarray = field(repr=False)
    kreiss: float
    kreiss_at: complex
    resolution: float
    is_map: bool

    def reach(self, eps: float) -> float:
        """Largest real part in the eps-pseudospectrum, of a map the largest absolute value.

        Of the points of the grid, so a lower bound; ``-inf`` if it has none in it.
        """
        if not eps > 0:
            raise ValueError(f"`eps` must be positive; got {eps!r}")
        z = self.real + 1j * self.imaginary[:, None]
        inside = z[self.smallest_singular_value <= eps]
        far = np.abs(inside) if self.is_map else inside.real
        return float(far.max(initial=-np.inf))


def pseudospectrum(
    system: Network | Flow | Map | Any,
    x: Any = None,
    *,
    real: Any = None,
    imaginary: Any = None,
    n_points: int = 60,
    inputs: Mapping[str, Any] | None = None,
    solver: Solver | None = None,
    is_map: bool | None = None,
) -> Pseudospectrum:
    """Pseudospectra of the Jacobian of a system at a point, or of a matrix.

    Parameters
    ----------
    system : Network, Flow, Map or array_like (n, n)
    x : array_like (n,) or dict, optional
        The fixed point, see `linearise`.
    real, imaginary : (low, high) or array_like (point,), optional
        Ends of the grid, or its points, two being ends. Default: all eigenvalues, with a margin
        that grows with the departure from normality.
    n_points : int
        Along each axis where ends are given, default 60.
    inputs, solver, is_map
        As for `linearise`.

    Returns
    -------
    Pseudospectrum

    Notes
    -----
    One Schur decomposition, then inverse Lanczos iteration on the triangular factor, all points of
    the grid at once (Trefethen and Embree 2005, chapter 39), to 6 digits; where that has not
    converged, and for small matrices, all singular values. Half a second for 100 states; time goes
    with the square of their number. Kreiss's constant is sought on a grid of its own, then on finer
    ones around its best point, which may miss the highest of several peaks: it is a bound. It is 1
    without a search where no length ever grows.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> found = analyses.pseudospectrum([[-1.0, 20.0], [0.0, -2.0]])
    >>> round(found.kreiss, 3)  # although both eigenvalues are negative, activity grows so far
    3.506
    """
    local = local_system(system, x, inputs, solver, is_map)
    A = local.jacobian
    T = _triangular(A)
    values = np.diag(T).copy()
    default = _window(A, values, local.is_map)
    re = _grid(real, "real", default[0], n_points)
    im = _grid(imaginary, "imaginary", default[1], n_points)
    # A is real: values at conjugate points are the same
    rows, place = np.unique(np.round(np.abs(im), 14 - _digits(im)), return_inverse=True)
    smallest = _smallest_singular_values(T, re + 1j * rows[:, None])[place]
    kreiss, at = _kreiss(T, values, local.is_map)
    resolution = float(np.finfo(float).eps * np.linalg.norm(A, 2))
    return Pseudospectrum(re, im, smallest, values, kreiss, at, resolution, local.is_map)


def _triangular(A: np.ndarray) -> np.ndarray:
    from scipy.linalg import schur

    return schur(A, output="complex")[0]


def _smallest_singular_values(T: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Of ``z - T`` at every z."""
    n = len(T)
    flat = np.asarray(z, complex).ravel()
    if n <= _SMALL:
        shifted = flat[:, None, None] * np.eye(n) - T
        return np.linalg.svd(shifted, compute_uv=False)[:, -1].reshape(np.shape(z))
    q = np.random.default_rng(0).normal(size=(2, n))  # any vector that is no singular one
    q = (q[0] + 1j * q[1]) / np.linalg.norm(q)
    parts = [_inverse_lanczos(T, flat[k : k + _CHUNK], q) for k in range(0, flat.size, _CHUNK)]
    return np.concatenate(parts).reshape(np.shape(z))


def _inverse_lanczos(T: np.ndarray, z: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Smallest singular values of ``R = z - T``: (R'R)^-1 has 1/s**2 as its largest eigenvalue.

    All z take their steps together, until each has converged.
    """
    found = np.full(z.size, np.nan)
    found[np.isin(z, np.diag(T))] = 0.0
    left = np.flatnonzero(np.isnan(found))
    q = np.repeat(start[:, None], left.size, axis=1)
    before, beta, size = np.zeros_like(q), np.zeros(left.size), np.zeros(left.size)
    alphas, betas = np.empty((2, 0, left.size))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for step in range(1, min(_LOOKS[-1], len(T)) + 1):
            v = _solve(T, z[left], _solve_adjoint(T, z[left], q)) - beta * before
            alpha = np.einsum("ik,ik->k", q.conj(), v).real
            v -= alpha * q
            beta = np.linalg.norm(v, axis=0)
            alphas = np.concatenate([alphas, alpha[None]])
            on = np.isfinite(beta) & (beta > 0)  # the rest has overflowed, or found all there is
            if step in _LOOKS or not on.all():
                fine = np.isfinite(beta)
                last, size = size, np.full(left.size, np.nan)
                size[fine] = _largest_of_tridiagonal(alphas[:, fine], betas[:, fine])
                done = fine & ((np.abs(size - last) <= _TOLERANCE * size) | (beta == 0))
                found[left[done]] = 1 / np.sqrt(size[done])
                on &= ~done
            if not on.any():
                break
            betas = np.concatenate([betas, beta[None]])
            if not on.all():
                left, size, q, v, beta = left[on], size[on], q[:, on], v[:, on], beta[on]
                alphas, betas = alphas[:, on], betas[:, on]
            before, q = q, v / beta
    for k in np.flatnonzero(np.isnan(found)):
        found[k] = np.linalg.svd(z[k] * np.eye(len(T)) - T, compute_uv=False)[-1]
    return found


def _largest_of_tridiagonal(diagonal: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """Largest eigenvalue of symmetric matrices, their diagonals (k, m) and (k - 1, m)."""
    k = len(diagonal)
    whole = np.zeros((diagonal.shape[1], k, k))
    whole[:, np.arange(k), np.arange(k)] = diagonal.T
    whole[:, np.arange(1, k), np.arange(k - 1)] = beside.T  # eigvalsh reads the lower half
    return np.linalg.eigvalsh(whole)[:, -1]


def _solve(T: np.ndarray, z: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``(z - T)^-1 b`` for each z, T upper triangular and b (n, z): T is the same for all."""
    x = b.copy()
    for high in range(len(T), 0, -_BLOCK):
        low = max(high - _BLOCK, 0)
        x[low:high] += T[low:high, high:] @ x[high:]
        for j in range(high - 1, low - 1, -1):
            x[j] /= z - T[j, j]
            x[low:j] += T[low:j, j, None] * x[j]
    return x


def _solve_adjoint(T: np.ndarray, z: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``(z - T)^-H b`` for each z."""
    x, adjoint = b.copy(), T.conj().T
    for low in range(0, len(T), _BLOCK):
        high = min(low + _BLOCK, len(T))
        x[low:high] += adjoint[low:high, :low] @ x[:low]
        for j in range(low, high):
            x[j] /= z.conj() - adjoint[j, j]
            x[j + 1 : high] += adjoint[j + 1 : high, j, None] * x[j]
    return x


def _kreiss(T: np.ndarray, values: np.ndarray, is_map: bool) -> tuple[float, complex]:
    """The largest ratio of the distance from the border to the smallest singular value."""
    excess = np.abs(values).max() - 1 if is_map else values.real.max()
    if excess >= 0:
        return np.inf, complex(values[np.argmax(np.abs(values) if is_map else values.real)])
    norm = float(np.linalg.norm(T, 2))
    numerical = norm if is_map else float(np.linalg.eigvalsh((T + T.conj().T) / 2)[-1])
    if numerical <= float(is_map):
        return 1.0, complex(np.inf)  # lengths never grow
    size = max(norm, float(is_map))

    def ratio(log_distance, along, above=0.0):
        """Where it may be larger than `above`; else 0."""
        distance = np.exp(log_distance)
        z = (1 + distance) * np.exp(1j * along) if is_map else distance + 1j * along
        least = np.maximum(np.abs(z) - norm, np.finfo(float).eps * norm)  # less is rounding
        if not is_map:
            least = np.maximum(least, distance - numerical)
        look = distance > above * least  # `least` is below the smallest singular value
        found = np.zeros(z.shape)
        smallest = _smallest_singular_values(T, z[look])
        found[look] = distance[look] / np.maximum(smallest, np.finfo(float).eps * norm)
        return found

    n_out, n_along = _KREISS_GRID
    out = np.log(size) + np.linspace(np.log(1e-6), np.log(10), n_out)[:, None]
    high = np.pi if is_map else 1.2 * np.abs(values.imag).max()
    # the peaks stand beside eigenvalues, and between them
    own = np.abs(np.angle(values) if is_map else values.imag)
    nearest = own[np.argsort(-(np.abs(values) if is_map else values.real))[:n_along]]
    along = np.unique(np.concatenate([np.linspace(0, high, n_along), nearest]))
    out, along = np.broadcast_arrays(out, along)
    found = np.zeros(out.shape)
    found[::_EVERY] = ratio(out[::_EVERY], along[::_EVERY])
    rest = np.arange(n_out) % _EVERY > 0
    found[rest] = ratio(out[rest], along[rest], above=found.max())
    best = np.unravel_index(np.argmax(found), found.shape)
    start = np.array([out[best], along[best]])
    width = np.array([np.log(1e7) / (n_out - 1), max(high / n_along, 1e-3 * size)])
    top, start = _climb(ratio, float(found[best]), start, width)
    if top <= 1 + 1e-9:
        return 1.0, complex(np.inf)
    distance, turn = np.exp(start[0]), abs(start[1])
    turn = 0.0 if turn < 1e-6 * size else turn
    return top, complex((1 + distance) * np.exp(1j * turn) if is_map else distance + 1j * turn)


def _climb(ratio: Any, top: float, at: np.ndarray, width: np.ndarray) -> tuple[float, np.ndarray]:
    """From a point of a coarse grid to the peak, by grids around the best point so far."""
    around = np.linspace(-1, 1, _CLIMB_GRID)
    for _ in range(_CLIMBS):
        first, second = np.meshgrid(at[0] + width[0] * around, at[1] + width[1] * around)
        values = ratio(first, second, above=top)
        best = np.unravel_index(np.argmax(values), values.shape)
        if values[best] > top:
            top, at = float(values[best]), np.array([first[best], second[best]])
        inside = np.array([0 < k < _CLIMB_GRID - 1 for k in best[::-1]])
        width = np.where(inside, 0.4 * width, width)  # at an edge the peak is farther
    return top, at


# ------------------------------------------------------------------------------ the grid


def _window(A: np.ndarray, values: np.ndarray, is_map: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ends of a grid that shows all eigenvalues, what is around them, and the border."""
    extent = max(np.ptp(values.real), np.ptp(values.imag))
    numerical = np.linalg.eigvalsh((A + A.T) / 2)[-1]
    beyond = max(numerical - values.real.max(), 0)
    margin = (0.3 * extent + 0.7 * beyond + 0.05 * np.linalg.norm(A, 2)) or 1.0
    low, high = values.real.min() - margin, values.real.max() + margin
    top = np.abs(values.imag).max() + margin
    if is_map:
        low, high, top = min(low, -1.1), max(high, 1.1), max(top, 1.1)
    else:
        high = max(high, 0.05 * (high - low))
    return np.array([low, high]), np.array([-top, top])


def _grid(value: Any, name: str, default: np.ndarray, n_points: int) -> np.ndarray:
    n = checked_count(n_points, "n_points", 2)
    found = default if value is None else np.asarray(real_numbers(value, name), float)
    if found.ndim != 1 or found.size < 2 or np.any(np.diff(found) <= 0):
        raise ValueError(
            f"`{name}` must be (low, high) or points that increase; got {value!r:.60}"
        )
    return np.linspace(found[0], found[1], n) if found.size == 2 else found


def _digits(points: np.ndarray) -> int:
    """Digits before the decimal point, for rounding that takes conjugate points together."""
    return int(np.ceil(np.log10(np.abs(points).max()))) if np.any(points) else 0
