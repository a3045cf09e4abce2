"""Circuits as tested claims: `Circuit`, and the registry that finds them by name."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from neurodyn.experiments.claims import (
    Claim,
)
from neurodyn.experiments.settings import InputError, Parameter, parameters, unknown

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from neurodyn.network import Network


#: The packages whose modules are looked at, by name only: importing them is left to `load_circuit`.
PACKAGES = ("neurodyn.circuits",)

#: Arguments that `run_experiment` sets itself.
_RESERVED = ("size", "progress")


@dataclass(frozen=True)
class Circuit:
    """A published circuit: its network, experiments, figures and claims.

    Attributes
    ----------
    name : str
        The same as the module's: what ``neurodyn run`` is given.
    title : str
        What it shows, on one line.
    citation, doi : str
        The paper.
    summary : str
        What the paper shows and what was changed here.
    network : callable
        Returns the `Network`.
    experiments : mapping of str to callable
        Functions with typed keyword-only arguments that all have defaults, always
        ``size: Literal["fast", "full"] = "fast"`` and ``rng: int = 0``, that return a Dataset.
        One that has an argument ``progress: bool`` is told whether to show progress.
    main : str
        The experiment that ``neurodyn run NAME`` runs.
    figures : mapping of str to callable
        For an experiment, a function from its Dataset to a Matplotlib Figure.
    claims : tuple of Claim
    """

    name: str
    title: str
    citation: str
    doi: str
    summary: str
    network: Callable[..., Network]
    experiments: Mapping[str, Callable[..., xr.Dataset]]
    main: str
    figures: Mapping[str, Callable[[xr.Dataset], Figure]] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    def __post_init__(self) -> None:
        names = {"`main`": [self.main], "`figures`": list(self.figures)}
        names["`claims`"] = [claim.experiment for claim in self.claims]
        for where, used in names.items():
            for name in used:
                if name not in self.experiments:
                    raise ValueError(
                        f"{where} of circuit {self.name!r} names the experiment {name!r}, "
                        f"but there are: {', '.join(self.experiments)}"
                    )
        for name, function in self.experiments.items():
            _check_signature(f"experiment {name!r} of circuit {self.name!r}", function)

    def parameters(self, experiment: str | None = None) -> dict[str, Parameter]:
        """What can be set in an experiment (default the main one), by name."""
        found = parameters(self.experiments[experiment or self.main])
        return {name: value for name, value in found.items() if name not in _RESERVED}


def _check_signature(owner: str, function: Callable) -> None:
    found = inspect.signature(function).parameters
    for p in found.values():
        if p.kind is not p.KEYWORD_ONLY or p.default is p.empty:
            raise ValueError(
                f"argument `{p.name}` of {owner} must be keyword-only and have a default"
            )
    for name in ("size", "rng"):
        if name not in found:
            raise ValueError(f"{owner} must have an argument `{name}`")


@dataclass(frozen=True)
class CircuitEntry:
    """A circuit that exists but is not imported yet.

    Attributes
    ----------
    name : str
    module : str
        Its full name.
    """

    name: str
    module: str

    @cached_property
    def title(self) -> str:
        """First line of the module's docstring, read from its source."""
        tree = _parse(self.module)
        doc = ast.get_docstring(tree) if tree else None
        return doc.splitlines()[0].rstrip(".") if doc else ""

    def load(self) -> Circuit:
        """Import it."""
        circuit = import_module(self.module).CIRCUIT
        if circuit.name != self.name:
            raise ValueError(
                f"`name` of the circuit in {self.module} must be {self.name!r}; "
                f"got {circuit.name!r}"
            )
        return circuit


def circuits(packages: Sequence[str] | None = None) -> dict[str, CircuitEntry]:
    """All circuits by name, found by looking into their modules without importing them.

    Parameters
    ----------
    packages : sequence of str
        Names of the packages to look into. Default ``neurodyn.circuits``.

    Returns
    -------
    dict of str to CircuitEntry
        Every module with a module-level ``CIRCUIT`` whose name has no leading underscore.
    """
    found = {}
    for package in PACKAGES if packages is None else packages:
        for info in pkgutil.iter_modules(import_module(package).__path__):
            module = f"{package}.{info.name}"
            if not info.name.startswith("_") and _binds_circuit(module):
                found[info.name] = CircuitEntry(info.name, module)
    return dict(sorted(found.items()))


def load_circuit(name: str, packages: Sequence[str] | None = None) -> Circuit:
    """The circuit called `name`.

    Raises
    ------
    InputError
        If there is none, with a did-you-mean.
    """
    known = circuits(packages)
    if name not in known:
        raise InputError(unknown(name, known, "circuit", "circuits"))
    return known[name].load()


def _parse(module: str) -> ast.Module | None:
    spec = importlib.util.find_spec(module)
    source = spec.loader.get_source(module) if spec and hasattr(spec.loader, "get_source") else None
    try:
        return ast.parse(source) if source else None
    except SyntaxError:
        return None


def _binds_circuit(module: str) -> bool:
    tree = _parse(module)
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.asname or alias.name for alias in node.names]
        else:
            continue
        if "CIRCUIT" in names:
            return True
    return False
