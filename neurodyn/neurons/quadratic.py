"""The quadratic neuron with recovery of Izhikevich (2003): `izhikevich`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.neurons.synapses import neuron, pattern_values
from neurodyn.units import ms, mV, to_si

if TYPE_CHECKING:
    from neurodyn.neurons.synapses import Conductances, Currents
    from neurodyn.population import Population

IZHIKEVICH = """
dv/dt = 0.04*v**2/(ms*mV) + 5*v/ms + 140*mV/ms - u + I : volt (unless refractory)
du/dt = a*(b*v - u) : volt/second
"""


def _izhikevich(a: float, b: float, c: float, d: float) -> dict[str, Any]:
    """The paper's four numbers with their units."""
    return {"a": a / ms, "b": b / ms, "c": c * mV, "d": d * mV / ms}


#: Figure 2 of Izhikevich (2003): regular spiking, intrinsically bursting, chattering, fast spiking,
#: low-threshold spiking, thalamo-cortical, resonator.
IZHIKEVICH_PATTERNS = {
    "RS": _izhikevich(0.02, 0.2, -65, 8),
    "IB": _izhikevich(0.02, 0.2, -55, 4),
    "CH": _izhikevich(0.02, 0.2, -50, 2),
    "FS": _izhikevich(0.1, 0.2, -65, 2),
    "LTS": _izhikevich(0.02, 0.25, -65, 2),
    "TC": _izhikevich(0.02, 0.25, -65, 0.05),
    "RZ": _izhikevich(0.1, 0.26, -65, 2),
}


def izhikevich(
    size: int,
    pattern: str = "RS",
    *,
    refractory: Any = 0 * ms,
    synapses: Currents | Conductances | None = None,
    **values: Any,
) -> Population:
    """Izhikevich's neurons, quadratic with recovery, with named firing patterns.

    With potentials in mV and time in ms::

        dv/dt = 0.04 v^2 + 5 v + 140 - u + I
        du/dt = a (b v - u)

    A spike at ``v >= 30`` sets ``v = c`` and ``u = u + d``.

    Parameters
    ----------
    size : int
        Number of neurons.
    pattern : str
        Values of the four parameters, by name from `IZHIKEVICH_PATTERNS`: "RS", "IB", "CH", "FS",
        "LTS", "TC" or "RZ". Default "RS".
    refractory : float, array_like or Quantity, s
        Time after a spike in which `v` stands still, default 0.
    synapses : Currents or Conductances, optional
        How spikes act, see `neurodyn.neurons`. Default None: they end at `v`.
    **values
        Any of the parameters instead of the pattern's, one for all or one a unit, with their units:
        ``a=0.02/nd.ms``, ``b=0.2/nd.ms``, ``c=-65*nd.mV``, ``d=8*nd.mV/nd.ms``; ``v_peak`` (default
        30 mV); initial states, default at rest; ``I_ext``, to hold it constant.

    Returns
    -------
    Population
        Solvers: nd.RK4, nd.ExponentialEuler; the paper takes Euler steps of 0.5 ms for `v`.

    Notes
    -----
    Izhikevich (2003), eqs. 1 to 3. The model has no capacitance, so its currents are in V/s, and
    conductances in Hz: the paper's I = 10 is ``10*nd.mV/nd.ms``, which is 10 V/s.
    """
    given = {"v_peak": 30 * mV, **pattern_values(pattern, IZHIKEVICH_PATTERNS, values)}
    c = np.asarray(to_si(given["c"], "c").value)
    if np.any(np.abs(c) > 1):
        raise ValueError(
            f"`c` is a potential in V; got {c.flat[np.argmax(np.abs(c))]:g} V. Write the paper's "
            "values with their units: a=0.02/nd.ms, b=0.2/nd.ms, c=-65*nd.mV, d=8*nd.mV/nd.ms"
        )
    v_rest = _rest(to_si(given["b"], "b").value)
    initial = {"v": v_rest, "u": v_rest * to_si(given["b"], "b").value}
    return neuron(
        size, IZHIKEVICH, synapses, {**initial, **given}, unit="volt/second",
        threshold="v >= v_peak", reset="v = c; u += d", refractory=refractory,
    )  # fmt: skip


def _rest(b: float | np.ndarray) -> float | np.ndarray:
    """Stable rest (V): the lower root of 0.04 v^2 + (5 - b) v + 140 in mV, with b in 1/ms.

    Where there is none, b > 5 - sqrt(22.4) = 0.267, the potential that moves slowest.
    """
    slope = 5 - 1e-3 * np.asarray(b)
    root = np.sqrt(np.maximum(slope**2 - 4 * 0.04 * 140, 0.0))
    v_rest = 1e-3 * (-slope - root) / (2 * 0.04)
    return v_rest if v_rest.ndim else float(v_rest)
