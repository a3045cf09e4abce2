"""The cache of equations, generated modules and machine code: hits, damage, and no place for it."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

import neurodyn as nd
from neurodyn import equations
from neurodyn.compile import cache, module

TEXT = "dx/dt = (-x + I)/tau : 1\nr = x**3 : 1"
WEIGHTS = [[0.5, -1.0], [2.0, 0.25]]
#: What is compiled, which should not take long: no products.
SMALL = "dx/dt = (-x + x**3)/tau : 1"
STATE = [0.5, 2.0]
FIELD = (-np.array(STATE) + np.array(STATE) ** 3) / 0.125

#: The same in a process of its own.
SCRIPT = f"""
import sys
import numpy as np
import neurodyn as nd
net = nd.Network({{"E": nd.Population(2, {SMALL!r}, tau=0.125)}})
print(net.field({STATE!r}).tolist(), "brian2" in sys.modules, "sympy" in sys.modules)
"""


def network_of(size=2, weights=WEIGHTS, **values):
    population = nd.Population(size, TEXT, **{"tau": 0.1, **values})
    return nd.Network({"E": population}, [nd.Coupling("E.r", "E.I", weights)])


def start(folder, script=SCRIPT, cwd=None, **variables):
    """A Python process with its cache in `folder`; a variable that is None is not set."""
    environment = {**os.environ, "NEURODYN_CACHE_DIR": str(folder), **variables}
    environment = {k: v for k, v in environment.items() if v is not None}
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def expected(imports):
    return f"{FIELD.tolist()} {imports} {imports}\n"


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cache folder in which one process has left the network."""
    folder = tmp_path_factory.mktemp("warm") / "cache"
    assert printed(start(folder)) == expected(imports=True)
    return folder


@pytest.fixture
def cache_in(monkeypatch):
    """Call with a folder: this process then begins anew, with its cache there."""

    def forget():
        cache.folder.cache_clear()
        equations.parse.cache_clear()
        module._source.cache_clear()
        for name in [n for n in sys.modules if n.startswith("neurodyn_generated_")]:
            del sys.modules[name]

    def use(folder):
        monkeypatch.setenv("NEURODYN_CACHE_DIR", str(folder))
        forget()

    yield use
    monkeypatch.undo()
    forget()


def small():
    return nd.Network({"E": nd.Population(2, SMALL, tau=0.125)})


def works():
    return np.array_equal(small().field(STATE), FIELD)


# -- what is shared ----------------------------------------------------------------------------


def test_networks_that_differ_in_numbers_share_their_module():
    first = network_of().compiled().module
    assert network_of(tau=0.2).compiled().module is first
    assert network_of(weights=[[9.0, 8.0], [7.0, 6.0]], x=0.3).compiled().module is first
    assert network_of(5, np.eye(5), x=lambda rng, n: rng.normal(size=n)).compiled().module is first
    assert network_of().with_values(**{"E.tau": 3.0}).compiled().module is first
    transposed = nd.weights.Transpose(nd.weights.Dense(WEIGHTS))
    assert network_of(weights=transposed).compiled().module is first


def test_networks_that_differ_in_structure_do_not():
    modules = [
        network_of().compiled().module,
        network_of(tau=np.array([0.1, 0.2])).compiled().module,
        network_of(weights=nd.weights.Diagonal([1.0, 2.0])).compiled().module,
        network_of().compiled("float32").module,
        network_of().compiled(driven=["E.I"]).module,
        nd.Network({"F": nd.Population(2, TEXT, tau=0.1)}).compiled().module,
    ]
    assert len({id(m) for m in modules}) == len(modules)


def test_the_source_is_the_module_that_runs():
    network = network_of()
    path = Path(network.compiled().module.__file__)
    assert path.read_text() == network.source()
    assert "dx/dt = (-x + I) / tau" in network.source()


# -- across processes --------------------------------------------------------------------------


def test_a_second_process_needs_neither_brian2_nor_sympy(warm):
    assert printed(start(warm)) == expected(imports=False)


def test_two_processes_at_once(tmp_path):
    both = [start(tmp_path / "cache") for _ in range(2)]
    assert [printed(p) for p in both] == [expected(imports=True)] * 2
    assert printed(start(tmp_path / "cache")) == expected(imports=False)
    assert not list(tmp_path.rglob("*.tmp"))


# -- damage ------------------------------------------------------------------------------------

DAMAGE = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "garbled": lambda data: bytes(255 - b for b in data),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("suffix", [".txt", ".py", ".nbi", ".nbc"])
def test_damaged_files_are_made_again(warm, tmp_path, cache_in, suffix, damage):
    folder = tmp_path / "cache"
    shutil.copytree(warm, folder)
    files = list(folder.rglob(f"*{suffix}"))
    assert files
    before = {path: path.read_bytes() for path in files}
    for path, data in before.items():
        path.write_bytes(DAMAGE[damage](data))
    cache_in(folder)
    assert works()
    if suffix in (".txt", ".py"):
        assert {path: path.read_bytes() for path in files} == before
    cache_in(folder)
    assert works()


def test_a_folder_where_a_file_should_be(warm, tmp_path, cache_in):
    folder = tmp_path / "cache"
    shutil.copytree(warm, folder)
    for path in [*folder.rglob("*.txt"), *folder.rglob("*.py")]:
        path.unlink()
        path.mkdir()
    cache_in(folder)
    assert works()


def test_a_lost_cache_costs_only_time(warm, tmp_path, cache_in):
    folder = tmp_path / "cache"
    shutil.copytree(warm, folder)
    cache_in(folder)
    network = small()
    shutil.rmtree(folder)
    assert np.array_equal(network.field(STATE), FIELD)
    assert network_of(tau=np.array([0.1, 0.1])).compiled().module.field  # a new structure


# -- nowhere to write --------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["a file", "below a file", "a folder of the kernel"])
def test_a_folder_that_cannot_be_written(tmp_path, cache_in, place):
    (tmp_path / "file").write_text("mine")
    folder = {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "cache",
        "a folder of the kernel": "/proc/neurodyn",
    }[place]
    cache_in(folder)
    assert works()
    assert cache.folder() != Path(folder)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_of_somebody_else_is_passed_over(tmp_path, cache_in, monkeypatch):
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)  # code of others must not be run
    cache_in(tmp_path)
    assert cache.folder() != tmp_path
    assert not list(tmp_path.iterdir())


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_only(*args, **kwargs):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.mark.parametrize(
    ("where", "name", "error"),
    [(os, "replace", full), (tempfile, "mkstemp", read_only), (os, "fdopen", full)],
)
def test_a_disk_that_is_full_or_becomes_read_only(
    tmp_path, cache_in, monkeypatch, where, name, error
):
    cache_in(tmp_path)
    monkeypatch.setattr(where, name, error)
    assert works()
    monkeypatch.undo()
    assert not list(tmp_path.rglob("*.txt")) and not list(tmp_path.rglob("*.tmp"))


def test_a_disk_that_fills_while_machine_code_is_saved(tmp_path, cache_in, monkeypatch):
    from numba.core.caching import IndexDataCacheFile

    cache_in(tmp_path)
    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert works()
    assert not list(tmp_path.rglob("*.nbc"))
    monkeypatch.undo()
    cache_in(tmp_path)
    assert works()
    assert list(tmp_path.rglob("*.nbc"))


def test_no_home_and_no_cache(tmp_path):
    # the folder for temporary files is the last resort
    variables = {"HOME": "/proc/nobody", "XDG_CACHE_HOME": None, "TMPDIR": str(tmp_path)}
    process = start("", SCRIPT + "\nfrom neurodyn.compile import cache; print(cache.folder())",
                    **variables, NEURODYN_CACHE_DIR=None)  # fmt: skip
    result, folder, _ = printed(process).split("\n")
    assert result + "\n" == expected(imports=True)
    assert Path(folder).parent == tmp_path


def test_nothing_can_be_written_but_a_folder_of_the_process(cache_in, monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "_is_ours_to_write", lambda path: False)
    cache_in(tmp_path)
    assert works()
    assert cache.folder() == Path(cache._temporary_folder().name)
    assert not list(tmp_path.iterdir())


# -- an edited generator -----------------------------------------------------------------------


def test_an_edited_generator_never_runs_an_old_kernel(tmp_path):
    package = tmp_path / "neurodyn"
    shutil.copytree(
        Path(nd.__file__).parent,
        package,
        ignore=shutil.ignore_patterns("__pycache__", "circuits", "analyses", "data"),
    )
    script = f"""
        import neurodyn as nd
        assert nd.__file__.startswith({str(tmp_path)!r})
        net = nd.Network({{"E": nd.Population(1, "dx/dt = (-x + I)/tau : 1", tau=1.0, x=1.0)}},
                         [nd.Coupling("E.x", "E.I", nd.weights.Diagonal([3.0]))])
        ds = nd.simulate(net, nd.Euler(dt=0.25), 0.25)
        print(float(ds["E.x.final"][0, 0]), float(net.compiled("float32").field([1.0])[0]))
    """
    run = {"folder": tmp_path / "cache", "script": textwrap.dedent(script), "cwd": tmp_path}
    assert printed(start(**run)) == "1.5 2.0\n"

    edits = {
        "compile/steppers.py": (
            'symbol(state) + symbol("dt") * drift',
            "symbol(state) + 2 * drift",
        ),
        "compile/products.py": ("+= d[i] * r[trial, i]", "+= 2 * d[i] * r[trial, i]"),
    }
    for name, (old, new) in edits.items():
        path = package / name
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
    assert printed(start(**run)) == "11.0 5.0\n"  # 1 + 2 (-1 + 6), and -1 + 6


# -- the flags of numba ------------------------------------------------------------------------

ALL_KERNELS = """
import sys
import numpy as np, scipy.sparse as sp
import neurodyn as nd
text = '''
dx/dt = (-x + a + b + c + d + k*sin(omega*t) {noise})/tau : 1
r = tanh(x) + 0.1*relu(x)**2 + log1p(exp(x)) : 1
dg/dt = -g/tau + r*Hz : 1
'''
def network(n, m, noise):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(n, n)) / n
    V = rng.normal(size=(m, n)) / n
    E = nd.Population(n, text.format(noise="+ s*sqrt(tau)*xi" if noise else ""), tau=0.1, omega=2.0,
                      k=np.linspace(0, 1, n), x=0.1, **({"s": 0.01} if noise else {}))
    I = nd.Population(m, "dy/dt = (-y + h + u)/tau : 1", tau=np.linspace(0.1, 0.2, m))
    low_rank = nd.weights.LowRank(W[:, :3], W[:, 1:4])
    sparse = nd.weights.Sparse(sp.csr_array(V * (V > 0)))
    return nd.Network({"E": E, "I": I}, [
        nd.Coupling("E.r", "E.a", W), nd.Coupling("E.r", "E.b", low_rank + W),
        nd.Coupling("E.r", "E.c", nd.weights.Diagonal(W[0])), nd.Coupling("E.r", "I.h", sparse),
        nd.Coupling("I.y", "E.d", nd.weights.Transpose(nd.weights.Dense(V))),
    ])
found = []
for n, m, trials in SIZES:
    for noise in (False, True):
        net = network(n, m, noise)
        drive = np.random.default_rng(1).normal(size=(trials, 20, m))
        solvers = [nd.Euler(0.01), nd.Heun(0.01), nd.ExponentialEuler(0.01)]
        solvers += [] if noise else [nd.RK4(0.01), nd.DormandPrince(0.01)]
        for solver in solvers:
            ds = nd.simulate(net, solver, 0.2, trials=trials, every=0.03, rng=3,
                             record={"E.r": [0, n - 1], "I.y": slice(1, None), "E.g": [0]},
                             inputs={"I.u": drive})
            found += [ds[name].values.ravel() for name in sorted(ds.data_vars)]
        x = np.random.default_rng(2).normal(size=(trials, net.n_states))
        adjoint = net.adjoint(x, x)
        found += [net.tangent(x, x[:, None] + np.ones((3, 1))).ravel(), adjoint.state.ravel()]
        found += [value.ravel() for value in adjoint.parameters.values()]
np.save(sys.argv[1], np.concatenate(found))
"""


def all_kernels(tmp_path, name, sizes, **variables):
    script = ALL_KERNELS.replace("SIZES", repr(sizes)).replace(
        "sys.argv[1]", repr(str(tmp_path / name))
    )
    printed(start(tmp_path / f"cache of {name}", script, **variables))
    found = np.load(tmp_path / name)
    assert np.isfinite(found).all()
    return found


SIZES = [(5, 3, 2), (70, 66, 5)]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """What all kernels compute, as they are compiled for users."""
    return all_kernels(tmp_path_factory.mktemp("kernels"), "plain.npy", SIZES)


@pytest.mark.slow
def test_no_kernel_leaves_its_arrays(tmp_path, numbers):
    """numba's own check of every index finds nothing, and does not change the numbers."""
    checked = all_kernels(tmp_path, "checked.npy", SIZES, NUMBA_BOUNDSCHECK="1")
    assert np.array_equal(checked, numbers)


@pytest.mark.slow
def test_kernels_run_as_plain_python(tmp_path, numbers):
    python = all_kernels(tmp_path, "python.npy", SIZES[:1], NUMBA_DISABLE_JIT="1")
    np.testing.assert_allclose(python, numbers[: python.size], rtol=1e-11, atol=1e-12)
