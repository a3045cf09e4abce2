"""Checks of arguments, and arrays on their way from users to kernels: copies, alignment."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.units import Dimension, to_si

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    RNG = int | np.random.SeedSequence | np.random.Generator | None

#: Bytes. A cache line, and an AVX-512 register: loads that straddle two lines cost measurably.
ALIGNMENT = 64


def quoted(name: str) -> str:
    """`name` with its first word, the argument, in backticks, if it has none yet."""
    argument, space, place = name.partition(" ")
    return name if "`" in name else f"`{argument}`{space}{place}"


def real_numbers(value: Any, name: str, axes: str = "") -> np.ndarray:
    """`value` as a floating-point array of finite numbers.

    Parameters
    ----------
    value : array_like or quantity
        Quantities come out in SI.
    name : str
        The argument's name, for messages.
    axes : str
        What the axes are, for the message about a bad entry, for example ``"[post, pre]"``.

    Returns
    -------
    ndarray
        float32 if `value` has that dtype, else float64; perhaps a view of `value`.

    Raises
    ------
    TypeError
        For bool, complex, object, text or masked entries.
    ValueError
        For NaN or inf, naming the first; for nested lists of unequal lengths.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(
            f"{quoted(name)} has masked entries; fill them, for example with `.filled(0.0)`"
        )
    if getattr(value, "dim", None) is not None:
        value = to_si(value, name).value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{quoted(name)} is not an array of numbers: {error}") from None
    if array.dtype.kind not in "fiu":
        remedy = " Convert it with `.astype(float)`." if array.dtype.kind == "b" else ""
        got = f"dtype {array.dtype}" if array.dtype.kind in "bc" else f"{value!r:.60}"
        raise TypeError(f"{quoted(name)} must be real numbers; got {got}.{remedy}")
    array = array if array.dtype == np.float32 else array.astype(np.float64, copy=False)
    finite = np.isfinite(array)
    if not finite.all():
        index = tuple(int(i) for i in np.unravel_index(np.argmin(finite), array.shape))
        where = f" at {axes or 'index'} = {list(index)}" if index else ""
        raise ValueError(f"{quoted(name)} must be finite; got {array[index]}{where}")
    return array


def dimension_of(value: Any) -> Dimension | None:
    """The dimension of a quantity; None for anything else, whatever it is."""
    return to_si(value).dim if getattr(value, "dim", None) is not None else None


def aligned(array: np.ndarray, dtype: DTypeLike | None = None) -> np.ndarray:
    """A copy that is C-contiguous and begins on a boundary of `ALIGNMENT` bytes."""
    copy = aligned_empty(array.shape, dtype if dtype is not None else array.dtype)
    copy[...] = array
    return copy


def aligned_empty(shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array, not filled yet, that is C-contiguous and begins on a boundary of `ALIGNMENT`."""
    dtype, size = np.dtype(dtype), math.prod((shape,) if isinstance(shape, int) else shape)
    # NumPy only promises 16 bytes, so take some more and begin where the address fits
    memory = np.empty(size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size * dtype.itemsize].view(dtype).reshape(shape)


def is_aligned(array: np.ndarray, dtype: DTypeLike | None = None) -> bool:
    """Whether `aligned` of `array` would look the same, but for the memory."""
    is_at_boundary = array.flags.c_contiguous and array.ctypes.data % ALIGNMENT == 0
    return is_at_boundary and (dtype is None or array.dtype == dtype)


def padded_size(n: int, dtype: DTypeLike) -> int:
    """Length of a kernel's row of `n` units: whole cache lines, unless the row is short.

    Rows that begin on a cache line and end without a remainder make the weight products a fifth
    faster; below 64 units the filling would cost more than that.
    """
    per_line = ALIGNMENT // np.dtype(dtype).itemsize
    return n if n < 64 else -(-n // per_line) * per_line


def padded(array: np.ndarray, dtype: DTypeLike, mode: str = "constant") -> np.ndarray:
    """An aligned copy of `array` (..., n) whose rows have `padded_size` entries.

    `mode` says what fills them: ``"constant"``, zeros, or ``"edge"``, the last value.
    """
    width = padded_size(array.shape[-1], dtype) - array.shape[-1]
    if not width:
        return aligned(array, dtype)
    return aligned(np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, width)], mode=mode), dtype)


def read_only(array: np.ndarray) -> np.ndarray:
    """A view of `array` through which it cannot be changed."""
    view = array.view()
    view.flags.writeable = False
    return view


def check_shape(got: tuple[int, ...], name: str, shape: tuple[int, int] | None) -> None:
    """Raise unless weights of shape `got` are [post, pre] of `shape`; None asks for nothing."""
    if shape is None or tuple(got) == tuple(shape):
        return
    swapped = tuple(got) == tuple(shape)[::-1]
    hint = ". It looks transposed: weights are [post, pre]." if swapped else ""
    raise ValueError(
        f"{quoted(name)} must have shape (post, pre) = {tuple(shape)}; got {got}{hint}"
    )


def as_generator(rng: RNG) -> np.random.Generator:
    """The generator that `rng` is or seeds."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(
            "`rng` must be a non-negative int, a SeedSequence, a Generator or None; "
            f"got {rng!r:.60}"
        ) from None


def checked_count(value: Any, name: str, minimum: int = 1) -> int:
    """`value` as an int of at least `minimum`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < minimum:
        raise ValueError(f"`{name}` must be an integer of at least {minimum}; got {value!r}")
    return int(value)


def checked_shape(shape_or_n: int | tuple[int, int]) -> tuple[int, int]:
    """``(n_post, n_pre)`` from that, or from n for a square matrix."""
    if isinstance(shape_or_n, numbers.Integral):
        return (checked_count(shape_or_n, "shape_or_n"),) * 2
    try:
        n_post, n_pre = shape_or_n
    except (TypeError, ValueError):
        raise ValueError(f"`shape_or_n` must be n or (n_post, n_pre); got {shape_or_n!r}") from None
    return checked_count(n_post, "shape_or_n[0]"), checked_count(n_pre, "shape_or_n[1]")


def checked_number(value: Any, name: str, minimum: float = -np.inf) -> float:
    """`value` as one finite float of at least `minimum`, without a unit."""
    if getattr(value, "dim", None) is not None:
        raise TypeError(
            f"`{name}` must be a plain number; got {value!r}. Multiply the weights by the unit."
        )
    array = real_numbers(value, name)
    if array.ndim or array < minimum:
        wanted = "a number" if minimum == -np.inf else f"a number of at least {minimum:g}"
        raise ValueError(f"`{name}` must be {wanted}; got {value!r}")
    return float(array)
