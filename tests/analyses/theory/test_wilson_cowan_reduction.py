"""Networks reduced to the mean rates of their populations: exact where they say so."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import neurodyn as nd
from neurodyn.analyses import lyapunov_exponent, reduced_fixed_points, wilson_cowan

EQUATIONS = "dr/dt = (-r + tanh(g_exc - g_inh + I_ext))/tau : 1"


def ei_network(n_exc=40, n_inh=10, cross=(2.0, 2.5), drive=0.3):
    """Excitatory and inhibitory units; weights differ, summed weights do not."""
    def mean(post, pre, w, seed):
        return nd.weights.sparse_random((post, pre), in_degree=5, weight=w / 5, rng=seed)

    return nd.Network(
        {"E": nd.Population(n_exc, EQUATIONS, tau=0.02, I_ext=drive, r=0.1),
         "I": nd.Population(n_inh, EQUATIONS, tau=0.01, I_ext=0.0, r=0.2)},
        [nd.Coupling("E.r", "E.g_exc", mean(n_exc, n_exc, 3.0, 0)),
         nd.Coupling("I.r", "E.g_inh", mean(n_exc, n_inh, cross[0], 1)),
         nd.Coupling("E.r", "I.g_exc", mean(n_inh, n_exc, cross[1], 2)),
         nd.Coupling("I.r", "I.g_inh", mean(n_inh, n_inh, 0.5, 3))],
    )  # fmt: skip


def test_equal_sums_make_it_exact():
    """The full network's run, of which all units agree, is that of two ordinary equations."""
    net = ei_network()
    reduced = wilson_cowan(net)
    assert reduced.is_exact and not reduced.scatter
    assert [float(B[0, 0]) for B in reduced.weights.values()] == pytest.approx([3, 2, 2.5, 0.5])

    def equation(t, y):
        e, i = y
        return [(-e + np.tanh(3 * e - 2 * i + 0.3)) / 0.02, (-i + np.tanh(2.5 * e - 0.5 * i)) / 0.01]

    ds = nd.simulate(net, nd.RK4(dt=1e-4), 0.1, record=["E.r", "I.r"], every=0.02)
    path = solve_ivp(equation, (0, 0.1), [0.1, 0.2], t_eval=ds.time.values, rtol=1e-11, atol=1e-12)
    assert_allclose(ds["E.r"].values[0], np.repeat(path.y[:1].T, 40, axis=1), atol=1e-8)
    assert_allclose(ds["I.r"].values[0], np.repeat(path.y[1:].T, 10, axis=1), atol=1e-8)
    y = np.array([[0.3, -0.2], [0.1, 0.8]])
    assert_allclose(reduced.flow.field(y), np.array([equation(0, row) for row in y]))
    assert_allclose(reduced.reduce(reduced.lift(y)), y)
    assert_allclose(net.field(reduced.lift(y)), reduced.lift(reduced.flow.field(y)))


def test_fixed_points_and_stability():
    """One at weak, three at strong excitation, by a scalar equation; eigenvalues by hand."""
    for w, count in ((0.8, 1), (2.5, 3)):
        W = np.full((30, 30), w / 30)
        reduced = wilson_cowan(nd.rate_network(W, tau=0.5, form="activity"))
        found = reduced_fixed_points(reduced, low=-2, high=2)
        assert len(found) == count and found.index_sum == 1 and found.n_failed == 0
        if w > 1:
            top = brentq(lambda r, w=w: np.tanh(w * r) - r, 0.1, 1, xtol=1e-14)
            assert_allclose(found.x.ravel(), [-top, 0, top], atol=1e-9)
            expected = (-1 + w * np.array([1 - top**2, 1, 1 - top**2])) / 0.5
            assert_allclose(found.eigenvalues.ravel(), expected, rtol=1e-6)
            assert list(found.is_stable) == list(found.is_fully_stable) == [True, False, True]
        assert_allclose(found.full_residual, 0, atol=1e-9)


@pytest.mark.slow
def test_an_oscillation_of_the_two_is_one_of_the_network():
    """Around an unstable focus, the only fixed point, a limit cycle, whose leading exponent is 0."""
    net = ei_network(cross=(4.0, 4.0), drive=0.0).with_values(**{"I.tau": 0.04})
    reduced = wilson_cowan(net)
    found = reduced_fixed_points(reduced, low=-1, high=1)
    assert len(found) == 1 and not found.is_stable[0]
    assert abs(found.eigenvalues[0, 0].imag) > 1
    one = lyapunov_exponent(reduced.flow, nd.RK4(dt=2e-3), duration=3.0, initial=[0.1, 0.0])
    assert abs(one.exponents[0]) < 2  # on the scale of 1/tau = 50
    ds = nd.simulate(net, nd.RK4(dt=1e-3), 2.0, record=["E.r"], every=0.001)
    late = ds["E.r"].values[0, 1000:]
    assert late[:, 0].std() > 0.2
    assert np.abs(late - late[:, :1]).max() < 1e-6  # units still agree


def test_units_that_agree_may_part():
    """Two units that inhibit each other: 0 is stable for their mean, and not for the pair."""
    net = nd.rate_network([[0.0, -3.0], [-3.0, 0.0]], tau=1.0)
    found = reduced_fixed_points(wilson_cowan(net))
    assert_allclose(found.x, [[0]], atol=1e-9)
    assert_allclose(found.eigenvalues, [[-4]], rtol=1e-9)
    assert_allclose(found.full_eigenvalue, [2], rtol=1e-9)
    assert found.is_stable[0] and not found.is_fully_stable[0]


def test_groups_within_a_matrix():
    W = nd.weights.excitatory_inhibitory(40, 10, sd_exc=0.0)
    label = np.repeat([0, 1], [40, 10])
    reduced = wilson_cowan(nd.rate_network(W), {"E": label}, inputs={"E.I_ext": 0.2 * label})
    sums = np.array([[W[label == a][:, label == b].sum(axis=1).mean() for b in (0, 1)]
                     for a in (0, 1)])
    assert_allclose(reduced.weights["E.r->E.I_rec"], sums)
    assert reduced.is_exact
    x = np.array([0.4, -0.3])
    expected = (-x + sums @ np.tanh(x) + [0, 0.2]) / 0.1
    assert_allclose(reduced.flow.field(x), expected)
    assert_allclose(reduced.flow.jacobian(x), (sums / np.cosh(x) ** 2 - np.eye(2)) / 0.1)


@pytest.mark.slow
def test_scattered_sums_are_an_approximation_of_known_error():
    """The mean of tanh(mean + s z) is off by at most ``max|tanh''| s^2/2 = 0.385 s^2``.

    At the fixed point of the means that is amplified by at most 1/(1 - gain).
    """
    n, g = 300, 0.25
    W = nd.weights.gaussian(n, gain=g, mean=1.6 / n, rng=0)
    net = nd.rate_network(W, tau=1.0, form="activity", r=1.0)
    reduced = wilson_cowan(net)
    assert not reduced.is_exact and "E.r->E.I_rec scatters by" in reduced.notes[0]
    found = reduced_fixed_points(reduced, low=-2, high=2)
    assert np.isnan(found.full_eigenvalue).all()
    ds = nd.simulate(net, nd.RK4(dt=0.2), 60.0, record=["E.r"], every=60.0)
    r = nd.final_state(ds)["E.r"][0]
    top = found.x[-1, 0]
    sums = W.sum(axis=1)
    gain = sums.mean() * (1 - top**2)
    tolerance = 0.385 * (W @ r).var() / (1 - gain)
    # the part of r that varies meets the part of W that does, 1/sqrt(n) of it
    tolerance += 4 * g * r.std() / np.sqrt(n) / (1 - gain)
    assert tolerance < 0.1
    assert abs(r.mean() - top) < tolerance


def test_says_what_scatters():
    net = nd.rate_network(np.ones((3, 3)), tau=[0.1, 0.1, 0.2], sigma=0.1)
    reduced = wilson_cowan(net)
    assert reduced.notes == ("E.tau scatters by 0.354 within groups", "population E has noise")
    assert wilson_cowan(net, {"E": [0, 0, 1]}).notes == ("population E has noise",)
    by_input = wilson_cowan(nd.rate_network(np.ones((2, 2))), inputs={"E.I_ext": [1.0, 3.0]})
    assert by_input.notes == ("E.I_ext scatters by 0.5 within groups",)


def test_refuses():
    net = nd.rate_network(np.ones((3, 3)))
    with pytest.raises(TypeError, match="`network` must be a Network; got ndarray"):
        wilson_cowan(np.ones((3, 3)))
    with pytest.raises(ValueError, match="`groups` names `F`; the network has E"):
        wilson_cowan(net, {"F": [0, 0, 1]})
    with pytest.raises(ValueError, match=r"`groups\['E'\]` must number the groups of its 3 units"):
        wilson_cowan(net, {"E": [0, 2, 2]})
    with pytest.raises(ValueError, match="the rates of integrate-and-fire units are those of"):
        wilson_cowan(nd.lif_network(20, 5, rng=0))
    with pytest.raises(ValueError, match="`low` must be below `high`; got"):
        reduced_fixed_points(wilson_cowan(net), low=1, high=1)
    with pytest.raises(TypeError, match="must be what wilson_cowan"):
        reduced_fixed_points(net)
