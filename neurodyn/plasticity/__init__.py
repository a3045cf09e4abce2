"""Rules by which weights change: `Plasticity`, and rules of the literature ready to use.

Spikes: `pair_stdp`, `triplet_stdp`, `tsodyks_markram` (short-term), `inhibitory_stdp`,
`reward_modulated_stdp`. Rates: `hebb`, `anti_hebb`, `oja`, `oja_subspace`, `bcm`. Either:
`synaptic_scaling`.
"""

from neurodyn.plasticity.rate_rules import (
    anti_hebb,
    bcm,
    hebb,
    oja,
    oja_subspace,
    synaptic_scaling,
)
from neurodyn.plasticity.rule import Plasticity
from neurodyn.plasticity.spike_rules import (
    TRIPLET_FITS,
    inhibitory_stdp,
    pair_stdp,
    reward_modulated_stdp,
    triplet_stdp,
    tsodyks_markram,
)

__all__ = [
    "TRIPLET_FITS",
    "Plasticity",
    "anti_hebb",
    "bcm",
    "hebb",
    "inhibitory_stdp",
    "oja",
    "oja_subspace",
    "pair_stdp",
    "reward_modulated_stdp",
    "synaptic_scaling",
    "triplet_stdp",
    "tsodyks_markram",
]
