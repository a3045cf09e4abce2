"""Rich and lazy learning, by the structure of the initial connectivity.

Y. H. Liu, A. Baratin, J. Cornford, S. Mihalas, E. Shea-Brown, G. Lajoie, "How connectivity
structure shapes rich and lazy learning in neural circuits", ICLR (2024).

What it shows. Learning is called lazy where the tangent kernel and the representations of a network
hardly change, and rich where they do. It has long been known that small initial weights make it
rich. Here weights have the same size, and only their structure differs: recurrent networks whose
initial weights have a low rank move further, in kernel and representation, than those of full rank,
when both have learned a decision equally well (`initial_rank`); and so do networks that begin with
structures of brain circuits, whose effective rank is low (`circuit_structure`). In a linear network
of two layers the change of the kernel has a closed form. Averaged over tasks the highest rank is
laziest (`linear_theory`), and yet the laziest network of all has rank one: weights that are already
aligned with the task (`alignment_with_task`). Full-rank networks are also closer to chaos; the
effect of rank remains, if smaller, for weights so small that all are stable (`dynamical_regime`).

What we found. Kernel and representation turn further at rank one on all four tasks. The weights
change more too, but not on delayed match to sample, where they change less. At a gain of 0.8, which
is stable, the effect of rank on the decision about motion is two fifths of that at 1.25, and 2000
updates do not teach half of the networks the match to sample.

What we changed. Networks have 100 units and learn for 2000 updates, the paper's 300 and 10 000; the
paper's size is ``--set units=300 --set steps=10000``. Every network of a seed has the same input
weights, readout and batches, where the authors draw them anew. Digits of 8 x 8 pixels, row by row,
stand for sequential MNIST. The paper's matrices with structures of circuits could not be had; ours
have the same kinds of structure (`initial_weights.structured`). In the linear network the inputs
are white exactly, not in the mean.
"""

from neurodyn.experiments import Circuit

from . import experiments, figures, linear_experiments
from .claims import CLAIMS
from .initial_weights import of_rank, structured
from .model import network
from .two_layer import final_alignment, linear_network

__all__ = ["CIRCUIT", "final_alignment", "linear_network", "network", "of_rank", "structured"]

CIRCUIT = Circuit(
    name="rich_lazy",
    title="Rich and lazy learning, by the structure of the initial connectivity",
    citation="Liu, Baratin, Cornford, Mihalas, Shea-Brown, Lajoie (2024), How connectivity "
    "structure shapes rich and lazy learning in neural circuits, ICLR",
    doi="10.48550/arXiv.2310.08513",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments={
        "initial_rank": experiments.initial_rank,
        "dynamical_regime": experiments.dynamical_regime,
        "circuit_structure": experiments.circuit_structure,
        "linear_theory": linear_experiments.linear_theory,
        "alignment_with_task": linear_experiments.alignment_with_task,
    },
    main="initial_rank",
    figures={
        "initial_rank": figures.initial_rank,
        "dynamical_regime": figures.dynamical_regime,
        "circuit_structure": figures.circuit_structure,
        "linear_theory": figures.linear_theory,
        "alignment_with_task": figures.alignment_with_task,
    },
    claims=CLAIMS,
)
