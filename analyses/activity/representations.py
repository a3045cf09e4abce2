"""How alike two representations are: CKA, dissimilarity matrices, Procrustes, alignments.

All take activity as (sample, unit): rows are stimuli, conditions or times, the same ones in the
same order for both; units may differ in number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.analyses.activity._time_series import sample_unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: How dissimilarity matrices may be compared.
COMPARISONS = ("spearman", "pearson", "kendall", "cosine")


def linear_cka(X: ArrayLike, Y: ArrayLike, *, debiased: bool = False) -> float:
    """Linear centred kernel alignment of two representations (Kornblith et al. 2019).

    Parameters
    ----------
    X, Y : DataArray or array, (sample, unit)
    debiased : bool
        Estimate by U-statistics, whose expectation for independent representations is 0: the plain
        one has a bias of about ``sqrt(p q/((p + n)(q + n)))`` for n samples of p and q units.
        Default False.

    Returns
    -------
    float
        From 0 to 1, debiased perhaps below 0. 1 if one is the other turned and scaled; other linear
        maps change it.

    Notes
    -----
    ``|Y^T X|**2 / (|X^T X| |Y^T Y|)`` with centred columns and Frobenius norms; debiased as `cka`
    of ``X X^T`` and ``Y Y^T``.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((50, 3))
    >>> round(linear_cka(X, 2 * X[:, ::-1]), 12)
    1.0
    """
    X, Y = _pair(X, Y, 4 if debiased else 2)
    if debiased:
        return cka(X @ X.T, Y @ Y.T, debiased=True)
    X, Y = _centred(X, "X"), _centred(Y, "Y")
    return float(_overlap(X, Y) / np.sqrt(_overlap(X, X) * _overlap(Y, Y)))


def cka(K: ArrayLike, L: ArrayLike, *, debiased: bool = False) -> float:
    """Centred kernel alignment of two kernel matrices.

    Parameters
    ----------
    K, L : array_like, (sample, sample)
        Symmetric; they are centred here.
    debiased : bool
        With the U-statistic of the Hilbert-Schmidt independence criterion (Song et al. 2012, eq. 4;
        four samples or more). Default False.

    Returns
    -------
    float
    """
    K, L = _kernels(K, L, 4 if debiased else 2)
    centre = _u_centred if debiased else _doubly_centred
    # what centring leaves of a kernel that is constant is rounding
    floor = [1e-13 * np.abs(kernel).max() * len(K) for kernel in (K, L)]
    K, L = centre(K), centre(L)
    norms = [np.linalg.norm(kernel) for kernel in (K, L)]
    for name, norm, least in zip("KL", norms, floor):
        if norm <= least:
            raise ValueError(f"`{name}` is constant: nothing is left of it when it is centred")
    return float((K * L).sum() / (norms[0] * norms[1]))


def kernel_alignment(K0: ArrayLike, K1: ArrayLike) -> float:
    """``<K0, K1>/(|K0| |K1|)``, not centred: how little a kernel has changed.

    Parameters
    ----------
    K0, K1 : array_like, (sample, sample)
        Symmetric, for example tangent kernels before and after learning.

    Returns
    -------
    float
        From 0 to 1 for positive semi-definite kernels; 1 if they are proportional. `cka` is the
        same of centred kernels.

    Examples
    --------
    >>> round(kernel_alignment(np.eye(2), [[3.0, 0.0], [0.0, 4.0]]), 6)
    0.989949
    """
    K0, K1 = _kernels(K0, K1, 1, ("K0", "K1"))
    for name, kernel in (("K0", K0), ("K1", K1)):
        if not kernel.any():
            raise ValueError(f"`{name}` is 0: it has no direction")
    return float((K0 * K1).sum() / (np.linalg.norm(K0) * np.linalg.norm(K1)))


def representation_alignment(H0: ArrayLike, H1: ArrayLike) -> float:
    """`kernel_alignment` of ``H0 H0^T`` and ``H1 H1^T``: how little the representation has changed.

    Parameters
    ----------
    H0, H1 : DataArray or array, (sample, unit)
        Activity for the same inputs, for example before and after learning. Not centred.

    Returns
    -------
    float
        From 0 to 1; 1 if one is the other turned and scaled.
    """
    H0, H1 = _pair(H0, H1, 1, ("H0", "H1"))
    for name, H in (("H0", H0), ("H1", H1)):
        if not H.any():
            raise ValueError(f"`{name}` is 0: all units are silent in all samples")
    return float(_overlap(H0, H1) / np.sqrt(_overlap(H0, H0) * _overlap(H1, H1)))


def sign_similarity(A: ArrayLike, B: ArrayLike) -> float:
    """Share of the entries with the same sign; 0 is a sign of its own.

    Parameters
    ----------
    A, B : array_like, of the same shape
        Activity, or weights.

    Returns
    -------
    float

    Examples
    --------
    >>> sign_similarity([1.0, -2.0, 0.0, 3.0], [2.0, 2.0, 0.0, 0.1])
    0.75
    """
    A, B = real_numbers(getattr(A, "values", A), "A"), real_numbers(getattr(B, "values", B), "B")
    if A.shape != B.shape or A.size == 0:
        raise ValueError(f"`A` and `B` must have the same shape; got {A.shape} and {B.shape}")
    return float((np.sign(A) == np.sign(B)).mean())


def procrustes_distance(X: ArrayLike, Y: ArrayLike) -> float:
    """Distance of two representations that may be moved, scaled and turned onto each other.

    Parameters
    ----------
    X, Y : DataArray or array, (sample, unit)

    Returns
    -------
    float
        ``sqrt(2 - 2 |X^T Y|_*)`` with the nuclear norm, columns centred and Frobenius norms 1: from
        0 to sqrt(2); a metric (Williams et al. 2021).
    """
    X, Y = _pair(X, Y, 2)
    X, Y = _centred(X, "X"), _centred(Y, "Y")
    X, Y = X / np.linalg.norm(X), Y / np.linalg.norm(Y)
    nuclear = np.linalg.svd(X.T @ Y, compute_uv=False).sum()
    return float(np.sqrt(max(0.0, 2 - 2 * nuclear)))


def dissimilarity_matrix(X: ArrayLike, metric: str = "correlation") -> np.ndarray:
    """Representational dissimilarity matrix: distances between the patterns of all samples.

    Parameters
    ----------
    X : DataArray or array, (sample, unit)
    metric : str
        ``"correlation"`` (default, 1 less Pearson's coefficient), ``"cosine"``, ``"euclidean"``,
        ``"sqeuclidean"``, or another of `scipy.spatial.distance.pdist`.

    Returns
    -------
    array, (sample, sample)
        Symmetric with zeros on the diagonal.
    """
    from scipy.spatial.distance import pdist, squareform

    X = sample_unit(X, "X", 2)
    if metric in ("correlation", "cosine"):
        spread = np.ptp(X, axis=1) if metric == "correlation" else np.abs(X).max(axis=1)
        flat = np.flatnonzero(spread <= 1e-14 * np.abs(X).max())
        if flat.size:
            what = "the same in all units" if metric == "correlation" else "0 in all units"
            raise ValueError(
                f"`X` has no {metric} for sample {flat[0]}, which is {what} ({flat.size} such "
                "samples): leave it out, or take metric='euclidean'"
            )
    try:
        return squareform(pdist(X, metric))
    except ValueError:
        raise ValueError(
            f"`metric` must be one of scipy.spatial.distance.pdist; got {metric!r}"
        ) from None


def rsa(A: ArrayLike, B: ArrayLike, compare: str = "spearman") -> float:
    """Representational similarity analysis: the correlation of two dissimilarity matrices.

    Parameters
    ----------
    A, B : array_like, (sample, sample)
        From `dissimilarity_matrix`. Each pair of samples counts once, the diagonal not.
    compare : str
        ``"spearman"`` (default), ``"pearson"``, ``"kendall"`` (tau a) or ``"cosine"``.

    Returns
    -------
    float
        From -1 to 1.
    """
    first, second = _pairs_of(A, "A"), _pairs_of(B, "B")
    if first.shape != second.shape:
        raise ValueError(
            f"`A` and `B` must have the same samples; got shapes {np.shape(A)} and {np.shape(B)}"
        )
    return _compared(first, second, compare)


@dataclass(frozen=True)
class NoiseCeiling:
    """Between what the similarity of the best model to single subjects lies.

    Attributes
    ----------
    lower : float
        Mean similarity of each subject's matrix to the mean of the others'.
    upper : float
        Mean similarity of each subject's matrix to the mean of all.
    n_subjects : int
    """

    lower: float
    upper: float
    n_subjects: int


def rsa_noise_ceiling(matrices: ArrayLike, compare: str = "spearman") -> NoiseCeiling:
    """Noise ceiling of a representational similarity analysis (Nili et al. 2014).

    Parameters
    ----------
    matrices : array_like, (subject, sample, sample)
        Dissimilarity matrices of at least two subjects, sessions or networks.
    compare : str
        As for `rsa`. Matrices are scaled before their mean as `compare` sees them: to ranks, or to
        variance 1. For ``"kendall"`` the mean of ranks is used, which is not exactly the best.

    Returns
    -------
    NoiseCeiling
    """
    stack = np.asarray(real_numbers(matrices, "matrices"), float)
    if stack.ndim != 3 or len(stack) < 2:
        raise ValueError(
            "`matrices` must be (subject, sample, sample) with at least two subjects; got shape "
            f"{stack.shape}"
        )
    vectors = np.stack([_scaled(_pairs_of(one, f"matrices[{k}]"), compare)
                        for k, one in enumerate(stack)])
    total = vectors.sum(axis=0)
    upper = [_compared(one, total, compare) for one in vectors]
    lower = [_compared(one, total - one, compare) for one in vectors]
    return NoiseCeiling(float(np.mean(lower)), float(np.mean(upper)), len(stack))


def _pair(
    X: ArrayLike, Y: ArrayLike, min_samples: int, names: tuple[str, str] = ("X", "Y")
) -> tuple[np.ndarray, np.ndarray]:
    first, second = (sample_unit(a, name, min_samples) for a, name in zip((X, Y), names))
    if len(first) != len(second):
        raise ValueError(
            f"`{names[0]}` and `{names[1]}` must have the same samples; got {len(first)} and "
            f"{len(second)}, in shapes {first.shape} and {second.shape}"
        )
    return first, second


def _kernels(
    K: ArrayLike, L: ArrayLike, min_samples: int, names: tuple[str, str] = ("K", "L")
) -> tuple[np.ndarray, np.ndarray]:
    out = []
    for value, name in zip((K, L), names):
        kernel = np.asarray(real_numbers(getattr(value, "values", value), name), float)
        if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or len(kernel) < min_samples:
            raise ValueError(
                f"`{name}` must be (sample, sample) with at least {min_samples} samples; got shape "
                f"{kernel.shape}"
            )
        if not np.allclose(kernel, kernel.T, rtol=1e-6, atol=1e-8 * np.abs(kernel).max()):
            raise ValueError(f"`{name}` must be symmetric")
        out.append(kernel)
    if out[0].shape != out[1].shape:
        raise ValueError(
            f"`{names[0]}` and `{names[1]}` must have the same samples; got shapes "
            f"{out[0].shape} and {out[1].shape}"
        )
    return out[0], out[1]


def _centred(X: np.ndarray, name: str) -> np.ndarray:
    centred = X - X.mean(axis=0)
    if np.abs(centred).max() <= 1e-14 * np.abs(X).max():
        raise ValueError(f"`{name}` has variance 0: no unit differs between samples")
    return centred


def _overlap(X: np.ndarray, Y: np.ndarray) -> float:
    """``<X X^T, Y Y^T> = |X^T Y|**2``, by the smaller of the two products."""
    if X.shape[1] * Y.shape[1] <= len(X) ** 2:
        return float(((X.T @ Y) ** 2).sum())
    return float(((X @ X.T) * (Y @ Y.T)).sum())


def _doubly_centred(K: np.ndarray) -> np.ndarray:
    means = K.mean(axis=0)
    return K - means - means[:, None] + means.mean()


def _u_centred(K: np.ndarray) -> np.ndarray:
    """So that ``sum(K L)/(n (n - 3))`` of two such is Song's U-statistic (Szekely 2014)."""
    n = len(K)
    K = K - np.diag(np.diag(K))
    rows = K.sum(axis=0)
    out = K - (rows + rows[:, None]) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(out, 0.0)
    return out


def _pairs_of(A: ArrayLike, name: str) -> np.ndarray:
    """Entries above the diagonal of a dissimilarity matrix, (pair,)."""
    A = np.asarray(real_numbers(getattr(A, "values", A), name), float)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or len(A) < 3:
        raise ValueError(
            f"`{name}` must be (sample, sample) with at least 3 samples; got shape {A.shape}"
        )
    if not np.allclose(A, A.T, rtol=1e-6, atol=1e-10 * np.abs(A).max()):
        raise ValueError(f"`{name}` must be symmetric; make it with dissimilarity_matrix(X)")
    pairs = A[np.triu_indices(len(A), 1)]
    if np.ptp(pairs) == 0:
        raise ValueError(f"`{name}` is constant: all pairs of samples are equally dissimilar")
    return pairs


def _scaled(pairs: np.ndarray, compare: str) -> np.ndarray:
    from scipy.stats import rankdata

    if compare in ("spearman", "kendall"):
        return rankdata(pairs)
    if compare == "pearson":
        return (pairs - pairs.mean()) / pairs.std()
    return pairs / np.linalg.norm(pairs)


def _compared(a: np.ndarray, b: np.ndarray, compare: str) -> float:
    from scipy.stats import pearsonr, spearmanr

    if compare not in COMPARISONS:
        raise ValueError(f"`compare` must be {', '.join(map(repr, COMPARISONS))}; got {compare!r}")
    if compare == "spearman":
        return float(spearmanr(a, b).statistic)
    if compare == "pearson":
        return float(pearsonr(a, b).statistic)
    if compare == "cosine":
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    return _kendall_tau_a(a, b)


def _kendall_tau_a(a: np.ndarray, b: np.ndarray) -> float:
    """Concordant less discordant pairs over all pairs: ties count as neither.

    SciPy has tau b, which leaves ties out of the denominator and so favours models with ties.
    """
    total = 0.0
    for k in range(len(a) - 1):
        total += float(np.sign(a[k + 1:] - a[k]) @ np.sign(b[k + 1:] - b[k]))
    return 2 * total / (len(a) * (len(a) - 1))
