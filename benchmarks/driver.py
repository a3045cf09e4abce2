"""Start one worker a tool and send them off in rotation.

All tools of a comparison wait in processes of their own, each in its own environment; a round lets
every one of them run once, one after the other, beginning with another one each time. What the
machine does meanwhile then hits all of them alike, and is left out by comparing within rounds.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import peers

WORKERS = Path(__file__).resolve().parent / "workers"
#: One thread wherever a tool lets itself be told.
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


class WorkerFailed(RuntimeError):
    """A worker ended; the message is the last line that it wrote."""


@dataclass
class Seconds:
    """What one tool took, a value a round.

    Attributes
    ----------
    wall, cpu : list of float
        Of a run; CPU time is user and system, of all threads.
    peak_bytes : int
        The most memory that the process held at any time.
    cold_wall, cold_cpu : float
        From the start of the process to the end of its first run: imports, building, compiling.
    more : dict of str to list of float
        What else a worker measures.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    cold_wall: float = 0.0
    cold_cpu: float = 0.0
    more: dict[str, list[float]] = field(default_factory=dict)

    def add(self, answer: dict) -> None:
        """One run's."""
        self.wall.append(answer["wall"])
        self.cpu.append(answer["cpu"])
        self.peak_bytes = answer["peak_bytes"]
        for name in ("build", "program_cpu"):
            if name in answer:
                self.more.setdefault(name, []).append(answer[name])


@dataclass(frozen=True)
class Ratio:
    """Ratios of two tools within rounds: their median, and the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, above: Sequence[float], below: Sequence[float]) -> Ratio:
        ratios = [a / b for a, b in zip(above, below, strict=True)]
        return cls.spread(ratios)

    @classmethod
    def spread(cls, values: Sequence[float]) -> Ratio:
        return cls(statistics.median(values), min(values), max(values))


class Problem(Protocol):
    """What a worker is told; see `problems`."""

    def spec(self, folder: Path, **more) -> dict: ...


@dataclass(frozen=True)
class Entry:
    """Who takes part in a comparison: a tool, its problem, and more for its specification."""

    tool: str
    problem: Problem
    more: Mapping = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def interpreter(tool: str) -> Path | None:
    """The Python that runs a tool's worker; None for a peer that is not installed."""
    return peers.python(tool) if tool in peers.PEERS else Path(sys.executable)


class Worker:
    """A tool at work on one problem.

    Parameters
    ----------
    entry : Entry
        The worker of its tool is ``workers/<tool>_worker.py``.
    folder : Path
        For arrays and results.

    Attributes
    ----------
    versions : dict of str to str
    ready : dict
        ``took`` and ``total_cpu`` seconds until it was ready, and ``peak_bytes``.
    """

    def __init__(self, entry: Entry, folder: Path):
        self.folder = folder
        self.errors = tempfile.TemporaryFile("w+")
        tool, self.asked = entry.tool, time.perf_counter()
        spec = json.dumps(entry.problem.spec(folder, **entry.more))
        self.process = subprocess.Popen(
            [str(interpreter(tool)), str(WORKERS / f"{tool}_worker.py"), spec],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**peers.environment(tool), **ONE_THREAD, **entry.environment},
        )
        try:
            self.ready = self._answer()
        except WorkerFailed:
            self.close()
            raise
        self.versions: dict[str, str] = self.ready.pop("versions")

    def _answer(self) -> dict:
        line = "start"
        while line and not line.startswith("{"):  # some tools greet while they are imported
            line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            said = self.errors.read().strip().splitlines() or ["it ended without a word"]
            raise WorkerFailed(said[-1])
        return {"took": time.perf_counter() - self.asked, **json.loads(line)}

    def run(self, **request) -> dict:
        """One timed run: ``wall`` and ``cpu`` in seconds, ``peak_bytes``.

        `request` is ``steps=n`` for rates, ``seed=k`` for spikes. ``took`` is the wall time until
        the answer, ``total_cpu`` all the CPU time that the process and its children ever took.
        """
        self.asked = time.perf_counter()
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer()

    def result(self, **request) -> tuple[dict[str, np.ndarray], dict]:
        """What a run gives, and what `run` would have answered."""
        path = self.folder / f"result_{id(self)}.npz"
        answer = self.run(**request, save=str(path))
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}, answer

    def final_state(self, steps: int) -> np.ndarray:
        """State (trial, unit) after `steps` steps."""
        return self.result(steps=steps)[0]["final"]

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def start(
    entries: Mapping[str, Entry], folder: Path, say: Callable[[str], None]
) -> dict[str, Worker]:
    """The workers of those entries whose tools can be had, by the names of the entries."""
    found = {}
    for name, entry in entries.items():
        if interpreter(entry.tool) is None:
            say(f"{entry.tool}: not installed, left out (python benchmarks/peers.py installs it)")
            continue
        try:
            found[name] = Worker(entry, folder)
        except WorkerFailed as error:
            if name.startswith("neurodyn"):
                raise
            say(f"{name}: left out: {error}")
    return found


def rotate(
    workers: dict[str, Worker],
    requests: Iterable[dict],
    say: Callable[[str], None],
    keep: Callable[[str, dict[str, np.ndarray]], None] | None = None,
) -> dict[str, Seconds]:
    """Run all workers once a request, after one run each that does not count.

    Parameters
    ----------
    workers : dict of str to Worker
        A peer's that breaks down in its first run is taken out.
    requests : iterable of dict
        One a round; the first is also that of the run that does not count.
    say : callable
        Is told who was taken out.
    keep : callable, optional
        ``keep(name, arrays)`` is given what every counted run found.
    """
    requests, taken = list(requests), {}
    for name in list(workers):
        try:
            answer = workers[name].run(**requests[0])
        except WorkerFailed as error:
            if name.startswith("neurodyn"):
                raise
            say(f"{name}: left out: {error}")
            workers.pop(name).close()
            continue
        took = workers[name].ready["took"] + answer["took"]
        taken[name] = Seconds(cold_wall=took, cold_cpu=answer["total_cpu"])
    names = list(workers)
    for k, request in enumerate(requests):
        for name in names[k % len(names) :] + names[: k % len(names)]:
            if keep is None:
                answer = workers[name].run(**request)
            else:
                arrays, answer = workers[name].result(**request)
                keep(name, arrays)
            taken[name].add(answer)
    return taken
