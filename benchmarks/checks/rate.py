"""Rate networks: every tool is compared with plain NumPy in float64.

Rounding differs from tool to tool, and networks amplify it. What difference is allowed is therefore
not chosen but found: copies of the network are integrated beside it whose coefficients are wrong by
rounding errors and whose state is disturbed by more of them in every step. Tools may be off by
`MARGIN` times what the worst of the copies is.

With private noise there is no trajectory to agree on. There the noise of the first step is measured
against its definition, and the stationary variance against that of an independent NumPy run, with
standard errors over trials.
"""

from __future__ import annotations

import numpy as np
from problems.rate import NOISE, A, Problem

from checks import STANDARD_ERRORS, Check

#: Tools may be off by this many times the largest deviation of a disturbed copy.
MARGIN = 10.0
#: Steps after which states are compared unit by unit.
SHORT = 20
#: Disturbed copies.
COPIES = 4


class Reference:
    """The right answer to a problem, and how well it is known.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        self.arrays = problem.arrays()
        self._weights = {
            name: array.astype(float) for name, array in self.arrays.items() if name != "x0"
        }
        if problem.case == "noisy":
            self._noisy()
        else:
            self._disturbed()

    def checks(self, final_state) -> list[Check]:
        """Compare a tool; ``final_state(steps)`` gives its state (trial, unit) after some steps."""
        if self.problem.case == "noisy":
            return self._noise_checks(final_state)
        short, long = final_state(SHORT), final_state(self.problem.steps)
        return [
            Check(
                f"largest difference after {SHORT} steps",
                np.abs(short - self.short[0]).max(),
                MARGIN * np.abs(self.short[1:] - self.short[0]).max(),
            ),
            Check(
                f"difference of the standard deviation after {self.problem.steps} steps",
                abs(long.std() - self.spread[0]),
                MARGIN * np.abs(self.spread[1:] - self.spread[0]).max(),
            ),
        ]

    # -- the equation --------------------------------------------------------------------------

    def _product(self, r: np.ndarray) -> np.ndarray:
        w = self._weights
        return r @ w["J"].T if "J" in w else (r @ w["n"].T) @ w["m"]

    def _step(self, x: np.ndarray, gain=A, leak=A) -> np.ndarray:
        def move(x):
            return gain * self._product(np.tanh(x)) - leak * x

        if self.problem.method == "euler":
            return x + move(x)
        k1 = move(x)
        k2 = move(x + k1 / 2)
        k3 = move(x + k2 / 2)
        return x + (k1 + 2 * k2 + 2 * k3 + move(x + k3)) / 6

    # -- without noise -------------------------------------------------------------------------

    def _disturbed(self) -> None:
        """One true trajectory and `COPIES` that round as badly as a tool may."""
        problem = self.problem
        rng = np.random.default_rng(0)
        eps = np.finfo(problem.dtype).eps
        x = np.repeat(self.arrays["x0"].astype(float), 1 + COPIES, axis=0)
        # "1 - a" is rounded as a number near 1 is, so the coefficients have eps as absolute error
        wrong = eps * rng.uniform(-1, 1, (2, 1 + COPIES, 1))
        wrong[:, 0] = 0
        gain, leak = A + wrong
        # a sum of as many products as there are units, in a random walk of roundings
        size = eps * (1 + A * np.sqrt(problem.n))
        for step in range(problem.steps):
            x = self._step(x, gain, leak)
            x[1:] += size * (rng.random(x[1:].shape, dtype=np.float32) - 0.5)
            if step + 1 == SHORT:
                self.short = x.copy()
        self.spread = x.std(axis=1)

    # -- with noise ----------------------------------------------------------------------------

    def _noisy(self) -> None:
        rng = np.random.default_rng(0)
        x = self.arrays["x0"].astype(float)
        self.first = self._step(x)
        for _ in range(self.problem.steps):
            x = self._step(x)
            x += NOISE * rng.standard_normal(x.shape)
        self.variance = x.var(axis=1)

    def _noise_checks(self, final_state) -> list[Check]:
        trials, n = self.problem.trials, self.problem.n
        added = final_state(1) - self.first
        variance = final_state(self.problem.steps).var(axis=1)
        error = np.sqrt((variance.var(ddof=1) + self.variance.var(ddof=1)) / trials)
        return [
            Check(
                "standard deviation of one step's noise, relative error",
                abs(added.std() / NOISE - 1),
                STANDARD_ERRORS / np.sqrt(2 * added.size),
            ),
            Check(
                "standard deviation of its mean over trials, relative error (is it private?)",
                abs(added.mean(axis=0).std() / (NOISE / np.sqrt(trials)) - 1),
                STANDARD_ERRORS / np.sqrt(2 * n),
            ),
            Check(
                "standard deviation of its mean over units, relative error",
                abs(added.mean(axis=1).std() / (NOISE / np.sqrt(n)) - 1),
                STANDARD_ERRORS / np.sqrt(2 * trials),
            ),
            Check(
                f"difference of the variance after {self.problem.steps} steps",
                abs(variance.mean() - self.variance.mean()),
                STANDARD_ERRORS * error,
            ),
        ]
