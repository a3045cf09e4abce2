r"""A system near a fixed point: its modes, their stability and how non-normal they are.

Near a fixed point a system is linear, ``dx/dt = J x``. Its eigenvalues say what remains in the long
run; where eigenvectors are not orthogonal, they say nothing about what happens before: activity may
grow by a large factor and then decay (Trefethen and Embree 2005; in networks Murphy and Miller
2009; Hennequin, Vogels and Gerstner 2012). See also `transient_growth`, `pseudospectrum`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.analyses.equilibria.record import growth_order
from neurodyn.analyses.linear._linearised import Local, local_system

if TYPE_CHECKING:
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

#: Eigenvalues whose side of the border of stability is checked.
_N_DOUBTFUL = 8
#: Relative error of the left eigenvectors from which on eigenvectors count as no basis.
_NO_BASIS = 1e-3
#: An eigenvalue beyond the border by this part of |J| is unstable, whatever the others.
_SURE = 1e-3


@dataclass(frozen=True, eq=False)
class Linearisation:
    """A linear system, ``dx/dt = J x`` or ``x' = J x``, and its modes.

    Attributes
    ----------
    jacobian : ndarray, (n, n)
        In 1/s; of a map, of one step.
    eigenvalues : ndarray of complex, (n,)
        The fastest growing (for a map, the largest) first; of a pair the positive imaginary part.
    right : ndarray of complex, (n, n)
        Columns: the pattern of each mode, of length 1.
    left : ndarray of complex, (n, n)
        Rows: how much of each mode is in a state, ``left @ right = 1``. NaN if eigenvectors are no
        basis.
    biorthogonality : float
        Largest entry of ``|left @ right - 1|``, NaN if eigenvectors are no basis.
    stability : str
        ``"stable"``, ``"unstable"``, or ``"marginal"`` where a change of J by rounding could
        move an eigenvalue across the border.
    is_map : bool
    dt : float
        Time of a step of a map: s for Euler's method, else 1.
    x : ndarray, (n,)
        The point; NaN for a matrix.
    residual : float
        Largest ``|dx/dt|`` there, of a map largest ``|f(x) - x|``.
    is_fixed_point : bool
    state_names : tuple of str
    """

    jacobian: np.ndarray
    eigenvalues: np.ndarray
    right: np.ndarray
    left: np.ndarray
    biorthogonality: float
    stability: str
    is_map: bool
    dt: float
    x: np.ndarray
    residual: float
    is_fixed_point: bool
    state_names: tuple[str, ...]

    @property
    def spectral_abscissa(self) -> float:
        """Largest real part of an eigenvalue."""
        return float(self.eigenvalues.real.max())

    @property
    def spectral_radius(self) -> float:
        """Largest absolute value of an eigenvalue."""
        return float(np.abs(self.eigenvalues).max())

    @property
    def timescales(self) -> np.ndarray:
        """Time in which each mode decays by e, s (steps of a Map); negative for growth by e.

        Infinite for a mode that does neither.
        """
        with np.errstate(divide="ignore"):
            if self.is_map:
                rate = np.log(np.abs(self.eigenvalues)) / self.dt
            else:
                rate = self.eigenvalues.real
            return np.where(rate == 0, np.inf, -1 / rate)

    @property
    def frequencies(self) -> np.ndarray:
        """Frequency at which each mode turns, Hz (cycles a step for a Map)."""
        if self.is_map:
            return np.abs(np.angle(self.eigenvalues)) / (2 * np.pi * self.dt)
        return np.abs(self.eigenvalues.imag) / (2 * np.pi)

    @property
    def numerical_abscissa(self) -> float:
        """Largest eigenvalue of ``(J + J')/2``: the fastest growth of any state at time 0."""
        return float(np.linalg.eigvalsh((self.jacobian + self.jacobian.T) / 2)[-1])

    @cached_property
    def henrici(self) -> float:
        """Henrici's departure from normality, ``sqrt(|J|_F**2 - sum |eigenvalue|**2)``.

        It is the Frobenius norm of what is above the diagonal of the Schur form: how strongly
        orthogonal modes feed each other.
        """
        from scipy.linalg import schur

        triangular, _ = schur(self.jacobian, output="complex")
        return float(np.linalg.norm(np.triu(triangular, 1)))

    @property
    def henrici_normalised(self) -> float:
        """`henrici` over the Frobenius norm of J: 0 if normal, 1 if all eigenvalues are 0."""
        norm = np.linalg.norm(self.jacobian)
        return self.henrici / float(norm) if norm else 0.0

    @property
    def commutator(self) -> float:
        """``|J J' - J' J|_F / |J|_F**2``, 0 if J is normal."""
        J = self.jacobian
        norm = np.linalg.norm(J) ** 2
        return float(np.linalg.norm(J @ J.T - J.T @ J) / norm) if norm else 0.0

    @property
    def eigenvector_condition(self) -> float:
        """Condition number of the eigenvectors: 1 if normal; infinite if they are no basis.

        A bound: no state is amplified by more in a stable system (Bauer and Fike 1960).
        """
        return float(np.linalg.cond(self.right)) if np.isfinite(self.left).all() else np.inf

    @property
    def mode_conditions(self) -> np.ndarray:
        """``|left| |right|`` of each mode: how much its eigenvalue moves by a change of J of 1."""
        return np.linalg.norm(self.left, axis=1) * np.linalg.norm(self.right, axis=0)

    def __repr__(self) -> str:
        top = self.eigenvalues[0]
        shown = f"{top.real:.4g}" + (f" +- {abs(top.imag):.4g}i" if top.imag else "")
        lines = [
            f"<Linearisation of {len(self.x)} states: {self.stability}",
            f"  {'largest factor' if self.is_map else 'fastest growth'} {shown}",
            f"  departure from normality {self.henrici_normalised:.3g} of |J|, "
            f"condition of eigenvectors {self.eigenvector_condition:.3g}",
        ]
        if not self.is_fixed_point:
            lines.append(f"  not at a fixed point: residual {self.residual:.3g}")
        return "\n".join(lines) + ">"


def linearise(
    system: Network | Flow | Map | Any,
    x: Any = None,
    *,
    inputs: Mapping[str, Any] | None = None,
    solver: Solver | None = None,
    is_map: bool | None = None,
) -> Linearisation:
    """The Jacobian of a system at a fixed point, its eigenmodes, and measures of both.

    Parameters
    ----------
    system : Network, Flow, Map or array_like (n, n)
        A matrix, weights or anything that NumPy makes an array of, is J itself. For
        ``tau dx/dt = -x + W x`` give ``(W - I)/tau``, or the `nd.rate_network`.
    x : array_like (n,) or dict of str to array_like, optional
        A fixed point, as `fixed_points` finds them. Default the origin, or the fixed point of a
        system that is linear.
    inputs : dict of str to array_like, optional
        Constant inputs of a network, 0 where not given.
    solver : neurodyn.Euler, optional
        Takes a network as the map that Euler's method makes of it.
    is_map : bool, optional
        Whether a matrix is that of a map, ``x' = A x``; default False, ``dx/dt = A x``.

    Returns
    -------
    Linearisation

    Raises
    ------
    ValueError
        For spiking networks, equations that contain the time, and shapes that do not fit.

    Warns
    -----
    UserWarning
        If `x` is not a fixed point.

    Examples
    --------
    >>> from neurodyn import analyses
    >>> found = analyses.linearise([[-1.0, 10.0], [0.0, -2.0]])
    >>> found.stability, found.timescales
    ('stable', array([1. , 0.5]))
    >>> round(found.numerical_abscissa, 3)  # although stable, it grows at first
    3.525
    """
    return linearisation(local_system(system, x, inputs, solver, is_map))


def linearisation(local: Local) -> Linearisation:
    """The modes of a `Local`."""
    J = local.jacobian
    values, right = np.linalg.eig(J)
    order = growth_order(values, local.is_map)
    values, right = values[order].astype(complex), right[:, order].astype(complex)
    left, error = _dual(right)
    return Linearisation(
        J, values, right, left, error, _stability(J, values, local.is_map), local.is_map, local.dt,
        local.x, local.residual, local.is_fixed_point, local.state_names,
    )  # fmt: skip


def _stability(J: np.ndarray, values: np.ndarray, is_map: bool) -> str:
    """Of the eigenvalues, if their side of the border is beyond doubt.

    A change E of J puts an eigenvalue at z if ``|E|`` is at least the smallest singular value of
    ``z - J``. It is looked at on the border beside the eigenvalues that are next to it.
    """
    excess = np.abs(values) - 1 if is_map else values.real
    nearest = values[np.argsort(np.abs(excess), kind="stable")[:_N_DOUBTFUL]]
    with np.errstate(invalid="ignore", divide="ignore"):
        border = np.where(nearest == 0, 1, nearest / np.abs(nearest)) if is_map else 1j*nearest.imag
    rounding = len(J) * np.finfo(float).eps * np.linalg.norm(J, 2)
    shifted = np.unique(border)[:, None, None] * np.eye(len(J)) - J
    if np.linalg.svd(shifted, compute_uv=False)[:, -1].min() <= rounding:
        return "marginal" if np.all(excess <= _SURE * np.linalg.norm(J, 2)) else "unstable"
    return "unstable" if excess.max() > 0 else "stable"


def _dual(right: np.ndarray) -> tuple[np.ndarray, float]:
    """Rows dual to the columns of `right`, and the error of that; NaN if they are no basis."""
    if np.linalg.cond(right) * len(right) * np.finfo(float).eps > _NO_BASIS:
        return np.full_like(right, np.nan), float("nan")
    left = np.linalg.inv(right)
    return left, float(np.abs(left @ right - np.eye(len(right))).max())
