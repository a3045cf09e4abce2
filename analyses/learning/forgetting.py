"""What is forgotten when tasks are learned one after the other.

R[t, i] is the performance on task i after learning task t, an accuracy or any other measure that
grows with performance. All follows from it: how well, how much was forgotten, how much earlier
tasks helped later ones. What happens while a task is learned is in `continual_evaluation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

#: Dimensions of a DataArray of performances.
DIMENSIONS = ("after_task", "eval_task")


@dataclass(frozen=True, eq=False)
class ForgettingMetrics:
    """Performance and forgetting over a sequence of T tasks.

    Leading dimensions, seeds for example, are those of R; NaN stands where R has not what it takes.

    Attributes
    ----------
    performance : array, (..., task, task)
        R: after learning the task of the row, on the task of the column.
    average_performance : array, (...,)
        ACC: mean over all tasks at the end.
    average_after : array, (..., task)
        Mean over the tasks seen so far, after each; its mean is the average incremental accuracy.
    backward_transfer : array, (...,)
        BWT: mean over tasks but the last of ``R[T-1, i] - R[i, i]``; negative is forgetting.
    forward_transfer : array, (...,)
        FWT: mean over tasks but the first of ``R[i-1, i] - baseline[i]``; NaN without `baseline`.
    forgetting : array, (..., task, task)
        ``F[k, j] = max over l < k of R[l, j] - R[k, j]`` for j < k; NaN elsewhere. Negative where a
        task is done better than ever before.
    average_forgetting : array, (..., task)
        Mean of each row of `forgetting`; NaN for the first task.
    learning_performance : array, (...,)
        LA: mean of ``R[i, i]``.
    intransigence : array, (..., task)
        ``reference[k] - R[k, k]``: what was not learned; NaN without `reference`.
    n_tasks : int
    """

    performance: np.ndarray
    average_performance: np.ndarray
    average_after: np.ndarray
    backward_transfer: np.ndarray
    forward_transfer: np.ndarray
    forgetting: np.ndarray
    average_forgetting: np.ndarray
    learning_performance: np.ndarray
    intransigence: np.ndarray
    n_tasks: int


def forgetting_metrics(
    R: xr.DataArray | ArrayLike,
    *,
    baseline: ArrayLike | None = None,
    reference: ArrayLike | None = None,
) -> ForgettingMetrics:
    """Performance, transfer and forgetting from the performances after each task.

    Parameters
    ----------
    R : DataArray (..., after_task, eval_task) or array (..., task, task)
        ``R[t, i]``, on task i after learning task t. NaN where it was not measured: what needs it
        is NaN, but for the largest earlier performance, taken over what was measured.
    baseline : array_like, (..., task), optional
        Performance of the network before it learned anything.
    reference : array_like, (..., task), optional
        Performance of a network that learned each task together with all before it.

    Returns
    -------
    ForgettingMetrics

    Notes
    -----
    ACC, BWT and FWT of Lopez-Paz and Ranzato (2017), forgetting and intransigence of Chaudhry et
    al. (2018). ``ACC = LA + (T - 1)/T BWT`` exactly. If each task is at its best right after it was
    learned, the last average forgetting is ``-BWT``. For one task there is nothing to forget: NaN.

    Examples
    --------
    >>> found = forgetting_metrics([[0.9, 0.5, 0.5], [0.7, 0.8, 0.6], [0.5, 0.7, 0.9]])
    >>> round(float(found.average_performance), 2), round(float(found.backward_transfer), 2)
    (0.7, -0.25)
    """
    R = _performances(R)
    n = R.shape[-1]
    lead = R.shape[:-2]
    diagonal = np.diagonal(R, axis1=-2, axis2=-1)
    seen = np.tril(np.ones((n, n), bool))
    average_after = np.where(seen, R, 0.0).sum(axis=-1) / np.arange(1, n + 1)
    nothing = np.full(lead, np.nan)
    backward = (R[..., -1, :-1] - diagonal[..., :-1]).mean(axis=-1) if n > 1 else nothing
    forward, missing = nothing, np.full((*lead, n), np.nan)
    if baseline is not None:
        baseline = _per_task(baseline, "baseline", R)
        before = np.diagonal(R, offset=1, axis1=-2, axis2=-1)  # R[i-1, i]
        if n > 1:
            forward = (before - baseline[..., 1:]).mean(axis=-1)
    if reference is not None:
        missing = _per_task(reference, "reference", R) - diagonal
    matrix = _forgetting_matrix(R)
    n_earlier = np.arange(n)
    with np.errstate(invalid="ignore"):
        average = np.where(np.tril(seen, -1), matrix, 0.0).sum(axis=-1) / n_earlier
    return ForgettingMetrics(
        performance=R,
        average_performance=average_after[..., -1],
        average_after=average_after,
        backward_transfer=backward,
        forward_transfer=forward,
        forgetting=matrix,
        average_forgetting=average,
        learning_performance=diagonal.mean(axis=-1),
        intransigence=missing,
        n_tasks=n,
    )


def omega_all(performance: ArrayLike, offline: ArrayLike) -> float:
    """Mean performance relative to a learner that had all data so far at once.

    ``mean over evaluations of performance/offline`` (Hayes et al. 2018). On all classes seen it is
    Omega_all, on the first or the latest ones Omega_base or Omega_new.

    Parameters
    ----------
    performance, offline : array_like, (evaluation,)

    Returns
    -------
    float
        1 if the learner equals the offline one at every evaluation.

    Examples
    --------
    >>> omega_all([0.8, 0.9], [1.0, 0.9])
    0.9
    """
    alpha, best = _finite(performance, "performance"), _finite(offline, "offline")
    if alpha.ndim != 1 or alpha.size == 0 or alpha.shape != best.shape:
        raise ValueError(
            "`performance` and `offline` must both be (evaluation,); got shapes "
            f"{alpha.shape} and {best.shape}"
        )
    if (best <= 0).any():
        raise ValueError(f"`offline` must be positive; got {best.min():g}")
    return float((alpha / best).mean())


def _performances(R: Any) -> np.ndarray:
    """R as float64 (..., task, task), which may have NaN."""
    if hasattr(R, "data_vars"):
        raise TypeError("`R` is a whole Dataset; give one of its variables")
    if hasattr(R, "dims"):
        if not set(DIMENSIONS) <= set(R.dims):
            raise ValueError(f"`R` must have the dimensions {DIMENSIONS}; got {R.dims}")
        R = R.transpose(..., *DIMENSIONS).values
    R = _no_infinity(R, "R")
    if R.ndim < 2 or R.shape[-1] != R.shape[-2] or R.size == 0:
        raise ValueError(
            f"`R` must be (..., task, task), a row after each task; got shape {R.shape}"
        )
    if np.isnan(R).all():
        raise ValueError("`R` is NaN everywhere: nothing was measured")
    return R


def _no_infinity(value: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be real numbers; got {value!r:.60}") from None
    if np.isinf(array).any():
        raise ValueError(f"`{name}` must not be infinite; NaN stands for what was not measured")
    return array


def _finite(value: Any, name: str) -> np.ndarray:
    array = _no_infinity(getattr(value, "values", value), name)
    if np.isnan(array).any():
        raise ValueError(f"`{name}` has NaN")
    return array


def _per_task(value: Any, name: str, R: np.ndarray) -> np.ndarray:
    array = _no_infinity(getattr(value, "values", value), name)
    if array.ndim < 1 or array.shape[-1] != R.shape[-1]:
        raise ValueError(
            f"`{name}` must have one number a task, ({R.shape[-1]},); got shape {array.shape}"
        )
    return array


def _forgetting_matrix(R: np.ndarray) -> np.ndarray:
    """``max over l < k of R[l, j] - R[k, j]`` for j < k, NaN elsewhere."""
    n = R.shape[-1]
    best = np.maximum.accumulate(np.where(np.isnan(R), -np.inf, R), axis=-2)
    out = np.full(R.shape, np.nan)
    out[..., 1:, :] = best[..., :-1, :] - R[..., 1:, :]
    out[np.isinf(out)] = np.nan  # never measured before
    return np.where(np.tril(np.ones((n, n), bool), -1), out, np.nan)
