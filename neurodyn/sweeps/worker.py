"""A worker: a process of its own that runs tasks as its parent names them.

Started as ``python -m neurodyn.sweeps.worker FOLDER DESCRIPTOR MEMORY``, where the descriptor is
one end of a pipe. Nothing is forked and nobody's ``__main__`` is imported again. The parent sends
``("run", tasks)`` and ``("end",)``; the worker ``("ready",)``, ``("done", task, seconds, failed)``,
``("saved", tasks)`` when these are on the disk, and ``("stop", reason)`` when it cannot go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection

from neurodyn.sweeps.folder import SweepFolder
from neurodyn.sweeps.task import CodeChanged, Tasks
from neurodyn.sweeps.writer import Writer

#: Marks the processes of workers: a sweep begun in one of them is a mistake.
IN_WORKER = "NEURODYN_SWEEP_WORKER"
#: One thread each: the cores are for the workers.
ONE_THREAD = dict.fromkeys(
    ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
     "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)  # fmt: skip


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment of a worker: this process's path, one thread."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**environ, **ONE_THREAD, IN_WORKER: "1", "PYTHONPATH": path}


class _Worker:
    def __init__(self, folder: SweepFolder, pipe: Connection):
        self.pipe = pipe
        self.tasks = Tasks(folder)
        self.writer = Writer(folder, {"version": self.tasks.version, "engine": "processes"})
        self._is_writing = False

    def on_signal(self, number: int, frame: object) -> None:
        """SIGINT and SIGTERM: leave the task that is running, keep those that are finished."""
        again, self.tasks.interrupted = self.tasks.interrupted, True
        if not self._is_writing and not again:
            raise KeyboardInterrupt

    def save(self) -> None:
        self._is_writing = True
        try:
            saved = self.writer.write()
        finally:
            self._is_writing = False
        if saved:
            self.pipe.send(("saved", saved))

    def loop(self) -> None:
        waiting: list[int] = []
        while not self.tasks.interrupted:
            patience = 0 if waiting else 0.25 if self.writer.waiting else None
            if self.pipe.poll(patience):
                order = self.pipe.recv()
                if order[0] == "end":
                    break
                waiting.extend(order[1])
            elif not waiting:  # nothing to do: a good time to write
                self.save()
            if waiting:
                task = waiting.pop(0)
                finished = self.tasks.run(task)
                self.writer.add(task, finished)
                self.pipe.send(("done", task, finished.seconds, finished.failure is not None))
                if self.writer.is_due:
                    self.save()


def _watch(parent: int) -> None:
    """End with the parent: without it nobody would say what to do next."""
    while os.getppid() == parent:
        time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGTERM)


def _limit_memory(size: int) -> None:
    """Let the address space grow by `size` bytes beyond what is in use now."""
    import resource

    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + size, used + size))


def main(folder: str, descriptor: str, memory: str) -> int:
    """Run until the parent says so; the exit status."""
    pipe = Connection(int(descriptor))
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    worker = None
    try:
        worker = _Worker(SweepFolder(folder), pipe)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, worker.on_signal)
        worker.tasks.check_code()
        import xarray  # noqa: F401  # before the memory is limited, and before a task is timed

        if int(memory):
            _limit_memory(int(memory))
        pipe.send(("ready",))
        worker.loop()
    except (KeyboardInterrupt, BrokenPipeError, EOFError, ConnectionResetError):
        pass
    except (OSError, CodeChanged, MemoryError) as error:
        return _give_up(pipe, f"{type(error).__name__}: {error}")
    try:
        if worker is not None:
            worker.save()
    except (BrokenPipeError, ConnectionResetError):
        pass  # written, and nobody is there to be told
    except OSError as error:
        return _give_up(pipe, f"{type(error).__name__}: {error}")
    return 0


def _give_up(pipe: Connection, reason: str) -> int:
    try:
        pipe.send(("stop", reason))
    except OSError:
        pass
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
