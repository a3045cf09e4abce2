"""Self-sustained activity: synapses and units of the benchmarks, Brian2 as a referee, the claims."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.circuits import self_sustained_activity as circuit
from neurodyn.experiments import run_experiment

CIRCUIT = circuit.CIRCUIT


# ------------------------------------------------------------------------------ structure


@pytest.mark.parametrize("variant, quantum_e, quantum_i", [
    ("COBA", 0.6, 6.7), ("COBA, PyNN", 0.4, 5.1), ("CUBA", 0.027, 0.45)])
def test_synapses(variant, quantum_e, quantum_i):
    """Every pair with probability 0.02; quanta in units of the leak, 10 nS; no delay."""
    net = circuit.network(variant, rng=1)
    assert [net.populations[p].size for p in "EI"] == [3200, 800]
    found = {c.label: c for c in net.couplings if not c.label.startswith("stimulus")}
    assert set(found) == {f"{pre}.spike->{post}.g_{pre.lower()}" for pre in "EI" for post in "EI"}
    for label, coupling in found.items():
        pairs = np.prod(coupling.weights.shape)
        sd = np.sqrt(pairs * 0.02 * 0.98)
        assert abs(coupling.weights.nnz - 0.02 * pairs) < 4.5 * sd, label
        assert_allclose(coupling.weights.data, quantum_e if label.startswith("E") else quantum_i)
        assert coupling.delay == 0


def test_a_synaptic_current_of_cuba_is_the_published_one():
    """16.2 and -90 pA: 0.27 nS and 4.5 nS times the driving forces from -60 mV."""
    values = circuit.network("CUBA", N=50, rng=1).populations["E"].parameters
    drive = [values[name] - values["V_mean"] for name in ("E_e", "E_i")]
    assert_allclose(np.multiply([0.27e-9, 4.5e-9], drive), [16.2e-12, -90e-12])


def test_where_units_rest():
    """COBA below threshold, CUBA above: 1 mV, so that a unit alone fires, after 48 ms at first."""
    for variant, spikes in (("COBA", 0), ("CUBA", 1)):
        unit = circuit.network(variant, N=50, rng=1).populations["E"].with_values(V=circuit.V_r)
        net = nd.Network({"E": unit})
        solver = nd.Exact(dt=1e-4) if variant == "CUBA" else nd.ExponentialEuler(dt=1e-4)
        ds = nd.simulate(net, solver, 60e-3, record=["E.spike"])
        assert ds.sizes["E.spike"] == spikes * unit.size
        if spikes:  # tau log((E_L - V_r)/(E_L - V_t)) = 20 ms log(11), on the grid
            assert_allclose(ds["E.spike_time"], 20e-3 * np.log(11), atol=1e-4)


def test_the_stimulus_lasts_50_ms():
    net = circuit.network("COBA", N=400, rng=1)
    kicks = net.couplings[-2:]
    assert [c.target for c in kicks] == ["E.g_e", "I.g_e"]
    assert all(np.all(c.weights.data == 10) for c in kicks)
    ds = nd.simulate(net, nd.ExponentialEuler(dt=1e-4), 0.2, rng=3, record=["stimulus.spike"],
                     inputs={"stimulus.rate": nd.signals.Pulse(0.0, 50e-3, 100*nd.Hz)})
    count = ds.sizes["stimulus.spike"]
    assert abs(count - 100) < 4.5 * np.sqrt(100)
    assert float(ds["stimulus.spike_time"].max()) < 50e-3


@pytest.mark.parametrize("call, message", [
    (lambda: circuit.network("CABA"), "`variant` must be one of COBA, COBA, PyNN, CUBA; got 'CABA'"),
    (lambda: circuit.network(N=4001), "`N` must be a multiple of 5"),
    (lambda: circuit.benchmarks(duration=0.5), "`duration` must be 1 s or more; got 0.5"),
])
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------ measures


def test_subthreshold_sd_leaves_out_what_is_held_at_reset():
    """Potentials alternate between -52 and -58 mV (sd 3 mV), and are held at reset now and then."""
    V = np.full((1000, 3), -52e-3)
    V[::2] = -58e-3
    V[10::20] = circuit.V_r
    sd = 1e3 * circuit._subthreshold_sd(V)
    assert sd == pytest.approx(3, abs=0.05)


def test_histograms_are_those_of_the_figure():
    """Bins as in the authors' VAbenchmark_graphs.py."""
    assert_allclose(circuit.LOG_EDGES[:3], [0, 0.2, 0.4])
    assert_allclose(np.exp(circuit.LOG_EDGES[10:12]), [7.389, 9.025], atol=1e-3)
    assert_allclose(circuit.CV_EDGES[:3], [0, 0.1, 0.2])


# ------------------------------------------------------------------------------ a referee


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["COBA, PyNN", "CUBA"])
def test_brian2_gives_the_same_spikes(variant):
    """Spike for spike in the first 100 ms, before chaos tells rounding errors apart; then its rate.

    The same synapses, first potentials and stimulation.
    """
    import brian2 as b2

    net = circuit.network(variant, rng=5)
    generator, duration = np.random.default_rng(6), 0.5
    V0 = {p: generator.uniform(-60e-3, -50e-3, net.populations[p].size) for p in "EI"}
    is_conductance = variant != "CUBA"
    solver = nd.ExponentialEuler(dt=1e-4) if is_conductance else nd.Exact(dt=1e-4)
    names = ["E", "I"] + ["stimulus"] * is_conductance
    inputs = {"stimulus.rate": nd.signals.Pulse(0.0, 50e-3, 100*nd.Hz)} if is_conductance else {}
    ds = nd.simulate(net, solver, duration, inputs=inputs, rng=7, record=[f"{p}.spike" for p in names],
                     initial={f"{p}.V": V0[p] for p in "EI"})

    b2.prefs.codegen.target = "numpy"
    b2.start_scope()
    b2.defaultclock.dt = 0.1 * b2.ms
    groups = {}
    for p in "EI":
        unit = net.populations[p]
        groups[p] = b2.NeuronGroup(
            unit.size, unit.text, threshold="V > V_t", reset="V = V_r", refractory=5 * b2.ms,
            method="exponential_euler" if is_conductance else "exact",
            namespace={n: v * (b2.second if n.startswith("tau") else b2.volt)
                       for n, v in unit.parameters.items()})
        groups[p].V = V0[p] * b2.volt
    if is_conductance:
        groups["stimulus"] = b2.SpikeGeneratorGroup(
            20, ds["stimulus.spike_unit"].values, ds["stimulus.spike_time"].values * b2.second)
    objects = []
    for coupling in net.couplings:
        (pre, _), (post, target) = coupling.source.split("."), coupling.target.split(".")
        W = coupling.weights.to_scipy().tocoo()
        synapses = b2.Synapses(groups[pre], groups[post], "w : 1", on_pre=f"{target} += w")
        synapses.connect(i=W.col, j=W.row)
        synapses.w = W.data
        objects.append(synapses)
    monitors = {p: b2.SpikeMonitor(groups[p]) for p in "EI"}
    b2.Network(*groups.values(), *objects, *monitors.values()).run(duration * b2.second)
    for p in "EI":
        theirs = np.stack([np.rint(np.asarray(monitors[p].t) / 1e-4), monitors[p].i])
        ours = np.stack([np.rint(ds[f"{p}.spike_time"].values / 1e-4),
                         ds[f"{p}.spike_unit"].values])
        early = [spikes[:, spikes[0] < 1000] for spikes in (ours, theirs)]
        early = [spikes[:, np.lexsort(spikes)] for spikes in early]
        assert early[0].shape[1] > 50
        assert_array_equal(*early)
        assert ours.shape[1] == pytest.approx(theirs.shape[1], rel=0.1)


# ------------------------------------------------------------------------------ claims


def test_a_small_run_is_drawn_and_kept(tmp_path):
    """1,000 neurons, which need not keep up activity: all the machinery, no claims."""
    result = run_experiment(CIRCUIT, settings={"N": 1000}, out=tmp_path / "run", progress=False)
    assert result.figure.stat().st_size > 50_000
    kept = nd.load(tmp_path / "run" / "dataset.nc")
    assert all("units" in kept[v].attrs for v in kept.data_vars)
    assert [outcome.error for outcome in result.outcomes if outcome.error] == []
    outcomes = {outcome.claim.text: outcome for outcome in result.outcomes}
    assert outcomes["COBA: spikes without stimulation"].measured == 0


@pytest.mark.slow
def test_claims_at_fast_size():
    ds = CIRCUIT.experiments["benchmarks"](size="fast")
    outcomes = [claim.check(ds) for claim in CIRCUIT.claims if "fast" in claim.sizes]
    assert outcomes
    assert [(o.claim.text, o.measured, o.error) for o in outcomes if not o.passed] == []
