"""Files of results: many tasks a file, written at once, complete or not there at all.

A shard is an ordinary ``.npz`` file, which `numpy.load` opens:

``index.json``
    The structures of the results (names, dimensions, dtypes and attributes of their variables) and
    the failures.
``tasks.npy``
    For each task its identity, which structure, which row, and what it cost.
``<structure>/<variable>.npy``
    The values, one row a task; a single row where those of all tasks are the same.
``attributes.json``
    Global attributes of the results: kept beside the numbers, because they hold times of day.

Every member has a checksum (CRC-32, checked whenever it is read), and the list of members stands at
the end, so that a file that was cut off cannot be opened.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._attributes import from_json, to_json
from neurodyn.results import quote

if TYPE_CHECKING:
    import xarray as xr

SUFFIX = ".npz"
#: One row of ``tasks.npy``. `structure` is -1 for a task that failed; `row` is then its failure.
TASK = np.dtype([
    ("identity", np.uint64, 2), ("structure", np.int32), ("row", np.int32),
    ("attributes", np.int32), ("seconds", np.float64), ("cpu_seconds", np.float64),
    ("memory", np.int64), ("started", np.float64),
])  # fmt: skip


class DamagedShard(OSError):
    """A file of results that is not as it was written.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path, reason: object):
        super().__init__(f"{path} is damaged: {reason}")
        self.path = path


@dataclass(frozen=True)
class Result:
    """What a task gave, taken apart.

    Attributes
    ----------
    structure : str
        JSON: for each variable its dimensions, dtype, shape, attributes, whether it is a coordinate
        and whether its values are in a store beside.
    values : list of ndarray
        Of the variables that are not in a store.
    attributes : str
        JSON of the global attributes.
    """

    structure: str
    values: list[np.ndarray]
    attributes: str

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in self.values) + len(self.attributes)


@dataclass(frozen=True)
class Finished:
    """One task that has come to its end, with its cost.

    Attributes
    ----------
    identity : ndarray of uint64, (2,)
    result : Result or None
    failure : dict or None
        What went wrong, in JSON types, instead of the result.
    seconds, cpu_seconds : float
    memory : int
        Largest resident memory of the process meanwhile, bytes; 0 if unknown.
    started : float
        s since 1970.
    """

    identity: np.ndarray
    result: Result | None
    failure: dict[str, Any] | None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0
    started: float = 0.0


def take_apart(ds: xr.Dataset, streamed: Mapping[str, Any] | None = None) -> Result:
    """A Dataset as arrays and a description of them.

    Parameters
    ----------
    ds : xarray.Dataset
    streamed : mapping of str to xarray.DataArray
        Variables whose values are in a store of the task's own, and stay there.
    """
    streamed = streamed or {}
    structure: dict[str, Any] = {}
    values = []
    for name, variable in {**ds.variables, **streamed}.items():
        if not isinstance(name, str):
            raise TypeError(f"names in the result must be text; got {name!r}")
        elsewhere = name in streamed
        array = np.empty(0, variable.dtype) if elsewhere else _plain(name, variable.values)
        structure[name] = {
            "dims": list(variable.dims), "dtype": array.dtype.str, "shape": list(variable.shape),
            "attrs": to_json(dict(variable.attrs), f"`ds[{name!r}].attrs`"),
            "coord": name in ds.coords, "streamed": elsewhere,
        }  # fmt: skip
        if not elsewhere:
            values.append(array)
    return Result(json.dumps(structure), values, to_json(dict(ds.attrs), "`ds.attrs`"))


def _plain(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "O":
        if not all(isinstance(item, str) for item in array.ravel()):
            raise TypeError(f"variable {name!r} of the result holds Python objects; give numbers")
        array = array.astype("U") if array.size else array.astype("U1")
    return np.ascontiguousarray(array) if array.ndim else array


def write_shard(path: Path, finished: Sequence[Finished], about: Mapping[str, Any]) -> None:
    """Write the tasks into a new file at `path`: all of them, or (OSError) none.

    The order of the writing makes it so: a temporary file, its bytes forced to the disk, then the
    name, then the folder forced to the disk.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            _write(file, finished, about)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(file: Any, finished: Sequence[Finished], about: Mapping[str, Any]) -> None:
    tasks = np.zeros(len(finished), TASK)
    structures: dict[str, list[Result]] = {}
    attributes: dict[str, int] = {}
    failures = []
    for row, one in zip(tasks, finished):
        row["identity"], row["memory"], row["started"] = one.identity, one.memory, one.started
        row["seconds"], row["cpu_seconds"] = one.seconds, one.cpu_seconds
        if one.result is None:
            row["structure"], row["row"], row["attributes"] = -1, len(failures), -1
            failures.append(one.failure)
            continue
        alike = structures.setdefault(one.result.structure, [])
        row["structure"], row["row"] = list(structures).index(one.result.structure), len(alike)
        row["attributes"] = attributes.setdefault(one.result.attributes, len(attributes))
        alike.append(one.result)
    index: dict[str, Any] = {"format": 1, **about, "failures": failures, "structures": []}
    columns = {}
    for number, (text, alike) in enumerate(structures.items()):
        structure = json.loads(text)
        kept = [name for name, entry in structure.items() if not entry["streamed"]]
        for k, name in enumerate(kept):
            column = np.stack([one.values[k] for one in alike])
            if structure[name]["coord"]:
                first = column[0].tobytes()
                if all(row.tobytes() == first for row in column[1:]):
                    column = column[:1]
                    structure[name]["crc"] = zlib.crc32(first)
            columns[f"{number}/{quote(name)}.npy"] = column
        index["structures"].append(structure)
    with zipfile.ZipFile(file, "w") as archive:
        _add(archive, "index.json", json.dumps(index).encode(), zipfile.ZIP_DEFLATED)
        _add(archive, "attributes.json", json.dumps(list(attributes)).encode(),
             zipfile.ZIP_DEFLATED)
        _add(archive, "tasks.npy", _npy(tasks))
        for name, column in columns.items():
            _add(archive, name, _npy(column))


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes, how: int = zipfile.ZIP_STORED) -> None:
    archive.writestr(zipfile.ZipInfo(name), data, how, compresslevel=1)


@dataclass
class Shard:
    """A file of results, open for reading.

    Attributes
    ----------
    path : Path
    index : dict
        ``index.json``.
    tasks : structured ndarray
        ``tasks.npy``.
    """

    path: Path
    index: dict[str, Any]
    tasks: np.ndarray
    _checked: set[str] = field(default_factory=set)

    @classmethod
    def open(cls, path: Path, check: bool = False) -> Shard:
        """Read what is in a file, without the values.

        Raises
        ------
        DamagedShard
            If it is damaged; the values too are looked at if `check`.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                index = json.loads(archive.read("index.json"))
                tasks = np.load(io.BytesIO(archive.read("tasks.npy")), allow_pickle=False)
                if tasks.dtype != TASK:
                    raise ValueError("other columns")
                bad = archive.testzip() if check else None
                if bad:
                    raise ValueError(f"checksum of {bad}")
        except (PermissionError, FileNotFoundError):
            raise  # says nothing about the file's contents
        except _UNREADABLE as error:
            raise DamagedShard(path, error) from error
        return cls(path, index, tasks)

    def column(self, structure: int, name: str) -> np.ndarray:
        """Values of a variable, ``(row, ...)``, or ``(1, ...)`` where all are the same.

        What is larger than 64 MB stays on the disk, mapped into memory; its checksum is compared
        when it is first asked for.
        """
        member = f"{structure}/{quote(name)}.npy"
        try:
            with zipfile.ZipFile(self.path) as archive:
                info = archive.getinfo(member)
                if info.file_size <= 1 << 26:
                    return np.load(io.BytesIO(archive.read(info)), allow_pickle=False)
                if member not in self._checked:
                    with archive.open(info) as data:
                        while data.read(1 << 22):
                            pass
                    self._checked.add(member)
            return self._mapped(info)
        except _UNREADABLE as error:
            raise DamagedShard(self.path, error) from error

    def _mapped(self, info: zipfile.ZipInfo) -> np.ndarray:
        with open(self.path, "rb") as file:
            file.seek(info.header_offset + 26)  # lengths of name and extra field
            lengths = np.frombuffer(file.read(4), "<u2")
            file.seek(info.header_offset + 30 + int(lengths.sum()))
            version = np.lib.format.read_magic(file)
            name = f"read_array_header_{version[0]}_{version[1]}"
            shape, fortran, dtype = getattr(np.lib.format, name)(file)
            order = "F" if fortran else "C"
            return np.memmap(self.path, dtype, "r", file.tell(), shape, order)

    def attributes(self, number: int) -> dict[str, Any]:
        """Global attributes of a result."""
        with zipfile.ZipFile(self.path) as archive:
            texts = json.loads(archive.read("attributes.json"))
        return dict(from_json(texts[number]))  # type: ignore[call-overload]


_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, OSError,
               NotImplementedError)  # fmt: skip
