r"""Contracting modules, the coupling between them, and the network of networks.

    tau dx/dt = -x + W phi(x) + L x + W_in u(t) + b

W is block-diagonal, one block a module; L couples the states x of different modules. Module i
contracts in its metric P_i, and ``L = B - P^-1 B^T P`` with B free below the diagonal blocks keeps
the whole contracting in ``P = blockdiag(P_i)``. Rates are in units of 1/tau.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import block_diag

if TYPE_CHECKING:
    from collections.abc import Sequence

    import neurodyn as nd

__all__ = [
    "COUPLING",
    "COUPLINGS",
    "INPUT",
    "KINDS",
    "READOUT",
    "RECURRENT",
    "TAU",
    "Modules",
    "assembly",
    "classifier",
    "constraint",
    "coupling_weights",
    "network",
    "random_adjacency",
    "singular_value_modules",
    "sparse_modules",
    "sparse_weights",
]

#: Time constant, s. The paper steps with dt/tau from 0.01 to 0.3.
TAU = 0.1
#: Couplings of the network.
RECURRENT = "modules.r->modules.I_W"
COUPLING = "modules.x->modules.I_L"
INPUT = "pixel.p->modules.I_in"
READOUT = "modules.x->digit.I_x"
#: Kinds of coupling between modules.
COUPLINGS = ("negative feedback", "one-way", "unconstrained", "none")
#: Kinds of modules.
KINDS = ("sparse", "singular value")
#: Draws of a sparse module before it is scaled to fit.
_DRAWS = 50
#: Spectral radius of |W| of a module that is scaled.
_RADIUS = 0.95


@dataclass(frozen=True, eq=False)
class Modules:
    """Modules that contract, each in a metric of its own.

    Parameters
    ----------
    weights : sequence of array_like, (n, n)
        Recurrent weights W_i of each module.
    metrics : sequence of array_like, (n, n) or (n,)
        P_i, or its diagonal.
    rates : sequence of float
        At which they contract in these, 1/tau.

    Raises
    ------
    ValueError
        For a metric that is not positive definite or in which its module does not contract so fast.
    """

    weights: Sequence[Any]
    metrics: Sequence[Any]
    rates: Sequence[float]

    def __post_init__(self) -> None:
        from neurodyn import analyses

        rates = np.asarray(self.rates, float)
        if not len(self.weights) == len(self.metrics) == len(rates) > 0:
            raise ValueError(
                "`weights`, `metrics` and `rates` must have one entry for each module; got "
                f"{len(self.weights)}, {len(self.metrics)} and {len(rates)}"
            )
        for k, (W, P) in enumerate(zip(self.weights, self.metrics)):
            found = analyses.assembly_contraction(
                np.zeros(np.shape(W)), [P], rates=[rates[k]], modules=[W], n_checks=32
            )
            if found.whole_rate < rates[k] - 1e-8:
                raise ValueError(
                    f"`rates` says {rates[k]:.6g} for module {k}, but in its metric it contracts "
                    f"at {found.whole_rate:.6g} only"
                )
        full = [np.diag(P) if np.ndim(P) == 1 else np.asarray(P, float) for P in self.metrics]
        object.__setattr__(self, "metrics", tuple(full))
        object.__setattr__(self, "weights", tuple(np.asarray(W, float) for W in self.weights))
        object.__setattr__(self, "rates", rates)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(W) for W in self.weights)

    @cached_property
    def W(self) -> np.ndarray:
        """Block-diagonal (N, N)."""
        return block_diag(*self.weights)

    @cached_property
    def metric(self) -> np.ndarray:
        """Block-diagonal (N, N)."""
        return block_diag(*self.metrics)

    def mask(self, adjacency: Any = None) -> np.ndarray:
        """Where B is free, (N, N): blocks below the diagonal, all or those of `adjacency`."""
        p = len(self.sizes)
        below = np.tri(p, k=-1, dtype=bool)
        chosen = below if adjacency is None else below & np.asarray(adjacency, bool)
        number = np.repeat(np.arange(p), self.sizes)
        return chosen[number[:, None], number]


def sparse_modules(
    n_modules: int = 8,
    size: int = 16,
    *,
    density: float = 0.25,
    multiplier: float = 0.4,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> Modules:
    """Fixed sparse random modules that meet theorem 1: ``|W| - I`` is stable.

    Parameters
    ----------
    n_modules, size : int
    density : float
        Chance of a weight to be there.
    multiplier : float
        Weights are uniform between plus and minus this.
    rng : int, SeedSequence, Generator or None

    Returns
    -------
    Modules
        With the diagonal metrics of the theorem, from Perron's vectors.

    Notes
    -----
    As in the authors' code a module is drawn again until the spectral radius of ``|W|`` is below 1.
    That is hopeless for large or dense ones, whose radius is about ``size*density*multiplier/2``:
    here the 50th draw is scaled to the radius 0.95.
    """
    from neurodyn.analyses import contraction_conditions

    weights = sparse_weights(n_modules, size, density=density, multiplier=multiplier, rng=rng)
    found = [contraction_conditions(W, only=["absolute value"], n_checks=16)[0] for W in weights]
    return Modules(weights, [np.diag(one.metric) for one in found], [one.rate for one in found])


def sparse_weights(
    n_modules: int = 8,
    size: int = 16,
    *,
    density: float = 0.25,
    multiplier: float = 0.4,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> list[np.ndarray]:
    """The weights of `sparse_modules` alone."""
    from neurodyn._arrays import as_generator

    _check_counts(n_modules=n_modules, size=size)
    if not 0 < density <= 1 or not 0 < multiplier < np.inf:
        raise ValueError(
            "`density` must be above 0 and at most 1, and `multiplier` positive; got "
            f"{density!r} and {multiplier!r}"
        )
    streams = as_generator(rng).spawn(n_modules)
    return [_sparse_module(one, size, density, multiplier) for one in streams]


def _sparse_module(
    stream: np.random.Generator, size: int, density: float, multiplier: float
) -> np.ndarray:
    for _ in range(_DRAWS):
        there = stream.random((size, size)) < density
        W = np.where(there, stream.uniform(-multiplier, multiplier, (size, size)), 0.0)
        np.fill_diagonal(W, 0)
        radius = np.abs(np.linalg.eigvals(np.abs(W))).max()
        if radius < 1:
            return W
    return W * (_RADIUS / radius)


def singular_value_modules(
    n_modules: int = 8,
    size: int = 16,
    *,
    largest: float = 0.95,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> Modules:
    """Modules ``W = U S V^T`` that meet theorem 5, to be trained: singular values below 1.

    Parameters
    ----------
    n_modules, size : int
    largest : float
        Bound of the singular values, below 1, so that the rate is at least ``1 - largest``.
    rng : int, SeedSequence, Generator or None

    Returns
    -------
    Modules
        In the identity as their metric; U and V random, ``S = largest * exp(-z^2)``, z normal.
    """
    from neurodyn._arrays import as_generator

    _check_counts(n_modules=n_modules, size=size)
    if not 0 < largest < 1:
        raise ValueError(
            f"`largest` must be between 0 and 1, or a module need not contract; got {largest!r}"
        )
    weights = []
    for stream in as_generator(rng).spawn(n_modules):
        U, V = (np.linalg.qr(stream.normal(size=(size, size)))[0] for _ in range(2))
        weights.append((U * (largest * np.exp(-(stream.normal(size=size) ** 2)))) @ V.T)
    return Modules(weights, [np.ones(size)] * n_modules, [1 - largest] * n_modules)


def random_adjacency(
    n_modules: int,
    connected: float,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> np.ndarray:
    """Pairs of modules (module, module) that are coupled, below the diagonal: a share of all."""
    if not 0 <= connected <= 1:
        raise ValueError(f"`connected` must be a share, between 0 and 1; got {connected!r}")
    from neurodyn._arrays import as_generator

    rows, columns = np.tril_indices(n_modules, -1)
    chosen = as_generator(rng).permutation(len(rows))[: round(connected * len(rows))]
    found = np.zeros((n_modules, n_modules), bool)
    found[rows[chosen], columns[chosen]] = True
    return found


def coupling_weights(
    modules: Modules,
    kind: str = "negative feedback",
    *,
    adjacency: Any = None,
    norm: float | None = None,
    rng: int | np.random.SeedSequence | np.random.Generator | None = None,
) -> np.ndarray:
    """Random coupling L (N, N) of a kind.

    Parameters
    ----------
    modules : Modules
    kind : str
        ``"negative feedback"``; ``"one-way"``, from modules to later ones only;
        ``"unconstrained"``, independent weights both ways; or ``"none"``.
    adjacency : array_like of bool, (module, module), optional
        Pairs that are coupled, below the diagonal. Default all.
    norm : float, optional
        Spectral norm that L is scaled to. Default: weights of B are uniform within ``1/sqrt(N)``.
    rng : int, SeedSequence, Generator or None
    """
    from neurodyn import analyses
    from neurodyn._arrays import as_generator

    _check_kind(kind)
    N, mask = len(modules.W), modules.mask(adjacency)
    generator = as_generator(rng)
    B, back = generator.uniform(-1, 1, (2, N, N)) / np.sqrt(N)
    L = np.where(mask, B, 0.0)
    if kind == "negative feedback":
        L = analyses.combination_coupling(L, modules.metrics).L
    elif kind == "unconstrained":
        L = np.where(mask.T, back, L)
    elif kind == "none":
        return np.zeros((N, N))
    size = np.linalg.norm(L, 2)
    if norm is None or not size:
        return L
    if not 0 <= norm < np.inf:
        raise ValueError(f"`norm` must be a number, not negative; got {norm!r}")
    return L * (norm / size)


def constraint(
    modules: Modules, kind: str = "negative feedback", adjacency: Any = None
) -> nd.learning.Parametrisation | None:
    """What training keeps of the coupling; None where there is none."""
    import neurodyn as nd

    _check_kind(kind)
    mask = modules.mask(adjacency)
    if kind == "none" or not mask.any():
        return None
    if kind == "negative feedback":
        return nd.learning.NegativeFeedback(mask, modules.metric)
    return nd.learning.Masked(mask if kind == "one-way" else mask | mask.T)


def assembly(
    modules: Modules, L: np.ndarray, *, activation: str = "relu(x)", **values: Any
) -> nd.Network:
    """Modules and their coupling alone, driven at ``modules.I_in``.

    Parameters
    ----------
    modules : Modules
    L : array, (N, N)
    activation : str
        Expression of x with slopes from 0 to 1.
    **values
        Further values of the population.
    """
    import neurodyn as nd

    parts = {"modules": _population(len(L), activation, **values)}
    return nd.Network(parts, _recurrent(modules, L, is_sparse=True))


def network(
    *,
    n_modules: int = 8,
    size: int = 16,
    density: float = 0.25,
    multiplier: float = 0.4,
    kind: str = "sparse",
    coupling: str = "negative feedback",
    connected: float = 1.0,
    rng: int | np.random.SeedSequence | None = None,
) -> nd.Network:
    """The network that names images shown pixel by pixel, before training.

    Parameters
    ----------
    n_modules, size : int
        Modules, and units of each.
    density, multiplier : float
        Of sparse modules, see `sparse_modules`.
    kind : {"sparse", "singular value"}
        Fixed modules of theorem 1, or modules of theorem 5.
    coupling : str
        One of `COUPLINGS`.
    connected : float
        Share of the pairs of modules that are coupled.
    rng : int, SeedSequence or None

    Returns
    -------
    Network
        Populations `pixel` (input ``pixel.I_ext``), `modules` and `digit`, the readout.
    """
    modules, L, seed = parts(n_modules, size, density, multiplier, kind, coupling, connected, rng)
    return classifier(modules, L, rng=seed)


def parts(
    n_modules: int,
    size: int,
    density: float,
    multiplier: float,
    kind: str,
    coupling: str,
    connected: float,
    rng: int | np.random.SeedSequence | None,
) -> tuple[Modules, np.ndarray, np.random.SeedSequence]:
    """Modules and coupling of a network, and the seed of its input weights and readout."""
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(map(repr, KINDS))}; got {kind!r}")
    _check_kind(coupling)
    root = rng if isinstance(rng, np.random.SeedSequence) else np.random.SeedSequence(rng)
    of_modules, of_pairs, of_coupling, of_ends = root.spawn(4)
    if kind == "sparse":
        modules = sparse_modules(
            n_modules, size, density=density, multiplier=multiplier, rng=of_modules
        )
    else:
        modules = singular_value_modules(n_modules, size, rng=of_modules)
    pairs = random_adjacency(n_modules, connected, of_pairs)
    return modules, coupling_weights(modules, coupling, adjacency=pairs, rng=of_coupling), of_ends


def classifier(
    modules: Modules,
    L: np.ndarray,
    *,
    is_sparse: bool = True,
    rng: int | np.random.SeedSequence | None = None,
) -> nd.Network:
    """An assembly that is shown one pixel at a time, with a linear readout of ten classes.

    Input weights are uniform within 1, those of the readout within ``1/sqrt(N)``.
    """
    import neurodyn as nd

    N, generator = len(L), np.random.default_rng(rng)
    populations = {
        "pixel": nd.Population(1, "p = I_ext : 1"),
        "modules": _population(N, "relu(x)"),
        "digit": nd.Population(10, "y = I_x + b : 1", b=np.zeros(10)),
    }
    ends = [
        nd.Coupling("pixel.p", "modules.I_in", generator.uniform(-1, 1, (N, 1))),
        nd.Coupling("modules.x", "digit.I_x", generator.uniform(-1, 1, (10, N)) / np.sqrt(N)),
    ]
    return nd.Network(populations, _recurrent(modules, L, is_sparse) + ends)


def _population(N: int, activation: str, **values: Any) -> nd.Population:
    import neurodyn as nd

    text = f"""
        dx/dt = (-x + I_W + I_L + I_in + b)/tau : 1
        r = {activation} : 1
        """
    return nd.Population(N, text, tau=TAU, **{"b": np.zeros(N), **values})


def _recurrent(modules: Modules, L: np.ndarray, is_sparse: bool) -> list[nd.Coupling]:
    """W as it is trained: not at all, or as a whole."""
    from scipy.sparse import csr_array

    import neurodyn as nd

    W = nd.weights.Sparse(csr_array(modules.W)) if is_sparse else modules.W
    return [
        nd.Coupling("modules.r", "modules.I_W", W),
        nd.Coupling("modules.x", "modules.I_L", L),
    ]


def _check_kind(kind: str) -> None:
    if kind not in COUPLINGS:
        raise ValueError(
            f"the kind of coupling must be one of {', '.join(map(repr, COUPLINGS))}; got {kind!r}"
        )


def _check_counts(**counts: int) -> None:
    from neurodyn._arrays import checked_count

    for name, value in counts.items():
        checked_count(value, name)
