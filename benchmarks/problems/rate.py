"""The problems that all tools solve, and their arrays.

Every tool integrates ``x += a (J tanh(x) - x)`` with a = 0.1 from the same initial state for the
same number of steps; with noise it adds an own normal number of standard deviation `NOISE` to every
unit of every trial in every step. The arrays are drawn once and handed to the tools as files, in
the number type of the run, so that no tool can start from other numbers.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Relative step, dt / tau.
A = 0.1
#: Standard deviation of the noise that one step adds.
NOISE = 0.05
#: With this seed the network of 1,000 units is not chaotic, as most of them are at this gain, so
#: that the end of a long run can be compared as sharply as its beginning.
_SEED = 30


@dataclass(frozen=True)
class Problem:
    """A network, its number type, and how it is integrated.

    Attributes
    ----------
    case : {"dense", "noisy", "low_rank"}
        Name of the function in each worker that solves it.
    n, trials, steps : int
    dtype : {"float64", "float32"}
    method : {"euler", "rk4"}
    rank : int
        Rank of the weights, which are then given as their factors; 0 for a full matrix.
    gain : float
        Spectral radius of a full matrix; overlap of the factors.
    """

    case: str
    n: int
    trials: int
    steps: int
    dtype: str = "float64"
    method: str = "euler"
    rank: int = 0
    gain: float = 1.5

    @property
    def evaluations(self) -> int:
        """How often a step multiplies by the weights."""
        return 4 if self.method == "rk4" else 1

    def arrays(self) -> dict[str, np.ndarray]:
        """``x0`` (trial, unit), and ``J`` (post, pre) or ``m`` and ``n`` (rank, unit), J = m' n."""
        rng = np.random.default_rng(_SEED)
        if self.rank:
            m = rng.standard_normal((self.rank, self.n))
            n = self.gain * m + rng.standard_normal(m.shape)
            found = {"m": m / self.n, "n": n}
        else:
            found = {"J": rng.standard_normal((self.n, self.n)) * self.gain / np.sqrt(self.n)}
        found["x0"] = rng.standard_normal((self.trials, self.n))
        return {name: array.astype(self.dtype) for name, array in found.items()}

    def spec(self, folder: Path, **more) -> dict:
        """What a worker is told; the arrays are written into `folder`."""
        names = (self.case, self.n, self.trials, self.dtype, self.rank, self.gain)
        path = folder / ("_".join(map(str, names)) + ".npz")
        if not path.exists():
            np.savez(path, **self.arrays())
        return {**dataclasses.asdict(self), "arrays": str(path), "a": A, "noise": NOISE, **more}


#: The problems of the rows R1 to R4.
PROBLEMS = {
    "R1 float64": Problem("dense", 1000, 1, 10_000, "float64"),
    "R1 float32": Problem("dense", 1000, 1, 10_000, "float32"),
    "R1 RK4": Problem("dense", 1000, 1, 2_500, "float64", method="rk4"),
    "R2": Problem("noisy", 200, 256, 1_000, "float32"),
    "R3": Problem("low_rank", 10_000, 1, 10_000, "float32", rank=2, gain=1.2),
}
