"""The recurrent network that decides at the end of a trial, and its tasks.

One step, with a = dt/tau and W_in, W, W_out all trained, no biases and h = 0 at the start:

    h' = relu((1 - a) h + a (W_in x + W h)),    o = W_out h'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count

from .initial_weights import of_rank

if TYPE_CHECKING:
    from neurodyn._arrays import RNG
    from neurodyn.network import Network
    from neurodyn.tasks.base import TrialTask

__all__ = ["RECURRENT", "TASKS", "connections", "named_task", "network"]

#: Step and time constant, s.
DT = TAU = 0.1
#: The coupling whose initial structure matters, and over which tangent kernels are taken.
RECURRENT = "hidden.h->hidden.I"
#: Decision on motion, delayed match to sample, decision in context, digits row by row.
TASKS = ("2AF", "DMS", "CXT", "digits")

HIDDEN = """
    dh/dt = (relu(h + step/tau*(I - h)) - h)/step : 1
"""


def named_task(name: str) -> TrialTask:
    """One of `TASKS`, in eight steps of 100 ms.

    Parameters
    ----------
    name : str

    Returns
    -------
    TrialTask
        Classes at all steps, of which only the last is not "fixate"; for digits at the last step.
    """
    import neurodyn as nd

    if name == "2AF":
        return nd.tasks.DotMotion(dt=DT)
    if name == "DMS":
        return nd.tasks.DelayedMatch(dt=DT)
    if name == "CXT":
        return nd.tasks.ContextDecision(dt=DT, stimulus=0.2, delay=0.5)
    if name == "digits":
        return nd.tasks.SequentialDigits("rows", dt=DT)
    raise ValueError(f"`task` must be one of {', '.join(TASKS)}; got {name!r}")


def connections(task: TrialTask) -> dict[str, str]:
    """The network's name of each input and output of the task."""
    (output,) = task.output_sizes
    return {**{name: f"{name}.x" for name in task.input_sizes}, output: "out.y"}


def network(
    W: Any = None,
    *,
    task: str | TrialTask = "2AF",
    units: int = 100,
    gain: float = 1.25,
    rank: int | None = None,
    rng: RNG = 0,
) -> Network:
    """The network before learning.

    Parameters
    ----------
    W : array, (units, units), optional
        Initial recurrent weights. Default: Gaussian of `gain`, cut down to `rank`.
    task : str or TrialTask
        Whose inputs and outputs it has; a name is one of `TASKS`.
    units : int
        Hidden units; that of `W` if that is given.
    gain : float
        Standard deviation of the Gaussian weights times the root of `units`.
    rank : int, optional
        Of the initial recurrent weights; the Frobenius norm stays that of the Gaussian ones.
    rng : int, SeedSequence, Generator or None
        One generator for the Gaussian weights, input weights and readout, in this order. The first
        is drawn even if `W` is given, so that networks of one seed share the others.

    Returns
    -------
    Network
        A population for each input, with the signal ``x``; ``hidden`` and ``out``. The input and
        output weights are uniform in ``+- 1/sqrt(n)`` with n the number of inputs or hidden units.
        Made for `Euler` with steps of 100 ms.
    """
    import neurodyn as nd

    task = named_task(task) if isinstance(task, str) else task
    n = checked_count(units if W is None else len(W), "units")
    generator = as_generator(rng)
    gaussian = nd.weights.gaussian(n, gain=gain, rng=generator)
    if W is None:
        W = gaussian if rank is None else of_rank(gaussian, rank)
    sizes = task.input_sizes
    W_in = _uniform(generator, n, sum(sizes.values()))
    (n_out,) = task.output_sizes.values()
    populations = {name: nd.Population(size, "value = x : 1") for name, size in sizes.items()}
    populations["hidden"] = nd.Population(n, HIDDEN, tau=TAU, step=DT)
    populations["out"] = nd.Population(n_out, "y = I : 1")
    parts = np.split(W_in, np.cumsum(list(sizes.values()))[:-1], axis=1)
    return nd.Network(
        populations,
        [
            *(
                nd.Coupling(f"{name}.value", "hidden.I", part)
                for name, part in zip(sizes, parts, strict=True)
            ),
            nd.Coupling("hidden.h", "hidden.I", W),
            nd.Coupling("hidden.h", "out.I", _uniform(generator, n_out, n)),
        ],
    )


def _uniform(rng: np.random.Generator, n_post: int, n_pre: int) -> np.ndarray:
    """PyTorch's default for a linear layer, ``+- 1/sqrt(n_pre)``."""
    return rng.uniform(-1, 1, (n_post, n_pre)) / np.sqrt(n_pre)
