"""Real-time recurrent learning of units on their own in neurodyn."""

from protocol import Run

import neurodyn as nd
from neurodyn.learning.gradients import gradients_of

_NAMES = {"W_in": "in.r->E.I", "w": "E.w", "b": "E.b", "W_out": "E.h->out.I"}
_DT = 1e-3


def elementwise_rtrl(spec, arrays):
    network = nd.Network(
        {
            "in": nd.Population(spec["n"], "r = u : 1"),
            "E": nd.Population(
                spec["n"], "dh/dt = (tanh(I + w*h + b) - h)/tau : 1", tau=_DT / spec["leak"],
                w=arrays["w"], b=arrays["b"],
            ),
            "out": nd.Population(spec["n_out"], "y = I : 1"),
        },
        [nd.Coupling(*_NAMES[k].split("->"), arrays[k]) for k in ("W_in", "W_out")],
    )  # fmt: skip
    ready = nd.learning.RTRL("elementwise").unroll(
        network,
        nd.Euler(dt=_DT),
        spec["steps"] * _DT,
        record=["out.y"],
        trainable=list(_NAMES.values()),
        driven=["in.u"],
        dtype="float32",
    )
    loss = nd.learning.MeanSquaredError("out.y", arrays["target"][None])

    def run(steps):
        found = gradients_of(ready, loss, {"in.u": arrays["u"][None]}, None, 0)
        more = {"bytes_per_number": ready.carrier.bytes_per_trial() / (spec["n"] * (spec["n"] + 2))}
        return Run({name: found[key] for name, key in _NAMES.items()}, more=more)

    return run


CASES = {"elementwise_rtrl": elementwise_rtrl}
