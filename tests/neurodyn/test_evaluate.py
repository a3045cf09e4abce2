"""Expressions of parameters, as numbers: the same values as the compiled functions give."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn._evaluate import NotConstant, evaluate
from neurodyn.compile.expressions import FUNCTIONS

#: Functions of the grammar that stand for a node only, and never in a parameter's expression.
INTERNAL = {"indicator", "absolute", "modulo", "exprel_derivative", "power", "power_log", "select",
            "spike", "surrogate"}  # fmt: skip
VALUES = np.array([-1.3, -0.2, 0.0, 0.4, 0.9])
ARGUMENTS = {
    **dict.fromkeys(("log", "log10", "log1p", "sqrt"), "(x + 2)"),
    **dict.fromkeys(("arcsin", "arccos"), "(x/2)"),
    "clip": "(x, -0.5, 0.5)",
    "leaky_relu": "(x, 0.1)",
    "int": "(x > 0.1 and not x > 0.5)",
}


@pytest.fixture(scope="module")
def compiled():
    """Value of every function, as one population computes them."""
    names = sorted(set(FUNCTIONS) - INTERNAL)
    lines = [f"f_{n} = {n}{ARGUMENTS.get(n, '(x)')} : 1" for n in names]
    population = nd.Population(VALUES.size, "\n".join([*lines, "dy/dt = -y/tau : 1"]), x=VALUES,
                               tau=1.0)  # fmt: skip
    ds = nd.simulate(nd.Network({"P": population}), nd.Euler(0.1), 0.1,
                     record=[f"P.f_{n}" for n in names])  # fmt: skip
    return {n: ds[f"P.f_{n}"].values[0, 0] for n in names}


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - INTERNAL))
def test_functions_have_the_values_of_the_compiled_ones(compiled, name):
    found = evaluate(f"{name}{ARGUMENTS.get(name, '(x)')}", {"x": VALUES})
    assert_allclose(found, compiled[name], rtol=1e-14, atol=1e-16)


def test_names_without_a_value_are_told():
    with pytest.raises(NotConstant, match="y"):
        evaluate("x + y", {"x": 1.0})
    assert evaluate("exprel(x)", {"x": 0.0}) == 1.0
