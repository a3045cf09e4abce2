"""What stands on the Axes: the numbers, the labels, the units."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from neurodyn import plot, results


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def ds():
    """Two trials, 5 times, 20 units of E, units 2 and 7 of I."""
    rng = np.random.default_rng(0)
    return results.time_series(
        {"E.x": rng.standard_normal((2, 5, 20)), "I.v": rng.standard_normal((2, 5, 2))},
        0.1 * np.arange(5),
        {"I.v": "V"},
        {"E.x": rng.standard_normal((2, 20))},
        unit_index={"I.v": np.array([2, 7])},
    )


def test_traces_draw_the_chosen_units_of_the_chosen_trial(ds):
    ax = plot.traces(ds["I.v"], trial=1)
    assert [line.get_label() for line in ax.lines] == ["2", "7"]
    for k, line in enumerate(ax.lines):
        np.testing.assert_array_equal(line.get_xdata(), ds["time"])
        np.testing.assert_array_equal(line.get_ydata(), ds["I.v"][1, :, k])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "I.v (V)")
    ax = plot.traces(ds["E.x"], units=3)
    assert [line.get_label() for line in ax.lines] == ["0", "10", "19"]  # evenly spread
    ax = plot.traces(ds["E.x"].transpose("E.unit", "time", "trial"), units=[4])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), ds["E.x"][0, :, 4])
    assert ax.get_ylabel() == "E.x"  # a pure number has no unit to show
    ax = plot.traces(ds["E.x"].mean(["trial", "E.unit"]))
    np.testing.assert_allclose(ax.lines[0].get_ydata(), ds["E.x"].values.mean((0, 2)))


def test_heatmap_has_units_upwards_and_time_at_the_pixels_centres(ds):
    ax = plot.heatmap(ds["E.x"], trial=1)
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), ds["E.x"][1].values.T)
    np.testing.assert_allclose(image.get_extent(), (-0.05, 0.45, -0.5, 19.5))
    assert image.origin == "lower"
    low, high = image.get_clim()
    assert low == -high == -np.abs(ds["E.x"][1]).max()
    assert image.colorbar.ax.get_ylabel() == "E.x"
    assert plot.heatmap(abs(ds["E.x"])).images[0].get_cmap().name == "viridis"


def test_phase_draws_one_unit_against_the_other(ds):
    ax = plot.phase(ds, "E.x", units=(3, 1))
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), ds["E.x"][0, :, 3])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), ds["E.x"][0, :, 1])
    start = np.ravel(ax.lines[1].get_data())
    np.testing.assert_array_equal(start, ds["E.x"].values[0, 0, [3, 1]])
    assert ax.get_xlabel() == "E.x, unit 3"
    assert len(plot.phase(ds["I.v"], trial=None).lines) == 4  # a path and its start, twice


def test_distribution_is_a_density(ds):
    ax = plot.distribution(ds["E.x.final"])
    (stairs,) = ax.patches
    values, edges, _ = stairs.get_data()
    assert np.sum(values * np.diff(edges)) == pytest.approx(1)
    assert edges[0] == ds["E.x.final"].min() and edges[-1] == ds["E.x.final"].max()
    assert ax.lines[0].get_xdata()[0] == pytest.approx(float(ds["E.x.final"].mean()))
    assert ax.get_xlabel() == "E.x at the end"
    ax = plot.distribution(np.array([1.0, 2.0, np.nan, 1e12]))
    assert ax.get_title() == "1 of 4 values are not finite"
    ax = plot.distribution(np.append(np.random.default_rng(0).standard_normal(1000), 1e9))
    assert ax.patches[0].get_data().values.size <= 200
    plot.distribution(np.zeros(0))  # an empty Axes, no error


def test_weights_are_white_at_zero():
    W = np.array([[0.0, 2.0, 0.5], [1.0, 0.0, 0.0]])
    ax = plot.weights(W)
    np.testing.assert_array_equal(ax.images[0].get_array(), W)
    assert ax.images[0].get_clim() == (-2, 2)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("pre (from)", "post (to)")
    assert plot.weights(np.zeros((2, 2))).images[0].get_clim() == (-1, 1)


def test_weights_of_a_sparse_matrix():
    sparse = pytest.importorskip("scipy.sparse").csr_array(np.array([[0, 1.0], [-3, 0]]))
    np.testing.assert_array_equal(plot.weights(sparse).images[0].get_array(), [[0, 1], [-3, 0]])


def test_spectrum_of_a_rotation():
    # scaled rotation by 60 degrees: eigenvalues 2 exp(+-i pi/3)
    a = np.pi / 3
    ax = plot.spectrum(2 * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]))
    circle, points = ax.lines
    np.testing.assert_allclose(np.hypot(*circle.get_data()), 1)
    np.testing.assert_allclose(points.get_xdata(), [1, 1])
    np.testing.assert_allclose(np.sort(points.get_ydata()), [-np.sqrt(3), np.sqrt(3)])
    with pytest.raises(ValueError, match=r"`W` must be square.*\(2, 3\)"):
        plot.spectrum(np.zeros((2, 3)))


def test_covariance_ellipse_has_the_mahalanobis_distance():
    C, mean = np.array([[2.0, 1.2], [1.2, 1.0]]), np.array([1.0, -3.0])
    x, y = plot.covariance_ellipse(C, mean, n_std=2).lines[0].get_data()
    d = np.stack([x, y]) - mean[:, None]
    np.testing.assert_allclose(np.einsum("ik,ij,jk->k", d, np.linalg.inv(C), d), 4)
    for bad in (np.eye(3), [[1, 2], [0, 1]], [[1, 2], [2, 1]]):
        with pytest.raises(ValueError, match="`C` must be"):
            plot.covariance_ellipse(bad)


def test_plot_chooses(ds):
    assert len(plot.plot(ds["I.v"]).lines) == 2
    assert len(plot.plot(ds["E.x"]).images) == 1  # too many for lines
    assert plot.plot(ds["E.x.final"]).get_ylabel() == "probability density"
    assert plot.plot(np.eye(2)).get_ylabel() == "post (to)"
    assert plot.plot(np.arange(5.0)).get_ylabel() == "probability density"
    with pytest.raises(TypeError, match=r"one of its variables: ds\['E.x'\]"):
        plot.plot(ds)
    with pytest.raises(TypeError, match="got str"):
        plot.plot("E.x")


def test_axes_in_axes_out(ds):
    _, ax = plt.subplots()
    for draw in (
        lambda: plot.traces(ds["E.x"], ax=ax),
        lambda: plot.heatmap(ds["E.x"], ax=ax),
        lambda: plot.phase(ds, "E.x", ax=ax),
        lambda: plot.distribution(ds["E.x"], ax=ax),
        lambda: plot.weights(np.eye(2), ax=ax),
        lambda: plot.spectrum(np.eye(2), ax=ax),
        lambda: plot.covariance_ellipse(np.eye(2), ax=ax),
    ):
        assert draw() is ax
    assert plt.get_fignums() == [1]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda ds: plot.traces(ds["E.x.final"]), "must have a time dimension"),
        (lambda ds: plot.traces(ds["E.x"], trial=2), "`trial` must be below 2; got 2"),
        (lambda ds: plot.traces(ds["E.x"], units=[20]), r"`units` must be below 20; got \[20\]"),
        (lambda ds: plot.phase(ds, "E.y"), r"`name` must be a variable .*'E.x'.*; got 'E.y'"),
        (lambda ds: plot.phase(ds, "E.x", units=(1,)), "`units` must be two units"),
        (lambda ds: plot.phase(ds["E.x"].isel({"E.unit": 0})), "`units` must be two units"),
        (lambda ds: plot.weights(np.zeros(3)), r"must be a matrix.*got shape \(3,\)"),
        (lambda ds: plot.heatmap(xr.DataArray(np.zeros((2, 2, 2)), dims=["time", "a", "b"])),
         "one dimension besides"),
    ],
)
def test_wrong_data_are_named(ds, draw, message):
    with pytest.raises(ValueError, match=message):
        draw(ds)
