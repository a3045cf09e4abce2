"""The network: eight populations of identical neurons, and the numbers that make them differ.

The table of the paper is ``data/potjans_diesmann_2014.csv``. Names and letters are the paper's: N
neurons, K synapses, C connection probabilities, w weights, d delays, g the relative strength of
inhibition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import neurodyn as nd
    from neurodyn.delays import SynapseDelays

__all__ = ["CONSTANTS", "POPULATIONS", "Published", "Scaled", "Table", "network", "psc_of_psp",
           "published", "scaled", "synapse_numbers", "table"]

POPULATIONS = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")

#: Of every neuron and synapse (paper, Table 5), SI; delays as in NEST's example.
CONSTANTS = {
    "tau_m": 10e-3, "tau_syn": 0.5e-3, "C_m": 250e-12, "E_L": -65e-3, "V_th": -50e-3,
    "V_reset": -65e-3, "tau_ref": 2e-3,
    "psp": 0.15e-3, "w_rel_sd": 0.1, "g": -4.0, "nu_bg": 8.0,
    "d_e": 1.5e-3, "d_i": 0.75e-3, "d_rel_sd": 0.5,
}  # fmt: skip


class Table(NamedTuple):
    """The columns of ``potjans_diesmann_2014.csv``, rows are populations."""

    N: np.ndarray           # (8,) neurons
    K_bg: np.ndarray        # (8,) background synapses of a neuron
    C: np.ndarray           # (8, 8) connection probability, [post, pre]
    rate: np.ndarray        # (8,) mean rate of the full network, Hz
    v0_mean: np.ndarray     # (8,) first membrane potential, V
    v0_sd: np.ndarray       # (8,)


def table() -> Table:
    """The published table."""
    from neurodyn.data import load_table

    rows = {row["population"]: row for row in load_table("potjans_diesmann_2014")}

    def column(name: str) -> np.ndarray:
        return np.array([rows[p][name] for p in POPULATIONS])

    return Table(
        N=column("size").astype(int), K_bg=column("external_in_degree").astype(int),
        C=np.stack([column(f"from_{pre}") for pre in POPULATIONS], axis=1),
        rate=column("rate_hz"), v0_mean=1e-3 * column("v0_mean_mv"),
        v0_sd=1e-3 * column("v0_sd_mv"),
    )  # fmt: skip


class Published(NamedTuple):
    """What one source found: `numbers` (8,) of the populations, NaN where it gives none."""

    source: str
    numbers: np.ndarray


def published(scale: float, background: str, quantity: str) -> list[Published]:
    """Rows of ``potjans_diesmann_2014_activity.csv`` for one network, whole ones first."""
    from neurodyn.data import load_table

    found = [
        Published(row["source"], np.array([row[p] for p in POPULATIONS]))
        for row in load_table("potjans_diesmann_2014_activity")
        if (row["scale"], row["background"], row["quantity"]) == (scale, background, quantity)
    ]
    return sorted(found, key=lambda p: np.isnan(p.numbers).any())


def synapse_numbers(C: np.ndarray, N: np.ndarray) -> np.ndarray:
    """Synapses (8, 8) of each projection, not rounded: paper, eq. 1.

    K synapses with independent ends leave a pair unconnected with probability
    ``1 - C = (1 - 1/(N_pre N_post))^K``.
    """
    pairs = np.outer(N, N).astype(float)
    return np.log1p(-C) / np.log1p(-1 / pairs)


def psc_of_psp() -> float:
    """Current (A) of a synapse, over the peak (V) of the potential that it evokes: 87.8 pA/0.15 mV.

    A current ``w exp(-t/tau_syn)`` evokes
    ``w/C_m tau_m tau_syn/(tau_m - tau_syn) (exp(-t/tau_m) - exp(-t/tau_syn))``.
    """
    m, s = CONSTANTS["tau_m"], CONSTANTS["tau_syn"]
    peak = math.log(m / s) * m * s / (m - s)
    return CONSTANTS["C_m"] * (m - s) / (m * s) / (math.exp(-peak / m) - math.exp(-peak / s))


@dataclass(frozen=True)
class Scaled:
    """The numbers of the network at one scale; arrays over populations, matrices ``[post, pre]``.

    Attributes
    ----------
    N : ndarray of int (8,)
        Neurons.
    K : ndarray of int (8, 8)
        Synapses of each projection.
    w : ndarray (8, 8)
        Mean weight, A.
    K_bg : ndarray of int (8,)
        Background synapses of a neuron, each a Poisson process of `nu_bg`; 0 with constant input.
    w_bg : float
        Weight of the background, A.
    I_e : ndarray (8,)
        Constant current, A.
    """

    N: np.ndarray
    K: np.ndarray
    w: np.ndarray
    K_bg: np.ndarray
    w_bg: float
    I_e: np.ndarray


def scaled(scale: float = 1.0, background: Literal["poisson", "dc"] = "poisson") -> Scaled:
    """Numbers of neurons and in-degrees times `scale`, with unchanged mean and variance of inputs.

    Weights grow with ``1/sqrt(scale)``, which keeps the variance ``~ K w^2 nu`` of the input, and
    a constant current replaces the part ``1 - sqrt(scale)`` of its mean ``tau_syn K w nu`` that is
    then missing (van Albada, Helias & Diesmann, PLoS Comput. Biol. 11:e1004490, 2015; NEST's
    example does the same). Rates nu are those of the full network, from the table. Correlations
    cannot be kept: they grow as networks shrink.

    With ``background="dc"`` the Poisson processes are replaced by their mean. A network then needs
    about 0.2 of the full size: below that, the constant current of most populations stays below
    threshold, and with a tenth only L6I fires, here as in NEST.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"`scale` must be above 0 and at most 1; got {scale}")
    if background not in ("poisson", "dc"):
        raise ValueError(f'`background` must be "poisson" or "dc"; got {background!r}')
    t = table()
    K = synapse_numbers(t.C, t.N)
    psc = CONSTANTS["psp"] * psc_of_psp()
    w = np.where([p.endswith("I") for p in POPULATIONS], CONSTANTS["g"] * psc, psc)
    w = np.tile(w, (len(POPULATIONS), 1))
    w[POPULATIONS.index("L23E"), POPULATIONS.index("L4E")] *= 2
    lost = (1 - math.sqrt(scale)) * CONSTANTS["tau_syn"]
    I_bg = CONSTANTS["tau_syn"] * psc * t.K_bg * CONSTANTS["nu_bg"]
    I_e = lost * np.sum(w * K / t.N[:, None] * t.rate, axis=1)
    I_e += I_bg if background == "dc" else (1 - math.sqrt(scale)) * I_bg
    N = np.rint(t.N * scale).astype(int)
    if N.min() < 1:
        raise ValueError(f"`scale` = {scale} leaves {POPULATIONS[N.argmin()]} without a neuron")
    return Scaled(
        N=N, K=np.rint(K * scale**2).astype(int), w=w / math.sqrt(scale),
        K_bg=np.rint(t.K_bg * scale).astype(int) * (background == "poisson"),
        w_bg=psc / math.sqrt(scale), I_e=I_e,
    )  # fmt: skip


def network(
    scale: float = 1.0,
    *,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
    background: Literal["poisson", "dc"] = "poisson",
    initial: Literal["optimised", "original"] = "optimised",
    dt: float = 0.1e-3,
) -> nd.Network:
    """The microcircuit.

    Parameters
    ----------
    scale : float
        Of the numbers of neurons and of the synapses of each, see `scaled`. At 1 there are 77,169
        neurons and 299 million synapses, which take 3 GB, and 5 GB in a run.
    rng : int, SeedSequence, Generator or None
        Of the synapses: who is joined, weights and delays. Each projection has its own stream.
    background : {"poisson", "dc"}
        Independent Poisson spikes for each neuron, or a constant current of the same mean.
    initial : {"optimised", "original"}
        First membrane potentials: normal with mean and standard deviation of each population near
        its stationary state, which shortens the transient (NEST's example after Rhodes et al.
        2020), or N(-58 mV, 10 mV) for all, with which the network begins with a burst.
    dt : float, s
        Delays are multiples of it; simulate with the same.

    Returns
    -------
    Network
        Populations `L23E` to `L6I`.
    """
    import neurodyn as nd
    from neurodyn._arrays import as_generator

    numbers, t = scaled(scale, background), table()
    if initial not in ("optimised", "original"):
        raise ValueError(f'`initial` must be "optimised" or "original"; got {initial!r}')
    v0 = {p: (t.v0_mean[k], t.v0_sd[k]) if initial == "optimised" else (-58e-3, 10e-3)
          for k, p in enumerate(POPULATIONS)}  # fmt: skip
    populations = {
        name: neurons(int(numbers.N[k]), float(numbers.I_e[k]), *v0[name])
        for k, name in enumerate(POPULATIONS)
    }
    streams = iter(as_generator(rng).spawn(len(POPULATIONS) ** 2))
    couplings: list[Any] = []
    for i, post in enumerate(POPULATIONS):
        for j, pre in enumerate(POPULATIONS):
            stream = next(streams)
            if numbers.K[i, j]:
                weights, delay = projection(numbers, i, j, dt, stream)
                couplings.append(
                    nd.Coupling(f"{pre}.spike", f"{post}.I_syn", weights, delay=delay)
                )
        if background == "poisson":
            rate = CONSTANTS["nu_bg"] * int(numbers.K_bg[i])
            couplings.append(nd.PoissonInput(f"{post}.I_syn", rate=rate, weight=numbers.w_bg))
    return nd.Network(populations, couplings)


def neurons(size: int, I_e: float, v0_mean: float, v0_sd: float) -> nd.Population:
    """Leaky integrate-and-fire neurons with exponential synaptic currents."""
    import neurodyn as nd

    c = CONSTANTS
    return nd.Population(
        size,
        """
        dv/dt = (E_L - v)/tau_m + (I_syn + I_e)/C_m : volt (unless refractory)
        dI_syn/dt = -I_syn/tau_syn : amp
        """,
        threshold="v > V_th", reset="v = V_reset", refractory=c["tau_ref"],
        tau_m=c["tau_m"], tau_syn=c["tau_syn"], C_m=c["C_m"] * nd.farad, E_L=c["E_L"],
        V_th=c["V_th"], V_reset=c["V_reset"], I_e=I_e * nd.amp,
        v=lambda rng, n: rng.normal(v0_mean, v0_sd, n),
    )  # fmt: skip


def projection(
    numbers: Scaled, i: int, j: int, dt: float, rng: np.random.Generator
) -> tuple[nd.weights.Sparse, SynapseDelays]:
    """Weights and delays of the synapses onto population `i` from `j`.

    Both are normal; weights of the other sign and delays that would round to less than `dt` are
    drawn again, as NEST's example does.
    """
    import neurodyn as nd
    from neurodyn.delays import SynapseDelays

    mean, relative_sd = float(numbers.w[i, j]), CONSTANTS["w_rel_sd"]
    weights = nd.weights.sparse_random(
        (int(numbers.N[i]), int(numbers.N[j])), n_synapses=int(numbers.K[i, j]), rng=rng,
        weight=lambda rng, n: normal_above(rng, n, 1.0, relative_sd, 0.0, factor=mean),
    )  # fmt: skip
    d = CONSTANTS["d_e" if POPULATIONS[j].endswith("E") else "d_i"] / dt
    steps = normal_above(rng, weights.nnz, d, d * CONSTANTS["d_rel_sd"], 0.5, rounded=True)
    return weights, SynapseDelays.of_steps(steps, dt)


def normal_above(
    rng: np.random.Generator, n: int, mean: float, sd: float, low: float, *,
    factor: float = 1.0, rounded: bool = False,
) -> np.ndarray:  # fmt: skip
    """`n` normal numbers, those of `low` or less drawn again; times `factor`, or rounded.

    float32, or uint16 where `rounded`. A block at a time, which stays in the cache.
    """
    found = np.empty(n, np.uint16 if rounded else np.float32)
    block = np.empty(min(n, 1 << 16), np.float32)
    for k in range(0, n, block.size or 1):
        some = block[: n - k]
        rng.standard_normal(out=some, dtype=np.float32)
        some *= sd
        some += mean
        while (again := np.flatnonzero(some <= low)).size:
            some[again] = mean + sd * rng.standard_normal(again.size, dtype=np.float32)
        if rounded:
            found[k : k + some.size] = np.rint(some, out=some)
        else:
            np.multiply(some, np.float32(factor), out=found[k : k + some.size])
    return found
