"""A run that leaves the finite numbers stops, says where, and hands over what it has."""

import pickle
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from tests.naive import integrate
from tests.networks import SILENT, excitatory_inhibitory, exploding

DT = 1e-3
CALM = excitatory_inhibitory(**{"E.sigma": 0.0})


def blow_up(start, solver=None, duration=3.0, **options):
    """Error of the exploding network that starts at `start`, (trial, 2)."""
    solver, initial = solver or nd.Euler(DT), {"A.v": start}
    with pytest.raises(nd.SimulationDiverged) as caught:
        nd.simulate(exploding(), solver, duration, initial=initial, **options)
    return caught.value


def naive_blow_up(start, n_steps=3000):
    """Index of the first step with a result that is not finite, and the states before it."""
    with np.errstate(over="ignore"):
        v = integrate("Euler", lambda v, u, t: v * v, [start], DT, n_steps)[:, 0]
    return int(np.argmin(np.isfinite(v))) - 1, v


@pytest.mark.parametrize("chunk", [0.2, 1e-9])
@pytest.mark.parametrize("start", [1.0, 2.0, 0.7, 1e155])
def test_first_bad_step(start, chunk, monkeypatch):
    """Found to the step, wherever it lies in its chunk: the last of four units, 1e155 at once."""
    from importlib import import_module

    monkeypatch.setattr(import_module("neurodyn.simulation.run"), "_CHUNK_SECONDS", chunk)
    step, v = naive_blow_up(start)
    error = blow_up([[0.1, 0.0], [0.0, start]])
    assert (error.variable, error.trial, error.unit) == ("A.v", 1, 1)
    assert_allclose(error.time, step * DT, rtol=1e-12)
    ds = error.dataset
    assert ds.sizes["time"] == step  # samples of the steps 0 ... step - 1
    assert_allclose(ds["A.v"][1, :, 1], v[:step], rtol=1e-10)
    assert ds.attrs["stopped"] == f"diverged at t = {step * DT:.6g} s"


def test_message():
    error = blow_up([[0.0, 0.0], [0.0, 1.0]])
    step, _ = naive_blow_up(1.0)
    assert str(error) == (
        f"`A.v` of unit 1 in trial 1 became inf in the step that begins at t = {step * DT:.6g} s "
        "(dt = 0.001 s). Try a smaller dt, or ExponentialEuler for stiff equations; if that does "
        "not help, the equations themselves grow without bound. The samples so far are in the "
        "error's `dataset`."
    )
    assert isinstance(error, ArithmeticError)


def test_the_earliest_of_several_trials_is_told():
    """More trials than a block holds, of which three diverge: the first in time, then in number."""
    start = np.zeros((23, 2))
    start[20, 0], start[17, 1], start[3, 0] = 1.0, 1.3, 1.0
    error = blow_up(start, every=0.1)
    assert (error.trial, error.unit) == (17, 1)
    assert_allclose(error.time, naive_blow_up(1.3)[0] * DT)
    start[17, 1] = 0.0
    assert blow_up(start, every=0.1).trial == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_all_trials_end_at_the_same_time(threads):
    """The final state is the one before the bad step, of every trial, so that one can go on."""
    start = np.full((9, 2), 0.1)
    start[5, 1] = 1.0
    error = blow_up(start, threads=threads, every=0.5)
    ds = error.dataset
    step, v = naive_blow_up(1.0)
    assert ds.attrs["run"]["next_step"] == step
    y = integrate("Euler", lambda y, u, t: -y, [1.0], DT, step)[-1]
    assert_allclose(ds["B.y.final"], np.broadcast_to(y, (9, 3)), rtol=1e-12)
    assert_allclose(ds["A.v.final"][5, 1], v[step], rtol=1e-10)
    calm = start.copy()
    calm[5, 1] = 0.1
    plain = nd.simulate(exploding(), nd.Euler(DT), step * DT, initial={"A.v": calm}, every=0.5)
    others = np.arange(9) != 5
    assert_array_equal(ds["A.v.final"][others], plain["A.v.final"][others])
    assert_array_equal(ds["A.v"][others], plain["A.v"][others])


def test_a_run_with_a_smaller_step_can_go_on_from_there():
    """Euler with dt = 3 tau diverges; its Dataset is taken on by a method that does not."""
    with pytest.raises(nd.SimulationDiverged) as caught:
        nd.simulate(exploding(), nd.Euler(3.0), 6000.0, record=["B.y"])
    error = caught.value
    # The factor of a step is 1 - 3 = -2: |y| = 2**k overflows when step 1023 is made.
    assert error.variable == "B.y" and error.time == 1023 * 3.0
    assert_array_equal(error.dataset["B.y"][0, :, 0], (-2.0) ** np.arange(1023))
    assert "became inf in" in str(error)  # (-2)**1024
    rest = nd.simulate(exploding(), nd.Euler(0.5), 600.0, initial=error.dataset, record=["B.y"])
    assert_allclose(rest["B.y.final"], np.full((1, 3), -(2.0 ** (1023 - 1200))), rtol=1e-12)


def test_infinity_is_found_where_it_arises():
    """In the unit whose input is too large, before couplings carry it to the others."""
    inputs = {"E.I_ext": np.zeros((50, 5)), **SILENT}
    inputs["E.I_ext"][20, 3] = 1e308
    with pytest.raises(nd.SimulationDiverged) as caught:
        nd.simulate(CALM, nd.Euler(100.0), 50 * 100.0, inputs=inputs)
    assert (caught.value.variable, caught.value.unit) == ("E.x", 3)
    assert caught.value.time == 20 * 100.0
    assert caught.value.dataset.sizes["time"] == 20


@pytest.mark.parametrize("dtype, largest", [("float64", 308), ("float32", 38)])
def test_the_limits_of_the_number_type(dtype, largest):
    start = {"E.x": [0, 0, 10.0 ** (largest - 1), 0, 0]}
    with pytest.raises(nd.SimulationDiverged) as caught:
        nd.simulate(CALM, nd.Euler(0.11), 22.0, inputs=SILENT, initial=start, dtype=dtype)
    assert caught.value.unit == 2
    assert_allclose(caught.value.time, 0.11)  # the factor is 1 - 11 = -10: 1e307, -1e308, 1e309


def test_an_adaptive_method_gives_up():
    """No step is short enough near the pole at t = 1; the rest is as exact as ever."""
    error = blow_up([[0.2, 0.0], [0.0, 1.0], [0.5, 0.0]], nd.DormandPrince(0.1))
    assert (error.variable, error.trial, error.unit) == ("A.v", 1, 1)
    # The last multiple of dt before the pole is 0.9 or, as rounding has it, 1.0.
    assert 0.9 - 1e-9 <= error.time <= 1.0 + 1e-9
    assert re.fullmatch(
        r"`A.v` of unit 1 in trial 1 changes too fast in the interval that begins at t = [\d.]+ s "
        r"\(dt = 0.1 s\): no step is short enough for rtol = 1e-06. Try a larger `rtol` or `atol`; "
        r"if that does not help, the equations themselves grow without bound, or are not defined "
        r"there. The samples so far are in the error's `dataset`.",
        str(error),
    )
    ds = error.dataset
    n = ds.sizes["time"]
    assert n == round(error.time / 0.1)
    t = ds.time.values
    assert_allclose(ds["A.v"][1, :10, 1], 1 / (1 - t[:10]), rtol=1e-4)
    assert_allclose(ds["A.v"][0, :, 0], 1 / (5 - t), rtol=1e-5)
    assert_allclose(ds["B.y.final"], np.full((3, 3), np.exp(-error.time)), rtol=1e-5)


def test_an_adaptive_method_gives_up_at_once_where_the_slope_is_infinite():
    error = blow_up([[0.2, 0.0], [0.0, 1e200]], nd.DormandPrince(0.1))
    assert (error.variable, error.trial, error.unit, error.time) == ("A.v", 1, 1, 0.0)
    assert error.dataset.sizes["time"] == 0
    assert_array_equal(error.dataset["A.v.final"], [[0.2, 0.0], [0.0, 1e200]])


def test_error_survives_pickling():
    """Worker processes send it back."""
    error = blow_up([[0.0, 1.0]], every=0.1)
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    for name in ("variable", "trial", "unit", "time"):
        assert getattr(copy, name) == getattr(error, name)
    assert copy.dataset.identical(error.dataset)


def test_nothing_recorded_is_no_obstacle():
    error = blow_up([[0.0, 1.0]], record=[])
    assert set(error.dataset.data_vars) == {"A.v.final", "B.y.final"}
    assert_allclose(error.time, naive_blow_up(1.0)[0] * DT)
