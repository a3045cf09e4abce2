"""What the figures of circuits share: colours, an empty sheet in one style, letters on panels."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, told apart with any kind of colour vision.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#7F7F7F")

_STYLE: dict[str, Any] = {
    "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "legend.fontsize": 8,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "axes.spines.top": False,
    "axes.spines.right": False, "legend.frameon": False, "lines.linewidth": 1.4,
    "axes.titlelocation": "left", "image.interpolation": "nearest",
}


@contextmanager
def sheet(width: float, height: float) -> Iterator[Figure]:
    """An empty figure in the house style, without touching the user's own settings."""
    import matplotlib.pyplot as plt

    with plt.rc_context(_STYLE):
        yield plt.figure(figsize=(width, height), layout="constrained")


def letter(axes: Sequence[Axes]) -> None:
    """Panels are called a, b, c, ... in front of their titles."""
    for ax, name in zip(axes, "abcdefghij"):
        ax.set_title(f"{name}   {ax.get_title(loc='left')}", loc="left", fontweight="bold")


def labelled(dims: str | tuple[str, ...], values: Any, long_name: str, units: str = "1") -> tuple:
    """One variable of a Dataset, with its unit and its name in words."""
    return dims, values, {"units": units, "long_name": long_name}
