"""Sparse weights: the entries of a fixed pattern, as compressed sparse rows of [post, pre]."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import (
    aligned,
    check_shape,
    dimension_of,
    is_aligned,
    quoted,
    read_only,
    real_numbers,
)
from neurodyn.weights.base import Weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

#: Elements of the two gathered blocks in `Sparse.gradient`: 2 MB each, so they stay in the cache.
_GATHER_BLOCK = 1 << 18


class _Pattern:
    """Where a sparse matrix has entries: CSR of [post, pre], shared by all weights on it."""

    def __init__(self, indptr: np.ndarray, indices: np.ndarray, shape: tuple[int, int]):
        self.indptr, self.indices, self.shape = indptr, indices, shape
        self._transposed: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def transposed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``(indptr, indices, order)`` of the transpose; its data are ``data[order]``."""
        if self._transposed is None:
            from scipy.sparse import csr_array

            entry = np.arange(self.indices.size)
            csc = csr_array((entry, self.indices, self.indptr), shape=self.shape).tocsc()
            indices = aligned(csc.indices, index_dtype(self.shape[0]))
            self._transposed = (aligned(csc.indptr, np.int64), indices, csc.data)
        return self._transposed


class Sparse(Weights):
    """A matrix of which only the entries of a fixed pattern are kept.

    Parameters
    ----------
    S : SciPy sparse matrix or array, (n_post, n_pre)
        Any format, any order of indices; explicit zeros stay in the pattern. Duplicates are summed,
        with a warning: `from_synapses` keeps them as separate synapses.

    Attributes
    ----------
    indptr : ndarray of int64, (n_post + 1,)
    indices : ndarray of int32 or int64, (nnz,)
        Presynaptic units of each row, ascending: compressed sparse rows (CSR) of [post, pre].
    data : ndarray, (nnz,)
        The weights, in that order.
    """

    kind = "sparse"

    def __init__(self, S: Any):
        self._fill(*csr_of(S, "S"))

    @classmethod
    def from_csr(
        cls, indptr: ArrayLike, indices: ArrayLike, data: ArrayLike, shape: tuple[int, int]
    ) -> Sparse:
        """Sparse weights from the three arrays of a CSR matrix with sorted rows.

        Several entries of one pair stay separate synapses, whose weights add up.

        Raises
        ------
        ValueError
            If the arrays are not a CSR matrix of that shape with ascending indices in each row.
        """
        indptr, indices = np.asarray(indptr), np.asarray(indices)
        dim, data = dimension_of(data), real_numbers(data, "data")
        shape = (int(shape[0]), int(shape[1]))
        good = indptr.shape == (shape[0] + 1,) and indices.shape == data.shape == (indptr[-1],)
        if good and indices.size:
            ascending = indices[1:] >= indices[:-1]
            starts = indptr[(indptr > 0) & (indptr < indices.size)]
            ascending[starts - 1] = True  # a new row may begin anywhere
            good = ascending.all() and 0 <= indices.min() and indices.max() < shape[1]
        if not good or indptr[0] != 0 or np.any(np.diff(indptr) < 0):
            raise ValueError(
                "`indptr`, `indices` and `data` are not a CSR matrix of shape (post, pre) = "
                f"{shape} with ascending indices in each row; `Sparse(S)` sorts any SciPy matrix."
            )
        return cls._on(indptr, indices, data, shape)._set(dim=dim)

    @classmethod
    def from_synapses(
        cls, post: ArrayLike, pre: ArrayLike, weight: ArrayLike, shape: tuple[int, int]
    ) -> Sparse:
        """Sparse weights from a list of synapses, in any order.

        Several synapses between one pair of units stay separate: each has its own weight, and may
        have its own delay.

        Parameters
        ----------
        post, pre : array_like of int, (nnz,)
            Units that each synapse joins.
        weight : float, array_like or Quantity, (nnz,)
            One for all, or one each.
        shape : (int, int)
            ``(n_post, n_pre)``.

        Raises
        ------
        ValueError
            For units outside the shape, or lists of different lengths.

        Notes
        -----
        The values of the result are in the order of `post`, then `pre`, then of the list:
        ``np.lexsort((pre, post))`` gives it.
        """
        units, n_units = {"post": np.asarray(post), "pre": np.asarray(pre)}, dict(
            zip(("post", "pre"), shape, strict=True)
        )
        for name, numbers in units.items():
            if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
                raise ValueError(
                    f"`{name}` must be a list of unit numbers; got shape {numbers.shape} of "
                    f"{numbers.dtype}"
                )
            if numbers.size and not 0 <= numbers.min() <= numbers.max() < n_units[name]:
                raise ValueError(
                    f"`{name}` has units from {numbers.min()} to {numbers.max()}, and `shape` "
                    f"{tuple(shape)} has room for 0 to {n_units[name] - 1}"
                )
        if units["post"].size != units["pre"].size:
            raise ValueError(
                f"`post` and `pre` must be of one length; got {units['post'].size} and "
                f"{units['pre'].size}"
            )
        dim, data = dimension_of(weight), real_numbers(weight, "weight")
        if data.shape not in ((), units["post"].shape):
            raise ValueError(
                f"`weight` must be one number or one a synapse, {units['post'].shape}; "
                f"got shape {data.shape}"
            )
        # integers of 16 bits are sorted in linear time
        narrow = {
            name: numbers.astype(np.uint16) if n_units[name] <= 2**16 else numbers
            for name, numbers in units.items()
        }
        order = np.lexsort((narrow["pre"], narrow["post"]))
        indptr = np.zeros(shape[0] + 1, np.int64)
        np.cumsum(np.bincount(units["post"], minlength=shape[0]), out=indptr[1:])
        data = np.broadcast_to(data, order.shape)[order]
        indices = narrow["pre"][order].astype(index_dtype(shape[1]))
        return cls._on(indptr, indices, data, tuple(map(int, shape)))._set(dim=dim)

    @classmethod
    def _on(cls, *args: Any) -> Sparse:
        self = object.__new__(cls)
        self._fill(*args)
        return self

    @classmethod
    def _owned(cls, indptr, indices, data, shape, dim) -> Sparse:
        """On arrays of a correct CSR matrix that nobody else holds: copied only if need be."""
        indices = _as_aligned(indices, index_dtype(shape[1]))
        pattern = _Pattern(_as_aligned(indptr, np.int64), indices, shape)
        self = object.__new__(cls)
        self._hold(pattern, _as_aligned(data, data.dtype))
        return self._set(dim=dim)

    def _fill(self, indptr, indices, data, shape, pattern: _Pattern | None = None) -> None:
        if pattern is None:
            indices = aligned(indices, index_dtype(shape[1]))
            pattern = _Pattern(aligned(indptr, np.int64), indices, shape)
        self._hold(pattern, aligned(data))

    def _hold(self, pattern: _Pattern, data: np.ndarray) -> None:
        shape = pattern.shape
        self._set(shape=shape, dtype=data.dtype, data=read_only(data), _pattern=pattern, _cache={})
        self._set(indptr=read_only(pattern.indptr), indices=read_only(pattern.indices))
        self._cache[data.dtype, False] = (pattern.indptr, pattern.indices, data)

    def __reduce__(self):
        csr = (self.indptr, self.indices, self.data, self.shape)
        return Sparse.from_csr, csr, {"dim": self.dim}

    @property
    def nnz(self) -> int:
        """Number of entries in the pattern."""
        return self.data.size

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {"data": self.data}

    def with_parameters(self, **arrays: ArrayLike) -> Sparse:
        return self._with_data(self._updated(arrays)["data"])._set(dim=self.dim)

    def _with_data(self, data: np.ndarray) -> Sparse:
        return Sparse._on(None, None, data, self.shape, self._pattern)

    def to_scipy(self) -> Any:
        """The matrix as a new ``scipy.sparse.csr_array``."""
        from scipy.sparse import csr_array

        return csr_array((self.data, self.indices, self.indptr), shape=self.shape, copy=True)

    def to_dense(self) -> np.ndarray:
        W = np.zeros(self.shape, self.dtype)
        np.add.at(W, (self._rows(), self.indices), self.data)  # a pair may have several synapses
        return W

    def _rows(self) -> np.ndarray:
        """Postsynaptic unit of every entry."""
        return np.repeat(np.arange(self.n_post), np.diff(self.indptr))

    def gradient(self, delta: ArrayLike, r: ArrayLike) -> dict[str, np.ndarray]:
        delta, r = self._flat_pair(delta, r)
        # Gathers of a batch of rows. A product of dense row blocks, from which entries are picked,
        # is at most 1.8 times faster (density 0.1, batch 1024) and 20 times slower at 0.003.
        delta_of, r_of = np.ascontiguousarray(delta.T), np.ascontiguousarray(r.T)
        rows, grad = self._rows(), np.empty(self.nnz, np.result_type(delta, r))
        step = max(1, _GATHER_BLOCK // max(1, len(delta)))
        for k in range(0, self.nnz, step):
            entries = slice(k, k + step)
            post, pre = delta_of[rows[entries]], r_of[self.indices[entries]]
            np.einsum("kb,kb->k", post, pre, out=grad[entries])
        return {"data": grad}

    def _apply(self, r: np.ndarray, transposed: bool) -> np.ndarray:
        if "scipy" not in self._cache:
            self._cache["scipy"] = self.to_scipy()
        S = self._cache["scipy"]
        return np.ascontiguousarray(((S.T if transposed else S) @ r.T).T)

    def _build_kernel_arrays(self, dtype: np.dtype, transposed: bool) -> tuple[np.ndarray, ...]:
        if not transposed:
            return self._pattern.indptr, self._pattern.indices, aligned(self.data, dtype)
        indptr, indices, order = self._pattern.transposed()
        return indptr, indices, aligned(self.data[order], dtype)

    def _scaled(self, factor: float) -> Sparse:
        return self._with_data(self.dtype.type(factor) * self.data)

    def _details(self) -> str:
        return f", nnz={self.nnz}{super()._details()}"


def is_scipy_sparse(value: Any) -> bool:
    # whoever holds a sparse matrix has imported SciPy, so nobody else has to
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and scipy_sparse.issparse(value)


def _as_aligned(array: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    return array if is_aligned(array, dtype) else aligned(array, dtype)


def index_dtype(size: int) -> type:
    """The narrower of int32 and int64 that counts `size` things."""
    return np.int32 if size <= np.iinfo(np.int32).max else np.int64


def csr_of(
    S: Any, name: str, shape: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """``(indptr, indices, data, shape)`` of a SciPy sparse matrix, checked, in canonical order."""
    if not is_scipy_sparse(S):
        raise TypeError(
            f"{quoted(name)} must be a SciPy sparse matrix; got {type(S).__name__}. "
            "A full array needs no wrapper, or `Dense`."
        )
    if S.ndim != 2 or 0 in S.shape:
        raise ValueError(f"{quoted(name)} must have two axes (post, pre); got shape {S.shape}")
    check_shape(S.shape, name, shape)
    if S.dtype.kind not in "fiu":
        raise TypeError(
            f"{quoted(name)} must hold real numbers; got dtype {S.dtype}. "
            "A pattern of True becomes weights by `.astype(float)`."
        )
    if hasattr(S, "check_format"):  # SciPy itself only looks at the outline when one is made
        try:
            S.check_format(full_check=True)
        except ValueError as error:
            raise ValueError(f"{quoted(name)} is not a valid {S.format} matrix: {error}") from None
    # cast first: duplicates of a narrow dtype could overflow when they are summed
    n_given = S.nnz if S.format in ("coo", "csr", "csc") else None
    S = S.astype(np.float32 if S.dtype == np.float32 else np.float64).tocsr(copy=True)
    S.sum_duplicates()
    if n_given is not None and S.nnz < n_given:
        warnings.warn(
            f"{quoted(name)} has {n_given - S.nnz} entries more than pairs: those of one pair were "
            "summed. `sum_duplicates()` says that this is meant; separate synapses of one pair are "
            "`Sparse.from_synapses(post, pre, weight, shape)`.",
            UserWarning,
            stacklevel=4,
        )
    finite = np.isfinite(S.data)
    if not finite.all():
        k = int(np.argmin(finite))
        post = int(np.searchsorted(S.indptr, k, side="right")) - 1
        raise ValueError(
            f"{quoted(name)} must be finite; got {S.data[k]} at [post, pre] = "
            f"[{post}, {S.indices[k]}]"
        )
    return S.indptr, S.indices, S.data, tuple(int(n) for n in S.shape)
