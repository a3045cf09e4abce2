"""Least-squares fits of decaying curves: exponentials, with an offset, oscillating.

Each model is a sum of amplitudes times shapes that depend on few nonlinear parameters (time
constants as logarithms, a frequency). A grid over these, with the amplitudes solved for, finds
where to start; bounded least squares over all parameters ends it. So no guess is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

#: What amplitudes may be, for a curve that is 1 at lag 0.
_LARGEST = 2.0


@dataclass(frozen=True)
class DecayModel:
    """``sum_j amplitude_j shape_j(t)``.

    Attributes
    ----------
    name : str
    n_taus : int
    oscillates : bool
        Its shapes are ``exp(-t/tau) cos(2 pi f t)`` and ``exp(-t/tau) sin(2 pi f t)``.
    has_offset : bool
        Its last shape is 1.
    """

    name: str
    n_taus: int
    oscillates: bool = False
    has_offset: bool = False

    @property
    def n_nonlinear(self) -> int:
        return self.n_taus + self.oscillates

    @property
    def n_amplitudes(self) -> int:
        return self.n_taus + self.oscillates + self.has_offset

    @property
    def n_parameters(self) -> int:
        return self.n_nonlinear + self.n_amplitudes

    def shapes(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """``(..., lag, amplitude)`` for nonlinear parameters (..., n_nonlinear)."""
        decay = np.exp(-t[:, None] / np.exp(theta[..., None, : self.n_taus]))
        parts = [decay]
        if self.oscillates:
            angle = 2 * np.pi * t[:, None] * theta[..., None, self.n_taus :]
            parts = [decay * np.cos(angle), decay * np.sin(angle)]
        if self.has_offset:
            parts.append(np.ones((*decay.shape[:-1], 1)))
        return np.concatenate(parts, axis=-1)

    def value(self, t: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        theta, amplitudes = np.split(parameters, [self.n_nonlinear])
        return self.shapes(t, theta) @ amplitudes

    def bounds(self, tau_bounds: tuple[float, float], dt: float) -> tuple[np.ndarray, np.ndarray]:
        low = [np.log(tau_bounds[0])] * self.n_taus
        high = [np.log(tau_bounds[1])] * self.n_taus
        if self.oscillates:
            low, high = [*low, 0.0], [*high, 0.5 / dt]
        free = self.oscillates + self.has_offset  # the sine and the offset may be negative
        low += [0.0] * (self.n_amplitudes - free) + [-_LARGEST] * free
        return np.array(low), np.array(high + [_LARGEST] * self.n_amplitudes)


MODELS = {
    model.name: model
    for model in (
        DecayModel("exponential", 1),
        DecayModel("exponential + offset", 1, has_offset=True),
        DecayModel("double exponential", 2),
        DecayModel("double exponential + offset", 2, has_offset=True),
        DecayModel("damped oscillation", 1, oscillates=True),
        DecayModel("damped oscillation + offset", 1, oscillates=True, has_offset=True),
    )
}


@dataclass(frozen=True, eq=False)
class DecayFit:
    """Parameters where the squares are least.

    `at_bound` is True if a time constant or the period is as long or short as it may be.
    """

    model: DecayModel
    parameters: np.ndarray
    squares: float
    at_bound: bool
    succeeded: bool


def fit_decay(
    model: DecayModel,
    t: np.ndarray,
    y: np.ndarray,
    dt: float,
    tau_bounds: tuple[float, float],
    start: np.ndarray | None = None,
) -> DecayFit:
    """Least-squares fit of `model` to the curve y(t), from `start` or from a grid."""
    from scipy.optimize import least_squares

    low, high = model.bounds(tau_bounds, dt)
    starts = [start] if start is not None else _starts(model, t, y, dt, tau_bounds)
    best = None
    for one in starts:
        inside = np.clip(one, low + 1e-9 * (high - low), high - 1e-9 * (high - low))
        found = least_squares(
            lambda p: model.value(t, p) - y, inside, bounds=(low, high), x_scale="jac",
            max_nfev=500,
        )
        if best is None or found.cost < best.cost:
            best = found
    taus = slice(0, model.n_taus)
    edge = 1e-3 * (high - low)[taus]
    at_bound = bool(((best.x - low)[taus] < edge).any() or ((high - best.x)[taus] < edge).any())
    # a period of more than four windows is no oscillation
    at_bound |= bool(model.oscillates and best.x[model.n_taus] < 0.25 / t[-1])
    return DecayFit(model, best.x, 2 * float(best.cost), at_bound, bool(best.success))


def _starts(
    model: DecayModel, t: np.ndarray, y: np.ndarray, dt: float, tau_bounds: tuple[float, float]
) -> list[np.ndarray]:
    """The best of a grid over the nonlinear parameters: two that lie apart, or one."""
    logs = np.linspace(np.log(tau_bounds[0]), np.log(tau_bounds[1]), 26)[1:-1]
    if model.n_taus == 2:
        grid = np.array(list(combinations(logs, 2)))
    elif model.oscillates:
        # half a period in the window is the slowest that can be told from a decay
        frequencies = np.linspace(0.25 / t[-1], 0.5 / dt, min(4 * t.size, 200))
        grid = np.stack(np.meshgrid(logs, frequencies, indexing="ij"), -1).reshape(-1, 2)
    else:
        grid = logs[:, None]
    rows = max(1, 2**21 // (t.size * model.n_amplitudes))
    parts = [_solved(model, t, y, part)
             for part in np.array_split(grid, -(-len(grid) // rows))]
    amplitudes = np.concatenate([part[0] for part in parts])
    squares = np.concatenate([part[1] for part in parts])
    order = np.argsort(squares)
    chosen = [order[0]]
    if model.n_nonlinear > 1:
        apart = np.abs(grid[order] - grid[order[0]]) > 0.15 * np.ptp(grid, axis=0)
        if apart.any():
            chosen.append(order[np.argmax(apart.any(axis=1))])
    return [np.concatenate([grid[k], amplitudes[k]]) for k in chosen]


def _solved(model: DecayModel, t: np.ndarray, y: np.ndarray, grid: np.ndarray):
    """Amplitudes at each point of the grid, and the squares that they leave.

    Those that would have the wrong sign are set to 0 afterwards: it is only a start.
    """
    shapes = model.shapes(t, grid)
    product = shapes.swapaxes(-1, -2) @ shapes
    # near-equal time constants make it singular; a little of the identity decides
    product += 1e-9 * np.trace(product, axis1=-2, axis2=-1)[:, None, None] * np.eye(
        model.n_amplitudes)
    amplitudes = np.linalg.solve(product, (y @ shapes)[..., None])[..., 0]
    n_positive = model.n_amplitudes - model.oscillates - model.has_offset
    amplitudes[:, :n_positive] = np.maximum(amplitudes[:, :n_positive], 0.0)
    residual = y - (shapes @ amplitudes[..., None])[..., 0]
    return amplitudes, (residual**2).sum(axis=-1)
