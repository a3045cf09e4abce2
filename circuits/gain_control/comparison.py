"""A population in the uniform and in a biased ensemble, and all measures between the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import gains, measures, model

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

    from .model import Ring

__all__ = ["CASES", "LABELS", "compare", "dataset", "orientations"]

#: Responses and ensembles that are compared: "without" adaptation has the gains of the control.
CASES = ("control", "without", "with")


def compare(
    population: Ring, p: np.ndarray, *, alpha: float = 1.0, gamma: float = 1.0
) -> dict[str, Any]:
    """Gains and responses in the uniform and in the ensemble `p`, and all measures between them.

    Returns
    -------
    dict
        Arrays over neurons, or over `CASES` (and neurons), and numbers.
    """
    uniform = model.uniform_ensemble(len(population.stimulus))
    penalties = {"alpha": alpha, "gamma": gamma}
    g = np.array([gains.optimal_gains(population, q, **penalties) for q in (uniform, p)])
    before, after = (population.responses(one) for one in g)
    seen = ((before, uniform), (before, p), (after, p))
    C = np.array([measures.covariance(R, q) for R, q in seen])
    correlation = np.array([measures.correlation(one) for one in C])
    mean = np.array([R @ q for R, q in seen])
    size = before.max(axis=1) - before.min(axis=1)
    return {
        "gain": g,
        "gain_ratio": g[1] / g[0],
        "response": np.array([before, after]),
        "max_ratio": after.max(axis=1) / before.max(axis=1),
        "min_change": (after.min(axis=1) - before.min(axis=1)) / size,
        "repulsion": measures.repulsion(population.preferred, before, after),
        "mean_response": mean,
        "covariance": C,
        "cv": np.array([measures.coefficient_of_variation(one) for one in mean]),
        "activity": mean.mean(axis=1) / mean[0].mean(),
        "covariance_distance": np.array([measures.distance(one, C[0]) for one in C]),
        "correlation_distance": np.array(
            [measures.distance(one, correlation[0]) for one in correlation]
        ),
        "near_correlation": np.array(
            [measures.mean_near(one, population.preferred) for one in correlation]
        ),
        "objective": np.array(
            [[gains.objective(population, one, q, **penalties) for q in (uniform, p)] for one in g]
        ),
    }


#: Dimensions, unit and name of what `compare` finds.
LABELS = {
    "gain": (("context", "neuron"), "1", "optimal gain"),
    "gain_ratio": (("neuron",), "1", "gain, adapted over control"),
    "response": (("context", "neuron", "orientation"), "1", "response"),
    "max_ratio": (("neuron",), "1", "largest response, adapted over control"),
    "min_change": (("neuron",), "1", "change of the smallest response, over the curve's height"),
    "repulsion": (("neuron",), "deg", "shift of the peak away from the adapter"),
    "mean_response": (("case", "neuron"), "1", "mean response over the ensemble"),
    "covariance": (("case", "neuron", "neuron_b"), "1", "covariance of responses"),
    "cv": (("case",), "1", "CV over neurons of the mean response"),
    "activity": (("case",), "1", "mean activity over the control's"),
    "covariance_distance": (("case",), "1", "distance of the covariance from the control's"),
    "correlation_distance": (("case",), "1", "distance of the correlations from the control's"),
    "near_correlation": (("case",), "1", "mean correlation of neurons near the adapter"),
    "objective": (("context", "ensemble"), "1", "objective"),
}


def dataset(
    found: list[dict[str, Any]], over: str, names: list[Any], leave_out: Iterable[str] = ()
) -> xr.Dataset:
    """What `compare` found for several models, over a dimension of that name."""
    import xarray as xr

    left = set(leave_out)
    return xr.Dataset(
        {
            name: labelled((over, *dims), np.array([one[name] for one in found]), words, unit)
            for name, (dims, unit, words) in LABELS.items()
            if name not in left
        },
        {
            over: names,
            "context": ["control", "adapted"],
            "case": list(CASES),
            "ensemble": ["uniform", "biased"],
        },
    )


def orientations(population: Ring) -> dict[str, Any]:
    degrees = {"units": "deg"}
    preferred = degrees | {"long_name": "preferred orientation, relative to the adapter"}
    return {
        "neuron": ("neuron", population.preferred, preferred),
        "neuron_b": ("neuron_b", population.preferred, preferred),
        "orientation": (
            "orientation",
            population.stimulus,
            degrees | {"long_name": "orientation of the stimulus, relative to the adapter"},
        ),
    }
