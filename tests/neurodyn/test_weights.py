"""Weights against dense matrices, CSR loops and finite differences."""

import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.weights import (
    Dense,
    Diagonal,
    LowRank,
    Sparse,
    Sum,
    Transpose,
    Weights,
    as_weights,
)

RNG = np.random.default_rng(1)
N_POST, N_PRE = 6, 4
A = RNG.standard_normal((N_POST, N_PRE))
M, N = RNG.standard_normal((N_POST, 2)), RNG.standard_normal((N_PRE, 2))
HOLED = A * (RNG.random(A.shape) < 0.4)
HOLED[2] = 0.0  # a postsynaptic unit without inputs
D = RNG.standard_normal(5)

#: Every kind, and how they combine: name -> (weights, the same matrix by other means).
CASES = {
    "dense": (Dense(A), A),
    "sparse": (Sparse(sp.csr_array(HOLED)), HOLED),
    "low_rank": (LowRank(M, N), sum(np.outer(M[:, k], N[:, k]) for k in range(2))),
    "diagonal": (Diagonal(D), np.diag(D)),
    "transposed dense": (Transpose(Dense(A)), A.T),
    "transposed sparse": (Transpose(Sparse(sp.csr_array(HOLED))), HOLED.T),
    "transposed low_rank": (Transpose(LowRank(M, N)), N @ M.T),
    "transposed diagonal": (Transpose(Diagonal(D)), np.diag(D)),
    "twice transposed": (Transpose(Transpose(Dense(A))), A),
    "sum": (LowRank(M, N) + A + sp.csr_array(HOLED), M @ N.T + A + HOLED),
    "transposed sum": (Transpose(Sum(LowRank(M, N), A)), (M @ N.T + A).T),
    "sum of transposed": (Transpose(Sum(LowRank(N, M), A.T)) - Dense(A), M @ N.T),
    "scaled": (-2.0 * (Dense(A) + LowRank(M, N)), -2.0 * (A + M @ N.T)),
    "scaled transpose": (Transpose(Sparse(sp.csr_array(HOLED))) * 3, 3 * HOLED.T),
    "scaled diagonal": (-(0.5 * Diagonal(D)), -0.5 * np.diag(D)),
}


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request):
    return request.param


def naive_dense(weights, dtype):
    """The matrix that a kernel would see in the kernel arrays, by the slowest loops."""
    arrays = weights.kernel_arrays(dtype)
    W = np.zeros(weights.shape)
    if weights.kind == "dense":
        (WT,) = arrays
        for pre, post in np.ndindex(WT.shape):
            W[post, pre] = WT[pre, post]
    elif weights.kind == "sparse":
        indptr, indices, data = arrays
        assert indptr.dtype == np.int64 and indices.dtype == np.int32
        for post in range(len(indptr) - 1):
            row = slice(indptr[post], indptr[post + 1])
            assert np.all(np.diff(indices[row]) > 0)
            for pre, value in zip(indices[row], data[row], strict=True):
                W[post, pre] += value
    elif weights.kind == "low_rank":
        for n, m in zip(*arrays, strict=True):
            W += np.outer(m, n)
    else:
        for i, d in enumerate(arrays[0]):
            W[i, i] = d
    return W


def test_to_dense_and_shape(case):
    weights, matrix = case
    assert weights.shape == matrix.shape == (weights.n_post, weights.n_pre)
    assert_allclose(weights.to_dense(), matrix, rtol=1e-14, atol=1e-15)
    assert_allclose(weights.T.to_dense(), matrix.T, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("lead", [(), (1,), (3,), (2, 5), (0,)])
def test_apply_is_the_matrix_product(case, lead):
    weights, matrix = case
    r = np.random.default_rng(0).standard_normal((*lead, weights.n_pre))
    drive = weights.apply(r)
    assert drive.shape == (*lead, weights.n_post)
    assert_allclose(drive, np.einsum("ij,...j->...i", matrix, r), rtol=1e-12, atol=1e-13)
    s = np.random.default_rng(0).standard_normal((*lead, weights.n_post))
    assert_allclose(weights.T.apply(s), np.einsum("ij,...i->...j", matrix, s), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_kernel_arrays_hold_the_matrix(case, dtype):
    weights, matrix = case
    for whole, expected in ((weights, matrix), (weights.T, matrix.T)):
        total = sum(naive_dense(term, dtype) for term in whole.terms)
        assert_allclose(total, expected, rtol=20 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
        for term in whole.terms:
            assert term.terms == (term,)
            arrays = term.kernel_arrays(dtype)
            assert arrays[-1].dtype == dtype
            for array in arrays:
                assert array.ctypes.data % 64 == 0
                # kernels are compiled for writeable arrays
                assert array.flags.c_contiguous and array.flags.writeable


def test_kernel_arrays_are_made_once(case):
    for whole in (case[0], case[0].T):
        for term in whole.terms:
            for dtype in (np.float64, np.float32):
                first, second = term.kernel_arrays(dtype), term.kernel_arrays(dtype)
                assert all(a is b for a, b in zip(first, second, strict=True))
    for term in case[0].terms:  # also through another transpose of the same object
        assert term.T.kernel_arrays()[-1] is term.T.kernel_arrays()[-1]


@pytest.mark.parametrize("lead", [(), (3,), (2, 4)])
def test_gradient_against_finite_differences(case, lead):
    weights, _ = case
    r = np.random.default_rng(2).standard_normal((*lead, weights.n_pre))

    def loss(**values):
        return 0.5 * np.sum(np.sin(weights.with_parameters(**values).apply(r)))

    gradient = weights.gradient(0.5 * np.cos(weights.apply(r)), r)
    assert gradient.keys() == weights.parameters.keys()
    h = 1e-6
    for name, value in weights.parameters.items():
        assert gradient[name].shape == value.shape
        numeric = np.empty(value.shape)
        for index in np.ndindex(value.shape):
            up, down = value.copy(), value.copy()
            up[index] += h
            down[index] -= h
            numeric[index] = (loss(**{name: up}) - loss(**{name: down})) / (2 * h)
        assert_allclose(gradient[name], numeric, rtol=1e-7, atol=1e-9)


def test_gradient_of_many_blocks(monkeypatch):
    """The gathers are cut into blocks; a block of a few entries must give the same."""
    from neurodyn.weights import sparse as _weights_sparse

    weights = Sparse(sp.random_array((40, 30), density=0.2, rng=np.random.default_rng(0)))
    delta, r = RNG.standard_normal((50, 40)), RNG.standard_normal((50, 30))
    expected = (delta.T @ r)[weights.to_dense() != 0]  # row by row, as the entries are
    assert_allclose(weights.gradient(delta, r)["data"], expected, rtol=1e-11, atol=1e-12)
    monkeypatch.setattr(_weights_sparse, "_GATHER_BLOCK", 350)
    assert_allclose(weights.gradient(delta, r)["data"], expected, rtol=1e-11, atol=1e-12)


def test_tied_weights_are_those_of_the_other():
    W = LowRank(M, N)
    tied = Transpose(W)
    assert tied.other is W and tied.T is W
    assert tied.parameters["m"] is W.parameters["m"]
    delta, r = RNG.standard_normal((3, N_PRE)), RNG.standard_normal((3, N_POST))
    D = r.T @ delta  # dL/dW of W.T, transposed
    assert_allclose(tied.gradient(delta, r)["m"], D @ N)
    assert_allclose(tied.gradient(delta, r)["n"], D.T @ M)
    assert_allclose(tied.with_parameters(m=2 * M).to_dense(), N @ (2 * M).T)


def test_with_parameters_keeps_the_structure(case):
    weights, matrix = case
    doubled = {k: 2 * v for k, v in weights.parameters.items() if not k.endswith("n")}
    new = weights.with_parameters(**doubled)
    assert_allclose(new.to_dense(), 2 * matrix, rtol=1e-14, atol=1e-14)
    assert type(new) is type(weights) and new.parameters.keys() == weights.parameters.keys()
    assert [t.kind for t in new.terms] == [t.kind for t in weights.terms]
    assert_allclose(weights.to_dense(), matrix, rtol=1e-14, atol=1e-15)  # the old one is as before


def test_sparse_with_parameters_shares_the_pattern():
    weights = Sparse(sp.csr_array(HOLED))
    before = weights.T.kernel_arrays()
    new = weights.with_parameters(data=np.zeros(weights.nnz))
    assert new.nnz == weights.nnz  # zeros stay entries
    after = new.T.kernel_arrays()
    assert before[0] is after[0] and before[1] is after[1]  # nothing is sorted again
    assert_array_equal(after[2], 0.0)


def test_with_parameters_says_what_is_wrong():
    weights = LowRank(M, N) + A
    with pytest.raises(ValueError, match=r"`0.k` is not a parameter of Sum\(.*did you mean"):
        weights.with_parameters(**{"0.k": M})
    with pytest.raises(ValueError, match=r"`1.W` of Sum.* must have shape \(6, 4\); got \(4, 6\)"):
        weights.with_parameters(**{"1.W": A.T})
    bad = M.copy()
    bad[1, 0] = np.inf
    with pytest.raises(ValueError, match=r"`m` must be finite; got inf at index = \[1, 0\]"):
        LowRank(M, N).with_parameters(m=bad)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"])
def test_sparse_takes_every_format(format):
    for make in (sp.csr_array, sp.csr_matrix):
        weights = Sparse(make(HOLED).asformat(format))
        assert_array_equal(weights.to_dense(), HOLED)
        assert_array_equal(naive_dense(weights, np.float64), HOLED)
        assert_array_equal(naive_dense(weights.T, np.float64), HOLED.T)


def test_sparse_sums_duplicates_and_sorts():
    post, pre = [3, 0, 0, 3, 0], [1, 3, 0, 1, 3]
    coo = sp.coo_array((np.array([200, 100, 7, 100, 200], np.uint8), (post, pre)), shape=(5, 4))
    expected = np.zeros((5, 4))
    expected[3, 1], expected[0, 3], expected[0, 0] = 300, 300, 7  # no overflow of uint8
    with pytest.warns(UserWarning, match="2 entries more than pairs"):
        weights = Sparse(coo)
    assert weights.nnz == 3
    assert_array_equal(weights.indptr, [0, 2, 2, 2, 3, 3])
    assert_array_equal(weights.indices, [0, 3, 1])
    assert_array_equal(weights.to_dense(), expected)
    unsorted = sp.csr_array(([1.0, 2.0, 4.0], [3, 0, 3], [0, 3, 3]), shape=(2, 4))
    with pytest.warns(UserWarning, match="1 entries more than pairs"):
        weights = Sparse(unsorted)
    assert_array_equal(weights.to_dense(), [[2, 0, 0, 5], [0, 0, 0, 0]])
    assert unsorted.nnz == 3  # the user's matrix is not changed


def test_sparse_keeps_explicit_zeros_and_may_be_empty():
    assert Sparse(sp.csr_array(([0.0], [1], [0, 1, 1]), shape=(2, 2))).nnz == 1
    empty = Sparse(sp.csr_array((3, 2)))
    assert_array_equal(empty.apply(np.ones((4, 2))), np.zeros((4, 3)))
    assert empty.gradient(np.ones((4, 3)), np.ones((4, 2)))["data"].shape == (0,)
    assert_array_equal(naive_dense(empty.T, np.float64), np.zeros((2, 3)))


def test_sparse_to_scipy_round_trip():
    weights = Sparse(sp.csc_array(HOLED))
    copy = weights.to_scipy()
    assert_array_equal(copy.toarray(), HOLED)
    copy.data[:] = 0.0
    assert_array_equal(weights.to_dense(), HOLED)


def test_large_weights_are_never_expanded():
    """A matrix of 10^12 entries would not fit: only the factors and the pattern may be touched."""
    n = 10**6
    m = np.arange(n, dtype=float)
    r = np.zeros(n)
    r[[5, 7]] = 1.0, 2.0
    entries = sp.coo_array(([3.0, 4.0], ([9, n - 1], [7, 5])), shape=(n, n))
    weights = LowRank(m, m) + Sparse(entries)
    drive = weights.apply(r)
    assert drive[n - 1] == 4.0 + (n - 1) * 19.0 and drive[9] == 3.0 * 2 + 9 * 19.0
    gradient = weights.gradient(drive, r)
    assert_array_equal(gradient["1.data"], [drive[9] * 2.0, drive[n - 1]])
    assert gradient["0.m"][3, 0] == drive[3] * 19.0
    assert weights.T.apply(r)[3] == 3 * 19.0


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    batch=st.integers(0, 5),
    density=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_adjoint_identity_for_any_shape(shape, batch, density, seed):
    """<s, W r> = <W^T s, r>, and its derivative along any change of the data."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal(shape) * (rng.random(shape) < density)
    weights = Sparse(sp.csr_array(W))
    s, r = rng.standard_normal((batch, shape[0])), rng.standard_normal((batch, shape[1]))
    inner = np.sum(s * (r @ W.T))
    assert_allclose(np.sum(s * weights.apply(r)), inner, rtol=1e-10, atol=1e-11)
    assert_allclose(np.sum(weights.T.apply(s) * r), inner, rtol=1e-10, atol=1e-11)
    along = np.sum(weights.gradient(s, r)["data"] * weights.data)  # the product is linear in W
    assert_allclose(along, inner, rtol=1e-10, atol=1e-11)


def test_later_edits_do_not_leak_in():
    W, m, n, d, S = A.copy(), M.copy(), N.copy(), D.copy(), sp.csr_array(HOLED)
    all_weights = [Dense(W), LowRank(m, n), Diagonal(d), Sparse(S), as_weights(W)]
    before = [weights.to_dense() for weights in all_weights]
    for array in (W, m, n, d, S.data, S.indices):
        array[...] = 0
    for weights, dense in zip(all_weights, before, strict=True):
        assert_array_equal(weights.to_dense(), dense)
        weights.to_dense()[...] = 0.0  # a copy
        assert_array_equal(weights.to_dense(), dense)
        for value in weights.parameters.values():
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0.0
    with pytest.raises(AttributeError, match="immutable; `W` cannot be set"):
        all_weights[0].W = A
    with pytest.raises(ValueError, match="read-only"):
        all_weights[3].indices[0] = 0


def test_pickle_gives_the_same_weights(case):
    copy = pickle.loads(pickle.dumps(case[0]))
    assert repr(copy) == repr(case[0])
    assert_array_equal(copy.to_dense(), case[0].to_dense())
    for term, copied in zip(case[0].terms, copy.terms, strict=True):
        pairs = zip(term.kernel_arrays(), copied.kernel_arrays(), strict=True)
        assert all(a.tobytes() == b.tobytes() for a, b in pairs)


def test_operators_with_arrays_on_either_side():
    weights = LowRank(M, N)
    for total in (A + weights, weights + A, weights + A.tolist()):
        assert isinstance(total, Sum) and len(total.terms) == 2
        assert_allclose(total.to_dense(), M @ N.T + A)
    assert_allclose((A - weights).to_dense(), A - M @ N.T)
    assert_allclose((weights - sp.csr_array(HOLED)).to_dense(), M @ N.T - HOLED)
    assert_allclose((sp.csr_array(HOLED) + weights).to_dense(), M @ N.T + HOLED)
    assert_allclose((np.float64(2.0) * weights).to_dense(), 2 * M @ N.T)
    assert [t.kind for t in ((weights + A) + (weights + A)).terms] == ["low_rank", "dense"] * 2
    with pytest.raises(TypeError, match="multiplied by one number"):
        A * weights
    with pytest.raises(ValueError, match=r"one shape \(post, pre\); got \(6, 4\) and \(4, 6\)"):
        weights + weights.T


def test_rank_one_from_vectors():
    weights = LowRank(M[:, 0], N[:, 0])
    assert weights.rank == 1 and weights.m.shape == (N_POST, 1)
    assert_allclose(weights.to_dense(), np.outer(M[:, 0], N[:, 0]))


def test_float32_stays_float32():
    weights = Dense(A.astype(np.float32))
    assert weights.dtype == weights.to_dense().dtype == (2.0 * weights).dtype == np.float32
    assert weights.kernel_arrays(np.float64)[0].dtype == np.float64
    S = Sparse(sp.csr_array(HOLED, dtype=np.float32))
    assert S.data.dtype == np.float32 and Sparse(sp.csr_array(HOLED)).data.dtype == np.float64
    assert Dense(A.astype(int)).dtype == np.float64
    assert (weights + Dense(A)).dtype == np.float64
    with pytest.raises(TypeError, match="`dtype` must be float64 or float32; got int64"):
        weights.kernel_arrays(int)


def test_units_are_kept():
    volt = nd.mV.dim
    for weights in (
        Dense(A * nd.mV),
        as_weights(A * nd.mV),
        Dense(A) * nd.mV,
        LowRank(M * nd.mV, N),
        Sparse(sp.csr_array(HOLED)) * nd.mV,
        Transpose(Dense(A) * nd.mV),
        Dense(A) * nd.mV + A,
        nd.weights.sparse_random(5, p=0.5, weight=0.1 * nd.mV, rng=0),
    ):
        assert weights.dim == volt
        assert weights.T.dim == (-weights).dim == pickle.loads(pickle.dumps(weights)).dim == volt
        assert weights.with_parameters(**weights.parameters).dim == volt
    assert_allclose(Dense(A * nd.mV).to_dense(), 1e-3 * A)
    assert Dense(A).dim is None
    assert (Diagonal(D * nd.mV) * nd.nS).dim == (nd.mV * nd.nS).dim
    with pytest.raises(nd.UnitError, match="cannot add weights in A and V"):
        Dense(A * nd.mV) + A * nd.nA


class TestAsWeights:
    def test_what_it_accepts(self):
        assert as_weights(A).kind == as_weights(A.tolist()).kind == "dense"
        assert as_weights(sp.coo_array(HOLED)).kind == "sparse"
        low = LowRank(M, N)
        assert as_weights(low, shape=(N_POST, N_PRE)) is low
        assert_array_equal(as_weights(A[::-1, ::-1]).to_dense(), A[::-1, ::-1])
        assert isinstance(as_weights(np.asfortranarray(A)), Weights)

    @pytest.mark.parametrize("make", [np.asarray, sp.csr_array, Dense])
    def test_transposed(self, make):
        with pytest.raises(ValueError) as error:
            as_weights(make(np.ones((2, 3))), "W of E.r->I.I_rec", (3, 2))
        assert str(error.value) == (
            "`W` of E.r->I.I_rec must have shape (post, pre) = (3, 2); got (2, 3). "
            "It looks transposed: weights are [post, pre]."
        )

    @pytest.mark.parametrize(
        ("value", "error", "match"),
        [
            (np.ones((4, 4)), ValueError, r"`W` must have shape .* = \(3, 3\); got \(4, 4\)$"),
            (0.5, ValueError, r"got the scalar 0.5.*np.full\(\(3, 3\), 0.5\).*Diagonal\(np.full"),
            (np.ones(3), ValueError, r"got shape \(3,\).*`Diagonal\(d\)`"),
            (np.ones((1, 3, 3)), ValueError, r"got shape \(1, 3, 3\)"),
            (np.ones((0, 3)), ValueError, r"got shape \(0, 3\)"),
            ([[1.0, 2.0], [3.0]], ValueError, "`W` is not an array of numbers"),
            (np.ones((3, 3), bool), TypeError, r"dtype bool. Convert it with `.astype\(float\)`"),
            (np.ones((3, 3), complex), TypeError, "must be real numbers; got dtype complex128"),
            (np.array([[None] * 3] * 3), TypeError, "must be real numbers"),
            ("W", TypeError, "must be real numbers; got 'W'"),
            (np.ma.masked_equal(np.eye(3), 0), TypeError, "masked entries"),
            (sp.csr_array(np.eye(3) > 0), TypeError, "must hold real numbers; got dtype bool"),
            (sp.csr_array(1j * np.eye(3)), TypeError, "must hold real numbers; got dtype complex"),
            (sp.coo_array(np.ones(3)), ValueError, r"two axes \(post, pre\); got shape \(3,\)"),
        ],
    )
    def test_what_it_refuses(self, value, error, match):
        with pytest.raises(error, match=match):
            as_weights(value, "W", (3, 3))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_first_value_that_is_not_finite(self, bad):
        W = np.zeros((3, 4))
        W[1, 2] = W[2, 0] = bad
        for make in (np.asarray, sp.csr_array, sp.csc_array):
            with pytest.raises(ValueError, match=rf"got {bad} at \[post, pre\] = \[1, 2\]"):
                as_weights(make(W))

    def test_broken_sparse_matrix(self):
        """SciPy does not look at the indices when it is given the arrays; a kernel would crash."""
        S = sp.csr_array((np.ones(2), [0, 99], [0, 1, 2]), shape=(2, 3))
        with pytest.raises(ValueError, match="`W` is not a valid csr matrix"):
            as_weights(S)

    def test_scalar_for_a_rectangle_has_no_diagonal(self):
        with pytest.raises(ValueError, match=r"`np.full\(\(3, 2\), 1.0\)`\.$"):
            as_weights(1, shape=(3, 2))


@pytest.mark.parametrize(
    "arrays",
    [
        ([0, 2, 3], [1, 0, 1], [1.0] * 3),  # not ascending
        ([0, 1, 3], [0, 1, 3], [1.0] * 3),  # beyond the last column
        ([0, 1, 3], [0, -1, 1], [1.0] * 3),  # before the first
        ([0, 1, 2], [0, 1, 2], [1.0] * 3),  # indptr does not end at the last
        ([1, 1, 3], [0, 1, 2], [1.0] * 3),  # nor begin at the first
        ([0, 3, 2, 3], [0, 1, 2], [1.0] * 3),  # too many rows
    ],
)
def test_from_csr_refuses_what_a_kernel_could_not_read(arrays):
    with pytest.raises(ValueError, match=r"not a CSR matrix of shape \(post, pre\) = \(2, 3\)"):
        Sparse.from_csr(*arrays, (2, 3))


@pytest.mark.parametrize("self_connections", [True, False])
def test_all_to_all_keeps_no_matrix(self_connections):
    weights = nd.weights.all_to_all(40, 0.3 * nd.mV, self_connections=self_connections)
    expected = np.full((40, 40), 0.3e-3) - (0 if self_connections else 0.3e-3 * np.eye(40))
    assert_allclose(weights.to_dense(), expected, rtol=1e-15, atol=1e-19)
    assert weights.dim == nd.mV.dim
    stored = [a.size for term in weights.terms for a in term.kernel_arrays(np.float64)]
    assert max(stored) == 40
    assert nd.weights.all_to_all((3, 5), 2.0).shape == (3, 5)


def test_all_to_all_refuses():
    with pytest.raises(ValueError, match="`self_connections` needs a square matrix; got shape"):
        nd.weights.all_to_all((3, 5), 2.0, self_connections=False)
    with pytest.raises(ValueError, match=re.escape("`weight` must be one number; got shape (2,)")):
        nd.weights.all_to_all(3, [1.0, 2.0])


def test_several_synapses_of_a_pair_stay_apart_and_add_up():
    post, pre, weight = [1, 0, 1, 1], [2, 0, 0, 2], [3.0, 1.0, 2.0, 4.0]
    weights = Sparse.from_synapses(post, pre, weight, (2, 3))
    assert_array_equal(weights.data, [1.0, 2.0, 3.0, 4.0])
    expected = [[1.0, 0.0, 0.0], [2.0, 0.0, 7.0]]
    assert_array_equal(weights.to_dense(), expected)
    assert_array_equal(weights.apply(np.eye(3)), np.transpose(expected))
    delta, r = np.array([1.0, 10.0]), np.array([1.0, 2.0, 3.0])
    assert_array_equal(weights.gradient(delta, r)["data"], [1.0, 10.0, 30.0, 30.0])


@pytest.mark.parametrize(
    ("post", "pre", "weight", "message"),
    [
        ([0, 2], [0, 0], 1.0, "`post` has units from 0 to 2, and `shape` (2, 3) has room for 0 to 1"),
        ([0], [-1], 1.0, "`pre` has units from -1 to -1"),
        ([0, 1], [0], 1.0, "`post` and `pre` must be of one length; got 2 and 1"),
        ([0, 1], [0, 1], [1.0], "`weight` must be one number or one a synapse, (2,)"),
        ([0.0], [0.0], 1.0, "`post` must be a list of unit numbers"),
    ],
)
def test_from_synapses_refuses(post, pre, weight, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Sparse.from_synapses(post, pre, weight, (2, 3))


def test_from_csr_decreasing_indptr():
    with pytest.raises(ValueError, match="not a CSR matrix"):
        Sparse.from_csr([0, 2, 1, 3], [0, 1, 2], np.ones(3), (3, 3))


def test_from_csr_rows_may_begin_anywhere():
    weights = Sparse.from_csr([0, 0, 2, 2, 3, 3], [1, 2, 0], [1.0, 2.0, 3.0], (5, 3))
    expected = np.zeros((5, 3))
    expected[1, 1], expected[1, 2], expected[3, 0] = 1, 2, 3
    assert_array_equal(weights.to_dense(), expected)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: LowRank(np.ones((3, 2)), np.ones((3, 1))), ValueError, r"got \(3, 2\) and \(3, 1"),
        (lambda: Diagonal(2.0), ValueError, r"`Diagonal\(np.full\(n, value\)\)`"),
        (lambda: Diagonal(np.eye(2)), ValueError, r"got shape \(2, 2\)"),
        (lambda: Sparse(np.eye(2)), TypeError, "`S` must be a SciPy sparse matrix; got ndarray"),
        (lambda: Sum(), ValueError, "at least one term"),
        (lambda: (Dense(A) + A).kernel_arrays(), TypeError, "those of its `terms`"),
        (lambda: Dense(A).apply(np.ones(5)), ValueError, r"\(..., 4\); got \(5,\)"),
        (lambda: Dense(A).apply(1.0), ValueError, r"\(..., 4\); got \(\)"),
        (lambda: Dense(A).gradient(np.ones(4), np.ones(6)), ValueError, r"\(4,\) and \(6,\)"),
        (lambda: Dense(A).gradient(np.ones((2, 6)), np.ones(4)), ValueError, "equal leading axes"),
        (
            lambda: Dense(A).T.gradient(np.ones(6), np.ones(4)),
            ValueError,
            r"\(..., 4\) and \(..., 6",
        ),
    ],
)
def test_other_misuse(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_dense_weights_do_not_import_scipy():
    """SciPy costs a quarter of a second, and most networks need none of it."""
    code = """
import sys
import numpy as np
from neurodyn.weights import *
W = as_weights(gaussian(5, rng=0), shape=(5, 5)) + low_rank(5, 0.5, rng=0) + Diagonal(np.ones(5))
r = W.apply(np.ones(5))
W.gradient(r, r), W.to_dense(), W.T.apply(r), -W, W.with_parameters(**W.parameters)
[t.T.kernel_arrays(np.float32) for t in W.terms]
excitatory_inhibitory(3, 2, rng=0), block([2, 3], 1.0, rng=0), orthogonal(3, rng=0)
print([m for m in sys.modules if m.split(".")[0] in ("scipy", "numba", "sympy")])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["weights", "weights.ensembles", "weights.sparse", "signals"])
def test_module_imports_alone(module):
    subprocess.run([sys.executable, "-c", f"import neurodyn.{module}"], check=True)
