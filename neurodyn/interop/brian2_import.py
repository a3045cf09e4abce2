"""Brian2's networks as ours: `from_brian2`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.coupling import PoissonInput
from neurodyn.interop.import_groups import GroupReader, base, namespace_of, timed_values
from neurodyn.interop.import_methods import choose_solver, fitting_solvers, solver_for
from neurodyn.interop.import_monitors import Monitors
from neurodyn.interop.import_names import Names, Untranslatable, noted, resolved
from neurodyn.interop.import_parts import Parts
from neurodyn.interop.import_plasticity import PlasticReader
from neurodyn.interop.import_synapses import SynapsesReader
from neurodyn.interop.obstacles import Obstacles
from neurodyn.network import Network
from neurodyn.signals.kinds import FunctionSignal
from neurodyn.solvers import Euler, Solver
from neurodyn.spike_sources import spike_source
from neurodyn.units import Quantity

if TYPE_CHECKING:
    from neurodyn.signals import Signal


@dataclass(frozen=True)
class ImportedNetwork:
    """A network that was Brian2's, and how to run it; see `from_brian2`.

    Attributes
    ----------
    network : Network
        Populations have the groups' names, and begin at the groups' present values.
    solver : Solver
        Does what the groups' method does, with Brian2's dt.
    record : dict of str to ndarray or None
        What the monitors record, as `neurodyn.simulate` takes it.
    every : float or None
        Interval of the state monitors, s.
    inputs : dict of str to Signal
        What TimedArrays drive.
    """

    network: Network
    solver: Solver
    record: Mapping[str, Any]
    every: float | None
    inputs: Mapping[str, Signal]

    def arguments(self, duration) -> dict[str, Any]:
        """Arguments for a run: ``nd.simulate(**imported.arguments(1*nd.second), rng=1)``."""
        return {
            "network": self.network,
            "solver": self.solver,
            "duration": duration,
            "record": dict(self.record) if self.record else None,
            "every": self.every,
            "inputs": dict(self.inputs),
        }


def from_brian2(
    network, *, namespace: Mapping[str, Any] | None = None, solver: Solver | None = None
) -> ImportedNetwork:
    """Read a network that was written for Brian2.

    Groups, synapses, Poisson and given spikes and monitors become ours, with their present values;
    nothing is run. Deterministic networks then spike in the same steps, except where rounding
    decides; random numbers are drawn by us, so they agree in their statistics.

    Parameters
    ----------
    network : brian2.Network, or list of Brian2's objects
        ``brian2.collect()`` gives what Brian2's ``run`` would run. It must not have run yet, for
        spikes on their way cannot be taken over.
    namespace : dict of str to number, Quantity or TimedArray, optional
        External names that the groups' own namespaces do not hold: often ``globals()``. Brian2
        looks around for them in the running code; this function does not.
    solver : Solver, optional
        Default: the one that does what the groups' methods do.

    Returns
    -------
    ImportedNetwork

    Raises
    ------
    ConversionError
        Naming everything that cannot be taken over: network operations, ``run_regularly``,
        refractoriness by a condition, events of one's own, functions of one's own, linked
        variables, multicompartment neurons, several clocks, other schedules than Brian2's default,
        and whatever else our equations or couplings do not know.

    Notes
    -----
    A parameter of a group that resets, synapses or Poisson input change becomes a state of
    derivative 0. Parameters that nothing uses are left out.
    """
    from neurodyn.unit_check import import_brian2

    import_brian2()
    return _Import(network, namespace, solver).result()


_SENTENCE = "parts of this network cannot be taken over from Brian2"


class _Import:
    """One conversion."""

    def __init__(self, network, namespace, solver):
        self.obstacles = Obstacles()
        self.namespace = namespace_of(namespace)
        if solver is not None and not isinstance(solver, Solver):
            raise TypeError(f"`solver` must be a solver such as nd.Euler(dt=...); got {solver!r}")
        self.solver = solver
        self.parts = Parts(network, self.obstacles)
        self.obstacles.check(_SENTENCE)
        self.dt = self.parts.dt
        self.synapses = [
            SynapsesReader(s, Names(s, self.namespace), self.dt, self.obstacles)
            for s in self.parts.synapses
        ]
        self.groups = self._group_readers()
        self.kinds = {name: reader.kind for name, reader in self.groups.items()}
        self.kinds |= dict.fromkeys(self.parts.generators, lambda name: "")

    def _group_readers(self) -> dict[str, GroupReader]:
        changed: dict[str, set[str]] = {name: set() for name in self.parts.groups}
        filled: dict[str, set[str]] = {name: set() for name in self.parts.groups}
        for reader in self.synapses:
            for side, variable in reader.changes():
                if side != "synapse":
                    changed.setdefault(reader.groups[side].name, set()).add(variable)
            for side, variable in reader.summed():
                filled.setdefault(reader.groups[side].name, set()).add(variable)
        for source in self.parts.poisson:
            changed[base(source._group).name].add(source._target_var)
        for name, poisson in self.parts.poisson_statements:
            changed[name].add(poisson.target)
        for name, held in self.parts.held.items():
            for variable, arriving in held.items():
                filled[name].add(variable)
                changed[name].discard(arriving)
        return {
            name: GroupReader(group, changed[name], filled[name], Names(group, self.namespace),
                              self.dt, self.obstacles)
            for name, group in self.parts.groups.items()
        }  # fmt: skip

    def _target_name(self, group, variable: str) -> str:
        """The variable of a population at which spikes onto a variable of its group end."""
        held = {arriving: name for name, arriving in self.parts.held.get(group.name, {}).items()}
        return held.get(variable, variable)

    def result(self) -> ImportedNetwork:
        """The network and how to run it."""
        populations = {name: reader.population() for name, reader in self.groups.items()}
        for name, group in self.parts.generators.items():
            populations[name] = self._generator(group)
        candidates = self._candidates()
        couplings: list[Any] = []
        by_synapses: dict[str, Any] = {}
        for reader in self.synapses:
            if reader.is_plastic:
                plastic = self._plastic(reader, candidates)
                if (coupling := plastic.coupling()) is not None:
                    couplings.append(coupling)
                by_synapses[reader.name] = (plastic, coupling)
            else:
                couplings += reader.sums(self.groups)
                couplings += reader.couplings(self.kinds, self._target_name)
        for source in self.parts.poisson:
            with noted(self.obstacles, source.name):
                couplings.append(self._poisson_input(source))
        for name, poisson in self.parts.poisson_statements:
            with noted(self.obstacles, name):
                couplings.append(self._poisson_statement(name, poisson))
        self.obstacles.check(_SENTENCE)
        network = None
        with noted(self.obstacles, "the network"):
            network = Network(populations, couplings)
        self.obstacles.check(_SENTENCE)
        inputs = {
            f"{name}.{variable}": FunctionSignal(timed_values(array, self.dt, reader.size))
            for name, reader in self.groups.items()
            for variable, (array, _) in reader.inputs.items()
        }
        monitors = Monitors(network, self.dt, by_synapses, self.obstacles)
        record, every = monitors.recorded(self.parts.monitors)
        solver = self.solver or solver_for(network, candidates, self.dt, inputs, self.obstacles)
        self.obstacles.check(_SENTENCE)
        return ImportedNetwork(
            network, solver, MappingProxyType(record), every, MappingProxyType(inputs)
        )

    # -- what spikes by itself -----------------------------------------------------------------

    def _generator(self, group):
        """Given spikes, each in the step in which Brian2 emits it."""
        time = np.array(group.variables["spike_time"].get_value(), float)
        unit = np.array(group.variables["neuron_index"].get_value(), np.int64)
        if group.variables["period"].get_value().item() != 0:
            self.obstacles.add(group.name, "it repeats its spikes with a period")
        step = np.array((time + 1e-3 * self.dt) / self.dt, np.int64)  # as Brian2 counts them
        return spike_source(len(group), step * self.dt, unit)

    def _poisson_input(self, source) -> PoissonInput:
        group, part = base(source._group), source._group
        reader, target = self.groups[group.name], source._target_var
        if isinstance(source._weight, str):
            weight = Quantity(*reader.constant(source._weight))
        else:
            weight = source._weight
        rate = float(source._rate)
        if len(part) != len(group):
            each = np.zeros(len(group))
            each[part.start : part.stop] = rate
            rate = each
        return PoissonInput(
            f"{group.name}.{self._target_name(group, target)}", rate, weight, int(source._N)
        )

    def _poisson_statement(self, name: str, statement) -> PoissonInput:
        reader = self.groups[name]
        rate, weight = (Quantity(*reader.constant(t)) for t in (statement.rate, statement.weight))
        target = self._target_name(reader.group, statement.target)
        return PoissonInput(f"{name}.{target}", rate, weight)

    # -- the solver ----------------------------------------------------------------------------

    def _plastic(self, reader: SynapsesReader, candidates) -> PlasticReader:
        by_euler = isinstance(self.solver, Euler) or candidates[:1] == (Euler,)
        clip = self.parts.clips.get(reader.name)
        return PlasticReader(reader, self.groups, self._target_name, by_euler, clip)

    def _candidates(self) -> tuple[type, ...]:
        """Solvers that do what the groups' methods do, the best first."""
        fitting = {}
        for name, reader in self.groups.items():
            equations = getattr(reader.group, "equations", None)
            if equations is None or not equations.diff_eq_names:
                continue
            try:
                variables = resolved(reader.group, equations, self.namespace)
            except Untranslatable:
                continue  # the population has told of it
            fitting[name] = fitting_solvers(reader, variables)
            if reader.reads_between_steps and fitting[name][0] == "rk4":
                self.obstacles.add(
                    name,
                    "rk4 reads a TimedArray between steps; write it as `I = stim(t) : amp "
                    "(constant over dt)`, or give `solver`",
                )
        if self.solver is not None:
            return ()
        if any(reader.summed() for reader in self.synapses):
            for name, (method, _) in fitting.items():
                if method in ("rk4", "our heun"):
                    self.obstacles.add(
                        name, f"{method} with summed variables, which Brian2 holds over a step"
                    )
        return choose_solver(fitting, self.obstacles)
