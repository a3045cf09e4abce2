"""Learning tasks one after the other, with what old ones used protected, or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import model
from .propagation import Propagation
from .sequences import TaskData

__all__ = ["METHODS", "Plan", "Progress", "learn_at_once", "learn_sequence"]

#: How old tasks are protected: not at all; by lateral neurons that learn; by ones whose responses
#: are counts of spikes; by the principal directions of stored activity (the oracle).
METHODS = ("none", "Hebbian", "Hebbian, spiking", "principal directions")

#: Largest response of lateral neurons that spike, as in the authors' code.
RESPONSE_RANGE = 20.0


@dataclass(frozen=True)
class Plan:
    """Sizes and rates of a training.

    Attributes
    ----------
    n_hidden : tuple of int
    epochs, batch : int
        A last batch that is not full is left out.
    learning_rate : float
    hebbian_rate : tuple of float
        Of the lateral neurons of each layer, pixels first.
    rows : tuple of tuple of int
        Lateral neurons of each layer that are added for each task.
    n_outputs : int
    levels : int
        Of the responses of lateral neurons that spike. Default 40, the authors' documented run.
    orthonormalise : bool
        Make rows orthonormal, to old ones too, when they are frozen. Not part of the paper's rule.
    """

    rows: tuple[tuple[int, ...], ...]
    n_hidden: tuple[int, ...] = (150, 150)
    epochs: int = 20
    batch: int = 64
    learning_rate: float = 0.2
    hebbian_rate: tuple[float, ...] = (0.03, 0.03, 0.03)
    n_outputs: int = 10
    levels: int = 40
    orthonormalise: bool = False

    def check(self, tasks: Sequence[TaskData]) -> None:
        """Refuse what cannot be learned with these tasks."""
        sizes = self.sizes(tasks)[:-1]
        for name in ("epochs", "batch", "levels"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1; got {getattr(self, name)}")
        for name, rates in (("learning_rate", (self.learning_rate,)),
                            ("hebbian_rate", self.hebbian_rate)):
            if not all(rate > 0 for rate in rates):
                raise ValueError(f"`{name}` must be positive; got {getattr(self, name)!r}")
        if len(self.rows) < len(tasks) or {len(row) for row in self.rows} != {len(sizes)}:
            raise ValueError(
                f"`rows` must have {len(sizes)} numbers for each of {len(tasks)} tasks; got "
                f"{self.rows}"
            )
        for k, n in enumerate(sizes):
            if (total := sum(row[k] for row in self.rows[: len(tasks)])) > n:
                raise ValueError(
                    f"`rows`: {total} lateral neurons for {len(tasks)} tasks are more than the {n} "
                    f"units of layer {k} have directions"
                )
        if any(len(task.train_pixels) < self.batch for task in tasks):
            raise ValueError(f"`batch` = {self.batch} is more than the images of a task")

    def sizes(self, tasks: Sequence[TaskData]) -> tuple[int, ...]:
        """Units of all layers."""
        return (tasks[0].train_pixels.shape[1], *self.n_hidden, self.n_outputs)


@dataclass
class Progress:
    """What was measured on the way.

    Attributes
    ----------
    performance : ndarray (after task, task)
        Test accuracy; NaN for tasks not seen yet.
    first_task : ndarray (epoch,)
        Test accuracy of the first task after each epoch of all tasks.
    captured : ndarray (task, layer)
        Energy of the task's activity within the rows at its end; NaN without rows.
    overlap : float
        ``max |H H' - 1|`` of all rows at the end, over layers.
    weights : list of ndarray
    subspaces : list of HebbianSubspace, or None
    """

    performance: np.ndarray
    first_task: np.ndarray
    captured: np.ndarray
    overlap: float = float("nan")
    weights: list[np.ndarray] = field(default_factory=list)
    subspaces: list[Any] | None = None


def learn_sequence(way: Propagation, tasks: Sequence[TaskData], method: str, plan: Plan,
                   rng: np.random.SeedSequence) -> Progress:
    """Learn tasks one after the other by stochastic gradient descent.

    At the begin of a task rows are added to the lateral neurons of each layer; from the second task
    on presynaptic factors are projected; after each step the new rows learn from its activity; at
    the end of the task all rows are frozen.

    Parameters
    ----------
    way : Propagation
        The compiled network, with `plan`'s batch.
    tasks : sequence of TaskData
    method : str
        Of `METHODS`.
    plan : Plan
    rng : SeedSequence
        Of weights, order of images and rows; the same for all methods.
    """
    import neurodyn as nd

    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}; got {method!r}")
    plan.check(tasks)
    of_weights, of_order, of_rows = (np.random.default_rng(s) for s in rng.spawn(3))
    weights = model.first_weights(way.sizes, of_weights, model.FIRST_GAIN[way.training])
    optimiser = nd.learning.SGD(plan.learning_rate)
    subspaces = _no_rows(way, plan, method)
    n, n_layers = len(tasks), len(weights)
    progress = Progress(np.full((n, n), np.nan), np.full(n * plan.epochs, np.nan),
                        np.full((n, n_layers), np.nan))
    for k, task in enumerate(tasks):
        is_hebbian = method.startswith("Hebbian")
        if is_hebbian:
            subspaces = [s.with_rows(r, of_rows) for s, r in zip(subspaces, plan.rows[k])]
        protected = subspaces if subspaces is not None and k else None
        for epoch in range(plan.epochs):
            for images in _batches(len(task.train_pixels), plan.batch, of_order):
                activity = way.run(weights, task.train_pixels[images])
                gradients = way.gradients(weights, activity, task.train_classes[images],
                                          task.outputs, protected)
                weights = _descended(optimiser, weights, gradients)
                if is_hebbian:
                    subspaces = [s.learned(x) for s, x in zip(subspaces, activity.heard)]
                    protected = subspaces if k else None
            progress.first_task[k * plan.epochs + epoch] = _accuracy(way, weights, tasks[0])
        if subspaces is not None:
            _, heard = way.run_all(weights, task.train_pixels)
            if method == "principal directions":
                subspaces = [_with_principal(s, r, x)
                             for s, r, x in zip(subspaces, plan.rows[k], heard)]
            subspaces = [s.frozen(orthonormalise=plan.orthonormalise) for s in subspaces]
            progress.captured[k] = [s.captured_energy(x) for s, x in zip(subspaces, heard)]
        for j in range(k + 1):
            progress.performance[k, j] = _accuracy(way, weights, tasks[j])
    if subspaces is not None:
        progress.overlap = max(
            float(np.abs(s.rows @ s.rows.T - np.eye(s.n_rows)).max()) for s in subspaces)
    progress.weights, progress.subspaces = weights, subspaces
    return progress


def learn_at_once(way: Propagation, tasks: Sequence[TaskData], plan: Plan,
                  rng: np.random.SeedSequence) -> Progress:
    """Learn all tasks together, in as many steps as one after the other: the bound of all methods.

    Only the last row of ``performance`` and the end of ``first_task`` are measured.
    """
    import neurodyn as nd

    if any(task.outputs != tasks[0].outputs for task in tasks):
        raise ValueError("`tasks` must share their readout to be learned in the same batches")
    plan.check(tasks)
    of_weights, of_order, _ = (np.random.default_rng(s) for s in rng.spawn(3))
    weights = model.first_weights(way.sizes, of_weights, model.FIRST_GAIN[way.training])
    optimiser = nd.learning.SGD(plan.learning_rate)
    pixels = np.concatenate([task.train_pixels for task in tasks])
    classes = np.concatenate([task.train_classes for task in tasks])
    for _ in range(plan.epochs):
        for images in _batches(len(pixels), plan.batch, of_order):
            activity = way.run(weights, pixels[images])
            gradients = way.gradients(weights, activity, classes[images], tasks[0].outputs)
            weights = _descended(optimiser, weights, gradients)
    n = len(tasks)
    progress = Progress(np.full((n, n), np.nan), np.full(n * plan.epochs, np.nan),
                        np.full((n, len(weights)), np.nan), weights=weights)
    progress.performance[-1] = [_accuracy(way, weights, task) for task in tasks]
    progress.first_task[-1] = progress.performance[-1, 0]
    return progress


def _no_rows(way: Propagation, plan: Plan, method: str) -> list[Any] | None:
    """Lateral neurons of each layer before the first task."""
    import neurodyn as nd

    if method == "none":
        return None
    spikes = method == "Hebbian, spiking"
    return [nd.learning.HebbianSubspace(n, learning_rate=rate, response_levels=plan.levels,
                                        response_range=RESPONSE_RANGE if spikes else None)
            for n, rate in zip(way.sizes, plan.hebbian_rate, strict=False)]


def _batches(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of images (batch, image), each once, without the rest."""
    return rng.permutation(n)[: n // size * size].reshape(-1, size)


def _descended(optimiser, weights, gradients) -> list[np.ndarray]:
    named = dict(enumerate(weights))
    state = optimiser.initial_state(named)     # there is no momentum to keep
    return list(optimiser.update(named, dict(enumerate(gradients)), state)[0].values())


def _accuracy(way: Propagation, weights, task: TaskData) -> float:
    logits, _ = way.run_all(weights, task.test_pixels)
    return float((logits[:, task.outputs].argmax(axis=1) == task.test_classes).mean())


def _with_principal(subspace, n: int, X: np.ndarray):
    """With the `n` principal directions of what the frozen rows leave of stored activity."""
    from dataclasses import replace

    residual = subspace.projected(X)
    _, directions = np.linalg.eigh(residual.T @ residual)
    rows = np.concatenate([subspace.rows, directions[:, ::-1][:, :n].T])
    return replace(subspace, rows=rows, average=None)
