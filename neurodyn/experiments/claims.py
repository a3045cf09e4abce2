"""Claims: published numbers, and whether our run reproduces them.

A claim that fails is shown as failed. It is never removed, and its tolerance is chosen before the
run: from the precision of the published number or from the statistics of the measurement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

#: Sizes of an experiment: seconds for tests, and the paper's own.
SIZES = ("fast", "full")


@dataclass(frozen=True)
class Accept:
    """A closed interval of values, with the words that say it. NaN is in no interval."""

    low: float
    high: float
    text: str

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"the interval of `accept` is empty: {self.low!r} to {self.high!r}")

    def holds(self, value: float) -> bool:
        """Whether `value` is accepted."""
        return bool(self.low <= value <= self.high)

    def __str__(self) -> str:
        return self.text


def within(value: float, *, relative: float | None = None, absolute: float | None = None) -> Accept:
    """Near `value`: within a fraction of it, or within a distance.

    >>> str(within(1330, relative=0.02)), within(1330, relative=0.02).holds(1350)
    ('1330 +- 2%', True)
    """
    if (relative is None) == (absolute is None):
        raise ValueError("`within` needs one of `relative` and `absolute`")
    if relative is not None:
        margin, text = relative * abs(value), f"{format_number(100 * relative)}%"
    else:
        margin, text = absolute, format_number(absolute)
    if not margin >= 0:
        raise ValueError(f"the tolerance of `within` must not be negative; got {margin!r}")
    return Accept(value - margin, value + margin, f"{format_number(value)} +- {text}")


def at_most(value: float) -> Accept:
    """`value` or less."""
    return Accept(-math.inf, value, f"at most {format_number(value)}")


def at_least(value: float) -> Accept:
    """`value` or more."""
    return Accept(value, math.inf, f"at least {format_number(value)}")


def between(low: float, high: float) -> Accept:
    """From `low` to `high`, both included."""
    return Accept(low, high, f"{format_number(low)} to {format_number(high)}")


@dataclass(frozen=True)
class Claim:
    """One published number or comparison, and how it is measured on our run.

    Attributes
    ----------
    text : str
        What is claimed: ``"Offline, context A: steps until the error is below 0.1"``.
    source : str
        Where it is published: ``"Fig. 3; Sec. 5.1"``.
    published : float or str
        The published number, or a short text for a comparison.
    accept : Accept
        Made by `within`, `at_most`, `at_least` or `between`.
    measure : callable
        From the experiment's Dataset to one number.
    experiment : str
        Which of the circuit's experiments it is measured on.
    sizes : tuple of str
        The sizes of the experiment at which it is meant to hold. Default both.
    note : str
        What the reader must know: ``"50 seeds of the paper's 100"``, or why it is thought to fail.
    """

    text: str
    source: str
    published: float | str
    accept: Accept
    measure: Callable[[xr.Dataset], float]
    experiment: str
    sizes: tuple[str, ...] = SIZES
    note: str = ""

    def __post_init__(self) -> None:
        if not self.sizes or not set(self.sizes) <= set(SIZES):
            raise ValueError(f"`sizes` of {self.text!r} must be from {SIZES}; got {self.sizes!r}")
        if not isinstance(self.accept, Accept):
            raise TypeError(
                f"`accept` of {self.text!r} must be made by within, at_most, at_least or between; "
                f"got {self.accept!r}"
            )

    def check(self, ds: xr.Dataset) -> Outcome:
        """Measure on `ds`. A measure that raises is a failed claim that carries the message."""
        try:
            found = self.measure(ds)
            if np.ndim(found) > 0:
                raise TypeError(f"measured an array of shape {np.shape(found)}, not one number")
            measured = float(found)
        except Exception as error:
            return Outcome(self, math.nan, False, f"{type(error).__name__}: {error}")
        return Outcome(self, measured, self.accept.holds(measured))


@dataclass(frozen=True)
class Outcome:
    """A claim, what was measured, and whether that is accepted.

    Attributes
    ----------
    claim : Claim
    measured : float
        NaN if it could not be measured.
    passed : bool
    error : str or None
        Why it could not be measured.
    """

    claim: Claim
    measured: float
    passed: bool
    error: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain JSON types."""
        claim = self.claim
        return {
            "passed": self.passed,
            "claim": claim.text,
            "source": claim.source,
            "published": claim.published if isinstance(claim.published, str)
            else float(claim.published),
            "accepted": str(claim.accept),
            "measured": self.measured if math.isfinite(self.measured) else repr(self.measured),
            "experiment": claim.experiment,
            "note": claim.note,
            "error": self.error,
        }


def format_number(value: float | str) -> str:
    """A number for people: four digits, whole numbers whole. Text stays as it is.

    >>> [format_number(x) for x in (1330, 0.05, 12345.67, 1e-7, 1 / 3)]
    ['1330', '0.05', '12346', '1e-07', '0.3333']
    """
    if isinstance(value, str):
        return value
    value = float(value)
    if 1e3 <= abs(value) < 1e7:
        return f"{value:.0f}"
    return f"{value:.4g}"
