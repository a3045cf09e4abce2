"""How fast and how regularly units spike: rates, inter-spike intervals, CV, CV2, LV, Fano factor.

All take `SpikeTrains` (``analyses.spike_trains(ds, "E")``) and count intervals and spikes of all
units at once by sorting; none loops over units, and 1e7 spikes of 1e5 units take about a second.
Variances are sample variances, divided by n - 1.

Elephant (Denker et al. 2018) computes the same from one train at a time. It is not called here: an
object and a call for each of 1e5 units take a minute (0.15 and 0.4 ms each), and what is computed
would depend on what is installed. Where Elephant is, the tests compare the statistics with it, and
`SpikeTrains.to_neo` hands trains over for all that it has besides. It divides variances by n.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from neurodyn.spike_trains import SpikeTrains, seconds


class FiringRates(NamedTuple):
    """Firing rates of single units.

    Attributes
    ----------
    rate : array, (unit,), Hz
        Spikes per time, all trials together. 0 for a silent unit.
    unit : int array, (unit,)
        Numbers of the units in their population.
    trial_rate : array, (trial,), Hz
        Mean over units in each trial.
    mean, sd : float, Hz
        Over units; `sd` is NaN for a single unit.
    n_spikes, n_silent : int
        Spikes in all; units without any.
    t_start, t_stop : float, s
    """

    rate: np.ndarray
    unit: np.ndarray
    trial_rate: np.ndarray
    mean: float
    sd: float
    n_spikes: int
    n_silent: int
    t_start: float
    t_stop: float


def firing_rates(trains: SpikeTrains) -> FiringRates:
    """Firing rate of each unit: its spikes, divided by the length of the window and the trials.

    Parameters
    ----------
    trains : SpikeTrains

    Returns
    -------
    FiringRates

    Examples
    --------
    >>> trains = SpikeTrains.from_arrays([0.1, 0.2, 0.7], [0, 1, 0], n_units=3, t_start=0, t_stop=2)
    >>> firing_rates(trains).rate
    array([1. , 0.5, 0. ])
    """
    check_trains(trains)
    counts = np.bincount(trains.unit, minlength=trains.n_units)
    rate = counts / (trains.duration * trains.n_trials)
    per_trial = np.bincount(trains.trial, minlength=trains.n_trials)
    return FiringRates(
        rate, trains.unit_index, per_trial / (trains.duration * trains.n_units), *mean_sd(rate),
        trains.n_spikes, int(np.sum(counts == 0)), trains.t_start, trains.t_stop,
    )


class PopulationRate(NamedTuple):
    """Rate of a population in time.

    Attributes
    ----------
    time : array, (bin,), s
        Middles of the bins.
    rate : array, (trial, bin), Hz
        Spikes per unit and time.
    bin : float, s
    kernel : str or None
    width : float, s
        Of the kernel; 0 without one.
    n_units, n_spikes : int
    """

    time: np.ndarray
    rate: np.ndarray
    bin: float
    kernel: str | None
    width: float
    n_units: int
    n_spikes: int


def population_rate(
    trains: SpikeTrains,
    bin: float,
    kernel: Literal["gaussian", "exponential"] | None = None,
    width: float | None = None,
) -> PopulationRate:
    """Population rate in bins, smoothed by a kernel if one is given.

    Parameters
    ----------
    trains : SpikeTrains
    bin : float or quantity, s
        A multiple of the time step that divides the window.
    kernel : {"gaussian", "exponential"}, optional
        ``exp(-t**2/(2 width**2))``, or ``exp(-t/width)`` for t >= 0, which looks only back.
        Default none.
    width : float or quantity, s
        Of the kernel; at least a bin.

    Returns
    -------
    PopulationRate

    Notes
    -----
    A kernel is cut off where the window ends and its rest made to integrate to 1, so that a steady
    rate is steady up to the edges (Nawrot et al. 1999 discuss kernels and widths).
    """
    check_trains(trains)
    n, step = trains.bins(bin)
    counts = trains.population_counts(bin)
    rate = counts / (step * trains.n_units)
    if kernel is None:
        if width is not None:
            raise ValueError(f"`width` = {width!r} needs a `kernel`, such as 'gaussian'")
        breadth = 0.0
    else:
        rate, breadth = _smoothed(rate, step, kernel, width)
    time = trains.t_start + step * (np.arange(n) + 0.5)
    return PopulationRate(time, rate, step, kernel, breadth, trains.n_units, trains.n_spikes)


def _smoothed(rate: np.ndarray, step: float, kernel: str, width: Any) -> tuple[np.ndarray, float]:
    from scipy.signal import fftconvolve

    if kernel not in ("gaussian", "exponential"):
        raise ValueError(f"`kernel` must be 'gaussian' or 'exponential'; got {kernel!r}")
    if width is None:
        raise ValueError(f"`kernel` = {kernel!r} needs a `width`, such as width=10*nd.ms")
    width = seconds(width, "width")
    if width < step * (1 - 1e-9):
        raise ValueError(f"`width` must be at least a bin, {step:g} s; got {width:g} s")
    n = rate.shape[-1]
    reach = min(n - 1, int(np.ceil((6 if kernel == "gaussian" else 30) * width / step)))
    lag = step * np.arange(-reach, reach + 1)
    shape = np.exp(-0.5 * (lag / width) ** 2) if kernel == "gaussian" else np.where(
        lag >= 0, np.exp(-np.abs(lag) / width), 0.0)
    inside = fftconvolve(np.ones(n), shape, mode="same")
    smooth = fftconvolve(rate, shape[None], mode="same", axes=-1) / inside
    return np.maximum(smooth, 0.0), width  # a Fourier transform leaves -1e-16 where nothing is


class Intervals(NamedTuple):
    """Inter-spike intervals.

    Attributes
    ----------
    interval : array, (interval,), s
        Unit after unit, in each trial after trial, in the order of time.
    unit, trial : int array, (interval,)
        Whose they are: the unit's number in its population.
    n_units : int
        Units with at least one interval.
    n_left_out : int
        Units with none: fewer than two spikes in every trial.
    """

    interval: np.ndarray
    unit: np.ndarray
    trial: np.ndarray
    n_units: int
    n_left_out: int


def interspike_intervals(trains: SpikeTrains) -> Intervals:
    """Times between successive spikes of the same unit in the same trial.

    Parameters
    ----------
    trains : SpikeTrains

    Returns
    -------
    Intervals
    """
    check_trains(trains)
    difference, valid = _differences(trains)
    unit, trial = np.divmod(_group_of_difference(trains)[valid], trains.n_trials)
    n_units = int(np.sum(np.bincount(unit, minlength=1) > 0))
    return Intervals(difference[valid], trains.unit_index[unit], trial, n_units,
                     trains.n_units - n_units)


class IntervalStatistic(NamedTuple):
    """A statistic of the inter-spike intervals of each unit.

    Attributes
    ----------
    value : array, (unit,)
        For the units that had enough intervals, in their order; empty if none had.
    unit : int array, (unit,)
        Numbers of these units in their population.
    mean, sd : float
        Of `value`. The mean is NaN if it is empty, the SD if it has fewer than two entries.
    n_units, n_left_out : int
        Units that had enough intervals, and those that had not.
    n_intervals : int
        Of the units that had enough.
    min_intervals : int
        What was enough.
    t_start, t_stop : float, s
    """

    value: np.ndarray
    unit: np.ndarray
    mean: float
    sd: float
    n_units: int
    n_left_out: int
    n_intervals: int
    min_intervals: int
    t_start: float
    t_stop: float


def interval_cv(trains: SpikeTrains, min_intervals: int = 10) -> IntervalStatistic:
    """Coefficient of variation of the inter-spike intervals of each unit, ``sd(I)/mean(I)``.

    0 for a clock, 1 for a Poisson process, ``1/sqrt(k)`` for a gamma process of order k. Changes of
    rate within the window raise it; `interval_cv2` and `interval_lv` do not mind slow ones.

    Parameters
    ----------
    trains : SpikeTrains
    min_intervals : int
        Units with fewer, all trials together, are left out; at least 2. Default 10: the CV of n
        intervals is biased towards 0 and cannot exceed ``sqrt(n)``.

    Returns
    -------
    IntervalStatistic

    Notes
    -----
    Intervals of all trials are pooled. Long intervals do not fit into short windows: windows should
    hold several mean intervals (Nawrot et al. 2008).
    """
    _check_least(trains, min_intervals)
    difference, valid = _differences(trains)
    unit = _group_of_difference(trains)[valid] // trains.n_trials
    interval, n = difference[valid], np.bincount(unit, minlength=trains.n_units)
    mean = _per_unit(unit, interval, trains) / np.maximum(n, 1)
    square = _per_unit(unit, (interval - mean[unit]) ** 2, trains)
    enough = n >= min_intervals
    with np.errstate(invalid="ignore"):  # spikes at the same time: intervals of 0 are a clock's
        cv = np.sqrt(square[enough] / (n[enough] - 1)) / mean[enough]
    return _statistic(trains, np.where(mean[enough] > 0, cv, 0.0), enough, n, min_intervals)


def interval_cv2(trains: SpikeTrains, min_intervals: int = 10) -> IntervalStatistic:
    """CV2 of each unit: how much successive inter-spike intervals differ.

    Mean over i of ``2 |I[i+1] - I[i]| / (I[i+1] + I[i])`` (Holt et al. 1996). 0 for a
    clock, 1 for a Poisson process, ``4 / (k 4**k B(k, k))`` for a gamma process of order k. It
    compares neighbours only, so that slow changes of the rate do not enter.

    Parameters
    ----------
    trains : SpikeTrains
    min_intervals : int
        Units with fewer, all trials together, are left out; at least 2. Default 10.

    Returns
    -------
    IntervalStatistic
        Pairs of intervals lie within one trial.
    """
    return _of_pairs(trains, min_intervals, lambda contrast: 2 * np.abs(contrast))


def interval_lv(trains: SpikeTrains, min_intervals: int = 10) -> IntervalStatistic:
    """Local variation LV of each unit.

    Mean over i of ``3 ((I[i+1] - I[i]) / (I[i+1] + I[i]))**2`` (Shinomoto et al. 2003).
    0 for a clock, 1 for a Poisson process, ``3/(2k + 1)`` for a gamma process of order k.

    Parameters
    ----------
    trains : SpikeTrains
    min_intervals : int
        Units with fewer, all trials together, are left out; at least 2. Default 10.

    Returns
    -------
    IntervalStatistic
        Pairs of intervals lie within one trial.
    """
    return _of_pairs(trains, min_intervals, lambda contrast: 3 * contrast**2)


class FanoFactors(NamedTuple):
    """Variance of the spike count of each unit, divided by its mean.

    Attributes
    ----------
    value : array, (unit,)
        For the units that spiked, in their order; empty if none did.
    unit : int array, (unit,)
        Numbers of these units in their population.
    mean, sd : float
        Of `value`. The mean is NaN if it is empty, the SD if it has fewer than two entries.
    n_units, n_silent : int
        Units that spiked, and those that did not.
    n_counts : int
        Counts of each unit: windows times trials.
    n_spikes : int
    window : float, s
        In which spikes were counted.
    """

    value: np.ndarray
    unit: np.ndarray
    mean: float
    sd: float
    n_units: int
    n_silent: int
    n_counts: int
    n_spikes: int
    window: float


def fano_factors(trains: SpikeTrains, window: float | None = None) -> FanoFactors:
    """Fano factor of each unit, over trials or over windows within them.

    ``var(count)/mean(count)``: 0 for a clock, 1 for a Poisson process; for a renewal process it
    tends to CV**2 as the window grows. Its standard error is ``sqrt(2/(n - 1))`` for n counts of a
    Poisson process (Eden and Kramer 2010).

    Parameters
    ----------
    trains : SpikeTrains
    window : float or quantity, s, optional
        Counts in windows of this length, of all trials together; a multiple of the time step that
        divides the whole. Default the whole: one count a trial.

    Returns
    -------
    FanoFactors

    Raises
    ------
    ValueError
        If there is one count only, which has no variance.
    """
    check_trains(trains)
    length = trains.duration if window is None else window
    n_windows, width = trains.bins(length, "window")
    n = n_windows * trains.n_trials
    if n < 2:
        raise ValueError(
            "one count has no variance: `trains` has one trial, give a `window` shorter than "
            f"{trains.duration:g} s"
        )
    total, square = count_moments(trains, length)
    spiked = total > 0
    value = (n * square - total**2)[spiked] / ((n - 1) * total[spiked])
    return FanoFactors(value, trains.unit_index[spiked], *mean_sd(value), int(spiked.sum()),
                       int((~spiked).sum()), n, trains.n_spikes, width)


def count_moments(trains: SpikeTrains, bin: Any) -> tuple[np.ndarray, np.ndarray]:
    """Sum and sum of squares of each unit's spike counts over bins and trials, (unit,), exact.

    Bins without a spike add nothing to either, so that the matrix of counts, (unit, bin), is never
    made.
    """
    n, _ = trains.bins(bin)
    grouped = trains.grouped
    total = np.add.reduceat(grouped.counts, np.arange(0, grouped.counts.size, trains.n_trials))
    if trains.n_spikes == 0:
        return total, np.zeros_like(total)
    numbers = trains.bin_numbers(bin, grouped.time)
    numbers += grouped.spread(np.arange(grouped.counts.size) * n)  # of unit, trial and bin
    first = np.flatnonzero(np.diff(numbers, prepend=-1))
    count = np.diff(first, append=numbers.size)
    unit = numbers[first] // (n * trains.n_trials)
    # bincount sums in float64, exactly: squares of counts stay far below 2**53
    square = np.bincount(unit, weights=count.astype(float) ** 2, minlength=trains.n_units)
    return total.astype(np.int64), square.astype(np.int64)


def mean_sd(values: np.ndarray) -> tuple[float, float]:
    """Mean and sample standard deviation; NaN where there are too few values."""
    return (
        float(np.mean(values)) if values.size else float("nan"),
        float(np.std(values, ddof=1)) if values.size > 1 else float("nan"),
    )


def check_trains(trains: Any, name: str = "trains") -> None:
    if not isinstance(trains, SpikeTrains):
        raise TypeError(
            f"`{name}` must be SpikeTrains, such as analyses.spike_trains(ds, 'E'); "
            f"got {type(trains).__name__}"
        )


def _check_least(trains: SpikeTrains, min_intervals: int) -> None:
    check_trains(trains)
    if not isinstance(min_intervals, int | np.integer) or min_intervals < 2:
        raise ValueError(f"`min_intervals` must be an integer of at least 2; got {min_intervals!r}")


def _differences(trains: SpikeTrains) -> tuple[np.ndarray, np.ndarray]:
    """Differences of successive times in the order of `grouped`; which are within one group."""
    time, first = trains.grouped
    inner = first[(first > 0) & (first < time.size)]
    valid = np.ones(max(time.size - 1, 0), dtype=bool)
    valid[inner - 1] = False
    return np.diff(time), valid


def _group_of_difference(trains: SpikeTrains) -> np.ndarray:
    """Group of the spike that begins each difference."""
    grouped = trains.grouped
    return grouped.spread(np.arange(grouped.counts.size))[:-1]


def _per_unit(unit: np.ndarray, values: np.ndarray, trains: SpikeTrains) -> np.ndarray:
    return np.bincount(unit, weights=values, minlength=trains.n_units)


def _of_pairs(trains: SpikeTrains, min_intervals: int, function: Any) -> IntervalStatistic:
    """Mean of a function of ``(I' - I)/(I' + I)`` over the pairs of neighbouring intervals."""
    _check_least(trains, min_intervals)
    interval, valid = _differences(trains)
    unit = _group_of_difference(trains) // trains.n_trials
    n = np.bincount(unit[valid], minlength=trains.n_units)
    pair = valid[:-1] & valid[1:]
    before, after, unit = interval[:-1][pair], interval[1:][pair], unit[:-1][pair]
    total = before + after
    # three spikes at the same time: both intervals are 0, and equal
    contrast = np.divide(after - before, total, out=np.zeros_like(total), where=total > 0)
    n_pairs = np.bincount(unit, minlength=trains.n_units)
    enough = (n >= min_intervals) & (n_pairs > 0)
    value = _per_unit(unit, function(contrast), trains)[enough] / n_pairs[enough]
    return _statistic(trains, value, enough, n, min_intervals)


def _statistic(trains, value, enough, n, min_intervals) -> IntervalStatistic:
    return IntervalStatistic(
        value, trains.unit_index[enough], *mean_sd(value), int(enough.sum()),
        int((~enough).sum()), int(n[enough].sum()), int(min_intervals), trains.t_start,
        trains.t_stop,
    )
