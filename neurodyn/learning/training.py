"""Training of any network on a task, by gradients through time: `train`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodyn._arrays import checked_count
from neurodyn.learning.clipping import checked_clip
from neurodyn.learning.losses import Loss
from neurodyn.learning.online.rules import BPTT, GradientRule
from neurodyn.learning.optimisers import Optimiser
from neurodyn.learning.parametrisations import Parametrisation
from neurodyn.learning.regularisers import VanishingGradient
from neurodyn.learning.task_protocol import Task
from neurodyn.learning.trained import EarlyStopping, Trained
from neurodyn.learning.trained_values import TrainedValues
from neurodyn.learning.training_run import TrainingRun
from neurodyn.simulation.arguments import root_seed

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.solvers import Solver


def train(
    network: Network,
    task: Task,
    optimiser: Optimiser,
    *,
    trainable: Sequence[str],
    steps: int,
    rng=None,
    batch: int = 32,
    connect: Mapping[str, str] | None = None,
    loss: Callable | None = None,
    record: Sequence[str] = (),
    solver: Solver | None = None,
    gradient: GradientRule | None = None,
    parametrise: Mapping[str, Parametrisation] | None = None,
    regularise: Sequence[Any] = (),
    clip: float | Callable | None = None,
    schedule: Callable[[int], float] | None = None,
    evaluate_every: int | None = None,
    evaluate_batch: int | None = None,
    early_stopping: EarlyStopping | None = None,
    callbacks: Sequence[Callable] = (),
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int = 100,
    progress: bool = False,
    dtype: str = "float64",
    truncate: int | None = None,
    checkpoint_steps: int | None = None,
    memory: int | None = None,
    threads: int = 1,
) -> Trained:
    """Train a network on a task, by backpropagation through time or another rule.

    Each step draws a batch of trials, finds the gradients of the loss as `bptt` does, or by the
    rule `gradient`, and lets the optimiser change what is trained. The result depends on `rng`
    alone: not on the number of threads, nor on whether the training was stopped and resumed.

    Parameters
    ----------
    network : Network
    task : Task
        Anything with ``batch(rng, trials)`` that returns a `TrialBatch`, see
        `neurodyn.learning.task_protocol`.
    optimiser : Optimiser
        ``nd.learning.Adam(1e-3)``.
    trainable : sequence of str
        Weights, parameters and initial states, as for `bptt`: ``["E.r->E.I_rec", "E.tau"]``.
    steps : int
        Number of updates, those before a resumption included.
    rng : int, SeedSequence, Generator or None
        Of the batches, random initial states and noise; every step has streams of its own.
    batch : int
        Trials of a step.
    connect : dict of str to str, optional
        Which names of the network the names of the task are, ``{"stimulus": "E.I_ext"}``.
    loss : callable, optional
        ``loss(batch)`` gives the loss of a batch (`neurodyn.learning.losses`), whose names are
        those of the network. Default: that of the task, if it has one and no `connect` is given,
        else that of the batch, `TrialBatch.loss`.
    record : sequence of str
        Variables to be recorded beside those that the loss says it needs.
    solver : Solver, optional
        Its dt is that of the task. Default `Euler`.
    gradient : GradientRule, optional
        Which rule finds the gradients: `RTRL`, `EProp`, `RFLO`, `FeedbackAlignment`; default
        `BPTT`.
    parametrise : dict of str to Parametrisation, optional
        Constraints, ``{"E.tau": nd.learning.Positive()}``.
    regularise : sequence
        Penalties of what is trained, losses of activity, and `VanishingGradient`: see
        `neurodyn.learning.regularisers`; or any function of the values by name that returns
        ``(value, gradients)``.
    clip : float or callable, optional
        Largest norm of all gradients by the free numbers, or `ClipValue`, or another function.
    schedule : callable, optional
        Factor on the learning rate by step, see `neurodyn.learning.schedules`.
    evaluate_every : int, optional
        Evaluate before the first step and after every so many: the loss, without regularisers, and
        the task's ``metrics``, on the same trials each time.
    evaluate_batch : int, optional
        Trials of an evaluation, default `batch`.
    early_stopping : EarlyStopping, optional
        Needs `evaluate_every`.
    callbacks : sequence of callable
        Each is called after every step with a `StepReport`; training stops if one returns True.
    checkpoint : path-like, optional
        A file that is replaced every `checkpoint_every` steps and at the end. If it is there
        already, training goes on from it, and ends with the same bytes as an unbroken one; one of
        another task, network or setting is refused.
    checkpoint_every : int
        Default 100.
    progress : bool
        Show a progress bar.
    dtype, truncate, memory, threads
        As for `bptt`.
    checkpoint_steps : int, optional
        `checkpoint_every` of `bptt`, which bounds memory.

    Returns
    -------
    Trained
        With Ctrl-C too, as far as it came.

    Raises
    ------
    ValueError
        For unknown names, targets and masks that do not fit, an initial value that breaks its
        constraint, a checkpoint of another training.
    TrainingDiverged
        If the loss, a gradient or a value is not finite, or a time constant not positive, with the
        step, the parameter and the network of the last good values.

    Examples
    --------
    >>> import neurodyn as nd, numpy as np
    >>> net = nd.rate_network(np.zeros((1, 1)), tau=0.1)
    >>> class Constant:
    ...     def batch(self, rng, trials):
    ...         return nd.learning.TrialBatch(
    ...             {"E.I_ext": np.ones((trials, 5, 1))}, {"E.x": np.full((trials, 5, 1), 0.5)},
    ...             dt=0.1)
    >>> fit = nd.learning.train(net, Constant(), nd.learning.SGD(0.2),
    ...                         trainable=["E.r->E.I_rec"], steps=200, batch=1, rng=0)
    >>> fit.stop_reason, bool(fit.history["loss"][-1] < fit.history["loss"][0])
    ('steps', True)
    """
    from neurodyn.network import Network

    if not isinstance(network, Network):
        raise TypeError(f"`network` must be a Network; got {type(network).__name__}")
    if not isinstance(task, Task):
        raise TypeError(
            "`task` must have a method `batch(rng, trials)` that returns a TrialBatch; got "
            f"{type(task).__name__}"
        )
    if not isinstance(optimiser, Optimiser):
        raise TypeError(
            f"`optimiser` must be one such as nd.learning.Adam(1e-3); got {optimiser!r}"
        )
    if early_stopping is not None and evaluate_every is None:
        raise ValueError("`early_stopping` needs `evaluate_every`")
    if early_stopping is not None and not isinstance(early_stopping, EarlyStopping):
        raise TypeError(
            "`early_stopping` must be nd.learning.EarlyStopping(patience=...); got "
            f"{early_stopping!r}"
        )
    if gradient is not None and not isinstance(gradient, GradientRule):
        raise TypeError(f"`gradient` must be a rule such as nd.learning.EProp(); got {gradient!r}")
    if isinstance(loss, Loss):
        raise TypeError(
            "`loss` is called with a batch and must give the loss of that batch: "
            "loss=lambda batch: nd.learning.MeanSquaredError('out.y', batch.targets['out.y']); got "
            f"a {type(loss).__name__} itself. One that does not depend on the batch: "
            "loss=lambda batch: that"
        )
    if schedule is not None and not callable(schedule):
        raise TypeError(
            "`schedule` must be a function of the step, such as nd.learning.Cosine(2000); got "
            f"{schedule!r}"
        )
    _check_lists(record=record, regularise=regularise, callbacks=callbacks)
    batch = checked_count(batch, "batch")
    values = TrainedValues(network, trainable, parametrise)
    _check_regularisers(regularise, values)
    run = TrainingRun(
        values,
        task,
        optimiser,
        checked_count(steps, "steps"),
        batch,
        root_seed(rng, None),
        rng is not None,
        solver=solver,
        gradient=BPTT() if gradient is None else gradient,
        loss=loss,
        connect=dict(connect or {}),
        regularise=tuple(regularise),
        clip=checked_clip(clip),
        schedule=schedule,
        evaluate_every=evaluate_every and checked_count(evaluate_every, "evaluate_every"),
        evaluate_batch=batch if evaluate_batch is None else checked_count(
            evaluate_batch, "evaluate_batch"
        ),
        early_stopping=early_stopping,
        callbacks=tuple(callbacks),
        checkpoint=None if checkpoint is None else _checked_path(checkpoint),
        checkpoint_every=checked_count(checkpoint_every, "checkpoint_every"),
        options={
            "dtype": dtype,
            "truncate": truncate,
            "checkpoint_every": checkpoint_steps,
            "memory": memory,
            "threads": checked_count(threads, "threads"),
        },
        record=tuple(record),
    )  # fmt: skip
    return run.execute(progress)


def _checked_path(path) -> Path:
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"`checkpoint` must be a file, and this is a folder: {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`checkpoint` is in a folder that does not exist: {path.parent}")
    return path


def _check_lists(**given: Any) -> None:
    """One where a list is wanted would fail later, and name something else."""
    for name, value in given.items():
        if isinstance(value, str) or callable(value) or not isinstance(value, Iterable):
            raise TypeError(f"`{name}` must be a list; got {value!r}. One alone: [{value!r}]")


def _check_regularisers(regularise, values: TrainedValues) -> None:
    for term in regularise:
        if isinstance(term, VanishingGradient):
            if term.coupling not in values.keys:
                raise ValueError(
                    f"`regularise`: VanishingGradient is of `{term.coupling}`, which is not trained"
                )
        elif not callable(term):
            raise TypeError(f"`regularise` must hold functions; got {term!r}")
        elif hasattr(term, "names"):
            term.names(dict.fromkeys(values.keys))
