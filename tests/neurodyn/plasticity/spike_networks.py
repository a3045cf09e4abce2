"""Every rule for spikes in one network, so that all of them are compiled at once.

A source of given spikes couples to units that spike when they are told to, once with each rule.
"""

import numpy as np
import scipy.sparse as sp

import neurodyn as nd
from neurodyn import plasticity
from tests.naive_plasticity import Synapses, Units, run

DT = 1e-3
TEXT = """
dg/dt = -g/tau : 1
drive : 1
reward : 1
I : 1
J : 1
"""
UNITS = {"threshold": "drive > 0.5", "tau": 0.005}

#: Name, target and rule of each coupling.
RULES = {
    "additive": ("g", plasticity.pair_stdp(w_max=1.0)),
    "nearest": ("g", plasticity.pair_stdp(w_max=1.0, interactions="nearest", tau_plus=0.012)),
    "multiplicative": ("g", plasticity.pair_stdp(w_max=1.0, mu_plus=1, mu_minus=1, A_minus=0.02)),
    "Guetig": ("g", plasticity.pair_stdp(w_max=1.0, mu_plus=0.3, mu_minus=0.3, A_plus=0.02)),
    "triplet": ("g", plasticity.triplet_stdp(w_ref=1.0)),
    "triplet nearest": (
        "g", plasticity.triplet_stdp(w_ref=1.0, interactions="nearest", model="minimal")
    ),
    "inhibitory": ("g", plasticity.inhibitory_stdp(eta=0.02)),
    "depressing": ("I", plasticity.tsodyks_markram("I", U=0.4, tau_rec=0.2)),
    "facilitating": ("J", plasticity.tsodyks_markram("J", U=0.1, tau_rec=0.1, tau_facil=0.5)),
    "reward": ("g", plasticity.reward_modulated_stdp(w_max=1.0, eta=5.0, tau_c=0.1)),
    "scaling": ("g", plasticity.synaptic_scaling(goal=20.0, beta=0.1, gamma=0.2, tau_a=0.2)),
}
NAMES = tuple(RULES)


def network(pre, post, weights, delay=0, changed=None):
    """The network, and the label of the coupling with each rule.

    Parameters
    ----------
    pre, post : ndarray of bool (step, unit)
        Spikes; those of `post` become an input.
    weights : ndarray (post, pre), sparse array, or dict of these by rule
    delay : int
        In steps.
    changed : dict of str to dict
        Values of some rules.
    """
    step, unit = np.nonzero(pre)
    couplings = [
        nd.Coupling(
            "S.spike", f"P.{target}",
            weights[name] if isinstance(weights, dict) else weights,
            delay=delay * DT,
            plasticity=rule.with_values(**(changed or {}).get(name, {})),
        )
        for name, (target, rule) in RULES.items()
    ]  # fmt: skip
    net = nd.Network(
        {"S": nd.spike_source(pre.shape[1], (step + 0.5) * DT, unit),
         "P": nd.Population(post.shape[1], TEXT, **UNITS)},
        couplings,
    )  # fmt: skip
    return net, dict(zip(NAMES, net.coupling_labels, strict=True))


def simulate(net, post, steps=None, reward=None, solver=None, **arguments):
    inputs = {"P.drive": post.astype(float)}
    if reward is not None:
        inputs["P.reward"] = reward
    steps = len(post) if steps is None else steps
    arguments.setdefault("record", [])
    solver = solver or nd.ExponentialEuler(DT)
    return nd.simulate(net, solver, steps * DT, inputs=inputs, **arguments)


def twin(pre, post, weights, delay=0, reward=None):
    """Weights (step, synapse) of each rule in the twin."""
    populations = {"S": Units(pre.shape[1], spikes=pre), "P": Units(post.shape[1], TEXT, **UNITS)}
    synapses = [
        Synapses.of("S.spike", f"P.{target}", weights[name], rule, delay)
        for name, (target, rule) in RULES.items()
    ]
    inputs = {"P.drive": post.astype(float)}
    inputs["P.reward"] = np.zeros(post.shape) if reward is None else reward
    return dict(zip(NAMES, run(populations, synapses, len(post), DT, inputs=inputs)["weights"]))


def random_weights(n_post, n_pre, seed=0):
    """A matrix for each rule, full and sparse in turn."""
    random = np.random.default_rng(seed)
    found = {}
    for k, name in enumerate(NAMES):
        W = random.uniform(0.2, 0.8, (n_post, n_pre))
        found[name] = sp.csr_array(W * (random.random(W.shape) < 0.6)) if k % 2 else W
    return found
