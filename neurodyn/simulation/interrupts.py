"""Ctrl-C during a run: taken as a wish that the loop looks at between chunks."""

from __future__ import annotations

import contextvars
import signal
import threading
from contextlib import contextmanager

#: Whether Ctrl-C leaves `simulate` as KeyboardInterrupt.
raise_interrupts = contextvars.ContextVar("raise_interrupts", default=False)


class Interrupts:
    """While this context is open, the first Ctrl-C sets `came`; the next one raises as usual.

    An exception in the midst of a chunk would leave inputs drawn and states advanced by different
    numbers of steps. What the program has installed for SIGINT is still called, and has its way
    unless it raises KeyboardInterrupt. Signals reach only the main thread; in others this does
    nothing.

    Attributes
    ----------
    came : bool
    """

    def __init__(self):
        self.came = False
        self._handler = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):  # neither ignored nor left to the operating system
                self._handler = handler
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)

    def _note(self, number, frame) -> None:
        try:
            self._handler(number, frame)
        except KeyboardInterrupt:
            if self.came:
                raise
            self.came = True


@contextmanager
def interrupts_raise():
    """Within this context Ctrl-C leaves `simulate` as KeyboardInterrupt, as programs want it."""
    token = raise_interrupts.set(True)
    try:
        yield
    finally:
        raise_interrupts.reset(token)
