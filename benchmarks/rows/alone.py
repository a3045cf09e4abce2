"""Rows that need no other tool: C1, the time to a first result, and E1, elementary functions."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from driver import ONE_THREAD, WORKERS, Ratio
from report import Line

from rows import Bench, say

#: CPU seconds to the first result, with an empty cache and with a filled one.
COLD, WARM = 5.0, 1.0
#: Time per element of elementary functions over the reference figures, and their error.
ELEMENTARY, MAX_ULP = 1.3, 2.0


def first_results(bench: Bench, row: str) -> None:
    for structure, words in (("one", "one population"), ("two", "two populations")):
        say(f"{row}: first result of {words} ...")
        cold, warm = [], []
        for _ in range(min(3, bench.rounds)):
            with tempfile.TemporaryDirectory(dir=bench.folder) as cache:
                cold.append(_until_first_result(structure, cache))
                warm.append(_until_first_result(structure, cache))
        for state, seconds, bound in (("an empty", cold, COLD), ("a filled", warm, WARM)):
            what = f"CPU seconds, import to first result of {words}, {state} cache"
            spread = Ratio(statistics.median(seconds), min(seconds), max(seconds))
            bench.report.lines.append(Line(row, what, f"<= {bound:g} s", spread))


def _until_first_result(structure: str, cache: str) -> float:
    """User and system CPU seconds of a process from its start to its first number."""
    environment = {**os.environ, **ONE_THREAD, "NEURODYN_CACHE_DIR": cache}
    command = [sys.executable, str(WORKERS / "first_result.py"), structure]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def elementary(bench: Bench, row: str) -> None:
    try:
        from elementary import rows
    except ImportError as error:
        bench.note(f"{row}: left out: {error}")
        return
    say(f"{row}: elementary functions ...")
    bench.report.elementary = found = rows()
    for line in found:
        if line["reference_ns"]:
            ratio = Ratio.of([line["ours_ns"]], [line["reference_ns"]])
            what = f"{line['function']} {line['dtype']}: time over the reference figure"
            bench.report.lines.append(Line(row, what, f"<= {ELEMENTARY}", ratio))
    worst = max(line["max_ulp"] or 0.0 for line in found if line["dtype"] == "float64")
    error = Ratio(worst, worst, worst)
    bench.report.lines.append(Line(row, "largest error in float64", f"<= {MAX_ULP} ulp", error))


ROWS = {"C1": first_results, "E1": elementary}
