"""Contraction in metrics that depend on the state: systems that are linear in other coordinates."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn.analyses import contraction_rate


def bent(c):
    """With z = (x0, x1 + c x0**2), dz/dt = -z; its metric is that of z."""
    flow = nd.Flow(lambda x: np.stack([-x[..., 0], -x[..., 1] + c*x[..., 0]**2], -1), 2)

    def metric(x):
        slope = np.array([[1.0, 0.0], [2*c*x[0], 1.0]])
        return slope.T @ slope

    return flow, metric


def test_a_bent_linear_flow_contracts_at_its_rate_everywhere():
    flow, metric = bent(3.0)
    x = np.random.default_rng(0).normal(size=(50, 2)) * 2
    found = contraction_rate(flow, x, metric=metric)
    assert_allclose(found.measures, -1, atol=1e-6)
    assert found.contracts and not found.is_proof and found.holds_for == "the samples"
    assert found.residual < 1e-6 and found.metric.shape == (50, 2, 2)
    assert not contraction_rate(flow, x).contracts  # the plain metric does not see it


def test_the_change_of_the_metric_counts():
    """Without dM/dt the measure is another: that of M J alone."""
    flow, metric = bent(1.0)
    x = np.array([[1.0, 0.5]])
    M, J = metric(x[0]), flow.jacobian(x)[0]
    frozen = contraction_rate(J, metric=M).rate
    assert abs(frozen - contraction_rate(flow, x, metric=metric).rate) > 0.5


def test_a_bent_map_and_a_constant_function():
    r, a = 0.7, 2.0
    step = nd.Map(lambda x: np.stack([r*x[..., 0], r*x[..., 1] + a*(r - r*r)*x[..., 0]**2], -1), 2)

    def metric(x):
        slope = np.array([[1.0, 0.0], [2*a*x[0], 1.0]])
        return slope.T @ slope

    x = np.random.default_rng(1).normal(size=(20, 2))
    assert_allclose(contraction_rate(step, x, metric=metric).measures, np.log(r), rtol=1e-9)
    net = nd.rate_network([[0.2, -1.0], [0.7, 0.1]], tau=0.1)
    M = np.array([[2.0, 0.3], [0.3, 1.0]])
    for solver in (None, nd.Euler(dt=0.02)):
        constant = contraction_rate(net, x, metric=M, solver=solver)
        moving = contraction_rate(net, x, metric=lambda x: M, solver=solver)
        assert_allclose(moving.measures, constant.measures, rtol=1e-9)


def test_refuses():
    flow, _ = bent(1.0)
    with pytest.raises(ValueError, match=r"`metric at \[1.0, 2.0\]` must be positive definite"):
        contraction_rate(flow, [[1.0, 2.0]], metric=lambda x: -np.eye(2))
    with pytest.raises(ValueError, match='`metric` as a function needs norm="2" and a Network'):
        contraction_rate(-np.eye(2), metric=lambda x: np.eye(2))


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, nd.weights.Dense, np.float32])
def test_matrices_of_any_kind(kind):
    assert contraction_rate(kind([[-1.0, 0.0], [0.0, -2.0]])).rate == pytest.approx(1)
