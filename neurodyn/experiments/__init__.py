"""Circuits with their experiments and claims, found by name and run into a folder.

A module in ``neurodyn.circuits`` describes one paper by a module-level ``CIRCUIT = Circuit(...)``.
`circuits` finds these modules without importing them, `load_circuit` imports one, `run_experiment`
runs one of its experiments and checks the claims. The engine imports no circuit.
"""

from neurodyn.experiments.circuit import Circuit, CircuitEntry, circuits, load_circuit
from neurodyn.experiments.claims import (
    Accept,
    Claim,
    Outcome,
    at_least,
    at_most,
    between,
    within,
)
from neurodyn.experiments.run import RunNotSaved, RunResult, run_experiment
from neurodyn.experiments.settings import InputError

__all__ = [
    "Accept",
    "Circuit",
    "CircuitEntry",
    "Claim",
    "InputError",
    "Outcome",
    "RunNotSaved",
    "RunResult",
    "at_least",
    "at_most",
    "between",
    "circuits",
    "load_circuit",
    "run_experiment",
    "within",
]
