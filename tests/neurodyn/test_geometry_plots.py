"""Figures of autocorrelations, memory, dimensions, similarity and forgetting."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from neurodyn import analyses, plot


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def numbers(ax):
    return {tuple(int(p) for p in text.get_position()): text.get_text() for text in ax.texts}


def test_an_autocorrelation_and_its_fits():
    x = np.random.default_rng(0).standard_normal((5, 400, 3)).cumsum(axis=1)
    x = x[:, 20:] - x[:, :-20]  # a triangle of 20 steps
    curve = analyses.autocorrelation(x, 1e-3, mean=0.0, max_lag=0.1)
    fit = analyses.autocorrelation_timescale(curve, max_lag=0.05, exclude_zero=True, rng=0)
    ax = plot.autocorrelation(curve, fit)
    data = next(line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_allclose(data.get_xdata(), 1e3 * curve.lag)
    np.testing.assert_allclose(data.get_ydata(), curve.average())
    inside, outside = ax.lines[-2:]
    assert (inside.get_xdata()[[0, -1]] == pytest.approx([1, 50]))
    np.testing.assert_allclose(inside.get_ydata(), fit.predict(inside.get_xdata() / 1e3))
    assert outside.get_linestyle() == "--" and outside.get_xdata()[-1] == pytest.approx(100)
    label = f"exponential: {1e3 * fit.timescale:.3g} ± {1e3 * fit.standard_error:.2g} ms"
    assert texts(ax) == ["80 % of units", "mean of 3 units", f"{label} (without lag 0)"]
    assert ax.get_xlabel() == "lag (ms)"
    alone = plot.autocorrelation(fit)
    np.testing.assert_allclose(alone.lines[1].get_ydata(), fit.value)
    one = plot.autocorrelation(curve, unit=2)
    np.testing.assert_allclose(one.lines[1].get_ydata(), curve.value[2])
    with pytest.raises(TypeError, match="`curve` must be what analyses.autocorrelation"):
        plot.autocorrelation(np.ones(4))


def test_memory_and_the_exact_answer():
    u = np.random.default_rng(0).standard_normal(500)
    states = np.stack([np.roll(u, k) for k in range(3)], axis=1)
    found = analyses.memory_capacity(states, u, max_delay=5, transient=3, rng=1)
    ax = plot.memory_function(found, exact=[1, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), found.memory)
    assert texts(ax) == ["exact, 3", f"capacity {found.total:.3g} of 3 units"]
    assert plot.memory_function([1.0, 0.5]).lines[-1].get_linestyle() == "-"
    with pytest.raises(ValueError, match=r"`found` must be \(delay,\); got shape \(2, 2\)"):
        plot.memory_function(np.eye(2))


def test_variance_of_components():
    ax = plot.cumulative_variance([1.0, 6.0, 3.0])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0, 0.6, 0.9, 1])
    assert texts(ax) == ["90 %: 2 components", "participation ratio 2.17"]  # 100/46
    found = analyses.dimensionality(np.random.default_rng(0).standard_normal((100, 5)))
    ax = plot.cumulative_variance(found, share=0.5)
    assert texts(ax)[1] == f"participation ratio {found.participation_ratio:.3g}"
    assert texts(ax)[0].startswith(f"50 %: {found.n_components(0.5)} comp")
    few = analyses.dimensionality(np.random.default_rng(0).standard_normal((2, 9)))
    assert len(texts(plot.cumulative_variance(few))) == 1  # no ratio to draw
    with pytest.raises(ValueError, match="`share` must be"):
        plot.cumulative_variance([1.0], share=0)
    with pytest.raises(ValueError, match="`found` must be variances"):
        plot.cumulative_variance(np.eye(2))


def test_a_matrix_of_similarities():
    matrix = np.array([[1.0, 0.25], [0.25, 1.0], [0.5, 0.75]])
    ax = plot.similarity(matrix, [["a", "b", "c"], ["x", "y"]], "CKA", vmin=0, vmax=1)
    assert numbers(ax)[1, 0] == "0.25" and numbers(ax)[0, 2] == "0.50"
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y"]
    assert ax.figure.axes[-1].get_ylabel() == "CKA"
    assert not plot.similarity(np.eye(40)).texts
    with pytest.raises(ValueError, match="`labels` must be one a row and column"):
        plot.similarity(matrix, ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"`matrix` must be \(row, column\)"):
        plot.similarity([1.0])


def test_alignments_of_what_both_have():
    rng = np.random.default_rng(0)
    W, H, H1 = rng.standard_normal((4, 4)), rng.standard_normal((9, 4)), rng.standard_normal((9, 4))
    rich = analyses.learning_regime(W, 2 * W, representations=(H, H1), kernels=(np.eye(3),) * 2)
    lazy = analyses.learning_regime(W, 1.1 * W, representations=(H, H))
    ax = plot.alignments({"rich": rich, "lazy": lazy})
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(
        heights, [rich.representation_alignment, rich.sign_similarity, 1, 1])
    assert texts(ax) == ["rich: weights changed by 100 %", "lazy: weights changed by 10 %"]
    alone = plot.alignments(rich)
    assert len(alone.patches) == 3 and texts(alone) == ["weights changed by 100 %"]
    with pytest.raises(ValueError, match="no alignment to draw: give learning_regime"):
        plot.alignments(analyses.learning_regime(W, W))
    with pytest.raises(TypeError, match="`regimes` must be"):
        plot.alignments(0.5)


def test_forgetting():
    R = np.array([[0.9, 0.5], [0.7, 0.8]])
    found = analyses.forgetting_metrics(R)
    ax = plot.forgetting(found, labels=["A", "B"])
    assert numbers(ax) == {(0, 0): "0.90", (1, 0): "0.50", (0, 1): "0.70", (1, 1): "0.80"}
    assert ax.get_title() == "ACC 0.750, BWT -0.200" and len(ax.patches) == 2
    assert [t.get_text() for t in ax.get_xticklabels()] == ["A", "B"]
    assert ax.images[0].get_clim() == (0, 1)
    lost = plot.forgetting(found, "forgetting")
    assert numbers(lost) == {(0, 1): "0.20"}
    seeds = plot.forgetting(analyses.forgetting_metrics([R, R - 0.1]))
    assert numbers(seeds)[0, 0] == "0.85" and seeds.get_title() == "ACC 0.700, BWT -0.200"
    with pytest.raises(ValueError, match="`what` must be"):
        plot.forgetting(found, "loss")
    with pytest.raises(TypeError, match="`found` must be what analyses.forgetting_metrics"):
        plot.forgetting(R)


def test_figures_are_composed_on_given_axes():
    figure, axes = plt.subplots(1, 2)
    assert plot.similarity(np.eye(2), ax=axes[0]) is axes[0]
    assert plot.cumulative_variance([2.0, 1.0], ax=axes[1]) is axes[1]
    figure.canvas.draw()
