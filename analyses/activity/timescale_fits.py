"""Time constants from autocorrelations, by least squares, with models that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count
from neurodyn.analyses.activity._decay_models import MODELS, DecayFit, DecayModel, fit_decay
from neurodyn.analyses.activity.timescales import (
    Autocorrelation,
    _integral,
    autocorrelation,
    leak_timescale,
)
from neurodyn.spike_trains import seconds

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from neurodyn._arrays import RNG

#: Trials shorter than so many timescales bias every estimate of it.
SHORT = 20.0
#: Below it a component or an amplitude counts as none.
_NEGLIGIBLE = 1e-3
#: Time constants with a smaller ratio are one.
_APART = 1.05


@dataclass(frozen=True, eq=False)
class TimescaleFit:
    """One model fitted to an autocorrelation.

    Attributes
    ----------
    model : str
    timescale : float, s
        The time constant; of two the longer one.
    timescales : array, (1,) or (2,), s
        Shortest first.
    shares : array, (1,) or (2,)
        Of `amplitude`, in the order of `timescales`.
    amplitude : float
        Of the decaying part at lag 0, where the curve itself is 1. The rest of the variance is
        uncorrelated from sample to sample, as the Poisson part of counts is.
    offset : float
        B of ``amplitude (exp(-t/tau) + B)``; 0 for a model without.
    frequency : float, Hz
        NaN for a model that does not oscillate.
    phase : float, rad
        Of ``cos(2 pi f t - phase)/cos(phase)``; NaN for a model that does not oscillate.
    standard_error : float, s
        Of `timescale`, over resampled trials; NaN for a single trial or if not asked for.
    n_bootstrap, n_failed : int
        Resamples that went into it, and those whose fit failed and which are left out.
    integrated : float, s
        Integral of the curve up to where it first falls below 0.05, without any model; NaN if it
        does not.
    lag, value, fitted : array, (lag,)
        What was fitted, and the fit.
    residual : float
        Root mean square of ``value - fitted``.
    aic, bic : float
        ``n log(squares/n)`` plus ``2 k`` or ``k log n``, k parameters, n lags. Neighbouring lags
        err together, so differences count for less than for independent errors.
    converged : bool
        False if the search stopped early, a time constant ran into its bounds, or a component is
        negligible.
    notes : tuple of str
        What may bias the result.
    comparison : dict of str to TimescaleFit
        The other models, where several were asked for.
    """

    model: str
    timescale: float
    timescales: np.ndarray
    shares: np.ndarray
    amplitude: float
    offset: float
    frequency: float
    phase: float
    standard_error: float
    n_bootstrap: int
    n_failed: int
    integrated: float
    lag: np.ndarray
    value: np.ndarray
    fitted: np.ndarray
    residual: float
    aic: float
    bic: float
    converged: bool
    notes: tuple[str, ...] = ()
    comparison: dict[str, TimescaleFit] = field(default_factory=dict)
    parameters: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)

    def predict(self, lag: ArrayLike) -> np.ndarray:
        """The fitted curve at other lags, s."""
        t = np.asarray(lag, float)
        return MODELS[self.model].value(t.ravel(), self.parameters).reshape(t.shape)


def autocorrelation_timescale(
    x: Autocorrelation | xr.DataArray | ArrayLike,
    dt: Any = None,
    *,
    model: str | Sequence[str] = "exponential",
    criterion: str = "BIC",
    max_lag: Any = None,
    exclude_zero: bool = False,
    mean: str | ArrayLike = "across trials",
    unit: int | None = None,
    n_bootstrap: int = 100,
    rng: RNG = None,
) -> TimescaleFit:
    """Timescale of activity: a model fitted to its autocorrelation.

    Parameters
    ----------
    x : Autocorrelation, DataArray or array (time,), (time, unit) or (trial, time, unit)
        A curve, or activity, of which `autocorrelation` makes one.
    dt : float or quantity, s, optional
        Time between samples; default that of the DataArray.
    model : str or sequence of str
        ``"exponential"`` (default), ``"double exponential"`` or ``"damped oscillation"``, each also
        with ``" + offset"``. Of several the one with the least criterion is returned, the
        others stand in its `comparison`.
    criterion : str
        ``"BIC"`` (default) or ``"AIC"``.
    max_lag : float or quantity, s, optional
        Last lag of the fit. Default five times the lag where the curve first falls below 1/e of
        the first lag fitted, at least 8 lags, at most half a trial.
    exclude_zero : bool
        Fit from the first lag behind 0. Necessary for spike counts, whose lag 0 holds the variance
        of a Poisson process, and for observations with white noise. Default False.
    mean : str or array_like
        Which mean is removed, as for `autocorrelation`.
    unit : int, optional
        Default the average of the units' curves. For each unit's own: `network_timescales`.
    n_bootstrap : int
        Resamples of the trials for the standard error. Default 100; 0 for none.
    rng : int, SeedSequence, Generator or None
        Of the resamples.

    Returns
    -------
    TimescaleFit

    Notes
    -----
    ``A exp(-t/tau)``; ``A (exp(-t/tau) + B)``; ``A (c exp(-t/tau_1) + (1 - c) exp(-t/tau_2))``;
    ``A exp(-t/tau) cos(2 pi f t - phase)/cos(phase)``. Unweighted least squares, no amplitude of an
    exponential negative, time constants from ``dt/5`` to ten times the last lag.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.zeros((50, 500, 1))
    >>> for k in range(1, 500):
    ...     x[:, k] = 0.9 * x[:, k - 1] + rng.standard_normal((50, 1))
    >>> fit = autocorrelation_timescale(x[:, 100:], dt=0.01, mean=0.0, rng=1)
    >>> bool(abs(fit.timescale - 0.01 / -np.log(0.9)) < 4 * fit.standard_error)
    True
    """
    names = [model] if isinstance(model, str) else list(model)
    models = [_checked_model(name) for name in names]
    if not models:
        raise ValueError(f"`model` must be one of {_names()}; got an empty list")
    if criterion not in ("AIC", "BIC"):
        raise ValueError(f"`criterion` must be 'AIC' or 'BIC'; got {criterion!r}")
    checked_count(n_bootstrap, "n_bootstrap", 0)
    generator = as_generator(rng)
    curve = x if isinstance(x, Autocorrelation) else autocorrelation(x, dt, mean=mean)
    window = _window(curve, unit, max_lag, exclude_zero, max(m.n_parameters for m in models))
    fits = [_fit(curve, window, one, unit) for one in models]
    fits.sort(key=lambda fit: (not fit.converged, fit.bic if criterion == "BIC" else fit.aic))
    best = replace(fits[0], comparison={fit.model: fit for fit in fits[1:]})
    return _with_standard_error(best, curve, window, unit, n_bootstrap, generator)


@dataclass(frozen=True, eq=False)
class NetworkTimescales:
    """Timescales of the units of a network, beside those of their own leak.

    Attributes
    ----------
    network : array, (unit,), s
        From each unit's autocorrelation, the longer of two time constants; NaN where none was
        found.
    leak : array, (unit,), s
        Timescale that the unit would have by itself; NaN if `tau` was not given.
    n_exponentials : int array, (unit,)
        1 or 2, whichever has the smaller AIC; 0 where none was found.
    aic : array, (unit, 2)
        Of one exponential and of two.
    residual : array, (unit,)
        Root mean square error of the fit.
    n_constant, n_failed : int
        Units that never change; and units whose fit did not converge.
    max_lag : float, s
    notes : tuple of str
    """

    network: np.ndarray
    leak: np.ndarray
    n_exponentials: np.ndarray
    aic: np.ndarray
    residual: np.ndarray
    n_constant: int
    n_failed: int
    max_lag: float
    notes: tuple[str, ...]


def network_timescales(
    x: xr.DataArray | ArrayLike,
    dt: Any = None,
    *,
    max_lag: Any,
    tau: ArrayLike | None = None,
    is_discrete: bool = False,
    mean: str | ArrayLike = "within",
) -> NetworkTimescales:
    """Timescale of each unit in its network, against that of its leak.

    A unit can be slow because it leaks slowly, or because the network around it is slow: only the
    autocorrelation in the network shows the second (Khajehabdollahi et al. 2024).

    Parameters
    ----------
    x : DataArray with a dimension ``time``, or array (time,), (time, unit) or (trial, time, unit)
        Activity of the network driven by white input.
    dt : float or quantity, s, optional
        Time between samples; default that of the DataArray.
    max_lag : float or quantity, s
        Last lag of the fits; 30 steps in the paper.
    tau : array_like, () or (unit,), s, optional
        Time constants of the leaks.
    is_discrete : bool
        Whether each sample is one step ``x' = (1 - dt/tau) x + ...``. Default False: continuous
        time.
    mean : str or array_like
        As for `autocorrelation`. Default ``"within"``, as in the paper, whose trials are thousands
        of timescales long.

    Returns
    -------
    NetworkTimescales

    Notes
    -----
    One exponential and two are fitted to all lags up to the last, from 0, and the smaller AIC
    decides; time constants are at most ten times the last lag (100 steps in the paper).
    """
    from neurodyn.analyses.activity._time_series import time_step, trial_time_unit

    values = trial_time_unit(x, "x", min_times=4)
    step = time_step(x, dt)
    n_units = values.shape[2]
    leak = np.full(n_units, np.nan)
    if tau is not None:
        own = leak_timescale(tau, step if is_discrete else None)
        if own.shape not in ((), (n_units,)):
            raise ValueError(
                f"`tau` must be one number or one a unit, ({n_units},); got shape {own.shape}"
            )
        leak = np.broadcast_to(own, n_units).copy()
    scale = np.abs(values).max(axis=(0, 1))
    changes = np.flatnonzero(np.ptp(values, axis=(0, 1)) > 1e-12 * scale)
    if changes.size == 0:
        raise ValueError(f"`x` never changes, in any of its {n_units} units")
    known = mean if isinstance(mean, str) or np.ndim(mean) == 0 else np.asarray(mean)[changes]
    curve = autocorrelation(values[:, :, changes], step, mean=known, max_lag=max_lag)
    tau_network, residual = np.full((2, n_units), np.nan)
    aic = np.full((n_units, 2), np.nan)
    n_exponentials = np.zeros(n_units, int)
    window = _window(curve, 0, curve.lag[-1], False, 4)
    for k, unit in enumerate(changes):
        fits = [_fit(curve, window, MODELS[name], k)
                for name in ("exponential", "double exponential")]
        aic[unit] = [fit.aic for fit in fits]
        good = [fit for fit in fits if fit.converged]
        if good:
            best = min(good, key=lambda fit: fit.aic)
            n_exponentials[unit] = best.timescales.size
            tau_network[unit], residual[unit] = best.timescale, best.residual
    found = tau_network[np.isfinite(tau_network)]
    notes = _notes(curve, float(np.median(found)), False, False) if found.size else ()
    return NetworkTimescales(
        tau_network, leak, n_exponentials, aic, residual, n_units - changes.size,
        changes.size - found.size, float(curve.lag[-1]), notes,
    )


def _names() -> str:
    return ", ".join(map(repr, MODELS))


def _checked_model(name: Any) -> DecayModel:
    if name not in MODELS:
        from difflib import get_close_matches

        close = get_close_matches(str(name), MODELS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {_names()}"
        raise ValueError(f"`model` {name!r} is unknown; {hint}")
    return MODELS[name]


def _pooled(curve: Autocorrelation, unit: int | None, trials=slice(None)) -> np.ndarray:
    """The curve that is fitted: of one unit, or the average, over some of the trials."""
    covariance = curve.per_trial[trials].mean(axis=0)
    rows = covariance / covariance[:, :1]
    return rows.mean(axis=0) if unit is None else rows[unit]


def _window(
    curve: Autocorrelation, unit: int | None, max_lag: Any, exclude_zero: bool, n_parameters: int
) -> slice:
    """Which lags are fitted."""
    if unit is not None and not -curve.n_units <= unit < curve.n_units:
        raise ValueError(f"`unit` must be below {curve.n_units}, the number of units; got {unit!r}")
    first, n_lags = int(exclude_zero), curve.lag.size
    if max_lag is None:
        y = _pooled(curve, unit)
        below = np.flatnonzero(y[first:] < y[first] / np.e)
        last = first + max(8, 5 * int(below[0]) if below.size else n_lags)
        last = min(last, n_lags - 1)
    else:
        last = round(seconds(max_lag, "max_lag") / curve.dt)
        if not 0 < last < n_lags:
            raise ValueError(
                f"`max_lag` must be from dt = {curve.dt:g} to {curve.lag[-1]:g} s, the last lag of "
                f"the autocorrelation; got {max_lag!r}"
            )
    if last + 1 - first <= n_parameters:
        raise ValueError(
            f"the series is too short for `model`: {last + 1 - first} lags do not determine "
            f"{n_parameters} parameters. Give longer trials or a longer `max_lag`"
        )
    return slice(first, last + 1)


def _fit(
    curve: Autocorrelation, window: slice, model: DecayModel, unit: int | None
) -> TimescaleFit:
    t, y = curve.lag[window], _pooled(curve, unit)
    found = fit_decay(model, t, y[window], curve.dt, (curve.dt / 5, 10 * t[-1]))
    return _dressed(found, curve, window, y)


def _dressed(
    found: DecayFit, curve: Autocorrelation, window: slice, y: np.ndarray
) -> TimescaleFit:
    model, p = found.model, found.parameters
    theta, amplitudes = np.split(p, [model.n_nonlinear])
    taus, parts = np.exp(theta[: model.n_taus]), amplitudes[: model.n_taus]
    order = np.argsort(taus)
    amplitude = float(parts.sum())
    has_parts = amplitude > 0 and (parts > _NEGLIGIBLE * amplitude).all()
    has_parts &= model.n_taus == 1 or taus.max() > _APART * taus.min()
    fitted, n = model.value(curve.lag[window], p), window.stop - window.start
    squares = max(found.squares, n * 1e-32)  # an exact fit has a finite logarithm
    base = n * np.log(squares / n)
    tau = float(taus.max())
    return TimescaleFit(
        model=model.name, timescale=tau, timescales=taus[order],
        shares=parts[order] / amplitude if amplitude > 0 else np.full(model.n_taus, np.nan),
        amplitude=amplitude,
        offset=float(amplitudes[-1] / amplitude) if model.has_offset and amplitude > 0 else 0.0,
        frequency=float(theta[-1]) if model.oscillates else np.nan,
        phase=float(np.arctan2(amplitudes[1], amplitudes[0])) if model.oscillates else np.nan,
        standard_error=np.nan, n_bootstrap=0, n_failed=0, integrated=_integral(y, curve.dt, 0.05),
        lag=curve.lag[window], value=y[window], fitted=fitted,
        residual=float(np.sqrt(found.squares / n)),
        aic=float(base + 2 * model.n_parameters),
        bic=float(base + np.log(n) * model.n_parameters),
        converged=bool(found.succeeded and not found.at_bound and has_parts),
        notes=_notes(curve, tau, model.has_offset, window.start > 0)
        + _failures(found, has_parts), parameters=p,
    )


def _failures(found: DecayFit, has_parts: bool) -> tuple[str, ...]:
    notes = []
    if found.at_bound:
        notes.append(
            "a time constant or period is at the bound of the search: the lags do not determine it"
        )
    if not has_parts:
        notes.append("an exponential has no part of its own in the curve: fewer of them do")
    return tuple(notes)


def _notes(
    curve: Autocorrelation, tau: float, has_offset: bool, excludes_zero: bool
) -> tuple[str, ...]:
    """What biases an estimate of the timescale, and by how much."""
    notes = []
    ratio = curve.duration / tau
    if curve.mean == "within" and not has_offset and 2 / ratio > 0.005:
        notes.append(
            f"the mean was removed within trials of {ratio:.3g} timescales, which lowers the "
            f"autocorrelation by about {2 / ratio:.2g} at all lags and biases the timescale "
            "downwards: remove it across trials, or fit a model with an offset"
        )
    if ratio < SHORT:
        notes.append(
            f"trials last {ratio:.3g} timescales only: below {SHORT:g} every estimate is biased, "
            "most if the mean was estimated from the same trials"
        )
    if curve.is_count and not excludes_zero:
        notes.append(
            "the activity is counts, whose lag 0 holds the variance of a Poisson process: give "
            "exclude_zero=True"
        )
    return tuple(notes)


def _with_standard_error(
    fit: TimescaleFit, curve: Autocorrelation, window: slice, unit: int | None, n: int,
    generator: np.random.Generator,
) -> TimescaleFit:
    """Resample trials and fit again, each from the estimate."""
    if n < 2 or not fit.converged:
        return fit
    if curve.n_trials < 2:
        note = "no standard error: it needs several trials to resample"
        return replace(fit, notes=(*fit.notes, note))
    taus = []
    t = curve.lag[window]
    for _ in range(n):
        trials = generator.integers(0, curve.n_trials, curve.n_trials)
        again = fit_decay(
            MODELS[fit.model], t, _pooled(curve, unit, trials)[window], curve.dt,
            (curve.dt / 5, 10 * t[-1]), start=fit.parameters,
        )
        if again.succeeded and not again.at_bound:
            taus.append(np.exp(again.parameters[: again.model.n_taus]).max())
    error = float(np.std(taus, ddof=1)) if len(taus) > 1 else float("nan")
    return replace(fit, standard_error=error, n_bootstrap=len(taus), n_failed=n - len(taus))
