"""Compiled Hebbian rules, and units that compete, against SciPy's eigenvectors and plain loops."""

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from neurodyn.learning import GHA, CompetitiveLearning, NormalisedHebb

VALUES = np.array([2.0, 1.0, 0.4, 0.1])


def axes(seed=0):
    """Samples along eigenvectors: of them the rules rest exactly, at any rate."""
    vectors = scipy.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    half = np.sqrt(4 * VALUES)[:, None] * vectors.T
    return np.concatenate([half, -half]), vectors


def principal_axes(X):
    """Eigenvectors of <x x'>, the largest first, by SciPy."""
    _, vectors = scipy.linalg.eigh(X.T @ X / len(X))
    return vectors[:, ::-1]


# -- principal components ----------------------------------------------------------------------


def test_gha_finds_the_eigenvectors_in_their_order():
    X, vectors = axes()
    assert_allclose(np.abs(vectors.T @ principal_axes(X)), np.eye(4), atol=1e-12)
    fit = GHA(3, learning_rate=0.03, n_epochs=1500, rng=1).fit(X)
    assert_allclose(np.abs(fit.components_ @ vectors), np.eye(4)[:3], atol=1e-11)
    assert_allclose(fit.transform(X), X @ fit.components_.T, rtol=1e-14)
    assert (fit.n_epochs_, fit.n_samples_seen_, fit.n_features_in_) == (1500, 12_000, 4)


def test_the_angle_fluctuates_as_the_rate_says():
    """Of independent normal samples, the mean square of the angle is that in the notes of `Oja`.

    Linearised about v_1, the component along v_k is an autoregressive process: it decays by
    1 - eta (l_1 - l_k) a sample and is driven with variance eta**2 l_1 l_k.
    """
    random = np.random.default_rng(2)
    rate, first, others = 0.005, VALUES[0], VALUES[1:]
    expected = np.sum(rate * first * others / (2 * (first - others)))
    fit = GHA(1, learning_rate=rate, components=[[1.0, 0.0, 0.0, 0.0]])
    squares = []
    for _ in range(1000):  # of several decay times, 1/(eta (l_1 - l_2)) = 200, each
        fit.partial_fit(random.normal(size=(600, 4)) * np.sqrt(VALUES))
        w = fit.components_[0] / np.linalg.norm(fit.components_)
        squares.append(np.sum(w[1:] ** 2))
    error = np.std(squares) / np.sqrt(len(squares))
    # the next order is smaller by about eta times the trace
    assert abs(np.mean(squares) - expected) < 4 * error + rate * VALUES.sum() * expected


def test_gha_is_sangers_rule_sample_by_sample():
    random = np.random.default_rng(4)
    X, W = random.normal(size=(30, 5)), random.normal(size=(3, 5)) / 2
    found = GHA(3, learning_rate=0.05, components=W).partial_fit(X).components_
    for x in X:
        y = W @ x
        W = W + 0.05 * (np.outer(y, x) - np.tril(np.outer(y, y)) @ W)
    assert_allclose(found, W, rtol=1e-12)


def test_normalised_hebb_keeps_length_1_and_finds_the_first_eigenvector():
    X, vectors = axes()
    W = np.random.default_rng(5).normal(size=(2, 4))
    once = NormalisedHebb(2, learning_rate=0.1, components=W).partial_fit(X[:1])
    moved = W + 0.1 * np.outer(W @ X[0], X[0])
    assert_allclose(once.components_, moved / np.linalg.norm(moved, axis=1)[:, None], rtol=1e-14)
    fit = NormalisedHebb(2, learning_rate=0.1, components=W, n_epochs=300, rng=0).fit(X)
    assert_allclose(np.abs(fit.components_ @ vectors), [[1, 0, 0, 0]] * 2, atol=1e-12)


def test_the_rate_of_an_epoch_is_that_of_the_schedule():
    X = np.random.default_rng(6).normal(size=(7, 3))
    seen = []
    fit = GHA(1, learning_rate=0.1, n_epochs=3, rng=0, schedule=lambda k: seen.append(k) or 0.5**k)
    fit.fit(X)
    assert seen == [0, 1, 2]
    generator = np.random.default_rng(0)
    W = generator.normal(size=(1, 3)) / np.sqrt(3)
    for k in range(3):
        for x in X[generator.permutation(7)]:
            y = W @ x
            W = W + 0.1 * 0.5**k * y[:, None] * (x - y[:, None] * W)
    assert_allclose(fit.components_, W, rtol=1e-12)


def test_weights_that_grow_without_limit_are_an_error():
    X = 100 * np.random.default_rng(7).normal(size=(50, 3))
    with pytest.raises(
        FloatingPointError, match="no longer finite after 50 samples.*learning_rate"
    ):
        GHA(1, learning_rate=1.0, rng=0).partial_fit(X)


# -- competition -------------------------------------------------------------------------------


def test_weights_by_count_are_the_means_of_what_units_have_won():
    random = np.random.default_rng(8)
    X = random.normal(size=(60, 2))
    start = X[:3] + 0.1
    fit = CompetitiveLearning(3, learning_rate="count", components=start).partial_fit(X)
    W, won = start.copy(), [[], [], []]
    for x in X:
        i = np.argmin(((x - W) ** 2).sum(axis=1))
        won[i].append(x)
        W[i] = np.mean(won[i], axis=0)
    assert fit.n_wins_.tolist() == [len(w) for w in won]
    assert_allclose(fit.components_, W, rtol=1e-12)


def test_units_rest_at_the_means_of_separate_clusters():
    """With rate eta the weights of a unit are an average that forgets: its weights by eta (1 - eta)**n."""
    random = np.random.default_rng(9)
    centres = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    labels = random.integers(0, 3, 300)
    X = centres[labels] + random.normal(0, 0.3, (300, 2))
    fit = CompetitiveLearning(3, learning_rate=0.02, components=centres).partial_fit(X)
    for k in range(3):
        w = centres[k]
        for x in X[labels == k]:
            w = w + 0.02 * (x - w)
        assert_allclose(fit.components_[k], w, rtol=1e-12, atol=1e-13)
    assert np.array_equal(fit.predict(X), labels)
    assert np.array_equal(fit.transform(X), np.eye(3)[labels])
    distances = X - fit.components_[labels]
    assert_allclose(fit.score(X), -(distances**2).sum(), rtol=1e-12)


def test_the_first_weights_are_samples_and_too_many_units_are_refused():
    X = np.random.default_rng(10).normal(size=(5, 2))
    fit = CompetitiveLearning(5, learning_rate=1e-12, n_epochs=1, rng=0).fit(X)
    assert_allclose(np.sort(fit.components_, axis=0), np.sort(X, axis=0), rtol=1e-9)
    with pytest.raises(ValueError, match="`n_components` = 6 is more than the 5 samples"):
        CompetitiveLearning(6).fit(X)
    with pytest.raises(ValueError, match='`learning_rate` must be a positive number or "count"'):
        CompetitiveLearning(2, learning_rate="often").fit(X)
