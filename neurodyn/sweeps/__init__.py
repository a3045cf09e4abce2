"""Sweeps: an experiment over a grid and seeds, run anywhere, ending as one labelled Dataset.

`sweep` runs one, `open_sweep` looks at one that was run. A sweep is a list of independent tasks,
each named by a hash of the experiment, its parameters, the seed and the code version. Results are
written many tasks a file, each file complete or not there at all; running again computes only what
is missing. The numbers do not depend on where and in which order the tasks ran.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurodyn.sweeps.local import SweepStopped
    from neurodyn.sweeps.run import Sweep, SweepIncomplete, open_sweep, sweep

#: Where each name lives; imported when first used, because the command line needs few of them.
_EXPORTS = {
    "Sweep": "neurodyn.sweeps.run",
    "SweepIncomplete": "neurodyn.sweeps.run",
    "SweepStopped": "neurodyn.sweeps.local",
    "open_sweep": "neurodyn.sweeps.run",
    "sweep": "neurodyn.sweeps.run",
}

__all__ = ["Sweep", "SweepIncomplete", "SweepStopped", "open_sweep", "sweep"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
