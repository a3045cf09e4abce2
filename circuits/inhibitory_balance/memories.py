"""Memories: a network balances itself, stores two assemblies, hides them, and recalls one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import model

if TYPE_CHECKING:
    import xarray as xr

    import neurodyn as nd
    from neurodyn.spike_trains import SpikeTrains

__all__ = ["memories"]

#: Step, s.
DT = 0.1e-3
#: Bins of the course of the rates, and of spike counts that are correlated, s.
COURSE_BIN, COUNT_BIN = 0.25, 50e-3
#: Neurons of each group of which spikes are kept for the raster, and the time that it shows, s.
RASTER_ROWS, RASTER_TIME = 60, 0.5
#: Durations of the phases, s, and how much faster than the paper's the synapses learn in the long
#: ones.
MEMORIES = {
    "fast": {"n_exc": 1600, "trials": 2, "learning": 60.0, "acceleration": 10.0, "window": 10.0},
    "full": {"n_exc": 8000, "trials": 5, "learning": 100.0, "acceleration": 10.0, "window": 20.0},
}


def memories(*, size: Literal["fast", "full"] = "fast", rng: int = 0, n_exc: int | None = None,
             trials: int | None = None, learning: float | None = None,
             acceleration: float | None = None) -> xr.Dataset:
    """A network balances itself, stores two assemblies, hides them, and recalls one from a part.

    Phases: *unbalanced*, without inhibition of excitatory neurons; *balanced*, after their
    inhibitory synapses have learned; *stored*, with excitatory synapses within two assemblies five
    times as strong; *rebalanced*, after inhibition has learned again; *cue*, while a quarter of
    assembly 1 is driven from outside; *after the cue*.

    Parameters
    ----------
    size : {"fast", "full"}
        1600 or 8000 excitatory neurons, which learn twice for 60 or 100 s.
    rng : int
        Seed of connections, first potentials and the cue's spikes.
    n_exc : int
        Excitatory neurons; a fourth of it inhibitory ones. Neurons have as many synapses as in the
        paper whatever it is. None: as `size` says, like the others.
    trials : int
        Runs with the same connections and other first potentials.
    learning : float, s
        How long synapses learn before *balanced*, and again before *rebalanced*.
    acceleration : float
        Learning rate in these times, over the paper's, with which all else runs.

    Returns
    -------
    xarray.Dataset
        Rates, CVs, correlations and strength of inhibition over (phase, group, trial).
    """
    import xarray as xr

    s = dict(MEMORIES[size])
    given = {"n_exc": n_exc, "trials": trials, "learning": learning, "acceleration": acceleration}
    s |= {name: value for name, value in given.items() if value is not None}
    for name in ("trials", "learning", "acceleration"):
        if not s[name] > 0:
            raise ValueError(f"`{name}` must be positive; got {s[name]!r}")
    if abs(s["learning"] / COURSE_BIN - round(s["learning"] / COURSE_BIN)) > 1e-9:
        raise ValueError(f"`learning` must be a multiple of {COURSE_BIN} s; got {s['learning']}")
    seeds = np.random.SeedSequence(rng).spawn(2)
    net = model.memory_network(s["n_exc"], rng=seeds[0])
    plan = _plan(net, s)
    found, course, raster = _perform(plan, s["trials"], seeds[1])
    dims = ("phase", "group", "trial")
    time, rates = (np.concatenate(parts, axis=-1) for parts in zip(*course))
    phase, spike_time, spike_row = np.concatenate(raster, axis=1)
    return xr.Dataset({
        "rate": labelled(dims, found["rate"], "mean rate", "Hz"),
        "cv": labelled(dims, found["cv"], "mean CV of the intervals between spikes"),
        "correlation": labelled(dims, found["correlation"],
                                "mean correlation of the spike counts of pairs in 50 ms"),
        "inhibition": labelled(dims, found["inhibition"],
                               "mean inhibitory peak conductance", "nS"),
        "pair_rate": labelled(dims, found["pair_rate"], "rate at which independent spikes would "
                              "change inhibition as much as it changed", "Hz"),
        "course": labelled(("group", "time"), rates, "rate, first trial", "Hz"),
        "spike_time": labelled("spike", spike_time, "time of a spike in its phase's raster", "s"),
        "spike_row": labelled("spike", spike_row, "row of the raster"),
        "spike_phase": labelled("spike", phase.astype(int), "number of the spike's phase"),
    }, {"phase": [one.name for one in plan if one.name],
        "group": [*model.Groups(s["n_exc"]).measured, "inhibitory"],
        "time": ("time", time, {"units": "s", "long_name": "time"})},
        {"raster_rows": RASTER_ROWS,
         "phase_starts": [0.0, *np.cumsum([one.duration for one in plan])]})


class Phase(NamedTuple):
    """One part of the experiment: a network, for how long, and how fast it learns."""

    name: str                   # empty: only learning, nothing is measured
    network: nd.Network
    duration: float             # s
    acceleration: float         # learning rate over the paper's


def _plan(net: nd.Network, s: dict) -> list[Phase]:
    """The phases in their order."""
    stored = model.with_assemblies(net)
    cue = model.parameters()["cue_duration"].value
    return [
        Phase("unbalanced", net, 0.5, 0.0),
        Phase("", net, s["learning"], s["acceleration"]),
        Phase("balanced", net, s["window"], 1.0),
        Phase("stored", stored, 5.0, 1.0),
        Phase("", stored, s["learning"], s["acceleration"]),
        Phase("rebalanced", stored, s["window"], 1.0),
        Phase("cue", stored, cue, 1.0),
        Phase("after the cue", stored, 4.0, 1.0),
    ]


def _perform(plan: list[Phase], trials: int, rng: np.random.SeedSequence) -> tuple:
    """Run the phases: statistics by name (phase, group, trial), courses, rasters."""
    import neurodyn as nd

    groups = model.Groups(plan[0].network.populations["E"].size).measured
    start = sum(phase.duration for phase in plan[:[phase.name for phase in plan].index("cue")])
    inputs = {"cue.rate": nd.signals.Pulse(start=start, value=model.parameters()["cue_rate"],
                                           duration=model.parameters()["cue_duration"])}
    record = {"E.spike": slice(0, groups["control"].stop), "I.spike": slice(None)}
    inhibition = np.zeros((len(groups) + 1, trials))
    run, rows, course, raster = None, [], [], []
    for phase in plan:
        begin = {"trials": trials, "rng": rng} if run is None else {"initial": run}
        run = nd.simulate(model.with_learning_rate(phase.network, phase.acceleration),
                          nd.ExponentialEuler(DT), phase.duration, inputs=inputs, record=record,
                          **begin)
        trains, before = _trains(run, groups), inhibition
        inhibition = _inhibition(run, phase.network, groups)
        course.append(_course(trains))
        if phase.name:
            row = _statistics(trains) | {"inhibition": inhibition}
            row["pair_rate"] = _pair_rate(inhibition - before, row["rate"], phase.duration,
                                          phase.acceleration)
            rows.append(row)
            raster.append(_raster(trains, len(raster)))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}, course, raster


# ------------------------------------------------------------------------------ measurements

def _trains(run: xr.Dataset, groups: dict[str, slice]) -> dict[str, SpikeTrains]:
    """Spike trains of all trials by group."""
    from neurodyn import analyses

    found = {name: analyses.spike_trains(run, "E", units=members)
             for name, members in groups.items()}
    return found | {"inhibitory": analyses.spike_trains(run, "I")}


def _statistics(trains: dict[str, SpikeTrains]) -> dict[str, np.ndarray]:
    """Rate, CV and correlation (group, trial)."""
    from neurodyn import analyses

    measures = {
        "rate": lambda one: analyses.firing_rates(one).mean,
        "cv": lambda one: analyses.interval_cv(one, min_intervals=5).mean,
        "correlation": lambda one: analyses.count_correlation(one, COUNT_BIN).mean,
    }
    return {name: np.array([[measure(group.select(trial=k)) for k in range(group.n_trials)]
                            for group in trains.values()]) for name, measure in measures.items()}


def _inhibition(run: xr.Dataset, net: nd.Network, groups: dict[str, slice]) -> np.ndarray:
    """Mean inhibitory peak conductance onto each group (group, trial), nS; NaN for inhibitory."""
    coupling = dict(zip(net.coupling_labels, net.couplings, strict=True))[model.NETWORK_SYNAPSES]
    first = coupling.weights.indptr                  # synapses are in the order of their targets
    w = 1e9 * run[f"{model.NETWORK_SYNAPSES}.w.final"].values
    found = [w[:, first[members.start]:first[members.stop]].mean(axis=1)
             for members in groups.values()]
    return np.array([*found, np.full(len(w), np.nan)])


def _pair_rate(change: np.ndarray, rate: np.ndarray, duration: float,
               factor: float) -> np.ndarray:
    """The rate of a group to which its pairs of spikes with inhibitory neurons amount, Hz.

    With independent spikes a synapse changes by ``eta 2 tau_stdp (rate - rho_0)`` for every
    inhibitory spike. NaN where nothing was learned.
    """
    p = model.parameters()
    eta, two_tau = 1e9 * factor * p["eta_network"].value, 2 * p["tau_stdp"].value
    with np.errstate(invalid="ignore", divide="ignore"):
        per_spike = change / (eta * rate[-1] * duration)
    return np.where(factor > 0, p["rho_0"].value + per_spike / two_tau, np.nan)


def _course(trains: dict[str, SpikeTrains]) -> tuple[np.ndarray, np.ndarray]:
    """Times of bins, and the rate of each group (group, bin) in the first trial, Hz."""
    from neurodyn import analyses

    found = [analyses.population_rate(group.select(trial=0), COURSE_BIN)
             for group in trains.values()]
    return found[0].time, np.array([one.rate[0] for one in found])


def _raster(trains: dict[str, SpikeTrains], phase: int) -> np.ndarray:
    """Phase, time and row (3, spike) of the first trial's spikes in the phase's last moments."""
    columns = []
    for i, group in enumerate(trains.values()):
        stop = group.t_stop
        shown = group.select(trial=0, t_start=stop - RASTER_TIME,
                             units=slice(0, min(RASTER_ROWS, group.n_units)))
        columns.append((np.full(shown.time.size, phase), shown.time - (stop - RASTER_TIME),
                        shown.unit + i * RASTER_ROWS))
    return np.concatenate(columns, axis=1)
