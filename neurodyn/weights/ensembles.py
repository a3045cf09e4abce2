"""Random weights: the ensembles that network theory is written in.

Every function takes ``rng`` (an int, a ``SeedSequence``, a ``Generator``, or None for fresh
entropy; one seed gives one matrix) and returns ``[post, pre]`` weights: an array where the matrix
is full, and `Sparse`, `LowRank` or a sum of weights where it is not. They are reachable as
``nd.weights.gaussian(...)`` and so on.

References
----------
.. [aljadeff2015] Aljadeff, Stern, Sharpee. Transition to chaos in random networks with
   cell-type-specific connectivity. Phys. Rev. Lett. 114, 088101.
.. [brunel2000] Brunel. Dynamics of sparsely connected networks of excitatory and inhibitory spiking
   neurons. J. Comput. Neurosci. 8, 183.
.. [mastrogiuseppe2018] Mastrogiuseppe, Ostojic. Linking connectivity, dynamics, and computations in
   low-rank recurrent neural networks. Neuron 99, 609.
.. [mezzadri2007] Mezzadri. How to generate random matrices from the classical compact groups.
   Notices Am. Math. Soc. 54, 592.
.. [potjans2014] Potjans, Diesmann. The cell-type specific cortical microcircuit: relating structure
   and activity in a full-scale spiking network model. Cereb. Cortex 24, 785.
.. [rajan2006] Rajan, Abbott. Eigenvalue spectra of random matrices for neural networks.
   Phys. Rev. Lett. 97, 188104.
.. [sompolinsky1988] Sompolinsky, Crisanti, Sommers. Chaos in random neural networks.
   Phys. Rev. Lett. 61, 259.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import (
    as_generator,
    checked_count,
    checked_number,
    checked_shape,
    real_numbers,
)
from neurodyn.weights.sparse_ensembles import sparse_random

# the classes of `neurodyn.weights` are imported where they are used: it re-exports this module
if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from neurodyn._arrays import RNG
    from neurodyn.weights.base import Sum
    from neurodyn.weights.matrices import LowRank

__all__ = [
    "block",
    "excitatory_inhibitory",
    "gaussian",
    "low_rank",
    "low_rank_plus_random",
    "orthogonal",
    "sparse_random",
]


def gaussian(
    shape_or_n: int | tuple[int, int],
    gain: float = 1.0,
    rng: RNG = None,
    mean: float = 0.0,
    *,
    zero_diagonal: bool = False,
) -> np.ndarray:
    r"""Independent Gaussian weights, :math:`W_{ij} \sim N(\mathrm{mean}, g^2 / n_{pre})`.

    Parameters
    ----------
    shape_or_n : int or (int, int)
        ``n`` for a square matrix, or ``(n_post, n_pre)``.
    gain : float, default 1.0
        ``g``: the spectral radius of a large square matrix of mean zero, whose eigenvalues fill the
        disc of that radius evenly. The rate network ``tau dx/dt = -x + W tanh(x)`` is chaotic above
        one.
    rng : int, SeedSequence, Generator or None
        Randomness.
    mean : float, default 0.0
        Mean of every weight. A mean adds the eigenvalue ``n * mean`` outside the disc.
    zero_diagonal : bool, default False
        No self-connections.

    Returns
    -------
    ndarray, (n_post, n_pre)

    Notes
    -----
    Source: Sompolinsky et al. (1988) [sompolinsky1988]_, who leave out self-connections.

    Examples
    --------
    >>> W = gaussian((400, 100), gain=2.0, rng=0)
    >>> W.shape, round(float(W.std()), 2)
    ((400, 100), 0.2)
    """
    n_post, n_pre = checked_shape(shape_or_n)
    gain, mean = checked_number(gain, "gain", minimum=0.0), checked_number(mean, "mean")
    W = as_generator(rng).standard_normal((n_post, n_pre))
    W *= gain / np.sqrt(n_pre)
    W += mean
    if zero_diagonal:
        np.fill_diagonal(W, 0.0)
    return W


def low_rank(
    n: int,
    overlaps: ArrayLike | None = None,
    rank: int | None = None,
    rng: RNG = None,
    *,
    sigma_m: float = 1.0,
    sigma_n: float | None = None,
    exact: bool = False,
) -> LowRank:
    r"""Low-rank weights :math:`W = m n^T / N` with Gaussian vectors of given overlaps.

    The entries of the vectors of one unit, :math:`m_r` and :math:`n_r`, are jointly Gaussian with
    mean zero and

    .. math:: \langle m_r m_s \rangle = \sigma_m^2 \delta_{rs}, \quad
              \langle n_r m_s \rangle = O_{rs}, \quad
              \langle n_r n_s \rangle = \sigma_n^2 \delta_{rs}.

    The matrix :math:`n^T m / N`, of expectation `O`, has the non-zero eigenvalues of ``W``.

    Parameters
    ----------
    n : int
        Number of units ``N``.
    overlaps : float, (rank,) or (rank, rank) array_like, optional
        ``O``, as ``[r of n, s of m]``; a number for rank one, a vector for a diagonal matrix. None
        means that all vectors are independent.
    rank : int, optional
        Number of pairs of vectors; needed only where `overlaps` does not say it.
    rng : int, SeedSequence, Generator or None
        Randomness.
    sigma_m : float, default 1.0
        Standard deviation of the entries of every ``m``.
    sigma_n : float, optional
        That of every ``n``. None, the default, gives every ``n`` an independent part of unit
        variance: covariance ``O O^T / sigma_m**2 + 1``.
    exact : bool, default False
        Make the second moments above hold in this very sample, not only in expectation, by a linear
        change of the drawn vectors. Otherwise the overlaps scatter by a few ``1 / sqrt(N)``, as in
        the published ensemble.

    Returns
    -------
    LowRank
        With ``m`` as drawn and ``n`` divided by ``N``, so that ``W @ r = m @ kappa`` and
        ``kappa = n^T r / N``.

    Raises
    ------
    ValueError
        If `sigma_n` is too small for the overlaps (Cauchy-Schwarz); the message has the least.

    Notes
    -----
    Source: Mastrogiuseppe and Ostojic (2018) [mastrogiuseppe2018]_. Other papers leave out the
    ``1 / N`` or take ``1 / sqrt(N)``.
    """
    from neurodyn.weights.matrices import LowRank

    n = checked_count(n, "n")
    m_vectors, n_vectors = _vectors(n, overlaps, rank, sigma_m, sigma_n, exact, as_generator(rng))
    return LowRank(m_vectors, n_vectors / n)


def low_rank_plus_random(
    n: int,
    gain: float,
    overlaps: ArrayLike | None = None,
    rank: int | None = None,
    rng: RNG = None,
    *,
    sigma_m: float = 1.0,
    sigma_n: float | None = None,
    exact: bool = False,
) -> Sum:
    r"""A random bulk and a low-rank structure, :math:`W = m n^T / N + g \chi`.

    The eigenvalues are those of `overlaps` that lie outside the disc of radius `gain`, shifted by
    order ``1 / sqrt(N)``, and a disc of that radius.

    Parameters
    ----------
    n : int
        Number of units ``N``.
    gain : float
        ``g``; the entries of :math:`\chi` are independent with variance ``1 / N``.
    overlaps, rank, sigma_m, sigma_n, exact
        See `low_rank`.
    rng : int, SeedSequence, Generator or None
        Randomness. The bulk is drawn first, so that one seed gives the same :math:`\chi` with every
        structure.

    Returns
    -------
    Sum
        Of `LowRank` and `Dense`, in this order.

    Notes
    -----
    Source: Mastrogiuseppe and Ostojic (2018) [mastrogiuseppe2018]_.
    """
    from neurodyn.weights.base import Sum

    generator = as_generator(rng)
    bulk = gaussian(checked_count(n, "n"), gain, generator)
    options = {"sigma_m": sigma_m, "sigma_n": sigma_n, "exact": exact}
    return Sum(low_rank(n, overlaps, rank, generator, **options), bulk)


def excitatory_inhibitory(
    n_exc: int,
    n_inh: int,
    *,
    mean_exc: float = 1.0,
    mean_inh: float | None = None,
    sd_exc: float = 1.0,
    sd_inh: float | None = None,
    distribution: str = "gamma",
    zero_row_sum: bool = False,
    n_post: int | None = None,
    rng: RNG = None,
) -> np.ndarray:
    r"""Weights of excitatory and inhibitory units: columns with their own sign, mean and spread.

    With ``N = n_exc + n_inh`` and ``f = n_exc / N``, weights *from* excitatory units (the first
    `n_exc` columns) have mean :math:`\mu_E / \sqrt N` and standard deviation
    :math:`\sigma_E / \sqrt N`, those from inhibitory units :math:`\mu_I / \sqrt N` (negative) and
    :math:`\sigma_I / \sqrt N`. The bulk of the eigenvalues fills, unevenly where the two spreads
    differ, the disc of radius :math:`\sqrt{f \sigma_E^2 + (1 - f) \sigma_I^2}`.

    Parameters
    ----------
    n_exc, n_inh : int
        Numbers of presynaptic units.
    mean_exc : float, default 1.0
        :math:`\mu_E \ge 0`.
    mean_inh : float, optional
        :math:`\mu_I \le 0`. None, the default, balances: :math:`f \mu_E + (1 - f) \mu_I = 0`.
    sd_exc : float, default 1.0
        :math:`\sigma_E`.
    sd_inh : float, optional
        :math:`\sigma_I`; the default is `sd_exc`.
    distribution : {"gamma", "gaussian"}
        With gamma, the default, magnitudes are gamma distributed with the given mean and spread, so
        that every column keeps its sign (Dale's law). Gaussian is the published ensemble, in which
        single weights can have the wrong sign.
    zero_row_sum : bool, default False
        Balance the inputs of every unit exactly, not only on average, which removes the eigenvalues
        that otherwise scatter outside the disc. Needs balanced means. Gaussian weights lose their
        row's mean deviation, as published; gamma weights keep their signs, since each row's
        inhibition is scaled to its excitation (by a factor of ``1 + O(1/sqrt(N))``).
    n_post : int, optional
        Number of postsynaptic units; the default is ``N``.
    rng : int, SeedSequence, Generator or None
        Randomness.

    Returns
    -------
    ndarray, (n_post, n_exc + n_inh)

    Notes
    -----
    Source: Rajan and Abbott (2006) [rajan2006]_. Differs: the gamma distribution and its balance;
    the spectrum of a large matrix depends on the first two moments only.
    """
    n_exc, n_inh = checked_count(n_exc, "n_exc"), checked_count(n_inh, "n_inh")
    n_pre = n_exc + n_inh
    n_post = n_pre if n_post is None else checked_count(n_post, "n_post")
    mean_exc, sd_exc = (
        checked_number(mean_exc, "mean_exc", minimum=0.0),
        checked_number(sd_exc, "sd_exc", 0.0),
    )
    balanced = -mean_exc * n_exc / n_inh
    mean_inh = balanced if mean_inh is None else checked_number(mean_inh, "mean_inh")
    sd_inh = sd_exc if sd_inh is None else checked_number(sd_inh, "sd_inh", minimum=0.0)
    if mean_inh > 0:
        raise ValueError(
            f"`mean_inh` must be negative or zero; got {mean_inh}. The sign is in the value."
        )
    if distribution not in ("gamma", "gaussian"):
        raise ValueError(f'`distribution` must be "gamma" or "gaussian"; got {distribution!r}')
    if zero_row_sum and not np.isclose(mean_inh, balanced, rtol=1e-9, atol=0.0):
        raise ValueError(
            f"`zero_row_sum` needs balanced means: `mean_inh` = {balanced:g} for `mean_exc` = "
            f"{mean_exc:g}, or None; got {mean_inh:g}"
        )
    generator = as_generator(rng)
    W = np.empty((n_post, n_pre))
    W[:, :n_exc] = _spread(generator, (n_post, n_exc), mean_exc, sd_exc, distribution, "exc")
    W[:, n_exc:] = _spread(generator, (n_post, n_inh), mean_inh, sd_inh, distribution, "inh")
    if zero_row_sum and distribution == "gaussian":
        W -= W.mean(axis=1, keepdims=True)
    elif zero_row_sum and mean_exc > 0:
        excitation, inhibition = (part.sum(axis=1) for part in (W[:, :n_exc], W[:, n_exc:]))
        W[:, n_exc:] *= (-excitation / inhibition)[:, None]
    return W / np.sqrt(n_pre)


def block(
    sizes: Sequence[int],
    gains: ArrayLike,
    means: ArrayLike = 0.0,
    rng: RNG = None,
) -> np.ndarray:
    r"""Gaussian weights whose spread depends on the types of the two units.

    For a postsynaptic unit of type c and a presynaptic one of type d,
    :math:`W_{ij} \sim N(\mathrm{means}_{cd}, g_{cd}^2 / N)`.

    Parameters
    ----------
    sizes : sequence of int
        Number of units of each type; ``N`` is their sum, and units are ordered by type.
    gains : float or (n_types, n_types) array_like
        :math:`g_{cd}`, ``[post, pre]``. With zero means, the spectral radius of a large matrix is
        the square root of the largest eigenvalue of :math:`M_{cd} = g_{cd}^2 N_d / N`.
    means : float or (n_types, n_types) array_like, default 0.0
        Mean of every weight of the block.
    rng : int, SeedSequence, Generator or None
        Randomness.

    Returns
    -------
    ndarray, (N, N)

    Notes
    -----
    Source: Aljadeff et al. (2015) [aljadeff2015]_. Differs: the means, zero in the paper.
    """
    sizes = [checked_count(size, f"sizes[{k}]") for k, size in enumerate(sizes)]
    if not sizes:
        raise ValueError("`sizes` must have at least one entry")
    per_block = []
    for value, name in ((gains, "gains"), (means, "means")):
        array = real_numbers(value, name, "[post, pre]")
        if array.ndim and array.shape != (len(sizes),) * 2:
            raise ValueError(
                f"`{name}` must be a number or have shape (n_types, n_types) = "
                f"({len(sizes)}, {len(sizes)}); got {array.shape}"
            )
        per_block.append(np.broadcast_to(array, (len(sizes),) * 2))
    gains, means = per_block
    if gains.min() < 0:
        raise ValueError(f"`gains` are standard deviations and must be positive; got {gains.min()}")
    of_type = np.repeat(np.arange(len(sizes)), sizes)
    W = as_generator(rng).standard_normal((of_type.size,) * 2)
    W *= gains[of_type][:, of_type] / np.sqrt(of_type.size)
    W += means[of_type][:, of_type]
    return W


def orthogonal(shape_or_n: int | tuple[int, int], gain: float = 1.0, rng: RNG = None) -> np.ndarray:
    """An orthogonal matrix, uniform over the orthogonal group (Haar measure), times `gain`.

    Parameters
    ----------
    shape_or_n : int or (int, int)
        ``n`` for a square matrix. A rectangular one has orthonormal columns if it is tall, rows if
        it is wide.
    gain : float, default 1.0
        All singular values.
    rng : int, SeedSequence, Generator or None
        Randomness.

    Returns
    -------
    ndarray, (n_post, n_pre)

    Notes
    -----
    The orthogonal factor of a Gaussian matrix. LAPACK leaves the signs of R's diagonal as they
    fall; made positive, they make the factorisation unique and so Q uniform. Source: Mezzadri
    (2007) [mezzadri2007]_.
    """
    n_post, n_pre = checked_shape(shape_or_n)
    gain = checked_number(gain, "gain")
    A = as_generator(rng).standard_normal((max(n_post, n_pre), min(n_post, n_pre)))
    Q, R = np.linalg.qr(A)
    Q *= gain * np.where(np.diag(R) < 0, -1.0, 1.0)
    return Q if n_post >= n_pre else np.ascontiguousarray(Q.T)


def _vectors(
    n: int,
    overlaps: ArrayLike | None,
    rank: int | None,
    sigma_m: float,
    sigma_n: float | None,
    exact: bool,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """``m`` and ``n`` of `low_rank`, each (n, rank)."""
    sigma_m = checked_number(sigma_m, "sigma_m", minimum=0.0)
    if overlaps is None:
        rank = checked_count(1 if rank is None else rank, "rank")
        overlaps = np.zeros((rank, rank))
    else:
        overlaps = real_numbers(overlaps, "overlaps", "[r of n, s of m]")
        overlaps = np.diag(np.atleast_1d(overlaps)) if overlaps.ndim < 2 else overlaps
        if rank not in (None, len(overlaps)) or overlaps.shape != (len(overlaps),) * 2:
            raise ValueError(
                f"`overlaps` must have shape (rank, rank); got {overlaps.shape} with rank={rank}"
            )
    rank = len(overlaps)
    if sigma_m == 0 and overlaps.any():
        raise ValueError("`sigma_m` = 0 leaves no overlap between m and n; got overlaps above zero")
    # n = m O^T / sigma_m^2 + an independent part, of the covariance that is left
    slope = overlaps / sigma_m**2 if sigma_m else overlaps
    root = np.eye(rank)
    if sigma_n is not None:
        sigma_n = checked_number(sigma_n, "sigma_n", minimum=0.0)
        left, vectors = np.linalg.eigh(sigma_n**2 * np.eye(rank) - slope @ overlaps.T)
        if left.min() < -1e-12 * sigma_n**2:
            least = np.linalg.norm(overlaps, 2) / sigma_m
            raise ValueError(
                f"`sigma_n` must be at least {least:g} for these overlaps; got {sigma_n}"
            )
        root = vectors * np.sqrt(np.maximum(left, 0.0))
    z = generator.standard_normal((n, 2 * rank))
    if exact:
        if n < 2 * rank:
            raise ValueError(f"`exact` needs n >= 2 * rank = {2 * rank} units; got {n}")
        moments, axes = np.linalg.eigh(z.T @ z / n)
        z = z @ (axes / np.sqrt(moments)) @ axes.T  # the nearest vectors with exact moments
    m = sigma_m * z[:, :rank]
    return m, m @ slope.T + z[:, rank:] @ root.T


def _spread(
    generator: np.random.Generator,
    shape: tuple[int, int],
    mean: float,
    sd: float,
    distribution: str,
    label: str,
) -> np.ndarray:
    """Values of given mean and spread; gamma ones have the sign of the mean."""
    if distribution == "gaussian":
        return mean + sd * generator.standard_normal(shape)
    if sd == 0:
        return np.full(shape, mean)
    if mean == 0:
        raise ValueError(
            f"`mean_{label}` = 0 with `sd_{label}` = {sd:g} cannot keep one sign; "
            'give a mean, or `distribution="gaussian"`'
        )
    return generator.gamma((mean / sd) ** 2, sd**2 / abs(mean), shape) * np.sign(mean)
