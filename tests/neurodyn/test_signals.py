"""Signals against closed forms, naive loops, and themselves cut into pieces.

Statistical tolerances are 5 standard errors, computed from the number of samples; seeds are fixed.
"""

import json
import pickle

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

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
    as_signal,
)

DT = 1e-3
N_UNITS, N_TRIALS = 4, 3
SEEDS = np.random.SeedSequence(5).spawn(N_TRIALS)
DATA = np.random.default_rng(0).standard_normal((N_TRIALS, 1500, N_UNITS))
PER_UNIT = np.array([1.0, -2.0, 3.0, 0.5])

#: Every kind of signal: name -> (signal, trials and units of what `take` returns).
SIGNALS = {
    "constant": (Constant(2.0), (1, 1)),
    "constant per unit": (Constant(PER_UNIT), (1, N_UNITS)),
    "step": (Step(40 * nd.ms, 1.0, before=PER_UNIT), (1, N_UNITS)),
    "pulse": (Pulse(0.03, 0.02, 1.5), (1, 1)),
    "pulses": (Pulse(3 * nd.ms, 2 * nd.ms, PER_UNIT, period=5 * nd.ms), (1, N_UNITS)),
    "sinusoid": (Sinusoid(PER_UNIT, 13.7, 0.3, 0.1), (1, N_UNITS)),
    "ou": (OrnsteinUhlenbeck(20 * nd.ms, 2.0, 1.0), (N_TRIALS, N_UNITS)),
    "ou per unit": (OrnsteinUhlenbeck([0.01, 0.02, 3.0, 1e-5], PER_UNIT**2), (N_TRIALS, N_UNITS)),
    "poisson": (Poisson(800 * nd.Hz, 0.1), (N_TRIALS, N_UNITS)),
    "poisson per unit": (Poisson(PER_UNIT**2 * 1e4), (N_TRIALS, N_UNITS)),
    "array": (ArraySignal(DATA), (N_TRIALS, N_UNITS)),
    "slow array": (ArraySignal(DATA[0, :, 0], dt=3 * nd.ms), (1, 1)),
    "function": (FunctionSignal(lambda t: np.sin(40 * t)), (1, 1)),
    "function per unit": (FunctionSignal(lambda t: np.cos(np.outer(t, PER_UNIT))), (1, N_UNITS)),
    # sees the arrays that it is called with, as the last bits of vectorised functions may
    "function of neighbours": (FunctionSignal(lambda t: np.cumsum(t)), (1, 1)),
    "sum": (
        OrnsteinUhlenbeck(0.02, 1.0)
        + 2 * Poisson(100.0)
        - PER_UNIT * Sinusoid(1.0, 3.0)
        + 0.5 * (Poisson(50.0) + OrnsteinUhlenbeck(0.1, 0.3)),
        (N_TRIALS, N_UNITS),
    ),
}
N_STEPS = 1400


@pytest.fixture(params=SIGNALS.values(), ids=list(SIGNALS))
def case(request):
    return request.param


def sample(signal, n_steps, *, dt=DT, n_units=N_UNITS, seeds=SEEDS, start=0, **options):
    return signal.sampler(dt, n_units, seeds, start, **options).take(n_steps)


class TestEverySignal:
    def test_shape_and_memory(self, case):
        signal, shape = case
        sampler = signal.sampler(DT, N_UNITS, SEEDS)
        assert (sampler.n_trials, sampler.n_units, sampler.step) == (*shape, 0)
        for n, total in ((7, 7), (1, 8)):  # one step of a constant could be a read-only view
            values = sampler.take(n)
            assert values.shape == (n, *shape) and values.dtype == np.float64
            assert values.flags.c_contiguous and values.flags.writeable
            assert sampler.step == total
        assert sampler.take(0).shape == (0, *shape)

    def test_values_do_not_depend_on_how_a_run_is_cut(self, case):
        signal, _ = case
        whole = sample(signal, N_STEPS)
        for pieces in ([1] * 70 + [N_STEPS - 70], [0, 31, 1, 32, 33, 500, 3, 800], [1023, 2, 375]):
            sampler = signal.sampler(DT, N_UNITS, SEEDS)
            parts = np.concatenate([sampler.take(n) for n in pieces])
            assert parts.tobytes() == whole.tobytes()

    @pytest.mark.parametrize("start", [1, 31, 32, 1000, 1399])
    def test_values_do_not_depend_on_where_a_sampler_starts(self, case, start):
        signal, _ = case
        rest = sample(signal, N_STEPS - start, start=start)
        assert rest.tobytes() == sample(signal, N_STEPS)[start:].tobytes()

    def test_values_do_not_depend_on_the_batch(self, case):
        signal, (n_trials, _) = case
        whole = sample(signal, 300)
        for first in range(N_TRIALS):
            options = {"first_trial": first, "n_trials": N_TRIALS}
            one = sample(signal, 300, seeds=SEEDS[first : first + 1], **options)
            assert one.shape[1] == 1
            expected = whole[:, [first]] if n_trials > 1 else whole
            assert one.tobytes() == expected.tobytes()

    def test_seeds_are_not_used_up(self, case):
        assert sample(case[0], 50).tobytes() == sample(case[0], 50).tobytes()
        assert all(seed.n_children_spawned == 0 for seed in SEEDS)

    def test_describe_is_json(self, case):
        described = case[0].describe()
        assert json.loads(json.dumps(described)) == described
        assert described["kind"] == type(case[0]).__name__

    def test_pickle(self, case):
        signal = case[0]
        if isinstance(signal, FunctionSignal):
            signal = FunctionSignal(np.cos)  # a lambda cannot be pickled
        copy = pickle.loads(pickle.dumps(signal))
        assert sample(copy, 50).tobytes() == sample(signal, 50).tobytes()
        assert copy.describe() == signal.describe()

    def test_is_immutable(self, case):
        with pytest.raises(AttributeError):
            case[0].value = 3.0


class TestDeterministic:
    def test_constant(self):
        for signal in (Constant(2.0), Constant(1.5) + 0.5, 2 * Constant(1.0), 2.5 - Constant(0.5)):
            assert signal.is_constant
            assert_array_equal(signal.constant_value(3), [2.0] * 3)
            assert_array_equal(sample(signal, 4), np.full((4, 1, 1), 2.0))
        assert_array_equal((PER_UNIT * Constant(2.0)).constant_value(4), 2 * PER_UNIT)
        with pytest.raises(TypeError, match="Step varies in time; it has no constant value"):
            Step(1.0, 2.0).constant_value(3)
        with pytest.raises(ValueError, match=r"`value` of .* \(3,\); got shape \(4,\)"):
            Constant(PER_UNIT).constant_value(3)

    def test_the_step_at_which_something_happens(self):
        """From the step that begins at that time on, also where dt is no binary fraction."""
        for k in (0, 1, 3, 7, 10, 1999):
            values = sample(Step(k * 1e-4, 5.0, before=-1.0), 2000, dt=1e-4)[:, 0, 0]
            assert_array_equal(values, [-1.0] * k + [5.0] * (2000 - k))
        assert sample(Step(-0.5, 5.0), 1) == 5.0

    @settings(max_examples=50, deadline=None)
    @given(st.integers(-5, 20), st.integers(1, 10), st.integers(0, 10), st.booleans())
    def test_pulse_against_a_loop(self, start, duration, pause, once):
        period = None if once else duration + pause
        pulse = Pulse(start * DT, duration * DT, 2.0, -1.0, None if once else period * DT)
        expected = []
        for k in range(60):
            since = k - start
            if since >= 0 and not once:
                while since >= period:
                    since -= period
            expected.append(2.0 if 0 <= since < duration else -1.0)
        assert_array_equal(sample(pulse, 60)[:, 0, 0], expected)

    def test_sinusoid(self):
        t = np.arange(50) * DT
        values = sample(Sinusoid(PER_UNIT, 20.0, np.pi / 6, 0.3), 50)[:, 0]
        expected = 0.3 + np.outer(np.sin(2 * np.pi * 20.0 * t + np.pi / 6), PER_UNIT)
        assert_allclose(values, expected, rtol=1e-13, atol=1e-14)
        assert_allclose(values[0], 0.3 + PER_UNIT / 2)

    def test_function(self):
        t = np.arange(2000) * DT
        assert_array_equal(sample(FunctionSignal(lambda t: t**2), 2000)[:, 0, 0], t**2)
        assert_array_equal(sample(FunctionSignal(lambda t: t > 0.01), 20)[:, 0, 0], t[:20] > 0.01)
        assert_array_equal(sample(FunctionSignal(lambda t: 3.0), 5)[:, 0, 0], 3.0)

    def test_function_that_ends_with_the_run(self):
        known = np.arange(11) * 1e-2

        def f(t):
            if t.max() > known[-1]:
                raise ValueError("beyond the data")
            return np.interp(t, known, known**2)

        assert_allclose(sample(FunctionSignal(f), 101)[:, 0, 0][::10], known**2, atol=1e-12)
        with pytest.raises(ValueError, match="beyond the data"):
            sample(FunctionSignal(f), 102)

    def test_function_with_the_axes_of_a_square(self):
        """As many times as units: the axis is still time."""
        values = sample(FunctionSignal(lambda t: t), N_UNITS)
        assert values.shape == (N_UNITS, 1, 1)

    @pytest.mark.parametrize(
        ("f", "match"),
        [
            (lambda t: np.ones(3), r"`f` of E.I must return shape \(1,\) or \(1, 4\) for 1 times"),
            (lambda t: np.ones((t.size, 3)), r"got \(1, 3\)"),
            (
                lambda t: np.where(t < 0.1, 0, np.nan),
                "`f` of E.I must be finite; got nan at t = 0.1",
            ),
            (lambda t: np.ones((t.size, 1 if t[0] == 0 and t.size == 1 else 4)), "same number"),
        ],
    )
    def test_bad_functions(self, f, match):
        with pytest.raises(ValueError, match=match):
            sample(FunctionSignal(f), 200, name="E.I")

    def test_array(self):
        assert_array_equal(sample(ArraySignal(DATA), 1500), DATA.transpose(1, 0, 2))
        assert_array_equal(sample(ArraySignal(DATA[0]), 9), DATA[0, :9, None])
        held = sample(ArraySignal([1.0, 2.0, 3.0], dt=0.004), 12)[:, 0, 0]
        assert_array_equal(held, np.repeat([1.0, 2.0, 3.0], 4))
        middle = sample(ArraySignal([1.0, 2.0, 3.0], dt=0.004), 3, start=7)[:, 0, 0]
        assert_array_equal(middle, [2.0, 3.0, 3.0])

    def test_axes_of_an_array(self):
        by_trial = ArraySignal(DATA[:, :, 0], axes=("trial", "time"))
        assert_array_equal(sample(by_trial, 9), DATA[:, :9, 0].T[:, :, None])
        turned = ArraySignal(DATA.transpose(1, 2, 0), axes=("time", "unit", "trial"))
        assert_array_equal(sample(turned, 9), sample(ArraySignal(DATA), 9))
        labelled = xr.DataArray(DATA[0].T, dims=("unit", "time"))
        assert_array_equal(sample(as_signal(labelled), 9), DATA[0, :9, None])
        with pytest.raises(ValueError, match=r"out of \"trial\".*axes=\('unit', 'neuron'\)"):
            as_signal(xr.DataArray(DATA[0].T, dims=("unit", "neuron")))

    def test_array_is_copied(self):
        data = DATA[0].copy()
        signal = ArraySignal(data)
        data[...] = 0.0
        assert_array_equal(sample(signal, 9), DATA[0, :9, None])
        with pytest.raises(ValueError, match="read-only"):
            signal.values[0] = 1.0

    @pytest.mark.parametrize(
        ("signal", "options", "match"),
        [
            (ArraySignal(np.ones(5), dt=0.1), {"n_steps": 501}, "`values` of E.I hold 5 samples"),
            (ArraySignal(np.ones(5), dt=0.1), {"n_steps": 501}, r"last 0.5 s; a run until 0.501 s"),
            (
                ArraySignal(np.ones(4)),
                {"n_steps": 1000},
                r"which last 0.004 s.*`Constant\(values\)`",
            ),
            (
                ArraySignal(np.ones(9)),
                {"n_steps": 5, "start_step": 5},
                "a run until 0.01 s needs more",
            ),
            (ArraySignal(np.ones((9, 3))), {}, r"\(..., time, unit\) with 4 units; got \(9, 3\)"),
            (ArraySignal(DATA[:2]), {}, "are for 2 trials; the run has 3"),
            (ArraySignal(DATA), {"first_trial": 1}, "are for 3 trials; the run has 4"),
            (
                ArraySignal(np.ones(9), dt=0.0025),
                {},
                r"`dt` = 0.0025 s .*the nearest multiple is 0.00",
            ),
        ],
    )
    def test_array_that_does_not_fit(self, signal, options, match):
        with pytest.raises(ValueError, match=match):
            signal.sampler(DT, N_UNITS, SEEDS, name="E.I", **options)

    def test_array_runs_out_where_the_length_of_the_run_was_not_known(self):
        sampler = ArraySignal(np.arange(5.0)).sampler(DT, N_UNITS, SEEDS)
        assert sampler.take(5).shape == (5, 1, 1)
        with pytest.raises(ValueError, match="which last 0.005 s; a run until 0.006 s"):
            sampler.take(1)


class TestOrnsteinUhlenbeck:
    TAU, SIGMA, MEAN, STEP = (
        0.02,
        1.7,
        0.6,
        0.01,
    )  # dt / tau = 0.5: Euler's variance is 1.33 sigma^2

    def samples(self, n_steps, n_trials=50, n_units=400):
        signal = OrnsteinUhlenbeck(self.TAU, self.SIGMA, self.MEAN)
        seeds = np.random.SeedSequence(1).spawn(n_trials)
        return sample(signal, n_steps, dt=self.STEP, n_units=n_units, seeds=seeds)

    def test_stationary_from_the_first_step_on(self):
        x = self.samples(80)
        for k in (0, 1, 2, 33, 79):  # units and trials are independent
            n = x[k].size
            assert abs(x[k].mean() - self.MEAN) < 5 * self.SIGMA / np.sqrt(n)
            assert abs(x[k].var() - self.SIGMA**2) < 5 * self.SIGMA**2 * np.sqrt(2 / n)
            standard = (x[k].ravel() - self.MEAN) / self.SIGMA
            assert scipy.stats.kstest(standard, "norm").pvalue > 1e-3

    def test_autocorrelation(self):
        x = self.samples(80) - self.MEAN
        for first, lag in ((0, 1), (0, 5), (30, 1), (31, 2), (20, 40)):
            product = x[first] * x[first + lag]
            expected = self.SIGMA**2 * np.exp(-lag * self.STEP / self.TAU)
            error = np.sqrt((self.SIGMA**4 + expected**2) / product.size)
            assert abs(product.mean() - expected) < 5 * error

    def test_units_and_trials_are_independent(self):
        x = self.samples(400, n_trials=6, n_units=5) - self.MEAN
        flat = x.reshape(400, 30) / self.SIGMA
        correlation = flat.T @ flat / 400
        # effective number of samples of the product of two such series: the sum of a^(2|k|)
        a = np.exp(-2 * self.STEP / self.TAU)
        error = np.sqrt((1 + a) / (1 - a) / 400)
        assert np.all(np.abs(correlation[~np.eye(30, dtype=bool)]) < 5 * error)

    def test_against_a_loop_over_steps(self):
        """The doubling of the sampler against the recursion, on the same draws."""
        from neurodyn.signals.samplers import Grid

        tau, sigma = np.array([0.003, 0.05]), np.array([1.0, 2.0])
        generator = Grid(DT, 2, tuple(SEEDS[:1]), 0, None, 0, 1, "").generators()[0]
        x = sigma * generator.standard_normal(2)
        expected = []
        for _ in range(100):
            expected.append(x + 0.5)
            a = np.exp(-DT / tau)
            x = a * x + sigma * np.sqrt(1 - a**2) * generator.standard_normal(2)
        values = sample(OrnsteinUhlenbeck(tau, sigma, 0.5), 100, n_units=2, seeds=SEEDS[:1])
        assert_allclose(values[:, 0], expected, rtol=1e-12, atol=1e-13)

    def test_many_units_use_short_blocks(self):
        signal = OrnsteinUhlenbeck(self.TAU, self.SIGMA)
        whole = sample(signal, 9, n_units=20_000, seeds=SEEDS[:1])
        rest = sample(signal, 7, n_units=20_000, seeds=SEEDS[:1], start=2)
        assert rest.tobytes() == whole[2:].tobytes()
        product = whole[3] * whole[5]
        expected = self.SIGMA**2 * np.exp(-2 * DT / self.TAU)
        assert abs(product.mean() - expected) < 5 * self.SIGMA**2 * np.sqrt(2 / product.size)

    def test_no_noise(self):
        assert_array_equal(sample(OrnsteinUhlenbeck(0.02, 0.0, PER_UNIT), 5)[:, 0], [PER_UNIT] * 5)


class TestPoisson:
    def test_counts(self):
        """Mean, variance, and the distribution of single counts; few and many per step."""
        for rate in (30.0, 2000.0, 50_000.0):
            counts = sample(Poisson(rate, 0.5), 5000, n_units=5) * DT / 0.5
            assert_allclose(counts, np.round(counts), atol=1e-9)
            expected, n = rate * DT, counts.size
            assert abs(counts.mean() - expected) < 5 * np.sqrt(expected / n)
            error = np.sqrt((expected + 2 * expected**2) / n)  # fourth moment 3 m^2 + m
            assert abs(counts.var() - expected) < 5 * error
            lag = (counts[1:] - expected) * (counts[:-1] - expected)
            assert abs(lag.mean()) < 5 * expected / np.sqrt(lag.size)
            values = np.arange(np.floor(expected - 3 * np.sqrt(expected)).clip(0), expected + 3)
            for k in values:
                p = scipy.stats.poisson.pmf(k, expected)
                assert abs(np.mean(np.round(counts) == k) - p) < 5 * np.sqrt(p / n)

    def test_area_of_a_pulse(self):
        """The integral of the signal is the number of events times the weight, for any dt."""
        for dt in (1e-3, 1e-4):
            events = sample(Poisson(1000.0, PER_UNIT), 2000, dt=dt).sum(axis=0) * dt / PER_UNIT
            assert_allclose(events, np.round(events), atol=1e-6)
            expected = 2000 * dt * 1000
            assert np.all(np.abs(events - expected) < 5 * np.sqrt(expected))

    def test_rates_per_unit(self):
        rates = np.array([0.0, 100.0, 1000.0, 20_000.0])
        counts = sample(Poisson(rates), 4000)[:, 0] * DT
        assert_array_equal(counts[:, 0], 0.0)
        assert np.all(np.abs(counts.mean(axis=0) - rates * DT) <= 5 * np.sqrt(rates * DT / 4000))


class TestSums:
    def test_values_add_up(self):
        signal = Sinusoid(1.0, 7.0) - PER_UNIT * Step(0.01, 2.0) + 0.5
        t = np.arange(30) * DT
        expected = np.sin(14 * np.pi * t)[:, None] - np.outer(t > 0.0095, 2 * PER_UNIT) + 0.5
        assert_allclose(sample(signal, 30)[:, 0], expected, atol=1e-13)
        assert_allclose(sample(-signal, 30)[:, 0], -expected, atol=1e-13)
        assert_allclose(sample(1.0 - 2 * signal, 30)[:, 0], 1 - 2 * expected, atol=1e-13)
        assert_allclose(sample(signal * 2 * 3, 30)[:, 0], 6 * expected, atol=1e-12)

    def test_arrays_and_functions_as_terms(self):
        total = Constant(1.0) + DATA[0, :, 0] + (lambda t: t)
        assert_allclose(sample(total, 9)[:, 0, 0], 1 + DATA[0, :9, 0] + np.arange(9) * DT)

    def test_random_sources_are_different(self):
        ou = OrnsteinUhlenbeck(0.02, 1.0)
        difference = sample(ou - ou, 1000)  # two sources, although one description
        assert abs(difference.var() - 2) < 0.5
        correlations = np.corrcoef(
            [
                sample(s, 4000, n_units=1, seeds=SEEDS[:1]).ravel()
                for s in (OrnsteinUhlenbeck(1e-5, 1.0), ou_at(1), ou_at(2), ou_at(3))
            ]
        )
        assert np.all(np.abs(correlations - np.eye(4)) < 5 / np.sqrt(4000))

    def test_other_terms_do_not_change_the_draws(self):
        ou = OrnsteinUhlenbeck(0.02, 1.0)
        alone = sample(ou, 100)
        for signal in (ou + 0.0, 0.0 + ou, Sinusoid(0.0, 1.0) + ou + 0.0 * Poisson(10.0)):
            assert_array_equal(sample(signal, 100), alone)

    def test_streams_are_not_those_of_spawned_seeds(self):
        """The simulator may spawn children of the same seeds for other purposes."""
        seed = np.random.SeedSequence(3)
        ours = sample(OrnsteinUhlenbeck(1e-9, 1.0), 50, n_units=1, seeds=[seed]).ravel()
        for other in (seed, *np.random.SeedSequence(3).spawn(3)):
            assert abs(np.random.default_rng(other).standard_normal(50) - ours).min() > 1e-9

    def test_nested_sums_are_flat(self):
        signal = (Constant(1.0) + Step(0.01, 1.0)) + (Constant(2.0) + Poisson(3.0))
        assert [type(t).__name__ for t in signal.terms] == [
            "Constant",
            "Step",
            "Constant",
            "Poisson",
        ]
        assert signal.n_random == 1 and not signal.is_constant


def ou_at(position):
    """White noise that is the random source of this number in a sum."""
    white = OrnsteinUhlenbeck(1e-5, 1.0)
    signal = white
    for _ in range(position):
        signal = 0.0 * white + signal
    return signal


class TestUnits:
    def test_values_are_si(self):
        step = Step(5 * nd.ms, 2 * nd.nA, before=1 * nd.pA)
        assert (step.at, step.value, step.before, step.dim) == (0.005, 2e-9, 1e-12, nd.nA.dim)
        pulse = Pulse(1 * nd.second, 20 * nd.ms, np.ones(3) * nd.mV, period=1 * nd.minute)
        assert (pulse.start, pulse.duration, pulse.period) == (1.0, 0.02, 60.0)
        assert_array_equal(pulse.value, [1e-3] * 3)
        assert Sinusoid(1 * nd.mV, 2 * nd.kHz).frequency == 2000.0
        assert ArraySignal(np.ones(3) * nd.mV, dt=1 * nd.ms).dim == nd.mV.dim

    def test_dimension_of_each_kind(self):
        assert Constant(1.0).dim is None
        assert Constant(1 * nd.mV).dim == nd.mV.dim
        assert OrnsteinUhlenbeck(10 * nd.ms, 1 * nd.mV, 2.0).dim == nd.mV.dim
        assert Poisson(10 * nd.Hz).dim is None
        assert Poisson(10 * nd.Hz, 1 * nd.mV).dim == (nd.mV / nd.second).dim
        assert (Constant(1 * nd.mV) + 3.0).dim == nd.mV.dim
        assert (Sinusoid(1.0, 5.0) * nd.mV).dim == nd.mV.dim
        assert (Constant(1 * nd.mV) * nd.nS).dim == (nd.mV * nd.nS).dim
        assert FunctionSignal(lambda t: t / 0.1 * nd.mV).dim == nd.mV.dim
        assert_allclose(sample(FunctionSignal(lambda t: t / 0.1 * nd.mV), 3)[2], 2e-5)
        assert Constant(1 * nd.mV).describe()["unit"] == "V"

    def test_brian2_units(self):
        units = pytest.importorskip("brian2.units")
        signal = Step(5 * units.ms, 2 * units.nA)
        assert (signal.at, signal.value, signal.dim) == (0.005, 2e-9, nd.nA.dim)
        assert as_signal(np.ones(3) * units.mV).dim == nd.mV.dim

    @pytest.mark.parametrize(
        ("call", "match"),
        [
            (lambda: Step(5 * nd.mV, 1.0), "`at` must be in s; got V"),
            (lambda: Step(0.1, 1 * nd.mV, before=1 * nd.nA), "`value` in V, `before` in A"),
            (lambda: OrnsteinUhlenbeck(1 * nd.mV, 1.0), "`tau` must be in s; got V"),
            (lambda: Poisson(1 * nd.ms), "`rate` must be in Hz; got s"),
            (lambda: Sinusoid(1.0, 1 * nd.second), "`frequency` must be in Hz; got s"),
            (lambda: Constant(1 * nd.mV) + 1 * nd.nA, r"`terms\[0\]` in V, `terms\[1\]` in A"),
        ],
    )
    def test_units_that_do_not_fit(self, call, match):
        with pytest.raises(nd.UnitError, match=match):
            call()


class TestAsSignal:
    def test_what_becomes_what(self):
        step = Step(0.1, 1.0)
        assert as_signal(step) is step
        for number in (1, 1.5, np.float64(2.0), np.array(3.0), 2 * nd.mV):
            assert isinstance(as_signal(number), Constant)
        for array in (np.ones(3), [1.0, 2.0], np.ones((3, 4)), np.ones(3) * nd.mV):
            assert isinstance(as_signal(array), ArraySignal)
        assert isinstance(as_signal(np.sin), FunctionSignal)

    @pytest.mark.parametrize(
        ("value", "error", "match"),
        [
            ("1 mV", TypeError, "`I_ext` must be real numbers; got '1 mV'"),
            (None, TypeError, "`I_ext` must be real numbers; got None"),
            (np.nan, ValueError, "`I_ext` must be finite; got nan"),
            ([1.0, np.inf], ValueError, r"`I_ext` must be finite; got inf at index = \[1\]"),
            (
                np.ones((1, 1, 1, 1)),
                ValueError,
                r"`I_ext` must have axes .*got shape \(1, 1, 1, 1\)",
            ),
        ],
    )
    def test_what_it_refuses(self, value, error, match):
        with pytest.raises(error, match=match):
            as_signal(value, "I_ext")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Constant(np.nan), "`value` must be finite; got nan"),
        (lambda: Constant(np.ones((2, 3))), r"`value` .*\(2, 3\). Values in time are an `ArraySig"),
        (lambda: Step([0.1, 0.2], 1.0), "`at` must be one time, in s"),
        (lambda: Pulse(0.1, 0.0, 1.0), "`duration` must be a positive time, in s; got 0.0"),
        (lambda: Pulse(0.1, 0.2, 1.0, period=0.1), "`period` must be at least `duration` = 0.2 s"),
        (lambda: OrnsteinUhlenbeck(0.0, 1.0), "`tau` must be positive, in s; got 0.0"),
        (lambda: OrnsteinUhlenbeck([0.1, -0.1], 1.0), "`tau` must be positive, in s; got -0.1"),
        (lambda: OrnsteinUhlenbeck(0.1, -1.0), "`sigma` is a standard deviation"),
        (lambda: Poisson(-1.0), "`rate` must be zero or positive, in Hz; got -1.0"),
        (lambda: ArraySignal(1.0), "`values` must have axes"),
        (lambda: ArraySignal(np.ones((2, 3)), axes=("unit", "trial")), "must name them"),
        (lambda: ArraySignal(np.ones((2, 3)), axes=("time", "time")), "must name them"),
        (lambda: ArraySignal(np.ones((0, 3))), r"must not be empty; got shape \(0, 3\)"),
        (lambda: ArraySignal(np.ones(3), dt=-1.0), "`dt` must be a positive time"),
    ],
)
def test_values_are_checked_when_a_signal_is_made(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize(
    ("signal", "match"),
    [
        (
            Step(0.0125, 1.0),
            "`at` = 0.0125 s of E.I is not a multiple of dt = 0.001 s; the nearest",
        ),
        (Step(0.01 + 1e-9, 1.0), "`at` = 0.010000001 s .* the nearest multiple is 0.01 s"),
        (Pulse(0.1, 0.0004, 1.0), "`duration` = 0.0004 s .* the nearest multiple is 0.001 s"),
        (Pulse(0.1, 1e-13, 1.0), "`duration` = 1e-13 s .* the nearest multiple is 0.001 s"),
        (Pulse(0.1, 0.001, 1.0, period=0.0037), "`period` = 0.0037 s .* multiple is 0.004 s"),
        (
            Constant([1.0, 2.0]),
            r"`value` of E.I must be a number or have .* \(4,\); got shape \(2,\)",
        ),
        (Step(0.01, 1.0, before=[1.0, 2.0]), "`before` of E.I"),
        (OrnsteinUhlenbeck([0.1], 1.0), r"`tau` of E.I .*got shape \(1,\)"),
        (np.ones(3) * Constant(1.0), r"`factor` of E.I .*got shape \(3,\)"),
    ],
)
def test_what_does_not_fit_the_run(signal, match):
    with pytest.raises(ValueError, match=match):
        signal.sampler(DT, N_UNITS, SEEDS, name="E.I")


def test_times_within_rounding_are_on_the_grid():
    for k in range(1, 3000, 7):
        assert np.argmax(sample(Step(k / 10_000, 1.0), 3001, dt=1e-4)) == k


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((0.0, 4, SEEDS), ValueError, "`dt` must be positive and finite, in s; got 0.0"),
        ((np.inf, 4, SEEDS), ValueError, "`dt` must be positive and finite"),
        ((DT, 0, SEEDS), ValueError, "`n_units` must be an integer of at least 1; got 0"),
        ((DT, 4, [1, 2]), TypeError, r"`trial_seeds` must be SeedSequences.*got \[1, 2\]"),
        ((DT, 4, []), TypeError, "`trial_seeds` must be SeedSequences"),
        ((DT, 4, SEEDS, -1), ValueError, "`start_step` must be an integer of at least 0; got -1"),
    ],
)
def test_arguments_of_sampler(arguments, error, match):
    with pytest.raises(error, match=match):
        Constant(1.0).sampler(*arguments)


def test_long_arrays_are_described_by_a_checksum():
    described = ArraySignal(DATA).describe()
    assert described["values"]["shape"] == [3, 1500, 4] and described["axes"][0] == "trial"
    other = DATA.copy()
    other[-1, -1, -1] += 1e-12
    assert ArraySignal(other).describe()["values"] != described["values"]
    assert ArraySignal([1.0, 2.0]).describe()["values"] == [1.0, 2.0]
    assert FunctionSignal(wave).describe() == {"kind": "FunctionSignal", "f": f"{__name__}.wave"}


def wave(t):
    return np.sin(t)
