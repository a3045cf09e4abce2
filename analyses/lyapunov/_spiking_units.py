"""The units of a spiking population between and at their spikes, as functions with derivatives.

Nothing but spikes goes from unit to unit, so everything is elementwise: arrays are ``(state,
unit)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from neurodyn._evaluate import evaluate

if TYPE_CHECKING:
    from neurodyn.population import Population


class SpikingUnits:
    """Drift, threshold and reset of one population, with their derivatives by the states.

    Parameters
    ----------
    name : str
        Of the population, for messages.
    population : Population
        With a threshold that compares two expressions.
    inputs : dict of str to array
        Constant values of the inputs, ``(unit,)``.
    """

    def __init__(self, name: str, population: Population, inputs: Mapping[str, Any]):
        equations = population.equations
        self.size = population.size
        self.states = [v.name for v in equations.states]
        self.fixed = {**population.compiled_values, **population.parameters, **inputs}
        known = _algebraic(equations)
        drift = [_tree(v.expression).xreplace(known) for v in equations.states]
        margin = _margin(name, population.threshold).xreplace(known)
        reset = self._reset(equations.spiking.reset, known)
        self._drift, self._drift_by = _texts(drift), self._derivatives(drift)
        (self._margin,), (self._margin_by,) = _texts([margin]), self._derivatives([margin])
        self._reset_texts, self._reset_by = _texts(reset), self._derivatives(reset)

    def _reset(self, statements, known) -> list[sympy.Expr]:
        """New values of all states as functions of the old ones: statements go one by one."""
        new = {state: _symbol(state) for state in self.states}
        for state, text in statements:
            current = {_symbol(s): value for s, value in new.items()}
            new[state] = _tree(text).xreplace(known).xreplace(current)
        return [new[state] for state in self.states]

    def _derivatives(self, expressions) -> list[list[tuple[int, str]]]:
        """For each expression the states that it depends on, and the derivatives."""
        found = []
        for expression in expressions:
            partials = [sympy.diff(expression, _symbol(s)) for s in self.states]
            found.append([(k, _text(d)) for k, d in enumerate(partials) if d != 0])
        return found

    def _values(self, x, unit=slice(None)) -> dict[str, Any]:
        given = dict(zip(self.states, x, strict=True))
        for name, value in self.fixed.items():
            given[name] = value[unit] if np.ndim(value) else value
        return given

    def drift(self, x: np.ndarray) -> np.ndarray:
        """dx/dt, ``(state, unit)``."""
        given = self._values(x)
        out = np.empty_like(x)
        for row, text in zip(out, self._drift, strict=True):
            row[:] = evaluate(text, given)
        return out

    def drift_of(self, x: np.ndarray, unit: int) -> np.ndarray:
        """dx/dt of one unit, ``(state, 1)``."""
        given = self._values(x[:, 0], unit)
        return np.array([[float(evaluate(text, given))] for text in self._drift])

    def margin_of(self, x: np.ndarray, unit: int) -> float:
        return float(evaluate(self._margin, self._values(x[:, 0], unit)))

    def moved(self, x: np.ndarray, tangents: np.ndarray) -> np.ndarray:
        """Derivative of the drift times tangents, ``(state, unit, vector)``."""
        given = self._values(x)
        out = np.zeros_like(tangents)
        for row, partials in zip(out, self._drift_by, strict=True):
            for k, text in partials:
                row += np.multiply(np.ones(self.size), evaluate(text, given))[:, None] * tangents[k]
        return out

    def margin(self, x: np.ndarray) -> np.ndarray:
        """More than 0 where units are beyond the threshold, ``(unit,)``."""
        return np.ones(self.size) * evaluate(self._margin, self._values(x))

    def margin_gradient(self, x: np.ndarray, unit: int) -> np.ndarray:
        """By the states of one unit, ``(state,)``."""
        given = self._values(x[:, unit], unit)
        found = np.zeros(len(self.states))
        for k, text in self._margin_by:
            found[k] = evaluate(text, given)
        return found

    def reset(self, x: np.ndarray, unit: int) -> tuple[np.ndarray, np.ndarray]:
        """States of a unit after its spike, ``(state,)``, and their derivatives by those before."""
        given = self._values(x[:, unit], unit)
        new = np.array([float(evaluate(text, given)) for text in self._reset_texts])
        by = np.zeros((new.size, new.size))
        for row, partials in zip(by, self._reset_by, strict=True):
            for k, text in partials:
                row[k] = evaluate(text, given)
        return new, by


def _tree(text: str) -> sympy.Expr:
    from neurodyn.compile.expressions import to_sympy

    return to_sympy(text)


def _text(expression: sympy.Expr) -> str:
    from neurodyn.compile.expressions import from_sympy

    return from_sympy(sympy.sympify(expression))


def _texts(expressions) -> list[str]:
    return [_text(expression) for expression in expressions]


def _symbol(name: str) -> sympy.Symbol:
    return sympy.Symbol(name, real=True)


def _algebraic(equations) -> dict[sympy.Symbol, sympy.Expr]:
    """Algebraic variables as functions of states, inputs and parameters."""
    known: dict[sympy.Symbol, sympy.Expr] = {}
    for variable in equations.algebraic:
        known[_symbol(variable.name)] = _tree(variable.expression).xreplace(known)
    return known


def _margin(name: str, threshold: str) -> sympy.Expr:
    condition = _tree(threshold)
    if isinstance(condition, (sympy.StrictGreaterThan, sympy.GreaterThan)):
        return condition.lhs - condition.rhs
    if isinstance(condition, (sympy.StrictLessThan, sympy.LessThan)):
        return condition.rhs - condition.lhs
    raise ValueError(
        f"`{name}`: the threshold `{threshold}` is no comparison of two expressions, so that no "
        "moment of crossing can be found; write it as `v > v_threshold`"
    )
