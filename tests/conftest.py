"""Set-up of the test suite: a throw-away cache, no windows."""

import gc
import os
import shutil
import tempfile

import matplotlib
import matplotlib.pyplot as plt
import pytest
from _pytest import doctest
from hypothesis import HealthCheck, settings

# No test may fail because the machine is busy.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# In this process only: notebooks run as tests choose their own backend, and an exported
# MPLBACKEND would switch their figures off.
matplotlib.use("Agg")

_OWNER = "NEURODYN_TEST_CACHE_OWNER"


@pytest.fixture(autouse=True, scope="module")
def nothing_piles_up():
    """Figures go; compiled code, which stays, is not searched for garbage again and again."""
    yield
    plt.close("all")
    gc.collect()
    gc.freeze()


class PytestsOwnDoctests:
    """Undoes what importing Brian2 does to doctests: its collector fails on packages."""

    module = doctest.DoctestModule

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_file(self):
        doctest.DoctestModule = self.module


def pytest_configure(config):
    """One cache folder for the whole session, subprocesses and parallel workers included.

    It starts empty, because numba does not notice every change of a source: a kernel compiled
    before the change could otherwise pass the tests of the code after it.
    """
    config.pluginmanager.register(PytestsOwnDoctests())
    if _OWNER not in os.environ:
        os.environ[_OWNER] = str(os.getpid())
        os.environ["NEURODYN_CACHE_DIR"] = tempfile.mkdtemp(prefix="neurodyn-tests-")


def pytest_unconfigure(config):
    if os.environ.get(_OWNER) == str(os.getpid()):
        shutil.rmtree(os.environ["NEURODYN_CACHE_DIR"], ignore_errors=True)
        del os.environ[_OWNER], os.environ["NEURODYN_CACHE_DIR"]
