"""What is drawn by each side with its own numbers: the statistics must agree."""

import numpy as np
import pytest
from scipy import sparse

import neurodyn as nd
from neurodyn import Hz, ms, mV
from tests.neurodyn.interop.agreement import run_both, spikes_here, spikes_there
from tests.neurodyn.interop.networks import spread

DT = 0.1 * ms


def slow(*values):
    """Cases beyond the first ones: each compiles and runs for seconds."""
    return pytest.param(*values, marks=pytest.mark.slow)


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
        slow("poisson", nd.Exact),
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
