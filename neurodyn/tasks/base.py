"""What all tasks have in common: batches, streams of random numbers, noise, scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from neurodyn._arrays import checked_count, checked_number
from neurodyn.learning.task_protocol import TrialBatch
from neurodyn.population import listed
from neurodyn.tasks.periods import seconds, steps_between
from neurodyn.tasks.streams import INPUT_NOISE, SHARED, TRIAL, Streams

if TYPE_CHECKING:
    from neurodyn._arrays import RNG


@dataclass
class Parts:
    """What a task makes of its draws, before noise and units of time: see `TrialBatch`.

    `scored`, bool (trial, time) or a dict of these, says which steps count for the accuracy, where
    they are not those with a mask.
    """

    inputs: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    mask: Any = None
    info: dict[str, np.ndarray] = field(default_factory=dict)
    scored: Any = None


@dataclass(frozen=True, eq=False)
class TrialTask(ABC):
    """A task that makes its trials; every task of `neurodyn.tasks` is one.

    A task is immutable and holds no state: ``dataclasses.replace(task, n=5)`` is the next one of a
    curriculum. A subclass gives `input_sizes`, `output_sizes`, `chance`, and makes trials in two
    parts: `_draw` takes the random numbers of one trial from its stream, `_parts` makes arrays of
    those of all trials.

    Parameters
    ----------
    dt : float or Quantity
        Time of a step, s. All times of a task are multiples of it.
    noise : float
        White noise added to the inputs, s**0.5: ``noise / sqrt(dt)`` is its standard deviation at
        each step, and ``noise * sqrt(T)`` that of its integral over a time T.

    Attributes
    ----------
    input_sizes : dict of str to int
        Units of each input.
    output_sizes : dict of str to int
        Units that each output needs: of its target, or one a class.
    score : str
        The name of what `evaluate` finds: ``"accuracy"``, more is better, or ``"error"``, less is.
    chance : float
        The expected score of the best output that does not depend on the inputs.
    optimal : float
        The best score there can be; NaN where it is not known in closed form.
    """

    _: KW_ONLY
    dt: float = 0.01
    noise: float = 0.0

    score: ClassVar[str] = "accuracy"
    #: Inputs that get the noise; None for all.
    noisy_inputs: ClassVar[tuple[str, ...] | None] = None
    #: Fields that are times: at least this many steps long.
    times: ClassVar[dict[str, int]] = {}

    def __post_init__(self):
        self._put(dt=seconds(self.dt, "dt"))
        if isinstance(self.dt, tuple) or self.dt <= 0:
            raise ValueError(f"`dt` must be a positive time, s; got {self.dt!r}")
        self._put(noise=checked_number(self.noise, "noise", 0.0))
        for name, least in self.times.items():
            self._put(**{name: seconds(getattr(self, name), name)})
            steps_between(getattr(self, name), self.dt, name, least)
        self._check()

    def _put(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check(self) -> None:  # noqa: B027 - not all have others
        """Checks and settles the other fields."""

    def _steps(self, name: str) -> tuple[int, int]:
        """The shortest and longest number of steps of a field that is a time."""
        return steps_between(getattr(self, name), self.dt, name, self.times[name])

    @property
    @abstractmethod
    def input_sizes(self) -> dict[str, int]: ...

    @property
    @abstractmethod
    def output_sizes(self) -> dict[str, int]: ...

    @property
    @abstractmethod
    def chance(self) -> float: ...

    @property
    def optimal(self) -> float:
        if self.noise:
            return float("nan")
        return 1.0 if self.score == "accuracy" else 0.0

    def batch(self, rng: RNG, trials: int, *, first_trial: int = 0) -> TrialBatch:
        """Trials of the task.

        Parameters
        ----------
        rng : int, SeedSequence, Generator or None
            A Generator moves on, so that its next batch is another; else the same seed gives the
            same trials.
        trials : int
        first_trial : int
            Number of the first of them. Trials 0 to 9 followed by 10 to 19 of the same seed are
            those of a batch of 20.

        Returns
        -------
        TrialBatch
            Inputs and targets by the names of `input_sizes` and `output_sizes`.
        """
        n_trials = checked_count(trials, "trials")
        first_trial = checked_count(first_trial, "first_trial", 0)
        streams = Streams(rng)
        plan = self._plan(streams.at(SHARED))
        draws = [self._draw(one, plan) for one in streams.of_trials(TRIAL, first_trial, n_trials)]
        parts = self._timed(self._parts(self._stacked(draws), plan))
        if self.noise:
            self._add_noise(parts.inputs, streams, first_trial)
        return self._trial_batch(parts)

    def _plan(self, rng: np.random.Generator) -> Any:
        """What all trials of a batch share, for example their length."""
        return None

    @abstractmethod
    def _draw(self, rng: np.random.Generator, plan: Any) -> dict[str, Any]:
        """The random numbers of one trial: numbers and arrays by name."""

    def _stacked(self, draws: list[dict[str, Any]]) -> dict[str, np.ndarray]:
        return {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}

    @abstractmethod
    def _parts(self, drawn: dict[str, np.ndarray], plan: Any) -> Parts:
        """Inputs, targets, mask and info from the draws of all trials, stacked."""

    def _timed(self, parts: Parts) -> Parts:
        """The parts with one entry a step of dt."""
        return parts

    def _add_noise(self, inputs: dict[str, np.ndarray], streams: Streams, first: int) -> None:
        names = [n for n in inputs if self.noisy_inputs is None or n in self.noisy_inputs]
        sd, n_trials = self.noise / np.sqrt(self.dt), len(inputs[names[0]])
        inputs.update({name: inputs[name].astype(float) for name in names})
        for k, rng in enumerate(streams.of_trials(INPUT_NOISE, first, n_trials)):
            for name in names:
                inputs[name][k] += sd * rng.standard_normal(inputs[name].shape[1:])

    def _trial_batch(self, parts: Parts) -> TrialBatch:
        info = dict(parts.info)
        if parts.scored is not None:
            info["scored"] = parts.scored
        return TrialBatch(parts.inputs, parts.targets, dt=self.dt, mask=parts.mask, info=info)

    def evaluate(self, batch: TrialBatch, outputs: Any) -> dict[str, float]:
        """How well outputs do the task.

        Parameters
        ----------
        batch : TrialBatch
            Of this task; its names may be those of a network, by `TrialBatch.connected`.
        outputs : dict of str to ndarray, (trial, time, unit), or one such array
            By the names of the targets of `batch`; an array where there is one target.

        Returns
        -------
        dict of str to float
            ``{"accuracy": ...}``: the share of scored steps at which the unit of the right class is
            the largest; or ``{"error": ...}``: the mean squared error, weighted by the mask. The
            mean over targets, and with several ``"accuracy/parity_2"`` for each.
        """
        outputs = self._by_name(batch, outputs)
        found = {}
        for own, name in zip(self.output_sizes, batch.targets, strict=True):
            found[own] = self._score(batch, name, outputs[name])
        scores = {self.score: float(np.mean(list(found.values())))}
        if len(found) > 1:
            scores.update({f"{self.score}/{own}": value for own, value in found.items()})
        return scores

    def metrics(self, batch: TrialBatch, recorded: Mapping[str, np.ndarray]) -> dict[str, float]:
        """`evaluate`, by the name that training looks for."""
        return self.evaluate(batch, recorded)

    def _by_name(self, batch: TrialBatch, outputs: Any) -> Mapping[str, np.ndarray]:
        names = list(batch.targets)
        if not isinstance(outputs, Mapping):
            if len(names) != 1:
                raise ValueError(f"`outputs` must be a dict by the names {listed(names)}")
            outputs = {names[0]: outputs}
        found = {}
        for name, size in zip(names, self.output_sizes.values(), strict=True):
            if name not in outputs:
                raise ValueError(
                    f"`outputs` has no `{name}`; it has {listed(list(outputs)) or 'nothing'}"
                )
            found[name] = np.asarray(outputs[name])
            shape = (batch.n_trials, batch.n_steps, size)
            if found[name].shape != shape:
                raise ValueError(
                    f"`outputs[{name!r}]` must have the shape (trial, time, unit) = {shape}; "
                    f"got {found[name].shape}"
                )
        return found

    def _score(self, batch: TrialBatch, name: str, output: np.ndarray) -> float:
        target = batch.targets[name]
        weights = _weights(batch, name, target.shape)
        if target.ndim == 3:
            return float((weights * (output - target) ** 2).sum() / weights.sum())
        return float((weights * (output.argmax(axis=2) == target)).sum() / weights.sum())


def _weights(batch: TrialBatch, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """What each step of a target counts: the steps that are scored, else the mask."""
    scored = batch.info.get("scored")
    mask = batch.mask.get(name) if scored is None else scored
    if mask is None:
        return np.ones(shape)
    mask = np.asarray(mask, float)
    if len(shape) == 3 and mask.ndim == 2:
        mask = mask[..., None]
    elif len(shape) == 3 and mask.ndim == 1:
        mask = mask[:, None]
    return np.broadcast_to(mask, shape)


@dataclass(frozen=True, eq=False)
class SymbolTask(TrialTask):
    """A task whose inputs are symbols, one after the other.

    Parameters
    ----------
    hold : float or Quantity, optional
        How long each symbol is shown, s, a multiple of dt; default dt. Targets hold as long, and
        count at the last step of a symbol.
    """

    _: KW_ONLY
    dt: float = 1.0
    hold: Any = None

    def __post_init__(self):
        if self.hold is not None:
            self._put(hold=seconds(self.hold, "hold"))
            if isinstance(self.hold, tuple):
                raise ValueError(f"`hold` must be one time, s; got {self.hold}")
        super().__post_init__()
        self._steps_per_symbol  # noqa: B018 - raises for what is not a multiple of dt

    @property
    def _steps_per_symbol(self) -> int:
        return 1 if self.hold is None else steps_between(self.hold, self.dt, "hold")[0]

    def _timed(self, parts: Parts) -> Parts:
        n = self._steps_per_symbol
        if n == 1:
            return parts
        last = np.arange(n) == n - 1

        def held(values):
            return {name: np.repeat(array, n, axis=1) for name, array in values.items()}

        def at_the_end(mask):
            if mask is None:
                mask = np.ones(next(iter(parts.inputs.values())).shape[:2])
            if isinstance(mask, Mapping):
                return {name: at_the_end(one) for name, one in mask.items()}
            gate = np.tile(last, mask.shape[1])
            gate = gate[:, None] if mask.ndim == 3 else gate
            return np.repeat(mask, n, axis=1) * gate

        scored = None if parts.scored is None else at_the_end(parts.scored)
        return Parts(held(parts.inputs), held(parts.targets), at_the_end(parts.mask), parts.info,
                     scored)  # fmt: skip


def one_hot(classes: np.ndarray, n: int) -> np.ndarray:
    """``(..., n)`` of 0 and 1 from integers 0 to n - 1."""
    return np.eye(n)[classes]


def stepwise(value: Any, where: np.ndarray) -> np.ndarray:
    """`value`, a number or (trial, unit), at the steps `where` (trial, time), else 0."""
    value = np.asarray(value, float)
    value = value.reshape(1, 1, 1) if value.ndim == 0 else value[:, None, :]
    return np.where(where[..., None], value, 0.0)
