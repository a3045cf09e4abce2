"""What analyses take as recorded activity: DataArrays of a run, or arrays (trial, time, unit)."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.spike_trains import seconds


def trial_time_unit(x: Any, name: str, min_times: int = 2) -> np.ndarray:
    """`x` as a float64 array (trial, time, unit) of finite numbers.

    Parameters
    ----------
    x : DataArray with a dimension ``time``, or array (time,), (time, unit) or (trial, time, unit)
        A DataArray may have its dimensions in any order; what is neither trial nor time is unit.
    name : str
        The argument's name, for messages.
    min_times : int
    """
    if hasattr(x, "data_vars"):
        raise TypeError(
            f"`{name}` is a whole Dataset; give one of its variables, such as ds['E.r']"
        )
    if hasattr(x, "dims"):
        x = _ordered(x, name)
    values = np.asarray(real_numbers(x, name, "(trial, time, unit)"), float)
    if not 1 <= values.ndim <= 3 or values.size == 0:
        raise ValueError(
            f"`{name}` must be (time,), (time, unit) or (trial, time, unit); got shape "
            f"{values.shape}"
        )
    if values.ndim == 1:
        values = values[:, None]
    values = values.reshape((-1, *values.shape[-2:]))
    if values.shape[1] < min_times:
        raise ValueError(
            f"`{name}` must have at least {min_times} times; got {values.shape[1]}, in shape "
            f"(trial, time, unit) = {values.shape}"
        )
    return values


def _ordered(x: Any, name: str) -> np.ndarray:
    if "time" not in x.dims:
        raise ValueError(f"`{name}` must have a dimension `time`; got {x.dims}")
    front = [dim for dim in ("trial", "time") if dim in x.dims]
    values = x.transpose(*front, ...).values
    n_units = int(np.prod(values.shape[len(front):]))
    return values.reshape((*values.shape[: len(front)], n_units))


def time_step(x: Any, dt: Any, name: str = "x") -> float:
    """Seconds between samples: `dt`, or that of the coordinate ``time`` of a DataArray."""
    if dt is not None:
        step = seconds(dt, "dt")
        if not 0 < step < np.inf:
            raise ValueError(f"`dt` must be positive and finite; got {dt!r}")
        return step
    coords = getattr(x, "coords", {})
    if "time" not in coords:
        raise ValueError(
            f"`dt` is missing: `{name}` has no coordinate `time` to take it from. "
            "Give the time between its samples, for example dt=1*nd.ms"
        )
    steps = np.diff(np.asarray(coords["time"].values, float))
    if steps.size == 0:
        raise ValueError(f"`{name}` has one time only: no time step")
    step = float(steps.mean())
    if step <= 0 or np.abs(steps - step).max() > 1e-6 * step:
        raise ValueError(
            f"`{name}` must be evenly sampled; the steps of its coordinate `time` go from "
            f"{steps.min():g} to {steps.max():g} s"
        )
    return step


def sample_unit(x: Any, name: str, min_samples: int = 2) -> np.ndarray:
    """`x` as (sample, unit): all times of all trials are samples.

    Takes what `trial_time_unit` takes, and arrays (sample, unit).
    """
    values = trial_time_unit(x, name, 1)
    values = values.reshape(-1, values.shape[-1])
    if len(values) < min_samples:
        raise ValueError(
            f"`{name}` must have at least {min_samples} samples; got shape (sample, unit) = "
            f"{values.shape}"
        )
    return values


def matrix(value: Any, name: str, axes: str = "(row, column)") -> np.ndarray:
    """`value` as a float64 matrix of finite numbers; sparse and weights objects become dense."""
    for method in ("to_dense", "toarray"):
        if callable(getattr(value, method, None)):
            value = getattr(value, method)()
            break
    array = np.asarray(real_numbers(getattr(value, "values", value), name, axes), float)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"`{name}` must be a matrix, {axes}; got shape {array.shape}")
    return array
