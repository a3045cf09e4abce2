"""Learning by gradients through time.

`bptt` finds the gradients of a loss (`MeanSquaredError`, `CrossEntropy`, or any function of what is
recorded) by anything in a network; `Unrolled` is a network made ready for that many times. `train`
trains a network on a task, with an optimiser (`Adam`, `SGD`, ...), constraints (`Positive`,
`Orthogonal`, ...) and regularisers (`L2`, `ActivityL2`, ...). `HebbianSubspace` and
`ProjectOut` keep what was learned while something else is.
"""

from neurodyn.learning.clipping import ClipNorm, ClipValue
from neurodyn.learning.gradients import Gradients, bptt
from neurodyn.learning.hebbian_subspace import HebbianSubspace, ProjectOut
from neurodyn.learning.losses import CrossEntropy, Loss, MeanSquaredError, WeightedSum
from neurodyn.learning.matrix_parametrisations import (
    BlockDiagonal,
    BlockDiagonal,
    Contracting,
    FixedRank,
    NegativeFeedback,
    Orthogonal,
    SpectralNormBound,
    Unitary,
)
from neurodyn.learning.optimisers import SGD, Adam, AdamW, Optimiser, RMSprop
from neurodyn.learning.parametrisations import (
    Bounded,
    DalesLaw,
    Masked,
    OnPattern,
    Parametrisation,
    Positive,
    SkewSymmetric,
    Symmetric,
)
from neurodyn.learning.regularisers import (
    L1,
    L2,
    ActivityL1,
    ActivityL2,
    Penalty,
    SpectralNorm,
    StableRank,
    TemporalConsistency,
    VanishingGradient,
)
from neurodyn.learning.schedules import Constant, Cosine, Exponential, LinearWarmUp, StepDecay
from neurodyn.learning.task_protocol import Task, TrialBatch
from neurodyn.learning.trained import EarlyStopping, StepReport, Trained, TrainingDiverged
from neurodyn.learning.training import train
from neurodyn.learning.unrolled import Unrolled

__all__ = [
    "L1",
    "L2",
    "SGD",
    "ActivityL1",
    "ActivityL2",
    "Adam",
    "AdamW",
    "BlockDiagonal",
    "BlockDiagonal",
    "Bounded",
    "ClipNorm",
    "ClipValue",
    "Constant",
    "Contracting",
    "Cosine",
    "CrossEntropy",
    "DalesLaw",
    "EarlyStopping",
    "Exponential",
    "FixedRank",
    "Gradients",
    "HebbianSubspace",
    "LinearWarmUp",
    "Loss",
    "Masked",
    "MeanSquaredError",
    "NegativeFeedback",
    "OnPattern",
    "Optimiser",
    "Orthogonal",
    "Parametrisation",
    "Penalty",
    "Positive",
    "ProjectOut",
    "RMSprop",
    "SkewSymmetric",
    "SpectralNorm",
    "SpectralNormBound",
    "StableRank",
    "StepDecay",
    "StepReport",
    "Symmetric",
    "Task",
    "TemporalConsistency",
    "Trained",
    "TrainingDiverged",
    "TrialBatch",
    "Unitary",
    "Unrolled",
    "VanishingGradient",
    "WeightedSum",
    "bptt",
    "train",
]
