"""The model in the sessions of the recordings from V1, analysed as those were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import measures, model
from .comparison import CASES, compare

if TYPE_CHECKING:
    import xarray as xr

    from .model import Ring

__all__ = ["recording_sessions"]

#: Probability of the adapter in each session of the recordings.
SESSIONS = (0.50, 0.35, 0.35, 0.50, 0.50, 0.50, 0.50, 0.40, 0.40, 0.30, 0.30)

#: The recordings' 13 groups of neurons and 21 orientations, deg; both ends are included there.
GROUPS, TESTED = np.linspace(-90, 90, 13), np.linspace(-90, 90, 21)


def recording_sessions(*, size: Literal["fast", "full"] = "fast", rng: int = 0) -> xr.Dataset:
    """The model in the sessions of the recordings from V1, analysed as those were.

    Neurons are grouped by preferred orientation in 13 bins, tuning curves have 21 orientations, and
    each is normalised by the minimum and the height of its unadapted version. (Both ends of the
    scales are the same orientation; statistics count it once.)

    Parameters
    ----------
    size : {"fast", "full"}
        60 or 120 neurons.
    rng : int
        Not used: nothing here is random.

    Returns
    -------
    xarray.Dataset
        Over `session`, and over `subset`: the sessions with an adapter probability of 0.5, and the
        others.
    """
    import xarray as xr

    population = model.ring(60 if size == "fast" else 120)
    found = {p: _grouped(population, p) for p in sorted(set(SESSIONS))}
    sessions = [found[p] for p in SESSIONS]
    high = np.array(SESSIONS) == 0.5
    subsets = {"high": high, "low": ~high}

    def mean(name: str) -> list[np.ndarray]:
        return [
            np.mean([one[name] for one, kept in zip(sessions, members) if kept], axis=0)
            for members in subsets.values()
        ]

    scales = {"units": "deg"}
    return xr.Dataset(
        {
            "adapter_probability": labelled(
                "session", list(SESSIONS), "probability of the adapter"
            ),
            "curve": labelled(
                ("subset", "context", "group", "orientation"),
                mean("curve"),
                "normalised tuning curve, mean over sessions",
            ),
            "covariance": labelled(
                ("subset", "case", "group", "group_b"),
                mean("covariance"),
                "covariance of normalised responses, mean over sessions",
            ),
            "covariance_distance": labelled(
                ("session", "case"),
                [one["covariance_distance"] for one in sessions],
                "distance of the covariance from the control's",
            ),
            "cv": labelled(
                ("session", "case"),
                [one["cv"] for one in sessions],
                "CV over groups of the mean normalised response",
            ),
        },
        {
            "subset": list(subsets),
            "context": ["control", "adapted"],
            "case": list(CASES),
            "group": ("group", GROUPS, scales | {"long_name": "preferred orientation"}),
            "group_b": ("group_b", GROUPS, scales | {"long_name": "preferred orientation"}),
            "orientation": ("orientation", TESTED, scales | {"long_name": "orientation"}),
        },
    )


def _grouped(population: Ring, adapter_probability: float) -> dict[str, np.ndarray]:
    """Normalised tuning curves of the groups and their statistics in one session."""
    S = len(population.stimulus)
    p = model.biased_ensemble(S, adapter_probability=adapter_probability)
    pair = compare(population, p)["response"]
    low, high = pair[0].min(axis=1)[:, None], pair[0].max(axis=1)[:, None]
    width = GROUPS[1] - GROUPS[0]
    members = [np.abs(model.wrapped(population.preferred - group)) <= width / 2 for group in GROUPS]
    curve = np.array(
        [[((R - low) / (high - low))[own].mean(axis=0) for own in members] for R in pair]
    )  # (context, group, S)
    # the probabilities of the 9-deg bins are given to the orientations in their middle
    middle = [int(np.argmin(np.abs(model.wrapped(population.stimulus - o)))) for o in TESTED]
    curve = curve[..., middle]
    bins = S // 20
    q, uniform = bins * p[middle[:-1]], np.full(20, 1 / 20)
    before, after = curve[..., :-1]
    seen = ((before, uniform), (before, q), (after, q))
    C = np.array([measures.covariance(R, probability) for R, probability in seen])
    return {
        "curve": curve,
        "covariance": C,
        "covariance_distance": np.array(
            [measures.distance(one[:-1, :-1], C[0, :-1, :-1]) for one in C]
        ),
        "cv": np.array(
            [measures.coefficient_of_variation((R @ probability)[:-1]) for R, probability in seen]
        ),
    }
