"""Which code a result depends on: a hash for each source file, and the versions of packages.

The files are the engine's own, the module of the experiment, and all that this module imports, one
from the other, as far as it is not an installed package. They are found by reading import
statements, in functions too, without running anything: every process on every machine finds the
same.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from neurodyn.sweeps.target import Target, is_installed

_PACKAGE = Path(__file__).resolve().parents[1]
#: Parts of the package that cannot change a number of a network that is simulated.
_BESIDE = ("analyses", "circuits", "data", "interop", "plot", "sweeps", "cli.py", "__main__.py")


@dataclass(frozen=True)
class CodeVersion:
    """What the numbers depend on, besides the parameters.

    Attributes
    ----------
    files : mapping of str to str
        For each module the start of the SHA-256 of its source.
    packages : mapping of str to str
        Versions of Python and of the packages whose version can change a number.
    """

    files: Mapping[str, str]
    packages: Mapping[str, str]

    @cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that stand for all of it."""
        parts = (self.files, self.packages)
        lines = [f"{k}={v}" for part in parts for k, v in sorted(part.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def differences(self, other: CodeVersion) -> list[str]:
        """What is not as in `other`, the earlier one, in words."""
        found = []
        for name in sorted({*self.files, *other.files}):
            if name not in other.files:
                found.append(f"{name} is new")
            elif name not in self.files:
                found.append(f"{name} is gone")
            elif self.files[name] != other.files[name]:
                found.append(f"{name} has changed")
        for name in sorted({*self.packages, *other.packages}):
            now, then = self.packages.get(name), other.packages.get(name)
            if now != then:
                found.append(f"{name} is {now or 'missing'}, it was {then or 'missing'}")
        return found


def code_version(target: Target) -> CodeVersion:
    """The version of the code of `target`, as it is on this machine now."""
    from neurodyn.provenance import versions

    target.load()  # so that its modules are found
    files = dict(_engine())
    seen: set[str] = set()
    waiting = [target.module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _source(name)
        if path is not None:
            files[name] = _hash(path)
            waiting.extend(_imports(path, name))
    packages = versions() | {"python": ".".join(platform.python_version_tuple()[:2])}
    return CodeVersion(files, packages)


def _engine() -> Iterator[tuple[str, str]]:
    for path in sorted(_PACKAGE.rglob("*.py")):
        inner = path.relative_to(_PACKAGE)
        if inner.parts[0] not in _BESIDE:
            yield "neurodyn." + ".".join(inner.with_suffix("").parts), _hash(path)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _source(name: str) -> Path | None:
    """Source file of a module to follow; None for the engine, installed modules, and functions."""
    top, _, inner = name.partition(".")
    if top in sys.stdlib_module_names:
        return None
    if top == "neurodyn":
        if inner.partition(".")[0] not in ("circuits", "analyses"):
            return None
    elif not _is_local(top):
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None  # a function of the module, not a module
    if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
        return None
    return Path(spec.origin)


@cache
def _is_local(top: str) -> bool:
    """Whether a top-level module can be found and is not an installed one."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return any(not is_installed(Path(place).resolve()) for place in places)


def _imports(path: Path, module: str) -> Iterator[str]:
    """Names of the modules that the file imports anywhere in it, and of their packages."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            start = ".".join(filter(None, (base, node.module))) if node.level else node.module or ""
            names = [start, *(f"{start}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[: n + 1]) for n in range(len(parts)))
