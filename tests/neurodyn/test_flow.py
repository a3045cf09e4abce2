"""Systems given as Python functions: derivatives and bad input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd


def lorenz(x, sigma, rho, beta):
    a, b, c = x[..., 0], x[..., 1], x[..., 2]
    return np.stack([sigma * (b - a), a * (rho - c) - b, a * b - beta * c], axis=-1)


def lorenz_jacobian(x, sigma, rho, beta):
    a, b, c = x[..., 0], x[..., 1], x[..., 2]
    one, zero = np.ones_like(a), np.zeros_like(a)
    rows = [
        [-sigma * one, sigma * one, zero], [rho - c, -one, -a], [b, a, -beta * one],
    ]  # fmt: skip
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


PARAMETERS = {"sigma": 10.0, "rho": 28.0, "beta": 8 / 3}
X = np.random.default_rng(0).normal(0, 10, (5, 3))


def test_a_complex_step_is_exact_to_rounding():
    flow = nd.Flow(lorenz, 3, parameters=PARAMETERS)
    assert flow.derivative == "complex step"
    exact = lorenz_jacobian(X, **PARAMETERS)
    assert_allclose(flow.jacobian(X), exact, rtol=1e-14, atol=1e-14)
    assert_allclose(flow.jacobian(X[0]), exact[0], rtol=1e-14, atol=1e-14)
    v = np.random.default_rng(1).normal(size=(5, 2, 3))
    assert_allclose(flow.tangent(X, v), np.einsum("bij,bkj->bki", exact, v), rtol=1e-12)


def test_a_function_that_is_not_analytic_is_differentiated_by_differences():
    absolute = nd.Flow(lambda x: np.abs(x), 2)  # a complex step would say 0
    assert absolute.derivative == "central differences"
    assert_allclose(absolute.jacobian([2.0, -3.0]), [[1, 0], [0, -1]], atol=1e-9)
    rectified = nd.Flow(lambda x: -x + np.maximum(x, 0.0)[..., ::-1], 2)
    assert_allclose(rectified.jacobian([1.0, -1.0]), [[-1, 0], [1, -1]], atol=1e-9)


def test_a_jacobian_that_is_given_is_used_and_checked():
    flow = nd.Flow(lorenz, 3, jacobian=lorenz_jacobian, parameters=PARAMETERS)
    assert flow.derivative == "given"
    assert_allclose(flow.jacobian(X), lorenz_jacobian(X, **PARAMETERS))
    wrong = nd.Flow(lambda x: -x, 2, jacobian=lambda x: x)
    with pytest.raises(ValueError, match=r"`jacobian` must return .*\(5, 2, 2\); got \(5, 2\)"):
        wrong.jacobian(np.zeros((5, 2)))


def test_other_parameters():
    flow = nd.Flow(lorenz, 3, parameters=PARAMETERS)
    assert_allclose(flow.with_values(rho=1.0).field(X), lorenz(X, 10.0, 1.0, 8 / 3))
    with pytest.raises(ValueError, match="no parameter `roh`; did you mean `rho`"):
        flow.with_values(roh=1.0)
    henon = nd.Map(lambda x, a: np.stack([1 - a * x[..., 0] ** 2 + x[..., 1], 0.3 * x[..., 0]], -1),
                   2, parameters={"a": 1.4})  # fmt: skip
    assert henon.is_map and not flow.is_map
    assert_allclose(np.linalg.det(henon.jacobian(X[:, :2])), -0.3, rtol=1e-10)


def test_bad_systems():
    with pytest.raises(ValueError, match=r"Write x\[..., 0\] rather than x\[0\]"):
        nd.Flow(lambda x: np.array([x[0], x[1]]).sum(), 2)
    with pytest.raises(ValueError, match="`n_states` must be a positive integer; got 0"):
        nd.Flow(lambda x: x, 0)
    with pytest.raises(TypeError, match="`function` must be a function"):
        nd.Flow(3, 1)
    with pytest.raises(ValueError, match="`state_names` must have 2 names; got 1"):
        nd.Flow(lambda x: -x, 2, state_names=["v"])
    with pytest.raises(ValueError, match=r"`x` must be \(..., 2\); got shape \(3,\)"):
        nd.Flow(lambda x: -x, 2).field(np.zeros(3))
