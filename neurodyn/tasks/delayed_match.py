"""Is the test stimulus the sample that was shown before a delay?"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.tasks.base import Parts, TrialTask, stepwise
from neurodyn.tasks.periods import between, drawn_steps


@dataclass(frozen=True, eq=False)
class DelayedMatch(TrialTask):
    """Delayed match to sample, with stimuli on a circle.

    Sample, delay, test, decision. Stimulus j of n is ``0.5 + 0.5 cos(2 pi (j - i)/n)`` plus noise
    in channel i. Half of the trials match; the others have one of the other stimuli as a test.
    Inputs ``fixation`` (trial, time, 1), 1 until the decision, and ``stimulus``
    (trial, time, n_stimuli); classes ``choice`` (trial, time): 0 fixate, 1 match, 2 no match; the
    loss is over all steps, the accuracy over those of the decision.

    Parameters
    ----------
    n_stimuli : int
        At least 2; default 2.
    sample, test, decision : float or Quantity
        s; default 100 ms each.
    delay : float, Quantity or (shortest, longest)
        s; default 500 ms.
    noise : float
        See `TrialTask`; default 0.0316, a standard deviation of 0.1 at steps of 100 ms.

    Notes
    -----
    `optimal` is known for two stimuli: sample and test are each told from the other by the sum of
    the difference of the channels, right with ``Phi(sqrt(T/2)/noise)`` after a time T. Source of
    inputs and times: Liu et al. (ICLR 2024) and neurogym, at steps of 100 ms.
    """

    n_stimuli: int = 2
    _: KW_ONLY
    dt: float = 0.02
    noise: float = 0.0316
    sample: Any = 0.1
    delay: Any = 0.5
    test: Any = 0.1
    decision: Any = 0.1
    times: ClassVar[dict[str, int]] = {"sample": 1, "delay": 0, "test": 1, "decision": 1}
    noisy_inputs = ("stimulus",)

    def _check(self) -> None:
        self._put(n_stimuli=checked_count(self.n_stimuli, "n_stimuli", 2))
        for name in ("sample", "test", "decision"):
            if isinstance(getattr(self, name), tuple):
                raise ValueError(f"`{name}` must be one time; got {getattr(self, name)}")

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"fixation": 1, "stimulus": self.n_stimuli}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"choice": 3}

    @property
    def chance(self) -> float:
        return 0.5

    @property
    def optimal(self) -> float:
        if self.noise == 0:
            return 1.0
        if self.n_stimuli > 2:
            return float("nan")
        # the sign of the product of two log-likelihood ratios says whether a match is likelier
        first, second = (
            0.5 * math.erfc(-math.sqrt(T) / (2 * self.noise)) for T in (self.sample, self.test)
        )
        return first * second + (1 - first) * (1 - second)

    def _draw(self, rng, plan):
        sample, is_match = rng.integers(self.n_stimuli), rng.integers(2)
        other = (sample + rng.integers(1, self.n_stimuli)) % self.n_stimuli
        delay = drawn_steps(rng, self._steps("delay"))
        return {"sample": sample, "test": sample if is_match else other, "delay": delay}

    def _parts(self, drawn, plan):
        lengths = {name: self._steps(name)[1] for name in self.times}
        n_steps, sample = sum(lengths.values()), lengths["sample"]
        test = sample + drawn["delay"]
        decision = test + lengths["test"]
        is_decision = between(decision, decision + lengths["decision"], n_steps)
        is_before = between(0, decision, n_steps)
        stimulus = stepwise(self._stimulus(drawn["sample"]), between(0, sample, n_steps))
        stimulus += stepwise(self._stimulus(drawn["test"]), between(test, decision, n_steps))
        right = np.where(drawn["sample"] == drawn["test"], 1, 2)
        return Parts(
            {"fixation": stepwise(1.0, is_before), "stimulus": stimulus},
            {"choice": np.where(is_decision, right[:, None], 0)},
            is_before | is_decision,
            drawn | {"delay": drawn["delay"] * self.dt},
            is_decision,
        )

    def _stimulus(self, number: np.ndarray) -> np.ndarray:
        steps = number[:, None] - np.arange(self.n_stimuli)
        table = 0.5 + 0.5 * np.cos(2 * np.pi * np.arange(self.n_stimuli) / self.n_stimuli)
        return table[steps % self.n_stimuli]
