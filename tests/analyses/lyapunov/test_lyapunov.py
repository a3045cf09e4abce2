"""Lyapunov exponents against literature values, exact answers and invariants."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn import analyses
from neurodyn.analyses import entropy_rate, kaplan_yorke_dimension, lyapunov_spectrum


def lorenz(x, sigma, rho, beta):
    a, b, c = x[..., 0], x[..., 1], x[..., 2]
    return np.stack([sigma * (b - a), a * (rho - c) - b, a * b - beta * c], axis=-1)


LORENZ = nd.Flow(lorenz, 3, parameters={"sigma": 10, "rho": 28, "beta": 8 / 3})
HENON = nd.Map(
    lambda x: np.stack([1 - 1.4 * x[..., 0] ** 2 + x[..., 1], 0.3 * x[..., 0]], axis=-1), 2
)


def equations(text, size=1, **values):
    """A network of one population ``P`` whose equations are in units of a second."""
    return nd.Network({"P": nd.Population(size, text, **values)})


def lorenz_network():
    text = """
    da/dt = sigma*(b - a)/second : 1
    db/dt = (a*(rho - c) - b)/second : 1
    dc/dt = (a*b - beta*c)/second : 1
    """
    return equations(text, sigma=10.0, rho=28.0, beta=8 / 3, a=1.0, b=2.0, c=20.0)


def lorenz96(n, forcing=8.0):
    ahead = sp.csr_array(np.roll(np.eye(n), 1, axis=1))
    text = "dx/dt = ((ahead - behind_2)*behind - x + F)/second : 1"
    start = forcing + np.random.default_rng(0).normal(size=n)
    return nd.Network(
        {"L": nd.Population(n, text, F=forcing, x=start)},
        [
            nd.Coupling("L.x", "L.ahead", ahead),
            nd.Coupling("L.x", "L.behind", ahead.T.tocsr()),
            nd.Coupling("L.x", "L.behind_2", (ahead @ ahead).T.tocsr()),
        ],
    )


def random_network(n, gain, rng, **more):
    W = nd.weights.gaussian(n, gain=gain, rng=rng).copy()
    np.fill_diagonal(W, 0)
    return nd.rate_network(W, tau=1.0, x=lambda rng, n: rng.normal(size=n), **more)


# -- literature ------------------------------------------------------------------------------------


def test_henon():
    """0.4192, -1.6232; their sum is log 0.3 in every step."""
    s = lyapunov_spectrum(HENON, duration=100_000, initial=[0.1, 0.1], rng=0)
    assert_allclose(s.exponents, [0.4192, -1.6232], atol=max(0.003, 4 * s.standard_error[0]))
    assert_allclose(s.divergence, np.log(0.3), atol=1e-10)
    assert_allclose(s.kaplan_yorke_dimension, 1.258, atol=0.005)
    assert s.converged


def test_logistic_map():
    logistic = nd.Map(lambda x: 4 * x * (1 - x), 1)
    s = lyapunov_spectrum(logistic, duration=200_000, initial=[0.3], rng=0)
    assert_allclose(s.exponents, np.log(2), atol=1e-3)


def test_lorenz_63_as_a_network():
    """0.9056, 0, -14.5723; the trace of the Jacobian is -13 2/3 everywhere."""
    s = lyapunov_spectrum(
        lorenz_network(), nd.RK4(dt=0.01), duration=4000, transient=50, rng=0
    )
    assert_allclose(s.exponents, [0.9056, 0, -14.5723], atol=0.01)
    assert_allclose(s.divergence, -41 / 3, atol=2e-4)
    assert_allclose(s.kaplan_yorke_dimension, 2.062, atol=0.002)
    assert s.is_whole and s.converged


@pytest.mark.slow
def test_roessler_as_a_network():
    text = "da/dt = (-b - c)/second : 1\ndb/dt = (a + p*b)/second : 1\n"
    text += "dc/dt = (p + c*(a - q))/second : 1"
    net = equations(text, p=0.2, q=5.7, a=1.0, b=1.0, c=0.0)
    s = lyapunov_spectrum(net, nd.RK4(dt=0.01), duration=6000, transient=200, rng=0)
    assert_allclose(s.exponents, [0.0714, 0, -5.394], atol=0.005)
    assert_allclose(s.kaplan_yorke_dimension, 2.013, atol=0.002)


@pytest.mark.parametrize(
    ("n", "largest", "dimension", "entropy"), [(20, 1.577, 13.5, 5.0), pytest.param(40, 1.676, 27.1, 10.2, marks=pytest.mark.slow)]
)
def test_lorenz_96(n, largest, dimension, entropy):
    s = lyapunov_spectrum(lorenz96(n), nd.RK4(dt=0.01), duration=1000, transient=20, rng=0)
    assert_allclose(s.exponents[0], largest, atol=max(0.05, 4 * s.standard_error[0]))
    assert_allclose(s.divergence, -n, atol=1e-3)
    assert_allclose(s.kaplan_yorke_dimension, dimension, atol=0.3)
    assert_allclose(s.entropy_rate, entropy, rtol=0.05)
    assert (s.exponents > 0.01).sum() == {20: 6, 40: 13}[n]


@pytest.mark.parametrize(
    ("delay", "leading", "dimension"),
    [(17, [0.0053, 0, -0.039], 2.14),
     pytest.param(23, [0.0094, 0, -0.012], 2.80, marks=pytest.mark.slow),
     pytest.param(30, [0.0068, 0.0022, 0], 3.53, marks=pytest.mark.slow)],
)  # fmt: skip
def test_mackey_glass_as_a_chain(delay, leading, dimension):
    """Heun's method of step 0.1 with the history as a chain of units, one step a second."""
    h, duration = 0.1, 40_000
    n = round(delay / h)
    step = "x + {h}/2*(p*lag/(1 + lag**10) - q*x + p*next/(1 + next**10) - q*guess)"
    text = f"""
    guess = x + {h}*(p*lag/(1 + lag**10) - q*x) : 1
    dx/dt = ({step.format(h=h)} - x)/second : 1
    """
    head = nd.Population(1, text, p=0.2, q=0.1, x=1.2)
    chain = nd.Population(n, "dx/dt = (before - x)/second : 1", x=1.2)
    shift = sp.csr_array(np.eye(n, k=-1))
    pick = {k: sp.csr_array(np.eye(n)[[k]]) for k in (n - 1, n - 2)}
    first = sp.csr_array(np.eye(n)[:, [0]])
    net = nd.Network(
        {"H": head, "C": chain},
        [
            nd.Coupling("C.x", "C.before", shift),
            nd.Coupling("H.x", "C.before", first),
            nd.Coupling("C.x", "H.lag", pick[n - 1]),
            nd.Coupling("C.x", "H.next", pick[n - 2]),
        ],
    )
    steps = duration / h
    s = lyapunov_spectrum(
        net, nd.Euler(dt=1.0), 5, duration=steps, transient=steps // 10, rng=0, interval=n
    )
    # the sheet's tolerance, and half of the last digit of the third exponents
    assert (np.abs(s.exponents[:3] / h - leading) < [6e-4, 6e-4, 1.1e-3]).all()
    assert_allclose(s.kaplan_yorke_dimension, dimension, atol=0.15)


def test_random_networks_spectrum():
    """N = 200, g = 5: largest 0.341 +- 0.012 and dimension 0.083 N over networks (the sheet)."""
    net = random_network(200, 5.0, 3)
    s = lyapunov_spectrum(net, nd.Euler(dt=0.1), duration=200, transient=100, rng=0)
    assert_allclose(s.exponents[0], 0.341, atol=4 * 0.03)
    assert 0.06 < s.kaplan_yorke_dimension / 200 < 0.11
    # mean exponent about log(1 - dt)/dt, for the Jacobian has the diagonal 1 - dt
    assert_allclose(s.exponents.mean(), np.log(0.9) / 0.1, atol=0.01)
    # pairs about the mean, rms 0.06 to 0.08
    pairs = s.exponents + s.exponents[::-1] - 2 * s.exponents.mean()
    assert np.sqrt((pairs**2).mean()) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gain", "expected", "mean_field"),
    [(2, 0.097, 0.1125), (3, 0.217, 0.2355), (5, 0.405, 0.434), (10, 0.718, 0.774)],
)
def test_largest_exponent_of_random_networks(gain, expected, mean_field):
    """N = 1,000: three independent networks, with their own scatter; below the limit N -> inf."""
    found = np.array(
        [
            analyses.lyapunov_exponent(
                random_network(1000, gain, rng), nd.Euler(dt=0.05), duration=400, transient=100,
                rng=rng,
            ).exponents[0]
            for rng in range(4)
        ]
    )  # fmt: skip
    # the published ones scatter by 0.010 at most, over 2 or 3 networks
    allowed = 4 * np.hypot(found.std(ddof=1) / np.sqrt(found.size), 0.010 / np.sqrt(2))
    assert abs(found.mean() - expected) < allowed < 0.06
    assert found.mean() < mean_field + 0.02
    theory = analyses.dynamic_mean_field(gain).lyapunov_exponent
    assert_allclose(theory, mean_field, atol=1e-3)


def test_transition_at_a_gain_of_one():
    """Below it the orbit is the fixed point 0, whose exponent the eigenvalues of W give."""
    for gain in (0.5, 0.9):
        net = random_network(150, gain, 1)
        s = analyses.lyapunov_exponent(
            net, nd.Euler(dt=0.1), duration=2000, transient=2000, rng=0
        )
        mu = np.linalg.eigvals(net.couplings[0].weights.W)
        expected = np.log(np.abs(1 + 0.1 * (mu - 1))).max() / 0.1
        assert_allclose(s.exponents[0], expected, atol=1e-2)
        assert s.kaplan_yorke_dimension == 0.0
    chaotic = random_network(300, 3.0, 1)
    s = analyses.lyapunov_exponent(chaotic, nd.Euler(dt=0.1), duration=500, transient=100, rng=0)
    assert s.exponents[0] > 0.1


# -- exact answers and invariants ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["Euler", "RK4", "Heun", "ExponentialEuler"])
def test_a_linear_network(method):
    """log|growth factor of a step|/dt of every eigenvalue: Euler's, not the flow's."""
    rng = np.random.default_rng(0)
    V = rng.normal(size=(5, 5))
    mu = np.array([0.3, 0.1, -0.2, -0.5, -0.9])
    A = V @ np.diag(mu) @ np.linalg.inv(V)
    text = "dx/dt = (I - x)/second : 1"
    net = nd.Network(
        {"E": nd.Population(5, text, x=1e-3)}, [nd.Coupling("E.x", "E.I", A + np.eye(5))]
    )
    h = 0.1
    z = h * mu
    factor = {
        "Euler": 1 + z,
        "RK4": 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24,
        "Heun": 1 + z + z**2 / 2,
        "ExponentialEuler": 1 + (1 - np.exp(-h)) * mu,
    }[method]
    s = lyapunov_spectrum(net, getattr(nd, method)(dt=h), duration=20, transient=150, rng=0)
    assert_allclose(s.exponents, np.log(np.abs(factor)) / h, atol=1e-6)


def test_sum_of_exponents_is_the_mean_log_determinant():
    net = random_network(12, 2.5, 0)
    h, steps = 0.1, 300
    start = np.random.default_rng(5).normal(size=12)
    s = lyapunov_spectrum(
        net, nd.Euler(dt=h), duration=steps * h, transient=0, initial={"E.x": start}, rng=0
    )
    x, total = start.copy(), 0.0
    for _ in range(steps):
        D = np.eye(12) + h * net.jacobian(x)
        total += np.linalg.slogdet(D)[1]
        x = x + h * net.field(x)
    assert_allclose(s.divergence, total / (steps * h), atol=1e-8)


def test_basis_interval_and_order_of_units_do_not_matter():
    W = nd.weights.gaussian(40, gain=5.0, rng=2)
    start = np.random.default_rng(1).normal(size=40)
    common = dict(duration=400, transient=200)

    def spectrum(order=None, **more):
        order = np.arange(40) if order is None else order
        net = nd.rate_network(W[np.ix_(order, order)], tau=1.0, x=start[order])
        return lyapunov_spectrum(net, nd.Euler(dt=0.1), **{**common, **more}).exponents

    reference = spectrum(rng=0, interval=1.0)
    vectors = np.random.default_rng(9).normal(size=(40, 40))
    assert_allclose(spectrum(vectors=vectors, interval=1.0), reference, atol=0.05)
    for interval in (0.1, 0.5, 2.0):
        assert_allclose(spectrum(rng=0, interval=interval), reference, atol=2e-3)


def test_against_a_twin_trajectory():
    """Two runs 1e-7 apart, brought back to that distance again and again."""
    net = random_network(60, 4.0, 7)
    h, every, n = 0.1, 10, 600
    s = analyses.lyapunov_exponent(
        net, nd.Euler(dt=h), duration=n, transient=200, rng=0, interval=every * h
    )
    solver = nd.Euler(dt=h)
    ds = nd.simulate(net, solver, duration=200, record=[], rng=0)
    x = ds["E.x.final"].values[0]
    d = np.random.default_rng(1).normal(size=60)
    d *= 1e-7 / np.linalg.norm(d)
    total = 0.0
    for k in range(n + 100):
        ends = nd.simulate(
            net, solver, duration=every * h, record=[], trials=2,
            initial={"E.x": np.stack([x, x + d])},
        )["E.x.final"].values  # fmt: skip
        x, d = ends[0], ends[1] - ends[0]
        size = np.linalg.norm(d)
        total += np.log(size / 1e-7) * (k >= 100)
        d *= 1e-7 / size
    # two stretches of one attractor, each with the error of its own length
    assert abs(total / (n * every * h) - s.exponents[0]) < 4 * np.sqrt(2) * s.standard_error[0]


def test_noise_is_the_same_for_state_and_tangent():
    """A noisy linear unit contracts at its own rate; a multiplicative one at mu - sigma^2/2."""
    text = "dx/dt = -x/second + 0.5*second**-0.5*xi : 1"
    s = analyses.lyapunov_exponent(equations(text), nd.Euler(dt=0.01), duration=50, rng=1)
    assert_allclose(s.exponents, np.log(0.99) / 0.01, rtol=1e-9)
    text = "dx/dt = 0.1*x/second + 0.4*x*second**-0.5*xi : 1"
    net = equations(text, x=1.0)
    s = analyses.lyapunov_exponent(
        net, nd.Euler(dt=0.01), duration=20, trials=400, rng=1, transient=0, interval=1.0
    )
    expected = 0.1 - 0.4**2 / 2  # of Euler's steps but for terms of order dt
    assert abs(s.exponents[0] - expected) < 4 * 0.4 / np.sqrt(20 * 400) + 1e-3


def test_conditional_exponents_of_a_driven_network():
    """Strong common input takes the chaos out of a network."""
    net = random_network(80, 4.0, 3)
    free = analyses.lyapunov_exponent(
        net, nd.Euler(dt=0.1), duration=600, transient=100, trials=4, rng=0
    )
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, 80)
    t = np.arange(8000) * 0.1
    drive = 8 * np.sin(2 * np.pi * 0.2 * t[:, None] + phases)
    driven = analyses.lyapunov_exponent(
        net, nd.Euler(dt=0.1), duration=600, transient=100, trials=4, rng=0,
        inputs={"E.I_ext": nd.signals.ArraySignal(drive, dt=0.1)},
    )  # fmt: skip
    assert free.exponents[0] > 4 * free.standard_error[0]
    assert driven.exponents[0] < -4 * driven.standard_error[0]


def test_trials_and_local_exponents():
    s = lyapunov_spectrum(
        LORENZ, nd.RK4(dt=0.01), 2, duration=30, transient=10, trials=3, rng=0, interval=0.5
    )
    assert s.local.shape == (3, 60, 2) and s.times[-1] == 30.0
    assert_allclose(s.local.mean(axis=1), s.per_trial)
    assert_allclose(s.running[-1], s.exponents)
    assert np.isnan(s.divergence) and not s.is_whole
    assert "LyapunovSpectrum of 2" in repr(s)


def test_a_run_that_is_too_short_is_not_converged():
    s = lyapunov_spectrum(LORENZ, nd.RK4(dt=0.01), duration=0.03, transient=5, interval=0.01, rng=0)
    assert not s.converged and "too few" in s.verdict
    drifting = equations("dx/dt = -x**3/second : 1", x=0.7)  # decays ever more slowly
    s = lyapunov_spectrum(drifting, nd.RK4(dt=0.01), duration=5, transient=0, interval=0.01)
    assert not s.converged and "first half" in s.verdict


# -- covariant vectors -----------------------------------------------------------------------------


def test_covariant_vectors_of_a_constant_matrix_are_its_eigenvectors():
    rng = np.random.default_rng(0)
    V = rng.normal(size=(4, 4))
    V /= np.linalg.norm(V, axis=0)
    A = V @ np.diag([1.5, 0.9, -0.5, 0.2]) @ np.linalg.inv(V)
    linear = nd.Map(lambda x: x @ A.T, 4, jacobian=lambda x: np.broadcast_to(A, (*x.shape, 4)))
    c = analyses.covariant_lyapunov_vectors(
        linear, duration=50, transient=200, backward_transient=100, initial=np.zeros(4), rng=0
    )
    cosines = np.abs(np.einsum("tni,ni->ti", c.vectors, V))
    assert_allclose(cosines, 1, atol=1e-12)
    assert_allclose(c.exponents, np.log([1.5, 0.9, 0.5, 0.2]), atol=1e-9)


def test_covariant_vectors_of_lorenz_63():
    h, flow = 0.01, LORENZ
    c = analyses.covariant_lyapunov_vectors(
        flow, nd.RK4(dt=h), duration=200, transient=20, backward_transient=20, interval=h,
        initial=[1.0, 2.0, 20.0], rng=0,
    )  # fmt: skip
    f = flow.field(c.states)
    f /= np.linalg.norm(f, axis=1, keepdims=True)
    assert np.abs(np.einsum("tn,tn->t", f, c.vectors[:, :, 1])).min() > 0.999
    assert_allclose(c.exponents, c.orthonormal_exponents, atol=0.02)
    # covariance: the step's tangent maps each onto the next, to the error of one step of RK4
    J = flow.jacobian(c.states[1000])
    mapped = (np.eye(3) + h * J + h**2 / 2 * J @ J) @ c.vectors[1000]
    mapped /= np.linalg.norm(mapped, axis=0)
    assert_allclose(np.abs((mapped * c.vectors[1001]).sum(axis=0)), 1, atol=1e-3)
    assert c.participation.min() >= 1 and c.angles.shape == (c.times.size, 3, 3)


def test_covariant_vectors_are_mapped_onto_each_other():
    """Henon's map, to rounding; the last one is not the last of the orthonormal ones."""
    c = analyses.covariant_lyapunov_vectors(
        HENON, duration=300, transient=100, backward_transient=100, interval=1,
        initial=[0.1, 0.1], rng=0,
    )  # fmt: skip
    mapped = HENON.jacobian(c.states[:-1]) @ c.vectors[:-1]
    mapped /= np.linalg.norm(mapped, axis=1, keepdims=True)
    assert_allclose(np.abs((mapped * c.vectors[1:]).sum(axis=1)), 1, atol=1e-8)
    assert np.abs((c.vectors[:, :, 0] * c.vectors[:, :, 1]).sum(axis=1)).max() > 0.1


# -- measures --------------------------------------------------------------------------------------


def test_kaplan_yorke_dimension_and_entropy():
    assert_allclose(kaplan_yorke_dimension([0.9056, 0, -14.5723]), 2 + 0.9056 / 14.5723)
    assert kaplan_yorke_dimension([-0.1, -0.2]) == 0
    assert np.isnan(kaplan_yorke_dimension([0.3, 0.1]))
    assert_allclose(kaplan_yorke_dimension([-0.5, 0.1]), 1.2)  # any order
    assert_allclose(entropy_rate([0.3, 0.1, -0.2]), 0.4)
    assert np.isnan(entropy_rate([0.3, 0.1]))
    with pytest.raises(ValueError, match=r"`exponents` must be \(k,\) numbers; got shape \(1, 2\)"):
        entropy_rate([[1, 2]])


# -- bad input -------------------------------------------------------------------------------------


def test_systems_without_exponents():
    jumping = equations("dx/dt = (int(x > 0) - x)/second : 1")
    with pytest.raises(ValueError, match=r"`P.x` contains `int\(.*which jumps.*relu"):
        lyapunov_spectrum(jumping, nd.RK4(dt=0.01), duration=1)
    rng = np.random.default_rng(0)
    noisy = nd.Flow(lambda x: -x + rng.normal(size=x.shape), 2)
    with pytest.raises(ValueError, match="noise that is not frozen.*`xi`"):
        lyapunov_spectrum(noisy, nd.RK4(dt=0.01), duration=1)
    with pytest.raises(ArithmeticError, match="diverges"), np.errstate(all="ignore"):
        lyapunov_spectrum(nd.Flow(lambda x: x**3, 1), nd.RK4(dt=0.1), duration=100, initial=[2.0])
    growing = equations("dx/dt = x**3/second : 1", x=2.0)
    with pytest.raises(ArithmeticError, match="diverges"):
        lyapunov_spectrum(growing, nd.RK4(dt=0.1), duration=100)
    with pytest.raises(ArithmeticError, match="vanished.*minus infinity"):
        lyapunov_spectrum(nd.Map(lambda x: 0 * x, 1), duration=100)


def test_bad_arguments():
    net = random_network(5, 1.0, 0)
    solver = nd.Euler(dt=0.1)
    with pytest.raises(TypeError, match="must be a Network, a Flow or a Map; got ndarray"):
        lyapunov_spectrum(np.eye(3), solver, duration=1)
    with pytest.raises(TypeError, match="`solver` must be a solver"):
        lyapunov_spectrum(net, duration=1)
    with pytest.raises(ValueError, match="`k` must be at most the number of states, 5; got 6"):
        lyapunov_spectrum(net, solver, 6, duration=1)
    with pytest.raises(ValueError, match="`k` must be an integer of at least 1; got 0"):
        lyapunov_spectrum(net, solver, 0, duration=1)
    with pytest.raises(ValueError, match="DormandPrince chooses its steps.*nd.RK4"):
        lyapunov_spectrum(net, nd.DormandPrince(dt=0.1), duration=1)
    with pytest.raises(ValueError, match=r"`vectors` must be \(n_states, k\) = \(5, 2\)"):
        lyapunov_spectrum(net, solver, 2, duration=1, vectors=np.eye(5))
    with pytest.raises(ValueError, match="linearly independent"):
        lyapunov_spectrum(net, solver, 2, duration=1, vectors=np.ones((5, 2)))
    with pytest.raises(ValueError, match="`interval` is longer than `duration`"):
        lyapunov_spectrum(net, solver, duration=1, interval=2.0)
    with pytest.raises(ValueError, match="leave `solver` out"):
        lyapunov_spectrum(HENON, solver, duration=10)
    with pytest.raises(ValueError, match=r"`solver` of a Flow must be nd.RK4"):
        lyapunov_spectrum(LORENZ, nd.ExponentialEuler(dt=0.1), duration=10)
    with pytest.raises(ValueError, match=r"`initial` must be .* n_states = 2; got shape \(3,\)"):
        lyapunov_spectrum(HENON, duration=10, initial=[0, 0, 0])


def test_a_long_interval_is_warned_about():
    with pytest.warns(RuntimeWarning, match="lose digits: give a shorter `interval`"):
        lyapunov_spectrum(
            LORENZ, nd.RK4(dt=0.01), duration=40, transient=5, interval=5.0, rng=0,
            initial=[1.0, 2.0, 20.0],
        )  # fmt: skip
