"""How much of its past input a network holds: memory functions and capacity.

The memory function is the part m_k of the variance of the input k steps ago that a linear readout
of the present state explains; its sum over the delays is the memory capacity (Jaeger 2001). A
linear network of n units holds at most n, and exactly n without noise if its states span n
dimensions; noise takes from it (White, Lee and Sompolinsky 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count, checked_number, real_numbers
from neurodyn.analyses.activity._time_series import matrix, trial_time_unit

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from neurodyn._arrays import RNG

#: How the bias of a finite sample is taken away.
CORRECTIONS = ("shuffle", "cross-validation", "none")


@dataclass(frozen=True, eq=False)
class MemoryCapacity:
    """Memory function of a network, from its states and its input.

    Attributes
    ----------
    total : float
        Sum of `memory`.
    delay : int array, (delay,)
        Steps; 0 is the input that the state has just received.
    memory : array, (delay,)
        R squared, corrected. Corrected values of what is not remembered scatter about 0 and may be
        negative.
    uncorrected : array, (delay,)
        R squared of the same samples that the readout was fitted to.
    chance : float
        R squared for input that the states have not seen: about ``n_dimensions/n_samples``.
    correction : str
    n_units : int
    n_dimensions : int
        That the states span; no more can be read out.
    n_samples : int
        Times from which the readouts were fitted.
    notes : tuple of str
    """

    total: float
    delay: np.ndarray
    memory: np.ndarray
    uncorrected: np.ndarray
    chance: float
    correction: str
    n_units: int
    n_dimensions: int
    n_samples: int
    notes: tuple[str, ...]


def memory_capacity(
    states: xr.DataArray | ArrayLike,
    u: ArrayLike,
    *,
    max_delay: int | None = None,
    transient: int = 0,
    correction: str = "shuffle",
    n_shuffles: int = 20,
    n_folds: int = 10,
    rcond: float = 1e-10,
    rng: RNG = None,
) -> MemoryCapacity:
    """Memory function and capacity from recorded states.

    Parameters
    ----------
    states : DataArray or array, (time, unit)
        One trial; the state at a time has already received the input of that time.
    u : array_like, (time,)
        The input: white, one number a step.
    max_delay : int, optional
        Last delay, steps. Default twice the number of units, but at most a tenth of the times.
    transient : int
        Steps at the beginning that are left out, beside the first `max_delay`. Default 0.
    correction : str
        ``"shuffle"`` (default): chance s is the mean R squared for `u` turned round in time by
        random shifts, and the memory ``(R**2 - s)/(1 - s)``. ``"cross-validation"``: R squared on
        blocks of times that the readout has not seen. ``"none"``.
    n_shuffles : int
        Default 20.
    n_folds : int
        Blocks of the cross-validation. Default 10.
    rcond : float
        Directions of the states with singular values below `rcond` of the largest are left out.
        Default 1e-10.
    rng : int, SeedSequence, Generator or None
        Of the shifts.

    Returns
    -------
    MemoryCapacity

    Notes
    -----
    A readout with n weights explains ``n/T`` of T samples of anything, so that over many delays an
    uncorrected total is mostly chance. With chance removed, the standard error of m_k is about
    ``2 sqrt(m_k) (1 - m_k)/sqrt(T)``, and ``sqrt(2 n)/T`` where nothing is remembered.

    Examples
    --------
    A delay line of three units:

    >>> u = np.random.default_rng(0).standard_normal(2000)
    >>> states = np.stack([np.roll(u, k) for k in range(3)], axis=1)
    >>> found = memory_capacity(states, u, max_delay=5, transient=3, rng=1)
    >>> found.memory.round(2) + 0.0
    array([1., 1., 1., 0., 0., 0.])
    """
    x, u = _checked_pair(states, u)
    n_times, n_units = x.shape
    max_delay = min(2 * n_units, n_times // 10) if max_delay is None else max_delay
    checked_count(max_delay, "max_delay", 0)
    checked_count(transient, "transient", 0)
    checked_count(n_shuffles, "n_shuffles")
    checked_count(n_folds, "n_folds", 2)
    if correction not in CORRECTIONS:
        raise ValueError(
            f"`correction` must be {', '.join(map(repr, CORRECTIONS))}; got {correction!r}"
        )
    first = transient + max_delay
    n_samples = n_times - first
    if n_samples <= n_units + 1:
        raise ValueError(
            f"`states` are too short: {n_times} times less `transient` and `max_delay` leave "
            f"{max(n_samples, 0)}, and {n_units} weights need more than {n_units + 1}"
        )
    generator = as_generator(rng)
    delay = np.arange(max_delay + 1)
    targets = np.stack([u[first - k : n_times - k] for k in delay], axis=1)
    basis = _orthonormal(x[first:], rcond)
    raw = _explained(basis, targets)
    chance = basis.shape[1] / (n_samples - 1)
    memory = raw
    if correction == "shuffle":
        chance = _chance(basis, u, first, max_delay, n_shuffles, generator)
        memory = (raw - chance) / (1 - chance)
    elif correction == "cross-validation":
        memory = _cross_validated(x[first:], targets, n_folds, rcond)
    return MemoryCapacity(
        float(memory.sum()), delay, memory, raw, chance, correction, n_units, basis.shape[1],
        n_samples, _notes(memory, chance, basis.shape[1], n_units, correction),
    )


def linear_memory_function(
    W: Any, w_in: ArrayLike, *, max_delay: int, noise_std: float = 0.0
) -> np.ndarray:
    """Exact memory function of the linear network ``x(t) = W x(t-1) + w_in u(t) + noise``.

    Parameters
    ----------
    W : array or weights object, (unit, unit)
        With a spectral radius below 1.
    w_in : array_like, (unit,)
    max_delay : int
    noise_std : float
        Standard deviation of white noise in each unit, where that of the input is 1. Default 0:
        none; then the memory function sums to the number of units, over all delays.

    Returns
    -------
    array, (max_delay + 1,)
        ``m_k = v_k^T C^-1 v_k`` with ``v_k = W^k w_in`` and the stationary covariance C of the
        states (White, Lee and Sompolinsky 2004).

    Raises
    ------
    ValueError
        If the network is unstable, or if C is singular to working precision, as it is without
        noise once ``W^k w_in`` decays by many orders of magnitude within the number of units.

    Examples
    --------
    >>> linear_memory_function([[0.5]], [1.0], max_delay=2)
    array([0.75    , 0.1875  , 0.046875])
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_discrete_lyapunov

    W = matrix(W, "W", "(post, pre)")
    w_in = np.asarray(real_numbers(w_in, "w_in"), float)
    if W.shape[0] != W.shape[1]:
        raise ValueError(f"`W` must be square, (unit, unit); got shape {W.shape}")
    if w_in.shape != W.shape[:1]:
        raise ValueError(f"`w_in` must be (unit,) = ({len(W)},); got shape {w_in.shape}")
    checked_count(max_delay, "max_delay", 0)
    noise_std = checked_number(noise_std, "noise_std", 0.0)
    radius = float(np.abs(np.linalg.eigvals(W)).max())
    if radius >= 1:
        raise ValueError(f"`W` must have a spectral radius below 1; got {radius:.6g}")
    source = np.outer(w_in, w_in) + noise_std**2 * np.eye(len(W))
    C = solve_discrete_lyapunov(W, source)
    C = (C + C.T) / 2
    scale = np.sqrt(np.diag(C))  # units of different size make no trouble
    condition = np.inf
    if (scale > 0).all():
        condition = float(np.linalg.cond(C / np.outer(scale, scale)))
    try:
        if condition > 1e12:
            raise LinAlgError
        factor = cho_factor(C / np.outer(scale, scale))
    except LinAlgError:
        raise ValueError(
            f"the covariance of the states is singular to working precision (condition number "
            f"{condition:.2g}): the input does not reach all directions. Give `noise_std`, or "
            "weights that do not contract, such as an orthogonal matrix times 0.95"
        ) from None
    out, v = np.empty(max_delay + 1), w_in.copy()
    for k in range(max_delay + 1):
        out[k] = (v / scale) @ cho_solve(factor, v / scale)
        v = W @ v
    return out


def _checked_pair(states: Any, u: Any) -> tuple[np.ndarray, np.ndarray]:
    x = trial_time_unit(states, "states")
    if len(x) != 1:
        raise ValueError(f"`states` must be one trial, (time, unit); got {len(x)} trials")
    if hasattr(u, "dims"):
        u = u.values
    u = np.asarray(real_numbers(u, "u"), float)
    if u.shape != (x.shape[1],):
        raise ValueError(
            f"`u` must be (time,) = ({x.shape[1]},), as `states` (time, unit) = {x.shape[1:]}; "
            f"got shape {u.shape}"
        )
    if np.ptp(u) == 0:
        raise ValueError(f"`u` never changes: it is {u[0]:g} at all times")
    if not (np.ptp(x[0], axis=0) > 0).any():
        raise ValueError("`states` never change, in any unit")
    return x[0], u


def _orthonormal(x: np.ndarray, rcond: float) -> np.ndarray:
    """Orthonormal columns that span the centred columns of x, (time, dimension)."""
    from scipy.linalg import svd

    left, s, _ = svd(x - x.mean(axis=0), full_matrices=False)
    return left[:, s > rcond * s[0]]


def _explained(basis: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Share of the variance of each column of `targets` in the span of `basis`."""
    centred = targets - targets.mean(axis=0)
    return ((basis.T @ centred) ** 2).sum(axis=0) / (centred**2).sum(axis=0)


def _chance(
    basis: np.ndarray, u: np.ndarray, first: int, max_delay: int, n: int,
    generator: np.random.Generator,
) -> float:
    """Mean share explained of the input turned round in time, further than any delay."""
    n_times = u.size
    # shifts near 0 would bring remembered input back
    nearest = min(3 * (max_delay + 1), n_times // 3)
    shifts = generator.integers(nearest, n_times - nearest + 1, n)
    targets = np.stack([np.roll(u, shift)[first:] for shift in shifts], axis=1)
    return float(_explained(basis, targets).mean())


def _cross_validated(
    x: np.ndarray, targets: np.ndarray, n_folds: int, rcond: float
) -> np.ndarray:
    """R squared of predictions for blocks of times that were left out of the fit."""
    from scipy.linalg import lstsq

    squares, total = 0.0, 0.0
    for block in np.array_split(np.arange(len(x)), n_folds):
        rest = np.ones(len(x), bool)
        rest[block] = False
        mean_x, mean_y = x[rest].mean(axis=0), targets[rest].mean(axis=0)
        weights = lstsq(x[rest] - mean_x, targets[rest] - mean_y, cond=rcond)[0]
        error = targets[block] - mean_y - (x[block] - mean_x) @ weights
        squares = squares + (error**2).sum(axis=0)
        total = total + ((targets[block] - mean_y) ** 2).sum(axis=0)
    return 1 - squares / total


def _notes(
    memory: np.ndarray, chance: float, n_dimensions: int, n_units: int, correction: str
) -> tuple[str, ...]:
    notes = []
    if n_dimensions < n_units:
        notes.append(f"the states of {n_units} units span {n_dimensions} dimensions only")
    last = memory[-max(1, memory.size // 10):].mean() - (chance if correction == "none" else 0)
    if last > 0.05:
        notes.append(
            f"at the last delays {last:.2g} of the variance is still remembered: `total` is too "
            "small, give a larger `max_delay`"
        )
    if correction == "none":
        notes.append(
            f"of `total`, {chance * memory.size:.3g} is what chance explains: "
            f"{chance:.2g} at each of {memory.size} delays"
        )
    return tuple(notes)
