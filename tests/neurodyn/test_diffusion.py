"""`Network.diffusion`: the noise of a network as a matrix."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd


@pytest.fixture(scope="module")
def net():
    text = """
        dx/dt = (-x + I)/tau + a*r*xi_own + b*xi_shared/sqrt(tau) : 1
        dy/dt = -y/tau + c*xi_shared : 1
        r = 1 + x**2 : 1
        """
    values = dict(tau=0.04, a=[1.0, 2.0, 3.0] * nd.second**-0.5, b=0.5, c=2.0 * nd.Hz**0.5)
    return nd.Network(
        {
            "quiet": nd.Population(2, "dz/dt = -z/tau : 1", tau=0.1),
            "E": nd.Population(3, text, **values),
        }
    )


def test_every_term_stands_where_the_equations_have_it(net):
    x = np.random.default_rng(0).normal(size=(2, net.n_states))
    B = net.diffusion(x)
    assert net.noise_names == ("E.xi_own", "E.xi_shared")
    assert B.shape == (2, 8, 6)
    expected = np.zeros((2, 8, 6))
    for trial in range(2):
        for k, a in enumerate((1.0, 2.0, 3.0)):
            expected[trial, 2 + k, k] = a * (1 + x[trial, 2 + k] ** 2)
            expected[trial, 2 + k, 3 + k] = 0.5 / np.sqrt(0.04)
            expected[trial, 5 + k, 3 + k] = 2.0
    assert_allclose(B, expected, rtol=1e-14)
    assert_array_equal(net.diffusion(x[0]), B[0])


def test_is_the_covariance_of_one_step_of_euler(net):
    """Increments over one step have the covariance ``B B' dt``, within 5 standard errors."""
    n, dt = 20_000, 1e-3
    ds = nd.simulate(net, nd.Euler(dt=dt), dt, trials=n, initial={"E.x": [0.3, -0.5, 1.0]}, rng=1)
    start = np.array([0, 0, 0.3, -0.5, 1.0, 0, 0, 0])
    step = net.pack(nd.final_state(ds)) - start - dt * net.field(start)
    B = net.diffusion(start)
    expected = B @ B.T * dt
    spread = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / n)
    assert np.all(np.abs(step.T @ step / n - expected) <= 5 * spread + 1e-18)


def test_follows_inputs_and_time():
    net = nd.Network({"E": nd.Population(1, "dx/dt = -x/tau + (I + t/tau)*xi/sqrt(tau) : 1",
                                         tau=0.25)})  # fmt: skip
    assert_allclose(net.diffusion([0.0], inputs={"E.I": 3.0}, t=0.5), [[5 / 0.5]])


def test_without_noise_there_are_no_columns():
    net = nd.rate_network(np.zeros((2, 2)))
    assert net.noise_names == () and net.diffusion(np.zeros(2)).shape == (2, 0)


def test_refuses_states_of_another_size(net):
    with pytest.raises(ValueError, match=r"`x` must be .* n_states = 8; got shape \(3,\)"):
        net.diffusion(np.zeros(3))
