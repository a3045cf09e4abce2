"""Rules of `neurodyn.plasticity` on arrays, against plain loops and SciPy's principal subspace."""

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn.learning import BCM, CovarianceRule, Oja, OjaSubspace, PlasticityLearner

VALUES = np.array([2.0, 1.0, 0.4, 0.1])


@pytest.fixture(scope="module")
def samples():
    vectors = scipy.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    half = np.sqrt(4 * VALUES)[:, None] * vectors.T
    return np.concatenate([half, -half]), vectors


def test_ojas_rule_finds_the_first_eigenvector(samples):
    X, vectors = samples
    fit = Oja(2, learning_rate=0.05, n_epochs=250, rng=1).fit(X)
    assert_allclose(np.abs(fit.components_ @ vectors), [[1, 0, 0, 0]] * 2, atol=1e-11)
    assert_allclose(fit.transform(X), X @ fit.components_.T, rtol=1e-14)


def test_ojas_rule_sample_by_sample_in_any_cut():
    random = np.random.default_rng(2)
    X, W = random.normal(size=(20, 4)), random.normal(size=(2, 4)) / 2
    whole = Oja(2, learning_rate=0.05, components=W).partial_fit(X)
    parts = Oja(2, learning_rate=0.05, components=W).partial_fit(X[:7]).partial_fit(X[7:])
    generic = PlasticityLearner(nd.plasticity.oja(eta=0.05), 2, components=W).partial_fit(X)
    for x in X:
        y = W @ x
        W = W + 0.05 * y[:, None] * (x - y[:, None] * W)
    for fit in (whole, parts, generic):
        assert_allclose(fit.components_, W, rtol=1e-12)


@pytest.mark.slow
def test_the_subspace_rule_finds_the_principal_subspace(samples):
    X, vectors = samples
    fit = OjaSubspace(2, learning_rate=0.02, n_epochs=1500, rng=1).fit(X)
    assert np.max(scipy.linalg.subspace_angles(fit.components_.T, vectors[:, :2])) < 1e-9
    assert_allclose(fit.components_ @ fit.components_.T, np.eye(2), atol=1e-10)


@pytest.mark.slow
def test_bcm_units_answer_to_one_input_each(samples):
    """With n inputs that come in turn, theta is lowest when the unit's own comes, once in n."""
    P = np.eye(4) + 0.3 * np.roll(np.eye(4), 1, axis=0)
    fit = BCM(3, learning_rate=0.002, memory=100.0, rng=2)
    for _ in range(20):
        fit.partial_fit(np.tile(P, (1000, 1)))
    answers = fit.transform(P)
    # at rest y = theta just before the input: theta relaxes by 1 - 1/100 a sample, and n times
    E = 1 - 1 / 100
    y = (1 - E**4) / ((1 - E) * E**3)
    assert abs(y / 4 - 1) < 0.05
    for row in answers.T:
        assert_allclose(np.sort(row), [0, 0, 0, y], atol=1e-5 * y)


@pytest.mark.slow
def test_the_covariance_rule_goes_by_covariances_and_not_by_means():
    """From the start <dw> = eta Cov(x) w; the means of x, 50 times as large, do nothing."""
    random = np.random.default_rng(3)
    mixing = random.normal(size=(3, 3)) / 2
    X = random.normal(size=(20_000, 3)) @ mixing + 50
    W = random.normal(size=(2, 3))
    fit = CovarianceRule(2, learning_rate=1e-9, memory=2000.0, bounds=None, components=W)
    fit.partial_fit(X)  # the means come to rest
    before = fit.components_
    fit.partial_fit(X)
    found = (fit.components_ - before) / (1e-9 * len(X))
    products = (X - 50)[:, None, :] * ((X - 50) @ W.T)[:, :, None]
    error = products.std(axis=0) / np.sqrt(len(X))
    # a running mean over 2000 samples misses 1/2000 of the covariance and adds fluctuations
    wanted = W @ np.cov(X.T)
    assert_allclose(found, wanted, atol=4 * error.max())
    assert np.abs(wanted).max() > 20 * error.max()


def test_traces_go_on_from_call_to_call():
    random = np.random.default_rng(4)
    X, W = random.random((30, 3)), random.random((2, 3))
    fit = BCM(2, learning_rate=0.01, memory=10.0, components=W)
    fit.partial_fit(X[:11]).partial_fit(X[11:])
    theta = np.zeros(2)
    for x in X:
        y = W @ x
        W = W + 0.01 * np.outer(y * (y - theta), x)
        theta = theta + (y**2 - theta) / 10
    assert_allclose(fit.components_, W, rtol=1e-11)
    assert_allclose(fit.traces_["Y.theta_post"][0], theta, rtol=1e-11)


@pytest.mark.slow
def test_what_a_rule_keeps_a_synapse_goes_on_from_call_to_call():
    """Changes that are averaged over 5 samples, onto rectified units."""
    random = np.random.default_rng(5)
    X, W = random.normal(size=(40, 4)), random.normal(size=(2, 4))
    rule = nd.plasticity.oja_subspace(eta=0.05, tau_average=5.0)
    fit = PlasticityLearner(rule, 2, activation="relu", components=W)
    fit.partial_fit(X[:13]).partial_fit(X[13:])
    average = np.zeros((2, 4))
    for x in X:
        y = np.maximum(W @ x, 0)
        change = y[:, None] * (x - y @ W)
        W, average = W + 0.05 * average, average + (change - average) / 5
    assert_allclose(fit.components_, W, rtol=1e-11, atol=1e-14)
    assert_allclose(fit.transform(X), np.maximum(X @ W.T, 0), rtol=1e-11, atol=1e-13)


def test_weights_that_grow_without_limit_are_an_error():
    X = 1e3 * np.random.default_rng(6).normal(size=(50, 4))
    with pytest.raises(
        FloatingPointError, match="no longer finite after 50 samples.*learning_rate"
    ):
        Oja(1, learning_rate=1.0, rng=0).partial_fit(X)


def test_what_is_no_rule_is_refused():
    with pytest.raises(TypeError, match="`rule` must be a Plasticity"):
        PlasticityLearner("oja").fit(np.eye(2))
    with pytest.raises(ValueError, match="`components` must be"):
        Oja(2, components=np.ones((2, 3))).fit(np.eye(2))
