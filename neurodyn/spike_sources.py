"""Populations that spike by themselves: by chance, or at given times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurodyn._arrays import checked_count, read_only
from neurodyn.population import Population
from neurodyn.units import SECOND, UnitError, format_dimension, to_si


def poisson_source(size: int, rate: Any = None) -> Population:
    """Independent units that spike by chance.

    Parameters
    ----------
    size : int
        Number of units.
    rate : float, array_like or Quantity, optional
        Spikes a second of each, Hz; one for all or one a unit. Left out, it is the input ``rate``
        of the population, which a signal drives.

    Returns
    -------
    Population
        A unit spikes in a step with probability rate*dt, at most once a step, as in Brian2.

    Notes
    -----
    With a constant rate only the steps in which something happens are computed: the time to the
    next spike is drawn, geometric. `simulate` warns where rate*dt exceeds 0.1, and refuses more
    than 1.
    """
    values = {} if rate is None else {"rate": rate}
    value = np.asarray(to_si(0.0 if rate is None else rate, "rate").value)
    if np.any(value < 0):
        raise ValueError(f"`rate` must not be negative; got {value.min():g} Hz")
    return Population(size, "rate : Hz", threshold="rand() < rate*dt", **values)


class SpikeSource(Population):
    """Units that spike at given times: see `spike_source`."""

    def __init__(
        self, size: int, time: np.ndarray, unit: np.ndarray, lines: Sequence[str] = (), **values
    ):
        self.spike_time, self.spike_unit = time, unit
        # the condition says only that they spike; when is in the list
        super().__init__(size, "\n".join(lines), threshold="t < 0*second", **values)

    def with_states(self, lines: Sequence[str], values: Mapping[str, Any]) -> Population:
        """The same source whose units have further states."""
        before = [self.text] if self.text else []
        return SpikeSource(
            self.size, self.spike_time, self.spike_unit, [*before, *lines],
            **self._quantities(), **values,
        )  # fmt: skip

    @property
    def emits(self) -> str:
        return "replay"

    @property
    def settings(self) -> tuple[str, ...]:
        return ("time", "unit")

    def with_values(self, **values: Any) -> Population:
        """A source of other spikes: ``time=`` and ``unit=``."""
        if unknown := set(values) - {"time", "unit"}:
            raise ValueError(
                f"a source of given spikes has the values `time` and `unit`; got `{min(unknown)}`"
            )
        given = {"time": self.spike_time, "unit": self.spike_unit, **values}
        return spike_source(self.size, **given)

    def __repr__(self) -> str:
        return f"<SpikeSource of {self.size}: {self.spike_time.size} spikes at given times>"


def spike_source(size: int, time: Any, unit: Any) -> SpikeSource:
    """Units that spike at given times, the same in every trial.

    Parameters
    ----------
    size : int
        Number of units.
    time : array_like or Quantity, (spike,)
        s, not negative, in any order. A spike belongs to the step in which its time lies.
    unit : array_like of int, (spike,)
        Who spikes.

    Returns
    -------
    SpikeSource

    Raises
    ------
    ValueError
        For units outside 0 to size - 1, negative times, or lists of different lengths; when the
        simulation starts, for two spikes of one unit in one step.
    """
    size = checked_count(size, "size")
    value, dim = to_si(time, "time")
    if dim not in (None, SECOND):
        raise UnitError(f"`time` must be in s; got {format_dimension(dim)}")
    time, unit = np.atleast_1d(np.asarray(value, float)), np.atleast_1d(np.asarray(unit))
    if time.shape != unit.shape or time.ndim != 1:
        raise ValueError(
            "`time` and `unit` must be lists of one length; got shapes "
            f"{time.shape} and {unit.shape}"
        )
    if unit.size and unit.dtype.kind not in "iu":
        raise TypeError(f"`unit` must hold unit numbers; got {unit.dtype}")
    if unit.size and not 0 <= unit.min() <= unit.max() < size:
        raise ValueError(
            f"`unit` must lie in 0 to {size - 1}; got {unit.min()} to {unit.max()}"
        )
    if not np.all(np.isfinite(time)) or np.any(time < 0):
        bad = time[np.argmax(~(time >= 0))]
        raise ValueError(f"`time` must be finite and not negative; got {bad:g} s")
    order = np.lexsort((unit, time))
    return SpikeSource(size, read_only(time[order]), read_only(unit[order].astype(np.int64)))
