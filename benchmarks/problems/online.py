"""Real-time recurrent learning of units that do not act on each other, in all sizes.

``h += a * (tanh(W_in u + w h + b) - h)`` with a weight w of each unit to itself and outputs ``W_out
h``, from h = 0; outputs after every step are compared with targets. Every unit has as many inputs
as there are units, so that most of the numbers to be learned are in ``W_in``. Arrays are drawn once
and handed to the tools.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Arrays by whose gradients the network would be trained, and the leak.
TRAINED, LEAK = ("W_in", "w", "b", "W_out"), 0.2
_SEED = 0


@dataclass(frozen=True)
class OnlineProblem:
    """A network and the length of its run.

    Attributes
    ----------
    n, n_out : int
        Units, each with as many inputs; outputs.
    steps : int
        Of a timed run.
    """

    n: int
    n_out: int
    steps: int
    case: str = "elementwise_rtrl"

    @property
    def n_parameters(self) -> int:
        """Numbers that are carried: readouts are not."""
        return self.n * (self.n + 2)

    def arrays(self) -> dict[str, np.ndarray]:
        """`TRAINED`, ``u`` (time, input) and ``target`` (time, output)."""
        rng = np.random.default_rng(_SEED)
        root = np.sqrt(self.n)
        found = {
            "W_in": rng.standard_normal((self.n, self.n)) / root,
            "w": rng.uniform(0.2, 1.2, self.n),
            "b": 0.1 * rng.standard_normal(self.n),
            "W_out": rng.standard_normal((self.n_out, self.n)) / root,
            "u": rng.standard_normal((self.steps, self.n)),
            "target": rng.standard_normal((self.steps, self.n_out)),
        }
        return {name: array.astype(np.float32) for name, array in found.items()}

    def spec(self, folder: Path, **more) -> dict:
        """What a worker is told; the arrays are written into `folder`."""
        path = folder / f"{self.case}_{self.n}_{self.n_out}_{self.steps}.npz"
        if not path.exists():
            np.savez(path, **self.arrays())
        return {**dataclasses.asdict(self), "leak": LEAK, "arrays": str(path), **more}


#: By the number of what is learned.
PROBLEMS = {
    "T3, 10^4 numbers": OnlineProblem(100, 2, steps=2_000),
    "T3, 10^5 numbers": OnlineProblem(316, 2, steps=400),
    "T3, 10^6 numbers": OnlineProblem(1_000, 2, steps=60),
}
