"""Supervised predictive coding, near to backpropagation: `PredictiveCoding`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from neurodyn._arrays import as_generator, checked_count
from neurodyn._blas import one_blas_thread
from neurodyn.learning.local.samples import (
    checked_positive,
    fitted_samples,
    samples_and_targets,
)
from neurodyn.learning.optimisers import Adam, Optimiser

_LEARNING = ("equilibrium", "incremental", "zero_divergence")


def _logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


#: Each function, and its derivative by x.
ACTIVATIONS = {
    "identity": (lambda x: x, np.ones_like),
    "tanh": (np.tanh, lambda x: 1.0 - np.tanh(x) ** 2),
    "logistic": (_logistic, lambda x: _logistic(x) * (1.0 - _logistic(x))),
    "relu": (lambda x: np.maximum(x, 0.0), lambda x: (x > 0.0).astype(float)),
}


class PredictiveCoding(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""A layered network that learns by minimising its prediction errors, layer by layer.

    Value units :math:`x_l` of layer l are predicted from those below the target,

    .. math::
        \mu_l = W_l^T f(x_{l-1}) + b_l, \qquad e_l = x_l - \mu_l, \qquad
        F = \tfrac12 \sum_{l<L} |e_l|^2 + \tfrac{1}{2\sigma^2} |e_L|^2

    with f the identity for the inputs x_0. With inputs and targets x_L held, the other units go
    down F from the forward pass, :math:`\dot x_l = -e_l + f'(x_l) W_{l+1} e_{l+1}` (the last e over
    sigma**2), and weights then, too: :math:`\Delta W_l \propto f(x_{l-1})\, e_l^T`, local to a
    synapse. See Notes for how near that is to backpropagation.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int
        Default (32,).
    activation : {"identity", "tanh", "logistic", "relu"}
        f. Default ``"tanh"``.
    learning : {"equilibrium", "incremental", "zero_divergence"}
        ``"equilibrium"``: weights change once the values have settled. ``"incremental"``: weights
        change with every step of the values, at once (Salvatori et al.). ``"zero_divergence"``:
        weights of layer L - t change by the errors after t steps of size 1: exactly backpropagation
        (Song et al.; needs ``output_variance=1``).
    inference_rate : float
        Size of a step of the values, in units of their time constant. Default 0.1.
    inference_steps : int
        Largest number of steps. Default 100.
    tolerance : float
        Values have settled when none changes by more than this in a step, over the rate. Default 0:
        all steps are done.
    output_variance : float
        Sigma**2. Default 1.
    optimiser : Optimiser, optional
        Default ``nd.learning.Adam(1e-3)``.
    batch_size, n_epochs : int
        Default 32 and 20.
    rng : int, SeedSequence, Generator or None
        Of first weights (normal, of variance 1/inputs) and batches.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        W_l (unit below, unit) and b_l, as scikit-learn's MLPRegressor has them.
    energies_ : list of float
        F a sample after inference, the mean of each epoch; of ``"zero_divergence"`` before it.
    n_features_in_, n_outputs_, n_updates_ : int

    Notes
    -----
    For a large sigma**2 the weights change by the gradient of the squared error of the forward
    pass, :math:`|y - \hat y|^2/(2\sigma^2)`: the difference falls as 1/sigma**2. For errors that
    are small at a given sigma they change by the gradients of backpropagation, too, but of the
    error that is left when the hidden layers have moved towards the target, :math:`\sigma^2
    (\sigma^2 + \sum_{l<L} J_l J_l^T)^{-1} (y - \hat y)`, with the Jacobians J_l of the output by
    x_l: a preconditioned error, not the output's own.

    References
    ----------
    Whittington & Bogacz (2017), Neural Comput 29:1229.
    Song, Lukasiewicz, Xu & Bogacz (2020), NeurIPS 33:22566, for ``"zero_divergence"``.
    Salvatori, Song, Yordanov, Millidge, Xu, Sha, Emde, Bogacz & Lukasiewicz (2024), ICLR, for
    ``"incremental"``.
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (32,),
        *,
        activation: str = "tanh",
        learning: str = "equilibrium",
        inference_rate: float = 0.1,
        inference_steps: int = 100,
        tolerance: float = 0.0,
        output_variance: float = 1.0,
        optimiser: Optimiser | None = None,
        batch_size: int = 32,
        n_epochs: int = 20,
        rng: Any = None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.learning = learning
        self.inference_rate = inference_rate
        self.inference_steps = inference_steps
        self.tolerance = tolerance
        self.output_variance = output_variance
        self.optimiser = optimiser
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.rng = rng

    # -- learning ------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any) -> PredictiveCoding:
        """Learn from the beginning, in `n_epochs` passes through the samples in random order.

        Parameters
        ----------
        X : array_like, (sample, feature)
        y : array_like, (sample, output) or (sample,)
            Classes as one-hot rows.
        """
        X, y = samples_and_targets(self, X, y, first=True)
        n_epochs = checked_count(self.n_epochs, "n_epochs")
        self._begin()
        for _ in range(n_epochs):
            order = self._generator.permutation(len(X))
            self._epoch(X[order], y[order])
        return self

    def partial_fit(self, X: Any, y: Any) -> PredictiveCoding:
        """Go through further samples once, in their order."""
        is_first = not hasattr(self, "coefs_")
        X, y = samples_and_targets(self, X, y, first=is_first)
        if is_first:
            self._begin()
        self._epoch(X, y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The outputs by a forward pass, (sample, output) or (sample,)."""
        output = self._forward(fitted_samples(self, X, "coefs_"))[-1]
        return output[:, 0] if self._is_flat else output

    def energy_gradients(self, X: Any, y: Any) -> dict[str, np.ndarray]:
        """What the optimiser is given of these samples: dF/dW and dF/db after inference.

        Means over the samples, by the names ``"W1"``, ``"b1"``, ..., of the current weights, which
        do not change.
        """
        check_is_fitted(self, "coefs_")
        X, y = samples_and_targets(self, X, y, first=False)
        if self.learning == "zero_divergence":
            return self._zero_divergence(X, y)[0]
        return self._gradients(*self._settled(X, y))

    # -- inference -----------------------------------------------------------------------------

    def _forward(self, X: np.ndarray) -> list[np.ndarray]:
        """Values of all layers as the layers before them predict them."""
        values = [X]
        for l in range(1, len(self.coefs_) + 1):
            values.append(self._predicted(values, l))
        return values

    def _f(self, x: np.ndarray) -> np.ndarray:
        return ACTIVATIONS[self.activation][0](x)

    def _derivative(self, x: np.ndarray) -> np.ndarray:
        return ACTIVATIONS[self.activation][1](x)

    def _sent(self, values: list[np.ndarray], l: int) -> np.ndarray:
        """What layer l sends on."""
        return values[l] if l == 0 else self._f(values[l])

    def _predicted(self, values, l: int) -> np.ndarray:
        return self._sent(values, l - 1) @ self.coefs_[l - 1] + self.intercepts_[l - 1]

    def _errors(self, values) -> list[np.ndarray]:
        """Errors of layers 1 to L, the last over the variance of the output."""
        found = [values[l] - self._predicted(values, l) for l in range(1, len(values))]
        found[-1] = found[-1] / self.output_variance
        return found

    def _slopes(self, values, errors) -> list[np.ndarray]:
        """-dF/dx of the hidden layers, 1 to L - 1."""
        return [
            -errors[l - 1] + self._derivative(values[l]) * (errors[l] @ self.coefs_[l].T)
            for l in range(1, len(values) - 1)
        ]

    def _settled(self, X, y):
        """Values and errors where the hidden layers have come to rest, from the forward pass."""
        values = self._forward(X)
        values[-1] = y
        errors = self._errors(values)
        for _ in range(self.inference_steps):
            largest = self._infer(values, errors)
            errors = self._errors(values)
            if largest <= self.tolerance:
                break
        return values, errors

    def _infer(self, values, errors) -> float:
        """One step of the hidden values; the largest slope."""
        largest = 0.0
        for l, slope in enumerate(self._slopes(values, errors), start=1):
            values[l] = values[l] + self.inference_rate * slope
            largest = max(largest, float(np.abs(slope).max()))
        return largest

    def _energy(self, errors) -> float:
        """F a sample."""
        squares = [np.einsum("ij,ij->", e, e) for e in errors]
        squares[-1] *= self.output_variance
        return 0.5 * sum(squares) / len(errors[0])

    # -- weights -------------------------------------------------------------------------------

    def _gradients(self, values, errors, layers=None) -> dict[str, np.ndarray]:
        found = {}
        for l in layers or range(1, len(values)):
            error = errors[l - 1]
            found[f"W{l}"] = -(self._sent(values, l - 1).T @ error) / len(error)
            found[f"b{l}"] = -error.mean(axis=0)
        return found

    def _zero_divergence(self, X, y):
        """Gradients of each layer at the time when the error has come to it, and F at first."""
        values = self._forward(X)
        values[-1] = y
        found, energy = {}, None
        for l in range(len(values) - 1, 0, -1):
            errors = self._errors(values)
            energy = self._energy(errors) if energy is None else energy
            found |= self._gradients(values, errors, [l])
            for k, slope in enumerate(self._slopes(values, errors), start=1):
                values[k] = values[k] + slope
        return found, energy

    def _epoch(self, X, y) -> None:
        energies = []
        with one_blas_thread():
            for start in range(0, len(X), self.batch_size):
                batch = slice(start, start + self.batch_size)
                energies.append(self._update(X[batch], y[batch]) * len(X[batch]))
        self.energies_.append(sum(energies) / len(X))
        if not np.isfinite(self.energies_[-1]):
            raise FloatingPointError(
                f"the energy is not finite after {self.n_updates_} updates; try a smaller "
                "`inference_rate`, or an `optimiser` of a smaller learning rate"
            )

    def _update(self, X, y) -> float:
        """Learn from one batch; F a sample."""
        if self.learning == "zero_divergence":
            gradients, energy = self._zero_divergence(X, y)
            self._apply(gradients)
            return energy
        if self.learning == "equilibrium":
            values, errors = self._settled(X, y)
            self._apply(self._gradients(values, errors))
            return self._energy(errors)
        values = self._forward(X)
        values[-1] = y
        for _ in range(self.inference_steps):
            errors = self._errors(values)
            gradients = self._gradients(values, errors)
            self._infer(values, errors)
            self._apply(gradients)
        return self._energy(self._errors(values))

    def _apply(self, gradients) -> None:
        parameters = {f"W{l}": W for l, W in enumerate(self.coefs_, 1)}
        parameters |= {f"b{l}": b for l, b in enumerate(self.intercepts_, 1)}
        parameters, self._state = self._optimiser.update(parameters, gradients, self._state)
        n = len(self.coefs_)
        self.coefs_ = [parameters[f"W{l}"] for l in range(1, n + 1)]
        self.intercepts_ = [parameters[f"b{l}"] for l in range(1, n + 1)]
        self.n_updates_ += 1

    def _begin(self) -> None:
        self._check()
        self._generator = as_generator(self.rng)
        sizes = [self.n_features_in_, *self.hidden_layer_sizes, self.n_outputs_]
        self.coefs_ = [
            self._generator.normal(size=(a, b)) / np.sqrt(a)
            for a, b in zip(sizes[:-1], sizes[1:], strict=True)
        ]
        self.intercepts_ = [np.zeros(n) for n in sizes[1:]]
        self._optimiser = Adam(1e-3) if self.optimiser is None else self.optimiser
        parameters = {f"W{l}": W for l, W in enumerate(self.coefs_, 1)}
        parameters |= {f"b{l}": b for l, b in enumerate(self.intercepts_, 1)}
        self._state = self._optimiser.initial_state(parameters)
        self.energies_, self.n_updates_ = [], 0

    def _check(self) -> None:
        for name, known in (("activation", tuple(ACTIVATIONS)), ("learning", _LEARNING)):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be one of {known}; got {getattr(self, name)!r}")
        for name in ("inference_rate", "output_variance"):
            checked_positive(getattr(self, name), name)
        checked_positive(self.tolerance, "tolerance", zero=True)
        for name in ("inference_steps", "batch_size"):
            checked_count(getattr(self, name), name)
        for size in self.hidden_layer_sizes:
            checked_count(size, "hidden_layer_sizes")
        if self.learning == "zero_divergence" and self.output_variance != 1:
            raise ValueError(
                '`learning="zero_divergence"` needs `output_variance=1`; got '
                f"{self.output_variance!r}"
            )
        if self.optimiser is not None and not isinstance(self.optimiser, Optimiser):
            raise TypeError(
                f"`optimiser` must be one such as nd.learning.Adam(1e-3); got {self.optimiser!r}"
            )
