"""Transient growth against a closed form, against bounds, and by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import block_diag, expm

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


def test_a_fast_transient_beside_a_slow_mode_is_seen():
    """`-1000` fed by w peaks at w/(1000 e) after 1 ms; the slow mode needs the horizon of hours."""
    fast = np.array([[-1000.0, 1e5], [0.0, -1000.0]])
    alone = transient_growth(fast)
    beside = transient_growth(block_diag(-1e-3, fast))
    assert beside.times[-1] > 1000
    assert_allclose([beside.maximum, beside.time], [alone.maximum, alone.time], rtol=1e-4)
    # growth at the numerical abscissa from one equal step to the next alone: 1e304
    assert beside.maximum <= beside.upper_bound < 1e3 * beside.maximum


def test_the_first_of_many_turns_is_the_largest():
    """exp(J t) = exp(-d t) (cos, a sin; -sin/a, cos) with a = 10: near a at a quarter turn."""
    d, a, omega = 0.01, 10.0, 10.0
    found = transient_growth([[-d, omega * a], [-omega / a, -d]])
    t = np.linspace(0, 1, 20001)
    c, s = np.cos(omega * t), np.sin(omega * t)
    # of a 2 x 2 matrix with determinant 1 and Frobenius norm F: s + 1/s = sqrt(F**2 + 2)
    F = np.sqrt(2 * c**2 + (a**2 + a**-2) * s**2 + 2)
    exact = (np.exp(-d * t) * (F + np.sqrt(np.maximum(F**2 - 4, 0))) / 2).max()
    assert_allclose(found.maximum, exact, rtol=1e-6)
    assert found.time < 0.2
    # growth at the numerical abscissa from one equal step to the next alone: 1e86
    assert found.maximum <= found.upper_bound < 1e3 * found.maximum


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
