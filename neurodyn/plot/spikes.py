"""Rasters of spikes, and the rates of populations under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.plot.labels import new_axes
from neurodyn.recorded_spikes import populations_with_spikes, spike_trains
from neurodyn.spike_trains import SpikeTrains

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

#: Rows of a raster that are drawn unless it is told how many units; more do not fit on a page.
MAX_ROWS = 1000
#: Rows that a small population gets at least, if it has so many: room for its name.
MIN_ROWS = 60


def raster(
    data: xr.Dataset | SpikeTrains | Sequence[SpikeTrains],
    populations: str | Sequence[str] | None = None,
    t_start: float | None = None,
    t_stop: float | None = None,
    trial: int = 0,
    units: int | None = None,
    colors: Sequence[Any] | Mapping[str, Any] | None = None,
    ax: Axes | None = None,
    **marker: Any,
) -> Axes:
    """A mark for each spike: units in rows, the first population on top.

    Parameters
    ----------
    data : Dataset, SpikeTrains or several of them
        ``ds``, or ``[spike_trains(ds, "E"), spike_trains(ds, "I")]``.
    populations : str or sequence of str, optional
        Which populations of a Dataset. Default all whose spikes it holds.
    t_start, t_stop : float or quantity, s
        Default the whole run.
    trial : int
        Which trial. Default 0.
    units : int, optional
        How many of each population, evenly spread over it. Default all, up to about 1000 rows in
        all, which the populations share in proportion to their sizes, small ones with at least 60.
        The axis says how many of how many are drawn.
    colors : sequence or mapping by name, optional
        Of the populations. Default Matplotlib's cycle.
    ax : Axes, optional
    **marker
        Passed to ``Axes.plot``. Marks are drawn as an image in vector formats (``rasterized``).

    Returns
    -------
    Axes
    """
    groups = _groups(data, populations, t_start, t_stop, trial)
    colors = _colors(groups, colors)
    ax = new_axes(ax)
    first, ticks, labels = 0, [], []
    n_rows = _rows([trains.n_units for trains in groups], units)
    points = 72 * ax.get_position().height * ax.figure.get_figheight() / sum(n_rows)  # of a row
    # lines as high as a row while rows can be told apart, then dots
    style = {"marker": "|", "markersize": max(0.8 * points, 2.5), "markeredgewidth": 1.0}
    if points < 2:
        style = {"marker": "o", "markersize": 1.3, "markeredgewidth": 0.0}
    style |= {"linestyle": "none", "rasterized": True}
    for trains, n, color in zip(groups, n_rows, colors):
        chosen = np.linspace(0, trains.n_units - 1, n).round().astype(int)
        drawn = trains.select(units=chosen) if n < trains.n_units else trains
        ax.plot(drawn.time, first + drawn.unit, **(style | {"color": color} | marker))
        if first:
            ax.axhline(first - 0.5, color="0.8", linewidth=0.6, zorder=0)
        ticks.append(first + (n - 1) / 2)
        part = f"{trains.n_units} units" if n == trains.n_units else f"{n} of {trains.n_units}"
        between = "\n" if n * points > 28 else "  "  # room for two lines of text
        labels.append(f"{trains.name}{between}{part}".strip())
        first += n
    ax.set_yticks(ticks, labels)
    ax.tick_params(axis="y", length=0, labelsize="small")
    for text, color in zip(ax.get_yticklabels(), colors):
        text.set_color(color)
    ax.set(xlabel="time (s)", xlim=(groups[0].t_start, groups[0].t_stop), ylim=(first - 0.5, -0.5))
    return ax


def population_rate(
    data: xr.Dataset | SpikeTrains | Sequence[SpikeTrains],
    populations: str | Sequence[str] | None = None,
    t_start: float | None = None,
    t_stop: float | None = None,
    trial: int = 0,
    bin: float | None = None,
    colors: Sequence[Any] | Mapping[str, Any] | None = None,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Rate of each population in time: spikes per unit and second, in bins.

    Parameters
    ----------
    data : Dataset, SpikeTrains or several of them
    populations : str or sequence of str, optional
        Which populations of a Dataset. Default all whose spikes it holds.
    t_start, t_stop : float or quantity, s
        Default the whole run.
    trial : int
        Which trial. Default 0.
    bin : float or quantity, s, optional
        A multiple of the time step that divides the window. Default a round time that gives 100
        to 250 bins; what is left of the window behind the last whole bin is not drawn.
    colors : sequence or mapping by name, optional
        Of the populations. Default Matplotlib's cycle.
    ax : Axes, optional
    **line
        Passed to ``Axes.stairs``.

    Returns
    -------
    Axes
        Its label says how wide the bins are. All units count, whatever a raster above it draws.
    """
    groups = _groups(data, populations, t_start, t_stop, trial)
    colors = _colors(groups, colors)
    ax = new_axes(ax)
    start, stop = groups[0].t_start, groups[0].t_stop
    if bin is None:
        bin, end = _round_bin(groups[0])
        groups = [trains.select(t_stop=end) for trains in groups]
    for trains, color in zip(groups, colors):
        n, width = trains.bins(bin)
        edges = trains.t_start + width * np.arange(n + 1)
        rate = trains.population_counts(bin)[0] / (trains.n_units * width)
        style = {"color": color, "linewidth": 1.0, "label": trains.name or None, "baseline": None}
        ax.stairs(rate, edges, **(style | line))
    if len(groups) > 1:
        ax.legend(frameon=False, fontsize="small", ncols=len(groups), loc="lower right",
                  bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1)
    ax.set(xlabel="time (s)", xlim=(start, stop), ylabel=f"rate (Hz)\n{1000 * width:.4g} ms bins")
    ax.set_ylim(bottom=0)
    return ax


def raster_with_rate(
    data: xr.Dataset | SpikeTrains | Sequence[SpikeTrains],
    populations: str | Sequence[str] | None = None,
    t_start: float | None = None,
    t_stop: float | None = None,
    trial: int = 0,
    units: int | None = None,
    bin: float | None = None,
    colors: Sequence[Any] | Mapping[str, Any] | None = None,
    axes: tuple[Axes, Axes] | None = None,
) -> tuple[Axes, Axes]:
    """A `raster` with the `population_rate` below it, on one time axis.

    Parameters
    ----------
    data, populations, t_start, t_stop, trial, colors
        As for both.
    units : int, optional
        As for `raster`.
    bin : float or quantity, s, optional
        As for `population_rate`.
    axes : pair of Axes, optional
        Where to draw the raster and the rate. Default a new figure.

    Returns
    -------
    (Axes, Axes)
        Of the raster and the rate.
    """
    if axes is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained", figsize=(6.4, 5.2))
        axes = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    try:
        upper, lower = axes
    except (TypeError, ValueError):
        raise ValueError(
            f"`axes` must be a pair of Axes, for the raster and the rate; got {axes!r:.60}"
        ) from None
    groups = _groups(data, populations, t_start, t_stop, trial)
    raster(groups, units=units, colors=colors, ax=upper)
    population_rate(groups, bin=bin, colors=colors, ax=lower)
    upper.set_xlabel("")
    if lower.get_legend() is not None:  # the raster names and colours the populations
        lower.get_legend().remove()
    return upper, lower


def _groups(data, populations, t_start, t_stop, trial) -> list[SpikeTrains]:
    """The populations to be drawn, one trial of each, all in the same window."""
    trial = checked_count(trial, "trial", 0)
    if hasattr(data, "data_vars"):
        names = [populations] if isinstance(populations, str) else populations
        names = populations_with_spikes(data) if names is None else list(names)
        if not names:
            raise ValueError(
                "`data` holds no spikes; record them with simulate(..., record=['E.spike'])"
            )
        return [spike_trains(data, name, t_start, t_stop, trial) for name in names]
    groups = [data] if isinstance(data, SpikeTrains) else data
    good = isinstance(groups, list | tuple) and groups
    if not good or not all(isinstance(trains, SpikeTrains) for trains in groups):
        raise TypeError(
            "`data` must be the Dataset of a run, SpikeTrains or a list of them; "
            f"got {type(data).__name__}"
        )
    if populations is not None:
        raise ValueError("`populations` chooses from a Dataset; give the SpikeTrains to be drawn")
    groups = [trains.select(t_start, t_stop, trial) for trains in groups]
    for trains in groups:
        if (trains.t_start, trains.t_stop) != (groups[0].t_start, groups[0].t_stop):
            raise ValueError(
                f"`data` must have one window: {trains.t_start:g} to {trains.t_stop:g} s is not "
                f"{groups[0].t_start:g} to {groups[0].t_stop:g} s"
            )
    return groups


def _colors(groups: list[SpikeTrains], colors) -> list[Any]:
    if colors is None:
        return [f"C{k}" for k in range(len(groups))]
    names = [trains.name for trains in groups]
    if isinstance(colors, Mapping):
        missing = [name for name in names if name not in colors]
        if missing:
            raise ValueError(f"`colors` has none for {', '.join(map(repr, missing))}")
        return [colors[name] for name in names]
    colors = list(colors)
    if len(colors) != len(groups):
        raise ValueError(f"`colors` must be one for each of {len(groups)}; got {len(colors)}")
    return colors


def _rows(sizes: list[int], units: int | None) -> list[int]:
    """How many units of each population are drawn."""
    if units is not None:
        units = checked_count(units, "units")
        return [min(units, size) for size in sizes]
    share = min(1.0, MAX_ROWS / sum(sizes))
    return [min(size, max(MIN_ROWS, round(share * size))) for size in sizes]


def _round_bin(trains: SpikeTrains) -> tuple[float, float]:
    """A bin of 1, 2 or 5 times a power of ten, at least a step, and the end of the last one."""
    rough = trains.duration / 250
    scale = 10.0 ** np.floor(np.log10(rough))
    width = min(m * scale for m in (1, 2, 5, 10) if m * scale >= rough * (1 - 1e-9))
    if trains.dt is not None:
        width = max(1, round(width / trains.dt)) * trains.dt
    n = int(trains.duration / width + 1e-6)
    return width, trains.t_start + n * width
