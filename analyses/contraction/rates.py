r"""Whether all trajectories of a system approach one another: `contraction_rate`.

A flow contracts in a metric M with the rate lambda if its Jacobian J fulfils

.. math:: M J(x) + J(x)^T M \preceq -2 \lambda M

at every x (Lohmiller and Slotine 1998). The distance of any two trajectories, in the metric, then
shrinks at least as ``exp(-lambda t)``, whatever the input, as long as both have the same. That is
far more than stability at a fixed point: transients cannot grow, and there is one response only.

Jacobians of a network are known at the states that one looks at, so a rate from them is a sampled
one. It is a proof where the Jacobians are known to lie in the convex hull of some: a matrix measure
is convex, so the rate of the corners holds for all between them. `slope_vertices` has the corners
of a rate network, and `contraction_conditions` has conditions on its weights alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov
from scipy.optimize import minimize
from scipy.special import softmax

from neurodyn._arrays import checked_count, real_numbers
from neurodyn._blas import one_blas_thread
from neurodyn.analyses._starts import find_starts
from neurodyn.analyses._systems import System, as_system
from neurodyn.analyses.contraction import _metrics
from neurodyn.analyses.contraction._moving_metrics import in_moving_metric
from neurodyn.solvers import Euler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neurodyn._arrays import RNG
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network

#: Residuals above this part of their terms are more than rounding.
_TRUSTED = 1e-7
#: Sharpness of the smooth maximum in the stages of the search, in inverse spreads.
_SHARPNESS = (10.0, 100.0, 1000.0, 10000.0)


@dataclass(frozen=True, eq=False)
class ContractionRate:
    """How fast distances shrink in a metric, with the check of it.

    Attributes
    ----------
    rate : float
        lambda, 1/s (1/step for a map): the negative of the largest of `measures`. Positive where
        the system contracts.
    norm : str
    metric : array
        ``(state, state)`` for the 2-norm; for the others the weights of the states, ``(state,)``;
        ``(sample, state, state)`` for one that depends on the state.
    residual : float
        Largest eigenvalue of ``M J + J^T M + dM/dt + 2 rate M`` over all Jacobians (for a map of
        ``J^T M J - exp(-2 rate) M``): 0 to rounding. For the other norms see
        `neurodyn.analyses.contraction._metrics.residual`.
    measures : array, (sample,)
        Matrix measure of each Jacobian, 1/s; for a map the logarithm of its norm.
    limit : float
        No constant metric gives a larger rate: the smallest decay rate of the eigenvalues of the
        Jacobians. NaN for a metric that depends on the state.
    condition_number : float
        Of the metric. Distances in the usual norm may first grow by its square root.
    n_samples : int
    is_proof : bool
        Whether the rate holds for all that `holds_for` says, not at the samples only.
    holds_for : str
        ``"all x"``, ``"the convex hull of the Jacobians"`` or ``"the samples"``.
    is_map : bool
    search : tuple of (str, float)
        Rates of the metrics that `contraction_metric` went through; empty without a search.
    """

    rate: float
    norm: str
    metric: np.ndarray
    residual: float
    measures: np.ndarray
    limit: float
    condition_number: float
    n_samples: int
    is_proof: bool
    holds_for: str
    is_map: bool
    search: tuple[tuple[str, float], ...] = ()

    @property
    def contracts(self) -> bool:
        """Whether the rate is positive."""
        return self.rate > 0


def contraction_rate(
    system: Network | Flow | Map | Any,
    samples: Any = None,
    *,
    norm: str = "2",
    metric: Any = None,
    inputs: Mapping[str, Any] | None = None,
    solver: Euler | None = None,
    n_samples: int | None = None,
    spread: Any = 1.0,
    rng: RNG = None,
) -> ContractionRate:
    """Rate at which a system contracts in a given metric.

    Parameters
    ----------
    system : Network, Flow, Map, or array
        An array ``(state, state)`` is the matrix of a linear flow; one ``(k, state, state)`` are
        Jacobians, in 1/s, between which all others of the flow lie. For both the result is a proof.
    samples : array_like (sample, state), or Dataset, optional
        States at which the Jacobian is taken, or a recording of all states. Default: drawn.
    norm : {"2", "1", "inf"}
    metric : array_like or callable, optional
        Positive definite ``(state, state)``, or its diagonal ``(state,)``; for the norms 1 and inf
        the positive weights of the states. Default the identity. A function ``metric(x)`` of one
        state gives a metric that depends on the state (2-norm only), whose change along the flow
        then counts too.
    inputs : dict of str to array_like, optional
        Constant inputs of a network.
    solver : Euler, optional
        Contraction of the solver's steps rather than of the flow, rate in 1/s: a flow may contract
        while steps of Euler do not.
    n_samples : int, optional
        Samples that are drawn, default 256.
    spread : float, array_like or dict
        Their standard deviation around 0, for a network around its initial state. Default 1.
    rng : int, SeedSequence, Generator or None

    Returns
    -------
    ContractionRate

    Raises
    ------
    ValueError
        For a metric that is not positive definite, a network that spikes or depends on time, a
        wrong shape.

    Notes
    -----
    Matrix measures: Soderlind (2006), *BIT Numerical Mathematics* 46. Noise is left out: two
    trajectories with the same additive noise approach one another all the same.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> A = [[-1.0, 4.0], [0.0, -1.0]]
    >>> analyses.contraction_rate(A).rate, analyses.contraction_rate(A, metric=[1, 64]).rate
    (-1.0, 0.75)
    """
    task = _Task.of(system, samples, inputs, solver, n_samples, spread, rng)
    norm = _metrics.checked_norm(norm)
    with one_blas_thread():
        if callable(metric):
            return task.record_moving(metric, norm)
        return task.record(_metrics.checked_metric(metric, task.n, norm), norm)


def contraction_metric(
    system: Network | Flow | Map | Any,
    samples: Any = None,
    *,
    kind: str = "general",
    norm: str = "2",
    inputs: Mapping[str, Any] | None = None,
    solver: Euler | None = None,
    n_samples: int | None = None,
    spread: Any = 1.0,
    max_iter: int = 200,
    rng: RNG = None,
) -> ContractionRate:
    """A constant metric in which a system contracts fast, or as slowly diverges as can be.

    Parameters
    ----------
    system, samples, inputs, solver, n_samples, spread, rng
        As for `contraction_rate`.
    kind : {"general", "diagonal"}
        The general search begins at the best of the identity, the diagonal metric and the solution
        of Lyapunov's equation at the sample that is least stable and at the mean Jacobian.
    norm : {"2", "1", "inf"}
        The norms 1 and inf take diagonal weights only: those of Perron's vectors, which are the
        best for Jacobians without negative entries off the diagonal.
    max_iter : int
        Steps of L-BFGS in each of four stages. Default 200; 0 leaves the metric as it began.

    Returns
    -------
    ContractionRate
        Its metric scaled to trace n; ``search`` has the rates on the way. ``contracts`` is False
        where no metric was found: that is no proof that there is none unless ``limit`` is negative.

    Notes
    -----
    The diagonal metric begins at ``diag(l/r)``, l and r positive vectors of the Metzler majorant of
    all Jacobians (Kozachkov, Ennis and Slotine 2022, theorem 1, with a shift towards the abscissa).
    The worst rate over the samples is then raised with a smooth maximum of all eigenvalues, sharper
    from stage to stage; it is quasiconvex in M, so a good search ends near the best. The metric is
    fitted to the samples: test it on others, by `contraction_rate` with ``metric=``.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> found = analyses.contraction_metric([[-1.0, 4.0], [-4.0, -1.0]])
    >>> round(found.rate, 6), found.is_proof
    (1.0, True)
    """
    task = _Task.of(system, samples, inputs, solver, n_samples, spread, rng)
    norm = _metrics.checked_norm(norm)
    if kind not in ("general", "diagonal"):
        raise ValueError(f'`kind` must be "general" or "diagonal"; got {kind!r}')
    max_iter = checked_count(max_iter, "max_iter", 0)
    with one_blas_thread():
        l, r = _perron(task)
        if norm != "2":
            best = _Best(task, norm)
            best.offer("Perron vector", l if norm == "1" else 1 / r)
            return best.record()
        best = _Best(task, norm)
        best.offer("Perron vectors", np.diag(l / r))
        _refine(best, max_iter, diagonal=True)
        if kind == "general":
            for name, start in _lyapunov_starts(task):
                best.offer(name, start)
            _refine(best, max_iter, diagonal=False)
        return best.record()


# ------------------------------------------------------------------------------------ the task


@dataclass
class _Task:
    """Jacobians, and what they stand for."""

    J: np.ndarray  # (sample, n, n)
    step: float | None  # of a map
    is_map: bool
    holds_for: str
    system: System | None = None
    x: np.ndarray | None = None  # (sample, n), where the Jacobians are taken

    @classmethod
    def of(cls, source, samples, inputs, solver, n_samples, spread, rng) -> _Task:
        """Checked arguments."""
        if solver is not None and not isinstance(solver, Euler):
            raise TypeError(
                f"`solver` must be nd.Euler(dt=...), whose step is x + dt F(x); got {solver!r}"
            )
        if _is_array(source):
            if samples is not None or inputs:
                raise ValueError(
                    "`samples` and `inputs` belong to a Network, Flow or Map; the system is an "
                    "array of Jacobians"
                )
            J, holds_for = _given(source)
            is_map, system, x = False, None, None
        else:
            system = as_system(source, inputs)
            _check_has_jacobian(system)
            x = _states(system, samples, n_samples, spread, rng)
            J, is_map, holds_for = system.jacobian(x), system.is_map, "the samples"
            if not np.isfinite(J).all():
                bad = int(np.flatnonzero(~np.isfinite(J).all(axis=(1, 2)))[0])
                raise ValueError(f"`samples`: the Jacobian is not finite at sample {bad}: {x[bad]}")
        if solver is None:
            return cls(J, 1.0 if is_map else None, is_map, holds_for, system, x)
        if is_map:
            raise ValueError("`solver` makes a map of a flow, and this is a Map")
        dt = float(solver.dt)
        return cls(np.eye(J.shape[-1]) + dt * J, dt, True, holds_for, system, x)

    @property
    def n(self) -> int:
        return self.J.shape[-1]

    def rate(self, metric: np.ndarray, norm: str = "2") -> float:
        return -float(_metrics.growth(self.J, metric, norm, self.step).max())

    def limit(self) -> float:
        if self.step is None:
            return -_metrics.abscissa(self.J)
        with np.errstate(divide="ignore"):
            return -float(np.log(np.abs(np.linalg.eigvals(self.J)).max()) / self.step)

    def record(self, metric: np.ndarray, norm: str) -> ContractionRate:
        """The rate in a metric that has been checked."""
        measures = _metrics.growth(self.J, metric, norm, self.step)
        rate = -float(measures.max())
        residual = _metrics.residual(self.J, metric, norm, rate, self.step)
        if residual > _TRUSTED * _metrics.residual_scale(self.J, metric, rate):
            raise ValueError(
                f"`metric` is too ill-conditioned: the contraction inequality is violated by "
                f"{residual:.3g} at its own rate {rate:.3g}"
            )
        condition = float(np.linalg.cond(np.diag(metric) if metric.ndim == 1 else metric))
        return ContractionRate(
            rate, norm, metric, residual, measures, self.limit(), condition, len(self.J),
            self.holds_for != "the samples", self.holds_for, self.is_map,
        )  # fmt: skip

    def record_moving(self, metric: Any, norm: str) -> ContractionRate:
        """The rate in a metric that is a function of the state."""
        if norm != "2" or self.system is None:
            raise ValueError(
                '`metric` as a function needs norm="2" and a Network, Flow or Map, whose states '
                "it is a function of"
            )
        found = in_moving_metric(self.system, self.x, self.J, metric, self.step)
        conditions = np.linalg.cond(found.metrics)
        return ContractionRate(
            -float(found.measures.max()), norm, found.metrics, found.residual, found.measures,
            float("nan"), float(conditions.max()), len(self.J), False, self.holds_for, self.is_map,
        )  # fmt: skip


def _is_array(source: Any) -> bool:
    """Whether it is a matrix or several: an array, a list, a sparse matrix, a weights object."""
    ways = ("to_dense", "toarray", "__array__")
    return isinstance(source, (list, tuple)) or any(hasattr(source, way) for way in ways)


def _given(source: Any) -> tuple[np.ndarray, str]:
    """Jacobians from an array."""
    for way in ("to_dense", "toarray"):
        source = getattr(source, way)() if hasattr(source, way) else source
    J = real_numbers(source, "system").astype(float)
    if J.ndim not in (2, 3) or J.shape[-1] != J.shape[-2] or not J.size:
        raise ValueError(
            "`system` as an array must be (state, state), or (k, state, state) for k Jacobians; "
            f"got shape {J.shape}"
        )
    if J.ndim == 2 or len(J) == 1:
        return J.reshape(1, *J.shape[-2:]), "all x"
    return J, "the convex hull of the Jacobians"


def _check_has_jacobian(system: System) -> None:
    """Refuse systems whose Jacobian does not say whether they contract."""
    system.check_field_tells_all(
        "the Jacobian",
        ", and resets move trajectories apart. Analyse the rates: a rate network "
        "(`nd.rate_network`); the exponents of spiking networks are those of "
        "`analyses.lyapunov_spectrum`",
        ", and the Jacobian is known at time 0 only",
    )


def _states(system: System, samples, n_samples, spread, rng) -> np.ndarray:
    """States to take the Jacobian at, (sample, state)."""
    if samples is None or hasattr(samples, "data_vars"):
        n_samples = None if n_samples is None else checked_count(n_samples, "n_samples")
        every = np.arange(system.n_states)
        return find_starts(system, samples, n_samples, spread, rng, every)
    if n_samples is not None:
        raise ValueError("`n_samples` is for samples that are drawn; all of `samples` are used")
    return np.atleast_2d(system.state(samples, "samples")).reshape(-1, system.n_states)


# ---------------------------------------------------------------------------------- the search


class _Best:
    """The best metric so far, and how it was come to."""

    def __init__(self, task: _Task, norm: str):
        self.task, self.norm = task, norm
        one = np.ones(task.n)
        self.metric = one if norm != "2" else np.diag(one)
        self.rate = task.rate(self.metric, norm)
        self.search = [("identity", self.rate)]

    def offer(self, name: str, metric: np.ndarray) -> None:
        """Take a metric if it is one and is better."""
        if not np.isfinite(metric).all():
            return
        try:
            metric = _metrics.checked_metric(_metrics.normalised(metric), self.task.n, self.norm)
            rate = self.task.rate(metric, self.norm)
        except (ValueError, np.linalg.LinAlgError):  # singular to rounding
            return
        self.search.append((name, rate))
        if rate > self.rate:
            self.metric, self.rate = metric, rate

    def record(self) -> ContractionRate:
        record = self.task.record(_metrics.normalised(self.metric), self.norm)
        return replace(record, search=tuple(self.search))


def _perron(task: _Task) -> tuple[np.ndarray, np.ndarray]:
    """Positive vectors of the least matrix above the majorants of all Jacobians."""
    majorant = (_metrics.metzler(task.J) if task.step is None else np.abs(task.J)).max(axis=0)
    top = _metrics.metzler_abscissa(majorant)
    # near the abscissa they are Perron's vectors; reducible matrices need the distance
    distance = 1e-3 * max(np.abs(majorant).max(), 1e-300)
    return _metrics.perron_pair(majorant, top + distance)


def _lyapunov_starts(task: _Task):
    """Metrics in which one Jacobian shrinks nearly as fast as its eigenvalues allow."""
    values = np.linalg.eigvals(task.J)
    worst = np.argmax((values.real if task.step is None else np.abs(values)).max(axis=1))
    one = np.eye(task.n)
    for name, J in (("least stable", task.J[worst]), ("mean", task.J.mean(axis=0))):
        size = max(np.abs(J).max(), 1e-300)
        for slack in (1e-3, 0.1):
            if task.step is None:
                shifted = J - (_metrics.abscissa(J) + slack * size) * one
                M = solve_continuous_lyapunov(shifted.T, -one)
            else:
                radius = np.abs(np.linalg.eigvals(J)).max() + slack * size
                M = solve_discrete_lyapunov((J / radius).T, one)
            yield f"Lyapunov equation, {name}", (M + M.T) / 2


def _refine(best: _Best, max_iter: int, diagonal: bool) -> None:
    """Raise the worst rate by L-BFGS on a smooth maximum, sharper and sharper."""
    if not max_iter or best.task.n == 1:
        return
    name = "refined diagonal" if diagonal else "refined"
    n = best.task.n
    for sharpness in _SHARPNESS:
        T = np.linalg.cholesky(best.metric).T
        start = np.log(np.diag(T)) if diagonal else T.ravel()
        growth = _spread_of_growth(best)
        found = minimize(
            _smooth_growth, start, args=(best.task, sharpness / growth, diagonal), jac=True,
            method="L-BFGS-B", options={"maxiter": max_iter},
        ).x  # fmt: skip
        T = np.diag(np.exp(found)) if diagonal else found.reshape(n, n)
        best.offer(name, T.T @ T)


def _spread_of_growth(best: _Best) -> float:
    """Size of what the smooth maximum is taken of."""
    X = _metrics.in_metric(best.task.J, best.metric)
    return max(float(np.linalg.norm(X, axis=(-2, -1)).max()) / np.sqrt(X.shape[-1]), 1e-300)


def _smooth_growth(
    parameters: np.ndarray, task: _Task, sharpness: float, diagonal: bool
) -> tuple[float, np.ndarray]:
    """Smooth maximum of the growth over samples and directions, and its gradient.

    With ``X = T J T^-1`` and ``dT = omega T``, ``dX = omega X - X omega``: an eigenvalue of the
    symmetric part with eigenvector v (a singular value with vectors u, v) changes by
    ``v^T dX v`` (``u^T dX v``).
    """
    n = task.n
    T = np.diag(np.exp(parameters)) if diagonal else parameters.reshape(n, n)
    try:
        inverse = np.linalg.inv(T)
        X = T @ task.J @ inverse
        if task.step is None:
            values, right = np.linalg.eigh((X + np.swapaxes(X, -1, -2)) / 2)
            left = right
        else:
            left, values, right = np.linalg.svd(X)
            right = np.swapaxes(right, -1, -2)
    except np.linalg.LinAlgError:
        return np.inf, np.zeros_like(parameters)
    weight = softmax(sharpness * values)
    top = values.max()
    value = top + np.log(np.exp(sharpness * (values - top)).sum()) / sharpness
    G = (right * weight[:, None, :]) @ np.swapaxes(left, -1, -2)
    C = (X @ G - G @ X).sum(axis=0)
    gradient = np.diag(C) if diagonal else (C.T @ inverse.T).ravel()
    return float(value), np.array(gradient)
