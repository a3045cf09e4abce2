"""Metrics and the matrix measures in them: what tests of contraction compute with.

A metric M makes the norm ``|T v|`` with ``M = T^T T``; the 1- and the inf-norm take positive
weights w, ``sum w_i |v_i|`` and ``max w_i |v_i|``. The matrix measure of J in a norm is the rate at
which ``exp(t J)`` can first stretch a vector, ``lim (|I + h J| - 1)/h`` (Soderlind 2006).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse.csgraph import connected_components

from neurodyn._arrays import real_numbers

NORMS = ("2", "1", "inf")
#: Below this part of the largest, eigenvalues of a metric are no more than rounding.
_RELATIVE_ZERO = 1e-14


def checked_norm(norm: Any) -> str:
    """One of `NORMS`."""
    if norm not in NORMS:
        raise ValueError(f'`norm` must be "2", "1" or "inf" (text); got {norm!r}')
    return norm


def checked_metric(metric: Any, n: int, norm: str = "2", argument: str = "metric") -> np.ndarray:
    """A metric ``(n, n)`` for the 2-norm, weights ``(n,)`` for the others; 1 where None."""
    found = np.ones(n) if metric is None else real_numbers(metric, argument).astype(float)
    if found.shape not in ((n,), (n, n)):
        raise ValueError(
            f"`{argument}` must be ({n}, {n}), or ({n},) if it is diagonal, as there are {n} "
            f"states; got shape {found.shape}"
        )
    if norm != "2":
        return _weights(found, norm, argument)
    found = np.diag(found) if found.ndim == 1 else found
    asymmetry = np.abs(found - found.T).max()
    if asymmetry > 1e-8 * np.abs(found).max():
        raise ValueError(
            f"`{argument}` must be symmetric; it differs from its transpose by up to "
            f"{asymmetry:.3g}. Its symmetric part is (M + M.T)/2"
        )
    found = (found + found.T) / 2
    diagonal = np.diag(found)
    is_diagonal = not np.any(found - np.diag(diagonal))
    # the eigenvalues of a diagonal are exact, however far apart
    values = np.sort(diagonal) if is_diagonal else np.linalg.eigvalsh(found)
    if not values[0] > (0.0 if is_diagonal else _RELATIVE_ZERO * abs(values[-1])):
        raise ValueError(
            f"`{argument}` must be positive definite; its smallest eigenvalue is {values[0]:.3g} "
            f"(the largest {values[-1]:.3g})"
        )
    return found


def _weights(found: np.ndarray, norm: str, argument: str) -> np.ndarray:
    if found.ndim == 2:
        if np.any(found != np.diag(np.diag(found))):
            raise ValueError(
                f'`{argument}` must be diagonal for norm="{norm}": the positive weights of the '
                "states"
            )
        found = np.diag(found)
    if not found.min() > 0:
        raise ValueError(
            f"`{argument}` must have positive weights; the smallest is {found.min():.3g}"
        )
    return found


def in_metric(J: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """``T J T^-1`` for ``T^T T = metric``: Jacobians in coordinates whose norm is the plain one."""
    T = np.linalg.cholesky(metric).T
    inverse = solve_triangular(T, np.eye(len(T)))
    return T @ J @ inverse


def growth(J: np.ndarray, metric: np.ndarray, norm: str, step: float | None = None) -> np.ndarray:
    """Matrix measures of Jacobians ``(..., n, n)``; of maps, ``log |J| / step``."""
    if norm == "2":
        X = in_metric(J, metric)
        if step is None:
            return np.linalg.eigvalsh((X + np.swapaxes(X, -1, -2)) / 2)[..., -1]
        size = np.linalg.svd(X, compute_uv=False)[..., 0]
    else:
        axis = -2 if norm == "1" else -1
        X = np.abs(J) if step is not None else metzler(J)
        size = (X * (metric[:, None] / metric)).sum(axis=axis).max(axis=-1)
        if step is None:
            return size
    with np.errstate(divide="ignore"):
        return np.log(size) / step


def residual(
    J: np.ndarray, metric: np.ndarray, norm: str, rate: float, step: float | None = None
) -> float:
    """Largest violation of the contraction inequality at `rate`, not above 0 where it holds.

    The largest eigenvalue of ``M J + J^T M + 2 rate M``, for maps of
    ``J^T M J - exp(-2 rate step) M``; in the other norms the largest entry of the same in terms of
    the Metzler majorant A of J: ``w A + rate w`` (1), ``A (1/w) + rate (1/w)`` (inf).
    """
    if norm != "2":
        A = np.abs(J) if step is not None else metzler(J)
        factor = rate if step is None else -np.exp(-rate * step)
        vector = metric if norm == "1" else 1 / metric
        product = vector @ A if norm == "1" else A @ vector
        return float((product + factor * vector).max())
    if step is None:
        MJ = metric @ J
        whole = MJ + np.swapaxes(MJ, -1, -2) + 2 * rate * metric
    else:
        whole = np.swapaxes(J, -1, -2) @ metric @ J - np.exp(-2 * rate * step) * metric
    return float(np.linalg.eigvalsh((whole + np.swapaxes(whole, -1, -2)) / 2)[..., -1].max())


def residual_scale(J: np.ndarray, metric: np.ndarray, rate: float) -> float:
    """Size of the terms of `residual`, to which its rounding errors are relative."""
    size = np.abs(J).max() * J.shape[-1]
    finite = abs(rate) if np.isfinite(rate) else 0.0
    return float(np.abs(metric).max() * max(size, size**2, finite, 1e-300))


def metzler(J: np.ndarray) -> np.ndarray:
    """The Metzler majorant: absolute values off the diagonal, the diagonal itself."""
    found = np.abs(J)
    diagonal = np.arange(J.shape[-1])
    found[..., diagonal, diagonal] = J[..., diagonal, diagonal]
    return found


def abscissa(A: np.ndarray) -> float:
    """Largest real part of the eigenvalues of ``(..., n, n)``."""
    return float(np.linalg.eigvals(A).real.max())


def metzler_abscissa(A: np.ndarray) -> float:
    """`abscissa` of a matrix without negative entries off the diagonal.

    The largest over its strongly connected parts: strong one-way weights, which are outside of
    these, would move computed eigenvalues far (those of a chain of n by the n-th root of rounding).
    """
    n_parts, part = connected_components(A != 0, directed=True, connection="strong")
    return max(abscissa(A[np.ix_(part == k, part == k)]) for k in range(n_parts))


def perron_pair(A: np.ndarray, s: float) -> tuple[np.ndarray, np.ndarray]:
    """Positive l, r with ``l A < s l`` and ``A r < s r``, for a Metzler A of abscissa below s.

    ``r = (s - A)^-1 1`` and ``l = (s - A)^-T 1``; the Perron vectors where s comes near the
    abscissa. Then ``diag(l/r)`` is a metric in which A has a matrix measure below s, as
    ``(P A + A^T P - 2 s P) r < 0`` for a symmetric Metzler matrix means that it is negative
    definite.
    """
    whole = s * np.eye(len(A)) - A
    return _positive_solution(whole.T), _positive_solution(whole)


def _positive_solution(M: np.ndarray) -> np.ndarray:
    """``M^-1 1`` of a nonsingular M-matrix: positive, and accurate entry by entry.

    Elimination without pivots: off the diagonal it only adds what has the same sign, and the
    diagonal of an acyclic part stays as it is, however large one-way weights are.
    """
    M, x, n = M.copy(), np.ones(len(M)), len(M)
    for k in range(n - 1):
        factor = M[k + 1 :, k] / M[k, k]
        rows = np.flatnonzero(factor) + k + 1
        factor = factor[rows - k - 1]
        M[rows, k + 1 :] -= factor[:, None] * M[k, k + 1 :]
        x[rows] -= factor * x[k]
    for k in range(n - 1, -1, -1):
        x[k] = (x[k] - M[k, k + 1 :] @ x[k + 1 :]) / M[k, k]
    return x


def normalised(metric: np.ndarray) -> np.ndarray:
    """Scaled to trace n: only the shape of a metric matters."""
    total = metric.sum() if metric.ndim == 1 else np.trace(metric)
    return metric * (len(metric) / total)
