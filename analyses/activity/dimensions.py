"""How many dimensions activity or a matrix has, and how subspaces lie to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.analyses.activity._time_series import matrix, sample_unit

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Dimensionality:
    """Principal components of activity, and how many there are.

    Attributes
    ----------
    participation_ratio : float
        ``(tr C)**2 / tr(C**2)`` of the covariance C behind the samples: both traces estimated
        without bias. NaN if the samples are too few for that.
    uncorrected : float
        The same of the sample covariance, which is too small for few samples.
    effective_rank : float
        ``exp`` of the entropy of the shares of variance, of the sample covariance.
    variance : array, (component,)
        Of the principal components, largest first.
    components : array, (unit, component)
        Their directions, of length 1.
    mean : array, (unit,)
    n_samples, n_units : int
    n_independent : float
        Samples that count as independent in the correction.
    notes : tuple of str
    """

    participation_ratio: float
    uncorrected: float
    effective_rank: float
    variance: np.ndarray
    components: np.ndarray
    mean: np.ndarray
    n_samples: int
    n_units: int
    n_independent: float
    notes: tuple[str, ...]

    @property
    def share(self) -> np.ndarray:
        """Of each component in the variance, ``(component,)``."""
        return self.variance / self.variance.sum()

    def n_components(self, share: float = 0.9) -> int:
        """How many components explain a share of the variance."""
        if not 0 < share <= 1:
            raise ValueError(f"`share` must be above 0, at most 1; got {share!r}")
        cumulative = np.cumsum(self.share)
        return int(np.argmax(cumulative >= share - 1e-12)) + 1


def dimensionality(
    x: xr.DataArray | ArrayLike, *, n_independent: float | None = None
) -> Dimensionality:
    """Participation ratio, principal components and effective rank of activity.

    Parameters
    ----------
    x : DataArray with a dimension ``time``, or array (sample, unit) or (trial, time, unit)
        All times of all trials are samples; the mean of each unit over them is removed.
    n_independent : float, optional
        How many of the samples are independent. Default all. Of activity with the timescale tau,
        ``duration/(2 tau)`` a trial.

    Returns
    -------
    Dimensionality

    Notes
    -----
    T samples of N isotropic dimensions have the participation ratio ``N T/(N + T)`` instead of N.
    For Gaussian samples, with S the sample covariance and n = T - 1,

        E tr(S**2) = (1 + 1/n) tr(C**2) + (tr C)**2/n,    E (tr S)**2 = (tr C)**2 + 2 tr(C**2)/n,

    which are solved for the traces of C. The ratio of unbiased estimates keeps a bias of second
    order. The spectrum and the effective rank are those of S: they are not corrected.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 40))
    >>> found = dimensionality(x)
    >>> round(found.uncorrected), round(200 * 40 / (200 + 40)), round(found.participation_ratio)
    (33, 33, 40)
    """
    samples = sample_unit(x, "x", 2)
    n_samples, n_units = samples.shape
    if n_independent is None:
        n_independent = n_samples
    if not 1 < n_independent <= n_samples:
        raise ValueError(
            f"`n_independent` must be above 1, at most the {n_samples} samples; got "
            f"{n_independent!r}"
        )
    mean = samples.mean(axis=0)
    _, s, rows = np.linalg.svd(samples - mean, full_matrices=False)
    # rounding leaves a little of a constant series
    if s[0] <= 1e-13 * np.abs(samples).max() * np.sqrt(samples.size):
        raise ValueError("`x` has variance 0: no unit ever changes")
    variance = s**2 / (n_samples - 1)
    trace, square = variance.sum(), (variance**2).sum()
    corrected, notes = _corrected(trace, square, n_independent - 1), ()
    if not np.isfinite(corrected):
        notes = (
            f"{n_independent:g} samples of {n_units} units are too few for an unbiased "
            "participation ratio",
        )
    return Dimensionality(
        corrected, float(trace**2 / square), _entropy_rank(variance), variance, rows.T, mean,
        n_samples, n_units, float(n_independent), notes,
    )


def participation_ratio(C: ArrayLike) -> float:
    """``(tr C)**2 / tr(C**2)``: the number of dimensions of a covariance that is known.

    Parameters
    ----------
    C : array_like, (unit, unit) or (component,)
        A symmetric positive semi-definite matrix, or its eigenvalues.

    Returns
    -------
    float
        k for k equal eigenvalues beside zeros. For activity use `dimensionality`, which corrects
        for the number of samples.

    Examples
    --------
    >>> participation_ratio([2.0, 2.0, 2.0, 0.0])
    3.0
    """
    C = np.asarray(real_numbers(C, "C"), float)
    if C.ndim == 2 and C.shape[0] == C.shape[1] and C.size:
        if not np.allclose(C, C.T, rtol=1e-8, atol=1e-10 * np.abs(C).max()):
            raise ValueError("`C` must be symmetric")
        trace, square = np.trace(C), (C**2).sum()
    elif C.ndim == 1 and C.size:
        trace, square = C.sum(), (C**2).sum()
    else:
        raise ValueError(f"`C` must be (unit, unit) or eigenvalues (component,); got {C.shape}")
    if square == 0:
        raise ValueError("`C` is 0: it has no dimensions")
    if trace < 0 or (C.ndim == 1 and C.min() < -1e-10 * C.max()):
        raise ValueError("`C` must be positive semi-definite: variances are not negative")
    return float(trace**2 / square)


@dataclass(frozen=True, eq=False)
class MatrixRanks:
    """Ranks of a matrix that need no cut; N for an identity matrix of N rows.

    Attributes
    ----------
    participation : float
        ``(sum s)**2 / sum s**2`` with the singular values s.
    entropy : float
        ``exp`` of the entropy of ``s/sum s`` (the effective rank of Roy and Vetterli 2007).
    stable : float
        ``sum s**2 / max s**2``.
    above : int
        Number of singular values above `cut` times the largest.
    cut : float
    singular_values : array, (component,)
        Largest first.
    """

    participation: float
    entropy: float
    stable: float
    above: int
    cut: float
    singular_values: np.ndarray


def matrix_ranks(W: Any, cut: float = 0.01) -> MatrixRanks:
    """Effective, stable and numerical rank of a weight matrix.

    Parameters
    ----------
    W : array, sparse matrix or weights object, (post, pre)
    cut : float
        Default 0.01: singular values below it, relative to the largest, do not count in `above`.

    Returns
    -------
    MatrixRanks

    Examples
    --------
    >>> ranks = matrix_ranks(np.diag([3.0, 4.0, 0.0]))
    >>> ranks.participation, ranks.stable, ranks.above
    (1.96, 1.5625, 2)
    """
    if not 0 <= cut < 1:
        raise ValueError(f"`cut` must be from 0 to below 1; got {cut!r}")
    W = matrix(W, "W", "(post, pre)")
    s = np.linalg.svd(W, compute_uv=False)
    if s[0] == 0:
        raise ValueError("`W` is 0: it has no rank to speak of")
    return MatrixRanks(
        float(s.sum() ** 2 / (s**2).sum()), _entropy_rank(s), float((s**2).sum() / s[0] ** 2),
        int((s > cut * s[0]).sum()), cut, s,
    )


def principal_angles(A: ArrayLike, B: ArrayLike) -> np.ndarray:
    """Principal angles between the subspaces that the columns of two matrices span.

    Parameters
    ----------
    A, B : array_like, (unit, component)
        For example leading `Dimensionality.components`. Columns need not be orthogonal, but
        independent.

    Returns
    -------
    array, (smaller number of components,), rad
        Smallest first: 0 for a shared direction, pi/2 for orthogonal ones. Small ones come from
        their sines and large ones from their cosines (Knyazev and Argentati 2002), so all are
        accurate to rounding.

    Examples
    --------
    >>> principal_angles(np.eye(3)[:, :2], np.eye(3)[:, 1:]).round(4) + 0.0
    array([0.    , 1.5708])
    """
    from scipy.linalg import orth, svdvals

    A, B = matrix(A, "A", "(unit, component)"), matrix(B, "B", "(unit, component)")
    if len(A) != len(B):
        raise ValueError(
            f"`A` and `B` must have the same number of rows, the units; got shapes {A.shape} and "
            f"{B.shape}"
        )
    for name, columns in (("A", A), ("B", B)):
        rank = np.linalg.matrix_rank(columns)
        if rank < columns.shape[1]:
            raise ValueError(
                f"`{name}` must have independent columns: {columns.shape[1]} of them span {rank} "
                "dimensions"
            )
    # scipy.linalg.subspace_angles (SciPy 1.17) takes cosines for small angles beside large ones,
    # an error of 1e-9 at an angle of 1e-7
    wide, narrow = (orth(A), orth(B)) if A.shape[1] >= B.shape[1] else (orth(B), orth(A))
    product = wide.T @ narrow
    cosine = np.minimum(svdvals(product), 1.0)  # largest first
    sine = np.minimum(svdvals(narrow - wide @ product)[::-1], 1.0)  # smallest first
    return np.where(cosine**2 >= 0.5, np.arcsin(sine), np.arccos(cosine))


def _corrected(trace: float, square: float, n: float) -> float:
    """Participation ratio from the unbiased estimates of both traces, n degrees of freedom."""
    if n <= 1:
        return float("nan")
    scale = n / ((n - 1) * (n + 2))
    trace_of_square = scale * (n * square - trace**2)
    squared_trace = scale * ((n + 1) * trace**2 - 2 * square)
    # below a thousandth of its terms nothing is left but error
    if trace_of_square <= 1e-3 * scale * trace**2:
        return float("nan")
    return float(squared_trace / trace_of_square)


def _entropy_rank(values: np.ndarray) -> float:
    share = values[values > 0] / values[values > 0].sum()
    return float(np.exp(-(share * np.log(share)).sum()))
