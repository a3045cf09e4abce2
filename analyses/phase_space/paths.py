"""Paths of a system from several starts at once: `trajectories_from`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count
from neurodyn.analyses._systems import System, as_system
from neurodyn.units import to_si

if TYPE_CHECKING:
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

#: A state so many times as large as the largest of all starts (or 1) has diverged.
_FAR = 1e9


@dataclass(frozen=True)
class Trajectories:
    """Paths from several starts.

    Attributes
    ----------
    time : ndarray, (time,)
        s for a network, steps for a map.
    states : ndarray, (start, time, n_states)
        NaN from where a path diverged.
    diverged : ndarray of bool, (start,)
    state_names : tuple of str
    """

    time: np.ndarray
    states: np.ndarray = field(repr=False)
    diverged: np.ndarray
    state_names: tuple[str, ...]

    def of(self, name: str | int) -> np.ndarray:
        """One state along all paths, (start, time)."""
        from neurodyn.population import listed, suggestion

        if isinstance(name, str):
            if name not in self.state_names:
                raise ValueError(
                    f"no state `{name}`{suggestion(name, self.state_names) or '.'} "
                    f"There are {listed(self.state_names)}."
                )
            name = self.state_names.index(name)
        return self.states[..., name]

    def __repr__(self) -> str:
        lost = f", {self.diverged.sum()} diverged" if self.diverged.any() else ""
        return (
            f"<Trajectories of {len(self.states)} starts, {self.time.size} times to "
            f"{self.time[-1]:.4g}{lost}>"
        )


def trajectories_from(
    system: Network | Flow | Map,
    starts: Any,
    duration: Any,
    *,
    n_times: int = 500,
    solver: Solver | None = None,
    inputs: Mapping[str, Any] | None = None,
    rng: Any = None,
) -> Trajectories:
    """Paths from several starts.

    Parameters
    ----------
    system : Network, Flow or Map
    starts : array_like, (n_states,) or (start, n_states), or dict of str to float
        For the plane of two states of a larger system, those of ``FlowField.states`` fit.
    duration : float or quantity, s
        In steps for a map.
    n_times : int
        Times at which the states are given, evenly spread with both ends, default 500; for a map
        those are all steps.
    solver : Solver, optional
        For a network: what `simulate` takes, for networks with noise too. Default an adaptive
        method of order 5 with relative tolerance 1e-8. A flow is integrated by SciPy's DOP853.
    inputs : dict, optional
        As for `simulate`.
    rng : int, SeedSequence, Generator or None
        Of noise.

    Returns
    -------
    Trajectories
        Starts that diverge are marked; the others are not touched by that.

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> from neurodyn import analyses
    >>> decay = nd.Flow(lambda x, tau: -x/tau, 1, parameters={"tau": 2.0})
    >>> paths = analyses.trajectories_from(decay, [[1.0], [-3.0]], 2.0)
    >>> paths.of("x0")[:, -1].round(6)
    array([ 0.367879, -1.103638])
    """
    view = as_system(system, None if as_system(system).is_network else inputs)
    starts = np.atleast_2d(view.state(starts, "starts"))
    if starts.ndim != 2:
        raise ValueError(f"`starts` must be (start, n_states); got shape {starts.shape}")
    length = to_si(duration, "duration").value
    if not (np.ndim(length) == 0 and np.isfinite(length) and length > 0):
        raise ValueError(f"`duration` must be a positive time; got {duration!r}")
    if view.is_map:
        n_times = checked_count(duration, "duration") + 1
    times = np.linspace(0.0, length, checked_count(n_times, "n_times", 2))
    if view.is_network:
        states = _simulated(system, solver, starts, times, inputs, rng)
    elif solver is not None:
        raise ValueError(f"`solver` is for networks; a {type(system).__name__} has its own method")
    else:
        states = integrate(view, starts, times)
    return Trajectories(times, states, ~np.isfinite(states).all(axis=(1, 2)), view.state_names)


def integrate(
    system: System, starts: np.ndarray, times: np.ndarray, rtol: float = 1e-9
) -> np.ndarray:
    """States (start, time, n_states) of a flow, a map or a network without noise.

    All starts take the same steps of DOP853. One that leaves every bound, or whose field is no
    longer finite, stands still and does not hold up the others; it is NaN from there.
    """
    if system.is_map:
        return _iterated(system, starts, times.size)
    from scipy.integrate import solve_ivp

    m, n = starts.shape
    bound = _FAR * max(1.0, float(np.abs(starts).max()))

    def rates(_, flat: np.ndarray) -> np.ndarray:
        x = flat.reshape(m, n)
        with np.errstate(all="ignore"):
            found = system.field(x)
        lost = ~np.isfinite(found).all(axis=1) | ~(np.abs(x).max(axis=1) < bound)
        found[lost] = 0.0
        return found.ravel()

    # the error is a root mean square over all starts: one of them may hold all of it
    scale = np.abs(starts).max(axis=0)
    atol = 1e-3 * rtol * np.where(scale > 0, scale, max(1.0, float(scale.max())))
    found = solve_ivp(
        rates, (times[0], times[-1]), starts.ravel(), "DOP853", times,
        rtol=max(rtol / np.sqrt(m), 1e-13), atol=np.tile(atol, m),
    )  # fmt: skip
    states = np.full((times.size, m, n), np.nan)
    states[: found.y.shape[1]] = found.y.T.reshape(-1, m, n)
    states = np.swapaxes(states, 0, 1)
    if found.status < 0 and m > 1:  # the steps became too short for one of them
        return np.concatenate([integrate(system, start[None], times, rtol) for start in starts])
    with np.errstate(all="ignore"):
        rates_at = system.field(states.reshape(-1, n)).reshape(states.shape)
    lost = ~np.isfinite(rates_at).all(axis=2) | ~(np.abs(states).max(axis=2) < bound)
    states[np.maximum.accumulate(lost, axis=1)] = np.nan
    return states


def _iterated(system: System, starts: np.ndarray, n_times: int) -> np.ndarray:
    states = np.empty((len(starts), n_times, starts.shape[1]))
    states[:, 0] = x = starts
    with np.errstate(all="ignore"):
        for k in range(1, n_times):
            x = system.field(x)
            x = np.where(np.isfinite(x).all(axis=1, keepdims=True), x, np.nan)
            states[:, k] = x
    return states


def _simulated(network, solver, starts, times, inputs, rng) -> np.ndarray:
    """States by `simulate`; a start that diverges is left out and the others run again."""
    import neurodyn as nd
    from neurodyn.simulation.divergence import SimulationDiverged

    step = times[1] - times[0]
    solver = nd.DormandPrince(step, rtol=1e-8, atol=1e-11) if solver is None else solver
    names = network.state_names
    n_steps = times.size - 1
    every = max(1, round(step / solver.dt)) * solver.dt
    states = np.full((len(starts), times.size, starts.shape[1]), np.nan)
    states[:, 0] = starts
    left = np.arange(len(starts))
    while left.size:
        try:
            ds = nd.simulate(
                network, solver, n_steps * every, trials=left.size, record=list(names),
                every=every, inputs=inputs, initial=network.unpack(starts[left]), rng=rng,
            )  # fmt: skip
        except SimulationDiverged as error:
            states[left[error.trial], : error.dataset.sizes["time"]] = _packed(
                error.dataset.isel(trial=error.trial), names
            )
            left = np.delete(left, error.trial)
            continue
        states[left, :-1] = _packed(ds, names)
        states[left, -1] = np.concatenate([ds[f"{n}.final"].values for n in names], axis=-1)
        break
    return states


def _packed(ds, names) -> np.ndarray:
    return np.concatenate([ds[name].values for name in names], axis=-1)
