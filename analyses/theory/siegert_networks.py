"""Stationary rates of networks of integrate-and-fire units, from themselves: Brunel (2000).

A unit of population a that receives ``C_ab`` spike trains of rate r_b and weight ``J_ab`` sees, if
they are many, independent and irregular, Gaussian white noise of

    mean_a    = v_rest + tau (sum_b C_ab J_ab r_b + outside),
    sigma_a^2 = tau (sum_b C_ab J_ab^2 r_b + outside),

and fires at the rate of Siegert's formula. Rates that reproduce themselves, r = S(mean(r),
sigma(r)), are those of asynchronous states. The theory leaves out that units are correlated and not
Poisson, and that a spike is not small against the noise (an error of the order of J/sigma).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count, real_numbers
from neurodyn.analyses.theory._multistart import all_solutions
from neurodyn.analyses.theory.siegert import siegert_cv, siegert_rate
from neurodyn.network import Network
from neurodyn.neurons import lif
from neurodyn.weights import Weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from neurodyn._arrays import RNG

#: Rate, relative to 1/tau_ref, at which the least of the starts lie.
_LEAST_START = 1e-6


@dataclass(frozen=True, eq=False)
class LIFPopulations:
    """Populations of integrate-and-fire units, as far as their mean-field theory needs them.

    Everything is in SI. `lif_populations` makes it from a network, `from_in_degrees` from numbers
    of synapses.

    Attributes
    ----------
    drift : ndarray, (post, pre), V
        Summed weights that a unit receives from a population.
    diffusion : ndarray, (post, pre), V^2
        Summed squares of them.
    drift_ext, diffusion_ext : ndarray, (post,), V/s and V^2/s
        Of the input from outside: weight times rate, and squared weight times rate.
    tau, v_rest, v_threshold, v_reset, tau_ref : ndarray, (post,), s and V
    names : tuple of str
    in_degree_scatter : float
        Standard deviation of the summed weights within a population over the largest mean; units
        then differ in their rates, which the theory leaves out.
    """

    drift: np.ndarray
    diffusion: np.ndarray
    drift_ext: np.ndarray
    diffusion_ext: np.ndarray
    tau: np.ndarray
    v_rest: np.ndarray
    v_threshold: np.ndarray
    v_reset: np.ndarray
    tau_ref: np.ndarray
    names: tuple[str, ...] = ()
    in_degree_scatter: float = 0.0

    def __post_init__(self):
        K = len(np.atleast_1d(self.drift_ext))
        shapes = {"drift": (K, K), "diffusion": (K, K)}
        fields = ("drift", "diffusion", "drift_ext", "diffusion_ext", "tau", "v_rest",
                  "v_threshold", "v_reset", "tau_ref")  # fmt: skip
        for name in fields:
            value = np.asarray(real_numbers(getattr(self, name), name), float)
            shape = shapes.get(name, (K,))
            if value.shape not in ((), shape):
                raise ValueError(f"`{name}` must be a number or {shape}; got {value.shape}")
            object.__setattr__(self, name, np.broadcast_to(value, shape))
        for name in ("diffusion", "diffusion_ext"):
            if getattr(self, name).min() < 0:
                raise ValueError(f"`{name}` is a sum of squares; got {getattr(self, name).min():g}")
        if self.tau.min() <= 0 or self.tau_ref.min() <= 0:
            raise ValueError(
                "`tau` and `tau_ref` must be positive, else rates have no bound below which all "
                f"solutions lie; got {self.tau.min():g} and {self.tau_ref.min():g}"
            )
        if np.any(self.v_threshold <= self.v_reset):
            raise ValueError("`v_threshold` must be above `v_reset` in every population")
        names = tuple(self.names) or tuple(f"population {k}" for k in range(K))
        if len(names) != K:
            raise ValueError(f"`names` must have {K} names; got {names}")
        object.__setattr__(self, "names", names)

    @classmethod
    def from_in_degrees(
        cls,
        in_degree: ArrayLike,
        J: ArrayLike,
        rate_ext: ArrayLike,
        J_ext: ArrayLike,
        *,
        tau: ArrayLike = 20e-3,
        v_rest: ArrayLike = 0.0,
        v_threshold: ArrayLike = 20e-3,
        v_reset: ArrayLike = 10e-3,
        tau_ref: ArrayLike = 2e-3,
        names: tuple[str, ...] = (),
    ) -> LIFPopulations:
        """Fixed numbers of synapses, all of one weight; units are those of Brunel (2000).

        Parameters
        ----------
        in_degree : array_like, (post, pre)
        J : array_like, (post, pre), V
            Inhibitory weights are negative.
        rate_ext : float or array_like, (post,), Hz
            Spikes a second from outside onto each unit.
        J_ext : float or array_like, (post,), V
        tau, v_rest, v_threshold, v_reset, tau_ref, names
            As the attributes.
        """
        C, J = (np.asarray(real_numbers(a, n), float) for a, n in ((in_degree, "in_degree"),
                                                                   (J, "J")))  # fmt: skip
        if C.ndim != 2 or C.shape[0] != C.shape[1] or C.min() < 0:
            raise ValueError(
                f"`in_degree` must be (post, pre), 0 or more; got shape {C.shape}, least {C.min()}"
            )
        if J.shape not in ((), C.shape):
            raise ValueError(f"`J` must be a number or {C.shape}; got {J.shape}")
        rate, J_ext = (np.asarray(real_numbers(a, n), float) for a, n in (
            (rate_ext, "rate_ext"), (J_ext, "J_ext")))  # fmt: skip
        if rate.min() < 0:
            raise ValueError(f"`rate_ext` must be 0 or more; got {rate.min():g}")
        outside = [np.broadcast_to(rate * J_ext**power, (len(C),)) for power in (1, 2)]
        return cls(C * J, C * J**2, *outside, tau, v_rest, v_threshold, v_reset, tau_ref, names)

    def input(self, rate: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sigma of `siegert_rate`, V, at rates (..., population) in Hz."""
        rate = np.asarray(rate, float)
        mean = self.v_rest + self.tau * (rate @ self.drift.T + self.drift_ext)
        variance = self.tau * (rate @ self.diffusion.T + self.diffusion_ext)
        return mean, np.sqrt(variance)

    def response(self, rate: ArrayLike) -> np.ndarray:
        """Rates S(mean, sigma) of units in a network that fires at `rate`, Hz."""
        return siegert_rate(*self.input(rate), *self._unit())

    def gain(self, rate: ArrayLike) -> np.ndarray:
        """Derivative of `response` by the rates, (post, pre)."""
        mean, sigma = self.input(rate)
        h = 1e-5 * np.maximum(sigma, 1e-4 * (self.v_threshold - self.v_reset))
        unit = self._unit()

        ahead, behind = (siegert_rate(mean + d, sigma, *unit) for d in (h, -h))
        by_mean = (ahead - behind) / (2 * h)
        less = np.maximum(sigma - h, 0)
        ahead, behind = (siegert_rate(mean, s, *unit) for s in (sigma + h, less))
        by_sigma = (ahead - behind) / (sigma + h - less)
        noise = self.tau[:, None] * self.diffusion / (2 * np.maximum(sigma, 1e-300))[:, None]
        noise = np.where(sigma[:, None] > 0, noise, 0.0)
        return by_mean[:, None] * self.tau[:, None] * self.drift + by_sigma[:, None] * noise

    def _unit(self) -> tuple[np.ndarray, ...]:
        return self.tau, self.v_threshold, self.v_reset, self.tau_ref


@dataclass(frozen=True, eq=False)
class SiegertRates:
    """Self-consistent rates of a network, ordered by the first population's.

    Attributes
    ----------
    rate : ndarray, (solution, population), Hz
    cv : ndarray, (solution, population)
        Coefficient of variation of the intervals.
    mean, sigma : ndarray, (solution, population), V
        Of the input, see `siegert_rate`.
    gain : ndarray, (solution, post, pre)
        Derivative of the units' rates by those of the network.
    eigenvalues : ndarray, (solution, population), complex
        Of the gain, largest real part first.
    is_stable : ndarray, (solution,)
        Whether rates that relax towards the response, ``dr/ds = -r + S(r)``, come back: all real
        parts below 1. Oscillations that delays bring are not seen.
    iterates : ndarray, (solution,)
        Whether ``r -> S(r)`` comes back: all sizes below 1.
    residual : ndarray, (solution,), Hz
    hits : ndarray, (solution,)
    n_starts, n_failed : int
    index_sum : int
        1 if no solution is missing, as S maps a box into itself (Poincare and Hopf).
    is_complete : bool
    populations : LIFPopulations
    """

    rate: np.ndarray
    cv: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray
    gain: np.ndarray
    eigenvalues: np.ndarray
    is_stable: np.ndarray
    iterates: np.ndarray
    residual: np.ndarray
    hits: np.ndarray
    n_starts: int
    n_failed: int
    index_sum: int
    is_complete: bool
    populations: LIFPopulations

    def __len__(self) -> int:
        return len(self.rate)

    def __repr__(self) -> str:
        shown = ", ".join(np.array2string(r, precision=4) for r in self.rate[:5])
        return (
            f"<SiegertRates: {len(self)} ({int(self.is_stable.sum())} stable) at {shown} Hz; "
            f"{self.n_starts - self.n_failed} of {self.n_starts} starts converged, indices sum to "
            f"{self.index_sum}>"
        )


def siegert_network(
    source: Network | LIFPopulations, *, n_starts: int = 60, rng: RNG = 0
) -> SiegertRates:
    """All self-consistent rates of a network of leaky integrate-and-fire units.

    Parameters
    ----------
    source : Network or LIFPopulations
        A network is one of `neurodyn.lif_network`, or of `neurodyn.neurons.lif` with couplings and
        Poisson inputs onto ``v``.
    n_starts : int
        Default 60, spread evenly in the logarithm of the rates, up to ``1/tau_ref``.
    rng : int, SeedSequence, Generator or None
        Of the starts.

    Returns
    -------
    SiegertRates

    Raises
    ------
    ValueError
        For a network of other units or synapses.

    Notes
    -----
    Brunel (2000). A simulation in steps of dt looks at noise once a step, as if the threshold were
    higher by ``0.5826 sigma sqrt(dt/tau)`` (Siegmund 1985): a few percent of the rate.

    Examples
    --------
    >>> import numpy as np
    >>> C, J = np.array([[1000, 250]] * 2), np.array([[0.1e-3, -0.5e-3]] * 2)
    >>> brunel = LIFPopulations.from_in_degrees(C, J, rate_ext=20e3, J_ext=0.1e-3)
    >>> siegert_network(brunel).rate.round(1)
    array([[37.9, 37.9]])
    """
    populations = source if isinstance(source, LIFPopulations) else lif_populations(source)
    n_starts = checked_count(n_starts, "n_starts", 2)
    bound = 1 / populations.tau_ref
    starts = bound * _LEAST_START ** _unit_cube(n_starts, len(bound), as_generator(rng))
    found = all_solutions(
        lambda r: populations.response(np.maximum(r, 0)),
        lambda r: populations.gain(np.maximum(r, 0)), starts, bound,
        allowed=lambda r: bool(np.all(r >= 0)),
    )  # fmt: skip
    rate = found.points
    mean, sigma = populations.input(rate)
    values = np.linalg.eigvals(found.jacobians).astype(complex)
    values = np.array([v[np.argsort(-v.real)] for v in values]).reshape(rate.shape)
    return SiegertRates(
        rate, siegert_cv(mean, sigma, *populations._unit()), mean, sigma, found.jacobians, values,
        values.real.max(axis=1, initial=-np.inf) < 1, np.abs(values).max(axis=1, initial=0) < 1,
        found.residual, found.hits, found.n_starts, found.n_failed, found.index_sum,
        found.is_complete, populations,
    )  # fmt: skip


def lif_populations(network: Network) -> LIFPopulations:
    """What the mean-field theory needs of a network of `neurodyn.neurons.lif`.

    Parameters
    ----------
    network : Network
        Couplings of spikes, and Poisson inputs, that end at ``v``; constant currents ``I_ext``.

    Returns
    -------
    LIFPopulations
        With the mean over the units of a population, and how much they scatter.
    """
    if not isinstance(network, Network):
        raise TypeError(
            f"`source` must be a Network or LIFPopulations; got {type(network).__name__}"
        )
    names = list(network.populations)
    K, text = len(names), lif(1).text
    units = {own: np.empty(K) for own in ("tau", "v_rest", "v_th", "v_reset", "refractory")}
    drift, diffusion = np.zeros((K, K)), np.zeros((K, K))
    drift_ext, diffusion_ext = np.zeros(K), np.zeros(K)
    for k, name in enumerate(names):
        population = network.populations[name]
        if population.text != text or population.threshold != "v > v_th":
            raise ValueError(
                f"population `{name}` must be nd.neurons.lif(n) without `synapses`: Siegert's "
                "formula is that of leaky integrate-and-fire units on which spikes end at `v`"
            )
        values = {**population.parameters, "refractory": population.refractory}
        for own in units:
            units[own][k] = _one(values[own], f"{name}.{own}")
        current = np.mean(values.get("I_ext", 0.0))
        drift_ext[k] = current * np.mean(values["R"]) / units["tau"][k]
    scatter = 0.0
    for coupling in network.couplings:
        post, pre = (names.index(end.rpartition(".")[0]) for end in (coupling.target,
                                                                     coupling.source))  # fmt: skip
        _check_ends(coupling.target)
        sums, squares = _row_sums(coupling.weights)
        drift[post, pre] += sums.mean()
        diffusion[post, pre] += squares.mean()
        scatter = max(scatter, float(sums.std() / max(abs(sums.mean()), 1e-300)))
    for source in network.poisson_inputs:
        post = names.index(source.target.rpartition(".")[0])
        _check_ends(source.target)
        rate = np.asarray(source.rate) * (source.n_sources or 1)
        drift_ext[post] += np.mean(rate * source.weight)
        diffusion_ext[post] += np.mean(rate * np.asarray(source.weight) ** 2)
    return LIFPopulations(
        drift, diffusion, drift_ext, diffusion_ext, units["tau"], units["v_rest"], units["v_th"],
        units["v_reset"], units["refractory"], tuple(names), scatter if scatter > 1e-9 else 0.0,
    )  # fmt: skip


def _one(value: Any, name: str) -> float:
    if np.ptp(value) > 0:
        raise ValueError(f"`{name}` must be the same for all units; got {np.unique(value)[:4]}")
    return float(np.mean(value))


def _check_ends(target: str) -> None:
    if target.rpartition(".")[2] != "v":
        raise ValueError(f"spikes must end at `v` (weights in V); got a coupling onto `{target}`")


def _row_sums(weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the weights of each unit, and of their squares."""
    total = [0.0, 0.0]
    for term in weights.terms:
        values = term.parameters
        (own,) = values  # the array of a dense, sparse or diagonal matrix
        ones = np.ones(term.n_pre)
        total[0] = total[0] + term.apply(ones)
        total[1] = total[1] + term.with_parameters(**{own: values[own] ** 2}).apply(ones)
    return total[0], total[1]


def _unit_cube(n: int, dimensions: int, rng: np.random.Generator) -> np.ndarray:
    from scipy.stats import qmc

    cube = qmc.LatinHypercube(dimensions, rng=rng).random(n)
    cube[::2] = cube[::2, :1]  # half of the starts with about the same rate for all
    return cube
