"""Curves of equilibria, F(x, p) = 0, followed by pseudo-arclength.

All is done in scaled coordinates v = (x, p)/scale, in which a branch is about 1 long and wide, and
with the rows of F divided by the size of their derivatives: then a residual is a distance, and one
tolerance serves volts and rates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from neurodyn.analyses._systems import System

#: Newton steps of a corrector; its last step, in scaled coordinates, and a residual at rounding.
_STEPS, _STEP_TOL, _ROUNDING = 10, 1e-11, 1e-14
#: Relative step of the derivative by the parameter: central differences.
_H = float(np.cbrt(np.finfo(float).eps))
#: Cosine of the angle between tangents above which a step is accepted, and above which it grows.
_TURN, _STRAIGHT = 0.96, 0.995


def unstable(eigenvalues: np.ndarray) -> np.ndarray:
    """How many of (..., n) eigenvalues have a positive real part, not counting rounding."""
    size = np.abs(eigenvalues).max(axis=-1, keepdims=True)
    return np.sum(eigenvalues.real > 1e-10 * size * (eigenvalues.shape[-1] > 1), axis=-1)


class NotFound(ArithmeticError):
    """Newton's method did not converge, or the field is not finite."""


@dataclass
class Point:
    """A point of a curve.

    Attributes
    ----------
    v : ndarray, (n + 1,)
        State and parameter, scaled.
    tangent : ndarray, (n + 1,)
        Unit vector along the curve, scaled.
    sign, log_det : float
        Determinant of the derivative bordered by the tangent.
    eigenvalues : ndarray, (n,)
        Of the Jacobian by the state, largest real part first.
    residual : float
        Distance to the zero by the last residual.
    iterations : int
    """

    v: np.ndarray
    tangent: np.ndarray
    sign: float
    log_det: float
    eigenvalues: np.ndarray = field(repr=False)
    residual: float
    iterations: int

    @property
    def n_unstable(self) -> int:
        return int(unstable(self.eigenvalues))


class Curve:
    """F(x, p) and its derivatives in scaled coordinates.

    Parameters
    ----------
    system : System
    parameter : str
    span : (float, float)
        The derivative by the parameter is not taken from outside.
    scale : ndarray, (n,)
        Typical sizes of the states.
    """

    def __init__(self, system: System, parameter: str, span: tuple[float, float], scale):
        self.system, self.parameter, self.span = system, parameter, span
        self.scale = np.append(scale, span[1] - span[0])
        self.rows = np.ones(system.n_states)
        self._systems: dict[float, System] = {}

    def at(self, p: float) -> System:
        """The system with parameter value `p`."""
        p = float(p)
        if p not in self._systems:
            if len(self._systems) > 16:
                self._systems.clear()
            self._systems[p] = self.system.with_value(self.parameter, p)
        return self._systems[p]

    def field(self, v: np.ndarray) -> np.ndarray:
        """F, in natural units."""
        u = v * self.scale
        try:
            with np.errstate(all="ignore"):
                f = self.at(u[-1]).field(u[:-1])
        except ValueError as error:  # a value that the parameter cannot have
            raise NotFound(str(error)) from None
        if not np.all(np.isfinite(f)):
            raise NotFound("the field is not finite")
        return f

    def jacobian(self, v: np.ndarray) -> np.ndarray:
        """dF/dx, in natural units, (n, n)."""
        u = v * self.scale
        with np.errstate(all="ignore"):
            j = self.at(u[-1]).jacobian(u[:-1])
        if not np.all(np.isfinite(j)):
            raise NotFound("the Jacobian is not finite")
        return j

    def by_parameter(self, v: np.ndarray) -> np.ndarray:
        """dF/dp, in natural units, (n,)."""
        h = _H
        low, high = (s / self.scale[-1] for s in self.span)
        above, below = v.copy(), v.copy()
        above[-1], below[-1] = min(v[-1] + h, high), max(v[-1] - h, low)
        width = (above[-1] - below[-1]) * self.scale[-1]
        if not width > 0:  # a point outside of the span, in the course of an iteration
            above[-1], below[-1] = v[-1] + h, v[-1] - h
            width = 2 * h * self.scale[-1]
        return (self.field(above) - self.field(below)) / width

    def derivative(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[dF/dx dF/dp] scaled, (n, n + 1), and dF/dx in natural units."""
        j = self.jacobian(v)
        both = np.column_stack([j, self.by_parameter(v)])
        return self.rows[:, None] * both * self.scale, j

    def scale_rows(self, v: np.ndarray) -> None:
        """Choose the factors of the rows of F by its derivative at `v`."""
        self.rows = np.ones(self.rows.size)
        size = np.abs(self.derivative(v)[0]).max(axis=1)
        largest = size.max(initial=0.0) or 1.0
        self.rows = 1 / np.maximum(size, 1e-8 * largest)

    # -- points --------------------------------------------------------------------------------

    def corrected(self, guess, normal, offset: float) -> tuple[np.ndarray, float, int]:
        """The zero of F with ``normal . v = offset``, by Newton's method from `guess`."""
        v = guess.copy()
        for k in range(1, _STEPS + 1):
            g = self.rows * self.field(v)
            G, _ = self.derivative(v)
            right = -np.append(g, normal @ v - offset)
            step = _solve(np.vstack([G, normal]), right)
            v = v + step
            size = np.abs(step).max()
            if size > 1e3:
                break
            done = size <= _STEP_TOL
            if not done and size < 1e-5:
                done = np.abs(self.rows * self.field(v)).max() <= _ROUNDING
            if done:
                return v, float(np.abs(self.rows * self.field(v)).max()), k
        raise NotFound(f"Newton's method did not converge in {_STEPS} steps")

    def with_parameter(self, guess: np.ndarray, damped: bool = False) -> np.ndarray:
        """The zero of F at the parameter of `guess`; shortened steps if `damped`."""
        v = guess.copy()
        f = self.rows * self.field(v)
        for _ in range(100 if damped else _STEPS):
            A = self.rows[:, None] * self.jacobian(v) * self.scale[:-1]
            step = _solve(A, -f)
            t, best = 1.0, np.linalg.norm(f)
            for _ in range(30 if damped else 1):
                trial = v.copy()
                trial[:-1] += t * step
                try:
                    new = self.rows * self.field(trial)
                except NotFound:
                    new = np.full(f.size, np.inf)
                if np.linalg.norm(new) <= best or np.abs(t * step).max() <= _STEP_TOL:
                    break
                t /= 2
            else:
                if damped:
                    break
            v, f = trial, new
            if not np.all(np.isfinite(f)):
                break
            size = np.abs(t * step).max()
            if size <= _STEP_TOL or (size < 1e-5 and np.abs(f).max() <= _ROUNDING):
                return v
        raise NotFound(f"Newton's method did not converge at {self.parameter} = "
                       f"{guess[-1] * self.scale[-1]:.6g}")  # fmt: skip

    def point(self, v, along, residual: float = 0.0, iterations: int = 0) -> Point:
        """The point at `v`, its tangent on the side of `along`."""
        G, j = self.derivative(v)
        last = np.zeros(v.size)
        last[-1] = 1.0
        tangent = _solve(np.vstack([G, along]), last)
        tangent /= np.linalg.norm(tangent)
        sign, log_det = np.linalg.slogdet(np.vstack([G, tangent]))
        eigenvalues = np.linalg.eigvals(j).astype(complex)
        order = np.lexsort((-eigenvalues.imag, -eigenvalues.real))
        return Point(v, tangent, sign, log_det, eigenvalues[order], residual, iterations)

    def first_point(self, v: np.ndarray) -> Point:
        """The point at `v`, its tangent towards larger parameters: the null vector of [F_x F_p]."""
        G, _ = self.derivative(v)
        tangent = np.linalg.svd(G)[2][-1]
        return self.point(v, tangent * (np.sign(tangent[-1]) or 1.0))

    def step(self, point: Point, ds: float) -> Point:
        """The point at `ds` along the tangent of `point`."""
        guess = point.v + ds * point.tangent
        v, residual, k = self.corrected(guess, point.tangent, point.tangent @ point.v + ds)
        return self.point(v, point.tangent, residual, k)


@dataclass
class Steps:
    """Bounds on the steps along a curve, and what ends it.

    Attributes
    ----------
    first, longest, shortest : float
        Scaled.
    n_max : int
        Points in each direction.
    leaves : callable
        From a scaled point to a reason why the branch ends there, or "".
    """

    first: float
    longest: float
    shortest: float
    n_max: int
    leaves: Callable[[np.ndarray], str]


@dataclass
class Followed:
    """Points of one direction, without the first, and why they end."""

    points: list[Point]
    reason: str
    n_failed: int
    closed: bool = False


def follow(curve: Curve, start: Point, steps: Steps) -> Followed:
    """Follow the curve along the tangent of `start` until something ends it."""
    points, here, ds, failed, why = [], start, steps.first, 0, ""
    if _leaves_span(curve, start):
        at = start.v[-1] * curve.scale[-1]
        return Followed([], f"`span` ends: {curve.parameter} = {at:.6g}", 0)
    while len(points) < steps.n_max:
        if ds < steps.shortest:
            at = here.v[-1] * curve.scale[-1]
            return Followed(points, f"steps became too short at {curve.parameter} = {at:.6g}: "
                            + (why or "the curve turns too sharply"), failed)  # fmt: skip
        try:
            new, ends = _advance(curve, here, ds)
        except (NotFound, np.linalg.LinAlgError) as error:
            why, ds, failed = str(error), ds / 2, failed + 1
            continue
        turn = _cosine(here, new)
        if turn < _TURN or abs(new.v[-1] - here.v[-1]) > 2 * steps.longest:
            why, ds, failed = "", ds / 2, failed + 1
            continue
        if _passes(here, new, start) and len(points) > 2:
            points.append(start)
            return Followed(points, "closed: it returned to its start", failed, closed=True)
        points.append(new)
        reason = ends or steps.leaves(new.v)
        if reason:
            return Followed(points, reason, failed)
        if turn > _STRAIGHT and new.iterations <= 4:
            ds = min(1.5 * ds, _longest(steps, new))
        here = new
    return Followed(points, f"{steps.n_max} points, `max_points`", failed)


def _cosine(a: Point, b: Point) -> float:
    """Of the angle between tangents, where the states are measured by their present size."""
    ta, tb = a.tangent.copy(), b.tangent.copy()
    size = max(1.0, float(np.abs(a.v[:-1]).max()))
    ta[:-1] /= size
    tb[:-1] /= size
    return float(ta @ tb / np.linalg.norm(ta) / np.linalg.norm(tb))


def _longest(steps: Steps, point: Point) -> float:
    """Of a step from `point`: longer where the states are larger than where the branch began."""
    by_parameter = steps.longest / max(abs(point.tangent[-1]), 1e-300)
    return min(by_parameter, steps.longest * max(1.0, float(np.abs(point.v[:-1]).max())))


def _leaves_span(curve: Curve, start: Point) -> bool:
    """Whether `start` is at an end of the span and its tangent points out of it."""
    low, high = (s / curve.scale[-1] for s in curve.span)
    return bool(
        (start.v[-1] >= high - 1e-12 and start.tangent[-1] > 0)
        or (start.v[-1] <= low + 1e-12 and start.tangent[-1] < 0)
    )


def _advance(curve: Curve, here: Point, ds: float) -> tuple[Point, str]:
    """The next point, and that the span ends there if it does."""
    low, high = (s / curve.scale[-1] for s in curve.span)
    guess = here.v + ds * here.tangent
    new = curve.step(here, ds) if low <= guess[-1] <= high else None
    if new is not None and low <= new.v[-1] <= high:
        return new, ""
    end = high if (guess if new is None else new.v)[-1] > high else low
    # where the curve meets the end of the span, from the secant or the tangent
    along = here.tangent if new is None else new.v - here.v
    if abs(along[-1]) < 1e-12:
        raise NotFound("the curve runs along the end of the span")
    meets = here.v + (end - here.v[-1]) / along[-1] * along
    meets[-1] = end
    v = curve.with_parameter(meets)
    if np.linalg.norm(v - here.v) > 2 * ds or (v - here.v) @ here.tangent < 0:
        raise NotFound("the end of the span is not reached in this step")
    found = curve.point(v, here.tangent)
    return found, f"`span` ends: {curve.parameter} = {end * curve.scale[-1]:.6g}"


def _passes(here: Point, new: Point, start: Point) -> bool:
    """Whether the step from `here` to `new` passes `start` in its direction."""
    step = new.v - here.v
    if not step.any():
        return False
    t = (start.v - here.v) @ step / (step @ step)
    aside = np.linalg.norm(here.v + t * step - start.v)
    return bool(0 <= t < 1 and aside < 0.2 * np.linalg.norm(step)
                and new.tangent @ start.tangent > 0.9)  # fmt: skip


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    try:
        found = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        found = np.linalg.lstsq(matrix, right, rcond=None)[0]  # exactly at a singular point
    if not np.all(np.isfinite(found)):
        raise NotFound("the linearised equations have no finite solution")
    return found
