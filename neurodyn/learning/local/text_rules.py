"""Rules of `neurodyn.plasticity` on arrays: `PlasticityLearner`, `Oja`, `OjaSubspace`, `BCM`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neurodyn import plasticity
from neurodyn.coupling import Coupling
from neurodyn.learning.local.hebbian_base import LayerRule
from neurodyn.learning.local.samples import samples
from neurodyn.network import Network
from neurodyn.plasticity import Plasticity
from neurodyn.population import Population
from neurodyn.results import FINAL, final_state
from neurodyn.simulation import SimulationDiverged
from neurodyn.simulation.simulate import simulate
from neurodyn.simulation.synapses import with_final_weights
from neurodyn.solvers import Euler

_LABEL = "X.r->Y.I"
Schedule = Callable[[int], float] | None


class _TextLayer(LayerRule):
    """A layer whose weights a `Plasticity` changes: samples drive a network, one a step of 1 s."""

    def _rule(self, rate: float) -> Plasticity:
        """The rule with this learning rate."""
        raise NotImplementedError

    def _activation(self) -> str:
        return "I"

    def _begin(self, X):
        super()._begin(X)
        self.traces_: Mapping[str, Any] = {}
        self._kept: dict[str, np.ndarray] = {}

    def _network(self, rule: Plasticity | None) -> Network:
        """Inputs X onto units Y, with the current weights."""
        n_components, n_features = self.components_.shape
        return Network(
            {
                "X": Population(n_features, "r = u : 1\nu : 1"),
                "Y": Population(n_components, f"r = {self._activation()} : 1\nI : 1"),
            },
            [Coupling("X.r", "Y.I", self.components_, plasticity=rule)],
        )

    def _pass(self, X, rate):
        rule = self._rule(rate)
        if self._kept:  # what the rule keeps a synapse goes on
            values = {**rule.values, **self._kept}
            rule = Plasticity(rule.equations, bounds=rule.bounds, **values)
        network = self._network(rule)
        try:
            ds = simulate(
                network, Euler(dt=1.0), len(X), inputs={"X.u": X}, record=[],
                initial=self.traces_ or None, threads=1,
            )  # fmt: skip
        except SimulationDiverged:
            raise self._diverged(len(X)) from None
        (coupling,) = with_final_weights(network, ds).couplings
        self.components_ = np.array(coupling.weights.to_dense())
        self.traces_ = final_state(ds) if network.state_names else {}
        names = [n.removesuffix(FINAL).removeprefix(f"{_LABEL}.") for n in map(str, ds.data_vars)
                 if n.startswith(_LABEL) and n.endswith(FINAL)]  # fmt: skip
        self._kept = {n: ds[f"{_LABEL}.{n}{FINAL}"].values[0] for n in names if n != "w"}

    def transform(self, X):
        """What the units answer, (sample, component)."""
        linear = super().transform(X)
        if self._activation() == "I":
            return linear
        inputs = {"X.u": samples(self, X, first=False)}
        ds = simulate(
            self._network(None), Euler(dt=1.0), len(linear), inputs=inputs, record=["Y.r"],
            threads=1,
        )  # fmt: skip
        return ds["Y.r"].values[0]


class PlasticityLearner(_TextLayer):
    """Any rule of `neurodyn.plasticity` for rates, learning from arrays.

    Samples are inputs ``X.r`` of a network, one a step of 1 s by `Euler`; its units ``Y`` answer
    with ``r = activation(W x)``. So time constants of the rule are numbers of samples, and
    ``dw/dt`` is the change by one sample.

    Parameters
    ----------
    rule : Plasticity
        Between variables that are called ``r`` on both sides, such as
        ``nd.plasticity.hebb(eta=0.01, decay=0.01)``; its value `eta` is what `schedule` scales.
    n_components : int
        Units. Default 1.
    activation : str
        ``"linear"``, or a function that equations know, ``"relu"``, ``"tanh"``, ... Default linear.
    n_epochs : int
        Passes through the samples of `fit`. Default 10.
    schedule : callable, optional
        Factor on `eta` by number of the epoch, see `neurodyn.learning.schedules`.
    components : array_like, (component, feature), optional
        Weights to begin with; default normal, of variance 1/n_features.
    rng : int, SeedSequence, Generator or None
        Of the first weights and the orders of samples.

    Attributes
    ----------
    components_ : ndarray, (component, feature)
    traces_ : dict of str to ndarray
        What the rule keeps a unit, such as ``"Y.theta_post"``; it goes on from call to call.
    n_features_in_, n_samples_seen_, n_epochs_ : int

    Examples
    --------
    >>> import neurodyn as nd
    >>> X = np.random.default_rng(0).normal(size=(500, 3)) * [2.0, 1.0, 0.5]
    >>> fit = PlasticityLearner(nd.plasticity.oja(eta=0.01), rng=1).fit(X)
    >>> abs(fit.components_[0, 0]).round(1)
    np.float64(1.0)
    """

    def __init__(
        self, rule: Plasticity, n_components: int = 1, *, activation: str = "linear",
        n_epochs: int = 10, schedule: Schedule = None, components: Any = None, rng: Any = None,
    ):  # fmt: skip
        self.rule = rule
        self.n_components = n_components
        self.activation = activation
        self.n_epochs = n_epochs
        self.schedule = schedule
        self.components = components
        self.rng = rng

    @property
    def learning_rate(self) -> float:
        """That of the rule; 1 where it has no `eta`."""
        return self.rule.values.get("eta", 1.0)

    def _begin(self, X):
        if not isinstance(self.rule, Plasticity):
            raise TypeError(
                "`rule` must be a Plasticity such as nd.plasticity.oja(eta=0.01); got "
                f"{self.rule!r}"
            )
        super()._begin(X)

    def _activation(self):
        return "I" if self.activation == "linear" else f"{self.activation}(I)"

    def _rule(self, rate):
        return self.rule.with_values(eta=rate) if "eta" in self.rule.values else self.rule


class Oja(_TextLayer):
    r"""Oja's rule, :math:`w \leftarrow w + \eta\, y\,(x - y w)`: the first principal component.

    The weights of every unit turn to the principal eigenvector of <x x'>, of length 1.

    Parameters
    ----------
    n_components : int
        Units, all of which learn the same. Default 1.
    learning_rate : float
        Eta: well below the inverse of the largest eigenvalue. Default 0.01.
    n_epochs, schedule, components, rng
        As for `PlasticityLearner`.

    Attributes
    ----------
    components_ : ndarray, (component, feature)

    Notes
    -----
    The rule is `neurodyn.plasticity.oja`. With constant eta the angle to the eigenvector
    fluctuates: of independent normal samples, whose <x x'> has the eigenvalues
    :math:`\lambda_k`, the mean of its square is
    :math:`\sum_{k>1} \eta \lambda_1 \lambda_k / (2 (\lambda_1 - \lambda_k))` to first order in eta.

    References
    ----------
    Oja (1982), J Math Biol 15:267, eq. 3.
    """

    def __init__(
        self, n_components: int = 1, *, learning_rate: float = 0.01, n_epochs: int = 10,
        schedule: Schedule = None, components: Any = None, rng: Any = None,
    ):  # fmt: skip
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.schedule = schedule
        self.components = components
        self.rng = rng

    def _rule(self, rate):
        return plasticity.oja(eta=rate)


class OjaSubspace(Oja):
    r"""Oja's subspace rule, :math:`W \leftarrow W + \eta\, y\,(x - W^T y)^T`.

    Rows become an orthonormal basis of the principal subspace of <x x'>, in no order of their own.

    Parameters
    ----------
    n_components : int
        Dimensions of the subspace.
    learning_rate, n_epochs, schedule, components, rng
        As for `Oja`.

    Attributes
    ----------
    components_ : ndarray, (component, feature)

    Notes
    -----
    The rule is `neurodyn.plasticity.oja_subspace`, a sample at a time;
    `neurodyn.learning.HebbianSubspace` learns from batches.

    References
    ----------
    Oja (1989), Int J Neural Syst 1:61. Williams (1985), ICS Report 8501, UC San Diego.
    """

    def _rule(self, rate):
        return plasticity.oja_subspace(eta=rate)


class CovarianceRule(Oja):
    r"""The covariance rule, :math:`w \leftarrow w + \eta\,(x - \bar x)(y - \bar y)`, with bounds.

    Parameters
    ----------
    n_components : int
        Units. Default 1.
    learning_rate : float
        Eta. Default 0.01.
    memory : float
        Samples over which both running means are taken: they move by 1/memory of the difference
        with every sample. Default 100.
    bounds : (float, float)
        Smallest and largest weight; weights onto linear units grow until they are there. Default
        (-1, 1).
    n_epochs, schedule, components, rng
        As for `Oja`. First weights are cut to the bounds.

    Attributes
    ----------
    components_ : ndarray, (component, feature)
    traces_ : dict of str to ndarray
        The means, ``"X.x_mean_pre"`` and ``"Y.y_mean_post"``.

    Notes
    -----
    The rule is `neurodyn.plasticity.covariance_rule`.

    References
    ----------
    Sejnowski (1977), J Math Biol 4:303.
    """

    def __init__(
        self, n_components: int = 1, *, learning_rate: float = 0.01, memory: float = 100.0,
        bounds: tuple[float, float] = (-1.0, 1.0), n_epochs: int = 10, schedule: Schedule = None,
        components: Any = None, rng: Any = None,
    ):  # fmt: skip
        super().__init__(
            n_components, learning_rate=learning_rate, n_epochs=n_epochs, schedule=schedule,
            components=components, rng=rng,
        )  # fmt: skip
        self.memory = memory
        self.bounds = bounds

    def _first_weights(self, X):
        found = super()._first_weights(X)
        return found if self.bounds is None else np.clip(found, *self.bounds)

    def _rule(self, rate):
        return plasticity.covariance_rule(eta=rate, tau_mean=self.memory, bounds=self.bounds)


class BCM(Oja):
    r"""The rule of Bienenstock, Cooper & Munro: units become selective for one of their inputs.

    .. math::
        w \leftarrow w + \eta\, x\, y\,(y - \theta), \qquad
        \theta \leftarrow \theta + (y^2/y_0 - \theta)/\text{memory}

    Of n linearly independent inputs that come equally often, a unit ends up answering to one, with
    ``n y_0``, and not to the others.

    Parameters
    ----------
    n_components : int
        Units, which do not know of each other. Default 1.
    learning_rate : float
        Eta. Default 0.01.
    memory : float
        Samples over which the threshold averages: more than there are inputs, and few against
        learning. Default 50.
    y_0 : float
        Scale of the activity. Default 1.
    normalised : bool
        Divide the change by theta (Law & Cooper 1994).
    n_epochs, schedule, components, rng
        As for `Oja`; the first weights are positive by default, absolute values of normal ones.

    Attributes
    ----------
    components_ : ndarray, (component, feature)
    traces_ : dict of str to ndarray
        The thresholds, ``"Y.theta_post"``.

    Notes
    -----
    The rule is `neurodyn.plasticity.bcm`.

    References
    ----------
    Bienenstock, Cooper & Munro (1982), J Neurosci 2:32.
    Intrator & Cooper (1992), Neural Networks 5:3.
    """

    def __init__(
        self, n_components: int = 1, *, learning_rate: float = 0.01, memory: float = 50.0,
        y_0: float = 1.0, normalised: bool = False, n_epochs: int = 10, schedule: Schedule = None,
        components: Any = None, rng: Any = None,
    ):  # fmt: skip
        super().__init__(
            n_components, learning_rate=learning_rate, n_epochs=n_epochs, schedule=schedule,
            components=components, rng=rng,
        )  # fmt: skip
        self.memory = memory
        self.y_0 = y_0
        self.normalised = normalised

    def _first_weights(self, X):
        found = super()._first_weights(X)
        return np.abs(found) if self.components is None else found

    def _rule(self, rate):
        return plasticity.bcm(
            eta=rate, tau_theta=self.memory, y_0=self.y_0, normalised=self.normalised
        )
