"""Gradients through time in neurodyn: by `nd.learning`, and `nd.analyses.tangent_kernel`."""

import numpy as np
from protocol import Run

import neurodyn as nd
from neurodyn.learning.gradients import gradients_of

#: Names of the arrays in the network.
_NAMES = {"W": "E.h->E.I", "W_in": "in.r->E.I", "b": "E.b", "W_out": "E.h->out.I"}
_DT = 1e-3


def network(spec, arrays, tau):
    return nd.Network(
        {
            "in": nd.Population(spec["n_in"], "r = u : 1"),
            "E": nd.Population(
                spec["n"], "dh/dt = (q - h)/tau : 1\nq = tanh(I + b) : 1", b=arrays["b"], tau=tau
            ),
            "out": nd.Population(spec["n_out"], "y = I : 1"),
        },
        [nd.Coupling(*_NAMES[k].split("->"), arrays[k]) for k in ("W_in", "W", "W_out")],
    )


def training(spec, arrays, **options):
    names = {**_NAMES, "alpha": "E.tau"}
    start = {k: arrays[k] for k in names}

    def leak(alpha):
        return 1 / (1 + np.exp(-alpha))

    ready = nd.learning.Unrolled(
        network(spec, arrays, _DT / leak(arrays["alpha"])),
        nd.Euler(dt=_DT),
        spec["duration"] * _DT,
        record=["out.y"],
        trainable=list(names.values()),
        trials=spec["trials"],
        driven=["in.u"],
        dtype="float32",
        **options,
    )
    loss = nd.learning.MeanSquaredError("out.y", arrays["target"])

    def gradients(values):
        a = leak(values["alpha"])
        ready.values.set({names[k]: v for k, v in values.items() if k != "alpha"})
        ready.values.set({"E.tau": _DT / a})
        found = gradients_of(ready, loss, {"in.u": arrays["u"]}, None, 0)
        by_name = {k: found[name] for k, name in names.items()}
        by_name["alpha"] = by_name["alpha"] * (a - 1) * np.float32(_DT) / a
        return found.loss, by_name

    return adam(spec, start, gradients)


def long_gradient(spec, arrays):
    """Gradients alone, with states kept at checkpoints: a quarter of a GiB for all of them."""
    run = training(spec, arrays, memory=2**28)
    return lambda steps: run(0)


def spiking_training(spec, arrays):
    """An update a step: ``dv/dt = (...)/dt`` by Euler's method, whose step is dt."""
    names = {"W": "E.s->E.I", "W_in": "in.r->E.I", "W_out": "E.s->out.I"}
    net = nd.Network(
        {
            "in": nd.Population(spec["n_in"], "r = u : 1"),
            "E": nd.Population(
                spec["n"],
                "s = spike(v - 1) : 1\ndv/dt = ((decay - 1)*v + I - heaviside(v - 1))/dt : 1",
                surrogate=nd.surrogates.FastSigmoid(slope=spec["slope"]),
                decay=spec["decay"],
            ),
            "out": nd.Population(spec["n_out"], "y = I : 1"),
        },
        [nd.Coupling(*names[k].split("->"), arrays[k]) for k in ("W_in", "W", "W_out")],
    )
    ready = nd.learning.Unrolled(
        net,
        nd.Euler(dt=_DT),
        spec["duration"] * _DT,
        record=["out.y"],
        trainable=list(names.values()),
        trials=spec["trials"],
        driven=["in.u"],
        dtype="float32",
    )
    loss = nd.learning.MeanSquaredError("out.y", arrays["target"])

    def gradients(values):
        ready.values.set({names[k]: v for k, v in values.items()})
        found = gradients_of(ready, loss, {"in.u": arrays["u"]}, None, 0)
        return found.loss, {k: found[name] for k, name in names.items()}

    return adam(spec, {k: arrays[k] for k in names}, gradients)


def adam(spec, start, gradients):
    """``run(steps)``: losses on the way; without steps the gradients at the start."""
    rate, one, two, epsilon = spec["adam"]
    optimiser = nd.learning.Adam(rate, beta1=one, beta2=two, epsilon=epsilon)

    def run(steps):
        values = {k: v.copy() for k, v in start.items()}
        if steps == 0:
            return Run(gradients(values)[1])
        state, losses = optimiser.initial_state(values), []
        for _ in range(steps):
            value, found = gradients(values)
            losses.append(value)
            values, state = optimiser.update(values, found, state)
        return Run({"losses": np.array(losses)})

    return run


def tangent_kernel(spec, arrays):
    net = network(spec, arrays, _DT)

    def run(steps):
        for _ in range(steps):
            found = nd.analyses.tangent_kernel(
                net,
                nd.Euler(dt=_DT),
                spec["duration"] * _DT,
                output="out.y",
                trainable=list(_NAMES.values()),
                inputs={"in.u": arrays["u"]},
                dtype="float32",
            )
        return Run({"kernel": found.kernel})

    return run


CASES = {
    "training": training,
    "spiking_training": spiking_training,
    "long_gradient": long_gradient,
    "tangent_kernel": tangent_kernel,
}
