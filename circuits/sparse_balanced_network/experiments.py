"""The four states of figure 8, and how rates depend on the strength of inhibition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.analyses.spikes.statistics import firing_rates, interval_cv
from neurodyn.analyses.spikes.synchrony_measures import rate_spectrum, synchrony
from neurodyn.circuits._sheet import labelled
from neurodyn.data import load_table
from neurodyn.recorded_spikes import spike_trains

from . import model

if TYPE_CHECKING:
    import xarray as xr

    import neurodyn as nd

__all__ = ["four_states", "inhibition"]

#: Window and neurons of the rasters, as in figure 8; s.
SHOWN, N_SHOWN = 0.2, 50
#: A neuron with fewer intervals has no CV.
MIN_INTERVALS = 5
#: Below it a window of some 0.5 s has no peaks to be trusted, Hz.
LOWEST_FREQUENCY = 5.0


def four_states(*, size: Literal["fast", "full"] = "fast", rng: int = 0, N_E: int = 10_000,
                transient: float = 0.2, duration: float | None = None,
                progress: bool = False) -> xr.Dataset:
    """The states SR, SI fast, AI and SI slow, on the same synapses.

    Parameters
    ----------
    size : {"fast", "full"}
        1 or 4 seconds of each state, of the paper's network.
    rng : int
        Seed of the synapses, and of the start and the input in each state.
    N_E : int
        Excitatory neurons, a multiple of 40. Fewer have fewer synapses of the same strength, and
        other states than the paper's.
    transient : float, s
        Left out before.
    duration : float, s, optional
        Measured in each state, instead of what goes with `size`; at least 0.5.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        Over `state`: rate, CV, frequency and size of the global oscillation, synchrony, each with
        what the theory or the paper says; spectra over `frequency`; the last 200 ms of the global
        activity over `time` and of the spikes of 50 neurons over `spike`. All of excitatory
        neurons, whose activity is that of the inhibitory ones (`rate_I`).
    """
    import xarray as xr

    duration = _checked_duration(duration or (1.0 if size == "fast" else 4.0), transient)
    table = load_table("brunel_2000")
    wires, *runs = np.random.SeedSequence(rng).spawn(1 + len(table))
    wires = model.wiring(N_E, wires)
    found = []
    for row, run in zip(table, runs):
        net = model.network(row["g"], row["nu_ext_over_nu_thr"], wires=wires)
        ds = _simulated(net, transient + duration, run, progress)
        state = model.stationary_states(row["g"], row["nu_ext_over_nu_thr"], wires.C_E)[-1]
        measured = _measured(ds, transient) | _shown(ds)
        measured |= {
            "rate_theory": labelled((), state.rate, "rate, mean field", "Hz"),
            "cv_theory": labelled((), state.cv, "CV of intervals, mean field"),
            "rate_paper": labelled((), row["rate_hz"], "rate, the paper's simulation", "Hz"),
        }
        found.append(xr.Dataset(measured))
    spikes = [one[["spike_time", "spike_unit"]] for one in found]
    states = [row["state"] for row in table]
    out = xr.concat([one.drop_vars(list(spikes[0])) for one in found], "state",
                    combine_attrs="override").assign_coords(state=states)
    raster = xr.concat(spikes, "spike", combine_attrs="override")
    raster["spike_state"] = labelled(
        "spike", np.repeat(states, [one.sizes["spike"] for one in spikes]), "state of a spike")
    return out.merge(raster).assign_attrs(
        N_E=N_E, C_E=wires.C_E, transient=transient, duration=duration,
        names=[row["name"] for row in table], g=[row["g"] for row in table],
        nu_ext_over_nu_thr=[row["nu_ext_over_nu_thr"] for row in table])


def inhibition(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
               nu_ext_over_nu_thr: float = 2.0, N_E: int = 10_000, transient: float = 0.1,
               duration: float | None = None, progress: bool = False) -> xr.Dataset:
    """Rate and CV against the strength of inhibition, beside the mean-field theory.

    Parameters
    ----------
    size : {"fast", "full"}
        5 strengths for 0.5 s each, or 11 for 2 s.
    rng : int
        Seed of the synapses, and of the start and the input at each strength.
    nu_ext_over_nu_thr : float
        External drive, positive.
    N_E : int
        Excitatory neurons, a multiple of 40.
    transient : float, s
        Left out before.
    duration : float, s, optional
        Measured at each strength, instead of what goes with `size`; at least 0.5.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        `rate`, `cv`, `synchrony` over `g` (simulated), `rate_theory` and `cv_theory` over
        `g_theory`.
    """
    import xarray as xr

    if not nu_ext_over_nu_thr > 0:
        raise ValueError(f"`nu_ext_over_nu_thr` must be positive; got {nu_ext_over_nu_thr}")
    duration = _checked_duration(duration or (0.5 if size == "fast" else 2.0), transient)
    g = [3.0, 4.5, 5.0, 6.0, 8.0] if size == "fast" else [
        3.0, 3.5, 3.8, 4.0, 4.2, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0]
    wires, *runs = np.random.SeedSequence(rng).spawn(1 + len(g))
    wires = model.wiring(N_E, wires)
    found = []
    for strength, run in zip(g, runs):
        net = model.network(strength, nu_ext_over_nu_thr, wires=wires)
        measured = _measured(_simulated(net, transient + duration, run, progress), transient)
        state = model.stationary_states(strength, nu_ext_over_nu_thr, wires.C_E)[-1]
        measured["rate_theory_at"] = labelled((), state.rate, "rate, mean field", "Hz")
        found.append(xr.Dataset({name: measured[name] for name in (
            "rate", "cv", "synchrony", "rate_theory_at")}))
    out = xr.concat(found, "g", combine_attrs="override").assign_coords(g=g)
    fine = np.round(np.arange(2.5, 8.51, 0.05), 3)
    states = [model.stationary_states(x, nu_ext_over_nu_thr, wires.C_E)[-1] for x in fine]
    out["rate_theory"] = labelled("g_theory", [s.rate for s in states], "rate, mean field", "Hz")
    out["cv_theory"] = labelled("g_theory", [s.cv for s in states], "CV of intervals, mean field")
    out = out.assign_coords(g_theory=fine)
    for name in ("g", "g_theory"):
        out[name].attrs = {"units": "1", "long_name": "inhibition over excitation, g"}
    return out.assign_attrs(nu_ext_over_nu_thr=nu_ext_over_nu_thr, N_E=N_E, duration=duration)


# ------------------------------------------------------------------------------ measures


def _checked_duration(duration: float, transient: float) -> float:
    if not duration >= 0.5:
        raise ValueError(
            f"`duration` must be 0.5 s or more, for slow oscillations to be seen; got {duration}")
    if not transient >= 0:
        raise ValueError(f"`transient` must be 0 s or more; got {transient}")
    return duration


def _simulated(net: nd.Network, duration: float, rng: np.random.SeedSequence,
               progress: bool) -> xr.Dataset:
    import neurodyn as nd

    return nd.simulate(net, nd.Exact(dt=model.DT), duration, rng=rng, progress=progress,
                       record=["E.spike", "I.spike_rate"], every=1*nd.ms)


def _measured(ds: xr.Dataset, transient: float) -> dict[str, tuple]:
    """Numbers of one state, and its spectrum."""
    trains = spike_trains(ds, "E", t_start=transient)
    spectrum = rate_spectrum(trains, bin=0.5e-3, segment=0.5)
    counts = trains.population_counts(1e-3)
    frequency, height = _peak(spectrum.frequency, spectrum.power / spectrum.shot_noise)
    rate_I = float(ds["I.spike_rate"].sel(time=slice(transient, None)).mean())
    return {
        "rate": labelled((), firing_rates(trains).mean, "rate", "Hz"),
        "rate_I": labelled((), rate_I, "rate of inhibitory neurons", "Hz"),
        "cv": labelled((), interval_cv(trains, MIN_INTERVALS).mean, "CV of intervals"),
        "oscillation": labelled((), frequency, "frequency of the global oscillation", "Hz"),
        "height": labelled((), height, "its power over that of independent neurons"),
        "fluctuation": labelled((), counts.std() / counts.mean(),
                                "sd over mean of the global activity in 1 ms"),
        "synchrony": labelled((), synchrony(trains, 1e-3).chi, "synchrony chi in 1 ms"),
        "power": labelled("frequency", spectrum.power / spectrum.shot_noise,
                          "power over that of independent neurons"),
        "frequency": labelled("frequency", spectrum.frequency, "frequency", "Hz"),
    }


def _peak(frequency: np.ndarray, power: np.ndarray) -> tuple[float, float]:
    """Frequency and height of the highest peak; a parabola through its logarithm and neighbours."""
    first = int(np.searchsorted(frequency, LOWEST_FREQUENCY))
    k = first + int(np.argmax(power[first:-1]))
    low, top, high = np.log(power[k - 1:k + 2])
    shift = 0.5 * (low - high) / (low - 2 * top + high)
    shift = float(np.clip(shift, -0.5, 0.5)) if np.isfinite(shift) else 0.0
    return frequency[k] + shift * (frequency[1] - frequency[0]), power[k]


def _shown(ds: xr.Dataset) -> dict[str, tuple]:
    """The end of the run: global activity in steps of 0.1 ms, spikes of some neurons."""
    trains = spike_trains(ds, "E")
    start = trains.t_stop - SHOWN
    window = trains.select(t_start=start)
    some = window.select(units=range(N_SHOWN))
    activity = window.population_counts(model.DT)[0] / (window.n_units * model.DT)
    return {
        "activity": labelled("time", activity, "global activity", "Hz"),
        "time": labelled("time", model.DT * np.arange(activity.size), "time", "s"),
        "spike_time": labelled("spike", some.time - start, "time", "s"),
        "spike_unit": labelled("spike", some.unit, "neuron"),
    }
