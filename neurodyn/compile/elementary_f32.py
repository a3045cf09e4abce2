"""Elementary functions in float32; see `neurodyn.compile.elementary` for what they promise.

No Python float and no uncast integer may meet a float32 or an int32 here: numba would promote the
rest of the expression to 64 bits. The forms are those of the float64 versions; where a comment is
missing, theirs holds.
"""

import numpy as np

# ---- exponentials -------------------------------------------------------------------------------

_ZERO_F32 = np.float32(0.0)
_HALF_F32 = np.float32(0.5)
_ONE_F32 = np.float32(1.0)
_TWO_F32 = np.float32(2.0)
_INF_F32 = np.float32(np.inf)
_NAN_F32 = np.float32(np.nan)
_ROUND_F32 = np.float32(1.5 * 2.0**23)
_ONE_SCALE_F32 = np.float32(1.5 * 2.0**23 + 127.0)
_DOWN_SCALE_F32 = np.float32(1.5 * 2.0**23 + 127.0 - 24.0)
_TWO_SCALES_F32 = np.float32(1.5 * 2.0**23 + 2.0 * 127.0)
_SHIFT_F32 = np.int32(23)
_INT_1_F32 = np.int32(1)
_ONE_BITS_F32 = np.int32(0x3F800000)
_SIGN_F32 = np.int32(-0x80000000)
_TINY_F32 = np.float32(2.0**-25)
_LOG2_E_F32 = np.float32(1.4426950408889634)
_LN2_F32 = (np.float32(0.693145751953125), np.float32(1.4286068e-06))  # 15 bits; the rest
_EXP_F32 = (  # error of e^r below 2^-28
    np.float32(0.49999994), np.float32(0.16666521), np.float32(0.04166826),
    np.float32(0.008368668), np.float32(0.0013821304),
)  # fmt: skip
_EXPM1_F32 = (  # error relative to e^r - 1 below 2^-31
    np.float32(0.5), np.float32(0.16666667), np.float32(0.04166649), np.float32(0.008333205),
    np.float32(0.0013932661), np.float32(1.9946769e-04),
)  # fmt: skip
_TANH_MAX_F32 = np.float32(10.0)
_EXP_MAX_F32 = np.float32(89.0)
_EXP_MIN_F32 = np.float32(-104.0)


def _exp_parts_f32(x, rounding):
    """For x = n ln(2) + r, |r| <= ln(2)/2: bits with n + bias in the lowest, and e^r - 1."""
    t = x * _LOG2_E_F32 + rounding
    n = t - rounding
    r = (x - n * _LN2_F32[0]) - n * _LN2_F32[1]
    c = _EXP_F32
    z = r * r
    q = (c[3] * r + c[2]) + c[4] * z
    return np.float32(t).view(np.int32), r + z * (q * z + (c[1] * r + c[0]))


def exp_f32(x):
    """e^x."""
    y = _EXP_MAX_F32 if x > _EXP_MAX_F32 else x
    y = _EXP_MIN_F32 if y < _EXP_MIN_F32 else y
    k, fraction = _exp_parts_f32(y, _TWO_SCALES_F32)
    k1 = np.int32(k >> _INT_1_F32)
    first = np.int32(k1 << _SHIFT_F32).view(np.float32)
    second = np.int32(np.int32(k - k1) << _SHIFT_F32).view(np.float32)
    return (first + fraction * first) * second


def tanh_f32(x):
    """Hyperbolic tangent, E/(E + 2) with E = e^2x - 1: one polynomial, 2.6 ulp at most.

    The two-part form of the float64 version has 1.4 ulp and takes 1.3 times as long.
    """
    a = abs(x)
    b = _TANH_MAX_F32 if a > _TANH_MAX_F32 else a
    k, fraction = _exp_parts_f32(b + b, _ONE_SCALE_F32)
    scale = np.int32(k << _SHIFT_F32).view(np.float32)
    e = scale * fraction + (scale - _ONE_F32)
    y = e / (e + _TWO_F32)
    sign = np.int32(np.float32(x).view(np.int32) & _SIGN_F32)
    return np.int32(np.float32(y).view(np.int32) | sign).view(np.float32)


_DOWN_F32 = np.float32(2.0**-24)  # 1 + e^x and e^x - 1 are kept times this, inside the range
_UP_F32 = np.float32(2.0**24)
_EXPM1_MIN_F32 = np.float32(-20.0)
_EXPREL_MAX_F32 = np.float32(95.0)


def sigmoid_f32(x):
    """1/(1 + e^-x), by g = 1/(1 + e^|x|): g for negative x, 1 - g for positive."""
    a = abs(x)
    a = -_EXP_MIN_F32 if a > -_EXP_MIN_F32 else a
    k, fraction = _exp_parts_f32(a, _DOWN_SCALE_F32)
    scale = np.int32(k << _SHIFT_F32).view(np.float32)
    power = scale + fraction * scale
    d = _DOWN_F32 + power
    rest = (_DOWN_F32 - (d - power)) + (fraction * scale - (power - scale))
    g = _ONE_F32 / d
    g = (g - g * (g * rest)) * _DOWN_F32
    return g if x < _ZERO_F32 else _ONE_F32 - g


def _expm1_scaled_f32(x):
    """2^-24 (e^x - 1) for -20 <= x <= 95."""
    t = x * _LOG2_E_F32 + _DOWN_SCALE_F32
    n = t - _DOWN_SCALE_F32
    high = x - n * _LN2_F32[0]
    low = n * _LN2_F32[1]
    r = high - low
    e = (high - r) - low
    c = _EXPM1_F32
    q = c[5] * r + c[4]
    q = q * r + c[3]
    q = q * r + c[2]
    q = q * r + c[1]
    q = q * r + c[0]
    k = np.float32(t).view(np.int32)
    scale = np.int32(k << _SHIFT_F32).view(np.float32)
    base = scale - _DOWN_F32
    y = base + scale * r
    rest = (scale * r - (y - base)) + ((scale - base) - _DOWN_F32)
    return y + (rest + scale * (e + r * r * q))


def expm1_f32(x):
    """e^x - 1."""
    y = _EXP_MAX_F32 if x > _EXP_MAX_F32 else x
    y = _EXPM1_MIN_F32 if y < _EXPM1_MIN_F32 else y
    y = _expm1_scaled_f32(y) * _UP_F32
    return x if abs(x) < _TINY_F32 else y


def exprel_f32(x):
    """(e^x - 1)/x, and 1 at 0; finite up to x = 93.2, beyond the range of e^x."""
    d = _EXPREL_MAX_F32 if x > _EXPREL_MAX_F32 else x
    y = _expm1_scaled_f32(_EXPM1_MIN_F32 if d < _EXPM1_MIN_F32 else d)
    # scaled up before the division, which a subnormal would spoil, or after it, where it overflows
    is_small = x < _ONE_F32
    y = (y * _UP_F32 if is_small else y) / d
    y = y if is_small else y * _UP_F32
    return _ONE_F32 if abs(x) < _TINY_F32 else y


# ---- logarithms ---------------------------------------------------------------------------------

_MIN_NORMAL_F32 = np.float32(2.0**-126)
_TWO_24_F32 = np.float32(2.0**24)
_MANTISSA_F32 = np.int32(0x007FFFFF)
_SQRT_HALF_F32 = np.int32(0x3F3504F3)
_BIAS_F32 = np.float32(127.0)
_BIAS_SMALL_F32 = np.float32(127.0 + 24.0)
_LARGE_T_F32 = np.float32(0.41)
_LOG_F32 = (np.float32(0.66666776), np.float32(0.39977583), np.float32(0.29870796))  # 2^-29


def _log_split_f32(x):
    """Biased exponent n + 127 and f of x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)."""
    k = np.int32(np.float32(x).view(np.int32) + np.int32(_ONE_BITS_F32 - _SQRT_HALF_F32))
    m = np.int32(np.int32(k & _MANTISSA_F32) + _SQRT_HALF_F32).view(np.float32)
    return np.float32(np.int32(k >> _SHIFT_F32)), m - _ONE_F32


def _log_join_f32(n, f, e):
    """n ln(2) + log(1 + f) + e, for an e of the size of a rounding error."""
    s = f / (_TWO_F32 + f)
    z = s * s
    c = _LOG_F32
    q = (c[2] * z + c[1]) * z + c[0]
    h = _HALF_F32 * f * f
    low = s * (h + z * q) + (n * _LN2_F32[1] + e)
    return n * _LN2_F32[0] - ((h - low) - f)


def log_f32(x):
    """Natural logarithm."""
    small = x < _MIN_NORMAL_F32
    n, f = _log_split_f32(x * _TWO_24_F32 if small else x)
    y = _log_join_f32(n - (_BIAS_SMALL_F32 if small else _BIAS_F32), f, _ZERO_F32)
    y = y if x < _INF_F32 else x
    y = y if x > _ZERO_F32 else _NAN_F32
    return -_INF_F32 if x == _ZERO_F32 else y


def log1p_f32(x):
    """log(1 + x)."""
    u = _ONE_F32 + x
    high = x if x > _ONE_F32 else _ONE_F32
    low = _ONE_F32 if x > _ONE_F32 else x
    n, f = _log_split_f32(u)
    n = n - _BIAS_F32
    near = n == _ZERO_F32
    e = _ZERO_F32 if near else (low - (u - high)) / u
    y = _log_join_f32(n, x if near else f, e)
    y = y if x < _INF_F32 else x
    y = y if x > -_ONE_F32 else _NAN_F32
    y = -_INF_F32 if x == -_ONE_F32 else y
    return x if abs(x) < _TINY_F32 else y


def softplus_f32(x):
    """log(1 + e^x) = max(x, 0) + log(1 + t), t = e^-|x|; 1 + t is halved where it is large."""
    t = exp_f32(-abs(x))
    large = t > _LARGE_T_F32
    f = _HALF_F32 * t - _HALF_F32 if large else t
    y = _log_join_f32(_ONE_F32 if large else _ZERO_F32, f, _ZERO_F32)
    return (x if x > _ZERO_F32 else _ZERO_F32) + y


# ---- circular functions -------------------------------------------------------------------------

_CIRCLE_F32 = np.float32(5e4)  # the bound of |x|; below, the multiple of pi/2 has 15 bits
_TWO_OVER_PI_F32 = np.float32(0.6366197723675814)
_HALF_PI_F32 = (  # five parts of 9 bits, exact times a multiple, and the rest: 71 bits of pi/2
    np.float32(1.5703125), np.float32(0.00048065185546875), np.float32(3.1739473342895508e-06),
    np.float32(9.89530235528946e-10), np.float32(2.5579538487363607e-12),
    np.float32(5.390302953474238e-15),
)  # fmt: skip
_SIN_F32 = (np.float32(-0.16666655), np.float32(0.008332192), np.float32(-1.9518788e-04))  # 2^-28
_COS_F32 = (np.float32(0.041666646), np.float32(-0.0013887301), np.float32(2.4430681e-05))  # 2^-33
_INT_2_F32 = np.int32(2)
_INT_30_F32 = np.int32(30)


def _circle_f32(a):
    """For a >= 0 the nearest multiple k of pi/2 in the low bits, and sin and cos of a - k pi/2."""
    t = a * _TWO_OVER_PI_F32 + _ROUND_F32
    n = t - _ROUND_F32
    c = _HALF_PI_F32
    # every difference is exact where a lies next to a multiple of pi/2; elsewhere the roundings of
    # the third and fourth are carried along
    high = (a - n * c[0]) - n * c[1]
    part = n * c[2]
    mid = high - part
    part = ((high - mid) - part) - n * c[3]
    r = mid + part
    r = (r + (((mid - r) + part) - n * c[4])) - n * c[5]
    z = r * r
    c = _SIN_F32
    sine = r + r * z * ((c[2] * z + c[1]) * z + c[0])
    c = _COS_F32
    q = (c[2] * z + c[1]) * z + c[0]
    h = _HALF_F32 * z
    w = _ONE_F32 - h
    return np.float32(t).view(np.int32), sine, w + (((_ONE_F32 - w) - h) + z * z * q)


def sin_f32(x):
    """Sine for |x| <= 5e4, nan beyond."""
    a = abs(x)
    k, s, c = _circle_f32(a)
    y = s if np.int32(k & _INT_1_F32) == 0 else c
    turn = np.int32(np.int32(k & _INT_2_F32) << _INT_30_F32)
    sign = np.int32(turn ^ np.int32(np.float32(x).view(np.int32) & _SIGN_F32))
    y = np.int32(np.float32(y).view(np.int32) ^ sign).view(np.float32)
    return y if a <= _CIRCLE_F32 else _NAN_F32


def cos_f32(x):
    """Cosine for |x| <= 5e4, nan beyond."""
    a = abs(x)
    k, s, c = _circle_f32(a)
    y = c if np.int32(k & _INT_1_F32) == 0 else s
    turn = np.int32(np.int32(np.int32(k + _INT_1_F32) & _INT_2_F32) << _INT_30_F32)
    y = np.int32(np.float32(y).view(np.int32) ^ turn).view(np.float32)
    return y if a <= _CIRCLE_F32 else _NAN_F32
