"""Figures of the experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.circuits._sheet import BLUE, GREY, ORANGE, letter, sheet

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["curricula", "fixed_leaks", "no_curriculum"]

COLOURS = {"single": ORANGE, "multi": BLUE}
#: Mean time constants of the authors' saved networks, parity, by N.
PUBLISHED = {"single": {2: 1.4871, 5: 1.4725, 8: 1.4525, 11: 1.4334},
             "multi": {2: 1.4871, 5: 1.4561, 8: 1.4144, 11: 1.3890}}


def curricula(ds: xr.Dataset) -> Figure:
    """Learning, timescales of units and of the network, memory and robustness."""
    with sheet(12, 6.6) as fig:
        axes = fig.subplots(2, 4)
        _learning(axes[0, 0], ds)
        _by_n(axes[0, 1], ds, "tau_mean", "mean time constant (steps)", "time constants of units")
        if ds.attrs["task"] == "parity":
            for heads, points in PUBLISHED.items():
                axes[0, 1].plot(*zip(*points.items(), strict=True), "x", color=COLOURS[heads], ms=5)
            axes[0, 1].plot([], [], "x", color=GREY, ms=5, label="paper, 500 units")
            axes[0, 1].legend(handlelength=1)
        _by_n(axes[0, 2], ds, "tau_sd", "sd of time constants (steps)", "their spread")
        _network(axes[0, 3], ds)
        _by_n(axes[1, 0], ds, "dimension", "components for 90 % variance", "dimension of activity")
        _memory(axes[1, 1], ds)
        _ablation(axes[1, 2], ds)
        _perturbation(axes[1, 3], ds)
        letter(axes.ravel())
    return fig


def fixed_leaks(ds: xr.Dataset) -> Figure:
    """The largest N learned, by time constant."""
    labels = ["trained" if np.isnan(tau) else f"{tau:g}" for tau in ds.tau.values]
    with sheet(4.2, 3.4) as fig:
        ax = fig.subplots()
        place = np.arange(len(labels))
        ax.bar(place, ds.reached.mean("seed"), color=BLUE, alpha=0.35, width=0.6)
        for x, row in zip(place, ds.reached.values, strict=True):
            ax.plot(x + _spread(row.size), row, "o", color=BLUE, ms=4)
        ax.set_xticks(place, labels)
        ax.set(xlabel="time constant (steps)", ylabel=f"largest N in {ds.attrs['epochs']} epochs",
               title="multi-head, N-parity")
    return fig


def no_curriculum(ds: xr.Dataset) -> Figure:
    """Test accuracy of networks that learn one N from scratch."""
    with sheet(4.2, 3.4) as fig:
        ax = fig.subplots()
        place = np.arange(ds.sizes["N"])
        for x, row in zip(place, ds.accuracy.values, strict=True):
            ax.plot(x + _spread(row.size), row, "o", color=ORANGE, ms=4)
        ax.axhline(0.98, color=GREY, ls="--", lw=1)
        ax.annotate("criterion", (place[-1] + 0.4, 0.98), ha="right", va="bottom", fontsize=8,
                    color=GREY)
        ax.set_xticks(place, ds.N.values)
        ax.set(xlabel="N", ylabel=f"test accuracy after {ds.attrs['epochs']} epochs at most",
               title="N-parity from scratch", ylim=(0.45, 1.03), xlim=(-0.5, place[-1] + 0.5))
    return fig


# -------------------------------------------------------------------------------------- panels

def _learning(ax: Axes, ds: xr.Dataset) -> None:
    for heads, colour in COLOURS.items():
        found = ds.newest.sel(heads=heads)
        ax.plot(ds.epoch, found.T, color=colour, lw=0.9, alpha=0.8)
        ax.plot([], [], color=colour, label=f"{heads}-head")
    ax.axvline(ds.attrs["epochs"], color=GREY, ls=":", lw=1)
    for axis in (ax.xaxis, ax.yaxis):
        _whole_numbers(axis)
    ax.set(xlabel="epoch", ylabel="newest N in training", title=f"learning, {ds.attrs['task']}")
    ax.legend(loc="upper left")


def _by_n(ax: Axes, ds: xr.Dataset, name: str, label: str, title: str, style: str = "-") -> None:
    """Networks as thin lines, and their mean where at least half of them are."""
    found = ds[name]
    dim = found.dims[-1]
    for heads, colour in COLOURS.items():
        one = found.sel(heads=heads)
        some = one.notnull().any("seed") & (one.notnull().mean("seed") >= 0.5)
        ax.plot(ds[dim], one.T, color=colour, lw=0.6, alpha=0.45, ls=style)
        ax.plot(ds[dim][some], one[:, some.values].mean("seed"), color=colour, lw=1.8, ls=style,
                marker="o" if dim == "probed" else None, ms=4)
    _whole_numbers(ax.xaxis)
    ax.set(xlabel="N", ylabel=label, title=title)


def _network(ax: Axes, ds: xr.Dataset) -> None:
    """Timescales of the network, fitted and integrated."""
    _by_n(ax, ds, "tau_network", "", "")
    _by_n(ax, ds, "tau_integrated", "timescale (steps)", "timescales of the network", "--")
    ax.plot([], [], "-", color=GREY, label="fitted, units above 1")
    ax.plot([], [], "--", color=GREY, label="integrated, all units")
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    ax.legend(loc="upper left")


def _memory(ax: Axes, ds: xr.Dataset) -> None:
    for heads, colour in COLOURS.items():
        ax.plot(ds.task_N, ds.memory.sel(heads=heads).T, "o-", color=colour, lw=0.8, ms=3)
    ax.axhline(0.5, color=GREY, ls="--", lw=1)
    ax.annotate("chance", (float(ds.task_N[0]), 0.47), ha="left", va="top", fontsize=8,
                color=GREY)
    _whole_numbers(ax.xaxis)
    ax.set(xlabel="N of the test", ylabel="accuracy on streams", ylim=(0.35, 1.03),
           title=f"memory, N = {ds.attrs['compare_at']} learned")


def _ablation(ax: Axes, ds: xr.Dataset) -> None:
    place = np.arange(ds.sizes["ablated"])
    for side, (heads, colour) in zip((-1, 1), COLOURS.items(), strict=True):
        found = ds.ablation.sel(heads=heads)
        ax.plot(place + 0.1 * side, found.T, "o-", color=colour, lw=0.8, ms=3)
    ax.set_xticks(place, ["none", "one of the\nfastest", "one of the\nslowest"])
    ax.set(xlabel="unit that is ablated", ylabel="accuracy on streams",
           title=f"ablation, N = {ds.attrs['compare_at']}", xlim=(-0.4, place[-1] + 0.4))


def _perturbation(ax: Axes, ds: xr.Dataset) -> None:
    for kind, style in (("weights", "-"), ("leaks", "--")):
        for heads, colour in COLOURS.items():
            found = ds.perturbation.sel(heads=heads, perturbed=kind)
            ax.plot(ds.strength, found.T, style, color=colour, lw=0.6, alpha=0.45)
            if found.notnull().any():
                ax.plot(ds.strength, found.mean("seed"), style, color=colour, lw=1.8)
        ax.plot([], [], style, color=GREY,
                label="of weights" if kind == "weights" else "of time constants")
    ax.set(xlabel="relative perturbation", ylabel="relative accuracy", xscale="log",
           title="perturbations", ylim=(-0.3, 1.1))
    ax.set_xticks(ds.strength.values, [f"{s:g}" for s in ds.strength.values])
    ax.minorticks_off()
    ax.legend(loc="lower left")


def _whole_numbers(axis: Axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def _spread(n: int) -> np.ndarray:
    """Offsets by which points of one column stand beside each other."""
    return np.linspace(-0.15, 0.15, n) if n > 1 else np.zeros(1)
