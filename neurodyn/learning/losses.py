"""Losses of what a run records: a value, and its derivative by every recorded number.

A loss is anything that can be called as ``loss(recorded)``, with ``recorded`` a dict of arrays
(trial, sample, unit) by full name, and returns ``(value, cotangents)``, the derivatives of the
value in a dict of arrays of the same shapes; names left out have none. What it needs is its
attribute ``record``, a tuple of names, if it has one. The losses here are such, and add up: ``a +
0.1 * b``.

Sample k is taken at the end of step ``(k + 1) * every``, when the network has seen inputs 0 to k.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neurodyn._arrays import read_only, real_numbers

#: What a loss is called with, and what it returns.
Recorded = Mapping[str, np.ndarray]
LossFunction = Callable[[Recorded], tuple[float, dict[str, np.ndarray]]]


class Loss:
    """What the losses share: a subclass gives `record` and `__call__`."""

    record: tuple[str, ...] = ()

    def __call__(self, recorded: Recorded) -> tuple[float, dict[str, np.ndarray]]:
        raise NotImplementedError

    def __add__(self, other: Any) -> Loss:
        return WeightedSum((self, other), (1.0, 1.0)) if callable(other) else NotImplemented

    def __radd__(self, other: Any) -> Loss:
        if isinstance(other, int) and other == 0:  # where `sum` begins
            return self
        return WeightedSum((other, self), (1.0, 1.0)) if callable(other) else NotImplemented

    def __mul__(self, factor: float) -> Loss:
        return WeightedSum((self,), (float(factor),))

    __rmul__ = __mul__


class WeightedSum(Loss):
    """A sum of losses, each times a number; ``a + 0.1 * b`` makes one."""

    def __init__(self, losses: tuple[LossFunction, ...], factors: tuple[float, ...]):
        self.losses, self.factors = losses, factors
        names = [name for loss in losses for name in getattr(loss, "record", ())]
        self.record = tuple(dict.fromkeys(names))

    def __call__(self, recorded: Recorded) -> tuple[float, dict[str, np.ndarray]]:
        total, cotangents = 0.0, {}
        for loss, factor in zip(self.losses, self.factors, strict=True):
            value, found = value_and_cotangents(loss, recorded)
            total += factor * value
            for name, cotangent in found.items():
                scaled = factor * np.asarray(cotangent)
                cotangents[name] = cotangents[name] + scaled if name in cotangents else scaled
        return total, cotangents


class MeanSquaredError(Loss):
    """Mean of ``(y - target)**2`` over trials, samples and units, weighted by a mask.

    Parameters
    ----------
    variable : str
        Full name, ``"out.y"``.
    target : array_like, (trial, sample, unit)
        Or what NumPy broadcasts to that.
    mask : array_like, (sample,), (trial, sample) or (trial, sample, unit), optional
        Weights, not negative: 0 where an output does not matter. The mean is over their sum.
    """

    def __init__(self, variable: str, target, mask=None):
        self.record = (variable,)
        self.target = real_numbers(target, "target")
        self.mask = _checked_mask(mask)

    def __call__(self, recorded: Recorded) -> tuple[float, dict[str, np.ndarray]]:
        (variable,) = self.record
        y = recorded[variable]
        error = y - _fitted(self.target.astype(y.dtype, copy=False), y.shape, "target", variable)
        weights = _weights(self.mask, y.shape)
        if weights is None:
            return float(np.vdot(error, error)) / y.size, {variable: error * (2 / y.size)}
        total = float(weights.sum(dtype=float))
        cotangent = error * weights.astype(y.dtype, copy=False)
        value = float(np.vdot(cotangent, error)) / total
        return value, {variable: cotangent * y.dtype.type(2 / total)}


class CrossEntropy(Loss):
    """Mean of ``-log softmax(y)[target]`` over trials and samples, weighted by a mask.

    Parameters
    ----------
    variable : str
        Full name of the logits, one unit a class.
    target : array_like of int, (trial, sample), (trial, 1) or (sample,)
        The right class.
    mask : array_like, (sample,) or (trial, sample), optional
        Weights, not negative. The mean is over their sum.
    """

    def __init__(self, variable: str, target, mask=None):
        self.record = (variable,)
        classes = np.asarray(target)
        if classes.dtype.kind not in "iu" or classes.ndim > 2:
            raise ValueError(
                "`target` must be classes, integers (trial, sample); got shape "
                f"{classes.shape} of {classes.dtype}"
            )
        self.target, self.mask = read_only(classes.copy()), _checked_mask(mask)

    def __call__(self, recorded: Recorded) -> tuple[float, dict[str, np.ndarray]]:
        (variable,) = self.record
        y = recorded[variable]
        target = _fitted(self.target, y.shape[:2], "target", variable)
        if target.min() < 0 or target.max() >= y.shape[2]:
            raise ValueError(
                f"`target` has classes {target.min()} to {target.max()}, and `{variable}` has "
                f"{y.shape[2]} units: classes are 0 to {y.shape[2] - 1}"
            )
        weights = _weights(self.mask, (*y.shape[:2], 1))
        if weights is None:
            weights = np.ones((*y.shape[:2], 1), y.dtype)
        shifted = y - y.max(axis=2, keepdims=True)
        powers = np.exp(shifted)
        sums = powers.sum(axis=2, keepdims=True)
        chosen = np.take_along_axis(shifted, target[..., None], axis=2)
        total = float(weights.sum(dtype=float))
        value = float((weights * (np.log(sums) - chosen)).sum(dtype=float)) / total
        cotangent = powers / sums
        right = np.take_along_axis(cotangent, target[..., None], axis=2) - 1
        np.put_along_axis(cotangent, target[..., None], right, axis=2)
        return value, {variable: cotangent * (weights / total).astype(y.dtype, copy=False)}


def value_and_cotangents(loss: LossFunction, recorded: Recorded) -> tuple[float, Mapping]:
    """What a loss says of a run, checked to be a number and a dict.

    Raises
    ------
    TypeError
        If it is anything else, with what a loss returns.
    """
    found = loss(recorded)
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(
            "`loss` must return (value, cotangents), a number and its derivatives in a dict of "
            f"arrays by name; got {type(found).__name__}"
        )
    value, cotangents = found
    if np.ndim(value) or np.asarray(value).dtype.kind not in "iuf":
        shape = f" of shape {np.shape(value)}" if np.ndim(value) else ""
        raise TypeError(
            f"`loss` must return one number as its value; got {type(value).__name__}{shape}"
        )
    if not isinstance(cotangents, Mapping):
        raise TypeError(
            "`loss` must return (value, cotangents) with a dict of arrays by name; got "
            f"{type(cotangents).__name__}"
        )
    return float(value), cotangents


def _checked_mask(mask) -> np.ndarray | None:
    if mask is None:
        return None
    array = np.asarray(mask)
    array = array.astype(float) if array.dtype.kind == "b" else real_numbers(mask, "mask")
    if not array.size:
        raise ValueError(f"`mask` must have a weight for each sample; got shape {array.shape}")
    if array.ndim not in (1, 2, 3) or array.min() < 0 or not array.any():
        raise ValueError(
            "`mask` must be weights (sample,), (trial, sample) or (trial, sample, unit), not "
            f"negative and not all 0; got shape {array.shape} from {array.min():g} to "
            f"{array.max():g}"
        )
    return array


def _fitted(values: np.ndarray, shape: tuple[int, ...], name: str, variable: str) -> np.ndarray:
    try:
        return np.broadcast_to(values, shape)
    except ValueError:
        raise ValueError(
            f"`{name}` has shape {values.shape}, and what is recorded of `{variable}` "
            f"{shape}; samples are those at the ends of steps, so T steps have T"
        ) from None


def _weights(mask: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """The mask as an array of `shape`, (trial, sample, unit)."""
    if mask is None:
        return None
    given = mask[:, None] if mask.ndim == 1 else mask[..., None] if mask.ndim == 2 else mask
    try:
        return np.broadcast_to(given, shape)
    except ValueError:
        raise ValueError(
            f"`mask` has shape {mask.shape}, which does not fit (trial, sample, unit) = {shape}"
        ) from None
