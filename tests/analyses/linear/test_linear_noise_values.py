"""Noise and responses of linear systems: naive twins, sums over the past, runs, closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm

import neurodyn as nd
from neurodyn import analyses
from neurodyn.units import UnitError


def far_from_normal(n, rng):
    """A random matrix whose eigenvalues have real parts of at most -1."""
    A = rng.normal(size=(n, n)) / np.sqrt(n) + 2 * np.triu(rng.normal(size=(n, n)), 1)
    return A - (np.linalg.eigvals(A).real.max() + 1) * np.eye(n)


@pytest.fixture(scope="module")
def net():
    """Two populations of which one has noise, coupled; linear, so that all is exact."""
    rng = np.random.default_rng(3)
    return nd.Network(
        {
            "E": nd.Population(
                3, "dx/dt = (-x + I + I_ext)/tau + s*xi/sqrt(tau) : 1", tau=0.02, s=[0.5, 1.0, 0.2]
            ),
            "a": nd.Population(2, "dy/dt = (-y + g*u)/tau : 1", tau=0.1, g=2.0),
        },
        [
            nd.Coupling("E.x", "E.I", rng.normal(size=(3, 3)) * 0.3),
            nd.Coupling("E.x", "a.u", rng.normal(size=(2, 3)) * 0.5),
            nd.Coupling("a.y", "E.I", -np.abs(rng.normal(size=(3, 2)))),
        ],
    )


# ------------------------------------------------------------------------------- covariance


def test_covariance_of_a_map_is_the_sum_over_the_past():
    rng = np.random.default_rng(1)
    A, B = far_from_normal(12, rng), rng.normal(size=(12, 5))
    A *= 0.8 / np.abs(np.linalg.eigvals(A)).max()
    term, total = B @ B.T, np.zeros((12, 12))
    for _ in range(600):
        total += term
        term = A @ term @ A.T
    found = analyses.noise_covariance(A, noise=B, is_map=True)
    assert_allclose(found.covariance, total, rtol=1e-8, atol=1e-10 * np.abs(total).max())


def test_network_brings_its_own_noise(net):
    """B, from `xi` in one of two populations; and a twin that solves for 25 unknowns."""
    J, Q = net.jacobian(np.zeros(5)), np.diag([0.25, 1, 0.04, 0, 0]) / 0.02
    twin = np.kron(J, np.eye(5)) + np.kron(np.eye(5), J)
    C = np.linalg.solve(twin, -Q.ravel()).reshape(5, 5)
    assert_allclose(analyses.noise_covariance(net).covariance, C, rtol=1e-9)


def test_is_the_covariance_of_runs(net):
    """That of the steps of Euler's method, dt and all, within 5 standard errors over trials."""
    solver, n = nd.Euler(dt=4e-3), 4000
    C = analyses.noise_covariance(net, solver=solver).covariance
    exact = analyses.noise_covariance(net).covariance
    assert np.abs(C / exact - 1).max() > 0.05  # the step matters here
    ds = nd.simulate(net, solver, 1.6, trials=n, rng=1)
    x = net.pack(nd.final_state(ds))
    spread = np.sqrt((np.outer(np.diag(C), np.diag(C)) + C**2) / n)
    assert np.all(np.abs(x.T @ x / n - C) < 5 * spread)


# --------------------------------------------------------------------- spectra and lagged C


def test_lagged_covariance(net):
    C = analyses.noise_covariance(net).covariance
    found = analyses.lagged_covariance(net, [0.03, 0.0, -0.03] * nd.second)
    expected = expm(0.03 * net.jacobian(np.zeros(5))) @ C
    assert_allclose(found, [expected, C, expected.T], rtol=1e-12)
    steps = analyses.lagged_covariance([[0.5]], [3], noise=[[1.0]], is_map=True)
    assert_allclose(steps[0], 0.5**3 / (1 - 0.25))


def test_lagged_covariance_is_that_of_runs(net):
    """States of one trial 5 steps apart, within 5 standard errors over trials."""
    solver, n, lag = nd.Euler(dt=4e-3), 4000, 0.02
    names = list(net.state_names)
    ds = nd.simulate(net, solver, 1.6, trials=n, record=names, every=lag, rng=2)
    early, late = (net.pack({k: ds[k].values[:, t] for k in names}) for t in (-2, -1))
    C = analyses.noise_covariance(net, solver=solver).covariance
    expected = analyses.lagged_covariance(net, [lag], solver=solver)[0]
    spread = np.sqrt((np.outer(np.diag(C), np.diag(C)) + expected**2) / n)
    assert np.all(np.abs(late.T @ early / n - expected) < 5 * spread)


# --------------------------------------------------------------------------------- response


def test_response_to_the_noise_makes_the_spectrum(net):
    H = analyses.linear_response(net, [5.0], source=net.diffusion(np.zeros(5))).response[0]
    assert_allclose(H @ H.conj().T, analyses.power_spectrum(net, [5.0]).spectrum[0], rtol=1e-12)


def test_response_of_steps_tends_to_that_of_the_flow(net):
    flow = analyses.linear_response(net, [3.0]).response
    errors = []
    for dt in (2e-4, 1e-4):
        found = analyses.linear_response(net, [3.0], solver=nd.Euler(dt=dt))
        errors.append(np.abs(found.response - flow).max())
    assert_allclose(errors[0] / errors[1], 2, rtol=0.02)


def test_gain_of_a_feedforward_chain():
    """The largest gain at frequency 0 is the norm of J^-1, far above that of the eigenvalues."""
    J = np.array([[-1.0, 20.0], [0.0, -1.0]])
    found = analyses.linear_response(J, [0.0, 1.0])
    assert_allclose(found.largest_gain[0], 1 / np.linalg.svd(J)[1][-1], rtol=1e-12)
    assert_allclose(found.gain[1, 0, 1], 20 / (1 + 4 * np.pi**2), rtol=1e-12)
    assert_allclose(found.phase[1, 1, 1], -np.arctan(2 * np.pi), rtol=1e-12)


def test_precise_where_eigenvectors_are_parallel():
    """A Jordan block of 12, whose resolvent is known in closed form."""
    J = -np.eye(12) + 3 * np.eye(12, k=1)
    z = 0.6j * np.pi + 1
    row = analyses.linear_response(J, [0.3]).response[0, 0]
    assert_allclose(row, [3**k / z ** (k + 1) for k in range(12)], rtol=1e-12)


# -------------------------------------------------------------- what must not pass in silence


def turned_jordan_block(n, w):
    """``-1`` on the diagonal, `w` above it, in another orthogonal basis; and that basis."""
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))[0]
    J = -np.eye(n) + w * np.eye(n, k=1)
    return J, Q, Q @ J @ Q.T


@pytest.mark.parametrize("n, w", [(10, 3), (12, 5), (14, 5)])
def test_error_of_the_covariance_far_from_normality(n, w):
    """The estimate against the covariance of the same matrix in the basis where it is triangular.

    The two differ by rounding of the matrix. The estimate is for one direction of that, so it is
    right to within a factor of 50, where the residual says 1e-12 throughout.
    """
    J, Q, turned = turned_jordan_block(n, w)
    exact = Q @ analyses.noise_covariance(J, noise=1.0).covariance @ Q.T
    found = analyses.noise_covariance(turned, noise=1.0)
    true = np.linalg.norm(found.covariance - exact) / np.linalg.norm(exact)
    assert true / 50 < found.error < 50 * true
    assert found.residual < 1e-11


def test_refuses_a_covariance_of_too_few_digits():
    with pytest.raises(ArithmeticError, match="the error about .* departure from normality"):
        analyses.noise_covariance(turned_jordan_block(20, 5)[0], noise=1.0)


def test_refuses_spikes_of_poisson_sources():
    unit = nd.Population(2, "dx/dt = -x/tau + s*xi/sqrt(tau) : 1", tau=0.1, s=0.1)
    net = nd.Network({"E": unit}, [nd.PoissonInput("E.x", 100.0, 0.1)])
    with pytest.raises(ValueError, match=r"fluctuate too.*rate\*w \+ w\*sqrt\(rate\)\*xi"):
        analyses.noise_covariance(net)


def test_refuses_other_units(net):
    with pytest.raises(UnitError, match="`frequencies` must be in .*; got s"):
        analyses.power_spectrum(net, [1.0] * nd.second)
    with pytest.raises(UnitError, match="`lags` must be in s"):
        analyses.lagged_covariance(net, [1.0] * nd.Hz)


def test_responses_of_single_units(net):
    every = analyses.linear_response(net, [1.0])
    one = analyses.linear_response(net, [1.0], output=["a.y[1]", "E.x"])
    assert one.output_names == ("a.y[1]", "E.x[0]", "E.x[1]", "E.x[2]")
    assert_allclose(one.response, every.response[:, [4, 0, 1, 2]])
