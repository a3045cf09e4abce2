"""Spontaneous activity: rates, irregularity and synchrony of each population (figure 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.analyses.spikes.statistics import firing_rates, interspike_intervals
from neurodyn.analyses.spikes.synchrony_measures import synchrony
from neurodyn.circuits._sheet import labelled
from neurodyn.recorded_spikes import spike_trains
from neurodyn.spike_trains import SpikeTrains

from . import model

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["constant_background", "spontaneous_activity"]

#: Time step, what is left out before a measurement, bins of synchrony: s.
DT, TRANSIENT, BIN = 1e-4, 0.5, 3e-3
#: Synchrony and box plots are of so many neurons of a population, as in the paper.
N_SAMPLE = 1000
#: The raster: its length, s, and which part of the full populations it shows.
SHOWN, SHARE_SHOWN = 0.4, 0.025
#: Scale and model time, s, of each size. With constant background smaller networks fall silent:
#: the current that their neurons get from outside is below threshold (`model.scaled`).
_SIZES = {
    "poisson": {"fast": (0.1, 10.0), "full": (1.0, 60.0)},
    "dc": {"fast": (0.3, 5.0), "full": (1.0, 60.0)},
}


def spontaneous_activity(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                         scale: float | None = None, duration: float | None = None,
                         initial: Literal["optimised", "original"] = "optimised",
                         threads: int | None = None, progress: bool = False) -> xr.Dataset:
    """Activity with Poisson background: asynchronous, irregular, and of another rate in each layer.

    Parameters
    ----------
    size : {"fast", "full"}
        10 s of a tenth of the network, or 60 s of all of it: 5 GB, and some minutes.
    rng : int
        Seed of the synapses, first potentials and background.
    scale : float, optional
        Of the numbers of neurons and of the synapses of each, instead of what goes with `size`.
    duration : float, s, optional
        Measured after half a second is left out, instead of what goes with `size`.
    initial : {"optimised", "original"}
        First membrane potentials, see `model.network`.
    threads : int, optional
        Default all cores. The spikes are the same on any number.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        Over `population`: rate, coefficient of variation of intervals, synchrony; rates of single
        neurons over `neuron`; the last 400 ms of some neurons' spikes over `spike`.
    """
    usual = _SIZES["poisson"][size]
    return activity(
        usual[0] if scale is None else scale, usual[1] if duration is None else duration,
        "poisson", rng, initial, threads, progress,
    )  # fmt: skip


def constant_background(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                        scale: float | None = None, duration: float | None = None,
                        initial: Literal["optimised", "original"] = "optimised",
                        threads: int | None = None, progress: bool = False) -> xr.Dataset:
    """The same with a constant current for background: all irregularity comes from the network.

    Parameters
    ----------
    size : {"fast", "full"}
        5 s of three tenths of the network, or 60 s of all of it: 5 GB, and some minutes.
    rng : int
        Seed of the synapses and first potentials.
    scale : float, optional
        Of the numbers of neurons and of the synapses of each, instead of what goes with `size`.
    duration : float, s, optional
        Measured after half a second is left out, instead of what goes with `size`.
    initial : {"optimised", "original"}
        First membrane potentials, see `model.network`.
    threads : int, optional
        Default all cores. The spikes are the same on any number.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        As of `spontaneous_activity`.
    """
    usual = _SIZES["dc"][size]
    return activity(
        usual[0] if scale is None else scale, usual[1] if duration is None else duration,
        "dc", rng, initial, threads, progress,
    )  # fmt: skip


def activity(scale, duration, background, rng, initial, threads, progress) -> xr.Dataset:
    """Build the network, run it, and measure every population."""
    import neurodyn as nd

    if not duration >= SHOWN:
        raise ValueError(f"`duration` must be at least {SHOWN:g} s; got {duration:g}")
    of_network, of_run = np.random.SeedSequence(rng).spawn(2)
    net = model.network(
        scale, rng=of_network, background=background, initial=initial, dt=DT
    )
    ds = nd.simulate(
        net, nd.Exact(dt=DT), TRANSIENT + duration, rng=of_run, dtype="float32", threads=threads,
        record=[f"{name}.spike" for name in model.POPULATIONS], progress=progress,
    )  # fmt: skip
    n_synapses = sum(c.weights.nnz for c in net.couplings)
    del net  # gigabytes, and analyses need some too
    # a whole number of bins
    stop = TRANSIENT + BIN * int(duration / BIN + 1e-6)
    trains = {name: spike_trains(ds, name, TRANSIENT, stop) for name in model.POPULATIONS}
    return measured(trains, scale, n_synapses)


def measured(trains: dict[str, SpikeTrains], scale: float, n_synapses: int) -> xr.Dataset:
    """The statistics of the paper's figure 6, and the spikes for its raster."""
    import xarray as xr

    rates = [firing_rates(t) for t in trains.values()]
    cv = [irregularity(t) for t in trains.values()]
    sample = [t.select(units=slice(min(N_SAMPLE, t.n_units))) for t in trains.values()]
    single = np.full((len(trains), max(t.n_units for t in sample)), np.nan, np.float32)
    for row, t, r in zip(single, sample, rates, strict=True):
        row[: t.n_units] = r.rate[: t.n_units]
    numbers = {
        "rate_hz": ([r.mean for r in rates], "mean firing rate", "Hz"),
        "rate_hz_sd": ([r.sd for r in rates], "standard deviation of neurons' rates", "Hz"),
        "silent": ([r.n_silent / len(r.rate) for r in rates], "neurons without a spike", "1"),
        "cv": ([c[0] for c in cv], "mean CV of inter-spike intervals", "1"),
        "n_cv": ([c[1] for c in cv], "neurons with two intervals or more", "1"),
        "synchrony": ([synchrony(t, BIN).variance_ratio for t in sample],
                      "variance over mean of spike counts in 3 ms, of 1000 neurons at most", "1"),
        "n_sample": ([t.n_units for t in sample], "neurons that synchrony is of", "1"),
        "n_neurons": ([t.n_units for t in trains.values()], "neurons", "1"),
    }  # fmt: skip
    window = next(iter(trains.values()))
    return xr.Dataset(
        {
            **{name: labelled("population", v, text, unit)
               for name, (v, text, unit) in numbers.items()},
            "single_rate": labelled(("population", "neuron"), single,
                                    "firing rates of some neurons", "Hz"),
            "scale": labelled((), scale, "numbers of neurons and synapses a neuron, of the full"),
            "n_synapses": labelled((), n_synapses, "synapses"),
            "duration": labelled((), window.duration, "time measured", "s"),
            **raster_of(trains),
        },
        {"population": list(trains)},
    )  # fmt: skip


def irregularity(trains: SpikeTrains) -> tuple[float, int]:
    """Mean over neurons of the CV of their intervals, and how many had the two that it needs.

    Variances are divided by n, as in the authors' analysis: a neuron with few spikes has a small
    CV, so the mean grows with the time that is measured.
    """
    found = interspike_intervals(trains)
    _, unit = np.unique(found.unit, return_inverse=True)
    n = np.bincount(unit)
    mean = np.bincount(unit, found.interval) / n
    variance = np.bincount(unit, (found.interval - mean[unit]) ** 2) / n
    cv = (np.sqrt(variance) / mean)[n >= 2]
    return (float(cv.mean()), cv.size) if cv.size else (np.nan, 0)


def raster_of(trains: dict[str, SpikeTrains]) -> dict[str, tuple]:
    """Spikes of the last `SHOWN` seconds: as many neurons as the paper shows, if there are."""
    full = dict(zip(model.POPULATIONS, model.table().N, strict=True))
    found, shown = [], []
    for k, (name, t) in enumerate(trains.items()):
        shown.append(min(t.n_units, round(SHARE_SHOWN * full[name])))
        some = t.select(t.t_stop - round(SHOWN / DT) * DT, units=slice(shown[-1]))
        step = np.rint((some.time - some.t_start) / DT)
        found.append(np.stack([step, some.unit, np.full(some.n_spikes, k)]).astype(np.int32))
    step, unit, population = np.concatenate(found, axis=1)
    return {
        "n_shown": labelled("population", shown, "neurons in the raster"),
        "spike_time": labelled("spike", step * DT, f"time of a spike in the last {SHOWN:g} s", "s"),
        "spike_unit": labelled("spike", unit, "neuron"),
        "spike_population": labelled("spike", population, "population's number"),
    }
