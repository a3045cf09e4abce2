"""Spike trains whose statistics are known, and Datasets that hold them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurodyn.spike_trains import SpikeTrains


def gamma_trains(order, rate, n_units, duration, rng, *, n_trials=1):
    """Renewal processes with gamma intervals, in equilibrium: they began long before the window.

    ``order=1`` are Poisson processes.
    """
    rng = np.random.default_rng(rng)
    before = 20 / rate
    n = int(rate * (duration + before) + 10 * np.sqrt(rate * (duration + before)) + 20)
    times = np.cumsum(rng.gamma(order, 1 / (order * rate), (n_units, n_trials, n)), axis=-1)
    assert times[..., -1].min() > duration + before
    unit, trial, spike = np.nonzero((times >= before) & (times < before + duration))
    return SpikeTrains.from_arrays(times[unit, trial, spike] - before, unit, n_units, 0.0, duration,
                                   trial=trial, n_trials=n_trials)


def regular_trains(interval, n_units, duration, *, n_trials=1, dt=None):
    """Clocks: unit k first spikes at ``(k + 0.5)/n_units`` of the interval; with dt, at 0."""
    n = round(duration / interval)
    offset = np.zeros(n_units) if dt else (np.arange(n_units) + 0.5) / n_units * interval
    times = np.tile(offset[:, None] + interval * np.arange(n), (n_trials, 1, 1))
    trial, unit, _ = np.indices(times.shape)
    return SpikeTrains.from_arrays(times.ravel(), unit.ravel(), n_units, 0.0, duration,
                                   trial=trial.ravel(), n_trials=n_trials, dt=dt)


def empty_trains(n_units=3, duration=1.0, n_trials=2):
    return SpikeTrains.from_arrays([], [], n_units, 0.0, duration, n_trials=n_trials)


def uneven_trains(rng=0, *, dt=None):
    """A small muddle: 7 units of different rates, 2 silent, 3 trials, 2 to 5 s, bursts."""
    rng = np.random.default_rng(rng)
    time, unit, trial = [], [], []
    for u, mean in enumerate([0, 3, 40, 1, 0, 12, 25]):
        for k in range(3):
            n = rng.poisson(mean)
            centre = rng.uniform(2, 5, max(1, n // 3))
            t = rng.choice(centre, n) + 0.05 * rng.standard_normal(n)
            t = t[(t >= 2) & (t < 4.999)]
            if dt:
                t = np.unique(np.rint(t / dt).astype(int)) * dt
            time.append(t)
            unit.append(np.full(t.size, u))
            trial.append(np.full(t.size, k))
    return SpikeTrains.from_arrays(np.concatenate(time), np.concatenate(unit), 7, 2.0, 5.0,
                                   trial=np.concatenate(trial), n_trials=3, dt=dt)


def one_by_one(trains):
    """Times of each unit in each trial: ``[unit][trial]``."""
    return [
        [np.sort(trains.time[(trains.unit == u) & (trains.trial == k)])
         for k in range(trains.n_trials)]
        for u in range(trains.n_units)
    ]


def counts_one_by_one(trains, bin):
    """Spike counts, (unit, trial, bin), by NumPy's histogram.

    Edges lie half a step before the bins', where no spike can be; without steps, none may be there.
    """
    n = round((trains.t_stop - trains.t_start) / bin)
    edges = trains.t_start + bin * np.arange(n + 1) - 0.5 * (trains.dt or 0.0)
    return np.array([[np.histogram(t, edges)[0] for t in unit] for unit in one_by_one(trains)])


def dataset(spikes, sizes, *, dt=1e-4, first_step=0, n_steps=10_000, n_trials=1):
    """Dataset of a run that spiked so.

    Parameters
    ----------
    spikes : dict of str to list of (trial, step, unit)
    sizes : dict of str to int
    """
    variables = {}
    for name, found in spikes.items():
        trial, step, unit = np.array(sorted(found), dtype=int).reshape(-1, 3).T
        dim = f"{name}.spike"
        variables[f"{dim}_time"] = (dim, step * dt, {"units": "s", "long_name": "time of spike"})
        variables[f"{dim}_unit"] = (dim, unit, {"units": "1"})
        variables[f"{dim}_trial"] = (dim, trial, {"units": "1"})
    name, size = next(iter(sizes.items()))
    variables[f"{name}.v.final"] = (("trial", f"{name}.unit"), np.zeros((n_trials, size)))
    run = {"dt": dt, "first_step": first_step, "next_step": first_step + n_steps}
    return xr.Dataset(variables, attrs={"run": run, "sizes": dict(sizes)})
