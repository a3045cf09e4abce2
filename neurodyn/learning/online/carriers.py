"""The arrays of sensitivities and traces of one run, and their kernels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import aligned, padded_size
from neurodyn.compile import module
from neurodyn.compile.local_traces import is_local, readouts
from neurodyn.compile.random_source import normals_scratch
from neurodyn.compile.sensitivities import WantedSensitivities
from neurodyn.learning.online.dependence import Dependence
from neurodyn.learning.online.layout import Item, fold, items

if TYPE_CHECKING:
    from neurodyn.learning.trainable import Values
    from neurodyn.solvers import Solver
    from neurodyn.weights import Weights

#: Signals of one run or sample, (state, sample, trial, unit), by population.
Signals = Mapping[int, np.ndarray]
#: An interval between samples that no run is long enough for.
NEVER = 2**62


class Carrier(ABC):
    """What carries the past of a network forward, for the trials of one block.

    Parameters
    ----------
    dependence : Dependence
    solver : Solver
    values : Values
        Current values; read whenever a kernel is called.
    """

    #: Which text `neurodyn.compile.module.load_sensitivities` loads.
    kind: str
    #: Couplings to readouts whose signals pass feedback on their way to the source's traces.
    to_readouts: tuple[int, ...] = ()

    def __init__(self, dependence: Dependence, solver: Solver, values: Values):
        self.dependence, self.solver, self.values = dependence, solver, values
        self.compiled, self.structure = dependence.compiled, dependence.structure
        self.dtype = self.compiled.dtype
        acting = [one for one in dependence.trainables if self._acts(one)]
        self.items = items(self.compiled, acting, values.weights)
        self.states = [one for one in acting if one.kind == "state"]
        self._place()
        self.module = module.load_sensitivities(self.structure, self.wanted(), self.kind)
        self.normals = normals_scratch(self.dtype)

    def _acts(self, one) -> bool:
        """Whether something trained acts on a state, now or later."""
        if one.kind == "state":
            return True
        if one.kind == "weights":
            c = self.compiled.network.coupling_labels.index(one.name)
            nodes = [self.structure.couplings[c].target]
        else:
            nodes = list(self.dependence.users(self.compiled.place(one.name)))
        return any(self.dependence.acts_on_states(node) for node in nodes)

    def _wanted(self, **more) -> WantedSensitivities:
        place = self.compiled.place
        return WantedSensitivities(
            self.solver.method,
            tuple(place(i.trainable.name) for i in self.items if i.array is None),
            tuple(i.array for i in self.items if i.array is not None),
            tuple(sorted(self.dependence.carrying_on)),
            **more,
        )

    @abstractmethod
    def wanted(self) -> WantedSensitivities:
        """What the module is to find."""

    @abstractmethod
    def _place(self) -> None:
        """Give everything that is trained its place among the vectors."""

    @abstractmethod
    def bytes_per_trial(self) -> int:
        """Memory for the sensitivities of one trial."""

    @abstractmethod
    def begin(self, n_trials: int) -> None:
        """Forget the past: sensitivities as they are at the beginning of a run."""

    @abstractmethod
    def clear(self) -> None:
        """Begin the sums of gradients."""

    def advance(
        self, workspaces, drives, keys, first_step: int, n_steps: int, every: int,
        signals: Signals, feedback: Mapping[int, Weights],
    ) -> None:  # fmt: skip
        """Advance states and sensitivities, adding to the gradients at every sample.

        Parameters
        ----------
        workspaces, drives, keys
            As the kernels of simulations take them.
        first_step, n_steps, every : int
        signals : dict of int to ndarray, (state, sample, trial, unit)
        feedback : dict of int to Weights
            In the place of couplings, for signals of readouts.
        """
        self.module.advance(
            *workspaces,
            *self.values.arrays,
            *self.values.forward(),
            *drives,
            keys,
            self.normals,
            first_step,
            n_steps,
            self.solver.dt,
            every,
            *self._advance_arrays(signals, feedback),
        )

    @abstractmethod
    def _advance_arrays(self, signals, feedback) -> list[np.ndarray]:
        """What the loop takes after the arguments of time."""

    @abstractmethod
    def contract(self, signals: Signals, feedback: Mapping[int, Weights]) -> None:
        """Add signals, of one sample, times sensitivities to the gradients."""

    @abstractmethod
    def gradients(self) -> dict[str, np.ndarray]:
        """Sums so far by the keys of weights and parameters; views, till `clear` is called."""

    @abstractmethod
    def state_gradients(self) -> dict[str, np.ndarray]:
        """Those of initial states, (trial, unit), of the trials of this block."""

    def _zeros(self, *shape: int) -> np.ndarray:
        return aligned(np.zeros(shape, self.dtype))


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
