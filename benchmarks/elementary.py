"""Row E1: elementary functions and normals, per element: ``python benchmarks/elementary.py``.

Each is timed on 8192 elements (8 trials, 1024 units), which the first-level cache holds or nearly,
as the fastest of many short calls: ours and the C library's (``math.*``) from a numba kernel under
the flags of generated kernels, NumPy's into a given array. All three include the 0.2 to 0.4
microseconds of a call from Python, 0.03 to 0.05 ns an element. The error is the largest of a sweep
in the same run, in units in the last place (ulp).

The reference is what a prototype reached on a Zen 3 processor with AVX2; ``ratio`` is ours over it.
To see what a processor without AVX-512 would get, set ``NUMBA_CPU_NAME=haswell`` and an empty
``NUMBA_CPU_FEATURES``; NumPy's column then still uses all of this processor.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable

import numpy as np

from neurodyn.compile import elementary, random_source, source_text

SHAPE = (8, 1024)
FLAGS = {"fastmath": {"contract", "nsz", "arcp"}, "boundscheck": False, "error_model": "numpy"}

#: ns per element that a prototype reached.
REFERENCE = {
    ("tanh", "float32"): 0.40,
    ("tanh", "float64"): 2.2,
    ("exp", "float32"): 0.36,
    ("exp", "float64"): 0.88,
    ("fill_normals", "float32"): 0.89,
}

#: The same in the C library, for numba.
LIBRARY = {
    "sigmoid": "1 / (1 + math.exp(-v))",
    "softplus": "math.log1p(math.exp(v))",
    "exprel": "math.expm1(v) / v",
}

#: The same in NumPy, into an array.
NUMPY: dict[str, Callable] = {
    "sigmoid": lambda x, y: np.divide(1, np.add(np.exp(np.negative(x, out=y), out=y), 1), out=y),
    "softplus": lambda x, y: np.logaddexp(x, 0, out=y),
    "exprel": lambda x, y: np.divide(np.expm1(x, out=y), x, out=y),
}


def rows() -> list[dict]:
    """Measure all functions in both number types.

    Returns
    -------
    list of dict
        With ``row``, ``function``, ``dtype``, the times per element ``ours_ns``, ``numpy_ns``,
        ``library_ns`` (``math.*`` in numba) and ``reference_ns`` (None where there is none),
        ``ratio`` (ours over the reference), ``max_ulp`` (None for normals) and ``compile_s``, the
        processor time of the first call.
    """
    found = []
    for dtype in ("float32", "float64"):
        x = np.zeros(SHAPE, dtype)
        _compile("y[b, i] = x[b, i]", dtype)(x, x)  # numba's own start-up belongs to nobody
        found += [_function_row(name, dtype) for name in elementary.FUNCTIONS]
        found.append(_normals_row(dtype))
    return found


def _function_row(name: str, dtype: str) -> dict:
    x = _arguments(name, dtype)
    y = np.empty_like(x)
    ours = _compile(f"y[b, i] = {name}(x[b, i])", dtype)
    first = time.process_time()
    ours(x, y)
    compile_s = time.process_time() - first
    theirs = LIBRARY.get(name, f"math.{name}(v)")
    library = _compile(f"v = x[b, i]; y[b, i] = {theirs}", dtype)
    numpy = NUMPY.get(name) or functools.partial(_ufunc, getattr(np, name, None))
    return _row(
        name,
        dtype,
        _fastest(lambda: ours(x, y)),
        _fastest(lambda: numpy(x, y)),
        _fastest(lambda: library(x, y)),
        _largest_error(name, ours, dtype),
        compile_s,
    )


def _normals_row(dtype: str) -> dict:
    import numba

    space = {"np": np, "math": math, "njit": numba.njit}
    exec(random_source.source_of(["fill_normals"], dtype), space)
    exec("def fill(*arguments):\n    fill_normals(*arguments)\n", space)
    exec(
        "def library(y):\n    for b in range(y.shape[0]):\n        for i in range(y.shape[1]):\n"
        "            y[b, i] = np.random.standard_normal()\n",
        space,
    )
    fill, library = numba.njit(**FLAGS)(space["fill"]), numba.njit(**FLAGS)(space["library"])
    keys = np.arange(2 * SHAPE[0], dtype=np.uint32).reshape(SHAPE[0], 2)
    y, scratch = np.empty(SHAPE, dtype), random_source.normals_scratch(dtype)
    rng = np.random.default_rng(0)
    first = time.process_time()
    fill(y, keys, 0, 0, scratch)
    compile_s = time.process_time() - first
    return _row(
        "fill_normals",
        dtype,
        _fastest(lambda: fill(y, keys, 0, 0, scratch)),
        _fastest(lambda: rng.standard_normal(out=y, dtype=dtype)),
        _fastest(lambda: library(y)),
        None,
        compile_s,
    )


def _row(name, dtype, ours, numpy, library, max_ulp, compile_s) -> dict:
    reference = REFERENCE.get((name, dtype))
    return {
        "row": "E1",
        "function": name,
        "dtype": dtype,
        "ours_ns": ours,
        "numpy_ns": numpy,
        "library_ns": library,
        "reference_ns": reference,
        "ratio": None if reference is None else ours / reference,
        "max_ulp": max_ulp,
        "compile_s": compile_s,
    }


def _compile(statement: str, dtype: str):
    """A kernel that does the statement for all b, i; each call makes a new one."""
    import numba

    space = {"np": np, "math": math, "njit": numba.njit}
    exec(source_text.source_of(elementary.FUNCTIONS, dtype), space)
    exec(
        "def loop(x, y):\n    for b in range(x.shape[0]):\n        for i in range(x.shape[1]):\n"
        f"            {statement}\n",
        space,
    )
    return numba.njit(**FLAGS)(space["loop"])


def _ufunc(ufunc, x, y):
    return ufunc(x, out=y)


def _fastest(call: Callable[[], object], seconds: float = 0.15) -> float:
    """The time of the fastest call, in ns per element."""
    call()
    best, end = math.inf, time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        call()
        best = min(best, time.perf_counter() - start)
    return 1e9 * best / math.prod(SHAPE)


def _arguments(name: str, dtype: str) -> np.ndarray:
    x = 2 * np.random.default_rng(0).standard_normal(SHAPE)
    return (np.abs(x) if name in ("log", "log1p") else x).astype(dtype)


def _largest_error(name: str, ours, dtype: str, n: int = 200_000) -> float:
    """Largest error over arguments of all sizes, against longdouble, in ulp."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-1, 1, n), rng.uniform(-80, 80, n), 2 * rng.standard_normal(n)])
    x = (np.abs(x) if name in ("log", "log1p") else x).astype(dtype)[None]
    y = np.empty_like(x)
    ours(x, y)
    x = x.astype(np.longdouble)
    if name == "sigmoid":
        truth = 1 / (1 + np.exp(-x))
    elif name == "softplus":
        truth = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    elif name == "exprel":
        truth = np.expm1(x) / x
    else:
        truth = getattr(np, name)(x)
    info = np.finfo(dtype)
    exponent = np.maximum(np.frexp(np.abs(truth))[1] - 1, info.minexp)
    return float(np.max(np.abs(y - truth) / np.ldexp(np.longdouble(1), exponent - info.nmant)))


def _cell(value) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.2f}"


def main() -> None:
    """Print the table."""
    table = rows()
    head = list(table[0])
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for row in table:
        print("| " + " | ".join(_cell(row[key]) for key in head) + " |")


if __name__ == "__main__":
    main()
