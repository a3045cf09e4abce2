"""Phase planes, bifurcation diagrams, cycles, basins: what is drawn is what was found."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn import analyses, plot

SADDLE = nd.Flow(lambda s: np.stack([s[..., 0], -s[..., 1]], axis=-1), 2, state_names=["a", "b"])
PLANE = (("a", -1, 1.1), ("b", -2, 2.1))


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("stream", [True, False])
def test_phase_plane(stream):
    paths = analyses.trajectories_from(SADDLE, [[0.1, 1.0], [-0.1, 1.0]], 1.0)
    lines = analyses.nullclines(SADDLE, *PLANE)
    ax = plot.phase_plane(analyses.flow_field(SADDLE, *PLANE), lines, paths, stream=stream)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["da/dt = 0", "db/dt = 0", "saddle"]
    drawn = [line.get_xydata() for line in ax.get_lines()]
    assert any(np.array_equal(d, lines.x_lines[0]) for d in drawn)
    assert any(np.array_equal(d, paths.states[1]) for d in drawn)
    assert_allclose([*ax.get_xlim(), *ax.get_ylim()], [-1, 1.1, -2, 2.1])


def bistable():
    unit = nd.Flow(lambda x, h: -x + 2*np.tanh(x) + h, 1, parameters={"h": 0.0}, state_names=["x"])
    return analyses.continue_equilibria(unit, "h", [-1.9], (-1, 1))


def test_bifurcation_diagram():
    """Solid, dashed and solid, without gaps; the pieces meet in the folds."""
    branch = bistable()
    ax = plot.bifurcation_diagram(branch, "x")
    pieces = [line for line in ax.get_lines() if line.get_linestyle() != "None"]
    assert [line.get_linestyle() for line in pieces] == ["-", "--", "-"]
    ends = np.array([line.get_xydata()[[0, -1]] for line in pieces])
    folds = [[b.value, b.state[0]] for b in branch.bifurcations]
    assert_allclose(ends[:-1, 1], folds)
    assert_allclose(ends[1:, 0], folds)
    (marks,) = [line for line in ax.get_lines() if line.get_label() == "fold"]
    assert_allclose(marks.get_xydata(), folds)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("h", "x")


def test_refuses():
    branch = bistable()
    with pytest.raises(ValueError, match="`state`: no state `y`.* There are `x`"):
        plot.bifurcation_diagram(branch, "y")
    with pytest.raises(ValueError, match="`state` must be below 1; got 3"):
        plot.bifurcation_diagram(branch, 3)
    with pytest.raises(ValueError, match="`branches` is empty"):
        plot.bifurcation_diagram([])


def spiral(s):
    """Stuart-Landau: a cycle of radius 1 and period 2 pi."""
    x, y = s[..., 0], s[..., 1]
    r2 = x**2 + y**2
    return np.stack([x * (1 - r2) - y, y * (1 - r2) + x], axis=-1)


def test_limit_cycle():
    cycle = analyses.limit_cycle(nd.Flow(spiral, 2), [1.0, 0.1], period=6.0)
    left, right = plot.limit_cycle(cycle)
    assert_allclose(left.get_lines()[0].get_xydata(), cycle.states)
    assert_allclose(left.get_lines()[1].get_xydata(), [[1, 0]], atol=1e-9)
    assert left.get_title() == "period 6.2832"
    lines = {line.get_label(): line.get_xydata() for line in right.get_lines()}
    angle = 2 * np.pi * cycle.phase
    assert_allclose(lines["kick of x0"][:, 1], -np.sin(angle), atol=1e-6)
    assert_allclose(lines["kick of x1"][:, 1], np.cos(angle), atol=1e-6)
    branch = bistable()  # cycles are drawn at their extremes
    ax = plot.bifurcation_diagram(branch, cycles=[(0.5, cycle)])
    assert_allclose(ax.get_lines()[-1].get_xydata(), [[0.5, -1], [0.5, 1]], atol=1e-4)


def test_basins():
    system = nd.Flow(lambda s: s - s**3, 2)
    grid = np.stack(np.meshgrid([-1.5, -0.5, 0.5], [-1.0, 2.0]), axis=-1)
    on_grid = analyses.basins(system, starts=grid, duration=40)
    ax = plot.basins(on_grid)
    (mesh,) = ax.collections
    assert np.array_equal(np.asarray(mesh.get_array()).reshape(2, 3), on_grid.labels)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(texts) == ["fixed point, 16.7 %"] * 2 + ["fixed point, 33.3 %"] * 2
    scattered = analyses.basins(system, starts=[[0.0, 0.5], [0.3, 0.4]], duration=40)
    ax = plot.basins(scattered, ("x1", "x0"))
    assert_allclose(ax.collections[0].get_offsets(), [[0.5, 0.0], [0.4, 0.3]])
    assert "not settled, 50 %" in [text.get_text() for text in ax.get_legend().get_texts()]
