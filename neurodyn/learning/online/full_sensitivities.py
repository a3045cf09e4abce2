"""Sensitivities of all states that act on each other: of a network, or of its columns."""

from __future__ import annotations

import numpy as np

from neurodyn._arrays import padded_size
from neurodyn.compile.sensitivities import WantedSensitivities
from neurodyn.learning.online.carriers import Carrier
from neurodyn.learning.online.layout import Item, fold


class FullSensitivities(Carrier):
    """Sensitivities of all states of a column by all trained numbers of it.

    Parameters
    ----------
    dependence, solver, values
        As for `Carrier`.
    by_columns : bool
        Whether units that do not act on each other are kept apart.
    """

    kind = "sensitivities"

    def __init__(self, dependence, solver, values, by_columns: bool):
        self.by_columns = by_columns
        super().__init__(dependence, solver, values)

    def wanted(self) -> WantedSensitivities:
        return self._wanted(carried=self.dependence.carrying, by_columns=self.by_columns)

    def _place(self) -> None:
        structure, sizes = self.structure, self.compiled.sizes
        influenced = self.dependence.carrying_on
        self.live = [any(q == p for q, _ in influenced) for p in range(len(sizes))]
        all_columns = np.zeros(sum(sizes), np.int64)
        if self.by_columns:
            all_columns = self.dependence.columns(self.values.weights).astype(np.int64)
        ends = np.cumsum(sizes)
        in_live = np.concatenate(
            [np.full(size, live) for size, live in zip(sizes, self.live, strict=True)]
        )
        numbers = np.zeros(ends[-1], np.int64)
        names, numbers[in_live] = np.unique(all_columns[in_live], return_inverse=True)
        self.n_columns = max(1, len(names))
        self.columns = [numbers[end - n : end] for end, n in zip(ends, sizes, strict=True)]
        used = np.zeros(self.n_columns, np.int64)
        self.places = [self._places(item, used) for item in self.items]
        self.n_shared = int(used.max())
        own = np.zeros(self.n_columns, np.int64)
        self.state_places = []
        for one in self.states:
            p = self.compiled.place(one.name)[0]
            ones = np.ones(sizes[p], np.int64)
            self.state_places.append(_one_after_the_other(ones, self.columns[p], own))
        self.n_own = int(own.max())
        self.slots = [
            [p.slots[s] for s in p.states if (k, s) in influenced]
            for k, p in enumerate(structure.populations)
        ]
        self.rows = [
            [n for n, s in enumerate(p.states) if (k, s) in influenced]
            for k, p in enumerate(structure.populations)
        ]
        self.width = padded_size(self.n_shared + self.n_own, self.dtype)
        if self.by_columns:
            self.pairs = {c: self._pairs(c) for c in self.dependence.carrying}

    def _places(self, item: Item, used: np.ndarray) -> np.ndarray:
        columns = self.columns[item.population]
        lengths = item.lengths(self.values.weights, len(columns))
        if not item.is_shared:
            return _one_after_the_other(lengths, columns, used)
        places = used[columns]
        used[np.unique(columns)] += lengths[0]
        return places

    def _pairs(self, c: int):
        """Compressed sparse rows of all pairs of units of one column."""
        coupling = self.structure.couplings[c]
        post, pre = self.columns[coupling.target[0]], self.columns[coupling.source[0]]
        rows, indices = np.nonzero(post[:, None] == pre[None, :])
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=post.size))])
        return indptr.astype(np.int64), indices.astype(np.int32), rows

    def bytes_per_trial(self) -> int:
        scratch = self.solver.scratch
        rows = sum(
            (len(p.slots) + scratch * len(p.states)) * size
            for p, size, live in zip(
                self.structure.populations, self.compiled.sizes, self.live, strict=True
            )
            if live
        )
        return rows * self.width * self.dtype.itemsize

    def begin(self, n_trials: int) -> None:
        scratch = self.solver.scratch
        self.sensitivities = [
            self._zeros(
                len(p.slots) + scratch * len(p.states), n_trials, size, self.width if live else 1
            )
            for p, size, live in zip(
                self.structure.populations, self.compiled.sizes, self.live, strict=True
            )
        ]
        self.own = self._zeros(n_trials, self.n_columns, self.n_own)
        for one, places in zip(self.states, self.state_places, strict=True):
            p, slot = self.compiled.slot(one.name)
            units = np.arange(places.size)
            self.sensitivities[p][slot][:, units, self.n_shared + places] = 1

    def clear(self) -> None:
        if not hasattr(self, "shared"):
            self.shared = self._zeros(self.n_columns, self.n_shared)
        self.shared[:] = 0

    def _extra(self) -> list[np.ndarray]:
        found = []
        if self.by_columns:
            for c, (indptr, indices, rows) in self.pairs.items():
                found += [indptr, indices, self._data(c, rows, indices)]
        else:
            found += self.values.transposed(self.structure.rate_couplings)
        by_kind = sorted(
            zip(self.items, self.places, strict=True), key=lambda pair: pair[0].array is None
        )
        return [*found, *(places for _, places in by_kind)]

    def _data(self, c: int, rows, indices) -> np.ndarray:
        W = self.values.weights[c].to_dense()
        data = W[rows, indices]
        if np.count_nonzero(W) > np.count_nonzero(data):
            label = self.dependence.label(c)
            raise ValueError(
                f"the weights of `{label}` couple units of different columns now, which they did "
                "not when the columns were found: keep them on their pattern, by nd.weights.Sparse "
                "or `parametrise=` with nd.learning.Masked, or use RTRL(structure='full')"
            )
        return data.astype(self.dtype)

    def _gradient_arrays(self, signals, feedback) -> list:
        found = []
        for p, rows in enumerate(self.rows):
            if rows:
                found += [np.ascontiguousarray(signals[p][rows]), self.columns[p]]
        return [*found, self.shared, self.own]

    def _advance_arrays(self, signals, feedback) -> list[np.ndarray]:
        return [*self.sensitivities, *self._extra(), *self._gradient_arrays(signals, feedback)]

    def contract(self, signals, feedback) -> None:
        self.module.contract(*self.sensitivities, *self._gradient_arrays(signals, feedback))

    def gradients(self) -> dict[str, np.ndarray]:
        return {
            item.trainable.key: fold(
                item, self.shared, self.values.weights, self.columns[item.population], places
            )
            for item, places in zip(self.items, self.places, strict=True)
        }

    def state_gradients(self) -> dict[str, np.ndarray]:
        found = {}
        for one, places in zip(self.states, self.state_places, strict=True):
            columns = self.columns[self.compiled.place(one.name)[0]]
            found[one.key] = self.own[:, columns, places]
        return found


def _one_after_the_other(lengths, columns, used) -> np.ndarray:
    """Places of so many vectors a unit, unit after unit of a column; `used` counts on."""
    order = np.argsort(columns, kind="stable")
    ends = np.cumsum(lengths[order])
    before = np.zeros(used.size, np.int64)
    totals = np.bincount(columns, lengths, used.size).astype(np.int64)
    present = np.unique(columns)
    before[present] = np.cumsum(totals[present]) - totals[present]
    places = np.empty(columns.size, np.int64)
    places[order] = ends - lengths[order] - before[columns[order]]
    places += used[columns]
    used += totals
    return places
