"""Handwritten digits of 8 x 8 pixels, shown in sequence or still, permuted, or split in parts.

The 1797 digits of the UCI repository (Alpaydin and Kaynak 1998) that scikit-learn carries; nothing
is downloaded. 1400 of them, by a fixed shuffle, are for training, 397 for tests.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any

import numpy as np

from neurodyn._arrays import checked_count, read_only
from neurodyn.tasks.base import Parts, SymbolTask

_N_TRAINING = 1400
#: Values of a pixel run from 0 to 16.
_WHITE = 16.0
_PARTS = ("train", "test")
#: Steps and units of an image in sequence.
_FORMS = {"pixels": (64, 1), "rows": (8, 8), "still": None}


@dataclass(frozen=True, eq=False)
class SequentialDigits(SymbolTask):
    """Name a digit that is shown pixel by pixel, row by row, or as a still image.

    Inputs ``pixels`` (trial, time, 1, 8 or 64), standardised over the data set; classes ``digit``
    (trial, time), 0 to 9, that count at the last step, or at all steps of a still image.

    Parameters
    ----------
    form : str
        ``"pixels"``, 64 steps of one; ``"rows"``, 8 steps of 8 from the top; ``"still"``, all 64 at
        each step. Default ``"pixels"``.
    part : str
        ``"train"`` or ``"test"``.
    steps : int
        How long a still image is shown. Default 20.

    Notes
    -----
    `batch` draws with replacement; `everything` has each image once. `chance` is the share of the
    most frequent digit. `optimal`, 1, is that of the labels.
    """

    form: str = "pixels"
    _: KW_ONLY
    part: str = "train"
    steps: int = 20

    def _check(self) -> None:
        for name, known in (("form", tuple(_FORMS)), ("part", _PARTS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(map(repr, known))}; "
                    f"got {getattr(self, name)!r}"
                )
        self._put(steps=checked_count(self.steps, "steps"))

    @property
    def input_sizes(self) -> dict[str, int]:
        return {"pixels": {"pixels": 1, "rows": 8, "still": self._n_pixels}[self.form]}

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"digit": 10}

    @property
    def digits(self) -> tuple[int, ...]:
        """The digits that are shown."""
        return tuple(range(10))

    @property
    def chance(self) -> float:
        counts = np.bincount(_digits()[1][self._numbers()])
        return float(counts.max() / counts.sum())

    _n_pixels = 64

    def _numbers(self) -> np.ndarray:
        """The numbers of the images of this task in the data set."""
        _, labels, order = _digits()
        part = order[:_N_TRAINING] if self.part == "train" else order[_N_TRAINING:]
        return part[np.isin(labels[part], self.digits)]

    def _classes(self, digit: np.ndarray) -> np.ndarray:
        return digit

    def _images(self, numbers: np.ndarray) -> np.ndarray:
        """(trial, pixel)"""
        return _digits()[0][numbers]

    def everything(self) -> Any:
        """Every image of the part once, in a fixed order, as one `TrialBatch` without noise."""
        return self._trial_batch(self._timed(self._parts({"image": self._numbers()}, None)))

    def _plan(self, rng):
        return self._numbers()

    def _draw(self, rng, plan):
        return {"image": plan[rng.integers(len(plan))]}

    def _parts(self, drawn, plan):
        numbers = drawn["image"]
        images = self._images(numbers)
        if self.form == "still":
            shown = np.repeat(images[:, None], self.steps, axis=1)
        else:
            shown = images.reshape(len(numbers), *_FORMS[self.form])
        n_steps = shown.shape[1]
        digit = _digits()[1][numbers]
        classes = np.repeat(self._classes(digit)[:, None], n_steps, axis=1)
        is_last = np.arange(n_steps) == n_steps - 1
        mask = np.ones(n_steps) if self.form == "still" else is_last.astype(float)
        mask = np.tile(mask, (len(numbers), 1))
        info = {"digit": digit, "image": numbers}
        return Parts({"pixels": shown}, {"digit": classes}, mask, info)


@dataclass(frozen=True, eq=False)
class PermutedDigits(SequentialDigits):
    """Digits whose pixels have changed places: one task for each number.

    Task 0 leaves them in place; task k permutes them by a fixed permutation, the same for all
    images and for training and test. A still image may be padded with zeros first, so that the
    tasks differ in which inputs they use.

    Parameters
    ----------
    form, part, steps
        As for `SequentialDigits`; default ``"still"``.
    task : int
        Default 0.
    n_inputs : int
        Pixels after padding, at least 64; more than that for still images only. Default 64. With
        144, 5 tasks leave a network directions to learn in that old tasks do not use.
    permute_first : bool
        Whether task 0 is permuted too. Default False.

    Notes
    -----
    Permuted digits as a test of continual learning: Goodfellow, Mirza, Xiao, Courville and Bengio
    (ICLR 2014); with the classes in common to all tasks, as here, it is domain-incremental.
    """

    form: str = "still"
    _: KW_ONLY
    task: int = 0
    n_inputs: int = 64
    permute_first: bool = False

    def _check(self) -> None:
        super()._check()
        self._put(task=checked_count(self.task, "task", 0))
        self._put(n_inputs=checked_count(self.n_inputs, "n_inputs", 64))
        if self.n_inputs > 64 and self.form != "still":
            raise ValueError(
                f"`n_inputs` = {self.n_inputs} needs `form='still'`: in sequence there are 64"
            )

    @property
    def _n_pixels(self) -> int:
        return self.n_inputs

    @property
    def permutation(self) -> np.ndarray:
        """Input i shows pixel ``permutation[i]`` of the padded image."""
        if self.task == 0 and not self.permute_first:
            return np.arange(self.n_inputs)
        seed = np.random.SeedSequence(0, spawn_key=(self.n_inputs, self.task))
        return np.random.default_rng(seed).permutation(self.n_inputs)

    def _images(self, numbers):
        images = np.pad(super()._images(numbers), ((0, 0), (0, self.n_inputs - 64)))
        return images[:, self.permutation]


@dataclass(frozen=True, eq=False)
class SplitDigits(SequentialDigits):
    """Some of the digits: one task for each part of the ten.

    Task k of ``SplitDigits(per_task=2)`` is digits 2k and 2k + 1. Classes are the places within the
    part, so that one output serves all tasks, unless `shared` is False.

    Parameters
    ----------
    form, part, steps
        As for `SequentialDigits`; default ``"still"``.
    task : int
        0 to ``10/per_task - 1``; default 0.
    per_task : int
        Digits of a task: 1, 2 or 5. Default 2.
    shared : bool
        Whether classes count from 0 in each task (domain-incremental); False keeps the ten digits
        as classes (class-incremental).
    """

    form: str = "still"
    _: KW_ONLY
    task: int = 0
    per_task: int = 2
    shared: bool = True

    def _check(self) -> None:
        super()._check()
        self._put(per_task=checked_count(self.per_task, "per_task"))
        self._put(task=checked_count(self.task, "task", 0))
        if self.per_task not in (1, 2, 5):
            raise ValueError(f"`per_task` must be 1, 2 or 5, to divide ten; got {self.per_task}")
        if self.task >= 10 // self.per_task:
            raise ValueError(
                f"`task` must be 0 to {10 // self.per_task - 1} with {self.per_task} digits each; "
                f"got {self.task}"
            )

    @property
    def digits(self) -> tuple[int, ...]:
        return tuple(range(self.task * self.per_task, (self.task + 1) * self.per_task))

    @property
    def output_sizes(self) -> dict[str, int]:
        return {"digit": self.per_task if self.shared else 10}

    def _classes(self, digit):
        return digit - self.digits[0] if self.shared else digit


@cache
def _digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised images (image, 64), their digits, and the order of the shuffle."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels / _WHITE
    pixels = (pixels - pixels.mean()) / pixels.std()
    order = np.random.default_rng(0).permutation(len(labels))
    return read_only(pixels), read_only(labels.astype(np.int64)), read_only(order)
