"""Similarities of representations: exact cases, expected biases, slow twins."""

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial
import xarray as xr
from scipy.stats import kendalltau, spearmanr

from neurodyn.analyses import (
    cka,
    dissimilarity_matrix,
    kernel_alignment,
    linear_cka,
    procrustes_distance,
    representation_alignment,
    rsa,
    rsa_noise_ceiling,
    sign_similarity,
)


def rotation(n, rng):
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


# -- CKA -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_ignores_rotation_scale_and_shift_but_not_linear_maps(debiased):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 8)) * np.arange(1, 9)
    assert linear_cka(X, X, debiased=debiased) == pytest.approx(1)
    moved = 3.0 * X @ rotation(8, rng) + 5.0
    assert linear_cka(X, moved, debiased=debiased) == pytest.approx(1)
    Y = X @ rng.standard_normal((8, 8))
    value = linear_cka(X, Y, debiased=debiased)
    assert value < 0.95
    assert linear_cka(moved, Y, debiased=debiased) == pytest.approx(value)
    assert linear_cka(Y, X, debiased=debiased) == pytest.approx(value)


@pytest.mark.parametrize(
    ("n", "p", "q", "expected"),
    [(100, 100, 100, 0.500), (100, 20, 20, 0.167), (200, 1000, 50, 0.409)],
)
def test_bias_of_independent_representations(n, p, q, expected):
    """sqrt(p q/((p + n)(q + n))); about 0 for the debiased estimator."""
    rng = np.random.default_rng(p)
    pairs = [(rng.standard_normal((n, p)), rng.standard_normal((n, q))) for _ in range(8)]
    plain = np.array([linear_cka(X, Y) for X, Y in pairs])
    assert np.sqrt(p * q / ((p + n) * (q + n))) == pytest.approx(expected, abs=1.5e-3)
    assert abs(plain.mean() - expected) < 4.5 * plain.std(ddof=1) / np.sqrt(8) + 3e-3
    debiased = np.array([linear_cka(X, Y, debiased=True) for X, Y in pairs])
    assert abs(debiased.mean()) < 4.5 * debiased.std(ddof=1) / np.sqrt(8)
    assert debiased.std() < 0.02


def test_slow_twins_of_both_estimators():
    """Gram matrices and the formulas as they are printed (Song et al. 2012, eq. 4)."""
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((9, 4)), rng.standard_normal((9, 6))
    K, L = X @ X.T + 1.0, Y @ Y.T
    n, H = 9, np.eye(9) - 1 / 9

    def biased(A, B):
        return np.trace(A @ H @ B @ H)

    def unbiased(A, B):
        A, B, one = A - np.diag(np.diag(A)), B - np.diag(np.diag(B)), np.ones(n)
        return (np.trace(A @ B) + one @ A @ one * (one @ B @ one) / ((n - 1) * (n - 2))
                - 2 / (n - 2) * one @ A @ B @ one) / (n * (n - 3))

    for estimate, debiased in ((biased, False), (unbiased, True)):
        expected = estimate(K, L) / np.sqrt(estimate(K, K) * estimate(L, L))
        assert cka(K, L, debiased=debiased) == pytest.approx(expected)
        assert linear_cka(X, Y, debiased=debiased) == pytest.approx(expected)
    wide = rng.standard_normal((9, 50))
    assert linear_cka(wide, Y) == pytest.approx(cka(wide @ wide.T, L))
    named = xr.DataArray(X.reshape(3, 3, 4), dims=["trial", "time", "u"])
    assert linear_cka(named, Y) == pytest.approx(linear_cka(X, Y))


# -- alignments ------------------------------------------------------------------------------------


def test_alignments():
    rng = np.random.default_rng(2)
    H0, H1 = rng.standard_normal((20, 6)), rng.standard_normal((20, 30))
    K0, K1 = H0 @ H0.T, H1 @ H1.T
    expected = np.trace(K0 @ K1) / np.sqrt(np.trace(K0 @ K0) * np.trace(K1 @ K1))
    assert kernel_alignment(K0, K1) == pytest.approx(expected)
    assert representation_alignment(H0, H1) == pytest.approx(expected)
    assert 0 < expected < 1
    # invariances: the scale of either, a common rotation of the samples
    Q = rotation(20, rng)
    assert kernel_alignment(3 * K0, K1 / 7) == pytest.approx(expected)
    assert kernel_alignment(Q @ K0 @ Q.T, Q @ K1 @ Q.T) == pytest.approx(expected)
    assert representation_alignment(H0, H0) == kernel_alignment(K0, K0) == pytest.approx(1)
    assert kernel_alignment(np.diag([1.0, 0]), np.diag([0, 1.0])) == 0


@pytest.mark.parametrize("rank", [10, 3, 1, "aligned"])
def test_kernel_alignment_of_linear_networks_that_learn(rank):
    """Two linear layers from small weights, by gradient flow: the closed form of Liu et al.

    KA = (d + 2 + b^T M b)/(sqrt(d + 2 + |M|**2) sqrt(d + 3)), M = W1(0)^T W1(0)/sigma**2.
    """
    d, h, sigma = 10, 30, 0.01
    rng = np.random.default_rng(3)
    beta = rng.standard_normal(d)
    b = beta / np.linalg.norm(beta)
    left, right = rotation(h, rng), rotation(d, rng)
    if rank == "aligned":
        W1, W2 = sigma * np.outer(left[:, 0], b), sigma * left[:, 0]
    else:
        W1 = sigma / np.sqrt(rank) * left[:, :rank] @ right[:, :rank].T
        W2 = sigma * rng.standard_normal(h) / np.sqrt(h)
        W2 *= sigma / np.linalg.norm(W2)
    M = W1.T @ W1 / sigma**2
    expected = (d + 2 + b @ M @ b) / np.sqrt((d + 2 + (M**2).sum()) * (d + 3))
    before = W1.T @ W1 + W2 @ W2 * np.eye(d)
    for _ in range(3000):
        error = W2 @ W1 - beta
        W1, W2 = W1 - 0.02 * np.outer(W2, error), W2 - 0.02 * W1 @ error
    assert np.linalg.norm(W2 @ W1 - beta) < 1e-6
    found = kernel_alignment(before, W1.T @ W1 + W2 @ W2 * np.eye(d))
    assert found == pytest.approx(expected, abs=1e-3)
    if rank == "aligned":
        assert found == pytest.approx(1, abs=1e-9)
    if rank == 10:  # a flat spectrum: every teacher has the same
        assert found == pytest.approx(np.sqrt((d + 2 + 1 / d) / (d + 3)), abs=1e-3)


def test_equal_signs():
    assert sign_similarity([[1.0, -1], [0, 2]], [[3.0, -4], [0, -2]]) == 0.75
    x = np.random.default_rng(4).standard_normal((5, 4))
    assert sign_similarity(x, x) == 1 and sign_similarity(x, -x) == 0


# -- Procrustes ------------------------------------------------------------------------------------


def test_procrustes_distance():
    rng = np.random.default_rng(5)
    X, Y, Z = (rng.standard_normal((40, 5)) for _ in range(3))
    assert procrustes_distance(X, 4 * X @ rotation(5, rng) - 2) == pytest.approx(0, abs=1e-7)
    # SciPy also fits the scale: disparity = 1 - |X^T Y|_*^2
    nuclear = 1 - procrustes_distance(X, Y) ** 2 / 2
    assert scipy.spatial.procrustes(X, Y)[2] == pytest.approx(1 - nuclear**2)
    unit = [(A - A.mean(axis=0)) / np.linalg.norm(A - A.mean(axis=0)) for A in (X, Y)]
    turn = scipy.linalg.orthogonal_procrustes(unit[1], unit[0])[0]
    assert procrustes_distance(X, Y) == pytest.approx(np.linalg.norm(unit[0] - unit[1] @ turn))
    # a metric, also between numbers of units
    wide = rng.standard_normal((40, 9))
    padded = np.hstack([X, np.zeros((40, 4))])
    assert procrustes_distance(X, wide) == pytest.approx(procrustes_distance(padded, wide))
    direct = procrustes_distance(X, Z)
    assert direct <= procrustes_distance(X, Y) + procrustes_distance(Y, Z)


# -- dissimilarities -------------------------------------------------------------------------------


def test_dissimilarity_matrices():
    X = np.random.default_rng(6).standard_normal((7, 5))
    np.testing.assert_allclose(dissimilarity_matrix(X), 1 - np.corrcoef(X), atol=1e-12)
    distance = np.linalg.norm(X[:, None] - X[None], axis=-1)
    np.testing.assert_allclose(dissimilarity_matrix(X, "euclidean"), distance, atol=1e-12)


def test_similarity_analysis():
    rng = np.random.default_rng(7)
    A, B = (dissimilarity_matrix(rng.standard_normal((8, 6))) for _ in range(2))
    upper = np.triu_indices(8, 1)
    a, b = A[upper], B[upper]
    assert rsa(A, B) == pytest.approx(spearmanr(a, b).statistic)
    assert rsa(A, B, "pearson") == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert rsa(A, B, "cosine") == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    # without ties tau a is tau b
    assert rsa(A, B, "kendall") == pytest.approx(kendalltau(a, b).statistic)
    # with ties in one: the pairs that tie are not left out of the denominator
    tied = np.round(B, 0)
    t = tied[upper]
    signs = [np.sign((a[i] - a[j]) * (t[i] - t[j])) for i in range(28) for j in range(i)]
    assert rsa(A, tied, "kendall") == pytest.approx(np.mean(signs))
    for compare in ("spearman", "pearson", "kendall", "cosine"):
        assert rsa(A, A, compare) == pytest.approx(1)
    assert rsa(A, A**3) == pytest.approx(1)


def test_the_noise_ceiling_holds_the_true_model():
    """Subjects are one matrix and noise: the truth does not beat the upper bound."""
    rng = np.random.default_rng(8)
    truth = dissimilarity_matrix(rng.standard_normal((12, 20)), "euclidean")
    subjects = []
    for _ in range(10):
        noise = np.triu(rng.standard_normal((12, 12)), 1)
        subjects.append(truth + 0.5 * (noise + noise.T))
    for compare in ("spearman", "pearson", "cosine"):
        ceiling = rsa_noise_ceiling(subjects, compare)
        model = np.mean([rsa(truth, one, compare) for one in subjects])
        assert ceiling.lower < model < ceiling.upper < 1 and ceiling.n_subjects == 10
    pairs = np.triu_indices(12, 1)
    z = np.array([(s[pairs] - s[pairs].mean()) / s[pairs].std() for s in subjects])
    upper = np.mean([np.corrcoef(one, z.mean(axis=0))[0, 1] for one in z])
    lower = np.mean([np.corrcoef(one, np.delete(z, k, 0).mean(axis=0))[0, 1]
                     for k, one in enumerate(z)])
    found = rsa_noise_ceiling(np.stack(subjects), "pearson")
    assert (found.lower, found.upper) == pytest.approx((lower, upper))
    same = rsa_noise_ceiling([truth, truth, truth])
    assert (same.lower, same.upper) == pytest.approx((1, 1))


X = np.random.default_rng(0).standard_normal((6, 3))
D = np.ones((6, 6)) - np.eye(6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_cka(X, X[1:]), r"same samples; got 6 and 5, in shapes \(6, 3\)"),
        (lambda: linear_cka(X, 0 * X + 3), "`Y` has variance 0"),
        (lambda: linear_cka(X[:3], X[:3], debiased=True), "at least 4 samples"),
        (lambda: linear_cka(np.full((6, 3), np.nan), X), "`X` must be finite"),
        (lambda: cka(np.ones((6, 6)), X @ X.T), "`K` is constant"),
        (lambda: cka(X, X), r"`K` must be \(sample, sample\)"),
        (lambda: kernel_alignment(np.triu(D), D), "`K0` must be symmetric"),
        (lambda: kernel_alignment(D, 0 * D), "`K1` is 0"),
        (lambda: kernel_alignment(D, np.eye(5)), r"`K0` and `K1` .* \(6, 6\) and \(5, 5\)"),
        (lambda: cka(D, np.eye(5)), r"`K` and `L` .* \(6, 6\) and \(5, 5\)"),
        (lambda: representation_alignment(X, 0 * X), "`H1` is 0: all units are silent"),
        (lambda: representation_alignment(X, X[1:]), "`H0` and `H1` must have the same samples"),
        (lambda: sign_similarity(X, X[1:]), r"same shape; got \(6, 3\) and \(5, 3\)"),
        (lambda: procrustes_distance(X, np.ones((6, 2))), "`Y` has variance 0"),
        (lambda: dissimilarity_matrix(X * [[1], [0], [1], [1], [1], [1]]),
         "no correlation for sample 1, which is the same in all units"),
        (lambda: dissimilarity_matrix(X, "manhatan"), "`metric` must be one of"),
        (lambda: rsa(D, X @ X.T), "`A` is constant"),
        (lambda: rsa(X @ X.T, X[:5] @ X[:5].T), "same samples"),
        (lambda: rsa(X @ X.T, X @ X.T, "r2"), "`compare` must be 'spearman'"),
        (lambda: rsa_noise_ceiling([X @ X.T]), "at least two subjects"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
