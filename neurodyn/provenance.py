"""Where a result comes from: what was run, with which numbers, by which versions, where and when.

`provenance` gives one dict of plain JSON types. The simulator puts it into the attributes of its
Dataset, the command line into ``provenance.json``. It never fails: what cannot be found out is
left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from neurodyn._version import __version__

#: Packages whose version can change a result.
PACKAGES = ("numpy", "numba", "scipy", "xarray", "brian2", "sympy")


class Stopwatch:
    """Start and cost of a run, begun when it is made.

    Attributes
    ----------
    started : datetime
        UTC.
    """

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, Any]:
        """``started`` (ISO text, UTC), ``wall_seconds``, ``cpu_seconds`` of this process so far."""
        return {
            "started": self.started.isoformat(timespec="seconds"),
            "wall_seconds": round(time.perf_counter() - self._wall, 3),
            "cpu_seconds": round(time.process_time() - self._cpu, 3),
        }


def provenance(
    *,
    network: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    solver: Any = None,
    dt: Any = None,
    rng: Any = None,
    stopwatch: Stopwatch | None = None,
    **more: Any,
) -> dict[str, Any]:
    """All that is needed to say how a result was made.

    Parameters
    ----------
    network : str
        The network's text: equations and couplings.
    parameters : mapping
        Values by full name, with units (``100*nd.ms``) or without; arrays are told by shape, dtype
        and SHA-256 (see `describe`).
    solver : object
        Described by its fields.
    dt : float or quantity, s
    rng : int, SeedSequence or Generator
        The root of all random numbers.
    stopwatch : Stopwatch
        Made when the run began.
    **more
        Further entries, described in the same way.

    Returns
    -------
    dict
        Of JSON's own types, arguments that are None left out, with ``versions``, ``machine`` and,
        when the package is run from a checkout, ``commit``.
    """
    found = {
        "network": network,
        "parameters": None if parameters is None else describe(parameters),
        "solver": describe(solver),
        "dt": describe(dt),
        "rng": describe(rng),
        **{key: describe(value) for key, value in more.items()},
        "versions": versions(),
        "machine": machine(),
        "commit": commit(),
        **(stopwatch.read() if stopwatch else {}),
    }
    return {key: value for key, value in found.items() if value is not None}


def describe(value: Any) -> Any:
    """`value` in JSON's own types, short enough to print.

    Numbers and text stay; a quantity becomes ``{"value": 0.1, "unit": "s"}``; an array its shape,
    dtype and SHA-256 (of its C-ordered bytes), a sparse matrix those of its arrays; a dataclass or
    a NamedTuple its class and fields; a weights object its class and arrays; a random source its
    entropy. Anything else is told by its class.

    >>> describe({"tau": 0.1, "n": 3})
    {'tau': 0.1, 'n': 3}
    >>> describe(np.zeros((2, 3)))["shape"]
    [2, 3]
    """
    if hasattr(value, "dim"):  # ours or Brian2's, whose quantities are arrays as well
        return _describe_quantity(value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return describe(value.item()) if value.dtype.kind in "biuf" else str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)  # JSON has no NaN
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return _describe_array(value)
    if isinstance(value, np.random.SeedSequence):
        return {"entropy": describe(value.entropy), "spawn_key": list(value.spawn_key)}
    if isinstance(value, np.random.Generator):
        seed = getattr(value.bit_generator, "seed_seq", None)
        if isinstance(seed, np.random.SeedSequence):
            return {"generator": type(value.bit_generator).__name__, **describe(seed)}
        return {"generator": type(value.bit_generator).__name__}
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    fields = _fields(value)
    if fields is not None:
        return {"class": type(value).__name__, **{k: describe(v) for k, v in fields.items()}}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(getattr(value, "parameters", None), Mapping):  # weights
        return {"class": type(value).__name__, **describe(value.parameters)}
    if all(hasattr(value, name) for name in ("tocsr", "nnz", "shape")):
        csr, parts = value.tocsr(), ("data", "indices", "indptr")
        arrays = {name: _describe_array(getattr(csr, name)) for name in parts}
        return {"class": type(value).__name__, "shape": list(value.shape), **arrays}
    return {"class": type(value).__name__}


def _fields(value: Any) -> dict[str, Any] | None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    return None


def _describe_array(array: np.ndarray) -> dict[str, Any]:
    array = np.ascontiguousarray(array)
    if array.dtype.kind not in "biufcmM":  # objects have addresses for bytes
        return {"shape": list(array.shape), "dtype": str(array.dtype)}
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "sha256": hashlib.sha256(array.tobytes() if array.size == 0 else array).hexdigest(),
    }


def _describe_quantity(value: Any) -> dict[str, Any]:
    from neurodyn.units import format_dimension, to_si

    number, dim = to_si(value)
    unit = "1" if dim is None else format_dimension(dim)
    if isinstance(number, np.ndarray):
        return {**_describe_array(number), "unit": unit}
    return {"value": number, "unit": unit}


@lru_cache(maxsize=1)
def _installed() -> tuple[tuple[str, str], ...]:
    found = []
    for package in PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def versions() -> dict[str, str]:
    """Version of the package, of Python and of the packages whose version can change a result."""
    return {"neurodyn": __version__, "python": platform.python_version(), **dict(_installed())}


@lru_cache(maxsize=1)
def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Operating system, processor and the number of cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    return {"platform": platform.platform(), "cpu": _cpu(), "cores": cores}


#: The checkout, if the package is run from one.
_ROOT = Path(__file__).resolve().parents[1]


@lru_cache(maxsize=4)
def commit(root: Path = _ROOT) -> str | None:
    """Git commit of the checkout at `root`, with ``+changes`` if tracked files differ from it.

    None when `root` is no checkout (an installed package must not report the repository that its
    virtual environment happens to be in), has no commit yet, or git is missing.
    """
    if not (root / ".git").exists():
        return None
    # Variables such as GIT_DIR, set by a git hook, would redirect git to another repository.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}

    def git(*args: str) -> str:
        return subprocess.run(
            ("git", "-C", str(root), *args),
            env=environ, capture_output=True, text=True, timeout=10, check=True,
        ).stdout.strip()

    try:
        head = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+changes" if changed else "")
