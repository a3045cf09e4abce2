"""In which order came two symbols that are far apart?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.tasks.base import Parts, SymbolTask, one_hot


@dataclass(frozen=True, eq=False)
class TemporalOrder(SymbolTask):
    """The temporal order problem: AA, AB, BA or BB among symbols that do not matter.

    A or B stands at one random position in [0.1 L, 0.2 L) and at one in [0.5 L, 0.6 L); elsewhere
    one of c, d, e, f. Inputs ``symbols`` (trial, time, 6), one-hot, A and B the first; classes
    ``order`` (trial, time), 0 to 3 for AA, AB, BA, BB, that count at the last step.

    Parameters
    ----------
    length : int
        L, at least 10; default 50.

    Notes
    -----
    Source: the code of Pascanu, Mikolov and Bengio (ICML 2013), after Hochreiter and Schmidhuber
    (1997).
    """

    length: int = 50

    def _check(self) -> None:
        self._put(length=checked_count(self.length, "length", 10))

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"symbols": 6}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"order": 4}

    @property
    def chance(self) -> float:
        return 0.25

    def _draw(self, rng, plan):
        symbols = rng.integers(2, 6, size=self.length)
        # integers, because 0.6 * 50 is less than 30 in floating point
        tenth = [-(-k * self.length // 10) for k in (1, 2, 5, 6)]
        positions = [rng.integers(*tenth[:2]), rng.integers(*tenth[2:])]
        symbols[positions] = rng.integers(2, size=2)
        return {"symbols": symbols, "positions": np.array(positions)}

    def _parts(self, drawn, plan):
        symbols, positions = drawn["symbols"], drawn["positions"]
        first, second = np.take_along_axis(symbols, positions, axis=1).T
        order = np.repeat((2 * first + second)[:, None], self.length, axis=1)
        mask = np.zeros(symbols.shape)
        mask[:, -1] = 1
        return Parts({"symbols": one_hot(symbols, 6)}, {"order": order}, mask,
                     {"positions": positions})  # fmt: skip
