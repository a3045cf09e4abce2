"""Reward-modulated Hebbian learning of a readout, by exploration: `ExploratoryHebb`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn import plasticity
from neurodyn.coupling import Coupling
from neurodyn.learning.local.readout_base import OnlineRule
from neurodyn.learning.local.samples import checked_positive
from neurodyn.network import Network
from neurodyn.results import final_state
from neurodyn.simulation.simulate import simulate
from neurodyn.simulation.synapses import with_final_weights

if TYPE_CHECKING:
    from neurodyn._arrays import RNG
    from neurodyn.solvers import Solver

#: What the outputs get while they learn, beyond their own equations.
_LINES = ("eh_error = ({z} - eh_target)**2 : 1", "eh_target : 1", "eh_performance : 1")


class ExploratoryHebb(OnlineRule):
    r"""Learning of a readout from a global signal that says whether it has done better than lately.

    Outputs explore by noise, :math:`z = W r + \xi`. The performance is :math:`P = -\sum_i (z_i -
    f_i)^2`, and

    .. math::
        \Delta W = \eta(t)\,(z - \bar z)\,M\,r^T, \qquad M = [P > \bar P], \qquad
        \eta(t) = \eta/(1 + t/\tau_\eta)

    with running means of z and P: no error reaches the weights, only M, one bit.

    Parameters
    ----------
    network : Network
        Of rates, with the readout and its feedback as couplings.
    coupling : str
        What learns: ``"E.r->out.I"``.
    output : str
        The variable of the same population that targets are of, ``"out.z"``.
    solver : Solver
        With fixed steps; `Euler` is the authors'.
    learning_rate : float
        Eta, 1/s. Default 0.5, the authors' 0.0005 a step of 1 ms.
    tau_eta : float, optional
        Time in which the learning rate falls, s; None leaves it constant. Default 20.
    tau_mean : float
        Time constant of both running means, s. Default 0.005.
    exploration : float
        Noise is uniform in plus or minus this, new at every step. Default 0.5.
    graded : bool
        M is P minus its mean (Legenstein et al. 2010). Default False.
    rng : int, SeedSequence, Generator or None
        Of exploration, noise and random initial states.

    Attributes
    ----------
    network_ : Network
        With the learned weights, as it was otherwise.
    coef_ : ndarray, (post, pre)
    performance_ : ndarray, (step,)
        P in the last `fit` or `partial_fit`, exploration included.
    state_ : dict of str to ndarray, (unit,)
        Of the network, where it has stopped.
    n_steps_ : int

    Notes
    -----
    The rule of the synapses is `neurodyn.plasticity.exploratory_hebb`: the whole run is compiled.
    Where readouts feed back, their exploration does too.

    References
    ----------
    Hoerzer, Legenstein & Maass (2014), Cereb Cortex 24:677.
    Legenstein, Chase, Schwartz & Maass (2010), J Neurosci 30:8400.
    """

    def __init__(
        self,
        network: Network,
        coupling: str,
        output: str,
        solver: Solver,
        *,
        learning_rate: float = 0.5,
        tau_eta: float | None = 20.0,
        tau_mean: float = 0.005,
        exploration: float = 0.5,
        graded: bool = False,
        rng: RNG = None,
    ):
        self.network = network
        self.coupling = coupling
        self.output = output
        self.solver = solver
        self.learning_rate = learning_rate
        self.tau_eta = tau_eta
        self.tau_mean = tau_mean
        self.exploration = exploration
        self.graded = graded
        self.rng = rng

    def partial_fit(self, X: Mapping[str, Any] | None, y: Any) -> ExploratoryHebb:
        """Go on from where network and weights are; inputs begin anew."""
        if not hasattr(self, "network_"):
            self._begin()
        y = self._checked_targets(y)
        population, _ = self.network.split(self.output)
        seed = self._next_seed()
        noise = np.random.default_rng(seed.spawn(1)[0])
        explored = noise.uniform(-self.exploration, self.exploration, y.shape)
        target = self._coupling(self.coupling).target
        inputs = dict(X or {})
        inputs[f"{population}.eh_target"] = y
        inputs[target] = inputs[target] + explored if target in inputs else explored
        learning = self._learning_network()
        ds = simulate(
            learning, self.solver, len(y) * self.solver.dt, inputs=inputs, rng=seed,
            initial={**self.state_, **self._means}, record=[f"{population}.eh_error"],
        )  # fmt: skip
        labels = self.network.coupling_labels
        after = with_final_weights(learning, ds).couplings[labels.index(self.coupling)].weights
        self.network_ = self.network.with_values(**{self.coupling: after})
        self.coef_ = np.array(after.to_dense())
        final = {name: values[0] for name, values in final_state(ds).items()}
        self.state_ = {name: final[name] for name in self.network.state_names}
        self._means = {n: v for n, v in final.items() if n not in self.state_}
        self.performance_ = -ds[f"{population}.eh_error"].values[0].sum(axis=1)
        self.n_steps_ += len(y)
        return self

    def _begin(self) -> None:
        super()._begin()
        for name in ("learning_rate", "tau_mean", "exploration"):
            checked_positive(getattr(self, name), name)
        if self.tau_eta is not None:
            checked_positive(self.tau_eta, "tau_eta")
        population, _ = self.network.split(self.output)
        if self.network.split(self._coupling(self.coupling).target)[0] != population:
            raise ValueError(
                f"`output` must be a variable of the population that `{self.coupling}` ends at; "
                f"got {self.output!r}"
            )
        self._output, self._means, self.n_steps_ = self.output, {}, 0

    def _learning_network(self) -> Network:
        """The network with what its outputs need to learn."""
        population, z = self.network.split(self.output)
        members = dict(self.network_.members)
        lines = [line.format(z=z) for line in _LINES]
        members[population] = members[population].with_states(lines, {})
        size = members[population].size
        rule = self._rule(self._coupling(self.coupling).source.split(".")[1], z)
        labels = self.network_.coupling_labels
        couplings = [
            replace(c, plasticity=rule) if label == self.coupling else c
            for label, c in zip(labels, self.network_.couplings, strict=True)
        ]
        error, performance = f"{population}.eh_error", f"{population}.eh_performance"
        couplings.append(Coupling(error, performance, -np.ones((size, size))))
        return Network(members, couplings)

    def _rule(self, pre: str, post: str) -> plasticity.Plasticity:
        """The rule of the synapses; the time that was, which a run counts from 0, is put in."""
        rate, tau = self.learning_rate, self.tau_eta
        if tau is not None:
            past = self.n_steps_ * self.solver.dt
            rate, tau = rate / (1 + past / tau), tau + past
        return plasticity.exploratory_hebb(
            eta=rate, tau_mean=self.tau_mean, performance="eh_performance", graded=self.graded,
            tau_eta=tau, pre=pre, post=post,
        )  # fmt: skip
