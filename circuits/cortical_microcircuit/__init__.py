"""A square millimetre of cortex: spontaneous activity of 77,169 neurons in four layers.

T. C. Potjans, M. Diesmann, "The cell-type specific cortical microcircuit: relating structure and
activity in a full-scale spiking network model", Cerebral Cortex 24:785-806 (2014).

What it shows. Eight populations, excitatory and inhibitory neurons of layers 2/3, 4, 5 and 6, are
alike but for their numbers and for who is connected to whom, taken from anatomy and physiology.
That is enough for activity as in awake animals: asynchronous and irregular, inhibitory neurons
faster than excitatory ones in each layer, about 1 Hz in layers 2/3 and 6, more in 4, most in 5.

Neurons are leaky integrators with exponential synaptic currents,

    dv/dt = (E_L - v)/tau_m + (I_syn + I_e)/C_m,    dI_syn/dt = -I_syn/tau_syn,

that spike at V_th and rest for 2 ms at V_reset. Each projection has a fixed total number of
synapses with independent ends, 299 million in all, so that a pair may have several; weights and
delays are normal. 1500 to 2900 background synapses of each neuron fire at 8 Hz as Poisson
processes (`spontaneous_activity`), or are replaced by their mean (`constant_background`).

What we changed. Parameters the paper leaves open are those of NEST's example, as are the first
membrane potentials, near the stationary state of each population; ``initial="original"`` gives the
paper's. A refractory neuron rests for 19 steps of 0.1 ms and takes up its input in the twentieth,
as in Brian2, where NEST's rests for 20. Smaller networks (`scale`) keep the mean and variance of
each neuron's input, as NEST's example does, but not the correlations, so their rates differ: 0.5 Hz
in layer 2/3 at a tenth of the size, where NEST gives the same. The thalamic input of the paper's
last figures is not here.
"""

from neurodyn.experiments import Circuit

from . import experiments, figures
from .claims import CLAIMS
from .model import network

__all__ = ["CIRCUIT", "network"]

_EXPERIMENTS = {
    function.__name__: function
    for function in (experiments.spontaneous_activity, experiments.constant_background)
}

CIRCUIT = Circuit(
    name="cortical_microcircuit",
    title="A square millimetre of cortex: spontaneous activity of 77,169 neurons in four layers",
    citation="Potjans, Diesmann (2014), The cell-type specific cortical microcircuit: relating "
             "structure and activity in a full-scale spiking network model, Cerebral Cortex "
             "24:785-806",
    doi="10.1093/cercor/bhs358",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments=_EXPERIMENTS,
    main="spontaneous_activity",
    figures={name: getattr(figures, name) for name in _EXPERIMENTS},
    claims=CLAIMS,
)
