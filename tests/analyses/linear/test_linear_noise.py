"""Covariance, lags and spectra against closed forms, each other, and simulations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad_vec, solve_ivp
from scipy.linalg import solve_discrete_lyapunov

import neurodyn as nd
from neurodyn.analyses import (
    lagged_covariance,
    noise_covariance,
    participation_ratio,
    power_spectrum,
)


@pytest.fixture(scope="module")
def stable():
    """A matrix far from normal, and noise of fewer sources than states."""
    rng = np.random.default_rng(0)
    J = rng.normal(size=(6, 6)) + 3 * np.triu(rng.normal(size=(6, 6)), 1)
    return J - (np.linalg.eigvals(J).real.max() + 0.5) * np.eye(6), rng.normal(size=(6, 3))


def test_ornstein_uhlenbeck_units():
    """A unit of rate_network with noise sigma has the standard deviation sigma."""
    found = noise_covariance(nd.rate_network(np.zeros((3, 3)), tau=0.02, sigma=0.3))
    assert_allclose(found.covariance, 0.09 * np.eye(3), atol=1e-15)
    assert_allclose(found.lagged([0.0, 0.02, -0.04])[:, 0, 0], 0.09 * np.exp([0, -1, -2]))
    assert found.participation_ratio == pytest.approx(3)


def test_covariance_is_the_integral_of_the_impulse_response(stable):
    """C = integral of exp(J t) B B' exp(J' t), as a differential equation."""
    J, B = stable
    def rates(t, y):
        P = y[:36].reshape(6, 6)
        return np.concatenate([(J @ P).ravel(), (P @ B @ B.T @ P.T).ravel()])
    y = np.concatenate([np.eye(6).ravel(), np.zeros(36)])
    run = solve_ivp(rates, (0, 60), y, method="DOP853", rtol=1e-10, atol=1e-12)
    found = noise_covariance(J, noise=B)
    assert_allclose(found.covariance, run.y[36:, -1].reshape(6, 6), rtol=1e-6, atol=1e-8)
    assert found.residual < 1e-12


def test_spectrum_integrates_to_the_covariance(stable):
    """Over all frequencies; with ``f = tan(angle)`` the integral is over a finite range."""
    J, B = stable
    def integrand(angle):
        f = np.tan(angle)
        return power_spectrum(J, f, noise=B).spectrum[0] / np.cos(angle) ** 2
    whole, _ = quad_vec(integrand, -np.pi/2 + 1e-9, np.pi/2 - 1e-9, epsrel=1e-8)
    assert_allclose(whole.imag, 0, atol=1e-6)
    assert_allclose(whole.real, noise_covariance(J, noise=B).covariance, rtol=1e-5, atol=1e-6)


def test_spectrum_is_the_transform_of_the_lagged_covariance(stable):
    J, B = stable
    covariance = noise_covariance(J, noise=B)
    f = 0.3
    transform, _ = quad_vec(
        lambda s: covariance.lagged(s)[0] * np.exp(-2j*np.pi*f*s), -60, 60, points=[0.0],
        epsrel=1e-9, limit=2000)
    assert_allclose(transform, power_spectrum(J, f, noise=B).spectrum[0], rtol=1e-5, atol=1e-6)


def test_spectrum_of_a_map_integrates_to_its_covariance(stable):
    A, B = 0.1 * stable[0] + np.eye(6), stable[1]
    f = (np.arange(4096) + 0.5) / 4096 - 0.5  # the midpoint rule is exact for periodic functions
    spectrum = power_spectrum(A, f, noise=B, is_map=True).spectrum
    found = noise_covariance(A, noise=B, is_map=True)
    assert_allclose(spectrum.mean(axis=0).real, found.covariance, rtol=1e-6, atol=1e-9)
    assert_allclose(found.covariance, solve_discrete_lyapunov(A, B @ B.T), rtol=1e-9)
    assert_allclose(found.lagged([2])[0], A @ A @ found.covariance)


def test_coherence_of_shared_noise():
    """Two units with one source are coherent, two with their own are not."""
    J = -np.diag([1.0, 2.0])
    together = power_spectrum(J, [0.0, 1.0], noise=[[1.0], [3.0]])
    assert_allclose(together.coherence, 1, rtol=1e-12)
    apart = power_spectrum(J, [0.0, 1.0], noise=[1.0, 3.0])
    assert_allclose(apart.coherence, np.eye(2)[None].repeat(2, 0), atol=1e-15)
    assert_allclose(apart.power[1], [1, 9] / (np.array([1, 4]) + 4*np.pi**2))


@pytest.mark.parametrize("g, published, sd", [(0.3, 0.8281, 0.0020), (0.5, 0.5625, 0.0075)])
def test_dimension_of_a_random_network(g, published, sd):
    """PR/N of slow noise is (1 - g**2)**2: the spectrum at frequency 0 is (1 - W)^-1 (1 - W)^-T.

    `sd` is the standard deviation over 40 networks of N = 200; 5 of them are allowed.
    """
    n = 200
    W = nd.weights.gaussian(n, gain=g, rng=1)
    net = nd.rate_network(W, tau=0.1, sigma=1.0)
    at_rest = power_spectrum(net, 0.0).spectrum[0].real
    assert abs(participation_ratio(at_rest) / n - published) < 5 * sd


def test_agrees_with_a_simulation():
    """Steps of Euler's method have the covariance of the map that they are; 4.5 standard errors.

    Covariances of n independent Gaussian samples have the variance (C_ii C_jj + C_ij**2)/n; trials
    are independent, and the last state of each is taken.
    """
    W = np.array([[0.4, -1.2, 0.0], [1.5, 0.0, 0.3], [0.0, 2.0, -0.5]])
    net = nd.rate_network(W, tau=0.1, sigma=0.02)
    dt, n = 5e-3, 20_000
    theory = noise_covariance(net, solver=nd.Euler(dt=dt))
    ds = nd.simulate(net, nd.Euler(dt=dt), 1.5, trials=n, record=[], rng=0)
    x = net.pack(nd.final_state(ds))
    C = theory.covariance
    error = np.sqrt((np.outer(np.diag(C), np.diag(C)) + C**2) / n)
    # x - tanh(x) is x**3/3, a part of 3*var/3 of x in the mean: 1e-3 here
    assert np.all(np.abs(np.cov(x.T) - C) < 4.5 * error + 3e-3 * np.abs(C).max())
    flow = noise_covariance(net).covariance
    assert np.abs(flow - C).max() > 0.02 * C.max()  # the step does matter
    fine = noise_covariance(net, solver=nd.Euler(dt=1e-5)).covariance
    assert_allclose(fine, flow, rtol=1e-3)


def test_spectrum_agrees_with_the_periodogram_of_a_simulation():
    """Each periodogram is exponential around the density: the mean of n has the error S/sqrt(n)."""
    net = nd.rate_network([[0.0, -8.0], [8.0, 0.0]], tau=0.1, sigma=0.01)
    dt, n_times, trials = 2e-3, 4000, 400
    ds = nd.simulate(net, nd.Euler(dt=dt), n_times*dt + 1.0, trials=trials, record=["E.x"], rng=2)
    x = ds["E.x"].sel(time=slice(1.0, None)).values[:, :n_times]
    # windowed, as else the power of the peak leaks into the flanks
    window = np.hanning(n_times)
    y = np.fft.rfft(x * window[:, None], axis=1)
    measured = dt * (np.abs(y) ** 2).mean(axis=0) / np.sum(window**2)
    f = np.fft.rfftfreq(n_times, dt)[5:200]
    expected = power_spectrum(net, f, solver=nd.Euler(dt=dt)).power
    ratio = measured[5:200] / expected
    assert np.all(np.abs(ratio - 1) < 5 / np.sqrt(trials))
    assert abs(ratio.mean() - 1) < 5 / np.sqrt(trials * 195 / 3)
    assert f[expected[:, 0].argmax()] == pytest.approx(8 / (2*np.pi*0.1), rel=0.05)


def test_noise_is_taken_at_the_point_and_from_the_inputs():
    unit = nd.Population(1, "dx/dt = (I - x)/tau + x*xi/sqrt(tau) : 1", tau=0.1)
    net = nd.Network({"E": unit})
    found = noise_covariance(net, inputs={"E.I": 3.0})
    assert_allclose(found.linearisation.x, 3)
    assert_allclose(found.covariance, 9 / 2)


def test_options():
    net = nd.rate_network(np.zeros((2, 2)), tau=0.1)
    assert_allclose(noise_covariance(net, noise=2.0).covariance, 4 * 0.1 / 2 * np.eye(2))
    assert_allclose(lagged_covariance(net, [0.1], noise=2.0)[0], 0.2 / np.e * np.eye(2))
    one = power_spectrum(net, [1.0] * nd.Hz, noise=2.0, states="E.x[1]")
    assert one.spectrum.shape == (1, 1, 1) and one.state_names == ("E.x[1]",)
    flow = nd.Flow(lambda x: -x, 2)
    assert_allclose(noise_covariance(flow, noise=[[1.0], [1.0]]).covariance, np.full((2, 2), 0.5))


def test_an_unstable_system_has_no_covariance():
    net = nd.rate_network(1.5 * np.eye(2), tau=0.1, sigma=0.1)
    for call in (noise_covariance, lambda net: power_spectrum(net, [1.0]),
                 lambda net: lagged_covariance(net, [0.1])):  # fmt: skip
        with pytest.raises(ValueError, match=r"unstable \(eigenvalue with real part 5, not below 0"
                                             r"\): it has no stationary state. Take a stable"):  # fmt: skip
            call(net)
    with pytest.raises(ValueError, match="the linear system is marginal"):
        noise_covariance(np.zeros((1, 1)), noise=1.0)
    with pytest.raises(ValueError, match="eigenvalue of size 1.5, not below 1"):
        noise_covariance([[1.5]], noise=1.0, is_map=True)
    # at its stable fixed point it has
    quiet = nd.rate_network(1.5 * np.eye(2), tau=0.1)
    x = nd.analyses.fixed_points(quiet, starts=[[1.3, 1.3]], rng=0).select("stable").x[0]
    slope = 1 - np.tanh(x[0]) ** 2
    assert_allclose(noise_covariance(net, x).covariance[0, 0], 0.01 / (1 - 1.5 * slope))


def test_refuses():
    net = nd.rate_network(np.zeros((2, 2)), tau=0.1)
    with pytest.raises(ValueError, match="the network has no noise: write a term such as"):
        noise_covariance(net)
    with pytest.raises(ValueError, match="`noise` is needed, as the system is no network"):
        noise_covariance(-np.eye(2))
    with pytest.raises(ValueError, match=r"`noise` must be one number, \(2,\) or \(2, m\), .*\(3,\)"):
        noise_covariance(net, noise=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="`noise` is 0 everywhere"):
        noise_covariance(net, noise=0.0)
    with pytest.raises(ValueError, match="`states` of a matrix are numbers from 0 to 1; got .*E.x"):
        power_spectrum(-np.eye(2), [1.0], noise=1.0, states="E.x")
    with pytest.raises(ValueError, match="`states`: no state `E.y`"):
        power_spectrum(net, [1.0], noise=1.0, states="E.y")
    with pytest.raises(ValueError, match="`lags` of a map must be whole steps of 0.01; got 0.015"):
        lagged_covariance(net, [0.015], noise=1.0, solver=nd.Euler(dt=0.01))
    with pytest.raises(ValueError, match=r"`frequencies` must be numbers.*got shape \(1, 2\)"):
        power_spectrum(net, [[1.0, 2.0]], noise=1.0)
    with pytest.raises(ValueError, match="`frequencies` must be finite"):
        power_spectrum(net, [np.nan], noise=1.0)
