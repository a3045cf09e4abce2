"""The rows of the tables: `rate` and `spiking` networks beside other tools, `alone` without any."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from report import Report


@dataclass
class Bench:
    """One call: how often things are measured, where files go, and the report that rows fill."""

    rounds: int
    quick: bool
    folder: Path
    report: Report

    def note(self, text: str) -> None:
        """Say something now, and once in the report."""
        say(text)
        if text not in self.report.notes:
            self.report.notes.append(text)


def say(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
