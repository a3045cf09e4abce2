"""What analyses take as a dynamical system, and how they see it.

A `Network` (with constant inputs), a `Flow` and a `Map` all become a `System`: a field on flat
states, its Jacobian, and the names of the states. Noise is left out: it is the field of the
deterministic part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodyn.flow import Flow, Map
from neurodyn.network import Network


class System:
    """A network, flow or map with everything but its state held.

    Parameters
    ----------
    source : Network, Flow or Map
    inputs : dict of str to array_like, optional
        Constant values of a network's inputs, broadcast to (unit,); 0 where not given.

    Attributes
    ----------
    n_states : int
    state_names : tuple of str
        One name a state: ``"E.x[3]"`` for a network.
    is_map : bool
    """

    def __init__(self, source: Network | Flow | Map, inputs: Mapping[str, Any] | None = None):
        if not isinstance(source, (Network, Flow, Map)):
            raise TypeError(
                "the system must be a Network, a Flow (dx/dt = f(x)) or a Map (x' = f(x)); "
                f"got {type(source).__name__}. For a weight matrix: nd.rate_network(W)"
            )
        if isinstance(source, Network):
            if source.n_states == 0:
                raise ValueError("the network has no states")
        elif inputs:
            raise ValueError(
                f"`inputs` belong to a Network, and this is a {type(source).__name__}: "
                "set its parameters instead"
            )
        self.source, self.inputs = source, dict(inputs or {})
        self.n_states = source.n_states
        self.is_map = getattr(source, "is_map", False)

    @property
    def is_network(self) -> bool:
        return isinstance(self.source, Network)

    @property
    def state_names(self) -> tuple[str, ...]:
        if not self.is_network:
            return self.source.state_names
        sizes = {name: p.size for name, p in self.source.populations.items()}
        found = []
        for name in self.source.state_names:
            n = sizes[name.rpartition(".")[0]]
            found += [name] if n == 1 else [f"{name}[{k}]" for k in range(n)]
        return tuple(found)

    def _arguments(self) -> dict[str, Any]:
        return {"inputs": self.inputs} if self.inputs else {}

    def field(self, x) -> np.ndarray:
        """dx/dt, or the next state, at ``(n_states,)`` or ``(batch, n_states)``."""
        return self.source.field(x, **self._arguments())

    def jacobian(self, x) -> np.ndarray:
        """``(..., n_states, n_states)``."""
        return self.source.jacobian(x, **self._arguments())

    def tangent(self, x, v) -> np.ndarray:
        """Jacobian times vectors: `x` (n,) and `v` (vector, n), or with a batch axis before."""
        return self.source.tangent(x, v, **self._arguments())

    def with_value(self, name: str, value) -> System:
        """The system with another value of a parameter, an input or a weight scale.

        For a network `name` is that of a parameter (``"E.tau"``), of an input (``"E.I_ext"``), or
        of a coupling (``"E.r->E.I_rec"``), whose weights are multiplied by `value`.
        """
        if not self.is_network:
            return System(self.source.with_values(**{name: value}))
        if name in self.source.input_names:
            return System(self.source, {**self.inputs, name: value})
        if name in self.source.coupling_labels:
            c = self.source.coupling_labels.index(name)
            weights = value * self.source.couplings[c].weights
            return System(self.source.with_values(**{name: weights}), self.inputs)
        return System(self.source.with_values(**{name: value}), self.inputs)


def as_system(source, inputs: Mapping[str, Any] | None = None) -> System:
    """`source` itself if it is a `System`, else a `System` of it."""
    if isinstance(source, System):
        return System(source.source, {**source.inputs, **(inputs or {})})
    return System(source, inputs)
