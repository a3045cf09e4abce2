"""Networks that several test modules share: each structure is compiled once for all of them."""

from __future__ import annotations

import numpy as np

import neurodyn as nd

EXCITATORY = """
dx/dt = (-x + I_rec + I_ext{noise})/tau : 1
r = tanh(x) : 1
"""
INHIBITORY = "dv/dt = (-v + drive + b*sin(omega*t))/tau : 1"
#: Inputs of the network below. `I.drive` is the end of a coupling too; whether such an input is
#: driven is part of the structure, so tests that drive nothing give it a zero.
SILENT = {"I.drive": 0.0}
CONSTANT = {"E.I_ext": 0.3, "I.drive": -0.2}


def excitatory_inhibitory(
    n_exc=5, n_inh=3, *, noise=True, gain=1.5, W_EE=None, W_EI=None, W_IE=None, **values
) -> nd.Network:
    """Two populations, nonlinear, with three couplings, time in an equation, and noise or none.

    Random weights of a fixed seed, unless given; `values` by full name go over the defaults.
    """
    rng = np.random.default_rng(7)
    parameters = {
        "E.tau": 10 * nd.ms,
        "I.tau": np.linspace(0.005, 0.02, n_inh),
        "I.b": 0.3,
        "I.omega": 200.0,
        **({"E.sigma": 0.2} if noise else {}),
        **values,
    }
    own = {p: {n[2:]: v for n, v in parameters.items() if n.startswith(f"{p}.")} for p in "EI"}
    text = EXCITATORY.format(noise=" + sigma*sqrt(2*tau)*xi" if noise else "")
    shapes = {"EE": (n_exc, n_exc), "IE": (n_inh, n_exc), "EI": (n_exc, n_inh)}
    W = {k: gain * rng.standard_normal(s) / np.sqrt(s[1]) for k, s in shapes.items()}
    W.update({k: w for k, w in {"EE": W_EE, "EI": W_EI, "IE": W_IE}.items() if w is not None})
    return nd.Network(
        {"E": nd.Population(n_exc, text, **own["E"]),
         "I": nd.Population(n_inh, INHIBITORY, **own["I"])},
        [nd.Coupling("E.r", "E.I_rec", W["EE"]),
         nd.Coupling("E.r", "I.drive", W["IE"]),
         nd.Coupling("I.v", "E.I_rec", W["EI"])],
    )  # fmt: skip


def exploding() -> nd.Network:
    """A: dv/dt = v**2/(v_c tau), infinite at t = tau v_c / v(0). B: plain decay."""
    return nd.Network(
        {
            "A": nd.Population(2, "dv/dt = v**2/(v_c*tau) : volt", tau=1.0, v_c=1.0 * nd.volt),
            "B": nd.Population(3, "dy/dt = -y/tau : 1", tau=1.0, y=1.0),
        }
    )
