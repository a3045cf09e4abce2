"""Trials that are computed together, and parts of their units that threads share.

A run is cut into blocks of trials, whose workspaces fit the cache. Where there are fewer blocks
than threads, a large spiking network is cut once more: each *part*, a range of the units of every
population, is in the charge of one thread, and the threads wait for each other before spikes can
reach from one part to another. No result depends on either cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import padded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.simulation.spikes import BlockSpikes
    from neurodyn.simulation.synapses import BlockSynapses

#: Parts begin at multiples of this many units: whole cache lines, and whole blocks of random words.
PART_UNITS = 64


class Part:
    """A range of the units of every population, for all trials of a block.

    Parameters
    ----------
    compiled : CompiledNetwork
    units : sequence of slice
        Of each population.
    n_trials, n_scratch : int
        Trials, and slots of the solver for each state.
    """

    def __init__(self, compiled: CompiledNetwork, units, n_trials: int, n_scratch: int):
        self.compiled = compiled
        self.units = tuple(units)
        self.sizes = tuple(u.stop - u.start for u in self.units)
        self.is_whole = self.sizes == compiled.sizes
        self.workspaces = compiled.workspaces(n_trials, n_scratch, self.sizes)

    @property
    def value_arrays(self) -> list[np.ndarray]:
        """Parameters as kernels take them."""
        if self.is_whole:
            return self.compiled.value_arrays
        found, arrays = [], iter(self.compiled.value_arrays)
        for structure, units in zip(self.compiled.structure.populations, self.units, strict=True):
            if structure.scalars:
                found.append(next(arrays))
            if structure.per_unit:
                found.append(padded(next(arrays)[:, units], self.compiled.dtype, mode="edge"))
        return found

    def drive(self, drive: np.ndarray, p: int) -> np.ndarray:
        """The columns of a drive (step, trial, unit or 1) of population `p`."""
        if drive.shape[2] == 1 or self.is_whole:
            return drive
        return np.ascontiguousarray(drive[:, :, self.units[p]])

    def states(self) -> list[np.ndarray]:
        """States (state, trial, unit) of each population, views."""
        populations = self.compiled.structure.populations
        return [
            workspace[: len(p.states), :, :size]
            for workspace, p, size in zip(self.workspaces, populations, self.sizes, strict=True)
        ]

    def put(self, state: Mapping[str, np.ndarray]) -> None:
        """Write named states ``(trial, unit)`` of whole populations."""
        for name, values in state.items():
            p, slot = self.compiled.slot(name)
            self.workspaces[p][slot][..., : self.sizes[p]] = values[..., self.units[p]]

    def take(self, name: str) -> np.ndarray:
        """A named state ``(trial, unit)`` of this part's units, a view."""
        p, slot = self.compiled.slot(name)
        return self.workspaces[p][slot][..., : self.sizes[p]]


@dataclass
class Block:
    """Trials that are computed together.

    Attributes
    ----------
    trials : slice
    parts : list of Part
    keys : ndarray of uint32, (trial, 2)
        Of the random streams.
    normals : tuple of ndarray
        Scratch of the generator of normal numbers.
    control : ndarray, (4,)
        What an adaptive solver keeps from call to call.
    spikes : BlockSpikes or None
        Spikes of a network that has any.
    synapses : dict of int to BlockSynapses
        Of each plastic coupling.
    """

    trials: slice
    parts: list[Part]
    keys: np.ndarray
    normals: tuple[np.ndarray, np.ndarray]
    control: np.ndarray
    spikes: BlockSpikes | None = None
    synapses: dict[int, BlockSynapses] = field(default_factory=dict)

    def take(self, name: str) -> np.ndarray:
        """A named state ``(trial, unit)`` of all units."""
        return np.concatenate([part.take(name) for part in self.parts], axis=-1)

    def snapshot(self):
        """Everything that a run changes, as a copy."""
        states = [[s.copy() for s in part.states()] for part in self.parts]
        spikes = self.spikes.snapshot() if self.spikes else None
        return states, self.control.copy(), spikes, [a.copy() for a in self._plastic()]

    def restore(self, snapshot) -> None:
        """Go back to a snapshot."""
        states, control, spikes, plastic = snapshot
        for part, saved in zip(self.parts, states, strict=True):
            for state, value in zip(part.states(), saved, strict=True):
                state[...] = value
        self.control[:] = control
        if self.spikes:
            self.spikes.restore(spikes)
        for array, value in zip(self._plastic(), plastic, strict=True):
            array[...] = value

    def _plastic(self) -> list[np.ndarray]:
        return [array for s in self.synapses.values() for array in s.values.values()]

    def is_finite(self) -> bool:
        """Whether all states are, and the solver did not give up."""
        states = (s for part in self.parts for s in part.states())
        everything = (*states, *self._plastic())
        return self.control[3] == 0 and all(np.isfinite(s).all() for s in everything)


def cut_units(sizes, n_parts: int) -> list[tuple[slice, ...]]:
    """Ranges of units of each population, `n_parts` of nearly equal size."""
    bounds = []
    for size in sizes:
        whole = -(-size // PART_UNITS)
        edges = [min(size, PART_UNITS * round(k * whole / n_parts)) for k in range(n_parts + 1)]
        bounds.append(edges)
    return [tuple(slice(b[k], b[k + 1]) for b in bounds) for k in range(n_parts)]

