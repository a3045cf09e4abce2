"""Measure neurodyn against other tools: ``python benchmarks/run.py [--rows R1 S2] [--quick]``.

Prints what is required and what was reached, writes it to ``benchmarks/results``, and ends with 1
if an answer was wrong. A ratio that was not reached is printed as such, and is no error. README.md
beside this file says how to read it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from report import BUSY, Report, load, machine
from rows import (
    Bench,
    alone,
    fixed_points,
    learning,
    lyapunov,
    online,
    rate,
    say,
    spiking,
    sweeps,
)

RESULTS = Path(__file__).resolve().parent / "results"

#: What measures each row, ``measure(bench, row)``.
ROWS = {**rate.ROWS, **spiking.ROWS, **lyapunov.ROWS, **fixed_points.ROWS, **learning.ROWS,
        **online.ROWS, **sweeps.ROWS, **alone.ROWS}  # fmt: skip


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW",
                        help=f"of {', '.join(ROWS)}; default all")  # fmt: skip
    parser.add_argument("--rounds", type=int, help="default 7, quick 3")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the steps, a fifth of the model time"
    )
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
        say(f"warning: the load average is {before:.1f}; close what else runs, and run again")
        report.notes.append(f"The machine was busy (load average {before:.1f}): measure again.")
    if chosen.quick:
        report.notes.append("Quick: less to compute. Fixed costs weigh up to ten times as much.")
    with tempfile.TemporaryDirectory(prefix="neurodyn-bench-") as folder:
        bench = Bench(chosen.rounds, chosen.quick, Path(folder), report)
        for row, measure in ROWS.items():
            if row in chosen.rows:
                measure(bench, row)
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
