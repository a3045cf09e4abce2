"""What a loss says of the states at each moment: a network unrolled, but not through time."""

from __future__ import annotations

import dataclasses

import numpy as np

from neurodyn.compile.wanted import Wanted
from neurodyn.learning.online.dependence import Dependence
from neurodyn.learning.segments import Block, Segment
from neurodyn.learning.unrolled import Unrolled


class SignalRun(Unrolled):
    """An unrolled network whose `backward` goes through every moment by itself.

    Parameters are those of `Unrolled`. The gradients are those of what acts on recorded variables
    at once, such as the weights of a readout without dynamics.

    Attributes
    ----------
    signals : dict of int to ndarray, (state, sample, trial, unit)
        After `backward`: cotangents of the states of each population, at each sample.
    """

    def _wanted(self) -> Wanted:
        wanted = super()._wanted()
        # other weights have no part in what is recorded at the same moment
        dependence = Dependence(self.compiled, self.trainables)
        targets = self.compiled.structure.couplings
        self.trained = [
            c
            for c in self.trained
            if dependence.at_once(targets[c].target).intersection(wanted.records)
        ]
        return dataclasses.replace(wanted, couplings=tuple(self.trained), through_time=False)

    def backward(self, cotangents, collectors=None, feedback=None) -> None:
        members = zip(self.compiled.structure.populations, self.compiled.widths, strict=True)
        self.signals = {
            p: np.zeros((len(population.states), self.n_samples, self.n_trials, width), self.dtype)
            for p, (population, width) in enumerate(members)
        }
        super().backward(cotangents, collectors, feedback)

    def _collect(self, block: Block, segment: Segment, start: int, stop: int, collector) -> None:
        super()._collect(block, segment, start, stop, collector)
        first = max(segment.start + start, 1)
        steps = np.arange(first + -first % self.every, segment.start + stop, self.every)
        evaluations = self.stages * (steps - segment.start - start)
        for p, signals in self.signals.items():
            if len(signals) and steps.size:
                rows = block.deltas[p][: len(signals), evaluations]
                signals[:, steps // self.every - 1, block.trials] = rows

    def _by_trial(self, one) -> np.ndarray:
        if one.kind == "state":  # no sample is at the beginning
            size = self.compiled.sizes[self.compiled.place(one.name)[0]]
            return np.zeros((self.n_trials, size), self.dtype)
        return super()._by_trial(one)
