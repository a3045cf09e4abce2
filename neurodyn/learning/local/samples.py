"""Checks of what rules learn from, and of their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data


def samples(rule: Any, X: Any, *, first: bool) -> np.ndarray:
    """`X` as contiguous doubles (sample, feature), checked as scikit-learn checks it.

    The first samples of a rule say how many features there are; later ones must have as many.
    """
    return validate_data(rule, X, reset=first, dtype=np.float64, order="C")


def samples_and_targets(rule: Any, X: Any, y: Any, *, first: bool) -> tuple[np.ndarray, np.ndarray]:
    """`X` and `y`, (sample, output), of as many samples; a `y` of one axis is one output.

    Sets `n_outputs_` and `_is_flat`, whether `y` had one axis, of the first samples.
    """
    X, y = validate_data(
        rule, X, y, reset=first, dtype=np.float64, order="C", multi_output=True, y_numeric=True
    )
    is_flat = y.ndim == 1
    y = np.ascontiguousarray(y.reshape(len(X), -1), dtype=np.float64)
    if first:
        rule._is_flat, rule.n_outputs_ = is_flat, y.shape[1]
    elif y.shape[1] != rule.n_outputs_:
        raise ValueError(
            f"`y` must have {rule.n_outputs_} outputs, as in the first fit; got {y.shape[1]}"
        )
    return X, y


def fitted_samples(rule: Any, X: Any, attribute: str) -> np.ndarray:
    """`X` for a rule that has learned `attribute`."""
    check_is_fitted(rule, attribute)
    return samples(rule, X, first=False)


def checked_positive(value: Any, name: str, *, zero: bool = False) -> float:
    """`value` as a positive number, or with `zero` one that is not negative."""
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if is_number and not isinstance(value, bool) and np.isfinite(value):
        if value > 0 or (zero and value == 0):
            return float(value)
    wanted = "number of at least 0" if zero else "positive number"
    raise ValueError(f"`{name}` must be a {wanted}; got {value!r}")


def checked_share(value: Any, name: str) -> float:
    """`value` as a number in (0, 1]."""
    number = checked_positive(value, name)
    if number > 1:
        raise ValueError(f"`{name}` must be in (0, 1]; got {value!r}")
    return number
