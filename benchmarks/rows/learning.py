"""Rows of gradients through time: training (T1, spiking T2), its memory (T4), kernels (N1)."""

from __future__ import annotations

import dataclasses

import driver
from checks.learning import LearningReference
from driver import Entry, Ratio, Seconds, WorkerFailed
from problems.learning import PROBLEMS
from report import NAMES, Line

from rows import Bench, say

#: How many times our CPU time each tool must take.
FASTER = {
    "T1, 128 units": {"jax": 1.2, "torch": 4.0},
    "T1, 512 units": {"jax": 1.4, "torch": 2.8},
    "T2": {"jax": 1.05, "snntorch": 6.0},
    "N1": {"jax": 1.3, "torch": 12.0},
}
#: The most that a process may hold that finds gradients through 100,000 steps, GiB.
MEMORY = 1.0


def gradients(bench: Bench, row: str) -> None:
    for name in FASTER:
        if name.startswith(row):
            _add_lines(bench, name, _compare(bench, name))


def _compare(bench: Bench, name: str) -> dict[str, Seconds]:
    """Check and time all tools on one problem."""
    problem = PROBLEMS[name]
    if bench.quick:
        problem = dataclasses.replace(problem, steps=max(1, problem.steps // 10))
    say(f"{name}: the right answer ...")
    reference = LearningReference(problem)
    tools = ("neurodyn", *FASTER[name])
    workers = driver.start({t: Entry(t, problem) for t in tools}, bench.folder, bench.note)
    try:
        bench.report.versions |= {tool: w.versions for tool, w in workers.items()}
        bench.report.checks[name] = {}
        for tool in list(workers):
            say(f"{name}: checking {tool} ...")
            try:
                checks = reference.checks(lambda steps, w=workers[tool]: w.result(steps=steps)[0])
            except WorkerFailed as error:
                if tool == "neurodyn":
                    raise
                bench.note(f"{tool}: left out: {error}")
                workers.pop(tool).close()
                continue
            bench.report.checks[name][tool] = checks
        say(f"{name}: {bench.rounds} rounds ...")
        requests = [{"steps": problem.steps}] * bench.rounds
        seconds = driver.rotate(workers, requests, bench.note)
    finally:
        for worker in workers.values():
            worker.close()
    bench.report.seconds[name] = seconds
    return seconds


def _add_lines(bench: Bench, name: str, seconds: dict[str, Seconds]) -> None:
    for tool, bound in FASTER[name].items():
        ratio = None
        if tool in seconds:
            ratio = Ratio.of(seconds[tool].cpu, seconds["neurodyn"].cpu)
        what = f"CPU time of {NAMES[tool]} over ours"
        bench.report.lines.append(Line(name, what, f">= {bound:g}", ratio))


def memory(bench: Bench, row: str) -> None:
    """Check the gradients through a long run, and how much memory they took."""
    problem = PROBLEMS[row]
    if bench.quick:
        problem = dataclasses.replace(problem, duration=problem.duration // 10)
    say(f"{row}: the right answer ...")
    reference = LearningReference(problem)
    workers = driver.start({"neurodyn": Entry("neurodyn", problem)}, bench.folder, bench.note)
    with workers["neurodyn"] as worker:
        say(f"{row}: gradients through {problem.duration} steps ...")
        found, answer = worker.result(steps=1)
        bench.report.checks[row] = {"neurodyn": reference.checks(lambda steps: found)}
    for what, bound, value in (
        ("memory of the whole process, GiB", f"<= {MEMORY:g}", answer["peak_bytes"] / 2**30),
        ("memory of all states and rates if kept, GiB", "", _kept(problem) / 2**30),
        ("CPU seconds of the gradients", "", answer["cpu"]),
    ):
        bench.report.lines.append(Line(row, what, bound, Ratio(value, value, value)))


def _kept(problem) -> int:
    """Bytes of a state and a rate of every unit, trial and step in float32."""
    return 2 * 4 * problem.n * problem.trials * problem.duration


ROWS = {"T1": gradients, "T2": gradients, "T4": memory, "N1": gradients}
