"""The ``neurodyn`` command: list, show and run the circuits, and sweep over their parameters.

Exit status: 0 all is well; 1 a claim failed; 2 the input cannot be used (one sentence, no
traceback); 3 something failed inside, or could not be written; 130 interrupted.
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from neurodyn import experiments
from neurodyn._version import __version__
from neurodyn.experiments import RunNotSaved
from neurodyn.experiments.claims import SIZES
from neurodyn.experiments.settings import InputError, unknown
from neurodyn.sweeps.commands import COMMANDS

if TYPE_CHECKING:
    from neurodyn.experiments import Circuit, RunResult

OK, CLAIM_FAILED, BAD_INPUT, FAILED, INTERRUPTED = 0, 1, 2, 3, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="neurodyn")
def cli() -> None:
    """Published neural circuits: list them, read about one, run it and check its claims."""


@cli.command("list")
def list_circuits() -> None:
    """List the circuits."""
    entries = experiments.circuits()
    width = max(map(len, entries), default=0)
    for name, entry in entries.items():
        click.echo(f"{name.ljust(width)}  {entry.title}".rstrip())
    if not entries:
        click.echo("There are no circuits.")


@cli.command()
@click.argument("name")
@click.option("--experiment", "-e", metavar="NAME",
              help="Settings and claims of this one, or of all. Default: the main one.")
def show(name: str, experiment: str | None) -> None:
    """Show what a circuit is, its experiments, settings and claims."""
    from neurodyn.experiments.claims_table import claims_table

    circuit = experiments.load_circuit(name)
    chosen = _chosen(circuit, experiment)
    doi = f" doi:{circuit.doi}" if circuit.doi else ""
    click.echo(f"{circuit.name}: {circuit.title}\n\n{_filled(circuit.citation + doi)}")
    for text in _paragraphs(circuit.summary):
        click.echo("\n" + _filled(text))
    for one in circuit.experiments:
        claims = [claim for claim in circuit.claims if claim.experiment == one]
        count = f", {len(claims)} claims" if one not in chosen else ""
        click.echo(f"\nExperiment {one}{' (the default)' if one == circuit.main else ''}{count}")
        doc = inspect.getdoc(circuit.experiments[one]) or ""
        for text in _paragraphs(doc)[:1]:
            click.echo(_filled(text, "  "))
        if one in chosen:
            click.echo("\n" + _settings_text(circuit, one))
        if one in chosen and claims:
            click.echo("\n" + claims_table(claims, _width()))
    if len(chosen) < len(circuit.experiments):
        click.echo(f"\nMore of the other experiments: neurodyn show {name} --experiment all")
    click.echo(f"\nRun it: neurodyn run {name}")


def _chosen(circuit: Circuit, experiment: str | None) -> list[str]:
    """The experiments meant by ``--experiment``."""
    if experiment == "all":
        return list(circuit.experiments)
    if experiment is not None and experiment not in circuit.experiments:
        kind = f"experiment of {circuit.name}"
        raise InputError(unknown(experiment, circuit.experiments, kind, "experiments"))
    return [experiment or circuit.main]


def _settings_text(circuit: Circuit, experiment: str) -> str:
    known = circuit.parameters(experiment)
    defaults = {name: f"{name}={_as_typed(p.default)}" for name, p in known.items()}
    width = min(max(map(len, defaults.values())), 30)
    lines = []
    for name, p in known.items():
        head = f"  --set {defaults[name].ljust(width)}  "
        lines.append(_filled(p.doc or p.type_text, head, " " * (width + 10)))
    return "\n".join(lines)


def _as_typed(value: Any) -> str:
    """A default as the user would type it after ``--set name=``."""
    if isinstance(value, list | tuple):
        return ",".join(map(_as_typed, value))
    return "none" if value is None else str(value)


@cli.command()
@click.argument("name")
@click.option("--experiment", "-e", metavar="NAME",
              help="Which one, or all. Default: the main one.")
@click.option("--set", "-s", "pairs", multiple=True, metavar="KEY=VALUE",
              help="Change a setting of the experiment; may be given several times.")
@click.option("--size", type=click.Choice(SIZES), default="fast", show_default=True,
              help="Seconds, or as the paper has it.")
@click.option("--out", "-o", metavar="DIR", help="Folder to write. Default: runs/NAME/EXPERIMENT.")
@click.option("--format", "formats", type=click.Choice(("nc", "zarr")), multiple=True,
              default=("nc",), show_default=True, help="How to write the Dataset.")
@click.option("--traceback", is_flag=True, help="Show where in the code an error arose.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
def run(name: str, experiment: str | None, pairs: tuple[str, ...], size: str, out: str | None,
        formats: tuple[str, ...], traceback: bool, quiet: bool) -> int:
    """Run an experiment of a circuit, check its claims, write a folder."""
    circuit = experiments.load_circuit(name)
    every = experiment == "all"
    chosen = _chosen(circuit, experiment)
    settings = _settings(pairs)
    _check_known(circuit, chosen, settings)
    status, results = OK, []
    for one in chosen:
        if out is None:
            folder = Path("runs") / circuit.name / one
        else:
            folder = Path(out) / one if every else Path(out)
        mine = settings
        if every:  # each experiment takes the settings that it has
            mine = {k: v for k, v in settings.items() if k in circuit.parameters(one)}
        click.echo(f"{circuit.name}: {one}, size {size}", err=True)
        code, result = _run_one(circuit, one, size, mine, folder, formats, traceback, quiet)
        status = max(status, code)
        if result:
            results.append(result)
            _report(result)
    if every and len(results) > 1:
        from neurodyn.experiments.claims_table import summary

        click.echo(f"\nAll experiments: {summary(results)}")
    return status


def _run_one(
    circuit: Circuit, experiment: str, size: str, settings: dict[str, str], folder: Path,
    formats: tuple[str, ...], traceback: bool, quiet: bool,
) -> tuple[int, RunResult | None]:
    """Exit status of one experiment, and its result if there is one."""
    import matplotlib

    matplotlib.use("Agg")  # figures go to files; a missing display must not matter
    try:
        progress = not quiet and sys.stderr.isatty()
        result = experiments.run_experiment(
            circuit, experiment, size, settings, folder, progress=progress, formats=formats
        )
    except RunNotSaved as error:
        _complain(str(error), traceback)
        return FAILED, error.result
    except InputError:
        raise
    except Exception as error:
        return _failure(error, bool(settings), traceback), None
    return (OK if result.passed else CLAIM_FAILED), result


def _failure(error: Exception, has_settings: bool, traceback: bool) -> int:
    """Say what went wrong in an experiment; whether it was the input or the code.

    With the default settings the input cannot be wrong. With the user's, a value that only the
    experiment itself can judge (a file that is no picture) is by far the likeliest reason.
    """
    engine = sys.modules.get("neurodyn.simulation")
    diverged = isinstance(error, getattr(engine, "SimulationDiverged", ()))
    likely = ValueError | TypeError | OSError | MemoryError
    if has_settings and (diverged or isinstance(error, likely)):
        _complain(str(error), traceback)
        return BAD_INPUT
    _complain(f"the experiment failed: {type(error).__name__}: {error}", traceback or not diverged)
    return FAILED


def _report(result: RunResult) -> None:
    from neurodyn.experiments.claims_table import outcomes_table, summary

    style = _style()
    if result.outcomes:
        click.echo("\n" + outcomes_table(result.outcomes, _width(), style))
    click.echo("\n" + _filled(summary([result])))
    if result.folder:
        names = sorted(path.name for path in result.folder.iterdir() if path.name[0] != ".")
        click.echo(f"Written to {result.folder}{os.sep}: {', '.join(names)}")


def _style() -> Callable[[str], str]:
    """Colours the words PASS and FAIL on a terminal."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return str
    return lambda word: click.style(word, fg="green" if word == "PASS" else "red")


def _settings(pairs: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not (key and equals):
            raise InputError(f"`--set` needs KEY=VALUE; got {pair!r}")
        if key in found:
            raise InputError(f"`--set {key}=...` is given twice")
        found[key] = value
    return found


def _check_known(circuit: Circuit, chosen: list[str], settings: dict[str, Any]) -> None:
    """Before the first of several experiments runs: some experiment must have each setting."""
    if len(chosen) < 2:
        return  # run_experiment says it better
    known = {name for one in chosen for name in circuit.parameters(one)}
    for name in settings:
        if name not in known:
            raise InputError(unknown(name, sorted(known), f"setting of {circuit.name}", "settings"))


@cli.command()
@click.argument("names", nargs=-1, metavar="[CIRCUIT]...")
@click.option("--size", type=click.Choice(SIZES), default="fast", show_default=True,
              help="Seconds, or as the papers have it.")
@click.option("--out", "-o", metavar="DIR", default="reproduction", show_default=True,
              help="Folder for the page and the runs.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
def reproduce(names: tuple[str, ...], size: str, out: str, quiet: bool) -> int:
    """Run every experiment of every circuit, check all claims, write one page.

    The page is index.html (one file that opens anywhere) and README.md, in the folder. It is
    written anew after each experiment, so that an interrupt leaves what is done.
    """
    import matplotlib

    from neurodyn.experiments.reproduction import attempts
    from neurodyn.experiments.reproduction_page import claim_lines, closing, write_pages

    matplotlib.use("Agg")

    def announce(name: str, experiment: str, number: int, count: int) -> None:
        click.echo(f"[{number}/{count}] {name}: {experiment}, size {size}", err=True)

    done = []
    folder, style = Path(out), _style()
    for attempt in attempts(names or None, size, folder, None if quiet else announce):
        done.append(attempt)
        for line in claim_lines(attempt):
            click.echo(style(line[:4]) + line[4:])
        write_pages(done, folder, is_whole=False)
    write_pages(done, folder)
    click.echo(f"\n{closing(done)}\nWritten to {folder}{os.sep}: index.html, README.md")
    if any(attempt.error is not None for attempt in done):
        return FAILED
    return OK if all(attempt.passed for attempt in done) else CLAIM_FAILED


for command in COMMANDS:
    cli.add_command(command)


def _paragraphs(text: str) -> list[str]:
    return [part for part in inspect.cleandoc(text).split("\n\n") if part.strip()]


def _width() -> int:
    return min(shutil.get_terminal_size((110, 24)).columns, 140)


def _filled(text: str, first: str = "", rest: str | None = None) -> str:
    return textwrap.fill(
        " ".join(text.split()), max(_width() - 1, 40), initial_indent=first,
        subsequent_indent=first if rest is None else rest, break_on_hyphens=False,
        break_long_words=False,
    )


def _complain(message: str, traceback: bool = False) -> None:
    if traceback:
        import traceback as module

        module.print_exc()
    click.echo(f"neurodyn: {' '.join(message.split())}", err=True)


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters
    try:
        # not cli.main, which leaves with 1 (for us: a claim failed) when its reader is gone
        with cli.make_context("neurodyn", sys.argv[1:] if args is None else list(args)) as context:
            status = cli.invoke(context) or OK
        sys.stdout.flush()
    except click.exceptions.Exit as error:  # --help, --version
        status = error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        status = BAD_INPUT
    except click.ClickException as error:
        command = error.ctx.command_path if getattr(error, "ctx", None) else "neurodyn"
        _complain(f"{error.format_message()} (`{command} --help` helps)")
        status = BAD_INPUT
    except InputError as error:
        _complain(str(error))
        status = BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        status = INTERRUPTED
    except BrokenPipeError:  # `neurodyn list | head -1`: the reader has what it wants
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + 13
    except Exception as error:
        _complain(f"{type(error).__name__}: {error}", traceback=True)
        status = FAILED
    sys.exit(status)
