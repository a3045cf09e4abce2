"""Learning by gradients through time.

`bptt` finds the gradients of a loss (`MeanSquaredError`, `CrossEntropy`, or any function of what is
recorded) by anything in a network; `Unrolled` is a network made ready for that many times. `train`
trains a network on a task, with an optimiser (`Adam`, `SGD`, ...), constraints (`Positive`,
`Orthogonal`, ...) and regularisers (`L2`, `ActivityL2`, ...). `HebbianSubspace` and
`ProjectOut` keep what was learned while something else is.

Other rules than backpropagation find gradients, or something like them, as time goes on, see
`neurodyn.learning.online`: `RTRL`, `EProp`, `RFLO` and `FeedbackAlignment`, with `find_gradients`,
``train(..., gradient=rule)`` and `OnlineLearner`.

Local rules are scikit-learn's estimators, see `neurodyn.learning.local`: `Oja`, `GHA`, `FORCE`,
`NodePerturbation`, `PredictiveCoding`, `EvolutionStrategy` and others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurodyn.learning.clipping import ClipNorm, ClipValue
from neurodyn.learning.contraction_parametrisations import (
    BlockDiagonal,
    Contracting,
    NegativeFeedback,
)
from neurodyn.learning.gradients import Gradients, bptt
from neurodyn.learning.hebbian_subspace import HebbianSubspace, ProjectOut
from neurodyn.learning.losses import CrossEntropy, Loss, MeanSquaredError, WeightedSum
from neurodyn.learning.matrix_parametrisations import (
    FixedRank,
    Orthogonal,
    SpectralNormBound,
    Unitary,
)
from neurodyn.learning.online import (
    BPTT,
    RFLO,
    RTRL,
    EProp,
    FeedbackAlignment,
    GradientRule,
    OnlineLearner,
    find_gradients,
    gradient_angle,
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
from neurodyn.learning.trial_runs import run_trials
from neurodyn.learning.unrolled import Unrolled

if TYPE_CHECKING:
    from neurodyn.learning.local import (
        BCM,
        FORCE,
        GHA,
        AntiHebbianDecorrelation,
        CompetitiveLearning,
        CovarianceRule,
        DelayedRewardHebb,
        EvolutionStrategy,
        ExploratoryHebb,
        FoldiakCoding,
        NodePerturbation,
        NormalisedHebb,
        Oja,
        OjaSubspace,
        PlasticityLearner,
        PredictiveCoding,
        RaoBallard,
        RecursiveLeastSquares,
        evolution_gradient,
    )

__all__ = [
    "BPTT",
    "RFLO",
    "RTRL",
    "EProp",
    "FeedbackAlignment",
    "GradientRule",
    "OnlineLearner",
    "find_gradients",
    "gradient_angle",
    "BCM",
    "FORCE",
    "GHA",
    "L1",
    "L2",
    "SGD",
    "ActivityL1",
    "ActivityL2",
    "Adam",
    "AdamW",
    "AntiHebbianDecorrelation",
    "BlockDiagonal",
    "Bounded",
    "ClipNorm",
    "ClipValue",
    "CompetitiveLearning",
    "Constant",
    "Contracting",
    "Cosine",
    "CovarianceRule",
    "CrossEntropy",
    "DalesLaw",
    "DelayedRewardHebb",
    "EarlyStopping",
    "EvolutionStrategy",
    "ExploratoryHebb",
    "Exponential",
    "FixedRank",
    "FoldiakCoding",
    "Gradients",
    "HebbianSubspace",
    "LinearWarmUp",
    "Loss",
    "Masked",
    "MeanSquaredError",
    "NegativeFeedback",
    "NodePerturbation",
    "NormalisedHebb",
    "Oja",
    "OjaSubspace",
    "OnPattern",
    "Optimiser",
    "Orthogonal",
    "Parametrisation",
    "Penalty",
    "PlasticityLearner",
    "Positive",
    "PredictiveCoding",
    "ProjectOut",
    "RMSprop",
    "RaoBallard",
    "RecursiveLeastSquares",
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
    "evolution_gradient",
    "run_trials",
    "train",
]

#: What needs scikit-learn, whose import takes a second: imported when it is first used.
_LOCAL = (
    "BCM",
    "FORCE",
    "GHA",
    "AntiHebbianDecorrelation",
    "CompetitiveLearning",
    "CovarianceRule",
    "DelayedRewardHebb",
    "EvolutionStrategy",
    "ExploratoryHebb",
    "FoldiakCoding",
    "NodePerturbation",
    "NormalisedHebb",
    "Oja",
    "OjaSubspace",
    "PlasticityLearner",
    "PredictiveCoding",
    "RaoBallard",
    "RecursiveLeastSquares",
    "evolution_gradient",
)


def __getattr__(name: str):
    if name not in _LOCAL:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from neurodyn.learning import local

    return getattr(local, name)
