"""Sweeps: an experiment over a grid and seeds, run anywhere, ending as one labelled Dataset.

`sweep` runs one, `open_sweep` looks at one that was run. A sweep is a list of independent tasks,
each named by a hash of the experiment, its parameters, the seed and the code version. Results are
written many tasks a file, each file complete or not there at all; running again computes only what
is missing. The numbers do not depend on where and in which order the tasks ran.
"""

from neurodyn.sweeps.local import SweepStopped
from neurodyn.sweeps.run import Sweep, SweepIncomplete, open_sweep, sweep

__all__ = ["Sweep", "SweepIncomplete", "SweepStopped", "open_sweep", "sweep"]
