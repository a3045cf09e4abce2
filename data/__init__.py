"""Published tables and reference values, each with its source.

Files (csv, json, npz) stand beside this one and are read with ``importlib.resources.files``, so
that they are found in a checkout and in an installed wheel alike; `load_table` reads the tables.
Every file names where its numbers are published; data that may not be redistributed do not belong
here.
"""

from __future__ import annotations

# Reached as `data`, a file would be found in a checkout and missing after installation.
if __name__ != "neurodyn.data":
    raise ImportError("import neurodyn.data, not data")


def load_table(name: str) -> list[dict[str, str | float]]:
    """The rows of a published table.

    Parameters
    ----------
    name : str
        The file's name without ``.csv``: ``"brunel_2000"``. Its first lines, which begin with
        ``#``, say where the numbers are from and what the columns mean.

    Returns
    -------
    list of dict
        A row each, by the names of the columns. What reads as a number is a float, an empty field
        NaN, the rest text.

    Raises
    ------
    ValueError
        If there is no such table, with those that there are; if a row has too few or many fields.

    Examples
    --------
    >>> [(row["state"], row["g"]) for row in load_table("brunel_2000")]
    [('SR', 3.0), ('SI fast', 6.0), ('AI', 5.0), ('SI slow', 4.5)]
    """
    import csv
    from importlib.resources import files

    folder = files(__name__)
    known = sorted(f.name[: -len(".csv")] for f in folder.iterdir() if f.name.endswith(".csv"))
    if name not in known:
        from difflib import get_close_matches

        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known)}"
        raise ValueError(f"there is no table {name!r}{hint}")
    lines = (folder / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    head, *rows = csv.reader(line for line in lines if line and not line.startswith("#"))
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"table {name!r}: {row} must have {len(head)} fields, {head}")
    return [dict(zip(head, map(_value, row))) for row in rows]


def _value(field: str) -> str | float:
    if not field.strip():
        return float("nan")
    try:
        return float(field)
    except ValueError:
        return field.strip()
