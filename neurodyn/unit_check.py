"""Physical dimensions in equations: inferred where the text leaves them open, then checked.

The check itself is Brian2's. It wants the dimension of every name; a plain number or an input has
none of its own, so it gets the one that makes its equation consistent.
"""

from __future__ import annotations

import ast
from functools import lru_cache

from neurodyn.units import DIMENSIONLESS, SECOND, Dimension, UnitError, format_dimension

#: Names with a meaning of their own in every equation.
RESERVED = ("t", "dt", "rand")

#: Functions of one dimensionless argument, beyond those Brian2 defines.
DIMENSIONLESS_FUNCTIONS = ("sigmoid", "softplus", "log1p")
#: Functions that keep the unit of their first argument.
UNIT_KEEPING_FUNCTIONS = {"relu": 1, "leaky_relu": 2}
#: Functions of any unit whose value is a plain number.
UNIT_DROPPING_FUNCTIONS = ("heaviside", "spike")
#: Brian2's functions that mean nothing here, with the remedy.
REFUSED_FUNCTIONS = {
    "rand": "write noise as `xi`",
    "randn": "write noise as `xi`",
    "poisson": "use nd.signals.Poisson as an input",
    "timestep": "use `t` and `dt`",
}


def import_brian2():
    """Import Brian2 without its hooks on ``sys.excepthook`` and on Ctrl-C.

    The hooks would report every uncaught error of a user's script as an error of Brian2, and take
    the first Ctrl-C for themselves. Where the user has imported Brian2, it stays as they have it.
    """
    import signal
    import sys
    import threading

    if "brian2" in sys.modules:
        return sys.modules["brian2"]
    hook, handler, install = sys.excepthook, signal.getsignal(signal.SIGINT), signal.signal
    in_main = threading.current_thread() is threading.main_thread()
    try:
        if not in_main:  # only the main thread may install handlers; Brian2 does not ask
            signal.signal = lambda *_: None
        import brian2
    finally:
        sys.excepthook, signal.signal = hook, install
        if in_main:
            signal.signal(signal.SIGINT, handler)
    return brian2


def variable_names(tree: ast.expr) -> list[str]:
    """Names in the tree that are neither functions, units nor mathematical constants."""
    from brian2.core.namespace import DEFAULT_CONSTANTS

    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name) or id(node) in called or hasattr(node, "unit"):
            continue
        if node.id not in DEFAULT_CONSTANTS and node.id not in ("True", "False"):
            found.append(node.id)
    return list(dict.fromkeys(found))


def is_noise(name: str) -> bool:
    return name == "xi" or name.startswith("xi_")


def open_dimensions(trees, dims, kinds, known, differential) -> dict[str, Dimension]:
    """Dimension of every name that the text uses but does not define.

    A declaration or the unit of the value decides; a plain number or an input without either gets
    the dimension that makes its equation consistent, and counts as dimensionless where the
    equations leave it open.
    """
    used = list(dict.fromkeys(n for tree in trees.values() for n in variable_names(tree)))
    declared = [n for n in dims if n not in trees]
    names = [n for n in dict.fromkeys([*used, *declared])
             if n not in trees and n not in RESERVED and not is_noise(n)]  # fmt: skip
    found = {n: dims[n] for n in names if n in dims}
    for name in names:
        given = known.get(name)
        if given is None:
            continue
        if name in found and found[name] != given:
            raise UnitError(
                f"`{name}` is declared in {format_dimension(found[name])}, "
                f"but its value has the unit {format_dimension(given)}"
            )
        found[name] = given

    pending = [n for n in names if n not in found]
    while pending:
        inference = _Inference({**dims, **found, **_SPECIAL_DIMENSIONS}, set(pending))
        for name, tree in trees.items():
            inference.push(tree, _expected(name, dims, kinds, differential))
        settled = inference.found or {pending[0]: DIMENSIONLESS}
        found.update(settled)
        pending = [n for n in pending if n not in found]
    return {n: found[n] for n in names}


def inferred_dimension(tree: ast.expr, dims, unknown=frozenset()) -> Dimension:
    """Dimension that an expression has by those of its names, of which some may be `unknown`."""
    return _Inference(dims, set(unknown)).of(tree) or DIMENSIONLESS


#: Dimension of white noise.
NOISE_DIMENSION: Dimension = (0.0, 0.0, -0.5, 0.0, 0.0, 0.0, 0.0)
_SPECIAL_DIMENSIONS = {"t": SECOND, "dt": SECOND, "rand": DIMENSIONLESS}


def _expected(name, dims, kinds, differential) -> Dimension:
    if kinds[name] == differential:
        return _multiply(dims[name], SECOND, -1)
    return dims[name]


def _multiply(a: Dimension, b: Dimension, power: float = 1) -> Dimension:
    return tuple(x + power * y for x, y in zip(a, b, strict=True))


class _Inference:
    """Find the dimensions of unknown names by pushing the expected dimension down the tree."""

    def __init__(self, dims: dict[str, Dimension], unknown: set[str]):
        self.dims = dims
        self.unknown = unknown
        self.found: dict[str, Dimension] = {}

    def of(self, node) -> Dimension | None:
        """Dimension of a subtree, or None if it depends on an unknown name."""
        if hasattr(node, "unit"):
            return tuple(map(float, node.unit.dim._dims))
        if isinstance(node, ast.Name):
            if is_noise(node.id):
                return NOISE_DIMENSION
            if node.id in self.unknown:
                return self.found.get(node.id)
            return self.dims.get(node.id, DIMENSIONLESS)
        if isinstance(node, ast.UnaryOp):
            return self.of(node.operand)
        if isinstance(node, ast.BinOp):
            return self._of_operation(node)
        if isinstance(node, ast.Call):
            keeps = ("relu", "leaky_relu", "abs", "clip", "floor", "ceil")
            return self.of(node.args[0]) if node.func.id in keeps else self._of_call(node)
        return DIMENSIONLESS

    def _of_call(self, node) -> Dimension | None:
        if node.func.id == "sqrt":
            inner = self.of(node.args[0])
            return None if inner is None else tuple(e / 2 for e in inner)
        return DIMENSIONLESS

    def _of_operation(self, node) -> Dimension | None:
        left, right = self.of(node.left), self.of(node.right)
        if isinstance(node.op, (ast.Add, ast.Sub)):
            return left if left is not None else right
        if isinstance(node.op, ast.Pow):
            exponent = _number(node.right)
            if exponent is None:
                return DIMENSIONLESS
            if left is None:
                return None
            return tuple(e * exponent for e in left)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mod):
            return left
        return _multiply(left, right, 1 if isinstance(node.op, ast.Mult) else -1)

    def push(self, node, expected: Dimension | None) -> None:
        """Tell a subtree which dimension it must have (None: not known)."""
        if isinstance(node, ast.Name):
            if expected is not None and node.id in self.unknown and not hasattr(node, "unit"):
                self.found.setdefault(node.id, expected)
        elif isinstance(node, ast.UnaryOp):
            self.push(node.operand, expected)
        elif isinstance(node, ast.BinOp):
            self._push_operation(node, expected)
        elif isinstance(node, ast.Call):
            self._push_call(node, expected)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            dim = next((d for d in map(self.of, sides) if d is not None), None)
            for side in sides:
                self.push(side, dim)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                self.push(value, None)

    def _push_operation(self, node, expected) -> None:
        left, right = node.left, node.right
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mod)):
            dim = expected or self.of(left) or self.of(right)
            self.push(left, dim)
            self.push(right, dim)
            return
        if isinstance(node.op, ast.Pow):
            exponent = _number(right)
            base = DIMENSIONLESS if exponent is None else None
            if expected is not None and exponent:
                base = tuple(e / exponent for e in expected)
            self.push(left, base)
            self.push(right, DIMENSIONLESS)
            return
        product = isinstance(node.op, ast.Mult)
        of_left, of_right = self.of(left), self.of(right)
        for_left = for_right = None
        if expected is not None and of_right is not None:
            for_left = _multiply(expected, of_right, -1 if product else 1)
        if expected is not None and of_left is not None:
            for_right = (
                _multiply(expected, of_left, -1) if product else _multiply(of_left, expected, -1)
            )
        self.push(left, for_left)
        self.push(right, for_right)

    def _push_call(self, node, expected) -> None:
        name = node.func.id
        if name in ("relu", "leaky_relu", "abs", "floor", "ceil"):
            self.push(node.args[0], expected)
            for argument in node.args[1:]:
                self.push(argument, DIMENSIONLESS)
        elif name == "clip":
            dim = expected or next((d for d in map(self.of, node.args) if d is not None), None)
            for argument in node.args:
                self.push(argument, dim)
        elif name == "sqrt":
            self.push(
                node.args[0], None if expected is None else tuple(2 * e for e in expected)
            )
        else:
            inner = None if name in ("int", "sign", *UNIT_DROPPING_FUNCTIONS) else DIMENSIONLESS
            for argument in node.args:
                self.push(argument, inner)


_ARITHMETIC = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)


def _number(node) -> float | None:
    """Value of an expression of literal numbers such as ``-1`` or ``1/3``; None for any other."""
    if not all(isinstance(part, _ARITHMETIC) for part in ast.walk(node)):
        return None
    try:
        return float(eval(ast.unparse(node), {"__builtins__": {}}))
    except ArithmeticError:
        return None


def check_units(trees, dims, kinds, open_names, differential) -> None:
    """Brian2's own check of every equation, with all dimensions known."""
    from brian2 import DimensionMismatchError
    from brian2.equations.unitcheck import check_dimensions

    every = _every_dimension(trees, dims, open_names)
    variables = _brian2_variables(every)
    for name, tree in trees.items():
        expected = _expected(name, dims, kinds, differential)
        left = f"d{name}/dt" if kinds[name] == differential else name
        text = ast.unparse(tree)
        _check_exponents(tree, every)
        try:
            check_dimensions(text, _brian2_dimension(expected), variables)
        except DimensionMismatchError as error:
            raise UnitError(_unit_message(left, text, expected, open_names, error)) from None


def _every_dimension(trees, dims, open_names) -> dict[str, Dimension]:
    """Dimension of every name in the trees, units and noise included."""
    every = {**dims, **open_names, **_SPECIAL_DIMENSIONS}
    for tree in trees.values():
        for node in ast.walk(tree):
            if hasattr(node, "unit"):
                every[node.id] = tuple(map(float, node.unit.dim._dims))
            elif isinstance(node, ast.Name) and is_noise(node.id):
                every[node.id] = NOISE_DIMENSION
    return every


def _brian2_variables(every: dict[str, Dimension]) -> dict:
    """All that a name can mean, as Brian2's unit check wants it."""
    from brian2.core.namespace import DEFAULT_CONSTANTS
    from brian2.core.variables import Constant

    variables = {**functions(), **DEFAULT_CONSTANTS}
    for name, dim in every.items():
        variables[name] = Constant(name, value=1.0, dimensions=_brian2_dimension(dim))
    return variables


def argument_dimensions(
    function: str, trees, dims, open_names
) -> tuple[tuple[str, Dimension], ...]:
    """Text and dimension of the argument of each call of a function of one argument."""
    from brian2.parsing.expressions import parse_expression_dimensions

    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.func.id == function]
    texts = dict.fromkeys(ast.unparse(call.args[0]) for call in calls)
    if not texts:
        return ()
    variables = _brian2_variables(_every_dimension(trees, dims, open_names))
    return tuple(
        (text, tuple(map(float, parse_expression_dimensions(text, variables)._dims)))
        for text in texts
    )


def expression_dimension(text: str, dims: dict[str, Dimension]) -> Dimension:
    """Dimension of an expression of units and of names with known dimensions."""
    from brian2.core.namespace import DEFAULT_UNITS
    from brian2.parsing.expressions import parse_expression_dimensions

    variables = {**DEFAULT_UNITS, **_brian2_variables(dims)}
    return tuple(map(float, parse_expression_dimensions(text, variables)._dims))


def _check_exponents(tree: ast.expr, dims: dict[str, Dimension]) -> None:
    """Refuse ``v**n`` with a unit in v: the unit of the result would depend on the value of n."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)):
            continue
        dim = _Inference(dims, set()).of(node.left)
        if _number(node.right) is None and dim != DIMENSIONLESS:
            raise UnitError(
                f"in `{ast.unparse(node)}` the base has the unit {format_dimension(dim)} and the "
                "exponent is not a number, so the result has no definite unit; divide the base by "
                "a value of its unit first"
            )


def _unit_message(left, text, expected, open_names, error) -> str:
    known = ", ".join(
        f"`{n}` in {format_dimension(d)}" for n, d in open_names.items() if n in text
    )
    got = tuple(map(float, error.dims[0]._dims)) if error.dims else None
    found = f" but has {format_dimension(got)}" if got is not None and got != expected else ""
    return (
        f"the units of `{left} = {text}` do not fit: it must have the unit "
        f"{format_dimension(expected)}{found} ({error.desc.strip()})."
        + (f" Here {known}." if known else "")
        + " Plain numbers are in SI; declare a unit in the text (`I : amp`) or give the value one "
        "(10*nd.ms)."
    )


def _brian2_dimension(dim: Dimension):
    from brian2.units.fundamentalunits import get_or_create_dimension

    return get_or_create_dimension(dim)


@lru_cache(maxsize=1)
def functions() -> dict:
    """Brian2's functions and ours, as Brian2's unit check wants them."""
    from brian2.core.functions import DEFAULT_FUNCTIONS, Function

    table = {k: v for k, v in DEFAULT_FUNCTIONS.items() if k not in REFUSED_FUNCTIONS}
    for name in DIMENSIONLESS_FUNCTIONS:
        table.setdefault(name, Function(abs, arg_units=[1], return_unit=1))
    for name, n_arguments in UNIT_KEEPING_FUNCTIONS.items():
        units = [None, 1][:n_arguments]
        table[name] = Function(abs, arg_units=units, return_unit=_keep_first)
    for name in UNIT_DROPPING_FUNCTIONS:
        table[name] = Function(abs, arg_units=[None], return_unit=1)
    return table


def _keep_first(first, *_):
    return first
