"""What a run leaves for its continuation beside the states: variables of the Dataset, and back.

Spikes on their way, refractory times, and when units that spike by chance do so next. With them the
runs before and after a break equal an unbroken run bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

#: Ends the name of a carried variable in a Dataset.
CARRIED = ".carried"
_IN_FLIGHT = ".in_flight"
#: Carried quantities that are the same for all trials.
_SHARED = ".log_rest"


def join_carried(
    blocks: Sequence[Mapping[str, np.ndarray]], first_trials: Sequence[int]
) -> dict[str, np.ndarray]:
    """The carried quantities of several blocks of trials as those of all trials."""
    found = {}
    for name in blocks[0]:
        pieces = [block[name] for block in blocks]
        if name.endswith(_SHARED):
            found[name] = pieces[0]
            continue
        if name.endswith(_IN_FLIGHT):
            pieces = [
                piece + np.array([0, first, 0])
                for piece, first in zip(pieces, first_trials, strict=True)
            ]
        found[name] = np.concatenate(pieces)
    return found


def carried_by_trials(carried: Mapping[str, np.ndarray], trials: slice) -> dict[str, np.ndarray]:
    """The carried quantities of a block of trials; those of one trial serve any."""
    found = {}
    for name, values in carried.items():
        if name.endswith(_SHARED):
            found[name] = values
        elif name.endswith(_IN_FLIGHT):
            here = (values[:, 1] >= trials.start) & (values[:, 1] < trials.stop)
            found[name] = values[here] - np.array([0, trials.start, 0])
        else:
            found[name] = values[trials]
    return found


def spread_carried(carried: Mapping[str, np.ndarray], n_trials: int) -> dict[str, np.ndarray]:
    """The carried quantities of one trial as those of `n_trials` that begin alike."""
    found = {}
    for name, values in carried.items():
        if name.endswith(_SHARED):
            found[name] = values
        elif name.endswith(_IN_FLIGHT):
            copies = [np.column_stack([values[:, 0], np.full(len(values), k), values[:, 2]])
                      for k in range(n_trials)]  # fmt: skip
            found[name] = np.concatenate(copies)
        else:
            found[name] = np.broadcast_to(values, (n_trials, *values.shape[1:]))
    return found


def carry(carried: Mapping[str, np.ndarray]) -> dict[str, tuple]:
    """As variables of a Dataset: name to (dimensions, values, attributes)."""
    found = {}
    for name, values in carried.items():
        population = name.partition(".")[0]
        text = {"units": "1", "long_name": f"{name}, for a continuation"}
        if name.endswith(_IN_FLIGHT):
            dims = (f"{name}.spike", f"{name}.step_trial_unit")
        else:
            dims = (f"{name}.trial" if name.endswith(_SHARED) else "trial",
                    f"{population}.unit{CARRIED}")  # fmt: skip
        found[name + CARRIED] = (dims, values, text)
    return found


def read_carried(ds) -> dict[str, np.ndarray]:
    """The carried quantities in the Dataset of an earlier run."""
    return {
        str(name).removesuffix(CARRIED): ds[name].values
        for name in ds.data_vars
        if str(name).endswith(CARRIED)
    }
