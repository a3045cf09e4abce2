"""How a population spikes together: synchrony, and the power spectrum of its rate.

Both come from sums over spikes in bins, never from a matrix of units and times: 1e7 spikes of 1e5
units take about a second. Variances are sample variances, divided by n - 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neurodyn.analyses.spikes.statistics import check_trains, count_moments
from neurodyn.spike_trains import SpikeTrains, seconds

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike


class Synchrony(NamedTuple):
    """Two measures of how much a population spikes together.

    Attributes
    ----------
    chi : float
        Golomb and Rinzel's, from 0 to 1; NaN if no count ever changes.
    variance_ratio : float
        Variance of the population's spike count over its mean; NaN without spikes.
    n_units, n_silent : int
        Units that spiked, and those that did not; `chi` is over the former.
    n_spikes : int
    n_bins : int
        In each trial.
    bin : float, s
    """

    chi: float
    variance_ratio: float
    n_units: int
    n_silent: int
    n_spikes: int
    n_bins: int
    bin: float


def synchrony(trains: SpikeTrains, bin: float) -> Synchrony:
    """Synchrony of a population's spikes at the time scale of a bin.

    Parameters
    ----------
    trains : SpikeTrains
    bin : float or quantity, s
        In which spikes are counted; a multiple of the time step that divides the window.

    Returns
    -------
    Synchrony

    Notes
    -----
    ``chi**2 = var(mean_i c_i) / mean_i var(c_i)`` with the count c_i of unit i, variances over time
    (Golomb and Rinzel 1993, who take voltages: `chi_synchrony`). 1 if all spike together,
    ``1/sqrt(n)`` if n units are independent.

    ``variance_ratio = var(sum_i c_i) / mean(sum_i c_i)``, the Fano factor of the population's
    count, in bins of 3 ms in Potjans and Diesmann (2014). 1 for independent Poisson processes,
    about n if n units spike together; it grows with the number of units taken, which a comparison
    has to keep the same.

    With several trials, variances within each are averaged over the trials.
    """
    check_trains(trains)
    n_bins, width = trains.bins(bin)
    if n_bins < 2:
        raise ValueError(f"`bin` must leave at least two bins in {trains.duration:g} s")
    counts = trains.population_counts(bin)
    population = float(counts.var(axis=1, ddof=1).mean())
    spiked = np.bincount(trains.unit, minlength=trains.n_units) > 0
    n = int(spiked.sum())
    single = _mean_variance_within_trials(trains, bin, n_bins)
    chi = float(np.sqrt(population / n**2 / (single / n))) if single > 0 else float("nan")
    ratio = population / float(counts.mean()) if n else float("nan")
    return Synchrony(chi, ratio, n, trains.n_units - n, trains.n_spikes, n_bins, width)


def chi_synchrony(activity: xr.DataArray | ArrayLike) -> float:
    """Golomb and Rinzel's chi of any activity: voltages, rates, filtered spikes.

    ``chi**2 = var(mean_i v_i) / mean_i var(v_i)``, variances over time, averaged over trials
    (Golomb and Rinzel 1993). 1 if all units do the same, ``1/sqrt(n)`` if n are independent.

    Parameters
    ----------
    activity : DataArray with a dimension ``time``, or array (time, unit) or (trial, time, unit)
        For example ``ds["E.v"]``.

    Returns
    -------
    float
        NaN if nothing ever changes.
    """
    if hasattr(activity, "dims"):
        if "time" not in activity.dims:
            raise ValueError(f"`activity` must have a dimension `time`; got {activity.dims}")
        front = ("trial", "time") if "trial" in activity.dims else ("time",)
        activity = activity.transpose(*front, ...).values
    values = np.asarray(activity, dtype=float)
    if values.ndim not in (2, 3) or values.shape[-2] < 2:
        raise ValueError(
            "`activity` must be (time, unit) or (trial, time, unit) with at least two times; "
            f"got shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("`activity` must be finite; it has NaN or inf")
    single = values.var(axis=-2).mean()
    return float(np.sqrt(values.mean(axis=-1).var(axis=-1).mean() / single)) if single else np.nan


class RateSpectrum(NamedTuple):
    """Power spectral density of a population rate.

    Attributes
    ----------
    frequency : array, (frequency,), Hz
        From 0 to half of ``1/bin``, in steps of ``1/segment``.
    power : array, (frequency,), Hz^2/Hz
        One-sided: its integral over frequency is the variance of the rate (spikes per unit and
        time) in bins.
    shot_noise : float, Hz^2/Hz
        Where `power` would be, at every frequency, for independent Poisson units of this rate.
    rate : float, Hz
        Mean rate of a unit.
    n_segments : int
        Averaged, of all trials; they overlap by half.
    segment, bin : float, s
    n_units, n_spikes : int
    """

    frequency: np.ndarray
    power: np.ndarray
    shot_noise: float
    rate: float
    n_segments: int
    segment: float
    bin: float
    n_units: int
    n_spikes: int


def rate_spectrum(trains: SpikeTrains, bin: float, segment: float | None = None) -> RateSpectrum:
    """Power spectrum of the population rate by Welch's method, with Hann windows.

    Parameters
    ----------
    trains : SpikeTrains
    bin : float or quantity, s
        A multiple of the time step that divides the window. Frequencies reach up to half of
        ``1/bin``; power above is folded back below.
    segment : float or quantity, s, optional
        Length of the segments whose spectra are averaged, in whole bins; ``1/segment`` is the step
        between frequencies. Default an eighth of the window.

    Returns
    -------
    RateSpectrum

    Notes
    -----
    `scipy.signal.welch` (Welch 1967), segments overlapping by half, each less its mean, which takes
    power from the lowest two frequencies. The rate of n independent Poisson units, each of rate r,
    has the two-sided density ``r/n``; here it is one-sided, therefore ``2 r/n``: relative to the
    squared rate it is ``2/(n r)``, twice one over the rate of all spikes.
    """
    from scipy.signal import welch

    check_trains(trains)
    n_bins, width = trains.bins(bin)
    length = max(2, n_bins // 8) if segment is None else round(seconds(segment, "segment") / width)
    if segment is not None and abs(length * width - seconds(segment, "segment")) > 1e-6 * width:
        raise ValueError(f"`segment` must be whole bins of {width:g} s; got {segment!r}")
    if not 2 <= length <= n_bins:
        raise ValueError(
            f"`segment` must be from 2 to {n_bins} bins of {width:g} s; it has {length} bins"
        )
    rate = trains.population_counts(bin) / (width * trains.n_units)
    frequency, power = welch(rate, fs=1 / width, window="hann", nperseg=length,
                             noverlap=length // 2, detrend="constant", scaling="density", axis=-1)
    n_segments = (n_bins - length) // (length - length // 2) + 1
    mean = trains.n_spikes / (trains.duration * trains.n_trials * trains.n_units)
    return RateSpectrum(
        frequency, power.mean(axis=0), 2 * mean / trains.n_units, mean,
        n_segments * trains.n_trials, length * width, width, trains.n_units, trains.n_spikes,
    )


def _mean_variance_within_trials(trains: SpikeTrains, bin: float, n: int) -> float:
    """Variance over the n bins of each unit's count, summed over units, averaged over trials."""
    _, square = count_moments(trains, bin)
    per_trial = trains.grouped.counts.astype(float)
    return float(square.sum() - np.sum(per_trial**2) / n) / (n - 1) / trains.n_trials
