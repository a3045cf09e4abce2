"""Fixed points by FixedPointFinder, in float32, its default: the points alone, without Jacobians.

FixedPointFinder is no package: its folder has to be on the PYTHONPATH, as its authors say.
"""

import numpy as np
import torch
from protocol import Run


def fixed_points(spec, arrays):
    from FixedPointFinderTorch import FixedPointFinderTorch

    torch.set_grad_enabled(True)
    W, b, starts = (arrays[name].astype(np.float32) for name in ("W", "b", "starts"))
    rnn = torch.nn.RNN(1, spec["n"], batch_first=True)
    with torch.no_grad():
        rnn.weight_hh_l0[:] = torch.from_numpy(W)
        rnn.bias_hh_l0[:] = torch.from_numpy(b)
        rnn.weight_ih_l0[:] = 0
        rnn.bias_ih_l0[:] = 0

    def run():
        finder = FixedPointFinderTorch(
            rnn, tol_q=spec["q_tol"], do_compute_jacobians=False, verbose=False,
            do_exclude_distance_outliers=False,
        )  # fmt: skip
        # a copy, as it moves the starts that it is given to where they end
        distinct, every = finder.find_fixed_points(starts.copy(), np.zeros((1, 1), np.float32))
        x = np.where(every.qstar[:, None] < spec["q_tol"], every.xstar, np.nan)
        return Run({"of_starts": x, "points": distinct.xstar[distinct.qstar < spec["q_tol"]]})

    return run


CASES = {"fixed_points": fixed_points}
