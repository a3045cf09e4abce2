"""Networks of ours in Brian2: it must spike in the same steps, and have the same states."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

import neurodyn as nd
from neurodyn import ms, mV
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


@pytest.mark.slow
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
