"""Initial recurrent weights of a structure, all of the same Frobenius norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count, real_numbers

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

__all__ = ["STRUCTURES", "of_rank", "structured"]

#: Structures of circuits, the first of them the control.
STRUCTURES = ("Gaussian", "Dale's law", "cell types", "chain motifs")

#: Share of excitatory units, and correlation of in- and out-strengths behind the chain motifs.
EXCITATORY, CHAINS = 0.8, 0.1
#: Standard deviations over pairs of cell types: of the blocks' means, times the root of the number
#: of units, and of the logarithm of the blocks' spreads.
BLOCK_MEANS, BLOCK_SPREADS = 0.3, 0.5
N_TYPES = 4


def of_rank(W: Any, rank: int) -> np.ndarray:
    """The best approximation of a matrix of this rank, scaled to the norm of the matrix.

    Without the scale a lower rank would also have smaller weights.

    Parameters
    ----------
    W : array_like, (n_post, n_pre)
    rank : int
        1 to the smaller side of `W`.

    Returns
    -------
    ndarray, (n_post, n_pre)
    """
    W = real_numbers(W, "W", "(post, pre)").astype(float)
    rank = checked_count(rank, "rank")
    if rank > min(W.shape):
        raise ValueError(f"`rank` must be at most {min(W.shape)}, that of the weights; got {rank}")
    left, s, right = np.linalg.svd(W, full_matrices=False)
    cut = (left[:, :rank] * s[:rank]) @ right[:rank]
    return cut * (np.linalg.norm(W) / np.linalg.norm(cut))


def structured(name: str, units: int, gain: float = 1.25, rng: RNG = None) -> np.ndarray:
    """Weights of a structure found in circuits, of the norm of Gaussian ones with this gain.

    The paper does not say the parameters of its matrices in what we could read. Ours:

    * *Gaussian*, the control, independent weights;
    * *Dale's law*: the first 80 % of units are excitatory, weights are the magnitudes of Gaussian
      numbers, and inhibitory ones four times as large, so that excitation and inhibition balance;
    * *cell types*: four of equal number, each pair with a mean and a spread of its own
      (`neurodyn.weights.block`);
    * *chain motifs*: units differ in the strength of their inputs and of their outputs, which are
      correlated by 0.1: ``Gaussian + u v^T``.

    Parameters
    ----------
    name : str
        One of `STRUCTURES`.
    units : int
        A multiple of 20, so that the types have whole numbers of units.
    gain : float
        Of the control.
    rng : int, SeedSequence, Generator or None

    Returns
    -------
    ndarray, (units, units)
        Of Frobenius norm ``gain sqrt(units)``.
    """
    import neurodyn as nd

    n, rng = checked_count(units, "units"), as_generator(rng)
    if n % 20:
        raise ValueError(f"`units` must be a multiple of 20; got {n}")
    if name == "Gaussian":
        W = rng.standard_normal((n, n))
    elif name == "Dale's law":
        excitatory = np.arange(n) < EXCITATORY * n
        W = np.abs(rng.standard_normal((n, n)))
        W *= np.where(excitatory, 1.0, -EXCITATORY / (1 - EXCITATORY))
    elif name == "cell types":
        means, spreads = rng.standard_normal((2, N_TYPES, N_TYPES))
        W = nd.weights.block(
            [n // N_TYPES] * N_TYPES,
            np.exp(BLOCK_SPREADS * spreads),
            BLOCK_MEANS * means / np.sqrt(n),
            rng=rng,
        )
    elif name == "chain motifs":
        strength_in, other = rng.standard_normal((2, n))
        strength_out = CHAINS * strength_in + np.sqrt(1 - CHAINS**2) * other
        W = rng.standard_normal((n, n)) + np.outer(strength_in, strength_out)
    else:
        raise ValueError(f"`structure` must be one of {', '.join(STRUCTURES)}; got {name!r}")
    return W * (gain * np.sqrt(n) / np.linalg.norm(W))
