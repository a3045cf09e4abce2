"""Working memory of a number, and of an angle."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from neurodyn._arrays import checked_count, checked_number
from neurodyn.tasks.base import Parts, TrialTask, stepwise
from neurodyn.tasks.periods import between, drawn_steps


@dataclass(frozen=True, eq=False)
class _Memory(TrialTask):
    """Stimulus, delay, response, where ``go`` is 1."""

    _: KW_ONLY
    stimulus: Any = 0.1
    delay: Any = 0.5
    response: Any = 0.1
    throughout: bool = False
    times: ClassVar[dict[str, int]] = {"stimulus": 1, "delay": 0, "response": 1}
    noisy_inputs = ("stimulus",)
    score = "error"

    def _check(self) -> None:
        for name in ("stimulus", "response"):
            if isinstance(getattr(self, name), tuple):
                raise ValueError(f"`{name}` must be one time; got {getattr(self, name)}")

    def _remembered(self, shown, target: np.ndarray, delay: np.ndarray, info) -> Parts:
        """Trials that show (trial, unit) values and ask for the (trial, unit) `target`."""
        stimulus, longest, response = (self._steps(n)[1] for n in ("stimulus", "delay", "response"))
        n_steps, asked = stimulus + longest + response, stimulus + delay
        is_response = between(asked, asked + response, n_steps)
        inputs = {
            "stimulus": stepwise(shown, between(0, stimulus, n_steps)),
            "go": stepwise(1.0, is_response),
        }
        counts = between(0, asked + response, n_steps) if self.throughout else is_response
        targets = {"memory": stepwise(target, counts)}
        return Parts(inputs, targets, counts, info | {"delay": delay * self.dt}, is_response)


@dataclass(frozen=True, eq=False)
class ScalarMemory(_Memory):
    """Reproduce a number after a delay.

    A number from U(low, high), or one of `values`, is shown; it has to come back during the
    response. Inputs ``stimulus`` (trial, time, 1) and ``go`` (trial, time, 1), 1 during the
    response; targets ``memory`` (trial, time, 1), which count during the response.

    Parameters
    ----------
    low, high : float
        Limits of the number. Default -1 and 1.
    values : sequence of float, optional
        Draw one of these instead, all equally likely.
    stimulus, response : float or Quantity
        s; default 100 ms each.
    delay : float, Quantity or (shortest, longest)
        s; drawn for each trial if there are two. Default 500 ms.
    throughout : bool
        Whether the target also counts during stimulus and delay. Default False.

    Notes
    -----
    `chance` is the variance of the number: the error of its mean. A line attractor remembers it:
    Seung (1996).
    """

    low: float = -1.0
    high: float = 1.0
    _: KW_ONLY
    values: Any = None

    def _check(self) -> None:
        super()._check()
        self._put(low=checked_number(self.low, "low"), high=checked_number(self.high, "high"))
        if self.low >= self.high:
            raise ValueError(f"`high` = {self.high:g} must be above `low` = {self.low:g}")
        if self.values is not None:
            self._put(values=tuple(checked_number(v, "values") for v in self.values))
            if not self.values:
                raise ValueError("`values` must not be empty; None draws from (low, high)")

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"stimulus": 1, "go": 1}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"memory": 1}

    @property
    def chance(self) -> float:
        if self.values is not None:
            return float(np.var(self.values))
        return (self.high - self.low) ** 2 / 12

    def _draw(self, rng, plan):
        if self.values is None:
            value = rng.uniform(self.low, self.high)
        else:
            value = self.values[rng.integers(len(self.values))]
        return {"value": value, "delay": drawn_steps(rng, self._steps("delay"))}

    def _parts(self, drawn, plan):
        value = drawn["value"][:, None]
        return self._remembered(value, value, drawn["delay"], {"value": drawn["value"]})


@dataclass(frozen=True, eq=False)
class RingMemory(_Memory):
    """Reproduce an angle after a delay.

    An angle from U(0, 2 pi) is shown, as its cosine and sine or as a bump over `n_units` on a ring,
    ``exp(kappa (cos(angle - preferred) - 1))``. Inputs ``stimulus`` (trial, time, 2 or n_units) and
    ``go`` (trial, time, 1), 1 during the response; targets ``memory`` (trial, time, 2), cosine and
    sine, which count during the response.

    Parameters
    ----------
    n_units : int, optional
        Units of the bump, at least 3. Default: cosine and sine.
    kappa : float
        Concentration of the bump. Default 2.
    stimulus, delay, response, throughout
        As for `ScalarMemory`.

    Notes
    -----
    `evaluate` finds ``"error"``, the mean absolute angle between output and target, rad; without
    memory it is pi/2. A ring attractor remembers the angle: Ben-Yishai, Bar-Or and Sompolinsky
    (1995); the task is that of Funahashi, Bruce and Goldman-Rakic (1989).
    """

    n_units: int | None = None
    _: KW_ONLY
    kappa: float = 2.0

    def _check(self) -> None:
        super()._check()
        if self.n_units is not None:
            self._put(n_units=checked_count(self.n_units, "n_units", 3))
        self._put(kappa=checked_number(self.kappa, "kappa", 0.0))

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"stimulus": 2 if self.n_units is None else self.n_units, "go": 1}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"memory": 2}

    @property
    def chance(self) -> float:
        return np.pi / 2

    def _draw(self, rng, plan):
        angle = rng.uniform(0, 2 * np.pi)
        point = np.array([np.cos(angle), np.sin(angle)])
        shown = point
        if self.n_units is not None:
            preferred = 2 * np.pi * np.arange(self.n_units) / self.n_units
            shown = np.exp(self.kappa * (np.cos(angle - preferred) - 1))
        delay = drawn_steps(rng, self._steps("delay"))
        return {"angle": angle, "point": point, "shown": shown, "delay": delay}

    def _parts(self, drawn, plan):
        return self._remembered(
            drawn["shown"], drawn["point"], drawn["delay"], {"angle": drawn["angle"]}
        )

    def _score(self, batch, name, output):
        where = batch.info["scored"]
        angle = np.arctan2(output[..., 1], output[..., 0]) - batch.info["angle"][:, None]
        distance = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
        return float(distance[where].mean())
