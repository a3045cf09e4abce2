"""Parametrisations: the constraint holds for any free numbers, `to_raw` inverts `to_value`, and
`pull_back` is the transposed derivative, against central differences."""

import numpy as np
import pytest
from scipy.linalg import block_diag

import neurodyn as nd
from neurodyn.learning.contraction_parametrisations import (
    BlockDiagonal,
    Contracting,
    NegativeFeedback,
)
from neurodyn.learning.matrix_parametrisations import (
    FixedRank,
    Orthogonal,
    SpectralNormBound,
    Unitary,
)
from neurodyn.learning.parametrisations import (
    Bounded,
    DalesLaw,
    Masked,
    OnPattern,
    Positive,
    SkewSymmetric,
    Symmetric,
)

RNG = np.random.default_rng(0)
N = 4
MASK = RNG.random((N, N)) < 0.6
SIGNS = np.array([1, 1, -1, 1])
SQUARE = RNG.normal(size=(N, N))
F = RNG.uniform(0.5, 2, N)
LOWER = np.kron([[0, 0], [1, 0]], np.ones((2, 2)))
P = block_diag(*(a @ a.T + np.eye(2) for a in RNG.normal(size=(2, 2, 2))))
Q = np.linalg.qr(RNG.normal(size=(N, N)))[0]
TALL = np.linalg.qr(RNG.normal(size=(5, 3)))[0]

CASES = {
    "positive": (Positive(), SQUARE, lambda W: (W > 0).all()),
    "positive, exp": (Positive(0.3, "exp"), SQUARE, lambda W: (W > 0.3).all()),
    "bounded": (Bounded(-1.0, [0.5, 1, 2, 3]), 3 * SQUARE, lambda W: ((W > -1) & (W < 3)).all()),
    "masked": (Masked(MASK), SQUARE, lambda W: (W[~MASK] == 0).all()),
    "pattern": (OnPattern(MASK), RNG.normal(size=MASK.sum()), lambda W: (W[~MASK] == 0).all()),
    "symmetric": (Symmetric(), SQUARE, lambda W: (W == W.T).all()),
    "skew": (SkewSymmetric(), SQUARE, lambda W: (W == -W.T).all()),
    "dale": (DalesLaw(SIGNS), SQUARE, lambda W: (W * SIGNS >= 0).all()),
    "dale, softplus": (DalesLaw(SIGNS, "softplus"), SQUARE, lambda W: (W * SIGNS > 0).all()),
    "dale and masked": (
        DalesLaw(SIGNS).then(Masked(MASK)),
        SQUARE,
        lambda W: (W * SIGNS >= 0).all() and (W[~MASK] == 0).all(),
    ),
    "orthogonal": (Orthogonal(), 0.5 * SQUARE, lambda W: np.allclose(W @ W.T, np.eye(N))),
    "cayley": (Orthogonal("cayley"), 0.5 * SQUARE, lambda W: np.allclose(W @ W.T, np.eye(N))),
    "orthogonal, base": (
        Orthogonal(base=Q),
        0.5 * SQUARE,
        lambda W: np.allclose(W @ W.T, np.eye(N)) and np.linalg.det(W) * np.linalg.det(Q) > 0,
    ),
    "orthonormal columns": (
        Orthogonal("cayley", TALL),
        RNG.normal(size=(5, 5)),
        lambda W: np.allclose(W.T @ W, np.eye(3)),
    ),
    "orthonormal rows": (
        Orthogonal(base=TALL.T),
        RNG.normal(size=(5, 5)),
        lambda W: np.allclose(W @ W.T, np.eye(3)),
    ),
    "unitary": (Unitary(), 0.5 * SQUARE, lambda W: is_unitary(W)),
    "unitary, cayley": (Unitary("cayley"), 0.5 * SQUARE, lambda W: is_unitary(W)),
    "rank": (
        FixedRank(2, (5, 4)),
        RNG.normal(size=(9, 2)),
        lambda W: np.linalg.matrix_rank(W) == 2,
    ),
    "norm": (SpectralNormBound(0.9), 3 * SQUARE, lambda W: np.linalg.norm(W, 2) < 0.9),
    "norm, wide": (
        SpectralNormBound(2.0), RNG.normal(size=(2, 5)), lambda W: np.linalg.norm(W, 2) < 2
    ),
    "contracting": (Contracting(1.5, F), 2 * SQUARE, lambda W: contracts(W, F, 1.5)),
    "contracting, metric": (
        Contracting(1.0, F, train_metric=True), RNG.normal(size=(N + 1, N)), lambda W: True
    ),
    "blocks": (
        BlockDiagonal([Contracting(1.0), SpectralNormBound(2.0)], 2),
        RNG.normal(size=(2, 2, 2)),
        lambda W: np.linalg.norm(W[:2, :2], 2) < 1 and not W[2:, :2].any() and not W[:2, 2:].any(),
    ),
    "feedback": (
        NegativeFeedback(LOWER, P), SQUARE, lambda L: np.allclose(P @ L + L.T @ P, 0, atol=1e-12)
    ),
}  # fmt: skip


def is_unitary(W):
    n = len(W) // 2
    U = W[:n, :n] + 1j * W[n:, :n]
    same = np.allclose(W[:n, :n], W[n:, n:]) and np.allclose(W[n:, :n], -W[:n, n:])
    return same and np.allclose(U @ U.conj().T, np.eye(n))


def contracts(W, F, slope):
    """Whether J = -1 + W D contracts in F^2 at every vertex of D in [0, slope]."""
    metric, n = np.diag(F**2), len(W)
    for bits in range(2**n):
        D = np.diag([slope * ((bits >> k) & 1) for k in range(n)])
        J = -np.eye(n) + W @ D
        if np.linalg.eigvalsh(metric @ J + J.T @ metric).max() >= 0:
            return False
    return True


@pytest.mark.parametrize("name", CASES)
def test_any_free_numbers_keep_the_constraint_and_come_back(name):
    p, raw, holds = CASES[name]
    value = p.to_value(raw)
    assert holds(value)
    if "orthonormal" in name:
        return  # many rotations lead from the base to one value
    again = p.to_raw(value) if "metric" not in name else None
    if again is not None:
        np.testing.assert_allclose(p.to_value(again), value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_pulled_back_as_differences_say(name):
    p, raw, _ = CASES[name]
    G = np.random.default_rng(5).normal(size=p.to_value(raw).shape)
    wanted, h = np.zeros(raw.shape), 1e-6
    for place in np.ndindex(*raw.shape):
        up, down = raw.copy(), raw.copy()
        up[place] += h
        down[place] -= h
        wanted[place] = (G * (p.to_value(up) - p.to_value(down))).sum() / (2 * h)
    found = p.pull_back(raw, G)
    assert found.shape == raw.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=3e-9 * max(1, np.abs(wanted).max()))


@pytest.mark.parametrize("raw", [np.zeros((3, 3)), np.eye(3), np.diag([2.0, 0, 0])])
def test_the_bound_of_the_norm_has_its_derivative_where_singular_values_meet(raw):
    p, h = SpectralNormBound(1.0), 1e-6
    G = np.random.default_rng(6).normal(size=(3, 3))
    for place in np.ndindex(3, 3):
        E = np.zeros((3, 3))
        E[place] = h
        wanted = (G * (p.to_value(raw + E) - p.to_value(raw - E))).sum() / (2 * h)
        assert p.pull_back(raw, G)[place] == pytest.approx(wanted, rel=1e-6, abs=1e-8)


def test_the_first_value_is_the_base_whatever_its_determinant():
    W = Q @ np.diag([-np.linalg.det(Q), 1, 1, 1])
    assert np.linalg.det(W) < 0
    p = Orthogonal().fitted(W)
    np.testing.assert_array_equal(p.to_value(p.to_raw(W)), W)


def test_softplus_neither_overflows_nor_loses_small_values():
    p = Positive()
    for value in (1e-9, 1.0, 800.0):
        raw = p.to_raw(np.array([value]))
        assert p.to_value(raw)[0] == pytest.approx(value, rel=1e-12)
        assert np.isfinite(p.pull_back(raw, np.ones(1))).all()


def test_bounds_with_units_are_in_si():
    p = Bounded(5 * nd.ms, 50 * nd.ms)
    assert p.to_value(np.zeros(1))[0] == pytest.approx(0.0275)


@pytest.mark.parametrize("name", [n for n in CASES if "metric" not in n])
def test_float32_stays_float32(name):
    p, raw, _ = CASES[name]
    raw = raw.astype(np.float32)
    value = p.to_value(raw)
    assert value.dtype == p.pull_back(raw, value).dtype == np.float32


@pytest.mark.parametrize(
    "p, value, message",
    [
        (Positive(), np.array([1.0, -2]), r"constraint Positive: all must be greater than 0; got -2 at \[1\]"),
        (Bounded(0, 1), np.array([0.5, 1]), r"Bounded: all must lie between 0 and 1.*got 1 at \[1\]"),
        (Masked(MASK), np.ones((N, N)), "Masked: all outside the mask must be 0"),
        (OnPattern(MASK), np.ones((3, 3)), r"`pattern` has shape \(4, 4\), but the value \(3, 3\)"),
        (Symmetric(), SQUARE, "Symmetric: the matrix must equal its transpose"),
        (SkewSymmetric(), np.eye(N), "SkewSymmetric: the matrix must equal minus its transpose"),
        (Symmetric(), np.ones((2, 3)), "constrains a square matrix"),
        (Orthogonal(), SQUARE, "Orthogonal: its columns must be orthonormal"),
        (Orthogonal(), np.diag([-1.0, 1, 1, 1]), "determinant is -1"),
        (Unitary(), Q, r"Unitary: it must have the form"),
        (FixedRank(2), SQUARE, "FixedRank: the rank must be at most 2; it is 4"),
        (DalesLaw(SIGNS), np.ones((N, N)), r"DalesLaw: a column must have the sign of its unit; got 1 at \[0, 2\]"),
        (DalesLaw(SIGNS, "exp"), np.zeros((N, N)), 'kind="absolute" allows it'),
        (SpectralNormBound(1.0), np.eye(N), "largest singular value must be below 1; it is 1"),
        (Contracting(2.0), 0.6 * np.eye(N), r"below 1/slope = 0.5; it is 0.6"),
        (NegativeFeedback(LOWER), np.ones((N, N)), "NegativeFeedback: it must be B - P"),
        (BlockDiagonal(Symmetric(), 2), np.eye(4)[::-1], r"outside the diagonal blocks must be 0; got 1 at \[0, 3\]"),
        (BlockDiagonal(Symmetric(), 3), np.eye(4), "`n_blocks` = 3 must divide the number of rows, 4"),
        (BlockDiagonal(Contracting(), 2), np.eye(4), "spectral norm must be below"),
        (FixedRank(2), np.ones(4), r"FixedRank constrains a matrix; the value has shape \(4,\)"),
        (SpectralNormBound(1.0), np.ones(()), r"SpectralNormBound constrains a matrix; .* \(\)"),
        (Bounded(np.zeros(5), 1.0), np.full((6, 6), 0.5), r"`low` has shape \(5,\), but the value \(6, 6\)"),
    ],
)  # fmt: skip
def test_a_value_that_breaks_the_constraint_is_named(p, value, message):
    with pytest.raises(ValueError, match=message):
        p.to_raw(value)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Positive(kind="abs"), '`kind` must be "softplus" or "exp"'),
        (lambda: Bounded(1, 1), "`low` must be below `high`"),
        (lambda: Bounded([0, 1], [2, 2, 2]), r"must fit each other; got shapes \(2,\) and \(3,\)"),
        (lambda: Masked(np.zeros((2, 2))), "`mask` is False everywhere"),
        (lambda: Masked([[0.5]]), "`mask` must be True or False"),
        (lambda: DalesLaw([1, 0]), "`signs` must be 1 or -1"),
        (lambda: Orthogonal("qr"), '`map` must be "exponential" or "cayley"'),
        (lambda: SpectralNormBound(0.0), "`bound` must be positive"),
        (lambda: NegativeFeedback(np.ones((2, 2))), "must not be True at both"),
        (
            lambda: NegativeFeedback(LOWER, [1, 1, 1, -2]),
            "positive definite; its smallest eigenvalue is -2",
        ),
        (
            lambda: NegativeFeedback(LOWER, np.eye(4) + LOWER),
            "`metric` must be symmetric; .* by up to 1",
        ),
        (
            lambda: NegativeFeedback(LOWER, np.ones(3)),
            r"`metric` must be \(4,\) or \(4, 4\).*shape \(3,\)",
        ),
        (lambda: BlockDiagonal([Symmetric()], 2), "or one for each of the 2 blocks"),
    ],
)
def test_parametrisations_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_each_block_starts_from_its_own_base():
    W = np.zeros((4, 4))
    W[:2, :2], W[2:, 2:] = [[0, 1], [1, 0]], [[0.6, -0.8], [0.8, 0.6]]
    p = BlockDiagonal(Orthogonal(), 2).fitted(W)
    np.testing.assert_array_equal(p.to_raw(W), np.zeros((2, 2, 2)))
    np.testing.assert_array_equal(p.to_value(p.to_raw(W)), W)
