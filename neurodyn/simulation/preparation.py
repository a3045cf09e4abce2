"""What a run needs before its first step: checked arguments, blocks of trials, samplers, sinks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.signals.kinds import ArraySignal
from neurodyn.simulation.arguments import (
    as_signals,
    block_size,
    broadcast_state,
    other_grid,
    previous_run,
    root_seed,
    trial_count,
)
from neurodyn.simulation.blocks import Block, Part, cut_units
from neurodyn.simulation.carried import carried_by_trials, spread_carried
from neurodyn.simulation.recording import MemorySink, Recording, ZarrSink
from neurodyn.simulation.spike_recording import SpikeMemory, SpikeStore
from neurodyn.simulation.spikes import BlockSpikes, SpikeSetting, check_chance
from neurodyn.simulation.synapses import BlockSynapses, SynapseSetting
from neurodyn.simulation.time_grid import count_steps
from neurodyn.solvers import Solver
from neurodyn.units import format_dimension

if TYPE_CHECKING:
    from neurodyn.compile.compiled import CompiledNetwork

#: Purposes of random streams; a stream's key is (purpose, trial) under the run's root seed.
INITIAL, NOISE, SIGNAL = 0, 1, 2
#: A part of a block should have so many unit steps to do between two waits for the other threads.
_PART_WORK = 10_000


class PreparedRun:
    """The checked arguments of `simulate`, and all that the loop over steps needs.

    Attributes
    ----------
    network, solver, dt, n_steps, every, n_trials, n_threads
        As given to `simulate`, times in steps of dt.
    first_step, position : int
        Number, counted from time 0, of the first step; steps done since.
    root : numpy.random.SeedSequence
    compiled : CompiledNetwork
    setting : SpikeSetting or None
    synapses : dict of int to SynapseSetting
        Of plastic couplings, by number.
    blocks : list of Block
    samplers : list
        Of each driven input the sampler, or the one row that holds always.
    """

    def __init__(
        self, network, solver, duration, trials, every, inputs, initial, rng, dtype, threads
    ):
        from neurodyn.provenance import Stopwatch

        self.stopwatch = Stopwatch()
        if not hasattr(network, "populations"):
            raise TypeError(f"`network` must be a Network; got {type(network).__name__}")
        if not isinstance(solver, Solver):
            raise TypeError(f"`solver` must be a solver such as nd.Euler(dt=...); got {solver!r}")
        self.network, self.solver, self.dt = network, solver, solver.dt
        self.n_threads = threads
        self.n_steps = count_steps(duration, self.dt, "duration")
        self.every = 1 if every is None else count_steps(every, self.dt, "every")
        previous = None if initial is None or isinstance(initial, Mapping) and not hasattr(
            initial, "attrs"
        ) else previous_run(initial)
        self.first_step = previous["next_step"] if previous else 0
        self.root = root_seed(rng, previous)
        if previous and abs(previous["dt"] - self.dt) > 1e-12 * self.dt:
            self.first_step = other_grid(previous, self.dt)
        self.n_trials = trial_count(trials, initial, previous)
        self.signals = as_signals(network, inputs)
        self.compiled: CompiledNetwork = network.compiled(dtype, tuple(self.signals), plastic=True)
        self._check_solver()
        self.setting = self._spike_setting()
        self.synapses = {
            c: SynapseSetting(self.compiled, c) for c in self.compiled.structure.plastic
        }
        if previous and previous["trials"] != self.n_trials:
            previous["carried"] = spread_carried(previous["carried"], self.n_trials)
        self.blocks = self._blocks(self._initial_state(initial, previous), previous)
        self.samplers = self._samplers()
        self.position = 0

    # -- setting up ----------------------------------------------------------------------------

    def _check_solver(self) -> None:
        structure = self.compiled.structure
        solver = type(self.solver).__name__
        if structure.noise_streams and not self.solver.takes_noise:
            name = structure.label(*structure.noise_streams[0])
            raise ValueError(
                f"{solver} does not integrate noise, and the network has `{name}`; use nd.Euler "
                "(Ito), nd.Heun (Stratonovich) or nd.ExponentialEuler"
            )
        if (structure.spikes or structure.plastic) and self.solver.adaptive:
            what = "spikes belong" if structure.spikes else "changes of weights belong"
            raise ValueError(
                f"{solver} chooses its own steps, and {what} to the steps of a grid; use nd.Exact "
                "(linear units), nd.ExponentialEuler or nd.RK4"
            )
        if self.solver.method == "exact" and (reason := self.compiled.module.NOT_LINEAR):
            raise ValueError(
                f"nd.Exact integrates linear equations, and {reason}; use nd.ExponentialEuler or "
                "nd.RK4"
            )

    def _spike_setting(self) -> SpikeSetting | None:
        if not self.compiled.structure.spikes:
            return None
        # a continuation may be shorter than a delay: what it emits arrives in the next one
        longest = None if self.first_step else self.n_steps
        self._check_driven_chances()
        return SpikeSetting(self.compiled, self.dt, longest)

    def _check_driven_chances(self) -> None:
        """Check the probabilities of spikes that inputs drive, where these are known beforehand."""
        for name, population in self.network.populations.items():
            driven = {}
            for full, signal in self.signals.items():
                owner, variable = self.network.split(full)
                if owner == name and signal.is_constant:
                    driven[variable] = signal.constant_value(population.size)
                elif owner == name and isinstance(signal, ArraySignal):
                    driven[variable] = signal.values
            if driven and population.emits == "threshold":
                p = population.chance(self.dt, driven)
                if p is not None:
                    what = f"`{name}`: `{population.threshold}`"
                    check_chance(what, float(np.max(p)), self.dt)

    def seeds(self, purpose: int, extra: tuple[int, ...] = ()) -> list[np.random.SeedSequence]:
        """One seed a trial for a purpose."""
        return [
            np.random.SeedSequence(
                self.root.entropy, spawn_key=(*self.root.spawn_key, purpose, *extra, trial)
            )
            for trial in range(self.n_trials)
        ]

    def _initial_state(self, initial, previous) -> dict[str, np.ndarray]:
        if previous:
            return self._continued_state(previous["state"])
        state = self.network.initial_state(self.seeds(INITIAL))
        for name, value in (initial or {}).items():
            if name not in state:
                self.network.split(name)
                raise ValueError(
                    f"`initial`: `{name}` is not a state; states: {', '.join(state)}"
                )
            state[name] = broadcast_state(name, value, state[name], self.network)
        return state

    def _continued_state(self, state) -> dict[str, np.ndarray]:
        """The state at the end of an earlier run, checked to fit; one trial may become many."""
        other = next((n for n in (*state, *self.network.state_names)
                      if (n in state) != (n in self.network.state_names)), None)  # fmt: skip
        if other:
            where = "`initial`" if other in state else "the network"
            raise ValueError(
                f"`initial` is the run of another network: only {where} has the state `{other}`. "
                "To begin from some of its states, give them as a dict, `nd.final_state(initial)`."
            )
        found = {}
        for name, values in state.items():
            size = self.network.populations[self.network.split(name)[0]].size
            if values.shape[1] != size:
                raise ValueError(
                    f"`initial`: `{name}` has {values.shape[1]} units, the network {size}"
                )
            found[name] = np.broadcast_to(values, (self.n_trials, size))
        return found

    def _blocks(self, state, previous) -> list[Block]:
        """Cut the trials into blocks whose workspaces fit the cache."""
        from neurodyn.compile.random_source import normals_scratch

        n_scratch = self.solver.scratch
        per_trial = self.compiled.dtype.itemsize * sum(
            (len(p.slots) + n_scratch * len(p.states)) * width
            for p, width in zip(
                self.compiled.structure.populations, self.compiled.widths, strict=True
            )
        )
        size = 1 if self.solver.adaptive else block_size(self.n_trials, per_trial)
        keys = np.array([seed.generate_state(2) for seed in self.seeds(NOISE)], dtype=np.uint32)
        steps = [self.dt] * self.n_trials
        if previous and len(previous["step_size"] or ()) in (1, self.n_trials):
            steps = np.broadcast_to(previous["step_size"], self.n_trials)
        units, interval = self._parts(-(-self.n_trials // size))
        blocks = []
        for start in range(0, self.n_trials, size):
            trials = slice(start, min(start + size, self.n_trials))
            count = trials.stop - start
            block = Block(
                trials,
                [Part(self.compiled, cut, count, n_scratch) for cut in units],
                keys[trials],
                normals_scratch(self.compiled.dtype),
                np.array([steps[start], 0.0, 0.0, 0.0]),
            )
            for part in block.parts:
                part.put({n: v[trials] for n, v in state.items()})
                if self.solver.method == "exact":
                    part.propagators = self.compiled.propagators(self.dt, part.units)
            if self.setting:
                block.spikes = BlockSpikes(self.setting, block.parts, count, interval)
                if previous:
                    block.spikes.resume(carried_by_trials(previous["carried"], trials))
            for c, setting in self.synapses.items():
                block.synapses[c] = BlockSynapses(
                    setting, {n: v[trials] for n, v in self._synapses_at_start(c, previous).items()}
                )
            blocks.append(block)
        return blocks

    def _synapses_at_start(self, c: int, previous) -> dict[str, np.ndarray]:
        """The weight and what the rule keeps (trial, ...), where an earlier run left them."""
        setting = self.synapses[c]
        found = {}
        for name in setting.rule.changing:
            full = f"{setting.label}.{name}"
            values = previous["synapses"].get(full) if previous else None
            if values is None:
                values = setting.initial(name)
            elif values.shape[1:] != setting.shape:
                raise ValueError(
                    f"`initial`: `{full}` has shape {values.shape[1:]}, the network's "
                    f"{setting.shape}"
                )
            found[name] = np.broadcast_to(values, (self.n_trials, *setting.shape))
        return found

    def _parts(self, n_blocks: int) -> tuple[list[tuple[slice, ...]], int]:
        """Ranges of units for each thread of a block, and the steps between their waits.

        More than one only where a single block has work for several threads: a network in which
        nothing but spikes goes from unit to unit.
        """
        structure, sizes = self.compiled.structure, self.compiled.sizes
        whole = [tuple(slice(0, n) for n in sizes)]
        n_parts = self.n_threads
        if not self.setting or n_blocks > 1 or n_parts < 2:
            return whole, 0
        if structure.rate_couplings or structure.noise_streams or structure.plastic:
            return whole, 0
        interval = max(1, self.setting.min_delay)
        if sum(sizes) * self.n_trials * interval < _PART_WORK * n_parts:
            return whole, 0
        return cut_units(sizes, n_parts), interval

    def _samplers(self) -> list[tuple[Any, np.ndarray | None]]:
        """For each driven input its sampler, or the one row that holds always."""
        found = []
        for name in self.compiled.driven_names:
            signal = self.signals.get(name)
            population, variable = self.network.split(name)
            size = self.network.populations[population].size
            if signal is None:
                found.append((None, np.zeros((1, 1, 1), self.compiled.dtype)))
                continue
            position = self.network.input_names.index(name)
            sampler = signal.sampler(
                self.dt,
                size,
                self.seeds(SIGNAL, (position,)),
                self.first_step,
                n_steps=self.n_steps,
                name=name,
            )
            if signal.is_constant:
                found.append((None, sampler.take(1).astype(self.compiled.dtype)))
            else:
                found.append((sampler, None))
        return found

    def sink(self, recording: Recording, store) -> MemorySink | ZarrSink:
        n_samples = self.sample_count(self.n_steps)
        self.spike_sink = self._spike_sink(recording, store)
        if store is None:
            return MemorySink(recording, self.n_trials, n_samples, self.compiled.dtype)
        return ZarrSink(
            store,
            recording,
            self.n_trials,
            n_samples,
            self.compiled.dtype,
            self.sample_times(n_samples),
            self.units([c.name for c in recording.columns]),
            self.attributes(None),
        )

    def _spike_sink(self, recording: Recording, store) -> SpikeMemory | None:
        if not recording.spikes and not recording.rates:
            return None
        sizes = {name: p.size for name, p in self.network.populations.items()}
        kind = SpikeMemory if store is None else SpikeStore
        return kind(recording, sizes, self.n_trials, self.dt, self.every, store)

    # -- samples -------------------------------------------------------------------------------

    @property
    def first_sample(self) -> int:
        """Number, counted from time 0, of the first sample of this run."""
        return -(-self.first_step // self.every)

    def sample_count(self, n_steps: int) -> int:
        """Samples in the first `n_steps` steps of the run."""
        return -(-(self.first_step + n_steps) // self.every) - self.first_sample

    def sample_times(self, n_samples: int) -> np.ndarray:
        return (self.first_sample + np.arange(n_samples)) * self.every * self.dt

    def units(self, names) -> dict[str, str]:
        return {name: format_dimension(self.network.dimension(name)) for name in names}
