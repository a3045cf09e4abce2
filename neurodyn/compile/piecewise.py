"""Small piecewise functions whose text goes into generated modules.

``ONE`` and ``ZERO`` are the module's constants in its own number type. Each comparison is written
so that a NaN comes out as NaN: a diverged run must not look healthy.
"""

# ruff: noqa: F821  (ONE, ZERO and the elementary functions are defined by the generated module)

#: Flags of the copied functions, see `neurodyn.compile.library.HEADER`.
DEFAULT_FLAGS = "INNER"


def relu(x):
    return ZERO if x <= ZERO else x


def leaky_relu(x, slope):
    return slope * x if x <= ZERO else x


def clip(x, low, high):
    return low if x < low else (high if x > high else x)


def sign(x):
    return ONE if x > ZERO else (-ONE if x < ZERO else x)


def heaviside(x):
    return ONE if x > ZERO else (ZERO if x <= ZERO else x)


def modulo(a, b):
    # a/b may have been rounded up to an integer: the rest is then a little beyond 0
    rest = a - b * np.floor(a / b)
    return rest + b if rest * b < ZERO else rest


def power_log(x, y):
    return ZERO if x == ZERO and y > ZERO else real(x**y) * log(x)


def exprel_derivative(x):
    # Near 0, where (exp(x) - exprel(x))/x loses its digits, the series of x^n / (n! (n + 2)); far
    # above, where exp(x) overflows first, the same without it.
    series = SERIES[7]
    for k in range(6, -1, -1):
        series = series * x + SERIES[k]
    relative = exprel(x)
    above = relative * (ONE - ONE / x) + ONE / x
    steep = above if x > ONE else (exp(x) - relative) / x
    return series if abs(x) < SMALL else steep
