"""Figures of what happens to old tasks while new ones are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def stability_gap(
    A: Any,
    task_ends: Sequence[int],
    ax: Axes | None = None,
    *,
    labels: Sequence[str] | None = None,
    **line: Any,
) -> Axes:
    """Performance on each task at every evaluation, with the gap after each switch.

    Parameters
    ----------
    A : DataArray or array, (evaluation, task)
        As for `analyses.stability_gap`.
    task_ends : sequence of int, (task,)
        Number of the last evaluation of each session.
    ax : Axes, optional
    labels : sequence of str, optional
        Names of the tasks.
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
        Vertical lines are the switches between tasks. A dot is the lowest performance on an old
        task in a session, where it falls; the line to it is the `depth` of the gap, from what the
        task had at the end of the session before.
    """
    values, ends = np.asarray(getattr(A, "values", A), float), np.asarray(task_ends)
    if values.ndim != 2 or ends.shape != values.shape[1:]:
        raise ValueError(
            "`A` must be (evaluation, task) and `task_ends` one evaluation a task; got shapes "
            f"{values.shape} and {ends.shape}"
        )
    if ends[0] < 0 or ends[-1] >= len(values) or (np.diff(ends) < 1).any():
        raise ValueError(f"`task_ends` must increase, below {len(values)}; got {ends.tolist()}")
    n_tasks = values.shape[1]
    names = [f"task {k + 1}" for k in range(n_tasks)] if labels is None else list(labels)
    if len(names) != n_tasks:
        raise ValueError(f"`labels` must be {n_tasks}, one a task; got {len(names)}")
    ax = new_axes(ax)
    for end in ends[:-1]:
        ax.axvline(end + 0.5, color="0.8", linewidth=1, zorder=0)
    many = len(values) > 60
    for i, name in enumerate(names):
        style = {"label": name, "linewidth": 1.2, **({} if many else {"marker": ".", "ms": 4})}
        (drawn,) = ax.plot(values[:, i], **(style | line))
        for k in range(i + 1, n_tasks):
            start = ends[k - 1]
            low = start + 1 + int(np.argmin(values[start + 1 : ends[k] + 1, i]))
            before, colour = values[start, i], drawn.get_color()
            if not values[low, i] < before:
                continue
            ax.plot([low, low], [values[low, i], before], color=colour, linewidth=0.8, ls=":")
            ax.plot([low], [values[low, i]], "o", color=colour, markersize=5)
    ax.set(xlabel="evaluation", ylabel="performance", xlim=(0, len(values) - 1))
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


__all__ = ["stability_gap"]
