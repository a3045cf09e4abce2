"""Tasks: trials to train networks on, and to test them with.

A task makes batches of trials, says which inputs and outputs it has, what chance and the best
possible score are, and how well outputs do it::

    task = nd.tasks.FlipFlop(bits=3, p=0.1, dt=10 * nd.ms, duration=1 * nd.second)
    trials = task.batch(rng=0, trials=64)         # inputs, targets, mask, (trial, time, unit)
    task.evaluate(trials, outputs)                # {"accuracy": ..., "error": ...}

Each trial has its own stream of random numbers, so that a trial is the same in whatever batch it
is made. `make` makes a task by its name, for sweeps and scripts; `names` lists these.
"""

from __future__ import annotations

import inspect
from typing import Any

from neurodyn.population import listed, suggestion
from neurodyn.tasks.adding import Adding, DelayedAddition
from neurodyn.tasks.base import SymbolTask, TrialTask
from neurodyn.tasks.copying import Copy
from neurodyn.tasks.cue_discrimination import DelayedCue
from neurodyn.tasks.decisions import ContextDecision, DotMotion
from neurodyn.tasks.delayed_match import DelayedMatch
from neurodyn.tasks.digits import PermutedDigits, SequentialDigits, SplitDigits
from neurodyn.tasks.flip_flop import FlipFlop
from neurodyn.tasks.gymnasium_tasks import Episodes, ImitationTask, rollout
from neurodyn.tasks.neurogym_tasks import NeurogymTask
from neurodyn.tasks.parity import NDelayedMatch, NParity
from neurodyn.tasks.temporal_order import TemporalOrder
from neurodyn.tasks.time_series import Lorenz, MackeyGlass, SineGeneration
from neurodyn.tasks.working_memory import RingMemory, ScalarMemory

__all__ = [
    "Adding",
    "ContextDecision",
    "Copy",
    "DelayedAddition",
    "DelayedCue",
    "DelayedMatch",
    "DotMotion",
    "Episodes",
    "FlipFlop",
    "ImitationTask",
    "Lorenz",
    "MackeyGlass",
    "NDelayedMatch",
    "NParity",
    "NeurogymTask",
    "PermutedDigits",
    "RingMemory",
    "ScalarMemory",
    "SequentialDigits",
    "SineGeneration",
    "SplitDigits",
    "SymbolTask",
    "TemporalOrder",
    "TrialTask",
    "make",
    "names",
    "rollout",
]

#: Tasks that need nothing from elsewhere, by name.
_BY_NAME: dict[str, type[TrialTask]] = {
    "adding": Adding,
    "context_decision": ContextDecision,
    "copy": Copy,
    "delayed_addition": DelayedAddition,
    "delayed_cue": DelayedCue,
    "delayed_match": DelayedMatch,
    "dot_motion": DotMotion,
    "flip_flop": FlipFlop,
    "lorenz": Lorenz,
    "mackey_glass": MackeyGlass,
    "n_delayed_match": NDelayedMatch,
    "n_parity": NParity,
    "permuted_digits": PermutedDigits,
    "ring_memory": RingMemory,
    "scalar_memory": ScalarMemory,
    "sequential_digits": SequentialDigits,
    "sine_generation": SineGeneration,
    "split_digits": SplitDigits,
    "temporal_order": TemporalOrder,
}


def names() -> tuple[str, ...]:
    """Names of all tasks that `make` knows."""
    return tuple(_BY_NAME)


def make(name: str, **settings: Any) -> TrialTask:
    """A task by its name.

    Parameters
    ----------
    name : str
        One of `names`.
    **settings
        Those of the class of the task.

    Raises
    ------
    ValueError
        For an unknown name or setting, with those that there are.

    Examples
    --------
    >>> make("n_parity", n=4).output_sizes
    {'parity_4': 2}
    """
    if name not in _BY_NAME:
        raise ValueError(
            f"there is no task `{name}`{suggestion(str(name), _BY_NAME) or '.'} "
            f"Tasks: {listed(_BY_NAME)}"
        )
    known = inspect.signature(_BY_NAME[name]).parameters
    for setting in settings:
        if setting not in known:
            raise ValueError(
                f"the task `{name}` has no setting `{setting}`{suggestion(setting, known) or '.'} "
                f"Settings: {listed(known)}"
            )
    return _BY_NAME[name](**settings)
