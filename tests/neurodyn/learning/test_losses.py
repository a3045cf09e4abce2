"""Losses against their definitions, and their cotangents against differences."""

import numpy as np
import pytest
from scipy.special import log_softmax

from neurodyn.learning import CrossEntropy, MeanSquaredError

RNG = np.random.default_rng(0)
Y = RNG.normal(size=(3, 4, 5))
TARGET = RNG.normal(size=(3, 4, 5))
CLASSES = RNG.integers(0, 5, size=(3, 4))


def check_cotangents(loss):
    value, cotangents = loss({"o.y": Y})
    direction, h = RNG.normal(size=Y.shape), 1e-6
    slope = (loss({"o.y": Y + h * direction})[0] - loss({"o.y": Y - h * direction})[0]) / (2 * h)
    assert (cotangents["o.y"] * direction).sum() == pytest.approx(slope, rel=1e-7)
    return value


@pytest.mark.parametrize("mask", [None, [0, 0, 1, 0.5], RNG.random((3, 4)) > 0.5,
                                  RNG.random((3, 4, 5))])  # fmt: skip
def test_mean_squared_error(mask):
    weights = np.ones_like(Y) if mask is None else np.asarray(mask, dtype=float)
    weights = weights[:, None] if weights.ndim == 1 else weights
    weights = np.broadcast_to(weights[..., None] if weights.ndim == 2 and mask is not None
                              and np.ndim(mask) == 2 else weights, Y.shape)  # fmt: skip
    wanted = np.average((Y - TARGET) ** 2, weights=weights)
    assert check_cotangents(MeanSquaredError("o.y", TARGET, mask)) == pytest.approx(wanted)


@pytest.mark.parametrize("mask", [None, [0, 0, 1, 0.5], RNG.random((3, 4))])
def test_cross_entropy(mask):
    weights = np.broadcast_to(1.0 if mask is None else mask, (3, 4))
    terms = -np.take_along_axis(log_softmax(Y, axis=2), CLASSES[..., None], axis=2)[..., 0]
    wanted = np.average(terms, weights=weights)
    assert check_cotangents(CrossEntropy("o.y", CLASSES, mask)) == pytest.approx(wanted)


def test_large_logits_do_not_overflow():
    value, cotangents = CrossEntropy("o.y", [[0]])({"o.y": np.array([[[1000.0, 0.0]]])})
    assert value == 0 and np.all(cotangents["o.y"] == 0)


def test_sums_of_losses():
    one, two = MeanSquaredError("o.y", TARGET), CrossEntropy("o.y", CLASSES)
    both = one + 0.1 * two
    assert both.record == ("o.y",)
    wanted = one({"o.y": Y})[0] + 0.1 * two({"o.y": Y})[0]
    assert check_cotangents(both) == pytest.approx(wanted)


def test_python_adds_up_lists_of_losses_and_functions():
    first, second = MeanSquaredError("o.y", TARGET), CrossEntropy("o.y", CLASSES)
    wanted = (first + second)({"o.y": Y})
    for found in (sum([first, second]), (lambda recorded: first(recorded)) + second):
        value, cotangents = found({"o.y": Y})
        assert value == wanted[0]
        np.testing.assert_array_equal(cotangents["o.y"], wanted[1]["o.y"])
    assert sum([first, second]).record == ("o.y",)


def test_single_precision_stays_single():
    recorded = {"o.y": Y.astype(np.float32)}
    for loss in (MeanSquaredError("o.y", TARGET), MeanSquaredError("o.y", 0.0, [0, 1, 1, 0]),
                 CrossEntropy("o.y", CLASSES), CrossEntropy("o.y", CLASSES, [0, 1, 1, 0])):  # fmt: skip
        assert loss(recorded)[1]["o.y"].dtype == np.float32


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: MeanSquaredError("o.y", TARGET, []),
            r"a weight for each sample; got shape \(0,\)",
        ),
        (lambda: MeanSquaredError("o.y", np.zeros((3, 5, 5))), r"`target` has shape \(3, 5, 5\)"),
        (lambda: MeanSquaredError("o.y", 0.0, [0, 0, 0, 0]), "`mask` must be weights"),
        (lambda: MeanSquaredError("o.y", 0.0, [1, -1, 0, 0]), "`mask` must be weights"),
        (lambda: MeanSquaredError("o.y", 0.0, [1, 1]), r"`mask` has shape \(2,\)"),
        (lambda: MeanSquaredError("o.y", np.nan), "`target` must be finite"),
        (lambda: CrossEntropy("o.y", [[0.5]]), "`target` must be classes"),
        (lambda: CrossEntropy("o.y", [[5]]), "has 5 units: classes are 0 to 4"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()({"o.y": Y})
