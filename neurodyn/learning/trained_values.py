"""What is trained, as three sets of arrays: free numbers, values, and a network with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.learning.parametrisations import Parametrisation
from neurodyn.learning.trainable import Trainable, find_trainables
from neurodyn.population import listed, suggestion
from neurodyn.units import Quantity

if TYPE_CHECKING:
    from neurodyn.network import Network

Arrays = Mapping[str, np.ndarray]


class TrainedValues:
    """The trained arrays of a network.

    Parameters
    ----------
    network : Network
    trainable : sequence of str
        See `find_trainables`; inputs cannot be trained.
    parametrise : dict of str to Parametrisation

    Attributes
    ----------
    trainables : tuple of Trainable
    initial : dict of str to ndarray
        Free numbers that stand for the network's values.
    """

    def __init__(
        self,
        network: Network,
        trainable: Sequence[str],
        parametrise: Mapping[str, Parametrisation] | None,
    ):
        self.network = network
        self.trainables = find_trainables(network, trainable)
        self.start = {one.key: _current(network, one) for one in self.trainables}
        self.parametrisations: dict[str, Parametrisation] = {}
        for key, given in (parametrise or {}).items():
            self._parametrise(key, given)
        self.initial = {
            key: self.parametrisations[key].to_raw(value) if key in self.parametrisations else value
            for key, value in self.start.items()
        }

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.start)

    def _parametrise(self, key: str, given: Any) -> None:
        if key not in self.start:
            raise ValueError(
                f"`parametrise`: `{key}` is not trained{suggestion(key, self.start) or '.'} "
                f"Trained are {listed(self.start)}."
            )
        if not isinstance(given, Parametrisation):
            raise TypeError(
                f"`parametrise[{key!r}]` must be a parametrisation such as "
                f"nd.learning.Positive(); got {given!r}"
            )
        value = self.start[key]
        try:
            fitted = given.fitted(value)
            again = fitted.to_value(fitted.to_raw(value))
        except ValueError as error:
            raise ValueError(f"`parametrise[{key!r}]`: {error}") from None
        tolerance = 1e4 * np.finfo(value.dtype).eps
        if again.shape != value.shape or not np.allclose(again, value, tolerance, tolerance):
            raise ValueError(
                f"`parametrise[{key!r}]`: {type(given).__name__} cannot have the initial value"
            )
        self.parametrisations[key] = fitted

    def values(self, raw: Arrays) -> dict[str, np.ndarray]:
        """The values that free numbers stand for."""
        found = dict(raw)
        for key, parametrisation in self.parametrisations.items():
            found[key] = parametrisation.to_value(raw[key])
        return found

    def pull_back(self, raw: Arrays, gradients: Arrays) -> dict[str, np.ndarray]:
        """Gradients by the free numbers."""
        found = dict(gradients)
        for key, parametrisation in self.parametrisations.items():
            found[key] = parametrisation.pull_back(raw[key], gradients[key])
        return found

    def states(self, values: Arrays) -> dict[str, np.ndarray]:
        """Initial states among the values."""
        return {t.name: values[t.key] for t in self.trainables if t.kind == "state"}

    def settable(self, values: Arrays) -> dict[str, np.ndarray]:
        """What an unrolled network takes: parameters and weights."""
        return {t.key: values[t.key] for t in self.trainables if t.kind != "state"}

    def wrong(self, values: Arrays) -> tuple[str, str] | None:
        """The key of a value that no network can have, and what is wrong with it."""
        for one in self.trainables:
            value = values[one.key]
            if not np.isfinite(value).all():
                return one.key, "is not finite"
            is_tau = one.kind == "parameter" and one.name.rpartition(".")[2].startswith("tau")
            if is_tau and not np.all(value > 0):
                return one.key, (
                    f"is a time constant and came to {np.min(value):g}; "
                    f"`parametrise={{{one.key!r}: nd.learning.Positive()}}` keeps it positive"
                )
        return None

    def network_with(self, values: Arrays) -> Network:
        """The network with these values."""
        new: dict[str, Any] = {}
        arrays: dict[str, dict[str, np.ndarray]] = {}
        for one in self.trainables:
            if one.kind == "weights":
                arrays.setdefault(one.name, {})[one.array] = values[one.key]
            else:
                new[one.name] = Quantity(values[one.key], self.network.dimension(one.name))
        labels = dict(zip(self.network.coupling_labels, self.network.couplings, strict=True))
        for label, changed in arrays.items():
            new[label] = labels[label].weights.with_parameters(**changed)
        return self.network.with_values(**new)


def _current(network: Network, one: Trainable) -> np.ndarray:
    """The value that training begins with, as an array of its own."""
    if one.kind == "input":
        raise ValueError(
            f"`trainable`: `{one.name}` is an input, which the task gives; make a constant one a "
            "parameter, or find its gradients by `bptt`"
        )
    if one.kind == "weights":
        labels = network.coupling_labels
        weights = network.couplings[labels.index(one.name)].weights
        return np.array(weights.parameters[one.array], order="K")
    population, name = network.split(one.name)
    member = network.populations[population]
    if one.kind == "parameter":
        return np.array(member.parameters[name], dtype=float)
    value = member.initial.get(name, 0.0)
    if callable(value):
        raise ValueError(
            f"`trainable`: `{one.name}` is drawn anew in each trial; give it numbers first, "
            f"network.with_values(**{{{one.name!r}: 0.0}})"
        )
    return np.array(np.broadcast_to(np.asarray(value, dtype=float), (member.size,)))
