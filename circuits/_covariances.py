"""What every circuit that shapes a covariance asks of one that it is given."""

from __future__ import annotations

import numpy as np

#: Eigenvalues closer to zero than this part of the largest count as zero.
_RELATIVE_ZERO = 1e-12


def check_covariance(C: np.ndarray, name: str = "C", *, definite: bool = False) -> np.ndarray:
    """`C` as floats, or a ValueError that says why it is no covariance.

    Parameters
    ----------
    C : ndarray (..., N, N)
        Covariances or second moments.
    name : str
        What the argument is called.
    definite : bool
        Refuse singular ones, too.

    Raises
    ------
    ValueError
        If `C` is not square, not finite, not symmetric (to 1e-8 of its largest entry) or has a
        negative eigenvalue; if `definite`, also if one is zero to rounding.
    """
    C = np.asarray(C, float)
    if C.ndim < 2 or C.shape[-1] != C.shape[-2]:
        raise ValueError(f"`{name}` must be square, (..., N, N); got shape {C.shape}")
    if not np.all(np.isfinite(C)):
        raise ValueError(f"`{name}` holds NaN or infinity; every covariance must be finite")
    transposed = np.swapaxes(C, -1, -2)
    asymmetry = np.abs(C - transposed).max()
    if asymmetry > 1e-8 * np.abs(C).max():
        raise ValueError(
            f"`{name}` must be symmetric; it differs from its transpose by up to "
            f"{asymmetry:.3g}. Its symmetric part is (C + C.T)/2"
        )
    value = np.linalg.eigvalsh((C + transposed) / 2)
    low, high = value[..., 0], np.abs(value).max(axis=-1)
    wrong = low <= _RELATIVE_ZERO * high if definite else low < -_RELATIVE_ZERO * high
    if np.any(wrong):
        at = np.flatnonzero(wrong)[0]
        kind = "positive definite" if definite else "positive semidefinite"
        raise ValueError(
            f"`{name}` must be {kind}; its smallest eigenvalue is "
            f"{low.flat[at]:.3g} (the largest {value[..., -1].flat[at]:.3g})"
        )
    return C
