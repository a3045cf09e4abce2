"""Weights, their eigenvalues, covariances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.plot.labels import colour_scale, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


def weights(W: Any, ax: Axes | None = None, **image: Any) -> Axes:
    """A weight matrix in colour: rows receive (post), columns send (pre).

    Parameters
    ----------
    W : array, sparse matrix or weights object, (post, pre)
    ax : Axes, optional
    **image
        Passed to ``Axes.imshow``.

    Returns
    -------
    Axes
        White is zero, red excites, blue inhibits.
    """
    matrix = _matrix(W, "W")
    ax = new_axes(ax)
    colours = colour_scale(matrix, signed=True)
    drawn = ax.imshow(matrix, **(colours | image))
    ax.figure.colorbar(drawn, ax=ax, label="weight")
    ax.set(xlabel="pre (from)", ylabel="post (to)")
    return ax


def spectrum(W: Any, ax: Axes | None = None, **marker: Any) -> Axes:
    """Eigenvalues of a square weight matrix in the complex plane, with the unit circle.

    For ``tau dx/dt = -x + W phi(x)`` with ``phi'(0) = 1`` the silent state is stable if all lie
    left of 1; for a discrete map, if all lie inside the circle.

    Parameters
    ----------
    W : array, sparse matrix or weights object, (n, n)
    ax : Axes, optional
    **marker
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes
    """
    matrix = _matrix(W, "W")
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"`W` must be square to have eigenvalues; got shape {matrix.shape}")
    values = np.linalg.eigvals(matrix)
    ax = new_axes(ax)
    angle = np.linspace(0, 2 * np.pi, 361)
    ax.plot(np.cos(angle), np.sin(angle), color="0.6", linewidth=1)
    style = {"marker": "o", "linestyle": "none", "markersize": 3, "alpha": 0.7, "color": "C0"}
    ax.plot(values.real, values.imag, **(style | marker))
    ax.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
    return ax


def covariance_ellipse(
    C: ArrayLike,
    mean: ArrayLike = (0.0, 0.0),
    n_std: float = 1.0,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """The ellipse of a covariance: points at `n_std` standard deviations from the mean.

    Parameters
    ----------
    C : array, (2, 2)
        Symmetric, positive semi-definite.
    mean : array, (2,)
    n_std : float
        Default 1.
    ax : Axes, optional
    **line
        Passed to ``Axes.plot``.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `C` is no covariance.
    """
    C, mean = np.asarray(C, dtype=float), np.asarray(mean, dtype=float)
    if C.shape != (2, 2) or not np.allclose(C, C.T):
        raise ValueError(f"`C` must be symmetric with shape (2, 2); got {C.tolist()}")
    variances, axes = np.linalg.eigh(C)
    if variances[0] < -1e-10 * max(abs(variances[1]), 1e-300):
        raise ValueError(f"`C` must be positive semi-definite; its eigenvalues are {variances}")
    angle = np.linspace(0, 2 * np.pi, 181)
    circle = np.sqrt(np.maximum(variances, 0))[:, None] * np.stack([np.cos(angle), np.sin(angle)])
    ax = new_axes(ax)
    ax.plot(*(mean[:, None] + n_std * axes @ circle), **line)
    ax.set_aspect("equal", adjustable="box")  # "datalim" cannot draw axes that are shared
    return ax


def _matrix(W: Any, name: str) -> np.ndarray:
    """Dense (post, pre) of an array, a SciPy sparse matrix or one of our weights objects."""
    for method in ("toarray", "dense", "to_dense"):
        if callable(getattr(W, method, None)):
            W = getattr(W, method)()
            break
    matrix = np.asarray(getattr(W, "values", W))
    if matrix.ndim != 2:
        raise ValueError(f"`{name}` must be a matrix, (post, pre); got shape {matrix.shape}")
    return matrix
