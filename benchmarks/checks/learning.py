"""Gradients through time, swept back by hand in NumPy and float64.

Tools work in float32, so they are compared by norms: a gradient or a kernel may be off by
`GRADIENT` of its own norm, a loss by `LOSS` of itself. What float32 costs is about a tenth of that.
"""

from __future__ import annotations

import numpy as np
from problems.learning import ADAM, TRAINED, LearningProblem

from checks import Check

GRADIENT, LOSS = 1e-5, 1e-5


class LearningReference:
    """The right answer to a problem.

    Parameters
    ----------
    problem : LearningProblem
    """

    def __init__(self, problem: LearningProblem):
        self.problem = problem
        self.arrays = {k: v.astype(float) for k, v in problem.arrays().items()}

    def checks(self, result) -> list[Check]:
        """Compare a tool; ``result(steps)`` gives its arrays after so many steps."""
        if self.problem.case == "tangent_kernel":
            return self._kernel_checks(result(1)["kernel"])
        loss, gradients = loss_and_gradients(self.arrays)
        first = result(0)
        checks = [_relative(f"gradient by {k}", first[k], gradients[k], GRADIENT) for k in TRAINED]
        n = self.problem.steps
        found, wanted = result(n)["losses"], self._losses(n)
        off = float(np.abs(found / wanted - 1).max())
        return [*checks, Check(f"losses of {n} steps of Adam, relative error", off, LOSS)]

    def _losses(self, n: int) -> np.ndarray:
        rate, one, two, epsilon = ADAM
        values = {k: self.arrays[k].copy() for k in TRAINED}
        m, v = ({k: np.zeros_like(a) for k, a in values.items()} for _ in range(2))
        losses = []
        for step in range(1, n + 1):
            loss, gradients = loss_and_gradients({**self.arrays, **values})
            losses.append(loss)
            for k, g in gradients.items():
                m[k] += (1 - one) * (g - m[k])
                v[k] += (1 - two) * (g * g - v[k])
                root = np.sqrt(v[k] / (1 - two**step)) + epsilon
                values[k] -= rate * m[k] / (1 - one**step) / root
        return np.array(losses)

    def _kernel_checks(self, kernel) -> list[Check]:
        wanted = tangent_kernel(self.arrays)
        worst = np.abs(kernel - wanted).max() / np.abs(wanted).max()
        trace = abs(np.trace(kernel) / np.trace(wanted) - 1)
        return [
            Check("worst entry of the kernel, over the largest", float(worst), GRADIENT),
            Check("trace of the kernel, relative error", float(trace), GRADIENT),
        ]


def _relative(what: str, found, wanted, allowed: float) -> Check:
    off = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
    return Check(f"{what}, relative error", float(off), allowed)


def loss_and_gradients(arrays) -> tuple[float, dict[str, np.ndarray]]:
    """Mean squared error of the outputs after every step, and its gradients by `TRAINED`."""
    W, W_in, b, alpha, W_out, u, target = (arrays[k] for k in (*TRAINED, "u", "target"))
    a = 1 / (1 + np.exp(-alpha))
    h, q = [np.zeros((len(u), len(W)))], []
    for k in range(u.shape[1]):
        q.append(np.tanh(h[-1] @ W.T + u[:, k] @ W_in.T + b))
        h.append(h[-1] + a * (q[-1] - h[-1]))
    errors = [h[k + 1] @ W_out.T - target[:, k] for k in range(u.shape[1])]
    g = {k: np.zeros_like(arrays[k]) for k in TRAINED}
    cotangent = np.zeros_like(h[0])
    for k in reversed(range(u.shape[1])):
        error = 2 / target.size * errors[k]
        g["W_out"] += error.T @ h[k + 1]
        cotangent = cotangent + error @ W_out
        delta = a * cotangent * (1 - q[k] ** 2)
        g["W"] += delta.T @ h[k]
        g["W_in"] += delta.T @ u[:, k]
        g["b"] += delta.sum(axis=0)
        g["alpha"] += (cotangent * (q[k] - h[k])).sum(axis=0) * a * (1 - a)
        cotangent = (1 - a) * cotangent + delta @ W
    return float(np.mean(np.square(errors))), g


def tangent_kernel(arrays) -> np.ndarray:
    """Products of the gradients of the output at the end by W, W_in, b and W_out."""
    W, W_in, b, _, W_out, u, _ = (arrays[k] for k in (*TRAINED, "u", "target"))
    x = [np.zeros((len(u), len(W)))]
    for k in range(u.shape[1]):
        x.append(np.tanh(x[-1] @ W.T + u[:, k] @ W_in.T + b))
    delta, by_W, by_in, by_b = np.broadcast_to(W_out[0], x[0].shape), 0, 0, 0
    for k in reversed(range(u.shape[1])):
        delta = delta * (1 - x[k + 1] ** 2)
        by_W = by_W + delta[:, :, None] * x[k][:, None]
        by_in = by_in + delta[:, :, None] * u[:, k][:, None]
        by_b = by_b + delta
        delta = delta @ W
    G = np.concatenate([part.reshape(len(u), -1) for part in (by_W, by_in, by_b, x[-1])], axis=1)
    return G @ G.T
