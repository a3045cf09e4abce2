"""Recursive least squares on arrays: `RecursiveLeastSquares`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin

from neurodyn.learning.local.least_squares_kernels import rls_samples
from neurodyn.learning.local.samples import (
    checked_positive,
    checked_share,
    fitted_samples,
    samples_and_targets,
)


class RecursiveLeastSquares(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Linear weights by recursive least squares, a sample at a time.

    .. math::
        k = \frac{P x}{\lambda + x^T P x}, \qquad w \leftarrow w - k\,(w^T x - y), \qquad
        P \leftarrow (P - k x^T P)/\lambda

    from ``P = 1/alpha`` and w = 0. Without forgetting (:math:`\lambda = 1`) the weights after any
    number of samples are those of ridge regression on all of them,
    ``(X'X + alpha 1)^-1 X'y``, to rounding.

    Parameters
    ----------
    alpha : float
        Ridge penalty; positive. Default 1.
    forgetting : float
        Lambda in (0, 1]: a sample counts ``forgetting**n`` after n more. Default 1.

    Attributes
    ----------
    coef_ : ndarray, (output, feature), or (feature,) where `y` has one axis
    inverse_correlation_ : ndarray, (feature, feature)
        P.
    n_features_in_, n_outputs_, n_samples_seen_ : int

    References
    ----------
    Haykin (2002), Adaptive Filter Theory, 4th ed., table 9.1.

    Examples
    --------
    >>> X, y = np.random.default_rng(0).normal(size=(2, 50, 3))
    >>> fit = RecursiveLeastSquares(alpha=0.1).fit(X, y)
    >>> ridge = np.linalg.solve(X.T @ X + 0.1 * np.eye(3), X.T @ y)
    >>> np.allclose(fit.coef_, ridge.T, rtol=1e-12)
    True
    """

    def __init__(self, alpha: float = 1.0, forgetting: float = 1.0):
        self.alpha = alpha
        self.forgetting = forgetting

    def fit(self, X: Any, y: Any) -> RecursiveLeastSquares:
        """Learn from samples in their order, from the beginning.

        Parameters
        ----------
        X : array_like, (sample, feature)
        y : array_like, (sample, output) or (sample,)
        """
        self.__dict__.pop("inverse_correlation_", None)
        return self.partial_fit(X, y)

    def partial_fit(self, X: Any, y: Any) -> RecursiveLeastSquares:
        """Go on with further samples."""
        forgetting = checked_share(self.forgetting, "forgetting")
        is_first = not hasattr(self, "inverse_correlation_")
        X, y = samples_and_targets(self, X, y, first=is_first)
        if is_first:
            alpha = checked_positive(self.alpha, "alpha")
            self.n_samples_seen_ = 0
            self.inverse_correlation_ = np.eye(X.shape[1]) / alpha
            weights = np.zeros((X.shape[1], y.shape[1]))
        else:
            weights = np.ascontiguousarray(np.atleast_2d(self.coef_).T)
        rls_samples(self.inverse_correlation_, weights, X, y, forgetting)
        self.coef_ = weights[:, 0].copy() if self._is_flat else weights.T.copy()
        self.n_samples_seen_ += len(X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The outputs of samples, (sample, output) or (sample,)."""
        return fitted_samples(self, X, "coef_") @ self.coef_.T
