"""A plasticity rule bound to one coupling: names found, units checked.

`bind` gives a `BoundRule`, plain data from which the compiler writes what happens at synapses.
"""

from __future__ import annotations

import ast
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.expression_trees import checked_names, numeric_units
from neurodyn.plasticity.rule_text import RuleText
from neurodyn.unit_check import (
    check_units,
    inferred_dimension,
    open_dimensions,
    variable_names,
)
from neurodyn.units import Dimension, UnitError, format_dimension, to_si

if TYPE_CHECKING:
    from neurodyn.population import Population

#: Sums over synapses, and the side to which each belongs.
_SUMS = {"sum_pre": "post", "sum_post": "pre"}


@dataclass(frozen=True)
class BoundRule:
    """What happens at the synapses of one coupling.

    Attributes
    ----------
    states : tuple of (str, str)
        What is kept a synapse beside the weight, and its drift.
    drift : str
        Drift of the weight; empty if it changes with spikes only.
    on_pre, on_post : tuple of (str, str)
        Assignments, one after the other; the delivery of a spike is one to the target.
    sums : tuple of (str, str, str)
        Name, side to which it belongs ("pre" or "post"), and summed expression.
    names : dict of str to (str, str)
        Names in the text that stand for a variable of a population: side and own name.
    target : str
        Name of the coupling's target in `on_pre`.
    scalars, each : tuple of str
        Parameters with one value, and with one a synapse.
    dims : dict of str to Dimension
        Of the weight, of what is kept a synapse, and of the parameters.
    """

    states: tuple[tuple[str, str], ...]
    drift: str
    on_pre: tuple[tuple[str, str], ...]
    on_post: tuple[tuple[str, str], ...]
    sums: tuple[tuple[str, str, str], ...]
    names: dict[str, tuple[str, str]]
    target: str
    scalars: tuple[str, ...]
    each: tuple[str, ...]
    dims: dict[str, Dimension]

    @property
    def changing(self) -> tuple[str, ...]:
        """What a synapse keeps: its weight, and the states."""
        return ("w", *(name for name, _ in self.states))


def bind(
    text: RuleText,
    pre: Population,
    post: Population,
    traces: dict[str, dict[str, str]],
    source: str,
    target: str,
    weight_dim: Dimension,
    carries_spikes: bool,
) -> BoundRule:
    """Find every name of the rule, and check all units.

    Parameters
    ----------
    text : RuleText
    pre, post : Population
        With the traces in them.
    traces : dict of str to (dict of str to str)
        For each side, names of traces and of their parameters in the text and in the population.
    source, target : str
        Own names of the coupling's source and target.
    weight_dim : Dimension
    carries_spikes : bool
        Whether the coupling delivers spikes.
    """
    from neurodyn.compile import cache

    key = json.dumps(
        [text.rule.equations, text.rule.on_pre, text.rule.on_post,
         [to_si(b, "bounds").dim for b in text.rule.bounds or () if b is not None],
         text.rule.bounds is not None,
         {n: [d, np.ndim(to_si(v, n).value)] for n, v in text.rule.values.items()
          for d in [to_si(v, n).dim]},
         asdict(pre.equations), asdict(post.equations), sorted(pre.parameters),
         sorted(post.parameters), traces, source, target, weight_dim, carries_spikes],
        sort_keys=True,
    )  # fmt: skip
    stored = cache.load_text("plasticity", key)
    if stored is not None:
        return bound_from_json(stored)
    binder = _Binder(text, {"pre": pre, "post": post}, traces, target, weight_dim, carries_spikes)
    with text.blamed():
        found = binder.bound()
    cache.store_text("plasticity", key, json.dumps(asdict(found)))
    return found


def bound_from_json(text: str) -> BoundRule:
    record = json.loads(text)
    tuples = {
        name: tuple(tuple(entry) for entry in record[name])
        for name in ("states", "on_pre", "on_post", "sums")
    }
    return BoundRule(
        drift=record["drift"],
        names={n: tuple(v) for n, v in record["names"].items()},
        target=record["target"],
        scalars=tuple(record["scalars"]),
        each=tuple(record["each"]),
        dims={n: tuple(d) for n, d in record["dims"].items()},
        **tuples,
    )


class _Binder:
    """Reads the expressions of one rule in the places where they stand."""

    def __init__(self, text, populations, traces, target, weight_dim, carries_spikes):
        self.text, self.populations, self.traces = text, populations, traces
        self.target = f"{target}_post"
        self.carries_spikes = carries_spikes
        self.names: dict[str, tuple[str, str]] = {}
        self.dims = {"w": weight_dim}
        self.dims |= {name: text.dims[name] for name in text.synaptic}
        self.values = {n: text.rule.values[n] for n in text.parameters}
        if text.rule.bounds is not None:
            low, high = text.rule.bounds
            self.values["w_min"] = -np.inf if low is None else low
            self.values["w_max"] = np.inf if high is None else high
        self.known = {n: to_si(v, n).dim for n, v in self.values.items()}
        for side, names in traces.items():  # what the equations of a trace say about plain numbers
            for name in names:
                if name in self.known and self.known[name] is None:
                    self.known[name] = populations[side].equations.dimension(names[name])
        self.each = [n for n, v in self.values.items() if np.ndim(to_si(v, n).value)]
        self.sums: list[tuple[str, str, ast.expr]] = []

    def bound(self) -> BoundRule:
        self._check_given_units()
        self._check_events()
        trees = {}
        for name in (*self.text.synaptic, "w"):
            drift = self.text.drifts.get(name)
            if drift is not None:
                trees[name] = self._summed(drift)
        statements = {}
        for event in ("on_pre", "on_post"):
            for k, (target, tree) in enumerate(self.text.events[event]):
                statements[f"{event} {k}"] = target
                trees[f"{event} {k}"] = tree
        for name, _, tree in self.sums:
            trees[name] = tree
        for tree in trees.values():
            self._find_names(tree)
        for target in statements.values():
            self._find_name(target)
        known = {**self.known, **self.dims}
        trees = {key: checked_names(tree, known, set()) for key, tree in trees.items()}
        open_names = self._check_units(trees, statements)
        texts = {key: ast.unparse(numeric_units(tree)) for key, tree in trees.items()}
        return self._record(texts, statements, open_names)

    def _record(self, texts, statements, open_names) -> BoundRule:
        events: dict[str, list[tuple[str, str]]] = {"on_pre": [], "on_post": []}
        for key, target in statements.items():
            value = f"clip({texts[key]}, w_min, w_max)" if self._is_bounded(target) else texts[key]
            events[key.split()[0]].append((target, value))
        if self.carries_spikes and all(t != self.target for t, _ in events["on_pre"]):
            events["on_pre"].insert(0, (self.target, f"{self.target} + w"))
            self._find_name(self.target)
        used = set().union(*map(_names, texts.values())) | (
            {"w_min", "w_max"} if self.text.rule.bounds is not None else set()
        )
        in_traces = {
            u for side in ("pre", "post") for n in self.text.traces(side)
            if self.text.drifts[n] is not None for u in variable_names(self.text.drifts[n])
        }  # fmt: skip
        for name in self.values:
            if name not in used | in_traces:
                raise self.text.error(f"`{name}` is given a value, but the rule does not use it")
        return BoundRule(
            tuple((n, texts.get(n, "0.0")) for n in self.text.synaptic),
            texts.get("w", ""),
            tuple(events["on_pre"]),
            tuple(events["on_post"]),
            tuple((name, side, texts[name]) for name, side, _ in self.sums),
            self.names,
            self.target,
            tuple(n for n in self.values if n in used and n not in self.each),
            tuple(n for n in self.values if n in used and n in self.each),
            {**self.dims, **{n: open_names[n] for n in self.values if n in open_names}},
        )

    def _is_bounded(self, target: str) -> bool:
        return target == "w" and self.text.rule.bounds is not None

    def _check_given_units(self) -> None:
        """Compare the units of bounds and initial values with what they are values of."""
        text = self.text
        if text.dims.get("w", self.dims["w"]) != self.dims["w"]:
            raise text.error(
                f"`dw/dt` is for a weight in {format_dimension(text.dims['w'])}; the coupling has "
                f"weights in {format_dimension(self.dims['w'])}"
            )
        given = {n: (v, text.dims[n]) for n, v in text.rule.values.items() if n in text.synaptic}
        given |= {n: (self.values[n], self.dims["w"]) for n in ("w_min", "w_max")
                  if n in self.values}  # fmt: skip
        for name, (value, expected) in given.items():
            dim = to_si(value, name).dim
            if dim not in (None, expected):
                what = "`bounds`" if name.startswith("w_") else f"the initial value of `{name}`"
                raise UnitError(
                    f"{what} must be in {format_dimension(expected)}; got {format_dimension(dim)}"
                )

    def _check_events(self) -> None:
        """Refuse events of units that do not spike, and assignments to what is not theirs."""
        text = self.text
        if text.events["on_pre"] and not self.carries_spikes:
            raise text.error("`on_pre` needs a coupling of spikes, from `population.spike`")
        if text.events["on_post"] and not self.populations["post"].is_spiking:
            raise text.error("`on_post` needs a postsynaptic population that spikes")
        for event, side in (("on_pre", "pre"), ("on_post", "post")):
            for target, tree in text.events[event]:
                self._check_statement(target, tree, side)
                fits = target == "w" or target in (*text.synaptic, *text.traces(side))
                if not fits and not (event == "on_pre" and target == self.target):
                    raise text.error(
                        f"`{event}` cannot change `{target}`; it can change `w`, what the rule "
                        f"keeps a synapse, its `..._{side}`"
                        + (f", and `{self.target}`" if event == "on_pre" else "")
                    )

    def _check_statement(self, target: str, tree: ast.expr, side: str) -> None:
        """Refuse a trace that depends on the synapse, and a delivery that is no addition."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _SUMS:
                raise self.text.error(
                    f"`{ast.unparse(node)}` cannot stand in `on_pre` or `on_post`; sums stand in "
                    "the equations of `w` and of what is kept a synapse"
                )
        if target in self.text.traces(side):
            other = "post" if side == "pre" else "pre"
            for name in variable_names(tree):
                differs = name in ("w", *self.text.synaptic, *self.each)
                if differs or (name.endswith(f"_{other}") and name not in self.known):
                    raise self.text.error(
                        f"`{target}` belongs to the {side}synaptic unit, and cannot depend on "
                        f"`{name}`, which differs from synapse to synapse"
                    )
        if target == self.target:
            added = isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Add, ast.Sub))
            if (
                not added
                or ast.unparse(tree.left) != target
                or target in variable_names(tree.right)
            ):
                raise self.text.error(
                    f"what a spike delivers is added, `{target} += ...`; got "
                    f"`{target} = {ast.unparse(tree)}`"
                )

    def _summed(self, tree: ast.expr) -> ast.expr:
        """The expression with each sum over synapses as a name of its own."""
        binder = self

        class Sums(ast.NodeTransformer):
            def visit_Call(self, node):
                name = getattr(node.func, "id", "")
                if name not in _SUMS:
                    return self.generic_visit(node)
                if len(node.args) != 1:
                    raise binder.text.error(
                        f"`{name}()` takes one expression; got `{ast.unparse(node)}`"
                    )
                if any(f"{sum_}(" in ast.unparse(node.args[0]) for sum_ in _SUMS):
                    raise binder.text.error(
                        f"`{ast.unparse(node)}` is a sum of sums; a sum is over one coupling's "
                        "synapses, of which another sum is no part"
                    )
                found = f"sum_{len(binder.sums)}_"
                binder.sums.append((found, _SUMS[name], node.args[0]))
                return ast.Name(found, ast.Load())

        return Sums().visit(tree)

    def _find_names(self, tree: ast.expr) -> None:
        called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and id(node) not in called:
                self._find_name(node.id)

    def _find_name(self, name: str) -> None:
        if name in self.dims or name in self.known or name in self.names:
            return
        side = next((s for s in ("pre", "post") if name.endswith(f"_{s}")), None)
        if side is None:
            return  # a unit, a constant, a function, or refused as unknown below
        own = self.traces[side].get(name, name.removesuffix(f"_{side}"))
        population = self.populations[side]
        equations = population.equations
        known = (*equations.variables, *equations.open_names)
        if own not in known:
            raise self.text.unknown(name, side, own, known)
        self.names[name] = (side, own)

    def _check_units(self, trees, statements) -> dict[str, Dimension]:
        from brian2.equations.equations import DIFFERENTIAL_EQUATION, SUBEXPRESSION

        dims = dict(self.dims)
        for name, (side, own) in self.names.items():
            dims[name] = self.populations[side].equations.dimension(own)
        for name, _, tree in self.sums:
            known = {n: d for n, d in self.known.items() if d is not None}
            dims[name] = inferred_dimension(tree, {**known, **dims}, set(self.known) - set(known))
        kinds = dict.fromkeys(trees, SUBEXPRESSION)
        kinds |= dict.fromkeys(
            (n for n in trees if n == "w" or n in self.text.synaptic), DIFFERENTIAL_EQUATION
        )
        for key, target in statements.items():
            dims[key] = dims[target]
        dims |= {n: self.dims["w"] for n in ("w_min", "w_max") if n in self.known}
        open_names = open_dimensions(trees, dims, kinds, self.known, DIFFERENTIAL_EQUATION)
        unknown = [n for n in open_names
                   if n not in self.names and n not in self.known and n not in dims]  # fmt: skip
        if unknown:
            raise self.text.error(
                f"`{unknown[0]}` has no value; give it one, Plasticity(..., {unknown[0]}=...), or "
                f"write `{unknown[0]}_pre` or `{unknown[0]}_post` for a variable of a population"
            )
        check_units(trees, dims, kinds, open_names, DIFFERENTIAL_EQUATION)
        return open_names


def _names(text: str) -> set[str]:
    return {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
