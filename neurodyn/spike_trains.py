"""Spike trains of a population, as plots and analyses take them.

`SpikeTrains.from_arrays` makes them of flat lists, `neurodyn.recorded_spikes.spike_trains` of the
Dataset of a run. They know what lists of spikes do not say: how many units there are (the silent
ones count), how many trials, and the window that was observed.

Windows and bins are half-open, ``[start, stop)``. With a time step, as in every simulation, they
are counted in whole steps: a bin of 1.5 steps would hold one step or two, in turn, and show a
rhythm that is not there. Without one, what lies within a millionth of a bin before an edge
belongs behind it, so that 0.7000000000000001 and 0.7 do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from neurodyn._arrays import checked_count, read_only, real_numbers
from neurodyn.units import SECOND, UnitError, format_dimension, to_si

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Part of a bin, or of a step, by which rounding may move a time.
_ROUNDING = 1e-6


class Grouped(NamedTuple):
    """Spikes of each unit and trial side by side, and in the order of time.

    Attributes
    ----------
    time : array, (spike,), s
    first : int array, (n_units * n_trials + 1,)
        Group ``unit * n_trials + trial`` holds the spikes ``first[group]`` to
        ``first[group + 1] - 1``.
    """

    time: np.ndarray
    first: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Spikes of each group, (n_units * n_trials,)."""
        return np.diff(self.first)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """One value a group as one value a spike."""
        return np.repeat(values, self.counts)


@dataclass(frozen=True, eq=False, repr=False)
class SpikeTrains:
    """Spikes of some units in a window of some trials.

    Made by `spike_trains` or `SpikeTrains.from_arrays`, which check what they are given.

    Attributes
    ----------
    time : array, (spike,), s
        Sorted within each trial.
    unit : int array, (spike,)
        From 0 to ``n_units - 1``.
    trial : int array, (spike,)
        From 0 to ``n_trials - 1``.
    n_units, n_trials : int
        How many were observed, silent ones included.
    t_start, t_stop : float, s
        The window ``[t_start, t_stop)``, the same in all trials.
    unit_index : int array, (n_units,)
        Number of each unit in its population.
    dt : float or None, s
        All spikes are at multiples of it; None if they are anywhere.
    name : str
        The population.
    """

    time: np.ndarray
    unit: np.ndarray
    trial: np.ndarray
    n_units: int
    n_trials: int
    t_start: float
    t_stop: float
    unit_index: np.ndarray
    dt: float | None = None
    name: str = ""

    @classmethod
    def from_arrays(
        cls,
        time: ArrayLike,
        unit: ArrayLike,
        n_units: int,
        t_start: float,
        t_stop: float,
        trial: ArrayLike | None = None,
        n_trials: int = 1,
        dt: float | None = None,
        name: str = "",
    ) -> SpikeTrains:
        """Spike trains from flat lists, in any order.

        Parameters
        ----------
        time : array, (spike,), s
        unit : int array, (spike,)
            From 0 to ``n_units - 1``.
        n_units : int
            How many units were observed, silent ones included.
        t_start, t_stop : float or quantity, s
            The window that was observed, ``[t_start, t_stop)``.
        trial : int array, (spike,), optional
            From 0 to ``n_trials - 1``. Default: all in trial 0.
        n_trials : int
            How many trials were observed. Default 1.
        dt : float or quantity, s, optional
            Time step if the spikes lie on a grid. Default: they do not.
        name : str
            For labels. Default none.

        Raises
        ------
        ValueError
            If the lists differ in length, a number is out of range, a spike lies outside the
            window or off the grid of `dt`.
        """
        n_units, n_trials = checked_count(n_units, "n_units"), checked_count(n_trials, "n_trials")
        time = np.atleast_1d(real_numbers(time, "time")).astype(np.float64, copy=False)
        if time.ndim != 1:
            raise ValueError(f"`time` must be a flat list of spikes; got shape {time.shape}")
        unit = _numbers(unit, "unit", time.size, n_units)
        trial = np.zeros(time.size, np.int8) if trial is None else trial
        trial = _numbers(trial, "trial", time.size, n_trials)
        t_start, t_stop = seconds(t_start, "t_start"), seconds(t_stop, "t_stop")
        if not t_start < t_stop:
            raise ValueError(f"`t_stop` must be after `t_start` = {t_start:g} s; got {t_stop:g} s")
        if dt is not None:
            dt = seconds(dt, "dt")
            if dt <= 0:
                raise ValueError(f"`dt` must be positive; got {dt:g} s")
            step_number(t_start, dt, "t_start"), step_number(t_stop, dt, "t_stop")
            off = np.abs(time / dt - np.rint(time / dt)) > 1e-3
            if off.any():
                raise ValueError(
                    f"`time` must be multiples of `dt` = {dt:g} s; got {time[off][0]:.12g} s. "
                    "Leave `dt` out if spikes are not on a grid."
                )
        slack = _ROUNDING * (dt or 0.0)
        outside = (time < t_start - slack) | (time > t_stop - slack if dt else time >= t_stop)
        if outside.any():
            raise ValueError(
                f"`time` must be in [t_start, t_stop) = [{t_start:g}, {t_stop:g}) s; "
                f"{outside.sum()} spikes are not, the first at {time[outside][0]:.12g} s"
            )
        if (np.diff(time) < 0).any() or (np.diff(trial) < 0).any():
            order = np.lexsort((unit, time, trial))
            time, unit, trial = time[order], unit[order], trial[order]
        return cls(*map(read_only, (time, unit, trial)), n_units, n_trials, t_start, t_stop,
                   read_only(np.arange(n_units)), dt, name)

    @property
    def n_spikes(self) -> int:
        return self.time.size

    @property
    def duration(self) -> float:
        """Length of the window, s."""
        return self.t_stop - self.t_start

    def __repr__(self) -> str:
        return (
            f"<SpikeTrains{f' of {self.name}' * bool(self.name)}: {self.n_spikes} spikes, "
            f"{self.n_units} units, {self.n_trials} trial{'s' * (self.n_trials > 1)}, "
            f"{self.t_start:g} to {self.t_stop:g} s>"
        )

    @cached_property
    def grouped(self) -> Grouped:
        """The spikes by unit, then trial, then time."""
        from scipy.sparse import csc_array

        n, groups = self.n_spikes, self.n_units * self.n_trials
        # Columns of one entry each, spikes, made into rows, groups: a counting sort that keeps the
        # order of time, in linear time (0.15 s for 1e7 spikes, where a stable argsort takes 1.5 s).
        index = np.int32 if max(n, groups) < 2**31 else np.int64
        group = self.unit.astype(index) * index(self.n_trials) + self.trial
        rows = csc_array(
            (self.time, group.astype(index, copy=False), np.arange(n + 1, dtype=index)),
            shape=(groups, n),
        ).tocsr()
        return Grouped(read_only(rows.data), read_only(rows.indptr))

    def bins(self, bin: float, name: str = "bin") -> tuple[int, float]:
        """Number of bins of width `bin` in the window, and that width in s.

        Raises
        ------
        ValueError
            If the width is not a multiple of the time step or does not divide the window.
        """
        width = seconds(bin, name)
        if width <= 0:
            raise ValueError(f"`{name}` must be a positive time; got {width:g} s")
        if self.dt is not None:
            width = self.dt * max(1, step_number(width, self.dt, name))
        n = round(self.duration / width)
        if n < 1 or abs(n * width - self.duration) > 1e-6 * width:
            whole = int(self.duration / width + _ROUNDING)
            remedy = "take a shorter one"
            if whole:
                end = self.t_start + whole * width
                remedy = f"for {whole} whole bins take the spikes with t_stop={end:.12g}"
            raise ValueError(
                f"`{name}` = {width:.12g} s does not divide the window of {self.duration:.12g} s; "
                + remedy
            )
        return n, width

    def bin_numbers(self, bin: float, time: np.ndarray | None = None) -> np.ndarray:
        """Which bin each spike falls into, (spike,): from 0 to the number of bins less 1.

        Parameters
        ----------
        bin : float or quantity, s
        time : array, (spike,), s
            Some or all of the spikes, in any order. Default `time`.
        """
        n, width = self.bins(bin)
        time = self.time if time is None else time
        if self.dt is None:
            numbers = ((time - self.t_start) / width + _ROUNDING).astype(np.int64)
            return np.minimum(numbers, n - 1, out=numbers)
        steps = np.rint(time / self.dt).astype(np.int64)
        steps -= round(self.t_start / self.dt)
        steps //= round(width / self.dt)
        return steps

    def population_counts(self, bin: float) -> np.ndarray:
        """Spikes of all units together in each bin, (trial, bin).

        Parameters
        ----------
        bin : float or quantity, s
        """
        n, _ = self.bins(bin)
        sample = self.bin_numbers(bin) + self.trial.astype(np.int64) * n
        return np.bincount(sample, minlength=self.n_trials * n).reshape(self.n_trials, n)

    def select(
        self,
        t_start: float | None = None,
        t_stop: float | None = None,
        trial: int | None = None,
        units: slice | Sequence[int] | None = None,
    ) -> SpikeTrains:
        """Part of the spike trains.

        Parameters
        ----------
        t_start, t_stop : float or quantity, s
            Window ``[t_start, t_stop)`` inside this one, in whole time steps. Default this one.
        trial : int, optional
            Default all.
        units : slice or sequence of int, optional
            By their number here, from 0 to ``n_units - 1``, in the order they are to have.
            Default all.

        Raises
        ------
        ValueError
            If the window lies outside, or a trial or unit does not exist.
        """
        keep = None
        start, stop = self._window(t_start, t_stop)
        if (start, stop) != (self.t_start, self.t_stop):
            slack = 0.5 * self.dt if self.dt else 0.0
            keep = (self.time >= start - slack) & (self.time < stop - slack)
        changes: dict[str, Any] = {"t_start": start, "t_stop": stop}
        trials, unit = self.trial, self.unit
        if trial is not None:
            number = _checked_trial(trial, self.n_trials)
            keep = (trials == number) & (True if keep is None else keep)
            trials, changes["n_trials"] = np.zeros(trials.size, np.int8), 1
        if units is not None:
            index = checked_units(units, self.n_units)
            local = np.full(self.n_units, -1)
            local[index] = np.arange(index.size)
            unit = local[self.unit]
            keep = (unit >= 0) & (True if keep is None else keep)
            changes |= {"n_units": index.size, "unit_index": read_only(self.unit_index[index])}
        if keep is None:
            return self
        arrays = {"time": self.time, "unit": unit, "trial": trials}
        return replace(self, **changes, **{k: read_only(v[keep]) for k, v in arrays.items()})

    def _window(self, t_start: float | None, t_stop: float | None) -> tuple[float, float]:
        start = self.t_start if t_start is None else seconds(t_start, "t_start")
        stop = self.t_stop if t_stop is None else seconds(t_stop, "t_stop")
        slack = 1e-9 * max(abs(self.t_start), abs(self.t_stop))
        for name, value in (("t_start", start), ("t_stop", stop)):
            if not self.t_start - slack <= value <= self.t_stop + slack:
                raise ValueError(
                    f"`{name}` = {value:.12g} s is outside the run, which is "
                    f"{self.t_start:.12g} to {self.t_stop:.12g} s"
                )
            if self.dt is not None:
                step_number(value, self.dt, name)
        if not start < stop:
            raise ValueError(f"`t_stop` must be after `t_start` = {start:g} s; got {stop:g} s")
        return max(start, self.t_start), min(stop, self.t_stop)

    def to_neo(self) -> Any:
        """As a `neo.Block`: a Segment for each trial, in it a SpikeTrain for each unit.

        What Elephant and other tools of electrophysiology take. An object costs about 0.15 ms:
        `select` some units of a big network first.

        Returns
        -------
        neo.Block
            The trains' ``name`` is ``"E 17"``; `unit` and `population` are annotations.

        Raises
        ------
        ImportError
            If Neo is not installed; ``pip install neurodyn[elephant]`` installs it.
        """
        neo, quantities = _optional("neo"), _optional("quantities")
        second = quantities.s
        limits = {"units": second, "t_start": self.t_start * second, "t_stop": self.t_stop * second}
        if self.dt is not None:
            limits["sampling_rate"] = 1 / self.dt * quantities.Hz
        parts = np.split(self.grouped.time, self.grouped.first[1:-1])
        block = neo.Block(name=self.name or None)
        for trial in range(self.n_trials):
            segment = neo.Segment(name=f"trial {trial}", index=trial)
            segment.spiketrains = [  # all at once: append compares with each that is there
                neo.SpikeTrain(time, **limits, name=f"{self.name} {number}".strip(),
                               unit=int(number), population=self.name)
                for time, number in zip(parts[trial :: self.n_trials], self.unit_index)
            ]
            block.segments.append(segment)
        return block


def seconds(value: Any, name: str) -> float:
    """A time in seconds from a number or a quantity."""
    number, dim = to_si(value, name)
    if dim not in (None, SECOND):
        raise UnitError(f"`{name}` must be a time; got {format_dimension(dim)}")
    if not isinstance(number, float) or not np.isfinite(number):
        raise ValueError(f"`{name}` must be a time in seconds; got {value!r:.60}")
    return number


def step_number(value: float, dt: float, name: str) -> int:
    """Number of the step at a time, which must be a multiple of dt; 0 and negative ones are."""
    step = round(value / dt)
    if abs(step - value / dt) > _ROUNDING:
        raise ValueError(
            f"`{name}` = {value:.12g} s is not a multiple of dt = {dt:.12g} s; "
            f"the nearest is {step * dt:.12g} s"
        )
    return step


def _numbers(values: ArrayLike, name: str, n_spikes: int, n: int) -> np.ndarray:
    array = np.atleast_1d(np.asarray(values))
    if array.size == 0:  # an empty list has the dtype float
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must be integers; got dtype {array.dtype}")
    if array.shape != (n_spikes,):
        raise ValueError(
            f"`{name}` must have one entry for each of {n_spikes} spikes; got shape {array.shape}"
        )
    if array.size and not (array.min() >= 0 and array.max() < n):
        bad = array[(array < 0) | (array >= n)][0]
        raise ValueError(f"`{name}` must be from 0 to `n_{name}s` - 1 = {n - 1}; got {bad}")
    return array


def _checked_trial(trial: Any, n_trials: int) -> int:
    number = checked_count(trial, "trial", 0)
    if number >= n_trials:
        raise ValueError(f"`trial` must be below {n_trials}; got {trial}")
    return number


def checked_units(units: Any, n_units: int) -> np.ndarray:
    if np.ndim(units) == 0 and not isinstance(units, slice):
        raise ValueError(
            f"`units` must be a slice or a list of unit numbers; got {units!r:.60}. "
            "[3] is unit 3, slice(3) are the first three."
        )
    try:
        index = np.arange(n_units)[units if isinstance(units, slice) else np.asarray(units)]
    except (IndexError, TypeError, ValueError):
        raise ValueError(
            f"`units` must be a slice or unit numbers below {n_units}; got {units!r:.60}"
        ) from None
    if index.ndim != 1 or index.size == 0 or np.unique(index).size < index.size:
        raise ValueError(f"`units` must name at least one unit, and none twice; got {units!r:.60}")
    return index


def _optional(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{error}: pip install 'neurodyn[elephant]' installs it") from error
