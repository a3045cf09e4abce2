"""Contraction in a metric that depends on the state, M(x)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigh

from neurodyn.analyses._systems import System
from neurodyn.analyses.contraction import _metrics

#: Step of central differences along the flow, relative to the state.
_STEP = float(np.cbrt(np.finfo(float).eps))


class Moving(NamedTuple):
    """What `in_moving_metric` found at each state."""

    metrics: np.ndarray  # (sample, n, n)
    measures: np.ndarray  # (sample,), 1/s or per step
    residual: float


def in_moving_metric(
    system: System, x: np.ndarray, J: np.ndarray, metric: Callable[[Any], Any], step: float | None
) -> Moving:
    """Matrix measures with the change of the metric along the flow (Lohmiller and Slotine 1998).

    Of a flow half the largest eigenvalue of ``M J + J^T M + dM/dt`` in M, with ``dM/dt`` by central
    differences along ``dx/dt``; of a map, or a step of Euler's method, the logarithm of the norm
    from the metric at x to that at the next state.
    """
    n = system.n_states
    f = system.field(x)
    next_states = f if system.is_map else (x + step * f if step is not None else None)
    metrics, measures, residual = [], [], -np.inf
    for k, (state, jacobian) in enumerate(zip(x, J, strict=True)):
        M = at(metric, state, n)
        if next_states is None:
            MJ = M @ jacobian
            inner = (MJ + MJ.T + _along(metric, state, f[k], n)) / 2
            measure = eigh(inner, M, eigvals_only=True)[-1]
            rest = 2 * (inner - measure * M)
        else:
            inner = jacobian.T @ at(metric, next_states[k], n) @ jacobian
            inner = (inner + inner.T) / 2
            top = max(float(eigh(inner, M, eigvals_only=True)[-1]), 0.0)
            with np.errstate(divide="ignore"):
                measure = np.log(top) / (2 * (step or 1.0))
            rest = inner - top * M
        metrics.append(M)
        measures.append(float(measure))
        residual = max(residual, float(np.linalg.eigvalsh(rest)[-1]))
    return Moving(np.array(metrics), np.array(measures), residual)


def at(metric: Callable[[Any], Any], x: np.ndarray, n: int) -> np.ndarray:
    """M(x), checked to be positive definite."""
    return _metrics.checked_metric(metric(x.copy()), n, "2", f"metric at {np.round(x, 4).tolist()}")


def _along(metric, x: np.ndarray, f: np.ndarray, n: int) -> np.ndarray:
    """dM/dt where the state moves with f."""
    speed = np.abs(f).max()
    if not speed:
        return np.zeros((n, n))
    h = _STEP * max(1.0, float(np.abs(x).max())) / speed
    return (at(metric, x + h * f, n) - at(metric, x - h * f, n)) / (2 * h)
