"""Linear response against closed forms and against simulations with a weak sine."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.signal import StateSpace, freqresp

import neurodyn as nd
from neurodyn import analyses
from neurodyn.analyses import linear_response


def test_low_pass_filter():
    f = np.array([0.0, 1.0, 5.0, 50.0])
    found = linear_response(nd.rate_network([[0.0]], tau=0.02), f)
    assert found.source_names == ("E.I_ext",) and found.output_names == ("E.x",)
    assert_allclose(found.response[:, 0, 0], 1 / (1 + 2j*np.pi*f*0.02))
    assert_allclose(found.phase[:, 0, 0], -np.arctan(2*np.pi*f*0.02))
    assert_allclose(found.steady, [[1]])


def test_agrees_with_scipy():
    rng = np.random.default_rng(0)
    A, B, C = rng.normal(size=(5, 5)) - 4*np.eye(5), rng.normal(size=(5, 2)), rng.normal(size=5)
    f = np.linspace(0, 3, 7)
    found = linear_response(A, f, source=B, output=C)
    for k in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of leading zeros in the numerator
            _, expected = freqresp(StateSpace(A, B[:, [k]], C[None], [[0.0]]), 2*np.pi*f)
        assert_allclose(found.response[:, 0, k], expected)
    assert_allclose(found.largest_gain, np.linalg.norm(found.response[:, 0], axis=1))
    assert_allclose(found.steady, found.response[0].real)


def test_algebraic_variables_and_direct_paths():
    """tau dx/dt = -x + w r, r = tanh(x + I): both gains are the slope at the fixed point."""
    unit = nd.Population(2, "dx/dt = (-x + u)/tau : 1\nr = tanh(x + I) : 1", tau=0.1)
    w = np.array([[0.3, -0.6], [0.8, 0.1]])
    net = nd.Network({"E": unit}, [nd.Coupling("E.r", "E.u", w)])
    inputs = {"E.I": [0.7, -0.2]}
    x = analyses.fixed_points(net, inputs=inputs, rng=0, n_starts=4).x[0]
    slope = np.diag(1 - np.tanh(x + inputs["E.I"]) ** 2)
    f = np.array([0.0, 2.0])
    found = linear_response(net, f, x, output=["E.r", "E.x"], inputs=inputs)
    assert found.source_names == ("E.I[0]", "E.I[1]")
    assert found.output_names == ("E.r[0]", "E.r[1]", "E.x[0]", "E.x[1]")
    assert_allclose(found.feedthrough, np.concatenate([slope, np.zeros((2, 2))]), atol=1e-12)
    J = (w @ slope - np.eye(2)) / 0.1
    for k in range(2):
        states = np.linalg.solve(2j*np.pi*f[k]*np.eye(2) - J, w @ slope / 0.1)
        assert_allclose(found.response[k, 2:], states, rtol=1e-9)
        assert_allclose(found.response[k, :2], slope @ states + slope, rtol=1e-9)


def test_agrees_with_a_simulation_of_a_weak_sine():
    """What Euler's method does with a sine of 1e-4, whose square is below 1e-6 of the answer."""
    w, dt, f, size = np.array([[0.2, -1.5], [1.1, 0.4]]), 1e-3, 4.0, 1e-4
    net = nd.rate_network(w, tau=0.05)
    t = np.arange(0, 3, dt)
    signal = np.stack([size*np.sin(2*np.pi*f*t), 0*t], 1)
    signal = nd.signals.ArraySignal(signal, dt=dt)
    ds = nd.simulate(net, nd.Euler(dt=dt), 3.0, inputs={"E.I_ext": signal}, record=["E.r"],
                     initial={"E.x": 0.0})  # fmt: skip
    da = ds["E.r"].isel(trial=0)
    late = (da["time"].values > 1.9995) & (da["time"].values < 2.9995)  # 4 periods
    assert late.sum() == 1000
    wave = np.exp(-2j*np.pi*f*da["time"].values[late])
    measured = 2j * np.mean(da.values[late] * wave[:, None], axis=0) / size
    found = linear_response(net, f, output="E.r", solver=nd.Euler(dt=dt))
    assert_allclose(measured, found.response[0, :, 0], rtol=1e-6)
    flow = linear_response(net, f, output="E.r").response[0, :, 0]
    assert np.abs(measured - flow).max() > 1e-2 * np.abs(flow).max()  # the step does matter


def test_by_chosen_inputs_of_several_populations():
    text = "dx/dt = (-x + a + b)/tau : 1"
    net = nd.Network({"A": nd.Population(2, text, tau=0.1), "B": nd.Population(1, text, tau=0.2)},
                     [nd.Coupling("A.x", "B.a", [[1.0, 2.0]])])  # fmt: skip
    # couplings fill B.a, so that it is no input by default
    names = linear_response(net, 0.0).source_names
    assert sorted(names) == ["A.a[0]", "A.a[1]", "A.b[0]", "A.b[1]", "B.b"]
    found = linear_response(net, 0.0, source="A.b", output="B.x")
    assert_allclose(found.steady, [[1, 2]])
    assert_allclose(linear_response(net, 0.0, source=["B.a", "A.b"], output="B.x").steady, [[1, 1, 2]])


def test_refuses():
    net = nd.rate_network(np.zeros((2, 2)), tau=0.1)
    with pytest.raises(ValueError, match="the linear system is unstable"):
        linear_response(nd.rate_network([[2.0]]), 1.0)
    with pytest.raises(ValueError, match="`source`: `E.I_exr` is not an input; did you mean"):
        linear_response(net, 1.0, source="E.I_exr")
    with pytest.raises(ValueError, match="`source`: only a Network has inputs by name; got 'E.I'"):
        linear_response(-np.eye(2), 1.0, source="E.I")
    with pytest.raises(ValueError, match=r"`output` of a matrix is an array \(p, n\); got 'E.r'"):
        linear_response(-np.eye(2), 1.0, output="E.r")
    with pytest.raises(ValueError, match=r"`source` must be \(2, m\) for 2 states; got shape \(3, 1"):
        linear_response(net, 1.0, source=np.ones((3, 1)))
    with pytest.raises(ValueError, match="`E.q`: population `E` has no `q`"):
        linear_response(net, 1.0, output="E.q")
