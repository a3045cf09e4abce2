"""The page of a reproduction, in HTML and Markdown: figures, claims, what failed."""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from neurodyn._pages import page, png_image, table, write_text
from neurodyn.experiments.claims_table import (
    HEAD,
    markdown_table,
    one_line,
    outcome_rows,
    summary,
)
from neurodyn.experiments.reproduction import HTML, MARKDOWN, Attempt

_TITLE = "Published circuits, reproduced"


def claim_lines(attempt: Attempt) -> list[str]:
    """One line a claim: verdict, where, what, published, accepted, measured, source.

    An experiment that has no result, or could not be kept, is a line that says ``FAIL`` too.
    """
    lines = [] if attempt.error is None else [f"FAIL  {attempt.title}  {attempt.error}"]
    outcomes = attempt.result.outcomes if attempt.result else ()
    return lines + [one_line(attempt.title, outcome) for outcome in outcomes]


def closing(attempts: Sequence[Attempt]) -> str:
    """How many claims hold, and how many experiments failed."""
    text = summary([a.result for a in attempts if a.result])
    failed = [a.title for a in attempts if a.error is not None]
    if failed:
        count = "1 experiment" if len(failed) == 1 else f"{len(failed)} experiments"
        text += f" {count} failed: {', '.join(failed)}."
    return text[0].upper() + text[1:]


def write_pages(attempts: Sequence[Attempt], folder: Path, is_whole: bool = True) -> None:
    """Write or replace both pages.

    Parameters
    ----------
    attempts : sequence of Attempt
    folder : Path
        That of the runs: images are shown from there.
    is_whole : bool
        Whether all experiments have been run; else the page says that it is not.
    """
    head = "" if is_whole else "Not all experiments have run. "
    failed = not all(a.passed for a in attempts) or not is_whole
    parts, text = [], [f"# {_TITLE}", head + closing(attempts)]
    overview = _overview(attempts)
    parts.append(table(*overview))
    text.append(markdown_table(*overview))
    for name, group in groupby(attempts, lambda a: a.name):
        group = list(group)
        parts += _html_of(name, group)
        text += _markdown_of(name, group, folder)
    write_text(folder / HTML, page(_TITLE, head + closing(attempts), parts, failed))
    write_text(folder / MARKDOWN, "\n\n".join(text))


def _overview(attempts: Sequence[Attempt]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for a in attempts:
        outcomes = a.result.outcomes if a.result else ()
        held = sum(outcome.passed for outcome in outcomes)
        count = f"{held} of {len(outcomes)}" if a.result else ""
        verdict = ("PASS" if outcomes else "no claims") if a.passed else "FAIL"
        rows.append([verdict, a.name, a.experiment, a.size, count, f"{a.seconds:.1f}"])
    return ["", "circuit", "experiment", "size", "claims that hold", "time (s)"], rows


def _html_of(name: str, group: Sequence[Attempt]) -> list[str]:
    circuit = group[0].circuit
    title = circuit.title if circuit else name
    parts = [f'<h2 id="{html.escape(name)}">{html.escape(title)}</h2>']
    if circuit:
        cite = html.escape(circuit.citation)
        if circuit.doi:
            doi = html.escape(circuit.doi)
            cite += f' <a href="https://doi.org/{doi}">doi:{doi}</a>'
        parts.append(f'<p class="cite">{cite}</p>')
    for a in group:
        if a.experiment:
            parts.append(f"<h3>{html.escape(a.title)} ({a.size})</h3>")
        if a.error is not None:
            parts.append(f'<p class="bad">{html.escape(a.error)}</p>')
        if a.result is None:
            continue
        if a.result.figure:
            parts.append(f"<p>{png_image(a.result.figure.read_bytes(), a.title)}</p>")
        parts.append(f"<p>{html.escape(summary([a.result]))}</p>")
        if a.result.outcomes:
            parts.append(table(("", *HEAD), outcome_rows(a.result.outcomes)))
    return parts


def _markdown_of(name: str, group: Sequence[Attempt], folder: Path) -> list[str]:
    circuit = group[0].circuit
    text = [f"## {circuit.title if circuit else name}"]
    if circuit:
        text.append(circuit.citation + (f" doi:{circuit.doi}" if circuit.doi else ""))
    for a in group:
        if a.experiment:
            text.append(f"### {a.title} ({a.size})")
        if a.error is not None:
            text.append(f"**FAIL** {a.error}")
        if a.result is None:
            continue
        if a.result.figure:
            text.append(f"![{a.title}]({a.result.figure.relative_to(folder).as_posix()})")
        text.append(summary([a.result]))
        if a.result.outcomes:
            text.append(markdown_table(("", *HEAD), outcome_rows(a.result.outcomes)))
    return text
