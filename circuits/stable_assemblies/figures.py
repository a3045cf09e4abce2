"""One figure for each experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.circuits._sheet import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    letter,
    sheet,
)

from .model import TAU

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["combination", "conditions", "modularity", "sequential_digits"]

COLOURS = {
    "negative feedback": BLUE,
    "one-way": GREEN,
    "unconstrained": RED,
    "none": GREY,
    "stable": BLUE,
    "permuted pixels": SKY,
    "uncoupled": GREY,
    "trained modules": PURPLE,
}


def conditions(ds: xr.Dataset) -> Figure:
    """Bounds of the theorems, what a stable linearisation hides, and metrics of modules."""
    with sheet(10, 3.2) as fig:
        axes = fig.subplots(1, 3, width_ratios=[1.25, 1, 1])
        ax = axes[0]
        names, colours = ds.condition.values, (BLUE, ORANGE, GREEN, PURPLE, SKY)
        for name, colour in zip(names, colours):
            one = ds.sel(condition=name)
            ax.plot(one.certified, one.worst, ".", color=colour, label=name, markersize=4)
        low = float(np.nanmin([ds.worst.min(), ds.certified.min()])) - 0.05
        ax.plot([low, 0], [low, 0], "--", color="0.4", linewidth=1)
        ax.set(xlabel="bound of the theorem (1/tau)", ylabel="worst of all corners (1/tau)",
               xlim=(low, 0.02), ylim=(low, 0.02),
               title="No corner is above its bound")  # fmt: skip
        ax.legend(handletextpad=0.1, markerscale=2, loc="upper left")
        ax = axes[1]
        ax.hist(ds.corner_abscissa, bins=25, color=GREY)
        ax.axvline(0, color=RED, linestyle="--", linewidth=1)
        share = float((ds.corner_abscissa > 0).mean())
        ax.set(xlabel="largest growth rate at any corner (1/tau)", ylabel="matrices",
               title=f"W − I stable, yet {share:.0%} have\nan unstable corner")  # fmt: skip
        ax = axes[2]
        identity, own = (ds.module_measure.sel(metric=m) for m in ("identity", "Perron"))
        ax.plot(identity, own, ".", color=BLUE)
        ax.axhline(0, color=RED, linestyle="--", linewidth=1)
        ax.axvline(0, color=RED, linestyle="--", linewidth=1)
        ax.set(xlabel="in the identity (1/tau)", ylabel="in the metric of theorem 1 (1/tau)",
               ylim=(None, 0.05), title="Worst measure of eight\nsparse modules")  # fmt: skip
        letter(axes)
        return fig


def combination(ds: xr.Dataset) -> Figure:
    """Distances of two copies, rates by the strength of the coupling, steps of Euler."""
    from neurodyn import plot

    with sheet(10, 3.4) as fig:
        axes = fig.subplots(1, 3, width_ratios=[1.15, 1.15, 0.9])
        ax = axes[0]
        for kind in ds.coupling.values:
            plot.contraction_distance(ds.time, ds.distance.sel(coupling=kind), ax,
                                      labels=str(kind), color=COLOURS[kind])  # fmt: skip
        plot.contraction_distance(ds.time, ds.mixed_distance, ax, labels="feedback, relu and tanh",
                                  color=ORANGE, linestyle=":",
                                  rate=ds.attrs["module_rate"] / TAU)  # fmt: skip
        # room above the curves for the legend
        top = float((ds.distance / ds.distance.isel(time=0)).max())
        ax.set(title=f"Two copies, same input, |L| = {ds.attrs['run_norm']:g}",
               ylim=(None, 1e5 * top))  # fmt: skip
        ax.legend(loc="upper left", fontsize=7, ncols=2)
        ax = axes[1]
        for kind in ds.coupling.values:
            if kind != "none":
                one = ds.sel(coupling=kind)
                style = {"marker": "o", "linestyle": "-", "markersize": 4}
                if kind == "one-way":  # on top of negative feedback
                    style |= {"markersize": 8, "markerfacecolor": "none", "linestyle": "--"}
                ax.plot(ds.norm, one.rate, color=COLOURS[kind], label=str(kind), **style)
                if kind == "one-way":
                    ax.plot(ds.norm, one.own_metric_rate, "o:", color=COLOURS[kind], markersize=3,
                            label="one-way, metrics not scaled")  # fmt: skip
        ax.axhline(ds.attrs["module_rate"], linestyle="--", color="0.4", linewidth=1,
                   label="proved for feedback")  # fmt: skip
        ax.axhline(0, color="0.7", linewidth=0.8)
        ax.set(xscale="log", xlabel="norm of the coupling", ylabel="worst rate (1/tau)",
               title="Rate in the metric")  # fmt: skip
        ax.set_yscale("symlog", linthresh=1)
        ax.legend(loc="lower left", fontsize=7)
        ax = axes[2]
        ax.loglog(ds.norm, ds.largest_step, "o-", color=BLUE, markersize=4)
        ax.set(xlabel="norm of the feedback", ylabel="largest step dt/tau",
               title="Largest contracting step\nof Euler's method")  # fmt: skip
        letter(axes)
        return fig


def sequential_digits(ds: xr.Dataset) -> Figure:
    """Accuracies, losses, and rates in the course of training."""
    with sheet(10, 3.4) as fig:
        axes = fig.subplots(1, 3)
        _accuracies(axes[0], ds)
        ax = axes[1]
        for name in ds.variant.values:
            ax.plot(ds.epoch, ds.loss.sel(variant=name).mean("seed"), color=COLOURS[name],
                    label=str(name))  # fmt: skip
        ax.set(xlabel="epoch", ylabel="cross-entropy, training images",
               title="Loss (colours as in a)")  # fmt: skip
        ax = axes[2]
        for name in ds.variant.values:
            for seed in range(ds.sizes["seed"]):
                ax.plot(ds.after, -ds.rate.sel(variant=name).isel(seed=seed), color=COLOURS[name],
                        linewidth=1)  # fmt: skip
        ax.axhline(0, color="0.4", linestyle="--", linewidth=1)
        ax.set(xlabel="epoch", ylabel="worst eigenvalue of the\nsymmetrised Jacobian (1/tau)",
               title="Stability: contracting below 0",
               xlim=(0, None))  # fmt: skip
        letter(axes)
        return fig


def _accuracies(ax: Axes, ds: xr.Dataset) -> None:
    names = list(ds.variant.values)
    for k, name in enumerate(names):
        found = ds.accuracy.sel(variant=name).values
        ax.barh(k, found.mean(), color=COLOURS[name], alpha=0.5)
        ax.plot(found, np.full(found.size, k), "o", color=COLOURS[name], markersize=4)
    ax.axvline(0.1, color="0.4", linestyle="--", linewidth=1)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(xlabel="accuracy, test images (dashed: chance)", xlim=(0, 1),
           title="Images pixel by pixel")  # fmt: skip


def modularity(ds: xr.Dataset) -> Figure:
    """Accuracy by number of modules and by share of pairs that are coupled."""
    with sheet(7.5, 3.2) as fig:
        axes = fig.subplots(1, 2, sharey=True)
        counts = ds.n_modules.values
        panels = ((axes[0], ds.accuracy_by_count, np.log2(counts)),
                  (axes[1], ds.accuracy_by_share, ds.connected.values))  # fmt: skip
        for ax, found, x in panels:
            ax.plot(x, found, "o", color=SKY, markersize=3)
            ax.plot(x, found.mean("seed"), "o-", color=BLUE)
            ax.axhline(0.1, color="0.4", linestyle="--", linewidth=1)
        axes[0].set_xticks(np.log2(counts), [f"{n} × {128 // n}" for n in counts], rotation=30)
        axes[0].set(xlabel="modules × units", ylabel="accuracy, test images", ylim=(0, 1),
                    title="128 units, all pairs coupled")  # fmt: skip
        axes[1].set(xlabel="share of pairs that are coupled", title="8 × 16 units")
        letter(axes)
        return fig
