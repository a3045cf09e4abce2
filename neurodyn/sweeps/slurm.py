"""A sweep as a Slurm job array: a script, its submission, and what became of it.

Task k of the sweep belongs to the array's element k mod n for good, so an element that is requeued,
or submitted again, finds the same share and does what is left of it. Two elements never do the same
task; if one is started twice at once, the same results are written twice, and count once.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodyn.experiments import InputError
from neurodyn.sweeps.folder import SweepFolder, write_text
from neurodyn.sweeps.local import SweepStopped
from neurodyn.sweeps.plan import Plan
from neurodyn.sweeps.progress import duration

if TYPE_CHECKING:
    from neurodyn.sweeps.run import Engine

#: Elements of an array, if it is not said how many.
MOST_JOBS = 100

SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={logs}/%A_%a.log
#SBATCH --signal=B:TERM@60
{options}
# Made by neurodyn sweep. Submit it again to compute what is missing: sbatch {script}
export PYTHONPATH={path}
cd {directory}
{python} -m neurodyn work {folder} --share "$SLURM_ARRAY_TASK_ID/{shares}" \\
    --workers "${{SLURM_CPUS_PER_TASK:-1}}"{more} &
worker=$!
# Told to leave, by the time limit or for another job, it saves what is finished and goes.
trap 'kill -INT $worker' TERM
wait $worker
wait $worker
"""


def write_script(
    where: SweepFolder, plan: Plan, jobs: int, options: str, more: str = ""
) -> Path:
    """Write the array's script; its path."""
    folder = where.path.resolve()
    (folder / "slurm").mkdir(exist_ok=True)
    script = folder / "slurm" / "array.sh"
    given = "\n".join(f"#SBATCH {option}" for option in split_options(options))
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    text = SCRIPT.format(
        name="sweep-" + plan.target.name.replace(":", "-"), last=jobs - 1, shares=jobs,
        logs=folder / "logs", options=given, script=shlex.quote(str(script)), more=more,
        path=shlex.quote(path), directory=shlex.quote(os.getcwd()),
        python=shlex.quote(sys.executable), folder=shlex.quote(str(folder)),
    )  # fmt: skip
    write_text(script, text)
    script.chmod(0o755)
    return script


def split_options(options: str) -> list[str]:
    """Options of sbatch one by one, values with them.

    >>> split_options("--time=1:00:00 -p short --mem 2G")
    ['--time=1:00:00', '-p short', '--mem 2G']
    """
    found: list[str] = []
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise InputError(f"`slurm` cannot be read: {error}; got {options!r}") from None
    for word in words:
        if word.startswith("-"):
            if word.split("=")[0] in ("--array", "-a"):
                raise InputError("`slurm` must not hold --array: give the number of jobs (--jobs)")
            found.append(word)
        elif not found:
            raise InputError(f"`slurm` must be options of sbatch; got {options!r}")
        else:
            found[-1] += f" {word}"
    return found


def submit(
    where: SweepFolder, plan: Plan, tasks: Sequence[int], engine: Engine, retry: bool
) -> str:
    """Write the script and submit it; the job's number.

    Raises
    ------
    InputError
        If there is no Slurm here, or it refuses the options.
    """
    assert engine.slurm is not None
    if engine.jobs is None:
        shares = min(MOST_JOBS, plan.size)
    else:
        shares = min(engine.jobs, plan.size)
    more = f" --retry-before {time.time():.3f}" if retry else ""
    more += f" --memory {shlex.quote(str(engine.memory))}" if engine.memory is not None else ""
    script = write_script(where, plan, shares, engine.slurm, more)
    if shutil.which("sbatch") is None:
        raise InputError(
            f"there is no `sbatch` here; the array's script is {script}: submit it where Slurm is"
        )
    # only the elements that have something to do
    wanted = sorted({int(task) % shares for task in tasks})
    array = f"0-{shares - 1}" if len(wanted) == shares else _ranges(wanted)
    done = _call("sbatch", "--parsable", f"--array={array}", str(script))
    if done.returncode:
        raise InputError(f"sbatch refuses the array: {' '.join(done.stderr.split())}")
    job = done.stdout.strip().split(";")[0]
    jobs = _jobs(where.path)
    write_text(where.path / "slurm" / "jobs.json", json.dumps([*jobs, job]))
    print(f"neurodyn: {len(tasks)} tasks submitted as job array {job} ({len(wanted)} jobs); "
          f"neurodyn status {where.path} shows how far it is", file=sys.stderr)  # fmt: skip
    return job


def _ranges(numbers: Sequence[int]) -> str:
    """``"0-3,7"``.

    >>> _ranges([0, 1, 2, 3, 7])
    '0-3,7'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in parts)


def _call(*command: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SBATCH_ARRAY")}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environ)


def _jobs(folder: Path) -> list[str]:
    try:
        return list(json.loads((folder / "slurm" / "jobs.json").read_text()))
    except FileNotFoundError:
        return []


def queued(folder: Path) -> str:
    """What Slurm says of the arrays of a sweep, ``""`` if none of them is waiting or running."""
    jobs = _jobs(folder)
    if not jobs or shutil.which("squeue") is None:
        return ""
    done = _call("squeue", "--noheader", "--array", "--format=%T", "--jobs", ",".join(jobs))
    states = done.stdout.split() if done.returncode == 0 else []
    counts: dict[str, int] = {}
    for state in states:
        counts[state.lower()] = counts.get(state.lower(), 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def check_no_jobs(where: SweepFolder) -> None:
    """Raise InputError while an array of the sweep is waiting or running."""
    found = queued(where.path)
    if found:
        raise InputError(
            f"a job array of the sweep in {where.path} is still in Slurm's queue ({found}); "
            f"wait for it, or scancel {' '.join(_jobs(where.path))}"
        )


def wait_for_jobs(where: SweepFolder, timeout: float = float("inf"), every: float = 1.0) -> None:
    """Return when no array of the sweep is waiting or running.

    Raises
    ------
    SweepStopped
        If that takes more than `timeout` s.
    """
    end: Any = time.monotonic() + timeout
    while found := queued(where.path):
        if time.monotonic() > end:
            raise SweepStopped(f"after {duration(timeout)} jobs are left: {found}")
        time.sleep(every)
