"""What rules for the weights of one layer share: passes through samples, transform."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from neurodyn._arrays import as_generator, checked_count, real_numbers
from neurodyn.learning.local.samples import checked_positive, fitted_samples, samples

#: So many samples of several epochs are laid out together.
_SAMPLES_AT_ONCE = 20_000


class LayerRule(TransformerMixin, BaseEstimator, ABC):
    """A layer of units, ``y = W x``, whose weights learn from samples without a teacher.

    Subclasses have the parameters `n_components`, `learning_rate`, `n_epochs`, `schedule`,
    `components` and `rng`, and give `_pass`.

    Attributes
    ----------
    components_ : ndarray, (component, feature)
        The weights.
    n_features_in_, n_samples_seen_, n_epochs_ : int
        Epochs are calls of `partial_fit`, too.
    """

    n_components: int
    learning_rate: float
    n_epochs: int
    schedule: Callable[[int], float] | None
    components: Any
    rng: Any

    def fit(self, X: Any, y: None = None):
        """Learn in `n_epochs` passes through the samples, each in a random order of its own.

        Parameters
        ----------
        X : array_like, (sample, feature)
            As it is: means are not taken off.
        """
        X = samples(self, X, first=True)
        n_epochs = checked_count(self.n_epochs, "n_epochs")
        self._begin(X)
        done, together = 0, self._epochs_at_once(len(X))
        while done < n_epochs:
            n = min(together, n_epochs - done)
            orders = [self._generator.permutation(len(X)) for _ in range(n)]
            self._epoch(X[np.concatenate(orders)], n)
            done += n
        return self

    def partial_fit(self, X: Any, y: None = None):
        """Go through further samples once, in their order."""
        is_first = not hasattr(self, "components_")
        X = samples(self, X, first=is_first)
        if is_first:
            self._begin(X)
        self._epoch(X)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """What the units answer, ``X W'``, (sample, component)."""
        return fitted_samples(self, X, "components_") @ self.components_.T

    # -- for subclasses ------------------------------------------------------------------------

    def _begin(self, X: np.ndarray) -> None:
        """Check what was given to the constructor, and set weights at their beginning."""
        self._check_rate()
        self._generator = as_generator(self.rng)
        self.n_samples_seen_, self.n_epochs_ = 0, 0
        self.components_ = self._first_weights(X)

    def _check_rate(self) -> None:
        checked_positive(self.learning_rate, "learning_rate")

    def _epoch_rate(self) -> float:
        """The learning rate of the epoch that begins."""
        factor = 1.0 if self.schedule is None else float(self.schedule(self.n_epochs_))
        return self.learning_rate * factor

    def _first_weights(self, X: np.ndarray) -> np.ndarray:
        shape = (checked_count(self.n_components, "n_components"), X.shape[1])
        if self.components is None:
            return self._generator.normal(size=shape) / np.sqrt(X.shape[1])
        given = real_numbers(self.components, "components", "[component, feature]")
        if given.shape != shape:
            raise ValueError(
                f"`components` must be (component, feature) = {shape}; got {given.shape}"
            )
        return np.array(given, dtype=float, order="C")

    def _epochs_at_once(self, n_samples: int) -> int:
        """Epochs of one learning rate that are made in one pass."""
        return 1 if self.schedule is not None else max(1, _SAMPLES_AT_ONCE // n_samples)

    def _epoch(self, X: np.ndarray, n: int = 1) -> None:
        """A pass that counts as `n` epochs."""
        self._pass(X, self._epoch_rate())
        self.n_epochs_ += n
        if not np.isfinite(self.components_).all():
            raise self._diverged(len(X))
        self.n_samples_seen_ += len(X)

    def _diverged(self, n: int) -> FloatingPointError:
        """The error of weights that have grown in a pass through n samples."""
        return FloatingPointError(
            f"weights are no longer finite after {self.n_samples_seen_ + n} samples; try a smaller "
            f"`learning_rate` than {self.learning_rate!r}, or smaller samples"
        )

    @abstractmethod
    def _pass(self, X: np.ndarray, rate: float) -> None:
        """Go through samples once and leave new weights in `components_`."""
