"""A run that is cut in pieces equals an unbroken one, bit for bit, however the pieces are kept."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import neurodyn as nd
from neurodyn.signals import ArraySignal, OrnsteinUhlenbeck, Poisson, Pulse, Sinusoid
from tests.networks import CONSTANT, SILENT, excitatory_inhibitory, exploding

DT = 1e-3
COURSE = ArraySignal(np.random.default_rng(1).normal(size=(3, 120, 5)))
INPUTS = {
    "E.I_ext": OrnsteinUhlenbeck(0.02, 1.0) + Sinusoid(0.5, 30.0) + COURSE,
    "I.drive": Poisson(300.0, 0.01) + Pulse(0.005, 0.01, 1.0, period=0.03),
}
SOLVERS = {
    "Euler": nd.Euler(DT),
    "Heun": nd.Heun(DT),
    "ExponentialEuler": nd.ExponentialEuler(DT),
    "RK4": nd.RK4(DT),
    "DormandPrince": nd.DormandPrince(DT, rtol=1e-4),
}


def run(solver, n_steps, initial=None, record=("E.x", "E.r", "E.I_ext", "I.v"), every=7, **options):
    network = excitatory_inhibitory(
        noise=solver.takes_noise, **{"E.x": lambda rng, size: rng.normal(size=size)}
    )
    options = {"trials": 3, "inputs": INPUTS, **({} if initial else {"rng": 5}), **options}
    return nd.simulate(network, solver, n_steps * DT, initial=initial, record=record,
                       every=every * DT, **options)  # fmt: skip


def assert_same_run(a, b):
    """Same values to the bit, dimensions, coordinates and attributes of the variables."""
    assert a.drop_attrs(deep=False).identical(b.drop_attrs(deep=False))
    for name in a.data_vars:
        assert a[name].values.tobytes() == b[name].values.tobytes(), name


@pytest.mark.parametrize("name", SOLVERS)
def test_pieces_equal_the_whole(name):
    solver = SOLVERS[name]
    whole = run(solver, 100)
    first = run(solver, 38)
    second = run(solver, 1, initial=first)
    third = run(solver, 61, initial=second)
    assert (first.sizes["time"], second.sizes["time"], third.sizes["time"]) == (6, 0, 9)
    joined = nd.concatenate([first, second, third])
    assert_same_run(joined, whole)
    assert joined.attrs["run"]["first_step"] == 0
    assert joined.attrs["run"]["next_step"] == 100


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("name", ["Euler", "DormandPrince"])
def test_pieces_equal_the_whole_after_save_and_load(name, suffix, tmp_path):
    solver = SOLVERS[name]
    pieces, initial = [], None
    for k, n_steps in enumerate((38, 62)):
        path = nd.save(run(solver, n_steps, initial=initial), tmp_path / f"piece{k}{suffix}")
        initial = nd.load(path)
        pieces.append(initial)
    assert_same_run(nd.concatenate(pieces), run(solver, 100))


def test_a_stored_run_is_continued(tmp_path):
    solver = SOLVERS["Euler"]
    first = run(solver, 38, store=tmp_path / "first.zarr")
    second = run(solver, 62, initial=first, store=tmp_path / "second.zarr")
    assert_same_run(nd.concatenate([first.load(), second.load()]), run(solver, 100))


def test_units_survive_joining():
    first = nd.simulate(exploding(), nd.Euler(0.1), 0.5)
    second = nd.simulate(exploding(), nd.Euler(0.1), 0.5, initial=first)
    joined = nd.concatenate([first, second])
    assert joined["A.v"].attrs == {"units": "V", "long_name": "A.v"}
    assert joined["A.v.final"].attrs["units"] == "V"
    assert joined.time.attrs["units"] == "s"


def test_parts_of_units_are_joined():
    record = {"E.x": [0, 3], "E.r": None, "I.v": slice(1, 2)}
    first = run(SOLVERS["Euler"], 38, record=record)
    second = run(SOLVERS["Euler"], 62, initial=first, record=record)
    assert_same_run(nd.concatenate([first, second]), run(SOLVERS["Euler"], 100, record=record))


def test_white_noise_goes_on():
    whole = run(SOLVERS["Heun"], 100, record=["E.xi"], every=1)
    first = run(SOLVERS["Heun"], 38, record=["E.xi"], every=1)
    second = run(SOLVERS["Heun"], 62, initial=first, record=["E.xi"], every=1)
    assert_same_run(nd.concatenate([first, second]), whole)


def test_another_seed_begins_other_streams():
    first = run(SOLVERS["Euler"], 38)
    same = run(SOLVERS["Euler"], 62, initial=first)
    other = run(SOLVERS["Euler"], 62, initial=first, rng=6)
    assert_array_equal(run(SOLVERS["Euler"], 62, initial=first, rng=5)["E.x"], same["E.x"])
    assert not np.allclose(other["E.x"], same["E.x"])
    assert_array_equal(other.time, same.time)


def test_states_alone_start_a_new_clock():
    first = run(SOLVERS["RK4"], 30)
    second = run(SOLVERS["RK4"], 30, initial=nd.final_state(first))
    assert second.time.values[0] == 0
    assert_array_equal(second["E.x"][:, 0], first["E.x.final"])


def test_one_trial_goes_on_as_many():
    """From one state, each trial with its own noise; trial 0 goes on with its own streams."""
    inputs = dict(inputs=CONSTANT, trials=1)
    first = run(SOLVERS["Euler"], 30, every=1, **inputs)
    many = run(SOLVERS["Euler"], 30, every=1, initial=first, trials=9, inputs=CONSTANT)
    alone = run(SOLVERS["Euler"], 30, every=1, initial=first, **inputs)
    assert_array_equal(many["E.x"][:, 0], np.broadcast_to(first["E.x.final"], (9, 5)))
    assert_array_equal(many["E.x"][0], alone["E.x"][0])
    assert len(np.unique(many["E.x"][:, -1, 0])) == 9
    first = run(SOLVERS["DormandPrince"], 30, every=1, **inputs)
    many = run(SOLVERS["DormandPrince"], 30, every=1, initial=first, trials=3, inputs=CONSTANT)
    assert_array_equal(many["E.x"][1], many["E.x"][0])


def test_another_step_continues_where_the_times_agree():
    first = run(SOLVERS["Euler"], 38, inputs=SILENT)
    finer = nd.simulate(excitatory_inhibitory(), nd.Euler(DT / 2), 4 * DT, inputs=SILENT,
                        initial=first, every=DT)  # fmt: skip
    np.testing.assert_allclose(finer.time, (38 + np.arange(4)) * DT)
    assert_array_equal(finer["E.x"][:, 0], first["E.x.final"])


def test_another_method_continues():
    first = run(SOLVERS["Euler"], 38, inputs=SILENT)
    second = run(SOLVERS["Heun"], 10, initial=first, inputs=SILENT, every=1)
    assert_array_equal(second["E.x"][:, 0], first["E.x.final"])


def test_only_consecutive_runs_are_joined():
    first = run(SOLVERS["Euler"], 38)
    second = run(SOLVERS["Euler"], 10, initial=first)
    for runs in ([second, first], [first, first], [first, second, second]):
        with pytest.raises(ValueError, match="`runs` are not consecutive: one ends before step"):
            nd.concatenate(runs)
    with pytest.raises(ValueError, match="`runs` is empty"):
        nd.concatenate([])
    with pytest.raises(TypeError, match=r"`runs\[1\]` must be a Dataset .* got int"):
        nd.concatenate([first, 3])
    with pytest.raises(TypeError, match=r"`runs\[0\]` .* without its attribute `run`"):
        nd.concatenate([first.drop_attrs()])
    assert nd.concatenate([first]).identical(first)
