"""Covariance, three factors and exploration against the twin and closed forms; one compiled network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn import plasticity
from tests.naive_plasticity import Synapses, Units, run

DT = 0.01
N_X, N_Y = 4, 3
UNITS = "r = I : 1\nI : 1\nm : 1"
RULES = {
    "covariance": plasticity.covariance_rule(eta=0.5, tau_mean=0.4, mean_pre=0.1),
    "three": plasticity.three_factor(eta=0.5, tau_c=0.2, modulator="m"),
    "centred": plasticity.three_factor(eta=0.5, tau_c=0.2, modulator="m", tau_mean=0.3),
    "explore": plasticity.exploratory_hebb(
        eta=0.5, tau_mean=0.05, tau_performance=0.1, performance="m", tau_eta=0.7, post="r"
    ),
    "graded": plasticity.exploratory_hebb(
        eta=0.5, tau_mean=0.05, performance="m", graded=True, post="r"
    ),
}


def weights():
    random = np.random.default_rng(0)
    return [random.normal(0, 0.3, (N_Y, N_X)) for _ in RULES]


@pytest.fixture(scope="module")
def network():
    populations = {"X": nd.Population(N_X, "r = u : 1\nu : 1")}
    populations |= {name: nd.Population(N_Y, UNITS) for name in RULES}
    couplings = [
        nd.Coupling("X.r", f"{name}.I", W, plasticity=rule)
        for (name, rule), W in zip(RULES.items(), weights())
    ]
    return nd.Network(populations, couplings)


def simulate(network, u, m):
    inputs = {"X.u": u} | {f"{name}.m": m for name in RULES}
    labels = [f"X.r->{name}.I.w" for name in RULES]
    ds = nd.simulate(network, nd.Euler(DT), len(u) * DT, inputs=inputs, record=labels)
    return ds, {name: ds[label].values[0] for name, label in zip(RULES, labels)}


def test_every_rule_agrees_with_the_twin(network):
    random = np.random.default_rng(1)
    u, m = random.normal(0.3, 1, (120, N_X)), random.normal(0, 1, (120, N_Y))
    _, found = simulate(network, u, m)
    populations = {"X": Units(N_X, "r = u : 1")}
    populations |= {name: Units(N_Y, "r = I : 1", I=0, m=0) for name in RULES}
    synapses = [
        Synapses.of("X.r", f"{name}.I", W, rule) for (name, rule), W in zip(RULES.items(), weights())
    ]
    inputs = {"X.u": u} | {f"{name}.m": m for name in RULES}
    expected = run(populations, synapses, len(u), DT, inputs=inputs, exponential=False)["weights"]
    for name, w in zip(RULES, expected, strict=True):
        assert np.ptp(w, axis=0).max() > 0.02, name
        assert_allclose(found[name], w, rtol=1e-11, atol=1e-13, err_msg=name)


def test_only_the_modulator_turns_an_eligibility_into_weights(network):
    """Inputs for a while, then nothing, and a pulse of the neuromodulator: e has decayed by then."""
    x, on, wait = np.array([0.5, -0.2, 0.1, 0.3]), 60, 25
    u, m = np.zeros((on + wait + 1, N_X)), np.zeros((on + wait + 1, N_Y))
    u[:on] = x
    m[-1] = [1.0, 0.0, -2.0]
    _, found = simulate(network, u, m)
    w = weights()[list(RULES).index("three")]
    final = found["three"][-1].reshape(w.shape)
    assert_allclose(final, w, rtol=1e-15)  # samples are taken before their step
    ds, _ = simulate(network, u, m)
    change = ds["X.r->three.I.w.final"].values[0] - w
    keeps = 1 - DT / 0.2
    e = np.outer(w @ x, x) * (1 - keeps**on) * keeps**wait
    assert_allclose(change, DT * 0.5 * m[-1][:, None] * e, rtol=1e-10, atol=1e-16)


def test_names_of_a_rule_are_checked():
    with pytest.raises(ValueError, match="`modulator` must be the name of a variable"):
        plasticity.three_factor(eta=1, tau_c=1, modulator="P.m")
    with pytest.raises(ValueError, match="`tau_c` is a time constant"):
        plasticity.three_factor(eta=1, tau_c=-1)
