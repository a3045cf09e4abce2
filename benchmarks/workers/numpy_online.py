"""Real-time recurrent learning of units on their own in NumPy, every array allocated once."""

import numpy as np
from protocol import Run


def elementwise_rtrl(spec, arrays):
    W_in, w, b, W_out, u, target = (arrays[k] for k in ("W_in", "w", "b", "W_out", "u", "target"))
    one, leak = np.float32(1), np.float32(spec["leak"])

    def run(steps):
        h = np.zeros_like(w)
        trace, seed = np.zeros_like(W_in), np.empty_like(W_in)
        of_w, of_b = np.zeros_like(w), np.zeros_like(w)
        g = {"W_in": np.zeros_like(W_in), "w": np.zeros_like(w), "b": np.zeros_like(w),
             "W_out": np.zeros_like(W_out)}  # fmt: skip
        scale = np.float32(2 / target.size)
        for now, wanted in zip(u, target):
            q = np.tanh(W_in @ now + w * h + b)
            slope = leak * (one - q * q)
            kept = (one - leak) + slope * w
            np.multiply(trace, kept[:, None], out=trace)
            np.multiply(slope[:, None], now, out=seed)
            trace += seed
            of_w *= kept
            of_w += slope * h
            of_b *= kept
            of_b += slope
            h = h + leak * (q - h)
            error = scale * (W_out @ h - wanted)
            signal = error @ W_out
            np.multiply(trace, signal[:, None], out=seed)
            g["W_in"] += seed
            g["w"] += signal * of_w
            g["b"] += signal * of_b
            g["W_out"] += np.outer(error, h)
        return Run(g)

    return run


CASES = {"elementwise_rtrl": elementwise_rtrl}
