"""Equation text, parsed and unit-checked by Brian2, as a plain record.

`parse` gives an `Equations` record: states, algebraic variables and the names that the text leaves
open (parameters and inputs), each with its dimension and its expression as normalised text. The
record is plain data, so it is kept on disk: a later process that meets the same text needs neither
Brian2 nor SymPy, which together take a second to import.
"""

from __future__ import annotations

import ast
import json
from dataclasses import asdict, dataclass
from functools import lru_cache

from neurodyn.expression_trees import (
    EquationError,
    check_names,
    check_real,
    checked_names,
    divisors_in,
    numeric_units,
    read_tree,
    suggest,
)
from neurodyn.statements import (
    RAND,
    StatementError,
    count_rand,
    read_condition,
    read_statements,
)
from neurodyn.unit_check import (
    NOISE_DIMENSION,
    argument_dimensions,
    check_units,
    import_brian2,
    is_noise,
    open_dimensions,
    variable_names,
)
from neurodyn.units import DIMENSIONLESS, Dimension


@dataclass(frozen=True)
class Variable:
    """One equation: a state (``dx/dt = ...``) or an algebraic variable (``r = ...``).

    Attributes
    ----------
    name : str
    dim : Dimension
        Dimension of the variable, seven SI exponents.
    expression : str
        Right-hand side without its noise, with units replaced by numbers in SI.
    noise : dict of str to str
        For a state: noise variable (``xi``, ``xi_a``) to the expression of its coefficient.
    uses : tuple of str
        Names that the right-hand side, noise included, depends on.
    """

    name: str
    dim: Dimension
    expression: str
    noise: dict[str, str]
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Spiking:
    """When units spike, and what a spike does to them.

    Attributes
    ----------
    threshold : str
        Expression that is 1 where a unit spikes, else 0.
    reset : tuple of (str, str)
        State and expression of its new value, one after the other.
    clamped : tuple of str
        States that do not move while a unit is refractory.
    """

    threshold: str
    reset: tuple[tuple[str, str], ...]
    clamped: tuple[str, ...]


@dataclass(frozen=True)
class Equations:
    """The parsed equations of one population.

    Attributes
    ----------
    states, algebraic : tuple of Variable
        In the order of the text; algebraic variables in an order in which they can be evaluated.
    open_names : dict of str to Dimension
        Names that get their value from outside: parameters and inputs.
    shared_names : tuple of str
        Names declared ``(shared)``: one value for the whole population.
    divisors : tuple of str
        Open names that some equation divides by.
    noise_names : tuple of str
        The noise variables, sorted.
    spiking : Spiking or None
        None for units that do not spike.
    spike_arguments : tuple of (str, Dimension)
        What the function ``spike`` is called with.
    """

    states: tuple[Variable, ...]
    algebraic: tuple[Variable, ...]
    open_names: dict[str, Dimension]
    shared_names: tuple[str, ...]
    divisors: tuple[str, ...]
    noise_names: tuple[str, ...]
    spiking: Spiking | None = None
    spike_arguments: tuple[tuple[str, Dimension], ...] = ()

    @property
    def uses_rand(self) -> bool:
        """Whether the threshold draws a random number."""
        return self.spiking is not None and RAND in _names_in(self.spiking.threshold)

    @property
    def variables(self) -> dict[str, Variable]:
        """States and algebraic variables by name."""
        return {v.name: v for v in (*self.states, *self.algebraic)}

    def dimension(self, name: str) -> Dimension:
        """Dimension of a state, algebraic variable, open name or noise variable."""
        if is_noise(name):
            return NOISE_DIMENSION
        variable = self.variables.get(name)
        return variable.dim if variable is not None else self.open_names[name]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Equations:
        record = json.loads(text)

        def variables(entries):
            return tuple(
                Variable(
                    e["name"], tuple(e["dim"]), e["expression"], e["noise"], tuple(e["uses"])
                )
                for e in entries
            )

        return cls(
            variables(record["states"]),
            variables(record["algebraic"]),
            {name: tuple(dim) for name, dim in record["open_names"].items()},
            tuple(record["shared_names"]),
            tuple(record["divisors"]),
            tuple(record["noise_names"]),
            _spiking_from_json(record["spiking"]),
            tuple((text, tuple(dim)) for text, dim in record["spike_arguments"]),
        )


def _spiking_from_json(record: dict | None) -> Spiking | None:
    if record is None:
        return None
    reset = tuple((target, value) for target, value in record["reset"])
    return Spiking(record["threshold"], reset, tuple(record["clamped"]))


def _names_in(expression: str) -> set[str]:
    return {n.id for n in ast.walk(ast.parse(expression)) if isinstance(n, ast.Name)}


@lru_cache(maxsize=256)
def parse(
    text: str,
    known: tuple[tuple[str, Dimension | None], ...] = (),
    threshold: str | None = None,
    reset: str | None = None,
) -> Equations:
    """Parse and unit-check equation text.

    Parameters
    ----------
    text : str
        Equations in Brian2's grammar: ``dx/dt = (-x + I)/tau : 1``, ``r = tanh(x) : 1`` and
        declarations such as ``I : amp``.
    known : tuple of (name, dimension or None)
        Names that have a value, with the dimension of the value; None for a plain number, whose
        dimension is then inferred from the equations.
    threshold : str, optional
        Condition in which a unit spikes, ``"v > v_th"``; `rand()` in it is a uniform number.
    reset : str, optional
        Statements that a spike carries out, ``"v = v_reset; w += b"``.

    Returns
    -------
    Equations

    Raises
    ------
    EquationError
        For a grammar that Brian2 refuses, an algebraic variable that depends on itself, an unknown
        function, or noise that does not enter linearly.
    UnitError
        For units that do not fit.
    """
    from neurodyn.compile import cache

    key = json.dumps([text, known, threshold, reset])
    stored = cache.load_text("equations", key)
    if stored is not None:
        return Equations.from_json(stored)
    equations = _parse(text, dict(known), threshold, reset)
    cache.store_text("equations", key, equations.to_json())
    return equations


def _parse(
    text: str, known: dict[str, Dimension | None], threshold: str | None, reset: str | None
) -> Equations:
    brian2 = import_brian2()
    from brian2.equations import equations as brian2_equations

    try:
        parsed = brian2.Equations(text)
    except Exception as error:  # Brian2 raises many types here, SyntaxError and TypeError included
        _refuse_loop(text)
        raise EquationError(
            f"the equations cannot be read: {error}\nin\n{_numbered(text)}\n"
            "Write one `dx/dt = ... : unit`, `r = ... : unit` or `I : unit` a line."
        ) from error

    differential = brian2_equations.DIFFERENTIAL_EQUATION
    parameter = brian2_equations.PARAMETER
    shared, clamped, trees, dims, kinds = [], [], {}, {}, {}
    for equation in parsed.values():
        name = equation.varname
        allowed = {"constant", "shared"}
        if equation.type == differential and threshold is not None:
            allowed = {"unless refractory"}
        if unknown := set(equation.flags) - allowed:
            raise EquationError(
                f"the flag ({sorted(unknown)[0]}) of `{name}` has no meaning here; the flags are "
                "(constant) and (shared), and, for a state of units with a threshold, "
                "(unless refractory)"
            )
        if "unless refractory" in equation.flags:
            clamped.append(name)
        if "shared" in equation.flags:
            shared.append(name)
        if name in known and equation.type == brian2_equations.SUBEXPRESSION:
            raise EquationError(
                f"`{name}` is an algebraic variable, `{name} = {equation.expr}`; it takes no value"
            )
        dims[name] = tuple(map(float, equation.dim._dims))
        kinds[name] = equation.type
        if equation.type != parameter:
            tree = read_tree(str(equation.expr), name)
            trees[name] = checked_names(tree, known, set(parsed.names))
    spikes = _spike_trees(threshold, reset, known, set(parsed.names))
    for key, (target, tree) in spikes.items():
        if target is not None and kinds.get(target) != differential:
            raise EquationError(
                f"`reset` changes `{target}`, which is not a state"
                f"{suggest(target, [n for n in kinds if kinds[n] == differential])}; a quantity "
                f"that only spikes change is a state too: `d{target}/dt = 0*.../second : ...`"
            )
        trees[key] = tree
        dims[key] = DIMENSIONLESS if target is None else dims[target]
        kinds[key] = brian2_equations.SUBEXPRESSION
    open_names = open_dimensions(trees, dims, kinds, known, differential)
    check_names([*(set(dims) - set(spikes)), *open_names, *known])
    check_units(trees, dims, kinds, open_names, differential)
    spike_arguments = argument_dimensions("spike", trees, dims, open_names)

    states, algebraic = [], []
    for name, tree in trees.items():
        uses, tree = tuple(variable_names(tree)), numeric_units(tree)
        trees[name] = tree
        check_real(name, ast.unparse(tree))
        if name in spikes:
            continue
        if kinds[name] == differential:
            states.append(_state(name, dims[name], tree, uses))
        else:
            algebraic.append(Variable(name, dims[name], ast.unparse(tree), {}, uses))
    if not states and not algebraic and threshold is None:
        raise EquationError(f"the equations define no variable:\n{_numbered(text)}")
    divisors = {n for tree in trees.values() for n in divisors_in(tree)} & set(open_names)
    noise = sorted({xi for state in states for xi in state.noise})
    return Equations(
        tuple(states),
        _sorted_algebraic(algebraic),
        open_names,
        tuple(shared),
        tuple(sorted(divisors)),
        tuple(noise),
        None if threshold is None else _spiking(trees, spikes, clamped),
        spike_arguments,
    )


#: Where messages and internal tables speak of the threshold; resets are ``reset 0``, ``reset 1``...
_THRESHOLD = "threshold"


def _spike_trees(
    threshold: str | None, reset: str | None, known, defined: set[str]
) -> dict[str, tuple[str | None, ast.expr]]:
    """Threshold and reset statements as further equations: key to (state that changes, tree)."""
    found: dict[str, tuple[str | None, ast.expr]] = {}
    if threshold is None:
        return found
    try:
        found[_THRESHOLD] = (None, read_condition(threshold, "`threshold`"))
        for k, (target, tree) in enumerate(read_statements(reset or "", "`reset`")):
            found[f"reset {k}"] = (target, tree)
    except StatementError as error:
        raise EquationError(str(error)) from None
    trees = [tree for _, tree in found.values()]
    if count_rand(*trees) > 1 or count_rand(*trees[1:]):
        raise EquationError("`rand()` can stand once, in `threshold`")
    for key, (target, tree) in found.items():
        if noise := next(filter(is_noise, variable_names(tree)), None):
            raise EquationError(
                f"`{noise}` cannot stand in `threshold` or `reset`; a random threshold is written "
                "with rand(): `rand() < rho*dt`"
            )
        found[key] = (target, checked_names(tree, known, defined))
    return found


def _spiking(trees, spikes, clamped) -> Spiking:
    reset = tuple(
        (target, ast.unparse(trees[key])) for key, (target, _) in spikes.items() if target
    )
    return Spiking(ast.unparse(trees[_THRESHOLD]), reset, tuple(clamped))


def _state(name: str, dim: Dimension, tree: ast.expr, uses: tuple[str, ...]) -> Variable:
    """Split a differential equation into drift and noise coefficients."""
    import sympy

    text = ast.unparse(tree)
    noise_names = [n for n in uses if is_noise(n)]
    if not noise_names:
        return Variable(name, dim, text, {}, uses)
    from neurodyn.compile.expressions import from_sympy, to_sympy

    expression = to_sympy(text)
    symbols = {n: sympy.Symbol(n, real=True) for n in noise_names}
    noise = {}
    for xi, symbol in symbols.items():
        coefficient = sympy.diff(expression, symbol)
        if coefficient.free_symbols & set(symbols.values()):
            raise EquationError(
                f"noise must enter `d{name}/dt` linearly; `{xi}` does not in {text}"
            )
        noise[xi] = from_sympy(coefficient)
    drift = expression.subs(dict.fromkeys(symbols.values(), 0))
    uses = tuple(n for n in uses if not is_noise(n))
    return Variable(name, dim, from_sympy(drift), noise, uses)


def _sorted_algebraic(algebraic: list[Variable]) -> tuple[Variable, ...]:
    from graphlib import CycleError, TopologicalSorter

    by_name = {v.name: v for v in algebraic}
    sorter = TopologicalSorter({v.name: [u for u in v.uses if u in by_name] for v in algebraic})
    try:
        return tuple(by_name[name] for name in sorter.static_order())
    except CycleError as error:
        loop = " -> ".join(error.args[1])
        raise EquationError(
            f"algebraic loop: {loop}. Make one of them a state (`dx/dt = ...`)."
        ) from None


def _refuse_loop(text: str) -> None:
    """Name the members of an algebraic loop, which Brian2 only says to exist."""
    from brian2.equations import equations as brian2_equations

    try:
        parsed = brian2_equations.parse_string_equations(text)
    except Exception:  # something else is wrong, and has been reported
        return
    algebraic = [e for e in parsed.values() if e.type == brian2_equations.SUBEXPRESSION]
    _sorted_algebraic(
        [Variable(e.varname, (), "", {}, tuple(sorted(e.identifiers))) for e in algebraic]
    )


def _numbered(text: str) -> str:
    return "\n".join(f"  {k}: {line}" for k, line in enumerate(text.strip().splitlines(), 1))
