"""A run that carries tangent vectors along with the state: what Lyapunov exponents are made of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.simulation.arguments import thread_count
from neurodyn.simulation.recording import MemorySink, Recording
from neurodyn.simulation.run import Run

if TYPE_CHECKING:
    from neurodyn.network import Network
    from neurodyn.simulation.blocks import Block
    from neurodyn.solvers import Solver


class TangentRun(Run):
    """A run of a network, advanced step by step, with tangents of its steps.

    The state goes exactly as `simulate` takes it: the same inputs, the same noise, which is so the
    same for the state and for what is close to it, and the same bytes. A tangent is multiplied by
    the exact Jacobian of every step.

    Parameters
    ----------
    network : Network
    solver : Solver
        One with fixed steps: Euler, RK4, ExponentialEuler or Heun.
    n_vectors : int
        Tangents of each trial.
    duration : float or quantity, s
        Of all that is to come.
    trials, inputs, initial, rng, dtype, threads
        As for `simulate`.

    Raises
    ------
    ValueError
        For a network or a solver whose steps have no tangent, with what to do.
    """

    def __init__(
        self,
        network: Network,
        solver: Solver,
        n_vectors: int,
        *,
        duration: Any,
        trials: int | None = None,
        inputs: Any = None,
        initial: Any = None,
        rng: Any = None,
        dtype: str = "float64",
        threads: int | None = None,
    ):
        _refuse(network, solver)
        threads = thread_count(threads)
        super().__init__(
            network, solver, duration, trials, None, inputs, initial, rng, dtype, threads
        )
        self.n_vectors = n_vectors
        self.every = self.first_step + self.n_steps + 1
        recording = Recording.of(network, [], self.dt)
        self._out = MemorySink(recording, self.n_trials, 1, self.compiled.dtype).array
        self._block_tangents = [
            self.compiled.tangent_workspaces(
                b.trials.stop - b.trials.start, n_vectors, solver.scratch
            )
            for b in self.blocks
        ]
        tables = [recording.kernel_tables(self.compiled, b.parts[0].units) for b in self.blocks]
        self._fixed = [self._fixed_arguments(*of) for of in zip(self.blocks, tables, strict=True)]
        module, method = self.compiled.tangent_module, solver.method
        self._with_tangents = getattr(module, f"run_{method}_tangents")
        self._state_only = getattr(self.compiled.module, f"run_{method}")

    def _fixed_arguments(self, block: Block, table) -> tuple[list[Any], list[Any], list[Any]]:
        """Arguments before the drives, between them and the step, and after it."""
        compiled, part = self.compiled, block.parts[0]
        return (
            [*part.workspaces, *part.value_arrays, *compiled.weight_arrays],
            [block.keys, block.normals],
            [self.dt, self.every, self._out[block.trials], 0, *table, *part.sizes],
        )

    # -- state and tangents --------------------------------------------------------------------

    @property
    def state(self) -> np.ndarray:
        """The state, ``(trial, n_states)``."""
        take = self.compiled.take_flat
        return np.concatenate([take(block.parts[0].workspaces) for block in self.blocks])

    @property
    def tangents(self) -> np.ndarray:
        """The tangents, ``(trial, n_states, vector)``."""
        take = self.compiled.take_tangents
        return np.concatenate([take(arrays, self.n_vectors) for arrays in self._block_tangents])

    @tangents.setter
    def tangents(self, vectors: np.ndarray) -> None:
        for block, arrays in zip(self.blocks, self._block_tangents, strict=True):
            self.compiled.put_tangents(arrays, vectors[block.trials])

    # -- running -------------------------------------------------------------------------------

    def advance(self, n: int, *, tangents: bool = True) -> None:
        """Go on by `n` steps, with or without the tangents."""
        while n > 0:
            m = self.steps_at_once(n)
            self._run_blocks(self.take_drives(m), m, tangents)
            self.position += m
            n -= m

    def _run_blocks(self, drives, n: int, tangents: bool) -> None:
        if len(self.blocks) == 1 or self.n_threads == 1:
            for k in range(len(self.blocks)):
                self._run_one(k, drives, n, tangents)
            return
        with ThreadPoolExecutor(min(len(self.blocks), self.n_threads)) as pool:
            for future in [
                pool.submit(self._run_one, k, drives, n, tangents) for k in range(len(self.blocks))
            ]:
                future.result()

    def _run_one(self, k: int, drives, n: int, tangents: bool) -> None:
        trials = self.blocks[k].trials
        mine = [np.ascontiguousarray(d[:, trials]) if d.shape[1] > 1 else d for d in drives]
        before, streams, after = self._fixed[k]
        step = self.first_step + self.position
        arguments = [*before, *mine, *streams, step, n, *after]
        if tangents:
            moved = [*self._block_tangents[k], *self.compiled.transposed_weight_arrays]
            self._with_tangents(*arguments, *moved)
        else:
            self._state_only(*arguments)


def _refuse(network: Network, solver: Solver) -> None:
    """Refuse what has no tangent, or one that would not say how the network itself moves."""
    method = type(solver).__name__
    if solver.adaptive:
        raise ValueError(
            f"{method} chooses its steps by the state, so that they have no tangent of their own; "
            "use a method with fixed steps, such as nd.RK4"
        )
    if solver.method == "exact":
        raise ValueError("nd.Exact has no tangent here; nd.ExponentialEuler is its like for it")
    if network.spiking_populations or network.poisson_inputs:
        raise ValueError(
            "the network spikes: a tangent jumps at every spike, which a method with fixed steps "
            "does not see. analyses.lyapunov_spectrum goes from spike to spike instead"
        )
    if network.rules:
        raise ValueError(
            "the network's weights change by plasticity, and tangents are of the states alone: "
            "take the rule out, or give the weights that the run ended with "
            "(nd.with_final_weights)"
        )


__all__ = ["TangentRun"]
