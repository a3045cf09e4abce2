"""Predictive coding against backpropagation, closed forms and SciPy's singular values."""

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose
from sklearn.base import clone

import neurodyn as nd
from neurodyn.learning import PredictiveCoding, RaoBallard

FUNCTIONS = {
    "identity": (lambda a: a, lambda a: np.ones_like(a)),
    "tanh": (np.tanh, lambda a: 1 / np.cosh(a) ** 2),
    "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0),
    "logistic": (lambda a: 1 / (1 + np.exp(-a)), lambda a: 1 / (2 + 2 * np.cosh(a))),
}


def network(activation="tanh", sizes=(6, 5), **options):
    """A network of random weights and biases, and samples; nothing has been learned."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(15, 4)), random.normal(size=(15, 3))
    options = {"inference_steps": 4000, "tolerance": 1e-14, "rng": 1} | options
    still = nd.learning.SGD(1e-300)
    fit = PredictiveCoding(sizes, activation=activation, optimiser=still, n_epochs=1, **options)
    fit.set_params(inference_steps=1).fit(X, y).set_params(inference_steps=4000)
    fit.intercepts_ = [random.normal(0, 0.3, b.shape) for b in fit.intercepts_]
    return fit, X, y


def backpropagation(fit, X, output_error):
    """Gradients of the mean over samples, by the chain rule, of an error of the output."""
    f, slope = FUNCTIONS[fit.activation]
    a, sent = [], [X]
    for W, b in zip(fit.coefs_, fit.intercepts_):
        a.append(sent[-1] @ W + b)
        sent.append(f(a[-1]))
    delta, found = -output_error, {}
    for l in range(len(fit.coefs_), 0, -1):
        found[f"W{l}"] = sent[l - 1].T @ delta / len(X)
        found[f"b{l}"] = delta.mean(axis=0)
        if l > 1:
            delta = slope(a[l - 2]) * (delta @ fit.coefs_[l - 1].T)
    return found


def distance(found, wanted):
    """The largest relative distance of the gradients."""
    return max(np.linalg.norm(found[k] - wanted[k]) / np.linalg.norm(wanted[k]) for k in wanted)


def test_backpropagation_here_agrees_with_differences():
    fit, X, y = network()
    wanted = backpropagation(fit, X, y - fit.predict(X))

    def loss(W):
        moved = clone(fit)
        moved.__dict__.update(fit.__dict__)
        moved.coefs_ = [W, *fit.coefs_[1:]]
        return 0.5 * ((y - moved.predict(X)) ** 2).sum() / len(X)

    for i, j in ((0, 0), (3, 5)):
        step = np.zeros_like(fit.coefs_[0])
        step[i, j] = 1e-6
        slope = (loss(fit.coefs_[0] + step) - loss(fit.coefs_[0] - step)) / 2e-6
        assert_allclose(wanted["W1"][i, j], slope, rtol=1e-7)


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_zero_divergence_is_backpropagation_to_rounding(activation):
    fit, X, y = network(activation, learning="zero_divergence")
    wanted = backpropagation(fit, X, y - fit.predict(X))
    assert distance(fit.energy_gradients(X, y), wanted) < 1e-14


def test_with_a_large_output_variance_it_approaches_backpropagation_at_first_order():
    fit, X, y = network()
    wanted = backpropagation(fit, X, y - fit.predict(X))
    distances = []
    for variance in (1.0, 100.0, 1000.0, 10_000.0):
        fit.output_variance = variance
        found = {k: variance * g for k, g in fit.energy_gradients(X, y).items()}
        distances.append(distance(found, wanted))
    assert distances[0] > 0.3 and distances[-1] < 1e-3
    assert_allclose(np.array(distances[1:-1]) / distances[2:], 10, rtol=0.05)


def test_with_small_errors_it_is_backpropagation_of_the_error_that_is_left():
    """The rest is of second order in the error; what is left is preconditioned, see the notes."""
    fit, X, y = network(output_variance=0.5)
    output, J = fit.predict(X), jacobians(fit, X)
    C = 0.5 * np.eye(3) + sum(np.einsum("sij,skj->sik", j, j) for j in J)
    direction = np.random.default_rng(2).normal(size=y.shape)
    left = np.linalg.solve(C, direction[..., None])[..., 0]
    distances, own = [], []
    for size in (1e-1, 1e-2, 1e-3):
        found = fit.energy_gradients(X, output + size * direction)
        distances.append(distance(found, backpropagation(fit, X, size * left)))
        own.append(distance(found, backpropagation(fit, X, size * direction / 0.5)))
    assert_allclose(np.array(distances[:-1]) / distances[1:], 10, rtol=0.2)
    assert distances[-1] < 1e-2
    assert own[-1] > 0.3  # not that of the output itself


def jacobians(fit, X):
    """Of the output by the values of each hidden layer, (sample, output, unit)."""
    f, slope = FUNCTIONS[fit.activation]
    a, sent = [], X
    for W, b in zip(fit.coefs_, fit.intercepts_):
        a.append(sent @ W + b)
        sent = f(a[-1])
    found, J = [], None
    for l in range(len(fit.coefs_) - 1, 0, -1):
        step = fit.coefs_[l].T[None] * slope(a[l - 1])[:, None, :]
        J = step if J is None else J @ step
        found.append(J)
    return found


def test_the_gradients_are_those_of_the_settled_energy():
    """By the envelope theorem: dF/dW where the values are at their minimum, by differences."""
    fit, X, y = network(sizes=(3,), output_variance=0.7)
    gradients = fit.energy_gradients(X, y)

    def energy(W):
        moved = clone(fit)
        moved.__dict__.update(fit.__dict__)
        moved.coefs_ = [W, fit.coefs_[1]]
        return moved._energy(moved._settled(X, y)[1])

    step = np.zeros_like(fit.coefs_[0])
    step[2, 1] = 1e-5
    slope = (energy(fit.coefs_[0] + step) - energy(fit.coefs_[0] - step)) / 2e-5
    assert_allclose(gradients["W1"][2, 1], slope, rtol=1e-7)


def test_linear_values_settle_at_the_posterior_mean():
    """With f the identity the energy is a Gaussian model: y has the covariance s + sum of J J'."""
    fit, X, y = network("identity", output_variance=0.7)
    _, errors = fit._settled(X, y)
    J = [fit.coefs_[2].T, fit.coefs_[2].T @ fit.coefs_[1].T]
    C = 0.7 * np.eye(3) + sum(j @ j.T for j in J)
    assert_allclose(errors[-1], np.linalg.solve(C, (y - fit.predict(X)).T).T, rtol=1e-9)
    energy = 0.5 * np.einsum("si,si->", y - fit.predict(X), errors[-1]) / len(X)
    assert_allclose(fit._energy(errors), energy, rtol=1e-10)


def test_incremental_learning_changes_weights_with_every_step_of_the_values():
    fit, X, y = network(sizes=(6,), learning="incremental", batch_size=15)
    fit.set_params(inference_steps=3, optimiser=nd.learning.SGD(0.1))
    fit._optimiser = fit.optimiser
    (W1, W2), (b1, b2) = fit.coefs_, fit.intercepts_
    x = X @ W1 + b1
    for _ in range(3):
        e1, e2 = x - X @ W1 - b1, y - np.tanh(x) @ W2 - b2
        new = W1 + 0.1 * X.T @ e1 / 15, W2 + 0.1 * np.tanh(x).T @ e2 / 15
        b1, b2 = b1 + 0.1 * e1.mean(axis=0), b2 + 0.1 * e2.mean(axis=0)
        x = x + 0.1 * (-e1 + (1 - np.tanh(x) ** 2) * (e2 @ W2.T))
        W1, W2 = new
    fit.partial_fit(X, y)
    for found, wanted in zip([*fit.coefs_, *fit.intercepts_], (W1, W2, b1, b2)):
        assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("learning", ["equilibrium", "incremental", "zero_divergence"])
def test_all_three_learn_a_nonlinear_function(learning):
    random = np.random.default_rng(3)
    X = random.uniform(-1, 1, (256, 2))
    y = np.sin(2 * X[:, 0]) * X[:, 1]
    linear = np.linalg.lstsq(np.column_stack([X, np.ones(256)]), y, rcond=None)[1] / (256 * y.var())
    fit = PredictiveCoding((32,), learning=learning, inference_steps=8, n_epochs=150, rng=0,
                           optimiser=nd.learning.Adam(5e-3))  # fmt: skip
    assert 1 - linear[0] < 0.4 < 0.9 < fit.fit(X, y).score(X, y)
    assert fit.predict(X).shape == (256,)
    assert fit.energies_[-1] < 0.2 * fit.energies_[0]


def test_arguments_are_checked_by_name():
    X, y = np.ones((3, 2)), np.ones(3)
    for name, value in (("activation", "sine"), ("learning", "slow"), ("inference_rate", 0.0),
                        ("output_variance", -1.0), ("inference_steps", 0)):  # fmt: skip
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            PredictiveCoding(**{name: value}).fit(X, y)
    with pytest.raises(ValueError, match="needs `output_variance=1`; got 2.0"):
        PredictiveCoding(learning="zero_divergence", output_variance=2.0).fit(X, y)


# -- unsupervised ------------------------------------------------------------------------------


def test_linear_causes_learn_the_soft_thresholded_singular_values():
    random = np.random.default_rng(4)
    X = random.normal(size=(60, 6)) @ random.normal(size=(6, 6))
    U, s, V = scipy.linalg.svd(X, full_matrices=False)
    fit = RaoBallard(3, alpha=2.0, decay=5.0, noise_variance=0.7, n_epochs=2500, tolerance=1e-12,
                     inference_steps=1000, rng=0).fit(X)  # fmt: skip
    kept = np.maximum(s - 0.7 * np.sqrt(2.0 * 5.0), 0)[:3]
    predicted = fit.inverse_transform(fit.transform(X))
    assert_allclose(predicted, (U[:, :3] * kept) @ V[:3], atol=1e-6 * s[0])
    assert_allclose(fit.score(X), -((X - predicted) ** 2).mean(), rtol=1e-12)
    wanted = ((X - predicted) ** 2).sum() / 0.7 + 2 * np.sqrt(2.0 * 5.0) * kept.sum()
    assert_allclose(fit.energies_[-1] * 60, wanted, rtol=1e-8)  # the nuclear norm


def test_linear_causes_rest_at_the_ridge_solution():
    X = np.random.default_rng(5).normal(size=(10, 4))
    fit = RaoBallard(2, alpha=0.3, noise_variance=0.5, n_epochs=1, tolerance=1e-13,
                     inference_steps=5000, rng=0).fit(X)  # fmt: skip
    U = fit.components_
    r = np.linalg.solve(U @ U.T / 0.5 + 0.3 * np.eye(2), U @ X.T / 0.5).T
    assert_allclose(fit.transform(X), r, rtol=1e-9, atol=1e-12)


def test_an_update_of_the_weights_goes_down_the_energy():
    """The change is -1/2 dE/dU a sample, E at causes that rest, by differences; f is tanh."""
    X = np.random.default_rng(6).uniform(-0.5, 0.5, (8, 4))
    fit = RaoBallard(2, activation="tanh", alpha=0.2, decay=0.4, learning_rate=1e-3, n_epochs=1,
                     tolerance=1e-13, inference_steps=20_000, rng=0).fit(X)  # fmt: skip
    U = fit.components_.copy()

    def energy(components):
        fit.components_ = components
        r = fit.transform(X)
        total = ((X - np.tanh(r @ components)) ** 2).sum() + 0.2 * (r**2).sum()
        return (total + 0.4 * (components**2).sum()) / len(X)

    step = np.zeros_like(U)
    step[1, 2] = 1e-4
    slope = (energy(U + step) - energy(U - step)) / 2e-4
    fit.components_ = U
    fit.partial_fit(X)
    assert_allclose((fit.components_ - U)[1, 2] / 1e-3, -slope / 2, rtol=1e-6)
