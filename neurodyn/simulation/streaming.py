"""Long recordings on disk: a Zarr store laid out in full, filled block by block.

The whole time axis exists from the start, because a store whose arrays grow can be left unreadable
by a crash between two of its metadata files. What is not written yet reads as NaN; the attribute
``committed`` counts the samples that are final.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from neurodyn import results


class ZarrStream:
    """A store that `neurodyn.load` reads at any moment.

    Parameters
    ----------
    path : str or Path
        Must end in ``.zarr`` and not exist.
    shapes : dict of str to (trial, sample, unit)
        Shape of each recorded variable.
    dtype : numpy.dtype
    time : ndarray, (sample,)
        s.
    units : dict of str to str
        Unit of each variable.
    unit_index : dict of str to ndarray
        Recorded units of the variables of which only a part is recorded.
    block : int
        Samples a chunk.
    attributes : dict
        Global attributes.

    Raises
    ------
    TypeError, ValueError
        If it is no path, or has another suffix.
    FileExistsError
        If there is something at the path.
    """

    def __init__(self, path, shapes, dtype, time, units, unit_index, block, attributes):
        import zarr

        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"`store` must be the path of a folder; got {path!r}")
        self.path = Path(path)
        if self.path.suffix != ".zarr":
            raise ValueError(f"`store` must end in .zarr; got {str(path)!r}")
        if self.path.exists():
            raise FileExistsError(
                f"`store` exists already: {path}. Choose another folder, or remove it; to continue "
                "a run, store the continuation beside it."
            )
        # An empty recording of the same names tells dimensions, coordinates and attributes.
        empty = {name: np.empty((shape[0], 0, shape[2]), dtype) for name, shape in shapes.items()}
        template = results.time_series(
            empty, time[:0], units, {}, attributes, {n: unit_index[n] for n in unit_index}
        )
        self.group = zarr.open_group(self.path, mode="w-")
        self.arrays = {}
        encoded = results.encode(template)
        for name, shape in shapes.items():
            variable = encoded[results.quote(name)]
            self.arrays[name] = self.group.create_array(
                results.quote(name),
                shape=shape,
                chunks=(shape[0], block, shape[2]),
                dtype=dtype,
                fill_value=np.nan,
                compressors=None,
                dimension_names=variable.dims,
                attributes=dict(variable.attrs),
            )
        for name, variable in encoded.coords.items():
            values = time if name == "time" else variable.values
            self._put(str(name), values, variable.dims, dict(variable.attrs))
        self.group.attrs.update(encoded.attrs)
        self.group.attrs["committed"] = 0

    def _put(self, name, values, dims, attributes) -> None:
        array = self.group.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            compressors=None,
            dimension_names=dims,
            attributes=attributes,
        )
        array[...] = values

    def write(self, name: str, first: int, values: np.ndarray) -> None:
        """Write samples ``(trial, sample, unit)`` of a variable from number `first` on."""
        self.arrays[name][:, first : first + values.shape[1]] = values

    def commit(self, n_samples: int) -> None:
        """Declare the first `n_samples` final."""
        self.group.attrs["committed"] = int(n_samples)

    def put_long(self, variables, length: int, pieces) -> None:
        """Add variables of one dimension, of which `pieces` bring the values one after the other.

        `variables` are name to (dimensions, empty values, attributes); a piece is a dict of values.
        """
        import xarray as xr

        encoded = results.encode(xr.Dataset(variables))
        arrays = {}
        for name in variables:
            variable = encoded[results.quote(name)]
            arrays[name] = self.group.create_array(
                results.quote(name),
                shape=(length,),
                chunks=(max(1, min(length, 1 << 20)),),
                dtype=variable.dtype,
                compressors=None,
                dimension_names=variable.dims,
                attributes=dict(variable.attrs),
            )
        at = 0
        for piece in pieces:
            for name, values in piece.items():
                arrays[name][at : at + values.size] = values
            at += len(next(iter(piece.values())))

    def close(self, final_state, units, attributes, more) -> None:
        """Add the state at the end, `more` variables, and the attributes known only then."""
        ds = results.time_series({}, np.empty(0), units, final_state, attributes)
        template = results.encode(ds.drop_vars("time").assign(more))
        for name, variable in template.data_vars.items():
            dims = tuple(
                f"{d}.final" if self._dim_size(d) not in (None, s) else d
                for d, s in zip(variable.dims, variable.shape, strict=True)
            )
            self._put(str(name), variable.values, dims, dict(variable.attrs))
        committed = self.group.attrs["committed"]
        self.group.attrs.update({**template.attrs, "committed": committed})

    def _dim_size(self, dim) -> int | None:
        for array in self.arrays.values():
            names = array.metadata.dimension_names
            if dim in names:
                return array.shape[names.index(dim)]
        return None
