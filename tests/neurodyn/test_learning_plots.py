"""The figure of the stability gap holds the numbers of the analysis."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from neurodyn import analyses, plot

# two old tasks: the first falls at both switches, the second not at all at the third
A = np.array([
    [0.2, np.nan, np.nan], [0.9, 0.1, np.nan], [0.3, 0.5, np.nan], [0.85, 0.8, 0.3],
    [0.6, 0.8, 0.5], [0.9, 0.85, 0.7],
])  # fmt: skip
ENDS = [1, 3, 5]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_stability_gap():
    ax = plot.stability_gap(A, ENDS, labels=["one", "two", "three"])
    found = analyses.stability_gap(A, ENDS)
    curves = {line.get_label(): line.get_ydata() for line in ax.lines}
    for k, name in enumerate(["one", "two", "three"]):
        np.testing.assert_array_equal(curves[name], A[:, k])
    dots = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots, [[2, 0.3], [4, 0.6]])
    falls = [np.ptp(line.get_ydata()) for line in ax.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(falls, [found.depth[1, 0], found.depth[2, 0]])
    switches = [line.get_xdata()[0] for line in ax.lines if line.get_color() == "0.8"]
    assert switches == [1.5, 3.5]
    own = plt.figure().add_subplot()
    assert plot.stability_gap(A, ENDS, own) is own
    with pytest.raises(ValueError, match="`labels` must be 3, one a task; got 2"):
        plot.stability_gap(A, ENDS, labels=["one", "two"])
    with pytest.raises(ValueError, match="`task_ends` one evaluation a task"):
        plot.stability_gap(A, [1, 3])
