"""Sparse random weights; public as `neurodyn.weights.ensembles.sparse_random`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import (
    as_generator,
    checked_count,
    checked_number,
    checked_shape,
    dimension_of,
    real_numbers,
)
from neurodyn.units import Quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from neurodyn._arrays import RNG
    from neurodyn.weights.sparse import Sparse


def sparse_random(
    shape_or_n: int | tuple[int, int],
    p: float | None = None,
    in_degree: int | None = None,
    weight: float | ArrayLike | Callable[[np.random.Generator, int], ArrayLike] = 1.0,
    rng: RNG = None,
    *,
    gain: float | None = None,
    self_connections: bool = True,
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
        (2000) [brunel2000]_. Give either this or `p`.
    weight : float, (n_pre,) array_like, or callable, default 1.0
        One value for all; one for each presynaptic unit, for example negative for inhibitory ones;
        or ``weight(rng, n)``, which draws n values: ``lambda rng, n: rng.lognormal(0, 1, n)``.
    rng : int, SeedSequence, Generator or None
        Randomness; the pattern is drawn before the weights.
    gain : float, optional
        Instead of `weight`: Gaussian weights of variance :math:`g^2 / K`, K the mean in-degree, so
        that the spectral radius of a large square matrix is about ``gain``.
    self_connections : bool, default True
        Whether a unit of a square matrix may connect to itself. Without, `p` is the probability for
        each of the other pairs.

    Returns
    -------
    Sparse
    """
    from neurodyn.weights.sparse import Sparse

    n_post, n_pre = checked_shape(shape_or_n)
    if not self_connections and n_post != n_pre:
        raise ValueError(f"`self_connections` needs a square matrix; got shape {(n_post, n_pre)}")
    n_choices = n_pre if self_connections else n_pre - 1
    if (p is None) == (in_degree is None):
        raise ValueError(f"give either `p` or `in_degree`; got p={p}, in_degree={in_degree}")
    generator = as_generator(rng)
    if p is not None:
        p = checked_number(p, "p", minimum=0.0)
        if p > 1:
            raise ValueError(f"`p` is a probability, between 0 and 1; got {p}")
        indptr, indices = _with_probability(n_post, n_choices, p, generator)
    else:
        in_degree = checked_count(in_degree, "in_degree", minimum=0)
        if in_degree > n_choices:
            raise ValueError(
                f"`in_degree` = {in_degree} different units cannot be chosen from {n_choices}"
            )
        indptr, indices = _with_in_degree(n_post, n_choices, in_degree, generator)
    if not self_connections:  # drawn among the other units: step over the own one
        indices += indices >= np.repeat(np.arange(n_post), np.diff(indptr))
    if gain is not None:
        degree = max(1.0, p * n_choices if p is not None else in_degree)
        sd = checked_number(gain, "gain", minimum=0.0) / np.sqrt(degree)
        data = sd * generator.standard_normal(indices.size)
    else:
        data = _entry_weights(weight, indices, n_pre, generator)
    return Sparse.from_csr(indptr, indices, data, (n_post, n_pre))


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
    return indptr, place % n_choices if n_choices else place


def _with_in_degree(
    n_post: int, n_choices: int, in_degree: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """CSR pattern of `in_degree` different sources for every row."""
    indices = np.empty((n_post, in_degree), np.int64)
    for row in indices:
        row[:] = generator.choice(n_choices, in_degree, replace=False, shuffle=False)
    indices.sort(axis=1)
    return np.arange(n_post + 1) * in_degree, indices.ravel()


def _entry_weights(
    weight: Any, indices: np.ndarray, n_pre: int, generator: np.random.Generator
) -> Any:
    """The value of every entry, as `sparse_random` takes it; a quantity if `weight` is one."""
    given = weight(generator, indices.size) if callable(weight) else weight
    data, dim = real_numbers(given, "weight"), dimension_of(given)
    if callable(weight):
        if data.shape != indices.shape:
            raise ValueError(
                f"`weight(rng, n)` must return n = {indices.size} values; got shape {data.shape}"
            )
    elif data.shape in ((), (n_pre,)):
        data = np.broadcast_to(data, (n_pre,))[indices]
    else:
        raise ValueError(
            f"`weight` must be a number, a callable, or an array (n_pre,) = ({n_pre},); "
            f"got shape {data.shape}"
        )
    return data if dim is None else Quantity(data, dim)
