"""The plane of two states: where the flow goes, where it stands still, and paths through it.

Systems of more than two states are cut: the others are held at given values, or each follows at
once to where it rests while the two are what they are (the quasi-steady state), as fast gating
variables nearly do. Nullclines come from the contours of the field on a grid, and every point of
them is then moved along its edge of the grid until the field is zero there to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.analyses._systems import as_system
from neurodyn.analyses.phase_space._planes import Plane, kind_of_fixed_point

if TYPE_CHECKING:
    from neurodyn.flow import Flow
    from neurodyn.network import Network


_NOWHERE = (
    "the field is finite nowhere on the grid: choose other ranges of `x` and `y`, or `others` "
    "nearer to their quasi-steady state"
)


@dataclass(frozen=True)
class FlowField:
    """The field on a grid of the plane of two states.

    Attributes
    ----------
    names : (str, str)
        The states along x and y.
    x, y : ndarray, (nx,) and (ny,)
    dx, dy : ndarray, (ny, nx)
        Rates of change of the two states, per second for a network; NaN where the field is not
        finite or the quasi-steady state was not found.
    states : ndarray, (ny, nx, n_states)
        Full states at the points of the grid.
    residual : float
        Largest rate of change left of the states at their quasi-steady state; 0 if there are none.
    n_unsettled : int
        Points whose quasi-steady state was not found.
    n_unstable : int
        Points where it was found but does not attract: there the reduction does not hold.
    """

    names: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    states: np.ndarray = field(repr=False)
    residual: float = 0.0
    n_unsettled: int = 0
    n_unstable: int = 0

    @property
    def speed(self) -> np.ndarray:
        """Length of the arrows with both axes as long as their ranges, (ny, nx), 1/time."""
        return np.hypot(self.dx / np.ptp(self.x), self.dy / np.ptp(self.y))

    def __repr__(self) -> str:
        ranges = (
            f"{n} in [{a[0]:.4g}, {a[-1]:.4g}]" for n, a in zip(self.names, (self.x, self.y))
        )
        return f"<FlowField of {self.x.size} x {self.y.size} points: {', '.join(ranges)}>"


@dataclass(frozen=True)
class Nullclines:
    """Where one of two states stands still, and the points where both do.

    Attributes
    ----------
    names : (str, str)
        The states along x and y.
    x_lines, y_lines : tuple of ndarray, (point, 2)
        Lines on which the state along x, or y, does not change.
    residual : float
        Largest rate of change left on the lines, relative to the largest on the grid.
    n_dropped : int
        Points where the field changes its sign by a jump, not through zero: no nullcline.
    fixed_points : ndarray, (k, 2)
        Where the lines cross. With other states held these rest only while those are.
    eigenvalues : ndarray of complex, (k, 2)
        Of the Jacobian in the plane; with other states at their quasi-steady state, of the system
        so reduced.
    kinds : tuple of str
        Such as "stable node", "saddle", "unstable focus".
    """

    names: tuple[str, str]
    x_lines: tuple[np.ndarray, ...]
    y_lines: tuple[np.ndarray, ...]
    residual: float
    n_dropped: int
    fixed_points: np.ndarray
    eigenvalues: np.ndarray
    kinds: tuple[str, ...]

    def __repr__(self) -> str:
        points = ", ".join(
            f"{kind} ({x:.4g}, {y:.4g})" for kind, (x, y) in zip(self.kinds, self.fixed_points)
        )
        return f"<Nullclines of {self.names[0]} and {self.names[1]}: {points or 'no fixed point'}>"


def flow_field(
    system: Network | Flow,
    x: Sequence[Any],
    y: Sequence[Any],
    *,
    others: Any = None,
    quasi_steady: bool | Sequence[str] = False,
    inputs: Mapping[str, Any] | None = None,
) -> FlowField:
    """Rates of change of two states on a grid of their plane.

    Parameters
    ----------
    system : Network or Flow
        Of a network that spikes it is the flow between spikes; noise is left out.
    x, y : (name, low, high) or (name, low, high, n)
        A state by name, such as ``"E.r"`` or ``"E.r[3]"``, or by number; its range; and how many
        points, default 25.
    others : dict of str to float, or array_like (n_states,), optional
        Values at which the other states are held; a name without a number stands for all units.
        States not named are 0.
    quasi_steady : bool or sequence of str
        Which of the other states are put where they would rest, given the two: True for all.
        `others` is then where the search begins.
    inputs : dict of str to array_like, optional
        Constant inputs of a network.

    Returns
    -------
    FlowField

    Raises
    ------
    ValueError
        For unknown states (with a suggestion), ranges that are empty or reversed, a system of more
        than two states with neither `others` nor `quasi_steady`.

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> from neurodyn import analyses
    >>> def fitzhugh_nagumo(s, I):
    ...     v, w = s[..., 0], s[..., 1]
    ...     return np.stack([v - v**3/3 - w + I, 0.08*(v + 0.7 - 0.8*w)], axis=-1)
    >>> flow = nd.Flow(fitzhugh_nagumo, 2, parameters={"I": 0.5}, state_names=["v", "w"])
    >>> found = analyses.flow_field(flow, ("v", -2.5, 2.5), ("w", -1, 2))
    >>> found.dx.shape
    (25, 25)
    """
    plane = Plane.of(as_system(system, inputs), x, y, others, quasi_steady, n=25)
    states, settled = plane.states(plane.grid())
    with np.errstate(all="ignore"):
        rates = plane.system.field(states)
    n_unstable, residual = plane.check(states, rates, settled)
    rates = np.where(settled[:, None] & np.isfinite(rates), rates, np.nan)
    dx, dy = (rates[:, k].reshape(plane.shape) for k in plane.axes)
    if not np.any(np.isfinite(dx) & np.isfinite(dy)):
        raise ValueError(_NOWHERE)
    return FlowField(
        plane.names, plane.x, plane.y, dx, dy, states.reshape(*plane.shape, -1), residual,
        int(np.sum(~settled)), n_unstable,
    )  # fmt: skip


def nullclines(
    system: Network | Flow,
    x: Sequence[Any],
    y: Sequence[Any],
    *,
    others: Any = None,
    quasi_steady: bool | Sequence[str] = False,
    inputs: Mapping[str, Any] | None = None,
) -> Nullclines:
    """Lines on which one of two states does not change, and the fixed points where they cross.

    Parameters
    ----------
    system, x, y, others, quasi_steady, inputs
        As for `flow_field`; the number of points is by default 200 along x and y. Lines closer than
        the grid are seen as one or not at all, and so are those where the field touches zero
        without a change of sign.

    Returns
    -------
    Nullclines

    Notes
    -----
    Contours by contourpy's serial algorithm have their points on edges of the grid, between two
    corners of opposite sign; there Chandrupatla's method, which always converges, finds the zero.

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> from neurodyn import analyses
    >>> def lotka_volterra(s):
    ...     a, b = s[..., 0], s[..., 1]
    ...     return np.stack([a*(1 - b), b*(a - 1)], axis=-1)
    >>> found = analyses.nullclines(nd.Flow(lotka_volterra, 2), (0, -0.5, 2), (1, -0.5, 2))
    >>> found.kinds
    ('saddle', 'centre')
    """
    plane = Plane.of(as_system(system, inputs), x, y, others, quasi_steady, n=200)
    wide = plane.padded()
    rates, guesses = wide.rates_on_grid()
    if not np.any(np.isfinite(rates[0]) & np.isfinite(rates[1])):
        raise ValueError(_NOWHERE)
    size = np.array([np.nanmax(np.abs(r), initial=0.0) for r in rates])
    lines, n_dropped, residual = [], 0, 0.0
    for k in (0, 1):
        found, dropped, left = wide.zero_lines(k, rates[k], guesses, size[k])
        lines.append(tuple(piece for line in found for piece in plane.clipped(line)))
        n_dropped, residual = n_dropped + dropped, max(residual, left)
    points, jacobians = wide.fixed_points(lines, size, guesses)
    inside = plane.inside(points)
    points, eigenvalues = points[inside], np.linalg.eigvals(jacobians[inside]).astype(complex)
    return Nullclines(
        plane.names, lines[0], lines[1], residual, n_dropped, points,
        eigenvalues.reshape(-1, 2), tuple(kind_of_fixed_point(e) for e in eigenvalues),
    )  # fmt: skip


