"""Not a tool but a bound: reading the matrix once a product, and doing nothing else."""

import numpy as np
from numba import njit
from protocol import serve


@njit(fastmath={"reassoc", "nsz"}, error_model="numpy")
def total(values):
    """Sum of an array, read at four places at once: faster than front to back where it matters."""
    quarter = values.size // 4
    a, b, c, d = values[:quarter], values[quarter:], values[2 * quarter :], values[3 * quarter :]
    found = values[0] * 0
    for i in range(quarter):
        found += (a[i] + b[i]) + (c[i] + d[i])
    return found


def dense(spec, arrays):
    matrix = arrays["J"].ravel()
    products = 4 if spec["method"] == "rk4" else 1

    def run(steps):
        return np.array([total(matrix) for _ in range(steps * products)][-1:])

    return run


if __name__ == "__main__":
    serve({"dense": dense}, {})
