"""Pages that neurodyn writes: one HTML file each that opens without network."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ font: 15px/1.5 sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2em 1em .2em 0; text-align: left;
vertical-align: top; }} img {{ max-width: 100%; }} pre {{ background: #f4f4f4; padding: 1em;
overflow: auto; }} .bad {{ color: #b00; }} .good {{ color: #060; }} h2 {{ margin-top: 2em; }}
table.rules td, table.rules th {{ border-top: 1px solid #ddd; }} .cite {{ color: #555; }}
</style></head><body>
<h1>{title}</h1>
<p{bad}>{summary}</p>
{body}
</body></html>"""


def page(title: str, summary: str, parts: Iterable[str], is_bad: bool = False) -> str:
    """A whole page: `title` and `summary` are text, `parts` are HTML."""
    return _PAGE.format(
        title=html.escape(title), summary=html.escape(summary), body="\n".join(parts),
        bad=' class="bad"' if is_bad else "",
    )  # fmt: skip


def png_image(png: bytes, alt: str) -> str:
    """An image that is part of the page."""
    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt, quote=True)}">'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text; a cell ``PASS`` or ``FAIL`` gets its colour."""
    colours = {"PASS": ' class="good"', "FAIL": ' class="bad"'}

    def line(cells: Sequence[str], tag: str) -> str:
        marked = (f"<{tag}{colours.get(c, '')}>{html.escape(c)}</{tag}>" for c in cells)
        return f"<tr>{''.join(marked)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f'<table class="rules">\n{line(head, "th")}\n{body}\n</table>'


def write_text(path: Path, text: str) -> None:
    """Replace a small file, all at once: a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()
