"""All circuits, all experiments: every claim checked, and one page that shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from neurodyn.experiments import run_folder
from neurodyn.experiments.circuit import Circuit, circuits, load_circuit
from neurodyn.experiments.claims import SIZES
from neurodyn.experiments.run import RunNotSaved, RunResult, check_choice, run_experiment
from neurodyn.experiments.settings import InputError, unknown

#: Names of the pages in the folder.
HTML, MARKDOWN = "index.html", "README.md"


@dataclass(frozen=True)
class Attempt:
    """One experiment of a circuit that was run, or was to be run.

    Attributes
    ----------
    name : str
        Of the circuit.
    experiment : str
        Empty if the circuit could not be imported.
    size : str
    circuit : Circuit or None
        None if it could not be imported.
    result : RunResult or None
        None if there is none.
    error : str or None
        Why there is no result, or why it could not be kept.
    seconds : float
        How long it took.
    """

    name: str
    experiment: str
    size: str
    circuit: Circuit | None
    result: RunResult | None
    error: str | None
    seconds: float

    @property
    def title(self) -> str:
        """``circuit/experiment``."""
        return f"{self.name}/{self.experiment}" if self.experiment else self.name

    @property
    def passed(self) -> bool:
        """Whether it ran, was kept, and every claim holds."""
        return self.error is None and self.result is not None and self.result.passed


def attempts(
    names: Sequence[str] | None = None,
    size: str = "fast",
    out: str | Path | None = None,
    announce: Callable[[str, str, int, int], None] | None = None,
) -> Iterator[Attempt]:
    """Run every experiment of the circuits, one after the other.

    Parameters
    ----------
    names : sequence of str
        Of circuits. Default all of the package.
    size : {"fast", "full"}
    out : path-like
        Folder for a folder a circuit, with one an experiment. Default None: nothing is written.
    announce : callable
        Called before each experiment with its circuit's name, its own, its number from 1, and how
        many there are.

    Yields
    ------
    Attempt
        An experiment that raises is an attempt with its error; the others still run.

    Raises
    ------
    InputError
        For an unknown circuit or size, or a folder that holds something else; nothing has run then.
    """
    known = circuits()
    names = list(known if names is None else names)
    for name in names:
        if name not in known:
            raise InputError(unknown(name, known, "circuit", "circuits"))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the circuit {twice!r} is named twice")
    check_choice("size", size, SIZES)
    if out is not None:
        run_folder.prepare(Path(out))
    loaded = {name: _load(name) for name in names}
    todo = [(name, one) for name, found in loaded.items() for one in _experiments(found)]
    return _run_all(todo, loaded, size, None if out is None else Path(out), announce)


def _load(name: str) -> Circuit | Exception:
    try:
        return load_circuit(name)
    except Exception as error:  # the other circuits are still wanted
        return error


def _experiments(found: Circuit | Exception) -> Iterable[str]:
    return found.experiments if isinstance(found, Circuit) else ("",)


def _run_all(todo, loaded, size, out, announce) -> Iterator[Attempt]:
    for number, (name, experiment) in enumerate(todo, 1):
        circuit = loaded[name]
        if not isinstance(circuit, Circuit):
            yield Attempt(name, "", size, None, None, _said(circuit), 0.0)
            continue
        if announce is not None:
            announce(name, experiment, number, len(todo))
        folder = None if out is None else out / name / experiment
        result, error, started = None, None, time.perf_counter()
        try:
            result = run_experiment(circuit, experiment, size, out=folder, progress=False)
        except RunNotSaved as unsaved:
            result, error = unsaved.result, str(unsaved)
        except Exception as failure:
            error = _said(failure)
        seconds = time.perf_counter() - started
        yield Attempt(name, experiment, size, circuit, result, error, seconds)


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
