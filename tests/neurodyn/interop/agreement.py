"""Runs of one network here and in Brian2, compared."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

import neurodyn as nd
from neurodyn.unit_check import import_brian2


def run_both(network, solver, duration, *, record=None, every=None, **arguments):
    """The Dataset of our run, and Brian2's objects after theirs.

    Inputs, initial state and so on go to both.
    """
    brian2 = import_brian2()
    record = record or [f"{name}.spike" for name in network.spiking_populations]
    there = nd.interop.to_brian2(network, solver, record=record, every=every, duration=duration,
                                 **arguments)  # fmt: skip
    there.network.run(duration * brian2.second, namespace={})
    trial = arguments.pop("trial", 0)
    arguments.setdefault("trials", trial + 1)
    return nd.simulate(network, solver, duration, record=record, every=every, **arguments), there


def spikes_here(ds, population, trial=0):
    """(step, unit) of every spike."""
    here = ds[f"{population}.spike_trial"].values == trial
    step = np.rint(ds[f"{population}.spike_time"].values[here] / ds.attrs["run"]["dt"])
    return np.column_stack([step.astype(int), ds[f"{population}.spike_unit"].values[here]])


def spikes_there(monitor, dt):
    found = np.column_stack([np.rint(np.asarray(monitor.t_) / dt).astype(int), monitor.i])
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def assert_same(here, there, *, rtol=1e-9, trial=0, min_spikes=1):
    """Spikes agree exactly, states up to rounding.

    Both sum synapses and evaluate exp in their own order and way: a few units in the last place a
    step, which the leak forgets. So `rtol`, relative to the largest value of a variable, is far
    above what accumulates and far below what a wrong schedule would do.
    """
    dt = here.attrs["run"]["dt"]
    for name, monitor in there.monitors.items():
        owner, _, variable = name.rpartition(".")
        if variable == "spike":
            expected = spikes_there(monitor, dt)
            assert len(expected) >= min_spikes, f"{name}: only {len(expected)} spikes"
            assert_array_equal(spikes_here(here, owner, trial), expected, err_msg=name)
            continue
        expected = getattr(monitor, f"{variable}_").T
        found = here[name].values[trial]
        assert np.ptp(expected) > 0, f"{name} does not move"
        assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max(),
                        err_msg=name)  # fmt: skip
