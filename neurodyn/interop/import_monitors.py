"""What Brian2's monitors record, as `neurodyn.simulate` takes it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.interop.import_groups import base

if TYPE_CHECKING:
    from neurodyn.interop.obstacles import Obstacles
    from neurodyn.network import Network


class Monitors:
    """Reads monitors.

    Parameters
    ----------
    network : Network
        Ours.
    dt : float, s
    plastic : dict of str to (PlasticReader, Coupling or None)
        What plastic synapses have become, by their name.
    obstacles : Obstacles
    """

    def __init__(self, network: Network, dt: float, plastic, obstacles: Obstacles):
        self.network, self.dt, self.plastic, self.obstacles = network, dt, plastic, obstacles
        self.record: dict[str, Any] = {}

    def recorded(self, monitors) -> tuple[dict[str, Any], float | None]:
        """What is recorded, and the interval between samples, s.

        Monitors of different intervals give samples in the largest interval that serves them all.
        What two monitors record of one variable becomes one recording.
        """
        import brian2

        steps = []
        for monitor in monitors:
            if isinstance(monitor, brian2.StateMonitor):
                self._states(monitor)
                steps.append(round(float(monitor.clock.dt_) / self.dt))
            elif isinstance(monitor, brian2.PopulationRateMonitor):
                self._rate(monitor)
            elif isinstance(monitor, brian2.SpikeMonitor):
                self._spikes(monitor)
            else:
                self.obstacles.add(monitor.name, "it monitors an event of the group's own")
        return self.record, int(np.gcd.reduce(steps)) * self.dt if steps else None

    def _spikes(self, monitor) -> None:
        more = set(monitor.record_variables) - {"i", "t"}
        if more:
            self.obstacles.add(monitor.name, f"it records `{min(more)}` with each spike")
        group, units = base(monitor.source), None
        if group is not monitor.source:
            units = np.arange(monitor.source.start, monitor.source.stop)
        self._add(f"{group.name}.spike", units)

    def _rate(self, monitor) -> None:
        group = base(monitor.source)
        if group is not monitor.source:
            self.obstacles.add(monitor.name, "it monitors the rate of a part of a group")
        self._add(f"{group.name}.spike_rate", None)

    def _states(self, monitor) -> None:
        import brian2

        if monitor.when != "start":
            self.obstacles.add(
                monitor.name, f"it records in the slot {monitor.when}, not in start"
            )
        group = base(monitor.source)
        if isinstance(group, brian2.Synapses):
            self._synapses(monitor, group)
            return
        units = None
        if not monitor.record_all or group is not monitor.source:
            first = getattr(monitor.source, "start", 0)
            units = np.asarray(monitor.record, np.int64) + first
        changing = {*self.network.populations[group.name].equations.variables}
        inputs = self.network.input_names
        for name in monitor.record_variables:
            full = f"{group.name}.{name}"
            if name in changing or full in inputs:
                self._add(full, units)
            else:
                self._left_out(monitor, name, "does not change")

    def _synapses(self, monitor, synapses) -> None:
        plastic, coupling = self.plastic.get(synapses.name, (None, None))
        for name in monitor.record_variables:
            new = plastic.renamed.get(name) if coupling is not None else None
            if new is None:
                self._left_out(monitor, name, "does not change")
            elif new.endswith(("_pre", "_post")):
                self._left_out(monitor, name, f"is a state `{new}` of a population here")
            else:
                label = self.network.coupling_labels[self.network.couplings.index(coupling)]
                place = np.empty_like(plastic.order)  # of Brian2's synapses among the weights
                place[plastic.order] = np.arange(place.size)
                chosen = place[np.asarray(monitor.record, int)]
                is_all = np.array_equal(chosen, np.arange(place.size))
                self._add(f"{label}.{new}", None if is_all else chosen)

    def _left_out(self, monitor, name: str, why: str) -> None:
        warnings.warn(
            f"`{monitor.name}` records `{name}`, which {why}; it is left out",
            UserWarning,
            stacklevel=2,
        )

    def _add(self, name: str, units) -> None:
        known = self.record.get(name, units)
        if known is None or units is None or name not in self.record:
            self.record[name] = units if name not in self.record else None
        else:
            self.record[name] = np.union1d(known, units)
