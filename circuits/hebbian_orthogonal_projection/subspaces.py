"""Lateral neurons alone: what they learn, what new ones add, and what projection protects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.circuits._sheet import labelled

from . import model

if TYPE_CHECKING:
    import xarray as xr

    import neurodyn as nd

__all__ = ["principal_subspace"]

N = 30
N_ROWS = 5
BATCH = 64
N_BATCHES = 400
#: Variances of the leading directions, and of all others.
LEADING, REST = (5.0, 4.0, 3.0, 2.5, 2.0), 0.1
#: Of the first two old directions while the next five are learned.
OLD_LEFT = 3.0
RATE, REPEATS = 0.01, 5


def principal_subspace(*, size: Literal["fast", "full"] = "fast", rng: int = 0,
                       seeds: int | None = None) -> xr.Dataset:
    """Lateral neurons learn the five leading directions of Gaussian activity, then the next five.

    In batches, as in continual learning; and in the compiled network `lateral_network`, pattern by
    pattern, with as small a learning rate that all patterns of a batch move the weights as far.

    Parameters
    ----------
    size : {"fast", "full"}
        3 or 20 seeds.
    rng : int
        Of the first seed.
    seeds : int, optional
        Instead of the number that goes with `size`.

    Returns
    -------
    xarray.Dataset
        Error of the subspace, ``|P_H - P|_F/sqrt(2 n_rows)`` for orthogonal projections, and
        ``max |H H' - 1|`` by batch; principal angles; of the second stage the same, and the
        response of a protected update to old activity.
    """
    import xarray as xr

    from neurodyn._arrays import checked_count

    n_seeds = {"fast": 3, "full": 20}[size] if seeds is None else checked_count(seeds, "seeds")
    found = [_one_seed(np.random.SeedSequence(rng + k)) for k in range(n_seeds)]
    online = _online(rng, n_seeds)

    def stacked(name: str) -> np.ndarray:
        return np.array([one[name] for one in found])

    return xr.Dataset({
        "error": labelled(("seed", "batch"), stacked("error"), "error of the subspace"),
        "online_error": labelled(("seed", "batch"), online, "the same, pattern by pattern"),
        "orthonormality": labelled(("seed", "batch"), stacked("orthonormality"), "max |H H' - 1|"),
        "angle": labelled(("seed", "row"), np.degrees(stacked("angle")),
                          "principal angles to the leading directions", "degree"),
        "pca_angle": labelled(("seed", "row"), np.degrees(stacked("pca_angle")),
                              "principal angles to the principal components of all patterns",
                              "degree"),
        "second_error": labelled(("seed", "batch"), stacked("second_error"),
                                 "error of the new rows"),
        "joint_error": labelled("seed", stacked("joint_error"), "error of old and new rows"),
        "overlap": labelled("seed", stacked("overlap"), "max |H_new H_old'|"),
        "old_change": labelled("seed", stacked("old_change"), "largest change of a frozen row"),
        "interference": labelled("seed", stacked("interference"),
                                 "response of a projected update to old activity, over that of one "
                                 "that is not projected"),
    }, {"seed": rng + np.arange(n_seeds), "batch": np.arange(1, N_BATCHES + 1),
        "row": np.arange(1, N_ROWS + 1)})


def _one_seed(seed: np.random.SeedSequence) -> dict[str, np.ndarray]:
    import neurodyn as nd
    from neurodyn import analyses

    of_basis, of_rows, first, second, of_update = (np.random.default_rng(s) for s in seed.spawn(5))
    basis = np.linalg.qr(of_basis.standard_normal((N, N)))[0]
    old_axes, new_axes = basis[:, :N_ROWS], basis[:, N_ROWS : 2 * N_ROWS]
    start = nd.learning.HebbianSubspace(N, learning_rate=RATE, repeats=REPEATS)
    old, error, orthonormality, patterns = _learned(
        start.with_rows(N_ROWS, of_rows), _variances(first_stage=True), basis, first, old_axes)
    C = sum(X.T @ X for X in patterns)
    components = np.linalg.eigh(C)[1][:, : -N_ROWS - 1 : -1]
    frozen = old.frozen()
    variances = _variances(first_stage=False)
    both, second_error, _, _ = _learned(
        frozen.with_rows(N_ROWS, of_rows), variances, basis, second, new_axes)
    H_old, H_new = both.rows[:N_ROWS], both.rows[N_ROWS:]
    # an update of weights from new activity: errors are random
    X = of_update.standard_normal((BATCH, N)) * np.sqrt(variances) @ basis.T
    delta = of_update.standard_normal((BATCH, 20))
    x_old = old_axes @ np.sqrt(LEADING * of_update.standard_normal((1000, N_ROWS)) ** 2).T
    changed = [np.linalg.norm(delta.T @ x @ x_old) for x in (frozen.projected(X), X)]
    return {
        "error": error, "orthonormality": orthonormality,
        "angle": np.sort(analyses.principal_angles(old.rows.T, old_axes)),
        "pca_angle": np.sort(analyses.principal_angles(old.rows.T, components)),
        "second_error": second_error,
        "joint_error": subspace_error(both.rows, basis[:, : 2 * N_ROWS]),
        "overlap": np.abs(H_new @ H_old.T).max(),
        "old_change": np.abs(H_old - frozen.rows).max(),
        "interference": changed[0] / changed[1],
    }


def _variances(first_stage: bool) -> np.ndarray:
    """Variance along each axis of the basis."""
    variances = np.full(N, REST)
    if first_stage:
        variances[:N_ROWS] = LEADING
    else:
        variances[:2], variances[N_ROWS : 2 * N_ROWS] = OLD_LEFT, LEADING
    return variances


def _learned(subspace: nd.learning.HebbianSubspace, variances, basis, random, axes) -> tuple:
    """The rows after all batches; the error and orthonormality of new ones after each."""
    error, orthonormality, patterns = np.empty(N_BATCHES), np.empty(N_BATCHES), []
    for k in range(N_BATCHES):
        X = random.standard_normal((BATCH, N)) * np.sqrt(variances) @ basis.T
        subspace = subspace.learned(X)
        patterns.append(X)
        rows = subspace.rows[subspace.n_frozen :]
        error[k] = subspace_error(rows, axes)
        orthonormality[k] = np.abs(rows @ rows.T - np.eye(N_ROWS)).max()
    return subspace, error, orthonormality, patterns


def subspace_error(rows: np.ndarray, axes: np.ndarray) -> float:
    """``|P_H - P|_F/sqrt(2 k)`` of the projections onto rows (k, n) and orthonormal axes (n, k).

    The root of the mean square of the sines of the principal angles: 0 if the subspaces are the
    same, 1 if they are orthogonal.
    """
    from neurodyn import analyses

    return float(np.sqrt((np.sin(analyses.principal_angles(rows.T, axes)) ** 2).mean()))


def _online(rng: int, n_seeds: int) -> np.ndarray:
    """Error (seed, batch) of the network that learns from one pattern after the other."""
    import neurodyn as nd

    of_basis, of_rows, *seeds = (
        np.random.default_rng(s) for s in np.random.SeedSequence(rng).spawn(2 + n_seeds))
    basis = np.linalg.qr(of_basis.standard_normal((N, N)))[0]
    first = nd.learning.HebbianSubspace(N).with_rows(N_ROWS, of_rows).rows
    net = model.lateral_network(first, RATE * REPEATS / BATCH)
    n_patterns = BATCH * N_BATCHES
    deviations = np.sqrt(_variances(first_stage=True))
    patterns = np.array([s.standard_normal((n_patterns, N)) * deviations @ basis.T for s in seeds])
    label = net.coupling_labels[0]
    # sample k is taken at the begin of step k BATCH; one more batch's begin is the end of the last
    ds = nd.simulate(net, nd.Euler(dt=1.0), n_patterns, trials=n_seeds, record=[f"{label}.w"],
                     inputs={"units.u": patterns}, every=float(BATCH))
    w = ds[f"{label}.w"].values.reshape(n_seeds, N_BATCHES, N_ROWS, N)
    last = ds[f"{label}.w.final"].values[:, None]
    w = np.concatenate([w[:, 1:], last], axis=1)
    return np.array([[subspace_error(rows, basis[:, :N_ROWS]) for rows in trial] for trial in w])
