"""Neurons with ion channels: `hodgkin_huxley` and `traub_miles`.

**One action potential is one spike.** A neuron spikes where `v` is above `v_th` for the first time
since it was below: a spike sets the state ``fired`` to 1, there is none until it has gone, and it
goes, within a step or two, only while `v` is below (``dfired/dt = -fired*int(v < v_th)/dt``). So
there is one however long the potential stays above, in a depolarisation block too, where a
refractory time would count one spike after another. Nothing else happens at a spike.

With ``v_th=None`` there are no spikes and no ``fired``: the bare equations, for what analyses them
rather than couples them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurodyn.neurons.synapses import check_positive, neuron
from neurodyn.units import cm, mS, mV, nS, pF, uF, uS

if TYPE_CHECKING:
    from neurodyn.neurons.synapses import Conductances, Currents
    from neurodyn.population import Population

# x/(1 - exp(-x)) is written 1/exprel(-x), which is right at x = 0 too.
HODGKIN_HUXLEY = """
dv/dt = (g_Na*m**3*h*(E_Na - v) + g_K*n**4*(E_K - v) + g_L*(E_L - v) + I)/C : volt
dm/dt = phi*(alpha_m*(1 - m) - beta_m*m) : 1
dh/dt = phi*(alpha_h*(1 - h) - beta_h*h) : 1
dn/dt = phi*(alpha_n*(1 - n) - beta_n*n) : 1
alpha_m = 1/exprel(-(v + 40*mV)/(10*mV))/ms : hertz
beta_m = 4*exp(-(v + 65*mV)/(18*mV))/ms : hertz
alpha_h = 0.07*exp(-(v + 65*mV)/(20*mV))/ms : hertz
beta_h = 1/(1 + exp(-(v + 35*mV)/(10*mV)))/ms : hertz
alpha_n = 0.1/exprel(-(v + 55*mV)/(10*mV))/ms : hertz
beta_n = 0.125*exp(-(v + 65*mV)/(80*mV))/ms : hertz
"""

TRAUB_MILES = """
dv/dt = (g_Na*m**3*h*(E_Na - v) + g_K*n**4*(E_K - v) + g_L*(E_L - v) + I)/C : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
alpha_m = 1.28/exprel(-(v - v_T - 13*mV)/(4*mV))/ms : hertz
beta_m = 1.4/exprel((v - v_T - 40*mV)/(5*mV))/ms : hertz
alpha_h = 0.128*exp(-(v - v_T - 17*mV)/(18*mV))/ms : hertz
beta_h = 4/(1 + exp(-(v - v_T - 40*mV)/(5*mV)))/ms : hertz
alpha_n = 0.16/exprel(-(v - v_T - 15*mV)/(5*mV))/ms : hertz
beta_n = 0.5*exp(-(v - v_T - 10*mV)/(40*mV))/ms : hertz
"""


def hodgkin_huxley(
    size: int,
    *,
    C: Any = 1 * uF / cm**2,
    g_Na: Any = 120 * mS / cm**2,
    g_K: Any = 36 * mS / cm**2,
    g_L: Any = 0.3 * mS / cm**2,
    E_Na: Any = 50 * mV,
    E_K: Any = -77 * mV,
    E_L: Any = -54.387 * mV,
    phi: Any = 1.0,
    v_th: Any = -20 * mV,
    synapses: Currents | Conductances | None = None,
    **values: Any,
) -> Population:
    """The squid giant axon of Hodgkin and Huxley (1952), a patch of membrane.

    ``C dv/dt = g_Na m^3 h (E_Na - v) + g_K n^4 (E_K - v) + g_L (E_L - v) + I``, with gates
    ``dx/dt = phi (alpha_x(v) (1 - x) - beta_x(v) x)``. All is per area of membrane: currents are in
    A/m^2 (``10*nd.uA/nd.cm**2``), conductances in S/m^2.

    Parameters
    ----------
    size : int
        Number of neurons.
    C : float, array_like or Quantity, F/m^2
        Capacitance, default 1 uF/cm^2; this and the others: one for all or one a unit.
    g_Na, g_K, g_L : float, array_like or Quantity, S/m^2
        Conductances of sodium, potassium and leak, default 120, 36 and 0.3 mS/cm^2.
    E_Na, E_K, E_L : float, array_like or Quantity, V
        Their reversal potentials, default 50, -77 and -54.387 mV.
    phi : float or array_like
        Speed of the gates, default 1, for 6.3 degrees Celsius; ``3**((T - 6.3)/10)`` for T.
    v_th : float, array_like or Quantity, V, or None
        A spike is a crossing of it from below, default -20 mV; None for no spikes. See
        `neurodyn.neurons.conductance_based`.
    synapses : Currents or Conductances, optional
        How spikes act, see `neurodyn.neurons`. Default None: they end at `v`.
    **values
        Initial states, default those at which a neuron with the values above rests, at -65 mV;
        ``I_ext``, to hold it constant.

    Returns
    -------
    Population
        Solvers: nd.RK4, with dt up to 0.05 ms; nd.ExponentialEuler, of first order, with 0.01 ms.

    Notes
    -----
    Hodgkin and Huxley (1952), eq. 26 with the rates of eqs. 12, 13, 20, 21, 23 and 24. Theirs is a
    potential of the other sign, counted from rest: ``v = -65 mV - V``.
    """
    given = dict(C=C, g_Na=g_Na, g_K=g_K, g_L=g_L, E_Na=E_Na, E_K=E_K, E_L=E_L, phi=phi)
    rest = dict(v=-64.9963793 * mV, m=0.0529550868, h=0.595994125, n=0.317732400)
    return _excitable(
        size, HODGKIN_HUXLEY, synapses, v_th, {**given, **rest, **values}, "amp/metre**2"
    )


def traub_miles(
    size: int,
    *,
    C: Any = 200 * pF,
    g_Na: Any = 20 * uS,
    g_K: Any = 6 * uS,
    g_L: Any = 10 * nS,
    E_Na: Any = 50 * mV,
    E_K: Any = -90 * mV,
    E_L: Any = -60 * mV,
    v_T: Any = -63 * mV,
    v_th: Any = -20 * mV,
    synapses: Currents | Conductances | None = None,
    **values: Any,
) -> Population:
    """Hippocampal pyramidal cells after Traub and Miles, as networks of them are simulated.

    ``C dv/dt = g_Na m^3 h (E_Na - v) + g_K n^4 (E_K - v) + g_L (E_L - v) + I``, with gates
    ``dx/dt = alpha_x(v - v_T) (1 - x) - beta_x(v - v_T) x``.

    Parameters
    ----------
    size : int
        Number of neurons.
    C : float, array_like or Quantity, F
        Capacitance, default 200 pF; this and the others: one for all or one a unit.
    g_Na, g_K, g_L : float, array_like or Quantity, S
        Conductances of sodium, potassium and leak, default 20 uS, 6 uS and 10 nS.
    E_Na, E_K, E_L : float, array_like or Quantity, V
        Their reversal potentials, default 50, -90 and -60 mV.
    v_T : float, array_like or Quantity, V
        Shifts the voltage dependence of the gates, and so the threshold; default -63 mV.
    v_th : float, array_like or Quantity, V, or None
        A spike is a crossing of it from below, default -20 mV; None for no spikes. See
        `neurodyn.neurons.conductance_based`.
    synapses : Currents or Conductances, optional
        How spikes act, see `neurodyn.neurons`. Default None: they end at `v`.
    **values
        Initial states, default -60 mV with gates that are steady there; ``I_ext``, to hold it
        constant.

    Returns
    -------
    Population
        Solvers: nd.RK4, with dt up to 0.05 ms; nd.ExponentialEuler, of first order, with 0.01 ms.

    Notes
    -----
    The cells of benchmark 3 of Brette et al. (2007), appendix 2, a simplification of Traub and
    Miles (1991): 20,000 um^2 of membrane with 1 uF/cm^2. Its synapses are ``Conductances()`` with
    weights of 6 nS (excitatory) and 67 nS. The cells have no resting potential: without input they
    fire at 13.9 Hz. With ``E_L=-65*nd.mV``, as in some of the authors' programs, they rest, at
    -64.8 mV.
    """
    given = dict(C=C, g_Na=g_Na, g_K=g_K, g_L=g_L, E_Na=E_Na, E_K=E_K, E_L=E_L, v_T=v_T)
    start = dict(v=-60 * mV, m=0.0268633298, h=0.991305822, n=0.0604340346)
    return _excitable(size, TRAUB_MILES, synapses, v_th, {**given, **start, **values}, "amp")


def _excitable(
    size: int,
    equations: str,
    synapses: Currents | Conductances | None,
    v_th: Any,
    values: dict[str, Any],
    unit: str,
) -> Population:
    """A population that spikes where `v` has come above `v_th`, or that does not spike."""
    check_positive(values, "C")
    if v_th is None:
        return neuron(size, equations, synapses, values, unit=unit)
    return neuron(
        size,
        f"{equations.strip()}\ndfired/dt = -fired*int(v < v_th)/dt : 1",
        synapses,
        {"v_th": v_th, **values},
        unit=unit,
        threshold="v > v_th and fired <= 0.5",
        reset="fired = 1",
    )
