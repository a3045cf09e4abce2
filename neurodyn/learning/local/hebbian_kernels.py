"""Compiled passes through samples, of rules that no text of a synapse can say.

``W`` is (component, feature) and changed in place; ``X`` is (sample, feature).
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def normalised_hebb(W, X, rate):
    """Hebb's rule, after which the weights of each unit are brought to length 1."""
    n_units, n_features = W.shape
    for t in range(X.shape[0]):
        for i in range(n_units):
            y = 0.0
            for j in range(n_features):
                y += W[i, j] * X[t, j]
            square = 0.0
            for j in range(n_features):
                W[i, j] += rate * y * X[t, j]
                square += W[i, j] ** 2
            scale = 1.0 / np.sqrt(square)
            for j in range(n_features):
                W[i, j] *= scale


@njit(cache=True)
def generalised_hebb(W, X, rate):
    """Sanger's rule: unit i learns from what it and the units before it leave of the sample."""
    n_units, n_features = W.shape
    y, rest = np.empty(n_units), np.empty(n_features)
    for t in range(X.shape[0]):
        for i in range(n_units):
            y[i] = 0.0
            for j in range(n_features):
                y[i] += W[i, j] * X[t, j]
        for j in range(n_features):
            rest[j] = X[t, j]
        for i in range(n_units):
            for j in range(n_features):
                rest[j] -= y[i] * W[i, j]
                W[i, j] += rate * y[i] * rest[j]


@njit(cache=True)
def nearest(W, x):
    """The unit whose weights are nearest to a sample; the first of several."""
    best, winner = np.inf, 0
    for i in range(W.shape[0]):
        square = 0.0
        for j in range(W.shape[1]):
            square += (x[j] - W[i, j]) ** 2
        if square < best:
            best, winner = square, i
    return winner


@njit(cache=True)
def competition(W, X, rate, counts, by_count):
    """The winner of each sample moves towards it, by `rate` or 1/(number of its samples)."""
    for t in range(X.shape[0]):
        winner = nearest(W, X[t])
        counts[winner] += 1
        share = 1.0 / counts[winner] if by_count else rate
        for j in range(W.shape[1]):
            W[winner, j] += share * (X[t, j] - W[winner, j])


@njit(cache=True)
def winners(W, X, found):
    """The nearest unit of each sample."""
    for t in range(X.shape[0]):
        found[t] = nearest(W, X[t])


@njit(cache=True)
def settle(drive, lateral, thresholds, steepness, dt, n_steps, y, total):
    """Relax ``dy/dt = f(drive + lateral y - thresholds) - y`` from 0, by Euler, f a sigmoid."""
    n = y.shape[0]
    for i in range(n):
        y[i] = 0.0
    for _ in range(n_steps):
        for i in range(n):
            total[i] = drive[i] - thresholds[i]
            for k in range(n):
                total[i] += lateral[i, k] * y[k]
        for i in range(n):
            y[i] += dt * (1.0 / (1.0 + np.exp(-steepness * total[i])) - y[i])


@njit(cache=True)
def sparse_code(W, lateral, thresholds, X, steepness, dt, n_steps, outputs):
    """The answers of Földiák's units, 0 or 1, into `outputs` (sample, component)."""
    n_units, n_features = W.shape
    drive, y, total = np.empty(n_units), np.empty(n_units), np.empty(n_units)
    for t in range(X.shape[0]):
        for i in range(n_units):
            drive[i] = 0.0
            for j in range(n_features):
                drive[i] += W[i, j] * X[t, j]
        settle(drive, lateral, thresholds, steepness, dt, n_steps, y, total)
        for i in range(n_units):
            outputs[t, i] = 1.0 if y[i] > 0.5 else 0.0


@njit(cache=True)
def sparse_coding(W, lateral, thresholds, X, rates, p, steepness, dt, n_steps):
    """Földiák's three rules; `rates` are those of lateral weights, of W, and of thresholds."""
    n_units, n_features = W.shape
    outputs = np.empty((1, n_units))
    for t in range(X.shape[0]):
        sparse_code(W, lateral, thresholds, X[t : t + 1], steepness, dt, n_steps, outputs)
        for i in range(n_units):
            a = outputs[0, i]
            for k in range(n_units):
                if k != i:
                    changed = lateral[i, k] - rates[0] * (a * outputs[0, k] - p * p)
                    lateral[i, k] = min(changed, 0.0)
            for j in range(n_features):
                W[i, j] += rates[1] * a * (X[t, j] - W[i, j])
            thresholds[i] += rates[2] * (a - p)
