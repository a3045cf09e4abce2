"""Linear integrate-and-fire neurons, which nd.Exact integrates: `lif` and `glif`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurodyn.neurons.synapses import check_positive, neuron, pattern_values
from neurodyn.units import Hz, Mohm, ms, mV, nS, pA, pF

if TYPE_CHECKING:
    from neurodyn.neurons.synapses import Conductances, Currents
    from neurodyn.population import Population

LIF = "dv/dt = (v_rest - v + R*I)/tau : volt (unless refractory)"


def lif(
    size: int,
    *,
    tau: Any = 20 * ms,
    R: Any = 100 * Mohm,
    v_rest: Any = -60 * mV,
    v_th: Any = -50 * mV,
    v_reset: Any = -60 * mV,
    refractory: Any = 5 * ms,
    synapses: Currents | Conductances | None = None,
    **values: Any,
) -> Population:
    """Leaky integrate-and-fire neurons: ``tau dv/dt = v_rest - v + R I``, a spike at ``v > v_th``.

    Under a constant current I with ``R I > v_th - v_rest`` the interval between spikes is
    ``refractory + tau log((v_rest + R I - v_reset)/(v_rest + R I - v_th))``.

    Parameters
    ----------
    size : int
        Number of neurons.
    tau : float, array_like or Quantity, s
        Membrane time constant, default 20 ms; this and the others: one for all or one a unit.
    R : float, array_like or Quantity, ohm
        Membrane resistance, default 100 Mohm; so the capacitance tau/R is 200 pF.
    v_rest, v_th, v_reset : float, array_like or Quantity, V
        Resting potential, threshold, and where a spike leaves the neuron; default -60, -50 and
        -60 mV.
    refractory : float, array_like or Quantity, s
        Time after a spike in which `v` stands still, default 5 ms.
    synapses : Currents or Conductances, optional
        How spikes act, see `neurodyn.neurons`. Default None: they end at `v`.
    **values
        Initial states, default ``v=v_rest``; ``I_ext``, to hold it constant.

    Returns
    -------
    Population
        Solvers: nd.Exact, with which `v` has no error; nd.ExponentialEuler with `Conductances`.

    Notes
    -----
    Defaults are the cells of benchmark 1 of Brette et al. (2007), appendix 2, whose synapses are
    ``Conductances()`` with weights of 6 nS (excitatory) and 67 nS.
    """
    given = dict(tau=tau, R=R, v_rest=v_rest, v_th=v_th, v_reset=v_reset)
    check_positive(given, "R")
    return neuron(
        size, LIF, synapses, {**given, "v": v_rest, **values},
        threshold="v > v_th", reset="v = v_reset", refractory=refractory,
    )  # fmt: skip


GLIF = """
dv/dt = (g_L*(E_L - v) + I_1 + I_2 + I)/C : volt (unless refractory)
dtheta/dt = a*(v - E_L) - b*(theta - theta_inf) : volt
dI_1/dt = -k_1*I_1 : amp
dI_2/dt = -k_2*I_2 : amp
"""
_GLIF_RESET = """
v = v_reset
theta = clip(theta, theta_reset, inf*volt)
I_1 = R_1*I_1 + A_1
I_2 = R_2*I_2 + A_2
"""


def _mihalas_niebur(a: float, A_1: float, A_2: float, I_ext: float) -> dict[str, Any]:
    """A row of Table 1: a in 1/s, currents over C in V/s, which for 100 pF are in 100 pA."""
    return {"a": a * Hz, "A_1": A_1 * 100 * pA, "A_2": A_2 * 100 * pA, "I_ext": I_ext * 100 * pA}


#: Panels of Figure 1 of Mihalas and Niebur (2009) with a constant current `I_ext`: Table 1 for a
#: capacitance of 100 pF.
GLIF_PATTERNS = {
    "tonic spiking": _mihalas_niebur(0, 0, 0, 1.5),  # A
    "adaptation": _mihalas_niebur(5, 0, 0, 2),  # C
    "phasic spiking": _mihalas_niebur(5, 0, 0, 1.5),  # D
    "hyperpolarization-induced spiking": _mihalas_niebur(30, 0, 0, -1),  # K
    "hyperpolarization-induced bursting": _mihalas_niebur(30, 10, -0.6, -1),  # L
    "tonic bursting": _mihalas_niebur(5, 10, -0.6, 2),  # M
    "phasic bursting": _mihalas_niebur(5, 10, -0.6, 1.5),  # N
    "mixed mode": _mihalas_niebur(5, 5, -0.3, 2),  # P
}

_GLIF_VALUES = dict(
    C=100 * pF, g_L=5 * nS, E_L=-70 * mV, v_reset=-70 * mV, theta_inf=-50 * mV,
    theta_reset=-60 * mV, b=10 * Hz, k_1=200 * Hz, k_2=20 * Hz, R_1=0.0, R_2=1.0,
)  # fmt: skip


def glif(
    size: int,
    pattern: str = "tonic spiking",
    *,
    refractory: Any = 0 * ms,
    synapses: Currents | Conductances | None = None,
    **values: Any,
) -> Population:
    """Generalised leaky integrate-and-fire neurons: the threshold moves, spikes leave currents.

    Linear between spikes, yet with the repertoire of far larger models::

        C dv/dt   = g_L (E_L - v) + I_1 + I_2 + I
        dtheta/dt = a (v - E_L) - b (theta - theta_inf)
        dI_j/dt   = -k_j I_j

    A spike at ``v > theta`` sets ``v = v_reset``, ``theta = max(theta, theta_reset)`` and
    ``I_j = R_j I_j + A_j``.

    Parameters
    ----------
    size : int
        Number of neurons.
    pattern : str
        Values of `a`, `A_1` and `A_2`, by name from `GLIF_PATTERNS`, which also holds the current
        ``I_ext`` that evokes the pattern. Default "tonic spiking".
    refractory : float, array_like or Quantity, s
        Time after a spike in which `v` stands still, default 0.
    synapses : Currents or Conductances, optional
        How spikes act, see `neurodyn.neurons`. Default None: they end at `v`.
    **values
        Any of the parameters, one for all or one a unit: ``C`` (default 100 pF), ``g_L`` (5 nS),
        ``E_L``, ``v_reset`` (-70 mV), ``theta_inf`` (-50 mV), ``theta_reset`` (-60 mV), ``a``,
        ``b`` (10 Hz), ``k_1``, ``k_2`` (200, 20 Hz), ``R_1``, ``R_2`` (0, 1), ``A_1``, ``A_2``;
        initial states, default at rest; ``I_ext``, to hold it constant.

    Returns
    -------
    Population
        Solvers: nd.Exact; nd.ExponentialEuler with `Conductances`.

    Notes
    -----
    Mihalas and Niebur (2009), eqs. 2.1 and 2.2 with two currents; Table 1 gives ratios to C, which
    is ours. Teeter et al. (2018) fitted the same equations to cortical cells, with other rules at a
    spike. Table 1 as Detorakis (2017) quotes it.
    """
    given = pattern_values(pattern, GLIF_PATTERNS, values)
    given = {**_GLIF_VALUES, **given}
    check_positive(given, "C", "g_L")
    initial = {"v": given["E_L"], "theta": given["theta_inf"]}
    return neuron(
        size, GLIF, synapses, {**initial, **given},
        threshold="v > theta", reset=_GLIF_RESET.strip(), refractory=refractory,
    )  # fmt: skip
