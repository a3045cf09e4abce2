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
    SKY,
    letter,
    sheet,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TICKS = [-90, -45, 0, 45, 90]
_CASES = {"control": "control", "without": "biased, control gains", "with": "biased, adapted gains"}


def _closed(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A curve over orientations, ending at 90 deg as it begins at -90."""
    return np.append(x, 90), np.append(y, y[..., :1], axis=-1)


def _over_orientation(ax: Axes, ylabel: str, title: str, xlabel: str = "preferred") -> None:
    ax.axvline(0, color=GREY, lw=0.7, ls=":", zorder=0)
    ax.set(
        xticks=_TICKS,
        xlim=(-90, 90),
        ylabel=ylabel,
        title=title,
        xlabel="preferred orientation (deg)"
        if xlabel == "preferred"
        else "orientation of the stimulus (deg)",
    )


def _curves(ax: Axes, ds: xr.Dataset, condition: str, title: str) -> None:
    """Tuning curves before (dashed) and after of five neurons, over the control's largest."""
    x, response = ds.orientation.values, ds.response.sel(condition=condition)
    top = float(response.sel(context="control").max())
    for degrees, colour in ((-48, BLUE), (-12, SKY), (0, RED), (12, ORANGE), (48, GREEN)):
        pair = response.sel(neuron=degrees, method="nearest") / top
        for context, style in (("control", "--"), ("adapted", "-")):
            ax.plot(
                *_closed(x, pair.sel(context=context).values),
                style,
                color=colour,
                lw=1 if style == "--" else 1.4,
            )
    for style, name in (("--", "control"), ("-", "adapted")):
        ax.plot([], [], style, color="k", label=name)
    _over_orientation(ax, "response (control's largest)", title, "stimulus")
    ax.set_ylim(top=1.5)
    ax.legend(loc="upper center", ncols=2)


def adaptation(ds: xr.Dataset) -> Figure:
    """Ensemble, gains, tuning curves, extremes, repulsion, homeostasis, and what causes them."""
    x, one = ds.neuron.values, ds.sel(condition="reference")
    with sheet(11.5, 10) as fig:
        axes = fig.subplot_mosaic(
            [
                ["ensemble", "gain", "curves"],
                ["extremes", "repulsion", "scaled"],
                ["mean", "distance", "objective"],
                ["control", "without", "with"],
            ]
        )
        ax = axes["ensemble"]
        S = ds.sizes["orientation"]
        for name, colour in (("uniform", GREY), ("biased", RED)):
            p = ds.ensemble_probability.sel(ensemble=name).values * S
            ax.plot(
                *_closed(ds.orientation.values, p), drawstyle="steps-mid", color=colour, label=name
            )
        _over_orientation(ax, "probability over uniform", "the stimuli", "stimulus")
        ax.legend()
        ax = axes["gain"]
        for name, colour in (
            ("reference", "k"),
            ("no recurrence", SKY),
            ("excitation only", ORANGE),
        ):
            ax.plot(*_closed(x, ds.gain_ratio.sel(condition=name).values), color=colour, label=name)
        ax.plot(
            *_closed(x, ds.closest_gain.values / one.gain.values[0]),
            color=PURPLE,
            ls=":",
            label="best for the covariance",
        )
        ax.axhline(1, color=GREY, lw=0.7)
        _over_orientation(ax, "gain over the control's", "gains fall near the adapter")
        ax.set_ylim(0.5, 1.75)
        ax.legend(loc="upper center", ncols=2, columnspacing=0.8, handlelength=1.2)
        _curves(axes["curves"], ds, "reference", "tuning curves are pushed aside")
        _curves(axes["scaled"], ds, "no recurrence", "without recurrence, only scaled")
        ax = axes["extremes"]
        ax.plot(*_closed(x, one.max_ratio.values - 1), color=RED, label="maximum, relative")
        ax.plot(*_closed(x, one.min_change.values), color=BLUE, label="minimum, over height")
        ax.axhline(0, color=GREY, lw=0.7)
        _over_orientation(ax, "change", "maxima and minima fall")
        ax.set_ylim(top=0.4)
        ax.legend(loc="upper center", ncols=2, columnspacing=0.8, handlelength=1.2)
        ax = axes["repulsion"]
        for name, colour in (
            ("reference", "k"),
            ("half the penalty", GREEN),
            ("excitation only", ORANGE),
            ("no recurrence", SKY),
        ):
            ax.plot(*_closed(x, ds.repulsion.sel(condition=name).values), color=colour, label=name)
        _over_orientation(ax, "shift away from the adapter (deg)", "tuning is repelled")
        ax.set_ylim(-1, 5.5)
        ax.legend(loc="upper center", ncols=2, columnspacing=0.8, handlelength=1.2)
        ax = axes["mean"]
        for case, colour, style in (
            ("control", GREY, "-"),
            ("without", BLUE, "-"),
            ("with", RED, "-"),
        ):
            mean = one.mean_response.sel(case=case).values / float(
                one.mean_response.sel(case="control").mean()
            )
            ax.plot(*_closed(x, mean), style, color=colour, label=_CASES[case])
        _over_orientation(ax, "mean response (control's)", "mean responses stay alike")
        ax.set_ylim(top=1.45 * ax.get_ylim()[1])
        ax.legend(loc="upper right")
        _distances(axes["distance"], ds)
        _objective(axes["objective"], one)
        _covariances(fig, axes, one)
        letter(list(axes.values()))
    return fig


def _distances(ax: Axes, ds: xr.Dataset) -> None:
    """How far covariances are from the control's, without and with adaptation, by condition."""
    names = [
        "reference",
        "half the penalty",
        "no recurrence",
        "excitation only",
        "hardly any anchor",
    ]
    place = np.arange(len(names))
    for k, (case, colour) in enumerate((("without", BLUE), ("with", RED))):
        ax.barh(
            place + 0.36 * (k - 0.5),
            ds.covariance_distance.sel(condition=names, case=case),
            0.34,
            color=colour,
            label=_CASES[case],
        )
    ax.plot(
        [float(ds.closest_distance)] * 2, [-0.5, 0.5], color="k", ls=":", label="best of all gains"
    )
    ax.set(
        yticks=place,
        yticklabels=[name.replace(" ", "\n", 1) for name in names],
        xlabel="distance of the covariance",
        title="what restores the covariance",
        ylim=(len(names) - 0.4, -0.6),
        xlim=(0, 0.6),
    )
    ax.legend(loc="upper right")


def _objective(ax: Axes, one: xr.Dataset) -> None:
    """The objective of both sets of gains in both ensembles."""
    place = np.arange(2)
    for k, (context, colour) in enumerate((("control", GREY), ("adapted", RED))):
        found = one.objective.sel(context=context).values / one.sizes["neuron"]
        bars = ax.bar(place + 0.4 * (k - 0.5), found, 0.36, color=colour, label=f"{context} gains")
        ax.bar_label(bars, fmt="%.4f", fontsize=7)
    low, high = float(one.objective.min()), float(one.objective.max())
    margin = (high - low) / one.sizes["neuron"]
    ax.set(
        xticks=place,
        xticklabels=[f"{e} ensemble" for e in one.ensemble.values],
        ylabel="objective / N",
        title="each has its own optimum",
        ylim=(low / one.sizes["neuron"] - 0.6 * margin, high / one.sizes["neuron"] + margin),
    )
    ax.legend(loc="upper left", ncols=2)


def _covariances(fig: Figure, axes: dict[str, Axes], one: xr.Dataset) -> None:
    """The three covariances in one scale."""
    top = float(np.abs(one.covariance).max())
    for case in _CASES:
        ax = axes[case]
        image = ax.imshow(
            one.covariance.sel(case=case),
            cmap="RdBu_r",
            vmin=-top,
            vmax=top,
            extent=(-90, 90, -90, 90),
            origin="lower",
        )
        ax.set(
            title="covariance: control" if case == "control" else _CASES[case],
            xlabel="preferred orientation (deg)",
            ylabel="preferred orientation (deg)",
            xticks=_TICKS,
            yticks=_TICKS,
        )
    fig.colorbar(image, ax=axes["with"], label="covariance", shrink=0.9)


def gain_learning(ds: xr.Dataset) -> Figure:
    """Gains through the three contexts, late gains beside theory, and gradient descent."""
    with sheet(11.5, 3.6) as fig:
        axes = fig.subplots(1, 3, width_ratios=[1.5, 1, 1])
        ax, n = axes[0], ds.sizes["presentation"] // 3
        x = ds.presentation.values
        for degrees, colour in ((0, RED), (12, ORANGE), (45, BLUE)):
            found = ds.gain.sel(neuron=degrees)
            ax.plot(x, found.T, color=colour, lw=0.4, alpha=0.35)
            ax.plot(x, found.mean("trial"), color=colour, lw=1.2, label=f"{degrees} deg")
            ax.plot(x, ds.gain_expected.sel(neuron=degrees), color="k", lw=1)
        ax.plot([], [], color="k", lw=1, label="exact mean")
        for at in (x[n], x[2 * n]):
            ax.axvline(at, color=GREY, lw=0.7, ls="--")
        for k, name in enumerate(ds.phase.values):
            ax.text(
                (k + 0.5) / 3, 0.99, name, ha="center", va="top", fontsize=8, transform=ax.transAxes
            )
        low, high = ax.get_ylim()
        ax.set(
            xlabel="presentation",
            ylabel="gain",
            title="the network adapts its gains",
            xlim=(0, x[-1]),
            ylim=(low, high + 0.4 * (high - low)),
        )
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.93), ncols=4, columnspacing=1)
        ax = axes[1]
        for phase, ensemble, colour in (("uniform", "uniform", GREY), ("biased", "biased", RED)):
            late = ds.late_gain.sel(phase=phase)
            error = late.std("trial", ddof=1) / np.sqrt(ds.sizes["trial"])
            ax.errorbar(
                ds.neuron,
                late.mean("trial"),
                error,
                fmt=".",
                color=colour,
                ms=4,
                lw=0.8,
                label=f"network, {phase}",
            )
            ax.plot(
                *_closed(ds.neuron.values, ds.gain_at_rest.sel(ensemble=ensemble).values),
                color="k",
                lw=1,
            )
            ax.plot(
                *_closed(ds.neuron.values, ds.gain_optimal.sel(ensemble=ensemble).values),
                color="k",
                lw=1,
                ls="--",
            )
        ax.plot([], [], color="k", lw=1, label="exact mean")
        ax.plot([], [], color="k", lw=1, ls="--", label="closed form")
        _over_orientation(ax, "gain, second half of a phase", "where the gains end")
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.35 * (high - low))
        ax.legend(loc="upper center", ncols=2, columnspacing=0.8, handlelength=1.2)
        ax = axes[2]
        ax.loglog(ds.step, np.maximum(ds.descent_error, 1e-17), ".-", color=BLUE)
        ax.set(
            xlabel="step of gradient descent",
            ylabel="largest distance from the closed form",
            title="gradient descent",
        )
        letter(list(axes))
    return fig


def dependence(ds: xr.Dataset) -> Figure:
    """Gain at the adapter, repulsion and homeostasis over each parameter."""
    rows = (
        ("gain_ratio", "gain at the adapter\nover the control's"),
        ("largest_repulsion", "largest\nrepulsion (deg)"),
        ("cv", "CV of mean\nresponses"),
        ("covariance_distance", "distance of\nthe covariance"),
    )
    columns = {
        "adapter_probability": "probability of the adapter",
        "alpha": "penalty on activity, alpha",
        "gamma": "anchor of the gains, gamma",
        "rho": "recurrence, rho",
    }
    with sheet(11, 8) as fig:
        axes = fig.subplots(len(rows), len(columns), sharex="col", sharey="row")
        for column, (name, label) in zip(axes.T, columns.items()):
            for ax, (variable, words) in zip(column, rows):
                found = ds[f"{name}_{variable}"]
                if "neuron" in found.dims:
                    found = found.sel(neuron=0)
                if "case" in found.dims:
                    for case, colour in (("without", BLUE), ("with", RED)):
                        ax.plot(
                            ds[name], found.sel(case=case), ".-", color=colour, label=_CASES[case]
                        )
                else:
                    ax.plot(ds[name], found, ".-", color="k")
                if ax in axes[:, 0]:
                    ax.set_ylabel(words)
                if variable == "gain_ratio":
                    ax.axhline(1, color=GREY, lw=0.7, zorder=0)
                if name in ("alpha", "gamma"):
                    ax.set_xscale(
                        "symlog" if name == "alpha" else "log",
                        **({"linthresh": 0.1} if name == "alpha" else {}),
                    )
            column[-1].set_xlabel(label)
        axes[2, 0].legend(loc="upper left")
        letter(list(axes[0]))
    return fig


def recording_sessions(ds: xr.Dataset) -> Figure:
    """Normalised tuning curves, the three covariances of both subsets, and homeostasis."""
    subsets = {"high": "adapter 50 %", "low": "adapter 30 to 40 %"}
    with sheet(12, 6) as fig:
        axes = fig.subplots(2, 5, width_ratios=[1.2, 1, 1, 1, 1.2])
        for row, (subset, words) in zip(axes, subsets.items()):
            ax = row[0]
            for group, colour in ((-45, BLUE), (-15, SKY), (0, RED), (15, ORANGE), (45, GREEN)):
                for context, style in (("control", "--"), ("adapted", "-")):
                    ax.plot(
                        ds.orientation,
                        ds.curve.sel(subset=subset, group=group, context=context),
                        style,
                        color=colour,
                        lw=1 if style == "--" else 1.4,
                    )
            _over_orientation(ax, "normalised response", words, "stimulus")
            ax.set_ylim(-0.12, 1.6)
            top = float(np.abs(ds.covariance).max())
            for ax, case in zip(row[1:4], _CASES):
                image = ax.imshow(
                    ds.covariance.sel(subset=subset, case=case),
                    cmap="RdBu_r",
                    vmin=-top,
                    vmax=top,
                    extent=(-97.5, 97.5, -97.5, 97.5),
                    origin="lower",
                )
                ax.set(
                    title=_CASES[case],
                    xticks=[-90, 0, 90],
                    yticks=[-90, 0, 90],
                    xlabel="preferred (deg)",
                )
            row[1].set_ylabel("preferred (deg)")
            fig.colorbar(image, ax=row[3], label="covariance", shrink=0.75)
        for ax, name, words in (
            (axes[0, 4], "cv", "CV of mean responses"),
            (axes[1, 4], "covariance_distance", "distance of covariance"),
        ):
            for case, colour in (("without", BLUE), ("with", RED)):
                ax.plot(
                    ds.adapter_probability,
                    ds[name].sel(case=case),
                    "o",
                    color=colour,
                    ms=4,
                    mfc="none",
                    label=_CASES[case],
                )
            ax.set(
                xlabel="probability of the adapter",
                ylabel=words,
                title="homeostasis",
                ylim=(0, 1.45 * float(ds[name].max())),
            )
            ax.legend(loc="upper left")
        axes[0, 0].plot([], [], "--", color="k", label="control")
        axes[0, 0].plot([], [], color="k", label="adapted")
        axes[0, 0].legend(loc="upper center", ncols=2)
        letter([axes[0, 0], axes[1, 0], *axes[:, 4]])
    return fig
