"""Checks of what `bptt` and `Unrolled` are given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodyn.compile.wanted import METHODS


def check_gradients_exist(network, solver) -> None:
    """Refuse what a gradient does not pass, with what to do."""
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

    if not isinstance(network, Network):
        raise TypeError(f"`network` must be a Network; got {type(network).__name__}")
    if not isinstance(solver, Solver):
        raise TypeError(f"`solver` must be a solver such as nd.Euler(dt=...); got {solver!r}")
    if solver.method not in METHODS:
        raise ValueError(
            f"{type(solver).__name__} cannot be gone back through: use nd.Euler, "
            "nd.ExponentialEuler, nd.Heun or nd.RK4, whose steps are functions of the state alone"
        )
    spiking = (*network.spiking_populations, *(c.target for c in network.poisson_inputs))
    if spiking:
        raise ValueError(
            f"`{spiking[0]}` spikes by threshold and reset, through which there is no gradient; "
            "write the spike into the equations, `z = spike(v - v_th)`, with the reset as a term "
            "of dv/dt, and choose its derivative with `surrogate=`"
        )
    if network.rules:
        label = network.coupling_labels[next(iter(network.rules))]
        raise ValueError(
            f"the weights of `{label}` change by a plasticity rule, which gradients do not pass; "
            "make the coupling without `plasticity`"
        )


def checked_record(network, record: Sequence[str]) -> list[str]:
    """Names of variables, each once."""
    if isinstance(record, str) or not record:
        raise ValueError(
            f'`record` must be a list of variables that the loss needs, ["out.y"]; got {record!r}'
        )
    for name in record:
        population, variable = network.split(name)
        if variable in network.populations[population].parameters:
            raise ValueError(f"`record`: `{name}` is a parameter, it does not change in time")
    return list(dict.fromkeys(record))


def checked_steps(value, name: str, n_steps: int) -> int:
    """A number of steps of a run of `n_steps`; all for None."""
    if value is None:
        return n_steps
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"`{name}` must be a positive number of steps; got {value!r}")
    return min(int(value), n_steps)


def checked_bytes(value) -> int:
    """An amount of memory."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError(f"`memory` must be a positive number of bytes; got {value!r}")
    return int(value)
