"""Claims as tables: aligned plain text for a terminal, and Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from neurodyn.experiments.claims import SIZES, Claim, Outcome, format_number

if TYPE_CHECKING:
    from neurodyn.experiments import Circuit, RunResult

#: What each row of a table of outcomes says, after the verdict.
HEAD = ("claim", "published", "accepted", "measured", "source")
#: No column but the first, the claim, is wider than this, in characters.
_WIDEST = 28


def _verdict(outcome: Outcome) -> str:
    return "PASS" if outcome.passed else "FAIL"


def _text(claim: Claim) -> str:
    return claim.text + (f" ({claim.note})" if claim.note else "")


def _cells(outcome: Outcome) -> list[str]:
    claim = outcome.claim
    measured = format_number(outcome.measured) if outcome.error is None else outcome.error
    return [_text(claim), format_number(claim.published), str(claim.accept), measured, claim.source]


def outcomes_table(
    outcomes: Sequence[Outcome], width: int = 100, style: Callable[[str], str] = str
) -> str:
    """Aligned table of what was measured.

    Parameters
    ----------
    outcomes : sequence of Outcome
    width : int
        Of the terminal, in characters.
    style : callable
        Colours the words PASS and FAIL.
    """
    verdicts = ["", *map(_verdict, outcomes)]
    return _aligned([HEAD, *map(_cells, outcomes)], width, verdicts, style)


def one_line(where: str, outcome: Outcome) -> str:
    """A claim on one line, however long it is.

    Parameters
    ----------
    where : str
        The circuit and its experiment.
    outcome : Outcome
    """
    text, published, accepted, measured, source = _cells(outcome)
    return (
        f"{_verdict(outcome)}  {where}  {text}: published {published}, measured {measured}, "
        f"accepted {accepted} [{source}]"
    )


def outcome_rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """The verdict and the cells of `HEAD` for each outcome."""
    return [[_verdict(outcome), *_cells(outcome)] for outcome in outcomes]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, whatever is in its cells."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in (head, *cells)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def claims_table(claims: Sequence[Claim], width: int = 100) -> str:
    """Aligned table of what is claimed, before anything is measured."""
    rows = [("claim", "published", "accepted", "source")]
    for claim in claims:
        sizes = "" if set(claim.sizes) == set(SIZES) else f" [--size {' or '.join(claim.sizes)}]"
        published = format_number(claim.published)
        rows.append((_text(claim) + sizes, published, str(claim.accept), claim.source))
    return _aligned(rows, width)


def _aligned(
    rows: Sequence[Sequence[str]],
    width: int,
    verdicts: Sequence[str] | None = None,
    style: Callable[[str], str] = str,
) -> str:
    """Rows in aligned columns, long cells wrapped, each row after its verdict."""
    margin = 6 if verdicts else 2
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*rows)]
    # The first column takes what the others leave.
    widest = max(len(row[0]) for row in rows)
    widths[0] = min(widest, max(24, width - margin - sum(widths[1:]) - 2 * len(widths[1:])))
    lines = []
    for row, verdict in zip(rows, verdicts or [""] * len(rows)):
        cells = [textwrap.wrap(text, w) or [""] for text, w in zip(row, widths)]
        for k in range(max(map(len, cells))):
            parts = [(cell[k] if k < len(cell) else "").ljust(w) for cell, w in zip(cells, widths)]
            word = style(verdict) + " " * (margin - len(verdict)) if k == 0 else " " * margin
            lines.append((word + "  ".join(parts)).rstrip())
    return "\n".join(lines)


def summary(results: Sequence[RunResult]) -> str:
    """One sentence: how many claims hold, how many were not checked."""
    outcomes = [outcome for result in results for outcome in result.outcomes]
    skipped = [claim for result in results for claim in result.skipped]
    passed = sum(outcome.passed for outcome in outcomes)
    text = f"{passed} of {len(outcomes)} claims hold" if outcomes else "no claims were checked"
    if skipped:
        others = sorted({size for claim in skipped for size in claim.sizes})
        text += f"; {len(skipped)} more are checked with --size {' or '.join(others)}"
    changed = sorted({name for result in results for name in result.settings if name != "rng"})
    if outcomes and changed:
        text += f"; the published numbers are not for your {', '.join(changed)}"
    return text + "."


def markdown(circuit: Circuit, result: RunResult) -> str:
    """``claims.md``: the claims of one run, with the paper."""
    settings = "".join(f", `{name} = {value}`" for name, value in result.settings.items())
    lines = [
        f"# {circuit.title}",
        f"{circuit.citation} doi:{circuit.doi}" if circuit.doi else circuit.citation,
        f"Circuit `{circuit.name}`, experiment `{result.experiment}`, "
        f"size `{result.size}`{settings}.",
        summary([result]),
        markdown_table(("", *HEAD), outcome_rows(result.outcomes)),
    ]
    return "\n\n".join(lines)
