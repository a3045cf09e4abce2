"""Experiments on generated inputs with known covariance (sections 3 and 4 of the paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import frames, model

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["frame_speed", "local_whitening", "non_negative_gains", "recruitment", "two_contexts"]

#: Error levels of the convergence tables.
THRESHOLDS = (1e-1, 1e-2, 1e-3, 1e-4)

#: The frame and the gains at the start of the two-context experiment.
TWO_CONTEXT_FRAME = frames.normalise([[0, 1, 1], [1, 1, 0]])
TWO_CONTEXT_START = np.array([0.01, 1.2, 0.25])


def streams(rng: int, n: int) -> list[np.random.Generator]:
    """One independent Generator for each of `n` runs; run i is the same whatever `n` is."""
    return [np.random.default_rng(seed) for seed in np.random.SeedSequence(rng).spawn(n)]


def two_context_covariances() -> np.ndarray:
    """``C_A`` and ``C_B`` (2, 2, 2): variances (20, 5) and (12, 8) on axes turned by 55 degrees."""
    angle = np.deg2rad(55)
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.stack([R @ np.diag(variances) @ R.T for variances in ((20, 5), (12, 8))])


def two_contexts(*, size: Literal["fast", "full"] = "fast", rng: int = 0, runs: int | None = None,
                 eta: float = 2e-3, steps: int = 10_000, every: int = 20) -> xr.Dataset:
    """Two inputs to a pair of neurons, one after the other: the gains settle, and settle again.

    Offline (known covariance) and online (one sample a step), from the same gains.

    Parameters
    ----------
    size : {"fast", "full"}
        5 or 20 online runs.
    rng : int
        Seed of the samples.
    runs : int, optional
        Online runs, instead of the number that goes with `size`.
    eta : float
        Learning rate.
    steps : int
        Gain updates in each context.
    every : int
        Keep every so many steps of the time courses; the statistics use all of them.

    Returns
    -------
    xarray.Dataset
        Time courses over `step` (both contexts in a row), summaries over `context`.
    """
    import xarray as xr

    W, C = TWO_CONTEXT_FRAME, two_context_covariances()
    runs = runs or (5 if size == "fast" else 20)
    rngs = streams(rng, runs)
    g, g_online = TWO_CONTEXT_START, TWO_CONTEXT_START
    offline, online = [], []
    for covariance in C:
        offline.append(model.adapt_offline(W, covariance, g, eta=eta, steps=steps))
        online.append(model.adapt_online(W, covariance, g_online, eta=eta, steps=steps, rngs=rngs))
        g, g_online = offline[-1].final, online[-1].final

    def course(results: list[model.Adaptation], field: str) -> np.ndarray:
        return np.concatenate([getattr(r, field)[::every] for r in results])

    late = max(steps // 10, 1)
    error = [model.operator_error(r.C_yy) for r in offline]
    error_online = [model.operator_error(r.C_yy) for r in online]
    g_star = model.optimal_gains(W, C)
    mean_gains = np.stack([r.gains[-late:].mean(axis=0) for r in online])        # (context, run, K)
    step = np.concatenate([i * steps + r.step[::every] for i, r in enumerate(offline)])
    return xr.Dataset({
        "C": labelled(("context", "neuron", "neuron_b"), C, "input covariance"),
        "W": labelled(("neuron", "interneuron"), W, "frame"),
        "gain_optimal": labelled(("context", "interneuron"), g_star, "gain in closed form"),
        "gain": labelled(("step", "interneuron"), course(offline, "gains"), "gain, offline"),
        "variance": labelled(("step", "interneuron"), course(offline, "variance"),
                             "interneuron variance, offline"),
        "C_yy": labelled(("step", "neuron", "neuron_b"), course(offline, "C_yy"),
                         "response covariance, offline"),
        "error": labelled("step", model.operator_error(course(offline, "C_yy")),
                          "operator norm of C_yy - I, offline"),
        "gain_online": labelled(("step", "run", "interneuron"), course(online, "gains"),
                                "gain, online"),
        "variance_online": labelled(("step", "run", "interneuron"), course(online, "variance"),
                                    "interneuron variance, online"),
        "error_online": labelled(("step", "run"), model.operator_error(course(online, "C_yy")),
                                 "operator norm of C_yy - I, online"),
        "initial_error": labelled("context", [e[0] for e in error], "error before the first step"),
        "final_error": labelled(
            "context", [model.operator_error(model.response_covariance(W, r.final, c))
                        for r, c in zip(offline, C)], "error after the last step, offline"),
        "steps_to_0.1": labelled(
            "context", [model.steps_until(r.step, e, 0.1) for r, e in zip(offline, error)],
            "steps until the error is below 0.1, offline"),
        "variances_settled": labelled(
            "context", [_settled(r.variance, 0.05) for r in offline],
            "steps after which all variances stay within 5 % of 1, offline"),
        "online_to_0.1": labelled(
            ("context", "run"),
            [model.steps_until(r.step, model.operator_error(r.C_yy, one_sided=True).T, 0.1)
             for r in online], "steps until the one-sided error is first below 0.1, online"),
        "late_error": labelled(("context", "run"), [e[-late:].mean(axis=0) for e in error_online],
                               f"mean error over the last {late} steps, online"),
        "late_gain": labelled(("context", "run", "interneuron"), mean_gains,
                              f"mean gain over the last {late} steps, online"),
    }, {"context": ["A", "B"], "step": step})


def _settled(values: np.ndarray, tolerance: float) -> int:
    """First step after which all of `values` (T, K) stay within `tolerance` of 1."""
    outside = np.flatnonzero(np.any(np.abs(values - 1) > tolerance, axis=-1))
    return int(outside[-1]) + 1 if outside.size else 0


def speed_inputs(N: int, seeds: range) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Covariances (R, N, N) and frames (R, N, K) of the speed comparison, one of each per seed.

    The order of the draws is part of the experiment: log-eigenvalues, eigenvectors, random frame,
    rotation of the equiangular frame.
    """
    equiangular = frames.mercedes() if N == 2 else frames.icosahedral()
    covariances, drawn = [], {"random": [], "optimised": [], "spectral": []}
    for seed in seeds:
        r = np.random.default_rng(seed)
        value = np.exp(0.1 * (np.linspace(-3, 3, N) + r.standard_normal(N)))
        V = frames.orthogonal(N, r)
        covariances.append((V * value) @ V.T)
        drawn["random"].append(frames.random(N, N * (N + 1) // 2, r))
        drawn["optimised"].append(frames.orthogonal(N, r) @ equiangular)
        drawn["spectral"].append(V)
    return np.array(covariances), {name: np.array(W) for name, W in drawn.items()}


def frame_speed(*, size: Literal["fast", "full"] = "fast", rng: int = 0, repeats: int | None = None,
                steps: int | None = None, eta: float = 1e-2) -> xr.Dataset:
    """How fast the gains converge with random, equiangular ("optimised") and spectral frames.

    Offline, for N = 2 and (full size) N = 3, from ``g = 0``.

    Parameters
    ----------
    size : {"fast", "full"}
        3000 steps with N = 2, or 20 000 steps with N = 2 and N = 3.
    rng : int
        Seed of the first repeat; the others follow.
    repeats : int, optional
        Covariances for each N; 100 for N = 2 and 50 for N = 3 unless given.
    steps : int, optional
        Gain updates, instead of the number that goes with `size`.
    eta : float
        Learning rate.

    Returns
    -------
    xarray.Dataset
        Steps to each threshold and predicted and measured late rates, over (N, frame, repeat).
    """
    import xarray as xr

    steps = steps or (3000 if size == "fast" else 20_000)
    dimensions = [2] if size == "fast" else [2, 3]
    n_max, names = repeats or 100, ["random", "optimised", "spectral"]
    keep = np.unique(np.geomspace(1, steps, 200).astype(int)) - 1
    shape = (len(dimensions), len(names), n_max)
    reached = np.full((2, *shape, len(THRESHOLDS)), np.nan)
    course = np.full((2, *shape, keep.size), np.nan)
    rate = np.full((2, *shape), np.nan)
    for i, N in enumerate(dimensions):
        n = min(n_max, 100 if N == 2 else 50)
        C, frame = speed_inputs(N, range(rng, rng + n))
        for j, name in enumerate(names):
            run = model.adapt_offline(frame[name], C, eta=eta, steps=steps)
            hessian = model.gain_hessian(frame[name], model.optimal_gains(frame[name], C), C)
            rate[0, i, j, :n] = -np.log1p(-eta * np.linalg.eigvalsh(hessian)[:, 0])
            for side in (0, 1):
                error = model.operator_error(run.C_yy, one_sided=bool(side)).T       # (n, steps)
                course[side, i, j, :n] = error[:, keep]
                for k, threshold in enumerate(THRESHOLDS):
                    reached[side, i, j, :n, k] = model.steps_until(run.step, error, threshold)
            start, end = np.where(np.isfinite(reached), reached, np.nan)[0, i, j, :n, 2:].T
            rate[1, i, j, :n] = np.log(10) / (end - start)
    dims = ("N", "frame", "repeat")
    return xr.Dataset({
        "error": labelled(("sided", *dims, "step"), course, "operator error of C_yy"),
        "steps": labelled(("sided", *dims, "threshold"), reached, "steps until below it"),
        "rate_predicted": labelled(dims, rate[0], "late decay of the error, from the Hessian",
                                   "1/step"),
        "rate": labelled(dims, rate[1], "decay of the error between 1e-3 and 1e-4", "1/step"),
    }, {"sided": ["two-sided", "one-sided"], "N": dimensions, "frame": names,
        "step": keep, "threshold": list(THRESHOLDS)})


def recruitment_inputs(seed: int, frame_seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Two 6-D covariances (2, 6, 6) with equal spectra, and two frames (6, 21).

    The draws of the authors' notebook, in its order; one rotation is drawn and never used.
    """
    r = np.random.default_rng(seed)
    V = frames.orthogonal(6, r)
    frames.orthogonal(6, r)
    value = np.exp(0.1 * (np.linspace(-3, 3, 6) + r.standard_normal(6)))
    C = np.stack([np.diag(value), (V * value) @ V.T])
    both = frames.normalise(np.hstack([np.eye(6), V, r.standard_normal((6, 9))]))
    return C, {"spectral": both, "random": frames.random(6, 21, frame_seed)}


def recruitment(*, size: Literal["fast", "full"] = "fast", rng: int = 0, others: int | None = None,
                eta: float = 1e-3, steps: int = 10_000, every: int = 10) -> xr.Dataset:
    """Switching between two 6-D inputs: each context recruits the interneurons that suit it.

    The spectral frame holds the eigenvectors of both contexts among its 21 columns; the random
    frame is as large, and knows neither. Contexts A, B, A, B, offline, from ``g = 0``.

    Parameters
    ----------
    size : {"fast", "full"}
        2 or 5 other seeds beside the authors'.
    rng : int
        Seed of the inputs; 0 is the authors' (their random frame is 42069, which stays).
    others : int, optional
        Further seeds (inputs and random frame drawn anew), instead of what goes with `size`.
    eta : float
        Learning rate.
    steps : int
        Gain updates in each phase.
    every : int
        Log every so many of them.

    Returns
    -------
    xarray.Dataset
        One-sided error and gains over (frame, phase, step); `repeat` 0 is the authors'.
    """
    import xarray as xr

    others = (2 if size == "fast" else 5) if others is None else others
    seeds = [(rng, 42069)] + [(rng + 1 + i, 1_000_000 + rng + i) for i in range(others)]
    drawn = [recruitment_inputs(*seed) for seed in seeds]
    names = ["spectral", "random"]
    C = np.stack([c for c, _ in drawn])                                   # (repeat, 2, 6, 6)
    W = np.stack([[w[name] for w in (f for _, f in drawn)] for name in names])
    g, error, gains = 0.0, [], []
    for which in (0, 1, 0, 1):
        run = model.adapt_offline(W, C[:, which], g, eta=eta, steps=steps, every=every)
        g = run.final
        error.append(np.moveaxis(model.operator_error(run.C_yy, one_sided=True), 0, -1))
        gains.append(np.moveaxis(run.gains[:, :, 0], 0, 1))
    error, gains = np.stack(error), np.stack(gains)
    dims = ("phase", "frame", "repeat")
    return xr.Dataset({
        "C": labelled(("context", "neuron", "neuron_b"), C[0], "input covariance, authors' draw"),
        "W": labelled(("frame", "neuron", "interneuron"), W[:, 0], "frame, authors' draw"),
        "error": labelled((*dims, "step"), error, "one-sided operator error of C_yy"),
        "gain": labelled(("phase", "frame", "step", "interneuron"), gains, "gain, authors' draw"),
        "gain_final": labelled(("frame", "interneuron"), g[:, 0], "gain after the last step"),
        "steps_to_0.1": labelled(dims, model.steps_until(run.step, error, 0.1),
                                 "steps until the one-sided error is below 0.1"),
        "end_error": labelled(dims, error[..., -1], "one-sided error at the end of the phase"),
    }, {"phase": ["A", "B", "A again", "B again"], "frame": names, "context": ["A", "B"],
        "step": run.step})


def non_negative_gains(*, size: Literal["fast", "full"] = "fast", rng: int = 42069,
                       steps: int = 5000, eta: tuple[float, ...] = (0.02, 0.1, 0.2)) -> xr.Dataset:
    """An input with next to no variance along one axis, with gains of either sign and without.

    To whiten it, the gains must amplify that axis tenfold (and any noise on it with it). Gains
    that cannot become negative equalise what is strong and leave the rest alone.

    Parameters
    ----------
    size : {"fast", "full"}
        The same for both.
    rng : int
        Seed of the input's axes; the authors' is the default.
    steps : int
        Gain updates.
    eta : tuple of float
        Learning rates; the first is the authors'.

    Returns
    -------
    xarray.Dataset
        Gains, errors and spectra over (constraint, eta, step).
    """
    import xarray as xr

    V, W = frames.orthogonal(2, rng), frames.mercedes()
    C = (V * np.array([6, 0.01])) @ V.T
    names = ["signed", "non-negative"]
    runs = [[model.adapt_offline(W, C, eta=e, steps=steps, non_negative=bool(i)) for e in eta]
            for i in range(2)]
    gains = np.array([[r.gains for r in row] for row in runs])
    final = np.array([[r.final for r in row] for row in runs])
    C_yy = np.array([[r.C_yy for r in row] for row in runs])
    C_final, M = model.response_covariance(W, final, C), model.response_matrix(W, final)
    course, last = ("constraint", "eta", "step"), ("constraint", "eta")
    spectral = np.stack([model.spectral_error(C_yy[0]), model.spectral_error(C_yy[1], True)])
    return xr.Dataset({
        "C": labelled(("neuron", "neuron_b"), C, "input covariance"),
        "W": labelled(("neuron", "interneuron"), W, "frame"),
        "gain": labelled((*course, "interneuron"), gains, "gain"),
        "gain_final": labelled((*last, "interneuron"), final, "gain after the last step"),
        "gain_optimal": labelled("interneuron", model.optimal_gains(W, C), "gain in closed form"),
        "error": labelled(course, spectral, "spectral error (one-sided where non-negative)"),
        "operator_error": labelled(course, model.operator_error(C_yy), "operator norm of C_yy - I"),
        "C_yy": labelled((*last, "neuron", "neuron_b"), C_final, "response covariance at the end"),
        "variance": labelled((*last, "interneuron"), model.interneuron_variance(W, C_final),
                             "interneuron variance at the end"),
        "response_eigenvalue": labelled((*last, "mode"), np.linalg.eigvalsh(C_final),
                                        "eigenvalues of C_yy at the end"),
        "M_eigenvalue": labelled((*last, "mode"), np.linalg.eigvalsh(M),
                                 "eigenvalues of M at the end"),
    }, {"constraint": names, "eta": list(eta), "step": np.arange(steps)})


def local_whitening(*, size: Literal["fast", "full"] = "fast", rng: int = 0, patch: int = 6,
                    reach: tuple[int, ...] = (2, 3), eta: float = 0.05,
                    steps: int = 4000, every: int = 100) -> xr.Dataset:
    """Interneurons that see one pixel or two neighbours whiten locally, and far pairs improve too.

    The input stands for an image patch: ``C_ab = 4 exp(-d_ab / 2)``, d in pixels. Offline, from
    ``g = 1``.

    Parameters
    ----------
    size : {"fast", "full"}
        The same for both.
    rng : int
        Not used, nothing is drawn.
    patch : int
        Rows and columns of the patch.
    reach : tuple of int
        Neighbourhoods to compare, see `frames.neighbours`.
    eta : float
        Learning rate.
    steps : int
        Gain updates.
    every : int
        Log every so many of them.

    Returns
    -------
    xarray.Dataset
        Errors and correlations inside and outside the neighbourhood over (reach, step).
    """
    import xarray as xr

    from . import photographs as ph

    shape = (patch, patch)
    C = 4 * np.exp(-ph.pixel_distance(shape) / 2)
    rows: dict[str, list] = {name: [] for name in (
        "inside_error", "inside", "outside", "before_inside", "before_outside", "after", "spread",
        "n_interneurons")}
    for h in reach:
        W = frames.local(shape, h)
        near, far = ph.neighbour_masks(shape, frames.neighbours(shape, h))
        run = model.adapt_offline(W, C, 1.0, eta=eta, steps=steps + 1, every=every)
        r, r_before = np.abs(ph.correlation(run.C_yy)), np.abs(ph.correlation(C))
        rows["inside_error"].append(np.abs(run.C_yy - np.eye(patch**2))[:, near].max(axis=-1))
        rows["inside"].append(r[:, near].mean(axis=-1))
        rows["outside"].append(r[:, far].mean(axis=-1))
        rows["before_inside"].append(r_before[near].mean())
        rows["before_outside"].append(r_before[far].mean())
        distance, mean, spread = ph.correlation_by_distance(run.C_yy[-1], shape)
        rows["after"].append(mean)
        rows["spread"].append(spread)
        rows["n_interneurons"].append(W.shape[1])
    before = ph.correlation_by_distance(C, shape)[1]
    return xr.Dataset({
        "inside_error": labelled(("reach", "step"), rows["inside_error"],
                                 "largest |(C_yy - I)_ab| of neighbours"),
        "inside": labelled(("reach", "step"), rows["inside"], "mean |correlation| of neighbours"),
        "outside": labelled(("reach", "step"), rows["outside"], "mean |correlation| of the others"),
        "before_inside": labelled("reach", rows["before_inside"],
                                  "mean |correlation| of neighbours in the input"),
        "before_outside": labelled("reach", rows["before_outside"],
                                   "mean |correlation| of the others in the input"),
        "before": labelled("distance", before, "mean correlation in the input"),
        "after": labelled(("reach", "distance"), rows["after"], "mean correlation, responses"),
        "spread": labelled(("reach", "distance"), rows["spread"],
                           "sd over pairs of the correlation of the responses"),
        "n_interneurons": labelled("reach", rows["n_interneurons"], "number of interneurons"),
    }, {"reach": ("reach", list(reach), {"units": "pixel", "long_name": "neighbourhood (h = w)"}),
        "step": run.step,
        "distance": ("distance", distance, {"units": "pixel", "long_name": "distance of pixels"})})
