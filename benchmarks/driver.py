"""Start one worker a tool and send them off in rotation.

All tools of a comparison wait in processes of their own, each in its own environment; a round lets
every one of them run once, one after the other, beginning with another one each time. What the
machine does meanwhile then hits all of them alike, and is left out by comparing within rounds.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import peers
from problems import Problem

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
    """What one tool took, a value a round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # user and system, all threads
    peak_bytes: int = 0


@dataclass(frozen=True)
class Ratio:
    """Ratios of two tools within rounds: their median, and the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, above: Sequence[float], below: Sequence[float]) -> Ratio:
        ratios = [a / b for a, b in zip(above, below, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))


def interpreter(tool: str) -> Path | None:
    """The Python that runs a tool's worker; None for a peer that is not installed."""
    return peers.python(tool) if tool in peers.PEERS else Path(sys.executable)


class Worker:
    """A tool at work on one problem.

    Parameters
    ----------
    tool : str
        Its worker is ``workers/<tool>_worker.py``.
    problem : Problem
    folder : Path
        For arrays and final states.
    more
        Further entries of the worker's specification, such as ``threads=2``.
    """

    def __init__(self, tool: str, problem: Problem, folder: Path, **more):
        self.folder = folder
        self.errors = tempfile.TemporaryFile("w+")
        spec = json.dumps(problem.spec(folder, **more))
        self.process = subprocess.Popen(
            [str(interpreter(tool)), str(WORKERS / f"{tool}_worker.py"), spec],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, **ONE_THREAD},
        )
        try:
            self.versions: dict[str, str] = self._answer()["versions"]
        except WorkerFailed:
            self.close()
            raise

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            said = self.errors.read().strip().splitlines() or ["it ended without a word"]
            raise WorkerFailed(said[-1])
        return json.loads(line)

    def _request(self, **request) -> dict:
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer()

    def run(self, steps: int) -> dict:
        """One timed run: ``wall`` and ``cpu`` in seconds, ``peak_bytes``."""
        return self._request(steps=steps)

    def final_state(self, steps: int) -> np.ndarray:
        """State (trial, unit) after `steps` steps."""
        path = self.folder / f"final_{id(self)}.npy"
        self._request(steps=steps, save=str(path))
        return np.load(path)

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
    tools: Sequence[str], problem: Problem, folder: Path, say: Callable[[str], None]
) -> dict[str, Worker]:
    """The workers of those tools that can be had, by name."""
    found = {}
    for tool in tools:
        if interpreter(tool) is None:
            say(f"{tool}: not installed, left out (python benchmarks/peers.py installs it)")
            continue
        try:
            found[tool] = Worker(tool, problem, folder)
        except WorkerFailed as error:
            say(f"{tool}: left out: {error}")
    return found


def rotate(workers: dict[str, Worker], steps: int, rounds: int) -> dict[str, Seconds]:
    """Run all workers once a round, after one run each that does not count."""
    names = list(workers)
    taken = {name: Seconds() for name in names}
    for name in names:
        workers[name].run(steps)
    for k in range(rounds):
        for name in names[k % len(names) :] + names[: k % len(names)]:
            answer = workers[name].run(steps)
            taken[name].wall.append(answer["wall"])
            taken[name].cpu.append(answer["cpu"])
            taken[name].peak_bytes = answer["peak_bytes"]
    return taken
