"""`sweep`: run an experiment over a grid and seeds; `open_sweep`: look at what is there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodyn.experiments import InputError
from neurodyn.sweeps.folder import State, SweepFolder, put_aside, read_state
from neurodyn.sweeps.local import LocalEngine
from neurodyn.sweeps.plan import Plan, make_plan
from neurodyn.sweeps.progress import Progress
from neurodyn.sweeps.worker import IN_WORKER

if TYPE_CHECKING:
    import xarray as xr


class SweepIncomplete(RuntimeError):
    """A Dataset is asked for, and some tasks have no result."""


@dataclass(frozen=True)
class Sweep:
    """A sweep in its folder, as it was when it was looked at.

    Attributes
    ----------
    folder : Path
    plan : Plan
        Experiment, grid, settings and seeds.
    state : State
        Which tasks are done, and where their results are.
    """

    folder: Path
    plan: Plan
    state: State

    @property
    def n_done(self) -> int:
        """Tasks with a result."""
        return int(self.state.done.sum())

    @property
    def n_missing(self) -> int:
        """Tasks that have neither result nor failure."""
        return self.plan.size - self.n_done - len(self.state.failures)

    @property
    def is_complete(self) -> bool:
        """Whether every task has a result."""
        return self.n_done == self.plan.size

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Of each failed task ``point`` (its parameters and seed), ``error`` and ``traceback``."""
        return [
            {"point": self.plan.point(task), **failure}
            for task, failure in sorted(self.state.failures.items())
        ]

    @cached_property
    def dataset(self) -> xr.Dataset:
        """All results. The values are read from the disk as they are used.

        Raises
        ------
        SweepIncomplete
            If tasks failed or are missing; `partial` gives what there is.
        """
        if not self.is_complete:
            first = "; ".join(f"{f['task']}: {f['error']}" for f in self.failures[:1])
            raise SweepIncomplete(
                f"{self.summary()}{' (' + first + ')' if first else ''}; "
                "`partial()` (--partial) gives the others, with NaN for these"
            )
        return self.partial()

    def partial(self) -> xr.Dataset:
        """The same with NaN where a task has no result; whole numbers become float64 for it."""
        from neurodyn.sweeps.merge import merged_dataset

        return merged_dataset(SweepFolder(self.folder), self.plan, self.state)

    def costs(self) -> xr.Dataset:
        """Time and memory of each task: ``seconds``, ``cpu_seconds``, ``memory`` (bytes)."""
        from neurodyn.sweeps.merge import task_costs

        return task_costs(self.plan, self.state)

    def attributes(self, **point: Any) -> dict[str, Any]:
        """Global attributes that one task's result had, with its provenance.

        Parameters
        ----------
        **point
            Its parameters and ``seed``, as in the plan.
        """
        axes = {**self.plan.grid, **({"seed": self.plan.seeds} if self.plan.seeds else {})}
        if set(point) != set(axes):
            raise InputError(f"a task is told by {', '.join(axes) or 'nothing'}; got {point}")
        task = 0
        for name, values in axes.items():
            if point[name] not in values:
                raise InputError(f"`{name}` is one of {list(values)}; got {point[name]!r}")
            task = task * len(values) + values.index(point[name])
        if not self.state.done[task]:
            raise SweepIncomplete(f"there is no result of {self.plan.describe(task)}")
        shard = self.state.shards[self.state.shard[task]]
        return shard.attributes(int(shard.tasks["attributes"][self.state.row[task]]))

    def summary(self) -> str:
        """One line: ``"38 of 40 tasks done, 1 failed, 1 missing"``."""
        text = f"{self.n_done} of {self.plan.size} tasks done"
        if self.state.failures:
            text += f", {len(self.state.failures)} failed"
        return text + (f", {self.n_missing} missing" if self.n_missing else "")


def open_sweep(folder: str | os.PathLike[str], *, check: bool = False) -> Sweep:
    """The sweep in a folder, also while it runs.

    Parameters
    ----------
    folder : path-like
    check : bool
        Read all values, and compare their checksums. Default False.

    Raises
    ------
    InputError
        If there is none.
    """
    where = SweepFolder(folder)
    plan = where.read_plan()
    return Sweep(where.path, plan, read_state(where, plan, check=check))


def sweep(
    experiment: str | Callable[..., Any],
    grid: Mapping[str, Sequence[Any] | str] | None = None,
    *,
    folder: str | os.PathLike[str],
    seeds: int | Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    client: Any = None,
    slurm: str | None = None,
    jobs: int | None = None,
    wait: bool = False,
    memory: int | str | None = None,
    retry: bool = False,
    force: bool = False,
    extend: bool = False,
    progress: bool = True,
) -> Sweep:
    """Run an experiment over a grid and seeds. Run again, it computes what is missing.

    Parameters
    ----------
    experiment : str or callable
        A circuit (``"sparse_balanced_network"``), one of its experiments (``"circuit:experiment"``)
        or a function that can be imported, itself or as ``"module:function"`` or
        ``"file.py:function"``. It returns a Dataset. If it has an argument ``rng`` or ``seed``, it
        is given the task's seed; if it has one called ``store``, the path of a Zarr store, ending
        in ``.zarr``, for recordings that do not fit into memory: what is written there is part of
        the result.
    grid : mapping of str to sequence
        Values by parameter; every combination is run. Text is read as on the command line.
    folder : path-like
        Where results are kept: a new one, or that of the same sweep.
    seeds : int or sequence of int
        How many, from 0 on, or which. Default one.
    settings : mapping
        Parameters that are the same in all tasks.
    workers : int
        Processes. Default one for each core that this process may use.
    client : dask.distributed.Client
        Run there instead. Its workers must see the folder, and the same code.
    slurm : str
        Options of ``sbatch``, such as ``"--time=1:00:00 --partition=short"``: run there as a job
        array instead. Returns when the array is submitted.
    jobs : int
        Size of the array. Default one for each task, at most 100.
    wait : bool
        Return when the array has ended. Default False.
    memory : int or str
        How much a worker may use for its tasks: bytes, or ``"2GB"``. A task that needs more fails
        with MemoryError. Default no limit.
    retry : bool
        Run failed tasks again, too.
    force : bool
        Continue although the code has changed since the first part.
    extend : bool
        Allow more grid values or seeds than the folder's sweep had.
    progress : bool
        Show a bar, or lines where there is no terminal.

    Returns
    -------
    Sweep
        Its ``dataset`` has the dimensions of the grid, ``seed`` and the experiment's own, in this
        order. Tasks that failed are in ``failures``; they do not stop the others.

    Raises
    ------
    InputError
        If something in the above cannot be used; nothing has run then.
    SweepStopped
        If it cannot go on: a full disk, workers that do not start.
    """
    if os.environ.get(IN_WORKER):
        raise InputError(
            "a sweep was begun in a worker of a sweep: the script that calls nd.sweep is imported "
            'by the workers; put the call behind `if __name__ == "__main__":`'
        )
    plan = make_plan(experiment, grid, seeds, settings)
    if client is not None and slurm is not None:
        raise InputError("`client` and `slurm` are two ways to run a sweep; give one of them")
    engine = Engine(workers, client, slurm, jobs, memory, wait)
    return run_plan(SweepFolder(folder), plan, engine, retry=retry, force=force, extend=extend,
                    progress=progress)  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """Where tasks run: the arguments of `sweep` that say so, unchecked."""

    workers: int | None = None
    client: Any = None
    slurm: str | None = None
    jobs: int | None = None
    memory: int | str | None = None
    wait: bool = False

    def __post_init__(self) -> None:
        for name in ("workers", "jobs"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)
                                      or value < 1):  # fmt: skip
                raise InputError(f"`{name}` must be a whole number, 1 or more; got {value!r}")
        memory_bytes(self.memory)


def run_plan(
    where: SweepFolder, plan: Plan, engine: Engine, *, retry: bool = False, force: bool = False,
    extend: bool = False, progress: bool = True,
) -> Sweep:
    """Run what is missing of a plan in its folder."""
    with where.lock() as lock:
        if engine.slurm is not None or (where.path / "slurm").exists():
            from neurodyn.sweeps.slurm import check_no_jobs

            check_no_jobs(where)
        plan = where.prepare(plan, force=force, extend=extend)
        where.clean()
        tasks = _pending(where, plan, retry)
        if engine.slurm is not None and len(tasks):
            from neurodyn.sweeps.slurm import submit

            submit(where, plan, tasks, engine, retry)
        elif len(tasks):
            _run_here(where, plan, tasks, engine, lock, progress)
    if engine.slurm is not None and engine.wait:
        from neurodyn.sweeps.slurm import wait_for_jobs

        wait_for_jobs(where)
    return Sweep(where.path, plan, read_state(where, plan))


def _pending(where: SweepFolder, plan: Plan, retry: bool) -> Any:
    state = read_state(where, plan, check=True)
    if state.damaged:
        put_aside(where, state.damaged)
        for error in state.damaged:
            print(f"neurodyn: {error}; its tasks are run again", file=sys.stderr)
    return state.pending(retry)


def _run_here(
    where: SweepFolder, plan: Plan, tasks: Any, engine: Engine, lock: int, progress: bool
) -> Progress:
    bar = Progress(plan.size, plan.size - len(tasks), progress)
    with ExitStack() as stack:
        stack.callback(bar.close)
        if engine.client is not None:
            from neurodyn.sweeps.dask import DaskEngine

            DaskEngine(where, plan, engine.client, bar).run(tasks)
        else:
            workers = min(engine.workers or cores(), len(tasks))
            local = LocalEngine(where, plan, workers, memory_bytes(engine.memory), lock, bar)
            local.run(tasks)
    return bar


def run_share(
    where: SweepFolder, share: int, shares: int, engine: Engine, *, retry_before: float = 0.0,
    progress: bool = True,
) -> tuple[int, int]:
    """Run one of several shares of a sweep, side by side with the others.

    Parameters
    ----------
    share, shares : int
        Task k belongs to the share k mod `shares`, whatever has been done: a share that is begun
        again finds the same tasks, less those that are done.
    retry_before : float
        Run the tasks again that failed before this time, s since 1970.

    Returns
    -------
    int, int
        How many tasks were run, and how many of the share have failed. The results of the others
        are not looked at again in the end: with a thousand shares that would be a burden.
    """
    if not 0 <= share < shares:
        raise InputError(f"`share` must be from 0 to {shares - 1}; got {share}")
    plan = where.read_plan()
    with where.lock(shared=True) as lock:
        state = read_state(where, plan)
        failed = {task: one["when"] for task, one in state.failures.items()}
        again = [task for task, when in failed.items() if when < retry_before]
        tasks = sorted(int(t) for t in (*state.pending(), *again) if t % shares == share)
        left = sum(task % shares == share for task in failed) - len(set(again) & set(tasks))
        if not tasks:
            return 0, left
        bar = _run_here(where, plan, tasks, engine, lock, progress)
    return len(tasks), left + bar.failed


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes(memory: int | str | None) -> int:
    """``"2GB"`` in bytes; 0 for no limit.

    >>> memory_bytes("2GB"), memory_bytes("500 MB"), memory_bytes(None)
    (2000000000, 500000000, 0)
    """
    if memory is None:
        return 0
    units = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
             "k": 10**3, "m": 10**6, "g": 10**9,
             "kib": 2**10, "mib": 2**20, "gib": 2**30}  # fmt: skip
    text = str(memory).strip().lower()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    try:
        found = int(float(number) * units[text[len(number):].strip()])
    except (ValueError, KeyError):
        found = 0
    if found <= 0:
        raise InputError(f"`memory` must be a number of bytes, or text like '2GB'; got {memory!r}")
    return found
