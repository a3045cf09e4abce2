"""Weights as the delivery of spikes wants them: by presynaptic unit.

A rate is multiplied row by row, ``[post, pre]``; a spike runs down one column. So sparse weights
are laid out by source here, the synapses of each in ascending order of their targets. Those that
have several delays are in `neurodyn.weights.delivery_groups`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neurodyn._arrays import aligned, padded_size
from neurodyn.weights.sparse import Sparse, index_dtype

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from neurodyn.weights.base import Weights

#: Synapses that are looked at first when weights might be the same for all of a source.
_SAMPLE = 1 << 16

#: Arrays that each kind of delivery takes in generated code, in this order.
DELIVERY_ARRAYS = {
    "dense": ("WT",),
    "diagonal": ("d",),
    "low_rank": ("nT", "mT"),
    "sparse": ("runs", "targets", "w"),
    "sparse_by_source": ("runs", "targets", "w"),
    "plastic_dense": ("w",),
    "plastic_sparse": ("start", "stop", "targets", "w"),
}


def delivery_kind(term: Weights) -> str:
    """The kind of delivery that serves `term`: its own, or by source.

    ``sparse_by_source`` is for sparse weights that are the same for all synapses of a source: one
    number a source is read then instead of one a synapse, which is a third faster in a large
    network, and uses less than half the memory.
    """
    if term.kind == "sparse":
        return "sparse" if _weight_of_source(term) is None else "sparse_by_source"
    return term.kind


def delivery_arrays(
    term: Weights, dtype: DTypeLike, targets: slice | None = None
) -> tuple[np.ndarray, ...]:
    """Arrays of one term for spikes onto the postsynaptic units `targets`.

    Parameters
    ----------
    term : Weights
    dtype : dtype
        float64 or float32: that of the weights.
    targets : slice, optional
        A range of postsynaptic units, of which one thread has charge. Default all.

    Returns
    -------
    tuple of ndarray
        As `DELIVERY_ARRAYS` names them: for a sparse kind ``runs`` (n_pre + 1,), where the synapses
        of each source begin; ``targets`` (nnz,), counted from the first of the range, uint16, int32
        or int64, the narrowest that counts them; ``w`` (nnz,) or (n_pre,).
    """
    first, last, _ = (targets or slice(None)).indices(term.n_post)
    kind = delivery_kind(term)
    if not kind.startswith("sparse"):
        arrays = term.kernel_arrays(dtype)
        if (first, last) == (0, term.n_post):
            return arrays
        if kind == "diagonal":
            return arrays  # read by global number
        *sources, onto = arrays
        width = padded_size(last - first, dtype)
        part = np.zeros((onto.shape[0], width), onto.dtype)
        part[:, : last - first] = onto[:, first:last]
        return (*sources, aligned(part))
    return _by_source(term, np.dtype(dtype), first, last)


def _by_source(term, dtype: np.dtype, first: int, last: int):
    """``(runs, targets, w)`` onto a range of targets; kept, because it takes as long as a run may.

    Only what can be of one run is kept: ranges that do not overlap, for one number type.
    """
    key = ("delivery", term.is_transposed)
    kept = term.kept.get(key, [])
    for entry in kept:
        if (entry.dtype, entry.first, entry.last) == (dtype, first, last):
            return entry.arrays
    arrays = _laid_out(term, dtype, first, last)
    beside = [e for e in kept if e.dtype == dtype and (e.last <= first or last <= e.first)]
    term.kept[key] = [*beside, _Kept(dtype, first, last, arrays)]
    return arrays


class _Kept(NamedTuple):
    """Arrays for delivery, and what they are for."""

    dtype: np.dtype
    first: int
    last: int
    arrays: tuple[np.ndarray, ...]


def _laid_out(term, dtype: np.dtype, first: int, last: int):
    """Rows `first` to `last` of a CSR matrix, by source."""
    from scipy.sparse import csr_array

    by_source = _weight_of_source(term)
    indptr, indices, data, _ = csr_of_term(term)
    synapses = slice(indptr[first], indptr[last])
    columns, indptr = indices[synapses], indptr[first : last + 1] - indptr[first]
    if by_source is None:
        values = data[synapses].astype(dtype, copy=False)
    else:
        values = np.empty(columns.size, np.int8)
    csc = csr_array((values, columns, indptr), shape=(last - first, term.n_pre)).tocsc()
    narrow = np.uint16 if last - first <= 2**16 else index_dtype(last - first)
    values = csc.data if by_source is None else by_source.astype(dtype)
    return csc.indptr.astype(index_dtype(columns.size)), csc.indices.astype(narrow), values


def csr_of_term(term) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """CSR of [post, pre] of any term, and the order of its own values in it if that is another.

    Full matrices keep every entry, zeros too.
    """
    if isinstance(term, Sparse):
        return term.indptr, term.indices, term.data, None
    if term.kind == "sparse":  # a transpose
        indptr, indices, order = term.other._pattern.transposed()
        return indptr, indices, term.other.data[order], order
    W = term.to_dense()
    n_post, n_pre = W.shape
    if term.kind == "diagonal":
        return np.arange(n_post + 1), np.arange(n_post), np.diagonal(W), None
    return np.arange(n_post + 1) * n_pre, np.tile(np.arange(n_pre), n_post), W.ravel(), None


def _weight_of_source(term) -> np.ndarray | None:
    """The weight of each source (n_pre,), if all its synapses have the same; else None."""
    if term.kind != "sparse":
        return None
    key = ("weight of source", term.is_transposed)
    if key not in term.kept:
        _, indices, data, _ = csr_of_term(term)
        weights = np.zeros(term.n_pre, data.dtype)
        for some in (slice(_SAMPLE), slice(None)):  # most that differ do so early
            weights[indices[some]] = data[some]
            if not np.array_equal(weights[indices[some]], data[some]):
                weights = None
                break
        term.kept[key] = weights
    return term.kept[key]


def synapse_layout(term) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The synapses of sparse or diagonal weights by source: ``(start, stop, targets, order)``.

    ``order`` are the numbers of the synapses, in the order of the weights' own values.
    """
    from scipy.sparse import csr_array

    indptr, indices, _, _ = csr_of_term(term)
    numbers = np.arange(indices.size)
    csc = csr_array((numbers, indices, indptr), shape=term.shape).tocsc()
    indptr = csc.indptr.astype(np.int64)
    return indptr[:-1].copy(), indptr[1:].copy(), csc.indices.astype(np.int64), csc.data


def synapse_pairs(term) -> tuple[np.ndarray, np.ndarray]:
    """Post- and presynaptic unit of every synapse, in the order of the weights' own values."""
    if isinstance(term, Sparse):
        return np.repeat(np.arange(term.n_post), np.diff(term.indptr)), term.indices
    if term.kind == "sparse":
        pre, post = synapse_pairs(term.other)
        return post, pre
    if term.kind == "diagonal":
        return np.arange(term.n_post), np.arange(term.n_post)
    pairs = np.indices(term.shape)
    return pairs[0].ravel(), pairs[1].ravel()
