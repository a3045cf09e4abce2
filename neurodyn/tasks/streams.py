"""Random numbers of a batch: one stream a trial and purpose, whatever batch the trial is in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.simulation.arguments import root_seed

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

#: Sets the streams of tasks apart from those that `simulate` makes from the same seed ("task").
_TASKS = 0x7461736B

#: Purposes: what all trials of a batch share, what is drawn for a trial, noise of its inputs.
SHARED, TRIAL, INPUT_NOISE = range(3)


class Streams:
    """All the streams of one seed.

    One counter-based generator (Philox) serves them all: the key is the seed, and the purpose and
    the number of the trial are the upper half of the counter, so that no two streams overlap.
    Moving the counter costs a few microseconds; making a generator for every trial costs ten times
    that.

    Parameters
    ----------
    rng : int, SeedSequence, Generator or None
        A Generator gives the seed, and moves on.
    """

    def __init__(self, rng: RNG):
        root = root_seed(rng, None)
        seed = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, _TASKS))
        self._bits = np.random.Philox(key=seed.generate_state(2, np.uint64))
        self._generator = np.random.Generator(self._bits)
        self._state = self._bits.state

    def at(self, purpose: int, trial: int = 0) -> np.random.Generator:
        """The beginning of a stream. It is over when the next one is asked for."""
        self._state["state"]["counter"] = np.array([0, 0, trial, purpose], dtype=np.uint64)
        self._bits.state = self._state
        return self._generator

    def of_trials(
        self, purpose: int, first_trial: int, n_trials: int
    ) -> Iterator[np.random.Generator]:
        """The streams of some trials, one after the other."""
        for trial in range(first_trial, first_trial + n_trials):
            yield self.at(purpose, trial)
