"""Memory is handed on once its owner has gone, and not before."""

import gc

import numpy as np

from neurodyn._arrays import is_aligned
from neurodyn.learning import buffers


class Owner:
    pass


def test_memory_goes_to_the_next_array_of_its_size(monkeypatch):
    monkeypatch.setattr(buffers, "_free", {})
    first = Owner()
    a = buffers.Buffers(first).empty((100, 200), np.float64)
    assert is_aligned(a) and a.shape == (100, 200)
    second = Owner()
    b = buffers.Buffers(second).empty((100, 200), np.float64)
    assert not np.shares_memory(a, b)
    address = a.ctypes.data
    del first, a
    gc.collect()
    c = buffers.Buffers(second).empty((200, 100), np.float64)
    assert c.ctypes.data == address


def test_no_more_is_kept_than_is_allowed(monkeypatch):
    monkeypatch.setattr(buffers, "_free", {})
    monkeypatch.setattr(buffers, "_KEPT_BYTES", 300_000)
    for k in range(5):
        owner = Owner()
        buffers.Buffers(owner).empty((100_000 + 64 * k,), np.uint8)
        del owner
        gc.collect()
    assert sum(m.size for kept in buffers._free.values() for m in kept) <= 300_000
