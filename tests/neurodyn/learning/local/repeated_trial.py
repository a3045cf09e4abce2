"""A small network, and a task of one trial: what rules that learn from losses are tested on."""

import numpy as np

import neurodyn as nd

T, DT = 6, 0.05
TRAINED = ["E.r->E.I_rec", "E.r->out.I"]


def network():
    random = np.random.default_rng(0)
    return nd.Network(
        {
            "E": nd.Population(
                3,
                "dx/dt = (-x + I_rec + I_ext)/tau : 1\nr = tanh(x) : 1",
                tau=0.1,
                x=[0.5, -0.3, 0.2],
            ),
            "out": nd.Population(2, "y = I : 1\nI : 1"),
        },
        [
            nd.Coupling("E.r", "E.I_rec", random.normal(0, 0.6, (3, 3))),
            nd.Coupling("E.r", "out.I", random.normal(size=(2, 3))),
        ],
    )


class Repeated:
    """The same trial again and again."""

    def batch(self, rng, trials):
        random = np.random.default_rng(5)
        u, y = random.normal(size=(1, T, 3)), random.normal(size=(1, T, 2))
        return nd.learning.TrialBatch(
            {"E.I_ext": np.repeat(u, trials, 0)}, {"out.y": np.repeat(y, trials, 0)}, dt=DT
        )


class Kept(nd.learning.SGD):
    """Changes nothing, and keeps the gradients it is given."""

    def update(self, parameters, gradients, state, learning_rate=None):
        self.__dict__.setdefault("seen", []).append(gradients)
        return dict(parameters), state


def exact(trainable):
    batch = Repeated().batch(None, 1)
    return nd.learning.bptt(
        network(),
        nd.Euler(DT),
        T * DT,
        batch.loss(),
        trainable=trainable,
        inputs=dict(batch.inputs),
    )


def mean_and_error(kept, key):
    values = np.array([g[key] for g in kept.seen])
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
