"""Recorded spikes, in memory or on disk, and the rates of populations.

Spikes come call by call, sorted by step; they leave as flat arrays sorted by trial, then time, then
unit. A store on disk gets one file for each call and population, written under another name first,
so that everything up to a crash can be read; at the end they become arrays of the Zarr store, one
trial after the other, in bounded memory.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.simulation.spikes import Spikes

if TYPE_CHECKING:
    from neurodyn.simulation.recording import Recording

#: Folder in a Zarr store in which the spikes of an unfinished run are.
UNFINISHED = "unfinished_spikes"


class PopulationRates:
    """Counts of spikes in bins of `every` steps, for the rates of populations.

    Parameters
    ----------
    sizes : dict of str to int
        Populations that are wanted, and how many units they have.
    n_trials : int
    dt : float, s
    every : int
        Steps a bin; bin k begins with step k * every.
    """

    def __init__(self, sizes: dict[str, int], n_trials: int, dt: float, every: int):
        self.sizes, self.n_trials, self.dt, self.every = sizes, n_trials, dt, every
        self.counts: dict[str, list[np.ndarray]] = {name: [] for name in sizes}

    def add(self, name: str, spikes: Spikes) -> None:
        """Count spikes that come in the order of steps."""
        if name not in self.counts or not spikes.step.size:
            return
        bins = spikes.step // self.every
        first = int(bins.min())
        table = np.zeros((int(bins.max()) - first + 1, self.n_trials), np.int64)
        np.add.at(table, (bins - first, spikes.trial), 1)
        self.counts[name].append((first, table))

    def variables(self, first_step: int, n_steps: int) -> dict[str, tuple]:
        """Rates (trial, time), Hz; a bin that the run covers in part counts for that part."""
        first = -(-first_step // self.every)
        last = -(-(first_step + n_steps) // self.every)
        begin = np.arange(first, last) * self.every
        covered = np.minimum(begin + self.every, first_step + n_steps) - begin
        found = {}
        for name, size in self.sizes.items():
            total = np.zeros((self.n_trials, last - first))
            for start, table in self.counts[name]:
                skipped = max(0, first - start)  # a bin that an earlier run began
                table = table[skipped:]
                at = start + skipped - first
                total[:, at : at + len(table)] += table.T
            rate = total / (size * self.dt * covered)
            text = {"units": "Hz", "long_name": f"{name}.spike_rate"}
            found[f"{name}.spike_rate"] = (("trial", "time"), rate, text)
        return found


class SpikeMemory:
    """Keeps recorded spikes in memory.

    Parameters
    ----------
    recording : Recording
    sizes : dict of str to int
        Units of each population.
    n_trials : int
    dt : float, s
    every : int
        Steps a bin of the population rates.
    """

    def __init__(self, recording: Recording, sizes, n_trials: int, dt: float, every: int, _=None):
        self.units = recording.spikes
        self.sizes, self.n_trials, self.dt = sizes, n_trials, dt
        self.rates = PopulationRates(
            {name: sizes[name] for name in recording.rates}, n_trials, dt, every
        )
        self.pieces: dict[str, list[Spikes]] = {name: [] for name in self.units}

    def wants(self, name: str) -> bool:
        """Whether anything about the spikes of a population is recorded."""
        return name in self.units or name in self.rates.sizes

    def add(self, name: str, spikes: Spikes) -> None:
        """Take the spikes of one call."""
        self.rates.add(name, spikes)
        if name in self.units:
            self.keep(name, self._chosen(name, spikes))

    def keep(self, name: str, spikes: Spikes) -> None:
        """Keep spikes for the recording."""
        if spikes.step.size:
            self.pieces[name].append(spikes)

    def finished(self) -> None:
        """Tell that a call is over."""

    def _chosen(self, name: str, spikes: Spikes) -> Spikes:
        chosen = self.units[name]
        if chosen is None:
            return spikes
        wanted = np.zeros(self.sizes[name], bool)
        wanted[chosen] = True
        here = wanted[spikes.unit]
        return Spikes(*(array[here] for array in spikes))

    def variables(self, first_step: int, n_steps: int) -> dict[str, tuple]:
        """Variables of the Dataset: spike times, units and trials, and population rates."""
        found = {}
        for name, pieces in self.pieces.items():
            empty = Spikes(*(np.empty(0, np.int64) for _ in Spikes._fields))
            columns = zip(*(pieces or [empty]), strict=True)
            spikes = Spikes(*(np.concatenate(arrays) for arrays in columns))
            if self.n_trials > 1:
                order = np.lexsort((spikes.unit, spikes.step, spikes.trial))
                spikes = Spikes(*(array[order] for array in spikes))
            found |= spike_variables(name, spikes, self.dt, self.sizes[name], self.units[name])
        return found | self.rates.variables(first_step, n_steps)


def spike_variables(
    name: str, spikes: Spikes, dt: float, size: int, recorded: np.ndarray | None
) -> dict[str, tuple]:
    """Recorded spikes of a population as variables of a Dataset; `recorded` are its units."""
    about = {"n_units": size}
    if recorded is not None:
        about["recorded_units"] = [int(unit) for unit in recorded]
    dims = (f"{name}.spike",)
    values = {
        "time": (spikes.step * dt, "s"),
        "unit": (spikes.unit.astype(np.int64), "1"),
        "trial": (spikes.trial.astype(np.int64), "1"),
    }
    return {
        f"{name}.spike_{what}": (
            dims,
            array,
            {"units": unit, "long_name": f"{what} of the spikes of {name}", **about},
        )
        for what, (array, unit) in values.items()
    }


class SpikeStore(SpikeMemory):
    """Writes recorded spikes to disk as they come.

    Parameters are those of `SpikeMemory`, and the folder of the Zarr store.
    """

    def __init__(self, recording: Recording, sizes, n_trials: int, dt: float, every: int, store):
        super().__init__(recording, sizes, n_trials, dt, every)
        self.folder = Path(store) / UNFINISHED
        self.number = 0

    def finished(self) -> None:
        """Write what has come since the last time, one file a population."""
        for name, pieces in self.pieces.items():
            if pieces:
                columns = zip(*pieces, strict=True)
                write_piece(
                    self.folder, name, self.number, Spikes(*(np.concatenate(c) for c in columns)),
                    self.dt, self.sizes[name], self.units[name],
                )  # fmt: skip
                pieces.clear()
        self.number += 1

    def variables(self, stream, first_step: int, n_steps: int) -> dict[str, tuple]:
        """Move the spikes into arrays of the store; returns what is not there yet, the rates."""
        self.finished()
        for name in self.units:
            paths = sorted(self.folder.glob(f"{_file_name(name)}.*.npz"))
            n_spikes = sum(_count(path) for path in paths)
            variables = spike_variables(
                name, Spikes(*(np.empty(0, np.int64),) * 3), self.dt, self.sizes[name],
                self.units[name],
            )  # fmt: skip
            stream.put_long(variables, n_spikes, self._by_trial(name, paths))
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.rates.variables(first_step, n_steps)

    def _by_trial(self, name: str, paths: list[Path]) -> Iterator[dict[str, np.ndarray]]:
        """Pieces of the variables, trial after trial, in the order of time."""
        for trial in range(self.n_trials):
            for path in paths:
                spikes = read_piece(path)
                here = spikes.trial == trial
                if here.any():
                    part = Spikes(*(array[here] for array in spikes))
                    variables = spike_variables(name, part, self.dt, self.sizes[name], None)
                    yield {key: values for key, (_, values, _) in variables.items()}


def _file_name(name: str) -> str:
    return name.replace("/", "%2F")


def write_piece(
    folder: Path, name: str, number: int, spikes: Spikes, dt: float, size: int, recorded
) -> None:
    """Write the spikes of one call, so that the file is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_file_name(name)}.{number:08d}.npz"
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        about = {"dt": dt, "size": size}
        if recorded is not None:
            about["recorded"] = recorded
        np.savez(file, **about, **spikes._asdict())
    os.replace(temporary, path)


def read_piece(path: Path) -> Spikes:
    with np.load(path) as stored:
        return Spikes(*(stored[field] for field in Spikes._fields))


def _count(path: Path) -> int:
    with np.load(path) as stored:
        return stored["step"].size


def unfinished_variables(store: Path) -> dict[str, tuple]:
    """Spikes of a run that did not come to its end, as variables of a Dataset."""
    folder = Path(store) / UNFINISHED
    found = {}
    paths: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.npz")):
        paths.setdefault(path.name.split(".")[0], []).append(path)
    for file_name, pieces in paths.items():
        with np.load(pieces[0]) as stored:
            dt, size = float(stored["dt"]), int(stored["size"])
            recorded = stored["recorded"] if "recorded" in stored else None
        columns = zip(*map(read_piece, pieces), strict=True)
        spikes = Spikes(*(np.concatenate(arrays) for arrays in columns))
        order = np.lexsort((spikes.unit, spikes.step, spikes.trial))
        spikes = Spikes(*(array[order] for array in spikes))
        found |= spike_variables(file_name.replace("%2F", "/"), spikes, dt, size, recorded)
    return found
