r"""Where a system rests, `fixed_points`, and where it nearly does, `slow_points`.

Both look from many starts for zeros and for minima of the speed ``q(x) = |F(x)|**2 / 2`` (Sussillo
and Barak 2013), F = dx/dt for a flow and f(x) - x for a map. Instead of descending q step by step,
as is usual (Golub and Sussillo 2018), they use the exact Jacobian: Newton's method with a trust
region, and Levenberg and Marquardt's where that fails.

Newton's method goes to saddles of many unstable directions as readily as to attractors, and by
itself misses attractors whose basins it cuts small. Some starts are therefore followed along the
flow, for a shorter or a longer while, and searched from there too.

A small q alone does not make a fixed point: each point is polished to rounding, and reported as
fixed only if Newton's method then expects a zero there, see
`neurodyn.analyses.equilibria._roots.linearised`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count, checked_number
from neurodyn._blas import one_blas_thread
from neurodyn.analyses._starts import check_has_fixed_points, find_starts, free_states
from neurodyn.analyses._systems import System, as_system
from neurodyn.analyses.equilibria import _newton, _roots
from neurodyn.analyses.equilibria.record import FixedPoints, growth_order
from neurodyn.solvers import Euler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neurodyn._arrays import RNG
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

#: Real parts, and distances of factors from 1, below this times the Jacobian's size are 0.
_NEUTRAL = 1e-6
#: Lengths of followed flows, in steps of the inverse of the largest rate.
_FOLLOW = (16, 64, 256)
#: Of the starts, so many are followed by default.
_N_FOLLOWED = 128
#: Speed of slow points over the median speed at the starts, squared.
_SLOW = 1e-2
#: Places of slow points nearer than so many merging tolerances are refined only once.
_COARSE = 10
#: Points that are asked whether they lie on a line of others.
_N_WALKS = 8
_OUTCOMES = ("converged", "minimum of q", "out of iterations", "diverged")


def fixed_points(
    system: Network | Flow | Map,
    *,
    starts: Any = None,
    n_starts: int | None = None,
    spread: Any = 1.0,
    inputs: Mapping[str, Any] | None = None,
    free: Any = None,
    solver: Solver | None = None,
    q_tol: float = 1e-12,
    max_iter: int = 200,
    merge: float = 1e-3,
    outlier: float = 10.0,
    follow: int | None = None,
    escapes: int = 2,
    rng: RNG = None,
) -> FixedPoints:
    """Fixed points of a network, flow or map, with their stability.

    Parameters
    ----------
    system : Network, Flow or Map
    starts : array_like (start, state), or Dataset, optional
        Where to look from: states in the order of the system's flat state, or a recording of all
        states by `neurodyn.simulate`, from which `n_starts` are drawn. Default: drawn.
    n_starts : int, optional
        Number of starts that are drawn, default 256.
    spread : float, array_like (state,) or dict of str to number
        Standard deviation of drawn starts, around 0 for a flow or map and around a network's
        initial states; default 1. By name for states of different sizes: ``{"E.v": 5*nd.mV}``.
    inputs : dict of str to array_like, optional
        Constant inputs of a network, 0 where not given.
    free : sequence of str or int, optional
        States that may move, by name (``"E.x"``, ``"E.x[3]"``) or number; the others stay where
        all starts have them. Default all.
    solver : neurodyn.Euler, optional
        Takes a network as the map that Euler's method makes of it: the same points, the stability
        of ``1 + dt J``.
    q_tol : float
        q at which a start has converged. Points are polished beyond it.
    max_iter : int
        Jacobians for one start, default 200.
    merge : float
        Places are the same point if no state differs by more than this times its size; default
        1e-3. A state's size is its root mean square at starts or points, if that is larger.
    outlier : float
        Points further from the mean of the starts than this times their mean distance are dropped;
        default 10, ``inf`` keeps all.
    follow : int, optional
        How many of the starts are also followed along the flow, for 16, 64 or 256 times the inverse
        of the fastest rate, default at most 128. These are more starts: see `FixedPoints.starts`.
    escapes : int
        How often a start that ends in a minimum with q > 0 leaves it along the flow; default 2.
    rng : int, SeedSequence, Generator or None

    Returns
    -------
    FixedPoints
        If no point is fixed, the slow points where the search ended, with a `verdict` that says so.

    Raises
    ------
    ValueError
        For spiking networks, equations that contain the time, unknown states, starts that do not
        fit.

    Warns
    -----
    UserWarning
        If the network has noise, which is left out.

    Notes
    -----
    No search proves that there are no further points. Whether more starts find more is the test
    at hand, and for flows in a bounded region the index theorem: the signs of the Jacobians'
    determinants sum to a number that does not depend on the parameters (Milnor 1965).

    Examples
    --------
    >>> import neurodyn as nd
    >>> from neurodyn import analyses
    >>> pairs = nd.rate_network([[0.0, 2.0], [2.0, 0.0]], tau=1.0)
    >>> found = analyses.fixed_points(pairs, rng=0)
    >>> found.verdict, found.counts
    ('fixed points', {'stable': 2, 'saddle': 1})
    >>> abs(found.x[0]).round(4)
    array([1.915, 1.915])
    """
    task = _Task.of(system, starts, n_starts, spread, inputs, free, solver, rng,
                    q_tol, max_iter, merge, outlier)  # fmt: skip
    n_follow = min(len(task.starts), _N_FOLLOWED) if follow is None else follow
    with one_blas_thread():
        task.add_followed(checked_count(n_follow, "follow", 0))
        found = _search(task, checked_count(escapes, "escapes", 0))
        return _record(task, found, with_slow="if there is nothing else")


def slow_points(
    system: Network | Flow | Map,
    *,
    starts: Any = None,
    n_starts: int | None = None,
    spread: Any = 1.0,
    inputs: Mapping[str, Any] | None = None,
    free: Any = None,
    solver: Solver | None = None,
    q_max: float | None = None,
    q_tol: float = 1e-12,
    max_iter: int = 200,
    merge: float = 1e-3,
    outlier: float = 10.0,
    rng: RNG = None,
) -> FixedPoints:
    """Minima of the speed ``q(x) = |F(x)|**2 / 2``: slow points, and fixed points where it is 0.

    A minimum with q > 0 is where a fixed point has just vanished or is about to appear, a "ghost":
    trajectories stay there for long.

    Parameters
    ----------
    system, starts, n_starts, spread, inputs, free, solver, max_iter, merge, outlier, rng
        As for `fixed_points`.
    q_max : float, optional
        Largest q of a slow point, in squared units of the states per s (per step for a map).
        Default a hundredth of the median over the starts: a tenth of their speed.
    q_tol : float
        As for `fixed_points`.

    Returns
    -------
    FixedPoints
        Slow points have the kind ``"slow"``; their eigenvalues are those of the Jacobian there.

    Notes
    -----
    Each slow point is a minimum of q itself, found with second derivatives of F (differences of the
    exact gradient): Gauss and Newton's method, which leaves these out, only brings the search near.

    Examples
    --------
    >>> import neurodyn as nd
    >>> from neurodyn import analyses
    >>> ghost = nd.Flow(lambda x: 0.01 + x**2, 1)
    >>> found = analyses.slow_points(ghost, rng=0)
    >>> found.verdict, found.kind, float(found.q[0])
    ('only slow points', ('slow',), 5...e-05)
    """
    task = _Task.of(system, starts, n_starts, spread, inputs, free, solver, rng,
                    q_tol, max_iter, merge, outlier)  # fmt: skip
    with one_blas_thread():
        if q_max is not None:
            task.q_max = checked_number(q_max, "q_max", 0.0)
        return _record(task, _search(task, 0), with_slow="always")


# ------------------------------------------------------------------------------------ the task


@dataclass
class _Task:
    """A search: the system as a problem in its free states, and its settings."""

    system: System
    problem: _newton.Problem
    dt: float | None
    free: np.ndarray
    starts: np.ndarray
    n_followed: int
    q_tol: float
    q_max: float
    max_iter: int
    merge: float
    outlier: float
    reference: float

    @classmethod
    def of(cls, source, starts, n_starts, spread, inputs, free, solver, rng,
           q_tol, max_iter, merge, outlier) -> _Task:  # fmt: skip
        """Checked arguments."""
        system = as_system(source, inputs)
        check_has_fixed_points(system)
        dt = _step(system, solver)
        states = free_states(system, free)
        begin = find_starts(system, starts, n_starts, spread, rng, states)
        for name, value in (("q_tol", q_tol), ("merge", merge), ("outlier", outlier)):
            if not isinstance(value, (int, float)) or not value > 0:
                raise ValueError(f"`{name}` must be positive; got {value!r}")
        size = np.sqrt(np.mean(begin[:, states] ** 2, axis=0))
        problem = _problem(system, dt, states, begin[0], np.where(size > 0, size, 1.0))
        _, q = problem.at(begin[:, states])
        finite = np.isfinite(q)
        if not finite.any():
            raise ValueError("`starts`: dx/dt is not finite at any of them")
        some = begin[finite][:16][:, states]
        scaled = problem.jacobian(some) * problem.scale / problem.scale[:, None]
        reference = float(np.median(np.abs(scaled).sum(axis=2).max(axis=1)))
        return cls(system, problem, dt, states, begin, 0, float(q_tol),
                   _SLOW * float(np.median(q[finite])), checked_count(max_iter, "max_iter"),
                   float(merge), float(outlier), reference)  # fmt: skip

    def add_followed(self, n: int) -> None:
        """More starts: some of them after a while along the flow."""
        if not n:
            return
        n = min(n, len(self.starts))
        chosen = np.linspace(0, len(self.starts) - 1, n).astype(int)
        lengths = np.array(_FOLLOW)[np.arange(n) % len(_FOLLOW)]
        there = _newton.followed(self.problem, self.starts[chosen][:, self.free], lengths)
        self.starts = np.concatenate([self.starts, self.full(there)])
        self.n_followed = len(there)

    def full(self, x: np.ndarray) -> np.ndarray:
        """Free states among those that are held."""
        found = np.repeat(self.starts[:1], len(x), axis=0)
        found[:, self.free] = x
        return found


def _step(system: System, solver: Solver | None) -> float | None:
    if solver is None:
        return None
    if not isinstance(solver, Euler):
        raise TypeError(
            f"`solver` must be nd.Euler(dt=...), whose step is x + dt F(x); got {solver!r}. "
            "Without a solver stability is that of the flow"
        )
    if system.is_map:
        raise ValueError("`solver` makes a map of a flow, and this is a Map")
    return float(solver.dt)


def _problem(system: System, dt: float | None, free, at, scale) -> _newton.Problem:
    """F and its Jacobian in the free states: dx/dt, or what a step of the map adds."""
    factor = 1.0 if dt is None else dt
    every = free.size == system.n_states
    identity = np.eye(free.size) if system.is_map else 0.0

    def whole(x):
        if every:
            return x
        states = np.repeat(at[None], len(x), axis=0)
        states[:, free] = x
        return states

    def residual(x):
        f = system.field(whole(x))
        f = f if every else f[:, free]
        return f - x if system.is_map else factor * f

    def jacobian(x):
        j = system.jacobian(whole(x))
        j = j if every else j[:, free[:, None], free]
        return j - identity if system.is_map else factor * j

    return _newton.Problem(residual, jacobian, scale)


# ------------------------------------------------------------------- search, test, classify


@dataclass
class _Candidates:
    """Places that a search ended at, and which of them each start belongs to."""

    x: np.ndarray
    group: np.ndarray  # (start,), -1 for none
    outcome: np.ndarray  # (start,) of str
    iterations: np.ndarray
    stalls: np.ndarray


def _search(task: _Task, escapes: int) -> _Candidates:
    """Zeros by Newton's method, polished and merged."""
    problem = task.problem
    found = _newton.search(problem, task.starts[:, task.free], q_tol=task.q_tol,
                           max_iter=task.max_iter, escapes=escapes)  # fmt: skip
    outcome = np.array(_OUTCOMES, dtype=object)[found.outcome]
    rows = np.flatnonzero(found.outcome == _newton.CONVERGED)
    stalls = np.where(
        (found.outcome == _newton.OUT_OF_STEPS)[:, None], found.x, found.stalls
    )
    if rows.size:
        size = np.sqrt(np.mean(found.x[rows] ** 2, axis=0))
        problem.scale = np.maximum(problem.scale, size)
    x, group = _polished_and_merged(task, found.x[rows], found.q[rows])
    of_start = np.full(len(found.x), -1)
    of_start[rows] = group
    far = _far(task, x)
    outcome[(of_start >= 0) & far[of_start]] = "outlier"
    of_start = np.where(far[of_start], -1, of_start)
    return _Candidates(x, of_start, outcome, found.iterations, stalls)


def _polished_and_merged(task: _Task, x, q) -> tuple[np.ndarray, np.ndarray]:
    """Points, and the number of the one that each place became."""
    if not len(x):
        return x, np.zeros(0, int)
    problem = task.problem
    first = _roots.merged(x, q, problem.scale, task.merge)
    best = np.array([np.flatnonzero(first == g)[np.argmin(q[first == g])]
                     for g in range(first.max() + 1)])  # fmt: skip
    points = _roots.polished(problem, x[best])
    # polishing may show that groups were the same: near a fold places are found badly
    _, q = problem.at(points)
    second = _roots.merged(points, q, problem.scale, task.merge)
    keep = [np.flatnonzero(second == g)[np.argmin(q[second == g])] for g in range(second.max() + 1)]
    return points[keep], second[first]


def _far(task: _Task, x: np.ndarray) -> np.ndarray:
    """Whether points are outliers; one more entry, False, for the number -1."""
    begin = task.starts[: len(task.starts) - task.n_followed, task.free] / task.problem.scale
    centre = begin.mean(axis=0)
    typical = np.linalg.norm(begin - centre, axis=1).mean()
    distance = np.linalg.norm(x / task.problem.scale - centre, axis=1)
    far = distance > task.outlier * typical if typical > 0 else np.zeros(len(x), bool)
    return np.append(far, False)


def _record(task: _Task, found: _Candidates, with_slow: str) -> FixedPoints:
    problem, group, outcome = task.problem, found.group, found.outcome
    at = _roots.linearised(problem, found.x, task.reference)
    used = np.isin(np.arange(len(found.x)), group)
    fixed = used & at.is_root
    lost = (group >= 0) & ~np.append(fixed, False)[group]
    outcome[lost] = "not a fixed point"
    places = np.where(lost[:, None], found.x[group] if len(found.x) else 0.0, found.stalls)
    slow = np.empty((0, task.free.size))
    slow_group = np.full(len(group), -1)
    if with_slow == "always" or not fixed.any():
        slow, slow_group = _slow(task, places)
        outcome[(slow_group >= 0) & (with_slow == "always")] = "converged"
    dimension = _continuum(task, at, fixed)
    x = np.concatenate([found.x[fixed], slow])
    number = np.full(len(found.x) + 1, -1)
    number[:-1][fixed] = np.arange(fixed.sum())
    of_start = number[group]
    of_start = np.where((of_start < 0) & (slow_group >= 0), slow_group + fixed.sum(), of_start)
    return _assembled(task, x, int(fixed.sum()), of_start, outcome, found.iterations, dimension)


def _slow(task: _Task, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minima of q near places (NaN for none), and which of them each place leads to."""
    problem = task.problem
    group = np.full(len(places), -1)
    rows = np.flatnonzero(np.isfinite(places).all(axis=1))
    rows = rows[np.isfinite(problem.at(places[rows])[1])]
    if not rows.size:
        return np.empty((0, task.free.size)), group
    x = places[rows]
    first = _roots.merged(x, problem.at(x)[1], problem.scale, _COARSE * task.merge)
    begin = np.array([np.flatnonzero(first == g)[0] for g in range(first.max() + 1)])
    refined = [_roots.lowest(problem, x[k]) for k in begin]
    minima = np.stack([place for place, _ in refined])
    _, q = problem.at(minima)
    good = np.array([is_minimum for _, is_minimum in refined]) & (q <= task.q_max)
    good &= ~_far(task, minima)[:-1]
    if not good.any():
        return np.empty((0, task.free.size)), group
    second = np.full(len(minima), -1)
    second[good] = _roots.merged(minima[good], q[good], problem.scale, task.merge)
    keep = [np.flatnonzero(second == g)[0] for g in range(second.max() + 1)]
    group[rows] = second[first]
    return minima[keep], group


def _continuum(task: _Task, at: _roots.Linearised, fixed: np.ndarray) -> int:
    """Dimension of a continuum of fixed points; 0 if they are isolated."""
    zeros = _roots.nullity(at.singular, task.reference)
    candidates = np.flatnonzero(fixed & (zeros > 0))
    if not candidates.size:
        return 0
    some = candidates[np.linspace(0, candidates.size - 1, _N_WALKS).astype(int)]
    some = np.unique(some)
    on_a_line = [_roots.continues(task.problem, at.x[k], at.null[k], task.reference) for k in some]
    return int(np.median(zeros[some])) if np.mean(on_a_line) > 0.5 else 0


def _assembled(task: _Task, x, n_fixed, of_start, outcome, iterations, dimension) -> FixedPoints:
    """The record, its points in order."""
    problem, is_map = task.problem, task.system.is_map or task.dt is not None
    at = _roots.linearised(problem, x, task.reference)
    jacobian = at.jacobian + np.eye(task.free.size) if is_map else at.jacobian
    values = np.linalg.eigvals(jacobian).astype(complex)
    values = np.take_along_axis(values, growth_order(values, is_map), axis=-1)
    kinds = [_kind(v, is_map, task.reference) for v in values]
    kind = np.array([k for k, _ in kinds], dtype=object)
    n_unstable = np.array([n for _, n in kinds], int)
    kind[n_fixed:] = "slow"
    _, q = problem.at(x)
    order = np.lexsort((*np.round(x.T[::-1], 9), n_unstable, np.arange(len(x)) >= n_fixed))
    number = np.full(len(x) + 1, -1)
    number[order] = np.arange(len(x))
    of_start = number[of_start]
    verdict = "fixed points" if n_fixed else "only slow points"
    if not len(x):
        verdict = "no fixed point found"
    elif dimension:
        verdict = "a continuum of fixed points"
    top = np.maximum(at.singular[:, 0], task.reference)
    return FixedPoints(
        task.full(x)[order], tuple(kind[order]), n_unstable[order], q[order], values[order],
        jacobian[order], (at.singular[:, -1] / top)[order],
        np.bincount(of_start[of_start >= 0], minlength=len(x)), verdict, dimension, task.starts,
        task.n_followed, of_start, tuple(outcome), iterations, task.system.state_names, task.free,
        is_map, task.dt, task.q_tol, task.q_max, task.merge, problem.scale,
    )  # fmt: skip


def _kind(eigenvalues: np.ndarray, is_map: bool, reference: float) -> tuple[str, int]:
    """Kind of a fixed point, and its number of unstable directions."""
    growth = np.abs(eigenvalues) - 1 if is_map else eigenvalues.real
    zero = _NEUTRAL * (1.0 if is_map else max(float(np.abs(eigenvalues).max()), reference))
    n_unstable = int((growth > zero).sum())
    if n_unstable:
        return ("source" if n_unstable == growth.size else "saddle"), n_unstable
    neutral = np.abs(growth) <= zero
    if not neutral.any():
        return "stable", 0
    rotates = np.abs(eigenvalues.imag) > zero
    return ("centre" if (neutral & rotates).any() and not (neutral & ~rotates).any()
            else "neutral"), 0  # fmt: skip
