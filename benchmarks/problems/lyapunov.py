"""Lyapunov spectra that all tools compute: Lorenz-96 by RK4, and networks of tanh units by Euler.

Every tool starts from the same state and the same tangent vectors, takes the same number of steps,
and makes the vectors orthonormal again after the same number.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Forcing of Lorenz-96.
FORCING = 8.0
_SEED = 0


@dataclass(frozen=True)
class LyapunovProblem:
    """A system, and how its spectrum is found.

    Attributes
    ----------
    system : {"lorenz96", "tanh"}
    n, k : int
        Units; exponents.
    steps, every : int
        Steps, and steps from one orthonormalisation to the next.
    h : float
        Step, in units of the time constant.
    gain : float
        Of the random weights.
    """

    system: str
    n: int
    k: int
    steps: int
    h: float
    every: int = 10
    gain: float = 2.0

    @property
    def duration(self) -> float:
        return self.steps * self.h

    def arrays(self) -> dict[str, np.ndarray]:
        """``x0`` (unit,), ``Q0`` (unit, k), and ``J`` (post, pre) of a network."""
        rng = np.random.default_rng(_SEED)
        found = {"x0": rng.standard_normal(self.n)}
        if self.system == "lorenz96":
            found["x0"] += FORCING
        else:
            found["J"] = rng.standard_normal((self.n, self.n)) * self.gain / np.sqrt(self.n)
        found["Q0"] = np.linalg.qr(rng.standard_normal((self.n, self.k)))[0]
        return found

    def spec(self, folder: Path, **more) -> dict:
        """What a worker is told; the arrays are written into `folder`."""
        path = folder / f"lyapunov_{self.system}_{self.n}_{self.k}.npz"
        if not path.exists():
            np.savez(path, **self.arrays())
        given = dataclasses.asdict(self)
        return {"case": "lyapunov", **given, "forcing": FORCING, "arrays": str(path), **more}


PROBLEMS = {
    "L1a": LyapunovProblem("lorenz96", 40, 40, 10_000, 0.01),
    "L1b": LyapunovProblem("tanh", 200, 200, 1_000, 0.1),
    "L2": LyapunovProblem("tanh", 1000, 1, 2_000, 0.1),
}
