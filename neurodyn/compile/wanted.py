"""What a sweep backwards through a run is to find: part of the text of its module."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

#: Methods that a sweep can go back through.
METHODS = ("euler", "exponential_euler", "heun", "rk4")


@dataclass(frozen=True)
class Wanted:
    """What a sweep finds. Variables are (population, name) by number of the population.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    records : tuple of (int, str)
        Variables that the loss depends on.
    parameters, inputs : tuple of (int, str)
        Whose gradients are wanted.
    couplings : tuple of int
        Rate couplings, by number, the gradients of whose weights are wanted.
    through_time : bool
        Whether cotangents pass from a step to the one before; see `neurodyn.compile.signal_loops`.
    """

    method: str
    records: tuple[tuple[int, str], ...] = ()
    parameters: tuple[tuple[int, str], ...] = ()
    inputs: tuple[tuple[int, str], ...] = ()
    couplings: tuple[int, ...] = ()
    through_time: bool = True

    def key(self) -> str:
        """Canonical text."""
        return json.dumps(asdict(self), sort_keys=True)
