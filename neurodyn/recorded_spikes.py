"""The spikes that a run recorded, taken out of its Dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import read_only
from neurodyn.spike_trains import SpikeTrains, checked_units

if TYPE_CHECKING:
    import xarray as xr

#: Attribute of the spikes' units that says, where not all were recorded, which.
RECORDED_UNITS = "recorded_units"


def spike_trains(
    ds: xr.Dataset,
    population: str,
    t_start: float | None = None,
    t_stop: float | None = None,
    trial: int | None = None,
    units: slice | Sequence[int] | None = None,
) -> SpikeTrains:
    """Spike trains of one population of a run.

    Parameters
    ----------
    ds : xarray.Dataset
        From `simulate`, with the spikes of the population (``record=["E.spike"]``).
    population : str
        ``"E"``, or ``"A/E"`` in a nested network.
    t_start, t_stop : float or quantity, s
        Window ``[t_start, t_stop)`` on the run's own clock, in whole time steps. Default the whole
        run; give `t_start` to leave out how the network settles.
    trial : int, optional
        Which trial. Default all.
    units : slice or sequence of int, optional
        Which units, by number; ``slice(0, 100)``. Default all that were recorded.

    Returns
    -------
    SpikeTrains

    Raises
    ------
    ValueError
        If the population is unknown (with a suggestion) or its spikes were not recorded, the
        window lies outside the run, or a trial or unit does not exist.
    """
    name = f"{population}.spike"
    _check_recorded(ds, population)
    run, sizes = ds.attrs.get("run"), ds.attrs.get("sizes")
    if run is None or sizes is None or population not in sizes or "trial" not in ds.sizes:
        raise ValueError(
            "`ds` does not say how long it ran, how many units and trials there were (`run` and "
            "`sizes` in its attributes, the dimension `trial`): give the Dataset that simulate "
            "returned, or use SpikeTrains.from_arrays"
        )
    dt, n_trials = float(run["dt"]), ds.sizes["trial"]
    trials = ds[f"{name}_trial"].values
    if trials.size and trials.max() >= n_trials:
        raise ValueError(
            f"`ds` has {n_trials} trials and spikes of trial {trials.max()}: it was cut after the "
            "run. Give the whole Dataset and choose with `trial`."
        )
    size = int(sizes[population])
    time = ds[f"{name}_time"].values.astype(np.float64, copy=False)
    arrays = (time, ds[f"{name}_unit"].values, trials)
    whole = SpikeTrains(
        *map(read_only, arrays), size, n_trials, run["first_step"] * dt, run["next_step"] * dt,
        read_only(np.arange(size)), dt, population,
    )
    recorded = ds[f"{name}_unit"].attrs.get(RECORDED_UNITS)
    return whole.select(t_start, t_stop, trial, _recorded(units, recorded, size))


def populations_with_spikes(ds: xr.Dataset) -> list[str]:
    """Names of the populations whose spikes `ds` holds, in its order."""
    end = ".spike_time"
    return [str(n).removesuffix(end) for n in ds.data_vars if str(n).endswith(end)]


def _check_recorded(ds: Any, population: str) -> None:
    from neurodyn.population import suggestion

    if not hasattr(ds, "data_vars"):
        raise TypeError(
            f"`ds` must be the Dataset of a run; got {type(ds).__name__}. Spikes from elsewhere "
            "come in by SpikeTrains.from_arrays."
        )
    if not isinstance(population, str):
        raise TypeError(f"`population` must be a name, such as 'E'; got {population!r:.60}")
    known = populations_with_spikes(ds)
    if population in known:
        return
    if population in ds.attrs.get("sizes", ()):
        raise ValueError(
            f"`ds` holds no spikes of `{population}`: record them with "
            f"simulate(..., record=[\"{population}.spike\"]). It holds those of "
            f"{', '.join(known) or 'no population'}."
        )
    hint = suggestion(population.removesuffix(".spike"), known)
    raise ValueError(
        f"`population` = {population!r} has no spikes in `ds`{hint or '.'} "
        f"It holds those of {', '.join(known) or 'no population'}."
    )


def _recorded(units: Any, recorded: Any, size: int) -> Any:
    """The chosen units if they were recorded, all that were recorded if none is chosen."""
    if recorded is None:
        return units
    recorded = np.atleast_1d(np.asarray(recorded, dtype=np.int64))
    if units is None:
        return recorded
    index = checked_units(units, size)
    missing = index[~np.isin(index, recorded)]
    if missing.size:
        raise ValueError(
            f"`units`: the spikes of unit {missing[0]} were not recorded, only those of "
            f"{recorded.size} of {size} units"
        )
    return index
