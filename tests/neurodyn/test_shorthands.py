"""Networks of one call: what `lif_network` is made of, and what it does beside a plain loop."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd

DT = 1e-4


def brunel_by_hand(W, v, drive, n_steps, delay, *, tau, theta, v_reset, rest):
    """Spikes (step, unit) of tau dv/dt = drive - v with instantaneous synapses, step by step.

    Schedule: state update, threshold, spikes of `delay` steps before, reset.
    """
    decay = np.exp(-DT / tau)
    last = np.full(v.size, -(10**6))
    fired, found = [], []
    for step in range(n_steps):
        is_free = step - last >= rest
        v = np.where(is_free, drive + decay * (v - drive), v)
        spikes = is_free & (v > theta)
        fired.append(spikes)
        if step >= delay:
            v = np.where(is_free & ~spikes, v + W @ fired[step - delay], v)
        v = np.where(spikes, v_reset, v)
        last[spikes] = step
        found += [(step, unit) for unit in np.flatnonzero(spikes)]
    return np.array(found)


def test_lif_network_does_what_brunels_equations_say():
    n_exc, n_inh, rng = 60, 15, np.random.default_rng(3)
    net = nd.lif_network(n_exc, n_inh, in_degree=(8, 4), J=1.5 * nd.mV, rate_ext=0.0, rng=1)
    drive = rng.uniform(15e-3, 30e-3, n_exc + n_inh)
    v0 = rng.uniform(0, 20e-3, n_exc + n_inh)
    net = net.with_values(**{"E.v": v0[:n_exc], "I.v": v0[n_exc:]})
    exc, inh = (nd.signals.Constant(part / 100e6) for part in np.split(drive, [n_exc]))
    ds = nd.simulate(net, nd.Exact(DT), 0.2, inputs={"E.I_ext": exc, "I.I_ext": inh})
    W = np.block([[net.couplings[k].weights.to_dense() for k in row] for row in ((0, 1), (2, 3))])
    expected = brunel_by_hand(
        W, v0, drive, 2000, 15, tau=20e-3, theta=20e-3, v_reset=10e-3, rest=20
    )
    assert len(expected) > 200
    found = []
    for name, first in (("E", 0), ("I", n_exc)):
        step = np.rint(ds[f"{name}.spike_time"].values / DT).astype(int)
        found.append(np.stack([step, first + ds[f"{name}.spike_unit"].values], axis=1))
    found = np.concatenate(found)
    assert_array_equal(found[np.lexsort(found.T[::-1])], expected)


def test_lif_network_is_brunels_by_default():
    net = nd.lif_network(400, 100, rng=0)
    assert net.coupling_labels == (
        "E.spike->E.v", "I.spike->E.v", "E.spike->I.v", "I.spike->I.v",
    )  # fmt: skip
    for coupling, degree, weight in zip(
        net.couplings, (40, 10, 40, 10), (0.1e-3, -0.5e-3, 0.1e-3, -0.5e-3)
    ):
        W = coupling.weights
        assert_array_equal(np.diff(W.indptr), degree)
        assert_allclose(W.data, weight, rtol=1e-15)
        assert coupling.delay == 1.5e-3
    for source in net.poisson_inputs:
        assert (source.rate, source.weight) == (20e3, 1e-4)
    values = net.populations["I"].parameters
    assert [values[n] for n in ("tau", "v_rest", "v_th", "v_reset")] == [0.02, 0.0, 0.02, 0.01]
    assert net.populations["E"].refractory == 2e-3
    v = net.initial_state([np.random.SeedSequence(0)])["E.v"][0]
    assert 0 <= v.min() < 1e-3 and 19e-3 < v.max() <= 20e-3


@pytest.mark.parametrize(
    ("synapses", "J", "targets", "inhibitory"),
    [
        (nd.neurons.Currents(), 20 * nd.pA, ("I_exc", "I_inh"), -80e-12),
        (nd.neurons.Conductances(), 6 * nd.nS, ("g_exc", "g_inh"), 24e-9),
        (nd.neurons.Conductances(shape="alpha"), 6 * nd.nS, ("h_exc", "h_inh"), 24e-9),
    ],
)
def test_lif_network_with_synapses(synapses, J, targets, inhibitory):
    net = nd.lif_network(40, 10, J=J, g=4.0, synapses=synapses, rng=0)
    exc, inh = targets
    assert [c.target for c in net.couplings] == [f"E.{exc}", f"E.{inh}", f"I.{exc}", f"I.{inh}"]
    assert [c.target for c in net.poisson_inputs] == [f"E.{exc}", f"I.{exc}"]
    assert_allclose(net.couplings[1].weights.data, inhibitory)


def test_connections_are_drawn_projection_by_projection():
    def pattern(n_inh, k, rng=5, **how):
        weights = nd.lif_network(500, n_inh, rng=rng, **how).couplings[k].weights
        return weights.indptr, weights.indices

    for one, other in zip(pattern(100, 0), pattern(200, 0)):  # other inhibition, same E to E
        assert_array_equal(one, other)
    assert np.any(pattern(500, 0)[1] != pattern(500, 3)[1])
    n = pattern(100, 0, p=0.05)[1].size
    assert abs(n - 0.05 * 500**2) < 5 * np.sqrt(0.05 * 0.95 * 500**2)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (dict(n_exc=0), ValueError, "`n_exc`"),
        (dict(p=0.1, in_degree=(4, 1)), ValueError, "give either `p` or `in_degree`; got p=0.1"),
        (dict(in_degree=4), ValueError, "`in_degree` must be two numbers, (excitatory, inhibitory); got 4"),
        (dict(in_degree=(4, 11)), ValueError, "`in_degree` = 11 different units cannot be chosen from 10"),
        (dict(taw=1.0), ValueError, "`taw` is given a value, but the equations do not use it; did you mean `tau`?"),
        (dict(J=1 * nd.nS), nd.UnitError, "weights in S times `E.spike` give S, but `E.v` is in V"),
        (dict(J=1 * nd.mV, synapses=nd.neurons.Currents()), nd.UnitError, "but `E.I_exc` is in A"),
    ],
)  # fmt: skip
def test_bad_input(arguments, error, text):
    with pytest.raises(error) as caught:
        nd.lif_network(**{"n_exc": 40, "n_inh": 10, "rng": 0, **arguments})
    assert text in str(caught.value)
