"""Plastic networks of ours in Brian2: the same spikes, states and weights."""

import numpy as np
import pytest

import neurodyn as nd
from neurodyn import Hz, ms, mV, plasticity
from neurodyn.interop import ConversionError, to_brian2
from tests.neurodyn.interop.agreement import assert_same, run_both
from tests.neurodyn.interop.networks import (
    STDP,
    plastic_network,
    plastic_weights,
    spread,
)

DT = 0.1 * ms


def slow(*values):
    """Cases beyond the first ones: each compiles and runs for seconds."""
    return pytest.param(*values, marks=pytest.mark.slow)


DEPRESSION = nd.plasticity.Plasticity(
    "du_pre/dt = (U - u_pre)/tau_f : 1\ndx_pre/dt = (1 - x_pre)/tau_d : 1",
    on_pre="u_pre += U*(1 - u_pre); ge_post += w*u_pre*x_pre; x_pre -= u_pre*x_pre",
    U=0.2, tau_f=100*ms, tau_d=50*ms,
)  # fmt: skip
REWARDED = nd.plasticity.Plasticity(
    "dx_pre/dt = -x_pre/tau : 1\nds/dt = -s/tau_s : 1\ndw/dt = eta*s*sin(2*pi*t*10*Hz) : volt",
    on_pre="x_pre += 1; s -= 0.1*(v_post + 60*mV)/mV", on_post="s += x_pre",
    bounds=(0*mV, None), tau=20*ms, tau_s=100*ms, eta=0.2*mV/(100*ms),
)  # fmt: skip


@pytest.mark.parametrize(
    "rule, solver, is_sparse, target",
    [
        (STDP, nd.Exact, False, "E.ge"),
        slow(STDP, nd.Euler, True, "E.I"),
        slow(STDP, nd.Heun, True, "E.ge"),
        slow(DEPRESSION, nd.Exact, False, "E.ge"),
        slow(REWARDED, nd.RK4, True, "E.ge"),
    ],
)
def test_plasticity_of_spikes(rule, solver, is_sparse, target):
    network = plastic_network(rule, plastic_weights(is_sparse), target)
    label = f"S.spike->{target}"
    record = ["E.spike", "E.v"] if rule is DEPRESSION else ["E.spike", "E.v", f"{label}.w"]
    record += [f"{label}.s"] if rule is REWARDED else []
    here, there = run_both(network, solver(DT), 0.2, rng=1, record=record)
    assert_same(here, there)
    final = here[f"{label}.w.final"].values[0].reshape(-1)
    np.testing.assert_allclose(there.synapses[label].w_[:], final, rtol=1e-9, atol=1e-15)


@pytest.mark.slow
def test_a_trace_of_the_voltage():
    """Clopath et al. (2010) in outline: the trace follows a state of the population."""
    rule = nd.plasticity.Plasticity(
        "dx_pre/dt = -x_pre/tau_x : 1\ndmean_post/dt = (v_post - mean_post)/tau_m : volt",
        on_pre="x_pre += 1; w = w - a*relu(mean_post - theta)",
        on_post="w = w + b*x_pre*relu(v_post - mean_post)",
        bounds=(0*mV, None), tau_x=20*ms, tau_m=10*ms, a=0.02, b=0.02, theta=-56*mV,
    )  # fmt: skip
    network = plastic_network(rule, plastic_weights(False))
    record = ["E.spike", "E.v", "S.spike->E.ge.w"]
    assert_same(*run_both(network, nd.ExponentialEuler(DT), 0.2, rng=1, record=record))
    with pytest.raises(ConversionError, match="`mean_post` follows `v_post`"):
        to_brian2(network, nd.Exact(DT))


@pytest.mark.slow
def test_plasticity_of_rates():
    """Oja's rule, and one with a sum over the synapses of a unit."""
    inputs = nd.Population(8, "dx/dt = (-x + I)/tau : 1\nr = tanh(x) : 1", tau=10*ms,
                           x=spread(-1, 1))  # fmt: skip
    outputs = nd.Population(5, "dy/dt = (-y + I)/tau : 1\ns = y + 0.1 : 1", tau=5*ms)  # fmt: skip
    rules = [
        nd.plasticity.Plasticity("dw/dt = eta*s_post*(r_pre - s_post*w) : 1", eta=20*Hz),
        nd.plasticity.Plasticity("dw/dt = eta*(s_post*r_pre - w*sum_pre(w*s_post*r_pre)) : 1",
                                 eta=10*Hz, bounds=(-0.5, 0.5)),
    ]  # fmt: skip
    W = np.random.default_rng(1).uniform(-0.5, 0.5, (5, 8))
    network = nd.Network({"E": inputs, "O": outputs}, [
        nd.Coupling("E.r", "E.I", np.random.default_rng(0).normal(size=(8, 8)) / 2),
        *(nd.Coupling("E.r", "O.I", W, plasticity=rule) for rule in rules),
    ])  # fmt: skip
    record = ["E.x", "O.y", "E.r->O.I.w", "E.r->O.I#2.w"]
    assert_same(*run_both(network, nd.ExponentialEuler(DT), 0.1, rng=3, record=record))


@pytest.mark.slow
def test_the_rules_of_the_literature_for_spikes():
    """All that `neurodyn.plasticity` has, each onto a population of its own."""
    w_max = 3 * mV
    rules = {
        "pair": plasticity.pair_stdp(w_max=w_max),
        "power": plasticity.pair_stdp(w_max=w_max, mu_plus=1, mu_minus=0.4),
        "nearest": plasticity.pair_stdp(w_max=w_max, interactions="nearest"),
        "triplet": plasticity.triplet_stdp(w_ref=1*mV),
        "minimal": plasticity.triplet_stdp(w_ref=1*mV, model="minimal", fit="hippocampus"),
        "depressing": plasticity.tsodyks_markram("ge", U=0.3, tau_rec=0.1),
        "facilitating": plasticity.tsodyks_markram("ge", U=0.1, tau_rec=0.1, tau_facil=0.3),
        "inhibitory": plasticity.inhibitory_stdp(eta=0.05*mV),
        "rewarded": plasticity.reward_modulated_stdp(w_max=w_max),
    }  # fmt: skip
    source = nd.spike_source(10, np.arange(400) * 0.5e-3 + 0.3e-3, np.arange(400) * 7 % 10)
    unit = nd.Population(
        10, """
        dv/dt = (ge + El - v)/taum : volt (unless refractory)
        dge/dt = -ge/taue : volt
        reward = sin(2*pi*10*Hz*t) : 1
        """, threshold="v > v_th", reset="v = v_reset", refractory=2*ms, taum=20*ms, taue=5*ms,
        El=-49.5*mV, v_th=-50*mV, v_reset=-60*mV, v=spread(-0.06, -0.05),
    )  # fmt: skip
    W = plastic_weights(False)[:10]
    network = nd.Network({"S": source, **dict.fromkeys(rules, unit)}, [
        nd.Coupling("S.spike", f"{name}.ge", W, delay=1*ms, plasticity=rule)
        for name, rule in rules.items()
    ])  # fmt: skip
    record = [n for name in rules for n in (f"{name}.spike", f"{name}.v")]
    here, there = run_both(network, nd.Exact(DT), 0.2, rng=1, record=record)
    assert_same(here, there)
    for label in network.coupling_labels:
        final = here[f"{label}.w.final"].values[0].reshape(-1)
        np.testing.assert_allclose(there.synapses[label].w_[:], final, rtol=1e-9, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [nd.Euler, nd.ExponentialEuler])
def test_the_rules_of_the_literature_for_rates(solver):
    rules = {
        "hebb": plasticity.hebb(eta=5.0, decay=1.0),
        "anti_hebb": plasticity.anti_hebb(eta=5.0, p=0.1, bounds=(-1.0, 1.0)),
        "oja": plasticity.oja(eta=5.0),
        "subspace": plasticity.oja_subspace(eta=5.0),
        "bcm": plasticity.bcm(eta=5.0, tau_theta=0.05),
        "scaling": plasticity.synaptic_scaling(goal=0.5, beta=1.0, gamma=1.0, tau_a=0.05, post="r"),
    }  # fmt: skip
    unit = nd.Population(4, "dx/dt = (I - x)/tau : 1\nr = relu(x) + 0.1 : 1", tau=0.01,
                         x=spread(0, 1))  # fmt: skip
    source = nd.Population(6, "r = 1 + sin(2*pi*f*t) : 1", f=np.linspace(2, 30, 6) * Hz)
    W = np.random.default_rng(0).uniform(0, 0.5, (4, 6))
    network = nd.Network({"S": source, **dict.fromkeys(rules, unit)}, [
        nd.Coupling("S.r", f"{name}.I", W, plasticity=rule) for name, rule in rules.items()
    ])  # fmt: skip
    record = [f"{name}.x" for name in rules] + [f"{label}.w" for label in network.coupling_labels]
    assert_same(*run_both(network, solver(DT), 0.1, rng=1, record=record))
