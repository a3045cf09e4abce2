"""Networks as files: `save_network` and `load_network`.

A file holds all that makes a network: equations, values with their units, weights of every kind,
delays, plasticity, given spikes. It is an ordinary ``.npz`` file with a JSON description and no
code: nothing in it is executed but the equations, which are checked as any text of a user's is.
What is one object in the network, such as weights that two couplings share, is one again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn import surrogates
from neurodyn._archives import read_archive, write_archive
from neurodyn._version import __version__
from neurodyn.coupling import Coupling, PoissonInput
from neurodyn.delays import SynapseDelays
from neurodyn.network import Network
from neurodyn.plasticity.rule import Plasticity
from neurodyn.population import Population, listed
from neurodyn.spike_sources import SpikeSource
from neurodyn.units import Quantity, to_si
from neurodyn.weights import Dense, Diagonal, LowRank, Sparse, Sum, Transpose, Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

_KIND, _VERSION = "network", 1


def save_network(network: Network, path: str | os.PathLike) -> Path:
    """Write a network to one file, from which `load_network` makes the same network.

    Parameters
    ----------
    network : Network
    path : path-like
        Ends in ``.npz``. What is there already is replaced when the new file is complete.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    TypeError
        If `network` is no Network.
    ValueError
        If the suffix is another.

    Notes
    -----
    Initial states that are drawn by a function cannot be in a file: it says which they are, and
    `load_network` asks for them.

    Examples
    --------
    >>> import neurodyn as nd, tempfile, pathlib
    >>> net = nd.rate_network([[0.5]], tau=10*nd.ms)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = nd.save_network(net, pathlib.Path(folder, "net.npz"))
    ...     again = nd.load_network(path)
    >>> again.populations["E"].parameters["tau"]
    0.01
    """
    if not isinstance(network, Network):
        raise TypeError(f"`network` must be a Network; got {type(network).__name__}")
    path = _checked_path(path)
    arrays = _Arrays()
    about = {
        "kind": _KIND,
        "version": _VERSION,
        "neurodyn": __version__,
        "populations": {n: _of_population(p, arrays) for n, p in network.members.items()},
        "couplings": [_of_coupling(c, arrays) for c in network.couplings],
        "poisson_inputs": [_of_poisson(c, arrays) for c in network.poisson_inputs],
        "objects": arrays.descriptions,  # filled by the lines above
    }
    return write_archive(path, about, arrays.arrays)


def load_network(
    path: str | os.PathLike, *, initial: Mapping[str, Callable] | None = None
) -> Network:
    """Read a network that `save_network` wrote.

    Parameters
    ----------
    path : path-like
    initial : dict of str to callable or array, optional
        Initial states that were functions when the network was saved, by full name.

    Returns
    -------
    Network

    Raises
    ------
    FileNotFoundError, OSError
        If there is nothing at `path`, or it is damaged or something else.
    ValueError
        If an initial state was a function and is not given.
    """
    path = _checked_path(path)
    about, arrays = read_archive(path, _KIND)
    if about["version"] > _VERSION:
        raise OSError(
            f"`path` was written by a later version, neurodyn {about['neurodyn']}: {path}"
        )
    found = _Found(about["objects"], arrays)
    drawn = {
        f"{name}.{state}"
        for name, described in about["populations"].items()
        for state in described.get("functions", ())
    }
    given = dict(initial or {})
    if missing := sorted(drawn - set(given)):
        raise ValueError(
            f"{listed(missing)} began with values drawn by a function, which no file can hold; "
            f"give it again, load_network(..., initial={{{missing[0]!r}: ...}})"
        )
    members = {}
    for name, described in about["populations"].items():
        own = {s: given.pop(f"{name}.{s}") for s in described.get("functions", ())}
        members[name] = _to_population(described, own, found)
    couplings: list[Any] = [_to_coupling(c, found) for c in about["couplings"]]
    couplings += [_to_poisson(c, found) for c in about["poisson_inputs"]]
    network = Network.__new__(Network)
    network._assemble(members, couplings)
    return network.with_values(**given) if given else network


def _checked_path(path) -> Path:
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"`path` must end in .npz; got {str(path)!r}")
    return path


# -- arrays and shared objects -----------------------------------------------------------------


class _Arrays:
    """Arrays by number, and descriptions of objects that may be shared."""

    def __init__(self):
        self.arrays: dict[str, np.ndarray] = {}
        self.descriptions: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is used twice

    def add(self, array: np.ndarray) -> str:
        name = str(len(self.arrays))
        self.arrays[name] = np.asarray(array)
        return name

    def shared(self, value: Any, describe: Callable[[Any, _Arrays], Any]) -> int:
        """Number of an object's description."""
        if id(value) not in self._numbers:
            described = describe(value, self)
            self._numbers[id(value)] = len(self.descriptions)
            self.descriptions.append(described)
            self._kept.append(value)
        return self._numbers[id(value)]


class _Found:
    """The same on the way back."""

    def __init__(self, descriptions: Sequence[Any], arrays: Mapping[str, np.ndarray]):
        self.descriptions, self.arrays = descriptions, arrays
        self._made: dict[int, Any] = {}

    def shared(self, number: int, make: Callable[[Any, _Found], Any]) -> Any:
        if number not in self._made:
            self._made[number] = make(self.descriptions[number], self)
        return self._made[number]


def _of_value(value: Any, arrays: _Arrays) -> dict[str, Any]:
    """A number, array or quantity."""
    number, dim = to_si(value)
    is_array = isinstance(number, np.ndarray)
    described = {"array": arrays.add(number)} if is_array else {"number": number}
    return described if dim is None else {**described, "dim": list(dim)}


def _to_value(described: Mapping, found: _Found) -> Any:
    is_array = "array" in described
    value = found.arrays[described["array"]] if is_array else described["number"]
    return Quantity(value, tuple(described["dim"])) if "dim" in described else value


# -- populations -------------------------------------------------------------------------------


def _of_population(population: Population, arrays: _Arrays) -> dict[str, Any]:
    values = population._quantities()
    described: dict[str, Any] = {
        "size": population.size,
        "equations": population.text,
        "values": {n: _of_value(v, arrays) for n, v in values.items() if not callable(v)},
        "functions": [n for n, v in values.items() if callable(v)],
    }
    if isinstance(population, SpikeSource):
        lists = {"time": population.spike_time, "unit": population.spike_unit}
        spikes = {name: arrays.add(array) for name, array in lists.items()}
        return {**described, "spikes": spikes}
    if population.is_spiking:
        described["threshold"], described["reset"] = population.threshold, population.reset
        described["refractory"] = _of_value(population.refractory, arrays)
    if population.surrogate is not None:
        s = population.surrogate
        numbers = {n: _of_value(getattr(s, n), arrays) for n in ("slope", "dampening")}
        described["surrogate"] = {"class": type(s).__name__, **numbers}
    return described


def _to_population(described: Mapping, drawn: Mapping[str, Any], found: _Found) -> Population:
    values = {n: _to_value(v, found) for n, v in described["values"].items()}
    values.update(drawn)
    size, text = described["size"], described["equations"]
    if "spikes" in described:
        spikes = (found.arrays[described["spikes"][n]] for n in ("time", "unit"))
        return SpikeSource(size, *spikes, [text] if text else [], **values)
    if "threshold" in described:
        values["refractory"] = _to_value(described["refractory"], found)
        values["threshold"], values["reset"] = described["threshold"], described["reset"]
    if "surrogate" in described:
        values["surrogate"] = _to_surrogate(described["surrogate"], found)
    return Population(size, text, **values)


def _to_surrogate(described: Mapping, found: _Found) -> surrogates.Surrogate:
    kinds = {kind.__name__: kind for kind in surrogates.Surrogate.__subclasses__()}
    if described["class"] not in kinds:
        raise OSError(f"the file has an unknown surrogate, {described['class']!r}")
    numbers = {n: _to_value(described[n], found) for n in ("slope", "dampening")}
    return kinds[described["class"]](**numbers)


# -- couplings ---------------------------------------------------------------------------------


def _of_coupling(coupling: Coupling, arrays: _Arrays) -> dict[str, Any]:
    delay, rule = coupling.delay, coupling.plasticity
    several = isinstance(delay, SynapseDelays)
    return {
        "source": coupling.source,
        "target": coupling.target,
        "weights": arrays.shared(coupling.weights, _of_weights),
        "delay": {"shared": arrays.shared(delay, _of_delays)} if several else {"number": delay},
        "plasticity": None if rule is None else arrays.shared(rule, _of_rule),
    }


def _to_coupling(described: Mapping, found: _Found) -> Coupling:
    delay, rule = described["delay"], described["plasticity"]
    return Coupling(
        described["source"],
        described["target"],
        found.shared(described["weights"], _to_weights),
        found.shared(delay["shared"], _to_delays) if "shared" in delay else delay["number"],
        None if rule is None else found.shared(rule, _to_rule),
    )


def _of_delays(delay: SynapseDelays, arrays: _Arrays) -> dict[str, str]:
    return {"values": arrays.add(delay.values), "index": arrays.add(delay.index)}


def _to_delays(described: Mapping, found: _Found) -> SynapseDelays:
    values, index = (found.arrays[described[n]] for n in ("values", "index"))
    return SynapseDelays(values[index])


def _of_poisson(source: PoissonInput, arrays: _Arrays) -> dict[str, Any]:
    return {
        "target": source.target,
        "rate": _of_value(source.rate, arrays),
        "weight": _of_value(source.weight, arrays),
        "n_sources": source.n_sources,
        "dim": None if source.dim is None else list(source.dim),
    }


def _to_poisson(described: Mapping, found: _Found) -> PoissonInput:
    dim = described["dim"]
    return PoissonInput(
        described["target"],
        _to_value(described["rate"], found),
        _to_value(described["weight"], found),
        described["n_sources"],
        None if dim is None else tuple(dim),
    )


def _of_rule(rule: Plasticity, arrays: _Arrays) -> dict[str, Any]:
    bounds = rule.bounds
    return {
        "equations": rule.equations,
        "on_pre": rule.on_pre,
        "on_post": rule.on_post,
        "bounds": bounds and [None if b is None else _of_value(b, arrays) for b in bounds],
        "values": {name: _of_value(value, arrays) for name, value in rule.values.items()},
    }


def _to_rule(described: Mapping, found: _Found) -> Plasticity:
    bounds = described["bounds"]
    if bounds is not None:
        bounds = tuple(None if b is None else _to_value(b, found) for b in bounds)
    return Plasticity(
        described["equations"],
        on_pre=described["on_pre"],
        on_post=described["on_post"],
        bounds=bounds,
        **{name: _to_value(value, found) for name, value in described["values"].items()},
    )


# -- weights -----------------------------------------------------------------------------------


def _of_weights(weights: Weights, arrays: _Arrays) -> dict[str, Any]:
    if isinstance(weights, Transpose):
        return {"kind": "transpose", "of": arrays.shared(weights.other, _of_weights)}
    if weights.kind == "sum":
        return {"kind": "sum", "terms": [arrays.shared(t, _of_weights) for t in weights.terms]}
    kept = dict(weights.parameters)
    if isinstance(weights, Sparse):
        kept.update(indptr=weights.indptr, indices=weights.indices)
    return {
        "kind": weights.kind,
        "dim": None if weights.dim is None else list(weights.dim),
        "shape": list(weights.shape),
        "arrays": {name: arrays.add(array) for name, array in kept.items()},
    }


def _to_weights(described: Mapping, found: _Found) -> Weights:
    if described["kind"] == "transpose":
        return Transpose(found.shared(described["of"], _to_weights))
    if described["kind"] == "sum":
        return Sum(*(found.shared(t, _to_weights) for t in described["terms"]))
    arrays = {name: found.arrays[number] for name, number in described["arrays"].items()}
    if described["kind"] == "sparse":
        made: Weights = Sparse.from_csr(**arrays, shape=tuple(described["shape"]))
    else:
        made = {"dense": Dense, "low_rank": LowRank, "diagonal": Diagonal}[described["kind"]](
            **arrays
        )
    return made._set(dim=None if described["dim"] is None else tuple(described["dim"]))
