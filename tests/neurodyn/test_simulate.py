"""`simulate` against a slow loop in NumPy: every solver, every form of input, what is recorded, and
what comes back.
"""

import json

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import solve_ivp

import neurodyn as nd
from neurodyn.signals import (
    ArraySignal,
    Constant,
    FunctionSignal,
    OrnsteinUhlenbeck,
    Poisson,
    Pulse,
    Sinusoid,
    Step,
)
from tests.naive import integrate
from tests.networks import CONSTANT, SILENT, excitatory_inhibitory, exploding

DT = 1e-3
N_STEPS, N_TRIALS = 50, 3
RANDOM = np.random.default_rng(2)
DRIVE_E = RANDOM.normal(size=(N_TRIALS, N_STEPS, 5))
DRIVE_I = RANDOM.normal(size=(N_STEPS, 3))
START = {"E.x": RANDOM.normal(size=(N_TRIALS, 5)), "I.v": RANDOM.normal(size=3)}
ALL = ["E.x", "E.r", "E.I_rec", "E.I_ext", "I.v", "I.drive"]


def run(network=None, solver=None, duration=N_STEPS * DT, inputs=SILENT, **options):
    network = network or excitatory_inhibitory()
    return nd.simulate(network, solver or nd.Euler(DT), duration, inputs=inputs, **options)


class Naive:
    """The network of `excitatory_inhibitory` in NumPy; states (trial, 8), x before v."""

    def __init__(self, network):
        self.W = {c.label: np.asarray(c.weights.to_dense()) for c in network.couplings}
        self.E, self.I = (network.populations[p].parameters for p in "EI")

    def inputs(self, state, u):
        r, v = np.tanh(state[..., :5]), state[..., 5:]
        I_rec = r @ self.W["E.r->E.I_rec"].T + v @ self.W["I.v->E.I_rec"].T
        return I_rec, r @ self.W["E.r->I.drive"].T + u[..., 5:]

    def drift(self, state, u, t):
        I_rec, drive = self.inputs(state, u)
        wave = self.I["b"] * np.sin(self.I["omega"] * t)
        dx = (-state[..., :5] + I_rec + u[..., :5]) / self.E["tau"]
        return np.concatenate([dx, (-state[..., 5:] + drive + wave) / self.I["tau"]], axis=-1)

    def slope(self, state, u, t):
        return -1 / np.append(np.full(5, self.E["tau"]), self.I["tau"])

    def noise(self, state, u, t):
        return np.append(np.full(5, self.E["sigma"] * np.sqrt(2 / self.E["tau"])), np.zeros(3))


# -- the numbers -------------------------------------------------------------------------------


def driven_run(solver, network, **options):
    return run(network, solver, inputs={"E.I_ext": DRIVE_E, "I.drive": DRIVE_I},
               initial=START, trials=N_TRIALS, **options)  # fmt: skip


@pytest.fixture
def drive():
    """Both inputs of a step side by side, (time, trial, 8)."""
    both = [DRIVE_E.transpose(1, 0, 2), np.broadcast_to(DRIVE_I[:, None], (N_STEPS, N_TRIALS, 3))]
    return np.concatenate(both, axis=-1)


@pytest.fixture
def start():
    return np.concatenate([START["E.x"], np.tile(START["I.v"], (N_TRIALS, 1))], axis=-1)


@pytest.mark.parametrize("method", ["Euler", "Heun", "ExponentialEuler"])
def test_against_a_naive_loop_with_noise(method, drive, start):
    network = excitatory_inhibitory()
    naive = Naive(network)
    ds = driven_run(getattr(nd, method)(DT), network, record=[*ALL, "E.xi"], rng=5)
    normals = np.zeros((N_STEPS, N_TRIALS, 8))
    normals[..., :5] = ds["E.xi"].transpose("time", "trial", ...) * np.sqrt(DT)
    truth = integrate(method, naive.drift, start, DT, N_STEPS, drive=drive, normals=normals,
                      g=naive.noise, slope=naive.slope)  # fmt: skip
    check_recording(ds, truth, naive, drive)


@pytest.mark.parametrize("method", ["Euler", "RK4"])
def test_against_a_naive_loop(method, drive, start):
    network = excitatory_inhibitory(noise=False)
    naive = Naive(network)
    ds = driven_run(getattr(nd, method)(DT), network, record=ALL)
    truth = integrate(method, naive.drift, start, DT, N_STEPS, drive=drive)
    check_recording(ds, truth, naive, drive)


def test_dormand_prince_against_scipy(drive, start):
    """Another adaptive method, restarted wherever the inputs jump."""
    network = excitatory_inhibitory(noise=False)
    naive = Naive(network)
    ds = driven_run(nd.DormandPrince(DT, rtol=1e-11, atol=1e-13), network, record=ALL)
    truth = [start]
    for k in range(N_STEPS):
        def field(t, y, k=k):
            return naive.drift(y.reshape(start.shape), drive[k], t).ravel()

        span = (k * DT, (k + 1) * DT)
        end = solve_ivp(field, span, truth[-1].ravel(), method="DOP853", rtol=1e-12, atol=1e-13)
        truth.append(end.y[:, -1].reshape(start.shape))
    check_recording(ds, np.array(truth), naive, drive, rtol=1e-9)


def check_recording(ds, truth, naive, drive, rtol=1e-11):
    """States, and what follows from them at the same moment, and the state at the end."""
    def like(values):
        return values.transpose(1, 0, 2)  # (trial, time, unit)

    def assert_close(name, values):
        assert_allclose(ds[name], values, rtol=rtol, atol=1e-12, err_msg=name)

    begins = truth[:-1]
    I_rec, I_drive = naive.inputs(begins, drive)
    assert_close("E.x", like(begins[..., :5]))
    assert_close("I.v", like(begins[..., 5:]))
    assert_close("E.r", np.tanh(like(begins[..., :5])))
    assert_close("E.I_rec", like(I_rec))
    assert_close("I.drive", like(I_drive))
    assert_array_equal(ds["E.I_ext"], DRIVE_E)
    assert_close("E.x.final", truth[-1][:, :5])
    assert_close("I.v.final", truth[-1][:, 5:])


# -- inputs ------------------------------------------------------------------------------------

T = np.arange(N_STEPS) * DT
PER_UNIT = np.linspace(-1, 1, 5)
#: Input -> the values (trial, time, unit) that it stands for.
FORMS = {
    "number": (0.7, np.full((1, N_STEPS, 1), 0.7)),
    "Constant": (Constant(PER_UNIT), PER_UNIT),
    "quantity": (0.7 * nd.mV / nd.mV, np.full((1, N_STEPS, 1), 0.7)),
    "(time,)": (DRIVE_E[0, :, 0], DRIVE_E[0, :, :1]),
    "(time, unit)": (DRIVE_E[0], DRIVE_E[0]),
    "(trial, time, unit)": (DRIVE_E, DRIVE_E),
    "list": ([[0.1 * k] * 5 for k in range(N_STEPS)], 0.1 * np.arange(N_STEPS)[:, None]),
    "DataArray": (xr.DataArray(DRIVE_E[0].T, dims=("unit", "time")), DRIVE_E[0]),
    "longer than the run": (np.concatenate([DRIVE_E[0]] * 2), DRIVE_E[0]),
    "slow array": (ArraySignal(DRIVE_E[0, :10], dt=5 * DT), np.repeat(DRIVE_E[0, :10], 5, axis=0)),
    "function": (lambda t: np.cos(100 * t), np.cos(100 * T)[:, None]),
    "Step": (Step(at=20 * DT, value=PER_UNIT), (T >= 0.0195)[:, None] * PER_UNIT),
    "Pulse": (Pulse(10 * DT, 5 * DT, 2.0), 2.0 * ((T > 0.0095) & (T < 0.0145))[:, None]),
    "Sinusoid": (Sinusoid(1.0, 20.0), np.sin(2 * np.pi * 20 * T)[:, None]),
    "sum": (0.5 * FunctionSignal(np.exp) + Constant(PER_UNIT), 0.5 * np.exp(T)[:, None] + PER_UNIT),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_input(form):
    given, values = FORMS[form]
    ds = run(inputs={"E.I_ext": given, **SILENT}, trials=N_TRIALS, record=["E.I_ext", "E.x"], rng=1)
    values = np.broadcast_to(values, (N_TRIALS, N_STEPS, 5))
    assert_allclose(ds["E.I_ext"], values, rtol=1e-14, atol=1e-15)
    # What is recorded is what the equations saw.
    dense = run(inputs={"E.I_ext": ds["E.I_ext"].values, **SILENT}, trials=N_TRIALS, rng=1)
    assert_array_equal(ds["E.x"], dense["E.x"])


def test_inputs_that_nothing_fills_are_zero():
    ds = run(inputs=SILENT, record=["E.I_ext"])
    assert_array_equal(ds["E.I_ext"], np.zeros((1, N_STEPS, 5)))


def test_random_signals_have_their_statistics_in_a_run():
    """Each trial and unit draws its own: mean and variance over all of them."""
    inputs = {"E.I_ext": OrnsteinUhlenbeck(0.01, 2.0, mean=1.0), "I.drive": Poisson(400.0, 0.5)}
    zero = excitatory_inhibitory(W_IE=np.zeros((3, 5)))
    ds = run(zero, inputs=inputs, trials=400, record=["E.I_ext", "I.drive"], every=DT, rng=2)
    last = ds["E.I_ext"].values[:, -1]
    assert abs(last.mean() - 1) < 5 * 2 / np.sqrt(last.size)
    assert abs(last.var() - 4) < 5 * 4 * np.sqrt(2 / last.size)
    counts = ds["I.drive"].values * DT / 0.5
    assert_allclose(counts, np.round(counts), atol=1e-9)
    assert abs(counts.mean() - 0.4) < 5 * np.sqrt(0.4 / counts.size)


# -- initial states ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [0.5, np.linspace(0, 1, 5), np.arange(10.0).reshape(2, 5), 500 * nd.mV / nd.volt]
)
def test_initial_states_by_name(value):
    ds = run(initial={"E.x": value}, trials=2)
    expected = np.broadcast_to(nd.units.to_si(value).value, (2, 5))
    assert_array_equal(ds["E.x"].values[:, 0], expected)
    assert_array_equal(ds["I.v"].values[:, 0], 0)


def test_number_of_trials_comes_from_the_initial_state():
    assert run().sizes["trial"] == 1
    assert run(initial={"E.x": np.zeros((4, 5)), "I.v": 1.0}).sizes["trial"] == 4


# -- recording ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full():
    return run(record=[*ALL, "E.xi"], trials=2, rng=9, inputs=CONSTANT)


@pytest.mark.parametrize("every", [1, 2, 7, 49, 50, 80])
def test_interval_between_samples(full, every):
    ds = run(record=[*ALL, "E.xi"], trials=2, rng=9, every=every * DT, inputs=CONSTANT)
    assert_allclose(ds.time, np.arange(0, N_STEPS, every) * DT, rtol=1e-15)
    for name in full.data_vars:
        expected = full[name] if name.endswith(".final") else full[name][:, ::every]
        assert_array_equal(ds[name], expected, err_msg=name)


def test_time_is_counted_not_accumulated():
    ds = run(duration=3000 * DT, record=[], every=3 * DT)
    assert_array_equal(ds.time, np.arange(1000) * 3 * DT)


def test_states_are_recorded_unless_told():
    assert set(run().data_vars) == {"E.x", "I.v", "E.x.final", "I.v.final"}


def test_nothing_recorded():
    ds = run(record=[], trials=2, rng=9, inputs=CONSTANT)
    assert set(ds.data_vars) == {"E.x.final", "I.v.final"}


def test_one_name_alone(full):
    ds = run(record="E.r", trials=2, rng=9, inputs=CONSTANT)
    assert_array_equal(ds["E.r"], full["E.r"])


def test_names_may_be_repeated_and_in_any_order(full):
    ds = run(record=["I.v", "E.r", "I.v", "E.x"], trials=2, rng=9, inputs=CONSTANT)
    for name in ("I.v", "E.r", "E.x"):
        assert_array_equal(ds[name], full[name])


@pytest.mark.parametrize(
    "units, index",
    [
        (None, [0, 1, 2, 3, 4]),
        (slice(1, 4), [1, 2, 3]),
        (slice(None, None, 2), [0, 2, 4]),
        ([4, 0], [4, 0]),
        (2, [2]),
        (-1, [4]),
        (np.array([True, False, True, False, False]), [0, 2]),
        ([], []),
    ],
)
def test_a_part_of_the_units(full, units, index):
    ds = run(record={"E.r": units, "E.xi": units, "I.v": None}, trials=2, rng=9, inputs=CONSTANT)
    assert_array_equal(ds["E.r"], full["E.r"][:, :, index])
    assert_array_equal(ds["E.xi"], full["E.xi"][:, :, index])
    assert_array_equal(ds["I.v"], full["I.v"])
    assert_array_equal(ds["E.x.final"], full["E.x.final"])
    if units is not None:
        assert_array_equal(ds["E.unit"], index)


def test_only_noise_is_scaled():
    """A variable whose name merely begins like noise is recorded as it is."""
    text = "dxin/dt = -xin/tau : 1"
    ds = nd.simulate(nd.Network({"P": nd.Population(1, text, tau=1.0, xin=2.0)}), nd.Euler(DT), DT)
    assert ds["P.xin"].values.item() == 2.0


# -- the result --------------------------------------------------------------------------------


def test_dimensions_and_coordinates(full):
    assert dict(full.sizes) == {"trial": 2, "time": N_STEPS, "E.unit": 5, "I.unit": 3}
    assert full["E.r"].dims == ("trial", "time", "E.unit")
    assert full["I.v.final"].dims == ("trial", "I.unit")
    assert all(full[n].dtype == np.float64 for n in full.data_vars)


def test_units_and_names_are_in_the_attributes(full):
    assert full["E.xi"].attrs == {"units": "s**-0.5", "long_name": "E.xi"}
    assert full["E.r"].attrs == {"units": "1", "long_name": "E.r"}
    assert full.time.attrs["units"] == "s"
    ds = nd.simulate(exploding(), nd.Euler(0.1), 0.5, record=["A.v"])
    assert ds["A.v"].attrs["units"] == ds["A.v.final"].attrs["units"] == "V"


def test_attributes_say_how_it_was_made():
    signal = OrnsteinUhlenbeck(0.02, 1.5)
    ds = run(inputs={"E.I_ext": signal, "I.drive": 0.0}, rng=np.random.SeedSequence(12).spawn(1)[0])
    attrs = ds.attrs
    assert "dx/dt = (-x + I_rec + I_ext + sigma*sqrt(2*tau)*xi)/tau" in attrs["network"]
    assert "E.r->I.drive" in attrs["network"]
    assert attrs["parameters"]["E.tau"] == 0.01
    assert attrs["parameters"]["I.tau"]["shape"] == [3]
    assert attrs["solver"] == {"method": "Euler", "dt": DT}
    assert attrs["dt"] == DT
    assert attrs["rng"] == {"entropy": 12, "spawn_key": [0]}
    assert attrs["inputs"]["E.I_ext"]["kind"] == "OrnsteinUhlenbeck"
    assert attrs["inputs"]["E.I_ext"]["sigma"] == 1.5
    assert attrs["dtype"] == "float64"
    assert attrs["versions"]["neurodyn"] == nd.__version__
    assert attrs["machine"]["cores"] >= 1
    assert attrs["wall_seconds"] > 0
    assert attrs["run"]["first_step"] == 0 and attrs["run"]["next_step"] == N_STEPS
    assert "stopped" not in attrs
    json.dumps(attrs)  # plain types only


@pytest.mark.parametrize("entropy", [5, [1, 2], (3, 2**70), None])
def test_the_root_seed_in_the_attributes_repeats_the_run(entropy):
    ds = run(rng=np.random.SeedSequence(entropy))
    kept = ds.attrs["rng"]
    again = run(rng=np.random.SeedSequence(kept["entropy"], spawn_key=kept["spawn_key"]))
    assert_array_equal(again["E.x"], ds["E.x"])
    more = run(initial=ds)  # the seed is read back from the Dataset
    whole = run(duration=2 * N_STEPS * DT, rng=np.random.SeedSequence(kept["entropy"]))
    assert_array_equal(more["E.x"], whole["E.x"][:, N_STEPS:])


def test_progress_is_shown_on_request(capsys):
    run()
    assert capsys.readouterr() == ("", "")
    run(progress=True)
    shown = capsys.readouterr().err
    assert "simulate" in shown and "100%" in shown and "0.05/0.05 s" in shown


def test_single_precision():
    """float32 throughout, and as close to float64 as its rounding allows."""
    inputs = {"E.I_ext": DRIVE_E[0], "I.drive": DRIVE_I}
    options = dict(inputs=inputs, record=[*ALL, "E.xi"], trials=2)
    quiet = excitatory_inhibitory(**{"E.sigma": 0.0})
    single, double = (run(quiet, dtype=d, **options) for d in ("float32", "float64"))
    for name in ("E.x", "E.r", "E.I_rec", "I.v", "I.drive", "E.xi", "E.x.final"):
        assert single[name].dtype == np.float32, name
    for name in ("E.x", "E.r", "I.v", "E.x.final"):
        assert_allclose(single[name], double[name], atol=50 * np.finfo(np.float32).eps)
    assert single.attrs["dtype"] == "float32"
    a = run(dtype=np.float32, rng=4, trials=7, record=ALL)
    b = run(dtype="float32", rng=4, trials=3, record=ALL)
    assert all(a[n].values[:3].tobytes() == b[n].values.tobytes() for n in ALL)
    noise = run(dtype="float32", rng=4, trials=50, record=["E.xi"])["E.xi"].values * np.sqrt(DT)
    assert abs(noise.var() - 1) < 5 * np.sqrt(2 / noise.size)
