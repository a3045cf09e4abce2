"""Mean rates of populations: one unit for each, as Wilson and Cowan (1972) have it.

If all units of a population have the same equations and parameters, and every unit of population a
receives the same summed weight from population b,

    B_ab = sum over j in b of W_ij,   the same for all i in a,

then states in which the units of each population agree stay so, and on them the network *is* the
small network with weights B: exactly, at any size. Weights need not be equal for that, only their
sums. Where sums or parameters scatter the reduction takes their means, and is an approximation;
a `PopulationReduction` says by how much they scatter.

What agrees in the small network may be unstable in the large one: units of one population can move
apart. `reduced_fixed_points` looks at the whole Jacobian for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count
from neurodyn.analyses._systems import System, as_system
from neurodyn.analyses.theory._multistart import all_solutions, starts_in_box
from neurodyn.coupling import Coupling
from neurodyn.flow import Flow
from neurodyn.network import Network
from neurodyn.population import Population
from neurodyn.weights import Dense

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from neurodyn._arrays import RNG

#: Relative scatter that is rounding.
_ROUNDING = 1e-9
#: Largest network whose whole Jacobian is looked at.
_MAX_STATES = 3000


@dataclass(frozen=True, eq=False)
class PopulationReduction:
    """A rate network with one unit for each group of units.

    Attributes
    ----------
    network : Network
        The small one: populations of the same names, one unit a group.
    flow : Flow
        Its field, with the inputs held: for all analyses.
    weights : dict of str to ndarray, (group of post, group of pre)
        B of each coupling, by its label.
    groups : dict of str to ndarray, (unit,)
        Group of each unit, by population.
    is_exact : bool
        Whether the groups' agreement is kept by the full network.
    scatter : dict of str to float
        Standard deviation within groups over the largest mean, of the summed weights of each
        coupling and of each parameter and input that is given for each unit.
    notes : tuple of str
        Why it is not exact.
    full : Network
        The network that was reduced.
    """

    network: Network
    flow: Flow
    weights: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]
    is_exact: bool
    scatter: dict[str, float]
    notes: tuple[str, ...]
    full: System

    def lift(self, x: ArrayLike) -> np.ndarray:
        """State of the full network, (..., n_states), in which units of a group agree."""
        return self.flow._states(x)[..., self._index()]

    def reduce(self, x: ArrayLike) -> np.ndarray:
        """Means over the groups of a state of the full network, (..., n_groups)."""
        x = np.asarray(x, float)
        if x.ndim == 0 or x.shape[-1] != self.full.n_states:
            raise ValueError(f"`x` must be (..., {self.full.n_states}); got shape {x.shape}")
        index = self._index()
        total = np.zeros((*x.shape[:-1], self.flow.n_states))
        np.add.at(total, (..., index), x)
        return total / np.bincount(index)

    def _index(self) -> np.ndarray:
        """Which state of the small network each of the full network follows."""
        found, start = [], 0
        for name in self.network.state_names:
            group = self.groups[name.rpartition(".")[0]]
            found.append(start + group)
            start += group.max() + 1
        return np.concatenate(found)

    def __repr__(self) -> str:
        how = "exact" if self.is_exact else f"not exact: {'; '.join(self.notes)}"
        return (
            f"<PopulationReduction of {self.full.n_states} to {self.flow.n_states} states, {how}>"
        )


def wilson_cowan(
    network: Network,
    groups: Mapping[str, ArrayLike] | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
) -> PopulationReduction:
    """Reduce a rate network to the mean rates of its populations.

    Parameters
    ----------
    network : Network
        Of rate units, with any equations; no spikes.
    groups : dict of str to array of int (unit,), optional
        Groups from 0 within a population, for example excitatory and inhibitory units of one
        matrix. By default every population is one group.
    inputs : dict of str to array_like, optional
        Constant inputs of the network, as for `Network.field`.

    Returns
    -------
    PopulationReduction

    Raises
    ------
    ValueError
        For a network that spikes or learns, or groups that do not fit.

    Notes
    -----
    Wilson and Cowan (1972), without their refractory factor: it comes with equations that have it.
    Noise is left out of the flow; noise that is independent for each unit averages out of a large
    group's mean, but shifts it where the units are not linear.

    Examples
    --------
    >>> import numpy as np, neurodyn as nd
    >>> W = np.block([[np.full((8, 8), 2 / 8), np.full((8, 2), -1 / 2)],
    ...               [np.full((2, 8), 1 / 8), np.zeros((2, 2))]])
    >>> reduced = wilson_cowan(nd.rate_network(W), {"E": [0]*8 + [1]*2})
    >>> reduced.weights["E.r->E.I_rec"], reduced.is_exact
    (array([[ 2., -1.],
           [ 1.,  0.]]), True)
    """
    if not isinstance(network, Network):
        raise TypeError(f"`network` must be a Network; got {type(network).__name__}")
    _check_rates(network)
    labels = _groups(network, groups)
    scatter: dict[str, float] = {}
    populations = {
        name: _one_unit_each(name, population, labels[name], scatter)
        for name, population in network.populations.items()
    }
    weights, couplings = {}, []
    for label, coupling in zip(network.coupling_labels, network.couplings, strict=True):
        post, pre = (labels[end.rpartition(".")[0]] for end in (coupling.target, coupling.source))
        sums = coupling.weights.apply(np.eye(pre.max() + 1)[:, pre]).T  # (post unit, group of pre)
        weights[label] = _group_means(sums, post)
        scatter[label] = _scatter(sums, post)
        couplings.append(Coupling(coupling.source, coupling.target, _with_unit(
            weights[label], coupling.weights)))  # fmt: skip
    small = Network(populations, couplings)
    held = {}
    for name, value in as_system(network, inputs).inputs.items():
        label = labels[network.split(name)[0]]
        values = np.broadcast_to(np.asarray(value, float), label.shape)
        held[name], scatter[name] = _group_means(values, label), _scatter(values, label)
    scatter = {name: value for name, value in scatter.items() if value > _ROUNDING}
    notes = [f"{name} scatters by {value:.3g} within groups" for name, value in scatter.items()]
    noisy = [n for n, p in network.populations.items() if p.equations.noise_names]
    notes += [f"population {name} has noise" for name in noisy]
    return PopulationReduction(
        small, _flow(small, held), weights, labels, not notes, scatter, tuple(notes),
        as_system(network, inputs),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ReducedFixedPoints:
    """Fixed points of a `PopulationReduction`.

    Attributes
    ----------
    x : ndarray, (point, n)
        States of the small network.
    eigenvalues : ndarray, (point, n), complex
        Of its Jacobian, largest real part first.
    is_stable : ndarray, (point,)
        Whether all have a negative real part.
    full_eigenvalue : ndarray, (point,), complex
        The one of the largest real part of the full network's Jacobian where units of a group
        agree; NaN if the reduction is not exact, or the network is too large.
    is_fully_stable : ndarray, (point,)
        Whether its real part is negative too; False where it is not known.
    residual : ndarray, (point,)
        Largest component of the field, in units of the state over time.
    full_residual : ndarray, (point,)
        The same of the full network's, the scatter that the reduction left out.
    hits : ndarray, (point,)
    n_starts, n_failed : int
    index_sum : int
        Sum of the indices of the fixed points: 1 if the activity is bounded and none is missing.
    """

    x: np.ndarray
    eigenvalues: np.ndarray
    is_stable: np.ndarray
    full_eigenvalue: np.ndarray
    is_fully_stable: np.ndarray
    residual: np.ndarray
    full_residual: np.ndarray
    hits: np.ndarray
    n_starts: int
    n_failed: int
    index_sum: int

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        shown = ", ".join(np.array2string(x, precision=4) for x in self.x[:5])
        more = ", ..." if len(self) > 5 else ""
        return (
            f"<ReducedFixedPoints: {len(self)} ({int(self.is_stable.sum())} stable) at {shown}"
            f"{more}; {self.n_starts - self.n_failed} of {self.n_starts} starts converged>"
        )


def reduced_fixed_points(
    reduction: PopulationReduction,
    *,
    low: ArrayLike = -10.0,
    high: ArrayLike = 10.0,
    n_starts: int = 100,
    rng: RNG = 0,
) -> ReducedFixedPoints:
    """Fixed points of the mean rates, their stability there and in the full network.

    Parameters
    ----------
    reduction : PopulationReduction
    low, high : float or array_like, (n,)
        Box in which they are looked for, default -10 to 10 for each state.
    n_starts : int
        Default 100.
    rng : int, SeedSequence, Generator or None
        Of the starts.

    Returns
    -------
    ReducedFixedPoints
        All that were found inside the box.
    """
    if not isinstance(reduction, PopulationReduction):
        raise TypeError(
            "`reduction` must be what wilson_cowan(network) returns; got "
            f"{type(reduction).__name__}"
        )
    flow = reduction.flow
    n = flow.n_states
    low, high = (np.broadcast_to(np.asarray(a, float), (n,)) for a in (low, high))
    if not np.all(low < high):
        raise ValueError(f"`low` must be below `high`; got {low.tolist()} and {high.tolist()}")
    starts = starts_in_box(low, high, checked_count(n_starts, "n_starts", 2), as_generator(rng))
    # the field in units of the fastest leak, so that it is a map whose steps are of order 1
    rate = np.max(np.abs(flow.jacobian(starts[0])))
    rate = rate if rate > 0 else 1.0
    found = all_solutions(
        lambda x: x + flow.field(x) / rate, lambda x: np.eye(n) + flow.jacobian(x) / rate, starts,
        np.maximum(np.abs(low), np.abs(high)),
        allowed=lambda x: bool(np.all((x >= low - 1e-9) & (x <= high + 1e-9))),
    )  # fmt: skip
    values = np.linalg.eigvals(found.jacobians - np.eye(n)).astype(complex) * rate
    values = np.array([v[np.argsort(-v.real)] for v in values]).reshape(-1, n)
    lifted = reduction.lift(found.points)
    full_field = np.abs(reduction.full.field(lifted)).max(axis=1, initial=0)
    full = np.full(len(values), np.nan, complex)
    if reduction.is_exact and reduction.full.n_states <= _MAX_STATES:
        for k, x in enumerate(lifted):
            all_values = np.linalg.eigvals(reduction.full.jacobian(x))
            full[k] = all_values[np.argmax(all_values.real)]
    return ReducedFixedPoints(
        found.points, values, values.real.max(axis=1, initial=-np.inf) < 0, full, full.real < 0,
        found.residual * rate, full_field, found.hits, found.n_starts, found.n_failed,
        found.index_sum,
    )  # fmt: skip


# -- how it is done --------------------------------------------------------------------------------


def _check_rates(network: Network) -> None:
    if network.spiking_populations or network.poisson_inputs:
        raise ValueError(
            f"the network spikes ({', '.join(network.spiking_populations) or 'Poisson inputs'}); "
            "the rates of integrate-and-fire units are those of `siegert_network`"
        )
    if network.rules:
        raise ValueError("the network has plastic couplings; give it without their rules")
    if network.n_states == 0:
        raise ValueError("the network has no states")


def _groups(network: Network, groups) -> dict[str, np.ndarray]:
    groups = dict(groups or {})
    for name in groups:
        if name not in network.populations:
            raise ValueError(
                f"`groups` names `{name}`; the network has {', '.join(network.populations)}"
            )
    found = {}
    for name, population in network.populations.items():
        label = np.asarray(groups.get(name, np.zeros(population.size, int)))
        fits = label.shape == (population.size,) and label.dtype.kind in "iu" and label.min() >= 0
        if not fits or np.any(np.bincount(label) == 0):
            raise ValueError(
                f"`groups[{name!r}]` must number the groups of its {population.size} units from 0, "
                f"without a gap; got {np.unique(label).tolist()} in shape {label.shape}"
            )
        found[name] = label
    return found


def _group_means(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.array([values[label == k].mean(axis=0) for k in range(label.max() + 1)])


def _scatter(values: np.ndarray, label: np.ndarray) -> float:
    """Standard deviation within groups over the largest mean; 0 where nothing scatters."""
    means = _group_means(values, label)
    spread = max(float(values[label == k].std(axis=0).max()) for k in range(len(means)))
    return spread / max(float(np.abs(means).max()), spread, 1e-300)


def _one_unit_each(name: str, population: Population, label, scatter) -> Population:
    """The population with one unit a group, and the means of what is given for each unit."""
    values: dict[str, Any] = {}
    for own, value in population.parameters.items():
        values[own] = value
        if isinstance(value, np.ndarray):
            values[own] = _group_means(value, label)
            scatter[f"{name}.{own}"] = _scatter(value, label)
    for own, value in population.initial.items():
        is_array = isinstance(value, np.ndarray) and value.shape == label.shape
        values[own] = _group_means(value, label) if is_array else value
    return Population(int(label.max()) + 1, population.text, **values)


def _with_unit(B: np.ndarray, weights):
    """B with the physical unit of the weights, if they have one."""
    return Dense(B)._set(dim=weights.dim)


def _flow(small: Network, held: dict[str, np.ndarray]) -> Flow:
    options = {"inputs": held} if held else {}
    names = System(small).state_names
    return Flow(
        lambda x: _batched(small.field, x, **options), small.n_states,
        jacobian=lambda x: _batched(small.jacobian, x, **options), state_names=names,
    )  # fmt: skip


def _batched(function, x, **options):
    """A network's function at states (..., n), which it takes as (n,) or (trial, n)."""
    x = np.asarray(x)
    if np.iscomplexobj(x):
        raise TypeError("states are real")
    found = function(np.ascontiguousarray(x.reshape(-1, x.shape[-1]), float), **options)
    return found.reshape(*x.shape[:-1], *found.shape[1:])
