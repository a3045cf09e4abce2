"""Dimensions of covariances, matrices and subspaces that are known."""

import numpy as np
import pytest
import scipy.sparse
import xarray as xr
from scipy.linalg import subspace_angles

import neurodyn as nd
from neurodyn.analyses import (
    dimensionality,
    matrix_ranks,
    participation_ratio,
    principal_angles,
)


def orthogonal(n, k, rng):
    return np.linalg.qr(rng.standard_normal((n, k)))[0]


# -- covariances -----------------------------------------------------------------------------------


def test_participation_ratio_of_known_covariances():
    assert participation_ratio(np.eye(7)) == pytest.approx(7)
    Q = orthogonal(20, 4, np.random.default_rng(0))
    assert participation_ratio(3.0 * Q @ Q.T) == pytest.approx(4)
    values = np.array([5.0, 2.0, 1.0])
    assert participation_ratio(values) == pytest.approx(64 / 30)
    assert participation_ratio(np.diag(values)) == pytest.approx(64 / 30)


@pytest.mark.parametrize("g", [0.3, 0.5, 0.7])
def test_linear_networks(g):
    """PR/N = (1 - g**2)**2 for the long-window covariance of x = J x + white noise."""
    n, rng = 400, np.random.default_rng(int(10 * g))
    found = []
    for _ in range(4):
        response = np.linalg.inv(np.eye(n) - g / np.sqrt(n) * rng.standard_normal((n, n)))
        found.append(participation_ratio(response @ response.T) / n)
    # corrections are of order 1/N relative to (1 - g**2)
    error = np.std(found, ddof=1) / 2
    assert np.mean(found) == pytest.approx((1 - g**2) ** 2, abs=4.5 * error + 4 / n)


# -- samples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [30, 100, 1000])
def test_bias_of_few_samples(n_samples):
    """N T/(N + T) uncorrected, N corrected, for N isotropic dimensions."""
    n, rng = 50, np.random.default_rng(n_samples)
    found = [dimensionality(rng.standard_normal((n_samples, n))) for _ in range(30)]
    raw = np.array([f.uncorrected for f in found])
    corrected = np.array([f.participation_ratio for f in found])
    free = n_samples - 1
    exact = (free * n + 2) / (free + n + 1)  # of the expectations, with the mean removed
    assert exact == pytest.approx(n * n_samples / (n + n_samples), rel=0.05)
    assert abs(raw.mean() - exact) < 4.5 * raw.std(ddof=1) / np.sqrt(30) + 0.002 * n
    error = corrected.std(ddof=1) / np.sqrt(30)
    assert abs(corrected.mean() - n) < 4.5 * error + 0.01 * n
    assert np.isfinite(corrected).all()


def test_both_traces_are_estimated_without_bias():
    """Over many small samples, of a covariance that is not isotropic."""
    from neurodyn.analyses.activity.dimensions import _corrected

    rng, n, values = np.random.default_rng(1), 6, np.array([4.0, 2.0, 1.0, 0.5])
    x = rng.standard_normal((40_000, n + 1, 4)) * np.sqrt(values)
    x -= x.mean(axis=1, keepdims=True)
    S = np.einsum("rti,rtj->rij", x, x) / n
    trace, square = np.trace(S, axis1=1, axis2=2), (S**2).sum(axis=(1, 2))
    scale = n / ((n - 1) * (n + 2))
    for estimate, exact in (
        (scale * (n * square - trace**2), (values**2).sum()),
        (scale * ((n + 1) * trace**2 - 2 * square), values.sum() ** 2),
    ):
        assert abs(estimate.mean() - exact) < 4.5 * estimate.std() / np.sqrt(40_000)
    ratio = _corrected(trace.mean(), square.mean(), n)
    assert ratio > 0


def test_components_are_those_of_the_covariance():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((3, 200, 5)) @ rng.standard_normal((5, 5)) + 3.0
    found = dimensionality(x)
    C = np.cov(x.reshape(-1, 5).T)
    np.testing.assert_allclose(found.variance, np.linalg.eigvalsh(C)[::-1], rtol=1e-10)
    np.testing.assert_allclose(found.components @ np.diag(found.variance) @ found.components.T, C,
                               rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.mean, x.mean(axis=(0, 1)))
    assert found.uncorrected == pytest.approx(participation_ratio(C))
    share = found.variance / found.variance.sum()
    np.testing.assert_allclose(found.share, share)
    assert found.effective_rank == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    for goal in (0.3, 0.9, 1.0):
        k = found.n_components(goal)
        assert share[:k].sum() >= goal - 1e-9 and (k == 1 or share[: k - 1].sum() < goal)
    assert (found.n_samples, found.n_units, found.n_independent) == (600, 5, 600)
    named = xr.DataArray(x, dims=["trial", "time", "E.unit"]).transpose("time", "E.unit", "trial")
    assert dimensionality(named).participation_ratio == pytest.approx(found.participation_ratio)


def test_equal_variances_in_a_subspace():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((4000, 3)) @ orthogonal(30, 3, rng).T
    found = dimensionality(x)
    # variances of 3 sample variances: PR = 3 - O(3 * 2/T)
    assert found.participation_ratio == pytest.approx(3, abs=0.02)
    assert found.n_components(0.99) == 3
    assert found.effective_rank == pytest.approx(3, abs=0.02)


def test_correlated_samples_count_for_less():
    """Each sample repeated eight times: told so, the answer is that of the samples themselves."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((60, 40))
    once, repeated = dimensionality(x), np.repeat(x, 8, axis=0)
    told = dimensionality(repeated, n_independent=60)
    assert told.participation_ratio == pytest.approx(once.participation_ratio, rel=1e-9)
    assert dimensionality(repeated).participation_ratio < 0.7 * once.participation_ratio


def test_too_few_samples_are_said():
    found = dimensionality(np.random.default_rng(5).standard_normal((2, 100)))
    assert np.isnan(found.participation_ratio) and "too few" in found.notes[0]
    assert found.uncorrected == pytest.approx(1)


# -- matrices --------------------------------------------------------------------------------------


def test_ranks_of_matrices():
    ranks = matrix_ranks(np.eye(9))
    assert (ranks.participation, ranks.entropy, ranks.stable) == pytest.approx((9, 9, 9))
    assert ranks.above == 9
    s = np.array([4.0, 2.0, 1.0, 0.03])
    rng = np.random.default_rng(6)
    W = orthogonal(10, 4, rng) * s @ orthogonal(7, 4, rng).T
    p = s / s.sum()
    for form in (W, scipy.sparse.csr_array(W), nd.weights.Dense(W)):
        ranks = matrix_ranks(form)
        assert ranks.participation == pytest.approx(s.sum() ** 2 / (s**2).sum())
        assert ranks.entropy == pytest.approx(np.exp(-(p * np.log(p)).sum()))
        assert ranks.stable == pytest.approx((s**2).sum() / 16)
        assert ranks.above == 3 and matrix_ranks(form, cut=0.001).above == 4
        np.testing.assert_allclose(ranks.singular_values[:4], s)
    low = matrix_ranks(nd.weights.LowRank(rng.standard_normal((50, 1)), np.ones((30, 1))))
    assert (low.participation, low.entropy, low.stable) == pytest.approx((1, 1, 1))


def test_angles_between_planes():
    """Planes turned against each other by known angles, in a random orientation."""
    rng = np.random.default_rng(7)
    theta = np.array([1e-7, 0.3, 1.2])
    frame = orthogonal(10, 6, rng)
    A = frame[:, :3]
    B = A * np.cos(theta) + frame[:, 3:] * np.sin(theta)
    mixed = B @ rng.standard_normal((3, 3))  # any basis of the same subspace
    np.testing.assert_allclose(principal_angles(A, mixed), theta, rtol=1e-7)
    np.testing.assert_allclose(principal_angles(mixed, A), theta, rtol=1e-7)
    np.testing.assert_allclose(principal_angles(A, frame[:, [0]]), [0], atol=1e-14)
    np.testing.assert_allclose(principal_angles(A, frame[:, 4:]), [np.pi / 2] * 2)


def test_angles_agree_with_scipy():
    rng = np.random.default_rng(8)
    for k, m in ((1, 1), (3, 2), (2, 5)):
        A, B = rng.standard_normal((9, k)), rng.standard_normal((9, m))
        np.testing.assert_allclose(principal_angles(A, B), subspace_angles(A, B)[::-1], atol=1e-7)


X = np.random.default_rng(0).standard_normal((30, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: dimensionality(X[:1]), ValueError, "`x` must have at least 2 samples"),
        (lambda: dimensionality(0 * X + 0.1), ValueError, "`x` has variance 0"),
        (lambda: dimensionality(np.where(X > 2, np.nan, X) * np.nan), ValueError, "be finite"),
        (lambda: dimensionality(X, n_independent=31), ValueError, "at most the 30 samples; got 31"),
        (lambda: dimensionality(X).n_components(1.2), ValueError, "`share` must be above 0"),
        (lambda: participation_ratio(X), ValueError, r"`C` must be \(unit, unit\) or eigenvalues"),
        (lambda: participation_ratio(np.triu(np.ones((3, 3)))), ValueError, "must be symmetric"),
        (lambda: participation_ratio(np.zeros((3, 3))), ValueError, "`C` is 0"),
        (lambda: participation_ratio([1.0, -0.5]), ValueError, "positive semi-definite"),
        (lambda: matrix_ranks(np.zeros((2, 3))), ValueError, "`W` is 0"),
        (lambda: matrix_ranks(np.ones(3)), ValueError, r"`W` must be a matrix, \(post, pre\)"),
        (lambda: matrix_ranks(np.eye(2), cut=1), ValueError, "`cut` must be from 0"),
        (lambda: principal_angles(X, X[1:]), ValueError, r"got shapes \(30, 3\) and \(29, 3\)"),
        (lambda: principal_angles(X, X[:, [0, 0]]), ValueError, "`B` .*2 of them span 1 dim"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
