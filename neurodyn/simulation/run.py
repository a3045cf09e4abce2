"""One run of a network: blocks of trials, advanced in chunks of steps.

The time loop is compiled; Python sees it in chunks of about 0.2 s, between which it looks for an
interrupt, checks that the state is finite, reports progress, and hands finished samples on.
"""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
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
from neurodyn.simulation.carried import carried_by_trials, carry, join_carried, spread_carried
from neurodyn.simulation.divergence import SimulationDiverged
from neurodyn.simulation.interrupts import Interrupts, raise_interrupts
from neurodyn.simulation.recording import MemorySink, Recording, ZarrSink
from neurodyn.simulation.spike_recording import SpikeMemory, SpikeStore
from neurodyn.simulation.spikes import BlockSpikes, SpikeSetting, check_chance
from neurodyn.simulation.synapses import BlockSynapses, SynapseSetting, synapse_variables
from neurodyn.simulation.time_grid import count_steps
from neurodyn.solvers import Solver
from neurodyn.units import format_dimension

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.compile.compiled import CompiledNetwork

#: Wall time that a chunk of steps should take, s.
_CHUNK_SECONDS = 0.2
#: Bytes of varying inputs that are laid out at once, all trials together.
_DRIVE_BYTES = 32 * 2**20

#: Purposes of random streams; a stream's key is (purpose, trial) under the run's root seed.
_INITIAL, _NOISE, _SIGNAL = 0, 1, 2

#: A part of a block should have so many unit steps to do between two waits for the other threads.
_PART_WORK = 10_000


class Run:
    """One call of `simulate`: its checked arguments and its progress."""

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
        state = self.network.initial_state(self.seeds(_INITIAL))
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
        keys = np.array([seed.generate_state(2) for seed in self.seeds(_NOISE)], dtype=np.uint32)
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
                self.seeds(_SIGNAL, (position,)),
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

    # -- running -------------------------------------------------------------------------------

    def execute(self, recording, sink, progress) -> xr.Dataset:
        for c, setting in self.synapses.items():
            rows, places = recording.synapse_tables(setting)
            for block in self.blocks:
                block.synapses[c].rows, block.synapses[c].places = rows, places
        self.tables = {
            part: recording.kernel_tables(self.compiled, part.units)
            for block in self.blocks
            for part in block.parts
        }
        self.kernel = getattr(self.compiled.module, f"run_{self.solver.method}")
        self._compile(sink)
        with Interrupts() as interrupts:
            self._run_chunks(recording, sink, progress, interrupts)
            stopped = f"interrupted at t = {self.time:.6g} s" if interrupts.came else None
            result = self.dataset(recording, sink, stopped)
        if stopped:
            if raise_interrupts.get():
                raise KeyboardInterrupt(stopped)
            warnings.warn(
                f"simulate was {stopped}; the Dataset holds the samples so far",
                RuntimeWarning,
                stacklevel=3,
            )
        return result

    def _compile(self, sink) -> None:
        """Compile the loop, or load it, by a run of no steps: nothing is lost by Ctrl-C in here."""
        self.drives = [np.empty((0, 1, 1), self.compiled.dtype) for _ in self.samplers]
        self._run_block(self.blocks[0], self.first_step, 0, sink)

    def _run_chunks(self, recording, sink, progress, interrupts) -> None:
        from concurrent.futures import ThreadPoolExecutor

        n_threads = min(len(self.blocks), self.n_threads)
        with ThreadPoolExecutor(n_threads) as pool, _bar(progress, self.n_steps * self.dt) as bar:
            n = 1  # the first chunk tells how long a step takes
            while self.position < self.n_steps and not interrupts.came:
                n = self._chunk(n, sink)
                started = clock.perf_counter()
                self._advance(n, sink, pool)
                elapsed = clock.perf_counter() - started
                self._check_finite(n, recording, sink)
                self._keep_spikes(n)
                self.position += n
                sink.finished(self.sample_count(self.position))
                bar(n * self.dt)
                n = int(min(8 * n, max(1, n * _CHUNK_SECONDS / max(elapsed, 1e-6))))

    @property
    def time(self) -> float:
        return (self.first_step + self.position) * self.dt

    def _chunk(self, n: int, sink) -> int:
        """At most `n` steps: not beyond the end, the room for samples, or for inputs."""
        n = min(n, self.n_steps - self.position)
        done = self.sample_count(self.position)
        if self.sample_count(self.position + n) - done > sink.room(done):
            last = self.first_sample + done + sink.room(done)
            n = last * self.every - self.first_step - self.position
        if self.setting:
            n = min(n, min(block.spikes.room for block in self.blocks))
        per_step = sum(
            s.n_trials * s.n_units * self.compiled.dtype.itemsize for s, _ in self.samplers if s
        )
        return max(1, min(n, _DRIVE_BYTES // per_step)) if per_step else n

    def _advance(self, n: int, sink, pool) -> None:
        """Run `n` steps of all blocks."""
        self.drives = [
            row if sampler is None else sampler.take(n).astype(self.compiled.dtype, copy=False)
            for sampler, row in self.samplers
        ]
        self.starts = [block.snapshot() for block in self.blocks]
        first = self.first_step + self.position
        futures = [pool.submit(self._run_block, block, first, n, sink) for block in self.blocks]
        for future in futures:
            future.result()

    def _run_block(self, block: Block, first: int, n: int, sink, row: int = 0) -> None:
        """Run `n` steps of a block, each of its parts on a thread of its own."""
        if block.spikes:
            block.spikes.progress[:] = 0
        if len(block.parts) == 1 or n == 0:
            self._run_part(block, 0, first, n, sink, row)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(block.parts)) as pool:
            futures = [
                pool.submit(self._run_part, block, k, first, n, sink, row)
                for k in range(len(block.parts))
            ]
            for future in futures:
                future.result()

    def _run_part(self, block: Block, k: int, first: int, n: int, sink, row: int) -> None:
        compiled, part = self.compiled, block.parts[k]
        every = slice(None)
        drives = [
            np.ascontiguousarray(
                d[row if d.shape[0] > 1 else 0 :, block.trials if d.shape[1] > 1 else every]
            )
            for d in self.drives
        ]
        if not part.is_whole:
            places = [compiled.place(name)[0] for name in compiled.driven_names]
            drives = [part.drive(d, p) for d, p in zip(drives, places, strict=True)]
        synapses = {c: s.weight_arguments() for c, s in block.synapses.items()}
        rates = {c: a for c, a in synapses.items() if c in compiled.structure.rate_couplings}
        extra = []
        if self.solver.adaptive:
            real = compiled.dtype.type
            extra = [real(self.solver.rtol), real(self.solver.atol), block.control]
        if self.solver.method == "exact":
            extra = part.propagators
        self.kernel(
            *part.workspaces,
            *part.value_arrays,
            *compiled.weights_with(rates),
            *drives,
            block.keys,
            block.normals,
            first,
            n,
            self.dt,
            self.every,
            sink.array[block.trials],
            self.first_sample + sink.first_sample,
            *self.tables[part],
            *part.sizes,
            *extra,
            *(block.spikes.arguments(k, synapses) if block.spikes else ()),
            *(a for s in block.synapses.values() for a in s.arguments()),
        )

    def _keep_spikes(self, n: int) -> None:
        """Hand the spikes of the last `n` steps to the recording."""
        if self.spike_sink is None:
            return
        first = self.first_step + self.position
        for p in self.blocks[0].spikes.spiking:
            name = self.compiled.structure.populations[p].name
            if self.spike_sink.wants(name):
                for block in self.blocks:
                    found = block.spikes.drain(p, first, n)
                    self.spike_sink.add(name, found._replace(trial=found.trial +
                    block.trials.start))
        self.spike_sink.finished()

    # -- divergence ----------------------------------------------------------------------------

    def _check_finite(self, n: int, recording, sink) -> None:
        bad = [k for k, block in enumerate(self.blocks) if not block.is_finite()]
        if not bad:
            return
        finite_steps, k = min(
            (self._finite_steps(self.blocks[k], self.starts[k], n, sink), k) for k in bad
        )
        gave_up = self.blocks[k].control[3] != 0
        variable, trial, unit, value = self._worst(self.blocks[k])
        # All trials go back to the beginning of the bad step: a state from which one can continue.
        for block, start in zip(self.blocks, self.starts, strict=True):
            block.restore(start)
            self._run_block(block, self.first_step + self.position, finite_steps, sink)
        self._keep_spikes(finite_steps)
        self.position += finite_steps
        sink.finished(self.sample_count(self.position))
        where = f"`{variable}` of unit {unit} in trial {trial}"
        if gave_up:
            message = (
                f"{where} changes too fast in the interval that begins at t = {self.time:.6g} s "
                f"(dt = {self.dt:g} s): no step is short enough for rtol = {self.solver.rtol:g}. "
                "Try a larger `rtol` or `atol`; if that does not help, the equations themselves "
                "grow without bound, or are not defined there."
            )
        else:
            message = (
                f"{where} became {value} in the step that begins at t = {self.time:.6g} s "
                f"(dt = {self.dt:g} s). Try a smaller dt, or ExponentialEuler for stiff equations; "
                "if that does not help, the equations themselves grow without bound."
            )
        message += " The samples so far are in the error's `dataset`."
        dataset = self.dataset(recording, sink, f"diverged at t = {self.time:.6g} s")
        raise SimulationDiverged(message, variable, trial, unit, self.time, dataset)

    def _finite_steps(self, block: Block, start, n: int, sink) -> int:
        """How many of the chunk's `n` steps of a block give finite states; it stands after them.

        The steps are run again from the chunk's beginning in halves: the same numbers come out, so
        the samples that are written again do not change.
        """
        done = 0
        saved = start
        while n > 1:
            half = n // 2
            block.restore(saved)
            self._run_block(block, self.first_step + self.position + done, half, sink, row=done)
            if block.is_finite():
                saved = block.snapshot()
                done += half
                n -= half
            else:
                n = half
        block.restore(saved)
        self._run_block(block, self.first_step + self.position + done, 1, sink, row=done)
        return done

    def _worst(self, block: Block) -> tuple[str, int, int, float]:
        """Name, trial, unit and value of the first state that is not finite.

        Where an adaptive solver gave up, all are finite still, and the one with the steepest slope
        is told. Slopes are in the scratch slots behind the copy of the states.
        """
        name, index, worst, value = "", (0, 0), -1.0, 0.0
        for part in block.parts:
            members = zip(
                part.states(), self.compiled.structure.populations, part.workspaces, part.units,
                strict=True,
            )  # fmt: skip
            for states, population, workspace, units in members:
                badness = (~np.isfinite(states)).astype(float)
                if block.control[3]:
                    first = len(population.slots) + len(states)
                    slopes = workspace[first : first + len(states), :, : states.shape[2]]
                    scale = self.solver.atol + self.solver.rtol * np.abs(states)
                    badness = np.nan_to_num(np.abs(slopes) / scale, nan=np.inf)
                if badness.size and badness.max() > worst:
                    worst = badness.max()
                    s, trial, unit = map(int, np.unravel_index(badness.argmax(), badness.shape))
                    index = trial, units.start + unit
                    name = f"{population.name}.{population.states[s]}"
                    value = float(states[s, trial, unit])
        return name, block.trials.start + index[0], index[1], value

    # -- results -------------------------------------------------------------------------------

    def final_state(self) -> dict[str, np.ndarray]:
        found = {}
        for name in self.network.state_names:
            found[name] = np.concatenate([block.take(name) for block in self.blocks])
        return found

    def carried(self) -> dict[str, np.ndarray]:
        """What a continuation needs beside the states: spikes on their way, and so on."""
        if not self.setting:
            return {}
        next_step = self.first_step + self.position
        return join_carried([b.spikes.carried(next_step) for b in self.blocks],
                            [b.trials.start for b in self.blocks])  # fmt: skip

    def attributes(self, stopped: str | None) -> dict[str, Any]:
        from neurodyn.provenance import provenance

        network = self.network
        parameters = {
            f"{name}.{n}": value
            for name, p in network.populations.items()
            for n, value in p.parameters.items()
        }
        for name, p in network.populations.items():
            if p.surrogate is not None:
                parameters[f"{name}.surrogate"] = p.surrogate
        equations = "\n".join(f"{name}:\n{p.text}" for name, p in network.populations.items())
        run = {
            "dt": self.dt,
            "first_step": self.first_step,
            "next_step": self.first_step + self.position,
            "trials": self.n_trials,
            "entropy": ",".join(map(str, np.atleast_1d(np.array(self.root.entropy, dtype=object)))),
            "spawn_key": [int(k) for k in self.root.spawn_key],
        }
        if self.solver.adaptive:
            run["step_size"] = [float(b.control[0]) for b in self.blocks]
            run["accepted_steps"] = [int(b.control[1]) for b in self.blocks]
            run["rejected_steps"] = [int(b.control[2]) for b in self.blocks]
        text = "\n".join([equations, *map(repr, (*network.couplings, *network.poisson_inputs))])
        return {
            "run": run,
            "sizes": {name: p.size for name, p in network.populations.items()},
            **provenance(
                network=text,
                parameters=parameters,
                solver=self.solver.describe(),
                dt=self.dt,
                rng=self.root,
                inputs={name: s.describe() for name, s in self.signals.items()},
                dtype=self.compiled.dtype.name,
                stopwatch=self.stopwatch,
            ),
            **({"stopped": stopped} if stopped else {}),
        }

    def dataset(self, recording, sink, stopped) -> xr.Dataset:
        n_samples = self.sample_count(self.position)
        final = self.final_state()
        names = [c.name for c in recording.columns]
        units = self.units([*names, *final])
        if isinstance(sink, ZarrSink):
            from neurodyn.results import load

            sink.flush(n_samples)
            spikes = {}
            if self.spike_sink is not None:
                spikes = self.spike_sink.variables(sink.stream, self.first_step, self.position)
            more = {**spikes, **self._final_synapses(), **carry(self.carried())}
            sink.stream.close(final, units, self.attributes(stopped), more)
            ds = load(sink.stream.path, lazy=True)
            return ds.isel(time=slice(0, n_samples))
        from neurodyn.results import time_series

        spikes = {}
        if self.spike_sink is not None:
            spikes = self.spike_sink.variables(self.first_step, self.position)
        return time_series(
            recording.by_name(sink.array[:, :n_samples]),
            self.sample_times(n_samples),
            units,
            final,
            self.attributes(stopped),
            recording.unit_index(),
            {**spikes, **self._final_synapses(), **carry(self.carried())},
        )

    def _final_synapses(self) -> dict[str, tuple]:
        """Weights of plastic couplings, and what their rules keep, at the end."""
        found = {}
        for c, setting in self.synapses.items():
            found |= synapse_variables(setting, [block.synapses[c] for block in self.blocks])
        return found


@contextmanager
def _bar(progress: bool, duration: float):
    """A function to call with the model time done; it draws a bar if wanted."""
    if not progress:
        yield lambda seconds: None
        return
    from tqdm.auto import tqdm

    form = "{l_bar}{bar}| {n:.3g}/{total:.3g} s [{elapsed}<{remaining}]"
    with tqdm(total=duration, desc="simulate", bar_format=form) as bar:
        yield bar.update
