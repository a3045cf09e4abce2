"""Sweeps as job arrays of a real Slurm, started for these tests; and the script they are made of."""


import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import neurodyn as nd
from neurodyn.experiments import InputError
from neurodyn.sweeps.folder import SweepFolder
from neurodyn.sweeps.plan import make_plan
from neurodyn.sweeps.slurm import write_script

from .slurm import NoSlurm, Slurm
from .test_faults import n_files, neurodyn, quiet, wait_until

__all__ = ["quiet"]


@pytest.fixture(scope="module")
def started():
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    try:
        slurm = Slurm(folder)
    except NoSlurm as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"no Slurm: {error}")
    yield slurm
    slurm.stop()


@pytest.fixture
def slurm(started, monkeypatch):
    for name, value in started.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return started


SLOWLY = ("sweep", "code/sweep_toy.py:gain", "-g", "g=1,2,3,4,5", "--seeds", "4", "-s", "nap=0.3",
          "--out", "out", "-q")  # fmt: skip


@pytest.mark.slow
def test_a_job_array_gives_the_same_bytes(toy, slurm, quiet):
    status, out, err = neurodyn(*SLOWLY, "--slurm", "--time=5 --mem=200", "--jobs", 3, "--wait")
    assert "20 tasks submitted as job array" in err and "(3 jobs)" in err
    assert (status, "20 of 20 tasks done" in out) == (0, True), out + logs()
    sweep = nd.open_sweep("out")
    assert sweep.state.twice == 0
    assert len({s.index["process"] for s in sweep.state.shards}) >= 3
    assert quiet("out")


def logs():
    return "".join(p.read_text()[-2000:] for p in Path("out/logs").glob("*"))


@pytest.mark.slow
def test_requeued_jobs_go_on_and_the_queue_is_respected(toy, slurm, quiet):
    slower = [word.replace("0.3", "1") for word in SLOWLY]
    status, out, _ = neurodyn(*slower, "--slurm", "--time=5", "--jobs", 2)
    assert status == 4 and "20 missing" in out
    job = Path("out/slurm/jobs.json").read_text().strip().strip('[]"')
    wait_until(lambda: n_files("out") >= 1)
    status, _, err = neurodyn(*slower)
    assert status == 2 and ("still in Slurm's queue" in err or "another sweep is running" in err)
    assert "running" in neurodyn("status", "out")[1]
    subprocess.run(["scontrol", "requeue", f"{job}_0"], check=True)
    before = nd.open_sweep("out").n_done
    assert before < 20
    # a requeued job has to wait for two minutes, unless it is released
    end = time.monotonic() + 60
    while time.monotonic() < end and not nd.open_sweep("out").is_complete:
        subprocess.run(["scontrol", "update", f"JobId={job}_0", "StartTime=now"],
                       capture_output=True)  # fmt: skip
        time.sleep(1)
    sweep = nd.open_sweep("out")
    assert sweep.is_complete, logs()
    assert sum(len(s.tasks) for s in sweep.state.shards) == 20
    assert quiet("out")


@pytest.mark.slow
def test_a_cancelled_array_is_continued_here(toy, slurm, quiet):
    neurodyn(*SLOWLY, "--slurm", "--time=5", "--jobs", 2)
    job = Path("out/slurm/jobs.json").read_text().strip().strip('[]"')
    wait_until(lambda: n_files("out") >= 1)
    subprocess.run(["scancel", job], check=True)
    wait_until(lambda: not subprocess.run(["squeue", "-h", "-j", job], capture_output=True).stdout)
    assert nd.open_sweep("out").n_done < 20
    status, out, err = neurodyn("sweep", "out", "-q")
    assert status == 0, out + err
    assert quiet("out")


@pytest.mark.slow
def test_failures_come_back_and_are_retried_on_the_cluster(toy, slurm, tmp_path):
    args = ("sweep", "code/sweep_toy.py:fails", "-g", "g=1,2", "--seeds", 3,
            "-s", f"good={tmp_path / 'good'}", "--out", "out", "-q")  # fmt: skip
    status, out, _ = neurodyn(*args, "--slurm", "--time=5", "--jobs", 2, "--wait")
    assert status == 1 and "4 of 6 tasks done, 2 failed" in out
    (tmp_path / "good").touch()
    status, out, err = neurodyn("retry", "out", "--slurm", "--time=5", "--jobs", 4, "--wait")
    assert status == 0 and "6 of 6 tasks done" in out, err + logs()
    assert "2 tasks submitted" in err


@pytest.mark.slow
def test_refused_options_are_told(toy, slurm):
    status, _, err = neurodyn(*SLOWLY, "--slurm", "--partition=nowhere")
    assert status == 2 and "sbatch refuses the array" in err and "partition" in err


@pytest.mark.slow
def test_dask_jobqueue_on_slurm(toy, slurm, quiet, tmp_path):
    jobqueue = pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    distributed = pytest.importorskip("distributed")
    cluster = jobqueue.SLURMCluster(
        queue="test", cores=1, processes=1, memory="500MB", walltime="00:05:00", interface="lo",
        log_directory=str(tmp_path / "joblogs"), scheduler_options={"dashboard_address": None},
        worker_extra_args=["--no-dashboard"],
        job_script_prologue=[f"export PYTHONPATH={os.environ['PYTHONPATH']}"],
    )  # fmt: skip
    with cluster, distributed.Client(cluster) as client:
        cluster.scale(jobs=2)
        client.wait_for_workers(1, timeout=60)
        sweep = nd.sweep("code/sweep_toy.py:gain", {"g": [1.0, 2.0]}, seeds=5, folder="out",
                         client=client, progress=False)  # fmt: skip
    assert sweep.is_complete
    assert quiet("out")


def test_the_script_says_what_each_job_does(toy, tmp_path):
    where = SweepFolder("out")
    plan = where.prepare(make_plan(toy.gain, {"g": [1, 2]}, 5))
    text = write_script(where, plan, 4, "--time=1:00:00 -p short").read_text()
    lines = text.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert {"#SBATCH --array=0-3", "#SBATCH --time=1:00:00", "#SBATCH -p short",
            "#SBATCH --requeue"} <= set(lines)  # fmt: skip
    assert '--share "$SLURM_ARRAY_TASK_ID/4"' in text
    assert subprocess.run(["bash", "-n", "out/slurm/array.sh"]).returncode == 0


@pytest.mark.parametrize("options, message", [
    ("--array=0-3", "must not hold --array"), ("short", "must be options of sbatch"),
    ("--comment='x", "cannot be read"),
])  # fmt: skip
def test_options_that_cannot_be(toy, options, message):
    with pytest.raises(InputError, match=message):
        nd.sweep(toy.gain, folder="out", slurm=options, progress=False)


def test_shares_make_up_the_whole(toy):
    from neurodyn.sweeps.run import Engine, run_share

    where = SweepFolder("out")
    where.prepare(make_plan(toy.gain, {"g": [1, 2]}, 3))
    found = [run_share(where, k, 2, Engine(1), progress=False) for k in (1, 0, 0)]
    assert found == [(3, 0), (3, 0), (0, 0)]
    sweep = nd.open_sweep("out")
    assert sweep.is_complete and sweep.state.twice == 0
    status, _, err = neurodyn("work", "out", "--share", "2/2")
    assert status == 2 and "`share` must be from 0 to 1; got 2" in err
    assert neurodyn("work", "out", "--share", "x")[0] == 2


def test_without_slurm_the_script_is_left_for_later(toy, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match=r"there is no `sbatch` here; the array's script is .*array"):
        nd.sweep(toy.gain, folder="out", slurm="--time=1", progress=False)
    assert Path("out/slurm/array.sh").exists()


@pytest.mark.slow
def test_the_tutorial_runs_on_slurm(slurm, monkeypatch, tmp_path):
    jupytext = pytest.importorskip("jupytext")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("NEURODYN_FAST", "1")
    monkeypatch.delenv("MPLBACKEND", raising=False)
    tutorials = Path(__file__).parents[3] / "tutorials"
    notebook = jupytext.read(tutorials / "from_one_run_to_a_sweep.md")
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "the same bytes: True" in printed, printed
