"""Pairs of spikes: thinned and jittered copies of known correlation, clocks, slow twins, Elephant."""

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from neurodyn import ms
from neurodyn.analyses import (
    autocorrelogram,
    count_correlation,
    count_correlation_matrix,
    cross_correlogram,
    firing_rates,
)
from neurodyn.spike_trains import SpikeTrains
from tests.spikes import (
    counts_one_by_one,
    empty_trains,
    gamma_trains,
    one_by_one,
    regular_trains,
    uneven_trains,
)


def copies(p, jitter, n_units, rate, duration, rng):
    """Each unit takes each spike of one Poisson process with probability p, and moves it."""
    rng = np.random.default_rng(rng)
    mother = np.sort(rng.uniform(-1, duration + 1, rng.poisson(rate / p * (duration + 2))))
    spike, unit = np.nonzero(rng.random((mother.size, n_units)) < p)
    time = mother[spike] + jitter * rng.standard_normal(spike.size)
    inside = (time >= 0) & (time < duration)
    return SpikeTrains.from_arrays(time[inside], unit[inside], n_units, 0, duration)


def same_bin(jitter, bin):
    """Probability that two jittered copies of a spike fall into the same bin.

    Their distance d is normal with SD s = sqrt(2) jitter: the mean of max(0, 1 - |d|/bin).
    """
    s = np.sqrt(2) * jitter
    return 2 * norm.cdf(bin / s) - 1 - 2 * s / bin * (norm.pdf(0) - norm.pdf(bin / s))


def near(values, expected):
    """Mean of independent runs within what is 4.5 standard errors of a normal variable."""
    values = np.asarray(values)
    error = values.std(ddof=1) / np.sqrt(values.size)
    limit = student.isf(norm.sf(4.5), values.size - 1)  # the error itself is estimated
    assert abs(values.mean() - expected) < limit * error, (values.mean(), expected, error)


def binned(trains, bin):
    """Bin number of each spike, ``[unit][trial]``."""
    return [[np.floor((t - trains.t_start) / bin).astype(int) for t in unit]
            for unit in one_by_one(trains)]


# -- correlation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "jitter"), [(0.3, 0.0), (0.3, 0.005), (0.8, 0.02)])
def test_thinned_and_jittered_copies(p, jitter):
    """Correlation p times the probability that copies share a bin."""
    bin = 0.02
    expected = p * (same_bin(jitter, bin) if jitter else 1.0)
    found = [count_correlation(copies(p, jitter, 10, 10.0, 40.0, rng), bin) for rng in range(20)]
    assert found[0].n_pairs == 45 and found[0].n_samples == 2000
    near([f.mean for f in found], expected)


def test_independent_units_are_not_correlated():
    n, bin = 200, 0.05
    found = count_correlation(gamma_trains(1, 10.0, n, 20.0, rng=0), bin)
    error = np.sqrt(2 / (n * (n - 1))) / np.sqrt(found.n_samples - 1)
    assert abs(found.mean) < 4.5 * error < 1.7e-3


def test_identical_and_opposite_units():
    clock = regular_trains(0.1, 5, 1.0, dt=0.01)
    same = count_correlation(clock, 0.02)
    assert same.mean == pytest.approx(1.0) and same.n_pairs == 10
    np.testing.assert_allclose(count_correlation_matrix(clock, 0.02).matrix, 1.0)
    turns = SpikeTrains.from_arrays([0.5, 1.5, 2.5, 3.5], [0, 1, 0, 1], 2, 0, 4)
    assert count_correlation(turns, 1.0).mean == pytest.approx(-1.0)


@pytest.mark.parametrize("bin", [0.25, 1.5])
def test_a_slow_twin_agrees_on_correlations(bin):
    trains = uneven_trains()
    counts = counts_one_by_one(trains, bin).reshape(7, -1)
    varies = np.flatnonzero(counts.std(axis=1) > 0)
    expected = np.corrcoef(counts[varies])
    matrix = count_correlation_matrix(trains, bin)
    np.testing.assert_allclose(matrix.matrix, expected, atol=1e-12)
    assert matrix.unit.tolist() == varies.tolist()
    assert set(matrix.left_out) == set(range(7)) - set(varies)
    assert {0, 4} <= set(matrix.left_out)  # the silent ones, and no NaN for them
    mean = count_correlation(trains, bin)
    assert mean.mean == pytest.approx(expected[np.triu_indices(varies.size, 1)].mean())
    assert (mean.n_units, mean.n_left_out) == (varies.size, 7 - varies.size)
    assert mean.n_samples == counts.shape[1] == matrix.n_samples


def test_chosen_units_of_the_matrix():
    trains = uneven_trains()
    whole = count_correlation_matrix(trains, 0.25)
    some = count_correlation_matrix(trains, 0.25, units=[6, 4, 2])
    assert (some.unit.tolist(), some.left_out.tolist()) == ([6, 2], [4])
    at = [whole.unit.tolist().index(u) for u in (6, 2)]
    np.testing.assert_allclose(some.matrix, whole.matrix[np.ix_(at, at)])


def test_units_of_constant_count_have_no_correlation():
    """A clock with one spike in every bin: its variance is 0, exactly."""
    clock = regular_trains(0.1, 3, 1.0)
    found = count_correlation(clock, 0.1)
    assert np.isnan(found.mean) and (found.n_pairs, found.n_units, found.n_left_out) == (0, 0, 3)
    matrix = count_correlation_matrix(clock, 0.1)
    assert matrix.matrix.shape == (0, 0) and matrix.left_out.tolist() == [0, 1, 2]


# -- correlograms ----------------------------------------------------------------------------------


def test_autocorrelogram_of_a_clock():
    """A spike at every 10th of 1000 bins: 1000 Hz there and nothing elsewhere, at every lag."""
    found = autocorrelogram(regular_trains(0.01, 3, 1.0, dt=0.001, n_trials=2), 0.001, 35 * ms)
    expected = np.where(np.arange(-35, 36) % 10 == 0, 1000.0, 0.0)
    expected[35] = 0.0  # a spike is not its own neighbour
    np.testing.assert_allclose(found.rate, expected, rtol=1e-12)
    np.testing.assert_allclose(found.lag, 0.001 * np.arange(-35, 36))
    assert (found.n_spikes, found.n_units, found.bin) == (600, 3, 0.001)
    assert found.count[45] == found.count[25] == 6 * 99
    assert found.chance == pytest.approx(99.0)


def test_autocorrelogram_of_a_poisson_process_is_flat():
    runs = [autocorrelogram(gamma_trains(1, 20.0, 10, 20.0, rng), 0.002, 0.1) for rng in range(20)]
    for lag in (50, 51, 60, 100):  # lag 0 to 100 ms
        near([run.rate[lag] for run in runs], 20.0)
    near([run.rate.mean() for run in runs], 20.0)
    near([run.chance for run in runs], 20.0)


def test_autocorrelogram_of_a_gamma_process_is_its_renewal_density():
    """Order 2: r (1 - exp(-4 r t)), here averaged over the triangle of two bins."""
    rate, bin = 20.0, 0.005
    runs = [autocorrelogram(gamma_trains(2, rate, 20, 20.0, rng), bin, 0.05) for rng in range(20)]
    a, w = 4 * rate, bin
    k = np.arange(1, 11)
    # mean of exp(-a t) under the triangle of half-width w around t = k w
    mean = np.exp(-a * k * w) * 2 * (np.cosh(a * w) - 1) / (a * w) ** 2
    for j, expected in zip(k, rate * (1 - mean)):
        near([run.rate[10 + j] for run in runs], expected)
        near([run.rate[10 - j] for run in runs], expected)


@pytest.mark.parametrize("bin", [0.1, 0.02])
def test_a_slow_twin_agrees_on_correlograms(bin):
    trains = uneven_trains()
    n_bins, n_lags = round(3 / bin), 12
    numbers = binned(trains, bin)
    own, pairs = (np.zeros(2 * n_lags + 1) for _ in range(2))
    for trial in range(3):
        for i in range(7):
            for j in range(7):
                for m, s in enumerate(numbers[i][trial]):
                    for n, t in enumerate(numbers[j][trial]):
                        if abs(t - s) <= n_lags and (i, m) != (j, n):
                            (own if i == j else pairs)[t - s + n_lags] += 1
    seen = (1 - np.abs(np.arange(-n_lags, n_lags + 1)) / n_bins) * bin * trains.n_spikes
    auto = autocorrelogram(trains, bin, n_lags * bin)
    np.testing.assert_array_equal(auto.count, own)
    np.testing.assert_allclose(auto.rate, own / seen)
    for found in (cross_correlogram(trains, None, bin, n_lags * bin),
                  cross_correlogram(trains, uneven_trains(), bin, n_lags * bin)):
        np.testing.assert_array_equal(found.count, pairs)
        np.testing.assert_allclose(found.rate, pairs / seen / 6)

    some, other = trains.select(units=[1, 2, 5]), uneven_trains(1)
    expected = np.zeros(2 * n_lags + 1)
    theirs = binned(other, bin)
    for trial in range(3):
        for i in (1, 2, 5):
            for j in range(7):
                lag = theirs[j][trial][None] - numbers[i][trial][:, None]
                lag = lag[np.abs(lag) <= n_lags] + n_lags
                expected += np.bincount(lag, minlength=2 * n_lags + 1)
    found = cross_correlogram(some, other, bin, n_lags * bin)
    np.testing.assert_array_equal(found.count, expected)
    seen *= some.n_spikes / trains.n_spikes
    np.testing.assert_allclose(found.rate, expected / seen / 7)


def test_a_delayed_copy_is_found_at_its_delay():
    steps = np.flatnonzero(np.random.default_rng(0).random(2000) < 0.02)
    steps = steps[steps < 1990]
    here, there = (
        SpikeTrains.from_arrays(0.001 * (steps + d), np.zeros(steps.size, int), 1, 0, 2, dt=0.001)
        for d in (0, 7)
    )
    found = cross_correlogram(here, there, 0.001, 0.02)
    at = np.argmax(found.rate)
    assert found.lag[at] == pytest.approx(0.007) and found.count[at] == steps.size
    assert found.rate[at] == pytest.approx(1000 / (1 - 7 / 2000))
    back = cross_correlogram(there, here, 0.001, 0.02)
    np.testing.assert_array_equal(back.count, found.count[::-1])


def test_jittered_copies_have_a_gaussian_correlogram():
    """Rate of the partner plus p times the density of the difference of two jitters."""
    p, jitter, rate, bin = 0.5, 0.01, 10.0, 0.002
    runs = [cross_correlogram(copies(p, jitter, 8, rate, 40.0, rng), None, bin, 0.06)
            for rng in range(20)]
    lag = runs[0].lag
    for at in (10, 25, 30, 33, 60):
        near([run.rate[at] for run in runs],
             rate + p * norm.pdf(lag[at], scale=np.sqrt(2) * jitter))


def test_chance_is_where_shuffled_spikes_lie():
    """Random times: rates at all lags are at chance, for pairs within and between populations."""
    rng = np.random.default_rng(3)
    a, b = (
        SpikeTrains.from_arrays(rng.uniform(0, 50, 4000), rng.integers(0, 4, 4000) ** 2 // 3, 4, 0, 50)
        for _ in range(2)
    )
    assert np.ptp(firing_rates(a).rate) > 10  # unequal units
    for found in (autocorrelogram(a, 0.01, 0.5), cross_correlogram(a, None, 0.01, 0.5),
                  cross_correlogram(a, b, 0.01, 0.5)):
        # lags k and -k are the same pairs within one population, and lags are otherwise independent
        blocks = (found.rate - found.chance)[51:].reshape(10, 5).mean(axis=1)
        near(blocks, 0.0)


# -- nothing there, bad input ----------------------------------------------------------------------


def test_no_spikes_at_all():
    trains = empty_trains()
    found = count_correlation(trains, 0.1)
    assert np.isnan(found.mean) and found[1:6] == (0, 0, 3, 20, 0)
    assert count_correlation_matrix(trains, 0.1).left_out.tolist() == [0, 1, 2]
    for gram in (autocorrelogram(trains, 0.1, 0.3), cross_correlogram(trains, None, 0.1, 0.3),
                 cross_correlogram(trains, empty_trains(1), 0.1, 0.3),
                 cross_correlogram(regular_trains(0.1, 2, 1.0, n_trials=2), trains, 0.1, 0.3)):
        np.testing.assert_array_equal(gram.rate, np.zeros(7))
        assert gram.chance == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: count_correlation(t, 0.3), ValueError, "`bin` = 0.3 s does not divide"),
        (lambda t: count_correlation(t, 1.0), ValueError, "`bin` must leave at least two bins"),
        (lambda t: count_correlation_matrix(t, 0.1, [2]), ValueError, "`units` must be a slice or"),
        (lambda t: autocorrelogram(t, 0.1, 0.25), ValueError, "`max_lag` must be whole bins of 0.1"),
        (lambda t: autocorrelogram(t, 0.1, 1.0), ValueError, "shorter than the window of 1 s"),
        (lambda t: autocorrelogram(t, 0.1, -0.1), ValueError, "`max_lag` must be"),
        (lambda t: cross_correlogram(t, 3, 0.1, 0.2), TypeError, "`other` must be SpikeTrains"),
        (lambda t: cross_correlogram(t.select(units=[0]), None, 0.1, 0.2), ValueError,
         "`other` is needed"),
        (lambda t: cross_correlogram(t, regular_trains(0.1, 1, 2.0), 0.1, 0.2), ValueError,
         "`other` must have the same t_stop: 2, not 1"),
        (lambda t: cross_correlogram(t, empty_trains(1), 0.1, 0.2), ValueError,
         "`other` must have the same n_trials"),
        (lambda t: count_correlation("E", 0.1), TypeError, "got str"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(regular_trains(0.1, 2, 1.0))


def test_a_matrix_larger_than_memory_is_refused():
    trains = SpikeTrains.from_arrays(np.tile([0.1, 0.7], 5 * 10**5), np.repeat(np.arange(5 * 10**5), 2),
                                     5 * 10**5, 0, 1)
    with pytest.raises(MemoryError, match=r"500000 units.*need \d+\.\d GiB.*count_correlation for"):
        count_correlation_matrix(trains, 0.25)


# -- Elephant --------------------------------------------------------------------------------------


def test_elephant_agrees():
    reason = "the extra `elephant` is not installed"
    conversion = pytest.importorskip("elephant.conversion", reason=reason)
    correlation = pytest.importorskip("elephant.spike_train_correlation", reason=reason)
    from quantities import ms as neo_ms

    trains = copies(0.4, 0.005, 6, 15.0, 10.0, rng=2)
    binned = conversion.BinnedSpikeTrain(trains.to_neo().segments[0].spiketrains, bin_size=20 * neo_ms)
    expected = correlation.correlation_coefficient(binned)
    np.testing.assert_allclose(count_correlation_matrix(trains, 0.02).matrix, expected, atol=1e-12)
    assert count_correlation(trains, 0.02).mean == pytest.approx(
        expected[np.triu_indices(6, 1)].mean())

    one, two = trains.select(units=[0]), trains.select(units=[3])
    pair = [conversion.BinnedSpikeTrain(t.to_neo().segments[0].spiketrains, bin_size=20 * neo_ms)
            for t in (one, two)]
    theirs, lags = correlation.cross_correlation_histogram(*pair, window=[-8, 8])
    found = cross_correlogram(one, two, 0.02, 0.16)
    np.testing.assert_array_equal(found.count, theirs.magnitude[:, 0])
    np.testing.assert_array_equal(np.rint(found.lag / 0.02), lags)
    theirs, _ = correlation.cross_correlation_histogram(pair[0], pair[0], window=[-8, 8])
    found = autocorrelogram(one, 0.02, 0.16).count.copy()
    found[8] += one.n_spikes  # theirs counts a spike with itself
    np.testing.assert_array_equal(found, theirs.magnitude[:, 0])
