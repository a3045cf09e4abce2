"""Traces of units by what is their own: of units that are alone, or are taken as if."""

from __future__ import annotations

import numpy as np

from neurodyn._arrays import padded_size
from neurodyn.compile.local_traces import is_local, readouts
from neurodyn.compile.sensitivities import WantedSensitivities
from neurodyn.learning.online.carriers import Carrier, Signals
from neurodyn.learning.online.layout import Item, fold


class LocalTraces(Carrier):
    """Traces of each unit's states by what is its own.

    Parameters
    ----------
    dependence, solver, values
        As for `Carrier`.
    """

    kind = "local_traces"

    def __init__(self, dependence, solver, values):
        self.to_readouts = dependence.readouts(solver.method)
        super().__init__(dependence, solver, values)

    def wanted(self) -> WantedSensitivities:
        return self._wanted(readouts=self.to_readouts)

    def _place(self) -> None:
        wanted = self.wanted()
        self.populations = [
            p for p in range(len(self.structure.populations)) if is_local(self.structure, wanted, p)
        ]
        self.readouts = {p: readouts(self.structure, wanted, p) for p in self.populations}
        self.begins: dict[int, np.ndarray] = {}
        self.n_shared: dict[int, int] = {}
        self.of: dict[int, list[Item]] = {}
        for p in self.populations:
            mine = [i for i in self.items if i.population == p]
            mine.sort(key=lambda item: item.array is None)  # arrays, then parameters
            size = self.compiled.sizes[p]
            lengths = [int(i.lengths(self.values.weights, size).max()) for i in mine]
            ends = np.cumsum([0, *lengths])
            self.of[p], self.begins[p] = mine, ends[:-1].astype(np.int64)
            self.n_shared[p] = int(ends[-1])

    def _own(self, p: int) -> list:
        return [one for one in self.states if self.compiled.place(one.name)[0] == p]

    def _shapes(self, p: int) -> list[tuple[int, int, int]]:
        """(states, units, vectors) of the arrays of traces of a population."""
        width = padded_size(self.n_shared[p] + len(self._own(p)), self.dtype)
        counts = [len(self.structure.populations[p].states)]
        counts += [
            len(self.structure.populations[self.structure.couplings[c].target[0]].states)
            for c in self.readouts[p]
        ]
        return [(n, self.compiled.sizes[p], width) for n in counts]

    def bytes_per_trial(self) -> int:
        return self.dtype.itemsize * sum(
            int(np.prod(shape)) for p in self.populations for shape in self._shapes(p)
        )

    def begin(self, n_trials: int) -> None:
        self.traces = {
            p: [self._zeros(n, n_trials, size, width) for n, size, width in self._shapes(p)]
            for p in self.populations
        }
        self.own = {
            p: self._zeros(n_trials, self.compiled.sizes[p], len(self._own(p)))
            for p in self.populations
        }
        for p in self.populations:
            states = self.structure.populations[p].states
            for k, one in enumerate(self._own(p)):
                row = states.index(self.compiled.place(one.name)[1])
                self.traces[p][0][row, :, :, self.n_shared[p] + k] = 1

    def clear(self) -> None:
        if not hasattr(self, "shared"):
            sizes = self.compiled.sizes
            self.shared = {p: self._zeros(sizes[p], self.n_shared[p]) for p in self.populations}
        for shared in self.shared.values():
            shared[:] = 0

    def _of_population(self, p: int, signals: Signals, feedback) -> list[np.ndarray]:
        found = [signals[p]]
        for c in self.readouts[p]:
            q = self.structure.couplings[c].target[0]
            weights = feedback.get(c, self.values.weights[c])
            of_readout = signals[q][..., : self.compiled.sizes[q]]
            found.append(np.ascontiguousarray(weights.T.apply(of_readout), self.dtype))
        return [*self.traces[p], *found, self.shared[p], self.own[p]]

    def _gradient_arrays(self, signals, feedback) -> list:
        return [a for p in self.populations for a in self._of_population(p, signals, feedback)]

    def _advance_arrays(self, signals, feedback) -> list[np.ndarray]:
        found = []
        for p in self.populations:
            found += [*self._of_population(p, signals, feedback), self.begins[p]]
        return found

    def contract(self, signals, feedback) -> None:
        if self.populations:
            self.module.contract(*self._gradient_arrays(signals, feedback))

    def gradients(self) -> dict[str, np.ndarray]:
        found = {}
        for p in self.populations:
            columns = np.arange(self.compiled.sizes[p])
            for item, begin in zip(self.of[p], self.begins[p], strict=True):
                places = np.full(columns.size, begin)
                found[item.trainable.key] = fold(
                    item, self.shared[p], self.values.weights, columns, places
                )
        return found

    def state_gradients(self) -> dict[str, np.ndarray]:
        return {
            one.key: self.own[p][:, :, k]
            for p in self.populations
            for k, one in enumerate(self._own(p))
        }
