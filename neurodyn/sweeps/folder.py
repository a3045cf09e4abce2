"""The folder of a sweep: what is in it, who may write to it, and which tasks are done.

::

    sweep.json          the plan
    code/<hash>.json    each code version that results were computed with
    results/*.npz       the results, many tasks a file
    streams/*.zarr      what single tasks streamed to disk, named by their identity
    damaged/            files that were found damaged and are not counted
    logs/               what workers printed

Only `results/` decides what is done: it is read anew each time, and no other file can contradict
it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodyn import _pages
from neurodyn.experiments import InputError
from neurodyn.sweeps.code_version import CodeVersion, code_version
from neurodyn.sweeps.plan import Plan
from neurodyn.sweeps.shards import SUFFIX, DamagedShard, Shard, sync_folder

PLAN, LOCK = "sweep.json", ".lock"
#: A job of an array may start before its submission has let the folder go; it waits so long, s.
SHARE_WAITS = 60.0
#: The workers of a sweep that was killed need a moment to save what they have and leave, s.
OTHERS_WAIT = 3.0


class SweepFolder:
    """Paths in the folder of a sweep.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.results, self.streams = self.path / "results", self.path / "streams"
        self.damaged, self.logs = self.path / "damaged", self.path / "logs"

    def read_plan(self) -> Plan:
        """The plan in the folder.

        Raises
        ------
        InputError
            If it holds no sweep.
        """
        try:
            return Plan.from_json(json.loads((self.path / PLAN).read_text()))
        except FileNotFoundError:
            raise InputError(f"there is no sweep in the folder {self.path}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path / PLAN} cannot be read: {error}") from error

    def read_code(self, version: str) -> CodeVersion:
        """A code version that results in the folder were computed with."""
        return CodeVersion(**json.loads((self.path / "code" / f"{version}.json").read_text()))

    def prepare(self, plan: Plan, *, force: bool = False, extend: bool = False) -> Plan:
        """Make the folder ready for a plan, or continue the one that is in it.

        Parameters
        ----------
        plan : Plan
        force : bool
            Continue although the code has changed; the results of both versions then count.
        extend : bool
            Allow a plan that has more points or seeds than the one in the folder.

        Returns
        -------
        Plan
            With its code versions.

        Raises
        ------
        InputError
            If the folder holds something else, or the code has changed.
        """
        version = code_version(plan.target)
        versions: tuple[str, ...] = ()
        if (self.path / PLAN).exists():
            earlier = self.read_plan()
            differences = plan.differences(earlier)
            if differences and not (extend and plan.extends(earlier)):
                hint = "choose another folder"
                if plan.extends(earlier):
                    hint += ", or add to the sweep that is there (`extend=True`, --extend)"
                raise InputError(
                    f"the folder {self.path} holds another sweep: {'; '.join(differences)}; {hint}"
                )
            self._check_version(version, earlier, force)
            versions = tuple(v for v in earlier.versions if v != version.hash)
        elif self.path.exists() and any(p.name != LOCK for p in self.path.iterdir()):
            raise InputError(
                f"`folder` is a folder with other files in it, they are left alone: {self.path}; "
                "choose a new folder"
            )
        plan = replace(plan, versions=(*versions, version.hash))
        for folder in (self.results, self.streams, self.logs, self.path / "code"):
            folder.mkdir(parents=True, exist_ok=True)
        code = {"files": version.files, "packages": version.packages}
        write_text(self.path / "code" / f"{version.hash}.json", json.dumps(code, indent=1))
        write_text(self.path / PLAN, json.dumps(plan.to_json(), indent=1))
        return plan

    def _check_version(self, version: CodeVersion, earlier: Plan, force: bool) -> None:
        if version.hash == earlier.versions[-1] or force:
            return
        found = version.differences(self.read_code(earlier.versions[-1]))
        shown = found[:8] + ([f"and {len(found) - 8} more"] if len(found) > 8 else [])
        raise InputError(
            f"the code has changed since the first part of the sweep in {self.path}: "
            f"{'; '.join(shown)}; begin anew in another folder, or continue and mix both versions "
            "(`force=True`, --force)"
        )

    @contextmanager
    def lock(self, shared: bool = False) -> Iterator[int]:
        """Keep other sweeps out of the folder; the descriptor, which workers inherit.

        The operating system gives the lock back when the last process that has it is gone, however
        it ended. Array jobs, which know of each other, share it.

        Raises
        ------
        InputError
            If another sweep is running in the folder.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            end = time.monotonic() + (SHARE_WAITS if shared else OTHERS_WAIT)
            while not _try_lock(descriptor, shared):
                if time.monotonic() > end:
                    owner = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
                    raise InputError(
                        f"another sweep is running in the folder {self.path} "
                        f"({owner or 'by an unknown process'}); wait for it, or stop it"
                    )
                time.sleep(0.2)
            text = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
            with suppress(OSError):  # a full disk is noticed where it matters
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, text, 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def clean(self, streams: bool = True) -> None:
        """Remove what killed workers left unfinished; nobody may be at work."""
        for path in self.results.glob(f".*{SUFFIX}.tmp"):
            path.unlink(missing_ok=True)
        if streams:
            for path in self.streams.glob(".*"):
                shutil.rmtree(path, ignore_errors=True)

    def stream(self, identity: np.ndarray) -> Path:
        """Where a task's own store is kept."""
        return self.streams / f"{hex_identity(identity)}.zarr"


def _try_lock(descriptor: int, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def hex_identity(identity: np.ndarray) -> str:
    """32 hexadecimal digits."""
    return f"{int(identity[0]):016x}{int(identity[1]):016x}"


def write_text(path: Path, text: str) -> None:
    """Replace a small file, all at once, and know that it is on the disk."""
    _pages.write_text(path, text)
    sync_folder(path.parent)


@dataclass
class State:
    """Which tasks are done, and where their results are.

    Attributes
    ----------
    shard, row : int array, (task,)
        Which of `shards`, and which row of its tasks; -1 where nothing is there.
    failures : dict of int to dict
        By task, the last failure of those that have no result.
    shards : list of Shard
    damaged : list of DamagedShard
        Files that could not be read.
    strangers : int
        Results that are of no task of the plan.
    twice : int
        Results that were there before: harmless, but work done for nothing.
    """

    shard: np.ndarray
    row: np.ndarray
    failures: dict[int, dict[str, Any]] = field(default_factory=dict)
    shards: list[Shard] = field(default_factory=list)
    damaged: list[DamagedShard] = field(default_factory=list)
    strangers: int = 0
    twice: int = 0

    @property
    def done(self) -> np.ndarray:
        """Bool, (task,)."""
        return self.shard >= 0

    def pending(self, retry: bool = False) -> np.ndarray:
        """Tasks to compute: those with neither result nor failure; the failed ones if `retry`."""
        wanted = ~self.done
        if not retry:
            wanted[list(self.failures)] = False
        return np.flatnonzero(wanted)


def read_state(
    folder: SweepFolder, plan: Plan, *, check: bool = False, only: Sequence[Path] | None = None
) -> State:
    """Look through the results.

    Parameters
    ----------
    folder : SweepFolder
    plan : Plan
    check : bool
        Compare the checksums of all values too.
    only : sequence of Path
        These files instead of all.
    """
    state = State(np.full(plan.size, -1, np.int32), np.full(plan.size, -1, np.int32))
    find = _Finder(plan)
    attempts: dict[int, float] = {}
    for path in sorted(folder.results.glob(f"*{SUFFIX}")) if only is None else only:
        try:
            shard = Shard.open(path, check)
        except DamagedShard as error:
            state.damaged.append(error)
            continue
        tasks = find(shard.tasks["identity"])
        state.strangers += int((tasks < 0).sum())
        number = len(state.shards)
        state.shards.append(shard)
        good = (tasks >= 0) & (shard.tasks["structure"] >= 0)
        for row in np.flatnonzero(good):
            if not _has_stream(folder, shard, row):
                good[row] = False
        new = good & (state.shard[tasks] < 0)
        state.twice += int((good & ~new).sum())
        state.shard[tasks[new]], state.row[tasks[new]] = number, np.flatnonzero(new)
        for row in np.flatnonzero((tasks >= 0) & (shard.tasks["structure"] < 0)):
            task, when = int(tasks[row]), float(shard.tasks["started"][row])
            if when >= attempts.get(task, -np.inf):
                attempts[task] = when
                state.failures[task] = shard.index["failures"][shard.tasks["row"][row]]
    for task in [task for task in state.failures if state.done[task]]:
        del state.failures[task]
    return state


def _has_stream(folder: SweepFolder, shard: Shard, row: int) -> bool:
    """Whether the store of a task is whole, if it has one."""
    structure = shard.index["structures"][shard.tasks["structure"][row]]
    if not any(entry["streamed"] for entry in structure.values()):
        return True
    identity = shard.tasks["identity"][row]
    kept = shard.index.get("streams", {}).get(hex_identity(identity))
    return kept is not None and kept == measure_store(folder.stream(identity))


def measure_store(path: Path) -> list[int]:
    """Number of files of a store, and of bytes in them."""
    sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    return [len(sizes), sum(sizes)]


class _Finder:
    """Numbers of tasks by identity, under all code versions that count."""

    def __init__(self, plan: Plan):
        found = [plan.identities(version) for version in plan.versions]
        identities = np.concatenate(found) if found else np.empty((0, 2), np.uint64)
        self.order = np.argsort(identities[:, 0], kind="stable")
        self.first, self.second = identities[self.order].T
        self.size = plan.size

    def __call__(self, identities: np.ndarray) -> np.ndarray:
        """Task of each identity, -1 for a stranger."""
        if self.first.size == 0 or len(identities) == 0:
            return np.full(len(identities), -1)
        at = np.searchsorted(self.first, identities[:, 0]).clip(0, self.first.size - 1)
        same = (self.first[at] == identities[:, 0]) & (self.second[at] == identities[:, 1])
        return np.where(same, self.order[at] % self.size, -1)


def put_aside(folder: SweepFolder, damaged: Sequence[DamagedShard]) -> None:
    """Move damaged files away, so that they are neither counted nor lost."""
    for error in damaged:
        folder.damaged.mkdir(exist_ok=True)
        os.replace(error.path, folder.damaged / error.path.name)
