"""All results of a sweep as one Dataset, whose values stay on the disk until they are used."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._attributes import from_json
from neurodyn.sweeps.folder import State, SweepFolder
from neurodyn.sweeps.plan import Plan

if TYPE_CHECKING:
    import xarray as xr

#: Columns that were read last are kept, up to this many bytes.
CACHE_BYTES = 1 << 28


@dataclass(frozen=True)
class Merged:
    """One variable of the whole sweep.

    Attributes
    ----------
    dims : tuple of str
        Of one task's result.
    shape : tuple of int
        The largest among the tasks.
    dtype : numpy.dtype
        One that holds the values of all, and NaN where some are missing.
    attrs : dict
    shared : bool
        A coordinate that is the same for all tasks.
    coord : bool
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attrs: dict[str, Any]
    shared: bool
    coord: bool


class Reader:
    """Values of the tasks, from their files.

    Parameters
    ----------
    folder : SweepFolder
    plan : Plan
    state : State
    """

    def __init__(self, folder: SweepFolder, plan: Plan, state: State):
        self.folder, self.plan, self.state = folder, plan, state
        self._columns: OrderedDict[tuple[int, int, str], np.ndarray] = OrderedDict()

    def column(self, shard: int, structure: int, name: str) -> np.ndarray:
        """A column of a shard, read once while it is in use."""
        key = (shard, structure, name)
        if key in self._columns:
            self._columns.move_to_end(key)
            return self._columns[key]
        found = self.state.shards[shard].column(structure, name)
        self._columns[key] = found
        while len(self._columns) > 1 and sum(c.nbytes for c in self._columns.values()
                                             if not isinstance(c, np.memmap)) > CACHE_BYTES:
            self._columns.popitem(last=False)
        return found

    def read(
        self, name: str, variable: Merged, tasks: np.ndarray, key: tuple[Any, ...]
    ) -> np.ndarray:
        """Values of a variable for some tasks, ``(task, ...)``.

        Parameters
        ----------
        name : str
        variable : Merged
        tasks : int array, (task,)
        key : tuple of slice or int array
            Which part of each task's own dimensions.
        """
        wanted = [np.arange(size)[k] for size, k in zip(variable.shape, key)]
        out = np.full((len(tasks), *map(len, wanted)), fill_value(variable.dtype), variable.dtype)
        shards = self.state.shard[tasks]
        order = np.argsort(shards, kind="stable")
        for at in order[np.searchsorted(shards[order], 0):]:
            number, row = int(shards[at]), int(self.state.row[tasks[at]])
            shard = self.state.shards[number]
            structure, inner = (int(shard.tasks[k][row]) for k in ("structure", "row"))
            entry = shard.index["structures"][structure].get(name)
            if entry is None:
                continue
            inside = [w < size for w, size in zip(wanted, entry["shape"])]
            parts = tuple(w[i] for w, i in zip(wanted, inside))
            if entry["streamed"]:
                values = self._stored(shard.tasks["identity"][row], name, parts)
            else:
                column = self.column(number, structure, name)
                values = column[inner if len(column) > 1 else 0]
                full = all(len(p) == size for p, size in zip(parts, entry["shape"]))
                values = values if full else values[np.ix_(*parts)]
            out[(at, *(np.s_[: len(p)] if i.all() else np.flatnonzero(i)
                       for p, i in zip(parts, inside)))] = values  # fmt: skip
        return out

    def _stored(self, identity: np.ndarray, name: str, parts: tuple[np.ndarray, ...]) -> np.ndarray:
        from neurodyn.results import load

        found = load(self.folder.stream(identity), lazy=True)[name]
        return found[tuple(_as_slice(part) for part in parts)].values


def _as_slice(part: np.ndarray) -> slice | np.ndarray:
    """A run of whole numbers as a slice, which needs no index in memory."""
    if len(part) and part[-1] - part[0] == len(part) - 1 and (np.diff(part) == 1).all():
        return slice(int(part[0]), int(part[-1]) + 1)
    return part


def fill_value(dtype: np.dtype[Any]) -> Any:
    """What stands where a task has no value."""
    if dtype.kind in "fc":
        return np.nan
    return {"U": "", "S": b"", "M": np.datetime64("NaT"), "m": np.timedelta64("NaT")}.get(
        dtype.kind, 0
    )


def merged_variables(reader: Reader) -> dict[str, Merged]:
    """What the variables of the whole sweep are, from the structures of all tasks."""
    state, plan = reader.state, reader.plan
    used = _used_structures(state)
    missing = not state.done.all()
    found: dict[str, Merged] = {}
    names = dict.fromkeys(name for _, _, structure in used for name in structure)
    for name in names:
        entries = [structure[name] for _, _, structure in used if name in structure]
        dims = {tuple(entry["dims"]) for entry in entries}
        if len(dims) > 1:
            shown = " and ".join(str(d) for d in sorted(dims))
            raise ValueError(
                f"variable {name!r} has the dimensions {shown} in different tasks of "
                f"{plan.target.name}; let the experiment return the same for all parameters"
            )
        shapes = {tuple(entry["shape"]) for entry in entries}
        everywhere = len(entries) == len(used)
        # A coordinate of its dimension that only goes on longer in some tasks is shared, too.
        shared = all("crc" in entry for entry in entries) and everywhere
        dtype = np.result_type(*{entry["dtype"] for entry in entries})
        shape = tuple(max(sizes) for sizes in zip(*shapes))
        if shared:
            shared = _agree(reader, used, name)
        elif missing or not everywhere or len(shapes) > 1:
            dtype = _with_missing(dtype)
        if not shared and missing:
            dtype = _with_missing(dtype)
        attrs = dict(from_json(entries[0]["attrs"]))  # type: ignore[call-overload]
        coord = all(entry["coord"] for entry in entries)
        (own,) = dims
        found[name] = Merged(own, shape, dtype, attrs, shared, coord)
    return found


def _used_structures(state: State) -> list[tuple[int, int, dict[str, Any]]]:
    """(shard, structure number, structure) that some task has, by the first task that has it.

    Structures that look the same in the index are given once, except for coordinates whose values
    differ: the checksum in the index tells them apart.
    """
    seen: dict[str, tuple[int, int, dict[str, Any]]] = {}
    tasks = np.flatnonzero(state.done)
    keys = np.empty((len(tasks), 2), np.int64)
    for number in np.unique(state.shard[tasks]):
        mine = state.shard[tasks] == number
        rows = state.row[tasks[mine]]
        keys[mine] = np.stack(
            [np.full(mine.sum(), number), state.shards[number].tasks["structure"][rows]], 1
        )
    _, first = np.unique(keys, axis=0, return_index=True)
    for at in np.sort(first):
        shard, structure = (int(k) for k in keys[at])
        entry = state.shards[shard].index["structures"][structure]
        seen.setdefault(repr(entry), (shard, structure, entry))
    return list(seen.values())


def _agree(reader: Reader, used: list[tuple[int, int, dict[str, Any]]], name: str) -> bool:
    """Whether a coordinate is the same in all tasks, as far as it goes."""
    checksums = {(entry[name]["crc"], *entry[name]["shape"]): (s, k) for s, k, entry in used}
    if len(checksums) == 1:
        return True
    values = [reader.column(shard, k, name)[0] for shard, k in checksums.values()]
    if any(value.ndim != 1 for value in values):
        return False
    longest = max(values, key=len)
    return all(np.array_equal(value, longest[: len(value)]) for value in values)


def _with_missing(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A dtype that has room for "no value"."""
    return np.dtype(np.float64) if dtype.kind in "iub" else dtype


def merged_dataset(folder: SweepFolder, plan: Plan, state: State) -> xr.Dataset:
    """The Dataset of a sweep, with its values on the disk.

    Parameters
    ----------
    folder : SweepFolder
    plan : Plan
    state : State

    Returns
    -------
    xarray.Dataset
        The sweep's dimensions come first. Where tasks differ in the length of a dimension, values
        are filled up (NaN, or "" for text), and ``<dimension>.size`` tells how many are real. A
        coordinate that differs between tasks becomes the variable ``<name>.of_task``.
    """
    import xarray as xr

    reader = Reader(folder, plan, state)
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = dict(plan.coordinates())
    found = merged_variables(reader)
    for name, variable in found.items():
        if variable.shared:
            coords[name] = (variable.dims, _shared_values(reader, name, variable), variable.attrs)
            continue
        lazy = _lazy(reader, name, variable)
        if variable.coord and name in variable.dims:
            variables[f"{name}.of_task"] = ((*plan.dims, *variable.dims), lazy, variable.attrs)
        else:
            where = coords if variable.coord else variables
            where[name] = ((*plan.dims, *variable.dims), lazy, variable.attrs)
    for dim, sizes in _ragged(reader, found).items():
        text = {"units": "1", "long_name": f"number of values along {dim}"}
        variables[f"{dim}.size"] = (plan.dims, sizes.reshape(plan.shape), text)
    return xr.Dataset(variables, coords, describe_sweep(plan))


def describe_sweep(plan: Plan) -> dict[str, Any]:
    """Attributes of the merged Dataset: what was swept, and nothing that depends on the machine."""
    about = plan.to_json()
    return {
        "experiment": plan.target.name, "settings": dict(about["settings"]),
        "code_versions": list(plan.versions),
    }  # fmt: skip


def _shared_values(reader: Reader, name: str, variable: Merged) -> np.ndarray:
    used = _used_structures(reader.state)
    for shard, structure, entry in used:
        if tuple(entry[name]["shape"]) == variable.shape:
            return reader.column(shard, structure, name)[0].astype(variable.dtype)
    raise AssertionError("the longest is among them")


def _ragged(reader: Reader, found: Mapping[str, Merged]) -> dict[str, np.ndarray]:
    """Number of values along each dimension whose length differs: ``(task,)``."""
    state, sizes = reader.state, {}
    for dim in dict.fromkeys(d for variable in found.values() for d in variable.dims):
        lengths = np.zeros(reader.plan.size, np.int64)
        for number, shard in enumerate(state.shards):
            tasks = np.flatnonzero(state.shard == number)
            if not len(tasks):
                continue
            of_structure = np.array([_length(s, dim) for s in shard.index["structures"]])
            lengths[tasks] = of_structure[shard.tasks["structure"][state.row[tasks]]]
        if len(set(lengths[state.done])) > 1:
            sizes[dim] = lengths
    return sizes


def _length(structure: Mapping[str, Any], dim: str) -> int:
    for entry in structure.values():
        if dim in entry["dims"]:
            return int(entry["shape"][entry["dims"].index(dim)])
    return 0


def _lazy(reader: Reader, name: str, variable: Merged) -> Any:
    """An array for xarray that reads what is asked for."""
    from xarray.backends import BackendArray
    from xarray.core import indexing

    class TaskArray(BackendArray):  # type: ignore[misc]
        shape = (*reader.plan.shape, *variable.shape)
        dtype = variable.dtype

        def __getitem__(self, key: Any) -> Any:
            outer = indexing.IndexingSupport.OUTER
            return indexing.explicit_indexing_adapter(key, self.shape, outer, self._read)

        def _read(self, key: tuple[Any, ...]) -> np.ndarray:
            n = len(reader.plan.shape)
            wholes = [np.atleast_1d(np.arange(size)[k]) for size, k in zip(self.shape, key)]
            tasks = np.zeros((1,) * n, np.int64)
            if n:
                tasks = np.ravel_multi_index(np.ix_(*wholes[:n]), reader.plan.shape)
            values = reader.read(name, variable, tasks.ravel(), tuple(wholes[n:]))
            values = values.reshape(tuple(map(len, wholes)))
            return values[tuple(0 if isinstance(k, int | np.integer) else np.s_[:] for k in key)]

    return indexing.LazilyIndexedArray(TaskArray())


def task_costs(plan: Plan, state: State) -> xr.Dataset:
    """What each task took: ``seconds``, ``cpu_seconds`` and ``memory`` (bytes), NaN if not done."""
    import xarray as xr

    text = {"seconds": "s", "cpu_seconds": "s", "memory": "byte"}
    found = {name: np.full(plan.size, math.nan) for name in text}
    for number, shard in enumerate(state.shards):
        tasks = np.flatnonzero(state.shard == number)
        for name, values in found.items():
            values[tasks] = shard.tasks[name][state.row[tasks]]
    variables = {
        name: (plan.dims, values.reshape(plan.shape), {"units": text[name], "long_name": name})
        for name, values in found.items()
    }
    return xr.Dataset(variables, plan.coordinates())
