"""Learning with uncorrelated inputs, with latencies, and with a correlated group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import model

if TYPE_CHECKING:
    import xarray as xr

    import neurodyn as nd

__all__ = ["competition", "correlated_group", "short_latency"]

#: Settings of each experiment that go with its size; dt in s.
SIZES = {
    "competition": {
        "fast": {"rates": (10.0, 40.0), "trials": 2, "duration": 800.0, "A_plus": 0.01,
                 "window": 40.0, "dt": 0.2e-3},
        "full": {"rates": (10.0, 20.0, 30.0, 40.0), "trials": 5, "duration": 3000.0,
                 "A_plus": 0.005, "window": 100.0, "dt": 0.1e-3},
    },
    "short_latency": {
        "fast": {"trials": 2, "duration": 100.0, "A_plus": 0.01, "window": 20.0, "dt": 0.2e-3},
        "full": {"trials": 5, "duration": 500.0, "A_plus": 0.005, "window": 50.0, "dt": 0.1e-3},
    },
    "correlated_group": {
        "fast": {"trials": 2, "duration": 500.0, "A_plus": 0.01, "dt": 0.2e-3},
        "full": {"trials": 5, "duration": 1500.0, "A_plus": 0.005, "dt": 0.1e-3},
    },
}

#: Spikes of the inputs are kept for so long, to look at pairs of spikes, s.
PAIR_WINDOW = 20.0


def _settings(experiment: str, size: str, **given: object) -> dict:
    """What goes with the size, and what was given instead, checked."""
    chosen = dict(SIZES[experiment][size])
    chosen |= {name: value for name, value in given.items() if value is not None}
    for name in ("trials", "duration", "A_plus", "window"):
        if name in chosen and not chosen[name] > 0:
            raise ValueError(f"`{name}` must be positive; got {chosen[name]!r}")
    rates = np.asarray(chosen.get("rates", (1.0, 2.0)), dtype=float)
    if rates.size < 2 or rates[0] <= 0 or np.any(np.diff(rates) <= 0):
        raise ValueError(
            f"`rates` must be two or more positive rates in ascending order; got {chosen['rates']}"
        )
    return chosen


def competition(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                rates: tuple[float, ...] | None = None, trials: int | None = None,
                duration: float | None = None, A_plus: float | None = None) -> xr.Dataset:
    """STDP with independent inputs: strong and weak synapses, irregular firing, a steady rate.

    At each input rate the neuron learns from random conductances on. Then, with STDP still at work,
    it is compared with a neuron without STDP: with all synapses at g_max, and with the synapses
    that were learned at the lowest input rate.

    Parameters
    ----------
    size : {"fast", "full"}
        10 and 40 Hz for 800 s with pairs twice as effective as the paper's, twice; or 10 to 40 Hz
        for 3000 s with the paper's, five times.
    rng : int
        Seed of the first conductances and of all spikes.
    rates : tuple of float, Hz
        Rates of the excitatory inputs, ascending. None: as `size` says, like the others.
    trials : int
        Neurons for each rate, each with its own inputs.
    duration : float, s
        How long they learn.
    A_plus : float
        Largest potentiation by a pair of spikes, over g_max; the paper's is 0.005.

    Returns
    -------
    xarray.Dataset
        Conductances, rates and CVs over (rate, trial).
    """
    import xarray as xr

    import neurodyn as nd

    s = _settings("competition", size, rates=rates, trials=trials, duration=duration,
                  A_plus=A_plus)
    seeds = np.random.SeedSequence(rng).spawn(len(s["rates"]) + 1)
    solver = nd.ExponentialEuler(s["dt"])
    every = s["duration"] / 100
    nets = [model.network(rate, A_plus=s["A_plus"], rng=seeds[0], dt=s["dt"])
            for rate in s["rates"]]
    names = ("g", "course", "all", "fixed", "learned", "pairs")
    found: dict[str, list] = {name: [] for name in names}
    first = None
    for net, seed in zip(nets, seeds[1:], strict=True):
        learned = nd.simulate(net, solver, s["duration"], trials=s["trials"], rng=seed,
                              record=["neuron.spike_rate"], every=every)
        found["g"].append(_over_g_max(learned))
        found["course"].append(learned["neuron.spike_rate"].values)
        first = learned if first is None else first  # at the lowest rate
        frozen = model.frozen(net)
        strong = frozen.with_values(**{model.SYNAPSES: np.full_like(_weights(net), _g_max())})
        found["all"].append(_firing(nd.simulate(strong, solver, s["window"], trials=s["trials"],
                                                rng=seed, record=["neuron.spike"])))
        found["fixed"].append(_firing(nd.simulate(frozen, solver, s["window"], initial=first,
                                                  record=["neuron.spike"])))
        after = nd.simulate(net, solver, s["window"], initial=learned, record=["neuron.spike"])
        found["learned"].append(_firing(after))
        pairs = nd.simulate(net, solver, PAIR_WINDOW, initial=after)
        found["pairs"].append(_pair_ratios(pairs, found["g"][-1]))
    firing = np.array([found[name] for name in ("all", "fixed", "learned")])  # condition rate 2 tr
    dims = ("condition", "rate", "trial")
    return xr.Dataset({
        "g_first": labelled("synapse", _weights(nets[0])[0] / _g_max(), "first g/g_max"),
        "g": labelled(("rate", "trial", "synapse"), found["g"], "g/g_max after learning"),
        "course": labelled(("rate", "trial", "time"), np.array(found["course"]),
                           "output rate while learning", "Hz"),
        "output_rate": labelled(dims, firing[:, :, 0], "output rate", "Hz"),
        "cv": labelled(dims, firing[:, :, 1], "CV of the intervals between spikes"),
        "pair_ratio": labelled(("rate", "group", "trial"), found["pairs"],
                               "potentiating over depressing pairs of spikes"),
    }, {"rate": ("rate", list(s["rates"]), {"units": "Hz", "long_name": "input rate"}),
        "condition": ["all at g_max", "fixed", "learned"], "group": ["weak", "strong"],
        "time": ("time", every * np.arange(found["course"][0].shape[1]), {"units": "s"})})


def short_latency(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                  trials: int | None = None, duration: float | None = None,
                  A_plus: float | None = None) -> xr.Dataset:
    """Inputs that burst together at latencies of their own: the early ones win.

    Parameters
    ----------
    size : {"fast", "full"}
        100 s of learning with pairs twice as effective as the paper's, twice; or 500 s with the
        paper's, five times.
    rng : int
        Seed of latencies, first conductances and spikes.
    trials : int
        Neurons with the same latencies, each with its own spikes. None: as `size` says, like the
        others.
    duration : float, s
        How long they learn.
    A_plus : float
        Largest potentiation by a pair of spikes, over g_max; the paper's is 0.005.

    Returns
    -------
    xarray.Dataset
        Conductances over (trial, synapse); responses to a burst before and after learning.
    """
    import xarray as xr

    import neurodyn as nd

    s = _settings("short_latency", size, trials=trials, duration=duration, A_plus=A_plus)
    seeds = np.random.SeedSequence(rng).spawn(3)
    solver = nd.ExponentialEuler(s["dt"])
    latency = model.latencies(seeds[0])
    net = model.with_latencies(latency, A_plus=s["A_plus"], rng=seeds[1], dt=s["dt"])
    spikes = ["neuron.spike", "stimulus.spike"]
    before = nd.simulate(model.frozen(net), solver, s["window"], trials=s["trials"], rng=seeds[2],
                         record=spikes)
    learned = nd.simulate(net, solver, s["duration"], initial=before,
                          record=["neuron.spike_rate"], every=s["duration"] / 50)
    after = nd.simulate(model.frozen(net), solver, s["window"], initial=learned, record=spikes)
    g = _over_g_max(learned)
    quarter = np.argsort(np.argsort(latency)) * 4 // latency.size
    edges = np.arange(-40e-3, 60.5e-3, 1e-3)
    phases = [_responses(run, edges) for run in (before, after)]
    return xr.Dataset({
        "latency": labelled("synapse", latency, "latency of the input", "s"),
        "g_first": labelled("synapse", _weights(net)[0] / _g_max(), "first g/g_max"),
        "g": labelled(("trial", "synapse"), g, "g/g_max after learning"),
        "g_by_latency": labelled(("quarter", "trial"), [g[:, quarter == q].mean(axis=1)
                                                        for q in range(4)],
                                 "mean g/g_max of a quarter of the inputs, by latency"),
        "response": labelled(("phase", "trial", "after_burst"), [p[0] for p in phases],
                             "output rate after a burst", "Hz"),
        "response_latency": labelled(("phase", "trial"), [p[1] for p in phases],
                                     "time to half of the response", "s"),
    }, {"phase": ["before", "after"],
        "after_burst": ("after_burst", (edges[:-1] + edges[1:]) / 2,
                        {"units": "s", "long_name": "time from the mean begin of a burst"})})


def correlated_group(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                     trials: int | None = None, duration: float | None = None,
                     A_plus: float | None = None, n_correlated: int = 500) -> xr.Dataset:
    """Inputs whose rates fluctuate, half of them together: the correlated ones win.

    Parameters
    ----------
    size : {"fast", "full"}
        200 s of learning with pairs twice as effective as the paper's, twice; or 1000 s with the
        paper's, five times.
    rng : int
        Seed of first conductances, rates and spikes.
    trials : int
        Neurons, each with its own inputs. None: as `size` says, like the others.
    duration : float, s
        How long they learn.
    A_plus : float
        Largest potentiation by a pair of spikes, over g_max; the paper's is 0.005.
    n_correlated : int
        Inputs whose rates fluctuate together.

    Returns
    -------
    xarray.Dataset
        Conductances over (trial, synapse); the correlated inputs come first.
    """
    import xarray as xr

    import neurodyn as nd

    s = _settings("correlated_group", size, trials=trials, duration=duration, A_plus=A_plus)
    seeds = np.random.SeedSequence(rng).spawn(2)
    net = model.with_correlated_group(n_correlated, A_plus=s["A_plus"], rng=seeds[0], dt=s["dt"])
    every = s["duration"] / 50
    learned = nd.simulate(net, nd.ExponentialEuler(s["dt"]), s["duration"],
                          trials=s["trials"], rng=seeds[1], every=every,
                          record=["neuron.spike_rate", f"{model.SYNAPSES}.w"])
    g = _over_g_max(learned)
    course = learned[f"{model.SYNAPSES}.w"].values.reshape(*g.shape[:1], -1, g.shape[1]) / _g_max()
    groups = [slice(None, n_correlated), slice(n_correlated, None)]
    return xr.Dataset({
        "g_first": labelled("synapse", _weights(net)[0] / _g_max(), "first g/g_max"),
        "g": labelled(("trial", "synapse"), g, "g/g_max after learning"),
        "g_by_group": labelled(("group", "trial"), [g[:, part].mean(axis=1) for part in groups],
                               "mean g/g_max"),
        "course": labelled(("group", "trial", "time"),
                           [course[..., part].mean(axis=-1) for part in groups], "mean g/g_max"),
        "output_rate": labelled(("trial", "time"), learned["neuron.spike_rate"].values,
                                "output rate while learning", "Hz"),
    }, {"group": ["correlated", "uncorrelated"],
        "time": ("time", learned.time.values, {"units": "s", "long_name": "time"})},
        {"n_correlated": n_correlated})


# ------------------------------------------------------------------------------ measurements

def _g_max() -> float:
    return model.parameters()["g_max"]


def _weights(net: nd.Network) -> np.ndarray:
    """First conductances (1, 1000)."""
    coupling = dict(zip(net.coupling_labels, net.couplings, strict=True))[model.SYNAPSES]
    return coupling.weights.parameters["W"]


def _over_g_max(run: xr.Dataset) -> np.ndarray:
    """Last conductances (trial, 1000) over g_max."""
    return run[f"{model.SYNAPSES}.w.final"].values[:, 0] / _g_max()


def _firing(run: xr.Dataset) -> np.ndarray:
    """Rate and CV of each trial, (2, trial). The first second is left out: it may be transient."""
    from neurodyn import analyses

    start = run.attrs["run"]["first_step"] * run.attrs["run"]["dt"] + 1.0
    rows = []
    for k in range(run.sizes["trial"]):
        trains = analyses.spike_trains(run, "neuron", t_start=start, trial=k)
        rows.append((analyses.firing_rates(trains).mean, analyses.interval_cv(trains).mean))
    return np.array(rows).T


def _pair_ratios(run: xr.Dataset, g: np.ndarray) -> np.ndarray:
    """Pairs that potentiate over pairs that depress, for weak and strong synapses, (2, trial).

    Each pair of spikes counts with its window, ``exp(-|t_post - t_pre|/20 ms)``. Depression wins
    where the ratio is below ``A_ratio``. Spikes in the same step count as potentiating, as they do
    in the rule.
    """
    from scipy.signal import lfilter

    dt, first = run.attrs["run"]["dt"], run.attrs["run"]["first_step"]
    n_steps = run.attrs["run"]["next_step"] - first
    decay = np.exp(-dt / model.parameters()["tau_plus"].value)

    def steps(name: str, k: int) -> tuple[np.ndarray, np.ndarray]:
        here = run[f"{name}.spike_trial"].values == k
        time = run[f"{name}.spike_time"].values[here]
        return np.rint(time / dt).astype(int) - first, run[f"{name}.spike_unit"].values[here]

    ratios = np.empty((2, len(g)))
    for k in range(len(g)):
        post, _ = steps("neuron", k)
        pre, synapse = steps("excitatory", k)
        for group in range(2):
            chosen = pre[(g[k] >= 0.5)[synapse] == bool(group)]
            count = np.bincount(chosen, minlength=n_steps).astype(float)
            before = lfilter([1], [1, -decay], count) - count / 2
            behind = lfilter([1], [1, -decay], count[::-1])[::-1] - count / 2
            ratios[group, k] = before[post].sum() / behind[post].sum()
    return ratios


def _responses(run: xr.Dataset, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Output rate around bursts (trial, bin), and the latency of the response (trial,).

    Time 0 is the mean begin of the inputs' bursts. The latency is where the rate, smoothed over
    three bins, first reaches half of its peak above the rate of the first ten bins: what the neuron
    spikes between bursts does not enter.
    """
    histogram = []
    for k in range(run.sizes["trial"]):
        times = {name: run[f"{name}.spike_time"].values[run[f"{name}.spike_trial"].values == k]
                 for name in ("neuron", "stimulus")}
        lag = times["neuron"][None, :] - times["stimulus"][:, None] - model.LATENCY_OFFSET
        width = edges[1] - edges[0]
        histogram.append(np.histogram(lag, edges)[0] / (width * len(lag)))
    rate = np.array(histogram)
    smooth = np.apply_along_axis(np.convolve, 1, rate, np.ones(3) / 3, mode="same")[:, 1:-1]
    rest = rate[:, :10].mean(axis=1, keepdims=True)
    reached = smooth >= rest + (smooth.max(axis=1, keepdims=True) - rest) / 2
    return rate, (edges[1:-2] + width / 2)[reached.argmax(axis=1)]
