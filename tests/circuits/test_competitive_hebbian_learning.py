"""Synapses that compete by spike-timing-dependent plasticity."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn.circuits.competitive_hebbian_learning import CIRCUIT, experiments, model
from neurodyn.experiments import load_circuit, run_experiment


def weights(net):
    return net.value(model.SYNAPSES).to_dense()


# ------------------------------------------------------------------------------ the network

def test_structure():
    net = model.network(rng=0)
    assert {name: p.size for name, p in net.populations.items()} == {
        "excitatory": 1000, "neuron": 1}
    g = weights(net)
    assert g.shape == (1, 1000)
    assert 0 <= g.min() <= g.max() <= 0.015
    # uniform: mean g_max/2 with sd g_max/sqrt(12)
    assert abs(g.mean() - 0.0075) < 5 * 0.015 / np.sqrt(12 * 1000)
    assert_allclose(weights(model.network(g=0.25)), 0.25 * 0.015)
    inhibition, = net.poisson_inputs
    assert (inhibition.n_sources, inhibition.rate, inhibition.weight) == (200, 10.0, 0.05)


def test_neuron_settles_where_its_conductances_say():
    """Without spikes: V = (V_rest + g_ex E_ex + g_in E_in)/(1 + g_ex + g_in), a mean of ends."""
    net = model.network(0.001, g=0.0).with_values(**{"neuron.V": -60 * nd.mV})
    ds = nd.simulate(net, nd.ExponentialEuler(1e-4), 20.0, rng=1, record=["neuron.V", "neuron.g_in"],
                     every=1e-3)
    # the inhibitory reversal potential is the resting one: inhibition alone only shunts
    assert_allclose(ds["neuron.V"].values[0, 1000:], -70e-3, atol=1e-9)
    # 200 inputs of 10 Hz with 0.05 for 5 ms: mean 0.5, shot noise of variance rate w^2 tau/2
    g_in = ds["neuron.g_in"].values[0, 100:, 0]
    se = np.sqrt(2000 * 0.05**2 * 5e-3 / 2) * np.sqrt(2 * 5e-3 / 20)
    assert abs(g_in.mean() - 0.5) < 5 * se + 0.5 * 1e-4 / 5e-3


def windows(dt):
    """Change by all pairs of one input spike with one output spike every 200 ms, over g_max."""
    net = model.network(1.0, g=0.5, dt=dt)
    rule = dict(zip(net.coupling_labels, net.couplings))[model.SYNAPSES].plasticity
    A_plus, A_minus = rule.values["A_plus"], rule.values["A_minus"]
    k = np.arange(round(1 / dt)) * dt
    decay = np.exp(-k / 20e-3)
    return A_plus * decay.sum() * dt, A_minus * decay[1:].sum() * dt


@pytest.mark.parametrize("dt", [1e-4, 2e-4, 1e-3])
def test_depression_outweighs_potentiation_by_5_percent_on_any_grid(dt):
    potentiation, depression = windows(dt)
    assert depression / potentiation == pytest.approx(1.05, rel=2e-4)


@pytest.mark.parametrize("t_in, t_out, expected", [
    (5e-3, 15e-3, 0.005),
    (15e-3, 5e-3, -0.00525 * (20e-3 + 5e-5) / (20e-3 - 5e-5)),     # raised, as the network's notes say
])
def test_a_pair_of_spikes_changes_the_synapse_as_the_paper_says(t_in, t_out, expected):
    """One input and one output spike, 10 ms apart."""
    net = model.network(1.0, g=0.5)
    coupling = dict(zip(net.coupling_labels, net.couplings))[model.SYNAPSES]
    members = {"excitatory": nd.spike_source(1000, [t_in], [7]),
               "neuron": nd.Population(1, "g_ex : 1", reset="",
                                       threshold=f"abs(t - {t_out}*second) < 0.00001*second")}
    ds = nd.simulate(nd.Network(members, [coupling]), nd.ExponentialEuler(1e-4), 30e-3)
    assert ds.sizes["neuron.spike"] == 1
    change = ds[f"{model.SYNAPSES}.w.final"].values[0, 0] / 0.015 - 0.5
    assert change[7] == pytest.approx(expected * np.exp(-0.5), rel=1e-9)
    assert_allclose(np.delete(change, 7), 0, atol=1e-15)


@pytest.mark.slow
def test_bursts_begin_at_the_latencies():
    latency = np.linspace(-40e-3, 40e-3, 1000)
    net = model.frozen(model.with_latencies(latency, rng=0))
    net = net.with_values(**{"stimulus.rate": 2 * nd.Hz, "excitatory.background_rate": 0 * nd.Hz})
    ds = nd.simulate(net, nd.ExponentialEuler(1e-4), 100.0, rng=3,
                     record=["stimulus.spike", "excitatory.spike"])
    stimulus = ds["stimulus.spike_time"].values
    alone = stimulus[1:-1][(np.diff(stimulus)[:-1] > 0.2) & (np.diff(stimulus)[1:] > 0.2)]
    spikes, unit = ds["excitatory.spike_time"].values, ds["excitatory.spike_unit"].values
    lag = (spikes - model.LATENCY_OFFSET - latency[unit])[:, None] - alone
    own = lag[np.abs(lag) < 0.05]
    assert -1.1e-4 < own.min()                      # a step for rounding the delay
    assert own.max() < 20e-3 + 1.1e-4
    # 95 Hz for 20 ms: the background rate is part of the 100 Hz
    n = 95 * 20e-3 * 1000 * len(alone)
    assert abs(own.size - n) < 5 * np.sqrt(n)


@pytest.mark.slow
def test_correlated_rates_have_the_same_distribution_and_share_their_fluctuations():
    net = model.frozen(model.with_correlated_group(500, rng=0))
    ds = nd.simulate(net, nd.ExponentialEuler(1e-3), 100.0, rng=4, every=20e-3,
                     record={"excitatory.rate": np.r_[:20, 980:1000]})
    rate = ds["excitatory.rate"].values[0]
    # relu cuts off 1 % of the normal distribution, mean 10 Hz and sd 0.3 sqrt(2) 10 Hz
    assert_allclose(rate.mean(axis=0), 10, atol=5 * 4.3 * np.sqrt(2 / 5000) + 0.05)
    assert_allclose(rate.std(axis=0), 4.2, rtol=0.1)
    C = np.corrcoef(rate.T)
    inside, outside = C[:20, :20][np.triu_indices(20, 1)], C[20:, :]
    assert inside.mean() == pytest.approx(0.5, abs=0.05)       # c^2/(2 c^2)
    assert abs(outside[np.triu_indices(20, 21, 40)].mean()) < 0.02


def test_inputs_of_a_frozen_network_change_nothing():
    net = model.network(40.0, rng=0)
    ds = nd.simulate(model.frozen(net), nd.ExponentialEuler(1e-4), 0.5, rng=1)
    assert ds.sizes["neuron.spike"] > 10
    assert_allclose(ds[f"{model.SYNAPSES}.w.final"].values[0], weights(net), rtol=0)


# ------------------------------------------------------------------------------ measurements

def replayed(n_inputs, pre, pre_unit, post, source="excitatory"):
    """A run in which inputs and neuron spike at given times."""
    made = nd.Network({source: nd.spike_source(n_inputs, pre, pre_unit),
                       "neuron": nd.spike_source(1, post, np.zeros(len(post), int)),
                       "clock": nd.Population(1, "dx/dt = 1/second : 1")})
    return nd.simulate(made, nd.Euler(1e-4), np.ceil(max(*pre, *post)) + 0.5,
                       record=[f"{source}.spike", "neuron.spike"])


def test_pair_ratio_is_one_for_independent_spikes_and_right_for_made_up_ones():
    rng, steps = np.random.default_rng(1), 200_000
    pre = np.unique(rng.integers(0, 1000 * steps, size=400_000))         # 20 Hz for 20 s
    post = np.unique(rng.integers(0, steps, size=800))
    ds = replayed(1000, (pre % steps + 0.5) * 1e-4, pre // steps, (post + 0.5) * 1e-4)
    g = np.r_[np.zeros(500), np.ones(500)][None]
    # 200 inputs in a window of 20 ms, sd 10, around each of 800 spikes of which half count, since
    # windows overlap: standard error 0.25 % on either side of the spikes
    assert_allclose(experiments._pair_ratios(ds, g), 1, atol=5 * np.sqrt(2) * 0.0025)
    pre, post = [0.010, 0.025, 0.300], [0.020, 0.300]
    ds = replayed(1000, pre, [3, 3, 3], post)
    lag = np.subtract.outer(post, pre)
    pair = np.exp(-np.abs(lag) / 20e-3)
    expected = (pair[lag > 1e-9].sum() + 0.5) / (pair[lag < -1e-9].sum() + 0.5)
    with np.errstate(invalid="ignore"):
        found = experiments._pair_ratios(ds, np.zeros((1, 1000)))
    assert found[0, 0] == pytest.approx(expected, rel=1e-9)
    assert np.isnan(found[1, 0])                    # no strong synapse


def test_response_latency_of_a_made_up_response():
    """A step of the rate at 5 ms reaches its half there, whatever the rate between bursts."""
    rng, bursts = np.random.default_rng(0), 0.2 + 0.2 * np.arange(400)
    rest = rng.uniform(0, 81, size=rng.poisson(20 * 81))
    response = np.concatenate([b + model.LATENCY_OFFSET + 5e-3 + np.sort(rng.uniform(0, 20e-3, 8))
                               for b in bursts])
    time = np.unique(np.round(np.sort(np.r_[rest, response]), 4))
    ds = replayed(1, bursts, np.zeros(400, int), time + 2e-5, source="stimulus")
    edges = np.arange(-40e-3, 60.5e-3, 1e-3)
    rate, latency = experiments._responses(ds, edges)
    assert latency[0] == pytest.approx(5e-3, abs=1e-3)
    assert rate[0, :30].mean() == pytest.approx(20, rel=0.2)
    assert rate[0, 46:64].mean() == pytest.approx(20 + 400, rel=0.1)


# ------------------------------------------------------------------------------ experiments

@pytest.mark.parametrize("experiment, settings, message", [
    ("competition", {"rates": "10"}, "`rates` must be two or more positive rates"),
    ("competition", {"rates": "40,10"}, "ascending"),
    ("competition", {"trials": "0"}, "`trials` must be positive; got 0"),
    ("competition", {"A_plus": "-1"}, "`A_plus` must be positive"),
    ("short_latency", {"duration": "0"}, "`duration` must be positive"),
    ("correlated_group", {"n_correlated": "1000"}, "`n_correlated` must lie between 1 and 999"),
    ("competition", {"rate": "10"}, "did you mean `rates`"),
])
def test_settings_out_of_domain_are_refused(experiment, settings, message):
    with pytest.raises(ValueError, match=message):
        run_experiment(CIRCUIT, experiment, settings=settings)


@pytest.mark.parametrize("values, message", [
    ({"rate": -1.0}, "`rate` must be positive"),
    ({"g": 1.5}, "`g` must be one number from 0 to 1"),
    ({"g": np.ones(3)}, "or 1000 of them"),
    ({"A_ratio": 0.0}, "`A_ratio` must be positive"),
])
def test_values_out_of_domain_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        model.network(**values)


def test_latencies_out_of_domain_are_refused():
    with pytest.raises(ValueError, match="`latency` must hold 1000 latencies"):
        model.with_latencies(np.zeros(3))
    with pytest.raises(ValueError, match=r"between -0.06 and 0.06 s"):
        model.with_latencies(np.full(1000, 0.1))


def test_short_runs_are_complete_and_drawn(tmp_path):
    settings = {"competition": {"duration": 20.0, "trials": 1},
                "short_latency": {"duration": 5.0, "trials": 1},
                "correlated_group": {"duration": 5.0, "trials": 1}}
    for name, given in settings.items():
        run = run_experiment("competitive_hebbian_learning", name, settings=given,
                             out=tmp_path / name)
        assert run.figure.stat().st_size > 10_000
        assert all(outcome.error is None for outcome in run.outcomes)
        g = run.dataset.g.values
        assert 0 <= g.min() <= g.max() <= 1 + 1e-12
    assert load_circuit("competitive_hebbian_learning") is CIRCUIT


@pytest.mark.slow
@pytest.mark.parametrize("experiment", list(CIRCUIT.experiments))
def test_claims_at_fast_size(experiment):
    run = run_experiment(CIRCUIT, experiment)
    assert [outcome.claim.text for outcome in run.outcomes if not outcome.passed] == []
