"""The text of a plasticity rule, cut into lines and statements; traces as lines of populations."""

from __future__ import annotations

import ast
import re
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.expression_trees import EquationError, check_names
from neurodyn.statements import RAND, StatementError, read_expression, read_statements
from neurodyn.unit_check import import_brian2, is_noise, variable_names
from neurodyn.units import Dimension, UnitError, to_si

if TYPE_CHECKING:
    from neurodyn.plasticity.rule import Plasticity

_LINE = re.compile(
    r"^\s*(?:d(?P<state>\w+)/dt\s*=\s*(?P<drift>.+?)|(?P<kept>\w+))\s*:\s*"
    r"(?P<unit>[^()]+?)\s*(?:\((?P<flags>[^)]*)\))?\s*$"
)
#: The weight has the unit of the coupling's weights, whether or not the text repeats it.
_WEIGHT = re.compile(r"^dw/dt\s*=\s*(?P<drift>[^:]+)$")
_FLAGS = {"event-driven", "clock-driven", "constant"}


@dataclass(frozen=True)
class Trace:
    """A state that the rule adds to a population.

    Attributes
    ----------
    name, line : str
        Its name there, and its equation.
    values : dict
        Parameters and the initial value, by their names there.
    parameters : dict of str to str
        Names of the rule's parameters in its equation, and what the population calls them.
    """

    name: str
    line: str
    values: dict[str, Any]
    parameters: dict[str, str]


class RuleText:
    """The text of a rule, cut into lines and statements.

    Attributes
    ----------
    drifts : dict of str to ast
        Right-hand side of each state, ``w`` among them; None for what only spikes change.
    dims : dict of str to Dimension
    events : dict of str to list of (str, ast)
        Statements of ``on_pre`` and ``on_post``.
    """

    def __init__(self, rule: Plasticity, label: str):
        self.rule, self.label = rule, label
        self.drifts: dict[str, ast.expr | None] = {}
        self.dims: dict[str, Dimension] = {}
        self.units: dict[str, str] = {}
        import_brian2()
        for line in re.sub(r"#[^\n]*", "", rule.equations).splitlines():
            if line.strip():
                self._add(line.strip())
        self.events = {
            "on_pre": read_statements(rule.on_pre, "`on_pre`"),
            "on_post": read_statements(rule.on_post, "`on_post`"),
        }
        with self.blamed():
            check_names([*self.drifts, *rule.values])
        self._check_random()

    def _add(self, line: str) -> None:
        """Read one line of the equations."""
        if match := _WEIGHT.match(line):
            self._define("w", match["drift"])
            return
        match = _LINE.match(line)
        if match is None:
            raise self.error(f"`{line}` cannot be read; write `dx/dt = ... : unit` or `x : unit`")
        flags = {f.strip() for f in (match["flags"] or "").split(",") if f.strip()}
        if flags - _FLAGS:
            raise self.error(
                f"the flag ({min(flags - _FLAGS)}) has no meaning here; the flags are "
                f"{', '.join(sorted(_FLAGS))}"
            )
        name = match["state"] or match["kept"]
        if name in self.rule.values and match["kept"] and "constant" in flags:
            return  # the declaration of a parameter
        self._define(name, match["drift"])
        self.units[name] = match["unit"]
        self.dims[name] = self._dimension(name, match["unit"])

    def _define(self, name: str, drift: str | None) -> None:
        if name in self.drifts:
            raise self.error(f"`{name}` has two equations")
        self.drifts[name] = None if drift is None else self.read(drift)

    def _dimension(self, name: str, unit: str) -> Dimension:
        from brian2.equations.equations import dimensions_and_type_from_string

        try:
            return tuple(map(float, dimensions_and_type_from_string(unit)[0]._dims))
        except ValueError as error:
            raise self.error(
                f"`{unit}`, the unit of `{name}`, cannot be read: write 1, volt, amp*second or the "
                f"like, without a prefix ({error})"
            ) from None

    def _check_random(self) -> None:
        trees = [t for t in self.drifts.values() if t is not None]
        trees += [tree for event in self.events.values() for _, tree in event]
        for name in (name for tree in trees for name in variable_names(tree)):
            if name == RAND or is_noise(name):
                what = "rand()" if name == RAND else name
                raise self.error(
                    f"`{what}` cannot stand in a rule, whose synapses draw no random numbers; a "
                    "noisy variable of a population can, as `..._pre` or `..._post`"
                )

    def error(self, message: str) -> EquationError:
        return EquationError(f"plasticity of `{self.label}`: {message}")

    def unknown(self, name: str, side: str, own: str, known) -> EquationError:
        """The error of a name that should be a variable of one population."""
        return self.error(
            f"`{name}`: the {side}synaptic population has no `{own}`; it has "
            f"{', '.join(known) or 'none'}"
        )

    @contextmanager
    def blamed(self):
        """Say in errors from the reading of equations which rule they are about."""
        try:
            yield
        except (EquationError, UnitError) as error:
            message = re.sub(r"`(on_pre|on_post) (\d+) = ", self._as_statement, str(error))
            prefix = str(self.error(""))
            if not message.startswith(prefix):
                message = prefix + message
            raise type(error)(message) from None

    def _as_statement(self, match: re.Match) -> str:
        """A statement as messages show it, which the unit check knows as ``on_pre 0``."""
        return f"`{self.events[match[1]][int(match[2])][0]} = "

    def read(self, text: str) -> ast.expr:
        try:
            return read_expression(text, "an equation")
        except StatementError as error:
            raise self.error(str(error)) from None

    def traces(self, side: str) -> list[str]:
        """States of the units of one side."""
        return [n for n in self.drifts if n.endswith(f"_{side}")]

    @property
    def synaptic(self) -> list[str]:
        """What is kept a synapse, without the weight."""
        return [n for n in self.drifts if not n.endswith(("_pre", "_post")) and n != "w"]


    @property
    def parameters(self) -> list[str]:
        """The rule's values that are no initial ones."""
        return [n for n in self.rule.values if n not in self.drifts]


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node):
        return ast.Name(self.names.get(node.id, node.id), ast.Load())


def trace_lines(text: RuleText, side: str, taken: set[str]) -> list[Trace]:
    """Lines for the population of one side, with names that are not `taken` there."""
    from brian2.core.namespace import DEFAULT_UNITS

    own = sorted(taken)
    rename = {name: _free(name, taken) for name in text.traces(side)}
    parameters: dict[str, str] = {}
    found = []
    for name, new in rename.items():
        drift = text.drifts[name]
        given = text.rule.values.get(name)
        values, names = {} if given is None else {new: given}, dict(rename)
        for used in variable_names(drift) if drift is not None else ():
            if used in rename or used in ("t", "dt"):
                continue
            if used in text.parameters:
                if np.ndim(to_si(text.rule.values[used], used).value):
                    raise text.error(
                        f"`{used}` has one value a synapse, and `{name}` is a state of a unit"
                    )
                if used not in parameters:
                    parameters[used] = _free(used, taken)
                names[used] = parameters[used]
                values[names[used]] = text.rule.values[used]
            elif used.endswith(f"_{side}"):
                names[used] = used.removesuffix(f"_{side}")
                if names[used] not in own:
                    raise text.unknown(used, side, names[used], own)
            elif used not in DEFAULT_UNITS:
                raise text.error(
                    f"`d{name}/dt` depends on `{used}`; a state of the {side}synaptic unit can "
                    f"depend on `..._{side}` and on the rule's values only"
                )
        drift = f"0*({text.units[name]})/second" if drift is None else ast.unparse(
            _Renamed(names).visit(deepcopy(drift))
        )
        line = f"d{new}/dt = {drift} : {text.units[name]}"
        found.append(Trace(new, line, values, dict(parameters)))
    return found


def _free(name: str, taken: set[str]) -> str:
    """`name`, or with a number behind it if the population has that name already."""
    new, k = name, 2
    while new in taken:
        new, k = f"{name}_{k}", k + 1
    taken.add(new)
    return new
