"""Branches of equilibria and their bifurcations, against normal forms and published values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

import neurodyn as nd
from neurodyn import analyses
from neurodyn.analyses import continue_equilibria, switch_branch


def flow(function, n=1, **parameters):
    return nd.Flow(function, n, parameters=parameters)


def stacked(*parts):
    return np.stack(parts, axis=-1)


def lorenz(s, sigma, rho, beta):
    x, y, z = s[..., 0], s[..., 1], s[..., 2]
    return stacked(sigma * (y - x), x * (rho - z) - y, x * y - beta * z)


def brusselator(s, A, B):
    x, y = s[..., 0], s[..., 1]
    return stacked(A - (B + 1) * x + x**2 * y, B * x - x**2 * y)


def hopf_form(s, mu, omega, sign):
    x, y = s[..., 0], s[..., 1]
    r2 = x**2 + y**2
    return stacked(mu * x - omega * y - sign * x * r2, omega * x + mu * y - sign * y * r2)


def check(branch, system):
    """Every point is an equilibrium with the eigenvalues of its Jacobian, from the system itself."""
    for p, x, found in zip(branch.values[::7], branch.states[::7], branch.eigenvalues[::7]):
        at = system.with_values(**{branch.parameter: p})
        assert_allclose(at.field(x), 0, atol=1e-9 * max(1, np.abs(x).max()))
        exact = np.linalg.eigvals(at.jacobian(x))
        assert_allclose(np.sort(found.real), np.sort(exact.real), rtol=1e-6, atol=1e-6)
    assert not branch.unresolved


def test_goes_round_a_fold():
    """x' = p + x^2: the branch is p = -x^2, all of it; stable where x < 0."""
    system = flow(lambda x, p: p + x**2, p=-1.0)
    branch = continue_equilibria(system, "p", [-0.9], (-1, 1))
    check(branch, system)
    (fold,) = branch.bifurcations
    assert fold.kind == "fold" and abs(fold.value) < 1e-12 and abs(fold.state[0]) < 1e-8
    assert_allclose(fold.coefficient, 1, rtol=1e-6)
    x = branch.of("x0")
    assert_allclose(branch.values, -(x**2), atol=1e-12)
    assert_allclose([x[0], x[-1]], [-1, 1])
    assert np.array_equal(branch.stable, x < 0)
    assert branch.ends == ("`span` ends: p = -1",) * 2
    assert np.all(np.sign(x[[fold.after, fold.after + 1]]) == [-1, 1])


def test_two_folds_of_a_bistable_unit():
    """Of -x + 2 tanh x + h at x = -+artanh sqrt(1/2), the two folds, |h| = 0.532840."""
    system = flow(lambda x, h: -x + 2 * np.tanh(x) + h, h=0.0)
    branch = continue_equilibria(system, "h", [-1.9], (-1, 1))
    check(branch, system)
    x = np.arctanh(np.sqrt(0.5))
    h = 2 * np.tanh(x) - x
    assert_allclose([b.value for b in branch.kinds("fold")], [h, -h], rtol=1e-10)
    assert_allclose([b.state[0] for b in branch.kinds("fold")], [-x, x], rtol=1e-7)
    # quadratic coefficient: half the second derivative, -4 tanh sech^2 / 2
    second = -2 * np.tanh(x) / np.cosh(x) ** 2
    assert_allclose([b.coefficient for b in branch.bifurcations], [-second, second], rtol=1e-6)
    assert_allclose(abs(h), 0.532840, atol=1e-6)


def test_pitchfork_and_the_branch_that_crosses():
    system = flow(lambda x, w: -x + w * np.tanh(x), w=0.5)
    silent = continue_equilibria(system, "w", [0.0], (0.5, 2))
    check(silent, system)
    (fork,) = silent.bifurcations
    assert (fork.kind, fork.criticality) == ("pitchfork", "supercritical")
    assert_allclose(fork.value, 1, atol=1e-12)
    assert_allclose(fork.coefficient, -1 / 3, rtol=1e-5)  # w tanh x = w x - w x^3/3
    assert np.array_equal(silent.n_unstable, (silent.values > 1).astype(int))
    active = switch_branch(silent)
    x = active.of(0)
    assert_allclose(np.sort(x[[0, -1]]), [-1.915008, 1.915008], atol=1e-6)
    away = np.abs(x) > 0.01
    assert_allclose(active.values[away], x[away] / np.tanh(x[away]), rtol=1e-9)
    assert active.stable[away].all()
    near = np.argmin(np.abs(active.values - 1.01))
    assert_allclose(x[near] ** 2, 3 * (active.values[near] - 1), rtol=0.03)
    check(active, system)


def test_pitchfork_met_on_the_branch_that_bends():
    """From x = 1 of p x - x^3 towards p = 0, then over to x = 0."""
    system = flow(lambda x, p: p * x - x**3, p=1.0)
    bent = continue_equilibria(system, "p", [1.0], (-1, 1))
    (fork,) = bent.bifurcations
    assert fork.kind == "pitchfork" and abs(fork.value) < 1e-9 and abs(fork.state[0]) < 1e-8
    assert_allclose(np.sort(bent.of(0)[[0, -1]]), [-1, 1])
    straight = switch_branch(bent, fork)
    assert_allclose(straight.of(0), 0, atol=1e-8)
    assert_allclose(np.sort(straight.values[[0, -1]]), [-1, 1])


def test_subcritical_pitchfork_and_its_folds():
    """p x + x^3 - x^5: folds at p = -1/4, x^2 = 1/2."""
    system = flow(lambda x, p: p * x + x**3 - x**5, p=-1.0)
    branch = switch_branch(continue_equilibria(system, "p", [0.0], (-1, 1)))
    assert_allclose([b.value for b in branch.kinds("fold")], [-0.25, -0.25], rtol=1e-9)
    assert_allclose([b.state[0] ** 2 for b in branch.kinds("fold")], [0.5, 0.5], rtol=1e-6)
    origin = continue_equilibria(system, "p", [0.0], (-1, 1))
    assert origin.bifurcations[0].criticality == "subcritical"


def test_transcritical():
    system = flow(lambda x, p: p * x - x**2, p=-1.0)
    branch = continue_equilibria(system, "p", [0.0], (-1, 1))
    (crossing,) = branch.bifurcations
    assert crossing.kind == "transcritical" and abs(crossing.value) < 1e-9
    other = switch_branch(branch)
    assert_allclose(other.of(0), other.values, atol=1e-12)
    assert np.array_equal(other.stable[other.values != 0], (other.values > 0)[other.values != 0])


def test_lorenz():
    """Pitchfork at rho = 1; subcritical Hopf at sigma (sigma + beta + 3)/(sigma - beta - 1)."""
    system = flow(lorenz, 3, sigma=10, rho=0.5, beta=8 / 3)
    origin = continue_equilibria(system, "rho", [0, 0, 0], (0, 30))
    check(origin, system)
    (fork,) = origin.bifurcations
    assert fork.kind == "pitchfork" and abs(fork.value - 1) < 1e-9
    wings = switch_branch(origin)
    check(wings, system)
    assert [b.kind for b in wings.bifurcations] == ["Hopf", "Hopf"]
    exact = 10 * (10 + 8 / 3 + 3) / (10 - 8 / 3 - 1)
    for hopf in wings.bifurcations:
        assert_allclose(hopf.value, exact, rtol=1e-10)
        assert_allclose(hopf.value, 24.736842, atol=1e-6)
        assert hopf.criticality == "subcritical" and hopf.residual < 1e-10
        # the cubic characteristic equation has the roots +-i omega, omega^2 = beta (sigma + rho)
        assert_allclose(hopf.angular_frequency, np.sqrt(8 / 3 * (10 + exact)), rtol=1e-9)
    x = np.sqrt(8 / 3 * 29)
    assert_allclose(np.sort(wings.of("x0")[[0, -1]]), [-x, x])


@pytest.mark.parametrize("A", [0.7, 1.3])
def test_brusselator(A):
    system = flow(brusselator, 2, A=A, B=1.0)
    branch = continue_equilibria(system, "B", [A, 1 / A], (0.5, 5))
    check(branch, system)
    (hopf,) = branch.bifurcations
    assert (hopf.kind, hopf.criticality) == ("Hopf", "supercritical")
    assert_allclose([hopf.value, hopf.angular_frequency], [1 + A**2, A], rtol=1e-10)


@pytest.mark.parametrize("sign, name", [(1, "supercritical"), (-1, "subcritical")])
def test_hopf_normal_form(sign, name):
    """First Lyapunov coefficient of z' = i omega z - s z |z|^2, |q| = 1: l1 = -2 s/omega."""
    system = flow(lambda s, mu: hopf_form(s, mu, 2.5, sign), 2, mu=-0.5)
    (hopf,) = continue_equilibria(system, "mu", [0.1, 0], (-1, 1)).bifurcations
    assert (hopf.kind, hopf.criticality) == ("Hopf", name)
    assert_allclose([hopf.value, hopf.angular_frequency], [0, 2.5], atol=1e-12)
    assert_allclose(hopf.coefficient, -2 * sign / 2.5, rtol=1e-5)


def test_a_hopf_point_without_cubic_terms_has_no_criticality():
    system = flow(lambda s, mu: hopf_form(s, mu, 1.0, 0), 2, mu=-0.5)
    (hopf,) = continue_equilibria(system, "mu", [0, 0], (-1, 1)).bifurcations
    assert hopf.kind == "Hopf" and hopf.criticality == ""


def test_a_closed_branch():
    """x^2 + p^2 = 1."""
    system = flow(lambda x, p: x**2 + p**2 - 1, p=0.0)
    branch = continue_equilibria(system, "p", [-0.8], (-2, 2))
    assert branch.ends == ("closed: it returned to its start",) * 2
    assert_allclose(sorted(b.value for b in branch.bifurcations), [-1, 1])
    assert_allclose([branch.values[-1], branch.of(0)[-1]], [branch.values[0], branch.of(0)[0]])
    angle = np.unwrap(np.arctan2(branch.of(0), branch.values))
    assert_allclose(abs(angle[-1] - angle[0]), 2 * np.pi, rtol=1e-6)


def test_small_and_large_units_do_not_matter():
    """The bistable unit with states in millivolts, and with a parameter of the size of 1e-12."""
    x = np.arctanh(np.sqrt(0.5))
    h = 2 * np.tanh(x) - x
    for sx, sh in ((1e-3, 1.0), (1e3, 1e-12)):
        system = flow(lambda v, h, sx=sx, sh=sh: sx * (-v / sx + 2 * np.tanh(v / sx) + h / sh), h=0)
        branch = continue_equilibria(system, "h", [-1.9 * sx], (-sh, sh))
        assert_allclose([b.value / sh for b in branch.kinds("fold")], [h, -h], rtol=1e-9)
        assert branch.values.size < 400


# -- networks ------------------------------------------------------------------------------------


def test_gain_of_a_symmetric_rate_network():
    """tanh units with symmetric weights: a pitchfork where the largest eigenvalue is 1."""
    n = 20
    W = np.random.default_rng(0).normal(size=(n, n))
    W = (W + W.T) / np.linalg.eigvalsh(W + W.T).max()
    branch = continue_equilibria(nd.rate_network(W, tau=0.1), "E.r->E.I_rec", np.zeros(n),
                                 (0.5, 1.1), at=0.5)  # fmt: skip
    fork = branch.bifurcations[0]
    assert fork.kind == "pitchfork" and abs(fork.value - 1) < 1e-9
    vector = np.linalg.eigh(W)[1][:, -1]
    assert_allclose(abs(vector @ fork.direction), 1, rtol=1e-8)
    k = 5
    assert_allclose(np.sort(branch.eigenvalues[k].real),
                    (branch.values[k] * np.linalg.eigvalsh(W) - 1) / 0.1, atol=1e-8)  # fmt: skip
    active = switch_branch(branch, fork, max_points=20)
    amplitude = np.linalg.norm(active.states, axis=1)
    assert amplitude[[0, -1]].min() > 0.1 and active.stable[amplitude > 0.05].all()


def test_gain_of_a_rotating_pair():
    """Weights g [[1, -2], [2, 1]]: eigenvalues (g (1 +- 2i) - 1)/tau, a Hopf point at g = 1."""
    net = nd.rate_network([[1, -2], [2, 1]], tau=50*nd.ms)
    branch = continue_equilibria(net, "E.r->E.I_rec", {"E.x": 0.0}, (0.2, 1.5), at=0.2)
    (hopf,) = branch.bifurcations
    assert (hopf.kind, hopf.criticality) == ("Hopf", "supercritical")
    assert_allclose([hopf.value, hopf.angular_frequency], [1, 2 / 0.05], rtol=1e-10)


def test_input_with_units_of_a_bistable_network():
    """The folds of -x + 2 tanh x + h, h = I/I0 the input of a network in SI units."""
    net = nd.Network({"E": nd.Population(1, """
        dx/dt = (-x + y + I/I0)/tau : 1
        r = tanh(x) : 1
        I : amp
        """, tau=20*nd.ms, I0=2*nd.nA)}, [nd.Coupling("E.r", "E.y", [[2.0]])])  # fmt: skip
    branch = continue_equilibria(net, "E.I", [-1.9], (-2*nd.nA, 2*nd.nA))
    h = 0.5328399753535521
    assert_allclose([b.value for b in branch.kinds("fold")], [2e-9 * h, -2e-9 * h], rtol=1e-9)
    x = branch.of("E.x")
    assert_allclose(branch.values, 2e-9 * (x - 2 * np.tanh(x)), atol=1e-18)


def test_one_value_for_all_units_of_a_parameter():
    """A parameter that had one value a unit."""
    net = nd.Network({"E": nd.Population(3, "dx/dt = (-x + a - x**3)/tau : 1", tau=1.0,
                                         a=[1.0, 1.0, 1.0])})  # fmt: skip
    branch = continue_equilibria(net, "E.a", {"E.x": 0.7}, (0, 2))
    end = brentq(lambda x: -x + 2 - x**3, 0, 2)
    assert_allclose(branch.states[-1], end, rtol=1e-10)
    uneven = net.with_values(**{"E.a": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="has different values in the units.*at=..."):
        continue_equilibria(uneven, "E.a", {"E.x": 0.7}, (0, 2))


def test_hodgkin_huxley():
    """Repetitive firing begins at 9.78 and ends at 154.5 uA/cm2 (Rinzel and Miller 1980)."""
    net = nd.Network({"N": nd.Population(1, """
        dv/dt = (I - 120*m**3*h*(v - 50) - 36*n**4*(v + 77) - 0.3*(v + 54.387))/tau : 1
        dm/dt = (exprel(-(v + 40)/10)**-1*(1 - m) - 4*exp(-(v + 65)/18)*m)/tau : 1
        dh/dt = (0.07*exp(-(v + 65)/20)*(1 - h) - h/(1 + exp(-(v + 35)/10)))/tau : 1
        dn/dt = (0.1*exprel(-(v + 55)/10)**-1*(1 - n) - 0.125*exp(-(v + 65)/80)*n)/tau : 1
        """, tau=1*nd.ms)})  # fmt: skip
    rest = {"N.v": -65, "N.m": 0.05, "N.h": 0.6, "N.n": 0.32}
    branch = continue_equilibria(net, "N.I", rest, (0, 200))
    assert [(b.criticality, b.kind) for b in branch.bifurcations] == [
        ("subcritical", "Hopf"), ("supercritical", "Hopf")
    ]  # fmt: skip
    assert_allclose([b.value for b in branch.bifurcations], [9.78, 154.5], rtol=1e-3)
    assert_allclose(branch.of("N.v")[0], -65, atol=0.01)


# -- ends and errors -----------------------------------------------------------------------------


def test_says_why_it_ends():
    system = flow(lambda x, p: 1 - p * x, p=1.0)
    grows = continue_equilibria(system, "p", [1.0], (-1, 2), bounds={"x0": (-5, 50)})
    assert grows.ends == ("`bounds`: `x0` = " + f"{grows.of(0)[0]:.6g}", "`span` ends: p = 2")
    few = continue_equilibria(system, "p", [1.0], (-1, 2), max_points=3)
    assert few.ends == ("3 points, `max_points`",) * 2 and few.values.size == 7
    cliff = flow(lambda x, p: np.where(p > 0.5, np.nan, p - x), p=0.0)
    stuck = continue_equilibria(cliff, "p", [0.0], (-1, 1))
    assert stuck.ends[1].startswith("steps became too short at p = 0.4999")
    assert stuck.ends[1].endswith("the field is not finite")
    assert 0.499 < stuck.values.max() <= 0.5


BISTABLE = flow(lambda x, gain: -x + np.tanh(gain * x), gain=0.5)


@pytest.mark.parametrize("arguments, options, error, message", [
    (("gian", [0.0], (0, 2)), {}, ValueError, "no parameter `gian`; did you mean `gain`?"),
    (("gain", [0.0, 1.0], (0, 2)), {}, ValueError, r"`start` must have 1 states"),
    (("gain", {"x1": 0.0}, (0, 2)), {}, ValueError, "`start`: no state `x1`. There are `x0`"),
    (("gain", [0.0], (2, 0)), {}, ValueError, "from a lower to a higher value; got 2 to 0"),
    (("gain", [0.0], (1, 2)), {}, ValueError, r"0.5 is outside of `span`, 1 to 2: say .* at=1"),
    (("gain", [0.0], (1, 2)), {"at": 3}, ValueError, "`at` 3 is outside of `span`"),
    (("gain", [0.0], 3), {}, TypeError, r"`span` must be \(low, high\)"),
    (("gain", [np.nan], (0, 2)), {}, ValueError, "`start` must be finite"),
    (("gain", [0.0], (0, 2)), {"min_step": 1}, ValueError, "`min_step` must be below"),
    (("gain", [0.0], (0, 2)), {"scale": -1}, ValueError, "`scale` must be one positive number"),
    (("gain", [0.0], (0, 2)), {"bounds": {"x0": (1, 0)}}, ValueError, r"must be \(low, high\)"),
    (("gain", [0.0], (0, 2)), {"inputs": {"I": 1}}, ValueError, "`inputs` belong to a Network"),
])
def test_refuses(arguments, options, error, message):
    with pytest.raises(error, match=message):
        continue_equilibria(BISTABLE, *arguments, **options)


def test_refuses_where_there_is_no_equilibrium():
    with pytest.raises(ArithmeticError, match="not near an equilibrium at p = 1: the rate of change "
                                              "of `x0` there is 1, and Newton"):  # fmt: skip
        continue_equilibria(flow(lambda x, p: p + x**2, p=1.0), "p", [0.01], (-1, 2))
    with pytest.raises(TypeError, match=r"is a Map; .* nd.Flow\(lambda x, ...: f\(x, ...\) - x"):
        continue_equilibria(nd.Map(lambda x, p: p * x, 1, parameters={"p": 1}), "p", [0.0], (0, 2))


def test_refuses_to_switch_where_nothing_crosses():
    system = flow(lambda s, mu: hopf_form(s, mu, 1.0, 1), 2, mu=-0.5)
    branch = continue_equilibria(system, "mu", [0, 0], (-1, 1))
    with pytest.raises(ValueError, match="has no branch point to switch at; it has Hopf"):
        switch_branch(branch)
    with pytest.raises(ValueError, match="crosses at a Hopf; .* are found by `limit_cycle`"):
        switch_branch(branch, branch.bifurcations[0])
    with pytest.raises(ValueError, match="no kind `hopf`; did you mean `Hopf`"):
        branch.kinds("hopf")
    with pytest.raises(ValueError, match="no state `y`"):
        branch.of("y")
    assert analyses.Branch is type(branch)
