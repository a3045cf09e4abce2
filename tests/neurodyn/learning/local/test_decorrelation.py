"""Learned lateral inhibition: what is not correlated, and Földiák's code of lines."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from neurodyn.learning import AntiHebbianDecorrelation, FoldiakCoding


def test_outputs_are_not_correlated_once_the_rule_rests():
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 4)) @ random.normal(size=(4, 4)) / 2
    before = X.T @ X / len(X)
    fit = AntiHebbianDecorrelation(learning_rate=0.2, n_epochs=3000).fit(X)
    Y = fit.transform(X)
    after = Y.T @ Y / len(Y)
    off = ~np.eye(4, dtype=bool)
    assert np.abs(before[off]).max() > 0.2
    assert_allclose(after[off], 0, atol=1e-10)
    assert_allclose(fit.lateral_, fit.lateral_.T, atol=1e-14)
    assert np.all(np.diag(fit.lateral_) == 0)
    assert_allclose(Y, X + Y @ fit.lateral_.T, atol=1e-12)  # they have settled


def test_two_units_rest_at_the_root_of_a_quadratic():
    """For y = (1 - V)^-1 x with one weight v, <y1 y2> ~ c + v (a + b) + v**2 c: its smaller root."""
    random = np.random.default_rng(1)
    X = random.normal(size=(100, 2)) @ np.array([[0.8, 0.5], [0.0, 0.6]])
    (a, c), (_, b) = X.T @ X / len(X)
    fit = AntiHebbianDecorrelation(learning_rate=0.2, n_epochs=2000).fit(X)
    v = (-(a + b) + np.sqrt((a + b) ** 2 - 4 * c**2)) / (2 * c)
    assert_allclose(fit.lateral_[0, 1], v, rtol=1e-11)


def test_one_batch_is_one_step_of_the_rule_and_too_large_ones_are_an_error():
    X = np.random.default_rng(2).normal(size=(6, 3))
    fit = AntiHebbianDecorrelation(learning_rate=0.05, batch_size=3).partial_fit(X)
    V = np.zeros((3, 3))
    for part in (X[:3], X[3:]):
        Y = np.linalg.solve(np.eye(3) - V, part.T).T
        change = Y.T @ Y / 3
        V = V - 0.05 * (change - np.diag(np.diag(change)))
    assert_allclose(fit.lateral_, V, rtol=1e-13)
    with pytest.raises(FloatingPointError, match="excite themselves.*smaller `learning_rate`"):
        AntiHebbianDecorrelation(learning_rate=50.0).fit(X)


# -- Földiák 1990 ------------------------------------------------------------------------------


def lines(n, rng):
    """Images 8 x 8 of horizontal and vertical lines, each there with probability 1/8."""
    across, down = rng.random((2, n, 8)) < 1 / 8
    return (across[:, :, None] | down[:, None, :]).reshape(n, 64).astype(float)


@pytest.fixture(scope="module")
def coder():
    X = lines(2000, np.random.default_rng(3))
    return FoldiakCoding(16, n_warm_up=1, n_epochs=1, rng=4).fit(X), X


def test_every_line_gets_a_unit_of_its_own(coder):
    """Figure 3 of the paper: 16 units, one for each of the 16 lines."""
    fit, _ = coder
    each = np.eye(8)[:, :, None] * np.ones(8), np.eye(8)[:, None, :] * np.ones((8, 1))
    answers = fit.transform(np.concatenate(each).reshape(16, 64))
    assert np.array_equal(answers.sum(axis=0), np.ones(16))
    assert np.array_equal(answers.sum(axis=1), np.ones(16))


def test_units_are_active_as_often_as_wanted_and_pairs_as_by_chance(coder):
    fit, _ = coder
    n, p = 3000, 1 / 8
    Y = fit.transform(lines(n, np.random.default_rng(5)))
    together = Y.T @ Y / n
    assert_allclose(np.diag(together), p, atol=4 * np.sqrt(p * (1 - p) / n))
    pairs = together[np.triu_indices(16, 1)]
    assert_allclose(pairs, p**2, atol=4.5 * np.sqrt(p**2 * (1 - p**2) / n))  # of 120 pairs


def test_one_sample_is_one_step_of_the_three_rules():
    random = np.random.default_rng(6)
    x, Q = random.random(5), random.random((3, 5))
    fit = FoldiakCoding(3, p=0.2, components=Q, n_steps=400, dt=0.05)
    fit.partial_fit(x[None])
    V, t, y = np.zeros((3, 3)), np.zeros(3), np.zeros(3)
    for _ in range(400):
        y = y + 0.05 * (1 / (1 + np.exp(-10 * (Q @ x + V @ y - t))) - y)
    y = (y > 0.5).astype(float)
    assert y.any()
    V = np.minimum(V - 0.1 * (np.outer(y, y) - 0.04), 0) * (1 - np.eye(3))
    assert_allclose(fit.lateral_, V, rtol=1e-13)
    assert_allclose(fit.components_, Q + 0.02 * y[:, None] * (x - Q), rtol=1e-13)
    assert_allclose(fit.thresholds_, 0.02 * (y - 0.2), rtol=1e-13)


def test_numbers_are_checked_by_name():
    X = np.ones((3, 2))
    for name, value in (("p", 1.0), ("steepness", 0), ("dt", -1), ("lateral_rate", -0.1)):
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            FoldiakCoding(2, **{name: value}).fit(X)
