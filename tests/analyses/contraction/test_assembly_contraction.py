"""Certificates of coupled contracting modules: feedback, one-way, weak, and what has none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import block_diag

import neurodyn as nd
from neurodyn import analyses


def modules(n_modules, n, rng, radius=0.6):
    """Random modules that meet theorem 1."""
    found = []
    for _ in range(n_modules):
        W = rng.normal(size=(n, n))
        found.append(radius * W / np.abs(np.linalg.eigvals(np.abs(W))).max())
    conditions = [analyses.contraction_conditions(W, only=["absolute value"])[0] for W in found]
    return found, conditions


def naive_worst(W, L, metric):
    """Least decay over all corners, by the generalised eigenvalues of the inequality."""
    rates = []
    for d in np.ndindex(*(2,) * len(W)):
        J = W * np.array(d) - np.eye(len(W)) + L
        root = np.linalg.cholesky(metric)
        inner = np.linalg.solve(root, metric @ J + J.T @ metric)
        rates.append(-np.linalg.eigvalsh(np.linalg.solve(root, inner.T))[-1] / 2)
    return min(rates)


@pytest.mark.parametrize("size", [1, 100, 1e4])
def test_one_way_coupling_of_any_size_is_certified(size):
    rng = np.random.default_rng(0)
    W, conditions = modules(3, 2, rng)
    # module 1 drives 0, 0 drives 2, 1 drives 2: not in the order of their numbers
    L = size * rng.normal(size=(6, 6)) * np.kron([[0, 1, 0], [0, 0, 0], [1, 1, 0]], np.ones((2, 2)))
    found = analyses.assembly_contraction(L, conditions, modules=W)
    least = min(c.rate for c in conditions)
    assert found.contracts and 0.9 * least - 1e-9 <= found.rate <= least + 1e-9
    assert found.scales[1] > found.scales[0] > found.scales[2]
    assert naive_worst(block_diag(*W), L, found.metric) >= found.rate - 1e-6
    assert_allclose(found.whole_rate, naive_worst(block_diag(*W), L, found.metric), atol=1e-6)
    in_own_metrics = analyses.contraction_rate(
        analyses.slope_vertices(block_diag(*W)) + L,
        metric=block_diag(*[c.metric for c in conditions]),
    )
    assert size == 1 or in_own_metrics.rate < 0  # which is why the metrics are scaled


def test_one_way_pair_has_the_exact_rate():
    """``[[-1, 0], [k, -1]]`` in diag(1, s): the rate is ``1 - k sqrt(s)/2``."""
    for k in (0.5, 30.0):
        found = analyses.assembly_contraction([[0, 0], [k, 0]], [[1.0], [1.0]], rates=[1, 1])
        s = found.scales[1] / found.scales[0]
        assert_allclose(found.rate, 1 - k * np.sqrt(s) / 2, rtol=1e-12)
        assert_allclose(np.trace(found.metric), 2)
        assert_allclose(found.condition_number, 1 / s)


def test_feedback_is_certified_in_metrics_of_any_scale():
    rng = np.random.default_rng(1)
    W, conditions = modules(3, 2, rng)
    L = analyses.combination_coupling(50 * rng.normal(size=(6, 6)), conditions).L
    factors = [7.0, 0.2, 1e3]
    metrics = [f * c.metric for f, c in zip(factors, conditions)]
    found = analyses.assembly_contraction(L, metrics, rates=[c.rate for c in conditions], modules=W)
    assert_allclose(found.rate, min(c.rate for c in conditions))
    assert_allclose(found.scales * factors / (found.scales * factors)[0], 1)
    assert set(found.groups) == {0}
    # the coupling changes nothing in the metric
    uncoupled = analyses.contraction_rate(
        analyses.slope_vertices(block_diag(*W)), metric=found.metric
    ).rate
    assert_allclose(found.whole_rate, uncoupled, rtol=1e-9)


def test_feedback_within_groups_and_one_way_between_them():
    rng = np.random.default_rng(2)
    W, conditions = modules(3, 3, rng)
    L = analyses.combination_coupling(
        50 * rng.normal(size=(9, 9)), conditions, adjacency=[[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    ).L
    L[6:, :6] = 100 * rng.normal(size=(3, 6))
    found = analyses.assembly_contraction(L, conditions, modules=W, fraction=0.5)
    assert found.groups[0] == found.groups[1] != found.groups[2]
    least = min(c.rate for c in conditions)
    assert 0.5 * least <= found.rate <= found.whole_rate + 1e-9 and found.rate <= least
    assert_allclose(found.whole_rate, naive_worst(block_diag(*W), L, found.metric), atol=1e-6)


def test_weak_coupling_is_certified_up_to_its_exact_limit():
    """``[[-1, k], [k, -4]]`` is stable, with any metric, for k below 2 only."""
    for k, contracts in ((1.9, True), (2.1, False)):
        found = analyses.assembly_contraction([[0, k], [k, 0]], [[1.0], [1.0]], rates=[1, 4])
        assert found.contracts == contracts
        assert_allclose(found.rate, -np.linalg.eigvalsh([[-1, k], [k, -4]])[-1])


def test_time_constant_divides_coupling_and_rates():
    rng = np.random.default_rng(3)
    W, slow = modules(2, 3, rng)
    fast = [analyses.contraction_conditions(w, only=["absolute value"], tau=0.02)[0] for w in W]
    L = rng.normal(size=(6, 6)) * np.kron([[0, 0], [1, 0]], np.ones((3, 3)))
    a = analyses.assembly_contraction(L, slow, modules=W)
    b = analyses.assembly_contraction(L, fast, modules=W, tau=0.02)
    assert_allclose([b.rate, b.whole_rate], [a.rate / 0.02, a.whole_rate / 0.02], rtol=1e-9)


def test_activity_form_of_modules_in_an_assembly():
    rng = np.random.default_rng(4)
    W, _ = modules(2, 3, rng)
    conditions = [analyses.contraction_conditions(w, form="activity")[0] for w in W]
    whole = analyses.combination_coupling(
        20 * rng.normal(size=(6, 6)), conditions, modules=W, form="activity"
    )
    J = np.array(
        [np.array(d)[:, None] * block_diag(*W) - np.eye(6) + whole.L for d in np.ndindex(*(2,) * 6)]
    )
    root = np.linalg.cholesky(whole.metric).T
    X = root @ J @ np.linalg.inv(root)
    worst = np.linalg.eigvalsh((X + np.swapaxes(X, 1, 2)) / 2)[:, -1].max()
    assert_allclose(whole.whole_rate, -worst, atol=1e-9)
    assert whole.whole_rate >= whole.rate - 1e-9 > 0


def test_long_chain_of_strong_weights_is_certified():
    """Its diagonal metric spans 57 decades, and is positive definite all the same."""
    W = np.diag(np.full(29, 10.0), -1)
    found = analyses.contraction_conditions(W, only=["absolute value", "triangular"])
    assert [c.name for c in found] == ["absolute value", "triangular"]
    assert all(c.holds and c.rate > 0 for c in found)
    # of the triangular matrix itself, by hand: neighbours with weights w, w' have W sqrt(w'/w)/2
    for one in found:
        w = np.diag(one.metric)
        step = 10 * np.sqrt(w[1:] / w[:-1])
        S = np.diag(step / 2, -1) + np.diag(step / 2, 1) - np.eye(30)
        assert_allclose(one.rate, -np.linalg.eigvalsh(S)[-1], rtol=1e-6)


def test_refuses_what_cannot_be_certified():
    one = [[1.0], [1.0]]
    with pytest.raises(ValueError, match=r"`metrics\[1\]` must be positive definite; .* is -2"):
        analyses.assembly_contraction(np.zeros((2, 2)), [[1.0], [-2.0]], rates=[1, 1])
    with pytest.raises(ValueError, match=r"`rates` is needed: those of the modules \[0, 1\]"):
        analyses.assembly_contraction(np.zeros((2, 2)), one)
    with pytest.raises(ValueError, match="`rates` must be 2 positive numbers"):
        analyses.assembly_contraction(np.zeros((2, 2)), one, rates=[1, -1])
    with pytest.raises(ValueError, match=r"`L` must be \(2, 2\)"):
        analyses.assembly_contraction(np.zeros((3, 3)), one, rates=[1, 1])
    with pytest.raises(ValueError, match="`fraction` must be between 0 and 1; got 1.0"):
        analyses.assembly_contraction(np.zeros((2, 2)), one, rates=[1, 1], fraction=1.0)
    a_map = analyses.contraction_metric(nd.Map(lambda x: 0.5 * x, 1), rng=0)
    with pytest.raises(ValueError, match=r"`metrics\[0\]` is the metric of a map"):
        analyses.combination_coupling(np.zeros((2, 2)), [a_map, [1.0]])
    for name in ("tau", "slope"):  # more units than have all corners checked
        with pytest.raises(ValueError, match=f"`{name}` must be positive; got 0.0"):
            analyses.combination_coupling(
                np.zeros((12, 12)), [np.ones(6)] * 2, modules=[np.zeros((6, 6))] * 2, **{name: 0.0}
            )
    with pytest.raises(ValueError, match="`only` must be from 'absolute value', .*; got 'sum'"):
        analyses.contraction_conditions([[0.0]], only="sum")


def test_strong_one_way_weights_leave_the_margin_exact():
    """Five dense groups in a chain of weights 300: eigenvalues of the whole are off by 1e-3."""
    W = 0.07 * np.kron(np.eye(5), np.ones((12, 12))) + 300 * np.kron(
        np.eye(5, k=-1), np.ones((12, 12))
    )
    (found,) = analyses.contraction_conditions(W, only=["absolute value"], n_checks=16)
    assert_allclose(found.margin, 1 - 0.07 * 12, rtol=1e-9)
    assert found.rate > 0


def test_chain_of_many_modules_with_huge_gains_is_certified():
    rng = np.random.default_rng(5)
    order = rng.permutation(8)
    L = np.zeros((8, 8))
    L[order[1:], order[:-1]] = 1e3
    L[order[3], order[0]] = 1e5
    found = analyses.assembly_contraction(L, [[1.0]] * 8, rates=[1.0] * 8)
    assert 0.9 <= found.rate <= 1
    # by hand, in the coordinates of the scales
    root = np.sqrt(found.scales)
    S = root[:, None] * L / root
    assert_allclose(found.rate, 1 - np.linalg.eigvalsh((S + S.T) / 2)[-1], rtol=1e-9)
