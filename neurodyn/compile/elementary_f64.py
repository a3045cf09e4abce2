"""Elementary functions in float64; see `neurodyn.compile.elementary` for what they promise."""

import numpy as np

# ---- exponentials -------------------------------------------------------------------------------

_ROUND_F64 = 1.5 * 2.0**52  # adding it leaves the nearest integer in the low bits of the sum
# the same with the bias of an exponent, so that a shift of the bits gives 2^n (or 2^(n-64), or the
# product of two powers of two)
_ONE_SCALE_F64 = 1.5 * 2.0**52 + 1023.0
_DOWN_SCALE_F64 = 1.5 * 2.0**52 + 1023.0 - 64.0
_TWO_SCALES_F64 = 1.5 * 2.0**52 + 2.0 * 1023.0
_SHIFT_F64 = np.int64(52)
_INT_1_F64 = np.int64(1)
_SIGN_F64 = np.int64(-0x8000000000000000)
_TINY_F64 = 2.0**-54
_LOG2_E_F64 = 1.4426950408889634
_LN2_F64 = (0.6931471805601177, -1.7239444525614835e-13)  # 41 bits: exact times an exponent; rest
_EXP_F64 = (  # (e^r - 1 - r)/r^2 for |r| <= ln(2)/2; error of e^r below 2^-57
    0.5000000000000011, 0.16666666666666452, 0.041666666666527435, 0.008333333333472148,
    0.0013888888944168414, 0.00019841269550634013, 2.4801492654483545e-05, 2.7557549751384914e-06,
    2.763037948888552e-07, 2.5011001193247472e-08,
)  # fmt: skip
_EXPM1_F64 = (  # the same, with an error below 2^-61 relative to e^r - 1
    0.5, 0.16666666666666677, 0.04166666666666667, 0.008333333333321452, 0.0013888888888881257,
    0.00019841269886520445, 2.4801587333301818e-05, 2.75572438562336e-06, 2.755726512891674e-07,
    2.5109147928629633e-08, 2.0917773952503903e-09,
)  # fmt: skip
_TANH_F64 = (  # (tanh(x)/x - 1)/x^2 in x^2, for |x| <= 0.55; error of tanh(x) below 2^-55
    -0.33333333333332354, 0.13333333333174008, -0.05396825387845673, 0.021869486027354865,
    -0.008863195163116993, 0.003591724697392279, -0.0014532401499022995, 0.0005792030091223435,
    -0.00021040531784087278, 5.1089622663888533e-05,
)  # fmt: skip


def _exp_parts_f64(x, rounding):
    """For x = n ln(2) + r, |r| <= ln(2)/2: bits with n + bias in the lowest, and e^r - 1.

    ``rounding`` is 1.5*2^52 + bias. The error of e^r - 1 is relative to e^r.
    """
    t = x * _LOG2_E_F64 + rounding
    n = t - rounding
    r = (x - n * _LN2_F64[0]) - n * _LN2_F64[1]
    c = _EXP_F64
    z = r * r
    p = (c[1] * r + c[0]) + (c[3] * r + c[2]) * z
    q = (c[5] * r + c[4]) + (c[7] * r + c[6]) * z
    q = (c[9] * r + c[8]) * (z * z) + q
    return np.float64(t).view(np.int64), r + z * (q * (z * z) + p)


def exp_f64(x):
    """e^x."""
    y = 710.0 if x > 710.0 else x
    y = -746.0 if y < -746.0 else y
    k, fraction = _exp_parts_f64(y, _TWO_SCALES_F64)
    # 2^n in two factors, so that n = 1024 and subnormal results need no branch
    k1 = k >> _INT_1_F64
    first = np.int64(k1 << _SHIFT_F64).view(np.float64)
    second = np.int64((k - k1) << _SHIFT_F64).view(np.float64)
    return (first + fraction * first) * second


def tanh_f64(x):
    """Hyperbolic tangent: an odd polynomial up to 0.55, then 1 - 2/(e^2x + 1)."""
    a = abs(x)
    b = 20.0 if a > 20.0 else a
    k, fraction = _exp_parts_f64(b + b, _ONE_SCALE_F64)
    scale = np.int64(k << _SHIFT_F64).view(np.float64)
    large = 1.0 - 2.0 / ((scale + fraction * scale) + 1.0)
    z = a * a
    c = _TANH_F64
    q = c[9] * z + c[8]
    q = q * z + c[7]
    q = q * z + c[6]
    q = q * z + c[5]
    q = q * z + c[4]
    q = q * z + c[3]
    q = q * z + c[2]
    q = q * z + c[1]
    q = q * z + c[0]
    y = a + a * z * q if a < 0.55 else large
    sign = np.float64(x).view(np.int64) & _SIGN_F64
    return np.int64(np.float64(y).view(np.int64) | sign).view(np.float64)


_DOWN_F64 = 2.0**-64  # 1 + e^x and e^x - 1 are kept times this, inside the range
_UP_F64 = 2.0**64


def sigmoid_f64(x):
    """1/(1 + e^-x), by g = 1/(1 + e^|x|): g for negative x, 1 - g for positive."""
    a = abs(x)
    a = 746.0 if a > 746.0 else a
    k, fraction = _exp_parts_f64(a, _DOWN_SCALE_F64)
    scale = np.int64(k << _SHIFT_F64).view(np.float64)
    power = scale + fraction * scale
    d = _DOWN_F64 + power
    # what the two additions rounded away, to first order
    rest = (_DOWN_F64 - (d - power)) + (fraction * scale - (power - scale))
    g = 1.0 / d
    g = (g - g * (g * rest)) * _DOWN_F64
    return g if x < 0.0 else 1.0 - g


def _expm1_scaled_f64(x):
    """2^-64 (e^x - 1) for -50 <= x <= 720."""
    t = x * _LOG2_E_F64 + _DOWN_SCALE_F64
    n = t - _DOWN_SCALE_F64
    high = x - n * _LN2_F64[0]
    low = n * _LN2_F64[1]
    r = high - low
    e = (high - r) - low
    c = _EXPM1_F64
    q = c[10] * r + c[9]
    q = q * r + c[8]
    q = q * r + c[7]
    q = q * r + c[6]
    q = q * r + c[5]
    q = q * r + c[4]
    q = q * r + c[3]
    q = q * r + c[2]
    q = q * r + c[1]
    q = q * r + c[0]
    k = np.float64(t).view(np.int64)
    scale = np.int64(k << _SHIFT_F64).view(np.float64)
    # (scale - 2^-64) + scale r + ..., with the rounding errors of the first two sums
    base = scale - _DOWN_F64
    y = base + scale * r
    rest = (scale * r - (y - base)) + ((scale - base) - _DOWN_F64)
    return y + (rest + scale * (e + r * r * q))


def expm1_f64(x):
    """e^x - 1."""
    y = 710.0 if x > 710.0 else x
    y = -50.0 if y < -50.0 else y
    y = _expm1_scaled_f64(y) * _UP_F64
    return x if abs(x) < _TINY_F64 else y


def exprel_f64(x):
    """(e^x - 1)/x, and 1 at 0; finite up to x = 716.3, beyond the range of e^x."""
    d = 720.0 if x > 720.0 else x
    y = _expm1_scaled_f64(-50.0 if d < -50.0 else d)
    # scaled up before the division, which a subnormal would spoil, or after it, where it overflows
    is_small = x < 1.0
    y = (y * _UP_F64 if is_small else y) / d
    y = y if is_small else y * _UP_F64
    return 1.0 if abs(x) < _TINY_F64 else y


# ---- logarithms ---------------------------------------------------------------------------------

_MIN_NORMAL_F64 = 2.0**-1022
_TWO_54_F64 = 2.0**54
_MANTISSA_F64 = np.int64(0x000FFFFFFFFFFFFF)
_SQRT_HALF_F64 = np.int64(0x3FE6A09E667F3BCD)
_ONE_LESS_SQRT_HALF_F64 = np.int64(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
_EXPONENT_F64 = np.int64(0x7FF)
_TWO_52_BITS_F64 = np.int64(0x4330000000000000)
_BIAS_F64 = 2.0**52 + 1023.0
_LOG_F64 = (  # (2 atanh(s)/s - 2)/s^2 in s^2, for 1/sqrt(2) <= (1+s)/(1-s) <= sqrt(2); 2^-58
    0.6666666666666734, 0.39999999999416647, 0.2857142874202896, 0.22222198604800023,
    0.18183562869252548, 0.15314084355547689, 0.14795637809501624,
)  # fmt: skip


def _log_split_f64(x):
    """Exponent (biased by 2^52 + 1023) and f of x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)."""
    k = np.float64(x).view(np.int64) + _ONE_LESS_SQRT_HALF_F64
    m = np.int64((k & _MANTISSA_F64) + _SQRT_HALF_F64).view(np.float64)
    n = np.int64(((k >> _SHIFT_F64) & _EXPONENT_F64) | _TWO_52_BITS_F64).view(np.float64)
    return n, m - 1.0


def _log_join_f64(n, f, e):
    """n ln(2) + log(1 + f) + e, for an e of the size of a rounding error."""
    s = f / (2.0 + f)
    z = s * s
    c = _LOG_F64
    q = c[6] * z + c[5]
    q = q * z + c[4]
    q = q * z + c[3]
    q = q * z + c[2]
    q = q * z + c[1]
    q = q * z + c[0]
    h = 0.5 * f * f
    low = s * (h + z * q) + (n * _LN2_F64[1] + e)
    return n * _LN2_F64[0] - ((h - low) - f)


def log_f64(x):
    """Natural logarithm."""
    small = x < _MIN_NORMAL_F64
    n, f = _log_split_f64(x * _TWO_54_F64 if small else x)
    y = _log_join_f64(n - (_BIAS_F64 + 54.0 if small else _BIAS_F64), f, 0.0)
    y = y if x < np.inf else x
    y = y if x > 0.0 else np.nan
    return -np.inf if x == 0.0 else y


def log1p_f64(x):
    """log(1 + x)."""
    u = 1.0 + x
    high = x if x > 1.0 else 1.0
    low = 1.0 if x > 1.0 else x
    n, f = _log_split_f64(u)
    n = n - _BIAS_F64
    near = n == 0.0
    e = 0.0 if near else (low - (u - high)) / u  # what 1 + x rounded away
    y = _log_join_f64(n, x if near else f, e)
    y = y if x < np.inf else x
    y = y if x > -1.0 else np.nan
    y = -np.inf if x == -1.0 else y
    return x if abs(x) < _TINY_F64 else y


def softplus_f64(x):
    """log(1 + e^x) = max(x, 0) + log(1 + t), t = e^-|x|; 1 + t is halved where it is large."""
    t = exp_f64(-abs(x))
    large = t > 0.41
    f = 0.5 * t - 0.5 if large else t
    y = _log_join_f64(1.0 if large else 0.0, f, 0.0)
    return (x if x > 0.0 else 0.0) + y


# ---- circular functions -------------------------------------------------------------------------

_CIRCLE_F64 = 1e9  # the bound of |x|; below, the multiple of pi/2 has 30 bits
_TWO_OVER_PI_F64 = 0.6366197723675814
_HALF_PI_F64 = (  # four parts of 23 bits, exact times a multiple, and the rest: 145 bits of pi/2
    1.570796251296997, 7.549789415861596e-08, 5.390302529957765e-15, 3.2820036682434026e-22,
    -1.2536990206932499e-29,
)  # fmt: skip
_SIN_F64 = (  # (sin(r)/r - 1)/r^2 in r^2, for |r| <= pi/4; error of sin(r) below 2^-58
    -0.16666666666666632, 0.008333333333322491, -0.00019841269829859348, 2.7557313707466153e-06,
    -2.505076029561648e-08, 1.5896911173939923e-10,
)  # fmt: skip
_COS_F64 = (  # (cos(r) - 1 + r^2/2)/r^4 in r^2, for |r| <= pi/4; error of cos(r) below 2^-64
    0.0416666666666666, -0.0013888888888874483, 2.4801587289679533e-05, -2.7557314403690305e-07,
    2.087572966219263e-09, -1.1359954170566401e-11,
)  # fmt: skip
_INT_2_F64 = np.int64(2)
_INT_62_F64 = np.int64(62)


def _circle_f64(a):
    """For a >= 0 the nearest multiple k of pi/2 in the low bits, and sin and cos of a - k pi/2."""
    t = a * _TWO_OVER_PI_F64 + _ROUND_F64
    n = t - _ROUND_F64
    c = _HALF_PI_F64
    high = (a - n * c[0]) - n * c[1]
    part = n * c[2]
    r = high - part
    r = (r + (((high - r) - part) - n * c[3])) - n * c[4]
    z = r * r
    c = _SIN_F64
    q = c[5] * z + c[4]
    q = q * z + c[3]
    q = q * z + c[2]
    q = q * z + c[1]
    q = q * z + c[0]
    sine = r + r * z * q
    c = _COS_F64
    q = c[5] * z + c[4]
    q = q * z + c[3]
    q = q * z + c[2]
    q = q * z + c[1]
    q = q * z + c[0]
    h = 0.5 * z
    w = 1.0 - h
    return np.float64(t).view(np.int64), sine, w + (((1.0 - w) - h) + z * z * q)


def sin_f64(x):
    """Sine for |x| <= 1e9, nan beyond."""
    a = abs(x)
    k, s, c = _circle_f64(a)
    y = s if (k & _INT_1_F64) == 0 else c
    sign = ((k & _INT_2_F64) << _INT_62_F64) ^ (np.float64(x).view(np.int64) & _SIGN_F64)
    y = np.int64(np.float64(y).view(np.int64) ^ sign).view(np.float64)
    return y if a <= _CIRCLE_F64 else np.nan


def cos_f64(x):
    """Cosine for |x| <= 1e9, nan beyond."""
    a = abs(x)
    k, s, c = _circle_f64(a)
    y = c if (k & _INT_1_F64) == 0 else s
    sign = ((k + _INT_1_F64) & _INT_2_F64) << _INT_62_F64
    y = np.int64(np.float64(y).view(np.int64) ^ sign).view(np.float64)
    return y if a <= _CIRCLE_F64 else np.nan
