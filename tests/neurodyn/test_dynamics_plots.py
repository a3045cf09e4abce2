"""Phase planes and bifurcation diagrams: what is drawn is what was found."""

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
    paths = analyses.trajectories(SADDLE, [[0.1, 1.0], [-0.1, 1.0]], 1.0)
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
