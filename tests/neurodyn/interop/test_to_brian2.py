"""Networks of ours in Brian2: it must spike in the same steps, and have the same states."""

import numpy as np
import pytest
from scipy import sparse

import neurodyn as nd
from neurodyn import Hz, ms, mV
from neurodyn.interop import ConversionError, to_brian2
from tests.neurodyn.interop.agreement import assert_same, run_both
from tests.neurodyn.interop.networks import (
    QUANTUM,
    adaptive_exponential,
    exponential_integrate_and_fire,
    generalized,
    hodgkin_huxley,
    integrate_and_fire,
    izhikevich,
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


SOLVERS = [nd.Exact, nd.ExponentialEuler, nd.Euler, nd.RK4, nd.Heun]


@pytest.mark.parametrize("solver", SOLVERS)
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


@pytest.mark.parametrize("solver", [nd.Exact, nd.RK4])
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


@pytest.mark.parametrize("solver", [nd.Euler, nd.ExponentialEuler])
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


STDP = nd.plasticity.Plasticity(
    "dx_pre/dt = -x_pre/tau_plus : 1\ndy_post/dt = -y_post/tau_minus : 1",
    on_pre="x_pre += 1; w = w - A_minus*y_post", on_post="y_post += 1; w = w + A_plus*x_pre",
    bounds=(0*mV, 3*mV), tau_plus=20*ms, tau_minus=15*ms, A_plus=0.05*mV, A_minus=0.06*mV,
)  # fmt: skip
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


def plastic_network(rule, weights, target="E.ge"):
    rng = np.random.default_rng(0)
    source = nd.spike_source(10, np.arange(400) * 0.5e-3 + 0.3e-3, rng.integers(0, 10, 400))
    unit = integrate_and_fire(synapse="exponential", El=-49.5*mV)  # fmt: skip
    coupling = nd.Coupling("S.spike", target, weights, delay=1*ms, plasticity=rule)  # fmt: skip
    return nd.Network({"S": source, "E": unit}, [coupling])


def plastic_weights(is_sparse):
    rng = np.random.default_rng(7)
    W = rng.uniform(0, 2.5e-3, (20, 10))
    W[:, 0] = 0.0  # synapses too: they may grow
    return sparse.csr_array(np.where(rng.random(W.shape) < 0.5, W, 0)) if is_sparse else W


@pytest.mark.parametrize(
    "rule, solver, is_sparse, target",
    [
        (STDP, nd.Exact, False, "E.ge"),
        (STDP, nd.Euler, True, "E.I"),
        (STDP, nd.Heun, True, "E.ge"),
        (DEPRESSION, nd.Exact, False, "E.ge"),
        (REWARDED, nd.RK4, False, "E.ge"),
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
