"""What joins populations: `Coupling`, and `PoissonInput` from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import checked_count, read_only
from neurodyn.compile.structure import SPIKE
from neurodyn.delays import SynapseDelays
from neurodyn.plasticity.rule import Plasticity
from neurodyn.units import SECOND, Hz, UnitError, format_dimension, to_si
from neurodyn.weights import Weights, as_weights

if TYPE_CHECKING:
    from neurodyn.units import Dimension


@dataclass(frozen=True, eq=False)
class Coupling:
    """A linear map from a variable of one population to an input of another, or of its spikes.

    Parameters
    ----------
    source : str
        ``"population.variable"``, a state, algebraic variable or input; or ``"population.spike"``.
    target : str
        ``"population.input"``. Several couplings onto one input add up. Spikes may also end at a
        state, which jumps by the weight when a spike arrives (a state marked ``(unless
        refractory)`` does not while its unit is refractory). At an input, spikes hold ``weights @
        spikes`` for the one step after they arrive.
    weights : array_like, SciPy sparse matrix or Weights
        Always ``[post, pre]``: the input is ``weights @ source``.
    delay : float, array_like or Quantity, optional
        For spikes: time from a spike to its arrival, s, a multiple of the solver's dt. One for all,
        or one a synapse: for sparse weights (nnz,) in the order of their ``data``, for a full
        matrix (n_post, n_pre); kept as `SynapseDelays`, flat. Default 0: spikes arrive in the step
        in which they are emitted, after it has updated the states.
    plasticity : Plasticity, optional
        How the weights change; every trial then has weights of its own. Needs dense, sparse or
        diagonal weights, and one delay for all. Every entry of a full matrix is a synapse.

    Raises
    ------
    ValueError
        For a name that is not ``population.variable``, weights that are not finite numbers in
        two dimensions, or delays that are negative, do not fit the weights, or belong to a rate.
    """

    source: str
    target: str
    weights: Weights
    delay: float | SynapseDelays = 0.0
    plasticity: Plasticity | None = None

    def __post_init__(self):
        for role in ("source", "target"):
            name = getattr(self, role)
            if not isinstance(name, str) or name.count(".") != 1:
                raise ValueError(f'`{role}` must be "population.variable"; got {name!r}')
        weights = as_weights(self.weights, name=f"weights of {self.label}")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "delay", _checked_delay(self.delay, weights, self.label))
        if self.plasticity is not None:
            self._check_plasticity()
        if not self.carries_spikes and self.max_delay:
            raise ValueError(
                f"`delay` of {self.label}: only spikes can be delayed, a coupling from "
                f'"population.{SPIKE}"'
            )

    def _check_plasticity(self) -> None:
        if not isinstance(self.plasticity, Plasticity):
            raise TypeError(
                f"`plasticity` of {self.label} must be an nd.Plasticity, such as "
                f"nd.plasticity.pair_stdp(...); got {type(self.plasticity).__name__}"
            )
        weights = self.weights
        if weights.kind not in ("dense", "sparse", "diagonal") or weights.is_transposed:
            kind = "transposed" if weights.is_transposed else weights.kind
            raise ValueError(
                f"`plasticity` of {self.label} needs dense, sparse or diagonal weights, which have "
                f"a number for every synapse; these are {kind}, give their `weights.to_dense()`"
            )
        if np.ndim(self.delay):
            raise ValueError(
                f"`delay` of {self.label} must be one for all synapses where they are plastic; got "
                f"{self.delay.min():g} to {self.delay.max():g} s; couplings of "
                "different delays can end at one target"
            )

    @property
    def label(self) -> str:
        """``"source->target"``."""
        return f"{self.source}->{self.target}"

    @property
    def n_delays(self) -> int:
        """How many different delays its synapses have."""
        return self.delay.values.size if isinstance(self.delay, SynapseDelays) else 1

    @property
    def max_delay(self) -> float:
        """The longest delay, s."""
        return self.delay.max() if isinstance(self.delay, SynapseDelays) else self.delay

    @property
    def carries_spikes(self) -> bool:
        """Whether it couples spikes rather than a variable."""
        return self.source.endswith(f".{SPIKE}")

    def __repr__(self) -> str:
        delay = ""
        if np.ndim(self.delay):
            delay = f", delays {self.delay.min():g} to {self.delay.max():g} s"
        elif self.delay:
            delay = f", delay {self.delay:g} s"
        rule = f", {self.plasticity!r}" if self.plasticity is not None else ""
        return f"<Coupling {self.label}: {self.weights!r}{delay}{rule}>"


def _checked_delay(delay: Any, weights: Weights, label: str) -> float | SynapseDelays:
    """A delay in s, or one a synapse in the order of the weights' values, flat."""
    if isinstance(delay, SynapseDelays):  # of another coupling
        array = delay
    else:
        value, dim = to_si(delay, f"delay of {label}")
        if dim not in (None, SECOND):
            raise UnitError(f"`delay` of {label} must be a time; got {format_dimension(dim)}")
        array = np.asarray(value, dtype=float)
        if array.size and not (array.min() >= 0 and array.max() < np.inf):
            bad = array.flat[int(np.argmin((array >= 0) & (array < np.inf)))]
            raise ValueError(f"`delay` of {label} must be finite and not negative; got {bad:g} s")
        if array.ndim == 0:
            return float(array)
    if weights.kind not in ("sparse", "dense"):
        raise ValueError(
            f"`delay` of {label}: one delay a synapse needs sparse or dense weights; these are "
            f"{weights.kind}"
        )
    # a full matrix, transposed or not, is [post, pre]; sparse weights go by the values they hold
    is_dense = weights.kind == "dense"
    expected = weights.shape if is_dense else weights.parameters["data"].shape
    if array.shape not in (expected, (int(np.prod(expected)),)):
        raise ValueError(
            f"`delay` of {label} must be one number or one a synapse, {expected}; got shape "
            f"{array.shape}"
        )
    delays = array if isinstance(array, SynapseDelays) else SynapseDelays(array)
    if delays.values.size > 1:
        return delays
    return delays.min() if delays.size else 0.0


@dataclass(frozen=True, eq=False)
class PoissonInput:
    """Independent Poisson spikes for every unit of a population, all of one weight.

    Parameters
    ----------
    target : str
        ``"population.state"`` or ``"population.input"``, as for a `Coupling` of spikes.
    rate : float, array_like or Quantity
        Spikes a second onto each unit, Hz; one for all units or one each. With `n_sources`, the
        rate of one source.
    weight : float, array_like or Quantity
        What a spike adds; one for all units or one each.
    n_sources : int, optional
        Number of sources of each unit, each of which spikes at most once a step: the count in a
        step is binomial. Default None: it is Poisson, the limit of many sources.

    Notes
    -----
    Counts are drawn by inversion of their distribution function, in steps of 2^-32: a count that is
    rarer than that does not occur. They are keyed by trial, step and unit, as all random numbers
    are.
    """

    target: str
    rate: float | np.ndarray
    weight: float | np.ndarray
    n_sources: int | None = None
    dim: Dimension | None = None

    def __post_init__(self):
        if not isinstance(self.target, str) or self.target.count(".") != 1:
            raise ValueError(f'`target` must be "population.variable"; got {self.target!r}')
        rate, rate_dim = to_si(self.rate, "rate")
        if rate_dim not in (None, Hz.dim):
            raise UnitError(f"`rate` must be in Hz; got {format_dimension(rate_dim)}")
        weight, dim = to_si(self.weight, "weight")
        for name, value in (("rate", rate), ("weight", weight)):
            array = np.asarray(value, dtype=float)
            if array.ndim > 1 or not np.all(np.isfinite(array)):
                got = getattr(self, name)
                raise ValueError(
                    f"`{name}` must be finite, one number or one a unit; got {got!r}"
                )
            if name == "rate" and np.any(array < 0):
                raise ValueError(f"`rate` must not be negative; got {array.min():g} Hz")
            value = float(array) if array.ndim == 0 else read_only(array.copy())
            object.__setattr__(self, name, value)
        object.__setattr__(self, "dim", dim if self.dim is None else self.dim)
        if self.n_sources is not None:
            object.__setattr__(self, "n_sources", checked_count(self.n_sources, "n_sources"))

    @property
    def label(self) -> str:
        """``"Poisson->target"``."""
        return f"Poisson->{self.target}"

    def __repr__(self) -> str:
        sources = f"{self.n_sources} sources of " if self.n_sources else ""
        rate = f"{np.min(self.rate):g}"
        if np.ndim(self.rate):
            rate += f" to {np.max(self.rate):g}"
        return f"<PoissonInput -> {self.target}: {sources}{rate} Hz>"
