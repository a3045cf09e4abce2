"""Neurons against their papers: the equations, written again, integrated by SciPy.

Spikes are seen at the end of a step, and a neuron starts again there: whatever the method, spike
times have an error of the order of dt, up to one dt for each spike before. The membrane between
spikes has the order of the method.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

import neurodyn as nd
from neurodyn import neurons
from tests.published_neurons import (
    ADEX,
    GLIF,
    IZHIKEVICH,
    adex_spikes,
    channels,
    crossings,
    eif_spikes,
    glif_spikes,
    hodgkin_huxley,
    izhikevich_spikes,
    traub_miles,
)

DT = 1e-5
CM2 = nd.uA / nd.cm**2


def run(population, solver, duration, **options):
    return nd.simulate(nd.Network({"P": population}), solver, duration, **options)


def spikes_of(ds, unit):
    """Spike times of a unit, ms."""
    return 1e3 * ds["P.spike_time"].values[ds["P.spike_unit"].values == unit]


def per_unit(patterns):
    """Named patterns as the values of as many units."""
    names = next(iter(patterns.values()))
    return {
        name: nd.Quantity([nd.units.to_si(p[name]).value for p in patterns.values()],
                          nd.units.dimension_of(next(iter(patterns.values()))[name]))
        for name in names
    }  # fmt: skip


def check_spikes(found, expected, *, n_exact=None, late=3.0):
    """Spike times (ms), the first within its step, later ones within `late` steps a spike.

    After `n_exact` spikes only their number counts: there small errors have grown.
    """
    assert len(found) == len(expected)
    if not len(found):
        return
    errors = (found - expected)[:n_exact] / (1e3 * DT)
    # a crossing within step s has the time s*dt; the steps of the upstroke itself are coarse
    assert -1.01 < errors[0] < 0.3
    assert np.all(np.abs(errors) < late * np.arange(1, errors.size + 1))


# -- integrate-and-fire neurons ----------------------------------------------------------------


def test_lif_rate_is_the_closed_form():
    """Interval refractory + tau log((V - v_reset)/(V - v_th)) with V = v_rest + R I."""
    tau, R, I = np.array([10, 20, 20, 20]) * 1e-3, 80e6, np.array([0.2, 0.3, 0.126, 0.125]) * 1e-9
    v_reset = np.array([-65, -60, -70, -60]) * 1e-3
    population = neurons.lif(
        4, tau=tau, R=R, v_reset=v_reset, refractory=3 * nd.ms, I_ext=I * nd.amp
    )
    ds = run(population, nd.Exact(DT), 0.5)
    V = -60e-3 + R * I
    for unit in range(3):
        expected = 3 + 1e3 * tau[unit] * np.log((V - v_reset) / (V - -50e-3))[unit]
        intervals = np.diff(spikes_of(ds, unit))
        assert len(intervals) >= 3
        assert_allclose(intervals, expected, atol=2.01e3 * DT)
    assert not spikes_of(ds, 3).size  # R I is just the distance to threshold
    assert V[3] == pytest.approx(-50e-3, abs=1e-12)


@pytest.mark.parametrize("pattern", neurons.ADEX_PATTERNS)
def test_adex_spikes_as_the_papers_equations(adex_run, pattern):
    expected = adex_spikes(pattern, 500)
    # a burst ends with a spike that hardly comes, and one of these cells is chaotic
    n_exact = {"irregular spiking": 4, "delayed regular bursting": 4}.get(pattern)
    check_spikes(spikes_of(adex_run, list(ADEX).index(pattern)), expected, n_exact=n_exact)


@pytest.fixture(scope="module")
def adex_run():
    return run(neurons.adex(len(ADEX), **per_unit(neurons.ADEX_PATTERNS)), nd.RK4(DT), 0.5)


def test_adex_spike_times_converge_with_dt(adex_run):
    """To first order: every spike is seen, and the neuron reset, at the end of a step."""
    tonic = list(ADEX).index("tonic spiking")
    expected = adex_spikes("tonic spiking", 500)
    coarse = run(neurons.adex(len(ADEX), **per_unit(neurons.ADEX_PATTERNS)), nd.RK4(4 * DT), 0.5)
    fine, coarse = (np.abs(spikes_of(ds, tonic)[:40] - expected[:40]) for ds in (adex_run, coarse))
    assert 2 < coarse.max() / fine.max() < 8  # 4, but for the place of each crossing in its step


def test_adex_patterns_are_what_they_are_called(adex_run):
    found = {name: np.diff(spikes_of(adex_run, unit)) for unit, name in enumerate(ADEX)}
    latency = {name: spikes_of(adex_run, unit)[0] for unit, name in enumerate(ADEX)}
    assert np.std(found["tonic spiking"][15:]) < 0.01
    for name in ("adaptation", "regular spiking"):
        assert np.all(np.diff(found[name]) > 0)
    burst, rest = found["initial burst"][:2], found["initial burst"][2:]
    assert burst.max() < 0.2 * rest.min() and np.ptp(rest) < 0.2 * rest.min()
    bursting = found["regular bursting"] > 50  # intervals between bursts
    assert list(np.flatnonzero(bursting)) == [2, 4, 6]  # 3 spikes, then pairs
    assert np.all(np.diff(found["delayed accelerating"]) < 2e3 * DT)
    assert latency["delayed accelerating"] > 30 and latency["delayed regular bursting"] > 50
    assert not found["transient spiking"].size
    irregular = found["irregular spiking"]
    assert np.std(irregular) / np.mean(irregular) > 0.3
    assert np.min(np.abs(np.subtract.outer(irregular, irregular))[np.tri(27, k=-1) > 0]) > 0


@pytest.mark.parametrize("pattern", neurons.GLIF_PATTERNS)
def test_glif_spikes_as_the_papers_equations(glif_run, pattern):
    check_spikes(spikes_of(glif_run, list(GLIF).index(pattern)), glif_spikes(pattern, 500))


@pytest.fixture(scope="module")
def glif_run():
    return run(neurons.glif(len(GLIF), **per_unit(neurons.GLIF_PATTERNS)), nd.Exact(DT), 0.5)


def test_glif_patterns_are_what_they_are_called(glif_run):
    found = {name: np.diff(spikes_of(glif_run, unit)) for unit, name in enumerate(GLIF)}
    last = {name: spikes_of(glif_run, unit)[-1] for unit, name in enumerate(GLIF)}
    # a = 0: a plain neuron of 20 ms between -70 and -50 mV that goes for -40 mV
    assert_allclose(found["tonic spiking"], 20 * np.log(30 / 10), atol=2.01e3 * DT)
    assert np.all(np.diff(found["adaptation"]) > 0)
    assert last["phasic spiking"] < 250 and last["phasic bursting"] < 50
    for name in ("tonic bursting", "hyperpolarization-induced bursting"):
        assert np.sum(found[name] > 50) >= 2 and np.median(found[name]) < 10
    assert np.max(found["mixed mode"][:6]) < 15 < np.median(found["mixed mode"][9:])


def test_eif_spikes_as_the_papers_equations():
    """1 uF/cm^2 is 100 pF, so 1 uA/cm^2 is 100 pA."""
    I = np.array([0.16, 0.17, 1.0, 5.0])
    ds = run(neurons.eif(4, I_ext=100 * I * nd.pA), nd.RK4(DT), 0.4)
    for unit in range(4):
        check_spikes(spikes_of(ds, unit), eif_spikes(I[unit], 400))
    # the rheobase is g_L (v_T - E_L - Delta_T) = 0.162 uA/cm^2
    assert len(spikes_of(ds, 0)) == 0 < len(spikes_of(ds, 1))


@pytest.mark.parametrize("method", [nd.RK4, nd.ExponentialEuler])
def test_steps_that_overshoot_the_peak_leave_no_trace(method):
    """With steps of 0.1 ms the exponential would overflow within one, and `w` with it."""
    population = neurons.adex(len(ADEX), **per_unit(neurons.ADEX_PATTERNS))
    ds = run(population, method(1e-4), 0.2, record=["P.spike", "P.w"])
    assert_allclose(spikes_of(ds, 0), adex_spikes("regular spiking", 200), atol=2.0)
    # w grows by b, and by a (v - E_L)/tau_w otherwise
    steps = np.diff(ds["P.w"].values[0, :, 0])
    at_spike = np.rint(spikes_of(ds, 0) / 0.1).astype(int)
    assert np.all(np.abs(steps[at_spike] - 80.5e-12) < 2e-12)
    assert np.max(np.abs(np.delete(steps, at_spike))) < 2e-12


# -- Izhikevich's neurons ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def izhikevich_run():
    population = neurons.izhikevich(
        len(IZHIKEVICH), **per_unit(neurons.IZHIKEVICH_PATTERNS), I_ext=10 * nd.mV / nd.ms
    )
    return run(population, nd.RK4(DT), 0.25)


@pytest.mark.parametrize("pattern", neurons.IZHIKEVICH_PATTERNS)
def test_izhikevich_spikes_as_the_papers_equations(izhikevich_run, pattern):
    found = spikes_of(izhikevich_run, list(IZHIKEVICH).index(pattern))
    expected = izhikevich_spikes(pattern, 250)
    n = min(len(found), len(expected))  # one may lie just beyond the end
    assert len(expected) - n <= 1
    check_spikes(found[:n], expected[:n])


def test_izhikevich_patterns_are_what_they_are_called(izhikevich_run):
    found = {n: np.diff(spikes_of(izhikevich_run, unit)) for unit, n in enumerate(IZHIKEVICH)}
    assert found["RS"][0] < 0.5 * found["RS"][1]  # adapts at once
    assert np.max(found["IB"][:2]) < 5 and np.min(found["IB"][2:]) > 15  # a burst, then single
    assert 3 <= np.sum(found["CH"] > 20) <= np.sum(found["CH"] < 5) / 3  # bursts
    assert len(found["FS"]) > 3 * len(found["RS"])


def test_izhikevich_begins_at_rest():
    population = neurons.izhikevich(3, b=np.array([0.2, 0.25, 0.3]) / nd.ms)
    assert_allclose(population.initial["v"], [-70e-3, -64.4e-3, -58.75e-3], atol=5e-5)
    v, u = 1e3 * population.initial["v"], population.initial["u"]  # mV, V/s = mV/ms
    assert_allclose((0.04 * v**2 + 5 * v + 140 - u)[:2], 0, atol=1e-9)


# -- neurons with channels ---------------------------------------------------------------------

HH_CURRENTS = (0.0, 2.0, 2.5, 6.0, 7.0, 10.0)  # uA/cm^2


@pytest.fixture(scope="module")
def squid():
    return neurons.hodgkin_huxley(len(HH_CURRENTS), I_ext=np.array(HH_CURRENTS) * CM2)


@pytest.fixture(scope="module")
def squid_run(squid):
    return run(squid, nd.RK4(DT), 0.15, record=["P.spike", "P.v"])


@pytest.mark.parametrize("unit", range(len(HH_CURRENTS)))
def test_hodgkin_huxley_spikes_as_the_papers_equations(squid, squid_run, unit):
    """Nothing is reset, so that every spike is seen in the very step of its crossing."""
    expected = crossings(hodgkin_huxley, squid, 150, HH_CURRENTS[unit])
    found = spikes_of(squid_run, unit)
    assert len(found) == len(expected)
    assert_allclose(found / (1e3 * DT), np.floor(expected / (1e3 * DT)), atol=1e-6)


def test_hodgkin_huxley_is_the_squid_axon(squid_run):
    """Rest at -65 mV, thresholds for one spike and for repetitive ones, spikes of 105 mV."""
    counts = np.array([len(spikes_of(squid_run, unit)) for unit in range(len(HH_CURRENTS))])
    v = 1e3 * squid_run["P.v"].values[0]
    assert_allclose(v[:, 0], -65, atol=5e-3)
    assert np.ptp(v[:, 0]) < 1e-6
    # a step of 2.2 to 2.3 uA/cm^2 evokes a spike, one above 6.2 a train
    assert list(counts[:3]) == [0, 0, 1] and counts[3] < 3 and counts[4] > 8
    assert np.max(v[:, 5]) - -65 == pytest.approx(105, abs=1)
    assert 1e3 / np.diff(spikes_of(squid_run, 5))[-1] == pytest.approx(68.3, abs=0.2)  # Hz


@pytest.mark.parametrize(("method", "order", "dt"), [(nd.RK4, 4, 1e-5), (nd.ExponentialEuler, 1, 1e-6)])
def test_action_potentials_converge_at_the_order_of_the_method(squid, method, order, dt):
    exact = channels(hodgkin_huxley, squid, 3, args=(10.0,), dense_output=True, method="DOP853",
                     rtol=1e-13, atol=1e-13, max_step=0.02).sol  # fmt: skip
    errors = []
    for step in (dt, dt / 2):
        ds = run(squid, method(step), 3e-3, record=["P.v"], every=2 * dt)
        time = 1e3 * ds["time"].values
        errors.append(np.max(np.abs(1e3 * ds["P.v"].values[0, :, 5] - exact(time)[0])))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


TM_CURRENTS = (0.0, 1.0, 20.0)  # nA


def test_traub_miles_spikes_as_the_papers_equations():
    """200 pF are 20,000 um^2, so 1 nA is 5 uA/cm^2. The fastest spikes are 2 ms apart."""
    population = neurons.traub_miles(3, I_ext=np.array(TM_CURRENTS) * nd.nA)
    ds = run(population, nd.RK4(DT), 0.1)
    for unit, current in enumerate(TM_CURRENTS):
        expected = crossings(traub_miles, population, 100, 5 * current)
        assert len(expected) >= 2
        assert_allclose(spikes_of(ds, unit), expected, atol=1.01e3 * DT)
    without = crossings(traub_miles, population, 300, 0.0)
    assert 1e3 / np.diff(without)[-1] == pytest.approx(13.9, abs=0.1)  # as the docstring says


def test_rates_at_their_singular_voltages(squid):
    """x/(exp(x) - 1) at 0 is 1; close by, the series 1 - x/2 + x^2/12."""
    for near in (0.0, 1e-12, -1e-9, 1e-7):  # V
        v = np.array([-40e-3, -55e-3, -40e-3, -55e-3, -40e-3, -55e-3]) + near
        start = neurons.hodgkin_huxley(6, v=v, I_ext=np.array(HH_CURRENTS) * CM2)
        ds = run(start, nd.RK4(DT), DT, record=["P.alpha_m", "P.alpha_n"])
        x = -near / 10e-3
        series = 1 - x / 2 + x**2 / 12
        alpha_m, alpha_n = (1e-3 * ds[f"P.alpha_{n}"].values[0, 0] for n in "mn")
        # v itself is rounded to 7e-18 V, x to 7e-16
        assert_allclose(alpha_m[::2], series, rtol=2e-15)
        assert_allclose(alpha_n[1::2], 0.1 * series, rtol=2e-15)


def test_one_spike_where_the_potential_stays_above():
    """A depolarisation block above `v_th` is one spike, then silence."""
    current = np.array([0, 0, 0, 0, 0, 200.0]) * CM2
    population = neurons.hodgkin_huxley(6, v_th=-60 * nd.mV, I_ext=current)
    ds = run(population, nd.RK4(DT), 0.1, record=["P.spike", "P.v"])
    v = ds["P.v"].values[0, :, 5]
    assert v[1000:].min() > -60e-3  # from 10 ms on
    assert len(spikes_of(ds, 5)) == 1


def test_without_threshold_the_equations_are_bare():
    population = neurons.hodgkin_huxley(1, v_th=None)
    assert not population.is_spiking
    assert [v.name for v in population.equations.states] == ["v", "m", "h", "n"]
    assert "fired" not in population.text


# -- synapses ----------------------------------------------------------------------------------


def with_one_spike(populations, synapses, weights, solver, duration, record):
    """Networks in which a spike at 1 ms reaches both kinds of synapses of every population."""
    source = nd.spike_source(1, time=[1e-3], unit=[0])
    couplings = [
        nd.Coupling("source.spike", f"{name}.{target}", [[weight]])
        for name in populations
        for target, weight in zip(synapses[name].targets, weights, strict=True)
    ]
    network = nd.Network({"source": source, **populations}, couplings)
    return nd.simulate(network, solver, duration, record=record)


def alpha(t, tau):
    return np.where(t > 0, np.e * t / tau * np.exp(-t / tau), 0.0)


def exponential(t, tau):
    return np.where(t >= 0, np.exp(-t / tau), 0.0)


#: A spike in step s reaches its target at the end of the step.
ARRIVAL = 1e-3 + 1e-4


def test_currents_and_the_potentials_they_evoke():
    """In closed form, and integrated exactly."""
    tau_m, tau_exc, tau_inh, R = 20e-3, 2e-3, 8e-3, 50e6
    synapses = {
        shape: neurons.Currents(tau_exc=tau_exc, tau_inh=tau_inh, shape=shape)
        for shape in ("exponential", "alpha")
    }
    populations = {
        shape: neurons.lif(1, R=R, synapses=s, v_rest=-70 * nd.mV) for shape, s in synapses.items()
    }
    w = (100e-12, -40e-12)
    names = [f"{shape}.{n}" for shape in synapses for n in ("I_exc", "I_inh", "v")]
    ds = with_one_spike(populations, synapses, w, nd.Exact(1e-4), 0.04, names)
    t = ds["time"].values - ARRIVAL
    t[np.abs(t) < 1e-9] = 0.0

    def evoked(shape, tau):
        """Convolution with exp(-t/tau_m)/tau_m."""
        k = 1 / tau - 1 / tau_m
        if shape == "exponential":
            integral = (1 - np.exp(-k * t)) / k
        else:
            integral = np.e / tau * (1 - np.exp(-k * t) * (1 + k * t)) / k**2
        return np.where(t > 0, R / tau_m * np.exp(-t / tau_m) * integral, 0.0)

    for shape, course in (("exponential", exponential), ("alpha", alpha)):
        I_exc, I_inh, v = (ds[f"{shape}.{n}"].values[0, :, 0] for n in ("I_exc", "I_inh", "v"))
        assert_allclose(I_exc, w[0] * course(t, tau_exc), rtol=1e-11, atol=1e-24)
        assert_allclose(I_inh, w[1] * course(t, tau_inh), rtol=1e-11, atol=1e-24)
        expected = -70e-3 + w[0] * evoked(shape, tau_exc) + w[1] * evoked(shape, tau_inh)
        assert_allclose(v, expected, rtol=1e-13)
    peak = int(np.argmax(ds["alpha.I_exc"].values[0, :, 0]))
    assert t[peak] == pytest.approx(tau_exc, rel=1e-12)
    assert ds["alpha.I_exc"].values[0, peak, 0] == pytest.approx(w[0], rel=1e-12)


def test_conductances_and_the_potentials_they_evoke():
    tau_exc, tau_inh, E_exc, E_inh = 2e-3, 8e-3, 5e-3, -75e-3
    synapses = {
        shape: neurons.Conductances(tau_exc, tau_inh, E_exc, E_inh, shape)
        for shape in ("exponential", "alpha")
    }
    populations = {shape: neurons.lif(1, synapses=s) for shape, s in synapses.items()}
    w = (6e-9, 8e-9)
    names = [f"{shape}.{n}" for shape in synapses for n in ("g_exc", "g_inh", "v")]
    ds = with_one_spike(populations, synapses, w, nd.RK4(1e-4), 0.04, names)
    t = ds["time"].values - ARRIVAL
    t[np.abs(t) < 1e-9] = 0.0
    for shape, course in (("exponential", exponential), ("alpha", alpha)):
        g_exc, g_inh, v = (ds[f"{shape}.{n}"].values[0, :, 0] for n in ("g_exc", "g_inh", "v"))
        # RK4 misses (dt/tau)^5/120 of a decaying quantity in each step, 0.05^5/120 here
        assert_allclose(g_exc, w[0] * course(t, tau_exc), rtol=2e-5, atol=1e-18)
        assert_allclose(g_inh, w[1] * course(t, tau_inh), rtol=2e-5, atol=1e-18)

        def f(s, v, course=course):
            I = w[0] * course(s, tau_exc) * (E_exc - v) + w[1] * course(s, tau_inh) * (E_inh - v)
            return (-60e-3 - v + 100e6 * I) / 20e-3

        after = t >= 0
        exact = solve_ivp(f, (0, 0.04), [-60e-3], t_eval=t[after], rtol=1e-11, atol=1e-14,
                          max_step=1e-3)  # fmt: skip
        assert_allclose(v[after], exact.y[0], atol=2e-9)
        assert np.all(v[~after] == -60e-3)
        assert v.max() > -60e-3 + 1e-4 and v.min() < -60e-3 - 1e-4  # both are to be seen


@pytest.mark.parametrize(
    ("make", "current", "conductance"),
    [
        (neurons.lif, "A", "S"), (neurons.glif, "A", "S"), (neurons.eif, "A", "S"),
        (neurons.adex, "A", "S"), (neurons.traub_miles, "A", "S"),
        (neurons.izhikevich, "V/s", "Hz"),
        (neurons.hodgkin_huxley, "m**-2*A", "m**-4*kg**-1*s**3*A**2"),
    ],
)  # fmt: skip
def test_every_neuron_takes_every_synapse(make, current, conductance):
    for kind, letter, unit in (
        (neurons.Currents, "I", current), (neurons.Conductances, "g", conductance)
    ):  # fmt: skip
        for shape in ("exponential", "alpha"):
            synapses = kind(shape=shape)
            equations = make(3, synapses=synapses).equations
            for name in (*synapses.targets, f"{letter}_exc", f"{letter}_inh"):
                assert name in [v.name for v in equations.states]
                assert nd.units.format_dimension(equations.dimension(name)) == unit
    assert nd.units.format_dimension(make(3).equations.dimension("I_ext")) == current
    assert list(nd.Network({"P": make(3)}).input_names) == ["P.I_ext"]


# -- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: neurons.lif(0), ValueError, "`size` must be a positive number of units; got 0"),
        (lambda: neurons.lif(1, tau=0 * nd.ms), ValueError, "`tau` is a time constant and must be positive"),
        (lambda: neurons.lif(1, R=-1.0), ValueError, "`R` must be positive; got -1 (SI)"),
        (lambda: neurons.lif(1, R=1 * nd.nS), nd.UnitError, ""),
        (lambda: neurons.lif(1, I_ext=1 * nd.mV), nd.UnitError, "`I_ext` is declared in A, but its value has the unit V"),
        (lambda: neurons.lif(1, v_reset=-40 * nd.mV), ValueError, "`reset` leaves unit 0 beyond its threshold"),
        (lambda: neurons.lif(1, taum=1.0), ValueError, "`taum` is given a value, but the equations do not use it; did you mean `tau`?"),
        (lambda: neurons.lif(1, tau_exc=1.0), ValueError, "`tau_exc` is given a value, but the equations do not use it"),
        (lambda: neurons.lif(1, synapses="exponential"), TypeError, "`synapses` must be nd.neurons.Currents(...), nd.neurons.Conductances(...) or None, with which spikes end at `v`; got 'exponential'"),
        (lambda: neurons.lif(1, synapses=neurons.Currents), TypeError, "`synapses` must be nd.neurons.Currents(...)"),
        (lambda: neurons.Currents(shape="alhpa"), ValueError, '`shape` must be "exponential" or "alpha"; got \'alhpa\''),
        (lambda: neurons.lif(2, synapses=neurons.Currents(tau_exc=[1.0, 0.0])), ValueError, "`tau_exc` is a time constant and must be positive; got 0"),
        (lambda: neurons.eif(1, Delta_T=0.0), ValueError, "`Delta_T` must be positive; got 0 (SI)"),
        (lambda: neurons.eif(2, C=np.array([1, np.nan]) * nd.pF), ValueError, "`C` must be finite; `C[1]` is nan"),
        (lambda: neurons.adex(1, "adaption"), ValueError, "no `pattern` 'adaption'; did you mean `adaptation`? There are `regular spiking`,"),
        (lambda: neurons.adex(1, C=0), ValueError, "`C` must be positive; got 0 (SI)"),
        (lambda: neurons.glif(1, 5), ValueError, "no `pattern` 5. There are `tonic spiking`,"),
        (lambda: neurons.izhikevich(1, a=0.02, b=0.2, c=-65, d=8), ValueError, "`c` is a potential in V; got -65 V. Write the paper's values with their units"),
        (lambda: neurons.izhikevich(1, I_ext=10 * nd.pA), nd.UnitError, "`I_ext` is declared in V/s, but its value has the unit A"),
        (lambda: neurons.hodgkin_huxley(1, C=-1.0), ValueError, "`C` must be positive; got -1 (SI)"),
        (lambda: neurons.hodgkin_huxley(1, I_ext=1 * nd.nA), nd.UnitError, "`I_ext` is declared in m**-2*A, but its value has the unit A"),
    ],
)  # fmt: skip
def test_bad_input(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
