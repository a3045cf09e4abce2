"""One trial of a task: what is shown, what is asked for, and when it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.plot.labels import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Signals of more units than this are drawn as images.
MAX_LINES_OF_A_TRIAL = 4

#: Height of a band, of which signals fill this share.
_FILLED = 0.8


def trial(batch: Any, k: int = 0, output: Any = None, ax: Axes | None = None) -> Axes:
    """The inputs and targets of one trial, one band each.

    Parameters
    ----------
    batch : TrialBatch
    k : int
        The trial. Default 0.
    output : dict of str to array, (time, unit) or (trial, time, unit), optional
        What a network did, by the names of targets; drawn dashed over targets that are numbers, as
        the most active unit over those that are classes.
    ax : Axes, optional

    Returns
    -------
    Axes
        Inputs above, targets below, white where they count and grey where they do not. Bands say
        the range of their values.
    """
    k = checked_count(k, "k", 0)
    if k >= batch.n_trials:
        raise ValueError(f"`k` = {k}, but the batch has {batch.n_trials} trials, from 0")
    ax = new_axes(ax)
    scale, unit = _time_scale(batch)
    edges = scale * batch.dt * np.arange(batch.n_steps + 1)
    bands = [(name, values[k], False) for name, values in batch.inputs.items()]
    bands += [(name, np.asarray(values)[k], True) for name, values in batch.targets.items()]
    for row, (name, values, is_target) in enumerate(bands):
        bottom = len(bands) - 1 - row + (1 - _FILLED) / 2
        counts = _counts(batch, name, k) if is_target else None
        drawn = None if not is_target or output is None else output.get(name)
        _band(ax, edges, name, values, bottom, counts, _of_trial(drawn, k, name, batch.n_steps))
    n_targets = len(batch.targets)
    if n_targets and batch.inputs:
        ax.axhline(n_targets, color="0.3", linewidth=0.8)
    rows = len(bands) - 0.5 - np.arange(len(bands))
    ax.set_yticks(rows, [_label(name, values) for name, values, _ in bands])
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel=f"time ({unit})", xlim=(edges[0], edges[-1]), ylim=(0, len(bands)))
    return ax


def _band(ax, edges, name, values, bottom, counts, output) -> None:
    is_class = values.ndim == 1
    values = values[:, None] if is_class else values
    if counts is not None:
        _shade(ax, edges, ~counts, bottom)
    low, high = float(values.min()), float(values.max())
    if not is_class and values.shape[1] > MAX_LINES_OF_A_TRIAL:
        limit = max(abs(low), abs(high)) or 1.0
        colours = {"cmap": "Greys", "vmin": 0, "vmax": limit} if low >= 0 else {
            "cmap": "RdBu_r", "vmin": -limit, "vmax": limit}  # fmt: skip
        rows = bottom + _FILLED * np.linspace(1, 0, values.shape[1] + 1)
        ax.pcolormesh(edges, rows, values.T, rasterized=True, **colours)
        return
    if output is not None:
        output = output.argmax(axis=1)[:, None] if is_class else output
        low, high = min(low, float(output.min())), max(high, float(output.max()))
    if low == high:  # a constant runs along the middle
        low, high = low - 1, high + 1
    span = high - low
    for unit, line in enumerate(values.T):
        height = bottom + _FILLED * (0.05 + 0.9 * (line - low) / span)
        colour = "0.15" if is_class else f"C{unit}"
        _steps(ax, edges, height, color=colour, linewidth=1.2)
        if output is not None:
            height = bottom + _FILLED * (0.05 + 0.9 * (output[:, unit] - low) / span)
            _steps(ax, edges, height, color="C3" if is_class else colour, linewidth=1.0,
                   linestyle="--")  # fmt: skip


def _steps(ax, edges, height, **style) -> None:
    ax.stairs(height, edges, baseline=None, **style)


def _shade(ax, edges, where: np.ndarray, bottom: float) -> None:
    """Grey over the steps `where` (time,)."""
    changes = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(int), [0]])))
    for start, stop in changes.reshape(-1, 2):
        ax.fill_between(edges[[start, stop]], bottom - 0.04, bottom + _FILLED + 0.04,
                        color="0.92", linewidth=0, zorder=0)  # fmt: skip


def _counts(batch: Any, name: str, k: int) -> np.ndarray:
    """Whether each step (time,) counts in the loss."""
    mask = batch.mask.get(name)
    if mask is None:
        return np.ones(batch.n_steps, bool)
    mask = np.asarray(mask)
    mask = mask if mask.ndim == 1 else mask[k]
    return mask > 0 if mask.ndim == 1 else (mask > 0).any(axis=1)


def _of_trial(output: Any, k: int, name: str, n_steps: int) -> np.ndarray | None:
    if output is None:
        return None
    output = np.asarray(output)
    output = output[k] if output.ndim == 3 else output
    if output.ndim != 2 or len(output) != n_steps:
        raise ValueError(
            f"`output[{name!r}]` must be (time, unit) or (trial, time, unit) with {n_steps} steps, "
            f"as the batch has; got shape {output.shape}. nd.learning.run_trials(network, batch) "
            "samples as targets are"
        )
    return output


def _label(name: str, values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    limits = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
    what = "class " if values.ndim == 1 else ""
    n_units = 1 if values.ndim == 1 else values.shape[1]
    count = f", {n_units} units" if n_units > MAX_LINES_OF_A_TRIAL else ""
    return f"{name}\n{what}{limits}{count}".replace("-", "\N{MINUS SIGN}")


def _time_scale(batch: Any) -> tuple[float, str]:
    return (1e3, "ms") if batch.duration < 2 else (1.0, "s")
