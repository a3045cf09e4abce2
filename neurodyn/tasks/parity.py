"""Memory for N bits: N-parity and N-delayed match to sample.

Source: Khajehabdollahi, Zeraati, Giannakakis, Schaefer, Martius and Levina (ICLR 2024), section 3
and their code. A curriculum raises N: one N after the other (``n=[5]``) or all up to the current
one (``n=[2, 3, 4, 5]``), an output for each.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from neurodyn._arrays import checked_count, checked_number
from neurodyn.tasks.base import Parts, SymbolTask


@dataclass(frozen=True, eq=False)
class _BitTask(SymbolTask):
    """A stream of bits, and a class 0 or 1 about its last N for every N."""

    n: Any = (2,)
    _: KW_ONLY
    p: Any = None
    length: Any = None
    every_step: bool = False

    def _check(self) -> None:
        given = (self.n,) if np.ndim(self.n) == 0 else tuple(self.n)
        n = tuple(checked_count(one, "n", self._least_n) for one in given)
        if not n or len(set(n)) < len(n):
            raise ValueError(f"`n` must be an integer or different integers; got {self.n!r}")
        self._put(n=n)
        if self.p is not None:
            self._put(p=checked_number(self.p, "p", 0.0))
            if self.p > 1:
                raise ValueError(f"`p` must be a probability; got {self.p:g}")
        low, high = self._lengths()
        if low < max(n):
            raise ValueError(f"`length` must be at least the largest n, {max(n)}; got {low}")
        if low > high:
            raise ValueError(f"`length` must be (shortest, longest); got {self.length!r}")

    def _lengths(self) -> tuple[int, int]:
        if self.length is None:
            return max(self.n) + 2, 4 * max(self.n) + 1
        given = (self.length,) * 2 if np.ndim(self.length) == 0 else self.length
        low, high = given
        return checked_count(low, "length"), checked_count(high, "length")

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"bits": 1}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {f"{self._output}_{n}": 2 for n in self.n}

    @property
    def chance(self) -> float:
        likely = [self._probability(n) for n in self.n]
        return float(np.mean([max(q, 1 - q) for q in likely]))

    def _plan(self, rng):
        low, high = self._lengths()
        return int(rng.integers(low, high + 1))  # one length a batch, as in the paper

    def _draw(self, rng, plan):
        p = rng.random() if self.p is None else self.p
        return {"bits": (rng.random(plan) < p).astype(np.int64), "p": p}

    def _parts(self, drawn, plan):
        bits = drawn["bits"]
        k = np.arange(plan)
        targets, mask = {}, {}
        for (name, _), n in zip(self.output_sizes.items(), self.n):
            targets[name] = self._classes(bits, n)
            mask[name] = (k >= n - 1 if self.every_step else k == plan - 1) * np.ones(bits.shape)
        return Parts({"bits": bits[..., None].astype(float)}, targets, mask, {"p": drawn["p"]})


@dataclass(frozen=True, eq=False)
class NParity(_BitTask):
    """Whether the last N bits hold an odd number of ones.

    Inputs ``bits`` (trial, time, 1), 0 or 1; for each N classes ``parity_N`` (trial, time), 1 for
    odd, that count at the last step. Before the N-th bit the class is that of the bits so far.

    Parameters
    ----------
    n : int or sequence of int
        N, at least 1; default 2.
    p : float, optional
        Probability of a one. Default: drawn from U(0, 1) for every trial, as in the paper; the
        classes of even N are then not balanced, a share of ``(1 - 1/(N+1))/2`` is odd.
    length : int or (int, int), optional
        Number of bits, or the least and the largest: one length a batch, all equally likely.
        Default N+2 to 4N+1 with the largest N, as in the paper.
    every_step : bool
        Whether classes count at all steps from the N-th bit on, instead of the last step alone.
    hold, dt, noise
        See `SymbolTask`; default one step of 1 s a bit.

    Examples
    --------
    >>> import neurodyn as nd
    >>> trials = nd.tasks.NParity(3, length=8).batch(0, trials=2)
    >>> bits = trials.inputs["bits"][:, -3:, 0]
    >>> bool((bits.sum(axis=1) % 2 == trials.targets["parity_3"][:, -1]).all())
    True
    """

    _least_n = 1
    _output = "parity"

    def _classes(self, bits: np.ndarray, n: int) -> np.ndarray:
        ones = np.cumsum(bits, axis=1)
        ones[:, n:] -= ones[:, :-n].copy()  # y_t = (S_t - S_{t-N}) mod 2
        return ones % 2

    def _probability(self, n: int) -> float:
        """Of an odd number: (1 - E[(1 - 2p)**n])/2."""
        if self.p is not None:
            return (1 - (1 - 2 * self.p) ** n) / 2
        return 0.5 if n % 2 else (1 - 1 / (n + 1)) / 2


@dataclass(frozen=True, eq=False)
class NDelayedMatch(_BitTask):
    """Whether bit N from the end equals the last bit.

    Bit 1 from the end is the last one, so that N bits have to be remembered. Inputs ``bits``
    (trial, time, 1), 0 or 1; for each N classes ``match_N`` (trial, time), 1 for a match, that
    count at the last step. Before the N-th bit, where there is nothing to match, the class is 0.

    Parameters
    ----------
    n : int or sequence of int
        N, at least 2: the last bit always matches itself; default 2.
    p : float or None
        Probability of a one; default 0.5. None draws it from U(0, 1) for every trial.
    length, every_step, hold, dt, noise
        As for `NParity`.
    """

    _: KW_ONLY
    p: Any = 0.5
    _least_n = 2
    _output = "match"

    def _classes(self, bits: np.ndarray, n: int) -> np.ndarray:
        match = np.zeros_like(bits)
        match[:, n - 1 :] = bits[:, n - 1 :] == bits[:, : bits.shape[1] - n + 1]
        return match

    def _probability(self, n: int) -> float:
        return 2 / 3 if self.p is None else self.p**2 + (1 - self.p) ** 2
