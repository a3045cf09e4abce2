"""Rules by which weights change: `Plasticity`, and rules of the literature ready to use."""

from neurodyn.plasticity.rule import Plasticity

__all__ = ["Plasticity"]
