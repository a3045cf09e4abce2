"""Parametrisations that keep networks contracting: modules, blocks of modules, their coupling.

Their `to_value`, `to_raw` and `pull_back` are explained in `neurodyn.learning.parametrisations`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodyn._arrays import checked_count, read_only, real_numbers
from neurodyn.learning.matrix_parametrisations import SpectralNormBound
from neurodyn.learning.parametrisations import Parametrisation, _boolean, _check_square, _tolerance


@dataclass(frozen=True, eq=False)
class Contracting(Parametrisation):
    """Recurrent weights with which a rate network contracts, whatever its input.

    ``tau dx/dt = -x + W phi(x) + u`` with slopes of phi in [0, `slope`] contracts in the metric
    ``diag(metric)**2`` if ``F W F^-1`` with F = diag(`metric`) has a spectral norm below 1/slope.
    This is kept: ``W = F^-1 K F`` with K as of `SpectralNormBound`.

    Parameters
    ----------
    slope : float
        Largest slope of phi; 1 for tanh and relu.
    metric : array_like, (n,), optional
        F, positive; default 1 for all units.
    train_metric : bool
        Train F too: ``raw`` is then ``[log F; R]``, (n + 1, n). Default False: ``raw`` is R.

    Source: Kozachkov, Ennis, Slotine (2022), NeurIPS 35, theorem 5 (singular values), who write K
    as ``U S V^T``.
    """

    slope: float = 1.0
    metric: Any = None
    train_metric: bool = False

    def __post_init__(self):
        if not isinstance(self.slope, (int, float)) or not 0 < self.slope < np.inf:
            raise ValueError(f"`slope` must be positive and finite; got {self.slope!r}")
        if self.metric is not None:
            metric = real_numbers(self.metric, "metric")
            if metric.ndim != 1 or not np.all(metric > 0):
                raise ValueError("`metric` must be one positive number a unit")
            object.__setattr__(self, "metric", read_only(metric.copy()))

    @property
    def _bound(self) -> SpectralNormBound:
        return SpectralNormBound(1 / self.slope)

    def _parts(self, raw):
        """F and R."""
        if self.train_metric:
            return np.exp(raw[0]), raw[1:]
        return self._initial_metric(raw), raw

    def _initial_metric(self, array):
        n = array.shape[1]
        return np.ones(n, array.dtype) if self.metric is None else self.metric.astype(array.dtype)

    def to_value(self, raw):
        F, R = self._parts(raw)
        return self._bound.to_value(R) * (F[None, :] / F[:, None])

    def to_raw(self, value):
        _check_square(value, self)
        F = self._initial_metric(value)
        if F.size != len(value):
            raise ValueError(f"`metric` has {F.size} units, but the value {len(value)}")
        K = value * (F[:, None] / F[None, :])
        norm = np.linalg.norm(K, 2)
        if not norm * self.slope < 1:
            raise self._broken(
                f"in the metric the spectral norm must be below 1/slope = {1 / self.slope:g}; "
                f"it is {norm:.6g}",
                value,
            )
        R = self._bound.to_raw(K)
        return np.concatenate([np.log(F)[None], R]) if self.train_metric else R

    def pull_back(self, raw, gradient):
        F, R = self._parts(raw)
        ratio = F[None, :] / F[:, None]
        by_R = self._bound.pull_back(R, gradient * ratio)
        if not self.train_metric:
            return by_R
        by_log = gradient * self._bound.to_value(R) * ratio
        return np.concatenate([(by_log.sum(axis=0) - by_log.sum(axis=1))[None], by_R])


@dataclass(frozen=True, eq=False)
class BlockDiagonal(Parametrisation):
    """Square blocks of equal size on the diagonal, each constrained by itself; else 0.

    Parameters
    ----------
    block : Parametrisation or sequence of Parametrisation
        Of every block, or one for each; `raw` is theirs, stacked: (block, ...).
    n_blocks : int
        Must divide the number of rows.

    Examples
    --------
    Modules of a network of networks, each contracting, without coupling:

    >>> import neurodyn as nd, numpy as np
    >>> modules = nd.learning.BlockDiagonal(nd.learning.Contracting(), 4)
    >>> modules.to_value(np.ones((4, 2, 2))).shape
    (8, 8)
    """

    block: Any
    n_blocks: int

    def __post_init__(self):
        checked_count(self.n_blocks, "n_blocks")
        blocks = self.block
        blocks = (blocks,) * self.n_blocks if isinstance(blocks, Parametrisation) else tuple(blocks)
        if len(blocks) != self.n_blocks or not all(isinstance(b, Parametrisation) for b in blocks):
            raise ValueError(
                f"`block` must be a Parametrisation, or one for each of the {self.n_blocks} blocks;"
                f" got {self.block!r}"
            )
        object.__setattr__(self, "block", blocks)

    def _split(self, value: np.ndarray) -> list[np.ndarray]:
        _check_square(value, self)
        n, rest = divmod(len(value), self.n_blocks)
        if rest or not n:
            raise ValueError(
                f"`n_blocks` = {self.n_blocks} must divide the number of rows, {len(value)}"
            )
        return [value[k : k + n, k : k + n] for k in range(0, len(value), n)]

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        n = len(parts[0])
        whole = np.zeros((self.n_blocks * n,) * 2, parts[0].dtype)
        for block, part in zip(self._split(whole), parts, strict=True):
            block[:] = part
        return whole

    def fitted(self, value):
        blocks = zip(self.block, self._split(value), strict=True)
        return replace(self, block=tuple(p.fitted(v) for p, v in blocks))

    def to_value(self, raw):
        return self._joined([p.to_value(r) for p, r in zip(self.block, raw, strict=True)])

    def to_raw(self, value):
        parts = self._split(value)
        outside = (value != 0) & (self._joined([np.ones_like(part) for part in parts]) == 0)
        if outside.any():
            raise self._broken("all outside the diagonal blocks must be 0", value, outside)
        return np.stack([p.to_raw(v) for p, v in zip(self.block, parts, strict=True)])

    def pull_back(self, raw, gradient):
        parts = zip(self.block, raw, self._split(gradient), strict=True)
        return np.stack([p.pull_back(r, g) for p, r, g in parts])


@dataclass(frozen=True, eq=False)
class NegativeFeedback(Parametrisation):
    """Coupling of contracting modules that keeps them so: ``L = B - P^-1 B^T P``.

    With B = ``mask * raw``. Then ``P L + L^T P = 0``: the coupling does no work in the metric P,
    and a network of networks, ``tau dx/dt = -x + W phi(x) + L x + u``, contracts as fast as the
    slowest of its modules.

    Parameters
    ----------
    mask : array_like of bool, (n, n)
        Where B is free: blocks below the diagonal, one for each pair of modules that are coupled;
        never both (i, j) and (j, i).
    metric : array_like, (n,) or (n, n), optional
        P, its diagonal or the whole symmetric positive definite matrix, of blocks of the modules
        alone; default the identity.

    Source: Kozachkov, Ennis, Slotine (2022), NeurIPS 35, theorem of the combination property.
    """

    mask: Any
    metric: Any = None

    def __post_init__(self):
        mask = _boolean(self.mask, "mask")
        _check_square(mask, self)
        if (mask & mask.T).any():
            raise ValueError("`mask` must not be True at both [i, j] and [j, i]: one follows")
        P = np.eye(len(mask)) if self.metric is None else real_numbers(self.metric, "metric")
        P = np.diag(P) if P.ndim == 1 else P
        if P.shape != mask.shape:
            raise ValueError(
                f"`metric` must be ({len(mask)},) or ({len(mask)}, {len(mask)}), as `mask` is; got "
                f"shape {np.shape(self.metric)}"
            )
        asymmetry = np.abs(P - P.T).max()
        if asymmetry > 1e-8 * np.abs(P).max():
            raise ValueError(
                f"`metric` must be symmetric; it differs from its transpose by up to "
                f"{asymmetry:.3g}"
            )
        smallest = np.linalg.eigvalsh(P)[0]
        if not smallest > 0:
            raise ValueError(
                f"`metric` must be positive definite; its smallest eigenvalue is {smallest:.3g}"
            )
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "metric", read_only(P.copy()))

    def to_value(self, raw):
        B, P = np.where(self.mask, raw, 0), self.metric
        return (B - np.linalg.solve(P, B.T @ P)).astype(raw.dtype, copy=False)

    def to_raw(self, value):
        if value.shape != self.mask.shape:
            raise ValueError(f"`mask` has shape {self.mask.shape}, but the value {value.shape}")
        raw = np.where(self.mask, value, 0).astype(value.dtype)
        bad = np.abs(self.to_value(raw) - value) > _tolerance(value) * np.linalg.cond(self.metric)
        if bad.any():
            raise self._broken("it must be B - P^-1 B^T P with B zero outside `mask`", value, bad)
        return raw

    def pull_back(self, raw, gradient):
        P = self.metric
        found = gradient - np.linalg.solve(P, gradient @ P).T
        return np.where(self.mask, found, 0).astype(raw.dtype, copy=False)
