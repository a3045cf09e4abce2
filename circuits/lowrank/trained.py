"""A trained low-rank network as a latent dynamical system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import model, resampling

if TYPE_CHECKING:
    import xarray as xr

    import neurodyn as nd

__all__ = ["latent_dynamics"]

#: A network has learned the task when it is right at so many of the steps.
CRITERION = 0.95
#: Step of Euler's method, s, in training and in all runs.
DT = 0.05
#: Numbers of Gaussian populations that the vectors of a trained network are described by.
POPULATIONS = (1, 2, 4, 8)
#: Networks that are drawn from these, and their units: with 2000, overlaps scatter by about as much
#: as eigenvalues are, and some networks lack a memory that the mean field has.
DRAWS, RESAMPLED = 4, 8192


def latent_dynamics(*, size: Literal["fast", "full"] = "fast", rng: int = 0, n_units: int = 128,
                    bits: int = 2, rank: int | None = None, steps: int = 800,
                    networks: int | None = None) -> xr.Dataset:
    """Train low-rank networks on the n-bit flip-flop, and reduce them to their latent variables.

    Parameters
    ----------
    size : {"fast", "full"}
        2 or 5 networks.
    rng : int
        Seed of initial weights, trials and starts.
    n_units : int
    bits : int
        Channels of the task, 1 or more.
    rank : int, optional
        Default `bits`.
    steps : int
        Of training.
    networks : int, optional
        Instead of the number that goes with `size`.

    Returns
    -------
    xarray.Dataset
        For each network the accuracy before and after, on longer trials with rarer pulses than in
        training; how far outputs and fixed points of the latent system are from those of the whole
        network; the number of fixed points, also of the mean field of vectors from Gaussian
        populations, and the accuracy of networks drawn from these. For the first network its
        vectors, and paths and outputs in one trial.
    """
    import xarray as xr

    networks = (2 if size == "fast" else 5) if networks is None else networks
    if networks < 1:
        raise ValueError(f"`networks` must be 1 at least; got {networks}")
    if n_units < 2 * max(POPULATIONS):
        raise ValueError(f"`n_units` must be {2 * max(POPULATIONS)} at least, two for each of "
                         f"{max(POPULATIONS)} populations; got {n_units}")
    seeds = np.random.SeedSequence(rng).spawn(networks)
    rows, losses, first = [], [], {}
    for seed in seeds:
        row, loss, net = _one(seed, n_units, bits, rank, steps)
        rows.append(row)
        losses.append(loss)
        first = first or _shown(net, bits, seed)
    names = {
        "accuracy": "accuracy on long trials", "accuracy_before": "accuracy before training",
        "output_error": "largest difference of the latent system's output",
        "outside": "share of x outside the space of m and the input weights",
        "outside_other_starts": "share of x outside after 10 time constants, other starts",
        "whole_points": "fixed points of the whole network",
        "latent_points": "fixed points of the latent system",
        "whole_stable": "stable fixed points of the whole network",
        "latent_stable": "stable fixed points of the latent system",
        "index_sum": "sum of the indices of the latent fixed points",
        "distance": "largest distance of fixed points, relative",
        "eigenvalue_error": "largest difference of eigenvalues that are not -1",
        "other_eigenvalues": "largest difference of the other eigenvalues from -1",
        "mixture_stable": "stable fixed points of the mean field of Gaussian populations",
        "kept": "share of memories that are there after 30 s",
        "mixture_kept": "the same for networks drawn from Gaussian populations",
        "mixture_accuracy": "accuracy of a network drawn from Gaussian populations",
    }
    parts = {name: labelled(("network", "populations") if np.ndim(rows[0][name]) else "network",
                            [row[name] for row in rows], text) for name, text in names.items()}
    parts["loss"] = labelled(("network", "step"), losses, "loss")
    return xr.Dataset(parts | first, {"populations": list(POPULATIONS)},
                      {"bits": bits, "n_units": n_units, "criterion": CRITERION})


def _task(bits: int, duration: float = 3.0, p: float = 0.1) -> nd.tasks.FlipFlop:
    """Pulses of 100 ms, by default one a second in each channel on average."""
    import neurodyn as nd

    return nd.tasks.FlipFlop(bits=bits, p=p, dt=DT, pulse=0.1, duration=duration)


def train_memory(seed: np.random.SeedSequence, n_units: int, bits: int, rank: int | None,
                 steps: int) -> tuple[nd.Network, nd.Network, np.ndarray]:
    """The network before and after training (in its orthogonal form), and its losses (step,)."""
    import neurodyn as nd
    from neurodyn import learning

    weights, trials = seed.spawn(2)
    before = model.memory_network(n_units, bits=bits, rank=rank, rng=weights)
    fit = learning.train(
        before, _task(bits), learning.Adam(0.01), steps=steps, rng=trials, batch=32, clip=1.0,
        trainable=[model.RECURRENT, "pulses.v->E.I_in", "E.r->out.I"],
        connect={"pulses": "pulses.u", "memory": "out.y"}, solver=nd.Euler(dt=DT),
        schedule=learning.Cosine(steps))
    return before, model.orthogonal_form(fit.network), fit.history["loss"].values


def _run(net: nd.Network, pulses: np.ndarray, **options: Any) -> xr.Dataset:
    """Outputs to pulses (trial, time, bit), from 0: at the end of each step, as targets are."""
    import neurodyn as nd

    name = "pulses.u" if "pulses" in net.populations else "filtered.u"
    batch = nd.learning.TrialBatch({name: pulses}, {}, dt=DT)
    return nd.learning.run_trials(net, batch, **options)


def _one(seed: np.random.SeedSequence, n_units: int, bits: int, rank: int | None,
         steps: int) -> tuple[dict[str, Any], np.ndarray, nd.Network]:
    learning, test, starts = seed.spawn(3)
    before, net, loss = train_memory(learning, n_units, bits, rank, steps)
    task = _task(bits, duration=20.0, p=0.05)
    batch = task.batch(test, 32)
    row: dict[str, Any] = {"kept": _kept(net, bits)}
    outputs = {}
    for name, one in (("accuracy_before", before), ("accuracy", net)):
        outputs[name] = _run(one, batch.inputs["pulses"], record=["out.y", "E.x"])
        row[name] = task.evaluate(batch, outputs[name]["out.y"].values)["accuracy"]
    row |= _reduction(net, batch.inputs["pulses"], outputs["accuracy"], starts)
    row |= _fixed_points(net, starts) | _mixtures(net, batch, task, starts)
    return row, loss, net


# ------------------------------------------------------------------------- the reduction

def _reduction(net: nd.Network, pulses: np.ndarray, whole: xr.Dataset,
               seed: np.random.SeedSequence) -> dict[str, float]:
    """How far outputs of the latent system are from the network's, and x from its space.

    From any other start what is outside the space decays with the units' own time constant: Euler's
    method multiplies it by ``1 - dt/tau`` in every step, whatever the network does.
    """
    import neurodyn as nd

    latent = _run(model.reduced_network(net), pulses, record=["out.y"])
    space = _space(net)
    start = np.random.default_rng(seed).normal(size=(8, len(space)))
    run = nd.simulate(net, nd.Euler(dt=DT), 10 * model.TAU, trials=8, record=[],
                      initial={"E.x": start})
    left = _outside(nd.final_state(run)["E.x"], space) * np.linalg.norm(
        nd.final_state(run)["E.x"], axis=1)
    began = _outside(start, space) * np.linalg.norm(start, axis=1)
    return {
        "output_error": float(np.abs(latent["out.y"].values - whole["out.y"].values).max()),
        "outside": float(_outside(whole["E.x"].values, space).max()),
        "outside_other_starts": float((left / began).max()),
    }


def _space(net: nd.Network) -> np.ndarray:
    """An orthonormal basis (unit, R + bits) of m and the input weights."""
    W_in = net.value("pulses.v->E.I_in").to_dense()
    both = np.concatenate([model.low_rank_part(net).m, W_in], axis=1)
    return np.linalg.svd(both, full_matrices=False)[0]


def _outside(x: np.ndarray, space: np.ndarray) -> np.ndarray:
    """Share of the length of states (..., unit) that is outside a space; 0 for the state 0."""
    size = np.linalg.norm(x, axis=-1)
    return np.linalg.norm(x - x @ space @ space.T, axis=-1) / np.where(size > 0, size, 1)


# ---------------------------------------------------------------------------- fixed points

def _fixed_points(net: nd.Network, seed: np.random.SeedSequence) -> dict[str, float]:
    """Fixed points and eigenvalues of the whole network beside those of the latent system.

    All of the network's lie on the plane of m, since ``x = m kappa`` there. Its Jacobian, times
    tau, has the eigenvalues of the latent system and N - R times -1.
    """
    from neurodyn import analyses

    W = model.low_rank_part(net)
    # an ideal memory of R bits has 3^R fixed points
    n_starts = max(100, 20 * 3**W.rank)
    latent = analyses.lowrank_fixed_points(W, n_starts=n_starts, rng=seed)
    # starts on the plane, since what is off it only decays
    reach = 1.2 * np.abs(latent.kappa).max(axis=0)
    starts = np.random.default_rng(seed).uniform(-reach, reach, (n_starts, W.rank)) @ W.m.T
    whole = analyses.fixed_points(net, starts=starts, follow=0, rng=seed)
    x = latent.kappa @ W.m.T
    apart = np.linalg.norm(whole.x[:, None] - x, axis=2) / (np.linalg.norm(x, axis=1).max() or 1)
    partner = apart.argmin(axis=0)                           # of each latent one
    values = np.sort(whole.eigenvalues[partner] * model.TAU, axis=1)
    is_own = np.argsort(np.abs(values + 1), axis=1)
    own = np.take_along_axis(values, is_own[:, -W.rank:], axis=1)
    other = np.take_along_axis(values, is_own[:, :-W.rank], axis=1)
    return {
        "whole_points": len(whole.x), "latent_points": len(latent),
        "whole_stable": whole.counts.get("stable", 0), "latent_stable": int(latent.is_stable.sum()),
        "index_sum": latent.index_sum,
        "distance": float(max(apart.min(axis=0).max(), apart.min(axis=1).max())),
        "eigenvalue_error": float(np.abs(np.sort_complex(own)
                                         - np.sort_complex(latent.eigenvalues)).max()),
        "other_eigenvalues": float(np.abs(other + 1).max()),
    }


def _mixtures(net: nd.Network, batch: nd.learning.TrialBatch, task: nd.tasks.FlipFlop,
              seed: np.random.SeedSequence) -> dict[str, list[float]]:
    """What is left if the vectors come from so many Gaussian populations, by their number.

    Stable fixed points of the mean field; the memories that networks of new units keep, and the
    accuracy of the first. NaN if a population has a single unit, and so no covariance.
    """
    from neurodyn import analyses

    rows, rank = resampling.rows_of(net), model.low_rank_part(net).rank
    found: dict[str, list[float]] = {"mixture_stable": [], "mixture_accuracy": [],
                                     "mixture_kept": []}
    for count, one in zip(POPULATIONS, seed.spawn(len(POPULATIONS))):
        fit, draw = one.spawn(2)
        label = resampling.populations_of(rows, count, fit)
        stable = accuracy = kept = np.nan
        if np.bincount(label).min() > 1:
            ensemble = resampling.vectors_by_population(rows, label, rank)
            stable = float(analyses.lowrank_fixed_points(ensemble, rng=fit).is_stable.sum())
            again = [resampling.resampled(rows, label, rank, RESAMPLED, np.random.default_rng(s))
                     for s in draw.spawn(DRAWS)]
            outputs = _run(again[0], batch.inputs["pulses"], record=["out.y"])["out.y"].values
            accuracy = task.evaluate(batch, outputs)["accuracy"]
            kept = float(np.mean([_kept(net, task.bits) for net in again]))
        found["mixture_stable"].append(stable)
        found["mixture_accuracy"].append(accuracy)
        found["mixture_kept"].append(kept)
    return found


def _kept(net: nd.Network, bits: int) -> float:
    """Share of the memories, each set by one pulse in every channel, that are there after 30 s."""
    memories = 1.0 - 2 * (np.arange(2**bits)[:, None] >> np.arange(bits) & 1)
    pulses = np.zeros((len(memories), round(30 / DT), bits))
    pulses[:, :round(0.1 / DT)] = memories[:, None]
    last = _run(net, pulses, record=["out.y"])["out.y"].values[:, -1]
    return float((np.sign(last) == memories).all(axis=1).mean())


def _shown(net: nd.Network, bits: int, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Vectors of a network, and a trial: pulses, outputs, coordinates along m."""
    batch = _task(bits, duration=12.0).batch(seed, 1)
    run = _run(net, batch.inputs["pulses"], record=["out.y", "E.x"])
    latent = _run(model.reduced_network(net), batch.inputs["pulses"],
                  record=["out.y", "latent.kappa"])
    W, seconds = model.low_rank_part(net), {"units": "s", "long_name": "time"}
    return {
        "m": labelled(("unit", "rank"), W.m, "output vectors m"),
        "n": labelled(("unit", "rank"), W.n * len(W.m), "input-selection vectors n"),
        "pulses": labelled(("time", "bit"), batch.inputs["pulses"][0], "pulses"),
        "memory": labelled(("time", "bit"), batch.targets["memory"][0], "what to remember"),
        "output": labelled(("time", "bit"), run["out.y"].values[0], "output, whole network"),
        "latent_output": labelled(("time", "bit"), latent["out.y"].values[0],
                                  "output, latent system"),
        "kappa": labelled(("time", "rank"), latent["latent.kappa"].values[0], "kappa"),
        "time": ("time", run.time.values, seconds),
    }
