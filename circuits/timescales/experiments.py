"""The experiments: two tasks under two curricula, leaks that are fixed, and no curriculum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.circuits._sheet import labelled

from . import model, probes
from .curriculum import Course, Curriculum, Stage, train

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["delayed_match", "fixed_leaks", "no_curriculum", "parity"]

HEADS = ("single", "multi")
#: Networks are asked for their timescales when they have learned these N.
PROBED = (3, 6, 9, 12, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100)


def delayed_match(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                  seeds: int | None = None, epochs: int | None = None,
                  compare_at: int | None = None, units: int = 64, batch: int = 64,
                  steps: int = 300, tests: int = 20, last: int = 101,
                  leak: Literal["inside", "outside"] = "inside", probe_steps: int | None = None,
                  progress: bool = False) -> xr.Dataset:
    """N-delayed match to sample: one head or many, for the same number of epochs.

    Parameters
    ----------
    size : {"fast", "full"}
        1 network and 12 epochs, or 5 networks and 40 epochs, for each curriculum.
    rng : int
        Seed of everything.
    seeds : int, optional
        Networks of each curriculum.
    epochs : int, optional
        Of every network; the paper has up to 1000.
    compare_at : int, optional
        The N at which networks are compared and damaged; default 5 or 12. A network that has not
        learned it in its epochs gets as many again, which do not count for the largest N.
    units : int
        The paper has 500, which takes a cluster.
    batch : int
        Trials of a step; the paper has 256.
    steps : int
        Of an epoch; the paper has 600.
    tests : int
        Test batches of an epoch; the paper has 50.
    last : int
        Training ends at this N.
    leak : {"inside", "outside"}
        The paper's default network, or its control, with the leak outside of the nonlinearity.
    probe_steps : int, optional
        Length of the 10 trials from which timescales are estimated; default 2000 or 5000. The paper
        has 100 000.
    progress : bool
        Show how far it is.

    Returns
    -------
    xarray.Dataset
        Timescales, weights and epochs by N; memory for earlier N; accuracy of damaged networks.
    """
    amounts = _amounts(size, seeds, epochs, {"fast": (1, 12), "full": (5, 40)})
    at = _settled(compare_at, {"fast": 5, "full": 12}[size])
    return _curricula("delayed match", size, rng, *amounts, at, probe_steps, progress, units=units,
                      batch=batch, steps=steps, tests=tests, last=last, leak=leak)


def parity(*, size: Literal["fast", "full"] = "fast", rng: int = 0, seeds: int | None = None,
           epochs: int | None = None, compare_at: int | None = None, units: int = 64,
           batch: int = 64, steps: int = 300, tests: int = 20, last: int = 101,
           leak: Literal["inside", "outside"] = "inside", probe_steps: int | None = None,
           progress: bool = False) -> xr.Dataset:
    """N-parity: single-head and multi-head networks, as in `delayed_match`.

    Parameters
    ----------
    size : {"fast", "full"}
        1 network and 12 epochs, or 5 networks and 40 epochs, for each curriculum.
    rng, seeds, epochs, units, batch, steps, tests, last, leak, probe_steps, progress
        As of `delayed_match`.
    compare_at : int, optional
        The N at which networks are compared and damaged; default 5 or 8.

    Returns
    -------
    xarray.Dataset
    """
    amounts = _amounts(size, seeds, epochs, {"fast": (1, 12), "full": (5, 40)})
    at = _settled(compare_at, {"fast": 5, "full": 8}[size])
    return _curricula("parity", size, rng, *amounts, at, probe_steps, progress, units=units,
                      batch=batch, steps=steps, tests=tests, last=last, leak=leak)


def fixed_leaks(*, size: Literal["fast", "full"] = "fast", rng: int = 0, seeds: int | None = None,
                epochs: int | None = None, taus: tuple[float, ...] = (1.0, 2.0, 3.0),
                units: int = 64, batch: int = 64, steps: int = 300, tests: int = 20,
                last: int = 101, progress: bool = False) -> xr.Dataset:
    """N-parity, multi-head, with the same fixed time constant for all units, or trained ones.

    Parameters
    ----------
    size : {"fast", "full"}
        1 network and 10 epochs, or 5 networks and 30 epochs, for each time constant.
    taus : tuple of float
        Fixed time constants, steps.
    rng, seeds, epochs, units, batch, steps, tests, last, progress
        As of `delayed_match`.

    Returns
    -------
    xarray.Dataset
        The largest N learned, by time constant; NaN stands for trained ones.
    """
    import xarray as xr

    seeds, epochs = _amounts(size, seeds, epochs, {"fast": (1, 10), "full": (5, 30)})
    conditions: list[float | None] = [*taus, None]
    plans = [Curriculum("parity", "multi", tau=tau, epochs=epochs, last=last, units=units,
                        batch=batch, steps=steps, tests=tests) for tau in conditions]
    reached = np.array([[course.reached for course in _trained(plan, rng, seeds, progress)]
                        for plan in plans])
    return xr.Dataset(
        {"reached": labelled(("tau", "seed"), reached, "largest N learned")},
        {"tau": ("tau", [np.nan if tau is None else tau for tau in conditions],
                 {"units": "1", "long_name": "time constant, steps; NaN: trained"}),
         "seed": np.arange(seeds)}, {"epochs": epochs})


def no_curriculum(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                  seeds: int | None = None, epochs: int | None = None,
                  n: tuple[int, ...] | None = None, units: int = 64, batch: int = 64,
                  steps: int = 300, tests: int = 20, progress: bool = False) -> xr.Dataset:
    """N-parity learned for one N from scratch.

    Parameters
    ----------
    size : {"fast", "full"}
        1 network and 8 epochs for N = 2 and 12, or 5 networks and 40 epochs for 2, 4, 8 and 12.
    n : tuple of int, optional
        Which N, each with networks of its own.
    rng, seeds, epochs, units, batch, steps, tests, progress
        As of `delayed_match`.

    Returns
    -------
    xarray.Dataset
        Whether each network learned its N, and its last test accuracy.
    """
    import xarray as xr

    seeds, epochs = _amounts(size, seeds, epochs, {"fast": (1, 8), "full": (5, 40)})
    tried = n or ((2, 12) if size == "fast" else (2, 4, 8, 12))
    learned, accuracy = np.empty((2, len(tried), seeds))
    for i, one in enumerate(tried):
        plan = Curriculum("parity", "single", start=one, last=one, epochs=epochs, units=units,
                          batch=batch, steps=steps, tests=tests)
        for k, course in enumerate(_trained(plan, rng, seeds, progress)):
            learned[i, k], accuracy[i, k] = course.reached == one, course.accuracy[-1]
    return xr.Dataset(
        {"learned": labelled(("N", "seed"), learned, "learned: 1, not learned: 0"),
         "accuracy": labelled(("N", "seed"), accuracy, "test accuracy at the end")},
        {"N": np.array(tried), "seed": np.arange(seeds)}, {"epochs": epochs})


# ------------------------------------------------------------------------------- both curricula

def _curricula(task: str, size: str, rng: int, seeds: int, epochs: int, compare_at: int,
               probe_steps: int | None, progress: bool, **training: Any) -> xr.Dataset:
    """Train networks of both kinds, and ask them everything."""
    compare_at = checked_count(compare_at, "compare_at", 3)
    probe_steps = checked_count(_settled(probe_steps, {"fast": 2000, "full": 5000}[size]),
                                "probe_steps", 200)
    plans = [Curriculum(task, heads, epochs=epochs, assured=min(compare_at, training["last"]),
                        **training) for heads in HEADS]
    courses = [list(_trained(plan, rng, seeds, progress)) for plan in plans]
    return examined(plans, courses, compare_at, probe_steps, rng)


def examined(plans: list[Curriculum], courses: list[list[Course]], compare_at: int,
            probe_steps: int, rng: int) -> xr.Dataset:
    """What is found of trained networks; NaN where one has not learned an N.

    Parameters
    ----------
    plans : list of Curriculum
        For single-head and multi-head networks.
    courses : list of list of Course
        For each of them, by seed.
    compare_at, probe_steps, rng : int
    """
    import xarray as xr

    largest = max([course.reached for row in courses for course in row] + [compare_at])
    N = np.arange(plans[0].start, largest + 1)
    probed = [n for n in PROBED if n <= largest]
    epochs, seeds = plans[0].epochs, len(courses[0])
    longest = max(len(course.n) for row in courses for course in row)
    seed = np.random.SeedSequence(rng, spawn_key=(1,))
    streams = [int(one) for one in seed.generate_state(seeds)]

    def everywhere(of: Callable[[int, int], Any]) -> np.ndarray:
        return np.array([[of(i, k) for k in range(seeds)] for i in range(len(plans))], float)

    def by_n(measure: Callable[[Stage], float]) -> np.ndarray:
        return everywhere(lambda i, k: [_of_stage(courses[i][k], n, measure) for n in N])

    def compared(measure: Callable, shape: tuple[int, ...]) -> np.ndarray:
        return everywhere(lambda i, k: _of_stage(
            courses[i][k], compare_at, lambda stage: measure(stage, plans[i], streams[k]), shape))

    def asked(i: int, k: int) -> list[list[float]]:
        return [_of_stage(courses[i][k], n, lambda stage: list(probes.timescales(
            stage.values, plans[i], streams[k], steps=probe_steps).values()), (4,))
            for n in probed]

    network, slow_units, integrated, dimension = np.moveaxis(everywhere(asked), -1, 0)
    per_n, per_probe = ("heads", "seed", "N"), ("heads", "seed", "probed")
    return xr.Dataset({
        "reached": labelled(("heads", "seed"), everywhere(
            lambda i, k: courses[i][k].reached_by(epochs)), "largest N learned"),
        "diverged": labelled(("heads", "seed"), everywhere(lambda i, k: courses[i][k].diverged),
                             "training ended with numbers that are not finite"),
        "newest": labelled(("heads", "seed", "epoch"), everywhere(
            lambda i, k: _padded(courses[i][k].n, longest)), "newest N in training"),
        "epochs_needed": labelled(per_n, everywhere(
            lambda i, k: _epochs_needed(courses[i][k], N)), "epochs needed"),
        "tau_mean": labelled(per_n, by_n(lambda s: model.leaks(s.values).mean()),
                             "mean time constant, steps"),
        "tau_sd": labelled(per_n, by_n(lambda s: model.leaks(s.values).std()),
                           "standard deviation of the time constants, steps"),
        "weight_mean": labelled(per_n, by_n(lambda s: s.values["W"].mean()),
                                "mean recurrent weight"),
        "spectral_radius": labelled(per_n, by_n(
            lambda s: np.abs(np.linalg.eigvals(s.values["W"])).max()), "spectral radius of W"),
        "tau_network": labelled(per_probe, network,
                                "mean network-mediated timescale above 1, steps"),
        "slow_units": labelled(per_probe, slow_units, "share of units with such a timescale"),
        "tau_integrated": labelled(per_probe, integrated,
                                   "integrated autocorrelation of the network, steps"),
        "dimension": labelled(per_probe, dimension, "components for 90 % of the variance"),
        "memory": labelled(("heads", "seed", "task_N"), compared(
            probes.memory, (compare_at - plans[0].start + 1,)), "accuracy on streams"),
        "ablation": labelled(("heads", "seed", "ablated"), compared(probes.ablations, (3,)),
                             "accuracy on streams"),
        "perturbation": labelled(("heads", "seed", "perturbed", "strength"), compared(
            probes.perturbations, (2, len(probes.STRENGTHS))), "relative accuracy"),
    }, {
        "heads": list(HEADS), "seed": np.arange(seeds), "N": N, "probed": probed,
        "epoch": np.arange(1, longest + 1), "task_N": np.arange(plans[0].start, compare_at + 1),
        "ablated": ["none", "fastest", "slowest"], "perturbed": ["weights", "leaks"],
        "strength": list(probes.STRENGTHS),
    }, {"task": plans[0].task, "epochs": epochs, "compare_at": compare_at,
        "units_of_network": plans[0].units})


def _of_stage(course: Course, n: int, measure: Callable[[Stage], Any],
              shape: tuple[int, ...] = ()) -> Any:
    """What is measured of the network that has learned `n`, or NaN."""
    return measure(course.stages[n]) if n in course.stages else np.full(shape, np.nan)


def _epochs_needed(course: Course, N: np.ndarray) -> list[float]:
    """Epochs between the learning of N - 1 and of N."""
    ends = {n: stage.epoch for n, stage in course.stages.items()}
    return [ends[n] - ends.get(n - 1, 0) if n in ends else np.nan for n in N]


def _padded(values: list[int], n: int) -> np.ndarray:
    """The values, and NaN for the epochs after training has ended."""
    found = np.full(n, np.nan)
    found[:len(values)] = values
    return found


def _trained(plan: Curriculum, rng: int, seeds: int, progress: bool) -> Iterator[Course]:
    """One network after the other."""
    from tqdm import tqdm

    for k, seed in enumerate(np.random.SeedSequence(rng).spawn(seeds)):
        name = f"{plan.task}, {plan.heads}-head, network {k + 1} of {seeds}"
        with tqdm(total=plan.epochs, desc=name, unit="epoch", disable=not progress) as bar:
            def report(epoch: int, n: int, bar=bar) -> None:
                bar.set_postfix_str(f"N = {n}", refresh=False)
                bar.update()
            yield train(plan, seed, report)


def _amounts(size: str, seeds: int | None, epochs: int | None,
             defaults: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Number of networks and of epochs."""
    given = [_settled(one, own) for one, own in zip((seeds, epochs), defaults[size], strict=True)]
    return checked_count(given[0], "seeds"), checked_count(given[1], "epochs")


def _settled(given: int | None, default: int) -> int:
    return default if given is None else given
