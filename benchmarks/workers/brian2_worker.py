"""The spiking networks in Brian2, as standalone C++ programs, written as Brian2's examples are.

Seconds are Brian2's own figure for its simulation loop, ``last_run_info.txt``: CPU time, without
reading and writing files; ``program_cpu`` is that of the whole program. Every run is the same
program, started with other initial states.
"""

import resource
import tempfile
from pathlib import Path

import brian2 as b2
import numpy as np
from brian2 import Hz, ms, mV
from protocol import Run, serve

FLAGS = ["-w", "-O3", "-ffast-math", "-march=native", "-std=c++11"]
# Brian2 fixes its seed when it compiles; this lets a run choose, and leaves its memory behind.
SEED = """
if (const char* seed = std::getenv("BENCHMARK_SEED"))
    for (auto& generator : brian::_random_generators) generator.seed(std::atol(seed));
"""
MEMORY = """
{
    std::ifstream status("/proc/self/status");
    std::ofstream(brian::results_dir + "status.txt") << status.rdbuf();
}
"""


def lif(spec, equations, method, **more):
    """Neurons with the case's constants, named as in its parameters but with units."""
    p = spec["parameters"]
    units = {"tau_m": ms, "tau_e": ms, "tau_i": ms, "v_th": mV, "v_reset": mV, "t_ref": ms,
             "e_leak": mV, "e_exc": mV, "e_inh": mV, "current": mV}  # fmt: skip
    names = {name: p[name] * unit for name, unit in units.items() if name in p}
    refractory = {"refractory": p["t_ref"] * ms} if "t_ref" in p else {}
    return b2.NeuronGroup(p["n"], equations, threshold="v > v_th", reset="v = v_reset",
                          method=method, namespace=names, **refractory, **more)  # fmt: skip


def projection(neurons, arrays, chosen, target, weight, delay):
    """Synapses that add to a variable; `weight` is one for all, or one for each synapse."""
    each = np.ndim(weight) > 0
    synapses = b2.Synapses(
        neurons,
        neurons,
        "w : volt" if each else "",
        on_pre=f"{target}_post += w",
        delay=delay * ms,
        namespace={} if each else {"w": weight},
    )
    synapses.connect(i=arrays["pre"][chosen], j=arrays["post"][chosen])
    if each:
        synapses.w = weight[chosen]
    return synapses


def program(spec, neurons, others, initial, learned=()):
    """Compile; ``run(seed)`` starts the program.

    Parameters
    ----------
    initial : dict of VariableView to array (seed, ...)
        With units.
    learned : Synapses, or nothing
        Whose weights are wanted at the end.
    """
    folder = tempfile.mkdtemp(prefix="brian2-", dir=Path(spec["arrays"]).parent)
    device, monitor = b2.get_device(), b2.SpikeMonitor(neurons)
    device.insert_code("before_network_run", SEED)
    device.insert_code("after_network_run", MEMORY)
    b2.Network(neurons, monitor, *others).run(spec["duration"] * ms)
    device.build(directory=folder, compile=True, run=False, with_output=False)
    results = Path(folder) / "results"

    def run(seed):
        device.run_environment_variables["BENCHMARK_SEED"] = str(seed + 1)
        chosen = {variable: values[seed] for variable, values in initial.items()}
        before = children_cpu()
        device.run(directory=folder, with_output=False, run_args=chosen)
        program = children_cpu() - before
        arrays = {
            "step": np.rint(monitor.t / b2.defaultclock.dt).astype(np.int32),
            "unit": np.asarray(monitor.i[:], np.int32),
        }
        if learned:
            arrays["weight"] = np.asarray(learned.w[:])
        seconds = float((results / "last_run_info.txt").read_text().split()[0])
        status = (results / "status.txt").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
        return Run(arrays, seconds, seconds, peak * 1024, {"program_cpu": program})

    return run


def children_cpu():
    """Seconds of all ended children, user and system."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def vogels_abbott(spec, arrays, equations, method, unit):
    """CUBA and COBA, whose synapses have the unit of `ge` and `gi`."""
    p = spec["parameters"]
    neurons = lif(spec, equations, method)
    excitatory = arrays["pre"] < p["n_exc"]
    synapses = [
        projection(neurons, arrays, excitatory, "ge", p["w_e"] * unit, p["delay"]),
        projection(neurons, arrays, ~excitatory, "gi", p["w_i"] * unit, p["delay"]),
    ]
    initial = {
        neurons.v: arrays["v0"] * mV,
        neurons.ge: arrays["ge0"] * unit,
        neurons.gi: arrays["gi0"] * unit,
    }
    return program(spec, neurons, synapses, initial)


def cuba(spec, arrays):
    equations = """
    dv/dt = (ge + gi - (v - e_leak))/tau_m : volt (unless refractory)
    dge/dt = -ge/tau_e : volt
    dgi/dt = -gi/tau_i : volt
    """
    return vogels_abbott(spec, arrays, equations, "exact", mV)


def coba(spec, arrays):
    equations = """
    dv/dt = (ge*(e_exc - v) + gi*(e_inh - v) - (v - e_leak))/tau_m : volt (unless refractory)
    dge/dt = -ge/tau_e : 1
    dgi/dt = -gi/tau_i : 1
    """
    return vogels_abbott(spec, arrays, equations, "exponential_euler", 1)


def brunel(spec, arrays):
    p = spec["parameters"]
    neurons = lif(spec, "dv/dt = -v/tau_m : volt (unless refractory)", "exact")
    excitatory = arrays["pre"] < p["n_exc"]
    synapses = [
        projection(neurons, arrays, chosen, "v", arrays.get("weight", one) * mV, p["delay"])
        for chosen, one in ((excitatory, p["w_e"]), (~excitatory, p["w_i"]))
    ]
    external = b2.PoissonInput(
        neurons, "v", p["external"], p["external_rate"] * Hz, weight=p["w_e"] * mV
    )
    initial = {neurons.v: arrays["v0"] * mV}
    return program(spec, neurons, [*synapses, external], initial)


def stdp(spec, arrays):
    p = spec["parameters"]
    equations = """
    dv/dt = (ge*(e_exc - v) + e_leak - v)/tau_m : volt
    dge/dt = -ge/tau_e : 1
    """
    neurons = lif(spec, equations, "euler")
    neurons.v = p["v_reset"] * mV
    source = b2.PoissonGroup(p["n_input"], rates=p["input_rate"] * Hz)
    synapses = b2.Synapses(
        source,
        neurons,
        """
        w : 1
        dx/dt = -x/tau_plus : 1 (event-driven)
        dy/dt = -y/tau_minus : 1 (event-driven)
        """,
        on_pre="ge += w; x += a_plus; w = clip(w + y, 0, w_max)",
        on_post="y += -a_minus; w = clip(w + x, 0, w_max)",
        namespace={
            "tau_plus": p["tau_plus"] * ms,
            "tau_minus": p["tau_minus"] * ms,
            **{name: p[name] for name in ("a_plus", "a_minus", "w_max")},
        },
    )
    synapses.connect()
    # every pair is connected, sources first
    w0 = arrays["w0"].transpose(0, 2, 1).reshape(len(arrays["w0"]), -1)
    return program(spec, neurons, [source, synapses], {synapses.w: w0}, learned=synapses)


def driven(spec, arrays):
    p = spec["parameters"]
    neurons = lif(spec, "dv/dt = (current - v)/tau_m : volt (unless refractory)", "exact")
    synapses = projection(neurons, arrays, slice(None), "v", p["weight"] * mV, p["delay"])
    return program(spec, neurons, [synapses], {neurons.v: arrays["v0"] * mV})


if __name__ == "__main__":
    b2.set_device("cpp_standalone", build_on_run=False)
    b2.prefs.codegen.cpp.extra_compile_args_gcc = FLAGS
    b2.defaultclock.dt = 0.1 * ms
    cases = {"cuba": cuba, "coba": coba, "brunel": brunel, "stdp": stdp, "driven": driven}
    serve(cases, {"Brian2": b2.__version__})
