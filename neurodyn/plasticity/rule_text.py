"""The text of a plasticity rule, cut into lines and statements; traces as lines of populations."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.equations import EquationError, check_names
from neurodyn.statements import StatementError, read_expression, read_statements
from neurodyn.unit_check import import_brian2, variable_names
from neurodyn.units import Dimension, to_si

if TYPE_CHECKING:
    from neurodyn.plasticity.rule import Plasticity

_LINE = re.compile(
    r"^\s*(?:d(?P<state>\w+)/dt\s*=\s*(?P<drift>.+?)|(?P<kept>\w+))\s*:\s*"
    r"(?P<unit>[^()]+?)\s*(?:\((?P<flags>[^)]*)\))?\s*$"
)
_FLAGS = {"event-driven", "clock-driven", "constant"}


@dataclass(frozen=True)
class Trace:
    """A state that the rule adds to a population: its name there, its line, and the values used."""

    name: str
    line: str
    values: dict[str, Any]


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
        from brian2.equations.equations import dimensions_and_type_from_string

        for line in re.sub(r"#[^\n]*", "", rule.equations).splitlines():
            if not line.strip():
                continue
            match = _LINE.match(line)
            if match is None:
                raise self.error(
                    f"`{line.strip()}` cannot be read; write `dx/dt = ... : unit` or `x : unit`"
                )
            flags = {f.strip() for f in (match["flags"] or "").split(",") if f.strip()}
            if flags - _FLAGS:
                raise self.error(
                    f"the flag ({min(flags - _FLAGS)}) has no meaning here; the flags are "
                    f"{', '.join(sorted(_FLAGS))}"
                )
            name = match["state"] or match["kept"]
            if name in rule.values and match["kept"] and "constant" in flags:
                continue  # the declaration of a parameter
            self.units[name] = match["unit"]
            self.dims[name] = tuple(
                map(float, dimensions_and_type_from_string(match["unit"])[0]._dims)
            )
            self.drifts[name] = self.read(match["drift"]) if match["state"] else None
        try:
            check_names([*self.drifts, *rule.values])
        except EquationError as error:
            raise self.error(str(error)) from None
        self.events = {
            "on_pre": read_statements(rule.on_pre, "`on_pre`"),
            "on_post": read_statements(rule.on_post, "`on_post`"),
        }

    def error(self, message: str) -> EquationError:
        return EquationError(f"plasticity of `{self.label}`: {message}")

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


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node):
        return ast.Name(self.names.get(node.id, node.id), ast.Load())


def trace_lines(text: RuleText, side: str, taken: set[str]) -> list[Trace]:
    """Lines for the population of one side, with names that are not `taken` there."""
    rename = {name: _free(name, taken) for name in text.traces(side)}
    parameters: dict[str, str] = {}
    found = []
    for name, new in rename.items():
        drift = text.drifts[name]
        values, names = {}, dict(rename)
        for used in variable_names(drift) if drift is not None else ():
            if used in rename or used in ("t", "dt"):
                continue
            if used in text.rule.values:
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
            else:
                raise text.error(
                    f"`d{name}/dt` depends on `{used}`; a state of the {side}synaptic unit can "
                    f"depend on `..._{side}` and on the rule's values only"
                )
        drift = f"0*({text.units[name]})/second" if drift is None else ast.unparse(
            _Renamed(names).visit(drift)
        )
        found.append(Trace(new, f"d{new}/dt = {drift} : {text.units[name]}", values))
    return found


def _free(name: str, taken: set[str]) -> str:
    """`name`, or with a number behind it if the population has that name already."""
    new, k = name, 2
    while new in taken:
        new, k = f"{name}_{k}", k + 1
    taken.add(new)
    return new
