"""A sweep on any Dask client: tasks in batches, each of which a worker writes as one file.

Dask runs a batch at least once: what a dead worker had is run again. A batch that was written does
not compute again what is in the files, and the same task gives the same bytes, so nothing counts
twice. The results go into the folder, not through the scheduler.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections import Counter, deque
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from neurodyn.experiments import InputError
from neurodyn.sweeps.folder import SweepFolder, read_state
from neurodyn.sweeps.local import DEATHS, SweepStopped, write_death
from neurodyn.sweeps.plan import Plan
from neurodyn.sweeps.progress import Progress
from neurodyn.sweeps.shards import SUFFIX
from neurodyn.sweeps.task import Tasks
from neurodyn.sweeps.writer import Writer

#: A batch lasts about this long, s, or this part of the time so far: the scheduler is asked, and a
#: file is written, that seldom, and no more is lost with a worker.
BATCH_SECONDS, PART = 5.0, 0.05
#: Batches that are with the scheduler, for each thread of a worker.
AHEAD = 2


def connect(address: str) -> Any:
    """A client of the scheduler at an address (``tcp://...``), or of that in a scheduler file.

    Raises
    ------
    InputError
        If Dask is not installed, or nothing answers there.
    """
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise InputError("`--dask` needs Dask: pip install 'neurodyn[dask]'") from None
    try:
        if Path(address).is_file():
            return distributed.Client(scheduler_file=address, timeout=20)
        return distributed.Client(address, timeout=20)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"`--dask`: no Dask scheduler answers at {address}: {error}") from error


class DaskEngine:
    """Runs tasks on the workers of a client.

    Parameters
    ----------
    folder : SweepFolder
    plan : Plan
    client : dask.distributed.Client
    progress : Progress
    """

    def __init__(self, folder: SweepFolder, plan: Plan, client: Any, progress: Progress):
        for name in ("submit", "scheduler_info", "cancel"):
            if not hasattr(client, name):
                raise InputError(f"`client` must be a dask.distributed.Client; got {client!r:.60}")
        self.folder, self.plan, self.client, self.progress = folder, plan, client, progress
        self.pending: deque[int] = deque()
        self.deaths: Counter[int] = Counter()
        self._spent = [0, 0.0]
        self._started = time.monotonic()

    def run(self, tasks: Sequence[int] | np.ndarray) -> None:
        """Run the tasks.

        Raises
        ------
        SweepStopped
            If the scheduler is lost, or a worker cannot write or has other code.
        """
        distributed = import_module("distributed")
        self.pending = deque(int(task) for task in tasks)
        running: dict[Any, list[int]] = {}
        finished = distributed.as_completed()
        try:
            while self.pending or running:
                self._submit(running, finished)
                future = next(finished)
                self._take(future, running.pop(future))
        except (OSError, distributed.CancelledError, StopIteration) as error:
            raise SweepStopped(
                f"the Dask scheduler is lost ({type(error).__name__}: {error}). What was saved is "
                "kept; the same command continues, here or elsewhere"
            ) from error
        finally:
            for future in running:
                future.cancel()

    def _submit(self, running: dict[Any, list[int]], finished: Any) -> None:
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        threads = max(1, sum(worker["nthreads"] for worker in workers))
        count, seconds = self._spent
        each = 1
        if count:
            length = max(BATCH_SECONDS, PART * (time.monotonic() - self._started))
            fitting = length / max(seconds / count, 1e-4)
            each = max(1, int(min(fitting, len(self.pending) / (AHEAD * threads))))
        # the first alone, so that kernels are compiled once
        most = AHEAD * threads if count or self.deaths else 1
        while self.pending and len(running) < most:
            suspect = self.deaths[self.pending[0]] > 0  # alone, to find the one that kills
            size = 1 if suspect else min(each, len(self.pending))
            batch = [self.pending.popleft() for _ in range(size)]
            future = self.client.submit(
                run_batch, str(self.folder.path.resolve()), batch, uuid.uuid4().hex[:16],
                pure=False, retries=0,
            )
            running[future] = batch
            finished.add(future)

    def _take(self, future: Any, batch: list[int]) -> None:
        distributed = import_module("distributed")
        try:
            ended = future.result()  # waits for another run if a worker died with the result
        except (distributed.CancelledError, distributed.comm.CommClosedError) as error:
            raise SweepStopped(
                "the Dask scheduler is lost, or has cancelled the tasks. What was saved is kept; "
                "the same command continues, here or elsewhere"
            ) from error
        except distributed.KilledWorker as error:
            self._killed(batch, error)
            return
        except Exception as error:
            text = f"a worker cannot go on: {type(error).__name__}: {error}"
            raise SweepStopped(text) from error
        for seconds, failed in ended:
            self._spent[0] += 1
            self._spent[1] += seconds
            self.progress.one(failed)

    def _killed(self, batch: list[int], error: Exception) -> None:
        if len(batch) > 1:  # one by one, to find the task that kills
            self.deaths.update(batch)
            self.pending.extendleft(reversed(batch))
            return
        self._fail(batch[0], str(error))

    def _fail(self, task: int, error: str) -> None:
        text = f"the task ended its Dask worker, more than {DEATHS - 1} times: {error}"
        write_death(self.folder, self.plan, task, text, "dask")
        self.progress.one(True)


def run_batch(folder: str, tasks: list[int], token: str) -> list[tuple[float, bool]]:
    """Run tasks on a Dask worker and write them; seconds and failure of each.

    Parameters
    ----------
    folder : str
    tasks : list of int
    token : str
        Part of the names of the batch's files: if it was run before, its tasks are found by it.

    Raises
    ------
    RuntimeError
        If the worker does not see the folder, or has other code.
    OSError
        If the results cannot be written.
    """
    where = SweepFolder(folder)
    if not where.results.is_dir():
        raise RuntimeError(f"the folder {folder} is not there on {socket.gethostname()}")
    runner = Tasks(where)
    key = (os.getpid(), folder, runner.version)
    if key not in _CHECKED:
        runner.check_code()
        _CHECKED.add(key)
    writer = Writer(where, {"version": runner.version, "engine": "dask"}, token)
    written = list(where.results.glob(f"*-{token}-*{SUFFIX}"))
    before = read_state(where, runner.plan, only=written) if written else None
    ended = []
    with _one_thread():
        for task in tasks:
            if before is not None and (before.done[task] or task in before.failures):
                ended.append((0.0, task in before.failures))
                continue
            finished = runner.run(task)
            ended.append((finished.seconds, finished.failure is not None))
            writer.add(task, finished)
            if writer.is_full:
                writer.write()
    writer.write()
    return ended


#: What this process has found to be the sweep's code.
_CHECKED: set[tuple[int, str, str]] = set()


def _one_thread() -> Any:
    """One thread for numba and BLAS: the other cores are for other batches."""
    import numba
    from threadpoolctl import threadpool_limits

    numba.set_num_threads(1)
    return threadpool_limits(1)
