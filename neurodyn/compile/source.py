"""Write the numba module of a network structure: one self-contained, readable file.

The module has functions of the whole network, generated from the same stages,

- ``field``: inputs, algebraic variables and dx/dt of every state;
- ``linearise``, ``adjoint`` and ``parameter_gradient``: the local derivatives at a state, then
  transposed J times lambda, then the pull-back onto every parameter,

and one ``run_...`` function a solver (see `neurodyn.compile.steppers`). What carries tangents is in
a module of its own (`neurodyn.compile.tangents`). Sizes, values and weights
are arguments. A population ``E`` has a workspace ``__E[slot, trial, unit]``; what each slot holds
is said in the module's own docstring. Its rows are filled up to whole cache lines by units that
nothing reads, so that loops over elements have no remainder.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import sympy

from neurodyn.compile import library, prefetch, threads
from neurodyn.compile.expressions import to_sympy
from neurodyn.compile.printer import lines, local, symbol
from neurodyn.compile.structure import (
    UNTIL,
    WEIGHT_ARRAYS,
    PopulationStructure,
    Structure,
    arriving,
)

if TYPE_CHECKING:
    from neurodyn.compile.tangents import TangentWriter

#: Scalars that every generated function is given.
TIME = ("t", "dt")


class ModuleWriter:
    """Collects the text of one generated module.

    Parameters
    ----------
    structure : Structure
    """

    def __init__(self, structure: Structure):
        self.structure = structure
        # Two underscores: one begins the names of temporaries, none those of variables.
        self.names = tuple(f"__{identifier}" for identifier in structure.identifiers)
        self.functions: set[str] = set()

    # -- arguments -----------------------------------------------------------------------------

    def population_arguments(self, suffix: str = "") -> list[str]:
        """Workspaces of all populations (or their arrays of local derivatives, and so on)."""
        return [name + suffix for name in self.names]

    def value_arguments(self) -> list[str]:
        found = []
        for name, population in zip(self.names, self.structure.populations, strict=True):
            if population.scalars:
                found.append(f"{name}_scalar")
            if population.per_unit:
                found.append(f"{name}_unit")
        return found

    def weight_arguments(self) -> list[str]:
        return [
            f"_W{c}_{term}_{array}"
            for c in self.structure.rate_couplings
            for term, kind in enumerate(self.structure.couplings[c].kinds)
            for array in WEIGHT_ARRAYS[kind]
        ]

    def drive_arguments(self) -> list[str]:
        return [
            f"{name}_{driven}_drive"
            for name, population in zip(self.names, self.structure.populations, strict=True)
            for driven in population.driven
        ]

    def network_arguments(self) -> list[str]:
        return [
            *self.population_arguments(),
            *self.value_arguments(),
            *self.weight_arguments(),
            *self.drive_arguments(),
        ]

    def size_arguments(self) -> list[str]:
        """Numbers of units, where a row's filling must not be counted as units."""
        return self.population_arguments("_size")

    # -- loops ---------------------------------------------------------------------------------

    def statements(
        self,
        p: int,
        assignments: Sequence[tuple[str, sympy.Expr]],
        at: str,
        *,
        views: dict[str, str] | None = None,
        scalars: Iterable[str] = (),
    ) -> tuple[list[str], list[str], bool]:
        """Lines before a loop over elements, lines for the element `at`, whether they use ``i_``.

        Parameters are as for `loop`.
        """
        population = self.structure.populations[p]
        shared = [*population.scalars, *TIME, *scalars]
        text = lines(assignments, shared, self.structure.dtype, prefix="_")
        self.functions |= text.functions
        per_unit = [n for n in population.per_unit if n in text.reads]
        views = views or {}
        reads = [n for n in sorted(text.reads) if n in views or n in population.slots]
        array = self.names[p]
        found = [
            f"{local(n)} = {array}_unit[{population.per_unit.index(n)}, i_]" for n in per_unit
        ]
        uses_units = bool(per_unit)
        for name in reads:
            source = views.get(name) or f"{array}[{population.slots[name]}, @]"
            uses_units |= "i_" in source
            found.append(f"{local(name)} = {source.replace('@', at)}")
        found += [line.replace("@", at) for line in text.body]
        before = [
            f"{local(n)} = {array}_scalar[{population.scalars.index(n)}]"
            for n in population.scalars
            if n in text.scalars
        ]
        return [*before, *text.hoisted], found, uses_units

    def loop(
        self,
        p: int,
        assignments: Sequence[tuple[str, sympy.Expr]],
        *,
        views: dict[str, str] | None = None,
        scalars: Iterable[str] = (),
    ) -> str:
        """Text of an elementwise loop over one population.

        Parameters
        ----------
        p : int
            Index of the population.
        assignments : sequence of (str, sympy.Expr)
            Targets are ``array[slot]`` texts with ``@`` where the element's indices go, or plain
            names for values used by later assignments.
        views : dict
            Names that stand for ``array[slot, @]`` other than the population's own slots.
        scalars : iterable of str
            Further names that are the same for all elements.
        """
        array = self.names[p]
        before, body, uses_units = self.statements(
            p, assignments, "k_, i_", views=views, scalars=scalars
        )
        return element_loop(array, array, before, body, uses_units)

    def flat_views(self, suffix: str = "") -> str:
        """Lines that make two-dimensional views ``array_flat[slot, element]``."""
        return "\n".join(
            f"{a}_flat = {a}.reshape(({a}.shape[0], {a}.shape[1] * {a}.shape[2]))"
            for a in self.population_arguments(suffix)
        )

    def function(
        self, name: str, arguments: Sequence[str], body: str, doc: str, *, is_inner: bool = False
    ) -> str:
        """Text of one compiled function; an inner one is called by others only."""
        flags = "INNER" if is_inner else "KERNEL"
        signature = textwrap.fill(
            ", ".join(arguments), 92, initial_indent="    ", subsequent_indent="    "
        )
        return (
            f"@njit(**{flags})\ndef {name}(\n{signature},\n):\n"
            f'    """{doc}"""\n{textwrap.indent(body, "    ")}\n'
        )

    # -- field ---------------------------------------------------------------------------------

    def drift(self, p: int, state: str) -> sympy.Expr:
        return to_sympy(self.structure.populations[p].equations.variables[state].expression)

    def evaluation(self, tangents: TangentWriter | None = None) -> str:
        """Statements that fill coupled inputs and algebraic variables, stage by stage.

        With `tangents` theirs too.
        """
        parts = []
        for p, population in enumerate(self.structure.populations):
            for name in population.inputs:
                incoming = self.incoming(p, name)
                target = f"{self.names[p]}[{population.slots[name]}]"
                if name in population.driven and self._is_filled(p, name):
                    drive = f"{self.names[p]}_{name}_drive"
                    parts.append(f"copy_drive({drive}, row_, {target})  # {name}")
                elif name in population.arrivals:
                    parts.append(f"clear({target})  # {name}")
                elif incoming and not self._writes_first(incoming[0], False):
                    parts.append(f"clear({target})  # {name}")
                if name in population.arrivals:
                    arrived = f"{self.names[p]}[{population.slots[arriving(name)]}]"
                    parts.append(f"add_rows({arrived}, {target})  # spikes that arrived at {name}")
                    self.functions.add("add_rows")
                if tangents:
                    parts += tangents.clear(p, name)
        for stage in self.structure.stages:
            for c in stage.couplings:
                parts.append(tangents.couple(c) if tangents else self.couple(c))
            for p, names in stage.algebraic.items():
                population = self.structure.populations[p]
                assignments = [
                    (
                        f"{self.names[p]}[{population.slots[n]}, @]",
                        to_sympy(population.equations.variables[n].expression),
                    )
                    for n in names
                ]
                parts.append(self.loop(p, _inlined(assignments, names)))
                if tangents:
                    parts.append(tangents.algebraic(p, names))
        self.functions |= {"clear", "copy_drive"}
        return "\n".join(parts)

    def evaluate(self) -> str:
        """The evaluation as a function, for methods that need it several times a step."""
        return self.function(
            "evaluate",
            [*self.network_arguments(), "row_", "t", "dt"],
            f"{self.flat_views()}\n{self.evaluation()}",
            "Fill the inputs that couplings end at, on top of row `row_` of their drives, and the\n"
            "    algebraic variables.",
            is_inner=True,
        )

    def incoming(self, p: int, name: str) -> list[int]:
        """Rate couplings that end at an input, in the order in which they are added."""
        couplings = self.structure.couplings
        return [c for c in self.structure.rate_couplings if couplings[c].target == (p, name)]

    def _is_filled(self, p: int, name: str) -> bool:
        """Whether an input is filled anew in every step: by couplings or by spikes."""
        return bool(self.incoming(p, name)) or name in self.structure.populations[p].arrivals

    def _writes_first(self, c: int, transposed: bool) -> bool:
        """Whether coupling `c` writes its target rather than adding to what is there."""
        coupling = self.structure.couplings[c]
        p, name = coupling.target
        population = self.structure.populations[p]
        undriven = name not in (*population.driven, *population.arrivals)
        first = not transposed and self.incoming(p, name)[0] == c
        return first and undriven and coupling.kinds[0] == "low_rank"

    def load_drives(self) -> list[str]:
        """Lines that fill inputs without couplings: once, or at every row of a varying drive."""
        found = []
        for p, population in enumerate(self.structure.populations):
            for name in population.driven:
                if self._is_filled(p, name):
                    continue
                drive = f"{self.names[p]}_{name}_drive"
                found.append(
                    f"if row_ == 0 or {drive}.shape[0] > 1:\n"
                    f"    copy_drive({drive}, row_, {self.names[p]}[{population.slots[name]}])"
                )
        return found

    def couple(self, c: int, suffix: str = "", transposed: bool = False) -> str:
        """Calls that add coupling `c` onto its target, or its transpose onto its source."""
        coupling = self.structure.couplings[c]
        terms = range(len(coupling.kinds))
        calls = [self.couple_term(c, term, suffix, transposed) for term in terms]
        label = self.structure.label(*coupling.source), self.structure.label(*coupling.target)
        arrow = "transpose of " if transposed else ""
        return "\n".join([f"# {arrow}{label[0]} -> {label[1]}", *calls])

    def couple_term(self, c: int, term: int, suffix: str = "", transposed: bool = False) -> str:
        """The call that adds one term of a coupling's weights."""
        coupling = self.structure.couplings[c]
        kind = coupling.kinds[term]
        (p, name), (q, target) = coupling.source, coupling.target
        if transposed:
            (p, name), (q, target) = (q, target), (p, name)
        populations = self.structure.populations
        source = f"{self.names[p]}{suffix}[{populations[p].slots[name]}]"
        out = f"{self.names[q]}{suffix}[{populations[q].slots[target]}]"
        arrays = ", ".join(f"_W{c}_{term}_{array}" for array in WEIGHT_ARRAYS[kind])
        more = ""
        if kind == "low_rank":
            first = term == 0 and not suffix and self._writes_first(c, transposed)
            more = f", {first}"
        self.functions.add(f"add_{kind}")
        return f"add_{kind}({source}, {arrays}, {out}{more})"

    def field(self) -> str:
        parts = [self.flat_views(), *self.load_drives(), self.evaluation()]
        for p, population in enumerate(self.structure.populations):
            assignments = [
                (f"{self.names[p]}[{population.slots['d' + s]}, @]", self.drift(p, s))
                for s in population.states
            ]
            if assignments:
                parts.append(self.loop(p, assignments))
        return self.function(
            "field",
            [*self.network_arguments(), "row_", "t", "dt"],
            "\n".join(parts),
            "Write dx/dt of every state (noise left out) into the derivative slots.",
        )

    # -- module --------------------------------------------------------------------------------

    def module(self, functions: Sequence[str]) -> str:
        """The whole file: docstring, constants, library functions used, then `functions`."""
        needed = library.source(self.functions, self.structure.dtype)
        shared = [threads.SOURCE, prefetch.SOURCE] if self.structure.spikes else []
        return "\n\n".join([self._header(), *shared, needed, *functions]) + "\n"

    def _header(self) -> str:
        real = "np.float32" if self.structure.dtype == "float32" else "np.float64"
        return f'''"""Generated by neurodyn: do not edit, it is found by its content.

{self._description()}
"""

import math

import numpy as np
{self._imports()}
{library.HEADER.replace("REAL", real)}'''

    def _imports(self) -> str:
        return threads.IMPORTS if self.structure.spikes else "from numba import njit\n"

    def _description(self) -> str:
        found = []
        for p, population in enumerate(self.structure.populations):
            found.append(f"Population {population.name!r}: slots of {self.names[p]}")
            for name, slot in population.slots.items():
                role = self._role(population, name)
                found.append(f"    {slot:3d}  {name}{role}")
        for c, coupling in enumerate(self.structure.couplings):
            source = self.structure.label(*coupling.source)
            target = self.structure.label(*coupling.target)
            letter = "S" if coupling.carries_spikes else "W"
            kinds = " + ".join(coupling.kinds)
            found.append(f"Coupling _{letter}{c}: {source} -> {target} ({kinds})")
        for k, target in enumerate(self.structure.poisson_inputs):
            found.append(f"Poisson spikes _X{k}: -> {self.structure.label(*target)}")
        return "\n".join(found)

    @staticmethod
    def _role(population: PopulationStructure, name: str) -> str:
        variable = population.equations.variables.get(name)
        if name in population.states:
            noise = "".join(f" + ({g})*{xi}" for xi, g in variable.noise.items())
            return f"    d{name}/dt = {variable.expression}{noise}"
        if variable is not None:
            return f"    {name} = {variable.expression}"
        if name in population.inputs:
            return "    input" + (", driven" if name in population.driven else "")
        if name.startswith("xi"):
            return "    standard normal number of this step"
        if name == UNTIL:
            return "    step, counted from the beginning of the call, until which it is refractory"
        return ""


def element_loop(
    array: str, like: str, before: Sequence[str], body: Sequence[str], uses_units: bool
) -> str:
    """A loop over the elements of a population's arrays, all of the shape of `like`.

    Where nothing is read by the number of the unit it is one loop over flat views, named
    ``<array>_flat``, of all arrays whose names begin with `array`.
    """
    if uses_units:
        head = [
            f"for k_ in range({like}.shape[1]):",
            f"    for i_ in range({like}.shape[2]):",
        ]
    else:
        head = [f"for e_ in range({like}_flat.shape[1]):"]
        flat = re.compile(rf"\b({re.escape(array)}(?:_\w+)?)\[([^\]]*?)k_, i_\]")
        body = [flat.sub(r"\1_flat[\2e_]", line) for line in body]
    indent = "    " * len(head)
    return "\n".join([*before, *head, *(indent + line for line in body)])


def _inlined(assignments, names):
    """Let later assignments of one loop use the value just computed, without loading it again."""
    found = []
    for (target, value), name in zip(assignments, names, strict=True):
        found.append((name, value))
        found.append((target, symbol(name)))
    return found
