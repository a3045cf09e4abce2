"""Train the network of ``analysing_a_trained_rnn.md``: ``python train_flip_flop_rnn.py OUT.npz``.

PyTorch's RNN of 64 tanh units learns the 3-bit flip-flop (Sussillo and Barak 2013): each of three
outputs says whether the last pulse in its channel was up or down. Nothing here needs neurodyn. The
file that comes with it, data/flip_flop_rnn.npz, was made by PyTorch 2.13.0 on a CPU with one
thread; another version may round differently and then finds another, equally good, network.
"""

import sys

import numpy as np
import torch

SEED, HIDDEN, BITS = 1, 64, 3
TRIALS, STEPS, UPDATES, P = 64, 60, 4000, 0.1


class Memory(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.RNN(BITS, HIDDEN, batch_first=True)
        self.readout = torch.nn.Linear(HIDDEN, BITS)

    def forward(self, pulses):
        return self.readout(self.rnn(pulses)[0])


def batch(rng):
    """Pulses, +1 or -1, in every channel at first and then rarely; and the last one of each."""
    pulses = rng.choice([-1.0, 1.0], (TRIALS, STEPS, BITS))
    silent = rng.random(pulses.shape) > P
    silent[:, 0] = False
    pulses[silent] = 0
    last = np.maximum.accumulate(np.where(silent, 0, np.arange(STEPS)[:, None]), axis=1)
    targets = np.take_along_axis(pulses, last, axis=1)
    return torch.tensor(pulses, dtype=torch.float32), torch.tensor(targets, dtype=torch.float32)


def main(path):
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = Memory()
    adam = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, UPDATES)
    for update in range(UPDATES):
        pulses, targets = batch(rng)
        loss = torch.nn.functional.mse_loss(model(pulses), targets)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        schedule.step()
        if update % 200 == 0 or update == UPDATES - 1:
            print(f"update {update}: mean squared error {loss.item():.5f}", flush=True)
    with torch.no_grad():
        pulses, targets = batch(np.random.default_rng(SEED + 1))
        outputs = model(pulses)
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    about = (
        f"State dict of a torch.nn.RNN({BITS}, {HIDDEN}) and a torch.nn.Linear({HIDDEN}, {BITS}) "
        "trained on the 3-bit flip-flop of Sussillo and Barak (2013), Neural Comput 25:626-649, "
        "doi:10.1162/NECO_a_00409, by tutorials/train_flip_flop_rnn.py with "
        f"PyTorch {torch.__version__}, seed {SEED}. "
        "test/pulses and test/outputs: inputs and what PyTorch answered, two trials."
    )
    np.savez_compressed(
        path, about=about, **arrays,
        **{"test/pulses": pulses[:2].numpy(), "test/outputs": outputs[:2].numpy()},
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
