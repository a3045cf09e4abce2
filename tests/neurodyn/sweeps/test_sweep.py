"""Sweeps on one machine: the Dataset, its labels, the same bytes from any number of workers."""

import numpy as np
import psutil
import pytest
import xarray as xr

import neurodyn as nd
from neurodyn.sweeps.folder import SweepFolder
from neurodyn.sweeps.plan import make_plan
from neurodyn.sweeps.run import Engine, run_plan
from neurodyn.sweeps.store import save_merged

from .conftest import tree

GRID = {"g": [1, 2.5, 3], "n": [3, 5]}


def merged_bytes(sweep, folder):
    """Every byte of the merged store."""
    return tree(save_merged(sweep.dataset, folder / f"{sweep.folder.name}.zarr"))


def test_the_dataset_is_that_of_a_plain_loop(toy):
    sweep = nd.sweep(toy.gain, GRID, seeds=[4, 7], folder="out", workers=2, progress=False)
    ds = sweep.dataset
    assert ds.rate.dims == ("g", "n", "seed") and ds.x.dims == ("g", "n", "seed", "unit")
    assert ds.x.attrs == {"units": "mV"} and ds["count"].dtype == np.int64
    np.testing.assert_array_equal(ds.g, [1.0, 2.5, 3.0])
    np.testing.assert_array_equal(ds.seed, [4, 7])
    for g in (1, 2.5, 3):
        for n in (3, 5):
            for seed in (4, 7):
                one, alone = ds.sel(g=g, n=n, seed=seed), toy.gain(g=g, n=n, rng=seed)
                assert one.rate.item() == alone.rate.item()
                assert one["count"].item() == alone["count"].item()
                np.testing.assert_array_equal(one.x[:n], alone.x)
                assert np.isnan(one.x[n:]).all()
                assert one["unit.size"] == n
    assert sweep.attributes(g=2.5, n=3, seed=4)["g"] == 2.5
    assert "when" not in ds.attrs


@pytest.mark.parametrize("key", [
    {"g": 1}, {"g": slice(1, None), "seed": [1, 0]}, {"unit": slice(None, None, 2)},
    {"seed": -1, "unit": [0, 4]}, {"g": [], "unit": 0}, {"n": slice(None, None, -1)},
])  # fmt: skip
def test_a_part_read_from_disk_is_that_of_the_whole(toy, key):
    sweep = nd.sweep(toy.gain, GRID, seeds=2, folder="out", workers=1, progress=False)
    whole = nd.open_sweep("out").dataset.load()
    xr.testing.assert_identical(sweep.dataset.isel(key).load(), whole.isel(key))


def test_workers_and_order_make_no_difference(toy, tmp_path, monkeypatch):
    from neurodyn.sweeps import run

    one = nd.sweep(toy.gain, GRID, seeds=5, folder="one", workers=1, progress=False)
    eight = nd.sweep(toy.gain, GRID, seeds=5, folder="eight", workers=8, progress=False)
    pending = run._pending
    monkeypatch.setattr(run, "_pending", lambda *args: pending(*args)[::-1])
    backwards = nd.sweep(toy.gain, GRID, seeds=5, folder="backwards", workers=2, progress=False)
    expected = merged_bytes(one, tmp_path)
    assert merged_bytes(eight, tmp_path) == expected
    assert merged_bytes(backwards, tmp_path) == expected
    files = [save_merged(s.dataset, tmp_path / f"{k}.nc").read_bytes()
             for k, s in enumerate((one, eight, backwards))]  # fmt: skip
    assert files[0] == files[1] == files[2]
    back = nd.load(tmp_path / "one.zarr")
    assert back.identical(one.dataset.load()) and nd.load(tmp_path / "0.nc").identical(back)


def test_workers_have_one_thread_and_processes_of_their_own(toy):
    ds = nd.sweep(toy.threads, seeds=8, folder="out", workers=2, progress=False).dataset
    assert (ds.numba == 1).all() and (ds.blas == 1).all()
    import os

    assert os.getpid() not in ds.pid.values


def test_time_series_of_several_lengths_share_the_longest_time(toy):
    ds = nd.sweep(toy.lasting, {"length": [1.0, 2.0]}, seeds=2, folder="out", workers=1,
                  progress=False).dataset  # fmt: skip
    np.testing.assert_array_equal(ds.time, np.arange(20) / 10)
    assert ds.time.attrs == {"units": "s"}
    assert np.isnan(ds.v.sel(length=1.0, time=slice(1.0, None))).all()
    assert not np.isnan(ds.v.sel(length=2.0)).any()
    assert ds.n.dtype == np.float64  # whole numbers with gaps
    np.testing.assert_array_equal(ds["time.size"], [[10, 10], [20, 20]])


def test_parameters_of_all_kinds_reach_the_experiment_as_they_were(toy):
    grid = {"mode": ["a", "b c"], "flags": [(1, 2), (3,)], "on": "true,false", "n": "1:3:3"}
    plan = make_plan(toy.typed, grid, settings={"needed": "0.1", "path": "x/y"})
    assert plan.shape == (2, 2, 2, 3) and plan.dims == tuple(grid)
    again = type(plan).from_json(plan.to_json())
    assert again == plan
    arguments = again.arguments(4)
    assert arguments["flags"] == (1, 2) and arguments["on"] is False and arguments["n"] == 2
    assert arguments["needed"] == 0.1 and str(arguments["path"]) == "x/y"
    ds = nd.sweep(toy.typed, {"flags": [(1, 2), (3,)], "n": [1, 3]}, settings={"needed": 0.1},
                  folder="out", workers=1, progress=False).dataset  # fmt: skip
    assert ds["size"].values.tolist() == [[2, 2], [1, 1]]
    assert ds.flags.values.tolist() == ["(1, 2)", "(3,)"]
    assert ds["mode"].dtype.kind == "U" and (ds["mode"] == "a").all()
    assert "seed" not in ds.dims


def test_the_identity_holds_all_that_matters_and_no_order(toy):
    plan = make_plan(toy.gain, GRID, seeds=3)
    found = plan.identities("v")
    assert len({tuple(row) for row in found.tolist()}) == plan.size
    turned = make_plan(toy.gain, {"n": [5, 3], "g": [3, 2.5, 1]}, seeds=[2, 1, 0])
    assert {tuple(r) for r in turned.identities("v").tolist()} == {tuple(r) for r in found.tolist()}
    one = {"g": 1.0, "n": 3, "rng": 0}
    (at,) = [k for k in range(turned.size) if turned.arguments(k) == one]
    assert turned.identities("v", [at]).tolist() == found[:1].tolist()
    others = [
        make_plan(toy.fails, {"g": [1]}).identities("v"),
        make_plan(toy.gain, {"g": [1], "n": [3]}, settings={"nap": 1}).identities("v"),
        plan.identities("w", [0]),
    ]
    assert len({tuple(x[0].tolist()) for x in [found, *others]}) == 4


def test_a_single_task_without_grid(toy):
    ds = nd.sweep(toy.gain, folder="out", progress=False).dataset
    assert ds.rate.dims == ("seed",) and ds.rate.item() == toy.gain().rate.item()


def test_a_circuit_by_name(toys, tmp_path):
    sweep = nd.sweep("forgetful", {"tau": [0.5, 1.0]}, settings={"steps": 5}, folder="out",
                     workers=1, progress=False)  # fmt: skip
    x = sweep.dataset["A/E.x"]
    assert x.dims == ("tau", "seed", "trial", "time", "A/E.unit")
    np.testing.assert_allclose(x[:, 0, 0, -1, 0], np.exp([-2, -1]))
    assert nd.sweep("forgetful:nothing", folder="b", workers=1, progress=False).dataset.zero == 0


@pytest.mark.slow
def test_recordings_stream_to_stores_of_their_own(toy, tmp_path):
    sweep = nd.sweep(toy.streams, {"g": [1.0, 2.0]}, seeds=2, folder="out", workers=2,
                     progress=False)  # fmt: skip
    ds = sweep.dataset
    assert len(list((tmp_path / "out" / "streams").iterdir())) == 4
    assert ds["E.x"].dims == ("g", "seed", "trial", "time", "E.unit")
    for k, g in enumerate((1.0, 2.0)):
        for seed in (0, 1):
            alone = toy.streams(g=g, rng=seed)
            np.testing.assert_array_equal(ds["E.x"][k, seed], alone["E.x"])
            np.testing.assert_array_equal(ds["E.x.final"][k, seed], alone["E.x.final"])
    np.testing.assert_array_equal(ds.time, alone.time)
    assert sweep.attributes(g=1.0, seed=0)["versions"] == alone.attrs["versions"]
    back = nd.load(save_merged(ds, tmp_path / "all.zarr"))
    assert back.identical(ds.load())


@pytest.mark.slow
def test_recordings_larger_than_memory_would_allow(toy, tmp_path):
    """400 MB a task pass through tens of MB, and open without being read."""
    (tmp_path / "large.py").write_text(LARGE)
    small = nd.sweep("large.py:record", {"n_steps": [1000]}, seeds=1, folder="small", workers=1,
                     progress=False)  # fmt: skip
    large = nd.sweep("large.py:record", {"n_steps": [50_000]}, seeds=2, folder="large", workers=1,
                     progress=False)  # fmt: skip
    assert small.is_complete and large.is_complete, large.failures
    more = large.costs()["memory"].max() - small.costs()["memory"].max()
    assert more < 100e6
    own = psutil.Process()
    before = own.memory_info().rss
    ds = nd.open_sweep("large").dataset
    assert ds["E.x"].nbytes == 2 * 50_000 * 1000 * 8
    assert own.memory_info().rss - before < 50e6
    space: dict = {}
    exec(LARGE, space)
    network = space["network"]()
    alone = nd.simulate(network, nd.Euler(dt=0.001), 0.01, rng=1, record=["E.x"])
    np.testing.assert_array_equal(ds["E.x"][0, 1, 0, :10], alone["E.x"][0])


#: An experiment that records a thousand units with noise in float64, 8 kB a step.
LARGE = """
import neurodyn as nd

def network():
    return nd.Network({"E": nd.Population(1000, "dx/dt = -x/tau + xi*tau**-0.5 : 1", tau=0.1)})

def record(*, n_steps: int = 1, rng: int = 0, store=None):
    return nd.simulate(network(), nd.Euler(dt=0.001), n_steps*0.001, rng=rng, record=["E.x"],
                       store=store)
"""


def test_the_store_of_a_failed_task_is_removed(toy, tmp_path):
    sweep = nd.sweep(toy.streams, settings={"bad": 1}, seeds=2, folder="out", workers=1,
                     progress=False)  # fmt: skip
    assert len(sweep.failures) == 1 and sweep.n_done == 1
    assert len(list((tmp_path / "out" / "streams").iterdir())) == 1
    (store,) = (tmp_path / "out" / "streams").iterdir()
    next(p for p in store.rglob("*") if p.is_file()).unlink()
    assert nd.open_sweep("out").n_missing == 1  # a store that is not whole is not counted


def test_memory_of_a_task_is_its_own(toy, tmp_path):
    sweep = nd.sweep(toy.hungry, settings={"size": 30_000_000}, seeds=3, folder="out", workers=1,
                     progress=False)  # fmt: skip
    memory = sweep.costs().memory.values
    assert memory[1] > memory[0] + 2.3e8 and memory[2] < memory[1] - 2e8
    assert (sweep.costs().seconds > 0).all()


def test_ten_thousand_tasks_are_opened_at_once(toy, tmp_path):
    """From files of a few tasks each, written here directly."""
    import time

    from neurodyn.sweeps.folder import read_state
    from neurodyn.sweeps.shards import Finished, take_apart, write_shard

    where = SweepFolder("out")
    plan = where.prepare(make_plan(toy.gain, {"g": np.arange(100.0)}, seeds=100))
    identities = plan.identities(plan.versions[-1])
    for first in range(0, 10_000, 100):
        some = [Finished(identities[k], take_apart(xr.Dataset({"rate": float(k)})), None)
                for k in range(first, first + 100)]  # fmt: skip
        write_shard(where.results / f"a-{first}.npz", some, {})
    start = time.perf_counter()
    ds = nd.open_sweep("out").dataset
    opened = time.perf_counter() - start
    np.testing.assert_array_equal(ds.rate.values.ravel(), np.arange(10_000.0))
    assert opened < 3
    assert read_state(where, plan).strangers == 0


def test_run_again_computes_nothing(toy, tmp_path):
    first = nd.sweep(toy.gain, GRID, seeds=2, folder="out", workers=1, progress=False)
    before = tree(tmp_path / "out" / "results")
    again = run_plan(SweepFolder("out"), make_plan(toy.gain, GRID, 2), Engine(), progress=False)
    assert tree(tmp_path / "out" / "results") == before and again.is_complete
    more = nd.sweep(toy.gain, GRID | {"g": [0.5, 1, 2.5, 3]}, seeds=3, folder="out", workers=1,
                    extend=True, progress=False)  # fmt: skip
    assert more.is_complete and more.state.twice == 0
    new = sum(len(s.tasks) for s in more.state.shards)
    assert new == more.plan.size == 24
    assert more.dataset.sel(g=[1, 2.5, 3], seed=[0, 1]).load().rate.identical(
        first.dataset.load().rate)  # fmt: skip
