"""What learning did to weights that are changed by hand."""

import numpy as np
import pytest
import scipy.sparse

import neurodyn as nd
from neurodyn.analyses import (
    kernel_alignment,
    learning_regime,
    matrix_ranks,
    representation_alignment,
    weight_change,
)

LABEL = "E.r->E.I_rec"


def network(W, W_back=None):
    equations = "dx/dt = (-x + I_rec + I_in)/tau : 1\nr = tanh(x) : 1"
    populations = {name: nd.Population(len(W), equations, tau=0.1) for name in "EI"}
    back = np.eye(len(W)) if W_back is None else W_back
    return nd.Network(populations, [nd.Coupling("E.r", "E.I_rec", W),
                                    nd.Coupling("I.r", "E.I_in", back)])


def test_changes_of_weights():
    rng = np.random.default_rng(0)
    W, u, v = rng.standard_normal((6, 4)), rng.standard_normal(6), rng.standard_normal(4)
    after = W + 0.3 * np.outer(u, v)
    for found in (weight_change(W, after),
                  weight_change(scipy.sparse.csr_array(W), nd.weights.Dense(after))):
        size = 0.3 * np.linalg.norm(u) * np.linalg.norm(v)
        assert found.change == pytest.approx(size)
        assert found.relative_change == pytest.approx(size / np.linalg.norm(W))
        assert found.norm_before == pytest.approx(np.linalg.norm(W))
        assert found.norm_after == pytest.approx(np.linalg.norm(after))
        angle = np.sum(W * after) / np.linalg.norm(W) / np.linalg.norm(after)
        assert found.cosine == pytest.approx(angle)
        assert found.sign_similarity == np.mean(np.sign(W) == np.sign(after))
        assert found.ranks_of_change.entropy == pytest.approx(1)
        assert found.ranks_of_change.stable == pytest.approx(1)
        assert found.ranks_before.stable == pytest.approx(matrix_ranks(W).stable)
        assert found.ranks_after.entropy == pytest.approx(matrix_ranks(after).entropy)
    new = weight_change(np.zeros((2, 2)), np.eye(2))
    assert new.relative_change == np.inf and new.ranks_before is None and np.isnan(new.cosine)
    assert weight_change(np.zeros((2, 2)), np.zeros((2, 2))).relative_change == 0


def test_two_networks():
    rng = np.random.default_rng(1)
    W, step = rng.standard_normal((5, 5)), 0.1 * rng.standard_normal((5, 5))
    H0, H1 = rng.standard_normal((20, 5)), rng.standard_normal((20, 5))
    G0, G1 = rng.standard_normal((8, 30)), rng.standard_normal((8, 30))
    K0, K1 = G0 @ G0.T, G1 @ G1.T
    before = network(W)
    found = learning_regime(before, before.with_values(**{LABEL: W + step}),
                            representations=(H0, H1), kernels=(K0, K1))
    assert list(found.weights) == [LABEL, "I.r->E.I_in"]
    size = np.linalg.norm(step)
    assert found.weights[LABEL].change == pytest.approx(size) == pytest.approx(found.weight_change)
    assert found.weights["I.r->E.I_in"].change == 0
    assert found.weights["I.r->E.I_in"].ranks_of_change is None
    norm = np.sqrt(np.sum(W**2) + 5)
    assert found.relative_weight_change == pytest.approx(size / norm)
    assert found.representation_alignment == representation_alignment(H0, H1)
    assert found.sign_similarity == np.mean(np.sign(H0) == np.sign(H1))
    assert found.kernel_alignment == kernel_alignment(K0, K1)
    assert found.notes == ()
    only = learning_regime(before, before.with_values(**{LABEL: W + step}), couplings=[LABEL])
    assert only.relative_weight_change == pytest.approx(size / np.linalg.norm(W))
    assert only.representation_alignment is only.sign_similarity is only.kernel_alignment is None
    arrays = learning_regime(W, W + step)
    assert arrays.weights["W"].change == pytest.approx(size)
    several = learning_regime({"W": W, "W_in": np.ones((5, 2))}, {"W": W, "W_in": np.zeros((5, 2))})
    assert several.weight_change == pytest.approx(np.sqrt(10))


def test_before_learning_everything_is_perfectly_lazy():
    rng = np.random.default_rng(2)
    W, H = rng.standard_normal((5, 5)), rng.standard_normal((9, 5))
    found = learning_regime(network(W), network(W), representations=(H, H), kernels=(H @ H.T,) * 2)
    assert found.weight_change == found.relative_weight_change == 0
    assert found.representation_alignment == pytest.approx(1)
    assert found.kernel_alignment == pytest.approx(1)
    assert found.sign_similarity == 1 and "not learned looks" in found.notes[0]


def test_networks_that_grew_have_no_signs_to_compare():
    rng = np.random.default_rng(3)
    found = learning_regime(np.eye(2), 2 * np.eye(2), representations=(
        rng.standard_normal((9, 5)), rng.standard_normal((9, 7))))
    assert found.sign_similarity is None and 0 < found.representation_alignment < 1


W = np.random.default_rng(0).standard_normal((3, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weight_change(W, W[:2]), r"same shape; got \(3, 3\) and \(2, 3\)"),
        (lambda: weight_change(W * np.nan, W), "`before` must be finite"),
        (lambda: learning_regime(network(W), W), "`after` has no weights 'E.r->E.I_rec', which"),
        (lambda: learning_regime({"a": W}, {"a": W, "b": W}), "`before` has no weights 'b'"),
        (lambda: learning_regime({"a": W}, {"a": W[:2]}), "weights of a: `before` and `after`"),
        (lambda: learning_regime({}, {}), "`before` has no weights"),
        (lambda: learning_regime(network(W), network(W), couplings=["E.r->E.I_re"]),
         "unknown; did you mean 'E.r->E.I_rec'"),
        (lambda: learning_regime(W, W, couplings=[]), "`couplings` is empty"),
        (lambda: learning_regime(W, W, kernels=W), r"`kernels` must be a pair, \(before, after\)"),
        (lambda: learning_regime(W, W, representations=(W, W[:2])), "must have the same samples"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
