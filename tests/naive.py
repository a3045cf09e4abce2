"""Slow, obvious twins of fast code."""

from __future__ import annotations

import numpy as np


def integrate(method, f, x, dt, n_steps, *, drive=None, normals=None, g=None, slope=None):
    """States at the beginning of every step and at the end, ``(n_steps + 1, *x.shape)``.

    Parameters
    ----------
    method : {"Euler", "RK4", "ExponentialEuler", "Heun"}
    f : callable
        Drift ``f(x, u, t)``.
    drive : sequence
        ``u`` of each step, held over it; None passes None.
    normals : sequence of ndarray, like x
        Standard normal numbers of each step; with them, ``g(x, u, t)`` is the coefficient of the
        white noise.
    slope : callable
        For ExponentialEuler, ``a(x, u, t)``, the slope of each equation in its own state.
    """
    step = {"Euler": _euler, "RK4": _rk4, "ExponentialEuler": _exponential, "Heun": _heun}[method]
    states = [np.array(x, dtype=float)]
    for k in range(n_steps):
        u = None if drive is None else drive[k]
        noise = 0.0 if normals is None else np.sqrt(dt) * normals[k]
        states.append(step(f, states[-1], u, k * dt, dt, noise, g or _zero, slope))
    return np.array(states)


def _zero(x, u, t):
    return 0.0


def _euler(f, x, u, t, dt, noise, g, slope):
    return x + dt * f(x, u, t) + g(x, u, t) * noise


def _heun(f, x, u, t, dt, noise, g, slope):
    first = dt * f(x, u, t) + g(x, u, t) * noise
    second = dt * f(x + first, u, t + dt) + g(x + first, u, t + dt) * noise
    return x + (first + second) / 2


def _rk4(f, x, u, t, dt, noise, g, slope):
    k1 = f(x, u, t)
    k2 = f(x + dt / 2 * k1, u, t + dt / 2)
    k3 = f(x + dt / 2 * k2, u, t + dt / 2)
    k4 = f(x + dt * k3, u, t + dt)
    return x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _exponential(f, x, u, t, dt, noise, g, slope):
    a = slope(x, u, t)
    mean = x + (np.exp(a * dt) - 1) / a * f(x, u, t)
    return mean + g(x, u, t) * noise * np.sqrt((np.exp(2 * a * dt) - 1) / (2 * a * dt))


def complex_step(f, values, name, cotangent=None):
    """Derivative of a vector function with respect to one of the arrays that it is given.

    The imaginary part of f(x + ih)/h has no cancellation (Squire and Trapp 1998), so with h = 1e-30
    it is exact to rounding. `f` must be analytic: no abs, no comparisons.

    Parameters
    ----------
    f : callable
        Of a dict of arrays, returns (m,).
    values : dict of str to ndarray or float
    name : str
        The entry to differentiate by.
    cotangent : ndarray (m,), optional
        Weights of the m results.

    Returns
    -------
    ndarray
        ``(*shape, m)`` for an entry of that shape; summed with `cotangent`, ``shape``.
    """
    point = np.asarray(values[name], dtype=complex)
    rows = []
    for index in np.ndindex(point.shape):
        moved = point.copy()
        moved[index] += 1e-30j
        row = f({**values, name: moved}).imag / 1e-30
        rows.append(row if cotangent is None else row @ cotangent)
    return np.array(rows).reshape(point.shape + np.shape(rows[0]))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))
