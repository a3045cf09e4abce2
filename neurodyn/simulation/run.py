"""One run of a network: blocks of trials, advanced in chunks of steps.

The time loop is compiled; Python sees it in chunks of about 0.2 s, between which it looks for an
interrupt, checks that the state is finite, reports progress, and hands finished samples on.
"""

from __future__ import annotations

import time as clock
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.simulation.blocks import Block, Part
from neurodyn.simulation.carried import carry, join_carried
from neurodyn.simulation.divergence import check_finite
from neurodyn.simulation.interrupts import Interrupts, raise_interrupts
from neurodyn.simulation.preparation import PreparedRun
from neurodyn.simulation.recording import ZarrSink
from neurodyn.simulation.synapses import synapse_variables

if TYPE_CHECKING:
    import xarray as xr

#: Wall time that a chunk of steps should take, s.
_CHUNK_SECONDS = 0.2
#: Bytes of varying inputs that are laid out at once, all trials together.
_DRIVE_BYTES = 32 * 2**20


class Run(PreparedRun):
    """One call of `simulate`: its progress, and its result."""

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
        self.run_block(self.blocks[0], self.first_step, 0, sink)

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
                check_finite(self, n, recording, sink)
                self.keep_spikes(n)
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
        return self.steps_at_once(n)

    def steps_at_once(self, n: int) -> int:
        """At most `n` steps: as many as there is room to lay out the varying inputs of."""
        per_step = sum(
            s.n_trials * s.n_units * self.compiled.dtype.itemsize for s, _ in self.samplers if s
        )
        return max(1, min(n, _DRIVE_BYTES // per_step)) if per_step else n

    def take_drives(self, n: int) -> list[np.ndarray]:
        """The inputs of the next `n` steps, or the one row that holds always."""
        return [
            row if sampler is None else sampler.take(n).astype(self.compiled.dtype, copy=False)
            for sampler, row in self.samplers
        ]

    def _advance(self, n: int, sink, pool) -> None:
        """Run `n` steps of all blocks."""
        self.drives = self.take_drives(n)
        self.starts = [block.snapshot() for block in self.blocks]
        first = self.first_step + self.position
        futures = [pool.submit(self.run_block, block, first, n, sink) for block in self.blocks]
        for future in futures:
            future.result()

    def run_block(self, block: Block, first: int, n: int, sink, row: int = 0) -> None:
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
            *self._solver_arguments(block, part),
            *(block.spikes.arguments(k, synapses) if block.spikes else ()),
            *(a for s in block.synapses.values() for a in s.arguments()),
        )

    def _solver_arguments(self, block: Block, part: Part) -> list:
        """What the loop of this solver takes beyond the arguments of all."""
        if self.solver.adaptive:
            real = self.compiled.dtype.type
            return [real(self.solver.rtol), real(self.solver.atol), block.control]
        return part.propagators if self.solver.method == "exact" else []

    def keep_spikes(self, n: int) -> None:
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
        for setting in self.synapses.values():
            parameters |= setting.described()
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
