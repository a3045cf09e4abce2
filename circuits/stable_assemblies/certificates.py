"""What proves contraction, checked: the conditions on a module, and the coupling of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn._blas import one_blas_thread
from neurodyn.circuits._sheet import labelled

from . import model

if TYPE_CHECKING:
    import xarray as xr


__all__ = ["combination", "conditions", "example", "largest_step"]

#: The conditions, in the order of the theorems.
CONDITIONS = ("absolute value", "symmetric", "product", "triangular", "singular value")
#: Norms of the coupling.
NORMS = (0.1, 1.0, 10.0, 100.0, 1000.0)
#: Step of the runs, s.
DT = 1e-3


def conditions(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    n_units: int = 6,
    n_matrices: int | None = None,
) -> xr.Dataset:
    """Each condition on random matrices that meet it, against all corners of the slopes.

    And what is not enough: a stable linearisation, and the identity as the metric of sparse
    modules.

    Parameters
    ----------
    size : {"fast", "full"}
        30 or 200 matrices for each condition.
    rng : int
        Seed of the matrices.
    n_units : int
        Units of a module, 2 to 10: all ``2**n_units`` corners are checked.
    n_matrices : int, optional
        Instead of the number that goes with `size`.

    Returns
    -------
    xarray.Dataset
        Measures are in units of 1/tau, negative where a module contracts.
    """
    import xarray as xr

    from neurodyn import analyses

    if not 2 <= n_units <= 10:
        raise ValueError(f"`n_units` must be 2 to 10, to check all corners; got {n_units}")
    n = (30 if size == "fast" else 200) if n_matrices is None else _positive(n_matrices)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(rng).spawn(7)]
    worst, certified, sampled = np.full((3, len(CONDITIONS), n), np.nan)
    for c, name in enumerate(CONDITIONS):
        for k in range(n):
            W = example(name, n_units, streams[c])
            (found,) = analyses.contraction_conditions(W, only=[name])
            if not found.holds:
                continue
            corners = analyses.slope_vertices(W)
            slopes = streams[c].random((200, n_units))
            between = W * slopes[:, None, :] - np.eye(n_units)
            worst[c, k] = -analyses.contraction_rate(corners, metric=found.metric).rate
            sampled[c, k] = -analyses.contraction_rate(between, metric=found.metric).rate
            certified[c, k] = -found.rate
    hidden = [_corner_abscissa(n_units, streams[5]) for _ in range(n)]
    metrics = [_module_measures(streams[6]) for _ in range(n)]
    dims = ("condition", "matrix")
    return xr.Dataset(
        {
            "worst": labelled(dims, worst, "worst measure over all corners", "1/tau"),
            "sampled": labelled(dims, sampled, "worst measure over random slopes", "1/tau"),
            "certified": labelled(dims, certified, "bound by the theorem", "1/tau"),
            "corner_abscissa": labelled(
                "matrix", hidden, "largest growth rate over all corners of the slopes", "1/tau"
            ),
            "module_measure": labelled(
                ("matrix", "metric"), metrics, "worst measure of |W| - I over eight modules",
                "1/tau",
            ),
        },
        {"condition": list(CONDITIONS), "metric": ["identity", "Perron"]},
    )  # fmt: skip


def example(condition: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """A random matrix (n, n) that meets a condition, far from where it would be trivial."""
    Q, V = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2))
    if condition == "absolute value":
        W = rng.normal(size=(n, n))
        np.fill_diagonal(W, 0)
        return rng.uniform(0.5, 0.95) * W / np.abs(np.linalg.eigvals(np.abs(W))).max()
    if condition == "symmetric":
        z = np.concatenate([rng.uniform(0, 0.9, n // 2), -rng.exponential(10, n - n // 2)])
        return (Q * z) @ Q.T
    if condition == "product":
        one, two = rng.uniform(0.2, 3, (2, n))
        return -one[:, None] * ((Q * rng.uniform(0.1, 5, n)) @ Q.T) * two
    if condition == "triangular":
        return np.tril(2 * rng.normal(size=(n, n)), -1) + np.diag(rng.uniform(-2, 0.7, n))
    if condition == "singular value":
        F = rng.uniform(0.1, 3, n)
        return (Q * rng.uniform(0, 0.9, n)) @ V.T * F / F[:, None]
    raise ValueError(f"`condition` must be one of {', '.join(CONDITIONS)}; got {condition!r}")


def _corner_abscissa(n: int, rng: np.random.Generator) -> float:
    """The largest growth rate at any corner, for W of gain 2 with ``W - I`` stable by 0.1."""
    from neurodyn import analyses

    W = 2 * rng.normal(size=(n, n)) / np.sqrt(n)
    W += (0.9 - np.linalg.eigvals(W).real.max()) * np.eye(n)
    return float(np.linalg.eigvals(analyses.slope_vertices(W)).real.max())


def _module_measures(rng: np.random.Generator) -> tuple[float, float]:
    """Worst measure of ``|W| - I`` over the modules of a network: identity, and own metric."""
    from neurodyn import analyses

    identity, own = [], []
    for W in model.sparse_weights(rng=rng):
        (found,) = analyses.contraction_conditions(W, only=["absolute value"], n_checks=1)
        bound = np.abs(W) - np.eye(len(W))
        identity.append(-analyses.contraction_rate(bound).rate)
        own.append(-analyses.contraction_rate(bound, metric=found.metric).rate)
    return max(identity), max(own)


# ------------------------------------------------------------------------- coupled modules


def combination(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    n_modules: int = 8,
    module_size: int = 16,
    norm: float = 5.0,
    duration: float = 1.5,
) -> xr.Dataset:
    """Sparse modules coupled in four ways: the rate in their metric, and what two copies do.

    Parameters
    ----------
    size : {"fast", "full"}
        64 or 256 random Jacobians of the whole; 50 or 200 starts for fixed points.
    rng : int
        Seed of modules, couplings, states and inputs.
    n_modules, module_size : int
    norm : float
        Spectral norm of the coupling in the runs.
    duration : float, s
        Of the runs, a multiple of 0.01 s.

    Returns
    -------
    xarray.Dataset
        Rates in units of 1/tau; distances in the metric of two copies with the same random input.
    """
    import xarray as xr

    if not 0 < norm < np.inf:
        raise ValueError(f"`norm` must be a positive number; got {norm!r}")
    n_steps = round(duration / DT)
    if n_steps < 100 or abs(duration - n_steps * DT) > 1e-9 or n_steps % 10:
        raise ValueError(f"`duration` must be a multiple of 0.01 s, 0.1 s at least; got {duration}")
    n_checks, n_starts = (64, 50) if size == "fast" else (256, 200)
    seeds = np.random.SeedSequence(rng).spawn(6)
    modules = model.sparse_modules(n_modules, module_size, rng=seeds[0])
    couplings = {kind: model.coupling_weights(modules, kind, norm=norm, rng=seeds[1])
                 for kind in model.COUPLINGS}  # fmt: skip
    with one_blas_thread():
        rates, steps = _rates_by_norm(modules, couplings, norm, n_checks, seeds[2])
    pairs = _Pairs(modules, n_steps, seeds[3])
    observed = {kind: pairs.distance(L) for kind, L in couplings.items()}
    stable = couplings["negative feedback"]
    mixture = pairs.distance(stable, mixed=True)
    settled, n_points = _one_response(modules, stable, n_starts, seeds[4])
    time = np.arange(n_steps // 10 + 1) * 10 * DT
    kinds = ("coupling", "norm")
    return xr.Dataset(
        {
            "certified_rate": labelled(kinds, rates[0], "rate that is proved", "1/tau"),
            "rate": labelled(kinds, rates[1], "worst rate over random slopes", "1/tau"),
            "own_metric_rate": labelled(
                kinds, rates[2], "worst rate in the metrics of the modules", "1/tau"
            ),
            "largest_step": labelled("norm", steps, "largest contracting step of Euler", "tau"),
            "distance": labelled(
                ("coupling", "time"), list(observed.values()), "distance in the metric"
            ),
            "mixed_distance": labelled("time", mixture, "distance, relu and tanh mixed"),
            "period_error": labelled((), settled, "largest |x(t + T) - x(t)| over largest |x|"),
            "n_fixed_points": labelled((), n_points, "fixed points found from random starts"),
        },
        {
            "coupling": list(model.COUPLINGS),
            "norm": list(NORMS),
            "time": ("time", time, {"units": "s", "long_name": "time"}),
        },
        {"module_rate": float(min(modules.rates)), "run_norm": norm, "n_starts": n_starts},
    )


def _rates_by_norm(
    modules: model.Modules,
    couplings: dict[str, np.ndarray],
    norm: float,
    n_checks: int,
    rng: np.random.SeedSequence,
) -> tuple[np.ndarray, list[float]]:
    """Rates (3, coupling, norm): proved, worst of all checked, and without scaling the metrics.

    And the largest step of Euler for negative feedback, by norm.
    """
    from neurodyn import analyses

    rates = np.empty((3, len(couplings), len(NORMS)))
    steps = []
    slopes = np.random.default_rng(rng).random((n_checks, len(modules.W))) < 0.5
    J = modules.W * slopes[:, None, :] - np.eye(len(modules.W))
    for c, (kind, one) in enumerate(couplings.items()):
        for k, size in enumerate(NORMS):
            L = one * (size / norm)
            found = analyses.assembly_contraction(
                L, modules.metrics, rates=modules.rates, modules=modules.weights,
                n_checks=n_checks, rng=rng,
            )  # fmt: skip
            rates[:2, c, k] = found.rate, found.whole_rate
            rates[2, c, k] = -_in_metric(J + L, modules.metric)[1].max()
            if kind == "negative feedback":
                steps.append(largest_step(J + L, modules.metric))
    return rates, steps


def _in_metric(J: np.ndarray, metric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Jacobians where the metric is the identity, and their measures."""
    T = np.linalg.cholesky(metric).T
    X = T @ J @ np.linalg.inv(T)
    return X, np.linalg.eigvalsh((X + np.swapaxes(X, -1, -2)) / 2)[..., -1]


def largest_step(J: np.ndarray, metric: np.ndarray) -> float:
    """The largest a for which all ``I + a J`` shrink the metric; 0 if the flow does not contract.

    ``|I + a X| < 1`` where ``X + X^T + a X^T X < 0``, that is, below the inverse of the largest
    generalised eigenvalue of ``X^T X`` and ``-(X + X^T)``.
    """
    from scipy.linalg import eigh

    X, measures = _in_metric(J[None] if J.ndim == 2 else J, metric)
    if measures.max() >= 0:
        return 0.0
    return float(min(1 / eigh(x.T @ x, -(x + x.T), eigvals_only=True)[-1] for x in X))


class _Pairs:
    """Two copies of an assembly with the same random input, from different states."""

    def __init__(self, modules: model.Modules, n_steps: int, rng: np.random.SeedSequence):
        generator = np.random.default_rng(rng)
        N = len(modules.W)
        self.modules, self.n_steps = modules, n_steps
        self.start = generator.normal(size=(2, N))
        # a new random input every 20 ms
        self.drive = np.repeat(generator.normal(size=(n_steps // 20 + 1, N)), 20, axis=0)[:n_steps]
        self.is_relu = generator.random(N) < 0.5

    def distance(self, L: np.ndarray, mixed: bool = False) -> np.ndarray:
        """In the metric, every 10 ms; the units' activations all relu, or relu and tanh mixed."""
        import neurodyn as nd

        given = {"activation": "m*relu(x) + (1 - m)*tanh(x)", "m": self.is_relu.astype(float)}
        net = model.assembly(self.modules, L, **(given if mixed else {}))
        run = nd.simulate(
            net, nd.RK4(DT), self.n_steps * DT, every=10 * DT, record=["modules.x"],
            inputs={"modules.I_in": self.drive}, initial={"modules.x": self.start}, rng=0,
        )  # fmt: skip
        last = run["modules.x.final"].values[:, None]
        x = np.concatenate([run["modules.x"].values, last], axis=1)
        d = x[0] - x[1]
        return np.sqrt(np.einsum("ti,ij,tj->t", d, self.modules.metric, d))


def _one_response(
    modules: model.Modules, L: np.ndarray, n_starts: int, rng: np.random.SeedSequence
) -> tuple[float, int]:
    """How far the response to a periodic input is from periodic, and the number of fixed points."""
    import neurodyn as nd
    from neurodyn import analyses

    generator = np.random.default_rng(rng)
    u, period = generator.normal(size=(2, len(L))), 0.2
    net = model.assembly(modules, L)
    t = np.arange(round(4.0 / DT)) * DT
    drive = np.cos(2 * np.pi * t / period)[:, None] * u[0] + u[1]
    run = nd.simulate(net, nd.RK4(DT), 4.0, every=10 * DT, record=["modules.x"], rng=0,
                      inputs={"modules.I_in": drive})  # fmt: skip
    x, lag = run["modules.x"].values[0], round(period / (10 * DT))
    late = x[-2 * lag :]
    error = np.abs(late[lag:] - late[:lag]).max() / np.abs(late).max()
    points = analyses.fixed_points(net, n_starts=n_starts, spread=5.0, rng=generator,
                                   inputs={"modules.I_in": u[1]})  # fmt: skip
    return float(error), len(points.x)


def _positive(n: int) -> int:
    from neurodyn._arrays import checked_count

    return checked_count(n, "n_matrices")
