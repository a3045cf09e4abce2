"""Spiking networks: every tool is compared with plain NumPy (`twin`), or S4 and S5 with a peer.

Without random input a network is deterministic. A tool in float64 that goes through a step in the
twin's order must then give every spike of the twin at its step, however chaotic the network is:
rounding errors die out between spikes, and only a spike that falls into another step would live on.
In float32 that happens soon; there the beginning must agree, as well as that of a twin in float32
does, and afterwards the statistics.

Statistics are the population's rate and the coefficient of variation of intervals, one value a run;
they may differ by `STANDARD_ERRORS` standard errors, which the runs themselves give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from problems.spiking import DT, SpikingProblem

from checks import STANDARD_ERRORS, Check, twin

#: ms at the beginning of a run that statistics leave out.
TRANSIENT = 100.0
#: ms in which float32 must give the same spikes, up to this many times what its own twin loses.
SHORT, MARGIN = 20.0, 3.0
#: Tools that go through a step as the twin does, if it is told these things.
SAME_STEPS: Mapping[tuple[str, str], Mapping] = {
    ("neurodyn", "cuba"): {},
    ("neurodyn", "coba"): {},
    ("brian2", "cuba"): {},
    ("brian2", "coba"): {},
    ("annarchy", "cuba"): {"method": "exponential"},
    ("annarchy", "coba"): {},
    ("nest", "cuba"): {"delay": DT},
}


@dataclass(frozen=True)
class Spikes:
    """All spikes of one run, in order."""

    step: np.ndarray
    unit: np.ndarray
    weight: np.ndarray | None = None

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Spikes:
        return cls(arrays["step"], arrays["unit"], arrays.get("weight"))

    def rate(self, duration: float, units: range) -> float:
        """Mean rate of some units after the transient, Hz."""
        counted = (self.step >= TRANSIENT / DT) & np.isin(self.unit, units)
        return counted.sum() / len(units) / (duration - TRANSIENT) * 1e3

    def variation(self) -> float:
        """Coefficient of variation of a unit's intervals, mean over units with three and more.

        nan if there are fewer than 20 of them.
        """
        late = self.step >= TRANSIENT / DT
        order = np.lexsort((self.step[late], self.unit[late]))
        step, unit = self.step[late][order], self.unit[late][order]
        interval, owner = np.diff(step)[np.diff(unit) == 0], unit[1:][np.diff(unit) == 0]
        number = np.bincount(owner)
        mean = np.bincount(owner, interval) / np.maximum(number, 1)
        square = np.bincount(owner, (interval - mean[owner]) ** 2) / np.maximum(number - 1, 1)
        enough = number >= 3
        if enough.sum() < 20:
            return np.nan
        return float(np.mean(np.sqrt(square[enough]) / mean[enough]))

    def unlike(self, other: Spikes, duration: float) -> int:
        """How many spikes until then only one of the two has."""
        return np.setxor1d(self._numbers(duration), other._numbers(duration)).size

    def _numbers(self, duration: float) -> np.ndarray:
        """A number for each spike, of its step and its unit."""
        until = np.searchsorted(self.step, duration / DT)
        return self.step[:until].astype(np.int64) << 32 | self.unit[:until]


class Twin:
    """What plain NumPy gives for each seed, as far as it is asked for."""

    def __init__(self, problem: SpikingProblem):
        self.problem, self.arrays = problem, problem.arrays()
        self._known: dict[tuple, Spikes] = {}

    def spikes(self, seed: int, **more) -> Spikes:
        key = (seed, *sorted(more.items()))
        if key not in self._known:
            self._known[key] = Spikes(*twin.simulate(self.problem, self.arrays, seed, **more))
        return self._known[key]

    def checks(self, tool: str, dtype: str, runs: Sequence[Spikes]) -> list[Check]:
        """Compare a tool, whose run k has seed k."""
        duration, case = self.problem.duration, self.problem.case
        same = SAME_STEPS.get((tool, case))
        found = []
        if same is not None and dtype == "float64":
            unlike = sum(run.unlike(self.spikes(k, **same), duration) for k, run in enumerate(runs))
            what = f"spikes unlike the twin's in {len(runs)} runs of {duration:g} ms"
            found.append(Check(what, unlike, 0))
        elif same is not None:
            unlike = [run.unlike(self.spikes(k), SHORT) for k, run in enumerate(runs)]
            rounded = [
                self.spikes(k, dtype=dtype).unlike(self.spikes(k), SHORT) for k in range(len(runs))
            ]
            what = f"spikes unlike the twin's in the first {SHORT:g} ms"
            found.append(Check(what, max(unlike), MARGIN * max(1, *rounded)))
        reference = [self.spikes(k) for k in range(len(runs))]
        return found + compare(runs, reference, duration, self.problem.sizes, "the twin's")


def compare(
    runs: Sequence[Spikes],
    reference: Sequence[Spikes],
    duration: float,
    sizes: Mapping[str, int],
    whose: str,
) -> list[Check]:
    """Rates of all populations, variation and final weights against those of other runs."""
    found, first = [], 0
    for name, size in sizes.items():
        units = range(first, first + size)
        first += size
        rates = [[run.rate(duration, units) for run in some] for some in (runs, reference)]
        label = f"rate of {name}" if len(sizes) > 1 else "rate"
        found.append(_difference(label, "Hz", *rates, whose))
    variations = [[run.variation() for run in some] for some in (runs, reference)]
    if not np.isnan(variations).any():
        found.append(_difference("variation of intervals", "", *variations, whose))
    if runs[0].weight is not None:
        weights = [[float(run.weight.mean()) for run in some] for some in (runs, reference)]
        found.append(_difference("mean weight at the end", "", *weights, whose))
    return found


def _difference(what: str, unit: str, values, reference, whose: str) -> Check:
    """How many standard errors two means are apart."""
    both = [np.asarray(v, float) for v in (values, reference)]
    error = np.sqrt(sum(v.var(ddof=1) / v.size for v in both)) if both[0].size > 1 else np.nan
    apart = abs(both[0].mean() - both[1].mean())
    text = f"{both[0].mean():.4g} against {both[1].mean():.4g} {unit}".strip()
    return Check(f"{what}, {text}: standard errors from {whose}", apart / error, STANDARD_ERRORS)
