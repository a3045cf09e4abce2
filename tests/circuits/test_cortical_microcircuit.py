"""The cortical microcircuit: its numbers against the published table, its synapses, its activity."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import neurodyn as nd
from neurodyn.circuits.cortical_microcircuit import CIRCUIT, experiments, model
from neurodyn.data import load_table
from neurodyn.experiments import run_experiment
from neurodyn.spike_trains import SpikeTrains

EXCITATORY = np.array([p.endswith("E") for p in model.POPULATIONS])


# ------------------------------------------------------------------------------------ numbers

def test_the_full_network_has_the_published_size():
    full = model.scaled()
    assert full.N.sum() == 77_169
    assert full.K.sum() == 298_880_970  # of 64 projections, each rounded
    assert np.count_nonzero(full.K) == 55
    # mean in-degrees, beside the background's
    assert_allclose(full.K.sum() / full.N.sum(), 3873, atol=1)


def test_connection_probabilities_are_those_of_the_numbers_of_synapses():
    """K synapses with independent ends join a pair with probability 1 - (1 - 1/N_pre N_post)^K."""
    table, full = model.table(), model.scaled()
    pairs = np.outer(table.N, table.N).astype(float)
    joined = -np.expm1(full.K * np.log1p(-1 / pairs))
    assert_allclose(joined, table.C, atol=1e-6)
    assert table.C[0, 2] == 0.0437 and table.C[2, 0] == 0.0077  # [post, pre]: L4E -> L23E


def test_a_synapse_evokes_015_mV():
    """The largest potential after one spike, integrated exactly in steps of 1 us."""
    c = model.CONSTANTS
    w = c["psp"] * model.psc_of_psp()
    assert_allclose(w, 87.81e-12, rtol=1e-4)
    dt = 1e-6
    decay_v, decay_I = np.exp(-dt / c["tau_m"]), np.exp(-dt / c["tau_syn"])
    gain = (decay_v - decay_I) / (1 / c["tau_syn"] - 1 / c["tau_m"]) / c["C_m"]
    v, I, peak = 0.0, w, 0.0
    for _ in range(5000):
        v, I = decay_v * v + gain * I, decay_I * I
        peak = max(peak, v)
    assert_allclose(peak, 0.15e-3, rtol=1e-6)


def test_weights_of_the_projections():
    full = model.scaled()
    w = full.w / (model.CONSTANTS["psp"] * model.psc_of_psp())
    expected = np.where(EXCITATORY, 1.0, -4.0) * np.ones((8, 1))
    expected[0, 2] = 2.0  # L4E -> L23E
    assert_allclose(w, expected, rtol=1e-12)
    assert_allclose(full.w_bg, full.w[0, 0], rtol=1e-12)
    assert_array_equal(full.I_e, 0.0)


def input_moments(scaled):
    """Mean current, and variance but for a factor, that neurons get if rates are the table's."""
    table, tau = model.table(), model.CONSTANTS["tau_syn"]
    in_degree = scaled.K / scaled.N[:, None]
    rate_bg = scaled.K_bg * model.CONSTANTS["nu_bg"]
    mean = tau * ((in_degree * scaled.w) @ table.rate + scaled.w_bg * rate_bg) + scaled.I_e
    variance = (in_degree * scaled.w**2) @ table.rate + scaled.w_bg**2 * rate_bg
    return mean, variance


@pytest.mark.parametrize("scale", [0.05, 0.1, 0.5, 0.8])
def test_scaling_keeps_mean_and_variance_of_inputs(scale):
    """Up to the rounding of sizes: to half a neuron of the smallest population, L5I."""
    rounding = 1 / (scale * 1065)
    full, small = model.scaled(), model.scaled(scale)
    assert_allclose(small.N, full.N * scale, atol=0.5)
    assert_allclose(small.K, full.K * scale**2, atol=1)
    assert_allclose(small.K_bg, full.K_bg * scale, atol=0.5)
    for found, expected in zip(input_moments(small), input_moments(full), strict=True):
        assert_allclose(found, expected, rtol=4 * rounding)


@pytest.mark.parametrize("scale", [0.2, 1.0])
def test_constant_background_has_the_mean_of_the_poisson_background(scale):
    poisson, dc = model.scaled(scale), model.scaled(scale, "dc")
    assert not dc.K_bg.any()
    assert_array_equal(dc.w, poisson.w)
    assert_allclose(input_moments(dc)[0], input_moments(poisson)[0], rtol=1e-6)


def test_published_activity():
    rows = load_table("potjans_diesmann_2014_activity")
    assert {row["source"] for row in rows} >= {"paper", "NEST example", "NetPyNE", "NEST 3.10"}
    first, *others = model.published(1.0, "poisson", "rate_hz")
    assert first.source == "NEST example"
    assert_array_equal(first.numbers, model.table().rate)
    (paper,) = (p for p in others if p.source == "paper")
    assert_array_equal(paper.numbers[EXCITATORY], [0.86, 4.45, 7.59, 1.09])
    assert np.isnan(paper.numbers[~EXCITATORY]).all()
    assert model.published(0.7, "poisson", "rate_hz") == []


# ------------------------------------------------------------------------------------ synapses

SCALE = 0.04


@pytest.fixture(scope="module")
def net():
    return model.network(SCALE, rng=1)


def couplings(net):
    """Each with the numbers of its target and source."""
    number = {name: k for k, name in enumerate(model.POPULATIONS)}
    for c in net.couplings:
        yield number[c.target.split(".")[0]], number[c.source.split(".")[0]], c


def test_sizes_and_numbers_of_synapses(net):
    numbers = model.scaled(SCALE)
    assert tuple(net.populations) == model.POPULATIONS
    assert [p.size for p in net.populations.values()] == numbers.N.tolist()
    found = np.zeros((8, 8), int)
    for i, j, c in couplings(net):
        found[i, j] = c.weights.nnz
        assert c.weights.shape == (numbers.N[i], numbers.N[j])
        assert (c.source, c.target) == (f"{model.POPULATIONS[j]}.spike",
                                        f"{model.POPULATIONS[i]}.I_syn")  # fmt: skip
    assert_array_equal(found, numbers.K)
    rates = [(p.target, p.rate, p.weight) for p in net.poisson_inputs]
    assert rates == [(f"{name}.I_syn", 8.0 * k, numbers.w_bg)
                     for name, k in zip(model.POPULATIONS, numbers.K_bg, strict=True)]  # fmt: skip


def test_ends_of_synapses_are_independent(net):
    """Numbers of synapses of the pairs of one projection, against the binomial distribution."""
    (c,) = (c for i, j, c in couplings(net) if (i, j) == (2, 3))  # L4I -> L4E
    W, n_pairs = c.weights, np.prod(c.weights.shape)
    pair = np.repeat(np.arange(W.n_post), np.diff(W.indptr)) * W.n_pre + W.indices
    found = np.bincount(np.bincount(pair, minlength=n_pairs), minlength=4)
    found = np.append(found[:3], found[3:].sum())
    law = stats.binom(W.nnz, 1 / n_pairs)
    p = np.append(law.pmf([0, 1, 2]), law.sf(2))
    # pairs are all but independent: their covariance is a part 1/n_pairs of their variance
    assert np.all(np.abs(found - n_pairs * p) < 4.5 * np.sqrt(n_pairs * p * (1 - p)))
    for degrees, n in ((np.diff(W.indptr), W.n_post), (np.bincount(W.indices), W.n_pre)):
        assert stats.chisquare(degrees).pvalue > 1e-4 and degrees.size == n


def test_weights_are_normal(net):
    numbers = model.scaled(SCALE)
    for i, j, c in couplings(net):
        z = (c.weights.data / numbers.w[i, j] - 1) / 0.1
        assert c.weights.dtype == np.float32
        assert np.all(c.weights.data * numbers.w[i, j] > 0)
        n = z.size
        assert abs(z.mean()) < 4.5 / np.sqrt(n)
        assert abs(z.var() - 1) < 4.5 * np.sqrt(2 / n)
        if n > 20_000:
            assert stats.kstest(z, "norm").pvalue > 1e-4


def test_delays_are_normal_rounded_and_positive(net):
    """Against the normal distribution above half a step, cut into steps."""
    for _, j, c in couplings(net):
        d = 15.0 if EXCITATORY[j] else 7.5
        steps = np.rint(np.asarray(c.delay) / 1e-4).astype(int)
        assert_allclose(np.asarray(c.delay), steps * 1e-4, rtol=1e-12)
        assert steps.min() >= 1
        law = stats.norm(d, d / 2)
        last = int(d * 2.5)
        edges = np.append(np.arange(1, last + 1) - 0.5, np.inf)
        p = np.diff(law.cdf(edges)) / law.sf(0.5)
        found = np.append(np.bincount(steps, minlength=last)[1:last], np.sum(steps >= last))
        enough = steps.size * p > 5
        if enough.sum() > 2:
            expected = steps.size * np.append(p[enough], p[~enough].sum())
            found = np.append(found[enough], found[~enough].sum())
            keep = expected > 0
            assert stats.chisquare(found[keep], expected[keep]).pvalue > 1e-5


def test_one_seed_one_network_whatever_the_background(net):
    again = model.network(SCALE, rng=1, background="dc", initial="original")
    other = model.network(SCALE, rng=2)
    for a, b, c in zip(net.couplings, again.couplings, other.couplings, strict=True):
        assert_array_equal(a.weights.indices, b.weights.indices)
        assert_array_equal(a.weights.data, b.weights.data)
        assert_array_equal(a.delay.index, b.delay.index)
        assert not np.array_equal(a.weights.data, c.weights.data)
    assert again.poisson_inputs == ()


def test_first_potentials(net):
    table, rng = model.table(), np.random.default_rng(0)
    for k, population in enumerate(net.populations.values()):
        v = population.initial["v"](rng, 20_000)
        assert abs(v.mean() - table.v0_mean[k]) < 4.5 * table.v0_sd[k] / np.sqrt(v.size)
        assert abs(v.std() / table.v0_sd[k] - 1) < 4.5 / np.sqrt(2 * v.size)
    original = model.network(SCALE, rng=1, initial="original").populations["L6E"].initial["v"]
    v = original(rng, 20_000)
    assert abs(v.mean() + 58e-3) < 4.5 * 10e-3 / np.sqrt(v.size)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"scale": 0.0}, "`scale` must be above 0 and at most 1; got 0"),
        ({"scale": 1.5}, "`scale` must be above 0 and at most 1; got 1.5"),
        ({"scale": 1e-4}, "`scale` = 0.0001 leaves L5E without a neuron"),
        ({"background": "none"}, '`background` must be "poisson" or "dc"; got \'none\''),
        ({"initial": "optimized"}, '`initial` must be "optimised" or "original"'),
    ],
)
def test_misuse(options, match):
    with pytest.raises(ValueError, match=match):
        model.network(**{"scale": 0.01, "rng": 0, **options})


def test_too_short_a_run_is_refused_before_it_begins():
    with pytest.raises(ValueError, match=r"`duration` must be at least 0.4 s; got 0.1"):
        experiments.spontaneous_activity(duration=0.1)


# ------------------------------------------------------------------------------------ measures

def test_irregularity_is_the_mean_of_what_neurons_have():
    """One neuron ticks, one has intervals 1 and 3, one only one interval, one none."""
    trains = SpikeTrains.from_arrays(
        [0, 1, 2, 3, 0.5, 1.5, 4.5, 2.5, 3.5, 4.0], [0, 0, 0, 0, 1, 1, 1, 2, 2, 3], 5, 0, 5
    )
    assert_allclose(experiments.irregularity(trains), ((0 + 1 / 2) / 2, 2))
    silent = SpikeTrains.from_arrays([], np.zeros(0, int), 5, 0, 5)
    assert np.isnan(experiments.irregularity(silent)[0])


def test_measures_of_independent_poisson_neurons():
    """CV near 1, variance over mean of counts 1, rates as drawn; and what the raster keeps."""
    rng, rate, duration = np.random.default_rng(0), 5.0, 60.0
    numbers = model.scaled(0.1)
    trains = {}
    for name, n in zip(model.POPULATIONS, numbers.N, strict=True):
        steps, units = np.nonzero(rng.random((20_000, n)) < rate * duration / 20_000)
        trains[name] = SpikeTrains.from_arrays(
            steps * (duration / 20_000), units, n, 0.0, duration, dt=experiments.DT, name=name
        )  # on a grid of 3 ms, one bin
    ds = experiments.measured(trains, 0.1, int(numbers.K.sum()))
    assert_array_equal(ds.n_neurons, numbers.N)
    error = np.sqrt(rate / (duration * numbers.N))
    assert np.all(np.abs(ds.rate_hz - rate) < 4.5 * error)
    p = rate * duration / 20_000  # counts of a neuron are 0 or 1, so they vary by 1 - p
    assert np.all(np.abs(ds.synchrony - (1 - p)) < 4.5 * np.sqrt(2 / 20_000))
    # CV of n geometric intervals: sqrt(1 - p), less a bias and with an error of order 1/n, n = 300
    assert np.all(np.abs(ds.cv - np.sqrt(1 - p)) < 3 / 300 + 4.5 / np.sqrt(300 * numbers.N))
    assert_array_equal(ds.n_sample, np.minimum(numbers.N, 1000))
    assert_array_equal(ds.n_shown, np.rint(0.025 * model.table().N))
    mine = ds.spike_population == 0
    assert abs(mine.sum() - 0.4 * rate * 517) < 4.5 * np.sqrt(0.4 * rate * 517)
    assert 0 <= ds.spike_time.min() and ds.spike_time.max() < 0.4
    figure = CIRCUIT.figures["spontaneous_activity"](ds)
    assert [ax.get_title(loc="left")[:1] for ax in figure.axes] == ["a", "b", "c", "d"]


def test_full_size_claims_name_their_source():
    full = [c for c in CIRCUIT.claims if c.sizes == ("full",) and c.experiment == CIRCUIT.main]
    assert len(full) == 4 + 3 * 8 + 1
    assert all(claim.source for claim in CIRCUIT.claims)


# ------------------------------------------------------------------------------------ activity

@pytest.mark.slow  # compiling the loop of eight populations takes most of it
@pytest.mark.parametrize("experiment", list(CIRCUIT.experiments))
def test_claims(experiment):
    result = run_experiment("cortical_microcircuit", experiment)
    failed = [f"{o.claim.text}: {o.measured}" for o in result.outcomes if not o.passed]
    assert result.outcomes and not failed


@pytest.mark.slow
def test_two_threads_give_the_same_spikes():
    """Above 20,000 units the network is shared by threads."""
    net = model.network(0.27, rng=0)
    runs = [
        nd.simulate(net, nd.Exact(dt=1e-4), 0.05, rng=1, dtype="float32", threads=threads)
        for threads in (1, 2)
    ]
    for name in model.POPULATIONS:
        for what in ("time", "unit"):
            one, two = (run[f"{name}.spike_{what}"].values for run in runs)
            assert one.size and np.array_equal(one, two)
