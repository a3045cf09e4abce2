"""Statements and conditions in equation text: what a spike does, and when there is one.

``v = v_reset; w += b`` is a list of statements, carried out one after the other; ``v > v_th`` is a
condition. Both become expressions of the same grammar as the right-hand sides of equations.
"""

from __future__ import annotations

import ast
import re

#: A uniform random number in [0, 1), new for each unit and step; ``rand()`` in the text.
RAND = "rand"

_ASSIGNMENT = re.compile(r"^\s*(?P<target>\w+)\s*(?P<operator>\*\*|[-+*/%]?)=(?!=)(?P<value>.+)$")


class StatementError(ValueError):
    """A statement or condition cannot be read; the message shows it."""


def read_statements(text: str, where: str) -> list[tuple[str, ast.expr]]:
    """Statements as (target, value), ``a += b`` written out as ``a = a + (b)``.

    Parameters
    ----------
    text : str
        One statement a line, or several with ``;`` between them; ``#`` begins a comment.
    where : str
        What messages call it: ``"`reset`"``.

    Raises
    ------
    StatementError
        For a line that is not ``name = expression`` or ``name += expression``.
    """
    found = []
    for line in re.split(r"[;\n]", re.sub(r"#[^\n]*", "", text)):
        if not line.strip():
            continue
        match = _ASSIGNMENT.match(line)
        if match is None or match["operator"] in ("%", "**"):
            raise StatementError(
                f"{where} has the statement `{line.strip()}`; a statement is `name = expression`, "
                "or with +=, -=, *= or /="
            )
        target, operator, value = match["target"], match["operator"], match["value"].strip()
        tree = read_expression(value, where)
        if operator:
            tree = read_expression(f"{target} {operator} ({value})", where)
        found.append((target, tree))
    return found


def read_expression(text: str, where: str) -> ast.expr:
    """One expression, with ``rand()`` as the name `RAND`."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise StatementError(f"{where} cannot be read: `{text.strip()}` ({error.msg})") from None
    return _Rand().visit(tree)


def read_condition(text: str, where: str) -> ast.expr:
    """A condition, as the number ``int(condition)``."""
    tree = read_expression(text, where)
    return ast.Call(ast.Name("int", ast.Load()), [tree], [])


def count_rand(*trees: ast.expr) -> int:
    """How often ``rand()`` stands in the expressions."""
    nodes = (node for tree in trees for node in ast.walk(tree))
    return sum(isinstance(node, ast.Name) and node.id == RAND for node in nodes)


class _Rand(ast.NodeTransformer):
    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "rand" and not node.args:
            return ast.Name(RAND, ast.Load())
        return node


