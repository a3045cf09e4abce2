"""Equation text: its grammar, units given and inferred, noise, and what is said when it is wrong."""

import brian2
import numpy as np
import pytest

import neurodyn as nd
from neurodyn.compile.expressions import from_sympy, to_sympy
from neurodyn.equations import Equations, parse
from neurodyn.units import format_dimension


def units_of(text, **values):
    """Units of all names in a population with these values."""
    equations = nd.Population(2, text, **values).equations
    dims = {n: v.dim for n, v in equations.variables.items()} | equations.open_names
    return {name: format_dimension(dim) for name, dim in dims.items()}


def refused(text, error=nd.EquationError, **values):
    with pytest.raises(error) as caught:
        nd.Population(2, text, **{"tau": 10 * nd.ms, **values})
    return str(caught.value)


# -- grammar -----------------------------------------------------------------------------------


def test_what_the_text_defines_in_its_own_order():
    equations = parse(
        """
        # states, in an order that is not the alphabet's
        dz/dt = (-z + b)/tau : 1   # a comment
        dy/dt = (-y
                 + z)/tau : 1
        b = a*z : 1
        a = tanh(y) : 1

        I : amp (constant)
        k : 1 (shared)
        """,
        (("tau", None),),
    )
    assert [v.name for v in equations.states] == ["z", "y"]
    assert [v.name for v in equations.algebraic] == ["a", "b"]  # as they can be evaluated
    assert set(equations.open_names) == {"tau", "I", "k"}
    assert equations.shared_names == ("k",)
    assert equations.divisors == ("tau",)
    assert equations.variables["b"].uses == ("a", "z")
    assert Equations.from_json(equations.to_json()) == equations


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "define no variable"),
        ("I : 1", "define no variable"),
        ("x = 3", "cannot be read"),
        ("dx/dt = -x/tau", "cannot be read"),
        ("dx/dt = (-x/tau : 1", "cannot be read"),
        ("dx/dt = -x/tau : banana", "'banana'"),
        ("dx/dt = -x/tau : 1\ndx/dt = -x/tau : 1", "Duplicate definition of variable 'x'"),
        ("dx/dt = -x[0]/tau : 1", "indexing"),
        ("dx/dt = (1 if x > 0 else 0)/tau : 1", "IfExp"),
        ("dlambda/dt = -lambda/tau : 1", "invalid syntax"),
        ("dtanh/dt = -tanh/tau : 1", "'tanh' is the name of a function"),
        ("dmV/dt = -mV/tau : 1", "'mV' is the name of a unit"),
        ("dt/dt = -t/tau : 1", "'t' has a special meaning"),
        ("d_x/dt = -_x/tau : 1", "starts with an underscore"),
        ("dx/dt = -x/tau : 1 (event-driven)", "the flag (event-driven) of `x` has no meaning here"),
        ("r = x : 1 (constant over dt)\ndx/dt = r/tau : 1", "the flag (constant over dt) of `r`"),
    ],
)
def test_text_that_cannot_be_read(text, words):
    assert words in refused(text)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("tanhh(x)", "unknown function `tanhh`; did you mean `tanh`?"),
        ("sigmoidal(x)", "unknown function `sigmoidal`; did you mean `sigmoid`?"),
        ("max(x, 0)", "unknown function `max`"),
        ("randn()", "`randn()` cannot stand in equations: write noise as `xi`"),
        ("clip(x, 0)", "`clip(x, 0)`: clip() takes 3 arguments; got 2"),
        ("relu()", "`relu()`: relu() takes 1 argument; got 0"),
        ("exp(x, x)", "exp"),
        ("x and y", "`x and y` is a condition; as a number, 1 or 0, it is `int(x and y)`"),
        ("True", "`True` is a condition"),
        ("int(x)", "`x` stands for a condition, but is a number"),
        ("int(x > 0 and not y)", "`y` stands for a condition, but is a number"),
        ("int(0 < x < 1)", "single comparisons"),
        ("1/0", "is not a real number"),
        ("sqrt(-1)", "is not a real number"),
        ("0*inf", "is not a real number"),
    ],
)
@pytest.mark.filterwarnings("ignore::sympy.utilities.exceptions.SymPyDeprecationWarning")
def test_expressions_that_mean_nothing(expression, words):
    assert words in refused(f"dx/dt = (-x + ({expression}))/tau : 1")


def test_a_variable_that_is_a_condition():
    assert "it is `int(x > 0)`" in refused("dx/dt = -x/tau : 1\nr = x > 0 : boolean")


@pytest.mark.parametrize(
    ("text", "values", "words"),
    [
        ("drelu/dt = -relu/tau : 1", {}, "`relu` is a function in equations"),
        ("dx/dt = (-x + exp*exp(x))/tau : 1", {"exp": 2.0}, "`exp` is a function in equations"),
        ("dx/dt = (-x + sigmoid)/tau : 1", {}, "`sigmoid` is a function in equations"),
        ("dx/dt = (-x + e)/tau : 1", {"e": 2.0}, "`e` is a constant in equations"),
    ],
)
def test_names_that_mean_something_else(text, values, words):
    assert words in refused(text, **values)


def test_a_value_for_an_algebraic_variable():
    message = refused("dx/dt = -x/tau : 1\nr = tanh(x) : 1", r=2.0)
    assert "`r` is an algebraic variable, `r = tanh(x)`; it takes no value" in message


EXPRESSIONS = [
    "x + 1e-30", "0.1*x**3/(y - 2.5)", "2**x + e**x + pi", "sqrt(x**2) + (x**2)**0.5",
    "int(x == y) + int(x != 2 and not (y > 1 or x <= 3))", "x//2 + x % y", "inf*x", "x*(-inf)",
    "clip(x, 0, y) + leaky_relu(x, 0.1)", "log10(x) + arcsin(x) + exprel(x) + ceil(x) + abs(x)",
    "(x + y)**2.5 + x**y + relu(x)**(y + 1)", "(x + 1)**(1/3) + x**-0.5", "-(-x)**2",
]  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions_survive_being_written_out(text):
    expression = to_sympy(text)
    again = from_sympy(expression)
    assert to_sympy(again) == expression
    assert from_sympy(to_sympy(again)) == again


# -- units -------------------------------------------------------------------------------------


def test_units_in_the_text_become_numbers_in_si():
    equations = parse("dv/dt = (-v + 10*mV + r)/(5*ms) : volt\nr = mV : volt")
    assert equations.variables["v"].expression == "(-v + 10 * 0.001 + r) / (5 * 0.001)"
    assert equations.variables["r"].expression == "0.001"


@pytest.mark.parametrize(
    ("text", "values", "wanted"),
    [
        ("dx/dt = (-x + I)/tau : 1", {"tau": 0.1}, {"tau": "s", "I": "1"}),
        ("dv/dt = (-v + R*I)/tau : volt\nI : amp", {"tau": 0.1}, {"R": "ohm", "I": "A"}),
        ("dv/dt = (g*(E - v) + I)/C : volt\ng : siemens", {"C": 1.0}, {"C": "F", "E": "V", "I": "A"}),
        ("dv/dt = (-v + u % w)/tau : volt", {"tau": 1.0, "w": 1.0}, {"u": "V", "w": "V"}),
        ("dv/dt = (-v + clip(u, lo, hi))/tau : volt", {"tau": 1.0}, {"lo": "V", "hi": "V"}),
        ("dv/dt = (-v + int(u > v)*w)/tau : volt", {"tau": 1.0}, {"u": "V", "w": "V"}),
        ("dv/dt = (-v + sqrt(u)*sqrt(v))/tau : volt", {"tau": 1.0}, {"u": "V"}),
        ("dv/dt = (-v + u*exp(v/w))/tau : volt", {"tau": 1.0, "w": 1.0}, {"u": "V", "w": "V"}),
        ("dx/dt = -x/tau + s*xi : 1", {"tau": 1.0}, {"s": "s**-0.5"}),
        ("dx/dt = -x/tau + s*tau**(-1/2)*xi : 1", {"tau": 1.0}, {"s": "1"}),
        ("dx/dt = (-x + sin(2*pi*f*t))/tau : 1", {"tau": 1.0}, {"f": "Hz"}),
        ("dr/dt = (-r + k*relu(v - u)**2)/tau : Hz\nv : volt", {"tau": 1.0}, {"u": "V"}),
        ("dr/dt = (-r + k*relu(v)**n)/tau : Hz", {"tau": 1.0}, {"k": "Hz", "n": "1", "v": "1"}),
        ("dr/dt = (-r + k*(v/mV)**n)/tau : Hz\nv : volt", {"tau": 1.0}, {"k": "Hz", "n": "1"}),
    ],
)  # fmt: skip
def test_units_that_are_not_declared_follow_from_the_equations(text, values, wanted):
    found = units_of(text, **values)
    assert {name: found[name] for name in wanted} == wanted


def test_values_with_units():
    text = "dv/dt = (v_rest - v + I*R)/tau : volt"
    taus = np.array([10.0, 20.0])
    population = nd.Population(
        2, text, tau=taus * nd.ms, R=5 * nd.Mohm, v_rest=-65 * nd.mV, v=-60e-3
    )
    np.testing.assert_allclose(population.parameters["tau"], taus * 1e-3, rtol=1e-15)
    assert population.parameters["v_rest"] == pytest.approx(-0.065, rel=1e-15)
    assert population.initial["v"] == -60e-3
    assert format_dimension(population.equations.dimension("I")) == "A"
    other = nd.Population(
        2, text, tau=taus * brian2.ms, R=5 * brian2.Mohm, v_rest=-65 * brian2.mV, v=-60 * brian2.mV
    )
    assert other.equations == population.equations
    for name, value in population.parameters.items():
        np.testing.assert_array_equal(other.parameters[name], value)


@pytest.mark.parametrize(
    ("text", "values", "both"),
    [
        ("dv/dt = (-v + I)/tau : volt\nI : amp", {}, ["unit V", "unit A", "`I` in A"]),
        ("dv/dt = (-v + I)/tau : volt", {"I": 3 * nd.mA}, ["unit V", "unit A"]),
        ("dx/dt = -x : 1", {"tau": None}, ["the unit Hz but has 1"]),
        ("dv/dt = -v/tau : volt\nw = v**2 : 1", {}, ["the unit 1 but has m**4*kg**2"]),
        ("dx/dt = (-x + cos(t))/tau : 1", {}, ["units (s)", "should be (1)"]),
        ("dx/dt = (-x + xi)/tau : 1", {}, ["unit 1", "unit s^-0.5"]),
        ("dx/dt = -x/tau : 1\ntau : second", {"tau": 3 * nd.mV}, ["declared in s", "the unit V"]),
        ("dv/dt = -v**n/tau : volt", {"n": 2.0}, ["`v ** n`", "the unit V", "not a number"]),
        ("dv/dt = -v/tau : volt", {"v": 3 * nd.mA}, ["`v` must be in V; got A"]),
    ],
)
def test_units_that_do_not_fit_are_both_named(text, values, both):
    values = {"tau": 10 * nd.ms, **values}
    values = {name: value for name, value in values.items() if value is not None}
    with pytest.raises(nd.UnitError) as error:
        nd.Population(2, text, **values)
    for words in both:
        assert words in str(error.value)


def test_units_of_weights():
    def network(weights):
        text = "dv/dt = (-v + R*I)/tau : volt\nI : amp"
        population = nd.Population(2, text, tau=1.0, R=1.0)
        return nd.Network({"E": population}, [nd.Coupling("E.v", "E.I", weights)])

    network(np.eye(2) * nd.nS)
    with pytest.raises(nd.UnitError, match="weights in V times `E.v` give .* but `E.I` is in A"):
        network(np.eye(2) * nd.mV)


# -- noise -------------------------------------------------------------------------------------


def test_noise_is_split_from_the_drift():
    text = "dx/dt = (-x + y + s*sqrt(tau)*xi)/tau + k*x*int(x == y)*xi_a : 1"
    state = parse(text, (("tau", None),)).states[0]
    assert to_sympy(state.expression).expand() == to_sympy("-x/tau + y/tau")
    assert to_sympy(state.noise["xi"]) == to_sympy("s/sqrt(tau)")
    assert to_sympy(state.noise["xi_a"]) == to_sympy("k*x*int(x == y)")
    assert set(state.uses) == {"x", "y", "s", "tau", "k"}


@pytest.mark.parametrize(
    "term", ["second*xi**2*Hz", "tanh(xi*second**0.5)*Hz", "xi*xi_a", "s*xi/(1 + xi*sqrt(second))"]
)
def test_noise_enters_linearly(term):
    message = refused(f"dx/dt = -x/tau + {term} : 1")
    assert "noise must enter `dx/dt` linearly" in message
    assert "`xi`" in message or "`xi_a`" in message


def test_noise_belongs_into_a_differential_equation():
    assert "'xi'" in refused("r = xi*sqrt(second) : 1\ndx/dt = (r - x)/tau : 1")


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"tua": 1.0},
            "`tua` is given a value, but the equations do not use it; did you mean `tau`",
        ),
        ({"tau": 0.0}, "`tau` is a time constant and must be positive; got 0"),
        ({"tau": [0.1, -0.1]}, "must be positive; got -0.1"),
        ({"tau": [0.1, 0.2, 0.3]}, "`tau` must be one number or one a unit, shape (2,)"),
        ({"I": np.nan}, "`I` must be finite"),
        ({"I": [0.0, np.inf]}, "`I[1]` is inf"),
        ({"k": [1.0, 2.0]}, "`k` is (shared): it takes one value"),
        ({"x": [1.0, 2.0, 3.0]}, "`x` must be one number or one a unit"),
    ],
)
def test_values_that_do_not_fit(values, words):
    text = "dx/dt = (-x + k*I)/tau : 1\nk : 1 (shared)"
    assert words in refused(text, ValueError, **values)


def test_a_divisor_needs_a_value():
    with pytest.raises(ValueError, match=r"divide by `tau`, which has no value; give it one"):
        nd.Population(1, "dx/dt = -x/tau : 1")
