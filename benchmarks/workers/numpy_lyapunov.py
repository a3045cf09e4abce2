"""Lyapunov spectra in NumPy: state and tangents by hand."""

import numpy as np


def lyapunov(spec, arrays):
    h, x0, Q0 = spec["h"], arrays["x0"], arrays["Q0"]
    step = lorenz96(h, spec["forcing"]) if spec["system"] == "lorenz96" else tanh(h, arrays["J"])

    def run(steps):
        x, Q, growth = x0, Q0, np.zeros(Q0.shape[1])
        for s in range(steps):
            x, Q = step(x, Q)
            if (s + 1) % spec["every"] == 0:
                Q, R = np.linalg.qr(Q)
                growth += np.log(np.abs(np.diag(R)))
        return growth[None] / (steps * h)

    return run


def tanh(h, J):
    def step(x, Q):
        r = np.tanh(x)
        return x + h * (J @ r - x), (1 - h) * Q + h * (J @ ((1 - r * r)[:, None] * Q))

    return step


def lorenz96(h, forcing):
    def f(x):
        return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + forcing

    def df(x, Q):
        behind, across = np.roll(x, 1)[:, None], (np.roll(x, -1) - np.roll(x, 2))[:, None]
        return (np.roll(Q, -1, 0) - np.roll(Q, 2, 0)) * behind + across * np.roll(Q, 1, 0) - Q

    def step(x, Q):
        k1, K1 = f(x), df(x, Q)
        y, Y = x + h / 2 * k1, Q + h / 2 * K1
        k2, K2 = f(y), df(y, Y)
        y, Y = x + h / 2 * k2, Q + h / 2 * K2
        k3, K3 = f(y), df(y, Y)
        y, Y = x + h * k3, Q + h * K3
        k4, K4 = f(y), df(y, Y)
        return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), Q + h / 6 * (K1 + 2 * K2 + 2 * K3 + K4)

    return step
