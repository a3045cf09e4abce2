"""Write one loop of a sweep backwards: from cotangents of equations to those of their variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy

from neurodyn.compile.expressions import to_sympy
from neurodyn.compile.printer import symbol
from neurodyn.compile.source import element_loop
from neurodyn.compile.structure import PopulationStructure

if TYPE_CHECKING:
    from neurodyn.compile.adjoint_loops import AdjointLoops


class PullBack:
    """One loop over a population: from cotangents of equations to those of their variables.

    ``_l_<name>`` stands for the cotangent of a variable as it was before the loop.
    """

    def __init__(self, loops: AdjointLoops, p: int):
        self.loops, self.flow, self.p = loops, loops.flow, p
        self.population = loops.structure.populations[p]
        self.assignments: list[tuple[str, sympy.Expr]] = []
        self.stores: list[tuple[str, sympy.Expr]] = []
        self.terms: dict[str, list[sympy.Expr]] = {}
        self.parameters: dict[str, list[sympy.Expr]] = {}
        self.known = known_values(self.population)

    def through(self, expression: sympy.Expr, name: str, cotangent: sympy.Expr) -> None:
        """Go through one equation whose value has this cotangent."""
        if not cotangent.is_Symbol:
            self.assignments.append((name, cotangent))
            cotangent = symbol(name)
        wanted = self.loops.gradients[self.p]
        for variable in sorted(s.name for s in expression.free_symbols):
            if variable not in wanted and not self.flow.is_active(self.p, variable):
                continue
            derivative = self.flow.derivative(self.p, expression, variable)
            if derivative != 0:
                terms = self.parameters if variable in wanted else self.terms
                product = derivative.xreplace(self.known) * cotangent
                terms.setdefault(variable, []).append(product)

    def through_fused(self, name: str) -> None:
        """Go through an algebraic variable to whose cotangent nobody else adds."""
        terms = self.terms.pop(name, [])
        if terms:
            self.through(self.flow.expression(self.p, name), f"_t_{name}", sympy.Add(*terms))

    def through_stored(self, name: str) -> None:
        """Go through an algebraic variable that has had cotangents from elsewhere."""
        total = symbol(f"_l_{name}") + sympy.Add(*self.terms.pop(name, []))
        self.through(self.flow.expression(self.p, name), f"_t_{name}", total)

    def store(self, name: str, before: sympy.Expr, stage: int) -> None:
        """Write the cotangent of a variable: `before`, and what came together in this loop."""
        value = before + sympy.Add(*self.terms.pop(name, []))
        place = self.loops.cotangent(self.p, name, stage)
        if value != symbol(f"_l_{name}") or before == 0:
            self.stores.append((place, value))

    def loop(self, cotangents: dict[str, str]) -> str:
        """The text; `cotangents` are the elements that ``_l_<name>`` stands for."""
        array = self.loops.names[self.p]
        views = {**cotangents}
        views |= {n: f"{array}_tape[<{n}>, _evaluation, @]" for n in self.population.slots}
        for row, name in enumerate(self.loops.gradients[self.p]):
            if name in self.parameters:
                views[f"_g_{name}"] = place = f"{array}_gradient[{row}, @]"
                total = symbol(f"_g_{name}") + sympy.Add(*self.parameters[name])
                self.stores.append((place, total))
        zeros = [place for place, value in self.stores if value == 0]
        if zeros:
            self.loops.writer.functions.add("clear")
        stores = [(place, value) for place, value in self.stores if value != 0]
        text = [self._elements([*self.assignments, *stores], views)] if stores else []
        return "\n".join([*text, *(f"clear({whole(place)})" for place in zeros)])

    def _elements(self, assignments, views) -> str:
        array = self.loops.names[self.p]
        before, body, uses_units = self.loops.writer.statements(
            self.p, assignments, "k_, i_", views=views, scalars=("_half_dt", "_root_dt")
        )
        return element_loop(array, f"{array}_L", before, body, uses_units)


def whole(place: str) -> str:
    """All trials and units of an element."""
    return place.replace(", @", "")


def known_values(population: PopulationStructure) -> dict[sympy.Expr, sympy.Symbol]:
    """Expressions whose values are on the tape: 1 - tanh(x)**2 becomes 1 - r**2."""
    found = {}
    for name in population.algebraic:
        expression = to_sympy(population.equations.variables[name].expression)
        if not expression.is_Atom:
            found[expression] = symbol(name)
    return found
