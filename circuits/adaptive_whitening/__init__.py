"""Adaptive whitening by interneurons whose gains adapt while all synapses stay fixed.

L. R. Duong*, D. Lipshutz*, D. J. Heeger, D. B. Chklovskii, E. P. Simoncelli, "Adaptive whitening
in neural populations with gain-modulating interneurons", ICML 2023, PMLR 202 (arXiv:2301.11955);
and its follow-up, L. R. Duong, E. P. Simoncelli, D. B. Chklovskii, D. Lipshutz, "Adaptive whitening
with fast gain modulation and slow synaptic plasticity", NeurIPS 2023 (arXiv:2308.13633).

What it shows. Sensory neurons decorrelate their responses and equalise their variances within
seconds of a change of their input, faster than synapses can change and without forgetting what was
before. Here N primary neurons y excite K interneurons through fixed weights W, and are inhibited
back through the same weights:

    tau_y dy/dt = x - W (g z) - leak y,     z = W^T y,     tau_g dg/dt = z^2 - |w_i|^2

Each interneuron adapts only its own gain, until its input has variance 1. If there are enough of
them, K = N (N + 1) / 2 with generic weights, unit variance along all those directions leaves the
responses no covariance but the identity. The weights decide how fast (`frame_speed`), and which
interneurons a context recruits (`recruitment`); with non-negative gains the circuit equalises
without ever amplifying (`non_negative_gains`); with interneurons that see only neighbouring pixels
it whitens locally (`local_whitening`, `image_patches`). In the follow-up the weights learn, slowly,
what the contexts have in common, so that K = N suffice (`learned_frame_online`,
`transform_coding`).

What we changed. The main experiment, `photographs`, is not in the paper: there the circuit itself,
compiled from the equations above, looks at patches of one photograph, of another, and of the first
again, with every patch shown for 20 tau_y, photoreceptor noise, and no shortcut through the steady
state. Photographs bundled with scikit-learn (or your own) stand in for the Van Hateren pictures.
Time constants have units. Non-negative gains obey projected dynamics (`model.network` has the
equation and why). `photograph_contexts` adds noise to its covariances, where the follow-up picked
pictures that are well-conditioned by themselves.
"""

from neurodyn.experiments import Circuit

from . import experiments, figures, image_figures, images, plastic_frame
from .claims import CLAIMS
from .model import network

__all__ = ["CIRCUIT", "network"]

_EXPERIMENTS = {
    function.__name__: function for function in (
        images.photographs, experiments.two_contexts, experiments.frame_speed,
        experiments.recruitment, experiments.non_negative_gains, experiments.local_whitening,
        images.image_patches, plastic_frame.learned_frame_online,
        plastic_frame.learned_frame_offline, plastic_frame.transform_coding,
        plastic_frame.photograph_contexts)
}

CIRCUIT = Circuit(
    name="adaptive_whitening",
    title="Adaptive whitening by interneurons whose gains adapt while all synapses stay fixed",
    citation="Duong, Lipshutz, Heeger, Chklovskii, Simoncelli (2023), Adaptive whitening in neural "
             "populations with gain-modulating interneurons, ICML, PMLR 202",
    doi="10.48550/arXiv.2301.11955",
    summary=__doc__.split("\n\n", 2)[2],
    network=network,
    experiments=_EXPERIMENTS,
    main="photographs",
    figures={name: getattr(figures, name, None) or getattr(image_figures, name)
             for name in _EXPERIMENTS},
    claims=CLAIMS,
)
