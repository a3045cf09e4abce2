"""Figures of results: Axes in, Axes out.

Every function takes the data first and ``ax=`` for where to draw (a new figure when it is None),
and returns the Axes, so that figures are composed with Matplotlib's own means. Labels and units
come from the attributes of the data. `plot` chooses by what it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurodyn.plot.activity import MAX_LINES, distribution, heatmap, phase, traces, unit_dimension
from neurodyn.plot.contraction import contraction_distance
from neurodyn.plot.dynamics import basins, bifurcation_diagram, limit_cycle, phase_plane
from neurodyn.plot.equilibria import fixed_points, jacobian_spectrum
from neurodyn.plot.geometry import (
    alignments,
    autocorrelation,
    cumulative_variance,
    forgetting,
    memory_function,
    similarity,
)
from neurodyn.plot.learning import stability_gap
from neurodyn.plot.linear import (
    linear_response,
    power_spectrum,
    pseudospectrum,
    transient_growth,
)
from neurodyn.plot.lyapunov import lyapunov_convergence, lyapunov_spectrum
from neurodyn.plot.matrices import covariance_ellipse, spectrum, weights
from neurodyn.plot.spikes import population_rate, raster, raster_with_rate
from neurodyn.plot.sweeps import sweep_curves, sweep_map
from neurodyn.plot.theory import autocovariance_theory, latent_plane, theory_comparison
from neurodyn.plot.trials import trial
from neurodyn.recorded_spikes import populations_with_spikes
from neurodyn.spike_trains import SpikeTrains

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "alignments",
    "autocorrelation",
    "autocovariance_theory",
    "basins",
    "bifurcation_diagram",
    "contraction_distance",
    "covariance_ellipse",
    "cumulative_variance",
    "distribution",
    "fixed_points",
    "forgetting",
    "heatmap",
    "jacobian_spectrum",
    "latent_plane",
    "limit_cycle",
    "linear_response",
    "lyapunov_convergence",
    "lyapunov_spectrum",
    "memory_function",
    "phase",
    "phase_plane",
    "plot",
    "population_rate",
    "power_spectrum",
    "pseudospectrum",
    "raster",
    "raster_with_rate",
    "similarity",
    "spectrum",
    "stability_gap",
    "sweep_curves",
    "sweep_map",
    "theory_comparison",
    "traces",
    "trial",
    "transient_growth",
    "weights",
]


def plot(data: Any, ax: Axes | None = None, **options: Any) -> Axes:
    """The plot that fits `data`.

    A variable with time gives `traces`, or `heatmap` for more than 12 units; one without time, a
    final state for example, its `distribution`; a matrix or a weights object `weights`; spike
    trains a `raster`.

    Parameters
    ----------
    data : xarray.DataArray, array, weights object or SpikeTrains
    ax : Axes, optional
    **options
        Passed on to the chosen function.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If no kind of plot fits, with what would.
    """
    dims = getattr(data, "dims", None)
    if hasattr(data, "data_vars"):
        names = ", ".join(f"ds[{str(name)!r}]" for name in data.data_vars)
        spikes = "; for its spikes call plot.raster(ds)" if populations_with_spikes(data) else ""
        raise TypeError(f"`data` is a whole Dataset; give one of its variables: {names}{spikes}")
    if isinstance(data, SpikeTrains):
        return raster(data, ax=ax, **options)
    if dims is not None and "time" in dims:
        unit = unit_dimension(data)
        many = unit is not None and data.sizes[unit] > MAX_LINES
        return (heatmap if many else traces)(data, ax=ax, **options)
    if dims is not None:
        return distribution(data, ax=ax, **options)
    if len(getattr(data, "shape", ())) == 2:
        return weights(data, ax=ax, **options)
    if len(getattr(data, "shape", ())) == 1:
        return distribution(data, ax=ax, **options)
    raise TypeError(
        "`data` must be a variable of a Dataset, such as ds['E.r'], a vector, a matrix, "
        f"or weights; got {type(data).__name__}"
    )
