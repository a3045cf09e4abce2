"""Self-consistent rates of integrate-and-fire networks, beside scans, derivatives and simulations."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

import neurodyn as nd
from neurodyn.analyses import LIFPopulations, lif_populations, siegert_network, siegert_rate


def brunel(g, drive, J=0.1e-3):
    """Brunel's network; `drive` in units of the rate that brings the mean to threshold."""
    threshold_rate = 20e-3 / (J * 20e-3)
    return LIFPopulations.from_in_degrees(
        [[1000, 250]] * 2, [[J, -g * J]] * 2, drive * threshold_rate, J, names=("E", "I"))


def scalar_response(g, drive, J=0.1e-3):
    """Brunel's equations for one rate, written out."""
    def response(rate):
        outside = drive * 20e-3 / (J * 20e-3)
        mean = 20e-3 * J * (1000 * rate - g * 250 * rate + outside)
        sigma = J * np.sqrt(20e-3 * (1000 * rate + g**2 * 250 * rate + outside))
        return siegert_rate(mean, sigma, 20e-3, 20e-3, 10e-3, 2e-3)

    return response


@pytest.mark.parametrize("g, drive", [(5, 2), (3, 2), (4.5, 0.9), (6, 4), (3, 0.5), (3.9, 0.8)])
def test_all_solutions_of_one_rate(g, drive):
    """Both populations have the same rate, so a scan of one equation finds all solutions."""
    response = scalar_response(g, drive)
    r = np.concatenate([[0.0], np.geomspace(1e-9, 499.9, 4000)])
    off = response(r) - r
    changes = np.flatnonzero(np.sign(off[1:-1]) != np.sign(off[2:])) + 1
    expected = [brentq(lambda x: response(x) - x, r[k], r[k + 1], xtol=1e-12) for k in changes]
    if off[1] < 0:  # a solution below 1e-9 Hz
        expected = [0.0, *expected]
    found = siegert_network(brunel(g, drive))
    assert_allclose(found.rate, np.repeat(np.array(expected)[:, None], 2, axis=1),
                    rtol=1e-7, atol=2e-9)  # fmt: skip
    assert found.is_complete and found.index_sum == 1
    for k, rate in enumerate(found.rate[:, 0]):
        h = 1e-4 * max(rate, 1e-3)
        slope = (response(rate + h) - response(max(rate - h, 0))) / (rate + h - max(rate - h, 0))
        assert_allclose(found.eigenvalues[k].real[np.argmax(abs(found.eigenvalues[k]))], slope,
                        rtol=1e-4, atol=1e-6)  # fmt: skip
        assert found.is_stable[k] == (slope < 1) and found.iterates[k] == (abs(slope) < 1)


def test_bistable_with_strong_excitation():
    found = siegert_network(brunel(3, 0.5))
    assert list(found.is_stable) == [True, False, True]
    assert found.rate[0, 0] < 1e-9 and found.rate[2, 0] > 200
    assert_allclose(found.cv[0], 1, rtol=1e-6)  # rare spikes come by chance


def test_gain_is_the_derivative():
    populations = replace(brunel(5, 2), drift=[[0.02, -0.03], [0.03, -0.02]],
                          diffusion=[[1e-5, 6e-5], [2e-5, 3e-5]])
    rate = np.array([12.0, 30.0])
    h = 1e-3 * np.eye(2)
    differences = (populations.response(rate + h) - populations.response(rate - h)) / 2e-3
    assert_allclose(populations.gain(rate), differences.T, rtol=1e-5)


def test_reads_a_network():
    net = nd.lif_network(800, 200, in_degree=(80, 20), J=0.2*nd.mV, rate_ext=8*nd.kHz, rng=0)
    found = lif_populations(net)
    expected = LIFPopulations.from_in_degrees(
        [[80, 20]] * 2, [[0.2e-3, -1e-3]] * 2, 8e3, 0.2e-3, names=("E", "I"))
    for name in ("drift", "diffusion", "drift_ext", "diffusion_ext", "tau", "v_threshold",
                 "v_reset", "v_rest", "tau_ref"):
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9)
    assert found.names == ("E", "I") and found.in_degree_scatter == 0
    # in-degrees that are binomial: of K synapses with probability p, sd sqrt((1 - p)/K) of the mean
    chance = lif_populations(nd.lif_network(800, 200, p=0.1, rng=0))
    assert_allclose(chance.in_degree_scatter, np.sqrt(0.9 / 20), rtol=0.15)
    current = lif_populations(net.with_values(**{"E.I_ext": 0.1*nd.nA}))
    assert_allclose((current.drift_ext - found.drift_ext) * 0.02, [100e6 * 0.1e-9, 0])


@pytest.mark.parametrize("g", [5.0, 6.0])
def test_agrees_with_a_simulated_network(g):
    """Within what a threshold that is uncertain by a jump makes, and 4 standard errors.

    Potentials jump by J: they overshoot the threshold by up to J, and steps of dt look at the noise
    late, as if the threshold were 0.5826 sigma sqrt(dt/tau) higher (about J here).
    """
    J, dt = 0.2e-3, 0.1e-3
    net = nd.lif_network(800, 200, J=J, rate_ext=10e3, g=g, rng=1)
    theory = siegert_network(net)
    populations = theory.populations
    higher = siegert_network(replace(populations, v_threshold=populations.v_threshold + J))
    ds = nd.simulate(net, nd.Exact(dt=dt), 1.0, rng=2)
    for k, (name, size) in enumerate((("E", 800), ("I", 200))):
        trains = nd.analyses.spike_trains(ds, name, t_start=0.2)
        rates = nd.analyses.firing_rates(trains)
        error = rates.sd / np.sqrt(size)
        allowed = theory.rate[0, k] - higher.rate[0, k] + 4 * error
        assert 0 < allowed < 0.05 * theory.rate[0, k]
        assert abs(rates.mean - theory.rate[0, k]) < allowed


GOOD = dict(in_degree=[[10]], J=1e-3, rate_ext=1e3, J_ext=1e-3)


@pytest.mark.parametrize("change, message", [
    ({"in_degree": [10]}, r"`in_degree` must be \(post, pre\), 0 or more; got shape \(1,\)"),
    ({"in_degree": [[-1]]}, "0 or more; got shape"),
    ({"J": [1e-3, 1e-3]}, r"`J` must be a number or \(1, 1\); got \(2,\)"),
    ({"rate_ext": -1}, "`rate_ext` must be 0 or more; got -1"),
    ({"tau_ref": 0.0}, "`tau` and `tau_ref` must be positive"),
    ({"v_reset": 30e-3}, "`v_threshold` must be above `v_reset`"),
    ({"tau": [1e-3, 2e-3]}, r"`tau` must be a number or \(1,\)"),
    ({"names": ("a", "b")}, "`names` must have 1 names"),
])
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        LIFPopulations.from_in_degrees(**GOOD | change)


def test_refuses_other_networks():
    with pytest.raises(TypeError, match="`source` must be a Network or LIFPopulations"):
        siegert_network(np.eye(2))
    with pytest.raises(ValueError, match="population `E` must be nd.neurons.lif"):
        siegert_network(nd.rate_network(np.eye(2)))
    mixed = nd.Network({"E": nd.neurons.lif(2, tau=np.array([10e-3, 20e-3]))})
    with pytest.raises(ValueError, match="`E.tau` must be the same for all units"):
        siegert_network(mixed)
