"""Building the Dataset of a run; save and load must change nothing."""

import errno
import json
import os
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest
import xarray as xr

from neurodyn import results
from neurodyn._attributes import from_json, to_json

SUFFIXES = (".nc", ".zarr")


@pytest.fixture
def run():
    """Two trials, three times: all of E's 4 units, and units 1 and 5 of the nested A/I's 6."""
    rng = np.random.default_rng(0)
    return {
        "records": {
            "E.r": rng.standard_normal((2, 3, 4)),
            "E.x": rng.standard_normal((2, 3, 4)),
            "A/I.v": rng.standard_normal((2, 3, 2)),
        },
        "time": np.array([0.0, 0.1, 0.2]),
        "units": {"A/I.v": "V"},
        "final_state": {"E.x": rng.standard_normal((2, 4)), "A/I.v": rng.standard_normal((2, 6))},
        "provenance": {"dt": 0.1, "solver": {"name": "RK4", "order": 4}},
        "unit_index": {"A/I.v": np.array([1, 5])},
    }


def test_time_series_has_one_unit_dimension_per_population(run):
    ds = results.time_series(**run)
    assert ds["E.r"].dims == ds["E.x"].dims == ("trial", "time", "E.unit")
    assert ds["A/I.v"].dims == ("trial", "time", "A/I.unit")
    assert ds["E.x.final"].dims == ("trial", "E.unit")  # everything was recorded: same units
    assert ds["A/I.v.final"].dims == ("trial", "A/I.unit.final")
    assert ds.sizes == {
        "trial": 2, "time": 3, "E.unit": 4, "A/I.unit": 2, "A/I.unit.final": 6,
    }
    np.testing.assert_array_equal(ds["A/I.unit"], [1, 5])
    np.testing.assert_array_equal(
        ds["A/I.v"].sel({"A/I.unit": 5, "trial": 1}), run["records"]["A/I.v"][1, :, 1]
    )
    assert ds["A/I.v"].attrs == {"units": "V", "long_name": "A/I.v"}
    assert ds["E.r"].attrs["units"] == "1"
    assert ds["time"].attrs["units"] == "s"
    assert ds.attrs == run["provenance"]


def test_variables_recorded_from_different_units_get_dimensions_of_their_own(run):
    run["unit_index"]["E.r"] = np.array([0, 2, 3])
    run["records"]["E.r"] = run["records"]["E.r"][:, :, [0, 2, 3]]
    ds = results.time_series(**run)
    assert ds["E.r"].dims[2] == "E.r.unit" and ds["E.x"].dims[2] == "E.x.unit"
    np.testing.assert_array_equal(ds["E.r.unit"], [0, 2, 3])
    assert "E.x.unit" not in ds.coords  # all of them
    assert ds["E.x.final"].dims == ("trial", "E.unit")


def test_equal_subsets_share_a_dimension(run):
    index = np.array([3, 1])
    for name in ("E.r", "E.x"):
        run["unit_index"][name] = index.copy()
        run["records"][name] = run["records"][name][:, :, index]
    ds = results.time_series(**run)
    assert ds["E.r"].dims[2] == ds["E.x"].dims[2] == "E.unit"
    assert ds["E.x.final"].dims[1] == "E.unit.final" and ds.sizes["E.unit.final"] == 4


def test_a_subset_as_large_as_the_population_is_still_a_subset(run):
    order = np.array([3, 2, 1, 0])
    run["records"] = {"E.x": run["records"]["E.x"][:, :, order]}
    run["unit_index"] = {"E.x": order}
    ds = results.time_series(**run)
    assert ds["E.x.final"].dims == ("trial", "E.unit.final")  # not in the order of E.unit


def test_final_state_returns_what_went_in(run):
    ds = results.time_series(**run)
    state = results.final_state(ds)
    assert list(state) == ["E.x", "A/I.v"]
    for name, values in run["final_state"].items():
        np.testing.assert_array_equal(state[name], values)
    with pytest.raises(ValueError, match="no final state"):
        results.final_state(ds[["E.r"]])


def test_nothing_recorded_is_a_dataset_too(run):
    ds = results.time_series({}, np.zeros(0), {}, {"E.x": np.ones((2, 4))})
    assert ds.sizes == {"time": 0, "trial": 2, "E.unit": 4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"records": {"E.r": np.zeros((2, 3))}}, r"`records\['E.r'\]`.*\(trial, 3 times, unit\)"),
        ({"records": {"E.r": np.zeros((2, 5, 4))}}, r"got \(2, 5, 4\)"),
        ({"unit_index": {"E.r": [1]}}, r"`unit_index\['E.r'\]` must number the 4 recorded"),
        ({"final_state": {"E.x": np.zeros(4)}}, r"`final_state\['E.x'\]`.*\(trial, unit\)"),
    ],
)
def test_wrong_shapes_are_named(run, change, message):
    with pytest.raises(ValueError, match=message):
        results.time_series(**(run | change))


def awkward():
    """Everything that netCDF, Zarr or xarray's decoding would change on its way."""
    attrs = {
        "parameters": {"E": {"tau": 0.1, "W": ["float64", [4, 4]]}, 3: None},
        "none": None, "true": True, "np_true": np.bool_(False), "pair": (1, (2.0, "x")),
        "empty": "", "empty_list": [], "one": [1], "int": 3, "big": 2**127, "float": 0.1,
        "nan": float("nan"), "-inf": -np.inf, "np": np.float32(0.1), "int8": np.int8(-3),
        "array": np.arange(6.0).reshape(2, 3), "complex": 1 - 2j, "text": "τ = 100 ms\n",
        "A/E.tau": 1.0, "_FillValue": 7, "coordinates": "E.r", "dtype": "bool", "1st": 1,
        "long": "x" * 100_000, "tagged": {"__tuple__": [1]}, "words": np.array(["a", "bc"]),
    }
    rng = np.random.default_rng(1)
    return xr.Dataset(
        {
            "A/E.r": (("trial", "time", "A/E.unit"), rng.standard_normal((2, 3, 4)), attrs),
            "100%/x": (("trial",), [0.1, np.nan]),
            "tau": ((), 0.1, {"units": "s"}),  # not a timedelta64
            "steps": ((), np.int32(7), {"_FillValue": 7}),  # not missing
            "float32": (("time",), np.float32([0.1, -0.0, np.inf])),
            "none": (("spike",), np.zeros(0)),
            "none_int": (("spike",), np.zeros(0, np.int64)),
            "none_text": (("spike",), np.zeros(0, "U3")),
            "flag": (("trial",), [True, False]),
            "text": (("trial",), np.array(["", "τbc"])),
            "eigenvalues": (("trial",), [1 + 2j, np.nan - 1j]),
            "wait": (("trial",), np.array([1, 2], "m8[ns]")),
            "tiny": (("trial",), np.array([1, 255], np.uint8)),
        },
        coords={
            "time": ("time", [0.0, 0.1, 0.2], {"units": "s"}),
            "trial": ("trial", ["a", "b"]),
            "A/E.unit": ("A/E.unit", [3, 1, 4, 1]),
            "a label": ("trial", [10, 20]),
            "excited": ("A/E.unit", [True, False, True, True]),
            "gain": 1.5,
        },
        attrs=attrs,
    )


def assert_same(a: object, b: object):
    """Equal in value and in type, all the way down."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b or (a != a and b != b)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("compress", [False, True])
def test_save_and_load_change_nothing(tmp_path, suffix, compress):
    ds = awkward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = results.save(ds, tmp_path / f"run{suffix}", compress=compress)
        back = results.load(path)
        lazy = results.load(path, lazy=True)
    xr.testing.assert_identical(back, ds)
    xr.testing.assert_identical(lazy.load(), ds)
    lazy.close()
    assert {n: v.dtype for n, v in back.variables.items()} == {
        n: v.dtype for n, v in ds.variables.items()
    }
    for name in (None, *ds.variables):
        mine, theirs = (d.attrs if name is None else d[name].attrs for d in (back, ds))
        assert_same({k: mine[k] for k in sorted(mine)}, {k: theirs[k] for k in sorted(theirs)})
    assert os.listdir(tmp_path) == [f"run{suffix}"]  # no temporary file is left
    # and once more, over itself
    xr.testing.assert_identical(results.load(results.save(back, path)), ds)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_simulation_survives(tmp_path, run, suffix):
    ds = results.time_series(**run)
    back = results.load(results.save(ds, tmp_path / f"run{suffix}"))
    xr.testing.assert_identical(back, ds)
    for name, values in results.final_state(back).items():
        assert values.tobytes() == run["final_state"][name].tobytes()


def test_other_tools_can_read_the_numbers(tmp_path):
    path = results.save(awkward(), tmp_path / "run.nc")
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["A%2FE.r"][:], awkward()["A/E.r"])
        assert file["A%2FE.r"].attrs["text"] == "τ = 100 ms\n"
        assert file.attrs["float"] == 0.1 and file.attrs["int"] == 3
        json.loads(file.attrs["neurodyn_attrs"], parse_constant=pytest.fail)


def test_files_of_others_are_read_as_they_are(tmp_path):
    ds = xr.Dataset({"rate%2F": ("time", [1.0, 2.0], {"units": "s"})})
    ds.to_netcdf(tmp_path / "theirs.nc", engine="h5netcdf")
    xr.testing.assert_identical(results.load(tmp_path / "theirs.nc"), ds)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failed_save_leaves_the_old_result(tmp_path, suffix):
    path = results.save(xr.Dataset({"x": 1.0}), tmp_path / f"run{suffix}")
    with pytest.raises(TypeError, match=r"`ds.attrs`\['net'\]\[0\] holds a object"):
        results.save(xr.Dataset(attrs={"net": [object()]}), path)
    bad = xr.Dataset({"x": ("k", np.array([1, {}], dtype=object))})  # fails while it is written
    with pytest.raises((TypeError, ValueError)):
        results.save(bad, path)
    assert float(results.load(path)["x"]) == 1.0
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_an_error_and_not_a_crash(tmp_path, suffix):
    """As many variables as a real run has: HDF5 then crashes when it closes the file."""
    code = f"""
import resource, numpy as np, xarray as xr
from neurodyn import results
ds = xr.Dataset({{f"x{{k}}": (f"t{{k}}", np.ones(20_000)) for k in range(20)}})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    results.save(ds, "run{suffix}")
except OSError as error:
    print(error.errno)
import gc; gc.collect()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{errno.EFBIG}\n"), done.stderr
    assert os.listdir(tmp_path) == []


def test_where_it_cannot_be_written(tmp_path):
    ds = xr.Dataset({"x": 1.0})
    (tmp_path / "notes.zarr").mkdir()
    (tmp_path / "notes.zarr" / "thesis.tex").write_text("precious")
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(ValueError, match="no Zarr store, it is left alone"):
        results.save(ds, tmp_path / "notes.zarr")
    assert (tmp_path / "notes.zarr" / "thesis.tex").read_text() == "precious"
    with pytest.raises(ValueError, match="is a folder"):
        results.save(ds, tmp_path / "folder.nc")
    with pytest.raises(FileNotFoundError, match="folder that does not exist"):
        results.save(ds, tmp_path / "no" / "run.nc")
    with pytest.raises(ValueError, match=r"must end in \.nc"):
        results.save(ds, tmp_path / "run.npz")
    with pytest.raises(TypeError, match=r"must be an xarray\.Dataset; got DataArray"):
        results.save(ds["x"], tmp_path / "run.nc")
    with pytest.raises(TypeError, match="must be text to be saved; got 3"):
        results.save(xr.Dataset({3: 1.0}), tmp_path / "run.nc")


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        results.load(tmp_path / "no.nc")
    with pytest.raises(ValueError, match=r"must end in \.nc"):
        results.load(tmp_path / "run.csv")
    path = results.save(xr.Dataset({"x": ("t", np.zeros(10_000))}), tmp_path / "run.nc")
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(OSError, match="damaged or of another format"):
        results.load(path)
    (tmp_path / "other.zarr").mkdir()
    with pytest.raises(OSError, match="damaged or of another format"):
        results.load(tmp_path / "other.zarr")


def test_json_is_what_it_was():
    value = {"a": (1, [2.5, None, True]), 4: {"__x": complex(1, np.nan)}, "b": np.uint8([[1, 2]])}
    text = to_json(value, "`value`")
    json.loads(text, parse_constant=pytest.fail)
    assert_same(from_json(text)["a"], value["a"])
    assert from_json(text)[4]["__x"].real == 1.0
    assert_same(from_json(text)["b"], value["b"])
    with pytest.raises(TypeError, match=r"`value`\['c'\] holds a set"):
        to_json({"c": {1}}, "`value`")
