"""What stands in the way of a conversion, collected, so that one error names it all."""

from __future__ import annotations


class ConversionError(ValueError):
    """A network has parts that the other side cannot express.

    Attributes
    ----------
    obstacles : tuple of (str, str)
        Name of each such part, and why.
    """

    def __init__(self, message: str, obstacles: tuple[tuple[str, str], ...]):
        super().__init__(message)
        self.obstacles = obstacles

    def __reduce__(self):
        return ConversionError, (str(self), self.obstacles)


class Obstacles:
    """The obstacles that were met so far; conversion goes on to find the others."""

    def __init__(self):
        self.found: dict[tuple[str, str], None] = {}  # in order, each once

    def add(self, name: str, reason: str) -> None:
        """Remember that the part `name` cannot be converted."""
        self.found[name, reason] = None

    def __bool__(self) -> bool:
        return bool(self.found)

    def check(self, sentence: str) -> None:
        """Raise a `ConversionError` that begins with `sentence`, if there are any."""
        if self.found:
            lines = [f"  {name}: {reason}" for name, reason in self.found]
            raise ConversionError("\n".join([f"{sentence}:", *lines]), tuple(self.found))
