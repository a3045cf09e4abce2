"""Figures of linear analyses hold the numbers of the records."""

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose

import neurodyn as nd
from neurodyn import analyses, plot

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    matplotlib.pyplot.close("all")


def test_pseudospectrum():
    result = analyses.pseudospectrum(np.diag([-1.0, -2.0]) + np.diag([5.0], 1), n_points=20)
    ax = plot.pseudospectrum(result, levels=[0.1, 0.01, 100])
    dots = ax.lines[-1]
    assert_allclose(sorted(dots.get_xdata()), [-2, -1])
    assert ax.get_xlabel() == "real part (1/s)"
    bar = ax.figure.axes[1]
    assert [t.get_text() for t in bar.get_yticklabels()] == ["0.01", "0.1", "100"]
    result = analyses.pseudospectrum(np.diag([0.1, 0.2]), is_map=True, n_points=20)
    circle = plot.pseudospectrum(result).lines[0]
    assert_allclose(np.hypot(*circle.get_data()), 1)


def test_transient_growth():
    result = analyses.transient_growth([[-1.0, 5.0], [0.0, -1.0]])
    ax = plot.transient_growth(result, color="C3")
    assert_allclose(ax.lines[1].get_ydata(), result.amplification)
    assert_allclose(ax.lines[2].get_data(), [[result.time], [result.maximum]])
    assert ax.get_xlabel() == "time (s)"


def test_power_spectrum_of_few_and_of_many():
    net = nd.rate_network(np.zeros((2, 2)), sigma=0.1)
    result = analyses.power_spectrum(net, [1.0, 2.0])
    ax = plot.power_spectrum(result)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["E.x[0]", "E.x[1]"]
    assert ax.get_xscale() == "log" and ax.get_ylabel() == "power (1/Hz)"
    many = analyses.power_spectrum(-np.eye(20), [0.0, 2.0], noise=1.0)
    ax = plot.power_spectrum(many)
    assert len(ax.lines) == 21 and [t.get_text() for t in ax.get_legend().get_texts()] == ["mean"]
    assert ax.get_xscale() == "linear"
    ax = plot.linear_response(analyses.linear_response(-np.eye(11), [0.0, 1.0]))
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["90 % of 121", "best pattern of inputs"] and len(ax.lines) == 1


def test_linear_response():
    result = analyses.linear_response(nd.rate_network([[0.0]], tau=0.1), [1.0, 10.0])
    ax = plot.linear_response(result)
    assert_allclose(ax.lines[0].get_ydata(), result.gain[:, 0, 0])
    assert ax.get_legend().get_texts()[0].get_text() == "E.I_ext → E.x"
    assert_allclose(plot.linear_response(result, what="phase").lines[0].get_ydata(),
                    result.phase[:, 0, 0])  # fmt: skip
    with pytest.raises(ValueError, match='`what` must be "gain" or "phase"; got \'delay\''):
        plot.linear_response(result, what="delay")
