"""Zeros of F, and minima of ``q = |F|**2 / 2``, from many starts at once.

Each start takes Newton steps on the exact Jacobian, no longer than a trust radius and shortened
until q decreases. Where a step contracts well its factorised Jacobian is kept and Broyden's method
goes on with it (Kelley 1995, chapter 7), at a twentieth of the cost. Where Newton's direction
fails, as it does near a singular Jacobian, Levenberg and Marquardt's damped step takes over, with
the damping of Nielsen (1999), and converges to a minimum of q.

A search that ends in a minimum with q > 0 has found a slow point, not a zero. If asked, it then
follows the flow out of there and begins again.

Starts are solved in blocks that fit into the cache; within a block those that are done are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

#: What became of a start.
CONVERGED, STALLED, OUT_OF_STEPS, DIVERGED = range(4)

#: Bytes of the Jacobians that are held at once.
_BLOCK_BYTES = 2**24
#: Newton steps are halved so often before the damped step is tried.
_HALVINGS = 4
#: Decrease of |F| in one step below which the next one keeps the Jacobian.
_CONTRACTS = 0.5
#: Steps that one Jacobian serves.
_KEPT = 12
#: Damping when damped steps begin, and that at which Newton's take over again, relative to the
#: largest entry of diag(J'J).
_DAMPED_FROM, _DAMPED_TO = 1e-2, 1e-3
#: Attempts with one Jacobian to find a damping with which q decreases.
_DAMPINGS = 8
#: A damped step is at a minimum of q if the angle between F and the range of J is a right one to
#: this, and nearly there if q has fallen by less than `_SLOWLY` in `_PATIENCE` of them.
_STATIONARY, _SLOWLY, _PATIENCE = 1e-7, 1e-2, 8
#: Steps along the flow out of a minimum.
_FLOW_STEPS = 100
#: A state this many scales away from its start is lost.
_FAR = 1e8


class Search(NamedTuple):
    """Where each of the starts went.

    Attributes
    ----------
    x : ndarray, (start, n)
    q : ndarray, (start,)
    outcome : ndarray of int, (start,)
        `CONVERGED`, `STALLED` (in a minimum of q), `OUT_OF_STEPS` or `DIVERGED`.
    iterations : ndarray of int, (start,)
        Jacobians that were evaluated.
    stalls : ndarray, (start, n)
        Where a start first met a minimum with q > 0; NaN for those that never did.
    """

    x: np.ndarray
    q: np.ndarray
    outcome: np.ndarray
    iterations: np.ndarray
    stalls: np.ndarray


@dataclass
class Problem:
    """F and its Jacobian, and what a step of size 1 is.

    Attributes
    ----------
    residual : callable
        F, from ``(batch, n)`` to the same.
    jacobian : callable
        From ``(batch, n)`` to ``(batch, n, n)``.
    scale : ndarray, (n,)
        Typical size of each state; positive.
    """

    residual: Callable[[np.ndarray], np.ndarray]
    jacobian: Callable[[np.ndarray], np.ndarray]
    scale: np.ndarray

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F and q; q is infinite where F is not finite."""
        with np.errstate(all="ignore"):
            f = self.residual(x)
            q = 0.5 * np.einsum("ij,ij->i", f, f)
        return f, np.where(np.isfinite(q), q, np.inf)


def search(
    problem: Problem, starts: np.ndarray, *, q_tol: float, max_iter: int, escapes: int = 0
) -> Search:
    """Look for zeros from every start.

    Parameters
    ----------
    problem : Problem
    starts : ndarray, (start, n)
    q_tol : float
        A start has converged when q is below.
    max_iter : int
        Jacobians for one start.
    escapes : int
        How often a start may leave a minimum with q > 0 along the flow; 0 stays there.
    """
    n_starts, n = starts.shape
    size = max(1, min(n_starts, _BLOCK_BYTES // (8 * n * n)))
    parts = [
        _Block(problem, starts[k : k + size], q_tol, max_iter, escapes).run()
        for k in range(0, n_starts, size)
    ]
    return Search(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def followed(problem: Problem, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """States along the flow from `x`, after so many steps each; those that left for infinity go.

    A step is that of Euler's method at the inverse of the largest singular value of the Jacobian
    at the starts: stable, and good enough to come near what attracts.
    """
    some = np.linspace(0, len(x) - 1, min(len(x), 8)).astype(int)
    jacobian = problem.jacobian(x[some])
    jacobian = jacobian[np.isfinite(jacobian).all(axis=(1, 2))]
    if not len(jacobian):
        return x[:0]
    scaled = jacobian * problem.scale / problem.scale[:, None]
    h = 1 / max(np.linalg.norm(scaled, 2, axis=(1, 2)).max(), 1e-300)
    x, going, ended = x.copy(), np.arange(len(x)), []
    for step in range(1, int(lengths.max(initial=0)) + 1):
        f, q = problem.at(x[going])
        going = going[np.isfinite(q)]
        x[going] += h * f[np.isfinite(q)]
        ended.append(going[lengths[going] == step])
        going = going[lengths[going] > step]
    found = x[np.concatenate([np.zeros(0, int), *ended])]
    return found[(np.abs(found / problem.scale) < _FAR).all(axis=1)]


class _Block:
    """Starts that are solved together."""

    def __init__(self, problem: Problem, starts, q_tol: float, max_iter: int, escapes: int):
        self.problem, self.q_tol, self.max_iter = problem, q_tol, max_iter
        m, n = starts.shape
        self.starts, self.x = starts, starts.copy()
        self.f, self.q = problem.at(self.x)
        self.outcome = np.full(m, OUT_OF_STEPS)
        self.iterations = np.zeros(m, int)
        self.stalls = np.full((m, n), np.nan)
        self.escapes = np.full(m, escapes)
        self.radius = np.full(m, np.sqrt(n))
        self.damping = np.zeros(m)  # relative to the largest entry of diag(J'J); 0 for Newton steps
        self.damped = np.zeros(m, int)  # damped steps since `best` was noted
        self.best = np.full(m, np.inf)

    def run(self) -> Search:
        active = np.arange(len(self.x))
        active = self._without_finished(active)
        while active.size:
            newton = self.damping[active] == 0
            for rows, step in ((active[newton], self._newton), (active[~newton], self._damped)):
                if rows.size:
                    step(*self._jacobians(rows))
            active = self._without_finished(active)
        return Search(self.x, self.q, self.outcome, self.iterations, self.stalls)

    def _jacobians(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scaled Jacobians, and which of `rows` have finite ones."""
        jacobian = np.ascontiguousarray(self.problem.jacobian(self.x[rows]))
        jacobian *= self.problem.scale
        self.iterations[rows] += 1
        usable = np.isfinite(jacobian.sum(axis=(1, 2)))
        if not usable.all():
            self.outcome[rows[~usable]] = DIVERGED
            rows, jacobian = rows[usable], jacobian[usable]
        return rows, jacobian

    def _without_finished(self, active: np.ndarray) -> np.ndarray:
        done = self.q[active] < self.q_tol
        self.outcome[active[done]] = CONVERGED
        with np.errstate(invalid="ignore"):
            moved = (self.x[active] - self.starts[active]) / self.problem.scale
        lost = ~np.isfinite(self.q[active]) | ~(np.abs(moved).max(axis=1) < _FAR)
        self.outcome[active[lost]] = DIVERGED
        running = self.outcome[active] == OUT_OF_STEPS
        return active[running & (self.iterations[active] < self.max_iter)]

    def _try(self, rows: np.ndarray, steps: np.ndarray):
        """State, F and q after scaled steps."""
        x = self.x[rows] + steps * self.problem.scale
        return (x, *self.problem.at(x))

    def _move(self, rows: np.ndarray, x, f, q) -> None:
        self.x[rows], self.f[rows], self.q[rows] = x, f, q

    # -- Newton --------------------------------------------------------------------------------

    def _newton(self, rows: np.ndarray, jacobian: np.ndarray) -> None:
        """One shortened Newton step each, and Broyden steps after it where it contracts.

        The Jacobians are overwritten by their factors.
        """
        factors = [_factorised(j) for j in jacobian]
        steps = _solved(factors, -self.f[rows])
        length = np.linalg.norm(steps, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            shortening = np.minimum(1.0, self.radius[rows] / length)
        capped = shortening.copy()
        before = self.q[rows]
        todo = np.isfinite(length)
        done = np.zeros(rows.size, bool)
        for _ in range(1 + _HALVINGS):
            k = np.flatnonzero(todo)
            if not k.size:
                break
            x, f, q = self._try(rows[k], shortening[k, None] * steps[k])
            better = q <= before[k] * (1 - 1e-4 * shortening[k])
            self._move(rows[k[better]], x[better], f[better], q[better])
            done[k[better]], todo[k[better]] = True, False
            shortening[k[~better]] /= 2
        first = done & (shortening == capped)
        taken = shortening[first] * length[first]
        self.radius[rows[first]] = np.maximum(self.radius[rows[first]], 2 * taken)
        full = done & (shortening == 1)
        slow = ~done | (shortening < capped / 2 ** (_HALVINGS - 1))
        self.damping[rows[slow]] = _DAMPED_FROM
        self.best[rows[slow]], self.damped[rows[slow]] = self.q[rows[slow]], 0
        k = np.flatnonzero(
            full & (self.q[rows] < _CONTRACTS**2 * before) & (self.q[rows] >= self.q_tol)
        )
        if k.size:
            self._broyden(rows[k], [factors[i] for i in k], steps[k])

    def _broyden(self, rows: np.ndarray, factors: list, step: np.ndarray) -> None:
        """Broyden's method from the step of a factorised Jacobian, while it contracts.

        Kelley (1995), algorithm `brsol`: the inverse is that of the Jacobian times rank-one
        factors that are made of the steps alone, as all of them are full.
        """
        steps = [step]
        for _ in range(_KEPT):
            z = _solved(factors, -self.f[rows])
            for old, new in zip(steps, steps[1:]):
                z += new * (_dot(old, z) / _dot(old, old))
            last = steps[-1]
            with np.errstate(divide="ignore", invalid="ignore"):
                step = z / (1 - _dot(last, z) / _dot(last, last))
            before = self.q[rows]
            x, f, q = self._try(rows, step)
            better = np.isfinite(q) & (q < before)
            self._move(rows[better], x[better], f[better], q[better])
            keep = better & (q < _CONTRACTS**2 * before) & (q >= self.q_tol)
            if not keep.any():
                return
            rows, factors = rows[keep], [f for f, kept in zip(factors, keep) if kept]
            steps = [s[keep] for s in (*steps, step)]

    # -- Levenberg and Marquardt ---------------------------------------------------------------

    def _damped(self, rows: np.ndarray, jacobian: np.ndarray) -> None:
        """One damped step each; minima of q are recognised here."""
        f, q = self.f[rows], self.q[rows]
        gradient = np.einsum("kij,ki->kj", jacobian, f)
        squares = np.einsum("kij,kij->kj", jacobian, jacobian)
        largest = squares.max(axis=1)
        size = np.sqrt(2 * q * squares.sum(axis=1))
        stationary = np.linalg.norm(gradient, axis=1) <= _STATIONARY * size
        normal = [_normal_matrix(j) for j in jacobian]
        todo, growth = ~stationary, np.full(rows.size, 2.0)
        for _ in range(_DAMPINGS):
            k = np.flatnonzero(todo)
            if not k.size:
                break
            mu = self.damping[rows[k]] * largest[k]
            steps = np.stack([
                _positive_solve(normal[i], m, -gradient[i]) for i, m in zip(k, mu, strict=True)
            ])  # fmt: skip
            x, f_new, q_new = self._try(rows[k], steps)
            expected = 0.5 * (mu * _dot(steps, steps)[:, 0] - _dot(steps, gradient[k])[:, 0])
            with np.errstate(invalid="ignore", divide="ignore"):
                gain = (q[k] - q_new) / expected
            better = gain > 1e-4
            self._move(rows[k[better]], x[better], f_new[better], q_new[better])
            todo[k[better]] = False
            shrink = np.maximum(1 / 3, 1 - (2 * gain[better] - 1) ** 3)
            self.damping[rows[k[better]]] *= shrink
            worse = k[~better]
            self.damping[rows[worse]] *= growth[worse]
            growth[worse] *= 2
        self.damped[rows] += 1
        stuck = stationary | todo
        old = self.damped[rows] >= _PATIENCE
        stuck |= old & (self.q[rows] > (1 - _SLOWLY) * self.best[rows])
        again = rows[old]
        self.best[again], self.damped[again] = self.q[again], 0
        light = self.damping[rows] < _DAMPED_TO
        self.damping[rows[light]] = 0.0  # Newton steps again
        self._stall(rows[stuck], jacobian[stuck])

    def _stall(self, rows: np.ndarray, jacobian: np.ndarray) -> None:
        """Note minima of q; leave them along the flow if that is allowed."""
        fresh = np.isnan(self.stalls[rows, 0])
        self.stalls[rows[fresh]] = self.x[rows[fresh]]
        leaves = self.escapes[rows] > 0
        self.outcome[rows[~leaves]] = STALLED
        rows, jacobian = rows[leaves], jacobian[leaves]
        if not rows.size:
            return
        self.escapes[rows] -= 1
        size = np.abs(jacobian / self.problem.scale).sum(axis=2).max(axis=1)
        h = 1 / np.maximum(size, 1e-300)[:, None]
        x, f = self.x[rows], self.f[rows]
        with np.errstate(all="ignore"):
            for _ in range(_FLOW_STEPS):
                x = x + h * f
                f, q = self.problem.at(x)
        self.outcome[rows[~np.isfinite(q)]] = STALLED  # there is nothing to go on from
        go = np.isfinite(q)
        self._move(rows[go], x[go], f[go], q[go])
        self.damping[rows[go]] = 0.0
        self.radius[rows[go]] = np.sqrt(x.shape[1])


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", a, b)[:, None]


def _factorised(jacobian: np.ndarray):
    """LU factors in place of a C-ordered matrix, of its transpose; None if it is singular."""
    from scipy.linalg.lapack import dgetrf

    lu, pivots, info = dgetrf(jacobian.T, overwrite_a=True)
    return None if info else (lu, pivots)


def _solved(factors: list, right: np.ndarray) -> np.ndarray:
    """Solutions for one right-hand side each, NaN where the matrix is singular."""
    from scipy.linalg.lapack import dgetrs

    out = np.full(right.shape, np.nan)
    for row, factor, b in zip(out, factors, right, strict=True):
        if factor is not None:
            row[:] = dgetrs(*factor, b, trans=1)[0]
    return out


def _normal_matrix(jacobian: np.ndarray) -> np.ndarray:
    """J'J, its lower triangle in Fortran's order."""
    from scipy.linalg.blas import dsyrk

    return dsyrk(1.0, jacobian.T, lower=True)


def _positive_solve(matrix: np.ndarray, mu: float, right: np.ndarray) -> np.ndarray:
    """Solve (matrix + mu I) x = right; NaN if that is not positive definite."""
    from scipy.linalg.lapack import dposv

    matrix = matrix.copy(order="F")
    matrix[np.diag_indices_from(matrix)] += mu
    _, x, info = dposv(matrix, right, lower=True, overwrite_a=True)
    return np.full(right.shape, np.nan) if info else x
