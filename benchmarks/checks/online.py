"""The gradient that real-time recurrent learning must find, swept back by hand in float64."""

from __future__ import annotations

import numpy as np
from problems.online import LEAK, TRAINED, OnlineProblem

from checks import Check

#: Tools work in float32; of the norm of each gradient.
GRADIENT = 1e-5


def checks(problem: OnlineProblem, found: dict[str, np.ndarray]) -> list[Check]:
    """Compare a tool's gradients."""
    wanted = gradients({k: v.astype(float) for k, v in problem.arrays().items()})
    result = []
    for name in TRAINED:
        off = np.linalg.norm(found[name] - wanted[name]) / np.linalg.norm(wanted[name])
        result.append(Check(f"gradient by {name}, relative error", float(off), GRADIENT))
    return result


def gradients(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of the mean squared error of all outputs, by backpropagation."""
    W_in, w, b, W_out, u, target = (arrays[k] for k in (*TRAINED, "u", "target"))
    h, q = [np.zeros(len(w))], []
    for now in u:
        q.append(np.tanh(W_in @ now + w * h[-1] + b))
        h.append(h[-1] + LEAK * (q[-1] - h[-1]))
    found = {name: np.zeros_like(arrays[name]) for name in TRAINED}
    back = np.zeros(len(w))
    for k in reversed(range(len(u))):
        error = 2 / target.size * (W_out @ h[k + 1] - target[k])
        found["W_out"] += np.outer(error, h[k + 1])
        back += W_out.T @ error
        delta = LEAK * back * (1 - q[k] ** 2)
        found["W_in"] += np.outer(delta, u[k])
        found["w"] += delta * h[k]
        found["b"] += delta
        back = (1 - LEAK) * back + w * delta
    return found
