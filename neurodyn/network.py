"""Populations joined by couplings: `Network`.

It is immutable. A network is checked when it is made: every name, shape, unit and value is
known to fit before anything is compiled or run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.compile.structure import (
    SPIKE,
    CouplingStructure,
    PopulationStructure,
    Structure,
)
from neurodyn.coupling import Coupling, PoissonInput
from neurodyn.plasticity.network_rules import bind_rules
from neurodyn.population import Frozen, Population, checked_array, listed, suggestion
from neurodyn.units import DIMENSIONLESS, UnitError, format_dimension, to_si
from neurodyn.weights import as_weights
from neurodyn.weights.delivery import delivery_kind
from neurodyn.weights.delivery_groups import group_kind

if TYPE_CHECKING:
    from neurodyn.compile.compiled import CompiledNetwork
    from neurodyn.plasticity.binding import BoundRule


class Network(Frozen):
    """Named populations, coupled.

    Parameters
    ----------
    populations : dict of str to Population or Network
        A network as a member brings its populations in under ``"member/population"``.
    couplings : sequence of Coupling or PoissonInput
        Among the populations, nested ones by their full name.

    Raises
    ------
    ValueError
        For unknown names (with a suggestion), shapes that do not fit the populations, or a
        parameter as a target.
    neurodyn.EquationError
        For an algebraic loop: a cycle of couplings that passes through no state.

    Examples
    --------
    >>> import neurodyn as nd
    >>> net = nd.Network(
    ...     {"E": nd.Population(2, "dx/dt = (-x + I)/tau : 1", tau=10*nd.ms)},
    ...     [nd.Coupling("E.x", "E.I", [[0.0, 1.0], [1.0, 0.0]])],
    ... )
    >>> net.state_names
    ('E.x',)
    """

    def __init__(
        self,
        populations: Mapping[str, Population | Network],
        couplings: Sequence[Coupling | PoissonInput] = (),
    ):
        if not isinstance(populations, Mapping):
            raise TypeError(
                f'`populations` must be a dict of names, {{"E": Population(...)}}; '
                f"got {type(populations).__name__}"
            )
        if isinstance(couplings, (Coupling, PoissonInput)):
            raise TypeError("`couplings` must be a list of Couplings; got one Coupling, not a list")
        flat: dict[str, Population] = {}
        flat_couplings: list[Coupling | PoissonInput] = []
        for name, member in populations.items():
            _check_name(name)
            if isinstance(member, Network):
                for inner, population in member.members.items():
                    flat[f"{name}/{inner}"] = population
                flat_couplings += [
                    replace(c, source=f"{name}/{c.source}", target=f"{name}/{c.target}")
                    for c in member.couplings
                ]
                flat_couplings += [
                    replace(c, target=f"{name}/{c.target}") for c in member.poisson_inputs
                ]
            elif isinstance(member, Population):
                flat[name] = member
            else:
                raise TypeError(
                    f"`populations[{name!r}]` must be a Population or a Network; "
                    f"got {type(member).__name__}"
                )
        if not flat:
            raise ValueError("`populations` is empty: a network needs at least one population")
        for coupling in couplings:
            if not isinstance(coupling, (Coupling, PoissonInput)):
                raise TypeError(
                    f"`couplings` must hold Couplings; got {type(coupling).__name__}: {coupling!r}"
                )
        self._assemble(flat, [*flat_couplings, *couplings])

    # -- names ---------------------------------------------------------------------------------

    def split(self, name: str) -> tuple[str, str]:
        """``"E.r"`` as ``("E", "r")``, checked to exist as a variable, input or parameter.

        Raises
        ------
        ValueError
            With a suggestion, if there is no such population or variable.
        """
        if not isinstance(name, str) or name.count(".") != 1:
            raise ValueError(f'a variable is named "population.variable"; got {name!r}')
        population, variable = name.split(".")
        if population not in self.populations:
            every = [f"{p}.{v}" for p in self.populations for v in self._names(p)]
            hint = suggestion(name, every) or suggestion(population, self.populations)
            raise ValueError(
                f"`{name}`: the network has no population `{population}`{hint or '.'} "
                f"It has {listed(self.populations)}."
            )
        known = self._names(population)
        if variable not in known:
            raise ValueError(
                f"`{name}`: population `{population}` has no `{variable}`"
                f"{suggestion(variable, known) or '.'} It has {listed(known)}."
            )
        return population, variable

    def _names(self, population: str) -> list[str]:
        equations = self.populations[population].equations
        names = [*equations.variables, *equations.open_names, *equations.noise_names]
        return [*names, SPIKE] if equations.spiking else names

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """Full names of the states, in the order in which the flat state vector holds them."""
        return tuple(
            f"{name}.{v.name}" for name, p in self.populations.items() for v in p.equations.states
        )

    @cached_property
    def noise_names(self) -> tuple[str, ...]:
        """Full names of the white noises, ``"E.xi"``, one independent source for every unit."""
        return tuple(
            f"{name}.{xi}" for name, p in self.populations.items() for xi in p.equations.noise_names
        )

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """Full names of the inputs: what has no value of its own."""
        return tuple(
            f"{name}.{n}"
            for name, p in self.populations.items()
            for n in p.equations.open_names
            if n not in p.parameters
        )

    @cached_property
    def coupling_labels(self) -> tuple[str, ...]:
        """``"E.r->I.drive"`` of each coupling; a repeated one gets ``#2``."""
        labels: list[str] = []
        for coupling in self.couplings:
            count = sum(label.split("#")[0] == coupling.label for label in labels)
            labels.append(coupling.label if not count else f"{coupling.label}#{count + 1}")
        return tuple(labels)

    @cached_property
    def n_states(self) -> int:
        """Length of the flat state vector."""
        return sum(p.size * len(p.equations.states) for p in self.populations.values())

    def pack(self, state: Mapping[str, Any]) -> np.ndarray:
        """Named states as flat vectors, the form that `field` and `jacobian` take.

        Parameters
        ----------
        state : dict of str to array_like, (unit,) or (trial, unit)
            Every state by its full name, as `neurodyn.final_state` gives them; a number stands for
            all units.

        Returns
        -------
        ndarray, (n_states,) or (trial, n_states)
        """
        missing = [n for n in self.state_names if n not in state]
        if missing or len(state) > len(self.state_names):
            raise ValueError(
                f"`state` must have exactly {listed(self.state_names)}; got {list(state)}"
            )
        parts = []
        for name in self.state_names:
            value = np.asarray(to_si(state[name], name).value, dtype=float)
            size = self.populations[self.split(name)[0]].size
            parts.append(np.broadcast_to(value, (*value.shape[:-1], size)))
        leading = np.broadcast_shapes(*(p.shape[:-1] for p in parts))
        return np.concatenate([np.broadcast_to(p, (*leading, p.shape[-1])) for p in parts], axis=-1)

    def unpack(self, x) -> dict[str, np.ndarray]:
        """Flat vectors ``(..., n_states)`` as a dict of named states ``(..., unit)``."""
        x = np.asarray(x)
        if x.ndim == 0 or x.shape[-1] != self.n_states:
            raise ValueError(
                f"`x` must be (..., n_states) with n_states = {self.n_states}; got shape {x.shape}"
            )
        sizes = [self.populations[self.split(name)[0]].size for name in self.state_names]
        parts = np.split(x, np.cumsum(sizes)[:-1], axis=-1)
        return dict(zip(self.state_names, parts, strict=True))

    def dimension(self, name: str):
        """SI dimension of a variable, input or parameter, or of what a plastic synapse keeps."""
        label, _, own = name.rpartition(".")
        if label in self.coupling_labels:
            return self.rules[self.coupling_labels.index(label)].dims[own]
        population, variable = self.split(name)
        if variable == SPIKE:
            return DIMENSIONLESS
        return self.populations[population].equations.dimension(variable)

    @property
    def spiking_populations(self) -> tuple[str, ...]:
        """Names of the populations whose units spike."""
        return tuple(name for name, p in self.populations.items() if p.is_spiking)

    # -- checks --------------------------------------------------------------------------------

    def _check_coupling(self, coupling: Coupling) -> None:
        source, variable = self.split(coupling.source)
        target, _ = self.split(coupling.target)
        pre, post = self.populations[source], self.populations[target]
        if variable in pre.parameters or variable in pre.equations.noise_names:
            kind = "a parameter" if variable in pre.parameters else "white noise"
            raise ValueError(
                f"`{coupling.source}` is {kind}; a coupling starts at a state, an algebraic "
                "variable or an input"
            )
        self._check_target(coupling)
        as_weights(
            coupling.weights, name=f"weights of {coupling.label}", shape=(post.size, pre.size)
        )
        if coupling.weights.dim is not None:
            self._check_brought(coupling, coupling.weights.dim, self.dimension(coupling.source))

    def _check_target(self, coupling: Coupling | PoissonInput) -> None:
        population, name = self.split(coupling.target)
        post = self.populations[population]
        takes_spikes = isinstance(coupling, PoissonInput) or coupling.carries_spikes
        is_state = coupling.target in self.state_names
        if coupling.target in self.input_names or (takes_spikes and is_state):
            return
        if name in post.parameters:
            kind = "a parameter with a value"
        else:
            kind = "a state, at which only spikes can arrive" if is_state else "not an input"
        raise ValueError(
            f"`{coupling.target}` is {kind}; a coupling ends at an input, a name that the "
            f"equations use and nothing defines{', or at a state' if takes_spikes else ''}. "
            f"Inputs: {listed(self.input_names)}."
        )

    def _check_brought(self, coupling: Coupling | PoissonInput, dim, source) -> None:
        """Check the dimension of weights times source against the target's."""
        brought = tuple(a + b for a, b in zip(source, dim, strict=True))
        wanted = self.dimension(coupling.target)
        if brought != wanted:
            times = f" times `{coupling.source}`" if isinstance(coupling, Coupling) else ""
            raise UnitError(
                f"`{coupling.label}`: weights in {format_dimension(dim)}{times} give "
                f"{format_dimension(brought)}, but `{coupling.target}` is in "
                f"{format_dimension(wanted)}"
            )

    def _check_poisson(self, source: PoissonInput) -> None:
        self._check_target(source)
        size = self.populations[self.split(source.target)[0]].size
        for name in ("rate", "weight"):
            if np.shape(getattr(source, name)) not in ((), (size,)):
                raise ValueError(
                    f"`{name}` of {source.label} must be one number or one a unit, ({size},); got "
                    f"shape {np.shape(getattr(source, name))}"
                )
        if source.dim is not None:
            self._check_brought(source, source.dim, DIMENSIONLESS)

    # -- compiling -----------------------------------------------------------------------------

    def structure(
        self, dtype: str, driven: Sequence[str] = (), plastic: bool = False
    ) -> Structure:
        """What the compiler sees: the network without sizes, values and weights.

        With `plastic` the weights of plastic couplings change, as in a simulation.
        """
        index = {name: p for p, name in enumerate(self.populations)}
        places = {n: (index[n.rpartition(".")[0]], n.rpartition(".")[2]) for n in self._ends()}
        populations = tuple(self._population_structure(n, driven) for n in self.populations)
        groups = self._groups(plastic)
        couplings = tuple(
            CouplingStructure(
                places[c.source],
                places[c.target],
                self._kinds(c, plastic, groups),
                self.rules.get(k) if plastic else None,
            )
            for k, c in enumerate(self.couplings)
        )
        poisson_inputs = tuple(places[c.target] for c in self.poisson_inputs)
        return Structure(populations, couplings, dtype, poisson_inputs)

    def _ends(self) -> list[str]:
        """Sources and targets of all couplings."""
        ends = [name for c in self.couplings for name in (c.source, c.target)]
        return [*ends, *(c.target for c in self.poisson_inputs)]

    def _groups(self, plastic: bool) -> dict[str, str]:
        """How couplings whose synapses have several delays are delivered, by their source."""
        found: dict[str, list[Coupling]] = {}
        for c in self.couplings:
            if c.n_delays > 1 and not (plastic and c.plasticity is not None):
                found.setdefault(c.source, []).append(c)
        return {source: group_kind(couplings) for source, couplings in found.items()}

    @staticmethod
    def _kinds(coupling: Coupling, plastic: bool, groups: Mapping[str, str]) -> tuple[str, ...]:
        if plastic and coupling.plasticity is not None:
            is_dense = coupling.weights.kind == "dense"
            return ("plastic_dense" if is_dense else "plastic_sparse",)
        if not coupling.carries_spikes:
            return tuple(term.kind for term in coupling.weights.terms)
        if coupling.n_delays > 1:
            return (groups[coupling.source],) * len(coupling.weights.terms)
        return tuple(delivery_kind(term) for term in coupling.weights.terms)

    def _population_structure(self, name: str, driven: Sequence[str]) -> PopulationStructure:
        population = self.populations[name]
        equations = population.equations
        inputs = tuple(n for n in equations.open_names if n not in population.parameters)
        per_unit = tuple(n for n, v in population.parameters.items() if isinstance(v, np.ndarray))
        targets = {c.target for c in self.couplings}
        spiked = {c.target for c in (*self.couplings, *self.poisson_inputs)
                  if isinstance(c, PoissonInput) or c.carries_spikes}  # fmt: skip
        clamped = equations.spiking.clamped if population.is_refractory else ()
        return PopulationStructure(
            name,
            equations,
            tuple(n for n in population.compiled_values if n not in per_unit),
            per_unit,
            inputs,
            tuple(
                n
                for n in inputs
                if f"{name}.{n}" not in targets | spiked or f"{name}.{n}" in driven
            ),
            population.emits,
            population.is_refractory,
            tuple(n for n in (*inputs, *clamped) if f"{name}.{n}" in spiked),
            population.surrogate.formula if population.surrogate else "",
        )

    def compiled(
        self, dtype: str = "float64", driven: Sequence[str] = (), plastic: bool = False
    ) -> CompiledNetwork:
        """The compiled network: `field`, `tangent`, `adjoint` and the solvers' loops.

        With `plastic` the loops change the weights of plastic couplings; the three functions are
        those of the weights as they are at the beginning.
        """
        from neurodyn.compile.compiled import CompiledNetwork

        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = dtype  # refused below
        key = (name, tuple(sorted(driven)), plastic and bool(self.rules))
        cache = self.__dict__.setdefault("_compiled", {})
        if key not in cache:
            cache[key] = CompiledNetwork(self, *key)
        return cache[key]

    def field(self, x, *, inputs=None, t=0.0, dt=None) -> np.ndarray:
        """dx/dt at `x`; see `CompiledNetwork.field`."""
        return self._compiled_for(inputs).field(x, inputs=inputs, t=t, dt=dt)

    def tangent(self, x, v, *, inputs=None, t=0.0, dt=None) -> np.ndarray:
        """Jacobian at `x` times each of the vectors `v`; see `CompiledNetwork.tangent`."""
        return self._compiled_for(inputs).tangent(x, v, inputs=inputs, t=t, dt=dt)

    def adjoint(self, x, cotangent, *, inputs=None, t=0.0, dt=None):
        """Transposed Jacobian and gradients; see `CompiledNetwork.adjoint`."""
        return self._compiled_for(inputs).adjoint(x, cotangent, inputs=inputs, t=t, dt=dt)

    def jacobian(self, x, *, inputs=None, t=0.0, dt=None) -> np.ndarray:
        """Jacobian at `x` as a matrix ``(..., n_states, n_states)``."""
        return self._compiled_for(inputs).jacobian(x, inputs=inputs, t=t, dt=dt)

    def diffusion(self, x, *, inputs=None, t=0.0, dt=None) -> np.ndarray:
        """The noise at `x`: the matrix B of ``dx = f dt + B dW``, in state per square root of s.

        Parameters
        ----------
        x : array_like, (n_states,) or (trial, n_states)
        inputs, t, dt
            As for `field`.

        Returns
        -------
        ndarray, (..., n_states, n_noise)
            One column a unit of each of `noise_names`, every one an independent white noise of
            density 1, ``<xi(t) xi(t')> = delta(t - t')``. A refractory unit has none in the states
            that it holds still.
        """
        from neurodyn.compile.diffusion import diffusion

        return diffusion(self._compiled_for(inputs), x, inputs=inputs, t=t, dt=dt)

    def _compiled_for(self, inputs) -> CompiledNetwork:
        return self.compiled(driven=tuple(inputs or ()))

    def source(self, dtype: str = "float64") -> str:
        """Text of the generated module that runs this network."""
        from neurodyn.compile import module

        return module.source(self.structure(dtype, plastic=bool(self.rules)))

    # -- new networks from this one ------------------------------------------------------------

    def value(self, name: str) -> Any:
        """A parameter, an initial state or weights: what `with_values` changes, by the same name.

        Parameters
        ----------
        name : str
            ``"E.tau"``, ``"E.x"``, ``"E.r->E.I_rec"``, ``"E.surrogate"``; ``"<coupling>.<name>"``
            for a value of a plasticity rule.

        Returns
        -------
        float, ndarray, Weights or other
            Numbers are in SI. An initial state that was not given is 0.

        Examples
        --------
        >>> import neurodyn as nd, numpy as np
        >>> net = nd.rate_network(np.eye(2), tau=20*nd.ms)
        >>> net.value("E.tau"), net.value("E.r->E.I_rec").to_dense()
        (0.02, array([[1., 0.], [0., 1.]]))
        """
        named = dict(zip(self.coupling_labels, self.couplings, strict=True))
        label, _, own = name.rpartition(".")
        if label in named and named[label].plasticity is not None:
            values = named[label].plasticity.values
            if own not in values:
                raise ValueError(
                    f"the rule of {label} has no value `{own}`{suggestion(own, values) or '.'} "
                    f"It has {listed(values)}."
                )
            return to_si(values[own], own).value
        if "->" in name:
            if name not in named:
                raise ValueError(self._no_coupling(name))
            return named[name].weights
        population, _, variable = name.partition(".")
        member = self.members.get(population)
        if member is not None and variable in member.settings:
            return getattr(member, variable)
        population, variable = self.split(name)
        found = {**self.populations[population].parameters, **self.populations[population].initial}
        if variable not in found and name not in self.state_names:
            raise ValueError(
                f"`{name}` has no value of its own: it is computed or an input. "
                f"Population `{population}` has the values {listed(found)}."
            )
        return found.get(variable, 0.0)

    def _no_coupling(self, name: str) -> str:
        return (
            f"no coupling `{name}`{suggestion(name, self.coupling_labels) or '.'} "
            f"There are {listed(self.coupling_labels)}."
        )

    def with_values(self, **values: Any) -> Network:
        """The same network with other parameters, initial states or weights.

        Parameters
        ----------
        **values
            By full name, ``net.with_values(**{"E.tau": 20*nd.ms, "E.r->E.I_rec": W})``;
            ``"E.surrogate"`` and ``"E.refractory"`` are those of the population, ``"S.time"`` and
            ``"S.unit"`` the spikes of a source. The new network shares the compiled code unless
            a scalar parameter becomes an array, weights or a surrogate change their kind, or a
            refractory time becomes 0 or ceases to be. A value of a plasticity rule is
            ``"<coupling>.<name>"``.
        """
        by_population: dict[str, dict[str, Any]] = {}
        by_label: dict[str, Any] = {}
        by_rule: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            label, _, own = name.rpartition(".")
            if label in self.coupling_labels:
                by_rule.setdefault(label, {})[own] = value
            elif "->" in name:
                if name not in self.coupling_labels:
                    raise ValueError(self._no_coupling(name))
                by_label[name] = value
            else:
                population, _, variable = name.partition(".")
                member = self.members.get(population)
                if member is None or variable not in member.settings:
                    population, variable = self.split(name)
                by_population.setdefault(population, {})[variable] = value
        populations = {
            name: p.with_values(**by_population[name]) if name in by_population else p
            for name, p in self.members.items()
        }
        couplings = [
            self._changed(c, by_label.get(label), by_rule.get(label))
            for label, c in zip(self.coupling_labels, self.couplings, strict=True)
        ]
        new = Network.__new__(Network)
        new._assemble(populations, [*couplings, *self.poisson_inputs])
        return new

    @staticmethod
    def _changed(coupling: Coupling, weights, values: dict[str, Any] | None) -> Coupling:
        """A coupling with other weights, or other values of its rule."""
        if weights is not None:
            coupling = replace(coupling, weights=weights)
        if values:
            if coupling.plasticity is None:
                raise ValueError(
                    f"{coupling.label} is not plastic, it has no value `{next(iter(values))}`"
                )
            coupling = replace(coupling, plasticity=coupling.plasticity.with_values(**values))
        return coupling

    def _assemble(
        self, members: dict[str, Population], couplings: Sequence[Coupling | PoissonInput]
    ) -> None:
        """Take flat populations and couplings, and check them."""
        self.members = members
        self.populations = dict(members)
        self.rules: dict[int, BoundRule] = {}
        self.couplings = tuple(c for c in couplings if isinstance(c, Coupling))
        self.poisson_inputs = tuple(c for c in couplings if isinstance(c, PoissonInput))
        for coupling in self.couplings:
            self._check_coupling(coupling)
        for source in self.poisson_inputs:
            self._check_poisson(source)
        self.populations, self.rules = bind_rules(self)
        for name in ("state_names", "input_names"):
            self.__dict__.pop(name, None)  # the traces of rules are states too
        _ = self.structure("float64").stages  # refuses algebraic loops now, not at the first run
        self._freeze()

    def initial_state(self, seeds: Sequence[np.random.SeedSequence]) -> dict[str, np.ndarray]:
        """Initial value of every state, ``(trial, unit)``, one seed a trial."""
        generators = [np.random.default_rng(seed) for seed in seeds]
        found = {}
        for name, population in self.populations.items():
            for variable in population.equations.states:
                value = population.initial.get(variable.name, 0.0)
                rows = np.empty((len(generators), population.size))
                for row, generator in zip(rows, generators, strict=True):
                    drawn = value(generator, population.size) if callable(value) else value
                    row[:] = checked_array(variable.name, drawn, population.size)
                found[f"{name}.{variable.name}"] = rows
        return found

    def __repr__(self) -> str:
        lines = [f"<Network of {len(self.populations)} populations, {self.n_states} states"]
        lines += [f"  {name}: {p!r}" for name, p in self.populations.items()]
        lines += [f"  {c!r}" for c in (*self.couplings, *self.poisson_inputs)]
        coupled = {c.target for c in (*self.couplings, *self.poisson_inputs)}
        free = [n for n in self.input_names if n not in coupled]
        if free:
            lines.append(f"  inputs for signals (0 where none is given): {', '.join(free)}")
        return "\n".join(lines) + ">"


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(
            f"a population's name must be a Python identifier, without `.` or `/`; got {name!r}"
        )
