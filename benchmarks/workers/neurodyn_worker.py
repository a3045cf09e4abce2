"""The problems in neurodyn: a run is one ordinary call of `simulate`, with all that this does."""

import neurodyn_fixed_points
import neurodyn_learning
import neurodyn_lyapunov
import neurodyn_online
import neurodyn_spiking
import numpy as np
from protocol import serve

import neurodyn as nd


def simulation(spec, arrays, weights, sigma=0.0):
    """``run(steps)`` of a rate network with a step of a tenth of its time constant."""
    dt = 1 * nd.ms
    network = nd.rate_network(weights, tau=dt / spec["a"], sigma=sigma)
    solver = nd.RK4(dt=dt) if spec["method"] == "rk4" else nd.Euler(dt=dt)

    def run(steps):
        result = nd.simulate(
            network,
            solver,
            duration=steps * dt,
            trials=spec["trials"],
            record=[],
            initial={"E.x": arrays["x0"]},
            rng=1,
            dtype=spec["dtype"],
            threads=spec.get("threads", 1),
        )
        return result["E.x.final"].values

    return run


def dense(spec, arrays):
    return simulation(spec, arrays, arrays["J"])


def noisy(spec, arrays):
    # a step of the network adds sigma sqrt(2 dt / tau) normal numbers
    return simulation(spec, arrays, arrays["J"], sigma=spec["noise"] / np.sqrt(2 * spec["a"]))


def low_rank(spec, arrays):
    return simulation(spec, arrays, nd.weights.LowRank(arrays["m"].T, arrays["n"].T))


if __name__ == "__main__":
    import numba

    versions = {"neurodyn": nd.__version__, "Numba": numba.__version__}
    cases = {"dense": dense, "noisy": noisy, "low_rank": low_rank}
    for more in (neurodyn_spiking, neurodyn_lyapunov, neurodyn_fixed_points, neurodyn_learning,
                 neurodyn_online):  # fmt: skip
        cases |= more.CASES
    serve(cases, versions)
