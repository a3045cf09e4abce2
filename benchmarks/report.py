"""What `run` found, as Markdown, JSON and a figure."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from checks import Check
from driver import Ratio, Seconds

#: Load above which ratios are still good, but seconds are not.
BUSY = 0.5

NAMES = {"numpy": "NumPy", "jax": "JAX", "torch": "PyTorch", "limit": "reading the matrix",
         "brian2": "Brian2", "nest": "NEST", "annarchy": "ANNarchy",
         "snntorch": "snnTorch", "fixed_point_finder": "FixedPointFinder"}  # fmt: skip
COLOURS = {"numpy": "#4c72b0", "jax": "#dd8452", "torch": "#c44e52", "limit": "#555555",
           "brian2": "#8172b3", "nest": "#937860", "annarchy": "#da8bc3",
           "snntorch": "#c44e52", "fixed_point_finder": "#55a868"}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the table of results.

    Attributes
    ----------
    row, what : str
        For example ``"R2"`` and ``"CPU time of JAX over ours"``.
    required : str
        ``">= 2"``, with a unit where it is no ratio; ``""`` for information only.
    reached : Ratio or None
        None if it could not be measured.
    """

    row: str
    what: str
    required: str
    reached: Ratio | None

    @property
    def passed(self) -> bool | None:
        if not self.required or self.reached is None:
            return None
        sign, bound = self.required.split()[:2]
        value = self.reached.median
        return value >= float(bound) if sign == ">=" else value <= float(bound)

    @property
    def least(self) -> float:
        """The bound on another tool's time over ours, whichever way round it was written."""
        sign, bound = self.required.split()[:2]
        return float(bound) if sign == ">=" else 1 / float(bound)

    @property
    def verdict(self) -> str:
        if not self.required:
            return ""
        return {True: "PASS", False: "FAIL", None: "not measured"}[self.passed]


@dataclass
class Report:
    """All that one call of `run` measured."""

    machine: dict = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    seconds: dict[str, dict[str, Seconds]] = field(default_factory=dict)
    checks: dict[str, dict[str, list[Check]]] = field(default_factory=dict)
    elementary: list[dict] = field(default_factory=list)

    @property
    def is_correct(self) -> bool:
        return all(c.passed for tools in self.checks.values() for cs in tools.values() for c in cs)

    def write(self, folder: Path) -> None:
        """Write ``benchmarks.md``, ``.json`` and ``.png``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "benchmarks.md").write_text(self.markdown())
        everything = {**dataclasses.asdict(self), "correct": self.is_correct}
        for line, written in zip(self.lines, everything["lines"], strict=True):
            written["passed"] = line.passed
        (folder / "benchmarks.json").write_text(json.dumps(everything, indent=1, default=float))
        if self.seconds:
            self._figure(folder / "benchmarks.png")

    # -- text ----------------------------------------------------------------------------------

    def markdown(self) -> str:
        parts = ["# neurodyn against others", "", *(f"- {note}" for note in self.notes), ""]
        if self.lines:
            rows = [
                [line.row, line.what, line.required or "-", _ratio(line.reached), line.verdict]
                for line in self.lines
            ]
            head = ["row", "what", "required", "reached: median (smallest - largest)", ""]
            parts += ["## Required and reached", "", _table(head, rows), ""]
        if self.checks:
            rows = [
                [row, tool, check.what, f"{check.found:.2g}", f"{check.allowed:.2g}",
                 "PASS" if check.passed else "WRONG"]
                for row, tools in self.checks.items()
                for tool, checks in tools.items()
                for check in checks
            ]  # fmt: skip
            head = ["row", "tool", "what is compared", "found", "allowed", ""]
            parts += ["## Are the answers right?", "", _table(head, rows), ""]
        if self.elementary:
            parts += ["## Elementary functions", "", _elementary(self.elementary), ""]
        parts += ["## Where", ""]
        parts += [f"- {name}: {value}" for name, value in self.machine.items()]
        parts += [
            f"- {tool}: " + ", ".join(f"{name} {v}" for name, v in versions.items())
            for tool, versions in self.versions.items()
        ]
        return "\n".join(parts) + "\n"

    # -- figure --------------------------------------------------------------------------------

    def _figure(self, path: Path) -> None:
        """CPU time of every tool over ours, a line a problem; required ratios as ticks."""
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot as plt
        from matplotlib.ticker import FuncFormatter, NullFormatter

        rows = [row for row, tools in self.seconds.items() if len(tools) > 1]
        required = {
            (line.row, tool): line.least
            for line in self.lines
            for tool in COLOURS
            if line.required and NAMES[tool] in line.what
        }
        fig, ax = plt.subplots(figsize=(8, 1.2 + 0.75 * len(rows)), layout="constrained")
        ax.axvline(1, color="black", lw=1)
        for y, row in enumerate(reversed(rows)):
            ours = self.seconds[row]["neurodyn"].cpu
            tools = [tool for tool in COLOURS if tool in self.seconds[row]]
            for k, tool in enumerate(tools):
                ratio = Ratio.of(self.seconds[row][tool].cpu, ours)
                at = y + 0.2 * ((len(tools) - 1) / 2 - k)
                ax.plot([ratio.low, ratio.high], [at, at], color=COLOURS[tool], lw=2)
                ax.plot(ratio.median, at, "o", color=COLOURS[tool], ms=6, label=NAMES[tool])
                if bound := required.get((row, tool)):
                    ax.plot(bound, at, "|", color=COLOURS[tool], ms=13, mew=1.5)
                _label(ax, ratio, at, COLOURS[tool])
            if y:
                ax.axhline(y - 0.5, color="0.88", lw=0.8)
        ax.set(xscale="log", yticks=range(len(rows)), yticklabels=reversed(rows))
        ax.set_xlim(min(0.7, ax.get_xlim()[0]), ax.get_xlim()[1] * 1.5)
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.set_xticks(
            [
                x
                for x in (0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50, 100, 200)
                if x <= ax.get_xlim()[1]
            ]
        )
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("CPU time over that of neurodyn (right of 1: neurodyn is faster); | required")
        ax.spines[["top", "right"]].set_visible(False)
        handles, labels = ax.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        fig.legend(unique.values(), unique.keys(), loc="outside upper center",
                   ncols=len(unique), frameon=False)  # fmt: skip
        fig.savefig(path, dpi=150)
        plt.close(fig)


def _label(ax, ratio: Ratio, y: float, colour: str) -> None:
    """The median in numbers, on the side that faces away from 1."""
    right = ratio.median >= 1
    ax.annotate(
        f"{ratio.median:.2f}",
        (ratio.high if right else ratio.low, y),
        (7 if right else -7, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va="center",
        fontsize=8,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def machine() -> dict[str, str]:
    """The processor and what runs on it, without the machine's name."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = next(iter(models), model)
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
        model = ", ".join([model, *(f for f in ("avx512f", "avx2") if f in flags)])
    return {
        "processor": f"{model}; {os.cpu_count()} CPUs",
        "system": f"{platform.system()} {platform.release()}",
        "time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def load() -> float:
    """Load average of the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio.median:.2f} ({ratio.low:.2f} - {ratio.high:.2f})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table whose columns also line up as plain text."""
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def _elementary(rows: list[dict]) -> str:
    """Row E1: how many times as long others take for an element, and our largest error."""

    def times(row, other):
        return "-" if row[other] is None else f"{row[other] / row['ours_ns']:.2f}"

    table = [
        [row["row"], row["function"], row["dtype"], times(row, "numpy_ns"),
         times(row, "library_ns"), times(row, "reference_ns"),
         "-" if row["max_ulp"] is None else f"{row['max_ulp']:.2f}"]
        for row in rows
    ]  # fmt: skip
    head = ["row", "function", "type", "NumPy over ours", "C library over ours",
            "prototype over ours", "our error, ulp"]  # fmt: skip
    return _table(head, table)
