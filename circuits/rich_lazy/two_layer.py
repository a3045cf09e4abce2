"""A linear network of two layers, whose learning is solved: theory of the change of the kernel.

    y = W2 W1 x,    W1 (h, d), W2 (1, h),    teacher y* = beta . x,    E[x x^T] = 1

From small weights, ``|W1| = |W2| = sigma -> 0``, gradient flow ends at a rank-one solution, where
the tangent kernel over the d directions of the input is ``|beta| (1 + b b^T)``, b = beta/|beta|. It
begins at ``W1^T W1 + |W2|^2``, so that its alignment with the end depends on the structure of W1
alone, by ``M = W1^T W1/sigma^2`` of trace 1:

    (d + 2 + b.M b) / sqrt((d + 2 + |M|^2) (d + 3))

The mean over directions b, with ``E b.M b = 1/d``, is largest for the smallest ``|M|^2``, which is
1/r for r equal singular values: the highest rank is laziest on average (the paper's theorem). For
``W1 = sigma u b^T``, aligned with the teacher, it is 1 (the paper's proposition).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count, checked_number, real_numbers
from neurodyn.learning.task_protocol import TrialBatch

if TYPE_CHECKING:
    from neurodyn._arrays import RNG
    from neurodyn.network import Network

__all__ = [
    "WEIGHTS",
    "Teacher",
    "aligned_layers",
    "final_alignment",
    "flat_layers",
    "linear_network",
    "mean_final_alignment",
]

#: The two matrices, as couplings.
WEIGHTS = ("input.value->hidden.I", "hidden.value->output.I")


@dataclass(frozen=True)
class Teacher:
    """The task ``y* = beta . x`` on d orthogonal inputs, whose second moment is exactly 1.

    Every batch is the same, all d inputs, so that a step of learning is one of gradient descent on
    ``|W1^T W2^T - beta|^2``.

    Parameters
    ----------
    beta : ndarray, (d,)
    """

    beta: np.ndarray

    def __post_init__(self) -> None:
        beta = real_numbers(self.beta, "beta").astype(float)
        if beta.ndim != 1 or not beta.any():
            raise ValueError(f"`beta` must be a vector, not 0; got shape {beta.shape}")
        object.__setattr__(self, "beta", beta)

    @property
    def inputs(self) -> np.ndarray:
        """(trial, 1, d): the axes, times the root of d."""
        return np.sqrt(self.beta.size) * np.eye(self.beta.size)[:, None]

    def batch(self, rng: Any, trials: int) -> TrialBatch:
        """All inputs; nothing is random, and `trials` must be d."""
        if trials != self.beta.size:
            raise ValueError(f"a batch is all {self.beta.size} inputs; got `trials` = {trials}")
        x = self.inputs
        return TrialBatch({"input.x": x}, {"output.y": (x @ self.beta)[..., None]}, dt=1.0)


def linear_network(W1: Any, W2: Any) -> Network:
    """``y = W2 W1 x``, as a network that answers in one step of `Euler` of 1 s.

    Parameters
    ----------
    W1 : array_like, (h, d)
    W2 : array_like, (1, h)
    """
    import neurodyn as nd

    W1, W2 = real_numbers(W1, "W1", "(h, d)"), real_numbers(W2, "W2", "(1, h)")
    if W1.ndim != 2 or W2.shape != (1, len(W1)):
        raise ValueError(f"`W1` must be (h, d) and `W2` (1, h); got {W1.shape} and {W2.shape}")
    return nd.Network(
        {
            "input": nd.Population(W1.shape[1], "value = x : 1"),
            "hidden": nd.Population(len(W1), "value = I : 1"),
            "output": nd.Population(1, "dy/dt = (I - y)/step : 1", step=1.0),
        },
        [nd.Coupling("input.value", "hidden.I", W1), nd.Coupling("hidden.value", "output.I", W2)],
    )


def flat_layers(d: int, h: int, rank: int, sigma: float, rng: RNG = None) -> tuple:
    """W1 with `rank` equal singular values in random directions, and a random W2.

    Parameters
    ----------
    d, h : int
        Inputs and hidden units.
    rank : int
        Of W1: 1 to the smaller of the two.
    sigma : float
        Norm of each.
    rng : int, SeedSequence, Generator or None

    Returns
    -------
    W1, W2 : ndarray, (h, d) and (1, h)
    """
    import neurodyn as nd

    d, h, rank = (checked_count(n, name) for n, name in ((d, "d"), (h, "h"), (rank, "rank")))
    if rank > min(d, h):
        raise ValueError(f"`rank` must be at most {min(d, h)}, the smaller layer; got {rank}")
    _check_sigma(sigma)
    rng = as_generator(rng)
    left, right = (nd.weights.orthogonal((n, rank), rng=rng) for n in (h, d))
    W2 = rng.standard_normal((1, h))
    return sigma / np.sqrt(rank) * left @ right.T, sigma * W2 / np.linalg.norm(W2)


def aligned_layers(direction: Any, h: int, sigma: float, rng: RNG = None) -> tuple:
    """``W1 = sigma u c^T`` and ``W2 = sigma u^T``, with c along `direction` and a random unit u.

    Parameters
    ----------
    direction : array_like, (d,)
        The teacher for full alignment.
    h, sigma, rng
        As for `flat_layers`.

    Returns
    -------
    W1, W2 : ndarray, (h, d) and (1, h)
    """
    c = real_numbers(direction, "direction").astype(float)
    if c.ndim != 1 or not c.any():
        raise ValueError(f"`direction` must be a vector, not 0; got shape {c.shape}")
    _check_sigma(sigma)
    u = as_generator(rng).standard_normal(checked_count(h, "h"))
    u *= sigma / np.linalg.norm(u)
    return np.outer(u, c / np.linalg.norm(c)), u[None]


def final_alignment(W1: Any, beta: Any) -> float:
    """Alignment of the tangent kernels before and after learning, as initial weights vanish.

    Parameters
    ----------
    W1 : array_like, (h, d)
        Initial weights; only their structure matters, and that W2 has the same norm.
    beta : array_like, (d,)
        Teacher.
    """
    W1, beta = real_numbers(W1, "W1", "(h, d)"), real_numbers(beta, "beta")
    d, b = len(beta), beta / np.linalg.norm(beta)
    M = W1.T @ W1
    M = M / np.trace(M)
    return float((d + 2 + b @ M @ b) / np.sqrt((d + 2 + (M**2).sum()) * (d + 3)))


def mean_final_alignment(d: int, rank: int) -> float:
    """The mean of `final_alignment` over directions of the teacher, for a flat W1 of this rank."""
    d, rank = checked_count(d, "d"), checked_count(rank, "rank")
    if rank > d:
        raise ValueError(f"`rank` must be at most {d}, the number of inputs; got {rank}")
    return float((d + 2 + 1 / d) / np.sqrt((d + 2 + 1 / rank) * (d + 3)))


def _check_sigma(sigma: float) -> None:
    if checked_number(sigma, "sigma", 0.0) == 0:
        raise ValueError("`sigma` must be positive: nothing is learned from zero weights")
