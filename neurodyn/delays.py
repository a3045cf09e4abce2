"""Delays of synapses, kept small: the different ones, and which of them each synapse has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import read_only

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

#: Delays that differ by less than this part of the longest one are the same.
_SAME = 1e-9
#: Different delays on an even grid that are looked for: an index of them has 16 bits.
_MOST = 1 << 16
#: Synapses that are worked on at once: what they need stays in the cache.
_AT_ONCE = 1 << 18


class SynapseDelays:
    """One delay a synapse, as an array of times: ``numpy.asarray`` of it gives one.

    Delays are multiples of a time step, so there are few different ones: a large network needs one
    byte a synapse instead of eight.

    Parameters
    ----------
    times : array_like, (nnz,)
        s. Times that differ by rounding alone (a part in 10^9 of the longest) count as one.

    Attributes
    ----------
    values : ndarray, (n_delays,)
        The different delays, ascending, s.
    index : ndarray of uint8, uint16 or int64, (nnz,)
        Which of them each synapse has.
    """

    ndim = 1

    def __init__(self, times: ArrayLike):
        times = np.asarray(times, dtype=float).reshape(-1)
        found = _on_a_grid(times) if times.size else None
        if found is None:
            values, index = np.unique(times, return_inverse=True)
            found = values, index.reshape(-1)
        self.values, self.index = (read_only(array) for array in found)

    @classmethod
    def of_steps(cls, steps: ArrayLike, dt: float) -> SynapseDelays:
        """Delays of `steps` (nnz,), whole numbers that are not negative, times `dt` (s).

        Where delays are drawn in steps: it needs no array of times, and nothing to be looked for.
        """
        steps = np.asarray(steps)
        if steps.ndim != 1 or steps.dtype.kind not in "iu" or (steps.size and steps.min() < 0):
            raise ValueError(
                f"`steps` must be a list of whole numbers, none negative; got {steps!r:.60}"
            )
        used = np.bincount(steps) > 0
        index_of = (np.cumsum(used) - 1).astype(_narrow(used.sum()))
        self = object.__new__(cls)
        self.values = read_only(np.flatnonzero(used) * float(dt))
        self.index = read_only(index_of[steps])
        return self

    @property
    def size(self) -> int:
        """Number of synapses."""
        return self.index.size

    @property
    def shape(self) -> tuple[int]:
        """``(nnz,)``."""
        return self.index.shape

    def __len__(self) -> int:
        return self.size

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return self.values.astype(dtype or float)[self.index]

    def __getitem__(self, key: Any) -> Any:
        return self.values[self.index[key]]

    def min(self) -> float:
        """The shortest, s."""
        return float(self.values[0])

    def max(self) -> float:
        """The longest, s."""
        return float(self.values[-1])

    def __repr__(self) -> str:
        return (
            f"SynapseDelays({self.size} of {self.values.size} different delays, "
            f"{self.min():g} to {self.max():g} s)"
        )


def _on_a_grid(times: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Different times and the index of each, if they lie on a grid of few points; else None.

    No sorting, but for a sample: in a projection of 45 million synapses that would take 10 s.
    """
    first, last = float(times.min()), float(times.max())
    gaps = np.diff(np.unique(times[:: max(1, times.size // 4096)]))
    gaps = gaps[gaps > _SAME * last]
    gap = float(gaps.min()) if gaps.size else last - first or 1.0
    if (last - first) / gap > _MOST - 2:
        return None
    code = np.empty(times.size, np.uint16)
    values = np.full(int(np.rint((last - first) / gap)) + 1, np.nan)
    for k in range(0, times.size, _AT_ONCE):
        some = times[k : k + _AT_ONCE]
        places = np.rint((some - first) / gap)
        if np.any(np.abs(some - (first + gap * places)) > _SAME * last):
            return None
        code[k : k + _AT_ONCE] = places
        values[code[k : k + _AT_ONCE]] = some
    used = ~np.isnan(values)
    index_of = (np.cumsum(used) - 1).astype(_narrow(used.sum()))
    return values[used], index_of[code]


def _narrow(n: int) -> type:
    """The narrowest type for the numbers below `n`."""
    return np.uint8 if n <= 2**8 else np.uint16 if n <= 2**16 else np.int64
