"""Figures of the experiments with generated inputs: the paper's panels from our Datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def ellipse(ax: Axes, C: np.ndarray, **line: Any) -> None:
    """One standard deviation of a 2-D covariance."""
    value, vector = np.linalg.eigh(C)
    angle = np.linspace(0, 2 * np.pi, 200)
    x, y = vector @ (np.sqrt(np.maximum(value, 0))[:, None] * [np.cos(angle), np.sin(angle)])
    ax.plot(x, y, **line)


def _frame_axes(ax: Axes, W: np.ndarray, length: float, colours: list[str]) -> None:
    for i, (w, colour) in enumerate(zip(W.T, colours)):
        ax.plot(*(length * np.outer(w, [-1, 1])), color=colour, lw=1, ls=":", zorder=0)
        ax.annotate(f"$w_{i + 1}$", length * 1.08 * w, ha="center", va="center", color=colour)
    ax.set(aspect="equal", xlabel="neuron 1", ylabel="neuron 2")


def _switches(ax: Axes, at: list[float], names: list[str], end: float) -> None:
    """Vertical lines where the context changes, and the contexts' names along the top."""
    edges = [0, *at, end]
    for x in at:
        ax.axvline(x, color="k", lw=0.8, ls="--")
    for left, right, name in zip(edges, edges[1:], names):
        ax.text((left + right) / 2, 1.0, name, transform=ax.get_xaxis_transform(), ha="center",
                va="bottom", fontsize=8)


def two_contexts(ds: xr.Dataset) -> Figure:
    """Ellipses, variances, gains and error through the two contexts."""
    step, switch = ds.step.values, ds.sizes["step"] // 2
    at, colours = float(step[switch]), [BLUE, ORANGE, GREEN]
    with sheet(10, 6.2) as fig:
        axes = fig.subplots(2, 3)
        for ax, i in ((axes[0, 0], 0), (axes[1, 0], 1)):
            first, last = ds.C_yy[i * switch], ds.C_yy[(i + 1) * switch - 1]
            ellipse(ax, ds.C[i].values, color=GREY, label="input")
            ellipse(ax, first.values, color=RED, label="response, first step")
            ellipse(ax, last.values, color="k", label="response, last step")
            _frame_axes(ax, ds.W.values, 3.6, colours)
            ax.set(title=f"context {ds.context.values[i]}: one s.d.", xlim=(-5.5, 5.5),
                   ylim=(-4.6, 8.2), yticks=[-4, -2, 0, 2, 4])
            ax.legend(loc="upper left", borderpad=0)
        for ax, name, label in ((axes[0, 1], "variance", "variance of the interneuron"),
                                (axes[0, 2], "gain", "gain")):
            for k, colour in enumerate(colours):
                ax.plot(step, ds[f"{name}_online"][:, 0, k], color=colour, lw=0.6, alpha=0.5)
                ax.plot(step, ds[name][:, k], color=colour, label=f"interneuron {k + 1}")
                if name == "gain":
                    for i in range(2):
                        ax.hlines(ds.gain_optimal[i, k], i * at, (i + 1) * at, "k", "--", lw=0.8)
            ax.set(xlabel="gain update", ylabel=label)
            _switches(ax, [at], ["context A", "context B"], 2 * at)
        axes[0, 1].axhline(1, color="k", lw=0.8, ls="--")
        axes[0, 1].set(yscale="log", title="variances settle at 1\n", yticks=[0.6, 1, 2, 3, 5],
                       yticklabels=["0.6", "1", "2", "3", "5"])
        axes[0, 1].minorticks_off()
        axes[0, 2].set_title("gains (dashed: closed form)\n")
        axes[0, 1].legend()
        ax = axes[1, 1]
        ax.semilogy(step, ds.error_online, color=SKY, lw=0.5, alpha=0.7)
        ax.plot([], [], color=SKY, lw=0.8, label=f"online, {ds.sizes['run']} runs")
        ax.semilogy(step, ds.error, color="k", label="offline")
        ax.axhline(0.1, color=GREY, lw=0.8, ls=":")
        ax.set(xlabel="gain update", ylabel=r"$\|C_{yy} - I\|$ (operator norm)",
               title="whitening error\n")
        _switches(ax, [at], ["context A", "context B"], 2 * at)
        ax.legend(loc="lower left")
        ax = axes[1, 2]
        for k, colour in enumerate(colours):
            for i, marker in enumerate("os"):
                ax.plot(np.full(ds.sizes["run"], ds.gain_optimal[i, k]), ds.late_gain[i, :, k],
                        marker, color=colour, mfc="none", ms=4)
        ax.plot([0.4, 2.3], [0.4, 2.3], color="k", lw=0.8, ls="--")
        ax.set(xlabel="gain in closed form", ylabel="mean online gain, last 10 %", aspect="equal",
               title="online against closed form")
        for marker, name in zip("os", "AB"):
            ax.plot([], [], marker, color=GREY, mfc="none", ms=4, label=f"context {name}")
        ax.legend()
        letter([axes[0, 0], axes[0, 1], axes[0, 2], axes[1, 0], axes[1, 1], axes[1, 2]])
    return fig


def frame_speed(ds: xr.Dataset) -> Figure:
    """Median error with quartiles against the step for each frame; rate against theory."""
    colours = {"random": GREY, "optimised": BLUE, "spectral": ORANGE}
    n = ds.sizes["N"]
    with sheet(4 * (n + 1), 3.6) as fig:
        axes = np.atleast_1d(fig.subplots(1, n + 1))
        for ax, N in zip(axes, ds.N.values):
            for name, colour in colours.items():
                error = ds.error.sel(sided="two-sided", N=N, frame=name).dropna("repeat")
                low, mid, high = error.quantile([0.25, 0.5, 0.75], "repeat").values
                x = ds.step.values + 1
                ax.fill_between(x, low, high, color=colour, alpha=0.25, lw=0)
                ax.loglog(x, mid, color=colour, label=name)
            ax.set(xlabel="gain update", ylabel=r"$\|C_{yy} - I\|$ (operator norm)",
                   title=f"N = {N}: median and quartiles", ylim=(1e-6, 2))
            ax.legend(title="frame", loc="lower left")
        ax = axes[-1]
        for name, colour in colours.items():
            for N, marker in zip(ds.N.values, "os"):
                row = {"N": N, "frame": name}
                ax.loglog(ds.rate_predicted.sel(row), ds.rate.sel(row), marker, color=colour,
                          mfc="none", ms=4, label=f"{name}, N = {N}")
        limits = [1e-4, 3e-2]
        ax.plot(limits, limits, color="k", lw=0.8, ls="--")
        ax.set(xlabel="slowest rate of the Hessian (1/step)", ylabel="measured late rate (1/step)",
               title="why: curvature at the optimum", xlim=limits, ylim=limits)
        ax.legend()
        letter(list(axes))
    return fig


def recruitment(ds: xr.Dataset) -> Figure:
    """Gains of both frames through the four phases, and the error."""
    n, step = ds.sizes["step"], ds.step.values
    length = float(step[-1] + step[1] - step[0])
    at = [length * i for i in (1, 2, 3)]
    with sheet(10, 6) as fig:
        axes = fig.subplot_mosaic([["spectral", "error"], ["random", "final"]],
                                  width_ratios=[1.25, 1])
        for name in ("spectral", "random"):
            ax = axes[name]
            gains = ds.gain.sel(frame=name).values.reshape(4 * n, -1)
            image = ax.imshow(gains.T, aspect="auto", cmap="RdBu_r", vmin=-0.2, vmax=0.2,
                              extent=(0, 4 * length, gains.shape[1] + 0.5, 0.5))
            _switches(ax, at, list(ds.phase.values), 4 * length)
            ax.set(xlabel="gain update", ylabel="interneuron", title=f"gains, {name} frame\n")
            fig.colorbar(image, ax=ax, label="gain", extend="both")
        for label, row in (("axes of A", 3.5), ("axes of B", 9.5), ("other", 17)):
            axes["spectral"].annotate(label, (0.99, row), xycoords=("axes fraction", "data"),
                                      ha="right", va="center", fontsize=8)
        ax = axes["error"]
        for name, colour in (("spectral", ORANGE), ("random", GREY)):
            error = ds.error.sel(frame=name)
            for i in range(4):
                ax.semilogy(step + i * length, error[i].T, color=colour, lw=0.6, alpha=0.6)
                ax.semilogy(step + i * length, error[i, 0], color=colour,
                            label=f"{name} frame" if i == 0 else None)
        _switches(ax, at, list(ds.phase.values), 4 * length)
        ax.axhline(0.1, color="k", lw=0.8, ls=":")
        ax.set(xlabel="gain update", ylabel=r"$\lambda_{max}(C_{yy}) - 1$",
               title="error (thin: other draws)\n", ylim=(3e-3, 1))
        ax.legend(loc="lower center", ncols=2)
        ax = axes["final"]
        index = np.arange(1, ds.sizes["interneuron"] + 1)
        for i, (colour, name) in enumerate(((BLUE, "A"), (RED, "B"))):
            ax.bar(index + 0.4 * i - 0.2, ds.gain.sel(frame="spectral")[2 + i, -1], 0.4,
                   color=colour, label=f"end of {name}")
        ax.axhline(0, color="k", lw=0.6)
        ax.set(xlabel="interneuron", ylabel="gain", title="recruited, spectral frame",
               xticks=[1, 6, 12, 21])
        ax.legend()
        letter([axes[k] for k in ("spectral", "error", "random", "final")])
    return fig


def non_negative_gains(ds: xr.Dataset) -> Figure:
    """Input and responses, gains and error with and without the constraint."""
    colours = {"signed": PURPLE, "non-negative": GREEN}
    with sheet(11, 3.6) as fig:
        axes = fig.subplots(1, 4)
        ellipse(axes[0], ds.C.values, color=GREY, label="input")
        for name, colour in colours.items():
            ellipse(axes[0], ds.C_yy.sel(constraint=name)[0].values, color=colour,
                    label=f"response, {name}")
        _frame_axes(axes[0], ds.W.values, 1.9, ["k", "k", "k"])
        axes[0].set(title="one standard deviation", ylim=(-2.4, 3.6))
        axes[0].legend(loc="upper center")
        shown = ds.sel(step=slice(0, 1000))
        for name, colour in colours.items():
            run = shown.sel(constraint=name).isel(eta=0)
            axes[1].plot(run.step, run.gain, color=colour)
            axes[2].semilogy(run.step, run.error, color=colour, label=name)
        for i, g in enumerate(ds.gain_optimal.values):
            axes[1].axhline(g, color="k", lw=0.8, ls=":", label=None if i else "closed form")
        axes[1].set(xlabel="gain update", ylabel="gain", title="the three gains", xlim=(0, 400))
        axes[1].legend(loc="center right")
        axes[2].set(xlabel="gain update", ylabel=r"mean $(\lambda_i - 1)^2$",
                    title="error", ylim=(1e-12, 20))
        axes[2].legend(loc="center right")
        x = np.arange(2)
        for i, (name, colour) in enumerate(colours.items()):
            axes[3].bar(x + 0.4 * i - 0.2, ds.M_eigenvalue.sel(constraint=name)[0], 0.4,
                        color=colour, label=name)
        axes[3].axhline(1, color="k", lw=0.8, ls="--")
        axes[3].set(yscale="log", xticks=x, xticklabels=["strong axis", "weak axis"],
                    ylabel="eigenvalue of M", title="amplification")
        axes[3].legend(loc="upper left")
        letter(list(axes))
    return fig


def local_whitening(ds: xr.Dataset) -> Figure:
    """Correlation against distance, and how the error within the neighbourhood falls."""
    colours = [BLUE, RED]
    with sheet(8.5, 3.6) as fig:
        axes = fig.subplots(1, 2)
        axes[0].plot(ds.distance, ds.before, "o-", color=GREY, ms=4, label="input")
        for h, colour in zip(ds.reach.values, colours):
            row, side = ds.sel(reach=h), 2 * h - 1
            axes[0].errorbar(ds.distance, row.after, row.spread, color=colour, fmt="o-", ms=4,
                             lw=1, capsize=2, label=f"whitened within {side} x {side} pixels")
            axes[1].semilogy(row.step, row.inside_error, color=colour,
                             label=f"{side} x {side} pixels, {row.n_interneurons.item()} "
                                   "interneurons")
        axes[0].axhline(0, color="k", lw=0.8)
        axes[0].set(xlabel="distance of the pixels (pixel)", ylabel="correlation",
                    title="mean and sd over pairs")
        axes[1].set(xlabel="gain update", ylabel=r"largest $|(C_{yy} - I)_{ab}|$ of neighbours",
                    title="error within the neighbourhood")
        for ax in axes:
            ax.legend()
        letter(list(axes))
    return fig


def learned_frame_online(ds: xr.Dataset) -> Figure:
    """Where the frames start and end, one run's path, and the error."""
    with sheet(11, 3.6) as fig:
        axes = fig.subplots(1, 3)
        ax = axes[0]
        V, path = ds.V[0].values, ds.W_course.values
        angle = np.linspace(0, 2 * np.pi, 200)
        ax.plot(np.cos(angle), np.sin(angle), color=GREY, lw=0.6)
        for k, colour in enumerate((BLUE, RED)):
            ax.plot(*np.outer(V[:, k], [-1, 1]), color="k", lw=1, ls="--",
                    label=None if k else "shared axes")
            ax.plot(*path[:, :, k].T, color=colour, lw=2)
            ax.plot(*ds.W_first[0, :, k], "o", color=colour, mfc="w", label=f"$w_{k + 1}$, first")
            ax.plot(*path[-1, :, k], "o", color=colour, label=f"$w_{k + 1}$, last")
        ax.set(aspect="equal", xlabel="neuron 1", ylabel="neuron 2", title="one run",
               xlim=(-1.3, 2.6), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        ax.legend(loc="upper right")
        bins = np.geomspace(1e-3, 3, 36)
        axes[1].hist(ds.distance_first, bins, color=GREY, alpha=0.8, label="first frame")
        axes[1].hist(ds.distance[:, -1], bins, color=BLUE, alpha=0.8, label="learned frame")
        axes[1].set(xscale="log", xlabel="distance of W from the shared axes",
                    ylabel="number of runs", title=f"{ds.sizes['run']} runs")
        axes[1].legend(loc="upper center")
        axes[1].yaxis.get_major_locator().set_params(integer=True)
        smooth = ds.error.mean("run").rolling(draw=20, min_periods=1).mean()
        axes[2].plot(ds.draw, ds.error.mean("run"), color=SKY, lw=0.5)
        axes[2].plot(ds.draw, smooth, color=BLUE, label="mean over runs; mean of 20 contexts")
        axes[2].set(xlabel="contexts seen", ylabel=r"$\|C_{yy} - I\|$ (operator norm)",
                    ylim=(0, None), title="error at the end of each context")
        axes[2].legend()
        letter(list(axes))
    return fig


def learned_frame_offline(ds: xr.Dataset) -> Figure:
    """Distance from the shared axes, and error, against the contexts seen."""
    with sheet(8, 3.4) as fig:
        axes = fig.subplots(1, 2)
        for ax, name, label in ((axes[0], "distance", "distance of W from the shared axes"),
                                (axes[1], "error", r"$\|C_{rr} - I\|$ (operator norm)")):
            ax.semilogy(ds.draw, ds[name].T + 1e-17, color=SKY, lw=0.6)
            ax.semilogy(ds.draw, ds[name].median("run") + 1e-17, color=BLUE, label="median")
            ax.set(xlabel="contexts seen", ylabel=label, title=f"{ds.sizes['run']} runs")
            ax.legend()
        letter(list(axes))
    return fig


def transform_coding(ds: xr.Dataset) -> Figure:
    """The learned frame beside the transform, the alignment, and the error in new contexts."""
    V, W = ds.V.values, ds.W[0].values
    best = np.abs(V.T @ W).argmax(axis=1)
    sign = np.sign(np.sum(V * W[:, best], axis=0))
    with sheet(11, 3.4) as fig:
        axes = fig.subplots(1, 4, width_ratios=[1, 1, 1.1, 1.3])
        for ax, matrix, title in ((axes[0], V, "cosine transform V"),
                                  (axes[1], W[:, best] * sign, "learned frame W")):
            image = ax.imshow(matrix, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
            ax.set(title=title, xlabel="column", ylabel="neuron")
            ax.spines[:].set_visible(True)
        fig.colorbar(image, ax=axes[:2], label="weight", shrink=0.7, location="bottom")
        axes[2].plot(ds.draw, ds.alignment.T, color=BLUE)
        axes[2].set(xlabel="contexts seen", ylabel=r"smallest $|\cos(w_i, v)|$", ylim=(0, 1.03),
                    title=f"alignment, {ds.sizes['run']} runs")
        _conditions(axes[3], ds.test_error.T, "run")
        axes[3].set(ylabel=r"mean $\|C_{rr} - I\|$", title="contexts never seen")
        letter(list(axes))
    return fig


def _conditions(ax: Axes, values: xr.DataArray, dim: str, floor: float = 1e-15) -> None:
    """A column of points for each condition, on a log scale; zeros are drawn at `floor`."""
    for i, name in enumerate(values.condition.values):
        y = np.maximum(values.sel(condition=name).values, floor)
        ax.plot(np.full(y.size, i) + np.linspace(-0.12, 0.12, y.size), y, "o", ms=4, mfc="none",
                color=[BLUE, ORANGE, GREEN, GREY][i % 4])
        ax.hlines(np.median(y), i - 0.3, i + 0.3, color="k", lw=1)
    names = [str(name).replace(" ", "\n") for name in values.condition.values]
    ax.set(yscale="log", xticks=range(len(names)), xticklabels=names)
