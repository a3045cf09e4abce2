"""The problems in NumPy, with every array allocated once."""

import numpy as np
from numpy_lyapunov import lyapunov
from numpy_online import CASES as ONLINE
from protocol import serve


def dense(spec, arrays):
    J, x0 = arrays["J"], arrays["x0"]
    a = J.dtype.type(spec["a"])
    r = np.empty_like(x0)

    def move(x, out):
        """a (J tanh(x) - x); for one trial a product of matrix and vector."""
        np.tanh(x, out=r)
        if len(x) == 1:
            np.dot(J, r[0], out=out[0])
        else:
            np.dot(r, J.T, out=out)
        np.subtract(out, x, out=out)
        np.multiply(out, a, out=out)

    def euler(steps):
        x, k = x0.copy(), np.empty_like(x0)
        for _ in range(steps):
            move(x, k)
            x += k
        return x

    def rk4(steps):
        x = x0.copy()
        y, k1, k2, k3, k4 = (np.empty_like(x0) for _ in range(5))
        half, two, sixth = (J.dtype.type(v) for v in (0.5, 2, 1 / 6))
        for _ in range(steps):
            move(x, k1)
            np.multiply(k1, half, out=y)
            y += x
            move(y, k2)
            np.multiply(k2, half, out=y)
            y += x
            move(y, k3)
            np.add(x, k3, out=y)
            move(y, k4)
            k2 += k3
            k2 *= two
            k1 += k2
            k1 += k4
            k1 *= sixth
            x += k1
        return x

    return rk4 if spec["method"] == "rk4" else euler


def noisy(spec, arrays):
    J, x0 = arrays["J"], arrays["x0"]
    a, sd = (J.dtype.type(spec[name]) for name in ("a", "noise"))

    def run(steps):
        rng = np.random.default_rng(1)
        x = x0.copy()
        r, k = np.empty_like(x), np.empty_like(x)
        for _ in range(steps):
            np.tanh(x, out=r)
            np.dot(r, J.T, out=k)
            k -= x
            k *= a
            x += k
            rng.standard_normal(out=k, dtype=k.dtype)
            k *= sd
            x += k
        return x

    return run


def low_rank(spec, arrays):
    m, n, x0 = arrays["m"], arrays["n"], arrays["x0"]
    a = m.dtype.type(spec["a"])

    def run(steps):
        x = x0[0].copy()
        r, k = np.empty_like(x), np.empty_like(x)
        for _ in range(steps):
            np.tanh(x, out=r)
            np.dot(np.dot(n, r), m, out=k)
            k -= x
            k *= a
            x += k
        return x[None]

    return run


if __name__ == "__main__":
    cases = {"dense": dense, "noisy": noisy, "low_rank": low_rank, "lyapunov": lyapunov}
    serve({**cases, **ONLINE}, {})
