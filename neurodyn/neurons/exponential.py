"""Integrate-and-fire neurons whose spikes begin exponentially: `eif` and `adex`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurodyn.neurons.synapses import check_positive, neuron, pattern_values
from neurodyn.units import ms, mV, nA, nS, pA, pF

if TYPE_CHECKING:
    from neurodyn.neurons.synapses import Conductances, Currents
    from neurodyn.population import Population

# Beyond the peak there is nothing to integrate. A method of several stages looks there all the
# same, where the exponential would overflow and take `w` with it, so the potential ends for it at
# the peak.
EIF = """
dv/dt = (g_L*(E_L - v) + g_L*Delta_T*exp((v_bounded - v_T)/Delta_T) + I)/C : volt (unless refractory)
v_bounded = clip(v, -inf*volt, v_peak) : volt
"""  # noqa: E501

ADEX = """
dv/dt = (g_L*(E_L - v) + g_L*Delta_T*exp((v_bounded - v_T)/Delta_T) - w + I)/C : volt (unless refractory)
dw/dt = (a*(v_bounded - E_L) - w)/tau_w : amp
v_bounded = clip(v, -inf*volt, v_peak) : volt
"""  # noqa: E501


def eif(
    size: int,
    *,
    C: Any = 100 * pF,
    g_L: Any = 10 * nS,
    E_L: Any = -65 * mV,
    v_T: Any = -59.9 * mV,
    Delta_T: Any = 3.48 * mV,
    v_peak: Any = -30 * mV,
    v_reset: Any = -68 * mV,
    refractory: Any = 1.7 * ms,
    synapses: Currents | Conductances | None = None,
    **values: Any,
) -> Population:
    """Exponential integrate-and-fire neurons, whose spikes begin as those of real neurons do.

    ``C dv/dt = g_L (E_L - v) + g_L Delta_T exp((v - v_T)/Delta_T) + I``. Above `v_T` the potential
    runs away; where it passes `v_peak` is the spike.

    Parameters
    ----------
    size : int
        Number of neurons.
    C, g_L : float, array_like or Quantity
        Capacitance and leak conductance, default 100 pF and 10 nS, so that C/g_L = 10 ms; these and
        the others: one for all or one a unit.
    E_L : float, array_like or Quantity, V
        Reversal potential of the leak, default -65 mV.
    v_T : float, array_like or Quantity, V
        Where the slope of the current-voltage curve is 0, default -59.9 mV. The rheobase is
        ``g_L (v_T - E_L - Delta_T)``.
    Delta_T : float, array_like or Quantity, V
        Sharpness of the onset, default 3.48 mV.
    v_peak, v_reset : float, array_like or Quantity, V
        Where a spike ends, and where it leaves the neuron; default -30 and -68 mV.
    refractory : float, array_like or Quantity, s
        Time after a spike in which `v` stands still, default 1.7 ms.
    synapses : Currents or Conductances, optional
        How spikes act, see `neurodyn.neurons`. Default None: they end at `v`.
    **values
        Initial states, default ``v=E_L``; ``I_ext``, to hold it constant.

    Returns
    -------
    Population
        Solvers: nd.RK4, nd.ExponentialEuler.

    Notes
    -----
    Fourcaud-Trocmé et al. (2003), with their values, which are fitted to the model of Wang and
    Buzsáki; theirs are densities, here of 10,000 um^2 of membrane.
    """
    given = dict(C=C, g_L=g_L, E_L=E_L, v_T=v_T, Delta_T=Delta_T, v_peak=v_peak, v_reset=v_reset)
    check_positive(given, "C", "g_L", "Delta_T")
    return neuron(
        size, EIF, synapses, {**given, "v": E_L, **values},
        threshold="v > v_peak", reset="v = v_reset", refractory=refractory,
    )  # fmt: skip


def _naud(C, g_L, E_L, a, tau_w, b, v_reset, I_ext) -> dict[str, Any]:
    """A row of Table 1 of Naud et al. (2008): pF, nS, mV, nS, ms, pA, mV, pA."""
    return dict(
        C=C * pF, g_L=g_L * nS, E_L=E_L * mV, v_T=-50 * mV, Delta_T=2 * mV, a=a * nS,
        tau_w=tau_w * ms, b=b * pA, v_reset=v_reset * mV, v_peak=0 * mV, I_ext=I_ext * pA,
    )  # fmt: skip


#: "regular spiking" is the cell of Brette and Gerstner (2005), with a current of ours; the others
#: are figure 4 of Naud et al. (2008), each with the step of current `I_ext` that evokes it.
ADEX_PATTERNS = {
    "regular spiking": dict(
        C=281 * pF, g_L=30 * nS, E_L=-70.6 * mV, v_T=-50.4 * mV, Delta_T=2 * mV, a=4 * nS,
        tau_w=144 * ms, b=0.0805 * nA, v_reset=-70.6 * mV, v_peak=20 * mV, I_ext=1 * nA,
    ),
    "tonic spiking": _naud(200, 10, -70, 2, 30, 0, -58, 500),
    "adaptation": _naud(200, 12, -70, 2, 300, 60, -58, 500),
    "initial burst": _naud(130, 18, -58, 4, 150, 120, -50, 400),
    "regular bursting": _naud(200, 10, -58, 2, 120, 100, -46, 210),
    "delayed accelerating": _naud(200, 12, -70, -10, 300, 0, -58, 300),
    "delayed regular bursting": _naud(100, 10, -65, -10, 90, 30, -47, 110),
    "transient spiking": _naud(100, 10, -65, 10, 90, 100, -47, 180),
    "irregular spiking": _naud(100, 12, -60, -11, 130, 30, -48, 160),
}  # fmt: skip


def adex(
    size: int,
    pattern: str = "regular spiking",
    *,
    refractory: Any = 0 * ms,
    synapses: Currents | Conductances | None = None,
    **values: Any,
) -> Population:
    """Adaptive exponential integrate-and-fire neurons (AdEx), with named firing patterns.

    The membrane and its adaptation::

        C dv/dt     = g_L (E_L - v) + g_L Delta_T exp((v - v_T)/Delta_T) - w + I
        tau_w dw/dt = a (v - E_L) - w

    A spike at ``v > v_peak`` sets ``v = v_reset`` and ``w = w + b``.

    Parameters
    ----------
    size : int
        Number of neurons.
    pattern : str
        All the parameters below, by name from `ADEX_PATTERNS`, which also holds the step of current
        ``I_ext`` that evokes the pattern. Default "regular spiking", which is Brette and Gerstner's
        cell.
    refractory : float, array_like or Quantity, s
        Time after a spike in which `v` stands still, default 0.
    synapses : Currents or Conductances, optional
        How spikes act, see `neurodyn.neurons`. Default None: they end at `v`.
    **values
        Any of the parameters instead of the pattern's, one for all or one a unit: ``C``, ``g_L``,
        ``E_L``, ``v_T``, ``Delta_T``, ``a``, ``tau_w``, ``b``, ``v_reset``, ``v_peak``; initial
        states, default ``v=E_L``, ``w=0``; ``I_ext``, to hold it constant.

    Returns
    -------
    Population
        Solvers: nd.RK4, nd.ExponentialEuler. A burst hangs on the value of `w` at each spike, and
        so on dt: 0.01 ms for a pattern, 0.1 ms for a network.

    Notes
    -----
    Brette and Gerstner (2005). Table 1 of Naud et al. (2008) as Brian2's example of
    it has it, with some values that were corrected to match the paper's figures.
    """
    given = pattern_values(pattern, ADEX_PATTERNS, values)
    check_positive(given, "C", "g_L", "Delta_T")
    return neuron(
        size, ADEX, synapses, {"v": given["E_L"], **given},
        threshold="v > v_peak", reset="v = v_reset; w += b", refractory=refractory,
    )  # fmt: skip
