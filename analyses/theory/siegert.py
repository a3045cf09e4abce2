"""How fast and how irregularly a leaky integrate-and-fire unit fires on white noise: Siegert.

Between spikes the unit obeys

    tau dv/dt = mean - v + sigma sqrt(tau) xi(t),       <xi(t) xi(t')> = delta(t - t'),

it spikes where v reaches `v_threshold`, rests at `v_reset` for `tau_ref`, and starts again. Its
inter-spike intervals are the first-passage times of an Ornstein-Uhlenbeck process, whose moments
Siegert (1951) gave as integrals: the first is `siegert_rate`, the second `siegert_cv`.

**What sigma means.** It is that of Brunel (2000): the free potential has the standard deviation
``sigma/sqrt(2)``. K inputs of rate r and weight J make ``mean = tau sum(K J r)`` and
``sigma**2 = tau sum(K J**2 r)``. In equations: ``dv/dt = (mean - v)/tau + sigma*xi/sqrt(tau)``.

The integrands grow as ``exp(u**2)`` above the mean and overflow 27 sigma away. Here they are
written with ``erfcx(-u) = exp(u**2) (1 + erf(u))``, and their largest factor is divided out before
they are summed: a rate that is too small for a float is 0, never NaN, and no digits are lost for
strong input and weak noise, where the two limits of the integral are far out and close together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.units import SECOND, UnitError, format_dimension, to_si

if TYPE_CHECKING:
    from neurodyn.units import Dimension

#: ``exp(-_DEPTH)`` is far below the last digit.
_DEPTH = 40.0
#: Gauss-Legendre quadrature on [0, 1]; all that is integrated is smooth there.
_NODES, _WEIGHTS = (array / 2 for array in np.polynomial.legendre.leggauss(64))
_NODES = _NODES + 0.5


def siegert_rate(
    mean: Any, sigma: Any, tau: Any, v_threshold: Any, v_reset: Any, tau_ref: Any = 0.0
) -> np.ndarray:
    r"""Firing rate of leaky integrate-and-fire units driven by Gaussian white noise.

    .. math:: \frac1\nu = \tau_{ref} + \tau \sqrt\pi \int_{(V_r - \mu)/\sigma}^{(\theta - \mu)/
        \sigma} e^{u^2} (1 + \mathrm{erf}\, u)\, du

    Parameters
    ----------
    mean : float or array, V
        Where the potential would settle without spikes and noise, on the same scale as
        `v_threshold`.
    sigma : float or array, V
        Noise; the free potential has the standard deviation ``sigma/sqrt(2)`` (see the module). 0
        is the limit without noise.
    tau, tau_ref : float or array, s
        Membrane time constant; time that the unit rests after a spike.
    v_threshold, v_reset : float or array, V
        Arguments are plain numbers, those for potentials in any unit that is the same for all, or
        quantities; they broadcast.

    Returns
    -------
    ndarray, Hz
        A float for single numbers.

    Raises
    ------
    ValueError
        For a threshold that is not above the reset, a time constant that is not positive, negative
        times or noise, or values that are not finite.

    Notes
    -----
    Siegert (1951); as written here in Brunel (2000), who has it for networks.
    The input is Gaussian and white: for Poisson spikes of weight J it is the limit of small J
    (the diffusion approximation), whose error is of the order of J/sigma.

    Examples
    --------
    >>> float(siegert_rate(15e-3, 5e-3, 20e-3, v_threshold=20e-3, v_reset=10e-3, tau_ref=2e-3))
    9.4607...
    """
    lower, upper, tau, tau_ref, mean_time = _checked(
        mean, sigma, tau, v_threshold, v_reset, tau_ref
    )
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        passage = _scaled_passage_time(lower, upper) * np.exp(np.maximum(upper, 0) ** 2)
        noisy = 1 / (tau_ref + tau * passage)
    return np.where(np.isinf(upper) | np.isinf(lower), 1 / (tau_ref + mean_time), noisy)[()]


def siegert_cv(
    mean: Any, sigma: Any, tau: Any, v_threshold: Any, v_reset: Any, tau_ref: Any = 0.0
) -> np.ndarray:
    r"""Coefficient of variation of the inter-spike intervals of the units of `siegert_rate`.

    .. math:: CV^2 = 2 \pi \nu^2 \tau^2 \int_{(V_r - \mu)/\sigma}^{(\theta - \mu)/\sigma} e^{x^2}
        \int_{-\infty}^x e^{y^2} (1 + \mathrm{erf}\, y)^2\, dy\, dx

    0 without noise, 1 where spikes are rare and come by chance.

    Parameters
    ----------
    mean, sigma, tau, v_threshold, v_reset, tau_ref
        As for `siegert_rate`.

    Returns
    -------
    ndarray
        A float for single numbers. NaN for units that never fire (no noise, mean below threshold).

    Notes
    -----
    Brunel (2000), appendix; from the second moment in Siegert (1951). Precise to 1e-9.
    """
    lower, upper, tau, tau_ref, mean_time = _checked(
        mean, sigma, tau, v_threshold, v_reset, tau_ref
    )
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        # standard deviation over mean, both divided by exp(upper**2) if that is large
        rest = tau_ref / tau * np.exp(-np.maximum(upper, 0) ** 2)
        cv = np.sqrt(_scaled_variance(lower, upper)) / (_scaled_passage_time(lower, upper) + rest)
    noiseless = np.where(np.isinf(mean_time), np.nan, 0.0)
    return np.where(np.isinf(upper) | np.isinf(lower), noiseless, cv)[()]


# ------------------------------------------------------------------------------ the integrals


def _scaled_passage_time(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Mean time from reset to threshold over tau: sqrt(pi) times the integral of `siegert_rate`.

    Divided by ``exp(upper**2)`` where `upper` is positive, as that is the order of its size.
    """
    from scipy.special import erf, erfcx

    top = np.maximum(upper, 0)[..., None]
    u, weight = _below_the_mean(lower, upper)
    below = weight * erfcx(-u) * np.exp(-(top**2))
    u, weight = _above_the_mean(lower, upper)
    above = weight * np.exp((u - top) * (u + top)) * (1 + erf(u))
    return np.sqrt(np.pi) * np.sum(below + above, axis=-1)


def _scaled_variance(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Variance of that time over tau**2, divided by ``exp(2 upper**2)`` where upper > 0."""
    top = np.maximum(upper, 0)[..., None]
    total = 0.0
    for x, weight in (_below_the_mean(lower, upper), _above_the_mean(lower, upper)):
        total = total + np.sum(weight * _inner(x, 2 * top**2), axis=-1)
    return 2 * np.pi * total


def _inner(x: np.ndarray, log_scale: np.ndarray) -> np.ndarray:
    """Inner integral of `siegert_cv`, times ``exp(x**2 - log_scale)``."""
    from scipy.special import erf, erfcx

    log_scale = log_scale[..., None]
    low, high = -np.minimum(x, 0)[..., None], np.maximum(x, 0)[..., None]
    # y < 0: exp(y**2) (1 + erf y)**2 = exp(-y**2) erfcx(-y)**2, from the upper end down to where
    # exp(low**2 - y**2) is nothing
    depth = _DEPTH / (np.sqrt(low**2 + _DEPTH) + low)
    s = depth * _NODES
    below = depth * _WEIGHTS * np.exp(high**2 - s * (s + 2 * low) - log_scale) * erfcx(low + s) ** 2
    y, weight = _above_the_mean(np.zeros_like(x), x)
    above = weight * np.exp(high**2 + y**2 - log_scale) * (1 + erf(y)) ** 2
    return np.sum(below + above, axis=-1)


def _below_the_mean(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points u and weights (..., point) for the part of ``[lower, upper]`` where u is negative.

    The integrand falls as 1/u there: points lie evenly in log(1 - u). The length of the interval is
    taken from the difference of its ends, which may be large and close together.
    """
    a, b = np.maximum(-upper, 0)[..., None], np.maximum(-lower, 0)[..., None]
    length = np.log1p((b - a) / (1 + a))
    grown = length * _NODES
    return -a - (1 + a) * np.expm1(grown), length * _WEIGHTS * (1 + a) * np.exp(grown)


def _above_the_mean(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for the part where u is positive, down to where ``exp(u**2)`` no longer matters."""
    top, bottom = np.maximum(upper, 0)[..., None], np.maximum(lower, 0)[..., None]
    depth = np.minimum(top - bottom, _DEPTH / np.maximum(top, np.sqrt(_DEPTH)))
    return top - depth * _NODES, depth * _WEIGHTS


# ------------------------------------------------------------------------------ the arguments


def _checked(mean, sigma, tau, v_threshold, v_reset, tau_ref):
    """Limits of the integral, time constants, and the time to threshold without noise."""
    potentials = _plain({"mean": mean, "sigma": sigma, "v_threshold": v_threshold,
                         "v_reset": v_reset})
    times = _plain({"tau": tau, "tau_ref": tau_ref}, SECOND)
    mean, sigma, v_threshold, v_reset, tau, tau_ref = np.broadcast_arrays(
        *potentials.values(), *times.values()
    )
    if np.any(v_threshold <= v_reset):
        k = np.unravel_index(np.argmax(v_threshold <= v_reset), v_threshold.shape)
        raise ValueError(
            f"`v_threshold` must be above `v_reset`; got {v_threshold[k]:g} and {v_reset[k]:g}"
        )
    for name, value, low in (("tau", tau, tau <= 0), ("sigma", sigma, sigma < 0),
                             ("tau_ref", tau_ref, tau_ref < 0)):
        if np.any(low):
            kind = "positive" if name == "tau" else "0 or more"
            raise ValueError(f"`{name}` must be {kind}; got {np.min(value):g}")
    with np.errstate(divide="ignore", invalid="ignore"):
        lower, upper = (v_reset - mean) / sigma, (v_threshold - mean) / sigma
        # log((mean - reset)/(mean - threshold)), by the difference, which may be small
        ratio = (v_threshold - v_reset) / (mean - v_threshold)
        mean_time = np.where(mean > v_threshold, tau * np.log1p(np.maximum(ratio, 0)), np.inf)
    silent = sigma == 0  # 0/0 too: the limit without noise
    return (np.where(silent, -np.inf, lower), np.where(silent, np.inf, upper), tau, tau_ref,
            mean_time)


def _plain(arguments: dict[str, Any], unit: Dimension | None = None) -> dict[str, np.ndarray]:
    """Finite arrays of floats; those that are quantities all in `unit`, or all in the same."""
    found = {}
    for name, value in arguments.items():
        number, dim = to_si(value, name)
        found[name] = np.asarray(number, dtype=float)
        if not np.all(np.isfinite(found[name])):
            raise ValueError(f"`{name}` must be finite; got {value!r:.60}")
        unit = dim if unit is None else unit
        if dim not in (None, unit):
            raise UnitError(
                f"`{name}` must be in {format_dimension(unit)}; got {format_dimension(dim)}"
            )
    return found
