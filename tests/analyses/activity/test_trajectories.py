"""Curves whose speed, curvature and tangling are known."""

import numpy as np
import pytest
import xarray as xr

from neurodyn.analyses import tangling, trajectory_geometry


def test_a_helix():
    """Curvature a/(a**2 + b**2), speed omega sqrt(a**2 + b**2), in a turned frame."""
    a, b, omega, dt = 2.0, 0.5, 3.0, 1e-3
    t = dt * np.arange(3000)
    helix = np.stack([a * np.cos(omega * t), a * np.sin(omega * t), b * omega * t], axis=1)
    frame = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 3)))[0]
    x = helix @ frame.T + 1.0
    found = trajectory_geometry(x, dt)
    speed = omega * np.hypot(a, b)
    np.testing.assert_allclose(found.speed, speed, rtol=(omega * dt) ** 2)
    np.testing.assert_allclose(found.curvature, a / (a**2 + b**2), rtol=3 * (omega * dt) ** 2)
    assert found.length[0] == pytest.approx(speed * t[-1], rel=1e-5)
    assert found.n_at_rest == 0 and found.speed.shape == (1, 3000)
    named = xr.DataArray(x[None], dims=["trial", "time", "u"], coords={"time": t})
    np.testing.assert_allclose(trajectory_geometry(named).speed, found.speed)


def test_errors_fall_with_the_square_of_the_step():
    errors = []
    for dt in (0.02, 0.01):
        t = dt * np.arange(round(4 / dt))
        x = np.stack([np.cos(t), 2 * np.sin(t)], axis=1)
        exact = 2 / (np.sin(t) ** 2 + 4 * np.cos(t) ** 2) ** 1.5
        errors.append(np.abs(trajectory_geometry(x, dt).curvature - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.15)


def test_straight_lines_and_rest():
    t = np.linspace(0, 1, 11)
    line = trajectory_geometry(np.outer(t**2 + t, [3.0, 4.0]), t[1])
    np.testing.assert_allclose(line.curvature, 0, atol=1e-10)
    np.testing.assert_allclose(line.speed[0], 5 * (2 * t + 1), rtol=1e-10)
    still = trajectory_geometry(np.full((10, 2), 0.3), 0.1)
    assert still.n_at_rest == 10 and np.isnan(still.curvature).all() and (still.speed == 0).all()


# -- tangling --------------------------------------------------------------------------------------


def test_a_circle_is_not_tangled():
    """|dv|**2/(|dx|**2 + eps) = omega**2 d/(d + eps), largest for d = (2 r)**2."""
    omega, r, n = 5.0, 2.0, 400
    t = np.linspace(0, 2 * np.pi / omega, n, endpoint=False)
    x = r * np.stack([np.cos(omega * t), np.sin(omega * t)], axis=1)
    v = r * omega * np.stack([-np.sin(omega * t), np.cos(omega * t)], axis=1)
    found = tangling(x, t[1], velocity=v)
    assert found.epsilon == pytest.approx(0.1 * r**2)  # total variance r**2
    np.testing.assert_allclose(found.value, omega**2 * 4 / 4.1, rtol=1e-10)
    np.testing.assert_array_equal((found.partner[0, :, 1] - np.arange(n)) % n, n // 2)
    inner = slice(1, -1)  # by differences, but for the ends
    np.testing.assert_allclose(tangling(x, t[1]).value[:, inner], omega**2 * 4 / 4.1, rtol=2e-3)


def test_a_figure_of_eight_is_tangled_where_it_crosses():
    """(sin t, sin 2t) passes the origin with velocities (1, 2) and (-1, 2): Q = 4/eps."""
    n = 800
    t = 2 * np.pi * np.arange(n) / n
    x = np.stack([np.sin(t), np.sin(2 * t)], axis=1)
    v = np.stack([np.cos(t), 2 * np.cos(2 * t)], axis=1)
    found = tangling(x, t[1], velocity=v)
    assert found.epsilon == pytest.approx(0.1)
    assert found.value[0, 0] == pytest.approx(4 / 0.1, rel=1e-9)
    assert tuple(found.partner[0, 0]) == (0, n // 2)
    assert found.value.max() == pytest.approx(40, rel=0.01)


def test_a_slow_twin_agrees_across_trials(monkeypatch):
    from neurodyn.analyses.activity import trajectories

    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 12, 4)).cumsum(axis=1)
    monkeypatch.setattr(trajectories, "_PAIRS", 100)
    found = tangling(x, 0.1, epsilon=0.7)
    v = np.gradient(x, 0.1, axis=1, edge_order=2)
    for trial, time in np.ndindex(3, 12):
        ratios = {
            (i, j): ((v[trial, time] - v[i, j]) ** 2).sum()
            / (((x[trial, time] - x[i, j]) ** 2).sum() + 0.7)
            for i, j in np.ndindex(3, 12)
        }
        best = max(ratios, key=ratios.get)
        assert found.value[trial, time] == pytest.approx(ratios[best])
        assert tuple(found.partner[trial, time]) == best


X = np.random.default_rng(0).standard_normal((30, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: trajectory_geometry(X), "`dt` is missing"),
        (lambda: trajectory_geometry(X[:4], 0.1), "at least 5 times; got 4"),
        (lambda: tangling(X, 0.1, velocity=X[1:]), r"the shape of `x`, \(30, 3\); got \(29, 3\)"),
        (lambda: tangling(0 * X, 0.1), "`x` has variance 0"),
        (lambda: tangling(X, 0.1, epsilon=0), "`epsilon` must be positive"),
        (lambda: tangling(X, 0.1, epsilon=-1.0), "`epsilon` must be a number of at least 0"),
        (lambda: tangling(X * np.nan, 0.1), "`x` must be finite"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
