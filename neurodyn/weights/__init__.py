"""Weights of a coupling: dense, sparse, low-rank or diagonal maps, their transposes and sums.

All are linear maps from presynaptic to postsynaptic units, ``[post, pre]``: the drive is ``W @ r``.
They are immutable; a new set of values makes a new object (`Weights.with_parameters`). A user
hands over an array, a list or a SciPy sparse matrix wherever weights are asked for and meets these
classes only to say something that an array cannot: ``LowRank(m, n)``, ``Diagonal(d)``,
``Transpose(other)``, ``LowRank(m, n) + nd.weights.gaussian(n, gain=0.8)``.

The random ensembles are in `neurodyn.weights.ensembles` and here: ``nd.weights.gaussian(...)``.
"""

from neurodyn.weights.base import Sum, Transpose, Weights
from neurodyn.weights.ensembles import (
    block,
    excitatory_inhibitory,
    gaussian,
    low_rank,
    low_rank_plus_random,
    orthogonal,
    sparse_random,
)
from neurodyn.weights.matrices import Dense, Diagonal, LowRank, all_to_all, as_weights
from neurodyn.weights.sparse import Sparse

__all__ = [
    "Dense",
    "Diagonal",
    "LowRank",
    "Sparse",
    "Sum",
    "Transpose",
    "Weights",
    "all_to_all",
    "as_weights",
    "block",
    "excitatory_inhibitory",
    "gaussian",
    "low_rank",
    "low_rank_plus_random",
    "orthogonal",
    "sparse_random",
]
