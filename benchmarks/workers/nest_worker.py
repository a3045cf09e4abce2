"""The spiking networks in NEST. Seconds are those of ``nest.Run``, without building the network.

NEST differs from the other tools in this: a delay is at least one step, and counts from the end of
the step in which a neuron spikes; a refractory neuron rests for all of `t_ref`, one step more than
Brian2 counts, which is taken off here.
"""

import nest
import numpy as np
from protocol import Run, Timer, serve


def start(spec, seed, threads=1):
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=spec["dt"], local_num_threads=threads, rng_seed=seed + 1)


def neuron_parameters(spec, **more):
    """Potentials and times; with C_m = tau_m a current of 1 pA is a drive of 1 mV per tau_m."""
    p = spec["parameters"]
    given = {"V_th": p["v_th"], "V_reset": p["v_reset"], "E_L": p.get("e_leak", 0.0)}
    return {"C_m": p["tau_m"], "t_ref": p["t_ref"] - spec["dt"], **given, **more}


def connect(neurons, arrays, chosen, weight, delay):
    """One synapse for each pair of indices, `weight` for all or one of each."""
    first = neurons[0].global_id
    pre, post = arrays["pre"][chosen] + first, arrays["post"][chosen] + first
    weight = np.broadcast_to(np.float64(weight), arrays["pre"].shape)[chosen]
    what = {"weight": weight, "delay": np.full(pre.size, delay)}
    nest.Connect(pre, post, "one_to_one", {"synapse_model": "static_synapse", **what})


def record(populations):
    """Spikes of several populations, numbered in their order."""
    recorder = nest.Create("spike_recorder")
    for population in populations:
        nest.Connect(population, recorder)
    return recorder


def simulate(spec, recorder, first):
    """One timed run from where the network is; steps count from its beginning."""
    begin = round(nest.biological_time / spec["dt"])
    recorder.n_events = 0
    nest.Prepare()
    with Timer() as run:
        nest.Run(spec["duration"])
    nest.Cleanup()
    events = recorder.events
    # a spike has the time of the end of its step
    step = np.rint(events["times"] / spec["dt"]).astype(np.int32) - 1 - begin
    unit = events["senders"].astype(np.int32) - first
    order = np.lexsort((unit, step))
    return Run({"step": step[order], "unit": unit[order]}, run.wall, run.cpu)


def vogels_abbott(spec, arrays, model, weights, states, **more):
    """CUBA and COBA; small enough to be built anew for every run."""
    p = spec["parameters"]

    def run(seed):
        start(spec, seed)
        parameters = {"tau_syn_ex": p["tau_e"], "tau_syn_in": p["tau_i"], **more}
        neurons = nest.Create(model, p["n"], neuron_parameters(spec, **parameters))
        for name, (given, scale) in states.items():
            neurons.set({name: scale * arrays[given][seed]})
        excitatory = arrays["pre"] < p["n_exc"]
        delay = max(p["delay"], spec["dt"])
        connect(neurons, arrays, excitatory, weights[0], delay)
        connect(neurons, arrays, ~excitatory, weights[1], delay)
        return simulate(spec, record([neurons]), neurons[0].global_id)

    return run


def cuba(spec, arrays):
    p = spec["parameters"]
    states = {"V_m": ("v0", 1)}  # the currents begin with 0, as in NEST
    return vogels_abbott(spec, arrays, "iaf_psc_exp", (p["w_e"], p["w_i"]), states,
                         tau_m=p["tau_m"])  # fmt: skip


def coba(spec, arrays):
    p = spec["parameters"]
    leak = 1.0  # nS: C_m = tau_m g_L
    states = {"V_m": ("v0", 1), "g_ex": ("ge0", leak), "g_in": ("gi0", leak)}
    # NEST's sign of a weight says which conductance it adds to
    return vogels_abbott(spec, arrays, "iaf_cond_exp", (p["w_e"], -p["w_i"]), states,
                         g_L=leak, E_ex=p["e_exc"], E_in=p["e_inh"])  # fmt: skip


def brunel(spec, arrays):
    """Built once; a run goes on from where the one before ended, with new potentials."""
    p = spec["parameters"]
    start(spec, 0)
    neurons = nest.Create("iaf_psc_delta", p["n"], neuron_parameters(spec, tau_m=p["tau_m"]))
    excitatory = arrays["pre"] < p["n_exc"]
    weights = np.where(excitatory, p["w_e"], p["w_i"])
    connect(neurons, arrays, slice(None), arrays.get("weight", weights), p["delay"])
    rate = p["external"] * p["external_rate"]
    external = nest.Create("poisson_generator", params={"rate": rate})
    nest.Connect(external, neurons, syn_spec={"weight": p["w_e"], "delay": p["delay"]})
    recorder = record([neurons])

    def run(seed):
        neurons.V_m = arrays["v0"][seed]
        return simulate(spec, recorder, neurons[0].global_id)

    return run


def microcircuit(spec, _):
    """As NEST's example "Cortical microcircuit model" builds it; another network in every run."""

    def run(seed, threads=1):
        start(spec, seed, threads)
        with Timer() as building:
            populations = microcircuit_populations(spec)
            connect_microcircuit(spec, populations)
            recorder = record(populations.values())
        first = next(iter(populations.values()))[0].global_id
        return simulate(spec, recorder, first)._replace(more={"build": building.wall})

    return run


def microcircuit_populations(spec):
    p = spec["parameters"]
    constants = neuron_parameters(spec, tau_m=p["tau_m"], C_m=p["c_m"], tau_syn_ex=p["tau_syn"],
                                  tau_syn_in=p["tau_syn"])  # fmt: skip
    populations = {}
    for name, size in p["sizes"].items():
        current = {"I_e": p["current"][name]}
        populations[name] = nest.Create("iaf_psc_exp", size, {**constants, **current})
        populations[name].V_m = nest.random.normal(p["v0_mean"][name], p["v0_sd"][name])
    return populations


def connect_microcircuit(spec, populations):
    p = spec["parameters"]
    normal, redraw = nest.random.normal, nest.math.redraw
    for post, row in p["synapses"].items():
        for pre, number in row.items():
            weight = p["weight"][post][pre]
            low, high = (0.0, np.inf) if weight > 0 else (-np.inf, 0.0)
            delay = normal(p["delay"][pre], p["delay_sd"][pre])
            # NEST rounds a delay to steps; half a step is the least that does not become none
            synapse = {
                "weight": redraw(normal(weight, abs(weight) * p["weight_sd"]), low, high),
                "delay": redraw(delay, spec["dt"] / 2, np.inf),
            }
            rule = {"rule": "fixed_total_number", "N": number}
            if number:
                nest.Connect(populations[pre], populations[post], rule, synapse)
    for name, population in populations.items():
        external = nest.Create("poisson_generator", params={"rate": p["external_rate"][name]})
        synapse = {"weight": p["external_weight"], "delay": p["external_delay"]}
        nest.Connect(external, population, syn_spec=synapse)


def driven(spec, arrays):
    p = spec["parameters"]
    start(spec, 0, spec.get("threads", 1))
    parameters = neuron_parameters(spec, tau_m=p["tau_m"], I_e=p["current"])
    neurons = nest.Create("iaf_psc_delta", p["n"], parameters)
    connect(neurons, arrays, slice(None), p["weight"], p["delay"])
    recorder = record([neurons])

    def run(seed):
        neurons.V_m = arrays["v0"][seed]
        return simulate(spec, recorder, neurons[0].global_id)

    return run


if __name__ == "__main__":
    cases = {"cuba": cuba, "coba": coba, "brunel": brunel, "microcircuit": microcircuit,
             "driven": driven}  # fmt: skip
    serve(cases, {"NEST": nest.__version__})
