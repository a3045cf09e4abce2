"""How spikes go together in pairs: spike-count correlations, auto- and cross-correlograms.

All take `SpikeTrains` and a bin. What needs all pairs of units is reduced to sums over spikes (the
mean correlation of 5e9 pairs is the variance of one sum), so that 1e7 spikes of 1e5 units take
about a second. Variances are sample variances, divided by n - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurodyn.analyses.spikes.statistics import check_trains, count_moments
from neurodyn.spike_trains import SpikeTrains, seconds


class CountCorrelation(NamedTuple):
    """Mean spike-count correlation of pairs of units.

    Attributes
    ----------
    mean : float
        Mean of Pearson's coefficient over all pairs; NaN if fewer than two units can be correlated.
    n_pairs : int
    n_units, n_left_out : int
        Units whose count changes from bin to bin; and those, silent ones mostly, whose count does
        not and which have no correlation with anything.
    n_samples : int
        Bins times trials.
    n_spikes : int
    bin : float, s
    """

    mean: float
    n_pairs: int
    n_units: int
    n_left_out: int
    n_samples: int
    n_spikes: int
    bin: float


def count_correlation(trains: SpikeTrains, bin: float) -> CountCorrelation:
    """Mean over all pairs of units of the correlation of their spike counts.

    Parameters
    ----------
    trains : SpikeTrains
    bin : float or quantity, s
        In which spikes are counted; a multiple of the time step that divides the window. Bins of
        all trials are samples alike, so that a stimulus that comes in every trial counts as
        correlation.

    Returns
    -------
    CountCorrelation

    Notes
    -----
    With the counts of each unit scaled to mean 0 and variance 1, ``z_i``, the n units have
    ``var(sum_i z_i) = n + n (n - 1) * mean correlation``: exact, without a matrix. For independent
    units the standard error of the mean is ``sqrt(2/(n (n - 1)))/sqrt(n_samples - 1)``.
    """
    check_trains(trains)
    n_bins, width = trains.bins(bin)
    n_samples = _several_samples(trains, n_bins)
    variance = _count_variance(trains, bin, n_samples)
    varies = variance > 0
    n = int(varies.sum())
    mean, n_pairs = float("nan"), n * (n - 1) // 2
    if n > 1:
        weight = np.zeros(trains.n_units)
        weight[varies] = variance[varies] ** -0.5
        sample = trains.bin_numbers(bin) + trains.trial.astype(np.int64) * n_bins
        total = np.bincount(sample, weights=weight[trains.unit], minlength=n_samples)
        mean = float((np.var(total, ddof=1) / n - 1) / (n - 1))
    return CountCorrelation(mean, n_pairs, n, trains.n_units - n, n_samples, trains.n_spikes, width)


class CountCorrelationMatrix(NamedTuple):
    """Spike-count correlation of each pair of some units.

    Attributes
    ----------
    matrix : array, (unit, unit)
        Pearson's coefficients, 1 on the diagonal; no NaN.
    unit : int array, (unit,)
        Numbers in the population of the units of its rows.
    left_out : int array
        Numbers of the chosen units that have none: their count is the same in every bin.
    n_samples : int
        Bins times trials.
    bin : float, s
    """

    matrix: np.ndarray
    unit: np.ndarray
    left_out: np.ndarray
    n_samples: int
    bin: float


def count_correlation_matrix(
    trains: SpikeTrains, bin: float, units: slice | Sequence[int] | None = None
) -> CountCorrelationMatrix:
    """Correlations of the spike counts of chosen units.

    Parameters
    ----------
    trains : SpikeTrains
    bin : float or quantity, s
        As for `count_correlation`.
    units : slice or sequence of int, optional
        From 0 to ``trains.n_units - 1``. Default all.

    Returns
    -------
    CountCorrelationMatrix

    Raises
    ------
    MemoryError
        If counts and matrix do not fit into the memory that is free, with the estimate.
    """
    check_trains(trains)
    chosen = trains.select(units=units)
    n_bins, width = chosen.bins(bin)
    n_samples = _several_samples(chosen, n_bins)
    varies = _count_variance(chosen, bin, n_samples) > 0
    active = chosen.select(units=np.flatnonzero(varies)) if varies.any() else None
    matrix, unit = np.zeros((0, 0)), chosen.unit_index[:0]
    if active is not None:
        counts = _count_matrix(active, bin)
        counts -= counts.mean(axis=1, keepdims=True)
        counts /= np.linalg.norm(counts, axis=1, keepdims=True)
        matrix, unit = counts @ counts.T, active.unit_index
        np.fill_diagonal(matrix, 1.0)
    left_out = chosen.unit_index[~varies]
    return CountCorrelationMatrix(matrix, unit, left_out, n_samples, width)


class Correlogram(NamedTuple):
    """How often spikes follow spikes, by the time between them.

    Attributes
    ----------
    lag : array, (lag,), s
        From ``-max_lag`` to ``max_lag`` in steps of a bin.
    rate : array, (lag,), Hz
        Rate of a unit at this lag from a spike; all 0 if there is no spike to start from.
    count : int array, (lag,)
        Pairs of spikes found.
    chance : float, Hz
        What `rate` would be if times did not matter.
    n_spikes : int
        Spikes at lag 0 from which lags are counted.
    n_units : int
        Units whose spikes are counted at the lags.
    bin : float, s
    """

    lag: np.ndarray
    rate: np.ndarray
    count: np.ndarray
    chance: float
    n_spikes: int
    n_units: int
    bin: float


def autocorrelogram(trains: SpikeTrains, bin: float, max_lag: float) -> Correlogram:
    """Rate at which a unit spikes at a lag from a spike of its own, over all units.

    Parameters
    ----------
    trains : SpikeTrains
    bin : float or quantity, s
        A multiple of the time step that divides the window.
    max_lag : float or quantity, s
        Whole bins, shorter than the window.

    Returns
    -------
    Correlogram
        Without the spike itself at lag 0. For a Poisson process flat at its rate; for a regular one
        peaks at the multiples of its interval.

    Notes
    -----
    Lags are differences of bin numbers, as in the cross-correlation histogram of binned trains
    (Perkel et al. 1967). Pairs that lie ``k`` bins apart can begin in ``n - |k|`` of n bins; the
    rate is corrected for that.
    """
    check_trains(trains)
    n_bins, width = trains.bins(bin)
    n_lags = _lag_count(max_lag, width, n_bins)
    later = _own_pairs(trains, bin, n_lags)
    later[0] *= 2  # each pair within a bin is seen from both of its spikes
    count = np.concatenate([later[:0:-1], later])
    per_group = trains.grouped.counts.astype(float)
    expected = np.sum(per_group * (per_group - 1)) / trains.duration
    return _correlogram(count, expected, trains.n_spikes, 1, trains.n_units, n_bins, width)


def cross_correlogram(
    trains: SpikeTrains, other: SpikeTrains | None, bin: float, max_lag: float
) -> Correlogram:
    """Rate at which a unit of `other` spikes at a lag from a spike of `trains`, over all pairs.

    Parameters
    ----------
    trains : SpikeTrains
        Where lags start.
    other : SpikeTrains or None
        Spikes that are counted at the lags; positive lags are those after. The same window and
        trials. None, or `trains` again: pairs of different units of `trains`. For single units
        select them: ``spike_trains(ds, "E", units=[3])``.
    bin : float or quantity, s
        A multiple of the time step that divides the window.
    max_lag : float or quantity, s
        Whole bins, shorter than the window.

    Returns
    -------
    Correlogram
        Flat at `chance`, the rate of a unit of `other`, if the two know nothing of each other.

    Notes
    -----
    Lags are differences of bin numbers (Perkel et al. 1967), found for all pairs of units at once
    by Fourier transforms of the populations' counts, exact integers; a population's pairs of
    spikes of one unit are subtracted. Corrected for the window's ends as in `autocorrelogram`.
    """
    check_trains(trains)
    within = other is None or _same(trains, other)
    if within and trains.n_units < 2:
        raise ValueError("`other` is needed: `trains` has one unit and no pair of different ones")
    other = trains if within else other
    _check_same_window(trains, other)
    n_bins, width = trains.bins(bin)
    n_lags = _lag_count(max_lag, width, n_bins)
    a, b = trains.population_counts(bin), other.population_counts(bin)
    count = _lagged_products(a, b, n_lags)
    expected = np.sum(a.sum(axis=1) * b.sum(axis=1).astype(float)) / trains.duration
    if within:
        own = _own_pairs(trains, bin, n_lags)
        own[0] = 2 * own[0] + trains.n_spikes  # every spike is also at lag 0 from itself
        count -= np.concatenate([own[:0:-1], own])
        expected -= np.sum(trains.grouped.counts.astype(float) ** 2) / trains.duration
    partners = other.n_units - int(within)
    return _correlogram(count, expected, trains.n_spikes, partners, other.n_units, n_bins, width)


def _correlogram(count, expected, n_spikes, partners, n_units, n_bins, width) -> Correlogram:
    """Counts of pairs, and how many a second are expected by chance, as rates."""
    k = np.arange(count.size) - count.size // 2
    scale = 1 / (max(n_spikes, 1) * partners)
    rate = count / (1 - np.abs(k) / n_bins) / width * scale
    return Correlogram(k * width, rate, count, float(expected * scale), n_spikes, n_units, width)


def _own_pairs(trains: SpikeTrains, bin: float, n_lags: int) -> np.ndarray:
    """Pairs of spikes of one unit and trial by how many bins they lie apart, (n_lags + 1,)."""
    n_bins, _ = trains.bins(bin)
    grouped = trains.grouped
    # one number line on which groups lie further apart than any lag
    place = trains.bin_numbers(bin, grouped.time)
    place += grouped.spread(np.arange(grouped.counts.size) * (n_bins + n_lags))
    count = np.zeros(n_lags + 1, dtype=np.int64)
    start, neighbour = np.arange(place.size), 1
    while start.size:  # each spike with its next, then those still near with their second next, ...
        start = start[: np.searchsorted(start, place.size - neighbour)]
        lag = place[start + neighbour] - place[start]
        near = lag <= n_lags
        count += np.bincount(lag[near], minlength=n_lags + 1)
        start, neighbour = start[near], neighbour + 1
    return count


def _lagged_products(a: np.ndarray, b: np.ndarray, n_lags: int) -> np.ndarray:
    """Sum over trials and bins t of ``a[t] b[t + k]`` for k = -n_lags..n_lags, exact integers."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(a.shape[1] + n_lags, real=True)
    product = np.sum(np.conj(rfft(a, size)) * rfft(b, size), axis=0)
    found = np.rint(irfft(product, size)).astype(np.int64)
    return np.concatenate([found[size - n_lags:], found[: n_lags + 1]])


def _several_samples(trains: SpikeTrains, n_bins: int) -> int:
    if n_bins * trains.n_trials < 2:
        raise ValueError(
            f"`bin` must leave at least two bins in {trains.duration:g} s: "
            "one count has no variance"
        )
    return n_bins * trains.n_trials


def _count_variance(trains: SpikeTrains, bin: float, n: int) -> np.ndarray:
    total, square = count_moments(trains, bin)
    return (n * square - total**2) / (n * (n - 1))


def _count_matrix(trains: SpikeTrains, bin: float) -> np.ndarray:
    """Spike counts, (unit, sample), as floats."""
    import psutil

    n_bins, _ = trains.bins(bin)
    shape = (trains.n_units, trains.n_trials * n_bins)
    needed, free = 8.0 * shape[0] * (3 * shape[1] + shape[0]), psutil.virtual_memory().available
    if needed > 0.9 * free:
        raise MemoryError(
            f"counts of {shape[0]} units in {shape[1]} bins and their correlations need "
            f"{needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free. Choose fewer `units`, "
            "a longer `bin`, or count_correlation for the mean over all pairs."
        )
    sample = trains.bin_numbers(bin) + trains.trial.astype(np.int64) * n_bins
    place = trains.unit.astype(np.int64) * shape[1] + sample
    return np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape).astype(float)


def _lag_count(max_lag: float, width: float, n_bins: int) -> int:
    value = seconds(max_lag, "max_lag")
    n = round(value / width)
    if abs(n * width - value) > 1e-6 * width or not 0 <= n < n_bins:
        raise ValueError(
            f"`max_lag` must be whole bins of {width:g} s and shorter than the window of "
            f"{n_bins * width:g} s; got {value:g} s"
        )
    return n


def _same(trains: SpikeTrains, other: SpikeTrains) -> bool:
    check_trains(other, "other")
    return other is trains or (
        trains.n_spikes == other.n_spikes > 0
        and np.array_equal(trains.unit_index, other.unit_index)
        and np.array_equal(trains.time, other.time)
        and np.array_equal(trains.unit, other.unit)
    )


def _check_same_window(trains: SpikeTrains, other: SpikeTrains) -> None:
    for name in ("t_start", "t_stop", "n_trials"):
        mine, theirs = getattr(trains, name), getattr(other, name)
        if abs(mine - theirs) > 1e-9 * max(abs(mine), 1.0):
            raise ValueError(f"`other` must have the same {name}: {theirs:g}, not {mine:g}")
