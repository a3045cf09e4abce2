"""Write the functions that carry tangent vectors along: at a state, and along a run.

They stand in a module of their own beside the one that simulates, so that nobody pays for them who
does not use them. Tangents are ``(slot, trial, unit, vector)``: a loop over vectors is contiguous,
and so a row of sparse weights, or a local derivative, is read once for all of them.

Every method of integration gets its exact tangent: each statement of a step is differentiated, so
what comes out is the Jacobian of the step that is taken, not that of the flow.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from neurodyn.compile.expressions import to_sympy, with_surrogate
from neurodyn.compile.printer import lines, symbol
from neurodyn.compile.source import ModuleWriter
from neurodyn.compile.steppers import STEPPERS, Stepper
from neurodyn.compile.structure import WEIGHT_ARRAYS

#: Begins the name of a variable's tangent.
TANGENT_OF = "_t_"


class TangentWriter:
    """Text that carries tangents through the equations of one network.

    Parameters
    ----------
    writer : ModuleWriter
    """

    def __init__(self, writer: ModuleWriter):
        self.writer, self.names = writer, writer.names
        self.structure = writer.structure

    def arguments(self) -> list[str]:
        """Tangents of all populations, and the weights of the transposed couplings."""
        transposed = [name.replace("_W", "_V", 1) for name in self.writer.weight_arguments()]
        return [*self.writer.population_arguments("_T"), *transposed]

    # -- evaluation ----------------------------------------------------------------------------

    def clear(self, p: int, name: str) -> list[str]:
        """Lines that begin the sum of an input's couplings."""
        incoming = self.writer.incoming(p, name)
        if not incoming or self._writes_first(incoming[0], 0):
            return []  # without couplings there is nothing but a drive, whose tangent is 0
        self.writer.functions.add("clear_vectors")
        slot = self.structure.populations[p].slots[name]
        return [f"clear_vectors({self.names[p]}_T[{slot}])"]

    def _writes_first(self, c: int, term: int) -> bool:
        """Whether a term writes its target rather than adding to what is there."""
        coupling = self.structure.couplings[c]
        first = term == 0 and self.writer.incoming(*coupling.target)[0] == c
        return first and coupling.kinds[0] == "sparse"

    def couple(self, c: int) -> str:
        """Calls that add coupling `c` onto its target, for the state and its tangents."""
        coupling = self.structure.couplings[c]
        (p, name), (q, target) = coupling.source, coupling.target
        populations = self.structure.populations
        source = f"[{populations[p].slots[name]}]"
        out = f"[{populations[q].slots[target]}]"
        tangents = f"{self.names[p]}_T{source}", f"{self.names[q]}_T{out}"
        calls = []
        for term, kind in enumerate(coupling.kinds):
            arrays = ", ".join(f"_W{c}_{term}_{array}" for array in WEIGHT_ARRAYS[kind])
            if kind == "dense":  # one pass over the weights where there is one tangent
                calls.append(
                    f"add_dense_tangents({self.names[p]}{source}, {arrays}, {self.names[q]}{out}, "
                    f"{tangents[0]}, _V{c}_{term}_WT, {tangents[1]})"
                )
                self.writer.functions.add("add_dense_tangents")
                continue
            calls.append(self.writer.couple_term(c, term))
            more = f", {self._writes_first(c, term)}" if kind == "sparse" else ""
            calls.append(f"add_{kind}_vectors({tangents[0]}, {arrays}, {tangents[1]}{more})")
            self.writer.functions.add(f"add_{kind}_vectors")
        label = self.structure.label(*coupling.source), self.structure.label(*coupling.target)
        return "\n".join([f"# {label[0]} -> {label[1]}", *calls])

    def algebraic(self, p: int, names: Sequence[str]) -> str:
        """The tangents of algebraic variables, after their values."""
        population = self.structure.populations[p]
        loops = []
        for n in names:
            slot = f"{self.names[p]}[{population.slots[n]}, @]"
            value = to_sympy(population.equations.variables[n].expression)
            # the derivative of tanh contains tanh, which has just been computed
            loops.append(self.loop(p, [(slot, value)], known={value: symbol(n)}))
        return "\n".join(loops)

    def evaluate(self) -> str:
        """The evaluation of state and tangents as a function."""
        return self.writer.function(
            "evaluate_tangents",
            [*self.writer.network_arguments(), *self.arguments(), "row_", "t", "dt"],
            f"{self.writer.flat_views()}\n{self.writer.evaluation(self)}",
            "Fill the inputs that couplings end at and the algebraic variables, and their "
            "tangents.",
            is_inner=True,
        )

    def tangent(self) -> str:
        """J v at a state, from the state slots of the tangents to their derivative slots."""
        parts = [self.writer.flat_views(), *self.writer.load_drives(), self.writer.evaluation(self)]
        for p, population in enumerate(self.structure.populations):
            for s in population.states:
                slot = f"{self.names[p]}[{population.slots['d' + s]}, @]"
                parts.append(self.loop(p, [(slot, self.writer.drift(p, s))]))
        return self.writer.function(
            "tangent",
            [*self.writer.network_arguments(), *self.arguments(), "row_", "t", "dt"],
            "\n".join(parts),
            "J v: from v in the state slots of the tangents to their derivative slots.",
        )

    # -- loops ---------------------------------------------------------------------------------

    def loop(
        self,
        p: int,
        assignments: Sequence[tuple[str, sympy.Expr]],
        views: dict[str, str] | None = None,
        scalars: Sequence[str] = (),
        known: Mapping[sympy.Expr, sympy.Symbol] | None = None,
    ) -> str:
        """Text of a loop that makes the tangents of what `assignments` assign.

        Parameters are as for `ModuleWriter.loop`; values are those before the assignments, and
        `known` are expressions whose value a variable has already.
        """
        population = self.structure.populations[p]
        slots = {n: f"{self.names[p]}[{s}, @]" for n, s in population.slots.items()}
        slots = {n: view for n, view in slots.items() if not n.startswith("xi")} | (views or {})
        coefficients = Coefficients(population.surrogate, known or {})
        moved = []
        for target, value in assignments:
            moved.append((tangent_target(target), coefficients.derivative(value, slots)))
            coefficients.keep(target, value)
        before, each, _ = self.writer.statements(
            p, coefficients.assignments, "k_, i_", views=views, scalars=scalars
        )
        shared = [*coefficients.names, *population.scalars, *scalars]
        text = lines(moved, shared, self.structure.dtype, prefix="_w")
        reads = [
            f"{name} = {tangent_target(slots[name.removeprefix(TANGENT_OF)])}"
            for name in sorted(text.reads)
        ]
        inner = [line.replace("@", "k_, i_, v_") for line in [*reads, *text.body]]
        array = self.names[p]
        return "\n".join(
            [
                *before,
                f"for k_ in range({array}_T.shape[1]):",
                f"    for i_ in range({array}_T.shape[2]):",
                textwrap.indent("\n".join([*each, *text.hoisted]), " " * 8),
                f"        for v_ in range({array}_T.shape[3]):",
                textwrap.indent("\n".join(inner), " " * 12),
            ]
        )


class Coefficients:
    """The derivatives of one loop's assignments, named and computed once a unit.

    Attributes
    ----------
    assignments : list of (str, sympy.Expr)
        Plain names of the loop that derivatives need, and the derivatives.
    """

    def __init__(self, surrogate: str, known: Mapping[sympy.Expr, sympy.Symbol]):
        self.surrogate, self.known = surrogate, known
        self.assignments: list[tuple[str, sympy.Expr]] = []
        self.names: list[str] = []
        self._plain: set[str] = set()

    def keep(self, target: str, value: sympy.Expr) -> None:
        """Keep the value of a plain name, which later derivatives may contain."""
        if "[" not in target:
            self._plain.add(target)
            self.assignments.append((target, value))

    def derivative(self, value: sympy.Expr, slots: dict[str, Any]) -> sympy.Expr:
        """The tangent of an expression: linear in the tangents of what it contains."""
        value = sympy.sympify(value)
        terms = []
        for s in sorted(value.free_symbols, key=str):
            if s.name not in slots and s.name not in self._plain:
                continue
            partial = with_surrogate(sympy.diff(value, s), self.surrogate)
            if partial == 0:
                continue
            if not partial.is_number:
                name = f"_p{len(self.names)}"
                self.names.append(name)
                self.assignments.append((name, partial.xreplace(dict(self.known))))
                partial = symbol(name)
            terms.append(partial * symbol(TANGENT_OF + s.name))
        return sympy.Add(*terms)


def tangent_target(target: str) -> str:
    """``array[slot, @]`` as the tangents' ``array_T[slot, @]``; a plain name as its tangent's."""
    return target.replace("[", "_T[", 1) if "[" in target else TANGENT_OF + target


class CarriesTangents:
    """Put before a `Stepper`: its steps move tangents too."""

    def __init__(self, writer: ModuleWriter):
        super().__init__(writer)  # type: ignore[call-arg]
        self.tangents = TangentWriter(writer)
        self.extra_arguments = tuple(self.tangents.arguments())

    @property
    def function_name(self) -> str:
        return f"run_{self.name}_tangents"

    def evaluate(self, time: str = "t") -> str:
        arguments = [*self.writer.network_arguments(), *self.tangents.arguments()]
        return f"evaluate_tangents({', '.join(arguments)}, row_, {time}, dt)"

    def evaluation(self) -> str:
        return self.writer.evaluation(self.tangents)

    def loop(self, p: int, assignments) -> str:
        moved = self.tangents.loop(p, assignments, self.views[p], self.scalars)
        return "\n".join(["# tangents", moved, "# state", super().loop(p, assignments)])


def stepper(method: type[Stepper], writer: ModuleWriter) -> Stepper:
    """`method` with tangents, for one network."""
    return type(f"{method.__name__}Tangents", (CarriesTangents, method), {})(writer)


def functions(writer: ModuleWriter) -> list[str]:
    """Text of all functions of the module of tangents."""
    tangents, structure = TangentWriter(writer), writer.structure
    found = [tangents.evaluate(), tangents.tangent()]
    if structure.spikes:
        return found
    for method in STEPPERS.values():
        if method.has_tangents and (method.noise or not structure.noise_streams):
            found.append(stepper(method, writer).function())
    return found
