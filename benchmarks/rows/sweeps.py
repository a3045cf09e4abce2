"""Row W1: what a sweep of 10,000 tasks costs beside them, and what it leaves on the disk."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from pathlib import Path

from driver import WORKERS, Ratio
from report import Line

from rows import Bench, say

#: Milliseconds of a core for each task; seconds to merge; seconds to open.
OVERHEAD, MERGE, OPEN = 10.0, 60.0, 5.0


def sweeps(bench: Bench, row: str) -> None:
    from neurodyn.sweeps import open_sweep, sweep
    from neurodyn.sweeps.run import cores
    from neurodyn.sweeps.store import save_merged

    n = 1_000 if bench.quick else 10_000
    say(f"{row}: sweeps of {n} tasks ...")
    sys.path.insert(0, str(WORKERS))  # for the workers' path
    each, opening, merging, splitting = [], [], [], []
    folder = Path(bench.folder) / "sweep"
    for _ in range(min(3, bench.rounds)):
        shutil.rmtree(folder, ignore_errors=True)
        start = time.perf_counter()
        found = sweep(f"{WORKERS / 'sweep_task.py'}:nothing", {"g": list(range(n // 10))}, seeds=10,
                      folder=folder, progress=False)  # fmt: skip
        elapsed = time.perf_counter() - start
        each.append(1e3 * elapsed * min(cores(), n) / n)
        opening.append(_seconds(lambda: open_sweep(folder).dataset))
        merging.append(_seconds(lambda ds=found.dataset: save_merged(ds, folder / "all.zarr")))
    sizes = [file.stat().st_size for file in (folder / "results").iterdir()]
    _split(folder, n)
    splitting.append(_seconds(lambda: save_merged(open_sweep(folder).dataset, folder / "all.zarr")))
    lines = [
        (f"ms of a core a task, all of a sweep of {n}", f"<= {OVERHEAD:g} ms", each),
        (f"seconds to open {n} tasks", f"<= {OPEN:g} s", opening),
        (f"seconds to merge {n} tasks", f"<= {MERGE:g} s", merging),
        (f"seconds to open and merge {n} tasks, a file for each", f"<= {MERGE:g} s", splitting),
        (f"files of {n} tasks", "", [float(len(sizes))]),
        ("bytes of a task on disk", "", [sum(sizes) / n]),
    ]
    for what, required, values in lines:
        middle = sorted(values)[len(values) // 2]
        bench.report.lines.append(
            Line(row, what, required, Ratio(middle, min(values), max(values)))
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bench.note(f"{row}: peak memory of the process that runs and merges: {peak:.0f} MiB")
    sys.path.remove(str(WORKERS))


def _seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _split(folder: Path, n: int) -> None:
    """Write the results again as tasks that take long would leave them: one file for each."""
    from neurodyn.sweeps.folder import SweepFolder
    from neurodyn.sweeps.shards import Finished, take_apart, write_shard

    sys.path.insert(0, str(WORKERS))
    from sweep_task import nothing

    where = SweepFolder(folder)
    plan = where.read_plan()
    identities = plan.identities(plan.versions[-1])
    shutil.rmtree(where.results)
    where.results.mkdir()
    for task in range(n):
        one = Finished(identities[task], take_apart(nothing(**plan.arguments(task))), None)
        write_shard(where.results / f"a-{task}.npz", [one], {})


ROWS = {"W1": sweeps}
