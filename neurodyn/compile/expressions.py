"""The expression tree: SymPy expressions over functions whose derivatives are right.

Text of the equations becomes a SymPy tree here and nothing else does, so a printer for any language
(see `neurodyn.compile.printer` for numba's) can be written against these node types alone. SymPy's
own `Abs`, `sign` and `Heaviside` are not used: their derivatives contain Dirac's delta.
"""

from __future__ import annotations

import ast
from functools import lru_cache

import sympy
from sympy.core.function import ArgumentIndexError
from sympy.printing.str import StrPrinter

from neurodyn.surrogates import PREFIX
from neurodyn.unit_check import import_brian2

import_brian2()
from brian2.parsing.sympytools import SympyNodeRenderer  # noqa: E402  (after the guarded import)


class _Elementwise(sympy.Function):
    """A real function of real arguments; subclasses give `fdiff`."""

    is_real = True
    is_commutative = True


class indicator(sympy.Function):
    """1 where the condition holds, else 0; ``int(condition)`` in equations."""

    nargs = 1
    is_real = True

    @classmethod
    def eval(cls, condition):
        if condition == sympy.true:
            return sympy.Integer(1)
        if condition == sympy.false:
            return sympy.Integer(0)
        return None

    def _eval_derivative(self, symbol):
        return sympy.Integer(0)


class power(_Elementwise):
    """x**y, where the exponent is neither an integer nor a half.

    SymPy's own derivative, y x**y/x, would be 0/0 at 0, where rectified units rest.
    """

    nargs = 2

    @classmethod
    def eval(cls, x, y):
        if x.is_number:
            return x**y
        if y.is_number and y.is_finite and float(2 * y).is_integer():
            exponent = sympy.Rational(int(2 * y), 2)
            return x**exponent if abs(y) < 1 or exponent.is_integer else None
        return None

    def fdiff(self, argindex=1):
        x, y = self.args
        return y * power(x, y - 1) if argindex == 1 else power_log(x, y)


class power_log(_Elementwise):
    """d/dy x**y = x**y log(x), 0 at x = 0 where x**y is."""

    nargs = 2

    def fdiff(self, argindex=1):
        raise ArgumentIndexError(self, argindex)


class sigmoid(_Elementwise):
    """1/(1 + exp(-x))."""

    nargs = 1

    def fdiff(self, argindex=1):
        s = sigmoid(self.args[0])
        return s * (1 - s)


class relu(_Elementwise):
    """max(x, 0); derivative 0 at 0."""

    nargs = 1

    def fdiff(self, argindex=1):
        return indicator(self.args[0] > 0)


class leaky_relu(_Elementwise):
    """x where x > 0, else slope*x."""

    nargs = 2

    def fdiff(self, argindex=1):
        x, slope = self.args
        if argindex == 1:
            return slope + (1 - slope) * indicator(x > 0)
        return x * indicator(x <= 0)


class softplus(_Elementwise):
    """log(1 + exp(x))."""

    nargs = 1

    def fdiff(self, argindex=1):
        return sigmoid(self.args[0])


class clip(_Elementwise):
    """x bounded to [low, high]; derivative 0 on and beyond the bounds."""

    nargs = 3

    def fdiff(self, argindex=1):
        x, low, high = self.args
        if argindex == 1:
            return indicator(sympy.And(x > low, x < high))
        if argindex == 2:
            return indicator(x <= low)
        return indicator(sympy.And(x > low, x >= high))


class absolute(_Elementwise):
    """|x|; derivative 0 at 0."""

    nargs = 1

    def fdiff(self, argindex=1):
        return sign(self.args[0])


class select(_Elementwise):
    """a where c > 0, else b, for c that is 0 or 1; it hides a NaN in the one that is not chosen."""

    nargs = 3

    def fdiff(self, argindex=1):
        c = self.args[0]
        return {1: sympy.Integer(0), 2: c, 3: 1 - c}[argindex]


class _Flat(_Elementwise):
    """A function that is constant wherever it is differentiable."""

    nargs = 1

    def fdiff(self, argindex=1):
        return sympy.Integer(0)


class sign(_Flat):
    """-1, 0 or 1."""


class heaviside(_Flat):
    """1 where x > 0, else 0."""


class spike(_Elementwise):
    """The value of `heaviside` with a derivative that the population chooses."""

    nargs = 1

    def fdiff(self, argindex=1):
        return surrogate(self.args[0])


class surrogate(_Elementwise):
    """Stands for the derivative of `spike` until `with_surrogate` says which."""

    nargs = 1

    def fdiff(self, argindex=1):
        raise ArgumentIndexError(self, argindex)


class floor(_Flat):
    """Largest integer not above x."""


class ceil(_Flat):
    """Smallest integer not below x."""


class modulo(_Elementwise):
    """a - b*floor(a/b), the sign of b as in Python."""

    nargs = 2

    def fdiff(self, argindex=1):
        a, b = self.args
        return sympy.Integer(1) if argindex == 1 else -floor(a / b)


class log1p(_Elementwise):
    """log(1 + x), accurate near 0."""

    nargs = 1

    def fdiff(self, argindex=1):
        return 1 / (1 + self.args[0])


class expm1(_Elementwise):
    """exp(x) - 1, accurate near 0."""

    nargs = 1

    def fdiff(self, argindex=1):
        return sympy.exp(self.args[0])


class exprel(_Elementwise):
    """(exp(x) - 1)/x, 1 at 0."""

    nargs = 1

    def fdiff(self, argindex=1):
        return exprel_derivative(self.args[0])


class exprel_derivative(_Elementwise):
    """d/dx exprel(x) = (exp(x) - exprel(x))/x, 1/2 at 0."""

    nargs = 1

    def fdiff(self, argindex=1):
        raise ArgumentIndexError(self, argindex)


#: Function names of equations and the nodes they become.
FUNCTIONS = {
    "exp": sympy.exp,
    "log": sympy.log,
    "log10": lambda x: sympy.log(x) / sympy.log(sympy.Integer(10)),
    "log1p": log1p,
    "expm1": expm1,
    "exprel": exprel,
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "clip": clip,
    "abs": absolute,
    "sign": sign,
    "heaviside": heaviside,
    "spike": spike,
    "floor": floor,
    "ceil": ceil,
    "int": indicator,
    "indicator": indicator,
    "absolute": absolute,
    "modulo": modulo,
    "exprel_derivative": exprel_derivative,
    "power": power,
    "select": select,
    "power_log": power_log,
}


class _Renderer(SympyNodeRenderer):
    """Brian2's reading of an expression, with our function nodes."""

    expression_ops = {
        **SympyNodeRenderer.expression_ops,
        "Mod": modulo,
        "Pow": power,
    }

    def render_BinOp(self, node):
        if isinstance(node.op, ast.FloorDiv):
            return floor(self.render_node(node.left) / self.render_node(node.right))
        return super().render_BinOp(node)

    def render_func(self, node):
        return FUNCTIONS[node.id]

    def render_Name(self, node):
        constants = {"pi": sympy.pi, "e": sympy.E, "inf": sympy.oo}
        return constants.get(node.id) or sympy.Symbol(node.id, real=True)


@lru_cache(maxsize=4096)
def to_sympy(text: str) -> sympy.Expr:
    """Expression text in Brian2's grammar as a SymPy tree over real symbols."""
    tree = sympy.sympify(_Renderer().render_node(ast.parse(text, mode="eval").body))
    return tree.replace(sympy.Abs, absolute)  # SymPy makes one of sqrt(x**2)


def with_surrogate(expression: sympy.Expr, formula: str) -> sympy.Expr:
    """Put a formula in the place of every derivative of `spike`.

    Parameters
    ----------
    expression : sympy.Expr
    formula : str
        Text of a `neurodyn.surrogates.Surrogate`, of ``x`` and of its numbers; ``"0"`` gives the
        true derivative.
    """
    if not expression.has(surrogate):
        return expression
    tree = to_sympy(formula)
    numbers = {s: sympy.Symbol(f"{PREFIX}{s.name}", real=True) for s in tree.free_symbols}
    x = sympy.Symbol("x", real=True)
    return expression.replace(surrogate, lambda argument: tree.xreplace({**numbers, x: argument}))


class _TextPrinter(StrPrinter):
    """Back to the grammar of equations, with every digit of a float."""

    def _print_Float(self, expr):
        return repr(float(expr))

    def _print_indicator(self, expr):
        return f"int({self._print(expr.args[0])})"

    def _print_And(self, expr):
        return "(" + " and ".join(f"({self._print(a)})" for a in expr.args) + ")"

    def _print_Or(self, expr):
        return "(" + " or ".join(f"({self._print(a)})" for a in expr.args) + ")"

    def _print_Not(self, expr):
        return f"(not ({self._print(expr.args[0])}))"

    def _print_Function(self, expr):
        names = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
        name = names.get(expr.func.__name__, expr.func.__name__)
        return f"{name}({self.stringify(expr.args, ', ')})"

    def _print_Relational(self, expr):
        left, right = (self._print(a) for a in expr.args)
        return f"({left}) {expr.rel_op} ({right})"

    def _print_Exp1(self, expr):
        return "e"

    def _print_Infinity(self, expr):
        return "inf"

    def _print_NegativeInfinity(self, expr):
        return "-inf"


def from_sympy(expression: sympy.Expr) -> str:
    """Text of a SymPy tree, such that ``to_sympy(from_sympy(x)) == x``."""
    return _TextPrinter().doprint(expression)
