"""The one loop that is too long for Python: half a million samples, each changing the circuit.

Written in the subset of Python that numba compiles; the module itself imports neither numba nor
anything of the package, so that it can be compiled (by `neurodyn.compile.cache.compiled`), cached
and tested on its own.
"""

from __future__ import annotations

import math

import numpy as np


def learn_frame(rng, roots, order, samples, eta_g, eta_w, leak, W, g, W_log, g_log):
    """Gains fast, synapses slow, one sample at a time; `W` and `g` are changed in place.

    For each context ``order[t]``, `samples` inputs ``x = roots[order[t]] @ xi``. For each, with the
    responses settled at ``r = (leak I + W diag(g) W^T)^-1 x`` and ``z = W^T r``, ``n = g z``:

        g_i <- g_i + eta_g (z_i^2 - |w_i|^2)
        W   <- W + eta_w (r n^T - W diag(g)),  columns back to unit length

    with the old gains on every right-hand side (the authors' code takes the new ones in the last
    term; the difference is of order eta_g eta_w).

    Parameters
    ----------
    rng : Generator
        Of the inputs.
    roots : float array (context, N, N)
        Square roots of the contexts' covariances.
    order : int array (T,)
        The contexts in the order in which they come.
    samples : int
        Inputs in each of them.
    eta_g, eta_w, leak : float
        Learning rates, and the paper's alpha.
    W, g : float array (N, K), (K,)
        Frame and gains; hold the final values afterwards.
    W_log, g_log : float array (T, N, K), (T, K)
        Filled with the values at the end of each context.

    Returns
    -------
    int
        -1, or the position in `order` at which the circuit had no stable steady state any more.
    """
    N, K = W.shape
    L = np.empty((N, N))
    r = np.empty(N)
    xi = np.empty(N)
    for t in range(order.size):
        root = roots[order[t]]
        for _ in range(samples):
            for a in range(N):
                xi[a] = rng.standard_normal()
            # L L^T = leak I + W diag(g) W^T, row by row, and L r = x on the way.
            for a in range(N):
                x = 0.0
                for b in range(N):
                    x += root[a, b] * xi[b]
                for b in range(a + 1):
                    s = leak if a == b else 0.0
                    for i in range(K):
                        s += W[a, i] * g[i] * W[b, i]
                    for c in range(b):
                        s -= L[a, c] * L[b, c]
                    if b < a:
                        L[a, b] = s / L[b, b]
                        x -= L[a, b] * r[b]
                    elif s > 0.0:
                        L[a, a] = math.sqrt(s)
                    else:                     # not positive definite, or NaN
                        return t
                r[a] = x / L[a, a]
            for a in range(N - 1, -1, -1):    # L^T r = (the r above)
                for b in range(a + 1, N):
                    r[a] -= L[b, a] * r[b]
                r[a] /= L[a, a]
            for i in range(K):
                z = 0.0
                size = 0.0
                for a in range(N):
                    z += W[a, i] * r[a]
                    size += W[a, i] * W[a, i]
                norm = 0.0
                for a in range(N):
                    W[a, i] += eta_w * (r[a] * g[i] * z - W[a, i] * g[i])
                    norm += W[a, i] * W[a, i]
                norm = math.sqrt(norm)
                for a in range(N):
                    W[a, i] /= norm
                g[i] += eta_g * (z * z - size)
        W_log[t] = W
        g_log[t] = g
    return -1
