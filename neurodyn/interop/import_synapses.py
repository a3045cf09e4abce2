"""Brian2's synapses as couplings: `SynapsesReader`.

A statement ``g_post += w`` is a coupling from the units whose spikes carry it out to ``g``; several
statements are several couplings. What is added is computed here, once for every synapse, so it must
not change in a run: parameters of the synapses and of both groups, and constants.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from neurodyn.coupling import Coupling
from neurodyn.interop.import_groups import base, dimension_of
from neurodyn.interop.import_names import Names, Reader, Untranslatable, noted, number
from neurodyn.statements import read_statements
from neurodyn.unit_check import expression_dimension, variable_names
from neurodyn.units import DIMENSIONLESS, Dimension, Quantity, format_dimension
from neurodyn.weights import Sparse

if TYPE_CHECKING:
    from neurodyn.interop.obstacles import Obstacles


class Place(NamedTuple):
    """What a name in synaptic code stands for: side ("pre", "post" or "synapse") and own name."""

    side: str
    name: str


class SynapsesReader:
    """One Synapses object, read.

    Parameters
    ----------
    synapses : brian2.Synapses
    names : Names
    dt : float, s
    obstacles : Obstacles
    """

    def __init__(self, synapses, names: Names, dt: float, obstacles: Obstacles):
        self.synapses, self.names, self.dt, self.obstacles = synapses, names, dt, obstacles
        self.groups = {"pre": base(synapses.source), "post": base(synapses.target)}
        self.index = {
            side: np.array(synapses.variables[f"_synaptic_{side}"].get_value(), np.int64)
            for side in ("pre", "post")
        }
        self.equations = {
            name: equation
            for equations in (synapses.equations, synapses.event_driven or {})
            for name, equation in equations.items()
        }
        self.pathways = [p for p in synapses._pathways if p.active]
        self.statements = {p.name: self._statements(p) for p in self.pathways}

    @property
    def name(self) -> str:
        return self.synapses.name

    def _statements(self, pathway) -> list[tuple[str, ast.expr]]:
        with noted(self.obstacles, self.name):
            return read_statements(pathway.code, f"`{pathway.objname}`")
        return []

    # -- names ---------------------------------------------------------------------------------

    def place(self, name: str) -> Place | None:
        """What a name stands for, as Brian2 looks it up; None for what is no variable."""
        if name in self.equations or name == "lastupdate":
            return Place("synapse", name)
        if name in ("i", "j"):
            return Place("synapse", name)
        for side in ("pre", "post"):
            own = name.removesuffix(f"_{side}")
            if own != name and own in self._variables(side):
                return Place(side, own)
        if name in self._variables("post"):
            return Place("post", name)
        return None

    def names_in(self, tree: ast.expr) -> list[str]:
        """Names in an expression that are neither units, functions nor constants of Brian2."""
        return [n for n in variable_names(tree) if self.place(n) or not self.names.is_default(n)]

    def _variables(self, side: str):
        part = self.synapses.source if side == "pre" else self.synapses.target
        return part.variables

    def changes(self) -> list[Place]:
        """Everything that the statements change."""
        found = []
        for statements in self.statements.values():
            found += [place for name, _ in statements if (place := self.place(name))]
        return found

    @property
    def is_plastic(self) -> bool:
        """Whether synapses keep something that changes."""
        moves = any(e.type == "differential equation" for e in self.equations.values())
        return moves or any(place.side == "synapse" for place in self.changes())

    def summed(self) -> list[Place]:
        """Variables of the groups that sums over synapses are written to."""
        found = []
        for name in self.synapses.summed_updaters:
            side = "pre" if name.endswith("_pre") else "post"
            found.append(Place(side, name.removesuffix(f"_{side}")))
        return found

    # -- constants -----------------------------------------------------------------------------

    def constant(self, tree: ast.expr, kinds) -> tuple[Any, Dimension]:
        """Value (one, or one a synapse) and dimension of an expression.

        `kinds` tells what a variable of a group is, ``kinds[group](name)``.
        """
        reader = Reader(self.names, self.own_name)
        tree = reader.tree(self.written_out(tree))
        values, dims = {}, {}
        for name in self.names_in(tree):
            if name in reader.constants:
                value, dim = reader.constants[name]
                values[name], dims[name] = value, dim or DIMENSIONLESS
            else:
                values[name], dims[name] = self.value(name, kinds)
        text = ast.unparse(tree)
        return number(text, values), expression_dimension(text, dims)

    def own_name(self, name: str) -> str | None:
        return name if self.place(name) else None

    def written_out(self, tree: ast.expr) -> ast.expr:
        """The expression with the synapses' own subexpressions in it."""
        reader = self

        class Substitute(ast.NodeTransformer):
            def visit_Name(self, node):
                equation = reader.equations.get(node.id)
                if equation is None or equation.type != "subexpression":
                    return node
                return self.visit(ast.parse(equation.expr.code.strip(), mode="eval").body)

        return Substitute().visit(ast.parse(ast.unparse(tree), mode="eval").body)

    def value(self, name: str, kinds) -> tuple[Any, Dimension]:
        """Value a synapse of a variable that does not change."""
        place = self.place(name)
        if place is None:
            raise Untranslatable(f"`{name}` is not constant")
        if place.side == "synapse":
            if name in ("i", "j"):
                part = self.synapses.source if name == "i" else self.synapses.target
                index = self.index["pre" if name == "i" else "post"]
                return (index - getattr(part, "start", 0)).astype(float), DIMENSIONLESS
            variable = self.synapses.variables[name]
            value = np.array(variable.get_value(), float)
            return value if value.size != 1 or len(self) == 1 else value[0], dimension_of(variable)
        group = self.groups[place.side]
        kind = kinds[group.name](place.name)
        if kind != "parameter":
            raise Untranslatable(
                f"`{name}` is no constant; what a spike adds must not change in a run"
            )
        if place.name == "N":
            return float(len(group)), DIMENSIONLESS
        variable = group.variables[place.name]
        value = np.array(variable.get_value(), float)
        each = value[self.index[place.side]] if value.size > 1 else value.reshape(-1)[0]
        return each, dimension_of(variable)

    def __len__(self) -> int:
        return self.index["pre"].size

    # -- sums ----------------------------------------------------------------------------------

    def sums(self, readers) -> list[Coupling]:
        """Summed variables as couplings of rates.

        Each term must be a constant of the synapse times one variable of either group, such as
        ``w*r_pre``, or ``g*(v_pre - v_post)``, which are two.
        """
        found = []
        for target, updater in self.synapses.summed_updaters.items():
            with noted(self.obstacles, self.name):
                found += self._sum(target, updater, readers)
        return found

    def _sum(self, target: str, updater, readers) -> list[Coupling]:
        import sympy

        from neurodyn.compile.expressions import from_sympy, to_sympy

        side = "pre" if target.endswith("_pre") else "post"
        own = target.removesuffix(f"_{side}")
        expression = ast.parse(updater.expression.code.strip(), mode="eval").body
        whole = sympy.expand(to_sympy(ast.unparse(self.written_out(expression))))
        kinds = {name: reader.kind for name, reader in readers.items()}
        wanted = dimension_of(self.groups[side].variables[own])
        found = []
        for term in sympy.Add.make_args(whole):
            moving = [s for s in term.free_symbols if self._moves(s.name, kinds)]
            factor = term.coeff(moving[0]) if len(moving) == 1 else sympy.Integer(0)
            if len(moving) != 1 or factor == 0 or factor.has(moving[0]):
                raise Untranslatable(
                    f"the summed variable `{target}` has the term `{from_sympy(term)}`; a term "
                    "must be a constant times one variable"
                )
            source = self.place(moving[0].name)
            self._check_order(source, updater, readers)
            value, _ = self.constant(ast.parse(from_sympy(factor), mode="eval").body, kinds)
            source_dim = dimension_of(self.groups[source.side].variables[source.name])
            dim = tuple(a - b for a, b in zip(wanted, source_dim, strict=True))
            post, pre = self.groups[side], self.groups[source.side]
            weights = Sparse.from_synapses(
                self.index[side], self.index[source.side], Quantity(value, dim),
                (len(post), len(pre)),
            )  # fmt: skip
            found.append(Coupling(f"{pre.name}.{source.name}", f"{post.name}.{own}", weights))
        return found if len(self) else []

    def _moves(self, name: str, kinds) -> bool:
        place = self.place(name)
        if place is None or place.side == "synapse":
            return False
        kind = kinds.get(self.groups[place.side].name, lambda name: "")(place.name)
        return kind in ("state", "algebraic", "input")

    def _check_order(self, source: Place, updater, readers) -> None:
        """Refuse a sum of what another sum has made, unless it comes after that."""
        if updater.when == "before_start":
            return
        reader = readers[self.groups[source.side].name]
        open_names = [source.name]
        while open_names:
            name = open_names.pop()
            if reader.kind(name) == "input":
                raise Untranslatable(
                    f"a summed variable depends on another one, `{name}`; Brian2 may not have it "
                    "ready"
                )
            if reader.kind(name) == "algebraic":
                open_names += reader.equations[name].identifiers

    # -- couplings -----------------------------------------------------------------------------

    def couplings(self, kinds, target_name) -> list[Coupling]:
        """What the statements of all pathways add, as couplings.

        Parameters
        ----------
        kinds : dict of str to callable
            For each group, what its variables are.
        target_name : callable
            ``target_name(group, variable)``, the variable of the population at which to end.
        """
        found = []
        for pathway in self.pathways:
            for target, tree in self.statements[pathway.name]:
                with noted(self.obstacles, self.name):
                    coupling = self._coupling(pathway, target, tree, kinds, target_name)
                    if coupling is not None:
                        found.append(coupling)
        return found

    def _coupling(self, pathway, target: str, tree, kinds, target_name) -> Coupling | None:
        place = self.place(target)
        if place is None or place.side == "synapse":
            raise Untranslatable(f"`{pathway.objname}` changes `{target}`, which it does not have")
        group = self.groups[place.side]
        value, dim = self.constant(added(target, tree, pathway.objname), kinds)
        wanted = dimension_of(group.variables[place.name])
        if dim != wanted:
            raise Untranslatable(
                f"`{target}` is in {format_dimension(wanted)}, what is added in "
                f"{format_dimension(dim)}"
            )
        if not len(self):
            return None
        source = self.groups[pathway.prepost]
        pre, post = self.index[pathway.prepost], self.index[place.side]
        weights = Sparse.from_synapses(
            post, pre, Quantity(value, dim), (len(group), len(source))
        )
        return Coupling(
            f"{source.name}.spike",
            f"{group.name}.{target_name(group, place.name)}",
            weights,
            delay=self.delay(pathway, np.lexsort((pre, post))),
        )

    def delay(self, pathway, order: np.ndarray) -> float | np.ndarray:
        """The delay, or one a synapse in the given order, rounded to steps as Brian2 does."""
        steps = np.round(np.array(pathway.variables["delay"].get_value(), float) / self.dt)
        delays = steps * self.dt
        if delays.size == 0:
            return 0.0
        return float(delays[0]) if np.all(steps == steps[0]) else delays[order]


def added(target: str, tree: ast.expr, where: str) -> ast.expr:
    """What the statement ``target = tree`` adds to its target.

    Raises
    ------
    Untranslatable
        If it does anything but add.
    """
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Add, ast.Sub)):
        left, right = tree.left, tree.right
        if isinstance(left, ast.Name) and left.id == target:
            found = right if isinstance(tree.op, ast.Add) else ast.UnaryOp(ast.USub(), right)
        elif isinstance(right, ast.Name) and right.id == target and isinstance(tree.op, ast.Add):
            found = left
        else:
            found = None
        if found is not None and target not in variable_names(found):
            return ast.fix_missing_locations(found)
    raise Untranslatable(
        f"`{where}` has `{target} = {ast.unparse(tree)}`; a spike can only add to a variable, "
        f"`{target} += ...`"
    )


