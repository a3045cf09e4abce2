"""Repeat a sequence of symbols."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.tasks.base import Parts, SymbolTask, one_hot
from neurodyn.tasks.periods import between


@dataclass(frozen=True, eq=False)
class Copy(SymbolTask):
    """Read symbols, wait, and repeat them in their order.

    Symbols 1 to n, independent and equally likely, then `delay` blanks, then as many steps as there
    were symbols in which they have to come back. Inputs ``symbols`` (trial, time, n + 1), one-hot,
    unit 0 the blank, and ``go`` (trial, time, 1), 1 at the first step of the repetition; classes
    ``copy`` (trial, time), 0 for blank, that count while symbols are repeated.

    Parameters
    ----------
    length : int or (int, int)
        Number of symbols, or the least and the largest, drawn for each trial; shorter trials end
        with blanks that do not count. Default 10.
    n_symbols : int
        At least 2; default 8.
    delay : int
        Number of blanks between. Default 0.
    every_step : bool
        Whether the blanks before count too, as in Arjovsky et al. Default False.

    Notes
    -----
    Hochreiter and Schmidhuber (1997), in the form of Arjovsky, Shah and Bengio (2016), whose mark
    for the repetition is one more symbol; here it is the input ``go``. ``Copy((1, 50), 2)`` is the
    task of Irie, Gopalakrishnan and Schmidhuber (2024), who have no mark.
    """

    length: Any = 10
    n_symbols: int = 8
    _: KW_ONLY
    delay: int = 0
    every_step: bool = False

    def _check(self) -> None:
        given = (self.length,) * 2 if np.ndim(self.length) == 0 else tuple(self.length)
        if len(given) != 2 or given[0] > given[1]:
            raise ValueError(f"`length` must be a number or (least, largest); got {self.length!r}")
        self._put(length=tuple(checked_count(one, "length") for one in given))
        self._put(n_symbols=checked_count(self.n_symbols, "n_symbols", 2))
        self._put(delay=checked_count(self.delay, "delay", 0))

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"symbols": self.n_symbols + 1, "go": 1}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"copy": self.n_symbols + 1}

    @property
    def chance(self) -> float:
        return 1 / self.n_symbols

    def _draw(self, rng, plan):
        low, high = self.length
        length = low if low == high else int(rng.integers(low, high + 1))
        symbols = np.zeros(high, np.int64)
        symbols[:length] = rng.integers(1, self.n_symbols + 1, size=length)
        return {"symbols": symbols, "length": length}

    def _parts(self, drawn, plan):
        symbols, length = drawn["symbols"], drawn["length"]
        n_steps = 2 * self.length[1] + self.delay
        shown = np.zeros((len(length), n_steps), np.int64)
        shown[:, : self.length[1]] = symbols
        start = length + self.delay
        is_copy = between(start, start + length, n_steps)
        copy = np.zeros_like(shown)
        copy[is_copy] = symbols[symbols > 0]  # both run over trials, then over time
        inputs = {
            "symbols": one_hot(shown, self.n_symbols + 1),
            "go": between(start, start + 1, n_steps)[..., None].astype(float),
        }
        counts = between(0, start + length, n_steps) if self.every_step else is_copy
        return Parts(inputs, {"copy": copy}, counts, {"length": length}, is_copy)
