"""Running a network on trials of a task, sampled at the ends of steps as targets are."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import neurodyn as nd
from neurodyn.learning import MeanSquaredError, TrialBatch, bptt, run_trials


@pytest.fixture(scope="module")
def net():
    """With an output that the input reaches directly, within the step."""
    rng = np.random.default_rng(0)
    return nd.Network(
        {"E": nd.Population(4, "dx/dt = (tanh(I) - x)/tau : 1\nI = I_rec + s : 1", tau=0.1),
         "out": nd.Population(2, "y = I + u : 1")},
        [nd.Coupling("E.x", "E.I_rec", rng.normal(size=(4, 4))),
         nd.Coupling("E.x", "out.I", rng.normal(size=(2, 4)))],
    )  # fmt: skip


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    inputs = {"stimulus": rng.normal(size=(3, 7, 4)), "out.u": rng.normal(size=(3, 7, 2))}
    return TrialBatch(inputs, {"choice": np.zeros((3, 7, 2))}, dt=0.01)


CONNECT = {"stimulus": "E.s", "choice": "out.y"}


def test_samples_are_those_of_training(net, batch):
    run = run_trials(net, batch, connect=CONNECT)
    inputs = batch.connected(CONNECT).inputs
    found = bptt(net, nd.Euler(0.01), batch.duration, MeanSquaredError("out.y", 0.0),
                 trainable=["E.tau"], trials=3, inputs=inputs)  # fmt: skip
    assert_array_equal(run["out.y"].values, found.recorded["out.y"])
    np.testing.assert_allclose(run["time"], 0.01 * np.arange(1, 8), rtol=1e-12)


def test_initial_states_records_and_samples_can_be_chosen(net, batch):
    start = np.arange(12.0).reshape(3, 4)
    batch = TrialBatch(batch.inputs, batch.targets, dt=0.01, initial={"E.x": start})
    run = run_trials(net, batch, connect=CONNECT, record=["E.x"], every=0.07)
    assert list(run.data_vars) == ["E.x"] and run.sizes["time"] == 1
    x = start
    W = net.value("E.x->E.I_rec").to_dense()
    for s in batch.inputs["stimulus"].swapaxes(0, 1):
        x = x + 0.1 * (np.tanh(x @ W.T + s) - x)
    np.testing.assert_allclose(run["E.x"].values[:, 0], x, rtol=1e-12)


def test_bad_input(net, batch):
    with pytest.raises(ValueError, match="`connect`: the task has no input or target `stimulis`"):
        run_trials(net, batch, connect={"stimulis": "E.s"})
    with pytest.raises(ValueError, match="`solver` has dt = 0.02 s, but .* of 0.01 s"):
        run_trials(net, batch, connect=CONNECT, solver=nd.Euler(0.02))
    with pytest.raises(ValueError, match=r"with 7 steps, as the batch has; got shape \(6, 2\)"):
        nd.plot.trial(batch, output={"choice": np.zeros((3, 6, 2))})
