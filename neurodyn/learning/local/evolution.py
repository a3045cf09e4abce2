"""Training of a network by an evolution strategy: `EvolutionStrategy`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.learning.gradients import run_forward
from neurodyn.learning.local.samples import checked_positive
from neurodyn.learning.local.smoothed_gradients import SHAPINGS, evolution_gradient
from neurodyn.learning.local.task_base import PERTURBATION, TaskRule
from neurodyn.learning.trained_values import TrainedValues
from neurodyn.learning.training_run import TrainingRun

if TYPE_CHECKING:
    from neurodyn._arrays import RNG
    from neurodyn.learning.optimisers import Optimiser
    from neurodyn.learning.parametrisations import Parametrisation
    from neurodyn.network import Network
    from neurodyn.solvers import Solver


class _FreeValues(TrainedValues):
    """Values whose gradients are those by the free numbers already."""

    def pull_back(self, raw, gradients):
        return dict(gradients)


class _EvolutionRun(TrainingRun):
    """A training whose gradients are those of `evolution_gradient`, by the free numbers."""

    rule: EvolutionStrategy

    def _gradients(self, batch, values, step):
        found = []

        def loss_of(raw: Mapping[str, np.ndarray]) -> float:
            moved = self.values.values(raw)
            unrolled, loss = self._ready(batch, moved, training=True)
            run_forward(unrolled, batch.inputs, self._initial(batch, moved), self._seed(1, step))
            found.append(float(loss(unrolled.recorded)[0]))
            return found[-1]

        rule = self.rule
        gradients, losses = evolution_gradient(
            loss_of, self.raw, sigma=rule.sigma, population=rule.population,
            antithetic=rule.antithetic, shaping=rule.shaping,
            rng=np.random.default_rng(self._seed(PERTURBATION, step)),
        )  # fmt: skip
        mean = float(losses.mean())
        if rule.shaping == "none" and not np.isfinite(mean):
            self._diverged(
                "the loss of a member of the population is not finite. Try a smaller `sigma` or "
                '`shaping="rank"`',
                step,
                None,
            )
        dtype = {k: v.dtype for k, v in self.values.start.items()}
        return mean, 0.0, {k: g.astype(dtype[k]) for k, g in gradients.items()}


class EvolutionStrategy(TaskRule):
    r"""Training by an evolution strategy: from losses of perturbed networks, without derivatives.

    In every step `population` networks, whose trained values have normal noise on them, do the same
    trials, with the same noise of their own; the optimiser is given `evolution_gradient` of their
    losses. Nothing goes back through time, so that equations with ``spike(x)``, thresholds and
    steps, and losses without a derivative, can be trained as they are.

    Parameters
    ----------
    network : Network
    optimiser : Optimiser
        ``nd.learning.Adam(0.01)``. With ranks the gradient has no scale of its own.
    trainable : sequence of str
        Weights, parameters and initial states, as for `train`.
    steps : int
        Updates of `fit`. Default 100.
    population : int
        Networks of a step; even where antithetic. Default 32.
    sigma : float
        Standard deviation of the noise, by the free numbers where there are constraints. Default
        0.05.
    antithetic : bool
        Default True.
    shaping : {"rank", "none"}
        Default ``"rank"``.
    batch, connect, solver, parametrise, loss, schedule, clip, rng
        As for `train`; a loss need return no cotangents that are right.

    Attributes
    ----------
    network_ : Network
        With the trained values.
    history_ : xarray.Dataset
        As `Trained` has it; ``loss`` is the mean over the population.
    n_steps_ : int

    References
    ----------
    Salimans, Ho, Chen, Sidor & Sutskever (2017), arXiv:1703.03864.
    Wierstra, Schaul, Glasmachers, Sun, Peters & Schmidhuber (2014), JMLR 15:949, for ranks.
    """

    _run_type = _EvolutionRun
    _values_type = _FreeValues

    def __init__(
        self,
        network: Network,
        optimiser: Optimiser,
        trainable: Sequence[str],
        *,
        steps: int = 100,
        population: int = 32,
        sigma: float = 0.05,
        antithetic: bool = True,
        shaping: str = "rank",
        batch: int = 32,
        connect: Mapping[str, str] | None = None,
        solver: Solver | None = None,
        parametrise: Mapping[str, Parametrisation] | None = None,
        loss: Callable | None = None,
        schedule: Callable[[int], float] | None = None,
        clip: float | Callable | None = None,
        rng: RNG = None,
    ):
        self.network = network
        self.optimiser = optimiser
        self.trainable = trainable
        self.steps = steps
        self.population = population
        self.sigma = sigma
        self.antithetic = antithetic
        self.shaping = shaping
        self.batch = batch
        self.connect = connect
        self.solver = solver
        self.parametrise = parametrise
        self.loss = loss
        self.schedule = schedule
        self.clip = clip
        self.rng = rng

    def _prepare(self, run):
        checked_positive(self.sigma, "sigma")
        checked_count(self.population, "population", 2)
        if self.shaping not in SHAPINGS:
            raise ValueError(f"`shaping` must be one of {SHAPINGS}; got {self.shaping!r}")
        if self.antithetic and self.population % 2:
            raise ValueError(f"`population` must be even where antithetic; got {self.population}")
        run.rule = self
