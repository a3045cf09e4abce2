"""Write what happens at the synapses of a plastic coupling: at every moment, and with each spike.

Synapses lie by source: a full matrix as ``w[trial, pre, post]``, sparse weights as ``w[trial, q]``
with the runs of synapses of each source. What a rule keeps a synapse has the same layout. Whatever
belongs to the unit whose spike is at work is read once, before the loop over its synapses.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import sympy

from neurodyn.compile.expressions import clip, exprel, to_sympy
from neurodyn.compile.printer import lines, local, symbol
from neurodyn.compile.structure import arriving
from neurodyn.plasticity.binding import BoundRule

#: What has been delivered so far to the target of a synapse.
_ONTO = "_onto"


def _own_symbol(side: str, name: str) -> sympy.Symbol:
    """A variable of the population of one side, whatever the rule may call so."""
    return symbol(f"_{side}_{name}")


class PlasticCoupling:
    """Text for one coupling.

    Parameters
    ----------
    writer : ModuleWriter
    spikes : SpikeWriter
    c : int
        Number of the coupling.
    """

    def __init__(self, writer, spikes, c: int):
        self.writer, self.spikes, self.c = writer, spikes, c
        self.structure = writer.structure
        self.coupling = self.structure.couplings[c]
        self.rule: BoundRule = self.coupling.rule
        self.is_dense = self.coupling.kinds == ("plastic_dense",)
        self.pre, self.post = self.coupling.source[0], self.coupling.target[0]
        letter = "S" if self.coupling.carries_spikes else "W"
        self.weights = f"_{letter}{c}_0"
        self.prefix = f"_P{c}"

    # -- arguments -----------------------------------------------------------------------------

    def arguments(self) -> list[str]:
        """What the coupling needs beside its weights."""
        found = [f"{self.prefix}_{name}" for name, _ in self.rule.states]
        found += [f"{self.prefix}_values", f"{self.prefix}_rows", f"{self.prefix}_places"]
        found += [f"{self.prefix}_{name}" for name in self.rule.each]
        found += [f"{self.prefix}_{name}" for name, _, _ in self.rule.sums]
        if self.rule.on_post and not self.is_dense:
            found += [f"{self.prefix}_{what}" for what in ("begin", "synapse", "source")]
        return found

    def array(self, name: str) -> str:
        """The array that keeps something a synapse."""
        return f"{self.weights}_w" if name == "w" else f"{self.prefix}_{name}"

    # -- where names are -----------------------------------------------------------------------

    def place(self, name: str) -> str:
        """How code reads a name for trial ``k_`` and the synapse ``j_`` to ``i_``, or ``q_``."""
        at = "j_, i_" if self.is_dense else "q_"
        if name in self.rule.changing:
            return f"{self.array(name)}[k_, {at}]"
        if name in self.rule.each:
            return f"{self.prefix}_{name}[{at}]"
        if name in self.rule.scalars:
            return f"{self.prefix}_values[{self.rule.scalars.index(name)}]"
        for total, side, _ in self.rule.sums:
            if name == total:
                return f"{self.prefix}_{total}[k_, {'j_' if side == 'pre' else 'i_'}]"
        side, own = self.side_of(name)
        p, unit = (self.pre, "j_") if side == "pre" else (self.post, "i_")
        population, array = self.structure.populations[p], self.writer.names[p]
        if own in population.scalars:
            return f"{array}_scalar[{population.scalars.index(own)}]"
        if own in population.per_unit:
            return f"{array}_unit[{population.per_unit.index(own)}, {unit}]"
        return f"{array}[{population.slots[own]}, k_, {unit}]"

    def side_of(self, name: str) -> tuple[str, str]:
        """Side and own name of a population's variable."""
        if name in self.rule.names:
            return self.rule.names[name]
        _, side, own = name.split("_", 2)  # as `_own_symbol` makes it
        return side, own

    def is_of(self, side: str, name: str) -> bool:
        """Whether a name has one value for all synapses of a unit of `side`."""
        if name in (*self.rule.scalars, "t", "dt"):
            return True
        if name in (*self.rule.changing, *self.rule.each):
            return False
        for total, belongs, _ in self.rule.sums:
            if name == total:
                return belongs == side
        return self.side_of(name)[0] == side

    def now(self, expression: sympy.Expr) -> sympy.Expr:
        """An expression with algebraic variables written out by the present states."""
        for name, (side, own) in self.rule.names.items():
            p = self.pre if side == "pre" else self.post
            equations = self.structure.populations[p].equations
            if own not in {v.name for v in equations.algebraic}:
                continue
            value = self.spikes.current(p, to_sympy(equations.variables[own].expression), {})
            names = {s: _own_symbol(side, s.name) for s in value.free_symbols
                     if s.name not in ("t", "dt")}  # fmt: skip
            expression = expression.subs(symbol(name), value.subs(names, simultaneous=True))
        return expression

    # -- loops ---------------------------------------------------------------------------------

    def _loads(self, names: Iterable[str], own: Mapping[str, str]) -> list[str]:
        names = (n for n in sorted(names) if n not in ("t", "dt"))
        return [f"{local(n)} = {own.get(n) or self.place(n)}" for n in names]

    def _loop(
        self,
        assignments: Sequence[tuple[str, sympy.Expr]],
        side: str,
        over: str,
        made: Sequence[str] = (),
        own: Mapping[str, str] | None = None,
    ) -> list[str]:
        """A loop over the synapses of one unit, after the lines that are the same for all of them.

        Parameters
        ----------
        assignments : sequence of (str, sympy.Expr)
        side : {"pre", "post"}
            To which the unit belongs.
        over : {"targets", "sources"}
            What the loop is over.
        made : sequence of str
            Names that lines before have given a value.
        own : dict of str to str
            Places of names beyond those of the rule, which change from synapse to synapse.
        """
        own = own or {}
        names = {s.name for _, value in assignments for s in sympy.sympify(value).free_symbols}
        names -= {target for target, _ in assignments}
        fixed = [n for n in names if n in made or (n not in own and self.is_of(side, n))]
        text = lines(assignments, fixed, self.structure.dtype, prefix="_")
        self.writer.functions |= text.functions
        before = [*self._loads(text.scalars - set(made), own), *text.hoisted]
        body = [*self._loads(text.reads, own), *text.body]
        head = self._over_targets() if over == "targets" else self._over_sources_of_post()
        return [*before, *head, textwrap.indent("\n".join(body), "    ")]

    def _over_targets(self) -> list[str]:
        if self.is_dense:
            return [f"for i_ in range({self.weights}_w.shape[2]):"]
        return [
            f"for q_ in range(np.uint64({self.weights}_start[j_]), "
            f"np.uint64({self.weights}_stop[j_])):",
            f"    i_ = np.uint64({self.weights}_targets[q_])",
        ]

    def _over_sources_of_post(self) -> list[str]:
        if self.is_dense:
            return [f"for j_ in range({self.weights}_w.shape[1]):"]
        return [
            f"for r_ in range({self.prefix}_begin[i_], {self.prefix}_begin[i_ + 1]):",
            f"    q_ = np.uint64({self.prefix}_synapse[r_])",
            f"    j_ = np.uint64({self.prefix}_source[q_])",
        ]

    # -- at every moment -----------------------------------------------------------------------

    def continuous(self, exponential: bool) -> str:
        """Move the weights and what is kept a synapse by their equations."""
        assignments = []
        for name, text in (("w", self.rule.drift), *self.rule.states):
            drift = to_sympy(text) if text else sympy.Integer(0)
            if drift.is_zero:
                continue
            step = symbol("dt")
            slope = sympy.diff(drift, symbol(name))
            if exponential and slope != 0:
                step = step * exprel(slope * symbol("dt"))
            value = symbol(name) + step * drift
            if name == "w" and "w_min" in self.rule.scalars:
                value = clip(value, symbol("w_min"), symbol("w_max"))
            assignments.append((self.place(name), value))
        if not assignments:
            return ""
        loop = self._loop(assignments, "pre", "targets")
        return "\n".join([f"# {self._label()}", *self._sums(), self._over_all(loop)])

    def _sums(self) -> list[str]:
        """Sums over the synapses of each unit, from the values at the beginning of the step."""
        found = []
        for name, side, expression in self.rule.sums:
            array = f"{self.prefix}_{name}"
            place = f"{array}[k_, {'j_' if side == 'pre' else 'i_'}]"
            total = symbol(f"{name}total")
            loop = self._loop(
                [(place, total + to_sympy(expression))], "pre", "targets", own={total.name: place}
            )
            found += [f"{array}[:] = 0", self._over_all(loop)]
        return found

    def _over_all(self, loop: list[str]) -> str:
        n_pre = f"{self.weights}_w.shape[1]" if self.is_dense else f"{self.weights}_start.size"
        return "\n".join(
            [
                f"for k_ in range({self.weights}_w.shape[0]):",
                f"    for j_ in range({n_pre}):",
                textwrap.indent("\n".join(loop), "        "),
            ]
        )

    # -- with spikes ---------------------------------------------------------------------------

    def on_pre(self) -> str:
        """For every spike that arrives: the rule's statements at each synapse of its unit."""
        name = self.writer.names[self.pre]
        head = [
            f"# {self._label()}: a spike arrives",
            f"from_ = (step_ - {self.weights.removesuffix('_0')}_delays[0]) & _mask",
            f"for k_ in range({self.weights}_w.shape[0]):",
            f"    for s_ in range({name}_count[from_, k_, 0]):",
            f"        j_ = np.uint64({name}_spikes[from_, k_, s_])",
        ]
        body = self._event(self.rule.on_pre, "pre", "targets")
        if any(f"{self.prefix}_before[" in line for line in body):
            row = self._onto().removesuffix(", i_]")
            head.insert(-2, f"    {self.prefix}_before = {row}].copy()")
        return "\n".join([*head, textwrap.indent("\n".join(body), "        ")])

    def on_post(self) -> str:
        """For every spike of a postsynaptic unit: the statements at each synapse onto it."""
        if not self.rule.on_post:
            return ""
        name = self.writer.names[self.post]
        head = [
            f"# {self._label()}: the postsynaptic unit spikes",
            f"for k_ in range({self.weights}_w.shape[0]):",
            f"    for s_ in range({name}_count[slot_, k_, 0]):",
            f"        i_ = np.uint64({name}_spikes[slot_, k_, s_])",
        ]
        body = self._event(self.rule.on_post, "post", "sources")
        return "\n".join([*head, textwrap.indent("\n".join(body), "        ")])

    def _event(self, statements, side: str, over: str) -> list[str]:
        """Lines for one spike: what changes once, the loop over synapses, the new traces.

        The statements of a trace come first, as they depend on nothing of a synapse; later
        statements see its new value, earlier ones the old.
        """
        present: dict[sympy.Symbol, sympy.Expr] = {}
        once, at_synapses, delivered = [], [], sympy.Integer(0)
        for k, (target, text) in enumerate(statements):
            value = to_sympy(text)
            if target == self.rule.target:
                added = self.now(sympy.expand(value - symbol(target)))
                delivered += added.subs(present)
                continue
            new = symbol(f"_set{k}_{target}")
            changes = at_synapses if target in self.rule.changing else once
            changes.append((new.name, self.now(value).subs(present)))
            present[symbol(target)] = new
        own = {}
        if delivered != 0:
            at_synapses.append((self._onto(), symbol(_ONTO) + delivered))
            own = {_ONTO: self._onto(), **self._before([*once, *at_synapses])}
        made = [name for name, _ in once]
        parts = []
        if once:
            text = lines(once, (), self.structure.dtype, prefix="_")
            self.writer.functions |= text.functions
            parts += [*self._loads(text.reads, own), *text.body]
        new_values = [(self.place(target.name), new) for target, new in present.items()]
        kept = [(place, new) for place, new in new_values if new.name not in made]
        if at_synapses:
            parts += self._loop([*at_synapses, *kept], side, over, made, own)
        return [*parts, *(f"{place} = {new}" for place, new in new_values if new.name in made)]

    def _before(self, assignments) -> dict[str, str]:
        """Places of names that stand for the target: its values before the spikes are delivered.

        Without them the result would depend on the order of the spikes of one step.
        """
        population, own = self.structure.populations[self.post], self.coupling.target[1]
        if own not in population.states or own in population.arrivals:
            return {}
        found = {}
        for name in {s.name for _, value in assignments for s in value.free_symbols}:
            if name in self.rule.names or name.startswith(("_pre_", "_post_")):
                side, variable = self.side_of(name)
                p, unit = (self.pre, "j_") if side == "pre" else (self.post, "i_")
                if (p, variable) == (self.post, own):
                    found[name] = f"{self.prefix}_before[{unit}]"
        return found

    def _onto(self) -> str:
        """The element that a delivered spike is added to."""
        population = self.structure.populations[self.post]
        target = self.coupling.target[1]
        slot = arriving(target) if target in population.arrivals else target
        return f"{self.writer.names[self.post]}[{population.slots[slot]}, k_, i_]"

    def record(self, sample: str) -> list[str]:
        """Lines that record what is asked for of the weights and of what is kept a synapse."""
        self.writer.functions.add("record_synapses")
        shape = "({0}.shape[0], {0}.shape[1] * {0}.shape[2])"
        found = []
        for v, name in enumerate(self.rule.changing):
            array = self.array(name)
            flat = f"{array}.reshape({shape.format(array)})" if self.is_dense else array
            found.append(
                f"    record_synapses({flat}, {v}, {self.prefix}_rows, {self.prefix}_places, out, "
                f"{sample})"
            )
        return found

    def _label(self) -> str:
        source = self.structure.label(*self.coupling.source)
        return f"{source} -> {self.structure.label(*self.coupling.target)}"
