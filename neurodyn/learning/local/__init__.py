"""Local rules of learning, with scikit-learn's habits: what synapses know, and a signal for all.

On arrays: `NormalisedHebb`, `Oja`, `OjaSubspace`, `GHA` (principal components), `CovarianceRule`,
`BCM`, `CompetitiveLearning`, `AntiHebbianDecorrelation`, `FoldiakCoding`, any other text by
`PlasticityLearner`; `PredictiveCoding` and `RaoBallard`; `RecursiveLeastSquares`.

On networks: `FORCE`, `ExploratoryHebb`, and on tasks `NodePerturbation`, `DelayedRewardHebb` and
`EvolutionStrategy`, with `evolution_gradient` for any function.

Every rule is a `sklearn.base.BaseEstimator`: `fit` learns from the beginning and `partial_fit` goes
on; what is learned ends in ``_``; ``sklearn.base.clone`` and pipelines take them.
"""

from neurodyn.learning.local.competitive import CompetitiveLearning
from neurodyn.learning.local.components import GHA, NormalisedHebb
from neurodyn.learning.local.decorrelation import AntiHebbianDecorrelation, FoldiakCoding
from neurodyn.learning.local.evolution import EvolutionStrategy
from neurodyn.learning.local.exploratory import ExploratoryHebb
from neurodyn.learning.local.force import FORCE
from neurodyn.learning.local.least_squares import RecursiveLeastSquares
from neurodyn.learning.local.perturbation import DelayedRewardHebb, NodePerturbation
from neurodyn.learning.local.predictive import PredictiveCoding
from neurodyn.learning.local.rao_ballard import RaoBallard
from neurodyn.learning.local.smoothed_gradients import evolution_gradient
from neurodyn.learning.local.text_rules import (
    BCM,
    CovarianceRule,
    Oja,
    OjaSubspace,
    PlasticityLearner,
)

__all__ = [
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
]
