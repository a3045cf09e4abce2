"""Units that share their equations: `Population`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import numpy as np

from neurodyn._evaluate import NotConstant, evaluate
from neurodyn.equations import Equations, parse
from neurodyn.statements import RAND
from neurodyn.surrogates import Surrogate, choose
from neurodyn.units import SECOND, Quantity, UnitError, format_dimension, to_si

#: An initial value: a number, an array (unit,), or a function of (Generator, size).
InitialValue = float | np.ndarray | Callable[[np.random.Generator, int], np.ndarray]


class Frozen:
    """An object that is complete once it is made; its dicts are read-only views."""

    def _freeze(self) -> None:
        self.__setstate__({**self.__dict__, "_is_made": True})

    def __setattr__(self, name, value):
        if "_is_made" in self.__dict__:
            raise AttributeError(
                f"a {type(self).__name__} is immutable, `{name}` cannot be set; "
                "`with_values(...)` gives a new one"
            )
        super().__setattr__(name, value)

    def __getstate__(self):
        state = {
            k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in self.__dict__.items()
        }
        state.pop("_compiled", None)  # belongs to this process; another loads it from the cache
        return state

    def __setstate__(self, state):
        for name, value in state.items():
            self.__dict__[name] = MappingProxyType(value) if isinstance(value, dict) else value


class Population(Frozen):
    """Units that share their equations.

    Parameters
    ----------
    size : int
        Number of units.
    equations : str
        Equations in Brian2's grammar, one a line: ``dx/dt = (-x + I)/tau : 1`` is a state,
        ``r = tanh(x) : 1`` an algebraic variable, ``I : amp`` declares the unit of a name that gets
        its value from outside. Noise is written ``xi`` (or ``xi_a``, ``xi_b`` for independent
        ones); ``t`` and ``dt`` are the time and the solver's step. ``spike(x)`` is 1 where x > 0,
        else 0, and gradients pass it by its surrogate.
    threshold : str, optional
        Condition in which a unit spikes, ``"v > v_th"``. ``rand()`` in it is a uniform number in
        [0, 1), new for each unit and step: ``"rand() < rho*dt"``.
    reset : str, optional
        Statements that a spike carries out in its unit, ``"v = v_reset; w += b"``, one a line or
        with ``;`` between them.
    refractory : float, array_like or Quantity, optional
        Time after a spike in which a unit cannot spike and its states marked
        ``(unless refractory)`` in `equations` stand still, s; one for all or one a unit; a multiple
        of the solver's dt. Default 0.
    surrogate : Surrogate, optional
        What gradients take for the derivative of ``spike``, in all equations of the population:
        ``nd.surrogates.FastSigmoid(slope=25)``, the default where the arguments of ``spike`` have
        no unit, or another of `neurodyn.surrogates`.
    **values : float, array_like, Quantity or callable
        Parameters, as one value or one a unit, ``tau=10*nd.ms``; and initial values of states,
        ``x=0.1``, or ``x=lambda rng, size: rng.normal(size=size)``, drawn anew in each trial.
        Plain numbers are in SI. States start at 0 unless said otherwise.

    Raises
    ------
    ValueError
        For a value that the equations do not use, has another shape than ``()`` or ``(size,)``, is
        not finite, or, for a time constant (a name that begins with ``tau``), is not positive; for
        a reset to where the threshold is crossed already.
    neurodyn.EquationError, neurodyn.UnitError
        For equations that cannot be read, or units that do not fit.

    Notes
    -----
    A name that the equations use but nothing gives a value is an input: couplings and signals fill
    it, and it is 0 where nothing does.
    """

    def __init__(
        self,
        size: int,
        equations: str,
        *,
        threshold: str | None = None,
        reset: str | None = None,
        refractory: Any = None,
        surrogate: Surrogate | None = None,
        **values: Any,
    ):
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"`size` must be a positive number of units; got {size!r}")
        if not isinstance(equations, str):
            raise TypeError(f"`equations` must be text; got {type(equations).__name__}")
        _check_spike_texts(threshold, reset, refractory)
        self.size = int(size)
        self.text = equations
        self.threshold, self.reset = threshold, reset
        self.refractory = checked_refractory(refractory, self.size)
        found = {name: _value(name, value) for name, value in values.items()}
        dims = {name: dim for name, (_, dim) in found.items()}
        self.equations: Equations = parse(
            equations, tuple(sorted(dims.items())), threshold, reset
        )
        self.parameters: Mapping[str, float | np.ndarray] = {}
        self.initial: Mapping[str, InitialValue] = {}
        states = {v.name for v in self.equations.states}
        for name, (value, dim) in found.items():
            if name in states:
                self.initial[name] = self._checked_initial(name, value, dim)
            else:
                self.parameters[name] = self._checked_parameter(name, value)
        self._check_divisors()
        self._check_reset()
        self.surrogate = choose(surrogate, self.equations.spike_arguments)
        self._freeze()

    @property
    def settings(self) -> tuple[str, ...]:
        """What `with_values` changes beside parameters and initial states."""
        return ("surrogate", "refractory") if self.is_spiking else ("surrogate",)

    @property
    def compiled_values(self) -> dict[str, float | np.ndarray]:
        """All that compiled code is given: the parameters and the numbers of the surrogate."""
        return {**self.parameters, **(self.surrogate.numbers if self.surrogate else {})}

    @property
    def is_spiking(self) -> bool:
        """Whether its units spike: then ``"population.spike"`` can be coupled and recorded."""
        return self.equations.spiking is not None

    @property
    def is_refractory(self) -> bool:
        """Whether its units rest after a spike."""
        return self.is_spiking and bool(np.any(self.refractory))

    @property
    def emits(self) -> str:
        """What makes its units spike, as `PopulationStructure.spikes` says it."""
        if not self.is_spiking:
            return ""
        is_plain = not (self.is_refractory or self.equations.spiking.reset)
        if self.equations.uses_rand and is_plain and self.chance(1.0) is not None:
            return "chance"
        return "threshold"

    def chance(
        self, dt: float, inputs: Mapping[str, np.ndarray] | None = None
    ) -> float | np.ndarray | None:
        """Probability of a spike in a step of `dt`, if the threshold is nothing but that.

        Parameters
        ----------
        dt : float, s
        inputs : mapping of str to ndarray, optional
            Values of inputs.

        Returns
        -------
        float or ndarray, or None
            None where the threshold is not ``rand() < p`` with a p of parameters, dt and `inputs`.
        """
        condition = ast.parse(self.equations.spiking.threshold, mode="eval").body.args[0]
        if not isinstance(condition, ast.Compare) or not isinstance(condition.ops[0], ast.Lt):
            return None
        if len(condition.ops) > 1 or ast.unparse(condition.left) != RAND:
            return None
        try:
            chance = ast.unparse(condition.comparators[0])
            return evaluate(chance, {**self.parameters, **(inputs or {}), "dt": dt})
        except NotConstant:
            return None

    def _checked_parameter(self, name: str, value) -> float | np.ndarray:
        known = self.equations.open_names
        if name not in known:
            raise ValueError(
                f"`{name}` is given a value, but the equations do not use it"
                f"{suggestion(name, known) or '.'} They use {listed(known)}."
            )
        if callable(value):
            raise TypeError(f"`{name}` is a parameter and must be a number or an array, not code")
        value = checked_array(name, value, self.size)
        if name in self.equations.shared_names and isinstance(value, np.ndarray):
            raise ValueError(f"`{name}` is (shared): it takes one value, got shape {value.shape}")
        if name.startswith("tau") and np.any(np.asarray(value) <= 0):
            worst = np.min(value)
            raise ValueError(f"`{name}` is a time constant and must be positive; got {worst:g}")
        return value

    def _checked_initial(self, name: str, value, dim) -> InitialValue:
        expected = self.equations.dimension(name)
        if dim is not None and dim != expected:
            raise UnitError(
                f"the initial value of `{name}` must be in {format_dimension(expected)}; "
                f"got {format_dimension(dim)}"
            )
        return value if callable(value) else checked_array(name, value, self.size)

    def _check_divisors(self) -> None:
        for name in self.equations.divisors:
            if name not in self.parameters:
                raise ValueError(
                    f"the equations divide by `{name}`, which has no value; "
                    f"give it one: Population(..., {name}=...)"
                    + suggestion(name, [n for n in self.parameters if n != name])
                )

    def _check_reset(self) -> None:
        """Refuse a reset to where the threshold is crossed: the unit would spike in every step."""
        spiking = self.equations.spiking
        if spiking is None or not spiking.reset:
            return
        after = dict(self.parameters)
        try:
            for target, value in spiking.reset:
                after[target] = evaluate(value, after)
            crossed = evaluate(spiking.threshold, after)
        except NotConstant:
            return  # depends on more than parameters
        if np.any(crossed):
            k = int(np.argmax(np.broadcast_to(crossed, (self.size,))))
            values = ", ".join(f"{target} = {np.broadcast_to(after[target], (self.size,))[k]:g}"
                               for target, _ in spiking.reset)  # fmt: skip
            raise ValueError(
                f"`reset` leaves unit {k} beyond its threshold: `{self.threshold}` holds at "
                f"{values} (SI), so it would spike in every step; the reset must lie below the "
                "threshold"
            )

    def with_values(self, **values: Any) -> Population:
        """The same population with other values of some parameters, initial states or refractory.

        Parameters
        ----------
        **values
            As when the population was made.
        """
        refractory = values.pop("refractory", self.refractory)
        surrogate = values.pop("surrogate", self.surrogate)
        merged = self._quantities()
        for name, value in values.items():
            if name not in self.equations.open_names and name not in self.equations.variables:
                known = [*merged, *(v.name for v in self.equations.states)]
                raise ValueError(f"no value `{name}` to change{suggestion(name, known)}")
            merged[name] = value
        return Population(
            self.size,
            self.text,
            threshold=self.threshold,
            reset=self.reset,
            refractory=refractory if self.is_spiking else None,
            surrogate=surrogate,
            **merged,
        )

    def _quantities(self) -> dict[str, Any]:
        """Parameters and initial values with their units."""
        found: dict[str, Any] = {}
        for name, value in {**self.parameters, **self.initial}.items():
            dim = self.equations.dimension(name)
            found[name] = value if callable(value) else Quantity(value, dim)
        return found

    def with_states(self, lines: Sequence[str], values: Mapping[str, Any]) -> Population:
        """The same population with further states, such as the traces of a plasticity rule.

        Parameters
        ----------
        lines : sequence of str
            Equations.
        values : mapping
            Parameters and initial values that they need.
        """
        return Population(
            self.size,
            "\n".join([self.text, *lines]),
            threshold=self.threshold,
            reset=self.reset,
            refractory=self.refractory if self.is_spiking else None,
            surrogate=self.surrogate,
            **self._quantities(),
            **values,
        )

    def __repr__(self) -> str:
        values = ", ".join(f"{n}={_short(v)}" for n, v in self.parameters.items())
        if self.surrogate is not None:
            values += f"{', ' if values else ''}surrogate={self.surrogate!r}"
        states = ", ".join(v.name for v in self.equations.states)
        spikes = f"; spikes if {self.threshold}" if self.is_spiking else ""
        return f"<Population of {self.size}: states {states or 'none'}{spikes}; {values}>"


# -- small helpers -----------------------------------------------------------------------------


def _value(name: str, value):
    return (value, None) if callable(value) else to_si(value, name)


def _check_spike_texts(threshold, reset, refractory) -> None:
    for name, text in (("threshold", threshold), ("reset", reset)):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"`{name}` must be text such as \"v > v_th\"; got {text!r}")
    if threshold is None and (reset is not None or refractory is not None):
        name = "reset" if reset is not None else "refractory"
        raise ValueError(f"`{name}` needs a `threshold`: without one no unit spikes")


def checked_refractory(value, size: int) -> float | np.ndarray:
    """A refractory time, s, or one a unit; 0 for None."""
    number, dim = to_si(0.0 if value is None else value, "refractory")
    if dim not in (None, SECOND):
        raise UnitError(f"`refractory` must be a time; got {format_dimension(dim)}")
    number = checked_array("refractory", number, size)
    if np.any(np.asarray(number) < 0):
        raise ValueError(f"`refractory` must not be negative; got {np.min(number):g} s")
    return number


def checked_array(name: str, value, size: int) -> float | np.ndarray:
    """A finite scalar as float, or a finite array (size,) as a read-only copy."""
    array = np.array(value, dtype=float)
    if array.ndim == 0:
        if not np.isfinite(array):
            raise ValueError(f"`{name}` must be finite; got {value!r}")
        return float(array)
    if array.shape != (size,):
        raise ValueError(
            f"`{name}` must be one number or one a unit, shape ({size},); got shape {array.shape}"
        )
    if not np.all(np.isfinite(array)):
        bad = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"`{name}` must be finite; `{name}[{bad}]` is {array[bad]}")
    array.setflags(write=False)
    return array


def suggestion(name: str, known) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def listed(names) -> str:
    return ", ".join(f"`{n}`" for n in names) or "none"


def _short(value) -> str:
    return f"array{value.shape}" if isinstance(value, np.ndarray) else f"{value:g}"
