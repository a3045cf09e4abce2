"""How spikes act on a neuron: synaptic currents or conductances, exponential or alpha-shaped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from neurodyn.population import Population
from neurodyn.units import ms, mV, to_si

#: What a synaptic quantity ``{x}`` does, by the shape of its time course.
_COURSES = {
    "exponential": "d{x}/dt = -{x}/{tau} : {unit}",
    "alpha": "d{x}/dt = (e*{h} - {x})/{tau} : {unit}\nd{h}/dt = -{h}/{tau} : {unit}",
}


@dataclass(frozen=True, eq=False)
class _Synapses:
    """Two kinds of synapses, excitatory and inhibitory, each with one time constant."""

    tau_exc: Any = 5 * ms
    tau_inh: Any = 10 * ms

    #: First letter of the states: of a current or a conductance.
    letter = ""
    #: What flows into the neuron.
    current = ""

    def __post_init__(self):
        if self.shape not in _COURSES:
            raise ValueError(f'`shape` must be "exponential" or "alpha"; got {self.shape!r}')

    @property
    def targets(self) -> tuple[str, str]:
        """States at which excitatory and inhibitory spikes end."""
        letter = "h" if self.shape == "alpha" else self.letter
        return f"{letter}_exc", f"{letter}_inh"

    def equations(self, unit: str) -> str:
        """Their equations; `unit` is that of the states."""
        lines = [
            _COURSES[self.shape].format(
                x=f"{self.letter}_{kind}", h=f"h_{kind}", tau=f"tau_{kind}", unit=unit
            )
            for kind in ("exc", "inh")
        ]
        return "\n".join(lines)

    @property
    def values(self) -> dict[str, Any]:
        """Parameters that the equations use."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "shape"}


@dataclass(frozen=True, eq=False)
class Currents(_Synapses):
    """Spikes bring a current, ``I = I_ext + I_exc + I_inh``, that does not depend on the potential.

    Inhibitory weights are negative.

    Parameters
    ----------
    tau_exc, tau_inh : float, array_like or Quantity, s
        Time constants, default 5 and 10 ms; one for all or one a unit.
    shape : {"exponential", "alpha"}
        With "exponential" a spike of weight w that ends at ``I_exc`` adds w to it, which decays:
        ``w exp(-t/tau)``. With "alpha" it ends at ``h_exc``, and the current is
        ``w e t/tau exp(-t/tau)``, which peaks at w after tau. Default "exponential".
    """

    shape: str = "exponential"

    letter = "I"
    current = "I_exc + I_inh"


@dataclass(frozen=True, eq=False)
class Conductances(_Synapses):
    """Spikes open conductances, ``I = I_ext + g_exc*(E_exc - v) + g_inh*(E_inh - v)``.

    Weights are conductances, all positive: `E_inh` makes inhibition. Defaults are those of
    benchmark 1 of Brette et al. (2007).

    Parameters
    ----------
    tau_exc, tau_inh : float, array_like or Quantity, s
        Time constants, default 5 and 10 ms; one for all or one a unit.
    E_exc, E_inh : float, array_like or Quantity, V
        Reversal potentials, default 0 and -80 mV.
    shape : {"exponential", "alpha"}
        With "exponential" a spike of weight w that ends at ``g_exc`` adds w to it, which decays:
        ``w exp(-t/tau)``. With "alpha" it ends at ``h_exc``, and the conductance is
        ``w e t/tau exp(-t/tau)``, which peaks at w after tau. Default "exponential".
    """

    E_exc: Any = 0 * mV
    E_inh: Any = -80 * mV
    shape: str = "exponential"

    letter = "g"
    current = "g_exc*(E_exc - v) + g_inh*(E_inh - v)"


#: Unit of a current, and that of a conductance that goes with it.
_UNITS = {
    "amp": "siemens",
    "amp/metre**2": "siemens/metre**2",
    "volt/second": "hertz",
}


def neuron(
    size: int,
    equations: str,
    synapses: Currents | Conductances | None,
    values: Mapping[str, Any],
    *,
    unit: str = "amp",
    **spiking: Any,
) -> Population:
    """A population of the equations of a membrane, in which `I` is the current that flows in.

    Parameters
    ----------
    size : int
    equations : str
    synapses : Currents, Conductances or None
    values : mapping
        Parameters and initial states.
    unit : str
        Unit of currents.
    **spiking
        `threshold`, `reset` and `refractory`.
    """
    lines = [equations.strip()]
    if synapses is None:
        lines.append(f"I = I_ext : {unit}")
    elif isinstance(synapses, _Synapses):
        lines.append(f"I = I_ext + {synapses.current} : {unit}")
        lines.append(synapses.equations(unit if synapses.letter == "I" else _UNITS[unit]))
        values = {**synapses.values, **values}
    else:
        raise TypeError(
            "`synapses` must be nd.neurons.Currents(...), nd.neurons.Conductances(...) or None, "
            f"with which spikes end at `v`; got {synapses!r}"
        )
    lines.append(f"I_ext : {unit}")
    return Population(size, "\n".join(lines), **spiking, **values)


def check_positive(values: Mapping[str, Any], *names: str) -> None:
    """Refuse values, of those `names`, that are 0 or negative."""
    for name in names:
        number = np.min(to_si(values[name], name).value)
        if number <= 0:
            raise ValueError(f"`{name}` must be positive; got {number:g} (SI)")


def pattern_values(
    pattern: str, patterns: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Parameters of a named pattern, without its current, and what is said otherwise."""
    if pattern not in patterns:
        from neurodyn.population import listed, suggestion

        hint = suggestion(pattern, patterns) if isinstance(pattern, str) else ""
        raise ValueError(
            f"no `pattern` {pattern!r}{hint or '.'} There are {listed(patterns)}."
        )
    found = {name: value for name, value in patterns[pattern].items() if name != "I_ext"}
    return {**found, **values}
