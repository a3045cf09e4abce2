"""Our networks as Brian2's: `to_brian2`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.interop.brian2_text import quantity
from neurodyn.interop.export_couplings import (
    make_rate_synapses,
    make_spike_synapses,
    plan_poisson,
)
from neurodyn.interop.export_groups import GroupPlan, InputNames, set_values
from neurodyn.interop.export_plasticity import PlasticPlan
from neurodyn.interop.obstacles import Obstacles
from neurodyn.simulation.preparation import INITIAL, SIGNAL
from neurodyn.solvers import Solver
from neurodyn.unit_check import import_brian2
from neurodyn.units import SECOND, Hz

if TYPE_CHECKING:
    from neurodyn.network import Network


@dataclass(frozen=True)
class Brian2Network:
    """A network of Brian2's objects; see `to_brian2`.

    Attributes
    ----------
    network : brian2.Network
        Runs it: ``result.network.run(1*brian2.second)``.
    groups : mapping of str to brian2.NeuronGroup, PoissonGroup or SpikeGeneratorGroup
        By the population's name.
    synapses : mapping of str to brian2.Synapses
        By the coupling's label, as `Network.coupling_labels` gives them.
    poisson_inputs : mapping of str to brian2.PoissonInput
        By label, ``"Poisson->E.v"``; those without `n_sources` are statements of their group.
    monitors : mapping of str to monitor
        By what is recorded: ``"E.spike"`` a SpikeMonitor, ``"E.v"`` a StateMonitor,
        ``"E.spike_rate"`` a PopulationRateMonitor (whose bins are steps).
    """

    network: Any
    groups: Mapping[str, Any]
    synapses: Mapping[str, Any]
    poisson_inputs: Mapping[str, Any]
    monitors: Mapping[str, Any]

    def __repr__(self) -> str:
        return (
            f"<Brian2Network: groups {', '.join(self.groups)}; synapses "
            f"{', '.join(self.synapses) or 'none'}; monitors {', '.join(self.monitors) or 'none'}>"
        )


def to_brian2(
    network: Network,
    solver: Solver,
    *,
    inputs: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    rng=None,
    trial: int = 0,
    trials: int | None = None,
    record: Sequence[str] | Mapping[str, Any] | None = None,
    every=None,
    duration=None,
) -> Brian2Network:
    """A network as Brian2's objects, ready to run.

    What `neurodyn.simulate` does with the same arguments, Brian2 does with the result: the same
    equations, values and schedule, and the same numbers at the beginning and from random signals,
    those of one trial. White noise and Poisson spikes are drawn by Brian2, so they agree in their
    statistics only.

    Parameters
    ----------
    network : Network
    solver : Solver
        `Exact`, `ExponentialEuler`, `Euler`, `RK4` or `Heun`; its dt is that of all objects.
        Brian2's default clock is left alone.
    inputs, initial, record, every
        As for `neurodyn.simulate`; `initial` is a dict of states.
    rng : int, SeedSequence, Generator or None
        Root of the random numbers of the run.
    trial : int
        Which trial of the run it shall be.
    trials : int, optional
        How many the run has; only arrays ``(trial, time, unit)`` among the inputs need to know.
    duration : float or Quantity, optional
        How long the inputs shall last that vary in time, s.

    Returns
    -------
    Brian2Network

    Raises
    ------
    ConversionError
        Naming everything that Brian2 cannot express.

    Notes
    -----
    Nothing of Brian2's global state is changed: not its preferences, so that
    ``brian2.prefs.codegen.target`` decides how it runs, nor its device or magic network.
    """
    from neurodyn.simulation.arguments import root_seed

    if not isinstance(solver, Solver):
        raise TypeError(f"`solver` must be a solver such as nd.Euler(dt=...); got {solver!r}")
    root = root_seed(rng, None)
    signals = _signals(network, solver, inputs, root, trial, trials, duration)
    state = _initial_state(network, initial, root, trial)
    export = _Export(network, solver, signals)
    export.check()
    try:
        export.make(state)
        export.add_monitors(record, every)
        export.check()
    except Exception:
        export.discard()
        raise
    return export.result()


def _seed(root, purpose: int, trial: int, extra: tuple[int, ...] = ()) -> np.random.SeedSequence:
    """The seed that a run gives to one trial for a purpose."""
    key = (*root.spawn_key, purpose, *extra, trial)
    return np.random.SeedSequence(root.entropy, spawn_key=key)


def _signals(network, solver, inputs, root, trial, trials, duration) -> dict[str, Any]:
    """What drives each input: a number, one a unit, or an array (time, unit or 1) and its dt."""
    from neurodyn.simulation.arguments import as_signals
    from neurodyn.simulation.time_grid import count_steps

    found = {}
    for name, signal in as_signals(network, inputs).items():
        size = network.populations[network.split(name)[0]].size
        if signal.is_constant:
            values = signal.constant_value(size)
            found[name] = float(values[0]) if np.all(values == values[0]) else values
            continue
        if duration is None:
            raise ValueError(
                f"`duration` is needed, because the input `{name}` varies in time; "
                "say how long it shall last: duration=1*nd.second"
            )
        n_steps = count_steps(duration, solver.dt, "duration")
        seed = _seed(root, SIGNAL, trial, (network.input_names.index(name),))
        sampler = signal.sampler(
            solver.dt, size, [seed], n_steps=n_steps, first_trial=trial, n_trials=trials, name=name
        )
        found[name] = (sampler.take(n_steps)[:, 0, :], solver.dt)
    return found


def _initial_state(network, initial, root, trial) -> dict[str, np.ndarray]:
    """The state at which `simulate` would begin this trial, (unit,) each."""
    from neurodyn.simulation.arguments import broadcast_state

    if initial is not None and not isinstance(initial, dict):
        raise TypeError(
            "`initial` must be a dict of states, because Brian2 begins at time 0; from a Dataset "
            "they are `nd.final_state(ds)`"
        )
    state = network.initial_state([_seed(root, INITIAL, trial)])
    for name, value in (initial or {}).items():
        if name not in state:
            network.split(name)
            raise ValueError(f"`initial`: `{name}` is not a state; states: {', '.join(state)}")
        if np.ndim(value) == 2 and len(value) > 1:
            value = value[trial : trial + 1]
        state[name] = broadcast_state(name, value, state[name], network)
    return {name: values[0] for name, values in state.items()}


class _Export:
    """One conversion: plans, then objects."""

    def __init__(self, network: Network, solver: Solver, signals: Mapping[str, Any]):
        self.network, self.solver = network, solver
        self.obstacles = Obstacles()
        self.groups: dict[str, Any] = {}
        self.synapses: dict[str, Any] = {}
        self.poisson_inputs: dict[str, Any] = {}
        self.monitors: dict[str, Any] = {}
        self.identifiers: set[str] = set()
        self._check_solver()
        self.plans = {
            name: GroupPlan(name, population, self.obstacles)
            for name, population in network.members.items()
            if population.emits != "replay"
        }
        self.inputs = {name: self._plan_input(name, signals.get(name)) for name in
                       network.input_names}  # fmt: skip
        self.poisson = [self._plan_poisson(source) for source in network.poisson_inputs]
        self.targets = self._targets()
        self.plastic = {
            c: PlasticPlan(network, c, self.plans, self.targets[c], solver)
            for c, coupling in enumerate(network.couplings)
            if coupling.plasticity is not None
        }
        for plan in self.plastic.values():
            plan.prepare()

    def _targets(self) -> list[str]:
        """The variable that each coupling writes to."""
        rates = {name: iter(names.rates) for name, names in self.inputs.items()}
        return [
            self._spike_target(c.target) if c.carries_spikes else next(rates[c.target])
            for c in self.network.couplings
        ]

    def check(self) -> None:
        """Raise if there are obstacles."""
        self.obstacles.check("Brian2 cannot express parts of this network")

    def discard(self) -> None:
        """Throw away what was made; Brian2 would warn that it was never used."""
        for made in self._objects():
            made._network = "discarded"

    def _check_solver(self) -> None:
        name = type(self.solver).__name__
        if self.solver.adaptive:
            self.obstacles.add(name, "Brian2 steps on a fixed grid; choose another solver")
        for label, coupling in zip(self.network.coupling_labels, self.network.couplings,
                                   strict=True):  # fmt: skip
            if not coupling.carries_spikes and self.solver.method in ("rk4", "heun"):
                self.obstacles.add(
                    label,
                    f"Brian2 holds couplings of rates over a step, {name} does not; use nd.Euler, "
                    "nd.ExponentialEuler or nd.Exact",
                )

    def _plan_input(self, name: str, signal) -> InputNames:
        population, variable = self.network.split(name)
        onto = [c for c in self.network.couplings if c.target == name]
        n_rates = sum(not c.carries_spikes for c in onto)
        takes_spikes = len(onto) > n_rates or any(
            source.target == name for source in self.network.poisson_inputs
        )
        return self.plans[population].add_input(variable, signal, n_rates, takes_spikes)

    def _spike_target(self, name: str) -> str:
        """The variable of a group at which spikes onto `name` arrive."""
        return self.inputs[name].arriving if name in self.inputs else name.rpartition(".")[2]

    def _plan_poisson(self, source):
        plan = self.plans[self.network.split(source.target)[0]]
        target = self._spike_target(source.target)
        return plan_poisson(source, plan, target, self.network.dimension(source.target))

    def _objects(self) -> list[Any]:
        found = [self.groups, self.synapses, self.poisson_inputs]
        objects = [made for part in found for made in part.values()]
        return [*objects, *dict.fromkeys(self.monitors.values())]

    # -- making --------------------------------------------------------------------------------

    def identifier(self, name: str) -> str:
        """A name that Brian2 allows, once in the network."""
        plain = re.sub(r"\W+", "_", name.replace("->", "_to_"))
        found, k = plain, 2
        while found in self.identifiers:
            found, k = f"{plain}_{k}", k + 1
        self.identifiers.add(found)
        return found

    def make(self, state: Mapping[str, np.ndarray]) -> None:
        """Groups, synapses, and the state at the beginning."""
        brian2 = import_brian2()
        self.clock = brian2.Clock(dt=quantity(self.solver.dt, SECOND))
        for name, population in self.network.members.items():
            self.groups[name] = self._make_group(name, population)
        for name, values in state.items():
            population, variable = self.network.split(name)
            if variable in self.groups[population].variables:  # else a trace, which begins at 0
                set_values(self.groups[population], variable, values)
        stages = self._stages()
        for c, label in enumerate(self.network.coupling_labels):
            self.synapses[label] = self._make_synapses(c, self.identifier(label), stages.get(c, 0))
        for source, make in zip(self.network.poisson_inputs, self.poisson, strict=True):
            if make is not None:
                label, k = source.label, 2
                while label in self.poisson_inputs:
                    label, k = f"{source.label}#{k}", k + 1
                group = self.groups[self.network.split(source.target)[0]]
                self.poisson_inputs[label] = make(group)

    def _make_synapses(self, c: int, name: str, stage: int):
        coupling = self.network.couplings[c]
        if c in self.plastic:
            return self.plastic[c].make(self.groups, self.clock, name, stage)
        source, target = coupling.source, coupling.target
        pre, post = (self.groups[self.network.split(end)[0]] for end in (source, target))
        dim, onto = self.network.dimension(target), self.targets[c]
        if coupling.carries_spikes:
            return make_spike_synapses(coupling, pre, post, onto, dim, self.clock, name)
        dims = (self.network.dimension(source), dim)
        return make_rate_synapses(coupling, pre, post, onto, dims, self.clock, name, stage)

    def _make_group(self, name: str, population):
        brian2 = import_brian2()
        identifier = self.identifier(name)
        if population.emits == "replay":
            from neurodyn.simulation.spikes import replay_lists

            step, unit = replay_lists(population, self.solver.dt, name)
            return brian2.SpikeGeneratorGroup(
                population.size, unit, quantity(step * self.solver.dt, SECOND), clock=self.clock,
                name=identifier,
            )  # fmt: skip
        is_poisson = population.emits == "chance" and "".join(population.threshold.split()) == (
            "rand()<rate*dt"
        )
        if is_poisson:
            rate = np.broadcast_to(population.parameters["rate"], (population.size,))
            return brian2.PoissonGroup(
                population.size, quantity(rate, Hz.dim), clock=self.clock, name=identifier
            )
        plan = self.plans[name]
        group = plan.make(identifier, self.clock, self.solver)
        plan.check_method(group, self.solver)
        return group

    def _stages(self) -> dict[int, int]:
        """Stage of each coupling of rates: sums of sums come after them."""
        stages = self.network.structure("float64").stages
        return {c: k for k, stage in enumerate(stages, 1) for c in stage.couplings}

    def add_monitors(self, record, every) -> None:
        """Monitors of what `simulate` would record."""
        from neurodyn.simulation.recording import Recording
        from neurodyn.simulation.time_grid import count_steps

        brian2 = import_brian2()
        steps = 1 if every is None else count_steps(every, self.solver.dt, "every")
        recording = Recording.of(self.network, record, self.solver.dt)
        for name, units in recording.spikes.items():
            if units is not None:
                self.obstacles.add(
                    f"{name}.spike", "Brian2 monitors the spikes of all units; record them all"
                )
            self.monitors[f"{name}.spike"] = brian2.SpikeMonitor(self.groups[name])
        for name in recording.rates:
            self.monitors[f"{name}.spike_rate"] = brian2.PopulationRateMonitor(self.groups[name])
        dt = quantity(steps * self.solver.dt, SECOND)
        together: dict[Any, list] = {}
        for column in recording.columns:
            owner, variable = self._monitored(column.name)
            if owner is not None:
                together.setdefault((owner, column.units.tobytes()), []).append((variable, column))
        for (owner, _), members in together.items():
            column = members[0][1]
            monitor = brian2.StateMonitor(
                owner, [variable for variable, _ in members],
                record=column.units if column.is_subset else True, dt=dt,
            )  # fmt: skip
            for _, column in members:
                self.monitors[column.name] = monitor

    def _monitored(self, name: str):
        """Brian2's object and variable of something to record."""
        label, _, variable = name.rpartition(".")
        if "->" in name:
            plan = self.plastic[self.network.coupling_labels.index(label)]
            return self.synapses[label], plan.names[variable]
        if variable in self.network.populations[label].equations.noise_names:
            self.obstacles.add(name, "Brian2 does not monitor noise")
        elif variable in self.groups[label].variables:
            return self.groups[label], variable
        else:
            self.obstacles.add(
                name, "Brian2 keeps the traces of plasticity rules at synapses; monitor them there"
            )
        return None, ""

    def result(self) -> Brian2Network:
        brian2 = import_brian2()
        parts = (self.groups, self.synapses, self.poisson_inputs, self.monitors)
        return Brian2Network(brian2.Network(*self._objects()), *map(MappingProxyType, parts))
