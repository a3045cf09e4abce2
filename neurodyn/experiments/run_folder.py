"""The folder of a run: which may be written to, and how its files are replaced all at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from neurodyn.experiments.settings import InputError

#: Says that a folder is ours to overwrite.
MARKER = ".neurodyn-run"
_MARKER_TEXT = "A run of neurodyn. Running again with the same folder overwrites its own files.\n"
#: Everything that a run may leave; what the newest run did not make again is removed.
FILES = ("dataset.nc", "dataset.zarr", "figure.png", "claims.md", "claims.json", "provenance.json")


def prepare(folder: Path) -> list[Path]:
    """Make `folder` ready for a run; the folders that had to be made, innermost first.

    Raises
    ------
    InputError
        If something is there that no run has made. Nothing is changed then.
    OSError
        If it cannot be written to.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    if folder.exists():
        if not folder.is_dir():
            raise InputError(f"`out` must be a folder, and {folder} is a file")
        if not (folder / MARKER).exists() and any(folder.iterdir()):
            raise InputError(
                f"`out` is a folder with other files in it, they are left alone: {folder}; "
                "choose a new folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(_MARKER_TEXT)
    return made


def discard(made: Sequence[Path]) -> None:
    """Remove the folders that `prepare` made, when there was nothing to put into them."""
    with suppress(OSError):  # something is in one of them
        for path in made:
            (path / MARKER).unlink(missing_ok=True)
            path.rmdir()


def write(folder: Path, writers: Mapping[str, Callable[[Path], None]]) -> None:
    """Write the files of a run, then put them all in place; other files are left alone.

    Parameters
    ----------
    folder : Path
        Prepared before.
    writers : mapping of str to callable
        For each file name (one of `FILES`) a function that writes the file at the given path.

    Raises
    ------
    OSError
        If one cannot be written. The files of an earlier run are then untouched.
    """
    staging = folder / f".writing-{os.getpid()}"
    try:
        staging.mkdir()
        for name, writer in writers.items():
            writer(staging / name)
        for name in FILES:
            target = folder / name
            if target.is_dir():  # a Zarr store: rename does not replace folders
                os.rename(target, staging / f"old-{name}")
            if name in writers:
                os.replace(staging / name, target)
            else:
                target.unlink(missing_ok=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
