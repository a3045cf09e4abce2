"""What the paper says of the linear network of two layers, and how it is measured.

``[theorem]`` and ``[proposition]`` are the paper's, in our closed form (`two_layer`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.experiments import Claim, at_least, at_most, between, within
from neurodyn.experiments.claims import SIZES

if TYPE_CHECKING:
    import xarray as xr

FULL = ("full",)
INDEPENDENT = "[independent]"


def largest_deviation(**where: Any) -> Callable:
    """Measure: largest distance of simulated and theoretical alignment over all networks."""
    return lambda ds: float(np.abs(ds.simulated - ds.theory).sel(where).max())


def _linear_theory() -> list[Claim]:
    experiment, claims = "linear_theory", []
    for sigma, least, sizes in ((0.01, 1e-3, SIZES), (0.1, 2e-3, FULL)):
        claims.append(
            Claim(
                f"sigma = {sigma:g}: largest deviation of simulated alignments from theory",
                "[theorem]",
                0,
                at_most(least),
                largest_deviation(sigma=sigma),
                experiment,
                sizes,
            )
        )
    small = {"sigma": 0.01}
    claims += [
        Claim(
            "Largest error of a task after learning, relative",
            INDEPENDENT,
            "1e-9",
            at_most(1e-9),
            lambda ds: float(ds.error.max()),
            experiment,
        ),
        Claim(
            "Alignment of the kernels, full rank, mean over teachers",
            "[theorem]",
            0.96476,
            within(0.96476, absolute=1e-4),
            lambda ds: float(ds.simulated.sel(initial="rank 10", **small).mean()),
            experiment,
        ),
        Claim(
            "Alignment of the kernels, aligned rank 1, least of the teachers",
            "[proposition]",
            1,
            within(1, absolute=1e-9),
            lambda ds: float(ds.simulated.sel(initial="aligned", **small).min()),
            experiment,
        ),
        Claim(
            "Full rank minus rank 3, mean over teachers",
            "[theorem] lazier",
            0.0092,
            at_least(0),
            _lazier("rank 10", "rank 3"),
            experiment,
        ),
        Claim(
            "Rank 3 minus rank 1, mean over teachers",
            "[theorem] lazier",
            0.0248,
            at_least(0),
            _lazier("rank 3", "rank 1"),
            experiment,
            FULL,
        ),
        Claim(
            "Largest change of W1 W1^T - W2^T W2 in learning, relative",
            "[theorem] gradient flow conserves it",
            0,
            at_most(1e-3),
            lambda ds: float(ds.drift.max()),
            experiment,
        ),
    ]
    for rank, mean in ((1, 0.93077), (3, 0.95559)):
        claims.append(
            Claim(
                f"Rank {rank}: mean over teachers, from the expectation {mean}, in standard errors",
                "[theorem]",
                0,
                between(-4, 4),
                _from_expectation(rank, mean),
                experiment,
                FULL,
            )
        )
    return claims


def _lazier(one: str, other: str) -> Callable:
    def measure(ds: xr.Dataset) -> float:
        found = ds.simulated.sel(sigma=0.01)
        return float((found.sel(initial=one) - found.sel(initial=other)).mean())

    return measure


def _from_expectation(rank: int, mean: float) -> Callable:
    def measure(ds: xr.Dataset) -> float:
        found = ds.simulated.sel(sigma=0.01, initial=f"rank {rank}").values
        return float((found.mean() - mean) / (found.std(ddof=1) / np.sqrt(found.size)))

    return measure


def _alignment_with_task() -> list[Claim]:
    experiment = "alignment_with_task"

    def mean_of(initial: str, kappa: float) -> Callable:
        return lambda ds: float(ds.simulated.sel(initial=initial, condition_number=kappa).mean())

    def over_full_rank(kappa: float) -> Callable:
        return lambda ds: (
            mean_of("rank 1, partly aligned", kappa)(ds) - mean_of("full rank", kappa)(ds)
        )

    return [
        Claim(
            "Largest deviation of a simulated alignment from the closed form",
            "[theorem]",
            0,
            at_most(1e-3),
            largest_deviation(),
            experiment,
        ),
        Claim(
            "Alignment of the kernels, aligned rank 1, least of all",
            "[proposition]",
            1,
            within(1, absolute=1e-9),
            lambda ds: float(ds.simulated.sel(initial="rank 1, aligned").min()),
            experiment,
        ),
        Claim(
            "Partly aligned rank 1 minus full rank, condition number 1",
            "[Fig. 3] no lazier than full rank",
            "-0.0042 by theory",
            at_most(0.01),
            over_full_rank(1.0),
            experiment,
            FULL,
        ),
        Claim(
            "Partly aligned rank 1 minus full rank, condition number 2",
            "[Fig. 3] lazier than full rank",
            "> 0",
            at_least(0),
            over_full_rank(2.0),
            experiment,
        ),
        Claim(
            "Partly aligned rank 1 minus full rank, condition number 8",
            "[Fig. 3] lazier than full rank",
            "> 0",
            at_least(0.02),
            over_full_rank(8.0),
            experiment,
        ),
        Claim(
            "Partly aligned rank 1, condition number 8: alignment of the kernels",
            "[derived] approaches 1",
            0.998,
            within(0.998, absolute=0.003),
            mean_of("rank 1, partly aligned", 8.0),
            experiment,
        ),
        Claim(
            "Full rank minus random rank 1, condition number 8",
            "[theorem] lazier",
            0.034,
            at_least(0),
            lambda ds: mean_of("full rank", 8.0)(ds) - mean_of("rank 1, random", 8.0)(ds),
            experiment,
        ),
    ]


LINEAR_CLAIMS = (*_linear_theory(), *_alignment_with_task())
