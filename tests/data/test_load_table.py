"""Published tables: read alike from a checkout and a wheel, with their sources."""

import math
from importlib.resources import files

import pytest

from neurodyn.data import load_table

TABLES = sorted(f.name[:-4] for f in files("neurodyn.data").iterdir() if f.name.endswith(".csv"))


def test_numbers_text_and_gaps():
    rows = {row["state"]: row for row in load_table("brunel_2000")}
    assert list(rows) == ["SR", "SI fast", "AI", "SI slow"]
    assert rows["SI fast"]["rate_hz"] == 60.7 and isinstance(rows["SI fast"]["g"], float)
    assert rows["SI slow"]["name"] == "synchronous irregular, slow oscillation"
    assert math.isnan(rows["SR"]["rate_hz"])


@pytest.mark.parametrize("name", TABLES)
def test_every_table_names_its_source(name):
    """A header that names a paper by its DOI, and rows that are as long as the head."""
    text = (files("neurodyn.data") / f"{name}.csv").read_text()
    header = [line for line in text.splitlines() if line.startswith("#")]
    assert any("doi:10." in line for line in header)
    rows = load_table(name)
    assert rows and all(row.keys() == rows[0].keys() for row in rows)


def test_an_unknown_table():
    with pytest.raises(ValueError, match="no table 'brunel2000'; did you mean 'brunel_2000'"):
        load_table("brunel2000")
    with pytest.raises(ValueError, match="no table 'xyz'; there are: brette_2007, "):
        load_table("xyz")


def test_a_row_of_the_wrong_length(monkeypatch, tmp_path):
    (tmp_path / "bad.csv").write_text("# doi:10.0/0\na,b\n1,2\n3\n")
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=r"table 'bad': \['3'\] must have 2 fields"):
        load_table("bad")
