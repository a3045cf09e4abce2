"""Fixed and slow points where all of them are known, and what is said where there are none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq, root

import neurodyn as nd
from neurodyn.analyses import fixed_points, slow_points
from neurodyn.analyses.equilibria import _newton, _roots

#: The root of x = 2 tanh(x).
ROOT = brentq(lambda x: 2 * np.tanh(x) - x, 1, 3, xtol=1e-15)


def lorenz(x, sigma, rho, beta):
    a, b, c = x[..., 0], x[..., 1], x[..., 2]
    return np.stack([sigma * (b - a), a * (rho - c) - b, a * b - beta * c], axis=-1)


def tanh_units(n=1, w=2.0, h=0.0):
    return nd.Flow(lambda x, w, h: -x + w * np.tanh(x) + h, n, parameters={"w": w, "h": h})


def one(function, n=1):
    """A flow of a function of arrays of states."""
    return nd.Flow(lambda x: np.stack(function(*np.moveaxis(x, -1, 0)), axis=-1), n)


# -- all of them, where they are known -------------------------------------------------------------


@pytest.mark.parametrize("w", [0.5, 0.9, 1.1, 2.0, 5.0])
def test_a_unit_that_excites_itself(w):
    """`x = w tanh x`: 0, of eigenvalue w - 1, and above w = 1 two more."""
    found = fixed_points(tanh_units(w=w), rng=0)
    if w < 1:
        assert_allclose(found.x, [[0]], atol=1e-12)
        assert found.kind == ("stable",)
    else:
        x = brentq(lambda x: w * np.tanh(x) - x, 1e-3, 2 * w, xtol=1e-15)
        assert_allclose(found.x[:, 0], [-x, x, 0], atol=1e-10)
        assert found.kind == ("stable", "stable", "source")
        slope = w * (1 - np.tanh(x) ** 2) - 1
        assert_allclose(found.eigenvalues[:2, 0], slope, rtol=1e-8)
    assert_allclose(found.eigenvalues[-1, 0], w - 1, rtol=1e-12)
    assert found.verdict == "fixed points" and not found.failures
    assert found.n_starts.sum() == len(found.starts)


def test_independent_units_have_all_combinations():
    """3**3 points: 8 stable, 12 and 6 saddles of index 1 and 2, 1 source."""
    found = fixed_points(tanh_units(3), rng=0)
    assert found.counts == {"stable": 8, "saddle": 18, "source": 1}
    assert_allclose(np.bincount(found.n_unstable), [8, 12, 6, 1])
    every = np.stack(np.meshgrid(*[[-ROOT, 0, ROOT]] * 3), axis=-1).reshape(-1, 3)
    missing = [y for y in every if np.abs(found.x - y).max(axis=1).min() > 1e-10]
    assert not missing


def test_independent_pairs_of_a_network():
    """Pairs that excite each other, as three blocks of a network: the same 27."""
    W = np.kron(np.eye(3), [[0.0, 2.0], [2.0, 0.0]])
    found = fixed_points(nd.rate_network(W, tau=0.01), rng=0)
    assert_allclose(np.bincount(found.n_unstable), [8, 12, 6, 1])
    assert_allclose(np.unique(np.abs(found.x).round(9)), [0, round(ROOT, 9)])
    # at 0 each pair has -1 +- 2 over tau, at the others -1 +- 2 (1 - tanh(x)**2)
    assert_allclose(found.eigenvalues[-1].real, [100] * 3 + [-300] * 3, rtol=1e-9)
    slope = 2 * (1 - np.tanh(ROOT) ** 2)
    assert_allclose(found.eigenvalues[0].real[[0, -1]], [100 * (slope - 1), -100 * (slope + 1)])


def test_lorenz():
    found = fixed_points(
        nd.Flow(lorenz, 3, parameters={"sigma": 10.0, "rho": 28.0, "beta": 8 / 3}), spread=10, rng=0
    )
    a = np.sqrt(8 / 3 * 27)
    assert_allclose(found.x, [[0, 0, 0], [-a, -a, 27], [a, a, 27]], atol=1e-10)
    assert found.kind == ("saddle",) * 3
    assert found.n_unstable.tolist() == [1, 2, 2]
    assert_allclose(found.eigenvalues[0, 0], (-11 + np.sqrt(11**2 + 40 * 27)) / 2, rtol=1e-12)
    # those of the cubic of the literature (Strogatz, exercise 9.2.1)
    cubic = np.roots([1, 41 / 3, 8 / 3 * 38, 2 * 8 / 3 * 10 * 27])
    assert_allclose(np.sort_complex(found.eigenvalues[1]), np.sort_complex(cubic), rtol=1e-10)


@pytest.mark.parametrize("inside, n", [(1e-3, 3), (-1e-3, 1)])
def test_three_points_become_one_at_a_fold(inside, n):
    """Folds of `x = 2 tanh x + h` at h = 0.532840, x = -artanh sqrt(1/2)."""
    x = np.arctanh(np.sqrt(0.5))
    h = 2 * np.tanh(x) - x
    assert h == pytest.approx(0.532840, abs=1e-6)
    found = fixed_points(tanh_units(h=h - inside), rng=0)
    assert len(found) == n
    close = np.sort(np.abs(found.x[:, 0] + x))
    assert (close[:2] < 0.1).all() if n == 3 else close[0] > 1


def test_a_hopfield_network_remembers_its_patterns():
    """Orthogonal patterns: stable are +-x u with x = g tanh(x); mixtures are saddles.

    Activity lies in the space of the patterns, in which three equations for the overlaps are
    solved by SciPy from many places.
    """
    n, g = 64, 2.0
    u = np.array([[(-1.0) ** bin(i & k).count("1") for i in range(n)] for k in (1, 2, 4)])
    net = nd.rate_network(g * u.T @ u / n, tau=1.0)
    found = fixed_points(net, starts=np.random.default_rng(0).normal(size=(400, n)))
    overlap = found.x @ u.T / n
    assert_allclose(overlap @ u, found.x, atol=1e-9)
    stable = np.sort(np.abs(overlap[np.array(found.kind) == "stable"]), axis=1)
    assert_allclose(stable, [[0, 0, ROOT]] * 6, atol=1e-9)

    rng = np.random.default_rng(1)
    known = np.zeros((0, 3))
    for start in rng.uniform(-2, 2, (600, 3)):
        done = root(lambda m: g * u @ np.tanh(m @ u) / n - m, start, tol=1e-13)
        if done.success and not (np.abs(known - done.x).max(axis=1) < 1e-6).any():
            known = np.append(known, done.x[None], axis=0)
    assert len(found) == len(known) > 27
    distance = np.abs(overlap[:, None] - known).max(axis=2)
    assert distance.min(axis=0).max() < 1e-8


def test_rank_one_agrees_with_mean_field_theory():
    """kappa = rho kappa <phi'>: 1.33711 at rho = 2; and exactly the equation of a finite network."""
    n, rho = 300, 2.0
    rng = np.random.default_rng(3)
    found = []
    for _ in range(8):
        m = rng.normal(size=n)
        v = rho * m + rng.normal(size=n)
        net = nd.rate_network(nd.weights.LowRank(m[:, None], v[:, None] / n), tau=1.0)
        points = fixed_points(net, starts=np.outer([0.1, 1.0, -1.0], m), follow=0)
        assert points.counts == {"stable": 2, "saddle": 1}
        kappa = brentq(lambda k, m, v: v @ np.tanh(m * k) / n - k, 0.3, 4, (m, v), xtol=1e-14)
        expected = np.outer([-kappa, kappa, 0], m)
        assert_allclose(points.x[np.argsort(points.x @ m)], expected[[0, 2, 1]], atol=1e-9)
        # all eigenvalues are -1 but for one, -1 + n' diag(phi') m / N
        for x, values in zip(points.x, points.eigenvalues, strict=True):
            own = -1 + v @ ((1 - np.tanh(x) ** 2) * m) / n
            assert_allclose(values[0], own, atol=1e-9)
            assert_allclose(values[1:], -1, atol=1e-6)
        found.append(kappa)
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert abs(np.mean(found) - 1.33711) < 5 * error < 0.2


def test_more_is_found_than_newtons_method_alone_finds():
    """A network with three patterns and noise in its weights: all 11, whose indices sum to 1."""
    r = np.random.default_rng(0)
    W = 0.8 * r.standard_normal((200, 200)) / np.sqrt(200)
    for _ in range(3):
        u = np.sign(r.standard_normal(200))
        W += 1.6 * np.outer(u, u) / 200
    b = 0.05 * r.standard_normal(200)
    net = nd.rate_network(W, tau=1.0, form="activity")
    starts = np.tanh(r.standard_normal((150, 200)))
    found = fixed_points(net, inputs={"E.I_ext": b}, starts=starts, follow=150)
    assert np.bincount(found.n_unstable).tolist() == [4, 4, 2, 1]
    # the degree of x -> x - tanh(W x + b), which maps a ball into itself
    assert np.sum((-1) ** found.n_unstable) == 1
    assert_allclose(np.tanh(found.x @ W.T + b), found.x, atol=1e-13)


def test_points_of_a_map():
    """Logistic: 0 and 1 - 1/r with factors r and 2 - r."""
    found = fixed_points(nd.Map(lambda x, r: r * x * (1 - x), 1, parameters={"r": 2.5}), rng=0)
    assert_allclose(found.x[:, 0], [0.6, 0], atol=1e-12)
    assert found.kind == ("stable", "source")
    assert_allclose(found.eigenvalues[:, 0], [-0.5, 2.5])
    henon = nd.Map(lambda x: np.stack([1 - 1.4 * x[..., 0] ** 2 + x[..., 1], 0.3 * x[..., 0]], -1), 2)
    found = fixed_points(henon, rng=0)
    roots = np.roots([1.4, 0.7, -1])
    assert_allclose(np.sort(found.x[:, 0]), np.sort(roots), rtol=1e-12)
    assert found.counts == {"saddle": 2}


def test_stability_of_eulers_method():
    """A decay of 1/tau is unstable if steps are longer than 2 tau."""
    net = nd.rate_network(np.zeros((2, 2)), tau=1.0)
    for dt, kind in ((0.1, "stable"), (1.9, "stable"), (2.1, "source")):
        found = fixed_points(net, solver=nd.Euler(dt=dt), rng=0)
        assert found.is_map and found.dt == dt and found.kind == (kind,)
        assert_allclose(found.eigenvalues[0], 1 - dt)
    with pytest.raises(TypeError, match=r"`solver` must be nd.Euler\(dt=...\)"):
        fixed_points(net, solver=nd.RK4(dt=0.1))


# -- kinds -----------------------------------------------------------------------------------------


def test_centres_and_neutral_points():
    pendulum = one(lambda x, v: (v, -np.sin(x)), 2)
    found = fixed_points(pendulum, starts=[[0.3, 0.1], [3.0, 0.0]], follow=0)
    assert found.kind == ("centre", "saddle")
    assert_allclose(found.eigenvalues[0], [1j, -1j], atol=1e-12)
    assert_allclose(np.abs(found.x[:, 0]), [0, np.pi], atol=1e-12)
    assert fixed_points(one(lambda x: (-(x**3),)), rng=0).kind == ("neutral",)
    assert fixed_points(one(lambda x: (x**2,)), rng=0).kind == ("neutral",)


def test_modes_are_biorthogonal_eigenvectors():
    W = np.random.default_rng(1).normal(size=(6, 6)) / 2
    found = fixed_points(nd.rate_network(W, tau=0.1), rng=0)
    for k in range(len(found)):
        modes, J = found.modes(k), found.jacobian[k]
        assert_allclose(J @ modes.right, modes.right * modes.eigenvalues, atol=1e-10)
        assert_allclose(modes.left @ J, modes.eigenvalues[:, None] * modes.left, atol=1e-9)
        assert_allclose(modes.left @ modes.right, np.eye(6), atol=1e-10)
        assert_allclose(modes.eigenvalues, found.eigenvalues[k], atol=1e-9)
        assert (np.diff(modes.eigenvalues.real) < 1e-9).all()


# -- none, slow ones, lines ------------------------------------------------------------------------


def test_a_ghost_is_a_slow_point_and_no_fixed_point():
    """`x' = 0.01 + x**2`: q = 5e-5 at 0."""
    ghost = one(lambda x: (0.01 + x**2,))
    found = slow_points(ghost, rng=0)
    assert (found.verdict, found.kind) == ("only slow points", ("slow",))
    assert_allclose(found.x, 0, atol=1e-6)
    assert_allclose(found.q, 5e-5, rtol=1e-9)
    found = fixed_points(ghost, rng=0)
    assert (found.verdict, found.kind) == ("only slow points", ("slow",))
    assert found.failures == {"minimum of q": len(found.starts)}
    assert len(slow_points(ghost, q_max=1e-5, rng=0)) == 0


def test_a_ghost_below_the_tolerance_is_not_taken_for_a_fixed_point():
    found = fixed_points(one(lambda x, y: (1e-8 + x**2, -y), 2), rng=0)
    assert found.verdict == "only slow points"
    assert_allclose(found.q, 5e-17, rtol=1e-6)
    assert "not a fixed point" in found.failures


def test_a_minimum_of_q_where_second_derivatives_decide():
    """`(x - y**2, y - x/2 + 2)`: its lowest speed against SciPy's, from many places."""
    from scipy.optimize import minimize

    def f(x, y):
        return x - y**2 - 1, y - 2 * x + 3.5

    found = slow_points(one(f, 2), rng=0, spread=3, q_max=1.0)
    best = [minimize(lambda z: 0.5 * np.sum(np.square(f(*z))), s, tol=1e-12)
            for s in np.random.default_rng(0).normal(0, 3, (30, 2))]  # fmt: skip
    values = np.array([b.fun for b in best])
    expected = np.unique(values[values < 1].round(7))
    assert_allclose(np.unique(found.q.round(7)), expected, atol=2e-7)


def test_no_fixed_point_at_all():
    found = fixed_points(one(lambda x: (1 + x**2,)), rng=0, n_starts=20)
    assert found.verdict == "no fixed point found" and len(found) == 0
    assert found.failures == {"minimum of q": len(found.starts)}
    away = fixed_points(one(lambda x: (np.exp(x),)), rng=0, n_starts=20)
    assert away.verdict == "no fixed point found"  # q falls for ever, towards -infinity
    assert "no fixed point found" in repr(away)


def test_a_line_of_fixed_points():
    """Weights with an eigenvalue 1 of a linear unit: every point along it is fixed."""
    n, v = 10, np.ones(10) / np.sqrt(10)
    line = nd.Flow(lambda x: -x + (x @ v)[..., None] * v, n)
    found = fixed_points(line, rng=0, n_starts=50)
    assert found.verdict == "a continuum of fixed points" and found.continuum_dimension == 1
    assert set(found.kind) == {"neutral"}
    assert (found.singularity < 1e-12).all()
    assert_allclose(found.x, np.outer(found.x @ v, v), atol=1e-10)
    circle = one(lambda x, y: (x * (1 - x**2 - y**2), y * (1 - x**2 - y**2)), 2)
    found = fixed_points(circle, rng=0, n_starts=30)
    assert found.verdict == "a continuum of fixed points"
    assert found.counts["source"] == 1
    assert_allclose(np.linalg.norm(found.select("neutral").x, axis=1), 1, atol=1e-12)


def test_a_degenerate_point_is_no_line():
    for flow in (one(lambda x: (-(x**3),)), one(lambda x, y: (x**2, -y), 2)):
        found = fixed_points(flow, rng=0)
        assert found.verdict == "fixed points" and len(found) == 1
        assert_allclose(found.x, 0, atol=1e-6)


# -- starts, free states, outliers -----------------------------------------------------------------


def test_starts_from_a_trajectory():
    net = nd.rate_network([[0.0, 2.0], [2.0, 0.0]], tau=0.01, x=[0.3, -0.1])
    ds = nd.simulate(net, nd.Euler(dt=1 * nd.ms), 0.1, trials=2, record=["E.x"], rng=0)
    found = fixed_points(net, starts=ds, n_starts=30, rng=1, follow=0)
    states = ds["E.x"].values.reshape(-1, 2)
    assert len(found.starts) == 30
    assert all((states == s).all(axis=1).any() for s in found.starts)
    again = fixed_points(net, starts=ds, n_starts=30, rng=1, follow=0)
    assert (again.starts == found.starts).all()
    with pytest.raises(ValueError, match=r"`starts` has no recording of the state `E.x`"):
        fixed_points(net, starts=ds.drop_vars("E.x"))


def test_only_free_states_move():
    """The first of two coupled units held at 1: `x = 2 tanh(1) + h` for the second."""
    net = nd.rate_network([[0.0, 2.0], [2.0, 0.0]], tau=1.0)
    for free in (["E.x[1]"], 1, [-1]):
        found = fixed_points(net, starts=[[1.0, 0.0], [1.0, -2.0]], free=free)
        assert_allclose(found.x, [[1.0, 2 * np.tanh(1.0)]], rtol=1e-12)
        assert found.eigenvalues.shape == (1, 1) and found.eigenvalues[0, 0] == -1
    with pytest.raises(ValueError, match=r"no state `E.y`; did you mean `E.x`"):
        fixed_points(net, free=["E.y"])
    with pytest.raises(ValueError, match=r"`E.x\[0\]` goes from 0 to 1"):
        fixed_points(net, starts=[[0.0, 0.0], [1.0, 0.0]], free=[1])


def test_points_far_from_all_starts_are_outliers():
    flow = one(lambda x: (-x * (x - 1e3),))
    starts = np.append(np.linspace(-1, 1, 30), 900.0)[:, None]
    kept = fixed_points(flow, starts=starts, outlier=np.inf, follow=0)
    assert_allclose(np.sort(kept.x[:, 0]), [0, 1e3], atol=1e-9)
    dropped = fixed_points(flow, starts=starts, outlier=10, follow=0)
    assert_allclose(dropped.x[:, 0], [0], atol=1e-9)
    assert dropped.failures == {"outlier": int((kept.x[kept.start_point, 0] > 500).sum())}


def test_answers_do_not_depend_on_blocks(monkeypatch):
    flow = tanh_units(3)
    whole = fixed_points(flow, rng=0)
    monkeypatch.setattr(_newton, "_BLOCK_BYTES", 8 * 9 * 7)
    parts = fixed_points(flow, rng=0)
    assert (whole.start_point == parts.start_point).all()
    assert_allclose(whole.x, parts.x, atol=1e-14)


def test_select_and_named():
    found = fixed_points(nd.rate_network([[0.0, 2.0], [2.0, 0.0]], tau=1.0), rng=0)
    saddle = found.select("saddle")
    assert len(saddle) == 1 and saddle.n_starts[0] == (saddle.start_point == 0).sum()
    assert set(saddle.start_point) == {-1, 0}
    assert_allclose(found.named(0)["E.x"], found.x[0])
    with pytest.raises(ValueError, match=r"`kinds` must be of stable, .*got 'sadle'"):
        found.select("sadle")


# -- what is refused -------------------------------------------------------------------------------


def test_bad_starts():
    flow = tanh_units(3)
    with pytest.raises(ValueError, match=r"`starts` must have 3 states .*shape \(5, 2\)"):
        fixed_points(flow, starts=np.zeros((5, 2)))
    with pytest.raises(ValueError, match="`starts` must be finite"):
        fixed_points(flow, starts=[[0.0, np.nan, 0.0]])
    with pytest.raises(ValueError, match="`n_starts` must be an integer of at least 1; got 0"):
        fixed_points(flow, n_starts=0)
    with pytest.raises(ValueError, match="`n_starts` is for starts that are drawn"):
        fixed_points(flow, starts=np.zeros((2, 3)), n_starts=5)
    with pytest.raises(ValueError, match="`spread` must be a positive number"):
        fixed_points(flow, spread=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"`spread`: no state `x9`"):
        fixed_points(flow, spread={"x9": 1.0})
    with pytest.raises(ValueError, match="`merge` must be positive"):
        fixed_points(flow, merge=0.0)


def test_systems_that_have_no_fixed_points_to_find():
    spiking = nd.lif_network(8, 2, p=0.5, rng=0)
    with pytest.raises(ValueError, match="`E`, `I` spike.*siegert_rate"):
        fixed_points(spiking)
    driven = nd.Network({"A": nd.Population(1, "dx/dt = (-x + sin(t/tau))/tau : 1", tau=1.0)})
    with pytest.raises(ValueError, match="contain the time `t`"):
        fixed_points(driven)
    with pytest.raises(TypeError, match="must be a Network, a Flow"):
        fixed_points(np.eye(2))


def test_noise_is_left_out_with_a_warning():
    with pytest.warns(UserWarning, match=r"noise \(`E.xi`\) is left out"):
        found = fixed_points(nd.rate_network([[0.5]], tau=1.0, sigma=0.1), rng=0)
    assert_allclose(found.x, [[0.0]], atol=1e-12)


# -- parts -----------------------------------------------------------------------------------------


def test_merging_keeps_the_lowest():
    x = np.array([[0.0], [0.9], [1.8], [5.0]])
    group = _roots.merged(x, np.array([2.0, 1.0, 3.0, 4.0]), np.ones(1), 1.0)
    assert group.tolist() == [0, 0, 0, 1]
    assert _roots.merged(x, np.array([1.0, 2.0, 3.0, 4.0]), np.ones(1), 1.0).tolist() == [0, 0, 1, 2]


def test_scale_does_not_matter_to_newtons_method():
    """The same system in other units takes the same steps."""
    unit = np.array([1e-3, 1e4])

    def f(z):
        return np.stack([z[..., 1] - z[..., 0] ** 3, 1 - z[..., 0] - z[..., 1]], axis=-1)

    z = np.random.default_rng(0).normal(size=(40, 2))
    found = fixed_points(nd.Flow(f, 2), starts=z, follow=0)
    other = fixed_points(nd.Flow(lambda x: f(x / unit), 2), starts=z * unit, follow=0)
    assert_allclose(found.x * unit, other.x, rtol=1e-9)
    assert len(found) == 1
