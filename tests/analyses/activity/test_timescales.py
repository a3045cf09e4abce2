"""Timescales of processes whose autocorrelation is known, and slow twins."""

import numpy as np
import pytest
import xarray as xr
from scipy.signal import lfilter

from neurodyn import ms
from neurodyn.analyses import (
    Autocorrelation,
    autocorrelation,
    autocorrelation_timescale,
    integrated_timescale,
    leak_timescale,
    network_timescales,
)

DT = 1e-3


def ornstein_uhlenbeck(n_trials, n_times, tau, rng, n_units=1, dt=DT):
    """Stationary AR(1) of variance 1, (trial, time, unit)."""
    a = np.exp(-dt / tau)
    noise = rng.standard_normal((n_trials, n_times, n_units))
    noise[:, 1:] *= np.sqrt(1 - a**2)
    return lfilter([1], [1, -a], noise, axis=1)


def curve_of(value, dt=DT, n_trials=1, mean="known", duration=100.0):
    """An Autocorrelation that is known exactly."""
    value = np.atleast_2d(value)
    per_trial = np.broadcast_to(value, (n_trials, *value.shape))
    return Autocorrelation(dt * np.arange(value.shape[1]), value, np.ones(len(value)), per_trial,
                           mean, duration, False, dt)


# -- the curve -------------------------------------------------------------------------------------


def test_a_slow_twin_agrees():
    """Sums over pairs of times, one by one."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 17, 2)).cumsum(axis=1)
    last = 9
    centred = {
        "across trials": x - x.mean(axis=0), "overall": x - x.mean(axis=(0, 1)),
        "within": x - x.mean(axis=1, keepdims=True), "known": x - np.array([0.5, -1.0]),
    }
    for name, y in centred.items():
        sums = np.zeros((3, 2, last + 1))
        for trial, unit, k in np.ndindex(sums.shape):
            products = [y[trial, t, unit] * y[trial, t + k, unit] for t in range(17 - k)]
            sums[trial, unit, k] = np.mean(products)
        sums *= 3 / 2 if name == "across trials" else 1
        found = autocorrelation(x, DT, mean=[0.5, -1.0] if name == "known" else name,
                                max_lag=last * ms)
        np.testing.assert_allclose(found.per_trial, sums, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found.variance, sums[..., 0].mean(axis=0))
        np.testing.assert_allclose(
            found.value, sums.mean(axis=0) / sums[..., 0].mean(axis=0)[:, None], rtol=1e-10)
        assert found.mean == name and found.n_trials == 3 and found.n_units == 2
        np.testing.assert_allclose(found.lag, DT * np.arange(last + 1))


def test_the_mean_across_trials_removes_what_they_have_in_common():
    """The autocorrelation of the noise is left, without bias from the number of trials."""
    rng = np.random.default_rng(1)
    x = ornstein_uhlenbeck(4, 500, 5e-3, rng, n_units=200)
    common = 5 * np.sin(np.arange(500) / 30)[None, :, None]
    plain = autocorrelation(x, DT, max_lag=20 * ms)
    np.testing.assert_allclose(autocorrelation(x + common, DT, max_lag=20 * ms).per_trial,
                               plain.per_trial, rtol=1e-9, atol=1e-9)
    # 4 trials times 200 units, 0.5 s each: n_eff = 800 * 500/10 samples; variance of a variance
    assert plain.variance.mean() == pytest.approx(1, abs=4.5 * np.sqrt(2 / (800 * 0.75 * 50)))
    expected = np.exp(-plain.lag / 5e-3)
    assert np.abs(plain.average() - expected).max() < 4.5 * np.sqrt(2 / (800 * 0.75 * 50))


def test_dataarrays_in_any_order_and_arrays_are_the_same():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, 40, 2))
    named = xr.DataArray(x, dims=["trial", "time", "E.unit"], coords={"time": DT * np.arange(40)})
    expected = autocorrelation(x, 1 * ms).value
    np.testing.assert_allclose(autocorrelation(named.transpose("E.unit", "time", "trial")).value,
                               expected)
    one = autocorrelation(x[0, :, 0], DT, mean="within").value
    np.testing.assert_allclose(autocorrelation(named[0, :, 0], mean="within").value, one)
    np.testing.assert_allclose(autocorrelation(x[:1, :, :1], DT, mean="within").value, one)


def test_many_units_are_transformed_in_blocks(monkeypatch):
    from neurodyn.analyses.activity import timescales

    x = np.random.default_rng(3).standard_normal((2, 30, 7))
    whole = autocorrelation(x, DT).value
    monkeypatch.setattr(timescales, "_BLOCK", 100)
    np.testing.assert_allclose(autocorrelation(x, DT).value, whole, rtol=1e-12)


# -- without a model -------------------------------------------------------------------------------


def test_integral_of_an_exponential():
    a, dt = 0.9, 2e-3
    curve = curve_of(a ** np.arange(200), dt)
    last = int(np.ceil(np.log(0.05) / np.log(a))) - 1  # the last value above 0.05
    expected = dt * (0.5 + sum(a**k for k in range(1, last + 1)))
    assert integrated_timescale(curve)[0] == pytest.approx(expected)
    # without a threshold it is all: dt/2 coth(dt/(2 tau)) = dt (1 + a)/(1 - a)/2
    assert integrated_timescale(curve, 1e-9)[0] == pytest.approx(dt / 2 * (1 + a) / (1 - a), 1e-7)
    assert np.isnan(integrated_timescale(curve_of(np.full(9, 0.5))))[0]


def test_timescale_of_a_leak():
    assert leak_timescale(5.0, dt=1.0) == pytest.approx(4.4814, abs=1e-4)
    np.testing.assert_allclose(leak_timescale([1.0, 2.0], dt=1.0), [0, 1 / np.log(2)])
    np.testing.assert_allclose(leak_timescale([1e-2, 2.0]), [1e-2, 2.0])
    # to first order in dt they agree
    assert leak_timescale(1.0, dt=1e-4) == pytest.approx(1 - 0.5e-4, abs=1e-8)


# -- fits ------------------------------------------------------------------------------------------

LAG = DT * np.arange(200)
EXACT = {
    "exponential": (0.8 * np.exp(-LAG / 0.02), {"amplitude": 0.8, "timescale": 0.02}),
    "exponential + offset": (
        0.6 * (np.exp(-LAG / 0.03) + 0.25), {"amplitude": 0.6, "timescale": 0.03, "offset": 0.25}),
    "double exponential": (
        0.3 * np.exp(-LAG / 0.004) + 0.6 * np.exp(-LAG / 0.05),
        {"amplitude": 0.9, "timescale": 0.05}),
    "double exponential + offset": (
        0.3 * np.exp(-LAG / 0.004) + 0.6 * np.exp(-LAG / 0.05) - 0.1,
        {"amplitude": 0.9, "timescale": 0.05, "offset": -1 / 9}),
    "damped oscillation": (
        0.9 * np.exp(-LAG / 0.04) * np.cos(2 * np.pi * 30 * LAG - 0.2) / np.cos(0.2),
        {"timescale": 0.04, "frequency": 30.0, "phase": 0.2, "amplitude": 0.9}),
    "damped oscillation + offset": (
        0.7 * (np.exp(-LAG / 0.04) * np.cos(2 * np.pi * 8 * LAG) + 0.1),
        {"timescale": 0.04, "frequency": 8.0, "phase": 0.0, "offset": 0.1}),
}


@pytest.mark.parametrize("model", EXACT)
def test_exact_curves_are_recovered(model):
    y, expected = EXACT[model]
    found = autocorrelation_timescale(curve_of(y), model=model, max_lag=0.199, n_bootstrap=0,
                                      exclude_zero=True)
    scale = {"amplitude": 1 / y[0]}  # curves are 1 at lag 0
    assert found.converged and found.residual < 1e-7 and found.notes == ()
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value * scale.get(name, 1), abs=1e-5), name
    if model.startswith("double"):
        np.testing.assert_allclose(found.timescales, [0.004, 0.05], rtol=1e-4)
        np.testing.assert_allclose(found.shares, [1 / 3, 2 / 3], rtol=1e-4)
    np.testing.assert_allclose(found.predict(LAG) * y[0], y, atol=1e-6)
    np.testing.assert_allclose(found.fitted, found.predict(found.lag))


#: Section 8 of the sheet: tau = 20 ms, 100 trials, lags 0 to 59 ms; ms, mean and sd of 10 repeats.
TABLE = {
    200: ((11.0, 0.6), (20.4, 1.3), (19.2, 1.7)),
    500: ((15.5, 0.9), (19.4, 1.1), (20.1, 1.1)),
    2000: ((18.9, 0.5), (20.0, 0.4), (20.0, 0.6)),
}


@pytest.mark.parametrize("n_times", TABLE)
def test_bias_by_the_length_of_trials(n_times):
    """The published table, within the spread of both."""
    rng = np.random.default_rng(n_times)
    ways = [("within", "exponential"), (0.0, "exponential"), ("within", "exponential + offset")]
    found = np.zeros((20, 3))
    for row in found:
        x = ornstein_uhlenbeck(100, n_times, 0.02, rng)
        fits = [autocorrelation_timescale(x, DT, mean=mean, model=model, max_lag=59 * ms,
                                          n_bootstrap=0) for mean, model in ways]
        row[:] = [1e3 * fit.timescale for fit in fits]
    for values, (mean, sd) in zip(found.T, TABLE[n_times]):
        error = np.sqrt(values.var(ddof=1) / 20 + sd**2 / 10)
        assert abs(values.mean() - mean) < 4 * error
    # what the record says about it
    ratio = n_times * DT / 0.02
    removed = "mean was removed within trials" in " ".join(fits[0].notes)
    short = "below 20 every estimate is biased" in " ".join(fits[1].notes)
    assert removed and short == (ratio < 20) and "removed" not in " ".join(fits[2].notes)


def test_the_standard_error_is_the_spread_of_repeats():
    rng = np.random.default_rng(5)
    fits = [
        autocorrelation_timescale(ornstein_uhlenbeck(60, 400, 0.01, rng), DT, mean=0.0,
                                  max_lag=40 * ms, n_bootstrap=40, rng=k)
        for k in range(40)
    ]
    spread = np.std([fit.timescale for fit in fits], ddof=1)
    typical = np.mean([fit.standard_error for fit in fits])
    # a standard deviation of 40 numbers is known to 1/sqrt(78)
    assert typical / spread == pytest.approx(1, abs=4.5 / np.sqrt(78))
    assert {(fit.n_bootstrap, fit.n_failed) for fit in fits} == {(40, 0)}
    same = [autocorrelation_timescale(ornstein_uhlenbeck(9, 300, 0.01, np.random.default_rng(0)),
                                      DT, n_bootstrap=5, rng=7).standard_error for _ in range(2)]
    assert same[0] == same[1] > 0


def test_spike_counts_have_more_variance_at_lag_0():
    """Counts of a doubly stochastic Poisson process: only the rate's variance is correlated."""
    rng = np.random.default_rng(6)
    rate = 1.0 + 0.25 * ornstein_uhlenbeck(200, 1000, 0.03, rng)  # spikes in a bin
    counts = rng.poisson(np.maximum(rate, 0))
    wrong = autocorrelation_timescale(counts, DT, max_lag=0.1, n_bootstrap=0)
    right = autocorrelation_timescale(counts, DT, max_lag=0.1, exclude_zero=True, rng=0)
    assert abs(right.timescale - 0.03) < 4.5 * right.standard_error < 0.015
    assert right.amplitude == pytest.approx(0.25**2 / (1 + 0.25**2), rel=0.15)
    assert wrong.timescale < 0.5 * right.timescale
    assert "exclude_zero=True" in " ".join(wrong.notes) and right.notes == ()
    assert right.lag[0] == DT


def test_models_are_compared():
    """One exponential is chosen for one, two for two (AIC and BIC by hand)."""
    rng = np.random.default_rng(7)
    names = ["exponential", "double exponential"]
    n_single = {"AIC": 0, "BIC": 0}
    for _ in range(20):
        noisy = np.exp(-LAG[:60] / 0.02) + 0.02 * rng.standard_normal(60)
        noisy[0] = 1.0
        for criterion in n_single:
            found = autocorrelation_timescale(curve_of(noisy), model=names, n_bootstrap=0,
                                              criterion=criterion, max_lag=0.059)
            n_single[criterion] += found.model == "exponential"
            other = found.comparison[names[found.model == "exponential"]]
            squares = {fit.model: np.sum((fit.value - fit.fitted) ** 2) for fit in (found, other)}
            for fit, k in ((found, 2 * found.timescales.size), (other, 2 * other.timescales.size)):
                base = 60 * np.log(squares[fit.model] / 60)
                assert fit.aic == pytest.approx(base + 2 * k)
                assert fit.bic == pytest.approx(base + np.log(60) * k)
    assert n_single["AIC"] > 10 and n_single["BIC"] >= n_single["AIC"]
    two = 0.5 * np.exp(-LAG / 0.005) + 0.5 * np.exp(-LAG / 0.06)
    found = autocorrelation_timescale(curve_of(two + 0.01 * rng.standard_normal(200)), model=names,
                                      max_lag=0.199, n_bootstrap=0)
    assert found.model == "double exponential" and found.timescale == pytest.approx(0.06, rel=0.1)


def test_a_noisy_oscillator_has_the_frequency_and_decay_of_its_linear_system():
    """x' = rotation * decay * x + noise: C = exp(-k/tau) cos(omega k), exactly."""
    rng = np.random.default_rng(8)
    tau, frequency = 0.05, 20.0
    factor = np.exp(DT * (-1 / tau + 2j * np.pi * frequency))
    noise = rng.standard_normal((60, 3000)) + 1j * rng.standard_normal((60, 3000))
    x = lfilter([1], [1, -factor], noise, axis=1).real[:, 500:, None]
    found = autocorrelation_timescale(x, DT, mean=0.0, model=["exponential", "damped oscillation"],
                                      max_lag=0.15, rng=0)
    assert found.model == "damped oscillation"
    assert abs(found.timescale - tau) < 4.5 * found.standard_error < 0.2 * tau
    assert found.frequency == pytest.approx(frequency, rel=0.03)


def test_what_the_lags_do_not_determine_does_not_converge():
    flat = autocorrelation_timescale(curve_of(np.full(50, 1.0) - 1e-6 * np.arange(50)),
                                     n_bootstrap=50, max_lag=0.049)
    assert not flat.converged and "at the bound" in " ".join(flat.notes)
    assert np.isnan(flat.standard_error) and np.isnan(flat.integrated)
    one = autocorrelation_timescale(curve_of(np.exp(-LAG / 0.02)), model="double exponential",
                                    n_bootstrap=0)
    assert not one.converged and "fewer of them do" in one.notes[-1]
    slow = autocorrelation_timescale(curve_of(np.exp(-LAG / 0.02)), model="damped oscillation",
                                     n_bootstrap=0)
    assert not slow.converged
    single = autocorrelation_timescale(curve_of(np.exp(-LAG / 0.02)))
    assert np.isnan(single.standard_error) and "several trials" in single.notes[-1]


# -- units of a network ----------------------------------------------------------------------------


def test_a_leaky_unit_alone_has_the_timescale_of_its_leak():
    """x' = (1 - 1/tau) x + noise, tau = 5: 4.48 steps, within 5 % for 1e5 steps."""
    rng = np.random.default_rng(9)
    tau = np.array([2.0, 5.0, 9.0])
    noise = rng.standard_normal((2, 50_000, 3))
    x = np.stack([lfilter([1], [1, -(1 - 1 / t)], noise[..., k], axis=1)
                  for k, t in enumerate(tau)], axis=-1)
    x = np.concatenate([x, np.full((2, 50_000, 1), 0.7)], axis=-1)  # and one that never changes
    found = network_timescales(x, 1.0, max_lag=30.0, tau=[*tau, 3.0], is_discrete=True)
    np.testing.assert_allclose(found.leak[:3], -1 / np.log(1 - 1 / tau))
    np.testing.assert_allclose(found.network[:3], found.leak[:3], rtol=0.05)
    assert np.isnan(found.network[3]) and found.n_exponentials[3] == 0
    assert (found.n_constant, found.n_failed, found.max_lag) == (1, 0, 30.0)
    assert set(found.n_exponentials[:3]) <= {1, 2}


def test_a_network_can_be_slower_than_its_units():
    """Two units with tau = 1 step, coupled into a mode with eigenvalue 0.9."""
    rng = np.random.default_rng(10)
    n = 100_000
    mode = lfilter([1], [1, -0.9], rng.standard_normal(n))
    x = mode[:, None] * np.array([0.5, -0.5])
    found = network_timescales(x, 1.0, max_lag=30.0, tau=1.0, is_discrete=True)
    np.testing.assert_allclose(found.leak, 0)
    np.testing.assert_allclose(found.network, -1 / np.log(0.9), rtol=0.05)


# -- bad input -------------------------------------------------------------------------------------

X = np.random.default_rng(0).standard_normal((3, 50, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: autocorrelation(X), ValueError, "`dt` is missing: `x` has no coordinate `time`"),
        (lambda: autocorrelation(X, 0.0), ValueError, "`dt` must be positive"),
        (lambda: autocorrelation(X[:, :3], DT), ValueError, "at least 4 times; got 3"),
        (lambda: autocorrelation(X[:1], DT), ValueError, "'across trials' needs several trials"),
        (lambda: autocorrelation(X, DT, mean="median"), ValueError, "`mean` must be 'across tri"),
        (lambda: autocorrelation(X, DT, mean=[0.0] * 3), ValueError, r"one a unit, \(2,\)"),
        (lambda: autocorrelation(X, DT, max_lag=0.05), ValueError, "below the length of a trial"),
        (lambda: autocorrelation(X * [1, 0], DT), ValueError, r"1 of 2 units is the same .*unit 1"),
        (lambda: autocorrelation(0 * X + 0.1, DT, mean="within"), ValueError, "never changes"),
        (lambda: autocorrelation(np.where(X > 2, np.nan, X), DT), ValueError,
         "`x` must be finite; got nan"),
        (lambda: autocorrelation(np.zeros((2, 2, 2, 2)), DT), ValueError, r"got shape \(2, 2, 2"),
        (lambda: autocorrelation(xr.DataArray(X[0], dims=["a", "b"])), ValueError,
         "must have a dimension `time`"),
        (lambda: autocorrelation(xr.Dataset({"E.r": (("time",), X[0, :, 0])})), TypeError,
         "whole Dataset"),
        (lambda: autocorrelation(xr.DataArray(X[0, :4], dims=["time", "u"],
                                              coords={"time": [0.0, 1, 2, 4]})), ValueError,
         "evenly sampled"),
        (lambda: integrated_timescale(X), TypeError, "`curve` must be what autocorrelation"),
        (lambda: integrated_timescale(curve_of(LAG), 1.0), ValueError, "`threshold` must be"),
        (lambda: leak_timescale(0.5, dt=1.0), ValueError, "`tau` must be at least dt = 1"),
        (lambda: leak_timescale(-0.5), ValueError, "`tau` must be positive"),
        (lambda: autocorrelation_timescale(X, DT, model="exponental"), ValueError,
         "did you mean 'exponential'"),
        (lambda: autocorrelation_timescale(X, DT, model=[]), ValueError, "got an empty list"),
        (lambda: autocorrelation_timescale(X, DT, criterion="DIC"), ValueError, "`criterion`"),
        (lambda: autocorrelation_timescale(X, DT, unit=2), ValueError, "`unit` must be below 2"),
        (lambda: autocorrelation_timescale(X, DT, max_lag=2 * ms, model="double exponential"),
         ValueError, "too short for `model`: 3 lags do not determine 4"),
        (lambda: autocorrelation_timescale(X, DT, max_lag=1.0), ValueError, "`max_lag` must be"),
        (lambda: autocorrelation_timescale(X, DT, rng="x"), TypeError, "`rng` must be"),
        (lambda: network_timescales(X, DT, max_lag=0.02, tau=[1.0] * 3), ValueError,
         r"one a unit, \(2,\)"),
        (lambda: network_timescales(0 * X, DT, max_lag=0.02), ValueError, "`x` never changes"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
