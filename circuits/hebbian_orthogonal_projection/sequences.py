"""Sequences of tasks: permuted and split digits, and permuted MNIST from a file of the user's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["TaskData", "permuted_digits", "permuted_mnist", "split_digits"]

#: Mean and standard deviation with which the authors normalise MNIST.
_MNIST = 0.1307, 0.3081


@dataclass(frozen=True, eq=False)
class TaskData:
    """One task: images (image, pixel), classes (image,) as places among `outputs`.

    Attributes
    ----------
    train_pixels, test_pixels : ndarray
    train_classes, test_classes : ndarray of int
    outputs : slice
        Units of the readout that the task uses.
    """

    train_pixels: np.ndarray
    train_classes: np.ndarray
    test_pixels: np.ndarray
    test_classes: np.ndarray
    outputs: slice = field(default_factory=lambda: slice(None))


def permuted_digits(n_tasks: int, n_inputs: int = 144) -> list[TaskData]:
    """8 x 8 digits among `n_inputs` pixels, in other places in each task; 1400 and 397 of them.

    The others are 0. Without them all tasks would share the 64 directions there are, and nothing
    could be learned without harm to what was.
    """
    import neurodyn as nd

    if n_tasks < 1:
        raise ValueError(f"`n_tasks` must be at least 1; got {n_tasks}")
    return [_of(nd.tasks.PermutedDigits, task=k, n_inputs=n_inputs, permute_first=True)
            for k in range(n_tasks)]


def split_digits(n_tasks: int, readouts: str = "own") -> list[TaskData]:
    """Digits in pairs, 0 and 1, 2 and 3, ...; each with a readout of its "own", or one "shared"."""
    import neurodyn as nd

    if not 1 <= n_tasks <= 5:
        raise ValueError(f"`n_tasks` must be 1 to 5 pairs of digits; got {n_tasks}")
    own = readouts == "own"
    return [_of(nd.tasks.SplitDigits, task=k,
                outputs=slice(2 * k, 2 * k + 2) if own else slice(None)) for k in range(n_tasks)]


def _of(kind: Any, outputs: slice = slice(None), **settings: Any) -> TaskData:
    parts = [kind(part=part, steps=1, **settings).everything() for part in ("train", "test")]
    arrays = [a for p in parts for a in (p.inputs["pixels"][:, 0], p.targets["digit"][:, 0])]
    return TaskData(*arrays, outputs)


def permuted_mnist(path: str | Path, n_tasks: int) -> list[TaskData]:
    """Permuted MNIST from an ``.npz`` with x_train, y_train, x_test and y_test, as Keras has it.

    Raises
    ------
    ValueError
        If the file does not hold these arrays, of images (image, 28, 28) from 0 to 255.
    """
    with np.load(path) as file:
        names = ("x_train", "y_train", "x_test", "y_test")
        if missing := [name for name in names if name not in file]:
            raise ValueError(f"`mnist`: {path} has no array {missing[0]}; it has {list(file)}")
        x_train, y_train, x_test, y_test = (file[name] for name in names)
    for x, y in ((x_train, y_train), (x_test, y_test)):
        if x.ndim != 3 or x.shape[1:] != (28, 28) or y.shape != x.shape[:1]:
            raise ValueError(
                f"`mnist`: images must be (image, 28, 28), with one digit each; got {x.shape} and "
                f"{y.shape}"
            )
    mean, sd = _MNIST
    x_train, x_test = ((x.reshape(len(x), -1) / 255 - mean) / sd for x in (x_train, x_test))
    found = []
    for k in range(n_tasks):
        order = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(k,))).permutation(784)
        found.append(TaskData(x_train[:, order], y_train.astype(int), x_test[:, order],
                              y_test.astype(int)))
    return found
