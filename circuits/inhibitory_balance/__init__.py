"""Inhibition that learns to balance excitation, in a sensory pathway and in a memory network.

T. P. Vogels, H. Sprekeler, F. Zenke, C. Clopath, W. Gerstner, "Inhibitory plasticity balances
excitation and inhibition in sensory pathways and memory networks", Science 334:1569-1573 (2011).

What it shows. Inhibitory synapses that are strengthened by spikes of both sides at about the same
time, and weakened a little by every presynaptic spike, bring the excitatory neuron to a target
rate. Where inputs come in channels, each inhibitory channel learns the strength of the excitatory
one beside it: detailed balance, in which the neuron spikes rarely (`detailed_balance`). In a
recurrent network the rule turns saturated, synchronous firing into an asynchronous irregular state.
Assemblies of neurons with strengthened excitatory synapses become indiscernible from the rest once
inhibition has caught up with them, and can still be recalled by driving a part (`memories`).

What we changed. The neuron with channels is the code of the authors' supplement, with signals as
Ornstein-Uhlenbeck processes (theirs are sums of many uniform numbers) and inputs in equal groups
(theirs have 24 to 26). The network is that of one author's simulator, Auryn, and of its
reproduction in PyNN, with excitatory and inhibitory conductances of 3 and 30 nS (the authors' short
script has a tenth). Its synapses learn ten times as fast in the long phases, which last an hour in
the paper and 100 s here. At fast size it has 1600 excitatory neurons with as many synapses each.
"""

from neurodyn.experiments import Circuit

from . import balance, figures, memories
from .claims import CLAIMS
from .model import memory_network, network

__all__ = ["CIRCUIT", "memory_network", "network"]

CIRCUIT = Circuit(
    name="inhibitory_balance",
    title="Inhibition that learns to balance excitation, in a sensory pathway and in a memory "
          "network",
    citation="Vogels, Sprekeler, Zenke, Clopath, Gerstner (2011), Inhibitory plasticity balances "
             "excitation and inhibition in sensory pathways and memory networks, Science "
             "334:1569-1573",
    doi="10.1126/science.1211095",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments={"detailed_balance": balance.detailed_balance, "memories": memories.memories},
    main="detailed_balance",
    figures={"detailed_balance": figures.detailed_balance, "memories": figures.memories},
    claims=CLAIMS,
)
