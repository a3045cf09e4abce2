"""How long activity remembers itself: autocorrelations, and their integral.

`autocorrelation` makes the curve with its trials, from which `autocorrelation_timescale` and
`network_timescales` (in `timescale_fits`) take time constants.

**Which mean is removed decides the answer.** The mean over a trial follows the slow part of the
activity, and removing it pulls the whole curve down by about ``2 tau/T`` (tau the timescale, T the
length of a trial): for T = 10 tau a fit without an offset gives half of the true timescale. What
trials have in common, such as a response to a stimulus, has to be removed across them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.analyses.activity._time_series import time_step, trial_time_unit
from neurodyn.spike_trains import seconds

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

#: What `mean` may be, besides numbers.
MEANS = ("across trials", "overall", "within")
#: Samples transformed at once; bounds the memory.
_BLOCK = 2**22


@dataclass(frozen=True, eq=False)
class Autocorrelation:
    """Autocorrelation of each unit, averaged over trials.

    Attributes
    ----------
    lag : array, (lag,), s
        From 0.
    value : array, (unit, lag)
        1 at lag 0.
    variance : array, (unit,)
        Autocovariance at lag 0, in the squared unit of the activity.
    per_trial : array, (trial, unit, lag)
        Autocovariance of each trial; `value` is their mean over that of lag 0.
    mean : str
        Which mean was removed.
    duration : float, s
        Length of a trial.
    is_count : bool
        Whether the activity is counts: non-negative whole numbers. Their lag 0 holds the variance
        of a Poisson process beside that of its rate.
    dt : float, s
    """

    lag: np.ndarray
    value: np.ndarray
    variance: np.ndarray
    per_trial: np.ndarray
    mean: str
    duration: float
    is_count: bool
    dt: float

    @property
    def n_trials(self) -> int:
        return len(self.per_trial)

    @property
    def n_units(self) -> int:
        return len(self.value)

    def average(self) -> np.ndarray:
        """Mean over units, ``(lag,)``."""
        return self.value.mean(axis=0)


def autocorrelation(
    x: xr.DataArray | ArrayLike,
    dt: Any = None,
    *,
    mean: str | ArrayLike = "across trials",
    max_lag: Any = None,
) -> Autocorrelation:
    """Autocorrelation of each unit over the lags, averaged over trials.

    Parameters
    ----------
    x : DataArray with a dimension ``time``, or array (time,), (time, unit) or (trial, time, unit)
        For example ``ds["E.r"]``. One unit in many trials is ``(trial, time, 1)``.
    dt : float or quantity, s, optional
        Time between samples; default that of the DataArray.
    mean : str or array_like, (unit,)
        What is removed: ``"across trials"`` (default), the mean over trials at each time;
        ``"overall"``, one number a unit; ``"within"``, that of each trial, which biases the curve;
        or the mean itself, where it is known.
    max_lag : float or quantity, s, optional
        Default half a trial.

    Returns
    -------
    Autocorrelation

    Raises
    ------
    ValueError
        If nothing is left of a unit without its mean, for a single trial with ``"across trials"``,
        or for a series shorter than 4 times.

    Notes
    -----
    ``C(k) = mean over trials of sum_t y(t) y(t + k) / (T - k)`` with y the activity less its mean,
    by a fast Fourier transform padded with zeros. The mean across K trials takes ``1/K`` of the
    variance at all lags alike, which ``K/(K - 1)`` puts back.

    Examples
    --------
    >>> alternating = np.tile([1.0, -1.0], 8)
    >>> autocorrelation(alternating, dt=0.1, mean=0.0, max_lag=0.3).value.round(12)
    array([[ 1., -1.,  1., -1.]])
    """
    values = trial_time_unit(x, "x", min_times=4)
    step = time_step(x, dt)
    n_times = values.shape[1]
    last = _last_lag(max_lag, step, n_times)
    is_count = bool((values >= 0).all() and (values == np.round(values)).all())
    centred, removed = _without_mean(values, mean)
    scale = len(values) / (len(values) - 1) if removed == "across trials" else 1.0
    covariance = scale * _autocovariance(centred, last)
    variance = covariance[:, :, 0].mean(axis=0)
    _check_variance(variance, values, removed)
    return Autocorrelation(
        step * np.arange(last + 1), covariance.mean(axis=0) / variance[:, None], variance,
        covariance, removed, n_times * step, is_count, step,
    )


def integrated_timescale(curve: Autocorrelation, threshold: float = 0.05) -> np.ndarray:
    """Integral of the autocorrelation of each unit, up to where it first falls below a threshold.

    Needs no fit, so it also serves where none holds. For ``exp(-t/tau)`` it is tau less the share
    `threshold` of it that is cut off, and ``dt**2/(12 tau)`` more for the steps.

    Parameters
    ----------
    curve : Autocorrelation
    threshold : float
        Default 0.05. What comes behind the first value below it is noise more than signal.

    Returns
    -------
    array, (unit,), s
        ``dt (1/2 + sum of the values from lag 1)``; NaN where the curve stays above the threshold
        at all lags that it has.
    """
    if not isinstance(curve, Autocorrelation):
        raise TypeError(
            f"`curve` must be what autocorrelation(...) returns; got {type(curve).__name__}"
        )
    if not 0 <= threshold < 1:
        raise ValueError(f"`threshold` must be from 0 to below 1; got {threshold!r}")
    return np.array([_integral(row, curve.dt, threshold) for row in curve.value])


def leak_timescale(tau: ArrayLike, dt: Any = None) -> np.ndarray:
    """Timescale of the autocorrelation of a leaky unit by itself, driven by white noise.

    Parameters
    ----------
    tau : array_like, (...,), s
        Time constants of the leak.
    dt : float or quantity, s, optional
        Step of a discrete unit ``x' = (1 - dt/tau) x + ...``, whose autocorrelation is
        ``(1 - dt/tau)**k``. Default None: a unit in continuous time.

    Returns
    -------
    array, (...,), s
        ``-dt/log(1 - dt/tau)``; tau in continuous time; 0 for ``tau = dt``, where nothing remains.

    Examples
    --------
    >>> float(leak_timescale(5.0, dt=1.0).round(2))
    4.48
    """
    tau = np.asarray(real_numbers(tau, "tau"), float)
    if dt is None:
        if (tau <= 0).any():
            raise ValueError(f"`tau` must be positive; got {tau.min():g}")
        return tau.copy()
    step = time_step(None, dt)
    if (tau < step).any():
        raise ValueError(f"`tau` must be at least dt = {step:g} s; got {tau.min():g}")
    with np.errstate(divide="ignore"):
        return -step / np.log1p(-step / tau) + 0.0


def _last_lag(max_lag: Any, dt: float, n_times: int) -> int:
    if max_lag is None:
        return n_times // 2
    last = round(seconds(max_lag, "max_lag") / dt)
    if not 1 <= last < n_times:
        raise ValueError(
            f"`max_lag` must be from dt = {dt:g} s to below the length of a trial, "
            f"{n_times * dt:g} s; got {max_lag!r}"
        )
    return last


def _without_mean(values: np.ndarray, mean: Any) -> tuple[np.ndarray, str]:
    """`values` (trial, time, unit) less the mean, and which one it was."""
    if not isinstance(mean, str):
        known = np.asarray(real_numbers(mean, "mean"), float)
        if known.shape not in ((), (values.shape[2],)):
            raise ValueError(
                f"`mean` must be one number or one a unit, ({values.shape[2]},); got shape "
                f"{known.shape}"
            )
        return values - known, "known"
    if mean not in MEANS:
        raise ValueError(f"`mean` must be {', '.join(map(repr, MEANS))} or numbers; got {mean!r}")
    if mean == "across trials" and len(values) < 2:
        raise ValueError(
            "`mean` = 'across trials' needs several trials, and there is one, (trial, time, unit) "
            f"= {values.shape}. Give 'within' for one long stationary recording, or its mean if it "
            "is known; trials of one unit are (trial, time, 1)"
        )
    axis = {"across trials": 0, "overall": (0, 1), "within": 1}[mean]
    return values - values.mean(axis=axis, keepdims=True), mean


def _check_variance(variance: np.ndarray, values: np.ndarray, removed: str) -> None:
    # rounding leaves about eps times the size of the values
    floor = (1e-13 * np.abs(values).max(axis=(0, 1))) ** 2
    constant = np.flatnonzero(variance <= floor)
    if constant.size:
        which = ", ".join(map(str, constant[:5])) + (", ..." if constant.size > 5 else "")
        what = "is the same in every trial" if removed == "across trials" else "never changes"
        raise ValueError(
            f"`x` has no autocorrelation where its variance is 0: {constant.size} of "
            f"{variance.size} units {what} (unit {which}). Leave them out"
        )


def _autocovariance(y: np.ndarray, last: int) -> np.ndarray:
    """Sums of ``y(t) y(t + k)/(T - k)`` of (trial, time, unit), as (trial, unit, lag)."""
    from scipy.fft import irfft, next_fast_len, rfft

    n_trials, n_times, n_units = y.shape
    size = next_fast_len(n_times + last, real=True)
    out = np.empty((n_trials, n_units, last + 1))
    per_block = max(1, _BLOCK // size)
    for trial in range(n_trials):
        for start in range(0, n_units, per_block):
            units = slice(start, start + per_block)
            transformed = rfft(y[trial, :, units].T, size, axis=-1)
            power = transformed.real**2 + transformed.imag**2
            out[trial, units] = irfft(power, size, axis=-1)[:, : last + 1]
    return out / (n_times - np.arange(last + 1))


def _integral(row: np.ndarray, dt: float, threshold: float) -> float:
    below = np.flatnonzero(row[1:] < threshold)
    return float(dt * (0.5 + row[1 : 1 + below[0]].sum())) if below.size else float("nan")
