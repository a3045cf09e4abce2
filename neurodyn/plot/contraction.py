"""Contraction: distances of trajectories beside their bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Curves that still get a label each.
_MAX_LABELS = 8


def contraction_distance(
    time: Any,
    distance: Any,
    ax: Axes | None = None,
    *,
    rate: float | None = None,
    labels: Any = None,
    **lines: Any,
) -> Axes:
    """Distances of pairs of trajectories over time, relative to the first, on a logarithmic scale.

    Parameters
    ----------
    time : array_like, (time,), s
    distance : array_like, (time,) or (pair, time)
        In the metric; what has come to 0 ends the curve.
    ax : Axes, optional
    rate : float, optional
        1/s: the bound ``exp(-rate t)`` is drawn dashed, above which no distance may be.
    labels : str or sequence of str, optional
        Of the curves; up to 8 get a legend.
    **lines
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the first distance of a pair is not positive, or shapes do not fit.
    """
    time, distance = np.asarray(time, float), np.asarray(distance, float)
    shape, distance = distance.shape, np.atleast_2d(distance)
    if distance.ndim != 2 or time.shape != distance.shape[1:]:
        raise ValueError(
            f"`distance` must be (time,) or (pair, time) for {time.size} times; got shape {shape}"
        )
    if not (distance[:, 0] > 0).all():
        raise ValueError("`distance` must be positive at the first time: the curves begin at 1")
    ax = new_axes(ax)
    relative = distance / distance[:, :1]
    named = [labels] if isinstance(labels, str) else labels
    for k, curve in enumerate(np.where(relative > 0, relative, np.nan)):
        name = None if named is None or len(relative) > _MAX_LABELS else named[k]
        ax.plot(time, curve, label=name, **lines)
    if rate is not None:
        ax.plot(time, np.exp(-rate * (time - time[0])), "--", color="0.4", linewidth=1,
                label="bound")  # fmt: skip
    ax.set(xlabel="time (s)", ylabel="distance / initial distance", yscale="log",
           xlim=(time[0], time[-1]))  # fmt: skip
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False)
    return ax
