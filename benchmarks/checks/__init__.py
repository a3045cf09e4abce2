"""Are the tools' answers right? `rate` and `spiking` compare them, in the run that times them."""

from __future__ import annotations

from dataclasses import dataclass

#: Standard errors that a statistical comparison may be off.
STANDARD_ERRORS = 5.0


@dataclass(frozen=True)
class Check:
    """One comparison: what, how far off, and how far it may be."""

    what: str
    found: float
    allowed: float

    @property
    def passed(self) -> bool:
        return bool(self.found <= self.allowed)  # a nan fails
