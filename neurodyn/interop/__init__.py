"""Networks to and from other simulators.

`to_brian2` gives a network that Brian2 runs, with the same equations, synapses and numbers;
`from_brian2` reads one that was written for Brian2. What has no counterpart on the other side is
named, all of it at once, by a `ConversionError`; nothing is left out silently.
"""

from neurodyn.interop.brian2_export import Brian2Network, to_brian2
from neurodyn.interop.brian2_import import ImportedNetwork, from_brian2
from neurodyn.interop.obstacles import ConversionError

__all__ = ["Brian2Network", "ConversionError", "ImportedNetwork", "from_brian2", "to_brian2"]
