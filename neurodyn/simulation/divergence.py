"""Runs whose state is no longer finite: the error, and the search for the step where it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from neurodyn.simulation.blocks import Block
    from neurodyn.simulation.run import Run


class SimulationDiverged(ArithmeticError):
    """A state became infinite or NaN; the message says which, where and when.

    Attributes
    ----------
    variable : str
        Full name of the first state that is not finite.
    trial, unit : int
    time : float
        Beginning of the first step whose result is not finite, s.
    dataset : xarray.Dataset
        All samples before that time and, as final state, the states at that time: a run with
        another solver can go on from there, ``initial=error.dataset``.
    """

    def __init__(self, message: str, variable: str, trial: int, unit: int, time: float, dataset):
        super().__init__(message)
        self.variable = variable
        self.trial = trial
        self.unit = unit
        self.time = time
        self.dataset = dataset

    def __reduce__(self):  # by itself an exception is pickled with nothing but its message
        details = (self.variable, self.trial, self.unit, self.time, self.dataset)
        return type(self), (str(self), *details)


def check_finite(run: Run, n: int, recording, sink) -> None:
    """Raise `SimulationDiverged` if a state is not finite after a chunk of `n` steps.

    The run is then at the beginning of the first bad step, with the samples and spikes before it.
    """
    bad = [k for k, block in enumerate(run.blocks) if not block.is_finite()]
    if not bad:
        return
    finite_steps, k = min(
        (_finite_steps(run, run.blocks[k], run.starts[k], n, sink), k) for k in bad
    )
    gave_up = run.blocks[k].control[3] != 0
    variable, trial, unit, value = _worst(run, run.blocks[k])
    # All trials go back to the beginning of the bad step: a state from which one can continue.
    for block, start in zip(run.blocks, run.starts, strict=True):
        block.restore(start)
        run.run_block(block, run.first_step + run.position, finite_steps, sink)
    run.keep_spikes(finite_steps)
    run.position += finite_steps
    sink.finished(run.sample_count(run.position))
    what = "synapse" if "->" in variable else "unit"
    where = f"`{variable}` of {what} {unit} in trial {trial}"
    if gave_up:
        message = (
            f"{where} changes too fast in the interval that begins at t = {run.time:.6g} s "
            f"(dt = {run.dt:g} s): no step is short enough for rtol = {run.solver.rtol:g}. "
            "Try a larger `rtol` or `atol`; if that does not help, the equations themselves "
            "grow without bound, or are not defined there."
        )
    elif what == "synapse":
        message = (
            f"{where} became {value} in the step that begins at t = {run.time:.6g} s. Give the "
            "rule `bounds`, or a smaller learning rate."
        )
    else:
        message = (
            f"{where} became {value} in the step that begins at t = {run.time:.6g} s "
            f"(dt = {run.dt:g} s). Try a smaller dt, or ExponentialEuler for stiff equations; "
            "if that does not help, the equations themselves grow without bound."
        )
    message += " The samples so far are in the error's `dataset`."
    dataset = run.dataset(recording, sink, f"diverged at t = {run.time:.6g} s")
    raise SimulationDiverged(message, variable, trial, unit, run.time, dataset)


def _finite_steps(run: Run, block: Block, start, n: int, sink) -> int:
    """How many of the chunk's `n` steps of a block give finite states; it stands after them.

    The steps are run again from the chunk's beginning in halves: the same numbers come out, so
    the samples that are written again do not change.
    """
    done = 0
    saved = start
    while n > 1:
        half = n // 2
        block.restore(saved)
        run.run_block(block, run.first_step + run.position + done, half, sink, row=done)
        if block.is_finite():
            saved = block.snapshot()
            done += half
            n -= half
        else:
            n = half
    block.restore(saved)
    run.run_block(block, run.first_step + run.position + done, 1, sink, row=done)
    return done


def _worst(run: Run, block: Block) -> tuple[str, int, int, float]:
    """Name, trial, unit (or synapse) and value of the first state that is not finite.

    Where an adaptive solver gave up, all are finite still, and the one with the steepest slope
    is told. Slopes are in the scratch slots behind the copy of the states.
    """
    name, index, worst, value = "", (0, 0), -1.0, 0.0
    for part in block.parts:
        members = zip(
            part.states(), run.compiled.structure.populations, part.workspaces, part.units,
            strict=True,
        )  # fmt: skip
        for states, population, workspace, units in members:
            badness = (~np.isfinite(states)).astype(float)
            if block.control[3]:
                first = len(population.slots) + len(states)
                slopes = workspace[first : first + len(states), :, : states.shape[2]]
                scale = run.solver.atol + run.solver.rtol * np.abs(states)
                badness = np.nan_to_num(np.abs(slopes) / scale, nan=np.inf)
            if badness.size and badness.max() > worst:
                worst = badness.max()
                s, trial, unit = map(int, np.unravel_index(badness.argmax(), badness.shape))
                index = trial, units.start + unit
                name = f"{population.name}.{population.states[s]}"
                value = float(states[s, trial, unit])
    if worst <= 0:  # it is something that synapses keep
        found = (synapses.first_not_finite() for synapses in block.synapses.values())
        name, *index, value = next(f for f in found if f)
    return name, block.trials.start + index[0], index[1], value
