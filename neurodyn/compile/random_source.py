"""Counter-based random normals, as source text for generated kernels.

Philox4x32-10 (J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as
easy as 1, 2, 3", SC 2011) is a keyed bijection of 128-bit counters: a random number is a function
of the place where it is used, and there is no state to keep, split or save. The key is the trial's;
the counter is (block of units, step mod 2^32, step div 2^32, stream), the stream being the number
of the noise variable. So a number depends on its trial's key, step, stream, unit and number type,
and on nothing else: not on the batch or its split, the thread, or how many units there are.

Normals come from pairs of uniforms by G. E. P. Box and M. E. Muller, Ann. Math. Stat. 29:610
(1958). In float32 the four words of a block give units 4j to 4j + 3, one word a uniform; in float64
they give units 2j and 2j + 1, two words a uniform. The radius is sqrt(-2 log u) of the middle u of
one of 2^31 (float32) or 2^64 (float64) equal parts of (0, 1], rounded to the number type: so it
reaches 6.66 and 9.49, and only what a pair exceeds with probability 2^-32 or 2^-65 is missing.

The functions are copied into generated modules, as `neurodyn.compile.elementary` explains. They
loop over *lanes*, blocks of units of consecutive trials, in chunks of `LANES`: two units in five
hundred trials vectorise as a thousand units in one trial do. Words of 32 bits are held in 64-bit
lanes, where their product is one instruction. Indices are unsigned, because for a signed one numba
allows for counting from the end, and the loop does not vectorise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from neurodyn.compile.elementary_f32 import (
    _BIAS_F32,
    _INT_1_F32,
    _SIGN_F32,
    _ZERO_F32,
    _log_join_f32,
    _log_split_f32,
)
from neurodyn.compile.elementary_f64 import _BIAS_F64, _log_join_f64, _log_split_f64

#: Names of the functions, each with its version for a number type.
FUNCTIONS = {"fill_normals": {"float64": "fill_normals_f64", "float32": "fill_normals_f32"}}

#: Lanes of one chunk: what they need stays in the first-level cache.
LANES = 256

#: Flags of the functions with loops, which are called rather than inlined.
LOOP = {
    "fastmath": {"contract"},
    "error_model": "numpy",
    "boundscheck": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

#: Functions that take other flags than `neurodyn.compile.elementary.ELEMENTARY`.
FLAGS = {"fill_normals_f64": "LOOP", "fill_normals_f32": "LOOP"}


def source_of(names: Iterable[str], dtype: str | np.dtype | type) -> str:
    """Source text of random functions in one number type, for a generated module.

    Parameters
    ----------
    names : iterable of str
        Names from `FUNCTIONS`: ``["fill_normals"]``.
    dtype : {"float64", "float32"} or NumPy dtype
        Number type of the normals.

    Returns
    -------
    str
        As `neurodyn.compile.elementary.source_of`; the text also needs ``math``. For one module
        with functions of both kinds use `neurodyn.compile.source_text.source_of`, which gives what
        they share once.

    Raises
    ------
    ValueError
        If a name or the dtype is unknown.
    """
    from neurodyn.compile import source_text

    return source_text.of_functions(FUNCTIONS, names, dtype)


def normals_scratch(dtype: str | np.dtype | type) -> tuple[np.ndarray, np.ndarray]:
    """New scratch arrays for ``fill_normals`` in one number type; each thread needs its own.

    Their size, 11 KiB, does not depend on the number of units or trials.

    Parameters
    ----------
    dtype : {"float64", "float32"} or NumPy dtype

    Returns
    -------
    lanes : np.ndarray
        Block, low and high word of the key for each lane: (3, LANES) int64 for float64; for
        float32 after four rows of words, (7, LANES) int32.
    results : np.ndarray
        Normals in the order of the units: (2 LANES,) float64 or (4 LANES,) float32.
    """
    if np.dtype(dtype) == np.float32:
        return np.zeros((7, LANES), np.int32), np.zeros(4 * LANES, np.float32)
    return np.zeros((3, LANES), np.int64), np.zeros(2 * LANES, np.float64)


def philox4x32(counter: Sequence[int], key: Sequence[int]) -> np.ndarray:
    """Four random words of one counter and key, for the known-answer test.

    Parameters
    ----------
    counter : sequence of four int
        Words of the counter, each in [0, 2^32), the lowest first.
    key : sequence of two int
        Words of the key.

    Returns
    -------
    np.ndarray
        (4,) uint32.
    """
    words = _philox(*(np.uint64(c) for c in counter), *(np.uint64(k) for k in key))
    return np.array(words, np.uint32)


# ---- words --------------------------------------------------------------------------------------

_WORD = np.uint64(0xFFFFFFFF)
_HALF_WORD = np.uint64(32)
_PHILOX_M0 = np.uint64(0xD2511F53)
_PHILOX_M1 = np.uint64(0xCD9E8D57)
_PHILOX_W0 = np.uint64(0x9E3779B9)
_PHILOX_W1 = np.uint64(0xBB67AE85)


def _philox(c0, c1, c2, c3, k0, k1):
    """Ten rounds of Philox4x32 on words in uint64, whose high halves are rubbish in between."""
    for _ in range(10):
        p = _PHILOX_M0 * (c0 & _WORD)
        q = _PHILOX_M1 * (c2 & _WORD)
        c0 = (q >> _HALF_WORD) ^ c1 ^ k0
        c2 = (p >> _HALF_WORD) ^ c3 ^ k1
        c1 = q
        c3 = p
        k0 = k0 + _PHILOX_W0
        k1 = k1 + _PHILOX_W1
    return c0 & _WORD, c1 & _WORD, c2 & _WORD, c3 & _WORD


# ---- two words, or four, to two normals ---------------------------------------------------------

_TURN_SIN_F32 = (  # sin(pi t)/t in t^2 for |t| <= 1/2, error of the sine below 2^-26
    np.float32(3.1415925), np.float32(-5.167702), np.float32(2.5499578), np.float32(-0.5976254),
    np.float32(0.076433726),
)  # fmt: skip
_TURN_COS_F32 = (  # cos(pi t) in t^2, error below 2^-29
    np.float32(1.0), np.float32(-4.934802), np.float32(4.0587053), np.float32(-1.3351616),
    np.float32(0.23468375), np.float32(-0.023963796),
)  # fmt: skip
_TURN_SIN_F64 = (  # error of the sine below 2^-57
    3.141592653589793, -5.167712780049946, 2.5501640398759955, -0.5992645292861482,
    0.08214588613594011, -0.00737042720041247, 0.00046628558238156635, -2.1870976247905384e-05,
    7.391884938063489e-07,
)  # fmt: skip
_TURN_COS_F64 = (  # error below 2^-60
    1.0, -4.934802200544679, 4.058712126416728, -1.3352627688527907, 0.23533063032027318,
    -0.025806890930228782, 0.0019295711085078123, -0.00010462509616576868, 4.274212080104527e-06,
    -1.1062714333350847e-07,
)  # fmt: skip
_MINUS_2_F32 = np.float32(-2.0)
_UNIT_31_F32 = np.float32(2.0**-31)
_UNIT_32_F32 = np.float32(2.0**-32)
_LOW_31_BITS = np.int32(0x7FFFFFFF)
_UNIT_32_F64 = 2.0**-32
_UNIT_64_F64 = 2.0**-64
_UNIT_65_F64 = 2.0**-65
_TWO_52_F64 = 2.0**52
_EXPONENT_OF_TWO_52 = np.uint64(0x4330000000000000)
_EXPONENT_OF_ONE = np.uint64(0x3FF0000000000000)
_LEFT_20 = np.uint64(20)
_RIGHT_12 = np.uint64(12)
_LEFT_63 = np.uint64(63)


def _normal_pair_f32(radial, angular):
    """Two normals from two words (int32)."""
    u = np.float32(np.int32(radial & _LOW_31_BITS)) * _UNIT_31_F32 + _UNIT_32_F32
    n, f = _log_split_f32(u)
    radius = math.sqrt(_MINUS_2_F32 * _log_join_f32(n - _BIAS_F32, f, _ZERO_F32))
    # 31 bits for half a turn; the highest bit is the sign of the cosine
    t = np.float32(np.int32(angular << _INT_1_F32)) * _UNIT_32_F32
    z = t * t
    c = _TURN_SIN_F32
    q = c[4] * z + c[3]
    q = q * z + c[2]
    q = q * z + c[1]
    sine = t * (q * z + c[0])
    c = _TURN_COS_F32
    q = c[5] * z + c[4]
    q = q * z + c[3]
    q = q * z + c[2]
    q = q * z + c[1]
    cosine = np.float32(q * z + c[0]).view(np.int32)
    cosine = np.int32(cosine ^ np.int32(angular & _SIGN_F32)).view(np.float32)
    return np.float32(radius * cosine), np.float32(radius * sine)


def _normal_pair_f64(w0, w1, w2, w3):
    """Two normals from four words (in uint64)."""
    high = np.int64(w0 | _EXPONENT_OF_TWO_52).view(np.float64) - _TWO_52_F64
    low = np.int64(w1 | _EXPONENT_OF_TWO_52).view(np.float64) - _TWO_52_F64
    n, f = _log_split_f64(high * _UNIT_32_F64 + (low * _UNIT_64_F64 + _UNIT_65_F64))
    radius = math.sqrt(-2.0 * _log_join_f64(n - _BIAS_F64, f, 0.0))
    # 52 bits for half a turn; the lowest bit, not among them, is the sign of the cosine
    t = np.int64((w2 << _LEFT_20) | (w3 >> _RIGHT_12) | _EXPONENT_OF_ONE).view(np.float64) - 1.5
    z = t * t
    c = _TURN_SIN_F64
    q = c[8] * z + c[7]
    q = q * z + c[6]
    q = q * z + c[5]
    q = q * z + c[4]
    q = q * z + c[3]
    q = q * z + c[2]
    q = q * z + c[1]
    sine = t * (q * z + c[0])
    c = _TURN_COS_F64
    q = c[9] * z + c[8]
    q = q * z + c[7]
    q = q * z + c[6]
    q = q * z + c[5]
    q = q * z + c[4]
    q = q * z + c[3]
    q = q * z + c[2]
    q = q * z + c[1]
    cosine = np.float64(q * z + c[0]).view(np.int64)
    cosine = np.int64(cosine ^ np.int64(w3 << _LEFT_63)).view(np.float64)
    return radius * cosine, radius * sine


# ---- arrays -------------------------------------------------------------------------------------

_INDEX_0 = np.uint64(0)
_INDEX_1 = np.uint64(1)
_INDEX_2 = np.uint64(2)
_INDEX_3 = np.uint64(3)
_INDEX_4 = np.uint64(4)
_VECTOR = np.uint64(15)
_LANES = np.uint64(LANES)


def fill_normals_f32(out, keys, step, stream, scratch):
    """Fill ``out`` (trial, unit) float32 with standard normals.

    ``keys`` (trial, 2) uint32, one key a trial; ``step`` and ``stream`` integers, the step of the
    run and the number of the noise variable; ``scratch`` from `normals_scratch`, overwritten.
    """
    lanes, results = scratch
    trials = np.uint64(out.shape[0])
    units = np.uint64(out.shape[1])
    blocks = (units + _INDEX_3) // _INDEX_4
    step_low = np.uint64(step) & _WORD
    step_high = np.uint64(step) >> _HALF_WORD
    line = np.uint64(stream) & _WORD
    trial = _INDEX_0
    block = _INDEX_0
    while trial < trials:
        first_trial = trial
        first_block = block
        # the blocks of this chunk, in runs of one trial each
        m = _INDEX_0
        while trial < trials and m < _LANES:
            run = blocks - block if blocks - block < _LANES - m else _LANES - m
            key_low = np.int32(keys[trial, 0])
            key_high = np.int32(keys[trial, 1])
            for i in range(run):
                lanes[4, m + i] = np.int32(block + i)
                lanes[5, m + i] = key_low
                lanes[6, m + i] = key_high
            m += run
            block += run
            if block == blocks:
                block = _INDEX_0
                trial += _INDEX_1
        # whole vectors: the lanes past the end hold old numbers, and go nowhere
        m = (m + _VECTOR) & ~_VECTOR
        for i in range(m):
            w0, w1, w2, w3 = _philox(
                np.uint64(lanes[4, i]), step_low, step_high, line,
                np.uint64(lanes[5, i]), np.uint64(lanes[6, i]),
            )  # fmt: skip
            lanes[0, i] = np.int32(w0)
            lanes[1, i] = np.int32(w1)
            lanes[2, i] = np.int32(w2)
            lanes[3, i] = np.int32(w3)
        for i in range(m):
            x0, x1 = _normal_pair_f32(lanes[0, i], lanes[1, i])
            x2, x3 = _normal_pair_f32(lanes[2, i], lanes[3, i])
            results[_INDEX_4 * i] = x0
            results[_INDEX_4 * i + _INDEX_1] = x1
            results[_INDEX_4 * i + _INDEX_2] = x2
            results[_INDEX_4 * i + _INDEX_3] = x3
        # the same runs again, to their places
        trial = first_trial
        block = first_block
        m = _INDEX_0
        while trial < trials and m < _LANES:
            run = blocks - block if blocks - block < _LANES - m else _LANES - m
            first = _INDEX_4 * block
            count = _INDEX_4 * run if first + _INDEX_4 * run < units else units - first
            for i in range(count):
                out[trial, first + i] = results[_INDEX_4 * m + i]
            m += run
            block += run
            if block == blocks:
                block = _INDEX_0
                trial += _INDEX_1


def fill_normals_f64(out, keys, step, stream, scratch):
    """Fill ``out`` (trial, unit) float64 with standard normals.

    ``keys`` (trial, 2) uint32, one key a trial; ``step`` and ``stream`` integers, the step of the
    run and the number of the noise variable; ``scratch`` from `normals_scratch`, overwritten.
    """
    lanes, results = scratch
    trials = np.uint64(out.shape[0])
    units = np.uint64(out.shape[1])
    blocks = (units + _INDEX_1) // _INDEX_2
    step_low = np.uint64(step) & _WORD
    step_high = np.uint64(step) >> _HALF_WORD
    line = np.uint64(stream) & _WORD
    trial = _INDEX_0
    block = _INDEX_0
    while trial < trials:
        first_trial = trial
        first_block = block
        m = _INDEX_0
        while trial < trials and m < _LANES:
            run = blocks - block if blocks - block < _LANES - m else _LANES - m
            key_low = np.int64(keys[trial, 0])
            key_high = np.int64(keys[trial, 1])
            for i in range(run):
                lanes[0, m + i] = np.int64(block + i)
                lanes[1, m + i] = key_low
                lanes[2, m + i] = key_high
            m += run
            block += run
            if block == blocks:
                block = _INDEX_0
                trial += _INDEX_1
        m = (m + _VECTOR) & ~_VECTOR
        for i in range(m):
            w0, w1, w2, w3 = _philox(
                np.uint64(lanes[0, i]), step_low, step_high, line,
                np.uint64(lanes[1, i]), np.uint64(lanes[2, i]),
            )  # fmt: skip
            x0, x1 = _normal_pair_f64(w0, w1, w2, w3)
            results[_INDEX_2 * i] = x0
            results[_INDEX_2 * i + _INDEX_1] = x1
        trial = first_trial
        block = first_block
        m = _INDEX_0
        while trial < trials and m < _LANES:
            run = blocks - block if blocks - block < _LANES - m else _LANES - m
            first = _INDEX_2 * block
            count = _INDEX_2 * run if first + _INDEX_2 * run < units else units - first
            for i in range(count):
                out[trial, first + i] = results[_INDEX_2 * m + i]
            m += run
            block += run
            if block == blocks:
                block = _INDEX_0
                trial += _INDEX_1
