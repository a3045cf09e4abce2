"""Write the loops of backpropagation through time: forward with a tape, and the sweep backwards.

What a sweep is to find (`Wanted`) is part of the text, so that nothing else is computed or kept;
the text is a module of its own, and a simulation never sees it. It has two functions,

- ``forward``: the time loop of the method, which copies onto a *tape* whatever the sweep will read,
  at every evaluation of the network;
- ``backward``: from the cotangents of recorded variables to those of states, inputs and parameters.

Both are exact: the tape holds the numbers that `simulate` would compute, to the last bit, and the
sweep is the derivative of that computation, not a discretised adjoint equation.

Methods are explicit Runge-Kutta methods. Stage j evaluates the network at X_j = x + sum_{l<j} a_jl
F(X_l), where F is what a step would add at that slope and noise, and x' = x + sum_j b_j F(X_j).
With lambda the cotangent of x', and L_l that of X_l, that of F(X_j) is b_j lambda + sum_{l>j} a_lj
L_l, and lambda + sum_j L_j is the cotangent of x. A method of one stage, whatever its formula, is
differentiated as the map from x to x' that it is.

Arrays, for a population ``E``:

- ``__E_tape[row, evaluation, trial, unit]``, values;
- ``__E_L[row, trial, unit]``, cotangents within a step, those of the states first;
- ``__E_delta[row, evaluation, trial, unit]``, cotangents of inputs, for gradients of weights;
- ``__E_gradient[row, trial, unit]``, those of parameters, summed over time so far;
- ``__E_loss[row, sample, trial, unit]``, cotangents that the loss hands in.

Constants at the end of the module say what the rows are.
"""

from __future__ import annotations

import re
import textwrap

import sympy

from neurodyn.compile.cotangent_flow import CotangentFlow
from neurodyn.compile.printer import symbol
from neurodyn.compile.pull_back import PullBack, whole
from neurodyn.compile.source import ModuleWriter
from neurodyn.compile.steppers import STEPPERS
from neurodyn.compile.structure import WEIGHT_ARRAYS, Structure
from neurodyn.compile.wanted import Wanted

#: The arrays of `AdjointLoops`: attribute, and what their names end in.
_ARRAYS = {
    "tape": "tape",
    "cotangents": "L",
    "deltas": "delta",
    "losses": "loss",
    "gradients": "gradient",
}

#: What both functions begin with.
_STEP = (
    "dt = real(time_step)",
    "_half_dt = real(0.5 * time_step)",
    "_root_dt = real(math.sqrt(time_step))",
)

#: For methods of several stages: rows a_j of the tableau, then b; and the times of the stages.
_TABLEAUS = {
    "heun": ((("1",),), ("1/2", "1/2"), ("", " + dt")),
    "rk4": (
        (("1/2",), ("0", "1/2"), ("0", "0", "1")),
        ("1/6", "1/3", "1/3", "1/6"),
        ("", " + _half_dt", " + _half_dt", " + _half_dt + _half_dt"),
    ),
}

def write(structure: Structure, wanted: Wanted) -> str:
    """Text of the module that sweeps through runs of `structure`."""
    return AdjointLoops(structure, wanted).module()


class _Writer(ModuleWriter):
    """Couples few postsynaptic units by a product of its own, with the same result."""

    def couple(self, c: int, suffix: str = "", transposed: bool = False) -> str:
        text = super().couple(c, suffix, transposed)
        self.functions.add("add_full")
        return text.replace("add_dense(", "add_full(")


class AdjointLoops:
    """Text of the two loops for one structure.

    Parameters
    ----------
    structure : Structure
    wanted : Wanted
    """

    def __init__(self, structure: Structure, wanted: Wanted):
        self.structure, self.wanted = structure, wanted
        self.writer = _Writer(structure)
        self.names = self.writer.names
        self.stepper = STEPPERS[wanted.method](self.writer)
        rows, self.b, self.times = _TABLEAUS.get(wanted.method, ((), ("1",), ("",)))
        self.a = {
            (j, k): sympy.Rational(value)
            for j, row in enumerate(rows, 1)
            for k, value in enumerate(row)
        }
        self.n_stages = len(self.b)
        populations = range(len(structure.populations))
        self.made = [self._made(p) for p in populations]
        self.flow = CotangentFlow(structure, wanted, self.made)
        #: Rows of the arrays, by population; the tape's as they are asked for.
        self.tape: list[list[str]] = [[] for _ in populations]
        self.deltas = [self._delta_rows(p) for p in populations]
        self.cotangents = [self._cotangent_rows(p) for p in populations]
        self.losses = [
            [n for q, n in wanted.records if q == p and self.flow.is_active(p, n)]
            for p in populations
        ]
        self.gradients = [[n for q, n in wanted.parameters if q == p] for p in populations]

    def _made(self, p: int) -> dict[str, sympy.Expr]:
        """What a step makes of each state: its new value, or what a stage would add to it."""
        found = {}
        for state in self.structure.populations[p].states:
            drift = self.writer.drift(p, state)
            if self.n_stages == 1:
                found[state] = self.stepper.new_value(p, state, drift)
            elif hasattr(self.stepper, "increment"):
                found[state] = self.stepper.increment(p, state, drift)
            else:
                found[state] = symbol("dt") * drift
        return found

    # -- rows ----------------------------------------------------------------------------------

    def _delta_rows(self, p: int) -> list[str]:
        wanted, flow = self.wanted.inputs, self.flow
        names = self.structure.populations[p].inputs
        return [n for n in names if (p, n) in wanted or flow.is_trained(p, n)]

    def _cotangent_rows(self, p: int) -> list[str]:
        population = self.structure.populations[p]
        found = list(population.states)
        for stage in range(1, self.n_stages):
            found += [_at_stage(state, stage) for state in population.states]
        return found + [n for n in self.stored(p) if n not in (*found, *self.deltas[p])]

    def stored(self, p: int) -> list[str]:
        """Variables whose cotangents have an array."""
        population, flow = self.structure.populations[p], self.flow
        return [
            *population.states,
            *(n for n in population.algebraic if flow.is_stored(p, n)),
            *(n for n in population.inputs if flow.is_active(p, n) or n in self.deltas[p]),
        ]

    def tape_row(self, p: int, name: str) -> int:
        """The row of a variable on the tape, where it is from now on."""
        if name not in self.tape[p]:
            self.tape[p].append(name)
        return self.tape[p].index(name)

    def cotangent(self, p: int, name: str, stage: int) -> str:
        """The element of a cotangent's array, with ``@`` for trial and unit."""
        array = self.names[p]
        if name in self.deltas[p]:
            return f"{array}_delta[{self.deltas[p].index(name)}, _delta, @]"
        if stage and name in self.structure.populations[p].states:
            name = _at_stage(name, stage)
        return f"{array}_L[{self.cotangents[p].index(name)}, @]"

    # -- the module ----------------------------------------------------------------------------

    def module(self) -> str:
        """The whole text."""
        sources = [self.structure.couplings[c].source for c in self.wanted.couplings]
        for p, name in (*self.wanted.records, *sources):
            self.tape_row(p, name)
        backward = self._backward()  # it says what the tape must hold
        functions = [self._forward(), backward, self._about()]
        if self.stepper.evaluates_again:
            functions.insert(0, self.writer.evaluate())
        return self.writer.module(functions)

    def _about(self) -> str:
        """Constants that say what the rows of the arrays are."""
        lines = [f"STAGES = {self.n_stages}"]
        for name in _ARRAYS:
            lines.append(f"{name.upper()} = {getattr(self, name)!r}")
        return "\n".join([*lines, f"TRANSPOSED = {self._transposed()!r}"])

    def _transposed(self) -> list[int]:
        """Couplings that cotangents pass."""
        return [c for c in self.structure.rate_couplings if self.flow.passes(c)]

    def _arguments(self, *whats: str) -> list[str]:
        """Names of arrays; all populations have a tape and cotangents."""
        return [
            f"{name}_{_ARRAYS[what]}"
            for what in whats
            for name, rows in zip(self.names, getattr(self, what), strict=True)
            if rows or what in ("tape", "cotangents")
        ]

    # -- forward -------------------------------------------------------------------------------

    def _forward(self) -> str:
        writer, stepper = self.writer, self.stepper
        evaluate, later = stepper.evaluate, iter(range(1, self.n_stages))

        def evaluate_and_keep(time: str = "t") -> str:
            return f"{evaluate(time)}\n{self._keep(next(later))}"

        first = evaluate() if stepper.evaluates_again else writer.evaluation()
        stepper.evaluate = evaluate_and_keep  # for the further stages, in the step's body
        loop = [
            "step_ = first_step + row_",
            "t = real(step_ * time_step)",
            *writer.load_drives(),
            *stepper.noise_lines(),
            first,
            self._keep(0),
            "if row_ < n_steps:",
            textwrap.indent(stepper.body() or "pass", "    "),
        ]
        head = [
            *_STEP,
            writer.flat_views(),
            "for row_ in range(n_steps + _closing):",
            textwrap.indent("\n".join(line for line in loop if line), "    "),
        ]
        arguments = [
            *writer.network_arguments(),
            *("keys", "normals", "first_step", "n_steps", "_closing", "time_step"),
            *self._arguments("tape"),
        ]
        return writer.function(
            "forward",
            arguments,
            "\n".join(head),
            "Advance by `n_steps` steps, writing the tape; with `_closing` 1 evaluate the end too.",
        )

    def _keep(self, stage: int) -> str:
        """Copy what the sweep reads of one evaluation onto the tape."""
        self.writer.functions.add("copy_rows")
        found = []
        for p, names in enumerate(self.tape):
            slots, array = self.structure.populations[p].slots, self.names[p]
            for row, name in enumerate(names):
                place = f"{array}_tape[{row}, {self._evaluation(stage)}]"
                found.append(f"copy_rows({array}[{slots[name]}], {place})  # {name}")
        return "\n".join(found)

    def _evaluation(self, stage: int) -> str:
        return "row_" if self.n_stages == 1 else f"{self.n_stages} * row_ + {stage}"

    # -- backward ------------------------------------------------------------------------------

    def _backward(self) -> str:
        loop = [
            "row_ = _stop - 1 - _back",
            "step_ = first_step + row_",
            "_moment = real(step_ * time_step)",
        ]
        if self.n_stages > 1:
            later = "\n".join(self._stage(j) for j in reversed(range(1, self.n_stages)))
            loop += ["if row_ < n_steps:  # at the end no step begins", _indented(later)]
        loop.append(self._stage(0))
        head = [
            *_STEP,
            *(_flat(f"{name}_tape", 2) for name in self.names),
            *(_flat(f"{name}_L", 1) for name in self.names),
            *(_flat(array, 2) for array in self._arguments("deltas")),
            *(_flat(array, 1) for array in self._arguments("gradients")),
            "for _back in range(_stop - _start):",
        ]
        numbers = ("first_step", "n_steps", "_start", "_stop", "time_step", "every", "_first_loss")
        values = [*self.writer.value_arguments(), *self._weights()]
        text = self.writer.function(
            "backward",
            [*values, *self._arguments(*_ARRAYS), *numbers],
            "\n".join([*head, _indented("\n".join(loop))]),
            "Sweep from the end of row `_stop` - 1 to the beginning of row `_start` of the tape.\n"
            "    Losses count from step `_first_loss` on; sample 0 is that of step `every`.\n"
            "    Weights are those of the transposed couplings.",
        )

        def with_row(match: re.Match) -> str:
            array, flat, name = match.groups(default="")
            return f"{array}_tape{flat}[{self.tape_row(self.names.index(array), name)}"

        return re.sub(r"\b(\w+)_tape(_flat)?\[<(\w+)>", with_row, text)

    def _weights(self) -> list[str]:
        return [
            f"_W{c}_{term}_{array}"
            for c in self._transposed()
            for term, kind in enumerate(self.structure.couplings[c].kinds)
            for array in WEIGHT_ARRAYS[kind]
        ]

    def _stage(self, j: int) -> str:
        """The pull-back of one evaluation, and of what the step made of it."""
        parts = [
            f"_evaluation = {self._evaluation(j)}",
            f"_delta = _evaluation - {self.n_stages} * _start",
            f"t = _moment{self.times[j]}",
        ]
        parts += [self._step_loop(p, j) for p in range(len(self.names))]
        if j == 0:
            parts.append(self._losses())
        for stage in reversed(self.structure.stages):
            parts += [self._algebraic_loop(p, names, j) for p, names in stage.algebraic.items()]
            parts += [self._couple(c, j) for c in reversed(stage.couplings)]
        return "\n".join(part for part in parts if part)

    def _step_loop(self, p: int, j: int) -> str:
        """From the states' cotangents to those of all that their update is made of."""
        population = self.structure.populations[p]
        pull = PullBack(self, p)
        for state, made in self.made[p].items():
            pull.through(made, f"_c_{state}", self._cotangent_of_increment(state, j))
        for name in reversed(population.algebraic):
            if self.flow.is_fused(p, name):
                pull.through_fused(name)
        for name in self.stored(p):
            before = []
            if j == 0 and self.n_stages > 1 and name in population.states:
                stages = range(1, self.n_stages)
                before = [symbol(f"_l_{n}") for n in (name, *(_at_stage(name, k) for k in stages))]
            pull.store(name, sympy.Add(*before), j)
        array = self.names[p]
        # what the loop reads are the cotangents of the states after the step, and of later stages
        rows = enumerate(self.cotangents[p])
        return pull.loop({f"_l_{n}": f"{array}_L[{row}, @]" for row, n in rows})

    def _cotangent_of_increment(self, state: str, j: int) -> sympy.Expr:
        terms = [sympy.Rational(self.b[j]) * symbol(f"_l_{state}")]
        for k in range(j + 1, self.n_stages):
            terms.append(self.a[k, j] * symbol(f"_l_{_at_stage(state, k)}"))
        return sympy.Add(*terms)

    def _losses(self) -> str:
        """Add what the loss hands in to the cotangents of recorded variables."""
        calls = []
        for p, names in enumerate(self.losses):
            for row, name in enumerate(names):
                target = whole(self.cotangent(p, name, 0))
                calls.append(f"    add_rows({self.names[p]}_loss[{row}, _sample], {target})")
        if not calls:
            return ""
        self.writer.functions.add("add_rows")
        condition = "if step_ % every == 0 and step_ >= _first_loss:"
        return "\n".join([condition, "    _sample = step_ // every - 1", *calls])

    def _algebraic_loop(self, p: int, names, j: int) -> str:
        """From the cotangents of algebraic variables of one stage to those of their variables."""
        names = [n for n in reversed(names) if self.flow.is_stored(p, n)]
        if not names:
            return ""
        pull = PullBack(self, p)
        for name in names:
            pull.through_stored(name)
        for name in list(pull.terms):
            pull.store(name, symbol(f"_l_{name}"), j)
        return pull.loop({f"_l_{n}": self.cotangent(p, n, j) for n in self.stored(p)})

    def _couple(self, c: int, j: int) -> str:
        """Add the cotangent of a coupling's target, times the weights, onto its source's."""
        if not self.flow.passes(c):
            return ""
        coupling = self.structure.couplings[c]
        (p, name), (q, target) = coupling.source, coupling.target
        out, source = whole(self.cotangent(p, name, j)), whole(self.cotangent(q, target, j))
        labels = self.structure.label(p, name), self.structure.label(q, target)
        calls = [f"# transpose of {labels[0]} -> {labels[1]}"]
        for term, kind in enumerate(coupling.kinds):
            arrays = ", ".join(f"_W{c}_{term}_{array}" for array in WEIGHT_ARRAYS[kind])
            function = "add_full" if kind == "dense" else f"add_{kind}"
            more = ", False" if kind == "low_rank" else ""
            calls.append(f"{function}({source}, {arrays}, {out}{more})")
            self.writer.functions.add(function)
        return "\n".join(calls)


def _at_stage(state: str, stage: int) -> str:
    """Name of the cotangent of a state at a later stage; no variable begins with an underscore."""
    return f"_{stage}_{state}"


def _flat(array: str, n: int) -> str:
    """A line that makes a view of `array` whose axes after the first `n` are one."""
    kept = ", ".join(f"{array}.shape[{k}]" for k in range(n))
    last = f"{array}.shape[{n}] * {array}.shape[{n + 1}]"
    return f"{array}_flat = {array}.reshape(({kept}, {last}))"


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ")
