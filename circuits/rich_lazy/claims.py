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
from neurodyn.experiments.claims import SIZES

from .linear_claims import LINEAR_CLAIMS

if TYPE_CHECKING:
    import xarray as xr

FULL = ("full",)
INDEPENDENT = "[independent]"


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


# ---------------------------------------------------------------------- rank of initial weights


def _initial_rank() -> list[Claim]:
    experiment, claims = "initial_rank", []
    for task, least, found in (
        ("2AF", 0.12, 0.265),
        ("DMS", 0.2, 0.398),
        ("CXT", 0, None),
        ("digits", 0, None),
    ):
        sizes = SIZES if found else FULL
        full, one = {"task": task, "rank": "full"}, {"task": task, "rank": 1}
        claims += [
            Claim(
                f"{task}: share of networks that learned (criterion: 75 % of the way from "
                "chance to the best accuracy)",
                "[Fig. 1]",
                1,
                at_least(0.9),
                lambda ds, task=task: float(ds.learned.sel(task=task).mean()),
                experiment,
                sizes,
            ),
            Claim(
                f"{task}: alignment of the kernels, full rank minus rank 1",
                INDEPENDENT if found else "[Fig. 1] rises with rank",
                found or "> 0",
                at_least(least),
                mean_difference("kernel_alignment", full, one),
                experiment,
                sizes,
            ),
            Claim(
                f"{task}: the same in standard errors over seeds",
                "[Fig. 1] rises with rank",
                "> 0",
                at_least(2),
                in_standard_errors("kernel_alignment", full, one),
                experiment,
                FULL,
            ),
            Claim(
                f"{task}: rank correlation of the kernels' alignment with the rank, over ranks",
                "[Fig. 1] rises with rank",
                "> 0",
                at_least(0.5),
                rank_correlation(task, "kernel_alignment"),
                experiment,
                FULL,
            ),
            Claim(
                f"{task}: alignment of the representations, full rank minus rank 1",
                INDEPENDENT if found else "[Fig. 1] rises with rank",
                {"2AF": 0.387, "DMS": 0.161}.get(task, "> 0"),
                at_least(0.05 if found else 0),
                mean_difference("representation_alignment", full, one),
                experiment,
                FULL,
            ),
            Claim(
                f"{task}: change of the weights, rank 1 minus full rank",
                INDEPENDENT if found else "[Fig. 1] falls with rank",
                {"2AF": 0.106, "DMS": 0.187}.get(task, "> 0"),
                at_least(0),
                mean_difference("weight_change", one, full),
                experiment,
                FULL,
                note=WEIGHT_NOTE.get(task, ""),
            ),
            Claim(
                f"{task}: the same in standard errors over seeds",
                "[Fig. 1] falls with rank",
                "> 0",
                at_least(2),
                in_standard_errors("weight_change", one, full),
                experiment,
                FULL,
                note=WEIGHT_NOTE.get(task, ""),
            ),
            Claim(
                f"{task}: correlation of the initial kernel's alignment with the targets and of "
                "the kernels' alignment, over all networks",
                "[Fig. 4] rich where it is low",
                "> 0",
                at_least(0),
                correlation(task, "target_alignment", "kernel_alignment"),
                experiment,
                FULL,
                note=TARGET_NOTE.get(task, ""),
            ),
        ]
    for task, least, found in (("2AF", 0.78, 0.85), ("DMS", 0.95, 1.0)):
        claims.append(
            Claim(
                f"{task}: accuracy, least of the ranks, mean over seeds that learned",
                INDEPENDENT,
                found,
                at_least(least),
                _least_accuracy(task),
                experiment,
            )
        )
    return claims


#: Why claims are thought to fail.
WEIGHT_NOTE: dict[str, str] = {}
TARGET_NOTE: dict[str, str] = {}


def _least_accuracy(task: str) -> Callable:
    def measure(ds: xr.Dataset) -> float:
        one = ds.sel(task=task)
        return float(one.accuracy.where(one.learned).mean("seed").min())

    return measure


# ------------------------------------------------------------------ dynamics, and real structures


def _dynamical_regime() -> list[Claim]:
    experiment, claims = "dynamical_regime", []

    def at(task: str, gain: float, rank: Any) -> dict[str, Any]:
        return {"task": task, "gain": gain, "rank": rank}

    def shrinks(task: str) -> Callable:
        def measure(ds: xr.Dataset) -> float:
            small, large = (
                mean_difference("kernel_alignment", at(task, gain, "full"), at(task, gain, 1))(ds)
                for gain in (0.8, 1.25)
            )
            return small / large

        return measure

    for task, sizes in (("2AF", SIZES), ("DMS", FULL)):
        stable, control = at(task, 0.8, "full"), at(task, 0.8, 1)
        claims += [
            Claim(
                f"{task}, gain 0.8: largest spectral radius of initial weights of full rank",
                "[derived] below sqrt(2), not chaotic",
                "< 1.4142",
                at_most(2**0.5),
                lambda ds, task=task: float(
                    ds.spectral_radius.sel(task=task, gain=0.8, rank=ds["rank"].max()).max()
                ),
                experiment,
                sizes,
            ),
            Claim(
                f"{task}, gain 0.8: alignment of the kernels, full rank minus rank 1",
                "[supplement] the same sign",
                "> 0",
                at_least(0),
                mean_difference("kernel_alignment", stable, control),
                experiment,
                sizes,
            ),
            Claim(
                f"{task}, gain 0.8: the same in standard errors over seeds",
                "[supplement] the same sign",
                "> 0",
                at_least(2),
                in_standard_errors("kernel_alignment", stable, control),
                experiment,
                FULL,
            ),
            Claim(
                f"{task}: this difference at gain 0.8 over that at gain 1.25",
                "[supplement] smaller",
                "< 1",
                at_most(1),
                shrinks(task),
                experiment,
                FULL,
                note=REGIME_NOTE.get(task, ""),
            ),
        ]
    return claims


REGIME_NOTE: dict[str, str] = {}


def _circuit_structure() -> list[Claim]:
    experiment, claims = "circuit_structure", []
    for name in ("Dale's law", "cell types", "chain motifs"):
        claims.append(
            Claim(
                f"{name}: effective rank of the initial weights over that of Gaussian ones",
                "[Fig. 2] lower",
                "< 1",
                at_most(0.99),
                lambda ds, name=name: float(
                    (
                        ds.effective_rank.sel(structure=name)
                        / ds.effective_rank.sel(structure="Gaussian")
                    ).max()
                ),
                experiment,
            )
        )
        for task, sizes in (("2AF", SIZES), ("DMS", FULL)):
            control, other = ({"task": task, "structure": s} for s in ("Gaussian", name))
            claims += [
                Claim(
                    f"{name}, {task}: alignment of the kernels, Gaussian minus this",
                    "[Fig. 2] richer",
                    "> 0",
                    at_least(0),
                    mean_difference("kernel_alignment", control, other),
                    experiment,
                    sizes,
                    note=STRUCTURE_NOTE.get((name, task), ""),
                ),
                Claim(
                    f"{name}, {task}: the same in standard errors over seeds",
                    "[Fig. 2] richer",
                    "> 0",
                    at_least(2),
                    in_standard_errors("kernel_alignment", control, other),
                    experiment,
                    FULL,
                    note=STRUCTURE_NOTE.get((name, task), ""),
                ),
                Claim(
                    f"{name}, {task}: alignment of the representations, Gaussian minus this",
                    "[Fig. 2] richer",
                    "> 0",
                    at_least(0),
                    mean_difference("representation_alignment", control, other),
                    experiment,
                    FULL,
                ),
            ]
    return claims


STRUCTURE_NOTE: dict[tuple[str, str], str] = {}


CLAIMS = (*_initial_rank(), *_dynamical_regime(), *_circuit_structure(), *LINEAR_CLAIMS)
