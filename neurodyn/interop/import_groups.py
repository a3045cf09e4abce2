"""Brian2's groups as populations: `GroupReader`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.interop.brian2_text import unit_text
from neurodyn.interop.import_names import Names, Reader, Untranslatable, noted, number
from neurodyn.population import Population
from neurodyn.statements import read_statements
from neurodyn.unit_check import expression_dimension
from neurodyn.units import DIMENSIONLESS, SECOND, Dimension, Quantity

if TYPE_CHECKING:
    from neurodyn.interop.obstacles import Obstacles

_CONDITIONS = (ast.Compare, ast.BoolOp)


def base(group):
    """The group itself, or that of which it is a part."""
    from brian2 import Subgroup

    return group.source if isinstance(group, Subgroup) else group


def dimension_of(variable) -> Dimension:
    """Dimension of one of Brian2's variables."""
    return tuple(map(float, variable.dim._dims))


class GroupReader:
    """A NeuronGroup or PoissonGroup, read.

    Parameters
    ----------
    group : brian2.NeuronGroup or PoissonGroup
    changed : set of str
        Parameters that synapses or Poisson input change.
    summed : set of str
        Parameters that synapses write sums to.
    names : Names
    dt : float, s
    obstacles : Obstacles

    Attributes
    ----------
    inputs : dict of str to (TimedArray, Dimension)
        Inputs of the population that a TimedArray drives.
    reads_between_steps : bool
        Whether an expression that is integrated calls a TimedArray.
    """

    def __init__(self, group, changed: set[str], summed: set[str], names: Names, dt: float,
                 obstacles: Obstacles):  # fmt: skip
        self.group, self.names, self.dt, self.obstacles = group, names, dt, obstacles
        self.size = len(group)
        self.summed = summed
        self.inputs: dict[str, tuple[Any, Dimension]] = {}
        self.reads_between_steps = False
        self.used: set[str] = set()
        self.equations = self._equations()
        self.reset = self._statements()
        self.changed = changed | {target for target, _ in self.reset or ()}
        self.reader = Reader(names, self._variable, self._timed_array)

    # -- what there is -------------------------------------------------------------------------

    def _equations(self) -> dict[str, Any]:
        """Equations as the user wrote them, by name."""
        return dict(getattr(self.group, "user_equations", {}))

    def _statements(self) -> list[tuple[str, ast.expr]]:
        code = getattr(self.group, "event_codes", {}).get("spike", "")
        with noted(self.obstacles, self.group.name):
            return read_statements(code, "its reset")
        return []

    def kind(self, name: str) -> str:
        """What an own variable is: "state", "algebraic", "parameter", "input", or nothing."""
        if name in self.summed:
            return "input"
        if name in ("i", "N"):
            return "parameter"
        if name in self.equations:
            kind = self.equations[name].type
            if kind == "parameter" and name in self.changed:
                return "state"
            return {"differential equation": "state", "subexpression": "algebraic"}.get(kind, kind)
        if name == "rates" and hasattr(self.group, "_rates"):
            return "algebraic" if isinstance(self.group._rates, str) else "parameter"
        return ""

    def value(self, name: str) -> float | np.ndarray:
        """The present value of a state or parameter, one number if it is the same for all."""
        if name == "N":
            return float(self.size)
        value = np.array(self.group.variables[name].get_value(), dtype=float)
        return float(value.flat[0]) if np.all(value == value.flat[0]) else value.reshape(-1)

    def _variable(self, name: str) -> str | None:
        """An own variable as it stands in our expressions."""
        if not self.kind(name):
            return None
        self.used.add(name)
        if self.group.variables[name].dtype == bool:
            return f"({name} > 0.5)"  # a condition
        return name

    def _timed_array(self, name: str, array, arguments: list[str]) -> str:
        wanted = ["t"] if array.values.ndim == 1 else ["t", "i"]
        if arguments != wanted:
            raise Untranslatable(
                f"`{name}({', '.join(arguments)})`: a TimedArray can be read as "
                f"`{name}({', '.join(wanted)})` only"
            )
        if array.values.ndim == 2 and array.values.shape[1] < self.size:
            raise Untranslatable(f"the TimedArray `{name}` has too few columns for {self.size}")
        self.inputs[name] = (array, tuple(map(float, array.dim._dims)))
        return name

    # -- the population ------------------------------------------------------------------------

    def population(self) -> Population | None:
        """The population, or None if there are obstacles."""
        before = len(self.obstacles.found)
        self._check_links()
        lines = [line for name in self.equations if (line := self._line(name))]
        if self.kind("rates") == "algebraic":
            with noted(self.obstacles, self.group.name):
                lines.append(f"rates = {self.reader.read(self.group._rates)} : Hz")
        elif not lines and self.kind("rates"):
            lines.append("rates : Hz")
        spiking = self._spiking()
        if len(self.obstacles.found) > before:
            return None
        lines += [f"{name} : {unit_text(dim)}" for name, (_, dim) in self.inputs.items()]
        with noted(self.obstacles, self.group.name):
            return Population(self.size, "\n".join(lines), **spiking, **self._values())
        return None

    def _line(self, name: str) -> str:
        """One line of equations."""
        equation = self.equations[name]
        kind = self.kind(name)
        if kind == "parameter":
            return ""
        unit = unit_text(dimension_of(equation))
        with noted(self.obstacles, self.group.name):
            if kind == "input":
                return f"{name} : {unit}"
            if equation.type == "parameter":
                return f"d{name}/dt = 0*{name}/second : {unit}"
            had = set(self.inputs)
            text = self.reader.read(equation.expr.code)
            if set(self.inputs) - had:
                self.reads_between_steps |= "constant over dt" not in equation.flags
            if kind == "algebraic":
                self._check_constant_over_dt(equation, text)
                return f"{name} = {text} : {unit}"
            flag = " (unless refractory)" if "unless refractory" in equation.flags else ""
            is_refractory = self.group._refractory is not False
            return f"d{name}/dt = {text} : {unit}{flag if is_refractory else ''}"
        return ""

    def _check_constant_over_dt(self, equation, text: str) -> None:
        """Refuse what Brian2 holds over a step and we would not."""
        if "constant over dt" not in equation.flags:
            return
        used = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
        moving = [n for n in used if n == "t" or self.kind(n) in ("state", "algebraic")]
        if moving:
            raise Untranslatable(
                f"`{equation.varname}` is (constant over dt) and depends on `{min(moving)}`, "
                "which changes within a step"
            )

    def _spiking(self) -> dict[str, Any]:
        """Threshold, reset and refractory time, as `Population` takes them."""
        threshold = self.group.events.get("spike") if hasattr(self.group, "events") else None
        if threshold is None:
            return {}
        found: dict[str, Any] = {}
        with noted(self.obstacles, self.group.name):
            found["threshold"] = self.reader.read(threshold)
        with noted(self.obstacles, self.group.name):
            lines = []
            for target, tree in self.reset:
                if self.kind(target) != "state":
                    raise Untranslatable(f"its reset changes `{target}`, which is no variable")
                lines.append(f"{target} = {ast.unparse(self.reader.tree(tree))}")
            if lines:
                found["reset"] = "\n".join(lines)
        with noted(self.obstacles, self.group.name):
            if getattr(self.group, "_refractory", False) is not False:
                found["refractory"] = self._refractory()
        return found

    def _refractory(self):
        """The refractory time in whole steps, counted as Brian2 does."""
        from brian2.core.functions import timestep

        given = self.group._refractory
        if isinstance(given, str):
            if isinstance(ast.parse(given.strip(), mode="eval").body, _CONDITIONS):
                raise Untranslatable(
                    f"refractory='{given}' is a condition; only a time can be taken over"
                )
            value, dim = self.constant(given)
            if dim != SECOND:
                raise Untranslatable(f"refractory='{given}' is no time")
        else:
            value = float(given)
        return np.asarray(timestep(np.asarray(value, float), self.dt)) * self.dt

    def constant(self, text: str) -> tuple[Any, Dimension]:
        """Value and dimension of an expression of parameters and constants."""
        reader = Reader(self.names, lambda name: name if self.kind(name) else None)
        rewritten = reader.read(text)
        values, dims = {}, {}
        for name in {n.id for n in ast.walk(ast.parse(rewritten)) if isinstance(n, ast.Name)}:
            if self.kind(name) == "parameter":
                values[name] = self.value(name)
                dims[name] = dimension_of(self.group.variables[name])
            elif self.kind(name) or name in ("t", "dt"):
                raise Untranslatable(f"`{text}` depends on `{name}`, which is not constant")
        for name, (value, dim) in reader.constants.items():
            values[name], dims[name] = value, dim or DIMENSIONLESS
        return number(rewritten, values), expression_dimension(rewritten, dims)

    def _values(self) -> dict[str, Any]:
        """Parameters and initial values."""
        found: dict[str, Any] = {}
        for name, (value, dim) in self.reader.constants.items():
            found[name] = Quantity(value, dim or DIMENSIONLESS)
        names = [*self.equations, *(n for n in ("i", "N", "rates") if self.kind(n))]
        for name in names:
            kind = self.kind(name)
            if kind == "state" or (kind == "parameter" and name in self.used):
                found[name] = Quantity(self.value(name), dimension_of(self.group.variables[name]))
        return found

    def _check_links(self) -> None:
        for name, equation in self.equations.items():
            if "linked" in equation.flags:
                self.obstacles.add(
                    f"{self.group.name}.{name}", "it is linked to a variable of another group"
                )


def timed_values(array, dt: float, n_units: int) -> TimedValues:
    """The values of a TimedArray as a function of time."""
    values = array.values if array.values.ndim == 1 else array.values[:, :n_units]
    return TimedValues(values, array.dt, dt, tuple(map(float, array.dim._dims)))


class TimedValues:
    """Values at times, as Brian2's TimedArray gives them: held, the last one for ever.

    Parameters
    ----------
    values : ndarray, (time,) or (time, unit)
    interval : float, s
        Between two values.
    dt : float, s
        Step of the group that reads them.
    dim : Dimension
    """

    def __init__(self, values: np.ndarray, interval: float, dt: float, dim: Dimension):
        self.values, self.interval, self.dt, self.dim = values, interval, dt, dim

    def __call__(self, t: np.ndarray) -> Quantity:
        # Brian2's own rounding, which keeps multiples of dt in the right interval
        fine = max(int(2 ** np.ceil(np.log2(8 / self.dt * self.interval))), 1)
        index = np.int_(np.round(t / (self.interval / fine)) / fine)
        return Quantity(self.values[np.clip(index, 0, len(self.values) - 1)], self.dim)


def namespace_of(namespace: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the user gave as namespace, checked."""
    if namespace is None:
        return {}
    if not isinstance(namespace, Mapping):
        raise TypeError(
            f'`namespace` must be a dict of names, {{"tau": 10*ms}}; got {namespace!r:.60}'
        )
    return dict(namespace)
