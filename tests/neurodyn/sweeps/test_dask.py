"""Sweeps on Dask: the bytes of a run without it, also when workers or the scheduler are killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

import neurodyn as nd
from neurodyn.experiments import InputError
from neurodyn.sweeps.dask import DaskEngine

from .test_faults import Command, n_files, quiet, wait_until

distributed = pytest.importorskip("distributed", reason="Dask is not installed")

__all__ = ["quiet"]


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers, in processes of their own."""
    started = []

    def start(*args):
        command = [sys.executable, "-m", "dask", *args, "--scheduler-file", tmp_path / "dask.json"]
        log = open(tmp_path / f"dask{len(started)}.log", "w")
        process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log,
                                   start_new_session=True)  # fmt: skip
        started.append(process)
        return process

    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    wait_until((tmp_path / "dask.json").exists)
    for _ in range(2):
        start("worker", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1",
              "--local-directory", tmp_path / "dask")  # fmt: skip
    yield tmp_path / "dask.json", scheduler
    for process in started[::-1]:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


@pytest.fixture
def client(cluster):
    with distributed.Client(scheduler_file=str(cluster[0]), timeout=60) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.mark.slow
def test_the_same_bytes_on_dask(toy, client, quiet):
    grid = {"g": [1.0, 2.0, 3.0]}
    sweep = nd.sweep("code/sweep_toy.py:gain", grid, seeds=7, folder="out", client=client,
                     progress=False)  # fmt: skip
    assert sweep.is_complete and sweep.state.twice == 0
    assert {s.index["engine"] for s in sweep.state.shards} == {"dask"}
    assert quiet("out")
    stored = nd.sweep("code/sweep_toy.py:streams", seeds=2, folder="s", client=client,
                      progress=False)  # fmt: skip
    assert stored.is_complete, stored.failures


@pytest.mark.slow
def test_failures_and_deadly_tasks_fail_alone(toy, client):
    sweep = nd.sweep("code/sweep_toy.py:fails", {"g": [1.0, 2.0]}, seeds=3, folder="out",
                     client=client, progress=False)  # fmt: skip
    assert sweep.n_done == 4 and len(sweep.failures) == 2
    assert sweep.failures[0]["error"] == "ValueError: no convergence at g = 1.0"
    sweep = nd.sweep("code/sweep_toy.py:deadly", {"g": [1.0, 2.0]}, seeds=4, folder="deadly",
                     client=client, progress=False)  # fmt: skip
    assert sweep.n_done == 6 and sweep.n_missing == 0
    assert all(f["point"]["seed"] == 1 and "ended its Dask worker" in f["error"]
               for f in sweep.failures)  # fmt: skip


@pytest.mark.slow
def test_killing_the_scheduler_loses_nothing(toy, cluster, client, quiet):
    command = Command("sweep", "code/sweep_toy.py:gain", "-g", "g=1,2,3,4,5", "--seeds", 4, "-s",
                      "nap=0.2", "--out", "out", "-q", "--dask", cluster[0])  # fmt: skip
    wait_until(lambda: n_files("out") >= 2)
    cluster[1].kill()
    status, _, err = command.end(timeout=90)
    assert status == 3 and "the Dask scheduler is lost" in err
    time.sleep(1)
    before = nd.open_sweep("out")
    assert 0 < before.n_done < 20
    sweep = nd.sweep("code/sweep_toy.py:gain", seeds=1, folder="other", progress=False)
    assert sweep.is_complete  # another folder is not disturbed
    from neurodyn.sweeps.folder import SweepFolder
    from neurodyn.sweeps.run import Engine, run_plan

    after = run_plan(SweepFolder("out"), before.plan, Engine(2), progress=False)
    assert after.is_complete and after.state.twice == 0
    assert quiet("out")


@pytest.mark.slow
def test_a_killed_dask_worker_loses_nothing(toy, cluster, client, quiet):
    command = Command("sweep", "code/sweep_toy.py:gain", "-g", "g=1,2,3,4,5", "--seeds", 4, "-s",
                      "nap=0.2", "--out", "out", "-q", "--dask", cluster[0])  # fmt: skip
    wait_until(lambda: n_files("out") >= 2)
    victim = next(iter(client.run(os.getpid).values()))
    os.kill(victim, signal.SIGKILL)  # its nanny starts another
    assert command.end(timeout=120)[0] == 0
    assert quiet("out")


def test_what_is_no_client_is_refused(toy):
    with pytest.raises(InputError, match="`client` must be a dask.distributed.Client; got 3"):
        nd.sweep(toy.gain, folder="out", client=3, progress=False)
    with pytest.raises(InputError, match="two ways to run a sweep"):
        nd.sweep(toy.gain, folder="out", client=3, slurm="--time=1", progress=False)


@pytest.mark.slow
def test_a_result_that_is_lost_with_its_worker_is_found_again(client):
    """Between the end of a batch and its result the worker that holds it may die."""

    class Count:
        n = 0

        def one(self, failed):
            self.n += 1

    def batch():
        time.sleep(1)
        return [(0.5, False)]

    engine = DaskEngine(None, None, client, Count())
    future = client.submit(batch, pure=False)
    distributed.wait(future)
    ((address,),) = client.who_has([future]).values()
    os.kill(client.run(os.getpid, workers=[address])[address], signal.SIGKILL)
    wait_until(lambda: address not in client.scheduler_info(n_workers=-1)["workers"])
    engine._take(future, [0])
    assert engine.progress.n == 1 and not engine.pending
