"""A slow, obvious twin of the spiking simulator: one unit, one synapse after the other.

The schedule of a step is Brian2's: states move, units beyond their threshold spike, spikes whose
delay is over arrive, spiking units are reset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Units:
    """Units of a twin.

    Attributes
    ----------
    state : dict of str to ndarray (unit,)
        Changed in place.
    move : callable
        From (state, arrived inputs, k) to the new state, a dict, of all units.
    fires : callable
        From (state, k) to a bool a unit.
    reset : callable
        From (state, unit); changes the state of one unit.
    rest : ndarray (unit,)
        Refractory time in steps.
    clamped : tuple of str
        States that refractory units hold still.
    """

    state: dict[str, np.ndarray]
    move: Callable
    fires: Callable
    reset: Callable
    rest: np.ndarray
    clamped: tuple[str, ...] = ()
    inputs: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.rest.size


@dataclass
class Synapses:
    """Synapses as a list, with one weight and one delay (in steps) each."""

    source: str
    target: str
    variable: str
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    delay: np.ndarray

    @classmethod
    def of(cls, source, target, variable, W, delay) -> Synapses:
        """All pairs of a full matrix [post, pre]; `delay` is one number or [post, pre]."""
        post, pre = np.indices(W.shape)
        delay = np.broadcast_to(delay, W.shape)
        return cls(source, target, variable, pre.ravel(), post.ravel(), W.ravel(), delay.ravel())


def run(units: dict[str, Units], synapses: list[Synapses], n_steps: int, outside=None):
    """Spikes (step, unit) of every population, and the states at the beginning of every step.

    ``outside(k)`` gives what else arrives in step k: a list of (population, variable, amounts).
    """
    fired = {name: [] for name in units}
    states = {name: [] for name in units}
    last = {name: np.full(u.size, -(10**9)) for name, u in units.items()}
    for k in range(n_steps):
        for name, u in units.items():
            states[name].append({n: x.copy() for n, x in u.state.items()})
            awake = k - last[name] >= u.rest
            new = u.move(u.state, u.inputs, k)
            for variable, values in new.items():
                still = ~awake if variable in u.clamped else np.zeros(u.size, bool)
                u.state[variable] = np.where(still, u.state[variable], values)
            spiking = u.fires(u.state, k) & awake
            last[name][spiking] = k
            fired[name] += [(k, i) for i in np.flatnonzero(spiking)]
            u.inputs = {variable: np.zeros(u.size) for variable in u.inputs}
        for s in synapses:
            arrive(units[s.target], last[s.target], s, fired[s.source], k)
        for name, variable, amounts in outside(k) if outside else ():
            for i in range(units[name].size):
                add(units[name], last[name], variable, i, amounts[i], k)
        for name, u in units.items():
            for step, i in fired[name]:
                if step == k:
                    u.reset(u.state, i)
    return fired, states


def arrive(target: Units, last, s: Synapses, fired, k: int) -> None:
    for pre, post, weight, delay in zip(s.pre, s.post, s.weight, s.delay, strict=True):
        if weight and (k - delay, pre) in fired:
            add(target, last, s.variable, post, weight, k)


def add(u: Units, last, variable: str, i: int, amount: float, k: int) -> None:
    if variable in u.inputs:
        u.inputs[variable][i] += amount
    elif variable not in u.clamped or k - last[i] >= u.rest[i]:
        u.state[variable][i] += amount
