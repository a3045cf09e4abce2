"""Cells with PyTorch's weights beside PyTorch: ``python benchmarks/checks/torch_cells.py``.

PyTorch runs its modules in its own environment (``make bench-peers``) and writes weights, inputs
and outputs to a file; the networks of `nd.interop.from_torch` then run on the same inputs. Two
layers of 64 units, 50 steps. Outputs may differ by 1e-6 in float32 and 1e-12 in float64; the state
dicts that come back must be the same, to the bit. It ends with 1 if they are not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

MODULES = {"rnn_tanh": "RNN", "rnn_relu": "RNN", "gru": "GRU", "lstm": "LSTM"}
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
TRIALS, STEPS, N_IN, HIDDEN, LAYERS = 8, 50, 5, 64, 2


def write_answers(path: str) -> None:
    """In PyTorch's environment: state dict, inputs and outputs of every module."""
    import torch

    torch.manual_seed(1)
    found = {"version": torch.__version__}
    for kind, name in MODULES.items():
        options = {"nonlinearity": kind.partition("_")[2]} if name == "RNN" else {}
        for bias in (True, False):
            for dtype in TOLERANCE:
                module = getattr(torch.nn, name)(
                    N_IN, HIDDEN, LAYERS, bias=bias, batch_first=True,
                    dtype=getattr(torch, dtype), **options,
                )  # fmt: skip
                x = torch.randn(TRIALS, STEPS, N_IN, dtype=getattr(torch, dtype))
                key = f"{kind}/{bias}/{dtype}"
                with torch.no_grad():
                    found |= {f"{key}/x": x.numpy(), f"{key}/y": module(x)[0].numpy()}
                found |= {f"{key}/state/{k}": v.numpy() for k, v in module.state_dict().items()}
    np.savez(path, **found)


def compare(answers) -> bool:
    """Print a line for each module; whether all agree."""
    import neurodyn as nd

    print(f"PyTorch {answers['version']}")
    agree = True
    for key in sorted({name.rpartition("/")[0] for name in answers if name.endswith("/y")}):
        kind, bias, dtype = key.split("/")
        begin = f"{key}/state/"
        state = {k.removeprefix(begin): answers[k] for k in answers if k.startswith(begin)}
        net = nd.interop.from_torch(state, kind)
        run = nd.simulate(
            net, nd.Euler(dt=1 * nd.second), STEPS * nd.second, trials=TRIALS, dtype=dtype,
            inputs={"input.x": answers[f"{key}/x"]}, record=[f"l{LAYERS - 1}.output"],
        )  # fmt: skip
        off = np.abs(run[f"l{LAYERS - 1}.output"].values - answers[f"{key}/y"]).max()
        back = nd.interop.to_torch_state(net, dtype=dtype)
        same = list(back) == list(state) and all(np.array_equal(back[k], state[k]) for k in state)
        passed = off <= TOLERANCE[dtype] and same
        agree &= bool(passed)
        print(f"{kind:9} bias={bias:6} {dtype}: {off:.1e}, state dict {'same' if same else 'OTHER'}"
              f"  {'PASS' if passed else 'FAIL'}")  # fmt: skip
    return agree


def main() -> int:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import peers

    interpreter = peers.python("torch")
    if interpreter is None:
        print("PyTorch is not installed: make bench-peers")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.npz"
        subprocess.run(
            [interpreter, __file__, str(path)], check=True, env=peers.environment("torch")
        )
        with np.load(path) as answers:
            return 0 if compare(dict(answers)) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_answers(sys.argv[1])
    else:
        sys.exit(main())
