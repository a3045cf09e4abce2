"""Write the ``run_...`` functions: the time loop of each method, around the network's equations.

Every run function advances all trials of a block by `n_steps`, recording on the way. The arguments
after the network's are the same for all methods (`RUN_ARGUMENTS`). Noise is filled at the beginning
of a step, inputs are held over it, and recording sees the state at its beginning.
"""

from __future__ import annotations

import textwrap

import sympy

from neurodyn.compile.expressions import exprel, to_sympy, with_surrogate
from neurodyn.compile.printer import symbol
from neurodyn.compile.source import ModuleWriter
from neurodyn.compile.spiking import ACTIVE, NOW, SpikeWriter

#: ``time_step`` is dt in double precision, whatever the number type of the kernel.
RUN_ARGUMENTS = (
    "keys", "normals", "first_step", "n_steps", "time_step", "every", "out", "first_sample",
)  # fmt: skip


class Stepper:
    """One method of integration, as text. Subclasses are final and give `body`."""

    name: str
    #: Scratch slots that the method needs for each state, beyond the structure's own.
    scratch: tuple[str, ...] = ()
    noise = False
    #: Whether a step needs the network evaluated at more than its beginning.
    evaluates_again = True
    extra_arguments: tuple[str, ...] = ()
    #: Whether units may spike at the ends of its steps.
    takes_spikes = True
    #: Whether `neurodyn.compile.tangents` can differentiate its steps.
    has_tangents = True
    #: Names that are the same for all units of a step.
    scalars = ("_half_dt", "_root_dt", NOW)

    def __init__(self, writer: ModuleWriter):
        self.writer = writer
        self.structure = writer.structure
        self.spikes = SpikeWriter(writer)
        self.views = [self._scratch_views(p) for p in range(len(self.structure.populations))]

    def _scratch_views(self, p: int) -> dict[str, str]:
        population = self.structure.populations[p]
        first, n_states = len(population.slots), len(population.states)
        return {
            f"_{kind}_{state}": f"{self.writer.names[p]}[{first + k * n_states + s}, @]"
            for k, kind in enumerate(self.scratch)
            for s, state in enumerate(population.states)
        }

    def body(self) -> str:
        """Statements of one step, after noise, evaluation at its beginning, and recording."""
        raise NotImplementedError

    # -- pieces --------------------------------------------------------------------------------

    @property
    def function_name(self) -> str:
        return f"run_{self.name}"

    def evaluation(self) -> str:
        """The network evaluated at the beginning of a step, in place."""
        return self.writer.evaluation()

    def evaluate(self, time: str = "t") -> str:
        arguments = ", ".join(self.writer.network_arguments())
        return f"evaluate({arguments}, row_, {time}, dt)"

    def update(self, assign, *, last: bool = False) -> str:
        """Loops over all populations; ``assign(p, state, drift)`` gives a state's assignments.

        The last loops of a step also look for spikes, by the new values of the states.
        """
        loops = []
        for p, population in enumerate(self.structure.populations):
            assignments, stores, new = [], [], {}
            for state in population.states:
                for target, value in assign(p, state, self.drift(p, state)):
                    if last and population.spikes and target == self.slot(p, state):
                        new[state] = symbol(f"_new_{state}")
                        assignments.append((f"_new_{state}", value))
                        stores.append((target, new[state]))
                    else:
                        assignments.append((target, value))
            if last:
                assignments += [*stores, *self.spikes.detection(p, new)]
            if assignments:
                loops.append(self.loop(p, [*self.spikes.activity(p), *assignments]))
        return "\n".join(loops)

    def drift(self, p: int, state: str) -> sympy.Expr:
        """dx/dt of a state; 0 where a refractory unit holds it still."""
        drift = self.writer.drift(p, state)
        return symbol(ACTIVE) * drift if self.is_clamped(p, state) else drift

    def is_clamped(self, p: int, state: str) -> bool:
        """Whether refractory units hold a state still."""
        population = self.structure.populations[p]
        spiking = population.equations.spiking
        return population.refractory and state in spiking.clamped

    def loop(self, p: int, assignments) -> str:
        return self.writer.loop(p, assignments, views=self.views[p], scalars=self.scalars)

    def slot(self, p: int, state: str) -> str:
        population = self.structure.populations[p]
        return f"{self.writer.names[p]}[{population.slots[state]}, @]"

    def scratch_slot(self, p: int, kind: str, state: str) -> str:
        return self.views[p][f"_{kind}_{state}"]

    def diffusion(self, p: int, state: str) -> list[tuple[str, sympy.Expr]]:
        """Noise variable and coefficient of each noise term of a state."""
        variable = self.structure.populations[p].equations.variables[state]
        factor = symbol(ACTIVE) if self.is_clamped(p, state) else sympy.Integer(1)
        return [(xi, factor * to_sympy(text)) for xi, text in variable.noise.items()]

    # -- the whole function --------------------------------------------------------------------

    def function(self) -> str:
        writer = self.writer
        loop = [
            "step_ = first_step + row_",
            "t = real(step_ * time_step)",
            *writer.load_drives(),
            *self.noise_lines(),
            *self.spikes.step_begin(),
            self.evaluate() if self.evaluates_again else self.evaluation(),
            self.record(),
            *(p.continuous(self.name != "euler") for p in self.spikes.plastic.values()),
            self.body(),
            *self.spikes.step_end(),
        ]
        head = [
            "dt = real(time_step)",
            "_half_dt = real(0.5 * time_step)",
            "_root_dt = real(math.sqrt(time_step))",
            writer.flat_views(),
            *self._flag_views(),
            *self.spikes.before_loop(),
            "for row_ in range(n_steps):",
            textwrap.indent("\n".join(line for line in loop if line), "    "),
            *self.spikes.after_loop(),
        ]
        return writer.function(
            self.function_name,
            self.arguments(),
            "\n".join(head),
            f"Advance by `n_steps` steps of {type(self).__name__}.",
        )

    def arguments(self) -> list[str]:
        rows = [f"{name}_{what}" for name in self.writer.names for what in ("rows", "units")]
        return [
            *self.writer.network_arguments(),
            *RUN_ARGUMENTS,
            *rows,
            *self.writer.size_arguments(),
            *self.extra_arguments,
            *self.spikes.arguments(),
        ]

    def _flag_views(self) -> list[str]:
        return [
            f"{name}_flag_flat = {name}_flag.reshape({name}_flag.size)"
            for _, name, population in self.spikes.spiking
            if population.spikes == "threshold"
        ]

    def record(self) -> str:
        calls = [
            f"    record_rows({name}, {name}_rows, {name}_units, out, "
            "step_ // every - first_sample)"
            for name in self.writer.names
        ]
        for plastic in self.spikes.plastic.values():
            calls += plastic.record("step_ // every - first_sample")
        self.writer.functions.add("record_rows")
        return "\n".join(["if step_ % every == 0:", *calls])

    def noise_lines(self) -> list[str]:
        """Calls that draw the noise of a step."""
        if not self.noise:
            return []
        calls = []
        for stream, (p, xi) in enumerate(self.structure.noise_streams):
            population = self.structure.populations[p]
            target = f"{self.writer.names[p]}[{population.slots[xi]}]"
            calls.append(f"fill_normals({target}, keys, step_, {stream}, normals)")
            self.writer.functions.add("fill_normals")
        return calls


class Euler(Stepper):
    """Forward Euler; with noise Euler-Maruyama, in Ito's sense."""

    name = "euler"
    noise = True
    evaluates_again = False

    def body(self) -> str:
        return self.update(self._assign, last=True)

    def _assign(self, p, state, drift):
        return [(self.slot(p, state), self.new_value(p, state, drift))]

    def new_value(self, p: int, state: str, drift) -> sympy.Expr:
        """A state at the end of a step, by what is known at its beginning."""
        value = symbol(state) + symbol("dt") * drift
        for xi, coefficient in self.diffusion(p, state):
            value += symbol("_root_dt") * coefficient * symbol(xi)
        return value


class RK4(Stepper):
    """The classical fourth-order Runge-Kutta method."""

    name = "rk4"
    scratch = ("start", "sum")

    def body(self) -> str:
        return "\n".join(
            [
                self._stage(first=True, weight=sympy.Integer(1), forward=symbol("_half_dt")),
                "t = t + _half_dt",
                self.evaluate(),
                self._stage(first=False, weight=sympy.Integer(2), forward=symbol("_half_dt")),
                self.evaluate(),
                self._stage(first=False, weight=sympy.Integer(2), forward=symbol("dt")),
                "t = t + _half_dt",
                self.evaluate(),
                self.update(self._last, last=True),
            ]
        )

    def _stage(self, first: bool, weight, forward) -> str:
        def assign(p, state, drift):
            start = symbol(state) if first else symbol(f"_start_{state}")
            slope = symbol(f"_slope_{state}")
            total = slope if first else symbol(f"_sum_{state}") + weight * slope
            assignments = [
                (f"_slope_{state}", drift),
                (self.scratch_slot(p, "sum", state), total),
                (self.slot(p, state), start + forward * slope),
            ]
            if first:
                assignments.append((self.scratch_slot(p, "start", state), start))
            return assignments

        return self.update(assign)

    def _last(self, p, state, drift):
        total = symbol(f"_sum_{state}") + drift
        value = symbol(f"_start_{state}") + symbol("dt") / 6 * total
        return [(self.slot(p, state), value)]


class ExponentialEuler(Stepper):
    """Exponential Euler with the slope of each equation in its own state.

    x' = x + dt phi(a dt) f(x) with phi(z) = (e^z - 1)/z and a = df/dx through the population's own
    algebraic variables: exact where f is linear in x and all else is held. Additive noise then gets
    the exact variance of that linear equation, g^2 (e^{2 a dt} - 1)/(2 a).
    """

    name = "exponential_euler"
    noise = True
    evaluates_again = False

    def body(self) -> str:
        return self.update(self._assign, last=True)

    def _assign(self, p, state, drift):
        return [(self.slot(p, state), self.new_value(p, state, drift))]

    def new_value(self, p: int, state: str, drift) -> sympy.Expr:
        """A state at the end of a step, by what is known at its beginning."""
        slope = self._slope(p, state, self.writer.drift(p, state))
        step = symbol("dt") if slope == 0 else symbol("dt") * exprel(slope * symbol("dt"))
        value = symbol(state) + step * drift
        for xi, coefficient in self.diffusion(p, state):
            spread = symbol("_root_dt")
            if slope != 0:
                spread *= sympy.sqrt(exprel(2 * slope * symbol("dt")))
            value += spread * coefficient * symbol(xi)
        return value

    def _slope(self, p: int, state: str, drift: sympy.Expr) -> sympy.Expr:
        """Total derivative of the drift by its own state, inputs held; spikes have none."""
        population = self.structure.populations[p]
        sensitivity = {state: sympy.Integer(1)}
        for variable in population.equations.algebraic:
            expression = to_sympy(variable.expression)
            sensitivity[variable.name] = sympy.Add(
                *(sympy.diff(expression, symbol(n)) * d for n, d in sensitivity.items())
            )
        slope = sympy.Add(*(sympy.diff(drift, symbol(n)) * d for n, d in sensitivity.items()))
        return with_surrogate(slope, "0")


class Heun(Stepper):
    """Heun's method: a predictor, then the mean of both slopes; noise in Stratonovich's sense."""

    name = "heun"
    noise = True
    scratch = ("start", "increment")

    def body(self) -> str:
        return "\n".join(
            [
                self.update(self._predict),
                "t = t + dt",
                self.evaluate(),
                self.update(self._correct, last=True),
            ]
        )

    def increment(self, p: int, state: str, drift) -> sympy.Expr:
        """What a state would move by with the slope and noise coefficient of one evaluation."""
        value = symbol("dt") * drift
        for xi, coefficient in self.diffusion(p, state):
            value += symbol("_root_dt") * coefficient * symbol(xi)
        return value

    def _predict(self, p, state, drift):
        increment = symbol(f"_step_{state}")
        return [
            (f"_step_{state}", self.increment(p, state, drift)),
            (self.scratch_slot(p, "start", state), symbol(state)),
            (self.scratch_slot(p, "increment", state), increment),
            (self.slot(p, state), symbol(state) + increment),
        ]

    def _correct(self, p, state, drift):
        both = symbol(f"_increment_{state}") + self.increment(p, state, drift)
        value = symbol(f"_start_{state}") + sympy.Rational(1, 2) * both
        return [(self.slot(p, state), value)]


#: Butcher tableau of Dormand and Prince (1980), RK5(4)7M: nodes, rows, and the error weights
#: (fifth minus fourth order). The last row is the fifth-order solution itself.
_NODES = ("1/5", "3/10", "4/5", "8/9", "1", "1")
_ROWS = (
    ("1/5",),
    ("3/40", "9/40"),
    ("44/45", "-56/15", "32/9"),
    ("19372/6561", "-25360/2187", "64448/6561", "-212/729"),
    ("9017/3168", "-355/33", "46732/5247", "49/176", "-5103/18656"),
    ("35/384", "0", "500/1113", "125/192", "-2187/6784", "11/84"),
)
_ERROR = ("71/57600", "0", "-71/16695", "71/1920", "-17253/339200", "22/525", "-1/40")


class DormandPrince(Stepper):
    """Adaptive fifth-order Runge-Kutta within every grid interval of length dt.

    Each trial has its own step, so a block holds one trial. ``control`` keeps, from call to call,
    the next step, and the numbers of accepted and of rejected steps.
    """

    name = "dormand_prince"
    takes_spikes = False
    has_tangents = False
    scratch = ("start", *(f"k{s}" for s in range(1, 8)))
    extra_arguments = ("rtol", "atol", "control")

    def body(self) -> str:
        attempt = [
            "_h = real(min(control[0], end - now))",
            *self._stages(),
            "error = ZERO",
            "count = ZERO",
            *(self._error_loop(p) for p in range(len(self.structure.populations))),
            "error = math.sqrt(error / max(count, ONE))",
            "# Growth is bounded on both sides; the exponent is that of a fifth-order error.",
            "growth = 0.9 * float(error) ** -0.2 if error > 0 else 10.0",
            "accepted = error <= 1.0",
            "if accepted:",
            "    now = end if _h >= end - now else now + float(_h)",
            "    control[1] += 1",
            "else:",
            "    control[2] += 1",
            textwrap.indent(self._restore(), "    "),
            "if not error < np.inf:  # too large a step overflowed, or the state is not finite",
            "    growth = 0.1",
            "proposal = float(_h) * min(10.0, max(0.1, growth))",
            "# A step cut short by the end of the interval says little about the next one.",
            "if not accepted or proposal > control[0] or float(_h) >= control[0]:",
            "    control[0] = proposal",
            "if control[0] < 1e-14 * max(time_step, now):",
            "    control[3] = 1",
            "    return",
        ]
        return "\n".join(
            [
                "now = step_ * time_step",
                "end = (step_ + 1) * time_step",
                "while now < end:",
                textwrap.indent("\n".join(attempt), "    "),
            ]
        )

    def _stages(self) -> list[str]:
        lines = ["moment = real(now)", self.evaluate("moment")]
        lines.append(self._slope_and_move(1, first=True))
        for s, node in enumerate(_NODES, 2):
            lines.append(f"moment = real(now + {float(sympy.Rational(node))!r} * _h)")
            lines.append(self.evaluate("moment"))
            lines.append(self._slope_and_move(s))
        return lines

    def _slope_and_move(self, s: int, first: bool = False) -> str:
        """Store slope number `s`, then move the state to where the next slope is taken."""

        def assign(p, state, drift):
            slope = symbol(f"_slope_{state}")
            assignments = [(f"_slope_{state}", drift)]
            assignments.append((self.scratch_slot(p, f"k{s}", state), slope))
            start = symbol(state) if first else symbol(f"_start_{state}")
            if first:
                assignments.append((self.scratch_slot(p, "start", state), start))
            if s <= 6:
                known = [symbol(f"_k{j}_{state}") for j in range(1, s)] + [slope]
                move = sympy.Add(
                    *(sympy.Rational(a) * k for a, k in zip(_ROWS[s - 1], known, strict=True))
                )
                assignments.append((self.slot(p, state), start + symbol("_h") * move))
            return assignments

        return self.update_with_h(assign, "moment")

    def update_with_h(self, assign, time: str) -> str:
        loops = [f"t = {time}"]
        for p, population in enumerate(self.structure.populations):
            assignments = []
            for state in population.states:
                assignments += assign(p, state, self.writer.drift(p, state))
            if assignments:
                loops.append(
                    self.writer.loop(p, assignments, views=self.views[p], scalars=("_h",))
                )
        return "\n".join(loops)

    def _error_loop(self, p: int) -> str:
        population = self.structure.populations[p]
        name = self.writer.names[p]
        texts = []
        for state in population.states:
            slots = {k: self.views[p][f"_{k}_{state}"].replace("@", "0, i_") for k in self.scratch}
            now = self.slot(p, state).replace("@", "0, i_")
            error = " + ".join(
                f"real({float(sympy.Rational(e))!r}) * {slots[f'k{j}']}"
                for j, e in enumerate(_ERROR, 1)
                if e != "0"
            )
            texts += [
                f"for i_ in range({name}_size):",
                f"    size = max(abs({slots['start']}), abs({now}))",
                f"    miss = _h * ({error}) / (atol + rtol * size)",
                "    error += miss * miss",
                f"count += {name}_size",
            ]
        return "\n".join(texts)

    def _restore(self) -> str:
        texts = []
        for p, population in enumerate(self.structure.populations):
            for state in population.states:
                start = self.views[p][f"_start_{state}"].replace("@", "0, i_")
                now = self.slot(p, state).replace("@", "0, i_")
                texts.append(f"for i_ in range({self.writer.names[p]}.shape[2]):")
                texts.append(f"    {now} = {start}")
        return "\n".join(texts) or "pass"


STEPPERS = {s.name: s for s in (Euler, RK4, ExponentialEuler, Heun, DormandPrince)}
