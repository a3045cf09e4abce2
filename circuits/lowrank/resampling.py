"""The vectors of a trained network as draws from Gaussian populations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import model

if TYPE_CHECKING:
    import neurodyn as nd
    from neurodyn.analyses import LowRankEnsemble

__all__ = ["populations_of", "resampled", "rows_of", "vectors_by_population"]


def rows_of(net: nd.Network) -> np.ndarray:
    """What there is to know of each unit (unit, 2 R + 2 bits): its m, n, input and readout.

    n and the readout are in units of 1/N. A unit with all entries negated does the same, as phi is
    odd; units are turned so that their rows have a positive product with the first principal axis.
    """
    W = model.low_rank_part(net)
    W_in = net.value("pulses.v->E.I_in").to_dense()
    W_out = net.value("E.r->out.I").to_dense()
    rows = np.concatenate([W.m, W.n * len(W.m), W_in, W_out.T * len(W.m)], axis=1)
    scaled = rows / rows.std(axis=0)
    side = np.sign(scaled @ np.linalg.svd(scaled, full_matrices=False)[2][0])
    return rows * np.where(side == 0, 1, side)[:, None]


def populations_of(rows: np.ndarray, count: int, seed: np.random.SeedSequence) -> np.ndarray:
    """Population (unit,) of each row by a mixture of so many Gaussians; numbers from 0.

    One population is no mixture: all rows, on either side, as `vectors_by_population` takes them.
    """
    from sklearn.mixture import GaussianMixture

    from neurodyn._blas import one_blas_thread

    if count == 1:
        return np.zeros(len(rows), int)
    mixture = GaussianMixture(count, n_init=3, reg_covar=1e-2,
                              random_state=np.random.RandomState(seed.generate_state(1)[0]))
    with one_blas_thread():
        label = mixture.fit_predict(rows / rows.std(axis=0))
    return np.unique(label, return_inverse=True)[1]


def vectors_by_population(rows: np.ndarray, label: np.ndarray, rank: int) -> LowRankEnsemble:
    """Means and covariances of m and n in each population, for the mean field.

    One population has the mean 0, of units on either side.
    """
    from neurodyn import analyses

    if label.max() == 0:
        rows, label = np.concatenate([rows, -rows]), np.zeros(2 * len(rows), int)
    return analyses.empirical_ensemble((rows[:, :rank], rows[:, rank:2 * rank]),
                                       populations=label)


def resampled(rows: np.ndarray, label: np.ndarray, rank: int, n_units: int,
              rng: np.random.Generator) -> nd.Network:
    """A memory network of new units, drawn from the Gaussians of the populations.

    Raises
    ------
    ValueError
        If a population has a single unit, and so no covariance.
    """
    import neurodyn as nd

    counts = np.bincount(label)
    if counts.min() < 2:
        raise ValueError(f"every population needs 2 units; `label` has {counts.tolist()}")
    drawn = []
    for p, number in enumerate(rng.multinomial(n_units, counts / counts.sum())):
        own = rows[label == p]
        own = np.concatenate([own, -own]) if len(counts) == 1 else own
        drawn.append(rng.multivariate_normal(own.mean(axis=0), np.cov(own.T, bias=True), number,
                                             check_valid="ignore"))
    new = np.concatenate(drawn)
    bits = (rows.shape[1] - 2 * rank) // 2
    m, n, inputs, readout = np.split(new, [rank, 2 * rank, 2 * rank + bits], axis=1)
    return model.memory_of(nd.weights.LowRank(m, n / n_units), inputs, readout.T / n_units)
