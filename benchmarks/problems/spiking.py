"""The spiking networks that all tools simulate: their numbers, synapses and initial states.

Times are in ms, potentials in mV, conductances in units of the leak, rates in Hz: the units of the
papers. Synapses and initial states are drawn once and handed to the tools as files; random input
is each tool's own. The microcircuit is too large for files: there every tool draws its own network
from the published table (`microcircuit`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from problems import microcircuit

#: Time step of all tools, ms.
DT = 0.1
#: Initial states that are drawn; run k of a comparison begins with the k-th in every tool.
SEEDS = 10
_DRAW = 20

#: Vogels & Abbott (2005), as in Brian2's examples "CUBA" and "COBA": 80 % excitatory, every pair
#: connected with probability 0.02, no delay.
_VOGELS_ABBOTT = {"n": 4000, "n_exc": 3200, "p": 0.02, "tau_m": 20.0, "tau_e": 5.0, "tau_i": 10.0,
                  "v_th": -50.0, "v_reset": -60.0, "t_ref": 5.0, "delay": 0.0}  # fmt: skip
PARAMETERS = {
    "cuba": {**_VOGELS_ABBOTT, "e_leak": -49.0, "w_e": 1.62, "w_i": -9.0},
    "coba": {**_VOGELS_ABBOTT, "e_leak": -60.0, "e_exc": 0.0, "e_inh": -80.0, "w_e": 0.6,
             "w_i": 6.7},
    # Brunel (2000), fig. 8C (asynchronous irregular): g = 5, external rate twice the threshold's
    "brunel": {"n": 12_500, "n_exc": 10_000, "in_exc": 1000, "in_inh": 250, "tau_m": 20.0,
               "v_th": 20.0, "v_reset": 10.0, "t_ref": 2.0, "delay": 1.5, "w_e": 0.1, "w_i": -0.5,
               "external": 1000, "external_rate": 20.0},
    # Brian2's example "STDP" after Song, Miller & Abbott (2000), with 100 postsynaptic neurons
    "stdp": {"n": 100, "n_input": 1000, "input_rate": 15.0, "tau_m": 10.0, "tau_e": 5.0,
             "e_leak": -74.0, "e_exc": 0.0, "v_th": -54.0, "v_reset": -60.0, "w_max": 0.01,
             "tau_plus": 20.0, "tau_minus": 20.0, "a_plus": 1e-4, "a_minus": 1.05e-4},
    # Leaky neurons that a constant current makes regular, with synapses too weak to matter: so the
    # number of neurons, of synapses and of spikes can be chosen each for itself
    "driven": {"tau_m": 20.0, "v_th": 20.0, "v_reset": 0.0, "t_ref": 2.0, "delay": 1.5,
               "weight": 1e-9},
}  # fmt: skip


@dataclass(frozen=True)
class SpikingProblem:
    """A network, for how long it runs, and in which number type.

    Attributes
    ----------
    case : {"cuba", "coba", "brunel", "stdp", "microcircuit", "driven"}
        Name of the function in each worker that simulates it.
    duration : float
        Model time of a run, ms.
    dtype : {"float64", "float32"}
        For tools that can be asked.
    weights : {"source", "synapse"}
        Of `brunel`: all synapses of a neuron have one weight, or each its own (0.1 % around that).
    order : {"source", "target"}
        Of `brunel`: whose synapses stand together in the lists.
    scale : float
        Of `microcircuit`: of the number of neurons and of in-degrees.
    n, out_degree : int
    rate : float
        Of `driven`: neurons, synapses and spikes per second (Hz) of each.
    """

    case: str
    duration: float
    dtype: str = "float64"
    weights: str = "source"
    order: str = "source"
    scale: float = 1.0
    n: int = 10_000
    out_degree: int = 100
    rate: float = 10.0

    @property
    def parameters(self) -> dict:
        """The constants of the network."""
        if self.case == "microcircuit":
            return microcircuit.parameters(self.scale)
        found = PARAMETERS[self.case]
        return {**found, **_drive(self, found)} if self.case == "driven" else found

    @property
    def sizes(self) -> dict[str, int]:
        """Populations, in the order in which a worker numbers their units."""
        p = self.parameters
        if self.case == "microcircuit":
            return p["sizes"]
        return {"P": p["n"]}

    def arrays(self) -> dict[str, np.ndarray]:
        """Synapses, ``pre`` and ``post``, and initial states (seed, unit)."""
        rng = np.random.default_rng(_DRAW)
        p = self.parameters
        match self.case:
            case "cuba" | "coba":
                return {**_pairs(rng, p["n"], p["p"]), **_vogels_abbott_states(rng, self.case, p)}
            case "brunel":
                found = _in_degrees(rng, p)
                if self.order == "source":
                    by_source = found["pre"].argsort(kind="stable")
                    found = {name: values[by_source] for name, values in found.items()}
                if self.weights == "synapse":
                    mean = np.where(found["pre"] < p["n_exc"], p["w_e"], p["w_i"])
                    factor = 1 + 1e-3 * rng.standard_normal(mean.size, dtype=np.float32)
                    found["weight"] = (mean * factor).astype(np.float32)
                return {**found, "v0": p["v_th"] * rng.random((SEEDS, p["n"]))}
            case "stdp":
                shape = (SEEDS, p["n"], p["n_input"])
                return {"w0": p["w_max"] * rng.random(shape, dtype=np.float32)}
            case "driven":
                return _random_targets(rng, p)
        return {}

    def spec(self, folder: Path, **more) -> dict:
        """What a worker is told; the arrays are written into `folder`."""
        names = (self.case, self.weights, self.order, self.n, self.out_degree, self.rate)
        path = folder / ("_".join(map(str, names)) + ".npz")
        if not path.exists():
            np.savez(path, **self.arrays())
        what = {**dataclasses.asdict(self), "parameters": self.parameters, "dt": DT}
        return {**what, "arrays": str(path), **more}


def _pairs(rng: np.random.Generator, n: int, p: float) -> dict[str, np.ndarray]:
    """Every pair connected with probability `p`, a neuron with itself as well."""
    pre, post = (rng.random((n, n), dtype=np.float32) < p).nonzero()
    return {"pre": pre.astype(np.int32), "post": post.astype(np.int32)}


def _in_degrees(rng: np.random.Generator, p: dict) -> dict[str, np.ndarray]:
    """As many different excitatory and inhibitory sources for every neuron."""
    n, n_exc, each = p["n"], p["n_exc"], p["in_exc"] + p["in_inh"]
    pre = np.empty((n, each), np.int32)
    for sources in pre:
        sources[: p["in_exc"]] = rng.choice(n_exc, p["in_exc"], replace=False, shuffle=False)
        sources[p["in_exc"] :] = n_exc + rng.choice(
            n - n_exc, p["in_inh"], replace=False, shuffle=False
        )
    return {"pre": pre.ravel(), "post": np.repeat(np.arange(n, dtype=np.int32), each)}


def _random_targets(rng: np.random.Generator, p: dict) -> dict[str, np.ndarray]:
    n, each = p["n"], p["out_degree"]
    pre = np.repeat(np.arange(n, dtype=np.int32), each)
    post = rng.integers(0, n, n * each, dtype=np.int32).reshape(n, each)
    post.sort(axis=1)
    # anywhere in the cycle of charging and resting, so that the rate is the same from the start
    phase = rng.random((SEEDS, n))
    period = 1e3 / p["rate"]
    charged = np.clip(phase * period - p["t_ref"], 0, None)
    v0 = p["current"] * (1 - np.exp(-charged / p["tau_m"]))
    return {"pre": pre, "post": post.ravel(), "v0": v0}


def _drive(problem: SpikingProblem, p: dict) -> dict:
    """The current I of a neuron that fires at 1/(t_ref + tau ln(I/(I - v_th)))."""
    charging = 1e3 / problem.rate - p["t_ref"]
    current = p["v_th"] / (1 - np.exp(-charging / p["tau_m"]))
    sizes = {"n": problem.n, "out_degree": problem.out_degree, "rate": problem.rate}
    return {**sizes, "current": current}


def _vogels_abbott_states(rng: np.random.Generator, case: str, p: dict) -> dict[str, np.ndarray]:
    """As in Brian2's examples; conductances that would be negative are 0, as NEST wants it."""
    shape = (SEEDS, p["n"])
    if case == "cuba":
        v0 = p["v_reset"] + (p["v_th"] - p["v_reset"]) * rng.random(shape)
        return {"v0": v0, "ge0": np.zeros(shape), "gi0": np.zeros(shape)}
    return {
        "v0": p["e_leak"] + 5 * rng.standard_normal(shape) - 5,
        "ge0": np.maximum(1.5 * rng.standard_normal(shape) + 4, 0),
        "gi0": np.maximum(12 * rng.standard_normal(shape) + 20, 0),
    }
