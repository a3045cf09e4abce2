"""A run of a network in which weights are changed between steps: what online rules stand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.compile.structure import WEIGHT_ARRAYS
from neurodyn.simulation.recording import MemorySink, Recording
from neurodyn.simulation.run import Run

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.solvers import Solver

#: Methods whose steps evaluate the network once, at their beginning, so that its variables are
#: still those of that time when the step is done.
_METHODS = ("euler", "exponential_euler")


class SteppedRun(Run):
    """A run of one trial, advanced by some steps at a time, with weights of its own.

    After `advance`, `view` shows the variables as they were at the beginning of the last step, by
    which the step was taken, while states have moved on. So a change of weights that is made from
    them acts from the next step on.

    Parameters
    ----------
    network : Network
    solver : Solver
        `Euler` or `ExponentialEuler`.
    n_steps : int
        Steps that are to come.
    learned : sequence of str
        Labels of the couplings whose weights will change; dense ones.
    inputs, initial, rng
        As for `simulate`.

    Attributes
    ----------
    weights : dict of str to ndarray, (pre, post)
        Transposed weights of the learned couplings, perhaps with columns beyond the units: to be
        changed in place.
    """

    def __init__(
        self,
        network: Network,
        solver: Solver,
        n_steps: int,
        learned: Sequence[str],
        *,
        inputs: Any = None,
        initial: Any = None,
        rng: Any = None,
    ):
        check_stepped(network, solver, learned)
        super().__init__(
            network, solver, n_steps * solver.dt, 1, None, inputs, initial, rng, "float64", 1
        )
        self.every = self.n_steps + 1
        recording = Recording.of(network, [], self.dt)
        (self._block,) = self.blocks
        (self._part,) = self._block.parts
        self._out = MemorySink(recording, 1, 1, self.compiled.dtype).array
        self._tables = recording.kernel_tables(self.compiled, self._part.units)
        self._arrays = self._own_weights(learned)
        self._kernel = getattr(self.compiled.module, f"run_{solver.method}")
        self._laid_out = (0, 0, [])

    def _own_weights(self, learned: Sequence[str]) -> list[np.ndarray]:
        """Weight arrays of all couplings, those that are learned as copies."""
        self.weights: dict[str, np.ndarray] = {}
        found = []
        labels = self.network.coupling_labels
        arrays = iter(self.compiled.weight_arrays)
        for c in self.compiled.structure.rate_couplings:
            for kind in self.compiled.structure.couplings[c].kinds:
                own = [next(arrays) for _ in WEIGHT_ARRAYS[kind]]
                if labels[c] in learned:
                    own = [own[0].copy()]
                    self.weights[labels[c]] = own[0]
                found += own
        return found

    def view(self, name: str) -> np.ndarray:
        """A variable, (unit,), which follows the run."""
        p, slot = self.compiled.slot(name)
        return self._part.workspaces[p][slot, 0, : self.compiled.sizes[p]]

    def advance(self, n: int) -> None:
        """Go on by `n` steps."""
        while n > 0:
            first, stop, drives = self._laid_out
            if self.position >= stop:
                first = self.position
                stop = first + self.steps_at_once(self.n_steps - first)
                drives = self.take_drives(stop - first)
                self._laid_out = first, stop, drives
            m = min(n, stop - self.position)
            rows = [d[self.position - first :] if d.shape[0] > 1 else d for d in drives]
            self._kernel(
                *self._part.workspaces, *self._part.value_arrays, *self._arrays, *rows,
                self._block.keys, self._block.normals, self.first_step + self.position, m, self.dt,
                self.every, self._out, 0, *self._tables, *self._part.sizes,
            )  # fmt: skip
            self.position += m
            n -= m

    def learned_weights(self) -> dict[str, np.ndarray]:
        """Current weights of the learned couplings, (post, pre)."""
        labels, couplings = self.network.coupling_labels, self.network.couplings
        return {
            label: np.array(WT.T[: couplings[labels.index(label)].weights.n_post])
            for label, WT in self.weights.items()
        }


def check_stepped(network: Any, solver: Any, learned: Sequence[str]) -> None:
    """Refuse networks, solvers and couplings that cannot be run so."""
    from neurodyn.network import Network
    from neurodyn.population import listed, suggestion
    from neurodyn.solvers import Solver

    if not isinstance(network, Network):
        raise TypeError(f"`network` must be a Network; got {type(network).__name__}")
    if not isinstance(solver, Solver) or solver.method not in _METHODS:
        raise ValueError(
            "`solver` must be nd.Euler or nd.ExponentialEuler, whose steps evaluate the network "
            f"once, at their beginning; got {solver!r}"
        )
    spiking = (*network.spiking_populations, *(c.target for c in network.poisson_inputs))
    if spiking or network.rules:
        what = f"`{spiking[0]}` spikes" if spiking else "a coupling has a plasticity rule"
        raise ValueError(f"`network` must be one of rates with fixed weights, and {what}")
    for label in learned:
        if label not in network.coupling_labels:
            raise ValueError(
                f"no coupling `{label}`{suggestion(label, network.coupling_labels) or '.'} There "
                f"are {listed(network.coupling_labels)}."
            )
        weights = network.couplings[network.coupling_labels.index(label)].weights
        if weights.kind != "dense":
            raise ValueError(
                f"`{label}` has {weights.kind} weights, and the rule changes all of a full matrix; "
                "give it `weights.to_dense()`"
            )
