"""What is published about the circuit, and how it is measured on our run.

All numbers and their sources are in ``data/potjans_diesmann_2014_activity.csv``. Tolerances were
set before the runs that they judge:

*Full size.* Each published run is of one random network, and they differ: by up to 10 % in rates
(the two versions of NEST's example: 0.903 and 0.971 Hz in L2/3E, 1.105 and 0.991 Hz in L6E), by up
to 24 % in synchrony (the published network and the same at 80 % of the size). Within these, ours
must lie. Means of the CV are printed to three digits and differ by at most 0.003 from those of ten
networks; 0.03 leaves room for the minimum of spikes that a neuron's CV needs, which is not stated.

*Fast size.* The scaled network has other rates than the full one, and ours are compared with NEST's
of the same scale: within 4.5 standard deviations of a network's value from the mean of NEST's five.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.experiments import Accept, Claim, at_least, at_most, between, within

from .model import POPULATIONS, published

if TYPE_CHECKING:
    import xarray as xr

_MAIN = "spontaneous_activity"
#: Relative tolerance of rates and synchrony at full size, absolute one of CVs.
_RATE, _SYNCHRONY, _CV = 0.1, 0.25, 0.03
#: How many standard deviations between networks a single one may be off.
_DEVIATIONS = 4.5
_NAMES = {"rate_hz": "rate (Hz)", "cv": "CV of intervals", "synchrony": "synchrony"}


def value(name: str, population: str) -> Callable[[xr.Dataset], float]:
    """Measure: a variable of one population."""
    return lambda ds: float(ds[name].sel(population=population))


def _full(experiment: str, background: str, quantity: str, source: str, table: str,
          accept: Callable[[float], Accept]) -> list[Claim]:  # fmt: skip
    """Claims about each population of which `source` publishes a number."""
    (row,) = (p for p in published(1.0, background, quantity) if p.source == source)
    return [
        Claim(f"{population}: {_NAMES[quantity]}", table, float(number), accept(float(number)),
              value(quantity, population), experiment, sizes=("full",))
        for population, number in zip(POPULATIONS, row.numbers, strict=True)
        if not np.isnan(number)
    ]  # fmt: skip


def _scaled() -> list[Claim]:
    """Claims about the scaled network, measured on NEST."""
    found = []
    for quantity, name in _NAMES.items():
        spread = quantity.removesuffix("_hz") + "_sd"
        (mean,), (sd,) = (published(0.1, "poisson", q) for q in (quantity, spread))
        for k, population in enumerate(POPULATIONS):
            margin = _DEVIATIONS * sd.numbers[k] * np.sqrt(1 + 1 / 5)
            found.append(Claim(
                f"{population}: {name}, a tenth of the network",
                "NEST 3.10, mean of 5 networks", float(mean.numbers[k]),
                within(float(mean.numbers[k]), absolute=float(margin)),
                value(quantity, population), _MAIN, sizes=("fast",),
            ))  # fmt: skip
    return found


def _comparisons(experiment: str) -> list[Claim]:
    text = "order of the published rates"
    found = [
        Claim(f"Layer {layer}: rate of inhibitory over excitatory neurons", text, "> 1",
              at_least(1.0),
              lambda ds, i=2 * k: float(ds.rate_hz[i + 1] / ds.rate_hz[i]), experiment)
        for k, layer in enumerate(("2/3", "4", "5", "6"))
    ]  # fmt: skip
    found += [
        Claim("Lowest rate of L4E and L5E over the highest of L23E and L6E", text, "> 1",
              at_least(1.0),
              lambda ds: float(min(ds.rate_hz[2], ds.rate_hz[4])
                               / max(ds.rate_hz[0], ds.rate_hz[6])), experiment),
        Claim("Highest rate of excitatory neurons: the layer", text, "5",
              between(5, 5),
              lambda ds: float((2.3, 4, 5, 6)[int(ds.rate_hz.values[::2].argmax())]), experiment),
        Claim("Asynchronous and irregular: highest rate (Hz)", text, "< 30", at_most(30),
              lambda ds: float(ds.rate_hz.max()), experiment),
    ]  # fmt: skip
    return found


def _asynchronous_irregular() -> list[Claim]:
    text = "criterion for asynchronous irregular activity (Shimoura et al. 2018, code)"
    return [
        Claim("Asynchronous and irregular: smallest CV", text, "> 0.7", at_least(0.7),
              lambda ds: float(ds.cv.min()), _MAIN, sizes=("full",)),
        Claim("Asynchronous and irregular: largest CV", text, "< 1.2", at_most(1.2),
              lambda ds: float(ds.cv.max()), _MAIN),
        Claim("Asynchronous and irregular: largest synchrony", text, "< 8", at_most(8),
              lambda ds: float(ds.synchrony.max()), _MAIN),
    ]  # fmt: skip


def _rate(number: float) -> Accept:
    return within(number, relative=_RATE)


def _cv(number: float) -> Accept:
    return within(number, absolute=_CV)


def _synchrony(number: float) -> Accept:
    return within(number, relative=_SYNCHRONY)


_ROMARO = "Romaro et al. (2021), "

CLAIMS = (
    *_full(_MAIN, "poisson", "rate_hz", "paper", "paper's text, as Romaro et al. (2021), table A.1",
           _rate),
    *_full(_MAIN, "poisson", "rate_hz", "NEST example", "NEST's example, full_mean_rates", _rate),
    *_full(_MAIN, "poisson", "cv", "NetPyNE", _ROMARO + "table A.3", _cv),
    *_full(_MAIN, "poisson", "synchrony", "NetPyNE", _ROMARO + "table A.5", _synchrony),
    *_scaled(),
    *_comparisons(_MAIN),
    *_asynchronous_irregular(),
    *_full("constant_background", "dc", "cv", "NetPyNE", _ROMARO + "table A.4", _cv),
    *_full("constant_background", "dc", "synchrony", "NetPyNE", _ROMARO + "table A.6", _synchrony),
    *_comparisons("constant_background"),
)  # fmt: skip
