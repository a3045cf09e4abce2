"""Efficient coding that adapts by one gain a neuron, in a cortical network with fixed synapses.

L. R. Duong, C. Bredenberg, D. J. Heeger, E. P. Simoncelli, "Adaptive coding efficiency in recurrent
cortical circuits via gain control", arXiv:2305.19869 (2023).

What it shows. When one orientation becomes frequent, responses in primary visual cortex change in
several ways at once: maxima and minima of tuning curves fall, curves move away from the frequent
orientation (the adapter), and responses become less correlated, so that the population's mean
responses and covariance stay nearly what they were (Benucci, Saleem and Carandini 2013). It looks
as if synapses had changed. One multiplicative gain for each neuron is enough, if the neurons are
connected: then a gain acts on all neurons, through synapses that stay fixed. The gains are not
fitted to the data but optimal. They make the responses represent their input at little activity,

    L(g) = < |f - D r|^2 + alpha |r|^2 > + gamma |g - 1|^2,     r = (I - W)^-1 (g o f),

a quadratic function, so that the best gains are known in closed form (`adaptation`); gradient
descent finds them, and so does a network that is shown stimulus after stimulus and brings its error
back to its neurons (`gain_learning`). Without recurrence curves only change their scale and nothing
is repelled or decorrelated.

What we changed, or had to choose. Only abstracts of the paper were at hand. They say what there is
(a linear recurrent network with fixed weights and a gain for each neuron; an objective that rewards
fidelity and penalises activity; gains in closed form) and which effects it has, but no equation, no
parameter and no number. Size, tuning, weights, decoder and the last term of L are therefore ours,
and what is reproduced is the set of effects, not published numbers. The anchor gamma is needed:
without it the gain at the adapter rises. The network with adapting gains is ours, too, and so is
the exact mean of its gains (`presentations`). `dependence` shows what the effects owe to each
parameter, and `recording_sessions` applies the analysis of the recordings to the model. How far any
gains could restore the covariance is measured (`adaptation`): N gains cannot set N (N + 1)/2
covariances, as the interneurons of `neurodyn.circuits.adaptive_whitening` do.
"""

from neurodyn.experiments import Circuit

from . import figures
from .claims import CLAIMS
from .experiments import adaptation, dependence
from .learning import gain_learning
from .model import network
from .recordings import recording_sessions

__all__ = ["CIRCUIT", "network"]

_EXPERIMENTS = {
    function.__name__: function
    for function in (adaptation, gain_learning, dependence, recording_sessions)
}

CIRCUIT = Circuit(
    name="gain_control",
    title="Efficient coding that adapts by one gain a neuron, in a cortical network with fixed "
    "synapses",
    citation="Duong, Bredenberg, Heeger, Simoncelli (2023), Adaptive coding efficiency in "
    "recurrent cortical circuits via gain control, arXiv:2305.19869",
    doi="10.48550/arXiv.2305.19869",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments=_EXPERIMENTS,
    main="adaptation",
    figures={name: getattr(figures, name) for name in _EXPERIMENTS},
    claims=CLAIMS,
)
