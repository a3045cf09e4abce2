"""Lyapunov exponents: how fast small differences grow, by the exact tangent of the steps taken.

Tangent vectors are carried along a run and made orthonormal again and again; the logarithms of
what they have grown by, over time, are the exponents (Benettin et al. 1980; for networks Engelken,
Wolf and Abbott 2023). The tangent is that of the steps taken, not of the flow, so the exponents are
those of the run: with Euler's method of a decaying unit log|1 - dt/tau|/dt rather than -1/tau.

A network's inputs and noise are the same for the state and for what is close to it: exponents of a
driven network are conditional ones, and those of a noisy one are of that realisation of the noise.

Networks that spike by threshold and reset go from event to event instead, and the tangent jumps at
each by the saltation rule (see `neurodyn.analyses.lyapunov._spiking_flow`).
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg.lapack import dgeqrf, dorgqr
from scipy.special import stdtrit

from neurodyn._arrays import checked_count
from neurodyn._blas import one_blas_thread
from neurodyn.analyses.lyapunov._tangent_flows import carrier
from neurodyn.analyses.lyapunov.measures import entropy_rate, kaplan_yorke_dimension
from neurodyn.flow import Flow, Map
from neurodyn.network import Network
from neurodyn.simulation.time_grid import count_steps
from neurodyn.solvers import Solver
from neurodyn.units import to_si

#: Growth of the fastest over that of the slowest vector, as a logarithm, between two
#: orthonormalisations: what is aimed at, and above which digits are lost.
_SPREAD, _TOO_WIDE = 6.0, 20.0
#: Numbers in a matrix whose factorisation does not profit from threads.
_SMALL = 1 << 17
#: Batches of a run from which standard errors are taken.
_BATCHES = 20
#: Chance at which a stationary run is taken for one that has not converged.
_FALSE_ALARM = 0.005


@dataclass(frozen=True)
class LyapunovSpectrum:
    """Leading Lyapunov exponents of a system, largest first.

    Attributes
    ----------
    exponents : ndarray, (k,)
        Mean over trials, per unit of time: 1/s for a network, 1/step for a map.
    standard_error : ndarray, (k,)
        From means over batches of the run and, with several trials, not less than their scatter
        says.
    per_trial : ndarray, (trial, k)
    local : ndarray, (trial, interval, k)
        Rates of growth from each orthonormalisation to the next.
    times : ndarray, (interval,)
        End of each interval, counted from the end of the transient.
    transient, duration : float
        Time that was left out, and time over which growth was taken.
    interval : float
        Time between orthonormalisations.
    n_states : int
    divergence : float
        Sum of all exponents where the whole spectrum is there, the mean rate at which volume grows;
        else NaN. It is NaN for spiking networks with delays, whose spikes on their way are states
        beside the `n_states`.
    converged : bool
        Whether both halves of the run agree within their standard errors.
    verdict : str
        The same in words, with numbers.
    """

    exponents: np.ndarray
    standard_error: np.ndarray
    per_trial: np.ndarray
    local: np.ndarray
    times: np.ndarray
    transient: float
    duration: float
    interval: float
    n_states: int
    divergence: float
    converged: bool
    verdict: str

    @property
    def running(self) -> np.ndarray:
        """Estimate of each exponent up to each of `times`, (interval, k), mean over trials."""
        count = np.arange(1, self.times.size + 1)[:, None]
        return np.cumsum(self.local.mean(axis=0), axis=0) / count

    @property
    def is_whole(self) -> bool:
        """Whether these are all exponents of the system."""
        return bool(np.isfinite(self.divergence))

    @property
    def kaplan_yorke_dimension(self) -> float:
        """See `kaplan_yorke_dimension`; NaN where more exponents are needed."""
        return kaplan_yorke_dimension(self.exponents)

    @property
    def entropy_rate(self) -> float:
        """Sum of the positive exponents; see `entropy_rate`."""
        return entropy_rate(self.exponents)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{x:.4g} ± {e:.1g}"
            for x, e in zip(self.exponents[:4], self.standard_error[:4], strict=True)
        )
        more = ", ..." if self.exponents.size > 4 else ""
        return f"<LyapunovSpectrum of {self.exponents.size}: {shown}{more}; {self.verdict}>"


def lyapunov_spectrum(
    system: Network | Flow | Map,
    solver: Solver | None = None,
    k: int | None = None,
    *,
    duration: Any,
    transient: Any = None,
    interval: Any = None,
    trials: int | None = None,
    inputs: Any = None,
    initial: Any = None,
    vectors: Any = None,
    rng: Any = None,
    dtype: str = "float64",
    threads: int | None = None,
) -> LyapunovSpectrum:
    """The k leading Lyapunov exponents, or all.

    Parameters
    ----------
    system : Network, Flow or Map
    solver : Solver
        Method with fixed steps: Euler, RK4, ExponentialEuler or Heun for a network; the first two
        or Heun for a flow; none for a map. Exponents are those of its steps. For a network that
        spikes RK4, which takes it from event to event.
    k : int, optional
        Number of exponents; default all.
    duration : float or quantity, s
        Over which growth is taken; in steps for a map.
    transient : float or quantity, s, optional
        Time before that, for the state to reach its attractor and, in its second half, for the
        vectors to align; default a fifth of `duration`.
    interval : float or quantity, s, optional
        Time between orthonormalisations. By default found in the transient: about as long as the
        fastest vector takes to grow e^6 times as much as the slowest.
    trials : int, optional
        Runs from different initial states (and noise, and inputs).
    inputs, initial, dtype, threads
        As for `simulate`; a network that spikes takes constant inputs, and `initial` of a flow or
        a map is (n_states,) or (trial, n_states), by default standard normal.
    vectors : array_like, (n_states, k), optional
        First tangent vectors, default random; what they are is forgotten in the transient.
    rng : int, SeedSequence, Generator or None
        Of initial states, noise, inputs, and first vectors.

    Returns
    -------
    LyapunovSpectrum

    Raises
    ------
    ValueError
        For systems that jump or have noise that is not frozen, and for spiking networks with
        refractory units, noise, Poisson input, plasticity, or anything but spikes between units,
        with what to do.
    ArithmeticError
        If the run diverges: there are no exponents then.

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> from neurodyn import analyses
    >>> logistic = nd.Map(lambda x: 4*x*(1 - x), 1)
    >>> spectrum = analyses.lyapunov_spectrum(logistic, duration=20_000, initial=[0.3])
    >>> round(float(spectrum.exponents[0]), 2), round(float(np.log(2)), 2)
    (0.69, 0.69)
    """
    plan = spectrum_plan(system, solver, k, duration, transient, interval)
    root = root_seed(rng)
    run = carrier(
        system, solver, plan.k, duration=(plan.n_transient + plan.n_steps) * plan.dt,
        trials=trials, inputs=inputs, initial=initial, rng=root, dtype=dtype, threads=threads,
    )  # fmt: skip
    first = checked_vectors(vectors, plan, root)
    with threads_of(plan):
        every = align_vectors(run, plan, first)
        local = _growth(run, plan.n_steps, every)
    return _result(local, plan, every, run)


def lyapunov_exponent(
    system: Network | Flow | Map,
    solver: Solver | None = None,
    *,
    duration: Any,
    **options: Any,
) -> LyapunovSpectrum:
    """The largest Lyapunov exponent: `lyapunov_spectrum` with one vector, the cheapest way.

    Parameters
    ----------
    system, solver, duration, **options
        As for `lyapunov_spectrum`.

    Returns
    -------
    LyapunovSpectrum
        Of one exponent.
    """
    return lyapunov_spectrum(system, solver, 1, duration=duration, **options)


# -- how it is done --------------------------------------------------------------------------------


@dataclass(frozen=True)
class LyapunovPlan:
    """What is to be done, in steps."""

    k: int
    n_states: int
    dt: float
    n_transient: int
    n_steps: int
    every: int | None


def spectrum_plan(system, solver, k, duration, transient, interval) -> LyapunovPlan:
    """The arguments of `lyapunov_spectrum`, checked."""
    n = getattr(system, "n_states", None)
    if not isinstance(system, (Network, Flow, Map)):
        raise TypeError(
            f"`system` must be a Network, a Flow or a Map; got {type(system).__name__}. "
            "For a weight matrix: nd.rate_network(W)"
        )
    k = n if k is None else checked_count(k, "k")
    if k > n:
        raise ValueError(f"`k` must be at most the number of states, {n}; got {k}")
    if not isinstance(system, Map) and not isinstance(solver, Solver):
        raise TypeError(f"`solver` must be a solver such as nd.RK4(dt=...); got {solver!r}")
    dt = 1.0 if isinstance(system, Map) else solver.dt
    n_steps = count_steps(duration, dt, "duration")
    if n_steps < 2:
        raise ValueError(f"`duration` must be several steps of {dt:g}; got {duration!r}")
    if transient is None:
        n_transient = n_steps // 5
    else:
        value, _ = to_si(transient, "transient")
        n_transient = count_steps(value, dt, "transient") if value else 0
    every = None if interval is None else count_steps(interval, dt, "interval")
    if every is not None and every > n_steps:
        raise ValueError(f"`interval` is longer than `duration`: {interval!r} > {duration!r}")
    return LyapunovPlan(k, n, dt, n_transient, n_steps, every)


def root_seed(rng) -> np.random.SeedSequence:
    """The root of all random numbers of an analysis."""
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence(int(rng.integers(2**63)))
    return np.random.SeedSequence(rng)


def threads_of(plan: LyapunovPlan) -> AbstractContextManager:
    """Hold BLAS to one thread around small matrices; large ones profit from several."""
    return one_blas_thread() if plan.n_states * plan.k <= _SMALL else nullcontext()


def checked_vectors(vectors, plan: LyapunovPlan, root: np.random.SeedSequence) -> np.ndarray:
    """The first tangent vectors, (n_states, k), random where none are given."""
    if vectors is None:
        return np.random.default_rng(root.spawn(1)[0]).normal(size=(plan.n_states, plan.k))
    vectors = np.asarray(vectors, float)
    if vectors.shape != (plan.n_states, plan.k):
        raise ValueError(
            f"`vectors` must be (n_states, k) = {(plan.n_states, plan.k)}; got {vectors.shape}"
        )
    if np.linalg.matrix_rank(vectors) < plan.k:
        raise ValueError(f"`vectors` must be {plan.k} linearly independent columns")
    return vectors


def align_vectors(run, plan: LyapunovPlan, vectors: np.ndarray) -> int:
    """Let the state settle and the vectors align; the steps between orthonormalisations."""
    run.tangents = np.repeat(orthonormalised(vectors[None])[0], run.n_trials, axis=0)
    run.advance(plan.n_transient // 2, tangents=False)
    _check_finite(run)
    every = plan.every or 1
    left = plan.n_transient - plan.n_transient // 2
    fastest = 0.0  # growth of the spread a step, the largest since the vectors began to align
    while left:
        n = min(every, left)
        run.advance(n)
        left -= n
        spread = _spread(_renewed(run))
        if plan.every is None and n == every:
            fastest = max(0.98 * fastest, spread / n)
            # not beyond a hundredth of the run, so that its parts can be compared
            longest = max(1, min(plan.n_steps // 100, 2 * every))
            every = int(np.clip(_SPREAD / max(fastest, 1e-9), 1, longest))
    return every


def _growth(run, n_steps: int, every: int) -> np.ndarray:
    """Logarithms of growth over the intervals, (interval, trial, k), divided by their time."""
    n_intervals = max(1, n_steps // every)
    logs = np.empty((n_intervals, run.n_trials, run.n_vectors))
    widest = 0.0
    for n in range(n_intervals):
        last = n == n_intervals - 1
        steps = n_steps - (n_intervals - 1) * every if last else every
        run.advance(steps)
        found = _renewed(run)
        widest = max(widest, _spread(found))
        logs[n] = found / (steps * run.dt)
    if widest > _TOO_WIDE:
        warnings.warn(
            f"between two orthonormalisations the fastest vector grew e^{widest:.0f} times as much "
            "as the slowest, so that the last exponents lose digits: give a shorter `interval`, "
            f"now {every * run.dt:g}",
            RuntimeWarning,
            stacklevel=3,
        )
    return logs


def _spread(logs: np.ndarray) -> float:
    return float(np.ptp(logs, axis=-1).max()) if logs.shape[-1] > 1 else float(np.abs(logs).max())


def _renewed(run) -> np.ndarray:
    """Make the tangents orthonormal; the logarithms of what they had grown by, (trial, k)."""
    grown = run.tangents
    vectors, logs = orthonormalised(grown)
    if not np.isfinite(logs).all():
        _check_finite(run)
        if np.isneginf(logs).any():  # a direction that a step maps to nothing
            raise ArithmeticError(
                "a tangent vector vanished: a step maps some direction to 0, and the exponent is "
                "minus infinity. Ask for fewer exponents (`k`)"
            )
        raise ArithmeticError("a tangent vector is not finite: give a shorter `interval`")
    run.tangents = vectors
    if hasattr(run, "recombine_pending"):  # spikes on their way are shifted by the vectors too
        run.recombine_pending(np.linalg.inv(np.swapaxes(vectors, 1, 2) @ grown))
    return logs


def orthonormalised(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal vectors ``(trial, n_states, k)`` of the same spaces, and log|R_ii| (trial, k)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if vectors.shape[-1] == 1:
            norm = np.linalg.norm(vectors, axis=1, keepdims=True)
            return vectors / norm, np.log(norm[:, 0])
        # LAPACK itself: numpy.linalg.qr takes half as long again for small matrices
        lwork = 64 * vectors.shape[-1]  # room for blocks, without which large ones take longer
        q, logs = np.empty_like(vectors), np.empty((len(vectors), vectors.shape[-1]))
        for trial, matrix in enumerate(vectors):
            factors, tau, _, _ = dgeqrf(matrix, lwork=lwork)
            logs[trial] = np.log(np.abs(np.diagonal(factors)))
            q[trial] = dorgqr(factors, tau, lwork=lwork, overwrite_a=True)[0]
        return q, logs


def _check_finite(run) -> None:
    state = run.state
    if not np.isfinite(state).all():
        trial = int(np.flatnonzero(~np.isfinite(state).all(axis=1))[0])
        raise ArithmeticError(
            f"the run diverges (trial {trial}), so it has no Lyapunov exponents: take a smaller "
            "dt, or look at the run with nd.simulate"
        )


def _result(logs: np.ndarray, plan: LyapunovPlan, every: int, run) -> LyapunovSpectrum:
    _check_finite(run)
    local = np.moveaxis(logs, 1, 0)
    n = local.shape[1]
    steps = np.full(n, every)
    steps[-1] = plan.n_steps - (n - 1) * every
    weights = steps / plan.n_steps
    per_trial = np.einsum("tnk,n->tk", local, weights)
    exponents = per_trial.mean(axis=0)
    order = np.argsort(-exponents, kind="stable")
    local, per_trial, exponents = local[..., order], per_trial[:, order], exponents[order]
    error = _standard_error(local, per_trial)
    whole = plan.k == plan.n_states and not getattr(run, "has_delays", False)
    converged, verdict = _verdict(local, exponents, error)
    return LyapunovSpectrum(
        exponents, error, per_trial, local, np.cumsum(steps) * plan.dt,
        plan.n_transient * plan.dt, plan.n_steps * plan.dt, every * plan.dt, plan.n_states,
        float(exponents.sum()) if whole else float("nan"), converged, verdict,
    )  # fmt: skip


def _batch_means(local: np.ndarray, n_batches: int) -> np.ndarray:
    """Means over consecutive parts of the run, (trial, batch, k)."""
    parts = np.array_split(local, n_batches, axis=1)
    return np.stack([part.mean(axis=1) for part in parts], axis=1)


def _standard_error(local: np.ndarray, per_trial: np.ndarray) -> np.ndarray:
    """Standard error of the mean over trials: of batches, or of trials where that is more."""
    n_trials, n = local.shape[:2]
    if n < 4:
        return np.full(local.shape[-1], np.nan)
    n_batches = min(_BATCHES, n // 2)
    batches = _batch_means(local, n_batches)
    error = batches.std(axis=1, ddof=1) / np.sqrt(n_batches)
    error = np.sqrt((error**2).sum(axis=0)) / n_trials
    if n_trials > 1:
        error = np.maximum(error, per_trial.std(axis=0, ddof=1) / np.sqrt(n_trials))
    return error


def _verdict(local, exponents, error) -> tuple[bool, str]:
    if np.isnan(error).any():
        return False, "not converged: too few intervals to tell"
    first, second = np.moveaxis(_batch_means(local, 2).mean(axis=0), 0, 0)
    batches = _batch_means(local, min(_BATCHES, local.shape[1] // 2)).mean(axis=0)
    # by differences of neighbours (von Neumann 1941), for a drift must not widen what is allowed
    spread = np.sqrt((np.diff(batches, axis=0) ** 2).mean(axis=0) / 2)
    level = stdtrit(len(batches) - 1, 1 - _FALSE_ALARM / (2 * exponents.size))
    allowed = 2 * level * spread / np.sqrt(len(batches)) + 1e-9 * np.abs(exponents).max()
    off = np.abs(second - first)
    worst = int(np.argmax(off - allowed))
    if off[worst] <= allowed[worst]:
        return True, "both halves of the run agree within standard errors"
    return False, (
        f"not converged: exponent {worst + 1} is {first[worst]:.4g} in the first half of the run "
        f"and {second[worst]:.4g} in the second"
    )
