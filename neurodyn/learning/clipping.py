"""Gradients kept from being too large."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np


def global_norm(gradients: Mapping[str, np.ndarray]) -> float:
    """Euclidean norm of all gradients together, without overflow in float32."""
    squares = 0.0
    for gradient in gradients.values():
        flat = np.asarray(gradient).ravel(order="K")
        squares += float(np.vdot(flat, flat))
    if not math.isfinite(squares):  # sums overflow before numbers do
        largest = max(float(np.max(np.abs(g), initial=0)) for g in gradients.values())
        if math.isfinite(largest):
            parts = (np.linalg.norm(np.asarray(g, float) / largest) for g in gradients.values())
            return largest * math.hypot(*parts)
    return math.sqrt(squares)


@dataclass(frozen=True)
class ClipNorm:
    """Scale all gradients together so that their norm is at most `limit`.

    Source: Pascanu, Mikolov, Bengio (2013), ICML 28, 1310, algorithm 1.
    """

    limit: float

    def __post_init__(self):
        _check(self.limit)

    def __call__(self, gradients: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        norm = global_norm(gradients)
        if norm <= self.limit:
            return dict(gradients)
        return {name: g * (self.limit / norm) for name, g in gradients.items()}


@dataclass(frozen=True)
class ClipValue:
    """Cut every number of every gradient to -`limit` to `limit`."""

    limit: float

    def __post_init__(self):
        _check(self.limit)

    def __call__(self, gradients: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.clip(g, -self.limit, self.limit) for name, g in gradients.items()}


def checked_clip(clip: Any) -> Callable | None:
    """What `train` is given as `clip`: a number is the limit of `ClipNorm`."""
    if isinstance(clip, Real):
        return ClipNorm(clip if isinstance(clip, bool) else float(clip))
    if clip is not None and not callable(clip):
        raise TypeError(
            "`clip` must be the largest norm, a number, or a function of gradients such as "
            f"nd.learning.ClipValue(1.0); got {clip!r}"
        )
    return clip


def _check(limit) -> None:
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit < math.inf:
        raise ValueError(f"`limit` must be positive and finite; got {limit!r}")
