"""Training of a spiking network with snnTorch: its `Leaky` neuron in a loop, PyTorch's autograd."""

from importlib.metadata import version

import snntorch
import torch
from protocol import serve
from snntorch import surrogate
from torch_learning import adam


def spiking_training(spec, arrays):
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

    return adam(spec, arrays, ("W", "W_in", "W_out"), loss)


if __name__ == "__main__":
    torch.set_num_threads(1)
    versions = {"snnTorch": version("snntorch"), "PyTorch": torch.__version__}
    serve({"spiking_training": spiking_training}, versions)
