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


def training(spec, arrays):
    names = {**_NAMES, "alpha": "E.tau"}
    start = {k: arrays[k] for k in names}
    rate, one, two, epsilon = (np.float32(a) for a in spec["adam"])

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

    def run(steps):
        values = {k: v.copy() for k, v in start.items()}
        if steps == 0:
            return Run(gradients(values)[1])
        m, v = ({k: np.zeros_like(a) for k, a in values.items()} for _ in range(2))
        losses = []
        for step in range(1, steps + 1):
            value, found = gradients(values)
            losses.append(value)
            one_step = rate / np.float32(1 - one**step)
            scale = np.float32(1 / (1 - two**step))
            for k, g in found.items():
                m[k] += (1 - one) * (g - m[k])
                v[k] += (1 - two) * (g * g - v[k])
                values[k] -= one_step * m[k] / (np.sqrt(v[k] * scale) + epsilon)
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


CASES = {"training": training, "tangent_kernel": tangent_kernel}
