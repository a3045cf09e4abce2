"""`field`, `tangent`, `adjoint` and `jacobian` against vector fields written down in NumPy.

Complex steps differentiate the NumPy text exactly, with respect to states, parameters, inputs and
weights alike; some Jacobians are written by hand besides.
"""

import functools
import tracemalloc

import numpy as np
import pytest

import neurodyn as nd
from tests.naive import complex_step, sigmoid
from tests.neurodyn.compile.derivative_cases import CASES, STEP

#: Compiled by the fast tests; each costs some seconds.
FAST = ("activity", "excitatory_inhibitory", "whitening", "gru")
#: Relative to the largest entry: a few dozen roundings, and the 2 ulp of our tanh.
TOLERANCE = 2e-14


@functools.lru_cache
def made(name):
    return CASES[name]()


@pytest.fixture(
    params=[pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in CASES]
)
def case(request):
    return made(request.param)


def same(got, wanted, tolerance=TOLERANCE):
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


def arguments(case):
    return {"inputs": case.inputs, "dt": case.dt}


def test_field(case):
    same(case.network.field(case.state, **arguments(case)), case.field(case.values))


def test_jacobian_and_tangent(case):
    J = complex_step(case.field, case.values, "state").T
    same(case.network.jacobian(case.state, **arguments(case)), J)
    vectors = np.random.default_rng(0).normal(size=(7, J.shape[0]))
    same(case.network.tangent(case.state, vectors, **arguments(case)), vectors @ J.T)


def test_adjoint(case):
    cotangent = np.random.default_rng(1).normal(size=case.state.size)
    found = case.network.adjoint(case.state, cotangent, **arguments(case))

    def truth(name):
        return complex_step(case.field, case.values, name, cotangent)

    same(found.state, truth("state"))
    parameters = {n for n in case.values if n in found.parameters}
    assert parameters == {
        f"{p}.{n}" for p, member in case.network.populations.items() for n in member.parameters
    }
    for name in parameters:
        same(found.parameters[name], truth(name))
    for name in case.inputs:
        same(found.inputs[name], truth(name))
    for label in case.network.coupling_labels:
        for name, gradient in found.weight_gradient(label).items():
            same(gradient, truth(f"{label}:{name}"))


def test_adjoint_is_the_transpose_of_the_tangent(case):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3, case.state.size))
    v, cotangent = rng.normal(size=(2, *x.shape))
    forward = case.network.tangent(x, v, **arguments(case))
    backward = case.network.adjoint(x, cotangent, **arguments(case)).state
    left, right = (cotangent * forward).sum(1), (backward * v).sum(1)
    scale = np.abs(cotangent).sum(1) * np.abs(forward).sum(1)
    np.testing.assert_allclose(left, right, rtol=0, atol=4e-16 * scale.max())


def test_a_batch_equals_its_trials_byte_for_byte(case):
    rng = np.random.default_rng(3)
    x, cotangent = rng.normal(size=(2, 6, case.state.size))
    vectors = rng.normal(size=(6, 3, case.state.size))
    inputs = {n: v + rng.normal(size=(6, v.size)) for n, v in case.inputs.items()}
    network, dt = case.network, case.dt
    field = network.field(x, inputs=inputs, dt=dt)
    tangent = network.tangent(x, vectors, inputs=inputs, dt=dt)
    jacobian = network.jacobian(x, inputs=inputs, dt=dt)
    adjoint = network.adjoint(x, cotangent, inputs=inputs, dt=dt)
    assert jacobian.shape == (6, case.state.size, case.state.size)
    for k in range(6):
        one = {n: v[k] for n, v in inputs.items()}
        alone = network.adjoint(x[k], cotangent[k], inputs=one, dt=dt)
        assert np.array_equal(network.field(x[k], inputs=one, dt=dt), field[k])
        assert np.array_equal(network.tangent(x[k], vectors[k], inputs=one, dt=dt), tangent[k])
        assert np.array_equal(network.jacobian(x[k], inputs=one, dt=dt), jacobian[k])
        assert np.array_equal(alone.state, adjoint.state[k])
        for part in ("parameters", "inputs", "activity"):
            for name, value in getattr(alone, part).items():
                assert np.array_equal(value, getattr(adjoint, part)[name][k]), (part, name)


def test_weight_gradient_is_summed_over_trials():
    case = made("excitatory_inhibitory")
    x, cotangent = np.random.default_rng(4).normal(size=(2, 3, case.state.size))
    found = case.network.adjoint(x, cotangent, inputs=case.inputs)
    alone = [case.network.adjoint(*pair, inputs=case.inputs) for pair in zip(x, cotangent)]
    for label in case.network.coupling_labels:
        for name, gradient in found.weight_gradient(label).items():
            same(gradient, sum(a.weight_gradient(label)[name] for a in alone))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_float32_agrees_to_its_precision(name):
    case = made(name)
    compiled = case.network.compiled("float32", driven=tuple(case.inputs))
    cotangent = np.random.default_rng(5).normal(size=case.state.size)
    tolerance = 40 * np.finfo(np.float32).eps
    field = compiled.field(case.state, **arguments(case))
    assert field.dtype == np.float32
    same(field, case.field(case.values), tolerance)
    J = complex_step(case.field, case.values, "state").T
    same(compiled.jacobian(case.state, **arguments(case)), J, tolerance)
    found = compiled.adjoint(case.state, cotangent, **arguments(case))
    same(found.state, J.T @ cotangent, tolerance)
    for name, gradient in found.parameters.items():
        assert gradient.dtype == np.float32
        same(gradient, complex_step(case.field, case.values, name, cotangent), tolerance)


# -- by hand -----------------------------------------------------------------------------------


def test_jacobian_of_the_rate_network_by_hand():
    case = made("activity")
    v, label = case.values, "E.r->E.I_rec"
    W = v[f"{label}:m"] @ v[f"{label}:n"].T
    s = sigmoid(W @ case.state + v["E.I_ext"])
    J = (-np.eye(5) + (s * (1 - s))[:, None] * W) / v["E.tau"]
    same(case.network.jacobian(case.state, **arguments(case)), J)


def test_jacobian_of_the_gated_recurrent_unit_by_hand():
    case = made("gru")
    v, h = case.values, case.state
    inputs = {k: v[f"X.u->H.to_{k}:W"] @ v["X.s"] + v[f"H.b_{k}"] for k in "zrq"}
    Uz, Ur, Uh = v["H.h->H.to_z:W"], v["H.h->H.to_r:W"], v["H.rh->H.to_q:W"]
    z, r = sigmoid(Uz @ h + inputs["z"]), sigmoid(Ur @ h + inputs["r"])
    q = np.tanh(Uh @ (r * h) + inputs["q"])
    J = np.diag(1 - z) + np.diag((q - h) * z * (1 - z)) @ Uz
    J += np.diag(z * (1 - q**2)) @ Uh @ (np.diag(r) + np.diag(h * r * (1 - r)) @ Ur)
    same(case.network.jacobian(h, **arguments(case)), (J - np.eye(4)) / STEP)


def test_gradients_through_tied_weights_add_up():
    case = made("whitening")
    labels = case.network.coupling_labels
    cotangent = np.random.default_rng(6).normal(size=9)
    found = case.network.adjoint(case.state, cotangent, inputs=case.inputs)
    total = sum(found.weight_gradient(label)["W"] for label in labels)

    def tied(v):
        return case.field({**v, **{f"{label}:W": v["W"] for label in labels}})

    values = {**case.values, "W": case.values[f"{labels[0]}:W"]}
    same(total, complex_step(tied, values, "W", cotangent))


# -- sizes -------------------------------------------------------------------------------------


def test_low_rank_weights_are_never_expanded():
    n = 20_000
    rng = np.random.default_rng(7)
    m, k = rng.normal(size=(2, n, 2)) / np.sqrt(n)
    network = nd.rate_network(nd.weights.LowRank(m, k), form="activity", activation="sigmoid")
    r, v, cotangent = rng.normal(size=(3, n))
    network.field(r[:n])  # compiles, which takes memory of its own
    tracemalloc.start()
    network = network.with_values()
    field = network.field(r)
    tangent = network.tangent(r, v)
    adjoint = network.adjoint(r, cotangent)
    gradient = adjoint.weight_gradient("E.r->E.I_rec")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 8 * n  # of the order of some vectors, 1/200 of an n x n matrix

    s = sigmoid(m @ (k.T @ r))
    slope = s * (1 - s)
    same(field, (-r + s) / 0.1)
    same(tangent, (-v + slope * (m @ (k.T @ v))) / 0.1, 1e-13)
    same(adjoint.state, (-cotangent + k @ (m.T @ (slope * cotangent))) / 0.1, 1e-13)
    same(gradient["m"], np.outer(slope * cotangent, k.T @ r) / 0.1, 1e-12)
    same(gradient["n"], np.outer(r, m.T @ (slope * cotangent)) / 0.1, 1e-12)


# -- errors ------------------------------------------------------------------------------------


def test_arguments_that_do_not_fit():
    case = made("gru")
    network, x = case.network, case.state
    with pytest.raises(ValueError, match=r"`x` must be .* n_states = 4; got shape \(5,\)"):
        network.field(np.ones(5), dt=STEP)
    with pytest.raises(ValueError, match="contain `dt`: give `dt=`"):
        network.field(x)
    with pytest.raises(ValueError, match=r"`cotangent` must have the shape of `x`, \(4,\)"):
        network.adjoint(x, np.ones(5), dt=STEP)
    with pytest.raises(ValueError, match=r"`v` must be \(..., n_states\) = \(..., 4\)"):
        network.tangent(np.ones((2, 4)), np.ones((3, 4)), dt=STEP)
    with pytest.raises(ValueError, match="`X.s2`.*did you mean"):
        network.field(x, dt=STEP, inputs={"X.s2": 1.0})
    with pytest.raises(ValueError, match="`H.b_z` is not an input"):
        network.field(x, dt=STEP, inputs={"H.b_z": 1.0})


@pytest.mark.parametrize("shape", [(7,), (2,), (2, 3), (1, 1, 3)])
def test_inputs_of_another_shape_are_refused(shape):
    case = made("gru")
    with pytest.raises(ValueError, match=r"`inputs`: `X.s` must be a number, \(unit,\) or \(trial"):
        case.network.field(case.state, dt=STEP, inputs={"X.s": np.ones(shape)})


def test_inputs_of_another_unit_are_refused():
    case = made("gru")
    with pytest.raises(nd.UnitError, match="`inputs`: `X.s` must be in 1; got V"):
        case.network.field(case.state, dt=STEP, inputs={"X.s": 3 * nd.mV})
