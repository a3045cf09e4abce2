"""What analyses take as a dynamical system, and how they see it.

A `Network` (with constant inputs), a `Flow` and a `Map` all become a `System`: a field on flat
states, its Jacobian, and the names of the states. Noise is left out: it is the field of the
deterministic part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodyn.flow import Flow, Map
from neurodyn.network import Network
from neurodyn.population import listed, suggestion
from neurodyn.units import UnitError, format_dimension, to_si


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

    def state_indices(self, name: str | int, argument: str = "name") -> np.ndarray:
        """Places of a state in the flat vector: of one (``"E.x[3]"``, 3), or of all of ``"E.x"``.

        Parameters
        ----------
        name : str or int
        argument : str
            Where `name` was given, for the message.
        """
        names = self.state_names
        if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
            if not -len(names) <= name < len(names):
                raise ValueError(f"`{argument}`: there are {len(names)} states; got number {name}")
            return np.array([int(name) % len(names)])
        if name in names:
            return np.array([names.index(name)])
        found = [k for k, n in enumerate(names) if n.partition("[")[0] == name or f"{n}[0]" == name]
        if not found:
            some = list(dict.fromkeys(n.partition("[")[0] for n in names))
            known = names if len(names) <= 8 else some
            raise ValueError(
                f"`{argument}`: no state `{name}`{suggestion(str(name), [*names, *some]) or '.'} "
                f"There are {listed(known)}."
            )
        return np.array(found)

    def state_index(self, name: str | int, argument: str = "name") -> int:
        """Place of one state in the flat vector; of ``"E.x"`` only if E has one unit."""
        found = self.state_indices(name, argument)
        if found.size > 1:
            raise ValueError(
                f"`{argument}`: `{name}` are {found.size} states, name one: `{name}[0]`"
            )
        return int(found[0])

    def state(self, value, argument: str = "start") -> np.ndarray:
        """A flat state, ``(..., n_states)``, from that or from a dict of names."""
        if isinstance(value, Mapping):
            parts = {n: np.asarray(to_si(v, n).value, float) for n, v in value.items()}
            places = {n: self.state_indices(n, argument) for n in parts}
            missing = set(range(self.n_states)) - {int(k) for p in places.values() for k in p}
            if missing:
                name = self.state_names[min(missing)]
                raise ValueError(f"`{argument}` must name every state; `{name}` is missing")
            flat = np.empty(self.n_states)
            for name, place in places.items():
                flat[place] = parts[name]
            value = flat
        x = np.asarray(value, float)
        if x.ndim == 0 or x.shape[-1] != self.n_states:
            raise ValueError(
                f"`{argument}` must have {self.n_states} states "
                f"({listed(self.state_names[:8])}{', ...' if self.n_states > 8 else ''}); "
                f"got shape {x.shape}"
            )
        if not np.all(np.isfinite(x)):
            raise ValueError(f"`{argument}` must be finite; got {value!r:.60}")
        return x

    @property
    def is_spiking(self) -> bool:
        """Whether units spike: the field is then that between spikes."""
        return self.is_network and bool(self.source.spiking_populations)

    @property
    def depends_on_time(self) -> bool:
        """Whether the equations contain the time; the field is then that at time 0."""
        return self.is_network and any(
            re.search(r"\bt\b", v.expression)
            for p in self.source.populations.values()
            for v in p.equations.variables.values()
        )

    def check_field_tells_all(self, what: str, spikes: str, time: str) -> None:
        """Refuse spikes and time in the equations, which are not in the field at a state.

        Parameters
        ----------
        what : str
            What is looked at: ``"the field"``, ``"the Jacobian"``.
        spikes, time : str
            What follows from that, and what to do about spikes.
        """
        if self.is_spiking:
            raise ValueError(
                f"units of {listed(self.source.spiking_populations)} spike: threshold and reset "
                f"are not in {what}{spikes}"
            )
        if self.depends_on_time:
            raise ValueError(
                f"the equations contain the time `t`{time}. Make what depends on it an input, and "
                "give its value as `inputs={...}`"
            )

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """What `with_value` changes."""
        if not self.is_network:
            return tuple(self.source.parameters)
        parameters = [
            f"{name}.{own}" for name, p in self.source.populations.items() for own in p.parameters
        ]
        return (*parameters, *self.source.input_names, *self.source.coupling_labels)

    def value(self, name: str) -> float | np.ndarray:
        """What `name` is now, see `with_value`; 1 for a coupling, 0 for an input not given."""
        if name not in self.parameter_names:
            known = self.parameter_names
            raise ValueError(
                f"no parameter `{name}`{suggestion(name, known) or '.'} There are {listed(known)}."
            )
        if not self.is_network:
            return self.source.parameters[name]
        if name in self.source.coupling_labels:
            return 1.0
        if name in self.source.input_names:
            value = to_si(self.inputs.get(name, 0.0), name).value
        else:
            population, own = self.source.split(name)
            value = self.source.populations[population].parameters[own]
        value = np.asarray(value, float)
        return value if value.ndim and np.ptp(value) else float(value.flat[0])

    def in_si(self, name: str, value, argument: str) -> float:
        """A number for the parameter `name` in SI, its unit checked."""
        number, dim = to_si(value, argument)
        if dim is not None:
            expected = None
            if self.is_network and name not in self.source.coupling_labels:
                expected = self.source.dimension(name)
            if dim != expected:
                wanted = f"in {format_dimension(expected)}" if expected else "a plain number"
                raise UnitError(f"`{argument}` must be {wanted}; got {format_dimension(dim)}")
        return float(number)

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

    def _parameter(self, name: str):
        population, _, own = name.partition(".")
        members = self.source.populations
        return members[population].parameters.get(own) if population in members else None

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
        if np.ndim(self._parameter(name)) > np.ndim(value):  # one a unit: the compiled code is kept
            value = np.full(np.shape(self._parameter(name)), value)
        return System(self.source.with_values(**{name: value}), self.inputs)


def as_system(source, inputs: Mapping[str, Any] | None = None) -> System:
    """`source` itself if it is a `System`, else a `System` of it."""
    if isinstance(source, System):
        return System(source.source, {**source.inputs, **(inputs or {})})
    return System(source, inputs)
