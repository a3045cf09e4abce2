"""The shape of trajectories through state space: speed, curvature, tangling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_number, real_numbers
from neurodyn.analyses.activity._time_series import time_step, trial_time_unit

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

#: Distances between so many pairs of states are held at once.
_PAIRS = 2**22


@dataclass(frozen=True, eq=False)
class TrajectoryGeometry:
    """Speed and curvature along trajectories.

    Attributes
    ----------
    speed : array, (trial, time), 1/s
        ``|dx/dt|``, in the unit of the activity per second.
    curvature : array, (trial, time)
        One over the radius of the circle that fits best, in the inverse unit of the activity; NaN
        where the trajectory rests.
    length : array, (trial,)
        Of the straight lines between the samples.
    n_at_rest : int
        Samples whose speed is 0 to rounding.
    dt : float, s
    """

    speed: np.ndarray
    curvature: np.ndarray
    length: np.ndarray
    n_at_rest: int
    dt: float


def trajectory_geometry(x: xr.DataArray | ArrayLike, dt: Any = None) -> TrajectoryGeometry:
    """Speed, curvature and length of trajectories.

    Parameters
    ----------
    x : DataArray with a dimension ``time``, or array (time,), (time, unit) or (trial, time, unit)
        Smooth: noise makes differences meaningless, filter it first.
    dt : float or quantity, s, optional
        Time between samples; default that of the DataArray.

    Returns
    -------
    TrajectoryGeometry

    Notes
    -----
    Central differences, one-sided at the ends, with errors of order ``dt**2``. Curvature is
    ``sqrt(|v|**2 |a|**2 - (v.a)**2)/|v|**3`` with velocity v and acceleration a.

    Examples
    --------
    >>> t = np.arange(0, 6, 0.01)
    >>> circle = 2 * np.stack([np.cos(3 * t), np.sin(3 * t)], axis=1)
    >>> found = trajectory_geometry(circle, dt=0.01)
    >>> float(found.speed.mean().round(2)), float(found.curvature.mean().round(3))
    (6.0, 0.5)
    """
    values = trial_time_unit(x, "x", min_times=5)
    step = time_step(x, dt)
    v = np.gradient(values, step, axis=1, edge_order=2)
    a = np.empty_like(values)
    a[:, 1:-1] = (values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]) / step**2
    a[:, 0], a[:, -1] = 2 * a[:, 1] - a[:, 2], 2 * a[:, -2] - a[:, -3]
    speed = np.linalg.norm(v, axis=-1)
    rests = speed <= 1e-13 * np.abs(values).max() / step
    # the part of a across v, which does not cancel as the difference of squares does
    unit = v / np.where(rests, 1.0, speed)[..., None]
    across = a - (a * unit).sum(axis=-1, keepdims=True) * unit
    curvature = np.linalg.norm(across, axis=-1) / np.where(rests, np.nan, speed) ** 2
    length = np.linalg.norm(np.diff(values, axis=1), axis=-1).sum(axis=1)
    return TrajectoryGeometry(speed, curvature, length, int(rests.sum()), step)


@dataclass(frozen=True, eq=False)
class Tangling:
    """How much near states of trajectories differ in where they go.

    Attributes
    ----------
    value : array, (trial, time), 1/s^2
        Q of each state.
    partner : int array, (trial, time, 2)
        Trial and time of the state that it is most tangled with.
    epsilon : float
        Added to squared distances, in the squared unit of the activity.
    dt : float, s
    """

    value: np.ndarray
    partner: np.ndarray
    epsilon: float
    dt: float


def tangling(
    x: xr.DataArray | ArrayLike,
    dt: Any = None,
    *,
    velocity: ArrayLike | None = None,
    epsilon: float | None = None,
) -> Tangling:
    """Tangling of trajectories (Russo et al. 2018).

    ``Q(t) = max over t' of |v(t) - v(t')|**2 / (|x(t) - x(t')|**2 + epsilon)``, over the times of
    all trials. It is large where trajectories pass close to each other in different directions,
    which a smooth flow without inputs cannot do.

    Parameters
    ----------
    x : DataArray with a dimension ``time``, or array (time,), (time, unit) or (trial, time, unit)
        Trials are conditions, usually averaged and projected onto the leading principal components
        (eight in the paper).
    dt : float or quantity, s, optional
        Time between samples; default that of the DataArray.
    velocity : array_like, like `x`, 1/s, optional
        Default central differences of `x`.
    epsilon : float, optional
        Default 0.1 times the variance of the states, summed over units, as in the paper.

    Returns
    -------
    Tangling
    """
    values = trial_time_unit(x, "x", min_times=3)
    step = time_step(x, dt)
    states = values.reshape(-1, values.shape[-1])
    if velocity is None:
        v = np.gradient(values, step, axis=1, edge_order=2)
    else:
        v = np.asarray(real_numbers(getattr(velocity, "values", velocity), "velocity"), float)
        if v.size != values.size or v.shape != np.shape(x):
            raise ValueError(f"`velocity` must have the shape of `x`, {np.shape(x)}; got {v.shape}")
    v = v.reshape(states.shape)
    total = float(states.var(axis=0).sum())
    if total == 0:
        raise ValueError("`x` has variance 0: it rests")
    epsilon = 0.1 * total if epsilon is None else checked_number(epsilon, "epsilon", 0.0)
    if epsilon == 0:
        raise ValueError("`epsilon` must be positive; got 0: states that are met twice divide by 0")
    value, partner = _largest_ratio(states, v, epsilon)
    shape = values.shape[:2]
    where = np.stack(np.unravel_index(partner, shape), axis=-1)
    return Tangling(value.reshape(shape), where.reshape(*shape, 2), epsilon, step)


def _largest_ratio(x: np.ndarray, v: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """For each state the largest ``|dv|**2/(|dx|**2 + epsilon)``, and with which other."""
    from scipy.spatial.distance import cdist

    value, partner = np.empty(len(x)), np.empty(len(x), int)
    rows = max(1, _PAIRS // len(x))
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        ratio = cdist(v[part], v, "sqeuclidean") / (cdist(x[part], x, "sqeuclidean") + epsilon)
        partner[part] = ratio.argmax(axis=1)
        value[part] = ratio.max(axis=1)
    return value, partner
