"""One network learns one task, and how far that moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import model

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.learning.task_protocol import TrialBatch
    from neurodyn.network import Network
    from neurodyn.tasks.base import TrialTask

__all__ = ["MEASURES", "SameBatches", "Seeds", "criterion", "learn", "learned_grid"]

#: As the authors' code has it; trials of a batch are 32 for the decisions and 200 for digits.
LEARNING_RATE, MOMENTUM = 0.003, 0.9
#: Trials between which representations and tangent kernels are compared, and of the evaluation.
REPRESENTED, KERNEL_TRIALS, EVALUATED = 320, 32, 640
#: Share of the way from chance to the best possible accuracy at which a network has learned.
LEARNED = 0.75
#: So many batches are kept for the next network, some 200 MB at most.
_KEPT_BATCHES = 4000

#: What `learn` measures, in words.
MEASURES = {
    "weight_change": "change of the recurrent weights (Frobenius norm)",
    "representation_alignment": "alignment of the representations before and after",
    "kernel_alignment": "alignment of the tangent kernels before and after",
    "sign_similarity": "share of activities that keep their sign",
    "target_alignment": "alignment of the initial tangent kernel with the targets",
    "effective_rank": "effective rank of the initial weights (entropy)",
    "spectral_radius": "spectral radius of the initial weights",
    "loss": "cross-entropy after learning",
    "accuracy": "accuracy after learning",
}


class Seeds:
    """Random numbers of one network and its training, the same for every initial structure.

    Attributes
    ----------
    structure, network, training, trials : SeedSequence
        Of the recurrent weights; of the other weights; of the batches; of the trials on which
        networks are compared before and after.
    """

    def __init__(self, seed: np.random.SeedSequence):
        self.structure, self.network, self.training, self.trials = seed.spawn(4)


class SameBatches:
    """A task that makes each batch once, for several networks that learn from the same ones."""

    def __init__(self, task: TrialTask):
        self.task = task
        self._made: dict[tuple, TrialBatch] = {}

    def batch(self, rng: np.random.Generator, trials: int) -> TrialBatch:
        key = (rng.bit_generator.state["state"]["state"], trials)
        if key in self._made:
            return self._made[key]
        made = self.task.batch(rng, trials)
        if len(self._made) < _KEPT_BATCHES:
            self._made[key] = made
        return made

    def metrics(self, batch: TrialBatch, recorded: Any) -> dict[str, float]:
        return self.task.metrics(batch, recorded)


def criterion(task: TrialTask) -> float:
    """The accuracy from which on a network has learned: a network that has not looks lazy."""
    return task.chance + LEARNED * (task.optimal - task.chance)


def learn(
    net: Network,
    task: TrialTask | SameBatches,
    steps: int,
    seeds: Seeds,
    learning_rate: float = LEARNING_RATE,
) -> tuple[Network, dict[str, float]]:
    """Train a network, and measure how far it moved.

    Parameters
    ----------
    net : Network
        Of `model.network`.
    task : TrialTask or SameBatches
    steps : int
        Updates of gradient descent with momentum, on the cross-entropy at all steps of the task.
    seeds : Seeds
        Its `training` and `trials` are used.
    learning_rate : float

    Returns
    -------
    Network
        After learning.
    dict of str to float
        `MEASURES`. Alignments are NaN if no unit is active before or after.
    """
    import neurodyn as nd
    from neurodyn import analyses

    own = task.task if isinstance(task, SameBatches) else task
    is_digits = isinstance(own, nd.tasks.SequentialDigits)
    fit = nd.learning.train(
        net,
        task,
        nd.learning.SGD(learning_rate, momentum=MOMENTUM),
        steps=steps,
        trainable=net.coupling_labels,
        batch=200 if is_digits else 32,
        rng=seeds.training,
        connect=model.connections(own),
        evaluate_every=steps,
        evaluate_batch=EVALUATED,
        dtype="float32",
    )
    pair = (net, fit.network)
    active, kernels, target = _compared(pair, own, seeds)
    found = analyses.learning_regime(
        *pair,
        couplings=[model.RECURRENT],
        representations=active if all(h.any() for h in active) else None,
        kernels=kernels if all(K.any() for K in kernels) else None,
    )
    before = dict(zip(net.coupling_labels, net.couplings, strict=True))[model.RECURRENT]
    W = before.weights.to_dense()
    measured = {
        "weight_change": found.weight_change,
        "representation_alignment": found.representation_alignment,
        "kernel_alignment": found.kernel_alignment,
        "sign_similarity": found.sign_similarity,
        "target_alignment": target,
        "effective_rank": analyses.matrix_ranks(W).entropy,
        "spectral_radius": np.abs(np.linalg.eigvals(W)).max(),
        "loss": fit.history["evaluation_loss"].values[-1],
        "accuracy": fit.history["accuracy"].values[-1],
    }
    return fit.network, {k: np.nan if v is None else float(v) for k, v in measured.items()}


def _compared(pair: tuple[Network, Network], task: TrialTask, seeds: Seeds) -> tuple:
    """Activity at the last step (trial, unit) and tangent kernels, before and after.

    And the alignment of the first kernel with the targets. The kernel is over all outputs at all
    steps that count in the loss, as in the authors' code, by the recurrent weights only.
    """
    import neurodyn as nd
    from neurodyn import analyses

    solver = nd.Euler(dt=task.dt)
    shown = task.batch(seeds.trials, REPRESENTED).connected(model.connections(task))
    runs = [
        nd.simulate(
            net,
            solver,
            shown.duration,
            inputs=shown.inputs,
            trials=REPRESENTED,
            record=["hidden.h"],
            every=shown.duration,
        )
        for net in pair
    ]
    active = tuple(nd.final_state(run)["hidden.h"] for run in runs)
    # the first trials of those above
    few = task.batch(seeds.trials, KERNEL_TRIALS).connected(model.connections(task))
    (mask,), (classes,) = few.mask.values(), few.targets.values()
    steps = np.flatnonzero(mask.any(axis=0))
    kernels = [
        analyses.tangent_kernel(
            net,
            solver,
            few.duration,
            output="out.y",
            trainable=[model.RECURRENT],
            inputs=few.inputs,
            times=[(k + 1) * task.dt for k in steps],
            dtype="float32",
        )
        for net in pair
    ]
    n_classes = pair[0].populations["out"].size
    wanted = classes[:, steps, None] == np.arange(n_classes)  # (trial, step, class)
    targets = wanted.transpose(1, 2, 0).reshape(-1) - 1 / n_classes
    first = kernels[0].kernel
    aligned = analyses.target_alignment(first, targets) if first.any() else np.nan
    return active, tuple(one.kernel for one in kernels), aligned


def learned_grid(
    make: Callable[..., Network],
    axes: dict[str, Iterable],
    tasks: Iterable[str],
    n_seeds: int,
    steps: int,
    rng: int,
    learning_rate: float,
) -> xr.Dataset:
    """Networks of every combination learn every task, with the same seeds for all.

    Parameters
    ----------
    make : callable
        ``make(task, seeds, **values)``, with one value of each of `axes`, gives a network.
    axes : dict of str to sequence
        Dimensions of the Dataset and their values, beside ``task`` and ``seed``.
    tasks : sequence of str
    n_seeds, steps : int
    rng : int
    learning_rate : float

    Returns
    -------
    xarray.Dataset
        `MEASURES` (task, \\*axes, seed), and ``learned``: whether the accuracy is at `criterion`.
    """
    import xarray as xr

    dims = ("task", *axes, "seed")
    coords = {"task": list(tasks)} | {name: list(v) for name, v in axes.items()}
    found = np.full((len(MEASURES), *map(len, coords.values()), n_seeds), np.nan)
    of_seed = [Seeds(seed) for seed in np.random.SeedSequence(rng).spawn(n_seeds)]
    for i, name in enumerate(coords["task"]):
        own = model.named_task(name)
        for k, seeds in enumerate(of_seed):
            same = SameBatches(own)
            for at in product(*(range(len(v)) for v in axes.values())):
                values = {a: coords[a][j] for a, j in zip(axes, at, strict=True)}
                _, measured = learn(make(own, seeds, **values), same, steps, seeds, learning_rate)
                found[:, i, *at, k] = [measured[m] for m in MEASURES]
    ds = xr.Dataset(
        {
            name: labelled(dims, values, MEASURES[name])
            for name, values in zip(MEASURES, found, strict=True)
        },
        coords | {"seed": np.arange(n_seeds)},
    )
    limits = [criterion(model.named_task(name)) for name in coords["task"]]
    ds["criterion"] = labelled("task", limits, "accuracy from which on a network has learned")
    ds["learned"] = ds.accuracy >= ds.criterion
    return ds
