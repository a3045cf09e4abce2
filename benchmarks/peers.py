"""Install the tools that neurodyn is compared with: ``python benchmarks/peers.py [name ...]``.

Each gets a virtual environment of its own, ``.bench/<name>``, so that none of them can change the
versions of NumPy or of anything else that another one runs with. What is there already is left
alone; what cannot be had is reported and skipped, and the benchmarks then run without it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Where the environments are; ``NEURODYN_BENCH_DIR`` puts them elsewhere.
FOLDER = Path(os.environ.get("NEURODYN_BENCH_DIR", ROOT / ".bench"))


@dataclass(frozen=True)
class Peer:
    """A tool: what pip is asked for, an import that must work then, a compiler if it needs one."""

    requirements: tuple[str, ...]
    module: str
    compiler: str | None = None


#: Versions are fixed, so that a ratio that moves has moved because of us.
PEERS = {
    "numpy": Peer(("numpy==2.4.6",), "numpy"),
    "jax": Peer(("jax==0.10.2", "jaxlib==0.10.2"), "jax"),
    # On Linux the plain wheel may bring a whole CUDA along: PIP_INDEX_URL and PIP_FIND_LINKS, which
    # pip reads itself, can name a place that has the wheel for CPUs.
    "torch": Peer(("torch==2.13.0", "numpy==2.4.6"), "torch"),
    "snntorch": Peer(("snntorch==0.9.4", "torch==2.13.0", "numpy==2.4.6"), "snntorch"),
    # Brian2 2.9 does not import with NumPy 2.4. It and ANNarchy compile each network that they run.
    "brian2": Peer(
        ("brian2==2.9.0", "numpy==2.3.5", "cython==3.3.1", "setuptools==80.9.0"), "brian2", "g++"
    ),
    "nest": Peer(("nest-simulator==3.10.0", "numpy==2.4.6"), "nest"),
    "annarchy": Peer(
        ("ANNarchy==5.0.4.1", "numpy==2.4.6", "cython==3.3.1", "cmake==4.4.5", "nanobind==2.7.0"),
        "ANNarchy",
        "g++",
    ),
}


def python(name: str) -> Path | None:
    """The interpreter of an installed peer, or None."""
    folder = FOLDER / name
    return _interpreter(folder) if _stamp(folder) == _wanted(PEERS[name]) else None


def environment(name: str) -> dict[str, str]:
    """Variables for a tool's process: ANNarchy, for one, calls programs of its environment."""
    path = [str(FOLDER / name / "bin")] * (name in PEERS) + [os.environ.get("PATH", os.defpath)]
    return {**os.environ, "PATH": os.pathsep.join(path)}


def _interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _wanted(peer: Peer) -> str:
    return "\n".join([*peer.requirements, f"Python {sys.version.split()[0]}"])


def _stamp(folder: Path) -> str | None:
    """What was installed into an environment when it was finished."""
    try:
        return (folder / "installed.txt").read_text()
    except OSError:
        return None


def install(name: str) -> str | None:
    """Make the environment of a peer unless it is there.

    Returns
    -------
    str or None
        Why it could not be made; None if it is ready.
    """
    peer, folder = PEERS[name], FOLDER / name
    if python(name):
        return None
    if peer.compiler and not shutil.which(peer.compiler):
        return f"it compiles with {peer.compiler}, which is not on the PATH"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
        pip = [str(_interpreter(folder)), "-m", "pip", "--disable-pip-version-check"]
        _run([*pip, "install", "--quiet", *peer.requirements])
        _run([str(_interpreter(folder)), "-c", f"import {peer.module}"])
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        return _reason(error)
    (folder / "installed.txt").write_text(_wanted(peer))
    return None


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _reason(error: Exception) -> str:
    """The last thing a failed command said."""
    said = (getattr(error, "output", None) or str(error)).strip().splitlines()
    return said[-1] if said else type(error).__name__


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(PEERS)}")
    names = parser.parse_args(arguments).names or list(PEERS)
    for name in names:
        if name not in PEERS:
            parser.error(f"there is no peer {name!r}; there are {', '.join(PEERS)}")
    for name in names:
        print(f"{name}: {' '.join(PEERS[name].requirements)} ...", flush=True)
        reason = install(name)
        print(f"{name}: " + (f"skipped: {reason}" if reason else f"ready in {FOLDER / name}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
