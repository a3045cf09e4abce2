"""Rules by which weights change: `Plasticity`, and rules of the literature ready to use.

Spikes: `pair_stdp`, `triplet_stdp`, `tsodyks_markram` (short-term), `inhibitory_stdp`,
`reward_modulated_stdp`. Rates: `hebb`, `anti_hebb`, `oja`, `oja_subspace`, `bcm`,
`covariance_rule`, and with a third factor `three_factor`, `exploratory_hebb`. Either:
`synaptic_scaling`.
"""

from neurodyn.plasticity.modulated_rules import covariance_rule, exploratory_hebb, three_factor
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
    "covariance_rule",
    "exploratory_hebb",
    "hebb",
    "inhibitory_stdp",
    "oja",
    "oja_subspace",
    "pair_stdp",
    "reward_modulated_stdp",
    "synaptic_scaling",
    "three_factor",
    "triplet_stdp",
    "tsodyks_markram",
]
