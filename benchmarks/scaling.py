"""Time and memory of neurodyn and of NumPy against units, trials and steps.

``python benchmarks/scaling.py [--quick]`` writes ``scaling.md``, ``.json`` and ``.png`` into
``benchmarks/results``. A dense tanh network in float64, Euler steps, one thread. Each point is a
process of its own; its time is the shortest of three runs after one that does not count, its memory
the most that the process held at any time, imports included. What is compiled was compiled before.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path

from driver import Entry, Worker, WorkerFailed, interpreter
from problems.rate import Problem
from scaling_report import scaling_main

TOOLS = {"neurodyn": "#2a7f62", "numpy": "#4c72b0"}
BASE = Problem("dense", n=200, trials=1, steps=1_000)
#: What varies along each axis, and the values; the rest is `BASE`, or what stands beside it.
AXES = {
    "n": ((50, 100, 200, 500, 1_000, 2_000, 4_000), {"steps": 200}, "units"),
    "trials": ((1, 4, 16, 64, 256, 1_024), {"steps": 200}, "trials of 200 units"),
    "steps": ((100, 1_000, 10_000, 100_000), {}, "steps of 200 units"),
}
REPEATS = 3


def point(tool: str, problem: Problem, folder: Path) -> dict[str, float]:
    """CPU seconds of a run, and bytes of its process."""
    with Worker(Entry(tool, problem), folder) as worker:
        worker.run(steps=problem.steps)
        answers = [worker.run(steps=problem.steps) for _ in range(REPEATS)]
    return {
        "cpu": min(a["cpu"] for a in answers),
        "bytes": max(a["peak_bytes"] for a in answers),
    }


def measure(quick: bool) -> list[dict]:
    """A record per axis, value and tool."""
    tools = [tool for tool in TOOLS if interpreter(tool)]
    found = []
    with tempfile.TemporaryDirectory(prefix="neurodyn-bench-") as folder:
        point("neurodyn", BASE, Path(folder))  # compiles
    for axis, (values, fixed, _) in AXES.items():
        for value in values[: -(-len(values) // 2) if quick else None]:
            problem = dataclasses.replace(BASE, **{**fixed, axis: value})
            with tempfile.TemporaryDirectory(prefix="neurodyn-bench-") as folder:
                for tool in tools:
                    print(f"{axis} = {value}: {tool}", file=sys.stderr, flush=True)
                    try:
                        numbers = point(tool, problem, Path(folder))
                    except WorkerFailed as error:
                        print(f"left out: {error}", file=sys.stderr)
                        continue
                    found.append({"axis": axis, "value": value, "tool": tool, **numbers})
    return found


def figure(found: list[dict]):
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    fig, axes = plt.subplots(2, len(AXES), figsize=(11, 6), sharex="col", sharey="row",
                             layout="constrained")  # fmt: skip
    for column, (axis, (_, _, words)) in enumerate(AXES.items()):
        for tool, colour in TOOLS.items():
            points = [p for p in found if (p["axis"], p["tool"]) == (axis, tool)]
            values = [p["value"] for p in points]
            label = {"numpy": "NumPy"}.get(tool, tool)
            style = {"color": colour, "marker": "o", "ms": 4, "label": label}
            axes[0, column].loglog(values, [p["cpu"] for p in points], **style)
            axes[1, column].loglog(values, [p["bytes"] / 2**20 for p in points], **style)
        axes[1, column].set_xlabel(words)
    axes[0, 0].set_ylabel("CPU seconds of a run")
    axes[1, 0].set_ylabel("most memory of the process, MiB")
    axes[1, 0].yaxis.set_major_locator(FixedLocator([25, 50, 100, 200, 400, 800]))
    axes[1, 0].yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes[1, 0].yaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].legend(frameon=False)
    for ax in axes.flat:
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


def markdown(found: list[dict]) -> list[str]:
    lines = ["# Time and memory against size", ""]
    for axis, (_, fixed, words) in AXES.items():
        steps = "" if axis == "steps" else f", {fixed['steps']} steps"
        head = "| | " + " | ".join(f"{tool}, s | {tool}, MiB" for tool in TOOLS) + " |"
        lines += [f"## {words}{steps}", "", head, "|---" * (1 + 2 * len(TOOLS)) + "|"]
        for value in dict.fromkeys(p["value"] for p in found if p["axis"] == axis):
            cells = []
            for tool in TOOLS:
                key = (axis, value, tool)
                hit = [p for p in found if (p["axis"], p["value"], p["tool"]) == key]
                cells += (
                    [f"{hit[0]['cpu']:.3g}", f"{hit[0]['bytes'] / 2**20:.0f}"] if hit else ["-"] * 2
                )
            lines.append(f"| {value} | " + " | ".join(cells) + " |")
        lines.append("")
    return lines


if __name__ == "__main__":
    sys.exit(scaling_main("scaling", __doc__, measure, markdown, figure))
