"""CUBA and COBA in ANNarchy, double precision, one thread. Seconds are those of `simulate`.

ANNarchy has no exact method: in CUBA, too, `v` moves by exponential Euler steps. A refractory
neuron rests for all of `t_ref`, one step more than Brian2 counts, which is taken off here.
"""

import tempfile
from pathlib import Path

import ANNarchy as ann
import numpy as np
from protocol import Run, Timer, serve

# By its own advice -O2, and rows of targets: both are slower here.
FLAGS = "-march=native -O3 -ffast-math"
STORAGE = {"storage_format": "csr", "storage_order": "pre_to_post"}


def vogels_abbott(spec, arrays, equations, names):
    from scipy.sparse import csr_matrix

    p = spec["parameters"]
    n, n_exc = p["n"], p["n_exc"]
    network = ann.Network(dt=spec["dt"], seed=1)
    network.config(num_threads=1)
    neuron = ann.Neuron(
        parameters={name: p[name] for name in names},
        equations=equations,
        spike="v > v_th",
        reset="v = v_reset",
        refractory=p["t_ref"] - spec["dt"],
    )
    neurons = network.create(n, neuron)
    excitatory = arrays["pre"] < n_exc
    for sources, target, chosen, weight in (
        (neurons[:n_exc], "exc", excitatory, p["w_e"]),
        (neurons[n_exc:], "inh", ~excitatory, p["w_i"]),
    ):
        pre, post = arrays["pre"][chosen], arrays["post"][chosen]
        pre = pre - pre.min()
        pattern = csr_matrix((np.full(pre.size, weight), (pre, post)), shape=(sources.size, n))
        network.connect(sources, neurons, target).connect_from_sparse(pattern, **STORAGE)
    monitor = network.monitor(neurons, ["spike"])
    folder = tempfile.mkdtemp(prefix="annarchy-", dir=Path(spec["arrays"]).parent)
    network.compile(directory=folder, compiler_flags=FLAGS)

    def run(seed):
        network.reset()
        monitor.get()
        neurons.v = arrays["v0"][seed]
        neurons.g_exc, neurons.g_inh = arrays["ge0"][seed], arrays["gi0"][seed]
        with Timer() as taken:
            network.simulate(spec["duration"])
        step, unit = monitor.raster_plot(monitor.get("spike"))
        step, unit = np.rint(step / spec["dt"]).astype(np.int32), np.asarray(unit, np.int32)
        order = np.lexsort((unit, step))
        return Run({"step": step[order], "unit": unit[order]}, taken.wall, taken.cpu)

    return run


def cuba(spec, arrays):
    equations = """
    tau_m*dv/dt = g_exc + g_inh - (v - e_leak) : exponential
    tau_e*dg_exc/dt = -g_exc : exponential
    tau_i*dg_inh/dt = -g_inh : exponential
    """
    names = ("tau_m", "tau_e", "tau_i", "e_leak", "v_th", "v_reset")
    return vogels_abbott(spec, arrays, equations, names)


def coba(spec, arrays):
    equations = """
    tau_m*dv/dt = g_exc*(e_exc - v) + g_inh*(e_inh - v) - (v - e_leak) : exponential
    tau_e*dg_exc/dt = -g_exc : exponential
    tau_i*dg_inh/dt = -g_inh : exponential
    """
    names = ("tau_m", "tau_e", "tau_i", "e_leak", "e_exc", "e_inh", "v_th", "v_reset")
    return vogels_abbott(spec, arrays, equations, names)


if __name__ == "__main__":
    serve({"cuba": cuba, "coba": coba}, {"ANNarchy": ann.__version__})
