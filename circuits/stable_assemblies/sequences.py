"""Images shown pixel by pixel from a file of the user's own, such as MNIST at its full size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import neurodyn as nd

__all__ = ["ImageSequences", "tasks_for"]


class ImageSequences:
    """Name the image that is shown one pixel at a time: a task like `nd.tasks.SequentialDigits`.

    Parameters
    ----------
    path : path-like
        An ``.npz`` file with ``x_train`` (image, ...), ``y_train``, classes 0 to 9, and the same
        for ``test``: the form in which Keras hands out MNIST.
    part : {"train", "test"}
    permuted : bool
        Show the pixels in one fixed random order.
    dt : float, s
        Time of a pixel.
    """

    def __init__(self, path: Any, part: str = "train", *, permuted: bool = False, dt: float = 0.01):
        if not Path(path).is_file():
            raise ValueError(f"`images` must be an .npz file with x_train and so on; got {path!r}")
        with np.load(path) as file:
            missing = {f"{axis}_{p}" for axis in "xy" for p in ("train", "test")} - set(file.files)
            if missing:
                raise ValueError(f"`images`: {path} has no {', '.join(sorted(missing))}")
            pixels = {p: file[f"x_{p}"].astype(float) for p in ("train", "test")}
            labels = file[f"y_{part}"].astype(int).ravel()
        mean, sd = pixels["train"].mean(), pixels["train"].std()
        shown = (pixels[part].reshape(len(labels), -1) - mean) / sd
        if labels.min() < 0 or labels.max() > 9:
            raise ValueError(f"`images`: classes must be 0 to 9; y_{part} goes to {labels.max()}")
        if permuted:
            shown = shown[:, np.random.default_rng(0).permutation(shown.shape[1])]
        self.pixels, self.labels, self.dt = shown, labels, dt

    @property
    def n_images(self) -> int:
        return len(self.labels)

    def batch(self, rng: np.random.Generator, trials: int) -> nd.learning.TrialBatch:
        """Images drawn with replacement."""
        return self._of(rng.integers(self.n_images, size=trials))

    def everything(self) -> nd.learning.TrialBatch:
        """Every image once."""
        return self._of(np.arange(self.n_images))

    def _of(self, numbers: np.ndarray) -> nd.learning.TrialBatch:
        import neurodyn as nd

        shown, digit = self.pixels[numbers], self.labels[numbers]
        is_last = (np.arange(shown.shape[1]) == shown.shape[1] - 1).astype(float)
        return nd.learning.TrialBatch(
            {"pixels": shown[..., None]},
            {"digit": np.repeat(digit[:, None], shown.shape[1], axis=1)},
            dt=self.dt, mask=is_last, info={"digit": digit},
        )  # fmt: skip


def tasks_for(images: Any, *, permuted: bool, dt: float) -> tuple[Any, Any]:
    """The tasks of training and test: scikit-learn's digits, or a file's images."""
    from neurodyn import tasks

    if images:
        return tuple(ImageSequences(images, p, permuted=permuted, dt=dt)
                     for p in ("train", "test"))  # fmt: skip
    kind, given = (tasks.PermutedDigits, {"task": 1}) if permuted else (tasks.SequentialDigits, {})
    return tuple(kind("pixels", part=p, dt=dt, **given) for p in ("train", "test"))
