"""Memory of linear networks, whose exact answer is known."""

import numpy as np
import pytest
import xarray as xr

from neurodyn.analyses import linear_memory_function, memory_capacity


def delay_line(n, alpha=1.0):
    """Each unit hands on to the next ``sqrt(alpha)`` of its state."""
    return np.sqrt(alpha) * np.eye(n, k=-1)


def orthogonal(n, rng):
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    return Q * np.sign(np.diag(R))


def run(W, w_in, u, noise_std=0.0, rng=None):
    x, out = np.zeros(len(W)), np.empty((len(u), len(W)))
    noise = noise_std * rng.standard_normal(out.shape) if noise_std else np.zeros(out.shape)
    for t, value in enumerate(u):
        x = W @ x + w_in * value + noise[t]
        out[t] = x
    return out


# -- the exact answer ------------------------------------------------------------------------------


def test_a_delay_line_with_noise():
    """m_k = alpha**k/(alpha**k + noise**2 (1 - alpha**(k+1))/(1 - alpha)) for k < n, then 0."""
    n, alpha, noise = 12, 0.9, 0.3
    w_in = np.eye(n)[0]
    found = linear_memory_function(delay_line(n, alpha), w_in, max_delay=15, noise_std=noise)
    k = np.arange(n)
    signal = alpha**k
    expected = signal / (signal + noise**2 * (1 - alpha ** (k + 1)) / (1 - alpha))
    np.testing.assert_allclose(found[:n], expected, rtol=1e-12)
    np.testing.assert_allclose(found[n:], 0, atol=1e-15)
    # without noise: everything, n steps long
    np.testing.assert_allclose(linear_memory_function(delay_line(n), w_in, max_delay=n),
                               [1.0] * n + [0.0], atol=1e-12)


@pytest.mark.parametrize("n", [1, 5, 20])
def test_capacity_without_noise_is_the_number_of_units(n):
    rng = np.random.default_rng(n)
    W = 0.95 * orthogonal(n, rng)
    found = linear_memory_function(W, rng.standard_normal(n), max_delay=800)
    assert found.sum() == pytest.approx(n, rel=1e-6)
    assert found.min() > -1e-9 and found.max() < 1 + 1e-9


def test_orthogonal_networks_with_noise_are_close_to_the_large_n_limit():
    """White, Lee and Sompolinsky: a matrix sqrt(alpha) O whose memory ends long before n.

    Then the vectors W**k w are almost orthogonal, and m_k = alpha**k/(alpha**k + noise**2/(1 -
    alpha)), where they are exactly so.
    """
    n, alpha, noise = 150, 0.8, 0.5
    rng = np.random.default_rng(0)
    w_in = rng.standard_normal(n)
    w_in /= np.linalg.norm(w_in)
    found = linear_memory_function(np.sqrt(alpha) * orthogonal(n, rng), w_in, max_delay=30,
                                   noise_std=noise)
    signal = alpha ** np.arange(31)
    expected = signal / (signal + noise**2 / (1 - alpha))
    # overlaps between them are of order 1/sqrt(n)
    np.testing.assert_allclose(found, expected, atol=4 / np.sqrt(n) * expected.max())


def test_the_covariance_is_the_sum_over_the_past():
    rng = np.random.default_rng(1)
    W, w = 0.3 * rng.standard_normal((4, 4)), rng.standard_normal(4)
    powers = [np.linalg.matrix_power(W, k) for k in range(400)]
    C = sum(np.outer(P @ w, P @ w) + 0.04 * P @ P.T for P in powers)
    expected = [(P @ w) @ np.linalg.solve(C, P @ w) for P in powers[:10]]
    np.testing.assert_allclose(linear_memory_function(W, w, max_delay=9, noise_std=0.2), expected,
                               rtol=1e-9)


# -- from states -----------------------------------------------------------------------------------


@pytest.mark.parametrize("correction", ["shuffle", "cross-validation"])
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_states_of_a_linear_network_give_the_exact_memory_function(noise, correction):
    n, n_times, last = 10, 6000, 40
    rng = np.random.default_rng(2)
    W, w_in = 0.9 * orthogonal(n, rng), rng.standard_normal(n)
    u = rng.standard_normal(n_times)
    states = run(W, w_in, u, noise, rng)
    found = memory_capacity(states, u, max_delay=last, transient=200, correction=correction, rng=3)
    exact = linear_memory_function(W, w_in, max_delay=last, noise_std=noise)
    error = 2 * np.sqrt(exact * (1 - exact) ** 2 / n_times) + np.sqrt(2 * n) / n_times
    # cross-validation pays n/T for weights fitted to other samples
    bias = 2 * n / n_times if correction == "cross-validation" else 0
    assert (np.abs(found.memory - exact) < 4.5 * error + bias).all()
    total_error = np.sqrt((error**2).sum())
    assert abs(found.total - exact.sum()) < 4.5 * total_error + bias * (last + 1)
    assert found.n_units == found.n_dimensions == n and found.n_samples == 6000 - 240
    assert found.correction == correction and found.notes == ()
    np.testing.assert_array_equal(found.delay, np.arange(last + 1))


def test_chance_is_the_number_of_weights_over_the_number_of_samples():
    rng = np.random.default_rng(4)
    n, n_times = 30, 600
    states, u = rng.standard_normal((n_times, n)), rng.standard_normal(n_times)
    none = memory_capacity(states, u, max_delay=50, correction="none")
    assert none.chance == pytest.approx(n / 549)
    # R squared of n regressors is Beta(n/2, (T - n - 1)/2); 51 delays share their states
    sd = np.sqrt(2 * n) / n_times
    assert none.uncorrected.mean() == pytest.approx(none.chance, abs=4.5 * sd / np.sqrt(51) * 1.5)
    assert "of `total`, 2.79 is what chance explains" in none.notes[0]
    corrected = memory_capacity(states, u, max_delay=50, n_shuffles=200, rng=0)
    assert corrected.chance == pytest.approx(n / 549, rel=0.1)
    assert abs(corrected.total) < 4.5 * 51 * sd * np.sqrt(1 / 51 + 1 / 200)
    np.testing.assert_allclose(corrected.uncorrected, none.memory)


def test_r_squared_is_that_of_ordinary_regression():
    """A slow twin: one regression a delay."""
    rng = np.random.default_rng(5)
    u = rng.standard_normal(300)
    states = np.tanh(run(0.8 * orthogonal(6, rng), rng.standard_normal(6), u)) + 0.3
    found = memory_capacity(states, u, max_delay=8, transient=5, correction="none")
    for k in range(9):
        X = np.column_stack([np.ones(287), states[13:]])
        y = u[13 - k : 300 - k]
        residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
        assert found.memory[k] == pytest.approx(1 - residual.var() / y.var())


def test_what_is_missing_is_said():
    rng = np.random.default_rng(6)
    u = rng.standard_normal(3000)
    states = run(delay_line(8), np.eye(8)[0], u)
    short = memory_capacity(states, u, max_delay=4, rng=0)
    assert "larger `max_delay`" in short.notes[0] and short.total == pytest.approx(5, rel=1e-3)
    doubled = memory_capacity(np.hstack([states, states]), u, rng=0)
    assert doubled.n_dimensions == 8 and "16 units span 8 dimensions" in doubled.notes[0]
    assert doubled.total == pytest.approx(8, abs=4.5 * 33 * np.sqrt(16) / 3000)
    assert doubled.delay[-1] == 32
    named = xr.DataArray(states[None], dims=["trial", "time", "E.unit"])
    again = memory_capacity(named, u, max_delay=4, rng=0)
    assert again.total == short.total


U = np.random.default_rng(0).standard_normal(100)
X = np.random.default_rng(1).standard_normal((100, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: memory_capacity(X, U[:-1]), ValueError, r"`u` must be \(time,\) = \(100,\)"),
        (lambda: memory_capacity(X[None].repeat(2, 0), U), ValueError, "one trial.* got 2 trials"),
        (lambda: memory_capacity(X, 0 * U + 2), ValueError, "`u` never changes: it is 2"),
        (lambda: memory_capacity(0 * X, U), ValueError, "`states` never change"),
        (lambda: memory_capacity(X, U, max_delay=97), ValueError, "`states` are too short"),
        (lambda: memory_capacity(X, U, correction="loo"), ValueError, "`correction` must be"),
        (lambda: memory_capacity(X, U, max_delay=-1), ValueError, "`max_delay` must be an integer"),
        (lambda: memory_capacity(np.where(X > 2, np.inf, X), U), ValueError, "must be finite"),
        (lambda: linear_memory_function(np.eye(2), [1, 0], max_delay=1), ValueError,
         "spectral radius below 1; got 1"),
        (lambda: linear_memory_function(np.ones((2, 3)), [1, 0], max_delay=1), ValueError,
         "`W` must be square"),
        (lambda: linear_memory_function(np.eye(2) / 2, [1, 0, 0], max_delay=1), ValueError,
         r"`w_in` must be \(unit,\) = \(2,\)"),
        (lambda: linear_memory_function(np.eye(2) / 2, [1, 1], max_delay=1), ValueError,
         "singular to working precision"),
        (lambda: linear_memory_function(np.eye(2) / 2, [1, 0], max_delay=1), ValueError,
         "singular to working precision"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
