"""Networks to and from other simulators.

`to_brian2` gives a network that Brian2 runs, with the same equations, synapses and numbers. What
has no counterpart there is named, all of it at once, by a `ConversionError`; nothing is left out
silently.
"""

from neurodyn.interop.brian2_export import Brian2Network, to_brian2
from neurodyn.interop.obstacles import ConversionError

__all__ = ["Brian2Network", "ConversionError", "to_brian2"]
