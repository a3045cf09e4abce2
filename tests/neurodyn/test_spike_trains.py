"""Spikes out of a Dataset: which units, trials and window, and which bin a spike falls into."""

import numpy as np
import pytest

from neurodyn import ms, results
from neurodyn.recorded_spikes import spike_trains
from neurodyn.spike_trains import SpikeTrains
from neurodyn.units import UnitError, mV
from tests.spikes import dataset, one_by_one, regular_trains, uneven_trains


@pytest.fixture
def ds():
    """E: 5 units, 2 trials, steps 2000 to 3000 of 0.1 ms; I does not spike; X was not recorded."""
    spikes = [(0, 2000, 4), (0, 2500, 1), (0, 2500, 3), (0, 2999, 1), (1, 2001, 0), (1, 2500, 3)]
    return dataset({"E": spikes, "A/I": []}, {"E": 5, "A/I": 2, "X": 9},
                   first_step=2000, n_steps=1000, n_trials=2)


def listed(trains):
    return list(zip(trains.trial.tolist(), np.rint(trains.time * 1e4).astype(int).tolist(),
                    trains.unit.tolist()))


def test_a_population_of_a_run(ds):
    trains = spike_trains(ds, "E")
    assert listed(trains) == [(0, 2000, 4), (0, 2500, 1), (0, 2500, 3), (0, 2999, 1),
                              (1, 2001, 0), (1, 2500, 3)]
    assert (trains.n_units, trains.n_trials, trains.dt, trains.name) == (5, 2, 1e-4, "E")
    assert (trains.t_start, trains.t_stop) == pytest.approx((0.2, 0.3))
    assert repr(trains) == "<SpikeTrains of E: 6 spikes, 5 units, 2 trials, 0.2 to 0.3 s>"
    silent = spike_trains(ds, "A/I")
    assert (silent.n_spikes, silent.n_units, silent.n_trials) == (0, 2, 2)


def test_the_same_after_saving(ds, tmp_path):
    back = results.load(results.save(ds, tmp_path / "run.nc"))
    assert listed(spike_trains(back, "E")) == listed(spike_trains(ds, "E"))
    assert spike_trains(back, "A/I").n_spikes == 0


def test_windows_are_half_open(ds):
    # step 2500 is at 0.25 s; 2500*1e-4 is not exactly 0.25 for every such number
    for start, stop, expected in ((0.25, 0.2999, [2500, 2500, 2500]), (0.2, 0.25, [2000, 2001]),
                                  (0.2501, 0.3, [2999])):
        trains = spike_trains(ds, "E", t_start=start, t_stop=stop)
        assert np.rint(trains.time * 1e4).astype(int).tolist() == expected
        assert (trains.t_start, trains.t_stop) == (start, stop)
    assert listed(spike_trains(ds, "E", t_start=250 * ms)) == listed(
        spike_trains(ds, "E", t_start=0.25))


@pytest.mark.parametrize("dt", [1e-4, 3e-4])
def test_every_step_is_in_the_window_that_names_it(dt):
    """Times are step*dt, windows are decimal numbers: many differ in the last bit."""
    n = 10_000
    ds = dataset({"E": [(0, s, 0) for s in range(n)]}, {"E": 1}, dt=dt, n_steps=n)
    trains = spike_trains(ds, "E")
    error = np.arange(n) * dt - np.round(np.arange(n) * dt, 4)
    assert np.sum(error > 0 if dt == 1e-4 else error < 0) > n / 10
    for s in range(1, n - 1, 37):
        inside = trains.select(t_start=round(s * dt, 4), t_stop=round((s + 1) * dt, 4))
        assert inside.n_spikes == 1 and round(inside.time[0] / dt) == s
    np.testing.assert_array_equal(trains.population_counts(5 * dt), [np.full(n // 5, 5)])
    np.testing.assert_array_equal(trains.bin_numbers(10 * dt), np.arange(n) // 10)


def test_trials_and_units_are_numbered_anew(ds):
    one = spike_trains(ds, "E", trial=1)
    assert (one.n_trials, listed(one)) == (1, [(0, 2001, 0), (0, 2500, 3)])
    some = spike_trains(ds, "E", units=[3, 1])
    assert (some.n_units, some.unit_index.tolist()) == (2, [3, 1])
    assert listed(some) == [(0, 2500, 1), (0, 2500, 0), (0, 2999, 1), (1, 2500, 0)]
    assert spike_trains(ds, "E", units=slice(3, None)).unit_index.tolist() == [3, 4]
    again = some.select(units=[1])
    assert (again.unit_index.tolist(), listed(again)) == ([1], [(0, 2500, 0), (0, 2999, 0)])


def test_units_that_were_not_recorded_are_not_silent(ds):
    ds["E.spike_unit"].attrs["recorded_units"] = [1, 3, 4]
    trains = spike_trains(ds.isel({"E.spike": [0, 1, 2, 3, 5]}), "E")
    assert (trains.n_units, trains.unit_index.tolist()) == (3, [1, 3, 4])
    assert trains.unit.tolist() == [2, 0, 1, 0, 1]
    assert spike_trains(ds, "E", units=[4]).n_spikes == 1
    with pytest.raises(ValueError, match="unit 0 were not recorded, only those of 3 of 5 units"):
        spike_trains(ds, "E", units=[1, 0])


def test_arrays_in_any_order():
    trains = SpikeTrains.from_arrays([3.0, 1.0, 2.0], [0, 1, 0], 2, 0, 4, trial=[0, 1, 0], n_trials=2)
    assert trains.time.tolist() == [2.0, 3.0, 1.0]
    assert trains.trial.tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="read-only"):
        trains.time[0] = 5


def test_grouping_keeps_the_order_of_time():
    trains = uneven_trains()
    expected = [t for unit in one_by_one(trains) for t in unit]
    np.testing.assert_array_equal(trains.grouped.time, np.concatenate(expected))
    np.testing.assert_array_equal(trains.grouped.counts, [t.size for t in expected])


def test_bins_without_a_time_step():
    trains = SpikeTrains.from_arrays([0.0, 0.3, 0.1 + 0.2, 0.7000000000000001, 0.9999], [0] * 5, 1,
                                     0, 1)
    np.testing.assert_array_equal(trains.bin_numbers(0.1), [0, 3, 3, 7, 9])
    almost = SpikeTrains.from_arrays([np.nextafter(0.3, 0), np.nextafter(1, 0)], [0, 0], 1, 0, 1)
    np.testing.assert_array_equal(almost.bin_numbers(0.1), [3, 9])  # the last one cannot move on


def test_neo_has_the_same_spikes():
    neo = pytest.importorskip("neo", reason="the extra `elephant` is not installed")
    trains = uneven_trains(dt=1e-3).select(units=[6, 1, 0])
    block = trains.to_neo()
    assert isinstance(block, neo.Block) and len(block.segments) == 3
    for u, unit in enumerate(one_by_one(trains)):
        for k, times in enumerate(unit):
            train = block.segments[k].spiketrains[u]
            np.testing.assert_array_equal(train.rescale("s").magnitude, times)
            assert train.annotations["unit"] == [6, 1, 0][u]
            assert (float(train.t_start), float(train.t_stop)) == (2.0, 5.0)
            assert float(train.sampling_rate.rescale("Hz")) == pytest.approx(1000)


def test_neo_is_optional(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(ImportError, match=r"neurodyn\[elephant\]"):
        regular_trains(0.1, 1, 1.0).to_neo()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(population="F"), "'F' has no spikes in `ds`.* It holds those of E, A/I"),
        (dict(population="A/i"), "did you mean `A/I`"),
        (dict(population="E.spike"), "did you mean `E`"),
        (dict(population="X"), r'no spikes of `X`: record them with .*record=\["X.spike"\]'),
        (dict(t_start=0.1), "`t_start` = 0.1 s is outside the run, which is 0.2 to 0.3 s"),
        (dict(t_stop=0.4), "`t_stop` = 0.4 s is outside the run"),
        (dict(t_start=0.25, t_stop=0.22), "`t_stop` must be after `t_start` = 0.25 s; got 0.22"),
        (dict(t_start=0.25, t_stop=0.25), "`t_stop` must be after"),
        (dict(t_start=0.20005), "`t_start` = 0.20005 s is not a multiple of dt.* nearest is 0.2"),
        (dict(t_start=[0.2]), "`t_start` must be a time in seconds"),
        (dict(t_start=float("nan")), "`t_start` must be a time in seconds"),
        (dict(trial=2), "`trial` must be below 2; got 2"),
        (dict(trial=-1), "`trial` must be an integer of at least 0; got -1"),
        (dict(units=3), r"\[3\] is unit 3, slice\(3\) are the first three"),
        (dict(units=[5]), r"unit numbers below 5; got \[5\]"),
        (dict(units=[1, 1]), "none twice"),
        (dict(units=[]), "unit numbers below 5|at least one unit"),
        (dict(units=slice(5, 9)), "at least one unit"),
    ],
)
def test_wrong_choices_are_named(ds, arguments, message):
    with pytest.raises(ValueError, match=message):
        spike_trains(ds, **{"population": "E", **arguments})


def test_wrong_datasets_are_named(ds):
    with pytest.raises(TypeError, match="must be the Dataset of a run; got ndarray"):
        spike_trains(np.zeros(3), "E")
    with pytest.raises(TypeError, match="`population` must be a name"):
        spike_trains(ds, 0)
    with pytest.raises(UnitError, match="`t_start` must be a time"):
        spike_trains(ds, "E", t_start=1 * mV)
    with pytest.raises(ValueError, match="was cut after the run"):
        spike_trains(ds.isel(trial=[0]), "E")
    bare = ds.drop_attrs()
    with pytest.raises(ValueError, match="does not say how long it ran"):
        spike_trains(bare, "E")
    with pytest.raises(ValueError, match="does not say .* the dimension `trial`"):
        spike_trains(ds[["E.spike_time", "E.spike_unit", "E.spike_trial"]], "E")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(time=[[0.1, 0.2]]), "flat list"),
        (dict(time=[0.1, np.nan]), "`time` must be finite"),
        (dict(time=[0.1, 1.0]), r"\[0, 1\) s; 1 spikes are not, the first at 1 s"),
        (dict(time=[-0.1, 0.5]), "the first at -0.1 s"),
        (dict(unit=[0]), r"`unit` must have one entry for each of 2 spikes; got shape \(1,\)"),
        (dict(unit=[0, 3]), "`unit` must be from 0 to `n_units` - 1 = 2; got 3"),
        (dict(trial=[0, 1]), "`trial` must be from 0 to `n_trials` - 1 = 0; got 1"),
        (dict(n_units=0), "`n_units` must be an integer of at least 1"),
        (dict(t_stop=0), "`t_stop` must be after `t_start` = 0 s; got 0 s"),
        (dict(dt=0.03), "`t_stop` = 1 s is not a multiple of dt = 0.03 s"),
        (dict(dt=0.25), "multiples of `dt` = 0.25 s; got 0.1 s"),
        (dict(dt=-1), "`dt` must be positive"),
    ],
)
def test_wrong_arrays_are_named(changes, message):
    good = dict(time=[0.1, 0.5], unit=[0, 2], n_units=3, t_start=0, t_stop=1)
    with pytest.raises(ValueError, match=message):
        SpikeTrains.from_arrays(**(good | changes))


def test_units_that_are_no_integers():
    with pytest.raises(TypeError, match="`unit` must be integers; got dtype float64"):
        SpikeTrains.from_arrays([0.1], [1.0], 3, 0, 1)


@pytest.mark.parametrize(
    ("bin", "message"),
    [
        (0.3, "does not divide the window of 1 s; for 3 whole bins .* t_stop=0.9"),
        (1.5, "does not divide the window of 1 s; take a shorter one"),
        (0.0105, "not a multiple of dt = 0.001 s"),
        (0.0, "must be a positive time"),
        (-0.1, "must be a positive time"),
        (1 * mV, "must be a time"),
    ],
)
def test_wrong_bins_are_named(bin, message):
    with pytest.raises(ValueError, match=f"`bin`.*{message}"):
        regular_trains(0.1, 2, 1.0, dt=0.001).bins(bin)
