"""Learning from the effect of random perturbations: `NodePerturbation`, `DelayedRewardHebb`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.learning.gradients import run_forward
from neurodyn.learning.local.samples import checked_positive, checked_share
from neurodyn.learning.local.task_base import PERTURBATION, TaskRule
from neurodyn.learning.task_protocol import TrialBatch
from neurodyn.learning.training_run import TrainingRun

if TYPE_CHECKING:
    from neurodyn._arrays import RNG
    from neurodyn.learning.optimisers import Optimiser
    from neurodyn.network import Network
    from neurodyn.solvers import Solver


class _PerturbationRun(TrainingRun):
    """A training whose gradients are correlations of losses with eligibilities."""

    rule: NodePerturbation

    def _gradients(self, batch, values, step):
        generator = np.random.default_rng(self._seed(PERTURBATION, step))
        noises = {n: self._noise(n, batch, generator) for n in self.targets}
        during = {n: noise[:, :-1] for n, noise in noises.items()}
        perturbed = replace(batch, inputs=_added(batch.inputs, during))
        unrolled, _ = self._ready(perturbed, values, training=True)
        if len(unrolled.segments) > 1:
            raise ValueError(
                "trials are too long to be kept in memory at once; take a smaller `batch`"
            )
        initial = self._initial(batch, values)
        # what is recorded at the end of the last step has noise of its own
        ends = {n: noise[:, -1] - noise[:, -2] for n, noise in noises.items()}
        recorded = run_forward(unrolled, perturbed.inputs, initial, self._seed(1, step), ends)
        losses = self._losses(batch, recorded)
        if not np.isfinite(losses).all():
            self._diverged_loss(float(losses.mean()), values, step)
        n = len(losses)
        better = (losses - losses.mean()) / (n - 1)  # others' mean taken off, over n trials
        found = {}
        for label, names in self.labels.items():
            source, target = self.ends[label]
            post, pre = self.rule._eligibility(unrolled, recorded, source, target, noises)
            weights = unrolled.values.weights[self.network_labels.index(label)]
            with np.errstate(over="ignore", invalid="ignore"):
                gradients = weights.gradient(better[:, None, None] * post, pre)
            for one in names:
                found[one.key] = np.asarray(gradients[one.array], self.values.start[one.key].dtype)
                if not np.isfinite(found[one.key]).all():
                    self._diverged(
                        f"eligibilities of `{one.key}` are not finite: activity grew. Try a "
                        "smaller learning rate, `clip=` or a smaller `sigma`",
                        step,
                        one.key,
                    )
        return float(losses.mean()), 0.0, found

    def _noise(self, target: str, batch: TrialBatch, generator) -> np.ndarray:
        """Perturbations of an input, (trial, step + 1, unit)."""
        rule, network = self.rule, self.values.network
        size = network.populations[network.split(target)[0]].size
        shape = (batch.n_trials, batch.n_steps + 1, size)
        noise = rule.sigma * generator.standard_normal(shape)
        if rule.probability < 1:
            noise *= generator.random(shape) < rule.probability
        return noise

    def _losses(self, batch: TrialBatch, recorded) -> np.ndarray:
        """The loss of each trial alone."""
        found = np.empty(batch.n_trials)
        for k in range(batch.n_trials):
            loss, _ = self._loss(_one_trial(batch, k), True)
            found[k] = loss({name: values[k : k + 1] for name, values in recorded.items()})[0]
        return found


class NodePerturbation(TaskRule):
    r"""Node perturbation: noise on the inputs of units, learned from if the trial goes well.

    In each trial the inputs that the trained couplings end at get independent normal noise
    :math:`\xi` of variance sigma**2 at every step, and weights change by the loss L of the trial
    against the mean :math:`\bar L` of the other trials of the batch,

    .. math::
        \Delta w_{ij} \propto -(L - \bar L)\, e_{ij}, \qquad
        e_{ij} = \frac{1}{\sigma^2} \sum_t \xi_i(t)\, r_j(t)

    a global signal times an eligibility of the synapse. The expectation is the gradient of the loss
    by the weights, that of `bptt`, of a loss smoothed by the noise: without bias but of order
    sigma**2.

    Parameters
    ----------
    network : Network
    optimiser : Optimiser
        ``nd.learning.SGD(0.01)``: the rule itself; another one may go on from its gradient.
    trainable : sequence of str
        Weights of couplings, of any kind: ``["E.r->E.I_rec"]``.
    steps : int
        Updates of `fit`. Default 100.
    sigma : float
        Default 0.1.
    probability : float
        Of noise on a unit at a step, in (0, 1]; 0 noise otherwise. Default 1.
    batch : int
        Trials of an update, at least 2. Default 32.
    connect, solver, loss, schedule, clip, rng
        As for `train`; a loss need return no cotangents that are right.

    Attributes
    ----------
    network_ : Network
    history_ : xarray.Dataset
        As `Trained` has it; the losses are those of perturbed trials.
    n_steps_ : int

    References
    ----------
    Williams (1992), Mach Learn 8:229. Fiete & Seung (2006), Phys Rev Lett 97:048104.
    Werfel, Xie & Seung (2005), Neural Comput 17:2699.
    """

    _run_type = _PerturbationRun
    parametrise = None

    def __init__(
        self,
        network: Network,
        optimiser: Optimiser,
        trainable: Sequence[str],
        *,
        steps: int = 100,
        sigma: float = 0.1,
        probability: float = 1.0,
        batch: int = 32,
        connect: Mapping[str, str] | None = None,
        solver: Solver | None = None,
        loss: Callable | None = None,
        schedule: Callable[[int], float] | None = None,
        clip: float | Callable | None = None,
        rng: RNG = None,
    ):
        self.network = network
        self.optimiser = optimiser
        self.trainable = trainable
        self.steps = steps
        self.sigma = sigma
        self.probability = probability
        self.batch = batch
        self.connect = connect
        self.solver = solver
        self.loss = loss
        self.schedule = schedule
        self.clip = clip
        self.rng = rng

    def _prepare(self, run):
        checked_positive(self.sigma, "sigma")
        checked_share(self.probability, "probability")
        checked_count(self.batch, "batch", 2)
        run.rule, run.labels, run.ends = self, {}, {}
        network = self.network
        run.network_labels = network.coupling_labels
        for one in run.values.trainables:
            if one.kind != "weights":
                raise ValueError(
                    f"`trainable`: `{one.key}` is no weights; perturbed inputs say nothing of it"
                )
            coupling = network.couplings[network.coupling_labels.index(one.name)]
            run.labels.setdefault(one.name, []).append(one)
            run.ends[one.name] = coupling.source, coupling.target
        run.targets = tuple(dict.fromkeys(target for _, target in run.ends.values()))
        run.record = self._recorded([source for source, _ in run.ends.values()])

    def _recorded(self, sources: list[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(sources))

    def _eligibility(self, unrolled, recorded, source: str, target: str, noises):
        """The factors of post- and presynaptic units, (trial, time, unit)."""
        scale = 1.0 / (self.sigma**2 * self.probability)
        return scale * noises[target], at_beginnings(unrolled, source)


class DelayedRewardHebb(NodePerturbation):
    r"""Miconi's rule: Hebbian eligibilities of fluctuations, and a reward when the trial is over.

    Noise makes activities fluctuate; synapses remember the product of presynaptic activity and of
    the deviation of the postsynaptic one from its short running mean, raised to the third power,
    and change by the reward of the trial against what was expected:

    .. math::
        e_{ij} = \sum_t \big(r_j(t - dt)\,(x_i(t) - \bar x_i(t - dt))\big)^3, \qquad
        \Delta w_{ij} \propto (R - \bar R)\, e_{ij}, \qquad R = -L

    Unlike that of `NodePerturbation` the eligibility knows nothing of the noise itself: it sees
    perturbations, and the relaxation after each, of the other sign. The odd power lets the large
    fluctuations, the perturbations, outweigh what follows.

    Parameters
    ----------
    network, optimiser, trainable, steps, batch, connect, solver, loss, schedule, clip, rng
        As for `NodePerturbation`. The expected reward is the mean of the other trials of the batch.
    activity : dict of str to str
        The fluctuating variable x of each population with trained couplings: ``{"E": "x"}``.
    power : int
        Odd. Default 3.
    memory : float
        Share of the old mean that a step keeps, in [0, 1). Default 0.05: the mean is ``0.05 mean +
        0.95 x``, and begins at the first x.
    sigma, probability : float
        Of the noise on the inputs, as for `NodePerturbation`. Defaults 9 and 0.003: three
        perturbations a second at steps of 1 ms, which with a time constant of 30 ms move x by 0.3,
        as the paper's uniform ones of up to 0.5 do.

    Attributes
    ----------
    network_, history_, n_steps_
        As for `NodePerturbation`.

    References
    ----------
    Miconi (2017), eLife 6:e20899.
    """

    def __init__(
        self,
        network: Network,
        optimiser: Optimiser,
        trainable: Sequence[str],
        *,
        activity: Mapping[str, str],
        power: int = 3,
        memory: float = 0.05,
        steps: int = 100,
        sigma: float = 9.0,
        probability: float = 0.003,
        batch: int = 32,
        connect: Mapping[str, str] | None = None,
        solver: Solver | None = None,
        loss: Callable | None = None,
        schedule: Callable[[int], float] | None = None,
        clip: float | Callable | None = None,
        rng: RNG = None,
    ):
        super().__init__(
            network, optimiser, trainable, steps=steps, sigma=sigma, probability=probability,
            batch=batch, connect=connect, solver=solver, loss=loss, schedule=schedule, clip=clip,
            rng=rng,
        )  # fmt: skip
        self.activity = activity
        self.power = power
        self.memory = memory

    def _prepare(self, run):
        if checked_count(self.power, "power") % 2 == 0:
            raise ValueError(f"`power` must be odd, so that signs are kept; got {self.power}")
        if checked_positive(self.memory, "memory", zero=True) >= 1:
            raise ValueError(f"`memory` must be in [0, 1); got {self.memory!r}")
        super()._prepare(run)
        for target in run.targets:
            population, _ = self.network.split(target)
            if population not in self.activity:
                raise ValueError(f"`activity` has no variable of the population `{population}`")

    def _recorded(self, sources):
        names = [f"{population}.{own}" for population, own in self.activity.items()]
        for name in names:
            self.network.split(name)
        return super()._recorded([*sources, *names])

    def _eligibility(self, unrolled, recorded, source, target, noises):
        population, _ = self.network.split(target)
        x = recorded[f"{population}.{self.activity[population]}"]
        deviation = fluctuations(x, self.memory)
        with np.errstate(over="ignore", invalid="ignore"):  # refused where it is used
            return deviation**self.power, at_beginnings(unrolled, source)[:, :-1] ** self.power


def fluctuations(x: np.ndarray, memory: float) -> np.ndarray:
    """``x - mean`` along axis 1, before ``mean = memory mean + (1 - memory) x``; it begins at x."""
    from scipy.signal import lfilter

    mean, _ = lfilter([1 - memory], [1.0, -memory], x, axis=1, zi=memory * x[:, :1])
    before = np.concatenate([x[:, :1], mean[:, :-1]], axis=1)
    return x - before


def at_beginnings(unrolled, name: str) -> np.ndarray:
    """A recorded variable at the beginnings of steps and at the end, (trial, step + 1, unit)."""
    p, variable = unrolled.compiled.place(name)
    row = unrolled.module.TAPE[p].index(variable)
    steps = slice(0, unrolled.stages * unrolled.n_steps + 1, unrolled.stages)
    size = unrolled.compiled.sizes[p]
    parts = [block.tapes[p][row, steps, :, :size] for block in unrolled.blocks]
    return np.concatenate(parts, axis=1).swapaxes(0, 1)


def _added(inputs: Mapping[str, np.ndarray], noises) -> dict[str, np.ndarray]:
    return {**inputs, **{n: inputs[n] + e if n in inputs else e for n, e in noises.items()}}


def _one_trial(batch: TrialBatch, k: int) -> TrialBatch:
    """Trial k of a batch as a batch of one."""

    def cut(array):
        return array[k : k + 1] if np.shape(array)[:1] == (batch.n_trials,) else array

    def cut_all(values):
        return None if values is None else {n: cut(np.asarray(v)) for n, v in values.items()}

    return replace(
        batch,
        inputs=cut_all(batch.inputs),
        targets=cut_all(batch.targets),
        mask={n: m if np.ndim(m) == 1 else cut(m) for n, m in batch.mask.items()} or None,
        initial={n: v if np.ndim(v) == 1 else v[k : k + 1] for n, v in batch.initial.items()}
        if batch.initial
        else None,
        info={n: cut(np.asarray(v)) for n, v in batch.info.items()},
    )
