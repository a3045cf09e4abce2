"""Add two numbers that were marked, or shown, long ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.tasks.base import Parts, SymbolTask


class _Sum(SymbolTask):
    score = "error"

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"numbers": 2}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"sum": 1}


@dataclass(frozen=True, eq=False)
class Adding(_Sum):
    """The adding problem: the sum of the two numbers that are marked.

    Inputs ``numbers`` (trial, time, 2): a number from U(0, 1) at every step, and a mark, 1 at one
    random step of each half, else 0. Target ``sum`` (trial, time, 1), that counts at the last step.

    Parameters
    ----------
    length : int
        Steps, at least 2; default 100.

    Notes
    -----
    Always 1, the mean, has an error of 1/6 = 0.167. Source: Hochreiter and Schmidhuber (1997); the
    marks are those of Arjovsky, Shah and Bengio (2016).
    """

    length: int = 100

    def _check(self) -> None:
        self._put(length=checked_count(self.length, "length", 2))

    @property
    def chance(self) -> float:
        return 1 / 6

    def _draw(self, rng, plan):
        half = self.length // 2
        marked = [rng.integers(half), rng.integers(half, self.length)]
        return {"numbers": rng.random(self.length), "marked": np.array(marked)}

    def _parts(self, drawn, plan):
        numbers, marked = drawn["numbers"], drawn["marked"]
        marks = np.zeros_like(numbers)
        np.put_along_axis(marks, marked, 1.0, axis=1)
        total = np.take_along_axis(numbers, marked, axis=1).sum(axis=1)
        return _sum_at_the_end(np.stack([numbers, marks], axis=2), total, {"marked": marked})


@dataclass(frozen=True, eq=False)
class DelayedAddition(_Sum):
    """The sum of two numbers, shown at the beginning and half-way.

    The first is on channel 0 at steps 0 and 1, the second on channel 1 at steps T/2 and T/2 + 1,
    both from U(-1, 1). Inputs ``numbers`` (trial, time, 2); target ``sum`` (trial, time, 1), that
    counts at the last step.

    Parameters
    ----------
    length : int
        T, even, at least 6; default 40.

    Notes
    -----
    Always 0 has an error of 2/3, knowing one of the numbers one of 1/3. After Haputhanthri et al.
    (2025), whose exact times we could not read.
    """

    length: int = 40

    def _check(self) -> None:
        self._put(length=checked_count(self.length, "length", 6))
        if self.length % 2:
            raise ValueError(f"`length` must be even; got {self.length}")

    @property
    def chance(self) -> float:
        return 2 / 3

    def _draw(self, rng, plan):
        return {"numbers": rng.uniform(-1, 1, size=2)}

    def _parts(self, drawn, plan):
        numbers = drawn["numbers"]
        shown = np.zeros((len(numbers), self.length, 2))
        shown[:, :2, 0] = numbers[:, :1]
        half = self.length // 2
        shown[:, half : half + 2, 1] = numbers[:, 1:]
        return _sum_at_the_end(shown, numbers.sum(axis=1), {"numbers": numbers})


def _sum_at_the_end(shown: np.ndarray, total: np.ndarray, info) -> Parts:
    n_trials, n_steps = shown.shape[:2]
    target = np.broadcast_to(total[:, None, None], (n_trials, n_steps, 1)).copy()
    mask = np.arange(n_steps) == n_steps - 1
    return Parts({"numbers": shown}, {"sum": target}, np.tile(mask, (n_trials, 1)), info)
