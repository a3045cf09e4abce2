"""Theory of low-rank networks: published values, direct integrals, exact cases, simulated networks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import dblquad, quad, solve_ivp

import neurodyn as nd
from neurodyn.analyses import (
    LowRankEnsemble,
    effective_flow,
    empirical_ensemble,
    gaussian_ensemble,
    lowrank_fixed_points,
)

#: Overlap and positive fixed point, tanh, rank one, from another solver.
TABLE = [(1.2, 0.48628), (1.5, 0.84342), (2, 1.33711), (3, 2.22231), (5, 3.88654)]
#: Overlap, gain of the random part, variance and overlap at the fixed point.
RANDOM = [(2, 0.5, 1.78786, 1.28952), (2, 0.8, 1.78786, 1.21155), (3, 0.8, 4.93868, 2.12415)]


def average(f, variance):
    def integrand(z):
        return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * f(np.sqrt(variance) * z)

    return quad(integrand, -9, 9, epsabs=1e-13, epsrel=1e-12)[0]


def slope(x):
    return np.cosh(x) ** -2


def random_ensemble(seed, rank=2, populations=2):
    rng = np.random.default_rng(seed)
    size = 2 * rank + 1
    A = rng.normal(size=(populations, size, size))
    return LowRankEnsemble(A @ A.swapaxes(1, 2) / size, 0.4 * rng.normal(size=(populations, size)),
                           [0.3, 0.7] if populations == 2 else None)  # fmt: skip


@pytest.mark.parametrize("rho, kappa", TABLE)
def test_rank_one_agrees_with_published_values(rho, kappa):
    found = lowrank_fixed_points(gaussian_ensemble(rho))
    assert_allclose(found.kappa.ravel(), [-kappa, 0, kappa], atol=6e-6)
    assert list(found.is_stable) == [True, False, True]
    # -1 + rho <phi'> + rho kappa^2 <phi'''>, where the first two cancel away from 0
    third = average(lambda x: slope(x) * (4 * np.tanh(x) ** 2 - 2 * slope(x)), kappa**2)
    assert_allclose(found.eigenvalues[2], rho * kappa**2 * third, atol=1e-4)
    assert_allclose(found.eigenvalues[1], rho - 1, atol=1e-9)
    assert found.is_complete and found.n_failed == 0
    assert found.residual.max() < 1e-12 and found.hits.sum() == found.n_starts


@pytest.mark.parametrize("rho", [-1.0, 0.0, 0.9, 0.999])
def test_below_the_bifurcation_there_is_only_0(rho):
    found = lowrank_fixed_points(gaussian_ensemble(rho))
    assert_allclose(found.kappa, [[0]], atol=1e-9)
    assert found.is_stable.all() and found.is_complete
    assert_allclose(found.eigenvalues, [[rho - 1]], atol=1e-9)


def test_bifurcation_at_one():
    """``kappa^2 = rho - 1`` to first order, since <phi'> = 1 - D + ..., and marginal at 1."""
    found = lowrank_fixed_points(gaussian_ensemble(1.001))
    assert_allclose(found.kappa[-1] ** 2, 1e-3, rtol=5e-3)
    at = lowrank_fixed_points(gaussian_ensemble(1.0))
    assert len(at) == 1 and not at.is_stable[0] and at.is_degenerate[0] and not at.is_complete


@pytest.mark.parametrize("rho, g, variance, kappa", RANDOM)
def test_random_part_agrees_with_published_values(rho, g, variance, kappa):
    found = lowrank_fixed_points(gaussian_ensemble(rho), g=g)
    assert_allclose(found.kappa.ravel(), [-kappa, 0, kappa], atol=6e-6)
    assert_allclose(found.variance[[0, 2], 0], variance, atol=6e-6)
    D = found.variance[2, 0]
    assert_allclose(rho * average(slope, D), 1, rtol=1e-9)
    assert_allclose(kappa**2 + g**2 * average(lambda x: np.tanh(x) ** 2, D), D, rtol=1e-5)
    assert_allclose(found.bulk_radius[2], g * np.sqrt(average(lambda x: slope(x) ** 2, D)))
    assert found.is_complete and list(found.is_stable) == [True, False, True]


def test_a_strong_random_part_leaves_no_stable_fixed_point():
    found = lowrank_fixed_points(gaussian_ensemble(0.5), g=1.3)
    assert not found.is_stable.any() and found.bulk_radius.min() > 1
    assert_allclose(lowrank_fixed_points(gaussian_ensemble(0.5), g=0.8).bulk_radius, [0.8])


def test_map_is_the_average_of_n_times_phi():
    """Without Stein's lemma: the integral of n phi(x) over the joint density, by population."""
    ensemble = random_ensemble(0)
    kappa = np.array([0.7, -0.4])
    expected = np.zeros(2)
    for a, mean, C in zip(ensemble.fraction, ensemble.mean, ensemble.covariance, strict=True):
        to_x = np.array([*kappa, 0, 0, 1])
        for r in range(2):
            to_n = np.eye(5)[2 + r]
            both = np.array([to_x, to_n])
            sd = np.linalg.cholesky(both @ C @ both.T)
            centre = both @ mean

            def integrand(u, v, sd=sd, centre=centre):
                x, n = centre + sd @ [u, v]
                return n * np.tanh(x) * np.exp(-(u**2 + v**2) / 2) / (2 * np.pi)

            expected[r] += a * dblquad(integrand, -8, 8, -8, 8, epsabs=1e-8)[0]
    found = effective_flow(ensemble).field(kappa) + kappa
    assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("source", ["ensemble", "vectors"])
@pytest.mark.parametrize("phi", ["tanh", "erf", lambda x: 1 / (1 + np.exp(-x))])
def test_jacobians_are_derivatives(source, phi):
    ensemble = random_ensemble(1)
    W, inputs, _ = ensemble.sample(40, rng=0)
    flow = effective_flow(ensemble, phi) if source == "ensemble" else effective_flow(
        W, phi, I=inputs)
    x = np.random.default_rng(2).normal(size=(3, 2))
    h = 1e-5 * np.eye(2)
    ahead, behind = flow.field(x[:, None] + h), flow.field(x[:, None] - h)
    differences = (ahead - behind) / 2e-5
    assert_allclose(flow.jacobian(x), differences.swapaxes(1, 2), atol=1e-8)


def test_fixed_points_of_vectors_are_those_of_the_network():
    """Exact at any N: the lifted state is at rest, with the eigenvalues of the whole Jacobian."""
    W = nd.weights.low_rank(60, [2.5, 1.8], rng=3)
    inputs = 0.3 * np.random.default_rng(0).normal(size=60)
    net = nd.rate_network(W, tau=0.02, I_ext=inputs)
    found = lowrank_fixed_points(net)
    again = lowrank_fixed_points(W, I=inputs)
    assert_allclose(found.kappa, again.kappa, atol=1e-9)
    assert found.is_complete and len(found) >= 3
    x = found.kappa @ W.m.T + inputs
    assert_allclose(net.field(x) * 0.02, 0, atol=1e-9)
    for k, J in enumerate(net.jacobian(x)):
        values = np.linalg.eigvals(J * 0.02)
        outside = values[np.abs(values + 1) > 1e-6]
        assert_allclose(np.sort_complex(outside), np.sort_complex(found.eigenvalues[k]), atol=1e-7)
        assert np.count_nonzero(np.abs(values + 1) < 1e-6) == 58
    # the same vectors as a pair in units of 1/N
    pair = lowrank_fixed_points((W.m, 60 * W.n), I=inputs)
    assert_allclose(pair.kappa, found.kappa, atol=1e-9)


def test_effective_flow_is_the_network_on_its_plane():
    W = nd.weights.low_rank(200, [[1.5, 1.2], [-1.2, 1.5]], rng=4)
    start = np.array([0.5, 1.0])
    net = nd.rate_network(W, tau=0.1, x=W.m @ start)
    ds = nd.simulate(net, nd.RK4(dt=1e-3), 0.5, record=["E.x"], every=0.1)
    flow = effective_flow(net)
    path = solve_ivp(lambda t, k: flow.field(k), (0, 0.5), start, t_eval=ds.time.values,
                     rtol=1e-11, atol=1e-12)  # fmt: skip
    assert_allclose(ds["E.x"].values[0], path.y.T @ W.m.T, atol=1e-8)
    # a larger scale is larger weights
    stronger = effective_flow(nd.rate_network(nd.weights.LowRank(W.m, 1.7 * W.n), tau=0.1))
    assert_allclose(flow.with_values(scale=1.7).field(start), stronger.field(start))


def test_rank_two():
    """Unequal overlaps: saddles on the weaker axis. Rotating ones: no fixed point but 0."""
    found = lowrank_fixed_points(gaussian_ensemble([2.0, 1.5]))
    expected = {(0, 0), (1.33711, 0), (-1.33711, 0), (0, 0.84342), (0, -0.84342)}
    assert_allclose(sorted(map(tuple, found.kappa)), sorted(expected), atol=6e-6)
    assert {tuple(np.round(k, 3)) for k in found.kappa[found.is_stable]} == {
        (-1.337, 0.0), (1.337, 0.0)}
    assert found.is_complete
    spiral = lowrank_fixed_points(gaussian_ensemble([[1.5, 1.0], [-1.0, 1.5]]))
    assert_allclose(spiral.kappa, [[0, 0]], atol=1e-8)
    assert_allclose(np.sort_complex(spiral.eigenvalues[0]), [0.5 - 1j, 0.5 + 1j], atol=1e-8)


def test_equal_overlaps_are_a_ring():
    found = lowrank_fixed_points(gaussian_ensemble([2.0, 2.0]))
    on_ring = np.hypot(*found.kappa.T) > 0.1
    assert_allclose(np.hypot(*found.kappa[on_ring].T), 1.3371089, rtol=1e-6)
    assert found.is_degenerate[on_ring].all() and on_ring.sum() > 10
    assert not found.is_complete and not found.is_stable.any()


def test_inputs_gate_the_coupling_by_population():
    """Dubreuil et al. 2022: saturated units drop out, and the coupling that remains may flip.

    At kappa = 0 it is ``sum_p a_p cov_p(n, m) <phi'>(variance of the input to p)``.
    """
    def network(sd):
        C = np.zeros((2, 3, 3))
        for p, overlap in enumerate((4.0, -2.0)):
            C[p] = [[1, overlap, 0], [overlap, overlap**2 + 1, 0], [0, 0, sd[p] ** 2]]
        return LowRankEnsemble(C)

    for sd, sign in (((0.0, 4.0), 1), ((4.0, 0.0), -1)):
        effective = 0.5 * (4 * average(slope, sd[0] ** 2) - 2 * average(slope, sd[1] ** 2))
        found = lowrank_fixed_points(network(sd))
        middle = np.argmin(np.abs(found.kappa))
        assert_allclose(found.eigenvalues[middle], [effective - 1], atol=1e-7)
        assert np.sign(effective) == sign and len(found) == (3 if sign > 0 else 1)


def settled(W, seed, x=None):
    """State at which a simulated network comes to rest."""
    net = nd.rate_network(W, tau=1.0, x=x)
    ds = nd.simulate(net, nd.RK4(dt=0.2), 60.0, record=["E.x"], every=60.0, rng=seed)
    found = nd.final_state(ds)["E.x"][0]
    assert np.abs(net.field(found)).max() < 1e-4
    return found


@pytest.mark.parametrize("g", [0.0, 0.5])
def test_agrees_with_simulated_networks(g):
    """Within 4 standard errors over networks, which scatter by 1/sqrt(N), and 1 % of bias 1/N."""
    rho, n = 2.0, 800
    kappa = []
    for seed in range(8 if g else 12):
        W = nd.weights.low_rank_plus_random(n, g, rho, rng=seed)
        low = W.terms[0]
        x = settled(low if g == 0 else W, seed, x=low.m[:, 0])
        kappa.append(float(np.tanh(x) @ low.n[:, 0]))
    expected = lowrank_fixed_points(gaussian_ensemble(rho), g=g).kappa[-1, 0]
    error = np.std(kappa, ddof=1) / np.sqrt(len(kappa))
    assert error < 0.03
    assert abs(np.mean(kappa) - expected) < 4 * error + 0.01 * expected


def test_outlier_with_a_random_part_agrees_with_the_jacobian():
    """Eigenvalues of simulated networks: one outlier, where the coupled equations have it."""
    rho, g, n = 1.6, 0.4, 350
    outlier, radius = [], []
    for seed in range(5):
        low = nd.weights.low_rank(n, rho, rng=seed, exact=True)
        W = low + nd.weights.gaussian(n, gain=g, rng=100 + seed)
        x = settled(W, seed, x=low.m[:, 0])
        values = np.linalg.eigvals(W.to_dense() * slope(x))
        order = np.argsort(-np.abs(values))
        outlier.append(values[order[0]].real)
        radius.append(np.abs(values[order[1]]))
    found = lowrank_fixed_points(gaussian_ensemble(rho), g=g)
    error = np.std(outlier, ddof=1) / np.sqrt(5)
    assert abs(np.mean(outlier) - 1 - found.eigenvalues[-1, 0].real) < 4 * error + 0.01
    assert_allclose(np.mean(radius), found.bulk_radius[-1], rtol=0.1)


def test_ensembles_and_samples_agree():
    ensemble = random_ensemble(5)
    W, inputs, label = ensemble.sample(20_000, rng=1)
    assert W.shape == (20_000, 20_000) and W.rank == 2
    assert_allclose(np.bincount(label), [6000, 14_000])
    back = empirical_ensemble(W, inputs, label)
    assert_allclose(back.covariance, ensemble.covariance, atol=0.1)
    assert_allclose(back.mean, ensemble.mean, atol=0.05)
    assert_allclose(W.n.T @ W.m, back.overlap, rtol=1e-10)
    overlap = np.array([[1.0, 0.5], [0.0, 2.0]])
    drawn = empirical_ensemble(nd.weights.low_rank(500, overlap, rng=0, exact=True))
    second = drawn.covariance[0] + np.outer(drawn.mean[0], drawn.mean[0])
    assert_allclose(second, gaussian_ensemble(overlap).covariance[0], atol=1e-9)
    assert_allclose(drawn.overlap, overlap, atol=1e-9)


@pytest.mark.parametrize("call, message", [
    (lambda: lowrank_fixed_points(gaussian_ensemble(2.0), g=-0.1),
     "`g` must be a number of at least 0; got -0.1"),
    (lambda: lowrank_fixed_points((np.ones(4), np.ones(5))),
     r"`m` and `n` must have the same shape, \(unit, R\); got \(4, 1\) and \(5, 1\)"),
    (lambda: lowrank_fixed_points(nd.weights.LowRank(np.ones(4), np.ones(5))),
     "recurrent weights are square; `m` has 4 units and `n` has 5"),
    (lambda: lowrank_fixed_points((np.ones((2, 3)), np.ones((2, 3)))),
     "the rank, 3, is above the number of units, 2"),
    (lambda: lowrank_fixed_points((np.ones(4), np.ones(4)), g=0.5), "`g` must be 0 for given"),
    (lambda: lowrank_fixed_points(gaussian_ensemble(2.0), phi=lambda x: np.maximum(x, 0)),
     "`phi` must be bounded"),
    (lambda: lowrank_fixed_points(gaussian_ensemble(2.0), I=1.0), "`I` is part of the ensemble"),
    (lambda: lowrank_fixed_points(np.eye(3)[0:1] * 0, n_starts=1), "`n_starts` must be an integer"),
    (lambda: gaussian_ensemble(2.0, sigma_n=1.0),
     "`covariance` of population 0 must be positive semi-definite; its least eigenvalue is -1"),
    (lambda: LowRankEnsemble([[1, 2, 0], [0, 1, 0], [0, 0, 1]]), "must be symmetric"),
    (lambda: LowRankEnsemble(np.eye(4)), r"`covariance` must be \(population, 2R \+ 1, 2R \+ 1\)"),
    (lambda: LowRankEnsemble([np.eye(3)] * 2, fraction=[0.5, 0.6]), "with the sum 1"),
    (lambda: gaussian_ensemble(2.0, overlap_nI=0.5), "the input has no spread: set `sigma_I`"),
    (lambda: effective_flow(nd.rate_network(np.eye(3))), "the weights must be nd.weights.LowRank"),
    (lambda: effective_flow(nd.rate_network(nd.weights.low_rank(5, 1.0, rng=0)), phi="erf"),
     "the network is not tau dx/dt = -x \\+ W phi"),
])
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_refuses_what_is_no_connectivity():
    with pytest.raises(TypeError, match="low-rank connectivity is a LowRankEnsemble"):
        lowrank_fixed_points(np.eye(3))
