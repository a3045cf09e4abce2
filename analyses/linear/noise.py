r"""Noise in linear systems: covariance, its decay with lag, and power spectra.

A linear system that white noise drives,

.. math:: dx = J x\, dt + B\, dW,

is Gaussian in its stationary state. The covariance solves Lyapunov's equation ``J C + C J' + B B' =
0``; of states a lag s apart it is ``exp(J s) C``; its Fourier transform is the cross-spectral
matrix. Near a stable fixed point of a network the three hold as long as the noise is weak (the
linear noise approximation; Gardiner 2009, sections 4.5 and 6.2).

Networks bring their own noise, the ``xi`` of their equations; see `neurodyn.Network.diffusion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import real_numbers
from neurodyn.analyses.linear._linearised import Local, local_system
from neurodyn.analyses.linear.linearisation import Linearisation, linearisation
from neurodyn.population import listed
from neurodyn.units import SECOND, UnitError, format_dimension, to_si

if TYPE_CHECKING:
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

_HERTZ = tuple(-power for power in SECOND)
#: Largest residual of Lyapunov's equation, relative to its terms, and largest relative error of its
#: solution, that are trusted.
_TRUSTED = 1e-6
#: Change of a Jacobian by rounding, relative to its norm.
_ROUNDING = 4 * float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class NoiseCovariance:
    """Covariance of a linear system in its stationary state.

    Attributes
    ----------
    covariance : ndarray, (n, n)
    jacobian : ndarray, (n, n)
        Of a flow in 1/s, of a map that of a step.
    diffusion : ndarray, (n, n)
        ``B B'``: of a flow in state squared per s, of a map that of a step.
    residual : float
        Largest entry of what remains of Lyapunov's equation, over its largest term.
    error : float
        By how much the covariance changes, relative to its Frobenius norm, where the Jacobian
        changes by rounding: far from normality much more than the residual says.
    linearisation : Linearisation
        The point, its modes and their stability.
    """

    covariance: np.ndarray
    jacobian: np.ndarray
    diffusion: np.ndarray
    residual: float
    error: float
    linearisation: Linearisation

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of each state, ``(n,)``."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> np.ndarray:
        """Correlation coefficients; NaN for states without noise."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.covariance / np.outer(self.std, self.std)

    @property
    def participation_ratio(self) -> float:
        """``(tr C)**2 / tr(C**2)``: how many dimensions the noise fills."""
        return float(np.trace(self.covariance) ** 2 / np.sum(self.covariance**2))

    def lagged(self, lags: Any) -> np.ndarray:
        """``<x(t + lag) x(t)'>``.

        Parameters
        ----------
        lags : array_like (lag,)
            s; of a map in multiples of its step (steps for a Map). Negative lags transpose.

        Returns
        -------
        ndarray, (lag, n, n)
        """
        lags = checked_axis(lags, "lags")
        found = [self._propagator(abs(lag)) @ self.covariance for lag in lags]
        return np.array([c if lag >= 0 else c.T for c, lag in zip(found, lags, strict=True)])

    def _propagator(self, lag: float) -> np.ndarray:
        from scipy.linalg import expm

        if not self.linearisation.is_map:
            return expm(self.jacobian * lag)
        steps = lag / self.linearisation.dt
        if abs(steps - round(steps)) > 1e-6 * max(1, steps):
            raise ValueError(
                f"`lags` of a map must be whole steps of {self.linearisation.dt:g}; got {lag:g}"
            )
        return np.linalg.matrix_power(self.jacobian, round(steps))


def noise_covariance(
    system: Network | Flow | Map | Any,
    x: Any = None,
    *,
    noise: Any = None,
    inputs: Mapping[str, Any] | None = None,
    solver: Solver | None = None,
    is_map: bool | None = None,
) -> NoiseCovariance:
    """Stationary covariance of a system that noise drives, linear near a stable fixed point.

    Parameters
    ----------
    system : Network, Flow, Map or array_like (n, n)
    x : array_like (n,) or dict, optional
        The fixed point, see `linearise`.
    noise : float, array_like (n,) or (n, m), optional
        The matrix B of ``dx = f dt + B dW``, in state per square root of s, of a map ``x' = f(x) +
        B z`` with independent standard normal z; its diagonal; or one number for all states.
        Default that of the network's equations, taken at `x`.
    inputs, solver, is_map
        As for `linearise`. Steps of Euler's method have ``sqrt(dt) B`` as their noise.

    Returns
    -------
    NoiseCovariance

    Raises
    ------
    ValueError
        If the fixed point is not stable: there is no stationary state then. Without noise.

    Notes
    -----
    Solved by Bartels and Stewart's method (SciPy), n up to a thousand or two.

    Examples
    --------
    >>> import neurodyn as nd
    >>> from neurodyn import analyses
    >>> net = nd.rate_network([[0.0, -0.5], [0.5, 0.0]], sigma=0.1)
    >>> analyses.noise_covariance(net).std.round(4)  # without the coupling 0.1
    array([0.1, 0.1])
    """
    local = local_system(system, x, inputs, solver, is_map)
    return covariance_of(local, noise_matrix(local, noise))


def lagged_covariance(
    system: Network | Flow | Map | Any, lags: Any, x: Any = None, **options: Any
) -> np.ndarray:
    """``<x(t + lag) x(t)'>`` of a system that noise drives.

    Parameters
    ----------
    system, x, **options
        As for `noise_covariance`.
    lags : array_like (lag,)
        s; steps for a Map. Negative lags transpose.

    Returns
    -------
    ndarray, (lag, n, n)
    """
    return noise_covariance(system, x, **options).lagged(lags)


@dataclass(frozen=True, eq=False)
class PowerSpectrum:
    """Cross-spectral matrix of a linear system that noise drives.

    Attributes
    ----------
    frequencies : ndarray, (frequency,)
        Hz; cycles per step for a Map.
    spectrum : ndarray of complex, (frequency, state, state)
        Two-sided density, in state squared per Hz: its integral over all frequencies, negative ones
        too, is the covariance (of a map, over those up to half its rate).
    state_names : tuple of str
    linearisation : Linearisation
    """

    frequencies: np.ndarray
    spectrum: np.ndarray
    state_names: tuple[str, ...]
    linearisation: Linearisation

    @property
    def power(self) -> np.ndarray:
        """Power of each state, ``(frequency, state)``."""
        return np.diagonal(self.spectrum, axis1=1, axis2=2).real

    @property
    def coherence(self) -> np.ndarray:
        """``|S_ij|**2 / (S_ii S_jj)``, ``(frequency, state, state)``, NaN without power."""
        power = self.power
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.abs(self.spectrum) ** 2 / (power[:, :, None] * power[:, None, :])


def power_spectrum(
    system: Network | Flow | Map | Any,
    frequencies: Any,
    x: Any = None,
    *,
    states: Any = None,
    noise: Any = None,
    inputs: Mapping[str, Any] | None = None,
    solver: Solver | None = None,
    is_map: bool | None = None,
) -> PowerSpectrum:
    r"""Power and cross-spectra of a system that noise drives, linear near a stable fixed point.

    .. math:: S(f) = (i\omega - J)^{-1} B B^T (i\omega - J)^{-\dagger}, \qquad \omega = 2\pi f

    Parameters
    ----------
    system, x, noise, inputs, solver, is_map
        As for `noise_covariance`.
    frequencies : array_like (frequency,)
        Hz; cycles per step for a Map.
    states : sequence of str or int, optional
        The states to return, by name or number; default all.

    Returns
    -------
    PowerSpectrum

    Raises
    ------
    ValueError
        As for `noise_covariance`.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> found = analyses.power_spectrum([[-2.0]], [0.0, 1.0], noise=3.0)
    >>> found.power[:, 0].round(4)  # 9/(4 + omega**2)
    array([2.25 , 0.207])
    """
    local = local_system(system, x, inputs, solver, is_map)
    B = noise_matrix(local, noise)
    modes = stable_modes(local)
    rows = state_rows(local, states)
    f = checked_axis(frequencies, "frequencies")
    gain = resolvent(local, f, B)[:, rows]
    spectrum = local.dt * gain @ np.conj(np.swapaxes(gain, 1, 2))
    names = tuple(local.state_names[k] for k in rows)
    return PowerSpectrum(f, spectrum, names, modes)


# ------------------------------------------------------------------------------------- pieces


def covariance_of(local: Local, B: np.ndarray) -> NoiseCovariance:
    """Solve Lyapunov's equation, and check the solution."""
    from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

    modes = stable_modes(local)
    J, Q = local.jacobian, B @ B.T

    def solution(j):
        return solve_discrete_lyapunov(j, Q) if local.is_map else solve_continuous_lyapunov(j, -Q)

    C = solution(J)
    C = (C + C.T) / 2
    rest = J @ C @ J.T - C + Q if local.is_map else J @ C + C @ J.T + Q
    rounding = np.random.default_rng(0).standard_normal(J.shape)  # any direction will do
    rounding *= _ROUNDING * np.linalg.norm(J, 2) / np.linalg.norm(rounding, 2)
    error = float(np.linalg.norm(solution(J + rounding) - C) / np.linalg.norm(C))
    terms = max(float(np.abs(J @ C).max()), float(np.abs(Q).max()))
    residual = float(np.abs(rest).max()) / terms
    lowest, highest = np.linalg.eigvalsh(C)[[0, -1]]
    if not max(residual, error) < _TRUSTED or lowest < -_TRUSTED * highest:
        raise ArithmeticError(
            f"Lyapunov's equation could not be solved: its residual is {residual:.2g}, the error "
            f"about {error:.2g}, the smallest variance of a direction {lowest:.2g} of "
            f"{highest:.2g}. The departure from "
            f"normality is {modes.henrici_normalised:.2g} of |J|: scale the states "
            "to similar sizes"
        )
    return NoiseCovariance(C, J, Q, residual, error, modes)


def stable_modes(local: Local) -> Linearisation:
    """The modes of a system that has a stationary state."""
    modes = linearisation(local)
    if modes.stability != "stable":
        what = (
            f"eigenvalue of size {modes.spectral_radius:.4g}, not below 1"
            if local.is_map
            else f"eigenvalue with real part {modes.spectral_abscissa:.4g}, not below 0"
        )
        raise ValueError(
            f"the linear system is {modes.stability} ({what}): it has no stationary state. Take a "
            "stable fixed point as `x`, such as analyses.fixed_points(system).select('stable').x[0]"
            ", or weaken the recurrence. Around a limit cycle or chaos, simulate: nd.simulate"
        )
    return modes


def noise_matrix(local: Local, noise: Any) -> np.ndarray:
    """B, of a step for a map, from what was given or from the network's equations."""
    root = np.sqrt(local.dt)
    if noise is None:
        B = _own_noise(local)
    else:
        B = real_numbers(noise, "noise").astype(float)
        if B.ndim == 0:
            B = B * np.eye(local.n)
        elif B.shape == (local.n,):
            B = np.diag(B)
    if B.ndim != 2 or len(B) != local.n:
        raise ValueError(
            f"`noise` must be one number, ({local.n},) or ({local.n}, m), the matrix B of "
            f"dx = f dt + B dW; got shape {np.shape(noise)}"
        )
    if not B.any():
        raise ValueError(
            "`noise` is 0 everywhere: nothing fluctuates. Give the network noise, such as "
            "nd.rate_network(W, sigma=0.1), or the analysis: noise=1.0"
        )
    return root * B


def _own_noise(local: Local) -> np.ndarray:
    system = local.system
    if system is None or not system.is_network:
        raise ValueError(
            "`noise` is needed, as the system is no network with `xi` in its equations: one number "
            "for all states, one a state, or the matrix B of dx = f dt + B dW"
        )
    if not system.source.noise_names:
        raise ValueError(
            "the network has no noise: write a term such as `sigma*sqrt(2/tau)*xi` into its "
            "equations (nd.rate_network(W, sigma=0.1)), or give `noise=`"
        )
    if system.source.poisson_inputs:
        labels = listed([p.label for p in system.source.poisson_inputs])
        raise ValueError(
            f"spikes of {labels} fluctuate too, and are in neither the equations nor their noise: "
            "write them as white noise, `rate*w + w*sqrt(rate)*xi`, or give `noise=`"
        )
    arguments = {"inputs": system.inputs} if system.inputs else {}
    step = {"dt": local.dt} if local.is_map else {}
    return system.source.diffusion(local.x, **arguments, **step)


def state_rows(local: Local, states: Any) -> np.ndarray:
    """Numbers of the states by name or number; all without."""
    if states is None:
        return np.arange(local.n)
    states = [states] if isinstance(states, (str, int, np.integer)) else list(states)
    if local.system is not None:
        return np.concatenate([local.system.state_indices(s, "states") for s in states])
    if not all(isinstance(s, (int, np.integer)) and 0 <= s < local.n for s in states):
        raise ValueError(f"`states` of a matrix are numbers from 0 to {local.n - 1}; got {states}")
    return np.array(states, int)


def resolvent(local: Local, frequencies: np.ndarray, B: np.ndarray) -> np.ndarray:
    """``(z - J)^-1 B`` at ``z = i omega``, of a map ``exp(i omega dt)``: (frequency, n, m)."""
    omega = 2j * np.pi * frequencies
    z = np.exp(omega * local.dt) if local.is_map else omega
    found = np.empty((len(z), local.n, B.shape[1]), complex)
    for row, value in zip(found, z, strict=True):
        row[:] = np.linalg.solve(value * np.eye(local.n) - local.jacobian, B)
    return found


def checked_axis(values: Any, name: str) -> np.ndarray:
    """Times (`lags`) or frequencies as ``(k,)``, in SI."""
    values, dim = to_si(values, name)
    unit = SECOND if name == "lags" else _HERTZ
    if dim not in (None, unit):
        raise UnitError(
            f"`{name}` must be in {format_dimension(unit)}; got {format_dimension(dim)}"
        )
    values = np.asarray(values, float)
    found = np.atleast_1d(real_numbers(values, name))
    if found.ndim != 1 or not found.size:
        raise ValueError(f"`{name}` must be numbers, ({name[:-1]},); got shape {values.shape}")
    return found
