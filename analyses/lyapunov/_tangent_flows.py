"""Systems that carry tangent vectors along, all behind one face: networks, flows and maps.

A *carrier* has ``n_states``, ``n_trials``, ``n_vectors``, ``dt``, ``state`` (trial, n_states),
``tangents`` (trial, n_states, vector), and ``advance(n, tangents=True)``, which goes on by n steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodyn.analyses.lyapunov._spiking_flow import SpikingCarrier
from neurodyn.flow import Flow, Map
from neurodyn.network import Network
from neurodyn.simulation.tangent_run import TangentRun
from neurodyn.solvers import RK4, Euler, Heun, Solver

#: Nodes of explicit Runge-Kutta methods: (weights of earlier slopes, ...), weights of the step.
_TABLEAUX = {
    Euler: (((),), (1.0,)),
    Heun: (((), (1.0,)), (0.5, 0.5)),
    RK4: (((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}


class FlowCarrier:
    """A `Flow` by an explicit Runge-Kutta method, or a `Map`, with tangents of its steps."""

    def __init__(self, system: Flow | Map, solver: Solver | None, n_vectors: int, state):
        self.system, self.n_vectors = system, n_vectors
        self.state = np.array(state, float)
        self.n_trials, self.n_states = self.state.shape
        self.tangents = np.zeros((self.n_trials, self.n_states, n_vectors))
        self.dt = 1.0 if solver is None else solver.dt
        self._tableau = None if solver is None else _TABLEAUX[type(solver)]

    def advance(self, n: int, *, tangents: bool = True) -> None:
        step = self._iterate if self._tableau is None else self._step
        for _ in range(n):
            step(tangents)

    def _iterate(self, tangents: bool) -> None:
        if tangents:
            self.tangents = self.system.jacobian(self.state) @ self.tangents
        self.state = self.system.field(self.state)

    def _step(self, tangents: bool) -> None:
        rows, weights = self._tableau
        slopes: list[np.ndarray] = []
        moved: list[np.ndarray] = []
        for row in rows:
            x = self.state + self.dt * _combined(row, slopes)
            if tangents:
                v = self.tangents + self.dt * _combined(row, moved)
                moved.append(self.system.jacobian(x) @ v)
            slopes.append(self.system.field(x))
        self.state = self.state + self.dt * _combined(weights, slopes)
        if tangents:
            self.tangents = self.tangents + self.dt * _combined(weights, moved)


def _combined(weights, arrays) -> Any:
    return sum((w * a for w, a in zip(weights, arrays, strict=False) if w), 0.0)


def carrier(
    system: Network | Flow | Map,
    solver: Solver | None,
    n_vectors: int,
    *,
    duration: float,
    trials: int | None,
    inputs: Any,
    initial: Any,
    rng: np.random.SeedSequence,
    dtype: str,
    threads: int | None,
):
    """The carrier of a system, all its arguments checked."""
    if isinstance(system, Network):
        if not isinstance(solver, Solver):
            raise TypeError(f"`solver` must be a solver such as nd.RK4(dt=...); got {solver!r}")
        refuse_jumps(system)
        if system.spiking_populations:
            return SpikingCarrier(
                system, solver, n_vectors, trials=trials, inputs=inputs, initial=initial, rng=rng
            )
        return TangentRun(
            system, solver, n_vectors, duration=duration, trials=trials, inputs=inputs,
            initial=initial, rng=rng, dtype=dtype, threads=threads,
        )  # fmt: skip
    if not isinstance(system, (Flow, Map)):
        raise TypeError(
            f"`system` must be a Network, a Flow or a Map; got {type(system).__name__}. "
            "For a weight matrix: nd.rate_network(W)"
        )
    if inputs:
        raise ValueError("`inputs` belong to a Network; give a Flow or a Map parameters instead")
    if isinstance(system, Map):
        if solver is not None:
            raise ValueError(f"a Map has steps of its own: leave `solver` out; got {solver!r}")
    elif type(solver) not in _TABLEAUX:
        raise ValueError(
            "`solver` of a Flow must be nd.RK4(dt=...), nd.Heun(dt=...) or nd.Euler(dt=...), whose "
            f"fixed steps have a tangent; got {solver!r}"
        )
    state = _initial(system, initial, trials, np.random.default_rng(rng))
    _check_repeatable(system, state)
    return FlowCarrier(system, solver, n_vectors, state)


def _initial(system: Flow | Map, initial, trials: int | None, rng) -> np.ndarray:
    if initial is None:
        return rng.normal(size=(trials or 1, system.n_states))
    state = np.atleast_2d(np.asarray(initial, float))
    if state.shape[-1] != system.n_states or state.ndim != 2:
        raise ValueError(
            f"`initial` must be (n_states,) or (trial, n_states) with n_states = "
            f"{system.n_states}; got shape {np.shape(initial)}"
        )
    if not np.isfinite(state).all():
        raise ValueError("`initial` must be finite")
    if trials is not None and len(state) not in (1, trials):
        raise ValueError(f"`initial` has {len(state)} trials, and `trials` is {trials}")
    return np.broadcast_to(state, (trials or len(state), system.n_states))


def _check_repeatable(system: Flow | Map, state: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        same = np.array_equal(system.field(state), system.field(state), equal_nan=True)
    if not same:
        raise ValueError(
            "the function gives another value at the same state, so it is driven by noise that is "
            "not frozen, and tangents do not follow it: write the noise as `xi` in the equations "
            "of a Network, where a run's noise is fixed by `rng`"
        )


def refuse_jumps(network: Network) -> None:
    """Refuse equations that jump: their tangent misses what a jump does to a small difference."""
    from neurodyn.compile import expressions as nodes

    jumps = (nodes.indicator, nodes.heaviside, nodes.spike, nodes.sign, nodes.floor, nodes.ceil,
             nodes.modulo)  # fmt: skip
    for name, population in network.populations.items():
        equations = population.equations
        texts = [(variable.name, variable.expression) for variable in equations.variables.values()]
        if equations.spiking is not None:
            texts += equations.spiking.reset
        for variable, text in texts:
            found = nodes.to_sympy(text).atoms(*jumps)
            if found:
                raise ValueError(
                    f"`{name}.{variable}` contains `{nodes.from_sympy(min(found, key=str))}`, "
                    "which jumps, and what a jump does to a small difference is not in the "
                    "tangent: use a continuous function (relu, clip, sigmoid), or a threshold and "
                    "a reset"
                )
