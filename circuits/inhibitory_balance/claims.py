"""What the paper says, number by number, and how each is measured on our run.

Sources: ``[fig]`` the figure that the authors' code of the supplement makes, as they published it
with the code (ModelDB 143751; read to 5 %, but from one run, in which a current is averaged over
1.5 s, 15 correlation times of a signal, so that single currents are uncertain by a third);
``[script]`` the figure of their script of the network, there; ``[Fig. 4]`` the paper's Fig. 4 as
its reproduction in PyNN (Open Source Brain) describes it; ``[abstract]``; ``[derived]`` algebra.
What counts as agreement was fixed before the experiments were run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.experiments import Claim, at_least, at_most, between, within

if TYPE_CHECKING:
    import xarray as xr


def mean_of(name: str, **where: object) -> Callable:
    """Measure: mean of a variable over what is left, trials above all, of a selection."""
    return lambda ds: float(ds[name].sel(where).mean())


def ratio(name: str, over: dict, **where: object) -> Callable:
    """Measure: mean of a variable in one selection over that in another."""
    return lambda ds: float(ds[name].sel(where).mean() / ds[name].sel(where | over).mean())


def tuning_correlation(phase: str) -> Callable:
    """Measure: correlation over channels of excitatory and inhibitory current, mean over trials."""
    def measure(ds: xr.Dataset) -> float:
        found = ds.current.sel(phase=phase)
        return float(np.mean([
            np.corrcoef(found.sel(kind="excitatory", trial=k), found.sel(kind="inhibitory", trial=k)
                        )[0, 1] for k in ds.trial]))
    return measure


def seconds_until(rate: float) -> Callable:
    """Measure: first time at which the output rate is below `rate`, mean over trials."""
    def measure(ds: xr.Dataset) -> float:
        below = ds.output_rate.values < rate                              # (trial, time)
        time = ds.time.values + (ds.time.values[1] - ds.time.values[0])
        return float(np.mean(np.where(below.any(axis=1), time[below.argmax(axis=1)], np.inf)))
    return measure


def _detailed_balance() -> list[Claim]:
    experiment, claims = "detailed_balance", []
    for channel, strength in ((5, 670), (4, 420), (3, 215)):
        claims.append(Claim(
            f"Mean inhibitory peak conductance of channel {channel} after 150 s, pS", "[fig]",
            strength, within(strength, relative=0.2),
            lambda ds, c=channel: float(ds.strength.sel(channel=c).isel(time=-1).mean()),
            experiment))
    after = {"phase": "after"}
    claims += [
        Claim("Output rate in the first 1.5 s, Hz", "[fig]", 90, between(60, 120),
              lambda ds: float(ds.output_rate.isel(time=0).mean()), experiment),
        Claim("Time until the output rate is below 15 Hz, s", "[fig]", 10, at_most(20),
              seconds_until(15), experiment),
        Claim("Output rate, last 50 s, Hz", "[fig] scatters from 2 to 10; target 6.25", 6,
              between(4, 8), lambda ds: float(ds.output_rate.sel(time=slice(100, None)).mean()),
              experiment),
        Claim("Excitatory current of the preferred channel after learning, nA", "[fig]", 0.224,
              within(0.224, relative=0.35),
              mean_of("current", kind="excitatory", channel=5, **after), experiment),
        Claim("Excitatory current of channels 1, 2, 7 and 8 after learning, nA", "[fig]", 0.046,
              within(0.046, relative=0.25),
              mean_of("current", kind="excitatory", channel=[1, 2, 7, 8], **after), experiment),
        Claim("Inhibitory over excitatory current of the preferred channel, before learning",
              "[derived] weak, equal synapses", "< 0.5", at_most(0.5),
              ratio("current", {"kind": "excitatory"}, kind="inhibitory", channel=5,
                    phase="before"), experiment),
        Claim("Inhibitory over excitatory current of the preferred channel, after learning",
              "[fig]", 0.91, within(0.91, relative=0.15),
              ratio("current", {"kind": "excitatory"}, kind="inhibitory", channel=5, **after),
              experiment),
        Claim("Correlation of excitatory and inhibitory current over channels, after learning",
              "[fig] detailed balance", 0.998, at_least(0.95), tuning_correlation("after"),
              experiment),
        Claim("Correlation in time of excitatory and inhibitory current, after learning",
              "[fig] one mirrors the other", "> 0", at_least(0.5),
              lambda ds: float(ds.current_correlation.mean()), experiment,
              note="of the whole currents, every ms"),
    ]
    return claims


def _memories() -> list[Claim]:
    experiment = "memories"
    control = {"group": "control"}
    return [
        Claim("Without inhibition of excitatory neurons: their rate, Hz", "[script] saturated",
              "about 150", at_least(100), mean_of("rate", group="control", phase="unbalanced"),
              experiment, note="the script's excitatory synapses are ten times as weak"),
        Claim("Without inhibition of excitatory neurons: CV of the intervals", "[script] regular",
              "0", at_most(0.3), mean_of("cv", group="control", phase="unbalanced"), experiment),
        Claim("Balanced: rate of excitatory neurons, Hz", "[derived] rho_0", 3,
              within(3, relative=0.15), mean_of("rate", group="control", phase="balanced"),
              experiment,
              note="thought to fail because rho_0 is the balance of independent spikes; here an "
                   "inhibitory spike keeps its targets silent for a while, so that pairs are fewer "
                   "than by chance"),
        Claim("Balanced: rate to which the pairs of spikes amount, Hz", "[derived] rho_0", 3,
              within(3, relative=0.15), mean_of("pair_rate", group="control", phase="balanced"),
              experiment,
              note="from the change of the synapses; added when the rate itself was found above "
                   "rho_0"),
        Claim("Balanced: CV of the intervals", "[abstract] irregular", "about 1",
              between(0.7, 1.5), mean_of("cv", group="control", phase="balanced"), experiment),
        Claim("Balanced: mean correlation of spike counts in 50 ms", "[abstract] asynchronous",
              "about 0", at_most(0.05), mean_of("correlation", group="control", phase="balanced"),
              experiment),
        Claim("Assemblies stored: their rate over the control group's",
              "[Fig. 4] elevated activity", "> 1", at_least(1.5),
              ratio("rate", control, group="assembly 1", phase="stored"), experiment),
        Claim("Assemblies stored: correlation within one over the control group's",
              "[Fig. 4] more synchronised", "> 1", at_least(1.5),
              ratio("correlation", control, group="assembly 1", phase="stored"), experiment),
        Claim("Balanced again: rate of an assembly over the control group's",
              "[abstract] indiscernible from the background", 1, within(1, absolute=0.2),
              ratio("rate", control, group="assembly 1", phase="rebalanced"), experiment,
              note="thought to fail at fast size because learning has not ended after 60 s"),
        Claim("Balanced again: inhibition of an assembly over that of the control group",
              "[derived] detailed balance", "> 1", at_least(1.1),
              ratio("inhibition", control, group="assembly 1", phase="rebalanced"), experiment),
        Claim("Cue to a quarter of assembly 1: rate of the other three quarters, over before",
              "[abstract] reactivated by external stimuli", "> 1", at_least(2),
              ratio("rate", {"phase": "rebalanced"}, group="assembly 1", phase="cue"), experiment),
        Claim("Cue to assembly 1: CV of the other three quarters", "[Fig. 4] irregular", "about 1",
              at_least(0.5), mean_of("cv", group="assembly 1", phase="cue"), experiment),
        Claim("Cue to assembly 1: rate of assembly 2, over before", "[Fig. 4] nearly unaffected",
              1, within(1, absolute=0.5),
              ratio("rate", {"phase": "rebalanced"}, group="assembly 2", phase="cue"), experiment),
        Claim("Cue to assembly 1: rate of the control group, over before",
              "[Fig. 4] nearly unaffected", 1, within(1, absolute=0.5),
              ratio("rate", {"phase": "rebalanced"}, group="control", phase="cue"), experiment,
              note="thought to fail at fast size because spikes of a small network are more "
                   "correlated: the assembly fires at 60 Hz instead of 40"),
    ]


CLAIMS = (*_detailed_balance(), *_memories())
