"""The ring network, its stimulus ensembles and steady responses, and its dynamics as networks.

Orientations are in degrees and have period 180, so that -90 and 90 are one stimulus and one
preferred orientation. With the weights W, ``B = (I - W)^-1`` carries what drives the neurons to
their steady responses: ``r(s) = B (g o f(s))``, where o is the element-wise product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import neurodyn as nd

__all__ = [
    "Ring",
    "adapting_network",
    "biased_ensemble",
    "check_ensemble",
    "network",
    "ring",
    "tau",
    "uniform_ensemble",
]

#: Membrane time constant, s. Only the ratio of other times to it matters.
tau = 10e-3


@dataclass(frozen=True, eq=False)
class Ring:
    """A recurrent population tuned to orientation, with everything in it that stays fixed.

    Attributes
    ----------
    preferred : ndarray (N,), deg
        Preferred orientations.
    stimulus : ndarray (S,), deg
        Orientations that are shown.
    drive : ndarray (N, S)
        Feedforward drive F of each neuron by each stimulus.
    weights : ndarray (N, N)
        Recurrent weights W, ``[post, pre]``.
    decoder : ndarray (N, N)
        D, by which the drive is read from the responses; the same in every context.
    """

    preferred: np.ndarray
    stimulus: np.ndarray
    drive: np.ndarray
    weights: np.ndarray
    decoder: np.ndarray

    @property
    def n_neurons(self) -> int:
        return len(self.preferred)

    @cached_property
    def propagator(self) -> np.ndarray:
        """``B = (I - W)^-1`` (N, N)."""
        return np.linalg.inv(np.eye(self.n_neurons) - self.weights)

    @cached_property
    def spectral_radius(self) -> float:
        """Largest modulus of an eigenvalue of W."""
        return float(np.abs(np.linalg.eigvals(self.weights)).max())

    def responses(self, g: np.ndarray | float) -> np.ndarray:
        """Steady responses ``R = B diag(g) F`` (N, S)."""
        return self.propagator @ (self.check_gains(g)[:, None] * self.drive)

    def check_gains(self, g: np.ndarray | float) -> np.ndarray:
        """Gains (N,) as floats, or a ValueError: there is one to each neuron."""
        g = np.asarray(g, float)
        if g.shape not in ((), (self.n_neurons,)):
            raise ValueError(
                f"`g` must be one gain for each of the {self.n_neurons} neurons; got "
                f"shape {g.shape}"
            )
        if not np.all(np.isfinite(g)):
            raise ValueError("`g` holds NaN or infinity; every gain must be finite")
        return np.broadcast_to(g, self.n_neurons)

    def neuron_at(self, orientation: float) -> int:
        """The neuron whose preferred orientation is nearest."""
        return int(np.argmin(np.abs(wrapped(self.preferred - orientation))))


def wrapped(angle: np.ndarray | float) -> np.ndarray:
    """Orientation differences, deg, brought to (-90, 90]."""
    return 90 - np.mod(90 - np.asarray(angle, float), 180)


def ring(
    N: int = 60,
    S: int = 180,
    *,
    kf: float = 4.0,
    kw: float = 4.0,
    rho: float = 0.95,
    inh: float = 0.5,
    decoder: Literal["inverse", "ridge"] = "inverse",
    ridge: float = 1e-3,
) -> Ring:
    """The population: von Mises drive, local excitation, and inhibition that is equal everywhere.

    ::

        F_ik = exp(kf (cos 2(theta_i - s_k) - 1))
        W_ij = rho (K_ij - inh / N),    K_ij ~ exp(kw (cos 2(theta_i - theta_j) - 1)), rows sum to 1

    Parameters
    ----------
    N : int
        Neurons, an even number, so that one prefers the adapter at 0 deg.
    S : int
        Stimuli, an odd multiple of 20: see `biased_ensemble`.
    kf, kw : float
        Concentration of the drive and of the excitation; 0 is untuned.
    rho, inh : float
        Strength of recurrence, and inhibition relative to excitation.
    decoder : {"inverse", "ridge"}
        ``I - W``, which reads the drive without error where all gains are 1; or the ridge
        regression of the drive on the responses at unit gains, with all stimuli alike.
    ridge : float
        Ridge parameter, relative to the mean square of a response.

    Returns
    -------
    Ring

    Raises
    ------
    ValueError
        If a parameter is outside its domain, or recurrence is so strong that the network has no
        steady state.
    """
    if N < 4 or N % 2:
        raise ValueError(f"`N` must be an even number, 4 at least; got {N}")
    _check_stimuli(S)
    for name, value in {"kf": kf, "kw": kw, "rho": rho, "inh": inh, "ridge": ridge}.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"`{name}` must be finite and not negative; got {value!r}")
    preferred, stimulus = -90 + 180 / N * np.arange(N), -90 + 180 / S * np.arange(S)
    excitation = _von_mises(preferred[:, None] - preferred, kw)
    excitation /= excitation.sum(axis=1, keepdims=True)
    weights = rho * (excitation - inh / N)
    radius = np.abs(np.linalg.eigvalsh(weights)).max()
    if not radius < 1:
        raise ValueError(
            f"the network has no steady state: the spectral radius of W is {radius:.4g}, and must "
            f"be below 1. Choose a smaller `rho` than {rho!r} (`inh` is {inh!r})"
        )
    drive = _von_mises(preferred[:, None] - stimulus, kf)
    return Ring(preferred, stimulus, drive, weights, _decoder(decoder, drive, weights, ridge))


def _von_mises(difference: np.ndarray, concentration: float) -> np.ndarray:
    return np.exp(concentration * (np.cos(2 * np.deg2rad(difference)) - 1))


def _decoder(kind: str, drive: np.ndarray, weights: np.ndarray, ridge: float) -> np.ndarray:
    inverse = np.eye(len(weights)) - weights
    if kind == "inverse":
        return inverse
    if kind != "ridge":
        raise ValueError(f'`decoder` must be "inverse" or "ridge"; got {kind!r}')
    R, n_stimuli = np.linalg.solve(inverse, drive), drive.shape[1]
    moment = R @ R.T / n_stimuli
    moment[np.diag_indices_from(moment)] += ridge * np.trace(moment) / len(moment)
    try:
        np.linalg.cholesky(moment)
    except np.linalg.LinAlgError:
        raise ValueError(
            "the responses do not determine a decoder: their second moment is not positive "
            f"definite with `ridge` = {ridge!r}; choose a larger one"
        ) from None
    return np.linalg.solve(moment, R @ drive.T / n_stimuli).T


# ------------------------------------------------------------------------ stimulus ensembles

#: Width of the orientation bins of the experiments, deg.
BIN_WIDTH = 9


def _check_stimuli(S: int) -> None:
    """Every bin of 9 deg must hold the same odd number of stimuli, one of them in its middle."""
    if S < 20 or S % 40 != 20:
        raise ValueError(
            f"`S` must be an odd multiple of 20 (20, 60, 100, 140, 180, ...), so that each bin of "
            f"{BIN_WIDTH} deg holds as many stimuli on the left as on the right; got {S}"
        )


def uniform_ensemble(S: int = 180) -> np.ndarray:
    """Probabilities (S,) of stimuli that are all alike."""
    return np.full(S, 1 / S)


def biased_ensemble(
    S: int = 180, *, adapter_probability: float = 0.35, adapter: float = 0.0
) -> np.ndarray:
    """Probabilities (S,) of stimuli among which orientations near the adapter are frequent.

    Orientations fall in 20 bins of 9 deg. With the adapter's probability p, its own bin has 0.5 p,
    each of its neighbours 0.25 p, and the 17 others share 1 - p. No p makes all 20
    alike; with 0.15 the three near the adapter have together what they have if all are.

    Parameters
    ----------
    S : int
        Stimuli, an odd multiple of 20; the first is -90 deg.
    adapter_probability : float
        p, from 0 to 1.
    adapter : float, deg
        A multiple of 180/S, the distance of neighbouring stimuli.
    """
    _check_stimuli(S)
    if not 0 <= adapter_probability <= 1:
        raise ValueError(f"`adapter_probability` must be from 0 to 1; got {adapter_probability!r}")
    shift = adapter * S / 180
    if abs(shift - round(shift)) > 1e-9:
        raise ValueError(
            f"`adapter` must be one of the stimuli, multiples of {180 / S:g} deg; got {adapter!r}"
        )
    n_bins, width = 180 // BIN_WIDTH, S // (180 // BIN_WIDTH)
    weight = np.full(n_bins, (1 - adapter_probability) / (n_bins - 3))
    weight[0] = 0.5 * adapter_probability
    weight[[1, -1]] = 0.25 * adapter_probability
    # the bin of 0 deg begins half its width before 0, which is stimulus S/2
    first = S // 2 - (width - 1) // 2
    return np.roll(np.repeat(weight / width, width), first + round(shift))


def check_ensemble(p: np.ndarray, S: int) -> np.ndarray:
    """Probabilities (S,) as floats, or a ValueError that says what is wrong with them."""
    p = np.asarray(p, float)
    if p.shape != (S,):
        raise ValueError(
            f"`p` must be a probability for each of the {S} stimuli; got shape {p.shape}"
        )
    if not np.all(p >= 0) or not abs(p.sum() - 1) < 1e-9:
        raise ValueError(
            f"`p` must hold probabilities: none negative (the least is {p.min():.3g}) "
            f"and 1 together (the sum is {p.sum():.6g})"
        )
    return p


# --------------------------------------------------------------------------------- dynamics


def network(population: Ring | None = None, *, g: np.ndarray | float = 1.0) -> nd.Network:
    """The population with fixed gains: ``tau dr/dt = -r + g o f + W r``.

    Parameters
    ----------
    population : Ring, optional
        Default ``ring()``.
    g : float or ndarray (N,)
        Gains.

    Returns
    -------
    Network
        One population, `cortex`; the drive f is its open input `cortex.f`.
    """
    import neurodyn as nd

    population = ring() if population is None else population
    cortex = nd.Population(
        population.n_neurons,
        "dr/dt = (-r + g*f + recurrent)/tau : 1",
        tau=tau,
        g=population.check_gains(g),
    )
    return nd.Network(
        {"cortex": cortex},
        [nd.Coupling("cortex.r", "cortex.recurrent", nd.weights.Dense(population.weights))],
    )


def adapting_network(
    population: Ring | None = None,
    *,
    g: np.ndarray | float = 1.0,
    alpha: float = 1.0,
    gamma: float = 1.0,
    tau_g: float = 30.0,
) -> nd.Network:
    """The population with gains that adapt, by a rule that is local given two more signals.

    ::

        tau dr/dt = -r + g o f + W r                      responses
        misfit = D r - f                                  error of the representation
        tau db/dt = -b + W^T b + D^T misfit + alpha r     feedback: at rest B^T (...)
        tau_g dg/dt = -f o b - gamma (g - 1)              gains

    For a stimulus that is held until r and b have settled, -2 tau_g dg/dt is the gradient of the
    objective for that stimulus: the feedback runs through the same recurrent weights, transposed.

    Parameters
    ----------
    population : Ring, optional
        Default ``ring()``.
    g : float or ndarray (N,)
        Gains to begin with.
    alpha, gamma : float
        Penalty on activity, and strength of the anchor of the gains at 1.
    tau_g : float, s
        Time constant of the gains. A stimulus held for T moves them as a step of gradient descent
        with learning rate ``T / (2 tau_g)`` on its own objective.

    Returns
    -------
    Network
        Populations `cortex` (r and g), `error` and `feedback`. The drive is to be given to both
        `cortex.f` and `error.f`.
    """
    import neurodyn as nd

    population = ring() if population is None else population
    check_penalties(alpha, gamma)
    if not tau_g > 0:
        raise ValueError(f"`tau_g` must be positive; got {tau_g!r}")
    N = population.n_neurons
    recurrent, decoder = nd.weights.Dense(population.weights), nd.weights.Dense(population.decoder)
    one = nd.weights.Diagonal(np.ones(N))
    populations = {
        "cortex": nd.Population(
            N,
            """
            dr/dt = (-r + g*f + recurrent)/tau : 1
            dg/dt = -(f*b + gamma*(g - 1))/tau_g : 1
            """,
            tau=tau,
            tau_g=tau_g,
            gamma=gamma,
            g=population.check_gains(g),
        ),
        "error": nd.Population(N, "misfit = decoded - f : 1"),
        "feedback": nd.Population(
            N, "db/dt = (-b + recurrent + error + alpha*r)/tau : 1", tau=tau, alpha=alpha
        ),
    }
    return nd.Network(
        populations,
        [
            nd.Coupling("cortex.r", "cortex.recurrent", recurrent),
            nd.Coupling("cortex.r", "error.decoded", decoder),
            nd.Coupling("error.misfit", "feedback.error", nd.weights.Transpose(decoder)),
            nd.Coupling("cortex.r", "feedback.r", one),
            nd.Coupling("feedback.b", "feedback.recurrent", nd.weights.Transpose(recurrent)),
            nd.Coupling("feedback.b", "cortex.b", one),
        ],
    )


def check_penalties(alpha: float, gamma: float) -> None:
    for name, value in {"alpha": alpha, "gamma": gamma}.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"`{name}` must be finite and not negative; got {value!r}")
