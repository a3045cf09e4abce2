"""Parametrisations: constraints on what is trained, as functions of free numbers.

The optimiser moves an array of free numbers, ``raw``; the network has ``to_value(raw)``, which
keeps the constraint whatever `raw` is. The gradient by the value is pulled back exactly, by the
transposed derivative of that function::

    value = p.to_value(raw)
    raw = p.to_raw(value)                    # ValueError if the value breaks the constraint
    gradient_raw = p.pull_back(raw, gradient_value)

``first.then(second)`` is one after the other: ``DalesLaw(signs).then(Masked(mask))``. Constraints
on whole matrices (orthogonal, unitary, low-rank, of bounded norm) are in
`neurodyn.learning.matrix_parametrisations`, those that keep a network contracting in
`neurodyn.learning.contraction_parametrisations`. Values are in SI.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodyn._arrays import read_only, real_numbers


class Parametrisation(ABC):
    """What the parametrisations share: a subclass gives the three functions."""

    @abstractmethod
    def to_value(self, raw: np.ndarray) -> np.ndarray:
        """The value that free numbers stand for."""

    @abstractmethod
    def to_raw(self, value: np.ndarray) -> np.ndarray:
        """Free numbers that stand for `value`.

        Raises
        ------
        ValueError
            If `value` breaks the constraint, with the constraint and where.
        """

    @abstractmethod
    def pull_back(self, raw: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """The gradient by `raw` from that by the value."""

    def fitted(self, value: np.ndarray) -> Parametrisation:
        """This one, with what it takes from the value that training begins with, often nothing."""
        return self

    def then(self, other: Parametrisation) -> Parametrisation:
        """This one, and `other` of its value."""
        return Composed(self, other)

    def _broken(self, rule: str, value: np.ndarray, bad: np.ndarray | None = None) -> ValueError:
        """The error of a value that breaks the constraint, at the first place of `bad`."""
        where = ""
        if bad is not None:
            place = tuple(int(k) for k in np.argwhere(bad)[0])
            where = f"; got {value[place]:.6g} at {list(place)}"
        return ValueError(f"the value breaks the constraint {type(self).__name__}: {rule}{where}")


@dataclass(frozen=True, eq=False)
class Composed(Parametrisation):
    """One parametrisation after another, see `Parametrisation.then`."""

    first: Parametrisation
    second: Parametrisation

    def to_value(self, raw):
        return self.second.to_value(self.first.to_value(raw))

    def to_raw(self, value):
        return self.first.to_raw(self.second.to_raw(value))

    def pull_back(self, raw, gradient):
        middle = self.first.to_value(raw)
        return self.first.pull_back(raw, self.second.pull_back(middle, gradient))

    def fitted(self, value):
        second = self.second.fitted(value)
        return Composed(self.first.fitted(second.to_raw(value)), second)


# -- number by number --------------------------------------------------------------------------


@dataclass(frozen=True)
class Positive(Parametrisation):
    """Greater than `minimum`: ``minimum + f(raw)``.

    Parameters
    ----------
    minimum : float or Quantity
        Default 0.
    kind : {"softplus", "exp"}
        f: ``log(1 + exp(raw))``, or ``exp(raw)``, with which steps are relative to the value.
    """

    minimum: Any = 0.0
    kind: str = "softplus"

    def __post_init__(self):
        if self.kind not in ("softplus", "exp"):
            raise ValueError(f'`kind` must be "softplus" or "exp"; got {self.kind!r}')
        object.__setattr__(self, "minimum", _number(self.minimum, "minimum"))

    def to_value(self, raw):
        if self.kind == "exp":
            return np.exp(raw) + self.minimum
        return np.maximum(raw, 0) + np.log1p(np.exp(-np.abs(raw))) + self.minimum

    def to_raw(self, value):
        above = value - self.minimum
        if not np.all(above > 0):
            raise self._broken(f"all must be greater than {self.minimum:g}", value, ~(above > 0))
        return np.log(above) if self.kind == "exp" else above + np.log(-np.expm1(-above))

    def pull_back(self, raw, gradient):
        return gradient * (np.exp(raw) if self.kind == "exp" else _sigmoid(raw))


@dataclass(frozen=True, eq=False)
class Bounded(Parametrisation):
    """Between two numbers: ``low + (high - low) / (1 + exp(-raw))``.

    Parameters
    ----------
    low, high : float, array_like or Quantity
        One for all or one each; low < high.
    """

    low: Any
    high: Any

    def __post_init__(self):
        low, high = (real_numbers(b, n) for b, n in ((self.low, "low"), (self.high, "high")))
        try:
            ordered = np.all(low < high)
        except ValueError:
            raise ValueError(
                f"`low` and `high` must fit each other; got shapes {low.shape} and {high.shape}"
            ) from None
        if not ordered:
            raise ValueError(f"`low` must be below `high`; got {self.low!r} and {self.high!r}")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def to_value(self, raw):
        part = _sigmoid(raw)
        return (self.low + (self.high - self.low) * part).astype(part.dtype, copy=False)

    def to_raw(self, value):
        for name in ("low", "high"):
            shape = getattr(self, name).shape
            try:
                fits = np.broadcast_shapes(shape, value.shape) == value.shape
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(f"`{name}` has shape {shape}, but the value {value.shape}")
        bad = ~((value > self.low) & (value < self.high))
        if bad.any():
            raise self._broken(
                f"all must lie between {np.min(self.low):g} and {np.max(self.high):g}, without the "
                "ends",
                value,
                bad,
            )
        return (np.log(value - self.low) - np.log(self.high - value)).astype(value.dtype)

    def pull_back(self, raw, gradient):
        part = _sigmoid(raw)
        found = gradient * (self.high - self.low) * part * (1 - part)
        return found.astype(part.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class DalesLaw(Parametrisation):
    """Every presynaptic unit excites or inhibits: ``sign[pre] * |W[post, pre]|``.

    Parameters
    ----------
    signs : array_like, (n_pre,)
        1 or -1 for each presynaptic unit (column).
    kind : {"absolute", "softplus", "exp"}
        Size of a weight: ``|raw|``, the default, which can be 0 (the gradient there is that of
        positive raw); or a function that is positive.

    Source: Song, Yang, Wang (2016), PLoS Computational Biology 12, e1004792, who rectify, where a
    weight that has come to 0 has no gradient any more.
    """

    signs: Any
    kind: str = "absolute"

    def __post_init__(self):
        signs = real_numbers(self.signs, "signs")
        if signs.ndim != 1 or not np.all(np.abs(signs) == 1):
            raise ValueError("`signs` must be 1 or -1 for each presynaptic unit (column)")
        if self.kind not in ("absolute", "softplus", "exp"):
            raise ValueError(f'`kind` must be "absolute", "softplus" or "exp"; got {self.kind!r}')
        object.__setattr__(self, "signs", read_only(signs.copy()))

    def _signs(self, array):
        if array.ndim != 2 or array.shape[1] != self.signs.size:
            raise ValueError(
                f"`signs` has {self.signs.size} presynaptic units, but the weights [post, pre] "
                f"have the shape {array.shape}"
            )
        return self.signs.astype(array.dtype)

    def to_value(self, raw):
        signs = self._signs(raw)
        sizes = np.abs(raw) if self.kind == "absolute" else Positive(0.0, self.kind).to_value(raw)
        return sizes * signs

    def to_raw(self, value):
        sizes = value * self._signs(value)
        strict = self.kind != "absolute"
        bad = sizes <= 0 if strict else sizes < 0
        if bad.any():
            zero = ' (no weight can be 0; kind="absolute" allows it)' if strict else ""
            raise self._broken(f"a column must have the sign of its unit{zero}", value, bad)
        return np.abs(sizes) if not strict else Positive(0.0, self.kind).to_raw(sizes)

    def pull_back(self, raw, gradient):
        gradient = gradient * self._signs(raw)
        if self.kind == "absolute":
            return np.where(raw < 0, -gradient, gradient)
        return Positive(0.0, self.kind).pull_back(raw, gradient)


# -- linear ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Masked(Parametrisation):
    """Zero where the mask is: ``mask * raw``.

    Parameters
    ----------
    mask : array_like of bool
        Where values may differ from 0, in the shape of the value.
    """

    mask: Any

    def __post_init__(self):
        object.__setattr__(self, "mask", _boolean(self.mask, "mask"))

    def to_value(self, raw):
        return np.where(self.mask, raw, raw.dtype.type(0))

    def to_raw(self, value):
        _check_shape(self.mask, value, "mask")
        bad = ~self.mask & (value != 0)
        if bad.any():
            raise self._broken("all outside the mask must be 0", value, bad)
        return value.copy()

    def pull_back(self, raw, gradient):
        return np.where(self.mask, gradient, gradient.dtype.type(0))


@dataclass(frozen=True, eq=False)
class OnPattern(Parametrisation):
    """A full array with entries on a pattern alone; `raw` has those, (nnz,), row by row.

    Moments of an optimiser are then as many as entries. Sparse weights need no parametrisation:
    their ``data`` are on their pattern already.

    Parameters
    ----------
    pattern : array_like of bool, or SciPy sparse matrix
        Where there are entries, in the shape of the value.
    """

    pattern: Any

    def __post_init__(self):
        pattern = self.pattern
        if hasattr(pattern, "toarray"):
            pattern = pattern.toarray() != 0
        object.__setattr__(self, "pattern", _boolean(pattern, "pattern"))

    def to_value(self, raw):
        value = np.zeros(self.pattern.shape, raw.dtype)
        value[self.pattern] = raw
        return value

    def to_raw(self, value):
        _check_shape(self.pattern, value, "pattern")
        bad = ~self.pattern & (value != 0)
        if bad.any():
            raise self._broken("all outside the pattern must be 0", value, bad)
        return value[self.pattern]

    def pull_back(self, raw, gradient):
        return gradient[self.pattern]


@dataclass(frozen=True)
class Symmetric(Parametrisation):
    """``W = W.T``: ``(raw + raw.T) / 2``."""

    def to_value(self, raw):
        return (raw + raw.T) / 2

    def to_raw(self, value):
        _check_square(value, self)
        bad = np.abs(value - value.T) > _tolerance(value)
        if bad.any():
            raise self._broken("the matrix must equal its transpose", value, bad)
        return value.copy()

    def pull_back(self, raw, gradient):
        return (gradient + gradient.T) / 2


@dataclass(frozen=True)
class SkewSymmetric(Parametrisation):
    """``W = -W.T``: ``(raw - raw.T) / 2``."""

    def to_value(self, raw):
        return (raw - raw.T) / 2

    def to_raw(self, value):
        _check_square(value, self)
        bad = np.abs(value + value.T) > _tolerance(value)
        if bad.any():
            raise self._broken("the matrix must equal minus its transpose", value, bad)
        return value.copy()

    def pull_back(self, raw, gradient):
        return (gradient - gradient.T) / 2


# -- small helpers -----------------------------------------------------------------------------


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # the tanh does not overflow
    return (np.tanh(x / 2) + 1) / 2


def _tolerance(value: np.ndarray) -> float:
    """What rounding may have changed in a matrix."""
    return 100 * np.finfo(value.dtype).eps * max(float(np.max(np.abs(value), initial=0)), 1e-300)


def _check_matrix(value: np.ndarray, what: Parametrisation) -> None:
    if value.ndim != 2:
        raise ValueError(
            f"{type(what).__name__} constrains a matrix; the value has shape {value.shape}"
        )


def _check_square(value: np.ndarray, what: Parametrisation) -> None:
    if value.ndim != 2 or value.shape[0] != value.shape[1]:
        raise ValueError(
            f"{type(what).__name__} constrains a square matrix; the value has shape {value.shape}"
        )


def _check_shape(given: np.ndarray, value: np.ndarray, name: str) -> None:
    if given.shape != value.shape:
        raise ValueError(f"`{name}` has shape {given.shape}, but the value {value.shape}")


def _number(value, name: str) -> float:
    number = real_numbers(value, name)
    if number.ndim:
        raise ValueError(f"`{name}` must be one number; got shape {number.shape}")
    return float(number)


def _boolean(mask, name: str) -> np.ndarray:
    array = np.asarray(mask)
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise ValueError(f"`{name}` must be True or False everywhere; got {array.dtype}")
    array = array.astype(bool)
    if not array.any():
        raise ValueError(f"`{name}` is False everywhere: there is nothing to train")
    return read_only(array)
