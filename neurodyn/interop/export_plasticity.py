"""Plastic couplings as Brian2's synapses: `PlasticPlan`.

A trace, such as ``x_pre``, is one of its unit here and one of every synapse in Brian2, under the
name ``x_pre_trace``: with one delay for all synapses of a coupling that is the same number many
times over. Brian2 solves traces exactly from event to event where it can, and step by step where
something reads them in between, or where the solver is Euler's.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.interop.brian2_text import in_brian2_grammar, quantity, unit_text
from neurodyn.interop.export_couplings import connect, move_sums, synapse_lists
from neurodyn.interop.export_groups import heun
from neurodyn.plasticity.rule_text import RuleText
from neurodyn.unit_check import expression_dimension, import_brian2, variable_names
from neurodyn.units import DIMENSIONLESS, SECOND, to_si

if TYPE_CHECKING:
    from neurodyn.coupling import Coupling
    from neurodyn.interop.export_groups import GroupPlan
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

_SIDES = ("pre", "post")
_SUMS = {"sum_pre": "post", "sum_post": "pre"}  # whose units the sums belong to


class PlasticPlan:
    """What the synapses of one plastic coupling are made of.

    Parameters
    ----------
    network : Network
    c : int
        Number of the coupling.
    plans : dict of str to GroupPlan
        Of the populations; sums over synapses become variables of a group.
    target : str
        Variable of the postsynaptic group at which spikes arrive, or that holds the sum of rates.
    solver : Solver
    """

    def __init__(self, network: Network, c: int, plans, target: str, solver: Solver):
        self.network, self.c, self.solver = network, c, solver
        self.coupling: Coupling = network.couplings[c]
        self.label, self.target = network.coupling_labels[c], target
        self.rule = network.rules[c]
        self.text = RuleText(self.coupling.plasticity, self.label)
        ends = [network.split(end)[0] for end in (self.coupling.source, self.coupling.target)]
        self.ends = dict(zip(_SIDES, ends, strict=True))
        self.plans: dict[str, GroupPlan | None] = {s: plans.get(n) for s, n in self.ends.items()}
        self.obstacles = self.plans["post"].obstacles
        self.values = dict(self.coupling.plasticity.values)
        if self.coupling.plasticity.bounds is not None:
            low, high = self.coupling.plasticity.bounds
            self.values["w_min"] = -np.inf if low is None else low
            self.values["w_max"] = np.inf if high is None else high
        self._check_names()
        self._check_traces()
        self.names = self._own_names()
        self.totals: list[tuple[str, str, str, Any]] = []  # name, side, expression, dimension

    # -- names ---------------------------------------------------------------------------------

    def _check_names(self) -> None:
        """Note it if the rule reads what Brian2's groups have not: traces of other rules."""
        for name, (side, own) in self.rule.names.items():
            if name in self.text.drifts or self.plans[side] is None:
                continue
            equations = self.plans[side].population.equations
            if own not in (*equations.variables, *equations.open_names):
                self.obstacles.add(
                    self.label, f"its rule reads `{name}`, a trace of another coupling"
                )

    def _check_traces(self) -> None:
        """Note it if traces move in a way that Brian2 has not beside what else moves."""
        method, solver = self.solver.method, type(self.solver).__name__
        for side in _SIDES:
            for name in self.text.traces(side):
                others = [n for n in self._read_by(name) if n.endswith(f"_{side}")
                          and n not in self.text.drifts and self._moves(n, side)]  # fmt: skip
                if others and method not in ("euler", "exponential_euler"):
                    self._refuse(
                        f"the trace `{name}` follows `{others[0]}`, which Brian2 holds over a step "
                        f"where {solver} does not"
                    )
        if method == "heun" and self.traces and self._moves_synapses():
            self._refuse("Brian2 cannot move traces by Heun's method, and synapses by another")
        if method in ("exact", "rk4") and self._are_coupled() and not self._are_event_driven():
            self._refuse(f"its traces act on each other within a step of {solver}")

    def _refuse(self, reason: str) -> None:
        self.obstacles.add(self.label, f"{reason}; use nd.Euler or nd.ExponentialEuler")

    @property
    def traces(self) -> list[str]:
        return [*self.text.traces("pre"), *self.text.traces("post")]

    def _read_by(self, name: str) -> list[str]:
        """Names in the drift of a state of the rule, without units."""
        from brian2.core.namespace import DEFAULT_UNITS

        drift = self.text.drifts.get(name)
        names = variable_names(drift) if drift is not None else []
        return [n for n in names if n not in DEFAULT_UNITS or n in self.values]

    def _are_coupled(self) -> bool:
        """Whether a trace depends on another."""
        return any((set(self._read_by(n)) & set(self.traces)) - {n} for n in self.traces)

    def _are_event_driven(self) -> bool:
        """Whether Brian2 may solve traces from event to event."""
        read = {n for name in (*self.text.synaptic, "w") for n in self._read_by(name)}
        if self.solver.method in ("euler", "heun") or read & set(self.traces):
            return False
        if self.solver.method == "exponential_euler" and self._are_coupled():
            return False
        known = {*self.traces, *self.values}
        return all(set(self._read_by(name)) <= known for name in self.traces)

    def _moves(self, name: str, side: str) -> bool:
        plan = self.plans[side]
        return plan is not None and name.removesuffix(f"_{side}") not in plan.population.parameters

    def _own_names(self) -> dict[str, str]:
        """Names in the rule, and what the synapses call them: none is a variable of a group."""
        taken = {"w"} if self._is_free("w") else set()
        found = {"w": "w" if taken else "weight"}
        taken.add(found["w"])
        for name in (*self.text.drifts, *self.values):
            new = f"{name}_trace" if name.endswith(("_pre", "_post")) else name
            base, k = new, 2
            while new in taken or not self._is_free(new):
                new, k = f"{base}_{k}", k + 1
            if name not in found:
                found[name] = new
                taken.add(new)
        return found

    def _is_free(self, name: str) -> bool:
        return not any(name in plan.names for plan in self.plans.values() if plan is not None)

    # -- text ----------------------------------------------------------------------------------

    def written(self, tree: ast.expr) -> str:
        """An expression as it stands in Brian2's synapses."""
        copy = ast.parse(ast.unparse(tree), mode="eval").body
        return in_brian2_grammar(ast.unparse(_Named(self).visit(copy)))

    def total(self, function: str, tree: ast.expr) -> str:
        """Name of a sum over synapses, which becomes a variable of a group."""
        side = _SUMS[function]
        plan = self.plans[side]
        dim = self._dimension(tree)
        name = plan.fresh("synapse_sum")
        plan.variable(name, dim)
        self.totals.append((name, side, self.written(tree), dim))
        return f"{name}_{side}"

    def _dimension(self, tree: ast.expr):
        dims = dict(self.rule.dims)
        for name, (side, own) in self.rule.names.items():
            dims[name] = self.network.populations[self.ends[side]].equations.dimension(own)
        return expression_dimension(ast.unparse(tree), dims)

    def lines(self) -> list[str]:
        """The model of the synapses; declares sums in the groups."""
        dims = self.rule.dims
        found = []
        drift = self.text.drifts.get("w")
        w = self.names["w"]
        if drift is None:
            found.append(f"{w} : {unit_text(dims['w'])}")
        else:
            found.append(f"d{w}/dt = {self.written(drift)} : {unit_text(dims['w'])} (clock-driven)")
        for name in (*self.text.synaptic, *self.traces):
            drift, unit = self.text.drifts[name], unit_text(self._dim_of(name))
            if drift is None:
                found.append(f"{self.names[name]} : {unit}")
                continue
            by_events = name in self.traces and self._are_event_driven()
            flag = "event-driven" if by_events else "clock-driven"
            found.append(f"d{self.names[name]}/dt = {self.written(drift)} : {unit} ({flag})")
        for name, value in self.values.items():
            if name not in self.text.drifts:  # those are initial values
                flags = "constant" if np.ndim(to_si(value, name).value) else "constant, shared"
                found.append(f"{self.names[name]} : {unit_text(self._dim_of(name))} ({flags})")
        return found

    def _dim_of(self, name: str):
        if name in self.rule.dims:
            return self.rule.dims[name]
        if name in self.text.dims:
            return self.text.dims[name]
        if name in ("w_min", "w_max"):
            return self.rule.dims["w"]
        for side in _SIDES:  # a parameter of a trace only: the population has it
            equations = self.network.populations[self.ends[side]].equations
            if name in equations.open_names:
                return equations.dimension(name)
        return to_si(self.values[name], name).dim or DIMENSIONLESS

    def _method(self):
        """Brian2's method for what moves at synapses step by step."""
        if self.solver.method == "euler":
            return "euler"
        if self.solver.method == "heun" and not self._moves_synapses():
            return heun()
        return "exponential_euler"

    def _moves_synapses(self) -> bool:
        """Whether anything but traces moves by itself."""
        return any(self.text.drifts.get(n) is not None for n in ("w", *self.text.synaptic))

    def code(self, event: str) -> str:
        """Statements of ``on_pre`` or ``on_post``."""
        found = []
        own_target = f"{self.network.split(self.coupling.target)[1]}_post"
        for target, tree in self.text.events[event]:
            if target == own_target and isinstance(tree, ast.BinOp):  # what a spike delivers
                sign = "+=" if isinstance(tree.op, ast.Add) else "-="
                found.append(f"{self.target}_post {sign} {self.written(tree.right)}")
                continue
            value = self.written(tree)
            if target == "w" and self.coupling.plasticity.bounds is not None:
                value = self._bounded(value)
            found.append(f"{self.names[target]} = {value}")
        delivers = any(target == own_target for target, _ in self.text.events["on_pre"])
        if event == "on_pre" and self.coupling.carries_spikes and not delivers:
            found.insert(0, f"{self.target}_post += {self.names['w']}")
        return "\n".join(found)

    def _bounded(self, value: str) -> str:
        return f"clip({value}, {self.names['w_min']}, {self.names['w_max']})"

    # -- making --------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Write all text; what it needs in the groups is declared there."""
        self.model = self.lines()
        self.on_pre, self.on_post = self.code("on_pre"), self.code("on_post")
        for name, side, expression, dim in self.totals:
            self.model.append(f"{name}_{side} = {expression} : {unit_text(dim)} (summed)")
        if not self.coupling.carries_spikes:
            source = self.network.split(self.coupling.source)[1]
            unit = unit_text(self.network.dimension(self.coupling.target))
            w = self.names["w"]
            self.model.append(f"{self.target}_post = {w}*{source}_pre : {unit} (summed)")

    def make(self, groups, clock, name: str, stage: int):
        """The synapses."""
        brian2 = import_brian2()
        pre, post = (groups[self.ends[side]] for side in _SIDES)
        events = {"on_pre": self.on_pre, "on_post": self.on_post}
        synapses = brian2.Synapses(
            pre,
            post,
            "\n".join(self.model),
            **{event: code for event, code in events.items() if code},
            delay={"pre": quantity(self.coupling.delay, SECOND)} if self.on_pre else None,
            method=self._method(),
            clock=clock,
            name=name,
        )
        connect(synapses, *synapse_lists(self.coupling.weights, zeros=True), self.names["w"])
        for own, value in self.values.items():
            variable = synapses.variables[self.names[own]]
            number = np.asarray(to_si(value, own).value, float).reshape(-1)
            for side, units in (("pre", synapses.i), ("post", synapses.j)):
                if own in self.text.traces(side) and number.size > 1:
                    number = number[units[:]]
            variable.set_value(np.broadcast_to(number, (variable.size,)))
        if "lastupdate" in synapses.variables:  # ours begin to move with the first step, not after
            synapses.variables["lastupdate"].set_value(-self.solver.dt)
        move_sums(synapses, stage)
        if synapses.state_updater is not None:
            synapses.state_updater.order = -1  # as the groups are at the beginning of the step
            if self.text.drifts.get("w") is not None and "w_min" in self.values:
                w = self.names["w"]
                synapses.run_regularly(f"{w} = {self._bounded(w)}", when="after_groups")
        return synapses


class _Named(ast.NodeTransformer):
    """Names of a rule as the synapses have them, and sums as variables of groups."""

    def __init__(self, plan: PlasticPlan):
        self.plan = plan

    def visit_Name(self, node):
        return ast.Name(self.plan.names.get(node.id, node.id), ast.Load())

    def visit_Call(self, node):
        if node.func.id in _SUMS:
            return ast.Name(self.plan.total(node.func.id, node.args[0]), ast.Load())
        node.args = [self.visit(argument) for argument in node.args]
        return node
