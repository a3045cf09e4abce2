"""Networks of ours in Brian2: it must spike in the same steps, and have the same states."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

import neurodyn as nd
from neurodyn import Hz, ms, mV, plasticity
from neurodyn.interop import ConversionError, to_brian2
from tests.neurodyn.interop.agreement import assert_same, run_both, spikes_here, spikes_there
from tests.neurodyn.interop.networks import (
    QUANTUM,
    STDP,
    adaptive_exponential,
    exponential_integrate_and_fire,
    generalized,
    hodgkin_huxley,
    integrate_and_fire,
    izhikevich,
    plastic_network,
    plastic_weights,
    quantized,
    spread,
)

DT = 0.1 * ms


def test_refractory_units_and_delta_synapses():
    """Spikes that arrive while a unit rests are lost where v is clamped, that of the spike too."""
    members = {
        "clamped": integrate_and_fire(),
        "free": integrate_and_fire(flag=""),
        "subtracted": integrate_and_fire(reset="v -= theta", theta=10*mV),  # fmt: skip
        "never": integrate_and_fire(reset="v -= theta", theta=10*mV, refractory=None),  # fmt: skip
        "some": integrate_and_fire(reset="v -= theta", theta=10*mV,
                                   refractory=np.repeat([0.0, 0.002], 10)),
    }  # fmt: skip
    W, W_inh = quantized((20, 20), 0.3), -quantized((20, 20), 0.2, rng=1)
    couplings = []
    for k, name in enumerate(members):
        couplings.append(nd.Coupling(f"{name}.spike", f"{name}.v", W, delay=k % 3 * DT))
        couplings.append(nd.Coupling(f"{name}.spike", f"{name}.v", W_inh, delay=0.7*ms))  # fmt: skip
    record = [f"{name}.{what}" for name in members for what in ("spike", "v")]
    assert_same(*run_both(nd.Network(members, couplings), nd.Exact(DT), 0.2, record=record, rng=1))


def slow(*values):
    """Cases beyond the first ones: each compiles and runs for seconds."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "solver", [nd.Exact, nd.Euler, slow(nd.ExponentialEuler), slow(nd.RK4), slow(nd.Heun)]
)
def test_every_solver_and_synapse(solver):
    kinds = {"exponential": ("ge", 4), "alpha": ("h", 8), "conductance": ("g_exc", 100)}
    if solver is nd.Exact:
        del kinds["conductance"]  # not linear
    members = {kind: integrate_and_fire(synapse=kind) for kind in kinds}
    couplings = [
        nd.Coupling(f"{kind}.spike", f"{kind}.{target}", quantized((20, 20), 0.3, scale),
                    delay=1*ms)
        for kind, (target, scale) in kinds.items()
    ]  # fmt: skip
    record = [f"{kind}.{what}" for kind, (target, _) in kinds.items()
              for what in ("spike", "v", target)]  # fmt: skip
    network = nd.Network(members, couplings)
    assert_same(*run_both(network, solver(DT), 0.15, record=record, rng=2))


def test_models_beyond_the_linear():
    members = {"eif": exponential_integrate_and_fire(), "adex": adaptive_exponential(),
               "izh": izhikevich()}  # fmt: skip
    W = quantized((20, 20), 0.2)
    couplings = [
        nd.Coupling("eif.spike", "eif.v", W, delay=1*ms),
        nd.Coupling("adex.spike", "adex.ge", W*1e-6, delay=2*ms),
        nd.Coupling("izh.spike", "izh.I", W*1000, delay=5*ms),
        nd.Coupling("adex.spike", "izh.I", W*1000, delay=5*ms),
    ]  # fmt: skip
    record = [f"{n}.{v}" for n, states in [("eif", "v"), ("adex", "vw"), ("izh", "vuI")]
              for v in ("spike", *states)]  # fmt: skip
    assert_same(*run_both(nd.Network(members, couplings), nd.Euler(0.05*ms), 0.15, record=record))  # fmt: skip


@pytest.mark.slow
def test_hodgkin_huxley():
    network = nd.Network({"E": hodgkin_huxley()},
                         [nd.Coupling("E.spike", "E.v", np.full((3, 3), QUANTUM), delay=1*ms)])  # fmt: skip
    here, there = run_both(network, nd.ExponentialEuler(0.01*ms), 0.05,
                           record=["E.spike", "E.v", "E.m", "E.n", "E.h"], every=0.1*ms)  # fmt: skip
    assert_same(here, there, min_spikes=5)


def test_resets_that_change_everything():
    network = nd.Network({"E": generalized()},
                         [nd.Coupling("E.spike", "E.v", quantized((20, 20), 0.3), delay=DT)])  # fmt: skip
    record = [f"E.{name}" for name in ("spike", "v", "th", "after", "count")]
    here, there = run_both(network, nd.Exact(DT), 0.2, record=record)
    assert_same(here, there)
    assert there.groups["E"].variables["count"].size == 20
    assert "count" not in there.groups["E"].equations.diff_eq_names  # nothing moves it but spikes


def test_weights_of_all_kinds_delays_and_values_of_each_unit():
    n, rng = 20, np.random.default_rng(5)
    taum, v_th = rng.uniform(0.015, 0.025, n), rng.uniform(-0.0515, -0.050, n)
    unit = integrate_and_fire(synapse="exponential", taum=taum, v_th=v_th,
                              refractory=rng.integers(0, 30, n) * 1e-4)  # fmt: skip
    W = quantized((n, n), 0.3, 4)
    S = sparse.random_array((n, n), density=0.2, rng=rng)
    S.data[:] = QUANTUM
    pairs = rng.integers(0, n, (2, 30))
    separate = nd.weights.Sparse.from_synapses(pairs[0], pairs[1], QUANTUM, (n, n))
    combined = nd.weights.LowRank(np.full(n, QUANTUM), np.full(n, 0.25)) - np.diag(
        np.full(n, QUANTUM)) + nd.weights.Diagonal(np.linspace(-1, 1, n) * QUANTUM)  # fmt: skip
    couplings = [
        nd.Coupling("E.spike", "E.ge", W, delay=rng.integers(0, 40, (n, n)) * 1e-4),
        nd.Coupling("E.spike", "E.ge", S, delay=rng.integers(0, 40, S.nnz) * 1e-4),
        nd.Coupling("E.spike", "E.ge", separate, delay=rng.integers(0, 40, 30) * 1e-4),
        nd.Coupling("E.spike", "E.ge", combined, delay=0.4*ms),
        nd.Coupling("E.spike", "E.ge", nd.weights.Transpose(W * -0.5)),
    ]  # fmt: skip
    here, there = run_both(nd.Network({"E": unit}, couplings), nd.Exact(DT), 0.2, rng=1,
                           record=["E.spike", "E.v", "E.ge"])  # fmt: skip
    assert_same(here, there)
    assert list(there.synapses) == ["E.spike->E.ge", *(f"E.spike->E.ge#{k}" for k in range(2, 6))]
    assert len(there.synapses["E.spike->E.ge#3"]) == 30


def test_a_recurrent_network_of_a_hundred_units():
    """Weights that add up exactly, and strong enough inhibition that nothing runs away."""
    unit = dict(synapse="exponential", El=-49*mV)  # fmt: skip
    members = {"E": integrate_and_fire(80, **unit), "I": integrate_and_fire(20, **unit)}
    sizes = {"E": 80, "I": 20}
    couplings = [
        nd.Coupling(f"{a}.spike", f"{b}.ge",
                    quantized((sizes[b], sizes[a]), 0.1, 1 if a == "E" else -4, rng=k),
                    delay=(1.5 if a == "E" else 0.8)*ms)
        for k, (a, b) in enumerate(["EE", "EI", "IE", "II"])
    ]  # fmt: skip
    here, there = run_both(nd.Network(members, couplings), nd.Exact(DT), 0.3, rng=4)
    assert_same(here, there, min_spikes=100)


def test_the_numbers_of_a_trial():
    """Initial values and random signals are those that simulate gives to the same trial."""
    unit = integrate_and_fire(synapse="exponential", El=-52*mV)  # fmt: skip
    network = nd.Network({"E": unit}, [nd.Coupling("E.spike", "E.ge", quantized((20, 20), 0.3))])
    noise = nd.signals.OrnsteinUhlenbeck(sigma=3*mV, tau=5*ms, mean=3*mV)  # fmt: skip
    for trial in (0, 2):
        here, there = run_both(network, nd.Exact(DT), 0.1, rng=3, trial=trial,
                               record=["E.spike", "E.v", "E.I"], inputs={"E.I": noise},
                               initial={"E.ge": np.linspace(0, 0.01, 20)})  # fmt: skip
        assert_same(here, there, trial=trial)


@pytest.mark.parametrize("solver", [nd.RK4, slow(nd.Exact)])
def test_inputs(solver):
    """All that may end at one input; a signal is held over the step, also for Runge-Kutta."""
    rng = np.random.default_rng(0)
    members = {"E": integrate_and_fire(synapse="exponential", El=-55*mV),
               "F": integrate_and_fire(El=-55*mV)}  # fmt: skip
    couplings = [nd.Coupling("E.spike", "E.I", quantized((20, 20), 0.3, 20), delay=0.3*ms),
                 nd.Coupling("F.spike", "E.ge", quantized((20, 20), 0.2))]  # fmt: skip
    inputs = {"E.I": nd.signals.ArraySignal(rng.uniform(0, 0.012, 300), dt=0.5*ms),
              "F.I": rng.uniform(0.002, 0.015, (1500, 20))}  # fmt: skip
    here, there = run_both(nd.Network(members, couplings), solver(DT), 0.15, rng=1, inputs=inputs,
                           record=["E.spike", "F.spike", "E.v", "E.I", "F.I"])  # fmt: skip
    assert_same(here, there)
    each = nd.signals.Constant(np.linspace(2, 8, 20) * mV)
    here, there = run_both(nd.Network(members, couplings), solver(DT), 0.15, rng=1,
                           inputs={"F.I": 6*mV, "E.I": each}, record=["E.spike", "E.v", "F.v"])  # fmt: skip
    assert_same(here, there)


def test_sources_chains_and_nested_networks():
    rng = np.random.default_rng(0)
    time = np.sort(rng.integers(0, 1500, 200)) * 1e-4
    members = {"E": integrate_and_fire(synapse="exponential", El=-53*mV),
               "I": integrate_and_fire(synapse="exponential", El=-53*mV, taum=10*ms)}  # fmt: skip
    column = nd.Network(members, [
        nd.Coupling("E.spike", "I.ge", quantized((20, 20), 0.3, 4), delay=0.5*ms),
        nd.Coupling("I.spike", "E.ge", -quantized((20, 20), 0.3, 2), delay=1.2*ms),
    ])  # fmt: skip
    network = nd.Network(
        {"S": nd.spike_source(40, time, np.arange(200) % 40), "A": column, "B": column,
         "mute": nd.spike_source(2, [], [])},
        [
            nd.Coupling("S.spike", "A/E.ge", quantized((20, 40), 0.5, 8)),
            nd.Coupling("A/I.spike", "B/E.ge", quantized((20, 20), 0.5, 8), delay=2*ms),
            nd.Coupling("mute.spike", "B/E.ge", np.ones((20, 2))),
            nd.Coupling("A/E.spike", "B/I.ge", np.zeros((20, 20))),
        ],
    )  # fmt: skip
    record = ["S.spike", "A/E.spike", "A/I.spike", "B/E.spike", "B/I.spike", "B/E.v"]
    here, there = run_both(network, nd.Exact(DT), 0.15, rng=1, record=record)
    assert_same(here, there)
    assert len(there.synapses["A/E.spike->B/I.ge"]) == 0


@pytest.mark.parametrize("solver", [nd.ExponentialEuler, slow(nd.Euler)])
def test_rates(solver):
    """Couplings of rates in several stages, and every function that Brian2 lacks."""
    rng = np.random.default_rng(0)
    units = nd.Population(
        8, """
        dx/dt = (-x + drive + late + z)/tau : 1
        r = tanh(x) : 1
        y = relu(late) + sigmoid(late) + softplus(late) + leaky_relu(late, 0.1)
            + heaviside(late) + spike(late - 0.1) + clip(late, -1, 1) : 1
        """, tau=10*ms, x=spread(-1, 1),
    )  # fmt: skip
    counter = nd.Population(8, "dn/dt = -n/tau : 1", tau=50*ms, n=3.0)  # fmt: skip
    network = nd.Network({"E": units, "S": integrate_and_fire(8), "C": counter}, [
        nd.Coupling("E.r", "E.drive", rng.normal(size=(8, 8))),
        nd.Coupling("E.x", "E.drive", nd.weights.Diagonal(np.full(8, 0.3))),
        nd.Coupling("E.drive", "E.late", rng.normal(size=(8, 8)) / 4),
        nd.Coupling("E.y", "E.z", rng.normal(size=(8, 8)) / 4),
        nd.Coupling("E.y", "S.I", np.eye(8) * 1e-3),
        nd.Coupling("S.spike", "C.n", np.ones((8, 8))),
        nd.Coupling("C.n", "E.z", np.eye(8) / 100),
    ])  # fmt: skip
    record = ["E.x", "E.r", "E.y", "E.drive", "E.late", "E.z", "S.spike", "S.v", "C.n"]
    here, there = run_both(network, solver(DT), 0.1, rng=1, inputs={"E.drive": 0.3}, record=record)
    assert_same(here, there)


# -- plasticity --------------------------------------------------------------------------------


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
        (REWARDED, nd.RK4, True, "E.ge"),
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


# -- what cannot be said, and how it is told -----------------------------------------------------


def test_everything_that_brian2_cannot_express_is_named():
    unit = nd.Population(3, "dx/dt = (-x + I + N)/tau + xi/sqrt(second) + xi_b/sqrt(second) : 1",
                         tau=0.01, N=1.0)  # fmt: skip
    network = nd.Network({"E": unit}, [
        nd.Coupling("E.x", "E.I", np.eye(3)),
        nd.PoissonInput("E.I", rate=[1.0, 2.0, 3.0], weight=1.0, n_sources=4),
    ])  # fmt: skip
    with pytest.raises(ConversionError) as found:
        to_brian2(network, nd.Heun(DT))
    reasons = dict(found.value.obstacles)
    assert set(reasons) == {"E.N", "E.x->E.I", "Poisson->E.I"}
    assert "Brian2 keeps such a name for itself" in reasons["E.N"]
    assert "use nd.Euler" in reasons["E.x->E.I"] and "`rate` as one number" in reasons["Poisson->E.I"]
    assert all(f"  {name}: {reason}" in str(found.value) for name, reason in reasons.items())


@pytest.mark.parametrize(
    "equations, solver, reason",
    [
        ("dx/dt = -x*x/tau : 1", nd.ExponentialEuler(DT), "Can only solve conditionally linear"),
        ("dx/dt = 1/tau : 1", nd.Exact(DT), "Cannot solve the given equations"),
        ("dx/dt = -x/tau : 1", nd.DormandPrince(DT), "Brian2 steps on a fixed grid"),
        ("dx/dt = -x/tau + xi/sqrt(tau) + xi_b/sqrt(tau) : 1", nd.Heun(DT), "several noise"),
    ],
)
def test_methods_that_brian2_does_not_have(equations, solver, reason):
    network = nd.Network({"E": nd.Population(3, equations, tau=0.01)})
    with pytest.raises(ConversionError, match=reason):
        to_brian2(network, solver)


def test_what_monitors_cannot_see():
    unit = nd.Population(3, "dx/dt = -x/tau + xi/sqrt(tau) : 1", threshold="x > 1", reset="x = 0",
                         tau=0.01)  # fmt: skip
    network = nd.Network({"E": unit})
    with pytest.raises(ConversionError) as found:
        to_brian2(network, nd.Euler(DT), record={"E.xi": None, "E.spike": [0, 2]})
    assert {name for name, _ in found.value.obstacles} == {"E.xi", "E.spike"}
    there = to_brian2(network, nd.Euler(DT), record={"E.x": [2], "E.spike_rate": None}, every=1*ms)  # fmt: skip
    assert list(there.monitors["E.x"].record) == [2]
    assert float(there.monitors["E.x"].clock.dt) == 1e-3
    assert set(there.monitors) == {"E.x", "E.spike_rate"}
    there.network.remove(*there.network.objects)


def test_wrong_arguments():
    network = nd.Network({"E": integrate_and_fire()})
    varying = {"E.I": np.zeros(10)}
    for arguments, message in [
        ({"inputs": varying}, "`duration` is needed, because the input `E.I` varies in time"),
        ({"inputs": varying, "duration": 1.0}, "hold 10 samples"),
        ({"inputs": {"E.J": 1.0}}, "no `J`"),
        ({"initial": {"E.J": 1.0}}, "no `J`"),
        ({"initial": {"E.I": 1.0}}, "`E.I` is not a state"),
        ({"record": ["E.u"]}, "no `u`"),
    ]:
        with pytest.raises(ValueError, match=message):
            to_brian2(network, nd.Exact(DT), **arguments)
    with pytest.raises(TypeError, match="`solver` must be a solver"):
        to_brian2(network, 0.1)
    with pytest.raises(TypeError, match="`initial` must be a dict of states"):
        to_brian2(network, nd.Exact(DT), initial=nd.simulate(network, nd.Exact(DT), 1*ms))  # fmt: skip


def test_nothing_of_brian2_is_changed(brian2_by_numpy):
    """Neither its preferences, device or clock, nor how the interpreter treats errors and Ctrl-C."""
    code = """
import signal, sys
before = signal.getsignal(signal.SIGINT), sys.excepthook
import neurodyn as nd
net = nd.Network({"E": nd.Population(2, "dx/dt = -x/tau : 1", tau=0.01, x=1.0)})
there = nd.interop.to_brian2(net, nd.Exact(5e-4))
back = nd.interop.from_brian2(there.network)
assert (signal.getsignal(signal.SIGINT), sys.excepthook) == before
import brian2
assert brian2.prefs.codegen.target == "auto" and brian2.get_device().__class__.__name__ == "RuntimeDevice"
assert float(brian2.defaultclock.dt) == 1e-4 and float(there.groups["E"].clock.dt) == 5e-4
assert not brian2.magic_network.objects and there.groups["E"] not in brian2.collect()
assert back.solver.dt == 5e-4
there.groups["E"]._network = "never run"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert set(nd.interop.__all__) <= set(dir(nd.interop))


# -- chance ------------------------------------------------------------------------------------


def rates_and_intervals(step, unit, n_units, duration):
    """Rate (Hz) and coefficient of variation of the intervals of each unit."""
    order = np.lexsort((step, unit))
    trains = np.split(step[order] * 1e-4, np.cumsum(np.bincount(unit, minlength=n_units))[:-1])
    intervals = [np.diff(train) for train in trains]
    cv = [i.std(ddof=1) / i.mean() for i in intervals if i.size > 4]
    return np.array([train.size / duration for train in trains]), np.array(cv)


def assert_same_mean(a, b):
    """Means of independent samples agree within 4.5 standard errors."""
    error = np.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b))
    assert abs(np.mean(a) - np.mean(b)) < 4.5 * error, (np.mean(a), np.mean(b), error)


def leaky(n, text="-v/tau", **values):
    return nd.Population(n, f"dv/dt = {text} : volt (unless refractory)", threshold="v > v_th",
                         reset="v = v_reset", refractory=2*ms, tau=20*ms, v_th=20*mV,
                         v_reset=10*mV, **values)  # fmt: skip


N_UNITS = 300


@pytest.mark.parametrize(
    "kind, solver",
    [
        ("poisson", nd.Exact),
        ("binomial", nd.Exact),
        slow("noise", nd.Euler),
        slow("scaled", nd.Heun),
    ],
)
def test_random_input_has_the_same_statistics(kind, solver, brian2_by_numpy):
    """Independent units, each a sample: rates and intervals, and the covariance of units is 0."""
    noise = {"noise": ("(m - v)/tau + s*sqrt(2/tau)*xi", {"m": 15*mV, "s": 5*mV}),
             "scaled": ("(m - v)/tau + s*v*sqrt(2/tau)*xi", {"m": 19*mV, "s": 0.3})}  # fmt: skip
    text, values = noise.get(kind, ("-v/tau", {}))
    given = [] if kind in noise else [
        nd.PoissonInput("E.v", rate=8000*Hz, weight=0.12*mV) if kind == "poisson" else
        nd.PoissonInput("E.v", rate=40*Hz, weight=0.12*mV, n_sources=200)
    ]  # fmt: skip
    network = nd.Network({"E": leaky(N_UNITS, text, v=spread(0, 0.02), **values)}, given)
    brian2_by_numpy.seed(11)
    here, there = run_both(network, solver(DT), 1.0, rng=5)
    found = [spikes_here(here, "E"), spikes_there(there.monitors["E.spike"], 1e-4)]
    rates, cvs = zip(*(rates_and_intervals(s[:, 0], s[:, 1], N_UNITS, 1.0) for s in found))
    assert_same_mean(*rates)
    assert_same_mean(*cvs)
    for spikes in found:  # of independent units the variance of the sum is the sum of variances
        counts = np.zeros((100, N_UNITS))
        np.add.at(counts, (spikes[:, 0] // 100, spikes[:, 1]), 1)
        ratio = counts[20:].sum(axis=1).var(ddof=1) / counts[20:].var(axis=0, ddof=1).sum()
        assert abs(ratio - 1) < 4.5 * np.sqrt(2 / 79)


@pytest.mark.slow
def test_shared_poisson_sources_have_the_same_statistics(brian2_by_numpy):
    """40 separate groups of 5 units, each with 10 of 20 common sources: also how units correlate."""
    n_groups, n_pre, n_post = 40, 20, 5
    rng = np.random.default_rng(1)
    chosen = np.array([rng.permutation(n_pre) < 10 for _ in range(n_groups * n_post)])
    blocks = np.kron(np.eye(n_groups), np.ones((n_post, n_pre)))
    W = blocks * np.tile(chosen, (1, n_groups)) * 3.5e-3
    rate = np.tile(np.linspace(20, 60, n_pre), n_groups)
    network = nd.Network(
        {"P": nd.poisson_source(n_groups * n_pre, rate=rate), "E": leaky(n_groups * n_post)},
        [nd.Coupling("P.spike", "E.v", sparse.csr_array(W), delay=1*ms)],
    )  # fmt: skip
    brian2_by_numpy.seed(12)
    here, there = run_both(network, nd.Exact(DT), 2.0, rng=6)
    sources, counts = [], []
    for k in range(2):
        pair = [spikes_there(there.monitors[f"{name}.spike"], 1e-4) if k else
                spikes_here(here, name) for name in "PE"]  # fmt: skip
        sources.append(np.bincount(pair[0][:, 1], minlength=n_groups * n_pre))
        binned = np.zeros((n_groups * n_post, 100))  # of 20 ms
        np.add.at(binned, (pair[1][:, 1], pair[1][:, 0] // 200), 1)
        counts.append(binned)
    assert_same_mean(*(c - 2.0 * rate for c in sources))
    groups = [c.sum(axis=1).reshape(n_groups, n_post).mean(axis=1) for c in counts]
    assert_same_mean(*groups)
    assert groups[0].mean() > 10
    pairs = np.triu_indices(n_post, 1)
    correlations = [
        [np.corrcoef(group)[pairs].mean() for group in c.reshape(n_groups, n_post, -1)]
        for c in counts
    ]
    assert_same_mean(*correlations)
    assert np.mean(correlations[0]) > 0.2
