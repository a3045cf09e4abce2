"""A user's script, from import to first number: ``first_result.py STRUCTURE``.

Prints the number, and the CPU seconds of this process and its children since it was started.

Run with an empty ``NEURODYN_CACHE_DIR`` it parses, generates and compiles everything.
"""

import os
import sys

import neurodyn as nd


def one_population():
    n = 200
    population = nd.Population(
        n,
        """
        dx/dt = (-x + I_rec + I_ext)/tau : 1
        r = tanh(x) : 1
        """,
        tau=100 * nd.ms,
        x=0.1,
    )
    weights = nd.weights.gaussian(n, gain=1.8, rng=0)
    return nd.Network({"E": population}, [nd.Coupling("E.r", "E.I_rec", weights)])


def two_populations():
    """Excitation with adaptation and noise, inhibition, four couplings."""
    n_exc, n_inh = 160, 40
    exc = nd.Population(
        n_exc,
        """
        dx/dt = (-x + I_exc + I_inh - b + I_ext + sigma*sqrt(2*tau)*xi)/tau : 1
        db/dt = (c*r - b)/tau_b : 1
        r = softplus(x) : 1
        """,
        tau=20 * nd.ms,
        tau_b=200 * nd.ms,
        c=0.5,
        sigma=0.1,
        I_ext=1.0,
    )
    inh = nd.Population(
        n_inh,
        """
        dx/dt = (-x + I_exc + I_inh)/tau : 1
        r = softplus(x) : 1
        """,
        tau=10 * nd.ms,
    )
    gaussian = nd.weights.gaussian
    couplings = [
        nd.Coupling("E.r", "E.I_exc", gaussian((n_exc, n_exc), 0.5, 0)),
        nd.Coupling("E.r", "I.I_exc", gaussian((n_inh, n_exc), 0.5, 1)),
        nd.Coupling("I.r", "E.I_inh", -gaussian((n_exc, n_inh), 0.5, 2)),
        nd.Coupling("I.r", "I.I_inh", -gaussian((n_inh, n_inh), 0.5, 3)),
    ]
    return nd.Network({"E": exc, "I": inh}, couplings)


STRUCTURES = {"one": one_population, "two": two_populations}

if __name__ == "__main__":
    network = STRUCTURES[sys.argv[1]]()
    solver = nd.Euler(dt=1 * nd.ms)
    result = nd.simulate(network, solver, duration=100 * nd.ms, record=["E.r"], rng=1)
    print(float(result["E.r"].mean()))
    user, system, children_user, children_system, _ = os.times()
    print(user + system + children_user + children_system)
