"""Write the loops of real-time recurrent learning: sensitivities of all states, carried forward.

A sensitivity is the derivative of a state by a trained number. It moves with the tangent of the
step, and every step adds what the number does at once: so the loops are those of
`neurodyn.compile.tangents`, with tangents of parameters and of weights put in where they act.

Units of one *column* act on each other, those of different columns do not. Vector v of a unit is
about the v-th trained number of its column, which is what makes many small columns cheap; a network
that is coupled throughout is one column. Functions:

- ``advance``: the time loop, with state and sensitivities; where a sample is due it adds signals
  times sensitivities to the gradient;
- ``contract``: that sum alone, for one sample.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from neurodyn.compile.printer import lines
from neurodyn.compile.source import ModuleWriter
from neurodyn.compile.steppers import STEPPERS, Stepper
from neurodyn.compile.structure import Structure
from neurodyn.compile.tangents import (
    TANGENT_OF,
    CarriesTangents,
    Coefficients,
    TangentWriter,
    tangent_target,
)

#: Arguments of all loops after those of the network.
TIME_ARGUMENTS = ("keys", "normals", "first_step", "n_steps", "time_step", "every")


@dataclass(frozen=True)
class TrainedArray:
    """One trained array of a coupling's weights.

    Attributes
    ----------
    coupling, term : int
    role : {"dense", "sparse", "post", "pre", "diagonal"}
        What its entries do; "post" and "pre" are the factors of a low-rank matrix.
    """

    coupling: int
    term: int
    role: str

    @property
    def places(self) -> str:
        """Name of the array that says where its entries stand."""
        return f"_P{self.coupling}_{self.term}_{self.role}"


@dataclass(frozen=True)
class WantedSensitivities:
    """By what sensitivities are wanted, and what carries them on: part of the text of a module.

    Attributes
    ----------
    method : str
    parameters : tuple of (int, str)
        Trained parameters.
    arrays : tuple of TrainedArray
    influenced : tuple of (int, str)
        Variables that depend on what is trained, directly or through the past.
    carried : tuple of int
        Couplings that carry sensitivities on.
    by_columns : bool
        Whether products of these are over columns, by ``_C{c}_indptr``, ``..._indices`` and
        ``..._data``; else by the weights as they are.
    readouts : tuple of int
        Of local traces: couplings to linear readouts, see `neurodyn.compile.local_traces`.
    """

    method: str
    parameters: tuple[tuple[int, str], ...]
    arrays: tuple[TrainedArray, ...]
    influenced: tuple[tuple[int, str], ...]
    carried: tuple[int, ...] = ()
    by_columns: bool = False
    readouts: tuple[int, ...] = ()

    def key(self) -> str:
        """Canonical text."""
        return json.dumps(asdict(self), sort_keys=True)


def write(structure: Structure, wanted: WantedSensitivities) -> str:
    """Text of the module for `structure`."""
    writer = ModuleWriter(structure)
    sensitivities = SensitivityWriter(writer, wanted)
    stepper = _stepper(STEPPERS[wanted.method], sensitivities)
    functions = [_advance(sensitivities, stepper), _contract(sensitivities)]
    if stepper.evaluates_again:
        functions.insert(0, sensitivities.evaluate())
    return writer.module(functions)


class SensitivityWriter(TangentWriter):
    """Text that carries sensitivities through the equations of one network."""

    def __init__(self, writer: ModuleWriter, wanted: WantedSensitivities):
        super().__init__(writer)
        self.wanted = wanted

    def arguments(self) -> list[str]:
        """Sensitivities of all populations, weights for their products, and places."""
        found = self.writer.population_arguments("_T")
        if self.wanted.by_columns:
            for c in self.wanted.carried:
                found += [f"_C{c}_{array}" for array in ("indptr", "indices", "data")]
        else:
            found += [name.replace("_W", "_V", 1) for name in self.writer.weight_arguments()]
        found += [array.places for array in self.wanted.arrays]
        return found + [self._parameter_places(p, name) for p, name in self.wanted.parameters]

    def _parameter_places(self, p: int, name: str) -> str:
        return f"{self.names[p]}_P_{name}"

    def is_influenced(self, p: int, name: str) -> bool:
        return (p, name) in self.wanted.influenced

    def states(self, p: int) -> list[tuple[int, str]]:
        """Those that have sensitivities, with their slots."""
        population = self.structure.populations[p]
        return [(population.slots[s], s) for s in population.states if self.is_influenced(p, s)]

    # -- evaluation ----------------------------------------------------------------------------

    def clear(self, p: int, name: str) -> list[str]:
        if not self.is_influenced(p, name):
            return []
        self.writer.functions.add("clear_vectors")
        return [f"clear_vectors({self.names[p]}_T[{self.structure.populations[p].slots[name]}])"]

    def couple(self, c: int) -> str:
        """Calls that add coupling `c` onto its target, for the state and its sensitivities."""
        coupling = self.structure.couplings[c]
        (p, name), (q, target) = coupling.source, coupling.target
        populations = self.structure.populations
        source = f"[{populations[p].slots[name]}]"
        out = f"{self.names[q]}_T[{populations[q].slots[target]}]"
        calls = [self.writer.couple(c)]
        if c in self.wanted.carried:
            calls += self._products(c, f"{self.names[p]}_T{source}", out)
        for array in self.wanted.arrays:
            if array.coupling == c:
                calls.append(self._seed(array, f"{self.names[p]}{source}", out))
        return "\n".join(calls)

    def _products(self, c: int, source: str, out: str) -> list[str]:
        if self.wanted.by_columns:
            self.writer.functions.add("add_sparse_vectors")
            arrays = f"_C{c}_indptr, _C{c}_indices, _C{c}_data"
            return [f"add_sparse_vectors({source}, {arrays}, {out}, False)"]
        found = []
        for term, kind in enumerate(self.structure.couplings[c].kinds):
            if kind == "dense":
                found.append(f"for k_ in range({out}.shape[0]):")
                found.append(f"    add_dense(_V{c}_{term}_WT, {source}[k_], {out}[k_])")
                self.writer.functions.add("add_dense")
                continue
            arrays = {
                "sparse": f"_W{c}_{term}_indptr, _W{c}_{term}_indices, _W{c}_{term}_data",
                "low_rank": f"_W{c}_{term}_nT, _W{c}_{term}_mT",
                "diagonal": f"_W{c}_{term}_d",
            }[kind]
            more = ", False" if kind == "sparse" else ""
            found.append(f"add_{kind}_vectors({source}, {arrays}, {out}{more})")
            self.writer.functions.add(f"add_{kind}_vectors")
        return found

    def _seed(self, array: TrainedArray, source: str, out: str) -> str:
        self.writer.functions.add(f"seed_{array.role}")
        weights = f"_W{array.coupling}_{array.term}"
        more = {
            "dense": f"{weights}_WT, ",
            "sparse": f"{weights}_indptr, {weights}_indices, ",
            "post": f"{weights}_nT, ",
            "pre": f"{weights}_mT, {weights}_nT.shape[1], ",
            "diagonal": "",
        }[array.role]
        return f"seed_{array.role}({source}, {more}{array.places}, {out})"

    def algebraic(self, p: int, names: Sequence[str]) -> str:
        return super().algebraic(p, [n for n in names if self.is_influenced(p, n)])

    # -- loops ---------------------------------------------------------------------------------

    def loop(self, p, assignments, views=None, scalars=(), known=None) -> str:
        """Text of a loop that makes the sensitivities of what `assignments` assign."""
        population, array = self.structure.populations[p], self.names[p]
        assignments = [
            (target, value) for target, value in assignments if self._is_moved(p, target)
        ]
        if not assignments:
            return ""
        slots = {
            n: f"{array}[{s}, @]" for n, s in population.slots.items() if self.is_influenced(p, n)
        }
        slots |= {n: view for n, view in (views or {}).items() if self._is_moved(p, view)}
        trained = {n: self._parameter_places(p, n) for q, n in self.wanted.parameters if q == p}
        coefficients = Coefficients(population.surrogate, known or {})
        moved = []
        for target, value in assignments:
            derivative = coefficients.derivative(value, slots | trained)
            moved.append((tangent_target(target), derivative))
            coefficients.keep(target, value)
        before, each, _ = self.writer.statements(
            p, coefficients.assignments, "k_, i_", views=views, scalars=scalars
        )
        shared = [*coefficients.names, *population.scalars, *scalars]
        text = lines(moved, shared, self.structure.dtype, prefix="_w")
        reads = []
        for name in sorted(text.reads):
            of = name.removeprefix(TANGENT_OF)
            if of in trained:
                each.append(f"_place_{of} = {trained[of]}[i_]")
                reads.append(f"{name} = ONE if v_ == _place_{of} else ZERO")
            else:
                reads.append(f"{name} = {tangent_target(slots[of])}")
        inner = [line.replace("@", "k_, i_, v_") for line in [*reads, *text.body]]
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

    def _is_moved(self, p: int, target: str) -> bool:
        """Whether what an assignment assigns is about a variable that has sensitivities."""
        if "[" not in target:
            return any(target.endswith(f"_{s}") for _, s in self.states(p))
        population = self.structure.populations[p]
        slot, names = int(target.split("[")[1].split(",")[0]), list(population.slots)
        if slot < len(names):
            return self.is_influenced(p, names[slot])
        # beyond stand the method's own, a row for each state of each kind
        return self.is_influenced(
            p, population.states[(slot - len(names)) % len(population.states)]
        )

    # -- gradients -----------------------------------------------------------------------------

    def gradient_arguments(self) -> list[str]:
        found = []
        for p, name in enumerate(self.names):
            if self.states(p):
                found += [f"{name}_signal", f"{name}_column"]
        return [*found, "_shared", "_own"]

    def contraction(self, sample: str) -> str:
        """Calls that add signals times sensitivities of the states to the gradients."""
        calls = []
        for p, name in enumerate(self.names):
            for row, (slot, _) in enumerate(self.states(p)):
                calls.append(
                    f"contract_rows({name}_signal[{row}, {sample}], {name}_T[{slot}], "
                    f"{name}_column, _shared, _own)"
                )
        self.writer.functions.add("contract_rows")
        return "\n".join(calls)


def _stepper(method: type[Stepper], sensitivities: SensitivityWriter) -> Stepper:
    """`method` with sensitivities."""

    def begin(self, writer):
        method.__init__(self, writer)
        self.tangents = sensitivities

    bases = (CarriesTangents, method)
    return type(f"{method.__name__}Sensitivities", bases, {"__init__": begin})(sensitivities.writer)


def _advance(sensitivities: SensitivityWriter, stepper: Stepper) -> str:
    writer = sensitivities.writer
    return time_loop(
        writer,
        stepper,
        stepper.evaluate() if stepper.evaluates_again else stepper.evaluation(),
        [stepper.body(), *sampling(sensitivities.contraction("_sample"))],
        [*sensitivities.arguments(), *sensitivities.gradient_arguments()],
    )


def sampling(text: str) -> list[str]:
    """Statements that are executed where a step ends with a sample."""
    return [
        "if (step_ + 1) % every == 0:",
        "    _sample = (step_ + 1) // every - 1",
        textwrap.indent(text, "    "),
    ]


def time_loop(
    writer: ModuleWriter, stepper: Stepper, evaluation: str, body: Sequence[str], arguments
) -> str:
    """The function ``advance``."""
    loop = [
        "step_ = first_step + row_",
        "t = real(step_ * time_step)",
        *writer.load_drives(),
        *stepper.noise_lines(),
        evaluation,
        *body,
    ]
    head = [
        "dt = real(time_step)",
        "_half_dt = real(0.5 * time_step)",
        "_root_dt = real(math.sqrt(time_step))",
        writer.flat_views(),
        "for row_ in range(n_steps):",
        textwrap.indent("\n".join(line for line in loop if line), "    "),
    ]
    return writer.function(
        "advance",
        [*writer.network_arguments(), *TIME_ARGUMENTS, *arguments],
        "\n".join(head),
        "Advance states and sensitivities by `n_steps` steps, and add to the gradients.",
    )


def _contract(sensitivities: SensitivityWriter) -> str:
    arguments = [*sensitivities.writer.population_arguments("_T")]
    arguments += sensitivities.gradient_arguments()
    return sensitivities.writer.function(
        "contract",
        arguments,
        sensitivities.contraction("0"),
        "Add signals, of one sample, times sensitivities to the gradients.",
    )
