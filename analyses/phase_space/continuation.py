"""How equilibria move, meet and change stability as a parameter changes: bifurcation diagrams.

A branch of equilibria is followed by pseudo-arclength, so that it goes round folds. On its way
folds, Hopf points and branch points are located to rounding and confirmed by their normal forms;
`switch_branch` goes over to the branch that crosses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn._blas import one_blas_thread
from neurodyn.analyses._systems import System, as_system
from neurodyn.analyses.phase_space._bifurcations import Bifurcation, between
from neurodyn.analyses.phase_space._curves import (
    Curve,
    Followed,
    NotFound,
    Point,
    Steps,
    follow,
    unstable,
)
from neurodyn.population import listed, suggestion
from neurodyn.units import to_si

if TYPE_CHECKING:
    from neurodyn.flow import Flow
    from neurodyn.network import Network

#: A state this many of its scales away ends a branch.
_FAR = 1e6


@dataclass(frozen=True)
class Branch:
    """Equilibria along a parameter, in their order on the branch.

    Attributes
    ----------
    parameter : str
    state_names : tuple of str
    values : ndarray, (point,)
        Of the parameter; they turn back at folds.
    states : ndarray, (point, n_states)
    eigenvalues : ndarray of complex, (point, n_states)
        Of the Jacobian, largest real part first, per second for a network.
    bifurcations : tuple of Bifurcation
        In their order on the branch.
    ends : (str, str)
        Why the branch ends, at its first and its last point.
    residuals : ndarray, (point,)
        What is left of the equations, as a distance relative to the size of the branch.
    n_failed : int
        Steps that were tried again, shorter.
    unresolved : tuple of str
        Changes of stability, or of a test function, that were seen but not located.
    """

    parameter: str
    state_names: tuple[str, ...]
    values: np.ndarray
    states: np.ndarray = field(repr=False)
    eigenvalues: np.ndarray = field(repr=False)
    bifurcations: tuple[Bifurcation, ...]
    ends: tuple[str, str]
    residuals: np.ndarray = field(repr=False)
    n_failed: int
    unresolved: tuple[str, ...]
    _curve: Any = field(repr=False, default=None, compare=False)
    _steps: Any = field(repr=False, default=None, compare=False)

    @property
    def n_unstable(self) -> np.ndarray:
        """Directions in which each equilibrium repels, (point,)."""
        return unstable(self.eigenvalues)

    @property
    def stable(self) -> np.ndarray:
        """Whether no direction repels, (point,) of bool."""
        return self.n_unstable == 0

    def of(self, name: str | int) -> np.ndarray:
        """One state along the branch, (point,)."""
        if isinstance(name, str):
            if name not in self.state_names:
                raise ValueError(
                    f"no state `{name}`{suggestion(name, self.state_names) or '.'} "
                    f"There are {listed(self.state_names)}."
                )
            name = self.state_names.index(name)
        return self.states[:, name]

    def kinds(self, kind: str) -> tuple[Bifurcation, ...]:
        """The bifurcations of one kind: "fold", "Hopf", "pitchfork", "transcritical"."""
        known = ("fold", "Hopf", "pitchfork", "transcritical", "degenerate")
        if kind not in known:
            raise ValueError(f"no kind `{kind}`{suggestion(kind, known)}; there are {known}")
        return tuple(b for b in self.bifurcations if b.kind == kind)

    def __repr__(self) -> str:
        special = ", ".join(repr(b) for b in self.bifurcations) or "no bifurcation"
        return (
            f"<Branch of {self.values.size} equilibria, {self.parameter} from "
            f"{self.values.min():.6g} to {self.values.max():.6g}: {special}; ends: "
            f"{self.ends[0]}; {self.ends[1]}>"
        )


def continue_equilibria(
    system: Network | Flow,
    parameter: str,
    start: Any,
    span: tuple[Any, Any],
    *,
    at: Any = None,
    inputs: Mapping[str, Any] | None = None,
    scale: Any = None,
    first_step: float = 0.005,
    max_step: float = 0.02,
    min_step: float = 1e-8,
    max_points: int = 2000,
    bounds: Mapping[str, tuple[Any, Any]] | None = None,
) -> Branch:
    """The branch of equilibria through `start`, as a parameter changes over `span`.

    Parameters
    ----------
    system : Network or Flow
        Of a network that spikes it is the flow between spikes; noise is left out.
    parameter : str
        A parameter (``"E.tau"``), an input (``"E.I_ext"``, the same for all units), or a coupling
        (``"E.r->E.I_rec"``), whose weights are multiplied by the value.
    start : array_like (n_states,) or dict of str to float
        Near an equilibrium at the parameter value `at`; Newton's method goes there first.
    span : (low, high)
        Of the parameter. The branch is followed both ways, and ends where it leaves the span.
    at : float, optional
        Parameter value of `start`; default the value it has in `system` (1 for a coupling).
    inputs : dict of str to array_like, optional
        Constant inputs of a network.
    scale : float or array_like (n_states,), optional
        Typical sizes of the states, by which lengths along the branch are measured; default by
        where it starts and how steeply.
    first_step, max_step, min_step : float
        Length of steps along the branch; 1 is the width of `span`, or the scale of a state.
    max_points : int
        In each direction.
    bounds : dict of str to (low, high), optional
        Ranges of states; a branch that leaves them ends.

    Returns
    -------
    Branch
        It says why it ended on either side, and what it could not resolve.

    Raises
    ------
    ValueError
        For unknown names (with a suggestion), a span that is reversed, or one without `at`.
    ArithmeticError
        If there is no equilibrium near `start`; the message has the rate of change that is left.

    Notes
    -----
    Pseudo-arclength continuation (Keller 1977): tangent predictor, Newton corrector on the system
    bordered by the tangent, steps halved where it fails or the tangent turns by more than 16
    degrees. Between two points a fold shows as a change of sign of the tangent's parameter part, a
    branch point as one of the bordered determinant, a Hopf point as a change in the number of
    unstable eigenvalues; each is located by Brent's method along the branch. Two changes within one
    step that cancel are not seen: choose `max_step` smaller.

    Examples
    --------
    >>> import neurodyn as nd
    >>> from neurodyn import analyses
    >>> unit = nd.Flow(lambda x, h: -x + 2*(x/(1 + x**2)**0.5) + h, 1, parameters={"h": 0.0})
    >>> branch = analyses.continue_equilibria(unit, "h", [-1.7], (-1, 1))
    >>> [b.kind for b in branch.bifurcations]
    ['fold', 'fold']
    >>> round(abs(branch.bifurcations[0].value), 6), round((2**(2/3) - 1)**1.5, 6)
    (0.450196, 0.450196)
    """
    view = as_system(system, inputs)
    span, at = _values(view, parameter, span, at)
    x = view.state(start, "start")
    if x.ndim != 1:
        raise ValueError(f"`start` must be one state, ({view.n_states},); got shape {x.shape}")
    with one_blas_thread():  # on small matrices more of them wait for each other
        curve, v = _start(view, parameter, span, at, x, scale)
        steps = _steps(curve, first_step, max_step, min_step, max_points, bounds)
        start_point = curve.first_point(v)
        ahead = follow(curve, start_point, steps)
        back = Followed([], ahead.reason, 0)
        if not ahead.closed:
            back = follow(curve, curve.point(v, -start_point.tangent), steps)
        return _branch(curve, steps, back, start_point, ahead)


def switch_branch(
    branch: Branch, bifurcation: Bifurcation | None = None, *, max_points: int | None = None
) -> Branch:
    """The branch of equilibria that crosses `branch` at a pitchfork or transcritical point.

    Parameters
    ----------
    branch : Branch
        From `continue_equilibria` or from here.
    bifurcation : Bifurcation, optional
        One of those of `branch`; default its first pitchfork or transcritical point.
    max_points : int, optional
        In each direction; default as for `branch`.

    Returns
    -------
    Branch
        Both halves of it, through the point.

    Raises
    ------
    ValueError
        If there is no branch point.

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> from neurodyn import analyses
    >>> unit = nd.Flow(lambda x, w: -x + w*np.tanh(x), 1, parameters={"w": 0.5})
    >>> silent = analyses.continue_equilibria(unit, "w", [0.0], (0.5, 2))
    >>> active = analyses.switch_branch(silent)
    >>> active.states[[0, -1], 0].round(5)
    array([-1.91501,  1.91501])
    """
    crossings = [b for b in branch.bifurcations if b.kind in ("pitchfork", "transcritical")]
    if bifurcation is None:
        if not crossings:
            kinds = ", ".join(b.kind for b in branch.bifurcations) or "no bifurcation"
            raise ValueError(f"`branch` has no branch point to switch at; it has {kinds}")
        bifurcation = crossings[0]
    if bifurcation.kind not in ("pitchfork", "transcritical"):
        raise ValueError(
            f"no branch of equilibria crosses at a {bifurcation.kind}; `bifurcation` must be a "
            "pitchfork or transcritical point"
            + (": the cycles born there are found by `limit_cycle`"
               if bifurcation.kind == "Hopf" else "")
        )  # fmt: skip
    curve, steps = branch._curve, branch._steps
    if max_points is not None:
        steps = Steps(steps.first, steps.longest, steps.shortest,
                      checked_count(max_points, "max_points"), steps.leaves)  # fmt: skip
    centre = np.append(bifurcation.state, bifurcation.value) / curve.scale
    tangent = bifurcation._tangents[1]
    halves = []
    with one_blas_thread():
        for sign in (-1.0, 1.0):
            first = _leave(curve, centre, sign * tangent, steps)
            half = follow(curve, first, steps)
            halves.append(Followed([first, *half.points], half.reason, half.n_failed))
        middle = Point(centre, tangent, 0.0, 0.0, bifurcation.eigenvalues, 0.0, 0)
        return _branch(curve, steps, halves[0], middle, halves[1])


# -- starting ------------------------------------------------------------------------------------


def _values(view: System, parameter: str, span, at) -> tuple[tuple[float, float], float]:
    """Span and start of the parameter, SI."""
    if view.is_map:
        raise TypeError(
            "`system` is a Map; its fixed points are the equilibria of nd.Flow(lambda x, ...: "
            "f(x, ...) - x, n_states). Folds and branch points are the same, but a multiplier is "
            "1 + eigenvalue: the map is stable where those lie inside the unit circle"
        )
    present = view.value(parameter)
    try:
        low, high = (view.in_si(parameter, s, "span") for s in span)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`span` must be (low, high), not {span!r}: {error}") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(
            f"`span` must run from a lower to a higher value; got {low:g} to {high:g}. The branch "
            "is followed both ways"
        )
    if at is not None:
        present = view.in_si(parameter, at, "at")
    if np.ndim(present):
        raise ValueError(
            f"`{parameter}` has different values in the units, and the branch gives all the same: "
            "say with which one it starts, at=..., or write a common factor into the equations"
        )
    if not low <= present <= high:
        which = "`at`" if at is not None else f"the value of `{parameter}` in `system`,"
        raise ValueError(
            f"{which} {present:g} is outside of `span`, {low:g} to {high:g}"
            + ("" if at is not None else f": say where `start` is an equilibrium, at={low:g}")
        )
    return (low, high), float(present)


def _start(view: System, parameter: str, span, at: float, x: np.ndarray, scale):
    """The curve, and the equilibrium near `x` in its coordinates."""
    ones = np.ones(view.n_states)
    typical = np.where(np.abs(x) > 0, np.abs(x), np.abs(x).max() or 1.0) if scale is None else (
        _checked_scale(scale, view.n_states)
    )
    curve = Curve(view, parameter, span, typical * ones)
    v = np.append(x, at) / curve.scale
    curve.at(at)  # a value that the parameter cannot have is an error here
    try:
        curve.scale_rows(v)
        v = curve.with_parameter(v, damped=True)
    except (NotFound, np.linalg.LinAlgError) as error:
        with np.errstate(all="ignore"):
            f = curve.at(at).field(x)
        worst = int(np.argmax(np.where(np.isfinite(f), np.abs(f), np.inf)))
        raise ArithmeticError(
            f"`start` is not near an equilibrium at {parameter} = {at:.6g}: the rate of change of "
            f"`{view.state_names[worst]}` there is {f[worst]:.4g}, and {error}. Start from where "
            "a long run comes to rest, or from `fixed_points`"
        ) from None
    if scale is None:
        curve = Curve(view, parameter, span, _sizes(curve, v))
        v = np.append(v[:-1] * typical, at) / curve.scale
    curve.scale_rows(v)
    return curve, v


def _sizes(curve: Curve, v: np.ndarray) -> np.ndarray:
    """Typical sizes of the states: where they are, or how far they move over the span."""
    x = np.abs(v[:-1] * curve.scale[:-1])
    try:
        moved = np.abs(np.linalg.solve(curve.jacobian(v), curve.by_parameter(v))) * curve.scale[-1]
    except np.linalg.LinAlgError:
        moved = np.zeros_like(x)
    moved = np.minimum(np.where(np.isfinite(moved), moved, 0.0), 10 * np.maximum(x, 1.0))
    size = np.maximum(x, moved)
    largest = size.max()
    return np.where(size > 1e-3 * largest, size, largest) if largest > 1e-9 else np.ones_like(x)


def _checked_scale(scale, n: int) -> np.ndarray:
    sizes = np.asarray(to_si(scale, "scale").value, float)
    if sizes.shape not in ((), (n,)) or not np.all(np.isfinite(sizes) & (sizes > 0)):
        raise ValueError(f"`scale` must be one positive number or {n}; got {scale!r:.60}")
    return sizes


def _steps(curve: Curve, first, longest, shortest, n_max, bounds) -> Steps:
    for name, value in (("first_step", first), ("max_step", longest), ("min_step", shortest)):
        if not 0 < value < np.inf:
            raise ValueError(f"`{name}` must be positive; got {value!r}")
    if not shortest < min(first, longest):
        raise ValueError(f"`min_step` must be below `first_step` and `max_step`; got {shortest:g}")
    n = curve.system.n_states
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    for name, pair in (bounds or {}).items():
        place = curve.system.state_indices(name, "bounds")
        low[place], high[place] = (to_si(value, f"bounds[{name!r}]").value for value in pair)
        if not np.all(low[place] < high[place]):
            raise ValueError(f"`bounds[{name!r}]` must be (low, high); got {pair!r}")
    names = curve.system.state_names

    def leaves(v: np.ndarray) -> str:
        x = v[:-1] * curve.scale[:-1]
        out = np.flatnonzero((x < low) | (x > high))
        if out.size:
            return f"`bounds`: `{names[out[0]]}` = {x[out[0]]:.6g}"
        far = np.flatnonzero(np.abs(v[:-1]) > _FAR)
        return f"`{names[far[0]]}` grows without bound: {x[far[0]]:.3g}" if far.size else ""

    return Steps(min(first, longest), longest, shortest, checked_count(n_max, "max_points"), leaves)


def _leave(curve: Curve, centre: np.ndarray, tangent: np.ndarray, steps: Steps) -> Point:
    """The first point of a branch that leaves `centre` along `tangent`."""
    ds = steps.first
    while ds > steps.shortest:
        try:
            v, residual, k = curve.corrected(
                centre + ds * tangent, tangent, tangent @ centre + ds
            )
            if np.linalg.norm(v - centre) < 2 * ds:
                return curve.point(v, tangent, residual, k)
        except (NotFound, np.linalg.LinAlgError):
            pass
        ds /= 2
    raise ArithmeticError("the branch that crosses could not be entered: no step converged")


# -- the result ----------------------------------------------------------------------------------


def _branch(curve: Curve, steps: Steps, back: Followed, middle: Point, ahead: Followed) -> Branch:
    points = [*reversed(back.points), middle, *ahead.points]
    n_back = len(back.points)
    bifurcations, unresolved = [], []
    for k in range(len(points) - 1):
        a, b = points[k], points[k + 1]
        backwards = k < n_back  # these were followed the other way: from b to a
        if a.sign == 0 or b.sign == 0:  # the point where branches were switched
            continue
        if backwards:
            here = b if k + 1 < n_back else curve.point(b.v, a.tangent)
            found, notes = between(curve, here, a, k)
            found.reverse()
        else:
            found, notes = between(curve, a, b, k)
        bifurcations += found
        unresolved += notes
    u = np.array([p.v for p in points]) * curve.scale
    return Branch(
        curve.parameter, curve.system.state_names, u[:, -1], u[:, :-1],
        np.array([p.eigenvalues for p in points]), tuple(bifurcations),
        (back.reason, ahead.reason), np.array([p.residual for p in points]),
        back.n_failed + ahead.n_failed, tuple(unresolved), curve, steps,
    )  # fmt: skip


__all__ = ["Bifurcation", "Branch", "continue_equilibria", "switch_branch"]
