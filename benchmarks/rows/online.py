"""The row of real-time recurrent learning where its cost is linear: T3."""

from __future__ import annotations

import dataclasses

import driver
from checks.online import checks
from driver import Entry, Ratio
from problems.online import PROBLEMS
from report import NAMES, Line

from rows import Bench, say

#: NumPy's CPU time over ours; growth of a step's time by number; bytes of a trace over a float32.
FASTER, LINEAR, BYTES = {"T3, 10^6 numbers": 2.0}, 1.5, 1.1


def online(bench: Bench, row: str) -> None:
    """Check and time all sizes, and compare the largest with the one before."""
    each, sizes = {}, {}
    for name, problem in PROBLEMS.items():
        if bench.quick:
            problem = dataclasses.replace(problem, steps=problem.steps // 10)
        tools = ("neurodyn", "numpy")
        workers = driver.start({t: Entry(t, problem) for t in tools}, bench.folder, bench.note)
        try:
            bench.report.versions |= {tool: w.versions for tool, w in workers.items()}
            bench.report.checks[name] = {}
            for tool, worker in workers.items():
                say(f"{name}: checking {tool} ...")
                found, answer = worker.result(steps=problem.steps)
                bench.report.checks[name][tool] = checks(problem, found)
                if tool == "neurodyn":
                    sizes[name] = answer["bytes_per_number"]
            say(f"{name}: {bench.rounds} rounds ...")
            requests = [{"steps": problem.steps}] * bench.rounds
            seconds = driver.rotate(workers, requests, bench.note)
        finally:
            for worker in workers.values():
                worker.close()
        bench.report.seconds[name] = seconds
        work = problem.steps * problem.n_parameters
        each[name] = [1e9 * s / work for s in seconds["neurodyn"].cpu]
        required = f">= {FASTER[name]:g}" if name in FASTER else ""
        ratio = None
        if "numpy" in seconds:
            ratio = Ratio.of(seconds["numpy"].cpu, seconds["neurodyn"].cpu)
        what = f"CPU time of {NAMES['numpy']} over ours"
        bench.report.lines.append(Line(name, what, required, ratio))
        bench.report.lines.append(Line(name, "ns a step and number", "", Ratio.spread(each[name])))
    *_, smaller, largest = PROBLEMS
    what = f"time a step and number, over that of {smaller.split(', ')[1]}"
    growth = Ratio.of(each[largest], each[smaller])
    bench.report.lines.append(Line(largest, what, f"<= {LINEAR:g}", growth))
    size = sizes[largest] / 4
    line = Line(largest, "memory a number over a float32", f"<= {BYTES:g}", Ratio(size, size, size))
    bench.report.lines.append(line)


ROWS = {"T3": online}
