"""Values of expressions of parameters, one for all units or one a unit."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np

_SAME_NAME = (
    "exp log log10 log1p expm1 sqrt sin cos tan sinh cosh tanh arcsin arccos arctan "
    "sign floor ceil clip logical_and logical_or logical_not"
).split()

def _exprel(x):
    """(e^x - 1)/x, 1 at 0."""
    x = np.asarray(x, dtype=float)
    return np.divide(np.expm1(x), x, out=np.ones_like(x), where=x != 0)


#: What expressions may call, by its name in equations.
_FUNCTIONS: dict[str, Any] = {
    **{name: getattr(np, name) for name in _SAME_NAME},
    "abs": np.abs,
    "int": lambda condition: np.asarray(condition, dtype=float),
    "absolute": np.abs,
    "power": np.power,
    "modulo": np.mod,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "exprel": _exprel,
    "heaviside": lambda x: np.heaviside(x, 0),
    "pi": np.pi,
    "e": np.e,
    "inf": np.inf,
    "__builtins__": {},
}


class NotConstant(LookupError):
    """The expression depends on more than the given values."""


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """Value of an expression in the grammar of equations, by NumPy in double precision.

    Parameters
    ----------
    expression : str
    values : mapping of str to float or ndarray

    Returns
    -------
    float or ndarray

    Raises
    ------
    NotConstant
        If the expression uses a name that has no value.
    """
    try:
        return eval(_compiled(expression), _FUNCTIONS, dict(values))
    except NameError as error:
        raise NotConstant(str(error)) from None


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> CodeType:
    tree = _Elementwise().visit(ast.parse(expression.strip(), mode="eval"))
    return compile(ast.fix_missing_locations(tree), "<expression>", "eval")


class _Elementwise(ast.NodeTransformer):
    """``and``, ``or``, ``not`` as NumPy's functions, which take arrays."""

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        name = "logical_and" if isinstance(node.op, ast.And) else "logical_or"
        result, *others = node.values
        for other in others:
            result = ast.Call(ast.Name(name, ast.Load()), [result, other], [])
        return result

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return ast.Call(ast.Name("logical_not", ast.Load()), [node.operand], [])
        return node
