"""Evolution strategies against exact gradients, of a quadratic and of a network on a task."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn.learning import EvolutionStrategy, evolution_gradient
from tests.neurodyn.learning.local.repeated_trial import (
    TRAINED,
    Kept,
    Repeated,
    exact,
    mean_and_error,
    network,
)


class Share:
    """The share of wrong signs: its derivative is 0 wherever there is one."""

    def __init__(self, batch):
        self.record, self.target = ("out.y",), batch.targets["out.y"]

    def __call__(self, recorded):
        wrong = np.mean(np.sign(recorded["out.y"]) != np.sign(self.target))
        return wrong, {}


def quadratic():
    random = np.random.default_rng(7)
    A = random.normal(size=(4, 4))
    A, b, x = A + A.T, random.normal(size=4), random.normal(size=4)
    return (lambda x: 0.5 * x @ A @ x + b @ x), x, A @ x + b, A


@pytest.mark.parametrize("antithetic", [True, False])
def test_the_mean_on_a_quadratic_is_its_gradient(antithetic):
    """With the covariance that the docstring says: exact for pairs, at any sigma and curvature."""
    loss, x, g, A = quadratic()
    n, repeats = 40, 2000
    random = np.random.default_rng(8)
    found = np.array([
        evolution_gradient(loss, x, sigma=0.7, population=n, antithetic=antithetic, rng=random)[0]
        for _ in range(repeats)
    ])  # fmt: skip
    covariance = 2 * (g @ g * np.eye(4) + np.outer(g, g)) / n
    if not antithetic:
        covariance = np.cov(found.T)
    error = np.sqrt(np.diag(covariance) / repeats)
    assert_allclose(found.mean(axis=0), g, atol=4 * error.max(), rtol=0)
    if antithetic:  # a variance is known to sqrt(2/n) of itself, for normal estimates; twice that
        assert_allclose(np.var(found, axis=0), np.diag(covariance), rtol=8 * np.sqrt(2 / repeats))


def test_one_estimate_is_the_sum_over_the_population():
    loss, x, *_ = quadratic()
    gradient, losses = evolution_gradient(loss, x, sigma=0.3, population=6, rng=9)
    noise = np.random.default_rng(9).standard_normal((3, 4))
    members = np.concatenate([noise, -noise])
    assert_allclose(losses, [loss(x + 0.3 * e) for e in members], rtol=1e-13)
    assert_allclose(gradient, sum(v * e for v, e in zip(losses, members)) / (6 * 0.3), rtol=1e-12)
    named, _ = evolution_gradient(
        lambda p: loss(np.concatenate([p["a"].ravel(), p["b"]])), {"a": x[:2].reshape(2, 1), "b": x[2:]},
        sigma=0.3, population=6, rng=9,
    )  # fmt: skip
    assert_allclose(np.concatenate([named["a"].ravel(), named["b"]]), gradient, rtol=1e-12)
    assert named["a"].shape == (2, 1)


def test_ranks_do_not_change_under_a_monotonic_function_of_the_loss():
    loss, x, *_ = quadratic()
    options = dict(sigma=0.3, population=10, shaping="rank", rng=10)
    plain, losses = evolution_gradient(loss, x, **options)
    assert np.array_equal(evolution_gradient(lambda x: np.exp(3 * loss(x)), x, **options)[0], plain)
    weights = np.argsort(np.argsort(losses)) / 9 - 0.5
    noise = np.random.default_rng(10).standard_normal((5, 4))
    wanted = weights @ np.concatenate([noise, -noise]) / (10 * 0.3)
    assert_allclose(plain, wanted, rtol=1e-12)
    broken, _ = evolution_gradient(
        lambda x: np.nan if loss(x) > losses.mean() else loss(x), x, **options
    )
    assert np.isfinite(broken).all()


def test_evolution_estimates_the_gradient_of_a_network_on_a_task():
    kept = Kept(1.0)
    EvolutionStrategy(network(), kept, TRAINED, steps=100, sigma=0.01, population=20,
                      shaping="none", batch=1, rng=1).fit(Repeated())  # fmt: skip
    wanted = exact(TRAINED)
    for key in TRAINED:
        mean, error = mean_and_error(kept, key)
        # 15 entries, and a bias of order sigma**2
        bias = 10 * 0.01**2 * np.abs(wanted[key]).max()
        assert np.all(np.abs(mean - wanted[key]) < 3.5 * error + bias)


def test_evolution_trains_a_network_without_derivatives():
    rule = EvolutionStrategy(
        network(), nd.learning.Adam(0.05), TRAINED, steps=120, population=20, sigma=0.1,
        loss=Share, batch=1, rng=2, parametrise={"E.r->E.I_rec": nd.learning.Bounded(-1.5, 1.5)},
    )  # fmt: skip
    rule.fit(Repeated())
    batch = Repeated().batch(None, 1)
    again = pickle.loads(pickle.dumps(rule))
    assert np.array_equal(again.predict(batch)["out.y"], rule.predict(batch)["out.y"])
    before = EvolutionStrategy(
        network(), nd.learning.SGD(1e-12), TRAINED, steps=1, population=2, rng=0
    )
    wrong = [Share(batch)(r.predict(batch))[0] for r in (before.fit(Repeated()), rule)]
    assert wrong[1] <= wrong[0] - 3 / 12  # at least 3 signs of 12 turned right
    inner = rule.network_.couplings[0].weights.to_dense()
    assert (
        np.abs(inner).max() < 1.5
        and np.abs(inner - network().couplings[0].weights.to_dense()).max() > 0.05
    )


def test_numbers_of_evolution_are_checked_by_name():
    adam = nd.learning.Adam(0.1)
    for options, message in (({"population": 5}, "`population` must be even"),
                             ({"sigma": 0.0}, "`sigma` must be a positive number"),
                             ({"shaping": "log"}, "`shaping` must be one of")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            EvolutionStrategy(network(), adam, TRAINED, **options).fit(Repeated())
        with pytest.raises(ValueError, match=message):
            evolution_gradient(np.sum, np.ones(2), **({"sigma": 1.0, "population": 4} | options))


@pytest.mark.slow
def test_evolution_trains_a_memory():
    """The flip-flop of one bit; before training its accuracy is that of chance, 1/2."""
    random = np.random.default_rng(0)
    memory = nd.Network(
        {
            "S": nd.Population(1, "r = u : 1\nu : 1"),
            "E": nd.Population(
                20, "dx/dt = (-x + I_rec + I_in)/tau : 1\nr = tanh(x) : 1", tau=0.03
            ),
            "out": nd.Population(1, "y = I : 1\nI : 1"),
        },
        [
            nd.Coupling("S.r", "E.I_in", random.normal(size=(20, 1))),
            nd.Coupling("E.r", "E.I_rec", random.normal(0, 1 / np.sqrt(20), (20, 20))),
            nd.Coupling("E.r", "out.I", random.normal(0, 1 / np.sqrt(20), (1, 20))),
        ],
    )
    task = nd.tasks.FlipFlop(bits=1, dt=0.01, duration=0.3)
    rule = EvolutionStrategy(
        memory, nd.learning.Adam(0.02), TRAINED, population=40, sigma=0.05, rng=0,
        connect={"pulses": "S.u", "memory": "out.y"},
    )  # fmt: skip
    before = rule.partial_fit(task).score(task)
    assert before < 0.75 < 0.85 < rule.partial_fit(task, steps=200).score(task)
