"""Weights as the delivery of spikes wants them: by presynaptic unit, then by delay.

A rate is multiplied row by row, ``[post, pre]``; a spike runs down one column. So sparse weights
are laid out by source here, the synapses of each source grouped by delay, and each group in
ascending order of its targets: when spikes of a delay arrive, every group is one run of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import aligned, padded_size
from neurodyn.weights.sparse import Sparse, index_dtype

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from neurodyn.weights.base import Weights

#: Arrays that each kind of delivery takes in generated code, in this order.
DELIVERY_ARRAYS = {
    "dense": ("WT",),
    "diagonal": ("d",),
    "low_rank": ("nT", "mT"),
    "sparse": ("start", "stop", "targets", "w"),
    "sparse_by_source": ("start", "stop", "targets", "w"),
    "plastic_dense": ("w",),
    "plastic_sparse": ("start", "stop", "targets", "w"),
}


def delivery_kind(term: Weights, n_delays: int = 1) -> str:
    """The kind of delivery that serves `term`: its own, or by source.

    ``sparse_by_source`` is for sparse weights that are the same for all synapses of a source: one
    number a source is read then instead of one a synapse, which is a third faster in a large
    network, and uses less than half the memory. With several delays every other kind is delivered
    as sparse.
    """
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
        As `DELIVERY_ARRAYS` names them: for a sparse kind ``start`` and ``stop``
        (n_pre * n_delays,), the run of synapses of each source and delay; ``targets`` (nnz,),
        uint16, int32 or int64, the narrowest that counts the targets; ``w`` (nnz,) or (n_pre,).
    """
    first, last, _ = (targets or slice(None)).indices(term.n_post)
    kind = delivery_kind(term, n_delays)
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
    runs, indices, data = _by_source(term, dtype, delay_index, n_delays)
    return *_runs_onto(runs, indices, first, last, term.n_post), indices, data


def _by_source(term, dtype, delay_index, n_delays):
    """``(runs, targets, w)`` for all targets; kept, because it takes as long as a run may."""
    key = ("delivery", term.is_transposed, np.dtype(dtype), n_delays)
    kept = term.kept.get(key)
    if kept is not None and kept[0] is delay_index:
        return kept[1]
    from scipy.sparse import csr_array

    by_source = _weight_of_source(term)
    indptr, indices, data, order = _csr(term)
    columns = indices
    if n_delays > 1:
        wide = index_dtype(term.n_pre * n_delays)
        columns = indices.astype(wide) * wide(n_delays)
        of_synapse = np.asarray(delay_index).reshape(-1)
        columns += (of_synapse if order is None else of_synapse[order]).astype(wide)
    values = np.empty(indices.size, np.int8) if by_source is not None else data.astype(dtype)
    shape = (term.n_post, term.n_pre * n_delays)
    csc = csr_array((values, columns, indptr), shape=shape).tocsc()
    narrow = np.uint16 if term.n_post <= 2**16 else index_dtype(term.n_post)
    values = csc.data if by_source is None else by_source.astype(dtype)
    found = (csc.indptr.astype(index_dtype(indices.size)), csc.indices.astype(narrow), values)
    term.kept[key] = (delay_index, found)
    return found


def _runs_onto(runs, indices, first: int, last: int, n_post: int):
    """Beginning and end of every run, cut to the targets from `first` to `last`."""
    start, stop = runs[:-1], runs[1:]
    cuts = []
    for bound, whole in ((first, start), (last, stop)):
        if bound in (0, n_post):
            cuts.append(np.ascontiguousarray(whole))
            continue
        below = np.concatenate([[0], np.cumsum(indices < bound)]).astype(runs.dtype)
        cuts.append(start + (below[stop] - below[start]))
    return tuple(cuts)


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
        weights[indices] = data
        term.kept[key] = weights if np.array_equal(weights[indices], data) else None
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
