"""Recordings that go to disk while the run goes on: the same bytes, in little memory, and safe from
whatever ends the run.
"""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import neurodyn as nd
from neurodyn.signals import OrnsteinUhlenbeck
from neurodyn.simulation import recording
from tests.networks import SILENT, excitatory_inhibitory, exploding

DT = 1e-3
INPUTS = {"E.I_ext": OrnsteinUhlenbeck(0.02, 1.0), **SILENT}
RECORD = {"E.x": None, "E.r": [0, 3], "E.xi": None, "E.I_ext": [4], "I.v": None}


def run(duration=0.2, **options):
    options = {"trials": 3, "record": RECORD, "rng": 5, "inputs": INPUTS, **options}
    return nd.simulate(excitatory_inhibitory(), nd.Euler(DT), duration, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_samples", [1, 7, 50, 100, 10**6])
def test_a_stored_run_equals_one_in_memory(tmp_path, monkeypatch, n_samples, dtype):
    """Blocks of one sample, of numbers that do and do not divide the run, and longer than it."""
    every = 2
    monkeypatch.setattr(recording, "STREAM_BYTES", n_samples * 3 * 16 * np.dtype(dtype).itemsize)
    stored = run(store=tmp_path / "run.zarr", every=every * DT, dtype=dtype)
    memory = run(every=every * DT, dtype=dtype)
    assert stored.drop_attrs(deep=False).identical(memory.drop_attrs(deep=False))
    for name in memory.data_vars:
        assert stored[name].values.tobytes() == memory[name].values.tobytes(), name
        assert stored[name].dtype == memory[name].dtype
    assert set(stored.attrs) - set(memory.attrs) == {"committed"}
    assert stored.attrs["committed"] == memory.sizes["time"] == 100
    for key in ("run", "network", "parameters", "solver", "rng", "inputs", "dtype"):
        assert stored.attrs[key] == memory.attrs[key]
    assert nd.load(tmp_path / "run.zarr").identical(stored.load())


def test_memory_is_bounded(tmp_path, monkeypatch):
    """A recording of forty blocks takes little more than one of them."""
    network, n_steps = excitatory_inhibitory(50), 20_000
    monkeypatch.setattr(recording, "STREAM_BYTES", 200_000)
    nd.simulate(network, nd.Euler(DT), DT, inputs=SILENT, store=tmp_path / "warm.zarr")

    def peak(**options):
        tracemalloc.start()
        try:
            ds = nd.simulate(network, nd.Euler(DT), n_steps * DT, inputs=SILENT, rng=1, **options)
            return ds, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    memory, peak_in_memory = peak()
    stored, peak_stored = peak(store=tmp_path / "run.zarr")
    size = n_steps * 53 * 8
    assert peak_in_memory > size
    assert peak_stored < 200_000 + 5 * n_steps * 8 + 1_000_000 < size / 4  # block, times, overhead
    assert_array_equal(stored["E.x"], memory["E.x"])


def test_nothing_recorded(tmp_path):
    ds = run(store=tmp_path / "run.zarr", record=[])
    assert set(ds.data_vars) == {"E.x.final", "I.v.final"}
    assert_array_equal(ds["E.x.final"], run(record=[])["E.x.final"])


def test_a_run_too_short_for_a_sample(tmp_path):
    """The samples at 0 and 1 s belong to neighbours; the run still ends with a state."""
    first = run(0.005, every=1.0)
    for options in ({}, {"store": tmp_path / "run.zarr"}):
        ds = run(0.003, every=1.0, initial=first, rng=None, **options)
        assert ds.sizes["time"] == 0
        assert ds["E.x"].shape == (3, 0, 5)
        assert_array_equal(ds["E.x.final"], run(0.008, record=[])["E.x.final"])


def test_what_is_at_the_path_is_left_alone(tmp_path):
    path = tmp_path / "run.zarr"
    first = run(store=path).load()
    with pytest.raises(FileExistsError, match="`store` exists already: .*run.zarr. Choose another"):
        run(store=path, rng=6)
    assert nd.load(path).identical(first)
    (tmp_path / "file.zarr").write_text("precious")
    with pytest.raises(FileExistsError, match="`store` exists already"):
        run(store=tmp_path / "file.zarr")
    assert (tmp_path / "file.zarr").read_text() == "precious"


def test_bad_arguments_leave_no_store(tmp_path):
    with pytest.raises(ValueError, match=r"`store` must end in .zarr; got '.*run.nc'"):
        run(store=tmp_path / "run.nc")
    bad = {"record": ["E.y"]}, {"every": 0.0015}, {"inputs": {"E.x": 1.0}}, {"threads": 0}
    for options in bad:
        with pytest.raises(ValueError):
            run(store=tmp_path / "run.zarr", **options)
    assert not list(tmp_path.iterdir())


def test_a_diverged_run_keeps_what_was_before(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "STREAM_BYTES", 5 * 5 * 8)
    options = dict(initial={"A.v": [0.0, 1.0]}, every=0.1)
    with pytest.raises(nd.SimulationDiverged) as memory:
        nd.simulate(exploding(), nd.Euler(0.01), 3.0, **options)
    with pytest.raises(nd.SimulationDiverged) as stored:
        nd.simulate(exploding(), nd.Euler(0.01), 3.0, **options, store=tmp_path / "run.zarr")
    a, b = stored.value.dataset, memory.value.dataset
    assert a.drop_attrs(deep=False).identical(b.drop_attrs(deep=False))
    assert a.attrs["stopped"] == b.attrs["stopped"]
    on_disk = nd.load(tmp_path / "run.zarr")
    assert on_disk.attrs["committed"] == a.sizes["time"] < on_disk.sizes["time"] == 30
    assert np.isnan(on_disk["A.v"][:, on_disk.attrs["committed"] :]).all()


# -- the end by force --------------------------------------------------------------------------

SCRIPT = """
import sys
import neurodyn as nd
from neurodyn.simulation import recording
from tests.networks import SILENT, excitatory_inhibitory

recording.STREAM_BYTES = 50 * 2 * 8 * 8
nd.simulate(excitatory_inhibitory(), nd.Euler(1e-3), 1e5, trials=2, every=1.0, rng=5,
            inputs=SILENT, store=sys.argv[1])
"""


@pytest.mark.filterwarnings("ignore:Object at zarr:UserWarning")  # a file half written
def test_a_killed_run_can_be_read(tmp_path):
    """kill -9 in the midst: what was committed is exact, the store opens at any moment."""
    path = tmp_path / "run.zarr"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)],
                               cwd=Path(__file__).parents[2])  # fmt: skip
    try:
        committed, deadline = 0, time.monotonic() + 60
        while committed < 100 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
            try:
                committed = nd.load(path, lazy=True).attrs["committed"]
            except (OSError, KeyError):
                assert not committed, "a store that could be opened must stay so"
        assert process.poll() is None and committed >= 100
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    ds = nd.load(path)
    committed = ds.attrs["committed"]
    assert 100 <= committed < ds.sizes["time"] == 100_000
    truth = nd.simulate(excitatory_inhibitory(), nd.Euler(DT), float(committed), trials=2,
                        every=1.0, rng=5, inputs=SILENT)  # fmt: skip
    for name in ("E.x", "I.v"):
        assert ds[name].values[:, :committed].tobytes() == truth[name].values.tobytes()
    assert ds["E.x"].attrs == truth["E.x"].attrs
    assert ds.attrs["parameters"] == truth.attrs["parameters"]
    assert np.isnan(ds["E.x"].values[:, committed + 50 :]).all()
