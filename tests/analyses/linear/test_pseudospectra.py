"""Pseudospectra against all singular values, discs, closed forms, and the growth they bound."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm

import neurodyn as nd
from neurodyn import analyses
from neurodyn.analyses.linear.pseudospectra import pseudospectrum


def points(found):
    return found.real + 1j * found.imaginary[:, None]


def naive(A, z):
    values = [np.linalg.svd(v * np.eye(len(A)) - A, compute_uv=False)[-1] for v in z.ravel()]
    return np.reshape(values, z.shape)


@pytest.mark.parametrize("n", [5, 40])  # all singular values, and inverse iteration
def test_agrees_with_all_singular_values(n):
    rng = np.random.default_rng(n)
    A = rng.normal(size=(n, n)) / np.sqrt(n) + np.triu(rng.normal(size=(n, n)), 1) - 3 * np.eye(n)
    found = pseudospectrum(A, n_points=9)
    assert_allclose(found.smallest_singular_value, naive(A, points(found)), rtol=1e-6)
    apart = np.abs(found.eigenvalues[:, None] - np.linalg.eigvals(A))
    assert apart.min(axis=0).max() < 1e-9 and apart.min(axis=1).max() < 1e-9


def test_normal_matrices_have_discs_around_eigenvalues():
    """The smallest singular value is the distance to the nearest eigenvalue, and K is 1."""
    values = np.random.default_rng(0).uniform(-3, -0.5, size=30)
    Q = np.linalg.qr(np.random.default_rng(1).normal(size=(30, 30)))[0]
    found = pseudospectrum(Q @ np.diag(values) @ Q.T, real=(-4, 1), imaginary=(-2, 2), n_points=13)
    distance = np.abs(points(found)[..., None] - values).min(axis=-1)
    assert_allclose(found.smallest_singular_value, distance, rtol=1e-5, atol=1e-13)
    assert found.kreiss == 1
    inside = points(found)[distance < 0.7].real.max()
    assert found.reach(0.7) == inside
    assert found.reach(1e-9) == -np.inf


def test_skew_normal_matrix():
    """Complex pairs: a rotation with damping, real and far apart in the imaginary direction."""
    A = np.kron(np.eye(15), [[-1.0, 4.0], [-4.0, -1.0]])
    found = pseudospectrum(A, real=[-1.0, 0.0], imaginary=[-4.0, -3.0, 0.0, 4.0])
    grid = points(found)
    expected = np.minimum(abs(grid - (-1 + 4j)), abs(grid - (-1 - 4j)))
    assert_allclose(found.smallest_singular_value, expected, rtol=1e-5, atol=1e-12)


def test_jordan_block():
    """Rotationally symmetric, and between the bounds ``r**N`` and ``r**N/(1 - r)`` roughly.

    With N ones above the diagonal, ``||(z - J)^-1||`` lies between its largest entry ``|z|**-N``
    and the sum ``sum |z|**-k``, k = 1 .. N, of norms of its diagonals (Trefethen and Embree 2005,
    chapter 7).
    """
    N = 30
    angle = np.linspace(0, np.pi, 7)
    J = np.eye(N, k=1)
    for r in (0.5, 0.8):
        values = [
            pseudospectrum(J, real=[z.real, 2.0], imaginary=[z.imag, 3.0], n_points=2)
            .smallest_singular_value[0, 0]
            for z in r * np.exp(1j * angle)
        ]
        assert_allclose(values, values[0], rtol=1e-4)
        assert 1 / sum(r**-k for k in range(1, N + 1)) <= values[0] * 1.0001 <= r**N * 1.0002


def test_kreiss_constant_of_two_units():
    """``-1`` fed by w: by dense sampling of the definition; growth is between K and e n K."""
    A = np.array([[-1.0, 20.0], [0.0, -2.0]])
    found = pseudospectrum(A)
    x, y = np.geomspace(1e-3, 1e3, 2001), np.linspace(-1, 1, 21)
    z = x + 1j * y[:, None]
    sampled = (x / np.linalg.svd(z[..., None, None] * np.eye(2) - A)[1][..., -1]).max()
    assert sampled <= found.kreiss * (1 + 1e-9)
    assert_allclose(found.kreiss, sampled, rtol=1e-4)
    assert found.kreiss_at.imag == 0
    growth = max(np.linalg.norm(expm(t * A), 2) for t in np.linspace(0, 4, 801))
    assert found.kreiss <= growth <= np.e * 2 * found.kreiss


def test_kreiss_constant_of_maps():
    """``0.5`` fed by w; powers grow between K and e n K."""
    A = np.array([[0.5, 10.0], [0.0, 0.5]])
    found = pseudospectrum(A, is_map=True)
    out, turn = np.geomspace(1e-3, 1e3, 2001), np.linspace(0, np.pi, 21)
    z = (1 + out) * np.exp(1j * turn[:, None])
    sampled = (out / np.linalg.svd(z[..., None, None] * np.eye(2) - A)[1][..., -1]).max()
    assert_allclose(found.kreiss, sampled, rtol=1e-4)
    growth = max(np.linalg.norm(np.linalg.matrix_power(A, k), 2) for k in range(40))
    assert found.kreiss <= growth <= np.e * 2 * found.kreiss
    assert pseudospectrum(np.diag([0.5, -0.9, 0.2]), is_map=True, n_points=5).kreiss == 1


def test_kreiss_constant_beside_the_imaginary_axis():
    """A chain of two damped oscillators: the peak is at their frequency, not on the real axis."""
    turn = np.array([[-0.1, 5.0], [-5.0, -0.1]])
    A = np.block([[turn, 2 * np.eye(2)], [np.zeros((2, 2)), turn]])
    found = pseudospectrum(A, n_points=3)
    assert_allclose(abs(found.kreiss_at.imag), 5, atol=0.02)
    # at z = x + 5i it is that of ``-0.1`` fed by 2
    assert_allclose(found.kreiss, pseudospectrum([[-0.1, 2.0], [0.0, -0.1]]).kreiss, rtol=1e-5)


def test_unstable_systems_grow_without_end():
    found = pseudospectrum([[0.3, 5.0], [0.0, -1.0]], n_points=3)
    assert found.kreiss == np.inf and found.kreiss_at == 0.3


def test_takes_networks_and_their_steps():
    W = np.array([[0.0, 4.0], [0.0, 0.5]])
    net = nd.rate_network(W, tau=0.1)
    J = (W - np.eye(2)) / 0.1
    found = pseudospectrum(net, np.zeros(2), n_points=4)
    assert_allclose(found.smallest_singular_value, naive(J, points(found)), rtol=1e-9)
    steps = pseudospectrum(net, np.zeros(2), solver=nd.Euler(dt=0.01), n_points=4)
    step = np.eye(2) + 0.01 * J
    assert steps.is_map
    assert_allclose(steps.smallest_singular_value, naive(step, points(steps)), rtol=1e-9)


def test_eigenvalues_on_the_grid_and_default_window():
    A = np.diag(-np.arange(1.0, 41.0))
    found = pseudospectrum(A, real=(-2, -1), imaginary=(0, 1), n_points=2)
    assert_allclose(found.smallest_singular_value, [[0, 0], [1, 1]], atol=1e-12)
    whole = pseudospectrum([[-1.0, 3.0], [-3.0, -2.0]], n_points=3)
    assert whole.real[0] < -2 and whole.real[-1] > 0  # the border of stability is in it
    assert_allclose(whole.imaginary, [-whole.imaginary[2], 0, whole.imaginary[2]])


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: pseudospectrum(np.ones((2, 3))), r"square matrix, \(n, n\); got shape \(2, 3\)"),
        (lambda: pseudospectrum([[np.nan]]), "finite"),
        (lambda: pseudospectrum(nd.lif_network(8, 4), np.zeros(12)), "spike: threshold"),
        (lambda: pseudospectrum([[-1.0]], real=(1, 0)), r"`real` must be \(low, high\)"),
        (lambda: pseudospectrum([[-1.0]], imaginary=3.0), r"`imaginary` must be \(low, high\)"),
        (lambda: pseudospectrum([[-1.0]], n_points=1), "`n_points` must be an integer of at least"),
        (lambda: pseudospectrum([[-1.0]]).reach(0), "`eps` must be positive; got 0"),
    ],
)
def test_refuses(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_is_an_analysis():
    assert analyses.pseudospectrum is pseudospectrum
