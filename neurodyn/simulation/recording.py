"""What a run records, and where it goes: into memory, or to disk as it comes.

A `Recording` is the list of recorded columns: each variable's units lie side by side in one array
``(trial, sample, column)`` that the kernels write. Sinks own that array.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.compile.structure import SPIKE
from neurodyn.plasticity.network_rules import synapse_shape

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.network import Network
    from neurodyn.simulation.synapses import SynapseSetting

#: The rate of a population, as a thing to record.
SPIKE_RATE = "spike_rate"
#: Bytes that a streamed run holds in memory for recordings, all trials together.
STREAM_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Column:
    """One recorded variable: its units, and where they lie in a sample.

    Kernels keep standard normal numbers for noise; `factor` makes white noise of them, 1/sqrt(dt).
    """

    name: str
    units: np.ndarray
    start: int
    is_subset: bool
    factor: float = 1.0

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.units.size)


@dataclass(frozen=True)
class Recording:
    """The columns of a sample.

    Attributes
    ----------
    columns : tuple of Column
    spikes : dict of str to ndarray or None
        Populations whose spikes are recorded, and of which units; None for all.
    rates : tuple of str
        Populations whose rate is recorded.
    """

    columns: tuple[Column, ...]
    spikes: dict[str, np.ndarray | None] = field(default_factory=dict)
    rates: tuple[str, ...] = ()

    @classmethod
    def of(cls, network: Network, record, dt: float) -> Recording:
        """From a list of names, or a dict of names to units (slice, int array, None for all).

        Raises
        ------
        TypeError
            If it is neither.
        ValueError
            For unknown names (with a suggestion), parameters, or units out of range.
        """
        if record is None:
            spiking = network.spiking_populations
            states = [n for n in network.state_names if network.split(n)[0] not in spiking]
            record = [*(f"{name}.{SPIKE}" for name in spiking), *states]
        if isinstance(record, str):
            record = [record]
        if not isinstance(record, Iterable):
            raise TypeError(
                f'`record` must be a list such as ["E.r"] or a dict of units; got {record!r}'
            )
        chosen = dict(record) if isinstance(record, Mapping) else dict.fromkeys(record)
        columns, start = [], 0
        spikes: dict[str, np.ndarray | None] = {}
        rates: list[str] = []
        for name, units in chosen.items():
            if name.endswith(f".{SPIKE_RATE}") and name.rpartition(".")[0] in (
                network.spiking_populations
            ):
                rates.append(name.rpartition(".")[0])
                continue
            if "->" in name:
                index = _chosen(name, units, _synapse_count(network, name))
                columns.append(Column(name, index, start, units is not None))
                start += index.size
                continue
            population, variable = network.split(name)
            member = network.populations[population]
            if variable in member.parameters:
                raise ValueError(f"`record`: `{name}` is a parameter and does not change")
            index = _chosen(name, units, member.size)
            if variable == SPIKE:
                spikes[population] = None if units is None else index
                continue
            factor = dt**-0.5 if variable in member.equations.noise_names else 1.0
            columns.append(Column(name, index, start, units is not None, factor))
            start += index.size
        return cls(tuple(columns), spikes, tuple(rates))

    def synapse_tables(self, setting: SynapseSetting) -> tuple[np.ndarray, np.ndarray]:
        """Rows and places of one plastic coupling, as `record_synapses` reads them."""
        rows, places = [], [np.empty(0, np.int64)]
        for column in self.columns:
            label, _, name = column.name.rpartition(".")
            if label == setting.label:
                first = sum(p.size for p in places)
                variable = setting.rule.changing.index(name)
                rows.append((variable, first, column.units.size, column.start))
                places.append(setting.places(column.units))
        return np.array(rows, np.int64).reshape(-1, 4), np.concatenate(places)

    @property
    def n_columns(self) -> int:
        return sum(c.units.size for c in self.columns)

    def by_name(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Samples ``(trial, sample, column)`` as ``(trial, sample, unit)`` of each variable."""
        return {
            c.name: samples[..., c.slice] * c.factor if c.factor != 1 else samples[..., c.slice]
            for c in self.columns
        }

    def kernel_tables(self, compiled: CompiledNetwork, parts) -> list[np.ndarray]:
        """Rows and units of each population, as `record_rows` reads them.

        `parts` are the ranges of units of each population that a kernel has in its workspaces.
        """
        n = len(compiled.structure.populations)
        rows: list[list[tuple[int, int, int, int]]] = [[] for _ in range(n)]
        units: list[list[np.ndarray]] = [[np.empty(0, np.int64)] for _ in range(n)]
        for column in self.columns:
            if "->" in column.name:
                continue  # of synapses
            p, slot = compiled.slot(column.name)
            inside = (column.units >= parts[p].start) & (column.units < parts[p].stop)
            places = np.flatnonzero(inside)
            # units that stand side by side in the sample are one row of the table
            for run in np.split(places, np.flatnonzero(np.diff(places) != 1) + 1):
                if run.size:
                    first = sum(u.size for u in units[p])
                    rows[p].append((slot, first, run.size, column.start + int(run[0])))
                    units[p].append(column.units[run] - parts[p].start)
        tables = []
        for p in range(n):
            tables.append(np.array(rows[p], dtype=np.int64).reshape(-1, 4))
            tables.append(np.concatenate(units[p]))
        return tables

    def unit_index(self) -> dict[str, np.ndarray]:
        """Units of the variables of which only a part is recorded."""
        return {c.name: c.units for c in self.columns if c.is_subset}


def _chosen(name: str, units, size: int) -> np.ndarray:
    """Numbers of the units, or synapses, to record."""
    index = np.arange(size)
    if units is None:
        return index
    try:
        return np.atleast_1d(index[units]).astype(np.int64)
    except (IndexError, TypeError, ValueError):
        raise ValueError(
            f"`record`: units of `{name}` must be a slice or indices below {size}; "
            f"got {units!r:.60}"
        ) from None


def _synapse_count(network: Network, name: str) -> int:
    """Number of synapses of a plastic coupling, of which `name` is the weight or something kept."""
    label, _, variable = name.rpartition(".")
    rules = dict(zip(network.coupling_labels, range(len(network.couplings)), strict=True))
    rule = network.rules.get(rules.get(label, -1))
    if rule is None or variable not in rule.changing:
        known = [
            f"{network.coupling_labels[k]}.{n}" for k, r in network.rules.items()
            for n in r.changing
        ]  # fmt: skip
        raise ValueError(
            f"`record`: there is no plastic `{name}`; there are {', '.join(known) or 'none'}"
        )
    return int(np.prod(synapse_shape(network.couplings[rules[label]].weights)))


class MemorySink:
    """Keeps all samples.

    Parameters
    ----------
    recording : Recording
    n_trials, n_samples : int
    dtype : numpy.dtype

    Raises
    ------
    MemoryError
        If the recording is larger than the memory that is free, with the estimate.
    """

    def __init__(self, recording: Recording, n_trials: int, n_samples: int, dtype: np.dtype):
        self.recording = recording
        shape = (n_trials, n_samples, recording.n_columns)
        _check_fits(shape, dtype)
        self.array = np.empty(shape, dtype=dtype)
        self.capacity = n_samples
        self.first_sample = 0

    def room(self, sample: int) -> int:
        """Samples that fit from number `sample` on."""
        return self.capacity - sample

    def finished(self, n_samples: int) -> None:
        """Tell that samples up to `n_samples` are complete."""


def _check_fits(shape: tuple[int, ...], dtype: np.dtype) -> None:
    needed = float(np.prod([float(s) for s in shape])) * dtype.itemsize
    if needed < 2**27:
        return
    import psutil

    free = psutil.virtual_memory().available
    if needed > 0.9 * free:
        raise MemoryError(
            f"the recording needs {needed / 2**30:.1f} GiB "
            f"({shape[0]} trials x {shape[1]} samples x {shape[2]} values of {dtype.itemsize} "
            f"bytes), and {free / 2**30:.1f} GiB are free. Record less often (`every=`), fewer "
            'variables or units (`record=`), in single precision (`dtype="float32"`), or stream to '
            'disk (`store="run.zarr"`).'
        )


class ZarrSink:
    """Writes samples to a Zarr store block by block, in bounded memory.

    The time axis is laid out in full at the start, so that the store can be opened at any moment,
    also after a crash; what has not been simulated yet reads as NaN, and the store's attribute
    ``committed`` says how many samples are final.

    Parameters
    ----------
    path : str or Path
        Folder of the store, ending in ``.zarr``; must not exist, unless `resume`.
    recording, n_trials, n_samples, dtype
        As for `MemorySink`.
    time : ndarray, (sample,)
        s.
    attributes : dict
        Global attributes of the store.
    """

    def __init__(self, path, recording, n_trials, n_samples, dtype, time, units, attributes):
        from neurodyn.simulation.streaming import ZarrStream

        self.recording = recording
        per_sample = max(1, n_trials * recording.n_columns * dtype.itemsize)
        self.capacity = int(np.clip(STREAM_BYTES // per_sample, 1, n_samples))
        self.array = np.empty((n_trials, self.capacity, recording.n_columns), dtype=dtype)
        self.first_sample = 0
        self.stream = ZarrStream(
            path,
            {c.name: (n_trials, n_samples, c.units.size) for c in recording.columns},
            dtype,
            time,
            units,
            recording.unit_index(),
            block=self.capacity,
            attributes=attributes,
        )

    def room(self, sample: int) -> int:
        return self.first_sample + self.capacity - sample

    def finished(self, n_samples: int) -> None:
        """Write a full block; the last one may be shorter."""
        if n_samples == self.first_sample + self.capacity:
            self.flush(n_samples)

    def flush(self, n_samples: int) -> None:
        """Write what is there and make it final."""
        count = n_samples - self.first_sample
        if count:
            for name, values in self.recording.by_name(self.array[:, :count]).items():
                self.stream.write(name, self.first_sample, values)
            self.stream.commit(n_samples)
            self.first_sample = n_samples


def concatenate(runs: Sequence):
    """Join consecutive runs along time into one Dataset.

    Parameters
    ----------
    runs : sequence of xarray.Dataset
        Each continued from the one before by ``simulate(..., initial=before)``.

    Returns
    -------
    xarray.Dataset
        Recordings joined along ``time``, and spikes; final state and attributes of the last.

    Raises
    ------
    ValueError
        If a run does not begin where the one before ended, or there is none.
    TypeError
        If one is not what `simulate` returns.
    """
    import xarray as xr

    runs = list(runs)
    if not runs:
        raise ValueError("`runs` is empty; give the Datasets of consecutive runs")
    for k, run in enumerate(runs):
        if not isinstance(run, xr.Dataset) or not isinstance(run.attrs.get("run"), Mapping):
            raise TypeError(
                f"`runs[{k}]` must be a Dataset that simulate returned; got {type(run).__name__}"
                + (" without its attribute `run`" if isinstance(run, xr.Dataset) else "")
            )
    for before, after in zip(runs, runs[1:], strict=False):
        end, start = before.attrs["run"]["next_step"], after.attrs["run"]["first_step"]
        if end != start:
            raise ValueError(
                f"`runs` are not consecutive: one ends before step {end}, "
                f"the next begins at {start}"
            )
    series = [run[[n for n in run.data_vars if "time" in run[n].dims]] for run in runs]
    joined = xr.concat(series, dim="time", combine_attrs="override")
    last = runs[-1]
    final = last[[n for n in last.data_vars if "time" not in last[n].dims]]
    spikes = _joined_spikes(runs)
    final = final.drop_vars([name for name in spikes.data_vars])
    result = xr.merge([joined, final, spikes], combine_attrs="override")
    result.attrs = {**last.attrs, "run": {**last.attrs["run"]}}
    result.attrs["run"]["first_step"] = runs[0].attrs["run"]["first_step"]
    return result


def _joined_spikes(runs: list[xr.Dataset]) -> xr.Dataset:
    """Recorded spikes of all runs, sorted by trial, then time, then unit."""
    import xarray as xr

    found = xr.Dataset()
    for name in runs[0].data_vars:
        if not str(name).endswith(f".{SPIKE}_time"):
            continue
        population = str(name).removesuffix(f".{SPIKE}_time")
        names = [f"{population}.{SPIKE}_{what}" for what in ("unit", "time", "trial")]
        dim = f"{population}.{SPIKE}"
        spikes = xr.concat([run[names] for run in runs], dim=dim, combine_attrs="override")
        found = found.assign(spikes.isel({dim: np.lexsort([spikes[n].values for n in names])}))
    return found
