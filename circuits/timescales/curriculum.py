"""Training with a task that becomes harder step by step.

An epoch is a number of steps of stochastic gradient descent, and a test after them. Where the mean
accuracy over the active heads and that of the newest are above 98 %, N is raised: a single-head
network goes on with its one head and N + 1 alone; a multi-head network gets a head for N + 1 and
keeps all the others in training.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn._blas import one_blas_thread

from . import model
from .model import HEADS, NAMES, STEP, Leak, Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from neurodyn.learning import TrialBatch, Unrolled

__all__ = ["CRITERION", "TASKS", "Course", "Curriculum", "Stage", "task_for", "train"]

#: Test accuracy above which N is raised.
CRITERION = 0.98
#: Classes of `neurodyn.tasks` by the name of a task.
TASKS = {"parity": "NParity", "delayed match": "NDelayedMatch"}


@dataclass(frozen=True)
class Curriculum:
    """What is trained, and how.

    Parameters
    ----------
    task : {"parity", "delayed match"}
    heads : {"single", "multi"}
        One head for one N after the other, or a head for every N from `start` on.
    units, batch, steps, tests : int
        Units, trials of a step and of a test batch, steps and test batches of an epoch. Default
        the paper's.
    epochs : int
    start, last : int
        The first N, and the one with which training ends when it is learned.
    assured : int
        A network that has not learned this N in its epochs gets as many again, until it has.
    tau : float, optional
        Time constant of all units, which is then not trained.
    leak : {"inside", "outside"}
    learning_rate, momentum, clip : float
        Of stochastic gradient descent with Nesterov's momentum; largest norm of all gradients.
    """

    task: str
    heads: Literal["single", "multi"]
    _: KW_ONLY
    units: int = 500
    batch: int = 256
    steps: int = 600
    tests: int = 50
    epochs: int = 1000
    start: int = 2
    last: int = HEADS + 1
    assured: int = 0
    tau: float | None = None
    leak: Leak = "inside"
    learning_rate: float = 0.05
    momentum: float = 0.1
    clip: float = 2.0

    def __post_init__(self):
        for name, known in (("task", TASKS), ("heads", ("single", "multi"))):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be {' or '.join(known)}; "
                                 f"got {getattr(self, name)!r}")
        for name in ("batch", "steps", "tests", "epochs"):
            checked_count(getattr(self, name), name)
        checked_count(self.start, "start", 2)
        checked_count(self.last, "last", self.start)
        checked_count(self.assured, "assured", 0)
        if self.heads == "multi" and self.last - self.start >= HEADS:
            raise ValueError(f"`last` must be below {self.start + HEADS}, as there are {HEADS} "
                             f"heads; got {self.last}")

    def active(self, n: int) -> tuple[int, ...]:
        """The N that are trained when the newest is `n`, one head each."""
        return (n,) if self.heads == "single" else tuple(range(self.start, n + 1))


@dataclass(frozen=True, eq=False)
class Stage:
    """A network as it was when it had learned N: its values, the epoch and its test accuracy."""

    n: int
    epoch: int
    accuracy: float
    values: Values


@dataclass(frozen=True, eq=False)
class Course:
    """How a training went.

    Attributes
    ----------
    stages : dict of int to Stage
        By N, those that were learned.
    n : list of int
        The newest N in each epoch.
    accuracy : list of float
        Test accuracy of the newest N after each epoch.
    values : dict of str to ndarray
        At the end.
    diverged : bool
        Whether it ended because a loss or gradient was not finite.
    """

    stages: dict[int, Stage] = field(default_factory=dict)
    n: list[int] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    values: Values = field(default_factory=dict)
    diverged: bool = False

    @property
    def reached(self) -> int:
        """The largest N that was learned; 1 if none was."""
        return max(self.stages, default=1)

    def reached_by(self, epoch: int) -> int:
        """The largest N that was learned by the end of an epoch; 1 if none was."""
        return max((n for n, stage in self.stages.items() if stage.epoch <= epoch), default=1)


def task_for(name: str, n: tuple[int, ...] | int, **settings: Any) -> Any:
    """The task of `neurodyn.tasks`."""
    import neurodyn as nd

    return getattr(nd.tasks, TASKS[name])(n, **settings)


def train(
    curriculum: Curriculum,
    rng: int | np.random.SeedSequence = 0,
    report: Callable[[int, int], None] | None = None,
) -> Course:
    """Train one network.

    Parameters
    ----------
    curriculum : Curriculum
    rng : int or SeedSequence
        Of the initial values, of the trials and of the initial states, each with a stream of its
        own: networks with the same seed begin with the same values, whatever they are trained on.
    report : callable, optional
        Called with the epoch and the newest N after each epoch.
    """
    learner = _Learner(curriculum, rng)
    stages, ns, accuracies, diverged = {}, [], [], False
    n = curriculum.start
    learner.begin(n)
    with one_blas_thread():
        for epoch in range(1, 2 * curriculum.epochs + 1):
            if epoch > curriculum.epochs and n > curriculum.assured:
                break
            ns.append(n)
            diverged = not learner.epoch()
            if diverged:
                accuracies.append(float("nan"))
                break
            accuracy = learner.test()
            accuracies.append(float(accuracy[-1]))
            if accuracy.mean() > CRITERION and accuracy[-1] > CRITERION:
                stages[n] = Stage(n, epoch, accuracies[-1], learner.values())
                if n == curriculum.last:
                    break
                n += 1
                learner.begin(n)
            if report is not None:
                report(epoch, n)
    return Course(stages, ns, accuracies, learner.values(), diverged)


class _Learner:
    """A network in training: its values by the names of the network, and the optimiser's state."""

    def __init__(self, curriculum: Curriculum, rng: int | np.random.SeedSequence):
        import neurodyn as nd

        self.curriculum = curriculum
        root = rng if isinstance(rng, np.random.SeedSequence) else np.random.SeedSequence(rng)
        streams = [np.random.default_rng((*_entropy(root), purpose)) for purpose in range(4)]
        self.trials, self.states, self.test_trials = streams[1:]
        self.drawn = model.initial_values(curriculum.units, tau=curriculum.tau, rng=streams[0])
        self.trained = {name: key for name, key in NAMES.items()
                        if name != "tau" or curriculum.tau is None}
        self.optimiser = nd.learning.SGD(curriculum.learning_rate, momentum=curriculum.momentum,
                                         nesterov=True)
        self.clip = nd.learning.ClipNorm(curriculum.clip)
        n = curriculum.units
        self.no_self = nd.learning.Masked(~np.eye(n, dtype=bool))
        first = model.with_heads(self.drawn, 1)
        self.parameters = {key: first[name] for name, key in self.trained.items()}
        self.state = self.optimiser.initial_state(self.parameters)

    def begin(self, n: int) -> None:
        """Go on with `n` as the newest N, with a new head if there are to be more."""
        active = self.curriculum.active(n)
        self.task = task_for(self.curriculum.task, active)
        for name in ("R", "c"):
            key, drawn = NAMES[name], self.drawn[name]
            for arrays, at in ((self.parameters, key), (self.state, f"velocity {key}")):
                there = arrays[at]
                new = drawn[len(there):2 * len(active)]
                new = new if arrays is self.parameters else np.zeros_like(new)
                arrays[at] = np.concatenate([there, new])
        self.net = model.build(self.values(), self.curriculum.leak)
        self.unrolled: dict[int, Unrolled] = {}  # by the number of steps

    def values(self) -> Values:
        """Arrays by their letters."""
        values = self.drawn | {name: self.parameters[key] for name, key in self.trained.items()}
        return {name: array.copy() for name, array in values.items()}

    def epoch(self) -> bool:
        """Steps of gradient descent; False if one was not finite."""
        for _ in range(self.curriculum.steps):
            batch = self.task.batch(self.trials, self.curriculum.batch)
            gradients = self._gradients(batch)
            if gradients is None:
                return False
            self.parameters, self.state = self.optimiser.update(
                self.parameters, self.clip(gradients), self.state)
        return True

    def _gradients(self, batch: TrialBatch) -> dict[str, np.ndarray] | None:
        """Of the sum over heads of their cross-entropies; None if not finite."""
        from neurodyn.learning import CrossEntropy

        unrolled, logits = self._run(batch)
        heads = logits.shape[1]
        loss, by_logits = CrossEntropy("heads.o", _labels(batch))({"heads.o": logits})
        cotangent = heads * by_logits["heads.o"].reshape(batch.n_trials, 1, -1)
        unrolled.backward({"heads.o": cotangent})
        # with fixed time constants, too, all are found: that needs no other code to be compiled
        found = unrolled.gradients()
        gradients = {key: found[key] for key in self.trained.values()}
        finite = all(np.isfinite(array).all() for array in gradients.values())
        if not np.isfinite(loss) or not finite:
            return None
        key = NAMES["W"]
        gradients[key] = self.no_self.pull_back(self.parameters[key], gradients[key])
        return gradients

    def test(self) -> np.ndarray:
        """Accuracy of each active head on new trials."""
        right = []
        for _ in range(self.curriculum.tests):
            batch = self.task.batch(self.test_trials, self.curriculum.batch)
            _, logits = self._run(batch)
            right.append((logits.argmax(axis=2) == _labels(batch)).mean(axis=0))
        return np.mean(right, axis=0)

    def _run(self, batch: TrialBatch) -> tuple[Unrolled, np.ndarray]:
        """The network after the trials of a batch, and its logits (trial, head, class)."""
        import neurodyn as nd

        if batch.n_steps not in self.unrolled:
            duration = batch.n_steps * STEP
            self.unrolled[batch.n_steps] = nd.learning.Unrolled(
                self.net, nd.Euler(dt=STEP), duration, every=duration, record=["heads.o"],
                trainable=list(NAMES.values()), trials=batch.n_trials, driven=("rnn.bits",),
                dtype="float32")
        unrolled = self.unrolled[batch.n_steps]
        unrolled.values.set(self.parameters)
        bits = batch.inputs["bits"].swapaxes(0, 1)
        bits = np.concatenate([bits, bits[-1:]]).astype(np.float32)  # a row for the end
        h = 0.1 * self.states.random((batch.n_trials, self.curriculum.units), np.float32)
        logits = unrolled.forward([bits], {"rnn.h": h})["heads.o"]
        return unrolled, logits.reshape(batch.n_trials, -1, 2)


def _labels(batch: TrialBatch) -> np.ndarray:
    """Right classes (trial, head), those of the last step."""
    return np.stack([classes[:, -1] for classes in batch.targets.values()], axis=1)


def _entropy(root: np.random.SeedSequence) -> tuple[int, ...]:
    """A SeedSequence as numbers, to which others can be added."""
    return tuple(int(word) for word in root.generate_state(4))
