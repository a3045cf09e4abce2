"""Spikes and their surrogate derivatives: shapes, conventions, units, and a gradient through time.

The derivatives of whole networks are compared with a second writing in NumPy, whose complex steps
pass a spike by the surrogate's formula (see `tests.neurodyn.compile.derivative_cases.spiking`).
"""

import functools
import pickle

import brian2
import numpy as np
import pytest
from scipy import integrate, special

import neurodyn as nd
from neurodyn import surrogates
from neurodyn.provenance import describe
from tests.naive import complex_step
from tests.neurodyn.compile.derivative_cases import CASES

#: Each with another slope and dampening than its default, and its formula written down again.
SHAPES = {
    surrogates.FastSigmoid(slope=4.0, dampening=0.8): lambda x: 0.8 / (1 + 4 * abs(x)) ** 2,
    surrogates.ArcTan(slope=0.5, dampening=2.0): lambda x: 2 / (1 + (np.pi * 0.5 * x / 2) ** 2),
    surrogates.Triangle(slope=0.25, dampening=0.6): lambda x: 0.6 * np.maximum(0, 1 - abs(x) / 4),
    surrogates.Exponential(slope=3.0, dampening=1.5): lambda x: 1.5 * np.exp(-3 * abs(x)),
    surrogates.Sigmoid(slope=3.0, dampening=0.7): lambda x: (
        2.8 * special.expit(3 * x) * special.expit(-3 * x)
    ),
}
POINTS = np.array(
    [-np.inf, -300, -4, -3.9, -1, -0.3, -1e-6, -0.0, 0, 1e-6, 0.3, 1, 3.9, 4, 5, 300, np.inf, np.nan]
)  # fmt: skip


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    return request.param


def only(text, **values):
    return nd.Network({"E": nd.Population(2, text, **values)})


# -- shapes and conventions --------------------------------------------------------------------


@functools.lru_cache
def network_of_shapes():
    text = "dx/dt = spike(x)/second : 1"
    members = {type(s).__name__: nd.Population(POINTS.size, text, surrogate=s) for s in SHAPES}
    return nd.Network(members)


def test_value_and_derivative(dtype):
    compiled = network_of_shapes().compiled(dtype)
    x = np.tile(POINTS, len(SHAPES)).astype(dtype).astype(float)
    with np.errstate(invalid="ignore"):
        value = np.where(np.isnan(x), np.nan, x > 0)
        slope = np.concatenate([f(POINTS.astype(dtype).astype(float)) for f in SHAPES.values()])
    np.testing.assert_array_equal(compiled.field(x), value)
    assert np.isnan(slope).sum() == len(SHAPES)  # of NaN alone
    for found in (
        compiled.tangent(x, np.ones_like(x)),
        compiled.adjoint(x, np.ones_like(x)).state,
    ):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, slope, rtol=8 * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("surrogate", SHAPES, ids=lambda s: type(s).__name__)
def test_derivative_to_look_at(surrogate):
    np.testing.assert_allclose(surrogate.derivative(POINTS), SHAPES[surrogate](POINTS), rtol=1e-15)


def test_defaults_are_those_of_the_sources():
    x = np.linspace(-2, 2, 41)
    for surrogate, wanted in (
        (surrogates.FastSigmoid(), 1 / (25 * abs(x) + 1) ** 2),  # snnTorch
        (surrogates.ArcTan(), 1 / (1 + (np.pi * x) ** 2)),  # Fang et al. (2021)
        (surrogates.Triangle(), 0.3 * np.maximum(0, 1 - abs(x))),  # Bellec et al. (2018)
        (surrogates.Exponential(), np.exp(-abs(x))),
        (surrogates.Sigmoid(), 4 * special.expit(4 * x) * special.expit(-4 * x)),  # SpikingJelly
    ):
        np.testing.assert_allclose(surrogate.derivative(x), wanted, rtol=1e-15)


def test_conversions_from_other_conventions():
    x, a, b, tau = np.linspace(-2, 2, 41), 3.0, 0.7, 0.4
    for surrogate, elsewhere in (
        (surrogates.ArcTan(a, dampening=a / 2), a / 2 / (1 + (np.pi / 2 * a * x) ** 2)),
        (surrogates.Triangle(a, dampening=b), b * np.maximum(0, 1 - a * abs(x))),
        (surrogates.Exponential(1 / tau, b / tau), b / tau * np.exp(-abs(x) / tau)),
        (surrogates.Sigmoid(a, dampening=a / 4), a * special.expit(a * x) * special.expit(-a * x)),
    ):
        np.testing.assert_allclose(surrogate.derivative(x), elsewhere, rtol=1e-14)


@pytest.mark.parametrize("kind", surrogates.Surrogate.__subclasses__())
def test_the_dampening_that_makes_the_area_one(kind):
    slope = 3.0
    dampening = slope * {surrogates.Triangle: 1, surrogates.Sigmoid: 0.25}.get(kind, 0.5)
    half, _ = integrate.quad(kind(slope, dampening).derivative, 0, np.inf, limit=200)
    assert half == pytest.approx(0.5, rel=1e-7)


def test_second_derivatives():
    """Not in use yet, but the formula must have them: by central differences of the first."""
    import sympy

    from neurodyn.compile.expressions import spike, with_surrogate
    from neurodyn.compile.printer import lines, symbol

    x, step = np.array([-3.0, -0.7, 0.2, 1.9]), 1e-6
    for surrogate in SHAPES:
        first = with_surrogate(sympy.diff(spike(symbol("x")), symbol("x")), surrogate.formula)
        second = sympy.diff(first, symbol("x"))
        text = lines([("second", second)], surrogate.numbers, "float64")
        space = {
            "np": np, "ONE": 1.0, "ZERO": 0.0, "exp": np.exp, "relu": lambda y: max(y, 0.0),
            "sign": np.sign, "real": float, **surrogate.numbers,
        }  # fmt: skip
        found = []
        for value in x:
            exec("\n".join([*text.hoisted, *text.body]), scope := {**space, "x": value})
            found.append(scope["second"])
        wanted = (surrogate.derivative(x + step) - surrogate.derivative(x - step)) / (2 * step)
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


# -- networks ----------------------------------------------------------------------------------


def test_derivatives_of_a_network(dtype):
    case = CASES["spiking"]()
    compiled = case.network.compiled(dtype)
    tolerance = 40 * np.finfo(dtype).eps

    def same(got, wanted):
        assert got.shape == wanted.shape and np.any(wanted != 0)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())

    same(compiled.field(case.state, inputs=case.inputs), case.field(case.values))
    J = complex_step(case.field, case.values, "state").T
    same(compiled.jacobian(case.state, inputs=case.inputs), J)
    cotangent = np.random.default_rng(0).normal(size=case.state.size)
    found = compiled.adjoint(case.state, cotangent, inputs=case.inputs)
    same(found.state, J.T @ cotangent)
    names = {f"{p}.{n}" for p, m in case.network.populations.items() for n in m.parameters}
    assert set(found.parameters) == names  # the numbers of a surrogate are no parameters
    for name in names:
        same(found.parameters[name], complex_step(case.field, case.values, name, cotangent))
    for label in case.network.coupling_labels:
        for name, gradient in found.weight_gradient(label).items():
            wanted = complex_step(case.field, case.values, f"{label}:{name}", cotangent)
            same(gradient, wanted)


LEAKY = """
dv/dt = (-v + I)/tau - drop*z/ms : 1
z = {function}(v - v_th) : 1
I = 3 + sin(2*pi*t/(20*ms)) : 1
"""


@pytest.mark.parametrize("solver", [nd.Euler, nd.ExponentialEuler])
def test_simulations_do_not_depend_on_the_surrogate(solver):
    values = {"tau": 10 * nd.ms, "v_th": np.array([1.0, 1.3]), "drop": 0.8}
    recorded = []
    for function, surrogate in (
        ("heaviside", None),
        ("spike", surrogates.FastSigmoid(slope=0.1)),
        ("spike", surrogates.Exponential(slope=2.0)),
    ):
        network = only(LEAKY.format(function=function), surrogate=surrogate, **values)
        ds = nd.simulate(network, solver(dt=0.1 * nd.ms), 50 * nd.ms, record=["E.v", "E.z"])
        recorded.append(ds)
    assert 0 < recorded[0]["E.z"].sum() < recorded[0]["E.z"].size
    for ds in recorded[1:]:
        for name in ("E.v", "E.z"):
            np.testing.assert_array_equal(ds[name].values, recorded[0][name].values)


def test_another_slope_runs_the_same_code():
    text = "dx/dt = (-x + z)/tau : 1\nz = spike(x - 1) : 1"
    network = only(text, tau=0.1, surrogate=surrogates.FastSigmoid(slope=10, dampening=0.5))
    x = np.array([0.9, 1.2])
    network.jacobian(x)
    other = network.with_values(**{"E.surrogate": surrogates.FastSigmoid(slope=5)})
    assert other.compiled().module is network.compiled().module
    kind = network.with_values(**{"E.surrogate": surrogates.ArcTan()})
    assert kind.source() != network.source()
    for one, surrogate in (
        (network, lambda y: 0.5 / (1 + 10 * abs(y)) ** 2),
        (other, lambda y: 1 / (1 + 5 * abs(y)) ** 2),
        (kind, lambda y: 1 / (1 + (np.pi * y) ** 2)),
    ):
        wanted = np.diag((-1 + surrogate(x - 1)) / 0.1)
        np.testing.assert_allclose(one.jacobian(x), wanted, rtol=1e-13)


def test_the_surrogate_stays_with_the_population():
    surrogate = surrogates.Triangle(slope=1 / nd.mV, dampening=0.3 / nd.mV)
    text = "dv/dt = (-v + z*mV)/tau : volt\nz = spike(v - v_th) : 1"
    population = nd.Population(2, text, tau=10 * nd.ms, v_th=1 * nd.mV, surrogate=surrogate)
    for other in (
        population.with_values(tau=5 * nd.ms),
        pickle.loads(pickle.dumps(population)),
        nd.Network({"E": population}).with_values(**{"E.v_th": 2 * nd.mV}).populations["E"],
        pickle.loads(pickle.dumps(nd.Network({"E": population}))).populations["E"],
    ):
        assert other.surrogate == surrogate
    assert "surrogate=Triangle(slope=1000.0 V**-1, dampening=300.0 V**-1)" in repr(population)
    changed = population.with_values(surrogate=surrogates.FastSigmoid(slope=3.0, dampening=2.0))
    assert changed.surrogate == surrogates.FastSigmoid(slope=3.0, dampening=2.0)
    assert changed.parameters == population.parameters


def test_provenance_names_the_surrogate():
    text = "dx/dt = (-x + spike(x))/tau : 1"
    surrogate = surrogates.Exponential(slope=5.0)
    ds = nd.simulate(only(text, tau=0.1, surrogate=surrogate), nd.Euler(0.01), 0.05)
    wanted = {"class": "Exponential", "slope": 5.0, "dampening": 1.0}
    assert ds.attrs["parameters"]["E.surrogate"] == wanted == describe(surrogate)
    assert "spike(x)" in ds.attrs["network"]


def test_without_spikes_there_is_no_surrogate():
    assert nd.Population(2, "dx/dt = -x/tau : 1", tau=0.1).surrogate is None
    default = nd.Population(2, "dx/dt = -spike(x)/tau : 1", tau=0.1).surrogate
    assert default == surrogates.FastSigmoid(slope=25.0, dampening=1.0)


# -- units -------------------------------------------------------------------------------------

VOLTS = "dv/dt = (-v + {z}*mV)/tau : volt"


def test_slope_and_dampening_have_the_inverse_unit_of_the_argument():
    v = np.array([0.4e-3, 1.3e-3])
    wanted = np.diag((-1 + 1 / (1 + 2 * abs(v / 1e-3 - 1)) ** 2) / 0.01)
    brian = brian2.mV
    for z, slope, dampening in (
        ("spike(v - v_th)", 2 / nd.mV, 1 / nd.mV),
        ("spike(v - v_th)", 2 / brian, 1 / brian),
        ("spike(v - v_th)", 2000.0, 1000.0),  # plain numbers are in SI
        ("spike((v - v_th) / mV)", 2, 1),
    ):
        surrogate = surrogates.FastSigmoid(slope, dampening)
        values = {"tau": 10 * nd.ms, "v_th": 1 * nd.mV, "surrogate": surrogate}
        network = only(VOLTS.format(z=z), **values)
        assert network.populations["E"].equations.spike_arguments[0][0] in z
        np.testing.assert_allclose(network.jacobian(v), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("z", "surrogate", "words"),
    [
        ("spike(v)", None, "argument of `spike(v)` is in V, and only for plain numbers"),
        ("spike(v)", surrogates.FastSigmoid(1 / nd.mA, 1 / nd.mV),
         "the slope must be in V**-1, as the argument of `spike(v)` is in V; got A**-1"),
        ("spike(v)", surrogates.ArcTan(1 / nd.mV, 1 * nd.mV),
         "the dampening must be in V**-1, as the argument of `spike(v)` is in V; got V"),
        ("spike(v/mV)", surrogates.ArcTan(1 / nd.mV), "the slope must be in 1, as"),
        ("spike(v)", surrogates.FastSigmoid(1 / nd.mV),
         "the dampening is a plain number, 1 V**-1, beside a quantity"),
        ("spike(v)", surrogates.Triangle(10.0, 1 / nd.mV), "the slope is a plain number, 10 V**-1"),
        ("spike(v)*spike(v/mV)", surrogates.FastSigmoid(),
         "`spike(v)` and `spike(v / mV)` share one surrogate, but their arguments are in V and 1"),
    ],
)  # fmt: skip
def test_units_that_do_not_fit(z, surrogate, words):
    with pytest.raises(nd.UnitError) as caught:
        nd.Population(2, VOLTS.format(z=z), tau=10 * nd.ms, surrogate=surrogate)
    assert words in str(caught.value)


def test_the_argument_gets_its_unit_from_either_side():
    text = "dv/dt = (-v + mV*spike(v - v_th))/tau : volt"
    surrogate = surrogates.FastSigmoid(1 / nd.mV, 1 / nd.mV)
    population = nd.Population(2, text, tau=0.1, v_th=1e-3, surrogate=surrogate)
    assert population.equations.open_names["v_th"] == nd.volt.dim
    with pytest.raises(nd.UnitError, match="do not fit"):
        nd.Population(2, text, tau=0.1, v_th=1 * nd.mA, surrogate=surrogate)


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["slope", "dampening"])
@pytest.mark.parametrize("bad", [0, -1.0, np.nan, np.inf, [1.0, 2.0], -1 / nd.mV])
def test_bad_numbers(name, bad):
    with pytest.raises(ValueError, match=f"`{name}` must be one positive, finite number; got"):
        surrogates.FastSigmoid(**{name: bad})


def test_no_number_at_all():
    with pytest.raises(TypeError, match="`slope` must be a number"):
        surrogates.Triangle(slope="steep")
    with pytest.raises(TypeError, match=r"choose a surrogate: nd.surrogates.FastSigmoid"):
        surrogates.Surrogate(slope=1.0)


@pytest.mark.parametrize("bad", ["fast_sigmoid", surrogates.ArcTan, 25.0])
def test_unknown_surrogates(bad):
    got = "ArcTan" if isinstance(bad, type) else repr(bad)
    with pytest.raises(TypeError, match="`surrogate` must be one of nd.surrogates.Fast") as caught:
        nd.Population(2, "dx/dt = -spike(x)/tau : 1", tau=0.1, surrogate=bad)
    assert str(caught.value).endswith(f"got {got}")


def test_a_surrogate_that_nothing_uses():
    population = nd.Population(2, "dx/dt = -x/tau : 1", tau=0.1)
    for make in (
        lambda s: nd.Population(2, "dx/dt = -x/tau : 1", tau=0.1, surrogate=s),
        lambda s: population.with_values(surrogate=s),
        lambda s: nd.Network({"E": population}).with_values(**{"E.surrogate": s}),
    ):
        with pytest.raises(ValueError, match=r"`surrogate` is the derivative of spike\(x\)"):
            make(surrogates.FastSigmoid())
    with pytest.raises(ValueError, match="the network has no population `I`"):
        nd.Network({"E": population}).with_values(**{"I.surrogate": surrogates.FastSigmoid()})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dspike/dt = -spike/tau : 1", "`spike` is a function in equations; give the variable"),
        ("dx/dt = (-x + spike)/tau : 1", "`spike` is a function in equations; give the variable"),
        ("dx/dt = -x/tau : 1\nspike : 1", "`spike` is a function in equations; give the variable"),
        ("dx/dt = spike(x, 2)/tau : 1", "spike() takes 1 argument; got 2"),
        ("dx/dt = spike(x > 0)/tau : 1", "is a condition"),
        ("dx/dt = surrogate(x)/tau : 1", "unknown function `surrogate`"),
        ("dx/dt = spike(x + sqrt(tau)*xi)/tau : 1", "noise must enter `dx/dt` linearly"),
    ],
)
def test_equations_that_are_refused(text, words):
    with pytest.raises(nd.EquationError) as caught:
        nd.Population(2, text, tau=0.1)
    assert words in str(caught.value)


def test_noise_beside_a_spike_keeps_both():
    population = nd.Population(
        2, "dx/dt = (-x + spike(x - 1))/tau + spike(x)*sigma*xi/sqrt(tau) : 1", tau=0.1, sigma=0.3
    )
    (state,) = population.equations.states
    assert "spike(x - 1)" in state.expression and "spike(x)" in state.noise["xi"]
    assert [text for text, _ in population.equations.spike_arguments] == ["x - 1", "x"]


# -- backpropagation through time --------------------------------------------------------------

CELL = """
dv/dt = (v_new - v)/dt : 1
v_new = beta*v + from_input + from_cells - v_th*z : 1
z = spike(v - v_th) : 1
"""
N, N_IN, N_OUT, STEPS = 6, 3, 2, 12


def recurrent_cell(rng):
    """A recurrent layer of leaky integrate-and-fire units that a leaky readout listens to."""
    populations = {
        "X": nd.Population(N_IN, "u = s : 1"),
        "C": nd.Population(N, CELL, beta=0.9, v_th=np.linspace(0.8, 1.2, N),
                           surrogate=surrogates.FastSigmoid(slope=5.0)),
        "Y": nd.Population(N_OUT, "dy/dt = (kappa*y + from_cells - y)/dt : 1", kappa=0.8),
    }  # fmt: skip
    return nd.Network(
        populations,
        [
            nd.Coupling("X.u", "C.from_input", rng.normal(size=(N, N_IN))),
            nd.Coupling("C.z", "C.from_cells", 0.5 * rng.normal(size=(N, N))),
            nd.Coupling("C.z", "Y.from_cells", rng.normal(size=(N_OUT, N))),
        ],
    )


def naive_gradient(values, s, target):
    """Loss 1/2 sum (y - target)^2 and its gradient, step by step as in a textbook."""
    W_in, W, W_out, beta, v_th, kappa = values
    v, z, y = [np.zeros(N)], [], [np.zeros(N_OUT)]
    for t in range(STEPS):
        z.append(1.0 * (v[t] > v_th))
        v.append(beta * v[t] + W_in @ s[t] + W @ z[t] - v_th * z[t])
        y.append(kappa * y[t] + W_out @ z[t])
    loss = 0.5 * sum(np.sum((y[t] - target[t]) ** 2) for t in range(1, STEPS + 1))
    gradient = [np.zeros_like(value) for value in values]
    to_y, to_v = np.zeros(N_OUT), np.zeros(N)  # of the loss, by y[t + 1] and by v[t + 1]
    for t in reversed(range(STEPS)):
        to_y = to_y + y[t + 1] - target[t + 1]
        to_z = W_out.T @ to_y + W.T @ to_v - v_th * to_v
        slope = 1 / (1 + 5 * np.abs(v[t] - v_th)) ** 2
        parts = (
            np.outer(to_v, s[t]), np.outer(to_v, z[t]), np.outer(to_y, z[t]),
            to_v @ v[t], -z[t] * to_v - slope * to_z, to_y @ y[t],
        )  # fmt: skip
        gradient = [total + part for total, part in zip(gradient, parts)]
        to_v = beta * to_v + slope * to_z
        to_y = kappa * to_y
    return loss, gradient, np.array(z)


def gradient_by_the_adjoint(network, dtype, s, target, dt):
    """The same by Euler steps of `field` and, backwards, of `adjoint`."""
    compiled = network.compiled(dtype)
    x = [np.zeros(network.n_states)]
    for t in range(STEPS):
        x.append(x[t] + dt * compiled.field(x[t], inputs={"X.s": s[t]}, dt=dt))
    error = [network.unpack(x[t])["Y.y"] - target[t] for t in range(STEPS + 1)]
    loss = 0.5 * sum(np.sum(e**2) for e in error[1:])
    cotangent, total = np.zeros(network.n_states), {}
    for t in reversed(range(STEPS)):
        cotangent = cotangent + np.concatenate([np.zeros(N), error[t + 1]])
        step = compiled.adjoint(x[t], dt * cotangent, inputs={"X.s": s[t]}, dt=dt)
        found = dict(step.parameters)
        found |= {label: step.weight_gradient(label)["W"] for label in network.coupling_labels}
        total = {name: total.get(name, 0) + value for name, value in found.items()}
        cotangent = cotangent + step.state
    return loss, total


def test_backpropagation_through_time_of_a_spiking_cell(dtype):
    rng = np.random.default_rng(5)
    network = recurrent_cell(rng)
    s, target = rng.normal(size=(STEPS, N_IN)) + 0.5, rng.normal(size=(STEPS + 1, N_OUT))
    names = ["X.u->C.from_input", "C.z->C.from_cells", "C.z->Y.from_cells"]
    values = [c.weights.to_dense() for c in network.couplings]
    values += [np.asarray(network.populations[p].parameters[n])
               for p, n in (("C", "beta"), ("C", "v_th"), ("Y", "kappa"))]  # fmt: skip
    names += ["C.beta", "C.v_th", "Y.kappa"]
    wanted_loss, wanted, z = naive_gradient(values, s, target)
    assert 0.1 < z.mean() < 0.6  # they spike, and not always
    loss, found = gradient_by_the_adjoint(network, dtype, s, target, dt=2.0**-10)
    tolerance = 200 * float(np.finfo(dtype).eps)  # some ten roundings a step
    assert loss == pytest.approx(wanted_loss, rel=tolerance)
    assert set(found) == set(names)
    for name, value in zip(names, wanted):
        atol = tolerance * np.abs(value).max()
        np.testing.assert_allclose(found[name], value, rtol=0, atol=atol, err_msg=name)
