"""Learning by gradients through time.

`bptt` finds the gradients of a loss (`MeanSquaredError`, `CrossEntropy`, or any function of what is
recorded) by anything in a network; `Unrolled` is a network made ready for that many times.
"""

from neurodyn.learning.clipping import ClipNorm, ClipValue
from neurodyn.learning.gradients import Gradients, bptt
from neurodyn.learning.losses import CrossEntropy, Loss, MeanSquaredError, WeightedSum
from neurodyn.learning.optimisers import SGD, Adam, AdamW, Optimiser, RMSprop
from neurodyn.learning.schedules import Constant, Cosine, Exponential, LinearWarmUp, StepDecay
from neurodyn.learning.task_protocol import Task, TrialBatch
from neurodyn.learning.unrolled import Unrolled

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "ClipNorm",
    "ClipValue",
    "Constant",
    "Cosine",
    "CrossEntropy",
    "Exponential",
    "Gradients",
    "LinearWarmUp",
    "Loss",
    "MeanSquaredError",
    "Optimiser",
    "RMSprop",
    "StepDecay",
    "Task",
    "TrialBatch",
    "Unrolled",
    "WeightedSum",
    "bptt",
]
