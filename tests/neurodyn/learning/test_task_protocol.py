"""Batches of trials: what is checked, and the losses made of them."""

import numpy as np
import pytest

import neurodyn as nd
from neurodyn.learning import CrossEntropy, MeanSquaredError, Task, TrialBatch


def batch(**changes):
    rng = np.random.default_rng(0)
    given = {
        "inputs": {"stimulus": rng.normal(size=(3, 5, 2))},
        "targets": {"out": rng.normal(size=(3, 5, 1))},
        "dt": 10 * nd.ms,
    }
    return TrialBatch(**{**given, **changes})


def test_a_batch_knows_its_size_and_duration():
    found = batch()
    assert (found.n_trials, found.n_steps, found.dt) == (3, 5, 0.01)
    assert found.duration == pytest.approx(0.05)


@pytest.mark.parametrize("mask", [None, np.arange(5), np.arange(15).reshape(3, 5) > 4])
def test_the_loss_is_the_masked_error_of_numbers(mask):
    one = batch(mask=mask)
    y = np.random.default_rng(1).normal(size=(3, 5, 1))
    value, _ = one.loss()({"out": y})
    weights = np.ones((3, 5)) if mask is None else np.broadcast_to(mask, (3, 5)).astype(float)
    squares = (y - one.targets["out"])[..., 0] ** 2
    assert value == pytest.approx((weights * squares).sum() / weights.sum(), rel=1e-13)


def test_classes_make_a_cross_entropy_and_losses_add_up():
    classes = np.random.default_rng(2).integers(0, 3, (3, 5))
    one = batch(targets={"out": batch().targets["out"], "choice": classes})
    recorded = {
        "out": np.zeros((3, 5, 1)),
        "choice": np.random.default_rng(3).normal(size=(3, 5, 3)),
    }
    parts = MeanSquaredError("out", one.targets["out"]) + CrossEntropy("choice", classes)
    assert one.loss()(recorded)[0] == pytest.approx(parts(recorded)[0], rel=1e-14)


def test_names_of_the_task_become_names_of_the_network():
    one = batch(mask=np.arange(5)).connected({"stimulus": "E.I_ext", "out": "out.y"})
    assert list(one.inputs) == ["E.I_ext"]
    assert list(one.targets) == list(one.mask) == ["out.y"]


def test_anything_with_a_batch_is_a_task():
    class Mine:
        def batch(self, rng, trials):
            return batch()

    assert isinstance(Mine(), Task)
    assert not isinstance(object(), Task)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"targets": {"out": np.zeros((3, 4, 1))}}, r"`targets\['out'\]` has \(trial, time\) = \(3, 4\), but `inputs\['stimulus'\]` has \(3, 5\)"),
        ({"targets": {"out": np.zeros((3, 5))}}, r"must be numbers \(trial, time, unit\)"),
        ({"inputs": {"stimulus": np.zeros((3, 5))}}, r"must have the shape \(trial, time, unit\); got \(3, 5\)"),
        ({"inputs": {"stimulus": np.full((3, 5, 1), np.nan)}}, "stimulus"),
        ({"mask": np.zeros(5)}, "`mask` hides everything"),
        ({"mask": np.ones(4)}, r"`mask` must have the shape \(time,\).*got \(4,\)"),
        ({"mask": -np.ones(5)}, "`mask` must not be negative; got -1"),
        ({"mask": {"ot": np.ones(5)}}, "no target; did you mean `out`?"),
        ({"initial": {"E.x": np.full(6, np.nan)}}, r"`initial\['E.x'\]` must be finite"),
        ({"inputs": {"stimulus": np.zeros((0, 5, 1))}, "targets": {}}, r"is empty: \(trial, time\) = \(0, 5\)"),
        ({"dt": 0.0}, "`dt` must be a positive time"),
        ({"inputs": {}, "targets": {}}, "needs `inputs` or `targets`"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        batch(**changes)


def test_an_unknown_name_to_connect_is_refused_with_a_suggestion():
    with pytest.raises(ValueError, match=r"`connect`: .*`stimulos`; did you mean `stimulus`\?"):
        batch().connected({"stimulos": "E.I"})
