"""Weights as the delivery of spikes wants them: by presynaptic unit, then by delay.

A rate is multiplied row by row, ``[post, pre]``; a spike runs down one column. So sparse weights
are laid out by source here, the synapses of each source grouped by delay, and each group in
ascending order of its targets: when spikes of a delay arrive, every group is one run of memory.

Where that leaves only a few synapses a run, looking for them costs more than delivering them. Then
the synapses of a source stay together, each with the number of its delay, and what a spike will do
is scheduled in the step in which it is emitted.
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

#: Synapses of a source and delay, on average, below which spikes are scheduled. What is pending is
#: written to all over: where it fits into the cache, that is cheaper for four times as many. Found
#: to be break-even in networks of 8,000 to 77,000 units with 28 and 56 delays.
_SHORT_RUN, _IN_CACHE = 6.0, 4.0
#: Units times delays that fit into the cache.
_CACHED = 1 << 19

#: Arrays that each kind of delivery takes in generated code, in this order.
DELIVERY_ARRAYS = {
    "dense": ("WT",),
    "diagonal": ("d",),
    "low_rank": ("nT", "mT"),
    "sparse": ("runs", "targets", "w"),
    "sparse_by_source": ("runs", "targets", "w"),
    "scheduled": ("runs", "targets", "which", "w"),
    "plastic_dense": ("w",),
    "plastic_sparse": ("start", "stop", "targets", "w"),
}


def delivery_kind(term: Weights, n_delays: int = 1) -> str:
    """The kind of delivery that serves `term`: its own, or by source.

    ``sparse_by_source`` is for sparse weights that are the same for all synapses of a source: one
    number a source is read then instead of one a synapse, which is a third faster in a large
    network, and uses less than half the memory. With several delays every other kind is delivered
    as sparse; or scheduled, where there are few synapses for each source and delay.
    """
    if n_delays > 1:
        n_synapses = term.nnz if isinstance(term, Sparse) else term.n_post * term.n_pre
        short = _SHORT_RUN * (_IN_CACHE if term.n_post * n_delays <= _CACHED else 1.0)
        if n_synapses < short * term.n_pre * n_delays:
            return "scheduled"
    if n_delays > 1 or term.kind == "sparse":
        return "sparse" if _weight_of_source(term) is None else "sparse_by_source"
    return term.kind


def delivery_arrays(
    term: Weights,
    dtype: DTypeLike,
    delay_index: np.ndarray | None = None,
    n_delays: int = 1,
    targets: slice | None = None,
) -> tuple[np.ndarray, ...]:
    """Arrays of one term for spikes onto the postsynaptic units `targets`.

    Parameters
    ----------
    term : Weights
    dtype : dtype
        float64 or float32: that of the weights.
    delay_index : ndarray of int, optional
        Which of the coupling's `n_delays` delays each synapse has, in the order of the weights' own
        values: (nnz,) for sparse weights, (n_post, n_pre) for dense.
    targets : slice, optional
        A range of postsynaptic units, of which one thread has charge. Default all.

    Returns
    -------
    tuple of ndarray
        As `DELIVERY_ARRAYS` names them: for a sparse kind ``runs`` (n_pre * n_delays + 1,), where
        the synapses of each source and delay begin; ``targets`` (nnz,), counted from the first of
        the range, uint16, int32 or int64, the narrowest that counts them; ``w`` (nnz,) or (n_pre,).
        For ``scheduled`` ``runs`` (n_pre + 1,) of sources, and ``which`` delay each synapse has.
    """
    first, last, _ = (targets or slice(None)).indices(term.n_post)
    kind = delivery_kind(term, n_delays)
    if kind not in ("sparse", "sparse_by_source", "scheduled"):
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
    return _by_source(term, kind, dtype, delay_index, n_delays, first, last)


def _by_source(term, kind: str, dtype, delay_index, n_delays, first: int, last: int):
    """The arrays of a sparse kind onto a range of targets; kept: it takes as long as a run may.

    Only what can be of one run is kept: ranges that do not overlap, for one number type and one
    set of delays.
    """
    key = ("delivery", term.is_transposed)
    what = (np.dtype(dtype), n_delays)
    kept = term.kept.get(key, [])
    for entry in kept:
        if entry.what == what and entry.delay_index is delay_index and entry.range == (first, last):
            return entry.arrays
    make = _scheduled if kind == "scheduled" else _laid_out
    arrays = make(term, dtype, delay_index, n_delays, first, last)
    beside = [
        entry for entry in kept
        if entry.what == what and entry.delay_index is delay_index
        and (entry.range[1] <= first or last <= entry.range[0])
    ]  # fmt: skip
    term.kept[key] = [*beside, _Kept(what, delay_index, (first, last), arrays)]
    return arrays


class _Kept(NamedTuple):
    """Arrays for delivery, and what they are for."""

    what: tuple[np.dtype, int]
    delay_index: np.ndarray | None
    range: tuple[int, int]
    arrays: tuple[np.ndarray, ...]


def _laid_out(term, dtype, delay_index, n_delays, first: int, last: int):
    """Rows `first` to `last` of a CSR matrix, by source and delay."""
    from scipy.sparse import csr_array

    by_source = _weight_of_source(term)
    indptr, indices, data, order = _csr(term)
    synapses = slice(indptr[first], indptr[last])
    columns, indptr = indices[synapses], indptr[first : last + 1] - indptr[first]
    if n_delays > 1:
        wide = index_dtype(term.n_pre * n_delays)
        columns = columns.astype(wide)
        columns *= wide(n_delays)
        of_synapse = np.asarray(delay_index).reshape(-1)
        columns += of_synapse[synapses if order is None else order[synapses]].astype(wide)
    if by_source is None:
        values = data[synapses].astype(dtype, copy=False)
    else:
        values = np.empty(columns.size, np.int8)
    shape = (last - first, term.n_pre * n_delays)
    csc = csr_array((values, columns, indptr), shape=shape).tocsc()
    narrow = np.uint16 if last - first <= 2**16 else index_dtype(last - first)
    values = csc.data if by_source is None else by_source.astype(dtype)
    return csc.indptr.astype(index_dtype(columns.size)), csc.indices.astype(narrow), values


def _scheduled(term, dtype, delay_index, n_delays, first: int, last: int):
    """Rows `first` to `last` of a CSR matrix, by source, and which delay each synapse has."""
    from scipy.sparse import csr_array

    indptr, indices, data, order = _csr(term)
    synapses = slice(indptr[first], indptr[last])
    columns, indptr = indices[synapses], indptr[first : last + 1] - indptr[first]
    place = np.arange(columns.size, dtype=index_dtype(columns.size))
    csc = csr_array((place, columns, indptr), shape=(last - first, term.n_pre)).tocsc()
    which = np.asarray(delay_index).reshape(-1)
    which = which[synapses if order is None else order[synapses]][csc.data]
    narrow = np.uint16 if last - first <= 2**16 else index_dtype(last - first)
    runs = csc.indptr.astype(index_dtype(columns.size))
    return runs, csc.indices.astype(narrow), which, data[synapses].astype(dtype)[csc.data]


def _csr(term) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
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
        _, indices, data, _ = _csr(term)
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

    indptr, indices, _, _ = _csr(term)
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
