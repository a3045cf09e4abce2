"""What an unrolled run is cut into: segments of steps, and blocks of trials."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Segment:
    """Steps ``start`` to ``stop``; ``window`` is where its window begins, and ``ends`` that one."""

    start: int
    stop: int
    window: int
    ends: bool


@dataclass
class Block:
    """Trials that are computed together, and their arrays."""

    trials: slice
    workspaces: list[np.ndarray]
    tapes: list[np.ndarray]
    cotangents: list[np.ndarray]
    deltas: dict[int, np.ndarray]
    gradients: dict[int, np.ndarray]
    normals: tuple[np.ndarray, np.ndarray]
    keys: np.ndarray
    checkpoints: list[list[np.ndarray]] = field(default_factory=list)
    final: dict[str, np.ndarray] = field(default_factory=dict)
    on_tape: int = -1  # number of the segment that is on the tape
    recomputed: int = 0  # steps that were computed again

    @property
    def n_trials(self) -> int:
        return self.trials.stop - self.trials.start
