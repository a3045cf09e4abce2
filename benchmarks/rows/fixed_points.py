"""The row of fixed points, beside FixedPointFinder."""

from __future__ import annotations

import dataclasses

import driver
import numpy as np
from checks import Check
from driver import Entry, Ratio
from problems.fixed_points import PROBLEM, Q_TOL
from report import NAMES, Line

from rows import Bench, say

#: How many times our CPU time FixedPointFinder must take.
FASTER = 5.0
#: Points that differ by more in a unit are different: FixedPointFinder's own number.
_DISTINCT = 1e-3
_PEER = "fixed_point_finder"


def fixed_points(bench: Bench, row: str) -> None:
    problem = dataclasses.replace(PROBLEM, starts=128) if bench.quick else PROBLEM
    entries = {"neurodyn": Entry("neurodyn", problem), _PEER: Entry("torch", problem)}
    say(f"{row}: starting {', '.join(entries)} ...")
    workers = driver.start(entries, bench.folder, bench.note)
    found: dict[str, dict[str, np.ndarray]] = {}
    try:
        bench.report.versions |= {tool: w.versions for tool, w in workers.items()}
        say(f"{row}: {bench.rounds} rounds ...")
        seconds = driver.rotate(workers, [{}] * bench.rounds, bench.note, keep=found.__setitem__)
    finally:
        for worker in workers.values():
            worker.close()
    bench.report.seconds[row] = seconds
    bench.report.checks[row] = _checks(problem.arrays(), found)
    ratio = Ratio.of(seconds[_PEER].cpu, seconds["neurodyn"].cpu) if _PEER in seconds else None
    what = f"CPU time of {NAMES[_PEER]} over ours"
    bench.report.lines.append(Line(row, what, f">= {FASTER:g}", ratio))


def _checks(arrays: dict[str, np.ndarray], found) -> dict[str, list[Check]]:
    """Every point a zero in float64, and nothing missed that the other one found."""
    checks = {}
    for tool, of_tool in found.items():
        x = of_tool["points"].astype(float)
        residual = np.tanh(x @ arrays["W"].T + arrays["b"]) - x
        q = 0.5 * np.sum(residual**2, axis=1)
        # float32 cannot know its residual better than by its own rounding
        allowed = Q_TOL if tool == "neurodyn" else 10 * Q_TOL
        what = f"largest q of its {len(_distinct(x))} distinct points"
        checks[tool] = [Check(what, q.max(initial=0.0), allowed)]
    if _PEER in found:
        ours, theirs = found["neurodyn"], found[_PEER]
        converged = [int(np.isfinite(f["of_starts"][:, 0]).sum()) for f in (ours, theirs)]
        missed = _without(_distinct(theirs["points"]), ours["points"])
        checks["neurodyn"] += [
            Check(f"starts converged of {len(ours['of_starts'])}: {converged[0]}, "
                  f"{NAMES[_PEER]} {converged[1]}; fewer by", converged[1] - converged[0], 0),
            Check(f"points of {NAMES[_PEER]} that ours lack", len(missed), 0),
        ]  # fmt: skip
    return checks


def _distinct(points: np.ndarray) -> np.ndarray:
    kept: list[np.ndarray] = []
    for point in points:
        if all(np.abs(point - other).max() > _DISTINCT for other in kept):
            kept.append(point)
    return np.array(kept).reshape(-1, points.shape[1])


def _without(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Those of `points` that are not among `others`."""
    distance = np.abs(points[:, None] - others).max(axis=2).min(axis=1, initial=np.inf)
    return points[distance > _DISTINCT]


ROWS = {"F1": fixed_points}
