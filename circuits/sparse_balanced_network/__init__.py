"""Synchronous, asynchronous, regular and irregular states of one sparse random network.

N. Brunel, "Dynamics of sparsely connected networks of excitatory and inhibitory spiking neurons",
Journal of Computational Neuroscience 8:183-208 (2000).

What it shows. A network of identical integrate-and-fire neurons, each with the same number of
random inputs, has few parameters and many states. Two decide: how strong inhibition is, relative to
excitation (g), and how strong the drive from outside is (nu_ext). With weak inhibition all neurons
fire together, regularly, near saturation. With inhibition that outweighs excitation (g > 4, as
there are four excitatory synapses to each inhibitory one) they fire irregularly and at low rates:
asynchronously, or in global oscillations that are faster than any of them fires; fast ones, set by
the synaptic delay, under strong drive, slow ones when the drive alone hardly reaches threshold
(`four_states`). Because every neuron sees many weak, nearly independent inputs, a mean-field theory
predicts the rates (`inhibition`).

Here is model A: excitatory and inhibitory neurons are alike. Each receives C_E = 1000 synapses from
10,000 excitatory neurons, C_I = 250 from 2,500 inhibitory ones, and C_E from outside, which fire as
independent Poisson processes:

    tau dV_i/dt = -V_i + tau sum_j J_ij sum_k delta(t - t_j^k - D),       spike at V = theta,
    then V = V_r for tau_rp

with J_ij = J or -g J.

What we changed. Time goes in steps of 0.1 ms. Potentials start anywhere between 0 and theta. Which
numbers of the paper are known to us, and how, stands in ``data/brunel_2000.csv``.
"""

from neurodyn.experiments import Circuit

from . import experiments, figures
from .claims import CLAIMS
from .model import network

__all__ = ["CIRCUIT", "network"]

_EXPERIMENTS = {
    function.__name__: function for function in (experiments.four_states, experiments.inhibition)
}

CIRCUIT = Circuit(
    name="sparse_balanced_network",
    title="Synchronous, asynchronous, regular and irregular states of one sparse random network",
    citation="Brunel (2000), Dynamics of sparsely connected networks of excitatory and inhibitory "
             "spiking neurons, J Comput Neurosci 8:183-208",
    doi="10.1023/A:1008925309027",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments=_EXPERIMENTS,
    main="four_states",
    figures={name: getattr(figures, name) for name in _EXPERIMENTS},
    claims=CLAIMS,
)
