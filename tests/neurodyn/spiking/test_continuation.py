"""Runs that are split, shared by threads or batched give the bytes of one plain run."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import neurodyn as nd
from neurodyn.weights import delivery_groups

DT = 1e-4


@pytest.fixture(scope="module")
def net():
    """Everything that a run carries on: delays, rest, chance, replay, spikes at an input, noise."""
    population = nd.Population(
        60, "dv/dt = (I0 + 30*S - v)/tau + 0.5*tau**-0.5*xi : 1 (unless refractory)",
        threshold="v > 1 + 0.1*rand()", reset="v -= 1", refractory=2.5e-3, tau=0.02, I0=0.95,
        v=lambda rng, n: rng.random(n),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    W = nd.weights.sparse_random((60, 60), p=0.2, weight=lambda r, n: r.normal(0, 0.1, n), rng=1)
    times = np.sort(rng.random(40)) * 0.2
    return nd.Network(
        {"P": population, "chance": nd.poisson_source(40, np.linspace(0, 200, 40)),
         "given": nd.spike_source(3, time=times, unit=rng.integers(0, 3, 40))},
        [nd.Coupling("P.spike", "P.v", W, delay=rng.integers(1, 40, W.nnz) * DT),
         nd.Coupling("chance.spike", "P.S", rng.normal(0, 0.3, (60, 40)), delay=11 * DT),
         nd.Coupling("given.spike", "P.S", rng.random((60, 3)), delay=DT),
         nd.PoissonInput("P.S", rate=100.0, weight=0.1)],
    )  # fmt: skip


RECORD = ["P.spike", "chance.spike", "given.spike", "P.v", "P.S"]


def simulate(net, duration, **more):
    return nd.simulate(net, nd.Euler(DT), duration, **{"rng": 3, "record": RECORD, **more})


def spikes(*runs, name="P"):
    return [np.concatenate([ds[f"{name}.spike_{what}"].values for ds in runs])
            for what in ("time", "unit")]  # fmt: skip


@pytest.mark.parametrize(
    "dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)]
)
def test_a_split_run_equals_an_unbroken_one(net, dtype, tmp_path):
    whole = simulate(net, 0.15, dtype=dtype)
    pieces, last = [], None
    for k, steps in enumerate((313, 2, 500, 685)):
        ds = simulate(net, steps * DT, initial=last, rng=3 if last is None else None, dtype=dtype)
        pieces.append(ds)
        last = ds
        if k == 1:  # through a file
            nd.save(ds, tmp_path / "run.nc")
            last = nd.load(tmp_path / "run.nc")
    for name in ("P", "chance", "given"):
        expected = spikes(whole, name=name)
        assert expected[0].size > 20
        for got, values in zip(spikes(*pieces, name=name), expected, strict=True):
            assert_array_equal(got, values)
    for variable in ("P.v", "P.S"):
        joined = np.concatenate([ds[variable].values for ds in pieces], axis=1)
        assert_array_equal(joined, whole[variable].values)


def test_trials_go_on_as_trials(net):
    whole = simulate(net, 0.08, trials=3)
    first = simulate(net, 0.03, trials=3)
    second = simulate(net, 0.05, initial=first, rng=None)
    for trial in range(3):
        for what in ("time", "unit"):
            parts = [ds[f"P.spike_{what}"].values[ds["P.spike_trial"].values == trial]
                     for ds in (whole, first, second)]  # fmt: skip
            assert_array_equal(parts[0], np.concatenate(parts[1:]))


def test_one_run_becomes_the_beginning_of_many(net):
    """Trials that begin alike go apart by their own noise, the first as a plain continuation."""
    before = simulate(net, 0.03)
    many = simulate(net, 0.03, initial=before, rng=9, trials=2)
    alone = simulate(net, 0.03, initial=before, rng=9)
    first = many["P.spike_trial"].values == 0
    assert_array_equal(many["P.spike_time"].values[first], alone["P.spike_time"].values)
    assert not np.array_equal(many["P.v.final"].values[0], many["P.v.final"].values[1])


@pytest.mark.slow
def test_a_source_of_another_rate_is_drawn_anew(net):
    """What was drawn for one rate says nothing of another."""
    quiet = net.with_values(**{"chance.rate": 0.0})
    before = simulate(quiet, 0.02)
    assert before.sizes["chance.spike"] == 0
    after = simulate(net, 0.1, initial=before, rng=None)
    assert abs(after.sizes["chance.spike"] - 400) < 5 * np.sqrt(400)


@pytest.fixture(
    params=[pytest.param("looked for by delay", marks=pytest.mark.slow), "scheduled"]
)
def large(request, monkeypatch):
    """Large enough for threads to share one trial: 3,000 and 1,200 units, delays of 1 ms."""
    scheduled = request.param == "scheduled"
    monkeypatch.setattr(delivery_groups, "_SHORT_RUN", np.inf if scheduled else 0)

    def population(size):
        return nd.Population(
            size, "dv/dt = -v/tau : 1 (unless refractory)", threshold="v > theta", reset="v = 0",
            refractory=2e-3, tau=0.02, theta=np.linspace(0.9, 1.1, size),
            v=lambda rng, n: rng.random(n),
        )  # fmt: skip

    def weights(post, pre, weight, seed):
        return nd.weights.sparse_random((post, pre), p=0.02, weight=weight, rng=seed)

    ei = weights(3000, 1200, -0.02, 1)
    delay = np.random.default_rng(2).integers(10, 20, ei.nnz) * DT
    n_ie = nd.weights.LowRank(np.full((1200, 1), 0.001), np.ones((3000, 1)))
    return nd.Network(
        {"E": population(3000), "I": population(1200)},
        [nd.Coupling("E.spike", "E.v", weights(3000, 3000, 0.015, 0), delay=1e-3),
         nd.Coupling("I.spike", "E.v", ei, delay=delay),
         nd.Coupling("E.spike", "I.v", n_ie, delay=1e-3),
         nd.PoissonInput("E.v", rate=9e3, weight=0.012), nd.PoissonInput("I.v", 9e3, 0.012)],
    )  # fmt: skip


def test_threads_that_share_a_trial_change_nothing(large):
    from neurodyn.simulation.run import Run

    record = ["E.spike", "I.spike", "E.spike_rate"]
    record = {**dict.fromkeys(record), "E.v": [5, 2999, 3, 1500, 1501], "I.v": slice(0, 1200, 400)}
    runs = {}
    for threads in (1, 2, 3):
        run = Run(large, nd.Exact(DT), 0.1, 1, 1e-3, None, None, 4, "float32", threads)
        assert len(run.blocks[0].parts) == threads
        runs[threads] = nd.simulate(large, nd.Exact(DT), 0.1, record=record, every=1e-3, rng=4,
                                    dtype="float32", threads=threads)  # fmt: skip
    assert runs[1].sizes["E.spike"] > 3000
    for threads in (2, 3):
        for variable in runs[1].data_vars:
            assert_array_equal(runs[threads][variable].values, runs[1][variable].values, variable)
    # the second half begins between two points at which threads wait for each other
    halves = [nd.simulate(large, nd.Exact(DT), 0.0503, rng=4, dtype="float32", threads=2)]
    halves.append(nd.simulate(large, nd.Exact(DT), 0.0497, initial=halves[0], dtype="float32",
                              threads=3))  # fmt: skip
    for got, expected in zip(spikes(*halves, name="E"), spikes(runs[1], name="E"), strict=True):
        assert_array_equal(got, expected)


def test_threads_stop_at_the_same_explosion():
    """The bad step is found by running again, with all threads."""
    net = nd.Network(
        {"A": nd.Population(9000, "dv/dt = a*v**2/second : 1", threshold="t < 0*second",
                            reset="v = 0", a=np.r_[np.zeros(8999), 1e3], v=0.1),
         "B": nd.Population(9000, "dv/dt = 0/second : 1", threshold="v > 1", reset="v = 0")},
        [nd.Coupling("A.spike", "B.v", nd.weights.sparse_random((9000, 9000), p=1e-4, rng=0),
                     delay=2e-3)],
    )  # fmt: skip
    found = []
    for threads in (1, 2):
        with pytest.raises(nd.SimulationDiverged) as error:
            nd.simulate(net, nd.Euler(DT), 1.0, record=["A.spike"], threads=threads)
        found.append((error.value.variable, error.value.unit, error.value.time))
    assert found[0] == found[1]
    assert found[0][:2] == ("A.v", 8999)
