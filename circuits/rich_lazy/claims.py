"""What the paper says, and how each is measured on our run.

Sources: ``[abstract]``, ``[Fig. 1]`` and so on the paper, whose curves have no numbers that we
could read; ``[theorem]`` and ``[proposition]`` its theory, in our closed form (`two_layer`);
``[independent]`` a re-implementation in PyTorch with 3 seeds of the networks of 100 units and 2000
updates. What counts as agreement was fixed before the experiments were run.

A network that has not learned looks perfectly lazy. So networks are compared in those seeds only in
which all of them have come to the criterion, and a claim with fewer than two of these fails. A
difference over seeds is given twice, as its mean and in its standard errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.experiments import Claim, at_least, at_most
from neurodyn.experiments.claims import SIZES, Accept

from .initial_weights import STRUCTURES
from .linear_claims import LINEAR_CLAIMS
from .model import TASKS

if TYPE_CHECKING:
    import xarray as xr

FULL = ("full",)
INDEPENDENT = "[independent]"
CRITERION = "[derived] criterion: 75 % of the way from chance to the best accuracy"


# ------------------------------------------------------------------------------ measures


def differences(
    ds: xr.Dataset,
    name: str,
    one: dict[str, Any],
    other: dict[str, Any],
) -> np.ndarray:
    """`name` in `one` selection minus that in the `other`, for the seeds in which both learned."""
    pair = [ds.sel(where) for where in (one, other)]
    learned = np.logical_and(*(part.learned.values for part in pair))
    if learned.sum() < 2:
        raise ValueError(
            f"{learned.sum()} of {learned.size} seeds came to the criterion in both "
            "networks: not enough to compare"
        )
    return (pair[0][name].values - pair[1][name].values)[learned]


def mean_difference(name: str, one: dict[str, Any], other: dict[str, Any]) -> Callable:
    """Measure: mean of `differences`."""
    return lambda ds: float(differences(ds, name, _at(ds, one), _at(ds, other)).mean())


def in_standard_errors(name: str, one: dict[str, Any], other: dict[str, Any]) -> Callable:
    """Measure: mean of `differences` over its standard error."""

    def measure(ds: xr.Dataset) -> float:
        found = differences(ds, name, _at(ds, one), _at(ds, other))
        return float(found.mean() / (found.std(ddof=1) / np.sqrt(found.size)))

    return measure


def _at(ds: xr.Dataset, where: dict[str, Any]) -> dict[str, Any]:
    """A selection in which the rank may be ``"full"``, the highest of the run."""
    return {k: ds[k].max().item() if v == "full" else v for k, v in where.items()}


def rank_correlation(task: str, name: str) -> Callable:
    """Measure: Spearman's correlation of a variable with the rank, mean over seeds that learned."""

    def measure(ds: xr.Dataset) -> float:
        from scipy.stats import spearmanr

        one = ds.sel(task=task)
        seeds = one.seed.values[one.learned.all("rank").values]
        return float(
            np.mean([spearmanr(one["rank"], one[name].sel(seed=s)).statistic for s in seeds])
        )

    return measure


def correlation(task: str, x: str, y: str) -> Callable:
    """Measure: correlation of two variables over all networks of a task that learned."""

    def measure(ds: xr.Dataset) -> float:
        one = ds.sel(task=task)
        learned = one.learned.values
        return float(np.corrcoef(one[x].values[learned], one[y].values[learned])[0, 1])

    return measure


# ------------------------------------------------------------------------------ claims

#: Of claims that do not say more.
SCALED = "100 units and 2000 updates; the paper's networks have 300 and 10 000"
#: Why claims are thought to fail.
FEW = "as published in the mean, but networks scatter more than 5 seeds can average"
DALE = (
    "as published in the mean, but some networks with Dale's law turn their representation wholly "
    "and some hardly, and two of five do not learn DMS in 2000 updates"
)
TYPES = (
    "our blocks lower the effective rank by 2 % only; what the paper took from measured cell types "
    "we could not read"
)
MATCH = (
    "fails clearly here, as in our first trials with 8 seeds; 3 seeds of the independent networks "
    "had +0.19, with a scatter of 0.25. Perhaps 2000 updates or 100 units are too few"
)
OUTLIER = "as published in the mean, but by one or two of 5 seeds, which change much more"

FADES = (
    "at gain 0.8 half of the networks do not learn to remember the sample in 2000 updates, so that "
    "there is nothing to compare; more updates: --set steps=6000"
)


def _in_errors(text: str) -> str:
    return f"{text}, Gaussian minus this, in standard errors over seeds"


#: Notes of single claims, by their text.
NOTES: dict[str, str] = {
    "2AF, gain 0.8: alignment of the kernels, full rank minus rank 1, in standard errors over "
    "seeds": FEW,
    "DMS, both gains: share of networks that learned": FADES,
    "DMS, gain 0.8: alignment of the kernels, full rank minus rank 1": FADES,
    "DMS, gain 0.8: alignment of the kernels, full rank minus rank 1, in standard errors over "
    "seeds": FADES,
    "DMS: this difference at gain 0.8 over that at gain 1.25": FADES,
    "DMS: change of the weights, rank 1 minus full rank": MATCH,
    "DMS: change of the weights, rank 1 minus full rank, in standard errors over seeds": MATCH,
    "CXT: change of the weights, rank 1 minus full rank, in standard errors over seeds": OUTLIER,
    "Dale's law, DMS: share of networks that learned": DALE,
    _in_errors("Dale's law, 2AF: alignment of the representations"): DALE,
    _in_errors("Dale's law, DMS: alignment of the representations"): DALE,
    _in_errors("cell types, 2AF: alignment of the kernels"): TYPES,
    _in_errors("cell types, 2AF: alignment of the representations"): TYPES,
    _in_errors("cell types, DMS: alignment of the kernels"): TYPES,
    "cell types, DMS: alignment of the representations, Gaussian minus this": TYPES,
    _in_errors("cell types, DMS: alignment of the representations"): TYPES,
    _in_errors("chain motifs, 2AF: alignment of the kernels"): FEW,
    _in_errors("chain motifs, DMS: alignment of the kernels"): FEW,
}


def _claim(
    experiment: str,
    text: str,
    source: str,
    published: float | str,
    accept: Accept,
    measure: Callable,
    sizes: tuple[str, ...] = FULL,
) -> Claim:
    """A claim with the note that belongs to it."""
    note = NOTES.get(text, SCALED)
    return Claim(text, source, published, accept, measure, experiment, sizes, note)


def _compared(
    experiment: str,
    text: str,
    source: str,
    name: str,
    pair: tuple[dict, dict],
    published: float | str = "> 0",
    least: float = 0.0,
    sizes: tuple[str, ...] = FULL,
) -> list[Claim]:
    """A difference of means over seeds, and the same in its standard errors."""
    original = INDEPENDENT if published != "> 0" else source
    return [
        _claim(
            experiment, text, original, published, at_least(least),
            mean_difference(name, *pair), sizes,
        ),
        _claim(
            experiment, f"{text}, in standard errors over seeds", source, "> 0", at_least(2),
            in_standard_errors(name, *pair),
        ),
    ]  # fmt: skip


def _share(experiment: str, who: str, where: dict, sizes: tuple[str, ...] = FULL) -> Claim:
    """How many of the networks can be compared."""
    return _claim(
        experiment, f"{who}: share of networks that learned", CRITERION, 1, at_least(0.9),
        lambda ds: float(ds.learned.sel(where).mean()), sizes,
    )  # fmt: skip


#: Differences between full rank and rank 1 of the independent re-implementation, and the least of
#: them that is accepted: of the kernels' alignment, and of the representations'.
FOUND = {"2AF": ((0.265, 0.12), (0.387, 0.05), 0.106), "DMS": ((0.398, 0.2), (0.161, 0.05), 0.187)}


def _initial_rank(task: str) -> list[Claim]:
    experiment, rises = "initial_rank", "[Fig. 1] rises with rank"
    kernel, representation, weights = FOUND.get(task, (("> 0", 0.0), ("> 0", 0.0), "> 0"))
    sizes = SIZES if task in FOUND else FULL
    full, one = {"task": task, "rank": "full"}, {"task": task, "rank": 1}
    return [
        _share(experiment, task, {"task": task}, sizes),
        *_compared(
            experiment, f"{task}: alignment of the kernels, full rank minus rank 1", rises,
            "kernel_alignment", (full, one), *kernel, sizes,
        ),
        _claim(
            experiment, f"{task}: rank correlation of the rank and the kernels' alignment", rises,
            "> 0", at_least(0.5), rank_correlation(task, "kernel_alignment"),
        ),
        *_compared(
            experiment, f"{task}: alignment of the representations, full rank minus rank 1",
            rises, "representation_alignment", (full, one), *representation,
        ),
        *_compared(
            experiment, f"{task}: change of the weights, rank 1 minus full rank",
            "[Fig. 1] falls with rank", "weight_change", (one, full), weights,
        ),
        _claim(
            experiment, f"{task}: correlation of the initial kernel's alignment with the targets "
            "and of the kernels' alignment, over networks", "[Fig. 4] rich where it is low",
            "> 0", at_least(0), correlation(task, "target_alignment", "kernel_alignment"),
        ),
    ]  # fmt: skip


def _accuracies() -> list[Claim]:
    def least(task: str) -> Callable:
        def measure(ds: xr.Dataset) -> float:
            one = ds.sel(task=task)
            return float(one.accuracy.where(one.learned).mean("seed").min())

        return measure  # fmt: skip

    return [
        _claim(
            "initial_rank", f"{task}: accuracy, least of the ranks, mean over seeds that learned",
            INDEPENDENT, found, at_least(accepted), least(task), SIZES,
        )
        for task, accepted, found in (("2AF", 0.78, 0.85), ("DMS", 0.95, 1.0))
    ]  # fmt: skip


def _dynamical_regime(task: str) -> list[Claim]:
    experiment, sizes = "dynamical_regime", SIZES if task == "2AF" else FULL

    def pair(gain: float) -> tuple[dict, dict]:
        at = {"task": task, "gain": gain}
        return at | {"rank": "full"}, at | {"rank": 1}

    def shrinks(ds: xr.Dataset) -> float:
        small, large = (
            mean_difference("kernel_alignment", *pair(gain))(ds) for gain in (0.8, 1.25)
        )
        return small / large

    return [
        _share(experiment, f"{task}, both gains", {"task": task}, sizes),
        _claim(
            experiment, f"{task}, gain 0.8: largest spectral radius of the initial weights",
            "[derived] below sqrt(2), not chaotic", "< 1.4142", at_most(2**0.5),
            lambda ds: float(ds.spectral_radius.sel(task=task, gain=0.8).max()), sizes,
        ),
        *_compared(
            experiment, f"{task}, gain 0.8: alignment of the kernels, full rank minus rank 1",
            "[supplement] the same sign", "kernel_alignment", pair(0.8), sizes=sizes,
        ),
        _claim(
            experiment, f"{task}: this difference at gain 0.8 over that at gain 1.25",
            "[supplement] smaller", "< 1", at_most(1), shrinks,
        ),
    ]  # fmt: skip


def _circuit_structure(name: str) -> list[Claim]:
    experiment = "circuit_structure"

    def rank(ds: xr.Dataset) -> float:
        found = ds.effective_rank
        return float((found.sel(structure=name) / found.sel(structure="Gaussian")).max())

    claims = [
        _claim(
            experiment, f"{name}: effective rank of the initial weights over that of Gaussian ones",
            "[Fig. 2] lower", "< 1", at_most(0.99), rank, SIZES,
        )
    ]  # fmt: skip
    for task in ("2AF", "DMS"):
        where, sizes = {"task": task, "structure": name}, SIZES if task == "2AF" else FULL
        claims.append(_share(experiment, f"{name}, {task}", where, sizes))
        pair = tuple({"task": task, "structure": one} for one in ("Gaussian", name))
        for what, variable in (("kernels", "kernel_alignment"),
                               ("representations", "representation_alignment")):  # fmt: skip
            claims += _compared(
                experiment, f"{name}, {task}: alignment of the {what}, Gaussian minus this",
                "[Fig. 2] richer", variable, pair,
                sizes=SIZES if (task, what) == ("2AF", "kernels") else FULL,
            )  # fmt: skip
    return claims


CLAIMS = (
    *(claim for task in TASKS for claim in _initial_rank(task)),
    *_accuracies(),
    *(claim for task in ("2AF", "DMS") for claim in _dynamical_regime(task)),
    *(claim for name in STRUCTURES[1:] for claim in _circuit_structure(name)),
    *LINEAR_CLAIMS,
)
