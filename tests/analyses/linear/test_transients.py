"""Transient growth against a closed form, against bounds, and by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm

import neurodyn as nd
from neurodyn.analyses import transient_growth


@pytest.mark.parametrize("w", [3.0, 10.0, 1000.0])
def test_of_a_feedforward_pair(w):
    """|exp(J t)| = exp(-t) (w t + sqrt(w**2 t**2 + 4))/2, largest at t = sqrt(1 - 4/w**2)."""
    found = transient_growth([[-1.0, w], [0.0, -1.0]])
    t = found.times
    assert_allclose(found.amplification, np.exp(-t) * (w*t + np.sqrt(w*w*t*t + 4)) / 2, rtol=1e-9)
    at = np.sqrt(1 - 4 / w**2)
    assert_allclose(found.time, at, rtol=1e-4)
    assert_allclose(found.maximum, np.exp(-at) * (w*at + np.sqrt(w*w*at*at + 4)) / 2, rtol=1e-9)
    assert found.is_global
    assert found.maximum <= found.upper_bound


def test_initial_state_becomes_the_final_one():
    rng = np.random.default_rng(0)
    J = 0.1*rng.normal(size=(15, 15)) + np.triu(rng.normal(size=(15, 15)), 1)
    J -= (np.linalg.eigvals(J).real.max() + 0.2) * np.eye(15)
    found = transient_growth(J)
    assert_allclose(expm(J*found.time) @ found.initial, found.maximum * found.final,
                    rtol=1e-8, atol=1e-8 * found.maximum)  # fmt: skip
    assert_allclose([np.linalg.norm(found.initial), np.linalg.norm(found.final)], 1)
    times = np.linspace(0, 3 * found.times[-1], 3001)
    fine = max(np.linalg.norm(expm(J*t), 2) for t in times[::5])
    assert fine <= found.maximum * (1 + 1e-9) and found.maximum > 2


def test_a_normal_system_never_grows():
    found = transient_growth(np.array([[-1.0, -20.0], [20.0, -1.0]]))
    assert found.maximum == pytest.approx(1) and found.time == 0
    assert_allclose(found.amplification, np.exp(-found.times))


def test_of_a_map_is_the_largest_power():
    A = np.array([[0.5, 8.0], [0.0, 0.4]])
    found = transient_growth(A, is_map=True)
    norms = [np.linalg.norm(np.linalg.matrix_power(A, k), 2) for k in range(len(found.times))]
    assert_allclose(found.amplification, norms)
    assert found.maximum == pytest.approx(max(norms)) and found.time == np.argmax(norms)
    assert_allclose(np.linalg.matrix_power(A, int(found.time)) @ found.initial,
                    found.maximum * found.final)  # fmt: skip


def test_of_a_network_of_balanced_amplification():
    """Murphy and Miller (2009): strong excitation and inhibition feed a sum from a difference."""
    w, k = 4.0, 1.1
    net = nd.rate_network([[w, -k*w], [w, -k*w]], tau=0.02)
    found = transient_growth(net)
    difference, total = np.array([1, -1]) / np.sqrt(2), np.array([1, 1]) / np.sqrt(2)
    assert abs(found.initial @ difference) > 0.98 and abs(found.final @ total) > 0.98
    assert found.maximum > 2 and 0 < found.time < 0.1


def test_an_unstable_system_needs_a_duration():
    with pytest.raises(ValueError, match="unstable: amplification has no maximum. Give the `dura"):
        transient_growth([[1.0]])
    found = transient_growth([[1.0]], duration=2.0)
    assert_allclose([found.maximum, found.time], [np.e**2, 2], rtol=1e-5)
    assert not found.is_global
    with pytest.raises(ValueError, match="`duration` must be positive and finite; got -1"):
        transient_growth([[1.0]], duration=-1)
    with pytest.raises(ValueError, match="`duration` of a map must be whole steps of 1; got 2.5"):
        transient_growth([[0.5]], duration=2.5, is_map=True)
