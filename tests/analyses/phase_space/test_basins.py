"""Attractors and their shares, against systems whose basins are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit

import neurodyn as nd
from neurodyn.analyses import basins, flow_field


def radial(s):
    """r' = r (-0.1 + r^2 - r^4): rest and a cycle, parted at r^2 = (1 - sqrt(0.6))/2."""
    x, y = s[..., 0], s[..., 1]
    r2 = x**2 + y**2
    growth = -0.1 + r2 - r2**2
    return np.stack([growth * x - y, growth * y + x], axis=-1)


def lorenz(s, rho):
    x, y, z = s[..., 0], s[..., 1], s[..., 2]
    return np.stack([10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z], axis=-1)


WINGS = {"x0": (-10, 10), "x1": (-10, 10), "x2": (10, 40)}


def test_bistable_unit():
    """x' = x - x^3 from [-2, 1]: two thirds go to -1."""
    found = basins(nd.Flow(lambda x: x - x**3, 1), (-2, 1), 400, duration=40, rng=0)
    a, b = found.attractors
    assert a.kind == b.kind == "fixed point"
    assert_allclose([a.state[0], b.state[0]], [-1, 1], rtol=1e-9)
    assert_allclose(a.standard_error, np.sqrt(a.fraction * (1 - a.fraction) / 400))
    assert abs(a.fraction - 2 / 3) < 4.5 * a.standard_error
    assert a.count + b.count == 400 and not found.n_unsettled and not found.n_diverged
    # every start on its side
    assert np.array_equal(found.labels, (found.starts[:, 0] > 0).astype(int))


def test_a_start_on_an_unstable_point_has_not_settled():
    found = basins(nd.Flow(lambda x: x - x**3, 1), starts=[[-0.5], [0.0], [0.2]], duration=40)
    assert found.labels[1] == -1 and found.n_unsettled == 1
    assert sorted(found.labels[[0, 2]]) == [0, 1]


def test_runs_that_diverge_are_counted():
    """x' = x^3 - x: to 0 from |x| < 1, to infinity from beyond."""
    starts = np.array([[-1.5], [-0.9], [0.3], [0.99], [1.01], [3.0]])
    found = basins(nd.Flow(lambda x: x**3 - x, 1), starts=starts, duration=40)
    assert found.labels.tolist() == [-2, 0, 0, 0, -2, -2]
    assert found.n_diverged == 3 and found.attractors[0].fraction == 0.5
    assert abs(found.attractors[0].state[0]) < 1e-9


def test_rest_and_a_cycle():
    found = basins(nd.Flow(radial, 2), (-1, 1), 300, duration=200, rng=1)
    cycle, rest = found.attractors
    assert (cycle.kind, rest.kind) == ("cycle", "fixed point")
    assert_allclose(cycle.period, 2 * np.pi, rtol=0.01)
    assert_allclose(np.hypot(*cycle.orbit.T), np.sqrt((1 + np.sqrt(0.6)) / 2), rtol=1e-4)
    assert_allclose(rest.state, 0, atol=1e-9)
    inside = np.sum(found.starts**2, axis=1) < (1 - np.sqrt(0.6)) / 2
    assert np.array_equal(found.labels == 1, inside)


def test_cycles_of_different_places_are_told_apart():
    """(x^2 - 4) x drives to x = -2 or 2, about which the other two states turn by x/2."""
    def function(s):
        x = s[..., 0]
        turn = radial(s[..., 1:])
        return np.concatenate([(x * (4 - x**2))[..., None], turn], axis=-1)

    starts = [[1.0, 1.0, 0.0], [-1.0, 0.9, 0.3], [0.5, 0.0, 1.0], [-3.0, 0.0, 0.8]]
    found = basins(nd.Flow(function, 3), starts=starts, duration=200)
    assert [a.kind for a in found.attractors] == ["cycle", "cycle"]
    assert found.labels[0] == found.labels[2] != found.labels[1] == found.labels[3]


def test_chaos_and_what_has_not_settled():
    """Lorenz: irregular at rho = 28; at rho = 20 two fixed points, to which runs wind slowly."""
    found = basins(nd.Flow(lorenz, 3, parameters={"rho": 28.0}), WINGS, 30, duration=60, rng=0)
    assert [a.kind for a in found.attractors] == ["irregular"]
    assert found.attractors[0].count == 30
    x = np.sqrt(8 / 3 * 19)
    slow = basins(nd.Flow(lorenz, 3, parameters={"rho": 20.0}), WINGS, 30, duration=100, rng=0)
    assert {a.kind for a in slow.attractors} == {"fixed point"}
    for a in slow.attractors:
        assert_allclose(np.abs(a.state), [x, x, 19], rtol=1e-9)
    assert slow.n_unsettled + sum(a.count for a in slow.attractors) == 30


@pytest.mark.parametrize("r, kind, period", [
    (2.8, "fixed point", np.nan), (3.2, "cycle", 2), (3.5, "cycle", 4), (4.0, "irregular", np.nan),
])
def test_logistic_map(r, kind, period):
    found = basins(nd.Map(lambda x: r * x * (1 - x), 1), (0.01, 0.99), 40, duration=2000, rng=0)
    (a,) = found.attractors
    assert a.kind == kind and a.count == 40
    assert_allclose(a.period, period)
    if kind == "fixed point":
        assert_allclose(a.state, 1 - 1 / r)


def test_the_plane_of_a_network():
    """Two units that inhibit each other: who starts ahead wins."""
    net = nd.rate_network([[1.5, -2.0], [-2.0, 1.5]])
    grid = flow_field(net, ("E.x[0]", -3, 3, 8), ("E.x[1]", -3.1, 3.1, 9)).states
    found = basins(net, starts=grid, duration=10*nd.second)
    assert found.labels.shape == (9, 8) and len(found.attractors) == 2
    wins = grid[..., 0] > grid[..., 1]
    assert len(set(found.labels[wins])) == len(set(found.labels[~wins])) == 1
    for a in found.attractors:
        assert_allclose(a.state, 3.5 * np.tanh(a.state[0]) * np.array([1, -1]), rtol=1e-9)


def test_inputs_and_held_states():
    net = nd.Network({"E": nd.Population(2, "dx/dt = (1/(1 + exp(-I)) - x)/tau : 1", tau=0.1)})
    found = basins(net, {"E.x[0]": (0, 1), "E.x[1]": 0.5}, 10, duration=5, inputs={"E.I": [0, 2]})
    assert np.all(found.starts[:, 1] == 0.5) and np.ptp(found.starts[:, 0]) > 0.3
    assert_allclose(found.attractors[0].state, expit([0, 2]), rtol=1e-9)


def test_the_same_starts_from_the_same_seed():
    flow = nd.Flow(lambda x: x - x**3, 1)
    a, b = (basins(flow, (-1, 1), 5, duration=30, rng=3).starts for _ in range(2))
    assert np.array_equal(a, b)


@pytest.mark.parametrize("options, message", [
    ({"duration": 5}, "give either `box`, .* or `starts`"),
    ({"duration": 5, "box": (0, 1), "starts": [[1.0]]}, "give either `box`, .* or `starts`"),
    ({"duration": 5, "box": (1, 0)}, "the range of `0` must run from low to high"),
    ({"duration": 5, "box": {"x": (0, 1)}}, "`box`: no state `x`; did you mean `x0`"),
    ({"duration": 5, "box": (0, np.nan)}, "`box` must give a range"),
    ({"duration": 0, "box": (0, 1)}, "`duration` must be a positive time; got 0"),
    ({"duration": 5, "box": (0, 1), "window": 1}, "`window` must be between 0 and 1; got 1"),
    ({"duration": 5, "box": (0, 1), "tolerance": 0}, "`tolerance` must be between 0 and 1; got 0"),
    ({"duration": 5, "box": (0, 1), "n": 0}, "`n` must be an integer of at least 1"),
])
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        basins(nd.Flow(lambda x: -x, 1), **options)


def test_refuses_spikes():
    lif = nd.Population(1, "dv/dt = (2 - v)/tau : 1", threshold="v > 1", reset="v = 0", tau=0.01)
    with pytest.raises(TypeError, match="`system` spikes"):
        basins(nd.Network({"E": lif}), (0, 1), duration=1)
