"""Mean-field theory of low-rank networks: fixed points, their stability, and the latent dynamics.

    dx/dt = -x + (1/N) sum_r m^r (n^r . phi(x)) + g chi phi(x) + I

At a fixed point ``x = sum_r kappa_r m^r + I`` (and a random part of variance ``g^2 <phi^2>``), with
overlaps ``kappa_r = n^r . phi(x)/N`` that solve ``kappa = G(kappa)``. For vectors from a mixture of
Gaussians and N to infinity

    G_r = sum_p a_p ( mean_n <phi>_p + cov_p(n^r, x) <phi'>_p ),

averages over the Gaussian x of population p (Mastrogiuseppe and Ostojic 2018; Beiran et al. and
Dubreuil et al. 2022). For given vectors, and g = 0, it is exact at any N.

Without a random part, states on the plane of the m stay on it, and there
``dkappa/dt = -kappa + G(kappa)`` is the dynamics, not only its fixed points: `effective_flow`.

**Convention.** The factor 1/N stands in W, so ensembles and pairs (m, n) have entries of order 1;
``nd.weights.LowRank(m, n)`` has no hidden factor. Time is in units of the time constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count, checked_number
from neurodyn.analyses.theory._multistart import all_solutions, starts_in_box
from neurodyn.analyses.theory._transfer import Transfer, as_transfer, gaussian_averages
from neurodyn.analyses.theory.lowrank_ensemble import LowRankEnsemble, checked_input, vectors
from neurodyn.flow import Flow
from neurodyn.network import Network
from neurodyn.weights import LowRank

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from neurodyn._arrays import RNG

#: Real part of an eigenvalue up to which a fixed point counts as marginal, and so not as stable.
_MARGINAL = 1e-9


@dataclass(frozen=True, eq=False)
class LowRankFixedPoints:
    """Fixed points of a low-rank network, ordered by their first overlap.

    Attributes
    ----------
    kappa : ndarray, (point, R)
    mean, variance : ndarray, (point, population)
        Of x over the units, the random part included.
    random_variance : ndarray, (point,)
        ``g^2 <phi^2>``, the part of the variance from the random weights.
    eigenvalues : ndarray, (point, R), complex
        Of the linearised network outside its bulk, largest real part first; NaN where fewer than R
        lie outside. The others are -1 (g = 0) or fill a disc around -1.
    bulk_radius : ndarray, (point,)
        ``g sqrt(<phi'^2>)``, the radius of that disc.
    is_stable : ndarray, (point,)
        Whether all are negative. With a random part a fixed point with a radius above 1 is not
        there at all: the activity is chaotic (see `dynamic_mean_field`).
    residual : ndarray, (point,)
        Largest violation of the equations.
    hits : ndarray, (point,)
        Starts that led to each.
    is_degenerate : ndarray, (point,)
        Whether it is not isolated: at a bifurcation, or one of a continuum, such as the ring of two
        equal overlaps, of which as many points are listed as were found.
    n_starts, n_failed : int
        Starts, and those that led nowhere.
    index_sum : int
        Sum of the indices of the fixed points, 1 if none is missing (Poincare and Hopf).
    is_complete : bool
        Whether it is 1 and all are isolated. Two missing ones of opposite index would not show.
    """

    kappa: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    random_variance: np.ndarray
    eigenvalues: np.ndarray
    bulk_radius: np.ndarray
    is_stable: np.ndarray
    residual: np.ndarray
    hits: np.ndarray
    is_degenerate: np.ndarray
    n_starts: int
    n_failed: int
    index_sum: int
    is_complete: bool

    def __len__(self) -> int:
        return len(self.kappa)

    def __repr__(self) -> str:
        shown = ", ".join(np.array2string(k, precision=4) for k in self.kappa[:5])
        more = ", ..." if len(self) > 5 else ""
        return (
            f"<LowRankFixedPoints: {len(self)} ({int(self.is_stable.sum())} stable) at {shown}"
            f"{more}; {self.n_starts - self.n_failed} of {self.n_starts} starts converged, indices "
            f"sum to {self.index_sum}>"
        )


def lowrank_fixed_points(
    source: LowRankEnsemble | LowRank | tuple | Network,
    g: float = 0.0,
    phi: Any = "tanh",
    *,
    I: ArrayLike | None = None,
    n_starts: int = 100,
    rng: RNG = 0,
) -> LowRankFixedPoints:
    """All fixed points of a low-rank network, and their stability.

    Parameters
    ----------
    source : LowRankEnsemble, LowRank, (m, n), or Network
        An ensemble gives the limit of many units; vectors the network that they make. A network is
        one of `neurodyn.rate_network` with low-rank weights, whose `phi` it must be given.
    g : float
        Gain of the random part, weights of variance ``g**2/N``; default 0. With vectors only 0.
    phi : str or callable
        ``"tanh"`` (default), ``"erf"`` for erf(sqrt(pi)/2 x), or a bounded function of arrays.
    I : array_like, (unit,), optional
        Constant input, where `source` has none of its own: for vectors and networks. Default 0.
    n_starts : int
        Default 100, spread over the box that holds all fixed points.
    rng : int, SeedSequence, Generator or None
        Of the starts.

    Returns
    -------
    LowRankFixedPoints

    Raises
    ------
    ValueError
        For a negative `g`, a random part with vectors, a `phi` that is not bounded, vectors whose
        shapes differ.

    Notes
    -----
    With a random part, overlaps and variance solve two coupled equations, for rank one and one
    population of mean 0 ``1 = rho <phi'>(D)`` and ``D = kappa^2 + g^2 <phi^2>(D)``. Eigenvalues
    outside the bulk are those of the linearised equations for overlaps and variance, less 1: for
    g = 0 and rank one ``-1 + <n m phi'>``. A perturbation moves the variance too, so that
    for g > 0 they are not those of ``n^T diag(phi') m/N`` (Mastrogiuseppe and Ostojic 2018).

    Examples
    --------
    >>> from neurodyn.analyses import gaussian_ensemble
    >>> found = lowrank_fixed_points(gaussian_ensemble(2.0))
    >>> found.kappa.ravel().round(4), found.is_stable
    (array([-1.3371,  0.    ,  1.3371]), array([ True, False,  True]))
    """
    g = checked_number(g, "g", 0.0)
    n_starts = checked_count(n_starts, "n_starts", 2)
    latent, _ = _latent(source, phi, I)
    latent.phi.check_bounded()
    if g and not isinstance(latent, _GaussianLatent):
        raise ValueError(
            f"`g` must be 0 for given vectors; got {g:g}. The random part is only known in the "
            "mean: take `empirical_ensemble(...)` of them"
        )
    bound = latent.phi.bound
    high = np.append(latent.reach(bound), bound**2) if g else latent.reach(bound)
    low = np.append(-high[:-1], 0.0) if g else -high
    starts = starts_in_box(low, high, n_starts, as_generator(rng))
    found = all_solutions(
        lambda y: latent.map(y, g), lambda y: latent.map_jacobian(y, g), starts, high,
        allowed=lambda y: not g or y[-1] >= -1e-12,
    )  # fmt: skip
    R = latent.rank
    kappa, random = found.points[:, :R], g**2 * found.points[:, R:].sum(axis=1)
    mean, variance, radius = latent.spread(kappa, random, g)
    eigenvalues = np.array([_outliers(J, r, R) for J, r in zip(found.jacobians, radius)])
    eigenvalues = eigenvalues.reshape(-1, R)
    largest = np.maximum(radius - 1, np.nan_to_num(eigenvalues.real, nan=-1.0).max(axis=1))
    return LowRankFixedPoints(
        kappa, mean, variance, random, eigenvalues, radius, largest < -_MARGINAL, found.residual,
        found.hits, found.is_degenerate, found.n_starts, found.n_failed, found.index_sum,
        found.is_complete,
    )  # fmt: skip


def effective_flow(
    source: LowRankEnsemble | LowRank | tuple | Network,
    phi: Any = "tanh",
    *,
    I: ArrayLike | None = None,
) -> Flow:
    """The dynamics of the overlaps, ``dkappa/dt = -kappa + scale G(kappa)``, for other analyses.

    Parameters
    ----------
    source, phi, I
        As for `lowrank_fixed_points`; `phi` need not be bounded. There is no random part: with it
        the overlaps alone have no dynamics of their own.

    Returns
    -------
    Flow
        Of the states kappa1, kappa2, ..., with the parameter ``scale`` (default 1) on the weights,
        for continuations, and its exact Jacobian. In seconds for a network, else in time constants.

    Notes
    -----
    ``x = sum_r kappa_r m^r + I``: kappa are coordinates of x, and equal ``n^r . phi(x)/N`` at fixed
    points only. For vectors it is exact on the plane of the m; what lies outside decays with the
    units' time constant. For an ensemble it is exact for N to infinity.

    Examples
    --------
    >>> from neurodyn.analyses import gaussian_ensemble
    >>> flow = effective_flow(gaussian_ensemble(2.0))
    >>> flow.jacobian([0.0])
    array([[1.]])
    """
    latent, tau = _latent(source, phi, I)

    def function(kappa, scale):
        return (scale * latent.map(kappa) - kappa) / tau

    def jacobian(kappa, scale):
        return (scale * latent.map_jacobian(kappa) - np.eye(latent.rank)) / tau

    names = [f"kappa{r + 1}" for r in range(latent.rank)]
    return Flow(function, latent.rank, jacobian=jacobian, parameters={"scale": 1.0},
                state_names=names)  # fmt: skip


# -- the map of the overlaps -----------------------------------------------------------------------


class _SampleLatent:
    """G and its Jacobian for given vectors: ``G_r = n^r . phi(sum kappa_s m^s + I)``."""

    def __init__(self, m: np.ndarray, n: np.ndarray, I: np.ndarray, phi: Transfer):
        self.m, self.n, self.I, self.phi, self.rank = m, n, I, phi, m.shape[1]

    def reach(self, bound: float) -> np.ndarray:
        return np.maximum(bound * np.abs(self.n).sum(axis=0), 1e-12)

    def _x(self, kappa: np.ndarray) -> np.ndarray:
        return kappa @ self.m.T + self.I

    def map(self, kappa: np.ndarray, g: float = 0.0) -> np.ndarray:
        return self.phi.value(self._x(kappa)) @ self.n

    def map_jacobian(self, kappa: np.ndarray, g: float = 0.0) -> np.ndarray:
        slope = self.phi.derivative(self._x(kappa))
        return self.n.T @ (slope[..., None] * self.m)

    def spread(self, kappa, random, g):
        x = self._x(kappa)
        return x.mean(axis=1)[:, None], x.var(axis=1)[:, None], np.zeros(len(kappa))


class _GaussianLatent:
    """The same for an ensemble; with a random part the state is (kappa, <phi^2>)."""

    def __init__(self, ensemble: LowRankEnsemble, phi: Transfer):
        R = self.rank = ensemble.rank
        self.phi, self.a = phi, ensemble.fraction
        C, mean = ensemble.covariance, ensemble.mean
        self.M_m, self.M_n, self.M_I = mean[:, :R], mean[:, R : 2 * R], mean[:, -1]
        self.C_mm, self.C_nm = C[:, :R, :R], C[:, R : 2 * R, :R]
        self.C_mI, self.C_nI, self.C_II = C[:, :R, -1], C[:, R : 2 * R, -1], C[:, -1, -1]
        self.n_square = self.a @ (C[:, range(R, 2 * R), range(R, 2 * R)] + self.M_n**2)

    def reach(self, bound: float) -> np.ndarray:
        return np.maximum(bound * np.sqrt(self.n_square), 1e-12)  # Cauchy-Schwarz

    def _moments(self, kappa):
        """Mean and variance of x, and its covariances with m and n, by population."""
        mean = kappa @ self.M_m.T + self.M_I
        with_m = np.einsum("prs,...s->...pr", self.C_mm, kappa) + self.C_mI
        with_n = np.einsum("prs,...s->...pr", self.C_nm, kappa) + self.C_nI
        variance = np.einsum("...r,...pr->...p", kappa, with_m + self.C_mI) + self.C_II
        return mean, np.maximum(variance, 0), with_m, with_n

    def _averages(self, y, g):
        kappa = y[..., : self.rank]
        mean, variance, with_m, with_n = self._moments(kappa)
        if g:
            variance = np.maximum(variance + g**2 * y[..., self.rank :], 0)
        return gaussian_averages(self.phi, mean, variance), with_m, with_n

    def map(self, y: np.ndarray, g: float = 0.0) -> np.ndarray:
        f, _, with_n = self._averages(y, g)
        terms = f.phi[..., None] * self.M_n + f.d1[..., None] * with_n
        found = np.einsum("p,...pr->...r", self.a, terms)
        return np.append(found, f.square @ self.a) if g else found

    def map_jacobian(self, y: np.ndarray, g: float = 0.0) -> np.ndarray:
        f, with_m, with_n = self._averages(y, g)
        f = {name: value[..., None] for name, value in vars(f).items()}
        d_phi = f["d1"] * self.M_m + f["d2"] * with_m  # of <phi>_p and <phi'>_p by kappa_s
        d_slope = f["d2"] * self.M_m + f["d3"] * with_m
        found = np.einsum("p,pr,...ps->...rs", self.a, self.M_n, d_phi)
        found += np.einsum("p,...pr,...ps->...rs", self.a, with_n, d_slope)
        found += np.einsum("p,...p,prs->...rs", self.a, f["d1"][..., 0], self.C_nm)
        if not g:
            return found
        # by <phi^2>, which adds g^2 of it to all variances, and of <phi^2>
        by_square = g**2 / 2 * self.a @ (f["d2"] * self.M_n + f["d3"] * with_n)
        d_square = 2 * self.a @ (f["square_d1"] * self.M_m + f["square_d2"] * with_m)
        corner = g**2 * self.a @ f["square_d2"][..., 0]
        return np.block([[found, by_square[:, None]], [d_square[None], corner]])

    def spread(self, kappa, random, g):
        mean, variance, _, _ = self._moments(kappa)
        variance = variance + random[:, None]
        slopes = gaussian_averages(self.phi, mean, variance).slope_square
        return mean, variance, g * np.sqrt(slopes @ self.a)


def _outliers(jacobian: np.ndarray, radius: float, R: int) -> np.ndarray:
    """Eigenvalues of the network outside its bulk, less 1; R of them, NaN for those inside."""
    values = np.linalg.eigvals(jacobian).astype(complex)
    values = values[np.argsort(-values.real)]
    if radius > 0:
        values = values[np.abs(values) > radius]
    values = values[:R]
    return np.concatenate([values - 1, np.full(R - len(values), np.nan)])


# -- what is given ---------------------------------------------------------------------------------


def _latent(source, phi, I) -> tuple[_GaussianLatent | _SampleLatent, float]:
    """The map of the overlaps, and the time constant."""
    transfer = as_transfer(phi)
    if isinstance(source, LowRankEnsemble):
        if I is not None:
            raise ValueError("`I` is part of the ensemble: its last mean and covariance")
        return _GaussianLatent(source, transfer), 1.0
    if isinstance(source, Network):
        return _of_network(source, transfer, I)
    m, n = vectors(source)
    return _SampleLatent(m, n, checked_input(I, len(m)), transfer), 1.0


def _of_network(network: Network, phi: Transfer, I) -> tuple[_SampleLatent, float]:
    """The same of a network, whose field must be ``(-x + m n^T phi(x) + I)/tau``."""
    if len(network.populations) != 1 or len(network.couplings) != 1 or network.poisson_inputs:
        raise ValueError(
            "the network must have one population and one coupling, with low-rank weights; got "
            f"populations {list(network.populations)} and couplings {network.coupling_labels}"
        )
    weights = network.couplings[0].weights
    if not isinstance(weights, LowRank):
        raise ValueError(
            f"the weights must be nd.weights.LowRank(m, n); got {weights!r}. For a low-rank and a "
            "random part take `empirical_ensemble(weights.terms[0])` and its gain as `g`"
        )
    m, n = vectors(weights)
    tau = next(iter(network.populations.values())).parameters.get("tau", 1.0)
    if network.n_states != len(m) or np.ndim(tau):
        raise ValueError("the units must have one state each, and one time constant for all")
    own = tau * network.field(np.zeros(len(m))) - m @ (n.T @ phi.value(np.zeros(len(m))))
    x = np.random.default_rng(0).normal(size=(4, len(m)))
    expected = (-x + phi.value(x) @ n @ m.T + own) / tau
    if not np.allclose(network.field(x), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()):
        raise ValueError(
            f"the network is not tau dx/dt = -x + W phi(x) + I with `phi` = {phi.name}: its field "
            f"differs by up to {np.abs(network.field(x) - expected).max():.3g}"
        )
    return _SampleLatent(m, n, own + checked_input(I, len(m)), phi), float(tau)
