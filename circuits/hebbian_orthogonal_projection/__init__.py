"""Lateral Hebbian learning that protects old tasks while a spiking network learns new ones.

M. Xiao, Q. Meng, Z. Zhang, D. He, Z. Lin, "Hebbian Learning based Orthogonal Projection for
Continual Learning of Spiking Neural Networks", ICLR 2024 (arXiv:2402.11984).

What it shows. A network that learns tasks one after the other overwrites what it knew, unless every
change of its weights is orthogonal to the activity of the old tasks. Here each layer has lateral
neurons, whose symmetric connections H learn the principal subspace of its activity by Hebbian and
anti-Hebbian terms (`principal_subspace`). What they feed back, H' H x, is taken out of the
presynaptic factor x of each change of weights, so that neurons and not an algorithm with stored
activity carry out the projection. Neurons that have learned one task are frozen, and others added
for the next. Then the network forgets hardly anything (`permuted_digits`, `split_digits`), whatever
the way in which errors reach the weights: by differentiation of rates, through time, or online; by
exact, random or sign-symmetric feedback (`error_propagation`).

What we changed. The paper's data need downloads. Here tasks are made of the 8 x 8 digits that
scikit-learn has, in other places of a larger image for each task, and networks are fully connected,
144-150-150-10. Published numbers beside ours are of an independent re-implementation in NumPy at
this size; of the paper there are its statements, since its tables were not at hand. The paper's own
size of the experiment with permuted MNIST runs with a file of yours (`permuted_digits`, setting
`mnist`). The threshold is fixed, there is no replay, online training changes weights once a batch,
and lateral neurons learn from all steps of a batch together. Units trained through time or online
start with larger weights than the others, without which layers behind the first stay silent.
"""

from neurodyn.experiments import Circuit

from . import experiments, figures, subspaces
from .claims import CLAIMS
from .model import lateral_network, network

__all__ = ["CIRCUIT", "lateral_network", "network"]

_EXPERIMENTS = {
    "permuted_digits": experiments.permuted_digits,
    "principal_subspace": subspaces.principal_subspace,
    "error_propagation": experiments.error_propagation,
    "split_digits": experiments.split_digits,
}

CIRCUIT = Circuit(
    name="hebbian_orthogonal_projection",
    title="Lateral Hebbian learning that protects old tasks while a spiking network learns new "
          "ones",
    citation="Xiao, Meng, Zhang, He, Lin (2024), Hebbian learning based orthogonal projection for "
             "continual learning of spiking neural networks, ICLR",
    doi="10.48550/arXiv.2402.11984",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments=_EXPERIMENTS,
    main="permuted_digits",
    figures={name: getattr(figures, name) for name in _EXPERIMENTS},
    claims=CLAIMS,
)
