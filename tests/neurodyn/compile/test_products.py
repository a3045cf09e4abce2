"""The weight products of compiled networks, for many shapes and batches.

Activities and weights are small integers, so every sum is exact in any order, and must equal
`Weights.apply` exactly. With other numbers the order shows, and a trial must not depend on its batch
by a single bit.
"""

import functools

import numpy as np
import pytest
import scipy.sparse as sp

import neurodyn as nd

TRIALS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 37)
#: (post, pre): all sizes up to 70, rows that are padded, and weights of several blocks of rows.
SHAPES = [(n, 71 - n) for n in range(1, 71)]
SHAPES += [(64, 64), (65, 65), (64, 200), (200, 65), (200, 200), (1, 200), (200, 1), (1030, 150)]
#: Behind the units, where x is 0, the activity is infinite: nothing may read it.
SOURCE = "dx/dt = diagonal*Hz : 1\nr = 12/x : 1"
KINDS = ("dense", "low_rank", "sparse", "sum")
TARGET = "\n".join(f"d{kind}_/dt = {kind}*Hz : 1" for kind in KINDS)


def weights_of(shape, draw, rng):
    """Weights of each kind, their entries from ``draw(*shape)``."""
    post, pre = shape
    rank = 1 + (post + pre) % 5
    dense = nd.weights.Dense(draw(post, pre))
    low_rank = nd.weights.LowRank(draw(post, rank), draw(pre, rank))
    sparse = nd.weights.Sparse(sp.csr_array(draw(post, pre) * (rng.random(shape) < 0.3)))
    diagonal = nd.weights.Diagonal(draw(pre))
    return {
        "dense": dense,
        "low_rank": low_rank,
        "sparse": sparse,
        "sum": low_rank + nd.weights.Dense(draw(post, pre)) + sparse,
        "diagonal": diagonal,
    }


def network_of(weights):
    post, pre = weights["dense"].shape
    return nd.Network(
        {"A": nd.Population(pre, SOURCE), "B": nd.Population(post, TARGET)},
        [
            nd.Coupling("A.r", "A.diagonal", weights["diagonal"]),
            *(nd.Coupling("A.r", f"B.{kind}", weights[kind]) for kind in KINDS),
        ],
    )


def integers(rng):
    return lambda *shape: rng.integers(-8, 9, size=shape).astype(float)


def products(weights, r):
    """All products in the order of the states."""
    return np.concatenate(
        [weights["diagonal"].apply(r), *(weights[kind].apply(r) for kind in KINDS)], axis=-1
    )


def state_of(x, network):
    rest = network.n_states - x.shape[-1]
    return np.concatenate([x, np.zeros((*x.shape[:-1], rest))], axis=-1)


@functools.lru_cache
def compiled(shape, dtype, kind_of_numbers, transposed=False):
    """Weights, and the compiled network that has them."""
    rng = np.random.default_rng(shape)
    draw = integers(rng) if kind_of_numbers == "integers" else lambda *s: rng.normal(size=s)
    weights = weights_of(shape[::-1] if transposed else shape, draw, rng)
    if transposed:
        weights = {k: nd.weights.Transpose(w) for k, w in weights.items() if k != "diagonal"}
        weights["diagonal"] = nd.weights.Diagonal(draw(shape[1]))
    return weights, network_of(weights).compiled(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_are_exact(dtype, transposed):
    rng = np.random.default_rng(1)
    for shape in SHAPES:
        weights, network = compiled(shape, dtype, "integers", transposed)
        x = rng.choice([-12, -6, -4, -3, 1, 2, 3, 12], size=(9, shape[1])).astype(float)
        got = network.field(state_of(x, network.network))
        assert np.array_equal(got, products(weights, 12 / x)), shape


def test_tangent_and_transposed_products_are_exact():
    rng = np.random.default_rng(2)
    for shape in SHAPES:
        weights, network = compiled(shape, "float64", "integers")
        x = rng.choice([-1.0, 1.0], size=(5, shape[1]))
        state = state_of(x, network.network)
        v, cotangent = (integers(rng)(*state.shape) for _ in range(2))
        got = network.tangent(state, v)
        assert np.array_equal(got, products(weights, -12 * v[:, : shape[1]])), shape

        pre, post = shape[1], shape[0]
        parts = np.split(cotangent, pre + post * np.arange(len(KINDS)), axis=1)
        wanted = sum(w.T.apply(c) for w, c in zip([weights["diagonal"],
                     *(weights[k] for k in KINDS)], parts, strict=True))  # fmt: skip
        found = network.adjoint(state, cotangent)
        assert np.array_equal(found.state[:, :pre], -12 * wanted), shape
        assert not found.state[:, pre:].any()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_trial_does_not_depend_on_its_batch(dtype):
    rng = np.random.default_rng(3)
    for shape in SHAPES:
        weights, network = compiled(shape, dtype, "normals")
        x = 1 + rng.random((max(TRIALS), shape[1]))
        state = state_of(x, network.network)
        batch = network.field(state)
        for n_trials in TRIALS:
            assert np.array_equal(network.field(state[:n_trials]), batch[:n_trials]), shape
            assert np.array_equal(network.field(state[-n_trials:]), batch[-n_trials:]), shape
        # the numbers are right to the roundings of the longest sum
        r = 12 / x.astype(dtype).astype(float)
        magnitude = {k: abs(w.to_dense()).sum(1).max() for k, w in weights.items()}
        bound = 12 * max(magnitude.values()) * (shape[1] + 3) * np.finfo(dtype).eps
        assert np.abs(batch - products(weights, r)).max() <= 3 * bound, shape


@pytest.mark.parametrize("shape", [(5, 9), (66, 70), (200, 200)])
def test_derivatives_of_a_trial_do_not_depend_on_its_batch(shape):
    rng = np.random.default_rng(4)
    _, network = compiled(shape, "float64", "normals")
    state = state_of(1 + rng.random((9, shape[1])), network.network)
    vectors = rng.normal(size=(9, 5, state.shape[1]))
    tangent = network.tangent(state, vectors)
    adjoint = network.adjoint(state, vectors[:, 0]).state
    for k in (1, 2, 3, 4, 7):
        assert np.array_equal(network.tangent(state[:k], vectors[:k]), tangent[:k])
        assert np.array_equal(network.adjoint(state[:k], vectors[:k, 0]).state, adjoint[:k])
    for k in (1, 2, 3, 4):
        assert np.array_equal(network.tangent(state, vectors[:, :k]), tangent[:, :k])
