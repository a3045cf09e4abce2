"""Synchrony and spectra of processes that are known, and slow twins."""

import numpy as np
import pytest
import xarray as xr
from scipy.signal import periodogram

from neurodyn import ms
from neurodyn.analyses import chi_synchrony, rate_spectrum, synchrony
from neurodyn.spike_trains import SpikeTrains
from tests.spikes import (
    counts_one_by_one,
    empty_trains,
    gamma_trains,
    regular_trains,
    uneven_trains,
)


def near(value, expected, standard_error):
    """Within 4.5 standard errors: 1 of 150,000 such tests fails by chance."""
    assert abs(value - expected) < 4.5 * standard_error, (value, expected, standard_error)


# -- synchrony -------------------------------------------------------------------------------------


def test_identical_trains_are_fully_synchronous():
    one = gamma_trains(1, 20.0, 1, 20.0, rng=0)
    n = 30
    time, unit = np.repeat(one.time, n), np.tile(np.arange(n), one.n_spikes)
    found = synchrony(SpikeTrains.from_arrays(time, unit, n, 0, 20.0), 40 * ms)
    assert found.chi == pytest.approx(1.0, abs=1e-12)
    single = synchrony(one, 0.04)
    assert found.variance_ratio == pytest.approx(n * single.variance_ratio)
    # the Fano factor of a Poisson process, over bins
    near(single.variance_ratio, 1, np.sqrt(2 / (single.n_bins - 1)))
    assert single.chi == pytest.approx(1.0)


@pytest.mark.parametrize("n", [10, 100])
def test_independent_trains(n):
    """chi = 1/sqrt(n), variance ratio 1."""
    found = synchrony(gamma_trains(1, 10.0, n, 60.0, rng=n), 0.01)
    # a sample variance has the relative variance 2/(m - 1), plus kurtosis/m, 1/mean for Poisson;
    # what it is divided by, the mean variance of n units, has one of (2 + 1/0.1)/(n m)
    m, mean = found.n_bins, 0.1 * n
    near(found.variance_ratio, 1, np.sqrt(2 / (m - 1) + 1 / mean / m + 1 / mean / m))
    near(found.chi * np.sqrt(n), 1, 0.5 * np.sqrt(2 / (m - 1) + 1 / mean / m + 12 / n / m))


def test_silent_units_do_not_change_synchrony():
    clock = regular_trains(0.1, 4, 1.0, dt=0.01)
    more = SpikeTrains.from_arrays(clock.time, clock.unit + 2, 9, 0, 1.0, dt=0.01)
    found, expected = synchrony(more, 0.02), synchrony(clock, 0.02)
    assert found.chi == pytest.approx(expected.chi) == pytest.approx(1.0)
    assert found.variance_ratio == pytest.approx(expected.variance_ratio)
    assert (found.n_units, found.n_silent) == (4, 5)


@pytest.mark.parametrize("bin", [0.25, 0.05])
def test_a_slow_twin_agrees_on_synchrony(bin):
    trains = uneven_trains()
    counts = counts_one_by_one(trains, bin)
    counts = counts[counts.sum(axis=(1, 2)) > 0].astype(float)
    found = synchrony(trains, bin)
    population = counts.mean(axis=0).var(axis=1, ddof=1).mean()
    assert found.chi == pytest.approx(np.sqrt(population / counts.var(axis=2, ddof=1).mean()))
    total = counts.sum(axis=0)
    assert found.variance_ratio == pytest.approx(total.var(axis=1, ddof=1).mean() / total.mean())
    assert (found.n_bins, found.n_silent) == (round(3 / bin), 7 - counts.shape[0])
    # and so does the same measure for any activity
    activity = np.moveaxis(counts, 0, -1)
    assert chi_synchrony(activity) == pytest.approx(found.chi)


def test_chi_of_voltages():
    rng = np.random.default_rng(0)
    common, own = rng.standard_normal((2, 500, 1)), rng.standard_normal((2, 500, 40))
    assert chi_synchrony(np.repeat(common, 5, axis=2)) == pytest.approx(1.0)
    n_samples = 2 * 500
    near(chi_synchrony(own) * np.sqrt(40), 1, 0.5 * np.sqrt(2 / n_samples * (1 + 1 / 40)))
    # chi**2 = (1 + 1/n)/(1 + 1) for a common part as large as each unit's own
    found = chi_synchrony(common + own)
    near(found**2, (1 + 1 / 40) / 2, np.sqrt(2 / n_samples) * 0.5)
    named = xr.DataArray(common + own, dims=["trial", "time", "E.unit"])
    assert chi_synchrony(named.transpose("E.unit", "time", "trial")) == pytest.approx(found)
    assert chi_synchrony(named[0]) == pytest.approx(chi_synchrony(named.values[0]))
    assert np.isnan(chi_synchrony(np.ones((5, 2))))


# -- spectrum --------------------------------------------------------------------------------------

#: Variance of a Welch estimate, relative to one segment's, times the number of segments: Hann
#: windows that overlap by half have 1/6 of their product in common (Welch 1967).
OVERLAP = 1 + 2 / 36
#: Variance of a mean over m neighbouring frequencies, times m: of Hann windows' periodograms
#: neighbours correlate by (2/3)**2, next ones by (1/6)**2.
NEIGHBOURS = 1 + 2 * (4 / 9 + 1 / 36)


def test_poisson_units_have_a_flat_spectrum_at_shot_noise():
    n, rate = 20, 15.0
    found = rate_spectrum(gamma_trains(1, rate, n, 100.0, rng=0), 0.005, segment=1.0)
    assert found.n_segments == 199 and found.frequency[1] == pytest.approx(1.0)
    assert found.frequency[-1] == pytest.approx(100.0)
    assert found.shot_noise == pytest.approx(2 * found.rate / n)
    near(found.rate, rate, np.sqrt(rate / n / 100.0))
    relative = found.power[2:-1] / found.shot_noise  # the mean of each segment was taken away
    error = np.sqrt(OVERLAP / found.n_segments)
    near(relative.mean(), 1, error * np.sqrt(NEIGHBOURS / relative.size))
    for part in np.array_split(relative, 6):
        near(part.mean(), 1, error * np.sqrt(NEIGHBOURS / part.size))
    # its spread is that of such estimates, too: the spectrum is flat
    near(relative.std(ddof=1) / error, 1, 1.5 / np.sqrt(2 * relative.size / NEIGHBOURS))


def test_gamma_processes_have_the_spectrum_of_renewal_processes():
    """S = r Re((1 + c)/(1 - c)), c the characteristic function of the intervals; r CV**2 at 0.

    Counting in bins multiplies what exceeds white noise by sinc(f bin)**2.
    """
    order, rate, n, bin = 10, 20.0, 40, 0.002
    found = rate_spectrum(gamma_trains(order, rate, n, 200.0, rng=1), bin, segment=1.0)
    f = found.frequency[2:100]
    c = (1 - 2j * np.pi * f / (order * rate)) ** -order
    shape = ((1 + c) / (1 - c)).real
    expected = 2 * rate / n * (1 + (shape - 1) * np.sinc(f * bin) ** 2)
    assert expected[0] / (2 * rate / n) == pytest.approx(1 / order, abs=0.05)
    assert shape.max() > 1.2  # the process's own rate
    error = np.sqrt(OVERLAP / found.n_segments)
    for part in np.array_split(found.power[2:100] / expected, 12):
        near(part.mean(), 1, error * np.sqrt(NEIGHBOURS / part.size))


def test_a_modulated_rate_has_a_line_of_its_power():
    """r (1 + m cos) has the power (r m)**2/2 at the frequency."""
    n, rate, m, bin, frequency, duration = 50, 20.0, 0.5, 0.002, 30.0, 50.0
    rng = np.random.default_rng(4)
    middle = bin * (np.arange(round(duration / bin)) + 0.5)
    attenuation = np.sinc(frequency * bin)  # the mean of a cosine over a bin
    mean = rate * (1 + m * attenuation * np.cos(2 * np.pi * frequency * middle))
    counts = rng.poisson(mean * n * bin)
    time = np.repeat(middle, counts)
    trains = SpikeTrains.from_arrays(time, rng.integers(0, n, time.size), n, 0, duration)
    found = rate_spectrum(trains, bin, segment=1.0)
    at = 30
    line = found.power[at - 2:at + 3].sum() - 5 * found.shot_noise
    amplitude = rate * m * attenuation
    # amplitude**2/2 with an error of the amplitude of sqrt(2 r/(n T)), and of the noise beneath
    error = np.hypot(amplitude * np.sqrt(2 * rate / n / duration),
                     found.shot_noise * np.sqrt(5 * OVERLAP * NEIGHBOURS / found.n_segments))
    near(line, amplitude**2 / 2, error)


def test_power_integrates_to_the_variance_of_the_rate():
    """With one segment it is Parseval's theorem; SciPy's own periodogram is the twin."""
    trains = uneven_trains()
    found = rate_spectrum(trains, 0.05, segment=3.0)
    rate = counts_one_by_one(trains, 0.05).sum(axis=0) / 7 / 0.05
    f, power = periodogram(rate, fs=20.0, window="hann", detrend="constant")
    np.testing.assert_allclose(found.frequency, f)
    np.testing.assert_allclose(found.power, power.mean(axis=0))
    assert found.n_segments == 3 and found.bin == pytest.approx(0.05)
    window = np.hanning(61)[:60]
    weighted = ((rate - rate.mean(axis=1, keepdims=True)) * window) ** 2
    variance = (weighted.sum(axis=1) / np.sum(window**2)).mean()
    assert np.sum(found.power) / 3.0 == pytest.approx(variance)


def test_segments_are_counted():
    trains = regular_trains(0.1, 2, 1.6, n_trials=3)
    found = rate_spectrum(trains, 0.01)
    assert found.segment == pytest.approx(0.2) and found.n_segments == 3 * 15
    assert found.frequency.size == found.power.size == 11


def test_no_spikes_at_all():
    found = synchrony(empty_trains(), 0.1)
    assert np.isnan(found.chi) and np.isnan(found.variance_ratio)
    assert found[2:6] == (0, 3, 0, 10)
    spectrum = rate_spectrum(empty_trains(), 0.1, segment=0.4)
    np.testing.assert_array_equal(spectrum.power, np.zeros(3))
    assert (spectrum.shot_noise, spectrum.rate, spectrum.n_spikes) == (0, 0, 0)
    constant = synchrony(regular_trains(0.1, 3, 1.0), 0.1)  # a spike of each in every bin
    assert np.isnan(constant.chi) and constant.variance_ratio == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: synchrony(t, 0.3), ValueError, "`bin` = 0.3 s does not divide"),
        (lambda t: synchrony(t, 1.0), ValueError, "`bin` must leave at least two bins in 1 s"),
        (lambda t: synchrony(None, 0.1), TypeError, "got NoneType"),
        (lambda t: rate_spectrum(t, 0.1, 0.25), ValueError, "`segment` must be whole bins of 0.1"),
        (lambda t: rate_spectrum(t, 0.1, 2.0), ValueError, "from 2 to 10 bins .* it has 20 bins"),
        (lambda t: rate_spectrum(t, 0.1, 0.1), ValueError, "it has 1 bins"),
        (lambda t: chi_synchrony([1.0, 2.0]), ValueError, r"got shape \(2,\)"),
        (lambda t: chi_synchrony([[np.nan, 1.0], [1, 2]]), ValueError, "`activity` must be finite"),
        (lambda t: chi_synchrony(xr.DataArray([0.0, 1], dims=["E.unit"])), ValueError,
         "must have a dimension `time`"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(regular_trains(0.1, 2, 1.0))
