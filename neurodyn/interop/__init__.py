"""Networks to and from other simulators.

`to_brian2` gives a network that Brian2 runs, with the same equations, synapses and numbers;
`from_brian2` reads one that was written for Brian2. What has no counterpart on the other side is
named, all of it at once, by a `ConversionError`; nothing is left out silently. `from_torch` makes a
network of a recurrent cell that PyTorch or other software has trained, `to_torch_state` gives its
weights back.
"""

from neurodyn.interop.brian2_export import Brian2Network, to_brian2
from neurodyn.interop.brian2_import import ImportedNetwork, from_brian2
from neurodyn.interop.obstacles import ConversionError
from neurodyn.interop.torch_weights import from_torch, to_torch_state

__all__ = [
    "Brian2Network",
    "ConversionError",
    "ImportedNetwork",
    "from_brian2",
    "from_torch",
    "to_brian2",
    "to_torch_state",
]
