"""Parametrisations of whole matrices: orthogonal, unitary, low-rank, of bounded norm.

Their `to_value`, `to_raw` and `pull_back` are explained in `neurodyn.learning.parametrisations`.
All cost a few products or factorisations of the matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodyn._arrays import checked_count, read_only, real_numbers
from neurodyn.learning.parametrisations import (
    Parametrisation,
    _check_matrix,
    _check_square,
    _tolerance,
)


@dataclass(frozen=True, eq=False)
class Orthogonal(Parametrisation):
    """Orthonormal columns (or rows, of a wide matrix): ``X(A) @ base``, A = skew part of `raw`.

    Parameters
    ----------
    map : {"exponential", "cayley"}
        X: ``expm(A)``, or ``(I + A)^-1 (I - A)``. Both are orthogonal with determinant 1.
    base : array_like, optional
        The matrix that ``raw = 0`` stands for. Default: in training the initial value, so that
        every orthogonal matrix can be the beginning; else the identity.

    Notes
    -----
    A wide matrix (more columns than rows) is ``base @ X(A)``. The pull-back through the exponential
    is the Frechet derivative at the transpose, L(A^T, G).

    Source: Lezcano-Casado (2019), NeurIPS 32, 9157, for the exponential around a base; Helfrich,
    Willmott, Ye (2018), ICML 35, 1969, for Cayley's map; Al-Mohy and Higham (2009), SIAM Journal on
    Matrix Analysis 30, 1639, for the Frechet derivative, as in SciPy.
    """

    map: str = "exponential"
    base: Any = None

    def __post_init__(self):
        if self.map not in ("exponential", "cayley"):
            raise ValueError(f'`map` must be "exponential" or "cayley"; got {self.map!r}')
        if self.base is not None:
            base = real_numbers(self.base, "base")
            self._check(base)
            object.__setattr__(self, "base", read_only(base.copy()))

    def _check(self, value: np.ndarray) -> None:
        _check_matrix(value, self)
        short = value if value.shape[0] >= value.shape[1] else value.T
        error = float(np.abs(short.T @ short - np.eye(short.shape[1])).max())
        if not error <= _tolerance(np.ones(1, value.dtype)) * len(short):
            side = "columns" if value.shape[0] >= value.shape[1] else "rows"
            raise self._broken(
                f"its {side} must be orthonormal; products of them differ from those of the "
                f"identity by up to {error:.3g}. `nd.weights.orthogonal(...)` makes such a matrix",
                value,
            )

    def _generator(self, raw: np.ndarray) -> np.ndarray:
        """The projection of a matrix onto the generators; it is its own transpose."""
        return (raw - raw.T) / 2

    def _from_left(self) -> bool:
        return self.base is None or self.base.shape[0] >= self.base.shape[1]

    def fitted(self, value):
        if self.base is not None:
            return self
        self._check(value)
        return replace(self, base=value)

    def _rotation(self, A: np.ndarray) -> np.ndarray:
        if self.map == "cayley":
            eye = np.eye(len(A), dtype=A.dtype)
            return np.linalg.solve(eye + A, eye - A)
        from scipy.linalg import expm

        return expm(A)

    def to_value(self, raw):
        X = self._rotation(self._generator(raw))
        if self.base is None:
            return X
        base = self.base.astype(X.dtype, copy=False)
        return X @ base if self._from_left() else base @ X

    def to_raw(self, value):
        self._check(value)
        if self.base is not None and self.base.shape != value.shape:
            raise ValueError(f"`base` has shape {self.base.shape}, but the value {value.shape}")
        n = max(value.shape)
        if self.base is not None and np.array_equal(value, self.base):
            return np.zeros((n, n), value.dtype)
        if value.shape[0] != value.shape[1]:
            raise ValueError("only square matrices can be reached from another `base`")
        X = value
        if self.base is not None:
            X = value @ self.base.T
        raw = self._logarithm(X)
        if raw is None:
            raise self._broken(
                "no rotation leads from `base` to it (its determinant is -1, or it turns by half a "
                "circle); give it as `base=`",
                value,
            )
        return raw

    def _logarithm(self, X: np.ndarray) -> np.ndarray | None:
        if np.linalg.det(X) < 0 or np.abs(np.linalg.eigvals(X) + 1).min() < 1e-6:
            return None
        if self.map == "cayley":
            eye = np.eye(len(X), dtype=X.dtype)
            A = np.linalg.solve(eye + X, eye - X)
        else:
            from scipy.linalg import logm

            A = np.real(logm(X)).astype(X.dtype)
        return self._generator(A)

    def pull_back(self, raw, gradient):
        A = self._generator(raw)
        if self.base is not None:  # gradient by X
            base = self.base.astype(A.dtype, copy=False)
            gradient = gradient @ base.T if self._from_left() else base.T @ gradient
        if self.map == "cayley":
            # (I + A) dX = -dA (I + X), and the transpose of that
            eye = np.eye(len(A), dtype=A.dtype)
            found = -np.linalg.solve((eye + A).T, gradient) @ (eye + self._rotation(A)).T
        else:
            from scipy.linalg import expm_frechet

            found = expm_frechet(A.T, gradient, compute_expm=False)
        return self._generator(found).astype(raw.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class Unitary(Orthogonal):
    """A unitary matrix a + ib of n units, in its real form ``[[a, -b], [b, a]]`` of 2n units.

    The state of 2n units is (real parts, imaginary parts). Real matrices of this form that are
    orthogonal are the unitary ones: the generators are the skew matrices that commute with i,
    ``[[0, -I], [I, 0]]``, onto which `raw` is projected.

    Parameters
    ----------
    map, base
        As of `Orthogonal`.

    Source: Arjovsky, Shah, Bengio (2016), ICML 33, 1120, section 4, for the real form; generators
    as in Hyland and Ratsch (2017), AAAI 31.
    """

    def _check(self, value: np.ndarray) -> None:
        _check_square(value, self)
        if len(value) % 2:
            raise ValueError(f"Unitary needs an even number of units, 2n; got {len(value)}")
        if np.abs(value - _commuting(value)).max() > _tolerance(value):
            raise self._broken("it must have the form [[a, -b], [b, a]]", value)
        super()._check(value)

    def _generator(self, raw):
        return _commuting(super()._generator(raw))


def _commuting(M: np.ndarray) -> np.ndarray:
    """The projection of a matrix onto the form ``[[a, -b], [b, a]]``."""
    n = len(M) // 2
    a, b = (M[:n, :n] + M[n:, n:]) / 2, (M[n:, :n] - M[:n, n:]) / 2
    return np.block([[a, -b], [b, a]])


@dataclass(frozen=True)
class FixedRank(Parametrisation):
    """Rank at most `rank`: ``m @ n.T`` with ``raw = [m; n]``, (n_post + n_pre, rank).

    For weights of a coupling `neurodyn.weights.LowRank` does this without a full matrix.

    Parameters
    ----------
    rank : int
    shape : (int, int), optional
        ``(n_post, n_pre)``. Default: in training that of the initial value; else square.
    """

    rank: int
    shape: tuple[int, int] | None = None

    def __post_init__(self):
        checked_count(self.rank, "rank")

    def fitted(self, value):
        return replace(self, shape=value.shape)

    def _factors(self, raw):
        n_post = len(raw) // 2 if self.shape is None else self.shape[0]
        return raw[:n_post], raw[n_post:]

    def to_value(self, raw):
        m, n = self._factors(raw)
        return m @ n.T

    def to_raw(self, value):
        _check_matrix(value, self)
        U, s, Vt = np.linalg.svd(value, full_matrices=False)
        if (s[self.rank :] > _tolerance(s) * len(s)).any():
            above = int((s > _tolerance(s) * len(s)).sum())
            raise self._broken(f"the rank must be at most {self.rank}; it is {above}", value)
        root = np.zeros(self.rank, value.dtype)
        k = min(self.rank, s.size)
        root[:k] = np.sqrt(s[:k])
        parts = []
        for vectors in (U, Vt.T):
            part = np.zeros((len(vectors), self.rank), value.dtype)
            part[:, :k] = vectors[:, :k] * root[:k]
            parts.append(part)
        return np.concatenate(parts)

    def pull_back(self, raw, gradient):
        m, n = self._factors(raw)
        return np.concatenate([gradient @ n, gradient.T @ m])


@dataclass(frozen=True)
class SpectralNormBound(Parametrisation):
    r"""Largest singular value below `bound`: ``bound * R (I + R^T R)^(-1/2)`` with R = `raw`.

    Every matrix of smaller norm has exactly one R: singular values s become
    ``bound * s / sqrt(1 + s^2)``, singular vectors stay.

    Parameters
    ----------
    bound : float
        Positive.

    Notes
    -----
    The pull-back is the derivative of a generalised matrix function, which is symmetric: divided
    differences of the odd function of s, in the basis of singular vectors. Source: Noferini (2017),
    SIAM Journal on Matrix Analysis 38, 434; here written with differences that do not cancel.
    """

    bound: float

    def __post_init__(self):
        if not isinstance(self.bound, (int, float)) or not 0 < self.bound < np.inf:
            raise ValueError(f"`bound` must be positive and finite; got {self.bound!r}")

    def to_value(self, raw):
        U, s, Vt = np.linalg.svd(raw, full_matrices=False)
        return (U * (self.bound * s / np.sqrt(1 + s * s))) @ Vt

    def to_raw(self, value):
        _check_matrix(value, self)
        U, k, Vt = np.linalg.svd(value, full_matrices=False)
        k = k / self.bound
        if not k[0] < 1:
            raise self._broken(
                f"the largest singular value must be below {self.bound:g}; it is "
                f"{k[0] * self.bound:.6g}",
                value,
            )
        return (U * (k / np.sqrt((1 - k) * (1 + k)))) @ Vt

    def pull_back(self, raw, gradient):
        n = max(raw.shape)  # a square with rows or columns of zeros has the same derivative
        square, G = np.zeros((n, n), raw.dtype), np.zeros((n, n), raw.dtype)
        square[: raw.shape[0], : raw.shape[1]] = raw
        G[: raw.shape[0], : raw.shape[1]] = gradient
        U, s, Vt = np.linalg.svd(square)
        inner = U.T @ G @ Vt.T
        even, odd = (inner + inner.T) / 2, (inner - inner.T) / 2
        a, b = s[:, None], s[None, :]
        qa, qb = np.sqrt(1 + a * a), np.sqrt(1 + b * b)
        mixed, total = a * qb + b * qa, a + b
        near = total < 1e-12  # both singular values are 0
        ones = np.ones_like(total)
        # (f(a) - f(b)) / (a - b) and (f(a) + f(b)) / (a + b) for f(s) = s / sqrt(1 + s^2)
        minus = np.divide(total, mixed * qa * qb, out=ones.copy(), where=~near)
        plus = np.divide(mixed, total * qa * qb, out=ones, where=~near)
        found = self.bound * (U @ (minus * even + plus * odd) @ Vt)
        return found[: raw.shape[0], : raw.shape[1]]
