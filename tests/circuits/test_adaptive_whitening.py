"""Adaptive whitening: frames, closed forms, invariances, and the circuit against its theory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.circuits.adaptive_whitening import experiments, frames, model

DIMENSIONS = (2, 3, 4)


def covariance(N, rng, low=0.3, high=8.0):
    """A random covariance with eigenvalues from `low` to `high`."""
    V = frames.orthogonal(N, rng)
    return (V * np.geomspace(low, high, N)) @ V.T


def well_conditioned_frame(N, rng):
    """A random frame that spans, with cond(Gram2) < 1e5 so that nothing hides in rounding."""
    while True:
        W = frames.random(N, N * (N + 1) // 2, rng)
        if np.linalg.cond((W.T @ W) ** 2) < 1e5:
            return W


# ------------------------------------------------------------------------------- the frames

@pytest.mark.parametrize("W, c2, eigenvalues", [
    (frames.mercedes(), 1 / 4, [0.75, 0.75, 1.5]),
    (frames.icosahedral(), 1 / 5, [0.8] * 5 + [2.0]),
])
def test_equiangular_frames(W, c2, eigenvalues):
    N, K = W.shape
    gram2 = (W.T @ W) ** 2
    assert_allclose(gram2, np.where(np.eye(K, dtype=bool), 1, c2), atol=1e-14)
    assert_allclose(np.linalg.eigvalsh(gram2), eigenvalues, atol=1e-13)
    assert_allclose(W @ W.T, K / N * np.eye(N), atol=1e-14)       # tight
    assert c2 == pytest.approx((K - N) / (N * (K - 1)))


@pytest.mark.parametrize("N", DIMENSIONS)
def test_generic_columns_span_the_symmetric_matrices(N):
    K = N * (N + 1) // 2
    assert frames.span_rank(frames.random(N, K, N)) == K
    assert frames.span_rank(frames.random(N, K - 1, N)) == K - 1
    assert frames.span_rank(frames.random(N, K + 3, N)) == K


@pytest.mark.parametrize("shape, reach, K", [
    ((12, 12), 4, 2664), ((6, 6), 2, 146), ((6, 6), 3, 306), ((8, 8), 3, 610), ((2, 2), 7, 10),
    ((3, 5), (2, 4), None)])
def test_local_frame(shape, reach, K):
    W = frames.local(shape, reach)
    assert frames.local_size(shape, reach) == W.shape[1]
    assert K is None or W.shape[1] == K
    assert_allclose(np.linalg.norm(W, axis=0), 1)
    # The pairs, counted the slow way.
    h, w = (reach, reach) if np.isscalar(reach) else reach
    pixels = [(r, c) for r in range(shape[0]) for c in range(shape[1])]
    near = [(a, b) for a in range(len(pixels)) for b in range(a + 1, len(pixels))
            if abs(pixels[a][0] - pixels[b][0]) < h and abs(pixels[a][1] - pixels[b][1]) < w]
    assert_array_equal(frames.neighbours(shape, reach), near)
    seen = [tuple(np.flatnonzero(column)) for column in W.T]
    assert seen == [(a,) for a in range(len(pixels))] + near


@pytest.mark.parametrize("N, best", [(2, 0.5), (3, 1 / np.sqrt(5)), (4, 0.4352)])
def test_grassmannian_frame(N, best):
    """Equiangular where there is such a frame (N = 2, 3); for N = 4 near the best we ever saw."""
    W = frames.grassmannian(N, iterations=400, starts=3)
    K = N * (N + 1) // 2
    cosines = np.abs(W.T @ W)[~np.eye(K, dtype=bool)]
    assert_allclose(np.linalg.norm(W, axis=0), 1)
    assert cosines.max() == pytest.approx(best, abs=2e-3)
    assert frames.coherence(W) == pytest.approx(cosines.max())
    assert cosines.max() >= np.sqrt((K - N) / (N * (K - 1))) - 1e-9          # Welch
    assert frames.span_rank(W) == K


def test_frame_errors():
    with pytest.raises(ValueError, match="column that is zero"):
        frames.normalise([[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match="`shape` and `reach`"):
        frames.neighbours((4, 4), 0)
    with pytest.raises(ValueError, match="`W` must be a frame"):
        model.network(np.ones(3))
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.network(np.array([[1.0, np.nan]]))


# ------------------------------------------------------------------------------ the optimum

@pytest.mark.parametrize("N", DIMENSIONS)
@pytest.mark.parametrize("leak", [1.0, 0.4])
def test_closed_form_whitens(N, leak):
    rng = np.random.default_rng(10 * N)
    for _ in range(5):
        W, C = well_conditioned_frame(N, rng), covariance(N, rng)
        g = model.optimal_gains(W, C, leak)
        A = leak * np.eye(N) + (W * g) @ W.T
        assert_allclose(A @ A, C, atol=1e-10)
        assert_allclose(A, A.T, atol=1e-12)
        assert np.linalg.eigvalsh(A)[0] > 0
        assert_allclose(model.response_covariance(W, g, C, leak), np.eye(N), atol=1e-10)


def test_closed_form_with_too_many_and_too_few_interneurons():
    rng = np.random.default_rng(1)
    C = covariance(3, rng)
    g = model.optimal_gains(W := frames.random(3, 9, rng), C)
    assert_allclose(model.response_covariance(W, g, C), np.eye(3), atol=1e-9)
    # The spectral frame has K = N, and whitens its own C: g_i = sqrt(lambda_i) - leak.
    W = frames.spectral(C)
    g = model.optimal_gains(W, C, 0.7)
    assert_allclose(g, np.sqrt(np.linalg.eigvalsh(C)) - 0.7, atol=1e-12)
    assert_allclose(model.response_covariance(W, g, C, 0.7), np.eye(3), atol=1e-12)
    # Too few generic columns cannot; the closed form is then the nearest in Frobenius norm.
    W = frames.random(3, 3, rng)
    g, S = model.optimal_gains(W, C), model.psd_sqrt(C)
    best = np.linalg.lstsq(np.einsum("ik,jk->ijk", W, W).reshape(9, 3), (S - np.eye(3)).ravel(),
                           rcond=None)[0]
    assert_allclose(g, best, atol=1e-10)


def test_invariances_of_the_optimum():
    rng = np.random.default_rng(2)
    W, C = well_conditioned_frame(3, rng), covariance(3, rng)
    g, order, Q = model.optimal_gains(W, C), rng.permutation(6), frames.orthogonal(3, rng)
    assert_allclose(model.optimal_gains(W, 0.49 * np.eye(3), 0.7), 0, atol=1e-12)
    assert_allclose(model.optimal_gains(W[:, order], C), g[order], atol=1e-9)
    assert_allclose(model.optimal_gains(W * rng.choice([-1, 1], 6), C), g, atol=1e-9)
    assert_allclose(model.optimal_gains(Q @ W, Q @ C @ Q.T), g, atol=1e-9)


@pytest.mark.parametrize("leak", [1.0, 0.6])
def test_gain_rule_descends_the_objective(leak):
    rng = np.random.default_rng(3)
    W, C = 1.3 * frames.random(3, 5, rng), covariance(3, rng)      # columns need not be unit
    g, h = rng.uniform(0.2, 1.0, 5), 1e-5
    v = model.interneuron_variance(W, model.response_covariance(W, g, C, leak))
    unit = np.eye(5)
    gradient = [(model.objective(W, g + h * e, C, leak) - model.objective(W, g - h * e, C, leak))
                / (2 * h) for e in unit]
    assert_allclose(gradient, -(v - model.gain_target(W)), atol=1e-6)

    def variance(g):
        return model.interneuron_variance(W, model.response_covariance(W, g, C, leak))

    jacobian = np.stack([(variance(g + h * e) - variance(g - h * e)) / (2 * h) for e in unit], 1)
    assert_allclose(jacobian, -model.gain_hessian(W, g, C, leak), atol=1e-6)


def test_hessian_at_the_optimum():
    rng = np.random.default_rng(4)
    W, C = well_conditioned_frame(3, rng), covariance(3, rng)
    g = model.optimal_gains(W, C)
    M = model.response_matrix(W, g)
    assert_allclose(model.gain_hessian(W, g, C), 2 * (W.T @ M @ W) * (W.T @ W), atol=1e-9)
    # Inputs that are white already: 2 for a spectral frame, 2 (1 - c^2) for an equiangular one.
    for frame, slowest in ((np.eye(3), 2), (frames.mercedes(), 1.5), (frames.icosahedral(), 1.6)):
        N = len(frame)
        H = model.gain_hessian(frame, np.zeros(frame.shape[1]), np.eye(N))
        assert np.linalg.eigvalsh(H)[0] == pytest.approx(slowest)


def test_stability_limit_of_the_learning_rate():
    C = covariance(2, 5, 1.0, 4.0)
    W = frames.mercedes()
    g = model.optimal_gains(W, C)
    limit = 2 / np.linalg.eigvalsh(model.gain_hessian(W, g, C))[-1]
    start = g + 1e-4
    for factor, stays in ((0.98, True), (1.02, False)):
        run = model.adapt_offline(W, C, start, eta=factor * limit, steps=400)
        assert (np.abs(run.final - g).max() < 1e-4) == stays


def test_metrics():
    V = frames.orthogonal(3, 0)
    C_yy = (V * [0.2, 1.0, 1.5]) @ V.T
    assert model.operator_error(C_yy) == pytest.approx(0.8)
    assert model.operator_error(C_yy, one_sided=True) == pytest.approx(0.5)
    assert model.operator_error(0.5 * np.eye(3), one_sided=True) == pytest.approx(-0.5)
    assert model.spectral_error(C_yy) == pytest.approx((0.64 + 0.25) / 3)
    assert model.spectral_error(C_yy, one_sided=True) == pytest.approx(0.25 / 3)
    assert model.frobenius_error(C_yy) == pytest.approx((0.64 + 0.25) / 9)
    error = np.array([[1.0, 0.5, 0.05, 0.2], [1.0, 1.0, 1.0, 1.0]])
    assert_array_equal(model.steps_until(np.arange(0, 40, 10), error, 0.1), [20, np.inf])


# ----------------------------------------------------------------------- the adapting rules

def test_offline_rule_reaches_the_closed_form():
    rng = np.random.default_rng(6)
    C = np.stack([covariance(2, rng, 0.5, 3) for _ in range(4)])     # four at once
    W = frames.orthogonal(2, rng) @ frames.mercedes()
    run = model.adapt_offline(W, C, eta=0.1, steps=1500, every=100)
    assert run.gains.shape == (15, 4, 3)
    assert_allclose(run.final, model.optimal_gains(W, C), atol=1e-9)
    alone = model.adapt_offline(W, C[2], eta=0.1, steps=1500, every=100)
    assert_allclose(run.gains[:, 2], alone.gains, atol=1e-13)


def test_rules_continue_where_they_stopped():
    C = covariance(2, 7, 0.5, 3)
    W = frames.mercedes()
    whole = model.adapt_offline(W, C, 0.1, eta=0.05, steps=60)
    first = model.adapt_offline(W, C, 0.1, eta=0.05, steps=20)
    second = model.adapt_offline(W, C, first.final, eta=0.05, steps=40)
    assert_array_equal(np.concatenate([first.gains, second.gains]), whole.gains)


def test_clipped_optimum_satisfies_the_kkt_conditions():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        C = covariance(2, rng, 0.02, 6)
        W = well_conditioned_frame(2, rng)
        g = model.adapt_offline(W, C, eta=0.1, steps=8000, non_negative=True, every=8000).final
        v = model.interneuron_variance(W, model.response_covariance(W, g, C))
        assert g.min() >= 0
        assert v.max() <= 1 + 1e-7
        assert np.abs(g * (v - 1)).max() < 1e-7
        assert np.linalg.eigvalsh(model.response_matrix(W, g)).max() <= 1 + 1e-12
        assert (g == 0).any()                 # the constraint is active in this test at all


def test_online_rule_has_no_drift_at_the_optimum():
    rng = np.random.default_rng(8)
    W, C, n = frames.mercedes(), covariance(2, rng), 100_000
    g = model.optimal_gains(W, C)
    # One update with a batch of n: (g' - g) / eta = mean(z^2) - 1, where var(z^2) = 2.
    run = model.adapt_online(W, C, g, eta=1.0, steps=1, rngs=[rng], batch=n)
    assert np.abs(run.final[0] - g).max() < 5 * np.sqrt(2 / n)


def test_online_runs_do_not_depend_on_each_other():
    W, C = frames.mercedes(), covariance(2, 9)

    def final(n):
        return model.adapt_online(W, C, eta=5e-3, steps=1500, rngs=experiments.streams(3, n)).final

    assert_allclose(final(4)[:2], final(2), rtol=1e-12)
    assert np.abs(final(2)[0] - final(2)[1]).max() > 1e-3


def test_online_rule_is_the_obvious_loop():
    W, C, g = frames.mercedes(), covariance(2, 10), np.full(3, 0.2)
    run = model.adapt_online(W, C, g, eta=0.01, steps=50, rngs=[np.random.default_rng(0)], batch=3)
    rng, L = np.random.default_rng(0), np.linalg.cholesky(C)
    xi = rng.standard_normal((50, 3, 2))
    for t in range(50):
        A = np.eye(2) + W @ np.diag(g) @ W.T
        z = [W.T @ np.linalg.solve(A, L @ xi[t, b]) for b in range(3)]
        g = g + 0.01 * (np.mean(np.square(z), axis=0) - 1)
    assert_allclose(run.final[0], g, rtol=1e-12)


def test_rule_errors():
    W, C = frames.mercedes(), covariance(2, 0)
    with pytest.raises(ValueError, match="`eta` must be positive; got 0"):
        model.adapt_offline(W, C, eta=0, steps=10)
    with pytest.raises(ValueError, match="`steps` and `every`"):
        model.adapt_offline(W, C, eta=0.1, steps=0)
    with pytest.raises(ArithmeticError, match="`eta` = 50 is too large"):
        model.adapt_offline(W, 0.01 * C, eta=50, steps=10)
    with pytest.raises(ArithmeticError, match="no steady state at step 0"):
        model.adapt_offline(W, C, -2.0, eta=0.1, steps=10)


# ------------------------------------------------------------------------------ the circuit

def frozen(W, g, tau_y=0.01, leak=1.0):
    """The circuit with gains that do not move (in any time we simulate)."""
    return model.network(W, g=g, tau_y=tau_y, tau_g=1e18, leak=leak)


@pytest.mark.parametrize("W, leak", [
    (frames.icosahedral(), 1.0),
    (frames.icosahedral(), 0.5),
    (frames.local((3, 3), 2), 1.0),           # sparse couplings
])
def test_circuit_settles_at_M_x(W, leak):
    rng = np.random.default_rng(11)
    N, K = W.shape
    g, x = rng.uniform(0.1, 1.0, K), rng.standard_normal(N)
    net = frozen(W, g, leak=leak)
    ds = nd.simulate(net, nd.Euler(dt=0.02 * 0.01), duration=4000 * 0.02 * 0.01,
                     inputs={"primary.x": nd.signals.Constant(x)}, every=0.08,
                     record=["primary.y"])
    y = ds["primary.y.final"].values[0]
    assert_allclose(y, model.response_matrix(W, g, leak) @ x, atol=1e-12)
    # And M x is where the compiled field vanishes.
    state = np.concatenate([model.response_matrix(W, g, leak) @ x, g])
    field = net.field(state, inputs={"primary.x": x})
    assert np.abs(field[:N]).max() < 1e-11


def test_circuit_is_the_obvious_euler_loop():
    rng = np.random.default_rng(12)
    W, dt, tau_y, tau_g = 1.2 * frames.mercedes(), 5e-4, 0.01, 0.3
    x = rng.standard_normal((20, 2))
    net = model.network(W, g=0.3, tau_y=tau_y, tau_g=tau_g, leak=0.8)
    ds = nd.simulate(net, nd.Euler(dt=dt), duration=20 * 10 * dt, every=10 * dt,
                     inputs={"primary.x": nd.signals.ArraySignal(x, dt=10 * dt)})
    y, g = np.zeros(2), np.full(3, 0.3)
    for k in range(200):
        z = W.T @ y
        dy = (x[k // 10] - W @ (g * z) - 0.8 * y) / tau_y
        dg = (z**2 - 1.2**2) / tau_g
        y, g = y + dt * dy, g + dt * dg
    assert_allclose(ds["primary.y.final"].values[0], y, rtol=1e-10)
    assert_allclose(ds["interneuron.g.final"].values[0], g, rtol=1e-10)


def presented_variance(C, lam, T, n, tau_y):
    """Time-averaged variance along an eigenvector of A (eigenvalue `lam`) where C has eigenvalue C.

    Euler with n steps through presentations of length T: what settles from the last response to the
    next, ``y_k = m x (1 - r^k) + r^k y_0``, r = 1 - lam dt / tau_y, averaged over k = 0 ... n - 1.
    """
    r = 1 - lam * T / n / tau_y
    powers = r ** np.arange(n)
    E = r**n
    start = (1 - E) / (1 + E)                  # variance of y_0 in units of m^2 C, stationary
    return C / lam**2 * (np.mean((1 - powers) ** 2) + np.mean(powers**2) * start)


def test_online_circuit_finds_the_fixed_point():
    """Gains of the circuit, input by input, against the fixed point of the steady-state rule.

    The same inputs go through both, so that their gains jitter together and differ only by what
    theory predicts for presentations of finite length T and steps of finite size eta:

    - the interneurons also see the responses settle. A shares C's eigenvectors; along each, its
      eigenvalue rests where `presented_variance` is 1 instead of at sqrt(c);
    - gains change while they look. Half of a presentation's change eta (z_j^2 - 1) acts back on z
      in the same presentation, which shifts v_i by ``eta/2 sum_j d(z_i^2)/dg_j (z_j^2 - 1)``, on
      average ``-eta sum_j H_ij`` (Gaussian moments), and hence every gain by -eta.

    Tolerance: 5 standard errors over trials, and a fifth of eta for orders beyond the first.
    """
    from scipy.optimize import brentq

    W, C = experiments.TWO_CONTEXT_FRAME, experiments.two_context_covariances()[0]
    tau_y, T, n, eta, trials, length, late = 0.01, 0.15, 100, 4e-3, 12, 10_000, slice(5000, None)
    rng = np.random.default_rng(13)
    x = rng.standard_normal((trials, length, 2)) @ np.linalg.cholesky(C).T
    start, g_star = experiments.TWO_CONTEXT_START, model.optimal_gains(W, C)
    net = model.network(W, g=start, tau_y=tau_y, tau_g=T / eta)
    ds = nd.simulate(net, nd.Euler(dt=T / n), duration=length * T, trials=trials, every=T,
                     inputs={"primary.x": nd.signals.ArraySignal(x, dt=T)},
                     record=["interneuron.g"])
    circuit = ds["interneuron.g"].values[:, late].mean(axis=1)                   # (trial, K)
    g, rule = np.tile(start, (trials, 1)), np.empty((length, trials, 3))
    for t in range(length):
        rule[t] = g
        z = (x[:, t, None] @ model.response_matrix(W, g) @ W)[:, 0]
        g = g + eta * (z**2 - 1)
    rule = rule[late].mean(axis=0)

    value, V = np.linalg.eigh(C)
    eigenvalues = [brentq(lambda a, c=c: presented_variance(c, a, T, n, tau_y) - 1,
                          0.5 * c**0.5, c**0.5) for c in value]
    g_circuit = model.optimal_gains(W, (V * np.square(eigenvalues)) @ V.T) - eta
    assert np.abs(g_circuit - g_star).max() > 0.02                # there is something to predict
    error = 5 * (circuit - rule).std(axis=0, ddof=1) / np.sqrt(trials) + 0.2 * eta
    assert error.max() < 0.004                                    # and it is resolved
    assert np.all(np.abs((circuit - rule).mean(axis=0) - (g_circuit - g_star)) < error)
    # Each by itself, with the jitter's own error and shift (second order in the gains: also ~ eta).
    for found, fixed_point in ((rule, g_star), (circuit, g_circuit)):
        error = 5 * found.std(axis=0, ddof=1) / np.sqrt(trials) + 2 * eta
        assert np.all(np.abs(found.mean(axis=0) - fixed_point) < error)


def test_non_negative_circuit_rests_at_the_clipped_optimum():
    V = frames.orthogonal(2, 42069)
    C = (V * np.array([6, 0.01])) @ V.T
    W, T, n, eta = frames.mercedes(), 0.4, 300, 0.01
    # Two inputs in turn whose second moment is C exactly: no sampling noise at all.
    x = np.sqrt(2) * np.linalg.cholesky(C).T[np.arange(3000) % 2]
    net = model.network(W, g=0.5, tau_y=0.01, tau_g=T / eta, non_negative=True)
    ds = nd.simulate(net, nd.Euler(dt=T / n), duration=3000 * T, every=T,
                     inputs={"primary.x": nd.signals.ArraySignal(x, dt=T)})
    g = ds["interneuron.g"].values[0]
    late = g[-200:].mean(axis=0)
    clipped = model.adapt_offline(W, C, eta=0.05, steps=5000, non_negative=True, every=5000).final
    assert clipped[2] == 0
    # Finite presentations shift v by at most tau_y / (lambda T) (lambda >= 1 here), so g by no more
    # than that over the smallest curvature of the free gains; in-turn inputs ripple by eta.
    H = model.gain_hessian(W, clipped, C)[:2, :2]
    tolerance = 2 * (0.01 / T) / np.linalg.eigvalsh(H)[0] + eta
    assert_allclose(np.maximum(late, 0), clipped, atol=tolerance)
    assert late[2] <= 0
    assert g.min() >= -T / n / (T / eta) * (1 + 1e-9)         # at most one step below zero
    M = model.response_matrix(W, np.maximum(g, 0))
    assert np.linalg.eigvalsh(M).max() <= 1 + 1e-12           # never amplifies


def test_non_negative_gain_comes_back_at_once():
    """No wind-up: a gain that was silent for long rises with the first input that needs it."""
    W = np.eye(2)
    T, eta = 0.2, 0.05
    x = np.concatenate([np.tile([2.0, 0.1], (200, 1)), np.tile([0.1, 2.0], (40, 1))])
    net = model.network(W, tau_y=0.01, tau_g=T / eta, non_negative=True)
    ds = nd.simulate(net, nd.Euler(dt=T / 200), duration=len(x) * T, every=T,
                     inputs={"primary.x": nd.signals.ArraySignal(x, dt=T)})
    g = ds["interneuron.g"].values[0]
    assert g[200, 1] <= 0
    assert g[200, 0] == pytest.approx(1, abs=0.01)            # y = 2 / (1 + g) = 1
    assert g[203, 1] > 0.1


def test_networks_default_and_names():
    net = model.network()
    assert net.populations["primary"].size == 2
    assert net.populations["interneuron"].size == 3
    assert set(net.state_names) == {"primary.y", "interneuron.g"}
    assert "primary.x" in net.input_names
