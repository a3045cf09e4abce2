"""Figures of trials: what stands where."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from neurodyn import plot, tasks
from neurodyn.learning import TrialBatch


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def bands(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def heights(ax):
    """Heights of the lines, in the order in which they are drawn."""
    return [patch.get_data().values for patch in ax.patches]


def test_a_trial_has_a_band_for_each_input_and_target():
    task = tasks.DelayedCue(2, delay=0.1)
    batch = task.batch(0, 3)
    ax = plot.trial(batch, 2)
    cue = batch.info["cue"][2]
    assert bands(ax) == ["cue\n0 to 1", "go\n0 to 1", f"choice\nclass {cue}"]
    assert ax.get_xlabel() == "time (ms)" and ax.get_xlim() == (0, 180)
    lines = heights(ax)
    assert len(lines) == 2 + 1 + 1
    for line, values in zip(lines, [*batch.inputs["cue"][2].T, batch.inputs["go"][2, :, 0]]):
        assert np.corrcoef(line, values)[0, 1] == pytest.approx(1) if values.any() else np.ptp(line) == 0
        np.testing.assert_allclose(np.ptp(line), 0.8 * 0.9 if values.any() else 0)
    assert 2 < lines[0].min() and lines[0].max() < 3 and 0 < lines[3].min() and lines[3].max() < 1
    (grey,) = ax.collections  # all before the response
    assert grey.get_paths()[0].get_extents().intervalx == pytest.approx([0, 130])


def test_many_units_are_an_image_and_outputs_are_dashed():
    task = tasks.RingMemory(16)
    batch = task.batch(0, 2)
    output = {"memory": batch.targets["memory"][1] + 0.5}
    ax = plot.trial(batch, 1, output=output)
    assert bands(ax)[0].endswith(", 16 units")
    image = ax.collections[0]
    np.testing.assert_allclose(image.get_array().reshape(16, -1), batch.inputs["stimulus"][1].T)
    dashed = [patch for patch in ax.patches if patch.get_linestyle() in ("--", "dashed")]
    assert len(dashed) == 2
    target = [p for p in ax.patches if p not in dashed][-2:]
    lift = dashed[0].get_data().values - target[0].get_data().values
    np.testing.assert_allclose(lift, lift[0])
    assert lift[0] > 0


def test_outputs_of_classes_are_the_most_active_unit():
    batch = tasks.NParity(2, length=6, every_step=True).batch(0, 4)
    right = np.eye(2)[batch.targets["parity_2"]]
    ax = plot.trial(batch, 3, output={"parity_2": right})
    _, target, output = heights(ax)
    np.testing.assert_array_equal(target, output)


def test_long_trials_are_in_seconds_and_a_mask_may_be_of_times_only():
    batch = TrialBatch({}, {"y": np.ones((2, 5, 1))}, dt=1.0, mask=[0, 0, 1, 1, 0])
    ax = plot.trial(batch)
    assert ax.get_xlabel() == "time (s)" and bands(ax) == ["y\n1"]
    spans = [c.get_paths()[0].get_extents().intervalx for c in ax.collections]
    np.testing.assert_allclose(spans, [[0, 2], [4, 5]])
    fig, given = plt.subplots()
    assert plot.trial(batch, ax=given) is given


def test_a_trial_that_is_not_there():
    batch = tasks.FlipFlop().batch(0, 2)
    with pytest.raises(ValueError, match="`k` = 2, but the batch has 2 trials"):
        plot.trial(batch, 2)
