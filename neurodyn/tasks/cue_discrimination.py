"""Which of some cues was shown before a delay."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.tasks.base import Parts, TrialTask, one_hot, stepwise
from neurodyn.tasks.periods import between, drawn_steps


@dataclass(frozen=True, eq=False)
class DelayedCue(TrialTask):
    """Name the cue when asked, after a delay.

    One of the cues, all equally likely, is on for `cue`; then follow the delay and the response,
    during which ``go`` is 1. Inputs ``cue`` (trial, time, n_cues) and ``go`` (trial, time, 1),
    0 or 1; classes ``choice`` (trial, time), the number of the cue, that count during the response.
    Trials whose delay is shorter than the longest end earlier: nothing counts after the response.

    Parameters
    ----------
    n_cues : int
        At least 2; default 2.
    cue, response : float or Quantity
        s; default 30 ms and 50 ms.
    delay : float, Quantity or (shortest, longest)
        s, may be 0; with two, a multiple of dt drawn for each trial. Default 100 ms.

    Notes
    -----
    Cues of 30 ms and responses of 50 ms are those of the code beside Haputhanthri et al. (2025) on
    short-term memory, where the outputs are one-hot; ours are classes.
    """

    n_cues: int = 2
    _: KW_ONLY
    cue: Any = 0.03
    delay: Any = 0.1
    response: Any = 0.05
    times: ClassVar[dict[str, int]] = {"cue": 1, "delay": 0, "response": 1}
    noisy_inputs = ("cue",)

    def _check(self) -> None:
        self._put(n_cues=checked_count(self.n_cues, "n_cues", 2))
        for name in ("cue", "response"):
            if isinstance(getattr(self, name), tuple):
                raise ValueError(f"`{name}` must be one time; got {getattr(self, name)}")

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"cue": self.n_cues, "go": 1}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"choice": self.n_cues}

    @property
    def chance(self) -> float:
        return 1 / self.n_cues

    def _draw(self, rng, plan):
        return {"cue": rng.integers(self.n_cues), "delay": drawn_steps(rng, self._steps("delay"))}

    def _parts(self, drawn, plan):
        cue, delay, response = (self._steps(name)[1] for name in ("cue", "delay", "response"))
        n_steps = cue + delay + response
        asked = cue + drawn["delay"]
        is_response = between(asked, asked + response, n_steps)
        inputs = {
            "cue": stepwise(one_hot(drawn["cue"], self.n_cues), between(0, cue, n_steps)),
            "go": stepwise(1.0, is_response),
        }
        choice = np.repeat(drawn["cue"][:, None], n_steps, axis=1)
        info = {"cue": drawn["cue"], "delay": drawn["delay"] * self.dt}
        return Parts(inputs, {"choice": choice}, is_response, info)
