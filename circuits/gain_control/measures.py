"""What is measured on tuning curves and on populations, before and after adaptation."""

from __future__ import annotations

import numpy as np

from .model import wrapped

__all__ = [
    "coefficient_of_variation",
    "correlation",
    "covariance",
    "distance",
    "mean_near",
    "peaks",
    "repulsion",
]

#: Points of the finest grid of orientations: 0.025 deg.
FINE = 7200


def peaks(R: np.ndarray) -> np.ndarray:
    """Orientations (N,) at which tuning curves R (N, S) are largest, deg, to 0.025 deg.

    The curves are interpolated by Fourier's series first. (A parabola through the three largest
    samples is biased, and the largest sample itself jumps with the grid of stimuli.)
    """
    from scipy.signal import resample

    return -90 + 180 / FINE * np.argmax(resample(R, FINE, axis=1), axis=1)


def repulsion(
    preferred: np.ndarray, before: np.ndarray, after: np.ndarray, adapter: float = 0.0
) -> np.ndarray:
    """Shift (N,) of the peaks of tuning curves away from the adapter, deg.

    Parameters
    ----------
    preferred : ndarray (N,), deg
        Preferred orientations; where one equals the adapter or is orthogonal to it no direction
        leads away from it, and a shift counts as 0 there.
    before, after : ndarray (N, S)
        Tuning curves.
    adapter : float, deg
    """
    away = wrapped(preferred - adapter)
    side = np.where(away == 90, 0, np.sign(away))
    return wrapped(peaks(after) - peaks(before)) * side


def covariance(R: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Covariance (N, N) of responses R (N, S) over stimuli with probabilities p (S,)."""
    mean = R @ p
    return (R * p) @ R.T - np.outer(mean, mean)


def correlation(C: np.ndarray) -> np.ndarray:
    """Correlation coefficients (N, N) of a covariance."""
    sd = np.sqrt(np.diag(C))
    return C / np.outer(sd, sd)


def distance(C: np.ndarray, reference: np.ndarray) -> float:
    """Frobenius norm of the difference, relative to the reference's."""
    return float(np.linalg.norm(C - reference) / np.linalg.norm(reference))


def coefficient_of_variation(mean: np.ndarray) -> float:
    """Standard deviation over neurons of their mean responses (N,), over the mean."""
    return float(mean.std() / mean.mean())


def mean_near(
    C: np.ndarray, preferred: np.ndarray, adapter: float = 0.0, within: float = 20.0
) -> float:
    """Mean off-diagonal entry of C (N, N) among neurons that prefer orientations near the adapter.

    Parameters
    ----------
    C : ndarray (N, N)
    preferred : ndarray (N,), deg
    adapter, within : float, deg
    """
    near = np.flatnonzero(np.abs(wrapped(preferred - adapter)) <= within)
    block = C[np.ix_(near, near)]
    return float(block[~np.eye(len(near), dtype=bool)].mean())
