"""The disk cache: parsed equations, generated modules, and numba's machine code beside them.

Everything in it is named by the hash of its own content and of the code that made it, so nothing
stale can ever be found, and losing all of it costs only time. A folder that cannot be written, a
truncated file, several processes at once: each falls back on making the thing anew.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).resolve().parent.parent
#: The files whose text decides what is parsed and generated.
_GENERATOR_FILES = (
    "equations.py", "expression_trees.py", "statements.py", "unit_check.py", "solvers.py",
    "compile/*.py", "plasticity/binding.py", "plasticity/rule_text.py",
)  # fmt: skip


@functools.lru_cache(maxsize=1)
def generator_version() -> str:
    """Hash of the source text of everything that takes part in generating code.

    An edited generator therefore never finds what an older one left behind.
    """
    from importlib import metadata

    digest = hashlib.sha256()
    for pattern in _GENERATOR_FILES:
        for path in sorted(_PACKAGE.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())  # numba's key leaves it out
    for library in ("brian2", "sympy"):
        try:
            digest.update(metadata.version(library).encode())
        except metadata.PackageNotFoundError:
            digest.update(b"none")
    return digest.hexdigest()[:16]


@functools.lru_cache(maxsize=1)
def folder() -> Path:
    """The cache folder: ``NEURODYN_CACHE_DIR``, else the user's cache folder, else a temporary one.

    A folder that cannot be written (no home directory, a read-only file system) is passed over; the
    last resort is a temporary folder that goes with the process.
    """
    candidates = []
    if chosen := os.environ.get("NEURODYN_CACHE_DIR"):
        candidates.append(Path(chosen))
    else:
        try:
            from platformdirs import user_cache_path

            candidates.append(user_cache_path("neurodyn"))
        except (RuntimeError, OSError):
            pass
        candidates.append(Path(tempfile.gettempdir()) / f"neurodyn-cache-{_user()}")
    for candidate in candidates:
        if _is_ours_to_write(candidate):
            return candidate
    return Path(_temporary_folder().name)


@functools.lru_cache(maxsize=1)
def _temporary_folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="neurodyn-cache-", ignore_cleanup_errors=True)


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def _is_ours_to_write(path: Path) -> bool:
    """Whether we can write there, and nobody else owns it (code is run from this folder)."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
            return False
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


def _path(kind: str, key: str, suffix: str) -> Path:
    digest = hashlib.sha256(f"{generator_version()}\0{kind}\0{key}".encode()).hexdigest()[:24]
    return folder() / kind / f"{digest}{suffix}"


def _write(path: Path, text: str) -> bool:
    """Write atomically; False if the folder is full or read-only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError:
        return False
    return True


def _sealed(text: str) -> str:
    return f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def load_text(kind: str, key: str) -> str | None:
    """The text stored under `key`, or None if there is none or it is damaged."""
    try:
        stored = _path(kind, key, ".txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    seal, _, text = stored.partition("\n")
    return text if hashlib.sha256(text.encode()).hexdigest() == seal else None


def store_text(kind: str, key: str, text: str) -> None:
    """Keep `text` under `key`, if the cache folder allows."""
    _write(_path(kind, key, ".txt"), _sealed(text))


def load_module(source: str, name: str) -> ModuleType:
    """Write `source` as a module named by its own hash, and import it.

    Parameters
    ----------
    source : str
        Text of a self-contained module.
    name : str
        A readable stem for the file name.

    Returns
    -------
    module
        The same object for the same source within a process.
    """
    digest = hashlib.sha256(f"{generator_version()}\0{source}".encode()).hexdigest()[:24]
    module_name = f"neurodyn_generated_{name}_{digest}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    directory = folder() / "modules"
    path = directory / f"{module_name}.py"
    try:
        intact = path.read_text(encoding="utf-8") == source
    except (OSError, UnicodeDecodeError):
        intact = False
    if not intact and not _write(path, source):
        path = Path(_temporary_folder().name) / f"{module_name}.py"
        path.write_text(source, encoding="utf-8")
    return _import_file(path, module_name)


def compiled(function: Callable) -> Callable:
    """A hand-written kernel as machine code, kept in the cache folder as generated ones are.

    Parameters
    ----------
    function : function
        At the top of a module that imports only ``math`` and NumPy, in the subset of Python that
        numba compiles. The text of its whole module is the key, so no edit can be missed.
    """
    import inspect

    name = function.__name__
    source = inspect.getsource(inspect.getmodule(function))
    source += f"\n\nfrom numba import njit\n\n{name} = njit(cache=True, nogil=True)({name})\n"
    return getattr(load_module(source, name), name)


def _import_file(path: Path, module_name: str) -> ModuleType:
    import numba

    specification = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[module_name] = module
    # numba decides where its cache goes when a function is decorated: beside the module.
    previous = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = ""
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    finally:
        numba.config.CACHE_DIR = previous
    for value in vars(module).values():
        _forgive_cache_errors(value)
    return module


def _forgive_cache_errors(dispatcher) -> None:
    """Let a function compile anew where numba's cache files cannot be read or written.

    numba itself lets a truncated index, or a disk that fills up while it saves, end the program.
    """
    cache = getattr(dispatcher, "_cache", None)
    if not hasattr(cache, "load_overload"):
        return
    load, save = cache.load_overload, cache.save_overload

    def load_overload(*args):
        try:
            return load(*args)
        except Exception:  # unpickling damaged data can raise anything
            _discard(cache)
            return None

    def save_overload(*args):
        try:
            save(*args)
        except Exception:
            _discard(cache)
            try:
                save(*args)
            except Exception:  # a full disk: the function works, the next process compiles again
                pass

    cache.load_overload, cache.save_overload = load_overload, save_overload


def _discard(cache) -> None:
    try:
        cache.flush()
    except OSError:
        pass
