"""Theories beside simulations, as numbers and as figures."""

import matplotlib
import matplotlib.pyplot
import numpy as np
import pytest
from numpy.testing import assert_allclose

from neurodyn import plot
from neurodyn.analyses import (
    compare_with_theory,
    dynamic_mean_field,
    effective_flow,
    gaussian_ensemble,
    lowrank_fixed_points,
)

matplotlib.use("Agg")


def test_numbers():
    """By hand: means 2 and 5, standard deviations sqrt(2) and 0, so errors 1 and 0."""
    found = compare_with_theory([1, 2], [1.5, 4.9], [[1, 5], [3, 5]], allowance=0.2)
    assert_allclose(found.simulated, [2, 5])
    assert_allclose(found.standard_error, [1, 0])
    assert_allclose(found.difference, [0.5, 0.1])
    assert_allclose(found.z, [0.3, 0])
    assert found.agrees and found.n_repetitions == 2
    assert not compare_with_theory([1], [0], [[5.0], [5.1]]).agrees
    assert not compare_with_theory([1], [0], [[5.0], [5.0]]).agrees  # apart, and without scatter


def test_agrees_as_often_as_it_should():
    """For data from the theory z is of unit variance; 4 standard errors are rarely passed."""
    rng = np.random.default_rng(0)
    z = compare_with_theory(np.arange(2000), np.zeros(2000), rng.normal(size=(40, 2000))).z
    assert abs(z.std() - 1) < 5 * np.sqrt(1 / (2 * 2000)) + 0.03  # t of 39 degrees: 2.6 % more


@pytest.mark.parametrize("arguments, message", [
    (([1, 2], [1], [[1, 2], [1, 2]]), r"`x` and `predicted` must be \(point,\)"),
    (([1, 2], [1, 2], [[1, 2]]), "at least 2 repetitions, without which there is no standard"),
    (([1, 2], [1, 2], [1, 2]), r"`simulated` must be \(repetition, 2\)"),
])
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        compare_with_theory(*arguments)
    with pytest.raises(ValueError, match="`allowance` must be 0 or more"):
        compare_with_theory([1], [1], [[1], [2]], allowance=-1)


def test_draws_points_over_the_line():
    found = compare_with_theory([2, 1], [4.0, 1.0], [[4, 1.2], [4.2, 1.0]], allowance=0.1,
                                x_name="gain", y_name="rate")
    ax = plot.theory_comparison(found)
    line, points = ax.lines[0], ax.containers[0].lines[0]
    assert_allclose(line.get_xydata(), [[1, 1], [2, 4]])  # in order of x
    assert_allclose(points.get_xydata(), [[2, 4.1], [1, 1.1]])
    bars = ax.containers[0].lines[2][0].get_segments()
    assert_allclose(np.ptp(bars[0][:, 1]), 4 * found.standard_error[0])
    assert ax.get_xlabel() == "gain" and ax.get_ylabel() == "rate"
    fine = plot.theory_comparison(found, curve=([1, 1.5, 2], [1, 2, 4]))
    assert_allclose(fine.lines[0].get_ydata(), [1, 2, 4])
    matplotlib.pyplot.close("all")


def test_draws_autocovariances():
    theory = dynamic_mean_field(2.0)
    lag = np.array([0.0, 5.0, 10.0])
    rows = theory.autocovariance(lag) + np.array([[-0.1], [0.1]])
    ax = plot.autocovariance_theory(theory, lag, rows)
    assert_allclose(ax.containers[0].lines[0].get_ydata(), theory.autocovariance(lag))
    assert_allclose(ax.lines[0].get_ydata()[0], theory.variance)
    assert_allclose(plot.autocovariance_theory(theory, lag, rows[0]).get_xlim()[0], 0)
    with pytest.raises(ValueError, match=r"`simulated` must be \(network, 3\)"):
        plot.autocovariance_theory(theory, lag, rows.T)
    matplotlib.pyplot.close("all")


def test_draws_the_latent_plane():
    ensemble = gaussian_ensemble([2.0, 1.5])
    found = lowrank_fixed_points(ensemble)
    path = np.linspace([1.5, 0.5], [1.3, 0], 5)
    ax = plot.latent_plane(effective_flow(ensemble), found, path)
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    assert_allclose(drawn["simulated"], path)
    assert_allclose(drawn["stable in theory"], found.kappa[found.is_stable])
    assert len(drawn["unstable in theory"]) == 3
    assert ax.get_xlim()[1] == pytest.approx(1.15 * 1.5)
    with pytest.raises(ValueError, match="`flow` must have 2 states for a plane; it has 1"):
        plot.latent_plane(effective_flow(gaussian_ensemble(2.0)))
    with pytest.raises(ValueError, match=r"`trajectories` must be \(trajectory, time, 2\)"):
        plot.latent_plane(effective_flow(ensemble), trajectories=np.zeros((3, 4)))
    matplotlib.pyplot.close("all")
