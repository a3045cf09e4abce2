"""The spiking networks in neurodyn: a run is one ordinary call of `simulate`, as for rates."""

import numpy as np
from protocol import Run, Timer

import neurodyn as nd

UNITS = {"tau_m": nd.ms, "tau_e": nd.ms, "tau_i": nd.ms, "v_th": nd.mV, "v_reset": nd.mV,
         "e_leak": nd.mV, "e_exc": nd.mV, "e_inh": nd.mV, "current": nd.mV}  # fmt: skip


def lif(spec, equations):
    """Neurons with the case's constants."""
    p = spec["parameters"]
    constants = {name: p[name] * unit for name, unit in UNITS.items() if name in p}
    refractory = {"refractory": p["t_ref"] * nd.ms} if "t_ref" in p else {}
    return nd.Population(
        p["n"], equations, threshold="v > v_th", reset="v = v_reset", **refractory, **constants
    )


def sparse(spec, arrays, chosen, weight):
    """Weights (post, pre) of some of the synapses; `weight` for all or one of each."""
    post, pre = arrays["post"][chosen], arrays["pre"][chosen]
    n = spec["parameters"]["n"]
    return nd.weights.Sparse.from_synapses(post, pre, weight, (n, n))


def simulation(spec, network, solver, initial=None, learned=None):
    """``run(seed)``; ``initial(seed)`` has states, and `learned` names a coupling's weights."""

    def run(seed, threads=None):
        states = initial(seed) if initial else None
        return simulate(spec, network, solver, seed, threads, states, learned)

    return run


def simulate(spec, network, solver, seed, threads, initial=None, learned=None, sizes=None):
    sizes = sizes or {"P": spec["parameters"]["n"]}
    dt = spec["dt"] * nd.ms
    with Timer() as taken:
        result = nd.simulate(
            network,
            solver(dt=dt),
            duration=spec["duration"] * nd.ms,
            record=[f"{name}.spike" for name in sizes],
            initial=initial,
            rng=seed + 1,
            dtype=spec["dtype"],
            threads=threads or spec.get("threads", 1),
        )
    steps, units, first = [], [], 0
    for name, size in sizes.items():
        time = result[f"{name}.spike_time"].values
        steps.append(np.rint(time / (1e-3 * spec["dt"])).astype(np.int32))
        units.append(result[f"{name}.spike_unit"].values.astype(np.int32) + first)
        first += size
    step, unit = np.concatenate(steps), np.concatenate(units)
    order = np.lexsort((unit, step))
    arrays = {"step": step[order], "unit": unit[order]}
    if learned:
        arrays["weight"] = result[f"{learned}.final"].values.ravel()
    return Run(arrays, taken.wall, taken.cpu)


def volts(arrays, name, seed):
    """An initial state in mV as (trial, unit) in V."""
    return 1e-3 * arrays[name][seed][None]


def cuba(spec, arrays):
    p = spec["parameters"]
    neurons = lif(
        spec,
        """
        dv/dt = (ge + gi - (v - e_leak))/tau_m : volt (unless refractory)
        dge/dt = -ge/tau_e : volt
        dgi/dt = -gi/tau_i : volt
        """,
    )
    network = vogels_abbott(spec, arrays, neurons, p["w_e"] * nd.mV, p["w_i"] * nd.mV)
    return simulation(
        spec,
        network,
        nd.Exact,
        lambda seed: {f"P.{name}": volts(arrays, f"{name}0", seed) for name in ("v", "ge", "gi")},
    )


def coba(spec, arrays):
    p = spec["parameters"]
    neurons = lif(
        spec,
        """
        dv/dt = (ge*(e_exc - v) + gi*(e_inh - v) - (v - e_leak))/tau_m : volt (unless refractory)
        dge/dt = -ge/tau_e : 1
        dgi/dt = -gi/tau_i : 1
        """,
    )
    network = vogels_abbott(spec, arrays, neurons, p["w_e"], p["w_i"])

    def initial(seed):
        conductances = {f"P.{name}": arrays[f"{name}0"][seed][None] for name in ("ge", "gi")}
        return {"P.v": volts(arrays, "v0", seed), **conductances}

    return simulation(spec, network, nd.ExponentialEuler, initial)


def vogels_abbott(spec, arrays, neurons, w_e, w_i):
    excitatory, delay = arrays["pre"] < spec["parameters"]["n_exc"], spec["parameters"]["delay"]
    return nd.Network(
        {"P": neurons},
        [
            nd.Coupling("P.spike", f"P.{target}", weights, delay=delay * nd.ms)
            for target, weights in (
                ("ge", sparse(spec, arrays, excitatory, w_e)),
                ("gi", sparse(spec, arrays, ~excitatory, w_i)),
            )
        ],
    )


def brunel(spec, arrays):
    p = spec["parameters"]
    neurons = lif(spec, "dv/dt = -v/tau_m : volt (unless refractory)")
    weight = np.where(arrays["pre"] < p["n_exc"], p["w_e"], p["w_i"])
    weights = sparse(spec, arrays, slice(None), arrays.get("weight", weight) * nd.mV)
    external = p["external"] * p["external_rate"] * nd.Hz
    network = nd.Network(
        {"P": neurons},
        [
            nd.Coupling("P.spike", "P.v", weights, delay=p["delay"] * nd.ms),
            nd.PoissonInput("P.v", rate=external, weight=p["w_e"] * nd.mV),
        ],
    )
    return simulation(spec, network, nd.Exact, lambda seed: {"P.v": volts(arrays, "v0", seed)})


def stdp(spec, arrays):
    p = spec["parameters"]
    neurons = lif(
        spec,
        """
        dv/dt = (ge*(e_exc - v) + e_leak - v)/tau_m : volt
        dge/dt = -ge/tau_e : 1
        """,
    )
    rule = nd.Plasticity(
        """
        dx_pre/dt = -x_pre/tau_plus : 1
        dy_post/dt = -y_post/tau_minus : 1
        """,
        on_pre="x_pre += a_plus; w = w - y_post",
        on_post="y_post += a_minus; w = w + x_pre",
        bounds=(0, p["w_max"]),
        tau_plus=p["tau_plus"] * nd.ms,
        tau_minus=p["tau_minus"] * nd.ms,
        a_plus=p["a_plus"],
        a_minus=p["a_minus"],
    )
    source = nd.poisson_source(p["n_input"], rate=p["input_rate"] * nd.Hz)
    initial = {"P.v": np.full((1, p["n"]), 1e-3 * p["v_reset"]), "P.ge": np.zeros((1, p["n"]))}

    def run(seed, threads=None):
        coupling = nd.Coupling("S.spike", "P.ge", arrays["w0"][seed].astype(float), plasticity=rule)
        network = nd.Network({"S": source, "P": neurons}, [coupling])
        return simulate(spec, network, nd.Euler, seed, threads, initial, "S.spike->P.ge.w")

    return run


def microcircuit(spec, _):
    """The circuit that neurodyn ships; another network for every seed."""
    from neurodyn.circuits import cortical_microcircuit

    built = {}

    def run(seed, threads=None):
        more = {}
        if seed not in built:
            built.clear()
            with Timer() as building:
                built[seed] = cortical_microcircuit.network(scale=spec["scale"], rng=seed)
            more = {"build": building.wall}
        sizes = spec["parameters"]["sizes"]
        found = simulate(spec, built[seed], nd.Exact, seed, threads, sizes=sizes)
        return found._replace(more=more)

    return run


def driven(spec, arrays):
    p = spec["parameters"]
    neurons = lif(spec, "dv/dt = (current - v)/tau_m : volt (unless refractory)")
    weights = sparse(spec, arrays, slice(None), p["weight"] * nd.mV)
    coupling = nd.Coupling("P.spike", "P.v", weights, delay=p["delay"] * nd.ms)
    network = nd.Network({"P": neurons}, [coupling])
    return simulation(spec, network, nd.Exact, lambda seed: {"P.v": volts(arrays, "v0", seed)})


CASES = {"cuba": cuba, "coba": coba, "brunel": brunel, "stdp": stdp, "microcircuit": microcircuit,
         "driven": driven}  # fmt: skip
