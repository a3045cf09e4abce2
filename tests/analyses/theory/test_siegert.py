"""Rate and CV of leaky integrate-and-fire units on white noise, against integrals, limits, runs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn.analyses.theory.siegert import siegert_cv, siegert_rate
from neurodyn.units import UnitError

#: Arguments in the order of the functions, the rate and the CV to 14 digits or more: the formulas
#: in 30-digit arithmetic, tanh-sinh quadrature. In mV and ms, so rates in kHz.
REFERENCES = [
    ((15, 5, 20, 20, 10, 2), 0.0094607998057591261, 0.81475721165945),
    ((25, 1e-3, 20, 20, 10, 2), 0.041714907183505388, 0.00011123974939935),
    ((0, 1, 20, 20, 10, 0), 1.079164690849399e-174, 1.0),
    ((30, 2, 20, 20, 10, 2), 0.063620469527388762, 0.15129118796512),
    ((203.5, 14.7, 20, 20, 10, 2), 0.32700521782842157, 0.11667310167801),
    ((10, 8, 10, 12, -5, 0), 0.045724410646019498, 0.64636425009036),
]


@pytest.mark.parametrize("arguments, rate, cv", REFERENCES)
def test_agrees_with_high_precision(arguments, rate, cv):
    assert_allclose(siegert_rate(*arguments), rate, rtol=1e-12)
    assert_allclose(siegert_cv(*arguments), cv, rtol=1e-11)


@pytest.mark.parametrize("lower, upper", [(-4, -1), (-3, 0), (-2, 2.5), (0, 3), (1, 4), (1, 1.01)])
def test_is_the_integral(lower, upper):
    """The formulas as they are printed, by adaptive quadrature, where they do not overflow."""
    from scipy.integrate import quad
    from scipy.special import erfc  # 1 + erf(u) = erfc(-u), without a difference of ones

    def inner(x):
        return quad(lambda y: np.exp(y**2) * erfc(-y) ** 2, -9, x, epsabs=0, epsrel=1e-10)[0]

    tau, tau_ref = 20e-3, 3e-3
    integral = quad(lambda u: np.exp(u**2) * erfc(-u), lower, upper, epsabs=0, epsrel=1e-12)[0]
    double = quad(lambda x: np.exp(x**2) * inner(x), lower, upper, epsabs=0, epsrel=1e-9)[0]
    rate = 1 / (tau_ref + tau * np.sqrt(np.pi) * integral)
    arguments = dict(mean=0.0, sigma=1.0, tau=tau, v_threshold=upper, v_reset=lower)
    assert_allclose(siegert_rate(**arguments, tau_ref=tau_ref), rate, rtol=1e-11)
    assert_allclose(siegert_cv(**arguments, tau_ref=tau_ref),
                    np.sqrt(2 * np.pi * double) * rate * tau, rtol=1e-8)


@pytest.mark.parametrize("sigma", [0, 1e-300, 1e-12, 1e-6])
def test_without_noise_it_is_the_clock(sigma):
    """``1 / (tau_ref + tau log((mean - reset) / (mean - threshold)))``, silent below threshold."""
    exact = 1 / (2e-3 + 20e-3 * np.log(15 / 5))
    mean = np.array([25e-3, 20e-3 - 1e-4, 0.0])
    found = siegert_rate(mean, sigma, 20e-3, 20e-3, 10e-3, 2e-3)
    assert_allclose(found, [exact, 0, 0], rtol=1e-6)
    assert siegert_cv(25e-3, sigma, 20e-3, 20e-3, 10e-3) < 1e-3


def test_rare_spikes_are_a_poisson_process():
    """CV 1, and a rate that becomes 0 when a float cannot hold it, without a warning."""
    sigma = np.array([1e-3, 1e-4, 1e-5])
    assert_allclose(siegert_cv(0.0, sigma, 20e-3, 20e-3, 10e-3), 1, rtol=1e-9)
    rate = siegert_rate(0.0, sigma, 20e-3, 20e-3, 10e-3)
    assert 0 < rate[0] < 1e-170 and list(rate[1:]) == [0, 0]
    assert np.isnan(siegert_cv(0.0, 0.0, 20e-3, 20e-3, 10e-3))


def test_saturates_at_the_refractory_time():
    assert_allclose(siegert_rate(1e6, 1.0, 20e-3, 20e-3, 10e-3, 2e-3), 500, rtol=1e-6)


@pytest.mark.parametrize("mean, sigma", [(15, 5), (25, 5), (18, 3)])
def test_agrees_with_a_simulation(mean, sigma):
    """Below, at and above threshold, within 4.5 standard errors and the O(dt) that is left.

    Noise that is looked at once a step crosses a threshold later than noise that is always seen:
    as if the threshold were ``-zeta(1/2)/sqrt(2 pi) = 0.5826`` steps of the noise higher
    (Siegmund 1985), 3 % of the rate here. What remains is linear in dt, 0.2 % here.
    """
    n, dt = 2000, 0.02e-3
    unit = nd.Population(
        n, "dv/dt = (mean - v)/tau + sigma*xi/sqrt(tau) : volt (unless refractory)",
        threshold="v > v_threshold", reset="v = v_reset", refractory=2*nd.ms, tau=20*nd.ms,
        mean=mean*nd.mV, sigma=sigma*nd.mV, v_threshold=20*nd.mV, v_reset=10*nd.mV, v=10*nd.mV)
    ds = nd.simulate(nd.Network({"E": unit}), nd.Euler(dt=dt), 2.5, rng=1)
    trains = nd.analyses.spike_trains(ds, "E", t_start=0.5)
    found = nd.analyses.firing_rates(trains)
    threshold = 20 + 0.5826 * sigma * np.sqrt(dt / 20e-3)
    theory = (mean, sigma, 20e-3, threshold, 10, 2e-3)
    rate, cv = siegert_rate(*theory), siegert_cv(*theory)
    assert abs(found.mean - rate) < 4.5 * found.sd / np.sqrt(n) + 0.003 * rate
    # of all units together, since a unit's own has few intervals; long ones do not fit into the
    # window, which the 1 % allows for
    intervals = nd.analyses.interspike_intervals(trains).interval
    error = np.sqrt((1 + 2 * cv**2) / intervals.size) * cv
    assert abs(intervals.std() / intervals.mean() - cv) < 4.5 * error + 0.01 * cv


def test_broadcasts_and_takes_quantities():
    mean = np.linspace(0, 30, 4)[:, None]
    rate = siegert_rate(mean, np.array([1.0, 5.0]), 0.02, 20, 10)
    assert rate.shape == (4, 2)
    assert_allclose(rate[1, 1], siegert_rate(10*nd.mV, 5*nd.mV, 20*nd.ms, 20*nd.mV, 10*nd.mV))
    assert np.all(np.diff(rate, axis=0) > 0)
    assert isinstance(float(siegert_rate(15, 5, 0.02, 20, 10)), float)


@pytest.mark.parametrize("change, message", [
    ({"v_threshold": 10}, "`v_threshold` must be above `v_reset`; got 10 and 10"),
    ({"tau": 0}, "`tau` must be positive; got 0"),
    ({"sigma": [1, -1]}, "`sigma` must be 0 or more; got -1"),
    ({"tau_ref": -1e-3}, "`tau_ref` must be 0 or more; got -0.001"),
    ({"mean": np.nan}, "`mean` must be finite; got nan"),
])
def test_refuses(change, message):
    good = {"mean": 15, "sigma": 5, "tau": 0.02, "v_threshold": 20, "v_reset": 10}
    for function in (siegert_rate, siegert_cv):
        with pytest.raises(ValueError, match=message):
            function(**good | change)


def test_units_must_fit():
    with pytest.raises(UnitError, match="`sigma` must be in V; got A"):
        siegert_rate(15*nd.mV, 5*nd.mA, 20*nd.ms, 20*nd.mV, 10*nd.mV)
    with pytest.raises(UnitError, match="`tau` must be in s; got V"):
        siegert_rate(15*nd.mV, 5*nd.mV, 20*nd.mV, 20*nd.mV, 10*nd.mV)
