"""Units that spike: rates in closed form, exact propagators, refractoriness, resets."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import expm

import neurodyn as nd

LIF = """
dv/dt = (I - v)/tau : 1 (unless refractory)
dm/dt = (v - m)/tau_m : 1
"""
DT = 1e-5


def lif(current, tau, rest=0.0, **values):
    size = len(current)
    population = nd.Population(
        size, LIF, threshold="v > theta", reset="v = v_reset", refractory=rest,
        tau=tau, tau_m=0.03, theta=1.0, v_reset=0.0, I=current, **values,
    )  # fmt: skip
    return nd.Network({"P": population})


def spikes_of(ds, unit=None, name="P"):
    time, who = ds[f"{name}.spike_time"].values, ds[f"{name}.spike_unit"].values
    return time if unit is None else time[who == unit]


@pytest.mark.parametrize("method", [nd.Exact, nd.ExponentialEuler, nd.RK4, nd.Euler, nd.Heun])
def test_rate_of_leaky_units_is_the_closed_form(method):
    """Interval tau log(J/(J - 1)) + rest, rounded up to whole steps; silent for J <= 1."""
    current, tau, rest = np.array([1.05, 1.5, 4.0, 1.0]), 0.02, 3e-3
    ds = nd.simulate(lif(current, np.full(4, tau), rest), method(dt=DT), 0.5)
    for unit, J in enumerate(current[:3]):
        intervals = np.diff(spikes_of(ds, unit))
        expected = tau * np.log(J / (J - 1)) + rest
        # the crossing is seen at the end of a step, and the step of the spike is the first of rest
        assert len(intervals) > 3
        assert_allclose(intervals, expected, atol=2.01 * DT, rtol=1e-3 if method is nd.Euler else 0)
        assert np.ptp(intervals) < 1e-9
    assert spikes_of(ds, 3).size == 0


def test_exact_steps_are_matrix_exponentials():
    """Between spikes, states equal exp(A t) x + ... to rounding, whatever the step."""
    text = """
    dv/dt = (ge + gi + E - v)/taum : 1
    dge/dt = -ge/taue : 1
    dgi/dt = (h - gi)/taui : 1
    dh/dt = -h/taui : 1
    """
    taum, taue, taui, E = 0.02, 0.005, 0.01, 0.3
    x0 = {"v": 0.1, "ge": 2.0, "gi": -0.5, "h": 1.5}
    population = nd.Population(
        1, text, threshold="v > 100", reset="v = 0", taum=taum, taue=taue, taui=taui, E=E, **x0
    )
    A = np.array([[-1 / taum, 1 / taum, 1 / taum, 0], [0, -1 / taue, 0, 0],
                  [0, 0, -1 / taui, 1 / taui], [0, 0, 0, -1 / taui]])  # fmt: skip
    rest = np.array([E, 0, 0, 0])  # fixed point
    for dt in (1e-4, 7e-3):
        names = [f"P.{n}" for n in x0]
        ds = nd.simulate(nd.Network({"P": population}), nd.Exact(dt), 20 * dt, record=names)
        for k in (1, 7, 19):
            expected = rest + expm(A * k * dt) @ (np.array(list(x0.values())) - rest)
            assert_allclose([ds[n].values[0, k, 0] for n in names], expected, rtol=1e-13)


def test_single_precision_has_rounding_errors_and_no_bias():
    """Each step rounds by 0.29 units in the last place (rms), forgotten with tau: 2.9 of them."""
    tau, dt = 0.02, 1e-4
    population = nd.Population(
        500, "dv/dt = (E - v)/tau : volt", tau=tau, E=-0.049, v=np.linspace(-0.08, -0.05, 500)
    )
    runs = [nd.simulate(nd.Network({"P": population}), nd.Exact(dt), 2 * tau, dtype=dtype)
            for dtype in ("float32", "float64")]  # fmt: skip
    last_place = np.spacing(np.float32(0.06))
    error = (runs[0]["P.v"].values.astype(float) - runs[1]["P.v"].values) / last_place
    expected = np.sqrt(1 / 12 / (1 - np.exp(-2 * dt / tau)))
    assert np.sqrt(np.mean(error**2)) < 1.5 * expected
    assert abs(error.mean()) < 0.5 * expected


@pytest.mark.parametrize("detune", [0.0, 1e-12, 1e-6])
def test_equal_time_constants_are_the_limit(detune):
    """Alpha synapse on a membrane of the same time constant: v = w t^2/(2 tau^2) exp(-t/tau)."""
    tau, n = 0.01, 300
    text = """
    dv/dt = (s - v)/taum : 1
    ds/dt = (h - s)/taus : 1
    dh/dt = -h/taus : 1
    """
    population = nd.Population(
        1, text, threshold="v > 10", reset="v = 0", taum=tau, taus=tau * (1 + detune), h=1.0
    )
    ds = nd.simulate(nd.Network({"P": population}), nd.Exact(1e-4), n * 1e-4, record=["P.v"])
    t = np.arange(n) * 1e-4
    expected = t**2 / (2 * tau**2) * np.exp(-t / tau)
    assert_allclose(ds["P.v"].values[0, :, 0], expected, rtol=1e-12 + 3 * detune, atol=1e-16)


def test_parameters_of_each_unit():
    """The propagator differs from unit to unit: each runs as it would alone."""
    tau, current = np.array([0.005, 0.02, 0.02]), np.array([1.3, 1.3, 2.0])
    together = nd.simulate(lif(current, tau), nd.Exact(1e-4), 0.3, record=["P.spike", "P.m"])
    for unit in range(3):
        alone = nd.simulate(
            lif(current[unit : unit + 1], tau[unit : unit + 1]), nd.Exact(1e-4), 0.3,
            record=["P.spike", "P.m"],
        )  # fmt: skip
        assert_array_equal(spikes_of(together, unit), spikes_of(alone))
        assert_array_equal(together["P.m"].values[:, :, unit], alone["P.m"].values[:, :, 0])


@pytest.mark.parametrize("method", [nd.Exact, nd.ExponentialEuler, nd.RK4, nd.Euler, nd.Heun])
def test_refractory_units_stand_still_where_they_should(method):
    """While v is clamped at its reset, m relaxes towards it: m = v + (m0 - v) exp(-t/tau_m)."""
    rest, dt = 5e-3, 1e-4
    ds = nd.simulate(
        lif(np.array([3.0]), np.array([0.02]), rest, m=0.7), method(dt=dt), 0.05,
        record=["P.spike", "P.v", "P.m"],
    )  # fmt: skip
    first = round(spikes_of(ds)[0] / dt)
    v, m = (ds[f"P.{n}"].values[0, :, 0] for n in "vm")
    steps = np.arange(first + 1, first + round(rest / dt) + 1)
    assert np.all(v[steps] == 0.0)
    assert v[steps[-1] + 1] > 0.0
    # a method of order p leaves out the terms from h^(p + 1)/(p + 1)! on, in every step
    order = {nd.Euler: 1, nd.Heun: 2, nd.RK4: 4}.get(method, 20)
    missing = steps.size * (dt / 0.03) ** (order + 1) / math.factorial(order + 1)
    expected = m[steps[0]] * np.exp(-(steps - steps[0]) * dt / 0.03)
    assert_allclose(m[steps], expected, rtol=1.1 * missing + 1e-13)


def test_refractory_time_of_each_unit():
    rest = np.array([0.0, 1e-3, 4e-3])
    ds = nd.simulate(lif(np.full(3, 2.0), np.full(3, 0.02), rest), nd.Exact(DT), 0.3)
    intervals = [np.diff(spikes_of(ds, k))[0] for k in range(3)]
    # the step of the spike itself is one of the refractory time, or it would not rest at all
    assert_allclose(np.diff(intervals), [1e-3 - DT, 3e-3], atol=1.01 * DT)


def test_reset_statements_follow_one_another():
    """A later statement sees what an earlier one has set."""
    text = """
    dv/dt = 1/second : 1
    da/dt = 0/second : 1
    db/dt = 0/second : 1
    """
    population = nd.Population(
        1, text, threshold="v > 1", reset="a += 2; b = 10*a + v; v -= 1; a = a*b", a=1.0
    )
    ds = nd.simulate(nd.Network({"P": population}), nd.Euler(dt=0.375), 1.5,
                     record=["P.v", "P.a", "P.b"])  # fmt: skip
    # v = 0.375, 0.75, 1.125 -> spike: a = 3, b = 31.125, v = 0.125, a = 93.375
    found = [ds[f"P.{n}"].values[0, 3, 0] for n in "vab"]
    assert_allclose(found, [0.125, 93.375, 31.125], rtol=1e-15)


def test_algebraic_variables_in_threshold_and_reset_are_those_after_the_step():
    text = """
    dv/dt = 1/second : 1
    dlast/dt = 0/second : 1
    twice = 2*v : 1
    """
    population = nd.Population(1, text, threshold="twice > 1", reset="last = twice; v = 0")
    ds = nd.simulate(nd.Network({"P": population}), nd.Euler(dt=0.25), 1.0, record=["P.last"])
    assert_array_equal(ds["P.last"].values[0, :, 0], [0.0, 0.0, 0.0, 1.5])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("dv/dt = -v**2/tau : 1", "its slope by `v` is -2*v/tau"),
        ("dv/dt = -v*I/tau : 1", "its slope by `v` is -I/tau"),
        ("dv/dt = (I - v)/tau + heaviside(v)/tau : 1", "heaviside(v)"),
        ("dv/dt = (I - v)/tau + int(v > 0.5)/tau : 1", "int((v) > (0.5))"),
    ],
)
def test_exact_refuses_what_is_not_linear(text, why):
    population = nd.Population(1, text, threshold="v > 1", reset="v = 0", tau=0.01)
    with pytest.raises(ValueError, match="nd.Exact integrates linear equations") as error:
        nd.simulate(nd.Network({"P": population}), nd.Exact(1e-4), 1e-3)
    assert why in str(error.value)
    assert "nd.ExponentialEuler" in str(error.value)


def test_exact_integrates_a_rate_network_without_spikes():
    """With inputs held over a step a linear network is exact for each unit."""
    network = nd.Network({"P": nd.Population(1, "dx/dt = (I - x)/tau : 1", tau=0.1, x=1.0)})
    ds = nd.simulate(network, nd.Exact(0.05), 1.0, inputs={"P.I": 0.25})
    t = np.arange(20) * 0.05
    assert_allclose(ds["P.x"].values[0, :, 0], 0.25 + 0.75 * np.exp(-t / 0.1), rtol=1e-14)
