"""Sparse random weights; public as `neurodyn.weights.ensembles.sparse_random`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import (
    aligned,
    aligned_empty,
    as_generator,
    checked_count,
    checked_number,
    checked_shape,
    dimension_of,
    real_numbers,
)
from neurodyn.weights.sparse import Sparse, index_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike

    from neurodyn._arrays import RNG
    from neurodyn.units import Dimension

#: Synapses that are drawn and sorted at once: 4 MB at most, so they stay in the cache.
_ENTRIES_AT_ONCE = 1 << 20


def sparse_random(
    shape_or_n: int | tuple[int, int],
    p: float | None = None,
    in_degree: int | None = None,
    weight: float | ArrayLike | Callable[[np.random.Generator, int], ArrayLike] = 1.0,
    rng: RNG = None,
    *,
    n_synapses: int | None = None,
    gain: float | None = None,
    self_connections: bool = True,
    dtype: DTypeLike | None = None,
) -> Sparse:
    r"""Sparse random connections, made without the full matrix.

    Parameters
    ----------
    shape_or_n : int or (int, int)
        ``n`` for a square matrix, or ``(n_post, n_pre)``.
    p : float, optional
        Every pair is connected independently with this probability (Erdos-Renyi).
    in_degree : int, optional
        Every postsynaptic unit has exactly so many presynaptic ones, all different, as in Brunel
        (2000) [brunel2000]_.
    weight : float, (n_pre,) array_like, or callable, default 1.0
        One value for all; one for each presynaptic unit, for example negative for inhibitory ones;
        or ``weight(rng, n)``, which draws n values: ``lambda rng, n: rng.lognormal(0, 1, n)``.
    rng : int, SeedSequence, Generator or None
        Randomness; the pattern is drawn before the weights.
    n_synapses : int, optional
        So many synapses in all, both ends of each drawn independently of the others, as in Potjans
        & Diesmann (2014) [potjans2014]_. A pair may have several, which stay separate. Give one of
        `p`, `in_degree` and this.
    gain : float, optional
        Instead of `weight`: Gaussian weights of variance :math:`g^2 / K`, K the mean in-degree, so
        that the spectral radius of a large square matrix is about ``gain``.
    self_connections : bool, default True
        Whether a unit of a square matrix may connect to itself. Without, `p` is the probability for
        each of the other pairs.
    dtype : dtype, optional
        float64 or float32 of the values; default float32 if `weight` comes in it, else float64. A
        large network that runs in float32 needs half the memory with its weights in float32.

    Returns
    -------
    Sparse

    Notes
    -----
    Large patterns are drawn a few rows at a time, so little memory is needed beside the result. A
    row of `in_degree` different units is what is there when units are drawn with replacement until
    so many different ones have come: every set of them is equally likely.
    """
    n_post, n_pre = checked_shape(shape_or_n)
    if not self_connections and n_post != n_pre:
        raise ValueError(f"`self_connections` needs a square matrix; got shape {(n_post, n_pre)}")
    n_choices = n_pre if self_connections else n_pre - 1
    _check_one_of(p=p, in_degree=in_degree, n_synapses=n_synapses)
    if dtype is not None and np.dtype(dtype) not in (np.float64, np.float32):
        raise TypeError(f"`dtype` must be float64 or float32; got {np.dtype(dtype)}")
    generator = as_generator(rng)
    if p is not None:
        p = checked_number(p, "p", minimum=0.0)
        if p > 1:
            raise ValueError(f"`p` is a probability, between 0 and 1; got {p}")
        indptr, indices = _with_probability(n_post, n_choices, p, generator)
    elif in_degree is not None:
        in_degree = checked_count(in_degree, "in_degree", minimum=0)
        if in_degree > n_choices:
            raise ValueError(
                f"`in_degree` = {in_degree} different units cannot be chosen from {n_choices}"
            )
        indptr, indices = _with_in_degree(n_post, n_choices, in_degree, generator)
    else:
        n_synapses = checked_count(n_synapses, "n_synapses", minimum=0)
        if n_synapses and not n_choices:
            raise ValueError(f"`n_synapses` = {n_synapses}, and there is no other unit to choose")
        indptr, indices = _with_total(n_post, n_choices, n_synapses, generator)
    if not self_connections:  # drawn among the other units: step over the own one
        indices += indices >= np.repeat(np.arange(n_post, dtype=indices.dtype), np.diff(indptr))
    if gain is not None:
        degree = max(1.0, p * n_choices if p is not None else indices.size / n_post)
        sd = checked_number(gain, "gain", minimum=0.0) / np.sqrt(degree)
        data, dim = generator.standard_normal(indices.size, dtype=dtype or np.float64), None
        data *= sd
    else:
        data, dim = _entry_weights(weight, indices, n_pre, generator, dtype)
    return Sparse._owned(indptr, indices, data, (n_post, n_pre), dim)


def _check_one_of(**given: Any) -> None:
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        got = ", ".join(f"{name}={value}" for name, value in given.items())
        raise ValueError(f"give either `p`, `in_degree` or `n_synapses`; got {got}")


def _with_probability(
    n_post: int, n_choices: int, p: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """CSR pattern of independent connections: jump from one to the next by geometric gaps."""
    n_pairs = n_post * n_choices
    places = []
    last = -1
    while p > 0 and last < n_pairs:
        expected = p * (n_pairs - last)
        gaps = generator.geometric(p, int(expected + 5 * np.sqrt(expected) + 10))
        places.append(last + np.cumsum(gaps))
        last = int(places[-1][-1])
    place = np.concatenate(places) if places else np.empty(0, np.int64)
    place = place[: np.searchsorted(place, n_pairs)]
    indptr = np.searchsorted(place, np.arange(n_post + 1) * n_choices)
    if n_choices:
        place %= n_choices
    return indptr, place.astype(index_dtype(n_choices))


def _with_in_degree(
    n_post: int, n_choices: int, in_degree: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """CSR pattern of `in_degree` different sources for every row."""
    indptr = np.arange(n_post + 1) * in_degree
    indices = aligned_empty((n_post, in_degree), index_dtype(n_choices))
    few = 2 * in_degree <= n_choices
    n_rows = max(1, _ENTRIES_AT_ONCE // max(1, in_degree if few else n_choices))
    for first in range(0, n_post, n_rows):
        rows = indices[first : first + n_rows]
        if few:
            rows[:] = _different(len(rows), n_choices, in_degree, generator)
        else:  # fewer are left out than are taken
            taken = np.ones((len(rows), n_choices), bool)
            out = _different(len(rows), n_choices, n_choices - in_degree, generator)
            np.put_along_axis(taken, out.astype(np.intp), False, axis=1)
            rows[:] = np.nonzero(taken)[1].reshape(rows.shape)
    return indptr, indices.reshape(-1)


def _different(
    n_rows: int, n_choices: int, n: int, generator: np.random.Generator
) -> np.ndarray:
    """In each row `n` different ones of `n_choices` (at least 2 n), ascending."""
    found = _draw(generator, n_choices, (n_rows, n))
    found.sort(axis=1)
    todo = np.arange(n_rows)
    while todo.size:
        rows = found[todo]
        again = np.zeros(rows.shape, bool)
        np.equal(rows[:, 1:], rows[:, :-1], out=again[:, 1:])
        some = again.any(axis=1)
        todo, rows, again = todo[some], rows[some], again[some]
        rows[again] = _draw(generator, n_choices, np.count_nonzero(again))
        rows.sort(axis=1)
        found[todo] = rows
    return found


def _with_total(
    n_post: int, n_choices: int, n_synapses: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """CSR pattern of synapses with independent ends.

    Given how many end at each unit, numbers that are multinomial, their sources are independent;
    so rows are drawn and sorted one by one.
    """
    indptr = np.zeros(n_post + 1, np.int64)
    in_degree = generator.multinomial(n_synapses, np.full(n_post, 1 / n_post))
    np.cumsum(in_degree, out=indptr[1:])
    indices = aligned_empty(n_synapses, index_dtype(n_choices))
    last = 0
    while last < n_post:
        first = last
        # rows are sorted as a rectangle, as wide as the longest of them
        widest = np.maximum.accumulate(in_degree[first : first + _ENTRIES_AT_ONCE])
        fits = widest * np.arange(1, widest.size + 1) <= _ENTRIES_AT_ONCE
        last += max(1, np.count_nonzero(fits))
        degrees = in_degree[first:last]
        drawn = _draw(generator, n_choices, indptr[last] - indptr[first])
        rows = np.full((degrees.size, degrees.max()), np.iinfo(drawn.dtype).max, drawn.dtype)
        used = np.arange(rows.shape[1]) < degrees[:, None]
        rows[used] = drawn
        rows.sort(axis=1)
        indices[indptr[first] : indptr[last]] = rows[used]
    return indptr, indices


def _draw(generator: np.random.Generator, n_choices: int, size: Any) -> np.ndarray:
    """Uniform units, of a narrow type, because that sorts fastest."""
    wide = np.uint32 if n_choices < 2**32 else np.int64
    drawn = generator.integers(0, max(n_choices, 1), size, dtype=wide)
    return drawn.astype(np.uint16 if n_choices <= 2**16 else index_dtype(n_choices))


def _entry_weights(
    weight: Any,
    indices: np.ndarray,
    n_pre: int,
    generator: np.random.Generator,
    dtype: DTypeLike | None,
) -> tuple[np.ndarray, Dimension | None]:
    """The value of every entry, as `sparse_random` takes it, and its dimension."""
    given = weight(generator, indices.size) if callable(weight) else weight
    data, dim = real_numbers(given, "weight"), dimension_of(given)
    dtype = dtype or data.dtype
    if callable(weight):
        if data.shape != indices.shape:
            raise ValueError(
                f"`weight(rng, n)` must return n = {indices.size} values; got shape {data.shape}"
            )
        return aligned(data, dtype), dim
    if data.shape not in ((), (n_pre,)):
        raise ValueError(
            f"`weight` must be a number, a callable, or an array (n_pre,) = ({n_pre},); "
            f"got shape {data.shape}"
        )
    found = aligned_empty(indices.size, dtype)
    found[:] = data.astype(dtype)[indices] if data.ndim else data
    return found, dim
