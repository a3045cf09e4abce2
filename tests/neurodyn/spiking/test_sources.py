"""Spikes from outside: by chance, at given times, and Poisson input onto every unit."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

import neurodyn as nd
from neurodyn.simulation.spikes import poisson_limits

DT = 1e-4


def source_run(population, duration, **more):
    return nd.simulate(nd.Network({"S": population}), nd.Euler(DT), duration, **more)


def counts(ds, size, n_trials=1):
    place = ds["S.spike_trial"].values * size + ds["S.spike_unit"].values
    return np.bincount(place, minlength=size * n_trials).reshape(n_trials, size)


def check_chances(ds, p, n_steps, n_trials=1):
    """Counts of every unit are binomial, and gaps between its spikes geometric."""
    size = p.size
    found = counts(ds, size, n_trials).sum(axis=0)
    n = n_steps * n_trials
    spread = np.sqrt(n * p * (1 - p))
    assert np.all(np.abs(found - n * p) < 5 * spread + 1e-9)
    unit = int(np.argmax(p))
    mine = ds["S.spike_unit"].values == unit
    gaps = np.diff(np.rint(ds["S.spike_time"].values[mine] / DT))
    gaps = gaps[gaps > 0]  # not across trials
    edges = np.unique(stats.geom.ppf(np.linspace(0, 1, 9)[1:-1], p[unit]))
    observed = np.histogram(gaps, np.r_[0.5, edges + 0.5, np.inf])[0]
    law = np.diff(np.r_[0, stats.geom.cdf(edges, p[unit]), 1])
    assert stats.chisquare(observed, law * gaps.size).pvalue > 1e-4


def test_constant_rates_are_independent_chances():
    rate = np.array([0.0, 5.0, 50.0, 400.0])
    ds = source_run(nd.poisson_source(4, rate * nd.Hz), 20.0, rng=1, trials=4)
    check_chances(ds, rate * DT, 200_000, 4)
    assert 0 not in ds["S.spike_unit"].values


def test_a_rate_that_a_signal_drives():
    """rand() < rate*dt, step by step; the rate changes after ten seconds."""
    rate = np.repeat([20.0, 100.0], 100_000)
    ds = source_run(nd.poisson_source(8), 20.0, rng=2, inputs={"S.rate": rate})
    late = ds["S.spike_time"].values >= 10.0
    for who, p in ((~late, 20 * DT), (late, 100 * DT)):
        found = np.bincount(ds["S.spike_unit"].values[who], minlength=8)
        assert np.all(np.abs(found - 1e5 * p) < 5 * np.sqrt(1e5 * p))
    assert np.ptp(np.bincount(ds["S.spike_unit"].values)) > 0  # units differ


def test_certain_spikes():
    """A probability of one spikes in every step."""
    with pytest.warns(UserWarning, match="has the probability 1 in a step"):
        ds = source_run(nd.poisson_source(2, rate=1 / DT), 0.01)
    assert_array_equal(counts(ds, 2), [[100, 100]])


def test_escape_noise_spikes_at_its_hazard():
    """A threshold of a state and rand(): the hazard is that of the moment."""
    population = nd.Population(
        400, "dv/dt = 0/second : 1", threshold="rand() < v*hazard*dt", v=np.repeat([0.5, 2.0], 200),
        hazard=40 * nd.Hz,
    )  # fmt: skip
    ds = source_run(population, 2.0, rng=4)
    found = counts(ds, 400).reshape(2, 200).sum(axis=1)
    for n, p in zip(found, np.array([0.5, 2.0]) * 40 * DT, strict=True):
        mean = 200 * 20_000 * p
        assert abs(n - mean) < 5 * np.sqrt(mean)


@pytest.mark.parametrize("rate", [30.0, None])
def test_trials_and_units_draw_numbers_of_their_own(rate):
    """Trial k draws the same however many there are; units and trials differ."""
    population = nd.poisson_source(5, rate)
    inputs = {} if rate else {"S.rate": 30.0}
    three = source_run(population, 1.0, rng=7, trials=3, inputs=inputs)
    one = source_run(population, 1.0, rng=7, inputs=inputs)
    first = three["S.spike_trial"].values == 0
    assert_array_equal(three["S.spike_time"].values[first], one["S.spike_time"].values)
    pairs = {
        tuple(three["S.spike_time"].values[
            (three["S.spike_trial"].values == k) & (three["S.spike_unit"].values == i)])
        for k in range(3) for i in range(5)
    }  # fmt: skip
    assert len(pairs) == 15


def test_given_spikes_come_in_the_steps_that_hold_them():
    time = np.array([0.0123, 3 * DT, 2.99999 * DT, 0.01, 0.1 + 0.2])  # the last is 0.30000000000000004
    unit = np.array([2, 0, 1, 2, 0])
    ds = source_run(nd.spike_source(3, time=time, unit=unit), 0.31, trials=2)
    for trial in range(2):
        mine = ds["S.spike_trial"].values == trial
        step = np.rint(ds["S.spike_time"].values[mine] / DT)
        assert_array_equal(step, [2, 3, 100, 123, 3000])
        assert_array_equal(ds["S.spike_unit"].values[mine], [1, 0, 2, 2, 0])


def test_given_spikes_with_units_and_none_at_all():
    ds = source_run(nd.spike_source(3, time=[1, 2] * nd.ms, unit=[0, 0]), 5e-3)
    assert_array_equal(np.rint(ds["S.spike_time"].values / DT), [10, 20])
    empty = source_run(nd.spike_source(3, time=[], unit=np.empty(0, int)), 5e-3)
    assert empty.sizes["S.spike"] == 0
    assert empty["S.spike_time"].dtype == float
    assert empty["S.spike_unit"].dtype == int


# ---- Poisson input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "n_sources"), [(0.01, None), (2.0, None), (37.5, None), (0.002, 1000), (0.3, 7)]
)
def test_limits_are_the_distribution_function(mean, n_sources):
    law = stats.poisson(mean) if n_sources is None else stats.binom(n_sources, mean)
    limits = poisson_limits(np.array([mean]), n_sources)[:, 0]
    # of all 2^32 words, those above limit k give a count of k + 1 at least; the lowest word is
    # above no limit
    above = (2.0**31 - 1 - limits) / 2.0**32
    assert limits.size % 4 == 0
    assert np.max(np.abs(above - law.sf(np.arange(limits.size)))) <= 2.0**-32
    assert law.sf(limits.size) < 2.0**-31


def moments_of_input(dtype, **arguments):
    size, n_steps = 203, 4000
    population = nd.Population(size, "dx/dt = 0/second : 1")
    net = nd.Network({"P": population}, [nd.PoissonInput("P.x", **arguments)])
    ds = nd.simulate(net, nd.Euler(DT), n_steps * DT, record=["P.x"], rng=3, dtype=dtype, trials=2)
    return np.diff(ds["P.x"].values.astype(float), axis=1)  # (trial, step, unit)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_poisson_input_has_the_moments_of_its_law(dtype):
    rate = 2 / DT
    steps = moments_of_input(dtype, rate=rate, weight=0.5)
    n = steps.size
    counts = steps / 0.5
    assert_array_equal(counts, np.rint(counts))
    assert abs(counts.mean() - 2) < 5 * np.sqrt(2 / n)
    # variance of the sample variance of a Poisson law: (mu + 2 mu^2)/n
    assert abs(counts.var() - 2) < 5 * np.sqrt((2 + 8) / n)
    centred = counts - counts.mean()
    for shift, axis in ((1, 0), (1, 1), (1, 2)):  # other trials, steps, units
        product = centred * np.roll(centred, shift, axis=axis)
        assert abs(product.mean()) < 5 * 2 / np.sqrt(n)


def test_poisson_input_with_a_rate_and_weight_of_each_unit():
    rate = np.linspace(0, 6, 203) / DT
    weight = np.linspace(-1, 1, 203)
    steps = moments_of_input("float64", rate=rate, weight=weight)
    expected = rate * DT * weight
    spread = np.sqrt(rate * DT) * np.abs(weight) / np.sqrt(steps.shape[0] * steps.shape[1])
    assert np.all(np.abs(steps.mean(axis=(0, 1)) - expected) < 5 * spread + 1e-12)


def test_binomial_input_is_less_variable():
    with pytest.warns(UserWarning, match="has the probability 0.3 in a step"):
        steps = moments_of_input("float64", rate=0.3 / DT, weight=1.0, n_sources=5)
    n = steps.size
    assert steps.max() <= 5
    assert abs(steps.mean() - 1.5) < 5 * np.sqrt(1.05 / n)
    # kurtosis of the binomial law gives the variance of the sample variance
    fourth = stats.binom(5, 0.3).stats("k") * 1.05**2 + 3 * 1.05**2
    assert abs(steps.var() - 1.05) < 5 * np.sqrt((fourth - 1.05**2) / n)


def test_poisson_input_onto_an_input_holds_for_one_step():
    """The input is the weighted count of the step before: x integrates it."""
    population = nd.Population(50, "dx/dt = I/second : 1")
    net = nd.Network({"P": population}, [nd.PoissonInput("P.I", rate=500.0, weight=3.0)])
    ds = nd.simulate(net, nd.Euler(1e-3), 0.4, record=["P.x", "P.I"], rng=0)
    I = ds["P.I"].values[0]
    assert set(np.unique(I)) <= {0.0, 3.0, 6.0, 9.0, 12.0, 15.0}
    assert abs(I.mean() - 1.5) < 5 * 3 * np.sqrt(0.5 / I.size)
    np.testing.assert_allclose(np.diff(ds["P.x"].values[0], axis=0), 1e-3 * I[:-1], atol=1e-15)
