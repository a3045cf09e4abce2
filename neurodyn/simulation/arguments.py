"""What `simulate` is given, checked: seeds, earlier runs, trials, signals and states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodyn.simulation.time_grid import count_steps
from neurodyn.units import UnitError, format_dimension, to_si

#: Bytes of workspace that a block of trials should keep to: it then stays in the level-2 cache.
_BLOCK_BYTES = 384 * 2**10


def root_seed(rng, previous) -> np.random.SeedSequence:
    """The seed of all streams: from `rng`, or the earlier run's, so that its streams go on."""
    if rng is None and previous:
        return np.random.SeedSequence(previous["entropy"], spawn_key=previous["spawn_key"])
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence([int(n) for n in rng.integers(0, 2**32, size=4)])
    if rng is None:
        return np.random.SeedSequence()
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.SeedSequence(int(rng))
    raise ValueError(
        f"`rng` must be a non-negative integer, a SeedSequence, a Generator or None; got {rng!r}"
    )


def previous_run(ds) -> dict[str, Any]:
    """State and position of an earlier run, from its Dataset."""
    from neurodyn.results import FINAL, final_states
    from neurodyn.simulation.carried import read_carried

    if not hasattr(ds, "data_vars"):
        raise TypeError(
            "`initial` must be the Dataset of an earlier run or a dict of states; "
            f"got {type(ds).__name__}"
        )
    run = ds.attrs.get("run")
    if not isinstance(run, Mapping):
        raise ValueError("`initial` is a Dataset that simulate did not make: it has no `run`")
    entropy = [int(e) for e in run["entropy"].split(",")]
    return {
        "state": {n: np.asarray(v) for n, v in final_states(ds).items()},
        "trials": run["trials"],
        "dt": run["dt"],
        "next_step": run["next_step"],
        "entropy": entropy[0] if len(entropy) == 1 else entropy,
        "spawn_key": tuple(run["spawn_key"]),
        "step_size": run.get("step_size"),
        "carried": read_carried(ds),
        "synapses": {
            str(name).removesuffix(FINAL): ds[name].values
            for name in ds.data_vars
            if "->" in str(name) and str(name).endswith(FINAL)
        },
    }


def other_grid(previous, dt: float) -> int:
    """The step at which a run goes on with another dt."""
    return count_steps(previous["next_step"] * previous["dt"], dt, "time at the end of initial")


def trial_count(trials, initial, previous) -> int:
    found = None
    if previous:
        found = previous["trials"]
    elif initial:
        sizes = {np.shape(to_si(v, n).value)[0] for n, v in initial.items()
                 if np.ndim(to_si(v, n).value) == 2}  # fmt: skip
        found = max(sizes, default=None)
    if trials is None:
        return found or 1
    if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or trials < 1:
        raise ValueError(f"`trials` must be a positive integer; got {trials!r}")
    if found not in (None, 1, trials):
        raise ValueError(f"`trials` is {trials}, but `initial` has {found}")
    return int(trials)


def as_signals(network, inputs) -> dict[str, Any]:
    if not inputs:
        return {}
    if not isinstance(inputs, Mapping):
        raise TypeError(
            f'`inputs` must be a dict such as {{"E.I_ext": 1.0}}; got {type(inputs).__name__}'
        )
    from neurodyn.signals import as_signal

    found = {}
    for name, value in inputs.items():
        network.split(name)
        if name not in network.input_names:
            raise ValueError(
                f"`inputs`: `{name}` is not an input; inputs: {', '.join(network.input_names)}"
            )
        signal = as_signal(value, name)
        expected = network.dimension(name)
        if signal.dim not in (None, expected):
            raise UnitError(
                f"`inputs`: `{name}` must be in {format_dimension(expected)}; "
                f"got {format_dimension(signal.dim)}"
            )
        found[name] = signal
    return found


def block_size(n_trials: int, bytes_per_trial: int) -> int:
    """Trials a block: blocks fit the cache, are of one size, and an even number where possible.

    The size is a multiple of four, as the panels of the weight products are. No result depends on
    it.
    """
    fours = -(-n_trials // 4)
    largest = max(1, _BLOCK_BYTES // max(1, bytes_per_trial) // 4)
    n_blocks = -(-fours // largest)
    if fours > 1:
        n_blocks += n_blocks % 2
    return 4 * -(-fours // n_blocks)


def broadcast_state(name, value, like: np.ndarray, network) -> np.ndarray:
    value, dim = to_si(value, f"initial[{name!r}]")
    expected = network.dimension(name)
    if dim not in (None, expected):
        raise UnitError(
            f"`initial`: `{name}` must be in {format_dimension(expected)}; "
            f"got {format_dimension(dim)}"
        )
    try:
        array = np.broadcast_to(value, like.shape)
    except ValueError:
        raise ValueError(
            f"`initial`: `{name}` must be a number, ({like.shape[1]},) or {like.shape}; "
            f"got shape {np.shape(value)}"
        ) from None
    if not np.isfinite(array).all():
        raise ValueError(f"`initial`: `{name}` must be finite")
    return np.array(array, dtype=float)


def thread_count(threads: int | None) -> int:
    if threads is None:
        import numba

        return numba.config.NUMBA_NUM_THREADS
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise ValueError(f"`threads` must be a positive integer; got {threads!r}")
    return int(threads)
