"""Series beside independent solutions of their equations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neurodyn as nd
from neurodyn import tasks
from neurodyn.tasks.chaos import mackey_glass
from neurodyn.tasks.time_series import _lorenz_scale, _mackey_glass_scale


def test_a_sine_has_the_frequency_of_its_input():
    task = tasks.SineGeneration(5, low=1 * nd.Hz, high=3 * nd.Hz, duration=2)
    batch = task.batch(0, 100)
    assert task.frequencies == (1.0, 1.5, 2.0, 2.5, 3.0)
    for k in range(100):
        f = batch.info["frequency"][k]
        assert set(batch.inputs["frequency"][k, :, 0]) == {0.25 + (f - 1) / 2}
        t = 0.01 * np.arange(1, 201)
        np.testing.assert_allclose(batch.targets["sine"][k, :, 0], np.sin(2 * np.pi * f * t), atol=1e-12)
    assert set(batch.info["frequency"]) == set(task.frequencies)
    assert task.chance == pytest.approx(0.5)  # whole and half periods


def test_the_lorenz_series_solves_the_equations():
    task = tasks.Lorenz(duration=1.0, horizon=0.05)
    batch = task.batch(0, 5)
    mean, sd = _lorenz_scale(10.0, 28.0, 8 / 3)
    series = batch.inputs["series"] * sd + mean
    for one in series:
        def field(t, v):
            x, y, z = v
            return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]

        exact = solve_ivp(field, (0, 0.99), one[0], t_eval=0.01 * np.arange(100), rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(one, exact.y.T, atol=1e-4)
    np.testing.assert_array_equal(batch.targets["prediction"][:, :-5], batch.inputs["series"][:, 5:])


def test_the_lorenz_scale_is_that_of_the_attractor():
    """<x> = <y> = 0 by symmetry; <x**2> = <xy> = beta <z> and <z'> = 0 for any average in time."""
    mean, sd = _lorenz_scale(10.0, 28.0, 8 / 3)
    assert np.abs(mean[:2]).max() < 0.1
    assert sd[0] ** 2 + mean[0] ** 2 == pytest.approx(8 / 3 * mean[2], rel=5e-3)
    assert mean[2] == pytest.approx(23.55, abs=0.05)  # as in the literature
    sparse = tasks.Lorenz([2, 0], duration=0.1).batch(0, 3)
    full = tasks.Lorenz(duration=0.1).batch(0, 3)
    np.testing.assert_array_equal(sparse.inputs["series"], full.inputs["series"][..., [2, 0]])


def test_a_lorenz_system_that_diverges_says_so():
    with pytest.raises(FloatingPointError, match="sigma=-10"):
        tasks.Lorenz(sigma=-10).batch(0, 1)


def naive_mackey_glass(start, n_steps, h, n_delay, b, gamma, n):
    """Heun's method with the whole history in a list."""
    x = [start] * (n_delay + 1)
    for _ in range(n_steps):
        def slope(now, old):
            return b * old / (1 + old**n) - gamma * now

        first = slope(x[-1], x[-1 - n_delay])
        second = slope(x[-1] + h * first, x[-n_delay])
        x.append(x[-1] + h / 2 * (first + second))
    return np.array(x[n_delay:])


@pytest.mark.parametrize("n_delay", [1, 2, 170])
def test_the_mackey_glass_series_is_that_of_its_history(n_delay):
    found = mackey_glass(np.array([0.7, 1.2]), 2, 40, 5, 0.1, n_delay, 0.2, 0.1, 10.0)
    for start, series in zip((0.7, 1.2), found):
        expected = naive_mackey_glass(start, 41 * 5 + 5, 0.1, n_delay, 0.2, 0.1, 10.0)
        np.testing.assert_allclose(series, expected[10::5][:40], rtol=1e-10)


def test_mackey_glass_converges_with_the_second_order_of_heun():
    """Halving the step divides the error by four."""
    runs = [
        mackey_glass(np.array([0.8]), 0, 2, round(50 / h), h, round(17 / h), 0.2, 0.1, 10.0)[0, 1]
        for h in (0.1, 0.05, 0.025, 0.0125)
    ]
    differences = np.abs(np.diff(runs))
    np.testing.assert_allclose(np.log2(differences[:-1] / differences[1:]), 2, atol=0.3)


def test_mackey_glass_below_its_bifurcation_is_at_rest():
    """x = (b/gamma - 1)**(1/n) = 1 is stable for small delays."""
    series = mackey_glass(np.array([0.7]), 500, 5, 10, 0.1, 20, 0.2, 0.1, 10.0)
    np.testing.assert_allclose(series, 1.0, atol=1e-9)


def test_mackey_glass_is_predicted_from_now():
    task = tasks.MackeyGlass(horizon=6, duration=50)
    batch = task.batch(0, 4)
    np.testing.assert_array_equal(batch.targets["prediction"][:, :-6], batch.inputs["series"][:, 6:])
    mean, sd = _mackey_glass_scale(17.0, 0.2, 0.1, 10.0)
    assert 0.85 < mean[0] < 1.0 and 0.2 < sd[0] < 0.26
