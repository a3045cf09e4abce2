"""Regularisers against closed forms and central differences."""

import numpy as np
import pytest

from neurodyn.learning.regularisers import (
    L1,
    L2,
    ActivityL1,
    ActivityL2,
    SpectralNorm,
    StableRank,
    TemporalConsistency,
    VanishingGradient,
)

RNG = np.random.default_rng(0)
W = RNG.normal(size=(4, 3))
R = RNG.normal(size=(2, 5, 3))


def differences(f, x, h=1e-6):
    found = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[place] += h
        down[place] -= h
        found[place] = (f(up) - f(down)) / (2 * h)
    return found


@pytest.mark.parametrize(
    "penalty, wanted",
    [
        (L1(0.3), 0.3 * np.abs(W).sum()),
        (L2(0.3), 0.3 * (W**2).sum()),
        (SpectralNorm(0.3), 0.3 * np.linalg.norm(W, 2)),
        (StableRank(0.3), 0.3 * (np.linalg.norm(W) / np.linalg.norm(W, 2)) ** 2),
    ],
)
def test_penalties_and_their_gradients(penalty, wanted):
    value, gradients = penalty({"W": W})
    assert value == pytest.approx(wanted, rel=1e-12)
    numeric = differences(lambda x: penalty({"W": x})[0], W)
    np.testing.assert_allclose(gradients["W"], numeric, atol=1e-8)


def test_the_stable_rank_of_known_matrices():
    assert StableRank(1.0)({"W": np.eye(4)})[0] == pytest.approx(4)
    assert StableRank(1.0)({"W": np.outer([1.0, 2], [3.0, 4])})[0] == pytest.approx(1)


@pytest.mark.parametrize(
    "loss, wanted",
    [
        (ActivityL1("E.r", 0.2), 0.2 * np.abs(R).mean()),
        (ActivityL2("E.r", 0.2), 0.2 * (R**2).mean()),
        (TemporalConsistency("E.r", 0.2), 0.2 * ((R[:, 1:] - R[:, :-1]) ** 2).mean()),
    ],
)
def test_losses_of_activity(loss, wanted):
    value, cotangents = loss({"E.r": R})
    assert value == pytest.approx(wanted, rel=1e-12)
    numeric = differences(lambda x: loss({"E.r": x})[0], R)
    np.testing.assert_allclose(cotangents["E.r"], numeric, atol=1e-9)


@pytest.mark.parametrize("leak", [1.0, 0.3])
def test_pascanus_term_is_its_formula_and_its_gradient_the_immediate_one(leak):
    n = 3
    square, d, r = RNG.normal(size=(n, n)), RNG.normal(size=R.shape), np.tanh(R)
    term = VanishingGradient("E.r->E.I", 0.7, leak=leak)

    def naive(W):
        total, count = 0.0, 0
        for b in range(2):
            for k in range(1, 5):
                J = (1 - leak) * np.eye(n) + leak * W @ np.diag(1 - r[b, k - 1] ** 2)
                ratio = np.linalg.norm(d[b, k] @ J) / np.linalg.norm(d[b, k])
                total, count = total + (ratio - 1) ** 2, count + 1
        return 0.7 * total / count

    value, gradient = term.of_run(square, r, d)
    assert value == pytest.approx(naive(square), rel=1e-12)
    np.testing.assert_allclose(gradient, differences(naive, square), atol=1e-8)


def test_pascanus_term_is_zero_for_an_orthogonal_linear_network_and_without_gradients():
    Q = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    term = VanishingGradient("E.r->E.I", 1.0, slope=np.ones_like)
    assert term.of_run(Q, R, R)[0] == pytest.approx(0, abs=1e-28)
    value, gradient = term.of_run(Q, R, np.zeros_like(R))
    assert value == 0 and not gradient.any()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: L1(-1.0), "`strength` must be a finite number of at least 0; got -1.0"),
        (lambda: L2(1.0, on=["V"])({"W": W}), "`on`: `V` is not trained"),
        (lambda: SpectralNorm(1.0)({"b": np.ones(3)}), "needs a matrix"),
        (lambda: VanishingGradient("E.r->E.I", 1.0, leak=2), r"`leak` is dt/tau.*got 2"),
    ],
)
def test_regularisers_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_one_name_is_not_taken_for_a_list():
    with pytest.raises(TypeError, match=r"`on` must be a list of names, \['E.r->E.I'\]"):
        L2(1.0, on="E.r->E.I")
