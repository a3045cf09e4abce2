"""Time courses, heat maps, paths and histograms of recorded variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import colour_scale, label_of, name_of, new_axes, unit_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

#: Above this many units lines cannot be told apart, and `plot` draws a heat map.
MAX_LINES = 12


def traces(
    da: xr.DataArray,
    trial: int = 0,
    units: int | Sequence[int] = 8,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Time courses of some units, a line for each.

    Parameters
    ----------
    da : DataArray, (trial, time, unit); trial and unit may be missing
    trial : int
        Which trial, by position. Default 0.
    units : int or sequence of int
        How many, evenly spread over the population (default 8), or which, by position.
    ax : Axes, optional
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
    """
    values, labels = _time_unit(da, trial, units)
    ax = new_axes(ax)
    lines = ax.plot(da["time"].values, values, **({"linewidth": 1.2} | line))
    if 1 < len(lines) <= MAX_LINES and "label" not in line:
        for one, label in zip(lines, labels):
            one.set_label(label)
        ax.legend(title="unit", fontsize="small", ncols=1 + len(lines) // 7, frameon=False,
                  loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set(xlabel=label_of(da["time"]), ylabel=label_of(da))
    ax.margins(x=0)
    return ax


def heatmap(
    da: xr.DataArray,
    trial: int = 0,
    units: int | Sequence[int] | None = None,
    ax: Axes | None = None,
    **image: Any,
) -> Axes:
    """Activity of all units against time, in colour.

    Parameters
    ----------
    da : DataArray, (trial, time, unit)
    trial : int
        Which trial, by position. Default 0.
    units : int or sequence of int, optional
        How many or which; default all, in their order.
    ax : Axes, optional
    **image
        Passed to ``Axes.imshow``; give ``vmin`` and ``vmax`` to compare figures.

    Returns
    -------
    Axes
        Values of both signs get a colour scale that is white at zero.
    """
    values, _ = _time_unit(da, trial, units)
    ax = new_axes(ax)
    time = da["time"].values
    half = 0.5 * (time[-1] - time[0]) / max(len(time) - 1, 1) or 0.5
    extent = (time[0] - half, time[-1] + half, -0.5, values.shape[1] - 0.5)
    drawn = ax.imshow(
        values.T, aspect="auto", origin="lower", extent=extent, **(colour_scale(values) | image),
    )
    ax.figure.colorbar(drawn, ax=ax, label=label_of(da))
    ax.set(xlabel=label_of(da["time"]), ylabel="unit")
    return ax


def phase(
    ds: xr.Dataset | xr.DataArray,
    name: str | None = None,
    units: tuple[int, int] = (0, 1),
    trial: int | None = 0,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Path of two units through their plane; a dot marks the start.

    Parameters
    ----------
    ds : Dataset or DataArray
    name : str
        Variable of the Dataset, ``"E.x"``; left out for a DataArray.
    units : (int, int)
        The two units, by position. Default the first two.
    trial : int or None
        Which trial; None draws all of them. Default 0.
    ax : Axes, optional
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
    """
    da = _variable(ds, name)
    if unit_dimension(da) is None or len(units) != 2:
        raise ValueError(
            f"`units` must be two units of `{da.name}`, such as (0, 1); "
            f"got {units!r} and the dimensions {da.dims}"
        )
    every = trial is None and "trial" in da.dims
    ax = new_axes(ax)
    for number in range(da.sizes["trial"]) if every else [trial or 0]:
        values, labels = _time_unit(da, number, list(units))
        (drawn,) = ax.plot(values[:, 0], values[:, 1], **({"linewidth": 1.0} | line))
        ax.plot(*values[0], "o", color=drawn.get_color(), markersize=5)
    ax.set(xlabel=f"{label_of(da)}, unit {labels[0]}", ylabel=f"{label_of(da)}, unit {labels[1]}")
    return ax


def distribution(
    da: xr.DataArray | ArrayLike,
    bins: int | str | ArrayLike | None = None,
    ax: Axes | None = None,
    **bars: Any,
) -> Axes:
    """Histogram of all values, as a probability density; a line marks the mean.

    Parameters
    ----------
    da : DataArray or array
        Any shape. Values that are not finite are left out, and counted in the title.
    bins : int, str or array
        As for ``numpy.histogram``. Default: the width of Freedman and Diaconis (1981), but at most
        200 bins, since one far value would otherwise ask for millions.
    ax : Axes, optional
    **bars
        Passed to ``Axes.stairs``.

    Returns
    -------
    Axes
    """
    values = np.asarray(getattr(da, "values", da), dtype=float).ravel()
    finite = values[np.isfinite(values)]
    ax = new_axes(ax)
    if finite.size:
        bins = _bin_count(finite) if bins is None else bins
        density, edges = np.histogram(finite, bins, density=True)
        ax.stairs(density, edges, **({"fill": True, "alpha": 0.6} | bars))
        ax.axvline(finite.mean(), color="0.3", linestyle="--", linewidth=1,
                   label=f"mean {finite.mean():.3g}")
        ax.legend(frameon=False)
    if finite.size < values.size:
        ax.set_title(f"{values.size - finite.size} of {values.size} values are not finite")
    label, unit = (name_of(da), unit_of(da)) if hasattr(da, "attrs") else ("value", "1")
    ax.set(
        xlabel=label if unit == "1" else f"{label} ({unit})",
        ylabel="probability density" + ("" if unit == "1" else f" (1/({unit}))"),
    )
    return ax


def _bin_count(values: np.ndarray) -> int:
    low, high = np.percentile(values, [25, 75])
    width = 2 * (high - low) / np.cbrt(values.size)
    least = int(np.log2(values.size)) + 1  # Sturges: half of the values may be the same
    return int(np.clip(np.ptp(values) / width, least, 200)) if width > 0 else least


def _variable(ds: xr.Dataset | xr.DataArray, name: str | None) -> xr.DataArray:
    if hasattr(ds, "data_vars"):
        if name not in ds:
            raise ValueError(
                f"`name` must be a variable of the Dataset, {list(ds.data_vars)}; got {name!r}"
            )
        return ds[name]
    return ds


def unit_dimension(da: xr.DataArray) -> str | None:
    """The dimension that counts units: the one that is neither trial nor time."""
    rest = [dim for dim in da.dims if dim not in ("trial", "time")]
    if len(rest) > 1:
        raise ValueError(
            f"`{da.name}` must have one dimension besides trial and time; got {da.dims}"
        )
    return rest[0] if rest else None


def _time_unit(
    da: xr.DataArray, trial: int, units: int | Sequence[int] | None
) -> tuple[np.ndarray, list[str]]:
    """Values (time, unit) of one trial and the numbers of the chosen units."""
    if "time" not in da.dims:
        raise ValueError(f"`{da.name}` must have a time dimension; got {da.dims}")
    if "trial" in da.dims:
        if not -da.sizes["trial"] <= trial < da.sizes["trial"]:
            raise ValueError(f"`trial` must be below {da.sizes['trial']}; got {trial}")
        da = da.isel(trial=trial)
    unit = unit_dimension(da)
    if unit is None:
        return da.values[:, None], [""]
    n = da.sizes[unit]
    if units is None:
        chosen = np.arange(n)
    elif isinstance(units, int | np.integer):
        chosen = np.linspace(0, n - 1, min(units, n)).round().astype(int)
    else:
        chosen = np.asarray(units, dtype=int)
        if chosen.size and not (-n <= chosen.min() and chosen.max() < n):
            raise ValueError(f"`units` must be below {n}; got {list(units)}")
    numbers = da[unit].values[chosen] if unit in da.coords else np.arange(n)[chosen]
    return da.transpose("time", unit).values[:, chosen], [str(number) for number in numbers]
