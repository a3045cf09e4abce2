"""Detailed balance: the inhibitory inputs of one neuron learn the tuning of the excitatory ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import model

if TYPE_CHECKING:
    import xarray as xr

    import neurodyn as nd

__all__ = ["detailed_balance"]

#: Output rates and strengths are taken every so many s, as in the authors' code.
BIN = 1.5


def detailed_balance(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                     trials: int | None = None, duration: float = 150.0) -> xr.Dataset:
    """Inhibitory synapses learn the tuning of the excitatory ones; the neuron falls to its target.

    Parameters
    ----------
    size : {"fast", "full"}
        2 or 5 trials.
    rng : int
        Seed of the scatter of the excitatory synapses, of signals and of spikes.
    trials : int, optional
        Neurons with the same excitatory synapses and signals of their own, instead of the number
        that goes with `size`.
    duration : float, s
        How long it learns; a multiple of 1.5 s.

    Returns
    -------
    xarray.Dataset
        Output rate and strength of inhibition in time; currents by channel before and after.
    """
    import xarray as xr

    import neurodyn as nd

    trials = (2 if size == "fast" else 5) if trials is None else trials
    n_bins = round(duration / BIN)
    if n_bins < 2 or abs(n_bins * BIN - duration) > 1e-9:
        raise ValueError(f"`duration` must be a multiple of {BIN} s, two at least; got {duration}")
    seeds = np.random.SeedSequence(rng).spawn(3)
    net = model.network(rng=seeds[0])
    frozen = net.with_values(**{f"{model.CHANNEL_SYNAPSES}.eta": 0.0})
    solver = nd.ExponentialEuler(dt=0.1 * nd.ms)
    probed = {"record": ["neuron.v", "excitatory.spike", "inhibitory.spike"]}
    window = 10 * BIN
    before = nd.simulate(frozen, solver, window, trials=trials, rng=seeds[1], **probed)
    learned = nd.simulate(net, solver, duration, trials=trials, rng=seeds[2], every=BIN,
                          record=["neuron.spike_rate", f"{model.CHANNEL_SYNAPSES}.w"])
    after = nd.simulate(frozen, solver, window, initial=learned, **probed)
    shown = nd.simulate(frozen, solver, BIN, initial=after, every=1 * nd.ms,
                        record=["neuron.v", "neuron.g_E", "neuron.g_I"])
    p, channels = model.parameters(), np.arange(1, 9)
    w = learned[f"{model.CHANNEL_SYNAPSES}.w"].values.reshape(trials, n_bins, len(channels), -1)
    total = _total_currents(shown)
    currents = [_channel_currents(run, net) for run in (before, after)]
    time = {"units": "s", "long_name": "time"}
    return xr.Dataset({
        "output_rate": labelled(("trial", "time"), learned["neuron.spike_rate"].values,
                                "output rate", "Hz"),
        "strength": labelled(("trial", "time", "channel"), 1e12 * w.mean(axis=-1),
                             "mean inhibitory peak conductance", "pS"),
        "current": labelled(("phase", "kind", "trial", "channel"), 1e9 * np.array(currents),
                            "mean synaptic current", "nA"),
        "total_current": labelled(("kind", "trial", "moment"), 1e9 * total, "synaptic current",
                                  "nA"),
        "current_correlation": labelled(
            "trial", [np.corrcoef(total[:, k])[0, 1] for k in range(trials)],
            "correlation of excitatory and inhibitory current in time"),
        "v": labelled(("trial", "moment"), 1e3 * shown["neuron.v"].values[..., 0],
                      "membrane potential", "mV"),
        "weight": labelled("excitatory", model.excitatory_tuning(seeds[0]) * 1e12
                           * p["g_exc"].value, "excitatory peak conductance", "pS"),
    }, {"trial": np.arange(trials), "channel": channels, "phase": ["before", "after"],
        "kind": ["excitatory", "inhibitory"],
        "time": ("time", learned.time.values, time),
        "moment": ("moment", shown.time.values - shown.time.values[0], time)})


def _channel_currents(run: xr.Dataset, net: nd.Network) -> np.ndarray:
    """Mean current of each channel (kind, trial, channel), A; both kinds positive.

    As in the authors' code the leak current counts as inhibition, an eighth for each channel. A
    spike at step s with weight w adds ``w sum_k exp(-k dt/tau) (v[s + 1 + k] - E) dt`` to the
    charge of its channel.
    """
    from scipy.signal import lfilter

    p, dt = model.parameters(), run.attrs["run"]["dt"]
    v = run["neuron.v"].values[..., 0]                                   # (trial, step)
    first, n_channels = run.attrs["run"]["first_step"], p["channels"]
    weights = {"excitatory": dict(zip(net.coupling_labels, net.couplings, strict=True))[
        "excitatory.spike->neuron.g_E"].weights.parameters["W"].repeat(len(v), axis=0),
        "inhibitory": run[f"{model.CHANNEL_SYNAPSES}.w.final"].values[:, 0]}
    leak = p["g_leak"].value * (v - p["V_rest"].value).mean(axis=1) / n_channels
    found = np.empty((2, len(v), n_channels))
    for i, (name, side) in enumerate((("excitatory", "E"), ("inhibitory", "I"))):
        decay = np.exp(-dt / p[f"tau_{side}"].value)
        force = v - p[f"E_{side}"].value
        charge = lfilter([0, dt], [1, -decay], np.abs(force[:, ::-1]), axis=1)[:, ::-1]
        for k in range(len(v)):
            here = run[f"{name}.spike_trial"].values == k
            step = np.rint(run[f"{name}.spike_time"].values[here] / dt).astype(int) - first
            unit = run[f"{name}.spike_unit"].values[here]
            channel = unit * n_channels // weights[name].shape[1]
            found[i, k] = np.bincount(channel, weights[name][k, unit] * charge[k, step],
                                      n_channels) / (v.shape[1] * dt)
    found[1] += leak[:, None]
    return found


def _total_currents(run: xr.Dataset) -> np.ndarray:
    """Excitatory and inhibitory current (kind, trial, time), A; both positive."""
    p = model.parameters()
    v, g_E, g_I = (run[f"neuron.{name}"].values[..., 0] for name in ("v", "g_E", "g_I"))
    return np.stack([g_E * (p["E_E"].value - v), g_I * (v - p["E_I"].value)])
