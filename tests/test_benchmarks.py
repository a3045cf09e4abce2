"""The lines of the table that `make bench` prints, from made-up times."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_a_program_is_compared_whole_and_its_time_loop_beside(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from driver import Seconds
    from rows.spiking import _against

    ours = Seconds([1.0, 1.0], [1.0, 1.0], 0, 0.0, 0.0, {})
    theirs = Seconds([3.0, 3.0], [3.0, 3.0], 0, 0.0, 0.0, {"program_cpu": [5.0, 5.0]})
    program, loop = _against("S1", "CPU time", ">= 4", theirs, ours)
    assert program.reached.median == pytest.approx(5)
    assert program.verdict == "PASS"
    assert loop.reached.median == pytest.approx(3)
    assert loop.verdict == ""
