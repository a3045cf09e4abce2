"""Visual contexts: streams of small patches cut from a photograph along a random walk.

Replaces the Van Hateren pictures of the paper, which need a download, with the two photographs that
come with scikit-learn, or with any picture of yours.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["Context", "context", "correlation", "correlation_by_distance", "grey_picture",
           "neighbour_masks", "pixel_distance"]

#: The smallest picture has this many patch widths a side: a walk needs room to see something else.
SIDE_IN_PATCHES = 4


class Context(NamedTuple):
    """What one visual context shows: patches of one picture around one place."""

    patches: np.ndarray         # (n, pixel), grey level in units of the scale, mean 0 per pixel
    corner: np.ndarray          # (n, 2), row and column of each patch's upper left pixel
    covariance: np.ndarray      # (pixel, pixel), of the patches, ridge included


def bundled() -> dict[str, Path]:
    """Photographs that come with scikit-learn, by file name."""
    from importlib.resources import files

    folder = Path(str(files("sklearn.datasets") / "images"))
    return {path.name: path for path in sorted(folder.glob("*.jpg"))}


def grey_picture(image: str | Path) -> np.ndarray:
    """Grey levels (row, column) in [0, 1] of a picture, colour or grey, in any format pillow reads.

    Parameters
    ----------
    image : str or Path
        A file, or the name of a photograph bundled with scikit-learn: ``"china.jpg"``,
        ``"flower.jpg"``. A file of that name in the working folder comes first.

    Returns
    -------
    ndarray (row, column)
        Mean of red, green and blue over 255. A picture with more than 8 bits is divided by its
        largest value instead, as the authors do with theirs.

    Raises
    ------
    FileNotFoundError
        If there is no such file and no bundled photograph of that name.
    ValueError
        If pillow cannot read the file, or the picture is constant.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(image).expanduser()
    if not path.is_file():
        path = _bundled_path(image)
    try:
        with Image.open(path) as opened:
            # Cameras store a portrait on its side, with a note how to turn it.
            picture = ImageOps.exif_transpose(opened)
            deep = picture.mode == "F" or picture.mode.startswith("I")
            pixels = np.asarray(picture if deep else picture.convert("RGB"), float)
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"`image` {str(path)!r} is not a picture that pillow can read ({error}); "
                         "save it as PNG, TIFF or JPEG.") from error
    if np.ptp(pixels) == 0:
        raise ValueError(f"`image` {str(path)!r} is constant: every pixel has the same value, so "
                         "there are no correlations to remove. Give one that shows something.")
    return pixels / pixels.max() if deep else pixels.mean(axis=2) / 255


def _bundled_path(image: str | Path) -> Path:
    from difflib import get_close_matches

    names = bundled()
    if str(image) in names:
        return names[str(image)]
    close = get_close_matches(str(image), names, n=1, cutoff=0.7)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise FileNotFoundError(
        f"`image`: there is no file {str(Path(image).expanduser().absolute())!r}, and no bundled "
        f"photograph {str(image)!r} (there are {', '.join(map(repr, names))}){hint}")


def context(picture: np.ndarray, patch: int, *, n: int = 20_000, walk: float = 0.6,
            scale: float = 16.0, ridge: float = 1e-4,
            rng: int | np.random.Generator | None = None) -> Context:
    """Patches along a random walk of the eye over `picture`, and their covariance.

    Parameters
    ----------
    picture : ndarray (row, column)
        Grey levels.
    patch : int
        Rows and columns of a patch.
    n : int
        Number of patches.
    walk : float, pixel
        Standard deviation of a step in each direction. The walk starts in the centre; positions are
        truncated to whole pixels and stop at the border.
    scale : float
        Factor on the grey levels, after each pixel's mean over the walk is subtracted.
    ridge : float
        Added to the diagonal of the covariance.
    rng : int, Generator or None
        Of the walk.

    Raises
    ------
    ValueError
        If the picture is too small for the patch, or constant wherever the walk went.
    """
    sides, needed = np.array(picture.shape), SIDE_IN_PATCHES * patch
    if sides.min() < needed:
        raise ValueError(
            f"`image` has {sides[0]} x {sides[1]} pixels, but patches of {patch} x {patch} pixels "
            f"need at least {needed} x {needed}. Give a larger picture or a smaller `patch`.")
    steps = walk * np.random.default_rng(rng).standard_normal((n, 2))
    corner = (sides - patch) / 2 + np.cumsum(steps, axis=0)
    corner = np.clip(corner, 0, sides - patch).astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(picture, (patch, patch))
    x = windows[corner[:, 0], corner[:, 1]].reshape(n, patch * patch)
    x = scale * (x - x.mean(axis=0))
    covariance = np.cov(x.T)
    if not np.diag(covariance).min() > 0:
        raise ValueError(
            f"`image` is constant over the {n} patches of the walk, which covers rows "
            f"{corner[:, 0].min()} to {corner[:, 0].max() + patch} and columns "
            f"{corner[:, 1].min()} to {corner[:, 1].max() + patch}: nothing to whiten there. Crop "
            "the picture around something, or take a larger `walk` or another `rng`.")
    return Context(x, corner, covariance + ridge * np.eye(patch * patch))


# ------------------------------------------------------------------------------ statistics

def correlation(C: np.ndarray) -> np.ndarray:
    """Correlation matrix (..., N, N) of a covariance matrix."""
    sd = np.sqrt(np.diagonal(C, axis1=-2, axis2=-1))
    return C / (sd[..., :, None] * sd[..., None, :])


def neighbour_masks(shape: tuple[int, int], pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs of pixels a < b are neighbours and which are not: two boolean (N, N)."""
    n_pixels = shape[0] * shape[1]
    near = np.zeros((n_pixels, n_pixels), bool)
    near[pairs[:, 0], pairs[:, 1]] = True
    return near, np.triu(~near, k=1)


def pixel_distance(shape: tuple[int, int]) -> np.ndarray:
    """Euclidean distance (N, N) in pixels between the pixels of a patch."""
    row, column = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    return np.hypot(row[:, None] - row, column[:, None] - column)


def correlation_by_distance(C: np.ndarray, shape: tuple[int, int]
                            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and standard deviation (D,) of the correlations of pixel pairs at each distance (D,)."""
    a, b = np.triu_indices(C.shape[-1])
    distance, group = np.unique(pixel_distance(shape)[a, b].round(9), return_inverse=True)
    r, count = correlation(C)[a, b], np.bincount(group)
    mean = np.bincount(group, r) / count
    spread = np.bincount(group, (r - mean[group]) ** 2) / count
    return distance, mean, np.sqrt(spread)
