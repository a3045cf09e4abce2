"""Which gains are best: the objective, its optimum in closed form, and ways to get there.

With stimulus probabilities p, the second moment of the drive ``C = F diag(p) F^T`` and o for the
element-wise product, the objective is quadratic in the gains,

    L(g; p) = sum_k p_k [ |F_k - D R_k|^2 + alpha |R_k|^2 ] + gamma |g - 1|^2
            = g^T Q g - 2 b^T g + constant,
    Q = [(D B)^T (D B) + alpha B^T B] o C + gamma I,      b = diag((D B)^T C) + gamma 1,

so that its minimum is at ``g* = Q^-1 b``. The last term anchors the gains. It is an addition of
ours: without it and with the decoder ``D = I - W``, fidelity and activity both grow with the
probability of a stimulus, and what is left of the adaptation has the wrong sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurodyn.circuits._covariances import check_covariance

from .model import check_ensemble, check_penalties

if TYPE_CHECKING:
    from .model import Ring

__all__ = [
    "closest_gains",
    "covariance_gains",
    "descend",
    "gradient",
    "minimise",
    "objective",
    "optimal_gains",
    "quadratic_form",
]


def quadratic_form(
    population: Ring, p: np.ndarray, *, alpha: float = 1.0, gamma: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Q (N, N) and b (N,) of the objective.

    Parameters
    ----------
    population : Ring
    p : ndarray (S,)
        Stimulus probabilities.
    alpha, gamma : float
        Penalty on activity, and strength of the anchor; neither negative.
    """
    check_penalties(alpha, gamma)
    p = check_ensemble(p, len(population.stimulus))
    B, DB = population.propagator, population.decoder @ population.propagator
    C = (population.drive * p) @ population.drive.T
    Q = (DB.T @ DB + alpha * B.T @ B) * C
    Q[np.diag_indices_from(Q)] += gamma
    return Q, np.sum(DB * C, axis=0) + gamma  # diag(DB^T C)_j = sum_i DB_ij C_ij


def optimal_gains(
    population: Ring, p: np.ndarray, *, alpha: float = 1.0, gamma: float = 1.0
) -> np.ndarray:
    """The gains (N,) that minimise the objective, ``Q^-1 b``.

    Parameters
    ----------
    population, p, alpha, gamma
        As in `quadratic_form`.

    Raises
    ------
    ValueError
        If Q is not positive definite, so that many gains are equally good. With ``gamma > 0`` it
        always is.
    """
    from scipy.linalg import cho_factor, cho_solve

    Q, b = quadratic_form(population, p, alpha=alpha, gamma=gamma)
    if gamma == 0:
        try:
            check_covariance(Q, "Q", definite=True)
        except ValueError as error:
            raise ValueError(
                f"the optimal gains are not unique: {error}. Choose `gamma` > 0, or "
                "stimuli that drive every neuron"
            ) from None
    return cho_solve(cho_factor(Q), b)


def objective(
    population: Ring, g: np.ndarray, p: np.ndarray, *, alpha: float = 1.0, gamma: float = 1.0
) -> float:
    """L(g; p) from its definition: errors and responses, stimulus by stimulus."""
    return _objective_and_gradient(population, g, p, alpha, gamma)[0]


def gradient(
    population: Ring, g: np.ndarray, p: np.ndarray, *, alpha: float = 1.0, gamma: float = 1.0
) -> np.ndarray:
    """dL/dg (N,), the mean over stimuli of ``2 f o B^T (D^T e + alpha r) + 2 gamma (g - 1)``.

    Here ``e = D r - f``: what a neuron needs is its own drive, and an error that the recurrent
    connections bring back to it.
    """
    return _objective_and_gradient(population, g, p, alpha, gamma)[1]


def _objective_and_gradient(
    population: Ring, g: np.ndarray, p: np.ndarray, alpha: float, gamma: float
) -> tuple[float, np.ndarray]:
    check_penalties(alpha, gamma)
    p, F, D = check_ensemble(p, len(population.stimulus)), population.drive, population.decoder
    R = population.responses(g)
    error = D @ R - F
    cost = np.sum(p * (error**2 + alpha * R**2)) + gamma * np.sum((g - 1) ** 2)
    back = population.propagator.T @ (D.T @ error + alpha * R)
    return float(cost), 2 * (F * back) @ p + 2 * gamma * (np.asarray(g) - 1)


def minimise(
    population: Ring, p: np.ndarray, *, alpha: float = 1.0, gamma: float = 1.0
) -> np.ndarray:
    """The optimal gains (N,) without the closed form: L-BFGS on the definition, from g = 1.

    Raises
    ------
    ArithmeticError
        If the minimiser stops before the gradient is small.
    """
    from scipy.optimize import minimize

    found = minimize(
        lambda g: _objective_and_gradient(population, g, p, alpha, gamma),
        np.ones(population.n_neurons),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 1e-9, "ftol": 0.0, "maxiter": 10_000},
    )
    slope = np.abs(found.jac).max()
    # ftol = 0 goes on until rounding of L stops the line search; what counts is the gradient
    if not slope < 1e-5 * max(1.0, found.fun):
        raise ArithmeticError(
            f"L-BFGS stopped where the largest slope is still {slope:.3g} "
            f"({found.message}); a larger `gamma` makes the problem easier"
        )
    return found.x


def descend(
    population: Ring,
    p: np.ndarray,
    g: np.ndarray | float = 1.0,
    *,
    eta: float | None = None,
    steps: int = 5000,
    alpha: float = 1.0,
    gamma: float = 1.0,
) -> np.ndarray:
    """Gains (steps + 1, N) along gradient descent, ``g <- g - 2 eta (Q g - b)``.

    Parameters
    ----------
    population, p, alpha, gamma
        As in `quadratic_form`.
    g : ndarray (N,) or float
        Gains to begin with.
    eta : float, optional
        Learning rate, below 1/(largest eigenvalue of Q). Default half of that.
    steps : int
    """
    Q, b = quadratic_form(population, p, alpha=alpha, gamma=gamma)
    limit = 1 / np.linalg.eigvalsh(Q)[-1]
    eta = limit / 2 if eta is None else eta
    if not 0 < eta < limit:
        raise ValueError(
            f"`eta` must be between 0 and 1/(largest eigenvalue of Q) = {limit:.4g}, "
            f"or the gains run away; got {eta!r}"
        )
    if steps < 1:
        raise ValueError(f"`steps` must be 1 at least; got {steps}")
    course = np.empty((steps + 1, population.n_neurons))
    course[0] = population.check_gains(g)
    for t in range(steps):
        course[t + 1] = course[t] - 2 * eta * (Q @ course[t] - b)
    return course


# ------------------------------------------------------------------- what no gains can do


def covariance_gains(
    population: Ring, C: np.ndarray, target: np.ndarray | None = None, *, tolerance: float = 1e-6
) -> np.ndarray:
    """Gains (N,) that give the responses exactly the covariance `target`, if there are any.

    The responses' covariance is ``B diag(g) C diag(g) B^T``. Its diagonal fixes the N gains, and
    then the correlations are as they are: N gains are too few for N (N + 1)/2 covariances, in
    contrast to the interneurons of `neurodyn.circuits.adaptive_whitening`.

    Parameters
    ----------
    population : Ring
    C : ndarray (N, N)
        Covariance of the drive, positive definite.
    target : ndarray (N, N), optional
        Positive definite. Default the identity: white responses.
    tolerance : float
        How far a correlation may be off.

    Raises
    ------
    ValueError
        If `C` or `target` is no positive definite matrix, or no gains do it.
    """
    N = population.n_neurons
    target = np.eye(N) if target is None else target
    for name, matrix in {"C": C, "target": target}.items():
        if np.shape(matrix) != (N, N):
            raise ValueError(
                f"`{name}` must be ({N}, {N}), as there are {N} neurons; got shape "
                f"{np.shape(matrix)}"
            )
        check_covariance(matrix, name, definite=True)
    undone = np.eye(N) - population.weights
    wanted = undone @ target @ undone.T  # diag(g) C diag(g)
    g = np.sqrt(np.diag(wanted) / np.diag(C))
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    miss = np.abs(g[:, None] * C * g - wanted) / scale
    if miss.max() > tolerance:
        raise ValueError(
            f"no {N} gains give that covariance exactly: the gains that give the variances leave "
            f"correlations of the driven input off by up to {miss.max():.3g}. {N} gains can set "
            f"{N} of the {N * (N + 1) // 2} entries; K = N (N + 1)/2 interneurons set them all "
            "(neurodyn.circuits.adaptive_whitening), and `closest_gains` comes as near as it gets"
        )
    return g


def closest_gains(
    population: Ring, C: np.ndarray, target: np.ndarray, g: np.ndarray | float = 1.0
) -> np.ndarray:
    """Gains (N,) whose responses come nearest to the covariance `target`, in the Frobenius norm.

    Parameters
    ----------
    population : Ring
    C, target : ndarray (N, N)
        Covariance of the drive, and the wanted one of the responses, both positive semidefinite.
    g : ndarray (N,) or float
        Gains at which the search begins; the problem is not convex, so that the answer is the
        nearest *local* minimum.
    """
    from scipy.optimize import minimize

    C, target = check_covariance(C), check_covariance(target, "target")
    B, size = population.propagator, np.sum(target**2)

    def distance(g: np.ndarray) -> tuple[float, np.ndarray]:
        miss = B @ (g[:, None] * C * g) @ B.T - target
        return np.sum(miss**2) / size, 4 * (((B.T @ miss @ B) * C) @ g) / size

    found = minimize(
        distance,
        population.check_gains(g),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 1e-10, "ftol": 1e-15, "maxiter": 10_000},
    )
    if not np.abs(found.jac).max() < 1e-6:
        raise ArithmeticError(f"L-BFGS stopped early: {found.message}")
    return found.x
