"""Limit cycles, multipliers and phase responses, against formulas and published values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

import neurodyn as nd
from neurodyn.analyses import limit_cycle


def van_der_pol(s, mu):
    x, v = s[..., 0], s[..., 1]
    return np.stack([v, mu * (1 - x**2) * v - x], axis=-1)


def stuart_landau(s, mu, omega, quintic):
    """r' = mu r - r^3, or with `quintic` mu r + r^3 - r^5; angular speed omega."""
    x, y = s[..., 0], s[..., 1]
    r2 = x**2 + y**2
    growth = mu + np.where(quintic, r2 - r2**2, -r2)
    return np.stack([growth * x - omega * y, growth * y + omega * x], axis=-1)


def vdp(mu):
    return nd.Flow(van_der_pol, 2, parameters={"mu": mu}, state_names=["x", "v"])


def landau(mu=1.0, omega=1.0, quintic=0):
    return nd.Flow(stuart_landau, 2, parameters={"mu": mu, "omega": omega, "quintic": quintic})


def check(cycle):
    """What any cycle must be."""
    assert cycle.residual < 1e-11 and cycle.trivial_error < 1e-9
    assert cycle.response_error < 1e-8
    assert np.isnan(cycle.volume_error) or cycle.volume_error < 1e-7
    assert_allclose(np.log(np.abs(cycle.multipliers)).sum(), cycle.log_volume, rtol=1e-6, atol=1e-9)
    assert_allclose(cycle.phase_response[0], cycle.phase_response[-1], atol=1e-8)


@pytest.mark.parametrize("mu, period, multiplier", [
    (0.5, 6.380676, 0.0391769), (1, 6.663287, 8.59695e-4), (2, 7.629874, 1.274e-8),
    (5, 11.612231, None),
])
def test_van_der_pol(mu, period, multiplier):
    cycle = limit_cycle(vdp(mu), [1.0, 0.0], duration=60)
    check(cycle)
    assert_allclose(cycle.period, period, atol=1e-6)
    assert cycle.stable and abs(cycle.multipliers[0] - 1) < 1e-9
    if multiplier is None:
        assert abs(cycle.multipliers[1]) < 1e-12
    else:
        assert_allclose(cycle.multipliers[1], multiplier, rtol=4e-4)  # to the digits given


def test_van_der_pol_backwards_repels():
    """In reversed time the same orbit, with the inverse multiplier."""
    flow = nd.Flow(lambda s: -van_der_pol(s, 1.0), 2)
    cycle = limit_cycle(flow, [2.008, 0.0], period=6.66)
    check(cycle)
    assert not cycle.stable
    assert_allclose(cycle.period, 6.663287, atol=1e-6)
    assert_allclose(cycle.multipliers[0], 1 / 8.59695e-4, rtol=1e-5)


@pytest.mark.parametrize("mu, omega", [(1.0, 1.0), (0.04, 3.0)])
def test_stuart_landau(mu, omega):
    """Radius sqrt(mu), period 2 pi/omega, multiplier exp(-2 mu period), Z = (-sin, cos)/(r omega)."""
    cycle = limit_cycle(landau(mu, omega), [0.5, 0.3], duration=60 / mu / omega + 40)
    check(cycle)
    assert_allclose(cycle.period, 2 * np.pi / omega, rtol=1e-10)
    assert_allclose(cycle.amplitude, np.sqrt(mu), rtol=1e-4)
    assert_allclose(np.hypot(*cycle.states.T), np.sqrt(mu), rtol=1e-9)
    assert_allclose(cycle.multipliers[1], np.exp(-2 * mu * cycle.period), rtol=1e-8)
    angle = 2 * np.pi * cycle.phase  # phase 0 is at the maximum of x
    exact = np.stack([-np.sin(angle), np.cos(angle)], axis=-1) / (np.sqrt(mu) * omega)
    assert_allclose(cycle.phase_response, exact, atol=1e-7 / np.sqrt(mu))


def test_the_unstable_cycle_between_rest_and_a_stable_cycle():
    """r^2 = (1 -+ sqrt(1 + 4 mu))/2; growth rate of deviations r (2 r - 4 r^3)."""
    mu = -0.1
    for sign, stable in ((-1, False), (1, True)):
        r = np.sqrt((1 + sign * np.sqrt(1 + 4 * mu)) / 2)
        cycle = limit_cycle(landau(mu, 2.0, 1), [r + 0.01, 0.0], period=3.0)
        check(cycle)
        assert cycle.stable is stable
        assert_allclose(cycle.of("x0")[0], r, rtol=1e-9)
        other = cycle.multipliers[0 if not stable else 1]
        assert_allclose(other, np.exp(np.pi * r * (2 * r - 4 * r**3)), rtol=1e-7)


@pytest.mark.parametrize("current", [0.02, 0.5])
def test_theta_neuron(current):
    """A saddle-node on a circle: period pi/sqrt(I); the response to current is 1 - cos: type I."""
    def rate(s, I):
        return (1 - np.cos(s)) + (1 + np.cos(s)) * I

    flow = nd.Flow(rate, 1, parameters={"I": current}, state_names=["theta"])
    cycle = limit_cycle(flow, [0.0], duration=200, wrap={"theta": 2 * np.pi})
    check(cycle)
    assert_allclose(cycle.period, np.pi / np.sqrt(current), rtol=1e-10)
    theta = cycle.of("theta")
    assert_allclose(theta[-1] - theta[0], 2 * np.pi)
    response = (1 + np.cos(theta)) * cycle.phase_response[:, 0]  # current enters as (1 + cos) I
    # 0 where it spikes, theta = pi, half a period from theta = 0
    assert_allclose(response, (1 - np.cos(2 * np.pi * (cycle.phase - 0.5))) / (2 * current),
                    atol=1e-7 / current)  # fmt: skip
    assert response.min() > -1e-9


def test_phase_response_is_the_shift_of_a_kicked_run():
    """Of the van der Pol oscillator: the time of a later maximum, with and without a kick."""
    cycle = limit_cycle(vdp(1.0), [1.0, 0.0], duration=60)
    size, turns = 1e-4, 6

    def last_maximum(x):
        def speed(_, y):
            return y[1]

        speed.direction = -1.0
        run = solve_ivp(lambda _, y: van_der_pol(y, 1.0), (0, (turns + 0.5) * cycle.period), x,
                        "DOP853", rtol=1e-12, atol=1e-12, events=speed)  # fmt: skip
        return run.t_events[0][-1]

    for k in (40, 170, 330):
        for j in (0, 1):
            kick = size * np.eye(2)[j]
            shift = last_maximum(cycle.states[k] - kick) - last_maximum(cycle.states[k] + kick)
            assert_allclose(shift / (2 * size), cycle.phase_response[k, j], atol=2e-5)


def test_three_states():
    """Stuart-Landau with a third state that decays: multipliers 1, exp(-4 pi), exp(-2 pi / 5)."""
    def function(s):
        return np.concatenate([stuart_landau(s[..., :2], 1.0, 1.0, 0), s[..., :1] - s[..., 2:] / 5],
                              axis=-1)  # fmt: skip

    cycle = limit_cycle(nd.Flow(function, 3), [1.0, 0.5, 0.0], duration=100)
    check(cycle)
    assert_allclose(cycle.multipliers, [1, np.exp(-2 * np.pi / 5), np.exp(-4 * np.pi)], rtol=1e-7)


def test_a_network():
    """Past the Hopf point of a rotating pair; the flow of SciPy from the orbit closes it too."""
    W = np.array([[1.3, -2.0], [2.0, 1.3]])
    net = nd.rate_network(W, tau=50*nd.ms)
    cycle = limit_cycle(net, {"E.x": [0.5, 0.0]}, duration=3*nd.second)
    check(cycle)
    assert cycle.stable and cycle.state_names == ("E.x[0]", "E.x[1]")
    run = solve_ivp(lambda _, x: (-x + W @ np.tanh(x)) / 0.05, (0, cycle.period), cycle.states[0],
                    "DOP853", rtol=1e-11, atol=1e-12, t_eval=cycle.time)  # fmt: skip
    assert_allclose(run.y.T, cycle.states, atol=1e-8)


@pytest.mark.parametrize("system, options, error, message", [
    (vdp(1.0), {}, ValueError, "`duration` is needed: how long a run from `start` takes"),
    (vdp(1.0), {"duration": -1}, ValueError, "`duration` must be a positive time; got -1"),
    (vdp(1.0), {"duration": 5*nd.mV}, ValueError, "`duration` must be a time; got V"),
    (vdp(1.0), {"duration": 9, "wrap": {"y": 1}}, ValueError, "`wrap`: no state `y`"),
    (vdp(1.0), {"duration": 9, "wrap": {"x": 0}}, ValueError, "must be a positive number; got 0"),
    (nd.Map(lambda x: x, 2), {"duration": 9}, TypeError, r"nd.Map\(lambda x: f\(f\(x\)\)"),
    (landau(-1.0), {"duration": 60}, ArithmeticError, "the system rests"),
    (vdp(0.0), {"duration": 2}, ArithmeticError, "does not come back .* a longer `duration`"),
    (nd.Flow(lambda s: s**3, 2), {"duration": 9}, ArithmeticError, "diverges at time 0.5"),
    (landau(-1.0), {"period": 6.0}, ArithmeticError, "went to an equilibrium|did not close"),
])
def test_refuses(system, options, error, message):
    with pytest.raises(error, match=message):
        limit_cycle(system, [1.0, 0.0], **options)


def test_refuses_spikes_and_clocks():
    lif = nd.Population(1, "dv/dt = (2 - v)/tau : 1", threshold="v > 1", reset="v = 0", tau=0.01)
    with pytest.raises(TypeError, match=r"`system` spikes \(`E`\): its state jumps"):
        limit_cycle(nd.Network({"E": lif}), [0.0], duration=1)
    driven = nd.Population(1, "dx/dt = (sin(t/tau) - x)/tau : 1", tau=0.01)
    with pytest.raises(ValueError, match="contain the time"):
        limit_cycle(nd.Network({"E": driven}), [0.0], duration=1)
