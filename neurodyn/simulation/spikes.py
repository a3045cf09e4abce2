"""Spikes in a run: rings of the last steps, what makes units spike, and what is carried on.

`SpikeSetting` holds what is the same for all blocks of a run: delays in steps, weights laid out for
delivery, probabilities. `BlockSpikes` holds what changes: the rings, refractory times, and the
spikes of the current call, which `drain` hands to the recording.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from neurodyn._arrays import aligned
from neurodyn.compile.structure import UNTIL, arriving
from neurodyn.simulation.time_grid import count_steps
from neurodyn.weights.delivery import delivery_arrays
from neurodyn.weights.delivery_groups import Member, group_arrays

if TYPE_CHECKING:
    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.coupling import Coupling, PoissonInput
    from neurodyn.network import Network

#: Spikes that one call has room for, if all units of all trials spiked in every step.
_ROOM = 1 << 24
#: Runs of synapses that are asked for at once: what they hold fits into the cache.
_RUNS_AHEAD = 512
#: Counts that are rarer than this get no limit: random words have 32 bits.
_RARER_THAN = 2.0**-33


class Spikes(NamedTuple):
    """Spikes of one population: step, trial and unit of each."""

    step: np.ndarray
    trial: np.ndarray
    unit: np.ndarray


class SpikeSetting:
    """Delays, weights and probabilities of a network's spikes, on the grid of a solver.

    Parameters
    ----------
    compiled : CompiledNetwork
    dt : float, s
    duration_steps : int or None
        Of the run, to warn of delays beyond it.
    """

    def __init__(self, compiled: CompiledNetwork, dt: float, duration_steps: int | None):
        self.compiled, self.dt = compiled, dt
        self.network: Network = compiled.network
        self.structure = compiled.structure
        self.real = compiled.dtype.type
        couplings = [c for c in self.network.couplings if c.carries_spikes]
        self.delays = [self._delay_steps(c, duration_steps) for c in couplings]
        self.couplings = couplings
        every = [d for steps, _ in self.delays for d in steps]
        self.max_delay = max(every, default=0)
        self.min_delay = min(every, default=0)
        self.group_delays = [self._group_delays(g.members) for g in self.structure.groups]
        longest = [int(steps[-1]) for steps, _ in self.group_delays]
        #: Steps after which nothing is pending of a spike.
        self.look_back = max(longest, default=0)
        self.poisson = [self._poisson(s) for s in self.network.poisson_inputs]
        self.log_rest = {
            name: self._log_rest(name)
            for name, structure in zip(self.network.populations, self.structure.populations,
                                       strict=True)
            if structure.spikes == "chance"
        }  # fmt: skip

    def ring_size(self, interval: int) -> int:
        """Steps in a ring: a power of two, above the longest delay and what threads may lead."""
        return 1 << int(np.ceil(np.log2(self.max_delay + interval + 1)))

    def _delay_steps(self, coupling: Coupling, duration_steps: int | None):
        """The different delays in steps (ascending), and which of them each synapse has."""
        delay = coupling.delay
        values, index = (delay.values, delay.index) if np.ndim(delay) else ([delay], None)
        name = f"delay` of `{coupling.label}"
        steps = [0 if d == 0 else count_steps(float(d), self.dt, name) for d in values]
        if duration_steps is not None and steps[-1] >= duration_steps:
            warnings.warn(
                f"`delay` of {coupling.label}: {steps[-1] * self.dt:g} s is not shorter than the "
                f"run, {duration_steps * self.dt:g} s, so no spike of this run arrives in it",
                UserWarning,
                stacklevel=2,
            )
        if len(set(steps)) < len(steps):
            raise ValueError(f"`{name}`: delays differ by less than dt = {self.dt:g} s")
        return np.array(steps, np.int64), index

    def _group_delays(self, members) -> tuple[np.ndarray, list[np.ndarray]]:
        """The different delays of a group, in steps, and the number there of each member's."""
        place = {c: k for k, c in enumerate(self.structure.spike_couplings)}
        each = [self.delays[place[c]][0] for c in members]
        steps = np.unique(np.concatenate(each))
        narrow = np.min_scalar_type(steps.size - 1)
        return steps, [np.searchsorted(steps, one).astype(narrow) for one in each]

    def _log_rest(self, name: str) -> np.ndarray:
        """log(1 - p) of each unit of a population that spikes by chance."""
        population = self.network.populations[name]
        p = np.broadcast_to(np.asarray(population.chance(self.dt), float), (population.size,))
        check_chance(f"`{name}`: `{population.threshold}`", float(p.max()), self.dt)
        with np.errstate(divide="ignore"):
            return np.log1p(-p)

    def _poisson(self, source: PoissonInput) -> tuple[np.ndarray, np.ndarray]:
        """Limits of the counts (4 m, 1 or unit), and weights (1 or unit)."""
        mean = np.atleast_1d(source.rate) * self.dt
        if source.n_sources:
            check_chance(f"`rate` of {source.label}", float(mean.max()), self.dt)
        if np.all(mean == mean[0]):
            mean = mean[:1]
        limits = poisson_limits(mean, source.n_sources)
        return limits, np.atleast_1d(source.weight).astype(self.real)

    def coupling_arguments(self, units) -> list[list[Any]]:
        """Delays and weights of each coupling, onto the ranges `units` of each population.

        Those of plastic couplings are the delays alone: each trial has weights of its own. Those of
        groups are not here.
        """
        every = []
        for coupling, (steps, index) in zip(self.couplings, self.delays, strict=True):
            found: list[Any] = []
            every.append(found)
            if index is not None:
                continue
            found.append(steps)
            if coupling.plasticity is not None:
                continue
            p, _ = self.compiled.place(coupling.target)
            for term in coupling.weights.terms:
                found += delivery_arrays(term, self.real, units[p])
        return every

    def group_arguments(self, part, n_trials: int) -> list[list[Any]]:
        """What each group takes: `GROUP_ARRAYS`, where its segments begin, and what is pending."""
        couplings = dict(zip(self.structure.spike_couplings, self.couplings, strict=True))
        every = []
        for group, (steps, numbers) in zip(self.structure.groups, self.group_delays, strict=True):
            widths = [part.workspaces[p].shape[2] for p, _ in group.targets]
            begins = np.concatenate([[0], np.cumsum(widths)])
            offset = dict(zip(group.targets, begins.tolist()))
            members = []
            for c, number in zip(group.members, numbers, strict=True):
                target = self.structure.couplings[c].target
                units = part.units[target[0]]
                members += [
                    Member(term, couplings[c].delay.index, number, units.start, units.stop,
                           offset[target])
                    for term in couplings[c].weights.terms
                ]  # fmt: skip
            width = int(begins[-1])
            arrays = group_arrays(group.kind, members, steps.size, width, self.real)
            slots = 1
            if group.kind == "scheduled":
                slots <<= int(np.ceil(np.log2(steps[-1] + 1)))
            pending = aligned(np.zeros((slots, n_trials, width), self.real))
            every.append([steps, *arrays, begins, pending])
        return every

    def poisson_arguments(self, units) -> list[np.ndarray]:
        found = []
        for (p, _), (limits, weight) in zip(self.structure.poisson_inputs, self.poisson,
                                            strict=True):  # fmt: skip
            found.append(limits if limits.shape[1] == 1 else aligned(limits[:, units[p]]))
            found.append(weight if weight.size == 1 else aligned(weight[units[p]]))
        return found


def check_chance(what: str, p: float, dt: float) -> None:
    """Warn of a probability a step above 0.1, refuse one above 1."""
    if p > 1:
        raise ValueError(
            f"{what} has the probability {p:.3g} in a step of dt = {dt:g} s, more than 1; use a "
            "smaller dt or rate"
        )
    if p > 0.1:
        warnings.warn(
            f"{what} has the probability {p:.3g} in a step of dt = {dt:g} s; at most one spike a "
            "step can come of it, so rates are too regular above 0.1. A smaller dt helps.",
            UserWarning,
            stacklevel=2,
        )


def poisson_limits(mean: np.ndarray, n_sources: int | None) -> np.ndarray:
    """Distribution function of counts as limits for random words, (4 m, unit) int32.

    A count is the number of limits that a uniform 32-bit word exceeds. With `n_sources` the count
    is binomial, of so many chances of probability `mean` each.
    """
    from scipy import stats

    law = stats.poisson(mean) if n_sources is None else stats.binom(n_sources, mean)
    last = 1
    while np.any(law.sf(last) > _RARER_THAN):
        last *= 2
    counts = np.arange(-(-(last + 1) // 4) * 4)
    words = np.rint(law.cdf(counts[:, None]) * 2.0**32)
    used = max(4, -(-int(np.max(np.sum(words < 2.0**32, axis=0))) // 4) * 4)
    # a word x in [0, 2^32) exceeds the limit if x >= words, that is x > words - 1
    return aligned(np.maximum(words[:used] - 1 - 2.0**31, -(2.0**31)), np.int32)


class BlockSpikes:
    """The spikes of one block of trials.

    Parameters
    ----------
    setting : SpikeSetting
    parts : list of Part
    n_trials : int
    interval : int
        Steps between two points at which the threads of the parts wait for each other; 0 for one.
    """

    def __init__(self, setting: SpikeSetting, parts, n_trials: int, interval: int):
        self.setting, self.parts, self.n_trials = setting, parts, n_trials
        self.interval = interval
        self.structure = setting.structure
        sizes = setting.compiled.sizes
        dtype = setting.compiled.dtype
        self.spiking = [p for p, s in enumerate(self.structure.populations) if s.spikes]
        total = sum(sizes[p] for p in self.spiking) * n_trials
        self.room = int(np.clip(_ROOM // max(total, 1), 1, 1 << 20))
        self.progress = np.zeros(8 * len(parts), np.int64)
        widest = max(max(part.sizes) for part in parts) + 8
        self.words = [aligned(np.zeros(widest, np.int32)) for _ in parts]
        self.counts = [aligned(np.zeros(widest, dtype)) for _ in parts]
        slots = setting.ring_size(max(interval, 1))
        self.ring = {p: np.zeros((slots, n_trials, sizes[p]), np.int32) for p in self.spiking}
        self.count = {
            p: np.zeros((slots, n_trials, len(parts)), np.int32) for p in self.spiking
        }
        self.bounds = {
            p: np.array([part.units[p].start for part in parts] + [sizes[p]], np.int64)
            for p in self.spiking
        }
        self.emitters = [
            {p: self._emitter(p, part) for p in self.spiking} for part in parts
        ]
        self.kept = [{p: self._kept(part.sizes[p]) for p in self.spiking} for part in parts]
        for part in parts:
            self._silence_filling(part)
        self.weights = [setting.coupling_arguments(part.units) for part in parts]
        self.groups = [setting.group_arguments(part, n_trials) for part in parts]
        # the last step whose spikes are scheduled, and room for runs of synapses
        self.scheduled = [np.full(1, -1, np.int64) for _ in parts]
        self.bounds_of_runs = [np.zeros((_RUNS_AHEAD, 2), np.uint64) for _ in parts]
        self.poisson = [setting.poisson_arguments(part.units) for part in parts]

    def _kept(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        return (
            np.empty(max(1, self.room * size * self.n_trials), np.int32),
            np.zeros((self.room, self.n_trials), np.int32),
        )

    def _emitter(self, p: int, part) -> list[np.ndarray]:
        """Arrays of `EMITTER_ARGUMENTS`, and the refractory times, of one population's part."""
        structure = self.structure.populations[p]
        name = structure.name
        population = self.setting.network.populations[name]
        width = part.workspaces[p].shape[2]
        found = []
        if structure.spikes == "replay":
            found += replay_lists(population, self.setting.dt, name)
        else:
            memory = aligned(np.zeros(-(-self.n_trials * width // 8) * 8, np.uint8))
            flags = memory[: self.n_trials * width].reshape(self.n_trials, width)
            found += [flags, memory.view(np.uint64)]
        if structure.spikes == "chance":
            due = np.full((self.n_trials, width), np.iinfo(np.int64).max)
            due[:, : part.sizes[p]] = -1  # not drawn yet
            log_rest = self.setting.log_rest[name][part.units[p]]
            found += [due, np.zeros((self.n_trials, width), np.int64), np.array(log_rest)]
        if structure.refractory:
            found.append(self._rest(population, part, p, width))
        return found

    def _rest(self, population, part, p: int, width: int) -> np.ndarray:
        """Refractory time of each unit, in steps."""
        name = f"refractory` of `{self.structure.populations[p].name}"
        times = np.broadcast_to(population.refractory, (population.size,))[part.units[p]]
        values, index = np.unique(times, return_inverse=True)
        steps = [0 if v == 0 else count_steps(float(v), self.setting.dt, name) for v in values]
        rest = np.zeros(width, self.setting.real)
        if values.size:
            # half a step: a unit that does not rest still spikes once, and takes nothing until then
            rest[: times.size] = np.maximum(steps, 0.5)[index.reshape(-1)]
        return rest

    def _silence_filling(self, part) -> None:
        """Units that only fill a row are refractory for ever."""
        for p in self.spiking:
            structure = self.structure.populations[p]
            if structure.refractory:
                part.workspaces[p][structure.slots[UNTIL], :, part.sizes[p] :] = np.inf

    def arguments(self, k: int, plastic: dict[int, list[np.ndarray]]) -> list[Any]:
        """What `SpikeWriter.arguments` lists, for part number `k`.

        `plastic` are the weights of plastic couplings, by number.
        """
        part = self.parts[k]
        found = [k, self.progress, self.interval, self.words[k], self.counts[k]]
        found += [units.start for units in part.units]
        for p in self.spiking:
            found += [self.ring[p], self.count[p], self.bounds[p], *self.kept[k][p]]
            found += self.emitters[k][p]
        for c, arrays in zip(self.structure.spike_couplings, self.weights[k], strict=True):
            found += [*arrays, *plastic.get(c, ())]
        if self.groups[k]:
            found += [self.bounds_of_runs[k], self.scheduled[k], self.setting.look_back]
        found += [array for arrays in self.groups[k] for array in arrays]
        return [*found, *self.poisson[k]]

    def drain(self, p: int, first_step: int, n_steps: int) -> Spikes:
        """Spikes of population `p` in the call that has just ended; sorted by step, trial, unit."""
        found = []
        for kept in self.kept:
            units, counts = kept[p]
            counts = counts[:n_steps].reshape(-1)
            place = np.repeat(np.arange(counts.size), counts)
            step, trial = np.divmod(place, self.n_trials)
            found.append(Spikes(first_step + step, trial, units[: place.size].copy()))
        if len(found) == 1:
            return found[0]
        merged = Spikes(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
        order = np.lexsort((merged.unit, merged.trial, merged.step))
        return Spikes(*(array[order] for array in merged))

    # -- going back, and on ----------------------------------------------------------------------

    def _changing(self) -> list[np.ndarray]:
        """Arrays that a call changes and the next one needs."""
        found = [*self.ring.values(), *self.count.values(), *self.scheduled]
        found += [arrays[-1] for groups in self.groups for arrays in groups]  # what is pending
        for part, emitters in zip(self.parts, self.emitters, strict=True):
            for p, structure in enumerate(self.structure.populations):
                if structure.refractory:
                    found.append(part.workspaces[p][structure.slots[UNTIL]])
                if structure.spikes == "chance":
                    found += emitters[p][2:4]
                for target in structure.arrivals:
                    found.append(part.workspaces[p][structure.slots[arriving(target)]])
        return found

    def snapshot(self) -> list[np.ndarray]:
        return [array.copy() for array in self._changing()]

    def restore(self, saved: list[np.ndarray]) -> None:
        for array, value in zip(self._changing(), saved, strict=True):
            array[...] = value


    def carried(self, next_step: int) -> dict[str, np.ndarray]:
        """What goes from one run into its continuation, by name.

        Arrays are (trial, unit): ``<population>.refractory``, steps that are left; ``.due`` and
        ``.event``, when a unit that spikes by chance does so next and how often it has drawn;
        ``.log_rest`` (1, unit), with which probability; ``<population>.<input>.arriving``. Spikes
        on their way are ``.in_flight`` (spike, 3): step, trial and unit.
        """
        found: dict[str, np.ndarray] = {}
        for p, structure in enumerate(self.structure.populations):
            name = structure.name
            if structure.refractory:
                found[f"{name}.refractory"] = self._joined(p, UNTIL)
            if structure.spikes == "chance":
                for k, what in ((2, "due"), (3, "event"), (4, "log_rest")):
                    pieces = [
                        np.atleast_2d(emitters[p][k])[:, : part.sizes[p]]
                        for part, emitters in zip(self.parts, self.emitters, strict=True)
                    ]
                    found[f"{name}.{what}"] = np.concatenate(pieces, axis=-1)
            for target in structure.arrivals:
                if target not in structure.states:  # a state has had its spikes
                    found[f"{name}.{target}.arriving"] = self._joined(p, arriving(target))
            if structure.spikes and self.setting.max_delay:
                found[f"{name}.in_flight"] = self._in_flight(p, next_step)
        return found

    def _joined(self, p: int, slot: str) -> np.ndarray:
        """A slot of population `p` (trial, unit), all parts together."""
        row = self.structure.populations[p].slots[slot]
        pieces = [part.workspaces[p][row, :, : part.sizes[p]] for part in self.parts]
        return np.concatenate(pieces, axis=-1)

    def _in_flight(self, p: int, next_step: int) -> np.ndarray:
        ring, count, bounds = self.ring[p], self.count[p], self.bounds[p]
        found = [np.empty((0, 3), np.int64)]
        for step in range(max(0, next_step - self.setting.max_delay), next_step):
            slot = step & (ring.shape[0] - 1)
            for trial, part in np.argwhere(count[slot]):
                units = ring[slot, trial, bounds[part] : bounds[part] + count[slot, trial, part]]
                found.append(
                    np.stack([np.full(units.size, step), np.full(units.size, trial), units], axis=1)
                )
        return np.concatenate(found)

    def resume(self, carried: dict[str, np.ndarray]) -> None:
        """Take up what `carried` of an earlier run gave for these trials."""
        for p, structure in enumerate(self.structure.populations):
            name = structure.name
            for part, emitters in zip(self.parts, self.emitters, strict=True):
                units, size = part.units[p], part.sizes[p]
                workspace = part.workspaces[p]
                if structure.refractory and f"{name}.refractory" in carried:
                    row = workspace[structure.slots[UNTIL]]
                    row[:, :size] = carried[f"{name}.refractory"][:, units]
                if structure.spikes == "chance" and f"{name}.due" in carried:
                    due, event, log_rest = emitters[p][2:5]
                    event[:, :size] = carried[f"{name}.event"][:, units]
                    same = carried[f"{name}.log_rest"][:, units] == log_rest
                    due[:, :size] = np.where(same, carried[f"{name}.due"][:, units], -1)
                for target in structure.arrivals:
                    if f"{name}.{target}.arriving" in carried:
                        row = workspace[structure.slots[arriving(target)]]
                        row[:, :size] = carried[f"{name}.{target}.arriving"][:, units]
            if structure.spikes and f"{name}.in_flight" in carried:
                self._put_in_flight(p, carried[f"{name}.in_flight"])

    def _put_in_flight(self, p: int, spikes: np.ndarray) -> None:
        ring, count, bounds = self.ring[p], self.count[p], self.bounds[p]
        if spikes.size and ring.shape[0] <= np.ptp(spikes[:, 0]):
            newest = spikes[:, 0].max()  # this network's delays are shorter
            spikes = spikes[spikes[:, 0] > newest - ring.shape[0]]
        for step, trial, unit in spikes:
            slot = step & (ring.shape[0] - 1)
            part = int(np.searchsorted(bounds[1:], unit, side="right"))
            ring[slot, trial, bounds[part] + count[slot, trial, part]] = unit
            count[slot, trial, part] += 1


def replay_lists(population, dt: float, name: str) -> list[np.ndarray]:
    """Steps (ascending) and units of given spikes."""
    # a time that is a multiple of dt up to rounding belongs to the step that begins there
    step = np.floor(population.spike_time / dt * (1 + 1e-12) + 1e-9).astype(np.int64)
    order = np.lexsort((population.spike_unit, step))
    step, unit = step[order], population.spike_unit[order]
    twice = np.flatnonzero((np.diff(step) == 0) & (np.diff(unit) == 0))
    if twice.size:
        k = int(twice[0])
        raise ValueError(
            f"`{name}`: unit {unit[k]} has two spikes in the step that begins at "
            f"{step[k] * dt:.6g} s; use a smaller dt than {dt:g} s"
        )
    return [step, unit.astype(np.int32)]
