"""Write the part of a time step that concerns spikes: who emits them, where they go, the reset.

The schedule is Brian2's. A step updates the states and looks for units beyond their threshold; then
the spikes arrive whose delay is over, those of this very step among them where there is no delay;
then spiking units are reset. Detection is fused into the last loop of the solver's update, because
the states are in registers there.
"""

from __future__ import annotations

import textwrap

import sympy

from neurodyn.compile.expressions import indicator, select, to_sympy
from neurodyn.compile.plastic import PlasticCoupling
from neurodyn.compile.printer import symbol
from neurodyn.compile.source import ModuleWriter
from neurodyn.compile.structure import RANDOM_STREAMS, SPIKE, UNTIL, arriving
from neurodyn.statements import RAND
from neurodyn.weights.delivery import DELIVERY_ARRAYS
from neurodyn.weights.delivery_groups import GROUP_ARRAYS

#: Name of the local variable that is 1 unless the unit is refractory.
ACTIVE = "_active"
#: Step within the call, as a number of the kernel's type.
NOW = "_now"


class SpikeWriter:
    """Text about spikes in the run functions of one module.

    Parameters
    ----------
    writer : ModuleWriter
    """

    def __init__(self, writer: ModuleWriter):
        self.writer = writer
        self.structure = writer.structure
        self.spiking = [
            (p, writer.names[p], population)
            for p, population in enumerate(self.structure.populations)
            if population.spikes
        ]
        self.plastic = {c: PlasticCoupling(writer, self, c) for c in self.structure.plastic}

    # -- arguments -----------------------------------------------------------------------------

    def arguments(self) -> list[str]:
        """What a run function needs beyond the network's own, in order."""
        plastic = [name for p in self.plastic.values() for name in p.arguments()]
        if not self.structure.spikes:
            return plastic
        found = ["_part", "_progress", "_interval", "_words", "_counts"]
        found += [f"{name}_first" for name in self.writer.names]
        for _, name, population in self.spiking:
            arrays = (*RING_ARGUMENTS, *EMITTER_ARGUMENTS[population.spikes])
            found += [f"{name}_{what}" for what in arrays]
            if population.refractory:
                found.append(f"{name}_rest")
        for c in self.structure.spike_couplings:
            kinds = self.structure.couplings[c].kinds
            if kinds[0] in GROUP_ARRAYS:
                continue
            found.append(f"_S{c}_delays")
            for term, kind in enumerate(kinds):
                found += [f"_S{c}_{term}_{array}" for array in DELIVERY_ARRAYS[kind]]
        if self.structure.groups:
            found += ["_bounds", "_scheduled", "_look_back"]
        for g, group in enumerate(self.structure.groups):
            arrays = (*GROUP_ARRAYS[group.kind], "begins", "pending")
            found += [f"_G{g}_{array}" for array in arrays]
        for k in range(len(self.structure.poisson_inputs)):
            found += [f"_X{k}_limits", f"_X{k}_weight"]
        return [*found, *plastic]

    def stream(self, kind: str, index: int) -> str:
        """Number of a random stream; those of noise are below all of these.

        A plain literal would make numba compile the function that takes it for each number anew.
        """
        return f"np.uint64({RANDOM_STREAMS[kind] + index})"

    # -- expressions ---------------------------------------------------------------------------

    def current(self, p: int, expression: sympy.Expr, values: dict) -> sympy.Expr:
        """An expression with algebraic variables written out, and `values` put for states."""
        equations = self.structure.populations[p].equations
        for variable in reversed(equations.algebraic):
            expression = expression.subs(symbol(variable.name), to_sympy(variable.expression))
        return expression.subs(values, simultaneous=True)

    def activity(self, p: int) -> list[tuple[str, sympy.Expr]]:
        """Definition of `ACTIVE`, where the population is ever refractory."""
        if not self.structure.populations[p].refractory:
            return []
        return [(ACTIVE, indicator(symbol(UNTIL) <= symbol(NOW)))]

    def detection(self, p: int, new: dict[str, sympy.Expr]) -> list[tuple[str, sympy.Expr]]:
        """Assignment of the flag of an element whose states have the values `new`."""
        population = self.structure.populations[p]
        if population.spikes != "threshold":
            return []
        values = {symbol(state): value for state, value in new.items()}
        fired = self.current(p, to_sympy(population.equations.spiking.threshold), values)
        if population.refractory:
            fired = select(symbol(ACTIVE), fired, sympy.Integer(0))
        return [("_fired", fired), (f"{self.writer.names[p]}_flag[@]", symbol("_fired") > 0)]

    # -- statements ----------------------------------------------------------------------------

    def before_loop(self) -> list[str]:
        """Lines before the first step."""
        if not self.structure.spikes:
            return []
        found = []
        for q, (_, name, population) in enumerate(self.spiking):
            found.append(f"{name}_place = {name}_parts[_part]")
            found.append(f"{name}_kept_end = 0")
            if not q:  # all rings are of one length
                found.append(f"_mask = {name}_spikes.shape[0] - 1")
            if population.spikes == "replay":
                found.append(f"{name}_at = begin_replay({name}_given_steps, first_step)")
                self.writer.functions.add("begin_replay")
            elif population.spikes == "chance":
                found.append(
                    f"begin_chances({name}_due, {name}_event, first_step, keys, "
                    f"{self.stream('chance', q)}, {name}_first, {name}_log_rest)"
                )
                self.writer.functions.add("begin_chances")
        return found

    def step_begin(self) -> list[str]:
        """Lines at the beginning of a step: the numbers that thresholds are compared with."""
        if not self.structure.spikes:
            return []
        found = [f"{NOW} = real(row_)"]
        for q, (_, name, population) in enumerate(self.spiking):
            if RAND in population.slots:
                target = f"{name}[{population.slots[RAND]}]"
                found.append(
                    f"fill_uniforms({target}, _words, {name}_size, {name}_first, keys, step_, "
                    f"{self.stream('rand', q)})"
                )
                self.writer.functions.add("fill_uniforms")
        return found

    def step_end(self) -> list[str]:
        """Lines after the states were updated and flags set."""
        if not self.structure.spikes:
            return []
        parts = ["slot_ = step_ & _mask"] if self.spiking else []
        for q, (p, name, population) in enumerate(self.spiking):
            parts += self._emit(q, p, name, population)
        if self.spiking:
            parts += [
                "if _interval > 0 and step_ % _interval == 0:",
                "    wait_for_all(_progress, _part, step_ + 1)",
            ]
        parts += self._schedule()
        parts += self._arrive()
        for p, name, population in self.spiking:
            parts.append(self._reset(p, name, population))
        return [part for part in parts if part]

    def after_loop(self) -> list[str]:
        """Lines after the last step."""
        found = []
        for _, name, population in self.spiking:
            if population.refractory:
                found.append(f"rest_less({name}[{population.slots[UNTIL]}], n_steps)")
                self.writer.functions.add("rest_less")
        return found

    def _emit(self, q: int, p: int, name: str, population) -> list[str]:
        """Write this step's spikes of one population into its ring."""
        ring = f"{name}_spikes, slot_, {name}_place"
        place = f"{name}_spikes, {name}_count, slot_, _part, {name}_place"
        found = []
        if population.spikes == "replay":
            found.append(
                f"{name}_at = replay({name}_given_steps, {name}_given_units, {name}_at, step_, "
                f"{name}_first, {name}_size, {place})"
            )
            self.writer.functions.add("replay")
        else:
            if population.spikes == "chance":
                found.append(f"flag_due({name}_due, step_, {name}_flag)")
                self.writer.functions |= {"flag_due", "draw_next"}
            found += [
                f"for k_ in range({name}_flag.shape[0]):",
                f"    {name}_count[slot_, k_, _part] = collect_spikes({name}_flag, {name}_words, "
                f"k_, {name}_size, {name}_first, {ring})",
            ]
            self.writer.functions.add("collect_spikes")
        found.append(
            f"{name}_kept_end = keep_spikes({name}_spikes, {name}_count, slot_, _part, "
            f"{name}_place, row_, {name}_kept, {name}_kept_count, {name}_kept_end)"
        )
        self.writer.functions.add("keep_spikes")
        if population.spikes == "chance":
            found.append(
                f"draw_next({name}_due, {name}_event, step_, keys, {self.stream('chance', q)}, "
                f"{name}_first, {name}_log_rest, {place})"
            )
        if population.refractory:
            until = f"{name}[{population.slots[UNTIL]}]"
            found.append(f"begin_rest({until}, row_, {name}_rest, {name}_first, {place})")
            self.writer.functions.add("begin_rest")
        return found

    def _schedule(self) -> list[str]:
        """Schedule the spikes that are known by now: those of this step, if no part waits longer.

        In the first step of a call also those before it that are not scheduled yet: after a run
        that this one continues, all on their way.
        """
        if not self.structure.schedules:
            return []
        self.writer.functions.add("schedule")
        found = [
            "known_ = step_ if _interval == 0 or step_ % _interval == 0 else first_step - 1",
            "for emitted_ in range(max(_scheduled[0] + 1, first_step - _look_back), known_ + 1):",
        ]
        for g, group in enumerate(self.structure.groups):
            if group.kind == "scheduled":
                arrays = ", ".join(f"_G{g}_{array}" for array in GROUP_ARRAYS["scheduled"])
                found.append(
                    f"    schedule({self._ring(group.source)}, emitted_, first_step, {arrays}, "
                    f"_G{g}_pending)"
                )
        return [*found, "_scheduled[0] = max(_scheduled[0], known_)"]

    def _ring(self, source: int) -> str:
        name = self.writer.names[source]
        return f"{name}_spikes, {name}_count, {name}_parts"

    def _deliver_groups(self) -> list[str]:
        found = []
        for g, group in enumerate(self.structure.groups):
            found.append(f"# {self.structure.label(group.source, SPIKE)} -> several delays")
            if group.kind == "together":
                arrays = ", ".join(f"_G{g}_{array}" for array in GROUP_ARRAYS["together"])
                found.append(
                    f"deliver_together({self._ring(group.source)}, step_, {arrays}, _bounds, "
                    f"_G{g}_pending)"
                )
                self.writer.functions.add("deliver_together")
            found += [
                f"take_pending(_G{g}_pending, step_, _G{g}_begins[{k}], {self._onto(p, target)})"
                for k, (p, target) in enumerate(group.targets)
            ]
            self.writer.functions.add("take_pending")
        return found

    def _arrive(self) -> list[str]:
        """Add the spikes that arrive in this step to their targets."""
        found, settled = [], []
        for p, population in enumerate(self.structure.populations):
            for target in population.arrivals:
                name = self.writer.names[p]
                slot = f"{name}[{population.slots[arriving(target)]}]"
                if target in population.states:
                    until = f"{name}[{population.slots[UNTIL]}]"
                    state = f"{name}[{population.slots[target]}]"
                    settled.append(f"settle({slot}, {until}, row_, {state})  # {target}")
                    self.writer.functions.add("settle")
                else:
                    found.append(f"clear({slot})  # {target}")
                    self.writer.functions.add("clear")
        found += self._deliver_groups()
        for c in self.structure.spike_couplings:
            if self.structure.couplings[c].kinds[0] not in GROUP_ARRAYS:
                found += self._deliver(c)
        for k, (p, target) in enumerate(self.structure.poisson_inputs):
            name = self.writer.names[p]
            found.append(
                f"add_poisson({self._onto(p, target)}, _words, _counts, {name}_size, "
                f"{name}_first, keys, step_, {self.stream('poisson', k)}, _X{k}_limits, "
                f"_X{k}_weight)  # {target}"
            )
            self.writer.functions.add("add_poisson")
        return [*found, *settled, *(plastic.on_post() for plastic in self.plastic.values())]

    def _onto(self, p: int, target: str) -> str:
        """The row that spikes onto a target are added to."""
        population = self.structure.populations[p]
        slot = arriving(target) if target in population.arrivals else target
        return f"{self.writer.names[p]}[{population.slots[slot]}]"

    def _deliver(self, c: int) -> list[str]:
        coupling = self.structure.couplings[c]
        (source, _), (p, target) = coupling.source, coupling.target
        post = self.writer.names[p]
        label = f"{self.structure.label(*coupling.source)} -> {self.structure.label(p, target)}"
        if coupling.rule is not None:
            return [self.plastic[c].on_pre()]
        found = [f"# {label}"]
        for term, kind in enumerate(coupling.kinds):
            arrays = ", ".join(f"_S{c}_{term}_{array}" for array in DELIVERY_ARRAYS[kind])
            found.append(
                f"deliver_{kind}({self._ring(source)}, step_, _S{c}_delays, {post}_first, "
                f"{arrays}, {self._onto(p, target)})"
            )
            self.writer.functions.add(f"deliver_{kind}")
        return found

    def _reset(self, p: int, name: str, population) -> str:
        """Loop over the units that have spiked in this step."""
        spiking = population.equations.spiking
        values, assignments = {}, []
        for k, (target, text) in enumerate(spiking.reset):
            now = f"_set{k}_{target}"
            assignments.append((now, self.current(p, to_sympy(text), values)))
            values[symbol(target)] = symbol(now)
        for target, value in values.items():
            assignments.append((f"{name}[{population.slots[target.name]}, @]", value))
        before, body, _ = self.writer.statements(p, assignments, "k_, i_", scalars=(NOW,))
        if not body:
            return ""
        loop = [
            f"for k_ in range({name}.shape[1]):",
            f"    for s_ in range({name}_place, {name}_place + {name}_count[slot_, k_, _part]):",
            f"        i_ = np.uint64({name}_spikes[slot_, k_, s_] - {name}_first)",
            textwrap.indent("\n".join(body), "        "),
        ]
        return "\n".join([*before, *loop])


#: Spikes of the last steps, their numbers, the places of the parts; those of this call.
RING_ARGUMENTS = ("spikes", "count", "parts", "kept", "kept_count")
#: Arrays that each way of emitting spikes needs beside the ring.
EMITTER_ARGUMENTS = {
    "threshold": ("flag", "words"),
    "chance": ("flag", "words", "due", "event", "log_rest"),
    "replay": ("given_steps", "given_units"),
}
