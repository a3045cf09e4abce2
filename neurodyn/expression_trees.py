"""Expressions of equations as trees: read, checked for what has no meaning, units made numbers."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from neurodyn.unit_check import REFUSED_FUNCTIONS, functions


class EquationError(ValueError):
    """The equation text cannot be used; the message names the variable and the remedy."""


def read_tree(expression: str, name: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except SyntaxError as error:
        raise EquationError(f"the expression of `{name}` cannot be read: {expression}") from error


def check_names(names: Iterable[str]) -> None:
    """Refuse names that mean something else in equations, where Brian2 does not."""
    from brian2.core.namespace import DEFAULT_CONSTANTS

    for kind, taken in (("function", functions()), ("constant", DEFAULT_CONSTANTS)):
        for name in names:
            if name in taken:
                raise EquationError(
                    f"`{name}` is a {kind} in equations; give the variable another name"
                )


def checked_names(tree: ast.expr, known, defined: set[str]) -> ast.expr:
    """Refuse what has no meaning; mark unit names (a unit stays a Name, its value comes later)."""
    available = functions()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id
            if name in REFUSED_FUNCTIONS:
                remedy = REFUSED_FUNCTIONS[name]
                raise EquationError(f"`{name}()` cannot stand in equations: {remedy}")
            if name not in available:
                raise EquationError(f"unknown function `{name}`{suggest(name, available)}")
            if len(node.args) != (wanted := len(available[name]._arg_units)):
                raise EquationError(
                    f"`{ast.unparse(node)}`: {name}() takes {wanted} argument"
                    f"{'s' if wanted > 1 else ''}; got {len(node.args)}"
                )
    _check_number(tree)
    return _UnitNames(known, defined).visit(tree)


class _UnitNames(ast.NodeTransformer):
    """Mark names of units, unless the population defines or is given that name itself."""

    def __init__(self, known, defined):
        from brian2.core.namespace import DEFAULT_UNITS

        self.units = {
            name: unit
            for name, unit in DEFAULT_UNITS.items()
            if name not in known and name not in defined
        }

    def visit_Name(self, node):
        if node.id in self.units:
            node.unit = self.units[node.id]
        return node

    def visit_Call(self, node):
        node.args = [self.visit(argument) for argument in node.args]
        return node


def _is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    is_bool = isinstance(node, ast.Constant) and isinstance(node.value, bool)
    return is_bool or isinstance(node, (ast.Compare, ast.BoolOp))


def _check_number(node: ast.expr) -> None:
    """Refuse a condition where a number belongs."""
    if _is_condition(node):
        text = ast.unparse(node)
        raise EquationError(f"`{text}` is a condition; as a number, 1 or 0, it is `int({text})`")
    is_int = isinstance(node, ast.Call) and node.func.id == "int"
    for child in node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node):
        (_check_condition if is_int else _check_number)(child)


def _check_condition(node: ast.expr) -> None:
    """Refuse a number where a condition belongs."""
    if not _is_condition(node):
        text = ast.unparse(node)
        raise EquationError(
            f"`{text}` stands for a condition, but is a number; a condition is, for example, "
            f"`{text} > 0`. To round a number, write floor() or ceil()."
        )
    check = _check_number if isinstance(node, ast.Compare) else _check_condition
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            check(child)


def check_real(name: str, text: str) -> None:
    """Refuse what can be read and yet is no formula of real numbers."""
    import sympy

    from neurodyn.compile.expressions import to_sympy

    try:
        expression = to_sympy(text)
    except (SyntaxError, TypeError, ValueError) as error:
        raise EquationError(
            f"the expression of `{name}` cannot be read: {text} ({error})"
        ) from error
    if expression.has(sympy.I, sympy.zoo, sympy.nan):
        raise EquationError(f"the expression of `{name}` is not a real number: {text}")


def numeric_units(tree: ast.expr) -> ast.expr:
    """Replace unit names by their value in SI, for the text that is kept."""
    for node in ast.walk(tree):
        for field, child in ast.iter_fields(node):
            if isinstance(child, list):
                child[:] = [_unit_value(c) for c in child]
            elif hasattr(child, "unit"):
                setattr(node, field, _unit_value(child))
    return _unit_value(tree)


def _unit_value(node):
    return ast.Constant(float(node.unit)) if hasattr(node, "unit") else node


def divisors_in(tree: ast.expr) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            right = node.right
            factors = [right]
            while factors:
                factor = factors.pop()
                if isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Mult):
                    factors += [factor.left, factor.right]
                elif isinstance(factor, ast.Name):
                    found.add(factor.id)
    return found


def suggest(name: str, among) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(among), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
