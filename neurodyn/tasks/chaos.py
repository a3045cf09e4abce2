"""Compiled integrators of the time series: one trial after the other, so that none sees another."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def lorenz(start, n_skipped, n_samples, n_substeps, h, sigma, rho, beta):
    """Runge-Kutta of order 4 from each start.

    Parameters
    ----------
    start : array, (trial, 3)
    n_skipped, n_samples, n_substeps : int
        Samples that are dropped, samples that are kept, steps of h between samples.

    Returns
    -------
    array, (trial, n_samples, 3)
        The first sample is the state after the dropped ones.
    """
    n_trials = start.shape[0]
    found = np.empty((n_trials, n_samples, 3))
    k = np.empty((4, 3))
    for trial in range(n_trials):
        x, y, z = start[trial]
        for sample in range(n_skipped + n_samples):
            if sample >= n_skipped:
                found[trial, sample - n_skipped, 0] = x
                found[trial, sample - n_skipped, 1] = y
                found[trial, sample - n_skipped, 2] = z
            for _ in range(n_substeps):
                a, b, c = x, y, z
                for stage in range(4):
                    k[stage, 0] = sigma * (b - a)
                    k[stage, 1] = a * (rho - c) - b
                    k[stage, 2] = a * b - beta * c
                    share = h if stage == 2 else 0.5 * h
                    a = x + share * k[stage, 0]
                    b = y + share * k[stage, 1]
                    c = z + share * k[stage, 2]
                x += h / 6 * (k[0, 0] + 2 * k[1, 0] + 2 * k[2, 0] + k[3, 0])
                y += h / 6 * (k[0, 1] + 2 * k[1, 1] + 2 * k[2, 1] + k[3, 1])
                z += h / 6 * (k[0, 2] + 2 * k[1, 2] + 2 * k[2, 2] + k[3, 2])
    return found


@njit(cache=True)
def mackey_glass(start, n_skipped, n_samples, n_substeps, h, n_delay, b, gamma, n):
    """Heun steps of ``dx/dt = b x(t - tau)/(1 + x(t - tau)**n) - gamma x`` from each history.

    Parameters
    ----------
    start : array, (trial,)
        The history, constant before the beginning.
    n_delay : int
        tau, in steps of h.

    Returns
    -------
    array, (trial, n_samples)
    """
    n_trials = start.shape[0]
    found = np.empty((n_trials, n_samples))
    past = np.empty(n_delay)  # past[step % n_delay] is x one delay ago
    for trial in range(n_trials):
        x, step = start[trial], 0
        past[:] = x
        for sample in range(n_skipped + n_samples):
            if sample >= n_skipped:
                found[trial, sample - n_skipped] = x
            for _ in range(n_substeps):
                old = past[step % n_delay]
                # with a delay of one step, x one delay before the end of the step is x itself
                new = past[(step + 1) % n_delay] if n_delay > 1 else x
                first = b * old / (1 + old**n) - gamma * x
                ahead = x + h * first
                second = b * new / (1 + new**n) - gamma * ahead
                past[step % n_delay] = x
                x += 0.5 * h * (first + second)
                step += 1
    return found
