"""Decisions on noisy evidence: random dot motion, and one of two modalities by context."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.tasks.base import Parts, TrialTask, one_hot, stepwise
from neurodyn.tasks.periods import between, drawn_steps


@dataclass(frozen=True, eq=False)
class _Decision(TrialTask):
    """Fixation, stimulus, delay, decision; classes 0 (fixate), 1 (right), 2 (left)."""

    coherences: Any = ()
    _: KW_ONLY
    dt: float = 0.02
    noise: float = 0.0316
    stimulus: Any = 0.7
    delay: Any = 0.0
    decision: Any = 0.1
    times: ClassVar[dict[str, int]] = {"stimulus": 1, "delay": 0, "decision": 1}

    def _check(self) -> None:
        values = np.atleast_1d(real_numbers(self.coherences, "coherences"))
        if values.ndim != 1 or not values.size or values.min() < 0 or values.max() > 100:
            raise ValueError(f"`coherences` must be percents, 0 to 100; got {self.coherences!r}")
        self._put(coherences=tuple(float(v) for v in values))
        for name in ("stimulus", "decision"):
            if isinstance(getattr(self, name), tuple):
                raise ValueError(f"`{name}` must be one time; got {getattr(self, name)}")

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"choice": 3}

    @property
    def chance(self) -> float:
        return 0.5

    @property
    def optimal(self) -> float:
        """Of an observer who adds up all evidence: the channels differ by coherence/100."""
        coherences = np.array(self.coherences) / 100
        if self.noise == 0:
            return float(np.mean(np.where(coherences > 0, 1.0, 0.5)))
        snr = coherences * math.sqrt(self.stimulus / 2) / self.noise
        return float(np.mean([0.5 * math.erfc(-z / math.sqrt(2)) for z in snr]))

    def _evidence(self, direction: np.ndarray, coherence: np.ndarray, where) -> np.ndarray:
        """Two channels, 0.5 + cos(angle to the direction) coherence/200."""
        cosines = np.where(direction[:, None] == np.arange(2), 1.0, -1.0)
        return stepwise(0.5 + cosines * coherence[:, None] / 200, where)

    def _periods(self, delay: np.ndarray):
        """The number of steps, and where stimulus and decision are, bool (trial, time)."""
        stimulus, longest, decision = (self._steps(n)[1] for n in ("stimulus", "delay", "decision"))
        n_steps, start = stimulus + longest + decision, stimulus + delay
        is_stimulus = np.broadcast_to(between(0, stimulus, n_steps), (len(delay), n_steps))
        return is_stimulus, between(start, start + decision, n_steps), between(0, start, n_steps)

    def _decided(self, inputs, right, is_decision, is_before, info) -> Parts:
        choice = np.where(is_decision, right[:, None] + 1, 0)
        return Parts(inputs, {"choice": choice}, is_before | is_decision, info, is_decision)


@dataclass(frozen=True, eq=False)
class DotMotion(_Decision):
    """To which side do random dots move?

    Inputs ``fixation`` (trial, time, 1), 1 until the decision, and ``motion`` (trial, time, 2),
    ``0.5 + cos(angle) coherence/200`` plus noise in two channels during the stimulus, with angle 0
    or pi from the direction. Classes ``choice`` (trial, time): 0 fixate, 1 right, 2 left; the loss
    is over all steps, the accuracy over those of the decision.

    Parameters
    ----------
    coherences : sequence of float
        Percent, drawn for each trial. Default 0, 6.4, 12.8, 25.6, 51.2.
    stimulus, decision : float or Quantity
        s; default 700 ms and 100 ms.
    delay : float, Quantity or (shortest, longest)
        Between the two, s. Default 0.
    noise : float
        See `TrialTask`; default 0.0316, a standard deviation of 0.1 at steps of 100 ms.

    Notes
    -----
    `optimal` is that of an observer who adds up the difference of the channels, the mean over
    coherences c of ``Phi(c/100 sqrt(stimulus/2)/noise)``. Source: Britten, Shadlen, Newsome and
    Movshon (1992); inputs as in neurogym and Liu et al. (ICLR 2024), whose steps are of 100 ms.
    """

    coherences: Any = (0.0, 6.4, 12.8, 25.6, 51.2)
    noisy_inputs = ("motion",)

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"fixation": 1, "motion": 2}

    def _draw(self, rng, plan):
        return {
            "direction": rng.integers(2),
            "coherence": self.coherences[rng.integers(len(self.coherences))],
            "delay": drawn_steps(rng, self._steps("delay")),
        }

    def _parts(self, drawn, plan):
        is_stimulus, is_decision, is_before = self._periods(drawn["delay"])
        inputs = {
            "fixation": stepwise(1.0, is_before),
            "motion": self._evidence(drawn["direction"], drawn["coherence"], is_stimulus),
        }
        info = drawn | {"delay": drawn["delay"] * self.dt}
        return self._decided(inputs, drawn["direction"], is_decision, is_before, info)


@dataclass(frozen=True, eq=False)
class ContextDecision(_Decision):
    """Decide on motion or on colour, as the context says, and ignore the other.

    Inputs ``fixation`` (trial, time, 1), ``motion`` and ``colour`` (trial, time, 2) as the motion
    of `DotMotion`, directions and coherences independent of each other, and ``context``
    (trial, time, 2), one-hot until the end of the decision. Classes ``choice`` (trial, time):
    0 fixate, 1 right, 2 left by the modality of the context.

    Parameters
    ----------
    coherences : sequence of float
        Percent, drawn for each trial and modality. Default 5, 15, 50.
    stimulus, decision : float or Quantity
        s; default 700 ms and 100 ms.
    delay : float, Quantity or (shortest, longest)
        s; default 0.
    noise : float
        As for `DotMotion`.

    Notes
    -----
    Source: Mante, Sussillo, Shenoy and Newsome (2013). The inputs are those of neurogym's task;
    Liu et al. (ICLR 2024) take a stimulus of 200 ms and a delay of 500 ms at steps of 100 ms.
    """

    coherences: Any = (5.0, 15.0, 50.0)
    noisy_inputs = ("motion", "colour")

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"fixation": 1, "motion": 2, "colour": 2, "context": 2}

    def _draw(self, rng, plan):
        return {
            "direction": rng.integers(2, size=2),
            "coherence": np.take(self.coherences, rng.integers(len(self.coherences), size=2)),
            "context": rng.integers(2),
            "delay": drawn_steps(rng, self._steps("delay")),
        }

    def _parts(self, drawn, plan):
        is_stimulus, is_decision, is_before = self._periods(drawn["delay"])
        inputs = {"fixation": stepwise(1.0, is_before)}
        for k, name in enumerate(("motion", "colour")):
            inputs[name] = self._evidence(
                drawn["direction"][:, k], drawn["coherence"][:, k], is_stimulus
            )
        inputs["context"] = stepwise(one_hot(drawn["context"], 2), is_before | is_decision)
        right = np.take_along_axis(drawn["direction"], drawn["context"][:, None], axis=1)[:, 0]
        info = drawn | {"delay": drawn["delay"] * self.dt}
        return self._decided(inputs, right, is_decision, is_before, info)
