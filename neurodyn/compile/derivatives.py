"""Write the derivative functions of a module: adjoint, and the gradient of parameters.

Both go through the *local derivatives*, those of each equation by each variable of the same unit,
which ``linearise`` computes once at a state.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from neurodyn.compile.expressions import to_sympy, with_surrogate
from neurodyn.compile.printer import lines, local, symbol
from neurodyn.compile.source import TIME, ModuleWriter
from neurodyn.compile.structure import PopulationStructure


@dataclass(frozen=True)
class Entry:
    """One local derivative: of an equation with respect to one of its per-unit variables.

    ``slot`` is its row in the array of local derivatives, or None where `value` depends on scalar
    parameters only and is written in place.
    """

    equation: str
    variable: str
    value: sympy.Expr
    slot: int | None


class DerivativeWriter:
    """Text of the derivative functions of one module.

    Parameters
    ----------
    writer : ModuleWriter
    """

    def __init__(self, writer: ModuleWriter):
        self.writer, self.names = writer, writer.names
        self.structure = writer.structure
        self.entries = tuple(self._local_derivatives(p) for p in self.structure.populations)

    def _local_derivatives(self, population: PopulationStructure) -> tuple[Entry, ...]:
        shared = {symbol(n) for n in (*population.scalars, *TIME)}
        per_element = {*population.states, *population.algebraic, *population.inputs}
        entries: list[Entry] = []
        slot = 0
        for variable in (*population.equations.algebraic, *population.equations.states):
            expression = to_sympy(variable.expression)
            equation = variable.name
            if variable in population.equations.states:
                equation = f"d{equation}"
            for name in variable.uses:
                if name not in per_element:
                    continue
                value = _derivative(population, expression, name)
                if value == 0:
                    continue
                uniform = value.free_symbols <= shared
                entries.append(Entry(equation, name, value, None if uniform else slot))
                slot += not uniform
        return tuple(entries)

    def local_slots(self) -> tuple[int, ...]:
        """Number of local-derivative slots of each population."""
        return tuple(
            sum(entry.slot is not None for entry in entries) for entries in self.entries
        )

    def linearise(self) -> str:
        parts = [self.writer.flat_views(), self.writer.flat_views("_D")]
        for p, entries in enumerate(self.entries):
            assignments = [
                (f"{self.names[p]}_D[{e.slot}, @]", e.value) for e in entries if e.slot is not None
            ]
            if assignments:
                notes = [
                    f"# [{e.slot}] d({e.equation})/d({e.variable})"
                    for e in entries
                    if e.slot is not None
                ]
                parts += [*notes, self.writer.loop(p, assignments)]
        return self.writer.function(
            "linearise",
            [
                *self.writer.population_arguments(),
                *self.writer.value_arguments(),
                *self.writer.population_arguments("_D"),
                "t",
                "dt",
            ],
            "\n".join(parts),
            "Write the local derivatives at the state that `field` was last called with.",
        )

    def _factor(self, entry: Entry) -> sympy.Expr:
        """The entry as it stands in a sum: a value read from its slot, or a scalar expression."""
        return entry.value if entry.slot is None else symbol(f"_d{entry.slot}")

    def _entry_views(self, p: int) -> dict[str, str]:
        return {
            f"_d{e.slot}": f"{self.names[p]}_D[{e.slot}, @]"
            for e in self.entries[p]
            if e.slot is not None
        }

    def adjoint(self) -> str:
        views = [self.writer.flat_views(suffix) for suffix in ("_D", "_L")]
        parts = [*views, _alias_flat(self.names)]
        for p, population in enumerate(self.structure.populations):
            for name in (*population.states, *population.algebraic, *population.inputs):
                parts.append(f"clear({self.names[p]}_L[{population.slots[name]}])")
        self.writer.functions.add("clear")
        for p, population in enumerate(self.structure.populations):
            if population.states:
                parts.append(self._adjoint_loop(p, [f"d{s}" for s in population.states]))
        for stage in reversed(self.structure.stages):
            for p, names in stage.algebraic.items():
                for name in reversed(names):
                    parts.append(self._adjoint_loop(p, [name]))
            couplings = reversed(stage.couplings)
            parts += [self.writer.couple(c, "_L", transposed=True) for c in couplings]
        return self.writer.function(
            "adjoint",
            [
                *self.writer.population_arguments("_D"),
                *self.writer.value_arguments(),
                *self.writer.weight_arguments(),
                *self.writer.population_arguments("_L"),
                "t",
                "dt",
            ],
            "\n".join(p for p in parts if p),
            "Transposed J times lambda: from lambda in the derivative slots to the state slots;\n"
            "    those of inputs and algebraic variables then hold their cotangents. Weights are\n"
            "    those of the transposed couplings.",
        )

    def _adjoint_loop(self, p: int, equations: Sequence[str]) -> str:
        """Add the cotangents of `equations` onto the variables that they use."""
        population = self.structure.populations[p]
        views = self._entry_views(p)
        views |= {f"_l_{n}": f"{self.names[p]}_L[{s}, @]" for n, s in population.slots.items()}
        sums: dict[str, list[sympy.Expr]] = {}
        for entry in self.entries[p]:
            if entry.equation in equations:
                product = self._factor(entry) * symbol(f"_l_{entry.equation}")
                sums.setdefault(entry.variable, []).append(product)
        assignments = [
            (f"{self.names[p]}_L[{population.slots[n]}, @]", symbol(f"_l_{n}") + sympy.Add(*terms))
            for n, terms in sums.items()
        ]
        return self.writer.loop(p, assignments, views=views) if assignments else ""

    def parameter_gradient(self) -> str:
        """Cotangent of each parameter, per trial, from the cotangents that `adjoint` left."""
        parts = [self.writer.flat_views()]
        arguments = [
            *self.writer.population_arguments(),
            *self.writer.value_arguments(),
            *self.writer.population_arguments("_L"),
            *self.writer.size_arguments(),
        ]
        for p, population in enumerate(self.structure.populations):
            name = self.names[p]
            for kind, parameters in (("scalar", population.scalars), ("unit", population.per_unit)):
                if not parameters:
                    continue
                arguments.append(f"{name}_{kind}_gradient")
                for k, parameter in enumerate(parameters):
                    parts.append(self._parameter_loop(p, parameter, kind, k))
        return self.writer.function(
            "parameter_gradient",
            [*arguments, "t", "dt"],
            "\n".join(parts),
            "Write the cotangent of every parameter, one row a trial.",
        )

    def _parameter_loop(self, p: int, parameter: str, kind: str, k: int) -> str:
        population = self.structure.populations[p]
        name = self.names[p]
        terms = []
        for variable in population.equations.variables.values():
            derivative = _derivative(population, to_sympy(variable.expression), parameter)
            is_state = variable.name in population.states
            equation = f"d{variable.name}" if is_state else variable.name
            terms.append(derivative * symbol(f"_l_{equation}"))
        value = sympy.Add(*terms)
        target = f"{name}_{kind}_gradient[{k}, k_{', i_' if kind == 'unit' else ''}]"
        if value == 0:
            return f"{name}_{kind}_gradient[{k}] = 0  # {parameter}"
        views = {f"_l_{n}": f"{name}_L[{s}, @]" for n, s in population.slots.items()}
        text = lines(
            [("_value", value)], [*population.scalars, *TIME], self.structure.dtype, prefix="_"
        )
        self.writer.functions |= text.functions
        reads = []
        for n in sorted(text.reads):
            if n in population.per_unit:
                k_unit = population.per_unit.index(n)
                reads.append(f"{local(n)} = {name}_unit[{k_unit}, i_]")
            else:
                source = views.get(n) or f"{name}[{population.slots[n]}, @]"
                reads.append(f"{local(n)} = {source.replace('@', 'k_, i_')}")
        before = [
            f"{local(n)} = {name}_scalar[{population.scalars.index(n)}]"
            for n in population.scalars
            if n in text.scalars
        ]
        add = f"{target} = _value" if kind == "unit" else "_total += _value"
        inner = textwrap.indent("\n".join([*reads, *text.body, add]), " " * 8)
        head = [f"for k_ in range({name}.shape[1]):"]
        if kind == "scalar":
            head.append("    _total = ZERO")
        head.append(f"    for i_ in range({name}_size):")
        tail = [f"    {target} = _total"] if kind == "scalar" else []
        return "\n".join([f"# {parameter}", *before, *text.hoisted, *head, inner, *tail])


def _derivative(population: PopulationStructure, expression: sympy.Expr, name: str) -> sympy.Expr:
    """Partial derivative, through spikes by the population's surrogate."""
    return with_surrogate(sympy.diff(expression, symbol(name)), population.surrogate)


def _alias_flat(names: Sequence[str]) -> str:
    """`loop` counts elements on the population's own flat view; any of that shape does."""
    return "\n".join(f"{name}_flat = {name}_L_flat" for name in names)
