"""Lateral inhibition that is learned: `AntiHebbianDecorrelation`, `FoldiakCoding`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from neurodyn._arrays import as_generator, checked_count
from neurodyn.learning.local.hebbian_base import LayerRule
from neurodyn.learning.local.hebbian_kernels import sparse_code, sparse_coding
from neurodyn.learning.local.samples import checked_positive, fitted_samples, samples


class AntiHebbianDecorrelation(TransformerMixin, BaseEstimator):
    r"""Lateral weights that learn by the anti-Hebbian rule until outputs are not correlated.

    Every unit hears one feature, and the others by lateral weights; outputs are those at which the
    linear units settle, and weights change by the mean over a batch:

    .. math::
        y = x + V y = (1 - V)^{-1} x, \qquad \Delta v_{ij} = -\eta \langle y_i y_j \rangle
        \quad (i \ne j)

    The rule rests where <y y'> is diagonal. Variances of the units are not controlled.

    Parameters
    ----------
    learning_rate : float
        Eta. Default 0.1.
    batch_size : int, optional
        Samples of an update. Default None: all.
    n_epochs : int
        Passes through the samples of `fit`. Default 100.
    schedule : callable, optional
        Factor on the learning rate by number of the epoch.
    rng : int, SeedSequence, Generator or None
        Of the orders of samples, where there are batches.

    Attributes
    ----------
    lateral_ : ndarray, (feature, feature)
        V, symmetric, of diagonal 0.
    n_features_in_, n_samples_seen_, n_epochs_ : int

    Notes
    -----
    `neurodyn.plasticity.anti_hebb` is the rule of a synapse, for networks whose outputs take time
    to settle; here they have settled, and so the resting state is exact.

    References
    ----------
    Földiák (1989), Proc IJCNN 1:401. Barlow & Földiák (1989), in The Computing Neuron, 54.
    """

    def __init__(
        self, *, learning_rate: float = 0.1, batch_size: int | None = None, n_epochs: int = 100,
        schedule: Callable[[int], float] | None = None, rng: Any = None,
    ):  # fmt: skip
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.schedule = schedule
        self.rng = rng

    def fit(self, X: Any, y: None = None) -> AntiHebbianDecorrelation:
        """Learn in `n_epochs` passes.

        Parameters
        ----------
        X : array_like, (sample, feature)
            As it is: means are not taken off.
        """
        X = samples(self, X, first=True)
        n_epochs = checked_count(self.n_epochs, "n_epochs")
        self._begin(X.shape[1])
        for _ in range(n_epochs):
            order = slice(None) if self.batch_size is None else self._generator.permutation(len(X))
            self._epoch(X[order])
        return self

    def partial_fit(self, X: Any, y: None = None) -> AntiHebbianDecorrelation:
        """Go through further samples once, in their order."""
        is_first = not hasattr(self, "lateral_")
        X = samples(self, X, first=is_first)
        if is_first:
            self._begin(X.shape[1])
        self._epoch(X)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The settled outputs, (sample, feature)."""
        return self._outputs(fitted_samples(self, X, "lateral_"))

    def _outputs(self, X: np.ndarray) -> np.ndarray:
        return np.linalg.solve(np.eye(self.n_features_in_) - self.lateral_, X.T).T

    def _begin(self, n_features: int) -> None:
        checked_positive(self.learning_rate, "learning_rate")
        if self.batch_size is not None:
            checked_count(self.batch_size, "batch_size")
        self._generator = as_generator(self.rng)
        self.lateral_ = np.zeros((n_features, n_features))
        self.n_samples_seen_, self.n_epochs_ = 0, 0

    def _epoch(self, X: np.ndarray) -> None:
        rate = self.learning_rate
        rate *= 1.0 if self.schedule is None else float(self.schedule(self.n_epochs_))
        size = len(X) if self.batch_size is None else self.batch_size
        for start in range(0, len(X), size):
            outputs = self._outputs(X[start : start + size])
            change = outputs.T @ outputs / len(outputs)
            np.fill_diagonal(change, 0.0)
            self.lateral_ -= rate * change
        self.n_epochs_ += 1
        self.n_samples_seen_ += len(X)
        self._check_stable()

    def _check_stable(self) -> None:
        """Outputs settle only where the lateral loop has no growing mode."""
        finite = np.isfinite(self.lateral_).all()
        if not finite or np.linalg.eigvalsh(self.lateral_)[-1] >= 1.0:
            raise FloatingPointError(
                f"lateral weights excite themselves after {self.n_samples_seen_} samples, so that "
                "outputs do not settle; try a smaller `learning_rate`, or features of smaller "
                "variance"
            )


class FoldiakCoding(LayerRule):
    r"""Sparse codes by Hebbian, anti-Hebbian and threshold learning.

    Binary units answer as their differential equation settles, ``y = 1`` where it ends above 1/2,

    .. math::
        dy_i/dt = f\Big(\sum_j q_{ij} x_j + \sum_k v_{ik} y_k - t_i\Big) - y_i, \qquad
        f(u) = 1/(1 + e^{-\lambda u})

    and three rules keep each active with the probability p, and pairs as often as by chance:

    .. math::
        \Delta v_{ik} = -\alpha\,(y_i y_k - p^2) \text{ (kept at or below 0)}, \quad
        \Delta q_{ij} = \beta\, y_i (x_j - q_{ij}), \quad \Delta t_i = \gamma\,(y_i - p)

    Parameters
    ----------
    n_components : int
        Units.
    p : float
        Wanted probability of activity, in (0, 1). Default 1/8.
    learning_rate : float
        Beta, of the feed-forward weights. Default 0.02.
    lateral_rate, threshold_rate : float
        Alpha and gamma. Defaults 0.1 and 0.02. All three are scaled by `schedule`.
    steepness : float
        Lambda. Default 10.
    dt, n_steps : float, int
        Step and number of steps in which units settle. Defaults 0.1 and 100.
    n_warm_up : int
        Passes through the first samples before all others, in which thresholds alone learn. Default
        0.
    n_epochs, schedule, rng
        As for `NormalisedHebb`.
    components : array_like, (component, feature), optional
        Feed-forward weights to begin with; default uniform in [0, 1), brought to length 1.

    Attributes
    ----------
    components_, lateral_, thresholds_ : ndarray
        Weights (component, feature), (component, component), and thresholds (component,).
    n_features_in_, n_samples_seen_, n_epochs_ : int

    References
    ----------
    Földiák (1990), Biol Cybern 64:165.
    """

    def __init__(
        self, n_components: int = 16, *, p: float = 0.125, learning_rate: float = 0.02,
        lateral_rate: float = 0.1, threshold_rate: float = 0.02, steepness: float = 10.0,
        dt: float = 0.1, n_steps: int = 100, n_warm_up: int = 0, n_epochs: int = 10,
        schedule: Callable[[int], float] | None = None, components: Any = None, rng: Any = None,
    ):  # fmt: skip
        self.n_components = n_components
        self.p = p
        self.learning_rate = learning_rate
        self.lateral_rate = lateral_rate
        self.threshold_rate = threshold_rate
        self.steepness = steepness
        self.dt = dt
        self.n_steps = n_steps
        self.n_warm_up = n_warm_up
        self.n_epochs = n_epochs
        self.schedule = schedule
        self.components = components
        self.rng = rng

    def transform(self, X: Any) -> np.ndarray:
        """The answers, 0 or 1, (sample, component)."""
        X = fitted_samples(self, X, "components_")
        found = np.empty((len(X), len(self.components_)))
        sparse_code(self.components_, self.lateral_, self.thresholds_, X, *self._settling(), found)
        return found

    def _begin(self, X):
        for name in ("steepness", "dt"):
            checked_positive(getattr(self, name), name)
        for name in ("lateral_rate", "threshold_rate"):
            checked_positive(getattr(self, name), name, zero=True)
        checked_count(self.n_steps, "n_steps")
        if not 0 < checked_positive(self.p, "p") < 1:
            raise ValueError(f"`p` must be a probability in (0, 1); got {self.p!r}")
        super()._begin(X)
        n = len(self.components_)
        self.lateral_, self.thresholds_ = np.zeros((n, n)), np.zeros(n)
        for _ in range(checked_count(self.n_warm_up, "n_warm_up", 0)):
            self._run(X[self._generator.permutation(len(X))], 1.0, warm_up=True)

    def _first_weights(self, X):
        if self.components is not None:
            return super()._first_weights(X)
        n = checked_count(self.n_components, "n_components")
        found = self._generator.uniform(size=(n, X.shape[1]))
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def _pass(self, X, rate):
        self._run(X, rate / self.learning_rate)

    def _settling(self) -> tuple[float, float, int]:
        return float(self.steepness), float(self.dt), self.n_steps

    def _run(self, X, factor: float, *, warm_up: bool = False) -> None:
        rates = np.array([self.lateral_rate, self.learning_rate, self.threshold_rate]) * factor
        if warm_up:
            rates[:2] = 0.0
        sparse_coding(
            self.components_, self.lateral_, self.thresholds_, X, rates, float(self.p),
            *self._settling(),
        )  # fmt: skip
