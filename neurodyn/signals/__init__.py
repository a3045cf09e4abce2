"""Signals: inputs that vary in time.

All of them hold a value over each step of the solver: value k on ``[k * dt, (k + 1) * dt)``. They
are plain descriptions, written without a dt or a number of units, that add up and scale::

    nd.signals.Step(at=100 * nd.ms, value=1.5) + 0.2 * nd.signals.OrnsteinUhlenbeck(20 * nd.ms, 1.0)

A number given as an input becomes a `Constant`, an array an `ArraySignal`, a function of time a
`FunctionSignal`. Plain numbers are SI. Random signals are independent for every trial and unit and
depend only on the seed of the trial.
"""

from neurodyn.signals.base import ScaledSignal, Signal, SignalSum
from neurodyn.signals.kinds import (
    ArraySignal,
    Constant,
    FunctionSignal,
    OrnsteinUhlenbeck,
    Poisson,
    Pulse,
    Sinusoid,
    Step,
    as_signal,
)
from neurodyn.signals.samplers import Sampler

__all__ = [
    "ArraySignal",
    "Constant",
    "FunctionSignal",
    "OrnsteinUhlenbeck",
    "Poisson",
    "Pulse",
    "Sampler",
    "ScaledSignal",
    "Signal",
    "SignalSum",
    "Sinusoid",
    "Step",
    "as_signal",
]
