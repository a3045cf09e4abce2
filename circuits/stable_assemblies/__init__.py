"""Stable assemblies: contracting networks, coupled so that the whole contracts.

L. Kozachkov, M. Ennis, J.-J. Slotine, "RNNs of RNNs: recursive construction of stable assemblies of
recurrent neural networks", NeurIPS 2022, arXiv:2106.08928.

What it shows. Two stable recurrent networks that are connected need not be stable. If each
contracts in a metric of its own, and what one sends to another comes back with the opposite sign,
weighed by the metrics, the coupling cancels in the metric of the whole: assemblies of any number of
modules contract as fast as their slowest, however strong the coupling, at each step of a training.
Five conditions on the weights of a module give its metric (`conditions`). Coupled modules have
one response to an input, from any beginning (`combination`). Assemblies of fixed sparse modules
of which only the coupling is trained name images that are shown pixel by pixel as well as networks
without the constraint (`sequential_digits`), and the better, the more modules are coupled
(`modularity`).

What we changed. Images are the digits of 8 x 8 pixels that scikit-learn carries, not MNIST of 28 x
28 nor CIFAR10: `sequential_digits` takes a file of MNIST with ``images=``. Modules of fixed weights
get the metric of the paper's theorem 1, from Perron's vectors; the released code takes the
identity, which it tests with an elementwise product that sees the diagonal only and always passes,
and which fails for some modules (`conditions`). Trained modules (theorem 5) have a fixed metric,
and singular values below 0.95 by a smooth bound of the matrix instead of factors. The steps of the
image tasks, their learning rates and numbers of epochs are not published; those here are of an
independent run of the same task. One-way coupling of any strength contracts as well, in rescaled
metrics, and is trained beside the others.
"""

from neurodyn.experiments import Circuit

from . import certificates, figures, training
from .claims import CLAIMS
from .model import network

__all__ = ["CIRCUIT", "network"]

CIRCUIT = Circuit(
    name="stable_assemblies",
    title="Stable assemblies: contracting networks, coupled so that the whole contracts",
    citation="Kozachkov, Ennis, Slotine (2022), RNNs of RNNs: recursive construction of stable "
    "assemblies of recurrent neural networks, NeurIPS 35",
    doi="10.48550/arXiv.2106.08928",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments={
        "conditions": certificates.conditions,
        "combination": certificates.combination,
        "sequential_digits": training.sequential_digits,
        "modularity": training.modularity,
    },
    main="sequential_digits",
    figures={
        "conditions": figures.conditions,
        "combination": figures.combination,
        "sequential_digits": figures.sequential_digits,
        "modularity": figures.modularity,
    },
    claims=CLAIMS,
)
