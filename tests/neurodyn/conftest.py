"""A small circuit in a package of its own, for the tests of what is around circuits."""

import sys
import textwrap

import pytest

from neurodyn import experiments

TOY = '''
"""A leaky integrator forgets at its own rate.

More words.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from neurodyn.experiments import Circuit, Claim, at_least, at_most, within

if TYPE_CHECKING:
    import xarray as xr


def decay(*, size: Literal["fast", "full"] = "fast", rng: int = 0, tau: float = 0.5,
          steps: int | None = None, shape: Literal["exp", "step"] = "exp",
          levels: tuple[float, ...] = (1.0, 2.0), image: str | Path | None = None,
          progress: bool = False) -> xr.Dataset:
    """Relaxation of one unit.

    It starts at 1.

    Parameters
    ----------
    size : {"fast", "full"}
    rng : int
        Seed.
    tau : float, s
        Time constant,
        must be positive.
    steps : int, optional
        Number of steps.
    shape : {"exp", "step"}
        How it falls.
    levels : tuple of float
        Unused.
    image : str or Path
        A file to read.

    Returns
    -------
    xarray.Dataset
    """
    import xarray as xr

    if tau <= 0:
        raise ValueError(f"`tau` must be positive; got {tau}")
    if tau > 100:
        raise RuntimeError("too slow")
    if image is not None:
        Path(image).read_bytes()
    time = np.linspace(0, 1, steps or (11 if size == "fast" else 101))
    x = np.exp(-time / tau)[None, :, None]
    return xr.Dataset({"A/E.x": (("trial", "time", "A/E.unit"), x, {"units": "1"})},
                      {"time": ("time", time, {"units": "s"})}, {"solver": {"dt": None}})


def nothing(*, size: Literal["fast", "full"] = "fast", rng: int = 0) -> xr.Dataset:
    """Nothing at all."""
    import xarray as xr

    return xr.Dataset({"zero": 0.0})


def figure(ds):
    import matplotlib.pyplot as plt

    from neurodyn import plot

    return plot.traces(ds["A/E.x"]).figure


def _last(ds):
    return ds["A/E.x"][0, -1, 0]


CIRCUIT = Circuit(
    name="forgetful", title="Forgetting, with a time constant", citation="Leak et al. (1907).",
    doi="10.1000/leak", summary="It forgets.\\n\\nNothing was changed.",
    network=lambda: None, experiments={"decay": decay, "nothing": nothing}, main="decay",
    figures={"decay": figure},
    claims=(
        Claim("left after 1 s", "Table 1", 0.1353, within(0.1353, relative=0.01), _last, "decay"),
        Claim("and | no more", "Fig. 2", "less than 0.2", at_most(0.2), _last, "decay",
              note="read off the figure"),
        Claim("steps", "Sec. 3", 100, at_least(100), lambda ds: ds.sizes["time"] - 1, "decay",
              sizes=("full",)),
        Claim("nothing is something", "Sec. 4", 1, within(1, absolute=0.5),
              lambda ds: float(ds["zero"]), "nothing", note="known to fail"),
    ),
)
'''


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """Package with the circuit ``forgetful``; also found by the command line. Gives its name."""
    package = tmp_path / "toy_circuits"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "forgetful.py").write_text(textwrap.dedent(TOY))
    (package / "_helper.py").write_text("CIRCUIT = 1\n")
    (package / "tools.py").write_text("def help(): ...\n")
    (package / "imported").mkdir()
    parts = '"""From parts."""\nfrom .all import CIRCUIT\n'
    (package / "imported" / "__init__.py").write_text(parts)
    (package / "broken.py").write_text('"""Does not import."""\nCIRCUIT = 1 / 0\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(experiments.circuit, "PACKAGES", ("toy_circuits",))
    monkeypatch.chdir(tmp_path)
    yield "toy_circuits"
    for name in [name for name in sys.modules if name.startswith("toy_circuits")]:
        del sys.modules[name]
