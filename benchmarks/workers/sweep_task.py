"""What row W1 sweeps over: a task that does next to nothing, so that all its cost is overhead."""

import numpy as np
import xarray as xr


def nothing(*, g: float = 1.0, rng: int = 0) -> xr.Dataset:
    x = np.random.default_rng(rng).normal(size=10)
    return xr.Dataset({"rate": g * x[0], "x": ("unit", x)}, {"unit": np.arange(10)})
