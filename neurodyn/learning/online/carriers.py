"""What carries the past of a network forward, of whatever form: `Carrier`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import aligned
from neurodyn.compile import module
from neurodyn.compile.random_source import normals_scratch
from neurodyn.compile.sensitivities import WantedSensitivities
from neurodyn.learning.online.dependence import Dependence
from neurodyn.learning.online.layout import items

if TYPE_CHECKING:
    from neurodyn.learning.trainable import Values
    from neurodyn.solvers import Solver
    from neurodyn.weights import Weights

#: Signals of one run or sample, (state, sample, trial, unit), by population.
Signals = Mapping[int, np.ndarray]
#: An interval between samples that no run is long enough for.
NEVER = 2**62


class Carrier(ABC):
    """What carries the past of a network forward, for the trials of one block.

    Parameters
    ----------
    dependence : Dependence
    solver : Solver
    values : Values
        Current values; read whenever a kernel is called.
    """

    #: Which text `neurodyn.compile.module.load_sensitivities` loads.
    kind: str
    #: Couplings to readouts whose signals pass feedback on their way to the source's traces.
    to_readouts: tuple[int, ...] = ()

    def __init__(self, dependence: Dependence, solver: Solver, values: Values):
        self.dependence, self.solver, self.values = dependence, solver, values
        self.compiled, self.structure = dependence.compiled, dependence.structure
        self.dtype = self.compiled.dtype
        acting = [one for one in dependence.trainables if self._acts(one)]
        self.items = items(self.compiled, acting, values.weights)
        self.states = [one for one in acting if one.kind == "state"]
        self._place()
        self.module = module.load_sensitivities(self.structure, self.wanted(), self.kind)
        self.normals = normals_scratch(self.dtype)

    def _acts(self, one) -> bool:
        """Whether something trained acts on a state, now or later."""
        if one.kind == "state":
            return True
        if one.kind == "weights":
            c = self.compiled.network.coupling_labels.index(one.name)
            nodes = [self.structure.couplings[c].target]
        else:
            nodes = list(self.dependence.users(self.compiled.place(one.name)))
        return any(self.dependence.acts_on_states(node) for node in nodes)

    def _wanted(self, **more) -> WantedSensitivities:
        place = self.compiled.place
        return WantedSensitivities(
            self.solver.method,
            tuple(place(i.trainable.name) for i in self.items if i.array is None),
            tuple(i.array for i in self.items if i.array is not None),
            tuple(sorted(self.dependence.carrying_on)),
            **more,
        )

    @abstractmethod
    def wanted(self) -> WantedSensitivities:
        """What the module is to find."""

    @abstractmethod
    def _place(self) -> None:
        """Give everything that is trained its place among the vectors."""

    @abstractmethod
    def bytes_per_trial(self) -> int:
        """Memory for the sensitivities of one trial."""

    @abstractmethod
    def begin(self, n_trials: int) -> None:
        """Forget the past: sensitivities as they are at the beginning of a run."""

    @abstractmethod
    def clear(self) -> None:
        """Begin the sums of gradients."""

    def advance(
        self, workspaces, drives, keys, first_step: int, n_steps: int, every: int,
        signals: Signals, feedback: Mapping[int, Weights],
    ) -> None:  # fmt: skip
        """Advance states and sensitivities, adding to the gradients at every sample.

        Parameters
        ----------
        workspaces, drives, keys
            As the kernels of simulations take them.
        first_step, n_steps, every : int
        signals : dict of int to ndarray, (state, sample, trial, unit)
        feedback : dict of int to Weights
            In the place of couplings, for signals of readouts.
        """
        self.module.advance(
            *workspaces,
            *self.values.arrays,
            *self.values.forward(),
            *drives,
            keys,
            self.normals,
            first_step,
            n_steps,
            self.solver.dt,
            every,
            *self._advance_arrays(signals, feedback),
        )

    @abstractmethod
    def _advance_arrays(self, signals, feedback) -> list[np.ndarray]:
        """What the loop takes after the arguments of time."""

    @abstractmethod
    def contract(self, signals: Signals, feedback: Mapping[int, Weights]) -> None:
        """Add signals, of one sample, times sensitivities to the gradients."""

    @abstractmethod
    def gradients(self) -> dict[str, np.ndarray]:
        """Sums so far by the keys of weights and parameters; views, till `clear` is called."""

    @abstractmethod
    def state_gradients(self) -> dict[str, np.ndarray]:
        """Those of initial states, (trial, unit), of the trials of this block."""

    def _zeros(self, *shape: int) -> np.ndarray:
        return aligned(np.zeros(shape, self.dtype))
