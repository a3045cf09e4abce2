"""How far a sweep is: a bar with the failures and the time left, or lines in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

#: Between two lines where there is no terminal, s.
LINE_EVERY = 60.0


class Progress:
    """Counts tasks.

    Parameters
    ----------
    total, done : int
        Tasks of the sweep, and how many were done before.
    show : bool
    """

    def __init__(self, total: int, done: int, show: bool):
        self.total, self.done, self.before, self.failed = total, done, done, 0
        self._started = self._line = time.monotonic()
        self._bar: Any = None
        self._lines = show and not sys.stderr.isatty()
        if show and not self._lines:
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, unit="task", smoothing=0.05)

    def one(self, failed: bool) -> None:
        """One more task has ended."""
        self.done += not failed
        self.failed += failed
        if self._bar is not None:
            self._bar.update()
            if failed:
                self._bar.set_postfix_str(f"{self.failed} failed")
        elif self._lines and time.monotonic() - self._line > LINE_EVERY:
            self._line = time.monotonic()
            print(self.text(), file=sys.stderr, flush=True)

    def text(self) -> str:
        """For example ``"12 of 40 done, 1 failed, about 2 min left"``."""
        ended = self.done - self.before + self.failed
        rest = self.total - self.done - self.failed
        text = f"{self.done} of {self.total} done, {self.failed} failed"
        if ended and rest > 0:
            seconds = (time.monotonic() - self._started) / ended * rest
            text += f", about {duration(seconds)} left"
        return text

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(0.0123), duration(95), duration(4000), duration(2e6)
    ('0.0123 s', '2 min', '1.1 h', '23.1 days')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} days"
