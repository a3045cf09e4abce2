"""What happens to old tasks while a new one is learned: the stability gap.

Performance on old tasks can fall right after a switch and come back before the new task is learned,
so that evaluations at the ends of tasks do not see it (De Lange, van de Ven and Tuytelaars 2023).
These measures take evaluations at every few updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count, checked_number
from neurodyn.analyses.learning.forgetting import _no_infinity

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class StabilityGap:
    """Worst cases of old tasks while T tasks are learned one after the other.

    Rows k are sessions, in each of which the task k is learned; NaN stands where a session has no
    old tasks.

    Attributes
    ----------
    min_performance : array, (task,)
        min-ACC: mean over the tasks before k of the lowest performance since each was learned, up
        to the end of session k.
    worst_case : array, (task,)
        WC-ACC at the end of session k, ``A_k/k + (1 - 1/k) min-ACC`` with k from 1: that of the new
        task, and the lowest of the old ones.
    depth : array, (session, task)
        How far each old task falls within the session, from its value at the end of the one before;
        0 if it does not fall.
    recovery : array, (session, task), evaluations
        From the switch until the task is back, after its lowest value; 0 where it never fell by
        more than `tolerance`, NaN where it does not come back within the session.
    mean_gap : array, (task,)
        Mean over the evaluations of a session and the old tasks of what they lack to the end of the
        session before (surpluses count as 0).
    windowed_forgetting, windowed_plasticity : dict of int to float
        WF and WP by the width of the window, in evaluations: the largest fall, or rise, between two
        evaluations of one window; mean over tasks.
    early_performance : float
        LCA: mean over tasks of the first `early` evaluations of each while it is learned.
    tolerance : float
    early : int
    """

    min_performance: np.ndarray
    worst_case: np.ndarray
    depth: np.ndarray
    recovery: np.ndarray
    mean_gap: np.ndarray
    windowed_forgetting: dict[int, float]
    windowed_plasticity: dict[int, float]
    early_performance: float
    tolerance: float
    early: int


def stability_gap(
    A: xr.DataArray | ArrayLike,
    task_ends: Sequence[int],
    *,
    windows: Sequence[int] = (10, 100),
    tolerance: float = 0.01,
    early: int = 10,
) -> StabilityGap:
    """Worst-case performance and stability gaps from continual evaluation.

    Parameters
    ----------
    A : DataArray or array, (evaluation, task)
        ``A[n, i]``, performance on task i at evaluation n; all tasks at each evaluation. Before the
        session in which a task is learned it may be NaN.
    task_ends : sequence of int, (task,)
        Number of the last evaluation of each session: that of task k has the evaluations
        ``task_ends[k-1] + 1`` to ``task_ends[k]``.
    windows : sequence of int
        Widths of the windows, in evaluations. Default 10 and 100.
    tolerance : float
        How near to its old value a task has to come to be back. Default 0.01.
    early : int
        Evaluations at the beginning of each session for `early_performance`. Default 10.

    Returns
    -------
    StabilityGap

    Notes
    -----
    min-ACC, WC-ACC, WF and WP of De Lange et al. (2023); the mean gap as used for Harun and Kanan
    (2024). Depth and recovery time are ours. Numbers depend on how often is evaluated: rarer
    evaluation can only raise the minima.

    Examples
    --------
    One old task falls from 0.9 to 0.3 at the switch and comes back within three evaluations:

    >>> A = [[0.9, 0.1], [0.3, 0.5], [0.7, 0.8], [0.9, 0.8]]
    >>> gap = stability_gap(A, task_ends=[0, 3])
    >>> float(gap.min_performance[1]), float(gap.depth[1, 0].round(6)), int(gap.recovery[1, 0])
    (0.3, 0.6, 3)
    """
    A, ends = _checked(A, task_ends)
    tolerance = checked_number(tolerance, "tolerance", 0.0)
    checked_count(early, "early")
    n_tasks = ends.size
    minimum, worst, mean_gap = np.full((3, n_tasks), np.nan)
    depth, recovery = np.full((2, n_tasks, n_tasks), np.nan)
    worst[0] = A[ends[0], 0]
    for k in range(1, n_tasks):
        lowest = [A[ends[i] + 1 : ends[k] + 1, i].min() for i in range(k)]
        minimum[k] = np.mean(lowest)
        worst[k] = (A[ends[k], k] + k * minimum[k]) / (k + 1)
        session = A[ends[k - 1] + 1 : ends[k] + 1, :k]
        before = A[ends[k - 1], :k]
        depth[k, :k] = np.maximum(0.0, before - session.min(axis=0))
        mean_gap[k] = np.maximum(0.0, before - session).mean()
        recovery[k, :k] = [_recovery(session[:, i], before[i] - tolerance) for i in range(k)]
    changes = {int(w): _windowed(A, w) for w in windows}
    starts = np.concatenate([[0], ends[:-1] + 1])
    first = [A[start : min(start + early, end + 1), i].mean()
             for i, (start, end) in enumerate(zip(starts, ends))]
    return StabilityGap(
        minimum, worst, depth, recovery, mean_gap,
        {w: fall for w, (fall, _) in changes.items()},
        {w: rise for w, (_, rise) in changes.items()},
        float(np.mean(first)), tolerance, early,
    )


def _checked(A: Any, task_ends: Any) -> tuple[np.ndarray, np.ndarray]:
    A = _no_infinity(getattr(A, "values", A), "A")
    if A.ndim != 2 or A.size == 0:
        raise ValueError(f"`A` must be (evaluation, task); got shape {A.shape}")
    ends = np.asarray(task_ends)
    if ends.ndim != 1 or ends.dtype.kind not in "iu" or ends.size != A.shape[1]:
        raise ValueError(
            f"`task_ends` must be one evaluation a task, {A.shape[1]} integers; got {task_ends!r}"
        )
    if ends[0] < 0 or ends[-1] >= len(A) or (np.diff(ends) < 1).any():
        raise ValueError(
            f"`task_ends` must increase, from 0 to below the {len(A)} evaluations; got "
            f"{ends.tolist()}"
        )
    starts = np.concatenate([[0], ends[:-1] + 1])
    for i, start in enumerate(starts):
        bad = np.flatnonzero(np.isnan(A[start:, i]))
        if bad.size:
            raise ValueError(
                f"`A` is NaN at [evaluation, task] = [{start + bad[0]}, {i}]: from the session "
                f"that learns it, at evaluation {start}, a task has to be evaluated every time"
            )
    return A, ends.astype(int)


def _recovery(values: np.ndarray, level: float) -> float:
    """Evaluations until `values` are back at `level` behind their minimum."""
    low = int(values.argmin())
    if values[low] >= level:
        return 0.0
    back = np.flatnonzero(values[low:] >= level)
    return float(low + back[0] + 1) if back.size else float("nan")


def _windowed(A: np.ndarray, window: Any) -> tuple[float, float]:
    """Largest fall and rise within `window` consecutive evaluations, mean over tasks."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    width = min(checked_count(window, "windows"), len(A))
    # the window that ends at each evaluation; NaN, before a task is evaluated, never counts
    where = {"axis": 0, "origin": (width - 1) // 2, "mode": "constant"}
    highest = maximum_filter1d(np.where(np.isnan(A), -np.inf, A), width, cval=-np.inf, **where)
    lowest = minimum_filter1d(np.where(np.isnan(A), np.inf, A), width, cval=np.inf, **where)
    known = ~np.isnan(A)
    fall = np.where(known, highest - A, 0.0).max(axis=0)
    rise = np.where(known, A - lowest, 0.0).max(axis=0)
    return float(fall.mean()), float(rise.mean())
