"""What is written down about a run."""

import hashlib
import json
import math
import os
import subprocess
import time
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import neurodyn as nd
from neurodyn import provenance as pv


@dataclass(frozen=True)
class Solver:
    dt: float
    order: int = 4


def test_describe_arrays_by_content():
    W = np.arange(6, dtype=float).reshape(2, 3)
    found = pv.describe(W)
    assert found == {
        "shape": [2, 3],
        "dtype": "float64",
        "sha256": hashlib.sha256(W.tobytes()).hexdigest(),
    }
    assert pv.describe(np.asfortranarray(W)) == found  # content, not layout
    assert pv.describe(W.astype("f4")) != found
    assert pv.describe(W + 1e-15)["sha256"] != found["sha256"]
    assert pv.describe(np.zeros((0, 3)))["shape"] == [0, 3]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, 0.1), (np.float32(0.5), 0.5), (np.int8(3), 3), (np.bool_(True), True), (None, None),
        (math.nan, "nan"), (np.float64("inf"), "inf"), ("text", "text"), ((1, [2]), [1, [2]]),
        (Path("a/b"), "a/b"), ({"a": {1: 2}}, {"a": {"1": 2}}), (np.array(2.5), 2.5),
        (100 * nd.ms, {"value": 0.1, "unit": "s"}), (-65 * nd.mV, {"value": -0.065, "unit": "V"}),
        (Solver(1e-3), {"class": "Solver", "dt": 1e-3, "order": 4}),
        (namedtuple("Pair", "a b")(1, 2.5), {"class": "Pair", "a": 1, "b": 2.5}),
        (object(), {"class": "object"}),
        (np.random.SeedSequence(7, spawn_key=(2,)), {"entropy": 7, "spawn_key": [2]}),
        (np.random.default_rng(7), {"generator": "PCG64", "entropy": 7, "spawn_key": []}),
    ],
)
def test_describe(value, expected):
    found = pv.describe(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False)


def test_describe_a_quantity_array():
    found = pv.describe(nd.Quantity(np.ones(3), (100 * nd.ms).dim))
    assert (found["shape"], found["unit"]) == ([3], "s")


def test_describe_sparse_matrices_by_structure():
    sparse = pytest.importorskip("scipy.sparse")
    one = pv.describe(sparse.csr_array(([1.0, 2.0], ([0, 1], [0, 1])), shape=(2, 3)))
    assert one["shape"] == [2, 3]
    same = pv.describe(sparse.csr_array(([2.0, 1.0], ([1, 0], [1, 0])), shape=(2, 3)))
    assert same == one
    moved = pv.describe(sparse.csr_array(([1.0, 2.0], ([0, 0], [0, 1])), shape=(2, 3)))
    assert moved["data"] == one["data"] and moved != one


def test_provenance_is_json_and_complete():
    watch = pv.Stopwatch()
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    found = pv.provenance(
        network="dx/dt = -x/tau : 1", parameters={"E.tau": 100 * nd.ms}, solver=Solver(1e-3),
        dt=1 * nd.ms, rng=3, stopwatch=watch, paper="Fig. 1",
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["parameters"] == {"E.tau": {"value": 0.1, "unit": "s"}}
    assert found["rng"] == 3 and found["paper"] == "Fig. 1"
    assert {"neurodyn", "python", "numpy", "numba", "scipy", "xarray", "brian2"} <= set(
        found["versions"]
    )
    assert found["versions"]["numpy"] == np.__version__
    assert found["machine"]["cpu"] and found["machine"]["cores"] >= 1
    age = datetime.now(UTC) - datetime.fromisoformat(found["started"])
    assert 0 <= age.total_seconds() < 60
    assert 0.02 <= found["cpu_seconds"] <= 5 and found["wall_seconds"] >= 0.02
    assert "solver" not in pv.provenance(dt=0.1)


def test_a_missing_package_is_left_out(monkeypatch):
    monkeypatch.setattr(pv, "PACKAGES", ("numpy", "no-such-package"))
    pv._installed.cache_clear()
    assert set(pv.versions()) == {"neurodyn", "python", "numpy"}
    pv._installed.cache_clear()


def test_commit_of_a_checkout(tmp_path, monkeypatch):
    def git(*args, root=tmp_path):
        environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        who = {f"GIT_{r}_{k}": "x" for r in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")}
        return subprocess.run(
            ["git", "-C", str(root), *args], check=True, capture_output=True, text=True,
            env=environ | who,
        ).stdout.strip()

    assert pv.commit(tmp_path) is None  # no checkout
    git("init", "-q")
    assert pv.commit.__wrapped__(tmp_path) is None  # no commit yet
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "a")
    head = git("rev-parse", "HEAD")
    assert len(head) == 40
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as a hook of another repository sets it
    assert pv.commit.__wrapped__(tmp_path) == head
    (tmp_path / "new").write_text("not tracked")
    assert pv.commit.__wrapped__(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert pv.commit.__wrapped__(tmp_path) == head + "+changes"
    (tmp_path / "venv").mkdir()
    assert pv.commit.__wrapped__(tmp_path / "venv") is None  # installed inside somebody's checkout
    monkeypatch.setenv("PATH", "/nowhere")
    assert pv.commit.__wrapped__(tmp_path) is None
