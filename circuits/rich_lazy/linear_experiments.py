"""The two-layer linear network: theory beside simulation, over ranks and alignments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.circuits._sheet import labelled

from . import two_layer

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["alignment_with_task", "linear_theory"]

#: Rate of gradient descent on ``|W1^T W2^T - beta|^2`` with a teacher of norm 1, and sizes.
LEARNING_RATE, STEPS, INPUTS, HIDDEN = 0.02, 600, 10, 30
N_TEACHERS = {"fast": 4, "full": 20}
#: How W1 begins in `alignment_with_task`.
INITIAL = ("full rank", "rank 1, random", "rank 1, partly aligned", "rank 1, aligned")


def linear_theory(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    inputs: int = INPUTS,
    hidden: int = HIDDEN,
    ranks: tuple[int, ...] | None = None,
    sigmas: tuple[float, ...] | None = None,
    teachers: int | None = None,
    steps: int = STEPS,
) -> xr.Dataset:
    """Alignment of the tangent kernel before and after learning: closed form and simulation.

    Parameters
    ----------
    size : {"fast", "full"}
        5 teachers and one norm of the initial weights, or 20 teachers and two.
    rng : int
        Seed of teachers and initial weights.
    inputs, hidden : int
        Size of the layers.
    ranks : tuple of int
        Of W1, flat; default 1, 3 and the full rank. One more network has rank 1 aligned with its
        teacher.
    sigmas : tuple of float
        Norms of the initial weights; default 0.01, at full size 0.1 too.
    teachers : int
        Directions of the teacher, uniform over the sphere.
    steps : int
        Of gradient descent.

    Returns
    -------
    xarray.Dataset
        ``simulated`` and ``theory`` (sigma, initial, teacher), the ``error`` that was left of the
        task, and how far ``W1 W1^T - W2^T W2`` was conserved; ``mean_theory`` by rank.
    """
    import xarray as xr

    full = min(inputs, hidden)
    ranks = (1, 3, full) if ranks is None else ranks
    sigmas = ((0.01,) if size == "fast" else (0.01, 0.1)) if sigmas is None else sigmas
    n = checked_count(teachers or N_TEACHERS[size], "teachers")
    names = [*(f"rank {rank}" for rank in ranks), "aligned"]
    found = np.empty((4, len(sigmas), len(names), n))
    for k, seed in enumerate(np.random.SeedSequence(rng).spawn(n)):
        of_teacher, of_weights = seed.spawn(2)
        beta = np.random.default_rng(of_teacher).standard_normal(inputs)
        beta /= np.linalg.norm(beta)
        for i, sigma in enumerate(sigmas):
            for j, rank in enumerate([*ranks, None]):
                layers = (
                    two_layer.aligned_layers(beta, hidden, sigma, of_weights)
                    if rank is None
                    else two_layer.flat_layers(inputs, hidden, rank, sigma, of_weights)
                )
                found[:, i, j, k] = _learned(*layers, beta, steps)
    dims = ("sigma", "initial", "teacher")
    means = [two_layer.mean_final_alignment(inputs, rank) for rank in range(1, full + 1)]
    names_of = (
        "alignment of the kernels before and after, simulated",
        "alignment of the kernels before and after, closed form",
        "error of the task after learning",
        "largest change of W1 W1^T - W2^T W2 over the norm of W1 W1^T after learning",
    )
    variables = ("simulated", "theory", "error", "drift")
    return xr.Dataset(
        {
            name: labelled(dims, values, words)
            for name, values, words in zip(variables, found, names_of, strict=True)
        }
        | {"mean_theory": labelled("rank", means, "mean of the closed form over teachers")},
        {
            "sigma": list(sigmas),
            "initial": names,
            "teacher": np.arange(n),
            "rank": np.arange(1, full + 1),
        },
    )


def alignment_with_task(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    inputs: int = INPUTS,
    hidden: int = HIDDEN,
    condition_numbers: tuple[float, ...] | None = None,
    sigma: float = 0.01,
    teachers: int | None = None,
    steps: int = STEPS,
) -> xr.Dataset:
    """The exception: rank-one weights that are aligned with the task learn more lazily than any.

    The teacher is ``w . (F x)`` with w uniform over the sphere: half of the singular values of F
    are the condition number, and half are 1. Partly aligned weights know the stronger half of the
    features only.

    Parameters
    ----------
    size : {"fast", "full"}
        3 condition numbers and 3 teachers, or 5 and 20.
    rng : int
        Seed of teachers and initial weights.
    inputs : int
        Even.
    hidden : int
    condition_numbers : tuple of float
        At least 1.
    sigma : float
        Norm of the initial weights of each layer.
    teachers, steps
        As for `linear_theory`.

    Returns
    -------
    xarray.Dataset
        ``simulated``, ``theory`` and ``error`` (condition_number, initial, teacher), and their
        ``mean_theory`` (condition_number, initial) over 1000 teachers.
    """
    import xarray as xr

    kappas = (
        ((1.0, 2.0, 8.0) if size == "fast" else (1.0, 1.5, 2.0, 4.0, 8.0))
        if condition_numbers is None
        else condition_numbers
    )
    if inputs % 2:
        raise ValueError(f"`inputs` must be even, to be halved; got {inputs}")
    if min(kappas) < 1:
        raise ValueError(f"`condition_numbers` must be at least 1; got {min(kappas)}")
    n = checked_count(teachers or {"fast": 3, "full": 20}[size], "teachers")
    seeds = np.random.SeedSequence(rng).spawn(n)
    found = np.empty((4, len(kappas), len(INITIAL), n))
    for i, kappa in enumerate(kappas):
        for k, seed in enumerate(seeds):
            beta, layers = _problem(inputs, hidden, kappa, sigma, seed)
            for j, name in enumerate(INITIAL):
                found[:, i, j, k] = _learned(*layers[name], beta, steps)
    dims = ("condition_number", "initial", "teacher")
    return xr.Dataset(
        {
            "simulated": labelled(dims, found[0], "alignment of the kernels, simulated"),
            "theory": labelled(dims, found[1], "alignment of the kernels, closed form"),
            "error": labelled(dims, found[2], "error of the task after learning"),
            "mean_theory": labelled(
                dims[:2],
                _mean_theory(inputs, hidden, kappas, rng),
                "mean of the closed form over teachers",
            ),
        },
        {"condition_number": list(kappas), "initial": list(INITIAL), "teacher": np.arange(n)},
    )


def _learned(W1: np.ndarray, W2: np.ndarray, beta: np.ndarray, steps: int) -> tuple:
    """Alignment of the kernels simulated and by theory, error left, drift of what is conserved."""
    import neurodyn as nd
    from neurodyn import analyses

    teacher, d = two_layer.Teacher(beta), len(beta)
    net = two_layer.linear_network(W1, W2)
    # the curvature of the loss grows with the norms of the teacher and of the weights
    rate = LEARNING_RATE / (np.linalg.norm(beta) + np.sum(W1**2) + np.sum(W2**2))
    fit = nd.learning.train(
        net,
        teacher,
        nd.learning.SGD(rate),
        trainable=two_layer.WEIGHTS,
        steps=steps,
        batch=d,
        rng=0,
    )
    kernels = tuple(
        analyses.tangent_kernel(
            one,
            nd.Euler(dt=1.0),
            1.0,
            output="output.y",
            trainable=two_layer.WEIGHTS,
            inputs={"input.x": teacher.inputs},
        ).kernel
        for one in (net, fit.network)
    )
    alignment = analyses.learning_regime(net, fit.network, kernels=kernels).kernel_alignment
    V1, V2 = (one.weights.to_dense() for one in fit.network.couplings)
    error = np.sum((V2 @ V1 - beta) ** 2) / np.sum(beta**2)
    drift = np.abs(V1 @ V1.T - V2.T @ V2 - W1 @ W1.T + W2.T @ W2).max() / np.linalg.norm(V1 @ V1.T)
    return alignment, two_layer.final_alignment(W1, beta), error, drift


def _features(d: int, kappa: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The teacher's beta, and what of it is left with the rank-d/2 truncation of F."""
    import neurodyn as nd

    left, right = (nd.weights.orthogonal(d, rng=rng) for _ in range(2))
    w = rng.standard_normal(d)
    w /= np.linalg.norm(w)
    strong = kappa * (w @ left[:, : d // 2]) @ right[: d // 2]
    return strong + (w @ left[:, d // 2 :]) @ right[d // 2 :], strong


def _problem(d: int, h: int, kappa: float, sigma: float, seed: np.random.SeedSequence) -> tuple:
    """A teacher, and the two layers that begin in each way of `INITIAL`."""
    rng = np.random.default_rng(seed)
    beta, strong = _features(d, kappa, rng)
    full, random = (two_layer.flat_layers(d, h, rank, sigma, rng) for rank in (min(d, h), 1))
    aligned = [two_layer.aligned_layers(c, h, sigma, rng) for c in (strong, beta)]
    return beta, dict(zip(INITIAL, (full, random, *aligned), strict=True))


def _mean_theory(d: int, h: int, kappas: tuple, rng: int, n: int = 1000) -> np.ndarray:
    """Mean of the closed form over `n` teachers (condition_number, initial)."""
    seeds = np.random.SeedSequence(rng).spawn(n + 1)[-1].spawn(n)
    found = np.empty((len(kappas), len(INITIAL), n))
    for i, kappa in enumerate(kappas):
        for k, seed in enumerate(seeds):
            beta, layers = _problem(d, h, kappa, 1.0, seed)
            found[i, :, k] = [two_layer.final_alignment(layers[name][0], beta) for name in INITIAL]
    return found.mean(axis=-1)
