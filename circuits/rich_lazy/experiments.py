"""Networks with initial weights of several ranks, gains and structures learn decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import model
from .initial_weights import STRUCTURES, structured
from .learned import LEARNING_RATE, Seeds, learned_grid

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.network import Network
    from neurodyn.tasks.base import TrialTask

__all__ = ["circuit_structure", "dynamical_regime", "initial_rank"]

#: Networks of 100 units and 2000 updates instead of the paper's 300 and 10 000.
UNITS, STEPS, GAIN = 100, 2000, 1.25
N_SEEDS = {"fast": 2, "full": 5}
TWO_TASKS = ("2AF", "DMS")


def initial_rank(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    tasks: tuple[str, ...] | None = None,
    ranks: tuple[int, ...] | None = None,
    units: int = UNITS,
    gain: float = GAIN,
    steps: int = STEPS,
    seeds: int | None = None,
    learning_rate: float = LEARNING_RATE,
) -> xr.Dataset:
    """Networks that differ in the rank of their initial weights only learn decisions.

    The paper's size is ``units=300, steps=10000``; on a cluster, a sweep over `rng` with one seed
    each.

    Parameters
    ----------
    size : {"fast", "full"}
        Two tasks, the lowest and the highest rank and 2 seeds; or four tasks, four ranks, 5 seeds.
    rng : int
        Seed of weights, batches and trials.
    tasks : tuple of str
        From 2AF, DMS, CXT and digits. None: as `size` says, like the others.
    ranks : tuple of int
        Of the initial recurrent weights, 1 to `units`; default 1, a tenth and a third of
        `units`, and `units`.
    units : int
        Hidden units.
    gain : float
        Of the Gaussian weights that are cut down in rank.
    steps : int
        Updates.
    seeds : int
        Networks of each kind.
    learning_rate : float

    Returns
    -------
    xarray.Dataset
        Changes of weights, representations and kernel by learning, (task, rank, seed).
    """
    some = size == "fast"
    tasks = (TWO_TASKS if some else model.TASKS) if tasks is None else tasks
    if ranks is None:
        every = {1, max(1, units // 10), max(1, units // 3), units}
        ranks = (1, units) if some else tuple(sorted(every))
    _check(seeds, tasks, steps)
    for rank in ranks:
        if not 1 <= rank <= units:
            raise ValueError(f"`ranks` must be from 1 to `units` = {units}; got {rank}")

    def make(task: TrialTask, seeds: Seeds, rank: int) -> Network:
        return model.network(task=task, units=units, gain=gain, rank=rank, rng=_weights(seeds))

    return learned_grid(
        make, {"rank": ranks}, tasks, seeds or N_SEEDS[size], steps, rng, learning_rate
    )


def dynamical_regime(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    gains: tuple[float, ...] = (0.8, GAIN),
    tasks: tuple[str, ...] | None = None,
    units: int = UNITS,
    steps: int = STEPS,
    seeds: int | None = None,
    learning_rate: float = LEARNING_RATE,
) -> xr.Dataset:
    """Is it rank, or that full-rank networks are closer to chaos? The same at smaller gains.

    A large ReLU network with Gaussian weights is chaotic beyond the gain sqrt(2); its truncation to
    rank one is not.

    Parameters
    ----------
    size : {"fast", "full"}
        One task and 2 seeds, or two tasks and 5 seeds.
    rng : int
    gains : tuple of float
        Of the Gaussian weights.
    tasks, units, steps, seeds, learning_rate
        As for the experiment `initial_rank`.

    Returns
    -------
    xarray.Dataset
        As of `initial_rank`, (task, gain, rank, seed), for rank 1 and full rank.
    """
    tasks = (TWO_TASKS[:1] if size == "fast" else TWO_TASKS) if tasks is None else tasks
    _check(seeds, tasks, steps)
    if not all(gain > 0 for gain in gains):
        raise ValueError(f"`gains` must be positive; got {gains}")

    def make(task: TrialTask, seeds: Seeds, gain: float, rank: int) -> Network:
        return model.network(task=task, units=units, gain=gain, rank=rank, rng=_weights(seeds))

    return learned_grid(
        make,
        {"gain": gains, "rank": (1, units)},
        tasks,
        seeds or N_SEEDS[size],
        steps,
        rng,
        learning_rate,
    )


def circuit_structure(
    *,
    size: Literal["fast", "full"] = "fast",
    rng: int = 0,
    structures: tuple[str, ...] = STRUCTURES,
    tasks: tuple[str, ...] | None = None,
    units: int = UNITS,
    gain: float = GAIN,
    steps: int = STEPS,
    seeds: int | None = None,
    learning_rate: float = LEARNING_RATE,
) -> xr.Dataset:
    """Initial weights with structures of circuits, all of the norm of Gaussian ones, learn.

    The structure is that of the initial weights only: learning does not keep it.

    Parameters
    ----------
    size : {"fast", "full"}
        One task and 2 seeds, or two tasks and 5 seeds.
    rng : int
    structures : tuple of str
        From Gaussian, Dale's law, cell types and chain motifs.
    tasks, units, gain, steps, seeds, learning_rate
        As for the experiment `initial_rank`; `units` a multiple of 20.

    Returns
    -------
    xarray.Dataset
        As of `initial_rank`, (task, structure, seed).
    """
    tasks = (TWO_TASKS[:1] if size == "fast" else TWO_TASKS) if tasks is None else tasks
    _check(seeds, tasks, steps)
    for name in structures:
        structured(name, units, gain, 0)  # refuses what it cannot make, before anything runs

    def make(task: TrialTask, seeds: Seeds, structure: str) -> Network:
        W = structured(structure, units, gain, np.random.default_rng(seeds.structure))
        return model.network(W, task=task, rng=_weights(seeds))

    return learned_grid(
        make, {"structure": structures}, tasks, seeds or N_SEEDS[size], steps, rng, learning_rate
    )


def _weights(seeds: Seeds) -> np.random.Generator:
    """A new generator each time, so that all networks of a seed draw the same weights."""
    return np.random.default_rng(seeds.network)


def _check(seeds: Any, tasks: tuple[str, ...], steps: int) -> None:
    for name, value in (("seeds", 1 if seeds is None else seeds), ("steps", steps)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1; got {value}")
    for name in tasks:
        model.named_task(name)
