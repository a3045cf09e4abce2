"""Lyapunov spectra in JAX: a step linearised by `jax.linearize`, two nested scans."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np


def lyapunov(spec, arrays):
    h, every = spec["h"], spec["every"]
    if spec["system"] == "lorenz96":
        one = partial(lorenz96, h, spec["forcing"])
        J = jnp.zeros(())
    else:
        J = jnp.asarray(arrays["J"])

        def one(x, J):
            return x + h * (J @ jnp.tanh(x) - x)

    @partial(jax.jit, static_argnames="intervals")
    def go(x, Q, J, intervals):
        def inner(carried, _):
            x, Q = carried
            y, linear = jax.linearize(lambda z: one(z, J), x)
            return (y, jax.vmap(linear, 1, 1)(Q)), None

        def outer(carried, _):
            (x, Q), _ = jax.lax.scan(inner, carried, None, length=every)
            Q, R = jnp.linalg.qr(Q)
            return (x, Q), jnp.log(jnp.abs(jnp.diag(R)))

        _, logs = jax.lax.scan(outer, (x, Q), None, length=intervals)
        return logs.sum(0)

    x0, Q0 = jnp.asarray(arrays["x0"]), jnp.asarray(arrays["Q0"])
    return lambda steps: np.asarray(go(x0, Q0, J, steps // every))[None] / (steps * h)


def lorenz96(h, forcing, x, _):
    def f(x):
        return (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1) - x + forcing

    k1 = f(x)
    k2 = f(x + h / 2 * k1)
    k3 = f(x + h / 2 * k2)
    k4 = f(x + h * k3)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
