"""What a task is: anything that makes batches of trials.

A task is an object with one method::

    class MyTask:
        def batch(self, rng, trials):     # rng: numpy.random.Generator, trials: int
            ...
            return TrialBatch(inputs, targets, dt=0.01, mask=mask)

It must be a function of its arguments alone: the same generator gives the same batch, so that a
training can be resumed. Two more methods are used if they are there:

``loss(batch)``
    A loss as in `neurodyn.learning.losses`, instead of that of `TrialBatch.loss`.
``metrics(batch, recorded)``
    A dict of numbers by name, such as ``{"accuracy": 0.9}``, of what a run recorded, a dict of
    arrays (trial, sample, unit).

Names of inputs and targets are either full names of a network, ``"E.I_ext"`` and ``"out.y"``, or
names of the task's own, ``"stimulus"`` and ``"choice"``, which the user of the task maps to those
of a network: `TrialBatch.connected`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.learning.losses import CrossEntropy, Loss, MeanSquaredError
from neurodyn.population import listed, suggestion
from neurodyn.units import SECOND, UnitError, to_si


@runtime_checkable
class Task(Protocol):
    """Anything with ``batch(rng, trials) -> TrialBatch``; see the module."""

    def batch(self, rng: np.random.Generator, trials: int) -> TrialBatch: ...


@dataclass(frozen=True, eq=False)
class TrialBatch:
    """Trials of a task: what a network is shown, and what it should do.

    Parameters
    ----------
    inputs : dict of str to ndarray, (trial, time, unit)
        Values of each input at every step, in SI.
    targets : dict of str to ndarray
        Wanted values (trial, time, unit), compared by their mean squared error; or classes,
        integers (trial, time), compared by cross-entropy. Time k is the end of step k, when the
        network has seen inputs 0 to k.
    dt : float or Quantity
        Time of a step, s.
    mask : ndarray or dict of str to ndarray, optional
        Where targets matter: weights, not negative, (time,), (trial, time) or (trial, time, unit);
        of all targets, or by name.
    initial : dict of str to ndarray, (unit,) or (trial, unit), optional
        States at the beginning, where they are not those of the network.
    info : dict of str to ndarray, (trial, ...)
        What else there is to know of each trial: its condition, its right answer.

    Attributes
    ----------
    n_trials, n_steps : int
    duration : float
        ``n_steps * dt``, s.

    Raises
    ------
    ValueError
        For arrays whose trials or times do not agree, with their shapes; for a mask that hides
        everything.
    """

    inputs: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    dt: float
    mask: Any = None
    initial: Mapping[str, np.ndarray] | None = None
    info: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        dt, dim = to_si(self.dt, "dt")
        if dim not in (None, SECOND):
            raise UnitError("`dt` must be a time")
        if np.ndim(dt) or not 0 < dt < np.inf:
            raise ValueError(f"`dt` must be a positive time, s; got {self.dt!r}")
        self._put(dt=float(dt), inputs=self._checked_inputs(), targets=self._checked_targets())
        if not self.inputs and not self.targets:
            raise ValueError("a TrialBatch needs `inputs` or `targets`")
        first, *others = self._shapes().items()
        for name, shape in others:
            if shape != first[1]:
                raise ValueError(
                    f"{name} has (trial, time) = {shape}, but {first[0]} has {first[1]}"
                )
        if 0 in first[1]:
            raise ValueError(f"{first[0]} is empty: (trial, time) = {first[1]}")
        self._put(shape=first[1], initial=self._checked_initial())
        self._put(mask=self._checked_masks())

    def _put(self, **values: Any) -> None:
        for name, value in values.items():
            frozen = MappingProxyType(value) if isinstance(value, dict) else value
            object.__setattr__(self, name, frozen)

    @property
    def n_trials(self) -> int:
        return self.shape[0]

    @property
    def n_steps(self) -> int:
        return self.shape[1]

    @property
    def duration(self) -> float:
        return self.n_steps * self.dt

    def _shapes(self) -> dict[str, tuple[int, int]]:
        found = {f"`inputs[{n!r}]`": a.shape[:2] for n, a in self.inputs.items()}
        found.update({f"`targets[{n!r}]`": a.shape[:2] for n, a in self.targets.items()})
        return found

    def _checked_inputs(self) -> dict[str, np.ndarray]:
        found = {}
        for name, values in self.inputs.items():
            found[name] = real_numbers(values, f"inputs[{name!r}]")
            if found[name].ndim != 3:
                raise ValueError(
                    f"`inputs[{name!r}]` must have the shape (trial, time, unit); got "
                    f"{found[name].shape}"
                )
        return found

    def _checked_targets(self) -> dict[str, np.ndarray]:
        found = {}
        for name, values in self.targets.items():
            classes = np.asarray(values).dtype.kind in "iu" and np.ndim(values) == 2
            array = np.asarray(values) if classes else real_numbers(values, f"targets[{name!r}]")
            if array.ndim != 3 and not classes:
                raise ValueError(
                    f"`targets[{name!r}]` must be numbers (trial, time, unit), or classes, "
                    f"integers (trial, time); got shape {array.shape} of {array.dtype}"
                )
            found[name] = array
        return found

    def _checked_initial(self) -> dict[str, np.ndarray] | None:
        if self.initial is None:
            return None
        return {n: real_numbers(v, f"initial[{n!r}]") for n, v in self.initial.items()}

    def _checked_masks(self) -> dict[str, np.ndarray]:
        """A mask by the name of each target that has one."""
        masks = (
            self.mask if isinstance(self.mask, Mapping) else dict.fromkeys(self.targets, self.mask)
        )
        found = {}
        for name, mask in masks.items():
            if name not in self.targets:
                raise ValueError(
                    f"`mask` is of `{name}`, which is no target"
                    f"{suggestion(name, self.targets) or '.'} Targets: {listed(self.targets)}."
                )
            if mask is None:
                continue
            found[name] = _checked_mask(mask, self.shape, self.targets[name].shape)
        return found

    def connected(self, names: Mapping[str, str]) -> TrialBatch:
        """The same batch with the names of a network.

        Parameters
        ----------
        names : dict of str to str
            ``{"stimulus": "E.I_ext", "choice": "out.y"}``; what is left out keeps its name.
        """
        unknown = set(names) - {*self.inputs, *self.targets, *(self.initial or {})}
        if unknown:
            name = min(unknown)
            known = [*self.inputs, *self.targets]
            raise ValueError(
                f"`connect`: the task has no input or target `{name}`"
                f"{suggestion(name, known) or '.'} It has {listed(known)}."
            )

        def renamed(values):
            return None if values is None else {names.get(n, n): v for n, v in values.items()}

        return replace(
            self,
            inputs=renamed(self.inputs),
            targets=renamed(self.targets),
            mask=renamed(self.mask),
            initial=renamed(self.initial),
        )

    def loss(self) -> Loss:
        """The sum over targets of `MeanSquaredError`, or of `CrossEntropy` where they are classes.

        Raises
        ------
        ValueError
            If there are no targets.
        """
        if not self.targets:
            raise ValueError("the batch has no `targets` to make a loss of; give `loss=`")
        kinds = {2: CrossEntropy, 3: MeanSquaredError}
        losses = [
            kinds[target.ndim](name, target, self.mask.get(name))
            for name, target in self.targets.items()
        ]
        first, *others = losses
        return sum(others, first)


def _checked_mask(mask, shape: tuple[int, int], target: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(mask)
    array = array.astype(float) if array.dtype.kind == "b" else real_numbers(mask, "mask")
    fits = (shape[1:], shape, *([target, (*shape, 1)] if len(target) == 3 else []))
    if array.shape not in fits:
        raise ValueError(
            f"`mask` must have the shape (time,), (trial, time)"
            f"{' or (trial, time, unit)' if len(target) == 3 else ''} of its targets, {target}; "
            f"got {array.shape}"
        )
    if array.min() < 0:
        raise ValueError(f"`mask` must not be negative; got {array.min():g}")
    if not array.any():
        raise ValueError(
            "`mask` hides everything: all its values are 0, so that no output matters at any time"
        )
    return array
