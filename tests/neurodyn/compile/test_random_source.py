"""The random normals: Philox against known answers, the normals against an independent twin.

Statistical tolerances are five standard errors, with fixed seeds.
"""

import functools
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from neurodyn.compile import random_source, source_text

DTYPES = ("float64", "float32")
WORD = 2**32


@functools.lru_cache
def compiled(dtype, fastmath=False):
    """The fill function of a generated module, called from a kernel as generated ones call it."""
    import numba

    namespace = {"np": np, "math": math, "njit": numba.njit}
    exec(random_source.source_of(["fill_normals"], dtype), namespace)
    text = (
        "def kernel(out, keys, step, stream, scratch):\n"
        "    fill_normals(out, keys, step, stream, scratch)\n"
    )
    exec(text, namespace)
    flags = True if fastmath else {"contract", "nsz", "arcp"}
    return numba.njit(fastmath=flags, error_model="numpy")(namespace["kernel"])


def normals(dtype, keys, units, step=0, stream=0, fastmath=False):
    keys = np.atleast_2d(np.asarray(keys, np.uint32))
    out = np.full((len(keys), units), np.nan, dtype)
    scratch = random_source.normals_scratch(dtype)
    compiled(dtype, fastmath)(out, keys, step, stream, scratch)
    return out


def some_keys(n, seed=0):
    return np.random.default_rng(seed).integers(0, WORD, (n, 2), dtype=np.uint32)


# ---- words --------------------------------------------------------------------------------------


def philox_naive(counter, key):
    """Philox4x32-10 in Python's integers, from the equations of Salmon et al. (2011), sec. 3.3."""
    c = list(counter)
    k = list(key)
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], WORD)
        high1, low1 = divmod(0xCD9E8D57 * c[2], WORD)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) % WORD, (k[1] + 0xBB67AE85) % WORD]
    return c


# from kat_vectors of the Random123 library, philox4x32 with 10 rounds
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((WORD - 1,) * 4, (WORD - 1,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(counter, key, words):
    words = [int(w, 16) for w in words.split()]
    assert random_source.philox4x32(counter, key).tolist() == words
    assert philox_naive(counter, key) == words


def test_philox_agrees_with_plain_integers():
    rng = np.random.default_rng(3)
    for row in rng.integers(0, WORD, (200, 6)).tolist():
        assert random_source.philox4x32(row[:4], row[4:]).tolist() == philox_naive(row[:4], row[4:])


# ---- from words to normals ----------------------------------------------------------------------


def twin(dtype, key, units, step, stream):
    """The same numbers in Python's integers and the C library, one unit after the other."""
    found = []
    per_block = {"float32": 4, "float64": 2}[dtype]
    for block in range(-(-units // per_block)):
        counter = (block, step % WORD, step // WORD, stream)
        words = philox_naive(counter, [int(k) for k in key])
        if dtype == "float32":
            for radial, angular in (words[:2], words[2:]):
                u = ((radial % 2**31) + 0.5) / 2**31
                found += box_muller(u, angular % 2**31 / 2**31, angular >> 31)
        else:
            u = (words[0] * WORD + words[1] + 0.5) / WORD**2
            fraction = ((words[2] * WORD + words[3]) >> 12) / 2**52 - 0.5
            found += box_muller(u, fraction, words[3] & 1)
    return np.array(found[:units])


def box_muller(u, half_turns, flip):
    """Half turns in [-1/2, 1/2) or, with the same sine and cosine up to a sign, [0, 1)."""
    half_turns -= round(half_turns)
    radius = math.sqrt(-2 * math.log(u))
    sign = -1 if flip else 1
    return [
        sign * radius * math.cos(math.pi * half_turns),
        radius * math.sin(math.pi * half_turns),
    ]


@pytest.mark.parametrize("fastmath", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("units", "step", "stream"), [(1, 0, 0), (7, 5, 1), (1030, 2**32 + 3, 2), (3, 2**40 - 1, 9)]
)
def test_normals_are_those_of_the_twin(dtype, units, step, stream, fastmath):
    keys = some_keys(3)
    out = normals(dtype, keys, units, step, stream, fastmath)
    expected = np.array([twin(dtype, key, units, step, stream) for key in keys])
    tolerance = {"float64": 4e-15, "float32": 2e-6}[dtype]
    np.testing.assert_allclose(out, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_undecorated_function_agrees(dtype):
    keys = some_keys(2)
    out = np.empty((2, 9), dtype)
    fill = getattr(random_source, random_source.FUNCTIONS["fill_normals"][dtype])
    with np.errstate(over="ignore"):
        fill(out, keys, np.int64(12), np.int64(1), random_source.normals_scratch(dtype))
    tolerance = {"float64": 4e-15, "float32": 2e-6}[dtype]
    np.testing.assert_allclose(out, normals(dtype, keys, 9, 12, 1), rtol=0, atol=tolerance)


def test_ends_of_the_uniforms():
    """The smallest uniform is half a step, the largest is 1: finite normals, at the stated ends."""
    zero, ones = np.int32(0), np.int32(2**31 - 1)
    largest = float(random_source._normal_pair_f32(zero, zero)[0])
    assert largest == pytest.approx(math.sqrt(64 * math.log(2)), rel=1e-6)
    assert np.all(np.array(random_source._normal_pair_f32(ones, zero)) == 0)
    w0, w1 = np.uint64(0), np.uint64(WORD - 1)
    _, largest = random_source._normal_pair_f64(w0, w0, w0, w0)
    assert abs(largest) == pytest.approx(math.sqrt(130 * math.log(2)), rel=1e-14)
    assert np.all(np.array(random_source._normal_pair_f64(w1, w1, w0, w0)) == 0)


# ---- what a number depends on -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [1, 2, 3, 5, 64, 511, 1026])
def test_rows_do_not_depend_on_their_batch(dtype, units):
    """Rows of a batch equal the rows alone, and any split of the batch, byte for byte."""
    keys = some_keys(23)
    together = normals(dtype, keys, units, step=4, stream=2)
    alone = np.concatenate([normals(dtype, key, units, step=4, stream=2) for key in keys])
    assert together.tobytes() == alone.tobytes()
    parts = [normals(dtype, keys[i : i + 7], units, step=4, stream=2) for i in range(0, 23, 7)]
    assert together.tobytes() == np.concatenate(parts).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_units_do_not_depend_on_their_number(dtype):
    keys = some_keys(5)
    many = normals(dtype, keys, 2100)
    for units in (1, 3, 10, 1025):
        assert normals(dtype, keys, units).tobytes() == many[:, :units].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_used_scratch_changes_nothing(dtype):
    scratch = random_source.normals_scratch(dtype)
    kernel, keys = compiled(dtype), some_keys(3)
    first, again = np.empty((3, 70), dtype), np.empty((3, 70), dtype)
    kernel(first, keys, 1, 0, scratch)
    kernel(np.empty((3, 1500), dtype), keys, 2, 0, scratch)
    kernel(again, keys, 1, 0, scratch)
    assert first.tobytes() == again.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_arrays_are_left_alone(dtype):
    assert normals(dtype, some_keys(3), 0).shape == (3, 0)
    assert normals(dtype, np.empty((0, 2)), 3).shape == (0, 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_correlation_between_places(dtype):
    """Neighbouring trials, steps (also across 2^32), streams and units, and their squares."""
    n = 60_000
    key = some_keys(1)[0]
    base = normals(dtype, key, n)[0].astype(float)
    others = {
        "unit": np.roll(base, 1),
        "unit of the same pair": base.reshape(-1, 2)[:, ::-1].ravel(),
        "two units on": np.roll(base, 2),
        "four units on": np.roll(base, 4),
        "stream": normals(dtype, key, n, stream=1)[0],
        "step": normals(dtype, key, n, step=1)[0],
        "step + 2^32": normals(dtype, key, n, step=2**32)[0],
        "trial": normals(dtype, key + np.array([1, 0], np.uint32), n)[0],
        "trial, high word": normals(dtype, key + np.array([0, 1], np.uint32), n)[0],
    }
    for name, other in others.items():
        other = other.astype(float)
        # the variance of z^2 is 2, of |z| is 1 - 2/pi
        assert abs(np.mean(base * other)) < 5 / math.sqrt(n), name
        assert abs(np.mean((base**2 - 1) * (other**2 - 1))) < 5 * 2 / math.sqrt(n), name
        assert abs(np.mean(base * (other**2 - 1))) < 5 * math.sqrt(2 / n), name
        assert np.count_nonzero(base == other) < 10, name


# ---- distribution -------------------------------------------------------------------------------


@functools.lru_cache
def sample(dtype, n_steps=40):
    """Two million numbers: 50 trials, 1001 units, 40 steps."""
    keys = some_keys(50, seed=1)
    return np.concatenate([normals(dtype, keys, 1001, step=s).ravel() for s in range(n_steps)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_moments(dtype):
    """Moments of order 1 to 6 against 0, 1, 0, 3, 0, 15."""
    x = sample(dtype).astype(float)
    for order in range(1, 7):
        moment = 0 if order % 2 else math.prod(range(order - 1, 0, -2))
        variance = math.prod(range(2 * order - 1, 0, -2)) - moment**2
        error = abs(np.mean(x**order) - moment)
        assert error < 5 * math.sqrt(variance / x.size), order


@pytest.mark.parametrize("dtype", DTYPES)
def test_distribution(dtype):
    """Kolmogorov-Smirnov, at the level of five standard errors."""
    x = sample(dtype)
    statistic, p = stats.kstest(x.astype(float), "norm", method="asymp")
    assert p > 2 * stats.norm.sf(5), statistic


@pytest.mark.parametrize("dtype", DTYPES)
def test_bins_of_equal_probability(dtype):
    """Chi-square over 1000 bins: finds what the largest distance of two cdfs does not."""
    x = sample(dtype).astype(float)
    edges = stats.norm.ppf(np.linspace(0, 1, 1001)[1:-1])
    counts = np.bincount(np.searchsorted(edges, x), minlength=1000)
    statistic = np.sum((counts - x.size / 1000) ** 2) / (x.size / 1000)
    assert abs(statistic - 999) < 5 * math.sqrt(2 * 999)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tails(dtype):
    """Counts beyond 3, 4 and 4.5, on each side; no value beyond the largest possible."""
    x = sample(dtype)
    for bound in (3.0, 4.0, 4.5):
        expected = x.size * stats.norm.sf(bound)
        for side in (x, -x):
            assert abs(np.count_nonzero(side > bound) - expected) < 5 * math.sqrt(expected), bound
    assert np.max(np.abs(x)) < {"float64": 9.5, "float32": 6.67}[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_pairs_fill_the_circle(dtype):
    """Angle and radius of a pair are uniform and independent."""
    pairs = sample(dtype)[: 50 * 1001].reshape(50, 1001)[:, :1000].reshape(-1, 2).astype(float)
    angle = np.arctan2(pairs[:, 0], pairs[:, 1])
    level = np.exp(-0.5 * np.sum(pairs**2, axis=1))
    n = len(pairs)
    assert stats.kstest(angle / (2 * np.pi) + 0.5, "uniform").pvalue > 2 * stats.norm.sf(5)
    assert stats.kstest(level, "uniform").pvalue > 2 * stats.norm.sf(5)
    for harmonic in (1, 2, 4):  # each mean has the variance 1/(2 * 12)
        for wave in (np.sin(harmonic * angle), np.cos(harmonic * angle)):
            assert abs(np.mean(wave * (level - 0.5))) < 5 * math.sqrt(1 / 24 / n)


# ---- compiled code ------------------------------------------------------------------------------


def has_avx2():
    from llvmlite import binding

    chosen = os.environ.get("NUMBA_CPU_NAME", "host")  # another target says nothing of its vectors
    return chosen == "host" and binding.get_host_cpu_features().get("avx2", False)


NEEDS_AVX2 = pytest.mark.skipif(not has_avx2(), reason="vectors too short to be sure of their use")


@NEEDS_AVX2
@pytest.mark.parametrize("dtype", DTYPES)
def test_loops_are_vectorised(dtype):
    normals(dtype, some_keys(1), 4)
    text = next(iter(compiled(dtype).inspect_llvm().values()))
    number = {"float64": "double", "float32": "float"}[dtype]
    assert (
        len(re.findall(r"mul [a-z ]*<\d+ x i64>", text)) >= 18
    )  # two products a round, less those of constants
    assert re.search(rf"@llvm.sqrt.v\d+f{dtype[-2:]}", text)
    assert re.search(rf"fmul [a-z ]*<\d+ x {number}>", text)


BOUNDS_SCRIPT = '''
import math, sys
import numpy as np
from numba import njit
from neurodyn.compile import elementary, random_source, source_text

names = [*elementary.FUNCTIONS, "fill_normals"]
kernels = """
@njit
def loop(x, y):
    for i in range(x.size):
        y[i] = tanh(x[i]) + sin(x[i])

@njit
def fill(*arguments):
    fill_normals(*arguments)
"""
for dtype in ("float64", "float32"):
    space = {"math": math, "np": np, "njit": njit}
    exec(source_text.source_of(names, dtype) + kernels, space)
    x = np.linspace(-3, 3, 11).astype(dtype)
    space["loop"](x, np.empty_like(x))
    scratch = random_source.normals_scratch(dtype)
    total = 0.0
    for units in (1, 2, 3, 5, 511, 1023, 2050):
        out = np.full((3, units), np.nan, dtype)
        space["fill"](out, np.arange(6, dtype=np.uint32).reshape(3, 2), 7, 1, scratch)
        total += float(out.sum(dtype=np.float64))
    print(repr(total))
    try:
        space["fill"](out, np.zeros((2, 2), np.uint32), 7, 1, scratch)
    except IndexError:
        print("checked")
'''


def test_no_index_out_of_bounds():
    """With checks on, the same numbers and no error, and missing keys are noticed."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BOUNDS_SCRIPT], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split()
    assert lines[1::2] == ["checked", "checked"]
    keys = np.arange(6).reshape(3, 2)
    for dtype, total in zip(DTYPES, lines[::2]):
        expected = sum(
            float(normals(dtype, keys, units, 7, 1).sum(dtype=np.float64))
            for units in (1, 2, 3, 5, 511, 1023, 2050)
        )
        assert float(total) == pytest.approx(expected, abs=1e-4)


def test_source_is_self_contained():
    text = source_text.source_of(["fill_normals"], "float32")
    assert "_f64" not in text
    assert text.count("def fill_normals_f32(") == 1
    with pytest.raises(ValueError, match="did you mean 'fill_normals'"):
        random_source.source_of(["fill_normal"], "float32")
