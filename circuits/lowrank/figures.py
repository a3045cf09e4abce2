"""Figures of the four experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.circuits._sheet import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, letter, sheet

from .gaussian import GAINS, RANK_TWO, ROTATION
from .sizes import GAIN

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["context_gating", "large_network", "latent_dynamics", "mean_field"]

_GAIN_COLOURS = (BLUE, ORANGE, RED)
_FILLED, _OPEN = {"mfc": "0.15", "mec": "0.15"}, {"mfc": "white", "mec": "0.15"}


def _points(ax: Axes, x: Any, simulated: Any, colour: str, label: str | None = None) -> None:
    """Mean over networks (point, network) with two standard errors to each side."""
    simulated = np.asarray(simulated)
    error = 2 * simulated.std(axis=1, ddof=1) / np.sqrt(simulated.shape[1])
    ax.errorbar(x, simulated.mean(axis=1), error, fmt="o", ms=4, capsize=2, lw=1, color=colour,
                label=label)


def mean_field(ds: xr.Dataset) -> Figure:
    """Rank one above: overlaps, variance, regimes. Rank two below: paths, eigenvalues, a cycle."""
    with sheet(10.5, 6.6) as fig:
        axes = fig.subplots(2, 3)
        _by_overlap(axes[0, 0], axes[0, 1], ds)
        _regimes(axes[0, 2], ds)
        _rank_two_paths(axes[1, 0], ds)
        _eigenvalues(axes[1, 1], ds)
        _cycle(axes[1, 2], ds)
        letter(axes.ravel())
    return fig


def _by_overlap(ax: Axes, beside: Axes, ds: xr.Dataset) -> None:
    onset = ds.overlap_fine.values >= 1
    for i, (gain, colour) in enumerate(zip(GAINS, _GAIN_COLOURS)):
        here = ds.isel(gain=i)
        curve = np.concatenate([[0, 0], here.kappa_curve.values[onset]])
        fine = np.concatenate([[0.4, 1], ds.overlap_fine.values[onset]])
        ax.plot(fine, curve, color=colour, label=f"theory, g = {gain:g}")
        # side by side, so that points do not hide one another
        x = ds.overlap.values + 0.06 * (i - 1)
        _points(ax, x, here.kappa.transpose("overlap", "network"), colour)
        _points(beside, x, here.variance.transpose("overlap", "network"), colour, f"g = {gain:g}")
    ax.set(xlabel=r"overlap $\langle n\,m\rangle$", ylabel=r"$\kappa$", ylim=(-0.1, None),
           title="rank one: $\\kappa$ at rest")
    ax.legend()
    beside.plot(ds.overlap_fine, ds.variance_curve, color=GREY, zorder=0, label="theory, any g")
    beside.set(xlabel=r"overlap $\langle n\,m\rangle$", ylabel="variance of x over units",
               yscale="log", ylim=(0.1, 30), xlim=(0.9, None),
               title="overlap alone fixes the variance")
    beside.legend(loc="lower right")


def _regimes(ax: Axes, ds: xr.Dataset) -> None:
    overlap, critical = ds.overlap_fine.values, ds.critical_gain.values
    overlap, critical = np.append([0, 1], overlap), np.append([1, 1], critical)
    top = 1.15 * critical.max()
    ax.fill_between(overlap, critical, top, color=RED, alpha=0.15, lw=0)
    structured = overlap >= 1
    ax.fill_between(overlap[structured], 0, critical[structured], color=BLUE, alpha=0.15, lw=0)
    ax.plot(overlap, critical, color="0.25")
    ax.plot([1, 1], [0, 1], color="0.25")
    ax.text(0.5, 0.5, "silent", ha="center", va="center", rotation=90)
    ax.text(3.3, 0.2 * top, "at rest, structured", ha="center")
    ax.text(1.6, 0.85 * top, "chaotic", ha="center")
    for factor, sd in zip(ds.factor.values, ds.fluctuation.values):
        gain = factor * float(ds.critical_gain_2)
        rests = sd < 1e-3
        ax.plot(2, gain, "o", ms=5, ls="none", **(_FILLED if rests else _OPEN),
                label="a network at rest" if rests else f"fluctuates, sd of x {sd:.1f}")
    ax.set(xlabel=r"overlap $\langle n\,m\rangle$", ylabel="gain g of the random part",
           xlim=(0, 5), ylim=(0, top), title="rank one: regimes")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.28), fontsize=7)


def _rank_two_paths(ax: Axes, ds: xr.Dataset) -> None:
    for k, path in enumerate(ds.paths.values):
        ax.plot(*path.T, color=SKY, lw=1, label="one network" if k == 0 else None)
        ax.plot(*path[0], "o", color=SKY, ms=3)
    for sign in (1, -1):
        for j, (style, label) in enumerate(((_OPEN, None), (_FILLED, "stable, theory"),
                                            (_OPEN, "saddle, theory"))):
            ax.plot(*(sign * ds.fixed_kappa_theory.values[j]), "o", ms=7, ls="none", **style,
                    label=label if sign == 1 else None, zorder=3)
    found = ds.fixed_kappa.values[:, 1:].reshape(-1, 2)
    ax.plot(*np.concatenate([found, -found]).T, "+", color=RED, ms=5, zorder=4, ls="none",
            label="networks")
    ax.set(xlabel=r"$\kappa_1$", ylabel=r"$\kappa_2$", aspect="equal", ylim=(-2.1, 2.1),
           title=f"rank two, overlaps {RANK_TWO[0]:g} and {RANK_TWO[1]:g}, g = "
                 f"{ds.attrs['rank_two_gain']:g}")
    ax.legend(loc="upper center", ncols=2, columnspacing=1, handletextpad=0.4, fontsize=7)


def _eigenvalues(ax: Axes, ds: xr.Dataset) -> None:
    x = np.arange(3)
    _points(ax, x, ds.eigenvalue.transpose("point", "network"), RED, "networks")
    ax.plot(x, ds.eigenvalue_theory, "_", ms=22, mew=1.6, color="0.25", label="theory")
    ax.axhline(0, color=GREY, lw=0.8, ls=":")
    ax.set_xticks(x, list(ds.point.values))
    ax.set(xlim=(-0.6, 2.6), ylabel="largest eigenvalue (1/time constant)",
           title="rank two: stability")
    ax.legend()


def _cycle(ax: Axes, ds: xr.Dataset) -> None:
    import neurodyn as nd
    from neurodyn import analyses

    flow = analyses.effective_flow(analyses.gaussian_ensemble(ROTATION))
    nd.plot.latent_plane(flow, trajectories=ds.cycle_paths.values, ax=ax, limit=1.9, color=PURPLE)
    angle = np.linspace(0, 2 * np.pi, 200)
    ax.plot(*(float(ds.cycle_radius_theory) * np.array([np.cos(angle), np.sin(angle)])), "--",
            color="0.15", lw=1, label="cycle in theory")
    ax.get_legend().remove()
    ax.legend(loc="lower right", fontsize=7, frameon=True, framealpha=0.9)
    ax.text(0.03, 0.03, f"period {float(ds.cycle_period.mean()):.2f}\n"
                        f"in theory {float(ds.cycle_period_theory):.2f}",
            transform=ax.transAxes, fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "0.8", "boxstyle": "round,pad=0.3"})
    ax.set_title("rank two, rotated: a cycle")


def large_network(ds: xr.Dataset) -> Figure:
    """kappa of large networks, what they need of memory, and the scatter by number of units."""
    n_units, matrix = ds.attrs["large_n_units"], 8 * ds.attrs["large_n_units"] ** 2
    with sheet(9.5, 3.1) as fig:
        axes = fig.subplots(1, 3, width_ratios=[1, 0.7, 1])
        ax = axes[0]
        ax.axhline(float(ds.kappa_theory), color="0.35", label="theory")
        ax.plot(np.arange(ds.sizes["network"]) + 1, ds.kappa, "o", color=BLUE, ms=4,
                label="networks")
        ax.set(xlabel="network", ylabel=r"$\kappa$", title=f"{n_units:,} units, g = {GAIN:g}")
        low, high = (float(ds.kappa_theory) + s * 1.6 * float(
            np.abs(ds.kappa - ds.kappa_theory).max()) for s in (-1, 1))
        ax.set_ylim(low, high)
        ax.legend(loc="upper right")
        ax = axes[1]
        held = float(ds.peak_memory.max())
        bars = ax.bar([0, 1], [matrix / 1e6, held / 1e6], color=[GREY, BLUE], width=0.6)
        ax.bar_label(bars, [f"{matrix / 1e6:.0f}", f"{held / 1e6:.0f}"], fontsize=8)
        ax.set_xticks([0, 1], ["n x n matrix", "all that\nwas held"])
        ax.set(ylabel="memory (MB)", title="memory", ylim=(0, 1.12e-6 * matrix))
        ax = axes[2]
        ax.loglog(ds.n_units, ds.scatter_theory, color="0.35", label="theory")
        sd, networks = ds.small_kappa.std("draw", ddof=1), ds.sizes["draw"]
        ax.errorbar(ds.n_units, sd, 2 * sd / np.sqrt(2 * networks - 2), fmt="o", ms=4, capsize=2,
                    color=BLUE, label=f"{networks} networks each")
        ax.set_xticks(ds.n_units.values, [str(n) for n in ds.n_units.values])
        ax.minorticks_off()
        ax.set_yticks([0.02, 0.05, 0.1], ["0.02", "0.05", "0.1"])
        ax.set(xlabel="units", ylabel=r"standard deviation of $\kappa$",
               title="scatter over networks, g = 0")
        ax.legend()
        letter(axes)
    return fig


def context_gating(ds: xr.Dataset) -> Figure:
    """Effective coupling and kappa by strength of the context."""
    with sheet(7.5, 3.1) as fig:
        axes = fig.subplots(1, 2)
        for ax, name in zip(axes, ("coupling", "kappa")):
            ax.plot(ds.context_fine, ds[f"{name}_curve"], color="0.35", label="theory")
            if name == "kappa":
                ax.plot(ds.context_fine, -ds.kappa_curve, color="0.35")
            _points(ax, ds.context, ds[name].transpose("context", "network"), BLUE,
                    f"{ds.sizes['network']} networks, started at $\\kappa$ > 0")
            ax.set_xlabel("strength of the context input")
        axes[0].axhline(1, color=RED, lw=0.9, ls="--", label="two attractors above")
        axes[0].axhline(0, color=GREY, lw=0.8, ls=":")
        axes[0].set(ylabel="effective coupling", title="context turns its sign")
        axes[1].set(ylabel=r"$\kappa$ at rest", title="and takes the attractors away")
        for ax in axes:
            ax.legend()
        letter(axes)
    return fig


def latent_dynamics(ds: xr.Dataset) -> Figure:
    """Learning, one trial, the latent plane, agreement with whole networks, populations."""
    with sheet(10.5, 6.4) as fig:
        upper, lower = fig.subfigures(2, 1)
        trial, learning = upper.subplots(1, 2, width_ratios=[2.2, 1])
        _trial(trial, ds)
        learning.semilogy(ds.loss.T, lw=0.7)
        learning.set(xlabel="step of training", ylabel="loss",
                     title=f"training, networks: {ds.sizes['network']}")
        plane, errors, populations = lower.subplots(1, 3)
        _plane(plane, ds)
        _errors(errors, ds)
        jitter = np.linspace(-0.08, 0.08, ds.sizes["network"])
        x = np.arange(ds.sizes["populations"])
        for k, shift in enumerate(jitter):
            populations.plot(x + shift, ds.mixture_stable.isel(network=k), "o-", ms=4, lw=0.7,
                             color=BLUE, alpha=0.6)
        states = 2 ** ds.attrs["bits"]
        populations.plot([], [], "o-", color=BLUE, ms=4, lw=0.7, label="stable, mean field")
        populations.plot(x, states * ds.mixture_kept.mean("network"), "x", color=RED, ms=6,
                         label="kept 30 s, drawn networks")
        populations.axhline(states, color="0.35", ls="--", lw=1, label="all")
        populations.set_xticks(x, [str(n) for n in ds.populations.values])
        populations.set(xlabel="Gaussian populations of vectors", ylabel="memories",
                        ylim=(0, 1.45 * states), title="memories need populations")
        populations.legend(fontsize=7)
        letter([trial, learning, plane, errors, populations])
    return fig


def _trial(ax: Axes, ds: xr.Dataset) -> None:
    time = ds.time.values                                # of the end of each step
    begin = time - (time[1] - time[0])
    for k, colour in zip(range(ds.sizes["bit"]), (BLUE, ORANGE, GREEN, PURPLE)):
        shift = -3.2 * k
        pulses = ds.pulses.values[:, k]
        ax.fill_between(begin, shift, shift + pulses, step="post", color="0.8", lw=0,
                        label="pulses" if k == 0 else None)
        ax.plot(time, shift + ds.output.values[:, k], color=colour,
                label="whole network" if k == 0 else None)
        ax.plot(time, shift + ds.latent_output.values[:, k], ":", color="k", lw=1.4,
                label="latent system" if k == 0 else None)
    bits = ds.sizes["bit"]
    ax.set_yticks(-3.2 * np.arange(bits), [f"channel {k + 1}" for k in range(bits)])
    ax.set(xlabel="time (s)", xlim=(0, ds.time.values[-1]), ylim=(-3.2 * (bits - 1) - 1.5, 2.7),
           title="one trial: outputs of the network, and of its latent system")
    ax.legend(loc="upper right", ncols=3)


def _plane(ax: Axes, ds: xr.Dataset) -> None:
    import neurodyn as nd
    from neurodyn import analyses

    m, n = ds.m.values, ds.n.values
    if m.shape[1] != 2:
        ax.plot(ds.time, ds.kappa)
        ax.set(xlabel="time (s)", ylabel=r"$\kappa$", title="latent variables of one trial")
        return
    W = nd.weights.LowRank(m, n / len(m))
    points = analyses.lowrank_fixed_points(W)
    nd.plot.latent_plane(analyses.effective_flow(W), points, ds.kappa.values, ax=ax, color=SKY,
                         linewidth=0.8)
    ax.get_legend().remove()
    ax.set_title(f"latent plane: {int(points.is_stable.sum())} stable (filled) of {len(points)}")


def _errors(ax: Axes, ds: xr.Dataset) -> None:
    rows = (("output_error", "outputs"), ("outside", "x off its space"),
            ("distance", "fixed points"), ("eigenvalue_error", "eigenvalues"))
    for i, (name, _) in enumerate(rows):
        ax.semilogx(np.maximum(ds[name], 1e-17), np.full(ds.sizes["network"], -i), "o", ms=4,
                    color=GREEN, alpha=0.7)
    ax.axvline(np.finfo(float).eps, color=GREY, lw=0.9, ls="--")
    ax.text(np.finfo(float).eps * 1.3, 0.45, "rounding", color=GREY, fontsize=8)
    ax.set_yticks(-np.arange(len(rows)), [label for _, label in rows])
    ax.set(xlim=(1e-17, 1e-11), ylim=(-len(rows) + 0.4, 0.8),
           xlabel="largest difference", title="whole network and latent system")
