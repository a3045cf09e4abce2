"""Schedules of the learning rate: a factor on that of the optimiser, by step.

A schedule is anything that can be called with the number of a step, from 0, and returns a factor.
Those here multiply, ``LinearWarmUp(100) * Cosine(2000)``, and follow one another,
``Constant().then(Exponential(0.999), at=500)``, where the second counts its steps from 0 again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from neurodyn._arrays import checked_count


class Schedule:
    """What the schedules share: a subclass gives ``__call__(step)``."""

    def __call__(self, step: int) -> float:
        raise NotImplementedError

    def __mul__(self, other: Any) -> Schedule:
        other = Constant(other) if isinstance(other, (int, float)) else other
        return Product(self, other) if callable(other) else NotImplemented

    __rmul__ = __mul__

    def then(self, other: Callable[[int], float] | float, at: int) -> Schedule:
        """This schedule before step `at`, and from there `other`, which sees ``step - at``."""
        other = Constant(other) if isinstance(other, (int, float)) else other
        return Then(self, other, checked_count(at, "at"))


@dataclass(frozen=True)
class Product(Schedule):
    """The product of two schedules."""

    first: Callable[[int], float]
    second: Callable[[int], float]

    def __call__(self, step: int) -> float:
        return self.first(step) * self.second(step)


@dataclass(frozen=True)
class Then(Schedule):
    """One schedule after another, see `Schedule.then`."""

    first: Callable[[int], float]
    second: Callable[[int], float]
    at: int

    def __call__(self, step: int) -> float:
        return self.first(step) if step < self.at else self.second(step - self.at)


@dataclass(frozen=True)
class Constant(Schedule):
    """Always `factor`, default 1."""

    factor: float = 1.0

    def __post_init__(self):
        _check_factor(self.factor, "factor")

    def __call__(self, step: int) -> float:
        return self.factor


@dataclass(frozen=True)
class StepDecay(Schedule):
    """``factor ** (step // every)``: a jump every so many steps."""

    every: int
    factor: float = 0.1

    def __post_init__(self):
        checked_count(self.every, "every")
        _check_factor(self.factor, "factor")

    def __call__(self, step: int) -> float:
        return self.factor ** (step // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """``factor ** step``."""

    factor: float

    def __post_init__(self):
        _check_factor(self.factor, "factor")

    def __call__(self, step: int) -> float:
        return self.factor**step


@dataclass(frozen=True)
class Cosine(Schedule):
    """From 1 at step 0 along half a cosine to `final` at step `steps`, and there it stays.

    Source: Loshchilov and Hutter (2017), ICLR, eq. 5, without restarts.
    """

    steps: int
    final: float = 0.0

    def __post_init__(self):
        checked_count(self.steps, "steps")
        _check_factor(self.final, "final")

    def __call__(self, step: int) -> float:
        part = min(step / self.steps, 1.0)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * part)) / 2


@dataclass(frozen=True)
class LinearWarmUp(Schedule):
    """``(step + 1) / steps`` up to 1: the first of `steps` steps is short, the last one whole."""

    steps: int

    def __post_init__(self):
        checked_count(self.steps, "steps")

    def __call__(self, step: int) -> float:
        return min((step + 1) / self.steps, 1.0)


def factor_at(schedule: Callable[[int], float], step: int) -> float:
    """The factor of a step, checked."""
    factor = schedule(step)
    good = isinstance(factor, Real) and not isinstance(factor, bool)
    if not good or not 0 <= factor < math.inf:
        raise ValueError(
            "`schedule` must give a factor on the learning rate, a finite number of at least 0; "
            f"at step {step} it gave {factor!r}"
        )
    return float(factor)


def _check_factor(value, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be a finite number of at least 0; got {value!r}")
