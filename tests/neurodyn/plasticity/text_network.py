"""A network whose rules use everything that the text of a rule can say, here and in the twin.

A source drives two couplings, onto a state with a leak and onto the threshold variable itself; the
third couples the population to itself. All call their traces and time constants alike.
"""

import numpy as np
import scipy.sparse as sp

import neurodyn as nd
from tests.naive_plasticity import Synapses, Units, run

DT, STEPS, N_S, N_P = 1e-3, 120, 6, 4
TEXT = """
dv/dt = (g + drive - v)/tau : 1
dg/dt = -g/tau_g : 1
r = tanh(v) : 1
reward : 1
"""
UNITS = {"threshold": "v > 0.5", "reset": "v = 0; g *= 0.9", "tau": 0.01, "tau_g": 0.005}
LABELS = ("S.spike->P.g", "S.spike->P.v", "P.spike->P.g")

_random = np.random.default_rng(0)
SPIKES = _random.random((STEPS, N_S)) < 0.12
INPUTS = {"P.drive": _random.uniform(0, 1.5, (STEPS, N_P)), "P.reward": _random.normal(size=(STEPS, N_P))}


def rules(c):
    """Of the three couplings; `c` has one value a synapse of the first."""
    everything = nd.Plasticity(
        """
        dx_pre/dt = -x_pre/tau_x : 1       # begins at its value below
        dy_post/dt = -y_post/tau_y : 1
        da_post/dt = (v_post - a_post)/tau_a : 1
        dz/dt = -z/tau_z : 1
        count : 1
        dw/dt = eta*z*reward_post + beta*(1.4 - sum_pre(w*c)) - beta*w*sum_post(z)*y_post : 1
        """,
        on_pre="w = w - A*y_post; x_pre += 1; z -= B*y_post*(1 + a_post)\n"
        "g_post += w*x_pre; count += 1",
        on_post="w += A*x_pre*(1.5*w_max - w); y_post = 0.5*y_post + 1; z += B*x_pre*c",
        bounds=(0.05, 0.4),
        tau_x=0.01, tau_y=0.02, tau_a=0.03, tau_z=0.05, eta=2.0, beta=0.5, A=0.05, B=0.3, c=c,
        x_pre=0.25, z=0.1,
    )  # fmt: skip
    onto_threshold = nd.Plasticity(
        "dx_pre/dt = -x_pre/tau_x : 1",
        on_pre="w = w + A*(v_post - 0.2) + 0.01*r_post*x_pre; x_pre += 1",
        on_post="w -= 0.01",
        bounds=(-0.2, None), tau_x=0.015, A=0.05,
    )  # fmt: skip
    recurrent = nd.Plasticity(
        "dv_pre/dt = -v_pre/tau_x : 1\ndy_post/dt = -y_post/tau_x : 1",  # hides the unit's v
        on_pre="g_post += w; g_post += 0.1*w*v_pre; v_pre += 1; w += 0.01*r_pre*v_pre - 0.02*y_post",
        on_post="y_post += 1; w += 0.005*v_pre*r_post",
        tau_x=0.02,
    )
    return everything, onto_threshold, recurrent


def weights(kinds):
    """Full, sparse or diagonal matrices of the three couplings, as NumPy's and SciPy's."""
    random = np.random.default_rng(1)
    matrices = (
        random.uniform(0.05, 0.4, (N_P, N_S)),
        random.uniform(0, 0.3, (N_P, N_S)),
        random.uniform(-0.2, 0.4, (N_P, N_P)),
    )
    found = []
    for kind, W in zip(kinds, matrices):
        keep = random.random(W.shape) < 0.6
        if kind == "diagonal":
            W = sp.diags_array(W.diagonal()).tocsr()
        found.append(sp.csr_array(np.where(keep, W, 0)) if kind == "sparse" else W)
    return found


def network(kinds=("dense", "sparse", "diagonal"), delays=(0, 0, 0)):
    """The network."""
    matrices = weights(kinds)
    given = [nd.weights.Diagonal(W.diagonal()) if kind == "diagonal" else W
             for kind, W in zip(kinds, matrices)]  # fmt: skip
    step, unit = np.nonzero(SPIKES)
    return nd.Network(
        {"S": nd.spike_source(N_S, (step + 0.5) * DT, unit), "P": nd.Population(N_P, TEXT, **UNITS)},
        [
            nd.Coupling(*label.split("->"), W, plasticity=rule, delay=delay * DT)
            for label, W, rule, delay in zip(LABELS, given, rules(values_of(matrices[0])), delays)
        ],
    )


def values_of(W):
    """One value for each synapse of the first coupling."""
    shape = W.shape if isinstance(W, np.ndarray) else W.data.shape
    return np.random.default_rng(2).uniform(0.5, 1.5, shape)


def twin(kinds=("dense", "sparse", "diagonal"), delays=(0, 0, 0), exponential=True):
    """What the slow twin of the network gives."""
    matrices = weights(kinds)
    populations = {"S": Units(N_S, spikes=SPIKES), "P": Units(N_P, TEXT, **UNITS)}
    synapses = [
        Synapses.of(*label.split("->"), W, rule, delay)
        for label, W, rule, delay in zip(LABELS, matrices, rules(values_of(matrices[0])), delays)
    ]
    return run(populations, synapses, STEPS, DT, inputs=INPUTS, exponential=exponential)
