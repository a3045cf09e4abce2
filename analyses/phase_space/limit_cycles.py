"""Limit cycles: orbit and period by shooting, Floquet multipliers, phase response curves.

A state x and a period T are corrected by Newton's method until the flow returns to x after T. The
derivative of the flow, the monodromy matrix, is integrated along with the orbit; its eigenvalues
are the multipliers, by which small deviations grow in one turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.analyses._systems import System, as_system
from neurodyn.population import listed, suggestion
from neurodyn.units import SECOND, UnitError, format_dimension, to_si

if TYPE_CHECKING:
    from neurodyn.flow import Flow
    from neurodyn.network import Network

#: Tolerance of all integrations along a cycle; the least that SciPy accepts is 2e-14.
_RTOL = 1e-12
#: Newton steps; distance, relative to the size of the orbit, at which the orbit is closed.
_STEPS, _CLOSED = 30, 1e-9
#: What was integrated to find a cycle may return this far aside, relative to its size.
_NEAR = 0.05


@dataclass(frozen=True)
class LimitCycle:
    """A periodic orbit.

    Attributes
    ----------
    period : float
        s for a network.
    time : ndarray, (point,)
        From 0 to the period, both ends included.
    states : ndarray, (point, n_states)
        From the maximum of the first state that moves; phase 0 is there.
    state_names : tuple of str
    multipliers : ndarray of complex, (n_states,)
        Floquet multipliers, largest first: eigenvalues of the monodromy matrix. In two dimensions
        the one that is not 1 is ``exp(log_volume)``, which is precise however small it is; with
        more states those below 1e-13 times the largest are not resolved.
    stable : bool
        Whether all but the trivial one lie inside the unit circle.
    log_volume : float
        Logarithm of the product of all multipliers: the integral of the trace of the Jacobian.
    phase_response : ndarray, (point, n_states)
        Time by which a small kick of each state advances the rhythm, per unit of the state.
    residual : float
        Distance between the ends of the orbit, relative to its size.
    trivial_error : float
        Of the multiplier that is 1.
    volume_error : float
        Between ``log abs(det)`` of the monodromy matrix and `log_volume`; NaN where the determinant
        is lost in rounding.
    response_error : float
        Largest deviation of (phase response) . (rate of change) from 1 along the cycle.
    history : ndarray, (iteration,)
        `residual` in the course of Newton's method.
    """

    period: float
    time: np.ndarray = field(repr=False)
    states: np.ndarray = field(repr=False)
    state_names: tuple[str, ...]
    multipliers: np.ndarray
    stable: bool
    log_volume: float
    phase_response: np.ndarray = field(repr=False)
    residual: float
    trivial_error: float
    volume_error: float
    response_error: float
    history: np.ndarray = field(repr=False)

    @property
    def phase(self) -> np.ndarray:
        """Share of the period, 0 to 1, (point,)."""
        return self.time / self.period

    @property
    def amplitude(self) -> np.ndarray:
        """Half of the distance from the lowest to the highest point of each state, (n_states,)."""
        return np.ptp(self.states, axis=0) / 2

    def of(self, name: str | int) -> np.ndarray:
        """One state along the cycle, (point,)."""
        if isinstance(name, str):
            if name not in self.state_names:
                raise ValueError(
                    f"no state `{name}`{suggestion(name, self.state_names) or '.'} "
                    f"There are {listed(self.state_names)}."
                )
            name = self.state_names.index(name)
        return self.states[:, name]

    def __repr__(self) -> str:
        kind = "stable" if self.stable else "unstable"
        return f"<{kind} LimitCycle of period {self.period:.8g}, {self.states.shape[1]} states>"


def limit_cycle(
    system: Network | Flow,
    start: Any,
    *,
    duration: Any = None,
    period: Any = None,
    inputs: Mapping[str, Any] | None = None,
    wrap: Mapping[str, float] | None = None,
    n_points: int = 400,
) -> LimitCycle:
    """The limit cycle near a state, or that to which a run from there settles.

    Parameters
    ----------
    system : Network or Flow
        Without spikes, and without the time in its equations.
    start : array_like (n_states,) or dict of str to float
        Where the run begins; with `period` a state near the cycle.
    duration : float or quantity, s
        Of a run that reaches the cycle and goes round it several times. Needed without `period`.
    period : float or quantity, s, optional
        A guess. Newton's method then begins at `start`, and unstable cycles are found too.
    inputs : dict of str to array_like, optional
        Constant inputs of a network.
    wrap : dict of str to float, optional
        States that are angles, and what a full turn of them is: ``{"theta": 2*np.pi}``. The orbit
        is closed up to whole turns.
    n_points : int
        Of the orbit that is returned, default 400 and one.

    Returns
    -------
    LimitCycle

    Raises
    ------
    ArithmeticError
        If the run rests, diverges or does not come back, or Newton's method does not converge; the
        message says which.

    Notes
    -----
    Single shooting: orbits that repel strongly (multipliers of 1e8 and more) are out of its reach.
    The phase response is the periodic solution of ``dZ/dt = -J^T Z`` with ``Z . F = 1`` (Ermentrout
    and Kopell 1991), integrated backwards, where it is stable if the cycle is.
    Integration by DOP853 with a relative tolerance of 1e-12.

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> from neurodyn import analyses
    >>> def van_der_pol(s, mu):
    ...     x, v = s[..., 0], s[..., 1]
    ...     return np.stack([v, mu*(1 - x**2)*v - x], axis=-1)
    >>> cycle = analyses.limit_cycle(nd.Flow(van_der_pol, 2, parameters={"mu": 1.0}), [1.0, 0.0],
    ...                              duration=50)
    >>> round(cycle.period, 6), cycle.stable
    (6.663287, True)
    """
    orbit = _Orbit(_checked(as_system(system, inputs)), wrap)
    x = orbit.system.state(start, "start")
    if x.ndim != 1:
        raise ValueError(f"`start` must be one state; got shape {x.shape}")
    n_points = checked_count(n_points, "n_points", 8)
    if period is None:
        if duration is None:
            raise ValueError(
                "`duration` is needed: how long a run from `start` takes to reach the cycle and to "
                "go round it several times (or `period`, a guess, if `start` is near the cycle)"
            )
        x, T = orbit.guess(x, _time(duration, "duration"))
    else:
        T = _time(period, "period")
    x, T, history = orbit.closed(x, T)
    x = orbit.at_maximum(x, T)
    x, T, last = orbit.closed(x, T)
    return orbit.result(x, T, n_points, np.append(history, last[-1]))


def _checked(system: System) -> System:
    if system.is_map:
        raise TypeError(
            "`system` is a Map: a cycle of period k is a fixed point of the map applied k times, "
            "nd.Map(lambda x: f(f(x)), n_states)"
        )
    if system.is_spiking:
        raise TypeError(
            f"`system` spikes ({listed(system.source.spiking_populations)}): its state jumps, and "
            "shooting needs a smooth flow. Take equations of the spike itself, or `simulate`"
        )
    if system.depends_on_time:
        raise ValueError("the equations of `system` contain the time: its rhythm is not its own")
    return system


def _time(value: Any, name: str) -> float:
    number, dim = to_si(value, name)
    if dim not in (None, SECOND):
        raise UnitError(f"`{name}` must be a time; got {format_dimension(dim)}")
    if np.ndim(number) or not (np.isfinite(number) and number > 0):
        raise ValueError(f"`{name}` must be a positive time; got {value!r}")
    return float(number)


class _Orbit:
    """Integrations of a system, and states compared up to whole turns."""

    def __init__(self, system: System, wrap: Mapping[str, float] | None):
        self.system, self.n = system, system.n_states
        self.turns = np.zeros(self.n)
        for name, turn in (wrap or {}).items():
            if not (np.isfinite(turn) and turn > 0):
                raise ValueError(f"`wrap[{name!r}]` must be a positive number; got {turn!r}")
            self.turns[system.state_indices(name, "wrap")] = turn

    def difference(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a - b without whole turns."""
        d = a - b
        turns = np.where(self.turns > 0, self.turns, 1.0)
        return np.where(self.turns > 0, d - turns * np.round(d / turns), d)

    def field(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.system.field(x)

    def run(self, x: np.ndarray, T: float, rtol: float = _RTOL, **options: Any):
        """The flow from `x` for `T`, by SciPy."""
        from scipy.integrate import solve_ivp

        size = np.maximum(np.abs(x), np.abs(x).max() or 1.0)
        found = solve_ivp(
            lambda _, y: self.field(y), (0.0, T), x, "DOP853", rtol=rtol, atol=1e-3 * rtol * size,
            **options,
        )  # fmt: skip
        if found.status < 0 or not np.all(np.isfinite(found.y)):
            raise ArithmeticError(
                f"the run from `start` diverges at time {found.t[-1]:.4g}: {found.message}"
            )
        return found

    def guess(self, x: np.ndarray, duration: float) -> tuple[np.ndarray, float]:
        """A state on the cycle and the period, from returns in the last half of a run."""
        typical = np.abs(x).max()
        x = self.run(x, duration / 2, 1e-9).y[:, -1]
        # the plane through x across the flow, as what is seen of it depends on units: scaled
        ahead = self.run(x, duration / 2, 1e-9, dense_output=True)
        extent = self._extent(ahead.y.T)
        f = self.field(x)
        typical = max(typical, np.abs(x).max()) or 1.0
        if extent.max() < 1e-6 * typical or not np.any(f):
            raise ArithmeticError(
                f"no rhythm: after {duration:.4g} from `start` the system rests, the largest rate "
                f"of change is {np.abs(f).max():.3g}; start elsewhere, or give `period`"
            )
        scale = np.where(extent > 1e-9 * extent.max(), extent, extent.max())
        normal = f / scale**2

        def side(_, y: np.ndarray) -> float:
            return float(normal @ self.difference(y, x))

        side.direction = 1.0
        again = self.run(x, duration / 2, 1e-9, events=side)
        times, states = again.t_events[0], again.y_events[0]
        late = times > 1e-6 * duration
        times, states = times[late], states[late].reshape(-1, self.n)
        aside = np.linalg.norm(self.difference(states, x) / scale, axis=1)
        near = aside < _NEAR
        if not near.any():
            best = f", nearest {aside.min():.2g} of its size" if aside.size else ""
            raise ArithmeticError(
                f"no rhythm: the run from `start` does not come back to where it was at "
                f"{duration / 2:.4g}{best}; it rests, is not periodic, or needs a longer `duration`"
            )
        # the first of the returns that are as near as any: not a multiple of the period
        first = int(np.flatnonzero(aside <= max(2 * aside.min(), 1e-3))[0])
        return states[first], float(times[first])

    def _extent(self, states: np.ndarray) -> np.ndarray:
        extent = np.ptp(states, axis=0)
        return np.where(self.turns > 0, np.minimum(extent, self.turns), extent)

    def with_tangent(self, x: np.ndarray, T: float):
        """State, monodromy matrix and integral of the trace after `T`, and the dense path."""
        from scipy.integrate import solve_ivp

        n = self.n

        def rates(_, y: np.ndarray) -> np.ndarray:
            j = self.system.jacobian(y[:n])
            moved = j @ y[n:-1].reshape(n, n)
            return np.concatenate([self.field(y[:n]), moved.ravel(), [np.trace(j)]])

        start = np.concatenate([x, np.eye(n).ravel(), [0.0]])
        size = np.maximum(np.abs(x), np.abs(x).max() or 1.0)
        atol = np.concatenate([1e-3 * _RTOL * size, np.full(n * n + 1, 1e-3 * _RTOL)])
        with np.errstate(all="ignore"):
            found = solve_ivp(rates, (0.0, T), start, "DOP853", rtol=_RTOL, atol=atol)
        y = found.y[:, -1]
        if found.status < 0 or not np.all(np.isfinite(y)):
            raise ArithmeticError(
                f"the flow diverges within the period {T:.4g}: `start` or `period` is too far off"
            )
        return y[:n], y[n:-1].reshape(n, n), float(y[-1]), found.y[:n].T

    def closed(self, x: np.ndarray, T: float) -> tuple[np.ndarray, float, np.ndarray]:
        """State and period corrected until the orbit is closed, and the history of the gap."""
        history: list[float] = []
        first, step_x, step_T = T, np.zeros(self.n), 0.0
        for _ in range(_STEPS):
            for _ in range(8):  # a step from which the flow diverges was too long
                try:
                    end, M, _, path = self.with_tangent(x, T)
                    break
                except ArithmeticError:
                    if not step_T:
                        raise
                    step_x, step_T = step_x / 2, step_T / 2
                    x, T = x - step_x, T - step_T
            else:
                raise ArithmeticError("Newton's method diverges: give a better start and period")
            f = self.field(x)
            gap = self.difference(end, x)
            extent = self._extent(path)
            size = extent.max()
            if size < 1e-7 * (np.abs(x).max() or 1.0) or not np.any(f):
                raise ArithmeticError("Newton's method went to an equilibrium, which is no cycle")
            history.append(float(np.linalg.norm(gap) / np.linalg.norm(extent)))
            if history[-1] < _CLOSED and len(history) > 1 and history[-1] > 0.1 * history[-2]:
                return x, T, np.array(history)  # as good as it gets
            if history[-1] < 1e-13:
                return x, T, np.array(history)
            # phase condition: the correction is across the flow
            scale = np.where(extent > 1e-9 * size, extent, size)
            matrix = np.block([
                [(M - np.eye(self.n)) * scale / scale[:, None],
                 (self.field(end) * T / scale)[:, None]],
                [(f / scale)[None], np.zeros((1, 1))],
            ])  # fmt: skip
            step = np.linalg.lstsq(matrix, np.append(-gap / scale, 0.0), rcond=None)[0]
            step *= min(1.0, 0.3 / np.abs(step).max())
            step_x, step_T = step[:-1] * scale, step[-1] * T
            x, T = x + step_x, T + step_T
        if history[-1] < _CLOSED:
            return x, T, np.array(history)
        raise ArithmeticError(
            f"Newton's method did not close the orbit from the period {first:.6g}: after {_STEPS} "
            f"steps its ends are {history[-1]:.2g} of its size apart; give a longer `duration`, or "
            "a better `start` and `period`"
        )

    def at_maximum(self, x: np.ndarray, T: float) -> np.ndarray:
        """The state of the cycle where the first state that moves is largest."""
        path = self.run(x, T, dense_output=True)
        times = np.linspace(0.0, T, 2000, endpoint=False)
        states = path.sol(times).T
        moves = np.flatnonzero((self._extent(states) > 1e-6 * self._extent(states).max())
                               & (self.turns == 0))  # fmt: skip
        if not moves.size:  # nothing but angles: phase 0 is where the first of them is 0
            angle = int(np.argmax(self.turns > 0))
            d = np.abs(self.difference(states, np.zeros(self.n))[:, angle])
            guess, k = times[np.argmin(d)], angle
            test = lambda t: self.difference(path.sol(t % T), np.zeros(self.n))[angle]  # noqa: E731
        else:
            k = int(moves[0])
            guess = times[np.argmax(states[:, k])]
            test = lambda t: self.field(path.sol(t % T))[k]  # noqa: E731
        from scipy.optimize import brentq

        width = T / 1000
        try:
            t = brentq(test, guess - width, guess + width, xtol=1e-14 * T) % T
        except ValueError:  # a corner rather than a smooth maximum
            t = guess
        return path.sol(t)

    def result(self, x: np.ndarray, T: float, n_points: int, history: np.ndarray) -> LimitCycle:
        end, M, log_volume, _ = self.with_tangent(x, T)
        time = np.linspace(0.0, T, n_points + 1)
        path = self.run(x, T, dense_output=True)
        states = path.sol(time).T
        multipliers = np.linalg.eigvals(M).astype(complex)
        trivial = int(np.argmin(np.abs(multipliers - 1)))
        trivial_error = float(np.abs(multipliers[trivial] - 1))
        if trivial_error > 1e-3:
            raise ArithmeticError(
                f"no multiplier is 1 (the nearest is off by {trivial_error:.2g}): the cycle repels "
                "or attracts too strongly for single shooting, or it is not isolated"
            )
        sign, log_det = np.linalg.slogdet(M)
        rest = np.delete(multipliers, trivial)
        if self.n == 2:  # det M = 1 times the other one
            rest = np.array([np.exp(log_volume)], complex)
        rest = rest[np.argsort(-np.abs(rest))]
        at = int(np.sum(np.abs(rest) > 1))
        resolved = log_det > np.log(1e-9) + np.log(np.linalg.norm(M, 2)) * self.n
        response, error = self._response(path, M, x, time)
        return LimitCycle(
            float(T), time, states, self.system.state_names,
            np.insert(rest, at, multipliers[trivial]), bool(np.all(np.abs(rest) < 1)), log_volume,
            response,
            float(np.linalg.norm(self.difference(end, x)) / np.linalg.norm(self._extent(states))),
            trivial_error, float(abs(log_det - log_volume)) if resolved else np.nan, error, history,
        )  # fmt: skip

    def _response(self, path, M: np.ndarray, x: np.ndarray, time: np.ndarray):
        """Phase response (point, n_states), and how far Z . F is from 1."""
        from scipy.integrate import solve_ivp

        values, left = np.linalg.eig(M.T)
        z = left[:, np.argmin(np.abs(values - 1))].real
        f = self.field(x)
        z = z / (z @ f)
        # forwards in s = T - t; the size of z differs by state as that of 1/x does
        T = time[-1]
        found = solve_ivp(
            lambda s, z: self.system.jacobian(path.sol(T - s)).T @ z, (0.0, T), z, "DOP853",
            t_eval=T - time[::-1], rtol=_RTOL, atol=1e-3 * _RTOL * np.abs(z).max(),
        )  # fmt: skip
        if found.status < 0:
            raise ArithmeticError(f"the phase response could not be integrated: {found.message}")
        response = found.y.T[::-1]
        rates = self.field(path.sol(time).T)
        return response, float(np.abs(np.sum(response * rates, axis=1) - 1).max())
