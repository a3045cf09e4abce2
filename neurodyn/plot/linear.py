"""Linear analyses: pseudospectra, amplification, responses, power spectra.

The functions take the records of `neurodyn.analyses`, or anything with the same attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neurodyn.analyses.linear.noise import PowerSpectrum
    from neurodyn.analyses.linear.pseudospectra import Pseudospectrum
    from neurodyn.analyses.linear.transfer_functions import LinearResponse
    from neurodyn.analyses.linear.transients import TransientGrowth

#: Curves that still get a label each; those of which each is drawn.
_MAX_LABELS, _MAX_CURVES = 8, 100


def pseudospectrum(
    result: Pseudospectrum, ax: Axes | None = None, *, levels: Any = None, **lines: Any
) -> Axes:
    """Contours of pseudospectra with the eigenvalues and the border of stability.

    Parameters
    ----------
    result : Pseudospectrum
    ax : Axes, optional
    levels : array_like, optional
        The eps of each contour. Default one a power of ten, or three where the range is small.
    **lines
        Passed to ``Axes.contour``.

    Returns
    -------
    Axes
        A contour is how far a change of the matrix of norm eps can move eigenvalues; the dashed
        line, for a map the circle, is the border of stability.
    """
    ax = new_axes(ax)
    smallest = np.maximum(result.smallest_singular_value, result.resolution)
    exponents = np.log10(_levels(smallest) if levels is None else np.sort(np.atleast_1d(levels)))
    style = {"levels": exponents, "cmap": "viridis", "linewidths": 1.2, **lines}
    drawn = ax.contour(result.real, result.imaginary, np.log10(smallest), **style)
    bar = ax.figure.colorbar(drawn, ax=ax, label="$\\varepsilon$")
    for line in bar.ax.collections:
        line.set_linewidth(4)
    bar.set_ticks(exponents, labels=[_power(e) for e in exponents])
    if result.is_map:
        angle = np.linspace(0, 2 * np.pi, 361)
        ax.plot(np.cos(angle), np.sin(angle), color="0.5", linestyle="--", linewidth=1)
    else:
        ax.axvline(0, color="0.5", linestyle="--", linewidth=1)
    values = result.eigenvalues
    ax.plot(values.real, values.imag, "k.", markersize=5 if values.size <= 50 else 3)
    unit = "" if result.is_map else " (1/s)"
    ax.set(xlabel=f"real part{unit}", ylabel=f"imaginary part{unit}", aspect="equal",
           xlim=(result.real[0], result.real[-1]),
           ylim=(result.imaginary[0], result.imaginary[-1]))  # fmt: skip
    return ax


def _levels(smallest: np.ndarray) -> np.ndarray:
    """Powers of ten within the values; with 3 and its powers of ten if these are few."""
    low, high = np.log10(np.quantile(smallest, [0.01, 0.99]))
    powers = np.arange(np.floor(low), np.ceil(high) + 1)
    found = powers if high - low > 3 else np.sort([*powers, *(powers + np.log10(3))])
    found = found[(found >= low) & (found <= high)]
    return 10.0 ** (found if found.size else np.array([(low + high) / 2]))


def _power(exponent: float) -> str:
    whole = round(exponent)
    if abs(exponent - whole) < 1e-9 and abs(whole) > 2:
        return f"$10^{{{whole}}}$"
    return f"{float(f'{10.0**exponent:.2g}'):g}"  # 100, not 1e+02


def transient_growth(result: TransientGrowth, ax: Axes | None = None, **line: Any) -> Axes:
    """The largest amplification of any state over time; a dot marks the maximum.

    Parameters
    ----------
    result : TransientGrowth
    ax : Axes, optional
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
        1, the dashed line, is no amplification.
    """
    ax = new_axes(ax)
    ax.axhline(1, color="0.5", linestyle="--", linewidth=1)
    (drawn,) = ax.plot(result.times, result.amplification, **line)
    ax.plot([result.time], [result.maximum], "o", color=drawn.get_color())
    is_steps = result.linearisation.is_map and result.linearisation.dt == 1
    ax.set(xlabel="step" if is_steps else "time (s)", ylabel="largest amplification",
           xlim=(0, result.times[-1]), ylim=(0, None))  # fmt: skip
    return ax


def power_spectrum(result: PowerSpectrum, ax: Axes | None = None, **line: Any) -> Axes:
    """Power of each state against frequency, both logarithmic.

    Parameters
    ----------
    result : PowerSpectrum
    ax : Axes, optional
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
        With more than eight states, thin lines, with more than a hundred the range of 90 % of them;
        in black their mean.
    """
    ax = new_axes(ax)
    _curves(ax, result.frequencies, result.power, result.state_names, line)
    if result.power.shape[1] > _MAX_LABELS:
        mean = result.power.mean(axis=1)
        ax.plot(result.frequencies, mean, color="k", linewidth=2, label="mean")
    ax.legend(frameon=False)
    is_steps = result.linearisation.is_map and result.linearisation.dt == 1
    ax.set(xlabel="frequency (1/step)" if is_steps else "frequency (Hz)",
           ylabel="power (1/step)" if is_steps else "power (1/Hz)", yscale="log",
           xscale="log" if result.frequencies.min() > 0 else "linear")  # fmt: skip
    return ax


def linear_response(
    result: LinearResponse, ax: Axes | None = None, *, what: str = "gain", **line: Any
) -> Axes:
    """Gain or phase of every pair of input and output against frequency.

    Parameters
    ----------
    result : LinearResponse
    ax : Axes, optional
    what : {"gain", "phase"}
        Default the gain, on a logarithmic scale.
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
        With more than eight pairs, thin lines, with more than a hundred the range of 90 % of them;
        in black the gain of the best pattern of inputs.
    """
    if what not in ("gain", "phase"):
        raise ValueError(f'`what` must be "gain" or "phase"; got {what!r}')
    ax = new_axes(ax)
    values = getattr(result, what).reshape(len(result.frequencies), -1)
    names = [f"{s} → {o}" for o in result.output_names for s in result.source_names]
    _curves(ax, result.frequencies, values, names, line)
    if what == "gain" and len(names) > _MAX_LABELS:
        ax.plot(result.frequencies, result.largest_gain, color="k", linewidth=2,
                label="best pattern of inputs")  # fmt: skip
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False)
    is_steps = result.linearisation.is_map and result.linearisation.dt == 1
    ax.set(xlabel="frequency (1/step)" if is_steps else "frequency (Hz)",
           ylabel="gain" if what == "gain" else "phase (rad)",
           yscale="log" if what == "gain" else "linear",
           xscale="log" if result.frequencies.min() > 0 else "linear")  # fmt: skip
    return ax


def _curves(ax: Axes, x: np.ndarray, columns: np.ndarray, names: Any, line: dict) -> None:
    """One curve a column, with names where they are few, else thin; of very many their range."""
    n = columns.shape[1]
    if n > _MAX_CURVES:
        low, high = np.quantile(columns, [0.05, 0.95], axis=1)
        ax.fill_between(x, low, high, color="C0", alpha=0.3, linewidth=0, label=f"90 % of {n}")
        return
    style = {} if n <= _MAX_LABELS else {"linewidth": 0.6, "alpha": 0.5, "color": "C0"}
    for column, name in zip(columns.T, names, strict=True):
        ax.plot(x, column, **{**style, "label": name if n <= _MAX_LABELS else None, **line})


__all__ = ["linear_response", "power_spectrum", "pseudospectrum", "transient_growth"]
