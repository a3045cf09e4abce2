"""Rules that train a network on a task from its losses alone: what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from neurodyn._arrays import checked_count
from neurodyn.learning.clipping import checked_clip
from neurodyn.learning.gradients import run_forward
from neurodyn.learning.optimisers import Optimiser
from neurodyn.learning.task_protocol import Task, TrialBatch
from neurodyn.learning.trained_values import TrainedValues
from neurodyn.learning.training_run import TrainingRun
from neurodyn.network import Network
from neurodyn.simulation.arguments import root_seed

if TYPE_CHECKING:
    from neurodyn.learning.trained import Trained

#: Purposes of random numbers, beside those of `TrainingRun`: perturbations, and predictions.
PERTURBATION, PREDICTION = 3, 4


class TaskRule(BaseEstimator):
    """A rule that trains a network on a task, an update a batch of trials.

    Subclasses have the parameters `network`, `optimiser`, `trainable`, `steps`, `batch`,
    `connect`, `solver`, `parametrise`, `loss`, `schedule`, `clip` and `rng`, as `train` has them,
    and say which `TrainingRun` finds the changes.

    Attributes
    ----------
    network_ : Network
    history_ : xarray.Dataset
    n_steps_ : int
        See `Trained`.
    """

    network: Network
    optimiser: Optimiser
    trainable: Sequence[str]
    steps: int
    batch: int
    connect: Mapping[str, str] | None
    solver: Any
    parametrise: Any
    loss: Callable | None
    schedule: Callable | None
    clip: Any
    rng: Any
    #: The loop, and what trained values are.
    _run_type: ClassVar[type[TrainingRun]]
    _values_type: ClassVar[type[TrainedValues]] = TrainedValues

    def fit(self, task: Task, y: None = None):
        """Train from the beginning, for `steps` updates.

        Parameters
        ----------
        task : Task
            Anything with ``batch(rng, trials)`` that returns a `TrialBatch`.
        """
        steps = checked_count(self.steps, "steps")
        self._run = self._new_run(task, steps)
        return self._trained(self._run.execute(False))

    def partial_fit(self, task: Task, y: None = None, *, steps: int = 1):
        """Go on for some more updates, on the same task or another of the same names."""
        steps = checked_count(steps, "steps")
        if not hasattr(self, "_run"):
            self._run = self._new_run(task, steps)
        else:
            self._run.task, self._run.steps = checked_task(task), self._run.done + steps
        return self._trained(self._run.execute(False))

    def predict(self, batch: TrialBatch) -> dict[str, np.ndarray]:
        """What the network that has learned does in the trials of a batch.

        Parameters
        ----------
        batch : TrialBatch
            With the names of the task.

        Returns
        -------
        dict of str to ndarray, (trial, time, unit)
            By the names of its targets, at the ends of steps.
        """
        check_is_fitted(self, "network_")
        run = self._run
        values = run.values.values(run.raw)
        connected = batch.connected(run.connect) if run.connect else batch
        unrolled, _ = run._ready(connected, values, training=False)
        seed = run._seed(PREDICTION, 0)
        run_forward(unrolled, connected.inputs, run._initial(connected, values), seed)
        back = {name: own for own, name in run.connect.items()}
        return {back.get(n, n): unrolled.recorded[n].copy() for n in connected.targets}

    def score(self, task: Task, y: None = None, *, trials: int = 256, rng: Any = 0) -> float:
        """The score of fresh trials, more is better.

        The task's accuracy, minus its error, or minus the loss if it has no `evaluate`.
        """
        batch = checked_task(task).batch(np.random.default_rng(rng), trials)
        outputs = self.predict(batch)
        if hasattr(task, "evaluate"):
            found = task.evaluate(batch, outputs)[task.score]
            return float(found if task.score == "accuracy" else -found)
        return -float(batch.loss()(outputs)[0])

    def __getstate__(self) -> dict[str, Any]:
        """All but compiled code, which another process loads from its cache."""
        state = dict(super().__getstate__())
        if "_run" in state:
            state["_run"] = run = copy(state["_run"])
            run._unrolled = {}
            run.__dict__.pop("_own", None)  # the last batch
        return state

    # -- small helpers -------------------------------------------------------------------------

    def _new_run(self, task: Task, steps: int) -> TrainingRun:
        if not isinstance(self.network, Network):
            raise TypeError(f"`network` must be a Network; got {type(self.network).__name__}")
        if not isinstance(self.optimiser, Optimiser):
            raise TypeError(
                f"`optimiser` must be one such as nd.learning.Adam(1e-3); got {self.optimiser!r}"
            )
        run = self._run_type(
            self._values_type(self.network, self.trainable, self.parametrise),
            checked_task(task),
            self.optimiser,
            steps,
            checked_count(self.batch, "batch"),
            root_seed(self.rng, None),
            self.rng is not None,
            solver=self.solver,
            loss=self.loss,
            connect=dict(self.connect or {}),
            clip=checked_clip(self.clip),
            schedule=self.schedule,
            options={"memory": None},
        )
        self._prepare(run)
        return run

    def _prepare(self, run: TrainingRun) -> None:
        """Hand the parameters of the rule to the loop, checked."""
        raise NotImplementedError

    def _trained(self, trained: Trained):
        self.network_, self.history_ = trained.network, trained.history
        self.n_steps_ = trained.n_steps
        return self


def checked_task(task: Any) -> Task:
    if not isinstance(task, Task):
        raise TypeError(
            "`task` must have a method `batch(rng, trials)` that returns a TrialBatch; got "
            f"{type(task).__name__}"
        )
    return task
