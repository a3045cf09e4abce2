"""Equation text and numbers, as Brian2 wants them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from neurodyn.unit_check import import_brian2

if TYPE_CHECKING:
    from neurodyn.units import Dimension

#: Functions of our equations that Brian2 has not, by what it has. They keep the unit of x or drop
#: it as ours do.
_WRITTEN_OUT = {
    "sigmoid": "1/(1 + exp(-({x})))",
    "softplus": "0.5*(({x}) + abs({x})) + log1p(exp(-abs({x})))",
    "relu": "0.5*(({x}) + abs({x}))",
    "leaky_relu": "0.5*(({x}) + abs({x})) + 0.5*({y})*(({x}) - abs({x}))",
    "heaviside": "clip(sign({x}), 0, 1)",
    "spike": "clip(sign({x}), 0, 1)",
}


_BASE_UNITS = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candle")


def unit_text(dim: Dimension) -> str:
    """The unit of a dimension, as it stands behind the colon of an equation."""
    import_brian2()
    from brian2.equations.equations import dimensions_and_type_from_string
    from brian2.units.fundamentalunits import DIMENSIONLESS, get_or_create_dimension, get_unit

    dimension = get_or_create_dimension(dim)
    if dimension is DIMENSIONLESS:
        return "1"
    text = repr(get_unit(dimension))
    try:
        dimensions_and_type_from_string(text)
    except ValueError:  # a name such as hertz2, which equations may not use
        powers = [(unit, e) for unit, e in zip(_BASE_UNITS, dim, strict=True) if e]
        text = " * ".join(f"{unit}**{e!r}" for unit, e in powers)
    return text


def quantity(value: Any, dim: Dimension):
    """A number in SI with its dimension, as Brian2's quantity."""
    import_brian2()
    from brian2.units.fundamentalunits import Quantity, get_or_create_dimension

    return Quantity(value, dim=get_or_create_dimension(dim))


def in_brian2_grammar(text: str) -> str:
    """An expression or condition without the functions that only we have."""
    tree = ast.parse(text.strip(), mode="eval").body
    writer = _WriteOut()
    written = writer.visit(tree)
    return ast.unparse(written) if writer.has_changed else text.strip()


class _WriteOut(ast.NodeTransformer):
    has_changed = False

    def visit_Call(self, node):
        self.generic_visit(node)
        template = _WRITTEN_OUT.get(node.func.id)
        if template is None:
            return node
        self.has_changed = True
        arguments = dict(zip("xy", map(ast.unparse, node.args)))
        return ast.parse(template.format(**arguments), mode="eval").body
