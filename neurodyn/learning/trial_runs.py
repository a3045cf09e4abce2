"""What a network does in the trials of a task, sampled as a training samples it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.learning.task_protocol import TrialBatch
    from neurodyn.network import Network
    from neurodyn.solvers import Solver


def run_trials(
    network: Network,
    batch: TrialBatch,
    *,
    connect: Mapping[str, str] | None = None,
    record: Sequence[str] | None = None,
    solver: Solver | None = None,
    **options: Any,
) -> xr.Dataset:
    """Simulate a network on a batch of trials.

    `simulate` records the beginning of each step, and targets are for its end, when the network has
    seen that step's input. Here sample k is that of the end of step k, as in training and in
    ``batch.targets``.

    Parameters
    ----------
    network : Network
    batch : TrialBatch
    connect : dict of str to str, optional
        Which names of the network the names of the batch are, as for `train`.
    record : sequence of str, optional
        Variables. Default: the targets.
    solver : Solver, optional
        Its dt is that of the batch. Default `Euler`.
    **options
        Passed to `simulate`: ``rng``, ``dtype``, ``threads``.

    Returns
    -------
    xarray.Dataset
        Dims ``trial``, ``time``, as many as the batch has steps, and unit. It has no final state to
        continue from.

    Raises
    ------
    ValueError
        For names that the network does not have, a solver of another dt, a run that diverges.

    Examples
    --------
    >>> import neurodyn as nd, numpy as np
    >>> net = nd.rate_network(np.zeros((1, 1)), tau=0.1)
    >>> batch = nd.learning.TrialBatch({"E.I_ext": [[[1.0], [0.0]]]},
    ...                                {"E.x": [[[0.5], [0.25]]]}, dt=0.05)
    >>> nd.learning.run_trials(net, batch)["E.x"].values.ravel()
    array([0.5 , 0.25])
    """
    from neurodyn.signals import ArraySignal
    from neurodyn.simulation import simulate
    from neurodyn.solvers import Euler

    batch = batch.connected(connect or {})
    solver = Euler(dt=batch.dt) if solver is None else solver
    if abs(solver.dt - batch.dt) > 1e-9 * batch.dt:
        raise ValueError(
            f"`solver` has dt = {solver.dt:g} s, but the steps of the batch are of "
            f"{batch.dt:g} s; they must agree"
        )
    # one step more, whose beginning is the end of the last; it is shown the last input again
    inputs = {
        name: ArraySignal(np.concatenate([values, values[:, -1:]], axis=1), dt=solver.dt)
        for name, values in batch.inputs.items()
    }
    if batch.initial:
        options["initial"] = {**batch.initial, **options.get("initial", {})}
    run = simulate(
        network, solver, (batch.n_steps + 1) * solver.dt, trials=batch.n_trials, inputs=inputs,
        record=list(batch.targets) if record is None else record, **options,
    )  # fmt: skip
    late = [name for name in run.data_vars if str(name).endswith(".final")]
    return run.drop_vars(late).isel(time=slice(1, None))
