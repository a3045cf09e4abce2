"""Exponents of spiking networks beside runs solved in closed form, without a saltation matrix.

Leaky and quadratic units with pulses have formulas for the potential and for the next spike. The
naive run below is nothing but these; its derivative by all initial potentials is a complex step,
through spike times and all, exact to rounding.
"""

import numpy as np
import pytest

import neurodyn as nd
from neurodyn import analyses

TAU = 0.01


class Leaky:
    """tau dv/dt = I - v, threshold 1, reset 0."""

    text, threshold, reset = "dv/dt = (I - v)/tau : 1", 1.0, 0.0

    def flow(self, v, drive, t):
        return drive - (drive - v) * np.exp(-t / TAU)

    def time_to_threshold(self, v, drive):
        return TAU * np.log((drive - v) / (drive - self.threshold))


class Quadratic:
    """tau dv/dt = v**2 + I, threshold 6, reset -6."""

    text, threshold, reset = "dv/dt = (v**2 + I)/tau : 1", 6.0, -6.0

    def flow(self, v, drive, t):
        root = np.sqrt(drive)
        return root * np.tan(root * t / TAU + np.arctan(v / root))

    def time_to_threshold(self, v, drive):
        root = np.sqrt(drive)
        return TAU / root * (np.arctan(self.threshold / root) - np.arctan(v / root))


def network(unit, drive, W, delay=0.0):
    n = len(W)
    population = nd.Population(
        n, unit.text, threshold=f"v > {unit.threshold}", reset=f"v = {unit.reset}",
        tau=TAU, I=drive,
    )  # fmt: skip
    return nd.Network({"E": population}, [nd.Coupling("E.spike", "E.v", W, delay=delay)])


def exact_run(unit, drive, W, v, duration):
    """Potentials (unit,) after `duration`, from spike to spike; complex ones carry a derivative."""
    left, n_spikes = duration, 0
    while True:
        times = unit.time_to_threshold(v, drive)
        first = int(np.argmin(times.real))
        if times[first].real > left.real:
            return unit.flow(v, drive, left), n_spikes
        v = unit.flow(v, drive, times[first]) + W[:, first]
        v[first] = unit.reset  # no unit excites itself
        left, n_spikes = left - times[first], n_spikes + 1


def exact_exponents(unit, drive, W, v, vectors, n_intervals, interval):
    e, total, n_spikes = 1e-30, np.zeros(vectors.shape[1]), 0
    Q = np.linalg.qr(vectors)[0]
    for _ in range(n_intervals):
        runs = [exact_run(unit, drive, W, v + 1j * e * q, interval)[0] for q in Q.T]
        v, spikes = exact_run(unit, drive, W, v, interval)
        Q, R = np.linalg.qr(np.stack([run.imag / e for run in runs], axis=-1))
        total += np.log(np.abs(np.diagonal(R)))
        n_spikes += spikes
    return total / (n_intervals * interval), v, n_spikes


def inhibitory(n, k, size, rng):
    W = np.zeros((n, n))
    for post in range(n):
        W[post, rng.choice(np.delete(np.arange(n), post), k, replace=False)] = -size
    return W


CASES = {
    "leaky": (Leaky(), 1.4, 0.06, 2e-4),
    "quadratic": (Quadratic(), 0.8, 0.5, 5e-5),
}


@pytest.mark.parametrize("name", CASES)
def test_whole_spectrum_is_that_of_the_closed_form(name):
    """Both spectra over the same 0.4 s, from the same state and vectors, at two steps."""
    unit, drive, size, h = CASES[name]
    rng = np.random.default_rng(2)
    n, n_intervals, interval = 10, 20, 0.02
    drive = drive + 0.1 * rng.random(n)
    W, v, vectors = inhibitory(n, 3, size, rng), 0.9 * rng.random(n), rng.normal(size=(n, n))
    exact, _, n_spikes = exact_exponents(unit, drive, W, v, vectors, n_intervals, interval)
    assert n_spikes > 5 * n
    net = network(unit, drive, W)
    errors = []
    for step in (2 * h, h):
        found = analyses.lyapunov_spectrum(
            net, nd.RK4(dt=step), duration=n_intervals * interval, transient=0, interval=interval,
            initial={"E.v": v}, vectors=vectors,
        )  # fmt: skip
        off = found.exponents - np.sort(exact)[::-1]  # they come in order
        errors.append(np.abs(off).max() * TAU)
        assert found.is_whole and np.isclose(found.divergence, exact.sum(), rtol=1e-5)
    assert errors[1] < 1e-7  # in units of 1/TAU
    assert errors[0] / errors[1] > 8  # of the method's order, 4


def test_spikes_on_their_way_are_orthonormalised_with_the_vectors():
    """The volume that vectors span at the end does not depend on how often they are made
    orthonormal on the way, so neither does the sum of the exponents of a run."""
    unit, drive, size, h = CASES["quadratic"]
    rng = np.random.default_rng(3)
    n = 6
    W, v, vectors = inhibitory(n, 3, size, rng), 0.9 * rng.random(n), rng.normal(size=(n, 3))
    net = network(unit, drive, W, delay=0.0041)
    found = [
        analyses.lyapunov_spectrum(
            net, nd.RK4(dt=2 * h), 3, duration=0.2, transient=0, interval=interval,
            initial={"E.v": v}, vectors=vectors,
        )
        for interval in (0.02, 0.005, 0.001)
    ]  # fmt: skip
    np.testing.assert_allclose(
        [np.sort(s.per_trial[0]) for s in found[1:]],
        [np.sort(found[0].per_trial[0])] * 2,
        atol=1e-5,
    )
    assert not found[0].is_whole


def test_a_delayed_network_has_more_states_than_its_units():
    """Its units cross together at first, where rounding decides which is seen before the other."""
    unit, drive, size, h = CASES["leaky"]
    net = network(unit, drive, -size * (1 - np.eye(2)), delay=0.003)
    found = analyses.lyapunov_spectrum(net, nd.RK4(dt=1e-3), duration=0.2, transient=0, rng=0)
    assert found.exponents.size == 2 and not found.is_whole and np.isnan(found.divergence)


def test_units_that_cross_together_keep_their_own_tangents():
    """Equal units without coupling, all from the same state: each has a tangent of its own, which
    is f(v(t))/f(v(0)), and as many exponents are 0 as there are units."""
    n = 7
    net = network(CASES["leaky"][0], 2.0, np.zeros((n, n)))
    period = TAU * np.log(2)
    found = analyses.lyapunov_spectrum(
        net, nd.RK4(dt=period / 40), duration=50 * period, transient=0, interval=period,
        initial={"E.v": 0.3}, rng=0,
    )  # fmt: skip
    np.testing.assert_allclose(found.exponents * TAU, 0, atol=1e-5)
