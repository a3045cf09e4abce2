"""Figures of the experiments on photographs."""

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

from .figures import _conditions, _switches

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def image_patches(ds: xr.Dataset) -> Figure:
    """Correlation against distance, and inside and outside the neighbourhood against the step."""
    side = 2 * ds.attrs["reach"] - 1
    with sheet(8.5, 3.6) as fig:
        axes = fig.subplots(1, 2)
        for name, colour, label in (("before", GREY, "input"),
                                    ("after", BLUE, f"whitened within {side} x {side} pixels")):
            axes[0].errorbar(ds.distance, ds[name], ds[f"{name}_sd"], color=colour, fmt="o-", ms=4,
                             lw=1, capsize=2, label=label)
        axes[0].axhline(0, color="k", lw=0.8)
        axes[0].set(xlabel="distance of the pixels (pixel)", ylabel="correlation",
                    title="mean and sd over pairs")
        for name, colour, label in (("inside", BLUE, "neighbours"), ("outside", ORANGE, "others")):
            axes[1].semilogy(ds.step, ds[name], color=colour, label=label)
            axes[1].axhline(ds[f"input_{name}"].item(), color=colour, lw=0.9, ls="--",
                            label=f"{label}, in the input")
        axes[1].set(xlabel="gain update", ylabel="mean |correlation|", ylim=(5e-3, 1),
                    title=f"{ds.attrs['interneurons']} interneurons adapt")
        for ax in axes:
            ax.legend()
        letter(list(axes))
    return fig


def photographs(ds: xr.Dataset) -> Figure:
    """What the circuit looked at, what it made of it, and how the gains got there."""
    with sheet(12.5, 10.2) as fig:
        top, middle, bottom = fig.subfigures(3, 1, height_ratios=[1, 1, 1.02])
        axes = top.subplots(1, 4, width_ratios=[1.25, 1.25, 1, 1])
        for i in range(2):
            _picture(axes[i], ds, i)
            _patches(axes[2 + i], ds, i)
        rows = middle.subplots(1, 3)
        _error_course(rows[0], ds)
        _variance_course(rows[1], ds)
        _gain_course(rows[2], ds)
        last = bottom.subplots(1, 5, width_ratios=[1.3, 1.3, 1, 1, 1])
        for i in range(2):
            _by_distance(last[i], ds, i)
        _covariances(last[2:], ds, bottom)
        last[0].legend(loc="upper right", fontsize=7.5)
        letter([*axes, *rows, *last[:3]])
    return fig


def _picture(ax: Axes, ds: xr.Dataset, i: int) -> None:
    from matplotlib.patches import Rectangle

    name, size = "AB"[i], ds.attrs["patch"]
    ax.imshow(ds[f"picture_{name}"], cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
    ax.plot(*(ds[f"walk_{name}"].values[:, ::-1].T + size / 2), color=SKY, lw=0.6,
            label="walk of the eye")
    for row, column in ds.patch_corner.values[i]:
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), size, size, ec=ORANGE, fc="none", lw=1.2))
    ax.add_patch(Rectangle((0, 0), 0, 0, ec=ORANGE, fc="none", lw=1.2, label="patches shown"))
    file = str(ds.attrs["image" if i == 0 else "second_image"]).replace("\\", "/").split("/")[-1]
    ax.set(title=f"context {name}: {file}", xticks=[], yticks=[])
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2)
    ax.spines[:].set_visible(False)


def _patches(ax: Axes, ds: xr.Dataset, i: int) -> None:
    """Pairs of columns: patches before, and the responses to them after adaptation."""
    before, after = ds.patch_before.values[i], ds.patch_after.values[i]
    n, size = before.shape[0], before.shape[1]
    gap, half = 1, n // 2
    canvas = np.full((half * (size + gap) - gap, 4 * (size + gap) + gap), np.nan)
    for k in range(n):
        row, column = (k % half) * (size + gap), (k // half) * (2 * (size + gap) + gap)
        for offset, patches in ((0, before), (size + gap, after)):
            # Each kind in its own units: two standard deviations of all patches of the kind.
            picture = patches[k] / (2 * patches.std())
            canvas[row:row + size, column + offset:column + offset + size] = picture
    ax.imshow(canvas, cmap="gray", vmin=-1, vmax=1)
    for k in range(4):
        x = k * (size + gap) + (k // 2) * gap + (size - 1) / 2
        ax.text(x, -1.2, ("input", "response")[k % 2], ha="center", va="bottom", fontsize=8)
    ax.set(title=f"patches of {'AB'[i]}\n", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _phases(ax: Axes, ds: xr.Dataset) -> None:
    length = ds.attrs["patches"] * ds.attrs["presentation"]
    _switches(ax, [length, 2 * length], list(ds.phase.values), 3 * length)
    ax.set(xlabel="time (s)", xlim=(0, 3 * length))


def _error_course(ax: Axes, ds: xr.Dataset) -> None:
    ax.semilogy(ds.time, ds.inside, color=BLUE, lw=1, label="circuit")
    length = ds.attrs["patches"] * ds.attrs["presentation"]
    for k, i in enumerate((0, 1, 0)):
        span = (k * length, (k + 1) * length)
        ax.hlines(ds.inside_input[i], *span, color=GREY, ls="--", lw=1,
                  label=None if k else "input")
    _phases(ax, ds)
    ax.set(ylabel="mean |correlation| of neighbours", title="whitening error\n", ylim=(0.01, 1.2))
    ax.legend(loc="lower left")


def _variance_course(ax: Axes, ds: xr.Dataset) -> None:
    for low, high, alpha in ((0.05, 0.95, 0.2), (0.25, 0.75, 0.35)):
        quantiles = ds.variance.quantile([low, high], "interneuron").values
        ax.fill_between(ds.time, *quantiles, color=GREEN, alpha=alpha, lw=0,
                        label=f"{low:.0%} to {high:.0%} of interneurons")
    ax.plot(ds.time, ds.variance.median("interneuron"), color=GREEN, lw=1, label="median")
    ax.axhline(1, color="k", lw=0.8, ls="--")
    _phases(ax, ds)
    ax.set(yscale="log", ylabel="variance of the interneuron's input",
           title="variances settle at 1\n", ylim=(0.07, 14), yticks=[0.1, 0.3, 1, 3, 10],
           yticklabels=["0.1", "0.3", "1", "3", "10"])
    ax.minorticks_off()
    ax.legend(loc="lower right", frameon=True, framealpha=1, edgecolor="none")


def _gain_course(ax: Axes, ds: xr.Dataset) -> None:
    """All gains faintly; in colour those whose offline values differ most between the contexts."""
    change = np.abs(ds.gain_offline[1] - ds.gain_offline[0]).values
    pair = (ds.kind == "pair").values
    chosen = [(k, c) for kind, colours in ((~pair, (RED, ORANGE)), (pair, (BLUE, PURPLE)))
              for k, c in zip(np.argsort(np.where(kind, -change, 1))[:2], colours)]
    ax.plot(ds.time, ds.gain[:, ::3], color=GREY, lw=0.3, alpha=0.25)
    length = ds.attrs["patches"] * ds.attrs["presentation"]
    for k, colour in chosen:
        ax.plot(ds.time, ds.gain[:, k], color=colour, lw=1,
                label=f"interneuron of a {ds.kind.values[k]}")
        for phase, i in enumerate((0, 1, 0)):
            span = (phase * length, (phase + 1) * length)
            ax.hlines(ds.gain_offline[i, k], *span, "k", "--", lw=0.9)
    _phases(ax, ds)
    ax.set(ylabel="gain", title="gains (dashed: offline rule)\n")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=7.5)


def _by_distance(ax: Axes, ds: xr.Dataset, i: int) -> None:
    for stage, colour, label in (("input", GREY, "input"), ("circuit", BLUE, "circuit's responses"),
                                 ("offline", ORANGE, "offline rule")):
        mean = ds.correlation.sel(stage=stage)[i]
        ax.errorbar(ds.distance, mean, ds.correlation_sd.sel(stage=stage)[i], color=colour,
                    fmt="o-", ms=3, lw=1, elinewidth=0.6, capsize=1.5, label=label)
    ax.axhline(0, color="k", lw=0.8)
    radius = ds.attrs["reach"] - 0.1      # every pair closer than `reach` is a pair of neighbours
    ax.axvspan(0, radius, color=SKY, alpha=0.15, lw=0)
    ax.text(radius / 2, 1.01, "near", transform=ax.get_xaxis_transform(), ha="center",
            va="bottom", fontsize=7)
    ax.set(xlabel="distance of the pixels (pixel)", ylabel="correlation", ylim=(-0.3, 1.05),
           title=f"context {'AB'[i]}: mean and sd over pairs\n")


def _covariances(axes: list[Axes], ds: xr.Dataset, fig: Figure) -> None:
    """Correlation matrices in context B: input, circuit, offline."""
    from .photographs import correlation

    names = {"input": "in B: input", "circuit": "circuit", "offline": "offline rule"}
    for ax, (stage, title) in zip(axes, names.items()):
        image = ax.imshow(correlation(ds.covariance.sel(stage=stage)[1].values), cmap="RdBu_r",
                          vmin=-1, vmax=1)
        ax.set(title=title, xlabel="pixel", xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
    axes[0].set_ylabel("pixel")
    fig.colorbar(image, ax=axes, label="correlation", location="bottom", shrink=0.5, aspect=40)


def photograph_contexts(ds: xr.Dataset) -> Figure:
    """The learned frame as patches, the error in training and in places never seen."""
    n = ds.sizes["neuron"]
    side = round(np.sqrt(n))
    with sheet(11, 3.8) as fig:
        axes = fig.subplots(1, 3, width_ratios=[1, 1.2, 1.3])
        canvas = np.full((side * (side + 1) - 1,) * 2, np.nan)
        order = np.argsort(-np.abs(ds.W.values.sum(axis=0)))
        for k, i in enumerate(order):
            row, column = (side + 1) * (k // side), (side + 1) * (k % side)
            w = ds.W.values[:, i]
            canvas[row:row + side, column:column + side] = (w / np.abs(w).max()).reshape(side, side)
        axes[0].imshow(canvas, cmap="RdBu_r", vmin=-1, vmax=1)
        axes[0].set(title="learned frame, a patch per column", xticks=[], yticks=[])
        axes[0].spines[:].set_visible(False)
        axes[1].semilogy(ds.draw, ds.error, color=SKY, lw=0.6)
        axes[1].semilogy(ds.draw, ds.error.rolling(draw=20, min_periods=1).mean(), color=BLUE,
                         label="mean of 20")
        axes[1].set(xlabel="contexts seen", ylabel=r"$\|C_{rr} - I\|$ (operator norm)",
                    title="error at the end of each context")
        axes[1].legend()
        _conditions(axes[2], ds.test_error, "test_context")
        axes[2].set(ylabel=r"$\|C_{rr} - I\|$ (operator norm)", title="places never seen")
        letter(list(axes))
    return fig
