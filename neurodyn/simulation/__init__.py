"""Running a network: `simulate`, what it records, and what can stop it."""

from neurodyn.simulation.divergence import SimulationDiverged
from neurodyn.simulation.interrupts import interrupts_raise
from neurodyn.simulation.recording import concatenate
from neurodyn.simulation.simulate import simulate

__all__ = ["SimulationDiverged", "concatenate", "interrupts_raise", "simulate"]
