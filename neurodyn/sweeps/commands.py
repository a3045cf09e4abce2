"""The commands of sweeps: ``sweep``, ``retry``, ``status``, ``merge``, ``report``, ``work``.

Exit status: 0 every task has its result; 1 tasks failed; 2 the input cannot be used; 3 it could not
go on (a full disk, a lost scheduler); 4 tasks are missing that were not meant to be run now; 130
interrupted.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurodyn.experiments import InputError

if TYPE_CHECKING:
    from neurodyn.sweeps.plan import Plan
    from neurodyn.sweeps.run import Engine, Sweep

COMPLETE, FAILED, STOPPED, MISSING, INTERRUPTED = 0, 1, 3, 4, 130
#: Failures that are printed.
SHOWN = 10


def _engine_options(command: Any) -> Any:
    for option in reversed([
        click.option("--workers", "-w", type=int, help="Processes. Default: one for each core."),
        click.option("--memory", metavar="SIZE", help="What a worker may use, such as 2GB."),
        click.option("--dask", metavar="ADDRESS",
                     help="Run on the workers of this Dask scheduler (or its file)."),
        click.option("--slurm", metavar="OPTIONS",
                     help="Submit a Slurm job array, with these options of sbatch."),
        click.option("--jobs", type=int, help="Size of the array. Default: at most 100."),
        click.option("--wait", is_flag=True, help="Return when the array has ended."),
        click.option("--force", is_flag=True, help="Go on although the code has changed."),
        click.option("--quiet", "-q", is_flag=True, help="Show no progress."),
    ]):  # fmt: skip
        command = option(command)
    return command


@click.command("sweep")
@click.argument("experiment")
@click.option("--grid", "-g", "grid", multiple=True, metavar="KEY=VALUES",
              help="Vary a parameter: KEY=1,2,5 or KEY=0:1:11 (first:last:number).")
@click.option("--seeds", metavar="N", help="How many, from 0 on; or which: 3,5,8.")
@click.option("--set", "-s", "pairs", multiple=True, metavar="KEY=VALUE",
              help="A parameter that is the same in all tasks.")
@click.option("--out", "-o", metavar="DIR", help="Folder. Default: sweeps/EXPERIMENT.")
@click.option("--extend", is_flag=True, help="Add values or seeds to the sweep in the folder.")
@_engine_options
def sweep_command(
    experiment: str, grid: tuple[str, ...], seeds: str | None, pairs: tuple[str, ...],
    out: str | None, extend: bool, **options: Any,
) -> int:
    """Run an experiment over a grid and seeds; run again, compute what is missing.

    EXPERIMENT is a circuit, circuit:experiment, module:function or file.py:function; or the folder
    of a sweep, which is then continued.
    """
    from neurodyn.cli import _settings
    from neurodyn.sweeps.folder import PLAN, SweepFolder
    from neurodyn.sweeps.plan import make_plan

    if (Path(experiment) / PLAN).is_file():
        if grid or seeds or pairs or out:
            raise InputError(f"{experiment} is the folder of a sweep, whose grid is known")
        return _run(SweepFolder(experiment), SweepFolder(experiment).read_plan(), **options)
    plan = make_plan(experiment, _settings(grid), _seeds(seeds), _settings(pairs))
    folder = out or str(Path("sweeps") / plan.target.name.replace(":", os.sep))
    return _run(SweepFolder(folder), plan, extend=extend, **options)


@click.command("retry")
@click.argument("folder")
@_engine_options
def retry_command(folder: str, **options: Any) -> int:
    """Run the failed tasks of a sweep again, and those that are missing."""
    from neurodyn.sweeps.folder import SweepFolder

    where = SweepFolder(folder)
    return _run(where, where.read_plan(), retry=True, **options)


def _seeds(text: str | None) -> int | list[int] | None:
    if text is None:
        return None
    try:
        found = [int(item) for item in text.split(",")]
    except ValueError:
        raise InputError(f"`--seeds` must be a whole number, or several; got {text!r}") from None
    return found if "," in text else found[0]


def _run(
    where: Any, plan: Plan, *, workers: int | None, memory: str | None, dask: str | None,
    slurm: str | None, jobs: int | None, wait: bool, force: bool, quiet: bool, retry: bool = False,
    extend: bool = False,
) -> int:
    from neurodyn.sweeps.run import Engine

    if dask is not None and slurm is not None:
        raise InputError("`--dask` and `--slurm` are two ways to run a sweep; give one of them")
    client = None
    if dask is not None:
        from neurodyn.sweeps.dask import connect

        client = connect(dask)
    engine = Engine(workers, client, slurm, jobs, memory, wait)
    return _carry_out(where, plan, engine, retry=retry, force=force, extend=extend,
                      progress=not quiet)  # fmt: skip


def _carry_out(where: Any, plan: Plan, engine: Engine, **options: Any) -> int:
    from neurodyn.sweeps.local import SweepStopped
    from neurodyn.sweeps.run import open_sweep, run_plan

    try:
        found = run_plan(where, plan, engine, **options)
    except SweepStopped as error:
        click.echo(f"neurodyn: {error}", err=True)
        return STOPPED
    except KeyboardInterrupt:
        click.echo(f"\n{open_sweep(where.path).summary()}; interrupted, the same command goes on",
                   err=True)  # fmt: skip
        return INTERRUPTED
    return _tell(found)


def _tell(found: Sweep) -> int:
    """Print how a sweep stands; the exit status."""
    click.echo(f"{found.folder}: {found.summary()}")
    for failure in found.failures[:SHOWN]:
        click.echo(f"\nfailed: {failure['task']}\n{failure['error']}")
        if failure["traceback"]:
            click.echo(_indented(failure["traceback"]))
    if len(found.failures) > SHOWN:
        click.echo(f"\nand {len(found.failures) - SHOWN} more: neurodyn report {found.folder}")
    if found.state.damaged:
        click.echo(f"{len(found.state.damaged)} damaged files are not counted")
    if found.failures:
        click.echo(f"\nRun the failed tasks again: neurodyn retry {found.folder}")
        return FAILED
    return COMPLETE if found.is_complete else MISSING


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())


@click.command("status")
@click.argument("folder")
@click.option("--check", is_flag=True, help="Read all values, and compare their checksums.")
def status_command(folder: str, check: bool) -> int:
    """Show how far a sweep is, and what failed; also while it runs."""
    from neurodyn.sweeps.run import open_sweep
    from neurodyn.sweeps.slurm import queued

    found = open_sweep(folder, check=check)
    status = _tell(found)
    jobs = queued(found.folder)
    if jobs:
        click.echo(f"Slurm: {jobs}")
    return status


@click.command("merge")
@click.argument("folder")
@click.option("--out", "-o", metavar="FILE", help="Ends in .zarr or .nc. Default: FOLDER/all.zarr.")
@click.option("--partial", is_flag=True, help="Even if tasks are missing: NaN stands for them.")
def merge_command(folder: str, out: str | None, partial: bool) -> int:
    """Write all results of a sweep as one labelled Dataset."""
    from neurodyn.sweeps.run import SweepIncomplete, open_sweep
    from neurodyn.sweeps.store import save_merged

    found = open_sweep(folder)
    try:
        ds = found.partial() if partial else found.dataset
    except SweepIncomplete as error:
        click.echo(f"neurodyn: {error}", err=True)
        return FAILED if found.failures else MISSING
    try:
        path = save_merged(ds, Path(out) if out else found.folder / "all.zarr")
    except (ValueError, FileNotFoundError) as error:
        raise InputError(str(error)) from error
    except OSError as error:
        click.echo(f"neurodyn: {error}", err=True)
        return STOPPED
    click.echo(f"{path}: {', '.join(f'{k} {v}' for k, v in ds.sizes.items())}")
    return COMPLETE


@click.command("work")
@click.argument("folder")
@click.option("--share", metavar="K/N", required=True,
              help="The K-th of N shares, from 0 on. Default N is that of a Slurm array.")
@click.option("--retry-before", type=float, default=0.0, hidden=True)
@click.option("--workers", "-w", type=int, help="Processes. Default: one for each core.")
@click.option("--memory", metavar="SIZE", help="What a worker may use, such as 2GB.")
def work_command(
    folder: str, share: str, retry_before: float, workers: int | None, memory: str | None
) -> int:
    """Run one share of a sweep, side by side with the others: what a job of a cluster does."""
    from neurodyn.sweeps.folder import SweepFolder
    from neurodyn.sweeps.local import SweepStopped
    from neurodyn.sweeps.run import Engine, run_share

    try:
        k, n = (int(part) for part in share.split("/"))
    except ValueError:
        raise InputError(f"`--share` must be K/N, such as 0/10; got {share!r}") from None
    try:
        ran, failed = run_share(SweepFolder(folder), k, n, Engine(workers, memory=memory),
                                retry_before=retry_before)  # fmt: skip
    except SweepStopped as error:
        click.echo(f"neurodyn: {error}", err=True)
        return STOPPED
    click.echo(f"share {k} of {n}: {ran} tasks run, {failed} failed", err=True)
    return FAILED if failed else COMPLETE


@click.command("report")
@click.argument("folder")
@click.option("--out", "-o", metavar="FILE", help="Default: FOLDER/report.html.")
def report_command(folder: str, out: str | None) -> int:
    """Write a page with the results over the grid, the failures, and the costs."""
    import matplotlib

    matplotlib.use("Agg")
    from neurodyn.sweeps.report import write_report
    from neurodyn.sweeps.run import open_sweep

    path = write_report(open_sweep(folder), Path(out) if out else None)
    click.echo(str(path))
    return COMPLETE


COMMANDS = (sweep_command, retry_command, status_command, merge_command, work_command,
            report_command)  # fmt: skip
