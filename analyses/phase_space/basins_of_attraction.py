"""Basins of attraction: where many starts end.

Every start is run for a while; then the rest of its run is looked at. Where it has come to rest,
Newton's method finds the fixed point. Where it comes back to where it was it is on a cycle. What
does neither, but has the same statistics in both halves of the window, is irregular: chaotic, or
quasi-periodic. All else has not settled, and is counted as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count
from neurodyn.analyses._systems import System, as_system
from neurodyn.analyses.phase_space.paths import integrate
from neurodyn.units import to_si

if TYPE_CHECKING:
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network

#: Labels of starts that have no attractor.
UNSETTLED, DIVERGED = -1, -2
#: Extent of the window, relative to the size of all ends, below which a run may be at rest.
_AT_REST = 1e-2
#: Distance of a return, relative to the extent of the orbit.
_RETURN = 0.02
#: Parts of the window in each of which a rhythm must not be smaller, or larger, than in the one
#: before, and by how much in all: else it still decays or grows.
_PARTS, _GROWTH = 8, 0.05
#: Bytes of states in one piece of the runs.
_PIECE = 2**26


@dataclass(frozen=True)
class Attractor:
    """Where some of the starts end.

    Attributes
    ----------
    kind : str
        "fixed point", "cycle" or "irregular".
    state : ndarray, (n_states,)
        The fixed point; else a state that one of the runs ended in.
    orbit : ndarray, (sample, n_states)
        One of the runs, in the window; a fixed point once.
    period : float
        Of a cycle, to the resolution of the samples; NaN for the others.
    count : int
    fraction, standard_error : float
        Share of all starts; the error is binomial.
    """

    kind: str
    state: np.ndarray
    orbit: np.ndarray = field(repr=False)
    period: float
    count: int
    fraction: float
    standard_error: float


@dataclass(frozen=True)
class Basins:
    """Where many starts end.

    Attributes
    ----------
    attractors : tuple of Attractor
        The most frequent first.
    labels : ndarray of int, like `starts` without its last axis
        Number of the attractor; -1 where the run has not settled, -2 where it diverged.
    starts : ndarray, (..., n_states)
    n_unsettled, n_diverged : int
    state_names : tuple of str
    """

    attractors: tuple[Attractor, ...]
    labels: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)
    n_unsettled: int
    n_diverged: int
    state_names: tuple[str, ...]

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{a.kind} {a.fraction:.3g} ± {a.standard_error:.1g}" for a in self.attractors[:6]
        )
        more = ", ..." if len(self.attractors) > 6 else ""
        lost = f"; {self.n_unsettled} unsettled, {self.n_diverged} diverged"
        return f"<Basins of {self.labels.size} starts: {parts or 'no attractor'}{more}{lost}>"


def basins(
    system: Network | Flow | Map,
    box: Any = None,
    n: int = 1000,
    *,
    starts: Any = None,
    duration: Any,
    window: float = 0.25,
    n_samples: int = 400,
    inputs: Mapping[str, Any] | None = None,
    tolerance: float = 1e-3,
    rng: Any = None,
) -> Basins:
    """The attractors that many starts run to, and the share of each.

    Parameters
    ----------
    system : Network, Flow or Map
        Networks without spikes; noise is left out.
    box : (low, high) or dict of str to (low, high), optional
        Starts are drawn from it, uniformly. A dict gives the range of each state; a number in place
        of a range holds a state, and states not named are 0.
    n : int
        How many starts are drawn.
    starts : array_like, (..., n_states), optional
        The starts, in place of `box`: those of ``FlowField.states`` for a map of the plane.
    duration : float or quantity, s
        Of each run; in steps for a map. Long enough that runs settle in the part before `window`.
    window : float
        Last part of the run that is looked at, default a quarter.
    n_samples : int
        States in the window; with fewer than ten a period a cycle is taken for irregular.
    inputs : dict of str to array_like, optional
        Constant inputs of a network.
    tolerance : float
        Fixed points closer than this part of the spread of all ends are one; cycles may differ by
        twenty times as much, and irregular attractors by their statistical scatter.
    rng : int, SeedSequence, Generator or None
        Of the starts.

    Returns
    -------
    Basins

    Raises
    ------
    ValueError
        For unknown states (with a suggestion), ranges that are reversed, both or neither of `box`
        and `starts`.

    Examples
    --------
    >>> import neurodyn as nd
    >>> from neurodyn import analyses
    >>> bistable = nd.Flow(lambda x: x - x**3, 1)
    >>> found = analyses.basins(bistable, (-2, 1), 300, duration=40, rng=0)
    >>> [(a.kind, a.state.round(6).tolist()) for a in found.attractors]
    [('fixed point', [-1.0]), ('fixed point', [1.0])]
    """
    view = as_system(system, inputs)
    if view.is_spiking:
        raise TypeError(
            "`system` spikes: its runs have no end in the space of states. Cluster statistics of "
            "its spikes, `firing_rates` of `simulate(..., initial=...)`"
        )
    starts = _starts(view, box, n, starts, rng)
    if not 0 < window < 1:
        raise ValueError(f"`window` must be between 0 and 1; got {window!r}")
    if not 0 < tolerance < 1:
        raise ValueError(f"`tolerance` must be between 0 and 1; got {tolerance!r}")
    times = _times(view, duration, window, checked_count(n_samples, "n_samples", 20))
    flat = starts.reshape(-1, view.n_states)
    step = max(1, _PIECE // (8 * times.size * view.n_states))
    paths = np.concatenate(
        [_ends(view, flat[k : k + step], times) for k in range(0, len(flat), step)]
    )
    labels, found = _Ends(view, flat, paths, times[1:], tolerance).sorted_out()
    return Basins(
        found, labels.reshape(starts.shape[:-1]), starts, int(np.sum(labels == UNSETTLED)),
        int(np.sum(labels == DIVERGED)), view.state_names,
    )  # fmt: skip


def _starts(view: System, box, n, starts, rng) -> np.ndarray:
    if (box is None) == (starts is None):
        raise ValueError("give either `box`, from which starts are drawn, or `starts`")
    if starts is not None:
        return view.state(starts, "starts").reshape(*np.shape(starts)[:-1] or (1,), view.n_states)
    ranges = box if isinstance(box, Mapping) else {k: box for k in range(view.n_states)}
    low, high = np.zeros(view.n_states), np.zeros(view.n_states)
    for name, given in ranges.items():
        place = view.state_indices(name, "box")
        values = [np.asarray(to_si(v, "box").value, float) for v in np.atleast_1d(given)]
        if len(values) > 2 or not np.all(np.isfinite(values)):
            raise ValueError(f"`box` must give a range (low, high) or a number; got {given!r}")
        low[place], high[place] = values[0], values[-1]
        if np.any(low[place] > high[place]):
            raise ValueError(
                f"`box`: the range of `{name}` must run from low to high; got {given!r}"
            )
    rows = checked_count(n, "n"), view.n_states
    return low + (high - low) * as_generator(rng).random(rows)


def _times(view: System, duration, window: float, n_samples: int) -> np.ndarray:
    """0 and the times of the samples."""
    if view.is_map:
        steps = checked_count(duration, "duration", 2)
        return np.append(0, np.arange(steps - max(1, int(window * steps)), steps + 1))
    length = to_si(duration, "duration").value
    if np.ndim(length) or not (np.isfinite(length) and length > 0):
        raise ValueError(f"`duration` must be a positive time; got {duration!r}")
    return np.append(0.0, np.linspace((1 - window) * length, length, n_samples))


def _ends(view: System, starts: np.ndarray, times: np.ndarray) -> np.ndarray:
    """States in the window, (start, sample, n_states); NaN for runs that diverge."""
    if not view.is_map:
        return integrate(view, starts, times, 1e-8)[:, 1:]
    x, found = starts, np.empty((len(starts), times.size - 1, view.n_states))
    with np.errstate(all="ignore"):
        for k in range(int(times[-1]) + 1):
            if k >= times[1]:
                found[:, k - int(times[1])] = x
            x = view.field(x)
    found[~(np.abs(found) < 1e9).all(axis=(1, 2))] = np.nan
    return found


class _Ends:
    """Ends of runs, grouped by attractor."""

    def __init__(self, view: System, starts, paths, times, tolerance: float):
        self.view, self.paths, self.times, self.tolerance = view, paths, times, tolerance
        self.n = len(paths)
        self.labels = np.full(self.n, UNSETTLED)
        self.labels[~np.isfinite(paths).all(axis=(1, 2))] = DIVERGED
        alive = paths[self.labels != DIVERGED].reshape(-1, view.n_states)
        alive = alive if len(alive) else starts
        # by how much the ends differ, but where all come to one point by the starts or its size
        spread = np.maximum(np.ptp(alive, axis=0), 1e-3 * np.ptp(starts, axis=0))
        size = np.abs(alive).max(axis=0)
        self.scale = np.where(spread > 1e-6 * size, spread, np.where(size > 0, size, 1.0))
        self.groups: list[tuple[str, np.ndarray, np.ndarray, float]] = []

    def sorted_out(self) -> tuple[np.ndarray, tuple[Attractor, ...]]:
        self._fixed_points()
        self._cycles()
        self._irregular()
        order = sorted(range(len(self.groups)), key=lambda g: -self.groups[g][1].size)
        found = []
        for place, g in enumerate(order):
            kind, rows, state, period = self.groups[g]
            self.labels[rows] = place
            share = rows.size / self.n
            orbit = state[None] if kind == "fixed point" else self.paths[rows[0]]
            error = float(np.sqrt(share * (1 - share) / self.n))
            found.append(Attractor(kind, state, orbit, period, rows.size, share, error))
        return self.labels, tuple(found)

    def _left(self) -> np.ndarray:
        """Runs that are not assigned yet."""
        taken = np.concatenate([g[1] for g in self.groups]) if self.groups else np.array([], int)
        return np.setdiff1d(np.flatnonzero(self.labels == UNSETTLED), taken)

    def _add(self, kind: str, rows: np.ndarray, features: np.ndarray, eps: float, states, periods):
        """Groups of runs whose features are neighbours within `eps`."""
        if not rows.size:
            return
        from sklearn.cluster import DBSCAN

        # the largest difference of any feature counts
        cluster = DBSCAN(eps=eps, min_samples=1, metric="chebyshev").fit(features).labels_
        for c in range(cluster.max() + 1):
            members = np.flatnonzero(cluster == c)
            self.groups.append((kind, rows[members], states[members[0]],
                                float(np.median(periods[members]))))  # fmt: skip

    def _fixed_points(self) -> None:
        rows = self._left()
        extent = np.ptp(self.paths[rows], axis=1) / self.scale
        rows = rows[np.all(extent < _AT_REST, axis=1)]
        if not rows.size:
            return
        points, rests = self._polished(self.paths[rows, -1])
        rows, points = rows[rests], points[rests]
        self._add("fixed point", rows, points / self.scale, self.tolerance, points,
                  np.full(rows.size, np.nan))  # fmt: skip

    def _polished(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fixed points near `x`, and whether there is one that attracts, close to `x`."""
        start, is_map = x, self.view.is_map
        eye = np.eye(self.view.n_states) if is_map else 0.0
        with np.errstate(all="ignore"):
            for _ in range(20):
                f = self.view.field(x) - (x if is_map else 0.0)
                jacobian = self.view.jacobian(x) - eye
                step = np.array([np.linalg.lstsq(j, -r, rcond=1e-13)[0] if np.isfinite(j).all()
                                 else np.full(r.size, np.nan) for j, r in zip(jacobian, f)])
                step = step.reshape(x.shape)
                x = x + step
            near = np.all(np.abs(x - start) / self.scale < _AT_REST, axis=1)
            converged = np.all(np.abs(step) / self.scale < 1e-9, axis=1)
        rests = near & converged
        if rests.any():
            values = np.linalg.eigvals(self.view.jacobian(x[rests]))
            size = np.abs(values).max(axis=1)
            growth = np.abs(values).max(axis=1) - 1 if is_map else values.real.max(axis=1)
            rests[rests] = growth <= 1e-9 * np.maximum(size, 1e-300)
        return x, rests

    def _cycles(self) -> None:
        rows = self._left()
        found, periods = [], []
        for row in rows[~self._still_changes(self.paths[rows])] if rows.size else ():
            period = self._period(self.paths[row])
            if period:
                found.append(row)
                periods.append(period)
        found = np.array(found, int)
        states = self.paths[found, -1]
        self._add("cycle", found, self._features(self.paths[found]), 20 * self.tolerance, states,
                  np.array(periods))  # fmt: skip

    def _features(self, paths: np.ndarray) -> np.ndarray:
        """Mean and standard deviation of each state, scaled, (run, feature)."""
        means = paths.mean(axis=1) / self.scale
        return np.concatenate([means, paths.std(axis=1) / self.scale], axis=1)

    def _period(self, path: np.ndarray) -> float:
        """After what time a run comes back to where it ends; 0 if it does not, or not regularly."""
        extent = np.ptp(path, axis=0)
        path = path[:, extent > 1e-3 * self.scale] / extent[extent > 1e-3 * self.scale]
        if not path.shape[1]:
            return 0.0
        if self.view.is_map:
            apart = np.abs(path[:-1] - path[-1]).max(axis=1)[::-1]  # after 1, 2, ... steps
            back = np.flatnonzero(apart < 1e-6) + 1
            return float(back[0]) if back.size > 1 and back[1] == 2 * back[0] else 0.0
        distance = _to_segments(path, path[-1])
        away = np.flatnonzero(distance > 0.25)
        if not away.size:
            return 0.0
        near = np.append(distance[: away[-1]] < _RETURN, False)
        edges = np.flatnonzero(np.diff(np.append(False, near).astype(int)))
        visits = edges.reshape(-1, 2)  # first sample of each return, and the one behind its last
        if len(visits) < 2:
            return 0.0
        places = [a + int(np.argmin(distance[a:b])) for a, b in visits]
        turns = np.diff([*self.times[places], self.times[-1]])
        regular = np.ptp(turns) <= 0.1 * turns.mean() + 2 * (self.times[1] - self.times[0])
        return float(turns.mean()) if regular else 0.0

    def _still_changes(self, paths: np.ndarray) -> np.ndarray:
        """Whether motion gets smaller, or larger, from each part of a window to the next."""
        parts = np.array_split(paths / self.scale, _PARTS, axis=1)
        size = np.stack([np.linalg.norm(part.std(axis=1), axis=1) for part in parts], axis=1)
        steps = np.diff(size, axis=1)
        one_way = np.all(steps < 0, axis=1) | np.all(steps > 0, axis=1)
        return one_way & (np.abs(size[:, -1] - size[:, 0]) > _GROWTH * size.max(axis=1))

    def _irregular(self) -> None:
        rows = self._left()
        if not rows.size:
            return
        half = self.paths.shape[1] // 2
        paths = self.paths[rows]
        extent = np.ptp(paths, axis=1)
        first, last = self._features(paths[:, :half]), self._features(paths[:, half:])
        scatter = np.tile(extent / self.scale, 2)
        drift = (np.abs(first - last) / np.where(scatter > 0, scatter, np.inf)).max(axis=1)
        moves = np.any(extent / self.scale > _AT_REST, axis=1)
        rows = rows[moves & (drift < 0.25) & ~self._still_changes(paths)]
        # halves of a window scatter by so much about their mean
        self._add("irregular", rows, self._features(self.paths[rows]), 0.15,
                  self.paths[rows, -1], np.full(rows.size, np.nan))  # fmt: skip


def _to_segments(path: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Distance of `point` from each piece of the line through `path`."""
    start, along = path[:-1], np.diff(path, axis=0)
    square = np.sum(along**2, axis=1)
    t = np.clip(np.sum((point - start) * along, axis=1) / np.where(square > 0, square, 1), 0, 1)
    return np.abs(start + t[:, None] * along - point).max(axis=1)
