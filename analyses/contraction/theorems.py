r"""Conditions on the weights of a rate network under which it contracts, whatever its input.

For ``tau dx/dt = -x + W phi(x) + u(t)`` with slopes ``0 <= phi' <= g`` all Jacobians are
``(-I + W D)/tau``, D diagonal with entries in [0, g]. Each condition of Kozachkov, Ennis and
Slotine (2022) names a metric P with ``P J + J^T P < 0`` for all of them. In activity form,
``tau dr/dt = -r + phi(W r + u)``, the Jacobians are ``(-I + D W)/tau``: transposed, those of the
weights W^T in voltage form, which contract in P where these contract in P^-1.

A stable linearisation is not enough: ``W - I`` may have stable eigenvalues, and ``W D - I`` not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.csgraph import connected_components

from neurodyn._arrays import as_generator, checked_count, checked_number, real_numbers
from neurodyn._blas import one_blas_thread
from neurodyn.analyses.contraction import _metrics

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

#: Up to so many units all 2**n corners are checked.
MAX_VERTEX_UNITS = 10
#: Relative size of differences that are rounding.
_ROUNDING = 1e-10
#: Symmetric weights without positive eigenvalues take this for their largest one.
_SMALL = 1e-2
#: Logarithms of a scaling stay within this: for weights without loops the best one is at infinity.
_LARGEST_LOG = np.log(1e10) / 4


@dataclass(frozen=True, eq=False)
class ContractionCondition:
    """One condition, and the metric that it certifies.

    Attributes
    ----------
    name : str
        ``"absolute value"``, ``"symmetric"``, ``"product"``, ``"triangular"``, ``"singular value"``
    theorem : str
        Its number in Kozachkov, Ennis and Slotine (2022).
    holds : bool
        False for "singular value" where the search, of a convex function, found no scaling.
    margin : float
        Distance to where it ceases to hold, in units of the leak; NaN where the weights do not have
        the form that it is about.
    rate : float
        Rate of contraction in `metric` that is certified for all states and inputs, 1/s; NaN where
        the condition does not hold.
    metric : array, (unit, unit), or None
        Of trace n.
    residual : float
        Largest eigenvalue of ``M J + J^T M + 2 rate M`` over the Jacobians that were checked: not
        above 0 but for rounding.
    n_checked : int
        Jacobians that were: all corners up to 10 units, else random ones.
    """

    name: str
    theorem: str
    holds: bool
    margin: float
    rate: float = float("nan")
    metric: np.ndarray | None = None
    residual: float = float("nan")
    n_checked: int = 0


def slope_vertices(
    W: Any, *, slope: float = 1.0, tau: float = 1.0, form: str = "voltage"
) -> np.ndarray:
    """Jacobians of a rate network with every slope at 0 or at its bound; others lie between them.

    Parameters
    ----------
    W : array_like, (n, n)
        ``[post, pre]``; at most 10 units.
    slope : float
        Bound g of the activation's slope, which must not be negative. Default 1: tanh, relu.
    tau : float, s
    form : {"voltage", "activity"}
        As in `neurodyn.rate_network`.

    Returns
    -------
    array, (2**n, n, n), 1/s
        For `contraction_rate` and `contraction_metric`, whose results are then proofs.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> W = [[0.0, 4.0], [0.0, 0.0]]
    >>> found = analyses.contraction_metric(analyses.slope_vertices(W))
    >>> found.contracts, found.holds_for
    (True, 'the convex hull of the Jacobians')
    """
    W, slope, tau, form = _checked(W, slope, tau, form)
    n = len(W)
    if n > MAX_VERTEX_UNITS:
        raise ValueError(
            f"`W` has {n} units, and 2**{n} corners are too many: at most {MAX_VERTEX_UNITS}. "
            "`contraction_conditions` needs no corners"
        )
    D = slope * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    return _jacobians(W, D, tau, form)


def contraction_conditions(
    W: Any,
    *,
    slope: float = 1.0,
    tau: float = 1.0,
    form: str = "voltage",
    only: Sequence[str] | None = None,
    n_checks: int = 256,
    rng: RNG = 0,
) -> tuple[ContractionCondition, ...]:
    """The five conditions of Kozachkov, Ennis and Slotine (2022), tried on a weight matrix.

    Parameters
    ----------
    W, slope, tau, form
        As for `slope_vertices`, of any size.
    only : sequence of str, optional
        Names of the conditions to try, ``["absolute value"]``. Default all; "singular value" is a
        search, which takes seconds for some hundred units.
    n_checks : int
        Random Jacobians on which metrics of more than 10 units are checked. Default 256.
    rng : int, SeedSequence, Generator or None
        Of these.

    Returns
    -------
    tuple of ContractionCondition
        In the order of the theorems: |W| stable (1), W symmetric (2), W = -P1 Q P2 with positive
        diagonal P1, P2 and positive definite Q (3), W triangular, in any order of the units (4),
        ``|F W F^-1| < 1/g`` for a diagonal F (5).

    Notes
    -----
    Rates, in units of 1/tau. (1), (4): the matrix measure of the Metzler majorant. (2): 1 - b, b
    the largest eigenvalue of g W, or 0.01 if that is larger; from ``P W = theta^-1 - 1/(4 b)`` and
    completing the square. (3): 1, as ``P W = -P2/P1``. (5): ``1 - g |F W F^-1|``.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> found = analyses.contraction_conditions([[0.0, 4.0], [0.0, 0.5]])
    >>> [c.name for c in found if c.holds]
    ['absolute value', 'triangular', 'singular value']
    """
    W, slope, tau, form = _checked(W, slope, tau, form)
    names = tuple(_TESTS) if only is None else _checked_names(only)
    n_checks = checked_count(n_checks, "n_checks")
    with one_blas_thread():
        J = checked_jacobians(W, slope, tau, form, n_checks, rng)
        scaled = slope * (W if form == "voltage" else W.T)
        return tuple(_verified(_TESTS[name](scaled), J, tau, form) for name in names)


def _checked_names(only: Sequence[str]) -> tuple[str, ...]:
    chosen = {only} if isinstance(only, str) else set(only)
    if not chosen or not chosen <= set(_TESTS):
        raise ValueError(f"`only` must be from {', '.join(map(repr, _TESTS))}; got {only!r}")
    return tuple(name for name in _TESTS if name in chosen)


def checked_jacobians(W, slope, tau, form, n_checks, rng) -> np.ndarray:
    """All corners of a small network, random Jacobians of a larger one."""
    W, slope, tau, form = _checked(W, slope, tau, form)
    n = len(W)
    if n <= MAX_VERTEX_UNITS:
        return slope_vertices(W, slope=slope, tau=tau, form=form)
    generator = as_generator(rng)
    D = slope * (generator.random((n_checks, n)) < generator.random((n_checks, 1)))
    return _jacobians(W, D, tau, form)


def _checked(W, slope, tau, form):
    W = real_numbers(W, "W").astype(float)
    if W.ndim != 2 or W.shape[0] != W.shape[1] or not W.size:
        raise ValueError(f"`W` must be square, (post, pre); got shape {W.shape}")
    if form not in ("voltage", "activity"):
        raise ValueError(f'`form` must be "voltage" or "activity"; got {form!r}')
    slope, tau = checked_number(slope, "slope", 0.0), checked_number(tau, "tau", 0.0)
    for name, value in (("slope", slope), ("tau", tau)):
        if not value > 0:
            raise ValueError(f"`{name}` must be positive; got {value!r}")
    return W, slope, tau, form


def _jacobians(W: np.ndarray, D: np.ndarray, tau: float, form: str) -> np.ndarray:
    driven = W * D[:, None, :] if form == "voltage" else D[:, :, None] * W
    return (driven - np.eye(len(W))) / tau


def _verified(found: ContractionCondition, J, tau, form) -> ContractionCondition:
    """In SI, in the network's form, its metric tried on Jacobians."""
    if not found.holds:
        return found
    metric = found.metric if form == "voltage" else np.linalg.inv(found.metric)
    metric = _metrics.checked_metric(_metrics.normalised(metric), len(metric))
    rate = found.rate / tau
    residual = _metrics.residual(J, metric, "2", rate)
    if residual > 1e-7 * _metrics.residual_scale(J, metric, rate):
        raise ArithmeticError(
            f"the metric of the condition {found.name!r} violates its inequality by {residual:.3g}:"
            " the weights are too badly scaled for float64"
        )
    return replace(found, rate=rate, metric=metric, residual=residual, n_checked=len(J))


# ---------------------------------------- the conditions, for W that contains the slope, tau = 1


def _majorant(W: np.ndarray) -> np.ndarray:
    """Above all ``-I + W D``: |W| off the diagonal, max(W_ii, 0) on it, less the leak."""
    A = np.abs(W)
    np.fill_diagonal(A, np.maximum(np.diag(W), 0))
    return A - np.eye(len(W))


def _absolute_value(W: np.ndarray) -> ContractionCondition:
    A = _majorant(W)
    margin = -_metrics.metzler_abscissa(A)
    if not margin > _ROUNDING:
        return ContractionCondition("absolute value", "1", False, margin)
    l, r = _metrics.perron_pair(A, 0.0)
    metric = np.diag(_metrics.normalised(l / r))
    rate = -float(_metrics.growth(A, metric, "2"))
    return ContractionCondition("absolute value", "1", True, margin, rate, metric)


def _symmetric(W: np.ndarray) -> ContractionCondition:
    if np.abs(W - W.T).max() > _ROUNDING * np.abs(W).max():
        return ContractionCondition("symmetric", "2", False, np.nan)
    z, U = np.linalg.eigh((W + W.T) / 2)
    margin = float(1 - z[-1])
    if not margin > _ROUNDING:
        return ContractionCondition("symmetric", "2", False, margin)
    b = max(z[-1], _SMALL)
    theta = 2 * b * (1 + np.sqrt(np.maximum(1 - z / b, 0)))
    metric = (U * theta**-2) @ U.T
    return ContractionCondition("symmetric", "2", True, margin, float(1 - b), metric)


def _product(W: np.ndarray) -> ContractionCondition:
    """``W = -E Q`` with ``E = P1/P2`` and ``P2 Q P2`` for Q: this leaves the metric the same."""
    E = _symmetriser(W)
    if E is None:
        return ContractionCondition("product", "3", False, np.nan)
    Q = -W / E[:, None]
    Q = (Q + Q.T) / 2
    margin = float(np.linalg.eigvalsh(np.sqrt(E)[:, None] * Q * np.sqrt(E))[0])
    if not margin > _ROUNDING * np.abs(W).max():
        return ContractionCondition("product", "3", False, margin)
    metric = np.linalg.inv(E[:, None] * Q * E)
    return ContractionCondition("product", "3", True, margin, 1.0, (metric + metric.T) / 2)


def _symmetriser(W: np.ndarray) -> np.ndarray | None:
    """Positive E for which ``W / E[:, None]`` is symmetric, from the ratios W_ij/W_ji."""
    linked = (W != 0) & ~np.eye(len(W), dtype=bool)
    if np.any(linked != linked.T) or np.any(W * W.T < 0):
        return None
    i, j = np.nonzero(np.triu(linked))
    rows = np.zeros((len(i), len(W)))
    rows[np.arange(len(i)), i], rows[np.arange(len(i)), j] = 1, -1
    log_E = np.linalg.lstsq(rows, np.log(W[i, j] / W[j, i]), rcond=None)[0]
    E = np.exp(log_E - log_E.mean())
    S = W / E[:, None]
    return E if np.abs(S - S.T).max() <= 1e-9 * np.abs(S).max() else None


def _triangular(W: np.ndarray) -> ContractionCondition:
    n = len(W)
    n_loops, label = connected_components((W != 0).T, directed=True, connection="strong")
    if n_loops < n:
        return ContractionCondition("triangular", "4", False, np.nan)
    margin = float(1 - max(np.diag(W).max(), 0))
    if not margin > _ROUNDING:
        return ContractionCondition("triangular", "4", False, margin)
    A, depth = _majorant(W), _depth(W)
    # weights fall down the chain until half of the margin is left as rate
    for factor in 0.5 ** np.arange(1, 40):
        weights = factor ** depth.astype(float)
        if weights.min() < 1e-12:
            break
        rate = -float(_metrics.growth(A, np.diag(weights), "2"))
        if rate >= margin / 2:
            return ContractionCondition("triangular", "4", True, margin, rate, np.diag(weights))
    # a long chain: weights that fall no more than they need to
    l, r = _metrics.perron_pair(A, 0.0)
    metric = np.diag(_metrics.normalised(l / r))
    rate = -float(_metrics.growth(A, metric, "2"))
    return ContractionCondition("triangular", "4", True, margin, rate, metric)


def _depth(W: np.ndarray) -> np.ndarray:
    """Length of the longest chain of weights that ends at each unit."""
    linked = (W != 0) & ~np.eye(len(W), dtype=bool)
    depth = np.zeros(len(W), int)
    for _ in range(len(W)):
        depth = np.where(linked.any(axis=1), (linked * (depth + 1)).max(axis=1), 0)
    return depth


def _singular_value(W: np.ndarray) -> ContractionCondition:
    """The least ``|F W F^-1|``, convex in log F (Sezginer and Overton 1990)."""
    n = len(W)
    A = np.abs(W)
    l, r = _metrics.perron_pair(A, _metrics.metzler_abscissa(A) + 1e-3 * max(A.max(), 1e-300))

    def size(log_F, power):
        # (sum of singular values**power)**(1/power), above the largest: smooth
        F = np.exp(log_F)
        u, s, v = np.linalg.svd(F[:, None] * W / F)
        if not s[0] > 0:
            return 0.0, np.zeros(n)
        relative = s / s[0]
        total = (relative**power).sum()
        weight = relative ** (power - 1) * total ** (1 / power - 1)
        gradient = s * weight * (u**2 - v.T**2)  # of log F, (unit, singular value)
        return float(s[0] * total ** (1 / power)), gradient.sum(axis=1)

    bounds = [(-_LARGEST_LOG, _LARGEST_LOG)] * n
    candidates = [np.zeros(n), np.clip(np.log(l / r) / 2, *bounds[0])]
    for power in (4.0, 16.0, 64.0, 256.0):
        start = min(candidates, key=lambda f: _norm(W, f))
        found = minimize(size, start, args=(power,), jac=True, method="L-BFGS-B", bounds=bounds)
        candidates.append(found.x)
    best = min(candidates, key=lambda f: _norm(W, f))
    margin = float(1 - _norm(W, best))
    metric = np.diag(np.exp(2 * (best - best.mean())))
    if not margin > _ROUNDING:
        return ContractionCondition("singular value", "5", False, margin)
    return ContractionCondition("singular value", "5", True, margin, margin, metric)


def _norm(W: np.ndarray, log_F: np.ndarray) -> float:
    F = np.exp(log_F)
    return float(np.linalg.norm(F[:, None] * W / F, 2))


_TESTS: dict[str, Callable[[np.ndarray], ContractionCondition]] = {
    "absolute value": _absolute_value,
    "symmetric": _symmetric,
    "product": _product,
    "triangular": _triangular,
    "singular value": _singular_value,
}
