"""The loop of a training: batches, gradients, updates, evaluations, files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._archives import read_archive, write_archive
from neurodyn._blas import one_blas_thread
from neurodyn.learning.clipping import global_norm
from neurodyn.learning.gradients import checked_cotangents, run_forward, why_not_finite
from neurodyn.learning.losses import Loss, WeightedSum, value_and_cotangents
from neurodyn.learning.online.rules import BPTT, GradientRule
from neurodyn.learning.regularisers import VanishingGradient, penalty_of
from neurodyn.learning.schedules import factor_at
from neurodyn.learning.task_protocol import TrialBatch
from neurodyn.learning.trained import EarlyStopping, StepReport, Trained, TrainingDiverged
from neurodyn.learning.trained_values import TrainedValues
from neurodyn.learning.unrolled import Unrolled
from neurodyn.population import listed, suggestion
from neurodyn.provenance import describe
from neurodyn.simulation.interrupts import Interrupts, raise_interrupts

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.solvers import Solver

#: Purposes of random numbers: the task's, those of the run, and both of evaluations.
_TASK, _RUN, _EVALUATION = 0, 1, 2
#: So many unrolled networks are kept, for batches of different lengths.
_KEPT = 4
#: What the history has of every step.
COLUMNS = ("loss", "penalty", "gradient_norm", "learning_rate")
_KIND = "training"


@dataclass
class TrainingRun:
    """One call of `train`, with its arguments checked."""

    values: TrainedValues
    task: Any
    optimiser: Any
    steps: int
    batch_size: int
    root: np.random.SeedSequence
    seeded: bool
    solver: Solver | None = None
    gradient: GradientRule = field(default_factory=BPTT)
    loss: Callable | None = None
    connect: Mapping[str, str] = field(default_factory=dict)
    regularise: Sequence[Any] = ()
    clip: Callable | None = None
    schedule: Callable[[int], float] | None = None
    evaluate_every: int | None = None
    evaluate_batch: int = 1
    early_stopping: EarlyStopping | None = None
    callbacks: Sequence[Callable] = ()
    checkpoint: Path | None = None
    checkpoint_every: int = 100
    options: Mapping[str, Any] = field(default_factory=dict)
    record: tuple[str, ...] = ()

    def __post_init__(self):
        self.raw = self.good = dict(self.values.initial)
        self.state = self.optimiser.initial_state(self.raw)
        self.done, self.best_raw, self.best = 0, None, None
        self.columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
        self.evaluations: dict[str, list[float]] = {"evaluated_at": []}
        self._unrolled: dict[tuple, Unrolled] = {}
        self._cotangents: Mapping[str, np.ndarray] = {}  # of the last step, for messages
        self.activity = [r for r in self.regularise if isinstance(r, Loss)]
        self.vanishing = [r for r in self.regularise if isinstance(r, VanishingGradient)]
        apart = (*self.activity, *self.vanishing)
        self.penalties = [r for r in self.regularise if not any(r is a for a in apart)]

    # -- the loop ------------------------------------------------------------------------------

    def execute(self, progress: bool) -> Trained:
        """Train to the end, or as far as it goes."""
        if self.checkpoint is not None and self.checkpoint.exists():
            self._resume()
        reason, bar = self._stopped() or "", _bar(progress, self.steps, self.done)
        with one_blas_thread(), Interrupts() as interrupts, bar:
            if self.evaluate_every and not self.done and not self.evaluations["evaluated_at"]:
                self._evaluate()
                reason = self._stopped() or ""
            while not reason and self.done < self.steps:
                report = self._step()
                stopped = [callback(report) is True for callback in self.callbacks]
                bar.step(report)
                if interrupts.came:
                    reason = "interrupted"
                elif any(stopped):
                    reason = "callback"
                elif report.evaluation is not None:
                    reason = self._stopped() or ""
                if self.checkpoint is not None and self.done % self.checkpoint_every == 0:
                    self._save()
        self._check_values(self.values.values(self.raw), self.done)
        if self.checkpoint is not None:
            self._save()
        if reason == "interrupted" and raise_interrupts.get():
            raise KeyboardInterrupt
        network_with = self.values.network_with
        best = self.best_raw
        return Trained(
            network_with(self.values.values(self.raw)),
            None if best is None else network_with(self.values.values(best)),
            self.history(),
            reason or "steps",
            self.done,
        )

    def _step(self) -> StepReport:
        step = self.done
        values = self.values.values(self.raw)
        self._check_values(values, step)
        batch = self._batch(_TASK, step, self.batch_size)
        loss, penalty, gradients = self._gradients(batch, values, step)
        raw_gradients = self.values.pull_back(self.raw, gradients)
        norm = global_norm(raw_gradients)
        if not np.isfinite(norm):
            self._check_finite(raw_gradients, loss, step)
        self.good = self.raw
        if self.clip is not None:
            raw_gradients = self.clip(raw_gradients)
        rate = self.optimiser.learning_rate
        if self.schedule is not None:
            rate = rate * factor_at(self.schedule, step)
        self.raw, self.state = self.optimiser.update(self.raw, raw_gradients, self.state, rate)
        self.done += 1
        for name, value in zip(COLUMNS, (loss, penalty, norm, rate), strict=True):
            self.columns[name].append(float(value))
        due = self.evaluate_every and self.done % self.evaluate_every == 0
        evaluation = self._evaluate() if due else None
        return StepReport(
            step, loss, penalty, norm, rate,
            self.values.values(self.raw) if self.callbacks else {}, evaluation,
        )  # fmt: skip

    def _gradients(self, batch: TrialBatch, values, step: int):
        """Loss, penalty and gradients by the values."""
        unrolled, loss = self._ready(batch, values, training=True)
        run_forward(unrolled, batch.inputs, self._initial(batch, values), self._seed(_RUN, step))
        loss_value, cotangents = value_and_cotangents(loss, unrolled.recorded)
        if not np.isfinite(loss_value):
            self._diverged_loss(loss_value, values, step)
        unrolled.n_updates = step
        unrolled.backward(checked_cotangents(unrolled, cotangents))
        found = unrolled.gradients()
        gradients = {}
        for one in self.values.trainables:
            gradient = found[one.key]
            if one.kind == "state":  # the same in all trials
                gradient = gradient.sum(axis=0, dtype=float)
            gradients[one.key] = np.asarray(gradient, self.values.start[one.key].dtype)
        penalty = 0.0
        for term in self.penalties:
            value, terms = penalty_of(term, values)
            penalty += value
            for key, gradient in terms.items():
                gradients[key] = gradients[key] + gradient
        for term in self.vanishing:
            value, gradient = term.of_run(
                values[term.coupling], unrolled.recorded[term.record[0]], found[term.target]
            )
            penalty += value
            gradients[term.coupling] = gradients[term.coupling] + gradient
        if not np.isfinite(penalty):
            self._diverged(f"the penalty of `regularise` is {penalty}", step, None)
        self._cotangents = cotangents
        return loss_value, penalty, gradients

    def _initial(self, batch: TrialBatch, values) -> dict[str, np.ndarray]:
        return {**(batch.initial or {}), **self.values.states(values)}

    # -- batches -------------------------------------------------------------------------------

    def _seed(self, purpose: int, step: int) -> np.random.SeedSequence:
        """Random numbers of a step are its own, so that there is no generator to be saved."""
        root = self.root
        return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, purpose, step))

    def _batch(self, purpose: int, step: int, trials: int) -> TrialBatch:
        generator = np.random.Generator(np.random.PCG64(self._seed(purpose, step)))
        batch = self.task.batch(generator, trials)
        if not isinstance(batch, TrialBatch):
            raise TypeError(f"`task.batch` must return a TrialBatch; got {type(batch).__name__}")
        self._own = batch
        return batch.connected(self.connect) if self.connect else batch

    def _loss(self, batch: TrialBatch, regularised: bool):
        """The loss of a batch, and the names that it needs."""
        if self.loss is not None:
            loss = self.loss(batch)
        elif callable(getattr(self.task, "loss", None)) and not self.connect:
            loss = self.task.loss(batch)
        else:
            loss = batch.loss()
        names = [*getattr(loss, "record", ()), *self.record]
        if not callable(loss) or not names:
            raise ValueError(
                "`loss` must give, for a batch, a function of what is recorded, with the names of "
                f"that in its attribute `record` or in `record=`; got {loss!r}"
            )
        # evaluations record the same, so that no other code need be compiled for them
        names += [name for term in (*self.activity, *self.vanishing) for name in term.record]
        for term in self.activity if regularised else ():
            loss = WeightedSum((loss, term), (1.0, 1.0))
        return loss, tuple(dict.fromkeys(names))

    def _ready(self, batch: TrialBatch, values, training: bool):
        """A network that is unrolled for a batch, with values; and the loss of the batch."""
        loss, names = self._loss(batch, training)
        key = (batch.n_trials, batch.n_steps, batch.dt, names, tuple(batch.inputs))
        if key not in self._unrolled:
            self._check_batch(batch)
            if len(self._unrolled) == _KEPT:
                del self._unrolled[next(iter(self._unrolled))]
            self._unrolled[key] = self._unroll(batch, names)
        unrolled = self._unrolled[key]
        settable = self.values.settable(values)
        if settable:
            unrolled.values.set(settable)
        return unrolled, loss

    def _unroll(self, batch: TrialBatch, names) -> Unrolled:
        from neurodyn.solvers import Euler

        solver = Euler(dt=batch.dt) if self.solver is None else self.solver
        if abs(solver.dt - batch.dt) > 1e-9 * batch.dt:
            raise ValueError(
                f"the solver has dt = {solver.dt:g} s, but the task's steps are of {batch.dt:g} s; "
                "they must agree"
            )
        return self.gradient.unroll(
            self.values.network,
            solver,
            batch.n_steps * solver.dt,
            record=names,
            trainable=[*self.values.keys, *dict.fromkeys(t.target for t in self.vanishing)],
            trials=batch.n_trials,
            driven=tuple(batch.inputs),
            **self.options,
        )

    def _check_batch(self, batch: TrialBatch) -> None:
        """Refuse inputs and targets that do not fit the network."""
        network, hint = self.values.network, "; names of the task go to those by `connect=`"
        for kind, arrays in (("inputs", batch.inputs), ("targets", batch.targets)):
            for name, array in arrays.items():
                if name.count(".") != 1:
                    raise ValueError(
                        f"`task`: its {kind} have the name `{name}`, and a network's are "
                        f"`population.variable`{hint}"
                    )
                population, _ = network.split(name)
                size = network.populations[population].size
                fits = (size,) if kind == "inputs" else (1, size)
                if array.ndim == 3 and array.shape[2] not in fits:
                    raise ValueError(
                        f"`task`: the {kind} of `{name}` have {array.shape[2]} units, shape "
                        f"{array.shape}, but the population `{population}` has {size}"
                    )
        for name in self.values.states({t.key: None for t in self.values.trainables}):
            if name in (batch.initial or {}):
                raise ValueError(f"`trainable`: the task gives `{name}` its initial values")

    # -- evaluation ----------------------------------------------------------------------------

    def _evaluate(self) -> dict[str, float]:
        """Loss and metrics on trials that are the same each time and never trained on."""
        values = self.values.values(self.raw)
        self._check_values(values, self.done)
        batch = self._batch(_EVALUATION, 0, self.evaluate_batch)
        own = self._own
        unrolled, loss = self._ready(batch, values, training=False)
        initial = self._initial(batch, values)
        recorded = run_forward(unrolled, batch.inputs, initial, self._seed(_EVALUATION, 1))
        value, _ = value_and_cotangents(loss, recorded)
        if not np.isfinite(value):
            self._diverged(f"the loss of the evaluation is {value}", self.done, None)
        found = {"evaluation_loss": value}
        metrics = getattr(self.task, "metrics", None)
        if callable(metrics):
            back = {name: of_task for of_task, name in self.connect.items()}
            named = {back.get(name, name): array for name, array in recorded.items()}
            found.update({k: float(v) for k, v in metrics(own, named).items()})
        self.evaluations["evaluated_at"].append(self.done)
        for name, value in found.items():
            self.evaluations.setdefault(name, []).append(value)
        if self.early_stopping is not None:
            value = found.get(self.early_stopping.metric)
            if value is None:
                name = self.early_stopping.metric
                raise ValueError(
                    f"`early_stopping`: `{name}` is not evaluated{suggestion(name, found) or '.'} "
                    f"There are {listed(found)}."
                )
            if self.early_stopping.is_better(value, self.best):
                self.best, self.best_raw = value, self.raw
        return found

    def _stopped(self) -> str | None:
        if self.early_stopping is None:
            return None
        return self.early_stopping.reason(self.evaluations.get(self.early_stopping.metric, []))

    # -- what goes wrong -----------------------------------------------------------------------

    def _check_values(self, values, step: int) -> None:
        wrong = self.values.wrong(values)
        if wrong is not None:
            self._diverged(f"`{wrong[0]}` {wrong[1]}", step, wrong[0])

    def _check_finite(self, gradients, loss: float, step: int) -> None:
        for key, gradient in gradients.items():
            if not np.isfinite(gradient).all():
                self._diverged(why_not_finite(key, loss, self._cotangents), step, key)

    def _diverged_loss(self, loss: float, values, step: int) -> None:
        before = self.values.values(self.good)

        def change(key: str) -> float:
            size = float(np.linalg.norm(before[key]))
            return float(np.linalg.norm(values[key] - before[key])) / max(size, 1e-300)

        largest = max(values, key=change)
        if not change(largest):
            self._diverged(f"the loss is {loss}, before anything was changed", step, None)
        self._diverged(
            f"the loss is {loss}; the last step changed `{largest}` most, by "
            f"{change(largest):.3g} of its size. Try a smaller learning rate or `clip=`",
            step,
            largest,
        )

    def _diverged(self, message: str, step: int, parameter: str | None) -> None:
        network = self.values.network_with(self.values.values(self.good))
        raise TrainingDiverged(
            f"training stopped at step {step}: {message}. The error's `network` has the last good "
            "values",
            step,
            parameter,
            network,
            self.history(),
        )

    # -- history and files ---------------------------------------------------------------------

    def history(self) -> xr.Dataset:
        """What has been so far."""
        import xarray as xr

        about = self._description()
        variables: dict[str, Any] = {n: ("step", np.array(v)) for n, v in self.columns.items()}
        coords: dict[str, Any] = {"step": np.arange(self.done)}
        for name, found in self.evaluations.items():
            if name == "evaluated_at":
                coords[name] = np.array(found, dtype=np.int64)
            else:
                variables[name] = ("evaluated_at", np.array(found))
        return xr.Dataset(variables, coords, {"training": about})

    def _description(self) -> dict[str, Any]:
        """What a training must have in common with one that goes on from it."""
        return {
            "network": repr(self.values.network),
            "task": describe(self.task),
            "connect": dict(self.connect),
            "trainable": list(self.values.keys),
            "initial": describe(self.values.start),
            "parametrise": {k: describe(p) for k, p in self.values.parametrisations.items()},
            "optimiser": describe(self.optimiser),
            "schedule": describe(self.schedule),
            "clip": describe(self.clip),
            "regularise": [
                {"class": type(r).__name__, **describe(getattr(r, "__dict__", {}))}
                for r in self.regularise
            ],
            "solver": describe(self.solver),
            "gradient": describe(self.gradient),
            "batch": self.batch_size,
            "evaluate": [self.evaluate_every, self.evaluate_batch],
            "options": describe({k: v for k, v in self.options.items() if k != "threads"}),
            "rng": describe(self.root),
        }

    def _save(self) -> None:
        arrays = {f"raw {key}": array for key, array in self.raw.items()}
        arrays.update({f"state {name}": array for name, array in self.state.items()})
        arrays.update({f"best {key}": array for key, array in (self.best_raw or {}).items()})
        arrays.update({f"column {n}": np.array(v, float) for n, v in self.columns.items()})
        arrays.update({f"evaluation {n}": np.array(v) for n, v in self.evaluations.items()})
        root = {"entropy": self.root.entropy, "spawn_key": list(self.root.spawn_key)}
        about = {"kind": _KIND, "version": 1, "step": self.done, "best": self.best, "root": root}
        write_archive(self.checkpoint, {**about, "training": self._description()}, arrays)

    def _resume(self) -> None:
        about, arrays = read_archive(self.checkpoint, _KIND)
        root = about["root"]
        if not self.seeded:
            self.root = np.random.SeedSequence(root["entropy"], spawn_key=tuple(root["spawn_key"]))
        mine = self._description()
        for name, theirs in about["training"].items():
            if mine.get(name) != theirs:
                raise ValueError(
                    f"`checkpoint` is of another training, whose `{name}` differs: "
                    f"{self.checkpoint}. Choose another file, or delete this one to begin anew"
                )

        def part(kind: str) -> dict[str, np.ndarray]:
            begin = f"{kind} "
            return {n[len(begin) :]: a for n, a in arrays.items() if n.startswith(begin)}

        self.raw = self.good = part("raw")
        self.state, self.best_raw = part("state"), part("best") or None
        self.done, self.best = about["step"], about["best"]
        self.columns = {n: a.tolist() for n, a in part("column").items()}
        self.evaluations = {n: a.tolist() for n, a in part("evaluation").items()}


class _bar:
    """A progress bar with the loss, or nothing."""

    def __init__(self, show: bool, total: int, done: int):
        self.bar, self.shown = None, 0.0
        if show:
            from tqdm import tqdm

            self.bar = tqdm(total=total, initial=done, unit="step")

    def __enter__(self) -> _bar:
        return self

    def __exit__(self, *error) -> None:
        if self.bar is not None:
            self.bar.close()

    def step(self, report: StepReport) -> None:
        if self.bar is None:
            return
        self.bar.update()
        if time.monotonic() - self.shown > 0.5:
            self.shown = time.monotonic()
            self.bar.set_postfix_str(f"loss {report.loss:.4g}")
