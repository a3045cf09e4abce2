"""The follow-up (NeurIPS 2023): fast gains on top of synapses that slowly learn the frame.

If the contexts share structure, ``C_c = (I + V diag(l_c) V^T)^2`` with one V, the frame W = V makes
whitening exact with K = N interneurons instead of N (N + 1) / 2. The synapses find it:

    g <- g + eta_g (z^2 - |w_i|^2)               fast
    W <- W + eta_w (r n^T - W diag(g))           slow, Hebbian less a decay scaled by the gain
"""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled
from neurodyn.compile.cache import compiled

from . import frames, model
from .experiments import streams
from .kernels import learn_frame

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["frame_distance", "learned_frame_offline", "learned_frame_online", "photograph_contexts",
           "sparse_strengths", "transform_coding"]


# ------------------------------------------------------------------------------- the inputs

def sparse_strengths(n: int, N: int, rng: np.random.Generator) -> np.ndarray:
    """Strengths l_c (n, N) of the shared axes in each context: U(0, 4), each kept with chance 1/2.

    A context in which nothing was kept is drawn again.
    """
    kept = np.zeros((n, N), bool)
    while (empty := ~kept.any(axis=1)).any():
        kept[empty] = rng.random((empty.sum(), N)) < 0.5
    return np.where(kept, rng.uniform(0, 4, (n, N)), 0)


def roots_of(V: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """``C_c^1/2 = I + V diag(l_c) V^T`` (context, N, N)."""
    return np.eye(len(V)) + (V * strengths[:, None, :]) @ V.T


def pair_of_axes(rng: np.random.Generator) -> np.ndarray:
    """Two unit vectors (2, 2) at 40 to 80 degrees from each other, in any orientation."""
    turn, between = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(40, 80))
    angle = np.array([turn, turn + between])
    return np.stack([np.cos(angle), np.sin(angle)])


def first_frame(rng: np.random.Generator, apart: float = 2.0) -> np.ndarray:
    """Random frame (2, 2) whose columns are at least `apart` degrees from parallel.

    Two interneurons with the same weights would need infinite gains of opposite sign to start from;
    at 0.6 degrees a run (1 in 250) loses its steady state in the first context.
    """
    while abs(np.prod(W := frames.random(2, 2, rng), axis=1).sum()) > np.cos(np.deg2rad(apart)):
        pass
    return W


def frame_distance(V: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Frobenius distance (...,) of `W` (..., N, K) from `V` (N, K), up to columns' order and signs.

    Tries every order and sign (8 for K = 2), so only for a handful of columns.
    """
    K = V.shape[-1]
    candidates = [V[:, list(order)] * np.array(sign)
                  for order in permutations(range(K)) for sign in product((1, -1), repeat=K)]
    return np.min([np.linalg.norm(W - c, axis=(-2, -1)) for c in candidates], axis=0)


def _unit_columns(W: np.ndarray) -> np.ndarray:
    return W / np.linalg.norm(W, axis=-2, keepdims=True)


# --------------------------------------------------------------------------- two neurons

def learned_frame_online(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                         runs: int | None = None, contexts: int = 64, draws: int = 1024,
                         samples: int = 512, eta_g: float = 5e-2,
                         eta_w: float = 1e-4) -> xr.Dataset:
    """Two neurons and two interneurons learn the two axes that 64 contexts have in common.

    Online, one sample at a time.

    Parameters
    ----------
    size : {"fast", "full"}
        10 or 250 runs, each with its own axes, contexts and first frame.
    rng : int
        Root of the runs' random streams.
    runs : int, optional
        Instead of the number that goes with `size`.
    contexts : int
        Number of contexts.
    draws : int
        How often one of them is drawn.
    samples : int
        Inputs each time.
    eta_g : float
        Learning rate of the gains.
    eta_w : float
        Learning rate of the synapses.

    Returns
    -------
    xarray.Dataset
        Distance of the frame from the axes and whitening error over (run, draw).

    Raises
    ------
    ArithmeticError
        If the circuit of a run lost its steady state: the learning rates are too large.
    """
    import xarray as xr

    runs = runs or (10 if size == "fast" else 250)
    kernel = compiled(learn_frame)
    V, W_log = np.empty((runs, 2, 2)), np.empty((runs, draws, 2, 2))
    W_first, error = np.empty((runs, 2, 2)), np.empty((runs, draws))
    for i, stream in enumerate(streams(rng, runs)):
        V[i] = pair_of_axes(stream)
        roots = roots_of(V[i], sparse_strengths(contexts, 2, stream))
        W_first[i] = first_frame(stream)
        order = stream.integers(contexts, size=draws)
        g = np.median(model.optimal_gains(W_first[i], roots @ roots), axis=0)
        g_log = np.empty((draws, 2))
        lost = kernel(stream, roots, order, samples, eta_g, eta_w, 1.0, W_first[i].copy(), g,
                      W_log[i], g_log)
        if lost >= 0:
            raise ArithmeticError(
                f"run {i} lost its steady state in context draw {lost}; `eta_g` = {eta_g} or "
                f"`eta_w` = {eta_w} is too large.")
        C = (roots @ roots)[order]
        error[i] = model.operator_error(model.response_covariance(W_log[i], g_log, C))
    distance = np.stack([frame_distance(v, w) for v, w in zip(V, W_log)])
    return xr.Dataset({
        "V": labelled(("run", "neuron", "axis"), V, "axes that the contexts share"),
        "W_first": labelled(("run", "neuron", "interneuron"), W_first, "frame at the start"),
        "W": labelled(("run", "neuron", "interneuron"), W_log[:, -1], "frame at the end"),
        "W_course": labelled(("draw", "neuron", "interneuron"), W_log[0], "frame of the first run"),
        "distance_first": labelled(
            "run", [frame_distance(v, w) for v, w in zip(V, W_first)], "distance at the start"),
        "distance": labelled(("run", "draw"), distance, "distance of the frame from the axes"),
        "error": labelled(("run", "draw"), error, "operator norm of C_yy - I in the context"),
    }, {"draw": ("draw", np.arange(1, draws + 1), {"units": "1", "long_name": "context draws"})})


def learned_frame_offline(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                          runs: int | None = None, contexts: int = 64, draws: int = 512,
                          repeats: int = 8, eta_w: float = 1e-2) -> xr.Dataset:
    """The same contexts, with their covariances known and the gains in closed form: only W learns.

    Parameters
    ----------
    size : {"fast", "full"}
        10 or 50 runs.
    rng : int
        Root of the runs' random streams.
    runs : int, optional
        Instead of the number that goes with `size`.
    contexts : int
        Number of contexts.
    draws : int
        How often one of them is drawn.
    repeats : int
        Updates of W each time.
    eta_w : float
        Learning rate.

    Returns
    -------
    xarray.Dataset
        Distance of the frame from the axes and whitening error over (run, draw).
    """
    import xarray as xr

    runs = runs or (10 if size == "fast" else 50)
    rngs = streams(rng, runs)
    V = np.stack([pair_of_axes(r) for r in rngs])
    roots = np.stack([roots_of(v, sparse_strengths(contexts, 2, r)) for v, r in zip(V, rngs)])
    C = roots @ roots                                                     # (run, context, 2, 2)
    W = np.stack([first_frame(r) for r in rngs])
    order = np.stack([r.integers(contexts, size=draws) for r in rngs])
    W_first, every_run = W, np.arange(runs)
    distance, error = np.empty((runs, draws)), np.empty((runs, draws))
    for t in range(draws):
        C_now = C[every_run, order[:, t]]
        for _ in range(repeats):
            W, C_rr = _learn_step(W, C_now, eta_w)
        error[:, t] = model.operator_error(C_rr)
        distance[:, t] = [frame_distance(v, w) for v, w in zip(V, W)]
    return xr.Dataset({
        "V": labelled(("run", "neuron", "axis"), V, "axes that the contexts share"),
        "W_first": labelled(("run", "neuron", "interneuron"), W_first, "frame at the start"),
        "W": labelled(("run", "neuron", "interneuron"), W, "frame at the end"),
        "distance": labelled(("run", "draw"), distance, "distance of the frame from the axes"),
        "error": labelled(("run", "draw"), error, "operator norm of C_rr - I before the update"),
    }, {"draw": ("draw", np.arange(1, draws + 1), {"units": "1", "long_name": "context draws"})})


def _learn_step(W: np.ndarray, C: np.ndarray, eta_w: float) -> tuple[np.ndarray, np.ndarray]:
    """One update of W (..., N, K) with gains in closed form, and the C_rr (..., N, N) before it."""
    g = model.optimal_gains(W, C)
    C_rr = model.response_covariance(W, g, C)
    return _unit_columns(W + eta_w * (C_rr @ W - W) * g[..., None, :]), C_rr


# ---------------------------------------------------------------------- transform coding

def transform_coding(*, size: Literal["fast", "full"] = "fast", rng: int = 0, runs: int = 3,
                     N: int = 8, training: int = 64, test: int = 32, draws: int = 4000,
                     eta_w: float = 2e-2) -> xr.Dataset:
    """Contexts built on a cosine transform: the synapses learn the transform, the gains adapt.

    Gains in closed form, one update of W for each context drawn. Tested in contexts never seen:
    with the learned frame, with the learned frame and gains frozen at their average over the last
    100 draws, with the first frame, and without whitening.

    Parameters
    ----------
    size : {"fast", "full"}
        The same for both.
    rng : int
        Root of the runs' random streams.
    runs : int
        Repeats with contexts and first frame drawn anew.
    N : int
        Neurons, and interneurons.
    training : int
        Number of contexts to learn from.
    test : int
        Number of contexts never seen.
    draws : int
        Updates of W.
    eta_w : float
        Learning rate.

    Returns
    -------
    xarray.Dataset
        Error in the test contexts over (run, condition), frames, alignment.
    """
    import xarray as xr
    from scipy.fft import dct

    V = dct(np.eye(N), norm="ortho", axis=0).T               # columns: the cosines of DCT-II
    rngs = streams(rng, runs)
    strengths = np.stack([sparse_strengths(training + test, N, r) for r in rngs])
    roots = np.stack([roots_of(V, s) for s in strengths])
    C = roots @ roots
    # Orthogonal: a random frame of N columns whitens far less to begin with (errors of 9 to 15).
    W = W_first = np.stack([frames.orthogonal(N, r) for r in rngs])
    order = np.stack([r.integers(training, size=draws) for r in rngs])
    alignment, kept = np.empty((runs, draws)), np.zeros((runs, N))
    late = min(100, draws)
    for t in range(draws):
        C_now = C[np.arange(runs), order[:, t]]
        if t >= draws - late:
            kept += model.optimal_gains(W, C_now) / late
        W, _ = _learn_step(W, C_now, eta_w)
        alignment[:, t] = np.abs(np.swapaxes(W, -1, -2) @ V).max(axis=-1).min(axis=-1)
    unseen = C[:, training:]

    def error(frame: np.ndarray, g: np.ndarray | None = None) -> np.ndarray:
        frame = frame[:, None]
        g = model.optimal_gains(frame, unseen) if g is None else g[:, None]
        return model.operator_error(model.response_covariance(frame, g, unseen)).mean(axis=-1)

    errors = {"learned frame": error(W), "gains frozen": error(W, kept),
              "first frame": error(W_first), "unwhitened": error(W, np.zeros((runs, N)))}
    return xr.Dataset({
        "V": labelled(("neuron", "axis"), V, "cosine transform"),
        "W_first": labelled(("run", "neuron", "interneuron"), W_first, "frame at the start"),
        "W": labelled(("run", "neuron", "interneuron"), W, "frame at the end"),
        "alignment": labelled(("run", "draw"), alignment, "smallest |cos(w_i, nearest axis)|"),
        "test_error": labelled(("run", "condition"), np.stack(list(errors.values()), axis=-1),
                               "mean operator error in contexts never seen"),
    }, {"condition": list(errors), "draw": np.arange(1, draws + 1)})


# ------------------------------------------------------------------- contexts from photographs

def photograph_contexts(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                        images: tuple[str, ...] = ("china.jpg", "flower.jpg"), patch: int = 5,
                        contexts: int = 56, draws: int | None = None, repeats: int = 50,
                        eta_g: float = 0.5, eta_w: float = 5e-2) -> xr.Dataset:
    """Places in photographs as contexts: one learned frame of N interneurons serves new places.

    Stands in for the natural patches of the follow-up paper. Each context is a square of 64 pixels
    cut at random from one of the pictures, the covariance of all its patches, with photoreceptor
    noise added until its condition number is at most 20 (the authors kept pictures that had less
    than that by themselves) and its largest eigenvalue scaled to 10. A fifth of them is kept for
    the test. Gains and synapses both learn offline.

    Parameters
    ----------
    size : {"fast", "full"}
        200 or 1000 context draws.
    rng : int
        Of the places, the first frame and the order.
    images : tuple of str
        Files, or names of the bundled photographs.
    patch : int
        Rows and columns of a patch; N = K = patch^2.
    contexts : int
        Number of places.
    draws : int, optional
        Instead of the number that goes with `size`.
    repeats : int
        Updates in each context drawn.
    eta_g : float
        Learning rate of the gains.
    eta_w : float
        Learning rate of the synapses.

    Returns
    -------
    xarray.Dataset
        Error in training over draws, in test contexts over conditions, and the learned frame.
    """
    import xarray as xr

    draws = draws or (200 if size == "fast" else 1000)
    places, starts, stream = streams(rng, 3)
    C = place_covariances(images, patch, contexts, places)
    N = patch * patch
    W = W_first = frames.random(N, N, starts)
    training, unseen = C[:round(0.8 * contexts)], C[round(0.8 * contexts):]
    g = np.median(model.optimal_gains(W, training), axis=0)
    error, kept, late = np.empty(draws), np.zeros(N), min(100, draws)
    for t in range(draws):
        C_now = training[stream.integers(len(training))]
        for _ in range(repeats):
            C_rr = model.response_covariance(W, g, C_now)
            v = model.interneuron_variance(W, C_rr)
            W = _unit_columns(W + eta_w * (C_rr @ W - W) * g)
            g = g + eta_g * (v - 1)
        error[t] = model.operator_error(C_rr)
        kept += g / late if t >= draws - late else 0

    def settled(frame: np.ndarray) -> np.ndarray:
        run = model.adapt_offline(frame, unseen, 0.0, eta=0.1, steps=1000, every=1000)
        return model.response_covariance(frame, run.final, unseen)

    after = {"learned frame": settled(W), "first frame": settled(W_first),
             "gains frozen": model.response_covariance(W, kept, unseen), "unwhitened": unseen}
    return xr.Dataset({
        "W_first": labelled(("neuron", "interneuron"), W_first, "frame at the start"),
        "W": labelled(("neuron", "interneuron"), W, "frame at the end"),
        "error": labelled("draw", error, "operator norm of C_rr - I in the context"),
        "test_error": labelled(
            ("condition", "test_context"), [model.operator_error(c) for c in after.values()],
            "operator error in contexts never seen"),
    }, {"condition": list(after), "draw": np.arange(1, draws + 1)})


def place_covariances(images: tuple[str, ...], patch: int, n: int, rng: np.random.Generator,
                      side: int = 64, condition: float = 20.0, largest: float = 10.0) -> np.ndarray:
    """Covariances (n, patch^2, patch^2) of the patches in `n` random squares of the pictures."""
    from . import photographs as ph

    pictures = [ph.grey_picture(image) for image in images]
    for picture, image in zip(pictures, images):
        if min(picture.shape) < side:
            raise ValueError(f"`images`: {str(image)!r} has {picture.shape[0]} x "
                             f"{picture.shape[1]} pixels; at least {side} x {side} are needed.")
    C = []
    while len(C) < n:
        picture = pictures[rng.integers(len(pictures))]
        row, column = (rng.integers(s - side + 1) for s in picture.shape)
        square = picture[row:row + side, column:column + side]
        x = np.lib.stride_tricks.sliding_window_view(square, (patch, patch))
        covariance = np.cov(x.reshape(-1, patch * patch).T)
        value = np.linalg.eigvalsh(covariance)
        if value[-1] < 1e-6:                  # clear sky: nothing to see there
            continue
        noise = max(0.0, (value[-1] - condition * value[0]) / (condition - 1))
        C.append((covariance + noise * np.eye(patch * patch)) * largest / (value[-1] + noise))
    return np.array(C)
