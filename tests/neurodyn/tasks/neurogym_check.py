"""What test_neurogym.py runs where neurogym is installed: its tasks, made trials of ours.

Prints a line for every task, and fails at the first that is not as it should be.
"""

from importlib import import_module

import numpy as np

from neurodyn import tasks

#: Tasks of neurogym, the settings they are made with, and their inputs and outputs.
EXPECTED = {
    "PerceptualDecisionMaking-v0": ({"dt": 20}, 3, 3),
    "DelayMatchSample-v0": ({"dt": 20}, 3, 3),
    "ContextDecisionMaking-v0": ({"dt": 50, "use_expl_context": True}, 7, 3),
    "DelayComparison-v0": ({"dt": 50}, None, 3),
}


def made(name, **settings):
    return tasks.NeurogymTask(import_module("neurogym").make(name, **settings))


def check(name, settings, n_inputs, n_outputs):
    task = made(name, **settings)
    batch = task.batch(0, 30)
    if n_inputs is not None:
        assert task.input_sizes == {"observation": n_inputs}, task.input_sizes
    assert task.output_sizes == {"action": n_outputs}, task.output_sizes
    assert task.dt == settings["dt"] / 1000
    again = made(name, **settings).batch(0, 10, first_trial=20)
    n = again.n_steps
    np.testing.assert_array_equal(batch.inputs["observation"][20:, :n], again.inputs["observation"])
    np.testing.assert_array_equal(batch.targets["action"][20:, :n], again.targets["action"])
    right = np.eye(n_outputs)[batch.targets["action"]]
    assert task.evaluate(batch, right) == {"accuracy": 1.0}
    decided = batch.targets["action"][batch.info["scored"]]
    assert set(decided) == {1, 2}, set(decided)
    assert np.isfinite(batch.loss()({"action": right})[0])
    print(name, batch.inputs["observation"].shape, sorted(batch.info))


def check_evidence():
    """The sign of the evidence is that of the choice, as in `tasks.DotMotion`."""
    task = made("PerceptualDecisionMaking-v0", dt=100, cohs=[51.2])
    batch = task.batch(1, 200)
    seen = batch.inputs["observation"][..., 1:].sum(axis=1)
    choice = 1 + seen.argmax(axis=1)
    right = np.array([t[s].max() for t, s in zip(batch.targets["action"], batch.info["scored"])])
    assert (choice == right).mean() > 0.95, (choice == right).mean()


if __name__ == "__main__":
    for name, (settings, n_inputs, n_outputs) in EXPECTED.items():
        check(name, settings, n_inputs, n_outputs)
    check_evidence()
    print("all as they should be, neurogym", import_module("neurogym").__version__)
