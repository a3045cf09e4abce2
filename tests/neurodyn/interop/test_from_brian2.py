"""Networks written for Brian2, run by us: they must spike in the same steps."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.interop import ConversionError, from_brian2
from neurodyn.unit_check import import_brian2
from tests.neurodyn.interop.agreement import spikes_here, spikes_there

b2 = import_brian2()
ms, mV, nS, pF, Hz, second = b2.ms, b2.mV, b2.nS, b2.pF, b2.Hz, b2.second


def agree(objects, duration, namespace=None, *, rtol=1e-9, min_spikes=10):
    """Run what Brian2 has, here and there, and compare all that its monitors record."""
    network = b2.Network(*objects)
    taken_over = from_brian2(network, namespace=namespace)
    network.run(duration * second, namespace=namespace or {})
    ds = nd.simulate(**taken_over.arguments(duration))
    monitors = [thing for thing in objects if thing.name.startswith("monitor")]
    n_spikes = 0
    for monitor in monitors:
        source = monitor.source
        if isinstance(monitor, b2.SpikeMonitor):
            expected = spikes_there(monitor, taken_over.solver.dt)
            assert_array_equal(spikes_here(ds, source.name), expected)
            n_spikes += len(expected)
            continue
        step = round(float(monitor.clock.dt_) / (taken_over.every or 1))
        for name in monitor.record_variables:
            expected = getattr(monitor, f"{name}_").T
            values = ds[recorded_name(taken_over, source, name)].values[0, ::step]
            assert_allclose(values, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
    assert n_spikes >= min_spikes
    return taken_over, ds


def recorded_name(taken_over, source, variable):
    if not isinstance(source, b2.Synapses):
        return f"{source.name}.{variable}"
    (label,) = (n for n in taken_over.record if "->" in n and n.endswith(f".{variable}"))
    return label


def monitor(source, variables=None, **more):
    name = f"monitor_{source.name}" + ("" if variables is None else "_states")
    if variables is None:
        return b2.SpikeMonitor(source, name=name)
    more.setdefault("record", True)
    return b2.StateMonitor(source, variables, name=name, **more)


def test_parts_of_groups_and_delays_of_each_synapse():
    """Vogels and Abbott's network in small, as Brian2's CUBA example has it."""
    b2.seed(0)
    P = b2.NeuronGroup(
        100, """
        dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
        dge/dt = -ge/taue : volt
        dgi/dt = -gi/taui : volt
        El : volt (constant)
        unused : 1
        """, threshold="v > Vt", reset="v = Vr", refractory=5*ms, method="exact", name="P",
    )  # fmt: skip
    P.v, P.El = "-60*mV + rand()*10*mV", np.linspace(-49.5, -48, 100) * mV
    excitatory = b2.Synapses(P[:80], P, on_pre="ge += we", delay=1*ms)  # fmt: skip
    excitatory.connect(p=0.1)
    inhibitory = b2.Synapses(P[80:], P[10:], "wi : volt", on_pre="gi -= 2*wi")
    inhibitory.connect(p=0.1)
    inhibitory.wi, inhibitory.delay = "(4.5 + i*0.01)*mV", "1*ms + 2*ms*rand()"
    names = {"taum": 20*ms, "taue": 5*ms, "taui": 10*ms, "Vt": -50*mV, "Vr": -60*mV, "we": 2*mV}  # fmt: skip
    taken_over, ds = agree(
        [P, excitatory, inhibitory, monitor(P), monitor(P, ["v", "gi"], record=[1, 95], dt=1*ms)],
        0.3, names, min_spikes=200,
    )  # fmt: skip
    assert isinstance(taken_over.solver, nd.Exact) and taken_over.solver.dt == 1e-4
    assert taken_over.every == 1e-3 and ds["P.v"].shape == (1, 300, 2)
    couplings = taken_over.network.couplings
    assert sum(c.weights.nnz for c in couplings) == len(excitatory) + len(inhibitory)
    pre = [c.weights.indices for c in couplings if c.target == "P.gi"][0]
    assert pre.min() >= 80


def test_conductances_and_a_network_of_several_groups():
    """Euler's method, which Brian2 takes where nothing else fits."""
    names = {"gL": 10*nS, "EL": -60*mV, "C": 200*pF, "Ee": 0*mV, "taue": 5*ms}  # fmt: skip
    groups = [
        b2.NeuronGroup(n, """
            dv/dt = (gL*(EL - v) + gL*DT*exp((v - VT)/DT) + ge*(Ee - v) - w + I)/C : volt
            dw/dt = (a*(v - EL) - w)/(100*ms) : amp
            dge/dt = -ge/taue : siemens
            I : amp
            DT : volt (shared, constant)
            """, threshold="v > -30*mV", reset="v = EL; w += 20*pA", name=name,
            namespace={"VT": VT, "a": 2*nS})
        for name, n, VT in (("A", 10, -50*mV), ("B", 5, -52*mV))
    ]  # fmt: skip
    objects = list(groups)
    for group in groups:
        group.v, group.DT, group.I = -60*mV, 2*mV, "(250 + 20*i)*pA"  # fmt: skip
        objects += [monitor(group), monitor(group, ["v", "w", "ge"])]
    for pre, post in ((groups[0], groups[1]), (groups[1], groups[0]), (groups[0], groups[0])):
        synapses = b2.Synapses(pre, post, "g : siemens (shared)", on_pre="ge_post = ge_post + g",
                               delay=1.5*ms)  # fmt: skip
        synapses.connect(condition="(i + j) % 3 != 0", n=2)
        synapses.g = 1*nS  # fmt: skip
        objects.append(synapses)
    taken_over, _ = agree(objects, 0.2, names)
    assert isinstance(taken_over.solver, nd.Euler)
    assert taken_over.network.populations["A"].parameters["VT"] == -0.050


@pytest.mark.slow
def test_hodgkin_huxley_by_exponential_euler():
    clock = b2.Clock(dt=0.02*ms)  # fmt: skip
    G = b2.NeuronGroup(
        3, """
        dv/dt = (gl*(El - v) + 20*uS*m**3*h*(50*mV - v) + 6*uS*n**4*(-90*mV - v) + I)/C : volt
        dm/dt = (1 - m)*1.28/exprel((-50*mV - v)/(4*mV))/ms
                - m*1.4/exprel((v + 23*mV)/(5*mV))/ms : 1
        dn/dt = (1 - n)*0.16/exprel((-48*mV - v)/(5*mV))/ms - n*0.5*exp((-53*mV - v)/(40*mV))/ms : 1
        dh/dt = (1 - h)*0.128*exp((-46*mV - v)/(18*mV))/ms - h*4/(1 + exp((-23*mV - v)/(5*mV)))/ms : 1
        I : amp (constant)
        """, threshold="v > -20*mV", refractory="2*tau_r", method="exponential_euler", clock=clock,
        namespace={"C": 200*pF, "gl": 10*nS, "El": -65*mV, "tau_r": 1.5*ms}, name="G",
    )  # fmt: skip
    G.v, G.m, G.h, G.n, G.I = -65*mV, 0.05, 0.6, 0.3, "(0.25 + 0.1*i)*nA"  # fmt: skip
    taken_over, _ = agree([G, monitor(G), monitor(G, ["v", "m"])], 0.05, min_spikes=5)
    assert isinstance(taken_over.solver, nd.ExponentialEuler)
    assert taken_over.network.populations["G"].refractory == pytest.approx(3e-3)


def test_arrays_in_time_unit_numbers_and_refractory_times():
    rng = np.random.default_rng(0)
    names = {"stim": b2.TimedArray(rng.uniform(0, 3, (30, 6)), dt=7*ms), "tau": 10*ms,
             "gate": b2.TimedArray([0.0, 1.0, 2.0], dt=50*ms), "tref": 0.35*ms}  # fmt: skip
    G = b2.NeuronGroup(
        5, """
        dv/dt = (stim(t, i)*f + gate(t)*(i + 1)/N - v)/tau : 1
        f : 1 (constant)
        high : boolean
        theta = 1 + 0.1*int(high) : 1
        """, threshold="v > theta", reset="v = 0.1*i", refractory="tref*(1 + i)", name="G",
    )  # fmt: skip
    G.f, G.high = np.linspace(0.5, 1, 5), [True, False, True, False, True]
    taken_over, _ = agree([G, monitor(G), monitor(G, "v")], 0.3, names)
    # Brian2 counts the whole steps in a time: 0.35 ms are 3 of 0.1 ms
    assert_allclose(taken_over.network.populations["G"].refractory,
                    [3e-4, 7e-4, 1e-3, 1.4e-3, 1.7e-3])  # fmt: skip


def test_pathways_in_both_directions():
    """Several statements to several targets, backwards ones too, each with its own delays."""
    A = b2.NeuronGroup(6, "dv/dt = (1.2 - v)/tau : 1\nthr : 1\ncount : 1", threshold="v > 1 + thr",
                       reset="v = 0; thr += 0.1", namespace={"tau": 10*ms}, name="A")  # fmt: skip
    B = b2.NeuronGroup(4, "dv/dt = (1.1 - v)/tau : 1 (unless refractory)", threshold="v > 1",
                       reset="v -= 1", refractory=3*ms, namespace={"tau": 15*ms}, name="B")  # fmt: skip
    A.v = np.linspace(0, 1, 6)
    S = b2.Synapses(
        A, B, "w : 1\nscaled = w*gain : 1",
        on_pre={"one": "v_post += scaled", "two": "count_pre += 1; v_post -= 0.01"},
        on_post="thr_pre -= 0.02*w*(j + 1)", delay={"one": 1*ms, "two": 2*ms},
        namespace={"gain": 0.5},
    )  # fmt: skip
    S.connect(i=[0, 0, 1, 2, 3, 4, 5, 5], j=[0, 0, 1, 2, 3, 0, 1, 1])
    S.w = np.linspace(0.1, 0.5, 8)
    S.post.delay = np.linspace(0, 2, 8) * ms
    taken_over, _ = agree([A, B, S, monitor(A), monitor(B), monitor(B, "v"),
                           monitor(A, ["v", "thr", "count"])], 0.3)  # fmt: skip
    assert [c.target for c in taken_over.network.couplings] == ["B.v", "A.count", "B.v", "A.thr"]


@pytest.mark.slow
def test_gap_junctions():
    """A sum over synapses of what differs between two units is two couplings."""
    A = b2.NeuronGroup(6, "dv/dt = (I - v + I_gap)/tau : 1\nI_gap : 1\nI : 1 (constant)",
                       threshold="v > 1", reset="v = 0", namespace={"tau": 10*ms}, name="A")  # fmt: skip
    A.I = np.linspace(0.9, 1.5, 6)
    S = b2.Synapses(A, A, "g : 1\nI_gap_post = g*(v_pre - v_post) : 1 (summed)")
    S.connect(condition="i != j")
    S.g = "0.02*i"
    agree([A, S, monitor(A), monitor(A, "v")], 0.3)


def generator(n=20, interval=0.15, duration=300):
    spike = np.arange(int(duration / interval))
    return b2.SpikeGeneratorGroup(n, spike * 7 % n, spike * interval * ms + 0.02 * ms, name="S")


STDP = """
w : 1
dApre/dt = -Apre/taupre : 1 (event-driven)
dApost/dt = -Apost/taupost : 1 (event-driven)
"""
STDP_NAMES = {"taupre": 20*ms, "taupost": 20*ms, "gmax": 0.08, "dApre": 8e-4, "dApost": -8.4e-4}  # fmt: skip


@pytest.mark.parametrize(
    "method", ["euler", pytest.param("exponential_euler", marks=pytest.mark.slow)]
)
def test_spike_timing_dependent_plasticity(method):
    """Song, Miller and Abbott (2000), as Brian2's example has it: traces become units' states."""
    source = generator()
    N = b2.NeuronGroup(3, "dv/dt = (ge*(0*mV - v) - 74*mV - v)/(10*ms) : volt\n"
                       "dge/dt = -ge/(5*ms) : 1", threshold="v > -54*mV", reset="v = -60*mV",
                       method=method, name="N")  # fmt: skip
    N.v = -60*mV  # fmt: skip
    S = b2.Synapses(
        source, N, STDP, on_pre="ge += w\nApre += dApre\nw = clip(w + Apost, 0, gmax)",
        on_post="Apost += dApost\nw = clip(w + Apre, 0, gmax)", name="plastic",
    )  # fmt: skip
    S.connect()
    S.w = np.random.default_rng(0).uniform(0, 0.08, len(S))
    objects = [source, N, S, monitor(N), monitor(N, ["v", "ge"], dt=1*ms),
               monitor(S, "w", record=[0, 7, 59], dt=10*ms)]  # fmt: skip
    taken_over, ds = agree(objects, 0.3, STDP_NAMES)
    assert set(taken_over.network.state_names) == {"N.v", "N.ge", "S.Apre_pre", "N.Apost_post"}
    assert np.ptp(ds["S.spike->N.ge.w"].values, axis=1).min() > 1e-3


def test_short_term_plasticity_with_values_of_each_synapse():
    """Tsodyks and Markram (1997): what begins away from its rest moves from the same moment on."""
    source = generator(4, 1.5)
    N = b2.NeuronGroup(3, "dv/dt = -v/(20*ms) : 1", threshold="v > 1", reset="v = 0", name="N")
    S = b2.Synapses(
        source, N, """
        w : 1 (constant)
        U : 1 (constant)
        du/dt = (U - u)/tauf : 1 (event-driven)
        dx/dt = (1 - x)/taud : 1 (event-driven)
        """, on_pre="u += U*(1 - u)\nv_post += w*u*x\nx -= u*x", delay=2*ms,
        namespace={"tauf": 100*ms, "taud": 50*ms}, name="plastic",
    )  # fmt: skip
    S.connect()
    S.w, S.U, S.u, S.x = np.linspace(0.5, 2, 12), np.linspace(0.1, 0.5, 12), 0.1, 0.7
    agree([source, N, S, monitor(N), monitor(N, "v")], 0.3)


def test_three_factors():
    """Weights that move by themselves, gated by a signal (after Izhikevich 2007)."""
    source = generator(8, 0.6)
    N = b2.NeuronGroup(3, "dv/dt = (ge - v)/(10*ms) : 1\ndge/dt = -ge/(5*ms) : 1\n"
                       "reward = sin(2*pi*10*Hz*t) : 1", threshold="v > 1", reset="v = 0",
                       method="exponential_euler", name="N")  # fmt: skip
    S = b2.Synapses(
        source, N, """
        dw/dt = c*reward_post/(50*ms) : 1 (clock-driven)
        dc/dt = -c/(100*ms) : 1 (clock-driven)
        dapre/dt = -apre/(20*ms) : 1 (event-driven)
        """, on_pre="ge += w; apre += 1; c -= 0.2", on_post="c += apre",
        method="exponential_euler", name="plastic",
    )  # fmt: skip
    S.connect()
    S.w = np.linspace(0.5, 1.5, 24)
    with pytest.raises(ConversionError, match="read `reward_post` after that has been updated"):
        from_brian2([source, N, S])
    S.state_updater.order = -1
    agree([source, N, S, monitor(N), monitor(S, ["w", "c"])], 0.2)


def test_rates_that_are_written_as_text():
    """A rate of 1/dt spikes in every step, one of 0 never: chance does not come in."""
    P = b2.PoissonGroup(4, rates="gate(t, i)*scale", name="P", namespace={"scale": 10})
    G = b2.NeuronGroup(4, "dv/dt = -v/(10*ms) : 1", name="G", method="exact")
    S = b2.Synapses(P[1:], G[1:], "w : 1", on_pre="v += w")
    S.connect(j="i")
    S.w = [1, 2, 3]
    pattern = np.random.default_rng(0).integers(0, 2, (20, 4))
    names = {"gate": b2.TimedArray(pattern * 1000 * Hz, dt=1*ms)}  # fmt: skip
    agree([P, G, S, monitor(P), monitor(G, "v")], 0.02, names)


def test_arrays_in_time_that_runge_kutta_reads_between_steps():
    names = {"stim": b2.TimedArray(np.random.default_rng(0).uniform(0, 3, 100), dt=1*ms)}  # fmt: skip
    between = lif(model="dv/dt = (stim(t) - v)/tau : 1", method="rk4", name="G")
    with pytest.raises(ConversionError, match=r"rk4 reads a TimedArray between steps"):
        from_brian2([between], namespace=names)
    held = lif(model="dv/dt = (I - v)/tau : 1\nI = stim(t) : 1 (constant over dt)", method="rk4",
               name="G")  # fmt: skip
    taken_over, _ = agree([held, monitor(held), monitor(held, ["v", "I"])], 0.1, names)
    assert isinstance(taken_over.solver, nd.RK4)
    moving = lif(model="dv/dt = -v/tau : 1\nI = 2*v : 1 (constant over dt)", name="G")
    with pytest.raises(ConversionError, match=r"\(constant over dt\) and depends on `v`"):
        from_brian2([moving])
    between._network = moving._network = "never run"


# -- what cannot be taken over -----------------------------------------------------------------


def lif(n=3, **more):
    given = dict(threshold="v > 1", reset="v = 0", namespace={"tau": 10*ms}) | more  # fmt: skip
    return b2.NeuronGroup(n, given.pop("model", "dv/dt = -v/tau : 1"), **given)


def joined(G, *args, connect=True, **more):
    synapses = b2.Synapses(G, G, *args, **more)
    if connect:
        synapses.connect()
    return synapses


def custom_event(G):
    return lif(events={"high": "v > 0.5"}, name="G2")


def run_regularly(G):
    other = lif(name="G2")
    other.run_regularly("v += 0.1", dt=10*ms)  # fmt: skip
    return other


def other_clock(G):
    return lif(dt=0.2*ms, name="G2")  # fmt: skip


def own_function(G):
    f = b2.Function(lambda x: x, arg_units=[1], return_unit=1)
    return lif(threshold="f(v) > 1", namespace={"f": f, "tau": 10*ms}, name="G2")  # fmt: skip


def linked(G):
    other = lif(model="dv/dt = -v/tau : 1\nu : 1 (linked)", name="G2")
    other.u = b2.linked_var(G, "v")
    return other


def resets_late(G):
    other = lif(name="G2")
    other.resetter["spike"].when = "end"
    return other


@pytest.mark.parametrize(
    "make, name, reason",
    [
        (lambda G: b2.NetworkOperation(lambda: None, name="op"), "op", "runs Python code"),
        (run_regularly, "G2", r"statements of its own \(`v \+= 0.1`\)"),
        (custom_event, "G2", "the event `high` is one of its own"),
        (other_clock, "the clocks", "`G` has dt = 0.0001 s, `G2` 0.0002 s"),
        (own_function, "G2", r"`f\(\)` is a function of one's own"),
        (linked, "G2.u", "linked to a variable of another group"),
        (resets_late, "G2", "`G2_spike_resetter` runs in the slot end, not in resets"),
        (lambda G: lif(refractory="v > 0.5", name="G2"), "G2", "'v > 0.5' is a condition"),
        (lambda G: lif(threshold="v > theta", name="G2"), "G2", "`theta` has no value; give it in"),
        (lambda G: lif(threshold="t - lastspike > 10*ms", refractory=1*ms, name="G2"), "G2",
         "uses `lastspike`, the time of the last spike"),
        (lambda G: lif(reset="v = rand()", name="G2"), "G2", r"`rand\(\)` can stand once"),
        (lambda G: lif(method="rk2", name="G2"), "G2", "its method is rk2"),
        (lambda G: lif(reset="v = 2", name="G2"), "G2", "would spike in every step"),
        (lambda G: joined(G, on_pre="v_post = 0.5", name="S"), "S", "can only add to a variable"),
        (lambda G: joined(G, on_pre="v_post += v_pre", name="S"), "S", "`v_pre` is no constant"),
        (lambda G: joined(G, "w : 1", on_pre="v_post += w*rand()", name="S"), "S",
         r"`rand\(\)` can|has no counterpart|not constant"),
        (lambda G: joined(G, "w : 1", on_pre="w += 1", name="S"), "S", "deliver nothing"),
        (lambda G: joined(G, "w : 1", on_pre="v_post += w; w += 1", on_post="v_pre += 1",
                          name="S"), "S", "`on_post` changes `v_pre`"),
        (lambda G: b2.SpikeGeneratorGroup(1, [0], [0]*ms, period=10*ms, name="P"), "P",
         "repeats its spikes"),
        (lambda G: b2.SpikeMonitor(G, variables="v", name="M"), "M", "records `v` with each spike"),
        (lambda G: b2.StateMonitor(G, "v", record=True, when="end", name="M"), "M", "slot end"),
        (lambda G: b2.SpikeMonitor(lif(name="G2"), name="M"), "M", "`G2` is not in the network"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_over_is_named(make, name, reason):
    G = lif(name="G")
    thing = make(G)
    with pytest.raises(ConversionError, match=reason) as found:
        from_brian2([G, thing])
    assert [n for n, _ in found.value.obstacles] == [name]
    for unused in (G, thing, getattr(thing, "source", G)):
        unused._network = "never run"  # else Brian2 complains that it was not


def test_all_obstacles_are_in_one_error():
    G, H = lif(name="G", refractory="v > 0.5"), lif(name="H", method="rk4")
    operation = b2.NetworkOperation(lambda: None, name="op")
    S = b2.Synapses(G, H, on_pre="v_post *= 2", name="S")
    S.connect()
    network = b2.Network(G, H, S)
    with pytest.raises(ConversionError) as found:
        from_brian2(network)
    text = str(found.value)
    assert {n for n, _ in found.value.obstacles} == {"G", "S", "the method of integration"}
    assert "`G` exact" in text and "`H` rk4" in text and "give `solver`" in text
    network.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]
    with pytest.raises(ConversionError, match="its schedule is"):
        from_brian2(network)
    operation._network = "never run"


def test_a_network_that_has_run():
    G = lif(name="G")
    network = b2.Network(G)
    network.store()
    network.run(1*ms)  # fmt: skip
    with pytest.raises(ConversionError, match=r"has run already, to t = 0.001 s"):
        from_brian2(network)
    network.restore()
    assert from_brian2(network).network.populations["G"].size == 3


def test_wrong_arguments():
    G = lif(name="G")
    with pytest.raises(TypeError, match="must be a brian2.Network or a list"):
        from_brian2(G)
    with pytest.raises(TypeError, match="`namespace` must be a dict"):
        from_brian2([G], namespace=[("tau", 1)])
    with pytest.raises(TypeError, match="`solver` must be a solver"):
        from_brian2([G], solver=0.1)
    chosen = from_brian2([G], solver=nd.RK4(5e-5))
    assert chosen.solver == nd.RK4(5e-5)
    G._network = "never run"


def test_monitors_of_what_does_not_change_are_left_out():
    G = lif(model="dv/dt = (I - v)/tau : 1\nI : 1", name="G")
    M = b2.StateMonitor(G[1:], ["v", "I"], record=[0], dt=1*ms)  # fmt: skip
    rate = b2.PopulationRateMonitor(G)
    with pytest.warns(UserWarning, match="records `I`, which does not change"):
        taken_over = from_brian2(b2.Network(G, M, rate))
    assert list(taken_over.record["G.v"]) == [1] and taken_over.record["G.spike_rate"] is None
    assert set(taken_over.record) == {"G.v", "G.spike_rate"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert from_brian2(b2.Network(G)).arguments(1.0)["record"] is None
