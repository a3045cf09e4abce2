"""A network unrolled over time: forward with a tape, backwards with cotangents.

`Unrolled` owns the arrays and knows the order of things; the loops are generated
(`neurodyn.compile.adjoint_loops`). A run is cut in four ways, and no result depends, to the last
bit, on the second and the last:

- *windows*: truncated backpropagation lets no gradient pass from one to the one before;
- *segments*: so many steps as the tape has room for; a segment that is no longer on the tape is
  computed again from the state at its beginning, which is kept (a checkpoint);
- *pieces* of a segment: the sweep stops after each to make gradients of weights of its cotangents;
- *blocks* of trials: each fits the cache, has a tape of its own, and can have a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.compile.outer import outer
from neurodyn.compile.wanted import Wanted
from neurodyn.learning.arguments import (
    check_gradients_exist,
    checked_bytes,
    checked_record,
    checked_steps,
)
from neurodyn.learning.buffers import Buffers
from neurodyn.learning.segments import Block, Segment
from neurodyn.learning.trainable import Trainable, Values, find_trainables
from neurodyn.learning.weight_gradients import SummedGradients
from neurodyn.simulation.arguments import block_size
from neurodyn.simulation.time_grid import count_steps

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.solvers import Solver
    from neurodyn.weights import Weights

#: Bytes of cotangents of an input that the sweep collects before it makes gradients of them.
_PIECE_BYTES = 4 * 2**20
#: Bytes for the tapes of all trials, unless the user says otherwise.
_TAPE_BYTES = 2**30


class Unrolled:
    """A network unrolled over a number of steps, to be run forward and backwards many times.

    Parameters
    ----------
    network : Network
    solver : Solver
        `Euler`, `ExponentialEuler`, `Heun` or `RK4`.
    duration : float or Quantity
        s; a multiple of dt.
    record : sequence of str
        Variables that the loss depends on.
    trainable : sequence of str
        What to find the gradients of, see `neurodyn.learning.bptt`.
    trials : int
    every : float or Quantity, optional
        Interval between samples, s; default dt.
    driven : sequence of str
        Inputs that are given values although couplings fill them too.
    dtype : {"float64", "float32"}
    truncate, checkpoint_every : int, optional
        Steps of a window, and of a segment.
    memory : int, optional
        Bytes for the tapes, default 1 GiB.
    threads : int
        Blocks of trials are shared by threads; no result depends on their number.
    whole : bool
        Make no pieces: the sweep stops at its end only.

    Attributes
    ----------
    values : Values
        Current parameters and weights.
    n_updates : int
        How often a training has changed them, for rules to which it matters.
    """

    n_updates = 0

    def __init__(
        self,
        network: Network,
        solver: Solver,
        duration,
        *,
        record: Sequence[str],
        trainable: Sequence[str],
        trials: int = 1,
        every=None,
        driven: Sequence[str] = (),
        dtype: str = "float64",
        truncate: int | None = None,
        checkpoint_every: int | None = None,
        memory: int | None = None,
        threads: int = 1,
        whole: bool = False,
    ):
        check_gradients_exist(network, solver)
        self.network, self.solver, self.dt = network, solver, solver.dt
        self.n_steps = count_steps(duration, self.dt, "duration")
        self.every = 1 if every is None else count_steps(every, self.dt, "every")
        self.n_samples = self.n_steps // self.every
        if not self.n_samples:
            raise ValueError(
                f"`every` ({self.every} steps) is longer than the run ({self.n_steps} steps)"
            )
        self.n_trials, self.threads = trials, threads
        self.trainables = find_trainables(network, trainable)
        self.compiled = network.compiled(dtype, tuple(driven))
        self.dtype = self.compiled.dtype
        if self.compiled.structure.noise_streams and not solver.takes_noise:
            raise ValueError(
                f"{type(solver).__name__} does not integrate noise; use nd.Euler, nd.Heun or "
                "nd.ExponentialEuler"
            )
        self.records = tuple(checked_record(network, record))
        self.module = self.compiled.gradient_module(self._wanted())
        self.stages: int = self.module.STAGES
        self.outer = outer(self.dtype.name)
        self.values = Values(self.compiled)
        self._cut(truncate, checkpoint_every, memory, whole)
        self.buffers = Buffers(self)
        self.blocks = [self._block(trials) for trials in self._trial_blocks()]
        self.recorded: dict[str, np.ndarray] = {}

    # -- setting up ----------------------------------------------------------------------------

    def _wanted(self) -> Wanted:
        place = self.compiled.place
        by_kind: dict[str, list[Trainable]] = {}
        for one in self.trainables:
            by_kind.setdefault(one.kind, []).append(one)
        labels = self.network.coupling_labels
        self.trained = sorted({labels.index(t.name) for t in by_kind.get("weights", ())})
        for c in self.trained:
            if self.network.couplings[c].carries_spikes:
                raise ValueError(f"`trainable`: `{labels[c]}` couples spikes of a threshold")
        # sorted, so that what is named in another order is not compiled anew
        return Wanted(
            self.solver.method,
            tuple(sorted(place(name) for name in self.records)),
            tuple(sorted(place(t.name) for t in by_kind.get("parameter", ()))),
            tuple(sorted(place(t.name) for t in by_kind.get("input", ()))),
            tuple(self.trained),
        )

    def _cut(self, truncate, checkpoint_every, memory, whole: bool) -> None:
        """Find windows, segments and pieces."""
        window = checked_steps(truncate, "truncate", self.n_steps)
        rows = [len(rows) for rows in self.module.TAPE]
        per_step = self.stages * self.dtype.itemsize * self.n_trials * sum(
            n * width for n, width in zip(rows, self.compiled.widths, strict=True)
        )  # fmt: skip
        # a piece depends on sizes alone, so that sums are the same however the tape is cut
        widest = max(self.compiled.widths) * self.dtype.itemsize * self.stages
        piece = max(1, _PIECE_BYTES // (widest * self.n_trials))
        self.piece = min(window, self.n_steps) if whole else min(piece, window)
        limit = _TAPE_BYTES if memory is None else checked_bytes(memory)
        length = min(self.n_steps, limit // max(1, per_step))
        if checkpoint_every is not None:
            length = checked_steps(checkpoint_every, "checkpoint_every", self.n_steps)
        if length >= window:
            length = window
        else:  # whole pieces
            length = max(self.piece, length // self.piece * self.piece)
        self.segments = [
            Segment(a, min(a + length, end), start, a + length >= end)
            for start in range(0, self.n_steps, window)
            for end in [min(start + window, self.n_steps)]
            for a in range(start, end, length)
        ]
        self.tape_steps = max(s.stop - s.start for s in self.segments)

    def _trial_blocks(self) -> list[slice]:
        if self.n_trials == 1:
            return [slice(0, 1)]
        slots = sum(
            (len(p.slots) + self.solver.scratch * len(p.states)) * width
            for p, width in zip(
                self.compiled.structure.populations, self.compiled.widths, strict=True
            )
        )
        size = block_size(self.n_trials, self.dtype.itemsize * slots)
        return [
            slice(start, min(start + size, self.n_trials))
            for start in range(0, self.n_trials, size)
        ]

    def _block(self, trials: slice) -> Block:
        from neurodyn.compile.random_source import normals_scratch

        n, widths = trials.stop - trials.start, self.compiled.widths
        evaluations = self.stages * self.tape_steps + 1
        in_piece = self.stages * self.piece + 1

        def arrays(rows, *shape):
            return [
                self.buffers.empty((len(r), *shape, n, width), self.dtype)
                for r, width in zip(rows, widths, strict=True)
            ]

        def nonempty(rows, *shape):
            return {p: a for p, a in enumerate(arrays(rows, *shape)) if len(rows[p])}

        return Block(
            trials,
            self.compiled.workspaces(n, self.solver.scratch),
            arrays(self.module.TAPE, evaluations),
            arrays(self.module.COTANGENTS),
            nonempty(self.module.DELTAS, in_piece),
            nonempty(self.module.GRADIENTS),
            normals_scratch(self.dtype),
            np.zeros((n, 2), np.uint32),
        )

    # -- forward -------------------------------------------------------------------------------

    def forward(
        self,
        drives: Sequence[np.ndarray],
        initial: Mapping[str, np.ndarray],
        keys: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Run from the initial state and return what is recorded.

        Parameters
        ----------
        drives : sequence of ndarray, (n_steps + 1 or 1, trial or 1, unit or 1)
            Values of every driven input; the last row is that of the end.
        initial : dict of str to ndarray, (trial, unit)
        keys : ndarray of uint32, (trial, 2), optional
            Of the streams of noise.

        Returns
        -------
        dict of str to ndarray, (trial, sample, unit)
            Sample k is that of the end of step ``(k + 1) * every``.
        """
        self.drives = list(drives)
        sizes = {n: self.compiled.sizes[self.compiled.place(n)[0]] for n in self.records}
        self.recorded = {
            name: np.empty((self.n_trials, self.n_samples, size), self.dtype)
            for name, size in sizes.items()
        }
        for block in self.blocks:
            block.checkpoints.clear()
            block.recomputed = 0
            if keys is not None:
                block.keys = np.ascontiguousarray(keys[block.trials])
            self.compiled.put(block.workspaces, {n: v[block.trials] for n, v in initial.items()})
        self._weights = self.values.forward()
        self._each_block(self._forward_block)
        return self.recorded

    def _each_block(self, work: Callable[[Block], None]) -> None:
        if self.threads == 1 or len(self.blocks) == 1:
            for block in self.blocks:
                work(block)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(self.threads, len(self.blocks))) as pool:
            for future in [pool.submit(work, block) for block in self.blocks]:
                future.result()

    def _forward_block(self, block: Block) -> None:
        for k in range(len(self.segments)):
            block.checkpoints.append([s.copy() for s in self._states(block)])
            self._forward_segment(block, k)
            self._record(block, self.segments[k])
        block.final = {
            name: self.compiled.take(block.workspaces, name).copy()
            for name in self.network.state_names
        }

    def _states(self, block: Block) -> list[np.ndarray]:
        populations = self.compiled.structure.populations
        return [w[: len(p.states)] for w, p in zip(block.workspaces, populations, strict=True)]

    def _forward_segment(self, block: Block, k: int) -> None:
        segment = self.segments[k]
        self.module.forward(
            *block.workspaces,
            *self.values.arrays,
            *self._weights,
            *(self._rows(drive, segment, block) for drive in self.drives),
            block.keys,
            block.normals,
            segment.start,
            segment.stop - segment.start,
            int(segment.ends),
            self.dt,
            *block.tapes,
        )
        block.on_tape = k

    def _rows(self, drive: np.ndarray, segment: Segment, block: Block) -> np.ndarray:
        """The part of a drive that a block needs in a segment."""
        if drive.shape[0] > 1:
            drive = drive[segment.start : segment.stop + 1]
        if drive.shape[1] > 1:
            drive = drive[:, block.trials]
        return np.ascontiguousarray(drive)

    def _record(self, block: Block, segment: Segment) -> None:
        """Copy the samples of a segment off the tape."""
        first = segment.start + (segment.start == segment.window)
        last = segment.stop - (not segment.ends)
        samples = range(-(-first // self.every), last // self.every + 1)
        if not samples:
            return
        rows = slice(
            self.stages * (samples[0] * self.every - segment.start),
            self.stages * (samples[-1] * self.every - segment.start) + 1,
            self.stages * self.every,
        )
        for name, out in self.recorded.items():
            p, variable = self.compiled.place(name)
            row = self.module.TAPE[p].index(variable)
            values = block.tapes[p][row, rows, :, : self.compiled.sizes[p]]
            out[block.trials, samples[0] - 1 : samples[-1]] = values.swapaxes(0, 1)

    def final_state(self) -> dict[str, np.ndarray]:
        """States at the end of the last forward run, (trial, unit)."""
        return {
            name: np.concatenate([block.final[name] for block in self.blocks])
            for name in self.network.state_names
        }

    # -- backward ------------------------------------------------------------------------------

    def backward(
        self,
        cotangents: Mapping[str, np.ndarray],
        collectors: Sequence[Any] | None = None,
        feedback: Mapping[int, Weights] | None = None,
    ) -> None:
        """Sweep back from the cotangents of what `forward` recorded.

        Parameters
        ----------
        cotangents : dict of str to ndarray, (trial, sample, unit)
        collectors : sequence, optional
            One a block, with ``add(c, delta, r)``: see `SummedGradients`, the default.
        feedback : dict of int to Weights, optional
            By the number of a coupling, weights whose transpose cotangents pass in the place of
            its own: of the same shape and kinds.
        """
        if collectors is None:
            self.collectors = [SummedGradients(self) for _ in self.blocks]
        else:
            self.collectors = list(collectors)
        self.input_gradients = {
            t.name: np.zeros(
                (self.n_trials, self.n_steps, self.compiled.sizes[self.compiled.place(t.name)[0]]),
                self.dtype,
            )
            for t in self.trainables
            if t.kind == "input"
        }
        self._transposed = self.values.transposed(self.module.TRANSPOSED, feedback)
        self._each_block(lambda block: self._backward_block(block, cotangents))

    def _backward_block(self, block: Block, cotangents) -> None:
        losses = [
            self._loss_rows(p, names, cotangents, block)
            for p, names in enumerate(self.module.LOSSES)
            if names
        ]
        collector = self.collectors[self.blocks.index(block)]
        for gradient in block.gradients.values():
            gradient[:] = 0
        for k in reversed(range(len(self.segments))):
            segment = self.segments[k]
            if block.on_tape != k:
                for state, kept in zip(self._states(block), block.checkpoints[k], strict=True):
                    state[...] = kept
                self._forward_segment(block, k)
                block.recomputed += segment.stop - segment.start
            if segment.ends:  # of a window: nothing comes from beyond
                for cotangent in block.cotangents:
                    cotangent[:] = 0
            self._sweep(block, segment, losses, collector)

    def _loss_rows(self, p: int, names, cotangents, block: Block) -> np.ndarray:
        """Cotangents as the kernel takes them, (row, sample, trial, unit)."""
        name = self.compiled.structure.populations[p].name
        width, size = self.compiled.widths[p], self.compiled.sizes[p]
        rows = np.zeros((len(names), self.n_samples, block.n_trials, width), self.dtype)
        for row, variable in enumerate(names):
            given = cotangents.get(f"{name}.{variable}")
            if given is not None:
                rows[row, :, :, :size] = given[block.trials].swapaxes(0, 1)
        return rows

    def _sweep(self, block: Block, segment: Segment, losses, collector) -> None:
        """Go back through one segment, piece by piece."""
        n = segment.stop - segment.start
        for start in reversed(range(0, max(n, 1), self.piece)):
            stop = min(start + self.piece, n)
            stop += segment.ends and stop == n  # the evaluation at the end
            self.module.backward(
                *self.values.arrays,
                *self._transposed,
                *block.tapes,
                *block.cotangents,
                *block.deltas.values(),
                *losses,
                *block.gradients.values(),
                segment.start,
                n,
                start,
                stop,
                self.dt,
                self.every,
                segment.window + 1,
            )
            self._collect(block, segment, start, stop, collector)

    def _collect(self, block: Block, segment: Segment, start: int, stop: int, collector) -> None:
        n = segment.stop - segment.start
        first = self.stages * start
        last = self.stages * stop if stop <= n else self.stages * n + 1
        for c in self.trained:
            coupling = self.compiled.structure.couplings[c]
            (p, source), (q, target) = coupling.source, coupling.target
            delta = block.deltas[q][self.module.DELTAS[q].index(target), : last - first]
            r = block.tapes[p][self.module.TAPE[p].index(source), first:last]
            collector.add(c, delta, r)
        for name, out in self.input_gradients.items():
            p, variable = self.compiled.place(name)
            delta = block.deltas[p][self.module.DELTAS[p].index(variable), : last - first]
            size, at = self.compiled.sizes[p], segment.start + start
            whole = min(stop, n) - start
            steps = delta[: self.stages * whole, :, :size]
            steps = steps.reshape(whole, self.stages, *steps.shape[1:]).sum(axis=1)
            out[block.trials, at : at + whole] += steps.swapaxes(0, 1)
            if stop > n:  # the evaluation at the end has the inputs of the step after it, or before
                at = min(segment.stop, self.n_steps - 1)
                out[block.trials, at] += delta[-1, :, :size]

    # -- gradients -----------------------------------------------------------------------------

    def gradients(self) -> dict[str, np.ndarray]:
        """The gradients after `backward`, by the keys of the trainables."""
        weights = {c: self._summed_weights(c) for c in self.trained}
        labels = self.network.coupling_labels
        found = {}
        for one in self.trainables:
            if one.kind == "weights":
                c = labels.index(one.name)
                if c in weights:  # subclasses may have no use for some
                    found[one.key] = weights[c][one.array]
            elif one.kind == "input":
                found[one.key] = self.input_gradients[one.name]
            else:
                found[one.key] = self._named(one)
        return found

    def _summed_weights(self, c: int) -> dict[str, np.ndarray]:
        first, *rest = (collector.gradient(c) for collector in self.collectors)
        for other in rest:
            first = {name: value + other[name] for name, value in first.items()}
        return first

    def gradients_by_trial(self) -> dict[str, np.ndarray]:
        """The gradients of parameters and initial states, with a first axis of trials."""
        return {
            one.key: self._by_trial(one)
            for one in self.trainables
            if one.kind in ("parameter", "state")
        }

    def _named(self, one: Trainable) -> np.ndarray:
        """The gradient of a parameter, or of an initial state (trial, unit)."""
        found = self._by_trial(one)
        if one.kind == "parameter":
            found = found.sum(axis=0, dtype=float).astype(self.dtype)
        return found

    def _by_trial(self, one: Trainable) -> np.ndarray:
        p, name = self.compiled.place(one.name)
        size = self.compiled.sizes[p]
        if one.kind == "state":
            row = self.module.COTANGENTS[p].index(name)
            return np.concatenate([b.cotangents[p][row, :, :size] for b in self.blocks])
        row = self.module.GRADIENTS[p].index(name)
        found = np.concatenate([b.gradients[p][row, :, :size] for b in self.blocks])
        if name in self.compiled.structure.populations[p].scalars:
            found = found.sum(axis=1, dtype=float)
        return found
