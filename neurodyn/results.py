"""Results: building the Dataset of a run, and keeping it on disk unchanged.

`time_series` is what the simulator calls; `final_state` reads back what it needs to continue a run.
`save` and `load` keep any Dataset as netCDF (``.nc``) or Zarr (``.zarr``): what comes back is
identical, names of nested networks (``"A/E.r"``) and nested attributes included. The files stay
ordinary: every other tool reads their numbers, units and long names.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np

from neurodyn._attributes import from_json, to_json

if TYPE_CHECKING:
    import xarray as xr

#: Ends the name of a state at the end of a run: ``E.x`` was recorded, ``E.x.final`` is its end.
FINAL = ".final"

#: Global attribute of files written here; its value is the version of the encoding below.
_FORMAT = "neurodyn_format"
#: Attribute that holds, as one JSON string, every attribute that the file formats would change.
_JSON = "neurodyn_attrs"
#: Attribute that holds the exact dtype where the formats would lose it (width of text).
_DTYPE = "neurodyn_dtype"
#: Attributes that xarray itself writes and reads, under which nothing of the user's may go.
_XARRAY_ATTRS = {
    "_FillValue", "missing_value", "scale_factor", "add_offset", "coordinates", "dtype",
    "calendar", "grid_mapping", "bounds", "compress", _FORMAT, _JSON, _DTYPE,
}


def time_series(
    records: Mapping[str, np.ndarray],
    time: np.ndarray,
    units: Mapping[str, str],
    final_state: Mapping[str, np.ndarray] | None = None,
    provenance: Mapping[str, object] | None = None,
    unit_index: Mapping[str, np.ndarray] | None = None,
    more: Mapping[str, tuple] | None = None,
) -> xr.Dataset:
    """Dataset of one run.

    Parameters
    ----------
    records : mapping of str to array, (trial, time, unit)
        Recorded variables by full name, ``"E.r"`` or ``"A/E.r"``.
    time : array, (time,), s
        Time of each record.
    units : mapping of str to str
        Unit of each variable, ``"V"``; ``"1"`` where none is given.
    final_state : mapping of str to array, (trial, unit)
        State of every unit at the end; variable ``E.x`` becomes ``E.x.final``.
    provenance : mapping
        Goes into the attributes of the Dataset as it is.
    unit_index : mapping of str to int array, (unit,)
        For variables recorded from a subset of the units: which ones, by full name.
    more : mapping of str to (dimensions, values, attributes)
        Further variables, such as recorded spikes.

    Returns
    -------
    xarray.Dataset
        Variables have the dimensions ``(trial, time, <population>.unit)``, final states
        ``(trial, <population>.unit)``. Populations differ in size, therefore each has its own unit
        dimension. A recorded subset has a coordinate with the numbers of its units; the final
        state, which is never a subset, then has the dimension ``<population>.unit.final``. If the
        variables of one population were recorded from different subsets, each has a dimension of
        its own, ``<population>.<variable>.unit``.

    Raises
    ------
    ValueError
        If an array does not have the shape given above.
    """
    import xarray as xr

    unit_index = {k: np.asarray(v) for k, v in (unit_index or {}).items()}
    time = np.asarray(time, dtype=float)
    variables, coords, sizes = {}, {"time": ("time", time, {"units": "s", "long_name": "time"})}, {}
    for name, values in records.items():
        index = unit_index.get(name)
        if values.ndim != 3 or values.shape[1] != time.size:
            raise ValueError(
                f"`records[{name!r}]` must have the shape (trial, {time.size} times, unit); "
                f"got {values.shape}"
            )
        if index is not None and index.shape != values.shape[2:]:
            raise ValueError(
                f"`unit_index[{name!r}]` must number the {values.shape[2]} recorded units; "
                f"got shape {index.shape}"
            )
        dim = _unit_dimension(name, records, unit_index)
        sizes[dim] = None if index is not None else values.shape[2]
        if index is not None:
            text = {"units": "1", "long_name": f"unit of {_population(name)}"}
            coords[dim] = (dim, index.astype(np.int64), text)
        variables[name] = (("trial", "time", dim), values, _attributes(name, units))
    for name, values in (final_state or {}).items():
        if values.ndim != 2:
            raise ValueError(
                f"`final_state[{name!r}]` must have the shape (trial, unit); got {values.shape}"
            )
        dim = f"{_population(name)}.unit"
        if sizes.get(dim, values.shape[1]) != values.shape[1]:  # the dimension holds a subset
            dim += FINAL
        text = _attributes(name, units)
        text["long_name"] += " at the end"
        variables[name + FINAL] = (("trial", dim), values, text)
    return xr.Dataset({**variables, **(more or {})}, coords, dict(provenance or {}))


def final_state(ds: xr.Dataset) -> dict[str, np.ndarray]:
    """State at the end of the run, by variable.

    Parameters
    ----------
    ds : xarray.Dataset
        As `time_series` builds it, perhaps saved and loaded since.

    Returns
    -------
    dict of str to array, (trial, unit)
        ``{"E.x": ...}``, in the variables' own units.

    Raises
    ------
    ValueError
        If the Dataset holds no final state.
    """
    found = final_states(ds)
    if not found:
        raise ValueError(
            "`ds` holds no final state (no variable ends in '.final'); "
            "give the Dataset that simulate returned, before variables were selected from it"
        )
    return found


def final_states(ds: xr.Dataset) -> dict[str, np.ndarray]:
    """The same, empty for a network without states."""
    return {
        str(name).removesuffix(FINAL): ds[name].values
        for name in ds.data_vars
        if str(name).endswith(FINAL) and "->" not in str(name)
    }


def _population(name: str) -> str:
    return name.rpartition(".")[0] or name


def _unit_dimension(name: str, records: Mapping, unit_index: Mapping[str, np.ndarray]) -> str:
    """Dimension of the units of variable `name`, shared within a population if subsets agree."""
    if "->" in name:  # synapses of a plastic coupling
        return f"{name}.recorded"
    mine, population = unit_index.get(name), _population(name)
    for other in records:
        if _population(other) == population:
            theirs = unit_index.get(other)
            same = mine is theirs is None or (
                mine is not None and theirs is not None and np.array_equal(mine, theirs)
            )
            if not same:
                return f"{name}.unit"
    return f"{population}.unit"


def _attributes(name: str, units: Mapping[str, str]) -> dict[str, str]:
    return {"units": units.get(name, "1"), "long_name": name}


def save(ds: xr.Dataset, path: str | os.PathLike, *, compress: bool = False) -> Path:
    """Write a Dataset so that `load` returns it unchanged.

    Parameters
    ----------
    ds : xarray.Dataset
        Names, attributes (nested dicts, tuples, None, bool, arrays) and dtypes are kept.
    path : path-like
        Ends in ``.nc`` (netCDF 4, one file) or ``.zarr`` (a folder). What is there already is
        replaced when the new one is complete, never before.
    compress : bool
        Without loss: slower, and of little use for noisy float64. Default False.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    TypeError
        If `ds` is no Dataset, or an attribute holds something that cannot be kept.
    ValueError
        If the suffix is unknown, or `path` is a folder that is no Zarr store.
    FileNotFoundError
        If the folder for the file does not exist.
    """
    import xarray as xr

    if not isinstance(ds, xr.Dataset):
        raise TypeError(
            f"`ds` must be an xarray.Dataset; got {type(ds).__name__}"
            + (", use ds.to_dataset(name=...)" if isinstance(ds, xr.DataArray) else "")
        )
    path = Path(path)
    _check_destination(path)
    encoded = encode(ds)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.suffix == ".nc":
            _reserve(temporary, encoded)
            encoding = {name: {"zlib": True} for name in encoded if encoded[name].ndim}
            encoded.to_netcdf(temporary, engine="h5netcdf", encoding=encoding if compress else {})
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        else:
            encoding = {} if compress else {name: {"compressors": None} for name in encoded}
            encoded.to_zarr(temporary, mode="w", consolidated=False, encoding=encoding)
            _replace_folder(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            with suppress(OSError):
                temporary.unlink()
    return path


def load(path: str | os.PathLike, *, lazy: bool = False) -> xr.Dataset:
    """Read a Dataset written by `save` (or any other netCDF file or Zarr store).

    Parameters
    ----------
    path : path-like
        Ends in ``.nc`` or ``.zarr``.
    lazy : bool
        Leave the numbers on disk until they are used; the file then stays open, and must not be
        replaced. Default False.

    Returns
    -------
    xarray.Dataset
        Identical to the one that was saved.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If the suffix is unknown.
    OSError
        If the file is damaged, or is something else.
    """
    import xarray as xr
    from xarray.coders import CFTimedeltaCoder

    path = Path(path)
    _check_suffix(path)
    if not path.exists():
        raise FileNotFoundError(f"`path` does not exist: {path}")
    # A time constant with units "s" is a number and not a timedelta64.
    decode = {"decode_timedelta": CFTimedeltaCoder(decode_via_units=False)}
    try:
        if path.suffix == ".nc":
            ds = xr.open_dataset(path, engine="h5netcdf", **decode)
        else:
            with warnings.catch_warnings():
                # the spikes of a run that was killed, which are read below
                warnings.filterwarnings("ignore", message="Object at unfinished_spikes")
                ds = xr.open_zarr(path, consolidated=False, chunks=None, **decode)
            ds = ds.assign(_unfinished(path))
        if lazy:
            return _decode(ds)
        with ds:
            return _decode(ds.load())
    except (OSError, KeyError) as error:
        message = f"`path` cannot be read, it is damaged or of another format: {path}"
        raise OSError(message) from error


def _unfinished(path: Path) -> dict:
    """Recorded spikes of a run that was killed, as far as it came."""
    from neurodyn.simulation.spike_recording import unfinished_variables

    found = unfinished_variables(path)
    return {quote(name): (tuple(map(quote, dims)), *rest) for name, (dims, *rest) in found.items()}


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".nc", ".zarr"):
        raise ValueError(f"`path` must end in .nc (netCDF) or .zarr (Zarr); got {str(path)!r}")


def _check_destination(path: Path) -> None:
    _check_suffix(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` is in a folder that does not exist: {path.parent}")
    if path.suffix == ".nc" and path.is_dir():
        raise ValueError(f"`path` is a folder, and netCDF is one file: {path}")
    if path.suffix == ".zarr" and path.exists():
        store = path.is_dir() and any((path / f).exists() for f in ("zarr.json", ".zgroup"))
        if not store and not (path.is_dir() and not any(path.iterdir())):
            raise ValueError(f"`path` exists and is no Zarr store, it is left alone: {path}")


def _reserve(path: Path, ds: xr.Dataset) -> None:
    """Make sure that the disk has room for `ds` at `path`; OSError if it has not.

    HDF5 does not survive a full disk: the process crashes when the file is closed.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    owners = (ds, *ds.variables.values())
    attributes = sum(len(str(value)) for owner in owners for value in owner.attrs.values())
    texts = sum(
        sum(4 * len(str(text)) + 32 for text in variable.values.ravel())
        for variable in ds.variables.values()
        if variable.dtype.kind == "O"
    )
    # Headers, alignment and padding: well under 16 KiB a variable.
    room = int(1.02 * ds.nbytes) + 4 * attributes + texts + 2**14 * (4 + len(ds.variables))
    with open(path, "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, room)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
    path.unlink()


def _replace_folder(new: Path, path: Path) -> None:
    """Put the folder `new` in the place of `path`: two renames, each of them atomic."""
    old = new.with_suffix(".old")
    if path.exists():
        os.rename(path, old)
    os.rename(new, path)
    shutil.rmtree(old, ignore_errors=True)


def quote(name: object) -> str:
    """Name for the file: netCDF and Zarr read "/" as a group, xarray splits at spaces."""
    if not isinstance(name, str):
        raise TypeError(f"names in `ds` must be text to be saved; got {name!r}")
    return re.sub(r"[%/\s]", lambda match: f"%{ord(match[0]):02X}", name)


def _renamed(ds: xr.Dataset, rename) -> xr.Dataset:
    names = {name: rename(name) for name in (*ds.variables, *ds.dims)}
    return ds.rename({old: new for old, new in names.items() if old != new})


def encode(ds: xr.Dataset) -> xr.Dataset:
    out = _renamed(ds.drop_encoding(), quote)
    for old, name in [(name, quote(name)) for name in ds.variables]:
        variable = out[name].variable
        attrs = _encode_attributes(ds[old].attrs, f"`ds[{old!r}].attrs`")
        if variable.dtype.kind == "U":
            # Fixed-width text is not in Zarr's specification, and netCDF loses its width.
            attrs[_DTYPE] = variable.dtype.str
            if name not in out.dims:
                out[name] = out[name].astype(object)
            else:
                out = out.assign_coords({name: out[name].astype(object)})
        out[name].attrs = attrs
    out.attrs = _encode_attributes(ds.attrs, "`ds.attrs`") | {_FORMAT: 1}
    return out


def _decode(ds: xr.Dataset) -> xr.Dataset:
    if _FORMAT not in ds.attrs:  # somebody else's file: take it as it is
        return ds
    out = _renamed(ds, unquote).drop_encoding()
    for name in list(out.variables):
        attrs = out[name].attrs
        if _DTYPE in attrs:
            values = out[name].variable.astype(np.dtype(attrs[_DTYPE]))
            out = out.assign_coords({name: values}) if name in out.coords else out.assign(
                {name: values}
            )
        out[name].attrs = _decode_attributes(attrs)
    out.attrs = _decode_attributes(ds.attrs)
    return out


def _encode_attributes(attrs: Mapping, where: str) -> dict[str, object]:
    """Attributes as text and numbers; what that would change goes into one JSON string as well."""
    plain, kept = {}, {}
    for key, value in attrs.items():
        usable = isinstance(key, str) and re.fullmatch(r"[A-Za-z]\w*", key, re.ASCII)
        usable = usable and key not in _XARRAY_ATTRS
        if usable and type(value) is str and value and "\0" not in value:
            plain[key] = value
            continue
        kept[key] = value
        if usable and type(value) in (int, float) and abs(value) < 2**63:
            plain[key] = value  # for other tools; the JSON string has the exact type
    return plain | ({_JSON: to_json(kept, where)} if kept else {})


def _decode_attributes(attrs: Mapping[str, object]) -> dict[str, object]:
    kept = from_json(str(attrs[_JSON])) if _JSON in attrs else {}
    hidden = (_FORMAT, _JSON, _DTYPE)
    return {k: v for k, v in attrs.items() if k not in hidden and k not in kept} | kept
