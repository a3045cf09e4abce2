"""The circuit and the gain rule: dynamics, steady state, objective, optimum, adaptation.

Symbols are the paper's. With ``A = leak I + W diag(g) W^T`` the primary responses settle at
``y = M x``, ``M = A^-1``; the input has covariance `C`, the response ``C_yy = M C M``, and
interneuron i sees the variance ``v_i = w_i^T C_yy w_i``. Everything below broadcasts over leading
axes: `W` (..., N, K), `g` (..., K), `C` (..., N, N).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neurodyn.circuits._covariances import check_covariance

from . import frames

if TYPE_CHECKING:
    import neurodyn as nd

__all__ = ["Adaptation", "adapt_offline", "adapt_online", "frobenius_error", "gain_hessian",
           "gain_target", "interneuron_variance", "network", "objective", "operator_error",
           "optimal_gains", "psd_sqrt", "response_covariance", "response_matrix",
           "spectral_error", "steps_until"]


# ------------------------------------------------------------------------------- the circuit

def network(W: np.ndarray | None = None, *, g: float | np.ndarray = 0.0, tau_y: float = 10e-3,
            tau_g: float = 50.0, leak: float = 1.0, non_negative: bool = False) -> nd.Network:
    """The whitening circuit: fast primary neurons, interneurons with slow gains, fixed weights.

    ::

        tau_y dy/dt = x - W n - leak y          primary neurons, x is the open input `primary.x`
        z = W^T y,  n = g z                     interneurons
        tau_g dg/dt = z^2 - |w_i|^2             their gains, the only thing that adapts

    Parameters
    ----------
    W : ndarray (N, K), optional
        Frame; the same weights carry ``primary -> interneuron`` and, subtracted, the way back.
        Default the 2-D equiangular one, `frames.mercedes`.
    g : float or ndarray (K,)
        Initial gains.
    tau_y, tau_g : float, s
        Time constants. An input held for T >> `tau_y` moves the gains as one step of the online
        rule with learning rate ``eta = T / tau_g``.
    leak : float
        The paper's alpha.
    non_negative : bool
        Keep the gains at or above zero, see Notes.

    Returns
    -------
    Network
        Populations `primary` (N units: y) and `interneuron` (K units: g, z, n).

    Notes
    -----
    **Non-negative gains** follow the projected dynamics: a gain at zero may only rise,

        tau_g dg/dt = z^2 - target         where g > 0
                    = relu(z^2 - target)   where g <= 0,      n = relu(g) z.

    Averaged over inputs, a gain rests where ``g > 0 and v = target``, or ``g = 0 and v <= target``:
    the Karush-Kuhn-Tucker conditions of minimising F subject to g >= 0, that is the fixed points of
    the paper's ``g <- max(g + eta (v - target), 0)``. A solver's step may carry g below zero by at
    most ``dt / tau_g * target``; the relu in the output hides that, so that the circuit never
    amplifies: every eigenvalue of M stays at or below 1 / leak.

    Rejected: a latent ``g = relu(h)`` with ``dh/dt = z^2 - target`` has no fixed point (h of a
    silent interneuron falls for ever, and must climb back after a switch of context);
    ``dg/dt = relu(g + z^2 - target) - g`` has the right fixed points for constant z^2, but not on
    average over samples, relu being convex; ``dg/dt = g (z^2 - target)`` cannot leave g = 0.
    """
    import neurodyn as nd

    W = frames.mercedes() if W is None else check_frame(W)
    N, K = W.shape
    feedback = _feedback(W)
    rule, output = "(z**2 - target)/tau_g", "g*z"
    if non_negative:
        rule = "(int(g > 0)*(z**2 - target) + int(g <= 0)*relu(z**2 - target))/tau_g"
        output = "relu(g)*z"
    return nd.Network(
        {"primary": nd.Population(N, "dy/dt = (x - feedback - leak*y)/tau_y : 1",
                                  tau_y=tau_y, leak=leak),
         "interneuron": nd.Population(K, f"dg/dt = {rule} : 1\nn = {output} : 1",
                                      tau_g=tau_g, target=gain_target(W), g=g)},
        [nd.Coupling("primary.y", "interneuron.z", nd.weights.Transpose(feedback)),
         nd.Coupling("interneuron.n", "primary.feedback", feedback)])


def _feedback(W: np.ndarray) -> nd.weights.Weights:
    """Local frames are mostly zeros; as a sparse matrix they run twice as fast."""
    import neurodyn as nd

    if np.count_nonzero(W) > W.size / 8:
        return nd.weights.Dense(W)
    from scipy.sparse import csr_array

    return nd.weights.Sparse(csr_array(W))


def check_frame(W: np.ndarray) -> np.ndarray:
    """`W` as a float (N, K) array, or a ValueError that says what is wrong with it."""
    W = np.asarray(W, float)
    if W.ndim != 2:
        raise ValueError(
            f"`W` must be a frame (primary neurons, interneurons); got shape {W.shape}.")
    if not np.all(np.isfinite(W)):
        raise ValueError("`W` holds NaN or infinity; every weight must be finite.")
    return W


# ---------------------------------------------------------------------------- steady state

def response_matrix(W: np.ndarray, g: np.ndarray, leak: float = 1.0) -> np.ndarray:
    """``M = (leak I + W diag(g) W^T)^-1`` (..., N, N): the steady response is ``y = M x``."""
    A = (W * np.asarray(g)[..., None, :]) @ np.swapaxes(W, -1, -2)
    index = np.arange(W.shape[-2])
    A[..., index, index] += leak
    return np.linalg.inv(A)


def response_covariance(W: np.ndarray, g: np.ndarray, C: np.ndarray,
                        leak: float = 1.0) -> np.ndarray:
    """``C_yy = M C M`` (..., N, N), the covariance of the steady responses (M is symmetric)."""
    M = response_matrix(W, g, leak)
    return M @ C @ M


def interneuron_variance(W: np.ndarray, C_yy: np.ndarray) -> np.ndarray:
    """``v_i = w_i^T C_yy w_i`` (..., K)."""
    return np.sum(W * (C_yy @ W), axis=-2)


def gain_target(W: np.ndarray) -> np.ndarray:
    """The variance each gain holds its interneuron to: ``|w_i|^2`` (..., K), 1 for unit columns."""
    return np.sum(np.square(W), axis=-2)


def psd_sqrt(C: np.ndarray) -> np.ndarray:
    """Symmetric positive semidefinite square root (..., N, N).

    Not the Cholesky factor: the circuit's ``leak I + W diag(g) W^T`` is symmetric, so only the
    symmetric root can be reached.
    """
    value, vector = np.linalg.eigh(C)
    root = np.sqrt(np.maximum(value, 0))
    return (vector * root[..., None, :]) @ np.swapaxes(vector, -1, -2)


def optimal_gains(W: np.ndarray, C: np.ndarray, leak: float = 1.0) -> np.ndarray:
    """Gains (..., K) that whiten `C`, in closed form: ``Gram2^-1 diag(W^T (C^1/2 - leak I) W)``.

    ``Gram2 = (W^T W) o (W^T W)``, element-wise square. They solve
    ``leak I + W diag(g) W^T = C^1/2`` in the least-squares (Frobenius) sense: exactly when the
    ``w_i w_i^T`` span the symmetric matrices, or whenever ``C^1/2 - leak I`` lies in their span.
    Gram2 is singular for K > N (N + 1) / 2; the gains of least norm are returned then. Raises
    ValueError if `C` is no covariance: not symmetric, or with a negative eigenvalue.
    """
    W, C = np.asarray(W, float), check_covariance(C)
    N, K = W.shape[-2:]
    gap = psd_sqrt(C) - leak * np.eye(N)
    right = interneuron_variance(W, gap)
    gram2 = np.square(np.swapaxes(W, -1, -2) @ W)
    if K > N * (N + 1) // 2:
        return (np.linalg.pinv(gram2, hermitian=True) @ right[..., None])[..., 0]
    return np.linalg.solve(gram2, right[..., None])[..., 0]


def objective(W: np.ndarray, g: np.ndarray, C: np.ndarray, leak: float = 1.0) -> np.ndarray:
    """``F(g) = Tr(M(g) C) + sum_i g_i |w_i|^2`` (...,); the gain rule is gradient descent on it.

    Convex where ``leak I + W diag(g) W^T`` is positive definite, with gradient ``-(v - |w|^2)``.
    """
    M = response_matrix(W, g, leak)
    return np.trace(M @ C, axis1=-2, axis2=-1) + np.sum(g * gain_target(W), axis=-1)


def gain_hessian(W: np.ndarray, g: np.ndarray, C: np.ndarray, leak: float = 1.0) -> np.ndarray:
    """Second derivative of `objective` (..., K, K): ``2 (W^T M W) o (W^T C_yy W)``.

    Gradient descent is stable at an optimum if and only if ``eta < 2 / lambda_max``; its slowest
    direction relaxes as ``(1 - eta lambda_min)^t``: the theory behind the speed of a frame.
    """
    M = response_matrix(W, g, leak)
    W_T = np.swapaxes(W, -1, -2)
    return 2 * (W_T @ M @ W) * (W_T @ (M @ C @ M) @ W)


# ------------------------------------------------------------------------------- the errors

def _spectrum(C_yy: np.ndarray, one_sided: bool) -> np.ndarray:
    """Deviations of the eigenvalues from 1; only the excess where `one_sided`."""
    deviation = np.linalg.eigvalsh(C_yy) - 1
    return np.maximum(deviation, 0) if one_sided else deviation


def operator_error(C_yy: np.ndarray, one_sided: bool = False) -> np.ndarray:
    """Operator norm of ``C_yy - I`` (...,): ``max |lambda_i - 1|``.

    `one_sided` gives ``max lambda_i - 1`` instead, which the authors' figures label with the norm's
    symbol; it can be negative, and small for responses that are far too weak.
    """
    deviation = np.linalg.eigvalsh(C_yy) - 1
    return deviation[..., -1] if one_sided else np.max(np.abs(deviation), axis=-1)


def frobenius_error(C_yy: np.ndarray) -> np.ndarray:
    """``|C_yy - I|_F^2 / N^2`` (...,), the authors' "Frobenius" error."""
    N = C_yy.shape[-1]
    return np.sum(np.square(C_yy - np.eye(N)), axis=(-2, -1)) / N**2


def spectral_error(C_yy: np.ndarray, one_sided: bool = False) -> np.ndarray:
    """``mean_i (lambda_i - 1)^2`` (...,); with non-negative gains `one_sided`, only the excess."""
    return np.mean(np.square(_spectrum(C_yy, one_sided)), axis=-1)


def steps_until(step: np.ndarray, error: np.ndarray, threshold: float) -> np.ndarray:
    """First of `step` (T,) at which `error` (..., T) is below `threshold`; inf if never."""
    below = np.asarray(error) < threshold
    first = np.asarray(step, float)[np.argmax(below, axis=-1)]
    return np.where(below.any(axis=-1), first, np.inf)


# ---------------------------------------------------------------------------- adaptation

class Adaptation(NamedTuple):
    """The course of one adaptation; entry t holds the state *before* the update of that step."""

    step: np.ndarray            # (T,) gain updates made so far
    gains: np.ndarray           # (T, ..., K)
    variance: np.ndarray        # (T, ..., K), interneuron variance under the true C
    C_yy: np.ndarray            # (T, ..., N, N), response covariance under the true C
    final: np.ndarray           # (..., K), gains after the last update: continue from these


#: Steps between two looks at whether the circuit still has a steady state.
CHECK = 100


def _check_run(eta: float, steps: int, every: int) -> None:
    if not eta > 0:
        raise ValueError(f"`eta` must be positive; got {eta}.")
    if steps < 1 or every < 1:
        raise ValueError(f"`steps` and `every` must be at least 1; got {steps} and {every}.")


def _check_stable(W: np.ndarray, g: np.ndarray, leak: float, eta: float, step: int) -> None:
    """The steady state exists only while ``leak I + W diag(g) W^T`` is positive definite."""
    A = leak * np.eye(W.shape[-2]) + (W * g[..., None, :]) @ np.swapaxes(W, -1, -2)
    if not np.all(np.isfinite(A)) or np.linalg.eigvalsh(A)[..., 0].min() <= 0:
        raise ArithmeticError(
            f"the circuit has no steady state at step {step}: leak I + W diag(g) W^T is not "
            f"positive definite. `eta` = {eta} is too large for this input, or `g` starts too "
            f"low; stability needs eta < 2 / (largest eigenvalue of `gain_hessian`).")


def adapt_offline(W: np.ndarray, C: np.ndarray, g: np.ndarray | float = 0.0, *, eta: float,
                  steps: int, leak: float = 1.0, non_negative: bool = False,
                  every: int = 1) -> Adaptation:
    """Gain rule with known covariance: ``g <- g + eta (w_i^T C_yy w_i - |w_i|^2)``.

    Parameters
    ----------
    W : ndarray (..., N, K)
        Frame(s).
    C : ndarray (..., N, N)
        Covariance of the input.
    g : ndarray (..., K) or float
        Gains to start from; pass ``previous.final`` to continue in a new context.
    eta : float
        Learning rate.
    steps, every : int
        Number of updates; record the state before every `every`-th of them.
    leak : float
        The paper's alpha.
    non_negative : bool
        Project onto ``g >= 0`` after each update.

    Raises
    ------
    ArithmeticError
        If the circuit has no stable steady state any more.
    """
    _check_run(eta, steps, every)
    W, C = np.asarray(W, float), np.asarray(C, float)
    batch = np.broadcast_shapes(W.shape[:-2], C.shape[:-2], np.shape(g)[:-1])
    g = np.array(np.broadcast_to(g, (*batch, W.shape[-1])), float)
    target = gain_target(W)
    steps_kept, gains, variances, covariances = [], [], [], []
    for t in range(steps):
        C_yy = response_covariance(W, g, C, leak)
        v = interneuron_variance(W, C_yy)
        if t % CHECK == 0:
            _check_stable(W, g, leak, eta, t)
        if t % every == 0:
            steps_kept.append(t)
            gains.append(g)
            variances.append(v)
            covariances.append(C_yy)
        g = g + eta * (v - target)
        if non_negative:
            np.maximum(g, 0, out=g)
    _check_stable(W, g, leak, eta, steps)
    return Adaptation(np.array(steps_kept), np.array(gains), np.array(variances),
                      np.array(covariances), g)


def adapt_online(W: np.ndarray, C: np.ndarray, g: np.ndarray | float = 0.0, *, eta: float,
                 steps: int, rngs: list[np.random.Generator], batch: int = 1, leak: float = 1.0,
                 non_negative: bool = False, every: int = 1) -> Adaptation:
    """Gain rule from samples: ``g <- g + eta mean_batch(z_i^2 - |w_i|^2)``, a run per Generator.

    Each sample ``x = L xi`` (L the Cholesky factor of `C`) is held until the primary neurons have
    settled, so ``y = M x`` and ``z = W^T y``. The gains move much more slowly than that.

    Parameters
    ----------
    W, C, g, eta, steps, leak, non_negative, every
        As in `adapt_offline`; one frame and covariance, or one for each run.
    rngs : list of Generator, length R
        One stream for each run, so a run does not depend on how many others there are.
    batch : int
        Samples averaged in one update.

    Returns
    -------
    Adaptation
        With an axis R for the runs.
    """
    _check_run(eta, steps, every)
    W, C = np.asarray(W, float), np.asarray(C, float)
    N, K = W.shape[-2:]
    R, L = len(rngs), np.linalg.cholesky(C)
    g = np.array(np.broadcast_to(g, (R, K)), float)
    target = gain_target(W)
    steps_kept, gains, variances, covariances = [], [], [], []
    block = 1000
    for t in range(steps):
        if t % block == 0:
            n = min(block, steps - t)
            xi = np.stack([r.standard_normal((n, batch, N)) for r in rngs], axis=1)
            x = xi @ np.swapaxes(L, -1, -2)                      # (n, R, batch, N)
        M = response_matrix(W, g, leak)
        if t % CHECK == 0:
            _check_stable(W, g, leak, eta, t)
        if t % every == 0:
            C_yy = M @ C @ M
            steps_kept.append(t)
            gains.append(g)
            variances.append(interneuron_variance(W, C_yy))
            covariances.append(C_yy)
        z = x[t % block] @ M @ W                                 # rows: y^T = x^T M, z^T = y^T W
        g = g + eta * (np.mean(np.square(z), axis=-2) - target)
        if non_negative:
            np.maximum(g, 0, out=g)
    _check_stable(W, g, leak, eta, steps)
    return Adaptation(np.array(steps_kept), np.array(gains), np.array(variances),
                      np.array(covariances), g)
