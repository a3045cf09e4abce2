"""Figures of results: Axes in, Axes out.

Every function takes the data first and ``ax=`` for where to draw (a new figure when it is None),
and returns the Axes, so that figures are composed with Matplotlib's own means. Labels and units
come from the attributes of the data. `plot` chooses by what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

#: Above this many units lines cannot be told apart, and `plot` draws a heat map.
MAX_LINES = 12


def plot(data: Any, ax: Axes | None = None, **options: Any) -> Axes:
    """The plot that fits `data`.

    A variable with time gives `traces`, or `heatmap` for more than 12 units; one without time, a
    final state for example, its `distribution`; a matrix or a weights object `weights`.

    Parameters
    ----------
    data : xarray.DataArray, array or weights object
    ax : Axes, optional
    **options
        Passed on to the chosen function.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If no kind of plot fits, with what would.
    """
    dims = getattr(data, "dims", None)
    if hasattr(data, "data_vars"):
        names = ", ".join(f"ds[{str(name)!r}]" for name in data.data_vars)
        raise TypeError(f"`data` is a whole Dataset; give one of its variables: {names}")
    if dims is not None and "time" in dims:
        unit = _unit_dim(data)
        many = unit is not None and data.sizes[unit] > MAX_LINES
        return (heatmap if many else traces)(data, ax=ax, **options)
    if dims is not None:
        return distribution(data, ax=ax, **options)
    if len(getattr(data, "shape", ())) == 2:
        return weights(data, ax=ax, **options)
    if len(getattr(data, "shape", ())) == 1:
        return distribution(data, ax=ax, **options)
    raise TypeError(
        "`data` must be a variable of a Dataset, such as ds['E.r'], a vector, a matrix, "
        f"or weights; got {type(data).__name__}"
    )


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
    ax = _axes(ax)
    lines = ax.plot(da["time"].values, values, **({"linewidth": 1.2} | line))
    if 1 < len(lines) <= MAX_LINES and "label" not in line:
        for one, label in zip(lines, labels):
            one.set_label(label)
        ax.legend(title="unit", fontsize="small", ncols=1 + len(lines) // 7, frameon=False,
                  loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.set(xlabel=_label(da["time"]), ylabel=_label(da))
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
    ax = _axes(ax)
    time = da["time"].values
    half = 0.5 * (time[-1] - time[0]) / max(len(time) - 1, 1) or 0.5
    extent = (time[0] - half, time[-1] + half, -0.5, values.shape[1] - 0.5)
    drawn = ax.imshow(
        values.T, aspect="auto", origin="lower", extent=extent, **(_colours(values) | image),
    )
    ax.figure.colorbar(drawn, ax=ax, label=_label(da))
    ax.set(xlabel=_label(da["time"]), ylabel="unit")
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
    if _unit_dim(da) is None or len(units) != 2:
        raise ValueError(
            f"`units` must be two units of `{da.name}`, such as (0, 1); "
            f"got {units!r} and the dimensions {da.dims}"
        )
    every = trial is None and "trial" in da.dims
    ax = _axes(ax)
    for number in range(da.sizes["trial"]) if every else [trial or 0]:
        values, labels = _time_unit(da, number, list(units))
        (drawn,) = ax.plot(values[:, 0], values[:, 1], **({"linewidth": 1.0} | line))
        ax.plot(*values[0], "o", color=drawn.get_color(), markersize=5)
    ax.set(xlabel=f"{_label(da)}, unit {labels[0]}", ylabel=f"{_label(da)}, unit {labels[1]}")
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
    ax = _axes(ax)
    if finite.size:
        bins = _bin_count(finite) if bins is None else bins
        density, edges = np.histogram(finite, bins, density=True)
        ax.stairs(density, edges, **({"fill": True, "alpha": 0.6} | bars))
        ax.axvline(finite.mean(), color="0.3", linestyle="--", linewidth=1,
                   label=f"mean {finite.mean():.3g}")
        ax.legend(frameon=False)
    if finite.size < values.size:
        ax.set_title(f"{values.size - finite.size} of {values.size} values are not finite")
    label, unit = (_name(da), _unit(da)) if hasattr(da, "attrs") else ("value", "1")
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


def weights(W: Any, ax: Axes | None = None, **image: Any) -> Axes:
    """A weight matrix in colour: rows receive (post), columns send (pre).

    Parameters
    ----------
    W : array, sparse matrix or weights object, (post, pre)
    ax : Axes, optional
    **image
        Passed to ``Axes.imshow``.

    Returns
    -------
    Axes
        White is zero, red excites, blue inhibits.
    """
    matrix = _matrix(W, "W")
    ax = _axes(ax)
    colours = _colours(matrix, signed=True)
    drawn = ax.imshow(matrix, **(colours | image))
    ax.figure.colorbar(drawn, ax=ax, label="weight")
    ax.set(xlabel="pre (from)", ylabel="post (to)")
    return ax


def spectrum(W: Any, ax: Axes | None = None, **marker: Any) -> Axes:
    """Eigenvalues of a square weight matrix in the complex plane, with the unit circle.

    For ``tau dx/dt = -x + W phi(x)`` with ``phi'(0) = 1`` the silent state is stable if all lie
    left of 1; for a discrete map, if all lie inside the circle.

    Parameters
    ----------
    W : array, sparse matrix or weights object, (n, n)
    ax : Axes, optional
    **marker
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
    """
    matrix = _matrix(W, "W")
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"`W` must be square to have eigenvalues; got shape {matrix.shape}")
    values = np.linalg.eigvals(matrix)
    ax = _axes(ax)
    angle = np.linspace(0, 2 * np.pi, 361)
    ax.plot(np.cos(angle), np.sin(angle), color="0.6", linewidth=1)
    style = {"marker": "o", "linestyle": "none", "markersize": 3, "alpha": 0.7, "color": "C0"}
    ax.plot(values.real, values.imag, **(style | marker))
    ax.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
    return ax


def covariance_ellipse(
    C: ArrayLike,
    mean: ArrayLike = (0.0, 0.0),
    n_std: float = 1.0,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """The ellipse of a covariance: points at `n_std` standard deviations from the mean.

    Parameters
    ----------
    C : array, (2, 2)
        Symmetric, positive semi-definite.
    mean : array, (2,)
    n_std : float
        Default 1.
    ax : Axes, optional
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `C` is no covariance.
    """
    C, mean = np.asarray(C, dtype=float), np.asarray(mean, dtype=float)
    if C.shape != (2, 2) or not np.allclose(C, C.T):
        raise ValueError(f"`C` must be symmetric with shape (2, 2); got {C.tolist()}")
    variances, axes = np.linalg.eigh(C)
    if variances[0] < -1e-10 * max(abs(variances[1]), 1e-300):
        raise ValueError(f"`C` must be positive semi-definite; its eigenvalues are {variances}")
    angle = np.linspace(0, 2 * np.pi, 181)
    circle = np.sqrt(np.maximum(variances, 0))[:, None] * np.stack([np.cos(angle), np.sin(angle)])
    ax = _axes(ax)
    ax.plot(*(mean[:, None] + n_std * axes @ circle), **line)
    ax.set_aspect("equal", adjustable="box")  # "datalim" cannot draw axes that are shared
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(layout="constrained")
    return ax


def _variable(ds: xr.Dataset | xr.DataArray, name: str | None) -> xr.DataArray:
    if hasattr(ds, "data_vars"):
        if name not in ds:
            raise ValueError(
                f"`name` must be a variable of the Dataset, {list(ds.data_vars)}; got {name!r}"
            )
        return ds[name]
    return ds


def _unit_dim(da: xr.DataArray) -> str | None:
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
    unit = _unit_dim(da)
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


def _matrix(W: Any, name: str) -> np.ndarray:
    """Dense (post, pre) of an array, a SciPy sparse matrix or one of our weights objects."""
    for method in ("toarray", "dense", "to_dense"):
        if callable(getattr(W, method, None)):
            W = getattr(W, method)()
            break
    matrix = np.asarray(getattr(W, "values", W))
    if matrix.ndim != 2:
        raise ValueError(f"`{name}` must be a matrix, (post, pre); got shape {matrix.shape}")
    return matrix


def _colours(values: np.ndarray, signed: bool = False) -> dict[str, Any]:
    """Colour scale of an image; white at zero if the values are `signed` or have both signs."""
    finite = values[np.isfinite(values)]
    if signed or (finite.size and finite.min() < 0 < finite.max()):
        limit = float(np.abs(finite).max(initial=0.0)) or 1.0
        return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    return {"cmap": "viridis"}


def _unit(da: Any) -> str:
    return str(da.attrs.get("units", "1"))


def _name(da: Any) -> str:
    return str(da.attrs.get("long_name", da.name or "value"))


def _label(da: Any) -> str:
    return _name(da) if _unit(da) in ("1", "") else f"{_name(da)} ({_unit(da)})"
