"""Contraction: rates with exact answers, metrics that are needed, conditions at all corners."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.linalg import expm, sqrtm

import neurodyn as nd
from neurodyn import analyses


def naive_measure(J, M):
    """Largest eigenvalue of the symmetric part, by the symmetric root of the metric."""
    root = np.real(sqrtm(M))
    X = root @ J @ np.linalg.inv(root)
    return np.linalg.eigvals((X + X.T) / 2).real.max()


def corners(W, slope=1.0):
    n = len(W)
    return [W * (slope * np.array(d)) - np.eye(n) for d in np.ndindex(*(2,) * n)]


# ------------------------------------------------------------------------------------- rates


@pytest.mark.parametrize("norm", ["2", "1", "inf"])
def test_diagonal_flow_contracts_at_its_slowest_rate(norm):
    found = analyses.contraction_rate(np.diag([-3.0, -0.5, -2.0]), norm=norm, metric=[1, 7, 0.1])
    assert_allclose(found.rate, 0.5, rtol=1e-12)
    assert found.is_proof and found.holds_for == "all x" and abs(found.residual) < 1e-12


def test_measures_of_a_triangular_matrix():
    A = [[-1.0, 4.0], [0.0, -1.0]]
    assert_allclose(analyses.contraction_rate(A).rate, -1)  # -1 + 4/2 is its measure
    assert_allclose(analyses.contraction_rate(A, metric=[1, 64]).rate, 1 - 4 / 8 / 2)
    # columns -1, 4/8 - 1; rows 4/8 - 1, -1
    assert_allclose(analyses.contraction_rate(A, norm="1", metric=[1, 8]).rate, 0.5)
    assert_allclose(analyses.contraction_rate(A, norm="inf", metric=[1, 8]).rate, 0.5)


@pytest.mark.parametrize("norm", ["1", "inf"])
def test_measures_are_the_growth_of_the_matrix_exponential(norm):
    rng = np.random.default_rng(0)
    J, w, h = rng.normal(size=(4, 4)), rng.uniform(0.5, 2, 4), 1e-7
    order = {"1": 1, "inf": np.inf}[norm]
    size = np.linalg.norm(w[:, None] * expm(h * J) / w, order)
    found = analyses.contraction_rate(J, norm=norm, metric=w)
    assert_allclose(-found.rate, np.log(size) / h, rtol=1e-5)


def test_rate_in_a_metric_agrees_with_a_naive_one():
    rng = np.random.default_rng(1)
    J, A = rng.normal(size=(5, 4, 4)), rng.normal(size=(4, 4))
    M = A @ A.T + np.eye(4)
    found = analyses.contraction_rate(J, metric=M)
    assert_allclose(found.measures, [naive_measure(j, M) for j in J], rtol=1e-9)
    whole = [np.linalg.eigvalsh(M @ j + j.T @ M + 2 * found.rate * M)[-1] for j in J]
    assert_allclose(found.residual, max(whole), atol=1e-10)
    assert abs(found.residual) < 1e-10


def test_maps_and_steps_of_euler():
    step = nd.Map(lambda x: 0.5 * x, 2)
    assert_allclose(analyses.contraction_rate(step, rng=0).rate, np.log(2))
    flow = nd.Flow(lambda x: -3.0 * x, 2)
    euler = analyses.contraction_rate(flow, solver=nd.Euler(dt=0.5), rng=0)
    assert_allclose(euler.rate, np.log(2) / 0.5)
    wide = analyses.contraction_rate(flow, solver=nd.Euler(dt=1.0), rng=0)
    assert_allclose(wide.rate, -np.log(2), rtol=1e-8)  # the flow contracts, |1 - 3| does not
    rotation = 0.9 * np.array([[0.0, 4.0], [-0.25, 0.0]])
    turning = nd.Map(lambda x: x @ rotation.T, 2)
    assert analyses.contraction_rate(turning, rng=0).rate < 0
    assert_allclose(analyses.contraction_metric(turning, rng=0).rate, -np.log(0.9), rtol=1e-6)


def test_a_network_is_sampled_and_its_inputs_count():
    net = nd.rate_network([[0.5]], tau=0.1)
    found = analyses.contraction_rate(net, [[0.0], [1.0]])
    assert_allclose(found.measures, [-5, (-1 + 0.5 / np.cosh(1) ** 2) / 0.1])
    assert (found.n_samples, found.is_proof, found.holds_for) == (2, False, "the samples")


# ----------------------------------------------------------------------------- search of metrics


def test_search_reaches_the_limit_of_one_matrix():
    rng = np.random.default_rng(2)
    for n in (2, 5):
        J = rng.normal(size=(n, n)) * 2
        found = analyses.contraction_metric(J)
        assert_allclose(found.limit, -np.linalg.eigvals(J).real.max())
        assert found.limit - 0.02 * np.abs(J).max() < found.rate <= found.limit + 1e-9
        assert_allclose(np.trace(found.metric), n)
        assert_allclose(-found.rate, naive_measure(J, found.metric), atol=1e-6)


def test_positive_matrix_takes_perrons_metric():
    """For a Metzler matrix a diagonal metric reaches the abscissa; so do the other norms."""
    rng = np.random.default_rng(3)
    A = rng.uniform(0, 1, (5, 5)) - 4 * np.eye(5)
    top = np.linalg.eigvals(A).real.max()
    for norm, tolerance in (("2", 1e-4), ("1", 6e-3), ("inf", 6e-3)):
        found = analyses.contraction_metric(A, kind="diagonal", norm=norm)
        assert_allclose(found.rate, -top, atol=tolerance)


def test_needs_a_metric_that_is_not_the_identity():
    """A linear focus that grows in the usual norm, and has the metric diag(1, 16)."""
    J = np.array([[-1.0, 8.0], [-0.5, -1.0]])
    assert_allclose(analyses.contraction_rate(J).rate, 1 - 7.5 / 2)
    assert_allclose(analyses.contraction_rate(J, metric=[1, 16]).rate, 1)
    found = analyses.contraction_metric(J, kind="diagonal")
    assert_allclose(found.rate, 1, atol=1e-5)
    assert_allclose(found.metric[1, 1] / found.metric[0, 0], 16, rtol=1e-2)


def test_search_says_where_there_is_no_metric():
    found = analyses.contraction_metric([[0.5, 0.0], [0.0, -1.0]])
    assert not found.contracts
    assert_allclose([found.rate, found.limit], -0.5)


def test_distance_decays_at_least_at_the_rate():
    rng = np.random.default_rng(4)
    W = np.triu(rng.normal(size=(4, 4)) * 2, 1)  # grows in the usual norm
    assert analyses.contraction_rate(analyses.slope_vertices(W)).rate < 0
    found = analyses.contraction_metric(analyses.slope_vertices(W))
    assert found.contracts and found.is_proof

    def pair(t, y):
        x = y.reshape(2, 4)
        return (-x + np.tanh(x) @ W.T + 2 * np.sin(3 * t)).ravel()

    t = np.linspace(0, 5, 51)
    y = solve_ivp(pair, (0, 5), rng.normal(size=8) * 2, t_eval=t, rtol=1e-10, atol=1e-12).y.T
    d = y[:, :4] - y[:, 4:]
    distance = np.sqrt(np.einsum("ti,ij,tj->t", d, found.metric, d))
    assert np.all(np.diff(np.log(distance)) <= -found.rate * 0.1 + 1e-5)


# --------------------------------------------------------------------------------- conditions


def example(name, rng):
    n = 6
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    if name == "absolute value":
        W = rng.normal(size=(n, n))
        np.fill_diagonal(W, 0)
        return 0.9 * W / np.abs(np.linalg.eigvals(np.abs(W))).max()
    if name == "symmetric":
        return (Q * [0.8, 0.3, -1, -5, -20, 0.1]) @ Q.T
    if name == "product":
        A = rng.normal(size=(n, n))
        spd = A @ A.T + 0.1 * np.eye(n)
        return -rng.uniform(0.2, 3, n)[:, None] * spd * rng.uniform(0.2, 3, n)
    if name == "triangular":
        W = np.tril(rng.normal(size=(n, n)) * 2, -1) + np.diag(rng.uniform(-2, 0.7, n))
        order = rng.permutation(n)
        return W[np.ix_(order, order)]
    V = np.linalg.qr(rng.normal(size=(n, n)))[0]
    F = rng.uniform(0.1, 3, n)
    return (Q * rng.uniform(0.1, 0.8, n)) @ V.T * F / F[:, None]


NAMES = ["absolute value", "symmetric", "product", "triangular", "singular value"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_certified_metrics_hold_at_every_corner(name, seed):
    W = example(name, np.random.default_rng(seed))
    all_found = analyses.contraction_conditions(W)
    assert [c.name for c in all_found] == NAMES
    assert all_found[NAMES.index(name)].holds
    for found in all_found:
        if found.holds:
            worst = max(naive_measure(J, found.metric) for J in corners(W))
            assert found.rate > 0 and worst <= -found.rate + 1e-6
            assert found.n_checked == 64


def test_margins_and_rates_of_the_theorems():
    by_name = {n: example(n, np.random.default_rng(7)) for n in NAMES}
    found = {n: analyses.contraction_conditions(W)[NAMES.index(n)] for n, W in by_name.items()}
    assert_allclose(found["absolute value"].margin, 0.1, rtol=1e-8)
    assert_allclose([found["symmetric"].margin, found["symmetric"].rate], 0.2, rtol=1e-8)
    assert_allclose(found["product"].rate, 1)
    assert_allclose(found["triangular"].margin, 1 - max(np.diag(by_name["triangular"]).max(), 0))
    # built with singular values up to 0.8: the search may only find less
    assert found["singular value"].rate >= 1 - 0.8


def test_symmetric_weights_with_strong_inhibition_fail_the_absolute_value():
    W = -3 * np.ones((4, 4))
    found = {c.name: c for c in analyses.contraction_conditions(W, tau=0.1)}
    assert not found["absolute value"].holds and not found["singular value"].holds
    assert_allclose(found["symmetric"].rate, 0.99 / 0.1)


def test_slope_scales_weights_and_activity_form_transposes_them():
    W = example("absolute value", np.random.default_rng(8))
    steep = analyses.contraction_conditions(W / 2, slope=2.0)
    for a, b in zip(steep, analyses.contraction_conditions(W), strict=True):
        assert a.holds == b.holds
        assert_allclose(a.rate, b.rate, equal_nan=True)
    activity = analyses.contraction_conditions(W, form="activity")[0]
    J = [d[:, None] * W - np.eye(6) for d in np.array(list(np.ndindex(*(2,) * 6)), float)]
    assert max(naive_measure(j, activity.metric) for j in J) <= -activity.rate + 1e-9


def test_stable_linearisation_is_not_enough():
    """At slope 1 a focus, at slopes (1, 0) a growing state: no condition may hold."""
    W = np.array([[1.5, -4.0], [4.0, -3.0]])
    assert np.linalg.eigvals(W - np.eye(2)).real.max() < 0
    assert not any(c.holds for c in analyses.contraction_conditions(W))
    assert not analyses.contraction_metric(analyses.slope_vertices(W)).contracts


def test_identity_fails_where_the_metric_of_theorem_1_does_not():
    """Modules of 16 units, density 0.25, multiplier 0.4: the published code's identity metric."""
    rng = np.random.default_rng(0)
    identity_failed = 0
    for _ in range(200):
        W = rng.uniform(-0.4, 0.4, (16, 16)) * (rng.random((16, 16)) < 0.25)
        np.fill_diagonal(W, 0)
        A = np.abs(W) - np.eye(16)
        if np.linalg.eigvals(A).real.max() >= 0:
            continue
        P = analyses.contraction_conditions(W, n_checks=8)[0].metric
        assert np.all(P == np.diag(np.diag(P))) and np.diag(P).min() > 0
        assert np.linalg.eigvalsh(P @ A + A.T @ P)[-1] < 0
        identity_failed += np.linalg.eigvalsh(A + A.T)[-1] > 0
    assert identity_failed > 0


# --------------------------------------------------------------------------------- assemblies


def test_coupling_does_no_work_in_the_metric():
    rng = np.random.default_rng(9)
    W = [example("absolute value", rng)[:3, :3], example("singular value", rng)[:3, :3] / 4]
    conditions = [analyses.contraction_conditions(w)[0] for w in W]
    B = rng.normal(size=(6, 6))
    for scale in (1, 100):
        whole = analyses.combination_coupling(scale * B, conditions, modules=W)
        P, L, x = whole.metric, whole.L, rng.normal(size=6)
        assert whole.skewness < 1e-12
        assert_allclose(x @ P @ L @ x, 0, atol=1e-10 * scale)
        assert_allclose(L[3:, :3], scale * B[3:, :3])
        expected = -np.linalg.solve(P[:3, :3], scale * B[3:, :3].T @ P[3:, 3:])
        assert_allclose(L[:3, 3:], expected)
        assert_allclose(whole.whole_rate, whole.uncoupled_rate, rtol=1e-9)
        assert whole.rate == min(c.rate for c in conditions) <= whole.whole_rate + 1e-9
        assert whole.is_proof and whole.n_checked == 64


def test_only_coupled_pairs_are_coupled():
    adjacency = [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    whole = analyses.combination_coupling(np.ones((3, 3)), [[1.0], [2.0], [1.0]],
                                          adjacency=adjacency)  # fmt: skip
    assert_allclose(whole.L, [[0, -2, 0], [1, 0, 0], [0, 0, 0]])
    assert np.isnan(whole.rate) and np.isnan(whole.whole_rate)


# -------------------------------------------------------------------------------------- errors


def test_refuses_what_is_no_metric():
    A = -np.eye(2)
    with pytest.raises(ValueError, match=r"`metric` must be positive definite; .* is -1 "):
        analyses.contraction_rate(A, metric=[[1, 2], [2, 1]])
    with pytest.raises(ValueError, match="`metric` must be symmetric"):
        analyses.contraction_rate(A, metric=[[1, 1], [0, 1]])
    with pytest.raises(ValueError, match=r"`metric` must be \(2, 2\).*got shape \(3,\)"):
        analyses.contraction_rate(A, metric=[1, 1, 1])
    with pytest.raises(ValueError, match="`metric` must have positive weights; the smallest is -1"):
        analyses.contraction_rate(A, norm="1", metric=[1, -1])
    with pytest.raises(ValueError, match="`metric` must be diagonal"):
        analyses.contraction_rate(A, norm="inf", metric=[[2, 1], [1, 2]])
    with pytest.raises(ValueError, match=r"`metrics\[1\]` must be positive definite"):
        analyses.combination_coupling(np.zeros((2, 2)), [[1.0], [-1.0]])


def test_refuses_wrong_systems_and_shapes():
    spiking = nd.Population(2, "dv/dt = -v/tau : 1", tau=0.01, threshold="v > 1", reset="v = 0")
    with pytest.raises(ValueError, match="spike: threshold and reset are not in the Jacobian"):
        analyses.contraction_rate(nd.Network({"E": spiking}))
    with pytest.raises(ValueError, match=r"`W` must be square"):
        analyses.contraction_conditions(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"`system` as an array"):
        analyses.contraction_rate(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"`samples` must have 2 states"):
        analyses.contraction_rate(nd.Flow(lambda x: -x, 2), [[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="`norm` must be"):
        analyses.contraction_rate(-np.eye(2), norm=2)
    with pytest.raises(ValueError, match="`W` has 11 units"):
        analyses.slope_vertices(np.zeros((11, 11)))
    with pytest.raises(ValueError, match=r"`B` must be \(2, 2\)"):
        analyses.combination_coupling(np.zeros((3, 3)), [[1.0], [1.0]])
    with pytest.raises(ValueError, match="`adjacency` must be"):
        analyses.combination_coupling(np.zeros((2, 2)), [[1.0], [1.0]], adjacency=np.ones((2, 2)))
