"""Figures of the experiments."""

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
    letter,
    sheet,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "alignment_with_task",
    "circuit_structure",
    "dynamical_regime",
    "initial_rank",
    "linear_theory",
]

TASK_COLOURS = {"2AF": BLUE, "DMS": ORANGE, "CXT": GREEN, "digits": PURPLE}
#: Measures of how rich learning was: variable, label of the axis, title.
REGIME = (
    ("kernel_alignment", "alignment", "tangent kernel"),
    ("representation_alignment", "alignment", "representation"),
    ("weight_change", "norm of the change", "recurrent weights"),
)


def initial_rank(ds: xr.Dataset) -> Figure:
    """How far learning moved networks of each rank, their accuracy, and the initial kernels."""
    with sheet(10.5, 6) as fig:
        axes = fig.subplots(2, 3).ravel()
        panels = (
            *REGIME,
            ("sign_similarity", "share that is kept", "signs of the activity"),
            ("accuracy", "accuracy", "performance after learning"),
        )
        for ax, (name, label, title) in zip(axes, panels):
            for task in ds.task.values:
                one = ds.sel(task=task)
                _points(ax, one["rank"].values, one[name], one.learned, TASK_COLOURS[task], task)
            ax.set(xscale="log", xlabel="rank of the initial weights", ylabel=label, title=title)
            ax.set_xticks(ds["rank"].values, ds["rank"].values)
            ax.minorticks_off()
            if name in ("kernel_alignment", "representation_alignment", "sign_similarity"):
                ax.set_ylim(None, 1.02)
        for task in ds.task.values:
            axes[4].axhline(ds.criterion.sel(task=task), color=TASK_COLOURS[task], ls=":", lw=0.8)
            one = ds.sel(task=task)
            axes[5].plot(
                one.target_alignment.where(one.learned),
                one.kernel_alignment,
                "o",
                color=TASK_COLOURS[task],
                ms=3.5,
                mfc="none",
            )
        axes[5].set(
            xlabel="alignment of the initial kernel with the targets",
            xscale="log",
            ylabel="alignment of the kernels",
            title="each network",
        )
        axes[5].set_xticks([0.01, 0.03, 0.1, 0.3], ["0.01", "0.03", "0.1", "0.3"])
        axes[5].minorticks_off()
        axes[0].legend(title="task")
        axes[4].set_ylim(None, 1.06)
        axes[4].annotate(
            "dotted: criterion; crosses: not learned",
            (0.5, 1),
            fontsize=8,
            xycoords="axes fraction",
            ha="center",
            va="top",
        )
        letter(axes)
    return fig


def dynamical_regime(ds: xr.Dataset) -> Figure:
    """Rank one and full rank by gain, for each task."""
    ranks = ds["rank"].values
    with sheet(10.5, 2.9 * ds.sizes["task"] + 0.3) as fig:
        axes = fig.subplots(ds.sizes["task"], 3, squeeze=False)
        for row, task in zip(axes, ds.task.values):
            for ax, (name, label, title) in zip(row, REGIME):
                for rank, colour in zip(ranks, (RED, BLUE)):
                    one = ds.sel(task=task, rank=rank)
                    _points(
                        ax,
                        ds.gain.values,
                        one[name],
                        one.learned,
                        colour,
                        f"rank {rank}" + (" (full)" if rank == ranks.max() else ""),
                    )
                ax.set(
                    xlabel="gain of the initial weights",
                    ylabel=label,
                    title=f"{task}: {title}",
                    xlim=_wide(ds.gain.values),
                )
                ax.set_xticks(ds.gain.values)
        axes[0, 0].legend()
        letter(axes.ravel())
    return fig


def circuit_structure(ds: xr.Dataset) -> Figure:
    """Effective rank and the measures of learning for each structure."""
    names = [str(name) for name in ds.structure.values]
    x = np.arange(len(names))
    panels = (("effective_rank", "effective rank", "initial weights"), *REGIME)
    with sheet(11, 3.4) as fig:
        axes = fig.subplots(1, len(panels))
        for ax, (name, label, title) in zip(axes, panels):
            for k, task in enumerate(ds.task.values):
                one = ds.sel(task=task)
                if name == "effective_rank":  # that of the weights, the same for all tasks
                    _points(ax, x, one[name], None, GREY, None, "none")
                    break
                _points(
                    ax,
                    x + 0.2 * (k - (ds.sizes["task"] - 1) / 2),
                    one[name],
                    one.learned,
                    TASK_COLOURS[task],
                    task,
                    "none",
                )
            ax.set(ylabel=label, title=title, xlim=(-0.5, len(names) - 0.5))
            ax.set_xticks(x, names, rotation=35, ha="right")
        axes[0].set_ylim(0, None)
        axes[1].legend(title="task")
        letter(axes)
    return fig


def linear_theory(ds: xr.Dataset) -> Figure:
    """The mean alignment by rank, and every network beside its closed form."""
    sigma = ds.sigma.values[0]
    with sheet(8, 3.4) as fig:
        left, right = fig.subplots(1, 2)
        left.plot(ds["rank"], ds.mean_theory, color=GREY, label="closed form, mean over teachers")
        for name in ds.initial.values:
            found = ds.simulated.sel(sigma=sigma, initial=name)
            aligned = name == "aligned"
            rank = 1 if aligned else int(str(name).split()[1])
            _points(
                left,
                np.array([rank]),
                found,
                None,
                RED if aligned else BLUE,
                "simulated, rank 1, aligned" if aligned else "simulated" if rank == 1 else None,
                "none",
            )
        left.set(
            xlabel="rank of the initial weights $W_1$",
            ylabel="alignment of the kernels",
            title="lazier with rank, on average",
        )
        left.legend(loc="lower right")
        limits = [float(ds.theory.min()) - 0.003, 1.003]
        right.plot(limits, limits, color=GREY, lw=0.8)
        for value, marker in zip(ds.sigma.values, "ox"):
            for name, colour in zip(ds.initial.values, _initial_colours(ds.initial.values)):
                one = ds.sel(sigma=value, initial=name)
                right.plot(
                    one.theory,
                    one.simulated,
                    marker,
                    color=colour,
                    ms=4,
                    mfc="none",
                    label=name if value == sigma else None,
                )
        right.set(
            xlabel="alignment, closed form",
            ylabel="alignment, simulated",
            title="every network",
            xlim=limits,
            ylim=limits,
        )
        right.set_aspect("equal")
        right.legend(loc="upper left")
        right.annotate(
            "\n".join(
                rf"{'circles' if k == 0 else 'crosses'}: $\sigma$ = {value:g}"
                for k, value in enumerate(ds.sigma.values)
            ),
            (0.98, 0.04),
            xycoords="axes fraction",
            ha="right",
            fontsize=8,
        )
        letter([left, right])
    return fig


def alignment_with_task(ds: xr.Dataset) -> Figure:
    """Alignment of the kernels by condition number, for each way to begin."""
    colours = (BLUE, GREY, GREEN, RED)
    with sheet(6, 3.8) as fig:
        ax = fig.subplots()
        for name, colour in zip(ds.initial.values, colours):
            ax.plot(ds.condition_number, ds.mean_theory.sel(initial=name), color=colour, lw=1)
            _points(
                ax,
                ds.condition_number.values,
                ds.simulated.sel(initial=name),
                None,
                colour,
                str(name),
                "none",
            )
        ax.set(
            xscale="log",
            xlabel="condition number of the features",
            ylabel="alignment of the kernels",
            title="lines: closed form, mean of 1000 teachers; points: simulated",
        )
        ax.set_xticks(ds.condition_number.values, [f"{k:g}" for k in ds.condition_number.values])
        ax.minorticks_off()
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="initial weights")
    return fig


def _points(
    ax: Axes,
    x: np.ndarray,
    found: xr.DataArray,
    learned: xr.DataArray | None,
    colour: str,
    label: str | None,
    line: str = "-",
) -> None:
    """Means over the last dimension at `x`, with standard errors; behind them each network.

    Those that have not learned are crosses, and do not count.
    """
    values = np.atleast_2d(found.values)
    counts = np.ones(values.shape, bool) if learned is None else np.atleast_2d(learned.values)
    for column, good in zip(values.T, counts.T):
        ax.plot(x[good], column[good], "o", color=colour, ms=3, mfc="none", mew=0.6, alpha=0.6)
        ax.plot(x[~good], column[~good], "x", color=colour, ms=4, mew=0.8, alpha=0.6)
    n = counts.sum(axis=1)
    mean, error = np.full((2, len(n)), np.nan)
    for k, (row, good) in enumerate(zip(values, counts)):
        if n[k]:
            mean[k] = row[good].mean()
        if n[k] > 1:
            error[k] = row[good].std(ddof=1) / np.sqrt(n[k])
    ax.errorbar(x, mean, error, color=colour, ls=line, marker="o", ms=4.5, capsize=2, label=label)


def _wide(x: np.ndarray) -> tuple[float, float]:
    margin = 0.15 * (x.max() - x.min()) or 0.1
    return x.min() - margin, x.max() + margin


def _initial_colours(names: np.ndarray) -> list[str]:
    return [
        RED if name == "aligned" else colour
        for name, colour in zip(names, (*[ORANGE, GREEN, BLUE, PURPLE, GREY] * 3,))
    ]
