"""Which of the places that a search ended at are points: merging, polishing, testing, minima of q.

All of it works on few points, with exact linear algebra on each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodyn.analyses.equilibria._newton import Problem

#: A zero is certified if Newton's method expects it this close, in scales of the states.
_ERROR = 1e-6
#: Singular values below this, relative to the largest, are taken for 0.
_SINGULAR = 1e-7
#: Newton steps of the polish; a double root halves its distance in each.
_POLISH = 60
#: F below this many roundings of its own terms is 0.
_ROUNDINGS = 1e3
#: At a minimum of q a Newton step on q is shorter than this, in scales, and gains less than this
#: fraction of q.
_FLAT = 1e-4
#: Step of the differences of the gradient, in scales.
_DIFFERENCE = 1e-6
#: Length of a step along a line of fixed points, in scales.
_WALK = 0.05


@dataclass(frozen=True)
class Linearised:
    """Points with the singular values of their scaled Jacobians.

    Attributes
    ----------
    x, f : ndarray, (point, n)
    jacobian : ndarray, (point, n, n)
        Of the residual, not scaled.
    singular : ndarray, (point, n)
        Singular values of the scaled Jacobian, largest first.
    null : ndarray, (point, n)
        Right singular vector of the smallest, in units of the states.
    is_root : ndarray of bool, (point,)
    """

    x: np.ndarray
    f: np.ndarray
    jacobian: np.ndarray
    singular: np.ndarray
    null: np.ndarray
    is_root: np.ndarray


def merged(x: np.ndarray, q: np.ndarray, scale: np.ndarray, tolerance: float) -> np.ndarray:
    """Number of the group that each place belongs to; a group surrounds the lowest q in it.

    Groups are numbered from the lowest q; places differ if any of their states does by more than
    `tolerance` scales.
    """
    group = np.full(len(x), -1)
    order, number = np.argsort(q, kind="stable"), 0
    z = x / scale
    while order.size:
        near = np.abs(z[order] - z[order[0]]).max(axis=1) <= tolerance
        group[order[near]] = number
        order, number = order[~near], number + 1
    return group


def polished(problem: Problem, x: np.ndarray) -> np.ndarray:
    """Newton steps until q no longer falls.

    Parameters
    ----------
    x : ndarray, (point, n)
    """
    x = x.copy()
    _, q = problem.at(x)
    rows = np.arange(len(x))
    for _ in range(_POLISH):
        if not rows.size:
            break
        f, _ = problem.at(x[rows])
        step = _newton_steps(problem.jacobian(x[rows]) * problem.scale, f)
        moved = x[rows] + step * problem.scale
        _, q_moved = problem.at(moved)
        better = q_moved < q[rows]
        rows, moved, q_moved = rows[better], moved[better], q_moved[better]
        x[rows], q[rows] = moved, q_moved
        rows = rows[q_moved > 0]
    return x


def _newton_steps(jacobian: np.ndarray, f: np.ndarray) -> np.ndarray:
    try:
        return -np.linalg.solve(jacobian, f[..., None])[..., 0]
    except np.linalg.LinAlgError:  # one is exactly singular
        return -(np.linalg.pinv(jacobian, rcond=_SINGULAR) @ f[..., None])[..., 0]


def linearised(problem: Problem, x: np.ndarray, reference: float) -> Linearised:
    """Jacobians at points, and whether these are zeros of F.

    A small |F| is no proof: a minimum of q may be as low. A point is a zero if the linear equation
    J d = -F has a solution d that is almost 0; what of F lies outside J's range must be rounding.

    Parameters
    ----------
    x : ndarray, (point, n)
    reference : float
        Size of scaled Jacobians in general, for systems of one state, whose only singular value
        is never small beside itself.
    """
    f, _ = problem.at(x)
    jacobian = problem.jacobian(x)
    scaled = jacobian * problem.scale / problem.scale[:, None]
    u, s, vt = np.linalg.svd(scaled)
    size = np.maximum(s[:, :1], reference)
    parts = np.einsum("kij,ki->kj", u, f / problem.scale)
    in_range = s > _SINGULAR * size
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(in_range, parts / s, 0.0)
    outside = np.linalg.norm(np.where(in_range, 0.0, parts), axis=1)
    terms = size[:, 0] * (1 + np.linalg.norm(x / problem.scale, axis=1))
    is_root = (np.linalg.norm(step, axis=1) <= _ERROR * np.sqrt(x.shape[1])) & (
        outside <= _ROUNDINGS * np.finfo(float).eps * terms
    )
    return Linearised(x, f, jacobian, s, vt[:, -1] * problem.scale, is_root)


def nullity(singular: np.ndarray, reference: float) -> np.ndarray:
    """Number of singular values that are 0, ``(point,)``."""
    return (singular <= _SINGULAR * np.maximum(singular[:, :1], reference)).sum(axis=1)


def continues(problem: Problem, x: np.ndarray, null: np.ndarray, reference: float) -> bool:
    """Whether other zeros lie next to `x` in the direction `null`: if it is on a curve of them.

    Steps off, corrects by Gauss and Newton without going back along the curve, and asks whether
    what is reached is a zero and is not `x`.
    """
    direction = null / np.abs(null / problem.scale).max()
    for sign in (1.0, -1.0):
        y = x + sign * _WALK * direction
        for _ in range(20):
            f, _ = problem.at(y[None])
            jacobian = problem.jacobian(y[None]) * problem.scale
            # cut where a curve has its zero, not where a fold has its small value
            inverse = np.linalg.pinv(jacobian, rcond=1e-4)
            y = y - (inverse @ f[..., None])[0, :, 0] * problem.scale
            if not np.isfinite(y).all():
                break
        if not np.isfinite(y).all():
            continue
        distance = np.abs((y - x) / problem.scale).max()
        at = linearised(problem, y[None], reference)
        is_singular = nullity(at.singular, reference)[0] > 0
        if at.is_root[0] and is_singular and 0.5 * _WALK <= distance <= 2 * _WALK:
            return True
    return False


def lowest(problem: Problem, x: np.ndarray) -> tuple[np.ndarray, bool]:
    """The minimum of q near one place, by a trust region on q itself, and whether it is one.

    The Hessian of q, ``J'J`` and second derivatives of F, comes from differences of the exact
    gradient ``J'F``. At a minimum with q > 0 the second derivatives decide, which Gauss and
    Newton leave out.
    """
    from scipy.optimize import minimize
    from scipy.sparse.linalg import LinearOperator, minres

    unit = float(problem.at(x[None])[1][0])

    def value(z):
        return float(problem.at((x + z * problem.scale)[None])[1][0]) / unit

    def gradient(z):
        y = (x + z * problem.scale)[None]
        f, _ = problem.at(y)
        return (f[0] @ problem.jacobian(y)[0]) * problem.scale / unit

    def curvature(z, p):
        h = _DIFFERENCE / max(float(np.abs(p).max()), 1e-300)
        return (gradient(z + h * p) - gradient(z - h * p)) / (2 * h)

    # off a saddle of q, at which there would be no slope to follow
    z = 1e-3 * np.random.default_rng(0).standard_normal(x.size)
    for _ in range(2):  # tolerances are relative to `unit`, of which little may be left
        with np.errstate(all="ignore"):
            done = minimize(value, z, jac=gradient, hessp=curvature, method="trust-krylov",
                            options={"gtol": 1e-9, "initial_trust_radius": 0.1})  # fmt: skip
        if not np.isfinite(done.fun):
            return x, False
        z, unit = done.x, max(unit * done.fun, 1e-300)
    slope = gradient(z)
    hessian = LinearOperator((x.size, x.size), matvec=lambda p: curvature(z, p), dtype=float)
    step = minres(hessian, -slope, rtol=1e-3, maxiter=200)[0] if slope.any() else slope
    left = abs(float(slope @ step))  # twice the fraction of q that this step would gain
    return x + z * problem.scale, bool(left <= _FLAT and np.abs(step).max() <= _FLAT)
