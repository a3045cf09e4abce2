"""Experiments for sweeps in a module of their own, which workers can import."""

import sys
import textwrap

import pytest

TOY = '''
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr


def gain(*, g: float = 1.0, n: int = 3, rng: int = 0, nap: float = 0.0) -> xr.Dataset:
    """A number, an array and a whole number."""
    generator = np.random.default_rng(rng)
    time.sleep(nap)
    return xr.Dataset(
        {"rate": g * generator.normal(), "count": generator.integers(100),
         "x": ("unit", g + generator.normal(size=n), {"units": "mV"})},
        {"unit": np.arange(n)}, {"when": time.time(), "g": g},
    )


def fails(*, g: float = 1.0, rng: int = 0, bad: int = 2, good: Path | None = None) -> xr.Dataset:
    """Raises for one seed, until a file exists."""
    if rng == bad and not (good and Path(good).exists()):
        raise ValueError(f"no convergence at g = {g}")
    return gain(g=g, rng=rng)


def once(*, g: float = 1.0, rng: int = 0, mark: Path, how: str = "kill") -> xr.Dataset:
    """Does something terrible the first time that seed 1 is run."""
    if rng == 1 and not Path(mark).exists():
        Path(mark).write_text("x")
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(3)
    return gain(g=g, rng=rng)


def deadly(*, g: float = 1.0, rng: int = 0) -> xr.Dataset:
    if rng == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return gain(g=g, rng=rng)


def hungry(*, g: float = 1.0, rng: int = 0, size: int = 10**10) -> xr.Dataset:
    """Wants a lot of memory for one seed."""
    if rng == 1:
        np.ones(size)
    return gain(g=g, rng=rng)


def large(*, g: float = 1.0, rng: int = 0) -> xr.Dataset:
    x = np.random.default_rng(rng).normal(size=30_000)
    return xr.Dataset({"x": ("unit", x)})


def threads(*, rng: int = 0) -> xr.Dataset:
    import numba

    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return xr.Dataset({"numba": numba.get_num_threads(), "pid": os.getpid(),
                       "blas": ("name", [int(os.environ[name]) for name in names])})


def lasting(*, length: float = 1.0, rng: int = 0) -> xr.Dataset:
    """A time series whose length is a parameter."""
    time = np.arange(round(10 * length)) / 10
    return xr.Dataset({"v": ("time", time + rng), "n": ("time", np.arange(time.size))},
                      {"time": ("time", time, {"units": "s"})})


def streams(*, g: float = 1.0, rng: int = 0, duration: float = 1.0, bad: int = -1,
            store: Path | None = None) -> xr.Dataset:
    """A network whose recording goes to disk."""
    import neurodyn as nd

    net = nd.Network({"E": nd.Population(4, "dx/dt = (-x + g)/tau : 1", tau=0.1, g=g, x=rng)})
    ds = nd.simulate(net, nd.Euler(dt=0.001), duration, record=["E.x"], store=store)
    if rng == bad:
        raise RuntimeError("after the store was written")
    return ds


def not_a_dataset(*, rng: int = 0) -> float:
    return 1.0


def clash(*, g: float = 1.0, rng: int = 0) -> xr.Dataset:
    return xr.Dataset({"x": ("g", [1.0, 2.0])})


def typed(*, n: int = 1, mode: str = "a", flags: tuple[int, ...] = (1,), on: bool = True,
          path: Path | None = None, needed: float, **more) -> xr.Dataset:
    return xr.Dataset({"value": n * needed, "size": len(flags), "mode": mode, "on": on})


def outer():
    def inner(*, rng: int = 0): ...
    return inner


shy = lambda *, rng=0: None  # noqa: E731
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The module ``sweep_toy``, in a folder of its own; its functions are the experiments."""
    import importlib

    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "sweep_toy.py").write_text(textwrap.dedent(TOY))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("sweep_toy", None)
    yield importlib.import_module("sweep_toy")
    del sys.modules["sweep_toy"]


def tree(folder):
    """Every file below a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
