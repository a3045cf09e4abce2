"""A network, a task and a training for the tests; run as a program it trains to a checkpoint."""

import sys

import numpy as np

import neurodyn as nd
from neurodyn.learning import Adam, ClipNorm, LinearWarmUp, Positive, TrialBatch, train
from neurodyn.learning.regularisers import L2, ActivityL2


def network(n=6, noise=False):
    rng = np.random.default_rng(0)
    text = f"""
        dx/dt = (-x + I_rec + I_in + b)/tau {"+ 0.1*sqrt(2/tau)*xi" if noise else ""} : 1
        r = tanh(x) : 1
        """
    return nd.Network(
        {
            "E": nd.Population(n, text, tau=0.05, b=np.zeros(n), x=0.1),
            "stim": nd.Population(1, "u = s : 1"),
            "out": nd.Population(1, "y = I : 1"),
        },
        [
            nd.Coupling("E.r", "E.I_rec", rng.normal(size=(n, n)) / np.sqrt(n)),
            nd.Coupling("E.r", "out.I", rng.normal(size=(1, n)) / np.sqrt(n)),
            nd.Coupling("stim.u", "E.I_in", rng.normal(size=(n, 1))),
        ],
    )


class Integrator:
    """The output is the running sum of a noisy input."""

    dt, n_steps = 0.01, 12

    def __init__(self, names=("stim.s", "out.y")):
        self.names = names

    def batch(self, rng, trials):
        u = rng.normal(size=(trials, self.n_steps, 1))
        y = np.cumsum(u, axis=1) * 0.1
        mask = np.arange(self.n_steps) >= 3
        return TrialBatch({self.names[0]: u}, {self.names[1]: y}, dt=self.dt, mask=mask)

    def metrics(self, batch, recorded):
        y = batch.targets[self.names[1]]
        return {"correlation": np.corrcoef(y.ravel(), recorded[self.names[1]].ravel())[0, 1]}


NAMES = ["E.r->E.I_rec", "E.r->out.I", "E.tau", "E.b", "E.x"]
OPTIONS = {
    "trainable": NAMES,
    "batch": 4,
    "rng": 5,
    "parametrise": {"E.tau": Positive(kind="exp")},
    "regularise": [L2(1e-3, on=["E.r->E.I_rec"]), ActivityL2("E.r", 0.01)],
    "clip": ClipNorm(0.5),
    "schedule": LinearWarmUp(5),
    "evaluate_every": 10,
}


def run(steps, **changes):
    return train(network(), Integrator(), Adam(0.01), steps=steps, **{**OPTIONS, **changes})


if __name__ == "__main__":
    path, steps = sys.argv[1], int(sys.argv[2])
    said = []

    def say(report):
        if report.step >= 25 and not said:
            said.append(print("running", flush=True))

    fit = run(steps, checkpoint=path, checkpoint_every=7, callbacks=[say])
    print(fit.stop_reason, fit.n_steps, flush=True)
