"""Networks of ours that have been to Brian2 and back: they do the same as before."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.interop import from_brian2, to_brian2
from tests.neurodyn.interop.agreement import spikes_here
from tests.neurodyn.interop.networks import (
    STDP,
    generalized,
    integrate_and_fire,
    plastic_network,
    plastic_weights,
    quantized,
    spread,
)


def round_trip(network, solver, duration, **arguments):
    """The Dataset of our run, and that of the network that has been to Brian2 and back."""
    record = [f"{n}.spike" for n in network.spiking_populations] or None
    there = to_brian2(network, solver, duration=duration, record=[], rng=1, **arguments)
    parts = (there.groups, there.synapses, there.poisson_inputs)
    back = from_brian2([thing for part in parts for thing in part.values()])
    assert back.solver == solver
    ours = nd.simulate(network, solver, duration, rng=1, record=record, **arguments)
    again = nd.simulate(**{**back.arguments(duration), "record": record}, rng=1)
    for name in network.spiking_populations:
        assert_array_equal(spikes_here(ours, name), spikes_here(again, name))
        assert ours.sizes[f"{name}.spike"] > 20
    for name in ours.data_vars:
        if name.endswith(".final"):
            scale = np.abs(ours[name].values).max()
            assert_allclose(again[name], ours[name], rtol=1e-9, atol=1e-9 * scale)
    return back


@pytest.mark.parametrize(
    "synapse, solver",
    [("exponential", nd.Exact), pytest.param("conductance", nd.RK4, marks=pytest.mark.slow)],
)
def test_there_and_back(synapse, solver):
    target = {"exponential": "ge", "conductance": "g_exc"}[synapse]
    W = quantized((20, 20), 0.3, 100 if synapse == "conductance" else 4)
    delay = np.random.default_rng(0).integers(0, 30, W.shape) * 1e-4
    members = {"E": integrate_and_fire(synapse=synapse), "I": integrate_and_fire(flag=""),
               "G": generalized()}  # fmt: skip
    network = nd.Network(members, [
        nd.Coupling("E.spike", f"E.{target}", W, delay=delay),
        nd.Coupling("E.spike", "I.v", quantized((20, 20), 0.2), delay=1e-3),
        nd.Coupling("I.spike", "E.I", -quantized((20, 20), 0.3, 8)),
    ])  # fmt: skip
    back = round_trip(network, solver(1e-4), 0.2)
    assert set(back.network.state_names) == set(network.state_names)
    assert [c.target for c in back.network.couplings] == [c.target for c in network.couplings]


@pytest.mark.slow
def test_there_and_back_with_poisson_input_sources_and_noise():
    """Random numbers are keyed by the place of a population, unit and step: even they agree."""
    unit = integrate_and_fire(El=-52e-3)
    noisy = nd.Population(20, "dv/dt = (m - v)/tau + s*v*xi/sqrt(tau) : 1", threshold="v > 1",
                          reset="v = 0", tau=0.02, m=0.9, s=0.5, v=spread(0, 1))  # fmt: skip
    source = nd.poisson_source(10, rate=np.linspace(10, 50, 10))
    network = nd.Network({"E": unit, "X": noisy, "P": source}, [
        nd.Coupling("P.spike", "E.v", quantized((20, 10), 0.5)),
        nd.PoissonInput("E.I", rate=100.0, weight=1e-3, n_sources=50),
        nd.PoissonInput("E.v", rate=np.linspace(500, 900, 20), weight=5e-4),
    ])  # fmt: skip
    round_trip(network, nd.Euler(1e-4), 0.2)


@pytest.mark.slow
def test_there_and_back_with_rates_and_plasticity():
    back = round_trip(plastic_network(STDP, plastic_weights(True)), nd.Exact(1e-4), 0.2)
    (coupling,) = back.network.couplings
    assert [b.value for b in coupling.plasticity.bounds] == [0, 0.003]

    units = nd.Population(8, "dx/dt = (drive - x)/tau : 1\nr = tanh(x) : 1", tau=0.01,
                          x=spread(-1, 1))  # fmt: skip
    W = np.random.default_rng(0).normal(size=(8, 8)) / 2
    network = nd.Network({"R": units}, [
        nd.Coupling("R.r", "R.drive", W), nd.Coupling("R.x", "R.drive", W.T),
    ])  # fmt: skip
    round_trip(network, nd.ExponentialEuler(1e-4), 0.1,
               inputs={"R.drive": nd.signals.Sinusoid(0.3, 20.0)})  # fmt: skip
