"""The neuron, its inputs, and the rule that competes for it. Letters are the paper's.

Conductances are in units of the leak conductance. A synapse a has the peak conductance g_a, between
0 and g_max.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.circuits import _parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    import neurodyn as nd

__all__ = ["DT", "SYNAPSES", "frozen", "latencies", "network", "parameters",
           "with_correlated_group", "with_latencies"]

#: The plastic coupling: from the excitatory inputs to the neuron.
SYNAPSES = "excitatory.spike->neuron.g_ex"

#: Step of the simulations, s, unless another is given.
DT = 0.1e-3

#: Time from a burst's begin to the mean of the inputs' own: no input can precede the common cause.
LATENCY_OFFSET = 60e-3


def parameters() -> Mapping[str, Any]:
    """The numbers of ``data/song_miller_abbott_2000.csv``."""
    return _parameters.parameters("song_miller_abbott_2000")


def network(
    rate: Any = 10.0,
    *,
    A_plus: float | None = None,
    A_ratio: float | None = None,
    g: float | np.ndarray | None = None,
    rng: int | np.random.SeedSequence | None = None,
    dt: float = DT,
) -> nd.Network:
    """A neuron with 1000 independent excitatory inputs, all of one rate.

    ::

        tau_m dV/dt = V_rest - V + g_ex (E_ex - V) + g_in (E_in - V)        V > V_th: V = V_reset
        tau_ex dg_ex/dt = -g_ex,     g_ex += g_a     when input a spikes
        tau_in dg_in/dt = -g_in,     g_in += g_in_   when an inhibitory input spikes

        tau_minus dM/dt = -M,        M -= A_minus    when the neuron spikes;  then g_a += P_a g_max
        tau_plus dP_a/dt = -P_a,     P_a += A_plus   when input a spikes;     then g_a += M g_max

    Parameters
    ----------
    rate : float or Quantity, Hz
        Of every excitatory input.
    A_plus : float, optional
        Largest change by a pair of spikes, over g_max. Default the paper's, 0.005.
    A_ratio : float, optional
        ``A_minus/A_plus``. Default the paper's, 1.05.
    g : float or ndarray (1000,), optional
        First conductances over g_max. Default uniformly distributed from 0 to 1.
    rng : int, SeedSequence or None
        Of the default of `g`.
    dt : float, s
        Step of the simulation.

    Returns
    -------
    Network
        Populations `excitatory` (the inputs) and `neuron`. Inhibitory inputs spike independently
        at 10 Hz.

    Notes
    -----
    On a grid of dt, spikes in the same step count as input before output, so that the window of
    potentiation sums to ``tau_plus + dt/2``, that of depression to ``tau_minus - dt/2``. A_minus is
    raised by as much, since 5 % more depression is what the competition rests on, and dt = 0.1 ms
    would take a tenth of it.
    """
    import neurodyn as nd

    rate = _positive("rate", rate)
    inputs = nd.poisson_source(parameters()["N_ex"], rate * nd.Hz)
    return _joined({"excitatory": inputs}, [], A_plus, A_ratio, g, rng, dt)


def with_latencies(
    latency: np.ndarray,
    *,
    A_plus: float | None = None,
    rng: int | np.random.SeedSequence | None = None,
    dt: float = DT,
) -> nd.Network:
    """The neuron with inputs that burst together, each with a latency of its own.

    A source `stimulus` spikes at random. Input a follows with a burst: at the rate `burst_rate`,
    from `LATENCY_OFFSET` + its latency on, for the time `burst`. Between bursts it spikes at
    `background_rate`. (`on` counts the bursts an input is in: up by one coupling, down by another
    that is slower by `burst`.)

    Parameters
    ----------
    latency : ndarray (1000,), s
        Of each input relative to the mean; `latencies` draws them.
    A_plus : float, optional
        As for `network`.
    rng : int, SeedSequence or None
        Of the first conductances.
    dt : float, s
        Step of the simulation, of which delays are multiples.
    """
    import neurodyn as nd

    p = parameters()
    n = p["N_ex"]
    latency = np.asarray(latency, dtype=float)
    if latency.shape != (n,) or not np.all(np.abs(latency) < LATENCY_OFFSET):
        raise ValueError(
            f"`latency` must hold {n} latencies between {-LATENCY_OFFSET} and {LATENCY_OFFSET} s; "
            f"got shape {latency.shape}, from {latency.min():g} to {latency.max():g} s"
        )
    delay = dt * np.rint((LATENCY_OFFSET + latency) / dt)[:, None]
    inputs = nd.Population(
        n, "don/dt = 0*on/second : 1\nrate = background_rate + burst_rate*on : Hz",
        threshold="rand() < rate*dt", background_rate=p["background_rate"],
        burst_rate=p["burst_rate"] - p["background_rate"])
    stimulus = nd.poisson_source(1, 1 / p["burst_interval"])
    begin = nd.Coupling("stimulus.spike", "excitatory.on", np.ones((n, 1)), delay=delay)
    end = nd.Coupling("stimulus.spike", "excitatory.on", -np.ones((n, 1)),
                      delay=delay + p["burst"].value)
    members = {"stimulus": stimulus, "excitatory": inputs}
    return _joined(members, [begin, end], A_plus, None, None, rng, dt)


def latencies(rng: int | np.random.SeedSequence | None = None) -> np.ndarray:
    """Latencies (1000,), s: normal, within three standard deviations."""
    p = parameters()
    drawn = np.random.default_rng(rng).standard_normal(p["N_ex"])
    return p["latency_sd"].value * np.clip(drawn, -3, 3)


def with_correlated_group(
    n_correlated: int = 500,
    *,
    A_plus: float | None = None,
    rng: int | np.random.SeedSequence | None = None,
    dt: float = DT,
) -> nd.Network:
    """The neuron with inputs whose rates fluctuate, together in the first `n_correlated` of them.

    The rates are ``r (1 + c sqrt(2) x_a)``, those of the group ``r (1 + c x_a + c y)``, with x_a of
    each input and y of the group normally distributed with variance 1 and correlation time tau_c:
    all rates have the same distribution. Here x and y are Ornstein-Uhlenbeck processes; drawn anew
    at intervals, as in the paper, they have the same autocorrelation.
    """
    import neurodyn as nd

    p = parameters()
    n = p["N_ex"]
    if not 0 < n_correlated < n:
        raise ValueError(f"`n_correlated` must lie between 1 and {n - 1}; got {n_correlated}")
    fluctuation = "d{0}/dt = -{0}/tau_c + sqrt(2/tau_c)*xi : 1"
    in_group = np.arange(n) < n_correlated
    inputs = nd.Population(
        n, fluctuation.format("x") + "\nrate = r*relu(1 + own*x + shared*y) : Hz\ny : 1",
        threshold="rand() < rate*dt", tau_c=p["tau_c"], r=p["rate_correlated"],
        own=p["c"] * np.where(in_group, 1, np.sqrt(2)), shared=p["c"] * in_group,
        x=lambda rng, size: rng.standard_normal(size))
    group = nd.Population(1, fluctuation.format("y"), tau_c=p["tau_c"],
                          y=lambda rng, size: rng.standard_normal(size))
    members = {"group": group, "excitatory": inputs}
    shared = nd.Coupling("group.y", "excitatory.y", np.ones((n, 1)))
    return _joined(members, [shared], A_plus, None, None, rng, dt)


def frozen(net: nd.Network) -> nd.Network:
    """The network with synapses that no longer change."""
    return net.with_values(**{f"{SYNAPSES}.A_plus": 0.0, f"{SYNAPSES}.A_minus": 0.0})


def _joined(inputs, couplings, A_plus, A_ratio, g, rng, dt) -> nd.Network:
    """Inputs, neuron, inhibition and plastic synapses."""
    import neurodyn as nd

    p = parameters()
    A_plus = p["A_plus"] if A_plus is None else _positive("A_plus", A_plus)
    A_ratio = p["A_ratio"] if A_ratio is None else _positive("A_ratio", A_ratio)
    A_minus = A_ratio * A_plus
    A_minus *= (p["tau_plus"].value + dt / 2) / (p["tau_minus"].value - dt / 2)
    neuron = nd.Population(
        1, """
        dV/dt = (V_rest - V + g_ex*(E_ex - V) + g_in*(E_in - V))/tau_m : volt
        dg_ex/dt = -g_ex/tau_ex : 1
        dg_in/dt = -g_in/tau_in : 1
        """, threshold="V > V_th", reset="V = V_reset", V=p["V_reset"],
        **{name: p[name] for name in ("V_rest", "E_ex", "E_in", "V_th", "V_reset", "tau_m",
                                      "tau_ex", "tau_in")})
    stdp = nd.plasticity.pair_stdp(w_max=p["g_max"], A_plus=A_plus, A_minus=A_minus,
                                   tau_plus=p["tau_plus"], tau_minus=p["tau_minus"])
    synapses = nd.Coupling("excitatory.spike", "neuron.g_ex",
                           p["g_max"] * _conductances(g, p["N_ex"], rng), plasticity=stdp)
    inhibition = nd.PoissonInput("neuron.g_in", rate=p["rate_in"], weight=p["g_in"],
                                 n_sources=p["N_in"])
    return nd.Network(inputs | {"neuron": neuron}, [*couplings, synapses, inhibition])


def _conductances(g, n: int, rng) -> np.ndarray:
    """Conductances (1, n) over g_max."""
    if g is None:
        return np.random.default_rng(rng).random((1, n))
    g = np.asarray(g, dtype=float)
    if g.shape not in ((), (n,)) or not np.all((g >= 0) & (g <= 1)):
        raise ValueError(f"`g` must be one number from 0 to 1, or {n} of them; got {g!r:.60}")
    return np.array(np.broadcast_to(g, (1, n)))


def _positive(name: str, value: Any) -> float:
    number = float(getattr(value, "value", value))
    if not 0 < number < float("inf"):
        raise ValueError(f"`{name}` must be positive; got {value!r}")
    return number
