"""How a worker talks with the driver: one line of JSON each way, over standard input and output.

A worker is started with its problem as JSON in the first argument, prepares it, and says ``ready``
with the versions of what it runs on. Each request is then one run from an initial state, answered
by its seconds: ``{"steps": n}`` for rates, ``{"seed": k}`` for spikes, with ``"save": path`` to get
the result as well. The environments have this file and NumPy in common, and nothing else.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np


class Run(NamedTuple):
    """What a run gives, where it is not just a final state.

    Attributes
    ----------
    arrays : dict of str to array
        Of a spiking network ``step`` and ``unit``, of every spike in the order of time.
    wall, cpu : float or None
        Seconds of the simulation proper where the run does other things too; None to take all.
    peak_bytes : int or None
        Where another process simulates.
    more : dict of str to float
        Further numbers for the answer.
    """

    arrays: dict
    wall: float | None = None
    cpu: float | None = None
    peak_bytes: int | None = None
    more: Mapping[str, float] = MappingProxyType({})


class Timer:
    """Wall and CPU seconds (user and system, all threads of this process) of a ``with`` block."""

    def __enter__(self) -> Timer:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_) -> None:
        self.wall = time.perf_counter() - self._start[0]
        self.cpu = time.process_time() - self._start[1]


def serve(cases, versions) -> None:
    """Answer requests until the driver hangs up.

    Parameters
    ----------
    cases : dict of str to callable
        ``cases[name](spec, arrays)`` prepares a problem and returns ``run(**request)``, which
        integrates it from an initial state and returns the final one, (trial, unit), or a `Run`.
    versions : dict of str to str
    """
    # what tools print, from Python or from C, must not mix with the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**what):
        what["total_cpu"] = sum(os.times()[:4])  # with its children, compilers for instance
        print(json.dumps(what), file=answers, flush=True)

    spec = json.loads(sys.argv[1])
    with np.load(spec["arrays"]) as stored:
        arrays = {name: stored[name] for name in stored.files}
    run = cases[spec["case"]](spec, arrays)
    versions = {"Python": platform.python_version(), "NumPy": np.__version__, **versions}
    answer(ready=True, versions=versions, peak_bytes=peak_memory())
    for line in sys.stdin:
        request = json.loads(line)
        path = request.pop("save", None)
        with Timer() as whole:
            found = run(**request)
            if not isinstance(found, Run):
                found = Run({"final": np.asarray(found)})
        if path:
            np.savez(path, **found.arrays)
        answer(
            wall=whole.wall if found.wall is None else found.wall,
            cpu=whole.cpu if found.cpu is None else found.cpu,
            peak_bytes=found.peak_bytes or peak_memory(),
            **found.more,
        )


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes.

    Not ``ru_maxrss``, which on Linux begins with the size of the process that started this one.
    """
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
