"""What a network looks like to the compiler: everything but sizes, values and weights.

Two networks of the same structure share one generated module. The structure is plain data, so that
its text is the key under which the module is found again, without parsing anything.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from neurodyn.equations import Equations
from neurodyn.expression_trees import EquationError
from neurodyn.plasticity.binding import BoundRule
from neurodyn.statements import RAND
from neurodyn.weights.delivery_groups import GROUP_ARRAYS

#: Names of the arrays that each kind of weights brings, in the order of ``kernel_arrays``.
WEIGHT_ARRAYS = {
    "dense": ("WT",),
    "sparse": ("indptr", "indices", "data"),
    "low_rank": ("nT", "mT"),
    "diagonal": ("d",),
    "plastic_dense": ("w",),
    "plastic_sparse": ("start", "stop", "targets", "w"),
}


@dataclass(frozen=True)
class PopulationStructure:
    """One population: its equations and the role of each open name.

    Attributes
    ----------
    name : str
        Full name, for example ``"A/E"``.
    equations : Equations
    scalars, per_unit : tuple of str
        Parameters with one value, and with one value a unit.
    inputs : tuple of str
        Names that couplings or signals fill.
    driven : tuple of str
        The inputs that have an external drive.
    spikes : {"", "threshold", "chance", "replay"}
        What makes units spike: nothing; the threshold of the equations; a probability that never
        changes; a list of times.
    refractory : bool
        Whether units rest after a spike.
    arrivals : tuple of str
        Inputs, and states that refractory units hold still, at which spikes arrive.
    surrogate : str
        Formula of the derivative of ``spike``.
    """

    name: str
    equations: Equations
    scalars: tuple[str, ...]
    per_unit: tuple[str, ...]
    inputs: tuple[str, ...]
    driven: tuple[str, ...]
    spikes: str = ""
    refractory: bool = False
    arrivals: tuple[str, ...] = ()
    surrogate: str = ""

    @property
    def identifier(self) -> str:
        """The name as it stands in generated code."""
        return re.sub(r"\W", "_", self.name)

    @cached_property
    def states(self) -> tuple[str, ...]:
        return tuple(v.name for v in self.equations.states)

    @cached_property
    def algebraic(self) -> tuple[str, ...]:
        return tuple(v.name for v in self.equations.algebraic)

    @cached_property
    def slots(self) -> dict[str, int]:
        """Row of each quantity in the population's workspace ``(slot, trial, unit)``.

        States come first, then algebraic variables, inputs, noise, and the derivative ``d<state>``
        of each state; for units that spike the step until which a unit is refractory, `UNTIL`, and
        its random number; last what has arrived at each target of spikes.
        """
        names = [*self.states, *self.algebraic, *self.inputs, *self.equations.noise_names]
        names += [f"d{state}" for state in self.states]
        names += [UNTIL] * self.refractory
        names += [RAND] * (self.spikes == "threshold" and self.equations.uses_rand)
        names += [arriving(name) for name in self.arrivals]
        return {name: slot for slot, name in enumerate(names)}

    @property
    def uses_dt(self) -> bool:
        """Whether an equation contains ``dt`` itself, as discrete cells do."""
        return any("dt" in v.uses for v in self.equations.variables.values())


#: The slot that holds until which step, counted from the beginning of a call, a unit is refractory.
UNTIL = "_until"
#: Name of the spikes of a population, as a source of couplings.
SPIKE = "spike"
#: Where the numbers of the random streams begin that are not white noise, by their purpose.
RANDOM_STREAMS = {"rand": 1 << 20, "chance": 2 << 20, "poisson": 3 << 20}


def arriving(name: str) -> str:
    """The slot that collects the spikes which arrive at an input or state."""
    return f"_arriving_{name}"


@dataclass(frozen=True)
class CouplingStructure:
    """One coupling: from variable ``source`` to ``target``, with the kind of each term.

    A coupling of spikes has a source called ``spike``, and kinds of delivery
    (`neurodyn.weights.delivery`). One with a rule is plastic.
    """

    source: tuple[int, str]
    target: tuple[int, str]
    kinds: tuple[str, ...]
    rule: BoundRule | None = None

    @property
    def carries_spikes(self) -> bool:
        return self.source[1] == SPIKE


@dataclass(frozen=True)
class Group:
    """Couplings that are delivered together: see `neurodyn.weights.delivery_groups`.

    Attributes
    ----------
    kind : {"together", "scheduled"}
    source : int
        Population whose spikes they carry.
    members : tuple of int
        Numbers of the couplings.
    targets : tuple of (int, str)
        Population and name of the segments of the group's row.
    """

    kind: str
    source: int
    members: tuple[int, ...]
    targets: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Structure:
    """A whole network: populations, couplings and the number type of its kernels.

    ``poisson_inputs`` are the targets of independent Poisson spikes, population and name.
    """

    populations: tuple[PopulationStructure, ...]
    couplings: tuple[CouplingStructure, ...]
    dtype: str
    poisson_inputs: tuple[tuple[int, str], ...] = ()

    def key(self) -> str:
        """Canonical text, equal for networks that share their code."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The populations' names in generated code.

        None begins with another and an underscore, as the names of that one's arrays do: beside a
        population ``V1``, whose cotangents are ``V1_L``, one of that name becomes ``V1L``.
        """
        names = [population.identifier for population in self.populations]
        for k, name in enumerate(names):
            others = names[:k] + names[k + 1 :]
            if any(f"{name}_".startswith(f"{other}_") for other in others):
                name = name.replace("_", "")
                while any(f"{other}_".startswith(f"{name}_") for other in others):
                    name += "x"
                names[k] = name
        return tuple(names)

    def label(self, index: int, name: str) -> str:
        return f"{self.populations[index].name}.{name}"

    @property
    def spikes(self) -> bool:
        """Whether any population spikes, or gets spikes from outside."""
        return bool(self.poisson_inputs) or any(p.spikes for p in self.populations)

    @property
    def plastic(self) -> tuple[int, ...]:
        """Couplings whose weights change."""
        return tuple(c for c, k in enumerate(self.couplings) if k.rule is not None)

    @cached_property
    def rate_couplings(self) -> tuple[int, ...]:
        """Couplings that act at every moment."""
        return tuple(c for c, k in enumerate(self.couplings) if not k.carries_spikes)

    @cached_property
    def spike_couplings(self) -> tuple[int, ...]:
        """Couplings that act when spikes arrive."""
        return tuple(c for c, k in enumerate(self.couplings) if k.carries_spikes)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Couplings of spikes whose synapses have several delays, by their source."""
        found: dict[tuple[int, str], list[int]] = {}
        for c in self.spike_couplings:
            kind = self.couplings[c].kinds[0]
            if kind in GROUP_ARRAYS:
                found.setdefault((self.couplings[c].source[0], kind), []).append(c)
        return tuple(
            Group(kind, p, tuple(members), tuple(dict.fromkeys(
                self.couplings[c].target for c in members
            )))
            for (p, kind), members in found.items()
        )  # fmt: skip

    @property
    def schedules(self) -> bool:
        """Whether any spikes are scheduled when they are emitted."""
        return any(group.kind == "scheduled" for group in self.groups)

    @cached_property
    def noise_streams(self) -> tuple[tuple[int, str], ...]:
        """Every noise variable; its position is the number of its random stream."""
        return tuple(
            (p, xi)
            for p, population in enumerate(self.populations)
            for xi in population.equations.noise_names
        )

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The order in which a network is evaluated; see `Stage`."""
        return _stages(self)


@dataclass(frozen=True)
class Stage:
    """Couplings that can be applied together, then the algebraic variables that follow from them.

    Attributes
    ----------
    couplings : tuple of int
    algebraic : dict of int to tuple of str
        Population index to its variables, in an order in which they can be evaluated.
    """

    couplings: tuple[int, ...]
    algebraic: dict[int, tuple[str, ...]]


def _stages(structure: Structure) -> tuple[Stage, ...]:
    """Sort inputs and algebraic variables by how many couplings lie before them."""
    before = _dependencies(structure)
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        loop = error.args[1][:-1]
        first = min(loop, key=lambda node: node[1] in structure.populations[node[0]].inputs)
        start = loop.index(first)
        labels = [structure.label(*node) for node in (*loop[start:], *loop[:start], first)]
        raise EquationError(
            f"algebraic loop: {' -> '.join(labels)}. A loop must pass through a state; give one of "
            "these variables an equation `d.../dt = ...`."
        ) from None
    incoming: dict[tuple[int, str], list[int]] = {}
    for index in structure.rate_couplings:
        incoming.setdefault(structure.couplings[index].target, []).append(index)
    level: dict[tuple[int, str], int] = {}
    for node in order:
        level[node] = max((level[n] for n in before[node]), default=0) + (node in incoming)
    stages = []
    for k in range(max(level.values(), default=0) + 1):
        here = [node for node in order if level[node] == k]
        couplings = sorted(c for node in here for c in incoming.get(node, ()))
        algebraic = {}
        for p, population in enumerate(structure.populations):
            names = tuple(a for a in population.algebraic if (p, a) in here)
            if names:
                algebraic[p] = names
        stages.append(Stage(tuple(couplings), algebraic))
    return tuple(stages)


def _dependencies(structure: Structure) -> dict[tuple[int, str], list[tuple[int, str]]]:
    before: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for p, population in enumerate(structure.populations):
        stateless = {*population.algebraic, *population.inputs}
        for name in population.inputs:
            before[p, name] = []
        for variable in population.equations.algebraic:
            before[p, variable.name] = [(p, u) for u in variable.uses if u in stateless]
    for coupling in (structure.couplings[c] for c in structure.rate_couplings):
        if coupling.source in before:
            before[coupling.target].append(coupling.source)
    return before
