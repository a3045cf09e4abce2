"""Time series to generate or predict: sines, the Lorenz system, the Mackey-Glass equation."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from neurodyn._arrays import checked_count, checked_number
from neurodyn.tasks.base import Parts, TrialTask
from neurodyn.tasks.periods import seconds, steps_between
from neurodyn.units import Hz, to_si


@dataclass(frozen=True, eq=False)
class SineGeneration(TrialTask):
    """Oscillate at the frequency that a constant input says.

    Inputs ``frequency`` (trial, time, 1), constant, 0.25 for the lowest frequency to 1.25 for the
    highest, linear between; targets ``sine`` (trial, time, 1), ``sin(2 pi f t)`` at the end of each
    step. The loss is over all steps.

    Parameters
    ----------
    frequencies : int or sequence of float
        Hz; or how many, equally spaced from `low` to `high`. Default 51.
    low, high : float or Quantity
        Hz; default 1 and 6.
    duration : float or Quantity
        s; default 1 s.

    Notes
    -----
    `chance` is the error of 0, the mean over frequencies of ``mean(sin**2)``. Source: Sussillo and
    Barak (2013), with 51 frequencies.
    """

    frequencies: Any = 51
    _: KW_ONLY
    low: Any = 1.0
    high: Any = 6.0
    duration: Any = 1.0
    times: ClassVar[dict[str, int]] = {"duration": 1}
    score = "error"

    def _check(self) -> None:
        _one_time(self, "duration")
        for name in ("low", "high"):
            self._put(**{name: _frequency(getattr(self, name), name)})
        if np.ndim(self.frequencies) == 0:
            n = checked_count(self.frequencies, "frequencies")
            if self.low > self.high:
                raise ValueError(f"`high` = {self.high:g} Hz must be above `low` = {self.low:g} Hz")
            self._put(frequencies=tuple(np.linspace(self.low, self.high, n)))
        else:
            self._put(frequencies=tuple(_frequency(f, "frequencies") for f in self.frequencies))
        if not self.frequencies:
            raise ValueError("`frequencies` must not be empty")
        if max(self.frequencies) * self.dt > 0.5:
            raise ValueError(
                f"`frequencies` up to {max(self.frequencies):g} Hz need a `dt` of at most half a "
                f"period; got {self.dt:g} s"
            )

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"frequency": 1}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"sine": 1}

    @property
    def chance(self) -> float:
        return float(np.mean([np.mean(self._sine(f) ** 2) for f in self.frequencies]))

    def _sine(self, frequency: float) -> np.ndarray:
        t = self.dt * np.arange(1, self._steps("duration")[0] + 1)
        return np.sin(2 * np.pi * frequency * t)

    def _draw(self, rng, plan):
        frequency = self.frequencies[rng.integers(len(self.frequencies))]
        return {"frequency": frequency, "sine": self._sine(frequency)}

    def _parts(self, drawn, plan):
        low, high = min(self.frequencies), max(self.frequencies)
        level = 0.25 + (drawn["frequency"] - low) / (high - low if high > low else 1.0)
        shown = np.repeat(level[:, None, None], drawn["sine"].shape[1], axis=1)
        info = {"frequency": drawn["frequency"]}
        return Parts({"frequency": shown}, {"sine": drawn["sine"][..., None]}, None, info)


@dataclass(frozen=True, eq=False)
class _Prediction(TrialTask):
    """See the present of a series, say what it is `horizon` later."""

    _: KW_ONLY
    duration: Any = 5.0
    horizon: Any = None
    times: ClassVar[dict[str, int]] = {"duration": 1, "horizon": 1}
    score = "error"

    def __post_init__(self):
        if self.horizon is None:
            self._put(horizon=self.dt)
        super().__post_init__()

    def _check(self) -> None:
        _one_time(self, "duration")
        _one_time(self, "horizon")

    @property
    @abstractmethod
    def _n_observed(self) -> int: ...

    @abstractmethod
    def _series(self, start: np.ndarray, n_samples: int) -> np.ndarray:
        """(trial, n_samples, unit) on the attractor, in the units of the equations."""

    @abstractmethod
    def _scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (unit,) over the attractor, of a long run."""

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"series": self._n_observed}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"prediction": self._n_observed}

    @property
    def chance(self) -> float:
        return 1.0

    def _parts(self, drawn, plan):
        n_steps, ahead = self._steps("duration")[0], self._steps("horizon")[0]
        mean, sd = self._scale()
        series = (self._series(drawn["start"], n_steps + ahead) - mean) / sd
        inputs = {"series": series[:, :n_steps].copy()}
        return Parts(inputs, {"prediction": series[:, ahead:].copy()})


@dataclass(frozen=True, eq=False)
class Lorenz(_Prediction):
    """Predict the Lorenz system.

    Inputs ``series`` (trial, time, unit), the observed coordinates at the beginning of each step,
    standardised; targets ``prediction`` (trial, time, unit), the same `horizon` later. With the
    horizon of one step a network that sees its own outputs generates the series.

    Parameters
    ----------
    observed : sequence of int
        Coordinates: 0, 1, 2 for x, y, z. Default all.
    sigma, rho, beta : float
        Default 10, 28, 8/3.
    duration, horizon : float or Quantity
        s, one s being the unit of time of the equations. Default 5 s, and dt.
    dt : float or Quantity
        Time between samples; default 10 ms. Steps of integration are at most 2 ms.

    Notes
    -----
    Trials begin after 20 s from a random state. Means and standard deviations are of a run of
    5000 s, so that `chance`, the error of the mean, is 1. Lorenz (1963); Runge-Kutta of order 4.
    """

    observed: Any = (0, 1, 2)
    _: KW_ONLY
    sigma: float = 10.0
    rho: float = 28.0
    beta: float = 8 / 3

    def _check(self) -> None:
        super()._check()
        observed = tuple(checked_count(one, "observed", 0) for one in np.atleast_1d(self.observed))
        if not observed or max(observed) > 2 or len(set(observed)) < len(observed):
            raise ValueError(f"`observed` must be different ones of 0, 1, 2; got {self.observed!r}")
        self._put(observed=observed)
        for name in ("sigma", "rho", "beta"):
            self._put(**{name: checked_number(getattr(self, name), name)})

    @property
    def _n_observed(self) -> int:
        return len(self.observed)

    def _draw(self, rng, plan):
        return {"start": rng.normal(size=3) * 8 + np.array([0.0, 0.0, 25.0])}

    def _series(self, start, n_samples):
        series = self._run(start, n_samples, self.dt)
        if not np.isfinite(series).all():
            raise FloatingPointError(
                f"the Lorenz system diverges with sigma={self.sigma:g}, rho={self.rho:g}, "
                f"beta={self.beta:g}"
            )
        return series[..., self.observed]

    def _run(self, start, n_samples, dt):
        from neurodyn.tasks.chaos import lorenz

        n_substeps = int(np.ceil(dt / 0.002 - 1e-9))
        skipped = round(20 / dt)
        return lorenz(start, skipped, n_samples, n_substeps, dt / n_substeps,
                      self.sigma, self.rho, self.beta)  # fmt: skip

    def _scale(self):
        mean, sd = _lorenz_scale(self.sigma, self.rho, self.beta)
        return mean[list(self.observed)], sd[list(self.observed)]


@dataclass(frozen=True, eq=False)
class MackeyGlass(_Prediction):
    """Predict the Mackey-Glass equation, ``dx/dt = b x(t-tau)/(1 + x(t-tau)**n) - gamma x``.

    Inputs ``series`` (trial, time, 1), x at the beginning of each step, standardised; targets
    ``prediction`` (trial, time, 1), the same `horizon` later.

    Parameters
    ----------
    tau : float or Quantity
        s, one s being the unit of time of the equation; a multiple of 0.1 s. Default 17 s; chaotic
        from 16.8 s on.
    b, gamma, n : float
        Default 0.2, 0.1, 10.
    duration, horizon : float or Quantity
        s; default 200 s, and dt.
    dt : float or Quantity
        Time between samples, a multiple of 0.1 s; default 1 s.

    Notes
    -----
    Trials begin 1000 s after a constant history from U(0.5, 1.5). Means and standard deviations are
    of a run of 1e5 s, so that `chance`, the error of the mean, is 1. Mackey and Glass (1977); steps
    of Heun's method of 0.1 s.
    """

    tau: Any = 17.0
    _: KW_ONLY
    dt: float = 1.0
    duration: Any = 200.0
    b: float = 0.2
    gamma: float = 0.1
    n: float = 10.0
    _step: ClassVar[float] = 0.1

    def _check(self) -> None:
        super()._check()
        self._put(tau=seconds(self.tau, "tau"))
        steps_between(self.tau, self._step, "tau")
        try:
            steps_between(self.dt, self._step, "dt")
        except ValueError as error:
            message = f"{error}: the equation is solved in steps of {self._step:g} s"
            raise ValueError(message) from None
        for name in ("b", "gamma", "n"):
            self._put(**{name: checked_number(getattr(self, name), name, 0.0)})

    @property
    def _n_observed(self) -> int:
        return 1

    def _draw(self, rng, plan):
        return {"start": rng.uniform(0.5, 1.5)}

    def _series(self, start, n_samples):
        return _mackey_glass(start, n_samples, self.dt, self.tau, self.b, self.gamma, self.n)

    def _scale(self):
        return _mackey_glass_scale(self.tau, self.b, self.gamma, self.n)


def _mackey_glass(start, n_samples, dt, tau, b, gamma, n):
    from neurodyn.tasks.chaos import mackey_glass

    h = MackeyGlass._step
    n_substeps, n_delay = round(dt / h), round(tau / h)
    found = mackey_glass(start, round(1000 / dt), n_samples, n_substeps, h, n_delay, b, gamma, n)
    return found[..., None]


@cache
def _lorenz_scale(sigma, rho, beta):
    starts = np.random.default_rng(0).normal(size=(50, 3)) * 8 + np.array([0.0, 0.0, 25.0])
    task = Lorenz(sigma=sigma, rho=rho, beta=beta)
    return _moments(task._run(starts, 10_000, 0.01).reshape(-1, 3))


@cache
def _mackey_glass_scale(tau, b, gamma, n):
    starts = np.random.default_rng(0).uniform(0.5, 1.5, size=20)
    return _moments(_mackey_glass(starts, 5_000, 1.0, tau, b, gamma, n).reshape(-1, 1))


def _moments(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = series.mean(axis=0), series.std(axis=0)
    # at a fixed point there is nothing to scale by
    return mean, np.where(sd > 1e-6 * (1 + np.abs(mean)), sd, 1.0)


def _one_time(task: TrialTask, name: str) -> None:
    if isinstance(getattr(task, name), tuple):
        raise ValueError(f"`{name}` must be one time, s; got {getattr(task, name)}")


def _frequency(value: Any, name: str) -> float:
    found, dim = to_si(value, name)
    if dim not in (None, Hz.dim) or not isinstance(found, float) or not 0 < found < np.inf:
        raise ValueError(f"`{name}` must be a positive frequency, Hz; got {value!r}")
    return found
