"""The exploratory Hebb rule against a plain loop, and on a reservoir; one compiled network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

import neurodyn as nd
from neurodyn.learning import ExploratoryHebb

DT = 1e-3


def reservoir(n, outputs, seed=0):
    random = np.random.default_rng(seed)
    W = random.normal(0, 1.5 / np.sqrt(n), (n, n))
    back, x = random.uniform(-1, 1, (n, outputs)), random.normal(0, 0.5, n)
    network = nd.Network(
        {
            "E": nd.Population(
                n, "dx/dt = (-x + I_rec + I_fb)/tau : 1\nr = tanh(x) : 1", tau=0.05, x=x
            ),
            "out": nd.Population(outputs, "z = I : 1\nI : 1"),
        },
        [
            nd.Coupling("E.r", "E.I_rec", W),
            nd.Coupling("E.r", "out.I", np.zeros((outputs, n))),
            nd.Coupling("out.z", "E.I_fb", back),
        ],
    )
    return network, W, back, x


def rule(network, **options):
    return ExploratoryHebb(network, "E.r->out.I", "out.z", nd.Euler(DT), rng=0, **options)


@pytest.fixture(scope="module")
def small():
    return reservoir(12, 2)


def test_it_goes_as_the_plain_loop(small, monkeypatch):
    network, W, back, x = small
    n_steps = 70
    t = np.arange(n_steps) * DT
    y = np.stack([np.sin(40 * t), np.cos(30 * t)], axis=1)
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, y.shape)

    class Fixed:
        def uniform(self, low, high, shape):
            assert (low, high, shape) == (-0.5, 0.5, y.shape)
            return noise

    monkeypatch.setattr(np.random, "default_rng", lambda seed=None: Fixed())
    fit = rule(network, learning_rate=20.0, tau_eta=0.05).fit(None, y)
    monkeypatch.undo()
    w, z_mean, p_mean, performance = np.zeros((2, 12)), np.zeros(2), 0.0, []
    for k in range(n_steps):
        r = np.tanh(x)
        z = w @ r + noise[k]
        P = -np.sum((z - y[k]) ** 2)
        performance.append(P)
        x = x + DT / 0.05 * (-x + W @ r + back @ z)
        if P > p_mean:  # eta falls with time; both filters are 0.8 and 0.2 a step
            w = w + DT * 20.0 / (1 + k * DT / 0.05) * np.outer(z - z_mean, r)
        z_mean, p_mean = 0.8 * z_mean + 0.2 * z, 0.8 * p_mean + 0.2 * P
    assert np.abs(w).max() > 0.005
    assert_allclose(fit.coef_, w, rtol=1e-9, atol=1e-12)
    assert_allclose(fit.performance_, performance, rtol=1e-9)
    assert_allclose(fit.state_["E.x"], x, rtol=1e-9, atol=1e-11)
    learned = fit.network_.couplings[1].weights.to_dense()
    assert (
        np.array_equal(learned, fit.coef_)
        and fit.network_.populations["out"].text == "z = I : 1\nI : 1"
    )


def test_the_rate_goes_on_falling_from_call_to_call(small):
    """The second call's rate is that at its beginning: the rule's own text has it."""
    network, *_ = small
    fit = rule(network, tau_eta=0.05, learning_rate=2.0)
    assert fit.fit(None, np.zeros((50, 2)))._rule("r", "z").values["eta"] == pytest.approx(1.0)
    assert fit._rule("r", "z").values["tau_eta"] == pytest.approx(0.1)
    fit.partial_fit(None, np.zeros((30, 2)))
    assert fit.n_steps_ == 80 and fit.performance_.shape == (30,)
    assert clone(fit).get_params()["tau_eta"] == 0.05


@pytest.mark.slow
def test_it_learns_to_make_a_periodic_target():
    """Hoerzer et al.: with exploration the best performance is minus its variance, 0.5**2/3."""
    network, *_ = reservoir(200, 1, seed=3)
    t = np.arange(60_000) * DT
    y = 0.5 * np.sin(2 * np.pi * t) + 0.3 * np.sin(4 * np.pi * t)
    fit = rule(network).fit(None, y)
    silent = -(y**2).mean() - 0.25 / 3
    late = fit.performance_[-20_000:].mean()
    assert late > -0.25 / 3 - 0.3 * (y**2).mean() > silent
    assert fit.score(None, y[:1000]) > 0.5


def test_what_does_not_fit_is_refused_by_name(small):
    network, *_ = small
    y = np.zeros((5, 2))
    with pytest.raises(ValueError, match="`output` must be a variable of the population"):
        ExploratoryHebb(network, "E.r->out.I", "E.r", nd.Euler(DT)).fit(None, y)
    with pytest.raises(ValueError, match="`exploration` must be a positive number"):
        rule(network, exploration=0.0).fit(None, y)
    with pytest.raises(ValueError, match="`y` must be .step, output. with 2 outputs"):
        rule(network).fit(None, y[:, :1])
