"""Gradients through time, swept back by hand in NumPy and float64.

Tools work in float32, so they are compared by norms: a gradient or a kernel may be off by
`GRADIENT` of its own norm, a loss by `LOSS` of itself. What float32 costs is about a tenth of that.

Where float32 moves v across the threshold, a spike is another one, and all that follows in its
trial. At the start that is rare (of the 8e5 values of v, 0.05 are expected within rounding of the
threshold), later it is not: losses of spiking networks may differ by `SPIKING_LOSS`.
"""

from __future__ import annotations

import numpy as np
from problems.learning import ADAM, DECAY, SLOPE, SPIKING_TRAINED, TRAINED, LearningProblem

from checks import Check

GRADIENT, LOSS, SPIKING_LOSS = 1e-5, 1e-5, 1e-2


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
        _, gradients = self._loss_and_gradients(self.arrays)
        first, trained = result(0), self.problem.trained
        allowed = self._gradient_error
        checks = [_relative(f"gradient by {k}", first[k], gradients[k], allowed) for k in trained]
        if self.problem.case == "long_gradient":
            return checks
        n = self.problem.steps
        found, wanted = result(n)["losses"], self._losses(n)
        off = float(np.abs(found / wanted - 1).max())
        allowed = SPIKING_LOSS if self.problem.case == "spiking_training" else LOSS
        return [*checks, Check(f"losses of {n} steps of Adam, relative error", off, allowed)]

    @property
    def _gradient_error(self) -> float:
        """Where 10^6 numbers are added, their rounding walks: by half a last place a step."""
        walk = 2.0**-24 * np.sqrt(self.problem.trials * self.problem.duration)
        return max(GRADIENT, walk)

    @property
    def _loss_and_gradients(self):
        is_spiking = self.problem.case == "spiking_training"
        return spiking_loss_and_gradients if is_spiking else loss_and_gradients

    def _losses(self, n: int) -> np.ndarray:
        rate, one, two, epsilon = ADAM
        values = {k: self.arrays[k].copy() for k in self.problem.trained}
        m, v = ({k: np.zeros_like(a) for k, a in values.items()} for _ in range(2))
        losses = []
        for step in range(1, n + 1):
            loss, gradients = self._loss_and_gradients({**self.arrays, **values})
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


def loss_and_gradients(arrays, segment: int = 1000) -> tuple[float, dict[str, np.ndarray]]:
    """Mean squared error of the outputs after every step, and its gradients by `TRAINED`.

    The states are kept at the starts of segments, and found again from there on the way back.
    """
    W, W_in, b, alpha, W_out, u, target = (arrays[k] for k in (*TRAINED, "u", "target"))
    a = 1 / (1 + np.exp(-alpha))
    bounds = [*range(0, u.shape[1], segment), u.shape[1]]

    def forward(h, start, stop):
        h, q = [h], []
        for k in range(start, stop):
            q.append(np.tanh(h[-1] @ W.T + u[:, k] @ W_in.T + b))
            h.append(h[-1] + a * (q[-1] - h[-1]))
        return h, q

    starts = [np.zeros((len(u), len(W)))]
    for start, stop in zip(bounds[:-2], bounds[1:-1]):
        starts.append(forward(starts[-1], start, stop)[0][-1])
    loss, g = 0.0, {k: np.zeros_like(arrays[k]) for k in TRAINED}
    cotangent = np.zeros_like(starts[0])
    for start, stop, first in reversed(list(zip(bounds[:-1], bounds[1:], starts))):
        h, q = forward(first, start, stop)
        for k in reversed(range(stop - start)):
            error = h[k + 1] @ W_out.T - target[:, start + k]
            loss += float(np.sum(error * error)) / target.size
            error *= 2 / target.size
            g["W_out"] += error.T @ h[k + 1]
            cotangent = cotangent + error @ W_out
            delta = a * cotangent * (1 - q[k] ** 2)
            g["W"] += delta.T @ h[k]
            g["W_in"] += delta.T @ u[:, start + k]
            g["b"] += delta.sum(axis=0)
            g["alpha"] += (cotangent * (q[k] - h[k])).sum(axis=0) * a * (1 - a)
            cotangent = (1 - a) * cotangent + delta @ W
    return loss, g


def spiking_loss_and_gradients(arrays) -> tuple[float, dict[str, np.ndarray]]:
    """Mean squared error of the outputs after every step, and its gradients by the surrogate."""
    W, W_in, W_out, u, target = (arrays[k] for k in (*SPIKING_TRAINED, "u", "target"))
    v = np.zeros((len(u), len(W)))
    potentials, spikes = [], [np.zeros_like(v)]
    for k in range(u.shape[1]):
        v = DECAY * v + u[:, k] @ W_in.T + spikes[-1] @ W.T - spikes[-1]
        potentials.append(v)
        spikes.append((v > 1).astype(float))
    errors = [spikes[k + 1] @ W_out.T - target[:, k] for k in range(u.shape[1])]
    g = {k: np.zeros_like(arrays[k]) for k in SPIKING_TRAINED}
    delta = np.zeros_like(v)  # the cotangent of v after the step
    for k in reversed(range(u.shape[1])):
        error = 2 / target.size * errors[k]
        g["W_out"] += error.T @ spikes[k + 1]
        by_spike = error @ W_out + delta @ W
        delta = DECAY * delta + by_spike / (1 + SLOPE * np.abs(potentials[k] - 1)) ** 2
        g["W"] += delta.T @ spikes[k]
        g["W_in"] += delta.T @ u[:, k]
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
