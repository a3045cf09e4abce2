"""Figures of Lyapunov exponents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neurodyn.analyses.lyapunov.exponents import LyapunovSpectrum


def lyapunov_spectrum(
    result: LyapunovSpectrum, ax: Axes | None = None, *, unit: str = "1/s", **style: Any
) -> Axes:
    """The exponents in descending order, with two standard errors to each side.

    Parameters
    ----------
    result : LyapunovSpectrum
    ax : Axes, optional
    unit : str
        Of the exponents: 1/s for a network, 1/step for a map.
    **style
        Passed to ``Axes.errorbar``.

    Returns
    -------
    Axes
    """
    ax = new_axes(ax)
    k = result.exponents.size
    style = {"fmt": "o", "markersize": 4 if k <= 50 else 2, "elinewidth": 1, **style}
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.errorbar(np.arange(1, k + 1), result.exponents, 2 * result.standard_error, **style)
    ax.set(xlabel="number of the exponent", ylabel=f"Lyapunov exponent ({unit})")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def lyapunov_convergence(
    result: LyapunovSpectrum,
    ax: Axes | None = None,
    *,
    exponents: int = 4,
    unit: str = "s",
    **style: Any,
) -> Axes:
    """How the estimates of the leading exponents settle, with a band of two standard errors.

    Parameters
    ----------
    result : LyapunovSpectrum
    ax : Axes, optional
    exponents : int
        How many of the leading ones.
    unit : str
        Of time: s for a network, steps for a map.
    **style
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
    """
    ax = new_axes(ax)
    running = result.running
    for j in range(min(exponents, result.exponents.size)):
        (line,) = ax.plot(result.times, running[:, j], label=f"$\\lambda_{{{j + 1}}}$", **style)
        error = 2 * result.standard_error[j]
        if np.isfinite(error):
            low, high = result.exponents[j] - error, result.exponents[j] + error
            ax.axhspan(low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    # the first tenth swings too far to show anything of the rest
    settled = running[running.shape[0] // 10 :, : min(exponents, result.exponents.size)]
    low, high = min(0.0, settled.min()), max(0.0, settled.max())
    ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    ax.set(xlabel=f"time ({unit})", ylabel=f"estimate up to then (1/{unit})")
    ax.legend(frameon=False)
    return ax


__all__ = ["lyapunov_convergence", "lyapunov_spectrum"]
