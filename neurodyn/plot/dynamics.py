"""Phase planes, bifurcation diagrams, limit cycles and basins of attraction.

The functions take the records of `neurodyn.analyses`, or anything with the same attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import new_axes
from neurodyn.population import listed, suggestion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of the two nullclines, and of paths.
_NULLCLINES, _PATH = ("C0", "C1"), "0.25"
#: Marker and face of a fixed point by the beginning of its kind: full if it attracts.
_FIXED = {
    "stable": ("o", "k"), "unstable": ("o", "w"), "saddle": ("D", "w"), "centre": ("o", "0.7"),
}  # fmt: skip
#: Marker and colour of each kind of bifurcation.
_BIFURCATIONS = {
    "fold": ("s", "C3"), "Hopf": ("o", "C2"), "pitchfork": ("^", "C4"),
    "transcritical": ("v", "C5"), "degenerate": ("X", "C7"),
}  # fmt: skip


def phase_plane(
    field: Any,
    nullclines: Any = None,
    trajectories: Any = None,
    stream: bool = True,
    ax: Axes | None = None,
    **arrows: Any,
) -> Axes:
    """Phase plane: where the flow goes, with nullclines, fixed points and paths.

    Parameters
    ----------
    field : FlowField
    nullclines : Nullclines, optional
        A line for each state that does not change there, in blue and orange, and the fixed points:
        full if stable, open if unstable, a diamond for a saddle.
    trajectories : Trajectories, optional
        Paths; a dot marks each start.
    stream : bool
        Stream lines (default), or an arrow of equal length at each point.
    ax : Axes, optional
    **arrows
        Passed to ``Axes.streamplot`` or ``Axes.quiver``.

    Returns
    -------
    Axes
        Darker streams are faster.
    """
    ax = new_axes(ax)
    first, second = field.names
    u, v = np.ma.masked_invalid(field.dx), np.ma.masked_invalid(field.dy)
    speed = np.ma.masked_invalid(field.speed)
    if stream:
        shade = 0.25 + 0.75 * np.sqrt(speed / (speed.max() or 1.0))
        style = {"color": shade, "cmap": "Greys", "density": 1.2, "linewidth": 0.8,
                 "arrowsize": 0.8, "norm": _unit_norm()}  # fmt: skip
        if "color" in arrows:
            del style["cmap"], style["norm"]
        ax.streamplot(field.x, field.y, u, v, **(style | {"zorder": 1} | arrows))
    else:
        length = np.ma.masked_equal(speed, 0.0)
        style = {"angles": "xy", "color": "0.6", "width": 0.0025, "pivot": "mid", "zorder": 1}
        ax.quiver(field.x, field.y, u / length, v / length, **(style | arrows))
    if nullclines is not None:
        _draw_nullclines(ax, nullclines)
    if trajectories is not None:
        x, y = trajectories.of(first), trajectories.of(second)
        for k in range(len(x)):
            ax.plot(x[k], y[k], color=_PATH, linewidth=1.2, zorder=3)
            ax.plot(x[k, 0], y[k, 0], "o", color=_PATH, markersize=3.5, zorder=3)
    ax.set(xlim=(field.x[0], field.x[-1]), ylim=(field.y[0], field.y[-1]), xlabel=first,
           ylabel=second)  # fmt: skip
    return ax


def _unit_norm():
    from matplotlib.colors import Normalize

    return Normalize(0.0, 1.0)


def _draw_nullclines(ax: Axes, nullclines: Any) -> None:
    for name, lines, color in zip(
        nullclines.names, (nullclines.x_lines, nullclines.y_lines), _NULLCLINES
    ):
        for k, line in enumerate(lines):
            label = f"d{name}/dt = 0" if k == 0 else None
            ax.plot(*line.T, color=color, linewidth=1.8, label=label, zorder=2)
    for kind in dict.fromkeys(nullclines.kinds):
        marker, face = _FIXED.get(kind.split()[0], ("X", "0.7"))
        points = nullclines.fixed_points[[k == kind for k in nullclines.kinds]]
        ax.plot(*points.T, marker, color="k", markerfacecolor=face, markersize=7,
                markeredgewidth=1.3, label=kind, zorder=4)  # fmt: skip
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def bifurcation_diagram(
    branches: Any,
    state: str | int = 0,
    cycles: Any = (),
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Equilibria against a parameter: stable ones solid, unstable ones dashed.

    Parameters
    ----------
    branches : Branch or sequence of Branch
        All of one parameter.
    state : str or int
        Which state is drawn, by name or number. Default the first.
    cycles : sequence of (float, LimitCycle), optional
        Parameter values and cycles, whose largest and smallest value of the state are drawn, dots
        full if the cycle is stable.
    ax : Axes, optional
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
        Bifurcations are marked and named in the legend.
    """
    branches = [branches] if hasattr(branches, "bifurcations") else list(branches)
    if not branches:
        raise ValueError("`branches` is empty: give one Branch or several")
    names = {branch.parameter for branch in branches}
    if len(names) > 1:
        raise ValueError(f"`branches` must be of one parameter; got {', '.join(sorted(names))}")
    ax = new_axes(ax)
    index = _state_index(branches[0].state_names, state)
    for branch in branches:
        for p, x, stable in _segments(branch, index):
            style = {"color": "k", "linewidth": 1.6 if stable else 1.1,
                     "linestyle": "-" if stable else (0, (4, 2.5))}  # fmt: skip
            ax.plot(p, x, **(style | line))
    _mark_bifurcations(ax, branches, index)
    for p, cycle in cycles:
        values = cycle.states[:, index]
        ax.plot([p, p], [values.min(), values.max()], "o", color="C2", markersize=3.5,
                markerfacecolor="C2" if cycle.stable else "w")  # fmt: skip
    ax.set(xlabel=branches[0].parameter, ylabel=branches[0].state_names[index])
    return ax


def _segments(branch: Any, index: int):
    """Pieces of one stability: parameter, state, and whether they are stable.

    A piece ends in the bifurcation where its stability does, so that no gap is left.
    """
    stable, at = branch.stable, {b.after: b for b in branch.bifurcations}
    p, x, here = [branch.values[0]], [branch.states[0, index]], bool(stable[0])
    for k in range(1, stable.size):
        between = at.get(k - 1)
        if between is not None:
            p.append(between.value)
            x.append(between.state[index])
        if bool(stable[k]) != here:
            if between is None:  # they meet in the middle
                p.append((branch.values[k - 1] + branch.values[k]) / 2)
                x.append((branch.states[k - 1, index] + branch.states[k, index]) / 2)
            yield p, x, here
            p, x, here = p[-1:], x[-1:], bool(stable[k])
        p.append(branch.values[k])
        x.append(branch.states[k, index])
    yield p, x, here


def _mark_bifurcations(ax: Axes, branches: Sequence[Any], index: int) -> None:
    seen: dict[str, list] = {}
    for branch in branches:
        for b in branch.bifurcations:
            name = " ".join(filter(None, (b.criticality, b.kind)))
            seen.setdefault(name, []).append((b.value, b.state[index], b.kind, b.criticality))
    for name, points in seen.items():
        marker, color = _BIFURCATIONS.get(points[0][2], ("X", "C7"))
        face = "w" if points[0][3] == "subcritical" else color
        ax.plot([p[0] for p in points], [p[1] for p in points], marker, color=color, label=name,
                markerfacecolor=face, markersize=7, markeredgewidth=1.4, zorder=4)  # fmt: skip
    if seen:
        ax.legend(frameon=False, fontsize="small")


def limit_cycle(
    cycle: Any,
    states: tuple[str | int, str | int] | None = None,
    axes: tuple[Axes, Axes] | None = None,
    **line: Any,
) -> tuple[Axes, Axes]:
    """A limit cycle, and beside it the phase response to kicks of the same states.

    Parameters
    ----------
    cycle : LimitCycle
    states : (str or int, str or int), optional
        The two states, by name or number; default the first two. With one state its course in
        time is drawn.
    axes : pair of Axes, optional
        For the orbit and the phase response. Default a new figure.
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    (Axes, Axes)
        A dot marks phase 0. Orbits that repel are dashed.
    """
    names = cycle.state_names
    if states is None:
        states = (0, 1) if len(names) > 1 else (0, 0)
    k, m = (_state_index(names, state) for state in states)
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(1, 2, layout="constrained", figsize=(9.0, 3.8))[1]
    left, right = axes
    style = {"color": "k", "linewidth": 1.6, "linestyle": "-" if cycle.stable else "--"} | line
    if k == m:
        left.plot(cycle.phase, cycle.states[:, k], **style)
        left.set(xlabel="phase (periods)", ylabel=names[k], xlim=(0, 1))
    else:
        left.plot(cycle.states[:, k], cycle.states[:, m], **style)
        left.plot(cycle.states[0, k], cycle.states[0, m], "o", color=style["color"])
        left.set(xlabel=names[k], ylabel=names[m])
    left.set_title(f"period {cycle.period:.5g}", fontsize="medium")
    for index, color in zip(dict.fromkeys((k, m)), ("C0", "C1")):
        right.plot(cycle.phase, cycle.phase_response[:, index], color=color, linewidth=1.6,
                   label=f"kick of {names[index]}")  # fmt: skip
    right.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    right.set(xlabel="phase (periods)", ylabel="advance (time / kick)", xlim=(0, 1))
    right.legend(frameon=False, fontsize="small")
    return left, right


def basins(
    basins: Any,
    states: tuple[str | int, str | int] = (0, 1),
    ax: Axes | None = None,
    **image: Any,
) -> Axes:
    """Which attractor each start runs to, in colour, in the plane of two states.

    Parameters
    ----------
    basins : Basins
        Of starts on a grid, ``starts=flow_field(...).states``, an image; else a dot for each start.
    states : (str or int, str or int)
        The two states, by name or number. Default the first two.
    ax : Axes, optional
    **image
        Passed to ``Axes.pcolormesh`` or ``Axes.scatter``.

    Returns
    -------
    Axes
        Starts that did not settle are grey, those that diverged white. Fixed points are dots with a
        dark rim, cycles lines, irregular attractors points of one run.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch

    ax = new_axes(ax)
    k, m = (_state_index(basins.state_names, state) for state in states)
    n = len(basins.attractors)
    pale = [f"C{a % 10}" for a in range(n)]
    # labels: -2 diverged, -1 unsettled, then the attractors
    style = {"cmap": ListedColormap(["w", "0.75", *pale]),
             "norm": BoundaryNorm(np.arange(-2.5, n + 0.5), n + 2)}  # fmt: skip
    x, y = basins.starts[..., k], basins.starts[..., m]
    if basins.labels.ndim == 2:
        style |= {"alpha": 0.45, "shading": "nearest", "rasterized": True}
        ax.pcolormesh(x, y, basins.labels, **(style | image))
    else:
        style |= {"s": 9, "alpha": 0.6, "linewidth": 0.3, "edgecolor": "0.5"}
        ax.scatter(x.ravel(), y.ravel(), c=basins.labels.ravel(), **(style | image))
    for a, color in zip(basins.attractors, pale):
        if a.kind == "fixed point":
            ax.plot(a.state[k], a.state[m], "o", color=color, markeredgecolor="k", markersize=8)
        elif a.kind == "cycle":
            ax.plot(a.orbit[:, k], a.orbit[:, m], color=color, linewidth=1.8)
        else:
            ax.plot(a.orbit[:, k], a.orbit[:, m], ".", color=color, markersize=2)
    shown = [
        Patch(facecolor=color, label=f"{a.kind}, {100 * a.fraction:.3g} %")
        for a, color in zip(basins.attractors[:10], pale)
    ]
    for count, color, name in ((basins.n_unsettled, "0.75", "not settled"),
                               (basins.n_diverged, "w", "diverged")):  # fmt: skip
        if count:
            share = 100 * count / basins.labels.size
            shown.append(Patch(facecolor=color, edgecolor="0.5", label=f"{name}, {share:.3g} %"))
    ax.legend(handles=shown, frameon=False, fontsize="small", loc="center left",
              bbox_to_anchor=(1.0, 0.5))  # fmt: skip
    ax.set(xlabel=basins.state_names[k], ylabel=basins.state_names[m])
    return ax


def _state_index(names: Sequence[str], state: str | int) -> int:
    """Place of a state, by name or number."""
    if isinstance(state, str):
        if state not in names:
            known = listed(names) if len(names) <= 8 else f"{listed(names[:8])}, ..."
            hint = suggestion(state, names) or "."
            raise ValueError(f"`state`: no state `{state}`{hint} There are {known}.")
        return list(names).index(state)
    if not -len(names) <= state < len(names):
        raise ValueError(f"`state` must be below {len(names)}; got {state}")
    return int(state) % len(names)
