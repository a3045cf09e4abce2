"""Brian2 runs by NumPy in these tests, and quietly; afterwards it is as before."""

import logging

import numpy as np
import pytest

from neurodyn.unit_check import import_brian2


@pytest.fixture(autouse=True)
def brian2_by_numpy():
    brian2 = import_brian2()
    logger = logging.getLogger("brian2")
    level, target = logger.level, brian2.prefs.codegen.target
    random_state = np.random.get_state()  # noqa: NPY002  (Brian2 draws from it)
    logger.setLevel(logging.ERROR)
    brian2.prefs.codegen.target = "numpy"
    yield brian2
    brian2.prefs.codegen.target = target
    logger.setLevel(level)
    np.random.set_state(random_state)  # noqa: NPY002
