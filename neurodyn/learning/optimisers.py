"""Optimisers: rules by which gradients change what is trained.

An optimiser is a small frozen object. What it remembers between steps is a dict of arrays apart
from it, its *state*, so that a training can be saved and continued exactly::

    state = optimiser.initial_state(parameters)
    parameters, state = optimiser.update(parameters, gradients, state)

Parameters and gradients are dicts of arrays by name. `update` returns new arrays and changes none
that it is given. The formulas are those that PyTorch documents for the optimisers of these names.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

#: Arrays by name.
Arrays = Mapping[str, np.ndarray]

#: The state's number of steps so far.
STEP = "step"


@dataclass(frozen=True)
class Optimiser(ABC):
    """What the optimisers share.

    Parameters
    ----------
    learning_rate : float
        Positive.
    weight_decay : float
        At least 0.
    """

    learning_rate: float
    weight_decay: float = 0.0

    #: Names of the arrays that are kept for each parameter.
    moments: ClassVar[Any] = ()

    def __post_init__(self):
        _check(self.learning_rate, "learning_rate", positive=True)
        _check(self.weight_decay, "weight_decay")

    def initial_state(self, parameters: Arrays) -> dict[str, np.ndarray]:
        """The state before the first step: zeros, ``"<moment> <name>"`` for each parameter."""
        found = {STEP: np.zeros((), np.int64)}
        for moment in self.moments:
            found.update({f"{moment} {n}": np.zeros_like(p) for n, p in parameters.items()})
        return found

    def update(
        self,
        parameters: Arrays,
        gradients: Arrays,
        state: Arrays,
        learning_rate: float | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Parameters and state after one step.

        Parameters
        ----------
        parameters, gradients : dict of str to ndarray
            Of the same names and shapes.
        state : dict of str to ndarray
        learning_rate : float, optional
            Instead of the optimiser's own, as a schedule has it.

        Returns
        -------
        parameters, state : dict of str to ndarray
            New arrays.
        """
        rate = self.learning_rate if learning_rate is None else learning_rate
        step = int(state[STEP]) + 1
        new_parameters: dict[str, np.ndarray] = {}
        new_state = {STEP: np.array(step, np.int64)}
        for name, p in parameters.items():
            moments = [state[f"{moment} {name}"] for moment in self.moments]
            change, moments = self._change(p, gradients[name], moments, rate, step)
            new_parameters[name] = p - change
            keys = (f"{moment} {name}" for moment in self.moments)
            new_state.update(zip(keys, moments, strict=True))
        return new_parameters, new_state

    @abstractmethod
    def _change(self, p, g, moments, rate: float, step: int):
        """What is subtracted from `p`, and the new moments."""


@dataclass(frozen=True)
class SGD(Optimiser):
    """Gradient descent, with momentum if asked for.

    ``g = gradient + weight_decay p``, ``v = momentum v + (1 - dampening) g`` (v = g in the first
    step), and p changes by ``-learning_rate v``, or with `nesterov` by ``-learning_rate (g +
    momentum v)``.

    Parameters
    ----------
    learning_rate, weight_decay : float
    momentum, dampening : float
        In [0, 1); dampening in [0, 1].
    nesterov : bool
        Needs momentum, and no dampening.

    Source: Sutskever, Martens, Dahl, Hinton (2013), ICML 28, 1139, for Nesterov's momentum, in the
    form of PyTorch, which scales the velocity by the learning rate of the current step.

    Examples
    --------
    >>> import numpy as np
    >>> optimiser = SGD(0.1)
    >>> p = {"x": np.array([1.0])}
    >>> p, state = optimiser.update(p, {"x": 2 * p["x"]}, optimiser.initial_state(p))
    >>> float(p["x"][0])
    0.8
    """

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False

    def __post_init__(self):
        super().__post_init__()
        _check(self.momentum, "momentum", below=1)
        _check(self.dampening, "dampening")
        if self.nesterov and (not self.momentum or self.dampening):
            raise ValueError(
                "`nesterov` needs `momentum` and no `dampening`; got "
                f"momentum={self.momentum!r}, dampening={self.dampening!r}"
            )

    @property
    def moments(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def _change(self, p, g, moments, rate, step):
        if self.weight_decay:
            g = g + self.weight_decay * p
        if not self.momentum:
            return rate * g, []
        v = g if step == 1 else self.momentum * moments[0] + (1 - self.dampening) * g
        return rate * (g + self.momentum * v if self.nesterov else v), [v]


@dataclass(frozen=True)
class Adam(Optimiser):
    """Adam: each number moves by its mean gradient over the root of its mean square.

    Parameters
    ----------
    learning_rate : float
        Default 1e-3.
    weight_decay : float
        Added to the gradient, ``gradient + weight_decay p``; see `AdamW`.
    beta1, beta2 : float
        Memory of the mean and of the mean square, in [0, 1).
    epsilon : float
        Added to the root.

    Source: Kingma and Ba (2015), ICLR, algorithm 1.
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    moments = ("mean", "square")

    def __post_init__(self):
        super().__post_init__()
        _check(self.beta1, "beta1", below=1)
        _check(self.beta2, "beta2", below=1)
        _check(self.epsilon, "epsilon")

    def _change(self, p, g, moments, rate, step):
        if self.weight_decay:
            g = g + self.weight_decay * p
        return self._adam(g, moments, rate, step)

    def _adam(self, g, moments, rate, step):
        # m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2, in few arrays: to make one
        # costs more than to compute on it
        m, v, work = (np.empty_like(moments[0]) for _ in range(3))
        np.multiply(moments[0], self.beta1, out=m)
        np.multiply(g, 1 - self.beta1, out=work)
        m += work
        np.multiply(moments[1], self.beta2, out=v)
        np.multiply(g, g, out=work)
        work *= 1 - self.beta2
        v += work
        np.sqrt(v, out=work)
        work *= 1 / math.sqrt(1 - self.beta2**step)
        work += self.epsilon
        np.divide(m, work, out=work)
        work *= rate / (1 - self.beta1**step)
        return work, [m, v]


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay apart from the gradient: p shrinks by ``learning_rate weight_decay``.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon : float
        As of `Adam`.
    weight_decay : float
        Default 0.01.

    Source: Loshchilov and Hutter (2019), ICLR, algorithm 2, in the form of PyTorch, in which the
    decay is times the learning rate.
    """

    weight_decay: float = 1e-2

    def _change(self, p, g, moments, rate, step):
        change, moments = self._adam(g, moments, rate, step)
        if self.weight_decay:  # of the parameters before the step, as PyTorch has it
            decay = rate * self.weight_decay
            change = decay * p + change
        return change, moments


@dataclass(frozen=True)
class RMSprop(Optimiser):
    """RMSprop: the gradient over the root of its mean square.

    Parameters
    ----------
    learning_rate : float
        Default 1e-2.
    weight_decay : float
        Added to the gradient, ``gradient + weight_decay p``.
    alpha : float
        Memory of the mean square, in [0, 1).
    epsilon : float
        Added to the root.
    momentum : float
        In [0, 1).
    centered : bool
        Divide by the standard deviation instead.

    Source: Tieleman and Hinton (2012), lecture 6.5 of Neural Networks for Machine Learning;
    centered: Graves (2013), arXiv 1308.0850, eq. 38-45, with epsilon outside the root as PyTorch
    has it.
    """

    learning_rate: float = 1e-2
    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self):
        super().__post_init__()
        _check(self.alpha, "alpha", below=1)
        _check(self.momentum, "momentum", below=1)
        _check(self.epsilon, "epsilon")

    @property
    def moments(self) -> tuple[str, ...]:
        names = ("square", *(["mean"] if self.centered else []))
        return (*names, "velocity") if self.momentum else names

    def _change(self, p, g, moments, rate, step):
        if self.weight_decay:
            g = g + self.weight_decay * p
        kept = dict(zip(self.moments, moments, strict=True))
        kept["square"] = self.alpha * kept["square"] + (1 - self.alpha) * (g * g)
        variance = kept["square"]
        if self.centered:
            kept["mean"] = self.alpha * kept["mean"] + (1 - self.alpha) * g
            variance = np.maximum(variance - kept["mean"] ** 2, 0)  # rounding can make it negative
        change = g / (np.sqrt(variance) + self.epsilon)
        if self.momentum:
            change = kept["velocity"] = self.momentum * kept["velocity"] + change
        return rate * change, list(kept.values())


def _check(value, name: str, positive: bool = False, below: float = math.inf) -> None:
    good = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not good or not 0 <= value < below or (positive and value == 0):
        least = "positive" if positive else "at least 0"
        limit = "finite" if below == math.inf else f"below {below:g}"
        raise ValueError(f"`{name}` must be {least} and {limit}; got {value!r}")
