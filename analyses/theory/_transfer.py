"""Transfer functions of units, and their averages over Gaussian inputs, for mean-field theories.

Averages are trapezoidal sums, which for analytic functions on the whole line converge
exponentially: with a step h the error is ``exp(-2 pi a/h)``, a the distance of the nearest pole
from the real axis. That of tanh(s z) is at ``pi/(2 s)``, and Gauss-Hermite rules of 80 nodes, which
do not see it, are wrong by half for s = 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from neurodyn.flow import Flow

#: The Gaussian is nothing beyond so many standard deviations: exp(-9**2/2) = 3e-18.
_REACH = 9.0
#: Exponent of the error of a sum, see the module: exp(-36) = 2e-16.
_EXPONENT = 36.0
#: Least variance at which derivatives are taken by Stein's lemma; below it they no longer change.
_LEAST_VARIANCE = 1e-8


@dataclass(frozen=True)
class Transfer:
    """A transfer function with its derivative and, where known, an integral from 0.

    Attributes
    ----------
    name : str
    value, derivative : callable
        Of arrays.
    integral : callable or None
    """

    name: str
    value: Callable[..., np.ndarray]
    derivative: Callable[..., np.ndarray]
    integral: Callable[..., np.ndarray] | None = None

    @property
    def bound(self) -> float:
        """Largest size that the function takes."""
        return float(np.max(np.abs(self.value(np.array([-1e8, -1e4, 1e4, 1e8])))))

    def check_bounded(self) -> None:
        """Raise unless the function stays bounded."""
        with np.errstate(all="ignore"):
            near, far = (np.abs(self.value(np.array([-x, x]))) for x in (1e4, 1e8))
        if not np.all(np.isfinite(far)) or np.any(far > 1.01 * np.max(near) + 1e-12):
            raise ValueError(
                f"`phi` must be bounded; got {self.name}, which is {np.max(near):g} at 1e4 and "
                f"{np.max(far):g} at 1e8. The theory's solutions are only sure to exist and to lie "
                'in a known box for a function that saturates, such as "tanh"'
            )

    def check_odd_sigmoid(self) -> None:
        """Raise unless the function is odd, bounded, rises and is steepest at 0."""
        self.check_bounded()
        x = np.geomspace(1e-3, 1e2, 200)
        above, below = self.value(x), self.value(-x)
        k = int(np.argmax(np.abs(above + below)))
        if np.abs(above + below)[k] > 1e-9 * self.bound:
            raise ValueError(
                f"`phi` must be odd, phi(-x) = -phi(x); got {self.name} with phi({x[k]:.3g}) = "
                f"{above[k]:.4g} and phi({-x[k]:.3g}) = {below[k]:.4g}. The theory takes the mean "
                "activity to be zero by that symmetry"
            )
        slope = self.derivative(np.concatenate([[0.0], x]))
        if slope[0] <= 0 or np.any(np.diff(slope) > 1e-6 * slope[0]) or slope.min() < -1e-9:
            raise ValueError(
                f"`phi` must be sigmoidal: rising, and steepest at 0; got {self.name}"
            )


def _log_cosh(x: np.ndarray) -> np.ndarray:
    return np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2)


def _tanh_slope(x: np.ndarray) -> np.ndarray:
    return 1 / np.cosh(np.clip(x, -350, 350)) ** 2


def _erf(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return erf(np.sqrt(np.pi) / 2 * x)


_KNOWN = {
    "tanh": Transfer("tanh", np.tanh, _tanh_slope, _log_cosh),
    "erf": Transfer("erf", _erf, lambda x: np.exp(-np.pi / 4 * np.asarray(x) ** 2)),
}


def as_transfer(phi: Any) -> Transfer:
    """The transfer function of that name, or of a Python function of arrays."""
    if isinstance(phi, Transfer):
        return phi
    if isinstance(phi, str):
        if phi not in _KNOWN:
            known = ", ".join(f'"{name}"' for name in _KNOWN)
            raise ValueError(f"`phi` must be one of {known}, or a function; got {phi!r}")
        return _KNOWN[phi]
    if not callable(phi):
        raise TypeError(f'`phi` must be a name such as "tanh" or a function; got {phi!r:.60}')
    flow = Flow(phi, 1)  # which knows how to differentiate it, exactly where it can

    def derivative(x):
        return flow.jacobian(np.asarray(x, float)[..., None])[..., 0, 0]

    return Transfer(getattr(phi, "__name__", "phi"), flow.function, derivative)


@lru_cache(maxsize=32)
def _nodes(n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    z = np.linspace(-_REACH, _REACH, 2 * n_steps + 1)
    weight = np.exp(-(z**2) / 2)
    return z, weight / weight.sum()


def gaussian_nodes(sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of averages over a standard normal z of functions of ``sd * z``.

    Fine enough for a function of x that is analytic up to ``pi/2`` from the real axis, as tanh.
    The number is a power of 2 times 200, so that nodes are made once.
    """
    step = np.pi**2 / (_EXPONENT * max(float(sd), 1.0))
    doublings = int(np.ceil(np.log2(max(_REACH / step / 200, 1.0))))
    return _nodes(200 * 2**doublings)


@dataclass(frozen=True)
class GaussianAverages:
    """Averages of a transfer function of x ~ N(mean, variance), arrays of their common shape.

    Attributes
    ----------
    phi, d1, d2, d3 : ndarray
        <phi>, <phi'>, <phi''>, <phi'''>.
    square : ndarray
        <phi^2>.
    square_d1, square_d2 : ndarray
        <phi phi'> and <phi'^2 + phi phi''>, halves of the derivatives of <phi^2> by the mean.
    slope_square : ndarray
        <phi'^2>.

    Notes
    -----
    Higher derivatives are by Stein's lemma, ``<f'> = <f z>/sd`` and ``<f''> = <f (z^2 - 1)>/sd^2``,
    so that only phi and phi' are needed.
    """

    phi: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    d3: np.ndarray
    square: np.ndarray
    square_d1: np.ndarray
    square_d2: np.ndarray
    slope_square: np.ndarray


def gaussian_averages(phi: Transfer, mean, variance) -> GaussianAverages:
    """See `GaussianAverages`."""
    mean, variance = np.broadcast_arrays(np.asarray(mean, float), np.asarray(variance, float))
    wide = np.sqrt(np.maximum(variance, _LEAST_VARIANCE))
    z, weight = gaussian_nodes(np.max(wide, initial=0.0))
    x = mean[..., None] + wide[..., None] * z
    value, slope = phi.value(x), phi.derivative(x)
    d2, d3 = slope @ (z * weight) / wide, slope @ ((z**2 - 1) * weight) / wide**2
    square_d2 = (value * slope) @ (z * weight) / wide
    if np.any(variance < _LEAST_VARIANCE):  # what needs no division is exact there too
        x = mean[..., None] + np.sqrt(np.maximum(variance, 0))[..., None] * z
        value, slope = phi.value(x), phi.derivative(x)
    return GaussianAverages(
        value @ weight, slope @ weight, d2, d3, value**2 @ weight, (value * slope) @ weight,
        square_d2, slope**2 @ weight,
    )  # fmt: skip


def integral_from_zero(phi: Transfer, x: np.ndarray) -> np.ndarray:
    """Integral of phi from 0 to each of the increasing x >= 0 (the first must be 0)."""
    if phi.integral is not None:
        return phi.integral(x)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    width = np.diff(x) / 2
    points = (x[:-1] + width)[:, None] + width[:, None] * nodes
    return np.concatenate([[0.0], np.cumsum(width * (phi.value(points) @ weights))])
