"""Rasters and rates: which spikes are drawn where, what the axes say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from neurodyn import ms, plot
from neurodyn.recorded_spikes import spike_trains
from tests.spikes import dataset, gamma_trains, regular_trains


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def ds():
    """4 units of E, 3 of I, 2 trials of 100 steps of 1 ms."""
    e = [(0, 0, 0), (0, 10, 3), (0, 10, 1), (0, 99, 2), (1, 50, 2)]
    i = [(0, 20, 2), (0, 25, 0), (1, 1, 1)]
    return dataset({"E": e, "I": i}, {"E": 4, "I": 3}, dt=1e-3, n_steps=100, n_trials=2)


def marks(line):
    return list(zip(np.rint(1000 * line.get_xdata()).astype(int).tolist(), line.get_ydata().tolist()))


def test_raster_draws_every_spike_in_the_row_of_its_unit(ds):
    ax = plot.raster(ds)
    e, i = (line for line in ax.lines if line.get_marker() != "None")
    assert sorted(marks(e)) == [(0, 0), (10, 1), (10, 3), (99, 2)]
    assert sorted(marks(i)) == [(20, 4 + 2), (25, 4 + 0)]  # below E
    assert ax.get_ylim() == (6.5, -0.5) and ax.get_xlim() == (0.0, 0.1)
    assert e.get_rasterized() and (to_hex(e.get_color()), to_hex(i.get_color())) == (
        to_hex("C0"), to_hex("C1"))
    labels = ax.get_yticklabels()
    assert [label.get_text() for label in labels] == ["E\n4 units", "I\n3 units"]
    assert [to_hex(label.get_color()) for label in labels] == [to_hex("C0"), to_hex("C1")]
    assert ax.get_yticks().tolist() == [1.5, 5.0]
    assert ax.get_xlabel() == "time (s)"


def test_a_chosen_trial_window_and_population(ds):
    ax = plot.raster(ds, "I", trial=1, colors=["k"])
    assert marks(ax.lines[0]) == [(1, 1)] and ax.lines[0].get_color() == "k"
    ax = plot.raster(ds, ["I", "E"], t_start=10 * ms, t_stop=25 * ms, colors={"E": "r", "I": "b"})
    i, e = (line for line in ax.lines if line.get_marker() != "None")
    assert marks(i) == [(20, 2)] and sorted(marks(e)) == [(10, 3 + 1), (10, 3 + 3)]
    assert (i.get_color(), e.get_color()) == ("b", "r")
    assert ax.get_xlim() == pytest.approx((0.010, 0.025))


def test_big_populations_are_thinned_and_the_axis_says_so():
    spikes = [(0, k % 100, k) for k in range(5000)]
    big = dataset({"E": spikes, "I": spikes[:1000], "S": spikes[:50]},
                  {"E": 5000, "I": 1000, "S": 50}, dt=1e-3, n_steps=100)
    ax = plot.raster(big)
    text = [" ".join(label.get_text().split()) for label in ax.get_yticklabels()]
    assert text == ["E 826 of 5000", "I 165 of 1000", "S 50 units"]
    e = ax.lines[0]
    drawn = np.linspace(0, 4999, 826).round().astype(int)  # first and last unit, evenly between
    assert set(marks(e)) == {(unit % 100, row) for row, unit in enumerate(drawn)}
    few = plot.raster(big, ["E", "S"], units=100)
    text = [" ".join(label.get_text().split()) for label in few.get_yticklabels()]
    assert text == ["E 100 of 5000", "S 50 units"]


def test_raster_of_spike_trains(ds):
    trains = [spike_trains(ds, "E"), spike_trains(ds, "I")]
    for a, b in zip(plot.raster(trains).lines, plot.raster(ds).lines):
        np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())
    ax = plot.plot(gamma_trains(1, 10.0, 3, 1.0, rng=0))
    assert ax.get_yticklabels()[0].get_text() == "3 units"  # it has no name


def test_population_rate_counts_all_units_in_bins(ds):
    ax = plot.population_rate(ds, bin=25 * ms)
    e, i = ax.patches
    np.testing.assert_allclose(e.get_data().edges, [0, 0.025, 0.05, 0.075, 0.1])
    np.testing.assert_allclose(e.get_data().values, np.array([3, 0, 0, 1]) / 4 / 0.025)
    np.testing.assert_allclose(i.get_data().values, np.array([1, 1, 0, 0]) / 3 / 0.025)
    assert ax.get_ylabel() == "rate (Hz)\n25 ms bins" and ax.get_ylim()[0] == 0
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["E", "I"]


@pytest.mark.parametrize(
    ("duration", "bin", "n"),
    [(1.0, 0.005, 200), (0.5, 0.002, 250), (30.0, 0.2, 150), (0.007, 0.001, 7), (0.257, 0.002, 128)],
)
def test_the_default_bin_is_round(duration, bin, n):
    ax = plot.population_rate(regular_trains(0.001, 1, duration, dt=0.001))
    edges = ax.patches[0].get_data().edges
    np.testing.assert_allclose(np.diff(edges), bin)
    assert edges.size == n + 1 and ax.get_xlim()[1] == pytest.approx(duration)
    np.testing.assert_allclose(ax.patches[0].get_data().values, 1000.0)


def test_raster_with_rate_shares_the_axis_of_time(ds):
    upper, lower = plot.raster_with_rate(ds, bin=10 * ms)
    assert upper.get_shared_x_axes().joined(upper, lower)
    assert upper.get_xlabel() == "" and lower.get_xlabel() == "time (s)"
    assert lower.get_legend() is None and len(lower.patches) == 2
    _, axes = plt.subplots(2)
    assert plot.raster_with_rate(ds, "E", axes=axes) == tuple(axes)
    assert plt.get_fignums() == [1, 2]


def test_axes_in_axes_out(ds):
    _, ax = plt.subplots()
    assert plot.raster(ds, ax=ax) is ax and plot.population_rate(ds, ax=ax) is ax
    assert plt.get_fignums() == [1]


def test_no_spikes_at_all():
    silent = dataset({"E": []}, {"E": 3})
    upper, lower = plot.raster_with_rate(silent)
    assert upper.lines[0].get_xdata().size == 0
    np.testing.assert_array_equal(lower.patches[0].get_data().values, 0)
    upper.figure.canvas.draw()


def test_a_whole_dataset_is_told_where_to_go(ds):
    with pytest.raises(TypeError, match=r"for its spikes call plot.raster\(ds\)"):
        plot.plot(ds)


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda ds: plot.raster(ds, "e"), ValueError, "`population` = 'e' has no spikes"),
        (lambda ds: plot.raster(ds, trial=2), ValueError, "`trial` must be below 2; got 2"),
        (lambda ds: plot.raster(ds, trial=None), ValueError, "`trial` must be an integer"),
        (lambda ds: plot.raster(ds, units=0), ValueError, "`units` must be an integer of at least 1"),
        (lambda ds: plot.raster(ds, colors=["r"]), ValueError, "`colors` must be one for each of 2"),
        (lambda ds: plot.raster(ds, colors={"E": "r"}), ValueError, "`colors` has none for 'I'"),
        (lambda ds: plot.raster(ds, t_stop=1.0), ValueError, "outside the run"),
        (lambda ds: plot.raster(ds.drop_vars([n for n in ds if "spike" in n])), ValueError,
         "`data` holds no spikes; record them"),
        (lambda ds: plot.raster([]), TypeError, "SpikeTrains or a list of them; got list"),
        (lambda ds: plot.raster(np.zeros(3)), TypeError, "got ndarray"),
        (lambda ds: plot.raster(spike_trains(ds, "E"), "E"), ValueError, "chooses from a Dataset"),
        (lambda ds: plot.raster([spike_trains(ds, "E"), spike_trains(ds, "I", t_stop=0.05)]),
         ValueError, "`data` must have one window: 0 to 0.05 s is not 0 to 0.1 s"),
        (lambda ds: plot.population_rate(ds, bin=0.03), ValueError, "`bin` = 0.03 s does not divide"),
        (lambda ds: plot.raster_with_rate(ds, axes=3), ValueError, "`axes` must be a pair of Axes"),
    ],
)
def test_wrong_data_are_named(ds, draw, error, message):
    with pytest.raises(error, match=message):
        draw(ds)
