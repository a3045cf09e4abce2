"""Gradients of a loss through a whole run: `bptt`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn._blas import one_blas_thread
from neurodyn.learning.losses import LossFunction, value_and_cotangents
from neurodyn.learning.unrolled import Unrolled
from neurodyn.simulation.arguments import as_signals, broadcast_state, root_seed
from neurodyn.simulation.preparation import INITIAL, NOISE, SIGNAL

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.solvers import Solver


@dataclass(frozen=True)
class Gradients:
    """A loss and its gradients.

    Attributes
    ----------
    loss : float
    gradients : dict of str to ndarray
        By name: a parameter ``()`` or ``(unit,)``, summed over trials; weights in the shape of
        their array; an initial state ``(trial, unit)``; an input ``(trial, step, unit)``. In SI:
        per second for a time constant.
    recorded : dict of str to ndarray, (trial, sample, unit)
        What the loss saw.
    final_state : dict of str to ndarray, (trial, unit)
    n_steps, n_segments : int
        Steps of the run, and pieces that the tape was made in.
    n_recomputed : int
        Steps that were computed a second time on the way back, all trials together one.
    """

    loss: float
    gradients: dict[str, np.ndarray]
    recorded: dict[str, np.ndarray]
    final_state: dict[str, np.ndarray]
    n_steps: int
    n_segments: int
    n_recomputed: int

    def __getitem__(self, name: str) -> np.ndarray:
        return self.gradients[name]


def bptt(
    network: Network,
    solver: Solver,
    duration,
    loss: LossFunction,
    *,
    trainable: Sequence[str],
    record: Sequence[str] | None = None,
    every=None,
    trials: int | None = None,
    inputs: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    rng=None,
    dtype: str = "float64",
    truncate: int | None = None,
    checkpoint_every: int | None = None,
    memory: int | None = None,
    threads: int = 1,
) -> Gradients:
    """Gradients of a loss by backpropagation through time.

    The network runs as `simulate` would run it, to the last bit, and the loss is pulled back
    through every step of the solver: the exact derivative of that computation. Spikes written with
    ``spike(...)`` pass the surrogate derivative of their population.

    Parameters
    ----------
    network : Network
        Without populations that spike by threshold and reset.
    solver : Solver
        `Euler`, `ExponentialEuler`, `Heun` or `RK4`. With noise the numbers drawn are held fixed.
    duration : float or Quantity
        s; a multiple of dt.
    loss : callable
        ``loss(recorded) -> (value, cotangents)``, see `neurodyn.learning.losses`.
    trainable : sequence of str
        What to find the gradients of: ``"E.r->E.I_rec"`` all arrays of a coupling's weights,
        ``"E.r->E.I_rec.m"`` one of them, ``"E.tau"`` a parameter, ``"E.x"`` the initial state,
        ``"E.I_ext"`` an input at every step.
    record : sequence of str, optional
        Variables that the loss needs; default its own `record`.
    every : float or Quantity, optional
        Interval between samples, s; default dt. Samples are taken at every, 2 every, ..., at the
        ends of steps; at the end of the run inputs are those of its last step.
    trials : int, optional
        Default: as many as `inputs` or `initial` have.
    inputs, initial, rng, dtype
        As for `neurodyn.simulate`; `initial` as a dict.
    truncate : int, optional
        Length of windows, in steps: the loss of a sample goes back to the beginning of its window
        and no further. Sample k, at the end of step n, is in the window of step n.
    checkpoint_every : int, optional
        Keep the state every so many steps and compute the steps between them a second time on the
        way back, in a fraction of the memory. Gradients are the same to the last bit.
    memory : int, optional
        Bytes for the values that are kept, default 1 GiB, from which `checkpoint_every` follows.
    threads : int
        Over blocks of trials; no number depends on it.

    Returns
    -------
    Gradients

    Raises
    ------
    ValueError
        For solvers, populations and names that gradients cannot be found for, before anything runs.
    FloatingPointError
        If the loss or a gradient is not finite.

    Examples
    --------
    >>> import neurodyn as nd
    >>> net = nd.rate_network([[0.5]], tau=1.0, x=1.0)
    >>> loss = nd.learning.MeanSquaredError("E.x", 0.0)
    >>> found = nd.learning.bptt(net, nd.Euler(dt=0.1), 0.1, loss, trainable=["E.x"])
    >>> x = 1 + 0.1 * (-1 + 0.5 * np.tanh(1))
    >>> bool(np.isclose(found["E.x"][0, 0], 2 * x * (0.9 + 0.05 / np.cosh(1) ** 2)))
    True
    """
    names = needed_by(loss, record)
    signals = as_signals(network, inputs)
    n_trials = trial_count(trials, signals, initial)
    unrolled = Unrolled(
        network,
        solver,
        duration,
        record=names,
        trainable=trainable,
        trials=n_trials,
        every=every,
        driven=tuple(signals),
        dtype=dtype,
        truncate=truncate,
        checkpoint_every=checkpoint_every,
        memory=memory,
        threads=checked_count(threads, "threads"),
    )
    return gradients_of(unrolled, loss, signals, initial, rng)


def needed_by(loss: LossFunction, record: Sequence[str] | None) -> Sequence[str]:
    """Names of what a loss needs: those that are said, or its own."""
    names = getattr(loss, "record", None) if record is None else record
    if not callable(loss) or not names:
        raise ValueError(
            "`loss` must be a function of what is recorded, with the names of that in `record=`; "
            f"got {loss!r} and record={record!r}"
        )
    return names


def gradients_of(unrolled: Unrolled, loss: LossFunction, inputs, initial, rng) -> Gradients:
    """The same of a network that is unrolled already, with its current values."""
    with one_blas_thread():
        run_forward(unrolled, inputs, initial, rng)
        value, cotangents = value_and_cotangents(loss, unrolled.recorded)
        if not np.isfinite(value):
            raise FloatingPointError(_not_finite(unrolled, value))
        unrolled.backward(checked_cotangents(unrolled, cotangents))
        gradients = unrolled.gradients()
    for name, gradient in gradients.items():
        if not np.isfinite(gradient).all():
            raise FloatingPointError(why_not_finite(name, value, cotangents))
    return Gradients(
        value,
        gradients,
        unrolled.recorded,
        unrolled.final_state(),
        unrolled.n_steps,
        len(unrolled.segments),
        max(block.recomputed for block in unrolled.blocks),
    )


def run_forward(
    unrolled: Unrolled, inputs, initial, rng, added_at_end: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Run an unrolled network from what users give.

    The samples at the end of the run see the inputs of the last step, and what `added_at_end`, by
    name (trial, unit), adds to them.
    """
    root = root_seed(rng, None)
    signals = as_signals(unrolled.network, inputs)
    keys = None
    if unrolled.compiled.structure.noise_streams:
        seeds = _seeds(root, unrolled.n_trials, NOISE)
        keys = np.array([seed.generate_state(2) for seed in seeds], dtype=np.uint32)
    state = initial_state(unrolled, initial, root)
    drives = _drives(unrolled, signals, root)
    for name, values in (added_at_end or {}).items():
        drives[unrolled.compiled.driven_names.index(name)][-1] += values
    return unrolled.forward(drives, state, keys)


def checked_cotangents(unrolled: Unrolled, cotangents) -> dict[str, np.ndarray]:
    """What a loss returned, checked to fit what was recorded."""
    found = {}
    for name, values in cotangents.items():
        if name not in unrolled.recorded:
            raise ValueError(
                f"`loss` returned a cotangent of `{name}`, which is not recorded; recorded: "
                f"{', '.join(unrolled.recorded)}"
            )
        values, shape = np.asarray(values), unrolled.recorded[name].shape
        if values.shape != shape:
            raise ValueError(
                f"`loss` returned a cotangent of `{name}` of shape {values.shape}; it must have "
                f"that of what was recorded, {shape}"
            )
        found[name] = values
    return found


def why_not_finite(key: str, loss: float, cotangents: Mapping[str, np.ndarray]) -> str:
    """What is to be said of a gradient that is not finite."""
    for name, values in cotangents.items():
        if not np.isfinite(values).all():
            place = [int(k) for k in np.argwhere(~np.isfinite(values))[0]]
            return (
                f"the gradient of `{key}` is not finite, because the cotangent of `{name}` that "
                f"the loss returned is {np.asarray(values)[tuple(place)]} at [trial, sample, unit] "
                f"= {place}: look at the derivatives in `loss` itself"
            )
    return (
        f"the gradient of `{key}` is not finite, though the loss, {loss:g}, is: it grew on its way "
        "back. Try `truncate=`, a shorter run, or weights of a smaller gain"
    )


def _not_finite(unrolled: Unrolled, value) -> str:
    for name, state in unrolled.final_state().items():
        if not np.isfinite(state).all():
            trial, unit = map(int, np.argwhere(~np.isfinite(state))[0])
            return (
                f"the loss is {value}: `{name}` of unit {unit} in trial {trial} is "
                f"{state[trial, unit]} at the end. Try a smaller dt or weights of a smaller gain"
            )
    return f"the loss is {value}, though all states are finite at the end: look at `loss` itself"


def _seeds(root, n_trials: int, purpose: int, extra: tuple[int, ...] = ()):
    """One seed a trial, those of `simulate`."""
    return [
        np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, purpose, *extra, trial))
        for trial in range(n_trials)
    ]


def trial_count(trials: int | None, signals, initial) -> int:
    """So many as are said, or as `inputs` or `initial` have."""
    from neurodyn.signals import ArraySignal

    if trials is not None:
        return checked_count(trials, "trials")
    if initial is not None and not isinstance(initial, Mapping):
        raise TypeError(
            "`initial` must be a dict of states, for example `nd.final_state(ds)` of an earlier "
            f"run; got {type(initial).__name__}"
        )
    counts = {np.shape(v)[0] for v in (initial or {}).values() if np.ndim(v) == 2}
    for signal in signals.values():
        if isinstance(signal, ArraySignal) and "trial" in signal.axes:
            counts.add(signal.values.shape[signal.axes.index("trial")])
    counts -= {1}
    if len(counts) > 1:
        raise ValueError(f"`inputs` and `initial` have {sorted(counts)} trials; they must agree")
    return counts.pop() if counts else 1


def initial_state(unrolled: Unrolled, initial, root) -> dict[str, np.ndarray]:
    """States to begin with, from what users give and what the network draws."""
    network, n = unrolled.network, unrolled.n_trials
    if initial is not None and (not isinstance(initial, Mapping) or hasattr(initial, "attrs")):
        raise TypeError(
            "`initial` must be a dict of states, for example `nd.final_state(ds)` of an earlier "
            f"run; got {type(initial).__name__}"
        )
    drawn = any(callable(v) for p in network.populations.values() for v in p.initial.values())
    if drawn:
        state = network.initial_state(_seeds(root, n, INITIAL))
    else:  # the same in all trials
        one = network.initial_state([np.random.SeedSequence(0)])
        state = {k: np.broadcast_to(v, (n, v.shape[1])) for k, v in one.items()}
    for name, value in (initial or {}).items():
        if name not in state:
            network.split(name)
            raise ValueError(f"`initial`: `{name}` is not a state; states: {', '.join(state)}")
        state[name] = broadcast_state(name, value, state[name], network)
    return state


def _drives(unrolled: Unrolled, signals, root) -> list[np.ndarray]:
    """Values of every driven input, with a row for the end, which repeats the last."""
    network, n, dtype = unrolled.network, unrolled.n_trials, unrolled.dtype
    found = []
    for name in unrolled.compiled.driven_names:
        signal = signals.get(name)
        if signal is None:
            found.append(np.zeros((1, 1, 1), dtype))
            continue
        size = network.populations[network.split(name)[0]].size
        extra = (network.input_names.index(name),)
        random = signal.n_random > 0
        seeds = _seeds(root, n, SIGNAL, extra) if random else [np.random.SeedSequence(0)] * n
        n_steps = unrolled.n_steps
        sampler = signal.sampler(unrolled.dt, size, seeds, n_steps=n_steps, name=name)
        if signal.is_constant:
            found.append(sampler.take(1).astype(dtype))
            continue
        values = sampler.take(n_steps)
        rows = np.empty((n_steps + 1, *values.shape[1:]), dtype)
        rows[:-1] = values
        rows[-1] = values[-1]
        found.append(rows)
    unknown = set(signals) - set(unrolled.compiled.driven_names)
    if unknown:
        raise ValueError(
            f"`inputs`: `{unknown.pop()}` was not given when the network was unrolled: `driven=`"
        )
    return found
