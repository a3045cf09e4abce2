"""The neuron with eight input channels, the network with memories, and the inhibitory rule.

Letters are the paper's; conductances are in siemens. The rule, for a synapse w from an inhibitory
to an excitatory neuron with the traces x of the one and y of the other, which every spike raises by
1 and which decay with tau_stdp:

    w += eta (y - 2 rho_0 tau_stdp)     when the inhibitory neuron spikes
    w += eta x                          when the excitatory neuron spikes

Near-coincident spikes strengthen the synapse in either order; without them every inhibitory spike
weakens it. The balance is where the excitatory neuron spikes at the rate rho_0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.circuits import _parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    import neurodyn as nd

__all__ = ["CHANNEL_SYNAPSES", "NETWORK_SYNAPSES", "Groups", "excitatory_tuning", "memory_network",
           "network", "parameters", "with_assemblies", "with_learning_rate"]

#: The plastic couplings of the two models.
CHANNEL_SYNAPSES = "inhibitory.spike->neuron.g_I"
NETWORK_SYNAPSES = "I.spike->E.g_I"


def parameters() -> Mapping[str, Any]:
    """The numbers of ``data/vogels_2011.csv``."""
    return _parameters.parameters("vogels_2011")


def _neurons(size: int, I_b: Any, **values: Any) -> nd.Population:
    """Conductance-based leaky integrate-and-fire neurons."""
    import neurodyn as nd

    p = parameters()
    return nd.Population(
        size, """
        I = g_leak*(V_rest - v) + g_E*(E_E - v) + g_I*(E_I - v) + I_b : amp
        dv/dt = I/C : volt (unless refractory)
        dg_E/dt = -g_E/tau_E : siemens
        dg_I/dt = -g_I/tau_I : siemens
        """, threshold="v > V_th", reset="v = V_rest", refractory=p["tau_ref"], I_b=I_b,
        **{n: p[n] for n in ("C", "g_leak", "V_rest", "V_th", "E_E", "E_I", "tau_E", "tau_I")},
        **values)


# ------------------------------------------------------------- one neuron, eight channels

def network(
    *,
    eta: float | None = None,
    rho_0: float | None = None,
    rng: int | np.random.SeedSequence | None = None,
) -> nd.Network:
    """A neuron that hears eight signals, each by 100 excitatory and 25 inhibitory inputs.

    A signal is white noise through a filter of 50 ms, rectified; its inputs spike by chance, at the
    background rate plus what the signal says. Excitatory synapses are tuned to the fifth signal,
    inhibitory ones begin equal and weak.

    Parameters
    ----------
    eta : float, optional
        Learning rate; weights are in units of 0.35 nS. Default the paper's, 0.001.
    rho_0 : float, Hz, optional
        Target rate. Default the authors' 6.25 Hz.
    rng : int, SeedSequence or None
        Of the scatter of the excitatory synapses.

    Returns
    -------
    Network
        Populations `signal`, `excitatory`, `inhibitory` and `neuron`.
    """
    import neurodyn as nd

    p = parameters()
    eta = p["eta"] if eta is None else _not_negative("eta", eta)
    rho_0 = p["rho_0_channel"] if rho_0 is None else _not_negative("rho_0", rho_0)
    rule = nd.plasticity.inhibitory_stdp(eta=eta * p["g_inh"], rho_0=rho_0,
                                         tau_stdp=p["tau_stdp"])
    n_signals, sizes = p["channels"], {"excitatory": p["n_exc_inputs"],
                                       "inhibitory": p["n_inh_inputs"]}
    # sd, behind the filter, of the authors' noise: variance 1/12, drawn anew every 0.1 ms
    sigma = np.sqrt(np.tanh(0.1e-3 / (2 * p["tau_signal"].value)) / 12)
    signal = nd.Population(
        n_signals, """
        ds/dt = -s/tau_signal + sigma*sqrt(2/tau_signal)*xi : 1
        rate = background_rate + peak_rate*relu(s)/signal_scale : Hz
        """, sigma=sigma, s=lambda rng, size: sigma * rng.standard_normal(size),
        **{n: p[n] for n in ("tau_signal", "background_rate", "peak_rate", "signal_scale")})
    inputs = {name: nd.Population(n, "rate : Hz", threshold="rand() < rate*dt", reset="",
                                  refractory=p["tau_ref_input"]) for name, n in sizes.items()}
    heard = [nd.Coupling("signal.rate", f"{name}.rate",
                         _sparse(np.kron(np.eye(n_signals), np.ones((n // n_signals, 1)))))
             for name, n in sizes.items()]
    w_inh = np.full((1, sizes["inhibitory"]), p["w_inh_start"])
    synapses = [
        nd.Coupling("excitatory.spike", "neuron.g_E", p["g_exc"] * excitatory_tuning(rng)[None]),
        nd.Coupling("inhibitory.spike", "neuron.g_I", p["g_inh"] * w_inh,
                    plasticity=rule),
    ]
    neuron = _neurons(1, 0 * nd.pA, v=p["V_rest"])
    return nd.Network({"signal": signal, **inputs, "neuron": neuron}, heard + synapses)


def excitatory_tuning(rng: int | np.random.SeedSequence | None = None) -> np.ndarray:
    """Weights (800,) of the excitatory inputs: ``0.3 + 1.1/(1 + (channel - 5)^4)``, and scatter."""
    p = parameters()
    n, n_signals = p["n_exc_inputs"], p["channels"]
    channel = np.repeat(np.arange(1, n_signals + 1), n // n_signals)
    scatter = 0.1 * np.random.default_rng(rng).random(n)
    return 0.3 + 1.1 / (1 + (channel - p["preferred"]) ** 4) + scatter


# ------------------------------------------------------------------------ the network

@dataclass(frozen=True)
class Groups:
    """Who belongs together in a network of `n_exc` excitatory neurons.

    Two assemblies that overlap, and a control group of the same size. A cue drives the first
    neurons of the first assembly, which are not in the overlap.
    """

    n_exc: int

    @property
    def size(self) -> int:
        """Neurons of an assembly."""
        p = parameters()
        return round(self.n_exc * p["n_assembly"] / p["N_E"])

    @property
    def shared(self) -> int:
        """Neurons in both assemblies."""
        p = parameters()
        return round(self.n_exc * p["n_shared"] / p["N_E"])

    @property
    def cued(self) -> slice:
        return slice(0, round(parameters()["cue_fraction"] * self.size))

    @property
    def assemblies(self) -> tuple[slice, slice]:
        """Whole assemblies."""
        start = self.size - self.shared
        return slice(0, self.size), slice(start, start + self.size)

    @property
    def measured(self) -> dict[str, slice]:
        """Disjoint groups of excitatory neurons, by name."""
        end = 2 * self.size - self.shared
        return {
            "cued": self.cued,
            "assembly 1": slice(self.cued.stop, self.size - self.shared),
            "assembly 2": slice(self.size, end),
            "control": slice(end, end + self.size),
        }


def memory_network(
    n_exc: int | None = None,
    *,
    eta: float | None = None,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> nd.Network:
    """Excitatory and inhibitory neurons at random, without inhibition of the excitatory ones.

    Its inhibitory synapses onto excitatory neurons begin at 0 and learn. The input `cue.rate` is
    the rate of the Poisson sources that drive the cued neurons, 0 unless a signal says otherwise.

    Parameters
    ----------
    n_exc : int, optional
        Excitatory neurons, and a quarter of that inhibitory ones. Default the paper's 8000. The
        number of synapses that a neuron has on average, 160 and 40, stays as it is.
    eta : float, S, optional
        Learning rate. Default the authors' 0.01 nS.
    rng : int, SeedSequence, Generator or None
        Of the connections.

    Returns
    -------
    Network
        Populations `E`, `I` and `cue`.
    """
    import neurodyn as nd
    from neurodyn._arrays import as_generator

    p = parameters()
    n_exc = p["N_E"] if n_exc is None else n_exc
    if not 400 <= n_exc <= 10 * p["N_E"] or n_exc % 4:
        raise ValueError(f"`n_exc` must be a multiple of 4, 400 at least; got {n_exc}")
    eta = p["eta_network"] if eta is None else _not_negative("eta", eta) * nd.siemens
    n = {"E": n_exc, "I": n_exc // 4}
    chance = p["epsilon"] * p["N_E"] / n_exc
    streams = iter(as_generator(rng).spawn(5))

    def random(post: str, pre: str, weight: Any) -> Any:
        return nd.weights.sparse_random((n[post], n[pre]), p=chance, weight=weight,
                                        rng=next(streams))

    cued = Groups(n_exc).cued
    drive = np.zeros((n_exc, p["n_cue_sources"]))
    drive[cued] = next(streams).random((cued.stop, p["n_cue_sources"])) < p["cue_epsilon"]
    rule = nd.plasticity.inhibitory_stdp(eta=eta, rho_0=p["rho_0"], tau_stdp=p["tau_stdp"],
                                         bounds=(0 * nd.nS, p["w_max"]))
    delay = p["delay"]
    couplings = [
        nd.Coupling("E.spike", "E.g_E", random("E", "E", p["w_E"]), delay=delay),
        nd.Coupling("E.spike", "I.g_E", random("I", "E", p["w_E"]), delay=delay),
        nd.Coupling("I.spike", "I.g_I", random("I", "I", p["w_I"]), delay=delay),
        nd.Coupling("I.spike", "E.g_I", random("E", "I", 0 * nd.nS), delay=delay,
                    plasticity=rule),
        nd.Coupling("cue.spike", "E.g_E", _sparse(drive * p["w_E"].value)),
    ]
    rest, sd = p["V_rest"].value, p["V_start_sd"].value
    neurons = {name: _neurons(size, p["I_b"], v=lambda rng, n: rng.normal(rest, sd, n))
               for name, size in n.items()}
    return nd.Network(neurons | {"cue": nd.poisson_source(p["n_cue_sources"])}, couplings)


def with_assemblies(net: nd.Network) -> nd.Network:
    """The network with synapses within each assembly five times as strong."""
    label = "E.spike->E.g_E"
    coupling = dict(zip(net.coupling_labels, net.couplings, strict=True))[label]
    matrix = coupling.weights.to_scipy().tocoo()
    inside = np.zeros(matrix.nnz, bool)
    for members in Groups(net.populations["E"].size).assemblies:
        inside |= ((matrix.row >= members.start) & (matrix.row < members.stop)
                   & (matrix.col >= members.start) & (matrix.col < members.stop))
    matrix.data = matrix.data * np.where(inside, parameters()["potentiation"], 1.0)
    return net.with_values(**{label: matrix.tocsr()})


def with_learning_rate(net: nd.Network, factor: float) -> nd.Network:
    """The network learning so many times as fast as the paper's; not at all with 0."""
    eta = factor * parameters()["eta_network"]
    return net.with_values(**{f"{NETWORK_SYNAPSES}.eta": eta})


def _sparse(matrix: np.ndarray) -> nd.weights.Sparse:
    from scipy.sparse import csr_array

    import neurodyn as nd

    return nd.weights.Sparse(csr_array(matrix))


def _not_negative(name: str, value: Any) -> float:
    number = float(getattr(value, "value", value))
    if not 0 <= number < float("inf"):
        raise ValueError(f"`{name}` must not be negative; got {value!r}")
    return number
