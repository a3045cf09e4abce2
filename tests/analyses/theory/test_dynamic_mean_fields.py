"""Dynamic mean-field theory, against published values, direct integrals, exact limits and runs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import dblquad, quad, solve_ivp
from scipy.optimize import brentq

import neurodyn as nd
from neurodyn.analyses import dynamic_mean_field

#: Gain, Delta_0, lambda_max and half-width of the autocorrelation, tanh, from another solver
#: (trapezoidal quadrature in the plane, integration in time), to the digits that it gave.
TABLE = [
    (1.05, 0.0528, 0.00106, 49.6),
    (1.1, 0.1111, 0.00371, 26.7),
    (1.2, 0.2426, 0.0119, 15.0),
    (1.5, 0.7477, 0.0468, 7.85),
    (2, 1.9248, 0.1125, 5.40),
    (3, 5.446, 0.2355, 4.1),
    (5, 16.96, 0.434, 3.5),
    (10, 71.4, 0.774, 3.15),
]


def density(z):
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def average(f, sd):
    """<f(sd z)> by adaptive quadrature."""
    return quad(lambda z: density(z) * f(sd * z), -9, 9, epsabs=1e-13, epsrel=1e-12, limit=500)[0]


def correlation(f, rho, variance):
    """<f(x) f(y)> of Gaussian x, y of that variance and correlation, by quadrature in the plane."""
    def integrand(u, v):
        x = np.sqrt(variance) * u
        y = np.sqrt(variance) * (rho * u + np.sqrt(1 - rho**2) * v)
        return density(u) * density(v) * f(x) * f(y)

    return dblquad(integrand, -8, 8, -8, 8, epsabs=1e-10, epsrel=1e-9)[0]


@pytest.mark.parametrize("g, variance, exponent, half_width", TABLE)
def test_agrees_with_another_solver(g, variance, exponent, half_width):
    """The variance to the last digit given, the exponent to one of it, half-widths to 1.5 %."""
    theory = dynamic_mean_field(g)
    assert theory.is_chaotic
    assert float(f"{theory.variance:.{len(f'{variance:.12g}'.replace('.', '').strip('0'))}g}") == (
        pytest.approx(variance, rel=1e-12)
    )
    last = 10.0 ** -len(f"{exponent:.12g}".split(".")[1])
    assert abs(theory.lyapunov_exponent - exponent) < 1.01 * last
    assert_allclose(theory.half_width, half_width, rtol=0.015)


@pytest.mark.parametrize("g", [1.05, 2, 10])
def test_carries_its_evidence(g):
    """The first excited level is exactly 0, since Delta'(t) is its state: not used anywhere."""
    theory = dynamic_mean_field(g)
    assert theory.energy_residual < 1e-14
    assert theory.series_residual < 1e-12
    assert theory.lyapunov_error < 1e-8
    assert theory.translation_residual < 1e-8


@pytest.mark.parametrize("g", [1.3, 4.0])
def test_variance_solves_the_energy_equation(g):
    """``Delta_0^2/2 = g^2 Var log cosh``, by adaptive quadrature."""
    theory = dynamic_mean_field(g)
    sd = np.sqrt(theory.variance)

    def log_cosh(x):
        return np.logaddexp(x, -x) - np.log(2)

    mean = average(log_cosh, sd)
    spread = average(lambda x: (log_cosh(x) - mean) ** 2, sd)
    assert_allclose(theory.variance**2 / 2, g**2 * spread, rtol=1e-10)
    assert_allclose(theory.rate_variance, average(lambda x: np.tanh(x) ** 2, sd), rtol=1e-10)


def test_curve_obeys_the_equation_of_motion():
    """``Delta'' = Delta - g^2 <phi(x) phi(y)>`` along the curve: integrals in the plane."""
    g = 2.5
    theory = dynamic_mean_field(g)
    h = 0.05
    for t in (0.0, 1.0, 4.0):
        around = theory.autocovariance(t + h * np.arange(-2, 3))
        second = around @ np.array([-1, 16, -30, 16, -1]) / (12 * h**2)
        rho = min(theory.autocorrelation(t), 1.0)
        force = around[2] - g**2 * correlation(np.tanh, rho, theory.variance)
        assert_allclose(second, force, atol=3e-5 * theory.variance)
    assert_allclose(theory.autocorrelation(theory.half_width), 0.5, rtol=1e-8)
    assert_allclose(theory.autocovariance([-1.0]), theory.autocovariance([1.0]))
    late = theory.autocovariance([60.0, 61.0])
    assert_allclose(np.log(late[0] / late[1]), theory.decay_rate, rtol=1e-6)


def test_exponent_by_shooting():
    """The even state of the well, integrated from 0, has to fall off at the exponent's energy."""
    g = 2.0
    theory = dynamic_mean_field(g)
    # closed form for phi = erf(sqrt(pi)/2 x): <phi'(x) phi'(y)> = 1/sqrt((1 + a)^2 - a^2 rho^2)
    erf = dynamic_mean_field(g, "erf")
    a = np.pi / 2 * erf.variance
    assert_allclose(erf.rate_variance, 2 / np.pi * np.arcsin(a / (1 + a)), rtol=1e-10)

    def well(t):
        rho = erf.autocorrelation(t)
        return 1 - g**2 / np.sqrt((1 + a) ** 2 - (a * rho) ** 2)

    def end(energy):
        def equation(t, y):
            return [y[1], (well(t) - energy) * y[0]]

        found = solve_ivp(equation, (0, 20), [1.0, 0.0], rtol=1e-9, atol=1e-12, method="DOP853")
        return found.y[0, -1] / np.abs(found.y[0]).max()

    guess = 1 - (1 + erf.lyapunov_exponent) ** 2
    level = brentq(end, guess - 1e-3, guess + 1e-3, xtol=1e-9)
    assert_allclose(erf.lyapunov_exponent, -1 + np.sqrt(1 - level), atol=1e-7)
    assert theory.lyapunov_exponent != erf.lyapunov_exponent


def test_near_its_onset():
    """``Delta_0 = (g - 1) + O((g - 1)^2)`` and ``lambda_max ~ (g - 1)^2/2``."""
    small = np.array([4e-3, 2e-3])
    theories = [dynamic_mean_field(1 + e) for e in small]
    ratio = np.array([t.variance for t in theories]) / small
    exponent = np.array([t.lyapunov_exponent for t in theories]) / (small**2 / 2)
    for found in (ratio, exponent):  # extrapolated to the onset
        assert_allclose(2 * found[1] - found[0], 1, atol=2e-3)


@pytest.mark.parametrize("g", [0.0, 0.4, 1.0])
def test_below_its_onset_all_decays(g):
    theory = dynamic_mean_field(g)
    assert theory.regime == "fixed point" and theory.variance == 0
    assert_allclose(theory.lyapunov_exponent, -1 + g)
    assert np.isnan(theory.half_width) and np.all(theory.autocovariance([0, 1]) == 0)


def test_a_steeper_function_is_a_larger_gain():
    """phi(x) = tanh(2 x): y = 2 x obeys the equation of tanh with twice the gain."""
    steep = dynamic_mean_field(1.2, lambda x: np.tanh(2 * x))
    plain = dynamic_mean_field(2.4)
    assert_allclose(steep.critical_gain, 0.5)
    assert_allclose(4 * steep.variance, plain.variance, rtol=1e-9)
    assert_allclose(steep.lyapunov_exponent, plain.lyapunov_exponent, rtol=1e-6)
    assert_allclose(dynamic_mean_field(0.4, lambda x: np.tanh(2 * x)).lyapunov_exponent, -0.2)


def test_noise_alone_is_an_ornstein_uhlenbeck_process():
    theory = dynamic_mean_field(0.0, sigma=0.7)
    t = np.array([0, 0.3, 2.0])
    assert_allclose(theory.autocovariance(t), 0.49 * np.exp(-t), rtol=1e-7)
    assert_allclose(theory.half_width, np.log(2), rtol=1e-9)
    assert theory.lyapunov_exponent == -1 and theory.regime == "driven"
    # its well is shallow: between its edge, -1 + g <phi'>, and its bottom, -1 + g sqrt(<phi'^2>)
    weak = dynamic_mean_field(0.05, sigma=0.7)
    sd = np.sqrt(weak.variance)
    slope = average(lambda x: np.cosh(x) ** -2, sd)
    square = average(lambda x: np.cosh(x) ** -4, sd)
    assert -1 + 0.05 * slope < weak.lyapunov_exponent < -1 + 0.05 * np.sqrt(square)


def test_noise_delays_chaos_to_where_theory_says():
    """The exponent is 0 where ``Delta_0 = g^2 <phi^2>`` (Schuecker et al. 2018), g > 1."""
    g = brentq(lambda g: dynamic_mean_field(g, sigma=0.5).lyapunov_exponent, 1.6, 1.75, xtol=1e-5)
    theory = dynamic_mean_field(g, sigma=0.5)
    assert g > 1.61
    assert_allclose(theory.variance, g**2 * theory.rate_variance, rtol=3e-5)


def simulated_autocovariance(g, sigma, n, seed, lags, duration=120, dt=0.1, every=0.5):
    """Delta at lags (in samples) of one network, over units and time."""
    W = nd.weights.gaussian(n, gain=g, rng=seed)
    net = nd.rate_network(W, tau=1.0, sigma=sigma, x=lambda rng, size: rng.normal(size=size))
    solver = nd.Heun(dt=dt) if sigma else nd.RK4(dt=dt)
    ds = nd.simulate(net, solver, duration + 30, record=["E.x"], every=every, rng=seed)
    x = ds["E.x"].values[0, int(30 / every):]
    return np.array([np.mean(x[: len(x) - k] * x[k:]) for k in lags])


@pytest.mark.parametrize("g, sigma", [(2.5, 0.0), (1.5, 0.6)])
def test_agrees_with_simulated_networks(g, sigma):
    """Within 4 standard errors over networks, and 3 % for their finite size and the step."""
    lags = np.array([0, 2, 8])
    found = np.array([simulated_autocovariance(g, sigma, 300, k, lags) for k in range(4)])
    theory = dynamic_mean_field(g, sigma=sigma)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    expected = theory.autocovariance(0.5 * lags)
    assert np.all(error < 0.1 * theory.variance)  # else the comparison says nothing
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4 * error + 0.03 * theory.variance)


@pytest.mark.slow
def test_exponent_agrees_with_simulated_networks():
    """N = 1000: a few percent below the limit, as published for this size (0.217 of 0.2355)."""
    found = []
    for seed in range(3):
        net = nd.rate_network(nd.weights.gaussian(1000, gain=3.0, rng=seed), tau=1.0,
                              x=lambda rng, size: rng.normal(size=size))
        spectrum = nd.analyses.lyapunov_exponent(net, nd.RK4(dt=0.1), duration=300.0,
                                                 transient=50.0, rng=seed)
        found.append(spectrum.exponents[0])
    expected = dynamic_mean_field(3.0).lyapunov_exponent
    error = np.std(found, ddof=1) / np.sqrt(3)
    assert abs(np.mean(found) - 0.92 * expected) < 4 * error + 0.04 * expected


@pytest.mark.parametrize("arguments, message", [
    ((-1.0,), "`g` must be a number of at least 0; got -1.0"),
    ((2.0, "tan"), '`phi` must be one of "tanh", "erf", or a function; got \'tan\''),
    ((2.0, lambda x: np.maximum(x, 0)), "`phi` must be bounded; .* 10000 at 1e4 and 1e\\+08"),
    ((2.0, lambda x: np.tanh(x + 1)), "`phi` must be odd"),
    ((2.0, lambda x: np.tanh(x) ** 3), "`phi` must be sigmoidal: rising, and steepest at 0"),
])
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        dynamic_mean_field(*arguments)


def test_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="`sigma` must be a number of at least 0; got -0.5"):
        dynamic_mean_field(2.0, sigma=-0.5)
    with pytest.raises(TypeError, match="`phi` must be a name such as"):
        dynamic_mean_field(2.0, 3)
    with pytest.raises(ArithmeticError, match="has a corner, or g is too large"):
        dynamic_mean_field(2.0, lambda x: np.clip(x, -1, 1))
