"""Modes, stability and non-normality against closed forms and SciPy."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import block_diag, expm

import neurodyn as nd
from neurodyn import analyses
from neurodyn.analyses import linearise


def turning(decay, omega):
    return np.array([[-decay, -omega], [omega, -decay]])


def test_modes_of_a_rotation_and_a_decay():
    found = linearise(block_diag(-5.0, turning(2.0, 2*np.pi*3)))
    assert_allclose(found.eigenvalues, [-2 + 6j*np.pi, -2 - 6j*np.pi, -5], atol=1e-12)
    assert_allclose(found.timescales, [0.5, 0.5, 0.2])
    assert_allclose(found.frequencies, [3, 3, 0], atol=1e-12)
    assert found.stability == "stable" and found.spectral_abscissa == pytest.approx(-2)
    assert found.henrici < 1e-12 and found.commutator < 1e-15
    assert found.eigenvector_condition == pytest.approx(1)


def test_modes_that_neither_decay_nor_grow_last_for_ever():
    assert_array_equal(linearise(np.diag([0.0, -2.0])).timescales, [np.inf, 0.5])
    of_map = linearise(np.diag([-1.0, 0.5, 0.0]), is_map=True).timescales
    assert_allclose(of_map, [np.inf, 1 / np.log(2), 0])
    assert linearise([[2.0]]).timescales == -0.5


def test_left_and_right_eigenvectors_are_dual_and_make_the_matrix():
    J = np.random.default_rng(0).normal(size=(30, 30)) / np.sqrt(30)
    found = linearise(J)
    assert np.all(np.diff(found.eigenvalues.real) <= 1e-12)
    assert_allclose(found.left @ found.right, np.eye(30), atol=1e-12)
    assert_allclose((found.right * found.eigenvalues) @ found.left, J, atol=1e-12)
    assert found.biorthogonality < 1e-12
    assert_allclose(np.linalg.norm(found.right, axis=0), 1)


def test_condition_of_a_mode_is_how_far_its_eigenvalue_moves():
    """d(eigenvalue) = left E right; the worst E of norm 1 moves it by the condition."""
    J = np.array([[-1.0, 7.0, 0.3], [0.0, -2.0, 5.0], [0.1, 0.0, -4.0]])
    found = linearise(J)
    for k in range(3):
        l, r = found.left[k], found.right[:, k]
        E = np.outer(l.conj(), r.conj()) / np.linalg.norm(l) / np.linalg.norm(r)
        moved = np.linalg.eigvals(J + 1e-7 * E)
        shift = np.abs(moved - found.eigenvalues[k]).min() / 1e-7
        assert_allclose(shift, found.mode_conditions[k], rtol=1e-4)


@pytest.mark.parametrize("w", [0.5, 4.0, 100.0])
def test_measures_of_a_feedforward_pair(w):
    """J = [[-1, w], [0, -1]]: closed forms for all of them."""
    found = linearise([[-1.0, w], [0.0, -1.0]])
    assert_allclose(found.henrici, w)
    assert_allclose(found.henrici_normalised, w / np.sqrt(2 + w**2))
    assert_allclose(found.numerical_abscissa, w/2 - 1)
    assert_allclose(found.commutator, np.sqrt(2) * w**2 / (2 + w**2))
    assert found.stability == "stable"  # although it has no basis of eigenvectors
    assert found.eigenvector_condition == np.inf
    assert_array_equal(np.isnan(found.left), True)


def test_numerical_abscissa_is_the_slope_of_the_norm_at_0():
    J = np.random.default_rng(1).normal(size=(20, 20))
    slope = (np.linalg.norm(expm(1e-6*J), 2) - 1) / 1e-6
    assert_allclose(linearise(J).numerical_abscissa, slope, rtol=1e-4)


@pytest.mark.parametrize("matrix, is_map, expected", [
    (turning(0.0, 3.0), False, "marginal"),
    (np.diag([-1.0, 0.0]), False, "marginal"),
    (np.diag([-1e-6, -1.0]), False, "stable"),
    (np.diag([1e-6, -1.0]), False, "unstable"),
    (np.diag([0.0, 2.0]), False, "unstable"),
    (np.diag([1.0, 0.2]), True, "marginal"),
    (np.diag([-0.999, 0.0]), True, "stable"),
    (np.diag([-1.001, 0.2]), True, "unstable"),
    (np.eye(30, k=1)*2 - 0.5*np.eye(30), False, "marginal"),  # rounding makes it unstable
])  # fmt: skip
def test_stability(matrix, is_map, expected):
    assert linearise(matrix, is_map=is_map).stability == expected


def test_of_a_network_is_that_of_its_equations():
    W = np.random.default_rng(2).normal(size=(12, 12)) * 0.3 / np.sqrt(12)
    found = linearise(nd.rate_network(W, tau=0.05))
    assert_allclose(found.jacobian, (W - np.eye(12)) / 0.05, rtol=1e-12)
    assert found.is_fixed_point and found.residual == 0
    assert found.state_names[3] == "E.x[3]"


def test_finds_the_fixed_point_of_a_linear_system():
    A, b = np.array([[-2.0, 1.0], [0.0, -1.0]]), np.array([1.0, 3.0])
    found = linearise(nd.Flow(lambda x: x @ A.T + b, 2))
    assert_allclose(found.x, -np.linalg.solve(A, b))
    assert_allclose(found.jacobian, A, atol=1e-12)


def test_euler_and_map_agree():
    W, dt = np.array([[0.2, -0.8], [0.6, 0.1]]), 0.01
    euler = linearise(nd.rate_network(W, tau=0.1), solver=nd.Euler(dt=dt))
    J = (W - np.eye(2)) / 0.1
    as_map = linearise(nd.Map(lambda x: x + dt * x @ J.T, 2))
    assert_allclose(euler.jacobian, np.eye(2) + dt*J, rtol=1e-12)
    assert_allclose(as_map.jacobian, euler.jacobian, rtol=1e-12)
    assert_allclose(euler.timescales, as_map.timescales * dt)
    assert_allclose(euler.frequencies, as_map.frequencies / dt)
    mu = np.linalg.eigvals(np.eye(2) + dt*J)
    assert_allclose(euler.timescales, -dt / np.log(np.abs(mu)))


@pytest.mark.parametrize("matrix", [
    [[-1.0, 2.0], [0.0, -3.0]],
    scipy.sparse.csr_array([[-1.0, 2.0], [0.0, -3.0]]),
    nd.weights.Dense([[-1.0, 2.0], [0.0, -3.0]]),
    np.array([[-1.0, 2.0], [0.0, -3.0]], np.float32),
])
def test_takes_any_matrix(matrix):
    found = linearise(matrix)
    assert_allclose(found.eigenvalues, [-1, -3])
    assert found.jacobian.dtype == np.float64


def test_takes_what_numpy_makes_an_array_of():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return np.array([[-1.0, 0.0], [0.0, -3.0]], dtype)

    assert_allclose(linearise(Tensor()).eigenvalues, [-1, -3])


def test_a_point_that_moves_is_told():
    net = nd.rate_network(np.zeros((2, 2)), tau=0.1)
    with pytest.warns(UserWarning, match=r"`x` is not a fixed point: dx/dt is up to 5, and a fixed "
                                         r"point is at least 0.5 away"):  # fmt: skip
        found = linearise(net, [0.5, 0.0])
    assert not found.is_fixed_point and "residual 5" in repr(found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linearise(net, [0.5, 0.5], inputs={"E.I_ext": 0.5})
        linearise(net, [1e-9, 0.0])  # as a search would leave it
        points = analyses.fixed_points(nd.rate_network([[0.0, 2.0], [2.0, 0.0]]), rng=0)
        for x in points.x:
            linearise(nd.rate_network([[0.0, 2.0], [2.0, 0.0]]), x)


def test_refuses():
    net = nd.rate_network(np.zeros((2, 2)))
    spiking = nd.Population(2, "dv/dt = -v/tau : volt", threshold="v > 1*mV", reset="v = 0*mV",
                            tau=10*nd.ms)  # fmt: skip
    with pytest.raises(ValueError, match="units of `E` spike: .* Linearise a rate network"):
        linearise(nd.Network({"E": spiking}))
    with pytest.raises(ValueError, match=r"`x` must have 2 states .* got shape \(3,\)"):
        linearise(net, np.zeros(3))
    with pytest.raises(ValueError, match=r"`x` must be one state, \(2,\); got shape \(4, 2\)"):
        linearise(net, np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"`system` must be a square matrix, .* got shape \(2, 3\)"):
        linearise(np.ones((2, 3)))
    with pytest.raises(ValueError, match="`system` must be finite; got nan at"):
        linearise([[np.nan]])
    with pytest.raises(ValueError, match="`x` belongs to a Network"):
        linearise(np.eye(2), x=[0, 0])
    with pytest.raises(ValueError, match="`is_map` says what a matrix is; a system knows"):
        linearise(net, is_map=True)
    with pytest.raises(TypeError, match="`system` must be a Network, .* got str"):
        linearise("E")
    with pytest.raises(TypeError, match="`solver` must be nd.Euler"):
        linearise(net, solver=nd.RK4(dt=1e-3))
    with pytest.raises(ValueError, match="`x` is needed: the origin is no fixed point, and the sys"):
        linearise(nd.Flow(lambda x: 0.01 + x**2, 1))
    timed = nd.Network({"E": nd.Population(1, "dx/dt = (-x + t/tau)/tau : 1", tau=0.1)})
    with pytest.raises(ValueError, match="the equations contain the time `t`"):
        linearise(timed)
