"""Fixed points in neurodyn: one ordinary call, stability and spectra of all points included."""

import numpy as np
from protocol import Run

import neurodyn as nd
from neurodyn import analyses


def fixed_points(spec, arrays):
    network = nd.rate_network(arrays["W"], tau=1.0, form="activity")

    def run():
        found = analyses.fixed_points(
            network, starts=arrays["starts"], inputs={"E.I_ext": arrays["b"]}, q_tol=spec["q_tol"]
        )
        ended = found.start_point[: spec["starts"]]
        x = np.full((spec["starts"], spec["n"]), np.nan)
        x[ended >= 0] = found.x[ended[ended >= 0]]
        return Run({"of_starts": x, "points": found.x})

    return run


CASES = {"fixed_points": fixed_points}
