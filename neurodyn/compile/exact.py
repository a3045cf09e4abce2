"""Exact integration of linear units: the equations as matrices, and the step as text.

Between spikes, and with inputs held over the step, units of linear equations x' = A x + b go from x
to P x + Q b in a step, with P = exp(A dt) and Q the integral of exp(A s) over the step (Rotter and
Diesmann 1999). SymPy finds A and b here; `neurodyn.compile.exact_values` computes P and Q.
"""

from __future__ import annotations

from functools import cached_property

import sympy

from neurodyn.compile.exact_values import HELD, LinearSystem
from neurodyn.compile.expressions import from_sympy, select, to_sympy
from neurodyn.compile.printer import symbol
from neurodyn.compile.spiking import ACTIVE, NOW
from neurodyn.compile.steppers import Stepper
from neurodyn.compile.structure import PopulationStructure


def _varies(slope: sympy.Expr, known: set[sympy.Symbol]) -> bool:
    """Whether a slope differs between two points and so cannot be simplified to parameters."""
    held = sorted(slope.free_symbols, key=str)
    points = [
        {s: sympy.Rational(7 * k + (1 if s in known else start), 10) for k, s in enumerate(held, 1)}
        for start in (1, 3)
    ]
    first, second = (slope.subs(point).evalf() for point in points)
    return bool(first.is_Float and second.is_Float and abs(first - second) > 1e-6 * abs(first))


class _Linear:
    """A and b of a population, by SymPy; `reason` says why there are none."""

    def __init__(self, population: PopulationStructure, spikes, p: int):
        self.population, self.states = population, population.states
        self.reason = ""
        drifts = [
            spikes.current(p, to_sympy(population.equations.variables[s].expression), {})
            for s in self.states
        ]
        known = {symbol(n) for n in (*population.scalars, *population.per_unit)}
        self.A: dict[tuple[int, int], sympy.Expr] = {}
        for i, drift in enumerate(drifts):
            for j, state in enumerate(self.states):
                slope = sympy.diff(drift, symbol(state))
                if not _varies(slope, known):  # simplifying that of a gated cell takes minutes
                    slope = sympy.simplify(slope)
                if slope == 0:
                    continue
                if not slope.free_symbols <= known:
                    self.reason = (
                        f"`d{self.states[i]}/dt` of `{population.name}` is not: its slope by "
                        f"`{state}` is {from_sympy(slope)}"
                    )
                    return
                self.A[i, j] = slope
        own = [symbol(s) for s in self.states]
        for i, drift in enumerate(drifts):
            rest = drift - sympy.Add(*(self.A.get((i, j), 0) * x for j, x in enumerate(own)))
            # a step function has no slope, and is not linear all the same
            if sympy.simplify(rest).free_symbols & set(own):
                self.reason = (
                    f"`d{self.states[i]}/dt` of `{population.name}` is not: {from_sympy(drift)}"
                )
                return
        zero = {symbol(s): sympy.Integer(0) for s in self.states}
        self.b = [drift.subs(zero) for drift in drifts]

    def reaches(self) -> set[tuple[int, int]]:
        """Pairs (i, j) for which the state j acts on i, through others perhaps, or is i."""
        n = len(self.states)
        found = {(i, i) for i in range(n)} | set(self.A)
        for k in range(n):
            found |= {(i, j) for i in range(n) for j in range(n)
                      if (i, k) in found and (k, j) in found}  # fmt: skip
        return found

    @cached_property
    def held(self) -> tuple[int, ...]:
        spiking = self.population.equations.spiking
        clamped = spiking.clamped if spiking and self.population.refractory else ()
        return tuple(i for i, s in enumerate(self.states) if s in clamped)

    def depends_on_held(self, i: int) -> bool:
        return any((i, j) in self.reaches() for j in self.held if j != i)


class Exact(Stepper):
    """The propagator of linear units."""

    name = "exact"
    evaluates_again = False

    def __init__(self, writer):
        super().__init__(writer)
        populations = self.structure.populations
        self.linear = [_Linear(p, self.spikes, k) for k, p in enumerate(populations)]
        self.entries: list[list[tuple[str, int, int]]] = [[] for _ in populations]
        self.extra_arguments = tuple(f"{name}_exact" for name in writer.names)

    @property
    def reason(self) -> str:
        """Why the network cannot be integrated so, or nothing."""
        return next((linear.reason for linear in self.linear if linear.reason), "")

    def body(self) -> str:
        return self.update(self._assign, last=True)

    def _assign(self, p: int, state: str, drift):
        linear = self.linear[p]
        i = linear.states.index(state)
        value = self._combination(p, i)
        if i in linear.held:
            value = select(symbol(ACTIVE), value, symbol(state))
        elif linear.depends_on_held(i):
            value = select(symbol(ACTIVE), value, self._combination(p, i, HELD))
        return [(self.slot(p, state), value)]

    def _combination(self, p: int, i: int, which: str = "") -> sympy.Expr:
        """x + (P - 1) x + Q b: what is added is small, so single precision keeps its digits."""
        linear = self.linear[p]
        own = symbol(linear.states[i])
        sources = [j for j in range(len(linear.states)) if (i, j) in linear.reaches()]
        if sources == [i] and linear.b[i] == 0:
            return self._entry(p, "P" + which, i, i) * own
        terms = [own]
        for j in sources:
            terms.append(self._entry(p, "D" + which, i, j) * symbol(linear.states[j]))
            if linear.b[j] != 0:
                terms.append(self._entry(p, "Q" + which, i, j) * linear.b[j])
        return sympy.Add(*terms)

    def _entry(self, p: int, matrix: str, i: int, j: int) -> sympy.Symbol:
        """The symbol of an entry of a matrix, which from now on the kernel is given."""
        if (matrix, i, j) not in self.entries[p]:
            self.entries[p].append((matrix, i, j))
        return symbol(f"_exact{self.entries[p].index((matrix, i, j))}")

    def _is_per_unit(self, p: int) -> bool:
        symbols = {s.name for slope in self.linear[p].A.values() for s in slope.free_symbols}
        return bool(symbols & set(self.structure.populations[p].per_unit))

    def loop(self, p: int, assignments) -> str:
        array = f"{self.writer.names[p]}_exact"
        names = [f"_exact{k}" for k in range(len(self.entries[p]))]
        if self._is_per_unit(p):
            views = {name: f"{array}[{k}, i_]" for k, name in enumerate(names)}
            return self.writer.loop(p, assignments, views=views, scalars=(NOW,))
        values = [f"{name} = {array}[{k}, 0]" for k, name in enumerate(names)]
        return "\n".join([*values, self.writer.loop(p, assignments, scalars=(NOW, *names))])

    def systems(self) -> list[LinearSystem]:
        """What `propagators` needs, after `function` has been written."""
        return [
            LinearSystem(
                {place: from_sympy(slope) for place, slope in linear.A.items()},
                linear.held,
                tuple(self.entries[p]),
                self._is_per_unit(p),
                len(linear.states),
            )
            for p, linear in enumerate(self.linear)
        ]
