r"""How far a linear system amplifies a state before it decays: `transient_growth`.

The largest amplification at the time t is the norm ``|exp(J t)|``, for a map ``|A**k|``; singular
vectors of the propagator are the state that grows most and what it becomes. In networks this is
how balanced amplification makes large responses out of small inputs (Murphy and Miller 2009), and
how optimal initial states of movements are found (Hennequin, Vogels and Gerstner 2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.analyses.linear._linearised import local_system
from neurodyn.analyses.linear.linearisation import Linearisation, linearisation
from neurodyn.units import to_si

if TYPE_CHECKING:
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

#: The horizon is doubled until the norm is below this, at most so often.
_DECAYED, _DOUBLINGS = 0.1, 60
#: First of the times at equal ratios, in inverse norms of J, and how many come to an octave.
_FIRST, _PER_OCTAVE = 0.02, 8
#: So many peaks of the sampled norm are refined.
_N_PEAKS = 5
#: Largest number of steps of a map that is looked at one by one.
_MAX_STEPS = 100_000


@dataclass(frozen=True, eq=False)
class TransientGrowth:
    """Largest amplification of a linear system over time.

    Attributes
    ----------
    times : ndarray, (time,)
        s; steps for a Map.
    amplification : ndarray, (time,)
        Norm of the propagator: the largest factor by which the length of any state has changed.
    maximum : float
    time : float
        When the maximum is reached.
    upper_bound : float
        No amplification is larger than this within the times, between the sampled ones neither:
        from one to the next, growth is at most that at the rate of the numerical abscissa, and at
        most that from the start over a step as long. Where it is far above `maximum`, fast
        oscillations may hide a higher peak: give a `duration`, or more `n_times`.
    is_global : bool
        Whether nothing later can exceed what was looked at: the norm has fallen below 1 by the
        last of the times.
    initial : ndarray, (n,)
        The state of length 1 that grows most.
    final : ndarray, (n,)
        What it has become, over `maximum`.
    linearisation : Linearisation
    """

    times: np.ndarray
    amplification: np.ndarray
    maximum: float
    time: float
    upper_bound: float
    is_global: bool
    initial: np.ndarray
    final: np.ndarray
    linearisation: Linearisation


def transient_growth(
    system: Network | Flow | Map | Any,
    x: Any = None,
    *,
    duration: Any = None,
    n_times: int = 200,
    inputs: Mapping[str, Any] | None = None,
    solver: Solver | None = None,
    is_map: bool | None = None,
) -> TransientGrowth:
    """The largest amplification of any state of a linear system, and the state.

    Parameters
    ----------
    system : Network, Flow, Map or array_like (n, n)
    x : array_like (n,) or dict, optional
        The fixed point, see `linearise`.
    duration : float or Quantity, s, optional
        How far to look (steps for a Map). Default: until all have decayed to a tenth, so that the
        maximum is the global one. Needed where the system is not stable.
    n_times : int
        Equal steps at which the norm is sampled, default 200; times at equal ratios are added down
        to the fastest that J allows. The highest peaks are then refined. A map is looked at in
        every step.
    inputs, solver, is_map
        As for `linearise`.

    Returns
    -------
    TransientGrowth

    Raises
    ------
    ValueError
        If the system is not stable and there is no `duration`: amplification has no maximum then.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> found = analyses.transient_growth([[-1.0, 10.0], [0.0, -1.0]])
    >>> round(found.maximum, 3), round(found.time, 3), found.is_global
    (3.716, 0.98, True)
    """
    modes = linearisation(local_system(system, x, inputs, solver, is_map))
    n_times = checked_count(n_times, "n_times", 2)
    if duration is None and modes.stability != "stable":
        raise ValueError(
            f"the linear system is {modes.stability}: amplification has no maximum. Give the "
            "`duration` over which to look"
        )
    if duration is not None:
        duration = float(to_si(duration, "duration").value)
        if not 0 < duration < np.inf:
            raise ValueError(f"`duration` must be positive and finite; got {duration!r}")
    if modes.is_map:
        return _of_map(modes, duration)
    return _of_flow(modes, duration, n_times)


def _of_flow(modes: Linearisation, duration: float | None, n_times: int) -> TransientGrowth:
    from scipy.linalg import expm
    from scipy.optimize import minimize_scalar

    J = modes.jacobian
    if duration is None:
        duration = _horizon(modes)
    times, norms = _sampled(J, duration, n_times)
    best, top = times[np.argmax(norms)], norms.max()
    for k in _peaks(norms):
        low, high = times[max(k - 1, 0)], times[min(k + 1, len(times) - 1)]
        refined = minimize_scalar(
            lambda t: -np.linalg.norm(expm(J * t), 2), bounds=(low, high), method="bounded",
            options={"xatol": 1e-6 * (high - low)},
        )  # fmt: skip
        if -refined.fun > top:
            best, top = float(refined.x), -refined.fun
    bound = _upper_bound(times, norms, modes.numerical_abscissa)
    return _record(modes, times, norms, float(best), expm(J * best), bound)


def _sampled(J: np.ndarray, duration: float, n_times: int) -> tuple[np.ndarray, np.ndarray]:
    """Norms at equal steps, and at times of equal ratios from the fastest that can happen on.

    Amplification by fast modes is long over at the first of the equal steps if others are slow.
    """
    from scipy.linalg import expm

    even = np.linspace(0, duration, n_times + 1)
    found = {0.0: 1.0}
    step, P = expm(J * even[1]), np.eye(len(J))
    for t in even[1:]:
        P = step @ P
        found[float(t)] = float(np.linalg.norm(P, 2))
    first = _FIRST / max(float(np.linalg.norm(J, 2)), 1e-300)
    for t in first * 2.0 ** (np.arange(_PER_OCTAVE) / _PER_OCTAVE):
        P = expm(J * t)
        while t < even[1] * n_times / _PER_OCTAVE:  # from there on equal steps are nearer
            if t < duration:
                found.setdefault(float(t), float(np.linalg.norm(P, 2)))
            P, t = P @ P, 2 * t
    times = np.array(sorted(found))
    return times, np.array([found[t] for t in times])


def _peaks(norms: np.ndarray) -> np.ndarray:
    """The highest of the samples that are above their neighbours."""
    padded = np.concatenate([[-np.inf], norms, [-np.inf]])
    above = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:]))
    return above[np.argsort(-norms[above], kind="stable")[:_N_PEAKS]]


def _upper_bound(times: np.ndarray, norms: np.ndarray, numerical_abscissa: float) -> float:
    """No amplification is larger, between the samples neither.

    Within the step h after t it is at most ``|exp(J t)|`` times the largest up to h, which is at
    most exp(h numerical abscissa), and for large h bounded by what has been found for the times up
    to h.
    """
    rate, highest = max(numerical_abscissa, 0.0), np.ones(len(times))
    for k, h in enumerate(np.diff(times), start=1):
        growth = np.exp(min(rate * h, 700.0))
        known = int(np.searchsorted(times[:k], h))  # times[known] >= h
        if known < k:
            growth = min(growth, highest[known])
        highest[k] = max(highest[k - 1], norms[k], norms[k - 1] * growth)
    return float(highest[-1])


def _horizon(modes: Linearisation) -> float:
    """When all has decayed, from the slowest mode on by doubling."""
    from scipy.linalg import expm

    duration = 1 / max(-modes.spectral_abscissa, 1e-300)
    P = expm(modes.jacobian * duration)
    for _ in range(_DOUBLINGS):
        if np.linalg.norm(P, 2) < _DECAYED:
            return duration
        P, duration = P @ P, 2 * duration
    raise ArithmeticError(
        f"activity has not decayed after {duration:.3g}: the system is at the border of stability. "
        "Give the `duration` over which to look"
    )


def _of_map(modes: Linearisation, duration: float | None) -> TransientGrowth:
    A, P, norms = modes.jacobian, np.eye(len(modes.jacobian)), [1.0]
    best, top = P, 1.0
    n_steps = _MAX_STEPS if duration is None else round(duration / modes.dt)
    if duration is not None and (n_steps < 1 or abs(duration / modes.dt - n_steps) > 1e-6):
        raise ValueError(
            f"`duration` of a map must be whole steps of {modes.dt:g}; got {duration:g}"
        )
    while len(norms) <= n_steps and (duration is not None or norms[-1] >= _DECAYED):
        P = A @ P
        norms.append(float(np.linalg.norm(P, 2)))
        if norms[-1] > top:
            best, top = P, norms[-1]
    if duration is None and norms[-1] >= 1:
        raise ArithmeticError(
            f"activity has not decayed after {n_steps} steps: the system is at the border of "
            "stability. Give the `duration` over which to look"
        )
    times = modes.dt * np.arange(len(norms))
    return _record(modes, times, np.array(norms), times[int(np.argmax(norms))], best, top)


def _record(modes, times, norms, time: float, P: np.ndarray, bound: float) -> TransientGrowth:
    left, values, right = np.linalg.svd(P)
    sign = np.sign(right[0, np.argmax(np.abs(right[0]))])
    return TransientGrowth(
        times, norms, float(values[0]), time, max(bound, float(values[0])), bool(norms[-1] < 1),
        sign * right[0], sign * left[:, 0], modes,
    )  # fmt: skip
