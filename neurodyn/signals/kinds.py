"""The kinds of signals, and `as_signal`, which makes a signal of what users give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodyn._arrays import dimension_of, quoted, read_only, real_numbers
from neurodyn.signals.base import (
    Signal,
    check_dimension,
    checked_time,
)
from neurodyn.signals.samplers import (
    ArraySampler,
    BlockSampler,
    FunctionSampler,
    Grid,
    OUSampler,
    PoissonSampler,
    Sampler,
    StepSampler,
)
from neurodyn.units import Hz, second

_AXES = ("trial", "time", "unit")


@dataclass(frozen=True, eq=False)
class Constant(Signal):
    """One value for all time.

    Parameters
    ----------
    value : float, (n_units,) array_like, or quantity
        The same for all units, or one each.
    """

    value: Any
    is_constant = True

    def __post_init__(self):
        self._settle_values("value")

    def _sampler(self, grid: Grid) -> Sampler:
        value = grid.per_unit(self.value, "value")
        return StepSampler(grid, value.size, lambda k: np.broadcast_to(value, (k.size, value.size)))


@dataclass(frozen=True, eq=False)
class Step(Signal):
    """`before` until the time `at`, `value` from then on.

    Parameters
    ----------
    at : float, s
        Time of the step, a multiple of dt.
    value, before : float, (n_units,) array_like, or quantity
        `before` is 0 by default.
    """

    at: Any
    value: Any
    before: Any = 0.0

    def __post_init__(self):
        self._settle(at=checked_time(self.at, "at"))
        self._settle_values("value", "before")

    def _sampler(self, grid: Grid) -> Sampler:
        at = grid.steps(self.at, "at")
        return _switched(grid, lambda k: k >= at, value=self.value, before=self.before)


@dataclass(frozen=True, eq=False)
class Pulse(Signal):
    """`value` for a `duration`, once or periodically, else `baseline`.

    Parameters
    ----------
    start : float, s
        Beginning of the (first) pulse, a multiple of dt.
    duration : float, s
        Length of every pulse, a positive multiple of dt.
    value, baseline : float, (n_units,) array_like, or quantity
        `baseline` is 0 by default.
    period : float, s, optional
        Time from one beginning to the next, a multiple of dt and at least `duration`; None, the
        default, for a single pulse.
    """

    start: Any
    duration: Any
    value: Any
    baseline: Any = 0.0
    period: Any = None

    def __post_init__(self):
        self._settle(
            start=checked_time(self.start, "start"),
            duration=checked_time(self.duration, "duration", positive=True),
        )
        if self.period is not None:
            self._settle(period=checked_time(self.period, "period", positive=True))
            if self.period < self.duration:
                raise ValueError(
                    f"`period` must be at least `duration` = {self.duration:g} s; "
                    f"got {self.period:g} s"
                )
        self._settle_values("value", "baseline")

    def _sampler(self, grid: Grid) -> Sampler:
        start = grid.steps(self.start, "start")
        duration = grid.steps(self.duration, "duration", least=1)
        period = None if self.period is None else grid.steps(self.period, "period", least=1)

        def is_on(k: np.ndarray) -> np.ndarray:
            since = k - start
            return (since >= 0) & ((since if period is None else since % period) < duration)

        return _switched(grid, is_on, value=self.value, baseline=self.baseline)


@dataclass(frozen=True, eq=False)
class Sinusoid(Signal):
    r"""``mean + amplitude * sin(2 pi frequency t + phase)`` at the beginning of each step.

    Parameters
    ----------
    amplitude : float, (n_units,) array_like, or quantity
    frequency : float or (n_units,) array_like, Hz
    phase : float or (n_units,) array_like, rad, default 0.0
    mean : float, (n_units,) array_like, or quantity, default 0.0
    """

    amplitude: Any
    frequency: Any
    phase: Any = 0.0
    mean: Any = 0.0

    def __post_init__(self):
        check_dimension(self.frequency, "frequency", Hz.dim)
        self._settle_values("frequency")
        self._settle_values("phase")
        self._settle_values("amplitude", "mean")

    def _sampler(self, grid: Grid) -> Sampler:
        names = ("amplitude", "frequency", "phase", "mean")
        amplitude, frequency, phase, mean = (grid.per_unit(getattr(self, n), n) for n in names)
        n_units = max(a.size for a in (amplitude, frequency, phase, mean))

        def values_at(k: np.ndarray) -> np.ndarray:
            t = (k * grid.dt)[:, None]
            values = mean + amplitude * np.sin(2 * np.pi * frequency * t + phase)
            return np.broadcast_to(values, (k.size, n_units))

        return BlockSampler(grid, n_units, values_at)


@dataclass(frozen=True, eq=False)
class OrnsteinUhlenbeck(Signal):
    r"""Coloured noise: :math:`\tau\,dx = (\mathrm{mean} - x)\,dt + \sigma \sqrt{2 \tau}\,dB`.

    Begins in its stationary state, independently for every trial and unit, and is advanced by the
    exact solution over a step,

    .. math:: x_{k+1} = \mathrm{mean} + a (x_k - \mathrm{mean}) + \sigma \sqrt{1 - a^2}\, \xi_k,
              \quad a = e^{-dt/\tau},

    so that variance :math:`\sigma^2` and autocorrelation :math:`e^{-|t|/\tau}` hold on the step
    grid for any dt.

    Parameters
    ----------
    tau : float or (n_units,) array_like, s
        Correlation time.
    sigma : float, (n_units,) array_like, or quantity
        Standard deviation of the stationary distribution, whatever the `tau`. (The constant of
        white noise, with ``dx = ... + s dB``, is ``s = sigma * sqrt(2 / tau)``.)
    mean : float, (n_units,) array_like, or quantity, default 0.0

    Notes
    -----
    The exact discretisation: Gillespie. Exact numerical simulation of the Ornstein-Uhlenbeck
    process and its integral. Phys. Rev. E 54, 2084 (1996). Between grid points the value is held,
    as for all signals.
    """

    tau: Any
    sigma: Any
    mean: Any = 0.0
    n_random = 1

    def __post_init__(self):
        check_dimension(self.tau, "tau", second.dim)
        self._settle_values("tau")
        self._settle_values("sigma", "mean")
        if np.min(self.tau) <= 0:
            raise ValueError(f"`tau` must be positive, in s; got {np.min(self.tau)}")
        if np.min(self.sigma) < 0:
            raise ValueError(f"`sigma` is a standard deviation, not negative; got {self.sigma}")

    def _sampler(self, grid: Grid) -> Sampler:
        return OUSampler(grid, self)


@dataclass(frozen=True, eq=False)
class Poisson(Signal):
    """Poisson pulses: every event of every unit is a delta pulse of area `weight`.

    The value of a step is ``count * weight / dt``, with an independent Poisson count of mean
    ``rate * dt``, so that ``dx/dt = input`` jumps by `weight` at every event.

    Parameters
    ----------
    rate : float or (n_units,) array_like, Hz
        Rate of events.
    weight : float, (n_units,) array_like, or quantity, default 1.0
        Area of the pulse of one event; the signal has its dimension divided by time.
    """

    rate: Any
    weight: Any = 1.0
    n_random = 1

    def __post_init__(self):
        check_dimension(self.rate, "rate", Hz.dim)
        self._settle_values("rate")
        self._settle_values("weight")
        if self.dim is not None:
            self._settle(dim=tuple(a - b for a, b in zip(self.dim, second.dim, strict=True)))
        if np.min(self.rate) < 0:
            raise ValueError(f"`rate` must be zero or positive, in Hz; got {np.min(self.rate)}")

    def _sampler(self, grid: Grid) -> Sampler:
        return PoissonSampler(grid, self)


@dataclass(frozen=True, eq=False)
class ArraySignal(Signal):
    """Values given one by one.

    Parameters
    ----------
    values : (time,), (time, unit) or (trial, time, unit) array_like, or quantity
        Sample k holds on ``[k * dt, (k + 1) * dt)``.
    dt : float, s, optional
        Sampling interval, an integer multiple of the solver's time step; None, the default, is the
        solver's.
    axes : sequence of str, optional
        What the axes of `values` are, out of "trial", "time" and "unit" in any order, for example
        ``("trial", "time")``. The default goes by their number, as above.

    Notes
    -----
    A run that is longer than the array is an error: it says how long the array lasts.
    """

    values: Any
    dt: Any = None
    axes: Any = None

    def __post_init__(self):
        values, dim = real_numbers(self.values, "values"), dimension_of(self.values)
        axes = self._checked_axes(values.ndim)
        present = [axis for axis in _AXES if axis in axes]
        values = values.transpose([axes.index(axis) for axis in present]).astype(np.float64)
        if 0 in values.shape:
            raise ValueError(f"`values` must not be empty; got shape {values.shape}")
        self._settle(values=read_only(values), axes=tuple(present), dim=dim)
        if self.dt is not None:
            self._settle(dt=checked_time(self.dt, "dt", positive=True))

    def _checked_axes(self, ndim: int) -> tuple[str, ...]:
        default = {1: ("time",), 2: ("time", "unit"), 3: _AXES}.get(ndim, ())
        axes = default if self.axes is None else self.axes
        axes = (axes,) if isinstance(axes, str) else tuple(axes)
        known = set(axes) <= set(_AXES) and len(set(axes)) == len(axes) == ndim
        if not known or "time" not in axes:
            raise ValueError(
                "`values` must have axes (time,), (time, unit) or (trial, time, unit), or `axes` "
                f'must name them out of "trial", "time", "unit"; got {ndim} axes with axes={axes}'
            )
        return axes

    @property
    def n_samples(self) -> int:
        """Number of samples in time."""
        return self.values.shape[self.axes.index("time")]

    def _sampler(self, grid: Grid) -> Sampler:
        return ArraySampler(grid, self)


@dataclass(frozen=True, eq=False)
class FunctionSignal(Signal):
    """A function of time.

    Parameters
    ----------
    f : callable
        ``f(t)`` for an array of times ``(n,)`` in s, the beginnings of steps; returns ``(n,)``, or
        ``(n, n_units)``, or one number. It is called with whole blocks of steps in no particular
        order, so its value at a time must depend on that time only.
    """

    f: Callable[[np.ndarray], Any]

    def __post_init__(self):
        if not callable(self.f):
            raise TypeError(f"`f` must be a function of time; got {self.f!r:.60}")
        self._settle(dim=dimension_of(self.f(np.zeros(1))))

    def _sampler(self, grid: Grid) -> Sampler:
        return FunctionSampler(grid, self.f)


def as_signal(value: Any, name: str = "signal") -> Signal:
    """`value` as a `Signal`.

    Parameters
    ----------
    value : Signal, float, array_like, quantity, callable
        A number is a `Constant`, an array an `ArraySignal` (so an array of one axis is a course in
        time, not one value per unit), a function of time a `FunctionSignal`. A
        ``xarray.DataArray`` may have the dims "trial", "time" and "unit" in any order.
    name : str
        What messages call it.

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or not finite.
    """
    if isinstance(value, Signal):
        return value
    if callable(value):
        return FunctionSignal(value)
    numbers = real_numbers(value, name)
    if numbers.ndim == 0:
        return Constant(value)
    if numbers.ndim > 3:
        raise ValueError(
            f"{quoted(name)} must have axes (time,), (time, unit) or (trial, time, unit); "
            f"got shape {numbers.shape}"
        )
    return ArraySignal(value, axes=getattr(value, "dims", None))


def _switched(
    grid: Grid, is_on: Callable[[np.ndarray], np.ndarray], **values: float | np.ndarray
) -> Sampler:
    """The first of the two named `values` at the steps where `is_on`, else the second."""
    on, off = (grid.per_unit(value, name) for name, value in values.items())
    return StepSampler(grid, max(on.size, off.size), lambda k: np.where(is_on(k)[:, None], on, off))
