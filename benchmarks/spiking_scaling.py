"""Time and memory of spiking networks against neurons, synapses, rate and threads.

``python benchmarks/spiking_scaling.py [--quick] [--tools neurodyn nest]`` writes
``spiking_scaling.md``, ``.json`` and ``.png`` into ``benchmarks/results``. Leaky neurons that a
constant current makes fire regularly, with synapses too weak to matter, so that each of the three
can be chosen for itself; 1 s of model time in steps of 0.1 ms, float32 in neurodyn. Each point is a
process of its own; its time is the shortest of three runs after one that does not count.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path

from checks.spiking import Spikes
from driver import Entry, Worker, WorkerFailed, interpreter
from problems.spiking import SpikingProblem
from report import COLOURS, NAMES
from scaling_report import scaling_main

TOOLS = {"neurodyn": "#2a7f62", "brian2": COLOURS["brian2"], "nest": COLOURS["nest"]}
BASE = SpikingProblem("driven", 1000.0, "float32", n=10_000, out_degree=100, rate=10.0)
#: What varies along each axis, and the values; the rest is `BASE`, or what stands beside it.
AXES = {
    "n": ((1_000, 3_000, 10_000, 30_000, 100_000), {}, "neurons"),
    "out_degree": ((1, 10, 100, 1_000), {}, "synapses of each of 10,000 neurons"),
    "rate": ((1.0, 3.0, 10.0, 30.0, 100.0), {"out_degree": 1_000}, "rate of 10,000 neurons, Hz"),
    "threads": ((1, 2), {"out_degree": 1_000, "rate": 30.0}, "threads (wall time)"),
}
#: Tools whose workers take a number of threads.
THREADED = ("neurodyn", "nest")
REPEATS = 3


def point(tool: str, problem: SpikingProblem, folder: Path, threads: int = 1) -> dict[str, float]:
    """Seconds of a run, bytes of its process, and the spikes of a neuron in a second."""
    entry = Entry(tool, problem, {"threads": threads}, {"OMP_NUM_THREADS": str(threads)})
    with Worker(entry, folder) as worker:
        arrays, _ = worker.result(seed=0)
        answers = [worker.run(seed=0) for _ in range(REPEATS)]
    return {
        "cpu": min(a["cpu"] for a in answers),
        "wall": min(a["wall"] for a in answers),
        "bytes": max(a["peak_bytes"] for a in answers),
        "rate": Spikes.of(arrays).rate(problem.duration, range(problem.n)),
    }


def measure(quick: bool, tools: list[str]) -> list[dict]:
    """A record per axis, value and tool."""
    found, tools = [], [tool for tool in tools if interpreter(tool)]
    for axis, (values, fixed, _) in AXES.items():
        for value in values[: -(-len(values) // 2) if quick and axis != "threads" else None]:
            threads = value if axis == "threads" else 1
            changed = {**fixed, **({} if axis == "threads" else {axis: value})}
            problem = dataclasses.replace(BASE, **changed)
            with tempfile.TemporaryDirectory(prefix="neurodyn-bench-") as folder:
                for tool in tools if axis != "threads" else [t for t in tools if t in THREADED]:
                    print(f"{axis} = {value}: {tool}", file=sys.stderr, flush=True)
                    try:
                        numbers = point(tool, problem, Path(folder), threads)
                    except WorkerFailed as error:
                        print(f"left out: {error}", file=sys.stderr)
                        continue
                    found.append({"axis": axis, "value": value, "tool": tool, **numbers})
    return found


def seconds(record: dict) -> float:
    """CPU time; wall time where threads share the work."""
    return record["wall" if record["axis"] == "threads" else "cpu"]


def figure(found: list[dict]):
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    fig, axes = plt.subplots(2, len(AXES), figsize=(14, 6), sharex="col", sharey="row",
                             layout="constrained")  # fmt: skip
    for column, (axis, (values, _, words)) in enumerate(AXES.items()):
        for tool, colour in TOOLS.items():
            points = [p for p in found if (p["axis"], p["tool"]) == (axis, tool)]
            at = [p["value"] for p in points]
            style = {"color": colour, "marker": "o", "ms": 4, "label": NAMES.get(tool, tool)}
            axes[0, column].loglog(at, [seconds(p) for p in points], **style)
            axes[1, column].loglog(at, [p["bytes"] / 2**20 for p in points], **style)
        axes[1, column].set_xlabel(words)
        if axis == "threads":
            axes[1, column].xaxis.set_major_locator(FixedLocator(values))
            axes[1, column].xaxis.set_minor_locator(NullLocator())
            axes[1, column].xaxis.set_major_formatter("{x:g}")
    axes[0, 0].set_ylabel("seconds for 1 s of model time")
    axes[1, 0].set_ylabel("most memory of the process, MiB")
    axes[1, 0].yaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].legend(frameon=False)
    for ax in axes.flat:
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


def markdown(found: list[dict]) -> list[str]:
    lines = ["# Time and memory of spiking networks against size", ""]
    tools = [tool for tool in TOOLS if any(p["tool"] == tool for p in found)]
    for axis, (_, _, words) in AXES.items():
        head = " | ".join(f"{NAMES.get(t, t)}, s | MiB | rate, Hz" for t in tools)
        lines += [f"## {words}", "", f"| | {head} |", "|---" * (1 + 3 * len(tools)) + "|"]
        for value in dict.fromkeys(p["value"] for p in found if p["axis"] == axis):
            cells = []
            for tool in tools:
                key = (axis, value, tool)
                hit = [p for p in found if (p["axis"], p["value"], p["tool"]) == key]
                cells += (
                    [f"{seconds(p):.3g}", f"{p['bytes'] / 2**20:.0f}", f"{p['rate']:.4g}"]
                    if (p := next(iter(hit), None))
                    else ["-"] * 3
                )
            lines.append(f"| {value:g} | " + " | ".join(cells) + " |")
        lines.append("")
    return lines


if __name__ == "__main__":
    sys.exit(
        scaling_main("spiking_scaling", __doc__, measure, markdown, figure, tools=list(TOOLS))
    )
