"""Covariant Lyapunov vectors: the directions that grow at each exponent's rate, forward and back.

Those of the orthonormalisation depend on the scalar product, all but the first. Covariant vectors
do not, and a step maps each onto itself at the next time. They are found by going forward, keeping
the triangular factors, and then back with their inverses (Ginelli et al. 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import qr, solve_triangular

from neurodyn.analyses.lyapunov._tangent_flows import carrier
from neurodyn.analyses.lyapunov.exponents import (
    LyapunovPlan,
    align_vectors,
    checked_vectors,
    root_seed,
    spectrum_plan,
    threads_of,
)
from neurodyn.flow import Flow, Map
from neurodyn.network import Network
from neurodyn.solvers import Solver

#: Vectors are kept in memory: this many bytes at most.
_LARGEST = 2**31


@dataclass(frozen=True)
class CovariantVectors:
    """Covariant Lyapunov vectors along a stretch of a trajectory.

    Attributes
    ----------
    vectors : ndarray, (time, n_states, k)
        Unit columns, the fastest growing first.
    states : ndarray, (time, n_states)
        Where they are.
    times : ndarray, (time,)
        Counted from the end of the transient.
    exponents : ndarray, (k,)
        Mean rate of growth of each vector over the stretch, per unit of time.
    orthonormal_exponents : ndarray, (k,)
        The same stretch by orthonormalisation, as `lyapunov_spectrum` does it: evidence, since both
        converge to the Lyapunov exponents.
    interval : float
        Time between the vectors.
    """

    vectors: np.ndarray
    states: np.ndarray
    times: np.ndarray
    exponents: np.ndarray
    orthonormal_exponents: np.ndarray
    interval: float

    @property
    def angles(self) -> np.ndarray:
        """Smallest angle, rad, between each two directions at each time, (time, k, k)."""
        gram = np.abs(np.einsum("tni,tnj->tij", self.vectors, self.vectors))
        return np.arccos(np.clip(gram, 0.0, 1.0))

    @property
    def participation(self) -> np.ndarray:
        """States that take part in each vector, 1/sum(v**4), (time, k)."""
        return 1 / (self.vectors**4).sum(axis=1)


def covariant_lyapunov_vectors(
    system: Network | Flow | Map,
    solver: Solver | None = None,
    k: int | None = None,
    *,
    duration: Any,
    transient: Any = None,
    backward_transient: Any = None,
    interval: Any = None,
    inputs: Any = None,
    initial: Any = None,
    vectors: Any = None,
    rng: Any = None,
) -> CovariantVectors:
    """The k leading covariant Lyapunov vectors along one run.

    Parameters
    ----------
    system, solver, k, inputs, initial, vectors, rng
        As for `lyapunov_spectrum`.
    duration : float or quantity, s
        Stretch for which vectors are wanted; in steps for a map.
    transient : float or quantity, s, optional
        Before it; default a fifth of `duration`.
    backward_transient : float or quantity, s, optional
        After it, for the vectors to align on their way back; default half of `duration`. The slower
        of two vectors aligns at the rate of the gap between their exponents.
    interval : float or quantity, s, optional
        Time between vectors; default as for `lyapunov_spectrum`.

    Returns
    -------
    CovariantVectors

    Raises
    ------
    MemoryError
        If what has to be kept, n_states k numbers an interval, is more than 2 GiB.
    ValueError, ArithmeticError
        As for `lyapunov_spectrum`.
    """
    plan = spectrum_plan(system, solver, k, duration, transient, interval)
    more = plan.n_steps // 2
    if backward_transient is not None:
        more = spectrum_plan(system, solver, k, backward_transient, 0, None).n_steps
    root = root_seed(rng)
    run = carrier(
        system, solver, plan.k, duration=(plan.n_transient + plan.n_steps + more) * plan.dt,
        trials=1, inputs=inputs, initial=initial, rng=root, dtype="float64", threads=1,
    )  # fmt: skip
    first = checked_vectors(vectors, plan, root)
    with threads_of(plan):
        every = align_vectors(run, plan, first)
        wanted, after = max(1, plan.n_steps // every), max(1, -(-more // every))
        _check_memory(plan, wanted, after)
        states, q, r = _forward(run, every, wanted, after)
        vectors, growth = _backward(q, r, np.random.default_rng(root.spawn(1)[0]))
    interval = every * plan.dt
    with np.errstate(divide="ignore"):
        by_r = np.log(np.abs(np.diagonal(r[:wanted], axis1=1, axis2=2))).mean(axis=0) / interval
    return CovariantVectors(
        vectors, states, np.arange(wanted + 1) * interval, growth / interval, by_r, interval
    )


def _check_memory(plan: LyapunovPlan, wanted: int, after: int) -> None:
    needed = 8 * plan.k * (plan.n_states * (2 * wanted + 1) + plan.k * (wanted + after))
    if needed > _LARGEST:
        raise MemoryError(
            f"{wanted} times {plan.k} vectors of {plan.n_states} states need "
            f"{needed / 2**30:.1f} GiB: take fewer vectors (`k`), a shorter `duration`, or a "
            "longer `interval`"
        )


def _forward(run, every: int, wanted: int, after: int):
    """States and orthonormal vectors at the times wanted, and all triangular factors."""
    states, q, r = [run.state[0]], [run.tangents[0]], []
    for n in range(wanted + after):
        run.advance(every)
        now, factor = qr(run.tangents[0], mode="economic", check_finite=False)
        if not np.isfinite(factor).all() or not np.diagonal(factor).all():
            raise ArithmeticError(
                "a tangent vector is 0 or not finite: the run diverges, or a step maps some "
                "direction to 0; ask for fewer vectors (`k`), or take a smaller dt"
            )
        run.tangents = now[None]
        r.append(factor)
        if n < wanted:
            q.append(now)
            states.append(run.state[0])
    return np.array(states), np.array(q), np.array(r)


def _backward(q, r, rng) -> tuple[np.ndarray, np.ndarray]:
    """Covariant vectors at the times of `q`, and the mean logarithm of their growth."""
    k = r.shape[1]
    coefficients = _unit_columns(np.triu(rng.normal(size=(k, k))))
    vectors, growth = np.empty_like(q), np.zeros(k)
    for n in range(len(r) - 1, len(q) - 2, -1):  # back to the last time that is wanted
        coefficients = _unit_columns(_unmapped(r[n], coefficients))
    for n in range(len(q) - 1, -1, -1):
        vectors[n] = q[n] @ coefficients
        if n:
            back = _unmapped(r[n - 1], coefficients)
            growth -= np.log(np.linalg.norm(back, axis=0))
            coefficients = _unit_columns(back)
    return vectors, growth / (len(q) - 1)


def _unmapped(factor, coefficients):
    return solve_triangular(factor, coefficients, check_finite=False)


def _unit_columns(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=0)
