"""Figures of the three experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.circuits._sheet import BLUE, GREEN, GREY, ORANGE, RED, SKY, letter, sheet

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["competition", "correlated_group", "short_latency"]

_BINS = np.linspace(0, 1, 26)


def _histogram(ax: Axes, g: np.ndarray, colour: str, label: str, **line: object) -> None:
    """Distribution of conductances, in percent of all synapses."""
    count, _ = np.histogram(g, _BINS)
    ax.stairs(100 * count / g.size, _BINS, color=colour, label=label, lw=1.4, **line)


def _spread(ax: Axes, x: np.ndarray, y: np.ndarray, colour: str, label: str, marker: str) -> None:
    """Mean over trials (last axis) as a line, each trial as a mark."""
    ax.plot(x, y.mean(axis=-1), color=colour, label=label)
    ax.plot(np.repeat(x, y.shape[-1]), y.ravel(), marker, color=colour, mfc="none", ms=4)


def competition(ds: xr.Dataset) -> Figure:
    """Conductances before and after, the course of the rate, rate and CV against the input's."""
    rate = ds.rate.values
    ends = ((0, BLUE), (-1, RED))
    with sheet(10.5, 6.2) as fig:
        axes = fig.subplots(2, 3).ravel()
        ax = axes[0]
        _histogram(ax, ds.g_first.values, GREY, "at the beginning", linestyle=":")
        for k, colour in ends:
            _histogram(ax, ds.g[k].values, colour, f"learned, input {rate[k]:g} Hz")
        ax.set(xlabel=r"conductance $g/g_{max}$", ylabel="synapses (%)", yscale="log",
               ylim=(0.2, None), title="strong or weak")
        ax.legend(loc="upper center")
        ax = axes[1]
        for k, colour in ends:
            ax.plot(ds.time, ds.course[k].T, color=colour, lw=0.6, alpha=0.5)
            ax.plot(ds.time, ds.course[k].mean("trial"), color=colour,
                    label=f"input {rate[k]:g} Hz")
        top = 2.2 * float(ds.course[-1, :, 10:].mean())
        ax.set(xlabel="time (s)", ylabel="output rate (Hz)", ylim=(0, top),
               title="the rate while learning")
        ax.legend()
        ax = axes[2]
        ax.plot(rate, rate, color="k", ls="--", lw=0.8, label="output = input")
        for name, colour, label in (("fixed", ORANGE, f"fixed, as learned at {rate[0]:g} Hz"),
                                    ("learned", BLUE, "with STDP")):
            _spread(ax, rate, ds.output_rate.sel(condition=name).values, colour, label, "o")
        ax.set(xlabel="input rate (Hz)", ylabel="output rate (Hz)", yscale="log",
               title="a steady rate")
        ax.legend()
        ax = axes[3]
        for name, colour, label in (("all at g_max", GREY, r"all synapses at $g_{max}$"),
                                    ("fixed", ORANGE, f"fixed, as learned at {rate[0]:g} Hz"),
                                    ("learned", BLUE, "with STDP")):
            _spread(ax, rate, ds.cv.sel(condition=name).values, colour, label, "o")
        ax.axhline(1, color="k", ls="--", lw=0.8)
        ax.annotate("Poisson", (rate[-1], 1.01), ha="right", va="bottom", fontsize=8)
        ax.set(xlabel="input rate (Hz)", ylabel="CV of the intervals", ylim=(0, 1.7),
               title="irregular firing")
        ax.legend(loc="upper left")
        ax = axes[4]
        for group, colour, label in (("strong", RED, r"$g > g_{max}/2$"),
                                     ("weak", SKY, r"$g < g_{max}/2$")):
            _spread(ax, rate, ds.pair_ratio.sel(group=group).values, colour, label, "o")
        ax.axhline(1.05, color="k", ls="--", lw=0.8)
        ax.annotate("depression outweighs below", (rate[-1], 1.049), ha="right", va="top",
                    fontsize=8)
        ax.set(xlabel="input rate (Hz)", ylabel="input-before-output pairs\nover output-before-"
               "input pairs", title="what keeps them strong",
               ylim=(None, float(ds.pair_ratio.max()) + 0.04))
        ax.legend(loc="upper right", ncols=2)
        ax = axes[5]
        shown = ds.g[0, 0].values
        ax.plot(ds.g_first, shown, ".", color=GREEN, ms=3)
        ax.set(xlabel=r"first $g/g_{max}$", ylabel=r"learned $g/g_{max}$", aspect="equal",
               title=f"one neuron, input {rate[0]:g} Hz")
        letter(axes)
    return fig


def short_latency(ds: xr.Dataset) -> Figure:
    """Conductance against latency, and the responses to a burst before and after learning."""
    latency = 1e3 * ds.latency.values
    order = np.argsort(latency)
    with sheet(9.5, 3.4) as fig:
        axes = fig.subplots(1, 2, width_ratios=[1.2, 1])
        ax = axes[0]
        ax.plot(latency, ds.g_first, ".", color=GREY, ms=2, label="at the beginning")
        ax.plot(latency, ds.g[0], ".", color=BLUE, ms=3, label="learned, one neuron")
        smooth = ds.g.mean("trial").values[order]
        window = np.ones(50) / 50
        ax.plot(np.convolve(latency[order], window, "valid"), np.convolve(smooth, window, "valid"),
                color="k", label=f"mean of {ds.sizes['trial']} neurons and 50 inputs")
        ax.set(xlabel="latency of the input (ms)", ylabel=r"conductance $g/g_{max}$",
               title="early inputs win", ylim=(-0.03, 1.45), yticks=[0, 0.5, 1])
        ax.legend(loc="upper right")
        ax = axes[1]
        for phase, colour in (("before", GREY), ("after", BLUE)):
            response = ds.response.sel(phase=phase).mean("trial")
            mean = 1e3 * float(ds.response_latency.sel(phase=phase).mean())
            ax.plot(1e3 * ds.after_burst, response, color=colour,
                    label=f"{phase} learning: half-maximum at {mean:.1f} ms")
            ax.axvline(mean, color=colour, ls=":", lw=1)
        ax.set(xlabel="time from the mean begin of the inputs' bursts (ms)",
               ylabel="output rate (Hz)", title="the response comes earlier", ylim=(0, None))
        ax.legend(loc="upper right")
        ax.set_ylim(top=1.25 * ax.get_ylim()[1])
        letter(axes)
    return fig


def correlated_group(ds: xr.Dataset) -> Figure:
    """Conductances of one neuron, their distribution by group, and the course of learning."""
    n = ds.attrs["n_correlated"]
    colours = {"correlated": RED, "uncorrelated": SKY}
    parts = {"correlated": slice(None, n), "uncorrelated": slice(n, None)}
    with sheet(10.5, 3.4) as fig:
        axes = fig.subplots(1, 3)
        for name, colour in colours.items():
            where = np.arange(ds.sizes["synapse"])[parts[name]]
            axes[0].plot(where + 1, ds.g[0].values[parts[name]], ".", color=colour, ms=3)
            _histogram(axes[1], ds.g.values[:, parts[name]], colour, name)
            course = ds.course.sel(group=name)
            axes[2].plot(ds.time, course.T, color=colour, lw=0.6, alpha=0.5)
            axes[2].plot(ds.time, course.mean("trial"), color=colour, label=name)
        axes[0].set(xlabel="input (the correlated ones first)", ylabel=r"conductance $g/g_{max}$",
                    title="one neuron, after learning")
        axes[1].set(xlabel=r"conductance $g/g_{max}$", ylabel="synapses of the group (%)",
                    title=f"{ds.sizes['trial']} neurons")
        axes[2].set(xlabel="time (s)", ylabel=r"mean $g/g_{max}$", ylim=(0, 1),
                    title="the correlated group wins")
        for ax in axes[1:]:
            ax.legend()
        letter(axes)
    return fig
