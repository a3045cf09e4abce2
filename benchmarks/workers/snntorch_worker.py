"""Training of a spiking network with snnTorch: its `Leaky` neuron in a loop, PyTorch's autograd."""

from importlib.metadata import version

import numpy as np
import snntorch
import torch
from protocol import Run, serve
from snntorch import surrogate


def spiking_training(spec, arrays):
    rate, one, two, epsilon = spec["adam"]
    u, target = (torch.from_numpy(arrays[k].transpose(1, 0, 2).copy()) for k in ("u", "target"))
    neurons = snntorch.Leaky(
        beta=spec["decay"],
        threshold=1.0,
        spike_grad=surrogate.fast_sigmoid(slope=spec["slope"]),
        reset_mechanism="subtract",
    )

    def loss(W, W_in, W_out):
        s = v = torch.zeros(spec["trials"], len(W))
        spikes = []
        for z in u @ W_in.T:
            s, v = neurons(z + s @ W.T, v)
            spikes.append(s)
        return ((torch.stack(spikes) @ W_out.T - target) ** 2).mean()

    def run(steps):
        names = ("W", "W_in", "W_out")
        p = [torch.nn.Parameter(torch.from_numpy(arrays[k].copy())) for k in names]
        if steps == 0:
            loss(*p).backward()
            return Run({k: a.grad.numpy() for k, a in zip(names, p)})
        adam = torch.optim.Adam(p, lr=rate, betas=(one, two), eps=epsilon, foreach=True)
        losses = []
        for _ in range(steps):
            adam.zero_grad()
            value = loss(*p)
            value.backward()
            adam.step()
            losses.append(value.detach())
        return Run({"losses": np.array([float(value) for value in losses])})

    return run


if __name__ == "__main__":
    torch.set_num_threads(1)
    versions = {"snnTorch": version("snntorch"), "PyTorch": torch.__version__}
    serve({"spiking_training": spiking_training}, versions)
