"""Spiking networks in plain NumPy, float64, one step after the other: what the tools must do.

The order within a step is Brian2's: states move, thresholds are compared, spikes arrive, spiking
neurons are reset. A neuron that spiked in step s moves again in step s + t_ref/dt; until then its
potential stays where it is, whatever arrives.
"""

from __future__ import annotations

import math

import numpy as np
from problems.spiking import DT, SpikingProblem


def simulate(
    problem: SpikingProblem,
    arrays: dict[str, np.ndarray],
    seed: int,
    *,
    delay: float | None = None,
    method: str = "exact",
    dtype: str = "float64",
) -> tuple[np.ndarray, np.ndarray]:
    """Steps and units of all spikes of one run, in order.

    Parameters
    ----------
    problem : SpikingProblem
        `cuba`, `coba` or `brunel`, with a weight per source.
    arrays : dict
        Its arrays.
    seed : int
        Which initial state; with `brunel` also of the external input.
    delay : float, optional
        Of all synapses, ms; the problem's if not given.
    method : {"exact", "exponential"}
        How `v` moves in `cuba`.
    dtype : {"float64", "float32"}
        What it computes in.
    """
    p = problem.parameters
    network = {"cuba": _Cuba, "coba": _Coba, "brunel": _Brunel}[problem.case](
        p, arrays, seed, dtype
    )
    if method == "exponential" and problem.case == "cuba":
        network.respond = network.hold
    rest, steps = round(p["t_ref"] / DT), round(problem.duration / DT)
    v, last = network.v, np.full(p["n"], -rest)
    waiting = [np.empty(0, int)] * (1 + round((p["delay"] if delay is None else delay) / DT))
    found = []
    for step in range(steps):
        free = step - last >= rest
        np.copyto(v, network.move(), where=free)
        spikes = (free & (v > p["v_th"])).nonzero()[0]
        waiting[step % len(waiting)] = spikes
        free[spikes] = False
        network.arrive(waiting[(step + 1) % len(waiting)], free)
        v[spikes] = p["v_reset"]
        last[spikes] = step
        found.append(spikes)
    counts = [spikes.size for spikes in found]
    return np.repeat(np.arange(steps), counts), np.concatenate(found)


class _Network:
    """States of one run; `move` and `arrive` are the two halves of a step."""

    def __init__(self, p: dict, arrays: dict[str, np.ndarray], seed: int, dtype: str):
        self.p = p
        self.v = arrays["v0"][seed].astype(dtype)
        self.post = arrays["post"]
        self.begin = np.searchsorted(arrays["pre"], np.arange(p["n"] + 1))

    def targets(self, unit: int) -> np.ndarray:
        return self.post[self.begin[unit] : self.begin[unit + 1]]

    def move(self) -> np.ndarray:
        """The next `v`, were nobody refractory; the other variables move in place."""
        raise NotImplementedError

    def arrive(self, spikes: np.ndarray, free: np.ndarray) -> None:
        """Add what arrives; to `v` only where it is `free` to change."""
        raise NotImplementedError


class _Cuba(_Network):
    def __init__(self, p, arrays, seed, dtype):
        super().__init__(p, arrays, seed, dtype)
        self.ge, self.gi = (arrays[name][seed].astype(dtype) for name in ("ge0", "gi0"))
        self.m, self.e, self.i = (math.exp(-DT / p[name]) for name in ("tau_m", "tau_e", "tau_i"))

    def move(self):
        moved = self.respond()
        self.ge *= self.e
        self.gi *= self.i
        return moved

    def respond(self):
        """Exact: the response to an exponential current is a difference of two exponentials."""
        p, leak = self.p, self.p["e_leak"]
        from_e = p["tau_e"] / (p["tau_m"] - p["tau_e"]) * (self.m - self.e)
        from_i = p["tau_i"] / (p["tau_m"] - p["tau_i"]) * (self.m - self.i)
        # in float32 this constant over 1 - m is not quite the leak's potential
        return leak * (1 - self.m) + self.v * self.m + from_e * self.ge + from_i * self.gi

    def hold(self):
        """Exponential Euler: currents are constant during a step."""
        towards = self.p["e_leak"] + self.ge + self.gi
        return towards + (self.v - towards) * self.m

    def arrive(self, spikes, free):
        for unit in spikes:
            if unit < self.p["n_exc"]:
                self.ge[self.targets(unit)] += self.p["w_e"]
            else:
                self.gi[self.targets(unit)] += self.p["w_i"]


class _Coba(_Cuba):
    def respond(self):
        """Exponential Euler: conductances are constant during a step."""
        p = self.p
        total = 1 + self.ge + self.gi
        towards = (self.ge * p["e_exc"] + self.gi * p["e_inh"] + p["e_leak"]) / total
        return towards + (self.v - towards) * np.exp(-total * DT / p["tau_m"])


class _Brunel(_Network):
    def __init__(self, p, arrays, seed, dtype):
        super().__init__(p, arrays, seed, dtype)
        self.m = math.exp(-DT / p["tau_m"])
        self.external = p["external"] * p["external_rate"] * DT / 1e3  # spikes a step
        self.rng = np.random.default_rng(seed)

    def move(self):
        return self.v * self.m

    def arrive(self, spikes, free):
        p = self.p
        arrived = p["w_e"] * self.rng.poisson(self.external, p["n"]).astype(self.v.dtype)
        excitatory = spikes < p["n_exc"]
        for sources, weight in ((spikes[excitatory], "w_e"), (spikes[~excitatory], "w_i")):
            if sources.size:
                targets = np.concatenate([self.targets(unit) for unit in sources])
                arrived += p[weight] * np.bincount(targets, minlength=p["n"])
        np.add(self.v, arrived, out=self.v, where=free, casting="same_kind")
