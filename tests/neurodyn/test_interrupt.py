"""Ctrl-C: within a second the samples so far come back, complete and fit to be continued.

The runs are in another process, which gets a real SIGINT; it reports on its standard output.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import neurodyn as nd
from neurodyn.signals import OrnsteinUhlenbeck, Poisson
from neurodyn.simulation.interrupts import Interrupts
from neurodyn.simulation.run import Run
from tests.networks import SILENT, excitatory_inhibitory, exploding

DT = 1e-3
NOISY = {"E.I_ext": OrnsteinUhlenbeck(0.02, 1.0), "I.drive": Poisson(300.0, 0.01)}
#: Name -> solver and options of the run that is interrupted.
RUNS = {
    "one trial": (nd.Euler(DT), {"inputs": SILENT}),
    "threads and random inputs": (nd.Heun(DT), {"inputs": NOISY, "trials": 40, "threads": 3}),
    "adaptive": (nd.DormandPrince(DT), {"inputs": SILENT, "trials": 2, "threads": 2}),
    "stored": (nd.Euler(DT), {"inputs": NOISY, "trials": 2, "store": True}),
}


def run(name, n_steps, folder=None, **more):
    solver, options = RUNS[name]
    options = {**options, **more}
    if options.pop("store", False) and folder is not None:
        options["store"] = Path(folder) / "stored.zarr"
    if "initial" not in options:
        options["rng"] = 5
    return nd.simulate(excitatory_inhibitory(noise=solver.takes_noise), solver, n_steps * DT,
                       every=50 * DT, **options)  # fmt: skip


def child(folder):
    """What the other process does: each run twice, shortly to compile and then long."""
    import warnings

    # The parent interrupts when it reads "running": say so when the loop has really begun.
    advance = Run._advance

    def announced(self, *arguments):
        if self.n_steps > 1000 and not self.position:
            say("running")
        return advance(self, *arguments)

    Run._advance = announced
    for name in RUNS:
        run(name, 10)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ds = run(name, 10**8, folder)
            say({"warnings": [f"{w.category.__name__}: {w.message}" for w in caught]})
        nd.save(ds.load(), Path(folder) / f"{name}.nc")
    from neurodyn.simulation import interrupts_raise

    try:
        with interrupts_raise():
            run("one trial", 10**8)
    except KeyboardInterrupt as error:
        say({"raised": str(error)})
    # A program with a handler of its own, which does not raise, is not interrupted.
    came = []
    signal.signal(signal.SIGINT, lambda *_: came.append(1))
    ds = run("one trial", 100_000)
    while not came:
        Run._advance = advance
        ds = run("one trial", 100_000)
    say({"came": came, "stopped": ds.attrs.get("stopped")})


def say(what):
    print(json.dumps(what), flush=True)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """Folder with the Datasets of all `RUNS`, and by run: seconds until it was back, its report."""
    folder = tmp_path_factory.mktemp("interrupted")
    call = f"from tests.neurodyn.test_interrupt import child; child({str(folder)!r})"
    process = subprocess.Popen([sys.executable, "-c", call], stdout=subprocess.PIPE, text=True,
                               cwd=Path(__file__).parents[2])  # fmt: skip
    reports = {}
    guard = threading.Timer(120, process.kill)  # a run that does not stop would never report
    guard.start()
    try:
        for name in [*RUNS, "raise", "own handler"]:
            assert json.loads(process.stdout.readline()) == "running"
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            report = json.loads(process.stdout.readline())
            reports[name] = time.monotonic() - sent, report
        assert process.wait(timeout=20) == 0
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    return folder, reports


@pytest.mark.parametrize("name", RUNS)
def test_data_so_far(interrupted, name):
    folder, reports = interrupted
    seconds, report = reports[name]
    assert seconds < 1.0
    ds = nd.load(folder / f"{name}.nc")
    n_steps = ds.attrs["run"]["next_step"]
    assert 0 < n_steps < 10**8
    stopped = f"interrupted at t = {n_steps * DT:.6g} s"
    assert ds.attrs["stopped"] == stopped
    message = f"RuntimeWarning: simulate was {stopped}; the Dataset holds the samples so far"
    assert report == {"warnings": [message]}
    # The same as a run that was asked to be so long, and good to go on from.
    plain = run(name, n_steps)
    assert ds.drop_attrs(deep=False).identical(plain.drop_attrs(deep=False))
    rest = run(name, 75, initial=ds)
    whole = run(name, n_steps + 75)
    assert nd.concatenate([ds, rest]).drop_attrs().identical(whole.drop_attrs())


def test_store_of_an_interrupted_run(interrupted):
    folder, _ = interrupted
    ds, disk = nd.load(folder / "stored.nc"), nd.load(folder / "stored.zarr")
    assert disk.attrs["committed"] == ds.sizes["time"]
    assert disk.attrs["stopped"] == ds.attrs["stopped"]
    assert disk.isel(time=slice(0, ds.sizes["time"])).identical(ds)


def test_programs_can_have_an_exception(interrupted):
    _, reports = interrupted
    seconds, report = reports["raise"]
    assert seconds < 1.0
    assert report["raised"].startswith("interrupted at t = ")


def test_handlers_of_programs_have_their_way(interrupted):
    _, reports = interrupted
    assert reports["own handler"][1] == {"came": [1], "stopped": None}


# -- the handler, in this process --------------------------------------------------------------


def test_first_interrupt_is_noted_and_the_second_raises():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        with Interrupts() as interrupts:
            assert not interrupts.came
            signal.raise_signal(signal.SIGINT)
            assert interrupts.came
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_handler_is_put_back_after_every_run():
    import brian2  # noqa: F401  (it brings a handler of its own, now and not in between)

    network = exploding()
    before = signal.getsignal(signal.SIGINT)
    run("one trial", 10)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(nd.SimulationDiverged):
        nd.simulate(network, nd.Euler(0.1), 20.0, initial={"A.v": 1.0})
    assert signal.getsignal(signal.SIGINT) is before


def test_ignored_interrupts_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
        assert not interrupts.came
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_runs_in_other_threads():
    """Only the main thread may install handlers; the others run without, and give the same."""
    results = []
    expected = run("one trial", 100)
    workers = [
        threading.Thread(target=lambda: results.append(run("one trial", 100))) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 3
    for ds in results:
        assert ds.drop_attrs().identical(expected.drop_attrs())
