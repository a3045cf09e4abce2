"""Populations as Brian2's groups: `GroupPlan` collects what a group needs, then makes it.

Everything of a population becomes a variable of its group under the same name, so that parameters
can be read and changed there: states, algebraic variables, parameters (``(constant)``, with one
value ``(constant, shared)``) and inputs. States that never move by themselves are parameters in
Brian2.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.interop.brian2_text import in_brian2_grammar, quantity, unit_text
from neurodyn.statements import read_statements
from neurodyn.unit_check import import_brian2
from neurodyn.units import SECOND

if TYPE_CHECKING:
    from neurodyn.interop.obstacles import Obstacles
    from neurodyn.population import Population
    from neurodyn.solvers import Solver
    from neurodyn.units import Dimension

#: Names that every group of Brian2 has already.
RESERVED = ("N", "i", "t", "dt", "t_in_timesteps", "lastspike", "not_refractory", "spikes")

#: Our Heun's method; Brian2's own takes the slope of the drift at the beginning only.
HEUN = """
x_support = x + dt*f(x,t) + g(x,t)*dW
second = dt*f(x_support, t+dt)
g_support = g(x_support, t+dt)
x_new = x + .5*dt*f(x,t) + .5*second + .5*dW*(g(x,t) + g_support)
"""
#: Ito's reading of multiplicative noise; Brian2's own ``euler`` refuses it.
EULER_MARUYAMA = "x_new = x + dt*f(x,t) + g(x,t)*dW"


class GroupPlan:
    """What the group of one population is made of.

    Parameters
    ----------
    name : str
        Name of the population.
    population : Population
    obstacles : Obstacles
    """

    def __init__(self, name: str, population: Population, obstacles: Obstacles):
        self.name, self.population, self.obstacles = name, population, obstacles
        self.lines: list[str] = []
        self.values: dict[str, Any] = {}
        self.namespace: dict[str, Any] = {}
        self.runs: list[tuple[str, str]] = []
        equations = population.equations
        self.names = {*equations.variables, *equations.open_names, *RESERVED}
        for taken in (*equations.variables, *equations.open_names):
            if taken in RESERVED or taken.startswith("_") or taken.endswith(("_pre", "_post")):
                obstacles.add(
                    f"{name}.{taken}", "Brian2 keeps such a name for itself; rename the variable"
                )
        self._write_equations()
        for parameter, value in population.parameters.items():
            self.parameter(parameter, equations.dimension(parameter), value, is_new=False)
        self.refractory = None
        if population.is_refractory:
            self.refractory = self.parameter("refractory_time", SECOND, population.refractory)

    # -- equations -----------------------------------------------------------------------------

    def _write_equations(self) -> None:
        brian2 = import_brian2()
        equations = self.population.equations
        parsed = brian2.Equations(self.population.text)
        clamped = equations.spiking.clamped if self.population.is_refractory else ()
        states = {v.name: v for v in equations.states}
        for name, equation in parsed.items():
            if name not in equations.variables:
                continue  # a declaration
            unit = unit_text(equations.dimension(name))
            if name in states and name not in clamped and _stands_still(states[name]):
                self.lines.append(f"{name} : {unit}")
                continue
            left = f"d{name}/dt" if name in states else name
            flag = " (unless refractory)" if name in clamped else ""
            self.lines.append(f"{left} = {in_brian2_grammar(equation.expr.code)} : {unit}{flag}")

    def fresh(self, name: str) -> str:
        """`name`, or what it becomes where that is taken, as a new name."""
        found, k = name, 2
        while found in self.names:
            found, k = f"{name}{k}", k + 1
        self.names.add(found)
        return found

    def parameter(self, name: str, dim: Dimension, value, *, is_new: bool = True) -> str:
        """Declare a constant, one for all or one a unit; returns its name."""
        name = self.fresh(name) if is_new else name
        flags = "constant" if np.ndim(value) else "constant, shared"
        self.lines.append(f"{name} : {unit_text(dim)} ({flags})")
        self.values[name] = value
        return name

    def variable(self, name: str, dim: Dimension) -> None:
        """Declare a number a unit that something else writes; it begins at 0."""
        self.lines.append(f"{name} : {unit_text(dim)}")

    # -- inputs --------------------------------------------------------------------------------

    def add_input(self, name: str, signal, n_rates: int, takes_spikes: bool) -> InputNames:
        """Declare an input.

        Parameters
        ----------
        name : str
        signal : None, float, ndarray (unit,), or ndarray (time, unit or 1) with the time step
            As `(values, dt)`; what drives it from outside.
        n_rates : int
            Number of couplings of rates that end at it.
        takes_spikes : bool
            Whether spikes arrive at it.

        Returns
        -------
        InputNames

        Notes
        -----
        Spikes that arrive are collected, and held at the input for the step that follows: by
        statements that Brian2 runs before anything else of a step.
        """
        dim = self.population.equations.dimension(name)
        n_terms = (signal is not None) + n_rates + takes_spikes

        def term(ending: str) -> str:
            return name if n_terms == 1 else self.fresh(f"{name}_{ending}")

        terms, arriving = [], None
        if signal is not None:
            terms.append(term("signal"))
            self._declare_signal(terms[-1], dim, signal)
        rates = [term("rates") for _ in range(n_rates)]
        terms += rates
        if takes_spikes:
            held, arriving = term("spikes"), self.fresh(f"{name}_arriving")
            terms.append(held)
            self.variable(held, dim)
            self.variable(arriving, dim)
            self.runs.append((f"{held} = {arriving}\n{arriving} = 0*{arriving}", "before_start"))
        for written in rates:
            self.variable(written, dim)
        if not terms:
            self.variable(name, dim)  # nothing fills it; it may be set in Brian2
        elif terms != [name]:
            self.lines.append(f"{name} = {' + '.join(terms)} : {unit_text(dim)}")
        return InputNames(tuple(rates), arriving)

    def _declare_signal(self, name: str, dim: Dimension, signal) -> None:
        if not isinstance(signal, tuple):
            self.parameter(name, dim, signal, is_new=False)
            return
        brian2 = import_brian2()
        values, dt = signal
        array = self.fresh(f"{name}_values")
        by_unit = values.shape[1] > 1
        self.namespace[array] = brian2.TimedArray(
            quantity(values if by_unit else values[:, 0], dim), dt=quantity(dt, SECOND)
        )
        call = f"{array}(t, i)" if by_unit else f"{array}(t)"
        self.lines.append(f"{name} = {call} : {unit_text(dim)} (constant over dt)")

    # -- the group -----------------------------------------------------------------------------

    def make(self, identifier: str, clock, solver: Solver):
        """The group itself, with its values set."""
        brian2 = import_brian2()
        population = self.population
        spiking = population.equations.spiking
        more: dict[str, Any] = {}
        if spiking is not None:
            more["threshold"] = in_brian2_grammar(population.threshold)
            more["reset"] = _reset_text(population.reset or "")
        if self.refractory is not None:
            more["refractory"] = self.refractory
        group = brian2.NeuronGroup(
            population.size,
            "\n".join(self.lines),
            method=self._method(solver),
            namespace=self.namespace,
            clock=clock,
            name=identifier,
            **more,
        )
        for code, when in self.runs:
            group.run_regularly(code, when=when)
        for name, value in self.values.items():
            set_values(group, name, value)
        return group

    def _method(self, solver: Solver):
        """Brian2's method, or ours written for Brian2 where it has none."""
        import_brian2()
        from brian2.stateupdaters.explicit import ExplicitStateUpdater

        equations = self.population.equations
        if solver.method == "heun":
            if len(equations.noise_names) > 1:
                self.obstacles.add(
                    self.name, "Brian2 has no Heun's method for several noise variables"
                )
            return heun()
        if solver.method == "euler" and self._has_multiplicative_noise():
            return ExplicitStateUpdater(EULER_MARUYAMA, stochastic="multiplicative")
        return solver.method

    def _has_multiplicative_noise(self) -> bool:
        from neurodyn.compile.expressions import to_sympy

        equations = self.population.equations
        texts = [text for state in equations.states for text in state.noise.values()]
        used = {s.name for text in texts for s in to_sympy(text).free_symbols}
        return bool(used & {*equations.variables, "t"})

    def check_method(self, group, solver: Solver) -> None:
        """Note it if Brian2 cannot integrate the equations by the solver's method."""
        from brian2.stateupdaters.base import UnsupportedEquationsException

        if self.obstacles:  # something else, of which the message may speak better
            return
        try:
            group.state_updater.update_abstract_code(run_namespace={})
        except UnsupportedEquationsException as error:
            self.obstacles.add(
                self.name,
                f"Brian2's method `{solver.method}` does not integrate its equations "
                f"({str(error).rstrip('.')}); choose another solver",
            )


class InputNames:
    """Variables of a group that make up an input.

    Attributes
    ----------
    rates : tuple of str
        One for each coupling of rates.
    arriving : str or None
        Where spikes arrive.
    """

    def __init__(self, rates: tuple[str, ...], arriving: str | None):
        self.rates, self.arriving = rates, arriving


def heun():
    """Our Heun's method for Brian2."""
    import_brian2()
    from brian2.stateupdaters.explicit import ExplicitStateUpdater

    return ExplicitStateUpdater(HEUN, stochastic="multiplicative")


def set_values(group, name: str, value) -> None:
    """Set a variable of a group to numbers in SI."""
    variable = group.variables[name]
    variable.set_value(np.broadcast_to(np.asarray(value, float), (variable.size,)))


def _stands_still(state) -> bool:
    """Whether a state has the derivative 0, and no noise."""
    from neurodyn.compile.expressions import to_sympy

    return not state.noise and to_sympy(state.expression) == 0


def _reset_text(reset: str) -> str:
    """Reset statements as they are, or, with functions that only we have, written out."""
    statements = [(target, ast.unparse(tree)) for target, tree in read_statements(reset, "`reset`")]
    written = [(target, in_brian2_grammar(text)) for target, text in statements]
    if written == statements:
        lines = re.split(r"[;\n]", re.sub(r"#[^\n]*", "", reset))
        return "\n".join(line.strip() for line in lines if line.strip())
    return "\n".join(f"{target} = {text}" for target, text in written)
