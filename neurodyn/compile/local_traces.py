"""Write the loops of local traces: sensitivities of a unit's states by what is its own.

Where units do not act on each other, or where a rule neglects that they do, the derivative of a
unit's states by a trained number is not zero for the unit's own numbers alone: its incoming
weights, its parameters. The traces of one unit then need one small matrix in a step, the Jacobian
of its own states, and one pass over memory. This is exact real-time recurrent learning of networks
of independent units, and the eligibility traces of e-prop and RFLO of any network.

The traces of population ``E`` are ``__E_T[state, trial, unit, vector]``. A coupling onto a *linear
readout*, a population whose states are linear, with the same coefficients for all units, has traces
too: ``__E_T{c}[state of the readout, trial, unit, vector]`` is what a readout through a weight of 1
would have kept of the unit. As all readouts filter alike, the weights come in afterwards.
"""

from __future__ import annotations

import textwrap
from functools import cached_property

import sympy

from neurodyn.compile.expressions import to_sympy, with_surrogate
from neurodyn.compile.printer import symbol
from neurodyn.compile.pull_back import known_values
from neurodyn.compile.sensitivities import (
    TrainedArray,
    WantedSensitivities,
    time_loop,
)
from neurodyn.compile.source import ModuleWriter
from neurodyn.compile.steppers import STEPPERS, Stepper
from neurodyn.compile.structure import Structure

#: Methods with one evaluation a step, of which the Jacobian is one matrix a unit.
LOCAL_METHODS = ("euler", "exponential_euler")


def write(structure: Structure, wanted: WantedSensitivities) -> str:
    """Text of the module for `structure`."""
    writer = ModuleWriter(structure)
    stepper = STEPPERS[wanted.method](writer)
    traces = [
        LocalTraces(writer, stepper, wanted, p)
        for p in range(len(structure.populations))
        if is_local(structure, wanted, p)
    ]
    arguments = [name for each in traces for name in each.arguments()]
    update = [
        "_is_sample = (step_ + 1) % every == 0",
        "_sample = (step_ + 1) // every - 1 if _is_sample else 0",
        *(each.update() for each in traces),
        stepper.body(),
    ]
    functions = [time_loop(writer, stepper, stepper.evaluation(), update, arguments)]
    if traces:  # there are none where nothing that is trained acts on a state
        functions.append(
            writer.function(
                "contract",
                [name for each in traces for name in each.gradient_arguments()],
                "\n".join(each.contraction_alone() for each in traces),
                "Add signals, of one sample, times traces to the gradients.",
            )
        )
    return writer.module(functions)


def is_local(structure: Structure, wanted: WantedSensitivities, p: int) -> bool:
    """Whether a population has traces of its own."""
    trains = any(structure.couplings[a.coupling].target[0] == p for a in wanted.arrays)
    trains |= any(q == p for q, _ in wanted.parameters)
    states = any((p, s) in wanted.influenced for s in structure.populations[p].states)
    return states or (trains and bool(readouts(structure, wanted, p)))


def readouts(structure: Structure, wanted: WantedSensitivities, p: int) -> list[int]:
    """Couplings from a population to linear readouts."""
    return [c for c in wanted.readouts if structure.couplings[c].source[0] == p]


class LocalTraces:
    """The traces of one population."""

    def __init__(self, writer: ModuleWriter, stepper: Stepper, wanted: WantedSensitivities, p: int):
        self.writer, self.stepper, self.wanted, self.p = writer, stepper, wanted, p
        self.structure, self.name = writer.structure, writer.names[p]
        self.population = self.structure.populations[p]
        self.readouts = readouts(self.structure, wanted, p)
        couplings = self.structure.couplings
        self.arrays = [a for a in wanted.arrays if couplings[a.coupling].target[0] == p]
        self.parameters = [n for q, n in wanted.parameters if q == p]
        self.chain = Chain(writer, stepper, p, self.parameters)
        self.views: dict[str, str] = self.chain.views

    def readout_states(self, c: int) -> tuple[str, ...]:
        return self.structure.populations[self.structure.couplings[c].target[0]].states

    @cached_property
    def trace_names(self) -> list[tuple[str, int]]:
        """Arrays of traces and the number of states in each."""
        found = [(f"{self.name}_T", len(self.population.states))]
        return found + [(f"{self.name}_T{c}", len(self.readout_states(c))) for c in self.readouts]

    def gradient_arguments(self) -> list[str]:
        found = [name for name, _ in self.trace_names]
        found += [name.replace("_T", "_signal", 1) for name, _ in self.trace_names]
        return [*found, f"{self.name}_shared", f"{self.name}_own"]

    def arguments(self) -> list[str]:
        return [*self.gradient_arguments(), f"{self.name}_begins"]

    # -- the update ----------------------------------------------------------------------------

    def update(self) -> str:
        """The loop that moves the traces of all units by one step."""
        items = self._items()  # they say which coefficients are needed
        before, each, _ = self.writer.statements(
            self.p, self.chain.assignments, "k_, i_", views=self.views, scalars=self.stepper.scalars
        )
        inner = [
            *each,
            *items,
            "if _is_sample:",
            textwrap.indent(self._contraction("_sample"), "    "),
        ]
        return "\n".join(
            [
                *before,
                *self._before(),
                f"for i_ in range({self.name}_shared.shape[0]):",
                f"    for k_ in range({self.name}.shape[1]):",
                textwrap.indent("\n".join(inner), " " * 8),
            ]
        )

    def _before(self) -> list[str]:
        found = []
        for a in self.arrays:
            if a.role == "post":
                latent = f"_latent{a.coupling}_{a.term}"
                nT = f"_W{a.coupling}_{a.term}_nT"
                found.append(f"{latent} = np.empty(({self.name}.shape[1], {nT}.shape[0]), real)")
                found.append(f"latent_rows({self._source(a)}, {nT}, {latent})")
                self.writer.functions.add("latent_rows")
        return found

    def _source(self, a: TrainedArray) -> str:
        q, name = self.structure.couplings[a.coupling].source
        return f"{self.writer.names[q]}[{self.structure.populations[q].slots[name]}]"

    def _items(self) -> list[str]:
        """Loops over the vectors of each trained array and parameter, and of initial states."""
        found = [self._array(number, a) for number, a in enumerate(self.arrays)]
        for number, name in enumerate(self.parameters, len(self.arrays)):
            found.append(self._loop(name, f"{self.name}_begins[{number}]", "1", "ONE"))
        begin = f"{self.name}_shared.shape[1]"
        found.append(self._loop("", begin, f"{self.name}_own.shape[2]", ""))
        return found

    def _array(self, number: int, a: TrainedArray) -> str:
        target = self.structure.couplings[a.coupling].target[1]
        weights, source = f"_W{a.coupling}_{a.term}", self._source(a)
        begin = f"{self.name}_begins[{number}]"
        if a.role == "dense":
            row = f"_row = {source}[k_, : {weights}_WT.shape[0]]"
            return f"{row}\n{self._loop(target, begin, f'{weights}_WT.shape[0]', '_row[v_]')}"
        if a.role == "sparse":
            first = f"_first = {weights}_indptr[i_]"
            seed = f"{source}[k_, {weights}_indices[_first + v_]]"
            length = f"{weights}_indptr[i_ + 1] - _first"
            return f"{first}\n{self._loop(target, begin, length, seed)}"
        if a.role == "post":
            row = f"_row = _latent{a.coupling}_{a.term}[k_]"
            return f"{row}\n{self._loop(target, begin, '_row.size', '_row[v_]')}"
        if a.role == "pre":
            length = f"{weights}_nT.shape[1]"
            text = [
                f"_row = {source}[k_, : {length}]",
                f"for q_ in range({weights}_mT.shape[0]):",
                f"    _factor = {weights}_mT[q_, i_]",
                textwrap.indent(
                    self._loop(target, f"{begin} + q_ * {length}", length, "_factor * _row[v_]"),
                    "    ",
                ),
            ]
            return "\n".join(text)
        return self._loop(target, begin, "1", f"{source}[k_, i_]")

    def _loop(self, base: str, begin: str, length: str, seed: str) -> str:
        """Move the traces of `length` vectors by what `base`, an input or parameter, does."""
        views, reads, writes = [], [], []
        for array, (name, n) in enumerate(self.trace_names):
            for s in range(n):
                views.append(f"_a{array}_{s} = {name}[{s}, k_, i_, _begin:_end]")
                reads.append(f"_x{array}_{s} = _a{array}_{s}[v_]")
        for number, c in enumerate(self.readouts, 1):
            source = self.structure.couplings[c].source[1]
            reads.append(f"_y{number} = {self._sum(self.chain.of(source), base, bool(seed))}")
            writes += self._readout_writes(number, c)
        for s, state in enumerate(self.population.states):
            value = self._sum(self.chain.of_step(state), base, bool(seed))
            writes.append(f"_a0_{s}[v_] = {value}")
        if seed:
            reads.append(f"_seed = {seed}")
        reads.sort(key=lambda line: line.startswith("_y"))
        body = textwrap.indent("\n".join([*reads, *writes]), "    ")
        head = [f"_begin = {begin}", f"_end = _begin + {length}", *views]
        return "\n".join([*head, "for v_ in range(_end - _begin):", body])

    def _sum(self, coefficient, base: str, is_seeded: bool) -> str:
        """A derivative: coefficients times the traces of the states, and times the seed."""
        terms = [
            _product(coefficient(state), f"_x0_{s}")
            for s, state in enumerate(self.population.states)
        ]
        if is_seeded:
            terms.append(_product(coefficient(base), "_seed"))
        return " + ".join(t for t in terms if t) or "ZERO"

    def _readout_writes(self, number: int, c: int) -> list[str]:
        q, target = self.structure.couplings[c].target
        chain = Chain(self.writer, self.stepper, q, ())
        found = []
        for s, state in enumerate(self.readout_states(c)):
            terms = []
            for base, value in (
                *((n, f"_x{number}_{k}") for k, n in enumerate(self.readout_states(c))),
                (target, f"_y{number}"),
            ):
                derivative = chain.plain(state, base)
                if derivative != 0:
                    name = f"_r{c}_{s}_{base}"
                    shared = self.structure.populations[q].scalars
                    views = {n: f"{self.writer.names[q]}_scalar[{k}]" for k, n in enumerate(shared)}
                    renamed = {symbol(n): symbol(f"_of{q}_{n}") for n in shared}
                    self.views |= {f"_of{q}_{n}": view for n, view in views.items()}
                    self.chain.assign(name, derivative.xreplace(renamed))
                    terms.append(f"{name} * {value}")
            found.append(f"_a{number}_{s}[v_] = {' + '.join(terms) or 'ZERO'}")
        return found

    # -- gradients -----------------------------------------------------------------------------

    def _contraction(self, sample: str) -> str:
        """Add the signals of a unit times its traces to its gradients."""
        heads, shared, own = [], [], []
        for array, (name, n) in enumerate(self.trace_names):
            signal = name.replace("_T", "_signal", 1)
            for s in range(n):
                heads.append(f"_w{array}_{s} = {signal}[{s}, {sample}, k_, i_]")
                heads.append(f"_t{array}_{s} = {name}[{s}, k_, i_]")
                shared.append(f"_w{array}_{s} * _t{array}_{s}[v_]")
                own.append(f"_w{array}_{s} * _t{array}_{s}[_n_shared + v_]")
        return "\n".join(
            [
                *heads,
                f"_g = {self.name}_shared[i_]",
                "_n_shared = _g.size",
                "for v_ in range(_n_shared):",
                f"    _g[v_] += {' + '.join(shared)}",
                f"_h = {self.name}_own[k_, i_]",
                "for v_ in range(_h.size):",
                f"    _h[v_] += {' + '.join(own)}",
            ]
        )

    def contraction_alone(self) -> str:
        return "\n".join(
            [
                f"for i_ in range({self.name}_shared.shape[0]):",
                f"    for k_ in range({self.name}_own.shape[0]):",
                textwrap.indent(self._contraction("0"), " " * 8),
            ]
        )


class Chain:
    """Total derivatives within one unit: of variables and of the step, by states and seeds.

    A *seed* is an input that trained weights end at, or a trained parameter.

    Attributes
    ----------
    assignments : list of (str, sympy.Expr)
        The coefficients, in an order in which they can be computed.
    views : dict of str to str
        Where the generated loop finds what they read beside the population's own variables.
    """

    def __init__(self, writer: ModuleWriter, stepper: Stepper, p: int, parameters):
        self.structure, self.p = writer.structure, p
        self.population = self.structure.populations[p]
        self.parameters = frozenset(parameters)
        self.known = known_values(self.population)
        self.made = {s: stepper.new_value(p, s, writer.drift(p, s)) for s in self.population.states}
        self.assignments: list[tuple[str, sympy.Expr]] = []
        self.views: dict[str, str] = {}
        self._names: dict[tuple[str, str], sympy.Expr] = {}
        self._internal = self._internal_couplings()

    def _internal_couplings(self) -> dict[str, list[int]]:
        """Diagonal couplings of the population with itself, by their target."""
        found: dict[str, list[int]] = {}
        for c in self.structure.rate_couplings:
            coupling = self.structure.couplings[c]
            same = coupling.source[0] == coupling.target[0] == self.p
            if same and set(coupling.kinds) == {"diagonal"}:
                found.setdefault(coupling.target[1], []).append(c)
        return found

    def assign(self, name: str, value: sympy.Expr) -> None:
        if (name, value) not in self.assignments:
            self.assignments.append((name, value))

    def of(self, variable: str):
        """The function from a state or seed to the derivative of `variable` by it."""
        return lambda base: self._named(f"_k_{variable}_{base}", self.derivative(variable, base))

    def of_step(self, state: str):
        """The same of a state's value after the step."""
        return lambda base: self._named(f"_j_{state}_{base}", self._total(self.made[state], base))

    def plain(self, state: str, base: str) -> sympy.Expr:
        """The derivative of a state after the step, all written out."""
        value = self._total(self.made[state], base)
        named = {symbol(name): expression for name, expression in self.assignments}
        while value.free_symbols & named.keys():
            value = value.xreplace(named)
        return sympy.simplify(value)

    def derivative(self, node: str, base: str) -> sympy.Expr:
        """Total derivative of a variable at the beginning of the step."""
        if node == base:
            return sympy.Integer(1)
        if (node, base) not in self._names:
            self._names[node, base] = self._named(f"_k_{node}_{base}", self._unnamed(node, base))
        return self._names[node, base]

    def _unnamed(self, node: str, base: str) -> sympy.Expr:
        population = self.population
        if node in population.algebraic:
            return self._total(to_sympy(population.equations.variables[node].expression), base)
        total = sympy.Integer(0)
        for c in self._internal.get(node, ()):
            source = self.structure.couplings[c].source[1]
            for term in range(len(self.structure.couplings[c].kinds)):
                self.views[f"_d{c}_{term}"] = f"_W{c}_{term}_d[i_]"
                total += symbol(f"_d{c}_{term}") * self.derivative(source, base)
        return total

    def _total(self, expression: sympy.Expr, base: str) -> sympy.Expr:
        population = self.population
        inner = {*population.states, *population.algebraic, *population.inputs}
        total = sympy.Integer(0)
        for s in sorted(expression.free_symbols, key=str):
            if s.name in inner:
                factor = self.derivative(s.name, base)
            elif s.name == base and base in self.parameters:
                factor = sympy.Integer(1)
            else:
                continue
            if factor != 0:
                partial = with_surrogate(sympy.diff(expression, s), population.surrogate)
                total += partial.xreplace(self.known) * factor
        return total

    def _named(self, name: str, value: sympy.Expr) -> sympy.Expr:
        if value.is_number or value in {symbol(n) for n, _ in self.assignments}:
            return value
        self.assign(name, value)
        return symbol(name)


def filters_alike(structure: Structure, method: str, q: int) -> bool:
    """Whether a population is a linear readout: the same linear filter in all of its units."""
    writer = ModuleWriter(structure)
    population = structure.populations[q]
    chain = Chain(writer, STEPPERS[method](writer), q, ())
    shared = {symbol(n) for n in (*population.scalars, "t", "dt", "_half_dt", "_root_dt")}
    bases = (*population.states, *population.inputs)
    return all(chain.plain(s, b).free_symbols <= shared for s in population.states for b in bases)


def _product(coefficient: sympy.Expr, factor: str) -> str:
    if coefficient == 0:
        return ""
    if coefficient == 1:
        return factor
    text = coefficient.name if coefficient.is_Symbol else f"real({float(coefficient)!r})"
    return f"{text} * {factor}"
