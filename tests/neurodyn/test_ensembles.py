"""Random ensembles against random-matrix theory and their own moments.

Tolerances are 5 standard errors, computed from the number of samples; seeds are fixed.
"""

import itertools
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.weights import Dense, LowRank, Sparse, Sum, sparse_ensembles

w = nd.weights


def check_moments(values, mean, variance, kurtosis=3.0):
    """The sample's mean and variance within 5 standard errors."""
    n = values.size
    assert abs(values.mean() - mean) < 5 * np.sqrt(variance / n)
    assert abs(values.var() - variance) < 5 * variance * np.sqrt((kurtosis - 1) / n)


def spectral_radius(W):
    return np.abs(np.linalg.eigvals(W)).max()


def edge_error(n):
    """How far the largest of n eigenvalues may be from the edge of a unit disc.

    For a real Gaussian matrix it lies at 1 + sqrt(c / 4n), c = log(n / 2 pi) - 2 log log n, and
    fluctuates by 1 / sqrt(4 n c) (Rider, Sinclair 2014); c is of order one for the n used here.
    """
    return 5 / np.sqrt(4 * n)


ENSEMBLES = {
    "gaussian": lambda rng: w.gaussian(6, rng=rng),
    "low_rank": lambda rng: w.low_rank(6, 2.0, rng=rng).to_dense(),
    "low_rank_plus_random": lambda rng: w.low_rank_plus_random(6, 0.5, 2.0, rng=rng).to_dense(),
    "excitatory_inhibitory": lambda rng: w.excitatory_inhibitory(4, 2, rng=rng),
    "sparse, p": lambda rng: w.sparse_random(6, p=0.5, gain=1.0, rng=rng).to_dense(),
    "sparse, in_degree": lambda rng: w.sparse_random(6, in_degree=3, gain=1, rng=rng).to_dense(),
    "sparse, total": lambda rng: w.sparse_random(6, n_synapses=20, gain=1, rng=rng).to_dense(),
    "block": lambda rng: w.block([4, 2], 1.0, rng=rng),
    "orthogonal": lambda rng: w.orthogonal(6, rng=rng),
}


@pytest.mark.parametrize("draw", ENSEMBLES.values(), ids=list(ENSEMBLES))
class TestRandomness:
    def test_same_seed_same_bytes(self, draw):
        seed = np.random.SeedSequence(3)
        first = draw(seed).tobytes()
        assert first == draw(seed).tobytes()  # a SeedSequence is not used up
        assert first == draw(3).tobytes() == draw(np.random.default_rng(3)).tobytes()
        assert first != draw(4).tobytes()

    def test_generator_goes_on_and_none_is_fresh(self, draw):
        rng = np.random.default_rng(3)
        assert draw(rng).tobytes() != draw(rng).tobytes()
        assert draw(None).tobytes() != draw(None).tobytes()

    def test_global_state_is_left_alone(self, draw):
        before = np.random.get_state()[1].tobytes()  # noqa: NPY002
        draw(3)
        assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002

    def test_bad_rng(self, draw):
        for bad in ("0", -1, 1.5):
            with pytest.raises(TypeError, match="`rng` must be a non-negative int"):
                draw(bad)


class TestGaussian:
    def test_moments_and_scaling_with_the_number_of_inputs(self):
        W = w.gaussian((300, 150), gain=1.8, mean=0.02, rng=0)
        assert W.shape == (300, 150)
        check_moments(W, 0.02, 1.8**2 / 150)
        assert scipy.stats.kstest(((W - 0.02) / 1.8 * np.sqrt(150)).ravel(), "norm").pvalue > 1e-3

    def test_circular_law(self):
        n = 400
        eigenvalues = np.linalg.eigvals(w.gaussian(n, gain=1.8, rng=1))
        assert abs(np.abs(eigenvalues).max() / 1.8 - 1) < edge_error(n)
        for radius in (0.4, 0.6, 0.8):
            inside = np.mean(np.abs(eigenvalues) < 1.8 * radius)
            # eigenvalues repel: the variance of their number is radius * sqrt(n / pi), not of
            # order n; twice that, since those of a real matrix come in conjugate pairs
            error = np.sqrt(2 * radius * np.sqrt(n / np.pi)) / n
            assert abs(inside - radius**2) < 5 * error

    def test_mean_makes_an_outlier(self):
        n, mean = 300, 3.0 / 300
        eigenvalues = np.linalg.eigvals(w.gaussian(n, gain=0.5, mean=mean, rng=2))
        outlier = eigenvalues[np.argmax(np.abs(eigenvalues))]
        # to first order it shifts by g times the sum of all chi_ij over n, of variance g^2 / n; the
        # higher orders multiply that by 1 / (1 - (g / 3)^2)
        assert abs(outlier - 3.0) < 5 * 0.5 / np.sqrt(n * (1 - (0.5 / 3) ** 2))

    def test_zero_diagonal(self):
        W, full = (w.gaussian(20, rng=0, zero_diagonal=z) for z in (True, False))
        off = ~np.eye(20, dtype=bool)
        assert_array_equal(np.diag(W), 0.0)
        assert_array_equal(W[off], full[off])


class TestLowRank:
    OVERLAPS = np.array([[1.5, 0.4], [-0.3, 0.8]])

    def test_exact_second_moments(self):
        n = 200
        for sigma_n, covariance in (
            (None, self.OVERLAPS @ self.OVERLAPS.T / 4 + np.eye(2)),
            (1.7, 1.7**2 * np.eye(2)),
        ):
            W = w.low_rank(n, self.OVERLAPS, rng=0, sigma_m=2.0, sigma_n=sigma_n, exact=True)
            m, vectors = W.m, n * W.n
            assert_allclose(m.T @ m / n, 4 * np.eye(2), atol=1e-12)
            assert_allclose(vectors.T @ m / n, self.OVERLAPS, atol=1e-12)
            assert_allclose(vectors.T @ vectors / n, covariance, atol=1e-12)
            eigenvalues = np.linalg.eigvals(W.to_dense())
            largest = eigenvalues[np.argsort(-np.abs(eigenvalues))[:2]]
            expected = np.linalg.eigvals(self.OVERLAPS)
            assert_allclose(np.sort_complex(largest), np.sort_complex(expected), atol=1e-10)

    def test_moments_in_expectation(self):
        """Without `exact` the joint distribution is Gaussian with the given covariance."""
        n = 200_000
        W = w.low_rank(n, self.OVERLAPS, rng=0, sigma_m=2.0, sigma_n=1.7)
        z = np.hstack([W.m, n * W.n])
        expected = np.block([[4 * np.eye(2), self.OVERLAPS.T], [self.OVERLAPS, 1.7**2 * np.eye(2)]])
        variances = np.diag(expected)
        error = np.sqrt((np.outer(variances, variances) + expected**2) / n)
        assert np.all(np.abs(z.T @ z / n - expected) < 5 * error)
        assert np.any(np.abs(z.T @ z / n - expected) > 1e-6)  # and not exactly
        whitened = z @ np.linalg.inv(np.linalg.cholesky(expected)).T
        for column in whitened.T:
            assert scipy.stats.kstest(column[:20_000], "norm").pvalue > 1e-3

    def test_shapes_of_overlaps(self):
        assert w.low_rank(50, rng=0).rank == 1
        assert w.low_rank(50, rank=3, rng=0).rank == 3
        W = w.low_rank(50, [0.5, 2.0], rng=0, exact=True)
        assert_allclose(W.n.T @ W.m, np.diag([0.5, 2.0]), atol=1e-12)
        zero = w.low_rank(50, rank=3, rng=0, exact=True)
        assert_allclose(zero.n.T @ zero.m, 0.0, atol=1e-12)

    def test_least_sigma_n(self):
        with pytest.raises(ValueError, match="`sigma_n` must be at least 1.5 for these"):
            w.low_rank(50, 3.0, rng=0, sigma_m=2.0, sigma_n=1.4)
        W = w.low_rank(50, 3.0, rng=0, sigma_m=2.0, sigma_n=1.5)
        assert_allclose(50 * W.n, 0.75 * W.m)  # then n lies along m

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            ({"overlaps": np.ones((2, 3))}, r"shape \(rank, rank\); got \(2, 3\)"),
            ({"overlaps": [1.0, 2.0], "rank": 3}, r"got \(2, 2\) with rank=3"),
            ({"overlaps": 1.0, "sigma_m": 0.0}, "`sigma_m` = 0"),
            ({"rank": 0}, "`rank` must be an integer of at least 1; got 0"),
            ({"rank": 30, "exact": True}, r"n >= 2 \* rank = 60"),
            ({"overlaps": np.nan}, "`overlaps` must be finite"),
        ],
    )
    def test_misuse(self, arguments, match):
        with pytest.raises(ValueError, match=match):
            w.low_rank(50, rng=0, **arguments)


class TestLowRankPlusRandom:
    def test_outlier_stands_at_the_overlap(self):
        n, gain, overlap = 400, 0.8, 2.0
        W = w.low_rank_plus_random(n, gain, overlap, rng=0, exact=True)
        assert isinstance(W, Sum) and isinstance(W.terms[0], LowRank)
        assert isinstance(W.terms[1], Dense)
        eigenvalues = np.linalg.eigvals(W.to_dense())
        order = np.argsort(-np.abs(eigenvalues))
        # the outlier solves 1 = n^T (lambda - g chi)^-1 m / N; to first order in chi it shifts by
        # n^T chi m g / (N overlap), and the higher orders multiply the variance by
        # 1 / (1 - (g / overlap)^2)
        spread = np.sqrt(1.0 * (overlap**2 + 1)) / overlap  # sd of m times that of n
        error = gain * spread / np.sqrt(n * (1 - (gain / overlap) ** 2))
        assert abs(eigenvalues[order[0]] - overlap) < 5 * error
        assert abs(np.abs(eigenvalues[order[1]]) / gain - 1) < edge_error(n)

    def test_bulk_does_not_depend_on_the_structure(self):
        bulk = w.gaussian(30, 0.8, rng=7)
        for options in ({}, {"rank": 2}, {"overlaps": 2.0, "sigma_n": 3.0, "exact": True}):
            W = w.low_rank_plus_random(30, 0.8, rng=7, **options)
            assert_array_equal(W.terms[1].to_dense(), bulk)
        one, two = (w.low_rank_plus_random(30, g, 1.5, rng=7).terms[0] for g in (0.1, 0.8))
        assert_array_equal(one.to_dense(), two.to_dense())  # nor the structure on the gain


class TestExcitatoryInhibitory:
    OPTIONS = {"mean_exc": 1.2, "mean_inh": -3.0, "sd_exc": 0.7, "sd_inh": 2.0}

    def test_columns_have_one_sign_and_their_moments(self):
        W = w.excitatory_inhibitory(300, 100, **self.OPTIONS, rng=0)
        assert np.all(W[:, :300] > 0) and np.all(W[:, 300:] < 0)
        for part, mean, sd in ((W[:, :300], 1.2, 0.7), (W[:, 300:], -3.0, 2.0)):
            kurtosis = 3 + 6 * (sd / mean) ** 2  # of a gamma distribution
            check_moments(part, mean / 20, sd**2 / 400, kurtosis)
        again = w.excitatory_inhibitory(300, 100, **self.OPTIONS, n_post=7, rng=1)
        assert again.shape == (7, 400)

    def test_gaussian_columns(self):
        W = w.excitatory_inhibitory(300, 100, **self.OPTIONS, distribution="gaussian", rng=0)
        check_moments(W[:, :300], 1.2 / 20, 0.7**2 / 400)
        check_moments(W[:, 300:], -3.0 / 20, 2.0**2 / 400)
        assert np.any(W[:, :300] < 0)

    @pytest.mark.parametrize("distribution", ["gamma", "gaussian"])
    def test_radius_of_the_balanced_ensemble(self, distribution):
        """The means do not enter once every row is balanced."""
        options = {"sd_exc": 0.6, "sd_inh": 1.8, "distribution": distribution, "rng": 1}
        W = w.excitatory_inhibitory(240, 60, mean_exc=1.5, zero_row_sum=True, **options)
        assert np.abs(W.sum(axis=1)).max() < 1e-12
        assert_allclose(W.mean(), 0, atol=1e-15)
        radius = np.sqrt(0.8 * 0.6**2 + 0.2 * 1.8**2)
        assert abs(spectral_radius(W) / radius - 1) < edge_error(300)
        loose = w.excitatory_inhibitory(240, 60, mean_exc=1.5, **options)
        assert spectral_radius(loose) > 1.2 * radius  # outliers, as in the paper's figure 1
        if distribution == "gamma":
            assert np.all(W[:, :240] > 0) and np.all(W[:, 240:] < 0)
            check_moments(W[:, 240:], -6.0 / np.sqrt(300), 1.8**2 / 300, 3 + 6 * (1.8 / 6) ** 2)

    def test_defaults_are_balanced(self):
        W = w.excitatory_inhibitory(80, 20, sd_exc=0.0, rng=0)
        assert_allclose(W[:, :80], 0.1)
        assert_allclose(W[:, 80:], -0.4)

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"mean_inh": 1.0}, "`mean_inh` must be negative or zero; got 1.0"),
            ({"mean_exc": -1.0}, "`mean_exc` must be a number of at least 0; got -1.0"),
            ({"mean_exc": 0.0}, "`mean_exc` = 0 with `sd_exc` = 1 cannot keep one sign"),
            ({"mean_inh": -2.0, "zero_row_sum": True}, "`mean_inh` = -4 for `mean_exc` = 1"),
            ({"distribution": "normal"}, "`distribution` must be"),
        ],
    )
    def test_misuse(self, options, match):
        with pytest.raises(ValueError, match=match):
            w.excitatory_inhibitory(80, 20, rng=0, **options)


class TestSparseRandom:
    def test_number_of_connections(self):
        W = w.sparse_random((400, 300), p=0.07, rng=0)
        assert isinstance(W, Sparse) and W.shape == (400, 300)
        assert abs(W.nnz - 0.07 * 120_000) < 5 * np.sqrt(120_000 * 0.07 * 0.93)
        assert_array_equal(W.data, 1.0)

    def test_every_pair_is_connected_independently(self):
        """Frequencies of all cells, and of all pairs of cells, over many draws."""
        rng, n_draws, p = np.random.default_rng(0), 4000, 0.3
        cells = np.array([w.sparse_random((2, 3), p=p, rng=rng).to_dense() for _ in range(n_draws)])
        cells = cells.reshape(n_draws, 6)
        expected = np.full((6, 6), p**2)
        np.fill_diagonal(expected, p)
        error = np.sqrt(expected * (1 - expected) / n_draws)
        assert np.all(np.abs(cells.T @ cells / n_draws - expected) < 5 * error)

    def test_fixed_in_degree(self):
        W = w.sparse_random((200, 150), in_degree=12, rng=0)
        assert_array_equal(np.diff(W.indptr), 12)
        assert np.all(np.diff(W.indices.reshape(200, 12)) > 0)  # ascending, so all different
        out_degree = np.bincount(W.indices, minlength=150)
        assert scipy.stats.chisquare(out_degree).pvalue > 1e-3

    @pytest.mark.parametrize("in_degree", [0, 1, 2, 3, 4, 5])  # above 2, the others are drawn
    def test_sets_of_sources_are_equally_likely(self, in_degree):
        n_draws = 6000
        W = w.sparse_random((n_draws, 5), in_degree=in_degree, rng=3)
        drawn = Counter(map(tuple, W.indices.reshape(n_draws, in_degree).tolist()))
        sets = list(itertools.combinations(range(5), in_degree))
        assert set(drawn) <= set(sets)
        p = 1 / len(sets)
        error = np.sqrt(n_draws * p * (1 - p))
        assert np.all(np.abs([drawn[s] - n_draws * p for s in sets]) <= 4.5 * error)

    def test_total_number_of_synapses(self):
        W = w.sparse_random((40, 25), n_synapses=3000, rng=0)
        assert (W.shape, W.nnz) == ((40, 25), 3000)
        again = Sparse.from_csr(W.indptr, W.indices, W.data, W.shape)  # checks that rows ascend
        assert_array_equal(W.to_dense(), again.to_dense())
        assert W.to_dense().max() > 3  # several synapses of one pair
        assert_array_equal(w.sparse_random((40, 25), n_synapses=3000, rng=0).indices, W.indices)
        assert not np.array_equal(
            w.sparse_random((40, 25), n_synapses=3000, rng=1).indices, W.indices
        )

    def test_synapses_of_pairs_are_multinomial(self):
        """Means and covariances of the numbers of synapses of all pairs, over many draws."""
        rng, n_draws, n_synapses, p = np.random.default_rng(2), 4000, 7, 1 / 6
        counts = np.array([w.sparse_random((2, 3), n_synapses=n_synapses, rng=rng).to_dense()
                           for _ in range(n_draws)]).reshape(n_draws, 6)  # fmt: skip
        assert_array_equal(counts.sum(axis=1), n_synapses)
        expected = n_synapses * p * (np.eye(6) - p)
        centred = counts - n_synapses * p
        assert np.all(np.abs(centred.mean(axis=0)) < 4.5 * np.sqrt(expected[0, 0] / n_draws))
        products = centred[:, :, None] * centred[:, None, :]
        error = products.std(axis=0) / np.sqrt(n_draws)
        assert np.all(np.abs(products.mean(axis=0) - expected) < 4.5 * error)

    @pytest.mark.parametrize("at_once", [1, 64, 300])
    def test_rows_may_be_drawn_in_any_number_at_once(self, at_once, monkeypatch):
        whole = w.sparse_random((50, 30), n_synapses=900, rng=0)
        monkeypatch.setattr(sparse_ensembles, "_ENTRIES_AT_ONCE", at_once)
        assert_array_equal(w.sparse_random((50, 30), n_synapses=900, rng=0).indices, whole.indices)
        for in_degree in (7, 20):
            W = w.sparse_random((50, 30), in_degree=in_degree, rng=0)
            assert_array_equal(np.diff(W.indptr), in_degree)
            assert np.all(np.diff(W.indices.reshape(50, in_degree)) > 0)

    @pytest.mark.parametrize("options", [{"in_degree": 100}, {"n_synapses": 500_000}])
    def test_needs_little_memory_beside_the_result(self, options, monkeypatch):
        monkeypatch.setattr(sparse_ensembles, "_ENTRIES_AT_ONCE", 1 << 14)
        tracemalloc.start()
        W = w.sparse_random((5000, 3000), rng=0, dtype=np.float32, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        result = W.indices.nbytes + W.data.nbytes + W.indptr.nbytes
        assert W.indices.itemsize + W.data.itemsize == 8
        assert peak < result + 400_000  # 16,384 entries of up to 24 bytes

    @pytest.mark.parametrize(
        "options", [{"p": 0.3}, {"in_degree": 5}, {"n_synapses": 80}, {"p": 0.3, "gain": 1.0}]
    )
    def test_values_in_single_precision(self, options):
        assert w.sparse_random(12, rng=0, **options).dtype == np.float64
        assert w.sparse_random(12, rng=0, dtype="float32", **options).dtype == np.float32
        with pytest.raises(TypeError, match="`dtype` must be float64 or float32; got float16"):
            w.sparse_random(12, rng=0, dtype=np.float16, **options)

    def test_weights_keep_their_precision(self):
        drawn = w.sparse_random(
            50, n_synapses=700, rng=0, weight=lambda rng, n: rng.random(n, dtype=np.float32)
        )
        assert drawn.dtype == np.float32
        by_source = np.arange(50, dtype=np.float32)
        W = w.sparse_random(50, n_synapses=700, rng=0, weight=by_source * nd.mV)
        assert_array_equal(W.data, (by_source * 1e-3)[W.indices])
        assert W.dim == nd.units.to_si(nd.mV).dim

    @pytest.mark.parametrize("options", [{"p": 0.4}, {"in_degree": 3}, {"n_synapses": 18}])
    def test_without_self_connections(self, options):
        rng, n_draws, n = np.random.default_rng(1), 2000, 6
        mean = np.zeros((n, n))
        for _ in range(n_draws):
            W = w.sparse_random(n, rng=rng, self_connections=False, **options)
            mean += W.to_dense() / n_draws
        p = options.get("p", 3 / 5)
        variance = 18 / 30 * (1 - 1 / 30) if "n_synapses" in options else p * (1 - p)
        assert_array_equal(np.diag(mean), 0.0)
        expected = p * ~np.eye(n, dtype=bool)
        assert np.all(np.abs(mean - expected) <= 5 * np.sqrt(variance / n_draws))

    def test_extremes(self):
        assert w.sparse_random(5, p=0.0, rng=0).nnz == 0
        assert w.sparse_random(5, in_degree=0, rng=0).nnz == 0
        assert w.sparse_random(5, n_synapses=0, rng=0).nnz == 0
        assert w.sparse_random(1, in_degree=0, rng=0, self_connections=False).nnz == 0
        with pytest.raises(ValueError, match="there is no other unit to choose"):
            w.sparse_random(1, n_synapses=2, rng=0, self_connections=False)
        assert_array_equal(w.sparse_random((2, 3), p=1.0, rng=0).to_dense(), np.ones((2, 3)))
        assert_array_equal(w.sparse_random((2, 3), in_degree=3, rng=0).to_dense(), np.ones((2, 3)))
        off = w.sparse_random(4, p=1.0, rng=0, self_connections=False).to_dense()
        assert_array_equal(off, 1.0 - np.eye(4))
        assert w.sparse_random(1, p=0.5, rng=0, self_connections=False).nnz == 0
        assert w.sparse_random(10**6, p=1e-9, rng=0).nnz in range(1000 - 160, 1000 + 160)

    def test_weights_of_the_entries(self):
        by_source = np.array([1.0, 1.0, 1.0, -4.0])
        W = w.sparse_random((50, 4), p=0.5, weight=by_source, rng=0)
        assert_array_equal(W.data, by_source[W.indices])
        W = w.sparse_random(100, p=0.2, weight=lambda rng, n: rng.lognormal(0, 1, n), rng=0)
        assert abs(np.log(W.data).mean()) < 5 / np.sqrt(W.nnz)
        pattern = w.sparse_random(100, p=0.2, rng=0)
        assert_array_equal(W.indices, pattern.indices)  # drawn before the weights

    @pytest.mark.parametrize("options", [{"p": 1 / 6}, {"in_degree": 50}])
    def test_gain_is_the_spectral_radius(self, options):
        W = w.sparse_random(300, gain=1.4, rng=0, **options)
        check_moments(W.data, 0.0, 1.4**2 / 50)
        # a finite in-degree widens the edge by a term of order 1 / (2 K)
        assert abs(spectral_radius(W.to_dense()) / 1.4 - 1) < edge_error(300) + 1 / (2 * 50)

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({}, "give either `p`, `in_degree` or `n_synapses`; got p=None, in_degree=None"),
            ({"p": 0.1, "in_degree": 2}, "or `n_synapses`; got p=0.1, in_degree=2, n_synapses=N"),
            ({"in_degree": 2, "n_synapses": 3}, "give either `p`, `in_degree` or `n_synapses`"),
            ({"n_synapses": -1}, "`n_synapses` must be an integer of at least 0; got -1"),
            ({"p": 1.5}, "`p` is a probability, between 0 and 1; got 1.5"),
            ({"p": -0.1}, "`p` must be a number of at least 0; got -0.1"),
            ({"in_degree": 6}, "`in_degree` = 6 different units cannot be chosen from 5"),
            ({"in_degree": 5, "self_connections": False}, "cannot be chosen from 4"),
            ({"in_degree": 2.0}, "`in_degree` must be an integer of at least 0; got 2.0"),
            ({"p": 0.5, "weight": np.ones(4)}, r"an array \(n_pre,\) = \(5,\); got shape \(4,\)"),
            (
                {"p": 0.5, "weight": lambda rng, n: 1.0},
                r"must return n = .* values; got shape \(\)",
            ),
        ],
    )
    def test_misuse(self, options, match):
        with pytest.raises(ValueError, match=match):
            w.sparse_random(5, rng=0, **options)

    def test_self_connections_of_a_rectangle(self):
        with pytest.raises(ValueError, match="needs a square matrix"):
            w.sparse_random((5, 4), p=0.5, self_connections=False, rng=0)


class TestBlock:
    SIZES = (60, 240, 300)
    GAINS = np.array([[2.0, 0.3, 0.5], [0.8, 0.9, 0.2], [1.5, 0.1, 1.1]])

    def test_moments_of_every_block(self):
        means = np.array([[0.3, 0, 0], [0, 0, -0.1], [0, 0.2, 0]])
        W = w.block(self.SIZES, self.GAINS, means, rng=0)
        edges = np.cumsum((0, *self.SIZES))
        for c in range(3):
            for d in range(3):
                part = W[edges[c] : edges[c + 1], edges[d] : edges[d + 1]]
                check_moments(part, means[c, d], self.GAINS[c, d] ** 2 / 600)

    def test_spectral_radius(self):
        gains = np.array([[1.8, 0.2], [0.4, 0.3]])
        radius = np.sqrt(np.linalg.eigvals(gains**2 / 2).real.max())
        assert abs(spectral_radius(w.block([150, 150], gains, rng=1)) / radius - 1) < edge_error(
            150
        )
        # which a homogeneous matrix of the same mean variance would miss
        assert abs(np.sqrt(np.mean(gains**2)) / radius - 1) > edge_error(150)

    def test_one_gain_for_all_is_gaussian(self):
        assert_allclose(w.block([3, 4], 1.3, rng=5), w.gaussian(7, 1.3, rng=5), rtol=1e-15)

    @pytest.mark.parametrize(
        ("arguments", "match"),
        [
            (([3, 0], 1.0), r"`sizes\[1\]` must be an integer of at least 1; got 0"),
            (([], 1.0), "`sizes` must have at least one entry"),
            (([3, 4], np.ones(2)), r"`gains` must be .* = \(2, 2\); got \(2,\)"),
            (([3, 4], [[1, 2], [3, -4]]), "`gains` are standard deviations"),
            (([3, 4], 1.0, [[1, 2], [np.inf, 4]]), r"inf at \[post, pre\] = \[1, 0\]"),
        ],
    )
    def test_misuse(self, arguments, match):
        with pytest.raises(ValueError, match=match):
            w.block(*arguments, rng=0)


class TestOrthogonal:
    @pytest.mark.parametrize("shape", [60, (80, 30), (30, 80)])
    def test_orthonormal_to_rounding(self, shape):
        Q = w.orthogonal(shape, rng=0)
        gram = Q.T @ Q if Q.shape[0] >= Q.shape[1] else Q @ Q.T
        assert np.abs(gram - np.eye(len(gram))).max() < 1e-14
        assert_allclose(np.linalg.svd(w.orthogonal(shape, 1.5, rng=0))[1], 1.5, rtol=1e-13)
        assert Q.flags.c_contiguous

    def test_haar_moments_of_the_trace(self):
        """For Haar matrices tr Q has the moments 0, 1, 0, 3 of a normal number: exactly, n = 8."""
        rng, n_draws = np.random.default_rng(0), 2000
        trace = np.array([np.trace(w.orthogonal(8, rng=rng)) for _ in range(n_draws)])
        assert abs(trace.mean()) < 5 / np.sqrt(n_draws)
        assert abs(np.mean(trace**2) - 1) < 5 * np.sqrt(2 / n_draws)
        assert abs(np.mean(trace**4) - 3) < 5 * np.sqrt(96 / n_draws)  # <x^8> - <x^4>^2 = 105 - 9
        # what LAPACK returns without the choice of signs is not Haar
        raw = [np.trace(np.linalg.qr(rng.standard_normal((8, 8)))[0]) for _ in range(n_draws)]
        assert abs(np.mean(raw)) > 5 / np.sqrt(n_draws)

    def test_eigenvalue_phases_are_uniform(self):
        rng = np.random.default_rng(1)
        phases = []
        for _ in range(10):
            eigenvalues = np.linalg.eigvals(w.orthogonal(60, rng=rng))
            assert_allclose(np.abs(eigenvalues), 1.0, rtol=1e-12)
            phases.append(np.angle(eigenvalues[eigenvalues.imag > 1e-9]))
        phases = np.concatenate(phases) / np.pi
        # phases repel, so they are more even than independent ones would be
        assert scipy.stats.kstest(phases, "uniform").pvalue > 1e-3

    def test_both_determinants_occur(self):
        rng = np.random.default_rng(2)
        positive = [np.linalg.det(w.orthogonal(3, rng=rng)) > 0 for _ in range(400)]
        assert abs(np.mean(positive) - 0.5) < 5 * 0.5 / 20


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: w.gaussian(0), ValueError, "`shape_or_n` must be an integer of at least 1; got 0"),
        (lambda: w.gaussian(2.5), ValueError, r"must be n or \(n_post, n_pre\); got 2.5"),
        (lambda: w.gaussian((2, 3, 4)), ValueError, r"got \(2, 3, 4\)"),
        (lambda: w.gaussian((2, -3)), ValueError, r"`shape_or_n\[1\]` must be an integer"),
        (
            lambda: w.gaussian(3, gain=-1),
            ValueError,
            "`gain` must be a number of at least 0; got -1",
        ),
        (lambda: w.gaussian(3, gain=np.nan), ValueError, "`gain` must be finite; got nan"),
        (lambda: w.gaussian(3, gain=np.ones(3)), ValueError, "`gain` must be a number"),
        (lambda: w.gaussian(3, gain=1 * nd.mV), TypeError, "Multiply the weights by the unit"),
        (lambda: w.gaussian(True), ValueError, "must be an integer of at least 1; got True"),
    ],
)
def test_arguments_are_checked(call, error, match):
    with pytest.raises(error, match=match):
        call()
