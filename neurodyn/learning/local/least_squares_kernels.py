"""One update of weights by an error: recursive least squares, and the delta rule.

Weights are transposed, ``WT`` (pre, post), as kernels of networks take them; their columns beyond
the outputs are left alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def rls_gain(P, r, forgetting, gain):
    """Move P, (pre, pre), by the activity r and leave in `gain` what the error is multiplied by.

    ``k = P r / (forgetting + r' P r)`` and ``P = (P - k (P r)') / forgetting``, symmetric to the
    last bit because both factors of each product are scaled by the same root.
    """
    n = r.shape[0]
    for i in range(n):
        gain[i] = 0.0
    for j in range(n):
        for i in range(n):
            gain[i] += P[j, i] * r[j]
    total = forgetting
    for i in range(n):
        total += r[i] * gain[i]
    root = 1.0 / np.sqrt(total)
    for i in range(n):
        gain[i] *= root
    inverse = 1.0 / forgetting
    for i in range(n):
        for j in range(n):
            P[i, j] = (P[i, j] - gain[i] * gain[j]) * inverse
    for i in range(n):
        gain[i] *= root


@njit(cache=True)
def rls_samples(P, WT, X, Y, forgetting):
    """Go through samples X (sample, pre), Y (sample, post), each updating P and WT."""
    n_samples, n_pre = X.shape
    n_post = Y.shape[1]
    gain, error = np.empty(n_pre), np.empty(n_post)
    for t in range(n_samples):
        for o in range(n_post):
            error[o] = -Y[t, o]
        for i in range(n_pre):
            for o in range(n_post):
                error[o] += X[t, i] * WT[i, o]
        rls_gain(P, X[t], forgetting, gain)
        for i in range(n_pre):
            for o in range(n_post):
                WT[i, o] -= gain[i] * error[o]


@njit(cache=True)
def subtract_outer(WT, gain, error):
    """``WT -= outer(gain, error)``."""
    for i in range(gain.shape[0]):
        for o in range(error.shape[0]):
            WT[i, o] -= gain[i] * error[o]
