"""Dynamic mean-field theory of the random network: its variance, autocorrelation and chaos.

    dx_i/dt = -x_i + g sum_j chi_ij phi(x_j) + noise,      chi_ij ~ N(0, 1/N),  N to infinity

Every unit is driven by a Gaussian process whose autocorrelation is that of the rates, and its own
follows from it (Sompolinsky, Crisanti and Sommers 1988):

    Delta'' = Delta - g^2 C_phi(Delta) - 2 sigma^2 delta(t),
    C_phi(Delta) = <phi(x) phi(y)>,  x and y Gaussian of variance Delta_0 and covariance Delta.

This is a ball that rolls in a potential; that it comes to rest at 0 determines Delta_0. Time is in
units of the units' time constant, and exponents in its inverse.

All averages come from one series: with ``c_k`` the coefficients of phi(sqrt(Delta_0) z) in
normalised Hermite polynomials of z, ``C_phi = sum c_k^2 (Delta/Delta_0)^k`` (Mehler's formula). Its
derivative by Delta is the correlation of the slopes, C_phi', and its integral the potential.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurodyn._arrays import checked_number
from neurodyn.analyses.theory._transfer import (
    Transfer,
    as_transfer,
    gaussian_nodes,
    integral_from_zero,
)

#: Share of <phi^2> that the series may leave out, and at which it is refused.
_SERIES_TOLERANCE, _SERIES_LIMIT = 1e-13, 1e-7
_MAX_DEGREE = 60_000
#: Points of the curve Delta(t), along s with Delta = Delta_0/cosh(s), and where it ends: 1e-15.
_N_CURVE, _S_END = 3000, 35.0
#: Steps a half-width of the grid on which the ground state is found.
_STEPS_PER_HALF_WIDTH = 400


@dataclass(frozen=True, eq=False)
class DynamicMeanField:
    """What `dynamic_mean_field` finds. Time is in units of the units' time constant.

    Attributes
    ----------
    g, sigma : float
        Gain of the weights; standard deviation that the noise gives to an uncoupled unit.
    variance : float
        Delta_0, the variance of x over units and time.
    rate_variance : float
        <phi(x)^2>.
    half_width : float
        Time after which the autocorrelation is half of its value at 0; NaN if there is no activity.
    decay_rate : float
        Of the tail of the autocorrelation; NaN if there is no activity.
    lyapunov_exponent : float
        The largest, lambda_max.
    regime : str
        ``"fixed point"`` (all activity decays), ``"chaotic"``, or ``"driven"`` (by its noise alone,
        not chaotic).
    critical_gain : float
        1/phi'(0), above which a network without noise is active.
    energy_residual : float
        Imbalance of the equation for Delta_0, relative to ``Delta_0^2/2``.
    series_residual : float
        Share of <phi^2> that the series leaves out.
    lyapunov_error : float
        Estimated error of `lyapunov_exponent`: what halving the grid's step changed, extrapolated.
    translation_residual : float
        Without noise, the distance from 0 of the first excited level of the operator whose ground
        state is the exponent: it is exactly 0, as Delta'(t) is its state. NaN with noise.
    time, curve : ndarray
        Delta at points in time, spaced to hold all of it.
    """

    g: float
    sigma: float
    variance: float
    rate_variance: float
    half_width: float
    decay_rate: float
    lyapunov_exponent: float
    regime: str
    critical_gain: float
    energy_residual: float
    series_residual: float
    lyapunov_error: float
    translation_residual: float
    time: np.ndarray
    curve: np.ndarray
    _slope: np.ndarray = field(repr=False)

    @property
    def is_chaotic(self) -> bool:
        return self.regime == "chaotic"

    def __repr__(self) -> str:
        return (
            f"<DynamicMeanField of g = {self.g:g}, sigma = {self.sigma:g}: {self.regime}, "
            f"variance {self.variance:.5g}, exponent {self.lyapunov_exponent:.4g}"
            f" ± {self.lyapunov_error:.0e}>"
        )

    def autocovariance(self, t: Any) -> np.ndarray:
        """Delta at lags t, in units of the time constant."""
        from scipy.interpolate import CubicHermiteSpline

        t = np.abs(np.asarray(t, float))
        if self.variance == 0:
            return np.zeros_like(t)
        spline = CubicHermiteSpline(self.time, self.curve, self._slope)
        beyond = self.curve[-1] * np.exp(-self.decay_rate * np.maximum(t - self.time[-1], 0))
        return np.where(t < self.time[-1], spline(np.minimum(t, self.time[-1])), beyond)

    def autocorrelation(self, t: Any) -> np.ndarray:
        """Delta over Delta_0 at lags t; NaN if there is no activity."""
        return self.autocovariance(t) / (self.variance or np.nan)


def dynamic_mean_field(g: float, phi: Any = "tanh", *, sigma: float = 0.0) -> DynamicMeanField:
    r"""Dynamic mean-field theory of ``dx/dt = -x + g chi phi(x) + noise``.

    Parameters
    ----------
    g : float
        Gain: weights have the variance ``g**2/N``, as those of ``nd.weights.gaussian(N, gain=g)``.
    phi : str or callable
        Odd and sigmoidal: ``"tanh"`` (default), ``"erf"`` for erf(sqrt(pi)/2 x), or a function of
        arrays that is smooth.
    sigma : float
        White noise, independent for each unit, default 0: its standard deviation in an uncoupled
        unit, the `sigma` of `neurodyn.rate_network`. ``dx = ... + sqrt(2) sigma dW``.

    Returns
    -------
    DynamicMeanField
        With ``g phi'(0) <= 1`` and without noise that of the only solution, the fixed point 0, with
        the exponent ``-1 + g phi'(0)``.

    Raises
    ------
    ValueError
        For a negative gain or noise, and a `phi` that is not odd, not bounded or not sigmoidal.
    ArithmeticError
        If the series does not hold: for gains far above those of networks (about 50 with tanh), or
        a `phi` with a corner.

    Notes
    -----
    Sompolinsky, Crisanti and Sommers (1988) for Delta and the exponent; Schuecker, Goedeke and
    Helias (2018) with noise. With Phi the integral of phi,

    .. math:: \tfrac12 \Delta_0^2 = g^2 \mathrm{Var}\, \Phi(\sqrt{\Delta_0} z) + \tfrac12 \sigma^4,

    and lambda_max = -1 + sqrt(1 - E_0), E_0 the least eigenvalue of
    ``-d^2/dt^2 + 1 - g^2 C_phi'(Delta(t))``.

    Examples
    --------
    >>> theory = dynamic_mean_field(2.0)
    >>> round(theory.variance, 4), round(theory.lyapunov_exponent, 4), theory.regime
    (1.9248, 0.1125, 'chaotic')
    """
    g, sigma = checked_number(g, "g", 0.0), checked_number(sigma, "sigma", 0.0)
    phi = as_transfer(phi)
    phi.check_odd_sigmoid()
    slope = float(phi.derivative(np.zeros(1))[0])
    if sigma == 0 and g * slope <= 1:
        return _silent(g, slope)
    variance, energy = _variance(g, sigma, phi)
    series = _Series(phi, variance, g, sigma)
    curve = _Curve(series)
    exponent, error, translation = _exponent(curve)
    return DynamicMeanField(
        g, sigma, variance, series.square, curve.half_width, series.decay_rate, exponent,
        "chaotic" if exponent > 0 else "driven", 1 / slope, energy, series.residual, error,
        np.nan if sigma else translation, curve.time, curve.delta, curve.slope,
    )  # fmt: skip


def _silent(g: float, slope: float) -> DynamicMeanField:
    none = np.zeros(1)
    return DynamicMeanField(g, 0.0, 0.0, 0.0, np.nan, np.nan, -1 + g * slope, "fixed point",
                            1 / slope, 0.0, 0.0, 0.0, np.nan, none, none, none)  # fmt: skip


# -- the variance ----------------------------------------------------------------------------------


def _variance_of_integral(phi: Transfer, variance: float) -> float:
    """Var Phi(sqrt(variance) z), Phi the integral of phi, an even function."""
    z, weight = gaussian_nodes(np.sqrt(variance))
    half = z.size // 2
    z, weight = z[half:], np.concatenate([weight[half : half + 1], 2 * weight[half + 1 :]])
    integral = integral_from_zero(phi, np.sqrt(variance) * z)
    return float(weight @ (integral - weight @ integral) ** 2)


def _variance(g: float, sigma: float, phi: Transfer) -> tuple[float, float]:
    """Delta_0, and the relative imbalance of the equation that it solves."""
    from scipy.optimize import brentq

    def imbalance(variance):
        energy = g**2 * _variance_of_integral(phi, variance) + sigma**4 / 2
        return 1 - 2 * energy / variance**2

    # sigma^2 is what noise alone makes; no more than it and saturated rates can be reached
    high = sigma**2 + (g * phi.bound) ** 2
    low = max(sigma**2, 1e-12 * high)
    if g == 0 or imbalance(low) >= 0:
        return low, abs(imbalance(low))
    found = brentq(imbalance, low, high, xtol=1e-15 * high, rtol=1e-15, maxiter=200)
    return found, abs(imbalance(found))


# -- correlations ----------------------------------------------------------------------------------


def _hermite_powers(phi: Transfer, variance: float) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Odd degrees k, squared coefficients c_k^2, <phi^2>, and the share that is left out."""
    z, weight = gaussian_nodes(np.sqrt(variance))
    square = float(phi.value(np.sqrt(variance) * z) ** 2 @ weight)
    # normalised polynomials times the root of the Gaussian stay of order 1, out to 2 sqrt(degree)
    sd = np.sqrt(variance)
    step = min(np.pi**2 / 40 / max(sd, 1.0), np.pi / 3 / np.sqrt(_MAX_DEGREE))
    z = np.arange(step / 2, 13.0, step)
    root = np.exp(-(z**2) / 4) / (2 * np.pi) ** 0.25
    drive = 2 * step * phi.value(sd * z) * root  # the other half is the same
    before, now = np.zeros_like(z), root
    powers: list[float] = []
    left = square
    for k in range(_MAX_DEGREE):
        before, now = now, (z * now - np.sqrt(k) * before) / np.sqrt(k + 1)
        if k % 2 == 0:  # now of degree k + 1, odd
            powers.append(float(drive @ now) ** 2)
            left -= powers[-1]
            # digits lost in the difference end the search too
            if k % 64 == 62 and (left < _SERIES_TOLERANCE * square or _is_spent(powers)):
                break
    return 2 * np.arange(len(powers)) + 1, np.array(powers), square, abs(left) / square


def _is_spent(powers: list[float]) -> bool:
    return max(powers[-16:]) < 1e-20 * powers[0]


class _Series:
    """Correlations of a Gaussian process through phi, as functions of ``rho = Delta/Delta_0``."""

    def __init__(self, phi: Transfer, variance: float, g: float, sigma: float):
        self.variance, self.g, self.sigma = variance, g, sigma
        degrees, powers, self.square, self.residual = _hermite_powers(phi, variance)
        if not self.residual < _SERIES_LIMIT:
            raise ArithmeticError(
                f"the series of `phi` = {phi.name} leaves out {self.residual:.1e} of its power at "
                f"degree {degrees[-1]}, with g = {g:g}: `phi` has a corner, or g is too large"
            )
        self.degrees, self.powers = degrees, powers
        tail = 1 - g**2 * powers[0] / variance
        self.decay_rate = float(np.sqrt(tail)) if tail > 0 else np.nan
        if not tail > 0:
            raise ArithmeticError(f"the autocorrelation does not decay at g = {g:g}")

    def _sum(self, log_rho: np.ndarray, factor: np.ndarray, shift: int) -> np.ndarray:
        """sum of factor_k rho^(k + shift), in blocks that fit into the cache."""
        found = np.empty_like(log_rho)
        for part in range(0, log_rho.size, 64):
            exponents = np.multiply.outer(log_rho[part : part + 64], self.degrees + shift)
            found[part : part + 64] = np.exp(exponents) @ factor
        return found

    def slopes(self, log_rho: np.ndarray) -> np.ndarray:
        """C_phi', the correlation of the slopes."""
        return self._sum(log_rho, self.powers * self.degrees, -1) / self.variance

    def kinetic(self, log_rho: np.ndarray) -> np.ndarray:
        """``Delta'^2/2`` at Delta, from the energy: ``Delta^2/2 - g^2 (C_Phi - C_Phi(0))``.

        Near Delta_0 it is small, and is taken from there.
        """
        potential = self.powers / (self.degrees + 1) * self.variance * self.g**2
        low = 0.5 * self.variance**2 * np.exp(2 * log_rho) - self._sum(log_rho, potential, 1)
        near = log_rho > -0.3
        high = np.empty(np.count_nonzero(near))
        for part in range(0, high.size, 64):
            rows = log_rho[near][part : part + 64]
            gone = -np.expm1(np.multiply.outer(rows, self.degrees + 1))  # 1 - rho^(k + 1)
            lost = 0.5 * self.variance**2 * -np.expm1(2 * rows)
            high[part : part + 64] = self.sigma**4 / 2 + gone @ potential - lost
        low[near] = high
        return low


class _Curve:
    """Delta(t), as t(s) with ``Delta = Delta_0/cosh(s)``: smooth from its top to its tail."""

    def __init__(self, series: _Series):
        self.series = series
        nodes, weights = np.polynomial.legendre.leggauss(4)
        s = np.linspace(0, _S_END, _N_CURVE + 1)
        half = (s[1] - s[0]) / 2
        inner = (s[:-1] + half)[:, None] + half * nodes
        steps = half * (self._dt_ds(inner.ravel()).reshape(inner.shape) @ weights)
        self.time = np.concatenate([[0.0], np.cumsum(steps)])
        self.log_rho = -_log_cosh(s)
        self.delta = series.variance * np.exp(self.log_rho)
        kinetic = np.maximum(series.kinetic(self.log_rho), 0)
        kinetic[0] = series.sigma**4 / 2  # exactly
        self.slope = -np.sqrt(2 * kinetic)
        at = np.arccosh(2.0)  # where cosh(s) is 2
        k = np.searchsorted(s, at) - 1
        width = (at - s[k]) / 2
        rest = width * (self._dt_ds(s[k] + width + width * nodes) @ weights)
        self.half_width = float(self.time[k] + rest)

    def _dt_ds(self, s: np.ndarray) -> np.ndarray:
        kinetic = self.series.kinetic(-_log_cosh(s))
        if np.any(kinetic <= 0):
            raise ArithmeticError(
                f"the autocorrelation was lost to rounding at g = {self.series.g:g}: "
                "the gain is too close to its critical value"
            )
        return self.series.variance * np.tanh(s) / np.cosh(s) / np.sqrt(2 * kinetic)


def _log_cosh(s: np.ndarray) -> np.ndarray:
    """log cosh(s), to all digits for small s too."""
    return np.where(np.abs(s) < 1, 0.5 * np.log1p(np.sinh(s) ** 2),
                    np.abs(s) + np.log1p(np.exp(-2 * np.abs(s))) - np.log(2))  # fmt: skip


# -- the exponent ----------------------------------------------------------------------------------


def _exponent(curve: _Curve) -> tuple[float, float, float]:
    """lambda_max, its error, and the first excited level (0 without noise)."""
    from scipy.interpolate import CubicSpline

    series = curve.series
    if series.g == 0:
        return -1.0, 0.0, np.nan
    well = CubicSpline(curve.time, 1 - series.g**2 * series.slopes(curve.log_rho))
    end = min(18 / series.decay_rate, curve.time[-1])
    n = int(np.ceil(end / curve.half_width * _STEPS_PER_HALF_WIDTH))
    levels, guess = [], None
    for factor in (1, 2, 4):
        t = np.linspace(0, end, n * factor + 1)[:-1]
        h, depth = t[1], well(t)
        guess = _even_level(h, depth, series, guess)
        levels.append((guess, _level(h, depth[1:])))
    levels = np.array(levels)
    coarse, fine = (levels[1:] * 4 - levels[:-1]) / 3  # errors of the second order removed
    exponents = -1 + np.sqrt(1 - np.array([coarse[0], fine[0]]))
    return float(exponents[1]), float(abs(np.diff(exponents)[0])), float(abs(fine[1]))


def _even_level(h: float, depth: np.ndarray, series: _Series, guess: float | None) -> float:
    """Least eigenvalue of ``-d^2/dt^2 + well(|t|)``, whose state is even."""
    from scipy.optimize import brentq

    if not series.sigma:  # below 0 and so well inside: the state is nothing at the end of the grid
        return _level(h, depth, even=True)
    # a shallow well: beyond the grid the state falls at a rate that the level itself determines
    top = series.decay_rate**2

    def mismatch(rate):
        return top - _level(h, depth, True, np.exp(-rate * h)) - rate**2

    # bracketed, as rounding of the level, 1e-16/h^2, leaves steps of it
    low, high = 0.0, np.sqrt(max(top - depth.min(), 0)) + 1e-3
    if guess is not None:
        start = np.sqrt(max(top - guess, 0))
        near = max(start - 1e-4, 0.0), start + 1e-4
        if mismatch(near[0]) > 0 > mismatch(near[1]):
            low, high = near
    rate = brentq(mismatch, low, high, xtol=1e-11)
    return top - rate**2


def _level(h: float, depth: np.ndarray, even: bool = False, edge: float = 0.0) -> float:
    """Least eigenvalue for steps h; the state is even, or 0 one step before the first point.

    One step behind the last point it is `edge` times what it is there.
    """
    from scipy.linalg import eigvalsh_tridiagonal

    diagonal, beside = 2 / h**2 + depth, np.full(depth.size - 1, -1 / h**2)
    diagonal[-1] -= edge / h**2
    if even:
        beside[0] *= np.sqrt(2)  # both neighbours of t = 0 are the same
    return float(eigvalsh_tridiagonal(diagonal, beside, select="i", select_range=(0, 0))[0])
