"""Fixed points and spectra on the Axes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn import plot
from neurodyn.analyses import fixed_points


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def units(n, kind=nd.Flow):
    step = 1.0 if kind is nd.Map else 0.0
    return fixed_points(kind(lambda x: (step - 1) * x + 2 * np.tanh(x), n), rng=0)


def lines(ax):
    return {line.get_label().split(" (")[0]: line for line in ax.lines if "(" in line.get_label()}


def test_points_stand_in_the_plane_of_two_states():
    found = units(2)
    ax = plot.fixed_points(found, directions=False)
    drawn = lines(ax)
    assert {k: len(line.get_xdata()) for k, line in drawn.items()} == found.counts
    stable = found.select("stable").x
    assert_allclose(np.stack(drawn["stable"].get_data(), axis=1), stable)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x0", "x1")
    ax = plot.fixed_points(units(3), ["x2", 0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x2", "x0")


def test_the_fastest_direction_of_a_saddle_is_drawn():
    flow = nd.Flow(lambda x: np.stack([x[..., 1], x[..., 0]], axis=-1), 2)  # grows along (1, 1)
    ax = plot.fixed_points(fixed_points(flow, rng=0), paths=[[[-1.0, -1.0], [1.0, 1.0]]])
    path, direction, point = ax.lines
    assert_allclose(path.get_xdata(), [-1, 1])
    assert_allclose(direction.get_xdata(), direction.get_ydata(), atol=1e-12)
    assert np.ptp(direction.get_xdata()) > 0.1
    assert_allclose(point.get_data(), 0, atol=1e-12)


def test_many_states_are_seen_in_principal_components():
    found = units(3)
    ax = plot.fixed_points(found, directions=False)
    shown = np.stack(lines(ax)["stable"].get_data(), axis=1)
    centred = found.x - found.x.mean(axis=0)
    # distances from the mean in the plane of the leading components, whatever their signs
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    stable = [k == "stable" for k in found.kind]
    assert_allclose(np.sum(shown**2), np.sum((u[stable, :2] * s[:2]) ** 2))
    assert ax.get_xlabel() == "first principal component"


def test_spectrum_shows_the_boundary_of_flow_or_map():
    found = units(2)
    ax = plot.jacobian_spectrum(found, [0, -1])
    assert_allclose(ax.lines[0].get_xdata(), [0, 0])
    assert_allclose(ax.lines[1].get_xdata(), found.eigenvalues[0].real)
    assert ax.lines[2].get_label() == f"{len(found) - 1}: {found.kind[-1]}"
    assert ax.get_xlabel() == "real part (1/s)"
    ax = plot.jacobian_spectrum(units(2, nd.Map))
    assert_allclose(np.hypot(*ax.lines[0].get_data()), 1)
    assert ax.get_xlabel() == "real part"


def test_bad_input():
    found = units(2)
    with pytest.raises(ValueError, match=r"no state `x9`"):
        plot.fixed_points(found, ["x0", "x9"])
    with pytest.raises(ValueError, match=r"`paths` must be \(..., time, 2\); got shape \(4, 3\)"):
        plot.fixed_points(found, paths=np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"`basis` must be \(2, 2\)"):
        plot.fixed_points(found, basis=np.eye(3))
    with pytest.raises(ValueError, match="a system of one state has no plane"):
        plot.fixed_points(units(1))
    with pytest.raises(ValueError, match=r"`points`: there are \d+ points; got 99"):
        plot.jacobian_spectrum(found, 99)
