"""The noise of a network at a state: the matrix B of ``dx = f dt + B dW``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn._evaluate import evaluate

if TYPE_CHECKING:
    from neurodyn.compile.compiled import CompiledNetwork


def diffusion(
    compiled: CompiledNetwork, x, *, inputs=None, t: float = 0.0, dt: float | None = None
) -> np.ndarray:
    """Coefficients of the white noise at `x`; see `neurodyn.Network.diffusion`."""
    x, workspaces = compiled._evaluated(x, inputs, t, dt)
    n_trials, n_states = workspaces[0].shape[1], compiled.network.n_states
    sizes, structure = compiled.sizes, compiled.structure
    widths = [sizes[p] for p, _ in structure.noise_streams]
    starts = dict(zip(structure.noise_streams, np.cumsum([0, *widths]), strict=False))
    found = np.zeros((n_trials, n_states, sum(widths)))
    row = 0
    for p, population in enumerate(structure.populations):
        values = _values(compiled, workspaces, p, t, dt)
        for state in population.states:
            for xi, coefficient in population.equations.variables[state].noise.items():
                unit = np.arange(sizes[p])
                place = np.s_[:, row + unit, starts[p, xi] + unit]
                found[place] = evaluate(coefficient, values)
            row += sizes[p]
    return found.reshape(*x.shape, found.shape[-1])


def _values(compiled: CompiledNetwork, workspaces, p: int, t, dt) -> dict[str, np.ndarray]:
    """Whatever a coefficient may contain: states, algebraic variables, inputs, parameters, time."""
    population = compiled.structure.populations[p]
    names = (*population.states, *population.algebraic, *population.inputs)
    found = {
        name: workspaces[p][population.slots[name]][..., : compiled.sizes[p]].astype(float)
        for name in names
    }
    time, step = compiled._time(t, dt)
    given = compiled.network.populations[population.name].parameters
    return {**given, **found, "t": float(time), "dt": float(step)}
