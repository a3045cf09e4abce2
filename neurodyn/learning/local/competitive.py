"""Units that compete for samples: `CompetitiveLearning`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import ClusterMixin

from neurodyn._arrays import checked_count
from neurodyn.learning.local.hebbian_base import LayerRule
from neurodyn.learning.local.hebbian_kernels import competition, winners
from neurodyn.learning.local.samples import fitted_samples


class CompetitiveLearning(ClusterMixin, LayerRule):
    r"""Competitive learning: the unit nearest to a sample, and no other, moves towards it.

    .. math::
        w_i \leftarrow w_i + \eta\,(x - w_i) \quad\text{for } i = \arg\min_k |x - w_k|

    For weights and samples of length 1 the nearest unit is the one that is driven most.

    Parameters
    ----------
    n_components : int
        Units.
    learning_rate : float or "count"
        Eta; ``"count"`` takes 1/n for the n-th sample that a unit wins, so that its weights are the
        mean of what it has won: MacQueen's k-means. Default 0.05.
    n_epochs, schedule, rng
        As for `NormalisedHebb`.
    components : array_like, (component, feature), optional
        Weights to begin with; default samples, drawn without replacement.

    Attributes
    ----------
    components_ : ndarray, (component, feature)
    labels_ : ndarray of int, (sample,)
        The winners of the samples of `fit`, by the final weights.
    n_wins_ : ndarray of int, (component,)
        Samples won so far.
    n_features_in_, n_samples_seen_, n_epochs_ : int

    References
    ----------
    Rumelhart & Zipser (1985), Cogn Sci 9:75. MacQueen (1967), Proc 5th Berkeley Symp 1:281.
    """

    def __init__(
        self, n_components: int = 8, *, learning_rate: float | str = 0.05, n_epochs: int = 10,
        schedule: Callable[[int], float] | None = None, components: Any = None, rng: Any = None,
    ):  # fmt: skip
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.schedule = schedule
        self.components = components
        self.rng = rng

    def fit(self, X: Any, y: None = None):
        super().fit(X)
        self.labels_ = self.predict(X)
        return self

    fit.__doc__ = LayerRule.fit.__doc__

    def predict(self, X: Any) -> np.ndarray:
        """The unit that wins each sample, int (sample,)."""
        X = fitted_samples(self, X, "components_")
        found = np.empty(len(X), np.int64)
        winners(self.components_, X, found)
        return found

    def transform(self, X: Any) -> np.ndarray:
        """1 for the unit that wins, 0 for the others, (sample, component)."""
        found = self.predict(X)
        return np.eye(len(self.components_))[found]

    def score(self, X: Any, y: None = None) -> float:
        """Minus the sum of the squared distances of samples to their winners."""
        winner = self.predict(X)
        return -float(((np.asarray(X, float) - self.components_[winner]) ** 2).sum())

    # -- learning ------------------------------------------------------------------------------

    def _begin(self, X):
        if isinstance(self.learning_rate, str) and self.learning_rate != "count":
            raise ValueError(
                f'`learning_rate` must be a positive number or "count"; got {self.learning_rate!r}'
            )
        super()._begin(X)
        self.n_wins_ = np.zeros(len(self.components_), np.int64)

    def _check_rate(self):
        if self.learning_rate != "count":
            super()._check_rate()

    def _first_weights(self, X):
        n = checked_count(self.n_components, "n_components")
        if self.components is not None:
            return super()._first_weights(X)
        if n > len(X):
            raise ValueError(
                f"`n_components` = {n} is more than the {len(X)} samples that units begin as; give "
                "`components`"
            )
        return X[self._generator.choice(len(X), n, replace=False)].copy()

    def _epoch_rate(self):
        return 0.0 if self.learning_rate == "count" else super()._epoch_rate()

    def _pass(self, X, rate):
        by_count = self.learning_rate == "count"
        competition(self.components_, X, rate, self.n_wins_, by_count)
