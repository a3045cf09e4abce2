"""Sequences of tasks, learned with and without protection of what old tasks used.

Every experiment over tasks returns the accuracy on each task after each, ``performance``, with what
`neurodyn.analyses.forgetting_metrics` makes of it: ``acc``, its mean at the end, and ``bwt``, the
backward transfer, which is negative where tasks were forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import continual, propagation, sequences

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["error_propagation", "permuted_digits", "split_digits"]

#: All tasks in the same batches, beside methods that learn them one after the other.
AT_ONCE = "all at once"

#: Lateral neurons of the layers for the first of the permuted digits, and for each other.
DIGITS_ROWS = (35, 80, 50), (22, 16, 20)

#: The same for permuted MNIST, as the authors have it, for ten tasks.
MNIST_ROWS = ((80, 200, 100), *((70, 70, 70),) * 2, *((50, 50, 50),) * 3, *((30, 30, 30),) * 3,
              (10, 10, 10))

#: The same for split digits, whose tasks have most directions of their activity in common.
SPLIT_ROWS = (14, 20, 20), (4, 8, 8)


def permuted_digits(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                    seeds: int | None = None, tasks: int | None = None, epochs: int | None = None,
                    learning_rate: float | None = None, hebbian_rate: float | None = None,
                    levels: int = 40, mnist: Path | None = None) -> xr.Dataset:
    """Digits with their pixels in other places in each task, learned one after the other.

    Parameters
    ----------
    size : {"fast", "full"}
        1 seed, 3 tasks and 10 epochs for each, or 5 seeds, 5 tasks and 20 epochs.
    rng : int
        Of the first seed.
    seeds, tasks, epochs : int, optional
        Instead of those that go with `size`.
    learning_rate : float, optional
        Of the weights. Default 0.2; for MNIST 0.1.
    hebbian_rate : float, optional
        Of the lateral neurons of all layers. Default 0.03; for MNIST 0.001 for the pixels, 0.01
        for hidden units.
    levels : int
        Of the responses of lateral neurons that spike, from 0 to 20 and on both sides.
    mnist : path, optional
        An ``.npz`` with MNIST, as Keras has it. Then the network is the paper's, 784-800-800-10,
        and a task is one epoch of 60 000 images; 10 tasks at full size. Meant for a cluster.

    Returns
    -------
    xarray.Dataset
        By `protection` (how old tasks are protected, or "all at once") and seed.
    """
    n_seeds = _chosen(seeds, {"fast": 1, "full": 5}[size])
    if mnist is None:
        n_tasks = _chosen(tasks, {"fast": 3, "full": 5}[size])
        data = sequences.permuted_digits(n_tasks)
        plan = continual.Plan(
            rows=(DIGITS_ROWS[0], *(DIGITS_ROWS[1],) * (n_tasks - 1)),
            epochs=_chosen(epochs, {"fast": 10, "full": 20}[size]),
            learning_rate=0.2 if learning_rate is None else learning_rate,
            hebbian_rate=(0.03 if hebbian_rate is None else hebbian_rate,) * 3, levels=levels)
    else:
        n_tasks = _chosen(tasks, {"fast": 3, "full": 10}[size])
        data = sequences.permuted_mnist(mnist, n_tasks)
        plan = continual.Plan(
            rows=MNIST_ROWS, n_hidden=(800, 800), levels=levels, epochs=_chosen(epochs, 1),
            learning_rate=0.1 if learning_rate is None else learning_rate,
            hebbian_rate=(0.001, 0.01, 0.01) if hebbian_rate is None else (hebbian_rate,) * 3)
    runs = {method: ("rates, exact", method, data, plan)
            for method in (*continual.METHODS, AT_ONCE)}
    return _dataset("protection", runs, n_seeds, rng)


def error_propagation(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                      seeds: int | None = None, tasks: int | None = None,
                      epochs: int | None = None) -> xr.Dataset:
    """Permuted digits with five ways of error propagation, each without and with protection.

    Parameters
    ----------
    size : {"fast", "full"}
        1 seed, 2 tasks and 6 epochs for each, or 5 seeds, 5 tasks and 12 epochs.
    rng : int
        Of the first seed.
    seeds, tasks, epochs : int, optional
        Instead of those that go with `size`.

    Returns
    -------
    xarray.Dataset
        By `run` (the way and how old tasks are protected) and seed.
    """
    n_seeds = _chosen(seeds, {"fast": 1, "full": 5}[size])
    n_tasks = _chosen(tasks, {"fast": 2, "full": 5}[size])
    data = sequences.permuted_digits(n_tasks)
    rows = (DIGITS_ROWS[0], *(DIGITS_ROWS[1],) * (n_tasks - 1))
    runs = {}
    for way, rates in RATES_OF_WAYS.items():
        plan = continual.Plan(rows=rows, epochs=_chosen(epochs, {"fast": 6, "full": 12}[size]),
                              **rates)
        for method in ("none", "Hebbian"):
            runs[f"{way}: {method}"] = (way, method, data, plan)
    return _dataset("run", runs, n_seeds, rng)


#: What differs from `Plan` by the way of error propagation. Spikes of 0 and 1 at each step have
#: less energy than rates up to 6, and lateral neurons that hear them learn faster. With random
#: feedback and a learning rate of 0.2, as elsewhere, the last of five tasks is learned to 0.83.
RATES_OF_WAYS: Mapping[str, Mapping] = {
    "rates, exact": {}, "rates, random feedback": {"learning_rate": 0.4},
    "rates, sign-symmetric": {},
    "through time": {"hebbian_rate": (0.03, 0.3, 0.3)},
    "online": {"hebbian_rate": (0.03, 0.1, 0.1)},
}


def split_digits(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                 seeds: int | None = None, tasks: int = 5,
                 epochs: int | None = None) -> xr.Dataset:
    """Pairs of digits one after the other, with a readout for each, or one for all.

    Pairs have most directions in common. What new rows find beyond the old ones is little, and rows
    that find nothing keep random components along old ones: then feedback takes out too much.
    Shown with and without rows made orthonormal before they are frozen.

    Parameters
    ----------
    size : {"fast", "full"}
        1 seed and 12 epochs, or 5 seeds and 40 epochs.
    rng : int
        Of the first seed.
    seeds, epochs : int, optional
        Instead of those that go with `size`.
    tasks : int
        Pairs of digits, up to 5.

    Returns
    -------
    xarray.Dataset
        By `run` (whose readout and how old tasks are protected) and seed.
    """
    n_seeds = _chosen(seeds, {"fast": 1, "full": 5}[size])
    runs = {}
    for readouts in ("own", "shared"):
        data = sequences.split_digits(tasks, readouts)
        plan = continual.Plan(rows=(SPLIT_ROWS[0], *(SPLIT_ROWS[1],) * (tasks - 1)),
                              epochs=_chosen(epochs, {"fast": 12, "full": 40}[size]), batch=32,
                              n_outputs=2 * tasks if readouts == "own" else 2)
        orthonormal = replace(plan, orthonormalise=True)
        runs |= {f"{readouts} readout: none": ("rates, exact", "none", data, plan),
                 f"{readouts} readout: Hebbian": ("rates, exact", "Hebbian", data, plan),
                 f"{readouts} readout: Hebbian, orthonormal":
                     ("rates, exact", "Hebbian", data, orthonormal)}
    return _dataset("run", runs, n_seeds, rng)


def _chosen(given: int | None, default: int) -> int:
    from neurodyn._arrays import checked_count

    return default if given is None else checked_count(given, "seeds, tasks and epochs")


def _dataset(dimension: str, runs: Mapping[str, tuple], n_seeds: int, rng: int) -> xr.Dataset:
    """Learn the sequence of each run with each seed, and measure what was forgotten."""
    import xarray as xr

    from neurodyn import analyses

    for _, _, data, plan in runs.values():
        plan.check(data)
    found = [[_one(run, rng + seed) for seed in range(n_seeds)] for run in runs.values()]
    performance = _stacked(found, "performance")
    metrics = analyses.forgetting_metrics(performance)
    dims = (dimension, "seed")
    _, _, data, plan = next(iter(runs.values()))
    return xr.Dataset({
        "performance": labelled((*dims, "after_task", "eval_task"), performance, "test accuracy"),
        "acc": labelled(dims, metrics.average_performance, "mean accuracy after the last task"),
        "bwt": labelled(dims, metrics.backward_transfer, "backward transfer"),
        "learned": labelled((*dims, "eval_task"), np.diagonal(performance, axis1=2, axis2=3),
                            "test accuracy right after the task was learned"),
        "first_task": labelled((*dims, "epoch"), _stacked(found, "first_task"),
                               "test accuracy on the first task"),
        "captured": labelled((*dims, "after_task", "layer"), _stacked(found, "captured"),
                             "energy of activity within the rows of the lateral neurons"),
        "overlap": labelled(dims, _stacked(found, "overlap"), "max |H H' - 1|"),
    }, {dimension: list(runs), "seed": rng + np.arange(n_seeds),
        "epoch": np.arange(1, len(data) * plan.epochs + 1),
        "after_task": np.arange(1, len(data) + 1), "eval_task": np.arange(1, len(data) + 1),
        "layer": ["pixels", "hidden 1", "hidden 2"]}, {"epochs_per_task": plan.epochs})


def _one(run: tuple, seed: int) -> continual.Progress:
    way, method, data, plan = run
    stream = np.random.SeedSequence(seed)
    of_feedback, of_learning = stream.spawn(2)
    network = propagation.build(way, plan.sizes(data), plan.batch, of_feedback)
    if method == AT_ONCE:
        return continual.learn_at_once(network, data, plan, of_learning)
    return continual.learn_sequence(network, data, method, plan, of_learning)


def _stacked(found: Sequence[Sequence[continual.Progress]], name: str) -> np.ndarray:
    return np.array([[getattr(one, name) for one in row] for row in found])
