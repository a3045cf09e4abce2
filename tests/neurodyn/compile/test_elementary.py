"""The elementary functions as a compiled kernel calls them, against longdouble and mpmath.

Every function is called from a loop under the flags of generated kernels, and from a loop under
``fastmath=True``: tricks that reassociation breaks have gone wrong there without a warning.
"""

import functools
import itertools
import os
import re

import mpmath
import numpy as np
import pytest

from neurodyn.compile import elementary, elementary_f32, elementary_f64, source_text

NAMES = tuple(elementary.FUNCTIONS)
DTYPES = ("float64", "float32")
FLAGS = {"kernel": {"contract", "nsz", "arcp"}, "fast": True}
#: What the functions promise, in units in the last place.
MAX_ULP = 2.0
MAX_ULP_OF = {("tanh", "float32"): 3.0}
CIRCLE = {"float64": 1e9, "float32": 5e4}
SUFFIX = {"float64": "_f64", "float32": "_f32"}


@functools.lru_cache
def functions(dtype):
    """The module a generator would write: all functions in one number type."""
    import numba

    namespace = {"np": np, "njit": numba.njit}
    exec(elementary.source_of(NAMES, dtype), namespace)
    return namespace


@functools.lru_cache
def dispatcher(name, dtype, flags):
    """A compiled loop over a (trial, unit) array."""
    import numba

    namespace = dict(functions(dtype))
    text = (
        "def loop(x, y):\n"
        "    for b in range(x.shape[0]):\n"
        "        for i in range(x.shape[1]):\n"
        f"            y[b, i] = {name}(x[b, i])\n"
    )
    exec(text, namespace)
    options = {"fastmath": FLAGS[flags], "boundscheck": False, "error_model": "numpy"}
    return numba.njit(**options)(namespace["loop"])


def call(name, x, flags="kernel"):
    x = np.ascontiguousarray(x)
    y = np.empty((1, x.size), x.dtype)
    dispatcher(name, x.dtype.name, flags)(x.reshape(1, -1), y)
    return y[0]


# ---- the truth ----------------------------------------------------------------------------------


def exact(name, x):
    """The function in longdouble, whose 64 bits are 11 more than are tested."""
    x = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        if name == "sigmoid":
            t = np.exp(-np.abs(x))
            return np.where(x > 0, 1 / (1 + t), t / (1 + t))
        if name == "softplus":
            return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
        if name == "exprel":
            return np.where(x == 0, 1, np.expm1(x) / np.where(x == 0, 1, x))
        return getattr(np, name)(x)


def exact_mpmath(name, x):
    """The function of one number to 60 digits."""
    with mpmath.workdps(60):
        x = mpmath.mpf(float(x))
        if name == "sigmoid":
            return 1 / (1 + mpmath.exp(-x))
        if name == "softplus":
            return mpmath.log1p(mpmath.exp(x))
        if name == "exprel":
            return mpmath.expm1(x) / x if x else mpmath.mpf(1)
        return getattr(mpmath, name)(x)


def ulps(y, truth):
    """Distance of y from the truth, in units in the last place of the truth."""
    info = np.finfo(y.dtype)
    exponent = np.maximum(np.frexp(np.abs(truth))[1] - 1, info.minexp)
    unit = np.ldexp(np.longdouble(1), exponent - info.nmant)
    return (np.abs(y - truth) / unit).astype(float)


# where the forms change, or the scaling of the result does
BREAKS = {
    "exp": [0.0, 0.34657359, -0.34657359, 709.78, -708.4, -745.1, 88.72, -87.33, -103.9],
    "log": [0.70710678, 1.41421356, 1.0, 2.0, 0.5],
    "tanh": [0.55, 0.34657359, 19.06, 20.0, 9.01, 10.0],
    "sin": [0.78539816, 1.57079633, 3.14159265, 6.28318531, 100.0],
    "cos": [0.78539816, 1.57079633, 3.14159265, 4.71238898, 100.0],
    "sigmoid": [0.0, 0.34657359, -36.7, 36.7, -708.4, -744.0, -87.3, -103.0, 16.6],
    "expm1": [0.34657359, -0.34657359, 1.04, -37.4, 37.4, -17.3, 17.3, -50.0, 709.78, 88.72],
    "log1p": [-0.29289322, 0.41421356, 1.0, -0.5, 3.0],
    "softplus": [0.0, -0.8916, 0.8916, -708.4, -744.0, 36.7, -87.3, -103.0],
    "exprel": [0.34657359, -0.34657359, 1.0, -50.0, 37.4, 17.3, 709.78, 716.3, 88.72, 93.2],
}
# arguments whose result neither overflows nor is a whole number to the last digit
RANGES = {
    "float64": {
        "exp": (-746, 709.78), "tanh": (-20, 20), "sigmoid": (-746, 40), "expm1": (-40, 709.78),
        "softplus": (-746, 40), "exprel": (-1e3, 716), "sin": (-1e9, 1e9), "cos": (-1e9, 1e9),
        "log": (0, 1e3), "log1p": (-1, 1e3),
    },
    "float32": {
        "exp": (-104, 88.7), "tanh": (-10, 10), "sigmoid": (-104, 20), "expm1": (-18, 88.7),
        "softplus": (-104, 20), "exprel": (-1e3, 93), "sin": (-5e4, 5e4), "cos": (-5e4, 5e4),
        "log": (0, 1e3), "log1p": (-1, 1e3),
    },
}  # fmt: skip


def inside(name, x):
    """The arguments at which the function has a finite value and promises to give it."""
    low, high = {
        "log": (0, np.inf),
        "log1p": (-1, np.inf),
        "sin": (-CIRCLE[x.dtype.name], CIRCLE[x.dtype.name]),
        "cos": (-CIRCLE[x.dtype.name], CIRCLE[x.dtype.name]),
    }.get(name, (-np.inf, np.inf))
    return x[np.isfinite(x) & (x >= low) & (x <= high)]


@functools.lru_cache
def samples(name, dtype, n=60_000):
    """Random bit patterns, random arguments where the function bends, neighbours of breakpoints."""
    rng = np.random.default_rng(20)
    bits = {"float64": np.uint64, "float32": np.uint32}[dtype]
    number = np.dtype(dtype).type
    parts = [rng.integers(0, np.iinfo(bits).max, n, dtype=bits, endpoint=True).view(dtype)]
    parts.append(rng.uniform(*RANGES[dtype][name], n))
    parts += [rng.uniform(-1, 1, n), rng.uniform(-6, 6, n), rng.uniform(0, 2, n)]
    parts.append(rng.choice([-1, 1], n) * 10.0 ** rng.uniform(-12, 3, n))
    for point in BREAKS[name]:
        for sign in (1, -1):
            near = sign * number(point)
            parts.append(near + np.arange(-200, 201) * np.spacing(near))
            parts.append(near * (1 + rng.uniform(-1e-3, 1e-3, 2000)))
    if name in ("sin", "cos"):
        k = rng.integers(1, CIRCLE[dtype] / 1.6, n)
        parts.append(k * (np.longdouble(np.pi) + np.longdouble(1.2246467991473532e-16)) / 2)
    return inside(name, np.concatenate([p.astype(dtype) for p in parts]))


# ---- error --------------------------------------------------------------------------------------


def max_ulp(name, dtype):
    return MAX_ULP_OF.get((name, dtype), MAX_ULP)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_error_is_below_two_ulp(name, dtype, flags):
    """Dense sweep; also what overflows, and what is finite, agrees."""
    if np.finfo(np.longdouble).nmant < 63:
        pytest.skip("longdouble is no wider than double here; the mpmath test remains")
    x = samples(name, dtype)
    y = call(name, x, flags)
    truth = exact(name, x)
    with np.errstate(over="ignore"):
        finite = np.isfinite(truth.astype(dtype))
    np.testing.assert_array_equal(np.isfinite(y), finite)
    error = ulps(y[finite], truth[finite])
    worst = np.argmax(error)
    assert error[worst] < max_ulp(name, dtype), f"{name}({x[finite][worst]!r}) is {error[worst]:.2f} ulp off"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_error_against_mpmath(name, dtype):
    x = samples(name, dtype)[::1009]
    y = call(name, x)
    tiny = np.finfo(dtype).smallest_subnormal
    for argument, value in zip(x, y):
        truth = exact_mpmath(name, argument)
        if np.isinf(value):
            assert abs(truth) > float(np.finfo(dtype).max)
            continue
        unit = max(abs(float(truth)) * float(np.finfo(dtype).eps), float(tiny))
        assert abs(mpmath.mpf(float(value)) - truth) < max_ulp(name, dtype) * unit, argument


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_fastmath_of_the_caller_changes_no_bit(name, dtype):
    x = samples(name, dtype)
    assert call(name, x, "fast").tobytes() == call(name, x, "kernel").tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_place_in_the_array_changes_no_bit(name, dtype):
    """Vector body and remainder of a loop do the same to an element."""
    x = samples(name, dtype)[5_000:5_067]
    together = call(name, x)
    for width in (1, 3, 17, 40):
        pieces = [call(name, x[i : i + width]) for i in range(0, x.size, width)]
        assert np.concatenate(pieces).tobytes() == together.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_undecorated_function_agrees(name, dtype):
    """Without numba (and so without fused multiply-adds) the promise holds as well."""
    module = {"float64": elementary_f64, "float32": elementary_f32}[dtype]
    function = getattr(module, name + SUFFIX[dtype])
    x = samples(name, dtype)[::499]
    with np.errstate(all="ignore"):
        y = np.array([function(v) for v in x])
        truth = exact(name, x)
        assert y.dtype == dtype
        finite = np.isfinite(truth.astype(dtype))
    assert np.max(ulps(y[finite], truth[finite])) < max_ulp(name, dtype)


# ---- edges --------------------------------------------------------------------------------------

INF, NAN = np.inf, np.nan
EDGES = {  # (argument, value); the sign of a zero counts
    "exp": [(INF, INF), (-INF, 0.0), (0.0, 1.0), (-0.0, 1.0), (1e5, INF), (-1e5, 0.0)],
    "log": [
        (INF, INF),
        (-INF, NAN),
        (0.0, -INF),
        (-0.0, -INF),
        (-1.0, NAN),
        (1.0, 0.0),
        (-1e-40, NAN),
    ],
    "tanh": [
        (INF, 1.0),
        (-INF, -1.0),
        (0.0, 0.0),
        (-0.0, -0.0),
        (50.0, 1.0),
        (1e-40, 1e-40),
        (-1e-9, -1e-9),
    ],
    "sin": [
        (INF, NAN),
        (-INF, NAN),
        (0.0, 0.0),
        (-0.0, -0.0),
        (1e10, NAN),
        (-1e10, NAN),
        (1e-40, 1e-40),
    ],
    "cos": [(INF, NAN), (-INF, NAN), (0.0, 1.0), (-0.0, 1.0), (1e10, NAN), (-1e10, NAN)],
    "sigmoid": [(INF, 1.0), (-INF, 0.0), (0.0, 0.5), (-0.0, 0.5), (50.0, 1.0), (-1e5, 0.0)],
    "expm1": [
        (INF, INF),
        (-INF, -1.0),
        (0.0, 0.0),
        (-0.0, -0.0),
        (1e-40, 1e-40),
        (-1e3, -1.0),
        (1e5, INF),
    ],
    "log1p": [
        (INF, INF),
        (-INF, NAN),
        (-1.0, -INF),
        (-2.0, NAN),
        (0.0, 0.0),
        (-0.0, -0.0),
        (-1e-40, -1e-40),
    ],
    "softplus": [(INF, INF), (-INF, 0.0), (50.0, 50.0), (1e30, 1e30), (-1e5, 0.0)],
    "exprel": [(INF, INF), (-INF, 0.0), (0.0, 1.0), (-0.0, 1.0), (1e-40, 1.0), (1e5, INF)],
}


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_edges(name, dtype, flags):
    x, expected = np.array([(NAN, NAN), (-NAN, NAN), *EDGES[name]], dtype).T
    y = call(name, x, flags)
    np.testing.assert_array_equal(y, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_falls_to_zero_through_the_subnormals(dtype):
    """Monotone, and within one unit of the smallest number."""
    low, high = {"float64": (-745.5, -708.0), "float32": (-104.5, -87.0)}[dtype]
    x = np.linspace(low, high, 200_001).astype(dtype)
    y = call("exp", x)
    assert np.all(np.diff(y) >= 0)
    assert y[0] == 0 and 0 < np.count_nonzero(y < np.finfo(dtype).tiny) < y.size
    error = np.abs(y.astype(np.longdouble) - exact("exp", x))[y < np.finfo(dtype).tiny]
    assert np.max(error / np.finfo(dtype).smallest_subnormal) < 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "sin", "expm1", "log1p"])
def test_small_arguments_come_back(name, dtype):
    """f(x) = x to the last digit, down to the subnormals."""
    x = np.float64(10.0) ** np.arange(-323 if dtype == "float64" else -45, -9 + -8)
    x = np.concatenate([x, -x]).astype(dtype)
    assert call(name, x).tobytes() == x.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "sin"])
def test_odd_functions_are_odd(name, dtype):
    x = samples(name, dtype)
    assert call(name, -x).tobytes() == (-call(name, x)).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_circular_functions_stop_at_their_bound(dtype):
    bound = np.dtype(dtype).type(CIRCLE[dtype])
    beyond = np.nextafter(bound, bound * 2)
    for name in ("sin", "cos"):
        y = call(name, np.array([bound, -bound, beyond, -beyond], dtype))
        np.testing.assert_array_equal(np.isnan(y), [False, False, True, True])


def nearest_to_multiples_of_half_pi(dtype):
    """Arguments closest to multiples of pi/2, where sin or cos lose most digits.

    For x = m 2^e of one binade, |m - k (pi/2) 2^-e| is least where m/k is a convergent of the
    continued fraction of (pi/2) 2^-e.
    """
    digits, low, high = {"float64": (53, -52, -22), "float32": (24, -23, -8)}[dtype]
    found = []
    with mpmath.workdps(80):
        for e in range(low, high):
            rest = mpmath.pi / 2 * mpmath.mpf(2) ** -e
            (m0, k0), (m1, k1) = (1, 0), (int(mpmath.floor(rest)), 1)
            while m1 < 2**digits:
                if m1 >= 2 ** (digits - 1):
                    found.append(float(mpmath.mpf(m1) * mpmath.mpf(2) ** e))
                rest = 1 / (rest - mpmath.floor(rest))
                a = int(mpmath.floor(rest))
                (m0, k0), (m1, k1) = (m1, k1), (a * m1 + m0, a * k1 + k0)
    x = np.array(found)
    return x[x <= CIRCLE[dtype]].astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_circular_functions_next_to_their_zeros(name, dtype):
    """Relative accuracy holds even where all leading digits cancel."""
    x = nearest_to_multiples_of_half_pi(dtype)
    assert x.size > 5
    y = call(name, x)
    eps = float(np.finfo(dtype).eps)
    smallest = 1.0
    for argument, value in zip(x, y):
        truth = exact_mpmath(name, argument)
        smallest = min(smallest, abs(float(truth)))
        assert abs(mpmath.mpf(float(value)) - truth) < MAX_ULP * eps * abs(truth), argument
    assert smallest < {"float64": 1e-15, "float32": 1e-6}[dtype]


# ---- speed --------------------------------------------------------------------------------------


def has_avx2():
    from llvmlite import binding

    chosen = os.environ.get("NUMBA_CPU_NAME", "host")  # another target says nothing of its vectors
    return chosen == "host" and binding.get_host_cpu_features().get("avx2", False)


NEEDS_AVX2 = pytest.mark.skipif(not has_avx2(), reason="vectors too short to be sure of their use")


@NEEDS_AVX2
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_loop_is_vectorised_in_its_own_number_type(name, dtype):
    """The optimised code multiplies vectors of the right type, and calls no C library."""
    call(name, np.ones(1, dtype))
    text = next(iter(dispatcher(name, dtype, "kernel").inspect_llvm().values()))
    own, other = {"float64": ("double", "float"), "float32": ("float", "double")}[dtype]
    assert re.search(rf"fmul [a-z ]*<\d+ x {own}>", text)
    assert not re.search(rf"<\d+ x {other}>", text)
    assert not re.search(r"call [^\n]*@(exp|log|tanh|sin|cos|expm1|log1p)f?\(", text)


# ---- text ---------------------------------------------------------------------------------------


def test_source_holds_what_it_needs_and_nothing_twice():
    import numba

    for name, dtype in itertools.product(NAMES, DTYPES):
        text = elementary.source_of([name], dtype)
        defined = re.findall(r"^(?:def )?(\w+)(?: = |\()", text, re.M)
        assert len(defined) == len(set(defined))
        exec(text, {"np": np, "njit": numba.njit})
        assert text.count("@njit(**ELEMENTARY)") == text.count("\ndef ")
        assert text.endswith(f"{name} = {name}{SUFFIX[dtype]}\n")


def test_source_of_both_libraries_shares_definitions():
    text = source_text.source_of(["fill_normals", "log", "tanh"], np.float32)
    assert text.count("def _log_join_f32(") == 1
    assert "_f64" not in text


def test_a_local_variable_is_not_taken_for_a_library_name():
    """`sign` is a variable of tanh and a function elsewhere in the library."""
    assert "def sign(" not in elementary.source_of(["tanh"], "float64")


@pytest.mark.parametrize(
    ("names", "dtype", "message"),
    [
        (["tanhh"], "float64", "did you mean 'tanh'"),
        (["tanh"], "int32", "`dtype` must be float64 or float32; got int32"),
    ],
)
def test_source_of_rejects(names, dtype, message):
    with pytest.raises(ValueError, match=message):
        elementary.source_of(names, dtype)
