"""Gradients through time that all tools find: training a tanh network, and its tangent kernel.

The network is ``h += a * (tanh(W h + W_in u + b) - h)`` with outputs ``W_out h``, from h = 0. To be
trained, every unit has its own a = sigmoid(alpha), outputs after every step are compared with
targets, and Adam moves all five arrays; the tangent kernel is that of the one output at the end, a
= 1, between samples, by all arrays but alpha.

The spiking network is ``v = 0.9 v + W s + W_in u - s``, ``s = 1 where v > 1``, with outputs ``W_out
s``. Gradients pass a spike by 1/(1 + 25 |v - 1|)^2, and not by the reset; W, W_in and W_out are
trained as above.

Arrays are drawn once and handed to the tools.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Adam: rate, decays of the two means, and what keeps the denominator off zero.
ADAM = (1e-3, 0.9, 0.999, 1e-8)
#: Arrays by whose gradients the networks are trained.
TRAINED = ("W", "W_in", "b", "alpha", "W_out")
SPIKING_TRAINED = ("W", "W_in", "W_out")
#: Of the spiking network: what is left of v after a step, and the slope of the surrogate.
DECAY, SLOPE = 0.9, 25.0
_SEED = 0


@dataclass(frozen=True)
class LearningProblem:
    """A network, the length of its trials, and how often a run does its work.

    Attributes
    ----------
    case : {"training", "tangent_kernel", "spiking_training", "long_gradient"}
    n, n_in, n_out : int
        Units, inputs, outputs.
    trials, duration : int
        Trials (samples) and steps of each.
    steps : int
        Gradient steps, or kernels, of one timed run.
    """

    case: str
    n: int
    n_in: int
    n_out: int
    trials: int
    duration: int
    steps: int

    def arrays(self) -> dict[str, np.ndarray]:
        """What is trained, ``u`` (trial, time, input) and ``target`` (trial, time, output)."""
        if self.case == "spiking_training":
            return self._spiking_arrays()
        rng = np.random.default_rng(_SEED)
        root = np.sqrt(self.n)
        found = {
            "W": self._gain * rng.standard_normal((self.n, self.n)) / root,
            "W_in": rng.standard_normal((self.n, self.n_in)),
            "b": np.zeros(self.n),
            "alpha": np.full(self.n, -1.5),
            "W_out": rng.standard_normal((self.n_out, self.n)) / root,
            "u": rng.standard_normal((self.trials, self.duration, self.n_in)),
        }
        if self.case == "tangent_kernel":
            found["b"] = 0.1 * rng.standard_normal(self.n)
        found["target"] = 0.1 * np.cumsum(found["u"][..., : self.n_out], axis=1)
        return {name: array.astype(np.float32) for name, array in found.items()}

    @property
    def _gain(self) -> float:
        """Chaos, but not where its gradients would grow through 100,000 steps."""
        return 0.9 if self.case == "long_gradient" else 1.2

    @property
    def trained(self) -> tuple[str, ...]:
        return SPIKING_TRAINED if self.case == "spiking_training" else TRAINED

    def _spiking_arrays(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(_SEED)
        root = np.sqrt(self.n)
        found = {
            "W": 0.5 * rng.standard_normal((self.n, self.n)) / root,
            "W_in": 0.3 * rng.standard_normal((self.n, self.n_in)),
            "W_out": rng.standard_normal((self.n_out, self.n)) / root,
            "u": np.abs(rng.standard_normal((self.trials, self.duration, self.n_in))),
        }
        found["target"] = 0.02 * np.cumsum(found["u"][..., : self.n_out], axis=1)
        return {name: array.astype(np.float32) for name, array in found.items()}

    def spec(self, folder: Path, **more) -> dict:
        """What a worker is told; the arrays are written into `folder`."""
        names = (self.case, self.n, self.n_in, self.n_out, self.trials, self.duration)
        path = folder / ("_".join(map(str, names)) + ".npz")
        if not path.exists():
            np.savez(path, **self.arrays())
        return {**dataclasses.asdict(self), "arrays": str(path), "adam": ADAM, "decay": DECAY,
                "slope": SLOPE, **more}  # fmt: skip


PROBLEMS = {
    "T1, 128 units": LearningProblem("training", 128, 3, 2, trials=64, duration=100, steps=20),
    "T1, 512 units": LearningProblem("training", 512, 3, 2, trials=64, duration=100, steps=4),
    "T2": LearningProblem("spiking_training", 128, 10, 2, trials=64, duration=100, steps=20),
    "T4": LearningProblem("long_gradient", 128, 3, 2, trials=16, duration=100_000, steps=1),
    "N1": LearningProblem("tangent_kernel", 100, 3, 1, trials=64, duration=50, steps=20),
}
