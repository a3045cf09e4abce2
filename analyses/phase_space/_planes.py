"""The plane of two states of a system, the others held or at their quasi-steady state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.analyses._systems import System
from neurodyn.units import to_si

#: Newton steps towards a quasi-steady state; step, relative to the state, that is small enough.
_NEWTON, _SMALL_STEP = 50, 1e-9


@dataclass(frozen=True)
class Plane:
    """Two states with a grid, and what the others do.

    Attributes
    ----------
    system : System
    axes : (int, int)
        Places of the two in the flat state.
    names : (str, str)
    x, y : ndarray
        The grid.
    reference : ndarray, (n_states,)
        Where the others are held, or where the search for their quasi-steady state begins.
    relaxed : ndarray of int
        Those that are at their quasi-steady state.
    """

    system: System
    axes: tuple[int, int]
    names: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    reference: np.ndarray
    relaxed: np.ndarray

    @classmethod
    def of(cls, system: System, x, y, others, quasi_steady, n: int) -> Plane:
        """Check the arguments of `flow_field` and `nullclines`."""
        if system.is_map:
            raise TypeError(
                "`system` is a Map, whose states jump: there is no flow between them. For where "
                "it goes in one step make a flow of it, nd.Flow(lambda x: f(x) - x, n_states)"
            )
        if system.n_states < 2:
            raise ValueError(
                "`system` has one state and so no plane; plot its field against the state, or "
                "continue its equilibria with `continue_equilibria`"
            )
        (first, x), (second, y) = (_axis(system, a, name, n) for a, name in ((x, "x"), (y, "y")))
        if first == second:
            raise ValueError(f"`x` and `y` are the same state, `{system.state_names[first]}`")
        rest = np.setdiff1d(np.arange(system.n_states), (first, second))
        if rest.size and others is None and not np.any(quasi_steady):
            raise ValueError(
                f"`system` has {rest.size} states beside the two, such as "
                f"`{system.state_names[rest[0]]}`: hold them, `others={{name: value}}`, or let "
                "them follow, `quasi_steady=True`"
            )
        names = (system.state_names[first], system.state_names[second])
        reference = _reference(system, others, (first, second))
        relaxed = _relaxed(system, quasi_steady, rest)
        return cls(system, (first, second), names, x, y, reference, relaxed)

    @property
    def shape(self) -> tuple[int, int]:
        return self.y.size, self.x.size

    def grid(self) -> np.ndarray:
        """Points of the grid, (ny nx, 2)."""
        return np.stack(np.meshgrid(self.x, self.y), axis=-1).reshape(-1, 2)

    def padded(self) -> Plane:
        """The plane with one more row and column of the grid on each side.

        A nullcline that lies on the border is then between corners of opposite sign.
        """
        def pad(a: np.ndarray) -> np.ndarray:
            return np.concatenate([[2 * a[0] - a[1]], a, [2 * a[-1] - a[-2]]])

        return replace(self, x=pad(self.x), y=pad(self.y))

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which of `points` (..., 2) are on the plane."""
        low, high = (np.array([a[k] for a in (self.x, self.y)]) for k in (0, -1))
        slack = 1e-9 * (high - low)
        return np.all((points >= low - slack) & (points <= high + slack), axis=-1)

    def clipped(self, line: np.ndarray) -> list[np.ndarray]:
        """Pieces of a line that are on the plane."""
        pieces = _finite_runs(np.where(self.inside(line)[:, None], line, np.nan))
        return [piece for piece in pieces if len(piece) > 1]

    # -- states of points ----------------------------------------------------------------------

    def states(self, points: np.ndarray, guesses=None) -> tuple[np.ndarray, np.ndarray]:
        """Full states (point, n_states), and whether the quasi-steady state was found."""
        x = np.tile(self.reference, (len(points), 1))
        x[:, self.axes] = points
        settled = np.ones(len(points), bool)
        if not self.relaxed.size:
            return x, settled
        if guesses is not None:
            x[:, self.relaxed] = guesses
        settled = self._relax(x)
        bad = np.flatnonzero(~settled)
        if bad.size and settled.any() and guesses is None:  # again, from the nearest that was found
            good = np.flatnonzero(settled)
            scale = np.ptp(points, axis=0) + 1e-300
            for k in bad:
                near = good[np.argmin(np.sum(((points[good] - points[k]) / scale) ** 2, axis=1))]
                x[k, self.relaxed] = x[near, self.relaxed]
            again = x[bad]
            settled[bad] = self._relax(again)
            x[bad] = again
        return x, settled

    def _relax(self, x: np.ndarray) -> np.ndarray:
        """Newton's method, shortened if it overshoots, on the relaxed states of `x`, in place."""
        z = self.relaxed
        active = np.arange(len(x))
        done = np.zeros(len(x), bool)
        with np.errstate(all="ignore"):
            for _ in range(_NEWTON):
                g = self.system.field(x[active])[:, z]
                j = self.system.jacobian(x[active])[:, z[:, None], z]
                usable = np.isfinite(g).all(axis=1) & np.isfinite(j).all(axis=(1, 2))
                active, g, j = active[usable], g[usable], j[usable]
                if not active.size:
                    break
                step = _solved(j, -g)
                step = self._shortened(x, active, g, step)
                x[active[:, None], z] += step
                size = np.abs(x[:, z]).max(axis=0) + 1e-300
                small = np.all(np.abs(step) <= _SMALL_STEP * size, axis=1)
                done[active[small]] = True
                active = active[~small & np.isfinite(step).all(axis=1)]
                if not active.size:
                    break
        return done

    def _shortened(self, x, rows, g, step) -> np.ndarray:
        """Steps halved up to eight times until the rates decrease."""
        size = np.linalg.norm(g, axis=1)
        todo = np.arange(len(rows))
        for _ in range(8):
            trial = x[rows[todo]]
            trial[:, self.relaxed] += step[todo]
            worse = ~(np.linalg.norm(self.system.field(trial)[:, self.relaxed], axis=1)
                      <= size[todo])  # fmt: skip
            at_rounding = np.all(np.abs(step[todo]) <= 1e-12 * np.abs(trial[:, self.relaxed]),
                                 axis=1)  # fmt: skip
            todo = todo[worse & ~at_rounding]
            if not todo.size:
                break
            step[todo] /= 2
        return step

    def check(self, states, rates, settled) -> tuple[int, float]:
        """Points whose quasi-steady state does not attract, and the largest rate left."""
        if not (self.relaxed.size and settled.any()):
            return 0, 0.0
        z = self.relaxed
        j = self.system.jacobian(states[settled])[:, z[:, None], z]
        unstable = np.linalg.eigvals(j).real.max(axis=1) > 0
        return int(unstable.sum()), float(np.abs(rates[settled][:, z]).max())

    def rates(self, points: np.ndarray, guesses=None) -> np.ndarray:
        """Rates of change of the two states, (point, 2); NaN where they are not known."""
        states, settled = self.states(points, guesses)
        with np.errstate(all="ignore"):
            found = self.system.field(states)[:, self.axes]
        return np.where(settled[:, None], found, np.nan)

    def jacobians(self, points: np.ndarray, guesses=None) -> np.ndarray:
        """Of the field in the plane, (point, 2, 2), that of the reduced system if states relax."""
        if not len(points):
            return np.empty((0, 2, 2))
        states, _ = self.states(points, guesses)
        with np.errstate(all="ignore"):
            j = self.system.jacobian(states)
        a, z = np.array(self.axes), self.relaxed
        plane = j[:, a[:, None], a]
        if not z.size:
            return plane
        # the relaxed states follow by dz = -J_zz^-1 J_za da
        follow = np.linalg.solve(j[:, z[:, None], z], j[:, z[:, None], a])
        return plane - j[:, a[:, None], z] @ follow

    def rates_on_grid(self) -> tuple[list[np.ndarray], np.ndarray | None]:
        """Both rates, (ny, nx), and the relaxed states there as guesses for points between."""
        states, settled = self.states(self.grid())
        with np.errstate(all="ignore"):
            rates = self.system.field(states)[:, self.axes]
        rates = np.where(settled[:, None] & np.isfinite(rates), rates, np.nan)
        guesses = states[:, self.relaxed].reshape(*self.shape, -1) if self.relaxed.size else None
        return [rates[:, k].reshape(self.shape) for k in (0, 1)], guesses

    # -- zeros ---------------------------------------------------------------------------------

    def zero_lines(self, k: int, values, guesses, size: float):
        """Lines where rate `k` is 0, points dropped at jumps, and the largest residual / `size`."""
        from contourpy import contour_generator

        if not size > 0:  # the state does not change anywhere: no lines
            return [], 0, 0.0
        contours = contour_generator(
            self.x, self.y, np.ma.masked_invalid(values), name="serial", corner_mask=False
        )
        lines = [line for line in contours.lines(0.0) if len(line)]
        if not lines:
            return [], 0, 0.0
        points, left = self._onto_zero(k, np.concatenate(lines), values, guesses)
        dropped = ~(left <= 1e-6 * size)
        points[dropped] = np.nan
        pieces = []
        for line in np.split(points, np.cumsum([len(line) for line in lines])[:-1]):
            pieces += _finite_runs(line)
        residual = float(left[~dropped].max(initial=0.0) / size)
        return pieces, int(dropped.sum()), residual

    def _onto_zero(self, k: int, points, values, guesses) -> tuple[np.ndarray, np.ndarray]:
        """Points of contours moved along their edge of the grid to the zero, and |rate| there."""
        from scipy.optimize.elementwise import find_root

        start, stop = self._edges(points, values)
        interpolated = self._interpolator(guesses)

        def rate(t, *ends):
            p, q = np.stack(ends[:2], axis=-1), np.stack(ends[2:], axis=-1)
            on_edge = p + t[:, None] * (q - p)
            return self.rates(on_edge, interpolated(on_edge))[:, k]

        found = find_root(rate, (np.zeros(len(points)), np.ones(len(points))),
                          args=(*start.T, *stop.T))  # fmt: skip
        t = np.where(np.isfinite(found.x), found.x, np.nan)[:, None]
        moved = np.where(np.isfinite(t), start + t * (stop - start), points)
        return moved, np.abs(self.rates(moved, interpolated(moved))[:, k])

    def _edges(self, points, values) -> tuple[np.ndarray, np.ndarray]:
        """Both ends of the edge of the grid on which each point of a contour lies."""
        x, y = points.T
        i, j = _nearest(self.x, x), _nearest(self.y, y)
        low_i = np.clip(np.searchsorted(self.x, x, "right") - 1, 0, self.x.size - 2)
        low_j = np.clip(np.searchsorted(self.y, y, "right") - 1, 0, self.y.size - 2)
        on_x = np.abs(x - self.x[i]) <= 1e-9 * (self.x[1] - self.x[0])
        on_y = np.abs(y - self.y[j]) <= 1e-9 * (self.y[1] - self.y[0])
        # (is it this kind of edge, column and row of one end, of the other)
        kinds = [(on_x, i, low_j, i, low_j + 1), (on_y, low_i, j, low_i + 1, j)]
        node = on_x & on_y  # the edge that holds the zero may be any of the four
        kinds += [(node, i, np.clip(j + a, 0, None), i, np.clip(j + a + 1, None, self.y.size - 1))
                  for a in (-1, 0)]  # fmt: skip
        kinds += [(node, np.clip(i + a, 0, None), j, np.clip(i + a + 1, None, self.x.size - 1), j)
                  for a in (-1, 0)]  # fmt: skip
        start, stop = points.copy(), points.copy()
        todo = np.ones(len(points), bool)
        for fits, i0, j0, i1, j1 in kinds:
            ends_differ = ~(values[j0, i0] * values[j1, i1] > 0)
            use = todo & fits & ends_differ
            start[use] = np.stack([self.x[i0], self.y[j0]], axis=-1)[use]
            stop[use] = np.stack([self.x[i1], self.y[j1]], axis=-1)[use]
            todo &= ~use
        return start, stop

    def _interpolator(self, guesses):
        """Guesses (ny, nx, relaxed) at any points; None of them if nothing is relaxed."""
        if guesses is None:
            return lambda points: None
        from scipy.interpolate import RegularGridInterpolator

        at = RegularGridInterpolator((self.y, self.x), guesses, bounds_error=False, fill_value=None)
        return lambda points: at(points[:, ::-1])

    def fixed_points(self, lines, size: np.ndarray, guesses=None):
        """Where both rates are 0, (k, 2), by Newton's method from where the lines cross.

        Sorted, with the Jacobian in the plane at each.
        """
        at = self._interpolator(guesses)
        starts = [np.empty((0, 2))]
        for k in (0, 1):
            for line in lines[k]:
                other = self.rates(line, at(line))[:, 1 - k]
                with np.errstate(invalid="ignore"):
                    crossing = np.flatnonzero(other[:-1] * other[1:] <= 0)
                a, b = other[crossing], other[crossing + 1]
                t = np.where(a == b, 0.5, a / np.where(a == b, 1, a - b))[:, None]
                starts.append(line[crossing] * (1 - t) + line[crossing + 1] * t)
        points = np.concatenate(starts)
        for _ in range(20):
            if not len(points):
                break
            with np.errstate(all="ignore"):
                guess = at(points)
                step = _solved(self.jacobians(points, guess), -self.rates(points, guess))
            step[~np.isfinite(step)] = 0.0  # a singular point stays where the lines cross
            points = points + step
        rates = np.abs(self.rates(points, at(points)))
        points = points[np.all(rates <= 1e-9 * size, axis=1)]
        points = _distinct(points, 1e-6 * np.array([np.ptp(self.x), np.ptp(self.y)]))
        return points, self.jacobians(points, at(points))


def kind_of_fixed_point(eigenvalues: np.ndarray) -> str:
    """Name of a fixed point of the plane by the eigenvalues of its Jacobian."""
    real, size = eigenvalues.real, np.abs(eigenvalues).max()
    if np.any(np.abs(eigenvalues) <= 1e-9 * size):
        return "degenerate"
    if np.any(eigenvalues.imag):
        if np.all(np.abs(real) <= 1e-9 * size):
            return "centre"  # of the linear flow; the nonlinear one may wind in or out
        return "stable focus" if real[0] < 0 else "unstable focus"
    if real[0] * real[1] < 0:
        return "saddle"
    return "stable node" if real[0] < 0 else "unstable node"


# -- arguments ---------------------------------------------------------------------------------


def _axis(system: System, given, argument: str, n: int) -> tuple[int, np.ndarray]:
    """Place of the state and grid of an axis."""
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) not in (3, 4):
        raise ValueError(
            f"`{argument}` must be (state, low, high) or (state, low, high, n); got {given!r}"
        )
    place = system.state_index(given[0], argument)
    low, high = (float(to_si(value, argument).value) for value in given[1:3])
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(
            f"`{argument}` must run from a lower to a higher value; got {low:g} to {high:g}"
        )
    if len(given) == 4:
        n = checked_count(given[3], f"{argument}[3]", 2)
    return place, np.linspace(low, high, n)


def _reference(system: System, others, axes: tuple[int, int]) -> np.ndarray:
    """The state in which the others are held."""
    if others is None:
        return np.zeros(system.n_states)
    if not isinstance(others, Mapping):
        return system.state(others, "others")
    reference = np.zeros(system.n_states)
    for name, value in others.items():
        places = system.state_indices(name, "others")
        if places.size == 1 and places[0] in axes:
            raise ValueError(f"`others` holds `{name}`, which is one of the two on the axes")
        value = np.asarray(to_si(value, f"others[{name!r}]").value, float)
        if value.shape not in ((), (places.size,)) or not np.all(np.isfinite(value)):
            raise ValueError(
                f"`others[{name!r}]` must be one finite number or {places.size}; got {value!r:.60}"
            )
        reference[places] = value
    return reference


def _relaxed(system: System, quasi_steady, rest: np.ndarray) -> np.ndarray:
    """Places of the states that are at their quasi-steady state."""
    if isinstance(quasi_steady, (bool, np.bool_)):
        return rest if quasi_steady else rest[:0]
    names = [quasi_steady] if isinstance(quasi_steady, str) else list(quasi_steady)
    places = [system.state_indices(name, "quasi_steady") for name in names]
    return np.intersect1d(np.concatenate(places), rest) if places else rest[:0]


# -- small helpers -----------------------------------------------------------------------------


def _solved(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solution of each system, NaN where the matrix is singular."""
    try:
        return np.linalg.solve(matrices, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        out = np.full(right.shape, np.nan)
        for k, (a, b) in enumerate(zip(matrices, right)):
            if np.linalg.cond(a) < 1e15:
                out[k] = np.linalg.solve(a, b)
        return out


def _nearest(grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    k = np.clip(np.searchsorted(grid, values), 1, grid.size - 1)
    return k - (values - grid[k - 1] < grid[k] - values)


def _finite_runs(line: np.ndarray) -> list[np.ndarray]:
    """Pieces of a line without its rows of NaN."""
    bad = np.isnan(line[:, 0])
    pieces = np.split(line, np.flatnonzero(np.diff(bad)) + 1)
    return [piece for piece in pieces if len(piece) and not np.isnan(piece[0, 0])]


def _distinct(points: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """Points sorted by x then y, those closer than `tolerance` only once."""
    kept: list[np.ndarray] = []
    for p in points[np.lexsort(points.T[::-1])]:
        if not any(np.all(np.abs(p - q) <= tolerance) for q in kept):
            kept.append(p)
    return np.array(kept).reshape(-1, 2)
