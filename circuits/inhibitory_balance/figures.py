"""Figures of the two experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.circuits._sheet import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, letter, sheet

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["detailed_balance", "memories"]


def detailed_balance(ds: xr.Dataset) -> Figure:
    """Currents in time, by channel before and after, and the course of learning."""
    kinds = {"excitatory": RED, "inhibitory": BLUE}
    with sheet(10.5, 6) as fig:
        axes = fig.subplot_mosaic([["currents", "before", "strength"],
                                   ["voltage", "after", "rate"]])
        ax, moment = axes["currents"], ds.moment.values
        total = ds.total_current.isel(trial=0)
        for (kind, colour), sign in zip(kinds.items(), (-1, 1)):
            ax.plot(moment, sign * total.sel(kind=kind), color=colour, lw=1, label=kind)
        ax.plot(moment, total.sel(kind="inhibitory") - total.sel(kind="excitatory"), color=GREEN,
                lw=1, label="sum")
        ax.set(xlabel="time (s)", ylabel="synaptic current (nA)",
               title="currents mirror each other")
        ax.legend(ncols=3, loc="upper center", columnspacing=1)
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.25 * (high - low))
        axes["voltage"].plot(moment, ds.v.isel(trial=0), color="k", lw=0.8)
        axes["voltage"].set(xlabel="time (s)", ylabel="membrane potential (mV)",
                            title="after learning, one neuron")
        top = 1.15 * float(ds.current.max())
        for phase in ("before", "after"):
            ax = axes[phase]
            for kind, colour in kinds.items():
                found = ds.current.sel(phase=phase, kind=kind)
                ax.plot(ds.channel, found.T, "o", color=colour, mfc="none", ms=4, alpha=0.6)
                ax.plot(ds.channel, found.mean("trial"), color=colour, label=kind)
            ax.set(xlabel="channel", ylabel="mean synaptic current (nA)", ylim=(0, top),
                   title=f"tuning {phase} learning", xticks=ds.channel)
            ax.legend(loc="upper left")
        ax = axes["strength"]
        for channel, colour in ((5, RED), (4, PURPLE), (3, SKY), (1, GREY)):
            one = ds.strength.sel(channel=channel)
            ax.plot(ds.time, one.T, color=colour, lw=0.6, alpha=0.5)
            ax.plot(ds.time, one.mean("trial"), color=colour, label=f"channel {channel}")
        ax.set(xlabel="time (s)", ylabel="inhibitory conductance (pS)", ylim=(0, None),
               title="inhibitory synapses")
        ax.legend(ncols=2, loc="upper left")
        ax.set_ylim(top=1.25 * ax.get_ylim()[1])
        ax = axes["rate"]
        ax.plot(ds.time, ds.output_rate.T, color=GREY, lw=0.6, alpha=0.6)
        ax.plot(ds.time, ds.output_rate.mean("trial"), color="k",
                label=f"mean of {ds.sizes['trial']} neurons")
        ax.axhline(6.25, color=ORANGE, ls="--", lw=1, label="target rate")
        ax.set(xlabel="time (s)", ylabel="output rate (Hz)", ylim=(0, None),
               title="output rate while learning")
        ax.legend()
        letter([axes[k] for k in ("currents", "before", "strength", "voltage", "after", "rate")])
    return fig


def memories(ds: xr.Dataset) -> Figure:
    """Rasters of the phases, and rates, inhibition, irregularity and correlation in each."""
    colours = {"cued": ORANGE, "assembly 1": RED, "assembly 2": PURPLE, "control": GREY,
               "inhibitory": BLUE}
    phases, groups = list(ds.phase.values), list(ds.group.values)
    shown, rows = [name for name in phases if name != "after the cue"], ds.attrs["raster_rows"]
    with sheet(11, 7.2) as fig:
        upper, middle, lower = fig.subfigures(3, 1, height_ratios=[1.3, 1, 1.25])
        axes = list(upper.subplots(1, len(shown), sharey=True))
        for ax, name in zip(axes, shown):
            _raster(ax, ds, phases.index(name), list(colours.values()))
            ax.set_title(name)
            ax.set_yticks((np.arange(len(groups)) + 0.5) * rows, groups)
            ax.tick_params(axis="y", length=0)
        ax = middle.subplots()
        for name, colour in colours.items():
            ax.plot(ds.time, np.maximum(ds.course.sel(group=name), 0.3), color=colour, lw=0.9,
                    label=name)
        starts = ds.attrs["phase_starts"]
        for at, label in ((2, "balanced"), (3, "stored"), (5, "rebalanced"), (6, "cue")):
            ax.axvline(starts[at], color="k", ls=":", lw=0.8)
            ax.annotate(label, (starts[at], 1.0), xycoords=ax.get_xaxis_transform(), fontsize=8,
                        ha="left" if label == "stored" else "right", va="bottom")
        ax.set(xlabel="time (s)", ylabel="rate (Hz)", yscale="log", xlim=(0, starts[-1]),
               title="rates, one run")
        ax.legend(ncols=5, loc="upper left", bbox_to_anchor=(0.03, 1), columnspacing=1,
                  handlelength=1.2)
        axes.append(ax)
        panels = (("rate", "rate (Hz)", "log"), ("inhibition", "inhibition (nS)", "linear"),
                  ("cv", "CV of the intervals", "linear"),
                  ("correlation", "correlation in 50 ms", "linear"))
        for ax, (variable, label, scale) in zip(lower.subplots(1, len(panels)), panels):
            for name in ("assembly 1", "assembly 2", "control"):
                found = ds[variable].sel(group=name)
                x = np.arange(len(phases))
                ax.plot(x, found, "o", color=colours[name], mfc="none", ms=3)
                ax.plot(x, found.mean("trial"), color=colours[name], lw=1)
            ax.set(ylabel=label, yscale=scale, title=variable if variable != "cv" else "CV")
            ax.set_xticks(range(len(phases)), phases, rotation=45, ha="right")
            axes.append(ax)
        letter(axes)
    return fig


def _raster(ax: Axes, ds: xr.Dataset, phase: int, colours: list[str]) -> None:
    """Spikes of one phase, each group in its colour."""
    here, rows = ds.spike_phase.values == phase, ds.attrs["raster_rows"]
    time, row = ds.spike_time.values[here], ds.spike_row.values[here]
    group = row.astype(int) // rows
    for i, colour in enumerate(colours):
        ax.plot(time[group == i], row[group == i], ".", color=colour, ms=1.6, rasterized=True)
    ax.set(xlabel="time (s)", xlim=(0, 0.5), ylim=(rows * len(colours), 0))
