"""Gradients by any rule, with the arguments of `bptt`: `find_gradients`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neurodyn._arrays import checked_count
from neurodyn.learning.gradients import Gradients, gradients_of, needed_by, trial_count
from neurodyn.learning.losses import LossFunction
from neurodyn.learning.online.rules import GradientRule
from neurodyn.simulation.arguments import as_signals

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.solvers import Solver


def find_gradients(
    network: Network,
    solver: Solver,
    duration,
    loss: LossFunction,
    rule: GradientRule,
    *,
    trainable: Sequence[str],
    record: Sequence[str] | None = None,
    every=None,
    trials: int | None = None,
    inputs: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    rng=None,
    dtype: str = "float64",
    memory: int | None = None,
    threads: int = 1,
) -> Gradients:
    """What a rule finds for the gradients of a loss, over a whole run.

    Parameters
    ----------
    network, solver, duration, loss, trainable, record, every, trials, inputs, initial, rng, dtype
        As for `neurodyn.learning.bptt`; the run is the same, to the last bit.
    rule : GradientRule
        `RTRL`, `EProp`, `RFLO`, `FeedbackAlignment` or `BPTT`.
    memory : int, optional
        Bytes for tapes, and for sensitivities, default 1 GiB each. So many trials go together as it
        has room for.
    threads : int
        Over blocks of trials in the passes forward and back; what carries sensitivities takes one.

    Returns
    -------
    Gradients
        Under the names and in the shapes of `bptt`.

    Raises
    ------
    ValueError
        For names that do not exist, and for a network that the rule cannot be used on, with the
        reason.
    FloatingPointError
        If the loss or a gradient is not finite.

    Examples
    --------
    >>> import neurodyn as nd
    >>> net = nd.rate_network([[0.5]], tau=1.0, x=1.0)
    >>> loss = nd.learning.MeanSquaredError("E.x", 0.0)
    >>> found = nd.learning.find_gradients(
    ...     net, nd.Euler(dt=0.1), 0.5, loss, nd.learning.RTRL(), trainable=["E.r->E.I_rec"])
    >>> swept = nd.learning.bptt(net, nd.Euler(dt=0.1), 0.5, loss, trainable=["E.r->E.I_rec"])
    >>> nd.learning.gradient_angle(found, swept)["all"] < 1e-6
    True
    """
    if not isinstance(rule, GradientRule):
        raise TypeError(f"`rule` must be one such as nd.learning.EProp(); got {rule!r}")
    signals = as_signals(network, inputs)
    unrolled = rule.unroll(
        network,
        solver,
        duration,
        record=needed_by(loss, record),
        trainable=trainable,
        trials=trial_count(trials, signals, initial),
        every=every,
        driven=tuple(signals),
        dtype=dtype,
        memory=memory,
        threads=checked_count(threads, "threads"),
    )
    return gradients_of(unrolled, loss, signals, initial, rng)
