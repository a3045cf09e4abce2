"""Plastic synapses in a run: weights of every trial, what a rule keeps, and where they end."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import aligned
from neurodyn.plasticity.network_rules import synapse_shape
from neurodyn.results import FINAL
from neurodyn.units import format_dimension, to_si
from neurodyn.weights.delivery import synapse_layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.coupling import Coupling
    from neurodyn.network import Network


class SynapseSetting:
    """What is the same for all trials: where the synapses of one plastic coupling are.

    Parameters
    ----------
    compiled : CompiledNetwork
    c : int
        Number of the coupling.
    """

    def __init__(self, compiled: CompiledNetwork, c: int):
        self.label = compiled.network.coupling_labels[c]
        self.coupling: Coupling = compiled.network.couplings[c]
        self.rule = compiled.structure.couplings[c].rule
        self.real = compiled.dtype.type
        self.is_dense = self.coupling.weights.kind == "dense"
        self.shape = synapse_shape(self.coupling.weights)
        low, high = self.coupling.plasticity.bounds or (None, None)
        self.given = {
            **self.coupling.plasticity.values,
            "w_min": -np.inf if low is None else low,
            "w_max": np.inf if high is None else high,
        }

    @cached_property
    def layout(self) -> tuple[np.ndarray, ...]:
        """``(start, stop, targets, order)`` of sparse weights, as `synapse_layout` gives them."""
        return synapse_layout(self.coupling.weights)

    @cached_property
    def of_target(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Synapses onto each unit: where they begin, which they are, and the source of each."""
        start, stop, targets, _ = self.layout
        source = np.repeat(np.arange(start.size), stop - start)
        synapse = np.lexsort((source, targets))
        begin = np.zeros(self.coupling.weights.n_post + 1, np.int64)
        np.cumsum(np.bincount(targets, minlength=begin.size - 1), out=begin[1:])
        return begin, synapse, source

    def described(self) -> dict[str, object]:
        """Values and bounds of the rule by full name, for provenance."""
        bounds = self.coupling.plasticity.bounds or ()
        given = {n: b for n, b in zip(("w_min", "w_max"), bounds) if b is not None}
        given = {**self.coupling.plasticity.values, **given}
        return {f"{self.label}.{name}": value for name, value in given.items()}

    def value(self, name: str) -> float | np.ndarray:
        """A value of the rule, in SI."""
        return to_si(self.given[name], name).value

    def laid_out(self, values: np.ndarray) -> np.ndarray:
        """Values (..., *shape) in the order of the weights, as kernels want them."""
        values = np.asarray(values, self.real)
        if self.is_dense:
            return aligned(np.swapaxes(values, -1, -2))
        return aligned(values[..., self.layout[3]])

    def given_order(self, values: np.ndarray) -> np.ndarray:
        """The reverse of `laid_out`."""
        if self.is_dense:
            return np.swapaxes(values, -1, -2).copy()
        found = np.empty_like(values)
        found[..., self.layout[3]] = values
        return found

    def initial(self, name: str) -> float | np.ndarray:
        """The weight, or what the rule keeps, at the beginning of a run, one or (*shape)."""
        if name == "w":
            (values,) = self.coupling.weights.parameters.values()
            return values
        return self.value(name) if name in self.given else 0.0

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions of one value a synapse in a Dataset."""
        ends = ("post", "pre") if self.is_dense else ("synapse",)
        return tuple(f"{self.label}.{end}" for end in ends)

    def places(self, synapses: np.ndarray) -> np.ndarray:
        """Where synapses, by number in the order of the weights' values, lie in the kernel."""
        n = int(np.prod(self.shape))
        kernel = np.empty(n, np.int64)
        if self.is_dense:
            kernel[np.arange(n).reshape(self.shape).T.reshape(-1)] = np.arange(n)
        else:
            kernel[self.layout[3]] = np.arange(n)
        return kernel[synapses]


class BlockSynapses:
    """The synapses of one plastic coupling in one block of trials.

    Parameters
    ----------
    setting : SynapseSetting
    values : mapping of str to ndarray, (trial, *shape)
        The weight and what the rule keeps, in the order of the weights.
    """

    def __init__(self, setting: SynapseSetting, values: Mapping[str, np.ndarray]):
        self.setting = setting
        self.values = {name: setting.laid_out(array) for name, array in values.items()}
        #: What is recorded, as `record_synapses` reads it.
        self.rows = np.empty((0, 4), np.int64)
        self.places = np.empty(0, np.int64)
        n_trials = len(self.values["w"])
        ends = {"pre": setting.coupling.weights.n_pre, "post": setting.coupling.weights.n_post}
        self.sums = [
            np.zeros((n_trials, ends[side]), setting.real) for _, side, _ in setting.rule.sums
        ]

    def weight_arguments(self) -> list[np.ndarray]:
        """The weights, as `WEIGHT_ARRAYS` names them."""
        if self.setting.is_dense:
            return [self.values["w"]]
        return [*self.setting.layout[:3], self.values["w"]]

    def arguments(self) -> list[Any]:
        """What `PlasticCoupling.arguments` lists."""
        setting, rule = self.setting, self.setting.rule
        found = [self.values[name] for name, _ in rule.states]
        scalars = np.array([setting.value(name) for name in rule.scalars], setting.real)
        found += [scalars, self.rows, self.places]
        found += [setting.laid_out(setting.value(name)) for name in rule.each]
        found += self.sums
        if rule.on_post and not setting.is_dense:
            found += setting.of_target
        return found

    def final(self, name: str) -> np.ndarray:
        """The weight or what the rule keeps (trial, *shape), in the order of the weights."""
        return self.setting.given_order(self.values[name])

    def first_not_finite(self) -> tuple[str, int, int, float] | None:
        """Name, trial, synapse and value of something that is not finite."""
        for name, values in self.values.items():
            if not np.isfinite(values).all():
                final = self.final(name).reshape(len(values), -1)
                trial, synapse = map(int, np.argwhere(~np.isfinite(final))[0])
                return f"{self.setting.label}.{name}", trial, synapse, float(final[trial, synapse])
        return None


def synapse_variables(
    setting: SynapseSetting, blocks: Sequence[BlockSynapses]
) -> dict[str, tuple]:
    """The synapses at the end of a run, as variables of a Dataset."""
    found = {}
    for name in setting.rule.changing:
        values = np.concatenate([block.final(name) for block in blocks])
        full = f"{setting.label}.{name}"
        unit = format_dimension(setting.rule.dims[name])
        text = {"units": unit, "long_name": f"{full} at the end"}
        found[full + FINAL] = (("trial", *setting.dims), values, text)
    return found


def with_final_weights(network: Network, ds: xr.Dataset, trial: int = 0) -> Network:
    """The network with the weights that its plastic couplings had at the end of a run.

    Parameters
    ----------
    network : Network
        The one that was simulated.
    ds : xarray.Dataset
        What `simulate` returned.
    trial : int
        Whose weights. Default 0.

    Raises
    ------
    ValueError
        If the run has no weights of a plastic coupling of the network.
    """
    weights = {}
    for label, coupling in zip(network.coupling_labels, network.couplings, strict=True):
        if coupling.plasticity is None:
            continue
        name = f"{label}.w{FINAL}"
        if name not in ds:
            raise ValueError(f"`ds` has no `{name}`; is it a run of this network?")
        (parameter,) = coupling.weights.parameters
        values = ds[name].values[trial]
        if coupling.plasticity.bounds is not None:  # which single precision rounds
            low, high = coupling.plasticity.bounds
            values = np.clip(
                values.astype(float),
                None if low is None else to_si(low, "bounds").value,
                None if high is None else to_si(high, "bounds").value,
            )
        weights[label] = coupling.weights.with_parameters(**{parameter: values})
    return network.with_values(**weights)
