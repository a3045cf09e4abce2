"""Published neurons, as functions that return a `Population`: ``nd.neurons.lif(100)``.

=====================  ===========================================================  ==============
Function               Neuron                                                       Currents in
=====================  ===========================================================  ==============
`lif`                  leaky integrate-and-fire                                     A
`glif`                 the same with a moving threshold and after-spike currents    A
`eif`                  exponential integrate-and-fire                               A
`adex`                 the same with adaptation; named firing patterns              A
`izhikevich`           quadratic with recovery; named firing patterns               V/s
`hodgkin_huxley`       the squid giant axon                                         A/m^2
`traub_miles`          a hippocampal cell with the same kinds of channels           A
=====================  ===========================================================  ==============

Every parameter can be given by keyword, as one value for all or one a unit; `net.with_values`
changes them later. The equations are those of the papers: ``print(population.text)``.

**Input.** All have the current ``I_ext``, an input: a signal drives it, couplings may end at it,
and without either it is 0. ``lif(100, I_ext=0.2*nd.nA)`` holds it constant.

**Synapses.** Where spikes end depends on `synapses`:

===================================  ==============================  ==============================
``synapses=``                        spikes end at                   and weights are
===================================  ==============================  ==============================
``None``                             ``"E.v"``                       in V: `v` jumps
``Currents()``                       ``"E.I_exc"``, ``"E.I_inh"``    currents, inhibitory negative
``Conductances()``                   ``"E.g_exc"``, ``"E.g_inh"``    conductances, all positive
either with ``shape="alpha"``        ``"E.h_exc"``, ``"E.h_inh"``    the same, reached after tau
===================================  ==============================  ==============================

``synapses.targets`` are these names. While a neuron is refractory, `v` stands still, and spikes
that end at it are lost; other states run on.

>>> import neurodyn as nd
>>> E = nd.neurons.lif(4, synapses=nd.neurons.Conductances(tau_exc=2*nd.ms))
>>> W = nd.weights.sparse_random(4, p=0.5, weight=6*nd.nS, rng=0)
>>> net = nd.Network({"E": E}, [nd.Coupling("E.spike", "E.g_exc", W)])
>>> print(E.text)
dv/dt = (v_rest - v + R*I)/tau : volt (unless refractory)
I = I_ext + g_exc*(E_exc - v) + g_inh*(E_inh - v) : amp
dg_exc/dt = -g_exc/tau_exc : siemens
dg_inh/dt = -g_inh/tau_inh : siemens
I_ext : amp
"""

from neurodyn.neurons.conductance_based import hodgkin_huxley, traub_miles
from neurodyn.neurons.exponential import ADEX_PATTERNS, adex, eif
from neurodyn.neurons.linear import GLIF_PATTERNS, glif, lif
from neurodyn.neurons.quadratic import IZHIKEVICH_PATTERNS, izhikevich
from neurodyn.neurons.synapses import Conductances, Currents

__all__ = [
    "ADEX_PATTERNS",
    "GLIF_PATTERNS",
    "IZHIKEVICH_PATTERNS",
    "Conductances",
    "Currents",
    "adex",
    "eif",
    "glif",
    "hodgkin_huxley",
    "izhikevich",
    "lif",
    "traub_miles",
]
