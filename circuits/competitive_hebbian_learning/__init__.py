"""Synapses that compete for the spikes of a neuron, by spike-timing-dependent plasticity.

S. Song, K. D. Miller, L. F. Abbott, "Competitive Hebbian learning through spike-timing-dependent
synaptic plasticity", Nature Neuroscience 3:919-926 (2000).

What it shows. A neuron with 1000 excitatory inputs strengthens those that spike shortly before it
and weakens those that spike shortly after. With depression slightly stronger than potentiation (by
5 %), a synapse stays strong only if it helps to fire the neuron. Synapses therefore compete: they
end near zero or near the largest conductance, although nothing but pairs of spikes decides. The
excitation that is left balances the inhibition, so that the neuron fires irregularly, at a rate
that depends much less on that of its inputs than without plasticity (`competition`). The winners
are the inputs that are early (`short_latency`) and those that act in groups (`correlated_group`).

What we changed. The neuron and its plasticity are the paper's; the table in ``data/`` says what
each number was checked against, the paper itself was not at hand. Pairs of spikes in the same time
step are shared out between potentiation and depression (`model.network`). Rates of correlated
inputs are Ornstein-Uhlenbeck processes instead of being drawn anew at random intervals. Bursts and
latencies of `short_latency` are ours. At fast size pairs of spikes are twice as effective as in the
paper.
"""

from neurodyn.experiments import Circuit

from . import experiments, figures
from .claims import CLAIMS
from .model import network

__all__ = ["CIRCUIT", "network"]

CIRCUIT = Circuit(
    name="competitive_hebbian_learning",
    title="Synapses that compete for the spikes of a neuron, by spike-timing-dependent plasticity",
    citation="Song, Miller, Abbott (2000), Competitive Hebbian learning through spike-timing-"
             "dependent synaptic plasticity, Nature Neuroscience 3:919-926",
    doi="10.1038/78829",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments={name: getattr(experiments, name) for name in experiments.__all__},
    main="competition",
    figures={name: getattr(figures, name) for name in experiments.__all__},
    claims=CLAIMS,
)
