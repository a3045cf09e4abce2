"""Synapses of many delays, laid out together for all that the spikes of one population reach.

A source has few synapses of each delay onto each population that it reaches: finding a run of them
in memory costs more than delivering it. So all couplings from one population whose synapses have
several delays are a *group*: what they reach are segments of one row, and the synapses of a source
and delay onto all of them are one run.

Where even those runs are short, all synapses of a source stay together, each with the number of its
delay, and what a spike will do is scheduled in the step in which it is emitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neurodyn.weights.delivery import csr_of_term
from neurodyn.weights.sparse import index_dtype

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from neurodyn.coupling import Coupling
    from neurodyn.weights.base import Weights

#: Arrays that each kind of group takes in generated code, in this order.
GROUP_ARRAYS = {
    "together": ("delays", "runs", "targets", "w"),
    "scheduled": ("delays", "runs", "targets", "which", "w"),
}
#: Synapses of a source and delay, on average, below which spikes are scheduled. What is pending is
#: written to all over: where it fits into the cache, that is cheaper for four times as many. Found
#: to be break-even in networks of 8,000 to 77,000 units with 28 and 56 delays.
_SHORT_RUN, _IN_CACHE = 6.0, 4.0
#: Units times delays that fit into the cache.
_CACHED = 1 << 19


def group_kind(couplings: Sequence[Coupling]) -> str:
    """How the spikes of one population go through `couplings` with several delays."""
    n_synapses = sum(_count(term) for c in couplings for term in c.weights.terms)
    n_units = sum({c.target: c.weights.n_post for c in couplings}.values())
    n_delays = max(c.n_delays for c in couplings)
    short = _SHORT_RUN * (_IN_CACHE if n_units * n_delays <= _CACHED else 1.0)
    n_runs = couplings[0].weights.n_pre * n_delays
    return "scheduled" if n_synapses < short * n_runs else "together"


def _count(term: Weights) -> int:
    if term.kind != "sparse":
        return term.n_post * term.n_pre
    return (term.other if term.is_transposed else term).nnz


class Member(NamedTuple):
    """One term of a coupling's weights in a group.

    Attributes
    ----------
    term : Weights
    delay_index : ndarray of int
        Which of the coupling's delays each synapse has, in the order of the weights' own values.
    delay_number : ndarray of int
        Number of each of the coupling's delays among those of the group.
    first, last : int
        Range of targets.
    offset : int
        Where the first of them is in the group's row.
    """

    term: Weights
    delay_index: np.ndarray
    delay_number: np.ndarray
    first: int
    last: int
    offset: int

    def is_like(self, other: Member) -> bool:
        """Whether it would be laid out in the same way."""
        same = self.term is other.term and self.delay_index is other.delay_index
        return same and self[3:] == other[3:] and np.array_equal(self[2], other[2])


def group_arrays(
    kind: str, members: Sequence[Member], n_delays: int, width: int, dtype: DTypeLike
) -> tuple[np.ndarray, ...]:
    """Arrays of a group for one range of units of each population.

    Parameters
    ----------
    kind : {"together", "scheduled"}
    members : sequence of Member
    n_delays : int
        Of the group.
    width : int
        Length of its row.
    dtype : dtype
        float64 or float32: that of the weights.

    Returns
    -------
    tuple of ndarray
        As `GROUP_ARRAYS` names them, without the delays. ``runs``, where the synapses begin of each
        source and delay (n_pre * n_delays + 1,), or of each source (n_pre + 1,); ``targets``, place
        in the row of each synapse, of the narrowest of uint16, int32 and int64; ``which`` of the
        delays it has; its weight ``w``. Synapses of a run are in the order of the members, then of
        the targets.

    Notes
    -----
    Kept with the weights of the first member, because it takes as long as a run may; what is kept
    is of one number type, and of ranges that do not overlap.
    """
    key = ("delivery", kind, members[0].term.is_transposed)
    what = (np.dtype(dtype), n_delays, width)
    kept: list[_Kept] = members[0].term.kept.get(key, [])
    for entry in kept:
        if entry.what == what and _all_alike(entry.members, members):
            return entry.arrays
    arrays = _laid_out(kind, members, n_delays, width, dtype)
    beside = [e for e in kept if e.what[:2] == what[:2] and _are_beside(e.members, members)]
    members[0].term.kept[key] = [*beside, _Kept(what, tuple(members), arrays)]
    return arrays


class _Kept(NamedTuple):
    """Arrays of a group, and what they are for."""

    what: tuple[np.dtype, int, int]
    members: tuple[Member, ...]
    arrays: tuple[np.ndarray, ...]


def _all_alike(some: Sequence[Member], others: Sequence[Member]) -> bool:
    return len(some) == len(others) and all(a.is_like(b) for a, b in zip(some, others, strict=True))


def _are_beside(some: Sequence[Member], others: Sequence[Member]) -> bool:
    """Whether they are of one run: the same synapses, and no target of both."""
    return len(some) == len(others) and all(
        a.term is b.term and a.delay_index is b.delay_index
        and max(a.first, b.first) >= min(a.last, b.last)
        for a, b in zip(some, others, strict=True)
    )  # fmt: skip


def _laid_out(kind, members: Sequence[Member], n_delays: int, width: int, dtype):
    """The arrays; one member at a time, which bounds what is needed beside the result."""
    from scipy.sparse import csr_array

    n_runs = members[0].term.n_pre * (n_delays if kind == "together" else 1)
    lengths = np.zeros(n_runs, np.int64)
    for member in members:
        lengths += np.bincount(_rows(kind, member, n_delays).columns, minlength=n_runs)
    total = int(lengths.sum())
    runs = np.zeros(n_runs + 1, index_dtype(total))
    np.cumsum(lengths, out=runs[1:])
    targets = np.empty(total, np.uint16 if width <= 2**16 else index_dtype(width))
    w = np.empty(total, dtype)
    which = np.empty(total, np.min_scalar_type(n_delays - 1)) if kind == "scheduled" else None
    free = runs[:-1].astype(np.intp)  # where the next member's synapses of each run begin
    for member in members:
        rows = _rows(kind, member, n_delays)

        def by_run(data, rows=rows, n_rows=member.last - member.first):
            matrix = csr_array((data, rows.columns, rows.indptr), shape=(n_rows, n_runs))
            return matrix.tocsc()

        csc = by_run(rows.values)
        lengths = np.diff(csc.indptr)
        place = np.repeat(free - csc.indptr[:-1], lengths)
        place += np.arange(place.size)
        free += lengths
        targets[place] = csc.indices + member.offset
        w[place] = csc.data
        if which is not None:
            which[place] = by_run(rows.delays).data
    return (runs, targets, w) if which is None else (runs, targets, which, w)


class _Rows(NamedTuple):
    """Synapses of a member as a CSR matrix with a column for each run; `delays` are numbers."""

    indptr: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    delays: np.ndarray


def _rows(kind: str, member: Member, n_delays: int) -> _Rows:
    indptr, indices, data, order = csr_of_term(member.term)
    some = slice(int(indptr[member.first]), int(indptr[member.last]))
    synapses = some if order is None else order[some]
    delays = member.delay_number[member.delay_index.reshape(-1)[synapses]]
    columns = indices[some]
    if kind == "together":
        columns = columns.astype(index_dtype(member.term.n_pre * n_delays))
        columns *= columns.dtype.type(n_delays)
        columns += delays.astype(columns.dtype)
    return _Rows(indptr[member.first : member.last + 1] - some.start, columns, data[some], delays)
