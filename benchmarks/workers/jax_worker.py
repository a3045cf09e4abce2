"""The problems in JAX: a step as a pure function, compiled into one `lax.scan` over all steps."""

from functools import partial

import jax
import jax.numpy as jnp
import jax_learning
import numpy as np
from jax_lyapunov import lyapunov
from protocol import serve


def integrator(step, x0, weights, keys=None):
    """``run(steps)`` for ``step(weights, x, key)``."""

    @partial(jax.jit, static_argnames="steps")
    def scan(weights, x, steps):
        each = None if keys is None else keys(steps)
        x, _ = jax.lax.scan(lambda x, key: (step(weights, x, key), None), x, each, length=steps)
        return x

    x0 = jnp.asarray(x0)
    weights = [jnp.asarray(w) for w in weights]
    return lambda steps: np.atleast_2d(np.asarray(scan(weights, x0, steps)))


def dense(spec, arrays):
    a, one_trial = spec["a"], spec["trials"] == 1

    def move(J, x):
        r = jnp.tanh(x)
        return a * ((J @ r if one_trial else r @ J.T) - x)

    def euler(weights, x, _):
        return x + move(weights[0], x)

    def rk4(weights, x, _):
        (J,) = weights
        k1 = move(J, x)
        k2 = move(J, x + k1 / 2)
        k3 = move(J, x + k2 / 2)
        k4 = move(J, x + k3)
        return x + (k1 + 2 * k2 + 2 * k3 + k4) / 6

    x0 = arrays["x0"][0] if one_trial else arrays["x0"]
    return integrator(rk4 if spec["method"] == "rk4" else euler, x0, [arrays["J"]])


def noisy(spec, arrays):
    a, sd = spec["a"], spec["noise"]

    def step(weights, x, key):
        # (unit, trial), which XLA multiplies faster than (trial, unit)
        x = x + a * (weights[0] @ jnp.tanh(x) - x)
        return x + sd * jax.random.normal(key, x.shape, x.dtype)

    def keys(steps):
        return jax.random.split(jax.random.key(1), steps)

    run = integrator(step, arrays["x0"].T, [arrays["J"]], keys)
    return lambda steps: run(steps).T


def low_rank(spec, arrays):
    a = spec["a"]

    def step(weights, x, _):
        m, n = weights
        return x + a * ((n @ jnp.tanh(x)) @ m - x)

    return integrator(step, arrays["x0"][0], [arrays["m"], arrays["n"]])


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)  # without it float64 arrays become float32
    cases = {"dense": dense, "noisy": noisy, "low_rank": low_rank, "lyapunov": lyapunov}
    serve({**cases, **jax_learning.CASES}, {"JAX": jax.__version__})
