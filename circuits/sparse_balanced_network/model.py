"""The network and its mean-field theory. Symbols are the paper's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neurodyn.analyses.theory.siegert import siegert_cv, siegert_rate

if TYPE_CHECKING:
    import neurodyn as nd

#: Neurons: s and V.
tau, tau_rp, theta, V_r = 20e-3, 2e-3, 20e-3, 10e-3
#: Synapses: V and s. Inhibitory ones have the strength -g J.
J, D = 0.1e-3, 1.5e-3
#: Inhibitory over excitatory neurons; fraction of either that a neuron receives synapses from.
gamma, epsilon = 0.25, 0.1
#: Time step, s.
DT = 0.1e-3


class Wiring(NamedTuple):
    """Who receives from whom, for states that differ in strengths only."""

    E_to_E: nd.weights.Sparse   # all of strength J
    E_to_I: nd.weights.Sparse
    I_to_E: nd.weights.Sparse
    I_to_I: nd.weights.Sparse

    @property
    def C_E(self) -> int:
        """Excitatory synapses of a neuron, and as many from outside."""
        return int(self.E_to_E.indptr[1])


def wiring(N_E: int = 10_000, rng: int | np.random.SeedSequence = 0) -> Wiring:
    """Every neuron receives from C_E excitatory and C_I inhibitory ones, chosen at random.

    Parameters
    ----------
    N_E : int
        Excitatory neurons; there are N_E / 4 inhibitory ones. A neuron receives from a tenth of
        either.
    rng : int or SeedSequence

    Returns
    -------
    Wiring
    """
    import neurodyn as nd

    if N_E < 40 or N_E % 40:
        raise ValueError(
            f"`N_E` must be a multiple of 40, so that a tenth of N_E / 4 is whole; got {N_E}"
        )
    generator = np.random.default_rng(rng)
    N = {"E": N_E, "I": round(gamma * N_E)}
    return Wiring(*(
        nd.weights.sparse_random((N[post], N[pre]), in_degree=round(epsilon * N[pre]), weight=J,
                                 rng=generator)
        for pre in "EI" for post in "EI"
    ))


def network(g: float = 5.0, nu_ext_over_nu_thr: float = 2.0, *,
            wires: Wiring | None = None) -> nd.Network:
    """Model A: excitatory and inhibitory neurons that are alike.

    Parameters
    ----------
    g : float
        Strength of inhibitory over excitatory synapses. Excitation and inhibition balance at 4.
    nu_ext_over_nu_thr : float
        Rate of an external synapse over ``nu_thr = theta/(J C_E tau)``, at which the external
        synapses alone bring the mean potential to threshold.
    wires : Wiring, optional
        Default ``wiring()``, the paper's size.

    Returns
    -------
    Network
        Populations `E` and `I`.
    """
    import neurodyn as nd

    if not g >= 0 or not nu_ext_over_nu_thr >= 0:
        raise ValueError(
            "`g` and `nu_ext_over_nu_thr` must be 0 or more (inhibition is -g J); "
            f"got {g} and {nu_ext_over_nu_thr}"
        )
    wires = wires or wiring()

    def neurons(N: int) -> nd.Population:
        return nd.Population(
            N, "dV/dt = -V/tau : volt (unless refractory)",
            threshold="V > theta", reset="V = V_r", refractory=tau_rp,
            tau=tau, theta=theta * nd.volt, V_r=V_r * nd.volt,
            V=lambda rng, size: theta * rng.random(size))

    rate = nu_ext_over_nu_thr * nu_thr(wires.C_E) * wires.C_E
    return nd.Network(
        {"E": neurons(wires.E_to_E.n_post), "I": neurons(wires.I_to_I.n_post)},
        [nd.Coupling("E.spike", "E.V", wires.E_to_E, delay=D),
         nd.Coupling("E.spike", "I.V", wires.E_to_I, delay=D),
         nd.Coupling("I.spike", "E.V", -g * wires.I_to_E, delay=D),
         nd.Coupling("I.spike", "I.V", -g * wires.I_to_I, delay=D),
         nd.PoissonInput("E.V", rate=rate, weight=J),
         nd.PoissonInput("I.V", rate=rate, weight=J)])


# ------------------------------------------------------------------------------ mean field


def nu_thr(C_E: int) -> float:
    """Rate of the external synapses at which their mean brings a neuron to threshold, Hz."""
    return theta / (J * C_E * tau)


class MeanField(NamedTuple):
    """A stationary state of the mean-field theory."""

    rate: float     # Hz
    cv: float       # of the inter-spike intervals
    mu: float       # V, mean of the input
    sigma: float    # V, its noise; the free potential has the standard deviation sigma/sqrt(2)


def stationary_states(g: float, nu_ext_over_nu_thr: float, C_E: int = 1000) -> list[MeanField]:
    """All stationary states, by rate: each neuron fires at the rate that it is driven with.

    Input from C_E (1 + gamma) neurons of the rate nu, and from outside, is taken for Gaussian
    white noise:

        mu      = C_E J tau (nu_ext + nu (1 - g gamma))
        sigma^2 = C_E J^2 tau (nu_ext + nu (1 + g^2 gamma))
        nu      = siegert_rate(mu, sigma)

    A neuron's inputs are not quite that: they are as regular as the neurons are, and two neurons
    share a tenth of them.
    """
    from scipy.optimize import brentq

    nu_ext = nu_ext_over_nu_thr * nu_thr(C_E)

    def drive(nu: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mu = C_E * J * tau * (nu_ext + nu * (1 - g * gamma))
        return mu, np.sqrt(C_E * J**2 * tau * (nu_ext + nu * (1 + g**2 * gamma)))

    def excess(nu: float | np.ndarray) -> float | np.ndarray:
        return siegert_rate(*drive(nu), tau, theta, V_r, tau_rp) - nu

    grid = np.concatenate([[0], np.geomspace(1e-9, 1 / tau_rp, 2000)])
    sign = np.sign(excess(grid))
    crossing = np.flatnonzero(sign[:-1] * sign[1:] < 0)
    rates = [brentq(excess, grid[k], grid[k + 1], xtol=1e-12) for k in crossing]
    return [MeanField(nu, float(siegert_cv(*drive(nu), tau, theta, V_r, tau_rp)),
                      *map(float, drive(nu))) for nu in rates]
