"""Results of a sweep over its grid: lines with their spread over seeds, and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.plot.labels import colour_scale, label_of, name_of, new_axes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

#: Name of the seeds' dimension.
SEED = "seed"


def sweep_curves(da: xr.DataArray, ax: Axes | None = None) -> Axes:
    """A number over one parameter, a line for each value of a second one.

    Parameters
    ----------
    da : xarray.DataArray, (x,), (x, hue), each also with ``seed``
    ax : Axes, optional

    Returns
    -------
    Axes
        Lines are means over seeds, bands one standard deviation (of single seeds, not of the mean)
        to either side, dots the single seeds. NaN is left out.

    Raises
    ------
    ValueError
        If there are more dimensions.
    """
    dims = [dim for dim in da.dims if dim != SEED]
    if not 1 <= len(dims) <= 2:
        raise ValueError(f"`da` must have one or two dimensions besides {SEED!r}; got {da.dims}")
    ax = new_axes(ax)
    positions = _positions(da[dims[0]])
    values = da.transpose(*dims, ...).values
    values = values.reshape(*(da.sizes[dim] for dim in dims), -1)
    values = values if len(dims) == 2 else values[:, None]
    hues = da[dims[1]].values if len(dims) == 2 else [None]
    for k, hue in enumerate(hues):
        shade = 0.1 + 0.75 * k / max(len(hues) - 1, 1)
        colour = "C0" if len(hues) == 1 else _colour(shade)
        with np.errstate(invalid="ignore"):
            mean, spread = _moments(values[:, k])
        label = None if hue is None else f"{dims[1]} = {_text(hue)}"
        ax.plot(positions, mean, "-", color=colour, label=label)
        if values.shape[-1] > 1:
            ax.fill_between(positions, mean - spread, mean + spread, color=colour, alpha=0.15, lw=0)
        ax.plot(np.repeat(positions, values.shape[-1]), values[:, k].ravel(), ".", color=colour,
                ms=4, alpha=0.6)  # fmt: skip
    ax.set(xlabel=label_of(da[dims[0]]), ylabel=label_of(da))
    _name_ticks(ax, "x", da[dims[0]])
    if len(hues) > 1:
        ax.legend(frameon=False, fontsize="small")
    return ax


def sweep_map(da: xr.DataArray, ax: Axes | None = None, spread: bool = False) -> Axes:
    """A number over two parameters, in colour.

    Parameters
    ----------
    da : xarray.DataArray, (y, x), perhaps with ``seed``
    ax : Axes, optional
    spread : bool
        Show the standard deviation over seeds instead of the mean.

    Returns
    -------
    Axes
        The cells stand side by side in the order of the grid, with the values of the parameters at
        their middles; grey is NaN.

    Raises
    ------
    ValueError
        If there are not two dimensions besides ``seed``.
    """
    dims = [dim for dim in da.dims if dim != SEED]
    if len(dims) != 2:
        raise ValueError(f"`da` must have two dimensions besides {SEED!r}; got {da.dims}")
    ax = new_axes(ax)
    values = da.transpose(*dims, ...).values
    mean, deviation = _moments(values.reshape(*values.shape[:2], -1))
    shown = deviation if spread else mean
    ax.set_facecolor("0.8")
    image = ax.imshow(shown, origin="lower", aspect="auto", interpolation="nearest",
                      **({"cmap": "magma"} if spread else colour_scale(shown)))  # fmt: skip
    label = f"SD over seeds of {name_of(da)}" if spread else label_of(da)
    ax.figure.colorbar(image, ax=ax, label=label)
    for axis, dim in (("y", dims[0]), ("x", dims[1])):
        _name_cells(ax, axis, da[dim])
    ax.set(xlabel=label_of(da[dims[1]]), ylabel=label_of(da[dims[0]]))
    return ax


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation along the last axis, without NaN, which stays where all are."""
    there = np.isfinite(values)
    count = there.sum(-1)
    filled = np.where(there, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(-1) / count
        squares = np.where(there, (values - mean[..., None]) ** 2, 0.0).sum(-1)
        return mean, np.sqrt(squares / (count - 1))


def _colour(shade: float) -> tuple[float, ...]:
    import matplotlib

    return matplotlib.colormaps["viridis"](shade)


def _is_number(coordinate: xr.DataArray) -> bool:
    return coordinate.dtype.kind in "iuf"


def _positions(coordinate: xr.DataArray) -> np.ndarray:
    return coordinate.values if _is_number(coordinate) else np.arange(coordinate.size)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _name_ticks(ax: Axes, axis: str, coordinate: xr.DataArray) -> None:
    if not _is_number(coordinate):
        getattr(ax, f"set_{axis}ticks")(range(coordinate.size), map(str, coordinate.values))


def _name_cells(ax: Axes, axis: str, coordinate: xr.DataArray) -> None:
    step = max(1, -(-coordinate.size // 8))
    places = range(0, coordinate.size, step)
    names = [_text(coordinate.values[k]) for k in places]
    getattr(ax, f"set_{axis}ticks")(places, names)
