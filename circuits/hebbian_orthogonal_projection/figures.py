"""Figures: accuracies while tasks follow one another, and what lateral neurons learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.circuits._sheet import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, letter, sheet

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["error_propagation", "permuted_digits", "principal_subspace", "split_digits"]

_METHODS = {"none": (RED, "not protected"), "Hebbian": (BLUE, "Hebbian rows"),
            "Hebbian, spiking": (SKY, "spiking lateral neurons"),
            "principal directions": (GREEN, "principal directions"),
            "all at once": (GREY, "all tasks at once")}


def permuted_digits(ds: xr.Dataset) -> Figure:
    """The first task while others are learned; accuracies after each task; ACC and BWT."""
    with sheet(10.5, 6.2) as fig:
        grid = fig.subplots(2, 3)
        axes = grid.ravel()
        _first_task(axes[0], ds)
        for ax, name in ((axes[1], "none"), (axes[2], "Hebbian")):
            _matrix(ax, ds.performance.sel(protection=name).mean("seed"))
            ax.set_title(f"{_METHODS[name][1]}: accuracy (%)")
        for ax, variable, label in ((axes[3], "acc", "ACC"), (axes[4], "bwt", "BWT")):
            shown = [m for m in _METHODS if np.isfinite(ds[variable].sel(protection=m)).any()]
            _dots(ax, ds[variable].sel(protection=shown).transpose("protection", "seed").values,
                  [_METHODS[m][1] for m in shown], [_METHODS[m][0] for m in shown])
            ax.set(xlabel=label)
        axes[3].set_title("accuracy after the last task")
        axes[4].set_title("backward transfer")
        axes[4].axvline(0, color="k", lw=0.8, ls="--")
        ax = axes[5]
        for layer, marker in zip(ds.layer.values, "os^"):
            for name in ("Hebbian", "principal directions"):
                captured = ds.captured.sel(protection=name, layer=layer).mean("seed")
                ax.plot(ds.after_task, 100 * captured, marker + "-", ms=4, color=_METHODS[name][0])
        low = 100 * float(ds.captured.mean("seed").min())
        ax.set(xlabel="task", ylabel="energy within the rows (%)", xticks=ds.after_task.values,
               title="activity that is protected", ylim=(low - 0.8 * (100 - low), 100.3))
        for layer, marker in zip(ds.layer.values, "os^"):
            ax.plot([], [], marker, color="k", ms=4, label=layer)
        for name in ("Hebbian", "principal directions"):
            ax.plot([], [], color=_METHODS[name][0], label=_METHODS[name][1])
        ax.legend(loc="lower left", ncols=2)
        letter(axes)
    return fig


def _first_task(ax: Axes, ds: xr.Dataset) -> None:
    per_task = ds.attrs["epochs_per_task"]
    for name, (colour, label) in list(_METHODS.items())[:-1]:
        course = 100 * ds.first_task.sel(protection=name)
        ax.plot(ds.epoch, course.mean("seed"), color=colour, label=label)
        if ds.sizes["seed"] > 1:
            ax.fill_between(ds.epoch, course.min("seed"), course.max("seed"), color=colour,
                            alpha=0.15, lw=0)
    for k in range(1, ds.sizes["after_task"]):
        ax.axvline(k * per_task + 0.5, color="0.6", lw=0.7, ls=":")
    ax.set(xlabel="epoch (dotted: the next task begins)", ylabel="test accuracy on task 1 (%)",
           title="the first task while others follow")
    ax.legend(loc="lower left")


def _matrix(ax: Axes, performance: xr.DataArray) -> None:
    """Accuracies (%) on each task, after each."""
    values = 100 * performance.transpose("after_task", "eval_task").values
    n = len(values)
    ax.imshow(values, vmin=40, vmax=100, cmap="viridis")
    for k in range(n):
        for j in range(k + 1):
            ax.text(j, k, f"{values[k, j]:.0f}", ha="center", va="center", fontsize=8,
                    color="k" if values[k, j] > 75 else "w")
    ax.set(xlabel="on task", ylabel="after task", xticks=range(n), yticks=range(n),
           xticklabels=range(1, n + 1), yticklabels=range(1, n + 1))


def _dots(ax: Axes, values: np.ndarray, names: list[str], colours: list[str]) -> None:
    """One row for each name, a dot for each seed, and the mean."""
    for k, (row, colour) in enumerate(zip(values, colours)):
        ax.plot(row, np.full(len(row), -k), "o", color=colour, alpha=0.5, ms=5, mew=0)
        ax.plot(row.mean(), -k, "|", color=colour, ms=16, mew=2)
    ax.set(yticks=-np.arange(len(names)), yticklabels=names, ylim=(0.5 - len(names), 0.5))
    ax.grid(axis="x", color="0.9", lw=0.6)


def error_propagation(ds: xr.Dataset) -> Figure:
    """ACC and BWT of each way, without and with protection."""
    ways = list(dict.fromkeys(str(run).rsplit(": ", 1)[0] for run in ds.run.values))
    with sheet(9.5, 3.4) as fig:
        axes = fig.subplots(1, 3, sharey=True)
        for ax, variable in zip(axes, ("learned", "acc", "bwt")):
            for method, shift in (("none", 0.12), ("Hebbian", -0.12)):
                colour, label = _METHODS[method]
                for k, way in enumerate(ways):
                    found = ds[variable].sel(run=f"{way}: {method}")
                    row = found.mean("eval_task").values if variable == "learned" else found.values
                    ax.plot(row, np.full(row.size, shift - k), "o", color=colour, alpha=0.5, ms=5,
                            mew=0)
                    ax.plot(row.mean(), shift - k, "|", color=colour, ms=12, mew=2,
                            label=label if not k else None)
            ax.grid(axis="x", color="0.9", lw=0.6)
        axes[0].set(yticks=-np.arange(len(ways)), yticklabels=ways, title="learned",
                    xlabel="mean accuracy right after each task")
        axes[1].set(title="kept", xlabel="ACC, after the last task")
        axes[2].set(title="forgotten", xlabel="BWT, backward transfer")
        axes[2].axvline(0, color="k", lw=0.8, ls="--")
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
        letter(axes)
    return fig


def split_digits(ds: xr.Dataset) -> Figure:
    """ACC and BWT with readouts of their own and one in common; accuracies after each task."""
    kinds = {"none": (RED, "not protected"), "Hebbian": (BLUE, "Hebbian rows"),
             "Hebbian, orthonormal": (PURPLE, "made orthonormal")}
    with sheet(10.5, 5.8) as fig:
        grid = fig.subplots(2, 3)
        for axes, readouts in zip(grid, ("own", "shared")):
            runs = [f"{readouts} readout: {kind}" for kind in kinds]
            names = [label for _, label in kinds.values()]
            colours = [colour for colour, _ in kinds.values()]
            for ax, variable, title in ((axes[0], "acc", "ACC"), (axes[1], "bwt", "BWT")):
                _dots(ax, ds[variable].sel(run=runs).transpose("run", "seed").values, names,
                      colours)
                ax.set(xlabel=title, title=f"{_READOUTS[readouts]}: {title}")
            axes[1].axvline(0, color="k", lw=0.8, ls="--")
            axes[1].tick_params(labelleft=False)
            _matrix(axes[2], ds.performance.sel(run=runs[-1]).mean("seed"))
            axes[2].set_title("orthonormal: accuracy (%)")
        letter(grid.ravel())
    return fig


_READOUTS = {"own": "a readout for each pair", "shared": "one readout for all"}


def principal_subspace(ds: xr.Dataset) -> Figure:
    """Error of the subspace by batch; principal angles; new rows beside frozen ones."""
    with sheet(10.5, 3.4) as fig:
        axes = fig.subplots(1, 3)
        ax = axes[0]
        for variable, colour, label in (("error", BLUE, "in batches of 64"),
                                        ("online_error", ORANGE, "network, pattern by pattern"),
                                        ("second_error", PURPLE, "five new rows")):
            ax.plot(ds.batch, ds[variable].T, color=colour, lw=0.5, alpha=0.4)
            ax.plot(ds.batch, ds[variable].median("seed"), color=colour, label=label)
        ax.axhline(0.06, color="k", ls="--", lw=0.8, label="criterion")
        ax.set(xlabel="batch", ylabel="error of the subspace", xscale="log", yscale="log",
               title="leading directions are learned", ylim=(4e-3, None))
        ax.legend(loc="lower left")
        ax = axes[1]
        for variable, colour, label in (("angle", GREY, "of the distribution"),
                                        ("pca_angle", BLUE, "of all patterns (PCA)")):
            ax.plot(ds.row, ds[variable].T, ".", color=colour, alpha=0.5)
            ax.plot(ds.row, ds[variable].median("seed"), "-", color=colour, label=label)
        ax.set(xlabel="principal angle", ylabel="angle to leading directions (degree)",
               title="against principal components", ylim=(0, None), xticks=ds.row.values)
        ax.legend(loc="upper left")
        ax = axes[2]
        names = {"interference": "response to old activity\nof a projected update,\nrelative",
                 "overlap": "overlap of new rows\nwith frozen ones",
                 "joint_error": "error of old\nand new rows"}
        for k, name in enumerate(names):
            ax.plot(ds[name], np.full(ds.sizes["seed"], -k), "o", color=BLUE, alpha=0.5, mew=0)
        ax.set(yticks=[0, -1, -2], yticklabels=names.values(), ylim=(-2.5, 0.5), xscale="log",
               xlabel="value (0 is perfect)", title="what is protected stays")
        ax.grid(axis="x", color="0.9", lw=0.6)
        letter(axes)
    return fig
