"""The paper's figure 6: raster, rates, irregularity and synchrony of all populations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn import plot
from neurodyn.circuits._sheet import BLUE, GREY, RED, letter, sheet
from neurodyn.spike_trains import SpikeTrains

from .experiments import BIN, DT, SHOWN
from .model import published

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["constant_background", "spontaneous_activity"]


def spontaneous_activity(ds: xr.Dataset) -> Figure:
    """Spikes of 400 ms, and three statistics with what is published."""
    return _figure_6(ds, "poisson")


def constant_background(ds: xr.Dataset) -> Figure:
    """The same with constant background."""
    return _figure_6(ds, "dc")


def _figure_6(ds: xr.Dataset, background: str) -> Figure:
    names = list(ds.population.values)
    colors = [BLUE if name.endswith("E") else RED for name in names]
    title = {"poisson": "Poisson background", "dc": "constant background"}[background]
    with sheet(9.5, 6) as fig:
        axes = fig.subplot_mosaic(
            [["raster", "rate"], ["raster", "cv"], ["raster", "synchrony"]], width_ratios=[1.7, 1]
        )
        n_shown = int(ds.n_shown.max())
        plot.raster(_trains(ds), colors=colors, ax=axes["raster"], units=n_shown, markersize=1.6)
        share = ds.n_shown.sum().item() / ds.n_neurons.sum().item()
        axes["raster"].set_title(
            f"{100 * share:.2g} % of {ds.n_neurons.sum().item():,.0f} neurons, {title}"
        )
        axes["raster"].set_yticks(axes["raster"].get_yticks(), names)
        _rates(axes["rate"], ds, names, colors)
        for name, label in (("cv", "CV of intervals"),
                            ("synchrony", f"variance/mean of counts in {1e3 * BIN:g} ms")):
            axes[name].barh(names, ds[name], color=colors, height=0.7)
            axes[name].set(xlabel=label)
        axes["cv"].set(title="irregularity", xlim=(0, 1.1))
        axes["synchrony"].set_title("synchrony")
        _add_published(axes, ds, background)
        for name in ("rate", "cv", "synchrony"):
            axes[name].invert_yaxis()
        letter([axes[name] for name in ("raster", "rate", "cv", "synchrony")])
    return fig


def _trains(ds: xr.Dataset) -> list[SpikeTrains]:
    """The spikes of the raster."""
    found = []
    for k, name in enumerate(ds.population.values):
        mine = ds.spike_population.values == k
        time, unit = ds.spike_time.values[mine], ds.spike_unit.values[mine]
        found.append(SpikeTrains.from_arrays(
            time, unit, int(ds.n_shown[k]), 0.0, SHOWN, dt=DT, name=str(name)
        ))  # fmt: skip
    return found


def _rates(ax: Axes, ds: xr.Dataset, names: list[str], colors: list[str]) -> None:
    """A box plot of single neurons, with the population's mean as a star, as in the paper."""
    single = [row[~np.isnan(row)] for row in ds.single_rate.values]
    y = np.arange(len(names))
    boxes = ax.boxplot(single, positions=y, orientation="horizontal", widths=0.7,
                       showfliers=False, patch_artist=True)  # fmt: skip
    for flier in boxes["whiskers"] + boxes["caps"]:
        flier.set_color(GREY)
    for box, color in zip(boxes["boxes"], colors, strict=True):
        box.set(facecolor=color, alpha=0.6)
    for line in boxes["medians"]:
        line.set_color("k")
    ax.plot(ds.rate_hz, y, "k*", ms=6, ls="none")
    ax.set(yticks=y, yticklabels=names, xlabel="rate (Hz); star: mean", title="rates")


def _add_published(axes: dict[str, Axes], ds: xr.Dataset, background: str) -> None:
    """Open circles: the published numbers of the same scale, if there are any."""
    for panel, quantity in (("rate", "rate_hz"), ("cv", "cv"), ("synchrony", "synchrony")):
        for values in published(float(ds.scale), background, quantity)[:1]:
            ax = axes[panel]
            ax.plot(values.numbers, np.arange(len(values.numbers)), "o", mfc="w", mec="k", ms=5)
            ax.set_title(f"{ax.get_title(loc='left')} (circles: {values.source})")
