"""Rates and intervals: clocks, renewal processes, slow twins, Elephant."""

import numpy as np
import pytest
from scipy.special import beta, gammainc

import neurodyn as nd
from neurodyn import Hz, analyses, ms
from neurodyn.analyses import (
    fano_factors,
    firing_rates,
    interspike_intervals,
    interval_cv,
    interval_cv2,
    interval_lv,
    population_rate,
)
from neurodyn.spike_trains import SpikeTrains
from tests.spikes import (
    counts_one_by_one,
    dataset,
    empty_trains,
    gamma_trains,
    one_by_one,
    regular_trains,
    uneven_trains,
)

STATISTICS = [interval_cv, interval_cv2, interval_lv]


def near(value, expected, standard_error):
    """Within 4.5 standard errors: 1 of 150,000 such tests fails by chance."""
    assert abs(value - expected) < 4.5 * standard_error, (value, expected, standard_error)


# -- clocks: exact ---------------------------------------------------------------------------------


def test_a_clock_has_no_variability():
    clocks = regular_trains(0.125, 4, 10.0, n_trials=2)
    rates = firing_rates(clocks)
    np.testing.assert_array_equal(rates.rate, 8.0)
    np.testing.assert_array_equal(rates.trial_rate, 8.0)
    assert (rates.mean, rates.sd, rates.n_spikes, rates.n_silent) == (8.0, 0.0, 640, 0)
    for statistic in STATISTICS:
        found = statistic(clocks)
        np.testing.assert_allclose(found.value, 0, atol=1e-13)
        assert (found.n_units, found.n_left_out, found.n_intervals) == (4, 0, 4 * 2 * 79)
    for window in (None, 0.125, 2.5, 500 * ms):
        fano = fano_factors(clocks, window)
        np.testing.assert_array_equal(fano.value, 0.0)
    assert fano.n_counts == 40 and fano.window == 0.5


def test_two_alternating_intervals():
    """Intervals 1, 3, 1, 3, ...: CV2 = 1, LV = 3/4, CV**2 = (n/(n - 1)) / 4."""
    time = np.cumsum([0.5, *np.tile([1.0, 3.0], 10)])
    trains = SpikeTrains.from_arrays(time, np.zeros(21, int), 1, 0.0, 50.0)
    np.testing.assert_allclose(interval_cv2(trains).value, 1.0, rtol=1e-14)
    np.testing.assert_allclose(interval_lv(trains).value, 0.75, rtol=1e-14)
    np.testing.assert_allclose(interval_cv(trains).value, np.sqrt(20 / 19) / 2, rtol=1e-14)


def test_slow_changes_of_rate_raise_the_cv_only():
    """A clock that slows down tenfold over 1000 spikes: closed forms of its intervals."""
    interval = np.geomspace(0.01, 0.1, 1000)
    time = np.cumsum(np.concatenate([[0.0], interval]))
    trains = SpikeTrains.from_arrays(time, np.zeros(1001, int), 1, 0.0, 100.0)
    q = 10 ** (1 / 999)
    assert interval_cv2(trains).mean == pytest.approx(2 * (q - 1) / (q + 1), rel=1e-9)
    assert interval_lv(trains).mean == pytest.approx(3 * ((q - 1) / (q + 1)) ** 2, rel=1e-9)
    assert interval_cv(trains).mean == pytest.approx(interval.std(ddof=1) / interval.mean())
    assert interval_cv(trains).mean > 0.6


def test_spikes_at_the_same_time_are_a_clock_of_interval_0():
    trains = SpikeTrains.from_arrays([0.5] * 4, [0] * 4, 1, 0.0, 1.0)
    for statistic in STATISTICS:
        np.testing.assert_array_equal(statistic(trains, min_intervals=2).value, 0.0)


# -- renewal processes: closed forms ---------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 5])
def test_gamma_processes(order):
    """CV = 1/sqrt(k), CV2 = 4/(k 4**k B(k, k)), LV = 3/(2k + 1), rate 20 Hz."""
    n_units, rate, duration = 200, 20.0, 50.0
    trains = gamma_trains(order, rate, n_units, duration, rng=order)
    cv, cv2, lv = (statistic(trains) for statistic in STATISTICS)
    assert cv.n_left_out == 0 and cv.n_intervals == trains.n_spikes - n_units
    # a quotient of moments is biased by O(1/n) in n = 1000 intervals: for a gamma variable CV**2 by
    # -(1 + CV**2) CV**2 / n and its variance is 2 CV**4 (1 + CV**2)/n, by the delta method
    square = np.mean(cv.value**2)
    n = cv.n_intervals / n_units
    near(square, (1 - (1 + 1 / order) / n) / order,
         np.sqrt(2 * (1 + 1 / order) / n / n_units) / order)
    for found, expected in ((cv2, 4 / (order * 4**order * beta(order, order))),
                            (lv, 3 / (2 * order + 1))):
        near(found.mean, expected, found.sd / np.sqrt(n_units))
    rates = firing_rates(trains)
    near(rates.mean, rate, np.sqrt(rate / order / duration / n_units))
    # the sample SD of rates has the relative error 1/sqrt(2 (n - 1))
    near(rates.sd / np.sqrt(rate / order / duration), 1, 1.1 / np.sqrt(2 * (n_units - 1)))


def test_intervals_have_the_distribution_they_were_drawn_from():
    order, rate = 3, 20.0
    found = interspike_intervals(gamma_trains(order, rate, 100, 50.0, rng=7))
    levels = (np.arange(found.interval.size) + 0.5) / found.interval.size
    distance = np.abs(np.sort(gammainc(order, order * rate * found.interval)) - levels).max()
    # Kolmogorov: exceeded with the probability 2 exp(-2 * 2.3**2) = 5e-5
    assert distance < 2.3 / np.sqrt(found.interval.size)


def test_fano_factor_of_a_poisson_process_over_trials_and_windows():
    n_units, n_trials = 100, 40
    trains = gamma_trains(1, 10.0, n_units, 2.0, rng=5, n_trials=n_trials)
    for window, n in ((None, n_trials), (0.5, 4 * n_trials)):
        fano = fano_factors(trains, window)
        assert (fano.n_counts, fano.n_units, fano.n_silent) == (n, n_units, 0)
        near(fano.mean, 1, np.sqrt(2 / (n - 1) / n_units))  # Eden and Kramer (2010)


def test_fano_factor_of_a_gamma_process():
    """Variance of the count in equilibrium: t/(k mean) + (1 - 1/k**2)/6 + exponentially small."""
    order, rate, window = 4, 20.0, 1.0
    trains = gamma_trains(order, rate, 200, 50.0, rng=3)
    fano = fano_factors(trains, window)
    expected = 1 / order + (1 - order**-2) / 6 / (rate * window)
    near(fano.mean, expected, fano.sd / np.sqrt(fano.n_units))


# -- slow twins ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trains", [uneven_trains(), uneven_trains(1, dt=1e-3)], ids=["free", "dt"])
def test_a_slow_twin_agrees(trains):
    times = one_by_one(trains)
    intervals = [[np.diff(t) for t in unit] for unit in times]
    found = interspike_intervals(trains)
    np.testing.assert_allclose(found.interval, np.concatenate(sum(intervals, [])), rtol=1e-12)
    for u in range(7):
        for k in range(3):
            assert np.sum((found.unit == u) & (found.trial == k)) == intervals[u][k].size
    assert found.n_units + found.n_left_out == 7

    def pairs(unit, function):
        contrast = np.concatenate([(i[1:] - i[:-1]) / (i[1:] + i[:-1]) for i in unit])
        return np.mean(function(contrast)) if contrast.size else np.nan

    twins = {
        interval_cv: lambda unit: np.std(np.concatenate(unit), ddof=1) / np.concatenate(unit).mean(),
        interval_cv2: lambda unit: pairs(unit, lambda c: 2 * abs(c)),
        interval_lv: lambda unit: pairs(unit, lambda c: 3 * c**2),
    }
    for statistic, twin in twins.items():
        for least in (2, 10, 60):
            enough = [u for u in range(7) if sum(i.size for i in intervals[u]) >= least]
            if statistic is not interval_cv:  # intervals in different trials are no pair
                enough = [u for u in enough if max(i.size for i in intervals[u]) > 1]
            got = statistic(trains, least)
            assert got.unit.tolist() == enough
            expected = [twin(intervals[u]) for u in enough]
            np.testing.assert_allclose(got.value, expected, rtol=1e-9)
            assert got.mean == pytest.approx(np.mean(expected))
            assert got.sd == pytest.approx(np.std(expected, ddof=1))
            assert got.n_intervals == sum(i.size for u in enough for i in intervals[u])
            assert (got.n_units, got.n_left_out) == (len(enough), 7 - len(enough))

    np.testing.assert_allclose(firing_rates(trains).rate,
                               [sum(t.size for t in unit) / 9 for unit in times])
    np.testing.assert_allclose(firing_rates(trains).trial_rate,
                               [sum(unit[k].size for unit in times) / 21 for k in range(3)])


@pytest.mark.parametrize("trains", [uneven_trains(), uneven_trains(1, dt=1e-3)], ids=["free", "dt"])
def test_counts_of_a_slow_twin_agree(trains):
    for window in (3.0, 0.25):
        counts = counts_one_by_one(trains, window).reshape(7, -1)
        spiked = counts.sum(axis=1) > 0
        fano = fano_factors(trains, window)
        np.testing.assert_allclose(
            fano.value, (counts.var(axis=1, ddof=1)[spiked] / counts.mean(axis=1)[spiked]))
        assert fano.unit.tolist() == np.flatnonzero(spiked).tolist()
        assert (fano.n_units, fano.n_silent) == (spiked.sum(), 7 - spiked.sum())
    rate = population_rate(trains, 0.25)
    np.testing.assert_allclose(rate.rate, counts_one_by_one(trains, 0.25).sum(axis=0) / 7 / 0.25)
    np.testing.assert_allclose(rate.time, 2.125 + 0.25 * np.arange(12))


def test_numbers_of_units_are_those_of_the_population():
    trains = uneven_trains().select(units=[6, 0, 2, 5])
    assert interval_cv(trains).unit.tolist() == [6, 2, 5]
    assert fano_factors(trains).unit.tolist() == [6, 2, 5]
    assert firing_rates(trains).unit.tolist() == [6, 0, 2, 5]
    assert set(interspike_intervals(trains).unit) == {6, 2, 5}


def test_renumbered_units_give_renumbered_values():
    trains, order = uneven_trains(), np.random.default_rng(0).permutation(7)
    shuffled = trains.select(units=order)
    np.testing.assert_array_equal(firing_rates(shuffled).rate, firing_rates(trains).rate[order])
    for statistic in STATISTICS:
        straight = dict(zip(statistic(trains).unit, statistic(trains).value))
        for unit, value in zip(statistic(shuffled).unit, statistic(shuffled).value):
            assert value == pytest.approx(straight[unit], rel=1e-12)


# -- smoothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
def test_smoothed_rate_is_the_weighted_mean_of_the_bins(kernel):
    trains, bin, width = uneven_trains(), 0.05, 0.1
    raw = population_rate(trains, bin).rate
    found = population_rate(trains, bin, kernel, 100 * ms)
    assert (found.kernel, found.width) == (kernel, 0.1)
    for i in range(raw.shape[1]):
        lag = bin * (i - np.arange(raw.shape[1]))  # positive: the past
        weight = np.exp(-(lag**2) / (2 * width**2)) if kernel == "gaussian" else np.where(
            lag >= 0, np.exp(-lag / width), 0)
        np.testing.assert_allclose(found.rate[:, i], raw @ weight / weight.sum(), atol=1e-7)


@pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
def test_a_steady_rate_stays_steady_up_to_the_edges(kernel):
    trains = regular_trains(0.01, 1, 1.0, dt=0.01)
    rate = population_rate(trains, 0.01, kernel, 0.2).rate
    np.testing.assert_allclose(rate, 100.0, rtol=1e-12)


def test_the_exponential_kernel_looks_only_back():
    trains = SpikeTrains.from_arrays([0.5], [0], 1, 0.0, 1.0, dt=0.001)
    rate = population_rate(trains, 0.001, "exponential", 0.01).rate[0]
    assert np.all(rate[:500] < 1e-9) and rate[500] == rate.max() > 0


# -- nothing there ---------------------------------------------------------------------------------


def test_no_spikes_at_all():
    trains = empty_trains(3, 1.0, n_trials=2)
    rates = firing_rates(trains)
    np.testing.assert_array_equal(rates.rate, [0, 0, 0])
    np.testing.assert_array_equal(rates.trial_rate, [0, 0])
    assert (rates.mean, rates.sd, rates.n_spikes, rates.n_silent) == (0, 0, 0, 3)
    assert interspike_intervals(trains).interval.shape == (0,)
    assert interspike_intervals(trains)[3:] == (0, 3)
    for statistic in STATISTICS:
        found = statistic(trains)
        assert found.value.shape == found.unit.shape == (0,)
        assert np.isnan(found.mean) and np.isnan(found.sd)
        assert (found.n_units, found.n_left_out, found.n_intervals) == (0, 3, 0)
    fano = fano_factors(trains)
    assert fano.value.shape == (0,) and np.isnan(fano.mean) and fano.n_silent == 3
    for kernel, width in ((None, None), ("gaussian", 0.1), ("exponential", 0.1)):
        np.testing.assert_array_equal(population_rate(trains, 0.1, kernel, width).rate,
                                      np.zeros((2, 10)))


def test_one_spike_two_spikes_and_a_single_unit():
    trains = SpikeTrains.from_arrays([0.1, 0.2, 0.3], [0, 1, 1], 2, 0.0, 1.0)
    found = interspike_intervals(trains)
    np.testing.assert_allclose(found.interval, [0.1])
    assert (found.unit.tolist(), found.n_units, found.n_left_out) == ([1], 1, 1)
    assert interval_cv(trains, 2).n_units == 0
    assert np.isnan(firing_rates(trains.select(units=[1])).sd)


def test_intervals_do_not_cross_trials():
    """Two intervals, but in two trials: no neighbours to compare."""
    trains = SpikeTrains.from_arrays([0.1, 0.2, 0.5, 0.9], [0] * 4, 1, 0, 1, trial=[0, 0, 1, 1],
                                     n_trials=2)
    np.testing.assert_allclose(interspike_intervals(trains).interval, [0.1, 0.4])
    assert interval_cv(trains, 2).n_units == 1
    assert interval_cv2(trains, 2).n_units == interval_lv(trains, 2).n_units == 0


# -- from a run, and bad input ---------------------------------------------------------------------


def test_of_a_run():
    spikes = [(0, s, 0) for s in range(0, 10_000, 50)] + [(0, 5000, 2)]
    trains = analyses.spike_trains(dataset({"E": spikes}, {"E": 3}), "E")
    np.testing.assert_allclose(firing_rates(trains).rate, [200, 0, 1])
    assert interval_cv(trains).n_left_out == 2
    np.testing.assert_allclose(interval_cv(trains).value, 0, atol=1e-12)
    assert fano_factors(trains, 5 * ms).mean == pytest.approx(0.5 * (0 + 1))  # one spike: F = 1


def test_of_a_simulated_run():
    """Leaky units with constant currents: intervals tau_ref + tau log(J/(J - 1)), CV 0."""
    J = np.array([0.9, 1.1, 1.5, 3.0])
    cells = nd.Population(4, "dv/dt = (J - v)/tau : 1 (unless refractory)", threshold="v > 1",
                          reset="v = 0", refractory=2 * ms, tau=20 * ms, J=J)
    net = nd.Network({"A": nd.Network({"E": cells})})
    ds = nd.simulate(net, nd.Exact(dt=0.1 * ms), duration=2 * nd.second,
                     record=["A/E.spike", "A/E.spike_rate"], every=10 * ms, rng=0)
    trains = analyses.spike_trains(ds, "A/E")
    # the first step at or after the threshold; the step of the spike is one of 20 refractory ones
    steps = 19 + np.ceil(np.log(J[1:] / (J[1:] - 1)) * 200)
    found = interspike_intervals(trains)
    assert found.n_left_out == 1
    for unit, expected in zip((1, 2, 3), steps):
        np.testing.assert_allclose(found.interval[found.unit == unit], 1e-4 * expected)
    np.testing.assert_allclose(interval_cv(trains).value, 0, atol=1e-9)
    np.testing.assert_allclose(population_rate(trains, 10 * ms).rate, ds["A/E.spike_rate"])


def test_every_public_name_of_analyses_is_there():
    for name in analyses._EXPORTS:
        assert getattr(analyses, name).__name__ == name and name in dir(analyses)
    with pytest.raises(AttributeError, match="'interval_cv3'; did you mean `interval_cv"):
        _ = analyses.interval_cv3
    assert not hasattr(analyses, "_interval")


def test_type_checkers_see_the_same_names():
    import ast
    from pathlib import Path

    tree = ast.parse(Path(analyses.__file__).read_text())
    block = [n for n in tree.body if isinstance(n, ast.If) and n.test.__class__ is ast.Name]
    (checked,) = block
    seen = {alias.name: node.module for node in checked.body for alias in node.names}
    assert seen == analyses._EXPORTS


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: firing_rates([0.1]), TypeError, r"spike_trains\(ds, 'E'\); got list"),
        (lambda t: interval_cv(t, 1), ValueError, "`min_intervals` must be .* at least 2; got 1"),
        (lambda t: interval_cv2(t, 2.5), ValueError, "`min_intervals` must be an integer"),
        (lambda t: fano_factors(t), ValueError, "one count has no variance.* give a `window`"),
        (lambda t: fano_factors(t, 0.3), ValueError, "`window` = 0.3 s does not divide"),
        (lambda t: population_rate(t, 0.3), ValueError, "`bin` = 0.3 s does not divide"),
        (lambda t: population_rate(t, 10 * Hz), ValueError, "`bin` must be a time"),
        (lambda t: population_rate(t, 0.1, "box", 1), ValueError, "`kernel` must be .* got 'box'"),
        (lambda t: population_rate(t, 0.1, "gaussian"), ValueError, "needs a `width`"),
        (lambda t: population_rate(t, 0.1, width=1), ValueError, "`width` = 1 needs a `kernel`"),
        (lambda t: population_rate(t, 0.1, "gaussian", 0.01), ValueError, "at least a bin, 0.1 s"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(regular_trains(0.1, 2, 1.0))


# -- Elephant --------------------------------------------------------------------------------------


def test_elephant_agrees():
    statistics = pytest.importorskip("elephant.statistics",
                                     reason="the extra `elephant` is not installed")
    from quantities import Hz, ms, s

    trains = gamma_trains(2, 15.0, 8, 4.0, rng=1, n_trials=6)
    block = trains.to_neo()
    rows = [segment.spiketrains for segment in block.segments]

    one = trains.select(trial=0)
    intervals = [statistics.isi(train).magnitude for train in rows[0]]
    np.testing.assert_allclose(interspike_intervals(one).interval, np.concatenate(intervals))
    n = np.array([i.size for i in intervals])
    np.testing.assert_allclose(interval_cv(one).value * np.sqrt((n - 1) / n),  # it divides by n
                               [statistics.cv(i) for i in intervals])
    np.testing.assert_allclose(interval_cv2(one).value, [statistics.cv2(i) for i in intervals])
    np.testing.assert_allclose(interval_lv(one).value, [statistics.lv(i) for i in intervals])
    np.testing.assert_allclose(
        firing_rates(one).rate,
        [statistics.mean_firing_rate(train).rescale(Hz).magnitude for train in rows[0]])
    np.testing.assert_allclose(
        fano_factors(trains).value * 5 / 6,
        [statistics.fanofactor([row[u] for row in rows]) for u in range(8)])
    histogram = statistics.time_histogram(rows[0], bin_size=100 * ms, output="rate")
    np.testing.assert_allclose(population_rate(one, 0.1).rate[0],
                               histogram.rescale(1 / s).magnitude[:, 0])
