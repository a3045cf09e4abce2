"""Fixed points in a plane, and the eigenvalues of their Jacobians."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import new_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from neurodyn.analyses.equilibria.record import FixedPoints

#: Marker, face and edge of each kind: what attracts is filled, what repels is hollow.
_STYLES: dict[str, dict[str, Any]] = {
    "stable": {"marker": "o", "markerfacecolor": "black", "markeredgecolor": "black"},
    "centre": {"marker": "o", "markerfacecolor": "C0", "markeredgecolor": "C0"},
    "neutral": {"marker": "d", "markerfacecolor": "C0", "markeredgecolor": "C0"},
    "saddle": {"marker": "X", "markerfacecolor": "C3", "markeredgecolor": "C3"},
    "source": {"marker": "o", "markerfacecolor": "white", "markeredgecolor": "C3"},
    "slow": {"marker": "s", "markerfacecolor": "white", "markeredgecolor": "C1"},
}


def fixed_points(
    found: FixedPoints,
    states: Sequence[str | int] | None = None,
    *,
    basis: ArrayLike | None = None,
    paths: ArrayLike | None = None,
    directions: bool = True,
    ax: Axes | None = None,
    **marker: Any,
) -> Axes:
    """Fixed and slow points in a plane, a marker for each kind.

    Parameters
    ----------
    found : FixedPoints
        As `neurodyn.analyses.fixed_points` returns it.
    states : (str or int, str or int), optional
        Two states, by name or number. Default: the two there are, or else the two leading principal
        components of `paths`, or of the points where no paths are given.
    basis : array_like, (2, state), optional
        Rows that states are projected on instead, their mean not removed.
    paths : array_like, (..., time, state), optional
        Trajectories, drawn below.
    directions : bool
        Draw the fastest growing direction of saddles, as short lines.
    ax : Axes, optional
    **marker
        Passed to ``Axes.plot`` for all points.

    Returns
    -------
    Axes
    """
    n = found.x.shape[1]
    runs = np.zeros((0, 1, n)) if paths is None else np.asarray(paths, float)
    if runs.ndim < 2 or runs.shape[-1] != n:
        raise ValueError(f"`paths` must be (..., time, {n}); got shape {runs.shape}")
    runs = runs.reshape(-1, *runs.shape[-2:])
    rows, mean, names = _plane(found, states, basis, runs)
    ax = new_axes(ax)
    for run in runs:
        ax.plot(*((run - mean) @ rows.T).T, color="0.75", linewidth=0.8, zorder=1)
    flat = (found.x - mean) @ rows.T
    every = np.concatenate([flat, ((runs - mean) @ rows.T).reshape(-1, 2)])
    if directions and len(found):
        size = 0.12 * np.ptp(every, axis=0).max()
        for k in np.flatnonzero(np.array(found.kind) == "saddle"):
            line = _growing(found, k) @ rows.T
            line *= size / max(np.linalg.norm(line), 1e-300)
            ends = np.stack([flat[k] - line, flat[k] + line])
            ax.plot(*ends.T, color="C3", linewidth=1.5, alpha=0.6, zorder=2)
    for kind, style in _STYLES.items():
        chosen = np.array([k == kind for k in found.kind], bool)
        if chosen.any():
            settings = {"linestyle": "none", "markersize": 8, "zorder": 3, **style, **marker}
            ax.plot(*flat[chosen].T, label=f"{kind} ({chosen.sum()})", **settings)
    if len(found):
        ax.legend(edgecolor="none", fontsize="small")
    ax.set(xlabel=names[0], ylabel=names[1])
    return ax


def jacobian_spectrum(
    found: FixedPoints,
    points: Sequence[int] | int | None = None,
    *,
    ax: Axes | None = None,
    **marker: Any,
) -> Axes:
    """Eigenvalues at fixed points in the complex plane, with the boundary of stability.

    Parameters
    ----------
    found : FixedPoints
    points : int or sequence of int, optional
        Which; default the first six.
    ax : Axes, optional
    **marker
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
        The dashed boundary is the imaginary axis for a flow, the unit circle for a map.
    """
    chosen = np.arange(min(len(found), 6)) if points is None else np.atleast_1d(points).astype(int)
    if chosen.size and not (-len(found) <= chosen.min() and chosen.max() < len(found)):
        raise ValueError(f"`points`: there are {len(found)} points; got {points!r}")
    ax = new_axes(ax)
    boundary = {"color": "0.4", "linestyle": "--", "linewidth": 1, "zorder": 1}
    if found.is_map:
        angle = np.linspace(0, 2 * np.pi, 361)
        ax.plot(np.cos(angle), np.sin(angle), **boundary)
    else:
        ax.axvline(0, **boundary)
    for k in chosen % max(len(found), 1):
        values = found.eigenvalues[k]
        settings = {"marker": "o", "linestyle": "none", "markersize": 4, "alpha": 0.8, **marker}
        ax.plot(values.real, values.imag, label=f"{k}: {found.kind[k]}", **settings)
    if chosen.size:
        ax.legend(frameon=False, fontsize="small")
    unit = "" if found.is_map else " (1/s)"
    ax.set(xlabel=f"real part{unit}", ylabel=f"imaginary part{unit}")
    if found.is_map:
        ax.set_aspect("equal")
    return ax


def _plane(found: FixedPoints, states, basis, runs: np.ndarray):
    """Rows to project on, what is taken off before, and labels."""
    n = found.x.shape[1]
    if basis is not None:
        rows = np.asarray(basis, float)
        if rows.shape != (2, n):
            raise ValueError(f"`basis` must be (2, {n}); got shape {rows.shape}")
        return rows, np.zeros(n), ("first direction", "second direction")
    if states is not None or n == 2:
        chosen = [_index(found, s) for s in (states if states is not None else (0, 1))]
        if len(chosen) != 2:
            raise ValueError(f"`states` must be two; got {states!r}")
        return np.eye(n)[chosen], np.zeros(n), tuple(found.state_names[k] for k in chosen)
    if n == 1:
        raise ValueError("a system of one state has no plane; plot `found.x[:, 0]`")
    data = runs.reshape(-1, n) if runs.size else found.x
    data = data if len(data) > 2 else np.concatenate([found.x, found.starts])
    mean = data.mean(axis=0)
    _, _, vt = np.linalg.svd(data - mean, full_matrices=False)
    return vt[:2], mean, ("first principal component", "second principal component")


def _index(found: FixedPoints, state: str | int) -> int:
    if isinstance(state, (int, np.integer)) and -len(found.state_names) <= state < len(
        found.state_names
    ):
        return int(state)
    if state in found.state_names:
        return found.state_names.index(state)
    from neurodyn.population import suggestion

    hint = suggestion(str(state), found.state_names) or "."
    raise ValueError(f"`states`: no state `{state}`{hint}")


def _growing(found: FixedPoints, point: int) -> np.ndarray:
    """Full state vector of the fastest growing direction, its real part."""
    values, vectors = np.linalg.eig(found.jacobian[point])
    growth = np.abs(values) if found.is_map else values.real
    direction = np.zeros(found.x.shape[1])
    direction[found.free] = vectors[:, np.argmax(growth)].real
    return direction
