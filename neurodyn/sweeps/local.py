"""A sweep on the cores of one machine: worker processes, and a parent that gives them tasks.

A worker that dies is replaced; what it had finished and not yet written is computed again, and the
task that it died of is tried again twice before it counts as failed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from neurodyn.sweeps.folder import SweepFolder, read_state
from neurodyn.sweeps.plan import Plan
from neurodyn.sweeps.progress import Progress
from neurodyn.sweeps.shards import SUFFIX, Finished
from neurodyn.sweeps.worker import worker_environment
from neurodyn.sweeps.writer import Writer

#: A task that has killed its worker this often has failed.
DEATHS = 3
#: A worker is given work for this long at a time, s.
AHEAD = 0.5
#: The first task runs alone, so that kernels are compiled once; but not longer than this, s.
WARM_UP = 60.0
#: How long workers have to leave after Ctrl-C, s.
GRACE = 10.0


class SweepStopped(RuntimeError):
    """A sweep cannot go on: a full disk, workers that do not start. What is done is kept."""


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    pipe: Connection
    log: str
    ready: bool = False
    #: given and not yet ended, in order; the first is running
    queue: deque[int] = field(default_factory=deque)
    #: ended and not yet on the disk
    unsaved: set[int] = field(default_factory=set)


class LocalEngine:
    """Runs tasks in processes of this machine.

    Parameters
    ----------
    folder : SweepFolder
    plan : Plan
    workers : int
    memory : int
        By how many bytes the address space of a worker may grow; 0 for no limit.
    lock : int
        Descriptor of the folder's lock, which workers hold as long as they live.
    progress : Progress
    """

    def __init__(
        self, folder: SweepFolder, plan: Plan, workers: int, memory: int, lock: int,
        progress: Progress,
    ):
        self.folder, self.plan, self.progress = folder, plan, progress
        self.workers, self.memory, self.lock = workers, memory, lock
        self.processes: list[_Process] = []
        self.pending: deque[int] = deque()
        self.deaths: Counter[int] = Counter()
        self._spent = [0, 0.0]  # tasks, seconds
        self._failed_starts, self._started = 0, 0
        self._warm_until = 0.0

    def run(self, tasks: Sequence[int] | np.ndarray) -> None:
        """Run the tasks.

        Raises
        ------
        SweepStopped
            If a disk is full, or workers do not start.
        KeyboardInterrupt
            After Ctrl-C; all that was finished is on the disk.
        """
        self.pending = deque(int(task) for task in tasks)
        try:
            while self.pending or any(p.queue or p.unsaved for p in self.processes):
                self._hire()
                self._hand_out()
                self._listen()
            self._end()
        except BaseException:
            self._end(interrupt=True)
            raise

    def _hire(self) -> None:
        busy = sum(bool(p.queue) for p in self.processes)
        wanted = min(self.workers, busy + len(self.pending))
        while len(self.processes) < wanted:
            ours, theirs = socket.socketpair()
            log = str(self.folder.logs / f"worker-{os.getpid()}-{self._started}.log")
            self._started += 1
            with open(log, "wb") as output:
                folder = str(self.folder.path.resolve())
                process = subprocess.Popen(
                    [sys.executable, "-m", "neurodyn.sweeps.worker", folder,
                     str(theirs.fileno()), str(self.memory)],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    env=worker_environment(os.environ), pass_fds=(theirs.fileno(), self.lock),
                    start_new_session=True,  # Ctrl-C is for the parent, which tells them
                )  # fmt: skip
            theirs.close()
            self.processes.append(_Process(process, Connection(ours.detach()), log))

    def _hand_out(self) -> None:
        """Keep every worker in work, but do not give away what another could do now."""
        count, seconds = self._spent
        each = 1
        if count:
            rate = AHEAD / max(seconds / count, 1e-4)
            each = max(1, int(min(rate, len(self.pending) / (2 * self.workers))))
        warm = count > 0 or self._warm_until and time.monotonic() > self._warm_until
        if self.pending and not warm and any(p.queue for p in self.processes):
            return
        for one in self.processes:
            if one.ready and self.pending and len(one.queue) <= (each // 2 if warm else 0):
                hand = [self.pending.popleft() for _ in range(min(each, len(self.pending)))]
                one.queue.extend(hand)
                with suppress(OSError):  # it has died; `_listen` finds out
                    one.pipe.send(("run", hand))
                if not warm:
                    self._warm_until = time.monotonic() + WARM_UP
                    return

    def _listen(self) -> None:
        for pipe in wait([p.pipe for p in self.processes], timeout=1.0):
            (one,) = [p for p in self.processes if p.pipe is pipe]
            try:
                while True:
                    self._take(one, one.pipe.recv())
                    if not one.pipe.poll():
                        break
            except (EOFError, OSError):
                self._bury(one)

    def _take(self, one: _Process, message: tuple[Any, ...]) -> None:
        kind = message[0]
        if kind == "ready":
            one.ready, self._failed_starts = True, 0
        elif kind == "done":
            _, task, seconds, failed = message
            one.queue.remove(task)
            one.unsaved.add(task)
            self._spent[0] += 1
            self._spent[1] += seconds
            self.progress.one(failed)
        elif kind == "saved":
            one.unsaved.difference_update(message[1])
        elif kind == "stop":
            raise SweepStopped(
                f"a worker cannot go on: {message[1]}. What was saved is kept; the same command "
                "continues when the reason is removed"
            )

    def _bury(self, one: _Process) -> None:
        """A worker has gone: what it had not saved is to be done again."""
        self.processes.remove(one)
        one.pipe.close()
        status = one.process.wait()
        if not one.ready:
            self._failed_starts += 1
            if self._failed_starts >= DEATHS:
                raise SweepStopped(f"workers do not start: {_tail(one.log)}")
            return
        saved = list(self.folder.results.glob(f"*-{one.process.pid}-*{SUFFIX}"))
        done = read_state(self.folder, self.plan, only=saved)
        mine = [*one.unsaved, *one.queue]
        again = [t for t in mine if not done.done[t] and t not in done.failures]
        if one.queue:
            task = one.queue[0]
            self.deaths[task] += 1
            if self.deaths[task] >= DEATHS and task in again:
                again.remove(task)
                self._fail(task, status)
        self.progress.done -= len([t for t in again if t in one.unsaved])
        self.pending.extendleft(sorted(again, reverse=True))

    def _fail(self, task: int, status: int) -> None:
        how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        text = f"the task ended its worker process {DEATHS} times, at last {how}"
        if status == -signal.SIGKILL:
            text += " (the system does so when memory runs out)"
        write_death(self.folder, self.plan, task, text, "processes")
        self.progress.one(True)

    def _end(self, interrupt: bool = False) -> None:
        """Let all workers go, and wait for them."""
        for one in self.processes:
            with suppress(OSError):
                if interrupt:
                    one.process.send_signal(signal.SIGINT)
                else:
                    one.pipe.send(("end",))
        limit = time.monotonic() + GRACE
        try:
            for one in self.processes:
                with suppress(subprocess.TimeoutExpired):
                    one.process.wait(max(0.0, limit - time.monotonic()))
        finally:
            for one in self.processes:
                one.process.kill()
                one.process.wait()
                one.pipe.close()
            self.processes = []


def write_death(folder: SweepFolder, plan: Plan, task: int, error: str, engine: str) -> None:
    """Write that a task failed by ending what ran it, which could not say so itself.

    Raises
    ------
    SweepStopped
        If it cannot be written.
    """
    failure = {"task": plan.describe(task), "error": error, "traceback": "", "when": time.time()}
    version = plan.versions[-1]
    (identity,) = plan.identities(version, [task])
    writer = Writer(folder, {"version": version, "engine": engine})
    writer.add(task, Finished(identity, None, failure, started=time.time()))
    try:
        writer.write()
    except OSError as broken:
        raise SweepStopped(f"results cannot be written: {broken}") from broken


def _tail(log: str) -> str:
    with open(log, errors="replace") as file:
        lines = file.read().strip().splitlines()
    return " / ".join(lines[-3:]) or "they left no message"
