"""Low-rank networks with a random part, and the network that is trained.

    dx/dt = -x + (1/N) sum_r m^r (n^r . phi(x)) + g chi phi(x) + I,        phi = tanh

Letters are those of Mastrogiuseppe and Ostojic. Time is in units of the time constant of the units,
except for the trained network, whose task has seconds. The factor 1/N is a convention: theirs, and
that of `neurodyn.analyses.gaussian_ensemble`; the code published with Dubreuil et al. has no such
factor, others have 1/sqrt(N). ``nd.weights.LowRank(m, n)`` has none, so that its n is n/N.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    import neurodyn as nd

__all__ = ["RECURRENT", "memory_network", "network", "orthogonal_form", "overlap_of",
           "reduced_network"]

#: The recurrent coupling of all networks here.
RECURRENT = "E.r->E.I_rec"
#: Units above which a full random part, of N^2 numbers, is refused.
MAX_FULL = 6000
#: Time constant of the trained network, s.
TAU = 0.1


def network(
    n_units: int = 1000,
    overlaps: ArrayLike = 2.0,
    g: float = 0.0,
    *,
    in_degree: int | None = None,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> nd.Network:
    """A network with Gaussian vectors of given overlaps, and a random part.

    Parameters
    ----------
    n_units : int
        N.
    overlaps : float, (R,) or (R, R)
        ``<n^r m^s>``; a number for rank one, a vector for a diagonal matrix. The entries of m have
        unit variance, and those of n an independent part of unit variance.
    g : float
        Gain of the random part: its weights have the variance ``g**2/N``.
    in_degree : int, optional
        Make the random part sparse: every unit hears so many others, K, by Gaussian weights of
        variance ``g**2/K``. The mean-field theory for N to infinity needs of the random part only
        that its input to a unit is Gaussian with the variance ``g**2 <phi^2>``; with K connections
        that holds to order 1/K, and N K numbers are kept instead of N^2. Default: the published
        full matrix.
    rng : int, SeedSequence, Generator or None
        Of vectors and random part.

    Returns
    -------
    Network
        Of `neurodyn.rate_network`, with the time constant 1.

    Raises
    ------
    ValueError
        For a rank above `n_units`, a negative `g`, and a full random part of more than 6000 units.
    """
    import neurodyn as nd
    from neurodyn._arrays import as_generator, checked_count, checked_number

    n_units, g = checked_count(n_units, "n_units"), checked_number(g, "g", 0.0)
    matrix = np.asarray(overlaps, float)
    rank = matrix.shape[0] if matrix.ndim else 1
    if rank > n_units:
        raise ValueError(f"`overlaps` has rank {rank}, above the number of units, {n_units}")
    if g == 0 and in_degree is not None:
        raise ValueError(f"`in_degree` is {in_degree}, but without `g` there is no random part")
    streams = as_generator(rng).spawn(2)
    weights: Any = nd.weights.low_rank(n_units, overlaps, rng=streams[0])
    if g and in_degree is not None:
        weights = weights + nd.weights.sparse_random(
            n_units, in_degree=in_degree, gain=g, rng=streams[1]
        )
    elif g:
        if n_units > MAX_FULL:
            raise ValueError(
                f"`n_units` = {n_units} with a full random part are {n_units**2 * 8e-9:.1f} GB of "
                "weights; give `in_degree` for a sparse one, such as 200"
            )
        weights = weights + nd.weights.as_weights(nd.weights.gaussian(n_units, g, streams[1]))
    return nd.rate_network(weights, tau=1.0)


def low_rank_part(net: nd.Network) -> nd.weights.LowRank:
    """The low-rank part of the recurrent weights."""
    weights = net.value(RECURRENT)
    return weights if weights.kind == "low_rank" else weights.terms[0]


def overlap_of(net: nd.Network, x: np.ndarray) -> np.ndarray:
    """``kappa_r = n^r . phi(x)/N`` of states (..., unit): shape (..., R)."""
    return np.tanh(x) @ low_rank_part(net).n


# ------------------------------------------------------------------------ the trained network

def memory_network(
    n_units: int = 128,
    *,
    bits: int = 2,
    rank: int | None = None,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> nd.Network:
    """A network of given rank for the n-bit flip-flop, before training.

    Parameters
    ----------
    n_units : int
    bits : int
        Channels of the task.
    rank : int, optional
        Default `bits`.
    rng : int, SeedSequence, Generator or None
        Of the initial weights: vectors m, n with independent entries of variance 1/N (as factors
        without a further 1/N), inputs of variance 1, a readout of standard deviation 1/N.

    Returns
    -------
    Network
        Input ``pulses.u``, output ``out.y``.

    Raises
    ------
    ValueError
        For a rank above the number of units.
    """
    import neurodyn as nd
    from neurodyn._arrays import as_generator, checked_count

    n_units, bits = checked_count(n_units, "n_units"), checked_count(bits, "bits")
    rank = bits if rank is None else checked_count(rank, "rank")
    if rank > n_units:
        raise ValueError(f"`rank` = {rank} is above the number of units, {n_units}")
    generator = as_generator(rng)
    m, n = generator.standard_normal((2, n_units, rank)) / np.sqrt(n_units)
    return memory_of(
        nd.weights.LowRank(m, n), generator.standard_normal((n_units, bits)),
        generator.standard_normal((bits, n_units)) / n_units,
    )


def memory_of(recurrent: Any, inputs: np.ndarray, readout: np.ndarray) -> nd.Network:
    import neurodyn as nd

    bits = len(readout)
    units = nd.Population(
        len(inputs), """
        dx/dt = (-x + I_rec + I_in)/tau : 1
        r = tanh(x) : 1
        """, tau=TAU)
    return nd.Network(
        {"pulses": nd.Population(bits, "v = u : 1"), "E": units,
         "out": nd.Population(bits, "y = I : 1")},
        [nd.Coupling("E.r", "E.I_rec", recurrent), nd.Coupling("pulses.v", "E.I_in", inputs),
         nd.Coupling("E.r", "out.I", readout)])


def orthogonal_form(net: nd.Network) -> nd.Network:
    """The same network with m orthogonal and of unit variance.

    ``m n^T = (m A)(n A^-T)^T`` for every invertible A, so that overlaps have no meaning before m is
    fixed. The singular value decomposition ``W = U S V^T`` does it: ``m = sqrt(N) U``.
    """
    import neurodyn as nd

    old = low_rank_part(net)
    Q, R = np.linalg.qr(old.m)
    U, s, Vt = np.linalg.svd(R @ old.n.T, full_matrices=False)
    scale = np.sqrt(len(old.m))
    new = nd.weights.LowRank(scale * Q @ U, Vt.T * (s / scale))
    return net.with_values(**{RECURRENT: new})


def reduced_network(net: nd.Network) -> nd.Network:
    """The latent dynamical system of a memory network: exactly the same outputs in R + bits states.

    From 0 the state stays in the space of m and of the input weights, ``x = m kappa + W_in v``, so

        tau dkappa/dt = -kappa + n . phi(m kappa + W_in v)/N,      tau dv/dt = -v + u,

    and the outputs are ``W_out phi(m kappa + W_in v)``. As a network it has algebraic units
    ``r = phi(z)`` that are no states.
    """
    import neurodyn as nd

    W = low_rank_part(net)
    W_in = net.value("pulses.v->E.I_in").to_dense()
    W_out = net.value("E.r->out.I").to_dense()
    bits = len(W_out)
    return nd.Network(
        {"latent": nd.Population(W.rank, "dkappa/dt = (-kappa + I)/tau : 1", tau=TAU),
         "filtered": nd.Population(bits, "dv/dt = (-v + u)/tau : 1", tau=TAU),
         "units": nd.Population(len(W.m), "r = tanh(z_latent + z_in) : 1"),
         "out": nd.Population(bits, "y = I : 1")},
        [nd.Coupling("latent.kappa", "units.z_latent", W.m),
         nd.Coupling("filtered.v", "units.z_in", W_in),
         nd.Coupling("units.r", "latent.I", W.n.T),
         nd.Coupling("units.r", "out.I", W_out)])
