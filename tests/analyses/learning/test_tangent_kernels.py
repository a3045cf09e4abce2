"""Tangent kernels against gradients of single trials, written in NumPy or found by `bptt`."""

import functools

import numpy as np
import pytest
import scipy.sparse as sp

import neurodyn as nd
from neurodyn.analyses import tangent_kernel, target_alignment
from neurodyn.analyses.learning import tangent_kernels


def network(W=None, n=6):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(n, n)) / np.sqrt(n) if W is None else W
    return nd.Network(
        {
            "in": nd.Population(2, "r = u : 1"),
            "E": nd.Population(n, "dx/dt = (tanh(I + b) - x)/dt : 1", b=0.1 * rng.normal(size=n)),
            "out": nd.Population(2, "y = g*I : 1", g=1.5),
        },
        [
            nd.Coupling("in.r", "E.I", rng.normal(size=(n, 2))),
            nd.Coupling("E.x", "E.I", W),
            nd.Coupling("E.x", "out.I", rng.normal(size=(2, n))),
        ],
    )


ALL = ["in.r->E.I", "E.x->E.I", "E.x->out.I", "E.b", "out.g", "E.x"]
U = np.random.default_rng(1).normal(size=(5, 8, 2))


def kernel(net, trainable=ALL, **options):
    options = {"output": "out.y", "inputs": {"in.u": U}, **options}
    return tangent_kernel(net, nd.Euler(dt=0.1), 0.8, trainable=trainable, **options)


def rows_by_bptt(net, trainable, samples, readout):
    """Gradients, one row an output and trial, each from a sweep of its own."""
    rows = []
    for sample in samples:
        for weights in readout:

            def loss(recorded, sample=sample, weights=weights):
                y = recorded["out.y"]
                cotangent = np.zeros_like(y)
                cotangent[:, sample] = weights
                return (y * cotangent).sum(), {"out.y": cotangent}

            for u in U:
                found = nd.learning.bptt(
                    net, nd.Euler(dt=0.1), 0.8, loss, record=["out.y"], trainable=trainable,
                    inputs={"in.u": u[None]},
                )  # fmt: skip
                rows.append(np.concatenate([g.ravel() for g in found.gradients.values()]))
    return np.array(rows)


def test_the_kernel_is_that_of_gradients_written_in_numpy():
    net = network()
    W_in, W, W_out = (c.weights.W for c in net.couplings)
    b, w = net.populations["E"].parameters["b"], 1.5 * W_out[0]
    x = [np.zeros((5, 6))]
    for k in range(8):
        x.append(np.tanh(x[-1] @ W.T + U[:, k] @ W_in.T + b))
    to_W, to_in, to_b = np.zeros((5, 6, 6)), np.zeros((5, 6, 2)), np.zeros((5, 6))
    cotangent = np.broadcast_to(w, (5, 6))
    for k in reversed(range(8)):
        delta = cotangent * (1 - x[k + 1] ** 2)
        to_W += delta[:, :, None] * x[k][:, None]
        to_in += delta[:, :, None] * U[:, k][:, None]
        to_b += delta
        cotangent = delta @ W
    G = np.concatenate(
        [to_in.reshape(5, -1), to_W.reshape(5, -1), 1.5 * x[8], to_b, x[8] @ W_out[:1].T, cotangent],
        axis=1,
    )
    found = kernel(net, readout=[1.0, 0.0])
    np.testing.assert_allclose(found.kernel, G @ G.T, rtol=1e-12)
    np.testing.assert_allclose(found.outputs, (x[8] @ w)[None], rtol=1e-12)
    counts = {"in.r->E.I": 12, "E.x->E.I": 36, "E.x->out.I": 12, "E.b": 6, "out.g": 1, "E.x": 6}
    assert found.parameters == counts and found.n_parameters == 73


def rank_two():
    rng = np.random.default_rng(2)
    return nd.weights.LowRank(0.5 * rng.normal(size=(6, 2)), rng.normal(size=(6, 2)))


def sparse(n=6):
    return sp.random_array((n, n), density=0.4, rng=np.random.default_rng(3))


WEIGHTS = {
    "sum": lambda: sparse() + rank_two() + nd.weights.Diagonal(np.linspace(-1, 1, 6)),
    "transposed": lambda: nd.weights.Transpose(np.random.default_rng(4).normal(size=(6, 6))),
    "transposed low rank": lambda: nd.weights.Transpose(rank_two()),
}


@functools.lru_cache
def weighted(kind):
    return network(WEIGHTS[kind]())


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k == "sum" else pytest.mark.slow) for k in WEIGHTS]
)
def test_weights_of_any_kind_and_several_outputs(monkeypatch, kind):
    net, readout = weighted(kind), np.array([[1.0, 0.0], [0.3, -1.0]])
    G = rows_by_bptt(net, ["E.x->E.I", "out.g"], [2, 7], readout)
    options = dict(trainable=["E.x->E.I", "out.g"], times=[0.3, 0.8], readout=readout)
    whole = kernel(net, **options)
    np.testing.assert_allclose(whole.kernel, G @ G.T, rtol=0, atol=1e-12 * np.abs(G @ G.T).max())
    assert whole.outputs.shape == (4, 5)
    monkeypatch.setattr(tangent_kernels, "_SLICE_BYTES", 1)  # one number at a time
    sliced = kernel(net, **options)
    np.testing.assert_allclose(sliced.kernel, whole.kernel, rtol=1e-10, atol=1e-12)


def test_many_trials_and_wide_rows():
    """More trials than a block holds, and rows that are longer than there are units."""
    rng = np.random.default_rng(5)
    net = network(rng.normal(size=(70, 70)) / 9, n=70)
    u = rng.normal(size=(300, 8, 2))
    options = dict(readout=[0.0, 1.0], inputs={"in.u": u})
    whole = kernel(net, **options)
    some = kernel(net, readout=[0.0, 1.0], inputs={"in.u": u[200:210]})
    np.testing.assert_allclose(whole.kernel[200:210, 200:210], some.kernel, rtol=1e-11)
    single = kernel(net, **options, dtype="float32")
    assert single.kernel.dtype == np.float32
    np.testing.assert_allclose(single.kernel, whole.kernel, atol=1e-4 * whole.kernel.max())


def test_the_rank_is_that_of_the_parameters():
    found = kernel(network(), trainable=["E.b"], readout=[1.0, 0.0], inputs={
        "in.u": np.random.default_rng(6).normal(size=(20, 8, 2))})  # fmt: skip
    assert np.all(found.eigenvalues[6:] < 1e-12 * found.eigenvalues[0])
    assert found.eigenvalues[5] > 1e-8 * found.eigenvalues[0]


# -- alignment ---------------------------------------------------------------------------------


def test_alignment_with_targets():
    rng = np.random.default_rng(7)
    K, y = rng.normal(size=(6, 8)), rng.normal(size=6)
    K = K @ K.T
    assert target_alignment(np.outer(y, 3 * y), y) == pytest.approx(1)
    wanted = y @ K @ y / (np.linalg.norm(K) * (y @ y))
    assert target_alignment(K, y) == pytest.approx(wanted)
    assert target_alignment(K, y[:, None]) == pytest.approx(wanted)
    H = np.eye(6) - 1 / 6
    centred = target_alignment(H @ K @ H, H @ y)
    assert target_alignment(K, y, centred=True) == pytest.approx(centred)
    found = kernel(network(), readout=[1.0, 0.0])
    assert found.alignment(y[:5]) == target_alignment(found.kernel, y[:5])


def test_the_linear_network_learns_as_the_closed_form_says():
    """K_0 = W1' W1 + |W2|^2 I of y = W2 W1 x, on inputs that are the axes."""
    rng = np.random.default_rng(8)
    d, h = 4, 5
    W1, W2 = rng.normal(size=(h, d)), rng.normal(size=(1, h))
    net = nd.Network(
        {"in": nd.Population(d, "r = u : 1"), "H": nd.Population(h, "r = I : 1"),
         "out": nd.Population(1, "dy/dt = (I - y)/dt : 1")},
        [nd.Coupling("in.r", "H.I", W1), nd.Coupling("H.r", "out.I", W2)],
    )  # fmt: skip
    found = tangent_kernel(
        net, nd.Euler(dt=0.1), 0.1, output="out.y", trainable=["in.r->H.I", "H.r->out.I"],
        inputs={"in.u": np.eye(d)[:, None]},
    )  # fmt: skip
    wanted = W1.T @ W1 + np.sum(W2**2) * np.eye(d)
    np.testing.assert_allclose(found.kernel, wanted, rtol=1e-12, atol=1e-14)


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"trainable": ["in.u"]}, "`in.u` is an input, of which every trial has its own"),
        ({"readout": [1.0]}, r"`readout` must be \(2,\) or \(n, 2\)"),
        ({"times": [0.9]}, "`times`: 0.9 s is after the end of the run, 0.8 s"),
        ({"times": [0.25]}, "`times` = 0.25 s is not a multiple of dt"),
        ({"output": "out.z"}, "population `out` has no `z`"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        kernel(network(), **options)


def test_bad_kernels():
    with pytest.raises(ValueError, match="`kernel` must be a square matrix"):
        target_alignment(np.ones((2, 3)), [1.0, 2.0])
    with pytest.raises(ValueError, match=r"`targets` must be \(2,\) or \(2, d\)"):
        target_alignment(np.eye(2), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="`targets` is 0"):
        target_alignment(np.eye(2), [1.0, 1.0], centred=True)
