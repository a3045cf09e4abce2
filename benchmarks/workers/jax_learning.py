"""Gradients through time in JAX: `grad` through a scan; for kernels, one a sample by `vmap`."""

import jax
import jax.numpy as jnp
import numpy as np
from protocol import Run

_TRAINED = ("W", "W_in", "b", "alpha", "W_out")


def training(spec, arrays):
    start = {k: arrays[k] for k in _TRAINED}
    u = jnp.asarray(arrays["u"].transpose(1, 0, 2).copy())
    target = jnp.asarray(arrays["target"].transpose(1, 0, 2).copy())
    h0 = jnp.zeros((spec["trials"], spec["n"]), np.float32)

    def loss(p):
        a = jax.nn.sigmoid(p["alpha"])
        drive = u @ p["W_in"].T + p["b"]

        def step(h, z):
            h = h + a * (jnp.tanh(h @ p["W"].T + z) - h)
            return h, h

        _, h = jax.lax.scan(step, h0, drive)
        return jnp.mean((h @ p["W_out"].T - target) ** 2)

    return adam(spec, start, loss)


def spiking_training(spec, arrays):
    decay, slope = spec["decay"], spec["slope"]
    u = jnp.asarray(arrays["u"].transpose(1, 0, 2).copy())
    target = jnp.asarray(arrays["target"].transpose(1, 0, 2).copy())
    zero = jnp.zeros((spec["trials"], spec["n"]), np.float32)

    @jax.custom_jvp
    def spike(v):
        return (v > 0).astype(v.dtype)

    spike.defjvp(lambda p, t: (spike(p[0]), t[0] / (1 + slope * jnp.abs(p[0])) ** 2))

    def loss(p):
        def step(before, z):
            s, v = before
            v = decay * v + z + s @ p["W"].T - jax.lax.stop_gradient(s)
            s = spike(v - 1)
            return (s, v), s

        _, s = jax.lax.scan(step, (zero, zero), u @ p["W_in"].T)
        return jnp.mean((s @ p["W_out"].T - target) ** 2)

    return adam(spec, {k: arrays[k] for k in ("W", "W_in", "W_out")}, loss)


def adam(spec, start, loss):
    """``run(steps)``: losses on the way; without steps the gradients at the start."""
    rate, one, two, epsilon = (np.float32(a) for a in spec["adam"])
    both = jax.value_and_grad(loss)

    @jax.jit
    def update(p, m, v, step):
        value, g = both(p)
        m = {k: one * m[k] + (1 - one) * g[k] for k in p}
        v = {k: two * v[k] + (1 - two) * g[k] * g[k] for k in p}
        c1, c2 = 1 / (1 - one**step), 1 / (1 - two**step)
        p = {k: p[k] - rate * (m[k] * c1) / (jnp.sqrt(v[k] * c2) + epsilon) for k in p}
        return p, m, v, value

    first = jax.jit(jax.grad(loss))

    def run(steps):
        p = {k: jnp.asarray(a) for k, a in start.items()}
        if steps == 0:
            return Run({k: np.asarray(a) for k, a in first(p).items()})
        m, v = ({k: jnp.zeros_like(a) for k, a in p.items()} for _ in range(2))
        losses = []
        for step in range(1, steps + 1):
            p, m, v, value = update(p, m, v, jnp.float32(step))
            losses.append(value)
        return Run({"losses": np.array([float(value) for value in losses])})

    return run


def tangent_kernel(spec, arrays):
    p = {k: jnp.asarray(arrays[k]) for k in ("W", "W_in", "b", "W_out")}
    u = jnp.asarray(arrays["u"])
    x0 = jnp.zeros(spec["n"], np.float32)

    def output(p, u):
        drive = u @ p["W_in"].T + p["b"]
        x, _ = jax.lax.scan(lambda x, z: (jnp.tanh(p["W"] @ x + z), None), x0, drive)
        return p["W_out"][0] @ x

    @jax.jit
    def kernel(p, u):
        g = jax.vmap(jax.grad(output), (None, 0))(p, u)
        G = jnp.concatenate([a.reshape(len(u), -1) for a in g.values()], axis=1)
        return G @ G.T

    def run(steps):
        for _ in range(steps):
            K = kernel(p, u).block_until_ready()
        return Run({"kernel": np.asarray(K)})

    return run


CASES = {
    "training": training,
    "spiking_training": spiking_training,
    "tangent_kernel": tangent_kernel,
}
