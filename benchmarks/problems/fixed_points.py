"""Fixed points that tools look for: `x = tanh(W x + b)`, three patterns stored in random weights.

The starts are states on the way to the patterns, with noise, as one takes them from trajectories.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Half of the squared residual at which a start has converged.
Q_TOL = 1e-12
_SEED = 0


@dataclass(frozen=True)
class FixedPointProblem:
    """How many units and starts; and how many patterns are stored."""

    n: int = 200
    starts: int = 1024
    patterns: int = 3

    def arrays(self) -> dict[str, np.ndarray]:
        """``W`` (post, pre), ``b`` (unit,), ``starts`` (start, unit)."""
        rng = np.random.default_rng(_SEED)
        W = 0.8 * rng.standard_normal((self.n, self.n)) / np.sqrt(self.n)
        for _ in range(self.patterns):
            pattern = np.sign(rng.standard_normal(self.n))
            W += 1.6 * np.outer(pattern, pattern) / self.n
        b = 0.05 * rng.standard_normal(self.n)
        x = np.tanh(rng.standard_normal((self.starts, self.n)))
        for _ in range(3):
            x = np.tanh(x @ W.T + b)
        return {"W": W, "b": b, "starts": x + 0.1 * rng.standard_normal(x.shape)}

    def spec(self, folder: Path, **more) -> dict:
        """What a worker is told; the arrays are written into `folder`."""
        path = folder / f"fixed_points_{self.n}_{self.starts}.npz"
        if not path.exists():
            np.savez(path, **self.arrays())
        given = dataclasses.asdict(self)
        return {"case": "fixed_points", **given, "q_tol": Q_TOL, "arrays": str(path), **more}


PROBLEM = FixedPointProblem()
