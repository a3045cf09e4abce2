r"""Networks of contracting networks, coupled so that the whole contracts.

Modules that contract in metrics P_i, with rates lambda_i, make an assembly
``tau dx/dt = -x + W phi(x) + L x + u`` that contracts in ``P = blockdiag(P_i)`` with the least of
the rates if their coupling is a negative feedback in the metrics (Kozachkov, Ennis and Slotine
2022):

.. math:: L = B - P^{-1} B^T P, \qquad P L + L^T P = 0,

B free below the diagonal blocks: ``L_ij = B_ij`` and ``L_ji = -P_j^{-1} B_ij^T P_i`` for i > j.
The coupling does no work in the metric, ``x^T P L x = 0``, however large it is. (The authors' code
holds the inverse of P.)

`combination_coupling` makes such couplings. `assembly_contraction` certifies given ones: negative
feedback, coupling that runs one way, of any size, and any coupling that is weak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import block_diag
from scipy.sparse.csgraph import breadth_first_order, connected_components

from neurodyn._arrays import checked_count, checked_number, real_numbers
from neurodyn._blas import one_blas_thread
from neurodyn.analyses.contraction import _metrics
from neurodyn.analyses.contraction.theorems import checked_jacobians

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

#: Relative size of differences of blocks that are rounding.
_SAME = 1e-9


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
    form: str = "voltage",
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
        Recurrent weights of each module, to check the whole.
    slope, tau, form
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
            W = block_diag(*_modules_weights(modules, sizes))
            J = checked_jacobians(W, slope, tau, form, n_checks, rng)
            whole = -float(_metrics.growth(J + L / tau, P, "2").max())
            uncoupled = -float(_metrics.growth(J, P, "2").max())
            n_checked, proof = len(J), len(J) == 2**N
    return CombinationCoupling(
        L, P, sizes, skewness, float(np.min(rates)), whole, uncoupled, n_checked, proof
    )


@dataclass(frozen=True, eq=False)
class AssemblyContraction:
    """Certificate of an assembly: how fast it contracts, whatever its modules are.

    Attributes
    ----------
    rate : float
        Rate, 1/s, that is certified for all modules which contract at their rates in their metrics.
        Positive if the assembly contracts; else nothing is proved, and it may contract or not.
    metric : array, (N, N)
        Block diagonal: those of the modules, times `scales`, of trace N.
    scales : array, (module,)
        Factors on the metrics of the modules, small for those downstream of one-way coupling.
    groups : array of int, (module,)
        Modules with the same number are joined by negative feedback.
    gains : array, (group, group)
        Coupling between groups at equal scales, spectral norm, 1/s; on the diagonal the negative
        rate of a group by itself.
    module_rate : float
        The least of the rates of the modules, 1/s: no coupling is certified for more.
    condition_number : float
        Of `metric`. Distances in the usual norm may first grow by its square root.
    whole_rate : float
        Worst rate in `metric` over the Jacobians of the whole that were checked, 1/s, not below
        `rate`; NaN without the weights of the modules.
    n_checked : int
    """

    rate: float
    metric: np.ndarray
    scales: np.ndarray
    groups: np.ndarray
    gains: np.ndarray
    module_rate: float
    condition_number: float
    whole_rate: float
    n_checked: int

    @property
    def contracts(self) -> bool:
        """Whether `rate` is positive."""
        return self.rate > 0


def assembly_contraction(
    L: Any,
    metrics: Sequence[Any],
    *,
    rates: Sequence[float] | None = None,
    modules: Sequence[Any] | None = None,
    slope: float = 1.0,
    tau: float = 1.0,
    form: str = "voltage",
    fraction: float = 0.9,
    n_checks: int = 256,
    rng: RNG = 0,
) -> AssemblyContraction:
    """Whether contracting modules with a given coupling make a contracting whole.

    Certified are negative feedback in metrics of the modules, ``s_i P_i L_ij = -(s_j P_j L_ji)^T``
    with any positive s; one-way coupling of any size, between modules or groups of them; and
    coupling whose gains are small against the rates. Mixtures of the three too.

    Parameters
    ----------
    L : array_like, (N, N)
        Coupling of the states ``[post, pre]``, in units of the leak.
    metrics : sequence of array_like or record
        Of each module, as for `combination_coupling`.
    rates : sequence of float, optional
        Of each module in its metric, 1/s, where `metrics` are no records that have them.
    modules : sequence of array_like, optional
        Recurrent weights of each module, to check the whole at Jacobians.
    slope, tau, form
        Of the modules, as in `contraction_conditions`; the coupling is divided by `tau`.
    fraction : float
        Between 0 and 1: how much of the possible rate is asked for where coupling runs one way. The
        nearer to 1, the less similar the scales. Default 0.9.
    n_checks, rng
        Random Jacobians for a check of more than 10 units.

    Returns
    -------
    AssemblyContraction

    Raises
    ------
    ValueError
        For a metric that is not positive definite, or modules whose rates are not known.

    Notes
    -----
    In coordinates in which the metrics are the identity the modules' Jacobians have symmetric parts
    of at most ``-lambda_i``, so that the rate is at least the least eigenvalue of
    ``diag(lambda_i) - sym(L)/tau``, whatever the slopes: a proof without corners, if the rates of
    the modules are proved. Scales within a
    group cancel its feedback. Between groups they are ``l/r`` of the Perron vectors of `gains`, a
    Metzler matrix, as in theorem 1 for single units: it is Hurwitz if no coupling runs round a loop
    of groups, or if what does is weak.

    Sources: Kozachkov, Ennis and Slotine (2022), section 3, for feedback; Slotine and Lohmiller
    (2001), *Neural Networks* 14, 137, for feedback and hierarchies; Russo, di Bernardo and Sontag
    (2013), *IEEE Transactions on Automatic Control* 58, 1328, for gains.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> one_way = analyses.assembly_contraction([[0, 0], [1e3, 0]], [[1.0], [1.0]], rates=[1, 1])
    >>> one_way.contracts, one_way.rate >= 0.9
    (True, True)
    >>> analyses.assembly_contraction([[0, 2], [2, 0]], [[1.0], [1.0]], rates=[1, 1]).rate
    -1.0
    """
    parts, known = _modules_metrics(metrics)
    rates = _checked_rates(rates, known)
    sizes = tuple(len(P) for P in parts)
    N, number = sum(sizes), np.repeat(np.arange(len(sizes)), sizes)
    L = real_numbers(L, "L").astype(float)
    if L.shape != (N, N):
        raise ValueError(f"`L` must be ({N}, {N}) for modules of {sizes} units; got {L.shape}")
    tau, fraction = checked_number(tau, "tau", 0.0), checked_number(fraction, "fraction", 0.0)
    if not tau > 0:
        raise ValueError(f"`tau` must be positive; got {tau!r}")
    if not 0 < fraction < 1:
        raise ValueError(f"`fraction` must be between 0 and 1; got {fraction!r}")
    n_checks = checked_count(n_checks, "n_checks")
    with one_blas_thread():
        # roots T of the metrics, P = T^T T
        T = block_diag(*[np.linalg.cholesky(P).T for P in parts])
        G = np.linalg.solve(T.T, (T @ L).T).T / tau
        log_scale, groups = _groups(G, number)
        gains = _gains(_scaled(G, log_scale[number]), groups[number], rates[number])
        top = _metrics.metzler_abscissa(gains)
        if top < 0:
            l, r = _metrics.perron_pair(gains, fraction * top)
            log_scale = log_scale + (np.log(l) - np.log(r))[groups]
        else:
            log_scale = log_scale - log_scale.mean()
        scaled = _scaled(G, log_scale[number])
        rate = float(np.linalg.eigvalsh(np.diag(rates[number]) - (scaled + scaled.T) / 2)[0])
        scales = np.exp(log_scale - np.log((np.exp(log_scale[number]) * np.concatenate(
            [np.diag(P) for P in parts])).sum() / N))  # fmt: skip
        whole, n_checked = float("nan"), 0
        if modules is not None:
            W = block_diag(*_modules_weights(modules, sizes))
            J = checked_jacobians(W, slope, tau, form, n_checks, rng)
            within = np.linalg.solve(T.T, np.swapaxes(T @ J, -1, -2))
            X = np.swapaxes(within, -1, -2) + scaled
            whole = -float(np.linalg.eigvalsh((X + np.swapaxes(X, -1, -2)) / 2)[..., -1].max())
            n_checked = len(J)
    values = [np.linalg.eigvalsh(s * P) for s, P in zip(scales, parts, strict=True)]
    condition = float(max(v[-1] for v in values) / min(v[0] for v in values))
    metric = block_diag(*[s * P for s, P in zip(scales, parts, strict=True)])
    return AssemblyContraction(
        rate, metric, scales, groups, gains, float(rates.min()), condition, whole, n_checked
    )


def _checked_rates(rates: Any, known: list[float]) -> np.ndarray:
    """Rates of the modules: given, or known from their records."""
    if rates is None:
        if np.isnan(known).any():
            missing = np.flatnonzero(np.isnan(known)).tolist()
            raise ValueError(
                f"`rates` is needed: those of the modules {missing} are not known. Give `metrics` "
                "as results of `contraction_conditions` or `contraction_rate`, which have them"
            )
        return np.array(known)
    found = real_numbers(rates, "rates").astype(float)
    if found.shape != (len(known),) or not (found > 0).all():
        raise ValueError(
            f"`rates` must be {len(known)} positive numbers, 1/s, one a module; got {rates!r}"
        )
    return found


def _scaled(G: np.ndarray, log_scale: np.ndarray) -> np.ndarray:
    """The coupling in metrics times ``exp(log_scale)``."""
    half = log_scale / 2
    # not a product of exponentials: what is 0 stays so where a ratio overflows
    return np.where(G != 0, G * np.exp(np.minimum(half[:, None] - half, 700.0)), 0.0)


def _groups(G: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of scales that cancel negative feedback, and the modules that it joins."""
    p = number[-1] + 1
    ratio = np.full((p, p), np.nan)  # log s_j - log s_i of a pair (i, j) that feeds back
    for i in range(p):
        for j in range(i):
            out, back = G[number == i][:, number == j], G[number == j][:, number == i].T
            size = np.linalg.norm(out)
            if size > 0 and np.vdot(out, back) < 0:
                k = -np.vdot(out, back) / size**2  # back = -k out
                if np.linalg.norm(back + k * out) <= _SAME * k * size:
                    ratio[i, j], ratio[j, i] = -np.log(k), np.log(k)
    log_scale = np.zeros(p)
    n_groups, groups = connected_components(~np.isnan(ratio), directed=False)
    for group in range(n_groups):
        order, before = breadth_first_order(
            ~np.isnan(ratio), np.flatnonzero(groups == group)[0], directed=False
        )
        for j in order[1:]:
            log_scale[j] = log_scale[before[j]] + ratio[before[j], j]
    return log_scale, groups


def _gains(G: np.ndarray, group: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Metzler matrix of the groups: norms between them, growth of each by itself."""
    n = group.max() + 1
    gains = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            block = G[group == a][:, group == b]
            if a == b:
                whole = (block + block.T) / 2 - np.diag(rates[group == a])
                gains[a, a] = np.linalg.eigvalsh(whole)[-1]
            else:
                gains[a, b] = np.linalg.norm(block, 2)
    return gains


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
        if getattr(given, "is_map", False):
            raise ValueError(f"`{name}` is the metric of a map; what combines are flows")
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


def _modules_weights(modules: Sequence[Any], sizes: tuple[int, ...]) -> list[np.ndarray]:
    found = [real_numbers(W, f"modules[{k}]").astype(float) for k, W in enumerate(modules)]
    shapes = [W.shape for W in found]
    if shapes != [(n, n) for n in sizes]:
        raise ValueError(f"`modules` must be square, of {sizes} units; got shapes {shapes}")
    return found
