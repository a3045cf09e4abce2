"""Lyapunov spectra in neurodyn: a run is one call of `analyses.lyapunov_spectrum`."""

import numpy as np
import scipy.sparse as sp

import neurodyn as nd
from neurodyn import analyses


def lyapunov(spec, arrays):
    h = spec["h"]
    if spec["system"] == "lorenz96":
        network, solver, name = lorenz96(spec["n"], spec["forcing"]), nd.RK4(dt=h), "L.x"
    else:
        network, solver, name = nd.rate_network(arrays["J"], tau=1.0), nd.Euler(dt=h), "E.x"

    def run(steps):
        spectrum = analyses.lyapunov_spectrum(
            network,
            solver,
            spec["k"],
            duration=steps * h,
            transient=0,
            interval=spec["every"] * h,
            initial={name: arrays["x0"]},
            vectors=arrays["Q0"],
            threads=1,
        )
        return spectrum.exponents[None]

    return run


def lorenz96(n, forcing):
    """Units on a ring, in units of a second."""
    equations = "dx/dt = ((ahead - behind_2)*behind - x + F)/second : 1"
    to_next = sp.csr_array(np.roll(np.eye(n), 1, axis=1))  # unit i receives from i + 1
    return nd.Network(
        {"L": nd.Population(n, equations, F=forcing)},
        [
            nd.Coupling("L.x", "L.ahead", to_next),
            nd.Coupling("L.x", "L.behind", to_next.T.tocsr()),
            nd.Coupling("L.x", "L.behind_2", (to_next @ to_next).T.tocsr()),
        ],
    )


CASES = {"lyapunov": lyapunov}
