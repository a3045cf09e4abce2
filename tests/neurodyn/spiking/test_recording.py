"""Recorded spikes: subsets, rates, states beside them, stores, runs that end early."""

import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.recorded_spikes import spike_trains

DT = 1e-4


@pytest.fixture(scope="module")
def net():
    """Two populations, noisy, coupled with a delay."""
    def population(size):
        return nd.Population(
            size, "dv/dt = (I0 - v)/tau : 1 (unless refractory)", threshold="v > 1", reset="v = 0",
            refractory=2e-3, tau=0.02, I0=0.9, v=lambda rng, n: rng.random(n),
        )  # fmt: skip

    W = nd.weights.sparse_random((30, 20), p=0.3, weight=-0.1, rng=0)
    return nd.Network(
        {"E": population(30), "A/I".replace("/", "_"): population(20)},
        [nd.Coupling("A_I.spike", "E.v", W, delay=1e-3),
         nd.PoissonInput("E.v", rate=800.0, weight=0.05),
         nd.PoissonInput("A_I.v", rate=800.0, weight=0.05)],
    )  # fmt: skip


def simulate(net, duration=0.2, **more):
    return nd.simulate(net, nd.Exact(DT), duration, **{"rng": 5, **more})


def as_set(ds, name):
    return set(zip(ds[f"{name}.spike_trial"].values.tolist(),
                   np.rint(ds[f"{name}.spike_time"].values / DT).astype(int).tolist(),
                   ds[f"{name}.spike_unit"].values.tolist(), strict=True))  # fmt: skip


@pytest.fixture(scope="module")
def whole(net):
    return simulate(net, trials=3)


def test_default_is_the_spikes_sorted_by_trial_time_unit(whole):
    assert {str(n) for n in whole.data_vars if "spike" in str(n)} == {
        f"{p}.spike_{what}" for p in ("E", "A_I") for what in ("time", "unit", "trial")
    }
    assert not [n for n in whole.data_vars if "time" in whole[n].dims]
    for name, size in (("E", 30), ("A_I", 20)):
        trial, when, unit = (whole[f"{name}.spike_{w}"].values for w in ("trial", "time", "unit"))
        assert len(when) > 3 * size
        order = np.lexsort((unit, when, trial))
        assert_array_equal(order, np.arange(order.size))
        assert len(as_set(whole, name)) == order.size
        assert whole[f"{name}.spike_time"].attrs["units"] == "s"
        assert whole[f"{name}.spike_unit"].attrs["n_units"] == size
    assert whole.attrs["sizes"] == {"E": 30, "A_I": 20}


def test_a_subset_says_which_units_it_is(net, whole):
    ds = simulate(net, trials=3, record={"E.spike": [4, 2, 19]})
    assert as_set(ds, "E") == {s for s in as_set(whole, "E") if s[2] in (2, 4, 19)}
    assert ds["E.spike_unit"].attrs["recorded_units"] == [4, 2, 19]
    assert "A_I.spike_time" not in ds
    assert spike_trains(ds, "E").n_units == 3  # units that were not recorded are not silent ones


def test_states_and_rates_beside_spikes(net, whole):
    """A rate is the number of spikes in a bin of `every` over bin and size."""
    ds = simulate(net, 0.2, trials=3, record=["E.v", "E.spike_rate", "E.spike"], every=3e-3)
    assert ds["E.v"].shape == (3, 67, 30)
    assert as_set(ds, "E") == as_set(whole, "E")
    steps = np.array(sorted(as_set(whole, "E")))
    for trial in range(3):
        counts = np.bincount(steps[steps[:, 0] == trial, 1] // 30, minlength=67)
        covered = np.r_[np.full(66, 30), 20] * DT  # the run ends within the last bin
        assert_allclose(ds["E.spike_rate"].values[trial], counts / covered / 30, rtol=1e-12)
    assert ds["E.spike_rate"].attrs["units"] == "Hz"


def test_rates_of_a_continuation_begin_with_its_first_whole_bin(net):
    whole = simulate(net, 0.2, record=["E.spike_rate"], every=3e-3)
    first = simulate(net, 0.1, record=["E.spike_rate"], every=3e-3)
    second = simulate(net, 0.1, record=["E.spike_rate"], every=3e-3, initial=first, rng=None)
    assert_allclose(second["time"].values[0], 0.102)
    assert_array_equal(second["E.spike_rate"].values, whole["E.spike_rate"].values[:, 34:])
    assert_array_equal(first["E.spike_rate"].values[:, :33], whole["E.spike_rate"].values[:, :33])


def test_nothing_spikes(net):
    """Empty arrays of the right types and dimensions, rates of 0."""
    silent = net.with_values(**{"E.I0": -5.0, "E.v": 0.0})
    ds = simulate(silent, record=["E.spike", "E.spike_rate"], every=0.01)
    assert ds.sizes["E.spike"] == 0
    assert ds["E.spike_time"].dtype == np.float64
    assert ds["E.spike_unit"].dtype == ds["E.spike_trial"].dtype == np.int64
    assert_array_equal(ds["E.spike_rate"].values, np.zeros((1, 20)))


def test_datasets_with_spikes_are_kept_unchanged(whole, tmp_path):
    for name in ("run.nc", "run.zarr"):
        nd.save(whole, tmp_path / name)
        xr.testing.assert_identical(nd.load(tmp_path / name), whole)


def test_a_store_gives_the_same_spikes_in_the_same_order(net, whole, tmp_path):
    record = ["E.spike", "A_I.spike", "E.v", "E.spike_rate"]
    memory = simulate(net, trials=3, record=record, every=1e-3)
    store = simulate(net, trials=3, record=record, every=1e-3, store=tmp_path / "run.zarr")
    for variable in memory.data_vars:
        assert_array_equal(store[variable].values, memory[variable].values)
        assert store[variable].attrs == memory[variable].attrs
        assert store[variable].dims == memory[variable].dims
    assert not (tmp_path / "run.zarr" / "unfinished_spikes").exists()
    follow = simulate(net, 0.1, initial=store, rng=None)
    assert as_set(follow, "E") == as_set(simulate(net, 0.1, initial=memory, rng=None), "E")


KILLED = """
import sys
import numpy as np
import neurodyn as nd
population = nd.Population(50, "dv/dt = (1.5 - v)/tau : 1", threshold="v > 1", reset="v = 0",
                           tau=0.02, v=np.linspace(0, 0.9, 50))
print("begins", flush=True)
nd.simulate(nd.Network({"E": population}), nd.Exact(1e-4), 1e5, record=["E.spike"], every=1.0,
            store=sys.argv[1])
"""


def test_a_killed_run_leaves_the_spikes_so_far(tmp_path):
    store = tmp_path / "run.zarr"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(store)], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        until = time.monotonic() + 120
        while len(list(store.glob("unfinished_spikes/*.npz"))) < 4:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    ds = nd.load(store)
    interval = 0.02 * np.log(1.5 / 0.5)
    times = ds["E.spike_time"].values[ds["E.spike_unit"].values == 0]
    assert len(times) > 10
    assert_allclose(np.diff(times), interval, atol=1.01e-4)
    assert ds["E.spike_unit"].attrs["n_units"] == 50
    shutil.rmtree(store)


def test_a_run_that_explodes_leaves_the_spikes_before():
    """dw/dt = 100 w^2: w of unit 1 reaches infinity; both units spike until then."""
    population = nd.Population(
        2, "dv/dt = 100/second : 1\ndw/dt = 100*w**2/second : 1", threshold="v > 1.005",
        reset="v = 0", w=np.array([0.0, 0.1]),
    )  # fmt: skip
    with pytest.raises(nd.SimulationDiverged) as error:
        nd.simulate(nd.Network({"P": population}), nd.Euler(1e-3), 1.0, record=["P.spike", "P.v"])
    ds, when = error.value.dataset, error.value.time
    assert (error.value.variable, error.value.unit) == ("P.w", 1)
    assert 0.1 < when < 0.2  # 1/(100 * 0.1) s, and some steps
    assert ds.sizes["time"] == round(when / 1e-3)
    expected = np.repeat(np.arange(0.010, when, 0.011), 2)  # v reaches 1.1 in the eleventh step
    assert_allclose(ds["P.spike_time"].values, expected, atol=1e-9)
