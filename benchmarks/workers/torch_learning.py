"""Gradients through time in PyTorch: autograd through a loop; for kernels `torch.func`."""

import numpy as np
import torch
from protocol import Run

_TRAINED = ("W", "W_in", "b", "alpha", "W_out")


def training(spec, arrays):
    u, target = (torch.from_numpy(arrays[k].transpose(1, 0, 2).copy()) for k in ("u", "target"))

    def loss(W, W_in, b, alpha, W_out):
        h, a, drive, states = torch.zeros(spec["trials"], len(W)), torch.sigmoid(alpha), None, []
        drive = u @ W_in.T + b
        for z in drive:
            h = h + a * (torch.tanh(h @ W.T + z) - h)
            states.append(h)
        return ((torch.stack(states) @ W_out.T - target) ** 2).mean()

    return adam(spec, arrays, _TRAINED, loss)


def adam(spec, arrays, names, loss):
    """``run(steps)``: losses on the way; without steps the gradients at the start."""
    rate, one, two, epsilon = spec["adam"]

    def run(steps):
        with torch.enable_grad():
            p = [torch.nn.Parameter(torch.from_numpy(arrays[k].copy())) for k in names]
            if steps == 0:
                loss(*p).backward()
                return Run({k: a.grad.numpy() for k, a in zip(names, p)})
            optimiser = torch.optim.Adam(p, lr=rate, betas=(one, two), eps=epsilon, foreach=True)
            losses = []
            for _ in range(steps):
                optimiser.zero_grad()
                value = loss(*p)
                value.backward()
                optimiser.step()
                losses.append(value.detach())
        return Run({"losses": np.array([float(value) for value in losses])})

    return run


def tangent_kernel(spec, arrays):
    from torch.func import grad, vmap

    p = tuple(torch.from_numpy(arrays[k]) for k in ("W", "W_in", "b", "W_out"))
    u = torch.from_numpy(arrays["u"])

    def output(p, u):
        W, W_in, b, W_out = p
        x = torch.zeros(len(W))
        for z in u @ W_in.T + b:
            x = torch.tanh(W @ x + z)
        return W_out[0] @ x

    each = vmap(grad(output), (None, 0))

    def run(steps):
        with torch.enable_grad():
            for _ in range(steps):
                G = torch.cat([a.reshape(len(u), -1) for a in each(p, u)], dim=1)
                K = G @ G.T
        return Run({"kernel": K.numpy()})

    return run


CASES = {"training": training, "tangent_kernel": tangent_kernel}
