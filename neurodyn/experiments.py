"""Circuits with their experiments and claims, found by name and run into a folder.

A module in ``neurodyn.circuits`` describes one paper by a module-level ``CIRCUIT = Circuit(...)``.
`circuits` finds these modules without importing them, `load_circuit` imports one, `run_experiment`
runs one of its experiments and checks the claims. The engine imports no circuit.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodyn import _run_folder
from neurodyn._settings import InputError, Parameter, convert, parameters, unknown
from neurodyn.claims import (
    SIZES,
    Accept,
    Claim,
    Outcome,
    at_least,
    at_most,
    between,
    within,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from neurodyn.network import Network

__all__ = [
    "Accept", "Circuit", "CircuitEntry", "Claim", "InputError", "Outcome", "RunNotSaved",
    "RunResult", "at_least", "at_most", "between", "circuits", "load_circuit", "run_experiment",
    "within",
]

#: The packages whose modules are looked at, by name only: importing them is left to `load_circuit`.
PACKAGES = ("neurodyn.circuits",)

#: Attribute of the Dataset that tells the experiment ("run" is the simulator's).
_ATTRIBUTE = "experiment"

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


@dataclass(frozen=True)
class RunResult:
    """What a run gave.

    Attributes
    ----------
    circuit, experiment, size : str
    settings : mapping
        Those that were given, converted.
    dataset : xarray.Dataset
    outcomes : tuple of Outcome
        The claims about this experiment at this size.
    skipped : tuple of Claim
        The claims about this experiment that are for another size.
    figure : Path or None
        Where the figure was written.
    folder : Path or None
        Where everything was written.
    """

    circuit: str
    experiment: str
    size: str
    settings: Mapping[str, Any]
    dataset: xr.Dataset
    outcomes: tuple[Outcome, ...]
    skipped: tuple[Claim, ...] = ()
    figure: Path | None = None
    folder: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether every claim that was checked holds."""
        return all(outcome.passed for outcome in self.outcomes)


class RunNotSaved(RuntimeError):
    """The run is complete, but its folder is not.

    Attributes
    ----------
    result : RunResult
        The Dataset and the outcomes.
    """

    def __init__(self, message: str, result: RunResult):
        super().__init__(message)
        self.result = result


def run_experiment(
    circuit: Circuit | str,
    experiment: str | None = None,
    size: str = "fast",
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    progress: bool = True,
    formats: Sequence[str] = ("nc",),
) -> RunResult:
    """Run one experiment of a circuit, check its claims, and keep it all in a folder.

    Parameters
    ----------
    circuit : Circuit or str
        The circuit, or its name.
    experiment : str
        Default the circuit's main one.
    size : {"fast", "full"}
        Seconds, or as the paper has it.
    settings : mapping
        Arguments of the experiment, as values or as text (``{"image": "photo.jpg"}``). Relative
        paths start at the working directory.
    out : path-like
        Folder to write: ``dataset.nc``, ``figure.png``, ``claims.md``, ``claims.json``,
        ``provenance.json``. A folder of an earlier run is overwritten, any other that is not empty
        is refused. Default None: nothing is written.
    progress : bool
        For experiments that show it.
    formats : sequence of {"nc", "zarr"}
        How to write the Dataset. Default netCDF.

    Returns
    -------
    RunResult

    Raises
    ------
    InputError
        For a name, setting or folder that cannot be used; nothing has run then.
    RunNotSaved
        If the figure fails or the folder cannot be written. The exception carries the result.
    """
    from neurodyn.provenance import Stopwatch, provenance
    from neurodyn.simulate import interrupts_raise

    circuit = load_circuit(circuit) if isinstance(circuit, str) else circuit
    settings = settings or {}
    experiment = circuit.main if experiment is None else experiment
    if experiment not in circuit.experiments:
        kind = f"experiment of {circuit.name}"
        raise InputError(unknown(experiment, circuit.experiments, kind, "experiments"))
    _check_choice("size", size, SIZES)
    for suffix in formats:
        _check_choice("formats", suffix, ("nc", "zarr"))
    if "size" in settings:
        raise InputError("`size` is not among the settings: give it by itself (--size full)")
    arguments = convert(circuit.parameters(experiment), settings, f"{circuit.name} {experiment}")
    folder = None if out is None else Path(out)
    made = [] if folder is None else _run_folder.prepare(folder)

    function, stopwatch = circuit.experiments[experiment], Stopwatch()
    extra = {"progress": progress} if "progress" in parameters(function) else {}
    try:
        with interrupts_raise():  # claims about half a simulation would mean nothing
            ds = function(size=size, **extra, **arguments)
        if not hasattr(ds, "data_vars"):
            raise TypeError(
                f"experiment {experiment!r} of {circuit.name!r} must return an xarray.Dataset; "
                f"got {type(ds).__name__}"
            )
    except BaseException:  # an interrupt too must not leave an empty folder
        _run_folder.discard(made)
        raise
    about = {"circuit": circuit.name, "name": experiment, "size": size,
             "citation": circuit.citation, "doi": circuit.doi}
    about |= provenance(settings=arguments, stopwatch=stopwatch)
    claims = [claim for claim in circuit.claims if claim.experiment == experiment]
    result = RunResult(
        circuit.name, experiment, size, arguments,
        dataset=ds.assign_attrs({_ATTRIBUTE: about}),
        outcomes=tuple(claim.check(ds) for claim in claims if size in claim.sizes),
        skipped=tuple(claim for claim in claims if size not in claim.sizes),
    )
    return result if folder is None else _keep(circuit, result, folder, formats)


def _check_choice(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InputError(f"`{name}` must be {' or '.join(known)}; got {value!r}")


def _keep(circuit: Circuit, result: RunResult, folder: Path, formats: Sequence[str]) -> RunResult:
    """Write the folder; the result, which now knows where it is."""
    from dataclasses import replace

    from neurodyn._claims_table import markdown
    from neurodyn.provenance import describe
    from neurodyn.results import save

    def as_json(value: object) -> Callable[[Path], None]:
        return lambda path: _write_text(path, json.dumps(value, indent=1, ensure_ascii=False))

    attributes = dict(result.dataset.attrs)
    source = attributes.pop(_ATTRIBUTE)
    source = source | ({"dataset": describe(attributes)} if attributes else {})
    writers: dict[str, Callable[[Path], Any]] = {
        f"dataset.{suffix}": lambda path: save(result.dataset, path) for suffix in formats
    }
    writers["claims.json"] = as_json([outcome.to_dict() for outcome in result.outcomes])
    writers["claims.md"] = lambda path: _write_text(path, markdown(circuit, result))
    writers["provenance.json"] = as_json(source)

    failures, figure = [], None
    if result.experiment in circuit.figures:
        try:
            figure = _draw(circuit.figures[result.experiment], result.dataset)
            writers["figure.png"] = lambda path: path.write_bytes(figure)
        except Exception as error:
            failures.append(f"the figure could not be drawn: {type(error).__name__}: {error}")
    result = replace(result, folder=folder, figure=folder / "figure.png" if figure else None)
    try:
        _run_folder.write(folder, writers)
    except (OSError, TypeError, ValueError) as error:
        failures.append(f"{folder} could not be written: {type(error).__name__}: {error}")
        result = replace(result, folder=None, figure=None)
    if failures:
        raise RunNotSaved("; ".join(failures), result)
    return result


def _draw(draw: Callable[[xr.Dataset], Figure], ds: xr.Dataset) -> bytes:
    """The figure as PNG; drawn in memory, so that a failure leaves no half a file."""
    import io

    import matplotlib.pyplot as plt

    figure, buffer = draw(ds), io.BytesIO()
    try:
        figure.savefig(buffer, format="png", dpi=150)
    finally:
        plt.close(figure)
    return buffer.getvalue()


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
