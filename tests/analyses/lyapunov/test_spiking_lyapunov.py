"""Tangents of spiking networks through their spikes, and the exponents that follow."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn import analyses
from neurodyn.analyses.lyapunov._spiking_flow import SpikingCarrier

TAU = 0.01


def network(size, text, couplings=(), threshold="v > 1", reset="v = 0", **values):
    population = nd.Population(size, text, threshold=threshold, reset=reset, **values)
    return nd.Network({"E": population}, list(couplings))


def lif(size, couplings=(), **values):
    return network(size, "dv/dt = (I - v)/(0.01*second) : 1", couplings, **values)


def run(net, x, duration, h, vectors=None):
    """State and tangents after a while, from states given in the order of the network."""
    names, n = net.state_names, net.populations["E"].size
    initial = {name: x[k * n : (k + 1) * n] for k, name in enumerate(names)}
    carrier = SpikingCarrier(
        net, nd.RK4(dt=h), 1 if vectors is None else vectors.shape[1], trials=1, inputs=None,
        initial=initial, rng=np.random.SeedSequence(0),
    )  # fmt: skip
    if vectors is not None:
        carrier.tangents = vectors[None]
    carrier.advance(round(duration / h), tangents=vectors is not None)
    return carrier


def test_tangents_are_the_derivative_of_the_run():
    """Differences of whole runs: synaptic currents, adaptation whose reset has a slope, a delay."""
    rng = np.random.default_rng(0)
    n = 6
    W = rng.normal(0, 0.15, (n, n))
    net = network(
        n,
        """
        dv/dt = (I - v + s - u)/(0.01*second) : 1
        ds/dt = -s/(0.005*second) : 1
        du/dt = (0.2*v - u)/(0.05*second) : 1
        """,
        [nd.Coupling("E.spike", "E.s", W), nd.Coupling("E.spike", "E.v", 0.1 * W, delay=0.0013)],
        reset="v = 0; u = u + 0.1*u**2 + 0.05", I=1.6 + 0.2 * rng.random(n),
    )  # fmt: skip
    x = np.concatenate([rng.random(n), 0.1 * rng.random(2 * n)])
    vectors = rng.normal(size=(3 * n, 3))
    errors = []
    for h in (4e-4, 2e-4, 1e-4):
        found = run(net, x, 0.04, h, vectors)
        assert found.n_spikes > 20
        e = 1e-6
        ends = [[run(net, x + s * e * v, 0.04, h).state[0] for s in (1, -1)] for v in vectors.T]
        exact = np.stack([(plus - minus) / (2 * e) for plus, minus in ends], axis=-1)
        errors.append(np.abs(found.tangents[0] - exact).max() / np.abs(exact).max())
    assert errors[-1] < 3e-8
    # the length of a step before an event depends on the state: of the order of the method, 4
    assert errors[0] / errors[1] > 8


def test_avalanches_have_the_tangent_of_their_first_spike():
    """A spike that pushes others over their threshold at once: differences of runs again."""
    W = np.zeros((4, 4))
    W[1:, 0] = 0.3
    W[0, 1] = -0.2
    net = lif(4, [nd.Coupling("E.spike", "E.v", W)], I=np.array([1.5, 1.2, 1.2, 1.2]))
    x = np.array([0.9, 0.85, 0.75, 0.2])
    found = run(net, x, 0.02, 1e-4, np.eye(4))
    assert found.n_spikes >= 4
    e = 1e-7
    exact = np.stack(
        [(run(net, x + e * v, 0.02, 1e-4).state[0] - run(net, x - e * v, 0.02, 1e-4).state[0])
         for v in np.eye(4)], axis=-1,
    ) / (2 * e)  # fmt: skip
    assert_allclose(found.tangents[0], exact, atol=1e-6 * np.abs(exact).max())


def test_spike_times_are_exact():
    """The period of a LIF unit is tau log((I - v_reset)/(I - v_threshold))."""
    period = TAU * np.log(2 / 1)
    errors = []
    for part in (0.5, 0.1):
        found = run(lif(1, I=2.0), np.zeros(1), 20.5 * period, part * period)
        assert found.n_spikes == 20
        errors.append(abs(found.state[0, 0] - 2 * (1 - np.exp(-0.5 * period / TAU))))
    assert errors[0] < 5e-3 and errors[1] < errors[0] / 5**3.5  # of order 4 in the step


def test_a_single_unit_has_the_exponent_of_its_flow():
    """The tangent of a scalar autonomous flow is f(x(t))/f(x(0)): bounded, so the exponent is 0."""
    period = TAU * np.log(2)
    n = 40
    s = analyses.lyapunov_exponent(
        lif(1, I=2.0), nd.RK4(dt=period / 50), duration=n * period, transient=0,
        initial={"E.v": 0.2}, interval=period,
    )  # fmt: skip
    assert_allclose(s.exponents, 0, atol=1e-4 / TAU)


def test_two_inhibitory_units_against_their_return_map():
    """Units that fire in turn: with phi the potential of the one that is about to fire next,
    phi' = I - w - I (I - 1)/(I - phi + w), whose slope is the contraction of half a cycle."""
    drive, w = 1.5, 0.2
    net = lif(2, [nd.Coupling("E.spike", "E.v", np.array([[0, -w], [-w, 0]]))], I=drive)
    phi = 0.5
    for _ in range(500):
        phi = drive - drive * (drive - 1) / (drive - phi + w)
    slope = drive * (drive - 1) / (drive - phi + w) ** 2
    half = TAU * np.log((drive - phi + w) / (drive - 1))
    h = half / 40
    s = analyses.lyapunov_spectrum(
        net, nd.RK4(dt=h), duration=400 * half, transient=200 * half, interval=2 * half,
        initial={"E.v": [0.0, 0.4]}, rng=0,
    )  # fmt: skip
    assert_allclose(s.exponents[0], 0, atol=0.5)
    assert_allclose(s.exponents[1], np.log(slope) / half, rtol=2e-3)


def test_inhibitory_lif_network_is_stable():
    """Delta synapses and constant drive: apart from the flow's own 0 all exponents are negative
    (stable chaos; Jin 2002, Zillmer et al. 2006), and none depends on the step."""
    rng = np.random.default_rng(0)
    n = 16
    W = -0.05 * (rng.random((n, n)) < 0.3)
    net = lif(n, [nd.Coupling("E.spike", "E.v", W)], I=1.5, v=rng.random(n))
    found = [
        analyses.lyapunov_spectrum(net, nd.RK4(dt=h), 3, duration=3.0, transient=0.5, rng=0)
        for h in (1e-3, 5e-4)
    ]
    assert abs(found[0].exponents[0]) < 1.0  # log of a bounded number over the run
    assert (found[0].exponents[1:] < -2).all()
    assert_allclose(found[0].exponents, found[1].exponents, atol=0.5)


def test_volume_shrinks_by_flow_and_spikes():
    """Sum of all exponents: -n/tau of the flow, plus log det S of every spike's saltation."""
    rng = np.random.default_rng(1)
    n = 5
    W = -0.1 * rng.random((n, n))
    np.fill_diagonal(W, 0)
    net = lif(n, [nd.Coupling("E.spike", "E.v", W)], I=1.4, v=rng.random(n))
    duration = 1.0
    s = analyses.lyapunov_spectrum(
        net, nd.RK4(dt=1e-3), duration=duration, transient=0, interval=0.01, rng=0
    )
    # S for unit i: its row becomes f(reset)/f(threshold), which is also the determinant; the others
    # get v_j - w_ji (f_j shift), which does not change it
    f_reset, f_threshold = 1.4, 0.4
    state = run(net, net.initial_state([np.random.SeedSequence(0)])["E.v"][0], duration, 1e-3)
    expected = -n / TAU + state.n_spikes * np.log(f_reset / f_threshold) / duration
    assert_allclose(s.divergence, expected, rtol=1e-4)


@pytest.mark.slow
def test_theta_neurons_are_chaotic():
    """Inhibitory quadratic units (Monteforte and Wolf 2010): lambda_1 > 0, as a twin run says."""
    rng = np.random.default_rng(0)
    n, k = 40, 10
    J = np.zeros((n, n))
    for i in range(n):
        J[i, rng.choice(np.delete(np.arange(n), i), k, replace=False)] = -1 / np.sqrt(k)
    net = network(
        n, "dv/dt = (v**2 + I)/(0.01*second) : 1", [nd.Coupling("E.spike", "E.v", J)],
        threshold="v > 30", reset="v = -30", I=0.5, v=lambda rng, n: rng.normal(size=n),
    )  # fmt: skip
    h = 2e-4
    s = analyses.lyapunov_exponent(net, nd.RK4(dt=h), duration=20.0, transient=1.0, rng=0)
    assert s.exponents[0] > 4 * s.standard_error[0]
    x = run(net, net.initial_state([np.random.SeedSequence(5)])["E.v"][0], 1.0, h).state[0]
    d, total, interval, n_intervals = rng.normal(size=n), [], 0.05, 200
    d *= 1e-9 / np.linalg.norm(d)
    for _ in range(n_intervals):
        a, b = (run(net, y, interval, h).state[0] for y in (x, x + d))
        size = np.linalg.norm(b - a)
        total.append(np.log(size / 1e-9) / interval)
        x, d = a, (b - a) * 1e-9 / size
    twin = np.mean(total[20:])
    error = np.std(np.array(total[20:]).reshape(18, 10).mean(axis=1), ddof=1) / np.sqrt(18)
    assert abs(twin - s.exponents[0]) < 4 * np.hypot(error, s.standard_error[0])


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"refractory": 0.002}, "`E` is refractory.*set `refractory` to 0"),
        ({"text": "dv/dt = (I - v)/(0.01*second) + second**-0.5*xi : 1"}, "`E` has noise.*`xi`"),
        ({"threshold": "v > 1 and v < 2"}, "no comparison of two expressions"),
        ({"text": "dv/dt = (I - v + 0.3*int(v > 0.5))/(0.01*second) : 1"}, "`E.v` contains.*jumps"),
        ({"reset": "v = 0.2*heaviside(v - 2)"}, "`E.v` contains .heaviside.*which jumps"),
        (
            {"text": "dv/dt = (I*(2 + sin(t/second)) - v)/(0.01*second) : 1"},
            "contains the time `t`",
        ),
    ],
)
def test_units_without_a_saltation_rule(change, words):
    text = change.pop("text", "dv/dt = (I - v)/(0.01*second) : 1")
    net = network(2, text, I=2.0, **change)
    with pytest.raises(ValueError, match=words):
        analyses.lyapunov_spectrum(net, nd.RK4(dt=1e-3), duration=1)


def test_networks_without_a_saltation_rule():
    solver = nd.RK4(dt=1e-3)

    def spectrum(net, solver=solver, **more):
        return analyses.lyapunov_spectrum(net, solver, duration=0.1, rng=0, **more)

    with pytest.raises(ValueError, match=r"`solver` must be nd.RK4.*got Euler"):
        spectrum(lif(1, I=2.0), nd.Euler(dt=1e-3))
    rates = network(2, "dv/dt = (I + J - v)/(0.01*second) : 1",
                    [nd.Coupling("E.v", "E.J", np.eye(2))], I=2.0)  # fmt: skip
    with pytest.raises(ValueError, match="carries no spikes: nothing else may go"):
        spectrum(rates)
    pulses = network(2, "dv/dt = (I + J - v)/(0.01*second) : 1",
                     [nd.Coupling("E.spike", "E.J", np.eye(2))], I=2.0)  # fmt: skip
    with pytest.raises(ValueError, match="ends at an input: let spikes end at a state"):
        spectrum(pulses)
    poisson = nd.Network(
        {"E": nd.Population(2, "dv/dt = -v/(0.01*second) : 1", threshold="v > 1", reset="v = 0")},
        [nd.PoissonInput("E.v", rate=100.0, weight=0.1)],
    )
    with pytest.raises(ValueError, match="Poisson input is noise that is not frozen"):
        spectrum(poisson)
    exploding = lif(3, [nd.Coupling("E.spike", "E.v", 2 * np.ones((3, 3)))], I=2.0, v=0.5)
    with pytest.raises(ArithmeticError, match="explodes.*weights too strong"):
        spectrum(exploding)
    driven = network(1, "dv/dt = (J - v)/(0.01*second) : 1")
    with pytest.raises(ValueError, match="must be constant, a number or"):
        spectrum(driven, inputs={"E.J": np.ones((5, 1))})
    assert spectrum(driven, inputs={"E.J": 2.0}).exponents.size == 1
