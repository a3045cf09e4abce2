"""Weights that were trained elsewhere: their source, and the answers that came with them."""

from importlib.resources import files

import numpy as np

import neurodyn as nd


def test_flip_flop_rnn_answers_as_pytorch_did():
    with np.load(files("neurodyn.data") / "flip_flop_rnn.npz") as file:
        stored = dict(file)
    about = str(stored.pop("about"))
    assert "doi:10." in about and "PyTorch 2.13.0" in about and "seed 1" in about
    x, expected = stored.pop("test/pulses"), stored.pop("test/outputs")
    net = nd.interop.from_torch(stored, readout="readout")
    trials, steps, _ = x.shape
    ds = nd.simulate(
        net, nd.Euler(dt=1 * nd.second), steps * nd.second, trials=trials,
        inputs={"input.x": x}, record=["readout.y"],
    )  # fmt: skip
    np.testing.assert_allclose(ds["readout.y"], expected, atol=3e-6)  # its float32
    # pulses, the last of which the output is to hold
    last = np.maximum.accumulate(np.where(x != 0, np.arange(steps)[:, None], 0), axis=1)
    assert np.abs(expected - np.take_along_axis(x, last, axis=1)).max() < 0.2
