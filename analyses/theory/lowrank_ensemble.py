"""Statistics of low-rank connectivity: a mixture of Gaussians that the vectors are drawn from.

The convention is that of the literature on theory, ``W = (1/N) sum_r m^r n^r^T``, with vectors
whose entries are of order 1. The weights of a network, ``nd.weights.LowRank(m, n)``, have no hidden
factor: theirs is ``n/N``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count, checked_number, real_numbers
from neurodyn.weights import LowRank

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from neurodyn._arrays import RNG


@dataclass(frozen=True, eq=False)
class LowRankEnsemble:
    """Low-rank networks whose units are drawn from a mixture of Gaussians.

    A unit of population p has ``(m^1, ..., m^R, n^1, ..., n^R, I)`` from a Gaussian of its
    population; ``W = (1/N) sum_r m^r n^r^T`` and I is a constant input (Dubreuil et al. 2022).

    Parameters
    ----------
    covariance : array_like, (2R + 1, 2R + 1) or (population, 2R + 1, 2R + 1)
    mean : array_like, (2R + 1,) or (population, 2R + 1), optional
        Default 0.
    fraction : array_like, (population,), optional
        Share of units; default equal. Sums to 1.

    Raises
    ------
    ValueError
        For shapes that do not fit, fractions that do not sum to 1, or a covariance that is not
        symmetric and positive semi-definite.

    See Also
    --------
    gaussian_ensemble : one population, from overlaps.
    empirical_ensemble : from the vectors of a network.
    """

    covariance: np.ndarray
    mean: np.ndarray | None = None
    fraction: np.ndarray | None = None

    def __post_init__(self):
        covariance = np.asarray(real_numbers(self.covariance, "covariance"), float)
        covariance = covariance[None] if covariance.ndim == 2 else covariance
        size = covariance.shape[-1]
        if covariance.ndim != 3 or covariance.shape[-2] != size or size < 3 or size % 2 == 0:
            raise ValueError(
                "`covariance` must be (population, 2R + 1, 2R + 1), of m^1..m^R, n^1..n^R and I; "
                f"got shape {np.shape(self.covariance)}"
            )
        n = len(covariance)
        mean = np.zeros((n, size)) if self.mean is None else real_numbers(self.mean, "mean")
        mean = np.atleast_2d(np.asarray(mean, float))
        if mean.shape != (n, size):
            raise ValueError(f"`mean` must be (population, 2R + 1) = {(n, size)}; got {mean.shape}")
        fraction = np.full(n, 1 / n) if self.fraction is None else self.fraction
        fraction = np.asarray(real_numbers(fraction, "fraction"), float)
        if fraction.shape != (n,) or np.any(fraction <= 0) or not np.isclose(fraction.sum(), 1):
            raise ValueError(
                f"`fraction` must be {n} positive numbers with the sum 1; got {fraction.tolist()}"
            )
        for p, matrix in enumerate(covariance):
            _check_covariance(matrix, p)
        for name, value in (("covariance", covariance), ("mean", mean), ("fraction", fraction)):
            object.__setattr__(self, name, value)

    @property
    def rank(self) -> int:
        return (self.covariance.shape[-1] - 1) // 2

    @property
    def n_populations(self) -> int:
        return len(self.fraction)

    @property
    def overlap(self) -> np.ndarray:
        """``<n^r m^s>``, (R, R): with the eigenvalues of W that are not 0, for N to infinity."""
        R = self.rank
        second = self.covariance + self.mean[:, :, None] * self.mean[:, None, :]
        return np.einsum("p,prs->rs", self.fraction, second[:, R : 2 * R, :R])

    def sample(
        self, n_units: int, rng: RNG = None
    ) -> tuple[LowRank, np.ndarray, np.ndarray]:
        """Weights, inputs (unit,) and populations (unit,) of a network of the ensemble.

        Populations have their share of units, to rounding, and lie behind one another.
        """
        n_units = checked_count(n_units, "n_units", minimum=self.rank)
        generator = as_generator(rng)
        ends = np.round(np.cumsum(self.fraction) * n_units).astype(int)
        label = np.searchsorted(ends, np.arange(n_units), side="right")
        drawn = np.empty((n_units, self.mean.shape[1]))
        for p in range(self.n_populations):
            variances, axes = np.linalg.eigh(self.covariance[p])
            factor = axes * np.sqrt(np.maximum(variances, 0))
            noise = generator.standard_normal((np.count_nonzero(label == p), len(factor)))
            drawn[label == p] = self.mean[p] + noise @ factor.T
        R = self.rank
        return LowRank(drawn[:, :R], drawn[:, R : 2 * R] / n_units), drawn[:, -1], label

    def __repr__(self) -> str:
        overlap = np.array2string(self.overlap, precision=3, separator=", ").replace("\n", "")
        return (
            f"<LowRankEnsemble of rank {self.rank}, {self.n_populations} population"
            f"{'s' if self.n_populations > 1 else ''}, overlap {overlap}>"
        )


def gaussian_ensemble(
    overlap: ArrayLike,
    *,
    sigma_m: float = 1.0,
    sigma_n: float | None = None,
    sigma_I: float = 0.0,
    overlap_nI: ArrayLike = 0.0,
    overlap_mI: ArrayLike = 0.0,
) -> LowRankEnsemble:
    """One Gaussian population of mean 0, from its overlaps; that of ``nd.weights.low_rank``.

    Parameters
    ----------
    overlap : float, (R,) or (R, R)
        ``<n^r m^s>``; a number for rank one, a vector for a diagonal matrix.
    sigma_m : float
        Standard deviation of the entries of every m, default 1; different m are independent.
    sigma_n : float, optional
        That of every n, for n that are uncorrelated with one another. Default: what the overlaps
        imply, and an independent part of unit variance. It matters for nothing but the sampling.
    sigma_I : float
        That of the input, default 0.
    overlap_nI, overlap_mI : float or (R,)
        ``<n^r I>`` and ``<m^r I>``, default 0.

    Returns
    -------
    LowRankEnsemble

    Examples
    --------
    >>> gaussian_ensemble(2.0)
    <LowRankEnsemble of rank 1, 1 population, overlap [[2.]]>
    """
    matrix = np.asarray(real_numbers(overlap, "overlap"), float)
    matrix = np.diag(np.atleast_1d(matrix)) if matrix.ndim < 2 else matrix
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"`overlap` must be (R, R), of n^r and m^s; got shape {matrix.shape}")
    sigma_m, sigma_I = checked_number(sigma_m, "sigma_m", 0), checked_number(sigma_I, "sigma_I", 0)
    R = len(matrix)
    sides = {}
    for name, value in (("overlap_nI", overlap_nI), ("overlap_mI", overlap_mI)):
        sides[name] = np.asarray(real_numbers(value, name), float)
        if sides[name].shape not in ((), (R,)):
            raise ValueError(f"`{name}` must be a number or ({R},); got {sides[name].shape}")
        if sigma_I == 0 and np.any(sides[name]):
            raise ValueError(f"`{name}` is {value}, but the input has no spread: set `sigma_I`")
    C = np.zeros((2 * R + 1, 2 * R + 1))
    m, n = slice(0, R), slice(R, 2 * R)
    C[m, m] = sigma_m**2 * np.eye(R)
    C[n, m] = matrix
    C[n, -1], C[m, -1], C[-1, -1] = sides["overlap_nI"], sides["overlap_mI"], sigma_I**2
    C[m, n], C[-1, :-1] = C[n, m].T, C[:-1, -1]
    if sigma_n is None:  # the part of n that m and I explain, and 1
        known = [*range(R), 2 * R]
        C[n, n] = np.eye(R) + C[n][:, known] @ np.linalg.pinv(C[np.ix_(known, known)]) @ C[known, n]
    else:
        C[n, n] = checked_number(sigma_n, "sigma_n", 0) ** 2 * np.eye(R)
    return LowRankEnsemble(C)


def empirical_ensemble(
    weights: Any, I: ArrayLike | None = None, populations: ArrayLike | None = None
) -> LowRankEnsemble:
    """Means and covariances of the vectors of a network.

    Parameters
    ----------
    weights : LowRank, or a pair of arrays (m, n), each (unit, R) or (unit,)
        A pair in the convention of ``W = (1/N) m n^T``; a `LowRank` as it is, ``W = m n^T``.
    I : array_like, (unit,), optional
        Constant inputs; default 0.
    populations : array_like of int, (unit,), optional
        Population of each unit, from 0; default one for all.

    Returns
    -------
    LowRankEnsemble
    """
    m, n = vectors(weights)
    n = n * len(m)
    label = np.zeros(len(m), int) if populations is None else np.asarray(populations)
    if label.shape != (len(m),) or label.dtype.kind not in "iu" or label.min() < 0:
        raise ValueError(
            f"`populations` must be {len(m)} numbers from 0, one a unit; got "
            f"{label.dtype} of shape {label.shape}"
        )
    rows = np.concatenate([m, n, checked_input(I, len(m))[:, None]], axis=1)
    counts = np.bincount(label)
    if np.any(counts < 2):
        raise ValueError(f"every population needs 2 units; `populations` has {counts.tolist()}")
    parts = [rows[label == p] for p in range(len(counts))]
    return LowRankEnsemble(
        np.array([np.cov(part.T, bias=True) for part in parts]),
        np.array([part.mean(axis=0) for part in parts]), counts / len(m),
    )  # fmt: skip


def vectors(weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """m and n of ``W = m n^T``, (unit, R) each, of a `LowRank` or of a pair in units of 1/N."""
    if isinstance(weights, LowRank):
        m, n = weights.m, weights.n
    elif isinstance(weights, (tuple, list)) and len(weights) == 2:
        m, n = (np.asarray(real_numbers(a, name), float) for a, name in zip(weights, "mn"))
        m, n = (a[:, None] if a.ndim == 1 else a for a in (m, n))
        if m.ndim != 2 or m.shape != n.shape:
            raise ValueError(
                f"`m` and `n` must have the same shape, (unit, R); got {m.shape} and {n.shape}"
            )
        n = n / len(m)
    else:
        raise TypeError(
            "low-rank connectivity is a LowRankEnsemble, nd.weights.LowRank(m, n), a pair (m, n), "
            f"or a network of such weights; got {type(weights).__name__}"
        )
    if len(m) != len(n):
        raise ValueError(
            f"recurrent weights are square; `m` has {len(m)} units and `n` has {len(n)}"
        )
    if m.shape[1] > len(m):
        raise ValueError(f"the rank, {m.shape[1]}, is above the number of units, {len(m)}")
    return np.asarray(m, float), np.asarray(n, float)


def checked_input(I: ArrayLike | None, n_units: int) -> np.ndarray:
    value = np.zeros(n_units) if I is None else np.asarray(real_numbers(I, "I"), float)
    if value.shape not in ((), (n_units,)):
        raise ValueError(f"`I` must be a number or one a unit, ({n_units},); got {value.shape}")
    return np.broadcast_to(value, (n_units,))


def _check_covariance(C: np.ndarray, population: int) -> None:
    where = f"`covariance` of population {population}"
    if not np.allclose(C, C.T, rtol=1e-9, atol=1e-12 * np.abs(C).max()):
        raise ValueError(f"{where} must be symmetric; it differs by {np.abs(C - C.T).max():.3g}")
    least = np.linalg.eigvalsh(C)[0]
    if least < -1e-9 * max(np.abs(C).max(), 1e-300):
        raise ValueError(
            f"{where} must be positive semi-definite; its least eigenvalue is {least:.4g}. The "
            "overlaps are too large for the variances (Cauchy-Schwarz)"
        )
