"""What the paper says, and how each statement is measured on our run.

The paper's figures were not at hand when this was written, so that numbers read off them are not
among the claims. Sources: ``[abstract]`` its abstract, ``[derived]`` algebra. How strong an effect
must be to count was fixed before the experiments were run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.experiments import Claim, at_least, at_most, between

if TYPE_CHECKING:
    import xarray as xr

ABSTRACT = "[abstract]"
BIMODAL = "[abstract] synapses compete; the bimodal distribution is the paper's Fig. 2"


def mean_over_trials(name: str, **where: object) -> Callable:
    """Measure: mean of a variable over trials, at coordinate values or, `_name`, index."""
    def measure(ds: xr.Dataset) -> float:
        found = ds[name]
        for key, at in where.items():
            found = found.isel({key[1:]: at}) if key.startswith("_") else found.sel({key: at})
        return float(found.mean())
    return measure


def share(low: float, high: float, k: int) -> Callable:
    """Measure: part of the synapses between `low` and `high` (of g_max) at the k-th input rate."""
    def measure(ds: xr.Dataset) -> float:
        g = ds.g.isel(rate=k).values
        return float(np.mean((g >= low) & (g <= high)))
    return measure


def middle_over_ends(k: int) -> Callable:
    """Measure: synapses in the middle fifth over the mean of the two outer fifths."""
    def measure(ds: xr.Dataset) -> float:
        ends = share(0, 0.2, k)(ds) + share(0.8, 1, k)(ds)
        return share(0.4, 0.6, k)(ds) / (ends / 2)
    return measure


def gain(condition: str) -> Callable:
    """Measure: d log(output rate) / d log(input rate), from the lowest to the highest."""
    def measure(ds: xr.Dataset) -> float:
        out = ds.output_rate.sel(condition=condition).mean("trial").values
        rate = ds.rate.values
        return float(np.log(out[-1] / out[0]) / np.log(rate[-1] / rate[0]))
    return measure


def _competition() -> list[Claim]:
    experiment, claims = "competition", []
    for k, at in ((0, "lowest input rate"), (-1, "highest input rate")):
        where = {"_rate": k}
        claims += [
            Claim(f"{at}: share of synapses within a fifth of 0 or of g_max", BIMODAL,
                  "most (0.4 if uniform)", at_least(0.6),
                  lambda ds, k=k: share(0, 0.2, k)(ds) + share(0.8, 1, k)(ds), experiment),
            Claim(f"{at}: synapses in the middle fifth over the mean of the outer fifths", BIMODAL,
                  "few", at_most(0.5), middle_over_ends(k), experiment),
            Claim(f"{at}: CV of the intervals, learned synapses", ABSTRACT, "irregular, about 1",
                  between(0.7, 1.2), mean_over_trials("cv", condition="learned", **where),
                  experiment),
            Claim(f"{at}: CV, learned synapses over all synapses at g_max", ABSTRACT,
                  "more irregular", at_least(1.3),
                  lambda ds, k=k: (mean_over_trials("cv", condition="learned", _rate=k)(ds)
                                   / mean_over_trials("cv", condition="all at g_max", _rate=k)(ds)),
                  experiment),
            Claim(f"{at}: potentiating over depressing pairs, synapses above g_max/2",
                  "[derived] they stay strong", "> 1.05", at_least(1.05),
                  mean_over_trials("pair_ratio", group="strong", **where), experiment),
            Claim(f"{at}: potentiating over depressing pairs, synapses below g_max/2",
                  "[derived] they stay weak", "< 1.05", at_most(1.05),
                  mean_over_trials("pair_ratio", group="weak", **where), experiment),
        ]
    claims += [
        Claim("Share of synapses within a fifth of g_max, highest over lowest input rate",
              "[abstract] balances synaptic strengths", "< 1", at_most(1),
              lambda ds: share(0.8, 1, -1)(ds) / share(0.8, 1, 0)(ds), experiment),
        Claim("Output rate with STDP: d log(output)/d log(input)", "Fig. 2, not checked",
              "nearly constant", at_most(0.5), gain("learned"), experiment, sizes=("full",),
              note="at fast size learning has not ended, and larger steps scatter the synapses"),
        Claim("Output rate with fixed synapses: d log(output)/d log(input)",
              "Fig. 2, not checked", "> 1", at_least(1), gain("fixed"), experiment,
              note="fixed at what STDP made of them at the lowest input rate"),
    ]
    return claims


def _latency() -> list[Claim]:
    experiment = "short_latency"
    return [
        Claim("Mean g/g_max of the earliest quarter of the inputs minus the latest quarter",
              ABSTRACT, "> 0", at_least(0.5),
              lambda ds: (mean_over_trials("g_by_latency", _quarter=0)(ds)
                          - mean_over_trials("g_by_latency", _quarter=-1)(ds)), experiment,
              note="thought to fail at full size because fewer inputs than a quarter are needed: "
                   "the earliest tenth takes it all"),
        Claim("Mean g/g_max of the latest quarter of the inputs", ABSTRACT, "weakened",
              at_most(0.25), mean_over_trials("g_by_latency", _quarter=-1), experiment,
              note="0.5 at the beginning"),
        Claim("Change of the response's latency by learning, ms",
              "[abstract] more sensitive to the timing of inputs", "< 0", at_most(0),
              lambda ds: 1e3 * (mean_over_trials("response_latency", phase="after")(ds)
                                - mean_over_trials("response_latency", phase="before")(ds)),
              experiment),
    ]


def _correlated() -> list[Claim]:
    experiment = "correlated_group"
    return [
        Claim("Mean g/g_max of the correlated inputs minus that of the others", ABSTRACT, "> 0",
              at_least(0.5),
              lambda ds: (mean_over_trials("g_by_group", group="correlated")(ds)
                          - mean_over_trials("g_by_group", group="uncorrelated")(ds)), experiment),
        Claim("Mean g/g_max of the uncorrelated inputs", ABSTRACT, "weakened", at_most(0.25),
              mean_over_trials("g_by_group", group="uncorrelated"), experiment, sizes=("full",),
              note="0.5 at the beginning; at fast size learning has not ended"),
    ]


CLAIMS = (*_competition(), *_latency(), *_correlated())
