"""Memory of the last pulse: the n-bit flip-flop."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from neurodyn._arrays import checked_count, checked_number
from neurodyn.tasks.base import Parts, TrialTask


@dataclass(frozen=True, eq=False)
class FlipFlop(TrialTask):
    """Say of every channel whether its last pulse was up or down.

    Time is divided into slots of length `pulse`; in each slot each channel has a pulse with
    probability `p`, +1 or -1 equally likely. Inputs ``pulses`` (trial, time, bits); targets
    ``memory`` (trial, time, bits), the last pulse of the channel, the present one included, and 0
    before the first. All steps have the same weight in the loss.

    Parameters
    ----------
    bits : int
        Channels; an ideal memory has ``2**bits`` stable states. Default 3.
    p : float
        Probability of a pulse per channel and slot. Default 0.1.
    pulse, duration : float or Quantity
        Length of a pulse and of a trial, s; the trial is a whole number of pulses. Default one step
        of 10 ms and 1 s.

    Notes
    -----
    `evaluate` finds the share of steps and channels with the right sign, of those that have had a
    pulse, and the error, the mean squared one of all. Source: Sussillo and Barak (2013).
    """

    bits: int = 3
    _: KW_ONLY
    p: float = 0.1
    pulse: Any = None
    duration: Any = 1.0
    times: ClassVar[dict[str, int]] = {"pulse": 1, "duration": 1}

    def __post_init__(self):
        if self.pulse is None:
            self._put(pulse=self.dt)
        super().__post_init__()

    def _check(self) -> None:
        self._put(bits=checked_count(self.bits, "bits"), p=checked_number(self.p, "p", 0.0))
        if not 0 < self.p <= 1:
            raise ValueError(f"`p` must be a probability above 0; got {self.p:g}")
        for name in self.times:
            if isinstance(getattr(self, name), tuple):
                raise ValueError(f"`{name}` must be one time; got {getattr(self, name)}")
        if self._steps("duration")[0] % self._steps("pulse")[0]:
            raise ValueError(
                f"`duration` = {self.duration:g} s must be a multiple of `pulse` = {self.pulse:g} s"
            )

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"pulses": self.bits}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"memory": self.bits}

    @property
    def chance(self) -> float:
        return 0.5

    def _draw(self, rng, plan):
        n_slots = self._steps("duration")[0] // self._steps("pulse")[0]
        is_on = rng.random((n_slots, self.bits)) < self.p
        return {"slots": is_on * (2 * rng.integers(2, size=(n_slots, self.bits)) - 1)}

    def _parts(self, drawn, plan):
        slots = drawn["slots"]
        # the slot of the last pulse so far; slots before the first pulse point at a 0 of their own
        last = np.maximum.accumulate(
            np.where(slots != 0, np.arange(slots.shape[1])[:, None], 0), axis=1
        )
        memory = np.take_along_axis(slots, last, axis=1)
        n = self._steps("pulse")[0]
        inputs = {"pulses": np.repeat(slots, n, axis=1).astype(float)}
        return Parts(inputs, {"memory": np.repeat(memory, n, axis=1).astype(float)})

    def evaluate(self, batch, outputs):
        ((name, output),) = self._by_name(batch, outputs).items()
        target = batch.targets[name]
        is_set = target != 0
        right = (np.sign(output) == target)[is_set]
        error = super()._score(batch, name, output)
        return {"accuracy": float(right.mean()) if right.size else float("nan"), "error": error}
