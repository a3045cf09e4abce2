"""Networks of spiking units with tangents: from event to event, with saltation at each.

Between events the units follow their equations. The moment at which a unit reaches its threshold is
located within the step, and a tangent jumps there: a neighbouring run spikes a little earlier or
later, by dtau = -(grad g . v)/(grad g . f) where g is the margin to the threshold, and so

    v+ = D v + (D f- - f+) dtau

with D the derivative of the reset, f- and f+ the drift just before and after (Mueller 1995). What
the spike does to its targets, at once or after a delay, is shifted by the same dtau; D is the
identity there.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.analyses.lyapunov._spiking_units import SpikingUnits
from neurodyn.simulation.arguments import broadcast_state
from neurodyn.solvers import RK4, Solver

if TYPE_CHECKING:
    from neurodyn.network import Network

#: Moments of crossing are located to this part of the step in which they are looked for.
_TOLERANCE = 1e-13
_ITERATIONS = 60
#: Spikes at one moment beyond which a network is taken to explode, in units of its size.
_AVALANCHE = 20
#: Rows of the fourth-order Runge-Kutta method.
_NODES, _WEIGHTS = (0.0, 0.5, 0.5, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)


class SpikingCarrier:
    """A network of spiking units, several trials of it, as `_tangent_flows` calls a carrier."""

    def __init__(
        self,
        network: Network,
        solver: Solver,
        n_vectors: int,
        *,
        trials: int | None,
        inputs: Mapping[str, Any] | None,
        initial: Mapping[str, Any] | None,
        rng: np.random.SeedSequence,
    ):
        refuse(network, solver)
        self.n_vectors, self.n_states, self.dt = n_vectors, network.n_states, solver.dt
        self.has_delays = any(c.max_delay for c in network.couplings)
        state = network.initial_state(rng.spawn(trials or 1))
        for name, value in (initial or {}).items():
            if name not in state:
                network.split(name)
                raise ValueError(f"`initial`: `{name}` is not a state; states: {', '.join(state)}")
            state[name] = broadcast_state(name, value, state[name], network)
        units = _units(network, inputs or {})
        self.n_trials = trials or 1
        self._runs = [
            _Run(network, units, {n: v[trial] for n, v in state.items()}, n_vectors)
            for trial in range(self.n_trials)
        ]

    @property
    def state(self) -> np.ndarray:
        return np.stack([np.concatenate([x.ravel() for x in run.x]) for run in self._runs])

    @property
    def tangents(self) -> np.ndarray:
        return np.stack(
            [np.concatenate([v.reshape(-1, self.n_vectors) for v in run.v]) for run in self._runs]
        )

    @tangents.setter
    def tangents(self, vectors: np.ndarray) -> None:
        for run, mine in zip(self._runs, vectors, strict=True):
            start = 0
            for v in run.v:
                size = v.shape[0] * v.shape[1]
                v[...] = mine[start : start + size].reshape(v.shape)
                start += size

    def recombine_pending(self, change: np.ndarray) -> None:
        """Multiply the shifts of spikes on their way by `change` (trial, vector, vector), as the
        vectors were."""
        for run, mine in zip(self._runs, change, strict=True):
            run.pending = [(*event[:-1], event[-1] @ mine) for event in run.pending]

    @property
    def n_spikes(self) -> int:
        """Spikes so far, all trials."""
        return sum(run.n_spikes for run in self._runs)

    def advance(self, n: int, *, tangents: bool = True) -> None:
        for run in self._runs:
            for _ in range(n):
                run.step(self.dt, tangents)


class _Run:
    """One trial: state ``x`` and tangents ``v`` of each population, and spikes on their way.

    Attributes
    ----------
    x : list of ndarray, (state, unit)
    v : list of ndarray, (state, unit, vector)
    now : float
    pending : list
        A heap of (time of arrival, order, coupling, unit, shift by each vector).
    """

    def __init__(self, network: Network, units: list[SpikingUnits], state, n_vectors: int):
        names = list(network.populations)
        self.units, self.n_spikes, self.now = units, 0, 0.0
        self.x = [
            np.stack([state[f"{name}.{s}"] for s in u.states])
            for name, u in zip(names, units, strict=True)
        ]
        self.v = [np.zeros((*x.shape, n_vectors)) for x in self.x]
        self.pending: list[tuple] = []
        self._order = itertools.count()
        self._outgoing: list[list[_Synapses]] = [[] for _ in units]
        for c in network.couplings:
            (source, _), (target, state_name) = network.split(c.source), network.split(c.target)
            p, q = names.index(source), names.index(target)
            weights = c.weights.apply(np.eye(c.weights.n_pre))
            self._outgoing[p].append(
                _Synapses(q, units[q].states.index(state_name), weights, float(c.delay))
            )
        self._spike_where_above(np.zeros(n_vectors), True)

    # -- between events ------------------------------------------------------------------------

    def step(self, h: float, tangents: bool) -> None:
        """Go on by `h`, through all events on the way."""
        end = self.now + h
        while self.now < end:
            arrival = self.pending[0][0] if self.pending else np.inf
            limit = min(end, arrival)
            moved = self._flow(limit - self.now, tangents)
            crossing = self._first_crossing(limit - self.now, moved)
            if crossing is None:
                self.x, self.v = moved
                self.now = limit
                while self.pending and self.pending[0][0] <= self.now:
                    _, _, synapses, unit, shift = heapq.heappop(self.pending)
                    self._deliver(synapses, unit, shift, tangents)
                    self._spike_where_above(shift, tangents)
                continue
            s, p, unit = crossing
            self.x, self.v = self._flow(s, tangents)
            self.now += s
            beside = self._above()  # no spike pushed these: they cross at the same moment
            shift = self._shift(p, unit)
            self._spike(p, unit, shift, tangents)
            self._spike_where_above(shift, tangents, beside)

    def _flow(self, h: float, tangents: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """State and tangents after a step of RK4."""
        xs, vs = [], []
        for u, x, v in zip(self.units, self.x, self.v, strict=True):
            slope = moved = 0.0
            total_x, total_v = x.copy(), v.copy() if tangents else v
            for node, weight in zip(_NODES, _WEIGHTS, strict=True):
                y = x + node * h * slope
                if tangents:
                    moved = u.moved(y, v + node * h * moved)
                    total_v += weight * h * moved
                slope = u.drift(y)
                total_x += weight * h * slope
            xs.append(total_x)
            vs.append(total_v)
        return xs, vs

    def _first_crossing(self, h: float, moved) -> tuple[float, int, int] | None:
        """Time from now, population and unit of the first threshold that is reached in a step."""
        first = None
        for p, u in enumerate(self.units):
            before, after = u.margin(self.x[p]), u.margin(moved[0][p])
            if not np.isfinite(after).all():
                raise ArithmeticError(
                    "the run diverges, so it has no Lyapunov exponents: take a smaller dt, or "
                    "look at the run with nd.simulate"
                )
            for unit in np.flatnonzero(after > 0):
                s = self._moment(p, unit, h, float(before[unit]), float(after[unit]))
                if first is None or s < first[0]:
                    first = s, p, int(unit)
        return first

    def _moment(self, p: int, unit: int, h: float, before: float, after: float) -> float:
        """When a unit reaches its threshold: Brent's method on the step itself."""
        from scipy.optimize import brentq

        u, alone = self.units[p], self.x[p][:, unit : unit + 1]
        if before >= 0:
            return 0.0

        def margin(s: float) -> float:
            x, slope = alone.copy(), 0.0
            for node, weight in zip(_NODES, _WEIGHTS, strict=True):
                slope = u.drift_of(alone + node * s * slope, unit)
                x = x + weight * s * slope
            return u.margin_of(x, unit)

        return float(brentq(margin, 0.0, h, xtol=_TOLERANCE * h, rtol=1e-15, maxiter=_ITERATIONS))

    # -- events --------------------------------------------------------------------------------

    def _shift(self, p: int, unit: int) -> np.ndarray:
        """By how much the spike of each neighbouring run comes later, (vector,)."""
        u = self.units[p]
        gradient = u.margin_gradient(self.x[p], unit)
        speed = float(gradient @ u.drift(self.x[p])[:, unit])
        if speed <= 0:
            raise ArithmeticError(
                f"unit {unit} touches its threshold without crossing it (at t = {self.now:g} s), "
                "where the tangent has no limit: start from another state"
            )
        return -(gradient @ self.v[p][:, unit]) / speed

    def _spike(self, p: int, unit: int, shift: np.ndarray, tangents: bool) -> None:
        """What a spike does at once: to its targets without delay, then to the unit itself."""
        self.n_spikes += 1
        for synapses in self._outgoing[p]:
            if synapses.delay:
                event = (self.now + synapses.delay, next(self._order), synapses, unit, shift)
                heapq.heappush(self.pending, event)
            else:
                self._deliver(synapses, unit, shift, tangents)
        u = self.units[p]
        before = u.drift(self.x[p])[:, unit]
        new, by = u.reset(self.x[p], unit)
        self.x[p][:, unit] = new
        if tangents:
            after = u.drift(self.x[p])[:, unit]
            kept = by @ self.v[p][:, unit]
            self.v[p][:, unit] = kept + np.outer(by @ before - after, shift)

    def _deliver(self, synapses: _Synapses, unit: int, shift: np.ndarray, tangents: bool) -> None:
        """Add the weights of a source onto its targets, and what that does to the tangents."""
        q, u = synapses.target, self.units[synapses.target]
        before = u.drift(self.x[q]) if tangents else 0.0
        self.x[q][synapses.state] += synapses.weights[unit]
        if tangents:
            self.v[q] += (before - u.drift(self.x[q]))[..., None] * shift

    def _above(self) -> list[tuple[int, int]]:
        """Population and number of the units over their threshold."""
        return [
            (p, int(unit))
            for p, u in enumerate(self.units)
            for unit in np.flatnonzero(u.margin(self.x[p]) > 0)
        ]

    def _spike_where_above(self, shift: np.ndarray, tangents: bool, beside=()) -> None:
        """Units that a spike has pushed over their threshold spike at the same moment, shifted as
        that spike is; those `beside` it, which crossed by themselves, by their own shift."""
        most = self.n_spikes + _AVALANCHE * sum(u.size for u in self.units)
        while above := self._above():
            for p, unit in above:
                own = (p, unit) in beside
                self._spike(p, unit, self._shift(p, unit) if own else shift, tangents)
            beside = ()
            if self.n_spikes > most:
                raise ArithmeticError(
                    f"the network explodes at t = {self.now:g} s: every unit spikes more than "
                    f"{_AVALANCHE} times at one moment. Are weights too strong, or does a reset "
                    "leave its unit above the threshold?"
                )


class _Synapses:
    """Where a coupling's spikes go: population and state, ``weights`` (pre, post), delay."""

    def __init__(self, target: int, state: int, weights: np.ndarray, delay: float):
        self.target, self.state, self.weights, self.delay = target, state, weights, delay


# -- what can be followed --------------------------------------------------------------------------


def _units(network: Network, inputs: Mapping[str, Any]) -> list[SpikingUnits]:
    for name in inputs:
        if name not in network.input_names:
            network.split(name)
            raise ValueError(
                f"`inputs`: `{name}` is not an input; inputs: {', '.join(network.input_names)}"
            )
    found = []
    for name, population in network.populations.items():
        given = {}
        for full in network.input_names:
            owner, variable = network.split(full)
            if owner == name:
                given[variable] = _constant(full, inputs.get(full, 0.0), population.size)
        found.append(SpikingUnits(name, population, given))
    return found


def _constant(name: str, value: Any, size: int) -> np.ndarray:
    from neurodyn.units import to_si

    number, _ = to_si(value, name)
    if np.ndim(number) > 1 or np.size(number) not in (1, size):
        raise ValueError(
            f"`inputs`: `{name}` of a network that spikes must be constant, a number or (unit,) = "
            f"({size},); got shape {np.shape(number)}"
        )
    return np.broadcast_to(np.asarray(number, float), (size,)).copy()


def refuse(network: Network, solver: Solver) -> None:
    """Refuse what has no saltation rule here, with what to do."""
    if not isinstance(solver, RK4):
        raise ValueError(
            "the network spikes, and between spikes it is followed by the Runge-Kutta method: "
            f"`solver` must be nd.RK4(dt=...); got {type(solver).__name__}"
        )
    if network.poisson_inputs:
        raise ValueError(
            "Poisson input is noise that is not frozen: give a constant current of its mean"
        )
    if network.rules:
        raise ValueError("the network's weights change by plasticity: take the rule out")
    for name, population in network.populations.items():
        if not population.is_spiking or not population.threshold:
            what = "has no threshold" if not population.is_spiking else "spikes at given times"
            raise ValueError(
                f"`{name}` {what}: all units must spike by threshold and reset, with nothing but "
                "spikes between them"
            )
        if population.is_refractory:
            raise ValueError(
                f"`{name}` is refractory: a clamped unit forgets small differences, and there is "
                "no rule for that here; set `refractory` to 0"
            )
        if population.equations.noise_names:
            raise ValueError(f"`{name}` has noise, which moves its spikes: leave `xi` out")
        for variable in population.equations.variables.values():
            if re.search(r"\bt\b", variable.expression):
                raise ValueError(
                    f"`{name}.{variable.name}` contains the time `t`; between spikes the equations "
                    "must be the same at all times: make what changes a state of its own"
                )
    for c in network.couplings:
        if not c.carries_spikes:
            raise ValueError(f"{c.label} carries no spikes: nothing else may go from unit to unit")
        if c.target not in network.state_names:
            raise ValueError(
                f"{c.label} ends at an input: let spikes end at a state, such as a synaptic "
                "current, whose jump they are"
            )
        if np.ndim(c.delay):
            raise ValueError(f"{c.label} has several delays; give all its synapses the same")


__all__ = ["SpikingCarrier", "refuse"]
