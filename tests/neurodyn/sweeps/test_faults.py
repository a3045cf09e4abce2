"""Sweeps that are killed and broken, for real; in the end the bytes are those of a quiet run."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import neurodyn as nd
from neurodyn.sweeps.store import save_merged

from .conftest import tree


class Command:
    """``neurodyn`` in a process of its own."""

    def __init__(self, *args, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "neurodyn", *map(str, args)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, **options,
        )  # fmt: skip

    def end(self, timeout=120):
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err

    def workers(self):
        return psutil.Process(self.process.pid).children()


#: A dozen processes started one after the other.
slow = pytest.mark.slow


def neurodyn(*args, **options):
    """Exit status, output and errors of a command."""
    return Command(*args, **options).end()


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def n_files(folder):
    return len(list((Path(folder) / "results").glob("*.npz")))


#: Twenty tasks of 0.15 s.
SLOWLY = ("sweep", "code/sweep_toy.py:gain", "-g", "g=1,2,3,4,5", "--seeds", "4", "-s", "nap=0.15",
          "--quiet")  # fmt: skip


@pytest.fixture
def quiet(toy, tmp_path):
    """Bytes of the merged store of `SLOWLY`, undisturbed; computed in this process."""
    import xarray as xr

    def same(folder):
        merged = tree(save_merged(nd.open_sweep(folder).dataset, tmp_path / "m.zarr"))
        folder = Path(folder)
        clean = folder.with_name("clean")
        shutil.rmtree(clean, ignore_errors=True)
        plan = nd.open_sweep(folder).plan
        expected = nd.sweep(
            f"code/sweep_toy.py:{plan.target.function}", plan.grid, seeds=plan.seeds,
            settings=plan.settings, folder=clean, workers=1, progress=False,
        )  # fmt: skip
        xr.testing.assert_identical(expected.dataset.load(), nd.open_sweep(folder).dataset.load())
        return merged == tree(save_merged(expected.dataset, tmp_path / "m.zarr"))

    return same


@pytest.mark.parametrize("how", ["kill", pytest.param("exit", marks=slow)])
def test_a_worker_that_dies_in_a_task_is_replaced(toy, quiet, how, tmp_path):
    status, out, _ = neurodyn("sweep", "code/sweep_toy.py:once", "-g", "g=1,2,3", "--seeds", 3,
                              "-s", f"mark={tmp_path / 'mark'}", "-s", f"how={how}", "-w", 1,
                              "--out", "out", "--quiet")  # fmt: skip
    assert (status, "9 of 9 tasks done" in out) == (0, True)
    assert quiet("out")


@slow
def test_killing_workers_from_outside_loses_nothing(toy, quiet):
    command = Command(*SLOWLY, "--out", "out", "-w", 2)
    wait_until(lambda: n_files("out") >= 1)
    for victim in command.workers():
        victim.kill()
    assert command.end()[0] == 0
    sweep = nd.open_sweep("out")
    assert sweep.state.twice == 0
    assert quiet("out")


@slow
def test_a_task_that_always_kills_its_worker_fails_alone(toy):
    status, out, _ = neurodyn("sweep", "code/sweep_toy.py:deadly", "--seeds", 4, "-w", 2,
                              "--out", "out", "--quiet")  # fmt: skip
    assert status == 1 and "3 of 4 tasks done, 1 failed" in out
    assert "failed: seed=1" in out and "3 times, at last by signal SIGKILL" in out


@slow
def test_killing_the_sweep_itself_loses_nothing(toy, quiet):
    command = Command(*SLOWLY, "--out", "out", "-w", 2)
    wait_until(lambda: n_files("out") >= 1)
    workers = command.workers()
    command.process.kill()
    command.end()
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() for worker in workers)  # they leave by themselves
    before = nd.open_sweep("out")
    assert 0 < before.n_done < 20
    status, out, _ = neurodyn(*SLOWLY, "--out", "out")
    assert status == 0 and "20 of 20" in out
    after = nd.open_sweep("out")
    assert after.state.twice == 0 and sum(len(s.tasks) for s in after.state.shards) == 20
    assert quiet("out")


@slow
@pytest.mark.parametrize("group", [False, True])
def test_ctrl_c_keeps_what_is_finished(toy, quiet, group):
    command = Command(*SLOWLY, "--out", "out", "-w", 2)
    wait_until(lambda: n_files("out") >= 1)
    (os.killpg if group else os.kill)(command.process.pid, signal.SIGINT)
    started = time.monotonic()
    status, _, err = command.end()
    assert status == 130 and "interrupted, the same command goes on" in err
    assert time.monotonic() - started < 8
    before = nd.open_sweep("out").n_done
    assert 0 < before < 20 and f"{before} of 20" in err
    assert neurodyn("sweep", "out", "--quiet")[0] == 0
    assert quiet("out")


@slow
def test_two_sweeps_at_once(toy, quiet):
    slower = [word.replace("0.15", "0.5") for word in SLOWLY]
    command = Command(*slower, "--out", "out", "-w", 1)
    wait_until(lambda: n_files("out") >= 1)
    status, _, err = neurodyn(*slower, "--out", "out")
    assert status == 2
    assert f"another sweep is running in the folder out (process {command.process.pid} on" in err
    status, out, _ = neurodyn("status", "out")
    assert status == 4 and "missing" in out
    assert command.end()[0] == 0
    assert quiet("out")


@slow
def test_a_truncated_and_a_changed_file_are_computed_again(toy, quiet, tmp_path):
    args = ("sweep", "code/sweep_toy.py:gain", "-g", "g=1,2,3", "--seeds", 4, "--out", "out", "-q")
    assert neurodyn(*args, "-w", 2, "-s", "nap=0.4")[0] == 0
    files = sorted((tmp_path / "out" / "results").iterdir())
    assert len(files) >= 3
    data = files[0].read_bytes()
    files[0].write_bytes(data[: len(data) // 2])
    data = bytearray(files[1].read_bytes())
    at = data.index(b"rate.npy") + 8 + 128  # a bit of a number
    data[at] ^= 1
    files[1].write_bytes(data)
    (tmp_path / "out" / "results" / ".half.npz.tmp").write_bytes(b"x")
    status, out, _ = neurodyn("status", "out")
    assert status == 4 and "1 damaged files are not counted" in out
    assert "2 damaged files" in neurodyn("status", "out", "--check")[1]
    assert neurodyn("merge", "out", "--partial")[0] == 3  # says that a value is not to be trusted
    status, _, err = neurodyn(*args, "-s", "nap=0.4")
    assert status == 0
    assert err.count("is damaged") == 2
    assert len(list((tmp_path / "out" / "damaged").iterdir())) == 2
    assert not list((tmp_path / "out" / "results").glob(".*"))
    assert quiet("out")


@pytest.mark.slow
def test_a_task_that_raises_is_listed_and_tried_again_on_demand(toy, quiet, tmp_path):
    args = ("sweep", "code/sweep_toy.py:fails", "-g", "g=1,2", "--seeds", 3,
            "-s", f"good={tmp_path / 'good'}", "--out", "out", "-q", "-w", 1)  # fmt: skip
    status, out, _ = neurodyn(*args)
    assert status == 1 and "4 of 6 tasks done, 2 failed" in out
    assert "failed: g=2.0, seed=2\nValueError: no convergence at g = 2.0" in out
    assert 'sweep_toy.py", line' in out and "raise ValueError(" in out
    assert "neurodyn retry out" in out
    status, _, err = neurodyn("merge", "out")
    assert status == 1 and "2 failed (g=1.0, seed=2: ValueError: no convergence" in err
    with pytest.raises(nd.sweeps.SweepIncomplete, match="4 of 6 tasks done, 2 failed"):
        _ = nd.open_sweep("out").dataset
    (first, _) = nd.open_sweep("out").failures
    assert first["point"] == {"g": 1.0, "seed": 2} and "Traceback" not in first["error"]
    partial = nd.open_sweep("out").partial()
    assert int(partial.rate.isnull().sum()) == 2 and partial["count"].dtype == float
    assert neurodyn(*args)[0] == 1  # failures are not run again unasked
    assert sum(len(s.tasks) for s in nd.open_sweep("out").state.shards) == 6
    assert neurodyn("retry", "out", "-q", "-w", 1)[0] == 1
    (tmp_path / "good").touch()
    status, out, _ = neurodyn("retry", "out", "-q", "-w", 1)
    assert status == 0 and "6 of 6 tasks done" in out
    assert quiet("out")


@slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is that of Linux")
def test_a_task_that_needs_too_much_memory(toy, quiet):
    status, out, _ = neurodyn("sweep", "code/sweep_toy.py:hungry", "--seeds", 3, "-s",
                              "size=50000000", "--memory", "200MB", "--out", "out", "-q",
                              "-w", 1)  # fmt: skip
    assert status == 1 and "2 of 3 tasks done, 1 failed" in out
    assert "failed: seed=1" in out and "MemoryError: Unable to allocate 381. MiB" in out
    assert neurodyn("retry", "out", "-q")[0] == 0
    assert quiet("out")


LARGE = ("sweep", "code/sweep_toy.py:large", "-g", "g=1,2,3", "--seeds", 4, "-q", "-w", 2)


@slow
def test_a_file_size_limit_stops_the_sweep_with_all_it_has(toy, quiet):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    status, _, err = neurodyn(*LARGE, "--out", "out", preexec_fn=limit)
    assert status == 3
    assert "a worker cannot go on: OSError: [Errno 27] File too large" in err
    assert not list(Path("out/results").iterdir())  # nothing half
    assert neurodyn(*LARGE, "--out", "out")[0] == 0
    assert quiet("out")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB, and how to make it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    try:
        done = subprocess.run(["mount", *options], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")

    def enlarge():
        subprocess.run(["mount", "-o", "remount,size=32m", str(folder)], check=True)

    yield folder, enlarge
    subprocess.run(["umount", "-l", str(folder)], check=True)


@slow
def test_a_full_disk_stops_the_sweep_with_all_it_has(toy, quiet, small_disk):
    disk, enlarge = small_disk
    status, _, err = neurodyn(*LARGE, "--out", disk / "out")
    assert status == 3
    assert "No space left on device. What was saved is kept" in err
    assert not list((disk / "out" / "results").glob(".*"))
    enlarge()
    assert neurodyn(*LARGE, "--out", disk / "out")[0] == 0
    assert quiet(disk / "out")
