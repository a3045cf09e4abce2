"""The function that users call: `simulate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neurodyn.simulation.arguments import thread_count
from neurodyn.simulation.recording import Recording
from neurodyn.simulation.run import Run
from neurodyn.solvers import Solver

if TYPE_CHECKING:
    import xarray as xr

    from neurodyn.network import Network


def simulate(
    network: Network,
    solver: Solver,
    duration,
    *,
    trials: int | None = None,
    record: Sequence[str] | Mapping[str, Any] | None = None,
    every=None,
    inputs: Mapping[str, Any] | None = None,
    initial: xr.Dataset | Mapping[str, Any] | None = None,
    rng=None,
    dtype: str = "float64",
    store=None,
    threads: int | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Integrate a network in time.

    Parameters
    ----------
    network : Network
    solver : Solver
        For example ``nd.RK4(dt=1*nd.ms)``.
    duration : float or Quantity
        s; a multiple of dt.
    trials : int, optional
        Independent repetitions, each with its own random streams; default 1, or as many as
        `initial` has.
    record : sequence of str or dict, optional
        Variables, inputs or noise (``"E.xi"``) to record; spikes, ``"E.spike"``; the rate of a
        population, ``"E.spike_rate"``, in bins of `every`. A dict gives the units of each,
        ``{"E.r": slice(0, 10)}``. Default: the spikes of populations that spike, all states of the
        others.
    every : float or Quantity, optional
        Interval between samples, s; a multiple of dt, default dt. Samples are taken at 0, every,
        2 every, ..., before the step that begins there; the end of the run belongs to its
        continuation, and its state is in the variables ``<state>.final``.
    inputs : dict of str to Signal or array_like, optional
        External input by name. A number holds for all time, as does ``Constant(values)`` with one
        value a unit; arrays ``(time,)``, ``(time, unit)`` and ``(trial, time, unit)`` give one
        value a step of dt, counted from time 0. Where couplings end at the same input, both add.
        Inputs that nothing fills are 0.
    initial : Dataset or dict, optional
        The Dataset of an earlier run, to continue it: state, time and random streams go on so that
        both runs together equal an unbroken one bit for bit. Or states by name, as a number,
        ``(unit,)`` or ``(trial, unit)``; states not named start as their population says.
    rng : int, SeedSequence, Generator or None
        Root of all random numbers of the run. Trial k draws the same numbers however many trials
        there are. None takes fresh entropy, and with a Dataset as `initial` that run's root.
    dtype : {"float64", "float32"}
    store : path, optional
        Zarr folder to which samples are streamed in bounded memory; the Dataset returned reads from
        it when used.
    threads : int, optional
        Threads over trials, or over the units of a large spiking network; default: the number that
        numba may use (``NUMBA_NUM_THREADS``). The numbers do not depend on it.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        Variables ``(trial, time, <population>.unit)`` with units; attributes say how it was made.
        Spikes are ``<population>.spike_time`` (s, the beginning of the step), ``.spike_unit`` and
        ``.spike_trial`` on one dimension, sorted by trial, then time, then unit.
        If the run was interrupted (Ctrl-C) it holds the samples so far, its attribute ``stopped``
        says where, and a RuntimeWarning is given.

    Raises
    ------
    SimulationDiverged
        When a state is no longer finite; the error carries the samples so far.
    ValueError
        For names, shapes, times or units that do not fit, before anything runs.
    MemoryError
        For a recording larger than the free memory, before anything runs.

    Notes
    -----
    The first run of a new network structure compiles for some seconds; later ones, in later
    processes too, load the machine code from disk.
    """
    run = Run(
        network, solver, duration, trials, every, inputs, initial, rng, dtype, thread_count(threads)
    )
    recording = Recording.of(network, record, solver.dt)
    sink = run.sink(recording, store)  # last, because it may make a folder
    return run.execute(recording, sink, progress)
