"""Samplers: they turn signals into the values of a run, step after step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.units import to_si

if TYPE_CHECKING:
    from neurodyn.signals.kinds import ArraySignal, OrnsteinUhlenbeck, Poisson

#: Relative error within which a time counts as a multiple of dt.
GRID_TOLERANCE = 1e-9

#: Values per block that a sampler makes ahead (2 MB), and steps per block for narrow signals.
_BLOCK_VALUES, _BLOCK_STEPS = 1 << 18, 1024

#: Begins the spawn keys of signals, so that they cannot meet those of `SeedSequence.spawn`.
_SPAWN_KEY = 0x51674E41

#: Steps that an Ornstein-Uhlenbeck process is advanced in one go, and values per trial in one go.
_OU_STEPS, _OU_VALUES = 32, 1 << 15


class Grid(NamedTuple):
    """Where a sampler works: what `Signal.sampler` was given, checked."""

    dt: float  # s
    n_units: int
    seeds: tuple[np.random.SeedSequence, ...]  # one per trial of this batch
    start_step: int
    n_steps: int | None  # that will be taken, if known
    first_trial: int
    n_trials: int  # of the whole run, of which this batch may be a part
    name: str  # of the input, for messages
    stream: int = 0  # number of the next random source within a sum

    def steps(self, time: float, name: str, least: float = -np.inf) -> int:
        """`time` in steps, at least so many; an error if it is between two."""
        k = max(round(time / self.dt), least)
        if abs(time / self.dt - k) > GRID_TOLERANCE * max(1, abs(k)):
            raise ValueError(
                f"`{name}` = {time:.10g} s of {self.name} is not a multiple of dt = "
                f"{self.dt:.10g} s; the nearest multiple is {k * self.dt:.10g} s"
            )
        return k

    def per_unit(self, value: float | np.ndarray, name: str) -> np.ndarray:
        """`value` as an array (1,) or (n_units,)."""
        array = np.atleast_1d(value)
        if np.ndim(value) and array.size != self.n_units:
            raise ValueError(
                f"`{name}` of {self.name} must be a number or have one value per unit, "
                f"({self.n_units},); got shape {array.shape}"
            )
        return array

    def generators(self) -> list[np.random.Generator]:
        """One generator per trial for this random source, whatever was drawn from the seeds."""
        own = (_SPAWN_KEY, self.stream)
        children = (
            np.random.SeedSequence(s.entropy, spawn_key=(*s.spawn_key, *own), pool_size=s.pool_size)
            for s in self.seeds
        )
        return [np.random.Generator(np.random.PCG64(child)) for child in children]


class Sampler(ABC):
    """The values of a signal, step after step.

    Attributes
    ----------
    n_trials, n_units : int
        Axes of what `take` returns; 1 where all trials, or all units, get the same.
    step : int
        The next step.
    """

    n_trials: int = 1
    n_units: int = 1

    def __init__(self, grid: Grid):
        self.step = grid.start_step

    def take(self, n_steps: int) -> np.ndarray:
        """The next `n_steps` values.

        Returns
        -------
        ndarray of float64, (n_steps, n_trials or 1, n_units or 1)
            C-contiguous, in SI. Value k holds from ``k * dt`` until ``(k + 1) * dt``. They do not
            depend, bit for bit, on how a run is cut into calls.
        """
        values = self._values(checked_count(n_steps, "n_steps", minimum=0))
        self.step += n_steps
        # writeable, because kernels are compiled for that
        return np.require(values, np.float64, ["C", "W"])

    @abstractmethod
    def _values(self, n_steps: int) -> np.ndarray:
        """The values of steps ``step`` to ``step + n_steps - 1``."""

    def _skip(self, n_steps: int) -> None:
        """Go on without values: random sources draw theirs all the same."""
        chunk = max(1, _BLOCK_VALUES // (self.n_trials * self.n_units))
        while n_steps > 0:
            self.take(min(chunk, n_steps))
            n_steps -= chunk


class StepSampler(Sampler):
    """A signal that is a function of the step: ``values_at(steps)`` has shape (n_steps, units)."""

    def __init__(self, grid: Grid, n_units: int, values_at: Callable[[np.ndarray], np.ndarray]):
        super().__init__(grid)
        self.n_units, self._values_at = n_units, values_at

    def _values(self, n_steps: int) -> np.ndarray:
        steps = np.arange(self.step, self.step + n_steps)
        return self._values_at(steps)[:, None, :]


class BlockSampler(Sampler):
    """A function of the step that is computed in blocks which begin at fixed steps.

    Vectorised elementary functions may give an element other last bits in another place of an
    array, or beside other elements; a user's function may do anything. So the arrays that are
    evaluated must not depend on how a run is cut into calls of `take`.
    """

    def __init__(self, grid: Grid, n_units: int, values_at: Callable[[np.ndarray], np.ndarray]):
        super().__init__(grid)
        self.n_units, self._values_at = n_units, values_at
        self._length = max(1, min(_BLOCK_STEPS, _BLOCK_VALUES // grid.n_units))
        self._block: tuple[int, np.ndarray] = (-1, np.empty((0, n_units)))

    def _values(self, n_steps: int) -> np.ndarray:
        parts = [np.empty((0, self.n_units))]
        step, end = self.step, self.step + n_steps
        while step < end:
            start = step - step % self._length
            stop = min(end, start + self._length)
            if self._block[0] != start or len(self._block[1]) < stop - start:
                self._block = (start, self._evaluate(start, stop))
            parts.append(self._block[1][step - start : stop - start])
            step = stop
        return np.concatenate(parts)[:, None, :]

    def _evaluate(self, start: int, stop: int) -> np.ndarray:
        """The block from `start`, of which the steps before `stop` are needed now."""
        return self._values_at(np.arange(start, start + self._length))


class RandomSampler(Sampler):
    """A signal with private randomness for every trial and unit."""

    def __init__(self, grid: Grid):
        self.step = 0
        self.n_trials, self.n_units = len(grid.seeds), grid.n_units
        self._generators = grid.generators()

    def _draw(self, n_steps: int, draw: Callable[..., np.ndarray]) -> np.ndarray:
        """``draw(generator, (n_steps, n_units))`` per trial, as (n_steps, n_trials, n_units)."""
        drawn = np.empty((n_steps, self.n_trials, self.n_units))
        for trial, generator in enumerate(self._generators):
            drawn[:, trial] = draw(generator, (n_steps, self.n_units))
        return drawn


class SumSampler(Sampler):
    def __init__(self, grid: Grid, terms: list[Sampler]):
        super().__init__(grid)
        self._terms = terms
        self.n_trials = max(term.n_trials for term in terms)
        self.n_units = max(term.n_units for term in terms)

    def _values(self, n_steps: int) -> np.ndarray:
        total, *rest = (term.take(n_steps) for term in self._terms)
        for values in rest:
            total = total + values
        return total


class ScaledSampler(Sampler):
    def __init__(self, grid: Grid, inner: Sampler, factor: np.ndarray):
        super().__init__(grid)
        self._inner, self._factor = inner, factor
        self.n_trials, self.n_units = inner.n_trials, max(inner.n_units, factor.size)

    def _values(self, n_steps: int) -> np.ndarray:
        return self._factor * self._inner.take(n_steps)


class OUSampler(RandomSampler):
    """Advances the deviation from the mean by `_OU_STEPS` steps in one go.

    Within a block, ``y_j = sum_i a**(j - i) b xi_i`` by doubling: adding ``a**s`` times itself, s
    places later, for s = 1, 2, 4, ... A call per step would cost ten times more for few units.
    Blocks begin at fixed steps and all operations are elementwise, so neither the calls of `take`
    nor the other trials touch the bits.
    """

    def __init__(self, grid: Grid, signal: OrnsteinUhlenbeck):
        super().__init__(grid)
        rate = grid.dt / grid.per_unit(signal.tau, "tau")
        sigma = grid.per_unit(signal.sigma, "sigma")
        self._mean = grid.per_unit(signal.mean, "mean")
        self._length = max(1, min(_OU_STEPS, _OU_VALUES // self.n_units))
        self._kick = sigma * np.sqrt(-np.expm1(-2 * rate))
        self._decay = np.exp(-rate * np.arange(self._length + 1)[:, None])  # a**j, (j, units)
        #: deviations that are made but not taken: at first the stationary state of step 0
        self._ready = sigma * self._draw(1, _normal)
        self._last = self._ready[-1]
        self._skip(grid.start_step)

    def _values(self, n_steps: int) -> np.ndarray:
        missing = n_steps - len(self._ready)
        if missing > 0:
            self._ready = np.concatenate([self._ready, self._blocks(-(-missing // self._length))])
        values, self._ready = self._ready[:n_steps], self._ready[n_steps:].copy()
        return self._mean + values

    def _blocks(self, n_blocks: int) -> np.ndarray:
        noise = self._draw(n_blocks * self._length, _normal)
        y = (self._kick * noise).reshape(n_blocks, self._length, self.n_trials, self.n_units)
        shift = 1
        while shift < self._length:
            y[:, shift:] += self._decay[shift] * y[:, :-shift]
            shift *= 2
        decay = self._decay[1:, None, :]
        for block in y:
            block += decay * self._last
            self._last = block[-1].copy()
        return y.reshape(noise.shape)


class PoissonSampler(RandomSampler):
    def __init__(self, grid: Grid, signal: Poisson):
        super().__init__(grid)
        self._expected = grid.per_unit(signal.rate, "rate") * grid.dt
        self._pulse = grid.per_unit(signal.weight, "weight") / grid.dt
        self._skip(grid.start_step)

    def _values(self, n_steps: int) -> np.ndarray:
        counts = self._draw(n_steps, lambda rng, size: rng.poisson(self._expected, size))
        counts *= self._pulse
        return counts


class ArraySampler(Sampler):
    def __init__(self, grid: Grid, signal: ArraySignal):
        super().__init__(grid)
        self._steps_per_sample = 1 if signal.dt is None else grid.steps(signal.dt, "dt", least=1)
        self._what = (
            f"`values` of {grid.name} hold {signal.n_samples} samples of "
            f"{self._steps_per_sample * grid.dt:.10g} s, which last "
            f"{signal.n_samples * self._steps_per_sample * grid.dt:.10g} s"
        )
        self._dt, self._n_steps = grid.dt, signal.n_samples * self._steps_per_sample
        if grid.n_steps is not None:
            self._check_end(grid.start_step + grid.n_steps)
        values = signal.values
        if "trial" in signal.axes:
            if len(values) != grid.n_trials:
                raise ValueError(
                    f"`values` of {grid.name} are for {len(values)} trials; "
                    f"the run has {grid.n_trials}"
                )
            values = values[grid.first_trial : grid.first_trial + len(grid.seeds)]
        else:
            values = values[None]
        if "unit" in signal.axes:
            if values.shape[2] != grid.n_units:
                raise ValueError(
                    f"`values` of {grid.name} must have shape (..., time, unit) with "
                    f"{grid.n_units} units; got {signal.values.shape}"
                )
        else:
            values = values[:, :, None]
        self.n_trials, _, self.n_units = values.shape
        self._by_time = values.transpose(1, 0, 2)

    def _check_end(self, end: int) -> None:
        if end > self._n_steps:
            raise ValueError(
                f"{self._what}; a run until {end * self._dt:.10g} s needs more. One value per unit "
                "for the whole run is `Constant(values)`."
            )

    def _values(self, n_steps: int) -> np.ndarray:
        self._check_end(self.step + n_steps)
        return self._by_time[np.arange(self.step, self.step + n_steps) // self._steps_per_sample]


class FunctionSampler(BlockSampler):
    def __init__(self, grid: Grid, f: Callable[[np.ndarray], Any]):
        self._f, self._grid = f, grid
        probe = self._shaped(f(np.array([grid.start_step * grid.dt])), 1)
        super().__init__(grid, probe.shape[1], self._at)

    def _at(self, k: np.ndarray) -> np.ndarray:
        values = self._shaped(self._f(k * self._grid.dt), k.size)
        if values.shape[1] != self.n_units:
            raise ValueError(
                f"`f` of {self._grid.name} must return the same number of units every time; "
                f"got {values.shape[1]} after {self.n_units}"
            )
        return values

    def _shaped(self, value: Any, n: int) -> np.ndarray:
        """What `f` returned, as (n, 1) or (n, n_units)."""
        array = np.asarray(to_si(value, "f").value)
        if array.ndim == 0 or array.shape == (n,):
            return np.broadcast_to(array, (n,))[:, None]
        if array.shape in ((n, 1), (n, self._grid.n_units)):
            return array
        raise ValueError(
            f"`f` of {self._grid.name} must return shape ({n},) or ({n}, {self._grid.n_units}) for "
            f"{n} times; got {array.shape}"
        )

    def _evaluate(self, start: int, stop: int) -> np.ndarray:
        try:
            return super()._evaluate(start, stop)
        except Exception:
            # perhaps not defined beyond the end of the run: only what is needed, and if that fails
            # too, the user sees why
            return self._at(np.arange(start, stop))

    def _values(self, n_steps: int) -> np.ndarray:
        values = super()._values(n_steps)
        finite = np.isfinite(values)
        if not finite.all():
            k, _, unit = np.unravel_index(np.argmin(finite), values.shape)
            raise ValueError(
                f"`f` of {self._grid.name} must be finite; got {values[k, 0, unit]} at "
                f"t = {(self.step + k) * self._grid.dt:.10g} s"
            )
        return values


def _normal(generator: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return generator.standard_normal(size)
