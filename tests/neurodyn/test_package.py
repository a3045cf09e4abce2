"""The package as a whole: what it exports, imports, declares, and what its wheel holds."""

import ast
import configparser
import os
import pkgutil
import re
import subprocess
import sys
import zipfile
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

import numpy as np
import pytest

import neurodyn as nd

PACKAGE = Path(nd.__file__).parent
ROOT = PACKAGE.parent
#: The real folders behind the links.
PARTS = ("neurodyn", "circuits", "analyses", "data")

#: Imported inside the functions that use them, so that `import neurodyn` costs nothing.
HEAVY = {
    "brian2", "sklearn", "h5netcdf", "h5py", "matplotlib", "numba", "pandas", "PIL", "scipy",
    "sympy", "xarray", "zarr",
}


@cache
def sources(*folders: str) -> dict[str, ast.Module]:
    """Parsed source files below `folders`; the links in neurodyn/ are not followed."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            inner = path.relative_to(ROOT).parts
            if folder != "neurodyn" or inner[1] not in ("circuits", "analyses", "data"):
                found[str(path.relative_to(ROOT))] = ast.parse(path.read_text())
    return found


def imported(node: ast.AST) -> list[str]:
    """Full names that one import statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def python(code: str, **options) -> str:
    """Output of a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          timeout=120, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", sorted(nd._EXPORTS))
def test_every_public_name_is_there(name):
    value = getattr(nd, name)
    module = nd._EXPORTS[name]
    if module is None:
        assert value.__name__ == f"neurodyn.{name}"
    else:
        assert value is getattr(import_module(module), name)
    assert name in dir(nd) and name in nd.__all__


def test_no_analysis_has_the_name_of_a_module():
    """Else importing the module would put it in the place of the function."""
    modules = {path.stem for path in (ROOT / "analyses").rglob("*.py")}
    folders = {path.name for path in (ROOT / "analyses").iterdir() if path.is_dir()}
    assert not (modules | folders) & set(nd.analyses._EXPORTS)


def test_type_checkers_see_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {}
    for node in block.body:
        for alias in node.names:
            seen[alias.asname or alias.name] = None if node.module == "neurodyn" else node.module
    assert seen == {k: v for k, v in nd._EXPORTS.items() if k not in nd._UNITS}


def test_the_units_are_those_of_the_module():
    from neurodyn.units import UNITS

    assert set(nd._UNITS) == set(UNITS)
    assert float(250 * nd.ms / nd.second) == 0.25


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(AttributeError, match="'Popluation'; did you mean `Population`"):
        _ = nd.Popluation
    assert not hasattr(nd, "_private_simulate")


def test_import_is_cheap():
    code = "import sys, neurodyn; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    assert not set(python(code).split()) & (HEAVY | {"numpy"})
    code = (
        "import sys, neurodyn as nd; nd.Population, nd.Network, nd.RK4, nd.simulate, nd.weights, "
        "nd.signals, nd.plot, nd.load, nd.ms; "
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    assert not set(python(code).split()) & HEAVY
    code = "import sys, neurodyn.cli; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    assert not set(python(code).split()) & HEAVY


@pytest.mark.slow
def test_every_module_imports_alone():
    names = [
        info.name for info in pkgutil.walk_packages([str(PACKAGE)], "neurodyn.")
        if info.name != "neurodyn.__main__"
    ]
    assert "neurodyn.results" in names and "neurodyn.circuits" in names
    code = (
        "import sys, importlib\n"
        "for name in sys.argv[1:]:\n"
        "    for old in [m for m in sys.modules if m.split('.')[0] == 'neurodyn']:\n"
        "        del sys.modules[old]\n"
        "    importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True,
                          timeout=900)
    assert done.returncode == 0, done.stderr


def test_the_engine_imports_neither_circuits_nor_analyses():
    upwards = []
    for path, tree in sources("neurodyn").items():
        checked_only = {
            node
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            for name in imported(node) if node not in checked_only else ():
                if name.startswith(("neurodyn.circuits", "neurodyn.analyses")):
                    upwards.append(f"{path}:{node.lineno} imports {name}")
    assert not upwards


def test_analyses_know_no_circuit():
    """Circuits measure their claims by analyses; an analysis serves any network."""
    for path, tree in sources("analyses").items():
        for node in ast.walk(tree):
            assert "neurodyn.circuits" not in imported(node), f"{path}:{node.lineno}"


def test_every_import_is_declared():
    """What the package imports is what setup.cfg installs, no more and no less."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    declared = {line.split(">")[0].strip().lower() for line in lines if line}
    used = set()
    for tree in sources(*PARTS).values():
        for node in ast.walk(tree):
            used |= {name.split(".")[0] for name in imported(node)}
    used -= set(sys.stdlib_module_names) | {"neurodyn"}
    distributions = metadata.packages_distributions()
    needed = {distributions.get(name, [name])[0].lower() for name in used}
    # xarray writes netCDF with h5netcdf, which needs h5py
    indirect = {"h5netcdf", "h5py"}
    assert needed - declared == set()
    assert declared - needed <= indirect


def test_a_second_copy_of_a_part_is_refused():
    for part in ("circuits", "analyses", "data"):
        done = subprocess.run([sys.executable, "-c", f"import {part}"], cwd=ROOT,
                              capture_output=True, text=True, timeout=60)
        assert f"ImportError: import neurodyn.{part}, not {part}" in done.stderr


def test_files_are_found_through_the_package():
    assert Path(nd.circuits.__file__).parent.samefile(ROOT / "circuits")
    assert (PACKAGE / "circuits").is_symlink()
    assert nd.__version__ == metadata.version("neurodyn")


def test_the_examples_in_the_readme_run(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text()
    rates, dynamics, spikes, learning = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(rates, names)
    assert names["ds"]["E.r"].shape == (32, 200, 400)
    assert nd.load("run.nc").identical(names["ds"])
    exec(dynamics, names)
    assert names["chaos"].exponents[0] > 0
    assert names["points"].counts == {"stable": 2, "saddle": 1}
    exec(spikes, names)
    assert names["ds"].attrs["sizes"] == {"E": 800, "I": 200}
    assert min(names["ds"].sizes["E.spike"] / 800, names["ds"].sizes["I.spike"] / 200) > 5  # Hz
    assert set(names["brian"].synapses) == {"E.spike->I.g", "I.spike->E.g"}
    exec(learning, names)
    assert names["fit"].history["loss"][-10:].mean() < 0.6 * names["fit"].history["loss"][0]
    assert np.std(names["fit"].network.value("E.tau")) > 1e-3
    assert nd.load_network("memory.npz").state_names == names["rnn"].state_names


@pytest.mark.slow
def test_the_wheel_works_elsewhere(tmp_path):
    """Built in a folder of its own, it holds one package, everything in it, and runs anywhere."""
    build = [sys.executable, "-m", "build", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=600)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert tops == {"neurodyn", f"neurodyn-{nd.__version__}.dist-info"}
    expected = {"neurodyn/py.typed"}
    for path in sources(*PARTS):
        expected.add(path if path.startswith("neurodyn/") else f"neurodyn/{path}")
    assert {name for name in names if name.startswith("neurodyn/")} >= expected
    assert f"neurodyn-{nd.__version__}.dist-info/licenses/LICENSE" in names

    target = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet",
                    "--target", str(target), str(wheel)], check=True, timeout=300)
    code = (
        "import neurodyn as nd, numpy as np\n"
        "from neurodyn.experiments import circuits\n"
        "net = nd.Network({'E': nd.Population(2, 'dx/dt = -x/tau : 1', tau=1.0, x=1.0)})\n"
        "ds = nd.simulate(net, nd.RK4(dt=0.01), duration=1.0)\n"
        "print(nd.__file__, float(ds['E.x.final'][0, 1]), *circuits())"
    )
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    where, x, *names = python(code, cwd=tmp_path, env=environ | {"PYTHONPATH": str(target)}).split()
    assert Path(where).is_relative_to(target)
    np.testing.assert_allclose(float(x), np.exp(-1), rtol=1e-8)
    assert names == list(nd.experiments.circuits())
    assert sdist.stat().st_size < 5e6
