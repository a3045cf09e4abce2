"""Experiments on photographs: the rule with known covariance; the circuit, patch by patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import frames, model
from . import photographs as ph
from .experiments import streams

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["image_patches", "photographs"]

#: Mean variance of a pixel if the scale of the grey levels is left to `photographs`. The sheet's
#: factor of 16 gives 8.3 and 10.4 in its contexts on the bundled photographs.
INPUT_VARIANCE = 9.0

#: Patches of each walk of `photographs`.
WALK = 20_000

#: The context of each phase of `photographs`.
PHASES = [0, 1, 0]


def image_patches(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                  image: str = "china.jpg", patch: int = 8, reach: int = 3, n: int = 20_000,
                  eta: float = 2e-2, steps: int = 4000, every: int = 100) -> xr.Dataset:
    """Local whitening of the patches that a random walk over a photograph shows, offline.

    Parameters
    ----------
    size : {"fast", "full"}
        The same for both.
    rng : int
        Seed of the walk.
    image : str
        A file, or the name of a bundled photograph.
    patch : int
        Rows and columns of a patch.
    reach : int
        Pixels less than this many rows and columns apart are neighbours.
    n : int
        Patches of the walk.
    eta : float
        Learning rate.
    steps : int
        Gain updates.
    every : int
        Log every so many of them.

    Returns
    -------
    xarray.Dataset
        Correlations inside and outside the neighbourhood over `step`, and over distance: of the
        input, whitened locally, and whitened globally (``M = C^-1/2``).
    """
    import xarray as xr

    _check_patches(patch, reach, n)
    shape = (patch, patch)
    C = ph.context(ph.grey_picture(image), patch, n=n, rng=rng).covariance
    W = frames.local(shape, reach)
    near, far = ph.neighbour_masks(shape, frames.neighbours(shape, reach))
    run = model.adapt_offline(W, C, 1.0, eta=eta, steps=steps + 1, every=every)
    r, r_input = np.abs(ph.correlation(run.C_yy)), np.abs(ph.correlation(C))
    distance, before, before_sd = ph.correlation_by_distance(C, shape)
    _, after, after_sd = ph.correlation_by_distance(run.C_yy[-1], shape)
    return xr.Dataset({
        "inside": labelled("step", r[:, near].mean(axis=-1), "mean |correlation| of neighbours"),
        "outside": labelled("step", r[:, far].mean(axis=-1), "mean |correlation| of the others"),
        "input_inside": labelled((), r_input[near].mean(), "the same of neighbours, in the input"),
        "input_outside": labelled((), r_input[far].mean(), "the same of the others, in the input"),
        "before": labelled("distance", before, "mean correlation in the input"),
        "before_sd": labelled("distance", before_sd, "sd over pairs, in the input"),
        "after": labelled("distance", after, "mean correlation of the responses"),
        "after_sd": labelled("distance", after_sd, "sd over pairs, of the responses"),
        "M_largest": labelled((), np.linalg.eigvalsh(model.response_matrix(W, run.gains[-1]))[-1],
                              "largest amplification"),
    }, {"step": run.step, "distance": ("distance", distance, {
        "units": "pixel", "long_name": "distance of pixels"})},
        {"reach": reach, "interneurons": W.shape[1]})


def photographs(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                image: str = "china.jpg", second_image: str = "flower.jpg",
                patch: int | None = None, reach: int | None = None, patches: int | None = None,
                presentation: float = 0.2, eta: float = 5e-3, tau_y: float = 10e-3,
                walk: float = 0.6, noise: float = 0.1, scale: float | None = None,
                progress: bool = True) -> xr.Dataset:
    """The circuit looks at one photograph, at another, and at the first again.

    Patches come one after the other, each held for `presentation`, while the gains change all the
    time. Beside it, the rule with known covariance (offline) in both contexts.

    Parameters
    ----------
    size : {"fast", "full"}
        Patches of 6 x 6 pixels with a 3 x 3 neighbourhood (146 interneurons), 4500 in each phase;
        or of 8 x 8 with 5 x 5 (610 interneurons), 10 000 in each phase.
    rng : int
        Root of the random streams: walks over the pictures, order of the patches.
    image : str
        First context: a file in any format that pillow reads, or the name of a photograph that
        comes with scikit-learn, ``"china.jpg"`` or ``"flower.jpg"``.
    second_image : str
        Second context, likewise.
    patch : int, optional
        Rows and columns of a patch, instead of what goes with `size`.
    reach : int, optional
        Pixels less than this many rows and columns apart are neighbours, instead of `size`.
    patches : int, optional
        Patches shown in each phase, instead of `size`.
    presentation : float, s
        How long each patch is shown; the responses need many `tau_y` to settle.
    eta : float
        Learning rate of one presentation; the gains' time constant is ``presentation / eta``.
    tau_y : float, s
        Time constant of the primary neurons.
    walk : float, pixel
        Standard deviation of a step of the walks, of 20 000 patches each.
    noise : float
        Variance of the photoreceptors' noise, drawn anew for each patch, as a fraction of the
        pixels' variance. Photographs have next to no fine structure; without noise the circuit
        would have to amplify it many times, and settle that much slower than a presentation lasts.
    scale : float, optional
        Factor on the grey levels of both pictures. By default such that the pixels have variance 9
        on average: where the input is weaker than the variance of 1 that the gains enforce, they
        must amplify.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        Gains and errors over `time`; covariances, correlations and example patches before and
        after, over `phase` (circuit) and `context` (offline).

    Raises
    ------
    FileNotFoundError, ValueError
        If a picture is missing, unreadable, too small for the patch or constant.

    Notes
    -----
    The patches of each walk are shown in random order: neighbouring positions of the walk look much
    alike, and gains as fast as these would follow the last dozens of patches, not the context.

    The interneurons see the responses settle, and set the average over the whole presentation to 1.
    A response that settles with the rate a then ends with a variance of about
    ``1 + 1 / (a presentation)``: a few per cent, 10 % in the slowest directions.
    """
    import xarray as xr

    patch = patch or (6 if size == "fast" else 8)
    reach = reach or (2 if size == "fast" else 3)
    patches = patches or (4500 if size == "fast" else 10_000)
    _check_patches(patch, reach, patches)
    if not noise >= 0:
        raise ValueError(f"`noise` is a variance and cannot be negative; got {noise}.")
    shape, W = (patch, patch), frames.local((patch, patch), reach)
    order, speckle, *walks = streams(rng, 4)
    pictures = [ph.grey_picture(image), ph.grey_picture(second_image)]
    contexts = _inputs([ph.context(p, patch, n=WALK, walk=walk, scale=scale or 1.0, rng=r)
                        for p, r in zip(pictures, walks)], scale, noise, speckle)
    shown = [contexts[i].patches[order.permutation(WALK)[:patches]] for i in PHASES]
    C = np.stack([c.covariance for c in contexts])
    offline = np.stack([
        model.adapt_offline(W, c, 1.0, eta=2e-2, steps=4000, every=4000).final for c in C])
    gains, responses, provenance = look(
        W, np.concatenate(shown), presentation=presentation, eta=eta, tau_y=tau_y,
        input_root=float(np.sqrt(np.linalg.eigvalsh(C).max())), progress=progress)
    gains, responses = (a.reshape(3, patches, -1) for a in (gains, responses))

    settled = slice(patches * 2 // 3, None)
    covariances = {                         # of phase or context, before and after whitening
        "input": C[PHASES],
        "circuit": np.stack([np.cov(y.T) for y in responses[:, settled]]),
        "offline": model.response_covariance(W, offline, C)[PHASES],
    }
    variables = _gain_courses(W, C, gains, offline, shape, reach, every=max(patches // 400, 1))
    variables |= _correlations(covariances, shape, reach)
    variables |= _examples(pictures, contexts, W, gains[:, settled].mean(axis=1), order)
    coords = {
        "time": ("time", presentation * variables.pop("presentations"),
                 {"units": "s", "long_name": "time"}),
        "distance": ("distance", variables.pop("distance"),
                     {"units": "pixel", "long_name": "distance of pixels"}),
        "phase": ["A", "B", "A again"], "stage": list(covariances)}
    return xr.Dataset(variables, coords, {
        "image": str(image), "second_image": str(second_image), "patch": patch, "reach": reach,
        "presentation": presentation, "patches": patches, "eta": eta, "simulation": provenance})


def _check_patches(patch: int, reach: int, patches: int) -> None:
    if patch < 2 or reach < 2:
        raise ValueError(f"`patch` and `reach` must be at least 2, for pixels to have neighbours; "
                         f"got {patch} and {reach}.")
    if not 10 <= patches <= WALK:
        raise ValueError(f"`patches` must be from 10 to {WALK}, the length of a walk; "
                         f"got {patches}.")


def _inputs(contexts: list[ph.Context], scale: float | None, noise: float,
            rng: np.random.Generator) -> list[ph.Context]:
    """What the circuit gets: contexts of the usual variance, unless `scale` is given, and noise."""
    variance = np.mean([np.var(c.patches) for c in contexts])
    factor = 1.0 if scale is not None else np.sqrt(INPUT_VARIANCE / variance)
    noise_variance = noise * variance * factor**2
    inputs = []
    for c in contexts:
        x = factor * c.patches + np.sqrt(noise_variance) * rng.standard_normal(c.patches.shape)
        C = factor**2 * c.covariance + noise_variance * np.eye(len(c.covariance))
        inputs.append(c._replace(patches=x, covariance=C))
    return inputs


def look(W: np.ndarray, x: np.ndarray, *, presentation: float, eta: float, tau_y: float,
         input_root: float,
         progress: bool) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Show the circuit one input after the other.

    Parameters
    ----------
    W : ndarray (N, K)
        Frame; the gains start at 1.
    x : ndarray (n, N)
        Inputs, each held for `presentation` seconds.
    presentation, tau_y : float, s
        See `photographs`.
    eta : float
        See `photographs`.
    input_root : float
        Largest eigenvalue of ``C^1/2`` that will be met: what ``leak I + W diag(g) W^T`` must grow
        to, and so how stiff the circuit becomes.
    progress : bool
        Show a bar.

    Returns
    -------
    gains : ndarray (n, K)
    responses : ndarray (n, N)
        At the end of each presentation.
    provenance : dict
        What `simulate` tells of the run: network text, solver, versions.
    """
    import neurodyn as nd

    net = model.network(W, g=1.0, tau_y=tau_y, tau_g=presentation / eta)
    # A's largest eigenvalue, now and later: Euler is stable while dt < 2 tau_y / (that).
    fastest = max(input_root, 1 + np.linalg.norm(W, 2) ** 2)
    n_steps = int(np.ceil(1.1 * fastest * presentation / tau_y))
    try:
        ds = nd.simulate(
            net, nd.Euler(dt=presentation / n_steps), duration=len(x) * presentation,
            inputs={"primary.x": nd.signals.ArraySignal(x, dt=presentation)},
            record=["primary.y", "interneuron.g"], every=presentation, progress=progress)
    except nd.SimulationDiverged as error:
        error.add_note("Here that means that gains fell below what the leak can hold, because the "
                       "input is weak in some direction. Try a larger `noise` or a smaller `eta`.")
        raise

    def at_the_ends(name: str) -> np.ndarray:     # samples are the beginnings of presentations
        return np.concatenate([ds[name].values[0, 1:], ds[f"{name}.final"].values])

    return at_the_ends("interneuron.g"), at_the_ends("primary.y"), dict(ds.attrs)


def _gain_courses(W: np.ndarray, C: np.ndarray, gains: np.ndarray, offline: np.ndarray,
                  shape: tuple[int, int], reach: int, every: int) -> dict[str, Any]:
    """Gains (phase, n, K) and what they do to the covariance of the current context."""
    near, _ = ph.neighbour_masks(shape, frames.neighbours(shape, reach))
    controlled = near | np.eye(len(near), dtype=bool)         # what the frame can set: C_yy there
    kept = gains[:, every - 1::every]
    C_yy = model.response_covariance(W, kept, C[PHASES][:, None])

    def error(C_yy: np.ndarray) -> np.ndarray:
        return np.sqrt(np.mean(np.square(C_yy - np.eye(len(near)))[..., controlled], axis=-1))

    def inside(C_yy: np.ndarray) -> np.ndarray:
        return np.abs(ph.correlation(C_yy))[..., near].mean(axis=-1)

    start = model.response_covariance(W, np.ones(W.shape[1]), C)
    kinds = np.where(np.count_nonzero(W, axis=0) == 1, "pixel", "pair")
    return {
        # Entry k of a phase follows presentation (k + 1) * every of that phase.
        "presentations": np.add.outer(gains.shape[1] * np.arange(len(gains)),
                                      every * np.arange(1, kept.shape[1] + 1)).ravel(),
        "gain": labelled(("time", "interneuron"), kept.reshape(-1, W.shape[1]), "gain"),
        "gain_offline": labelled(("context", "interneuron"), offline, "gain, offline rule"),
        "variance": labelled(
            ("time", "interneuron"),
            model.interneuron_variance(W, C_yy).reshape(-1, W.shape[1]),
            "interneuron variance under the covariance of the context"),
        "kind": labelled("interneuron", kinds, "what the interneuron sees"),
        "error": labelled("time", error(C_yy).ravel(),
                          "rms deviation of C_yy from I, pixels and neighbours"),
        "inside": labelled("time", inside(C_yy).ravel(), "mean |correlation| of neighbours"),
        "error_start": labelled("context", error(start), "error of the gains at the start"),
        "error_input": labelled("context", error(C), "error of the input itself"),
        "inside_input": labelled("context", inside(C), "mean |correlation| of neighbours, input"),
    }


def _correlations(covariances: dict[str, np.ndarray], shape: tuple[int, int],
                  reach: int) -> dict[str, Any]:
    """Covariances by stage and phase, and their correlations by distance of the pixels."""
    near, far = ph.neighbour_masks(shape, frames.neighbours(shape, reach))
    stacked = np.stack(list(covariances.values()))                       # (stage, phase, N, N)
    by_distance = [[ph.correlation_by_distance(c, shape) for c in row] for row in stacked]
    r, dims = np.abs(ph.correlation(stacked)), ("stage", "phase")
    return {
        "distance": by_distance[0][0][0],
        "covariance": labelled((*dims, "pixel", "pixel_b"), stacked, "covariance"),
        "correlation": labelled((*dims, "distance"), [[b[1] for b in row] for row in by_distance],
                                "mean correlation"),
        "correlation_sd": labelled((*dims, "distance"),
                                   [[b[2] for b in row] for row in by_distance], "sd over pairs"),
        "neighbours": labelled(dims, r[..., near].mean(axis=-1), "mean |correlation|, neighbours"),
        "others": labelled(dims, r[..., far].mean(axis=-1), "mean |correlation|, others"),
    }


def _examples(pictures: list[np.ndarray], contexts: list[ph.Context], W: np.ndarray,
              gains: np.ndarray, rng: np.random.Generator, n: int = 8) -> dict[str, Any]:
    """The pictures, where the patches came from, and a few patches before and after."""
    patch = int(np.sqrt(W.shape[0]))
    variables: dict[str, Any] = {}
    before, after, corner = [], [], []
    for i, (picture, context) in enumerate(zip(pictures, contexts)):
        name = "AB"[i]
        variables[f"picture_{name}"] = labelled(
            (f"row_{name}", f"column_{name}"), picture.astype(np.float32), "grey level")
        variables[f"walk_{name}"] = labelled(
            ("place", "axis"), context.corner[::20], "upper left corner of the patches", "pixel")
        # Patches that show something: from the fifth that has most contrast.
        contrast = context.patches.std(axis=1)
        choice = rng.choice(np.flatnonzero(contrast > np.quantile(contrast, 0.8)), n, replace=False)
        x = context.patches[choice]
        before.append(x)
        after.append(x @ model.response_matrix(W, gains[i]))
        corner.append(context.corner[choice])
    dims = ("context", "example", "row", "column")
    return variables | {
        "patch_before": labelled(dims, np.reshape(before, (2, n, patch, patch)), "input"),
        "patch_after": labelled(dims, np.reshape(after, (2, n, patch, patch)), "response"),
        "patch_corner": labelled(("context", "example", "axis"), corner, "corner", "pixel"),
    }
