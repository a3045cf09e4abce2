"""A full-scale model of the local cortical microcircuit, with spontaneous activity of each layer.

T. C. Potjans, M. Diesmann, "The cell-type specific cortical microcircuit: relating structure and
activity in a full-scale spiking network model", Cerebral Cortex 24:785-806 (2014).
"""

from .model import network

__all__ = ["network"]
