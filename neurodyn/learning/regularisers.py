"""Regularisers: what is added to a loss so that a solution is small, sparse, smooth or trainable.

Two kinds go into ``train(..., regularise=[...])``. A `Penalty` is of what is trained: it is called
with the values by name and returns ``(value, gradients)``, and is exact. The others are losses of
what a run records (`neurodyn.learning.losses`), of activity; they can be added to any loss.
`VanishingGradient` is of the gradients themselves, and says what it leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurodyn.learning.losses import Loss
from neurodyn.population import listed, suggestion

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Penalty:
    """What the penalties share: `strength` times a function of each array, added up.

    Parameters
    ----------
    strength : float
        At least 0.
    on : sequence of str, optional
        Which of the trained arrays; default all.
    """

    strength: float
    on: Sequence[str] | None = None

    def __post_init__(self):
        _check_strength(self.strength)
        if isinstance(self.on, str):
            raise TypeError(f"`on` must be a list of names, [{self.on!r}]; got {self.on!r}")

    def __call__(self, values: Arrays) -> tuple[float, dict[str, np.ndarray]]:
        """Its value and its gradients by the values."""
        total, gradients = 0.0, {}
        for name in self.names(values):
            value, gradient = self._of(values[name])
            total += self.strength * value
            gradients[name] = self.strength * gradient
        return total, gradients

    def names(self, values: Arrays) -> list[str]:
        """The arrays it is of."""
        for name in self.on or ():
            if name not in values:
                raise ValueError(
                    f"`on`: `{name}` is not trained{suggestion(name, values) or '.'} "
                    f"Trained are {listed(values)}."
                )
        return list(values if self.on is None else self.on)

    def _of(self, value: np.ndarray) -> tuple[float, np.ndarray]:
        raise NotImplementedError


class L1(Penalty):
    """Sum of the sizes of the values; the gradient at 0 is taken to be 0."""

    def _of(self, value):
        return float(np.abs(value).sum(dtype=float)), np.sign(value)


class L2(Penalty):
    """Sum of the squares of the values; `strength` s is a weight decay of 2 s."""

    def _of(self, value):
        return float((value * value).sum(dtype=float)), 2 * value


class SpectralNorm(Penalty):
    """Largest singular value of a matrix; a subgradient where two are equal."""

    def _of(self, value):
        u, s, v = _leading(value)
        return s, s and np.outer(u, v)


class StableRank(Penalty):
    """``|W|_F^2 / |W|_2^2``, the stable rank of a matrix, between 1 and its rank.

    Source: Rudelson and Vershynin (2007), Journal of the ACM 54, 21.
    """

    def _of(self, value):
        u, s, v = _leading(value)
        if s == 0:
            raise ValueError("the stable rank of a matrix of zeros is not defined")
        squares = float((value * value).sum(dtype=float))
        rank = squares / s**2
        return rank, (2 / s**2) * value - (2 * rank / s) * np.outer(u, v)


def _leading(value: np.ndarray):
    """Leading singular triple."""
    if value.ndim != 2:
        raise ValueError(
            f"a spectral norm needs a matrix, not shape {value.shape}; name matrices in `on=`"
        )
    U, s, Vt = np.linalg.svd(value, full_matrices=False)
    return U[:, 0], s.dtype.type(s[0]), Vt[0]


# -- of activity -------------------------------------------------------------------------------


class _Activity(Loss):
    def __init__(self, variable: str, strength: float = 1.0):
        _check_strength(strength)
        self.record, self.strength = (variable,), strength


class ActivityL1(_Activity):
    """`strength` times the mean of ``|r|`` over trials, samples and units.

    Parameters
    ----------
    variable : str
        Full name, ``"E.r"``.
    strength : float
    """

    def __call__(self, recorded):
        (variable,) = self.record
        r = recorded[variable]
        value = self.strength * float(np.abs(r).mean(dtype=float))
        return value, {variable: np.sign(r) * r.dtype.type(self.strength / r.size)}


class ActivityL2(_Activity):
    """`strength` times the mean of ``r**2`` over trials, samples and units.

    Parameters
    ----------
    variable : str
        Full name, ``"E.r"``.
    strength : float
    """

    def __call__(self, recorded):
        (variable,) = self.record
        r = recorded[variable]
        value = self.strength * float(np.vdot(r, r)) / r.size
        return value, {variable: r * r.dtype.type(2 * self.strength / r.size)}


class TemporalConsistency(_Activity):
    """`strength` times the mean of ``(r[k + 1] - r[k])**2`` over trials, samples and units.

    Parameters
    ----------
    variable : str
        Full name, ``"E.r"``.
    strength : float
    """

    def __call__(self, recorded):
        (variable,) = self.record
        jumps = np.diff(recorded[variable], axis=1)
        n = max(jumps.size, 1)
        scaled = jumps * jumps.dtype.type(2 * self.strength / n)
        cotangent = np.zeros_like(recorded[variable])
        cotangent[:, 1:] += scaled
        cotangent[:, :-1] -= scaled
        return self.strength * float(np.vdot(jumps, jumps)) / n, {variable: cotangent}


# -- of gradients ------------------------------------------------------------------------------


def slope_of_tanh(r: np.ndarray) -> np.ndarray:
    """Derivative of tanh where its value is `r`."""
    return 1 - r * r


@dataclass(frozen=True)
class VanishingGradient:
    """Keeps gradients from vanishing on their way back: Pascanu's term.

    For ``tau dx/dt = -x + W r + ...``, r = phi(x), by Euler, with d_k the derivative of the loss by
    the state after step k, the mean over steps and trials of ``(|J_k^T d_k| / |d_k| - 1)^2`` with
    ``J_k = (1 - leak) I + leak W diag(phi'(x_k))``. Its gradient by W is the *immediate* one, with
    d and x held fixed: the approximation of the paper (eq. 10), which needs no second derivatives.

    Parameters
    ----------
    coupling : str
        Label of the recurrent coupling, ``"E.r->E.I_rec"``, of full weights that are trained.
    strength : float
    leak : float
        dt/tau; 1 is the discrete network of the paper.
    slope : callable
        phi' as a function of r, default that of tanh.

    Source: Pascanu, Mikolov, Bengio (2013), ICML 28, 1310, eq. 9 and 10. Differs: mean instead of
    sum over steps; steps whose |d| is below 1e-10 do not count, as in the authors' code.
    """

    coupling: str
    strength: float
    leak: float = 1.0
    slope: Callable[[np.ndarray], np.ndarray] = slope_of_tanh

    #: Below this norm a derivative counts as 0.
    least: ClassVar[float] = 1e-10

    def __post_init__(self):
        _check_strength(self.strength)
        if not 0 < self.leak <= 1:
            raise ValueError(f"`leak` is dt/tau and must be in (0, 1]; got {self.leak!r}")

    @property
    def record(self) -> tuple[str, ...]:
        return (self.coupling.split("->")[0],)

    @property
    def target(self) -> str:
        """The input by which derivatives are needed: those by the state, times a constant."""
        return self.coupling.split("#")[0].split("->")[1]

    def of_run(self, W: np.ndarray, r: np.ndarray, d: np.ndarray) -> tuple[float, np.ndarray]:
        """Its value and its immediate gradient by W.

        Parameters
        ----------
        W : ndarray, (unit, unit)
        r : ndarray, (trial, step, unit)
            At the ends of steps.
        d : ndarray, (trial, step, unit)
            Derivatives of the loss by the input at every step, or by the state after it.
        """
        d, slopes = d[:, 1:].reshape(-1, len(W)), self.slope(r[:, :-1]).reshape(-1, len(W))
        v = (1 - self.leak) * d + self.leak * slopes * (d @ W)
        before, after = np.linalg.norm(d, axis=1), np.linalg.norm(v, axis=1)
        counts = (before > self.least) & (after > 0)
        n = max(int(counts.sum()), 1)
        d, v, slopes = d[counts], v[counts], slopes[counts]
        before, after = before[counts], after[counts]
        excess = after / before - 1
        by_v = (2 * excess / (before * after))[:, None] * v
        gradient = (self.strength * self.leak / n) * (d.T @ (slopes * by_v))
        return self.strength * float((excess**2).sum()) / n, gradient


def penalty_of(term: Callable, values: Arrays) -> tuple[float, dict[str, np.ndarray]]:
    """What a penalty, of ours or of a user, says of values, checked to fit them."""
    found = term(dict(values))
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], Mapping):
        raise TypeError(
            "`regularise`: a function of the values must return (value, gradients), a number and a "
            f"dict of arrays by name; {term!r} returned {type(found).__name__}"
        )
    value, gradients = float(found[0]), dict(found[1])
    for name, gradient in gradients.items():
        if name not in values:
            raise ValueError(
                f"`regularise`: {term!r} returned a gradient of `{name}`, which is not trained"
                f"{suggestion(name, values) or '.'} Trained are {listed(values)}."
            )
        if np.shape(gradient) != values[name].shape:
            raise ValueError(
                f"`regularise`: {term!r} returned a gradient of `{name}` of shape "
                f"{np.shape(gradient)}; it must have that of the value, {values[name].shape}"
            )
    return value, gradients


def _check_strength(strength) -> None:
    good = isinstance(strength, (int, float)) and not isinstance(strength, bool)
    if not good or not 0 <= strength < np.inf:
        raise ValueError(f"`strength` must be a finite number of at least 0; got {strength!r}")
