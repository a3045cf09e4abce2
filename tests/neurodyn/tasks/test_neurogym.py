"""The adapter beside the real neurogym, in an environment of its own.

neurogym asks for one version each of NumPy, gymnasium and Matplotlib, and needs PyTorch, so that it
does not go where the other tests run. ``NEURODYN_TEST_NEUROGYM`` says what to do about it:
``install`` installs it in a temporary folder, some GB; else it is the path of a Python that has it.
"""

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def requirements() -> list[str]:
    """What neurodyn[neurogym] installs."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = config["options"]["install_requires"] + "\n" + config["options.extras_require"]["neurogym"]
    return [line for line in listed.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> str:
    """A Python that imports neurogym, and neurodyn from here."""
    given = os.environ.get("NEURODYN_TEST_NEUROGYM")
    if not given:
        pytest.skip("NEURODYN_TEST_NEUROGYM is neither `install` nor a Python that has neurogym")
    if given != "install":
        return given
    folder = tmp_path_factory.mktemp("neurogym") / "venv"
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, *requirements()]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        except subprocess.TimeoutExpired:
            pytest.skip("neurogym was not installed within 15 minutes")
        if done.returncode:
            pytest.skip(f"neurogym cannot be installed here: {done.stderr.strip()[-300:]}")
    return str(folder / "bin" / "python")


@pytest.mark.slow
def test_tasks_of_neurogym_become_tasks_of_ours(python):
    environ = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    script = Path(__file__).with_name("neurogym_check.py")
    done = subprocess.run([python, str(script)], capture_output=True, text=True, timeout=300, env=environ)
    assert done.returncode == 0, done.stderr
    assert "all as they should be" in done.stdout
