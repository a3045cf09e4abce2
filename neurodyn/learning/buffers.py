"""Memory that one evaluation hands on to the next.

A tape of some megabytes that is allocated and freed with every evaluation can be given back to the
system each time, and to be given it again costs as much as computing on it: a tangent kernel of 100
units took twice as long. So what is freed is kept for the next array of the same size.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import ALIGNMENT

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

#: Bytes that are kept at most, and of the smallest array that is worth it.
_KEPT_BYTES, _LEAST_BYTES = 64 * 2**20, 64 * 2**10

_lock = threading.Lock()
_free: dict[int, list[np.ndarray]] = {}


class Buffers:
    """Arrays, not filled, for one owner: their memory goes to other arrays when it has gone.

    No view of them may live longer than the owner.
    """

    def __init__(self, owner: object):
        self._taken: list[np.ndarray] = []
        weakref.finalize(owner, _give, self._taken)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """An array that begins on a boundary of `neurodyn._arrays.ALIGNMENT`."""
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        memory = _take(size + ALIGNMENT)
        self._taken.append(memory)
        start = -memory.ctypes.data % ALIGNMENT
        return memory[start : start + size].view(dtype).reshape(shape)


def _take(size: int) -> np.ndarray:
    with _lock:
        kept = _free.get(size)
        if kept:
            return kept.pop()
    return np.empty(size, np.uint8)


def _give(taken: list[np.ndarray]) -> None:
    with _lock:
        held = sum(size * len(kept) for size, kept in _free.items())
        for memory in taken:
            if memory.size < _LEAST_BYTES or memory.size > _KEPT_BYTES:
                continue
            if held + memory.size > _KEPT_BYTES:  # what is kept has not been of use lately
                _free.clear()
                held = 0
            _free.setdefault(memory.size, []).append(memory)
            held += memory.size
