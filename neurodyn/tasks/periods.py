"""Times of a task in steps: periods that follow each other, and those drawn for every trial."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodyn.simulation.time_grid import count_steps
from neurodyn.units import SECOND, UnitError, to_si

#: A time, s, or the shortest and the longest.
Time = Any


def seconds(value: Time, name: str) -> Any:
    """`value` as a float, s, or as a tuple of two."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(
                f"`{name}` must be a time, or (shortest, longest); got {len(value)} values"
            )
        return tuple(seconds(v, name) for v in value)
    found, dim = to_si(value, name)
    if dim not in (None, SECOND):
        raise UnitError(f"`{name}` must be a time; got {value!r}")
    if not isinstance(found, float) or not 0 <= found < np.inf:
        raise ValueError(f"`{name}` must be a time in seconds, not negative; got {value!r}")
    return found


def steps_between(value: Time, dt: float, name: str, least: int = 1) -> tuple[int, int]:
    """The shortest and the longest number of steps of a time, or of (shortest, longest).

    Raises
    ------
    ValueError
        If a time is not a multiple of dt, is shorter than `least` steps, or if they are the wrong
        way round.
    """
    times = value if isinstance(value, tuple) else (value, value)
    low, high = (0 if t == 0 and least == 0 else count_steps(t, dt, name) for t in times)
    if low > high:
        raise ValueError(f"`{name}` = {value} must be (shortest, longest): swap them")
    return low, high


def drawn_steps(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    """A number of steps, all between the limits equally likely; no draw if they are the same."""
    low, high = limits
    return low if low == high else int(rng.integers(low, high + 1))


def between(start, stop, n_steps: int) -> np.ndarray:
    """Where steps lie in [start, stop): bool (trial, n_steps).

    Parameters
    ----------
    start, stop : int, or int array (trial,)
    """
    k = np.arange(n_steps)
    start, stop = np.reshape(start, (-1, 1)), np.reshape(stop, (-1, 1))
    return (k >= start) & (k < stop)
