"""What follows from a set of Lyapunov exponents: dimension and entropy."""

from __future__ import annotations

import numpy as np


def kaplan_yorke_dimension(exponents) -> float:
    """Kaplan-Yorke (Lyapunov) dimension of an attractor.

    With j the largest number of leading exponents whose sum is not negative, ``j + sum / |next|``
    (Kaplan and Yorke 1979).

    Parameters
    ----------
    exponents : array_like, (k,)
        Lyapunov exponents, in any order; the k leading ones are enough if their sum is negative.

    Returns
    -------
    float
        0 if the largest exponent is negative; NaN if all partial sums are positive, because then
        more exponents are needed to know.

    Examples
    --------
    >>> round(kaplan_yorke_dimension([0.9056, 0.0, -14.5723]), 3)
    2.062
    """
    ordered = np.sort(_checked(exponents))[::-1]
    sums = np.cumsum(ordered)
    if sums[0] < 0:
        return 0.0
    j = int(np.flatnonzero(sums >= 0)[-1]) + 1
    if j == ordered.size:
        return float("nan")
    return float(j + sums[j - 1] / abs(ordered[j]))


def entropy_rate(exponents) -> float:
    """Sum of the positive exponents, per unit of time: the entropy rate by Pesin's identity.

    Parameters
    ----------
    exponents : array_like, (k,)
        Lyapunov exponents; all positive ones must be among them.

    Returns
    -------
    float
        In nats per unit of time; NaN if no exponent is negative or 0, because more may be positive.
    """
    values = _checked(exponents)
    return float("nan") if values.min() > 0 else float(values[values > 0].sum())


def _checked(exponents) -> np.ndarray:
    values = np.asarray(exponents, float)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"`exponents` must be (k,) numbers; got shape {values.shape}")
    if np.isnan(values).any():
        raise ValueError("`exponents` has NaN")
    return values
