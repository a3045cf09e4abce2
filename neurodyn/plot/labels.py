"""Where figures are drawn, what their axes are called, and the colours of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes(ax: Axes | None) -> Axes:
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(layout="constrained")
    return ax


def colour_scale(values: np.ndarray, signed: bool = False) -> dict[str, Any]:
    """Colour scale of an image; white at zero if the values are `signed` or have both signs."""
    finite = values[np.isfinite(values)]
    if signed or (finite.size and finite.min() < 0 < finite.max()):
        limit = float(np.abs(finite).max(initial=0.0)) or 1.0
        return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    return {"cmap": "viridis"}


def unit_of(da: Any) -> str:
    return str(da.attrs.get("units", "1"))


def name_of(da: Any) -> str:
    return str(da.attrs.get("long_name", da.name or "value"))


def label_of(da: Any) -> str:
    return name_of(da) if unit_of(da) in ("1", "") else f"{name_of(da)} ({unit_of(da)})"
