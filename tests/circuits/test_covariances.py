"""Covariances that circuits are given."""

import numpy as np
import pytest

from neurodyn.circuits._covariances import check_covariance
from neurodyn.circuits.adaptive_whitening import frames, model


def test_covariances_pass_unchanged():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 3, 4))
    singular = A @ np.swapaxes(A, -1, -2)
    singular[0, :, 0] = singular[0, 0, :] = 0.0  # rank 2
    assert np.array_equal(check_covariance(singular), singular)
    assert np.array_equal(check_covariance(singular[1], definite=True), singular[1])


@pytest.mark.parametrize(
    "C, definite, message",
    [
        (np.ones((2, 3)), False, r"`C` must be square.*got shape \(2, 3\)"),
        ([[1, np.nan], [np.nan, 1]], False, "`C` holds NaN or infinity"),
        (
            [[1, 0.5], [0.4, 1]],
            False,
            "must be symmetric; it differs from its transpose by up to 0.1",
        ),
        ([[1, 2], [2, 1]], False, "must be positive semidefinite; its smallest eigenvalue is -1"),
        ([[1, 1], [1, 1]], True, "must be positive definite; its smallest eigenvalue is"),
        ([np.eye(2), [[1, 3], [3, 1]]], False, "its smallest eigenvalue is -2"),
        (np.zeros((2, 2)), True, "must be positive definite"),
    ],
)
def test_what_is_no_covariance_is_refused(C, definite, message):
    with pytest.raises(ValueError, match=message):
        check_covariance(C, definite=definite)


def test_whitening_refuses_what_is_no_covariance():
    with pytest.raises(ValueError, match="`C` must be positive semidefinite"):
        model.optimal_gains(frames.mercedes(), [[1, 2], [2, 1]])
