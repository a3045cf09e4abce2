"""Brian2's plastic synapses as a coupling with a `Plasticity`: `PlasticReader`.

What all synapses of a unit share becomes a trace of the unit, ``apre_pre``: a variable that only
that unit's spikes change, in the same way at every synapse, from the same value on. Other variables
stay one a synapse.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.coupling import Coupling
from neurodyn.interop.brian2_text import unit_text
from neurodyn.interop.import_groups import dimension_of
from neurodyn.interop.import_methods import method_name
from neurodyn.interop.import_names import Reader, Untranslatable, noted, number, resolved
from neurodyn.interop.import_synapses import added
from neurodyn.plasticity import Plasticity
from neurodyn.units import DIMENSIONLESS, Quantity
from neurodyn.weights import Sparse

if TYPE_CHECKING:
    from neurodyn.interop.import_groups import GroupReader
    from neurodyn.interop.import_synapses import SynapsesReader

_MOVES = "differential equation"
#: Names that mean something in a rule: the weight and its bounds.
_TAKEN = ("w", "w_min", "w_max")


class PlasticReader:
    """The synapses of one object as one plastic coupling.

    Parameters
    ----------
    synapses : SynapsesReader
    groups : dict of str to GroupReader
    target_name : callable
        ``target_name(group, variable)``, where spikes onto a variable of a group end.
    by_euler : bool
        Whether the solver is Euler's method: what Brian2 solves exactly is then written so that
        Euler's step is exact.
    clip : tuple of (str, str, str) or None
        A variable that is held between two bounds in every step.
    """

    def __init__(self, synapses: SynapsesReader, groups: dict[str, GroupReader], target_name,
                 by_euler: bool, clip=None):  # fmt: skip
        self.synapses, self.groups, self.by_euler, self.clip = synapses, groups, by_euler, clip
        self.target_name = target_name
        self.kinds = {name: reader.kind for name, reader in groups.items()}
        self.order = np.lexsort((synapses.index["pre"], synapses.index["post"]))
        self.values: dict[str, Any] = {}
        self.events = {
            event: [pair for p in self._pathways(event) for pair in synapses.statements[p.name]]
            for event in ("pre", "post")
        }
        self.target = ""
        self.renamed: dict[str, str] = {}

    def _pathways(self, event: str):
        found = [p for p in self.synapses.pathways if p.prepost == event]
        return sorted(found, key=lambda p: (p.order, p.name))

    def coupling(self) -> Coupling | None:
        """The coupling, or None if there are obstacles or no synapses."""
        reader = self.synapses
        before = len(reader.obstacles.found)
        with noted(reader.obstacles, reader.name):
            self._check_pathways()
            source, delivered = self._delivery()
            weight = self._choose_weight(delivered)
            traces = {side: self._traces(side, weight) for side in ("pre", "post")}
            self._find_bounds(weight)
            self._rename(weight, traces)
            rule = self._rule(traces)
            if len(reader) and len(reader.obstacles.found) == before:
                return self._made(source, weight, rule)
        return None

    # -- what there is -------------------------------------------------------------------------

    def _check_pathways(self) -> None:
        for event, order in (("pre", -1), ("post", 1)):
            for pathway in self._pathways(event):
                if pathway.order != order:
                    raise Untranslatable(f"`{pathway.objname}` has an order of its own")
        delays = [self.synapses.delay(p, self.order) for p in self._pathways("pre")]
        if any(np.ndim(d) for d in delays) or len(set(delays)) > 1:
            raise Untranslatable("plastic synapses have one delay for all of them here")
        if any(np.any(self.synapses.delay(p, self.order)) for p in self._pathways("post")):
            raise Untranslatable("statements after postsynaptic spikes cannot be delayed here")

    def _delivery(self) -> tuple[str, ast.expr]:
        """The coupling's source and what it delivers; notes the target."""
        found = {}
        for event, statements in self.events.items():
            for name, tree in statements:
                place = self.synapses.place(name)
                if place is None or place.side == "synapse":
                    continue
                if event == "post" or place.side == "pre":
                    raise Untranslatable(
                        f"`on_{event}` changes `{name}`; a plastic coupling can change variables "
                        "of its synapses, and add to one of the postsynaptic unit when spikes "
                        "arrive"
                    )
                found[place.name] = added(name, tree, "on_pre")
        updaters = self.synapses.synapses.summed_updaters
        if len(found) + len(updaters) != 1:
            what = "nothing" if not found and not updaters else "to several variables"
            raise Untranslatable(
                f"its plastic synapses deliver {what}; a plastic coupling has one target"
            )
        pre, post = (self.synapses.groups[side] for side in ("pre", "post"))
        if found:
            ((own, tree),) = found.items()
            self.target = self.target_name(post, own)
            return f"{pre.name}.spike", tree
        ((target, updater),) = updaters.items()
        tree = ast.parse(updater.expression.code.strip(), mode="eval").body
        parts = [tree.left, tree.right] if isinstance(tree, ast.BinOp) else []
        names = [part.id for part in parts if isinstance(part, ast.Name)]
        places = [self.synapses.place(name) for name in names]
        sides = [place.side for place in places if place]
        if sorted(sides) != ["pre", "synapse"] or not isinstance(tree.op, ast.Mult):
            raise Untranslatable(
                f"the sum `{target}` of plastic synapses must be a weight times a presynaptic "
                f"variable; got `{ast.unparse(tree)}`"
            )
        self.target = target.removesuffix("_post")
        source = places[sides.index("pre")]
        return f"{pre.name}.{source.name}", ast.Name(names[sides.index("synapse")], ast.Load())

    def _choose_weight(self, delivered: ast.expr) -> str:
        """The variable that is the weight: what is delivered, or a factor of it; may be none."""
        names = [n for n in self.synapses.names_in(delivered) if self._is_kept(n)]
        if isinstance(delivered, ast.Name) and names:
            return names[0]
        if "w" in names:
            return "w"
        return next((n for n in names if self._changes(n)), names[0] if names else "")

    def _is_kept(self, name: str) -> bool:
        """Whether a name is a variable with one value a synapse."""
        equation = self.synapses.equations.get(name)
        return equation is not None and equation.type != "subexpression" and (
            "shared" not in equation.flags
        )

    def _changes(self, name: str) -> bool:
        if self.synapses.equations[name].type == _MOVES:
            return True
        return any(name == target for pairs in self.events.values() for target, _ in pairs)

    def _changing(self) -> list[str]:
        return [n for n in self.synapses.equations if self._is_kept(n) and self._changes(n)]

    # -- traces --------------------------------------------------------------------------------

    def _traces(self, side: str, weight: str) -> set[str]:
        """Variables that are the same at all synapses of a unit of `side`."""
        other = self.events["post" if side == "pre" else "pre"]
        found = {
            n for n in self._changing()
            if n != weight and all(n != target for target, _ in other)
            and any(n == target for target, _ in self.events[side])
            and self._of_units(self._initial(n), side) is not None
        }  # fmt: skip
        while True:
            mixed = {n for n in found if not all(self._is_common(t, found) for t in self._trees(n))}
            if not mixed:
                return found
            found -= mixed

    def _of_units(self, values: np.ndarray, side: str) -> float | np.ndarray | None:
        """Values of synapses as values of the units of a side, one if all are the same.

        None where the synapses of a unit differ.
        """
        if not values.size or np.all(values == values[0]):
            return float(values[0]) if values.size else 0.0
        each = np.full(len(self.synapses.groups[side]), values[0])
        each[self.synapses.index[side]] = values
        return each if np.all(each[self.synapses.index[side]] == values) else None

    def _trees(self, name: str) -> list[ast.expr]:
        """Everything that says how a variable changes."""
        trees = [t for pairs in self.events.values() for target, t in pairs if target == name]
        drift = self._drift(name)
        return trees if drift is None else [*trees, drift]

    def _drift(self, name: str) -> ast.expr | None:
        equation = self.synapses.equations[name]
        if equation.type != _MOVES:
            return None
        tree = ast.parse(equation.expr.code.strip(), mode="eval").body
        return self.synapses.written_out(tree)

    def _is_common(self, tree: ast.expr, traces: set[str]) -> bool:
        """Whether an expression depends on traces and on constants of the whole network only."""
        for name in self.synapses.names_in(self.synapses.written_out(tree)):
            place = self.synapses.place(name)
            if name in traces or place is None:
                continue
            if place.side != "synapse" or self._is_kept(name) or name in ("i", "j"):
                return False
        return True

    # -- equations -----------------------------------------------------------------------------

    def _exact_drift(self, name: str) -> ast.expr:
        """The drift f of a linear equation, such that a step of Euler's method is exact.

        With the slope a that is ``f exprel(a dt)``, exprel(z) = (exp(z) - 1)/z.
        """
        import sympy

        from neurodyn.compile.expressions import from_sympy, to_sympy

        drift = ast.unparse(self._drift(name))
        slope = sympy.simplify(sympy.diff(to_sympy(drift), sympy.Symbol(name, real=True)))
        text = f"({drift})*exprel(({from_sympy(slope)})*dt)"
        return ast.parse(text, mode="eval").body

    def _is_exact(self, name: str) -> bool:
        """Whether Brian2 solves a variable exactly; else it takes Euler's step.

        Raises
        ------
        Untranslatable
            If what it does has no counterpart.
        """
        equation = self.synapses.equations[name]
        names = self.synapses.names_in(self._drift(name))
        others = [n for n in names if n != name and self._varies(n)]
        if "event-driven" in equation.flags:
            if others:
                raise Untranslatable(
                    f"`{name}` is event-driven and depends on `{others[0]}`; write it as "
                    "(clock-driven), with method='exponential_euler' or 'euler'"
                )
            return True
        synapses = self.synapses.synapses
        variables = resolved(synapses, synapses.equations, self.synapses.names.namespace)
        method = method_name(synapses.state_updater.method_choice, synapses.equations, variables)
        self._check_order(others)
        if method == "euler" and self.by_euler:
            return False
        is_exact = method in ("exact", "linear") and not others
        if not is_exact and method != "exponential_euler":
            raise Untranslatable(
                f"`{name}` is integrated by {method}; what is kept a synapse moves by exponential "
                "Euler here, or by Euler if that is the solver"
            )
        return True

    def _varies(self, name: str) -> bool:
        place = self.synapses.place(name)
        if place is None:
            return False
        if place.side == "synapse":
            return name in self.synapses.equations and self._is_kept(name) and self._changes(name)
        kind = self.kinds.get(self.synapses.groups[place.side].name, lambda name: "")(place.name)
        return kind != "parameter"

    def _check_order(self, names: list[str]) -> None:
        """Refuse what Brian2 reads after it has been updated."""
        updater = self.synapses.synapses.state_updater
        for name in names:
            place = self.synapses.place(name)
            if place.side == "synapse":
                continue
            other = getattr(self.synapses.groups[place.side], "state_updater", None)
            if other is not None and (updater.order, updater.name) > (other.order, other.name):
                raise Untranslatable(
                    f"its equations read `{name}` after that has been updated; set the order of "
                    f"`{updater.name}` to -1"
                )

    def _initial(self, name: str) -> np.ndarray:
        """The value of each synapse with which we begin.

        Brian2 moves an event-driven variable from its last event on, at first from time 0; we take
        a step before anything can happen at time 0. So we begin that step earlier.
        """
        variables = self.synapses.synapses.variables
        value = np.broadcast_to(np.array(variables[name].get_value(), float), (len(self.synapses),))
        if self._drift(name) is None or "event-driven" not in self.synapses.equations[name].flags:
            return value
        ahead = self.synapses.dt + np.array(variables["lastupdate"].get_value(), float)
        if not np.any(ahead):
            return value
        at_zero, at_one = (self._drift_at(name, x) for x in (0.0, 1.0))
        slope = np.where(at_one == at_zero, -1e-300, at_one - at_zero)
        rest = -at_zero / slope
        return rest + (value - rest) * np.exp(-slope * ahead)

    def _drift_at(self, name: str, value: float) -> Any:
        """The drift of a linear equation where its variable has a value, in SI."""
        reader = Reader(self.synapses.names, self.synapses.own_name)
        tree = reader.tree(self._drift(name))
        values = {constant: number for constant, (number, _) in reader.constants.items()}
        for used in self.synapses.names_in(tree):
            if used not in values:
                values[used] = value if used == name else self.synapses.value(used, self.kinds)[0]
        return np.asarray(number(ast.unparse(tree), values))

    # -- the rule ------------------------------------------------------------------------------

    def _rename(self, weight: str, traces: dict[str, set[str]]) -> None:
        """What each variable of the synapses is called in the rule."""
        taken = {"w"}
        for name in self._changing():
            side = next((s for s in ("pre", "post") if name in traces[s]), None)
            own = name.removesuffix(f"_{side}_trace")  # what `to_brian2` calls a trace
            new = "w" if name == weight else f"{own}_{side}" if side else name
            while new != "w" and new in taken or (new == "w" and name != weight):
                new += "_"
            self.renamed[name] = new
            taken.add(new)
        self.renamed.setdefault(weight, "w")

    def _written(self, tree: ast.expr) -> str:
        """An expression as it stands in the rule; notes the values that it needs."""
        reader = Reader(
            self.synapses.names, self._name, constant_name=lambda n: f"{n}_" if n in _TAKEN else n
        )
        text = ast.unparse(reader.tree(self.synapses.written_out(tree)))
        for name, (value, dim) in reader.constants.items():
            self.values[name] = Quantity(value, dim or DIMENSIONLESS)
        return text

    def _name(self, name: str) -> str | None:
        """A variable as it stands in the rule."""
        if name in self.renamed:
            return self.renamed[name]
        place = self.synapses.place(name)
        if place is None:
            return None
        if place.side != "synapse":
            kind = self.kinds.get(self.synapses.groups[place.side].name, lambda name: "")
            if kind(place.name) != "parameter":
                return f"{place.name}_{place.side}"
        new = f"{place.name}_of_{place.side}"
        if place.side == "synapse":
            new = f"{name}_" if name in _TAKEN else name
        value, dim = self.synapses.value(name, self.kinds)
        self.values[new] = Quantity(self._each(value), dim)
        return new

    def _each(self, value) -> Any:
        """Values a synapse in the order of the weights, or one number if all are the same."""
        value = np.asarray(value, float)
        if value.ndim == 0 or value.size == 0 or np.all(value == value.flat[0]):
            return float(value.flat[0]) if value.size else 0.0
        return value[self.order]

    def _rule(self, traces: dict[str, set[str]]) -> Plasticity:
        variables = self.synapses.synapses.variables
        lines = []
        for name in self._changing():
            new, unit = self.renamed[name], unit_text(dimension_of(variables[name]))
            drift = self._drift(name)
            if drift is not None:
                if self._is_exact(name) and self.by_euler:
                    drift = self._exact_drift(name)
                lines.append(f"d{new}/dt = {self._written(drift)} : {unit}")
            elif new != "w":
                lines.append(f"{new} : {unit}")
            side = next((s for s in ("pre", "post") if name in traces[s]), None)
            initial = self._initial(name)
            initial = self._of_units(initial, side) if side else self._each(initial)
            if new != "w" and np.any(initial):
                self.values[new] = Quantity(initial, dimension_of(variables[name]))
        events = {f"on_{event}": self._code(event) for event in ("pre", "post")}
        return Plasticity("\n".join(lines), **events, bounds=self.bounds, **self.values)

    def _code(self, event: str) -> str:
        found = []
        for name, tree in self.events[event]:
            place = self.synapses.place(name)
            if place.side == "synapse":
                if name not in self.renamed:
                    raise Untranslatable(f"`on_{event}` changes `{name}`, which is shared")
                found.append(f"{self.renamed[name]} = {self._written(tree)}")
            else:
                found.append(f"{self.target}_post += {self._written(added(name, tree, 'on_pre'))}")
        return "\n".join(found)

    def _find_bounds(self, weight: str) -> None:
        """Bounds that everything keeps which changes the weight, as those of the rule."""
        self.bounds = None
        if self.clip is not None and self.clip[0] != weight:
            raise Untranslatable(
                f"`{self.clip[0]}` is clipped in every step, and it is not the weight"
            )
        if not weight or (self._drift(weight) is not None and self.clip is None):
            return
        trees = [t for pairs in self.events.values() for name, t in pairs if name == weight]
        ends = {tuple(map(ast.unparse, t.args[1:])) if _is_clip(t) else None for t in trees}
        ends |= {self.clip[1:]} if self.clip is not None else set()
        found = [] if len(ends) != 1 or None in ends else [
            self.synapses.constant(ast.parse(end, mode="eval").body, self.kinds)
            for end in next(iter(ends))
        ]  # fmt: skip
        value = self._initial(weight)
        fits = found and not any(np.ndim(bound) for bound, _ in found) and (
            not value.size or found[0][0] <= value.min() <= value.max() <= found[1][0]
        )
        if not fits:
            if self.clip is not None:
                raise Untranslatable(f"`{weight}` is not kept within the same bounds everywhere")
            return
        self.bounds = tuple(
            None if np.isinf(bound) else Quantity(float(bound), dim) for bound, dim in found
        )
        for event, pairs in self.events.items():
            self.events[event] = [
                (name, tree.args[0] if name == weight else tree) for name, tree in pairs
            ]

    def _made(self, source: str, weight: str, rule: Plasticity) -> Coupling:
        reader = self.synapses
        pre, post = (reader.groups[side] for side in ("pre", "post"))
        if weight:
            value, dim = self._initial(weight), dimension_of(reader.synapses.variables[weight])
        else:
            value, dim = 1.0, None
        weights = Sparse.from_synapses(
            reader.index["post"], reader.index["pre"],
            value if dim is None else Quantity(value, dim), (len(post), len(pre)),
        )  # fmt: skip
        (delay, *_) = [reader.delay(p, self.order) for p in self._pathways("pre")] or [0.0]
        return Coupling(source, f"{post.name}.{self.target}", weights, delay, rule)


def _is_clip(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Call) and ast.unparse(tree.func) == "clip"
