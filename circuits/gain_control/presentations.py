"""Stimuli one after the other: what the network with adapting gains does on average, exactly.

While a stimulus is held, responses, feedback and gains obey equations that are linear in all three
of them together: x = (r, b, g) of `model.adapting_network` goes from the beginning of one
presentation to the beginning of the next by ``x <- M_s x + v_s``. Stimuli are drawn independently
of all that was before, so that the mean of x over sequences of stimuli obeys

    mean x  <-  (sum_s p_s M_s) mean x + sum_s p_s v_s.

Nothing is neglected in that: not how long responses take to settle, nor that the gains learn from
them meanwhile, nor the size of the learning rate, nor the steps of the solver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .model import check_ensemble, check_penalties

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Ring

__all__ = ["MeanPresentation", "draw", "expected_course", "mean_presentations"]


class MeanPresentation(NamedTuple):
    """The mean of one presentation's effect: ``mean x <- matrix (mean x) + offset``."""

    matrix: np.ndarray  # (3 N, 3 N), states r, b, g
    offset: np.ndarray  # (3 N,)

    @property
    def fixed_gains(self) -> np.ndarray:
        """Mean gains (N,) after many presentations."""
        rest = np.linalg.solve(np.eye(len(self.offset)) - self.matrix, self.offset)
        return rest[-(len(rest) // 3) :]


def mean_presentations(
    population: Ring,
    ensembles: Sequence[np.ndarray],
    *,
    steps: int,
    dt: float,
    rate: float,
    alpha: float = 1.0,
    gamma: float = 1.0,
) -> list[MeanPresentation]:
    """The mean effect of a presentation, for each of several ensembles.

    Parameters
    ----------
    population : Ring
    ensembles : sequence of ndarray (S,)
        Stimulus probabilities.
    steps, dt : int, float
        Steps of Euler's method in a presentation, and one step in units of tau.
    rate : float
        tau / tau_g.
    alpha, gamma : float
        As in `model.adapting_network`.
    """
    check_penalties(alpha, gamma)
    ensembles = [check_ensemble(p, len(population.stimulus)) for p in ensembles]
    N, W, D = population.n_neurons, population.weights, population.decoder
    one, diagonal = np.eye(N), np.diag_indices(N)
    if not np.abs(1 - dt * (1 - np.linalg.eigvals(W))).max() < 1:
        raise ValueError(f"Euler's method is unstable with `dt` = {dt!r} tau; choose a shorter one")
    r, b, g = (slice(k * N, (k + 1) * N) for k in range(3))
    A = np.zeros((3 * N + 1, 3 * N + 1))  # its last row and column: the constant
    A[r, r], A[b, r], A[b, b] = W - one, D.T @ D + alpha * one, W.T - one
    A[g, g] = -rate * gamma * one
    A[g, -1] = rate * gamma
    mean = np.zeros((len(ensembles), *A.shape))
    for k, f in enumerate(population.drive.T):
        A[r, g][diagonal], A[g, b][diagonal], A[b, -1] = f, -rate * f, -D.T @ f
        through = np.linalg.matrix_power(np.eye(len(A)) + dt * A, steps)
        for total, p in zip(mean, ensembles):
            total += p[k] * through
    return [MeanPresentation(total[:-1, :-1], total[:-1, -1]) for total in mean]


def expected_course(
    maps: Sequence[MeanPresentation], presentations: int, g: np.ndarray
) -> np.ndarray:
    """Mean gains (len(maps) * presentations, N) at the beginning of each presentation.

    Parameters
    ----------
    maps : sequence of MeanPresentation
        One for each phase.
    presentations : int
        In each phase.
    g : ndarray (N,)
        Gains at the beginning, when responses and feedback are 0.
    """
    x = np.concatenate([np.zeros(2 * len(g)), g])
    course = np.empty((len(maps) * presentations, len(g)))
    for t in range(len(course)):
        course[t] = x[-len(g) :]
        phase = maps[t // presentations]
        x = phase.matrix @ x + phase.offset
    return course


def draw(phases: Sequence[np.ndarray], presentations: int, trials: int, rng: int) -> np.ndarray:
    """Indices (trial, len(phases) * presentations) of stimuli, drawn phase after phase.

    Each trial has a stream of its own, so that it is the same however many there are.
    """
    streams = [np.random.default_rng(seed) for seed in np.random.SeedSequence(rng).spawn(trials)]
    return np.array(
        [
            np.concatenate([stream.choice(len(p), size=presentations, p=p) for p in phases])
            for stream in streams
        ]
    )
