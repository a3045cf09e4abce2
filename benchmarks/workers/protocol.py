"""How a worker talks with the driver: one line of JSON each way, over standard input and output.

A worker is started with its problem as JSON in the first argument, prepares it, and says ``ready``
with the versions of what it runs on. Each request ``{"steps": n, "save": path or null}`` is then
one run from the initial state, answered by its seconds. The environments have this file and NumPy
in common, and nothing else.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time

import numpy as np


def serve(cases, versions) -> None:
    """Answer requests until the driver hangs up.

    Parameters
    ----------
    cases : dict of str to callable
        ``cases[name](spec, arrays)`` prepares a problem and returns ``run(steps)``, which
        integrates it from its initial state and returns the final one, (trial, unit).
    versions : dict of str to str
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # what tools print must not mix with the answers

    def answer(**what):
        print(json.dumps(what), file=answers, flush=True)

    spec = json.loads(sys.argv[1])
    with np.load(spec["arrays"]) as stored:
        arrays = {name: stored[name] for name in stored.files}
    run = cases[spec["case"]](spec, arrays)
    versions = {"Python": platform.python_version(), "NumPy": np.__version__, **versions}
    answer(ready=True, versions=versions)
    for line in sys.stdin:
        request = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        final = np.asarray(run(request["steps"]))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if request.get("save"):
            np.save(request["save"], final)
        answer(wall=wall, cpu=cpu, peak_bytes=peak_memory())


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
