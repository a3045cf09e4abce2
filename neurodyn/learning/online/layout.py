"""Where each trained number stands among the vectors of its units, and its gradient's way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.compile.sensitivities import TrainedArray
from neurodyn.learning.trainable import Trainable
from neurodyn.learning.weight_gradients import terms

if TYPE_CHECKING:
    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.weights import Weights


@dataclass(frozen=True)
class Item:
    """One trained array, of weights or of a parameter.

    Attributes
    ----------
    trainable : Trainable
    population : int
        Where it acts.
    array : TrainedArray or None
        None for a parameter.
    is_shared : bool
        Whether all units of a column have the same vectors: scalars, factors of the source's side.
    """

    trainable: Trainable
    population: int
    array: TrainedArray | None
    is_shared: bool

    def lengths(self, weights: dict[int, Weights], size: int) -> np.ndarray:
        """The number of its vectors for each unit."""
        if self.array is None:
            return np.ones(size, np.int64)
        term = weights[self.array.coupling].terms[self.array.term]
        n_post, n_pre = term.shape
        if self.array.role == "sparse":
            return np.diff(term.kernel_arrays(np.float64)[0]).astype(np.int64)
        if self.array.role in ("post", "pre"):
            rank = term.parameters["m"].shape[1]
            return np.full(n_post, rank if self.array.role == "post" else rank * n_pre, np.int64)
        return np.full(n_post, n_pre if self.array.role == "dense" else 1, np.int64)


def items(compiled: CompiledNetwork, trainables: Sequence[Trainable], weights) -> list[Item]:
    """What is trained, initial states left out."""
    found = []
    for one in trainables:
        if one.kind == "parameter":
            p, name = compiled.place(one.name)
            is_scalar = name in compiled.structure.populations[p].scalars
            found.append(Item(one, p, None, is_scalar))
        elif one.kind == "weights":
            c = compiled.network.coupling_labels.index(one.name)
            p = compiled.structure.couplings[c].target[0]
            array = _array(c, one.array, weights[c])
            found.append(Item(one, p, array, array.role == "pre"))
    return found


def _array(c: int, name: str, weights: Weights) -> TrainedArray:
    for number, (prefix, term) in enumerate(terms(weights)):
        own = name.removeprefix(prefix)
        if name.startswith(prefix) and own in term.parameters:
            if term.kind == "low_rank":
                role = "post" if (own == "m") != term.is_transposed else "pre"
            else:
                role = term.kind
            return TrainedArray(c, number, role)
    raise ValueError(f"the weights have no array `{name}`")


def fold(item: Item, values: np.ndarray, weights, columns: np.ndarray, places: np.ndarray):
    """The gradient of an item in the shape of its array.

    Parameters
    ----------
    values : ndarray, (column, vector)
        Gradients of all numbers of all columns.
    columns, places : ndarray, (unit,)
        Column of each unit, and where its vectors begin.
    """
    if item.array is None:
        if item.is_shared:
            first = _first_of_columns(columns)
            return values[columns[first], places[first]].sum(dtype=float)
        return values[columns, places]
    term = weights[item.array.coupling].terms[item.array.term]
    n_pre, role = term.shape[1], item.array.role
    if role == "dense":
        found = _rows(values, columns, places, n_pre)
        return found.T if term.is_transposed else found
    if role == "diagonal":
        return values[columns, places]
    if role == "sparse":
        return _fold_sparse(term, values, columns, places)
    rank = term.parameters["m"].shape[1]
    if role == "post":
        return _rows(values, columns, places, rank)
    first = _first_of_columns(columns)
    rows = _rows(values, columns[first], places[first], rank * n_pre)
    return rows.sum(axis=0, dtype=float).reshape(rank, n_pre).T


def _rows(values: np.ndarray, columns: np.ndarray, places: np.ndarray, width: int) -> np.ndarray:
    """`width` vectors of each unit from its place on: a view, if that is the same for all."""
    if (places == places[0]).all() and np.array_equal(columns, np.arange(len(values))):
        return values[:, places[0] : places[0] + width]
    return values[columns[:, None], places[:, None] + np.arange(width)]


def _first_of_columns(columns: np.ndarray) -> np.ndarray:
    return np.unique(columns, return_index=True)[1]


def _fold_sparse(term: Weights, values, columns, places) -> np.ndarray:
    indptr = term.kernel_arrays(np.float64)[0]
    lengths = np.diff(indptr)
    rows = np.repeat(np.arange(term.n_post), lengths)
    found = values[columns[rows], places[rows] + np.arange(indptr[-1]) - indptr[rows]]
    if not term.is_transposed:
        return found
    # the entries of the transposed arrays are those of the object itself in another order
    order = term.T.with_parameters(data=np.arange(found.size, dtype=float)).T
    back = order.kernel_arrays(np.float64)[2].astype(np.int64)
    in_order = np.empty_like(found)
    in_order[back] = found
    return in_order
