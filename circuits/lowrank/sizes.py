"""Many units: networks of up to 10,000 of which no matrix of n x n numbers is ever formed."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import model
from .gaussian import positive_fixed_point, settled

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["large_network"]

#: Overlap of m and n, gain of the random part, its connections per unit, units without one.
OVERLAP, GAIN, IN_DEGREE, SIZES = 2.0, 0.8, 200, (500, 2000, 8000)


def large_network(*, size: Literal["fast", "full"] = "fast", rng: int = 0, n_units: int = 10_000,
                  in_degree: int = IN_DEGREE, networks: int | None = None) -> xr.Dataset:
    """Large networks of rank one, and how their overlap scatters about the theory with their size.

    Parameters
    ----------
    size : {"fast", "full"}
        4 or 20 networks of `n_units`; 30 or 200 of each smaller size without a random part.
    rng : int
        Seed of all networks.
    n_units : int
        Units of the large networks, whose random part is sparse.
    in_degree : int
        Connections of a unit in it.
    networks : int, optional
        Large networks, instead of the number that goes with `size`; 2 at least.

    Returns
    -------
    xarray.Dataset
        kappa of each network, and in theory; the memory that was needed; the scatter of kappa by
        number of units, simulated and in theory.
    """
    import xarray as xr

    networks = (4 if size == "fast" else 20) if networks is None else networks
    if networks < 2:
        raise ValueError(f"`networks` must be 2 at least, for a standard error; got {networks}")
    if not 1 <= in_degree < n_units:
        raise ValueError(f"`in_degree` must be from 1 to {n_units - 1}; got {in_degree}")
    large, small = np.random.SeedSequence(rng).spawn(2)
    parts = _large(n_units, in_degree, networks, large)
    parts |= _scatter(30 if size == "fast" else 200, small)
    return xr.Dataset(parts, {"n_units": list(SIZES)},
                      {"large_n_units": n_units, "in_degree": in_degree})


def _large(n_units: int, in_degree: int, networks: int,
           seed: np.random.SeedSequence) -> dict[str, Any]:
    """kappa of networks with a sparse random part, and the most memory held while one is made.

    Memory is counted from before a network is drawn until it has settled. The first one is run
    before, so that what the compiler needs does not count.
    """
    theory = positive_fixed_point(OVERLAP, GAIN)
    kappa, variance, speed, peak = (np.empty(networks) for _ in range(4))
    for k, one in enumerate(seed.spawn(networks)):
        if k == 0:
            settled(model.network(n_units, OVERLAP, GAIN, in_degree=in_degree, rng=one), 1.0, 1.0)
        tracemalloc.start()
        try:
            net = model.network(n_units, OVERLAP, GAIN, in_degree=in_degree, rng=one)
            x = settled(net, 1.0)
            kappa[k], variance[k] = model.overlap_of(net, x)[0], x.var()
            speed[k] = np.abs(net.field(x)).max()
            peak[k] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    return {
        "kappa": labelled("network", kappa, "overlap kappa"),
        "variance": labelled("network", variance, "variance of x over units"),
        "speed": labelled("network", speed, "largest |dx/dt| at the end"),
        "peak_memory": labelled("network", peak, "most memory held", "byte"),
        "kappa_theory": labelled((), theory["kappa"], "overlap at the fixed point, theory"),
        "variance_theory": labelled((), theory["variance"], "variance of x, theory"),
    }


def _scatter(networks: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """kappa (n_units, draw) without a random part, and its standard deviation in theory."""
    kappa = np.empty((len(SIZES), networks))
    for (i, n_units), one in zip(enumerate(SIZES), seed.spawn(len(SIZES))):
        for k, draw in enumerate(one.spawn(networks)):
            net = model.network(n_units, OVERLAP, rng=draw)
            kappa[i, k] = model.overlap_of(net, settled(net, 1.0))[0]
    theory = positive_fixed_point(OVERLAP)
    return {
        "small_kappa": labelled(("n_units", "draw"), kappa, "overlap kappa"),
        "small_kappa_theory": labelled((), theory["kappa"], "overlap at the fixed point, theory"),
        "scatter_theory": labelled("n_units", scatter(OVERLAP) / np.sqrt(SIZES),
                                   "standard deviation of kappa over networks, theory"),
    }


def scatter(overlap: float) -> float:
    """sqrt(N) times the standard deviation of kappa over networks of rank one, for N to infinity.

    kappa solves ``kappa = G(kappa)`` with the mean G of ``n_i phi(m_i kappa)`` over N independent
    units. To first order its error is that of G, of variance ``Var(n phi)/N``, over ``1 - G'``.
    """
    theory = positive_fixed_point(overlap)
    kappa = theory["kappa"]
    z, weight = np.polynomial.hermite_e.hermegauss(120)
    weight = weight / weight.sum()
    squares = np.tanh(kappa * z) ** 2
    # n = overlap m + a part of unit variance, which is independent of m
    variance = weight @ (squares * (overlap**2 * z**2 + 1)) - kappa**2
    return float(np.sqrt(variance) / -theory["eigenvalue"])
