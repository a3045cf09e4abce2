"""Theories drawn over simulations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from neurodyn.analyses.theory.comparison import TheoryComparison
    from neurodyn.analyses.theory.dynamic_mean_fields import DynamicMeanField
    from neurodyn.analyses.theory.lowrank_mean_field import LowRankFixedPoints
    from neurodyn.flow import Flow


def theory_comparison(
    result: TheoryComparison,
    ax: Axes | None = None,
    *,
    curve: tuple[ArrayLike, ArrayLike] | None = None,
    **style: Any,
) -> Axes:
    """Simulated points, with two standard errors to each side, over the theory's line.

    Parameters
    ----------
    result : TheoryComparison
    ax : Axes, optional
    curve : (x, y), optional
        The theory on a finer grid; by default its values at the points, joined.
    **style
        Passed to ``Axes.errorbar``.

    Returns
    -------
    Axes
        The band is the theory with the allowance for a finite network, where there is one.
    """
    ax = new_axes(ax)
    order = np.argsort(result.x)
    x, y, allowance = (a[order] for a in (result.x, result.predicted, result.allowance))
    if curve is not None:
        (fine, y), known = (np.asarray(a, float) for a in curve), x
        x, allowance = fine, np.interp(fine, known, allowance)
    if np.any(allowance > 0):
        ax.fill_between(x, y - allowance, y + allowance, color="0.88", linewidth=0,
                        label="allowance")  # fmt: skip
    ax.plot(x, y, color="0.35", label="theory")
    style = {"fmt": "o", "markersize": 5, "elinewidth": 1.2, "capsize": 2, "color": "C0", **style}
    ax.errorbar(result.x, result.simulated, 2 * result.standard_error,
                label=f"simulated, {result.n_repetitions} repetitions", **style)  # fmt: skip
    ax.set(xlabel=result.x_name, ylabel=result.y_name)
    ax.legend(frameon=False)
    return ax


def autocovariance_theory(
    theory: DynamicMeanField,
    lag: ArrayLike,
    simulated: ArrayLike,
    ax: Axes | None = None,
    **style: Any,
) -> Axes:
    """Autocovariance of simulated networks over that of the dynamic mean-field theory.

    Parameters
    ----------
    theory : DynamicMeanField
    lag : array, (lag,), in units of the time constant
    simulated : array, (lag,) or (network, lag)
        With several networks their mean, with two standard errors to each side.
    ax : Axes, optional
    **style
        Passed to ``Axes.errorbar``.

    Returns
    -------
    Axes
        The dotted line is where the theory has half of its value at 0.
    """
    lag, rows = np.asarray(lag, float), np.atleast_2d(np.asarray(simulated, float))
    if lag.ndim != 1 or rows.shape[1] != lag.size:
        raise ValueError(
            f"`simulated` must be (network, {lag.size}), one value a lag; got {np.shape(simulated)}"
        )
    ax = new_axes(ax)
    t = np.linspace(0, lag.max(), 400)
    ax.plot(t, theory.autocovariance(t), color="0.35", label="theory, N to infinity")
    error = 2 * rows.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else None
    many = f"simulated, {len(rows)} networks" if len(rows) > 1 else "simulated"
    style = {"fmt": "o", "markersize": 4, "elinewidth": 1.2, "color": "C0", **style}
    ax.errorbar(lag, rows.mean(axis=0), error, label=many, **style)
    if theory.half_width < lag.max():
        ax.plot([0, theory.half_width, theory.half_width],
                [theory.variance / 2, theory.variance / 2, 0], ":", color="0.5", linewidth=1)
    ax.set(xlabel="lag (time constants)", ylabel="autocovariance of x", ylim=(min(0, rows.min()),
                                                                             None))  # fmt: skip
    ax.set_xlim(0, None)
    ax.legend(frameon=False)
    return ax


def latent_plane(
    flow: Flow,
    fixed_points: LowRankFixedPoints | None = None,
    trajectories: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    limit: float | None = None,
    **line: Any,
) -> Axes:
    """The flow of two overlaps, predicted fixed points, and simulated networks on their plane.

    Parameters
    ----------
    flow : Flow
        Of two states, as `effective_flow` gives it.
    fixed_points : LowRankFixedPoints, optional
        Filled circles are stable, open ones are not.
    trajectories : array, (time, 2) or (trajectory, time, 2), optional
        Simulated, as coordinates along m; a dot marks where each begins.
    ax : Axes, optional
    limit : float, optional
        Both axes run from -limit to limit; default to hold all that is drawn.
    **line
        Passed to ``Axes.plot`` for the trajectories.

    Returns
    -------
    Axes
    """
    if flow.n_states != 2:
        raise ValueError(f"`flow` must have 2 states for a plane; it has {flow.n_states}")
    paths = np.zeros((0, 1, 2)) if trajectories is None else np.asarray(trajectories, float)
    paths = paths[None] if paths.ndim == 2 else paths
    if paths.ndim != 3 or paths.shape[-1] != 2:
        raise ValueError(f"`trajectories` must be (trajectory, time, 2); got shape {paths.shape}")
    points = np.zeros((0, 2)) if fixed_points is None else fixed_points.kappa
    if limit is None:
        limit = 1.15 * max(np.abs(paths).max(initial=0), np.abs(points).max(initial=0)) or 1.0
    ax = new_axes(ax)
    axis = np.linspace(-limit, limit, 40)
    field = flow.field(np.stack(np.meshgrid(axis, axis), axis=-1))
    ax.streamplot(axis, axis, field[..., 0], field[..., 1], color="0.8", linewidth=0.7,
                  arrowsize=0.8, density=1.0, zorder=1)  # fmt: skip
    style = {"color": "C0", "linewidth": 1.5, "alpha": 0.8, **line}
    for k, path in enumerate(paths):
        ax.plot(*path.T, label="simulated" if k == 0 else None, zorder=2, **style)
        ax.plot(*path[0], "o", color=style["color"], markersize=3, zorder=2)
    for stable, face, name in ((True, "C3", "stable"), (False, "white", "unstable")):
        if fixed_points is not None and np.any(fixed_points.is_stable == stable):
            ax.plot(*points[fixed_points.is_stable == stable].T, "o", markersize=8,
                    markerfacecolor=face, markeredgecolor="C3", linestyle="none", zorder=3,
                    label=f"{name} in theory")  # fmt: skip
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal",
           xlabel=r"$\kappa_1$", ylabel=r"$\kappa_2$")  # fmt: skip
    if len(paths) or len(points):
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.1), ncols=3, frameon=False,
                  columnspacing=1.0, handletextpad=0.4)  # fmt: skip
    return ax
