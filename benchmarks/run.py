"""Measure neurodyn against other tools: ``python benchmarks/run.py [--rows R1 R2] [--quick]``.

Prints what is required and what was reached, writes it to ``benchmarks/results``, and ends with 1
if an answer was wrong. A ratio that was not reached is printed as such, and is no error. README.md
beside this file says how to read it.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import driver
import numpy as np
from driver import ONE_THREAD, WORKERS, Ratio, Seconds, Worker, WorkerFailed
from problems import PROBLEMS, Problem
from reference import Check, Reference
from report import BUSY, NAMES, Line, Report, load, machine

RESULTS = Path(__file__).resolve().parent / "results"

#: Rows, and the problems that each runs.
ROWS = {
    "R1": ("R1 float64", "R1 float32", "R1 RK4"),
    "R2": ("R2",),
    "R3": ("R3",),
    "R4": ("R2",),
    "C1": (),
    "E1": (),
}
#: How many times our CPU time each tool must take; others are shown without a requirement.
FASTER = {"R2": {"jax": 2.0, "torch": 2.0}, "R3": {"jax": 1.5, "numpy": 7.0}}
#: R1 can only be as fast as memory: at most this many times the limit, and the best peer.
NEAR = 1.15
#: Two threads over one.
SPEED_UP = 1.7
#: Time per element of elementary functions over the reference figures, and their error.
ELEMENTARY, MAX_ULP = 1.3, 2.0
#: CPU seconds to the first result, with an empty cache and with a filled one.
COLD, WARM = 5.0, 1.0


class Bench:
    """One call: what to run, how often, and the report that it fills."""

    def __init__(self, rounds: int, quick: bool, folder: Path, report: Report):
        self.rounds, self.quick, self.folder, self.report = rounds, quick, folder, report

    def problem(self, name: str) -> Problem:
        problem = PROBLEMS[name]
        return dataclasses.replace(problem, steps=problem.steps // 10) if self.quick else problem

    # -- R1, R2, R3 ----------------------------------------------------------------------------

    def against_peers(self, row: str) -> None:
        for name in ROWS[row]:
            seconds = self.compare(name)
            if "neurodyn" not in seconds:
                raise RuntimeError(f"neurodyn's worker did not start for {name}")
            self.report.lines += (_near if row == "R1" else _faster)(name, seconds)

    def compare(self, name: str) -> dict[str, Seconds]:
        """Check and time all tools on one problem."""
        problem = self.problem(name)
        tools = ["neurodyn", "numpy", "jax", "torch"] + ["limit"] * name.startswith("R1")
        _say(f"{name}: the right answer ...")
        reference = Reference(problem)
        workers = driver.start(tools, problem, self.folder, self.note)
        try:
            self.report.versions |= {tool: w.versions for tool, w in workers.items()}
            _say(f"{name}: checking {', '.join(workers)} ...")
            self.report.checks[name] = self.check(reference, workers)
            _say(f"{name}: {self.rounds} rounds ...")
            seconds = driver.rotate(workers, problem.steps, self.rounds)
        finally:
            for worker in workers.values():
                worker.close()
        self.report.seconds[name] = seconds
        return seconds

    def check(self, reference: Reference, workers: dict[str, Worker]) -> dict[str, list[Check]]:
        """Every tool's checks; a peer whose worker breaks down is taken out of `workers`."""
        found = {}
        for tool in [tool for tool in workers if tool != "limit"]:
            try:
                found[tool] = reference.checks(workers[tool].final_state)
            except WorkerFailed as error:
                if tool == "neurodyn":
                    raise
                self.note(f"{tool}: left out: {error}")
                workers.pop(tool).close()
        return found

    def note(self, text: str) -> None:
        _say(text)
        if text not in self.report.notes:
            self.report.notes.append(text)

    # -- R4 ------------------------------------------------------------------------------------

    def two_threads(self, row: str) -> None:
        (name,) = ROWS[row]
        problem = self.problem(name)
        _say(f"{row}: one thread and two, {self.rounds} rounds ...")
        with (
            Worker("neurodyn", problem, self.folder, threads=1) as one,
            Worker("neurodyn", problem, self.folder, threads=2) as two,
        ):
            self.report.versions["neurodyn"] = one.versions
            same = (
                one.final_state(problem.steps).tobytes() == two.final_state(problem.steps).tobytes()
            )
            seconds = driver.rotate({"one": one, "two": two}, problem.steps, self.rounds)
        self.report.checks[row] = {
            "neurodyn": [Check("bytes differ between one thread and two (1: yes)", not same, 0)]
        }
        ratio = Ratio.of(seconds["one"].wall, seconds["two"].wall)
        if (os.cpu_count() or 1) < 2:
            self.note(f"{row}: this machine has one CPU")
            ratio = None
        what = "wall time of one thread over that of two"
        self.report.lines.append(Line(row, what, f">= {SPEED_UP}", ratio))

    # -- C1 ------------------------------------------------------------------------------------

    def first_results(self, row: str) -> None:
        for structure, words in (("one", "one population"), ("two", "two populations")):
            _say(f"{row}: first result of {words} ...")
            cold, warm = [], []
            for _ in range(min(3, self.rounds)):
                with tempfile.TemporaryDirectory(dir=self.folder) as cache:
                    cold.append(_until_first_result(structure, cache))
                    warm.append(_until_first_result(structure, cache))
            for state, seconds, bound in (("an empty", cold, COLD), ("a filled", warm, WARM)):
                what = f"CPU seconds, import to first result of {words}, {state} cache"
                spread = Ratio(statistics.median(seconds), min(seconds), max(seconds))
                self.report.lines.append(Line(row, what, f"<= {bound:g} s", spread))

    # -- E1 ------------------------------------------------------------------------------------

    def elementary(self, row: str) -> None:
        try:
            from elementary import rows
        except ImportError as error:
            self.note(f"{row}: left out: {error}")
            return
        _say(f"{row}: elementary functions ...")
        self.report.elementary = found = rows()
        for line in found:
            if line["reference_ns"]:
                ratio = Ratio.of([line["ours_ns"]], [line["reference_ns"]])
                what = f"{line['function']} {line['dtype']}: time over the reference figure"
                self.report.lines.append(Line(row, what, f"<= {ELEMENTARY}", ratio))
        worst = max(line["max_ulp"] or 0.0 for line in found if line["dtype"] == "float64")
        error = Ratio(worst, worst, worst)
        self.report.lines.append(Line(row, "largest error in float64", f"<= {MAX_ULP} ulp", error))


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


def _until_first_result(structure: str, cache: str) -> float:
    """User and system CPU seconds of a process from its start to its first number."""
    environment = {**os.environ, **ONE_THREAD, "NEURODYN_CACHE_DIR": cache}
    command = [sys.executable, str(WORKERS / "first_result.py"), structure]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def _say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW",
                        help=f"of {', '.join(ROWS)}; default all")  # fmt: skip
    parser.add_argument("--rounds", type=int, help="default 7, quick 3")
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    chosen = parser.parse_args(given)
    chosen.rounds = chosen.rounds or (3 if chosen.quick else 7)
    if chosen.rounds < 1:
        parser.error("--rounds must be positive")
    return chosen


def main(given: list[str] | None = None) -> int:
    chosen = arguments(given)
    report = Report(machine=machine())
    before = load()
    if before > BUSY:
        _say(f"warning: the load average is {before:.1f}; close what else runs, and run again")
        report.notes.append(f"The machine was busy (load average {before:.1f}): measure again.")
    if chosen.quick:
        report.notes.append("Quick: a tenth of the steps. Fixed costs weigh ten times as much.")
    with tempfile.TemporaryDirectory(prefix="neurodyn-bench-") as folder:
        bench = Bench(chosen.rounds, chosen.quick, Path(folder), report)
        measure: dict[str, Callable[[str], None]] = {
            "R1": bench.against_peers,
            "R2": bench.against_peers,
            "R3": bench.against_peers,
            "R4": bench.two_threads,
            "C1": bench.first_results,
            "E1": bench.elementary,
        }
        for row in ROWS:
            if row in chosen.rows:
                measure[row](row)
    report.machine["load average"] = f"{before:.2f} before, {load():.2f} after"
    report.machine["rounds"] = str(chosen.rounds)
    report.write(chosen.out)
    print(report.markdown())
    print(f"written to {chosen.out}")
    if not report.is_correct:
        print("WRONG: an answer differs by more than rounding or chance explains", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    sys.exit(main())
