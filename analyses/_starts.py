"""Where a search for fixed points begins: states that are given, recorded or drawn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count, real_numbers
from neurodyn.analyses._systems import System
from neurodyn.population import listed

if TYPE_CHECKING:
    from neurodyn._arrays import RNG

#: Starts if neither they nor their number is given.
N_STARTS = 256


def check_has_fixed_points(system: System) -> None:
    """Refuse systems whose field does not say where they rest; warn of noise."""
    system.check_field_tells_all(
        "the field",
        ", so its zeros are not what the network does. Analyse the rates: a rate network "
        "(`nd.rate_network`), or the stationary rate of integrate-and-fire units by "
        "`analyses.siegert_rate`",
        ": there is no fixed point",
    )
    if not system.is_network:
        return
    noisy = [
        f"{name}.{noise}"
        for name, p in system.source.populations.items()
        for noise in p.equations.noise_names
    ]
    if noisy:
        warnings.warn(
            f"noise ({listed(noisy)}) is left out: these are points of the deterministic part",
            stacklevel=4,
        )


def free_states(system: System, free: Any) -> np.ndarray:
    """Places of the states that may move, in order; all without `free`."""
    if free is None:
        return np.arange(system.n_states)
    if isinstance(free, (str, int, np.integer)):
        free = [free]
    free = list(free)
    if any(isinstance(name, (bool, np.bool_)) for name in free):
        raise TypeError("`free` must be names or numbers of states, not a mask: np.flatnonzero(it)")
    if not free:
        raise ValueError("`free` is empty: no state may move")
    return np.unique(np.concatenate([system.state_indices(name, "free") for name in free]))


def find_starts(
    system: System, starts: Any, n_starts: int | None, spread: Any, rng: RNG, free: np.ndarray
) -> np.ndarray:
    """Full states ``(start, n_states)``, the same in all that is not free."""
    if hasattr(starts, "data_vars"):
        found = _recorded(system, starts, n_starts, rng)
    elif starts is None:
        found = _drawn(system, n_starts, spread, rng, free)
    else:
        if n_starts is not None:
            raise ValueError(
                "`n_starts` is for starts that are drawn, or taken from a Dataset; "
                "all of `starts` are used"
            )
        found = np.atleast_2d(system.state(starts, "starts"))
        if found.ndim != 2 or not len(found):
            raise ValueError(
                f"`starts` must be (start, {system.n_states}); got shape {found.shape}"
            )
    held = np.setdiff1d(np.arange(system.n_states), free)
    if held.size and starts is not None and np.ptp(found[:, held], axis=0).any():
        k = held[np.argmax(np.ptp(found[:, held], axis=0))]
        raise ValueError(
            "`starts` must agree in the states that are not `free`, as these are held; "
            f"`{system.state_names[k]}` goes from {found[:, k].min():g} to {found[:, k].max():g}"
        )
    return found


def _recorded(system: System, ds: Any, n_starts: int | None, rng: RNG) -> np.ndarray:
    """States of a trajectory at times and in trials that are drawn, without repetition."""
    if not system.is_network:
        raise TypeError(f"`starts` must be an array for a {type(system.source).__name__}")
    parts = []
    for name in system.source.state_names:
        if name not in ds or "time" not in ds[name].dims:
            raise ValueError(
                f"`starts` has no recording of the state `{name}`: "
                f"simulate with record={list(system.source.state_names)}, or give an array"
            )
        da = ds[name]
        (unit,) = [d for d in da.dims if d not in ("trial", "time")] or [None]
        front = [d for d in ("trial", "time") if d in da.dims]
        values = da.transpose(*front, *([unit] if unit else [])).values
        values = values.reshape(-1, values.shape[-1] if unit else 1)
        size = system.source.populations[system.source.split(name)[0]].size
        if values.shape[1] != size:
            raise ValueError(
                f"`starts`: {values.shape[1]} of {size} units of `{name}` are recorded, "
                "and all are needed"
            )
        parts.append(values)
    states = real_numbers(np.concatenate(parts, axis=1), "starts").astype(float)
    n = min(N_STARTS if n_starts is None else checked_count(n_starts, "n_starts"), len(states))
    return states[np.sort(as_generator(rng).choice(len(states), n, replace=False))]


def _drawn(
    system: System, n_starts: int | None, spread: Any, rng: RNG, free: np.ndarray
) -> np.ndarray:
    """Normal numbers around 0, for a network around initial states of its own."""
    n = N_STARTS if n_starts is None else checked_count(n_starts, "n_starts")
    generator = as_generator(rng)
    if system.is_network:
        seeds = np.random.SeedSequence(int(generator.integers(2**63))).spawn(n)
        centre = system.source.pack(system.source.initial_state(seeds))
    else:
        centre = np.zeros((n, system.n_states))
    noise = generator.standard_normal((n, system.n_states)) * _spread(system, spread)
    found = np.repeat(centre[:1], n, axis=0)
    found[:, free] = (centre + noise)[:, free]
    return found


def _spread(system: System, spread: Any) -> np.ndarray:
    """Standard deviation of each state."""
    if isinstance(spread, Mapping):
        from neurodyn.units import to_si

        found = np.zeros(system.n_states)
        for name, value in spread.items():
            found[system.state_indices(name, "spread")] = to_si(value, "spread").value
        spread = found
    found = real_numbers(spread, "spread")
    if found.shape not in ((), (system.n_states,)) or (found < 0).any() or not found.any():
        raise ValueError(
            "`spread` must be a positive number, one for each of the "
            f"{system.n_states} states, or a dict by name; got {spread!r:.60}"
        )
    return np.broadcast_to(found, system.n_states)
