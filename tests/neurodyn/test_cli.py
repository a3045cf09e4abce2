"""The command: what it prints, what it leaves, how it exits."""

import json
import os
import subprocess
import sys

import pytest

from neurodyn import cli, results


@pytest.fixture
def command(toys, capsys, monkeypatch):
    """Run the command in this process; its exit status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "120")

    def call(*args):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(arg) for arg in args])
        return caught.value.code, *capsys.readouterr()

    return call


def test_list_shows_every_circuit_even_a_broken_one(command):
    status, out, err = command("list")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "broken     Does not import",
        "forgetful  A leaky integrator forgets at its own rate",
        "imported   From parts",
    ]


def test_show_tells_what_can_be_set_and_what_is_claimed(command):
    status, out, _ = command("show", "forgetful")
    assert status == 0
    assert "forgetful: Forgetting, with a time constant" in out
    assert "Leak et al. (1907). doi:10.1000/leak" in out
    assert "Experiment decay (the default)\n  Relaxation of one unit.\n" in out
    assert "--set tau=0.5         Time constant, must be positive.\n" in out
    assert "--set levels=1.0,2.0  Unused.\n" in out
    assert "--set image=none      A file to read.\n" in out
    assert "size=" not in out and "progress" not in out
    rows = [line.split() for line in out.splitlines()]
    assert "left after 1 s 0.1353 0.1353 +- 1% Table 1".split() in rows
    assert "steps [--size full] 100 at least 100 Sec. 3".split() in rows
    ends = ("Table 1", "Sec. 3")
    assert len({line.index(end) for end in ends for line in out.splitlines() if end in line}) == 1
    assert "Experiment nothing, 1 claims\n  Nothing at all.\n" in out
    assert "known to fail" not in out
    status, out, _ = command("show", "forgetful", "--experiment", "all")
    assert status == 0 and "nothing is something (known to fail)" in out
    assert command("show", "forgetful", "-e", "nothin")[0] == 2


def test_run_prints_the_claims_and_writes_the_folder(command, tmp_path):
    status, out, _ = command("run", "forgetful", "--out", "demo")
    assert status == 0
    table = [line.split() for line in out.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert table[0] == "PASS left after 1 s 0.1353 0.1353 +- 1% 0.1353 Table 1".split()
    assert len({line.index("Table") for line in out.splitlines() if "Table" in line}) == 1
    assert "2 of 2 claims hold; 1 more are checked with --size full." in out
    assert "Written to demo/: claims.json, claims.md, dataset.nc, figure.png, provenance" in out
    assert "\x1b" not in out  # no colour where it is not a terminal
    assert (tmp_path / "demo" / "dataset.nc").exists()


def test_settings_size_and_format_reach_the_experiment(command, tmp_path):
    status, _, _ = command("run", "forgetful", "--set", "tau=0.25", "-s", "steps=5", "--size",
                           "full", "--format", "zarr")
    assert status == 1  # other numbers than the published ones
    folder = tmp_path / "runs" / "forgetful" / "decay"
    ds = results.load(folder / "dataset.zarr")
    assert ds.sizes["time"] == 5
    assert float(ds["A/E.x"][0, -1, 0]) == pytest.approx(0.018315638888734179)  # exp(-4)
    assert json.loads((folder / "provenance.json").read_text())["size"] == "full"


def test_a_failed_claim_is_shown_and_is_exit_status_1(command):
    status, out, _ = command("run", "forgetful", "-e", "nothing", "-o", "x")
    assert status == 1
    assert "FAIL  nothing is something (known to fail)" in out and "0 of 1 claims hold." in out


def test_all_experiments(command, tmp_path):
    status, out, _ = command("run", "forgetful", "-e", "all", "-o", "out", "-s", "tau=0.5")
    assert status == 1
    assert "All experiments: 2 of 3 claims hold" in out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["decay", "nothing"]
    status, _, err = command("run", "forgetful", "-e", "all", "-s", "taus=0.5")
    assert status == 2 and "did you mean `tau`" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "forgetfull"], "neurodyn: `forgetfull` is no circuit; did you mean `forgetful`?"),
        (["show", "x"], "neurodyn: `x` is no circuit; the circuits are: broken, forgetful, imp"),
        (["run", "forgetful", "-e", "dekay"], "did you mean `decay`?"),
        (["run", "forgetful", "-s", "tau"], "`--set` needs KEY=VALUE; got 'tau'"),
        (["run", "forgetful", "-s", "tau=1", "-s", "tau=2"], "`--set tau=...` is given twice"),
        (["run", "forgetful", "-s", "tua=1"], "did you mean `tau`?"),
        (["run", "forgetful", "-s", "tau=x"], "`tau` of forgetful decay must be a number; got 'x'"),
        (["run", "forgetful", "-s", "tau=-1"], "`tau` must be positive; got -1.0"),
        (["run", "forgetful", "-s", "image=no.jpg"], "No such file or directory: 'no.jpg'"),
        (["run", "forgetful", "--out", "toy_circuits"], "left alone: toy_circuits"),
        (["run", "forgetful", "--size", "huge"], "'huge' is not one of 'fast', 'full'"),
        (["run"], "Missing argument 'NAME'"),
        (["rnu"], "No such command 'rnu'"),
        (["run", "forgetful", "--sise", "full"], "--sise"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_status_2(command, args, message):
    status, out, err = command(*args)
    last = err.strip().splitlines()[-1]
    assert status == 2 and message in last and last.startswith("neurodyn: ")
    assert "Traceback" not in err and out == ""
    assert not os.path.exists("runs/forgetful/decay")


def test_relative_paths_start_where_the_user_is(command, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    assert command("run", "forgetful", "-s", "image=photo.jpg")[0] == 0


def test_traceback_on_demand(command):
    status, _, err = command("run", "forgetful", "-s", "tau=-1", "--traceback")
    assert status == 2 and "Traceback" in err and "forgetful.py" in err


def test_internal_failures_are_exit_status_3(command, monkeypatch, tmp_path):
    status, _, err = command("show", "broken")
    assert status == 3 and "ZeroDivisionError: division by zero" in err and "Traceback" in err
    status, _, err = command("run", "forgetful", "-s", "tau=1000")
    assert status == 3 and "the experiment failed: RuntimeError: too slow" in err

    def full(ds, path, **_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "save", full)
    status, out, err = command("run", "forgetful", "-o", "demo")
    assert status == 3 and "No space left on device" in err
    assert "2 of 2 claims hold" in out and "Written" not in out  # the numbers are not lost


def test_interrupt_is_exit_status_130(command, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.experiments, "run_experiment", interrupt)
    status, _, err = command("run", "forgetful")
    assert status == 130 and err.strip().endswith("neurodyn: interrupted")


def test_a_diverged_run_is_told_from_a_bug(command, monkeypatch):
    class Engine:
        class SimulationDiverged(RuntimeError):
            pass

    def diverge(*_, **__):
        raise Engine.SimulationDiverged("`E.x` of unit 3 left at 0.2 s")

    monkeypatch.setitem(sys.modules, "neurodyn.simulation", Engine)
    monkeypatch.setattr(cli.experiments, "run_experiment", diverge)
    status, _, err = command("run", "forgetful", "-s", "tau=1")
    assert status == 2 and err.strip().endswith("neurodyn: `E.x` of unit 3 left at 0.2 s")
    status, _, err = command("run", "forgetful")
    assert status == 3 and "Traceback" not in err


def test_help_and_version(command):
    import neurodyn

    assert command("--version")[:2] == (0, f"neurodyn, version {neurodyn.__version__}\n")
    status, out, _ = command()
    assert status == 2 and "Commands:" in out
    for name in ("list", "show", "run"):
        assert command(name, "--help")[0] == 0


def test_as_a_program(toys, tmp_path):
    """From a shell: exit status, a terminal without Greek letters, a reader that leaves."""
    (tmp_path / "toy_circuits" / "tau.py").write_text('"""τ decays."""\nCIRCUIT = None\n')
    start = (
        "import neurodyn.experiments.circuit as e, neurodyn.cli as c; "
        "e.PACKAGES = ('toy_circuits',); c.main()"
    )
    environ = os.environ | {"PYTHONIOENCODING": "latin-1:strict", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", start, "list"], env=environ, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and "? decays" in done.stdout, done.stderr
    read, write = os.pipe()
    os.close(read)  # nobody reads
    done = subprocess.run([sys.executable, "-c", start, "list"], env=environ, stdout=write,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write)
    assert done.returncode == 141 and done.stderr == ""
    done = subprocess.run([sys.executable, "-m", "neurodyn", "run", "no"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 2 and "`no` is no circuit" in done.stderr
