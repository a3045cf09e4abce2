"""Unsupervised predictive coding: causes that explain samples, `RaoBallard`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from neurodyn._arrays import as_generator, checked_count, real_numbers
from neurodyn._blas import one_blas_thread
from neurodyn.learning.local.predictive import ACTIVATIONS
from neurodyn.learning.local.samples import checked_positive, fitted_samples, samples


class RaoBallard(TransformerMixin, BaseEstimator):
    r"""One level of the predictive coding of Rao & Ballard: causes that explain samples.

    Samples are predicted from causes r, :math:`x \approx f(U r)`, and both go down

    .. math::
        E = \frac{1}{\sigma^2} |x - f(U r)|^2 + \alpha\, |r|^2 + \lambda\, |U|^2/N

    the mean over N samples: the causes of each sample by its own error, until they rest,
    :math:`\dot r = \frac{1}{\sigma^2} U^T f'\,(x - f(U r)) - \alpha r`, then the weights,
    :math:`\Delta U \propto \frac{1}{\sigma^2} f'\,(x - f(U r))\, r^T - \frac{\lambda}{N} U`.

    Parameters
    ----------
    n_components : int
        Causes. Default 2.
    activation : {"identity", "tanh", "logistic", "relu"}
        f. Default ``"identity"``.
    noise_variance : float
        Sigma**2. Default 1.
    alpha, decay : float
        Alpha and lambda, at least 0. Defaults 1 and 0.02, the authors' priors of causes and of
        weights; alpha 0 takes the prior away.
    learning_rate : float
        Of the weights. Default 0.1.
    inference_rate : float
        Step of the causes over the largest curvature of E by them, below 2 for f the identity.
        Default 1.
    inference_steps : int
        Largest number of steps of the causes. Default 200.
    tolerance : float
        Causes rest when no slope is larger. Default 1e-6.
    batch_size : int, optional
        Samples of an update of the weights. Default None: all.
    n_epochs : int
        Default 100.
    rng : int, SeedSequence, Generator or None
        Of the first weights, normal of variance 1/features, and of batches.

    Attributes
    ----------
    components_ : ndarray, (component, feature)
        U', a row a cause.
    energies_ : list of float
        E a sample, of each epoch.
    n_features_in_, n_samples_seen_ : int

    Notes
    -----
    For f the identity, E of all samples is least where ``U R`` is the singular value decomposition
    of the samples with every singular value s replaced by ``max(s - sigma**2 sqrt(alpha lambda),
    0)``, of rank `n_components` (Srebro, Rennie & Jaakkola 2004); N in a batch is that of all
    samples of `fit`.

    References
    ----------
    Rao & Ballard (1999), Nat Neurosci 2:79: one level, with their Gaussian priors.
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        activation: str = "identity",
        noise_variance: float = 1.0,
        alpha: float = 1.0,
        decay: float = 0.02,
        learning_rate: float = 0.1,
        inference_rate: float = 1.0,
        inference_steps: int = 200,
        tolerance: float = 1e-6,
        batch_size: int | None = None,
        n_epochs: int = 100,
        rng: Any = None,
    ):
        self.n_components = n_components
        self.activation = activation
        self.noise_variance = noise_variance
        self.alpha = alpha
        self.decay = decay
        self.learning_rate = learning_rate
        self.inference_rate = inference_rate
        self.inference_steps = inference_steps
        self.tolerance = tolerance
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.rng = rng

    def fit(self, X: Any, y: None = None) -> RaoBallard:
        """Learn from the beginning, in `n_epochs` passes.

        Parameters
        ----------
        X : array_like, (sample, feature)
        """
        X = samples(self, X, first=True)
        n_epochs = checked_count(self.n_epochs, "n_epochs")
        self._begin(X)
        for _ in range(n_epochs):
            order = slice(None) if self.batch_size is None else self._generator.permutation(len(X))
            self._epoch(X[order])
        return self

    def partial_fit(self, X: Any, y: None = None) -> RaoBallard:
        """Go through further samples once, in their order."""
        is_first = not hasattr(self, "components_")
        X = samples(self, X, first=is_first)
        if is_first:
            self._begin(X)
        self._epoch(X)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The causes of samples at rest, (sample, component)."""
        X = fitted_samples(self, X, "components_")
        with one_blas_thread():
            return self._causes(X)

    def inverse_transform(self, r: Any) -> np.ndarray:
        """The samples that causes predict, (sample, feature)."""
        check_is_fitted(self, "components_")
        r = real_numbers(r, "r", "[sample, component]")
        if r.ndim != 2 or r.shape[1] != len(self.components_):
            raise ValueError(
                f"`r` must be (sample, component) with {len(self.components_)} components; got "
                f"shape {r.shape}"
            )
        return self._f(r @ self.components_)

    def score(self, X: Any, y: None = None) -> float:
        """Minus the mean squared error of the predicted samples."""
        X = fitted_samples(self, X, "components_")
        return -float(((X - self.inverse_transform(self.transform(X))) ** 2).mean())

    # -- inference and learning ----------------------------------------------------------------

    def _f(self, drive: np.ndarray) -> np.ndarray:
        return ACTIVATIONS[self.activation][0](drive)

    def _signal(self, X: np.ndarray, r: np.ndarray) -> np.ndarray:
        """The error of the prediction over the variance, times the slope of f."""
        drive = r @ self.components_
        slope = ACTIVATIONS[self.activation][1](drive)
        return slope * (X - self._f(drive)) / self.noise_variance

    def _causes(self, X: np.ndarray) -> np.ndarray:
        U = self.components_
        curvature = np.linalg.norm(U, 2) ** 2 / self.noise_variance + self.alpha
        step = self.inference_rate / curvature
        r = np.zeros((len(X), len(U)))
        for _ in range(self.inference_steps):
            slope = self._signal(X, r) @ U.T - self.alpha * r
            r += step * slope
            if np.abs(slope).max() <= self.tolerance:
                break
        return r

    def _epoch(self, X: np.ndarray) -> None:
        size = len(X) if self.batch_size is None else self.batch_size
        energy = 0.0
        with one_blas_thread():
            for start in range(0, len(X), size):
                energy += self._update(X[start : start + size])
        self.n_samples_seen_ += len(X)
        self.energies_.append(energy / len(X))
        if not np.isfinite(self.energies_[-1]):
            raise FloatingPointError(
                f"the energy is not finite after {self.n_samples_seen_} samples; try a smaller "
                "`learning_rate` or `inference_rate`"
            )

    def _update(self, X: np.ndarray) -> float:
        """Learn from one batch; the sum of E over its samples, before the weights change."""
        r = self._causes(X)
        U = self.components_
        signal = self._signal(X, r)
        error = X - self._f(r @ U)
        energy = (error**2).sum() / self.noise_variance + self.alpha * (r**2).sum()
        energy += self.decay * (U**2).sum() * len(X) / self._n_samples
        change = r.T @ signal / len(X) - self.decay / self._n_samples * U
        self.components_ = U + self.learning_rate * change
        return float(energy)

    def _begin(self, X: np.ndarray) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"`activation` must be one of {tuple(ACTIVATIONS)}; got {self.activation!r}"
            )
        for name in ("noise_variance", "learning_rate", "inference_rate"):
            checked_positive(getattr(self, name), name)
        for name in ("alpha", "decay", "tolerance"):
            checked_positive(getattr(self, name), name, zero=True)
        checked_count(self.inference_steps, "inference_steps")
        if self.batch_size is not None:
            checked_count(self.batch_size, "batch_size")
        self._generator = as_generator(self.rng)
        shape = (checked_count(self.n_components, "n_components"), X.shape[1])
        self.components_ = self._generator.normal(size=shape) / np.sqrt(X.shape[1])
        self.n_samples_seen_, self._n_samples, self.energies_ = 0, len(X), []
