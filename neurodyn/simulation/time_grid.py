"""Time in integer steps: durations and intervals as multiples of dt, or an error that says so."""

from __future__ import annotations

from neurodyn.units import SECOND, UnitError, format_dimension, to_si


def count_steps(time, dt: float, name: str) -> int:
    """Number of steps of `dt` in a time.

    Parameters
    ----------
    time : float or Quantity
        s; positive.
    dt : float
        Step, s.
    name : str
        Name of the argument, for the message.

    Raises
    ------
    ValueError
        If it is not a positive multiple of dt to one part in 1e9; the message gives the nearest.
    """
    value, dim = to_si(time, name)
    if dim not in (None, SECOND):
        raise UnitError(f"`{name}` must be a time; got {format_dimension(dim)}")
    if not isinstance(value, float) or not 0 < value < float("inf"):
        raise ValueError(f"`{name}` must be a positive time in seconds; got {time!r}")
    if not value / dt < 2.0**63:
        raise ValueError(f"`{name}` = {value:.12g} s has too many steps of dt = {dt:.12g} s")
    steps = round(value / dt)
    if steps < 1 or abs(steps * dt - value) > 1e-9 * value:
        nearest = max(1, steps) * dt
        raise ValueError(
            f"`{name}` = {value:.12g} s is not a multiple of dt = {dt:.12g} s; "
            f"the nearest is {nearest:.12g} s ({max(1, steps)} steps)"
        )
    return steps
