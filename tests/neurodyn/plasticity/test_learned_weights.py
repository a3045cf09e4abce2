"""What is learned at the edges: weights without bound, bounds in single precision."""

import numpy as np
import pytest

import neurodyn as nd

DT = 0.1


def hebbian(eta, bounds=None, W=((0.5, 0.1),)):
    """Two inputs of 1 onto one unit without a state: y = w1 + w2, dw/dt = eta y."""
    rule = nd.Plasticity("dw/dt = eta*y_post*x_pre : 1", bounds=bounds, eta=eta)
    return nd.Network(
        {"X": nd.Population(2, "x = u : 1\nu : 1"), "Y": nd.Population(1, "y = I : 1")},
        [nd.Coupling("X.x", "Y.I", np.array(W), plasticity=rule)],
    )


def test_a_weight_that_diverges_is_named():
    with pytest.raises(nd.SimulationDiverged) as caught:
        nd.simulate(hebbian(1e200), nd.Euler(DT), 1.0, inputs={"X.u": 1.0}, record=["X.x->Y.I.w"])
    error = caught.value
    # w + dt eta y: 6e198 after the first step, 1.2e398 > 1.8e308 in the second
    assert (error.variable, error.trial, error.unit) == ("X.x->Y.I.w", 0, 0)
    assert error.time == pytest.approx(DT)
    assert "`X.x->Y.I.w` of synapse 0 in trial 0 became inf" in str(error)
    assert "`bounds`" in str(error)
    assert error.dataset["X.x->Y.I.w.final"].values.ravel() == pytest.approx([6e198, 6e198])


def test_final_weights_of_single_precision_go_back_within_their_bounds():
    assert float(np.float32(0.1)) > 0.1
    net = hebbian(1.0, bounds=(-0.1, 0.1), W=((0.05, 0.05),))
    ds = nd.simulate(net, nd.Euler(DT), 2.0, inputs={"X.u": 1.0}, dtype="float32")
    assert ds["X.x->Y.I.w.final"].values.ravel().tolist() == [np.float32(0.1)] * 2
    learned = nd.with_final_weights(net, ds)
    assert learned.couplings[0].weights.to_dense().tolist() == [[0.1, 0.1]]
