"""Autocorrelations, memory, dimensions, similarities of representations, forgetting.

They draw the results of `neurodyn.analyses`, or arrays where that is all there is to draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

#: Numbers are written into the cells of a matrix up to so many rows.
MAX_ROWS_WITH_NUMBERS = 12


def autocorrelation(
    curve: Any, fits: Any = (), unit: int | None = None, ax: Axes | None = None, **line: Any
) -> Axes:
    """An autocorrelation with the models fitted to it.

    Parameters
    ----------
    curve : Autocorrelation or TimescaleFit
        From `analyses.autocorrelation`: the average over units, and between which values 80 % of
        the units lie; or a fit, which is drawn with what it was fitted to.
    fits : TimescaleFit or sequence of them
        Drawn over the lags that they were fitted to, dashed beyond.
    unit : int, optional
        One unit of the curve. Default the average.
    ax : Axes, optional
    **line
        Passed to ``Axes.plot`` for the curve.

    Returns
    -------
    Axes
    """
    fits = [fits] if hasattr(fits, "predict") else list(fits)
    if hasattr(curve, "predict"):
        fits, lag, y = [curve, *fits], curve.lag, curve.value
    elif hasattr(curve, "per_trial"):
        lag = curve.lag
        y = curve.average() if unit is None else curve.value[unit]
    else:
        raise TypeError(
            "`curve` must be what analyses.autocorrelation or autocorrelation_timescale returns; "
            f"got {type(curve).__name__}"
        )
    scale, name = _time_scale(lag[-1])
    ax = new_axes(ax)
    style = {"color": "0.25", "marker": "o", "markersize": 3, "linestyle": "none", "label": "data"}
    if unit is None and getattr(curve, "n_units", 1) > 1:
        low, high = np.quantile(curve.value, [0.1, 0.9], axis=0)
        ax.fill_between(scale * lag, low, high, color="0.85", linewidth=0, label="80 % of units")
        style["label"] = f"mean of {curve.n_units} units"
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    ax.plot(scale * lag, y, **(style | line))
    for k, fit in enumerate(fits):
        inside = np.linspace(fit.lag[0], fit.lag[-1], 300)
        drawn = ax.plot(scale * inside, fit.predict(inside), color=f"C{k}", linewidth=1.6,
                        label=_fit_label(fit, scale, name))
        if lag[-1] > fit.lag[-1]:
            outside = np.linspace(fit.lag[-1], lag[-1], 200)
            ax.plot(scale * outside, fit.predict(outside), color=drawn[0].get_color(),
                    linewidth=1.0, linestyle="--")
    ax.set(xlabel=f"lag ({name})", ylabel="autocorrelation", xlim=(0, scale * lag[-1]))
    ax.legend(frameon=False, fontsize="small")
    return ax


def memory_function(
    found: Any, exact: ArrayLike | None = None, ax: Axes | None = None, **line: Any
) -> Axes:
    """How much of the input is remembered, against the delay.

    Parameters
    ----------
    found : MemoryCapacity or array, (delay,)
        From `analyses.memory_capacity`, or a memory function from delay 0.
    exact : array_like, (delay,), optional
        For example of `analyses.linear_memory_function`; drawn as a line.
    ax : Axes, optional
    **line
        Passed to ``Axes.plot`` for `found`.

    Returns
    -------
    Axes
        The legend says the capacity, the sum over the delays.
    """
    memory = np.asarray(getattr(found, "memory", found), float)
    if memory.ndim != 1:
        raise ValueError(f"`found` must be (delay,); got shape {memory.shape}")
    delay = getattr(found, "delay", np.arange(memory.size))
    ax = new_axes(ax)
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    units = f" of {found.n_units} units" if hasattr(found, "n_units") else ""
    style = {"color": "C0", "marker": "o", "markersize": 3.5, "linewidth": 1.0,
             "label": f"capacity {memory.sum():.3g}{units}"}
    if exact is not None:
        exact = np.asarray(exact, float)
        ax.plot(np.arange(exact.size), exact, color="0.3", linewidth=1.6,
                label=f"exact, {exact.sum():.3g}")
        style["linestyle"] = "none"
    ax.plot(delay, memory, **(style | line))
    ax.set(xlabel="delay (steps)", ylabel="memory (R$^2$)", ylim=(min(-0.05, memory.min()), 1.05))
    ax.legend(frameon=False, fontsize="small")
    return ax


def cumulative_variance(
    found: Any, share: float = 0.9, ax: Axes | None = None, **line: Any
) -> Axes:
    """Share of the variance that the leading components explain, with the participation ratio.

    Parameters
    ----------
    found : Dimensionality or array, (component,)
        From `analyses.dimensionality`, or variances, in any order.
    share : float
        Marked where it is reached. Default 0.9.
    ax : Axes, optional
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
    """
    variance = np.sort(np.asarray(getattr(found, "variance", found), float))[::-1]
    if variance.ndim != 1 or variance.sum() <= 0:
        raise ValueError(f"`found` must be variances, (component,); got shape {variance.shape}")
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be above 0, at most 1; got {share!r}")
    cumulative = np.cumsum(variance) / variance.sum()
    reached = int(np.argmax(cumulative >= share - 1e-12)) + 1
    ratio = getattr(found, "participation_ratio", variance.sum() ** 2 / (variance**2).sum())
    ax = new_axes(ax)
    component = np.arange(variance.size + 1)
    style = {"color": "C0", "marker": "o", "markersize": 3, "linewidth": 1.2}
    ax.plot(component, np.concatenate([[0.0], cumulative]), **(style | line))
    ax.plot([0, reached, reached], [share, share, 0], color="0.5", linewidth=1, linestyle=":",
            label=f"{100 * share:.3g} %: {reached} component{'s' if reached > 1 else ''}")
    if np.isfinite(ratio):
        ax.axvline(ratio, color="C1", linewidth=1.4, label=f"participation ratio {ratio:.3g}")
    ax.set(xlabel="principal components", ylabel="cumulative share of variance", ylim=(0, 1.03),
           xlim=(0, max(variance.size, ratio if np.isfinite(ratio) else 0)))
    _count_ticks(ax.xaxis)
    ax.legend(frameon=False, fontsize="small", loc="lower right")
    return ax


def similarity(
    matrix: ArrayLike,
    labels: Sequence[str] | None = None,
    label: str = "similarity",
    ax: Axes | None = None,
    **image: Any,
) -> Axes:
    """A matrix of similarities or dissimilarities in colour: CKA of layers, or samples' distances.

    Parameters
    ----------
    matrix : array_like, (row, column)
    labels : sequence of str, optional
        Of rows and columns alike, or one pair of them, ``(rows, columns)``.
    label : str
        Of the colour bar, for example ``"CKA"`` or ``"1 - correlation"``.
    ax : Axes, optional
    **image
        Passed to ``Axes.imshow``. Give ``vmin`` and ``vmax`` to compare figures.

    Returns
    -------
    Axes
        Small matrices have their numbers written in.
    """
    values = np.asarray(getattr(matrix, "values", matrix), float)
    if values.ndim != 2:
        raise ValueError(f"`matrix` must be (row, column); got shape {values.shape}")
    rows, columns = _row_and_column_labels(labels, values.shape)
    ax = new_axes(ax)
    drawn = ax.imshow(values, **({"cmap": "viridis"} | image))
    ax.figure.colorbar(drawn, ax=ax, label=label)
    _write_numbers(ax, drawn, values)
    if rows is not None:
        ax.set_yticks(range(len(rows)), rows)
        # long names of columns would run into each other
        turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        ax.set_xticks(range(len(columns)), columns,
                      **(turn if sum(map(len, columns)) > 24 else {}))
    else:
        _count_ticks(ax.xaxis, ax.yaxis)
    return ax


def alignments(regimes: Any, ax: Axes | None = None, **bars: Any) -> Axes:
    """How little representations and tangent kernels have changed, as bars from 0 to 1.

    Parameters
    ----------
    regimes : LearningRegime or mapping of str to LearningRegime
        From `analyses.learning_regime`; a group of bars for each measure that all have.
    ax : Axes, optional
    **bars
        Passed to ``Axes.bar``.

    Returns
    -------
    Axes
        1 is no change, lazy; the legend says the relative change of the weights.
    """
    groups = dict(regimes) if isinstance(regimes, Mapping) else {"": regimes}
    if not groups or not all(hasattr(one, "kernel_alignment") for one in groups.values()):
        raise TypeError("`regimes` must be what analyses.learning_regime returns, or a dict of it")
    names = {"representation_alignment": "representation\nalignment",
             "kernel_alignment": "kernel\nalignment", "sign_similarity": "sign\nsimilarity"}
    shown = [name for name in names
             if all(getattr(one, name) is not None for one in groups.values())]
    if not shown:
        raise ValueError(
            "`regimes` have no alignment to draw: give learning_regime the `representations` or "
            "`kernels` before and after"
        )
    ax = new_axes(ax)
    width = 0.8 / len(groups)
    for k, (name, one) in enumerate(groups.items()):
        heights = [getattr(one, measure) for measure in shown]
        label = f"{name}: " if name else ""
        x = np.arange(len(shown)) + width * (k - (len(groups) - 1) / 2)
        style = {"label": f"{label}weights changed by {100 * one.relative_weight_change:.3g} %"}
        drawn = ax.bar(x, heights, width, **(style | bars))
        ax.bar_label(drawn, [f"{height:.2f}" for height in heights], fontsize="small")
    ax.axhline(1, color="0.8", linewidth=0.8, zorder=0)
    ax.set_xticks(range(len(shown)), [names[name] for name in shown])
    ax.set(ylabel="similarity of before and after", ylim=(0, 1.12))
    ax.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0),
              borderaxespad=0.2)
    return ax


def forgetting(
    found: Any, what: str = "performance", labels: Sequence[str] | None = None,
    ax: Axes | None = None, **image: Any,
) -> Axes:
    """Performance on each task after each, or how much of it was forgotten.

    Parameters
    ----------
    found : ForgettingMetrics
        From `analyses.forgetting_metrics`, of one sequence; of several seeds the mean is drawn.
    what : str
        ``"performance"`` (default) or ``"forgetting"``.
    labels : sequence of str, optional
        Names of the tasks.
    ax : Axes, optional
    **image
        Passed to ``Axes.imshow``.

    Returns
    -------
    Axes
        The title says the average performance at the end (ACC) and the backward transfer (BWT);
        squares mark each task when it has just been learned.
    """
    if what not in ("performance", "forgetting"):
        raise ValueError(f"`what` must be 'performance' or 'forgetting'; got {what!r}")
    if not hasattr(found, "backward_transfer"):
        raise TypeError(
            "`found` must be what analyses.forgetting_metrics returns; got "
            f"{type(found).__name__}"
        )
    n = found.n_tasks
    values = np.asarray(getattr(found, what)).reshape(-1, n, n).mean(axis=0)
    colours: dict[str, Any] = {"cmap": "viridis", "vmin": 0.0, "vmax": 1.0}
    if what == "forgetting":
        limit = max(np.abs(values[np.isfinite(values)]).max(initial=0.0), 1e-3)
        colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    elif np.nanmax(values) > 1 or np.nanmin(values) < 0:  # another measure than an accuracy
        colours = {"cmap": "viridis"}
    names, _ = _row_and_column_labels(labels, values.shape)
    names = [str(k + 1) for k in range(n)] if names is None else names
    ax = new_axes(ax)
    ax.set_facecolor("0.88")  # where there is no value; white is one
    drawn = ax.imshow(values, **(colours | image))
    ax.figure.colorbar(drawn, ax=ax, label=what)
    _write_numbers(ax, drawn, values)
    if what == "performance" and n <= MAX_ROWS_WITH_NUMBERS:
        from matplotlib.patches import Rectangle

        for k in range(n):
            ax.add_patch(Rectangle((k - 0.5, k - 0.5), 1, 1, fill=False, edgecolor="w", lw=2))
    ax.set_xticks(range(n), names)
    ax.set_yticks(range(n), names)
    average, back = np.mean(found.average_performance), np.mean(found.backward_transfer)
    ax.set(xlabel="evaluated on task", ylabel="after learning task",
           title=f"ACC {average:.3f}, BWT {back:+.3f}")
    return ax


def _time_scale(longest: float) -> tuple[float, str]:
    return (1e3, "ms") if longest < 1 else (1.0, "s")


def _fit_label(fit: Any, scale: float, name: str) -> str:
    error = f" ± {scale * fit.standard_error:.2g}" if np.isfinite(fit.standard_error) else ""
    value = f"{scale * fit.timescale:.3g}{error} {name}"
    value += " (without lag 0)" if fit.lag[0] > 0 else ""
    if np.isfinite(fit.frequency):
        value += f", {fit.frequency:.3g} Hz"
    return f"{fit.model}: {value}" + ("" if fit.converged else " (not converged)")


def _row_and_column_labels(labels: Any, shape: tuple[int, int]):
    if labels is None:
        return None, None
    labels = list(labels)
    pair = (labels, labels)
    if len(labels) == 2 and all(isinstance(part, list | tuple) for part in labels):
        pair = (list(labels[0]), list(labels[1]))
    if (len(pair[0]), len(pair[1])) != tuple(shape):
        raise ValueError(
            f"`labels` must be one a row and column, {shape}; got {len(pair[0])} and "
            f"{len(pair[1])}"
        )
    return tuple([str(name) for name in part] for part in pair)


def _count_ticks(*axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    for axis in axes:
        axis.set_major_locator(MaxNLocator(integer=True))


def _write_numbers(ax: Axes, drawn: Any, values: np.ndarray) -> None:
    """Two digits in each cell of a small matrix, dark on light and light on dark."""
    if max(values.shape) > MAX_ROWS_WITH_NUMBERS:
        return
    size = min(10.0, 90.0 / max(values.shape))
    for (row, column), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        red, green, blue, _ = drawn.cmap(drawn.norm(value))
        light = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=size,
                color="k" if light else "w")
