"""Learning by gradients through time.

`bptt` finds the gradients of a loss (`MeanSquaredError`, `CrossEntropy`, or any function of what is
recorded) by anything in a network; `Unrolled` is a network made ready for that many times.
"""

from neurodyn.learning.gradients import Gradients, bptt
from neurodyn.learning.losses import CrossEntropy, Loss, MeanSquaredError, WeightedSum
from neurodyn.learning.unrolled import Unrolled

__all__ = [
    "CrossEntropy",
    "Gradients",
    "Loss",
    "MeanSquaredError",
    "Unrolled",
    "WeightedSum",
    "bptt",
]
