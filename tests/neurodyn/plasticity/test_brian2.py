"""Pair, triplet and short-term rules against Brian2, spike for spike and weight for weight.

The rules are written for Brian2 from the papers, with traces of every synapse that it solves from
event to event; ours are in `neurodyn.plasticity`, with traces of units, step by step.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn import plasticity
from neurodyn.unit_check import import_brian2
from tests.neurodyn.plasticity import spike_networks

DT, STEPS, N_S, N_P = 1e-4, 4000, 12, 4
DELAYS = {"pair": 0, "triplet": 15, "short-term": 7}
TAU, TAU_G, REST = 0.01, 0.004, 20

RULES = {
    "pair": plasticity.pair_stdp(w_max=0.6, mu_plus=0.2, mu_minus=0.2, A_plus=0.05, A_minus=0.06,
                                 tau_plus=0.017, tau_minus=0.034),
    "triplet": plasticity.triplet_stdp(w_ref=1.0, fit="hippocampus"),
    "short-term": plasticity.tsodyks_markram("g", U=0.2, tau_rec=0.1, tau_facil=0.3),
}  # fmt: skip

#: Model, on_pre and on_post of each rule as Brian2 wants it.
BRIAN2 = {
    "pair": (
        """w : 1
        dapre/dt = -apre/(17*ms) : 1 (event-driven)
        dapost/dt = -apost/(34*ms) : 1 (event-driven)""",
        """g_post += w
        w = clip(w - 0.06*0.6*(w/0.6)**0.2*apost, 0, 0.6)
        apre += 1""",
        """w = clip(w + 0.05*0.6*(1 - w/0.6)**0.2*apre, 0, 0.6)
        apost += 1""",
    ),
    "triplet": (
        """w : 1
        dr1/dt = -r1/(16.8*ms) : 1 (event-driven)
        dr2/dt = -r2/(946*ms) : 1 (event-driven)
        do1/dt = -o1/(33.7*ms) : 1 (event-driven)
        do2/dt = -o2/(27*ms) : 1 (event-driven)""",
        """g_post += w
        w = clip(w - o1*(1.6e-3 + 1.4e-3*r2), 0, inf)
        r1 += 1
        r2 += 1""",
        """w = clip(w + r1*(6.1e-3 + 6.7e-3*o2), 0, inf)
        o1 += 1
        o2 += 1""",
    ),
    "short-term": (
        """w : 1
        dx/dt = (1 - x)/(100*ms) : 1 (event-driven)
        du/dt = -u/(300*ms) : 1 (event-driven)""",
        """u += 0.2*(1 - u)
        g_post += w*u*x
        x -= u*x""",
        "",
    ),
}


@pytest.fixture(scope="module")
def both():
    """Our Dataset and network; Brian2's spikes and weights."""
    random = np.random.default_rng(3)
    spikes = random.random((STEPS, N_S)) < 40 * DT
    step, unit = np.nonzero(spikes)
    W = {name: random.uniform(0.1, 0.5, (N_P, N_S)) for name in RULES}
    units = {
        "threshold": "v > 1", "reset": "v = 0; g *= 0.9", "refractory": REST * DT,
    }  # fmt: skip
    text = "dv/dt = (2*g - v)/tau : 1 (unless refractory)\ndg/dt = -g/tau_g : 1"
    net = nd.Network(
        {"S": nd.spike_source(N_S, (step + 0.5) * DT, unit),
         "P": nd.Population(N_P, text, tau=TAU, tau_g=TAU_G, **units)},
        [nd.Coupling("S.spike", "P.g", W[name], plasticity=rule, delay=DELAYS[name] * DT)
         for name, rule in RULES.items()],
    )  # fmt: skip
    ds = nd.simulate(net, nd.Exact(DT), STEPS * DT, record=["P.spike", "P.v"])
    return net, ds, run_brian2(step, unit, W, text, units)


def run_brian2(step, unit, W, text, units):
    brian2 = import_brian2()
    before = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    try:
        brian2.start_scope()
        clock = brian2.Clock(DT * brian2.second)
        source = brian2.SpikeGeneratorGroup(N_S, unit, (step + 0.5) * DT * brian2.second, clock=clock)
        group = brian2.NeuronGroup(
            N_P, text, threshold=units["threshold"], reset=units["reset"].replace(";", "\n"),
            refractory=units["refractory"] * brian2.second, method="exact", clock=clock,
            namespace={"tau": TAU * brian2.second, "tau_g": TAU_G * brian2.second},
        )  # fmt: skip
        synapses = {}
        for name, (model, on_pre, on_post) in BRIAN2.items():
            made = brian2.Synapses(source, group, model, on_pre=on_pre, on_post=on_post or None,
                                   delay={"pre": DELAYS[name] * DT * brian2.second}, clock=clock)
            made.connect()
            made.w = W[name][made.j[:], made.i[:]]
            if name == "short-term":
                made.x = 1
            synapses[name] = made
        spikes, v = brian2.SpikeMonitor(group), brian2.StateMonitor(group, "v", record=True)
        network = brian2.Network(source, group, *synapses.values(), spikes, v)
        network.run(STEPS * DT * brian2.second)
    finally:
        brian2.prefs.codegen.target = before
    weights = {}
    for name, made in synapses.items():
        weights[name] = np.empty((N_P, N_S))
        weights[name][made.j[:], made.i[:]] = made.w[:]
    found = np.column_stack([np.rint(np.asarray(spikes.t_) / DT).astype(int), spikes.i])
    return found[np.lexsort(found.T)], weights, np.asarray(v.v_).T


def test_spikes_are_those_of_brian2(both):
    _, ds, (spikes, _, v) = both
    step = np.rint(ds["P.spike_time"].values / DT).astype(int)
    found = np.column_stack([step, ds["P.spike_unit"].values])
    assert len(spikes) > 60
    assert_array_equal(found[np.lexsort(found.T)], spikes)
    assert_allclose(ds["P.v"].values[0], v, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_weights_are_those_of_brian2(both, name):
    net, ds, (_, weights, _) = both
    label = net.coupling_labels[list(RULES).index(name)]
    w, start = ds[f"{label}.w.final"].values[0], net.couplings[list(RULES).index(name)].weights.W
    assert_allclose(w, weights[name], rtol=1e-10)
    if name == "short-term":
        assert_array_equal(w, start)
    else:
        assert np.abs(w / start - 1).max() > 0.1


@pytest.mark.slow
def test_every_rule_for_spikes_goes_to_brian2():
    """By `nd.interop.to_brian2`, initial values of traces included."""
    random = np.random.default_rng(0)
    pre, post = random.random((250, 5)) < 0.06, random.random((250, 4)) < 0.06
    reward = random.normal(size=post.shape)
    x_pre = np.linspace(0.2, 1, 5)
    net, labels = spike_networks.network(
        pre, post, spike_networks.random_weights(4, 5), delay=2, changed={"facilitating": {"x_pre": x_pre}}
    )
    record = [f"{label}.w" for label in labels.values()]
    ds = spike_networks.simulate(net, post, reward=reward, record=["P.J", *record])
    brian2 = import_brian2()
    before = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    try:
        there = nd.interop.to_brian2(
            net, nd.ExponentialEuler(spike_networks.DT), duration=0.25, record=["P.J"],
            inputs={"P.drive": post.astype(float), "P.reward": reward},
        )  # fmt: skip
        there.network.run(0.25 * brian2.second, namespace={})
    finally:
        brian2.prefs.codegen.target = before
    assert_allclose(ds["P.J"].values[0], there.monitors["P.J"].J_.T, rtol=1e-10, atol=1e-13)
    assert np.ptp(ds["P.J"].values) > 0.1
    for name, label in labels.items():
        w = np.asarray(there.synapses[label].w)
        assert_allclose(ds[f"{label}.w.final"].values.ravel(), w, rtol=1e-10, err_msg=name)
