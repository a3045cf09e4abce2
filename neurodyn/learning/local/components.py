"""Hebbian rules that find principal components, compiled: `NormalisedHebb`, `GHA`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurodyn.learning.local.hebbian_base import LayerRule
from neurodyn.learning.local.hebbian_kernels import generalised_hebb, normalised_hebb


class NormalisedHebb(LayerRule):
    r"""Hebb's rule with normalisation, :math:`w \leftarrow (w + \eta y x)/|w + \eta y x|`.

    The weights of every unit turn to the principal eigenvector of <x x'>. To first order in eta it
    is Oja's rule, which was derived from it.

    Parameters
    ----------
    n_components : int
        Units, all of which learn the same. Default 1.
    learning_rate : float
        Eta. Default 0.01.
    n_epochs : int
        Passes through the samples of `fit`. Default 10.
    schedule : callable, optional
        Factor on the learning rate by number of the epoch, see `neurodyn.learning.schedules`.
    components : array_like, (component, feature), optional
        Weights to begin with; default normal, of variance 1/n_features.
    rng : int, SeedSequence, Generator or None
        Of the first weights and the orders of samples.

    Attributes
    ----------
    components_ : ndarray, (component, feature)
    n_features_in_, n_samples_seen_, n_epochs_ : int

    Notes
    -----
    Without the division weights would grow without limit: for that, or with decay or bounds,
    ``PlasticityLearner(nd.plasticity.hebb(...))``.

    References
    ----------
    Oja (1982), J Math Biol 15:267, eq. 2.
    """

    def __init__(
        self, n_components: int = 1, *, learning_rate: float = 0.01, n_epochs: int = 10,
        schedule: Callable[[int], float] | None = None, components: Any = None, rng: Any = None,
    ):  # fmt: skip
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.schedule = schedule
        self.components = components
        self.rng = rng

    def _pass(self, X: np.ndarray, rate: float) -> None:
        normalised_hebb(self.components_, X, rate)


class GHA(NormalisedHebb):
    r"""Sanger's generalised Hebbian algorithm: the principal components, in their order.

    .. math::
        \Delta w_{ij} = \eta\, y_i \Big(x_j - \sum_{k \le i} y_k w_{kj}\Big)

    Row i becomes the eigenvector of <x x'> with the i-th largest eigenvalue.

    Parameters
    ----------
    n_components : int
        Components, largest first.
    learning_rate, n_epochs, schedule, components, rng
        As for `NormalisedHebb`.

    Attributes
    ----------
    components_ : ndarray, (component, feature)
    n_features_in_, n_samples_seen_, n_epochs_ : int

    References
    ----------
    Sanger (1989), Neural Networks 2:459, eq. 2.
    """

    def _pass(self, X: np.ndarray, rate: float) -> None:
        generalised_hebb(self.components_, X, rate)
