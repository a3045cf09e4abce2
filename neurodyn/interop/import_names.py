"""What names in Brian2's code stand for, and expressions rewritten in our grammar."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._evaluate import NotConstant, evaluate
from neurodyn.unit_check import REFUSED_FUNCTIONS, is_noise
from neurodyn.units import Dimension, to_si

if TYPE_CHECKING:
    from neurodyn.interop.obstacles import Obstacles

#: Names that Brian2 gives a meaning of its own.
_OF_BRIAN2 = {
    "lastspike": "the time of the last spike",
    "not_refractory": "whether a unit is refractory",
    "t_in_timesteps": "the number of the step",
    "lastupdate": "the time of the last event",
}


class Untranslatable(ValueError):
    """Code has no counterpart; the message says why."""


class Missing(Untranslatable):
    """Names have no value."""

    def __init__(self, *names: str):
        listed = ", ".join(f"`{name}`" for name in names)
        super().__init__(
            f"{listed} {'have' if len(names) > 1 else 'has'} no value; give it in `namespace`, "
            f'from_brian2(..., namespace={{"{names[0]}": ...}})'
        )
        self.names = names


class Names:
    """External names of one of Brian2's objects.

    Parameters
    ----------
    owner : brian2.Group
        Its own namespace comes first.
    namespace : mapping of str to object
        What the user gave beside it.
    """

    def __init__(self, owner, namespace: Mapping[str, Any]):
        self.owner, self.namespace = owner, namespace

    def is_default(self, name: str) -> bool:
        """Whether it is a unit, function or constant of Brian2's own."""
        from brian2.core.namespace import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS, DEFAULT_UNITS

        return name in DEFAULT_CONSTANTS or name in DEFAULT_UNITS or name in DEFAULT_FUNCTIONS

    def external(self, name: str) -> Any:
        """The object behind a name, as Brian2 would find it."""
        for names in (getattr(self.owner, "namespace", None) or {}, self.namespace):
            if name in names:
                return names[name]
        raise Missing(name)

    def constant(self, name: str) -> tuple[float, Dimension | None]:
        """The number behind a name, in SI, and its dimension."""
        found = self.external(name)
        try:
            value, dim = to_si(found, name)
        except TypeError:
            kind = type(found).__name__
            raise Untranslatable(
                f"`{name}` is a {kind}, not a number; functions of one's own cannot be taken over"
            ) from None
        array = np.asarray(value)
        if array.size != 1:
            raise Untranslatable(f"`{name}` is an array; Brian2 takes numbers only")
        return float(array.reshape(())), dim


class Reader(ast.NodeTransformer):
    """Rewrites the expressions of one of Brian2's objects, and notes which constants they need.

    Parameters
    ----------
    names : Names
    variable : callable of str to str or None
        What an own variable of the object is called with us; None for a name that is no variable.
    timed_array : callable, optional
        ``timed_array(name, array, arguments)`` gives the name of the input that a TimedArray
        becomes. Default: there can be none.
    constant_name : callable of str to str, optional
        What an external constant is called with us. Default: the same.

    Attributes
    ----------
    constants : dict of str to (float, Dimension or None)
    """

    def __init__(
        self,
        names: Names,
        variable: Callable[[str], Any],
        timed_array: Callable[..., str] | None = None,
        constant_name: Callable[[str], str] = str,
    ):
        self.names, self.variable, self.timed_array = names, variable, timed_array
        self.constant_name = constant_name
        self.constants: dict[str, tuple[float, Dimension | None]] = {}

    def read(self, text: str) -> str:
        """An expression in our grammar.

        Raises
        ------
        Untranslatable
        """
        tree = self.tree(ast.parse(text.strip(), mode="eval").body)
        return ast.unparse(tree)

    def tree(self, tree: ast.expr) -> ast.expr:
        """The same for an expression that has been parsed."""
        self.missing: list[str] = []
        found = self.visit(tree)
        if self.missing:
            raise Missing(*dict.fromkeys(self.missing))
        return found

    def visit_Call(self, node):
        name = getattr(node.func, "id", None)
        if name is None:
            raise Untranslatable(f"`{ast.unparse(node)}` is no call of a function by its name")
        if name == "rand" and not node.args:
            return node  # allowed in thresholds; refused elsewhere by the population
        if name in REFUSED_FUNCTIONS:
            raise Untranslatable(f"`{ast.unparse(node)}` has no counterpart")
        if not self.names.is_default(name):
            return self._own_function(name, node)
        node.args = [self.visit(argument) for argument in node.args]
        return node

    def _own_function(self, name: str, node):
        from brian2 import TimedArray

        found = self.names.external(name)
        if not isinstance(found, TimedArray):
            raise Untranslatable(f"`{name}()` is a function of one's own, which cannot be read")
        if self.timed_array is None:
            raise Untranslatable(f"`{ast.unparse(node)}`: a TimedArray cannot stand here")
        arguments = [ast.unparse(argument) for argument in node.args]
        return ast.Name(self.timed_array(name, found, arguments), ast.Load())

    def visit_Name(self, node):
        name = node.id
        if name in ("t", "dt") or is_noise(name):
            return node
        if name in _OF_BRIAN2:
            raise Untranslatable(f"it uses `{name}`, {_OF_BRIAN2[name]}")
        found = self.variable(name)
        if found is not None:
            return ast.parse(found, mode="eval").body
        if self.names.is_default(name):
            return node
        new = self.constant_name(name)
        try:
            self.constants[new] = self.names.constant(name)
        except Missing:
            self.missing.append(name)  # to tell of all of them
        return ast.Name(new, ast.Load())


def number(text: str, values: Mapping[str, Any]) -> Any:
    """Value of an expression of numbers and units, by NumPy.

    Raises
    ------
    Untranslatable
        If it depends on more than `values`.
    """
    from brian2.core.namespace import DEFAULT_UNITS

    units = {name: float(unit) for name, unit in DEFAULT_UNITS.items() if name in text}
    try:
        return evaluate(text, {**units, **values})
    except NotConstant as error:
        raise Untranslatable(f"`{text}` is not constant ({error})") from None


class noted:
    """A context in which what cannot be translated becomes an obstacle of `name`."""

    def __init__(self, obstacles: Obstacles, name: str):
        self.obstacles, self.name = obstacles, name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        from brian2 import DimensionMismatchError

        # UnitError, EquationError and StatementError are ValueErrors
        if not isinstance(error, (ValueError, SyntaxError, DimensionMismatchError)):
            return False
        self.obstacles.add(self.name, " ".join(str(error).split()))
        return True


def resolved(owner, equations, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """All that equations name, as Brian2's objects.

    Raises
    ------
    Untranslatable
        If there is no value for a name.
    """
    names = equations.names | equations.identifiers | {"dt"}
    try:
        return owner.resolve_all(names, namespace, user_identifiers=set())
    except KeyError as error:
        raise Untranslatable(str(error.args[0])) from None
