"""Cells with PyTorch's weights: against its documented formulas in NumPy, and itself if there."""

import subprocess
import sys

import numpy as np
import pytest

import neurodyn as nd
from neurodyn.interop import from_torch, to_torch_state

STEP = nd.Euler(dt=1 * nd.second)
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}
KINDS = list(GATES)


def state_dict(kind, n_in=3, n=5, layers=1, bias=True, rng=0):
    """Random weights by PyTorch's names, as it initialises them but somewhat stronger."""
    rng = np.random.default_rng(rng)
    state, rows = {}, GATES[kind] * n
    for k in range(layers):
        shapes = {"weight_ih": (rows, n if k else n_in), "weight_hh": (rows, n)}
        if bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in shapes.items():
            state[f"{name}_l{k}"] = 2 * rng.uniform(-1, 1, shape) / np.sqrt(n)
    return state


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def naive_step(kind, state, k, x, h, c):
    """One layer's step as the documentation of torch.nn.RNN, GRU and LSTM writes it."""
    zero = np.zeros(len(state[f"weight_hh_l{k}"]))
    a = state[f"weight_ih_l{k}"] @ x + state.get(f"bias_ih_l{k}", zero)
    b = state[f"weight_hh_l{k}"] @ h + state.get(f"bias_hh_l{k}", zero)
    if kind.startswith("rnn"):
        return (np.tanh(a + b) if kind == "rnn_tanh" else np.maximum(a + b, 0)), c
    a, b = np.split(a, GATES[kind]), np.split(b, GATES[kind])
    if kind == "gru":
        r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
        return (1 - z) * np.tanh(a[2] + r * b[2]) + z * h, c
    i, f, o = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1]), sigmoid(a[3] + b[3])
    c = f * c + i * np.tanh(a[2] + b[2])
    return o * np.tanh(c), c


def naive(kind, state, x):
    """Outputs of the last layer (time, unit); final h and c of every layer."""
    layers = sum(name.startswith("weight_hh") for name in state)
    n = state["weight_hh_l0"].shape[1]
    h, c, outputs = np.zeros((layers, n)), np.zeros((layers, n)), []
    for row in x:
        for k in range(layers):
            h[k], c[k] = naive_step(kind, state, k, row if k == 0 else h[k - 1], h[k], c[k])
        outputs.append(h[-1].copy())
    return np.array(outputs), h, c


def run(net, x, dtype="float64", record=("output",)):
    last = [name for name in net.populations if name.startswith("l")][-1]
    return nd.simulate(
        net, STEP, len(x) * nd.second, inputs={"input.x": x}, dtype=dtype,
        record=[f"{last}.{name}" for name in record],
    )  # fmt: skip


def inputs(n_steps=30, n_in=3):
    return np.random.default_rng(7).normal(size=(n_steps, n_in))


@pytest.mark.parametrize(
    ("kind", "bias"), [*((kind, True) for kind in KINDS), ("rnn_tanh", False), ("gru", False)]
)
def test_outputs_and_states_are_those_of_the_formulas(kind, bias):
    state, x = state_dict(kind, layers=2, bias=bias), inputs()
    ds = run(from_torch(state, kind), x)
    expected, h, c = naive(kind, state, x)
    scale = max(1, np.abs(expected).max())  # relu may grow
    np.testing.assert_allclose(ds["l1.output"][0], expected, atol=1e-12 * scale)
    for k in range(2):
        np.testing.assert_allclose(ds[f"l{k}.h.final"][0], h[k], atol=1e-12 * scale)
        if kind == "lstm":
            np.testing.assert_allclose(ds[f"l{k}.c.final"][0], c[k], atol=1e-12)


@pytest.mark.parametrize("kind", ["rnn_tanh", "gru", "lstm"])
def test_kind_is_found_from_shapes_and_float32_is_as_good_as_it_can_be(kind):
    state, x = state_dict(kind), inputs()
    single = {name: value.astype(np.float32) for name, value in state.items()}
    ds = run(from_torch(single), x, "float32")
    expected, _, _ = naive(kind, {name: value.astype(float) for name, value in single.items()}, x)
    np.testing.assert_allclose(ds["l0.output"][0], expected, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind, bias):
    state = state_dict(kind, layers=3, bias=bias)
    back = to_torch_state(from_torch(state, kind), dtype="float64")
    assert list(back) == list(state)  # in PyTorch's order
    for name in state:
        np.testing.assert_array_equal(back[name], state[name])
    assert to_torch_state(from_torch(state, kind))["weight_hh_l2"].dtype == np.float32


def test_changed_weights_go_back():
    net = from_torch(state_dict("gru"))
    W = np.arange(25.0).reshape(5, 5)
    net = net.with_values(**{"l0.h->l0.h_z": W, "l0.b_x_n": 0.25})
    back = to_torch_state(net, prefix="rnn.")
    np.testing.assert_array_equal(back["rnn.weight_hh_l0"][5:10], W)
    np.testing.assert_array_equal(back["rnn.bias_ih_l0"][10:], 0.25)


def test_only_networks_of_cells_go_back():
    with pytest.raises(ValueError, match="populations and couplings of from_torch.*it has `E`"):
        to_torch_state(nd.rate_network(np.eye(2)))
    with pytest.raises(TypeError, match="`network` must be a Network; got dict"):
        to_torch_state({})


def test_the_jacobian_of_a_step_is_exact():
    """Identity plus that of the field; the cell's by differences."""
    state = state_dict("lstm", layers=2)
    net = from_torch(state)
    x = np.random.default_rng(1).normal(size=net.n_states)

    def step(x):
        return x + net.field(x)

    def difference(e):
        return (step(x + 1e-6 * e) - step(x - 1e-6 * e)) / 2e-6

    numeric = np.transpose([difference(e) for e in np.eye(len(x))])
    np.testing.assert_allclose(np.eye(len(x)) + net.jacobian(x), numeric, atol=1e-8)


def test_plain_matrices():
    rng = np.random.default_rng(3)
    W_hh, W_ih, b = rng.normal(size=(4, 4)), rng.normal(size=(4, 2)), rng.normal(size=4)
    x = inputs(n_in=2)
    h, expected = np.zeros(4), []
    for row in x:
        h = np.tanh(W_hh @ h + W_ih @ row + b)
        expected.append(h)
    plain = {"W_hh": W_hh, "W_ih": W_ih, "b": b}
    ds = run(from_torch(plain, kind="rnn"), x)
    np.testing.assert_allclose(ds["l0.output"][0], expected, atol=1e-9)  # chaos: 30 steps amplify
    short = run(from_torch(plain, kind="rnn"), x[:5])
    np.testing.assert_allclose(short["l0.output"][0], expected[:5], atol=1e-13)
    without = from_torch({"W_hh": W_hh, "W_ih": W_ih}, kind="rnn")
    assert set(without.populations["l0"].parameters) == {"tau"}


class Tensor:
    """What NumPy cannot read before it was detached and brought to the CPU."""

    def __init__(self, values):
        self.values = values

    def __array__(self, *args, **kwargs):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def detach(self):
        return self

    cpu = double = detach

    def numpy(self):
        return self.values


class ArrayLike:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


@pytest.mark.parametrize("wrap", [Tensor, ArrayLike, np.ndarray.tolist])
def test_tensors_and_other_arrays(wrap):
    state = state_dict("gru")
    back = to_torch_state(from_torch({k: wrap(v) for k, v in state.items()}), dtype="float64")
    np.testing.assert_array_equal(back["weight_ih_l0"], state["weight_ih_l0"])


def test_a_cell_inside_a_model_with_its_readout():
    rng = np.random.default_rng(5)
    cell, W, b = state_dict("gru"), rng.normal(size=(2, 5)), rng.normal(size=2)
    model = {f"rnn.{name}": value for name, value in cell.items()}
    model |= {"head.weight": W, "head.bias": b, "embedding.weight": np.zeros((9, 3))}
    net, x = from_torch(model, readout="head"), inputs()
    ds = nd.simulate(net, STEP, 30 * nd.second, inputs={"input.x": x}, record=["readout.y"])
    np.testing.assert_allclose(ds["readout.y"][0], naive("gru", cell, x)[0] @ W.T + b, atol=1e-12)
    back = to_torch_state(net, prefix="rnn.", readout="head")
    assert set(back) == set(model) - {"embedding.weight"}
    np.testing.assert_array_equal(back["head.weight"], W.astype(np.float32))


def test_names_of_a_single_cell():
    state = {name.removesuffix("_l0"): value for name, value in state_dict("lstm").items()}
    assert "l0.c" in from_torch(state).state_names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_ih_l0_reverse": 0}, "bidirectional module runs from the end.*forward half"),
        ({"weight_hr_l0": 0}, "projections .proj_size. are not supported; train with proj_size=0"),
        ({"weight_hh_l0": None}, "has no `weight_hh_l0`.*weight_ih_l0.*prefix="),
        ({"bias_hh_l0": None}, "has no `bias_hh_l0`.*both biases; zeros will do"),
        ({"weight_hh_l2": np.ones((15, 5))}, "has no `weight_ih_l1`"),
        ({"weight_ih_l0": np.ones((3, 15))}, r"must be \(15, 15\).*got shape \(3, 15\)"),
        ({"weight_hh_l0": np.ones((5, 15))}, r"must be \(gates\*hidden, hidden\).*\(5, 15\)"),
        ({"weight_hh_l0": np.ones((10, 5))}, r"`weight_hh_l0` of shape \(10, 5\) is of no known"),
        ({"bias_ih_l0": np.ones(14)}, r"`bias_ih_l0` must be \(15,\) in a gru of 5 hidden"),
        ({"weight_ih_l0": np.full((15, 3), np.nan)}, "`weight_ih_l0` has values that are not fin"),
        ({"head.weight": np.ones((2, 5))}, "a linear readout of it: readout='head'"),
        ({"weight_h_l0": 0}, "`weight_h_l0` is no name of a recurrent cell; did you mean"),
        ({"parametrizations.weight_hh_l0.original0": 0}, "remove_parametrizations"),
        ({"enc.weight_hh_l0": 0, "dec.weight_hh_l0": 0, "weight_hh_l0": None,
          "weight_ih_l0": None, "bias_ih_l0": None, "bias_hh_l0": None},
         "2 recurrent cells; say which: prefix='enc.' or prefix='dec.'"),
    ],
)  # fmt: skip
def test_bad_state_dicts(change, message):
    state = {**state_dict("gru"), **change}
    state = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        from_torch(state)


def test_other_bad_arguments():
    state = state_dict("gru")
    with pytest.raises(ValueError, match="`kind` must be one of `rnn`.*; got 'GRU'.*did you mean"):
        from_torch(state, "GRU")
    with pytest.raises(ValueError, match=r"must be \(20, 3\) in a lstm of 5 hidden units"):
        from_torch(state, "lstm")
    with pytest.raises(TypeError, match="a torch.nn module or a state dict.*got ndarray"):
        from_torch(np.eye(3))
    with pytest.raises(TypeError, match="`weight_hh_l0` must be an array of numbers; got 'a'"):
        from_torch({**state, "weight_hh_l0": "a"})
    with pytest.raises(ValueError, match="no `out.weight`"):
        from_torch(state, readout="out")
    with pytest.raises(ValueError, match=r"\(n_outputs, hidden = 5\); got shape \(2, 4\)"):
        from_torch({**state, "out.weight": np.ones((2, 4))}, readout="out")
    with pytest.raises(ValueError, match="transposed: weights are .post, pre."):
        from_torch({"W_hh": np.eye(4), "W_ih": np.ones((2, 4))}, "rnn")


def test_torch_is_not_needed():
    """Neither to import nor to use."""
    code = """
import sys
sys.modules["torch"] = None  # importing it would raise
import numpy as np, neurodyn as nd
nd.interop.from_torch({"W_hh": np.eye(2), "W_ih": np.eye(2)}, kind="rnn")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("kind", KINDS)
def test_against_torch_itself(kind, bias):
    torch = pytest.importorskip("torch")
    name, options = kind.partition("_")[0].upper(), {}
    if name == "RNN":
        options["nonlinearity"] = kind.partition("_")[2]
    torch.manual_seed(0)
    module = getattr(torch.nn, name)(3, 5, num_layers=2, bias=bias, batch_first=True, **options)
    x = inputs()
    for dtype, atol in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        module = module.to(dtype)
        with torch.no_grad():
            expected = module(torch.as_tensor(x[None], dtype=dtype))[0][0].numpy()
        net = from_torch(module)
        ds = run(net, x, str(dtype).removeprefix("torch."))
        np.testing.assert_allclose(ds["l1.output"][0], expected, atol=atol)
        state = to_torch_state(net, dtype=str(dtype).removeprefix("torch."))
        module.load_state_dict({k: torch.as_tensor(v) for k, v in state.items()})
