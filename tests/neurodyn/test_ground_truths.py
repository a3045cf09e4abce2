"""What must come out of a simulation whatever the code: exact answers, symmetries, and streams of
random numbers that depend on nothing but the seed.
"""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq

import neurodyn as nd
from neurodyn.signals import OrnsteinUhlenbeck, Poisson
from tests.naive import integrate
from tests.networks import CONSTANT, SILENT, excitatory_inhibitory

SIMULATE = import_module("neurodyn.simulation.run")
ARGUMENTS = import_module("neurodyn.simulation.arguments")
DT = 1e-3
UNCOUPLED = {"W_EI": np.zeros((5, 3)), "W_IE": np.zeros((3, 5))}


def run(network, solver=None, duration=0.03, inputs=CONSTANT, **options):
    return nd.simulate(network, solver or nd.Euler(DT), duration, inputs=inputs, **options)


def quiet(**values):
    return excitatory_inhibitory(noise=False, **values)


# -- exact answers -----------------------------------------------------------------------------


def test_fixed_points_of_tanh():
    """r = tanh(g r) has one solution for g < 1, and three for g > 1, the outer ones stable."""
    start = np.array([-3.0, -0.01, 0.0, 0.02, 1.0])
    for g in (0.7, 1.5):
        network = quiet(W_EE=g * np.eye(5), **UNCOUPLED, **{"E.x": start})
        r = np.tanh(run(network, nd.RK4(DT), 1.0, SILENT, record=[])["E.x.final"].values[0])
        outer = brentq(lambda r, g=g: r - np.tanh(g * r), 0.1, 1.0) if g > 1 else 0.0
        assert_allclose(r, outer * np.sign(start), atol=1e-11)
        if g > 1:
            assert 0.85 < outer < 0.86  # not the root at zero


def test_hopf_normal_form():
    """Radius sqrt(mu) and angular frequency omega of the limit cycle; the origin for mu < 0."""
    text = """
    dx/dt = (mu - (x**2 + y**2)/second)*x - omega*y : 1
    dy/dt = (mu - (x**2 + y**2)/second)*y + omega*x : 1
    """
    mu, omega, dt = np.array([1.0, 4.0, -1.0]), 20.0, 1e-3
    population = nd.Population(3, text, mu=mu * nd.Hz, omega=omega * nd.Hz, x=0.1)
    ds = nd.simulate(nd.Network({"H": population}), nd.RK4(dt), 20.0)
    x, y = ds["H.x"].values[0, -1000:].T, ds["H.y"].values[0, -1000:].T
    # What is left of the start is exp(-2 mu t); RK4 turns too slowly by (omega dt)**4/120 = 1e-9.
    radius = np.hypot(x, y)
    assert_allclose(radius[0], 1.0, rtol=1e-8)
    assert_allclose(radius[1], 2.0, rtol=1e-8)
    assert np.all(radius[2] < 1e-8)
    phase = np.unwrap(np.arctan2(y[:2], x[:2]))
    assert_allclose(np.diff(phase) / dt, omega, rtol=1e-8)


def test_ornstein_uhlenbeck_variance_and_autocorrelation():
    """The scheme's: var = 2 sigma**2 (dt/tau)/(1 - a**2), correlation a**k, a = 1 - dt/tau."""
    n = 200
    zero = {"W_EE": np.zeros((n, n)), "W_EI": np.zeros((n, 3)), "W_IE": np.zeros((3, n))}
    network = excitatory_inhibitory(n, **zero, **{"E.tau": 0.01, "E.sigma": 0.5})
    x = run(network, nd.Euler(DT), 0.15, SILENT, trials=100, record=["E.x"], rng=2)["E.x"].values
    a = 1 - 0.1
    variance = 2 * 0.5**2 * 0.1 / (1 - a**2)
    first, samples = x[:, -31], x.shape[0] * n  # 100 steps from the start: a**200 = 1e-9
    for lag in (0, 1, 5, 30):
        later = x[:, -31 + lag]
        # Standard error of a covariance of Gaussians: sqrt((1 + rho**2)/samples) var.
        tolerance = 5 * variance * np.sqrt((1 + a ** (2 * lag)) / samples)
        assert abs(np.mean(first * later) - variance * a**lag) < tolerance
    assert abs(x[:, -1].mean()) < 5 * np.sqrt(variance / samples)


def test_zero_noise_is_the_ode():
    x0 = np.linspace(-1, 1, 5)
    noisy = run(excitatory_inhibitory(**{"E.sigma": 0.0, "E.x": x0}), rng=1)
    still = run(quiet(**{"E.x": x0}))
    for name in ("E.x", "I.v"):
        assert_allclose(noisy[name], still[name], rtol=1e-13, atol=1e-15)


def test_small_noise_is_close_to_the_ode_in_proportion():
    """First order in sigma: half the noise, half the distance, for the same random numbers."""
    still = run(excitatory_inhibitory(**{"E.sigma": 0.0}), rng=1)["E.x"]
    distance = [
        np.abs(run(excitatory_inhibitory(**{"E.sigma": s}), rng=1)["E.x"] - still).values.max()
        for s in (1e-6, 2e-6)
    ]
    assert 1e-7 < distance[0] < 1e-5
    assert_allclose(distance[1] / distance[0], 2, rtol=1e-4)


# -- symmetries --------------------------------------------------------------------------------

RANDOM = np.random.default_rng(11)
W_EE, W_IE, W_EI = (RANDOM.normal(size=s) for s in ((5, 5), (3, 5), (5, 3)))
X0, V0 = RANDOM.normal(size=5), RANDOM.normal(size=3)
TAU_I = np.array([0.004, 0.01, 0.03])


def relabelled(p, q):
    """The network with units renamed: new unit k is old unit p[k] of E, q[k] of I."""
    return quiet(
        W_EE=W_EE[p][:, p], W_IE=W_IE[q][:, p], W_EI=W_EI[p][:, q],
        **{"E.x": X0[p], "I.v": V0[q], "I.tau": TAU_I[q]},
    )  # fmt: skip


@settings(max_examples=25, deadline=None, database=None)
@given(st.permutations(range(5)), st.permutations(range(3)))
def test_labels_of_units_do_not_matter(p, q):
    p, q = np.array(p), np.array(q)
    plain, other = run(relabelled(np.arange(5), np.arange(3))), run(relabelled(p, q))
    assert_allclose(other["E.x"], plain["E.x"][:, :, p], rtol=1e-11, atol=1e-13)
    assert_allclose(other["I.v"], plain["I.v"][:, :, q], rtol=1e-11, atol=1e-13)


def test_zero_weights_decouple():
    """Every unit then is alone: x decays with its own tau, whatever the others do."""
    network = quiet(W_EE=np.zeros((5, 5)), **UNCOUPLED,
                    **{"E.x": X0, "I.v": V0, "I.tau": TAU_I, "I.b": 0.0})  # fmt: skip
    ds = run(network, nd.RK4(DT), inputs=SILENT, initial={"E.x": X0})
    z = -DT / 0.01
    factor = (1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24) ** np.arange(30)
    assert_allclose(ds["E.x"][0], factor[:, None] * X0, rtol=1e-12)
    other = run(network, nd.RK4(DT), inputs=SILENT, initial={"E.x": 10 * X0})
    assert_array_equal(other["I.v"], ds["I.v"])


def test_an_unconnected_unit_changes_nothing():
    p, q = np.arange(5), np.arange(3)
    wider = quiet(
        n_exc=6,
        W_EE=np.pad(W_EE, ((0, 1), (0, 1))), W_IE=np.pad(W_IE, ((0, 0), (0, 1))),
        W_EI=np.pad(W_EI, ((0, 1), (0, 0))),
        **{"E.x": np.append(X0, 100.0), "I.v": V0, "I.tau": TAU_I},
    )  # fmt: skip
    plain, ds = run(relabelled(p, q)), run(wider)
    assert_allclose(ds["E.x"][:, :, :5], plain["E.x"], rtol=1e-12)
    assert_allclose(ds["I.v"], plain["I.v"], rtol=1e-12)
    alone = integrate("Euler", lambda x, u, t: (-x + 0.3) / 0.01, [100.0], DT, 29)
    assert_allclose(ds["E.x"][0, :, 5:], alone, rtol=1e-12)


# -- random streams ----------------------------------------------------------------------------


def stochastic(n_exc=5):
    """Randomness of every kind: initial states here, noise, and signals in `RANDOM_INPUTS`."""
    return excitatory_inhibitory(n_exc, **{"E.x": lambda rng, size: rng.normal(size=size)})


RANDOM_INPUTS = {"E.I_ext": OrnsteinUhlenbeck(0.02, 1.0), "I.drive": Poisson(300.0, 0.01)}
RECORDED = ["E.x", "E.r", "E.xi", "E.I_ext", "I.v", "I.drive"]


def trials(count, network=None, solver=None, rng=3, **options):
    """Bytes of everything in each trial."""
    network = network or stochastic()
    options = {"inputs": RANDOM_INPUTS, "record": RECORDED, "rng": rng, **options}
    ds = run(network, solver, trials=count, **options)
    names = [*RECORDED, "E.x.final", "I.v.final"]
    return [b"".join(ds[n].values[k].tobytes() for n in names) for k in range(count)]


@pytest.mark.parametrize("n_exc", [5, 70])  # below and above the length at which rows are padded
@pytest.mark.parametrize("solver", [nd.Euler(DT), nd.Heun(DT)], ids=["Euler", "Heun"])
def test_a_trial_does_not_know_how_many_there_are(solver, n_exc):
    network = stochastic(n_exc)
    long = trials(37, network, solver)
    assert len(set(long)) == 37
    for count in (1, 3, 7):
        assert trials(count, network, solver) == long[:count]


def test_blocks_and_threads_do_not_touch_the_bits(monkeypatch):
    network = stochastic(70)
    expected = trials(37, network, threads=1)
    for threads in (2, 3):
        assert trials(37, network, threads=threads) == expected
    for size in (1, 100_000, 10**9):
        monkeypatch.setattr(ARGUMENTS, "_BLOCK_BYTES", size)
        for threads in (1, 3):
            assert trials(37, network, threads=threads) == expected


def test_chunks_do_not_touch_the_bits(monkeypatch):
    expected = trials(3)
    monkeypatch.setattr(SIMULATE, "_DRIVE_BYTES", 1)  # one step a chunk
    assert trials(3) == expected
    monkeypatch.setattr(SIMULATE, "_CHUNK_SECONDS", 1e-9)
    assert trials(3) == expected


def test_one_seed_one_answer():
    assert trials(2, rng=3) == trials(2, rng=np.random.SeedSequence(3))
    assert trials(2, rng=3) != trials(2, rng=4)
    first, second = (trials(2, rng=np.random.default_rng(8)) for _ in range(2))
    assert first == second
    generator = np.random.default_rng(8)
    assert trials(2, rng=generator) == first != trials(2, rng=generator)
    assert trials(1, rng=None) != trials(1, rng=None)
    child = np.random.SeedSequence(3).spawn(2)[1]
    assert trials(1, rng=child) not in ([trials(2, rng=3)[1]], trials(1, rng=3))


def test_nothing_is_drawn_from_global_generators():
    np.random.seed(0)  # noqa: NPY002  (the state that must not be used)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    trials(2)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_each_purpose_has_its_own_stream():
    """Other noise, inputs or initial states leave all the others' numbers as they were."""

    def recorded(network, inputs=RANDOM_INPUTS):
        ds = run(network, inputs=inputs, trials=2, record=RECORDED, rng=3)
        return {n: ds[n].values for n in RECORDED}

    plain = recorded(stochastic())
    louder = recorded(stochastic().with_values(**{"E.sigma": 9.0}))
    assert_array_equal(louder["E.x"][:, 0], plain["E.x"][:, 0])
    assert_array_equal(louder["E.I_ext"], plain["E.I_ext"])
    assert not np.allclose(louder["E.x"][:, 1], plain["E.x"][:, 1])
    fixed = recorded(stochastic().with_values(**{"E.x": 0.0}))
    assert_array_equal(fixed["E.xi"], plain["E.xi"])
    assert_array_equal(fixed["E.I_ext"], plain["E.I_ext"])
    other = recorded(stochastic(), {"E.I_ext": RANDOM_INPUTS["E.I_ext"], "I.drive": 0.0})
    assert_array_equal(other["E.xi"], plain["E.xi"])
    assert_array_equal(other["E.I_ext"], plain["E.I_ext"])


def test_trials_and_units_are_independent():
    """Sum of squared correlations over all pairs, which has a known mean and variance."""
    ds = run(stochastic(), duration=1.0, trials=8, record=["E.xi"], rng=6)
    n = ds.sizes["time"]
    noise = ds["E.xi"].transpose("time", ...).values.reshape(n, -1)  # (time, 8 trials x 5 units)
    assert abs(noise.mean()) < 5 * DT**-0.5 / np.sqrt(noise.size)
    assert abs(noise.var() * DT - 1) < 5 * np.sqrt(2 / noise.size)  # white noise: variance 1/dt
    correlation = np.corrcoef(noise.T)[np.triu_indices(noise.shape[1], 1)]
    statistic = n * np.sum(correlation**2)
    assert abs(statistic - correlation.size) < 5 * np.sqrt(2 * correlation.size)


def test_initial_states_are_drawn_as_asked():
    network = stochastic(50)
    ds = run(network, duration=DT, trials=40, record=["E.x"], rng=6)
    x = ds["E.x"].values[:, 0]
    assert len(np.unique(x)) == x.size
    assert abs(x.mean()) < 5 / np.sqrt(x.size)
    assert abs(x.var() - 1) < 5 * np.sqrt(2 / x.size)
