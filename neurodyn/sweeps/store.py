"""The merged Dataset as a file: Zarr, written part by part in bounded memory, or netCDF."""

from __future__ import annotations

import itertools
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurodyn import results

if TYPE_CHECKING:
    import xarray as xr

#: A chunk of the store has about this many bytes, and so much is in memory at a time.
CHUNK_BYTES = 1 << 25


def save_merged(ds: xr.Dataset, path: Path) -> Path:
    """Write the Dataset of a sweep; the bytes depend on the numbers alone.

    Parameters
    ----------
    ds : xarray.Dataset
        Its values may still be on the disk.
    path : Path
        Ends in ``.zarr``, of any size, or ``.nc``, for what fits into memory. What is there is
        replaced when the new one is complete.

    Raises
    ------
    ValueError, FileNotFoundError
        As `neurodyn.save`.
    """
    if path.suffix != ".zarr":
        return results.save(ds, path)
    results._check_destination(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        _write_zarr(ds, temporary)
        results._replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def _write_zarr(ds: xr.Dataset, path: Path) -> None:
    import xarray as xr
    import zarr

    # text is read at once, because its dtype is changed; it is small
    texts = [name for name, variable in ds.variables.items() if variable.dtype.kind in "UO"]
    encoded = results.encode(ds[[]].assign_attrs(ds.attrs).assign(
        {name: ds[name] for name in texts if name not in ds.dims}
    ))  # fmt: skip
    encoded.to_zarr(path, mode="w", consolidated=False)
    group = zarr.open_group(path, mode="r+")
    written = set(group.array_keys())
    coordinates = []
    for name, variable in ds.variables.items():
        quoted = results.quote(name)
        if name in ds.coords and name not in ds.dims:
            coordinates.append(quoted)
        if quoted in written:
            continue
        empty = np.empty((0,) * variable.ndim, variable.dtype)
        one = results.encode(xr.Dataset({name: (variable.dims, empty, variable.attrs)}))
        template = one.variables[quoted]
        chunks = _chunks(variable.shape, variable.dtype.itemsize)
        array = group.create_array(
            quoted, shape=variable.shape, chunks=chunks, dtype=template.dtype, compressors=None,
            dimension_names=template.dims, attributes=dict(template.attrs),
        )  # fmt: skip
        for part in _parts(variable.shape, chunks):
            array[part] = variable[part].values
    if coordinates:
        group.attrs["coordinates"] = " ".join(coordinates)


def _chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Whole in the last dimensions, as far as they fit, and cut in the ones before."""
    room, chunks = max(CHUNK_BYTES // max(itemsize, 1), 1), []
    for size in reversed(shape):
        chunks.append(max(1, min(size, room)))
        room = max(room // max(size, 1), 1)
    return tuple(reversed(chunks))


def _parts(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    if math.prod(shape) == 0 and shape:
        return
    ranges = [range(0, size, chunk) for size, chunk in zip(shape, chunks)]
    for starts in itertools.product(*ranges):
        yield tuple(slice(s, min(s + c, size)) for s, c, size in zip(starts, chunks, shape))
