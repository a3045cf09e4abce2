"""The objects of one of Brian2's networks, sorted, and the idioms that can be taken over."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, NamedTuple

from neurodyn.interop.import_groups import base
from neurodyn.interop.obstacles import Obstacles
from neurodyn.statements import StatementError, read_statements

#: The schedule that is ours as well.
_SCHEDULE = ["start", "groups", "thresholds", "synapses", "resets", "end"]


class PoissonStatement(NamedTuple):
    """``target += weight*poisson(rate*dt)``, which a group runs when spikes arrive."""

    target: str
    weight: str
    rate: str


class Parts:
    """What a network is made of.

    Parameters
    ----------
    network : brian2.Network or iterable of Brian2's objects
    obstacles : Obstacles

    Attributes
    ----------
    groups, generators : dict of str to group
        NeuronGroups and PoissonGroups; SpikeGeneratorGroups.
    synapses, poisson, monitors : list
        Those that are active.
    held : dict of str to (dict of str to str)
        For each group inputs that hold spikes for a step, and the variables at which these arrive.
    poisson_statements : list of (str, PoissonStatement)
        Group and statement.
    clips : dict of str to (str, str, str)
        For each synapses whose weight is kept within bounds: its name, and both.
    dt : float, s
    """

    def __init__(self, network, obstacles: Obstacles):
        self.obstacles = obstacles
        self.groups: dict[str, Any] = {}
        self.generators: dict[str, Any] = {}
        self.synapses: list[Any] = []
        self.poisson: list[Any] = []
        self.monitors: list[Any] = []
        self.held: dict[str, dict[str, str]] = {}
        self.poisson_statements: list[tuple[str, PoissonStatement]] = []
        self.clips: dict[str, tuple[str, str, str]] = {}
        self._check_device()
        objects = self._objects(network)
        for thing in objects:
            self._sort(thing)
        for group in self.groups.values():
            self._look_into_group(group)
        for synapses in self.synapses:
            self._look_into_synapses(synapses)
        for part in (*self.poisson, *self.monitors):
            self._check_ends(part)
        self.dt = self._common_dt()
        self._check_begin(network, objects)

    def _check_device(self) -> None:
        from brian2.devices.device import RuntimeDevice, get_device

        if type(get_device()) is not RuntimeDevice:
            self.obstacles.add(
                "the device",
                f"it is {type(get_device()).__name__}, which has no values before it has run; "
                "brian2.set_device('runtime') before the network is made",
            )

    def _objects(self, network) -> list[Any]:
        from brian2 import Network
        from brian2.core.base import BrianObject

        if isinstance(network, Network):
            if network.schedule != _SCHEDULE:
                self.obstacles.add(
                    network.name, f"its schedule is {network.schedule}, not Brian2's default"
                )
            objects = sorted(network.objects, key=lambda thing: thing.name)  # a set there
        elif isinstance(network, Iterable) and not isinstance(network, (str, BrianObject)):
            objects = list(network)
        else:
            objects = None
        if not objects or not all(isinstance(thing, BrianObject) for thing in objects):
            raise TypeError(
                "`network` must be a brian2.Network or a list of Brian2's objects; got "
                f"{network!r:.60}"
            )
        return objects

    def _sort(self, thing) -> None:
        import brian2

        if isinstance(thing, brian2.SpatialNeuron):
            self.obstacles.add(thing.name, "it is a multicompartment neuron")
        elif isinstance(thing, (brian2.NeuronGroup, brian2.PoissonGroup)):
            self.groups[thing.name] = thing
        elif isinstance(thing, brian2.SpikeGeneratorGroup):
            self.generators[thing.name] = thing
            self._check_slot(thing, thing, "thresholds")
        elif isinstance(thing, brian2.Subgroup) or not thing.active:
            pass
        elif isinstance(thing, brian2.Synapses):
            self.synapses.append(thing)
        elif isinstance(thing, brian2.PoissonInput):
            self.poisson.append(thing)
            self._check_slot(thing, thing, "synapses")
        elif isinstance(
            thing, (brian2.EventMonitor, brian2.StateMonitor, brian2.PopulationRateMonitor)
        ):
            self.monitors.append(thing)
        elif isinstance(thing, brian2.NetworkOperation):
            self.obstacles.add(thing.name, "it runs Python code in every step")
        else:
            self.obstacles.add(thing.name, f"a {type(thing).__name__} has no counterpart")

    def _check_slot(self, owner, thing, slot: str) -> None:
        if thing.when != slot:
            self.obstacles.add(
                owner.name, f"`{thing.name}` runs in the slot {thing.when}, not in {slot}"
            )

    # -- inside --------------------------------------------------------------------------------

    def _look_into_group(self, group) -> None:
        slots = {}
        for attribute, slot in (("thresholder", "thresholds"), ("resetter", "resets")):
            for event, thing in getattr(group, attribute, {}).items():
                slots[id(thing)] = slot if event == "spike" else thing.when
        for event in getattr(group, "events", {}):
            if event != "spike":
                self.obstacles.add(group.name, f"the event `{event}` is one of its own")
        slots[id(getattr(group, "state_updater", None))] = "groups"
        slots[id(getattr(group, "subexpression_updater", None))] = "before_start"
        for thing in group.contained_objects:
            if id(thing) in slots:
                self._check_slot(group, thing, slots[id(thing)])
                if not thing.active:
                    self.obstacles.add(group.name, f"`{thing.name}` is switched off")
            elif not self._is_idiom(group, thing):
                code = " ".join(str(getattr(thing, "abstract_code", "")).split())
                self.obstacles.add(group.name, f"it runs statements of its own (`{code}`)")

    def _is_idiom(self, group, runner) -> bool:
        """Take over what `to_brian2` writes as statements of a group."""
        try:
            statements = read_statements(runner.abstract_code, "a statement")
        except (StatementError, AttributeError, TypeError):
            return False
        if runner.when == "before_start" and len(statements) == 2:
            (held, arriving), (cleared, nothing) = statements
            is_zero = ast.unparse(nothing) == f"0 * {cleared}"
            if isinstance(arriving, ast.Name) and arriving.id == cleared and is_zero:
                self.held.setdefault(group.name, {})[held] = cleared
                return True
        if runner.when == "synapses" and len(statements) == 1:
            found = _poisson_statement(*statements[0])
            if found is not None:
                self.poisson_statements.append((group.name, found))
                return True
        return False

    def _look_into_synapses(self, synapses) -> None:
        import brian2

        for side in (synapses.source, synapses.target):
            if isinstance(side, brian2.Synapses):
                self.obstacles.add(synapses.name, "synapses onto synapses have no counterpart")
                return
        known = {id(thing) for thing in (*synapses._pathways, synapses.state_updater,
                                         *synapses.summed_updaters.values())}  # fmt: skip
        for thing in synapses.contained_objects:
            if id(thing) not in known and not self._is_clip(synapses, thing):
                code = " ".join(str(getattr(thing, "abstract_code", "")).split())
                self.obstacles.add(synapses.name, f"it runs statements of its own (`{code}`)")
        for pathway in synapses._pathways:
            self._check_slot(synapses, pathway, "synapses")
            if pathway.event != "spike":
                self.obstacles.add(
                    synapses.name, f"`{pathway.objname}` follows the event `{pathway.event}`"
                )
        if synapses._linked_variables:
            self.obstacles.add(synapses.name, "it has linked variables")
        self._check_ends(synapses)

    def _is_clip(self, synapses, runner) -> bool:
        """Take over ``w = clip(w, low, high)``, run after each update of the states."""
        try:
            ((target, tree),) = read_statements(runner.abstract_code, "a statement")
        except (StatementError, AttributeError, TypeError, ValueError):
            return False
        is_call = isinstance(tree, ast.Call) and ast.unparse(tree.func) == "clip"
        if not is_call or runner.when != "after_groups" or ast.unparse(tree.args[0]) != target:
            return False
        self.clips[synapses.name] = (target, *map(ast.unparse, tree.args[1:]))
        return True

    def _check_ends(self, thing) -> None:
        """Note it if something refers to a group that is not in the network."""
        import brian2

        ends = [thing.source, thing.target] if isinstance(thing, brian2.Synapses) else [
            getattr(thing, "_group", None) or getattr(thing, "source", None)
        ]  # fmt: skip
        inside = {**self.groups, **self.generators, **{s.name: s for s in self.synapses}}
        for end in ends:
            name = base(end).name
            if name not in inside and not any(n == name for n, _ in self.obstacles.found):
                self.obstacles.add(thing.name, f"the group `{name}` is not in the network")

    # -- time ----------------------------------------------------------------------------------

    def _common_dt(self) -> float:
        """The step of everything that moves."""
        moving = [*self.groups.values(), *self.generators.values(), *self.synapses]
        steps = {thing.name: float(thing.clock.dt_) for thing in moving}
        if not steps:
            self.obstacles.add("the network", "it has no group")
            return 0.0
        dt = next(iter(steps.values()))
        others = [f"`{name}` {step:g} s" for name, step in steps.items() if step != dt]
        if others:
            first = next(iter(steps))
            self.obstacles.add(
                "the clocks", f"they differ: `{first}` has dt = {dt:g} s, {', '.join(others)}"
            )
        return dt

    def _check_begin(self, network, objects) -> None:
        """Note it if there has been a run: spikes may be on their way, units refractory."""
        if hasattr(network, "t_"):
            t = float(network.t_)
        else:  # clocks may have been moved by other networks
            t = max((float(o.clock.variables["t"].get_value().item()) for o in objects
                     if o._network is not None), default=0.0)  # fmt: skip
        if t > 0:
            self.obstacles.add(
                "the network",
                f"it has run already, to t = {t:g} s, and spikes may be on their way; take it over "
                "before its first run, or `restore()` what was stored then",
            )


def _poisson_statement(target: str, tree: ast.expr) -> PoissonStatement | None:
    """``target = target + (weight*poisson(rate*dt))`` as what it means."""
    pattern = ast.unparse(tree).removeprefix(f"{target} + ")
    product = ast.parse(pattern, mode="eval").body
    if not isinstance(product, ast.BinOp) or not isinstance(product.op, ast.Mult):
        return None
    weight, draw = product.left, product.right
    if not isinstance(draw, ast.Call) or ast.unparse(draw.func) != "poisson":
        return None
    (mean,) = draw.args
    if not isinstance(mean, ast.BinOp) or ast.unparse(mean.right) != "dt":
        return None
    if not isinstance(mean.op, ast.Mult):
        return None
    return PoissonStatement(target, ast.unparse(weight), ast.unparse(mean.left))
