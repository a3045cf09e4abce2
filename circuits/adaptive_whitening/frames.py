"""Frames: the fixed weights between primary neurons and interneurons.

A frame is a matrix `W` of shape (N, K) whose column ``w_i`` (unit length) holds the weights from
the N primary neurons to interneuron i and, with the sign flipped, back again. The paper's point is
that these weights never have to change: ``K = N (N + 1) / 2`` generic columns are enough for the K
gains alone to whiten *any* input, because the matrices ``w_i w_i^T`` then span the symmetric
matrices. Which frame is used decides how fast that happens.
"""

from __future__ import annotations

import numpy as np

__all__ = ["coherence", "grassmannian", "icosahedral", "local", "local_size", "mercedes",
           "neighbours", "normalise", "orthogonal", "random", "span_rank", "spectral"]


def normalise(W: np.ndarray) -> np.ndarray:
    """Columns of `W` (..., N, K) scaled to unit length.

    Raises
    ------
    ValueError
        If a column is zero or not finite: no interneuron can read nothing.
    """
    W = np.asarray(W, float)
    norms = np.linalg.norm(W, axis=-2, keepdims=True)
    if not np.all(np.isfinite(norms)) or np.any(norms == 0):
        raise ValueError("`W` has a column that is zero or not finite; every interneuron needs a "
                         "direction to read. Remove that column.")
    return W / norms


def orthogonal(N: int, rng: int | np.random.Generator | None = None) -> np.ndarray:
    """Orthogonal (N, N) matrix: the Q of a QR factorisation of normals, as in the authors' code.

    LAPACK fixes the signs of Q, so this is not exactly the uniform (Haar) distribution; the signs
    do not matter here, where columns are only ever used as ``w w^T`` or as eigenvectors.
    """
    return np.linalg.qr(np.random.default_rng(rng).standard_normal((N, N)))[0]


def random(N: int, K: int, rng: int | np.random.Generator | None = None) -> np.ndarray:
    """Frame (N, K) of iid normal entries with normalised columns."""
    return normalise(np.random.default_rng(rng).standard_normal((N, K)))


def mercedes() -> np.ndarray:
    """The 2-D equiangular frame (2, 3): unit vectors at 0, 120 and 240 degrees."""
    angle = np.deg2rad([0.0, 120.0, 240.0])
    return np.stack([np.cos(angle), np.sin(angle)])


def icosahedral() -> np.ndarray:
    """The 3-D equiangular frame (3, 6): diagonals of the icosahedron, |cos| = 1/sqrt(5)."""
    golden = (1 + np.sqrt(5)) / 2
    diagonals = [(0, 1, golden), (1, golden, 0), (golden, 0, 1),
                 (0, 1, -golden), (1, -golden, 0), (-golden, 0, 1)]
    return normalise(np.array(diagonals).T)


def spectral(C: np.ndarray) -> np.ndarray:
    """Eigenvectors of the input covariance `C` (..., N, N) as a frame (..., N, N).

    The smallest frame that whitens `C`, and only `C`: interneuron i ends with the gain
    ``sqrt(lambda_i) - leak``.
    """
    return np.linalg.eigh(C)[1]


def coherence(W: np.ndarray) -> float:
    """Largest |cosine| between two columns of `W` (N, K)."""
    gram = np.abs(normalise(W).T @ normalise(W))
    return float(np.max(gram[~np.eye(len(gram), dtype=bool)]))


def grassmannian(N: int, K: int | None = None, *, iterations: int = 1000, shrink: float = 0.95,
                 starts: int = 5, rng: int | np.random.Generator | None = 0) -> np.ndarray:
    """Frame (N, K) with nearly equal angles between its columns, for N > 3 ("optimised").

    Alternates between what the Gram matrix should look like (no off-diagonal entry that is large)
    and what it must be (rank N, unit diagonal).

    Parameters
    ----------
    N, K : int
        Primary neurons and interneurons; `K` defaults to ``N (N + 1) / 2``.
    iterations : int
        Alternations; the authors use 1000.
    shrink : float
        Entries are clipped at this factor times the largest, but not below Welch's bound
        ``sqrt((K - N) / (N (K - 1)))``, which no frame can beat.
    starts : int
        Random frames to start from; the least coherent result is returned.
    rng : int, Generator or None
        Of the random frames.

    Notes
    -----
    The alternating projection of Tropp, Dhillon, Heath and Strohmer (2005, IEEE Trans. Inf. Theory
    51, 188). The authors' variant multiplies the largest 20 % of the entries by 0.95 instead of
    clipping; in our hands it collapsed columns onto each other from most random starts for N >= 4
    (coherence 1, where this one reaches 0.435 for N = 4 and 0.419 for N = 5).
    """
    K = N * (N + 1) // 2 if K is None else K
    rng, diagonal = np.random.default_rng(rng), np.eye(K, dtype=bool)
    welch = np.sqrt((K - N) / (N * (K - 1)))
    best = None
    for _ in range(starts):
        W = random(N, K, rng)
        for _ in range(iterations):
            bound = max(welch, shrink * coherence(W))
            gram = np.where(diagonal, 1, np.clip(W.T @ W, -bound, bound))
            # The nearest Gram matrix of rank N: its N leading eigenpairs.
            value, vector = np.linalg.eigh(gram)
            W = normalise((vector[:, -N:] * np.sqrt(np.maximum(value[-N:], 0))).T)
        if best is None or coherence(W) < coherence(best):
            best = W
    return best


def neighbours(shape: tuple[int, int], reach: tuple[int, int] | int) -> np.ndarray:
    """Unordered pairs of pixels (P, 2) less than `reach` rows and columns apart.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the patch; pixels are numbered row by row.
    reach : int or (int, int)
        The paper's h and w: offsets 0 ... reach - 1 count, so reach 4 means a 7 x 7 neighbourhood.
    """
    n, m = shape
    h, w = (reach, reach) if np.isscalar(reach) else reach
    if min(n, m, h, w) < 1:
        raise ValueError(f"`shape` and `reach` must be positive; got shape {shape}, reach {reach}.")
    row, column = np.divmod(np.arange(n * m), m)
    near = (np.abs(row[:, None] - row) < h) & (np.abs(column[:, None] - column) < w)
    return np.argwhere(np.triu(near, k=1))


def local(shape: tuple[int, int], reach: tuple[int, int] | int) -> np.ndarray:
    """Local ("convolutional") frame: each interneuron sees one pixel or two neighbouring ones.

    One unit vector ``e_a`` for each pixel, then ``(e_a + e_b) / sqrt(2)`` for each unordered pair
    closer than `reach` (see `neighbours`). Holding all their variances at 1 makes every pixel's
    variance 1 and every covariance of neighbours 0, and asks nothing of distant pairs.
    """
    n_pixels = shape[0] * shape[1]
    pairs = neighbours(shape, reach)
    W = np.zeros((n_pixels, n_pixels + len(pairs)))
    W[np.arange(n_pixels), np.arange(n_pixels)] = 1
    column = n_pixels + np.arange(len(pairs))
    W[pairs[:, 0], column] = W[pairs[:, 1], column] = np.sqrt(0.5)
    return W


def local_size(shape: tuple[int, int], reach: tuple[int, int] | int) -> int:
    """Number of interneurons of `local`, in closed form (without building it)."""
    h, w = (reach, reach) if np.isscalar(reach) else reach
    n, m = shape
    S_n = n + 2 * sum(n - d for d in range(1, min(h, n)))
    S_m = m + 2 * sum(m - d for d in range(1, min(w, m)))
    return n * m + (S_n * S_m - n * m) // 2


def span_rank(W: np.ndarray) -> int:
    """Dimension of the span of the ``w_i w_i^T``; ``N (N + 1) / 2`` whitens every input."""
    outer = np.einsum("ik,jk->kij", W, W).reshape(W.shape[1], -1)
    return int(np.linalg.matrix_rank(outer))
