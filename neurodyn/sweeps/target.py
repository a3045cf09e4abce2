"""What a sweep runs: an experiment that every worker can import by its name."""

from __future__ import annotations

import importlib
import inspect
import site
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodyn.experiments import InputError, load_circuit
from neurodyn.experiments.circuit import circuits
from neurodyn.experiments.settings import Parameter, parameters, unknown

#: Arguments that the sweep itself fills: the seed under either name, no progress bar in a worker,
#: and the path for what is streamed to disk.
SEED_NAMES = ("rng", "seed")
RESERVED = (*SEED_NAMES, "progress", "store")


@dataclass(frozen=True)
class Target:
    """A function, told so that another process can import it.

    Attributes
    ----------
    name : str
        For people: ``"adaptive_whitening:tracking"`` or ``"lab.models:gain"``.
    module : str
        Full name of the module.
    function : str
        Name within it; ``"CIRCUIT:decay"`` is the experiment of a circuit.
    root : str or None
        Folder that must be on the path for the import, if the module is not installed.
    """

    name: str
    module: str
    function: str
    root: str | None = None

    def load(self) -> Callable[..., Any]:
        """Import it."""
        if self.root is not None and self.root not in sys.path:
            sys.path.insert(0, self.root)
        found: Any = importlib.import_module(self.module)
        if self.function.startswith("CIRCUIT:"):
            return found.CIRCUIT.experiments[self.function.removeprefix("CIRCUIT:")]
        for part in self.function.split("."):
            found = getattr(found, part)
        return found


def find_target(experiment: str | Callable[..., Any]) -> Target:
    """The target that a user means.

    Parameters
    ----------
    experiment : str or callable
        ``"circuit"`` (its main experiment), ``"circuit:experiment"``, ``"module:function"``,
        ``"path/to/file.py:function"``, or the function itself.

    Raises
    ------
    InputError
        If there is none of this name, or other processes cannot import the function.
    """
    if callable(experiment):
        return _of_function(experiment)
    if not isinstance(experiment, str):
        raise InputError(f"`experiment` must be a name or a function; got {experiment!r}")
    name, _, inner = experiment.rpartition(":") if ":" in experiment else (experiment, "", "")
    known = circuits()
    if name in known:
        circuit = load_circuit(name)
        inner = inner or circuit.main
        if inner not in circuit.experiments:
            kind = f"experiment of {name}"
            raise InputError(unknown(inner, circuit.experiments, kind, "experiments"))
        module = known[name].module
        return Target(f"{name}:{inner}", module, f"CIRCUIT:{inner}", _root(module))
    if not inner:
        hint = "; a function of your own is given as module:function or file.py:function"
        raise InputError(unknown(name, known, "circuit", "circuits") + hint)
    if name.endswith(".py"):
        path = Path(name).expanduser().resolve()
        if not path.is_file():
            raise InputError(f"`experiment` names a file that does not exist: {name}")
        target = Target(f"{path.stem}:{inner}", path.stem, inner, str(path.parent))
    else:
        target = Target(experiment, name, inner, None)
    try:
        target.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"`experiment` {experiment!r} cannot be imported: {error}") from error
    return Target(target.name, target.module, inner, target.root or _root(target.module))


def _of_function(function: Callable[..., Any]) -> Target:
    qualname = getattr(function, "__qualname__", "")
    module = getattr(function, "__module__", None)
    shown = qualname or repr(function)
    if not inspect.isfunction(inspect.unwrap(function)) or "<" in qualname or not module:
        raise InputError(
            f"`experiment` must be a function that the workers can import by its name, and {shown} "
            "(a lambda, or defined inside another function or object) is none; "
            "write it at the top level of a module"
        )
    if module == "__main__":
        path = getattr(sys.modules["__main__"], "__file__", None)
        if path is None or not str(path).endswith(".py"):
            raise InputError(
                f"`experiment` {shown} is defined in a notebook or at the prompt, where the "
                "workers cannot import it; write it to a file (%%writefile model.py), import it"
            )
        path = Path(path).resolve()
        return Target(f"{path.stem}:{qualname}", path.stem, qualname, str(path.parent))
    target = Target(f"{module}:{qualname}", module, qualname, _root(module))
    try:
        found = target.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"`experiment` {shown} cannot be imported: {error}") from error
    if inspect.unwrap(found) is not inspect.unwrap(function):
        raise InputError(
            f"`experiment` {shown} is not what `{module}` calls {qualname}; "
            "give the function under the name that it has in its module"
        )
    return target


def _root(module: str) -> str | None:
    """Folder of the top-level package of `module`; None if it is installed."""
    file = getattr(importlib.import_module(module), "__file__", None)
    if file is None or module.split(".")[0] == "neurodyn":
        return None
    path = Path(file).resolve()
    root = path.parents[module.count(".") + (path.name == "__init__.py")]
    return None if is_installed(path) else str(root)


def is_installed(path: Path) -> bool:
    """Whether a module's file belongs to Python or to an installed package."""
    scheme = sysconfig.get_paths()
    known = {scheme["stdlib"], scheme["purelib"], scheme["platlib"], site.getusersitepackages()}
    return any(path.is_relative_to(Path(folder).resolve()) for folder in known)


def target_parameters(target: Target) -> tuple[dict[str, Parameter], frozenset[str]]:
    """What can be set, by name, and which of the `RESERVED` arguments the function has."""
    found = parameters(target.load(), positional=True)
    settable = {name: value for name, value in found.items() if name not in RESERVED}
    return settable, frozenset(name for name in found if name in RESERVED)
