r"""Networks of contracting networks, coupled so that the whole contracts.

Modules that contract in metrics P_i, with rates lambda_i, make an assembly
``tau dx/dt = -x + W phi(x) + L x + u`` that contracts in ``P = blockdiag(P_i)`` with the least of
the rates if their coupling is a negative feedback in the metrics (Kozachkov, Ennis and Slotine
2022):

.. math:: L = B - P^{-1} B^T P, \qquad P L + L^T P = 0,

B free below the diagonal blocks: ``L_ij = B_ij`` and ``L_ji = -P_j^{-1} B_ij^T P_i`` for i > j.
The coupling does no work in the metric, ``x^T P L x = 0``, however large it is. (The authors' code
holds the inverse of P.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import block_diag

from neurodyn._arrays import checked_count, checked_number, real_numbers
from neurodyn._blas import one_blas_thread
from neurodyn.analyses import _metrics
from neurodyn.analyses.contraction_theorems import checked_jacobians

if TYPE_CHECKING:
    from neurodyn._arrays import RNG


@dataclass(frozen=True, eq=False)
class CombinationCoupling:
    """Coupling of an assembly, and the check of the whole.

    Attributes
    ----------
    L : array, (N, N)
        Coupling of the states, in units of the leak.
    metric : array, (N, N)
        Block diagonal, of those of the modules as given.
    sizes : tuple of int
        Units of each module.
    skewness : float
        Largest entry of ``P L + L^T P`` over the largest of ``P L``: rounding.
    rate : float
        The least of the modules' rates, 1/s, which the whole has too; NaN if they are not known.
    whole_rate : float
        Worst rate in `metric` over the Jacobians of the whole assembly that were checked; NaN
        without modules. Not below `rate` if that is known.
    uncoupled_rate : float
        The same without L.
    n_checked : int
    is_proof : bool
        Whether `whole_rate` is that of all corners of the slopes: up to 10 units in all.
    """

    L: np.ndarray
    metric: np.ndarray
    sizes: tuple[int, ...]
    skewness: float
    rate: float
    whole_rate: float
    uncoupled_rate: float
    n_checked: int
    is_proof: bool


def combination_coupling(
    B: Any,
    metrics: Sequence[Any],
    *,
    adjacency: Any = None,
    modules: Sequence[Any] | None = None,
    slope: float = 1.0,
    tau: float = 1.0,
    n_checks: int = 256,
    rng: RNG = 0,
) -> CombinationCoupling:
    """Coupling between contracting modules that leaves the whole contracting.

    Parameters
    ----------
    B : array_like, (N, N)
        Free weights ``[post, pre]``, in units of the leak. What is not below the diagonal blocks,
        or not in `adjacency`, is left out.
    metrics : sequence of array_like or record
        Of each module: a metric ``(n, n)``, its diagonal ``(n,)``, or a result of
        `contraction_conditions`, `contraction_rate` or `contraction_metric`, whose rate is then
        that of the module.
    adjacency : array_like of bool, (module, module), optional
        Pairs that are coupled, below the diagonal. Default all.
    modules : sequence of array_like, optional
        Recurrent weights of each module, in voltage form, to check the whole.
    slope, tau : float
        Of the modules, as in `contraction_conditions`, for the check.
    n_checks, rng
        Random Jacobians for a check of more than 10 units.

    Returns
    -------
    CombinationCoupling

    Examples
    --------
    >>> from neurodyn import analyses
    >>> pair = analyses.combination_coupling(
    ...     [[0, 0], [50.0, 0]], [[1.0], [4.0]], modules=[[[0.5]], [[0.2]]])
    >>> pair.L.tolist(), pair.whole_rate
    ([[0.0, -200.0], [50.0, 0.0]], 0.5)
    """
    parts, rates = _modules_metrics(metrics)
    sizes = tuple(len(P) for P in parts)
    N, number = sum(sizes), np.repeat(np.arange(len(sizes)), sizes)
    B = real_numbers(B, "B").astype(float)
    if B.shape != (N, N):
        raise ValueError(f"`B` must be ({N}, {N}) for modules of {sizes} units; got {B.shape}")
    n_checks = checked_count(n_checks, "n_checks")
    mask = _adjacency(adjacency, len(sizes))[number[:, None], number]
    P = block_diag(*parts)
    B = np.where(mask, B, 0.0)
    with one_blas_thread():
        L = B - np.linalg.solve(P, B.T @ P)
        PL = P @ L
        skewness = float(np.abs(PL + PL.T).max() / max(np.abs(PL).max(), 1e-300))
        whole = uncoupled = float("nan")
        n_checked, proof = 0, False
        if modules is not None:
            W = _modules_weights(modules, sizes)
            tau = checked_number(tau, "tau", 0.0)
            J = checked_jacobians(W, checked_number(slope, "slope", 0.0), tau, "voltage",
                                  n_checks, rng)  # fmt: skip
            whole = -float(_metrics.growth(J + L / tau, P, "2").max())
            uncoupled = -float(_metrics.growth(J, P, "2").max())
            n_checked, proof = len(J), len(J) == 2**N
    return CombinationCoupling(
        L, P, sizes, skewness, float(np.min(rates)), whole, uncoupled, n_checked, proof
    )


def _modules_metrics(metrics: Sequence[Any]) -> tuple[list[np.ndarray], list[float]]:
    """Metrics of modules, and their rates, NaN where these are not known."""
    if len(metrics) == 0:
        raise ValueError("`metrics` is empty: give the metric of each module")
    parts, rates = [], []
    for k, given in enumerate(metrics):
        name = f"metrics[{k}]"
        metric = getattr(given, "metric", given)
        rates.append(float(getattr(given, "rate", np.nan)))
        if metric is None:
            raise ValueError(f"`{name}` is a condition that does not hold: it has no metric")
        if getattr(given, "norm", "2") != "2":
            raise ValueError(f'`{name}` is for norm="{given.norm}"; the combination needs "2"')
        found = real_numbers(metric, name)
        if found.ndim not in (1, 2) or not found.size:
            raise ValueError(f"`{name}` must be (n, n) or (n,); got shape {found.shape}")
        parts.append(_metrics.checked_metric(found, len(found), argument=name))
    return parts, rates


def _adjacency(adjacency: Any, p: int) -> np.ndarray:
    below = np.tri(p, k=-1, dtype=bool)
    if adjacency is None:
        return below
    found = np.asarray(adjacency).astype(bool)
    if found.shape != (p, p) or np.any(found & ~below):
        raise ValueError(
            f"`adjacency` must be ({p}, {p}) and true only below the diagonal, once a pair, as the "
            f"way back follows; got shape {found.shape} with {np.argwhere(found).tolist()}"
        )
    return found


def _modules_weights(modules: Sequence[Any], sizes: tuple[int, ...]) -> np.ndarray:
    found = [real_numbers(W, f"modules[{k}]").astype(float) for k, W in enumerate(modules)]
    shapes = [W.shape for W in found]
    if shapes != [(n, n) for n in sizes]:
        raise ValueError(f"`modules` must be square, of {sizes} units; got shapes {shapes}")
    return block_diag(*found)
