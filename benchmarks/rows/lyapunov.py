"""Rows of Lyapunov spectra, beside JAX and NumPy."""

from __future__ import annotations

import dataclasses

import driver
import numpy as np
from checks import Check
from driver import Entry, Ratio
from problems.lyapunov import PROBLEMS, LyapunovProblem
from report import NAMES, Line

from rows import Bench, say

#: How many times our CPU time JAX must take.
FASTER = {"L1a": 3.0, "L1b": 1.0, "L2": 1.4}
_TOOLS = ("neurodyn", "numpy", "jax")


def spectrum(bench: Bench, row: str) -> None:
    problem = PROBLEMS[row]
    if bench.quick:
        problem = dataclasses.replace(problem, steps=problem.steps // 10)
    say(f"{row}: starting {', '.join(_TOOLS)} ...")
    workers = driver.start({t: Entry(t, problem) for t in _TOOLS}, bench.folder, bench.note)
    found: dict[str, np.ndarray] = {}
    try:
        bench.report.versions |= {tool: w.versions for tool, w in workers.items()}
        say(f"{row}: {bench.rounds} rounds ...")
        requests = [{"steps": problem.steps}] * bench.rounds
        seconds = driver.rotate(
            workers, requests, bench.note,
            keep=lambda name, arrays: found.__setitem__(name, arrays["final"][0]),
        )  # fmt: skip
    finally:
        for worker in workers.values():
            worker.close()
    bench.report.seconds[row] = seconds
    bench.report.checks[row] = {
        name: _checks(problem, exponents, found["numpy"])
        for name, exponents in found.items()
        if name != "numpy"
    }
    for tool in ("jax", "numpy"):
        required = f">= {FASTER[row]:g}" if tool == "jax" else ""
        ratio = None
        if tool in seconds:
            ratio = Ratio.of(seconds[tool].cpu, seconds["neurodyn"].cpu)
        what = f"CPU time of {NAMES[tool]} over ours"
        bench.report.lines.append(Line(row, what, required, ratio))


def _checks(problem: LyapunovProblem, exponents, reference) -> list[Check]:
    """Against NumPy's; those of Lorenz-96 part by chaos, and only their sum is known: -n."""
    if problem.system == "lorenz96":
        off = abs(exponents.sum() + problem.n)
        return [Check(f"sum of exponents, {exponents.sum():.5f}, from -{problem.n}", off, 1e-3)]
    largest = abs(exponents.max() - reference.max())
    checks = [Check("largest exponent unlike NumPy's", largest, 1e-7)]
    if problem.k == problem.n:
        off = abs(exponents.sum() / reference.sum() - 1)
        checks.append(Check("sum of exponents unlike NumPy's, relative", off, 1e-9))
    return checks


ROWS = {row: spectrum for row in PROBLEMS}
