"""Print elementwise expressions as lines of numba source.

`Lines` takes assignments of one population and splits them into what depends on scalars only (said
once, before the loop), common subexpressions, and the assignments themselves.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from dataclasses import dataclass

import sympy
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.pycode import PythonCodePrinter

#: Functions that the elementary library provides, by SymPy class name.
ELEMENTARY = ("exp", "log", "tanh", "sin", "cos", "sigmoid", "expm1", "log1p", "softplus", "exprel")
#: Small piecewise functions, whose text is in `neurodyn.compile.piecewise`.
PIECEWISE = (
    "relu", "leaky_relu", "clip", "sign", "heaviside", "modulo", "exprel_derivative", "power_log",
)  # fmt: skip
#: Functions of the C library, for which speed has not mattered yet.
_LIBRARY = {
    "tan": "math.tan",
    "sinh": "math.sinh",
    "cosh": "math.cosh",
    "asin": "math.asin",
    "acos": "math.acos",
    "atan": "math.atan",
    "floor": "np.floor",
    "ceil": "np.ceil",
}


#: Names with a meaning in generated modules, which a variable of the equations may not take there.
#: What the generator makes up for a network begins with an underscore, and no variable does.
_TAKEN = frozenset(
    (
        *ELEMENTARY,
        *PIECEWISE,
        *("real", "math", "np", "njit", "ZERO", "ONE", "SMALL", "SERIES", "FLAGS"),
        *("KERNEL", "INNER", "REDUCTION", "abs", "float", "max", "min", "range"),
        *("evaluate", "clear", "copy_drive", "record_rows", "fill_normals"),
        *("add_dense", "add_low_rank", "add_sparse", "add_diagonal"),
        *("e_", "k_", "v_", "i_", "row_", "step_"),
        # arguments and variables of the time loops
        *("keys", "normals", "first_step", "n_steps", "time_step", "every", "out", "first_sample"),
        # and of spikes; generated names beyond these begin with an underscore
        *("slot_", "s_", "types", "cgutils", "intrinsic"),
        *("from_", "j_", "q_", "r_"),
        *("rtol", "atol", "control", "now", "end", "moment", "error", "count", "size", "miss"),
        *("growth", "accepted", "proposal"),
    )
)


def local(name: str) -> str:
    """A variable's name in generated code."""
    return f"_{name}" if name in _TAKEN or keyword.iskeyword(name) else name


class _Printer(PythonCodePrinter):
    """SymPy tree to a numba expression in one number type, without promotion."""

    def __init__(self, dtype: str):
        super().__init__({"fully_qualified_modules": False})
        self.single = dtype == "float32"
        self.used: set[str] = set()

    def _literal(self, value: float) -> str:
        return f"real({value!r})" if self.single else repr(value)

    def _print_Float(self, expr):
        return self._literal(float(expr))

    def _print_Integer(self, expr):
        return self._literal(float(int(expr)))

    _print_Zero = _print_One = _print_NegativeOne = _print_Integer

    def _print_Rational(self, expr):
        return self._literal(float(expr))

    _print_Half = _print_Rational

    def _print_Symbol(self, expr):
        return local(expr.name)

    def _print_Infinity(self, expr):
        return "real(np.inf)"

    def _print_NegativeInfinity(self, expr):
        return "real(-np.inf)"

    def _print_NumberSymbol(self, expr):
        return self._literal(float(expr))

    _print_Pi = _print_Exp1 = _print_NumberSymbol

    def _print_indicator(self, expr):
        return f"(ONE if {self._print(expr.args[0])} else ZERO)"

    def _print_select(self, expr):
        c, a, b = (self._print(argument) for argument in expr.args)
        return f"({a} if {c} > ZERO else {b})"

    def _print_absolute(self, expr):
        return f"abs({self._print(expr.args[0])})"

    _print_Abs = _print_absolute

    def _print_spike(self, expr):
        self.used.add("heaviside")
        return f"heaviside({self._print(expr.args[0])})"

    def _print_power(self, expr):
        base, exponent = (self.parenthesize(a, PRECEDENCE["Func"]) for a in expr.args)
        return f"real({base}**{exponent})"

    def _print_Relational(self, expr):
        left, right = (self._print(a) for a in expr.args)
        return f"({left} {expr.rel_op} {right})"

    def _print_Function(self, expr):
        name = expr.func.__name__
        arguments = ", ".join(self._print(a) for a in expr.args)
        if name in ELEMENTARY or name in PIECEWISE:
            self.used.add(name)
            return f"{name}({arguments})"
        return f"real({_LIBRARY[name]}({arguments}))"

    def _print_Pow(self, expr, rational=False):
        base, exponent = expr.args
        text = self.parenthesize(base, 1000) if not base.is_Symbol else self._print(base)
        if exponent == -1:
            return f"(ONE/{text})"
        if exponent == sympy.Rational(1, 2):
            return f"math.sqrt({self._print(base)})"
        if exponent == sympy.Rational(-1, 2):
            return f"(ONE/math.sqrt({self._print(base)}))"
        if exponent.is_Integer and base.is_Symbol and abs(int(exponent)) <= 8:
            product = "*".join([text] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(ONE/({product}))"
        return self._print_power(expr)


for _name in (*ELEMENTARY, *PIECEWISE, *_LIBRARY):  # PythonCodePrinter knows some of them itself
    setattr(_Printer, f"_print_{_name}", _Printer._print_Function)


@dataclass(frozen=True)
class Lines:
    """Source lines of one elementwise loop.

    Attributes
    ----------
    hoisted : tuple of str
        Statements that go before the loop.
    body : tuple of str
        Statements for one element, ending in the assignments.
    reads : frozenset of str
        Per-element names that the body needs.
    scalars : frozenset of str
        Scalar names that the hoisted lines and the body need.
    functions : frozenset of str
        Elementary and piecewise functions used.
    """

    hoisted: tuple[str, ...]
    body: tuple[str, ...]
    reads: frozenset[str]
    scalars: frozenset[str]
    functions: frozenset[str]


def lines(
    assignments: Iterable[tuple[str, sympy.Expr]],
    scalars: Iterable[str],
    dtype: str,
    prefix: str = "",
) -> Lines:
    """Lower assignments ``target = expression`` of one loop.

    Parameters
    ----------
    assignments : iterable of (str, sympy.Expr)
        Python target text and expression; all expressions are evaluated before the first target
        is assigned, except that a plain name may be used by later ones.
    scalars : iterable of str
        Names that are the same for every element.
    dtype : {"float64", "float32"}
    prefix : str
        Put before the names of temporaries, to keep those of different loops apart.
    """
    assignments = list(assignments)
    scalar_symbols = {sympy.Symbol(name, real=True) for name in scalars}
    hoister = _Hoister(scalar_symbols, prefix)
    values = [hoister.visit(sympy.sympify(value)) for _, value in assignments]
    temporaries = sympy.numbered_symbols(f"{prefix}v", cls=sympy.Symbol, real=True)
    shared, values = sympy.cse(values, symbols=temporaries, order="none") if values else ([], [])
    printer = _Printer(dtype)
    powers = _PowerBases(f"{prefix}b")

    def statements(pairs) -> list[str]:
        text = []
        for target, value in pairs:
            value = powers.visit(value)
            text += [f"{name} = {printer.doprint(base)}" for name, base in powers.take()]
            text.append(f"{target} = {printer.doprint(value)}")
        return text

    targets = [(local(t), v) for (t, _), v in zip(assignments, values, strict=True)]
    body = _in_order_of_need(targets, dict(shared))
    made = {name for name, _ in [*body, *hoister.statements]}
    scalar_names = {s.name for s in scalar_symbols}
    free = {s.name for _, value in body for s in value.free_symbols}
    free_before = {s.name for _, value in hoister.statements for s in value.free_symbols}
    return Lines(
        tuple(statements(hoister.statements)),
        tuple(statements(body)),
        frozenset(n for n in free - scalar_names if local(n) not in made),
        frozenset((free | free_before) & scalar_names),
        frozenset(printer.used),
    )


def _in_order_of_need(targets, shared: dict) -> list[tuple[str, sympy.Expr]]:
    """Put each common subexpression right before the first assignment that needs it.

    A subexpression may contain a name that an earlier assignment defines, so it cannot simply go
    first.
    """
    done: dict[str, sympy.Expr] = {}

    def define(symbol):
        if symbol.name not in done:
            need(shared[symbol])
            done[symbol.name] = shared[symbol]
            ordered.append((symbol.name, shared[symbol]))

    def need(value):
        for symbol in sorted(value.free_symbols & set(shared), key=str):
            define(symbol)

    ordered: list[tuple[str, sympy.Expr]] = []
    for target, value in targets:
        need(value)
        ordered.append((target, value))
    return ordered


class _Hoister:
    """Give every largest subexpression of scalars a name, so that loops do not repeat it."""

    def __init__(self, scalars: set[sympy.Symbol], prefix: str):
        self.scalars = scalars
        self.prefix = prefix
        self.names: dict[sympy.Expr, sympy.Symbol] = {}

    @property
    def statements(self) -> list[tuple[str, sympy.Expr]]:
        return [(symbol.name, value) for value, symbol in self.names.items()]

    def visit(self, node: sympy.Basic) -> sympy.Basic:
        if node.is_Atom:
            return node
        if node.free_symbols and node.free_symbols <= self.scalars:
            return self._name(node) if isinstance(node, sympy.Expr) else node
        if isinstance(node, (sympy.Mul, sympy.Add)):
            fixed = [a for a in node.args if a.free_symbols <= self.scalars]
            moving = [self.visit(a) for a in node.args if not a.free_symbols <= self.scalars]
            combined = node.func(*fixed)
            if combined.free_symbols and not combined.is_Atom:
                combined = self._name(combined)
            return node.func(combined, *moving, evaluate=False) if fixed else node.func(*moving)
        return node.func(*(self.visit(a) for a in node.args))

    def _name(self, value: sympy.Expr) -> sympy.Symbol:
        if value not in self.names:
            self.names[value] = sympy.Symbol(f"{self.prefix}c{len(self.names)}", real=True)
        return self.names[value]


class _PowerBases:
    """Name the base of every small integer power, so that it can be printed as a product."""

    def __init__(self, prefix: str):
        self.prefix = prefix
        self.count = 0
        self.pending: list[tuple[str, sympy.Expr]] = []

    def visit(self, node: sympy.Basic) -> sympy.Basic:
        if node.is_Atom:
            return node
        if isinstance(node, sympy.Pow) and node.exp.is_Integer and abs(node.exp) > 1:
            base = self.visit(node.base)
            if base.is_Symbol:
                return sympy.Pow(base, node.exp)
            symbol = sympy.Symbol(f"{self.prefix}{self.count}", real=True)
            self.count += 1
            self.pending.append((symbol.name, base))
            return sympy.Pow(symbol, node.exp)
        arguments = [self.visit(a) for a in node.args]
        if isinstance(node, (sympy.Mul, sympy.Add)):
            return node.func(*arguments, evaluate=False)
        return node.func(*arguments)

    def take(self) -> list[tuple[str, sympy.Expr]]:
        """The bases named since the last call."""
        found, self.pending = self.pending, []
        return found


def symbol(name: str) -> sympy.Symbol:
    """The symbol of a name in the equations."""
    return sympy.Symbol(name, real=True)
