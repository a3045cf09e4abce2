"""Low-rank networks: a few overlaps say what many units do, in theory and after training.

F. Mastrogiuseppe, S. Ostojic, "Linking connectivity, dynamics, and computations in low-rank
recurrent neural networks", Neuron 99:609-623 (2018); with M. Beiran, A. Dubreuil, A. Valente,
F. Mastrogiuseppe, S. Ostojic, "Shaping dynamics with multiple populations in low-rank recurrent
networks", Neural Computation 33:1572-1615 (2021), and A. Dubreuil, A. Valente, M. Beiran,
F. Mastrogiuseppe, S. Ostojic, "The role of population structure in computations through neural
dynamics", Nature Neuroscience 25:783-794 (2022).

What they show. In a network whose connectivity is a low-rank structure and a random part,

    dx/dt = -x + (1/N) sum_r m^r (n^r . phi(x)) + g chi phi(x) + I,

activity lies along the vectors m, with the coordinates kappa_r = n^r . phi(x)/N. For Gaussian
vectors their fixed points and stability follow from the overlaps of the vectors alone: one pair of
fixed points for rank one, pairs of unequal stability or a cycle for rank two, all of which a weak
random part leaves as they are while a strong one makes them chaotic (`mean_field`). The theory is a
limit of many units, which networks of 10,000 come close to without any n x n matrix
(`large_network`). Units in several populations do more: an input that saturates one of them
changes the effective coupling of the others, and so the attractors (`context_gating`). A low-rank
network that was trained is exactly a dynamical system of its few latent variables, which shows how
it solves its task; populations are what its memories need, as networks of new units show that are
drawn from one or several (`latent_dynamics`).

What we changed. The random part of large networks is sparse: every unit hears 200 others, for which
the theory holds up to order 1/200. Networks are trained on the flip-flop with two channels,
where each of four memories is a stable fixed point, in place of the papers' decisions; populations
are found by a mixture of Gaussians of the vectors as in Dubreuil et al. (theirs has a prior on
their number). phi is tanh in all. The learning rate, length of trials and number of steps are
ours, chosen so that networks learn the task.
"""

from neurodyn.experiments import Circuit

from . import figures
from .claims import CLAIMS
from .gaussian import mean_field
from .model import memory_network, network, orthogonal_form, reduced_network
from .populations import context_gating
from .sizes import large_network
from .trained import latent_dynamics

__all__ = ["CIRCUIT", "memory_network", "network", "orthogonal_form", "reduced_network"]

_EXPERIMENTS = {function.__name__: function for function in (
    mean_field, large_network, context_gating, latent_dynamics)}

CIRCUIT = Circuit(
    name="lowrank",
    title="Low-rank networks: a few overlaps say what many units do, in theory and after training",
    citation="Mastrogiuseppe, Ostojic (2018), Linking connectivity, dynamics, and computations in "
             "low-rank recurrent neural networks, Neuron 99:609-623",
    doi="10.1016/j.neuron.2018.07.003",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments=_EXPERIMENTS,
    main="mean_field",
    figures={name: getattr(figures, name) for name in _EXPERIMENTS},
    claims=CLAIMS,
)
