"""Fields, nullclines and paths in a plane, against formulas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm

import neurodyn as nd
from neurodyn import analyses


def fitzhugh_nagumo(s, I, eps=0.08):
    v, w = s[..., 0], s[..., 1]
    return np.stack([v - v**3 / 3 - w + I, eps * (v + 0.7 - 0.8 * w)], axis=-1)


FHN = nd.Flow(fitzhugh_nagumo, 2, parameters={"I": 0.5}, state_names=["v", "w"])
V, W = ("v", -2.5, 2.5), ("w", -1, 2)


def with_fast_cube(s):
    """The same with v - v**3/3 as a third, fast state."""
    v, w, c = s[..., 0], s[..., 1], s[..., 2]
    return np.stack([c - w + 0.5, 0.08 * (v + 0.7 - 0.8 * w), 50 * (v - v**3 / 3 - c)], axis=-1)


def pair(**values):
    """Two units, dx_k/dt = (-x_k + c y + I)/tau, and the same with the other."""
    unit = nd.Population(1, "dx/dt = (-x + y + I)/tau : 1", tau=0.1, **values)
    W = [[0.5]]
    return nd.Network({"A": unit, "B": unit}, [nd.Coupling("A.x", "B.y", W),
                                               nd.Coupling("B.x", "A.y", W)])  # fmt: skip


def test_field_is_the_field():
    found = analyses.flow_field(FHN, (*V, 7), (*W, 5))
    v, w = np.meshgrid(np.linspace(-2.5, 2.5, 7), np.linspace(-1, 2, 5))
    assert found.names == ("v", "w") and found.dx.shape == (5, 7)
    assert_allclose(found.dx, v - v**3 / 3 - w + 0.5, atol=1e-15)
    assert_allclose(found.dy, 0.08 * (v + 0.7 - 0.8 * w), atol=1e-15)
    assert_allclose(found.speed, np.hypot(found.dx / 5, found.dy / 3))


def test_field_of_a_network():
    found = analyses.flow_field(pair(), ("A.x", -1, 1, 3), ("B.x", -1, 1, 3), inputs={"A.I": 0.3})
    a, b = np.meshgrid([-1, 0, 1], [-1, 0, 1])
    assert_allclose(found.dx, (-a + 0.5 * b + 0.3) / 0.1, atol=1e-13)
    assert_allclose(found.dy, (-b + 0.5 * a) / 0.1, atol=1e-13)


@pytest.mark.parametrize("flow, options", [
    (FHN, {}),
    (nd.Flow(with_fast_cube, 3, state_names=["v", "w", "c"]), {"quasi_steady": True}),
])
def test_nullclines_are_the_formulas(flow, options):
    """A cubic and a line, to rounding; one fixed point, an unstable focus."""
    found = analyses.nullclines(flow, V, W, **options)
    (cubic,), (line,) = found.x_lines, found.y_lines
    assert_allclose(cubic[:, 1], cubic[:, 0] - cubic[:, 0] ** 3 / 3 + 0.5, atol=1e-13)
    assert_allclose(line[:, 0] + 0.7 - 0.8 * line[:, 1], 0, atol=1e-13)
    assert found.residual < 1e-13 and found.n_dropped == 0
    # they reach the border of the plane: the cubic its top and bottom, the line all heights
    assert_allclose(np.sort(cubic[[0, -1], 1]), [-1, 2])
    assert_allclose(np.sort(line[[0, -1], 1]), [-1, 2])
    roots = np.roots([-1 / 3, 0, 1 - 1.25, 0.5 - 0.7 / 0.8])
    (v,) = roots[np.isreal(roots)].real
    assert_allclose(found.fixed_points, [[v, (v + 0.7) / 0.8]], atol=1e-12)
    J = [[1 - v**2, -1], [0.08, -0.064]]
    assert_allclose(np.sort_complex(found.eigenvalues[0]), np.sort_complex(np.linalg.eigvals(J)))
    assert found.kinds == ("unstable focus",)


def test_quasi_steady_field_is_that_of_the_reduced_system():
    flow = nd.Flow(with_fast_cube, 3, state_names=["v", "w", "c"])
    found = analyses.flow_field(flow, V, W, quasi_steady=["c"])
    assert_allclose(found.dx, analyses.flow_field(FHN, V, W).dx, atol=1e-13)
    assert found.n_unsettled == found.n_unstable == 0 and found.residual < 1e-12
    held = analyses.flow_field(flow, V, (*W, 4), others={"c": 2.0})
    assert_allclose(held.dx[:, 0], 2.0 - np.linspace(-1, 2, 4) + 0.5)


def test_quasi_steady_states_that_repel_are_counted():
    flow = nd.Flow(lambda s: np.stack([s[..., 2], -s[..., 1], s[..., 2] - s[..., 0]], axis=-1), 3)
    found = analyses.flow_field(flow, (0, -1, 1, 4), (1, -1, 1, 3), quasi_steady=True)
    assert found.n_unstable == 12
    assert_allclose(found.dx[0], np.linspace(-1, 1, 4), atol=1e-14)


def test_nullclines_that_cross_and_lie_on_the_border():
    """Of a(1 - b), b(a - 1): both axes, and the lines a = 1 and b = 1."""
    flow = nd.Flow(lambda s: np.stack([s[..., 0] * (1 - s[..., 1]), s[..., 1] * (s[..., 0] - 1)],
                                      axis=-1), 2)  # fmt: skip
    for low in (-0.5, 0.0):
        found = analyses.nullclines(flow, (0, low, 2), (1, low, 2))
        assert_allclose(found.fixed_points, [[0, 0], [1, 1]], atol=1e-12)
        assert found.kinds == ("saddle", "centre")
        points = np.concatenate(found.x_lines)
        on_axis, on_line = np.abs(points[:, 0]) < 1e-12, np.abs(points[:, 1] - 1) < 1e-12
        assert np.all(on_axis | on_line)
        assert np.sum(on_axis) > 150 and np.sum(on_line) > 150


def test_jumps_are_no_nullclines():
    flow = nd.Flow(lambda s: np.stack([np.sign(s[..., 0] - 0.3) + 0.1, s[..., 1]], axis=-1), 2)
    found = analyses.nullclines(flow, (0, -1, 1), (1, -1, 1))
    assert not found.x_lines and found.n_dropped >= 200
    assert len(found.y_lines) == 1


@pytest.mark.parametrize("J, kind", [
    ([[-1, 0], [0, -2]], "stable node"), ([[1, 0], [0, 2]], "unstable node"),
    ([[1, 0], [0, -2]], "saddle"), ([[-1, 2], [-2, -1]], "stable focus"),
    ([[1, 2], [-2, 1]], "unstable focus"), ([[0, 1], [-1, 0]], "centre"),
])
def test_kinds(J, kind):
    found = analyses.nullclines(nd.Flow(lambda x: x @ np.transpose(J), 2), (0, -1, 1), (1, -1, 1.1))
    assert found.kinds == (kind,)


def test_trajectories_of_a_linear_flow():
    J = np.array([[-1.0, 2.0], [-2.0, -1.0]])
    starts = [[1.0, 0.0], [0.0, -2.0]]
    found = analyses.trajectories_from(nd.Flow(lambda x: x @ J.T, 2), starts, 2.0, n_times=5)
    for path, start in zip(found.states, starts):
        assert_allclose(path, [expm(J * t) @ start for t in found.time], atol=1e-8)


def test_trajectories_of_a_network():
    J = (np.array([[0, 0.5], [0.5, 0]]) - np.eye(2)) / 0.1
    found = analyses.trajectories_from(pair(), {"A.x": 1.0, "B.x": -0.2}, 100*nd.ms, n_times=3)
    assert_allclose(found.states[0], [expm(J * t) @ [1, -0.2] for t in (0, 0.05, 0.1)], atol=1e-7)
    assert_allclose(found.of("B.x")[0, 0], -0.2)


@pytest.mark.parametrize("system", [
    nd.Flow(lambda x: x**3 - x, 1, state_names=["E.x"]),
    nd.Network({"E": nd.Population(1, "dx/dt = (x**3 - x)/tau : 1", tau=1.0)}),
])
def test_paths_that_diverge_do_not_touch_the_others(system):
    """x' = x^3 - x has x(t) = 1/sqrt(1 + c exp(2t)), c = 1/x0^2 - 1, which ends at c exp(2t) = -1."""
    found = analyses.trajectories_from(system, [[0.5], [2.0], [-0.9]], 3.0, n_times=7)
    assert found.diverged.tolist() == [False, True, False]
    t = found.time
    for k, x0 in ((0, 0.5), (2, -0.9)):
        exact = np.sign(x0) / np.sqrt(1 + (1 / x0**2 - 1) * np.exp(2 * t))
        assert_allclose(found.states[k, :, 0], exact, rtol=1e-6)
    end = 0.5 * np.log(4 / 3)
    assert np.array_equal(np.isnan(found.states[1, :, 0]), t > end)


def test_a_map_is_iterated():
    found = analyses.trajectories_from(nd.Map(lambda x: 2 * x, 1), [[1.0], [-3.0]], 3)
    assert_allclose(found.states[..., 0], [[1, 2, 4, 8], [-3, -6, -12, -24]])


@pytest.mark.parametrize("x, y, options, error, message", [
    (("q", 0, 1), W, {}, ValueError, "`x`: no state `q`.* There are `v`, `w`"),
    (("v", 1, 0), W, {}, ValueError, "`x` must run from a lower to a higher value; got 1 to 0"),
    (V, ("v", 0, 1), {}, ValueError, "`x` and `y` are the same state, `v`"),
    (V, "w", {}, ValueError, r"`y` must be \(state, low, high\) or .*; got 'w'"),
    (V, (*W, 1), {}, ValueError, r"`y\[3\]` must be an integer of at least 2; got 1"),
    (V, W, {"others": {"w": 1}}, ValueError, "`others` holds `w`, which is one of the two"),
    (V, W, {"inputs": {"I": 1}}, ValueError, "`inputs` belong to a Network"),
])
def test_refuses(x, y, options, error, message):
    for function in (analyses.flow_field, analyses.nullclines):
        with pytest.raises(error, match=message):
            function(FHN, x, y, **options)


def test_refuses_what_has_no_plane():
    three = nd.Flow(with_fast_cube, 3, state_names=["v", "w", "c"])
    with pytest.raises(ValueError, match="1 states beside the two, such as `c`: hold them"):
        analyses.flow_field(three, V, W)
    with pytest.raises(TypeError, match=r"is a Map.*make a flow of it, nd.Flow\(lambda x: f"):
        analyses.flow_field(nd.Map(lambda x: x, 2), (0, 0, 1), (1, 0, 1))
    with pytest.raises(ValueError, match="one state and so no plane"):
        analyses.flow_field(nd.Flow(lambda x: -x, 1), (0, 0, 1), (0, 0, 1))
    never = nd.Flow(lambda x: np.nan * x, 2)
    with pytest.raises(ValueError, match="finite nowhere on the grid"):
        analyses.nullclines(never, (0, 0, 1), (1, 0, 1))
    net = nd.rate_network(np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"`x`: `E.x` are 3 states, name one: `E.x\[0\]`"):
        analyses.flow_field(net, ("E.x", 0, 1), ("E.x[1]", 0, 1), others={"E.x": 0})
    with pytest.raises(ValueError, match="`starts` must have 2 states"):
        analyses.trajectories_from(FHN, [1.0], 1.0)
    with pytest.raises(ValueError, match="`duration` must be a positive time; got -1"):
        analyses.trajectories_from(FHN, [1.0, 0.0], -1)
    with pytest.raises(ValueError, match="no state `x`"):
        analyses.trajectories_from(FHN, [1.0, 0.0], 1.0).of("x")
