"""One task: call the experiment, take its result apart, measure what it cost."""

from __future__ import annotations

import os
import shutil
import time
import traceback
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.sweeps.folder import SweepFolder, hex_identity, sync_folder
from neurodyn.sweeps.plan import Plan
from neurodyn.sweeps.shards import Finished, Result, take_apart

if TYPE_CHECKING:
    import xarray as xr


class CodeChanged(RuntimeError):
    """The code on this machine is not that of the sweep."""


class Tasks:
    """Runs tasks of a sweep in this process.

    Parameters
    ----------
    folder : SweepFolder

    Attributes
    ----------
    plan : Plan
    interrupted : bool
        Set by a signal handler: a KeyboardInterrupt is then the user's, not the experiment's.
    """

    def __init__(self, folder: SweepFolder):
        self.folder, self.plan = folder, folder.read_plan()
        self.interrupted = False

    @property
    def version(self) -> str:
        return self.plan.versions[-1]

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The experiment, imported."""
        return self.plan.target.load()

    def check_code(self) -> None:
        """Raise CodeChanged if this process would compute with other code."""
        from neurodyn.sweeps.code_version import code_version

        here = code_version(self.plan.target)
        if here.hash != self.version:
            found = here.differences(self.folder.read_code(self.version))
            raise CodeChanged(f"the code here is not that of the sweep: {'; '.join(found[:8])}")

    def run(self, task: int) -> Finished:
        """Run one task; an error of the experiment becomes its failure.

        Raises
        ------
        KeyboardInterrupt
            If `interrupted` was set meanwhile.
        OSError
            If its store could not be put in place.
        """
        (identity,) = self.plan.identities(self.version, [task])
        store = self.folder.streams / f".{hex_identity(identity)}.{os.getpid()}.zarr"
        _reset_peak_memory()
        started, wall, cpu = time.time(), time.perf_counter(), time.process_time()
        result = failure = None
        try:
            result = self._call(task, store)
        except BaseException as error:
            if self.interrupted:
                shutil.rmtree(store, ignore_errors=True)
                raise KeyboardInterrupt from None
            failure = describe_failure(self.plan, task, error)
            del error
        cost = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu,
                "memory": peak_memory(), "started": started}  # fmt: skip
        if "store" in self.plan.reserved:
            self._keep(store, identity if failure is None else None)
        return Finished(identity, result, failure, **cost)

    def _call(self, task: int, store: Path) -> Result:
        from neurodyn.simulation import interrupts_raise

        arguments = self.plan.arguments(task)
        if "progress" in self.plan.reserved:
            arguments["progress"] = False
        if "store" in self.plan.reserved:
            shutil.rmtree(store, ignore_errors=True)
            arguments["store"] = store
        with interrupts_raise():
            ds = self.function(**arguments)
        if not hasattr(ds, "data_vars"):
            raise TypeError(
                f"{self.plan.target.name} must return an xarray.Dataset; got {type(ds).__name__}"
            )
        streamed = _stored(store)
        ds = self._without_grid(ds.drop_vars([name for name in ds.variables if name in streamed]))
        return take_apart(ds, streamed)

    def _without_grid(self, ds: xr.Dataset) -> xr.Dataset:
        """Without the scalar coordinates that repeat the grid; other uses of its names clash."""
        names = [name for name in self.plan.dims if name in ds.variables or name in ds.dims]
        for name in names:
            if name in ds.dims or name in ds.data_vars:
                raise ValueError(
                    f"the result has a dimension or variable {name!r}, and so has the sweep; "
                    "rename it in the experiment"
                )
        return ds.drop_vars(names)

    def _keep(self, store: Path, identity: np.ndarray | None) -> None:
        """Give a finished store its name, or remove that of a failed task."""
        if not store.exists():
            return
        if identity is None:
            shutil.rmtree(store, ignore_errors=True)
            return
        for path in store.rglob("*"):
            if path.is_file():
                with open(path, "rb+") as file:
                    os.fsync(file.fileno())
        target = self.folder.stream(identity)
        shutil.rmtree(target, ignore_errors=True)  # of an attempt whose result was not saved
        os.rename(store, target)
        sync_folder(target.parent)


def _stored(store: Path) -> dict[str, Any]:
    """The variables in a task's store, not read."""
    if not store.exists():
        return {}
    from neurodyn.results import load

    ds = load(store, lazy=True)
    return {str(name): variable for name, variable in ds.data_vars.items() if variable.ndim}


def describe_failure(plan: Plan, task: int, error: BaseException) -> dict[str, Any]:
    """What is kept of an error, in JSON's types."""
    frames = traceback.extract_tb(error.__traceback__)
    inner = [k for k, frame in enumerate(frames) if frame.filename != __file__]
    text = "".join(traceback.format_list(frames[inner[0]:] if inner else frames))
    text += "".join(traceback.format_exception_only(error))
    if error.__cause__ is not None or error.__context__ is not None:
        text = "".join(traceback.format_exception(error))
    return {
        "task": plan.describe(task),
        "error": f"{type(error).__name__}: {error}"[:2000],
        "traceback": text[-20000:],
        "when": time.time(),
    }


def _reset_peak_memory() -> None:
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass  # not Linux: the peak is then that of the process so far


def peak_memory() -> int:
    """Largest resident memory since the task began, bytes."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
