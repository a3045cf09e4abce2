"""Figures of contraction hold the distances and the bound."""

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose

from neurodyn import plot

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    matplotlib.pyplot.close("all")


def test_distances_are_relative_and_the_bound_begins_with_them():
    time = np.array([0.5, 1.0, 1.5])
    ax = plot.contraction_distance(
        time, [[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]], rate=2.0, labels=["a", "b"]
    )
    assert_allclose(ax.lines[0].get_ydata(), [1, 0.5, np.nan])
    assert_allclose(ax.lines[1].get_ydata(), [1, 0.8, 0.6])
    assert_allclose(ax.lines[2].get_ydata(), np.exp([0, -1, -2]))
    assert ax.get_yscale() == "log"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b", "bound"]


def test_one_curve_and_a_name():
    ax = plot.contraction_distance([0.0, 1.0], [3.0, 1.5], labels="pair")
    assert_allclose(ax.lines[0].get_ydata(), [1, 0.5])
    assert len(ax.lines) == 1 and ax.get_legend().get_texts()[0].get_text() == "pair"


def test_refuses_distances_without_a_beginning():
    with pytest.raises(ValueError, match="`distance` must be positive at the first time"):
        plot.contraction_distance([0.0, 1.0], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"for 2 times; got shape \(3,\)"):
        plot.contraction_distance([0.0, 1.0], [1.0, 1.0, 1.0])
