"""One thread for the products that NumPy leaves to BLAS."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager:
    """Hold BLAS to one thread: products are small, and sums then do not depend on the number.

    On a busy machine two threads made an evaluation of a tangent kernel nine times as long.
    """
    return _controller().limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """What is found of the libraries in memory, which takes milliseconds to look for."""
    import numpy as np  # noqa: F401  (its BLAS must be in memory)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
