"""The cortical microcircuit of Potjans & Diesmann (2014), as numbers for a simulator.

The table is ``data/potjans_diesmann_2014.csv``; its constants are below. A smaller network keeps
the mean and the variance of every neuron's input, as in NEST's example and van Albada, Helias &
Diesmann (2015): weights grow with 1/sqrt(scale), and a constant current replaces the lost mean.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent.parent / "data" / "potjans_diesmann_2014.csv"
#: ms, mV, pF. The inhibitory delay is 0.75 ms, as in NEST's example.
NEURON = {"tau_m": 10.0, "tau_syn": 0.5, "c_m": 250.0, "e_leak": -65.0, "v_th": -50.0,
          "v_reset": -65.0, "t_ref": 2.0}  # fmt: skip
DELAY = {"E": (1.5, 0.75), "I": (0.75, 0.375)}
PSP, WEIGHT_SD, G = 0.15, 0.1, -4.0
BACKGROUND_RATE, BACKGROUND_DELAY = 8.0, 1.5


def table() -> list[dict[str, str]]:
    """A record per population."""
    lines = TABLE.read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def parameters(scale: float) -> dict:
    """All that a simulator needs at a scale of the number of neurons and of in-degrees.

    Returns
    -------
    dict
        ``sizes`` and, at full scale, ``rate`` (Hz) of each population; ``synapses`` and ``weight``
        by ``[post][pre]``; ``weight_sd``: relative; ``delay`` and ``delay_sd`` by the source (ms);
        ``external_rate`` (Hz), ``external_weight`` (pA), ``current`` (pA), ``v0_mean`` and
        ``v0_sd`` (mV) of each population; and the constants of the neuron.
    """
    rows = {row["population"]: row for row in table()}
    names = list(rows)
    full = {name: int(rows[name]["size"]) for name in names}
    rate = {name: float(rows[name]["rate_hz"]) for name in names}
    background = {name: int(rows[name]["external_in_degree"]) for name in names}
    psc = PSP * current_per_potential()
    found = {"synapses": {}, "weight": {}, "current": {}}
    for post in names:
        number = {pre: _synapses(float(rows[post][f"from_{pre}"]), full[pre] * full[post])
                  for pre in names}  # fmt: skip
        weight = {pre: psc * (G if pre.endswith("I") else 1.0) for pre in names}
        if post == "L23E":
            weight["L4E"] *= 2
        mean = psc * background[post] * BACKGROUND_RATE + sum(
            weight[pre] * number[pre] / full[post] * rate[pre] for pre in names
        )
        found["synapses"][post] = {pre: round(number[pre] * scale**2) for pre in names}
        found["weight"][post] = {pre: weight[pre] / math.sqrt(scale) for pre in names}
        found["current"][post] = 1e-3 * NEURON["tau_syn"] * (1 - math.sqrt(scale)) * mean
    return {
        **found,
        **NEURON,
        "rate": rate,
        "sizes": {name: round(full[name] * scale) for name in names},
        "weight_sd": WEIGHT_SD,
        "delay": {name: DELAY[name[-1]][0] for name in names},
        "delay_sd": {name: DELAY[name[-1]][1] for name in names},
        "external_rate": {n: BACKGROUND_RATE * round(background[n] * scale) for n in names},
        "external_weight": psc / math.sqrt(scale),
        "external_delay": BACKGROUND_DELAY,
        "v0_mean": {name: float(rows[name]["v0_mean_mv"]) for name in names},
        "v0_sd": {name: float(rows[name]["v0_sd_mv"]) for name in names},
    }


def _synapses(p: float, pairs: int) -> float:
    """Number of synapses that leave a pair unconnected with probability 1 - p."""
    return math.log(1 - p) / math.log(1 - 1 / pairs) if p else 0.0


def current_per_potential() -> float:
    """Current of an exponential synapse over the peak of the potential that it evokes, pA / mV."""
    m, s = NEURON["tau_m"], NEURON["tau_syn"]
    peak = math.log(m / s) * m * s / (m - s)  # ms after the spike
    return NEURON["c_m"] * (m - s) / (m * s) / (math.exp(-peak / m) - math.exp(-peak / s))
