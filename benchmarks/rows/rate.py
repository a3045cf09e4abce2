"""Rows of rate networks, beside NumPy, JAX and PyTorch."""

from __future__ import annotations

import dataclasses
import os
import statistics

import driver
from checks import Check
from checks.rate import Reference
from driver import Entry, Ratio, Seconds, Worker, WorkerFailed
from problems.rate import PROBLEMS, Problem
from report import NAMES, Line

from rows import Bench, say

#: The problems that each row runs.
NAMES_OF_PROBLEMS = {
    "R1": ("R1 float64", "R1 float32", "R1 RK4"),
    "R2": ("R2",),
    "R3": ("R3",),
    "R4": ("R2",),
}
#: How many times our CPU time each tool must take; others are shown without a requirement.
FASTER = {"R2": {"jax": 2.0, "torch": 2.0}, "R3": {"jax": 1.5, "numpy": 7.0}}
#: R1 can only be as fast as memory: at most this many times the limit, and the best peer.
NEAR = 1.15
#: Two threads over one.
SPEED_UP = 1.7


def against_peers(bench: Bench, row: str) -> None:
    for name in NAMES_OF_PROBLEMS[row]:
        seconds = _compare(bench, name)
        if "neurodyn" not in seconds:
            raise RuntimeError(f"neurodyn's worker did not start for {name}")
        bench.report.lines += (_near if row == "R1" else _faster)(name, seconds)


def _problem(bench: Bench, name: str) -> Problem:
    problem = PROBLEMS[name]
    return dataclasses.replace(problem, steps=problem.steps // 10) if bench.quick else problem


def _compare(bench: Bench, name: str) -> dict[str, Seconds]:
    """Check and time all tools on one problem."""
    problem = _problem(bench, name)
    tools = ["neurodyn", "numpy", "jax", "torch"] + ["limit"] * name.startswith("R1")
    say(f"{name}: the right answer ...")
    reference = Reference(problem)
    entries = {tool: Entry(tool, problem) for tool in tools}
    workers = driver.start(entries, bench.folder, bench.note)
    try:
        bench.report.versions |= {tool: w.versions for tool, w in workers.items()}
        say(f"{name}: checking {', '.join(workers)} ...")
        bench.report.checks[name] = _check(bench, reference, workers)
        say(f"{name}: {bench.rounds} rounds ...")
        requests = [{"steps": problem.steps}] * bench.rounds
        seconds = driver.rotate(workers, requests, bench.note)
    finally:
        for worker in workers.values():
            worker.close()
    bench.report.seconds[name] = seconds
    return seconds


def _check(
    bench: Bench, reference: Reference, workers: dict[str, Worker]
) -> dict[str, list[Check]]:
    """Every tool's checks; a peer whose worker breaks down is taken out of `workers`."""
    found = {}
    for tool in [tool for tool in workers if tool != "limit"]:
        try:
            found[tool] = reference.checks(workers[tool].final_state)
        except WorkerFailed as error:
            if tool == "neurodyn":
                raise
            bench.note(f"{tool}: left out: {error}")
            workers.pop(tool).close()
    return found


def two_threads(bench: Bench, row: str) -> None:
    (name,) = NAMES_OF_PROBLEMS[row]
    problem = _problem(bench, name)
    say(f"{row}: one thread and two, {bench.rounds} rounds ...")
    with (
        Worker(Entry("neurodyn", problem, {"threads": 1}), bench.folder) as one,
        Worker(Entry("neurodyn", problem, {"threads": 2}), bench.folder) as two,
    ):
        bench.report.versions["neurodyn"] = one.versions
        same = one.final_state(problem.steps).tobytes() == two.final_state(problem.steps).tobytes()
        requests = [{"steps": problem.steps}] * bench.rounds
        seconds = driver.rotate({"one": one, "two": two}, requests, bench.note)
    bench.report.checks[row] = {
        "neurodyn": [Check("bytes differ between one thread and two (1: yes)", not same, 0)]
    }
    ratio = Ratio.of(seconds["one"].wall, seconds["two"].wall)
    if (os.cpu_count() or 1) < 2:
        bench.note(f"{row}: this machine has one CPU")
        ratio = None
    what = "wall time of one thread over that of two"
    bench.report.lines.append(Line(row, what, f">= {SPEED_UP}", ratio))


def _near(name: str, seconds: dict[str, Seconds]) -> list[Line]:
    """R1: our CPU time over the limit's and over the best peer's."""
    ours = seconds["neurodyn"].cpu
    others = [tool for tool in seconds if tool not in ("neurodyn", "limit")]
    lines = []
    if "limit" in seconds:
        ratio = Ratio.of(ours, seconds["limit"].cpu)
        lines.append(Line(name, f"our CPU time over {NAMES['limit']}", f"<= {NEAR}", ratio))
    best = min(others, key=lambda tool: statistics.median(seconds[tool].cpu), default=None)
    for tool in others:
        ratio = Ratio.of(ours, seconds[tool].cpu)
        required = f"<= {NEAR}" if tool == best else ""
        what = f"our CPU time over {NAMES[tool]}'s" + ", the best peer" * (tool == best)
        lines.append(Line(name, what, required, ratio))
    return lines


def _faster(name: str, seconds: dict[str, Seconds]) -> list[Line]:
    """R2, R3: the peers' CPU time over ours."""
    lines = []
    for tool in ("numpy", "jax", "torch"):
        bound = FASTER[name].get(tool)
        ratio = Ratio.of(seconds[tool].cpu, seconds["neurodyn"].cpu) if tool in seconds else None
        if bound or ratio:
            required = f">= {bound:g}" if bound else ""
            lines.append(Line(name, f"CPU time of {NAMES[tool]} over ours", required, ratio))
    return lines


ROWS = {"R1": against_peers, "R2": against_peers, "R3": against_peers, "R4": two_threads}
