"""What is trained: names of parameters, weights, initial states and inputs, and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.population import listed, suggestion

if TYPE_CHECKING:
    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.network import Network
    from neurodyn.weights import Weights


@dataclass(frozen=True)
class Trainable:
    """One array whose gradient is wanted.

    Attributes
    ----------
    key : str
        Its name among the gradients.
    kind : {"weights", "parameter", "state", "input"}
    name : str
        Full name of a variable or parameter; label of a coupling.
    array : str
        Of weights: the name among `Weights.parameters`.
    """

    key: str
    kind: str
    name: str
    array: str = ""


def find_trainables(network: Network, names: Sequence[str]) -> tuple[Trainable, ...]:
    """The arrays that names stand for.

    Parameters
    ----------
    network : Network
    names : sequence of str
        ``"E.tau"`` a parameter, ``"E.x"`` the initial state, ``"E.I_ext"`` an input over time,
        ``"E.r->E.I_rec"`` all arrays of a coupling's weights, ``"E.r->E.I_rec.m"`` one of them.

    Raises
    ------
    ValueError
        For a name that is none of these, with a suggestion; for one that is given twice.
    """
    if isinstance(names, str) or not names:
        raise ValueError(
            f'`trainable` must be a list of names such as ["E.r->E.I_rec", "E.tau"]; got {names!r}'
        )
    found: dict[str, Trainable] = {}
    for name in names:
        for one in _weights(network, name) if "->" in name else [_variable(network, name)]:
            if one.key in found:
                raise ValueError(f"`trainable` has `{one.key}` twice")
            found[one.key] = one
    return tuple(found.values())


def _weights(network: Network, name: str) -> list[Trainable]:
    labels = dict(zip(network.coupling_labels, network.couplings, strict=True))
    label = next((n for n in sorted(labels, key=len, reverse=True) if name == n), None)
    array = ""
    if label is None:
        label = next((n for n in labels if name.startswith(f"{n}.")), None)
        array = "" if label is None else name[len(label) + 1 :]
    if label is None:
        raise ValueError(
            f"`trainable`: no coupling `{name}`{suggestion(name, labels) or '.'} "
            f"There are {listed(labels)}."
        )
    arrays = list(labels[label].weights.parameters)
    if array and array not in arrays:
        raise ValueError(
            f"`trainable`: the weights of `{label}` have no array `{array}`"
            f"{suggestion(array, arrays) or '.'} They have {listed(arrays)}."
        )
    chosen = [array] if array else arrays
    alone = len(arrays) == 1
    return [Trainable(label if alone else f"{label}.{a}", "weights", label, a) for a in chosen]


def _variable(network: Network, name: str) -> Trainable:
    population, variable = network.split(name)
    if variable in network.populations[population].parameters:
        return Trainable(name, "parameter", name)
    if name in network.state_names:
        return Trainable(name, "state", name)
    if name in network.input_names:
        return Trainable(name, "input", name)
    raise ValueError(
        f"`trainable`: `{name}` follows from other variables; what can be trained are parameters, "
        "initial states, inputs and the weights of couplings"
    )


class Values:
    """Current parameters and weights of a network, as kernels take them.

    Parameters
    ----------
    compiled : CompiledNetwork
    """

    def __init__(self, compiled: CompiledNetwork):
        self.compiled = compiled
        self.arrays = [array.copy() for array in compiled.value_arrays]
        self.weights: dict[int, Weights] = {
            c: compiled.network.couplings[c].weights for c in compiled.structure.rate_couplings
        }
        self._places = dict(_places(compiled))

    def set(self, values: dict[str, Any]) -> None:
        """Take other values, by the keys of `Trainable` or as `Network.with_values` does."""
        network = self.compiled.network
        arrays: dict[int, dict[str, Any]] = {}
        for key, value in values.items():
            if "->" not in key:
                self._set_parameter(key, value)
                continue
            trainables = _weights(network, key)
            c = network.coupling_labels.index(trainables[0].name)
            if len(trainables) > 1:
                raise ValueError(
                    f"`{key}` has several arrays: give {listed(t.key for t in trainables)}"
                )
            arrays.setdefault(c, {})[trainables[0].array] = value
        for c, new in arrays.items():
            self.weights[c] = self.weights[c].with_parameters(**new)

    def _set_parameter(self, name: str, value) -> None:
        if name not in self._places:
            self.compiled.network.split(name)
            raise ValueError(f"`{name}` is no parameter whose value could be set")
        which, row, size = self._places[name]
        array = self.arrays[which]
        value = np.asarray(value, dtype=float)
        if not np.isfinite(value).all():
            raise ValueError(f"`{name}` must be finite")
        if array.ndim == 1:
            array[row] = value
        else:
            array[row, :size] = value
            array[row, size:] = array[row, size - 1]

    def get(self, trainable: Trainable) -> np.ndarray:
        """The current value of a parameter or of an array of weights."""
        if trainable.kind == "weights":
            c = self.compiled.network.coupling_labels.index(trainable.name)
            return self.weights[c].parameters[trainable.array]
        which, row, size = self._places[trainable.name]
        array = self.arrays[which]
        return array[row] if array.ndim == 1 else array[row, :size]

    def forward(self) -> list[np.ndarray]:
        """Arrays of all weights."""
        dtype = self.compiled.dtype
        return [a for w in self.weights.values() for t in w.terms for a in t.kernel_arrays(dtype)]

    def transposed(
        self, couplings: Sequence[int], others: Mapping[int, Weights] | None = None
    ) -> list[np.ndarray]:
        """Arrays of the transposed weights of some couplings, or of `others` in their place."""
        dtype, weights = self.compiled.dtype, {**self.weights, **(others or {})}
        return [a for c in couplings for t in weights[c].terms for a in t.T.kernel_arrays(dtype)]


def _places(compiled: CompiledNetwork):
    """Pairs of a parameter's full name and (number of its array, row, number of units)."""
    which = 0
    members = zip(compiled.structure.populations, compiled.sizes, strict=True)
    for structure, size in members:
        for names in (structure.scalars, structure.per_unit):
            for row, name in enumerate(names):
                yield f"{structure.name}.{name}", (which, row, size)
            which += bool(names)
