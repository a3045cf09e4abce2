"""What the scripts that measure cost against size share: arguments, and what they write."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from report import machine
from run import RESULTS


def scaling_main(
    name: str,
    doc: str,
    measure: Callable[..., list[dict]],
    markdown: Callable[[list[dict]], list[str]],
    figure: Callable[[list[dict]], object],
    given: list[str] | None = None,
    tools: list[str] | None = None,
) -> int:
    """Measure, and write ``name`` as Markdown, JSON and a figure.

    Parameters
    ----------
    name : str
        Of the files.
    doc : str
        The script's docstring.
    measure : callable
        ``measure(quick)``, or ``measure(quick, tools)`` where there are `tools`: the points.
    markdown, figure : callable
        Lines and figure of the points.
    given : list of str, optional
        Arguments instead of those of the command line.
    tools : list of str, optional
        What may be chosen from.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smaller half of the sizes")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    if tools:
        parser.add_argument("--tools", nargs="+", choices=tools, default=tools)
    chosen = parser.parse_args(given)
    found = measure(chosen.quick, chosen.tools) if tools else measure(chosen.quick)
    where = machine()
    chosen.out.mkdir(parents=True, exist_ok=True)
    lines = [*markdown(found), *(f"- {what}: {value}" for what, value in where.items())]
    text = "\n".join(lines) + "\n"
    (chosen.out / f"{name}.md").write_text(text)
    stored = json.dumps({"where": where, "points": found}, indent=1)
    (chosen.out / f"{name}.json").write_text(stored)
    _save(figure, found, chosen.out / f"{name}.png")
    print(text)
    return 0


def _save(figure, found: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    fig = figure(found)
    fig.savefig(path, dpi=150)
    plt.close(fig)
