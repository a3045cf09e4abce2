"""Run an experiment of a circuit into a folder, with its figure and its claims checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodyn.experiments import run_folder
from neurodyn.experiments.circuit import Circuit, load_circuit
from neurodyn.experiments.claims import (
    SIZES,
    Claim,
    Outcome,
)
from neurodyn.experiments.settings import InputError, convert, parameters, unknown

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


#: Attribute of the Dataset that tells the experiment ("run" is the simulator's).
_ATTRIBUTE = "experiment"


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
    from neurodyn.simulation import interrupts_raise

    circuit = load_circuit(circuit) if isinstance(circuit, str) else circuit
    settings = settings or {}
    experiment = circuit.main if experiment is None else experiment
    if experiment not in circuit.experiments:
        kind = f"experiment of {circuit.name}"
        raise InputError(unknown(experiment, circuit.experiments, kind, "experiments"))
    check_choice("size", size, SIZES)
    for suffix in formats:
        check_choice("formats", suffix, ("nc", "zarr"))
    if "size" in settings:
        raise InputError("`size` is not among the settings: give it by itself (--size full)")
    arguments = convert(circuit.parameters(experiment), settings, f"{circuit.name} {experiment}")
    folder = None if out is None else Path(out)
    made = [] if folder is None else run_folder.prepare(folder)

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
        run_folder.discard(made)
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


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a value that is none of the known ones."""
    if value not in known:
        raise InputError(f"`{name}` must be {' or '.join(known)}; got {value!r}")


def _keep(circuit: Circuit, result: RunResult, folder: Path, formats: Sequence[str]) -> RunResult:
    """Write the folder; the result, which now knows where it is."""
    from dataclasses import replace

    from neurodyn.experiments.claims_table import markdown
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
        run_folder.write(folder, writers)
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
