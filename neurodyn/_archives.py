"""One file of named arrays and a description, written whole or not at all, without pickle.

It is an ordinary ``.npz`` file, which `numpy.load` opens: ``about`` is JSON text as bytes, and the
arrays are numbered, since their names hold characters that file names should not. Each member has
a checksum, which is checked when it is read.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from neurodyn._attributes import from_json, to_json


def write_archive(
    path: str | os.PathLike, about: Mapping, arrays: Mapping[str, np.ndarray]
) -> Path:
    """Replace `path` by a file of `about` and `arrays`, when that is complete and on the disk."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` is in a folder that does not exist: {path.parent}")
    if path.is_dir():
        raise ValueError(f"`path` is a folder: {path}")
    text = to_json({**about, "arrays": list(arrays)}, "`about`").encode()
    members: dict[str, Any] = {str(k): array for k, array in enumerate(arrays.values())}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, about=np.frombuffer(text, np.uint8), **members)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    return path


def read_archive(path: str | os.PathLike, kind: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The description and the arrays of a file whose description says ``"kind": kind``.

    Raises
    ------
    FileNotFoundError
    OSError
        If the file is damaged or is something else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"`path` does not exist: {path}")
    try:
        with np.load(path, allow_pickle=False) as file:
            about: Any = from_json(bytes(file["about"]).decode())
            arrays = {name: file[str(k)] for k, name in enumerate(about.pop("arrays"))}
            found = about["kind"]
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile,
        zlib.error, IndexError,
    ) as error:  # fmt: skip
        message = f"`path` cannot be read, it is damaged or of another format: {path}"
        raise OSError(message) from error
    if found != kind:
        raise OSError(f"`path` holds a {found}, not a {kind}: {path}")
    return about, arrays
