"""Figure 8 of the paper from our Dataset, with spectra; rates and CV against inhibition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.circuits._sheet import BLUE, GREY, RED, letter, sheet

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def four_states(ds: xr.Dataset) -> Figure:
    """Spikes of 50 neurons, the global activity and its spectrum in each state."""
    n = ds.sizes["state"]
    with sheet(3.1 * n, 6.6) as fig:
        axes = fig.subplots(3, n, height_ratios=[2.2, 1, 1.3])
        for k, state in enumerate(ds.state.values):
            one, title = ds.sel(state=state), ds.attrs["names"][k].replace(", ", ",\n")
            raster, activity, spectrum = axes[:, k]
            chosen = (ds.spike_state == state).values
            raster.plot(ds.spike_time.values[chosen], ds.spike_unit.values[chosen], "|",
                        color="k", ms=3, mew=0.7)
            drive = ds.attrs["nu_ext_over_nu_thr"][k]
            raster.set_title(f"{state}: {title}\n$g$ = {ds.attrs['g'][k]:g}, "
                             rf"$\nu_{{ext}}$ = {drive:g} $\nu_{{thr}}$")
            raster.set(ylim=(-1, ds.spike_unit.values.max() + 1), xticklabels=[])
            activity.plot(ds.time, one.activity, color=BLUE, lw=0.7)
            activity.axhline(one.rate, color="k", ls="--", lw=0.9)
            activity.set(xlabel="time (s)", ylim=(0, None))
            for ax in (raster, activity):  # of the fastest state some 15 intervals
                ax.set_xlim(0, min(float(ds.time[-1]), 15 / one.rate.item()))
            spectrum.plot(ds.frequency[1:], one.power[1:], color=BLUE, lw=0.9)
            spectrum.axhline(1, color=GREY, ls=":", lw=0.9)
            spectrum.set(xscale="log", yscale="log", xlabel="frequency (Hz)", xlim=(4, 1000))
            paper = "" if np.isnan(one.rate_paper) else f" (paper {one.rate_paper.item():g})"
            spectrum.set_title(
                f"{one.rate.item():.3g} Hz{paper}, theory {one.rate_theory.item():.3g}\n"
                f"CV {one.cv.item():.2f}; highest peak at {one.oscillation.item():.0f} Hz",
                fontsize=8.5)
        axes[0, 0].set_ylabel("neuron")
        axes[1, 0].set_ylabel("global activity (Hz)")
        axes[2, 0].set_ylabel("power over that of\nindependent neurons")
        letter(axes[0])
    return fig


def inhibition(ds: xr.Dataset) -> Figure:
    """Rate and CV, simulated and of the theory, against g."""
    with sheet(8.5, 3.4) as fig:
        axes = fig.subplots(1, 2)
        for ax, name, text in zip(axes, ("rate", "cv"), ("rate (Hz)", "CV of intervals")):
            ax.plot(ds.g_theory, ds[f"{name}_theory"], color=GREY, label="mean-field theory")
            ax.plot(ds.g, ds[name], "o", color=RED, ms=5, label="simulation")
            ax.axvline(4, color="k", ls=":", lw=0.9)
            ax.set(xlabel=ds.g.attrs["long_name"], ylabel=text)
        rate, cv = axes
        rate.set(yscale="log", title=rf"rate, $\nu_{{ext}}$ = "
                                     rf"{ds.attrs['nu_ext_over_nu_thr']:g} $\nu_{{thr}}$")
        rate.annotate("excitation and inhibition\nbalance", (4, 0.03), (4, 0),
                      xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=8)
        rate.legend()
        cv.set(ylim=(-0.03, None), title="irregularity")
        letter(axes)
    return fig
