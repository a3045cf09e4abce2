"""Populations of the literature's models, with all that their spiking needs."""

import numpy as np
from scipy import sparse

import neurodyn as nd
from neurodyn import Hz, ms, mV, nA, nS, pF

#: Weights that binary numbers hold exactly, so that sums do not depend on their order.
QUANTUM = 2.0**-10


def quantized(shape, density, scale=1.0, rng=0):
    """Random weights, multiples of `QUANTUM`."""
    rng = np.random.default_rng(rng)
    return np.where(rng.random(shape) < density, rng.integers(1, 4, shape), 0) * scale * QUANTUM


def spread(low, high):
    """Random initial values, of a run's random streams."""
    return lambda rng, size: rng.uniform(low, high, size)


def integrate_and_fire(n=20, *, synapse="", flag="(unless refractory)", **values):
    """Leaky units with synapses that are nothing ("delta"), exponential, alpha or conductances."""
    current, more = {
        "": ("", ""),
        "exponential": ("ge + ", "dge/dt = -ge/taue : volt"),
        "alpha": ("ge + ", "dge/dt = (h - ge)/taue : volt\ndh/dt = -h/taue : volt"),
        "conductance": (
            "g_exc*(E_exc - v) + g_inh*(E_inh - v) + ",
            "dg_exc/dt = -g_exc/taue : 1\ndg_inh/dt = -g_inh/taui : 1",
        ),
    }[synapse]
    given = {"taum": 20*ms, "El": -49*mV, "v_th": -50*mV, "v": spread(-0.060, -0.050)}  # fmt: skip
    given |= {"taue": 5*ms} if synapse else {}  # fmt: skip
    given |= {"taui": 8*ms, "E_exc": 0*mV, "E_inh": -80*mV} if synapse == "conductance" else {}  # fmt: skip
    given |= {"threshold": "v > v_th", "reset": "v = v_reset", "refractory": 2*ms} | values  # fmt: skip
    if "v_reset" in given["reset"]:
        given.setdefault("v_reset", -60*mV)  # fmt: skip
    return nd.Population(n, f"dv/dt = ({current}El + I - v)/taum : volt {flag}\n{more}", **given)


def exponential_integrate_and_fire(n=20):
    """Fourcaud-Trocmé et al. (2003)."""
    return nd.Population(
        n, "dv/dt = (El - v + DT*exp((v - VT)/DT) + I)/taum : volt (unless refractory)\nI : volt",
        threshold="v > v_cut", reset="v = v_reset", refractory=2*ms, El=-65*mV, DT=2*mV, VT=-50*mV,
        v_cut=-30*mV, v_reset=-60*mV, taum=10*ms, v=-65*mV, I=np.linspace(0.01, 0.02, n),
    )  # fmt: skip


def adaptive_exponential(n=20):
    """Brette and Gerstner (2005)."""
    return nd.Population(
        n, """
        dv/dt = (gL*(EL - v) + gL*DT*exp((v - VT)/DT) + I - w + ge*(0*mV - v))/C : volt
        dw/dt = (a*(v - EL) - w)/tauw : amp
        dge/dt = -ge/taue : siemens
        """, threshold="v > v_cut", reset="v = EL; w += b", C=281*pF, gL=30*nS, EL=-70.6*mV,
        VT=-50.4*mV, DT=2*mV, tauw=144*ms, a=4*nS, b=0.0805*nA, v_cut=-40*mV, taue=5*ms,
        I=np.linspace(0.8e-9, 1.2e-9, n), v=-70.6*mV,
    )  # fmt: skip


def izhikevich(n=20):
    """Izhikevich (2003), with times in ms."""
    return nd.Population(
        n, """
        dv/dt = (0.04*v**2 + 5*v + 140 - u + I)/ms : 1
        du/dt = a*(b*v - u)/ms : 1
        dI/dt = (I0 - I)/taus : 1
        """, threshold="v >= 30", reset="v = c\nu += d  # jump", a=0.02, b=0.2, c=-65.0,
        d=np.linspace(2, 8, n), taus=5*ms, I0=10.0, v=-65.0, u=-13.0,
    )  # fmt: skip


def hodgkin_huxley(n=3):
    """Traub and Miles (1991), as in the review of Brette et al. (2007)."""
    return nd.Population(
        n, """
        dv/dt = (gl*(El-v) - g_na*m**3*h*(v-ENa) - g_kd*n**4*(v-EK) + I)/C : volt
        dm/dt = 1.28/exprel((13*mV - v + VT)/(4*mV))/ms*(1 - m)
                - 1.4/exprel((v - VT - 40*mV)/(5*mV))/ms*m : 1
        dn/dt = 0.16/exprel((15*mV - v + VT)/(5*mV))/ms*(1 - n)
                - 0.5*exp((10*mV - v + VT)/(40*mV))/ms*n : 1
        dh/dt = 0.128*exp((17*mV - v + VT)/(18*mV))/ms*(1 - h)
                - 4/(1 + exp((40*mV - v + VT)/(5*mV)))/ms*h : 1
        """, threshold="v > -20*mV", refractory=3*ms, C=200*pF, gl=10*nS, El=-65*mV, EK=-90*mV,
        ENa=50*mV, g_na=20e3*nS, g_kd=6e3*nS, VT=-63*mV, I=np.linspace(0.2e-9, 0.5e-9, n),
        v=-65*mV, m=0.05, h=0.6, n=0.3,
    )  # fmt: skip


def generalized(n=20):
    """GLIF5 of Teeter et al. (2018): threshold, currents and voltage that a spike changes."""
    return nd.Population(
        n, """
        dv/dt = (El - v + I + after/gL)/taum : volt (unless refractory)
        dth/dt = (th0 - th)/tauth : volt
        dafter/dt = -k*after : amp
        dcount/dt = 0/second : 1
        """, threshold="v > th",
        reset="v = El + f*(v - El) - dV; th += dth0; after = after*R + jump; count += 1",
        refractory=2*ms, El=-70*mV, I=np.linspace(0.025, 0.03, n), gL=10*nS, taum=10*ms,
        tauth=50*ms, th0=-50*mV, k=20*Hz, f=0.3, dV=5*mV, dth0=3*mV, R=0.7, jump=-0.01*nA,
        v=-70*mV, th=-50*mV,
    )  # fmt: skip


#: Pairs of spikes, Song et al. (2000).
STDP = nd.plasticity.Plasticity(
    "dx_pre/dt = -x_pre/tau_plus : 1\ndy_post/dt = -y_post/tau_minus : 1",
    on_pre="x_pre += 1; w = w - A_minus*y_post", on_post="y_post += 1; w = w + A_plus*x_pre",
    bounds=(0*mV, 3*mV), tau_plus=20*ms, tau_minus=15*ms, A_plus=0.05*mV, A_minus=0.06*mV,
)  # fmt: skip


def plastic_network(rule, weights, target="E.ge"):
    """Given spikes onto 20 units, through plastic synapses."""
    rng = np.random.default_rng(0)
    source = nd.spike_source(10, np.arange(400) * 0.5e-3 + 0.3e-3, rng.integers(0, 10, 400))
    unit = integrate_and_fire(synapse="exponential", El=-49.5*mV)  # fmt: skip
    coupling = nd.Coupling("S.spike", target, weights, delay=1*ms, plasticity=rule)  # fmt: skip
    return nd.Network({"S": source, "E": unit}, [coupling])


def plastic_weights(is_sparse):
    """From 10 to 20 units; full weights have synapses of weight 0."""
    rng = np.random.default_rng(7)
    W = rng.uniform(0, 2.5e-3, (20, 10))
    W[:, 0] = 0.0  # synapses too: they may grow
    return sparse.csr_array(np.where(rng.random(W.shape) < 0.5, W, 0)) if is_sparse else W
