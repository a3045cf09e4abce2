"""Subspaces learned by lateral connections, against linear algebra and a second writing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn import analyses
from neurodyn.learning import HebbianSubspace, ProjectOut

N = 12
#: Variances along the axes of `basis`.
VARIANCES = np.array([5, 4, 3, *[0.1] * (N - 3)])


def orthogonal(seed, n=N):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


def activity(seed, n_trials, basis):
    return np.random.default_rng(seed).normal(size=(n_trials, N)) * np.sqrt(VARIANCES) @ basis.T


def naive(H, P, n_frozen, X, rate, repeats, a, largest):
    """Unit by unit, pattern by pattern."""
    H, P = H.copy(), P.copy()
    for _ in range(repeats):
        change = np.zeros_like(H)
        for x in X:
            y = [sum(h * v for h, v in zip(row, x)) for row in H]
            for i in range(n_frozen, len(H)):
                for j in range(len(x)):
                    change[i, j] += y[i] * (x[j] - sum(y[k] * H[k, j] for k in range(len(H))))
        change = np.clip(change / len(X), -largest, largest)
        P = a * P + (1 - a) * change
        P[:n_frozen] = 0
        H = H + rate * P
    return H, P


def test_updates_are_those_of_the_twin():
    X = activity(1, 7, orthogonal(0))
    settings = {"learning_rate": 0.05, "repeats": 3, "averaging": 0.8, "largest_change": 1.5}
    found = HebbianSubspace(N, **settings).with_rows(2, rng=0).frozen().with_rows(3, rng=1)
    H, P = found.rows, np.zeros((5, N))
    for k in range(3):
        found = found.learned(X[k:])
        H, P = naive(H, P, 2, X[k:], 0.05, 3, 0.8, 1.5)
    assert_allclose(found.rows, H, rtol=1e-12, atol=1e-14)
    assert_allclose(found.average, P[2:], rtol=1e-12, atol=1e-14)
    assert np.abs(P).max() > 0.1


def test_the_cut_of_changes_is_used():
    found = HebbianSubspace(N, largest_change=1e-3, averaging=0.0, repeats=1, learning_rate=1.0)
    before = found.with_rows(2, rng=0)
    change = before.learned(activity(1, 64, orthogonal(0))).rows - before.rows
    assert_allclose(np.abs(change).max(), 1e-3)


def test_rows_become_the_principal_subspace_and_new_ones_the_next():
    basis = orthogonal(0)
    found = HebbianSubspace(N, learning_rate=0.02).with_rows(3, rng=0)
    for k in range(200):
        found = found.learned(activity(k, 64, basis))
    # the noise of batches: angles of about sqrt(rate) times what a batch is off by
    assert np.sin(analyses.principal_angles(found.rows.T, basis[:, :3])).max() < 0.1
    assert_allclose(found.rows @ found.rows.T, np.eye(3), atol=0.01)
    old, rest = found.frozen(), np.roll(np.arange(N), 3)
    new = old.with_rows(3, rng=1)
    for k in range(200):
        new = new.learned(activity(1000 + k, 64, basis[:, rest][:, ::-1]))
    assert_array_equal(new.rows[:3], old.rows)
    assert new.n_frozen == 3 and np.abs(new.rows[3:] @ old.rows.T).max() < 0.02
    exact = HebbianSubspace(N, rows=basis[:, :3].T)
    X = activity(9, 50, basis)
    kept = ((X @ basis[:, :3]) ** 2).sum() / (X**2).sum()
    assert exact.captured_energy(X) == pytest.approx(kept, rel=1e-12)
    assert np.isnan(exact.captured_energy(0 * X))


def test_any_invariant_subspace_is_a_fixed_point():
    basis = orthogonal(3)
    X = np.sqrt(N) * np.sqrt(VARIANCES)[:, None] * basis.T  # X'X/N is the covariance exactly
    minor = HebbianSubspace(N, rows=basis[:, 4:6].T, learning_rate=0.05)
    assert_allclose(minor.learned(X).rows, minor.rows, atol=1e-13)
    tilted = np.linalg.qr(basis[:, 4:6] + 1e-3 * basis[:, :2])[0].T
    assert (
        np.abs(HebbianSubspace(N, rows=tilted, learning_rate=0.05).learned(X).average).max() > 1e-5
    )


def test_projection():
    basis, X = orthogonal(5), activity(2, 20, orthogonal(6))
    old = HebbianSubspace(N, rows=basis[:, :4].T).frozen()
    perp = old.projected(X)
    assert_allclose(old.projected(perp), perp, atol=1e-13)
    assert_allclose(perp @ old.rows.T, 0, atol=1e-13)
    assert (np.linalg.norm(perp, axis=1) <= np.linalg.norm(X, axis=1)).all()
    # rows that still learn protect nothing, and all directions leave nothing
    assert_allclose(HebbianSubspace(N, rows=basis[:, :4].T).projected(X), X)
    assert_allclose(HebbianSubspace(N, rows=basis.T).frozen().projected(X), 0, atol=1e-12)


def test_spiking_lateral_neurons_round_their_response():
    X = 10 * activity(2, 20, orthogonal(6))
    linear = HebbianSubspace(N, rows=orthogonal(5)[:, :4].T).frozen()
    spiking = HebbianSubspace(N, rows=linear.rows, response_range=20.0).frozen()
    y, y_q = linear.response(X), spiking.response(X)
    inside = np.abs(y) < 20
    assert 0.2 < inside.mean() < 1
    assert np.abs(y - y_q)[inside].max() <= 20 / (2 * 40) + 1e-12
    assert_allclose(np.abs(y_q)[~inside], 20)
    assert_allclose(y_q, 0.5 * np.rint(y_q / 0.5), atol=1e-12)


def test_rows_made_orthonormal_before_they_are_frozen():
    found = HebbianSubspace(N).with_rows(3, rng=0).frozen().with_rows(4, rng=1)
    assert np.abs(found.rows @ found.rows.T - np.eye(7)).max() > 0.1
    exact = found.frozen(orthonormalise=True)
    assert_allclose(exact.rows @ exact.rows.T, np.eye(7), atol=1e-13)
    assert_array_equal(exact.rows[:3], found.rows[:3])
    assert analyses.principal_angles(exact.rows.T, found.rows.T).max() < 1e-7
    empty = found.frozen().learned(np.ones((2, N)))
    assert_array_equal(empty.rows, found.rows)  # nothing learns
    assert_array_equal(found.with_rows(0).rows, found.rows)


def test_training_with_projected_gradients_keeps_old_answers():
    class Random:
        def batch(self, rng, trials):
            X = rng.normal(size=(trials, 1, N))
            return nd.learning.TrialBatch({"in.u": X}, {"out.y": np.sin(3 * X[..., :2])}, dt=1.0)

    net = nd.Network(
        {"in": nd.Population(N, "x = u : 1"), "out": nd.Population(2, "dy/dt = (I - y)/tau : 1", tau=1.0)},
        [nd.Coupling("in.x", "out.I", np.zeros((2, N)))],
    )  # fmt: skip
    label = "in.x->out.I"
    H = orthogonal(8)[:, :5].T
    settings = {"trainable": [label], "steps": 20, "rng": 0}
    optimiser = nd.learning.SGD(0.3, momentum=0.5)
    fit = nd.learning.train(net, Random(), optimiser, clip=ProjectOut({label: H}), **settings)
    W = fit.network.couplings[0].weights.to_dense()
    assert_allclose(W @ H.T, 0, atol=1e-14)
    assert np.abs(W).max() > 0.1
    kept = ProjectOut({label: HebbianSubspace(N, rows=H).frozen()}, then=nd.learning.ClipNorm(0.1))
    found = kept({label: np.ones((2, N)), "tau": np.ones(())})
    assert np.sqrt(sum((g**2).sum() for g in found.values())) == pytest.approx(0.1)


def test_what_is_refused():
    one = HebbianSubspace(N)
    with pytest.raises(ValueError, match="`n` = 13 more rows than the 0 .* the 12 units"):
        one.with_rows(13)
    with pytest.raises(ValueError, match="12 units; got shape \\(3, 4\\)"):
        one.learned(np.ones((3, 4)))
    with pytest.raises(ValueError, match="`learning_rate` must be positive"):
        HebbianSubspace(N, learning_rate=0.0)
    with pytest.raises(ValueError, match="`averaging` must be in"):
        HebbianSubspace(N, averaging=1.0)
    with pytest.raises(ValueError, match="`n_frozen` is 3, but there are 2"):
        HebbianSubspace(N, rows=np.eye(N)[:2], n_frozen=3)
    with pytest.raises(ValueError, match="`average` must have the shape"):
        HebbianSubspace(N, rows=np.eye(N)[:2], average=np.zeros((1, N)))
    with pytest.raises(FloatingPointError, match="diverge .* smaller `learning_rate` than 10"):
        HebbianSubspace(N, learning_rate=10.0).with_rows(3, rng=0).learned(
            activity(0, 64, orthogonal(0))
        )
    with pytest.raises(ValueError, match="whose gradient is not taken"):
        ProjectOut({"a": np.eye(2)})({"b": np.eye(2)})
    with pytest.raises(ValueError, match="must be .row, pre."):
        ProjectOut({"a": np.eye(3)})({"a": np.eye(2)})
