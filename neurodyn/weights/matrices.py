"""Dense, low-rank and diagonal weights; `as_weights` makes weights of what users give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import (
    aligned,
    check_shape,
    checked_shape,
    dimension_of,
    padded,
    quoted,
    read_only,
    real_numbers,
)
from neurodyn.weights.base import Weights
from neurodyn.weights.sparse import Sparse, csr_of, is_scipy_sparse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike



class Dense(Weights):
    """A full matrix.

    Parameters
    ----------
    W : array_like, (n_post, n_pre)
        The weights; copied.

    Notes
    -----
    The transposed array is what is stored, since that is what a batch of drives ``r @ W.T`` reads;
    `W` is a view of it (in Fortran order), and so are the gradients.
    """

    kind = "dense"

    def __init__(self, W: ArrayLike):
        WT = aligned(_matrix(W, "W").T)
        self._set(shape=WT.shape[::-1], dtype=WT.dtype, dim=dimension_of(W))
        self._set(W=read_only(WT.T), _cache={})
        self._cache[WT.dtype, False] = (WT,)

    def __reduce__(self):
        return Dense, (self.W,), {"dim": self.dim}

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {"W": self.W}

    def with_parameters(self, **arrays: ArrayLike) -> Dense:
        return Dense(**self._updated(arrays))._set(dim=self.dim)

    def to_dense(self) -> np.ndarray:
        return self.W.copy(order="C")

    def gradient(self, delta: ArrayLike, r: ArrayLike) -> dict[str, np.ndarray]:
        delta, r = self._flat_pair(delta, r)
        return {"W": (r.T @ delta).T}  # in the memory order of `W`, so that updates run along it

    def _apply(self, r: np.ndarray, transposed: bool) -> np.ndarray:
        return r @ (self.W if transposed else self.W.T)

    def _build_kernel_arrays(self, dtype: np.dtype, transposed: bool) -> tuple[np.ndarray, ...]:
        return (padded(self.W if transposed else self.W.T, dtype),)

    def _scaled(self, factor: float) -> Dense:
        return Dense(self.dtype.type(factor) * self.W)


class LowRank(Weights):
    """``W = m @ n.T`` exactly, kept as its factors: cost ``rank * (n_post + n_pre)`` per product.

    Parameters
    ----------
    m : array_like, (n_post, rank) or (n_post,)
        Output directions, one per column; one-dimensional means rank one.
    n : array_like, (n_pre, rank) or (n_pre,)
        Input-selection directions.

    Notes
    -----
    There is no hidden factor: the literature's ``J = m n^T / N`` is ``LowRank(m, n / N)``, with
    which the drive is ``m * kappa`` and ``kappa = n . r / N``.
    """

    kind = "low_rank"

    def __init__(self, m: ArrayLike, n: ArrayLike):
        dims = [dim for dim in map(dimension_of, (m, n)) if dim is not None]
        m, n = real_numbers(m, "m"), real_numbers(n, "n")
        m, n = (a[:, None] if a.ndim == 1 else a for a in (m, n))
        if m.ndim != 2 or n.ndim != 2 or m.shape[1] != n.shape[1] or 0 in m.shape + n.shape:
            raise ValueError(
                "`m` and `n` must have shapes (n_post, rank) and (n_pre, rank); "
                f"got {m.shape} and {n.shape}"
            )
        dtype = np.result_type(m, n)
        mT, nT = aligned(m.T, dtype), aligned(n.T, dtype)
        dim = tuple(map(sum, zip(*dims, strict=True))) if dims else None
        self._set(shape=(len(m), len(n)), dtype=dtype, dim=dim)
        self._set(m=read_only(mT.T), n=read_only(nT.T), _cache={})
        self._cache[dtype, False] = (nT, mT)
        self._cache[dtype, True] = (mT, nT)

    def __reduce__(self):
        return LowRank, (self.m, self.n), {"dim": self.dim}

    @property
    def rank(self) -> int:
        """Number of columns of the factors."""
        return self.m.shape[1]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {"m": self.m, "n": self.n}

    def with_parameters(self, **arrays: ArrayLike) -> LowRank:
        return LowRank(**self._updated(arrays))._set(dim=self.dim)

    def to_dense(self) -> np.ndarray:
        return self.m @ self.n.T

    def gradient(self, delta: ArrayLike, r: ArrayLike) -> dict[str, np.ndarray]:
        delta, r = self._flat_pair(delta, r)
        # dL/dm = D n and dL/dn = D^T m with D = delta^T r, which is never formed
        return {"m": delta.T @ (r @ self.n), "n": r.T @ (delta @ self.m)}

    def _apply(self, r: np.ndarray, transposed: bool) -> np.ndarray:
        return (r @ self.m) @ self.n.T if transposed else (r @ self.n) @ self.m.T

    def _build_kernel_arrays(self, dtype: np.dtype, transposed: bool) -> tuple[np.ndarray, ...]:
        first, second = self._kernel_arrays(self.dtype, transposed)
        return aligned(first, dtype), aligned(second, dtype)

    def _scaled(self, factor: float) -> LowRank:
        return LowRank(self.dtype.type(factor) * self.m, self.n)

    def _details(self) -> str:
        return f", rank={self.rank}{super()._details()}"


class Diagonal(Weights):
    """One weight per unit: ``drive = d * r``.

    Parameters
    ----------
    d : array_like, (n,)
        The diagonal. The same weight for all is ``Diagonal(np.full(n, value))``.
    """

    kind = "diagonal"

    def __init__(self, d: ArrayLike):
        dim, d = dimension_of(d), real_numbers(d, "d")
        if d.ndim != 1 or d.size == 0:
            raise ValueError(
                f"`d` must be one-dimensional, one weight per unit; got shape {d.shape}. "
                "The same weight for all n units is `Diagonal(np.full(n, value))`."
            )
        d = aligned(d)
        self._set(shape=(d.size, d.size), dtype=d.dtype, dim=dim, d=read_only(d), _cache={})
        self._cache[d.dtype, False] = self._cache[d.dtype, True] = (d,)

    def __reduce__(self):
        return Diagonal, (self.d,), {"dim": self.dim}

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {"d": self.d}

    def with_parameters(self, **arrays: ArrayLike) -> Diagonal:
        return Diagonal(**self._updated(arrays))._set(dim=self.dim)

    def to_dense(self) -> np.ndarray:
        return np.diag(self.d)

    def gradient(self, delta: ArrayLike, r: ArrayLike) -> dict[str, np.ndarray]:
        delta, r = self._flat_pair(delta, r)
        return {"d": np.einsum("bi,bi->i", delta, r)}

    def _apply(self, r: np.ndarray, transposed: bool) -> np.ndarray:
        return r * self.d

    def _build_kernel_arrays(self, dtype: np.dtype, transposed: bool) -> tuple[np.ndarray, ...]:
        return (aligned(self.d, dtype),)

    def _scaled(self, factor: float) -> Diagonal:
        return Diagonal(self.dtype.type(factor) * self.d)


def all_to_all(
    shape_or_n: int | tuple[int, int], weight: Any, *, self_connections: bool = True
) -> Weights:
    """One weight for every pair of units, without a matrix.

    Parameters
    ----------
    shape_or_n : int or (int, int)
        ``n`` for a square matrix, or ``(n_post, n_pre)``.
    weight : float or Quantity
        What every synapse weighs.
    self_connections : bool, default True
        Whether a unit of a square matrix is connected to itself too.

    Returns
    -------
    LowRank or Sum
        Of rank one; without self-connections less a diagonal.
    """
    n_post, n_pre = checked_shape(shape_or_n)
    number, dim = real_numbers(weight, "weight"), dimension_of(weight)
    if number.ndim:
        raise ValueError(f"`weight` must be one number; got shape {number.shape}")
    if not self_connections and n_post != n_pre:
        raise ValueError(f"`self_connections` needs a square matrix; got shape {(n_post, n_pre)}")
    everywhere = LowRank(np.full(n_post, float(number)), np.ones(n_pre))._set(dim=dim)
    if self_connections:
        return everywhere
    return everywhere + Diagonal(np.full(n_post, -float(number)))._set(dim=dim)


def as_weights(value: Any, name: str = "W", shape: tuple[int, int] | None = None) -> Weights:
    """`value` as `Weights`, checked.

    Parameters
    ----------
    value : Weights, array_like (n_post, n_pre), or SciPy sparse
        What a user gave. The unit of a quantity is kept as the `Weights.dim` of the result.
    name : str
        What messages call it: the argument's name, if need be with its place, as in
        ``"W of E.r->I.I_rec"``.
    shape : tuple of int, optional
        The ``(n_post, n_pre)`` that is needed.

    Raises
    ------
    ValueError
        For a scalar or another number of axes than two, a wrong shape, NaN or inf (with the place).
    TypeError
        For values that are not real numbers.

    Examples
    --------
    >>> as_weights([[0.0, 1.0, 2.0]], shape=(3, 1))
    Traceback (most recent call last):
    ValueError: `W` must have shape (post, pre) = (3, 1); got (1, 3). It looks transposed: weights
    are [post, pre].
    """
    if isinstance(value, Weights):
        weights = value
    elif is_scipy_sparse(value):
        weights = Sparse._on(*csr_of(value, name, shape))
    else:
        weights = Dense(_matrix(value, name, shape))._set(dim=dimension_of(value))
    check_shape(weights.shape, name, shape)
    return weights


def _matrix(value: Any, name: str, shape: tuple[int, int] | None = None) -> np.ndarray:
    """`value` as a checked array (n_post, n_pre)."""
    array = real_numbers(value, name, "[post, pre]")
    if array.ndim == 2 and array.size:
        return array
    got = f"the scalar {array}" if array.ndim == 0 else f"shape {array.shape}"
    wanted = "two axes (post, pre)" if shape is None else f"shape (post, pre) = {tuple(shape)}"
    remedy = ""
    if array.ndim == 0:
        size = "(n_post, n_pre)" if shape is None else tuple(shape)
        n = "n" if shape is None else shape[0]
        remedy = f" One value for all pairs is `np.full({size}, {array})`"
        if shape is None or shape[0] == shape[1]:
            remedy += f"; one for each unit onto itself is `Diagonal(np.full({n}, {array}))`"
        remedy += "."
    elif array.ndim == 1 and (shape is None or shape[0] == shape[1]):
        remedy = " One weight for each unit onto itself is `Diagonal(d)`."
    raise ValueError(f"{quoted(name)} must have {wanted}; got {got}.{remedy}")
